//! The link: ARP, neighbour discovery, services, and frames that do not belong.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use packet::Mac;
use packet::arp::Arp;
use packet::build::Frame;

use super::Net;
use crate::{DropReason, Offload, PortId, Snapshot, Verdict};

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
    let told = advertised(&net);
    assert_eq!(
        told,
        [(net.port("x"), "2001:db8:0:101::10".parse().unwrap())]
    );
}

/// To whom routers were advertised; every one as managed by DHCP, with its MTU and a prefix to find neighbours by.
fn advertised(net: &Net) -> Vec<(PortId, Ipv6Addr)> {
    let told = net.dataplane.emitted().iter().map(|(to, frame)| {
        assert!(packet::build::checksum_is_valid(frame));
        let packet = packet::Packet::parse(frame).unwrap();
        let ip = *packet.ip().unwrap();
        let message = ip.transport(frame);
        assert_eq!(message[0], packet::icmpv6::ROUTER_ADVERTISEMENT);
        assert_eq!((ip.src, ip.ttl), (crate::ROUTER_LINK_LOCAL.into(), 255));
        let (managed, lifetime) = (message[5], &message[6..8]);
        assert_eq!((managed, lifetime), (0x80, &1800_u16.to_be_bytes()[..]));
        let (mtu, prefix) = (&message[24..32], &message[32..64]);
        assert_eq!(mtu, [5, 1, 0, 0, 0, 0, 0x23, 0x29]);
        assert_eq!(prefix[..4], [3, 4, 64, 0x80]);
        assert_eq!(prefix[16..24], [0x20, 1, 0xd, 0xb8, 0, 0, 1, 1]);
        let IpAddr::V6(dst) = ip.dst else { panic!() };
        (*to, dst)
    });
    told.collect()
}

#[test]
fn every_host_hears_of_its_router_in_time() {
    let mut net = Net::new(NET);
    let mut heard = Vec::new();
    net.dataplane.advertise(net.now);
    assert!(net.dataplane.emitted().is_empty());
    for _ in 0..1200 {
        net.wait(1);
        net.dataplane.advertise(net.now);
        assert!(net.dataplane.emitted().len() <= 1);
        heard.extend(advertised(&net));
    }
    let times = |name: &str| {
        let port = net.port(name);
        heard
            .iter()
            .filter(|(to, dst)| *to == port && *dst == packet::ndp::ALL_NODES)
            .count()
    };
    assert_eq!((times("x"), times("y"), times("z")), (2, 2, 0));
    assert!(net.harvest().is_empty());
}

#[test]
fn a_subnet_without_ipv6_has_no_ipv6_router() {
    let mut net = Net::new(NET);
    let mac = Mac(fixture::mac("z").0);
    let src = "fe80::1".parse().unwrap();
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
    let verdict = forward(&mut net, "z", solicit);
    assert_eq!(verdict, Verdict::Drop(DropReason::Neighbour));
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
