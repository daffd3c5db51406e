//! Tags: a key and a value on a resource.

use std::collections::BTreeMap;

/// The tags of one resource, in the order of their keys.
pub type Tags = BTreeMap<String, String>;
