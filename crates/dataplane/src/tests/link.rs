//! The link: ARP, neighbour discovery, services, and frames that do not belong.

use std::net::Ipv4Addr;

use expect_test::expect;
use packet::Mac;
use packet::arp::Arp;
use packet::build::Frame;

use super::Net;
use crate::{DropReason, Offload, Snapshot, Verdict};

const NET: &str = "vpc main 10.0.0.0/16 2001:db8:0:100::/56\n\
     subnet a 10.0.0.0/24 2001:db8:0:101::/64\n\
     subnet b 10.0.2.0/24\n\
     sg open in all from 0.0.0.0/0\n\
     eni x 10.0.0.10 2001:db8:0:101::10 in a sg:open public 203.0.113.10\n\
     eni y 10.0.0.11 2001:db8:0:101::11 in a sg:open\n\
     eni z 10.0.2.10 in b sg:open\n";

fn forward(net: &mut Net, from: &str, mut frame: Vec<u8>) -> Verdict {
    let port = net.port(from);
    net.dataplane
        .forward(port, &mut frame, Offload::default(), net.now)
}

fn who_has(net: &mut Net, target: [u8; 4]) -> Option<Mac> {
    let mac = Mac(fixture::mac("x").0);
    let request = Arp::request(mac, Ipv4Addr::new(10, 0, 0, 10), target.into());
    match forward(net, "x", request.frame().to_vec()) {
        Verdict::Emit => {
            let (to, frame) = &net.dataplane.emitted()[0];
            assert_eq!(*to, net.port("x"));
            let reply = Arp::parse(&frame[14..]).unwrap();
            assert_eq!(reply.sender, Ipv4Addr::from(target));
            Some(reply.sender_mac)
        }
        _ => None,
    }
}

#[test]
fn the_router_answers_arp_from_the_mapping() {
    let mut net = Net::new(NET);
    let router = Some(Mac(Snapshot::router_mac(fixture::vpc("main")).0));
    assert_eq!(who_has(&mut net, [10, 0, 0, 1]), router);
    assert_eq!(who_has(&mut net, [10, 0, 0, 2]), router);
    let y = Some(Mac(fixture::mac("y").0));
    assert_eq!(who_has(&mut net, [10, 0, 0, 11]), y);
    for nobody in [
        [10, 0, 0, 99],
        [10, 0, 0, 3],
        [10, 0, 2, 10],
        [10, 0, 0, 10],
    ] {
        assert_eq!(who_has(&mut net, nobody), None);
    }
}

#[test]
fn neighbour_discovery_is_answered_and_goes_no_further() {
    let mut net = Net::new(NET);
    let mac = Mac(fixture::mac("x").0);
    let src = "2001:db8:0:101::10".parse().unwrap();
    let mut ask = |target: &str| {
        let frame = packet::ndp::Solicitation::frame(mac, src, target.parse().unwrap());
        match forward(&mut net, "x", frame) {
            Verdict::Emit => {
                let frame = &net.dataplane.emitted()[0].1;
                assert!(packet::build::checksum_is_valid(frame));
                let packet = packet::Packet::parse(frame).unwrap();
                Some(packet.src_mac)
            }
            _ => None,
        }
    };
    let router = Some(Mac(Snapshot::router_mac(fixture::vpc("main")).0));
    assert_eq!(ask("fe80:ec2::1"), router);
    assert_eq!(ask("2001:db8:0:101::1"), router);
    assert_eq!(ask("2001:db8:0:101::11"), Some(Mac(fixture::mac("y").0)));
    assert_eq!(ask("2001:db8:0:101::99"), None);
    let headers = Frame {
        ttl: 255,
        ..Frame::v6(
            mac,
            Mac([0x33, 0x33, 0, 0, 0, 2]),
            src,
            packet::ndp::ALL_ROUTERS,
        )
    };
    let solicit = headers.icmp(packet::icmpv6::ROUTER_SOLICITATION, 0, [0; 4], &[]);
    assert_eq!(forward(&mut net, "x", solicit), Verdict::Emit);
    let answer = packet::Packet::parse(&net.dataplane.emitted()[0].1).unwrap();
    let ip = *answer.ip().unwrap();
    assert_eq!(
        ip.icmp.unwrap().icmp_type,
        packet::icmpv6::ROUTER_ADVERTISEMENT
    );
    assert_eq!(ip.src, crate::ROUTER_LINK_LOCAL);
}

#[test]
fn frames_that_do_not_belong_are_dropped_and_counted() {
    let mut net = Net::new(NET);
    let (_, good) = net.frame("x sends udp 10.0.0.10:1 > 10.0.0.11:2");
    let with_macs = |dst: Mac, src: Mac| {
        let mut frame = good.clone();
        packet::ethernet::set_macs(&mut frame, dst, src).unwrap();
        frame
    };
    let (x, y, z) = (fixture::mac("x"), fixture::mac("y"), fixture::mac("z"));
    let (x, y, z) = (Mac(x.0), Mac(y.0), Mac(z.0));
    let cases = [
        (with_macs(y, z), DropReason::SourceMac),
        (with_macs(z, x), DropReason::DestinationMac),
        (with_macs(Mac::BROADCAST, x), DropReason::Multicast),
        (good[..20].to_vec(), DropReason::Malformed),
        (Vec::new(), DropReason::Malformed),
    ];
    for (frame, reason) in cases {
        let before = net.dataplane.counters().dropped(reason);
        assert_eq!(forward(&mut net, "x", frame), Verdict::Drop(reason));
        assert_eq!(net.dataplane.counters().dropped(reason), before + 1);
    }
    assert!(net.harvest().is_empty());
}

#[test]
fn a_frame_of_a_former_device_reaches_nobody() {
    let mut net = Net::new(NET);
    let (port, mut frame) = net.frame("y sends udp 10.0.0.11:1 > 10.0.0.10:2");
    net.change(&NET.replace("eni y", "eni w"));
    let verdict = net
        .dataplane
        .forward(port, &mut frame, Offload::default(), net.now);
    assert_eq!(verdict, Verdict::Drop(DropReason::UnknownPort));
    assert_eq!(net.port("w").index(), port.index());
    assert_ne!(net.port("w"), port);
}

#[test]
fn services_are_limited_and_never_logged() {
    let mut net = Net::new(NET);
    let line = "x sends udp 10.0.0.10:1 > 169.254.169.254:80";
    for _ in 0..1030 {
        net.verdict(line);
    }
    let counters = net.dataplane.counters();
    assert_eq!(counters.dropped(DropReason::ServiceUnavailable), 1024);
    assert_eq!(counters.dropped(DropReason::ServiceRateExceeded), 6);
    assert!(net.harvest().is_empty());
}

fn query(name: &str, kind: u8) -> Vec<u8> {
    let mut query = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        query.push(label.len() as u8);
        query.extend(label.bytes());
    }
    query.extend([0, 0, kind, 0, 1]);
    query
}

fn resolve(net: &mut Net, name: &str, kind: u8) -> String {
    let router = Mac(Snapshot::router_mac(fixture::vpc("main")).0);
    let mac = Mac(fixture::mac("x").0);
    let (src, dst) = ("10.0.0.10".parse().unwrap(), "10.0.0.2".parse().unwrap());
    let frame = Frame::v4(mac, router, src, dst).udp(999, 53, &query(name, kind));
    if forward(net, "x", frame) != Verdict::Emit {
        return "no answer".to_owned();
    }
    let frame = &net.dataplane.emitted()[0].1;
    let answer = &frame[42..];
    let records = answer[7];
    let data = &answer[answer.len() - 4..];
    format!("code {} records {records} {data:?}", answer[3] & 15)
}

#[test]
fn the_amazon_dns_server_knows_the_names_of_the_vpc() {
    let mut net = Net::new(NET);
    let instance = format!("{}.ec2.internal", fixture::instance("x"));
    let told: Vec<String> = [
        ("ip-10-0-9-9.ec2.internal", 1),
        ("IP-10-0-9-9.EC2.internal", 28),
        ("ip-10-9-9-9.ec2.internal", 1),
        (instance.as_str(), 1),
        (instance.as_str(), 28),
        ("ec2-203-0-113-10.compute-1.amazonaws.com", 1),
        ("10.0.0.10.in-addr.arpa", 12),
        ("example.com", 1),
    ]
    .iter()
    .map(|(name, kind)| resolve(&mut net, name, *kind))
    .collect();
    expect![[r#"
        code 0 records 1 [10, 0, 9, 9]
        code 0 records 0 [0, 28, 0, 1]
        code 3 records 0 [0, 1, 0, 1]
        code 0 records 1 [10, 0, 0, 10]
        code 0 records 1 [0, 0, 0, 16]
        code 0 records 1 [10, 0, 0, 10]
        code 0 records 1 [110, 97, 108, 0]
        code 5 records 0 [0, 1, 0, 1]"#]]
    .assert_eq(&told.join("\n"));
}
