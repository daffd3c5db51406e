//! Network ACLs as `forward` reads them.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use model::{IpProtocol, NetworkAclId, PortRange, RuleAction};

use super::security_group::fmt_protocol_and_ports;
use crate::tuple::{Block, Tuple};

/// The entries of one ACL, by rising rule number.
#[derive(Debug, PartialEq)]
pub(crate) struct NetworkAcl {
    pub(crate) id: NetworkAclId,
    ingress: Vec<Entry>,
    egress: Vec<Entry>,
}

/// One entry.
#[derive(Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) rule_number: u16,
    pub(crate) action: RuleAction,
    protocol: IpProtocol,
    ports: Option<PortRange>,
    block: Block,
    cidr: IpNet,
}

impl NetworkAcl {
    /// The entry that decides on a packet: the first that matches. `None` is a deny as well.
    pub(crate) fn decide(&self, egress: bool, packet: &Tuple) -> Option<&Entry> {
        let remote: IpAddr = if egress { packet.dst } else { packet.src };
        let entries = if egress { &self.egress } else { &self.ingress };
        entries
            .iter()
            .find(|e| e.block.contains(remote) && packet.matches(e.protocol, e.ports))
    }
}

/// `rule 100 allow tcp 443 0.0.0.0/0`; final denies print `*` as their number, as AWS shows them.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rule_number {
            n if n >= model::NetworkAcl::FINAL_IPV4 => f.write_str("rule * ")?,
            n => write!(f, "rule {n} ")?,
        }
        write!(f, "{} ", self.action)?;
        fmt_protocol_and_ports(f, self.protocol, self.ports)?;
        write!(f, " {}", self.cidr)
    }
}

pub(crate) fn compile(acl: &model::NetworkAcl) -> NetworkAcl {
    let compiled = |egress| {
        let mut entries: Vec<_> = acl
            .entries(egress)
            .map(|entry| Entry {
                rule_number: entry.rule_number,
                action: entry.action,
                protocol: entry.protocol,
                ports: entry.ports,
                block: entry.cidr.into(),
                cidr: entry.cidr,
            })
            .collect();
        entries.sort_by_key(|e| e.rule_number);
        entries
    };
    NetworkAcl {
        id: acl.id,
        ingress: compiled(false),
        egress: compiled(true),
    }
}
