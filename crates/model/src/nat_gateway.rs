//! NAT gateways (Amazon VPC User Guide, "NAT gateways").

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::{
    AddressAssociationId, AllocationId, NatGatewayId, NetworkInterfaceId, SubnetId, Tags,
    Timestamp, VpcId,
};

/// A NAT gateway of one zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NatGateway {
    /// Its id.
    pub id: NatGatewayId,
    /// The subnet that its network interface lives in.
    pub subnet_id: SubnetId,
    /// The VPC of that subnet.
    pub vpc_id: VpcId,
    /// Whether it reaches the internet.
    pub connectivity: Connectivity,
    /// Where it is in its life.
    pub state: NatGatewayState,
    /// Its addresses; the first is the primary one. They stay described after the gateway's end.
    pub addresses: Vec<NatGatewayAddress>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its deletion began, or when it failed.
    pub deleted_at: Option<Timestamp>,
    /// Why it failed: AWS's code and message.
    pub failure: Option<(String, String)>,
    /// Tags.
    pub tags: Tags,
}

impl NatGateway {
    /// Whether it takes packets.
    pub fn is_available(&self) -> bool {
        self.state == NatGatewayState::Available
    }

    /// Its network interface, as long as it has one.
    pub fn network_interface_id(&self) -> Option<NetworkInterfaceId> {
        self.addresses.first()?.network_interface_id
    }
}

/// Whether a NAT gateway reaches the internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Connectivity {
    /// Through an internet gateway, from its Elastic IP addresses.
    Public,
    /// Only other private networks, from its private addresses.
    Private,
}

impl Connectivity {
    /// As the API spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
        }
    }
}

/// Where a NAT gateway is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum NatGatewayState {
    /// It is being made and takes no packets yet.
    Pending,
    /// It takes packets.
    Available,
    /// It could not be made.
    Failed,
    /// It is being taken down and takes no packets any more.
    Deleting,
    /// It is gone, and still described for a while.
    Deleted,
}

impl NatGatewayState {
    /// As the API spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Failed => "failed",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
        }
    }

    /// Whether it counts against quotas and holds addresses.
    pub const fn is_alive(self) -> bool {
        matches!(self, Self::Pending | Self::Available | Self::Deleting)
    }
}

/// An address that a NAT gateway translates sources to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NatGatewayAddress {
    /// The network interface that has it; absent once the gateway is gone or has failed.
    pub network_interface_id: Option<NetworkInterfaceId>,
    /// The private address.
    pub private_ip: Option<Ipv4Addr>,
    /// The Elastic IP address of a public gateway.
    pub elastic: Option<NatGatewayElasticIp>,
    /// When it began to be taken away, and how long its connections may go on, in seconds.
    pub draining: Option<(Timestamp, u32)>,
}

/// The Elastic IP address that belongs to a private address of a public NAT gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NatGatewayElasticIp {
    /// Its allocation.
    pub allocation_id: AllocationId,
    /// The address.
    pub public_ip: Ipv4Addr,
    /// Its association with the network interface.
    pub association_id: Option<AddressAssociationId>,
}
