//! Network ACLs (Amazon VPC User Guide, "Control subnet traffic with network access control lists").

use std::fmt;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{IpProtocol, NetworkAclAssociationId, NetworkAclId, PortRange, SubnetId, Tags, VpcId};

/// A network ACL: stateless, ordered rules at the border of subnets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkAcl {
    /// Its id.
    pub id: NetworkAclId,
    /// The VPC it belongs to.
    pub vpc_id: VpcId,
    /// Whether it is the VPC's default ACL.
    pub is_default: bool,
    /// Entries of both directions, final denies included, sorted by direction and number.
    pub entries: Vec<NetworkAclEntry>,
    /// The subnets that it guards.
    pub associations: Vec<NetworkAclAssociation>,
    /// Tags.
    pub tags: Tags,
}

impl NetworkAcl {
    /// The number of the final deny for IPv4.
    pub const FINAL_IPV4: u16 = 32_767;
    /// The number of the final deny for IPv6.
    pub const FINAL_IPV6: u16 = 32_768;

    /// The entries of one direction, by rising rule number.
    pub fn entries(&self, egress: bool) -> impl Iterator<Item = &NetworkAclEntry> {
        self.entries.iter().filter(move |e| e.egress == egress)
    }

    /// Puts an entry in its place, instead of one with the same direction and number.
    pub fn put_entry(&mut self, entry: NetworkAclEntry) {
        let key = (entry.egress, entry.rule_number);
        match self
            .entries
            .binary_search_by_key(&key, |e| (e.egress, e.rule_number))
        {
            Ok(at) => self.entries[at] = entry,
            Err(at) => self.entries.insert(at, entry),
        }
    }
}

/// One rule of a network ACL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkAclEntry {
    /// Lower numbers are looked at first.
    pub rule_number: u16,
    /// Outbound if true, inbound if false.
    pub egress: bool,
    /// Which protocol.
    pub protocol: IpProtocol,
    /// What happens on a match.
    pub action: RuleAction,
    /// The other side.
    pub cidr: IpNet,
    /// Ports of TCP and UDP, or type and code of ICMP; absent means all.
    pub ports: Option<PortRange>,
}

impl NetworkAclEntry {
    /// Whether this is a final deny, which AWS shows as `*`.
    pub fn is_final(&self) -> bool {
        self.rule_number >= NetworkAcl::FINAL_IPV4
    }
}

/// What an entry does with a packet that it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RuleAction {
    /// Let it pass.
    Allow,
    /// Drop it silently.
    Deny,
}

impl fmt::Display for RuleAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RuleAction::Allow => "allow",
            RuleAction::Deny => "deny",
        })
    }
}

/// Makes a network ACL guard a subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkAclAssociation {
    /// Its id; a new one each time the subnet's ACL is replaced.
    pub id: NetworkAclAssociationId,
    /// The subnet.
    pub subnet_id: SubnetId,
}
