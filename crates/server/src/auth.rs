//! Who is calling. Each service has its own words for a caller who cannot be believed.
//!
//! Signatures of keys that Weir knows are verified. On loopback, other keys are let in as the
//! default account, or as the account whose id they are, unless the policies of callers are enforced.

use std::sync::Arc;

use http::HeaderMap;
use http::request::Parts;
use model::{Region, Scope, Timestamp};
use policy::Permissions;
use sigv4::{Authorization, Payload};

use crate::config;
use crate::keyring::{Keyring, TokenError};
use crate::respond::{self, Answer};
use crate::service::Service;

/// Who is calling, and where.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Identity {
    /// The account and Region of the call.
    pub(crate) scope: Scope,
    /// Who it is: the account's root user, one of its users, or a session of one of its roles.
    pub(crate) caller: policy::Identity,
    /// When the session began, if it is one.
    pub(crate) issued: Option<Timestamp>,
    /// The key that signed.
    pub(crate) access_key_id: String,
    /// What its policies let it do; `None` is everything.
    pub(crate) permissions: Option<Arc<Permissions>>,
}

/// Why a caller is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// The signature cannot be read, or is wrong.
    #[error(transparent)]
    Signature(#[from] sigv4::Error),
    /// A temporary key comes with no session token, with another's, or too late.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The signature is for another service, or for a Region that does not exist.
    #[error("Credential should be scoped to a valid {what}.")]
    WrongScope {
        /// `service` or `region`.
        what: &'static str,
    },
}

/// Clocks may differ by so much ("Elements of an AWS API request signature").
const SKEW_MAX_S: u64 = 300;

/// The name of the service that the request was signed for, if it was signed at all.
#[must_use]
pub(crate) fn signed_service(headers: &HeaderMap, query: &str) -> Option<String> {
    let header = headers
        .get(http::header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok());
    let credential = match header {
        Some(text) => text
            .split_once("Credential=")?
            .1
            .split([',', ' '])
            .next()?
            .to_owned(),
        None => {
            let value = query
                .split('&')
                .find_map(|pair| pair.strip_prefix("X-Amz-Credential="))?;
            value.replace("%2F", "/").replace("%2f", "/")
        }
    };
    let mut parts = credential.rsplit('/');
    let (_terminator, service) = (parts.next()?, parts.next()?);
    Some(service.to_owned())
}

/// The Region that a request was signed for in its headers.
#[must_use]
pub(crate) fn signed_region(headers: &HeaderMap) -> Option<Region> {
    let text = headers.get(http::header::AUTHORIZATION)?.to_str().ok()?;
    let credential = text.split_once("Credential=")?.1.split([',', ' ']).next()?;
    credential.split('/').nth(2)?.parse().ok()
}

/// Whether the request has a signature, of whatever worth.
#[must_use]
pub(crate) fn is_signed(headers: &HeaderMap, query: &str) -> bool {
    headers.contains_key(http::header::AUTHORIZATION) || query.contains("X-Amz-")
}

/// Tells who is calling.
///
/// # Errors
///
/// When the call is not signed, or not well.
pub(crate) fn authenticate(
    parts: &Parts,
    body: &[u8],
    service: Service,
    keyring: &Keyring,
    now: Timestamp,
) -> Result<Identity, Error> {
    let headers = header_pairs(&parts.headers);
    let request = sigv4::Request {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &headers,
        payload: Payload::Body(body),
    };
    let authorization = Authorization::from_request(&request)?;
    let credential = &authorization.credential;
    if credential.service != service.signing_name() {
        return Err(Error::WrongScope { what: "service" });
    }
    let access_key = &credential.access_key_id;
    if let Some(secret) = keyring.secret_of(access_key) {
        authorization.verify(&request, &secret, now.as_secs(), SKEW_MAX_S)?;
    }
    let region = credential
        .region
        .parse::<Region>()
        .map_err(|_| Error::WrongScope { what: "region" })?;
    let region = match service {
        Service::Iam => Region::GLOBAL,
        _ => region,
    };
    let token = session_token(&parts.headers, parts.uri.query().unwrap_or_default());
    let signer = keyring.signer(access_key, token.as_deref(), now)?;
    Ok(Identity {
        scope: Scope {
            account: signer.account,
            region,
        },
        caller: signer.identity,
        issued: signer.issued,
        access_key_id: access_key.clone(),
        permissions: signer.permissions,
    })
}

/// The session token of a request, from its headers or from a presigned query.
fn session_token(headers: &HeaderMap, query: &str) -> Option<String> {
    if let Some(value) = headers.get("x-amz-security-token") {
        return value.to_str().ok().map(str::to_owned);
    }
    let form = ec2_query::form::decode(query.as_bytes()).ok()?;
    let mut pairs = form.into_iter();
    let (_, token) = pairs.find(|(name, _)| name == "X-Amz-Security-Token")?;
    Some(token)
}

/// Headers as text; one that is not text cannot have been signed.
pub(crate) fn header_pairs(headers: &HeaderMap) -> Vec<(&str, &str)> {
    headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect()
}

impl Error {
    /// The answer in the words of the service.
    #[must_use]
    pub(crate) fn answer(&self, service: Service, request_id: &str) -> Answer {
        let (status, code) = self.code(service);
        refuse(service, request_id, status, code, &self.to_string())
    }

    fn code(&self, service: Service) -> (u16, &'static str) {
        use sigv4::Error as Signature;
        let json = matches!(
            service,
            Service::Logs
                | Service::Firehose
                | Service::CloudTrail
                | Service::DynamoDb
                | Service::Weir
        );
        let error = match self {
            Self::Signature(error) => error,
            Self::Token(error) => return error.code(service),
            Self::WrongScope { .. } if json => return (400, "InvalidSignatureException"),
            Self::WrongScope { .. } => return (403, "SignatureDoesNotMatch"),
        };
        match error {
            Signature::Missing if json => (400, "MissingAuthenticationTokenException"),
            Signature::Missing => (403, "MissingAuthenticationToken"),
            Signature::Malformed(_)
            | Signature::MissingHeader(_)
            | Signature::HeaderNotSigned(_) => {
                if json {
                    (400, "IncompleteSignatureException")
                } else {
                    (400, "IncompleteSignature")
                }
            }
            Signature::Expired { .. }
            | Signature::NotYetCurrent { .. }
            | Signature::PresignedExpired { .. } => match service {
                Service::Ec2 => (400, "RequestExpired"),
                Service::ElasticLoadBalancing | Service::Iam | Service::Sts | Service::S3 => {
                    (403, "SignatureDoesNotMatch")
                }
                Service::Logs
                | Service::Firehose
                | Service::CloudTrail
                | Service::DynamoDb
                | Service::Weir => (400, "InvalidSignatureException"),
            },
            Signature::Mismatch | Signature::ContentHashMismatch if json => {
                (400, "InvalidSignatureException")
            }
            Signature::Mismatch | Signature::ContentHashMismatch => (403, "SignatureDoesNotMatch"),
        }
    }
}

/// An error in the form of the service's protocol.
#[must_use]
pub(crate) fn refuse(
    service: Service,
    request_id: &str,
    status: u16,
    code: &str,
    message: &str,
) -> Answer {
    match service {
        // None of the words needs escaping.
        Service::S3 => respond::xml(
            status,
            request_id,
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
                 <Message>{message}</Message><RequestId>{request_id}</RequestId></Error>"
            ),
        ),
        Service::Ec2 => respond::xml(
            status,
            request_id,
            ec2_query::render_error(code, message, request_id),
        ),
        Service::ElasticLoadBalancing => respond::xml(
            status,
            request_id,
            ec2_query::elbv2::render_error(status, code, message, request_id),
        ),
        Service::Iam => respond::xml(
            status,
            request_id,
            ec2_query::iam::render_error(status, code, message, request_id),
        ),
        Service::Sts => {
            let (status, xml) = services::sts::error(status, code, message, request_id);
            respond::xml(status, request_id, xml)
        }
        Service::Logs
        | Service::Firehose
        | Service::CloudTrail
        | Service::DynamoDb
        | Service::Weir => respond::json_error(status, request_id, code, message),
    }
}

/// Signs an S3 request again in the name of the account that its key names, if Weir cannot know the
/// key's secret: `s3s`, which does S3's own signatures, knows the accounts' keys only.
///
/// A body signed chunk by chunk stays signed by the unknown key and is refused.
pub(crate) fn adopt<B>(request: &mut http::Request<B>, keyring: &Keyring) {
    if let Some(headers) = adopted_headers(request, keyring) {
        let query = sigv4_free_query(request.uri().query().unwrap_or_default());
        let path = request.uri().path();
        let target = if query.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{query}")
        };
        if let Ok(uri) = target.parse() {
            *request.uri_mut() = uri;
        }
        for name in REPLACED {
            request.headers_mut().remove(name);
        }
        for (name, value) in headers {
            if let Ok(value) = value.parse() {
                request.headers_mut().insert(name, value);
            }
        }
    }
}

/// The headers that make a request of an unknown key one of a known key; `None` to leave it alone.
fn adopted_headers<B>(
    request: &http::Request<B>,
    keyring: &Keyring,
) -> Option<Vec<(&'static str, String)>> {
    let pairs = header_pairs(request.headers());
    let query = request.uri().query().unwrap_or_default();
    let signed = sigv4::Request {
        method: request.method().as_str(),
        path: request.uri().path(),
        query,
        headers: &pairs,
        payload: Payload::Unread,
    };
    let authorization = Authorization::from_request(&signed).ok()?;
    let credential = &authorization.credential;
    if keyring.enforces() || keyring.secret_of(&credential.access_key_id).is_some() {
        return None;
    }
    let account = keyring.account_of(&credential.access_key_id);
    let (key, secret) = config::credentials(account);
    let kept: Vec<(&str, &str)> = pairs
        .iter()
        .filter(|(name, _)| !REPLACED.contains(name))
        .copied()
        .collect();
    let query = sigv4_free_query(query);
    sigv4::sign(
        &sigv4::Request {
            query: &query,
            headers: &kept,
            ..signed
        },
        &sigv4::Credentials {
            access_key_id: &key,
            secret_access_key: &secret,
            session_token: None,
        },
        &sigv4::Scope {
            region: &credential.region,
            service: "s3",
        },
        authorization.signed_s,
    )
    .ok()
}

const REPLACED: [&str; 3] = ["authorization", "x-amz-date", "x-amz-security-token"];

/// The query without the parameters of a presigned URL.
fn sigv4_free_query(query: &str) -> String {
    const PRESIGNED: [&str; 7] = [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Signature",
        "X-Amz-Security-Token",
    ];
    let kept = query
        .split('&')
        .filter(|pair| !PRESIGNED.contains(&pair.split('=').next().unwrap_or_default()));
    kept.collect::<Vec<_>>().join("&")
}
