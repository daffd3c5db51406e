//! AWS's common Query protocol: what its services have alike.
//!
//! Lists are `Subnets.member.1` and `<member>` elements; an answer has its result and its metadata apart.

use crate::Error;
use crate::decode::Node;
use crate::encode::Writer;
use crate::parameters::{self, Parameters};

/// Reads the request that a form asks for, of a service that speaks one `version` only.
///
/// # Errors
/// The first thing that keeps the form from being a request.
pub(crate) fn parse<R>(
    form: &[(String, String)],
    version: &str,
    decode: impl FnOnce(&str, Node<'_>) -> Result<Option<R>, Error>,
) -> Result<R, Error> {
    let Parameters {
        action,
        version: asked,
        root,
    } = parameters::read(form)?;
    let not_found = |version: &str| Error::OperationNotFound {
        action: action.to_owned(),
        version: version.to_owned(),
    };
    if let Some(other) = asked.filter(|asked| *asked != version) {
        return Err(not_found(other));
    }
    decode(action, root)?.ok_or_else(|| not_found(version))
}

/// The code that stands for a wire error ("Common errors").
#[must_use]
pub fn code(error: &Error) -> &'static str {
    match error {
        Error::UnknownParameter(_) | Error::MissingParameter(_) | Error::RepeatedParameter(_) => {
            "ValidationError"
        }
        Error::InvalidParameterValue { .. } => "MalformedInput",
        other => other.code(),
    }
}

/// What is said of a wire error, in the words of these services.
#[must_use]
pub fn message(error: &Error) -> String {
    let Error::MissingParameter(name) = error else {
        return error.to_string();
    };
    let mut member = String::with_capacity(name.len());
    for part in name.split('.') {
        if !member.is_empty() {
            member.push('.');
        }
        let mut letters = part.chars();
        member.extend(letters.next().map(|first| first.to_ascii_lowercase()));
        member.push_str(letters.as_str());
    }
    format!(
        "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
    )
}

/// The body of a successful answer.
pub(crate) fn render(
    namespace: &str,
    action: &str,
    request_id: &str,
    encode: impl FnOnce(&mut Writer),
) -> String {
    let mut xml = Writer::document();
    let (root, result) = (format!("{action}Response"), format!("{action}Result"));
    xml.open(&format!("{root} xmlns=\"{namespace}\""));
    xml.open(&result);
    encode(&mut xml);
    xml.close(&result);
    xml.open("ResponseMetadata");
    xml.element("RequestId", request_id);
    xml.close("ResponseMetadata");
    xml.close(&root);
    xml.finish()
}

/// The body of an answer that tells an error; `status` is its HTTP status. A service without a namespace is one that
/// Weir does not have.
#[must_use]
pub fn render_error(
    namespace: Option<&str>,
    status: u16,
    code: &str,
    message: &str,
    request_id: &str,
) -> String {
    let mut xml = Writer::document();
    match namespace {
        Some(namespace) => xml.open(&format!("ErrorResponse xmlns=\"{namespace}\"")),
        None => xml.open("ErrorResponse"),
    }
    xml.open("Error");
    xml.element("Type", if status < 500 { "Sender" } else { "Receiver" });
    xml.element("Code", code);
    xml.element("Message", message);
    xml.close("Error");
    xml.element("RequestId", request_id);
    xml.close("ErrorResponse");
    xml.finish()
}
