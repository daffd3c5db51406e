//! S3, CloudWatch Logs and Firehose elsewhere, over HTTP with Signature Version 4.
//!
//! Buckets are addressed in the path. Plain HTTP only.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use model::Scope;
use tokio::net::TcpStream;

use crate::cloudwatch_logs::{LogAnswer, LogStore};
use crate::firehose::StreamStore;
use crate::s3::{ObjectStore, PutObject};
use crate::{BoxFuture, Clock, SinkError, SinkErrorKind};

/// Answers of these services are small; a longer one is not theirs.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// A host that does not answer within this is not there; the next attempt comes anyway.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// An endpoint that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// Not `http://host[:port]`.
    #[error("not an endpoint of the form http://host[:port]: {0:?}")]
    Endpoint(String),
    /// TLS is not supported.
    #[error("https endpoints are not supported yet, only http: {0:?}")]
    Https(String),
    /// Keys that no request can carry.
    #[error("an access key or session token is not printable ASCII, or a key is empty")]
    Credentials,
}

/// An AWS-compatible endpoint and the keys to use there.
#[derive(Clone)]
pub struct Remote {
    /// `host:port`.
    authority: String,
    /// Signs instead of the flow log's own Region; buckets can be in any.
    region: Option<String>,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    clock: Clock,
}

impl Remote {
    /// An endpoint, for example `http://127.0.0.1:9000`. Without a Region, requests are signed for
    /// the Region of the flow log.
    ///
    /// # Errors
    ///
    /// If the endpoint is not of that form, or the keys cannot be sent.
    pub fn new(
        endpoint: &str,
        region: Option<String>,
        credentials: sigv4::Credentials<'_>,
        clock: Clock,
    ) -> Result<Self, RemoteError> {
        // The secret itself is never sent.
        let mut sent = std::iter::once(credentials.access_key_id).chain(credentials.session_token);
        let sendable = |key: &str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_graphic());
        if credentials.secret_access_key.is_empty() || !sent.all(sendable) {
            return Err(RemoteError::Credentials);
        }
        let malformed = || RemoteError::Endpoint(endpoint.to_owned());
        let uri: Uri = endpoint.parse().map_err(|_| malformed())?;
        if uri.scheme_str() == Some("https") {
            return Err(RemoteError::Https(endpoint.to_owned()));
        }
        let plain = uri.scheme_str() == Some("http") && uri.path() == "/" && uri.query().is_none();
        let authority = uri
            .authority()
            .filter(|a| plain && !a.as_str().contains('@'));
        Ok(Self {
            authority: authority.ok_or_else(malformed)?.to_string(),
            region,
            access_key_id: credentials.access_key_id.to_owned(),
            secret_access_key: credentials.secret_access_key.to_owned(),
            session_token: credentials.session_token.map(str::to_owned),
            clock,
        })
    }

    async fn send(&self, scope: Scope, call: Call<'_>) -> Result<(u16, Bytes), SinkError> {
        let request = self.sign(scope, call)?;
        let unreachable = |e: &dyn fmt::Display| {
            SinkError::unavailable(format!("http://{}: {e}", self.authority))
        };
        let port = if self.authority.rsplit(':').next().is_some_and(is_port) {
            ""
        } else {
            ":80"
        };
        let connect = TcpStream::connect(format!("{}{port}", self.authority));
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, connect)
            .await
            .map_err(|_| unreachable(&"nobody answers"))?
            .map_err(|e| unreachable(&e))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|e| unreachable(&e))?;
        // Dropped with this call: an attempt that is given up leaves no connection behind.
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(connection);
        let answer = sender
            .send_request(request)
            .await
            .map_err(|e| unreachable(&e))?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await
            .map_err(|e| unreachable(&e))?;
        Ok((status, body.to_bytes()))
    }

    fn sign(&self, scope: Scope, call: Call<'_>) -> Result<Request<Full<Bytes>>, SinkError> {
        let mut headers = vec![("host", self.authority.as_str())];
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
        let region = self.region.as_deref().unwrap_or(scope.region.name());
        let signed_for = sigv4::Scope {
            region,
            service: call.service,
        };
        let now = (self.clock)().as_secs();
        let added = sigv4::sign(&request, &credentials, &signed_for, now)
            .map_err(|e| SinkError::unavailable(format!("cannot sign: {e}")))?;
        let mut builder = Request::builder().method(call.method).uri(&call.path);
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

/// A request before it is signed.
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
            let (status, body) = self.send(scope, call).await?;
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
            let (status, body) = self.send(scope, call).await?;
            Ok(LogAnswer {
                status,
                body: body.to_vec(),
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
            let (status, body) = self.send(scope, call).await?;
            Ok(LogAnswer {
                status,
                body: body.to_vec(),
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

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn endpoints() {
        let keys = sigv4::Credentials {
            access_key_id: "test",
            secret_access_key: "test",
            session_token: None,
        };
        let authority = |endpoint: &str| {
            Remote::new(endpoint, None, keys, Arc::new(Default::default)).map(|r| r.authority)
        };
        assert_eq!(
            authority("http://127.0.0.1:9000"),
            Ok("127.0.0.1:9000".to_owned())
        );
        assert_eq!(authority("http://[::1]:9000/"), Ok("[::1]:9000".to_owned()));
        assert!(matches!(
            authority("https://s3.amazonaws.com"),
            Err(RemoteError::Https(_))
        ));
        for endpoint in [
            "",
            "127.0.0.1:9000",
            "http://a/b",
            "ftp://a",
            "http://u:p@a",
        ] {
            assert!(
                matches!(authority(endpoint), Err(RemoteError::Endpoint(_))),
                "{endpoint}"
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
