//! The client's side: signs a request.

use crate::{
    ALGORITHM, EXPIRES_MAX_S, Error, Request, UNSIGNED_PAYLOAD,
    canonical::payload_hash,
    canonical_request, date,
    encode::percent_encode,
    hash::{signature, signing_key},
    string_to_sign,
};

/// The keys to sign with.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The access key.
    pub access_key_id: &'a str,
    /// The secret key.
    pub secret_access_key: &'a str,
    /// The token of temporary keys.
    pub session_token: Option<&'a str>,
}

impl std::fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// What a signature is for.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The Region.
    pub region: &'a str,
    /// The signing name of the service.
    pub service: &'a str,
}

/// Signs a request and returns the headers to add to it: `x-amz-date`, `authorization`, and where they apply
/// `x-amz-content-sha256` and `x-amz-security-token`. The request must have a `host` header, and must not yet have the
/// headers that this adds, except `x-amz-content-sha256`, which is then taken as it is.
pub fn sign(
    request: &Request<'_>,
    credentials: &Credentials<'_>,
    scope: &Scope<'_>,
    unix_s: u64,
) -> Result<Vec<(&'static str, String)>, Error> {
    let time = date::format_amz(unix_s);
    let hash = payload_hash(
        request,
        scope.service,
        request.header("x-amz-content-sha256"),
    )?;
    let mut added = vec![("x-amz-date", time.clone())];
    let hash_is_a_claim = hash == UNSIGNED_PAYLOAD || scope.service == "s3";
    if hash_is_a_claim && request.header("x-amz-content-sha256").is_none() {
        added.push(("x-amz-content-sha256", hash.clone()));
    }
    if let Some(token) = credentials.session_token {
        added.push(("x-amz-security-token", token.to_owned()));
    }

    let mut headers = request.headers.to_vec();
    headers.extend(added.iter().map(|(name, value)| (*name, value.as_str())));
    let names = signed_names(&headers)?;
    let canonical = canonical_request(
        &Request {
            headers: &headers,
            ..*request
        },
        scope.service,
        &names,
        &hash,
    )?;
    let signature = sign_canonical(&canonical, credentials, scope, &time);
    let authorization = format!(
        "{ALGORITHM} Credential={}/{}, SignedHeaders={}, Signature={signature}",
        credentials.access_key_id,
        scope_text(scope, &time),
        names.join(";"),
    );
    added.push(("authorization", authorization));
    Ok(added)
}

/// Signs a request as a presigned URL and returns its whole query. Only the `host` header is signed.
pub fn presign(
    request: &Request<'_>,
    credentials: &Credentials<'_>,
    scope: &Scope<'_>,
    unix_s: u64,
    expires_s: u64,
) -> Result<String, Error> {
    if !(1..=EXPIRES_MAX_S).contains(&expires_s) {
        return Err(Error::Malformed(
            "X-Amz-Expires must be between 1 and 604800 seconds",
        ));
    }
    let time = date::format_amz(unix_s);
    let credential = format!("{}/{}", credentials.access_key_id, scope_text(scope, &time));
    let encode = |text: &str| percent_encode(text.as_bytes(), false);
    let mut query = request.query.to_owned();
    query.push_str(if query.is_empty() { "" } else { "&" });
    query.push_str(&format!(
        "X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential={}&X-Amz-Date={time}\
         &X-Amz-Expires={expires_s}&X-Amz-SignedHeaders=host",
        encode(&credential),
    ));
    if let Some(token) = credentials.session_token {
        query.push_str("&X-Amz-Security-Token=");
        query.push_str(&encode(token));
    }
    let hash = match scope.service {
        "s3" => UNSIGNED_PAYLOAD.to_owned(),
        service => payload_hash(request, service, None)?,
    };
    let request = Request {
        query: &query,
        ..*request
    };
    let canonical = canonical_request(&request, scope.service, &["host"], &hash)?;
    let signature = sign_canonical(&canonical, credentials, scope, &time);
    Ok(format!("{query}&X-Amz-Signature={signature}"))
}

fn sign_canonical(
    canonical: &str,
    credentials: &Credentials<'_>,
    scope: &Scope<'_>,
    time: &str,
) -> String {
    let text = string_to_sign(time, &scope_text(scope, time), canonical);
    let Scope { region, service } = scope;
    let key = signing_key(credentials.secret_access_key, day(time), region, service);
    signature(&key, &text)
}

fn scope_text(scope: &Scope<'_>, time: &str) -> String {
    format!(
        "{}/{}/{}/aws4_request",
        day(time),
        scope.region,
        scope.service
    )
}

fn day(time: &str) -> &str {
    time.get(..8).unwrap_or(time)
}

/// The headers to sign: all but those that proxies and HTTP libraries change on the way.
fn signed_names(headers: &[(&str, &str)]) -> Result<Vec<String>, Error> {
    const UNSTABLE: [&str; 10] = [
        "accept-encoding",
        "authorization",
        "connection",
        "expect",
        "keep-alive",
        "te",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "x-amzn-trace-id",
    ];
    let names = headers.iter().map(|(name, _)| name.to_ascii_lowercase());
    let mut names: Vec<_> = names
        .filter(|name| !UNSTABLE.contains(&name.as_str()))
        .collect();
    names.sort();
    names.dedup();
    if names.iter().any(|name| name == "host") {
        Ok(names)
    } else {
        Err(Error::MissingHeader("host".to_owned()))
    }
}
