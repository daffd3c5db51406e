//! Serves S3, CloudWatch Logs and STS on one port of 127.0.0.1, for trying clients by hand.
//!
//! `cargo run -p services --example serve -- 4566 /tmp/state`, then
//! `AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test aws --endpoint-url http://127.0.0.1:4566 s3 ls`.
//! Every access key exists in account 123456789012 with the secret `test`; only S3 checks signatures.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use policy::Identity;
use services::json::{self, JsonResponse};
use services::logs::{Logs, Scope};
use services::s3::{Body, CredentialError, Credentials, S3, S3Endpoint, Signer};
use services::sts::{self, AssumeRole, TemporaryCredentials};
use tokio::net::TcpListener;

const ACCOUNT: &str = "123456789012";

struct Services {
    s3: S3Endpoint,
    logs: Logs,
}

/// A session of a role, with a key that is as good as any other here.
fn assume(asked: &AssumeRole) -> TemporaryCredentials {
    let (account, name) = (&asked.account, &asked.session_name);
    TemporaryCredentials {
        access_key_id: "ASIAEXAMPLE".to_owned(),
        secret_access_key: "test".to_owned(),
        session_token: "example".to_owned(),
        expiration: "2050-01-01T00:00:00Z".to_owned(),
        arn: format!("arn:aws:sts::{account}:assumed-role/example/{name}"),
        assumed_role_id: format!("AROAEXAMPLE:{name}"),
    }
}

/// Every key is the account's, with the secret `test`.
struct Everybody;

impl Credentials for Everybody {
    fn secret(&self, _: &str) -> Option<String> {
        Some("test".to_owned())
    }

    fn signer(&self, _: &str, _: Option<&str>) -> Result<Signer, CredentialError> {
        Ok(Signer {
            identity: policy::Identity::root(ACCOUNT),
            issued_s: None,
            permissions: None,
        })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().map_or(Ok(4566), |text| text.parse())?;
    let state = arguments
        .next()
        .unwrap_or_else(|| "/tmp/services-state".to_owned());
    let services = Arc::new(Services {
        s3: S3::open(format!("{state}/s3"))?.service(Everybody, Vec::new()),
        logs: Logs::open(format!("{state}/logs.sqlite"))?,
    });
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let services = Arc::clone(&services);
        tokio::spawn(async move {
            let answer = |request| {
                let services = Arc::clone(&services);
                async move { route(&services, request).await }
            };
            let io = TokioIo::new(stream);
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(io, service_fn(answer))
                .await;
        });
    }
}

/// Logs by its target header, STS by its form, S3 for the rest.
async fn route(
    services: &Services,
    request: Request<Incoming>,
) -> Result<Response<Body>, hyper::Error> {
    let header = |name: &str| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let target = header("x-amz-target").to_owned();
    let is_form = header("content-type").starts_with("application/x-www-form-urlencoded");
    let region = header("authorization")
        .split('/')
        .nth(2)
        .unwrap_or("us-east-1")
        .to_owned();
    if let Some(operation) = target.strip_prefix("Logs_20140328.") {
        let body = request.into_body().collect().await?.to_bytes();
        let scope = Scope {
            account: ACCOUNT.to_owned(),
            region,
        };
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis();
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let JsonResponse { status, body, .. } = services.logs.call(&scope, operation, &body, now);
        return Ok(response(status, json::CONTENT_TYPE, body));
    }
    if is_form {
        let body = request.into_body().collect().await?.to_bytes();
        let parameters: Vec<_> = String::from_utf8_lossy(&body)
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        let (status, xml) = sts::call(&parameters, &Identity::root(ACCOUNT), "example", |asked| {
            Ok(assume(asked))
        });
        return Ok(response(status, "text/xml", xml.into_bytes()));
    }
    Ok(services.s3.call(request).await)
}

fn response(status: u16, content_type: &'static str, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(Bytes::from(body)));
    if let Ok(status) = http::StatusCode::from_u16(status) {
        *response.status_mut() = status;
    }
    let value = http::HeaderValue::from_static(content_type);
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, value);
    response
}
