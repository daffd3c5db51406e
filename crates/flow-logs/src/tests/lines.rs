//! Nothing is lost and nothing is counted twice, whatever the order of things.

use std::collections::BTreeMap;

use model::TrafficType;
use proptest::prelude::*;

use super::support::{ENI, OTHER_ENI, SUBNET, VPC, at, interface, sample, world};
use crate::{Aggregation, Aggregator, ClosedWindow, Field, LogFormat, batches, coverage};

#[derive(Clone, Debug)]
enum Step {
    Observe {
        eni: usize,
        flow: u16,
        accept: bool,
        packets: u64,
        bytes: u64,
        age: u64,
        length: u64,
    },
    CloseDue,
    CloseAll,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..2usize, 0..6u16, any::<bool>(), 1..50u64, 1..9000u64, 0..90u64, 0..90u64).prop_map(
            |(eni, flow, accept, packets, bytes, age, length)| Step::Observe {
                eni, flow, accept, packets, bytes, age, length
            }
        ),
        2 => Just(Step::CloseDue),
        1 => Just(Step::CloseAll),
        3 => (0..400u64).prop_map(Step::Wait),
    ]
}

/// Packets and bytes by interface and action.
type Sums = BTreeMap<(String, String), (u64, u64)>;

fn sums_of_lines(windows: &[ClosedWindow], traffic_type: TrafficType, sums: &mut Sums) {
    for batch in batches(windows) {
        let format = LogFormat::from_header(batch.lines.header()).unwrap();
        let starts: Vec<_> = batch
            .lines
            .iter()
            .map(|(l, _)| (l.start, l.recorder))
            .collect();
        assert!(starts.is_sorted());
        for (line, text) in batch.lines.iter() {
            assert!(line.start <= line.end);
            assert!(batch.slot <= line.end && line.end < batch.slot + crate::s3_key::SLOT);
            let record = format.split(text).unwrap();
            assert_eq!(record.to_string(), text);
            if batch.stream_type != traffic_type || record.get(Field::LogStatus) != Some("OK") {
                continue;
            }
            let text = |field| record.get(field).unwrap().to_owned();
            let sum = sums
                .entry((text(Field::InterfaceId), text(Field::Action)))
                .or_default();
            sum.0 += record.number(Field::Packets).unwrap();
            sum.1 += record.number(Field::Bytes).unwrap();
        }
    }
}

proptest! {
    #[test]
    fn sums_of_records_equal_sums_of_samples(
        steps in proptest::collection::vec(step(), 0..60),
        as_requested in any::<bool>(),
    ) {
        let aggregation = if as_requested { Aggregation::AsRequested } else { Aggregation::Nitro };
        let mut aggregator = Aggregator::new(aggregation, 1000);
        let logs = [format!("{VPC} ALL s3:a 600"), format!("{SUBNET} REJECT s3:r 60")];
        aggregator.set_coverage(coverage(&world(&[ENI, OTHER_ENI], &[&logs[0], &logs[1]])), at(0));
        let interfaces = [interface(ENI), interface(OTHER_ENI)];
        let (mut expected, mut all, mut rejected) = (Sums::new(), Sums::new(), Sums::new());
        let mut now = 1000;
        let mut closed = Vec::new();
        for step in steps {
            match step {
                Step::Wait(secs) => now += secs,
                Step::CloseDue => closed.extend(aggregator.close_due(at(now))),
                Step::CloseAll => closed.extend(aggregator.close_all(at(now))),
                Step::Observe { eni, flow, accept, packets, bytes, age, length } => {
                    let action = if accept { "accept" } else { "reject" };
                    let first = now - age;
                    let last = first + length;
                    let text = format!(
                        "ingress tcp 10.0.1.20:{flow} > 10.0.0.62:80 {action} {packets} {bytes} 2 {first}..{last}"
                    );
                    aggregator.observe(&sample(&interfaces[eni], &text));
                    let key = (interfaces[eni].recorder.to_string(), action.to_uppercase());
                    let sum = expected.entry(key).or_default();
                    sum.0 += packets;
                    sum.1 += bytes;
                }
            }
        }
        closed.extend(aggregator.close_all(at(now)));
        prop_assert_eq!(aggregator.flows(), 0);
        prop_assert_eq!(aggregator.open_records().count(), 0);
        sums_of_lines(&closed, TrafficType::All, &mut all);
        sums_of_lines(&closed, TrafficType::Reject, &mut rejected);
        prop_assert_eq!(&all, &expected);
        expected.retain(|(_, action), _| action == "REJECT");
        prop_assert_eq!(&rejected, &expected);
    }
}
