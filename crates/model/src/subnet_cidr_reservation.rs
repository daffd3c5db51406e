//! CIDR reservations (Amazon VPC User Guide, "Subnet CIDR reservations").

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{SubnetCidrReservationId, SubnetId, Tags};

/// A block of a subnet whose addresses AWS does not give out by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubnetCidrReservation {
    /// Its id.
    pub id: SubnetCidrReservationId,
    /// The subnet.
    pub subnet_id: SubnetId,
    /// The block.
    pub cidr: IpNet,
    /// Whether it is for prefixes of network interfaces, and not for addresses that are asked for by name.
    pub for_prefixes: bool,
    /// What it is for.
    pub description: Option<String>,
    /// Tags.
    pub tags: Tags,
}
