//! Attributes by key: what load balancers, target groups and listeners can be told later.

use super::error::{configuration, unsupported, validation};
use crate::Error;

/// An attribute that AWS has and Weir leaves at AWS's default.
pub(super) type Fixed = (&'static str, &'static str);

/// Reads key and value of one attribute.
pub(super) fn pair<'a>(
    key: &'a Option<String>,
    value: &'a Option<String>,
) -> Result<(&'a str, &'a str), Error> {
    let key = key.as_deref().filter(|key| !key.is_empty());
    let key = key.ok_or_else(|| validation("An attribute key must be specified"))?;
    Ok((key, value.as_deref().unwrap_or_default()))
}

/// `true` or `false`.
pub(super) fn boolean(key: &str, value: &str) -> Result<bool, Error> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(validation(format!(
            "'{key}' attribute value must be one of 'true, false'"
        ))),
    }
}

/// A whole number in a range.
pub(super) fn number(
    key: &str,
    value: &str,
    range: std::ops::RangeInclusive<u16>,
) -> Result<u16, Error> {
    let number = value.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| {
        validation(format!(
            "'{key}' attribute value must be between '{}' and '{}' inclusive",
            range.start(),
            range.end()
        ))
    })
}

/// An attribute that is none of those that can be changed: it may be set to what it is.
pub(super) fn fixed(key: &str, value: &str, fixed: &[Fixed]) -> Result<(), Error> {
    match fixed.iter().find(|(known, _)| *known == key) {
        Some((_, default)) if *default == value => Ok(()),
        Some(_) => Err(unsupported(format_args!(
            "The value '{value}' of the attribute '{key}'"
        ))),
        None => Err(configuration(format!("Key {key} not valid"))),
    }
}
