//! What is noted for whoever captures: every packet that is recorded, as its interface has it, and no other.

use std::collections::BTreeMap;

use expect_test::expect;
use model::RecorderId;
use packet::{Packet, build};

use super::{Net, shown};
use crate::{Device, Direction, FlowKey, Offload, Sight};

const GATEWAYS: &str = "vpc main 10.0.0.0/16\n\
     subnet pub 10.0.0.0/24 local, 0.0.0.0/0 > igw\n\
     subnet app 10.0.1.0/24 local, 0.0.0.0/0 > nat:nat\n\
     subnet lb 10.0.2.0/24 local\n\
     sg open in all from 0.0.0.0/0\n\
     sg web in tcp 80 from 0.0.0.0/0\n\
     sg web in icmp all from 0.0.0.0/0\n\
     nat nat 10.0.0.220 in pub public 203.0.113.220\n\
     eni x 10.0.1.5 in app sg:open\n\
     eni y 10.0.1.6 in app sg:web\n\
     eni p 10.0.0.9 in pub public 203.0.113.9 sg:web\n\
     eni node 10.0.2.4 in lb\n\
     nlb front node\n\
     targets group tcp 80 y\n\
     listener front tcp 80 > group\n\
     host 198.51.100.7\n";

/// Everybody's packets.
fn watched(text: &str) -> Net {
    let mut net = Net::new(text);
    let recorders: Vec<RecorderId> = net
        .ports()
        .iter()
        .filter_map(|(device, _)| match device {
            Device::Interface(id) => Some((*id).into()),
            Device::NatGateway(id) => Some(RecorderId::RegionalNatGateway(*id)),
            _ => None,
        })
        .collect();
    net.dataplane.watch(recorders);
    net
}

fn told(net: &mut Net) -> String {
    let sights = net.dataplane.take_sights();
    let line = |sight: &Sight| {
        let (who, key) = (sight.interface.recorder, &sight.key);
        let frame = shown(&sight.frame);
        let way = key.direction.name();
        let verdict = sight.disposition.seen_by(key.action);
        let line = format!("{who} {way} {frame} | {} {verdict}\n", key.action.name());
        net.fixture.readable(&line)
    };
    sights.iter().map(line).collect()
}

#[test]
fn gateways_see_what_they_get_and_what_they_make_of_it() {
    let mut net = watched(GATEWAYS);
    let sent = net.send("x sends tcp 10.0.1.5:40000 > 198.51.100.7:443 syn");
    let port: u16 = sent
        .split("203.0.113.220:")
        .nth(1)
        .and_then(|rest| rest.split(' ').next()?.parse().ok())
        .unwrap();
    let text = told(&mut net).replace(&port.to_string(), "PORT");
    expect![[r#"
        x egress 10.0.1.5:40000 > 198.51.100.7:443 proto 6 len 40 | ACCEPT left through igw for 198.51.100.7
        eni-of-nat ingress 10.0.1.5:40000 > 198.51.100.7:443 proto 6 len 40 | ACCEPT left through igw for 198.51.100.7
        eni-of-nat egress 10.0.0.220:PORT > 198.51.100.7:443 proto 6 len 40 | ACCEPT left through igw for 198.51.100.7
    "#]].assert_eq(&text);
    net.send(&format!(
        "198.51.100.7 sends tcp 198.51.100.7:443 > 203.0.113.220:{port} syn ack"
    ));
    let text = told(&mut net).replace(&port.to_string(), "PORT");
    expect![[r#"
        eni-of-nat ingress 198.51.100.7:443 > 10.0.0.220:PORT proto 6 len 40 | ACCEPT delivered to x
        eni-of-nat egress 198.51.100.7:443 > 10.0.1.5:40000 proto 6 len 40 | ACCEPT delivered to x
        x ingress 198.51.100.7:443 > 10.0.1.5:40000 proto 6 len 40 | ACCEPT delivered to x
    "#]]
    .assert_eq(&text);
    net.send("p sends tcp 10.0.0.9:5 > 10.0.2.4:80 syn");
    expect![[r#"
        p egress 10.0.0.9:5 > 10.0.2.4:80 proto 6 len 40 | ACCEPT delivered to y
        node ingress 10.0.0.9:5 > 10.0.2.4:80 proto 6 len 40 | ACCEPT delivered to y
        node egress 10.0.0.9:5 > 10.0.1.6:80 proto 6 len 40 | ACCEPT delivered to y
        y ingress 10.0.0.9:5 > 10.0.1.6:80 proto 6 len 40 | ACCEPT delivered to y
    "#]]
    .assert_eq(&told(&mut net));
}

#[test]
fn a_refused_packet_is_seen_as_it_would_have_been_received() {
    let mut net = watched(GATEWAYS);
    for _ in 0..2 {
        net.send("198.51.100.7 sends tcp 198.51.100.7:5 > 203.0.113.9:22 syn");
    }
    net.send("x sends udp 10.0.1.5:5 > 10.0.1.6:53");
    expect![[r#"
        p ingress 198.51.100.7:5 > 10.0.0.9:22 proto 6 len 40 | REJECT no inbound rule of web allows it
        p ingress 198.51.100.7:5 > 10.0.0.9:22 proto 6 len 40 | REJECT no inbound rule of web allows it
        x egress 10.0.1.5:5 > 10.0.1.6:53 proto 17 len 28 | ACCEPT accepted here, then: no inbound rule of web allows it
        y ingress 10.0.1.5:5 > 10.0.1.6:53 proto 17 len 28 | REJECT no inbound rule of web allows it
    "#]].assert_eq(&told(&mut net));
    assert!(net.dataplane.counters().cached > 0, "also from the cache");
}

#[test]
fn only_those_who_are_watched_are_and_only_while_they_are() {
    let mut net = Net::new(GATEWAYS);
    let line = "x sends udp 10.0.1.5:5 > 10.0.0.9:53";
    net.send(line);
    assert_eq!(told(&mut net), "");
    net.dataplane.watch(vec![fixture::eni("p").into()]);
    net.send(line);
    assert_eq!(told(&mut net).lines().count(), 1);
    net.dataplane.watch(Vec::new());
    net.send(line);
    assert_eq!(told(&mut net), "");
}

#[test]
fn sums_are_those_of_the_records() {
    let mut net = watched(GATEWAYS);
    let lines = [
        "x sends tcp 10.0.1.5:40000 > 198.51.100.7:443 syn",
        "x sends tcp 10.0.1.5:40000 > 198.51.100.7:443 ack len 900",
        "x sends icmp 10.0.1.5 > 198.51.100.7 echo-request id 7",
        "p sends tcp 10.0.0.9:5 > 10.0.2.4:80 syn",
        "p sends tcp 10.0.0.9:5 > 10.0.2.4:80 ack len 3",
        "p sends tcp 10.0.0.9:5 > 10.0.2.4:81 syn",
        "x sends tcp 10.0.1.5:5 > 10.0.1.6:80 syn",
        "x sends udp 10.0.1.5:5 > 10.0.1.6:80",
        "x sends udp 10.0.1.5:5 > 10.0.0.9:80",
        "x sends udp 10.0.1.77:5 > 10.0.0.9:80",
        "x sends udp 10.0.1.5:5 > 10.0.0.2:53 len 20",
        "x sends udp 10.0.1.5:5 > 10.0.9.9:80",
        "198.51.100.7 sends tcp 198.51.100.7:5 > 203.0.113.9:80 syn",
        "198.51.100.7 sends tcp 198.51.100.7:5 > 203.0.113.9:22 syn",
        "198.51.100.7 sends tcp 198.51.100.7:5 > 203.0.113.220:22 syn",
    ];
    let mut sights = Vec::new();
    for _ in 0..3 {
        for line in lines {
            net.send(line);
            sights.extend(net.dataplane.take_sights());
        }
        let (port, mut frame) = net.frame("x sends tcp 10.0.1.5:5 > 10.0.1.6:80 ack len 4000");
        let offload = Offload {
            gso_size: 1448,
            partial_checksum: false,
        };
        net.dataplane.forward(port, &mut frame, offload, net.now);
        net.dataplane.check_health(net.now);
        sights.extend(net.dataplane.take_sights());
        net.wait(20);
    }
    let mut seen: BTreeMap<(RecorderId, FlowKey), u64> = BTreeMap::new();
    for sight in &sights {
        let key = (sight.interface.recorder, sight.key.clone());
        *seen.entry(key).or_default() += sight.packets();
        let parsed = Packet::parse(&sight.frame).unwrap();
        let ip = parsed.ip().unwrap();
        assert_eq!(
            (ip.src, ip.dst),
            (sight.key.pkt_srcaddr, sight.key.pkt_dstaddr)
        );
        assert_eq!(
            (ip.src_port, ip.dst_port),
            (sight.key.srcport, sight.key.dstport)
        );
        assert!(build::checksum_is_valid(&sight.frame), "{sight:?}");
        let id = sight.interface.recorder.network_interface_id().unwrap();
        let snapshot = net.dataplane.snapshot().clone();
        let at = snapshot.port_of(&Device::Interface(id)).unwrap();
        let mac = snapshot.interface(at).unwrap().mac;
        match sight.key.direction {
            Direction::Ingress => assert_eq!(parsed.dst_mac, mac),
            Direction::Egress => assert_eq!(parsed.src_mac, mac),
        }
    }
    let mut recorded: BTreeMap<(RecorderId, FlowKey), u64> = BTreeMap::new();
    for sample in net.harvest() {
        let key = (sample.interface.recorder, sample.key.clone());
        *recorded.entry(key).or_default() += sample.packets;
    }
    assert!(recorded.len() > 15, "{recorded:?}");
    assert_eq!(seen, recorded);
}
