//! IAM users and their access keys (IAM User Guide, "IAM users").

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Tags, Timestamp};

/// A user. IAM is global: an account's users are in its state of [`crate::Region::GLOBAL`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// The name, in the case that it was created with; names that differ in case only are the same.
    pub name: String,
    /// The path, from one slash to another.
    pub path: String,
    /// The unique id: `AIDA` and 17 characters.
    pub id: String,
    /// When it was created.
    pub created: Timestamp,
    /// The inline policies by name, as they were put.
    pub policies: BTreeMap<String, String>,
    /// The ARNs of attached managed policies.
    pub attached_policies: BTreeSet<String>,
    /// The groups that it is in, by name in lower case.
    pub groups: BTreeSet<String>,
    /// The tags.
    pub tags: Tags,
}

/// An access key of a user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccessKey {
    /// Its id: `AKIA` and 16 characters.
    pub id: String,
    /// The secret that signatures are made with, 40 characters.
    pub secret: String,
    /// Whose it is, by name in lower case.
    pub user: String,
    /// Whether calls that are signed with it are believed.
    pub active: bool,
    /// When it was created.
    pub created: Timestamp,
}
