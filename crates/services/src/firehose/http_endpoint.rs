//! Requests to HTTP endpoints, and what their answers mean (Amazon Data Firehose Developer Guide, "Understand HTTP
//! endpoint delivery request and response specifications").

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use super::batch::{Batch, Outcome};
use super::destination::HttpEndpointDestination;

/// A request to an HTTP endpoint: a POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// `https://…`, or `http://…`.
    pub url: String,
    /// All headers but `Host` and `Content-Length`.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// What the answer has to repeat.
    pub request_id: String,
}

/// The answer of an HTTP endpoint, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// The Content-Type header.
    pub content_type: Option<String>,
    /// The Content-Encoding header.
    pub content_encoding: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAnswer {
    /// Nobody could be connected to, or not in TLS.
    ConnectionFailed(String),
    /// The connection ended before the answer did.
    ConnectionReset(String),
    /// It took too long.
    RequestTimeout,
    /// It is longer than [`ANSWER_MAX`].
    ResponseTooLarge,
}

/// The most bytes that an answer may have.
pub const ANSWER_MAX: usize = 1 << 20;
/// What is kept of an answer, or of the message in it.
const KEPT: usize = 8192;

/// The request for a batch.
pub(crate) fn request<'a>(
    endpoint: &HttpEndpointDestination,
    stream_arn: String,
    batch: &Batch,
    records: impl Iterator<Item = &'a [u8]>,
    delimiter: &[u8],
) -> std::io::Result<HttpRequest> {
    let mut headers = vec![
        ("X-Amz-Firehose-Protocol-Version", "1.0".to_owned()),
        ("X-Amz-Firehose-Request-Id", batch.uuid.clone()),
        ("X-Amz-Firehose-Source-Arn", stream_arn),
        ("Content-Type", "application/json".to_owned()),
        (
            "User-Agent",
            "Amazon Kinesis Data Firehose Agent/1.0".to_owned(),
        ),
    ];
    if let Some(key) = endpoint.access_key() {
        headers.push(("X-Amz-Firehose-Access-Key", key.to_owned()));
    }
    if let Some(attributes) = endpoint.common_attributes() {
        headers.push(("X-Amz-Firehose-Common-Attributes", attributes));
    }
    let mut body = format!(
        r#"{{"requestId":"{}","timestamp":{},"records":["#,
        batch.uuid, batch.cut
    );
    let mut record_with_delimiter = Vec::new();
    for (index, record) in records.enumerate() {
        body.push_str(if index == 0 {
            r#"{"data":""#
        } else {
            r#",{"data":""#
        });
        if delimiter.is_empty() {
            STANDARD.encode_string(record, &mut body);
        } else {
            record_with_delimiter.clear();
            record_with_delimiter.extend_from_slice(record);
            record_with_delimiter.extend_from_slice(delimiter);
            STANDARD.encode_string(&record_with_delimiter, &mut body);
        }
        body.push_str("\"}");
    }
    body.push_str("]}");
    let body = if endpoint.gzips() {
        headers.push(("Content-Encoding", "gzip".to_owned()));
        gzip(body.as_bytes())?
    } else {
        body.into_bytes()
    };
    Ok(HttpRequest {
        url: endpoint.url().to_owned(),
        headers,
        body,
        request_id: batch.uuid.clone(),
    })
}

/// What an answer means for the request of this id.
pub fn judge(request_id: &str, answer: &Result<HttpAnswer, NoAnswer>) -> Outcome {
    let failed = |code: &str, message: String| Outcome::Failed {
        code: format!("HttpEndpoint.{code}"),
        message,
        permanent: false,
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(NoAnswer::ConnectionFailed(why)) => {
            return failed(
                "ConnectionFailed",
                format!("The connection could not be made: {why}."),
            );
        }
        Err(NoAnswer::ConnectionReset(why)) => {
            return failed(
                "ConnectionReset",
                format!("The connection ended before the answer did: {why}."),
            );
        }
        Err(NoAnswer::RequestTimeout) => {
            return failed(
                "RequestTimeout",
                "No answer was received in time.".to_owned(),
            );
        }
        Err(NoAnswer::ResponseTooLarge) => {
            return failed(
                "ResponseTooLarge",
                "The answer is longer than 1 MiB.".to_owned(),
            );
        }
    };
    if answer.status != 200 {
        let text = String::from_utf8_lossy(&answer.body);
        let message = format!(
            "The following response was received from the endpoint destination. {}: {}",
            answer.status,
            shortened(&text)
        );
        return match failed("DestinationException", message) {
            Outcome::Failed { code, message, .. } => Outcome::Failed {
                code,
                message,
                permanent: answer.status == 413,
            },
            Outcome::Delivered => Outcome::Delivered,
        };
    }
    let problem = problem_of(request_id, answer);
    problem.map_or(Outcome::Delivered, |problem| {
        failed("InvalidResponseFromDestination", problem)
    })
}

/// What is wrong with an answer of status 200.
fn problem_of(request_id: &str, answer: &HttpAnswer) -> Option<String> {
    if answer.content_encoding.is_some() {
        return Some("The answer has a Content-Encoding.".to_owned());
    }
    let content_type = answer.content_type.as_deref().unwrap_or_default();
    let content_type = content_type.split(';').next().unwrap_or_default().trim();
    if !content_type.eq_ignore_ascii_case("application/json") {
        return Some(format!(
            "The Content-Type of the answer is not application/json: {}",
            shortened(content_type)
        ));
    }
    let Ok(Value::Object(body)) = serde_json::from_slice(&answer.body) else {
        let text = String::from_utf8_lossy(&answer.body);
        return Some(format!(
            "The answer is not an object of JSON: {}",
            shortened(&text)
        ));
    };
    if body.get("requestId").and_then(Value::as_str) != Some(request_id) {
        return Some("The requestId of the answer is not that of the request.".to_owned());
    }
    if body.get("timestamp").and_then(Value::as_i64).is_none() {
        return Some("The answer has no timestamp in milliseconds.".to_owned());
    }
    None
}

fn shortened(text: &str) -> &str {
    match text.char_indices().nth(KEPT) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// The same text gives the same bytes, for the header carries no time.
pub(crate) fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, content_type: &str, body: &str) -> String {
        let answer = Ok(HttpAnswer {
            status,
            content_type: Some(content_type.to_owned()),
            content_encoding: None,
            body: body.as_bytes().to_vec(),
        });
        text(&judge("r-1", &answer))
    }

    fn text(outcome: &Outcome) -> String {
        match outcome {
            Outcome::Delivered => "delivered".to_owned(),
            Outcome::Failed {
                code,
                message,
                permanent,
            } => format!("{code} {permanent} {message}"),
        }
    }

    #[test]
    fn answers_are_judged() {
        let good = r#"{"requestId":"r-1","timestamp":1578090903599}"#;
        let json = "application/json";
        assert_eq!(judged(200, json, good), "delivered");
        assert_eq!(
            judged(200, "Application/JSON; charset=utf-8", good),
            "delivered"
        );
        for (status, content_type, body, expected) in [
            (201, json, good, "DestinationException false"),
            (301, json, good, "DestinationException false"),
            (
                413,
                json,
                r#"{"errorMessage":"Payload too large"}"#,
                "DestinationException true",
            ),
            (500, json, "", "DestinationException false"),
            (
                200,
                "text/html",
                good,
                "InvalidResponseFromDestination false",
            ),
            (200, json, "", "InvalidResponseFromDestination false"),
            (200, json, "[1]", "InvalidResponseFromDestination false"),
            (
                200,
                json,
                r#"{"requestId":"r-2","timestamp":1}"#,
                "InvalidResponseFromDestination false",
            ),
            (
                200,
                json,
                r#"{"requestId":"r-1"}"#,
                "InvalidResponseFromDestination false",
            ),
            (
                200,
                json,
                r#"{"requestId":"r-1","timestamp":"1"}"#,
                "InvalidResponseFromDestination false",
            ),
        ] {
            let found = judged(status, content_type, body);
            assert!(
                found.starts_with(&format!("HttpEndpoint.{expected}")),
                "{status} {body}: {found}"
            );
        }
        let long = judged(500, json, &"é".repeat(20_000));
        assert!(long.len() < 3 * KEPT && long.ends_with('é'));
        for error in [
            NoAnswer::ConnectionFailed("refused".to_owned()),
            NoAnswer::ConnectionReset("reset".to_owned()),
            NoAnswer::RequestTimeout,
            NoAnswer::ResponseTooLarge,
        ] {
            let name = format!("{error:?}");
            let name = name.split('(').next().unwrap();
            assert!(
                text(&judge("r-1", &Err(error.clone())))
                    .starts_with(&format!("HttpEndpoint.{name} false"))
            );
        }
    }
}
