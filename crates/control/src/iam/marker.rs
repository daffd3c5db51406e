//! Pages of lists: `Marker` and `MaxItems`, and the path that narrows a list down.

use super::entity::Entity;
use super::error::validation;
use crate::page::Page;
use crate::{Error, Transaction};

/// The longest beginning of a path.
const PREFIX_MAX: usize = 512;

/// A page of a list.
pub(super) struct Listed<T> {
    pub(super) rows: Vec<T>,
    pub(super) is_truncated: Option<bool>,
    pub(super) marker: Option<String>,
}

/// Cuts the page that a request asks for out of rows in the order of their keys; of 100 unless it says otherwise.
pub(super) fn list<T>(
    rows: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> String,
    max_items: Option<i32>,
    marker: &Option<String>,
) -> Result<Listed<T>, Error> {
    let page = Page::parse(max_items.or(Some(100)), marker, false, 1..=1000)?;
    let (rows, marker) = page.take(rows.into_iter().collect(), key);
    Ok(Listed {
        rows,
        is_truncated: Some(marker.is_some()),
        marker,
    })
}

/// The rows of a table whose path begins as asked.
pub(super) fn under<'t, E: Entity>(
    tx: &'t Transaction<'_>,
    prefix: &Option<String>,
) -> Result<impl Iterator<Item = &'t E>, Error> {
    let prefix = path_prefix(prefix)?.to_owned();
    Ok(tx
        .rows::<E>()
        .filter(move |row| row.place().1.starts_with(&prefix)))
}

/// What paths have to begin with, a slash at least.
pub(super) fn path_prefix(given: &Option<String>) -> Result<&str, Error> {
    let prefix = given.as_deref().unwrap_or("/");
    if prefix.len() <= PREFIX_MAX
        && prefix.starts_with('/')
        && prefix.bytes().all(|b| b.is_ascii_graphic())
    {
        return Ok(prefix);
    }
    Err(validation(
        "The specified value for pathPrefix is invalid. It must begin with / and contain only printable characters, 512 of them at most.",
    ))
}
