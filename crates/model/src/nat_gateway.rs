//! NAT gateways (Amazon VPC User Guide, "NAT gateways").

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::{
    AddressAssociationId, AllocationId, AvailabilityZone, NatGatewayId, NetworkInterfaceId,
    RouteTableId, SubnetId, Tags, Timestamp, VpcId,
};

/// A NAT gateway, of one zone or of all of a VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NatGateway {
    /// Its id.
    pub id: NatGatewayId,
    /// The VPC that it is for.
    pub vpc_id: VpcId,
    /// Where in the VPC it is.
    #[serde(flatten)]
    pub availability: Availability,
    /// Whether it reaches the internet.
    pub connectivity: Connectivity,
    /// Where it is in its life.
    pub state: NatGatewayState,
    /// Its addresses; the first one of a zonal gateway is the primary one. They stay described after the gateway's end.
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

    /// Its network interface, as long as it has one; regional gateways have none.
    pub fn network_interface_id(&self) -> Option<NetworkInterfaceId> {
        self.addresses.first()?.network_interface_id
    }

    /// The subnet of a zonal gateway.
    pub fn subnet_id(&self) -> Option<SubnetId> {
        match self.availability {
            Availability::Zonal { subnet_id } => Some(subnet_id),
            Availability::Regional { .. } => None,
        }
    }

    /// Whether it works in several zones, without a network interface.
    pub fn is_regional(&self) -> bool {
        matches!(self.availability, Availability::Regional { .. })
    }

    /// Whether it is regional and finds its zones and addresses by itself.
    pub fn is_automatic(&self) -> bool {
        matches!(
            self.availability,
            Availability::Regional {
                automatic: true,
                ..
            }
        )
    }

    /// The route table that a regional gateway has for itself.
    pub fn route_table_id(&self) -> Option<RouteTableId> {
        match self.availability {
            Availability::Regional { route_table_id, .. } => route_table_id,
            Availability::Zonal { .. } => None,
        }
    }
}

/// Where a NAT gateway is (Amazon VPC User Guide, "Regional NAT gateways for automatic multi-AZ expansion").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Availability {
    /// In the zone of a subnet.
    Zonal {
        /// The subnet that its network interface lives in.
        subnet_id: SubnetId,
    },
    /// In several zones, in none of the VPC's subnets.
    Regional {
        /// Whether it takes an Elastic IP address by itself for each zone that has network interfaces.
        automatic: bool,
        /// The route table that was made with it, for what it sends on; absent if it could not be made, or is gone.
        route_table_id: Option<RouteTableId>,
    },
}

impl Availability {
    /// As the API spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zonal { .. } => "zonal",
            Self::Regional { .. } => "regional",
        }
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
    /// The network interface that has it; absent once the gateway is gone or has failed, and if it is regional.
    pub network_interface_id: Option<NetworkInterfaceId>,
    /// The private address; a regional gateway has none.
    pub private_ip: Option<Ipv4Addr>,
    /// The zone whose hosts a regional gateway uses it for.
    #[serde(default)]
    pub zone: Option<AvailabilityZone>,
    /// The Elastic IP address of a public gateway; absent if a regional one could not get one.
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
    /// Its association with the network interface, or with a regional gateway.
    pub association_id: Option<AddressAssociationId>,
}
