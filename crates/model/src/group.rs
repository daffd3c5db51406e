//! IAM groups (IAM User Guide, "IAM user groups").

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Tags, Timestamp};

/// A group of users. Its users know that they are in it ([`crate::User::groups`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// The name, in the case that it was created with; names that differ in case only are the same.
    pub name: String,
    /// The path, from one slash to another.
    pub path: String,
    /// The unique id: `AGPA` and 17 characters.
    pub id: String,
    /// When it was created.
    pub created: Timestamp,
    /// The inline policies by name, as they were put.
    pub policies: BTreeMap<String, String>,
    /// The ARNs of attached managed policies.
    pub attached_policies: BTreeSet<String>,
    /// The tags: IAM has none for groups.
    #[serde(default)]
    pub tags: Tags,
}
