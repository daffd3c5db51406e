//! NAT gateways: sessions, ports, time-outs, errors, and what their interfaces record.

use std::fmt::Write as _;

use expect_test::expect;
use packet::{Packet, icmp_error::IcmpError, tcp};

use super::{Net, shown, small};
use crate::session::PORTS_PER_DESTINATION;
use crate::{DropReason, Limits, Offload, Verdict};

const NET: &str = "vpc main 10.0.0.0/16\n\
     subnet pub 10.0.0.0/24 local, 0.0.0.0/0 > igw\n\
     subnet app 10.0.1.0/24 local, 0.0.0.0/0 > nat:nat\n\
     subnet far 10.0.2.0/24 local\n\
     sg open in all from 0.0.0.0/0\n\
     nat nat 10.0.0.220 in pub public 203.0.113.220\n\
     eni x 10.0.1.5 in app sg:open\n\
     eni y 10.0.1.6 in app sg:open\n\
     eni p 10.0.0.9 in pub sg:open\n\
     host 198.51.100.7\n\
     host 198.51.100.8\n";

/// The port or identifier that a packet from the gateway's public address has.
fn outside_port(told: &str) -> u16 {
    let from = told
        .split("203.0.113.220:")
        .nth(1)
        .unwrap_or_else(|| panic!("{told}"));
    from.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_connection_goes_out_and_its_answers_come_back() {
    let mut net = Net::new(NET);
    let told = net.send("x sends tcp 10.0.1.5:40000 > 198.51.100.7:443 syn");
    let port = outside_port(&told);
    assert!(port >= 1024);
    assert!(
        told.starts_with("to 198.51.100.7: 203.0.113.220:"),
        "{told}"
    );
    let answer = format!("198.51.100.7 sends tcp 198.51.100.7:443 > 203.0.113.220:{port}");
    expect!["to x: 198.51.100.7:443 > 10.0.1.5:40000 proto 6 len 40"]
        .assert_eq(&net.send(&format!("{answer} syn ack")));
    let again = net.send("x sends tcp 10.0.1.5:40000 > 198.51.100.7:443 ack len 100");
    assert_eq!(outside_port(&again), port);
    let cached = net.dataplane.counters().cached;
    let third = net.send("x sends tcp 10.0.1.5:40000 > 198.51.100.7:443 ack len 100");
    assert_eq!(again, third);
    assert_eq!(net.dataplane.counters().cached, cached + 1);
    // The same port serves nobody else, and nothing else gets in by it.
    for stranger in [
        format!("198.51.100.8 sends tcp 198.51.100.8:443 > 203.0.113.220:{port} ack"),
        format!("198.51.100.7 sends tcp 198.51.100.7:444 > 203.0.113.220:{port} ack"),
        format!("198.51.100.7 sends udp 198.51.100.7:443 > 203.0.113.220:{port}"),
        "198.51.100.7 sends tcp 198.51.100.7:443 > 203.0.113.220:22 syn".to_owned(),
        "198.51.100.7 sends icmp 198.51.100.7 > 203.0.113.220 echo-request id 1".to_owned(),
        "p sends icmp 10.0.0.9 > 10.0.0.220 echo-request id 1".to_owned(),
    ] {
        assert_eq!(net.send(&stranger), "dropped: nat_session", "{stranger}");
    }
}

/// Fact sheet on flow logs, 4.6: the four records of an exchange at the gateway, and the client's own two.
#[test]
fn the_gateways_interface_records_both_sides() {
    let mut net = Net::new(NET);
    let told = net.send("x sends icmp 10.0.1.5 > 198.51.100.7 echo-request id 7 len 56");
    let (verdict, frame) =
        net.verdict("x sends icmp 10.0.1.5 > 198.51.100.7 echo-request id 7 len 56");
    assert!(matches!(verdict, Verdict::Forward(_)), "{told}");
    let icmp = Packet::parse(&frame).unwrap().ip().unwrap().icmp.unwrap();
    let answer = format!(
        "198.51.100.7 sends icmp 198.51.100.7 > 203.0.113.220 echo-reply id {} len 56",
        icmp.identifier
    );
    assert!(
        net.send(&answer)
            .starts_with("to x: 198.51.100.7:0 > 10.0.1.5:0")
    );
    expect![[r#"
        eni-of-nat Egress Accept 10.0.0.220:0 > 10.0.1.5:0 proto 1 packets 1 bytes 84 flags 0 pkt 198.51.100.7 > 10.0.1.5 path 1 | delivered to x
        eni-of-nat Egress Accept 10.0.0.220:0 > 198.51.100.7:0 proto 1 packets 2 bytes 168 flags 0 path 8 | left through igw for 198.51.100.7
        eni-of-nat Ingress Accept 10.0.1.5:0 > 10.0.0.220:0 proto 1 packets 2 bytes 168 flags 0 pkt 10.0.1.5 > 198.51.100.7 | left through igw for 198.51.100.7
        eni-of-nat Ingress Accept 198.51.100.7:0 > 10.0.0.220:0 proto 1 packets 1 bytes 84 flags 0 | delivered to x
        x Egress Accept 10.0.1.5:0 > 198.51.100.7:0 proto 1 packets 2 bytes 168 flags 0 path 1 | left through igw for 198.51.100.7
        x Ingress Accept 198.51.100.7:0 > 10.0.1.5:0 proto 1 packets 1 bytes 84 flags 0 | delivered to x
    "#]]
    .assert_eq(&net.records());
}

#[test]
fn two_clients_with_the_same_port_are_told_apart() {
    let mut net = Net::new(NET);
    let of_x = outside_port(&net.send("x sends udp 10.0.1.5:53 > 198.51.100.7:53"));
    let of_y = outside_port(&net.send("y sends udp 10.0.1.6:53 > 198.51.100.7:53"));
    assert_ne!(of_x, of_y);
    for (name, address, port) in [("x", "10.0.1.5", of_x), ("y", "10.0.1.6", of_y)] {
        let answer = format!("198.51.100.7 sends udp 198.51.100.7:53 > 203.0.113.220:{port}");
        let told = format!("to {name}: 198.51.100.7:53 > {address}:53 proto 17 len 28");
        assert_eq!(net.send(&answer), told);
    }
}

/// Amazon VPC User Guide, "Troubleshoot NAT gateways": idle connections get a reset, not an end.
#[test]
fn what_is_idle_for_too_long_is_reset() {
    let mut net = Net::new(NET);
    let port = outside_port(&net.send("x sends tcp 10.0.1.5:40000 > 198.51.100.7:443 syn"));
    let answer = format!("198.51.100.7 sends tcp 198.51.100.7:443 > 203.0.113.220:{port} syn ack");
    net.send(&answer);
    let data = "x sends tcp 10.0.1.5:40000 > 198.51.100.7:443 ack len 10";
    for _ in 0..3 {
        net.wait(349);
        assert!(net.send(data).starts_with("to 198.51.100.7"), "kept alive");
        net.dataplane.sweep(net.now);
    }
    net.wait(351);
    let (verdict, _) = net.verdict(data);
    assert_eq!(verdict, Verdict::Emit);
    let (to, reset) = net.dataplane.emitted()[0].clone();
    assert_eq!(net.name(to), "x");
    let ip = *Packet::parse(&reset).unwrap().ip().unwrap();
    assert_eq!(ip.tcp_flags, tcp::RST);
    assert_eq!((ip.src_port, ip.dst_port), (443, 40000));
    assert_eq!(net.send(&answer), "dropped: nat_session");
    // A new connection is welcome.
    let told = net.send("x sends tcp 10.0.1.5:40000 > 198.51.100.7:443 syn");
    assert!(told.starts_with("to 198.51.100.7"), "{told}");
    net.wait(400);
    net.dataplane.sweep(net.now);
    assert_eq!(net.dataplane.sessions(), 0);
}

#[test]
fn ports_of_one_destination_run_out_and_others_do_not() {
    let limits = Limits {
        connections_per_interface: 1 << 17,
        ..small()
    };
    let mut net = Net::with_limits(NET, limits);
    let (port, frame) = net.frame("x sends udp 10.0.1.5:40000 > 198.51.100.7:53");
    let mut seen = std::collections::BTreeSet::new();
    for near in 0..PORTS_PER_DESTINATION as u16 {
        let mut frame = frame.clone();
        packet::rewrite::set_src_port(&mut frame, near, false).unwrap();
        let verdict = net
            .dataplane
            .forward(port, &mut frame, Offload::default(), net.now);
        assert!(
            matches!(verdict, Verdict::Forward(_)),
            "{near}: {verdict:?}"
        );
        seen.insert(Packet::parse(&frame).unwrap().ip().unwrap().src_port);
    }
    assert_eq!(seen.len(), PORTS_PER_DESTINATION as usize);
    assert!(seen.iter().all(|&port| port >= 1024));
    assert_eq!(
        net.send("y sends udp 10.0.1.6:1 > 198.51.100.7:53"),
        "dropped: nat_port_allocation"
    );
    for other in ["198.51.100.7:54", "198.51.100.8:53"] {
        let told = net.send(&format!("y sends udp 10.0.1.6:1 > {other}"));
        assert!(told.starts_with("to 198.51.100."), "{told}");
    }
    assert_eq!(net.dataplane.sessions(), PORTS_PER_DESTINATION as usize + 2);
}

#[test]
fn icmp_errors_are_translated_with_what_they_quote() {
    let mut net = Net::new(NET);
    let (_, sent) = net.verdict("x sends udp 10.0.1.5:40000 > 198.51.100.7:9");
    let host = net.port("198.51.100.7");
    let mut error = Vec::new();
    let (router, mac) = (
        "198.51.100.7".parse().unwrap(),
        packet::Mac(fixture::mac("198.51.100.7").0),
    );
    packet::icmp_error::icmp_error(&sent, IcmpError::PortUnreachable, router, mac, &mut error)
        .unwrap();
    let verdict = net
        .dataplane
        .forward(host, &mut error, Offload::default(), net.now);
    assert_eq!(verdict, Verdict::Forward(net.port("x")));
    expect!["198.51.100.7:0 > 10.0.1.5:0 proto 1 icmp 3/3 len 56"].assert_eq(&shown(&error));
    let ip = *Packet::parse(&error).unwrap().ip().unwrap();
    let quoted = &error[ip.payload_offset..];
    assert_eq!(&quoted[12..16], &[10, 0, 1, 5]);
    assert_eq!(&quoted[20..22], &40000_u16.to_be_bytes());
    assert!(packet::build::checksum_is_valid(&error));
}

#[test]
fn a_gateway_is_a_hop_and_limits_segments() {
    let mut net = Net::new(NET);
    let (_, frame) = net.verdict("x sends udp 10.0.1.5:1 > 198.51.100.7:9");
    assert_eq!(Packet::parse(&frame).unwrap().ip().unwrap().ttl, 63);
    let (_, frame) = net.verdict("x sends udp 10.0.1.5:1 > 198.51.100.7:9");
    assert_eq!(
        Packet::parse(&frame).unwrap().ip().unwrap().ttl,
        63,
        "cached"
    );
    let (x, mut frame) = net.frame("x sends udp 10.0.1.5:1 > 198.51.100.7:9");
    packet::rewrite::decrement_ttl(&mut frame).unwrap();
    let ip = *Packet::parse(&frame).unwrap().ip().unwrap();
    packet::rewrite::take_hops(&mut frame, &ip, 62).unwrap();
    let verdict = net
        .dataplane
        .forward(x, &mut frame, Offload::default(), net.now);
    assert_eq!(verdict, Verdict::Emit);
    let ip = *Packet::parse(&net.dataplane.emitted()[0].1)
        .unwrap()
        .ip()
        .unwrap();
    assert_eq!(ip.src.to_string(), "10.0.0.220");
    assert_eq!(ip.icmp.unwrap().icmp_type, packet::icmp::TIME_EXCEEDED);
}

#[test]
fn acls_of_the_gateways_subnet_hold_and_groups_do_not() {
    let acls = format!(
        "{NET}nacl strict on pub\n\
         nacl strict in 100 allow all from 10.0.0.0/16\n\
         nacl strict out 100 allow all to 0.0.0.0/0\n"
    );
    let mut net = Net::new(&acls);
    let port = outside_port(&net.send("x sends udp 10.0.1.5:1 > 198.51.100.7:9"));
    let answer = format!("198.51.100.7 sends udp 198.51.100.7:9 > 203.0.113.220:{port}");
    assert_eq!(net.send(&answer), "dropped: network_acl");
    net.change(NET);
    assert!(
        net.send(&answer).starts_with("to x: "),
        "the session lives on"
    );
}

#[test]
fn what_it_does_not_translate_is_dropped() {
    let mut net = Net::new(NET);
    let mut told = String::new();
    for line in [
        "x sends 47 10.0.1.5 > 198.51.100.7",
        "x sends icmp 10.0.1.5 > 198.51.100.7 echo-reply id 7",
        "x sends tcp 10.0.1.5:1 > 198.51.100.7:9 rst",
    ] {
        writeln!(told, "{line}\n  {}", net.send(line)).unwrap();
    }
    expect![[r#"
        x sends 47 10.0.1.5 > 198.51.100.7
          dropped: nat_protocol
        x sends icmp 10.0.1.5 > 198.51.100.7 echo-reply id 7
          dropped: nat_session
        x sends tcp 10.0.1.5:1 > 198.51.100.7:9 rst
          dropped: nat_session
    "#]]
    .assert_eq(&told);
}

#[test]
fn a_private_gateway_hides_sources_inside_and_cannot_reach_the_internet() {
    let mut net = Net::new(
        "vpc main 10.0.0.0/16\n\
         subnet mid 10.0.0.0/24 local, 0.0.0.0/0 > igw\n\
         subnet app 10.0.1.0/24 local, 10.0.2.0/24 > nat:nat, 0.0.0.0/0 > nat:nat\n\
         subnet far 10.0.2.0/24 local\n\
         sg open in all from 0.0.0.0/0\n\
         nat nat 10.0.0.220 in mid\n\
         eni x 10.0.1.5 in app sg:open\n\
         eni z 10.0.2.5 in far sg:open\n\
         host 198.51.100.7\n",
    );
    let (verdict, frame) = net.verdict("x sends udp 10.0.1.5:1 > 10.0.2.5:9");
    assert_eq!(verdict, Verdict::Forward(net.port("z")));
    let ip = *Packet::parse(&frame).unwrap().ip().unwrap();
    assert_eq!(ip.src.to_string(), "10.0.0.220");
    let answer = format!("z sends udp 10.0.2.5:9 > 10.0.0.220:{}", ip.src_port);
    expect!["to x: 10.0.2.5:9 > 10.0.1.5:1 proto 17 len 28"].assert_eq(&net.send(&answer));
    expect!["dropped: no_public_address"]
        .assert_eq(&net.send("x sends udp 10.0.1.5:1 > 198.51.100.7:9"));
}

#[test]
fn gateways_that_send_to_each_other_end_at_the_hop_limit() {
    let mut net = Net::new(
        "vpc main 10.0.0.0/16\n\
         subnet one 10.0.0.0/24 local, 0.0.0.0/0 > nat:b\n\
         subnet two 10.0.1.0/24 local, 0.0.0.0/0 > nat:a\n\
         sg open in all from 0.0.0.0/0\n\
         nat a 10.0.0.220 in one\n\
         nat b 10.0.1.220 in two\n\
         eni x 10.0.1.5 in two sg:open\n",
    );
    let (verdict, _) = net.verdict("x sends udp 10.0.1.5:1 > 198.51.100.7:9");
    assert_eq!(verdict, Verdict::Emit, "{:?}", net.dataplane.counters());
}

#[test]
fn a_deleted_gateway_takes_its_sessions_with_it() {
    let mut net = Net::new(NET);
    net.send("x sends udp 10.0.1.5:1 > 198.51.100.7:9");
    let without: String = NET
        .lines()
        .filter(|l| !l.starts_with("nat "))
        .map(|l| format!("{l}\n"))
        .collect();
    net.change(&without);
    expect!["dropped: blackhole"].assert_eq(&net.send("x sends udp 10.0.1.5:1 > 198.51.100.7:9"));
    net.dataplane.sweep(net.now);
    assert_eq!(net.dataplane.sessions(), 0);
}

#[test]
fn connections_of_a_draining_address_go_on_and_no_new_ones_come() {
    let mut net = Net::new(NET);
    let old = "x sends udp 10.0.1.5:1 > 198.51.100.7:9";
    let port = outside_port(&net.send(old));
    let (&scope, state) = net.fixture.world.regions.iter().next().unwrap();
    let mut gateway = state.nat_gateways.values().next().unwrap().clone();
    gateway.addresses[0].draining = Some((net.now, 350));
    let change = model::state::Row::put(gateway.id, gateway);
    net.fixture.world.apply(scope, &change);
    net.install();
    assert_eq!(outside_port(&net.send(old)), port);
    let answer = format!("198.51.100.7 sends udp 198.51.100.7:9 > 203.0.113.220:{port}");
    expect!["to x: 198.51.100.7:9 > 10.0.1.5:1 proto 17 len 28"].assert_eq(&net.send(&answer));
    expect!["dropped: nat_port_allocation"]
        .assert_eq(&net.send("x sends udp 10.0.1.5:2 > 198.51.100.7:9"));
}

#[test]
fn a_frame_of_any_translation_keeps_its_checksums() {
    let mut net = Net::new(NET);
    for line in [
        "x sends tcp 10.0.1.5:40000 > 198.51.100.7:443 syn",
        "x sends tcp 10.0.1.5:40000 > 198.51.100.7:443 ack len 333",
        "x sends tcp 10.0.1.5:40000 > 198.51.100.7:443 ack len 333",
        "x sends udp 10.0.1.5:40000 > 198.51.100.7:443 len 77",
        "x sends icmp 10.0.1.5 > 198.51.100.7 echo-request id 9 len 77",
    ] {
        let (verdict, frame) = net.verdict(line);
        assert!(matches!(verdict, Verdict::Forward(_)), "{line}");
        assert!(packet::build::checksum_is_valid(&frame), "{line}");
    }
}

/// The far host cannot ask with the identifier of an echo that it has been asked.
#[test]
fn a_question_is_no_answer() {
    let mut net = Net::new(NET);
    let (_, frame) = net.verdict("x sends icmp 10.0.1.5 > 198.51.100.7 echo-request id 7");
    let icmp = Packet::parse(&frame).unwrap().ip().unwrap().icmp.unwrap();
    let id = icmp.identifier;
    let from = "198.51.100.7 sends icmp 198.51.100.7 > 203.0.113.220";
    expect!["dropped: nat_session"].assert_eq(&net.send(&format!("{from} echo-request id {id}")));
    expect!["to x: 198.51.100.7:0 > 10.0.1.5:0 proto 1 icmp 0/0 len 28"]
        .assert_eq(&net.send(&format!("{from} echo-reply id {id}")));
}

#[test]
fn a_reset_ends_a_session_at_once() {
    let mut net = Net::new(NET);
    let port = outside_port(&net.send("x sends tcp 10.0.1.5:40000 > 198.51.100.7:443 syn"));
    let from = format!("198.51.100.7 sends tcp 198.51.100.7:443 > 203.0.113.220:{port}");
    for flags in ["syn ack", "ack", "ack", "rst"] {
        assert!(
            net.send(&format!("{from} {flags}")).starts_with("to x: "),
            "{flags}"
        );
    }
    expect!["dropped: nat_session"].assert_eq(&net.send(&format!("{from} ack")));
}

#[test]
fn errors_about_echoes_that_the_gateway_has_not_sent_are_refused() {
    let mut net = Net::new(NET);
    let told = net.send("x sends icmp 10.0.1.5 > 198.51.100.7 echo-request id 7");
    assert!(told.starts_with("to 198.51.100.7: 203.0.113.220"), "{told}");
    let identifier = (1024..=u16::MAX).find(|id| {
        let answer = "198.51.100.7 sends icmp 198.51.100.7 > 203.0.113.220 echo-reply id";
        net.send(&format!("{answer} {id}")).starts_with("to x")
    });
    let identifier = identifier.unwrap();
    let (x, host) = (net.port("x"), net.port("198.51.100.7"));
    let refused = Verdict::Drop(DropReason::NatSession);
    let outside = format!("p sends icmp 203.0.113.220 > 198.51.100.7 echo-%% id {identifier}");
    let inside = "198.51.100.7 sends icmp 198.51.100.7 > 10.0.1.5 echo-%% id 7";
    for (kind, by_host, by_x) in [
        ("request", Verdict::Forward(x), refused),
        ("reply", refused, Verdict::Forward(host)),
    ] {
        let (outside, inside) = (outside.replace("%%", kind), inside.replace("%%", kind));
        let verdict = net.unwanted(&outside, "198.51.100.7", "198.51.100.7");
        assert_eq!(verdict, by_host, "{outside}");
        let verdict = net.unwanted(&inside, "x", "10.0.1.5");
        assert_eq!(verdict, by_x, "{inside}");
    }
}
