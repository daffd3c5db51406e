//! IAM roles (IAM User Guide, "IAM roles").

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Tags, Timestamp};

/// A role. IAM is global: an account's roles are in its state of [`crate::Region::IAM`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Role {
    /// The name, in the case that it was created with; names that differ in case only are the same.
    pub name: String,
    /// The path, from one slash to another.
    pub path: String,
    /// The unique id: `AROA` and 17 characters.
    pub id: String,
    /// The description.
    pub description: Option<String>,
    /// The trust policy as it was set.
    pub assume_role_policy: String,
    /// The longest session, in seconds.
    pub max_session_duration_s: i32,
    /// When it was created.
    pub created: Timestamp,
    /// The inline policies by name, as they were put.
    pub policies: BTreeMap<String, String>,
    /// The ARNs of attached managed policies.
    pub attached_policies: BTreeSet<String>,
    /// The tags.
    pub tags: Tags,
}
