//! The steps of a decision, for people to read.

use std::fmt;

use model::{Destination, ResourceId, RouteTarget, SecurityGroupRuleId};

use crate::Direction;

/// One step of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where it is taken: a network interface, a subnet or a gateway. `None` is the internet.
    pub place: Option<ResourceId>,
    /// Which way the packet goes, seen from that place.
    pub direction: Direction,
    /// What kind of step it is.
    pub stage: Stage,
    /// What decides: a security group, an ACL, a route table.
    pub resource: Option<ResourceId>,
    /// The rule, route or translation in words.
    pub rule: String,
    /// The row of the resource that decided, if it was one.
    pub cited: Option<Cited>,
    /// Whether the packet goes on.
    pub outcome: Outcome,
}

/// A row of what decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cited {
    /// A rule of a security group.
    SecurityGroupRule(SecurityGroupRuleId),
    /// An entry of a network ACL.
    NetworkAclEntry {
        /// Outbound entries if true.
        egress: bool,
        /// Its number; from [`model::NetworkAcl::FINAL_IPV4`] on, a final deny.
        rule_number: u16,
    },
    /// A route of a route table.
    Route {
        /// Which one.
        destination: Destination,
        /// Its target.
        target: RouteTarget,
    },
}

/// The kinds of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// MAC addresses.
    Link,
    /// Source/destination check.
    SourceDestinationCheck,
    /// A service inside the VPC's network.
    Service,
    /// Security groups.
    SecurityGroup,
    /// Network ACL.
    NetworkAcl,
    /// Route table.
    RouteTable,
    /// Internet gateway.
    InternetGateway,
    /// Egress-only internet gateway.
    EgressOnlyInternetGateway,
    /// NAT gateway.
    NatGateway,
    /// VPC endpoint.
    VpcEndpoint,
    /// VPC peering connection.
    VpcPeeringConnection,
    /// Network load balancer.
    LoadBalancer,
    /// Longest packet.
    Mtu,
    /// To whom the packet is given.
    Delivery,
}

impl Stage {
    /// As traces print it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::SourceDestinationCheck => "source/destination check",
            Self::Service => "service",
            Self::SecurityGroup => "security group",
            Self::NetworkAcl => "network ACL",
            Self::RouteTable => "route table",
            Self::InternetGateway => "internet gateway",
            Self::EgressOnlyInternetGateway => "egress-only internet gateway",
            Self::NatGateway => "NAT gateway",
            Self::VpcEndpoint => "VPC endpoint",
            Self::VpcPeeringConnection => "VPC peering connection",
            Self::LoadBalancer => "load balancer",
            Self::Mtu => "MTU",
            Self::Delivery => "delivery",
        }
    }
}

/// Whether a packet goes on after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It does.
    Pass,
    /// It ends here.
    Drop,
}

impl Outcome {
    /// As traces print it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Drop => "drop",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = match self.direction {
            Direction::Ingress => "ingress",
            Direction::Egress => "egress",
        };
        match &self.place {
            Some(place) => write!(f, "{place}")?,
            None => f.write_str("internet")?,
        }
        write!(f, "  {direction}  {}", self.stage.name())?;
        if let Some(resource) = &self.resource {
            write!(f, " {resource}")?;
        }
        write!(f, "  {}  {}", self.outcome.name(), self.rule)
    }
}
