//! One record for each flow of a window, whatever came in between: against sums made naively.

use std::collections::BTreeMap;

use model::TrafficType;
use proptest::prelude::*;

use super::support::{ENI, OTHER_ENI, VPC, at, interface, sample, world};
use crate::{Aggregation, Aggregator, LogFormat, batches, coverage};

/// Of every part of a flow's key there are two values: recorder, direction, protocol, source address and port,
/// destination address and port, action.
type Key = [bool; 8];

fn text(key: Key, packets: u64, bytes: u64, flags: u8, first: u64, last: u64) -> String {
    let pick = |at: usize, values: [&'static str; 2]| values[usize::from(key[at])];
    format!(
        "{} {} {}:{} > {}:{} {} {packets} {bytes} {flags} {first}..{last}",
        pick(1, ["ingress", "egress"]),
        pick(2, ["tcp", "udp"]),
        pick(3, ["10.0.1.1", "10.0.1.2"]),
        pick(4, ["1", "2"]),
        pick(5, ["10.0.2.1", "10.0.2.2"]),
        pick(6, ["1", "2"]),
        pick(7, ["accept", "reject"]),
    )
}

proptest! {
    #[test]
    fn a_window_has_one_record_of_each_flow(
        seen in prop::collection::vec(
            (any::<Key>(), 1..5_u64, 1..99_u64, prop::sample::select(vec![0_u8, 1, 2, 4, 18]), 0..60_u64, 0..60_u64),
            1..120,
        ),
    ) {
        let mut aggregator = Aggregator::new(Aggregation::Nitro, 1000);
        aggregator.set_coverage(coverage(&world(&[ENI, OTHER_ENI], &[&format!("{VPC} ALL s3:a 60")])), at(0));
        let recorders = [interface(ENI), interface(OTHER_ENI)];
        // The window begins with the first packet.
        aggregator.observe(&sample(&recorders[0], "ingress icmp 1.1.1.1:0 > 1.1.1.2:0 accept 1 1 0 600..600"));
        type Sum = (u64, u64, u8, u64, u64);
        let mut expected: BTreeMap<Key, Sum> = BTreeMap::new();
        for (key, packets, bytes, flags, one, other) in seen {
            let (first, last) = (600 + one.min(other), 600 + one.max(other));
            let line = text(key, packets, bytes, flags, first, last);
            aggregator.observe(&sample(&recorders[usize::from(key[0])], &line));
            let sum = expected.entry(key).or_insert((0, 0, 0, u64::MAX, 0));
            *sum = (sum.0 + packets, sum.1 + bytes, sum.2 | flags, sum.3.min(first), sum.4.max(last));
        }
        let mut closed = aggregator.close_due(at(660));
        for window in &mut closed {
            for subscription in &mut window.subscriptions {
                let mut own = (**subscription).clone();
                own.format = LogFormat::from_header(
                    "interface-id flow-direction protocol srcaddr srcport dstaddr dstport action \
                     packets bytes tcp-flags start end",
                ).unwrap();
                prop_assert_eq!(own.traffic_type, TrafficType::All);
                *subscription = own.into();
            }
        }
        let mut lines: Vec<_> = batches(&closed).iter().flat_map(|b| b.lines.iter().map(|(_, text)| text.to_owned()).collect::<Vec<_>>()).collect();
        lines.retain(|line| !line.contains("1.1.1.1"));
        lines.sort();
        let mut wanted: Vec<_> = expected.into_iter().map(|(key, sum)| {
            let pick = |at: usize, values: [&'static str; 2]| values[usize::from(key[at])];
            format!(
                "{} {} {} {} {} {} {} {} {} {} {} {} {}",
                pick(0, [ENI, OTHER_ENI]),
                pick(1, ["ingress", "egress"]),
                pick(2, ["6", "17"]),
                pick(3, ["10.0.1.1", "10.0.1.2"]),
                pick(4, ["1", "2"]),
                pick(5, ["10.0.2.1", "10.0.2.2"]),
                pick(6, ["1", "2"]),
                pick(7, ["ACCEPT", "REJECT"]),
                sum.0, sum.1, sum.2, sum.3, sum.4,
            )
        }).collect();
        wanted.sort();
        prop_assert_eq!(lines, wanted);
    }
}
