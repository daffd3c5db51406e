//! Instance profiles (IAM User Guide, "Use instance profiles").

use serde::{Deserialize, Serialize};

use crate::{Tags, Timestamp};

/// An instance profile: the way of a role into an instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceProfile {
    /// The name, in the case that it was created with.
    pub name: String,
    /// The path, from one slash to another.
    pub path: String,
    /// The unique id: `AIPA` and 17 characters.
    pub id: String,
    /// The one role that it may have, by the key of its row.
    pub role: Option<String>,
    /// When it was created.
    pub created: Timestamp,
    /// The tags.
    pub tags: Tags,
}
