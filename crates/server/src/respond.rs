//! Answers in the forms of the services' protocols.

use bytes::Bytes;
use http::{Response, StatusCode, header};
use serde::Serialize;
use services::json::JsonResponse;

/// An answer whose body is known as a whole.
pub(crate) type Answer = Response<Bytes>;

/// XML of the Query protocol.
pub(crate) fn xml(status: u16, request_id: &str, body: String) -> Answer {
    build(
        status,
        request_id,
        "text/xml;charset=UTF-8",
        Bytes::from(body),
    )
}

/// A value as AWS JSON 1.1.
pub(crate) fn json(status: u16, request_id: &str, value: &impl Serialize) -> Answer {
    match serde_json::to_vec(value) {
        Ok(body) => json_bytes(status, request_id, body),
        Err(error) => {
            tracing::error!(%error, "an answer cannot be serialised");
            json_error(
                500,
                request_id,
                "InternalFailure",
                "An internal error has occurred",
            )
        }
    }
}

/// AWS JSON 1.1 that has been rendered already.
pub(crate) fn json_bytes(status: u16, request_id: &str, body: Vec<u8>) -> Answer {
    build(
        status,
        request_id,
        "application/x-amz-json-1.1",
        Bytes::from(body),
    )
}

/// What an embedded service answers, which blocks on its disk.
pub(crate) async fn embedded(
    service: &str,
    request_id: &str,
    call: impl FnOnce() -> JsonResponse + Send + 'static,
) -> Answer {
    match tokio::task::spawn_blocking(call).await {
        Ok(answer) => json_bytes(answer.status, request_id, answer.body),
        Err(error) => {
            tracing::error!(%error, service, "a call failed");
            let message = "An internal error has occurred";
            json_error(500, request_id, "InternalFailure", message)
        }
    }
}

/// Text in Prometheus' format.
pub(crate) fn text(status: u16, request_id: &str, body: String) -> Answer {
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    build(status, request_id, content_type, Bytes::from(body))
}

/// An error of AWS JSON 1.1.
pub(crate) fn json_error(status: u16, request_id: &str, code: &str, message: &str) -> Answer {
    let body = serde_json::json!({ "__type": code, "message": message }).to_string();
    json_bytes(status, request_id, body.into_bytes())
}

fn build(status: u16, request_id: &str, content_type: &str, body: Bytes) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    if let Ok(value) = content_type.parse() {
        headers.insert(header::CONTENT_TYPE, value);
    }
    if let Ok(value) = request_id.parse() {
        headers.insert("x-amzn-requestid", value);
    }
    answer
}
