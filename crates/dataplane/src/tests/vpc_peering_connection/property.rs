//! Delivery over random peerings equals a naive evaluation of the same rows.

use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::super::{Net, reference, small};
use crate::tuple::{L4, Tuple};
use crate::{Dataplane, Offload, Verdict};

/// The second octet of each VPC's block. Two have the same, so that peers overlap.
const BLOCKS: [u8; 5] = [1, 2, 2, 3, 4];
/// Whose each VPC is, and where.
const SCOPES: [&str; 5] = [
    "123456789012 us-east-1",
    "123456789012 us-east-1",
    "444455556666 us-east-1",
    "444455556666 us-east-1",
    "444455556666 us-west-1",
];

#[derive(Clone, Debug)]
struct Pair {
    from: usize,
    to: usize,
    status: &'static str,
    /// Whether each side has a route to the other.
    routed: [bool; 2],
}

fn pair() -> impl Strategy<Value = Pair> {
    let status = prop_oneof![6 => Just(""), 1 => Just(" pending"), 1 => Just(" deleted")];
    let routed = [prop::bool::weighted(0.8), prop::bool::weighted(0.8)];
    (0..5_usize, 1..5_usize, status, routed).prop_map(|(from, away, status, routed)| Pair {
        from,
        to: (from + away) % 5,
        status,
        routed,
    })
}

/// Another route of a VPC: a block and a connection, which may be anybody's.
fn route() -> impl Strategy<Value = (usize, String, usize)> {
    let block = prop_oneof![
        4 => (1_u8..6).prop_map(|n| format!("10.{n}.0.0/16")),
        2 => (1_u8..6, 0_u8..2).prop_map(|(n, host)| format!("10.{n}.1.1{host}/32")),
        1 => Just("10.0.0.0/8".to_owned()),
        1 => Just("0.0.0.0/0".to_owned()),
    ];
    (0..5_usize, block, 0..9_usize)
}

fn rule() -> impl Strategy<Value = (usize, String)> {
    let peer = prop_oneof![
        3 => Just("0.0.0.0/0".to_owned()),
        2 => (1_u8..6).prop_map(|n| format!("10.{n}.0.0/16")),
        3 => (0..5_usize).prop_map(|vpc| format!("sg:g{vpc}")),
    ];
    (0..5_usize, peer)
}

fn network() -> impl Strategy<Value = String> {
    (
        prop::collection::vec(pair(), 2..9),
        prop::collection::vec(route(), 0..8),
        prop::collection::vec(rule(), 4..14),
        any::<bool>(),
    )
        .prop_map(|(pairs, routes, rules, checked)| {
            let mut text = String::new();
            for vpc in 0..5 {
                let block = BLOCKS[vpc];
                text += &format!("scope {}\nvpc v{vpc} 10.{block}.0.0/16\n", SCOPES[vpc]);
                text += &format!("subnet s{vpc} 10.{block}.1.0/24 local");
                for (number, pair) in pairs.iter().enumerate() {
                    let (there, back) = (pair.from == vpc, pair.to == vpc);
                    if (there && pair.routed[0]) || (back && pair.routed[1]) {
                        let other = BLOCKS[if there { pair.to } else { pair.from }];
                        text += &format!(", 10.{other}.0.0/16 > pcx:p{number}");
                    }
                }
                for (_, to, through) in routes.iter().filter(|(at, ..)| *at == vpc) {
                    text += &format!(", {to} > pcx:p{through}");
                }
                text += &format!("\nsg g{vpc}\nnacl n{vpc} on s{vpc}\n");
                text += &format!("nacl n{vpc} in 100 allow all from 0.0.0.0/0\n");
                text += &format!("nacl n{vpc} out 100 allow all to 0.0.0.0/0\n");
                text += &format!("nacl n{vpc} in 50 deny tcp 2 from 10.3.0.0/16\n");
                text += &format!("nacl n{vpc} out 50 deny tcp 3 to 10.2.0.0/16\n");
                for (_, peer) in rules.iter().filter(|(at, _)| *at == vpc) {
                    text += &format!("sg g{vpc} in tcp all from {peer}\n");
                }
                let check = if checked { "" } else { " nocheck" };
                text += &format!("eni e{vpc}0 10.{block}.1.10 in s{vpc} sg:g{vpc}\n");
                text += &format!("eni e{vpc}1 10.{block}.1.11 in s{vpc} sg:g{vpc}{check}\n");
            }
            for (number, pair) in pairs.iter().enumerate() {
                let Pair {
                    from, to, status, ..
                } = pair;
                text += &format!("pcx p{number} v{from} v{to}{status}\n");
            }
            text
        })
}

/// Sender, whether it pretends to be somebody else, destination, destination port.
fn packet() -> impl Strategy<Value = (usize, usize, Option<u8>, Ipv4Addr, u16)> {
    let target = (1_u8..6, 0_u8..3).prop_map(|(n, host)| Ipv4Addr::new(10, n, 1, 10 + host));
    let disguise = prop_oneof![4 => Just(None), 1 => (1_u8..6).prop_map(Some)];
    (0..5_usize, 0..2_usize, disguise, target, 1_u16..5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, ..ProptestConfig::default() })]

    #[test]
    fn delivery_over_peerings_equals_a_naive_evaluation(
        network in network(),
        packets in prop::collection::vec(packet(), 1..40),
    ) {
        let mut net = Net::new(&network);
        for (vpc, host, disguise, dst, port) in packets {
            // Each packet is somebody's first, so that no connection speaks for it.
            net.dataplane = Dataplane::new(net.dataplane.snapshot().clone(), small());
            let sender = format!("e{vpc}{host}");
            let octet = disguise.unwrap_or(BLOCKS[vpc]);
            let src = Ipv4Addr::new(10, octet, 1, 10 + host as u8);
            let line = format!("{sender} sends tcp {src}:9 > {dst}:{port} syn");
            let (from, mut frame) = net.frame(&line);
            let now = net.now;
            let to = match net.dataplane.forward(from, &mut frame, Offload::default(), now) {
                Verdict::Forward(to) => Some(net.name(to)),
                Verdict::Drop(_) | Verdict::Emit => None,
            };
            let packet = Tuple {
                src: IpAddr::V4(src),
                dst: IpAddr::V4(dst),
                protocol: 6,
                l4: L4::Ports { src: 9, dst: port },
            };
            let expected = reference::delivered(&net.fixture.world, fixture::eni(&sender), &packet);
            let expected = expected.map(|id| net.fixture.readable(&id.to_string()));
            prop_assert_eq!(to, expected, "{}\n{}", line, network);
        }
    }
}
