//! IAM: AWS's common Query protocol (IAM User Guide, "Making HTTP query requests").

mod generated;

use iam_api::{Request, Response};

use crate::encode::Writer;
pub use crate::query::{code, message};
use crate::{Error, Tree, query};

/// The one API version that is spoken.
pub const VERSION: &str = "2010-05-08";

const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

/// Reads the request that a form asks for.
///
/// # Errors
/// The first thing that keeps the form from being a request.
pub fn parse(form: &[(String, String)]) -> Result<Request, Error> {
    query::parse(form, VERSION, generated::actions::decode)
}

/// The body of a successful answer.
pub fn render(response: &Response, request_id: &str) -> String {
    query::render(NAMESPACE, response.action(), request_id, |to| {
        generated::actions::encode(response, to);
    })
}

/// The elements of a successful answer's result.
pub fn elements(response: &Response) -> Tree {
    Writer::tree_of(|to| generated::actions::encode(response, to))
}

/// The body of an answer that tells an error; `status` is its HTTP status.
pub fn render_error(status: u16, code: &str, message: &str, request_id: &str) -> String {
    query::render_error(Some(NAMESPACE), status, code, message, request_id)
}
