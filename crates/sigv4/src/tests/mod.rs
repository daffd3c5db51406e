//! Tests of the crate through its public interface.

mod examples;
mod properties;

use crate::date;

#[test]
fn dates_are_read_and_written() {
    let cases = [
        ("19700101T000000Z", 0),
        ("20000229T235959Z", 951_868_799),
        ("20000301T000000Z", 951_868_800),
        ("20130524T000000Z", 1_369_353_600),
        ("21000228T000000Z", 4_107_456_000),
        ("21000301T000000Z", 4_107_542_400),
        ("99991231T235959Z", 253_402_300_799),
    ];
    for (text, unix_s) in cases {
        assert_eq!(date::format_amz(unix_s), text);
        assert_eq!(date::parse_amz(text), Some(unix_s));
    }
    assert_eq!(date::format_amz(u64::MAX), "99991231T235959Z");
    assert_eq!(
        date::parse_http("Sun, 06 Nov 1994 08:49:37 GMT"),
        Some(784_111_777)
    );
}

#[test]
fn impossible_dates_are_refused() {
    for text in [
        "",
        "20260131",
        "20260131T235959",
        "2026-01-31T23:59",
        "20261301T000000Z",
        "20260229T000000Z",
        "21000229T000000Z",
        "20260100T000000Z",
        "20260131T240000Z",
        "20260131T236000Z",
        "20260131T235960Z",
        "19691231T235959Z",
        "+0260131T235959Z",
        "2026013\u{e9}T23595Z",
    ] {
        assert_eq!(date::parse_amz(text), None, "{text}");
    }
    for text in [
        "",
        "Sun, ",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 31 Feb 1994 08:49:37 GMT",
    ] {
        assert_eq!(date::parse_http(text), None, "{text}");
    }
}
