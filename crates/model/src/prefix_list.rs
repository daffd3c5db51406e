//! Customer-managed prefix lists (Amazon VPC User Guide, "Consolidate and manage network CIDR blocks
//! with managed prefix lists"). Those of AWS itself are in `aws_prefix_list`.

use std::fmt;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{PrefixListId, Tags, Timestamp};

/// A list of blocks that routes and security group rules can name. Its entries stand in its
/// versions, each a row of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixList {
    /// Its id.
    pub id: PrefixListId,
    /// Need not be unique.
    pub name: String,
    /// Of all entries, for life.
    pub address_family: AddressFamily,
    /// How many entries it may have; what a reference counts against quotas.
    pub max_entries: u16,
    /// The version in force.
    pub version: u64,
    /// The oldest version that is kept.
    pub oldest_version: u64,
    /// What was asked of it last.
    pub operation: PrefixListOperation,
    /// When that was asked.
    pub operated_at: Timestamp,
    /// Why that failed, if it did.
    pub failure: Option<String>,
    /// Tags.
    pub tags: Tags,
}

/// The entries of a prefix list as of one version, in the order in which they were added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixListVersion {
    /// Entries, no two with the same block.
    pub entries: Vec<PrefixListEntry>,
}

/// A block of a prefix list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixListEntry {
    /// Host bits clear.
    pub cidr: IpNet,
    /// What it is for.
    pub description: Option<String>,
}

/// What the blocks of a prefix list are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AddressFamily {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl AddressFamily {
    /// The family of a block.
    pub fn of(net: &IpNet) -> Self {
        match net {
            IpNet::V4(_) => Self::Ipv4,
            IpNet::V6(_) => Self::Ipv6,
        }
    }
}

/// `IPv4` or `IPv6`.
impl fmt::Display for AddressFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        })
    }
}

/// What changes a prefix list, and names its states: `modify-in-progress`, `modify-complete`,
/// `modify-failed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PrefixListOperation {
    /// CreateManagedPrefixList.
    Create,
    /// ModifyManagedPrefixList.
    Modify,
    /// RestoreManagedPrefixListVersion.
    Restore,
    /// DeleteManagedPrefixList.
    Delete,
}

/// `create`, as states begin.
impl fmt::Display for PrefixListOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Modify => "modify",
            Self::Restore => "restore",
            Self::Delete => "delete",
        })
    }
}
