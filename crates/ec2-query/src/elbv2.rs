//! Elastic Load Balancing, version 2: AWS's common Query protocol (Elastic Load Balancing API Reference, version
//! 2015-12-01, "Making API requests").
//!
//! Lists are `Subnets.member.1` and `<member>` elements; an answer has its result and its metadata apart.

mod generated;

use elbv2_api::{Request, Response};

use crate::encode::Writer;
use crate::parameters::{self, Parameters};
use crate::{Error, Tree};

/// The one API version that is spoken.
pub const VERSION: &str = "2015-12-01";

const NAMESPACE: &str = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/";

/// Reads the request that a form asks for.
///
/// # Errors
/// The first thing that keeps the form from being a request.
pub fn parse(form: &[(String, String)]) -> Result<Request, Error> {
    let Parameters {
        action,
        version,
        root,
    } = parameters::read(form)?;
    let not_found = |version: &str| Error::OperationNotFound {
        action: action.to_owned(),
        version: version.to_owned(),
    };
    if let Some(other) = version.filter(|version| *version != VERSION) {
        return Err(not_found(other));
    }
    generated::actions::decode(action, root)?.ok_or_else(|| not_found(VERSION))
}

/// The code that stands for a wire error here ("Common errors").
pub fn code(error: &Error) -> &'static str {
    match error {
        Error::UnknownParameter(_) => "ValidationError",
        other => other.code(),
    }
}

/// The body of a successful answer.
pub fn render(response: &Response, request_id: &str) -> String {
    let mut xml = Writer::document();
    let action = response.action();
    let (root, result) = (format!("{action}Response"), format!("{action}Result"));
    xml.open(&format!("{root} xmlns=\"{NAMESPACE}\""));
    xml.open(&result);
    generated::actions::encode(response, &mut xml);
    xml.close(&result);
    xml.open("ResponseMetadata");
    xml.element("RequestId", request_id);
    xml.close("ResponseMetadata");
    xml.close(&root);
    xml.finish()
}

/// The elements of a successful answer's result.
pub fn elements(response: &Response) -> Tree {
    Writer::tree_of(|to| generated::actions::encode(response, to))
}

/// The body of an answer that tells an error; `status` is its HTTP status.
pub fn render_error(status: u16, code: &str, message: &str, request_id: &str) -> String {
    let mut xml = Writer::document();
    xml.open(&format!("ErrorResponse xmlns=\"{NAMESPACE}\""));
    xml.open("Error");
    xml.element("Type", if status < 500 { "Sender" } else { "Receiver" });
    xml.element("Code", code);
    xml.element("Message", message);
    xml.close("Error");
    xml.element("RequestId", request_id);
    xml.close("ErrorResponse");
    xml.finish()
}
