//! Bucket policies and endpoint policies, met together by requests from everywhere.

use std::net::IpAddr;
use std::sync::Arc;

use ::policy::{Document, EndpointOrigin, Identity, Kind, Origin};

use super::bucket::Setting;
use super::*;

/// The keys of these tests, all with the secret `secret`: two accounts, a user, who has not all the rights of `root`, and
/// the session of a role, with the token `token`.
pub(super) struct Keys;

impl Credentials for Keys {
    fn secret(&self, access_key: &str) -> Option<String> {
        self.signer(access_key, Some("token")).ok()?;
        Some("secret".to_owned())
    }

    fn signer(&self, access_key: &str, token: Option<&str>) -> Result<Signer, CredentialError> {
        let identity = match access_key {
            "owner" => Identity::root(OWNER),
            "other" => Identity::root(OTHER),
            "jane" => jane(),
            "session" if token == Some("late") => return Err(CredentialError::ExpiredToken),
            "session" if token != Some("token") => return Err(CredentialError::InvalidToken),
            "session" => Identity {
                account: OTHER.to_owned(),
                arn: format!("arn:aws:sts::{OTHER}:assumed-role/reader/s"),
                principal_arn: format!("arn:aws:iam::{OTHER}:role/reader"),
                user_id: "AROAREADER:s".to_owned(),
            },
            _ => return Err(CredentialError::Unknown),
        };
        Ok(Signer {
            identity,
            issued_s: (access_key == "session").then_some(0),
            permissions: None,
        })
    }
}

fn jane() -> Identity {
    let arn = format!("arn:aws:iam::{OWNER}:user/jane");
    Identity {
        account: OWNER.to_owned(),
        principal_arn: arn.clone(),
        arn,
        user_id: "AIDAJANE".to_owned(),
    }
}

pub(super) fn internet() -> Origin {
    Origin::public(IpAddr::from([203, 0, 113, 7]), false)
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

impl Fixture {
    async fn from(
        &self,
        origin: &Origin,
        key: &str,
        call: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut request = match key {
            "" => {
                let (method, target) = call.split_once(' ').unwrap();
                let request = Request::builder().method(method).uri(target);
                let request = request.header("content-length", body.len());
                request.body(Body::from(body.to_vec())).unwrap()
            }
            key => signed(key, "127.0.0.1", call, headers, body),
        };
        request.extensions_mut().insert(origin.clone());
        self.answer(request).await
    }

    pub(super) async fn status(&self, origin: &Origin, key: &str, call: &str) -> u16 {
        self.from(origin, key, call, &[], b"").await.status.as_u16()
    }

    pub(super) async fn set_policy(&self, statements: &str) {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
        let put = self.send("PUT /logs?policy", &[], text.as_bytes()).await;
        assert_eq!(put.status, 204, "{}", put.text());
    }
}

#[tokio::test]
async fn the_private_bucket_answers_through_its_endpoint_only() {
    let fixture = fixture();
    fixture.send("PUT /logs/k", &[], b"1").await;
    fixture
        .set_policy(
            r#"{"Sid":"Private","Effect":"Deny","Principal":"*","Action":"s3:*",
            "Resource":["arn:aws:s3:::logs","arn:aws:s3:::logs/*"],
            "Condition":{"StringNotEquals":{"aws:SourceVpce":"vpce-1"}}}"#,
        )
        .await;
    let (inside, elsewhere, public) =
        (through("vpce-1", None), through("vpce-2", None), internet());
    for call in [
        "GET /logs/k",
        "HEAD /logs/k",
        "GET /logs",
        "GET /logs?location",
        "PUT /logs/k",
        "POST /logs/k?uploads",
        "GET /logs?uploads",
        "GET /logs?versions",
        "GET /logs?tagging",
        "GET /logs/k?tagging",
        "GET /logs?policyStatus",
        "GET /logs?acl",
        "HEAD /logs",
        "DELETE /logs/k",
        "GET /logs/nothing",
        "DELETE /logs",
    ] {
        for origin in [&elsewhere, &public] {
            let refused = fixture.status(origin, "owner", call).await;
            assert_eq!(refused, 403, "{call}");
        }
        if call != "DELETE /logs" {
            let answered = fixture.status(&inside, "owner", call).await;
            assert_ne!(answered, 403, "{call}");
        }
    }
    let refused = fixture
        .from(&public, "owner", "GET /logs/k", &[], b"")
        .await;
    assert_eq!(refused.fault(), "403 AccessDenied");
    expect!["User: arn:aws:iam::123456789012:root is not authorized to perform: s3:GetObject on resource: &quot;arn:aws:s3:::logs/k&quot; with an explicit deny in a resource-based policy"]
        .assert_eq(&refused.element("Message"));
    // Other accounts are not told.
    let other = fixture
        .from(&inside, "other", "GET /logs/k", &[], b"")
        .await;
    assert_eq!(other.element("Message"), "Access Denied");

    // Users are locked out of the policy, too; the account's root user never is.
    for (key, expected) in [("jane", 403), ("owner", 200), ("other", 405)] {
        let got = fixture.status(&public, key, "GET /logs?policy").await;
        assert_eq!(got, expected, "{key}");
    }
    assert_eq!(
        fixture.status(&public, "jane", "DELETE /logs?policy").await,
        403
    );
    assert_eq!(
        fixture
            .status(&public, "owner", "DELETE /logs?policy")
            .await,
        204
    );
    assert_eq!(fixture.status(&public, "jane", "PUT /logs/k").await, 200);
}

#[tokio::test]
async fn an_endpoints_policy_binds_even_the_owner() {
    let fixture = fixture();
    fixture.send("PUT /logs/k", &[], b"1").await;
    let reading = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":["s3:GetObject","s3:ListBucket"],
        "Resource":["arn:aws:s3:::logs","arn:aws:s3:::logs/*"]}}"#;
    let origin = through("vpce-1", Some(reading));
    for (call, expected) in [
        ("GET /logs/k", 200),
        ("HEAD /logs/k", 200),
        ("GET /logs?list-type=2", 200),
        ("GET /logs/nothing", 404),
        ("PUT /logs/k", 403),
        ("DELETE /logs/k", 403),
        ("GET /logs?location", 403),
        ("GET /logs?policy", 403),
        ("GET /other/k", 403),
        ("PUT /fresh", 403),
        ("GET /", 403),
    ] {
        assert_eq!(
            fixture.status(&origin, "owner", call).await,
            expected,
            "{call}"
        );
    }
    let refused = fixture.from(&origin, "owner", "GET /", &[], b"").await;
    expect!["User: arn:aws:iam::123456789012:root is not authorized to perform: s3:ListAllMyBuckets on resource: &quot;arn:aws:s3:::*&quot; because no VPC endpoint policy allows the s3:ListAllMyBuckets action"]
        .assert_eq(&refused.element("Message"));
    // Reading one bucket is not enough to copy from another.
    fixture
        .s3
        .create_bucket("source", OWNER, "us-east-1")
        .unwrap();
    let source = fixture.send("PUT /source/k", &[], b"1").await;
    assert_eq!(source.status, 200);
    let writing = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::logs/*"}}"#;
    let origin = through("vpce-1", Some(writing));
    let copy = [("x-amz-copy-source", "/source/k")];
    let copied = fixture
        .from(&origin, "owner", "PUT /logs/c", &copy, b"")
        .await;
    assert_eq!(copied.fault(), "403 AccessDenied");
    let copy = [("x-amz-copy-source", "/logs/k")];
    let copied = fixture
        .from(&origin, "owner", "PUT /logs/c", &copy, b"")
        .await;
    assert_eq!(copied.status, 200);
}

#[tokio::test]
async fn others_may_what_the_bucket_allows_them() {
    let fixture = fixture();
    fixture.send("PUT /logs/k", &[], b"1").await;
    fixture.send("PUT /logs/public/k", &[], b"2").await;
    fixture
        .set_policy(&format!(
            r#"{{"Effect":"Allow","Principal":{{"AWS":"{OTHER}"}},"Action":["s3:GetObject","s3:PutObject","s3:ListBucket"],
            "Resource":["arn:aws:s3:::logs","arn:aws:s3:::logs/*"]}},
            {{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::logs/public/*"}},
            {{"Effect":"Deny","Principal":{{"AWS":"arn:aws:iam::{OTHER}:role/reader"}},"Action":"s3:Put*","Resource":"arn:aws:s3:::logs/*"}}"#
        ))
        .await;
    let origin = internet();
    let token = [("x-amz-security-token", "token")];
    for (key, call, expected) in [
        ("other", "GET /logs/k", 200),
        ("other", "PUT /logs/theirs", 200),
        ("other", "GET /logs?list-type=2", 200),
        ("other", "DELETE /logs/k", 403),
        ("other", "GET /logs?location", 403),
        ("other", "PUT /logs?policy", 405),
        ("session", "GET /logs/k", 200),
        ("session", "PUT /logs/k", 403),
        ("", "GET /logs/k", 403),
        ("", "GET /logs/public/k", 200),
        // Who may not list the bucket does not learn what is missing.
        ("", "GET /logs/public/nothing", 403),
        ("other", "GET /logs/public/nothing", 404),
        ("", "GET /nobucket/k", 404),
        ("", "GET /", 403),
        ("", "PUT /fresh", 403),
    ] {
        let headers = if key == "session" { &token[..] } else { &[] };
        let answer = fixture.from(&origin, key, call, headers, b"").await;
        assert_eq!(
            answer.status.as_u16(),
            expected,
            "{key} {call} {}",
            answer.text()
        );
    }
    for (token, expected) in [
        (Some("other"), "400 InvalidToken"),
        (None, "400 InvalidToken"),
        (Some("late"), "400 ExpiredToken"),
    ] {
        let headers: Vec<_> = token
            .map(|token| ("x-amz-security-token", token))
            .into_iter()
            .collect();
        let refused = fixture
            .from(&origin, "session", "GET /logs/k", &headers, b"")
            .await;
        assert_eq!(refused.fault(), expected);
    }
    let owner = fixture.s3.get_object("logs", "theirs").unwrap();
    assert_eq!(owner.bytes, b"");
}

#[tokio::test]
async fn conditions_on_what_the_request_says() {
    let fixture = fixture();
    for key in ["a/1", "b/1"] {
        let tags = [(
            "x-amz-tagging",
            if key == "a/1" { "team=a" } else { "team=b" },
        )];
        fixture.send(&format!("PUT /logs/{key}"), &tags, b"1").await;
    }
    fixture
        .set_policy(&format!(
            r#"{{"Effect":"Allow","Principal":{{"AWS":"{OTHER}"}},"Action":"s3:ListBucket","Resource":"arn:aws:s3:::logs",
              "Condition":{{"StringLike":{{"s3:prefix":"a/*"}},"NumericLessThanEquals":{{"s3:max-keys":10}}}}}},
            {{"Effect":"Allow","Principal":{{"AWS":"{OTHER}"}},"Action":"s3:GetObject","Resource":"arn:aws:s3:::logs/*",
              "Condition":{{"StringEquals":{{"s3:ExistingObjectTag/team":"a"}},"IpAddress":{{"aws:SourceIp":"203.0.113.0/24"}}}}}},
            {{"Effect":"Allow","Principal":{{"AWS":"{OTHER}"}},"Action":["s3:PutObject","s3:PutObjectTagging"],
              "Resource":"arn:aws:s3:::logs/${{aws:PrincipalAccount}}/*",
              "Condition":{{"StringEquals":{{"s3:RequestObjectTag/team":"a","s3:x-amz-acl":"bucket-owner-full-control"}}}}}},
            {{"Effect":"Deny","Principal":"*","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::logs/a/*"}}"#
        ))
        .await;
    let (public, inside) = (internet(), through("vpce-1", None));
    for (call, expected) in [
        ("GET /logs?list-type=2&prefix=a%2F1&max-keys=10", 200),
        ("GET /logs?list-type=2&prefix=a/1&max-keys=11", 403),
        ("GET /logs?list-type=2&prefix=b/&max-keys=1", 403),
        ("GET /logs?list-type=2&prefix=a/", 403),
        ("GET /logs/a/1", 200),
        ("GET /logs/b/1", 403),
    ] {
        assert_eq!(
            fixture.status(&public, "other", call).await,
            expected,
            "{call}"
        );
    }
    // Through an endpoint there is no aws:SourceIp.
    assert_eq!(fixture.status(&inside, "other", "GET /logs/a/1").await, 403);
    let (acl, tags) = (
        ("x-amz-acl", "bucket-owner-full-control"),
        ("x-amz-tagging", "team=a"),
    );
    for (key, headers, expected) in [
        (format!("{OTHER}/k"), &[acl, tags][..], 200),
        (format!("{OTHER}/k"), &[acl], 403),
        (format!("{OTHER}/k"), &[tags], 403),
        (
            format!("{OTHER}/k"),
            &[acl, ("x-amz-tagging", "team=b")],
            403,
        ),
        (format!("{OWNER}/k"), &[acl, tags], 403),
    ] {
        let call = format!("PUT /logs/{key}");
        let answer = fixture.from(&public, "other", &call, headers, b"1").await;
        assert_eq!(answer.status.as_u16(), expected, "{key} {headers:?}");
    }
    for (team, expected) in [("a", 200), ("b", 403)] {
        let body = format!(
            "<Tagging><TagSet><Tag><Key>team</Key><Value>{team}</Value></Tag></TagSet></Tagging>"
        );
        let call = format!("PUT /logs/{OTHER}/k?tagging");
        let answer = fixture
            .from(&public, "other", &call, &[acl], body.as_bytes())
            .await;
        assert_eq!(answer.status.as_u16(), expected, "{team} {}", answer.text());
    }

    // Of several keys, those are deleted that may be.
    let body =
        br#"<Delete><Object><Key>a/1</Key></Object><Object><Key>b/1</Key></Object></Delete>"#;
    let deleted = fixture.send("POST /logs?delete", &[], body).await;
    assert_eq!(deleted.status, 200, "{}", deleted.text());
    assert_eq!(deleted.element("Deleted"), "<Key>b/1</Key>");
    let error = deleted.element("Error");
    assert!(
        error.contains("<Key>a/1</Key>") && error.contains("<Code>AccessDenied</Code>"),
        "{error}"
    );
    assert!(fixture.s3.get_object("logs", "a/1").is_ok());
}

#[tokio::test]
async fn public_policies_can_be_kept_out() {
    let fixture = fixture();
    fixture.send("PUT /logs/k", &[], b"1").await;
    let public = r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::logs/*"}"#;
    fixture.set_policy(public).await;
    let origin = internet();
    let status = fixture.send("GET /logs?policyStatus", &[], b"").await;
    assert_eq!(status.element("IsPublic").to_ascii_lowercase(), "true");
    assert_eq!(fixture.status(&origin, "", "GET /logs/k").await, 200);
    let block = b"<PublicAccessBlockConfiguration><BlockPublicPolicy>true</BlockPublicPolicy>\
        <RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>";
    let put = fixture
        .send("PUT /logs?publicAccessBlock", &[], block)
        .await;
    assert_eq!(put.status, 200, "{}", put.text());
    assert_eq!(fixture.status(&origin, "", "GET /logs/k").await, 403);
    assert_eq!(fixture.status(&origin, "other", "GET /logs/k").await, 403);
    assert_eq!(fixture.status(&origin, "jane", "GET /logs/k").await, 200);
    let text = format!(r#"{{"Statement":{public}}}"#);
    let put = fixture.send("PUT /logs?policy", &[], text.as_bytes()).await;
    assert_eq!(put.fault(), "403 AccessDenied");
}

#[tokio::test]
async fn malformed_policies_are_refused_and_good_ones_outlive_the_process() {
    let fixture = fixture();
    let mut report = String::new();
    for statement in [
        r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::other/*"}"#,
        r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::logs"}"#,
        r#"{"Effect":"Allow","Principal":"*","Action":"s3:Fetch","Resource":"arn:aws:s3:::logs"}"#,
        r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::logs/*"}"#,
    ] {
        let text = format!(r#"{{"Statement":[{statement}]}}"#);
        let put = fixture.send("PUT /logs?policy", &[], text.as_bytes()).await;
        report += &format!("{}: {}\n", put.fault(), put.element("Message"));
    }
    expect![[r#"
        400 MalformedPolicy: Policy has invalid resource
        400 MalformedPolicy: Action does not apply to any resource(s) in statement
        400 MalformedPolicy: Policy has invalid action
        400 MalformedPolicy: Missing required field Principal
    "#]]
    .assert_eq(&report);
    fixture
        .set_policy(r#"{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::logs/*"}"#)
        .await;
    let again = S3::open(fixture.folder.path()).unwrap();
    let endpoint = again.service(Keys, Vec::new());
    let put = endpoint
        .call(signed("jane", "127.0.0.1", "PUT /logs/k", &[], b""))
        .await;
    assert_eq!(put.status(), 403);

    // What an older version kept without reading it lets nobody in but the root user, to mend it.
    let unread = Some("{}".to_owned());
    fixture
        .s3
        .settle("logs".to_owned(), Setting::Policy, unread)
        .await
        .unwrap();
    let origin = internet();
    for (key, call, expected) in [
        ("owner", "GET /logs?location", 403),
        ("jane", "GET /logs?policy", 403),
        ("owner", "GET /logs?policy", 200),
        ("owner", "DELETE /logs?policy", 204),
        ("owner", "GET /logs?location", 200),
    ] {
        assert_eq!(
            fixture.status(&origin, key, call).await,
            expected,
            "{key} {call}"
        );
    }
}
