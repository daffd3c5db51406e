//! Regional NAT gateways: zones, their own route table, and what they record without a network interface.

use std::fmt::Write as _;

use expect_test::expect;
use model::{NatGateway, NatGatewayState, Timestamp};
use packet::{Packet, icmp_error::IcmpError, tcp};

use super::{Net, shown, small};
use crate::session::PORTS_PER_DESTINATION;
use crate::{Device, DropReason, Limits, Offload, Verdict};

/// Nothing in zone c has an address there.
const NET: &str = "vpc main 10.0.0.0/16\n\
     subnet app 10.0.1.0/24 local, 0.0.0.0/0 > nat:nat\n\
     subnet b 10.0.2.0/24 local, 0.0.0.0/0 > nat:nat\n\
     subnet c 10.0.3.0/24 local, 0.0.0.0/0 > nat:nat\n\
     subnet d 10.0.4.0/24\n\
     zone b b\n\
     zone c c\n\
     rnat nat a=107.22.182.139 b=107.22.182.140\n\
     sg open in all from 0.0.0.0/0\n\
     eni x 10.0.1.5 in app sg:open\n\
     eni y 10.0.2.5 in b sg:open\n\
     eni z 10.0.3.5 in c sg:open\n\
     eni fw 10.0.4.9 in d sg:open nocheck\n\
     host 203.0.113.5\n\
     host 203.0.113.6\n";

/// The address and port that a packet to the host has left with.
fn outside(told: &str) -> (String, u16) {
    let from = told
        .strip_prefix("to 203.0.113.5: ")
        .unwrap_or_else(|| panic!("{told}"));
    let (address, port) = from.split(' ').next().unwrap().rsplit_once(':').unwrap();
    (address.to_owned(), port.parse().unwrap())
}

/// Changes the gateway, as the API would.
fn edit(net: &mut Net, change: impl FnOnce(&mut NatGateway)) {
    net.edit(|state| {
        let mut gateway = state.nat_gateways.values().next().unwrap().clone();
        change(&mut gateway);
        state.nat_gateways.insert(gateway.id, gateway);
    });
}

#[test]
fn a_connection_goes_out_with_its_zones_address() {
    let mut net = Net::new(NET);
    let (address, port) = outside(&net.send("x sends tcp 10.0.1.5:40000 > 203.0.113.5:443 syn"));
    assert_eq!(address, "107.22.182.139");
    assert!(port >= 1024);
    let answer = format!("203.0.113.5 sends tcp 203.0.113.5:443 > {address}:{port}");
    expect!["to x: 203.0.113.5:443 > 10.0.1.5:40000 proto 6 len 40"]
        .assert_eq(&net.send(&format!("{answer} syn ack")));
    let data = "x sends tcp 10.0.1.5:40000 > 203.0.113.5:443 ack len 100";
    assert_eq!(outside(&net.send(data)), (address.clone(), port));
    let cached = net.dataplane.counters().cached;
    assert_eq!(outside(&net.send(data)), (address.clone(), port));
    assert_eq!(net.dataplane.counters().cached, cached + 1);
    let of_y = outside(&net.send("y sends udp 10.0.2.5:53 > 203.0.113.5:53"));
    assert_eq!(of_y.0, "107.22.182.140");
    let of_z = outside(&net.send("z sends udp 10.0.3.5:53 > 203.0.113.5:53"));
    assert_eq!(of_z.0, "107.22.182.139");
    // Nothing else gets in.
    for stranger in [
        format!("203.0.113.6 sends tcp 203.0.113.6:443 > {address}:{port} ack"),
        format!("203.0.113.5 sends tcp 203.0.113.5:444 > {address}:{port} ack"),
        format!("203.0.113.5 sends tcp 203.0.113.5:443 > 107.22.182.140:{port} ack"),
        format!("203.0.113.5 sends udp 203.0.113.5:443 > {address}:{port}"),
        "203.0.113.5 sends tcp 203.0.113.5:443 > 107.22.182.139:22 syn".to_owned(),
        "203.0.113.5 sends icmp 203.0.113.5 > 107.22.182.139 echo-request id 1".to_owned(),
    ] {
        assert_eq!(net.send(&stranger), "dropped: nat_session", "{stranger}");
    }
}

/// Fact sheet on flow logs, 4.7: the four records of an exchange at the gateway, and the client's own two.
#[test]
fn the_gateway_records_both_sides_with_its_public_address() {
    let mut net = Net::new(NET);
    let ping = "x sends icmp 10.0.1.5 > 203.0.113.5 echo-request id 7 len 56";
    net.send(ping);
    let (_, frame) = net.verdict(ping);
    let icmp = Packet::parse(&frame).unwrap().ip().unwrap().icmp.unwrap();
    let told = net.send(&format!(
        "203.0.113.5 sends icmp 203.0.113.5 > 107.22.182.139 echo-reply id {} len 56",
        icmp.identifier
    ));
    assert!(told.starts_with("to x: 203.0.113.5:0 > 10.0.1.5:0"));
    expect![[r#"
        nat Egress Accept 107.22.182.139:0 > 203.0.113.5:0 proto 1 packets 2 bytes 168 flags 0 path 8 | left through igw for 203.0.113.5
        nat Egress Accept 203.0.113.5:0 > 10.0.1.5:0 proto 1 packets 1 bytes 84 flags 0 path 1 | delivered to x
        nat Ingress Accept 10.0.1.5:0 > 203.0.113.5:0 proto 1 packets 2 bytes 168 flags 0 | left through igw for 203.0.113.5
        nat Ingress Accept 203.0.113.5:0 > 107.22.182.139:0 proto 1 packets 1 bytes 84 flags 0 | delivered to x
        x Egress Accept 10.0.1.5:0 > 203.0.113.5:0 proto 1 packets 2 bytes 168 flags 0 path 1 | left through igw for 203.0.113.5
        x Ingress Accept 203.0.113.5:0 > 10.0.1.5:0 proto 1 packets 1 bytes 84 flags 0 | delivered to x
    "#]].assert_eq(&net.records());
}

#[test]
fn who_is_next_is_told_without_an_interface() {
    let mut net = Net::new(NET);
    let (address, port) = outside(&net.send("x sends udp 10.0.1.5:53 > 203.0.113.5:53"));
    net.send(&format!(
        "203.0.113.5 sends udp 203.0.113.5:53 > {address}:{port}"
    ));
    let mut lines = String::new();
    for sample in net.harvest() {
        let next = sample.next_hop.map(|next| {
            let (recorder, of_type) = (next.recorder, next.type_name());
            format!(
                "{recorder} {of_type:?} {:?} {:?}",
                next.subnet_id.is_some(),
                next.zone.is_some()
            )
        });
        let next = next.unwrap_or_default();
        let (own, way) = (sample.interface.recorder, sample.key.direction);
        writeln!(lines, "{own} {way:?} {} > {next}", sample.key.pkt_srcaddr).unwrap();
    }
    expect![[r#"
        x Ingress 203.0.113.5 > nat Some("regional_nat_gateway") false false
        x Egress 10.0.1.5 > nat Some("regional_nat_gateway") false false
        nat Ingress 10.0.1.5 > x None true true
        nat Ingress 203.0.113.5 > 
        nat Egress 107.22.182.139 > 
        nat Egress 203.0.113.5 > x None true true
    "#]]
    .assert_eq(&net.fixture.readable(&lines));
}

#[test]
fn what_is_idle_for_too_long_is_reset() {
    let mut net = Net::new(NET);
    let syn = "x sends tcp 10.0.1.5:40000 > 203.0.113.5:443 syn";
    let (address, port) = outside(&net.send(syn));
    let answer = format!("203.0.113.5 sends tcp 203.0.113.5:443 > {address}:{port} syn ack");
    net.send(&answer);
    let data = "x sends tcp 10.0.1.5:40000 > 203.0.113.5:443 ack len 10";
    for _ in 0..3 {
        net.wait(349);
        assert_eq!(outside(&net.send(data)).1, port, "kept alive");
        net.dataplane.sweep(net.now);
    }
    net.wait(351);
    let (verdict, _) = net.verdict(data);
    assert_eq!(verdict, Verdict::Emit);
    let (to, reset) = net.dataplane.emitted()[0].clone();
    assert_eq!(net.name(to), "x");
    let ip = *Packet::parse(&reset).unwrap().ip().unwrap();
    assert_eq!(ip.tcp_flags, tcp::RST);
    assert_eq!(net.send(&answer), "dropped: nat_session");
    net.wait(400);
    net.dataplane.sweep(net.now);
    assert_eq!(net.dataplane.sessions(), 0);
}

#[test]
fn ports_of_one_destination_run_out_in_one_zone_only() {
    let limits = Limits {
        connections_per_interface: 1 << 17,
        ..small()
    };
    let mut net = Net::with_limits(NET, limits);
    let (port, frame) = net.frame("x sends udp 10.0.1.5:40000 > 203.0.113.5:53");
    for near in 0..PORTS_PER_DESTINATION as u16 {
        let mut frame = frame.clone();
        packet::rewrite::set_src_port(&mut frame, near, false).unwrap();
        let (offload, now) = (Offload::default(), net.now);
        let verdict = net.dataplane.forward(port, &mut frame, offload, now);
        assert!(matches!(verdict, Verdict::Forward(_)), "{verdict:?}");
    }
    // The host of zone c has the same address to share.
    let told = net.send("z sends udp 10.0.3.5:1 > 203.0.113.5:53");
    assert_eq!(told, "dropped: nat_port_allocation");
    let of_y = outside(&net.send("y sends udp 10.0.2.5:1 > 203.0.113.5:53"));
    assert_eq!(of_y.0, "107.22.182.140");
    outside(&net.send("z sends udp 10.0.3.5:1 > 203.0.113.5:54"));
    assert_eq!(net.dataplane.sessions(), PORTS_PER_DESTINATION as usize + 2);
}

#[test]
fn icmp_errors_are_translated_with_what_they_quote() {
    let mut net = Net::new(NET);
    let (_, sent) = net.verdict("x sends udp 10.0.1.5:40000 > 203.0.113.5:9");
    let host = net.port("203.0.113.5");
    let (router, mac) = (
        "203.0.113.5".parse().unwrap(),
        packet::Mac(fixture::mac("203.0.113.5").0),
    );
    let mut error = Vec::new();
    packet::icmp_error::icmp_error(&sent, IcmpError::PortUnreachable, router, mac, &mut error)
        .unwrap();
    let (offload, now) = (Offload::default(), net.now);
    let verdict = net.dataplane.forward(host, &mut error, offload, now);
    assert_eq!(verdict, Verdict::Forward(net.port("x")));
    expect!["203.0.113.5:0 > 10.0.1.5:0 proto 1 icmp 3/3 len 56"].assert_eq(&shown(&error));
    let ip = *Packet::parse(&error).unwrap().ip().unwrap();
    let quoted = &error[ip.payload_offset..];
    assert_eq!(&quoted[12..16], &[10, 0, 1, 5]);
    assert_eq!(&quoted[20..22], &40000_u16.to_be_bytes());
}

/// Its address as a hop is the public one of the sender's zone.
#[test]
fn a_gateway_is_a_hop() {
    let mut net = Net::new(NET);
    let line = "y sends udp 10.0.2.5:1 > 203.0.113.5:9";
    let (_, frame) = net.verdict(line);
    assert_eq!(Packet::parse(&frame).unwrap().ip().unwrap().ttl, 63);
    let (y, mut frame) = net.frame(line);
    let ip = *Packet::parse(&frame).unwrap().ip().unwrap();
    packet::rewrite::take_hops(&mut frame, &ip, 63).unwrap();
    let (offload, now) = (Offload::default(), net.now);
    let verdict = net.dataplane.forward(y, &mut frame, offload, now);
    assert_eq!(verdict, Verdict::Emit);
    expect!["107.22.182.140:0 > 10.0.2.5:0 proto 1 icmp 11/0 len 56"]
        .assert_eq(&shown(&net.dataplane.emitted()[0].1));
}

#[test]
fn what_it_does_not_translate() {
    let mut net = Net::new(NET);
    expect![[r#"
        x sends udp 10.0.1.5:5000 > 203.0.113.5:53 df len 1600
          to x: 10.0.1.1:0 > 10.0.1.5:0 proto 1 icmp 3/4 len 576
        x sends tcp 10.0.1.5:5001 > 203.0.113.5:53 rst
          dropped: nat_session
        x sends icmp 10.0.1.5 > 203.0.113.5 echo-reply id 9
          dropped: nat_session
        x sends 47 10.0.1.5 > 203.0.113.5
          dropped: nat_protocol
    "#]]
    .assert_eq(&net.run(
        "x sends udp 10.0.1.5:5000 > 203.0.113.5:53 df len 1600
         x sends tcp 10.0.1.5:5001 > 203.0.113.5:53 rst
         x sends icmp 10.0.1.5 > 203.0.113.5 echo-reply id 9
         x sends 47 10.0.1.5 > 203.0.113.5",
    ));
}

#[test]
fn a_zone_that_is_left_has_its_connections_for_a_while() {
    let mut net = Net::new(NET);
    let syn = "x sends tcp 10.0.1.5:40000 > 203.0.113.5:443 syn";
    let was = outside(&net.send(syn));
    edit(&mut net, |gateway| {
        gateway.addresses[0].draining = Some((Timestamp::default(), 350));
    });
    let data = "x sends tcp 10.0.1.5:40000 > 203.0.113.5:443 ack len 10";
    assert_eq!(outside(&net.send(data)), was);
    let new = outside(&net.send("x sends tcp 10.0.1.5:40001 > 203.0.113.5:443 syn"));
    assert_eq!(new.0, "107.22.182.140");
    edit(&mut net, |gateway| {
        gateway.addresses.remove(0);
    });
    let (verdict, _) = net.verdict(data);
    assert_eq!(verdict, Verdict::Emit, "a reset");
    let answer = format!(
        "203.0.113.5 sends tcp 203.0.113.5:443 > {}:{} ack",
        was.0, was.1
    );
    assert_eq!(net.send(&answer), "dropped: internet_unreachable");
    // Without any address there is nothing to be had.
    edit(&mut net, |gateway| gateway.addresses.clear());
    let told = net.send("x sends tcp 10.0.1.5:40002 > 203.0.113.5:443 syn");
    assert_eq!(told, "dropped: nat_port_allocation");
}

#[test]
fn a_gateway_that_goes_takes_its_sessions_with_it() {
    let mut net = Net::new(NET);
    let (address, port) = outside(&net.send("x sends udp 10.0.1.5:5000 > 203.0.113.5:53"));
    assert_eq!(net.dataplane.sessions(), 1);
    edit(&mut net, |gateway| {
        gateway.state = NatGatewayState::Deleting;
    });
    assert_eq!(
        net.send("x sends udp 10.0.1.5:5000 > 203.0.113.5:53"),
        "dropped: blackhole"
    );
    let answer = format!("203.0.113.5 sends udp 203.0.113.5:53 > {address}:{port}");
    assert_eq!(net.send(&answer), "dropped: internet_unreachable");
    net.dataplane.sweep(net.now);
    assert_eq!(net.dataplane.sessions(), 0);
}

#[test]
fn its_own_route_table_rules_what_it_sends_on() {
    let text = NET.replace(
        "b=107.22.182.140\n",
        "b=107.22.182.140 routes 203.0.113.5/32 > igw, 10.0.1.0/24 > eni:fw\n",
    );
    let mut net = Net::new(&text);
    assert_eq!(
        net.send("x sends udp 10.0.1.5:53 > 203.0.113.6:53"),
        "dropped: no_route"
    );
    let (address, port) = outside(&net.send("x sends udp 10.0.1.5:53 > 203.0.113.5:53"));
    // The way back leads through a middlebox.
    expect!["to fw: 203.0.113.5:53 > 10.0.1.5:53 proto 17 len 28"].assert_eq(&net.send(&format!(
        "203.0.113.5 sends udp 203.0.113.5:53 > {address}:{port}"
    )));
    let (address, port) = outside(&net.send("y sends udp 10.0.2.5:53 > 203.0.113.5:53"));
    expect!["to y: 203.0.113.5:53 > 10.0.2.5:53 proto 17 len 28"].assert_eq(&net.send(&format!(
        "203.0.113.5 sends udp 203.0.113.5:53 > {address}:{port}"
    )));
}

#[test]
fn the_internet_gateway_must_be_there() {
    let text = format!("igw detached\n{NET}");
    let mut net = Net::new(&text);
    assert_eq!(
        net.send("x sends udp 10.0.1.5:53 > 203.0.113.5:53"),
        "dropped: blackhole"
    );
    let stranger = "203.0.113.5 sends udp 203.0.113.5:53 > 107.22.182.139:5000";
    assert_eq!(net.send(stranger), "dropped: internet_unreachable");
}

/// Its hosts reach what is public in their own VPC, as from outside.
#[test]
fn a_public_address_of_the_same_vpc() {
    let text = NET.replace(
        "subnet d 10.0.4.0/24",
        "subnet d 10.0.4.0/24 local, 0.0.0.0/0 > igw",
    ) + "eni web 10.0.4.5 in d sg:open public 203.0.113.80\n";
    let mut net = Net::new(&text);
    let told = net.send("x sends tcp 10.0.1.5:40000 > 203.0.113.80:443 syn");
    assert!(told.starts_with("to web: 107.22.182.139:"), "{told}");
    let port: u16 = told.split([':', ' ']).nth(4).unwrap().parse().unwrap();
    let answer = format!("web sends tcp 10.0.4.5:443 > 107.22.182.139:{port} syn ack");
    expect!["to x: 203.0.113.80:443 > 10.0.1.5:40000 proto 6 len 40"].assert_eq(&net.send(&answer));
    // Its own address is nobody's but its sessions'.
    let own = "x sends tcp 10.0.1.5:40000 > 107.22.182.139:443 syn";
    assert_eq!(net.send(own), "dropped: nat_session");
}

#[test]
fn no_frame_comes_from_a_gateway() {
    let mut net = Net::new(NET);
    let id = fixture::id::<model::NatGatewayId>("nat");
    let port = net.ports().get(&Device::NatGateway(id)).unwrap();
    let (_, mut frame) = net.frame("x sends udp 10.0.1.5:53 > 203.0.113.5:53");
    let now = net.now;
    let verdict = net
        .dataplane
        .forward(port, &mut frame, Offload::default(), now);
    assert_eq!(verdict, Verdict::Drop(DropReason::UnknownPort));
}
