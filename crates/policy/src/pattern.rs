//! Texts with wildcards and policy variables, and what they match.

use crate::{Context, Error};

/// A text of a policy: literal characters, `?`, `*` and policy variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(char),
    One,
    Many,
    Variable {
        key: String,
        default: Option<String>,
    },
}

/// What is more than a character in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Syntax {
    /// `*` and `?` stand for others.
    pub(crate) wildcards: bool,
    /// `${…}` is a variable.
    pub(crate) variables: bool,
}

impl Pattern {
    /// Reads a text ("IAM policy elements: Variables and tags").
    ///
    /// # Errors
    ///
    /// [`Error::Syntax`] if a variable is not closed or has no key.
    pub(crate) fn parse(text: &str, syntax: Syntax) -> Result<Self, Error> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            if syntax.variables && rest.starts_with("${") {
                let end = variable_end(rest).ok_or(Error::Syntax)?;
                parts.push(variable(&rest[2..end - 1])?);
                rest = &rest[end..];
                continue;
            }
            parts.push(match character {
                '*' if syntax.wildcards => Part::Many,
                '?' if syntax.wildcards => Part::One,
                literal => Part::Literal(literal),
            });
            rest = &rest[character.len_utf8()..];
        }
        Ok(Self { parts })
    }

    /// Whether a value matches. A variable that the request has no value for matches nothing.
    pub(crate) fn matches(&self, value: &str, context: &Context) -> bool {
        self.resolve(context)
            .is_some_and(|atoms| matches(&atoms, value))
    }

    /// [`matches`](Self::matches) with upper and lower case alike.
    pub(crate) fn matches_ignoring_case(&self, value: &str, context: &Context) -> bool {
        let Some(atoms) = self.resolve(context) else {
            return false;
        };
        let lower = atoms.into_iter().flat_map(|atom| match atom {
            Atom::Literal(character) => character.to_lowercase().map(Atom::Literal).collect(),
            other => vec![other],
        });
        matches(&lower.collect::<Vec<_>>(), &value.to_lowercase())
    }

    /// Whether values that begin with `prefix` can match, whatever the variables stand for: `(exactly it, longer ones)`.
    pub(crate) fn reaches(&self, prefix: &str) -> (bool, bool) {
        let atoms: Vec<_> = self
            .parts
            .iter()
            .map(|part| match part {
                Part::Literal(character) => Atom::Literal(*character),
                Part::One => Atom::One,
                Part::Many | Part::Variable { .. } => Atom::Many,
            })
            .collect();
        let reached = reached(&atoms, prefix);
        let ends_open = atoms.last() == Some(&Atom::Many);
        let longer = reached[..atoms.len()].contains(&true) || (reached[atoms.len()] && ends_open);
        (reached[atoms.len()], longer)
    }

    fn resolve(&self, context: &Context) -> Option<Vec<Atom>> {
        let mut atoms = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            match part {
                Part::Literal(character) => atoms.push(Atom::Literal(*character)),
                Part::One => atoms.push(Atom::One),
                Part::Many => atoms.push(Atom::Many),
                Part::Variable { key, default } => {
                    let value = context.variable(key).or(default.as_deref())?;
                    atoms.extend(value.chars().map(Atom::Literal));
                }
            }
        }
        Some(atoms)
    }
}

/// A text cut at its first five colons outside of variables: the parts of an ARN.
pub(crate) fn arn_parts(text: &str, variables: bool) -> Option<[&str; 6]> {
    let mut parts = Vec::with_capacity(6);
    let (mut start, mut at) = (0, 0);
    while at < text.len() && parts.len() < 5 {
        let rest = &text[at..];
        if variables
            && rest.starts_with("${")
            && let Some(end) = variable_end(rest)
        {
            at += end;
            continue;
        }
        if rest.starts_with(':') {
            parts.push(&text[start..at]);
            start = at + 1;
        }
        at += rest.chars().next().map_or(1, char::len_utf8);
    }
    parts.push(&text[start..]);
    parts.try_into().ok()
}

/// Where the variable at the beginning of a text ends. Its default value, in quotes, may have any character.
fn variable_end(text: &str) -> Option<usize> {
    let mut quoted = false;
    for (at, character) in text.char_indices().skip(2) {
        match character {
            '\'' => quoted = !quoted,
            '}' if !quoted => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// What stands between `${` and `}`: a key, perhaps with a default value, or a character that means itself.
fn variable(inner: &str) -> Result<Part, Error> {
    match inner {
        "*" => return Ok(Part::Literal('*')),
        "?" => return Ok(Part::Literal('?')),
        "$" => return Ok(Part::Literal('$')),
        _ => {}
    }
    let (key, default) = match inner.split_once(',') {
        Some((key, default)) => {
            let quoted = default.trim().strip_prefix('\'');
            let default = quoted.and_then(|text| text.strip_suffix('\''));
            (key, Some(default.ok_or(Error::Syntax)?.to_owned()))
        }
        None => (inner, None),
    };
    let key = key.trim();
    match key.split_once(':') {
        Some((vendor, name)) if !vendor.is_empty() && !name.is_empty() => Ok(Part::Variable {
            key: key.to_owned(),
            default,
        }),
        _ => Err(Error::Syntax),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Atom {
    Literal(char),
    One,
    Many,
}

fn matches(atoms: &[Atom], value: &str) -> bool {
    reached(atoms, value)[atoms.len()]
}

/// How much of the pattern a value can have used up: all positions at once, so that no pattern takes more than the
/// product of both lengths.
fn reached(atoms: &[Atom], value: &str) -> Vec<bool> {
    let mut reached = vec![false; atoms.len() + 1];
    reached[0] = true;
    skip_many(atoms, &mut reached);
    for character in value.chars() {
        let mut next = vec![false; atoms.len() + 1];
        for (at, atom) in atoms.iter().enumerate().filter(|(at, _)| reached[*at]) {
            match atom {
                Atom::Literal(literal) if *literal == character => next[at + 1] = true,
                Atom::Literal(_) => {}
                Atom::One => next[at + 1] = true,
                Atom::Many => next[at] = true,
            }
        }
        skip_many(atoms, &mut next);
        reached = next;
    }
    reached
}

/// `*` matches nothing, too.
fn skip_many(atoms: &[Atom], reached: &mut [bool]) {
    for (at, atom) in atoms.iter().enumerate() {
        if reached[at] && *atom == Atom::Many {
            reached[at + 1] = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: Syntax = Syntax {
        wildcards: true,
        variables: true,
    };

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text, ALL).unwrap()
    }

    fn matched(text: &str, value: &str) -> bool {
        let mut context = Context::default();
        context.put("aws:username", "J*ne");
        context.put_all("aws:TagKeys", ["a".to_owned(), "b".to_owned()]);
        pattern(text).matches(value, &context)
    }

    #[test]
    fn wildcards_cross_everything_and_variables_are_literal() {
        for (text, value, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "a/b:c", true),
            ("?", "ä", true),
            ("?", "", false),
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("a**?c", "abc", true),
            ("home/${aws:username}/*", "home/J*ne/x", true),
            ("home/${AWS:UserName}/*", "home/J*ne/x", true),
            ("home/${aws:username}", "home/Jane", false),
            ("${aws:nobody}*", "anything", false),
            ("${aws:nobody, 'some}one'}*", "some}one else", true),
            ("${aws:TagKeys}", "a", false),
            ("a${*}${?}${$}", "a*?$", true),
            ("a${*}", "ab", false),
        ] {
            assert_eq!(matched(text, value), expected, "{text} {value}");
        }
    }

    #[test]
    fn broken_variables_are_refused() {
        for text in [
            "${",
            "${}",
            "${username}",
            "${aws:}",
            "${aws:a, b}",
            "${aws:a, 'b}",
        ] {
            assert_eq!(Pattern::parse(text, ALL), Err(Error::Syntax), "{text}");
        }
        let without = Syntax {
            variables: false,
            ..ALL
        };
        assert!(Pattern::parse("${", without).is_ok());
    }

    #[test]
    fn an_arn_has_six_parts() {
        assert_eq!(
            arn_parts("arn:aws:iam::1:user/${aws:username}", true),
            Some(["arn", "aws", "iam", "", "1", "user/${aws:username}"])
        );
        assert_eq!(
            arn_parts("arn:aws:s3:::a:b", true),
            Some(["arn", "aws", "s3", "", "", "a:b"])
        );
        assert_eq!(arn_parts("arn:aws:${a:b}", true), None);
    }

    #[test]
    fn what_a_pattern_reaches() {
        for (text, expected) in [
            ("b", (true, false)),
            ("b/*", (false, true)),
            ("b/", (false, true)),
            ("b*", (true, true)),
            ("*", (true, true)),
            ("c", (false, false)),
            ("${aws:username}/x", (false, true)),
        ] {
            assert_eq!(pattern(text).reaches("b"), expected, "{text}");
        }
    }

    /// The definition, word for word: exponential, and obviously right.
    fn naive(pattern: &[char], value: &[char]) -> bool {
        match (pattern, value) {
            ([], []) => true,
            (['*', rest @ ..], _) => {
                naive(rest, value) || (!value.is_empty() && naive(pattern, &value[1..]))
            }
            (['?', rest @ ..], [_, others @ ..]) => naive(rest, others),
            ([a, rest @ ..], [b, others @ ..]) => a == b && naive(rest, others),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn matching_is_what_its_definition_says(text in "[ab*?]{0,8}", value in "[ab*]{0,10}") {
            let (letters, characters): (Vec<_>, Vec<_>) = (text.chars().collect(), value.chars().collect());
            prop_assert_eq!(
                pattern(&text).matches(&value, &Context::default()),
                naive(&letters, &characters)
            );
        }

        #[test]
        fn no_text_panics(text in ".{0,40}", value in ".{0,40}") {
            if let Ok(pattern) = Pattern::parse(&text, ALL) {
                let _ = pattern.matches(&value, &Context::default());
                let _ = pattern.reaches(&value);
            }
            let _ = arn_parts(&text, true);
        }
    }
}
