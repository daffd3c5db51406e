//! The words of IAM for what is refused.

use crate::Error;

/// `ValidationError`: a value that is not of its parameter's form.
pub(super) fn validation(message: impl Into<String>) -> Error {
    Error::new("ValidationError", message)
}

/// Refuses a value that is not one of the words of its enumeration.
pub(super) fn one_of(value: &Option<String>, member: &str, words: &[&str]) -> Result<(), Error> {
    match value.as_deref().filter(|value| !words.contains(value)) {
        None => Ok(()),
        Some(value) => Err(validation(format!(
            "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must satisfy enum value set: [{}]",
            words.join(", ")
        ))),
    }
}

/// `NoSuchEntity`.
pub(super) fn no_such_entity(message: impl Into<String>) -> Error {
    Error::new("NoSuchEntity", message)
}

/// `EntityAlreadyExists`.
pub(super) fn already_exists(message: impl Into<String>) -> Error {
    Error::new("EntityAlreadyExists", message)
}

/// `DeleteConflict`.
pub(super) fn delete_conflict(message: impl Into<String>) -> Error {
    Error::new("DeleteConflict", message)
}

/// `LimitExceeded`, of a quota that has this name.
pub(super) fn limit_exceeded(quota: &str, limit: usize) -> Error {
    Error::new(
        "LimitExceeded",
        format!("Cannot exceed quota for {quota}: {limit}"),
    )
}

/// An error of EC2's rules in the codes of IAM ("Common errors" and those of the actions).
pub(crate) fn in_its_words(error: Error) -> Error {
    let code = match &error {
        Error::LimitExceeded { .. } => "LimitExceeded",
        Error::MissingParameter(_)
        | Error::InvalidParameterValue(_)
        | Error::InvalidParameterCombination(_)
        | Error::InvalidNextToken => "ValidationError",
        Error::Other { code, .. } if *code == "InvalidTagKey.Malformed" => "ValidationError",
        _ => return error,
    };
    Error::new(code, error.to_string())
}
