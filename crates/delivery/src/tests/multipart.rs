//! Large objects: their parts, attempts that break off, uploads that a crash leaves behind.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::support::{clock, scope};
use crate::backoff::Jitter;
use crate::s3::{ObjectStore, PutObject, Undeliverable};
use crate::{Remote, SinkErrorKind};

const KEY: &str = "a/b=c.gz";

/// What a bucket knows of uploads.
#[derive(Default)]
struct State {
    uploads: BTreeMap<String, BTreeMap<usize, Bytes>>,
    objects: BTreeMap<String, Vec<u8>>,
    /// Operations, in their order.
    seen: Vec<String>,
    /// Answers to operations, each for one of that name.
    faults: Vec<(&'static str, u16, &'static str)>,
    /// Nobody may list uploads.
    is_closed: bool,
}

impl State {
    fn answer(&mut self, method: &Method, path: &str, query: &str, body: Bytes) -> (u16, String) {
        let query: BTreeMap<_, _> = query.split('&').filter_map(|p| p.split_once('=')).collect();
        let id = query.get("uploadId").map_or("", |id| id).to_owned();
        let number = query
            .get("partNumber")
            .and_then(|n| n.parse::<usize>().ok());
        let operation = match (method.as_str(), number) {
            ("GET", _) => "list".to_owned(),
            ("DELETE", _) => "abort".to_owned(),
            ("PUT", Some(number)) => format!("part {number}"),
            ("PUT", None) => "put".to_owned(),
            ("POST", _) if query.contains_key("uploads") => "create".to_owned(),
            _ => "complete".to_owned(),
        };
        self.seen.push(operation.clone());
        if let Some(place) = self.faults.iter().position(|(name, ..)| *name == operation) {
            let (_, status, body) = self.faults.remove(place);
            return (status, body.to_owned());
        }
        if !id.is_empty() && !self.uploads.contains_key(&id) {
            return (404, "<Error><Code>NoSuchUpload</Code></Error>".to_owned());
        }
        match operation.as_str() {
            "list" if self.is_closed => {
                (403, "<Error><Code>AccessDenied</Code></Error>".to_owned())
            }
            "list" => {
                assert_eq!((path, query["prefix"]), ("/bucket", "a%2Fb%3Dc.gz"));
                let upload = |id: &String| {
                    format!("<Upload><Key>{KEY}</Key><UploadId>{id}</UploadId></Upload>")
                };
                let other = "<Upload><Key>a/b=c.gz.other</Key><UploadId>other</UploadId></Upload>";
                let uploads: String = self.uploads.keys().map(upload).collect();
                (
                    200,
                    format!(
                        "<ListMultipartUploadsResult>{uploads}{other}</ListMultipartUploadsResult>"
                    ),
                )
            }
            "create" => {
                let id = format!("id-{}", self.seen.len());
                self.uploads.insert(id.clone(), BTreeMap::new());
                (
                    200,
                    format!("<R><Key>{KEY}</Key><UploadId>{id}</UploadId></R>"),
                )
            }
            "abort" => {
                self.uploads.remove(&id);
                (204, String::new())
            }
            "put" => {
                self.objects.insert(path.to_owned(), body.to_vec());
                (200, String::new())
            }
            "complete" => {
                let parts = self.uploads.remove(&id).unwrap();
                let text = String::from_utf8(body.to_vec()).unwrap();
                for (number, part) in &parts {
                    let named = format!(
                        "<PartNumber>{number}</PartNumber><ETag>{}</ETag>",
                        etag(part)
                    );
                    assert!(text.contains(&named), "{text}");
                }
                assert_eq!(text.matches("<Part>").count(), parts.len());
                self.objects
                    .insert(path.to_owned(), parts.into_values().flatten().collect());
                (200, "<CompleteMultipartUploadResult/>".to_owned())
            }
            _ => {
                let etag = etag(&body);
                self.uploads
                    .get_mut(&id)
                    .unwrap()
                    .insert(number.unwrap(), body);
                (200, etag)
            }
        }
    }
}

fn etag(part: &[u8]) -> String {
    format!("\"{:08x}\"", crc32fast::hash(part))
}

type Bucket = Arc<Mutex<State>>;

async fn serve() -> (String, Bucket) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let bucket = Bucket::default();
    let state = Arc::clone(&bucket);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let state = Arc::clone(&state);
            let service = service_fn(move |request: Request<Incoming>| {
                let state = Arc::clone(&state);
                async move {
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await.unwrap().to_bytes();
                    let query = parts.uri.query().unwrap_or_default();
                    let mut state = state.lock().unwrap();
                    let (status, text) = state.answer(&parts.method, parts.uri.path(), query, body);
                    let mut answer = Response::builder().status(status);
                    if text.starts_with('"') {
                        answer = answer.header("etag", &text);
                    }
                    Ok::<_, Infallible>(answer.body(Full::<Bytes>::from(text)).unwrap())
                }
            });
            let connection = hyper::server::conn::http1::Builder::new();
            tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
        }
    });
    (endpoint, bucket)
}

fn remote(endpoint: &str) -> Remote {
    let keys = sigv4::Credentials {
        access_key_id: "AKID",
        secret_access_key: "secret",
        session_token: None,
    };
    Remote::new(endpoint, None, keys, None, clock()).unwrap()
}

/// An object of a little more than 16 MiB, in three parts.
fn object() -> PutObject {
    let mut chance = Jitter(1);
    let body: Vec<u8> = (0..(16 << 17) + 100)
        .flat_map(|_| chance.next().to_le_bytes())
        .collect();
    PutObject {
        bucket: "bucket".to_owned(),
        key: KEY.to_owned(),
        body: body.into(),
        content_type: "application/octet-stream",
    }
}

fn seen(bucket: &Bucket) -> String {
    std::mem::take(&mut bucket.lock().unwrap().seen).join(", ")
}

fn is_whole(bucket: &Bucket, object: &PutObject) -> bool {
    let state = bucket.lock().unwrap();
    let keys: BTreeSet<_> = state.objects.keys().map(String::as_str).collect();
    keys == ["/bucket/a/b%3Dc.gz"].into()
        && state.objects.values().all(|body| *body == object.body)
        && state.uploads.is_empty()
}

#[tokio::test]
async fn a_large_object_comes_in_parts() {
    let (endpoint, bucket) = serve().await;
    let (remote, object) = (remote(&endpoint), object());
    remote.put_object(scope(), object.clone()).await.unwrap();
    assert_eq!(
        seen(&bucket),
        "list, create, part 1, part 2, part 3, complete"
    );
    assert!(is_whole(&bucket, &object));
    let small = PutObject {
        body: object.body.slice(..8 << 20),
        ..object.clone()
    };
    remote.put_object(scope(), small.clone()).await.unwrap();
    assert_eq!(seen(&bucket), "put");
    assert!(is_whole(&bucket, &small), "it takes the place of the other");
}

#[tokio::test]
async fn an_attempt_goes_on_where_the_last_one_broke_off() {
    let (endpoint, bucket) = serve().await;
    let (remote, object) = (remote(&endpoint), object());
    // Whoever may put may not list.
    bucket.lock().unwrap().is_closed = true;
    let internal = "<Error><Code>InternalError</Code></Error>";
    bucket.lock().unwrap().faults = vec![
        ("part 2", 500, internal),
        ("part 3", 503, "<Error><Code>SlowDown</Code></Error>"),
        // What takes long may fail after a 200.
        ("complete", 200, internal),
    ];
    for kind in [
        SinkErrorKind::Unavailable,
        SinkErrorKind::RateLimited,
        SinkErrorKind::Unavailable,
    ] {
        let error = remote
            .put_object(scope(), object.clone())
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
    }
    remote.put_object(scope(), object.clone()).await.unwrap();
    assert_eq!(
        seen(&bucket),
        "list, create, part 1, part 2, part 2, part 3, part 3, complete, complete"
    );
    assert!(is_whole(&bucket, &object));
}

#[tokio::test]
async fn what_a_crash_or_a_refusal_leaves_is_aborted() {
    let (endpoint, bucket) = serve().await;
    let object = object();
    bucket.lock().unwrap().faults = vec![("part 3", 500, "")];
    remote(&endpoint)
        .put_object(scope(), object.clone())
        .await
        .unwrap_err();
    assert_eq!(seen(&bucket), "list, create, part 1, part 2, part 3");
    assert_eq!(bucket.lock().unwrap().uploads.len(), 1);

    // The next daemon knows the key, and nothing else.
    let second = remote(&endpoint);
    second.put_object(scope(), object.clone()).await.unwrap();
    assert_eq!(
        seen(&bucket),
        "list, abort, create, part 1, part 2, part 3, complete"
    );
    assert!(is_whole(&bucket, &object));

    // An upload that is gone is begun anew.
    bucket.lock().unwrap().faults = vec![("part 2", 500, "")];
    second
        .put_object(scope(), object.clone())
        .await
        .unwrap_err();
    bucket.lock().unwrap().uploads.clear();
    let error = second
        .put_object(scope(), object.clone())
        .await
        .unwrap_err();
    assert!(error.message.starts_with("NoSuchUpload"), "{error}");
    second.put_object(scope(), object.clone()).await.unwrap();
    assert!(is_whole(&bucket, &object));

    // Too large for good.
    seen(&bucket);
    let too_large = "<Error><Code>EntityTooLarge</Code></Error>";
    bucket.lock().unwrap().faults = vec![("complete", 400, too_large)];
    let error = second
        .put_object(scope(), object.clone())
        .await
        .unwrap_err();
    assert_eq!(error.kind, SinkErrorKind::Rejected);
    assert_eq!(
        seen(&bucket),
        "list, create, part 1, part 2, part 3, complete, abort"
    );
    assert!(bucket.lock().unwrap().uploads.is_empty());
}

#[tokio::test]
async fn a_bucket_is_asked_with_an_upload_that_leaves_nothing() {
    let (endpoint, bucket) = serve().await;
    let patience = Duration::from_secs(60);
    let remote = remote(&endpoint);
    let ask = || remote.check_new_delivery(scope(), "bucket", "a/", patience);
    ask().await.unwrap();
    assert_eq!(seen(&bucket), "create, abort");
    assert!(bucket.lock().unwrap().uploads.is_empty());
    let code = |code: &str| format!("<Error><Code>{code}</Code></Error>");
    let (missing, denied) = (code("NoSuchBucket"), code("AccessDenied"));
    bucket.lock().unwrap().faults = vec![
        ("create", 404, missing.leak()),
        ("create", 403, denied.leak()),
        ("create", 500, ""),
    ];
    assert_eq!(ask().await, Err(Undeliverable::NoSuchBucket));
    assert_eq!(ask().await, Err(Undeliverable::AccessDenied));
    assert!(matches!(ask().await, Err(Undeliverable::Unknown(_))));

    // It accepts, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let far = super::multipart::remote(&format!("http://{}", silent.local_addr().unwrap()));
    let asked = far.check_new_delivery(scope(), "bucket", "a/", Duration::from_millis(20));
    assert!(matches!(asked.await, Err(Undeliverable::Unknown(_))));
}
