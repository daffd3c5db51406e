//! Every operator, on what it compares and on what is missing.

use super::*;
use crate::condition;

/// Whether a condition holds for a request with these keys.
fn holds(condition: &str, pairs: &[(&str, &str)]) -> bool {
    let value = serde_json::from_str(condition).unwrap();
    let conditions = condition::parse(&value, true).unwrap();
    conditions
        .iter()
        .all(|condition| condition.holds(&context(pairs)))
}

/// One line for each: operator, value in the policy, value in the request, whether it holds.
const COMPARISONS: &str = "
StringEquals              a              a              yes
StringEquals              a              A              no
StringEquals              a*             a*             yes
StringEquals              a*             ab             no
StringNotEquals           a              a              no
StringNotEquals           a              b              yes
StringEqualsIgnoreCase    ÄB             äb             yes
StringNotEqualsIgnoreCase ÄB             äb             no
StringLike                a*/?           ab/c/d         yes
StringLike                a*/?           A/b            no
StringNotLike             a*             ab             no
StringNotLike             a*             b              yes
StringEquals              ${aws:userid}  AIDA           yes
StringEquals              ${aws:nobody}  AIDA           no
StringNotEquals           ${aws:nobody}  AIDA           yes
StringLike                ${aws:nobody,'A'}*  AIDA      yes
NumericEquals             10             10.0           yes
NumericEquals             10             ten            no
NumericNotEquals          10             11             yes
NumericNotEquals          10             10             no
NumericLessThan           10             9              yes
NumericLessThan           10             10             no
NumericLessThanEquals     10             10             yes
NumericGreaterThan        10             10             no
NumericGreaterThan        -1             0              yes
NumericGreaterThanEquals  10             10             yes
DateEquals                2026-11-26     2026-11-26T00:00:00Z  yes
DateEquals                1795651200     2026-11-26T00:00:00Z  yes
DateNotEquals             2026-11-26     2026-11-26T00:00:01Z  yes
DateLessThan              2026-11-26T12:00:00Z  2026-11-26T12:59:59+01:00  yes
DateLessThan              2026-11        2026-10-31T23:59:59.5Z  yes
DateLessThanEquals        2026           1767225600     yes
DateGreaterThan           2026-11-26T12:00Z  2026-11-26T12:00:00Z  no
DateGreaterThanEquals     2026-11-26T12:00Z  2026-11-26T12:00:00Z  yes
Bool                      true           true           yes
Bool                      true           false          no
Bool                      False          false          yes
BinaryEquals              AQI=           AQI=           yes
BinaryEquals              AQI=           AQM=           no
IpAddress                 10.0.0.0/8     10.1.2.3       yes
IpAddress                 10.0.0.0/8     11.1.2.3       no
IpAddress                 10.0.0.1       10.0.0.1       yes
IpAddress                 2001:db8::/32  2001:db8:1::1  yes
IpAddress                 10.0.0.0/8     ::ffff:10.1.2.3  yes
IpAddress                 ::/0           10.0.0.1       no
NotIpAddress              10.0.0.0/8     10.1.2.3       no
NotIpAddress              10.0.0.0/8     11.1.2.3       yes
ArnEquals   arn:aws:iam::*:user/*  arn:aws:iam::1:user/a/b  yes
ArnLike     arn:aws:iam::1*:user/*  arn:aws:iam::12:user/a  yes
ArnLike     arn:aws:iam:*:user/a    arn:aws:iam::1:user/a   no
ArnLike     arn:aws:*:*:*:*         arn:aws:iam::1:user/a:b  yes
ArnLike     arn:aws:iam::1:user/${aws:userid}  arn:aws:iam::1:user/AIDA  yes
ArnLike     *                       arn:aws:iam::1:user/a   yes
ArnLike     user                    user                    no
ArnNotEquals arn:aws:iam::1:user/a  arn:aws:iam::1:user/a   no
ArnNotLike  arn:aws:iam::1:user/*   arn:aws:iam::2:user/a   yes
Null                      true           x              no
Null                      false          x              yes
";

#[test]
fn every_operator_compares_as_documented() {
    for line in COMPARISONS.lines().filter(|line| !line.is_empty()) {
        let fields: Vec<_> = line.split_whitespace().collect();
        let [operator, operand, value, expected] = fields[..] else {
            panic!("{line}");
        };
        let condition = format!(r#"{{"{operator}":{{"aws:Key":"{operand}"}}}}"#);
        let pairs = [("AWS:key", value), ("aws:userid", "AIDA")];
        assert_eq!(holds(&condition, &pairs), expected == "yes", "{line}");
    }
}

/// What holds for a request that does not have the key.
#[test]
fn a_missing_key_satisfies_what_is_negated_or_conditional() {
    for (operator, value, expected) in [
        ("StringEquals", "a", false),
        ("StringEqualsIgnoreCase", "a", false),
        ("StringLike", "*", false),
        ("StringNotEquals", "a", true),
        ("StringNotEqualsIgnoreCase", "a", true),
        ("StringNotLike", "*", true),
        ("NumericEquals", "1", false),
        ("NumericLessThan", "1", false),
        ("NumericNotEquals", "1", true),
        ("DateEquals", "2026", false),
        ("DateNotEquals", "2026", true),
        ("Bool", "false", false),
        ("BinaryEquals", "AQI=", false),
        ("IpAddress", "0.0.0.0/0", false),
        ("NotIpAddress", "0.0.0.0/0", true),
        ("ArnLike", "*", false),
        ("ArnNotLike", "*", true),
        ("Null", "true", true),
        ("Null", "false", false),
        ("StringEqualsIfExists", "a", true),
        ("StringNotEqualsIfExists", "a", true),
        ("BoolIfExists", "true", true),
        ("IpAddressIfExists", "10.0.0.0/8", true),
        ("ForAllValues:StringEquals", "a", true),
        ("ForAllValues:StringNotEquals", "a", true),
        ("ForAnyValue:StringEquals", "a", false),
        ("ForAnyValue:StringNotEquals", "a", false),
        ("ForAnyValue:StringEqualsIfExists", "a", true),
    ] {
        let condition = format!(r#"{{"{operator}":{{"aws:Key":"{value}"}}}}"#);
        assert_eq!(holds(&condition, &[]), expected, "{operator}");
    }
}

#[test]
fn keys_with_several_values() {
    for (operator, values, expected) in [
        ("ForAllValues:StringEquals", &["a", "b"][..], true),
        ("ForAllValues:StringEquals", &["a", "c"], false),
        ("ForAnyValue:StringEquals", &["c", "b"], true),
        ("ForAnyValue:StringEquals", &["c", "d"], false),
        ("ForAllValues:StringNotEquals", &["c", "d"], true),
        ("ForAllValues:StringNotEquals", &["a", "d"], false),
        ("ForAnyValue:StringNotEquals", &["a", "d"], true),
        ("ForAnyValue:StringNotEquals", &["a", "b"], false),
        ("StringNotEquals", &["c"], true),
        ("StringNotEquals", &["b"], false),
    ] {
        let condition = format!(r#"{{"{operator}":{{"aws:TagKeys":["a","b"]}}}}"#);
        let pairs: Vec<_> = values.iter().map(|value| ("aws:TagKeys", *value)).collect();
        assert_eq!(holds(&condition, &pairs), expected, "{operator} {values:?}");
    }
}

#[test]
fn all_keys_and_operators_have_to_hold() {
    let condition = r#"{"StringEquals":{"aws:a":["1","2"],"aws:b":"3"},"Bool":{"aws:c":true}}"#;
    let all = [("aws:a", "2"), ("aws:b", "3"), ("aws:c", "true")];
    assert!(holds(condition, &all));
    for without in 0..3 {
        let mut pairs = all.to_vec();
        pairs.remove(without);
        assert!(!holds(condition, &pairs), "{pairs:?}");
    }
}

#[test]
fn variables_are_text_in_the_older_version() {
    let value = serde_json::from_str(r#"{"StringEquals":{"aws:Key":"${aws:userid}"}}"#).unwrap();
    let old = condition::parse(&value, false).unwrap();
    assert!(old[0].holds(&context(&[("aws:Key", "${aws:userid}")])));
    assert!(!old[0].holds(&context(&[("aws:Key", "AIDA"), ("aws:userid", "AIDA")])));
}
