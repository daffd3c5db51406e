//! From the text of parameters to values: ids, blocks, addresses and numbers.

use std::fmt::Display;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{Ipv4Net, Ipv6Net};
use model::{Id, MalformedId};

use crate::Error;

/// The value of a parameter that must be given.
pub(crate) fn required<'a, T>(value: &'a Option<T>, name: &'static str) -> Result<&'a T, Error> {
    value.as_ref().ok_or(Error::MissingParameter(name))
}

/// An id that must be given.
pub(crate) fn id<T: Id>(value: &Option<String>, name: &'static str) -> Result<T, Error> {
    Ok(required(value, name)?.parse::<T>()?)
}

/// An id that may be given.
pub(crate) fn optional_id<T: Id>(value: &Option<String>) -> Result<Option<T>, Error> {
    Ok(value.as_ref().map(|text| text.parse::<T>()).transpose()?)
}

/// A list of ids, at least one.
pub(crate) fn ids<T: Id>(values: &[String], name: &'static str) -> Result<Vec<T>, Error> {
    if values.is_empty() {
        return Err(Error::MissingParameter(name));
    }
    optional_ids(values)
}

/// A list of ids that may be empty.
pub(crate) fn optional_ids<T: Id>(values: &[String]) -> Result<Vec<T>, Error> {
    values.iter().map(|text| Ok(text.parse::<T>()?)).collect()
}

/// The first of ids of a noun of which there is none here.
pub(crate) fn absent_id<'a>(
    values: &'a [String],
    prefix: &'static str,
) -> Result<Option<&'a str>, Error> {
    for text in values {
        let digits = text.strip_prefix(prefix).unwrap_or_default();
        let hex = digits
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !hex || !matches!(digits.len(), 8 | 17) {
            let text = text.clone();
            return Err(Error::from(MalformedId { text, prefix }));
        }
    }
    Ok(values.first().map(String::as_str))
}

/// An IPv4 block with its host bits cleared, as AWS does silently ("VPC CIDR blocks").
pub(crate) fn ipv4_net(text: &str, name: &str) -> Result<Ipv4Net, Error> {
    Ok(net::<Ipv4Addr, Ipv4Net>(text, name)?.trunc())
}

/// An IPv6 block with its host bits cleared.
pub(crate) fn ipv6_net(text: &str, name: &str) -> Result<Ipv6Net, Error> {
    Ok(net::<Ipv6Addr, Ipv6Net>(text, name)?.trunc())
}

/// A block whose address is spelled as an address alone has to be: `010.0.0.0` is octal to some and refused.
fn net<A: FromStr, N: FromStr>(text: &str, name: &str) -> Result<N, Error> {
    text.split_once('/')
        .and_then(|(address, _)| address.parse::<A>().ok())
        .and_then(|_| text.parse().ok())
        .ok_or_else(|| not_a_block(text, name))
}

/// An IPv4 address.
pub(crate) fn ipv4(text: &str, name: &str) -> Result<Ipv4Addr, Error> {
    address(text, name, "This is not a valid IPv4 address.")
}

/// An IPv6 address.
pub(crate) fn ipv6(text: &str, name: &str) -> Result<Ipv6Addr, Error> {
    address(text, name, "This is not a valid IPv6 address.")
}

/// One of the values that an enumerated parameter may have.
pub(crate) fn one_of<'a>(text: &'a str, name: &str, allowed: &[&str]) -> Result<&'a str, Error> {
    if allowed.contains(&text) {
        Ok(text)
    } else {
        Err(Error::invalid_value(
            name,
            text,
            &format!("Valid values: {}.", allowed.join(", ")),
        ))
    }
}

fn address<T: FromStr>(text: &str, name: &str, why: &str) -> Result<T, Error> {
    text.parse()
        .map_err(|_| Error::invalid_value(name, text, why))
}

fn not_a_block(text: impl Display, name: &str) -> Error {
    Error::invalid_value(name, text, "This is not a valid CIDR block.")
}

/// A number of things that may be left out: zero or more.
pub(crate) fn count(value: Option<i32>, name: &str) -> Result<usize, Error> {
    usize::try_from(value.unwrap_or_default()).map_err(|_| {
        Error::invalid_value(name, value.unwrap_or_default(), "It must not be negative.")
    })
}

/// A number of things that may be left out, which is zero; one or more where it is given.
pub(crate) fn positive(value: Option<i32>, name: &str) -> Result<usize, Error> {
    match value {
        Some(0) => Err(Error::invalid_value(name, 0, "It must be greater than 0.")),
        value => count(value, name),
    }
}

/// A text that may be left out, of at most `most` characters.
pub(crate) fn text(value: &Option<String>, name: &str, most: usize) -> Result<(), Error> {
    let length = value.as_ref().map_or(0, |text| text.chars().count());
    if length > most {
        let shown: String = value
            .iter()
            .flat_map(|text| text.chars())
            .take(32)
            .collect();
        return Err(Error::invalid_value(
            name,
            format!("{shown}…"),
            &format!("It must have up to {most} characters."),
        ));
    }
    Ok(())
}

/// Refuses parameters that AWS has and Weir does not; `true` says that one was given.
pub(crate) fn refuse_unsupported(given: &[(bool, &str)]) -> Result<(), Error> {
    match given.iter().find(|(given, _)| *given) {
        None => Ok(()),
        Some((_, name)) => Err(Error::new(
            "UnsupportedOperation",
            format!("The parameter {name} is not supported."),
        )),
    }
}

/// Attributes are modified one at a time; `true` says that one was given.
pub(crate) fn exactly_one(given: &[bool]) -> Result<(), Error> {
    let message = match given.iter().filter(|given| **given).count() {
        1 => return Ok(()),
        0 => "No attributes specified.",
        _ => "Fields for multiple attribute types specified.",
    };
    Err(Error::InvalidParameterCombination(message.to_owned()))
}
