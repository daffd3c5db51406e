//! Security groups and their rules (Amazon VPC User Guide, "Control traffic using security groups").

use std::fmt;

use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use crate::{
    AccountId, PrefixListId, SecurityGroupId, SecurityGroupRuleId, Tags, VpcId,
    VpcPeeringConnectionId,
};

/// A security group: allow rules for the network interfaces that carry it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityGroup {
    /// Its id.
    pub id: SecurityGroupId,
    /// The VPC it belongs to.
    pub vpc_id: VpcId,
    /// Unique in the VPC; `default` for the VPC's default group.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Rules of both directions, in the order in which they were added.
    pub rules: Vec<SecurityGroupRule>,
    /// Other VPCs of the Region whose network interfaces may carry it, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub associated_vpc_ids: Vec<VpcId>,
    /// Tags.
    pub tags: Tags,
}

impl SecurityGroup {
    /// The name of the group that every VPC has.
    pub const DEFAULT_NAME: &str = "default";

    /// Whether this is its VPC's default group.
    pub fn is_default(&self) -> bool {
        self.name == Self::DEFAULT_NAME
    }

    /// The VPCs whose network interfaces may carry it, its own first.
    pub fn vpc_ids(&self) -> impl Iterator<Item = VpcId> + '_ {
        std::iter::once(self.vpc_id).chain(self.associated_vpc_ids.iter().copied())
    }

    /// Whether network interfaces of a VPC may carry it.
    pub fn is_for(&self, vpc_id: VpcId) -> bool {
        self.vpc_ids().any(|id| id == vpc_id)
    }

    /// The rules of one direction.
    pub fn rules(&self, is_egress: bool) -> impl Iterator<Item = &SecurityGroupRule> {
        self.rules.iter().filter(move |r| r.is_egress == is_egress)
    }
}

/// One allow rule, with exactly one peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityGroupRule {
    /// Its id.
    pub id: SecurityGroupRuleId,
    /// Outbound if true, inbound if false.
    pub is_egress: bool,
    /// Which protocol.
    pub protocol: IpProtocol,
    /// Ports of TCP and UDP, or type and code of ICMP; absent means all.
    pub ports: Option<PortRange>,
    /// The other side.
    pub peer: RulePeer,
    /// Where the group is that `peer` names, if that is in a peered VPC. Not part of the rule's
    /// identity.
    #[serde(default)]
    pub peered: Option<PeeredGroup>,
    /// Not part of the rule's identity.
    pub description: Option<String>,
    /// Tags.
    pub tags: Tags,
}

/// Where a group of a peered VPC is. It stays in the rule when the peering connection ends: the rule
/// is stale then, and says what it once meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeeredGroup {
    /// The group's VPC.
    pub vpc_id: VpcId,
    /// The peering connection through which the group was found.
    pub vpc_peering_connection_id: VpcPeeringConnectionId,
}

impl SecurityGroupRule {
    /// Whether two rules allow the same traffic of the same direction; descriptions and tags aside.
    pub fn same_permission(&self, other: &Self) -> bool {
        self.is_egress == other.is_egress
            && self.protocol == other.protocol
            && self.ports == other.ports
            && self.peer == other.peer
    }
}

/// An IP protocol in a rule: `-1` for all, else the IANA number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum IpProtocol {
    /// `-1`.
    All,
    /// One protocol.
    Number(u8),
}

impl IpProtocol {
    /// ICMP for IPv4.
    pub const ICMP: Self = Self::Number(1);
    /// TCP.
    pub const TCP: Self = Self::Number(6);
    /// UDP.
    pub const UDP: Self = Self::Number(17);
    /// ICMP for IPv6.
    pub const ICMPV6: Self = Self::Number(58);

    /// Whether rules for this protocol have ports.
    pub fn has_ports(self) -> bool {
        self == Self::TCP || self == Self::UDP
    }

    /// Whether rules for this protocol have an ICMP type and code.
    pub fn is_icmp(self) -> bool {
        self == Self::ICMP || self == Self::ICMPV6
    }

    /// Whether a packet of protocol `number` is meant.
    pub fn matches(self, number: u8) -> bool {
        match self {
            Self::All => true,
            Self::Number(n) => n == number,
        }
    }
}

/// As security groups print it: names for tcp, udp, icmp and icmpv6, else the number.
impl fmt::Display for IpProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::All => f.write_str("-1"),
            Self::Number(number) => match crate::protocol::name(number) {
                Some(name) => f.write_str(name),
                None => number.fmt(f),
            },
        }
    }
}

/// `FromPort` and `ToPort` of a rule: an inclusive range of ports, or an ICMP type and code
/// where -1 means any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PortRange {
    /// First port, or ICMP type.
    pub from: i32,
    /// Last port, or ICMP code.
    pub to: i32,
}

impl PortRange {
    /// Every port.
    pub const ALL: Self = Self {
        from: 0,
        to: 65_535,
    };

    /// Whether a port lies in the range.
    pub fn contains(self, port: u16) -> bool {
        (self.from..=self.to).contains(&i32::from(port))
    }

    /// Whether an ICMP type and code are meant.
    pub fn matches_icmp(self, icmp_type: u8, code: u8) -> bool {
        (self.from == -1 || self.from == i32::from(icmp_type))
            && (self.to == -1 || self.to == i32::from(code))
    }
}

/// The other side of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RulePeer {
    /// An IPv4 block.
    Ipv4(Ipv4Net),
    /// An IPv6 block.
    Ipv6(Ipv6Net),
    /// Every block of a prefix list.
    PrefixList(PrefixListId),
    /// Private addresses of the interfaces that carry a group.
    Group {
        /// The group.
        group_id: SecurityGroupId,
        /// The group's owner.
        user_id: AccountId,
    },
}

impl fmt::Display for RulePeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RulePeer::Ipv4(net) => net.fmt(f),
            RulePeer::Ipv6(net) => net.fmt(f),
            RulePeer::PrefixList(id) => id.fmt(f),
            RulePeer::Group { group_id, .. } => group_id.fmt(f),
        }
    }
}
