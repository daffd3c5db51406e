//! The EC2 Query protocol: form parameters to requests, responses and errors to XML.
//!
//! Knows how things are written on the wire (EC2 API Reference, "Query requests for Amazon EC2"), never what they
//! mean: whether a VPC exists or a CIDR block is too large is for `control` to say. The form's signature was checked
//! before it gets here.

mod decode;
mod encode;
mod error;
pub mod form;
mod generated;
#[cfg(test)]
mod tests;

pub use error::Error;

use decode::Node;
use ec2_api::{Request, Response};
use encode::Writer;

/// The one API version that is spoken.
pub const VERSION: &str = "2016-11-15";

/// Most parameters in one request.
const MAX_PARAMETERS: usize = 20_000;

/// Reads the request that a form asks for; parameters of the query string and of the body are given together.
///
/// Unknown and malformed parameters are refused, as EC2 does (EC2 API Reference, "Error codes for the Amazon EC2
/// API": `UnknownParameter`, `MissingParameter`, `InvalidParameterValue`).
///
/// # Errors
/// The first thing that keeps the form from being a request.
pub fn parse(form: &[(String, String)]) -> Result<Request, Error> {
    if form.len() > MAX_PARAMETERS {
        return Err(Error::MalformedQueryString);
    }
    let mut root = Node::default();
    let (mut action, mut version) = (None, None);
    for (name, value) in form {
        let once = match name.as_str() {
            "Action" => action.replace(value.as_str()).is_none(),
            "Version" => version.replace(value.as_str()).is_none(),
            common if is_common(common) => true,
            _ => root.insert(name, value)?,
        };
        if !once {
            return Err(Error::RepeatedParameter(name.clone()));
        }
    }
    let action = action
        .filter(|name| !name.is_empty())
        .ok_or(Error::MissingAction)?;
    if let Some(other) = version.filter(|version| *version != VERSION) {
        return Err(Error::NoSuchVersion(other.to_owned()));
    }
    generated::actions::decode(action, root)?.ok_or_else(|| Error::InvalidAction(action.to_owned()))
}

/// Parameters that belong to authentication, which every action takes (EC2 API Reference, "Common query
/// parameters").
fn is_common(name: &str) -> bool {
    const COMMON: &[&str] = &[
        "AWSAccessKeyId",
        "Expires",
        "SecurityToken",
        "Signature",
        "SignatureMethod",
        "SignatureVersion",
        "Timestamp",
    ];
    COMMON.contains(&name) || name.starts_with("X-Amz-")
}

/// The body of a successful answer.
pub fn render(response: &Response, request_id: &str) -> String {
    let mut xml = Writer::document();
    let root = format!("{}Response", response.action());
    xml.open(&format!(
        "{root} xmlns=\"http://ec2.amazonaws.com/doc/{VERSION}/\""
    ));
    xml.element("requestId", request_id);
    generated::actions::encode(response, &mut xml);
    xml.close(&root);
    xml.finish()
}

/// The body of an answer that tells an error.
pub fn render_error(code: &str, message: &str, request_id: &str) -> String {
    let mut xml = Writer::document();
    for name in ["Response", "Errors", "Error"] {
        xml.open(name);
    }
    xml.element("Code", code);
    xml.element("Message", message);
    xml.close("Error");
    xml.close("Errors");
    // Only errors spell it with a capital: successes send `requestId`.
    xml.element("RequestID", request_id);
    xml.close("Response");
    xml.finish()
}
