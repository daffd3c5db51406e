//! Interface endpoints: to services of AWS, and to those of others behind load balancers.

use expect_test::expect;

use super::{Net, trace};
use crate::{DropReason, Offload, Snapshot, Verdict};

/// An endpoint and its clients in its own VPC and in a peer; one that is not yet, and one to a service that is nowhere.
const NET: &str = "sg web out all to 0.0.0.0/0
     sg end in tcp 443 from 10.0.0.0/8
     sg end in icmp all from 10.0.0.0/8
     sg end in udp 443 from 10.0.0.0/8
     sg end out none
     subnet a 10.0.1.0/24 local, 10.1.0.0/16 > pcx:p
     subnet b 10.0.2.0/24 local, 10.1.0.0/16 > pcx:p
     eni x 10.0.1.10 in a sg:web
     eni y 10.0.2.10 in b sg:web
     eni ea 10.0.1.20 in a sg:end
     vpce e logs ea
     eni dead 10.0.2.21 in b sg:end
     vpce f sts dead pending
     eni none 10.0.2.22 in b sg:end
     vpce g kinesis-firehose none
     vpc peer 10.1.0.0/16
     subnet c 10.1.1.0/24 local, 10.0.0.0/16 > pcx:p
     sg all out all to 0.0.0.0/0
     eni z 10.1.1.10 in c sg:all
     pcx p main peer
";

#[test]
fn an_endpoint_is_reached_from_its_subnet_its_vpc_and_a_peer() {
    let mut net = Net::with_services(NET);
    let lines = "x sends tcp 10.0.1.10:5 > 10.0.1.20:443 syn
         y sends tcp 10.0.2.10:5 > 10.0.1.20:443 syn
         z sends tcp 10.1.1.10:5 > 10.0.1.20:443 syn
         services sends tcp 100.127.255.4:443 > 100.64.0.1:5 syn ack
         services sends tcp 100.127.255.4:443 > 100.64.0.2:5 syn ack
         services sends tcp 100.127.255.4:443 > 100.64.0.3:5 syn ack";
    expect![[r#"
        x sends tcp 10.0.1.10:5 > 10.0.1.20:443 syn
          to services: 100.64.0.1:5 > 100.127.255.4:443 proto 6 len 40
        y sends tcp 10.0.2.10:5 > 10.0.1.20:443 syn
          to services: 100.64.0.2:5 > 100.127.255.4:443 proto 6 len 40
        z sends tcp 10.1.1.10:5 > 10.0.1.20:443 syn
          to services: 100.64.0.3:5 > 100.127.255.4:443 proto 6 len 40
        services sends tcp 100.127.255.4:443 > 100.64.0.1:5 syn ack
          to x: 10.0.1.20:443 > 10.0.1.10:5 proto 6 len 40
        services sends tcp 100.127.255.4:443 > 100.64.0.2:5 syn ack
          to y: 10.0.1.20:443 > 10.0.2.10:5 proto 6 len 40
        services sends tcp 100.127.255.4:443 > 100.64.0.3:5 syn ack
          to z: 10.0.1.20:443 > 10.1.1.10:5 proto 6 len 40
    "#]]
    .assert_eq(&net.run(lines));
    let origins = (1..4).filter_map(|n| net.origin(&format!("100.64.0.{n}")));
    expect![[r#"
        10.0.1.10 > 10.0.1.20 Aws(Logs) Some(us-east-1) InterfaceEndpoint { endpoint: e, interface: ea }
        10.0.2.10 > 10.0.1.20 Aws(Logs) Some(us-east-1) InterfaceEndpoint { endpoint: e, interface: ea }
        10.1.1.10 > 10.0.1.20 Aws(Logs) Some(us-east-1) InterfaceEndpoint { endpoint: e, interface: ea }"#]].assert_eq(&origins.collect::<Vec<_>>().join("\n"));
    expect![[r#"
        ea Egress Accept 10.0.1.20:443 > 10.0.1.10:5 proto 6 packets 1 bytes 40 flags 18 path 1 | delivered to x
        ea Egress Accept 10.0.1.20:443 > 10.0.2.10:5 proto 6 packets 1 bytes 40 flags 18 path 1 | delivered to y
        ea Egress Accept 10.0.1.20:443 > 10.1.1.10:5 proto 6 packets 1 bytes 40 flags 18 path 4 | delivered to z
        ea Ingress Accept 10.0.1.10:5 > 10.0.1.20:443 proto 6 packets 1 bytes 40 flags 2 | delivered to logs in us-east-1 through e
        ea Ingress Accept 10.0.2.10:5 > 10.0.1.20:443 proto 6 packets 1 bytes 40 flags 2 | delivered to logs in us-east-1 through e
        ea Ingress Accept 10.1.1.10:5 > 10.0.1.20:443 proto 6 packets 1 bytes 40 flags 2 | delivered to logs in us-east-1 through e
        x Egress Accept 10.0.1.10:5 > 10.0.1.20:443 proto 6 packets 1 bytes 40 flags 2 path 1 | delivered to logs in us-east-1 through e
        x Ingress Accept 10.0.1.20:443 > 10.0.1.10:5 proto 6 packets 1 bytes 40 flags 18 | delivered to x
        y Egress Accept 10.0.2.10:5 > 10.0.1.20:443 proto 6 packets 1 bytes 40 flags 2 path 1 | delivered to logs in us-east-1 through e
        y Ingress Accept 10.0.1.20:443 > 10.0.2.10:5 proto 6 packets 1 bytes 40 flags 18 | delivered to y
        z Egress Accept 10.1.1.10:5 > 10.0.1.20:443 proto 6 packets 1 bytes 40 flags 2 path 4 | delivered to logs in us-east-1 through e
        z Ingress Accept 10.0.1.20:443 > 10.1.1.10:5 proto 6 packets 1 bytes 40 flags 18 | delivered to z
    "#]].assert_eq(&net.records());
    let cached = net.dataplane.counters().cached;
    let more = lines.replace(" syn ack", " ack").replace(" syn", " ack");
    for _ in 0..2 {
        let told = net.run(&more);
        assert!(!told.contains("dropped"), "{told}");
    }
    assert!(net.dataplane.counters().cached >= cached + 6);
    expect![[r#"
        ea Egress Accept 10.0.1.20:443 > 10.0.1.10:5 proto 6 packets 2 bytes 80 flags 0 path 1 | delivered to x
        ea Egress Accept 10.0.1.20:443 > 10.0.2.10:5 proto 6 packets 2 bytes 80 flags 0 path 1 | delivered to y
        ea Egress Accept 10.0.1.20:443 > 10.1.1.10:5 proto 6 packets 2 bytes 80 flags 0 path 4 | delivered to z
        ea Ingress Accept 10.0.1.10:5 > 10.0.1.20:443 proto 6 packets 2 bytes 80 flags 0 | delivered to logs in us-east-1 through e
        ea Ingress Accept 10.0.2.10:5 > 10.0.1.20:443 proto 6 packets 2 bytes 80 flags 0 | delivered to logs in us-east-1 through e
        ea Ingress Accept 10.1.1.10:5 > 10.0.1.20:443 proto 6 packets 2 bytes 80 flags 0 | delivered to logs in us-east-1 through e
        x Egress Accept 10.0.1.10:5 > 10.0.1.20:443 proto 6 packets 2 bytes 80 flags 0 path 1 | delivered to logs in us-east-1 through e
        x Ingress Accept 10.0.1.20:443 > 10.0.1.10:5 proto 6 packets 2 bytes 80 flags 0 | delivered to x
        y Egress Accept 10.0.2.10:5 > 10.0.1.20:443 proto 6 packets 2 bytes 80 flags 0 path 1 | delivered to logs in us-east-1 through e
        y Ingress Accept 10.0.1.20:443 > 10.0.2.10:5 proto 6 packets 2 bytes 80 flags 0 | delivered to y
        z Egress Accept 10.1.1.10:5 > 10.0.1.20:443 proto 6 packets 2 bytes 80 flags 0 path 4 | delivered to logs in us-east-1 through e
        z Ingress Accept 10.0.1.20:443 > 10.1.1.10:5 proto 6 packets 2 bytes 80 flags 0 | delivered to z
    "#]].assert_eq(&net.records());
}

#[test]
fn only_tcp_to_the_services_ports_is_carried() {
    let mut net = Net::with_services(NET);
    expect![[r#"
        x sends icmp 10.0.1.10 > 10.0.1.20 echo-request id 1
          dropped: refused_by_endpoint
        x sends tcp 10.0.1.10:5 > 10.0.1.20:80 syn
          dropped: security_group
        x sends tcp 10.0.1.10:5 > 10.0.1.20:8443 syn
          dropped: security_group
        x sends udp 10.0.1.10:5 > 10.0.1.20:443
          dropped: refused_by_endpoint
        x sends tcp 10.0.1.10:6 > 10.0.1.20:443 ack
          to x: 10.0.1.20:443 > 10.0.1.10:6 proto 6 len 40
        x sends tcp 10.0.1.10:6 > 10.0.1.20:443 rst
          dropped: endpoint_session
        y sends tcp 10.0.2.10:5 > 10.0.2.21:443 syn
          dropped: refused_by_endpoint
        y sends tcp 10.0.2.10:5 > 10.0.2.22:443 syn
          to services: 100.64.0.1:5 > 100.127.255.7:443 proto 6 len 40
        x sends tcp 10.0.1.10:7 > 10.0.1.20:443 syn
          to services: 100.64.0.2:7 > 100.127.255.4:443 proto 6 len 40
        x sends tcp 10.0.1.10:7 > 10.0.1.20:443 ack len 9000
          dropped: refused_by_endpoint
    "#]]
    .assert_eq(&net.run(
        "x sends icmp 10.0.1.10 > 10.0.1.20 echo-request id 1
         x sends tcp 10.0.1.10:5 > 10.0.1.20:80 syn
         x sends tcp 10.0.1.10:5 > 10.0.1.20:8443 syn
         x sends udp 10.0.1.10:5 > 10.0.1.20:443
         x sends tcp 10.0.1.10:6 > 10.0.1.20:443 ack
         x sends tcp 10.0.1.10:6 > 10.0.1.20:443 rst
         y sends tcp 10.0.2.10:5 > 10.0.2.21:443 syn
         y sends tcp 10.0.2.10:5 > 10.0.2.22:443 syn
         x sends tcp 10.0.1.10:7 > 10.0.1.20:443 syn
         x sends tcp 10.0.1.10:7 > 10.0.1.20:443 ack len 9000",
    ));
    expect![[r#"
        dead Ingress Accept 10.0.2.10:5 > 10.0.2.21:443 proto 6 packets 1 bytes 40 flags 2 | endpoint f does not carry it: it is pending
        ea Ingress Accept 10.0.1.10:0 > 10.0.1.20:0 proto 1 packets 1 bytes 28 flags 0 | endpoint e does not carry it: its service does not take protocol 1
        ea Ingress Accept 10.0.1.10:5 > 10.0.1.20:443 proto 17 packets 1 bytes 28 flags 0 | endpoint e does not carry it: its service has no port 443 of protocol 17
        ea Ingress Accept 10.0.1.10:6 > 10.0.1.20:443 proto 6 packets 2 bytes 80 flags 4 | endpoint e knows no connection that it belongs to
        ea Ingress Accept 10.0.1.10:7 > 10.0.1.20:443 proto 6 packets 1 bytes 40 flags 2 | delivered to logs in us-east-1 through e
        ea Ingress Accept 10.0.1.10:7 > 10.0.1.20:443 proto 6 packets 1 bytes 9040 flags 0 | endpoint e does not carry it: it carries packets of up to 8500 bytes
        ea Ingress Reject 10.0.1.10:5 > 10.0.1.20:80 proto 6 packets 1 bytes 40 flags 2 | no inbound rule of end allows it
        ea Ingress Reject 10.0.1.10:5 > 10.0.1.20:8443 proto 6 packets 1 bytes 40 flags 2 | no inbound rule of end allows it
        none Ingress Accept 10.0.2.10:5 > 10.0.2.22:443 proto 6 packets 1 bytes 40 flags 2 | delivered to firehose in us-east-1 through g
        x Egress Accept 10.0.1.10:0 > 10.0.1.20:0 proto 1 packets 1 bytes 28 flags 0 path 1 | endpoint e does not carry it: its service does not take protocol 1
        x Egress Accept 10.0.1.10:5 > 10.0.1.20:443 proto 17 packets 1 bytes 28 flags 0 path 1 | endpoint e does not carry it: its service has no port 443 of protocol 17
        x Egress Accept 10.0.1.10:5 > 10.0.1.20:80 proto 6 packets 1 bytes 40 flags 2 path 1 | no inbound rule of end allows it
        x Egress Accept 10.0.1.10:5 > 10.0.1.20:8443 proto 6 packets 1 bytes 40 flags 2 path 1 | no inbound rule of end allows it
        x Egress Accept 10.0.1.10:6 > 10.0.1.20:443 proto 6 packets 2 bytes 80 flags 4 path 1 | endpoint e knows no connection that it belongs to
        x Egress Accept 10.0.1.10:7 > 10.0.1.20:443 proto 6 packets 1 bytes 40 flags 2 path 1 | delivered to logs in us-east-1 through e
        x Egress Accept 10.0.1.10:7 > 10.0.1.20:443 proto 6 packets 1 bytes 9040 flags 0 path 1 | endpoint e does not carry it: it carries packets of up to 8500 bytes
        y Egress Accept 10.0.2.10:5 > 10.0.2.21:443 proto 6 packets 1 bytes 40 flags 2 path 1 | endpoint f does not carry it: it is pending
        y Egress Accept 10.0.2.10:5 > 10.0.2.22:443 proto 6 packets 1 bytes 40 flags 2 path 1 | delivered to firehose in us-east-1 through g
    "#]].assert_eq(&net.records());
    // Where the daemon answers for nothing, nobody is behind an endpoint.
    let mut net = Net::new(NET);
    expect![[r#"
        x sends tcp 10.0.1.10:5 > 10.0.1.20:443 syn
          dropped: no_service_behind_endpoint
    "#]]
    .assert_eq(&net.run("x sends tcp 10.0.1.10:5 > 10.0.1.20:443 syn"));
}

#[test]
fn an_idle_connection_is_forgotten_and_reset() {
    let mut net = Net::with_services(NET);
    let told = net.run(
        "x sends tcp 10.0.1.10:5 > 10.0.1.20:443 syn
         services sends tcp 100.127.255.4:443 > 100.64.0.1:5 syn ack
         x sends tcp 10.0.1.10:5 > 10.0.1.20:443 ack",
    );
    assert!(!told.contains("dropped"), "{told}");
    net.wait(350);
    let mut told = net.run("x sends tcp 10.0.1.10:5 > 10.0.1.20:443 ack");
    net.wait(351);
    told += &net.run(
        "services sends tcp 100.127.255.4:443 > 100.64.0.1:5 ack
         x sends tcp 10.0.1.10:5 > 10.0.1.20:443 ack
         x sends tcp 10.0.1.10:5 > 10.0.1.20:443 syn",
    );
    expect![[r#"
        x sends tcp 10.0.1.10:5 > 10.0.1.20:443 ack
          to services: 100.64.0.1:5 > 100.127.255.4:443 proto 6 len 40
        services sends tcp 100.127.255.4:443 > 100.64.0.1:5 ack
          dropped: endpoint_session
        x sends tcp 10.0.1.10:5 > 10.0.1.20:443 ack
          to x: 10.0.1.20:443 > 10.0.1.10:5 proto 6 len 40
        x sends tcp 10.0.1.10:5 > 10.0.1.20:443 syn
          to services: 100.64.0.1:5 > 100.127.255.4:443 proto 6 len 40
    "#]]
    .assert_eq(&told);
}

#[test]
fn the_network_acl_of_the_endpoints_subnet_holds_both_ways() {
    let text = NET.replacen(
        "vpc peer",
        "nacl strict on a
         nacl strict in 100 allow tcp 443 from 10.0.2.0/24
         nacl strict out 100 allow tcp 5 to 10.0.2.0/24
         vpc peer",
        1,
    );
    let mut net = Net::with_services(&text);
    expect![[r#"
        z sends tcp 10.1.1.10:5 > 10.0.1.20:443 syn
          dropped: network_acl
        y sends tcp 10.0.2.10:5 > 10.0.1.20:443 syn
          to services: 100.64.0.1:5 > 100.127.255.4:443 proto 6 len 40
        y sends tcp 10.0.2.10:6 > 10.0.1.20:443 syn
          to services: 100.64.0.1:6 > 100.127.255.4:443 proto 6 len 40
        services sends tcp 100.127.255.4:443 > 100.64.0.1:5 syn ack
          to y: 10.0.1.20:443 > 10.0.2.10:5 proto 6 len 40
        services sends tcp 100.127.255.4:443 > 100.64.0.1:6 syn ack
          dropped: network_acl
        x sends tcp 10.0.1.10:5 > 10.0.1.20:443 syn
          to services: 100.64.0.2:5 > 100.127.255.4:443 proto 6 len 40
    "#]]
    .assert_eq(&net.run(
        "z sends tcp 10.1.1.10:5 > 10.0.1.20:443 syn
         y sends tcp 10.0.2.10:5 > 10.0.1.20:443 syn
         y sends tcp 10.0.2.10:6 > 10.0.1.20:443 syn
         services sends tcp 100.127.255.4:443 > 100.64.0.1:5 syn ack
         services sends tcp 100.127.255.4:443 > 100.64.0.1:6 syn ack
         x sends tcp 10.0.1.10:5 > 10.0.1.20:443 syn",
    ));
    expect![[r#"
        ea Egress Accept 10.0.1.20:443 > 10.0.2.10:5 proto 6 packets 1 bytes 40 flags 18 path 1 | delivered to y
        ea Egress Reject 10.0.1.20:443 > 10.0.2.10:6 proto 6 packets 1 bytes 40 flags 18 | network ACL strict egress rule * deny
        ea Ingress Accept 10.0.1.10:5 > 10.0.1.20:443 proto 6 packets 1 bytes 40 flags 2 | delivered to logs in us-east-1 through e
        ea Ingress Accept 10.0.2.10:5 > 10.0.1.20:443 proto 6 packets 1 bytes 40 flags 2 | delivered to logs in us-east-1 through e
        ea Ingress Accept 10.0.2.10:6 > 10.0.1.20:443 proto 6 packets 1 bytes 40 flags 2 | delivered to logs in us-east-1 through e
        ea Ingress Reject 10.1.1.10:5 > 10.0.1.20:443 proto 6 packets 1 bytes 40 flags 2 | network ACL strict ingress rule * deny
        x Egress Accept 10.0.1.10:5 > 10.0.1.20:443 proto 6 packets 1 bytes 40 flags 2 path 1 | delivered to logs in us-east-1 through e
        y Egress Accept 10.0.2.10:5 > 10.0.1.20:443 proto 6 packets 1 bytes 40 flags 2 path 1 | delivered to logs in us-east-1 through e
        y Egress Accept 10.0.2.10:6 > 10.0.1.20:443 proto 6 packets 1 bytes 40 flags 2 path 1 | delivered to logs in us-east-1 through e
        y Ingress Accept 10.0.1.20:443 > 10.0.2.10:5 proto 6 packets 1 bytes 40 flags 18 | delivered to y
        z Egress Accept 10.1.1.10:5 > 10.0.1.20:443 proto 6 packets 1 bytes 40 flags 2 path 4 | network ACL strict ingress rule * deny
    "#]].assert_eq(&net.records());
}

/// Two consumers with the same addresses, and a provider with those too.
const SHARED: &str = "scope 444455556666 us-east-1
     vpc theirs 10.0.0.0/16
     subnet n 10.0.1.0/24 local
     subnet t 10.0.2.0/24 local
     sg lb in tcp 80 from 10.0.1.10/32
     sg lb out all to 0.0.0.0/0
     sg app in tcp 8080 from sg:lb
     eni node 10.0.1.10 in n sg:lb
     eni t1 10.0.2.10 in t sg:app
     nlb front node sg:lb
     targets app tcp 8080 t1
     listener front tcp 80 > app
     service shared front
     scope 111122223333 us-east-1
     vpc one 10.0.0.0/16
     subnet a 10.0.1.0/24 local
     sg any in all from 0.0.0.0/0
     eni x 10.0.1.10 in a sg:any
     eni w 10.0.1.11 in a sg:any
     eni ex 10.0.1.20 in a sg:any
     vpce e1 service:shared ex
     vpc two 10.0.0.0/16
     subnet b 10.0.1.0/24 local
     sg free in all from 0.0.0.0/0
     eni y 10.0.1.10 in b sg:free
     eni ey 10.0.1.20 in b sg:free
     vpce e2 service:shared ey
";

#[test]
fn targets_of_a_shared_service_see_the_load_balancer() {
    let mut net = Net::new(SHARED);
    expect![[r#"
        x sends tcp 10.0.1.10:5 > 10.0.1.20:80 syn
          to t1: 10.0.1.10:5553 > 10.0.2.10:8080 proto 6 len 40
        y sends tcp 10.0.1.10:5 > 10.0.1.20:80 syn
          to t1: 10.0.1.10:5554 > 10.0.2.10:8080 proto 6 len 40
        w sends tcp 10.0.1.11:5 > 10.0.1.20:80 syn
          dropped: security_group
        x sends tcp 10.0.1.10:6 > 10.0.1.20:443 syn
          dropped: refused_by_endpoint
        x sends udp 10.0.1.10:6 > 10.0.1.20:80
          dropped: refused_by_endpoint
        x sends tcp 10.0.1.10:6 > 10.0.1.20:80 ack
          to x: 10.0.1.20:80 > 10.0.1.10:6 proto 6 len 40
    "#]]
    .assert_eq(&net.run(
        "x sends tcp 10.0.1.10:5 > 10.0.1.20:80 syn
         y sends tcp 10.0.1.10:5 > 10.0.1.20:80 syn
         w sends tcp 10.0.1.11:5 > 10.0.1.20:80 syn
         x sends tcp 10.0.1.10:6 > 10.0.1.20:443 syn
         x sends udp 10.0.1.10:6 > 10.0.1.20:80
         x sends tcp 10.0.1.10:6 > 10.0.1.20:80 ack",
    ));
}

#[test]
fn udp_to_a_shared_service_is_forgotten_sooner() {
    // Groups that let everything in, so that it is not they who forget.
    let udp = SHARED
        .replace("in tcp 80 from 10.0.1.10/32", "in all from 0.0.0.0/0")
        .replace("in tcp 8080 from sg:lb", "in all from 0.0.0.0/0")
        .replace("targets app tcp", "targets app udp")
        .replace("listener front tcp", "listener front udp");
    let mut net = Net::new(&udp);
    let ask = "x sends udp 10.0.1.10:5 > 10.0.1.20:80";
    let told = net.send(ask);
    let (_, port) = told.split_once("to t1: 10.0.1.10:").unwrap();
    let (port, _) = port.split_once(' ').unwrap();
    let answer = format!("t1 sends udp 10.0.2.10:8080 > 10.0.1.10:{port}");
    net.wait(120);
    expect!["to x: 10.0.1.20:80 > 10.0.1.10:5 proto 17 len 28"].assert_eq(&net.send(&answer));
    net.wait(121);
    expect!["dropped: no_listener"].assert_eq(&net.send(&answer));
}

#[test]
fn a_rejected_endpoint_carries_nothing_either_way() {
    let mut net = Net::new(SHARED);
    let told = net.run("x sends tcp 10.0.1.10:5 > 10.0.1.20:80 syn");
    let port = told.split("10.0.1.10:").nth(2).unwrap();
    let port = port.split(' ').next().unwrap().to_owned();
    let answer = format!("t1 sends tcp 10.0.2.10:8080 > 10.0.1.10:{port} syn ack");
    let told = net.send(&answer);
    assert_eq!(told, "to x: 10.0.1.20:80 > 10.0.1.10:5 proto 6 len 40");
    let rows = net.records();
    expect![[r#"
        ex Egress Accept 10.0.1.20:80 > 10.0.1.10:5 proto 6 packets 1 bytes 40 flags 18 path 1 | delivered to x
        ex Ingress Accept 10.0.1.10:5 > 10.0.1.20:80 proto 6 packets 1 bytes 40 flags 2 | delivered to t1
        node Egress Accept 10.0.1.10:PORT > 10.0.2.10:8080 proto 6 packets 1 bytes 40 flags 2 path 1 | delivered to t1
        node Ingress Accept 10.0.2.10:8080 > 10.0.1.10:PORT proto 6 packets 1 bytes 40 flags 18 | delivered to x
        t1 Egress Accept 10.0.2.10:8080 > 10.0.1.10:PORT proto 6 packets 1 bytes 40 flags 18 path 1 | delivered to x
        t1 Ingress Accept 10.0.1.10:PORT > 10.0.2.10:8080 proto 6 packets 1 bytes 40 flags 2 | delivered to t1
        x Egress Accept 10.0.1.10:5 > 10.0.1.20:80 proto 6 packets 1 bytes 40 flags 2 path 1 | delivered to t1
        x Ingress Accept 10.0.1.20:80 > 10.0.1.10:5 proto 6 packets 1 bytes 40 flags 18 | delivered to x
    "#]].assert_eq(&rows.replace(&port, "PORT"));
    net.change(&SHARED.replace("service:shared ex", "service:shared ex rejected"));
    expect![[r#"
        x sends tcp 10.0.1.10:5 > 10.0.1.20:80 ack
          dropped: refused_by_endpoint
        t1 sends tcp 10.0.2.10:8080 > 10.0.1.10:PORT syn ack
          dropped: refused_by_endpoint
    "#]]
    .assert_eq(
        &net.run(&format!(
            "x sends tcp 10.0.1.10:5 > 10.0.1.20:80 ack\n{answer}"
        ))
        .replace(&port, "PORT"),
    );
}

#[test]
fn no_error_of_a_target_comes_out_of_an_endpoint() {
    let mut net = Net::new(SHARED);
    let (_, asked) = net.verdict("x sends tcp 10.0.1.10:5 > 10.0.1.20:80 syn");
    let target = packet::Packet::parse(&asked).unwrap().ip().unwrap().dst;
    let (port, mac) = (net.port("t1"), packet::Mac(fixture::mac("t1").0));
    let router = packet::Mac(Snapshot::router_mac(fixture::vpc("theirs")).0);
    let mut error = Vec::new();
    let too_big = packet::icmp_error::IcmpError::TooBig { mtu: 1400 };
    packet::icmp_error::icmp_error(&asked, too_big, target, mac, &mut error).unwrap();
    packet::ethernet::set_macs(&mut error, router, mac).unwrap();
    let verdict = net
        .dataplane
        .forward(port, &mut error, Offload::default(), net.now);
    assert_eq!(verdict, Verdict::Drop(DropReason::RefusedByEndpoint));
}

#[test]
fn the_way_is_traced() {
    let net = Net::with_services(NET);
    let told = trace::told(&net, trace::eni("x"), 6, "10.0.1.20", 443);
    expect![[r#"
        x  egress  security group web  pass  all to 0.0.0.0/0 (sgr-1d3d434b5d56de8b0)
        ea  ingress  security group end  pass  tcp 443 from 10.0.0.0/8 (sgr-a532b349ca06a6539)
        e  egress  service  pass  delivered to logs in us-east-1 through e
        delivered to logs in us-east-1 through e; flow log: x egress ACCEPT, ea ingress ACCEPT
        --- answer
        ea  egress  security group  pass  tracked connection
        a  egress  route table a  pass  10.0.0.0/16 to local
        x  ingress  security group  pass  tracked connection
        x  ingress  delivery  pass  delivered
        delivered to x; flow log: ea egress ACCEPT, x ingress ACCEPT
        Answered
    "#]]
    .assert_eq(&told);
    let net = Net::new(SHARED);
    let told = trace::told(&net, trace::eni("x"), 6, "10.0.1.20", 80);
    expect![[r#"
        x  egress  security group any  pass  all to 0.0.0.0/0 (sgr-3e5e826c989df0bf4)
        ex  ingress  security group any  pass  all from 0.0.0.0/0 (sgr-6055d096bba2a9182)
        e1  egress  VPC endpoint  pass  to net/front/538b8c566e9e4b38
        node  ingress  security group lb  pass  tcp 80 from 10.0.1.10/32 (sgr-75b94bd86a00ce15a)
        node  ingress  load balancer  pass  net/front/538b8c566e9e4b38: target 10.0.2.10:8080, source the node's, port 20392
        node  egress  security group lb  pass  all to 0.0.0.0/0 (sgr-2f1a5defb896a50d9)
        n  egress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        n  egress  route table n  pass  10.0.0.0/16 to local
        t  ingress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        t1  ingress  security group app  pass  tcp 8080 from lb (sgr-0597e1ac27bb0d31e)
        t1  ingress  delivery  pass  delivered
        delivered to t1; flow log: x egress ACCEPT, ex ingress ACCEPT, node egress ACCEPT, t1 ingress ACCEPT
        --- answer
        t1  egress  security group  pass  tracked connection
        t  egress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        t  egress  route table t  pass  10.0.0.0/16 to local
        n  ingress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        node  ingress  security group  pass  tracked connection
        node  ingress  load balancer  pass  answer of a target, from port 80 to 10.0.1.10:40000
        ex  egress  security group any  pass  all to 0.0.0.0/0 (sgr-3e5e826c989df0bf4)
        a  egress  route table a  pass  10.0.0.0/16 to local
        x  ingress  security group any  pass  all from 0.0.0.0/0 (sgr-6055d096bba2a9182)
        x  ingress  delivery  pass  delivered
        delivered to x; flow log: t1 egress ACCEPT, node ingress ACCEPT, ex egress ACCEPT, x ingress ACCEPT
        Answered
    "#]].assert_eq(&told);
    let told = trace::told(&net, trace::eni("w"), 6, "10.0.1.20", 80);
    expect![[r#"
        w  egress  security group any  pass  all to 0.0.0.0/0 (sgr-3e5e826c989df0bf4)
        ex  ingress  security group any  pass  all from 0.0.0.0/0 (sgr-6055d096bba2a9182)
        e1  egress  VPC endpoint  pass  to net/front/538b8c566e9e4b38
        node  ingress  security group  drop  no inbound rule of lb allows it
        no inbound rule of lb allows it; flow log: w egress ACCEPT, ex ingress ACCEPT, node ingress REJECT
        Refused
    "#]].assert_eq(&told);
}
