//! The way to the internet and back: translation, MTU, hairpins, IPv6.

use expect_test::expect;

use super::{Net, shown};
use crate::{Offload, Verdict};

const NET: &str = "vpc main 10.0.0.0/16 2001:db8:0:100::/56\n\
     subnet a 10.0.1.0/24 2001:db8:0:101::/64 local, 0.0.0.0/0 > igw, ::/0 > igw\n\
     subnet b 10.0.2.0/24 local\n\
     sg open in all from 0.0.0.0/0\n\
     sg open in all from ::/0\n\
     eni x 10.0.1.10 2001:db8:0:101::10 in a sg:open public 203.0.113.10\n\
     eni y 10.0.1.11 in a sg:open public 203.0.113.11\n\
     eni n 10.0.1.12 in a sg:open\n\
     eni z 10.0.2.10 in b sg:open public 203.0.113.20\n\
     host 198.51.100.7\n\
     host 198.51.100.8\n\
     host 2001:db8:ffff::7\n";

#[test]
fn addresses_are_translated_one_to_one() {
    let mut net = Net::new(NET);
    expect![[r#"
        x sends tcp 10.0.1.10:5 > 198.51.100.7:80 syn
          to 198.51.100.7: 203.0.113.10:5 > 198.51.100.7:80 proto 6 len 40
        198.51.100.7 sends tcp 198.51.100.7:80 > 203.0.113.10:5 syn ack
          to x: 198.51.100.7:80 > 10.0.1.10:5 proto 6 len 40
        x sends tcp 10.0.1.10:5 > 198.51.100.7:80 ack
          to 198.51.100.7: 203.0.113.10:5 > 198.51.100.7:80 proto 6 len 40
        x sends tcp 10.0.1.10:5 > 198.51.100.7:80 ack len 10
          to 198.51.100.7: 203.0.113.10:5 > 198.51.100.7:80 proto 6 len 50
        n sends tcp 10.0.1.12:5 > 198.51.100.7:80 syn
          dropped: no_public_address
        x sends tcp 10.0.1.10:5 > 198.51.100.99:80 syn
          dropped: internet_unreachable
        198.51.100.7 sends tcp 198.51.100.7:80 > 203.0.113.99:5 syn
          dropped: internet_unreachable
        198.51.100.7 sends tcp 198.51.100.7:80 > 10.0.1.10:5 syn
          dropped: internet_unreachable
        198.51.100.7 sends tcp 198.51.100.8:80 > 203.0.113.10:5 syn
          dropped: source_destination_check
        198.51.100.7 sends udp 198.51.100.7:80 > 198.51.100.8:5
          to 198.51.100.8: 198.51.100.7:80 > 198.51.100.8:5 proto 17 len 28
        198.51.100.7 sends udp 198.51.100.7:80 > 203.0.113.20:5
          to z: 198.51.100.7:80 > 10.0.2.10:5 proto 17 len 28
        z sends udp 10.0.2.10:5 > 198.51.100.7:80
          dropped: no_route
    "#]]
    .assert_eq(&net.run(
        "x sends tcp 10.0.1.10:5 > 198.51.100.7:80 syn
         198.51.100.7 sends tcp 198.51.100.7:80 > 203.0.113.10:5 syn ack
         x sends tcp 10.0.1.10:5 > 198.51.100.7:80 ack
         x sends tcp 10.0.1.10:5 > 198.51.100.7:80 ack len 10
         n sends tcp 10.0.1.12:5 > 198.51.100.7:80 syn
         x sends tcp 10.0.1.10:5 > 198.51.100.99:80 syn
         198.51.100.7 sends tcp 198.51.100.7:80 > 203.0.113.99:5 syn
         198.51.100.7 sends tcp 198.51.100.7:80 > 10.0.1.10:5 syn
         198.51.100.7 sends tcp 198.51.100.8:80 > 203.0.113.10:5 syn
         198.51.100.7 sends udp 198.51.100.7:80 > 198.51.100.8:5
         198.51.100.7 sends udp 198.51.100.7:80 > 203.0.113.20:5
         z sends udp 10.0.2.10:5 > 198.51.100.7:80",
    ));
    expect![[r#"
        n Egress Accept 10.0.1.12:5 > 198.51.100.7:80 proto 6 packets 1 bytes 40 flags 2 path 8 | internet gateway igw has no public address for 10.0.1.12
        x Egress Accept 10.0.1.10:5 > 198.51.100.7:80 proto 6 packets 3 bytes 130 flags 2 path 8 | left through igw for 198.51.100.7
        x Egress Accept 10.0.1.10:5 > 198.51.100.99:80 proto 6 packets 1 bytes 40 flags 2 path 8 | nobody on the internet has address 198.51.100.99
        x Ingress Accept 198.51.100.7:80 > 10.0.1.10:5 proto 6 packets 1 bytes 40 flags 18 | delivered to x
        z Egress Accept 10.0.2.10:5 > 198.51.100.7:80 proto 17 packets 1 bytes 28 flags 0 | route table b has no route to it
        z Ingress Accept 198.51.100.7:80 > 10.0.2.10:5 proto 17 packets 1 bytes 28 flags 0 | delivered to z
    "#]].assert_eq(&net.records());
}

#[test]
fn a_public_address_used_from_inside_comes_back_in() {
    let mut net = Net::new(NET);
    expect![[r#"
        x sends udp 10.0.1.10:5 > 203.0.113.11:80
          to y: 203.0.113.10:5 > 10.0.1.11:80 proto 17 len 28
        y sends udp 10.0.1.11:80 > 203.0.113.10:5
          to x: 203.0.113.11:80 > 10.0.1.10:5 proto 17 len 28
        x sends udp 10.0.1.10:5 > 203.0.113.11:80
          to y: 203.0.113.10:5 > 10.0.1.11:80 proto 17 len 28
    "#]]
    .assert_eq(&net.run(
        "x sends udp 10.0.1.10:5 > 203.0.113.11:80
         y sends udp 10.0.1.11:80 > 203.0.113.10:5
         x sends udp 10.0.1.10:5 > 203.0.113.11:80",
    ));
    expect![[r#"
        x Egress Accept 10.0.1.10:5 > 203.0.113.11:80 proto 17 packets 2 bytes 56 flags 0 path 8 | delivered to y
        x Ingress Accept 203.0.113.11:80 > 10.0.1.10:5 proto 17 packets 1 bytes 28 flags 0 | delivered to x
        y Egress Accept 10.0.1.11:80 > 203.0.113.10:5 proto 17 packets 1 bytes 28 flags 0 path 8 | delivered to x
        y Ingress Accept 203.0.113.10:5 > 10.0.1.11:80 proto 17 packets 2 bytes 56 flags 0 | delivered to y
    "#]].assert_eq(&net.records());
}

#[test]
fn group_references_do_not_match_through_public_addresses() {
    let mut net = Net::new(
        "subnet a 10.0.1.0/24 local, 0.0.0.0/0 > igw\n\
         eni x 10.0.1.10 in a public 203.0.113.10\n\
         eni y 10.0.1.11 in a public 203.0.113.11\n",
    );
    expect![[r#"
        x sends udp 10.0.1.10:5 > 10.0.1.11:80
          to y: 10.0.1.10:5 > 10.0.1.11:80 proto 17 len 28
        x sends udp 10.0.1.10:5 > 203.0.113.11:80
          dropped: security_group
    "#]]
    .assert_eq(&net.run(
        "x sends udp 10.0.1.10:5 > 10.0.1.11:80
         x sends udp 10.0.1.10:5 > 203.0.113.11:80",
    ));
}

#[test]
fn ipv6_is_not_translated() {
    let mut net = Net::new(NET);
    expect![[r#"
        x sends icmp 2001:db8:0:101::10 > 2001:db8:ffff::7 echo-request
          to 2001:db8:ffff::7: 2001:db8:0:101::10:0 > 2001:db8:ffff::7:0 proto 58 icmp 128/0 len 48
        2001:db8:ffff::7 sends icmp 2001:db8:ffff::7 > 2001:db8:0:101::10 echo-reply
          to x: 2001:db8:ffff::7:0 > 2001:db8:0:101::10:0 proto 58 icmp 129/0 len 48
        x sends icmp 2001:db8:0:101::10 > 2001:db8:ffff::7 echo-request len 1453
          to x: 2001:db8:0:101::1:0 > 2001:db8:0:101::10:0 proto 58 icmp 2/0 len 1280
    "#]]
    .assert_eq(&net.run(
        "x sends icmp 2001:db8:0:101::10 > 2001:db8:ffff::7 echo-request
         2001:db8:ffff::7 sends icmp 2001:db8:ffff::7 > 2001:db8:0:101::10 echo-reply
         x sends icmp 2001:db8:0:101::10 > 2001:db8:ffff::7 echo-request len 1453",
    ));
    expect![[r#"
        x Egress Accept 2001:db8:0:101::10:0 > 2001:db8:ffff::7:0 proto 58 packets 1 bytes 1501 flags 0 path 8 | longer than the MTU of 1500 bytes
        x Egress Accept 2001:db8:0:101::10:0 > 2001:db8:ffff::7:0 proto 58 packets 1 bytes 48 flags 0 path 8 | left through igw for 2001:db8:ffff::7
        x Ingress Accept 2001:db8:ffff::7:0 > 2001:db8:0:101::10:0 proto 58 packets 1 bytes 48 flags 0 | delivered to x
    "#]].assert_eq(&net.records());
}

#[test]
fn long_packets_are_cut_or_refused() {
    let mut net = Net::new(NET);
    expect![[r#"
        x sends udp 10.0.1.10:5 > 198.51.100.7:80 len 1473
          to 198.51.100.7: 203.0.113.10:5 > 198.51.100.7:80 proto 17 fragment 0 len 1500
        to 198.51.100.7: 203.0.113.10:0 > 198.51.100.7:0 proto 17 fragment 1480 len 21
        x sends udp 10.0.1.10:5 > 198.51.100.7:80 len 1473 df
          to x: 10.0.1.1:0 > 10.0.1.10:0 proto 1 icmp 3/4 len 576
        x sends udp 10.0.1.10:5 > 198.51.100.7:80 len 1472 df
          to 198.51.100.7: 203.0.113.10:5 > 198.51.100.7:80 proto 17 len 1500
        x sends udp 10.0.1.10:5 > 10.0.1.11:80 len 8973 df
          to y: 10.0.1.10:5 > 10.0.1.11:80 proto 17 len 9001
        x sends udp 10.0.1.10:5 > 10.0.1.11:80 len 8974 df
          to x: 10.0.1.1:0 > 10.0.1.10:0 proto 1 icmp 3/4 len 576
        198.51.100.7 sends udp 198.51.100.7:80 > 203.0.113.10:5 len 1473 df
          to 198.51.100.7: 203.0.113.10:0 > 198.51.100.7:0 proto 1 icmp 3/4 len 576
    "#]]
    .assert_eq(&net.run(
        "x sends udp 10.0.1.10:5 > 198.51.100.7:80 len 1473
         x sends udp 10.0.1.10:5 > 198.51.100.7:80 len 1473 df
         x sends udp 10.0.1.10:5 > 198.51.100.7:80 len 1472 df
         x sends udp 10.0.1.10:5 > 10.0.1.11:80 len 8973 df
         x sends udp 10.0.1.10:5 > 10.0.1.11:80 len 8974 df
         198.51.100.7 sends udp 198.51.100.7:80 > 203.0.113.10:5 len 1473 df",
    ));
    let packets: u64 = net.harvest().iter().map(|s| s.packets).sum();
    assert_eq!(packets, 3 + 2 + 1);
}

#[test]
fn super_frames_are_told_how_long_their_segments_may_be() {
    let mut net = Net::new(NET);
    let line = "x sends tcp 10.0.1.10:5 > 198.51.100.7:80 ack len 30000 df";
    let mut send = |gso_size| {
        let (port, mut frame) = net.frame(line);
        packet::build::unfinish_checksum(&mut frame).unwrap();
        let offload = Offload {
            gso_size,
            partial_checksum: true,
        };
        let verdict = net.dataplane.forward(port, &mut frame, offload, net.now);
        if let Verdict::Forward(_) = verdict {
            packet::build::finish_checksum(&mut frame.clone()).unwrap();
        }
        net.told(verdict, &frame)
    };
    assert_eq!(
        send(8948),
        "to x: 10.0.1.1:0 > 10.0.1.10:0 proto 1 icmp 3/4 len 576"
    );
    let forwarded = "to 198.51.100.7: 203.0.113.10:5 > 198.51.100.7:80 proto 6 len 30040";
    assert_eq!(send(1460), forwarded);
    assert_eq!(send(1460), forwarded);
    assert_eq!(net.dataplane.counters().cached, 1);
    let samples = net.harvest();
    let segments = 30_000_u64.div_ceil(1460);
    let total: u64 = samples.iter().map(|s| s.packets).sum();
    assert_eq!(total, 2 * segments + 30_000_u64.div_ceil(8948));
    let last = samples.iter().find(|s| s.packets == 2 * segments).unwrap();
    assert_eq!(last.bytes, 2 * (30_000 + segments * 40));
}

#[test]
fn translation_keeps_checksums_right() {
    let mut net = Net::new(NET);
    for (line, partial) in [
        ("x sends tcp 10.0.1.10:5 > 198.51.100.7:80 ack len 9", false),
        ("x sends tcp 10.0.1.10:5 > 198.51.100.7:80 ack len 9", true),
        ("x sends udp 10.0.1.10:5 > 203.0.113.11:80 len 9", false),
        ("x sends udp 10.0.1.10:5 > 203.0.113.11:80 len 9", true),
        (
            "x sends icmp 10.0.1.10 > 198.51.100.7 echo-request len 9",
            false,
        ),
    ] {
        for _ in 0..2 {
            let (port, mut frame) = net.frame(line);
            if partial {
                packet::build::unfinish_checksum(&mut frame).unwrap();
            }
            let offload = Offload {
                gso_size: 0,
                partial_checksum: partial,
            };
            let verdict = net.dataplane.forward(port, &mut frame, offload, net.now);
            assert!(matches!(verdict, Verdict::Forward(_)));
            if partial {
                let unfinished = frame.clone();
                packet::build::unfinish_checksum(&mut frame).unwrap();
                assert_eq!(unfinished, frame);
            } else {
                assert!(
                    packet::build::checksum_is_valid(&frame),
                    "{}",
                    shown(&frame)
                );
            }
        }
    }
}

#[test]
fn errors_are_translated_with_what_they_quote() {
    let mut net = Net::new(NET);
    let (_, outside) = net.verdict("x sends udp 10.0.1.10:5 > 198.51.100.7:80 len 20");
    let mut error = Vec::new();
    let mac = packet::Mac(fixture::mac("198.51.100.7").0);
    packet::icmp_error::icmp_error(
        &outside,
        packet::icmp_error::IcmpError::PortUnreachable,
        "198.51.100.7".parse().unwrap(),
        mac,
        &mut error,
    )
    .unwrap();
    packet::ethernet::set_macs(&mut error, crate::INTERNET_ROUTER_MAC, mac).unwrap();
    let port = net.port("198.51.100.7");
    let verdict = net
        .dataplane
        .forward(port, &mut error, Offload::default(), net.now);
    assert_eq!(
        net.told(verdict, &error),
        "to x: 198.51.100.7:0 > 10.0.1.10:0 proto 1 icmp 3/3 len 76"
    );
    assert!(packet::build::checksum_is_valid(&error));
    let quote = packet::ipv4::Ipv4::parse(&error[42..]).unwrap();
    assert_eq!(quote.src().to_string(), "10.0.1.10");
    assert!(quote.checksum_is_valid());
}
