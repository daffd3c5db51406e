//! Listing keys in order, with prefix and delimiter.

use rusqlite::params;
use s3s::S3Result;

use super::bucket;
use super::object::{RECORD_COLUMNS, Record, record};
use super::store::{Store, database_failure};

/// What to list.
#[derive(Debug, Default)]
pub(crate) struct ListQuery<'a> {
    pub(crate) prefix: &'a str,
    pub(crate) delimiter: &'a str,
    /// Only keys and common prefixes after this one.
    pub(crate) after: &'a str,
    pub(crate) limit: usize,
}

/// An entry of a listing, in key order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Listed {
    Object(String, Box<Record>),
    CommonPrefix(String),
}

impl Listed {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Object(key, _) => key,
            Self::CommonPrefix(prefix) => prefix,
        }
    }
}

impl Store {
    /// Up to `limit` entries, and whether there are more.
    pub(crate) fn list_objects(
        &self,
        bucket: &str,
        query: &ListQuery<'_>,
    ) -> S3Result<(Vec<Listed>, bool)> {
        let connection = self.connection();
        bucket::require(&connection, bucket)?;
        if query.limit == 0 {
            return Ok((Vec::new(), false));
        }
        let mut statement = connection
            .prepare_cached(&format!(
                "SELECT key, {RECORD_COLUMNS} FROM object WHERE bucket = ?1 AND key >= ?2
                 ORDER BY key"
            ))
            .map_err(database_failure)?;
        let mut found = Vec::new();
        let mut from = first_key(query);
        'seek: while let Some(start) = from.take() {
            let mut rows = statement
                .query(params![bucket, start])
                .map_err(database_failure)?;
            while let Some(row) = rows.next().map_err(database_failure)? {
                let key = String::from_utf8(row.get(0).map_err(database_failure)?)
                    .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
                let Some(rest) = key.strip_prefix(query.prefix) else {
                    break 'seek;
                };
                if found.len() == query.limit {
                    return Ok((found, true));
                }
                match common_prefix(rest, query) {
                    Some(length) => {
                        let prefix = key[..query.prefix.len() + length].to_owned();
                        from = after_prefix(prefix.as_bytes());
                        found.push(Listed::CommonPrefix(prefix));
                        continue 'seek;
                    }
                    None => {
                        let record = record(row, 1).map_err(database_failure)?;
                        found.push(Listed::Object(key, Box::new(record)));
                    }
                }
            }
            break;
        }
        Ok((found, false))
    }
}

/// The length of the part of `rest` up to and with the delimiter.
fn common_prefix(rest: &str, query: &ListQuery<'_>) -> Option<usize> {
    if query.delimiter.is_empty() {
        return None;
    }
    rest.find(query.delimiter)
        .map(|at| at + query.delimiter.len())
}

/// The smallest key that may be listed; `None` when there cannot be any.
fn first_key(query: &ListQuery<'_>) -> Option<Vec<u8>> {
    let prefix = query.prefix.as_bytes().to_vec();
    if query.after.is_empty() || query.after < query.prefix {
        return Some(prefix);
    }
    // A common prefix was the last entry of the page before: its keys are done.
    if let Some(rest) = query.after.strip_prefix(query.prefix)
        && let Some(length) = common_prefix(rest, query)
    {
        return after_prefix(&query.after.as_bytes()[..query.prefix.len() + length]);
    }
    let mut next = query.after.as_bytes().to_vec();
    next.push(0);
    Some(next)
}

/// The smallest byte string after every string that starts with `prefix`.
fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut next = prefix.to_vec();
    while let Some(last) = next.pop() {
        if last < u8::MAX {
            next.push(last + 1);
            return Some(next);
        }
    }
    None
}
