//! The canonical request and the string to sign (AWS: "Create a signed AWS API request").

use crate::{
    ALGORITHM, Error, UNSIGNED_PAYLOAD,
    encode::{percent_decode, percent_encode, raw_pairs},
    hash::{is_sha256_hex, sha256_hex},
};

/// A request as it is on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method, upper-case.
    pub method: &'a str,
    /// The path as received: percent-encoded, without the query.
    pub path: &'a str,
    /// The query as received, without the `?`; empty when there is none.
    pub query: &'a str,
    /// Names (in any case) and values of the headers, in their order.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body, or what is known of it.
    pub payload: Payload<'a>,
}

/// The body of a request, or what is known of it.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// The whole body.
    Body(&'a [u8]),
    /// The SHA-256 of the body in lower-case hex.
    Digest(&'a str),
    /// The body is not at hand: signed as `UNSIGNED-PAYLOAD`, verified by what `x-amz-content-sha256` claims. Who reads
    /// the body later must compare it with that claim.
    Unread,
}

impl<'a> Request<'a> {
    /// The value of the first header of this name.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| *value)
    }
}

/// The canonical request, with exactly the headers of `signed_headers` in that order. `service` decides how the path is
/// encoded. A query parameter `X-Amz-Signature` is left out.
pub fn canonical_request(
    request: &Request<'_>,
    service: &str,
    signed_headers: &[impl AsRef<str>],
    payload_hash: &str,
) -> Result<String, Error> {
    let mut text = String::with_capacity(512);
    text.push_str(request.method);
    text.push('\n');
    text.push_str(&canonical_path(request.path, service));
    text.push('\n');
    text.push_str(&canonical_query(request.query));
    text.push('\n');
    for name in signed_headers {
        let name = name.as_ref();
        text.push_str(name);
        text.push(':');
        push_values(&mut text, request, name)?;
        text.push('\n');
    }
    text.push('\n');
    for (index, name) in signed_headers.iter().enumerate() {
        text.push_str(if index == 0 { "" } else { ";" });
        text.push_str(name.as_ref());
    }
    text.push('\n');
    text.push_str(payload_hash);
    Ok(text)
}

/// The string to sign. `date` is the time of the request like `20260131T235959Z`, `scope` is
/// `<yyyymmdd>/<region>/<service>/aws4_request`.
pub fn string_to_sign(date: &str, scope: &str, canonical_request: &str) -> String {
    let hash = sha256_hex(canonical_request.as_bytes());
    [ALGORITHM, date, scope, &hash].join("\n")
}

/// The last line of the canonical request, checked against the body where both are known. `claim` is the value of
/// `x-amz-content-sha256`.
pub(crate) fn payload_hash(
    request: &Request<'_>,
    service: &str,
    claim: Option<&str>,
) -> Result<String, Error> {
    let computed = match request.payload {
        Payload::Body(body) => Some(sha256_hex(body)),
        Payload::Digest(digest) => Some(digest.to_owned()),
        Payload::Unread => None,
    };
    match claim {
        // S3 defines further values, such as STREAMING-AWS4-HMAC-SHA256-PAYLOAD, that promise other checks.
        Some(claim) if service == "s3" && !is_sha256_hex(claim) => Ok(claim.to_owned()),
        Some(claim) => match computed {
            Some(computed) if !computed.eq_ignore_ascii_case(claim) => {
                Err(Error::ContentHashMismatch)
            }
            _ => Ok(claim.to_owned()),
        },
        None => Ok(computed.unwrap_or_else(|| UNSIGNED_PAYLOAD.to_owned())),
    }
}

/// S3 encodes a key once and takes it literally; every other service removes dot segments and encodes what is already
/// encoded once more.
fn canonical_path(path: &str, service: &str) -> String {
    if path.is_empty() {
        return "/".to_owned();
    }
    if service == "s3" {
        return percent_encode(&percent_decode(path, false), true);
    }
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            _ => segments.push(percent_encode(segment.as_bytes(), false)),
        }
    }
    let is_folder = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end));
    let tail = if is_folder && !segments.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{tail}", segments.join("/"))
}

fn canonical_query(query: &str) -> String {
    let recode = |text| percent_encode(&percent_decode(text, true), false);
    let pairs = raw_pairs(query).map(|(name, value)| (recode(name), recode(value)));
    let mut pairs: Vec<_> = pairs
        .filter(|(name, _)| name != "X-Amz-Signature")
        .collect();
    pairs.sort();
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

fn push_values(text: &mut String, request: &Request<'_>, name: &str) -> Result<(), Error> {
    let mut found = false;
    for (key, value) in request.headers {
        if key.eq_ignore_ascii_case(name) {
            text.push_str(if found { "," } else { "" });
            found = true;
            let start = text.len();
            for word in value.split([' ', '\t']).filter(|word| !word.is_empty()) {
                text.push_str(if text.len() > start { " " } else { "" });
                text.push_str(word);
            }
        }
    }
    if found {
        Ok(())
    } else {
        Err(Error::MissingHeader(name.to_owned()))
    }
}
