//! Elastic IP addresses (Amazon EC2 User Guide, "Elastic IP addresses").

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::{AddressAssociationId, AllocationId, NetworkInterfaceId, Tags};

/// A public IPv4 address that belongs to the account until it is released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Its allocation.
    pub allocation_id: AllocationId,
    /// The address.
    pub public_ip: Ipv4Addr,
    /// What it is mapped to; the interface's own record says the same.
    pub association: Option<AddressAssociation>,
    /// Tags.
    pub tags: Tags,
}

/// The mapping of an Elastic IP address to a private one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressAssociation {
    /// Its id.
    pub id: AddressAssociationId,
    /// The network interface.
    pub network_interface_id: NetworkInterfaceId,
    /// The private address of that interface.
    pub private_ip_address: Ipv4Addr,
}
