//! Pages of lists: `Marker` and `MaxItems`, and the path that narrows a list down.

use super::entity::Entity;
use crate::page::Page;
use crate::{Error, Transaction};

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
) -> impl Iterator<Item = &'t E> {
    let prefix = prefix.clone().unwrap_or_else(|| "/".to_owned());
    tx.rows::<E>()
        .filter(move |row| row.place().1.starts_with(&prefix))
}
