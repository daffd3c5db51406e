//! What errors say. `s3s` finds many by itself, with a code and without words; clients show "Unknown" then.

use http::{Response, header};
use s3s::Body;

/// Code and words ("Error responses", Amazon S3 API Reference).
const MESSAGES: [(&str, &str); 26] = [
    ("AccessDenied", "Access Denied"),
    (
        "AuthorizationHeaderMalformed",
        "The authorization header you provided is invalid.",
    ),
    (
        "BadDigest",
        "The Content-MD5 or checksum value that you specified did not match what the server received.",
    ),
    (
        "EntityTooLarge",
        "Your proposed upload exceeds the maximum allowed size.",
    ),
    (
        "IncompleteBody",
        "You did not provide the number of bytes specified by the Content-Length HTTP header.",
    ),
    (
        "InternalError",
        "We encountered an internal error. Please try again.",
    ),
    ("InvalidArgument", "Invalid Argument"),
    ("InvalidBucketName", "The specified bucket is not valid."),
    (
        "InvalidDigest",
        "The Content-MD5 or checksum value that you specified is not valid.",
    ),
    ("InvalidRange", "The requested range is not satisfiable"),
    ("InvalidRequest", "Invalid Request"),
    ("InvalidURI", "Couldn't parse the specified URI."),
    ("KeyTooLongError", "Your key is too long."),
    (
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    ),
    (
        "MethodNotAllowed",
        "The specified method is not allowed against this resource.",
    ),
    (
        "MissingContentLength",
        "You must provide the Content-Length HTTP header.",
    ),
    ("NoSuchBucket", "The specified bucket does not exist"),
    ("NoSuchKey", "The specified key does not exist."),
    (
        "NoSuchUpload",
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
    ),
    (
        "NotImplemented",
        "A header you provided implies functionality that is not implemented",
    ),
    (
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
    ),
    (
        "RequestTimeout",
        "Your socket connection to the server was not read from or written to within the timeout period.",
    ),
    (
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
    ),
    (
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
    ),
    ("SlowDown", "Please reduce your request rate."),
    (
        "XAmzContentSHA256Mismatch",
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    ),
];

/// Gives an error without words those of its code.
pub(super) fn complete(response: &mut Response<Body>) {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return;
    }
    // Errors are never streamed.
    let Some(body) = response.body().bytes() else {
        return;
    };
    let Some(body) = with_message(&body) else {
        return;
    };
    *response.body_mut() = Body::from(body);
    response.headers_mut().remove(header::CONTENT_LENGTH);
}

fn with_message(body: &[u8]) -> Option<String> {
    const UNKNOWN: &str = "<Message>Unknown operation</Message>";
    let text = std::str::from_utf8(body).ok()?;
    let end = "</Code>";
    let (_, code) = text.split_once("<Code>")?;
    let (code, _) = code.split_once(end)?;
    if text.contains("<Message>") && !text.contains(UNKNOWN) {
        return None;
    }
    let (_, words) = MESSAGES.iter().find(|(of, _)| *of == code)?;
    let place = text.find(end)? + end.len();
    let (before, after) = text.split_at(place);
    let after = after.replace(UNKNOWN, "");
    Some(format!("{before}<Message>{words}</Message>{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_added_where_there_are_none() {
        let said = |body: &str| with_message(body.as_bytes());
        let message = "<Message>Couldn't parse the specified URI.</Message>";
        assert_eq!(
            said("<Error><Code>InvalidURI</Code></Error>").unwrap(),
            format!("<Error><Code>InvalidURI</Code>{message}</Error>")
        );
        let own = "<Error><Code>InvalidURI</Code><Message>No.</Message></Error>";
        assert_eq!(said(own), None);
        assert_eq!(said("<Error><Code>Other</Code></Error>"), None);
        assert_eq!(said(""), None);
        let unknown =
            "<Error><Code>NotImplemented</Code><Message>Unknown operation</Message></Error>";
        let text = said(unknown).unwrap();
        assert_eq!(text.matches("<Message>").count(), 1);
        assert!(text.contains("is not implemented</Message>"));
    }
}
