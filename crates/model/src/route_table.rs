//! Route tables (Amazon VPC User Guide, "Configure route tables").

use std::fmt;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use crate::{
    EgressOnlyInternetGatewayId, InternetGatewayId, NatGatewayId, NetworkInterfaceId, PrefixListId,
    RouteTableAssociationId, RouteTableId, SubnetId, Tags, VpcEndpointId, VpcId,
    VpcPeeringConnectionId,
};

/// A route table of a VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTable {
    /// Its id.
    pub id: RouteTableId,
    /// The VPC it belongs to.
    pub vpc_id: VpcId,
    /// Routes, local ones included; at most one per destination.
    pub routes: Vec<Route>,
    /// Explicit associations, and the main one if this is the main table.
    pub associations: Vec<RouteTableAssociation>,
    /// Tags.
    pub tags: Tags,
}

impl RouteTable {
    /// Whether this is the VPC's main table.
    pub fn is_main(&self) -> bool {
        self.associations.iter().any(|a| a.main)
    }

    /// The route with exactly this destination.
    pub fn route(&self, destination: &Destination) -> Option<&Route> {
        self.routes.iter().find(|r| r.destination == *destination)
    }
}

/// One row of a route table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Where packets are going.
    pub destination: Destination,
    /// Where to send them.
    pub target: RouteTarget,
    /// How the route came to be.
    pub origin: RouteOrigin,
}

/// The destination of a route, host bits clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Destination {
    /// An IPv4 block.
    Ipv4(Ipv4Net),
    /// An IPv6 block.
    Ipv6(Ipv6Net),
    /// Every block of a prefix list.
    PrefixList(PrefixListId),
}

impl Destination {
    /// The block, if it is one.
    pub fn net(self) -> Option<IpNet> {
        match self {
            Destination::Ipv4(net) => Some(IpNet::V4(net)),
            Destination::Ipv6(net) => Some(IpNet::V6(net)),
            Destination::PrefixList(_) => None,
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::Ipv4(net) => net.fmt(f),
            Destination::Ipv6(net) => net.fmt(f),
            Destination::PrefixList(id) => id.fmt(f),
        }
    }
}

/// The target of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RouteTarget {
    /// Inside the VPC.
    Local,
    /// An internet gateway.
    InternetGateway(InternetGatewayId),
    /// An egress-only internet gateway.
    EgressOnlyInternetGateway(EgressOnlyInternetGatewayId),
    /// A NAT gateway.
    NatGateway(NatGatewayId),
    /// A network interface, usually of a middlebox.
    NetworkInterface(NetworkInterfaceId),
    /// A VPC endpoint.
    VpcEndpoint(VpcEndpointId),
    /// The VPC on the other side of a peering connection.
    VpcPeeringConnection(VpcPeeringConnectionId),
}

impl fmt::Display for RouteTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RouteTarget::Local => f.write_str("local"),
            RouteTarget::InternetGateway(id) => id.fmt(f),
            RouteTarget::EgressOnlyInternetGateway(id) => id.fmt(f),
            RouteTarget::NatGateway(id) => id.fmt(f),
            RouteTarget::NetworkInterface(id) => id.fmt(f),
            RouteTarget::VpcEndpoint(id) => id.fmt(f),
            RouteTarget::VpcPeeringConnection(id) => id.fmt(f),
        }
    }
}

/// How a route came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RouteOrigin {
    /// With the table, or with a block of the VPC.
    CreateRouteTable,
    /// By a CreateRoute call.
    CreateRoute,
}

/// Whether a route can carry packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RouteState {
    /// The target is there.
    Active,
    /// The target is gone or cannot take packets; they are dropped.
    Blackhole,
}

/// Makes a route table rule a subnet, what comes in through a gateway, or all subnets without an
/// association of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTableAssociation {
    /// Its id.
    pub id: RouteTableAssociationId,
    /// Whether this makes the table the VPC's main one.
    pub main: bool,
    /// The subnet, if it is one that the table rules.
    pub subnet_id: Option<SubnetId>,
    /// The gateway, if it is one.
    #[serde(default)]
    pub gateway_id: Option<InternetGatewayId>,
}
