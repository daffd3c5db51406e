//! S3, CloudWatch Logs and Firehose elsewhere, over HTTP or HTTPS with Signature Version 4.
//!
//! Buckets are addressed in the path.

mod endpoint;
mod json;
mod multipart;
mod s3;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Mutex;

use bytes::Bytes;
use http::uri::Scheme;
use http::{Method, Request};
use http_body_util::{BodyExt, Full, Limited};
use model::Scope;

use self::endpoint::Endpoint;
use self::multipart::Uploads;
use crate::https::{self, HttpsClient};
use crate::tls::TlsError;
use crate::{Clock, SinkError, SinkErrorKind};

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
    /// Nobody can be trusted.
    #[error(transparent)]
    Tls(#[from] TlsError),
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
    /// Those that are not completed.
    uploads: Mutex<Uploads>,
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
            bucket_regions: Mutex::default(),
            uploads: Mutex::default(),
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
        let header = |name| Some(answer.headers().get(name)?.to_str().ok()?.to_owned());
        let (bucket_region, etag) = (header("x-amz-bucket-region"), header("etag"));
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await
            .map_err(|e| unreachable(&e))?;
        Ok(Answer {
            status,
            bucket_region,
            etag,
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
            query: &call.query,
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
        let query = match call.query.as_str() {
            "" => String::new(),
            query => format!("?{query}"),
        };
        let mut builder = Request::builder()
            .method(call.method)
            .uri(format!("{scheme}://{authority}{}{query}", call.path));
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

/// What came back.
struct Answer {
    status: u16,
    /// Where S3 says that the bucket is.
    bucket_region: Option<String>,
    /// What S3 knows a part by.
    etag: Option<String>,
    body: Bytes,
}

/// A request before it is signed.
#[derive(Clone)]
struct Call<'a> {
    service: &'static str,
    method: Method,
    path: String,
    query: String,
    headers: Vec<(&'a str, &'a str)>,
    body: Bytes,
}

/// The error of an answer that has no code.
fn from_status(status: u16) -> SinkError {
    let kind = match status {
        401 | 403 => SinkErrorKind::Access,
        404 => SinkErrorKind::NotFound,
        413 => SinkErrorKind::Rejected,
        429 | 503 => SinkErrorKind::RateLimited,
        _ => SinkErrorKind::Unavailable,
    };
    SinkError::new(kind, format!("HTTP status {status}"))
}

#[cfg(test)]
mod tests {
    use super::*;

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
                matches!(error, Some(RemoteError::Tls(TlsError::CaBundle { .. }))),
                "{error:?}"
            );
        }
    }
}
