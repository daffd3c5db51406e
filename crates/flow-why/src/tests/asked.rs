//! Records as people paste them.

use dataplane::Direction::Egress;
use expect_test::expect;
use flow_logs::LogFormat;

use super::Net;
use crate::{Asked, Malformed};

/// The records of a text, none of which is malformed.
fn asked(text: &str, format: Option<&LogFormat>) -> Result<Vec<Asked>, Malformed> {
    crate::asked(text, format).into_iter().collect()
}

const LINE: &str = "2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 \
                    1418530070 ACCEPT OK";

#[test]
fn lines_of_any_format_are_read() {
    let default = asked(&format!("\n{LINE}\n"), None).unwrap();
    assert_eq!(default.len(), 1);
    assert_eq!(default[0].line, 2);
    assert_eq!(
        default[0].times(),
        (Some(1_418_530_010), Some(1_418_530_070))
    );
    let header = "interface-id start end\neni-1235b8ca123456789 1 2\n";
    let with_header = asked(header, None).unwrap();
    let format = LogFormat::parse("${interface-id} ${start} ${end}").unwrap();
    let with_format = asked("eni-1235b8ca123456789 1 2", Some(&format)).unwrap();
    let json = r#"{"interface-id":"eni-1235b8ca123456789","start":1,"end":2,"why":"…"}"#;
    let of_json = asked(json, None).unwrap();
    for asked in [&with_header, &with_format, &of_json] {
        assert_eq!(asked[0].times(), (Some(1), Some(2)));
        assert_eq!(
            asked[0].interface_id(),
            Some("eni-1235b8ca123456789".parse().unwrap())
        );
    }
}

#[test]
fn a_record_is_found_by_what_its_line_tells() {
    let net = Net::new(
        "subnet a 10.0.1.0/24\neni x 10.0.1.10 in a\neni y 10.0.1.20 in a\n",
        "x sends udp 10.0.1.10:40000 > 10.0.1.20:53\nx sends udp 10.0.1.10:40001 > 10.0.1.20:53",
    );
    let line = net.record("x", Egress).render(&LogFormat::default());
    let asked = asked(&line, None).unwrap();
    let found = net.records.iter().filter(|record| asked[0].is(record));
    assert_eq!(found.count(), 1);
}

#[test]
fn what_is_no_record_is_refused_with_its_place() {
    let refused = |text: &str| asked(text, None).unwrap_err().to_string() + "\n";
    let short = LINE.replace(" OK", "");
    let mut told = refused(&format!("{LINE}\n{short}"));
    for (from, to) in [
        ("20641", "99999"),
        ("172.31.16.21", "172.31.16.256"),
        ("eni-1235b8ca123456789", "eni-nothing"),
        ("ACCEPT", "MAYBE"),
        (" 22 ", "  22 "),
    ] {
        told += &refused(&LINE.replace(from, to));
    }
    told += &refused("{\"interface-id\"");
    told += &refused("{\"start\": 4}");
    expect![[r#"
        line 2: a record of this format has 14 values with single spaces between them, this line has 13 (--log-format or a header line names another format)
        line 1: srcport cannot be "99999"
        line 1: dstaddr cannot be "172.31.16.256"
        line 1: interface-id cannot be "eni-nothing"
        line 1: action cannot be "MAYBE"
        line 1: a record of this format has 14 values with single spaces between them, this line has 15 (--log-format or a header line names another format)
        line 1: not a JSON object: EOF while parsing an object at line 1 column 15
        line 1: neither interface-id nor addresses: it could be any record
    "#]].assert_eq(&told);
}

#[test]
fn a_malformed_line_leaves_the_others() {
    let asked = crate::asked(&format!("{LINE}\nnonsense\n\n{LINE}\n"), None);
    let lines: Vec<_> = asked
        .iter()
        .map(|asked| asked.as_ref().map(|a| a.line).map_err(|m| m.line))
        .collect();
    assert_eq!(lines, [Ok(1), Err(2), Ok(4)]);
}

#[test]
fn records_without_a_flow_say_so() {
    let nodata =
        "2 123456789010 eni-1235b8ca111122223 - - - - - - - 1431280876 1431280934 - NODATA";
    assert_eq!(
        asked(nodata, None).unwrap()[0].without_flow(),
        Some("NODATA")
    );
}
