//! Signed requests over loopback.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use expect_test::expect;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::support::{Folder, clock, gunzip, line, logs_batch, s3_batch};
use crate::{CloudWatchLogsSink, Entry, Remote, S3Sink, Sink, SinkErrorKind};

type Seen = Arc<Mutex<Vec<String>>>;

/// Answers requests over TLS; gives the endpoint, its certificate, and the count of connections.
async fn serve_tls(folder: &Folder) -> (String, PathBuf, Arc<AtomicUsize>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, made.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, count) = (acceptor.clone(), Arc::clone(&count));
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                count.fetch_add(1, Ordering::SeqCst);
                let service = service_fn(|request: Request<Incoming>| async {
                    request.into_body().collect().await.unwrap();
                    Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
                });
                let connection = hyper::server::conn::http1::Builder::new();
                let _ = connection
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    (format!("https://localhost:{port}"), path, connections)
}

#[tokio::test]
async fn connections_are_encrypted_and_used_again() {
    let folder = Folder::new();
    let (endpoint, certificate, connections) = serve_tls(&folder).await;
    let keys = sigv4::Credentials {
        access_key_id: "AKID",
        secret_access_key: "secret",
        session_token: None,
    };
    let sink = |ca: &Path| {
        let remote = Remote::new(&endpoint, None, keys, Some(ca), clock()).unwrap();
        S3Sink::new(Arc::new(remote))
    };
    let trusting = sink(&certificate);
    for sequence in 1..=5 {
        let batch = s3_batch(1, &["one", "two"]);
        trusting.deliver(&Entry { sequence, batch }).await.unwrap();
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);

    // Somebody else's certificate.
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let path = folder.path().join("other.pem");
    std::fs::write(&path, other.cert.pem()).unwrap();
    let batch = s3_batch(1, &["secret"]);
    let refused = sink(&path).deliver(&Entry { sequence: 6, batch }).await;
    let error = refused.unwrap_err();
    assert_eq!(error.kind, SinkErrorKind::Unavailable);
    assert!(error.message.contains("certificate"), "{error}");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

/// A bucket that is in another Region than the flow log says so, once.
#[tokio::test]
async fn a_bucket_elsewhere_is_signed_for_its_region() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let seen = Seen::default();
    let notes = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let notes = Arc::clone(&notes);
            let service = service_fn(move |request: Request<Incoming>| {
                let signature = request.headers()["authorization"].to_str().unwrap();
                let region = signature.split('/').nth(2).unwrap().to_owned();
                notes.lock().unwrap().push(region.clone());
                async move {
                    let wrong = region != "eu-west-3";
                    let answer = Response::builder()
                        .status(if wrong { 400 } else { 200 })
                        .header("x-amz-bucket-region", "eu-west-3");
                    Ok::<_, Infallible>(answer.body(Full::<Bytes>::default()).unwrap())
                }
            });
            let connection = hyper::server::conn::http1::Builder::new();
            tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
        }
    });
    let sink = S3Sink::new(remote(&endpoint));
    for sequence in 1..=2 {
        let batch = s3_batch(1, &["one"]);
        sink.deliver(&Entry { sequence, batch }).await.unwrap();
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen[..], ["us-east-1", "eu-west-3", "eu-west-3"]);
}

/// Answers every request alike, and notes what came.
async fn serve(status: u16, body: &'static str) -> (String, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let seen = Seen::default();
    let notes = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let notes = Arc::clone(&notes);
            let service = service_fn(move |request: Request<Incoming>| {
                let notes = Arc::clone(&notes);
                async move {
                    let note = describe(request).await;
                    notes.lock().unwrap().push(note);
                    let answer = Response::builder().status(status);
                    Ok::<_, Infallible>(answer.body(Full::<Bytes>::from(body)).unwrap())
                }
            });
            let connection = hyper::server::conn::http1::Builder::new();
            tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
        }
    });
    (endpoint, seen)
}

async fn describe(request: Request<Incoming>) -> String {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let mut text = format!("{} {}\n", parts.method, parts.uri);
    for name in [
        "content-type",
        "x-amz-acl",
        "x-amz-target",
        "x-amz-date",
        "authorization",
    ] {
        if let Some(value) = parts.headers.get(name) {
            let value = value.to_str().unwrap();
            let value = value.split(", Signature=").next().unwrap();
            text += &format!("{name}: {value}\n");
        }
    }
    let body = if body.starts_with(&[0x1f, 0x8b]) {
        gunzip(&body)
    } else {
        String::from_utf8_lossy(&body).into_owned()
    };
    text + &body
}

fn remote(endpoint: &str) -> Arc<Remote> {
    let keys = sigv4::Credentials {
        access_key_id: "AKID",
        secret_access_key: "secret",
        session_token: None,
    };
    Arc::new(Remote::new(endpoint, None, keys, None, clock()).unwrap())
}

#[tokio::test]
async fn an_object_is_put() {
    let (endpoint, seen) = serve(200, "").await;
    let entry = Entry {
        sequence: 1,
        batch: s3_batch(1, &["one", "two"]),
    };
    S3Sink::new(remote(&endpoint))
        .deliver(&entry)
        .await
        .unwrap();
    let seen = seen.lock().unwrap().concat();
    expect![[r#"
        PUT /logs/AWSLogs/123456789012/vpcflowlogs/us-east-1/2023/11/14/123456789012_vpcflowlogs_us-east-1_fl-00000001_20231114T2215Z_e1c1b218.log.gz
        content-type: application/octet-stream
        x-amz-acl: bucket-owner-full-control
        x-amz-date: 20231114T221820Z
        authorization: AWS4-HMAC-SHA256 Credential=AKID/20231114/us-east-1/s3/aws4_request, SignedHeaders=content-type;host;x-amz-acl;x-amz-content-sha256;x-amz-date
        version
        one
        two
    "#]].assert_eq(&seen);
}

#[tokio::test]
async fn events_are_put() {
    let (endpoint, seen) = serve(200, "{}").await;
    let entry = Entry {
        sequence: 1,
        batch: logs_batch(1, &[line(5, "one")]),
    };
    let sink = CloudWatchLogsSink::new(remote(&endpoint));
    sink.deliver(&entry).await.unwrap();
    let seen = seen.lock().unwrap().concat();
    expect![[r#"
        POST /
        content-type: application/x-amz-json-1.1
        x-amz-target: Logs_20140328.PutLogEvents
        x-amz-date: 20231114T221820Z
        authorization: AWS4-HMAC-SHA256 Credential=AKID/20231114/us-east-1/logs/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target
        {"logEvents":[{"message":"one","timestamp":5000}],"logGroupName":"group","logStreamName":"eni-00000001-all"}"#]].assert_eq(&seen);
}

#[tokio::test]
async fn errors_are_told_apart() {
    let entry = Entry {
        sequence: 1,
        batch: s3_batch(1, &["one"]),
    };
    let cases = [
        (
            404,
            "<Error><Code>NoSuchBucket</Code></Error>",
            SinkErrorKind::NotFound,
        ),
        (
            403,
            "<Error><Code>AccessDenied</Code></Error>",
            SinkErrorKind::Access,
        ),
        (
            503,
            "<Error><Code>SlowDown</Code></Error>",
            SinkErrorKind::RateLimited,
        ),
        (500, "what?", SinkErrorKind::Unavailable),
        (403, "", SinkErrorKind::Access),
    ];
    for (status, body, kind) in cases {
        let (endpoint, _) = serve(status, body).await;
        let error = S3Sink::new(remote(&endpoint))
            .deliver(&entry)
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind, "{status} {body}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let sink = S3Sink::new(remote(&format!("http://{nobody}")));
    assert_eq!(
        sink.deliver(&entry).await.unwrap_err().kind,
        SinkErrorKind::Unavailable
    );
}
