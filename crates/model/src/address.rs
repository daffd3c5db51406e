//! Elastic IP addresses (Amazon EC2 User Guide, "Elastic IP addresses").

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::{AddressAssociationId, AllocationId, NatGatewayId, NetworkInterfaceId, Tags};

/// A public IPv4 address that belongs to the account until it is released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Its allocation.
    pub allocation_id: AllocationId,
    /// The address.
    pub public_ip: Ipv4Addr,
    /// What it is mapped to; the record of the interface or gateway says the same.
    pub association: Option<AddressAssociation>,
    /// Whether a regional NAT gateway has allocated it and will release it.
    #[serde(default)]
    pub service_managed: bool,
    /// Tags.
    pub tags: Tags,
}

/// The mapping of an Elastic IP address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressAssociation {
    /// Its id.
    pub id: AddressAssociationId,
    /// What it is mapped to.
    #[serde(flatten)]
    pub target: AddressTarget,
}

/// What an Elastic IP address is mapped to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AddressTarget {
    /// A private address.
    PrivateAddress {
        /// The network interface.
        network_interface_id: NetworkInterfaceId,
        /// The private address of that interface.
        private_ip_address: Ipv4Addr,
    },
    /// A regional NAT gateway, which has no private address.
    NatGateway {
        /// The gateway.
        nat_gateway_id: NatGatewayId,
    },
}

impl AddressAssociation {
    /// The network interface whose private address it is mapped to.
    pub fn network_interface_id(&self) -> Option<NetworkInterfaceId> {
        match self.target {
            AddressTarget::PrivateAddress {
                network_interface_id,
                ..
            } => Some(network_interface_id),
            AddressTarget::NatGateway { .. } => None,
        }
    }

    /// The private address that it is mapped to.
    pub fn private_ip_address(&self) -> Option<Ipv4Addr> {
        match self.target {
            AddressTarget::PrivateAddress {
                private_ip_address, ..
            } => Some(private_ip_address),
            AddressTarget::NatGateway { .. } => None,
        }
    }
}
