//! What the two structured patterns share: values, operators, and `&&`, `||` and parentheses.

use regex_lite::Regex;

use super::{PatternError, syntax};

/// How deep parentheses may nest.
const MAXIMUM_DEPTH: usize = 32;

/// Text to look for.
#[derive(Debug, Clone)]
pub(crate) enum Matcher {
    Text(String),
    Regex(Regex),
}

impl Matcher {
    pub(crate) fn contained_in(&self, message: &str) -> bool {
        match self {
            Self::Text(text) => message.contains(text),
            Self::Regex(regex) => regex.is_match(message),
        }
    }
}

/// The right side of a comparison.
#[derive(Debug, Clone)]
pub(crate) struct Operand {
    matcher: Matcher,
    number: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Operator {
    const TEXT: [(&str, Self); 6] = [
        ("!=", Self::NotEqual),
        ("<=", Self::LessOrEqual),
        (">=", Self::GreaterOrEqual),
        ("=", Self::Equal),
        ("<", Self::Less),
        (">", Self::Greater),
    ];

    /// Compares a value of the event. Numbers are compared as numbers when both sides are.
    pub(crate) fn holds(self, value: &str, operand: &Operand) -> bool {
        let numbers = value
            .parse::<f64>()
            .ok()
            .filter(|n| n.is_finite())
            .zip(operand.number);
        let equal = || match (&operand.matcher, numbers) {
            (Matcher::Regex(regex), _) => regex.is_match(value),
            (Matcher::Text(_), Some((left, right))) => left == right,
            (Matcher::Text(text), None) => wildcard(text, value),
        };
        match self {
            Self::Equal => equal(),
            Self::NotEqual => !equal(),
            Self::Less => numbers.is_some_and(|(left, right)| left < right),
            Self::LessOrEqual => numbers.is_some_and(|(left, right)| left <= right),
            Self::Greater => numbers.is_some_and(|(left, right)| left > right),
            Self::GreaterOrEqual => numbers.is_some_and(|(left, right)| left >= right),
        }
    }
}

/// Whether text matches a pattern in which `*` stands for anything.
fn wildcard(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    let mut pieces: Vec<_> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match text.find(piece) {
            Some(at) => text = &text[at + piece.len()..],
            None => return false,
        }
    }
    text.ends_with(last)
}

/// A condition over atoms.
#[derive(Debug, Clone)]
pub(crate) enum Expression<A> {
    Atom(A),
    And(Vec<Expression<A>>),
    Or(Vec<Expression<A>>),
}

impl<A> Expression<A> {
    pub(crate) fn holds(&self, atom: &impl Fn(&A) -> bool) -> bool {
        match self {
            Self::Atom(one) => atom(one),
            Self::And(all) => all.iter().all(|expression| expression.holds(atom)),
            Self::Or(any) => any.iter().any(|expression| expression.holds(atom)),
        }
    }

    pub(crate) fn atoms<'a>(&'a self, found: &mut Vec<&'a A>) {
        match self {
            Self::Atom(one) => found.push(one),
            Self::And(list) | Self::Or(list) => {
                list.iter().for_each(|expression| expression.atoms(found));
            }
        }
    }
}

/// Reads a pattern from left to right.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a str,
    depth: usize,
    regexes: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            rest: text.trim(),
            depth: 0,
            regexes: 0,
        }
    }

    pub(crate) fn rest(&self) -> &'a str {
        self.rest
    }

    /// Takes a token when it comes next.
    pub(crate) fn take(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    /// Takes characters while they satisfy `allowed`; blanks after them are skipped.
    pub(crate) fn take_while(&mut self, allowed: impl Fn(char) -> bool) -> &'a str {
        let word = self.take_while_exact(allowed);
        self.rest = self.rest.trim_start();
        word
    }

    /// As [`Reader::take_while`], without skipping blanks.
    pub(crate) fn take_while_exact(&mut self, allowed: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !allowed(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    /// `and ( "||" and )*`, where `&&` binds tighter.
    pub(crate) fn expression<A>(
        &mut self,
        atom: &impl Fn(&mut Self) -> Result<A, PatternError>,
    ) -> Result<Expression<A>, PatternError> {
        let mut any = vec![self.conjunction(atom)?];
        while self.take("||") {
            any.push(self.conjunction(atom)?);
        }
        Ok(if any.len() == 1 {
            any.remove(0)
        } else {
            Expression::Or(any)
        })
    }

    fn conjunction<A>(
        &mut self,
        atom: &impl Fn(&mut Self) -> Result<A, PatternError>,
    ) -> Result<Expression<A>, PatternError> {
        let mut all = vec![self.primary(atom)?];
        while self.take("&&") {
            all.push(self.primary(atom)?);
        }
        Ok(if all.len() == 1 {
            all.remove(0)
        } else {
            Expression::And(all)
        })
    }

    fn primary<A>(
        &mut self,
        atom: &impl Fn(&mut Self) -> Result<A, PatternError>,
    ) -> Result<Expression<A>, PatternError> {
        if !self.take("(") {
            return Ok(Expression::Atom(atom(self)?));
        }
        if self.depth == MAXIMUM_DEPTH {
            return syntax("parentheses nest too deep");
        }
        self.depth += 1;
        let inner = self.expression(atom)?;
        self.depth -= 1;
        if !self.take(")") {
            return syntax("a closing parenthesis is missing");
        }
        Ok(inner)
    }

    pub(crate) fn operator(&mut self) -> Option<Operator> {
        Operator::TEXT
            .into_iter()
            .find(|(text, _)| self.take(text))
            .map(|(_, operator)| operator)
    }

    /// A quoted or bare value, or a `%regex%`.
    pub(crate) fn operand(&mut self, operator: Operator) -> Result<Operand, PatternError> {
        let matcher = if self.rest.starts_with('%') {
            self.regexes += 1;
            if self.regexes > 2 {
                return syntax("a structured pattern can have at most 2 regular expressions");
            }
            let (matcher, rest) = regex_between(self.rest)?;
            self.rest = rest.trim_start();
            matcher
        } else if self.rest.starts_with('"') {
            let (text, rest) = quoted(self.rest)?;
            self.rest = rest.trim_start();
            Matcher::Text(text)
        } else {
            let word = self.take_while(|c| !c.is_whitespace() && !"()&|,\"".contains(c));
            if word.is_empty() {
                return syntax("a value is missing after the operator");
            }
            Matcher::Text(word.to_owned())
        };
        let number = match &matcher {
            Matcher::Text(text) => text.parse::<f64>().ok().filter(|number| number.is_finite()),
            Matcher::Regex(_) => None,
        };
        let ordering = !matches!(operator, Operator::Equal | Operator::NotEqual);
        if ordering && number.is_none() {
            return syntax("an ordering operator needs a number");
        }
        Ok(Operand { matcher, number })
    }
}

/// The text of a `"…"` at the start, with `\"` and `\\` resolved, and what follows it.
pub(crate) fn quoted(text: &str) -> Result<(String, &str), PatternError> {
    let mut value = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => match characters.next() {
                Some((_, escaped @ ('"' | '\\'))) => value.push(escaped),
                Some((_, other)) => value.extend(['\\', other]),
                None => break,
            },
            other => value.push(other),
        }
    }
    syntax("a closing double quote is missing")
}

/// The regular expression of a `%…%` at the start, and what follows it.
pub(crate) fn regex_between(text: &str) -> Result<(Matcher, &str), PatternError> {
    let body = text.strip_prefix('%').unwrap_or(text);
    let mut escaped = false;
    let end = body.char_indices().find(|(_, character)| {
        let ends = *character == '%' && !escaped;
        escaped = *character == '\\' && !escaped;
        ends
    });
    let Some((end, _)) = end else {
        return syntax("a closing % is missing");
    };
    let source = &body[..end];
    check_regex(source)?;
    match Regex::new(source) {
        Ok(regex) => Ok((Matcher::Regex(regex), &body[end + 1..])),
        Err(error) => syntax(format!("the regular expression is not valid: {error}")),
    }
}

/// The characters that AWS's limited regular expressions know; others need a backslash.
fn check_regex(source: &str) -> Result<(), PatternError> {
    let mut characters = source.chars();
    while let Some(character) = characters.next() {
        let known =
            character.is_ascii_alphanumeric() || ":_#=@/;,- ^$?[]{}|\\*+.".contains(character);
        if !known {
            return syntax(format!(
                "the regular expression cannot have the character {character}"
            ));
        }
        if character == '\\' {
            characters.next();
        }
    }
    if source.is_empty() {
        return syntax("the regular expression is empty");
    }
    Ok(())
}
