//! Every format, whole and damaged.

use std::io::Write as _;

use expect_test::expect;
use proptest::prelude::*;

use super::support::{Part::*, block, body, pcap, pcap_packet, read};
use crate::{Direction, InterfaceStatistics, Item, Reader, Record, Writer};

const MICROSECONDS: [u8; 4] = [0xd4, 0xc3, 0xb2, 0xa1];

#[test]
fn pcap_of_both_byte_orders_and_both_units() {
    for (magic, big) in [
        (0xa1b2_c3d4_u32, false),
        (0xa1b2_c3d4, true),
        (0xa1b2_3c4d, false),
        (0xa1b2_3c4d, true),
    ] {
        let bytes = if big {
            magic.to_be_bytes()
        } else {
            magic.to_le_bytes()
        };
        let mut file = pcap(bytes, big, 96, 1);
        let fraction = if magic == 0xa1b2_c3d4 {
            250_000
        } else {
            250_000_000
        };
        file.extend(pcap_packet(big, [7, fraction, 2, 1500], &[1, 2]));
        file.extend(pcap_packet(big, [8, 0, 0, 0], &[]));
        let expected = "packet 1 at byte 24 on 0 at 7.250000000: 2 of 1500 [01, 02]\n\
                        packet 2 at byte 42 on 0 at 8.000000000: 0 of 0 []\n";
        assert_eq!(read(&file), expected, "{magic:x} {big}");
    }
}

/// Two sections of different byte orders; two interfaces, one telling time in milliseconds with an
/// offset and one in 1024ths of a second; all three kinds of packets.
fn pcapng() -> Vec<u8> {
    let mut file = Vec::new();
    for big in [false, true] {
        let section = [W(0x1a2b_3c4d), H(1), H(0), W(u32::MAX), W(u32::MAX)];
        file.extend(block(big, 0x0a0d_0d0a, &body(big, &section)));
        let offset: i64 = 100;
        let offset = if big {
            offset.to_be_bytes()
        } else {
            offset.to_le_bytes()
        };
        let options = [
            H(2),
            H(4),
            B(b"eth0"),
            H(9),
            H(1),
            B(&[3]),
            H(14),
            H(8),
            B(&offset),
            H(0),
            H(0),
        ];
        let first = [&[H(1), H(0), W(3)], &options[..]].concat_parts(big);
        file.extend(block(big, 1, &first));
        let second = body(
            big,
            &[H(101), H(0), W(0), H(9), H(1), B(&[0x8a]), H(0), H(0)],
        );
        file.extend(block(big, 1, &second));
        // A block of a kind that is nobody's business.
        file.extend(block(big, 0x0bad, &[1, 2, 3, 4]));
        let packet = [
            W(0),
            W(0),
            W(1500),
            W(5),
            W(60),
            B(&[1, 2, 3, 4, 5]),
            H(1),
            H(5),
            B(b"hello"),
            H(2),
            H(4),
            W(2),
            H(1),
            H(3),
            B(b"two"),
            H(0),
            H(0),
        ];
        file.extend(block(big, 6, &body(big, &packet)));
        file.extend(block(
            big,
            6,
            &body(big, &[W(1), W(0), W(1536), W(1), W(1), B(&[9])]),
        ));
        // Simple packets are the first interface's, and cut as that says.
        file.extend(block(big, 3, &body(big, &[W(60), B(&[7, 8, 9])])));
        file.extend(block(
            big,
            2,
            &body(big, &[H(1), H(0), W(0), W(512), W(2), W(2), B(&[5, 6])]),
        ));
    }
    file
}

trait ConcatParts {
    fn concat_parts(&self, big: bool) -> Vec<u8>;
}

impl ConcatParts for [&[super::support::Part<'_>]; 2] {
    fn concat_parts(&self, big: bool) -> Vec<u8> {
        self.iter().flat_map(|parts| body(big, parts)).collect()
    }
}

#[test]
fn pcapng_with_all_it_can_have() {
    let file = pcapng();
    expect![[r#"
        packet 1 at byte 128 on 0 at 101.500000000: 5 of 60 sent [01, 02, 03, 04, 05] "hello" "two"
        packet 2 at byte 200 on 1 at 1.500000000: 1 of 1 [09]
        packet 3 at byte 236 on 0 at no time: 3 of 60 [07, 08, 09]
        packet 4 at byte 256 on 1 at 0.500000000: 2 of 2 [05, 06]
        packet 5 at byte 420 on 2 at 101.500000000: 5 of 60 sent [01, 02, 03, 04, 05] "hello" "two"
        packet 6 at byte 492 on 3 at 1.500000000: 1 of 1 [09]
        packet 7 at byte 528 on 2 at no time: 3 of 60 [07, 08, 09]
        packet 8 at byte 548 on 3 at 0.500000000: 2 of 2 [05, 06]
    "#]]
    .assert_eq(&read(&file));
    let mut reader = Reader::new(file.as_slice()).unwrap();
    while reader.next().is_some() {}
    let names: Vec<_> = reader
        .interfaces()
        .iter()
        .map(|i| i.name.as_deref())
        .collect();
    assert_eq!(names, [Some("eth0"), None, Some("eth0"), None]);
}

#[test]
fn gzip_whole_and_cut() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&pcapng()).unwrap();
    let gzip = gzip.finish().unwrap();
    assert_eq!(read(&gzip), read(&pcapng()));
    let cut = read(&gzip[..gzip.len() - 60]);
    let lines: Vec<_> = cut.lines().collect();
    let (last, before) = lines.split_last().unwrap();
    assert!(last.contains("cannot be read on:"), "{last}");
    let whole = read(&pcapng());
    assert!(!before.is_empty());
    assert!(whole.starts_with(&format!("{}\n", before.join("\n"))));
}

#[test]
fn what_is_damaged_is_named_with_its_place_and_the_rest_is_read() {
    // An unknown interface, a packet that is longer than its block, then one that is fine.
    let mut file = pcapng();
    file.extend(block(
        true,
        6,
        &body(true, &[W(9), W(0), W(0), W(1), W(1), B(&[1])]),
    ));
    file.extend(block(
        true,
        6,
        &body(true, &[W(0), W(0), W(0), W(100), W(100), B(&[1])]),
    ));
    file.extend(block(
        true,
        1,
        &body(true, &[H(1), H(0), W(0), H(9), H(1), B(&[99])]),
    ));
    file.extend(block(
        true,
        6,
        &body(true, &[W(0), W(0), W(0), W(1), W(1), B(&[1])]),
    ));
    // Its length is no multiple of four.
    file.extend([0, 0, 0, 6, 0, 0, 0, 33, 0, 0, 0, 0]);
    let text = read(&file);
    let behind: String = text
        .lines()
        .skip(8)
        .map(|line| format!("{line}\n"))
        .collect();
    expect![[r#"
        packet 9 at byte 584: interface 9 has not been described, skipped
        packet 10 at byte 620: a packet's block that is too short for it, skipped
        packet 11 at byte 656: an interface with times in units that no clock has, skipped
        packet 11 at byte 684 on 2 at 100.000000000: 1 of 1 [01]
        packet 12 at byte 720: the length 33 is impossible, nothing behind it can be found
    "#]]
    .assert_eq(&behind);
}

#[test]
fn a_pcap_file_that_ends_early_says_where() {
    let mut file = pcap(MICROSECONDS, false, 0, 1);
    file.extend(pcap_packet(false, [1, 0, 2, 2], &[1, 2]));
    file.extend(pcap_packet(false, [1, 0, 9, 9], &[1, 2]));
    expect![[r#"
        packet 1 at byte 24 on 0 at 1.000000000: 2 of 2 [01, 02]
        packet 2 at byte 42: the capture ends here, 2 of 9 bytes are left
    "#]]
    .assert_eq(&read(&file));
    expect![[r#"
        packet 1 at byte 24 on 0 at 1.000000000: 2 of 2 [01, 02]
        packet 2 at byte 42: the capture ends here, 10 of 16 bytes are left
    "#]]
    .assert_eq(&read(&file[..52]));
    let mut file = pcap(MICROSECONDS, false, 0, 1);
    file.extend(pcap_packet(
        false,
        [1, 0, 20 << 20, 20 << 20],
        &vec![0; 20 << 20],
    ));
    file.extend(pcap_packet(false, [1, 0, 1, 1], &[1]));
    file.extend(pcap_packet(false, [1, 0, u32::MAX, 1], &[1]));
    expect![[r#"
        packet 1 at byte 24: 20971520 bytes are too long, skipped
        packet 2 at byte 20971560 on 0 at 1.000000000: 1 of 1 [01]
        packet 3 at byte 20971577: the length 4294967295 is impossible, nothing behind it can be found
    "#]]
    .assert_eq(&read(&file));
}

#[test]
fn what_is_no_capture_says_so() {
    assert_eq!(read(b""), "not a capture: it ends after 0 bytes\n");
    assert_eq!(
        read(b"2 123456789012 eni-1"),
        "not a capture: it begins with 32 20 31 32, not as pcap, pcapng or gzip of those does\n"
    );
    assert_eq!(
        read(&MICROSECONDS),
        "not a capture: it ends after 4 bytes\n"
    );
    assert!(read(&[0x1f, 0x8b, 8, 0]).contains("cannot be read"));
}

#[test]
fn what_is_written_reads_back() {
    let mut file = Vec::new();
    Writer::section(&mut file, "weir");
    Writer::interface(&mut file, "eni-00000001", "web", 96);
    Writer::interface(&mut file, "eni-00000002", "", 0);
    let record = Record {
        interface: 1,
        time_ns: 1_764_000_000_123_456_789,
        direction: Direction::Out,
        bytes: &[1, 2, 3],
        original_len: 1500,
        comment: "ACCEPT sg-1: allow tcp 443",
    };
    Writer::packet(&mut file, &record);
    let (direction, comment) = (Direction::In, "");
    Writer::packet(
        &mut file,
        &Record {
            interface: 0,
            direction,
            comment,
            ..record
        },
    );
    let statistics = InterfaceStatistics {
        received: 3,
        dropped: 1,
    };
    Writer::statistics(&mut file, 1, 1, &statistics, "it was deleted");
    expect![[r#"
        packet 1 at byte 148 on 1 at 1764000000.123456789: 3 of 1500 sent [01, 02, 03] "ACCEPT sg-1: allow tcp 443"
        packet 2 at byte 228 on 0 at 1764000000.123456789: 3 of 1500 received [01, 02, 03]
        statistics of 1: Some(3) received, Some(1) dropped Some("it was deleted")
    "#]]
    .assert_eq(&read(&file));
}

proptest! {
    #[test]
    fn any_bytes_are_read_to_their_end(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read(&bytes);
    }

    /// Whatever happens to a few bytes of a capture, reading ends, and packets stay in order.
    #[test]
    fn damage_is_survived(
        damage in prop::collection::vec((0_usize..700, any::<u8>()), 0..8),
        len in 0_usize..700,
    ) {
        let mut file = pcapng();
        file.truncate(len);
        for (at, byte) in damage {
            if let Some(place) = file.get_mut(at) {
                *place = byte;
            }
        }
        let Ok(mut reader) = Reader::new(file.as_slice()) else { return Ok(()) };
        let mut last = 0;
        while let Some(item) = reader.next() {
            let place = match item {
                Item::Packet(packet) => packet.place,
                Item::Problem(problem) => problem.place,
                Item::Statistics(_) => continue,
            };
            prop_assert!(place.offset >= last);
            last = place.offset;
        }
    }
}
