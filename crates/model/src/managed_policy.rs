//! Managed policies of customers (IAM User Guide, "Managed policies and inline policies").

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Tags, Timestamp};

/// A managed policy with its versions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManagedPolicy {
    /// The name, in the case that it was created with.
    pub name: String,
    /// The path, from one slash to another.
    pub path: String,
    /// The unique id: `ANPA` and 17 characters.
    pub id: String,
    /// The description, which never changes.
    pub description: Option<String>,
    /// The versions by number, at most five.
    pub versions: BTreeMap<u32, ManagedPolicyVersion>,
    /// The number of the version that is in force.
    pub default_version: u32,
    /// The number that the next version gets: none is given twice.
    pub next_version: u32,
    /// When it was created.
    pub created: Timestamp,
    /// When its versions last changed.
    pub updated: Timestamp,
    /// The tags.
    pub tags: Tags,
}

/// A version of a managed policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManagedPolicyVersion {
    /// The document as it was set.
    pub document: String,
    /// When it was created.
    pub created: Timestamp,
}
