//! Decisions against an evaluator that was written from AWS's description alone: it interprets statements as data, where
//! the crate compiles them.

use super::*;
use crate::{Policies, Request, decide};
use proptest::prelude::*;

const OWNER: &str = "111122223333";
const OTHER: &str = "444455556666";

#[derive(Debug, Clone)]
struct Statement {
    allows: bool,
    principal: (&'static str, bool),
    action: (&'static str, bool),
    resource: (&'static str, bool),
    condition: Option<(&'static str, &'static str, &'static str)>,
}

impl Statement {
    fn json(&self) -> serde_json::Value {
        let named = |(text, positive): (&str, bool), name: &str| {
            let name = if positive {
                name.to_owned()
            } else {
                format!("Not{name}")
            };
            (name, text.to_owned())
        };
        let (principal, who) = named(self.principal, "Principal");
        let (action, what) = named(self.action, "Action");
        let (resource, on) = named(self.resource, "Resource");
        let mut statement = serde_json::json!({
            "Effect": if self.allows { "Allow" } else { "Deny" },
            principal: {"AWS": who}, action: what, resource: on,
        });
        if let Some((operator, key, value)) = self.condition {
            statement["Condition"] = serde_json::json!({operator: {key: value}});
        }
        statement
    }

    fn applies(&self, asked: &Asked) -> bool {
        let among = |(text, positive): (&str, bool), matches: &dyn Fn(&str) -> bool| {
            matches(text) == positive
        };
        let account = asked.account.unwrap_or("nobody");
        among(self.principal, &|who| who == "*" || who == account)
            && among(self.action, &|what| glob(what, asked.action))
            && among(self.resource, &|on| glob(on, asked.resource))
            && self
                .condition
                .is_none_or(|condition| holds(condition, asked.vpce))
    }
}

/// Whether a pattern with one `*` at most matches.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => {
            text.len() >= before.len() + after.len()
                && text.starts_with(before)
                && text.ends_with(after)
        }
    }
}

/// The table of "IAM JSON policy elements: Condition operators", for `aws:SourceVpce`.
fn holds((operator, _, value): (&str, &str, &str), vpce: Option<&str>) -> bool {
    match (operator, vpce) {
        ("StringEquals", vpce) => vpce == Some(value),
        ("StringNotEquals", vpce) => vpce != Some(value),
        ("StringLike", vpce) => vpce.is_some_and(|vpce| glob(value, vpce)),
        ("StringEqualsIfExists", vpce) => vpce.is_none_or(|vpce| vpce == value),
        ("ForAnyValue:StringNotEquals", vpce) => vpce.is_some_and(|vpce| vpce != value),
        ("Null", vpce) => vpce.is_none() == (value == "true"),
        other => panic!("{other:?}"),
    }
}

#[derive(Debug)]
struct Asked {
    account: Option<&'static str>,
    action: &'static str,
    resource: &'static str,
    vpce: Option<&'static str>,
}

/// The figure of "Policy evaluation logic", read from the top.
fn naive(asked: &Asked, endpoint: Option<&[Statement]>, bucket: Option<&[Statement]>) -> bool {
    let applying = |statements: Option<&[Statement]>, allows: bool| {
        let mut statements = statements.unwrap_or_default().iter();
        statements.any(|statement| statement.allows == allows && statement.applies(asked))
    };
    if applying(endpoint, false) || applying(bucket, false) {
        return false;
    }
    if endpoint.is_some() && !applying(endpoint, true) {
        return false;
    }
    asked.account == Some(OWNER) || applying(bucket, true)
}

fn statements() -> impl Strategy<Value = Vec<Statement>> {
    let one = |words: &'static [&'static str]| prop::sample::select(words);
    let not = || prop::bool::weighted(0.8);
    let condition = prop_oneof![
        (
            one(&[
                "StringEquals",
                "StringNotEquals",
                "StringEqualsIfExists",
                "ForAnyValue:StringNotEquals"
            ]),
            one(&["vpce-1", "vpce-2"])
        ),
        (one(&["StringLike"]), one(&["vpce-*", "*", "*-1"])),
        (one(&["Null"]), one(&["true", "false"])),
    ];
    let condition = condition.prop_map(|(operator, value)| (operator, "aws:SourceVpce", value));
    let statement = (
        prop::bool::weighted(0.7),
        // Whom NotPrincipal spares depends on the effect; roots, who are asked for here, it spares either way.
        (one(&["*", OWNER, OTHER]), not()),
        (
            one(&["*", "s3:*", "s3:Get*", "s3:GetObject", "s3:PutObject"]),
            not(),
        ),
        (
            one(&[
                "arn:aws:s3:::b*",
                "arn:aws:s3:::bucket/*",
                "arn:aws:s3:::bucket/a",
            ]),
            not(),
        ),
        prop::option::of(condition),
    );
    let statement =
        statement.prop_map(
            |(allows, principal, action, resource, condition)| Statement {
                allows,
                principal,
                action,
                resource,
                condition,
            },
        );
    prop::collection::vec(statement, 1..5)
}

fn document(statements: &[Statement], kind: Kind<'_>) -> Document {
    let statements: Vec<_> = statements.iter().map(Statement::json).collect();
    let text = serde_json::json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    Document::parse(&text, kind).unwrap_or_else(|error| panic!("{error}: {text}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn decisions_are_what_the_description_says(
        endpoint in prop::option::of(statements()),
        bucket in prop::option::of(statements()),
        account in prop::sample::select(vec![Some(OWNER), Some(OTHER), Some("777788889999"), None]),
        action in prop::sample::select(vec!["s3:GetObject", "s3:PutObject"]),
        resource in prop::sample::select(vec!["arn:aws:s3:::bucket/a", "arn:aws:s3:::bucket/b"]),
        vpce in prop::sample::select(vec![None, Some("vpce-1"), Some("vpce-2")]),
    ) {
        let asked = Asked { account, action, resource, vpce };
        let documents = (
            endpoint.as_ref().map(|statements| document(statements, Kind::InterfaceEndpoint)),
            bucket.as_ref().map(|statements| document(statements, Kind::Bucket("bucket"))),
        );
        let caller = account.map_or(Caller::Anonymous, root);
        let context = context(&vpce.map(|vpce| ("aws:SourceVpce", vpce)).into_iter().collect::<Vec<_>>());
        let request = Request { caller: &caller, canonical_user_id: None, action, resource, context: &context };
        let policies = Policies {
            endpoint: documents.0.as_ref(),
            resource: documents.1.as_ref(),
            owner: OWNER,
            identity: None,
        };
        let expected = naive(&asked, endpoint.as_deref(), bucket.as_deref());
        prop_assert_eq!(decide(&request, &policies).is_ok(), expected, "{:?}", asked);
    }
}
