//! What is refused when a document is set, and in which words.

use super::*;
use crate::{Error, POLICY_BYTES_MAX};
use expect_test::expect;

const GOOD: &str = r#""Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*""#;

fn refusal(result: Result<Document, Error>) -> String {
    result.map_or_else(|error| error.to_string(), |_| "accepted".to_owned())
}

#[test]
fn documents_of_the_wrong_form() {
    let mut report = String::new();
    for text in [
        "",
        "[]",
        " {}",
        "{",
        r#"{"Statement":[],"Statement":[]}"#,
        "{}",
        r#"{"Version":"2012-10-18"}"#,
        r#"{"Version":20121017}"#,
        r#"{"Id":1,"Statement":{}}"#,
        r#"{"Statement":[]}"#,
        r#"{"Statement":"x"}"#,
        r#"{"Statement":[1]}"#,
        r#"{"statement":[]}"#,
        r#"{"Statement":{}}"#,
        r#"{"Statement":{"Effect":"allow"}}"#,
        r#"{"Statement":{"Effect":"Allow"}}"#,
        r#"{"Statement":{"Effect":"Allow","Principal":"*"}}"#,
        r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:*"}}"#,
        r#"{"Statement":{"Effect":"Allow","Principal":"*","Actions":"s3:*"}}"#,
    ] {
        let refused = refusal(Document::parse(text, Kind::Bucket("bucket")));
        report += &format!("{text}\n  {refused}\n");
    }
    expect![[r#"

          Policies must be valid JSON and the first byte must be '{'
        []
          Policies must be valid JSON and the first byte must be '{'
         {}
          Policies must be valid JSON and the first byte must be '{'
        {
          This policy contains invalid Json
        {"Statement":[],"Statement":[]}
          This policy contains invalid Json
        {}
          Missing required field Statement
        {"Version":"2012-10-18"}
          The policy must contain a valid version string
        {"Version":20121017}
          The policy must contain a valid version string
        {"Id":1,"Statement":{}}
          Invalid policy syntax.
        {"Statement":[]}
          Could not parse the policy: Statement is empty!
        {"Statement":"x"}
          Invalid policy syntax.
        {"Statement":[1]}
          Invalid policy syntax.
        {"statement":[]}
          Unknown field statement
        {"Statement":{}}
          Missing required field Effect
        {"Statement":{"Effect":"allow"}}
          Invalid effect: allow
        {"Statement":{"Effect":"Allow"}}
          Missing required field Principal
        {"Statement":{"Effect":"Allow","Principal":"*"}}
          Missing required field Action
        {"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:*"}}
          Missing required field Resource
        {"Statement":{"Effect":"Allow","Principal":"*","Actions":"s3:*"}}
          Unknown field Actions
    "#]]
    .assert_eq(&report);
}

/// Replaces one element of a good statement.
fn with(element: &str, value: &str) -> Result<Document, Error> {
    let start = GOOD.find(&format!("\"{element}\"")).unwrap();
    let end = GOOD[start..]
        .find(",\"")
        .map_or(GOOD.len(), |at| start + at);
    bucket_policy(&format!(
        "{}\"{element}\":{value}{}",
        &GOOD[..start],
        &GOOD[end..]
    ))
}

#[test]
fn principals_that_cannot_exist() {
    for good in [
        r#""*""#,
        r#"{"AWS":"*"}"#,
        r#"{"AWS":"111122223333"}"#,
        r#"{"AWS":["arn:aws:iam::111122223333:root","arn:aws:iam::111122223333:user/path/jane"]}"#,
        r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/reader/session"}"#,
        r#"{"Service":"delivery.logs.amazonaws.com"}"#,
        r#"{"CanonicalUser":"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"}"#,
    ] {
        assert_eq!(refusal(with("Principal", good)), "accepted", "{good}");
    }
    for bad in [
        r#""jane""#,
        "{}",
        "null",
        r#"{"AWS":[]}"#,
        r#"{"AWS":""}"#,
        r#"{"AWS":"11112222333"}"#,
        r#"{"AWS":"arn:aws:iam::111122223333:user/*"}"#,
        r#"{"AWS":"arn:aws:iam::111122223333:group/g"}"#,
        r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/reader"}"#,
        r#"{"AWS":"arn:aws:s3:::bucket"}"#,
        r#"{"Service":"logs"}"#,
        r#"{"Service":"*"}"#,
        r#"{"Aws":"*"}"#,
        r#"{"CanonicalUser":"79a59d"}"#,
    ] {
        assert_eq!(with("Principal", bad), Err(Error::Principal), "{bad}");
    }
}

#[test]
fn actions_and_resources_that_are_nothing_to_the_bucket() {
    for (action, resource, expected) in [
        ("s3:*", "arn:aws:s3:::bucket", "accepted"),
        ("*", "arn:aws:s3:::bucket/a*", "accepted"),
        ("S3:getOBJECT", "arn:aws:s3:::buck*/x", "accepted"),
        ("s3:List*", "arn:aws:s3:::*", "accepted"),
        ("s3:GetObject", "arn:aws:s3:::${aws:userid}/*", "accepted"),
        (
            "s3:GetObjects",
            "arn:aws:s3:::bucket/*",
            "Policy has invalid action",
        ),
        (
            "ec2:RunInstances",
            "arn:aws:s3:::bucket/*",
            "Policy has invalid action",
        ),
        (
            "GetObject",
            "arn:aws:s3:::bucket/*",
            "Policy has invalid action",
        ),
        ("s3:*", "*", "Policy has invalid resource"),
        ("s3:*", "arn:aws:s3:::", "Policy has invalid resource"),
        (
            "s3:*",
            "arn:aws:s3:::other/*",
            "Policy has invalid resource",
        ),
        (
            "s3:*",
            "arn:aws:s3:::bucket2",
            "Policy has invalid resource",
        ),
        (
            "s3:*",
            "arn:aws:sqs:us-east-1:1:bucket",
            "Policy has invalid resource",
        ),
        (
            "s3:ListBucket",
            "arn:aws:s3:::bucket/*",
            "Action does not apply to any resource(s) in statement",
        ),
        (
            "s3:GetObject",
            "arn:aws:s3:::bucket",
            "Action does not apply to any resource(s) in statement",
        ),
        ("s3:*", "arn:aws:s3:::bucket/${", "Invalid policy syntax."),
    ] {
        let document = bucket_policy(&format!(
            r#""Effect":"Deny","Principal":"*","Action":"{action}","Resource":["{resource}"]"#
        ));
        assert_eq!(refusal(document), expected, "{action} {resource}");
    }
}

#[test]
fn conditions_that_cannot_be_checked() {
    let mut report = String::new();
    for condition in [
        r#"[]"#,
        r#"{"StringEquals":"x"}"#,
        r#"{"StringEquals":{"aws:SourceVpce":{}}}"#,
        r#"{"StringEquals":{"aws:SourceVpce":null}}"#,
        r#"{"StringEqual":{"aws:SourceVpce":"x"}}"#,
        r#"{"stringEquals":{"aws:SourceVpce":"x"}}"#,
        r#"{"NullIfExists":{"aws:SourceVpce":"true"}}"#,
        r#"{"ForSomeValue:StringEquals":{"aws:SourceVpce":"x"}}"#,
        r#"{"StringEquals":{"SourceVpce":"x"}}"#,
        r#"{"StringEquals":{"ec2:Region":"x"}}"#,
        r#"{"StringEquals":{"s3:prefixes":"x"}}"#,
        r#"{"StringEquals":{"s3:prefix":"x"}}"#,
        r#"{"StringEquals":{"s3:ExistingObjectTag/team":"x"}}"#,
        r#"{"StringEquals":{"s3:ExistingObjectTag":"x"}}"#,
        r#"{"IpAddress":{"aws:SourceIp":"10.0.0.0/33"}}"#,
        r#"{"IpAddress":{"aws:SourceIp":"${aws:VpcSourceIp}"}}"#,
        r#"{"NumericEquals":{"s3:signatureAge":"many"}}"#,
        r#"{"NumericEquals":{"s3:signatureAge":"inf"}}"#,
        r#"{"NumericEquals":{"s3:signatureAge":[1,"2.5e3"]}}"#,
        r#"{"DateLessThan":{"aws:CurrentTime":"tomorrow"}}"#,
        r#"{"Bool":{"aws:SecureTransport":"yes"}}"#,
        r#"{"Bool":{"aws:SecureTransport":false}}"#,
        r#"{"BinaryEquals":{"aws:x":"%"}}"#,
        r#"{"Null":{"aws:SourceVpce":"x"}}"#,
        r#"{"StringLike":{"aws:SourceVpce":"${aws:x"}}"#,
    ] {
        let document = bucket_policy(&format!(r#"{GOOD},"Condition":{condition}"#));
        report += &format!("{condition}\n  {}\n", refusal(document));
    }
    expect![[r#"
        []
          Invalid policy syntax.
        {"StringEquals":"x"}
          Invalid policy syntax.
        {"StringEquals":{"aws:SourceVpce":{}}}
          Invalid policy syntax.
        {"StringEquals":{"aws:SourceVpce":null}}
          Invalid policy syntax.
        {"StringEqual":{"aws:SourceVpce":"x"}}
          Invalid Condition type : StringEqual
        {"stringEquals":{"aws:SourceVpce":"x"}}
          Invalid Condition type : stringEquals
        {"NullIfExists":{"aws:SourceVpce":"true"}}
          Invalid Condition type : NullIfExists
        {"ForSomeValue:StringEquals":{"aws:SourceVpce":"x"}}
          Invalid Condition type : ForSomeValue:StringEquals
        {"StringEquals":{"SourceVpce":"x"}}
          Policy has an invalid condition key
        {"StringEquals":{"ec2:Region":"x"}}
          Policy has an invalid condition key
        {"StringEquals":{"s3:prefixes":"x"}}
          Policy has an invalid condition key
        {"StringEquals":{"s3:prefix":"x"}}
          Conditions do not apply to combination of actions and resources in statement
        {"StringEquals":{"s3:ExistingObjectTag/team":"x"}}
          accepted
        {"StringEquals":{"s3:ExistingObjectTag":"x"}}
          Policy has an invalid condition key
        {"IpAddress":{"aws:SourceIp":"10.0.0.0/33"}}
          Invalid IP address in Conditions
        {"IpAddress":{"aws:SourceIp":"${aws:VpcSourceIp}"}}
          Invalid IP address in Conditions
        {"NumericEquals":{"s3:signatureAge":"many"}}
          Invalid value in Conditions for operator NumericEquals
        {"NumericEquals":{"s3:signatureAge":"inf"}}
          Invalid value in Conditions for operator NumericEquals
        {"NumericEquals":{"s3:signatureAge":[1,"2.5e3"]}}
          accepted
        {"DateLessThan":{"aws:CurrentTime":"tomorrow"}}
          Invalid value in Conditions for operator DateLessThan
        {"Bool":{"aws:SecureTransport":"yes"}}
          Invalid value in Conditions for operator Bool
        {"Bool":{"aws:SecureTransport":false}}
          accepted
        {"BinaryEquals":{"aws:x":"%"}}
          Invalid value in Conditions for operator BinaryEquals
        {"Null":{"aws:SourceVpce":"x"}}
          Invalid value in Conditions for operator Null
        {"StringLike":{"aws:SourceVpce":"${aws:x"}}
          Invalid policy syntax.
    "#]]
    .assert_eq(&report);
}

#[test]
fn one_element_or_its_opposite_and_one_name_for_a_statement() {
    let both = bucket_policy(&format!(r#"{GOOD},"NotAction":"s3:PutObject""#));
    assert_eq!(both, Err(Error::Syntax));
    let named = format!(r#"{{"Sid":"a",{GOOD}}}"#);
    let twice = format!(r#"{{"Statement":[{named},{named}]}}"#);
    let twice = Document::parse(&twice, Kind::Bucket("bucket"));
    assert_eq!(twice, Err(Error::DuplicateSid));
}

#[test]
fn the_size_is_that_of_the_tokens() {
    let document = |space: usize, key: usize| {
        let (space, key) = (" ".repeat(space), "k".repeat(key));
        let statement = GOOD.replace("bucket/*", &format!("bucket/{key}"));
        Document::parse(
            &format!(r#"{{{space}"Statement":{{{statement}}}}}"#),
            Kind::Bucket("bucket"),
        )
    };
    assert!(document(POLICY_BYTES_MAX, 1).is_ok());
    assert_eq!(document(0, POLICY_BYTES_MAX), Err(Error::TooLarge));
}

#[test]
fn policies_of_endpoints_name_any_service() {
    for kind in [Kind::GatewayEndpoint, Kind::InterfaceEndpoint] {
        for (text, expected) in [
            (
                r#"{"Statement":[{"Action":"*","Effect":"Allow","Principal":"*","Resource":"*"}]}"#,
                "accepted",
            ),
            (
                r#" {"Statement":{"Action":["logs:Put*","execute-api:Invoke"],"Effect":"Allow","Principal":{"AWS":"*"},
                   "Resource":"arn:aws:logs:*:*:log-group:a","Condition":{"StringEquals":{"ec2:Vpc":"x"}}}}"#,
                "accepted",
            ),
            (
                r#"{"Statement":{"Action":"Put","Effect":"Allow","Principal":"*","Resource":"*"}}"#,
                "Policy has invalid action",
            ),
            (
                r#"{"Statement":{"Action":"*","Effect":"Allow","Principal":"*","Resource":"bucket"}}"#,
                "Policy has invalid resource",
            ),
            (
                r#"{"Statement":{"Action":"*","Effect":"Allow","Resource":"*"}}"#,
                "Missing required field Principal",
            ),
        ] {
            assert_eq!(refusal(Document::parse(text, kind)), expected, "{text}");
        }
    }
}

#[test]
fn public_is_what_everybody_may_do_from_everywhere() {
    for (principal, condition, expected) in [
        (r#""*""#, "{}", true),
        (r#"{"AWS":"111122223333"}"#, "{}", false),
        (
            r#""*""#,
            r#"{"StringEquals":{"aws:SourceVpce":"vpce-1"}}"#,
            false,
        ),
        (
            r#""*""#,
            r#"{"StringLike":{"aws:SourceVpce":"vpce-*"}}"#,
            true,
        ),
        (
            r#""*""#,
            r#"{"StringNotEquals":{"aws:SourceVpce":"vpce-1"}}"#,
            true,
        ),
        (
            r#""*""#,
            r#"{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#,
            false,
        ),
        (
            r#""*""#,
            r#"{"IpAddress":{"aws:SourceIp":["0.0.0.0/1","128.0.0.0/1"]}}"#,
            true,
        ),
        (r#""*""#, r#"{"Bool":{"aws:SecureTransport":"true"}}"#, true),
    ] {
        let elements = GOOD.replace(r#""*","Action""#, &format!(r#"{principal},"Action""#));
        let document = bucket_policy(&format!(r#"{elements},"Condition":{condition}"#)).unwrap();
        assert_eq!(document.is_public(), expected, "{principal} {condition}");
    }
}
