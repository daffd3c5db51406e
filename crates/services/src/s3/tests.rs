//! S3 as clients meet it: signed requests in, answers out, through the whole HTTP service.

use std::time::{SystemTime, UNIX_EPOCH};

use expect_test::expect;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use sigv4::{Payload, Scope};

use super::*;

mod configuration;
mod delivery;
mod policy;

const OWNER: &str = "123456789012";
const OTHER: &str = "210987654321";

struct Fixture {
    s3: S3,
    endpoint: S3Endpoint,
    folder: tempfile::TempDir,
}

struct Answer {
    status: StatusCode,
    headers: http::HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The content of the first XML element of this name.
    fn element(&self, name: &str) -> String {
        let text = self.text();
        let found = text.split_once(&format!("<{name}>")).map(|(_, rest)| rest);
        let found = found.and_then(|rest| rest.split_once(&format!("</{name}>")));
        found.map_or_else(
            || panic!("no {name} in {text}"),
            |(content, _)| content.to_owned(),
        )
    }

    /// Status and error code.
    fn fault(&self) -> String {
        format!("{} {}", self.status.as_u16(), self.element("Code"))
    }
}

fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let s3 = S3::open(folder.path()).unwrap();
    let endpoint = s3.service(policy::Keys, vec!["s3.weir.test:4566".to_owned()]);
    s3.create_bucket("logs", OWNER, "us-east-1").unwrap();
    Fixture {
        s3,
        endpoint,
        folder,
    }
}

impl Fixture {
    async fn send(&self, call: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.send_as("owner", "127.0.0.1:4566", call, headers, body)
            .await
    }

    /// `call` is method and target; the request is signed by `key`.
    async fn send_as(
        &self,
        key: &str,
        host: &str,
        call: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        self.answer(signed(key, host, call, headers, body)).await
    }

    async fn answer(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.endpoint.call(request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    fn data_files(&self) -> usize {
        let mut files = 0;
        for folder in std::fs::read_dir(self.folder.path().join("data")).unwrap() {
            files += std::fs::read_dir(folder.unwrap().path()).unwrap().count();
        }
        files
    }
}

/// A request signed by `key`; `call` is method and target.
fn signed(
    key: &str,
    host: &str,
    call: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Request<Body> {
    let (method, target) = call.split_once(' ').unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let length = body.len().to_string();
    let mut headers = headers.to_vec();
    headers.push(("host", host));
    headers.push(("content-length", &length));
    let request = sigv4::Request {
        method,
        path,
        query,
        headers: &headers,
        payload: Payload::Body(body),
    };
    let request = if headers
        .iter()
        .any(|(name, _)| *name == "x-amz-content-sha256")
    {
        sigv4::Request {
            payload: Payload::Unread,
            ..request
        }
    } else {
        request
    };
    let credentials = sigv4::Credentials {
        access_key_id: key,
        secret_access_key: "secret",
        session_token: None,
    };
    let scope = Scope {
        region: "us-east-1",
        service: "s3",
    };
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let added = sigv4::sign(&request, &credentials, &scope, now).unwrap();
    let mut signed = Request::builder().method(method).uri(target);
    for (name, value) in &headers {
        signed = signed.header(*name, *value);
    }
    for (name, value) in &added {
        signed = signed.header(*name, value);
    }
    signed.body(Body::from(body.to_vec())).unwrap()
}

#[tokio::test]
async fn an_object_keeps_its_data_and_headers() {
    let fixture = fixture();
    let headers = [
        ("content-type", "text/plain"),
        ("content-encoding", "aws-chunked,gzip"),
        ("x-amz-meta-colour", "blue"),
        ("x-amz-acl", "bucket-owner-full-control"),
    ];
    let put = fixture
        .send(
            "PUT /logs/a%20b%2F..%2F%2E%2E/c%3Dd",
            &headers,
            b"0123456789",
        )
        .await;
    assert_eq!(put.status, 200, "{}", put.text());
    assert_eq!(put.header("etag"), "\"781e5e245d69b566979b86e28d23f2c7\"");
    assert_eq!(
        fixture
            .s3
            .get_object("logs", "a b/../../c=d")
            .unwrap()
            .bytes,
        b"0123456789"
    );

    let get = fixture
        .send("GET /logs/a%20b%2F..%2F%2E%2E/c%3Dd", &[], b"")
        .await;
    assert_eq!(
        (get.status.as_u16(), get.body.as_slice()),
        (200, &b"0123456789"[..])
    );
    assert_eq!(get.header("content-type"), "text/plain");
    assert_eq!(get.header("content-encoding"), "gzip");
    assert_eq!(get.header("x-amz-meta-colour"), "blue");
    assert_eq!(get.header("content-length"), "10");
    assert_eq!(get.header("x-amz-request-id").len(), 16);
    assert!(!get.headers.contains_key("x-amz-checksum-crc64nvme"));

    let range = fixture
        .send(
            "GET /logs/a%20b%2F..%2F%2E%2E/c%3Dd",
            &[("range", "bytes=2-4")],
            b"",
        )
        .await;
    assert_eq!(
        (range.status.as_u16(), range.body.as_slice()),
        (206, &b"234"[..])
    );
    assert_eq!(range.header("content-range"), "bytes 2-4/10");
}

#[tokio::test]
async fn conditions_of_reads_and_writes() {
    let fixture = fixture();
    let etag = fixture
        .send("PUT /logs/k", &[], b"1")
        .await
        .header("etag")
        .to_owned();
    let get = async |headers: &[(&str, &str)]| fixture.send("GET /logs/k", headers, b"").await;
    assert_eq!(get(&[("if-match", &etag)]).await.status, 200);
    assert_eq!(
        get(&[("if-match", "\"x\"")]).await.fault(),
        "412 PreconditionFailed"
    );
    let unchanged = get(&[("if-none-match", &etag)]).await;
    assert_eq!((unchanged.status.as_u16(), unchanged.body.len()), (304, 0));
    let past = "Wed, 21 Oct 2015 07:28:00 GMT";
    assert_eq!(
        get(&[("if-unmodified-since", past)]).await.fault(),
        "412 PreconditionFailed"
    );
    assert_eq!(get(&[("if-modified-since", past)]).await.status, 200);
    assert_eq!(
        get(&[("range", "bytes=5-")]).await.fault(),
        "416 InvalidRange"
    );

    let put = async |headers: &[(&str, &str)]| fixture.send("PUT /logs/k", headers, b"2").await;
    assert_eq!(
        put(&[("if-none-match", "*")]).await.fault(),
        "412 PreconditionFailed"
    );
    assert_eq!(
        put(&[("if-match", "\"x\"")]).await.fault(),
        "412 PreconditionFailed"
    );
    assert_eq!(put(&[("if-match", &etag)]).await.status, 200);
    assert_eq!(fixture.s3.get_object("logs", "k").unwrap().bytes, b"2");
    assert_eq!(fixture.data_files(), 1, "refused and replaced data is gone");
}

#[tokio::test]
async fn checksums_are_verified_and_returned() {
    let fixture = fixture();
    let put = async |headers: &[(&str, &str)], body: &[u8]| {
        fixture.send("PUT /logs/k", headers, body).await
    };
    assert_eq!(
        put(&[("x-amz-checksum-crc32", "AAAAAA==")], b"123456789")
            .await
            .fault(),
        "400 BadDigest"
    );
    assert_eq!(
        put(&[("content-md5", "nonsense")], b"1").await.fault(),
        "400 InvalidDigest"
    );
    let wrong = [("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")];
    assert_eq!(put(&wrong, b"1").await.fault(), "400 BadDigest");
    assert_eq!(fixture.data_files(), 0);
    let put = put(&[("x-amz-checksum-crc32", "y/Q5Jg==")], b"123456789").await;
    assert_eq!(
        (put.status.as_u16(), put.header("x-amz-checksum-crc32")),
        (200, "y/Q5Jg==")
    );
    let head = fixture
        .send("HEAD /logs/k", &[("x-amz-checksum-mode", "ENABLED")], b"")
        .await;
    assert_eq!(head.header("x-amz-checksum-crc32"), "y/Q5Jg==");
    assert_eq!(head.header("x-amz-checksum-type"), "FULL_OBJECT");
}

#[tokio::test]
async fn chunked_uploads_with_a_trailer_are_unframed() {
    let fixture = fixture();
    let upload = async |checksum: &str| {
        let body =
            format!("5\r\n12345\r\n4\r\n6789\r\n0\r\nx-amz-checksum-crc32:{checksum}\r\n\r\n");
        let headers = [
            ("content-encoding", "aws-chunked"),
            ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
            ("x-amz-decoded-content-length", "9"),
            ("x-amz-trailer", "x-amz-checksum-crc32"),
        ];
        fixture.send("PUT /logs/k", &headers, body.as_bytes()).await
    };
    assert_eq!(upload("AAAAAA==").await.fault(), "400 BadDigest");
    let put = upload("y/Q5Jg==").await;
    assert_eq!(put.status, 200, "{}", put.text());
    let object = fixture.s3.get_object("logs", "k").unwrap();
    assert_eq!(
        (object.bytes.as_slice(), object.content_encoding),
        (&b"123456789"[..], None)
    );
}

#[tokio::test]
async fn listings_are_in_order_with_prefixes_and_pages() {
    let fixture = fixture();
    for key in ["a", "b/1", "b/2", "b2", "c/x/1", "c/y", "é +"] {
        fixture
            .s3
            .put_object("logs", key, b"", PutOptions::default())
            .unwrap();
    }
    let list = async |query: &str| {
        let answer = fixture.send(&format!("GET /logs?{query}"), &[], b"").await;
        let text = answer.text();
        let entries: Vec<_> = text
            .split(['<', '>'])
            .collect::<Vec<_>>()
            .windows(2)
            .filter(|pair| matches!(pair[0], "Key" | "Prefix") && !pair[1].is_empty())
            .map(|pair| pair[1].to_owned())
            .collect();
        (entries.join(" "), answer)
    };
    assert_eq!(list("list-type=2").await.0, "a b/1 b/2 b2 c/x/1 c/y é +");
    assert_eq!(list("list-type=2&delimiter=%2F").await.0, "a b2 é + b/ c/");
    assert_eq!(
        list("list-type=2&delimiter=%2F&encoding-type=url").await.0,
        "a b2 %C3%A9%20%2B b/ c/"
    );
    assert_eq!(
        list("list-type=2&delimiter=%2F&prefix=c%2F").await.0,
        "c/ c/y c/x/"
    );
    assert_eq!(
        list("list-type=2&start-after=b%2F2").await.0,
        "b2 c/x/1 c/y é +"
    );
    assert_eq!(list("marker=b%2F2").await.0, "b2 c/x/1 c/y é +");

    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let (entries, page) = list(
            &format!("continuation-token={token}&delimiter=%2F&list-type=2&max-keys=1")
                .replace("continuation-token=&", ""),
        )
        .await;
        found.push(entries);
        if page.element("IsTruncated") == "false" {
            break;
        }
        token = page.element("NextContinuationToken").replace('=', "%3D");
    }
    assert_eq!(found.join("|"), "a|b/|b2|c/|é +");
}

#[tokio::test]
async fn a_multipart_upload_becomes_one_object() {
    let fixture = fixture();
    let created = fixture
        .send("POST /logs/m?uploads", &[("content-type", "a/b")], b"")
        .await;
    let id = created.element("UploadId");
    let part = vec![b'a'; 5 * 1024 * 1024];
    let mut etags = Vec::new();
    for (number, data) in [(1, part.as_slice()), (2, b"end")] {
        let call = format!("PUT /logs/m?partNumber={number}&uploadId={id}");
        etags.push(
            fixture
                .send(&call, &[], data)
                .await
                .header("etag")
                .to_owned(),
        );
    }
    let complete = async |parts: &[(i32, &str)]| {
        let parts: String = parts
            .iter()
            .map(|(number, etag)| {
                format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
            })
            .collect();
        let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        fixture
            .send(&format!("POST /logs/m?uploadId={id}"), &[], body.as_bytes())
            .await
    };
    let (first, second) = (etags[0].as_str(), etags[1].as_str());
    assert_eq!(
        complete(&[(2, second), (1, first)]).await.fault(),
        "400 InvalidPartOrder"
    );
    assert_eq!(complete(&[(1, second)]).await.fault(), "400 InvalidPart");
    let listed = fixture
        .send(&format!("GET /logs/m?uploadId={id}"), &[], b"")
        .await;
    assert_eq!(listed.text().matches("<Part>").count(), 2);
    let done = complete(&[(1, first), (2, second)]).await;
    assert!(done.element("ETag").ends_with("-2\""), "{}", done.text());
    assert_eq!(complete(&[(1, first)]).await.fault(), "404 NoSuchUpload");

    let object = fixture.s3.get_object("logs", "m").unwrap();
    assert_eq!(
        (object.bytes.len(), object.content_type.as_deref()),
        (part.len() + 3, Some("a/b"))
    );
    let tail = fixture.send("GET /logs/m?partNumber=2", &[], b"").await;
    assert_eq!(
        (tail.status.as_u16(), tail.body.as_slice()),
        (206, &b"end"[..])
    );
    assert_eq!(tail.header("x-amz-mp-parts-count"), "2");
    assert_eq!(fixture.data_files(), 1, "the parts are gone");

    let id = fixture
        .send("POST /logs/n?uploads", &[], b"")
        .await
        .element("UploadId");
    fixture
        .send(
            &format!("PUT /logs/n?partNumber=1&uploadId={id}"),
            &[],
            b"x",
        )
        .await;
    let aborted = fixture
        .send(&format!("DELETE /logs/n?uploadId={id}"), &[], b"")
        .await;
    assert_eq!((aborted.status.as_u16(), fixture.data_files()), (204, 1));
}

#[tokio::test]
async fn copies_and_deletes() {
    let fixture = fixture();
    fixture
        .send("PUT /logs/k", &[("content-type", "a/b")], b"1")
        .await;
    let copy = fixture
        .send("PUT /logs/copy", &[("x-amz-copy-source", "/logs/k")], b"")
        .await;
    assert_eq!(copy.status, 200, "{}", copy.text());
    assert_eq!(
        fixture
            .s3
            .get_object("logs", "copy")
            .unwrap()
            .content_type
            .as_deref(),
        Some("a/b")
    );
    assert_eq!(
        fixture.send("DELETE /logs", &[], b"").await.fault(),
        "409 BucketNotEmpty"
    );
    assert_eq!(
        fixture.send("DELETE /logs/none", &[], b"").await.status,
        204
    );
    let delete = "<Delete><Object><Key>k</Key></Object><Object><Key>copy</Key></Object></Delete>";
    let deleted = fixture
        .send("POST /logs?delete", &[], delete.as_bytes())
        .await;
    assert_eq!(
        deleted.text().matches("<Deleted>").count(),
        2,
        "{}",
        deleted.text()
    );
    assert_eq!(fixture.data_files(), 0);
    assert_eq!(fixture.send("DELETE /logs", &[], b"").await.status, 204);
    assert_eq!(
        fixture.send("GET /logs/k", &[], b"").await.fault(),
        "404 NoSuchBucket"
    );
}

#[tokio::test]
async fn buckets_belong_to_accounts() {
    let fixture = fixture();
    let other = async |call: &str| {
        fixture
            .send_as("other", "127.0.0.1:4566", call, &[], b"")
            .await
    };
    assert_eq!(other("PUT /logs").await.fault(), "409 BucketAlreadyExists");
    assert_eq!(other("GET /logs").await.fault(), "403 AccessDenied");
    assert_eq!(other("PUT /logs/k").await.fault(), "403 AccessDenied");
    assert_eq!(other("PUT /mine").await.status, 200);
    assert_eq!(fixture.send("PUT /logs", &[], b"").await.status, 200);
    assert_eq!(other("GET /").await.element("Name"), "mine");
    let stolen = [("x-amz-copy-source", "/logs/k")];
    fixture.send("PUT /logs/k", &[], b"1").await;
    let copy = fixture
        .send_as("other", "127.0.0.1", "PUT /mine/k", &stolen, b"")
        .await;
    assert_eq!(copy.fault(), "403 AccessDenied");
    let expected = [("x-amz-expected-bucket-owner", OTHER)];
    assert_eq!(
        fixture.send("GET /logs/k", &expected, b"").await.fault(),
        "403 AccessDenied"
    );

    let unknown = fixture
        .send_as("nobody", "127.0.0.1", "GET /", &[], b"")
        .await;
    assert_eq!(unknown.fault(), "403 InvalidAccessKeyId");
    let anonymous = Request::get("/logs/k").body(Body::empty()).unwrap();
    assert_eq!(fixture.answer(anonymous).await.fault(), "403 AccessDenied");
    let info = fixture.s3.bucket("logs").unwrap().unwrap();
    assert_eq!(
        (info.owner.as_str(), info.region.as_str()),
        (OWNER, "us-east-1")
    );
    assert_eq!(fixture.s3.bucket("none").unwrap(), None);
}

#[tokio::test]
async fn own_host_names_carry_the_bucket() {
    let fixture = fixture();
    fixture.send("PUT /logs/k", &[], b"1").await;
    let virtual_hosted = fixture
        .send_as("owner", "logs.s3.weir.test:4566", "GET /k", &[], b"")
        .await;
    assert_eq!(virtual_hosted.body, b"1");
    let path_style = fixture
        .send_as("owner", "s3.weir.test:4566", "GET /logs/k", &[], b"")
        .await;
    assert_eq!(path_style.body, b"1");
    let foreign = fixture
        .send_as("owner", "a.b.example.com", "GET /logs/k", &[], b"")
        .await;
    assert_eq!(foreign.body, b"1");
}

#[tokio::test]
async fn policies_and_what_is_not_set() {
    let fixture = fixture();
    let policy = br#"{"Statement":{"Effect":"Allow","Principal":{"Service":"delivery.logs.amazonaws.com"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::logs/*"}}"#;
    assert_eq!(
        fixture.send("GET /logs?policy", &[], b"").await.fault(),
        "404 NoSuchBucketPolicy"
    );
    assert_eq!(
        fixture.send("PUT /logs?policy", &[], b"{}").await.fault(),
        "400 MalformedPolicy"
    );
    assert_eq!(
        fixture.send("PUT /logs?policy", &[], policy).await.status,
        204
    );
    assert_eq!(
        fixture.send("GET /logs?policy", &[], b"").await.body,
        policy
    );
    assert!(fixture.s3.bucket("logs").unwrap().unwrap().policy.is_some());
    assert_eq!(
        fixture.send("DELETE /logs?policy", &[], b"").await.status,
        204
    );

    let mut all = String::new();
    for name in [
        "cors",
        "website",
        "lifecycle",
        "replication",
        "object-lock",
        "tagging",
        "publicAccessBlock",
        "ownershipControls",
        "versioning",
        "accelerate",
        "requestPayment",
        "logging",
        "encryption",
        "acl",
        "location",
        "metadataTable",
    ] {
        let answer = fixture.send(&format!("GET /logs?{name}"), &[], b"").await;
        let code = if answer.status.is_success() {
            String::new()
        } else {
            answer.element("Code")
        };
        let line = format!("{name} {} {code}", answer.status.as_u16());
        all.push_str(&format!("{}\n", line.trim_end()));
    }
    expect![[r#"
        cors 404 NoSuchCORSConfiguration
        website 404 NoSuchWebsiteConfiguration
        lifecycle 404 NoSuchLifecycleConfiguration
        replication 404 ReplicationConfigurationNotFoundError
        object-lock 404 ObjectLockConfigurationNotFoundError
        tagging 404 NoSuchTagSet
        publicAccessBlock 404 NoSuchPublicAccessBlockConfiguration
        ownershipControls 404 OwnershipControlsNotFoundError
        versioning 200
        accelerate 200
        requestPayment 200
        logging 200
        encryption 200
        acl 200
        location 200
        metadataTable 501 NotImplemented
    "#]]
    .assert_eq(&all);
}

#[test]
fn objects_survive_opening_again_and_orphans_do_not() {
    let fixture = fixture();
    fixture
        .s3
        .put_object("logs", "k", b"1", PutOptions::default())
        .unwrap();
    let data = fixture.folder.path().join("data");
    std::fs::write(data.join("incoming/half"), b"half").unwrap();
    let orphan = data.join("zz/zz-orphan");
    std::fs::create_dir_all(data.join("zz")).unwrap();
    let old = SystemTime::now() - std::time::Duration::from_secs(7200);
    std::fs::File::create(&orphan)
        .unwrap()
        .set_modified(old)
        .unwrap();

    let again = S3::open(fixture.folder.path()).unwrap();
    assert!(!data.join("incoming/half").exists());
    assert_eq!(again.sweep().unwrap(), 1);
    assert_eq!(again.get_object("logs", "k").unwrap().bytes, b"1");
    assert_eq!(again.list_objects("logs", "").unwrap().len(), 1);
    let missing = again
        .put_object("none", "k", b"", PutOptions::default())
        .unwrap_err();
    assert_eq!(missing.code().as_str(), "NoSuchBucket");
    let long = again
        .put_object("logs", &"k".repeat(1025), b"", PutOptions::default())
        .unwrap_err();
    assert_eq!(long.code().as_str(), "KeyTooLongError");
}

#[tokio::test]
async fn a_part_without_the_method_is_not_the_whole() {
    let fixture = fixture();
    fixture.send("PUT /logs/k", &[], b"data").await;
    for part in [
        "acl",
        "versioning",
        "versions",
        "location",
        "logging",
        "notification",
        "object-lock",
        "policyStatus",
        "requestPayment",
        "accelerate",
        "uploads",
        "metadataConfiguration",
    ] {
        let deleted = fixture
            .send(&format!("DELETE /logs?{part}"), &[], b"")
            .await;
        assert_eq!(deleted.fault(), "405 MethodNotAllowed", "{part}");
        assert_eq!(
            deleted.element("Message"),
            "The specified method is not allowed against this resource."
        );
    }
    for part in ["acl", "retention", "legal-hold", "torrent", "attributes"] {
        let deleted = fixture
            .send(&format!("DELETE /logs/k?{part}="), &[], b"")
            .await;
        assert_eq!(deleted.fault(), "405 MethodNotAllowed", "{part}");
    }
    for call in [
        "PUT /other?location",
        "PUT /other?versions",
        "PUT /logs/k?torrent",
    ] {
        let put = fixture.send(call, &[], b"").await;
        assert_eq!(put.fault(), "405 MethodNotAllowed", "{call}");
    }
    let kept = fixture.send("GET /logs/k", &[], b"").await;
    assert_eq!((kept.status.as_u16(), &kept.body[..]), (200, &b"data"[..]));
    assert_eq!(
        fixture.send("GET /other", &[], b"").await.fault(),
        "404 NoSuchBucket"
    );
    // What clients add about themselves is no part of anything.
    let deleted = fixture
        .send("DELETE /logs/k?x-id=DeleteObject", &[], b"")
        .await;
    assert_eq!(deleted.status, 204);
    assert_eq!(fixture.send("DELETE /logs", &[], b"").await.status, 204);
}

#[tokio::test]
async fn every_error_says_something() {
    let fixture = fixture();
    for (call, code, words) in [
        (
            "PUT /LO",
            "InvalidBucketName",
            "The specified bucket is not valid.",
        ),
        (
            "DELETE /",
            "NotImplemented",
            "A header you provided implies",
        ),
        (
            "GET /logs/none",
            "NoSuchKey",
            "The specified key does not exist.",
        ),
    ] {
        let answer = fixture.send(call, &[], b"").await;
        assert_eq!(answer.element("Code"), code, "{call}");
        assert!(answer.element("Message").starts_with(words), "{call}");
        let length = answer.header("content-length");
        assert!(length.is_empty() || length == answer.body.len().to_string());
    }
    let mut forged = signed("owner", "127.0.0.1:4566", "GET /logs", &[], b"");
    *forged.uri_mut() = "/logs?prefix=x".parse().unwrap();
    let answer = fixture.answer(forged).await;
    assert_eq!(answer.fault(), "403 SignatureDoesNotMatch");
    assert!(
        answer
            .element("Message")
            .starts_with("The request signature we calculated")
    );
}
