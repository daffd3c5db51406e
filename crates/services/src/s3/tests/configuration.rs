//! Configurations of buckets: each comes back as it was put, and goes.

use expect_test::expect;

use super::fixture;

const NS: &str = r#"xmlns="http://s3.amazonaws.com/doc/2006-03-01/""#;

/// Query, and a document that can be put and comes back.
fn documents() -> Vec<(&'static str, String)> {
    let document = |root: &str, inside: &str| format!("<{root} {NS}>{inside}</{root}>");
    vec![
        (
            "versioning",
            document("VersioningConfiguration", "<Status>Enabled</Status>"),
        ),
        (
            "encryption",
            document(
                "ServerSideEncryptionConfiguration",
                "<Rule><ApplyServerSideEncryptionByDefault><KMSMasterKeyID>k</KMSMasterKeyID><SSEAlgorithm>aws:kms</SSEAlgorithm></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled></Rule>",
            ),
        ),
        (
            "lifecycle",
            document(
                "LifecycleConfiguration",
                "<Rule><Expiration><Days>90</Days></Expiration><Filter><Prefix></Prefix></Filter><ID>a</ID><Status>Enabled</Status></Rule>",
            ),
        ),
        (
            "logging",
            document(
                "BucketLoggingStatus",
                "<LoggingEnabled><TargetBucket>logs</TargetBucket><TargetPrefix>p/</TargetPrefix></LoggingEnabled>",
            ),
        ),
        (
            "accelerate",
            document("AccelerateConfiguration", "<Status>Suspended</Status>"),
        ),
        (
            "requestPayment",
            document("RequestPaymentConfiguration", "<Payer>Requester</Payer>"),
        ),
        (
            "notification",
            document(
                "NotificationConfiguration",
                "<EventBridgeConfiguration></EventBridgeConfiguration>",
            ),
        ),
        (
            "cors",
            document(
                "CORSConfiguration",
                "<CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule>",
            ),
        ),
        (
            "website",
            document(
                "WebsiteConfiguration",
                "<IndexDocument><Suffix>index.html</Suffix></IndexDocument>",
            ),
        ),
        (
            "object-lock",
            document(
                "ObjectLockConfiguration",
                "<ObjectLockEnabled>Enabled</ObjectLockEnabled>",
            ),
        ),
        (
            "metrics&id=m",
            document("MetricsConfiguration", "<Id>m</Id>"),
        ),
        (
            "intelligent-tiering&id=t",
            document(
                "IntelligentTieringConfiguration",
                "<Id>t</Id><Status>Enabled</Status><Tiering><AccessTier>ARCHIVE_ACCESS</AccessTier><Days>90</Days></Tiering>",
            ),
        ),
    ]
}

#[tokio::test]
async fn what_was_put_comes_back() {
    let fixture = fixture();
    for (query, document) in documents() {
        let path = format!("/logs?{query}");
        let put = fixture
            .send(&format!("PUT {path}"), &[], document.as_bytes())
            .await;
        assert_eq!(put.status, 200, "{query}: {}", put.text());
        let got = fixture.send(&format!("GET {path}"), &[], b"").await;
        let inside = document.split_once('>').unwrap().1;
        let inside = inside.rsplit_once("</").unwrap().0;
        assert!(
            got.text().contains(inside),
            "{query}\n{inside}\n{}",
            got.text()
        );
    }
}

#[tokio::test]
async fn what_was_taken_away_was_never_there() {
    let fixture = fixture();
    let mut all = String::new();
    // The others are put again with an empty document, or cannot be taken away.
    let removable = [
        "encryption",
        "lifecycle",
        "cors",
        "website",
        "metrics&id=m",
        "intelligent-tiering&id=t",
    ];
    let removable = |(query, _): &(&str, String)| removable.contains(query);
    for (query, document) in documents().into_iter().filter(removable) {
        let path = format!("/logs?{query}");
        fixture
            .send(&format!("PUT {path}"), &[], document.as_bytes())
            .await;
        let gone = fixture.send(&format!("DELETE {path}"), &[], b"").await;
        assert_eq!(gone.status, 204, "{query}");
        let got = fixture.send(&format!("GET {path}"), &[], b"").await;
        let said = match got.status.is_success() {
            true => got.element("SSEAlgorithm"),
            false => got.element("Code"),
        };
        all.push_str(&format!("{query} {} {said}\n", got.status.as_u16()));
    }
    expect![[r#"
        encryption 200 AES256
        lifecycle 404 NoSuchLifecycleConfiguration
        cors 404 NoSuchCORSConfiguration
        website 404 NoSuchWebsiteConfiguration
        metrics&id=m 404 NoSuchConfiguration
        intelligent-tiering&id=t 404 NoSuchConfiguration
    "#]]
    .assert_eq(&all);
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let fixture = fixture();
    let mut all = String::new();
    for (query, root, inside) in [
        (
            "versioning",
            "VersioningConfiguration",
            "<Status>Perhaps</Status>",
        ),
        ("versioning", "VersioningConfiguration", ""),
        (
            "lifecycle",
            "LifecycleConfiguration",
            "<Rule><Filter></Filter><Status>Enabled</Status></Rule>",
        ),
        (
            "logging",
            "BucketLoggingStatus",
            "<LoggingEnabled><TargetBucket>none-such</TargetBucket><TargetPrefix></TargetPrefix></LoggingEnabled>",
        ),
        (
            "object-lock",
            "ObjectLockConfiguration",
            "<ObjectLockEnabled>Enabled</ObjectLockEnabled>",
        ),
        ("metrics&id=m", "MetricsConfiguration", "<Id>other</Id>"),
        (
            "requestPayment",
            "RequestPaymentConfiguration",
            "<Payer>Nobody</Payer>",
        ),
    ] {
        let document = format!("<{root} {NS}>{inside}</{root}>");
        let put = fixture
            .send(&format!("PUT /logs?{query}"), &[], document.as_bytes())
            .await;
        all.push_str(&format!(
            "{query} {} {}\n",
            put.status.as_u16(),
            put.element("Code")
        ));
    }
    expect![[r#"
        versioning 400 MalformedXML
        versioning 400 IllegalVersioningConfigurationException
        lifecycle 400 InvalidRequest
        logging 400 InvalidTargetBucketForLogging
        object-lock 409 InvalidBucketState
        metrics&id=m 400 InvalidArgument
        requestPayment 400 MalformedXML
    "#]]
    .assert_eq(&all);
}
