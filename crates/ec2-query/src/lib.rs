//! The Query protocols: form parameters to requests, responses and errors to XML.
//!
//! Knows how things are written on the wire (EC2 API Reference, "Query requests for Amazon EC2"), never what they
//! mean: whether a VPC exists or a CIDR block is too large is for `control` to say. The form's signature was checked
//! before it gets here.
//!
//! EC2 speaks a dialect of its own, which stands here at the top; services that speak AWS's common Query protocol
//! have a module each.

mod decode;
pub mod elbv2;
mod encode;
mod error;
pub mod form;
mod generated;
pub mod iam;
mod parameters;
pub mod query;
#[cfg(test)]
mod tests;
mod tree;

pub use error::Error;
pub use tree::Tree;

use ec2_api::{Request, Response};
use encode::Writer;
use parameters::Parameters;

/// The one API version that is spoken.
pub const VERSION: &str = "2016-11-15";

/// Reads the request that a form asks for; parameters of the query string and of the body are given together.
///
/// Unknown and malformed parameters are refused, as EC2 does (EC2 API Reference, "Error codes for the Amazon EC2
/// API": `UnknownParameter`, `MissingParameter`, `InvalidParameterValue`).
///
/// # Errors
/// The first thing that keeps the form from being a request.
pub fn parse(form: &[(String, String)]) -> Result<Request, Error> {
    let Parameters {
        action,
        version,
        root,
    } = parameters::read(form)?;
    if let Some(other) = version.filter(|version| *version != VERSION) {
        return Err(Error::NoSuchVersion(other.to_owned()));
    }
    generated::actions::decode(action, root)?.ok_or_else(|| Error::InvalidAction(action.to_owned()))
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

/// The elements of a successful answer, without `requestId`.
pub fn elements(response: &Response) -> Tree {
    Writer::tree_of(|to| generated::actions::encode(response, to))
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
