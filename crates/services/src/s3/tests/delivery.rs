//! Logs that AWS itself delivers, and the policies of the buckets that they go to.

use super::bucket::Setting;
use super::policy::internet;
use super::*;

#[tokio::test]
async fn logs_are_delivered_where_policies_let_them() {
    let fixture = fixture();
    let deliver = |account: &str| {
        let key = format!("AWSLogs/{account}/vpcflowlogs/us-east-1/log.gz");
        let checked = fixture
            .s3
            .check_delivery("logs", &key, account, "us-east-1");
        checked.map_err(|error| error.code().as_str().to_owned())
    };
    let denied = Err("AccessDenied".to_owned());
    assert_eq!((deliver(OWNER), deliver(OTHER)), (Ok(()), denied.clone()));
    fixture
        .set_policy(&format!(
            r#"{{"Effect":"Allow","Principal":{{"Service":"delivery.logs.amazonaws.com"}},"Action":"s3:PutObject",
            "Resource":"arn:aws:s3:::logs/AWSLogs/*","Condition":{{"StringEquals":{{"s3:x-amz-acl":"bucket-owner-full-control",
            "aws:SourceAccount":"{OTHER}"}},"ArnLike":{{"aws:SourceArn":"arn:aws:logs:us-east-1:{OTHER}:*"}}}}}}"#
        ))
        .await;
    assert_eq!((deliver(OWNER), deliver(OTHER)), (Ok(()), Ok(())));
    assert_eq!(deliver("777788889999"), denied);
    // The private-only bucket keeps the logs of its own account out, too, as in AWS.
    fixture
        .set_policy(
            r#"{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::logs/*",
            "Condition":{"StringNotEquals":{"aws:SourceVpce":"vpce-1"}}}"#,
        )
        .await;
    assert_eq!(deliver(OWNER), denied);
    fixture
        .set_policy(
            r#"{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::logs/*",
            "Condition":{"StringNotEquals":{"aws:SourceVpce":"vpce-1"},"Bool":{"aws:PrincipalIsAWSService":"false"}}}"#,
        )
        .await;
    assert_eq!(deliver(OWNER), Ok(()));
    let missing = fixture
        .s3
        .check_delivery("nothing", "k", OWNER, "us-east-1");
    assert_eq!(missing.unwrap_err().code().as_str(), "NoSuchBucket");
}

fn folder(account: &str, region: &str) -> LogFolder {
    LogFolder {
        bucket: "logs".to_owned(),
        folder: format!("some/AWSLogs/{account}/"),
        key: format!("some/AWSLogs/{account}/vpcflowlogs/{region}/"),
        account: account.to_owned(),
        region: region.to_owned(),
    }
}

#[tokio::test]
async fn new_flow_logs_add_to_the_policies_of_own_buckets() {
    let fixture = fixture();
    let policy = || fixture.s3.bucket("logs").unwrap().unwrap().policy;
    let (east, west) = (folder(OWNER, "us-east-1"), folder(OWNER, "us-west-2"));
    fixture.s3.check_new_delivery(&east).unwrap();
    assert_eq!(policy(), None, "asking changes nothing");
    fixture.s3.allow_delivery(&east).unwrap();
    let first = policy().unwrap();
    expect_test::expect![[r#"{"Statement":[{"Action":"s3:PutObject","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:logs:us-east-1:123456789012:*"},"StringEquals":{"aws:SourceAccount":"123456789012","s3:x-amz-acl":"bucket-owner-full-control"}},"Effect":"Allow","Principal":{"Service":"delivery.logs.amazonaws.com"},"Resource":"arn:aws:s3:::logs/some/AWSLogs/123456789012/*","Sid":"AWSLogDeliveryWrite"},{"Action":"s3:GetBucketAcl","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:logs:us-east-1:123456789012:*"},"StringEquals":{"aws:SourceAccount":"123456789012"}},"Effect":"Allow","Principal":{"Service":"delivery.logs.amazonaws.com"},"Resource":"arn:aws:s3:::logs","Sid":"AWSLogDeliveryAclCheck"}],"Version":"2012-10-17"}"#]].assert_eq(&first);
    fixture.s3.allow_delivery(&east).unwrap();
    assert_eq!(
        policy().as_ref(),
        Some(&first),
        "what is allowed is not added again"
    );
    fixture.s3.allow_delivery(&west).unwrap();
    let sids = |policy: Option<String>| -> Vec<String> {
        let policy: serde_json::Value = serde_json::from_str(&policy.unwrap()).unwrap();
        let statements = policy["Statement"].as_array().unwrap();
        statements
            .iter()
            .map(|s| s["Sid"].as_str().unwrap_or("-").to_owned())
            .collect()
    };
    let (write, check) = ("AWSLogDeliveryWrite", "AWSLogDeliveryAclCheck");
    let twice = [
        write.to_owned(),
        check.to_owned(),
        format!("{write}2"),
        format!("{check}2"),
    ];
    assert_eq!(sids(policy()), twice);
    // A statement that stands alone, and the policy's other elements, stay.
    let own = r#"{"Version":"2008-10-17","Id":"mine","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::logs/*"}}"#;
    fixture
        .s3
        .settle("logs".to_owned(), Setting::Policy, Some(own.to_owned()))
        .await
        .unwrap();
    fixture.s3.allow_delivery(&east).unwrap();
    assert_eq!(sids(policy()), ["-", write, check]);
    let kept: serde_json::Value = serde_json::from_str(&policy().unwrap()).unwrap();
    assert_eq!(
        (&kept["Id"], &kept["Version"]),
        (&"mine".into(), &"2008-10-17".into())
    );
    assert_eq!(
        fixture
            .status(&internet(), "other", "GET /logs?location")
            .await,
        403
    );
}

#[tokio::test]
async fn new_flow_logs_need_a_policy_that_lets_them() {
    let fixture = fixture();
    let check = |account: &str| {
        let to = folder(account, "us-east-1");
        let (checked, allowed) = (
            fixture.s3.check_new_delivery(&to),
            fixture.s3.allow_delivery(&to),
        );
        assert_eq!(format!("{checked:?}"), format!("{allowed:?}"));
        checked.map_err(|error| format!("{error:?}"))
    };
    let denied = Err("AccessDenied".to_owned());
    assert_eq!(
        check(OTHER),
        denied,
        "another account's bucket has to allow it"
    );
    let service = r#""Principal":{"Service":"delivery.logs.amazonaws.com"},"Resource":["arn:aws:s3:::logs","arn:aws:s3:::logs/*"]"#;
    let closed = [
        format!(r#"{{"Effect":"Deny",{service},"Action":"s3:PutObject"}}"#),
        format!(r#"{{"Effect":"Deny",{service},"Action":"s3:GetBucketAcl"}}"#),
        format!(r#"{{"Effect":"Allow",{service},"NotAction":"s3:DeleteObject"}}"#),
        r#"{"Effect":"Deny","NotPrincipal":{"AWS":"*"},"Action":"s3:*","Resource":"arn:aws:s3:::logs/*"}"#.to_owned(),
    ];
    for statement in &closed {
        fixture.set_policy(statement).await;
        assert_eq!(check(OWNER), denied, "{statement}");
    }
    fixture
        .set_policy(&format!(
            r#"{{"Effect":"Allow",{service},"Action":["s3:PutObject","s3:GetBucketAcl"]}}"#
        ))
        .await;
    let before = fixture.s3.bucket("logs").unwrap();
    assert_eq!((check(OWNER), check(OTHER)), (Ok(()), Ok(())));
    assert_eq!(
        fixture.s3.bucket("logs").unwrap(),
        before,
        "nothing was to be added"
    );
    // 20 KB is the limit: the policy of the account's own bucket has no space for more.
    let long = "x".repeat(20_000);
    fixture
        .set_policy(&format!(
            r#"{{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::logs/{long}"}}"#
        ))
        .await;
    assert_eq!(check(OWNER), Err("PolicyFull".to_owned()));
    let missing = LogFolder {
        bucket: "nothing".to_owned(),
        ..folder(OWNER, "us-east-1")
    };
    assert!(matches!(
        fixture.s3.check_new_delivery(&missing),
        Err(Undeliverable::NoSuchBucket)
    ));
    assert!(matches!(
        fixture.s3.allow_delivery(&missing),
        Err(Undeliverable::NoSuchBucket)
    ));
}
