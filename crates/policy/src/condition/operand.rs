//! The values of a condition, read when the document is set.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use time::format_description::well_known::Iso8601;
use time::{Date, OffsetDateTime, PrimitiveDateTime};

use super::operator::{Comparison, Order};
use crate::pattern::{Pattern, Syntax, arn_parts};
use crate::{Context, Error};

/// A value of a condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    Text(Pattern),
    TextIgnoringCase(Pattern),
    Number(Order, f64),
    /// Nanoseconds since 1970.
    Date(Order, i128),
    Bool(bool),
    Binary(Vec<u8>),
    Address(IpNet),
    /// An ARN, part by part; `None` is `*`.
    Arn(Option<Box<[Pattern; 6]>>),
    /// An ARN that no ARN can be equal to.
    NoArn,
    Null(bool),
}

impl Operand {
    /// Reads a value for a comparison.
    ///
    /// # Errors
    ///
    /// If it is not of the kind that is compared; `operator` is the operator's name.
    pub(crate) fn parse(
        text: &str,
        comparison: Comparison,
        variables: bool,
        operator: &str,
    ) -> Result<Self, Error> {
        let invalid = || Error::ConditionValue(operator.to_owned());
        let literal = Syntax {
            wildcards: false,
            variables,
        };
        let wild = Syntax {
            wildcards: true,
            variables,
        };
        Ok(match comparison {
            Comparison::Text => Self::Text(Pattern::parse(text, literal)?),
            Comparison::TextIgnoringCase => Self::TextIgnoringCase(Pattern::parse(text, literal)?),
            Comparison::TextLike => Self::Text(Pattern::parse(text, wild)?),
            Comparison::Number(order) => Self::Number(order, number(text).ok_or_else(invalid)?),
            Comparison::Date(order) => Self::Date(order, date(text).ok_or_else(invalid)?),
            Comparison::Bool => Self::Bool(boolean(text).ok_or_else(invalid)?),
            Comparison::Binary => Self::Binary(STANDARD.decode(text).map_err(|_| invalid())?),
            Comparison::Address => Self::Address(block(text).ok_or(Error::IpAddress)?),
            Comparison::Arn if text == "*" => Self::Arn(None),
            Comparison::Arn => match arn_parts(text, variables) {
                Some(parts) => {
                    let [a, b, c, d, e, f] = parts.map(|part| Pattern::parse(part, wild));
                    Self::Arn(Some(Box::new([a?, b?, c?, d?, e?, f?])))
                }
                None => {
                    Pattern::parse(text, wild)?;
                    Self::NoArn
                }
            },
            Comparison::Null => Self::Null(boolean(text).ok_or_else(invalid)?),
        })
    }

    /// Whether a value of the request matches. One that cannot be compared does not.
    pub(crate) fn matches(&self, value: &str, context: &Context) -> bool {
        match self {
            Self::Text(pattern) => pattern.matches(value, context),
            Self::TextIgnoringCase(pattern) => pattern.matches_ignoring_case(value, context),
            Self::Number(order, operand) => {
                number(value).is_some_and(|value| order.holds(&value, operand))
            }
            Self::Date(order, operand) => {
                date(value).is_some_and(|value| order.holds(&value, operand))
            }
            Self::Bool(operand) => boolean(value) == Some(*operand),
            Self::Binary(operand) => STANDARD.decode(value).is_ok_and(|value| value == *operand),
            Self::Address(operand) => value
                .parse::<IpAddr>()
                .is_ok_and(|value| operand.contains(&value.to_canonical())),
            Self::Arn(None) => true,
            Self::Arn(Some(operand)) => arn_parts(value, false).is_some_and(|parts| {
                let mut pairs = operand.iter().zip(parts);
                pairs.all(|(pattern, part)| pattern.matches(part, context))
            }),
            Self::NoArn | Self::Null(_) => false,
        }
    }
}

/// Decimal, perhaps with a fraction and an exponent. Neither infinity nor NaN.
fn number(text: &str) -> Option<f64> {
    let is_number = |b: u8| b.is_ascii_digit() || b"+-.eE".contains(&b);
    text.bytes().all(is_number).then(|| text.parse().ok())?
}

fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// A date as W3C's profile of ISO 8601 has it, or seconds since 1970; in nanoseconds since 1970.
fn date(text: &str) -> Option<i128> {
    if let Ok(seconds) = text.parse::<i64>() {
        // Years have four digits: shorter numbers are ISO 8601 for 1 January.
        if text.len() != 4 {
            return Some(i128::from(seconds) * 1_000_000_000);
        }
    }
    let whole = match text.len() {
        4 => format!("{text}-01-01"),
        7 => format!("{text}-01"),
        _ => text.to_owned(),
    };
    let at = OffsetDateTime::parse(&whole, &Iso8601::PARSING)
        .or_else(|_| {
            PrimitiveDateTime::parse(&whole, &Iso8601::PARSING).map(PrimitiveDateTime::assume_utc)
        })
        .or_else(|_| {
            Date::parse(&whole, &Iso8601::PARSING).map(|date| date.midnight().assume_utc())
        });
    at.ok().map(OffsetDateTime::unix_timestamp_nanos)
}

/// A CIDR block, or an address as a block of its own.
fn block(text: &str) -> Option<IpNet> {
    let block = text.parse::<IpNet>().ok();
    block.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}
