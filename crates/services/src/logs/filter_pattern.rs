//! Filter patterns ("Filter pattern syntax for metric filters, subscription filters, filter log
//! events, and Live Tail"). Pure: text in, yes or no out.

mod expression;
mod json;
mod space;
mod terms;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use self::json::JsonPattern;
use self::space::SpacePattern;
use self::terms::Terms;
use super::input::constraint;
use super::store::LogsError;

const MAXIMUM_LENGTH: usize = 1024;

/// A parsed filter pattern.
#[derive(Debug, Clone)]
pub struct FilterPattern {
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Everything,
    Terms(Terms),
    Json(JsonPattern),
    Space(SpacePattern),
}

/// Why a pattern was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The pattern does not follow the syntax.
    #[error("Invalid filter pattern: {0}")]
    Syntax(String),
    /// The pattern has more than 1024 characters.
    #[error(
        "1 validation error detected: Value at 'filterPattern' failed to satisfy constraint: \
         Member must have length less than or equal to 1024"
    )]
    TooLong,
}

pub(crate) fn syntax<T>(message: impl Into<String>) -> Result<T, PatternError> {
    Err(PatternError::Syntax(message.into()))
}

impl FilterPattern {
    /// Reads a pattern. An empty one matches everything.
    pub fn parse(pattern: &str) -> Result<Self, PatternError> {
        if pattern.chars().count() > MAXIMUM_LENGTH {
            return Err(PatternError::TooLong);
        }
        let pattern = pattern.trim();
        let kind = match pattern.as_bytes() {
            [] | [b'"', b' ', b'"'] | [b'"', b'"'] => Kind::Everything,
            [b'{', inner @ .., b'}'] => Kind::Json(JsonPattern::parse(text(inner))?),
            [b'[', inner @ .., b']'] => Kind::Space(SpacePattern::parse(text(inner))?),
            [b'{' | b'[', ..] => return syntax("the closing bracket is missing"),
            _ => Kind::Terms(Terms::parse(pattern)?),
        };
        Ok(Self { kind })
    }

    /// Whether an event's message matches.
    pub fn matches(&self, message: &str) -> bool {
        match &self.kind {
            Kind::Everything => true,
            Kind::Terms(terms) => terms.matches(message),
            Kind::Json(pattern) => pattern.matches(message),
            Kind::Space(pattern) => pattern.matches(message),
        }
    }

    /// The values that the pattern names in a message, for a message that matches.
    pub fn extract(&self, message: &str) -> BTreeMap<String, String> {
        match &self.kind {
            Kind::Everything | Kind::Terms(_) => BTreeMap::new(),
            Kind::Json(pattern) => pattern.extract(message),
            Kind::Space(pattern) => pattern.extract(message),
        }
    }
}

/// What is left of text after ASCII bytes were taken off both ends.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct TestMetricFilterInput {
    filter_pattern: Option<String>,
    log_event_messages: Option<Vec<String>>,
}

/// TestMetricFilter: tries a pattern on up to 50 messages.
pub(crate) fn test_metric_filter(
    input: &TestMetricFilterInput,
) -> Result<Option<Value>, LogsError> {
    let null = |member: &str| constraint("null", member, "Member must not be null");
    let pattern = input
        .filter_pattern
        .as_deref()
        .ok_or_else(|| null("filterPattern"))?;
    let messages = input
        .log_event_messages
        .as_ref()
        .ok_or_else(|| null("logEventMessages"))?;
    if messages.is_empty() || messages.len() > 50 {
        return Err(constraint(
            &format!("[{} messages]", messages.len()),
            "logEventMessages",
            "Member must have length between 1 and 50",
        ));
    }
    let pattern = FilterPattern::parse(pattern)
        .map_err(|error| LogsError::InvalidParameter(error.to_string()))?;
    let matches: Vec<_> = messages
        .iter()
        .enumerate()
        .filter(|(_, message)| pattern.matches(message))
        .map(|(index, message)| {
            json!({
                "eventNumber": index + 1,
                "eventMessage": message,
                "extractedValues": pattern.extract(message),
            })
        })
        .collect();
    Ok(Some(json!({ "matches": matches })))
}

#[cfg(test)]
mod tests;
