//! DHCP option sets (Amazon VPC User Guide, "DHCP option sets in Amazon VPC").

use serde::{Deserialize, Serialize};

use crate::{DhcpOptionsId, Tags};

/// A set of DHCP options; immutable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhcpOptions {
    /// Its id.
    pub id: DhcpOptionsId,
    /// Option names and their values, in the order given.
    pub configurations: Vec<(String, Vec<String>)>,
    /// Tags.
    pub tags: Tags,
}
