//! The HTTP face: who is calling, and an S3 answer for every request.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use policy::{Identity, Permissions};
use s3s::auth::{S3Auth, SecretKey};
use s3s::host::{S3Host, VirtualHost};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3Error, S3Request, S3Result, s3_error};

use super::S3;
use super::access::Access;
use super::blob::unique_id;
use super::message;

/// The access keys that exist, and whose they are.
pub trait Credentials: Send + Sync + 'static {
    /// The secret of an access key, if the key exists.
    fn secret(&self, access_key: &str) -> Option<String>;

    /// Whose an access key is, given the session token that came along.
    ///
    /// # Errors
    ///
    /// If the key does not exist, or is a temporary one and its token is wrong or too old.
    fn signer(&self, access_key: &str, token: Option<&str>) -> Result<Signer, CredentialError>;
}

/// Who signed a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Signer {
    /// Who it is.
    pub identity: Identity,
    /// When its temporary key was given out, in seconds since 1970.
    pub issued_s: Option<i64>,
    /// What its policies let it do; `None` is everything.
    pub permissions: Option<Arc<Permissions>>,
}

/// Why an access key is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialError {
    /// There is no such key.
    Unknown,
    /// The session token is not the key's.
    InvalidToken,
    /// The session has ended.
    ExpiredToken,
}

impl From<CredentialError> for S3Error {
    fn from(error: CredentialError) -> Self {
        match error {
            CredentialError::Unknown => s3_error!(
                InvalidAccessKeyId,
                "The AWS Access Key Id you provided does not exist in our records."
            ),
            CredentialError::InvalidToken => s3_error!(
                InvalidToken,
                "The provided token is malformed or otherwise invalid."
            ),
            CredentialError::ExpiredToken => {
                s3_error!(ExpiredToken, "The provided token has expired.")
            }
        }
    }
}

/// Serves S3 requests. Cheap to clone.
#[derive(Debug, Clone)]
pub struct S3Endpoint {
    service: S3Service,
}

impl S3 {
    /// The HTTP service. `credentials` decides which access keys exist; signatures are verified here.
    ///
    /// Where a request comes from is a [`policy::Origin`] among its extensions; one without it counts as one from
    /// this machine, past every endpoint.
    ///
    /// `hosts` are this server's own names (`host` or `host:port`): a request for
    /// `<bucket>.<name>` is then a virtual-hosted-style request. All others are path-style.
    pub fn service(&self, credentials: impl Credentials, hosts: Vec<String>) -> S3Endpoint {
        let keys = Keys(Arc::new(credentials));
        let mut builder = S3ServiceBuilder::new(self.clone());
        builder.set_auth(keys.clone());
        builder.set_access(Access {
            keys,
            s3: self.clone(),
        });
        builder.set_host(OwnHosts(hosts));
        S3Endpoint {
            service: builder.build(),
        }
    }
}

impl S3Endpoint {
    /// Answers one request. Faults are S3 error documents, never an `Err`.
    pub async fn call<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: Into<Body>,
    {
        let is_head = request.method() == Method::HEAD;
        let closes = expects_continue_without_body(request.headers());
        let mut response = match self.service.call(request.map(Into::into)).await {
            Ok(response) => response,
            Err(error) => {
                tracing::error!(?error, "S3 service");
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            }
        };
        message::complete(&mut response);
        // These answers have no body, and bytes of one would be read as the next answer.
        if response.status() == StatusCode::NOT_MODIFIED || (is_head && is_error(&response)) {
            *response.body_mut() = Body::empty();
            response.headers_mut().remove(http::header::CONTENT_LENGTH);
            response.headers_mut().remove(http::header::CONTENT_TYPE);
        }
        let id = unique_id();
        let headers = response.headers_mut();
        if let Ok(value) = HeaderValue::from_str(&id[..16].to_ascii_uppercase()) {
            headers.insert("x-amz-request-id", value);
        }
        if let Ok(value) = HeaderValue::from_str(&id) {
            headers.insert("x-amz-id-2", value);
        }
        headers.insert("server", HeaderValue::from_static("AmazonS3"));
        if closes {
            headers.insert(http::header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// Whether a client waits for `100 Continue` though it has nothing to send. No 100 is sent then, and
/// botocore would read the next answer on the same connection as this one: so the connection ends.
fn expects_continue_without_body(headers: &HeaderMap) -> bool {
    headers
        .get(http::header::EXPECT)
        .is_some_and(|value| value == "100-continue")
        && headers
            .get(http::header::CONTENT_LENGTH)
            .is_some_and(|value| value == "0")
}

fn is_error(response: &Response<Body>) -> bool {
    response.status().is_client_error() || response.status().is_server_error()
}

#[derive(Clone)]
pub(super) struct Keys(pub(super) Arc<dyn Credentials>);

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        match self.0.secret(access_key) {
            Some(secret) => Ok(SecretKey::from(secret)),
            None => Err(CredentialError::Unknown.into()),
        }
    }
}

/// The Region that the request was signed for.
pub(crate) fn region<T>(request: &S3Request<T>) -> String {
    request
        .region
        .as_ref()
        .map_or_else(|| "us-east-1".to_owned(), |r| r.as_str().to_owned())
}

/// Virtual-hosted style for the names given, path style for every other host.
struct OwnHosts(Vec<String>);

impl S3Host for OwnHosts {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        for name in &self.0 {
            if let Some(bucket) = host
                .strip_suffix(name.as_str())
                .and_then(|h| h.strip_suffix('.'))
            {
                return Ok(VirtualHost::new(name.as_str()).with_bucket(bucket));
            }
        }
        Ok(VirtualHost::new(host))
    }
}
