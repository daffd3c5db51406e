//! Calls of services that Weir does not have: refused by name, in the protocol that the request itself is in.

use std::sync::Arc;

use http::{HeaderMap, Request, header};

use crate::clock;
use crate::connections::Arriving;
use crate::daemon::Daemon;
use crate::ec2;
use crate::respond::{self, Answer};

/// Services whose REST calls are answered in XML; all others' are in JSON.
const REST_XML: [&str; 3] = ["cloudfront", "route53", "s3-outposts"];

/// Refuses a call that was signed for another service. Clients must not try again: the status is 400.
pub(crate) async fn answer(
    daemon: &Arc<Daemon>,
    signed_for: &str,
    request: Request<Arriving>,
) -> Answer {
    let id = clock::request_id();
    let (parts, body) = request.into_parts();
    if let Some(target) = text(&parts.headers, "x-amz-target") {
        let operation = target.rsplit('.').next().unwrap_or_default();
        let message = words(signed_for, operation);
        return respond::json_error(400, &id, "UnknownOperationException", &message);
    }
    let form = text(&parts.headers, header::CONTENT_TYPE.as_str())
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let query = parts.uri.query().unwrap_or_default();
    let body = match form {
        true => daemon.bodies.read(body).await.unwrap_or_default(),
        false => Default::default(),
    };
    let form = ec2::form(query, &body).unwrap_or_default();
    let action = form.iter().find(|(name, _)| name == "Action");
    let what = match action {
        Some((_, action)) => action.clone(),
        None => format!("{} {}", parts.method, parts.uri.path()),
    };
    let message = words(signed_for, &what);
    if action.is_some() || REST_XML.contains(&signed_for) {
        let code = "InvalidAction";
        let xml = ec2_query::query::render_error(None, 400, code, &message, &id);
        return respond::xml(400, &id, xml);
    }
    let mut answer = respond::json_error(400, &id, "UnknownOperationException", &message);
    let kind = header::HeaderValue::from_static("UnknownOperationException");
    answer.headers_mut().insert("x-amzn-errortype", kind);
    answer
}

fn words(service: &str, what: &str) -> String {
    // The name is the client's: what is printed of it is what names of services are made of.
    let is_name = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
    let service: String = service.chars().filter(is_name).take(64).collect();
    format!("{what} is not supported: Weir does not have the service '{service}'.")
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
