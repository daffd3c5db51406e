//! What is known of a request: the values that conditions compare with.

use std::collections::BTreeMap;

/// The condition keys of a request and their values. Names of keys are case-insensitive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    keys: BTreeMap<String, Vec<String>>,
}

impl Context {
    /// Gives a key its one value.
    pub fn put(&mut self, key: &str, value: impl Into<String>) {
        self.put_all(key, [value.into()]);
    }

    /// Gives a key its values. A key without any value is as if it were absent.
    pub fn put_all(&mut self, key: &str, values: impl IntoIterator<Item = String>) {
        let values: Vec<_> = values.into_iter().collect();
        if !values.is_empty() {
            self.keys.insert(key.to_ascii_lowercase(), values);
        }
    }

    /// The values of a key; none if the request does not have it.
    #[must_use]
    pub fn get(&self, key: &str) -> &[String] {
        let key = key.to_ascii_lowercase();
        self.keys.get(&key).map_or(&[], Vec::as_slice)
    }

    /// The value that a policy variable stands for: only keys with a single value can be used as one.
    pub(crate) fn variable(&self, key: &str) -> Option<&str> {
        match self.get(key) {
            [value] => Some(value),
            _ => None,
        }
    }
}
