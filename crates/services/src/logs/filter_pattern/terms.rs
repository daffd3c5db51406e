//! Unstructured patterns: terms, phrases, `?or`, `-not` and `%regex%`.

use super::expression::{Matcher, quoted, regex_between};
use super::{PatternError, syntax};

/// The three lists of an unstructured pattern.
#[derive(Debug, Clone, Default)]
pub(crate) struct Terms {
    all: Vec<Matcher>,
    any: Vec<Matcher>,
    none: Vec<Matcher>,
}

impl Terms {
    pub(crate) fn parse(pattern: &str) -> Result<Self, PatternError> {
        let mut terms = Self::default();
        let mut rest = pattern.trim_start();
        while let Some(first) = rest.chars().next() {
            let list = match first {
                '?' => &mut terms.any,
                '-' => &mut terms.none,
                _ => &mut terms.all,
            };
            if matches!(first, '?' | '-') {
                rest = &rest[1..];
            }
            let (term, after) = term(rest)?;
            list.push(term);
            rest = after.trim_start();
        }
        Ok(terms)
    }

    /// `?` terms only count where there are no plain ones.
    pub(crate) fn matches(&self, message: &str) -> bool {
        if self.none.iter().any(|term| term.contained_in(message)) {
            return false;
        }
        if self.all.is_empty() && !self.any.is_empty() {
            return self.any.iter().any(|term| term.contained_in(message));
        }
        self.all.iter().all(|term| term.contained_in(message))
    }
}

fn term(rest: &str) -> Result<(Matcher, &str), PatternError> {
    if rest.starts_with('"') {
        let (text, after) = quoted(rest)?;
        return Ok((Matcher::Text(text), after));
    }
    if rest.starts_with('%') {
        return regex_between(rest);
    }
    let end = rest
        .find(|c: char| c.is_whitespace() || c == '"')
        .unwrap_or(rest.len());
    let (word, after) = rest.split_at(end);
    if word.is_empty() {
        return syntax("a term is missing");
    }
    if word.contains(['[', ']', '{', '}', '(', ')']) {
        return syntax(format!("the term {word} must be in double quotes"));
    }
    Ok((Matcher::Text(word.to_owned()), after))
}
