//! No document and no request makes reading or deciding panic.

use super::*;
use crate::{Policies, Request, decide};
use proptest::prelude::*;

/// Texts that look like parts of documents more often than not.
fn text() -> impl Strategy<Value = String> {
    let words = [
        "*",
        "Allow",
        "Deny",
        "2012-10-17",
        "s3:*",
        "s3:GetObject",
        "arn:aws:s3:::bucket/*",
        "arn:aws:s3:::bucket",
        "${aws:userid}",
        "${",
        "111122223333",
        "true",
        "10.0.0.0/8",
        "AQI=",
        "2026-11-26T00:00:00Z",
        "-1e999",
        "arn:::::",
        "",
    ];
    prop_oneof![
        8 => prop::sample::select(words.map(str::to_owned).to_vec()),
        1 => ".{0,12}",
    ]
}

fn name() -> impl Strategy<Value = String> {
    let words = [
        "Version",
        "Statement",
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
        "AWS",
        "Service",
        "StringEquals",
        "IpAddress",
        "NumericLessThan",
        "DateEquals",
        "Bool",
        "BinaryEquals",
        "ArnLike",
        "Null",
        "ForAllValues:StringNotLike",
        "aws:SourceIp",
        "s3:prefix",
    ];
    prop_oneof![
        12 => prop::sample::select(words.map(str::to_owned).to_vec()),
        1 => ".{0,8}",
    ]
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        6 => text().prop_map(serde_json::Value::from),
        1 => any::<f64>().prop_map(serde_json::Value::from),
        1 => Just(serde_json::Value::Null),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::vec((name(), inner), 0..8).prop_map(|entries| entries
                .into_iter()
                .collect::<serde_json::Map<_, _>>()
                .into()),
        ]
    })
}

/// A statement that is in order but for the values, which are anything.
fn statement() -> impl Strategy<Value = serde_json::Value> {
    let one = |words: &'static [&'static str]| prop::sample::select(words);
    let operators: &[&str] = &[
        "StringNotEquals",
        "StringLike",
        "NumericLessThanIfExists",
        "DateGreaterThan",
        "Bool",
        "BinaryEquals",
        "NotIpAddress",
        "ArnNotLike",
        "Null",
        "ForAllValues:StringLike",
    ];
    (
        one(&["Allow", "Deny"]),
        one(&["Principal", "NotPrincipal"]),
        one(&["Action", "NotAction"]),
        one(&[
            "arn:aws:s3:::bucket/*",
            "arn:aws:s3:::${aws:userid}*",
            "arn:aws:s3:::*",
        ]),
        one(operators),
        prop::collection::vec(text(), 0..3),
    )
        .prop_map(|(effect, principal, action, resource, operator, values)| {
            serde_json::json!({
                "Effect": effect,
                principal: {"AWS": "111122223333"},
                action: "s3:Get*",
                "Resource": resource,
                "Condition": {operator: {"aws:userid": values}},
            })
        })
}

fn ask(text: &str, value: &str) {
    for kind in [
        Kind::Bucket("bucket"),
        Kind::GatewayEndpoint,
        Kind::InterfaceEndpoint,
    ] {
        let Ok(document) = Document::parse(text, kind) else {
            continue;
        };
        let context = context(&[("aws:userid", value), ("aws:sourceip", value)]);
        for caller in [
            Caller::Anonymous,
            root("111122223333"),
            session("1", "r", "s"),
        ] {
            let request = Request {
                caller: &caller,
                canonical_user_id: None,
                action: "s3:GetObject",
                resource: "arn:aws:s3:::bucket/key",
                context: &context,
            };
            let policies = Policies {
                endpoint: Some(&document),
                resource: Some(&document),
                owner: "111122223333",
                identity: None,
            };
            let decision = decide(&request, &policies);
            if let Err(denial) = decision {
                assert!(!denial.message(&request).is_empty());
            }
        }
        let _ = document.is_public();
    }
}

proptest! {
    #[test]
    fn no_json_panics(document in json(), value in text()) {
        ask(&document.to_string(), &value);
    }

    #[test]
    fn no_statement_panics(statements in prop::collection::vec(statement(), 1..3), value in text()) {
        let document = serde_json::json!({"Version": "2012-10-17", "Statement": statements});
        ask(&document.to_string(), &value);
    }

    #[test]
    fn no_text_panics(text in ".{0,200}", value in ".{0,20}") {
        ask(&text, &value);
        ask(&format!("{{{text}"), &value);
    }
}
