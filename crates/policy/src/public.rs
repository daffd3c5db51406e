//! Whether a bucket's policy makes the bucket public ("Blocking public access": the meaning of "public").

use crate::Document;
use crate::condition::{Comparison, Condition, Quantifier};
use crate::statement::{Effect, Statement};

/// Keys that confine a statement if they are compared with fixed values.
const CONFINING: [&str; 11] = [
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
];

impl Document {
    /// Whether a statement allows something to everybody, from wherever they are.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.statements.iter().any(Statement::is_public)
    }
}

impl Statement {
    fn is_public(&self) -> bool {
        self.effect == Effect::Allow
            && self.principals.is_open()
            && !self.conditions.iter().any(confines)
    }
}

fn confines(condition: &Condition) -> bool {
    let operator = condition.operator;
    if operator.negated || operator.if_exists || operator.quantifier == Some(Quantifier::All) {
        return false;
    }
    let key = condition.key.to_ascii_lowercase();
    let mut texts = condition.texts.iter();
    match operator.comparison {
        // The whole internet in a few blocks is still public.
        Comparison::Address => key == "aws:sourceip" && texts.all(|text| is_narrow(text)),
        Comparison::Text
        | Comparison::TextIgnoringCase
        | Comparison::TextLike
        | Comparison::Arn => {
            CONFINING.contains(&key.as_str())
                && texts.all(|text| !text.contains(['*', '?']) && !text.contains("${"))
        }
        _ => false,
    }
}

fn is_narrow(block: &str) -> bool {
    let Some((address, length)) = block.split_once('/') else {
        return true;
    };
    let least = if address.contains(':') { 32 } else { 8 };
    length.parse::<u8>().is_ok_and(|length| length >= least)
}
