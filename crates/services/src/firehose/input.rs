//! Checks that many operations share, in the words of AWS's validation.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::store::FirehoseError;

/// The refusal of a member that does not satisfy its constraint.
pub(crate) fn constraint(value: &str, member: &str, rule: &str) -> FirehoseError {
    FirehoseError::Validation(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {rule}"
    ))
}

/// A member that has to be there.
pub(crate) fn required<T>(value: Option<T>, member: &str) -> Result<T, FirehoseError> {
    value.ok_or_else(|| {
        FirehoseError::Validation(format!(
            "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
        ))
    })
}

/// A text of `minimum` to `maximum` characters, each of which satisfies `allowed`.
pub(crate) fn text<'a>(
    value: &'a str,
    member: &str,
    (minimum, maximum): (usize, usize),
    pattern: &str,
    allowed: impl Fn(&str) -> bool,
) -> Result<&'a str, FirehoseError> {
    let length = value.chars().count();
    let rule = if length < minimum {
        format!("Member must have length greater than or equal to {minimum}")
    } else if length > maximum {
        format!("Member must have length less than or equal to {maximum}")
    } else if !allowed(value) {
        format!("Member must satisfy regular expression pattern: {pattern}")
    } else {
        return Ok(value);
    };
    Err(constraint(value, member, &rule))
}

/// A number within bounds, or `default` where there is none.
pub(crate) fn number(
    value: Option<i64>,
    member: &str,
    (minimum, maximum): (i64, i64),
    default: i64,
) -> Result<i64, FirehoseError> {
    let value = value.unwrap_or(default);
    let rule = if value < minimum {
        format!("Member must have value greater than or equal to {minimum}")
    } else if value > maximum {
        format!("Member must have value less than or equal to {maximum}")
    } else {
        return Ok(value);
    };
    Err(constraint(&value.to_string(), member, &rule))
}

/// A structure that may be left out. By itself serde would read one from a list as well.
pub(crate) fn structure<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let members = Option::<Map<String, Value>>::deserialize(deserializer)?;
    let read = members.map(|members| serde_json::from_value(Value::Object(members)));
    read.transpose().map_err(D::Error::custom)
}

/// One of the words of an enumeration, or `default` where there is none.
pub(crate) fn one_of(
    value: Option<String>,
    member: &str,
    words: &[&str],
    default: &str,
) -> Result<String, FirehoseError> {
    let value = value.unwrap_or_else(|| default.to_owned());
    if words.contains(&value.as_str()) {
        return Ok(value);
    }
    let rule = format!("Member must satisfy enum value set: [{}]", words.join(", "));
    Err(constraint(&value, member, &rule))
}

/// The name of a delivery stream.
pub(crate) fn stream_name(value: Option<&str>) -> Result<&str, FirehoseError> {
    let member = "deliveryStreamName";
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    text(
        required(value, member)?,
        member,
        (1, 64),
        "[a-zA-Z0-9_.-]+",
        |name| name.bytes().all(allowed),
    )
}

/// The ARN of a role.
pub(crate) fn role_arn<'a>(value: &'a str, member: &str) -> Result<&'a str, FirehoseError> {
    let pattern = "arn:.*:iam::\\d{12}:role/[a-zA-Z_0-9+=,.@\\-_/]+";
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@-_/".contains(&b);
    text(value, member, (1, 512), pattern, |arn| {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        matches!(parts[..], ["arn", _, "iam", "", account, role]
        if is_account(account) && role.strip_prefix("role/").is_some_and(|name| {
            !name.is_empty() && name.bytes().all(allowed)
        }))
    })
}

/// The ARN of a bucket.
pub(crate) fn bucket_arn<'a>(value: &'a str, member: &str) -> Result<&'a str, FirehoseError> {
    let pattern = "arn:.*:s3:::[\\w\\.\\-]{1,255}";
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    text(value, member, (1, 2048), pattern, |arn| {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        matches!(parts[..], ["arn", _, "s3", "", "", name]
            if (1..=255).contains(&name.len()) && name.bytes().all(allowed))
    })
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}
