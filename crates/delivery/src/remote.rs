//! S3, CloudWatch Logs and Firehose elsewhere, over HTTP or HTTPS with Signature Version 4.
//!
//! Buckets are addressed in the path.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::uri::{Authority, Scheme};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use model::Scope;

use crate::cloudwatch_logs::{LogAnswer, LogStore};
use crate::firehose::StreamStore;
use crate::https::{self, HttpsClient};
use crate::s3::{ObjectStore, PutObject};
use crate::{BoxFuture, Clock, SinkError, SinkErrorKind};

/// Answers of these services are small; a longer one is not theirs.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// An endpoint that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// Not `http://host[:port]`, `https://host[:port]` or `aws`.
    #[error("not an endpoint of the form http://host[:port], https://host[:port] or aws: {0:?}")]
    Endpoint(String),
    /// Keys that no request can carry.
    #[error("an access key or session token is not printable ASCII, or a key is empty")]
    Credentials,
    /// A file of certificates that cannot be used.
    #[error("the certificates in {} cannot be used: {problem}", path.display())]
    CaBundle {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// This machine trusts nobody.
    #[error(
        "this machine has no certificate authorities (Debian: ca-certificates), and $AWS_CA_BUNDLE names none"
    )]
    NoAuthorities,
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// An AWS-compatible endpoint and the keys to use there.
pub struct Remote {
    endpoint: Endpoint,
    /// Signs instead of the flow log's own Region; buckets can be in any.
    region: Option<String>,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    clock: Clock,
    client: HttpsClient,
    /// The Regions of buckets that have said that they are elsewhere.
    bucket_regions: Mutex<BTreeMap<String, String>>,
}

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Endpoint {
    /// One host for everything.
    Host(Scheme, Authority),
    /// AWS's own, by service and Region.
    Aws,
}

impl Endpoint {
    fn parse(text: &str) -> Option<Self> {
        if text == "aws" {
            return Some(Self::Aws);
        }
        let uri: Uri = text.parse().ok()?;
        let scheme = uri.scheme()?;
        let plain = [Scheme::HTTP, Scheme::HTTPS].contains(scheme)
            && uri.path() == "/"
            && uri.query().is_none();
        let authority = uri
            .authority()
            .filter(|a| plain && !a.host().is_empty() && !a.as_str().contains('@'))?;
        Some(Self::Host(scheme.clone(), authority.clone()))
    }

    /// The scheme and authority of requests (AWS General Reference, "Service endpoints").
    fn of(&self, service: &str, region: &str) -> (Scheme, String) {
        match self {
            Self::Host(scheme, authority) => (scheme.clone(), authority.to_string()),
            Self::Aws => {
                let end = if region.starts_with("cn-") { ".cn" } else { "" };
                (
                    Scheme::HTTPS,
                    format!("{service}.{region}.amazonaws.com{end}"),
                )
            }
        }
    }
}

impl Remote {
    /// An endpoint, for example `http://127.0.0.1:9000`, or `aws` for AWS's own. Without a Region, requests
    /// are signed for the Region of the flow log, or that of the bucket once it has said so.
    /// Certificates are checked against the machine's authorities, or those in `ca_bundle`.
    ///
    /// # Errors
    ///
    /// If the endpoint is not of that form, the keys cannot be sent, or the certificates not be read.
    pub fn new(
        endpoint: &str,
        region: Option<String>,
        credentials: sigv4::Credentials<'_>,
        ca_bundle: Option<&Path>,
        clock: Clock,
    ) -> Result<Self, RemoteError> {
        // The secret itself is never sent.
        let mut sent = std::iter::once(credentials.access_key_id).chain(credentials.session_token);
        let sendable = |key: &str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_graphic());
        if credentials.secret_access_key.is_empty() || !sent.all(sendable) {
            return Err(RemoteError::Credentials);
        }
        let endpoint =
            Endpoint::parse(endpoint).ok_or_else(|| RemoteError::Endpoint(endpoint.to_owned()))?;
        let tls = !matches!(&endpoint, Endpoint::Host(scheme, _) if *scheme == Scheme::HTTP);
        Ok(Self {
            client: https::client(tls, ca_bundle)?,
            endpoint,
            region,
            access_key_id: credentials.access_key_id.to_owned(),
            secret_access_key: credentials.secret_access_key.to_owned(),
            session_token: credentials.session_token.map(str::to_owned),
            clock,
            bucket_regions: Mutex::new(BTreeMap::new()),
        })
    }

    async fn send(&self, region: &str, call: Call<'_>) -> Result<Answer, SinkError> {
        let (scheme, authority) = self.endpoint.of(call.service, region);
        let unreachable =
            |e: &dyn fmt::Display| SinkError::unavailable(format!("{scheme}://{authority}: {e}"));
        let request = self.sign(region, &scheme, &authority, call)?;
        // An attempt that is given up takes its connection with it.
        let answer = self
            .client
            .request(request)
            .await
            .map_err(|e| unreachable(&https::causes(&e)))?;
        let status = answer.status().as_u16();
        let bucket_region = answer
            .headers()
            .get("x-amz-bucket-region")
            .and_then(|value| Some(value.to_str().ok()?.to_owned()));
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await
            .map_err(|e| unreachable(&e))?;
        Ok(Answer {
            status,
            bucket_region,
            body: body.to_bytes(),
        })
    }

    /// The Region to sign for.
    fn region(&self, scope: Scope) -> &str {
        self.region.as_deref().unwrap_or(scope.region.name())
    }

    fn sign(
        &self,
        region: &str,
        scheme: &Scheme,
        authority: &str,
        call: Call<'_>,
    ) -> Result<Request<Full<Bytes>>, SinkError> {
        let mut headers = vec![("host", authority)];
        headers.extend(&call.headers);
        let request = sigv4::Request {
            method: call.method.as_str(),
            path: &call.path,
            query: "",
            headers: &headers,
            payload: sigv4::Payload::Body(&call.body),
        };
        let credentials = sigv4::Credentials {
            access_key_id: &self.access_key_id,
            secret_access_key: &self.secret_access_key,
            session_token: self.session_token.as_deref(),
        };
        let signed_for = sigv4::Scope {
            region,
            service: call.service,
        };
        let now = (self.clock)().as_secs();
        let added = sigv4::sign(&request, &credentials, &signed_for, now)
            .map_err(|e| SinkError::unavailable(format!("cannot sign: {e}")))?;
        let mut builder = Request::builder()
            .method(call.method)
            .uri(format!("{scheme}://{authority}{}", call.path));
        for (name, value) in headers {
            builder = builder.header(name, value);
        }
        for (name, value) in added {
            builder = builder.header(name, value);
        }
        builder
            .body(Full::new(call.body))
            .map_err(|e| SinkError::unavailable(format!("cannot make the request: {e}")))
    }
}

impl Remote {
    fn bucket_regions(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        let regions = self.bucket_regions.lock();
        regions.unwrap_or_else(PoisonError::into_inner)
    }
}

/// What came back.
struct Answer {
    status: u16,
    /// Where S3 says that the bucket is.
    bucket_region: Option<String>,
    body: Bytes,
}

/// A request before it is signed.
#[derive(Clone)]
struct Call<'a> {
    service: &'static str,
    method: Method,
    path: String,
    headers: Vec<(&'a str, &'a str)>,
    body: Bytes,
}

impl ObjectStore for Remote {
    fn put_object(&self, scope: Scope, object: PutObject) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async move {
            let call = Call {
                service: "s3",
                method: Method::PUT,
                path: format!("/{}/{}", object.bucket, encode_key(&object.key)),
                headers: vec![
                    ("content-type", object.content_type),
                    ("x-amz-acl", "bucket-owner-full-control"),
                ],
                body: object.body,
            };
            let bucket = object.bucket;
            let known = self.bucket_regions().get(&bucket).cloned();
            let region = known.unwrap_or_else(|| self.region(scope).to_owned());
            let mut answer = self.send(&region, call.clone()).await?;
            // A bucket can be in another Region than its flow logs (Amazon S3 User Guide, "Making
            // requests using the REST API": redirection).
            let elsewhere = answer.bucket_region.take().filter(|r| *r != region);
            if let (301 | 307 | 400, Some(region)) = (answer.status, elsewhere) {
                answer = self.send(&region, call).await?;
                self.bucket_regions().insert(bucket, region);
            }
            let Answer { status, body, .. } = answer;
            if (200..300).contains(&status) {
                return Ok(());
            }
            let body = String::from_utf8_lossy(&body);
            Err(match element(&body, "Code") {
                Some(code) => SinkError::from_code(code, element(&body, "Message").unwrap_or("")),
                None => from_status(status),
            })
        })
    }
}

impl LogStore for Remote {
    fn call(
        &self,
        scope: Scope,
        operation: &'static str,
        body: Vec<u8>,
    ) -> BoxFuture<'_, Result<LogAnswer, SinkError>> {
        Box::pin(async move {
            let target = format!("Logs_20140328.{operation}");
            let call = Call {
                service: "logs",
                method: Method::POST,
                path: "/".to_owned(),
                headers: vec![
                    ("content-type", "application/x-amz-json-1.1"),
                    ("x-amz-target", &target),
                ],
                body: body.into(),
            };
            let answer = self.send(self.region(scope), call).await?;
            Ok(LogAnswer {
                status: answer.status,
                body: answer.body.to_vec(),
            })
        })
    }
}

impl StreamStore for Remote {
    fn put_record_batch(
        &self,
        scope: Scope,
        body: Vec<u8>,
    ) -> BoxFuture<'_, Result<LogAnswer, SinkError>> {
        Box::pin(async move {
            let call = Call {
                service: "firehose",
                method: Method::POST,
                path: "/".to_owned(),
                headers: vec![
                    ("content-type", "application/x-amz-json-1.1"),
                    ("x-amz-target", "Firehose_20150804.PutRecordBatch"),
                ],
                body: body.into(),
            };
            let answer = self.send(self.region(scope), call).await?;
            Ok(LogAnswer {
                status: answer.status,
                body: answer.body.to_vec(),
            })
        })
    }
}

fn from_status(status: u16) -> SinkError {
    let kind = match status {
        401 | 403 => SinkErrorKind::Access,
        404 => SinkErrorKind::NotFound,
        429 | 503 => SinkErrorKind::RateLimited,
        _ => SinkErrorKind::Unavailable,
    };
    SinkError::new(kind, format!("HTTP status {status}"))
}

/// The text of the first element of this name: enough for S3's flat error document.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once("</").map(|(text, _)| text)
}

/// A key in a path: everything but unreserved characters and slashes is encoded.
fn encode_key(key: &str) -> String {
    let mut path = String::with_capacity(key.len());
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        let of = |endpoint: &str, region| {
            let endpoint = Endpoint::parse(endpoint)?;
            let (scheme, authority) = endpoint.of("s3", region);
            Some(format!("{scheme} {authority}"))
        };
        for (endpoint, region, expected) in [
            ("http://127.0.0.1:9000", "us-east-1", "http 127.0.0.1:9000"),
            ("http://[::1]:9000/", "us-east-1", "http [::1]:9000"),
            ("https://minio.example", "us-east-1", "https minio.example"),
            ("aws", "eu-west-1", "https s3.eu-west-1.amazonaws.com"),
            ("aws", "cn-north-1", "https s3.cn-north-1.amazonaws.com.cn"),
        ] {
            assert_eq!(of(endpoint, region).as_deref(), Some(expected));
        }
        for endpoint in [
            "",
            "127.0.0.1:9000",
            "http://a/b",
            "https://a?b",
            "ftp://a",
            "http://u:p@a",
            "https://u@a",
            "AWS",
        ] {
            assert_eq!(of(endpoint, "us-east-1"), None, "{endpoint}");
        }
    }

    #[test]
    fn keys_and_certificates_that_cannot_be_used() {
        let of = |key: &'static str, secret: &'static str, ca: Option<&str>| {
            let credentials = sigv4::Credentials {
                access_key_id: key,
                secret_access_key: secret,
                session_token: None,
            };
            let clock = std::sync::Arc::new(Default::default);
            Remote::new("https://a", None, credentials, ca.map(Path::new), clock).err()
        };
        for (key, secret) in [("", "s"), ("k", ""), ("a\nb", "s")] {
            assert_eq!(of(key, secret, None), Some(RemoteError::Credentials));
        }
        for file in ["/no/such/file", "/dev/null"] {
            let error = of("k", "s", Some(file));
            assert!(
                matches!(error, Some(RemoteError::CaBundle { .. })),
                "{error:?}"
            );
        }
    }

    #[test]
    fn keys_in_paths() {
        assert_eq!(encode_key("p/year=2026/a b.gz"), "p/year%3D2026/a%20b.gz");
    }

    #[test]
    fn error_documents() {
        let xml = "<?xml?><Error><Code>NoSuchBucket</Code><Message>No.</Message></Error>";
        assert_eq!(element(xml, "Code"), Some("NoSuchBucket"));
        assert_eq!(element(xml, "Message"), Some("No."));
        assert_eq!(element("<Code>", "Code"), None);
    }
}
