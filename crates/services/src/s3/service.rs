//! The HTTP face: who is calling, and an S3 answer for every request.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::host::{S3Host, VirtualHost};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3Request, S3Result, s3_error};

use super::S3;
use super::blob::unique_id;

/// What stands behind an access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The secret access key.
    pub secret: String,
    /// The account of 12 digits.
    pub account: String,
}

/// Serves S3 requests. Cheap to clone.
#[derive(Debug, Clone)]
pub struct S3Endpoint {
    service: S3Service,
}

impl S3 {
    /// The HTTP service. `credential` decides which access keys exist; signatures are verified here.
    ///
    /// `hosts` are this server's own names (`host` or `host:port`): a request for
    /// `<bucket>.<name>` is then a virtual-hosted-style request. All others are path-style.
    pub fn service(
        &self,
        credential: impl Fn(&str) -> Option<Credential> + Send + Sync + 'static,
        hosts: Vec<String>,
    ) -> S3Endpoint {
        let credential: Arc<Lookup> = Arc::new(credential);
        let mut builder = S3ServiceBuilder::new(self.clone());
        builder.set_auth(Keys(Arc::clone(&credential)));
        builder.set_access(Access {
            keys: Keys(credential),
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

type Lookup = dyn Fn(&str) -> Option<Credential> + Send + Sync;

struct Keys(Arc<Lookup>);

/// The account that signed a request.
#[derive(Debug, Clone)]
struct Caller(String);

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        match (self.0)(access_key) {
            Some(credential) => Ok(SecretKey::from(credential.secret)),
            None => Err(s3_error!(
                InvalidAccessKeyId,
                "The AWS Access Key Id you provided does not exist in our records."
            )),
        }
    }
}

/// Lets an account reach its own buckets, and everybody signed the bucket names.
struct Access {
    keys: Keys,
    s3: S3,
}

#[async_trait::async_trait]
impl S3Access for Access {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let account = context
            .credentials()
            .and_then(|credentials| (self.keys.0)(&credentials.access_key))
            .map(|credential| credential.account);
        let account = account.ok_or_else(access_denied)?;
        if let Some(bucket) = context.s3_path().get_bucket_name()
            && context.s3_op().name() != "CreateBucket"
        {
            let expected = context.headers().get("x-amz-expected-bucket-owner");
            let expected = expected.and_then(|value| value.to_str().ok());
            self.s3.authorize(bucket, &account, expected)?;
        }
        context.extensions_mut().insert(Caller(account));
        Ok(())
    }
}

impl S3 {
    /// Refuses other accounts than the owner of an existing bucket, and owners that are not the
    /// expected one.
    fn authorize(&self, bucket: &str, account: &str, expected_owner: Option<&str>) -> S3Result<()> {
        match self.bucket(bucket)? {
            Some(info) if info.owner != account => Err(access_denied()),
            Some(info) if expected_owner.is_some_and(|expected| expected != info.owner) => {
                Err(access_denied())
            }
            _ => Ok(()),
        }
    }
}

pub(crate) fn access_denied() -> s3s::S3Error {
    s3_error!(AccessDenied, "Access Denied")
}

/// The account that signed the request.
pub(crate) fn caller<T>(request: &S3Request<T>) -> S3Result<String> {
    let caller = request.extensions.get::<Caller>();
    caller
        .map(|caller| caller.0.clone())
        .ok_or_else(access_denied)
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
