//! Tests of filter patterns.

use super::*;
use expect_test::expect;

const ACCEPTED: &str =
    "2 123456789012 eni-0a1b 10.0.0.5 10.0.1.9 49152 443 6 12 4096 1600000000 1600000060 ACCEPT OK";
const REJECTED: &str =
    "2 123456789012 eni-0a1b 203.0.113.7 10.0.1.9 51000 22 6 3 180 1600000000 1600000060 REJECT OK";
const NO_DATA: &str = "2 123456789012 eni-0a1b - - - - - - - 1600000000 1600000060 - NODATA";

/// Which of the three flow-log lines match: `A`ccepted, `R`ejected, `N`o data.
fn flow(pattern: &str) -> String {
    let pattern = FilterPattern::parse(pattern).unwrap();
    let lines = [("A", ACCEPTED), ("R", REJECTED), ("N", NO_DATA)];
    lines
        .iter()
        .filter(|(_, line)| pattern.matches(line))
        .map(|(name, _)| *name)
        .collect()
}

fn matches(pattern: &str, message: &str) -> bool {
    FilterPattern::parse(pattern).unwrap().matches(message)
}

#[test]
fn flow_log_patterns() {
    let default = "[version, account, eni, source, destination, srcport, destport=\"22\", \
                   protocol=\"6\", packets, bytes, windowstart, windowend, action=\"REJECT\", \
                   flowlogstatus]";
    assert_eq!(flow(default), "R");
    assert_eq!(flow("[..., action=\"REJECT\", status]"), "R");
    assert_eq!(
        flow("[version, accountid, interfaceid, srcaddr!=\"10.*\", ...]"),
        "RN"
    );
    assert_eq!(
        flow("[version, accountid, interfaceid, srcaddr, dstaddr = 10.0.1.*, ...]"),
        "AR"
    );
    assert_eq!(
        flow("[a, b, c, d, e, f, port = 22 || port = 443, ...]"),
        "AR"
    );
    assert_eq!(
        flow("[a, b, c, d, e, f, (port >= 22 && port < 100) || port = -, ...]"),
        "RN"
    );
    assert_eq!(flow("[a, b, c, d, e, f, g, h, packets > 3, ...]"), "A");
    assert_eq!(flow("[..., status = %^NODATA|OK$%]"), "ARN");
    assert_eq!(flow("[..., status = %NO.*%]"), "N");
    assert_eq!(flow("[a, b]"), "");
    assert_eq!(flow("[...]"), "ARN");
    assert_eq!(flow("REJECT"), "R");
    assert_eq!(flow("?ACCEPT ?REJECT"), "AR");
    assert_eq!(flow("eni -NODATA -REJECT"), "A");
    assert_eq!(flow("\"ACCEPT OK\""), "A");
    assert_eq!(flow("\"REJECT OK\" ?ACCEPT"), "R");
    assert_eq!(flow("%203\\.0\\.[0-9]+\\.7%"), "R");
    assert_eq!(flow(""), "ARN");
    assert_eq!(flow("\" \""), "ARN");
}

#[test]
fn terms_are_case_sensitive_substrings() {
    assert!(matches("ERR", "[ERROR] x"));
    assert!(!matches("err", "[ERROR] x"));
    assert!(matches("\"[ERROR]\"", "[ERROR] x"));
    assert!(matches("\"say \\\"hi\\\"\"", "they say \"hi\""));
    assert!(!matches("ERROR ARG", "ERROR only"));
    assert!(matches("-\"two words\" one", "one word"));
}

#[test]
fn json_patterns() {
    let event = r#"{"eventName":"RunInstances","n":5,"f":1.5,"ok":true,"no":false,"nil":null,
        "user":{"type":"Root","name":"x"},"list":[1,{"k":"v"}],"text":"22"}"#;
    for pattern in [
        "{ $.eventName = \"RunInstances\" }",
        "{ $.eventName = Run* }",
        "{ $.eventName = \"*Instances\" && $.n >= 5 }",
        "{ ($.n = 6) || ($.user.type = \"Root\" && $.user.invokedBy NOT EXISTS) }",
        "{ $.ok IS TRUE && $.no IS FALSE && $.nil IS NULL }",
        "{ $.list[0] = 1 && $.list[1].k = v }",
        "{ $.user.* = \"Ro*t\" }",
        "{ $.list[*] = 1 }",
        "{ $.f < 2 && $.f != 1 }",
        "{ $.text = 22 }",
        "{ $.eventName = %^Run[A-Z].*% }",
        "{ $[\"n\"] = 5 }",
    ] {
        assert!(matches(pattern, event), "{pattern}");
    }
    for pattern in [
        "{ $.eventName = \"runinstances\" }",
        "{ $.missing != \"x\" }",
        "{ $.missing = \"x\" }",
        "{ $.n > 5 }",
        "{ $.nil NOT EXISTS }",
        "{ $.eventName > 1 }",
    ] {
        assert!(!matches(pattern, event), "{pattern}");
    }
    assert!(!matches("{ $.a = 1 }", "not json"));
}

#[test]
fn values_that_a_pattern_names() {
    let extract = |pattern: &str, message: &str| {
        format!(
            "{:?}",
            FilterPattern::parse(pattern).unwrap().extract(message)
        )
    };
    let line = "127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] \"GET /index.html\" 404";
    expect![[r#"{"$4": "10/Oct/2000:13:25:15 -0700", "$5": "GET /index.html", "$id": "-", "$ip": "127.0.0.1", "$status": "404", "$user": "frank"}"#]]
        .assert_eq(&extract("[ip, id, user, ..., status = 4*]", line));
    expect![[r#"{"$.a.b": "7"}"#]].assert_eq(&extract("{ $.a.b > 1 }", r#"{"a":{"b":7}}"#));
}

#[test]
fn patterns_that_are_refused() {
    let refused = |pattern: &str| FilterPattern::parse(pattern).unwrap_err().to_string();
    let mut all = String::new();
    for pattern in [
        "\"open",
        "%open",
        "%a(b)%",
        "%[%",
        "a ? b",
        "[a, b",
        "[a b]",
        "[]",
        "[..., ...]",
        "[a = 1 && b = 2]",
        "[a > x]",
        "{ a = 1 }",
        "{ $.a }",
        "{ $.a = }",
        "{ ($.a = 1 }",
        "{ $.a = 1 } }",
        "{ $.a = %x% && $.b = %x% && $.c = %x% }",
    ] {
        all.push_str(&format!("{pattern} -> {}\n", refused(pattern)));
    }
    expect![[r#"
        "open -> Invalid filter pattern: a closing double quote is missing
        %open -> Invalid filter pattern: a closing % is missing
        %a(b)% -> Invalid filter pattern: the regular expression cannot have the character (
        %[% -> Invalid filter pattern: the regular expression is not valid: found unclosed character class
        a ? b -> Invalid filter pattern: a term is missing
        [a, b -> Invalid filter pattern: the closing bracket is missing
        [a b] -> Invalid filter pattern: a comma is missing before b
        [] -> Invalid filter pattern: a field name is missing before 
        [..., ...] -> Invalid filter pattern: an ellipsis can appear once only
        [a = 1 && b = 2] -> Invalid filter pattern: the conditions of a field must all use its name
        [a > x] -> Invalid filter pattern: an ordering operator needs a number
        { a = 1 } -> Invalid filter pattern: a selector that begins with $ is missing before a = 1
        { $.a } -> Invalid filter pattern: an operator is missing after $.a
        { $.a = } -> Invalid filter pattern: a value is missing after the operator
        { ($.a = 1 } -> Invalid filter pattern: a closing parenthesis is missing
        { $.a = 1 } } -> Invalid filter pattern: unexpected }
        { $.a = %x% && $.b = %x% && $.c = %x% } -> Invalid filter pattern: a structured pattern can have at most 2 regular expressions
    "#]].assert_eq(&all);
    assert_eq!(
        FilterPattern::parse(&"a".repeat(1025)).unwrap_err(),
        PatternError::TooLong
    );
    assert!(refused(&format!("{{ {}$.a = 1 }}", "(".repeat(100))).contains("too deep"));
}

/// Tries a text as each of the three kinds of pattern.
fn try_all(pattern: &str, message: &str) {
    for pattern in [
        pattern.to_owned(),
        format!("{{{pattern}}}"),
        format!("[{pattern}]"),
    ] {
        if let Ok(pattern) = FilterPattern::parse(&pattern) {
            pattern.matches(message);
            pattern.extract(message);
        }
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_matched_or_refused(pattern in "\\PC{0,40}", message in "\\PC{0,40}") {
        try_all(&pattern, &message);
    }

    #[test]
    fn text_that_looks_like_a_pattern_is_matched_or_refused(
        pattern in "[-$.*%?a1 \"\\[\\](){}=!<>&|,\\\\é]{0,30}",
        message in "[-{}\\[\\]\":,a1 é]{0,30}",
    ) {
        try_all(&pattern, &message);
    }

    #[test]
    fn a_quoted_message_matches_itself(message in "[ -~é]{1,40}") {
        let quoted = message.replace('\\', "\\\\").replace('"', "\\\"");
        let pattern = FilterPattern::parse(&format!("\"{quoted}\"")).unwrap();
        proptest::prop_assert!(pattern.matches(&message));
    }
}
