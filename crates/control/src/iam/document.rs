//! Policy documents: checked when they are set, answered with their special characters encoded.

use policy::{Document, Kind};

use super::error::limit_exceeded;
use crate::Error;

/// Checks a document; white space does not count towards its `limit`, a quota of the name `quota`.
pub(super) fn check(
    document: &Option<String>,
    kind: Kind<'_>,
    quota: &str,
    limit: usize,
) -> Result<String, Error> {
    let text = document.as_deref().unwrap_or_default();
    Document::parse(text, kind)
        .map_err(|error| Error::new("MalformedPolicyDocument", words(&error)))?;
    if length(text) > limit {
        return Err(limit_exceeded(quota, limit));
    }
    Ok(text.to_owned())
}

/// The characters that count.
pub(super) fn length(text: &str) -> usize {
    text.chars().filter(|c| !c.is_whitespace()).count()
}

/// A document as answers have it: compliant with RFC 3986 ("GetRole").
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// What IAM says of a fault, where it has words of its own.
fn words(error: &policy::Error) -> String {
    use policy::Error as Fault;
    match error {
        Fault::NotAnObject
        | Fault::InvalidJson
        | Fault::Version
        | Fault::Syntax
        | Fault::UnknownField(_)
        | Fault::Effect(_) => "Syntax errors in policy.".to_owned(),
        Fault::EmptyStatement | Fault::MissingField("Statement") => {
            "Syntax error at position (1,1)".to_owned()
        }
        Fault::MissingField("Action") => "Policy statement must contain actions.".to_owned(),
        Fault::MissingField("Resource") => "Policy statement must contain resources.".to_owned(),
        Fault::Action | Fault::ConditionKey => {
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.".to_owned()
        }
        Fault::Resource => "The policy failed legacy parsing".to_owned(),
        Fault::DuplicateSid => "Statement IDs (SID) in a single policy must be unique.".to_owned(),
        other => other.to_string(),
    }
}
