//! Services behind the service network, by each way, and what never comes out of it.

use std::net::IpAddr;

use expect_test::expect;
use packet::Mac;
use proptest::prelude::*;

use super::Net;
use crate::*;

/// Two VPCs with the same addresses, one with a public address and one with an endpoint.
const NET: &str = "vpc one 10.0.0.0/16
     subnet a 10.0.1.0/24 local, 0.0.0.0/0 > igw
     sg web out tcp 443 to 0.0.0.0/0
     sg web out icmp all to 0.0.0.0/0
     eni x 10.0.1.10 in a sg:web public 203.0.113.10
     eni p 10.0.1.11 in a sg:web
     vpc two 10.0.0.0/16
     subnet b 10.0.1.0/24 local
     endpoint s3 b
     sg all out all to 0.0.0.0/0
     sg all in all from 0.0.0.0/0
     eni y 10.0.1.10 in b sg:all
     host 198.51.100.7
";

impl Net {
    pub(super) fn origin(&self, source: &str) -> Option<String> {
        let origin = self.dataplane.origin(source.parse().unwrap())?;
        let Origin {
            way,
            source,
            destination,
            backend,
            region,
        } = origin;
        let text = format!("{source} > {destination} {backend:?} {region:?} {way:?}");
        Some(self.fixture.readable(&text))
    }
}

#[test]
fn every_way_has_its_own_origins_and_answers_find_back() {
    let mut net = Net::with_services(NET);
    let lines = "x sends tcp 10.0.1.10:5 > 169.254.169.254:80 syn
         y sends tcp 10.0.1.10:5 > 169.254.169.254:80 syn
         x sends tcp 10.0.1.10:5 > 52.216.0.1:443 syn
         y sends tcp 10.0.1.10:5 > 52.216.0.1:443 syn
         198.51.100.7 sends tcp 198.51.100.7:5 > 52.216.0.1:443 syn
         services sends tcp 100.127.255.1:80 > 100.64.0.1:5 syn ack
         services sends tcp 100.127.255.1:80 > 100.64.0.2:5 syn ack
         services sends tcp 100.127.255.2:443 > 100.64.0.3:5 syn ack
         services sends tcp 100.127.255.2:443 > 100.64.0.4:5 syn ack
         services sends tcp 100.127.255.2:443 > 100.64.0.5:5 syn ack";
    expect![[r#"
        x sends tcp 10.0.1.10:5 > 169.254.169.254:80 syn
          to services: 100.64.0.1:5 > 100.127.255.1:80 proto 6 len 40
        y sends tcp 10.0.1.10:5 > 169.254.169.254:80 syn
          to services: 100.64.0.2:5 > 100.127.255.1:80 proto 6 len 40
        x sends tcp 10.0.1.10:5 > 52.216.0.1:443 syn
          to services: 100.64.0.3:5 > 100.127.255.2:443 proto 6 len 40
        y sends tcp 10.0.1.10:5 > 52.216.0.1:443 syn
          to services: 100.64.0.4:5 > 100.127.255.2:443 proto 6 len 40
        198.51.100.7 sends tcp 198.51.100.7:5 > 52.216.0.1:443 syn
          to services: 100.64.0.5:5 > 100.127.255.2:443 proto 6 len 40
        services sends tcp 100.127.255.1:80 > 100.64.0.1:5 syn ack
          to x: 169.254.169.254:80 > 10.0.1.10:5 proto 6 len 40
        services sends tcp 100.127.255.1:80 > 100.64.0.2:5 syn ack
          to y: 169.254.169.254:80 > 10.0.1.10:5 proto 6 len 40
        services sends tcp 100.127.255.2:443 > 100.64.0.3:5 syn ack
          to x: 52.216.0.1:443 > 10.0.1.10:5 proto 6 len 40
        services sends tcp 100.127.255.2:443 > 100.64.0.4:5 syn ack
          to y: 52.216.0.1:443 > 10.0.1.10:5 proto 6 len 40
        services sends tcp 100.127.255.2:443 > 100.64.0.5:5 syn ack
          to 198.51.100.7: 52.216.0.1:443 > 198.51.100.7:5 proto 6 len 40
    "#]]
    .assert_eq(&net.run(lines));
    let origins = (1..7).filter_map(|n| net.origin(&format!("100.64.0.{n}")));
    expect![[r#"
        10.0.1.10 > 169.254.169.254 Metadata None Link(x)
        10.0.1.10 > 169.254.169.254 Metadata None Link(y)
        203.0.113.10 > 52.216.0.1 Aws(S3) Some(us-east-1) Internet
        10.0.1.10 > 52.216.0.1 Aws(S3) Some(us-east-1) GatewayEndpoint { endpoint: endpoint:s3:two, interface: y }
        198.51.100.7 > 52.216.0.1 Aws(S3) Some(us-east-1) Internet"#]].assert_eq(&origins.collect::<Vec<_>>().join("\n"));
    // Nothing of the link is logged; the rest as what it is to the interfaces.
    expect![[r#"
        x Egress Accept 10.0.1.10:5 > 52.216.0.1:443 proto 6 packets 1 bytes 40 flags 2 path 8 | delivered to s3 in us-east-1 through igw
        x Ingress Accept 52.216.0.1:443 > 10.0.1.10:5 proto 6 packets 1 bytes 40 flags 18 | delivered to x
        y Egress Accept 10.0.1.10:5 > 52.216.0.1:443 proto 6 packets 1 bytes 40 flags 2 path 7 | delivered to s3 in us-east-1 through endpoint:s3:two
        y Ingress Accept 52.216.0.1:443 > 10.0.1.10:5 proto 6 packets 1 bytes 40 flags 18 | delivered to y
    "#]].assert_eq(&net.records());
    // The same from the flow cache.
    let cached = net.dataplane.counters().cached;
    let more = lines.replace(" syn ack", " ack").replace(" syn", " ack");
    let told = net.run(&more);
    assert!(!told.contains("dropped"), "{told}");
    let told = net.run(&more);
    assert!(!told.contains("dropped"), "{told}");
    assert!(net.dataplane.counters().cached > cached);
}

/// So connections that there were before it end (AWS PrivateLink Guide, "Gateway endpoints").
#[test]
fn an_endpoint_takes_over_with_another_source_and_the_service_knows_of_no_connection() {
    let mut net = Net::with_services(NET);
    let ask = "x sends tcp 10.0.1.10:5 > 52.216.0.1:443 ack";
    let answer = |source: &str, flags: &str| {
        format!("services sends tcp 100.127.255.2:443 > {source}:5 {flags}")
    };
    net.send(&ask.replace(" ack", " syn"));
    let mut told = net.run(&answer("100.64.0.1", "syn ack")) + &net.run(ask);
    net.change(&NET.replace("vpc two", "endpoint s3 a\n     vpc two"));
    told += &net.run(ask);
    assert!(
        net.origin("100.64.0.2")
            .unwrap()
            .contains("GatewayEndpoint")
    );
    told += &net.run(&answer("100.64.0.2", "rst"));
    expect![[r#"
        services sends tcp 100.127.255.2:443 > 100.64.0.1:5 syn ack
          to x: 52.216.0.1:443 > 10.0.1.10:5 proto 6 len 40
        x sends tcp 10.0.1.10:5 > 52.216.0.1:443 ack
          to services: 100.64.0.1:5 > 100.127.255.2:443 proto 6 len 40
        x sends tcp 10.0.1.10:5 > 52.216.0.1:443 ack
          to services: 100.64.0.2:5 > 100.127.255.2:443 proto 6 len 40
        services sends tcp 100.127.255.2:443 > 100.64.0.2:5 rst
          to x: 52.216.0.1:443 > 10.0.1.10:5 proto 6 len 40
    "#]]
    .assert_eq(&told);
}

#[test]
fn rules_hold_on_the_way_to_public_services_and_not_on_the_link() {
    let mut net = Net::with_services(NET);
    expect![[r#"
        x sends tcp 10.0.1.10:5 > 52.216.0.1:80 syn
          dropped: security_group
        p sends tcp 10.0.1.11:5 > 52.216.0.1:443 syn
          dropped: no_public_address
        p sends tcp 10.0.1.11:5 > 169.254.169.254:80 syn
          to services: 100.64.0.1:5 > 100.127.255.1:80 proto 6 len 40
        p sends tcp 10.0.1.11:5 > 169.254.169.254:443 syn
          dropped: service_unavailable
        p sends udp 10.0.1.11:5 > 169.254.169.254:80
          dropped: service_unavailable
        p sends tcp 10.0.1.99:5 > 169.254.169.254:80 syn
          dropped: source_destination_check
        p sends icmp 10.0.1.11 > 169.254.169.254 echo-request id 1
          dropped: service_unavailable
        x sends icmp 10.0.1.10 > 52.216.0.1 echo-request id 1
          to services: 100.64.0.2:0 > 100.127.255.2:0 proto 1 icmp 8/0 len 28
        services sends icmp 100.127.255.2 > 100.64.0.2 echo-reply id 1
          to x: 52.216.0.1:0 > 10.0.1.10:0 proto 1 icmp 0/0 len 28
        y sends udp 10.0.1.10:5 > 52.216.0.1:443
          dropped: refused_by_endpoint
        y sends tcp 10.0.1.10:5 > 198.18.16.1:443 syn
          dropped: no_route
        y sends tcp 10.0.1.10:5 > 52.94.0.1:443 syn
          dropped: no_route
        x sends tcp 10.0.1.10:5 > 52.94.0.1:443 syn
          to services: 100.64.0.3:5 > 100.127.255.3:443 proto 6 len 40
    "#]]
    .assert_eq(&net.run(
        "x sends tcp 10.0.1.10:5 > 52.216.0.1:80 syn
         p sends tcp 10.0.1.11:5 > 52.216.0.1:443 syn
         p sends tcp 10.0.1.11:5 > 169.254.169.254:80 syn
         p sends tcp 10.0.1.11:5 > 169.254.169.254:443 syn
         p sends udp 10.0.1.11:5 > 169.254.169.254:80
         p sends tcp 10.0.1.99:5 > 169.254.169.254:80 syn
         p sends icmp 10.0.1.11 > 169.254.169.254 echo-request id 1
         x sends icmp 10.0.1.10 > 52.216.0.1 echo-request id 1
         services sends icmp 100.127.255.2 > 100.64.0.2 echo-reply id 1
         y sends udp 10.0.1.10:5 > 52.216.0.1:443
         y sends tcp 10.0.1.10:5 > 198.18.16.1:443 syn
         y sends tcp 10.0.1.10:5 > 52.94.0.1:443 syn
         x sends tcp 10.0.1.10:5 > 52.94.0.1:443 syn",
    ));
    expect![[r#"
        p Egress Accept 10.0.1.11:5 > 52.216.0.1:443 proto 6 packets 1 bytes 40 flags 2 path 8 | internet gateway igw has no public address for 10.0.1.11
        x Egress Accept 10.0.1.10:0 > 52.216.0.1:0 proto 1 packets 1 bytes 28 flags 0 path 8 | delivered to s3 in us-east-1 through igw
        x Egress Accept 10.0.1.10:5 > 52.94.0.1:443 proto 6 packets 1 bytes 40 flags 2 path 8 | delivered to dynamodb in us-east-1 through igw, behind which nothing runs (weir up --service dynamodb=URL)
        x Egress Reject 10.0.1.10:5 > 52.216.0.1:80 proto 6 packets 1 bytes 40 flags 2 | no outbound rule of web allows it
        x Ingress Accept 52.216.0.1:0 > 10.0.1.10:0 proto 1 packets 1 bytes 28 flags 0 | delivered to x
        y Egress Accept 10.0.1.10:5 > 198.18.16.1:443 proto 6 packets 1 bytes 40 flags 2 | route table b has no route to it
        y Egress Accept 10.0.1.10:5 > 52.216.0.1:443 proto 17 packets 1 bytes 28 flags 0 path 7 | endpoint endpoint:s3:two does not carry it: it carries TCP and ICMP echo, not protocol 17
        y Egress Accept 10.0.1.10:5 > 52.94.0.1:443 proto 6 packets 1 bytes 40 flags 2 | route table b has no route to it
    "#]].assert_eq(&net.records());
}

#[test]
fn names_are_asked_for_over_tcp_at_every_address_of_the_dns_server() {
    let mut net = Net::with_services(&format!(
        "{NET}vpc silent 10.0.0.0/16
         dns support off
         subnet c 10.0.1.0/24 local
         sg any out all to 0.0.0.0/0
         eni z 10.0.1.10 in c sg:any
"
    ));
    expect![[r#"
        x sends tcp 10.0.1.10:5 > 10.0.0.2:53 syn
          to services: 100.64.0.1:5 > 100.127.255.53:53 proto 6 len 40
        p sends tcp 10.0.1.11:5 > 169.254.169.253:53 syn
          to services: 100.64.0.2:5 > 100.127.255.53:53 proto 6 len 40
        services sends tcp 100.127.255.53:53 > 100.64.0.1:5 syn ack
          to x: 10.0.0.2:53 > 10.0.1.10:5 proto 6 len 40
        services sends tcp 100.127.255.53:53 > 100.64.0.2:5 syn ack
          to p: 169.254.169.253:53 > 10.0.1.11:5 proto 6 len 40
        p sends tcp 10.0.1.11:5 > 169.254.169.253:80 syn
          dropped: service_unavailable
        p sends tcp 10.0.1.11:5 > 169.254.169.254:53 syn
          dropped: service_unavailable
        z sends tcp 10.0.1.10:5 > 169.254.169.253:53 syn
          dropped: service_unavailable
    "#]]
    .assert_eq(&net.run(
        "x sends tcp 10.0.1.10:5 > 10.0.0.2:53 syn
         p sends tcp 10.0.1.11:5 > 169.254.169.253:53 syn
         services sends tcp 100.127.255.53:53 > 100.64.0.1:5 syn ack
         services sends tcp 100.127.255.53:53 > 100.64.0.2:5 syn ack
         p sends tcp 10.0.1.11:5 > 169.254.169.253:80 syn
         p sends tcp 10.0.1.11:5 > 169.254.169.254:53 syn
         z sends tcp 10.0.1.10:5 > 169.254.169.253:53 syn",
    ));
    assert_eq!(
        net.origin("100.64.0.1").unwrap(),
        "10.0.1.10 > 10.0.0.2 Dns None Link(x)"
    );
    // Security groups and flow logs have nothing to say, but the limit of the link holds.
    assert_eq!(net.records(), "\n");
    let line = "x sends tcp 10.0.1.10:5 > 10.0.0.2:53 ack";
    let passed = (0..1200).filter(|_| net.send(line).starts_with("to services"));
    assert_eq!(passed.count(), 1023);
}

#[test]
fn only_answers_come_out() {
    let mut net = Net::with_services(NET);
    net.run("y sends tcp 10.0.1.10:5 > 52.216.0.1:443 syn");
    expect![[r#"
        services sends tcp 100.127.255.2:443 > 100.64.0.1:6 syn
          dropped: unsolicited
        services sends tcp 100.127.255.2:80 > 100.64.0.1:5 syn ack
          dropped: unsolicited
        services sends tcp 100.127.255.1:443 > 100.64.0.1:5 syn ack
          dropped: unsolicited
        services sends tcp 100.127.255.2:443 > 100.64.0.2:5 syn ack
          dropped: unsolicited
        services sends tcp 52.216.0.1:443 > 10.0.1.10:5 syn ack
          dropped: unsolicited
        services sends tcp 100.127.255.2:443 > 10.0.1.10:5 syn ack
          dropped: unsolicited
        services sends tcp 100.127.255.2:443 > 198.51.100.7:5 syn
          dropped: unsolicited
        services sends tcp 100.64.0.1:5 > 100.127.255.2:443 syn
          dropped: unsolicited
        services sends udp 100.127.255.2:443 > 100.64.0.1:5
          dropped: unsolicited
        services sends tcp 100.127.255.2:443 > 100.64.0.1:5 syn ack
          to y: 52.216.0.1:443 > 10.0.1.10:5 proto 6 len 40
        y sends tcp 10.0.1.10:5 > 52.216.0.1:443 rst
          to services: 100.64.0.1:5 > 100.127.255.2:443 proto 6 len 40
        services sends tcp 100.127.255.2:443 > 100.64.0.1:5 ack
          to y: 52.216.0.1:443 > 10.0.1.10:5 proto 6 len 40
    "#]]
    .assert_eq(&net.run(
        "services sends tcp 100.127.255.2:443 > 100.64.0.1:6 syn
         services sends tcp 100.127.255.2:80 > 100.64.0.1:5 syn ack
         services sends tcp 100.127.255.1:443 > 100.64.0.1:5 syn ack
         services sends tcp 100.127.255.2:443 > 100.64.0.2:5 syn ack
         services sends tcp 52.216.0.1:443 > 10.0.1.10:5 syn ack
         services sends tcp 100.127.255.2:443 > 10.0.1.10:5 syn ack
         services sends tcp 100.127.255.2:443 > 198.51.100.7:5 syn
         services sends tcp 100.64.0.1:5 > 100.127.255.2:443 syn
         services sends udp 100.127.255.2:443 > 100.64.0.1:5
         services sends tcp 100.127.255.2:443 > 100.64.0.1:5 syn ack
         y sends tcp 10.0.1.10:5 > 52.216.0.1:443 rst
         services sends tcp 100.127.255.2:443 > 100.64.0.1:5 ack",
    ));
    // Long after the reset the connection is forgotten, and the origin with it.
    net.wait(60);
    for _ in 0..4 {
        net.dataplane.sweep(net.now);
    }
    assert_eq!(net.origin("100.64.0.1"), None);
    expect![[r#"
        services sends tcp 100.127.255.2:443 > 100.64.0.1:5 ack
          dropped: unsolicited
        x sends tcp 10.0.1.10:5 > 52.216.0.1:443 ack
          to services: 100.64.0.1:5 > 100.127.255.2:443 proto 6 len 40
        services sends tcp 100.127.255.2:443 > 100.64.0.1:5 rst
          to x: 52.216.0.1:443 > 10.0.1.10:5 proto 6 len 40
    "#]]
    .assert_eq(&net.run(
        "services sends tcp 100.127.255.2:443 > 100.64.0.1:5 ack
         x sends tcp 10.0.1.10:5 > 52.216.0.1:443 ack
         services sends tcp 100.127.255.2:443 > 100.64.0.1:5 rst",
    ));
    let snapshot = net.dataplane.snapshot().clone();
    let services = snapshot.port_of(&Device::Services).unwrap();
    let (_, mut frame) = net.frame("services sends tcp 100.127.255.2:443 > 100.64.0.1:5 ack");
    packet::ethernet::set_macs(
        &mut frame,
        Mac([0x0e, 0, 0, 0, 0, 1]),
        Mac(fixture::mac("services").0),
    )
    .unwrap();
    let verdict = net
        .dataplane
        .forward(services, &mut frame, Offload::default(), net.now);
    assert_eq!(verdict, Verdict::Drop(DropReason::DestinationMac));
}

#[test]
fn the_link_has_its_allowance_also_for_long_connections() {
    let mut net = Net::with_services(NET);
    let line = "x sends tcp 10.0.1.10:5 > 169.254.169.254:80";
    net.run(&format!("{line} syn"));
    for _ in 1..1024 {
        assert!(matches!(
            net.verdict(&format!("{line} ack")).0,
            Verdict::Forward(_)
        ));
    }
    let dropped = Verdict::Drop(DropReason::ServiceRateExceeded);
    assert_eq!(net.verdict(&format!("{line} ack")).0, dropped);
    assert!(matches!(
        net.verdict("p sends tcp 10.0.1.11:5 > 169.254.169.254:80 syn")
            .0,
        Verdict::Forward(_)
    ));
    net.wait(1);
    assert!(matches!(
        net.verdict(&format!("{line} ack")).0,
        Verdict::Forward(_)
    ));
}

#[test]
fn an_interface_that_is_gone_gets_no_answers() {
    let mut net = Net::with_services(NET);
    net.run(
        "y sends tcp 10.0.1.10:5 > 52.216.0.1:443 syn
         y sends tcp 10.0.1.10:5 > 169.254.169.254:80 syn",
    );
    net.change(&NET.replace("eni y 10.0.1.10", "eni z 10.0.1.10"));
    expect![[r#"
        services sends tcp 100.127.255.2:443 > 100.64.0.1:5 syn ack
          dropped: no_such_address
        services sends tcp 100.127.255.1:80 > 100.64.0.2:5 syn ack
          dropped: no_such_address
        z sends tcp 10.0.1.10:5 > 169.254.169.254:80 syn
          to services: 100.64.0.3:5 > 100.127.255.1:80 proto 6 len 40
    "#]]
    .assert_eq(&net.run(
        "services sends tcp 100.127.255.2:443 > 100.64.0.1:5 syn ack
         services sends tcp 100.127.255.1:80 > 100.64.0.2:5 syn ack
         z sends tcp 10.0.1.10:5 > 169.254.169.254:80 syn",
    ));
}

#[test]
fn behind_a_nat_gateway_the_source_is_the_gateways() {
    let mut net = Net::with_services(
        "vpc main 10.0.0.0/16
         subnet pub 10.0.0.0/24 local, 0.0.0.0/0 > igw
         subnet app 10.0.1.0/24 local, 0.0.0.0/0 > nat:nat
         sg open in all from 0.0.0.0/0
         nat nat 10.0.0.220 in pub public 203.0.113.220
         eni x 10.0.1.5 in app sg:open
         eni y 10.0.1.6 in app sg:open",
    );
    let mut answered = Vec::new();
    for (name, address) in [("x", "10.0.1.5"), ("y", "10.0.1.6")] {
        let line = format!("{name} sends tcp {address}:5 > 52.216.0.1:443");
        let told = net.send(&format!("{line} syn"));
        let from = told.split(' ').nth(2).unwrap().to_owned();
        assert!(from.starts_with("100.64.0.1:"), "{told}");
        let answer = format!("services sends tcp 100.127.255.2:443 > {from} syn ack");
        answered.push(net.send(&answer));
        assert_eq!(net.send(&format!("{line} ack")), told, "the session stays");
    }
    assert_eq!(
        answered,
        [
            "to x: 52.216.0.1:443 > 10.0.1.5:5 proto 6 len 40",
            "to y: 52.216.0.1:443 > 10.0.1.6:5 proto 6 len 40",
        ]
    );
    let origin = net.dataplane.origin("100.64.0.1".parse().unwrap()).unwrap();
    assert_eq!(origin.source.to_string(), "203.0.113.220");
    assert_eq!(origin.way, ServiceWay::Internet);
}

#[test]
fn connections_that_nobody_will_end_are_forgotten() {
    let mut net = Net::with_services(NET);
    let open = "y sends tcp 10.0.1.10:5 > 52.216.0.1:443 syn
         services sends tcp 100.127.255.2:443 > 100.64.0.1:5 syn ack
         y sends tcp 10.0.1.10:5 > 52.216.0.1:443 ack";
    net.run(open);
    let sweep = |net: &mut Net| (0..4).for_each(|_| net.dataplane.sweep(net.now));
    net.wait(3600);
    sweep(&mut net);
    assert!(net.origin("100.64.0.1").is_some(), "it rests");
    net.wait(1);
    sweep(&mut net);
    assert_eq!(net.origin("100.64.0.1"), None);
    net.run(open);
    net.change(&NET.replace("eni y 10.0.1.10", "eni z 10.0.1.10"));
    sweep(&mut net);
    assert_eq!(net.origin("100.64.0.1"), None, "its sender is gone");
}

#[test]
fn a_trace_names_the_service() {
    let net = Net::with_services(NET);
    let explain = |name: &str, destination: &str, port| {
        let request = TraceRequest {
            source: Source::Interface(fixture::eni(name)),
            protocol: 6,
            destination: destination.parse().unwrap(),
            source_port: 5,
            destination_port: port,
        };
        let trace = trace(net.dataplane.snapshot(), &request).unwrap();
        let text = format!("{:?}\n{trace}", trace.outcome);
        net.fixture.readable(&text)
    };
    expect![[r#"
        Answered
        x  egress  security group web  pass  tcp 443 to 0.0.0.0/0 (sgr-75c1a589511a6f853)
        a  egress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        a  egress  route table a  pass  0.0.0.0/0 to igw
        igw  egress  internet gateway  pass  source 10.0.1.10 is 203.0.113.10
        igw  egress  service  pass  delivered to s3 in us-east-1 through igw
        delivered to s3 in us-east-1 through igw; flow log: x egress ACCEPT
        --- answer
        igw  ingress  internet gateway  pass  destination 203.0.113.10 is 10.0.1.10
        a  ingress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        x  ingress  security group  pass  tracked connection
        x  ingress  delivery  pass  delivered
        delivered to x; flow log: x ingress ACCEPT
    "#]]
    .assert_eq(&explain("x", "52.216.0.1", 443));
    expect![[r#"
        Answered
        y  egress  security group all  pass  all to 0.0.0.0/0 (sgr-ef4d17402f4f277ab)
        b  egress  network ACL default:two  pass  rule 100 allow all 0.0.0.0/0
        b  egress  route table b  pass  pl:s3 to endpoint:s3:two
        endpoint:s3:two  egress  service  pass  delivered to s3 in us-east-1 through endpoint:s3:two
        delivered to s3 in us-east-1 through endpoint:s3:two; flow log: y egress ACCEPT
        --- answer
        b  ingress  network ACL default:two  pass  rule 100 allow all 0.0.0.0/0
        y  ingress  security group all  pass  all from 0.0.0.0/0 (sgr-2910f28cfde066fc0)
        y  ingress  delivery  pass  delivered
        delivered to y; flow log: y ingress ACCEPT
    "#]]
    .assert_eq(&explain("y", "52.216.0.1", 443));
    expect![[r#"
        Answered
        x  egress  security group web  pass  tcp 443 to 0.0.0.0/0 (sgr-75c1a589511a6f853)
        a  egress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        a  egress  route table a  pass  0.0.0.0/0 to igw
        igw  egress  internet gateway  pass  source 10.0.1.10 is 203.0.113.10
        igw  egress  service  pass  delivered to dynamodb in us-east-1 through igw, behind which nothing runs (weir up --service dynamodb=URL)
        delivered to dynamodb in us-east-1 through igw, behind which nothing runs (weir up --service dynamodb=URL); flow log: x egress ACCEPT
        --- answer
        igw  ingress  internet gateway  pass  destination 203.0.113.10 is 10.0.1.10
        a  ingress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        x  ingress  security group  pass  tracked connection
        x  ingress  delivery  pass  delivered
        delivered to x; flow log: x ingress ACCEPT
    "#]].assert_eq(&explain("x", "52.94.0.1", 443));
    expect![[r#"
        Answered
        p  egress  service  pass  taken by the service at 169.254.169.254
        taken by the service at 169.254.169.254
        --- answer
        p  ingress  delivery  pass  delivered
        delivered to p
    "#]]
    .assert_eq(&explain("p", "169.254.169.254", 80));
}

/// Addresses, ports and flags near those that mean something.
fn from_services() -> impl Strategy<Value = String> {
    let source = prop_oneof![
        (0_u8..9).prop_map(|n| format!("100.127.255.{n}")),
        (0_u8..9).prop_map(|n| format!("100.64.0.{n}")),
        Just("52.216.0.1".to_owned()),
        Just("10.0.1.10".to_owned()),
    ];
    let destination = prop_oneof![
        (0_u8..9).prop_map(|n| format!("100.64.0.{n}")),
        Just("10.0.1.10".to_owned()),
        Just("10.0.1.11".to_owned()),
        Just("203.0.113.10".to_owned()),
        Just("198.51.100.7".to_owned()),
    ];
    let port = || prop_oneof![Just(80_u16), Just(443), 4_u16..8];
    let protocol = prop_oneof![4 => Just("tcp"), 1 => Just("udp")];
    let flags = prop_oneof![
        Just(""),
        Just("syn"),
        Just("syn ack"),
        Just("ack"),
        Just("fin ack"),
        Just("rst")
    ];
    (protocol, source, port(), destination, port(), flags).prop_map(
        |(protocol, src, src_port, dst, dst_port, flags)| {
            let flags = if protocol == "tcp" { flags } else { "" };
            format!("services sends {protocol} {src}:{src_port} > {dst}:{dst_port} {flags}")
        },
    )
}

fn to_services() -> impl Strategy<Value = String> {
    let sender = prop_oneof![
        Just(("x", "10.0.1.10")),
        Just(("p", "10.0.1.11")),
        Just(("y", "10.0.1.10")),
        Just(("198.51.100.7", "198.51.100.7")),
    ];
    let service = prop_oneof![
        Just("52.216.0.1"),
        Just("169.254.169.254"),
        Just("52.94.0.1")
    ];
    let flags = prop_oneof![3 => Just("syn"), 1 => Just("ack"), 1 => Just("rst")];
    let port = prop_oneof![Just(80_u16), Just(443)];
    (sender, 4_u16..8, service, port, flags).prop_map(
        |((name, src), src_port, dst, port, flags)| {
            format!("{name} sends tcp {src}:{src_port} > {dst}:{port} {flags}")
        },
    )
}

/// Source and destination of a question as a service has it.
type Question = (IpAddr, u16, IpAddr, u16);
/// Who asked, from where to where.
type Asker = (PortId, IpAddr, IpAddr);

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// What comes out of the service network goes to exactly the one who asked the question that it answers, with the
    /// addresses of that question, whatever else happens.
    #[test]
    fn nothing_comes_out_but_answers_to_who_asked(
        lines in prop::collection::vec(prop_oneof![2 => to_services(), 3 => from_services()], 1..60),
    ) {
        let mut net = Net::with_services(NET);
        let mut uncached = Net::with_services(NET);
        uncached.dataplane.set_caching(false);
        // Questions as the services have them: who asked from where to where.
        let mut asked: Vec<(Question, Asker)> = Vec::new();
        for line in &lines {
            let send = fixture::Send::parse(line).unwrap();
            let (verdict, frame) = net.verdict(line);
            prop_assert_eq!(uncached.verdict(line), (verdict, frame.clone()), "{}", line);
            let Verdict::Forward(to) = verdict else { continue };
            let packet = packet::Packet::parse(&frame).unwrap();
            let ip = packet.ip().unwrap();
            let services = net.port("services");
            if to == services {
                prop_assert!(packet::build::checksum_is_valid(&frame));
                let key = (ip.src, ip.src_port, ip.dst, ip.dst_port);
                let who = (net.port(&send.sender), send.src, send.dst);
                asked.retain(|(own, _)| *own != key);
                for (other, them) in &asked {
                    prop_assert!(other.0 != key.0 || *them == who || (them.0 == who.0 && them.2 == who.2),
                        "{line}: {} stands for two", key.0);
                }
                asked.push((key, who));
            } else {
                prop_assert_eq!(&send.sender, "services", "{}", line);
                let question = (send.dst, send.dst_port, send.src, send.src_port);
                let found = asked.iter().find(|(key, _)| *key == question);
                let Some((_, (port, src, dst))) = found else {
                    return Err(TestCaseError::fail(format!("{line} answers nothing")));
                };
                prop_assert_eq!((to, ip.dst, ip.src), (*port, *src, *dst), "{}", line);
                prop_assert_eq!((ip.src_port, ip.dst_port), (send.src_port, send.dst_port));
                prop_assert!(packet::build::checksum_is_valid(&frame));
            }
        }
    }

    /// Bytes of any kind from the service network reach nobody.
    #[test]
    fn frames_of_any_bytes_reach_nobody(
        mut frame in prop::collection::vec(any::<u8>(), 0..200),
        headed in any::<bool>(),
    ) {
        let mut net = Net::with_services(NET);
        net.run("y sends tcp 10.0.1.10:5 > 52.216.0.1:443 syn");
        if headed && frame.len() > 14 {
            frame[..6].copy_from_slice(&SERVICES_ROUTER_MAC.0);
            frame[6..12].copy_from_slice(&fixture::mac("services").0);
            frame[12..14].copy_from_slice(&[0x08, 0x00]);
        }
        let port = net.port("services");
        let verdict = net.dataplane.forward(port, &mut frame, Offload::default(), net.now);
        prop_assert!(matches!(verdict, Verdict::Drop(_)), "{:?}", verdict);
    }
}
