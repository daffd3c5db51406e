//! IPFIX messages, read by a decoder that knows only what RFC 7011 says and the templates in the messages.

use std::collections::BTreeMap;

use expect_test::expect;
use model::Timestamp;

use super::{accepted_ipv6, refused, skipped};
use crate::ipfix::{Exporter, MESSAGE_BYTES_MAX};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_060);

type Templates = BTreeMap<u16, Vec<(u16, u16)>>;

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// The data records of a message as numbers by information element; templates are learnt.
fn decode(message: &[u8], templates: &mut Templates) -> Vec<BTreeMap<u16, Vec<u8>>> {
    assert_eq!(u16_at(message, 0), 10);
    assert_eq!(usize::from(u16_at(message, 2)), message.len());
    assert_eq!(u32_at(message, 4), 1_700_000_060);
    let mut records = Vec::new();
    let mut rest = &message[16..];
    while !rest.is_empty() {
        let (id, length) = (u16_at(rest, 0), usize::from(u16_at(rest, 2)));
        let mut set = &rest[4..length];
        rest = &rest[length..];
        while !set.is_empty() {
            if id == 2 {
                let (template, count) = (u16_at(set, 0), usize::from(u16_at(set, 2)));
                let fields = (0..count).map(|i| (u16_at(set, 4 + 4 * i), u16_at(set, 6 + 4 * i)));
                templates.insert(template, fields.collect());
                set = &set[4 + 4 * count..];
                continue;
            }
            let mut record = BTreeMap::new();
            for &(element, length) in &templates[&id] {
                let (skip, length) = match length {
                    65_535 => (1, usize::from(set[0])),
                    length => (0, usize::from(length)),
                };
                record.insert(element, set[skip..skip + length].to_vec());
                set = &set[skip + length..];
            }
            records.push(record);
        }
    }
    records
}

fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[test]
fn records_are_read_back_by_their_templates() {
    let mut exporter = Exporter::new(1, MESSAGE_BYTES_MAX);
    let mut templates = Templates::new();
    assert!(decode(&exporter.templates(NOW), &mut templates).is_empty());
    let messages = exporter.data(&[refused(), skipped(), accepted_ipv6()], NOW);
    assert_eq!(messages.len(), 1);
    let mut text = String::new();
    for record in decode(&messages[0], &mut templates) {
        for (element, value) in record {
            text += &match element {
                82 => format!("{element} {}\n", String::from_utf8(value).unwrap()),
                27 | 28 => format!("{element} {value:x?}\n"),
                _ => format!("{element} {}\n", number(&value)),
            };
        }
        text.push('\n');
    }
    expect![[r#"
        1 180
        2 3
        4 6
        6 2
        7 40000
        8 167772426
        11 5432
        12 167772222
        61 0
        82 eni-0123456789abcdef0
        89 129
        152 1700000000250
        153 1700000003750
        233 3

        1 180
        2 3
        4 58
        6 0
        7 0
        11 0
        27 [20, 1, d, b8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
        28 [20, 1, d, b8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]
        61 1
        82 eni-0123456789abcdef0
        89 64
        152 1700000000250
        153 1700000003750
        233 1

    "#]]
    .assert_eq(&text);
}

#[test]
fn messages_fit_and_are_numbered_by_the_records_before_them() {
    let records: Vec<_> = (0..1000)
        .map(|n| {
            if n % 3 == 0 {
                accepted_ipv6()
            } else {
                refused()
            }
        })
        .collect();
    let mut exporter = Exporter::new(7, MESSAGE_BYTES_MAX);
    let mut templates = Templates::new();
    decode(&exporter.templates(NOW), &mut templates);
    let (mut count, mut bytes) = (0, 0);
    for message in exporter.data(&records, NOW) {
        assert!(message.len() <= MESSAGE_BYTES_MAX, "{}", message.len());
        assert_eq!((u32_at(&message, 8), u32_at(&message, 12)), (count, 7));
        let records = decode(&message, &mut templates);
        count += records.len() as u32;
        bytes += records.iter().map(|r| number(&r[&1])).sum::<u64>();
    }
    assert_eq!((count, bytes), (1000, 180_000));
    // A template message counts no records.
    assert_eq!(u32_at(&exporter.templates(NOW), 8), 1000);
}
