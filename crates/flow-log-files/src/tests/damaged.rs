//! Files with faults: each fault is told with its place, and everything else is read.

use std::io::{self, BufReader, Read};

use expect_test::{Expect, expect};

use super::support::{DEFAULT, Noted, read};
use crate::{gzip, read_text};

#[expect(clippy::needless_pass_by_value, reason = "as expect_test writes it")]
fn check(bytes: &[u8], expected: Expect) {
    expected.assert_eq(&read(bytes).text());
}

#[test]
fn without_a_header_it_is_the_default_format() {
    let (_, records) = DEFAULT.split_once('\n').unwrap();
    assert_eq!(
        read(records.as_bytes()).text(),
        read(DEFAULT.as_bytes()).text()
    );
    assert_eq!(read(DEFAULT.as_bytes()).records.len(), 4);
}

#[test]
fn headers_with_underscores_unknown_fields_and_windows_line_ends() {
    check(
        b"srcaddr log_status brand-new\r\n10.0.0.1 OK x\r\n- NODATA -",
        expect![[r#"
            header srcaddr log-status brand-new
            record 10.0.0.1 OK x
            record - NODATA -
        "#]],
    );
}

#[test]
fn files_that_were_put_together() {
    let two = [
        gzip(b"srcaddr dstaddr\n10.0.0.1 10.0.0.2\n"),
        gzip(b"srcaddr dstaddr\n10.0.0.3 10.0.0.4\n"),
        gzip(b"start end bytes\n1 2 3\n"),
    ];
    check(
        &two.concat(),
        expect![[r#"
            header srcaddr dstaddr
            header start end bytes
            record 10.0.0.1 10.0.0.2
            record 10.0.0.3 10.0.0.4
            record 1 2 3
        "#]],
    );
}

#[test]
fn a_byte_order_mark_and_padding_are_no_damage() {
    let marked = format!("\u{feff}{DEFAULT}");
    assert_eq!(
        read(marked.as_bytes()).text(),
        read(DEFAULT.as_bytes()).text()
    );
    assert_eq!(
        read(&gzip(marked.as_bytes())).text(),
        read(DEFAULT.as_bytes()).text()
    );
    let mut padded = gzip(DEFAULT.as_bytes());
    padded.resize(padded.len().next_multiple_of(512) + 512, 0);
    assert_eq!(read(&padded).text(), read(DEFAULT.as_bytes()).text());
    // Also where a copy by the block stands before another.
    let (_, records) = DEFAULT.split_once('\n').unwrap();
    padded.extend(gzip(records.as_bytes()));
    let twice = read(&padded);
    assert_eq!((twice.records.len(), twice.problems.len()), (8, 0));
    padded.extend(b"\0\0rubbish");
    let damaged = read(&padded);
    assert_eq!((damaged.records.len(), damaged.problems.len()), (8, 1));
}

#[test]
fn malformed_lines() {
    let text = "srcaddr srcport bytes\n\
        10.0.0.1 80 100\n\
        10.0.0.1 80\n\
        10.0.0.1 80 100 7\n\
        10.0.0.1  80 100\n\
        10.0.0.1 80 100 \n\
        10.0.0 80 100\n\
        10.0.0.1 http 100\n\
        10.0.0.1 80 18446744073709551616\n\
        \n\
        10.0.0.1 \u{1b}[31m 1\n\
        fd00::1 - -\n";
    let mut bytes = text.as_bytes().to_vec();
    bytes.extend_from_slice(b"\xff\xfe 1 2\n10.0.0.2 81 200");
    check(
        &bytes,
        expect![[r#"
        header srcaddr srcport bytes
        record 10.0.0.1 80 100
        record fd00::1 - -
        record 10.0.0.2 81 200
        problem :3: 2 values where the format has 3 fields: "10.0.0.1 80"
        problem :4: 4 values where the format has 3 fields: "10.0.0.1 80 100 7"
        problem :5: 4 values where the format has 3 fields: "10.0.0.1  80 100"
        problem :6: 4 values where the format has 3 fields: "10.0.0.1 80 100 "
        problem :7: "10.0.0" is no value of srcaddr: "10.0.0 80 100"
        problem :8: "http" is no value of srcport: "10.0.0.1 http 100"
        problem :9: "18446744073709551616" is no value of bytes: "10.0.0.1 80 18446744073709551616"
        problem :10: 1 values where the format has 3 fields: ""
        problem :11: "\u{1b}[31m" is no value of srcport: "10.0.0.1 \u{1b}[31m 1"
        problem :13: not UTF-8: "�� 1 2"
    "#]],
    );
}

#[test]
fn a_line_without_end_is_passed_over() {
    let mut text = String::from("srcaddr bytes\n10.0.0.1 1\n");
    text.push_str(&"x".repeat(3 << 20));
    text.push_str("\n10.0.0.2 2\n");
    let noted = read(text.as_bytes());
    assert_eq!(noted.records, ["10.0.0.1 1", "10.0.0.2 2"]);
    assert!(noted.problems[0].starts_with(":3: a line of more than 256 KiB: \"xxx"));
    assert_eq!(noted.problems.len(), 1);
    assert!(noted.problems[0].len() < 300);
}

#[test]
fn truncated_and_damaged_gzip() {
    let mut text = String::from("srcaddr bytes\n");
    for n in 0..100_000 {
        text += &format!("10.0.{}.{} {n}\n", n / 256 % 256, n % 256);
    }
    let whole = gzip(text.as_bytes());
    let cut = read(&whole[..whole.len() / 2]);
    let came = cut.records.len();
    assert!(came > 1000 && came < 100_000, "{came}");
    let place = came + 2;
    assert_eq!(
        cut.problems,
        [format!(
            ":{place}: the gzip file ends in the middle of this line; it is cut short"
        )]
    );
    let mut wrong = whole.clone();
    let checksum = wrong.len() - 8;
    wrong[checksum] ^= 1;
    let wrong = read(&wrong);
    assert_eq!(wrong.records.len(), 100_000);
    assert_eq!(wrong.problems.len(), 1, "{:?}", wrong.problems);
}

#[test]
fn the_visitor_can_stop() {
    let mut noted = Noted {
        limit: Some(2),
        ..Noted::default()
    };
    assert!(!read_text(DEFAULT.as_bytes(), &mut noted).unwrap());
    assert_eq!(noted.records.len(), 2);
}

/// Gives a byte at a time, then fails.
struct Failing<'a>(&'a [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.split_first() {
            None => Err(io::Error::other("the network is gone")),
            Some((byte, rest)) => {
                (buffer[0], self.0) = (*byte, rest);
                Ok(1)
            }
        }
    }
}

#[test]
fn records_before_a_failure_are_given() {
    let mut noted = Noted::default();
    let input = BufReader::with_capacity(1, Failing(DEFAULT.as_bytes()));
    let error = read_text(input, &mut noted).unwrap_err();
    assert_eq!(error.to_string(), "the network is gone");
    assert_eq!(noted.records.len(), 4);
}
