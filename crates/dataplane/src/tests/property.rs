//! What holds for any network and any packets.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use proptest::prelude::*;

use super::{Net, reference, small};
use crate::tuple::{L4, Tuple};
use crate::*;

fn address() -> impl Strategy<Value = Ipv4Addr> {
    (0_u8..4, 0_u8..4).prop_map(|(subnet, host)| Ipv4Addr::new(10, 0, subnet, 10 + host))
}

fn block() -> impl Strategy<Value = String> {
    (address(), 0_u8..=32).prop_map(|(address, len)| format!("{address}/{len}"))
}

fn rule(towards: &'static str) -> impl Strategy<Value = String> {
    let ports = prop_oneof![
        Just("all".to_owned()),
        (1_u16..6).prop_map(|p| p.to_string()),
        (1_u16..4, 0_u16..3).prop_map(|(p, n)| format!("{p}-{}", p + n)),
    ];
    let icmp = prop_oneof![
        Just("all".to_owned()),
        Just("8".to_owned()),
        Just("0/0".to_owned()),
    ];
    prop_oneof![
        (prop_oneof![Just("tcp"), Just("udp")], ports, block()).prop_map(
            move |(protocol, ports, block)| format!("{protocol} {ports} {towards} {block}")
        ),
        (icmp, block()).prop_map(move |(icmp, block)| format!("icmp {icmp} {towards} {block}")),
        block().prop_map(move |block| format!("all {towards} {block}")),
    ]
}

fn group_lines(name: &'static str) -> impl Strategy<Value = String> {
    let inbound = prop_oneof![
        4 => rule("from"),
        1 => Just("all from sg:g0".to_owned()),
        1 => Just("tcp all from sg:g1".to_owned()),
        1 => Just("udp all from pl:p0".to_owned()),
    ];
    (
        prop::collection::vec(inbound, 0..4),
        prop::option::of(prop::collection::vec(rule("to"), 0..4)),
    )
        .prop_map(move |(inbound, outbound)| {
            let mut text = format!("sg {name}\n");
            for rule in inbound {
                text += &format!("sg {name} in {rule}\n");
            }
            for rule in outbound.iter().flatten() {
                text += &format!("sg {name} out {rule}\n");
            }
            text
        })
}

fn acl_lines() -> impl Strategy<Value = String> {
    let action = || prop_oneof![3 => Just("allow"), 1 => Just("deny")];
    let entries = |direction, towards| {
        prop::collection::vec((1_u16..100, action(), rule(towards)), 0..5).prop_map(move |rules| {
            let mut text = String::new();
            for (number, action, rule) in rules {
                text += &format!("nacl n {direction} {number} {action} {rule}\n");
            }
            text
        })
    };
    (entries("in", "from"), entries("out", "to")).prop_map(|(inbound, outbound)| {
        format!("nacl n on s1\n{inbound}{outbound}nacl n in 200 allow all from 10.0.0.0/17\n")
    })
}

/// Three subnets, six interfaces, two groups, an ACL, two prefix lists, a gateway, an endpoint and a
/// middlebox; a second VPC with the same blocks.
fn network() -> impl Strategy<Value = String> {
    (
        group_lines("g0"),
        group_lines("g1"),
        acl_lines(),
        any::<bool>(),
    )
        .prop_map(|(g0, g1, acl, middlebox)| {
            let via = if middlebox {
                ", 10.0.2.0/24 > eni:e3, pl:p0 > eni:e3, pl:p1 > igw"
            } else {
                ""
            };
            format!(
                "vpc main 10.0.0.0/16\n\
                 pl p0 10.0.1.0/28 10.0.2.0/24 198.51.100.0/30\n\
                 pl p1 10.0.1.0/28 198.51.100.0/24 52.216.0.0/15\n\
                 subnet s0 10.0.0.0/24 local, 0.0.0.0/0 > igw{via}\n\
                 subnet s1 10.0.1.0/24 local, 0.0.0.0/0 > igw\n\
                 subnet s2 10.0.2.0/24\n\
                 endpoint s3 s0 s2\n\
                 {g0}{g1}{acl}\
                 eni e0 10.0.0.10 10.0.0.13 in s0 sg:g0 public 203.0.113.10\n\
                 eni e1 10.0.0.11 in s0 sg:g1\n\
                 eni e2 10.0.1.10 in s1 sg:g0 sg:g1 public 203.0.113.12\n\
                 eni e3 10.0.1.11 in s1 sg:g1 nocheck\n\
                 eni e4 10.0.2.10 in s2 sg:g0\n\
                 eni e5 10.0.2.11 in s2 sg:g1 stopped\n\
                 host 198.51.100.7\n\
                 vpc other 10.0.0.0/16\n\
                 subnet t0 10.0.0.0/24 local, 0.0.0.0/0 > igw\n\
                 sg h in all from 0.0.0.0/0\n\
                 eni f0 10.0.0.10 in t0 sg:h\n\
                 eni f1 10.0.0.11 in t0 sg:h public 203.0.113.99\n"
            )
        })
}

const SENDERS: [(&str, &str); 10] = [
    ("e0", "10.0.0.10"),
    ("e0", "10.0.0.13"),
    ("e1", "10.0.0.11"),
    ("e2", "10.0.1.10"),
    ("e3", "10.0.1.11"),
    ("e3", "10.0.0.10"),
    ("e4", "10.0.2.10"),
    ("f0", "10.0.0.10"),
    ("f1", "10.0.0.11"),
    ("198.51.100.7", "198.51.100.7"),
];

const TARGETS: [&str; 11] = [
    "10.0.0.10",
    "10.0.0.11",
    "10.0.0.13",
    "10.0.1.10",
    "10.0.1.11",
    "10.0.2.10",
    "10.0.2.11",
    "203.0.113.10",
    "203.0.113.12",
    "52.216.0.9",
    "198.51.100.7",
];

/// A packet, and how long it is after the one before.
fn packets() -> impl Strategy<Value = Vec<(String, u64)>> {
    let kind = prop_oneof![
        6 => prop_oneof![
            Just("syn"), Just("syn ack"), Just("ack"), Just("ack"), Just("fin ack"), Just("rst")
        ].prop_map(|flags| ("tcp", flags)),
        2 => Just(("udp", "")),
        1 => Just(("icmp", "echo-request")),
        1 => Just(("icmp", "echo-reply")),
        1 => Just(("gre", "")),
    ];
    let pause = prop_oneof![8 => Just(0_u64), 2 => 1_u64..40, 1 => 100_u64..800];
    let len = prop_oneof![8 => 0_usize..100, 1 => 1400_usize..1600];
    let one = (
        0..SENDERS.len(),
        0..TARGETS.len(),
        kind,
        (1_u16..4, 1_u16..4),
        len,
        any::<bool>(),
        pause,
    )
        .prop_map(|(from, to, (protocol, flags), (sport, dport), len, df, pause)| {
            let (sender, src) = SENDERS[from];
            let dst = TARGETS[to];
            let df = if df { "df" } else { "" };
            let line = match protocol {
                "tcp" | "udp" => {
                    format!("{sender} sends {protocol} {src}:{sport} > {dst}:{dport} {flags} len {len} {df}")
                }
                _ => format!("{sender} sends {protocol} {src} > {dst} {flags} len {len} {df}"),
            };
            (line, pause)
        });
    prop::collection::vec(one, 1..60)
}

fn without_times(samples: Vec<FlowSample>) -> Vec<String> {
    let mut sums: std::collections::BTreeMap<String, (u64, u64, u8)> = Default::default();
    for s in samples {
        let key = format!(
            "{} {:?} {:?} {}",
            s.interface.recorder, s.key, s.traffic_path, s.disposition
        );
        let sum = sums.entry(key).or_default();
        *sum = (sum.0 + s.packets, sum.1 + s.bytes, sum.2 | s.tcp_flags);
    }
    sums.iter()
        .map(|(key, sum)| format!("{key} {sum:?}"))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_cache_changes_no_verdict_and_loses_no_packet(
        networks in prop::collection::vec(network(), 1..3),
        bursts in prop::collection::vec(packets(), 1..5),
    ) {
        let mut cached = Net::new(&networks[0]);
        let mut plain = Net::new(&networks[0]);
        plain.dataplane.set_caching(false);
        let (mut samples_cached, mut samples_plain) = (Vec::new(), Vec::new());
        for (i, burst) in bursts.iter().enumerate() {
            let network = &networks[i % networks.len()];
            cached.change(network);
            plain.change(network);
            for (line, pause) in burst {
                cached.wait(*pause);
                plain.wait(*pause);
                let (a, b) = (cached.send(line), plain.send(line));
                prop_assert_eq!(a, b, "{}\n{}", line, network);
            }
            // A part of what there is, at times.
            cached.dataplane.harvest(i, &mut samples_cached);
            plain.dataplane.harvest(i, &mut samples_plain);
            cached.dataplane.sweep(cached.now);
        }
        // The harvest that has begun, and another.
        for _ in 0..2 {
            samples_cached.extend(cached.harvest());
            samples_plain.extend(plain.harvest());
        }
        prop_assert_eq!(without_times(samples_cached), without_times(samples_plain));
    }

    #[test]
    fn bursts_are_decided_as_their_frames_one_by_one(network in network(), burst in packets()) {
        let (mut single, mut together) = (Net::new(&network), Net::new(&network));
        let mut told = Vec::new();
        let mut frames: Vec<_> = burst.iter().map(|(line, _)| together.frame(line)).collect();
        for (line, _) in &burst {
            let (verdict, frame) = single.verdict(line);
            told.push((verdict, frame, single.dataplane.emitted().to_vec()));
        }
        let mut told_together = Vec::new();
        let now = together.now;
        together.dataplane.forward_burst(
            &mut frames,
            now,
            |(from, bytes)| Ingress { from: *from, bytes, offload: Offload::default() },
            |(_, bytes), verdict, emitted| told_together.push((verdict, bytes.clone(), emitted.to_vec())),
        );
        prop_assert_eq!(told, told_together);
        prop_assert_eq!(without_times(single.harvest()), without_times(together.harvest()));
    }

    #[test]
    fn every_packet_that_passes_is_recorded_once_by_each_side(
        network in network(),
        burst in packets(),
    ) {
        let mut net = Net::new(&network);
        let (mut left, mut arrived) = (0, 0);
        for (line, _) in &burst {
            let before = net.dataplane.counters().forwarded;
            let (verdict, _) = net.verdict(line);
            let went = net.dataplane.counters().forwarded > before;
            let inside = |port: PortId| {
                u64::from(net.dataplane.snapshot().interface(port).is_some())
            };
            let from = inside(net.port(line.split(' ').next().unwrap()));
            let to = match verdict {
                Verdict::Forward(to) => Some(to),
                Verdict::Emit if went => Some(net.dataplane.emitted()[0].0),
                Verdict::Emit | Verdict::Drop(_) => None,
            };
            if let Some(to) = to {
                left += from;
                arrived += inside(to);
            }
        }
        let samples = net.harvest();
        let sum = |direction, delivered: bool| -> u64 {
            samples
                .iter()
                .filter(|s| s.key.direction == direction && s.key.action == Action::Accept)
                .filter(|s| s.disposition.is_delivered() == delivered)
                .map(|s| s.packets)
                .sum()
        };
        prop_assert_eq!(sum(Direction::Egress, true), left);
        prop_assert_eq!(sum(Direction::Ingress, true), arrived);
        prop_assert_eq!(sum(Direction::Ingress, false), 0);
    }

    #[test]
    fn any_bytes_are_safe_and_stay_in_their_vpc(
        network in network(),
        frames in prop::collection::vec(
            (0..SENDERS.len(), prop::collection::vec(any::<u8>(), 0..120), any::<u16>()), 0..20
        ),
        mutations in prop::collection::vec((packets(), any::<usize>(), any::<u8>()), 0..4),
    ) {
        let mut net = Net::new(&network);
        let other = net.port("f0");
        let try_one = |net: &mut Net, port: PortId, frame: &mut Vec<u8>, offload: Offload| {
            let now = net.now;
            let to = match net.dataplane.forward(port, frame, offload, now) {
                Verdict::Forward(to) => vec![to],
                Verdict::Drop(_) => vec![],
                Verdict::Emit => net.dataplane.emitted().iter().map(|(to, _)| *to).collect(),
            };
            // No address is routed to f0 from outside of its VPC.
            let snapshot = net.dataplane.snapshot();
            to.iter().all(|&to| to != other || snapshot.same_vpc(port, other))
        };
        for (from, bytes, gso_size) in frames {
            let port = net.port(SENDERS[from].0);
            let offload = Offload { gso_size, partial_checksum: gso_size % 2 == 0 };
            let mut frame = bytes.clone();
            prop_assert!(try_one(&mut net, port, &mut frame, offload));
            // The same behind MAC addresses that get past the link.
            let line = format!("{} sends udp {} > 10.0.0.11", SENDERS[from].0, SENDERS[from].1);
            let (_, good) = net.frame(&line);
            let mut frame = good[..14].to_vec();
            frame.extend(&bytes);
            prop_assert!(try_one(&mut net, port, &mut frame, offload));
        }
        for (burst, at, value) in mutations {
            for (line, _) in burst {
                let (port, mut frame) = net.frame(&line);
                let at = at % frame.len();
                frame[at] = value;
                prop_assert!(try_one(&mut net, port, &mut frame, Offload::default()));
                frame.truncate(at);
                prop_assert!(try_one(&mut net, port, &mut frame, Offload::default()));
            }
        }
        net.dataplane.sweep(net.now + Duration::from_secs(1_000_000));
        net.dataplane.sweep(net.now + Duration::from_secs(2_000_000));
        prop_assert_eq!(net.dataplane.flows(), 0);
        prop_assert_eq!(net.dataplane.connections(), 0);
    }

    #[test]
    fn compiled_rules_agree_with_naive_ones(
        network in network(),
        src in address(),
        dst in address(),
        l4 in prop_oneof![
            (1_u16..6, 1_u16..6).prop_map(|(src, dst)| (6, L4::Ports { src, dst })),
            (1_u16..6, 1_u16..6).prop_map(|(src, dst)| (17, L4::Ports { src, dst })),
            (prop_oneof![Just(0_u8), Just(8)], 0_u8..2)
                .prop_map(|(icmp_type, code)| (1, L4::Icmp { icmp_type, code, id: 1 })),
            Just((6, L4::None)),
            Just((47, L4::None)),
        ],
    ) {
        let net = Net::with_limits(&network, small());
        let snapshot = net.dataplane.snapshot();
        let state = net.fixture.world.region(&net.fixture.scope).unwrap();
        let packet = Tuple {
            src: IpAddr::V4(src),
            dst: IpAddr::V4(dst),
            protocol: l4.0,
            l4: l4.1,
        };
        for name in ["e0", "e1", "e2", "e4"] {
            let compiled = snapshot.interface(net.port(name)).unwrap();
            let row = state.network_interfaces.get(&fixture::eni(name)).unwrap();
            let subnet = snapshot.subnet_of(compiled);
            let table = state
                .route_table_of(state.subnets.get(&row.subnet_id).unwrap())
                .unwrap();
            let acl = state.network_acl_of(row.subnet_id).unwrap();
            for egress in [false, true] {
                prop_assert_eq!(
                    compiled.groups.allow(egress, &packet).is_some(),
                    reference::groups_allow(state, &row.groups, egress, &packet)
                );
                let entry = subnet.network_acl.as_ref().unwrap().decide(egress, &packet);
                prop_assert_eq!(
                    entry.is_some_and(|e| e.action == model::RuleAction::Allow),
                    reference::acl_allows(acl, egress, &packet)
                );
            }
            prop_assert_eq!(
                subnet.route_table.as_ref().unwrap().lookup(packet.dst).map(|r| r.destination),
                reference::route(state, table, packet.dst).map(|r| r.destination)
            );
        }
    }
}
