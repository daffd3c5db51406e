//! Traffic that no flow log shows (Amazon VPC User Guide, "Flow log limitations"). What load
//! balancers and the endpoints in front of them pass on is in `flow-logs`' tests of fields.

use packet::Mac;
use packet::arp::Arp;
use packet::build::Frame;

use super::Net;
use crate::{Offload, Snapshot};

const NET: &str = "vpc main 10.0.0.0/16 2001:db8:0:100::/56\n\
     subnet a 10.0.1.0/24 2001:db8:0:101::/64\n\
     subnet b 10.0.2.0/24\n\
     sg open in all from 0.0.0.0/0\n\
     sg open in all from ::/0\n\
     eni x 10.0.1.10 2001:db8:0:101::10 in a sg:open\n\
     eni y 10.0.2.10 in b sg:open\n";

/// What `x` sends is never refused for its form; without services nothing answers.
fn nets() -> [Net; 2] {
    [Net::new(NET), Net::with_services(NET)]
}

#[test]
fn what_stays_in_the_vpcs_own_network_leaves_no_record() {
    for mut net in nets() {
        for line in [
            // The Amazon DNS server.
            "x sends udp 10.0.1.10:5 > 10.0.0.2:53 len 20",
            "x sends udp 10.0.1.10:5 > 169.254.169.253:53 len 20",
            "x sends tcp 10.0.1.10:5 > 10.0.0.2:53 syn",
            "x sends icmp 10.0.1.10 > 10.0.0.2",
            "x sends udp [2001:db8:0:101::10]:5 > [fd00:ec2::253]:53 len 20",
            // Instance metadata.
            "x sends tcp 10.0.1.10:5 > 169.254.169.254:80 syn",
            "x sends icmp 10.0.1.10 > 169.254.169.254",
            "x sends tcp [2001:db8:0:101::10]:5 > [fd00:ec2::254]:80 syn",
            // The Amazon Time Sync Service.
            "x sends udp 10.0.1.10:123 > 169.254.169.123:123 len 48",
            "x sends udp [2001:db8:0:101::10]:123 > [fd00:ec2::123]:123 len 48",
            // Activation of Windows.
            "x sends tcp 10.0.1.10:5 > 169.254.169.250:1688 syn",
            "x sends tcp 10.0.1.10:5 > 169.254.169.251:1688 syn",
            // The router, and DHCP renewed from it.
            "x sends icmp 10.0.1.10 > 10.0.1.1",
            "x sends udp 10.0.1.10:68 > 10.0.1.1:67 len 240",
            "x sends udp [2001:db8:0:101::10]:546 > [ff02::1:2]:547 len 20",
            // Addresses that are not the interface's own.
            "x sends udp 10.0.1.77:5 > 10.0.2.10:6",
            "x sends udp 10.0.1.10:5 > 10.0.1.10:6",
        ] {
            net.send(line);
            assert_eq!(net.records(), "\n", "{line}");
        }
        net.send("x sends udp 10.0.1.10:5 > 10.0.2.10:6");
        assert_eq!(net.records().lines().count(), 2);
    }
}

#[test]
fn the_answers_of_the_metadata_service_leave_none() {
    let mut net = Net::with_services(NET);
    let asked = net.send("x sends tcp 10.0.1.10:5 > 169.254.169.254:80 syn");
    let (_, question) = asked.split_once(": ").unwrap();
    let words: Vec<_> = question.split(' ').collect();
    let [from, ">", to, ..] = words[..] else {
        panic!("{asked}")
    };
    let answer = net.send(&format!("services sends tcp {to} > {from} syn ack"));
    assert!(answer.starts_with("to x: 169.254.169.254:80"), "{answer}");
    assert_eq!(net.records(), "\n");
}

#[test]
fn what_asks_for_neighbours_and_addresses_leaves_none() {
    let mut net = Net::new(NET);
    let own = Mac(fixture::mac("x").0);
    let broadcast = Mac([0xff; 6]);
    let arp = Arp::request(own, [10, 0, 1, 10].into(), [10, 0, 1, 1].into());
    let discover = Frame::new(
        own,
        broadcast,
        "0.0.0.0".parse().unwrap(),
        "255.255.255.255".parse().unwrap(),
    );
    let router = Mac(Snapshot::router_mac(fixture::vpc("main")).0);
    let mut solicit = Frame::new(
        own,
        router,
        "2001:db8:0:101::10".parse().unwrap(),
        "fe80::cff:fe00:1".parse().unwrap(),
    )
    .unwrap();
    solicit.ttl = 255;
    let mut target = vec![0; 16];
    target[..2].copy_from_slice(&[0xfe, 0x80]);
    target[8..].copy_from_slice(&[0x0c, 0xff, 0xfe, 0, 0, 0, 0, 1]);
    let frames = [
        arp.frame().to_vec(),
        discover.unwrap().udp(68, 67, &[0; 240]),
        solicit.icmp(135, 0, [0; 4], &target),
    ];
    let port = net.port("x");
    for mut frame in frames {
        net.dataplane
            .forward(port, &mut frame, Offload::default(), net.now);
        assert_eq!(net.records(), "\n");
    }
}

/// Weir's choice: records are of what security groups and network ACLs judge.
#[test]
fn what_fails_the_destination_check_is_the_senders_alone() {
    let mut net = Net::new(
        "subnet a 10.0.1.0/24 local, 10.9.0.0/16 > eni:y\n\
         subnet b 10.0.2.0/24\n\
         sg open in all from 0.0.0.0/0\n\
         eni x 10.0.1.10 in a sg:open\n\
         eni y 10.0.2.10 in b sg:open\n",
    );
    net.send("x sends udp 10.0.1.10:5 > 10.9.9.9:6");
    let records = net.records();
    assert!(records.starts_with("x Egress Accept"), "{records}");
    assert_eq!(records.lines().count(), 1);
}
