//! Filters of Describe actions (Amazon EC2 User Guide, "List and filter using the CLI and API").
//!
//! Values of one filter are alternatives, several filters must all match; `*` stands for any run of
//! characters, `?` for one, and a backslash takes the next character literally.

use ec2_api::Filter;
use model::Tags;

use crate::Error;

const VALUES_MAX: usize = 200;

/// The filters of a request, known to be ones that the action has.
pub(crate) struct Filters<'a>(Vec<(&'a str, &'a [String])>);

impl<'a> Filters<'a> {
    /// Refuses filters other than `known`, `tag:<key>` and `tag-key`.
    pub(crate) fn parse(filters: &'a [Filter], known: &[&str]) -> Result<Self, Error> {
        let values: usize = filters.iter().map(|f| f.values.len()).sum();
        if values > VALUES_MAX {
            return Err(Error::new(
                "FilterLimitExceeded",
                format!("The maximum number of filter values is {VALUES_MAX}."),
            ));
        }
        let mut parsed = Vec::new();
        for filter in filters {
            let name = filter
                .name
                .as_deref()
                .ok_or(Error::MissingParameter("Filter.Name"))?;
            if !known.contains(&name) && !name.starts_with("tag:") && name != "tag-key" {
                return Err(Error::InvalidFilter(name.to_owned()));
            }
            parsed.push((name, filter.values.as_slice()));
        }
        Ok(Self(parsed))
    }

    /// The values of a filter of this name that are plain ids, parsed; `None` where there is none, or one with wildcards.
    /// What passes has one of them.
    pub(crate) fn ids<T: std::str::FromStr>(&self, name: &str) -> Option<Vec<T>> {
        let (_, values) = self.0.iter().find(|(own, _)| *own == name)?;
        values.iter().map(|value| value.parse().ok()).collect()
    }

    /// Whether a resource with these tags passes; `values` lists what it has for a filter's name.
    pub(crate) fn matches(&self, tags: &Tags, values: impl Fn(&str) -> Vec<String>) -> bool {
        self.0.iter().all(|(name, patterns)| {
            let own = match (name.strip_prefix("tag:"), *name) {
                (Some(key), _) => tags.get(key).cloned().into_iter().collect(),
                (None, "tag-key") => tags.keys().cloned().collect(),
                (None, name) => values(name),
            };
            own.iter()
                .any(|value| patterns.iter().any(|p| matches_pattern(p, value)))
        })
    }
}

/// Whether `text` has the form of `pattern`.
pub(crate) fn matches_pattern(pattern: &str, text: &str) -> bool {
    // Most are plain, and compared with every resource that there is.
    if !pattern.contains(['*', '?', '\\']) {
        return pattern == text;
    }
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    // Where to go on when a literal fails: behind the last `*`, one character further.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        let step = match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some('?') => Some(1),
            Some('\\') if p + 1 < pattern.len() => (pattern[p + 1] == text[t]).then_some(2),
            Some(c) => (*c == text[t]).then_some(1),
            None => None,
        };
        match (step, retry) {
            (Some(width), _) => (p, t) = (p + width, t + 1),
            (None, Some((after_star, from))) => {
                (p, t) = (after_star, from + 1);
                retry = Some((after_star, from + 1));
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// `true` or `false`, as filters spell booleans.
pub(crate) fn boolean(value: bool) -> Vec<String> {
    vec![value.to_string()]
}

/// The value of an optional field, if it has one.
pub(crate) fn optional(value: Option<impl ToString>) -> Vec<String> {
    value.into_iter().map(|v| v.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("a*c", "abbbc", true),
            ("a*c", "abbbd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b*", "xxaxxbxx", true),
            (r"a\*c", "a*c", true),
            (r"a\*c", "abc", false),
            (r"a\", r"a\", true),
            ("A", "a", false),
        ] {
            assert_eq!(matches_pattern(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn unknown_filters_are_refused() {
        let filters = [Filter {
            name: Some("colour".into()),
            values: vec![],
        }];
        assert_eq!(
            Filters::parse(&filters, &["vpc-id"]).err(),
            Some(Error::InvalidFilter("colour".into()))
        );
    }
}
