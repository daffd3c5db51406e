//! Who may do what from where, with all policies put together.

use std::net::IpAddr;
use std::sync::Arc;

use super::*;
use crate::{Decision, EndpointOrigin, Origin, Permissions, Policies, Request, decide};
use expect_test::expect;

const OWNER: &str = "111122223333";
const OTHER: &str = "444455556666";

/// The private-only bucket: "Controlling access from VPC endpoints with bucket policies".
const PRIVATE: &str = r#""Sid":"OnlyFromTheVpc","Effect":"Deny","Principal":"*","Action":"s3:*",
    "Resource":["arn:aws:s3:::bucket","arn:aws:s3:::bucket/*"],
    "Condition":{"StringNotEquals":{"aws:SourceVpce":"vpce-1"}}"#;

struct Case<'a> {
    caller: &'a Caller,
    origin: &'a Origin,
    policy: Option<&'a Document>,
    action: &'a str,
    resource: &'a str,
}

fn get_object<'a>(
    caller: &'a Caller,
    origin: &'a Origin,
    policy: Option<&'a Document>,
) -> Case<'a> {
    Case {
        caller,
        origin,
        policy,
        action: "s3:GetObject",
        resource: "arn:aws:s3:::bucket/key",
    }
}

impl Case<'_> {
    fn decide(&self) -> (Decision, String) {
        let mut context = Context::default();
        self.origin.describe(&mut context);
        self.caller.describe(&mut context);
        let request = Request {
            caller: self.caller,
            canonical_user_id: None,
            action: self.action,
            resource: self.resource,
            context: &context,
        };
        let policies = Policies {
            endpoint: self.origin.endpoint_policy(),
            resource: self.policy,
            owner: OWNER,
            identity: None,
        };
        let decision = decide(&request, &policies);
        let text = match &decision {
            Ok(authorized) => format!("{authorized:?}"),
            Err(denial) => format!("{denial}\n{}", denial.message(&request)),
        };
        (decision, text)
    }

    fn allowed(&self) -> bool {
        self.decide().0.is_ok()
    }
}

fn internet() -> Origin {
    Origin::public(IpAddr::from([203, 0, 113, 7]), true)
}

fn through(endpoint_id: &str, policy: Option<&str>) -> Origin {
    let policy = policy.map(|text| Document::parse(text, Kind::GatewayEndpoint).unwrap());
    Origin {
        endpoint: Some(EndpointOrigin {
            endpoint_id: endpoint_id.to_owned(),
            vpc_id: "vpc-1".to_owned(),
            region: "us-east-1".to_owned(),
            account: OWNER.to_owned(),
            vpc_source_ip: IpAddr::from([10, 0, 1, 10]),
            policy: policy.map(Arc::new),
        }),
        ..internet()
    }
}

#[test]
fn the_private_bucket_is_reached_through_its_endpoint_only() {
    let policy = bucket_policy(PRIVATE).unwrap();
    let owner = root(OWNER);
    let try_from = |origin: &Origin| get_object(&owner, origin, Some(&policy)).decide().1;
    expect!["Authorized { by: Identity, statement: None }"]
        .assert_eq(&try_from(&through("vpce-1", None)));
    expect![[r#"
        denied by OnlyFromTheVpc of the resource-based policy
        User: arn:aws:iam::111122223333:root is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::bucket/key with an explicit deny in a resource-based policy"#]]
    .assert_eq(&try_from(&through("vpce-2", None)));
    assert_eq!(try_from(&internet()), try_from(&through("vpce-2", None)));
}

#[test]
fn an_endpoint_lets_through_what_its_policy_allows() {
    let policy = r#"{"Statement":[
        {"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::bucket/*"},
        {"Sid":"NoWrites","Effect":"Deny","Principal":"*","Action":"s3:Put*","Resource":"*"}]}"#;
    let (origin, owner) = (through("vpce-1", Some(policy)), root(OWNER));
    let with = |action, resource| {
        let case = Case {
            action,
            resource,
            ..get_object(&owner, &origin, None)
        };
        case.decide().1
    };
    expect!["Authorized { by: Identity, statement: None }"]
        .assert_eq(&with("s3:GetObject", "arn:aws:s3:::bucket/key"));
    expect![[r#"
        no statement of the VPC endpoint policy allows it
        User: arn:aws:iam::111122223333:root is not authorized to perform: s3:ListBucket on resource: arn:aws:s3:::bucket because no VPC endpoint policy allows the s3:ListBucket action"#]]
    .assert_eq(&with("s3:ListBucket", "arn:aws:s3:::bucket"));
    expect![[r#"
        denied by NoWrites of the VPC endpoint policy
        User: arn:aws:iam::111122223333:root is not authorized to perform: s3:PutObject on resource: arn:aws:s3:::bucket/key with an explicit deny in a VPC endpoint policy"#]]
    .assert_eq(&with("s3:PutObject", "arn:aws:s3:::bucket/key"));
    expect![[r#"
        no statement of the VPC endpoint policy allows it
        User: arn:aws:iam::111122223333:root is not authorized to perform: s3:ListAllMyBuckets because no VPC endpoint policy allows the s3:ListAllMyBuckets action"#]]
    .assert_eq(&with("s3:ListAllMyBuckets", "*"));
}

#[test]
fn others_need_the_policy_of_the_resource() {
    let allow = |principal: &str| {
        bucket_policy(&format!(
            r#""Effect":"Allow","Principal":{principal},"Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*""#
        ))
        .unwrap()
    };
    let account = allow(&format!(r#"{{"AWS":"{OTHER}"}}"#));
    let jane = allow(&format!(r#"{{"AWS":"arn:aws:iam::{OTHER}:user/jane"}}"#));
    let role = allow(&format!(r#"{{"AWS":"arn:aws:iam::{OTHER}:role/reader"}}"#));
    let everyone = allow(r#""*""#);
    let logs = allow(r#"{"Service":"delivery.logs.amazonaws.com"}"#);
    let service = Caller::Service("delivery.logs.amazonaws.com".to_owned());
    let origin = internet();
    for (caller, policy, expected) in [
        (root(OWNER), None, true),
        (user(OWNER, "jane"), None, true),
        (root(OTHER), None, false),
        (root(OTHER), Some(&account), true),
        (user(OTHER, "jane"), Some(&account), true),
        (session(OTHER, "reader", "s"), Some(&account), true),
        (root("777788889999"), Some(&account), false),
        (user(OTHER, "jane"), Some(&jane), true),
        (user(OTHER, "joe"), Some(&jane), false),
        (root(OTHER), Some(&jane), false),
        (session(OTHER, "reader", "s"), Some(&role), true),
        (session(OTHER, "writer", "s"), Some(&role), false),
        (Caller::Anonymous, None, false),
        (Caller::Anonymous, Some(&account), false),
        (Caller::Anonymous, Some(&everyone), true),
        (service.clone(), Some(&logs), true),
        (service, Some(&account), false),
        (root(OTHER), Some(&logs), false),
    ] {
        let case = get_object(&caller, &origin, policy);
        assert_eq!(case.allowed(), expected, "{caller:?} {policy:?}");
    }
}

#[test]
fn not_principal_spares_whom_it_names_at_every_level() {
    let deny = |principals: &str| {
        bucket_policy(&format!(
            r#""Effect":"Deny","NotPrincipal":{{"AWS":[{principals}]}},"Action":"s3:*","Resource":"arn:aws:s3:::bucket/*""#
        ))
        .unwrap()
    };
    let account = format!(r#""{OWNER}""#);
    let user_only = format!(r#""arn:aws:iam::{OWNER}:user/jane""#);
    let role = format!(
        r#"{account},"arn:aws:iam::{OWNER}:role/reader","arn:aws:sts::{OWNER}:assumed-role/reader/s""#
    );
    let both = format!("{account},{user_only}");
    let origin = internet();
    for (caller, principals, expected) in [
        (root(OWNER), &account, true),
        (user(OWNER, "jane"), &account, false),
        (user(OWNER, "jane"), &user_only, false),
        (user(OWNER, "jane"), &both, true),
        (user(OWNER, "joe"), &both, false),
        (session(OWNER, "reader", "s"), &role, true),
        (session(OWNER, "reader", "t"), &role, false),
    ] {
        let policy = deny(principals);
        let case = get_object(&caller, &origin, Some(&policy));
        assert_eq!(case.allowed(), expected, "{caller:?} {principals}");
    }
}

#[test]
fn an_account_in_a_gateway_endpoints_policy_is_its_root_user() {
    let policy = format!(
        r#"{{"Statement":{{"Effect":"Allow","Principal":{{"AWS":"{OWNER}"}},"Action":"*","Resource":"*"}}}}"#
    );
    let gateway = through("vpce-1", Some(&policy));
    assert!(get_object(&root(OWNER), &gateway, None).allowed());
    assert!(!get_object(&user(OWNER, "jane"), &gateway, None).allowed());
    let mut interface = gateway.clone();
    let document = Document::parse(&policy, Kind::InterfaceEndpoint).unwrap();
    interface.endpoint.as_mut().unwrap().policy = Some(Arc::new(document));
    assert!(get_object(&user(OWNER, "jane"), &interface, None).allowed());
}

#[test]
fn actions_and_resources_by_name_and_by_exception() {
    let origin = internet();
    let owner = root(OWNER);
    let denied = |elements: &str, action: &str, resource: &str| {
        let policy = bucket_policy(&format!(r#""Effect":"Deny","Principal":"*",{elements}"#));
        let policy = policy.unwrap();
        let case = Case {
            action,
            resource,
            ..get_object(&owner, &origin, Some(&policy))
        };
        !case.allowed()
    };
    let all = r#""Resource":"arn:aws:s3:::bucket*""#;
    let (key, upper) = ("arn:aws:s3:::bucket/a", "arn:aws:s3:::bucket/A");
    for (elements, action, resource, expected) in [
        (
            format!(r#""Action":"s3:getobject",{all}"#),
            "s3:GetObject",
            key,
            true,
        ),
        (
            format!(r#""Action":"s3:Get*",{all}"#),
            "s3:PutObject",
            key,
            false,
        ),
        (
            format!(r#""NotAction":"s3:Get*",{all}"#),
            "s3:PutObject",
            key,
            true,
        ),
        (
            format!(r#""NotAction":"s3:Get*",{all}"#),
            "s3:GetObject",
            key,
            false,
        ),
        (
            r#""Action":"*","Resource":"arn:aws:s3:::bucket/a""#.to_owned(),
            "s3:GetObject",
            key,
            true,
        ),
        (
            r#""Action":"*","Resource":"arn:aws:s3:::bucket/a""#.to_owned(),
            "s3:GetObject",
            upper,
            false,
        ),
        (
            r#""Action":"*","NotResource":"arn:aws:s3:::bucket/a""#.to_owned(),
            "s3:GetObject",
            upper,
            true,
        ),
    ] {
        assert_eq!(
            denied(&elements, action, resource),
            expected,
            "{elements} {resource}"
        );
    }
}

#[test]
fn the_way_decides_which_keys_there_are() {
    let mut report = String::new();
    for origin in [internet(), through("vpce-1", None)] {
        let mut context = Context::default();
        origin.describe(&mut context);
        session(OTHER, "reader", "s").describe(&mut context);
        report += &format!("{context:#?}\n");
    }
    expect![[r#"
        Context {
            keys: {
                "aws:principalaccount": [
                    "444455556666",
                ],
                "aws:principalarn": [
                    "arn:aws:iam::444455556666:role/reader",
                ],
                "aws:principalisawsservice": [
                    "false",
                ],
                "aws:principaltype": [
                    "AssumedRole",
                ],
                "aws:securetransport": [
                    "true",
                ],
                "aws:sourceip": [
                    "203.0.113.7",
                ],
                "aws:userid": [
                    "AROAEXAMPLE:s",
                ],
                "aws:viaawsservice": [
                    "false",
                ],
            },
        }
        Context {
            keys: {
                "aws:principalaccount": [
                    "444455556666",
                ],
                "aws:principalarn": [
                    "arn:aws:iam::444455556666:role/reader",
                ],
                "aws:principalisawsservice": [
                    "false",
                ],
                "aws:principaltype": [
                    "AssumedRole",
                ],
                "aws:securetransport": [
                    "true",
                ],
                "aws:sourcevpc": [
                    "vpc-1",
                ],
                "aws:sourcevpcarn": [
                    "arn:aws:ec2:us-east-1:111122223333:vpc/vpc-1",
                ],
                "aws:sourcevpce": [
                    "vpce-1",
                ],
                "aws:userid": [
                    "AROAEXAMPLE:s",
                ],
                "aws:viaawsservice": [
                    "false",
                ],
                "aws:vpceaccount": [
                    "111122223333",
                ],
                "aws:vpcsourceip": [
                    "10.0.1.10",
                ],
            },
        }
    "#]]
    .assert_eq(&report);
}

fn permissions(policies: &[&str], session: Option<&str>) -> Permissions {
    let read = |text: &str| Document::parse(text, Kind::Identity).unwrap();
    Permissions {
        policies: policies.iter().map(|text| read(text)).collect(),
        session: session.map(read),
    }
}

const GET: &str = r#"{"Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}}"#;
const PUT: &str = r#"{"Statement":{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}}"#;
const NOT_GET: &str =
    r#"{"Statement":{"Sid":"No","Effect":"Deny","Action":"s3:Get*","Resource":"*"}}"#;

/// What comes of `s3:GetObject` for a caller with policies, with the bucket's statement for a principal, if any.
fn with_policies(
    caller: &Caller,
    own: &Permissions,
    principal: Option<&str>,
    trusts: bool,
) -> String {
    let context = Context::default();
    let request = Request {
        caller,
        canonical_user_id: None,
        action: "s3:GetObject",
        resource: "arn:aws:s3:::bucket/key",
        context: &context,
    };
    let document = principal.map(|principal| {
        let text = format!(
            r#"{{"Statement":{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*"}}}}"#
        );
        Document::parse(&text, Kind::Bucket("bucket")).unwrap()
    });
    let policies = Policies {
        endpoint: None,
        resource: document.as_ref(),
        owner: OWNER,
        identity: Some(own),
    };
    let decision = match trusts {
        true => crate::decide_on_trust(&request, &policies),
        false => decide(&request, &policies),
    };
    match decision {
        Ok(authorized) => format!("by the {} policy", authorized.by),
        Err(denial) => denial.to_string(),
    }
}

#[test]
fn within_an_account_either_side_allows_and_from_another_both() {
    let (own, far) = (user(OWNER, "anna"), user("444455556666", "bert"));
    let nothing = permissions(&[], None);
    let get = permissions(&[PUT, GET], None);
    let name = "arn:aws:iam::111122223333:user/anna";
    let cases = [
        (
            &own,
            &nothing,
            None,
            "no statement of the identity-based policy allows it",
        ),
        (&own, &get, None, "by the identity-based policy"),
        (&own, &nothing, Some(name), "by the resource-based policy"),
        (&own, &nothing, Some("*"), "by the resource-based policy"),
        // The account's own policies have the say.
        (
            &own,
            &nothing,
            Some(OWNER),
            "no statement of the identity-based policy allows it",
        ),
        (&own, &get, Some(OWNER), "by the identity-based policy"),
        (
            &far,
            &get,
            None,
            "no statement of the resource-based policy allows it",
        ),
        (
            &far,
            &nothing,
            Some("444455556666"),
            "no statement of the identity-based policy allows it",
        ),
        (
            &far,
            &get,
            Some("444455556666"),
            "by the resource-based policy",
        ),
    ];
    for (caller, own, principal, expected) in cases {
        assert_eq!(
            with_policies(caller, own, principal, false),
            expected,
            "{principal:?}"
        );
    }
}

#[test]
fn denials_and_sessions_count_whatever_allows() {
    let own = user(OWNER, "anna");
    let denied = permissions(&[GET, NOT_GET], None);
    let name = Some("arn:aws:iam::111122223333:user/anna");
    for principal in [None, name] {
        assert_eq!(
            with_policies(&own, &denied, principal, false),
            "denied by No of the identity-based policy"
        );
    }
    let session = session(OWNER, "reader", "s");
    for (policy, expected) in [
        (GET, "by the identity-based policy"),
        (PUT, "no statement of the session policy allows it"),
        (NOT_GET, "denied by No of the session policy"),
    ] {
        let limited = permissions(&[GET], Some(policy));
        assert_eq!(with_policies(&session, &limited, None, false), expected);
    }
    let nothing = permissions(&[PUT], Some(GET));
    assert_eq!(
        with_policies(&session, &nothing, None, false),
        "no statement of the identity-based policy allows it"
    );
}

#[test]
fn a_role_is_assumed_only_if_it_trusts() {
    let (own, far) = (user(OWNER, "anna"), user("444455556666", "bert"));
    let (nothing, get) = (permissions(&[], None), permissions(&[GET], None));
    let no_trust = "no statement of the resource-based policy allows it";
    let not_own = "no statement of the identity-based policy allows it";
    let cases = [
        (&own, &get, None, no_trust),
        (&own, &nothing, Some(OWNER), not_own),
        (&own, &get, Some(OWNER), "by the resource-based policy"),
        (
            &own,
            &nothing,
            Some("arn:aws:iam::111122223333:user/anna"),
            "by the resource-based policy",
        ),
        (
            &far,
            &nothing,
            Some("arn:aws:iam::444455556666:user/bert"),
            not_own,
        ),
        (
            &far,
            &get,
            Some("arn:aws:iam::444455556666:user/bert"),
            "by the resource-based policy",
        ),
    ];
    for (caller, own, principal, expected) in cases {
        assert_eq!(
            with_policies(caller, own, principal, true),
            expected,
            "{principal:?}"
        );
    }
}
