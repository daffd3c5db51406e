//! Security groups as `forward` reads them.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::HashSet;
use ipnet::IpNet;
use model::{
    IpProtocol, NetworkInterfaceId, Owner, PortRange, RulePeer, Scope, SecurityGroupId,
    SecurityGroupRuleId, State, VpcId, World,
};

use super::vpc_peering_connection::Peerings;
use crate::tuple::{Block, Tuple};

/// Private addresses of interfaces that carry a group.
pub(crate) type Members = HashSet<IpAddr, foldhash::fast::FixedState>;

/// The rules of one group.
#[derive(Debug, PartialEq)]
pub(crate) struct SecurityGroup {
    pub(crate) id: SecurityGroupId,
    ingress: Vec<Rule>,
    egress: Vec<Rule>,
}

/// One allow rule.
#[derive(Debug, PartialEq)]
pub(crate) struct Rule {
    pub(crate) id: SecurityGroupRuleId,
    protocol: IpProtocol,
    ports: Option<PortRange>,
    peer: Peer,
    named: RulePeer,
}

#[derive(Debug, PartialEq)]
enum Peer {
    Block(Block),
    /// A prefix list.
    Blocks(Box<[Block]>),
    Members(Arc<Members>),
}

impl SecurityGroup {
    fn rules(&self, egress: bool) -> &[Rule] {
        if egress { &self.egress } else { &self.ingress }
    }
}

impl Rule {
    fn matches(&self, packet: &Tuple, remote: IpAddr) -> bool {
        packet.matches(self.protocol, self.ports)
            && match &self.peer {
                Peer::Block(block) => block.contains(remote),
                Peer::Blocks(blocks) => blocks.iter().any(|block| block.contains(remote)),
                Peer::Members(members) => members.contains(&remote),
            }
    }

    /// Open to every address of the packet's family.
    fn is_open(&self) -> bool {
        matches!(self.peer, Peer::Block(block) if block.is_everything())
    }

    /// Open to every address of a family, for every port of a protocol.
    fn is_open_to_all_ports(&self, protocol: u8, ipv4: bool) -> bool {
        matches!(self.peer, Peer::Block(b) if b.is_everything() && b.is_ipv4() == ipv4)
            && (self.protocol == IpProtocol::All
                || (self.protocol.matches(protocol)
                    && self.ports.is_none_or(|ports| ports == PortRange::ALL)))
    }
}

impl Rule {
    /// `tcp 5432 from 10.0.0.0/16`, `all to 0.0.0.0/0`.
    pub(crate) fn text(&self, egress: bool) -> String {
        let what = protocol_and_ports(self.protocol, self.ports);
        let towards = if egress { "to" } else { "from" };
        format!("{what} {towards} {}", self.named)
    }
}

/// A protocol and its ports as traces print them: `all`, `tcp 22`, `udp 1000-2000`, `icmp type 8 code 0`.
pub fn protocol_and_ports(protocol: IpProtocol, ports: Option<PortRange>) -> String {
    struct What(IpProtocol, Option<PortRange>);
    impl fmt::Display for What {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            fmt_protocol_and_ports(f, self.0, self.1)
        }
    }
    What(protocol, ports).to_string()
}

/// A protocol and its ports as rules print them: `all`, `tcp 22`, `udp 1000-2000`, `icmp 8/0`.
pub(crate) fn fmt_protocol_and_ports(
    f: &mut fmt::Formatter<'_>,
    protocol: IpProtocol,
    ports: Option<PortRange>,
) -> fmt::Result {
    match protocol {
        IpProtocol::All => return f.write_str("all"),
        protocol => write!(f, "{protocol}")?,
    }
    match ports {
        Some(range) if protocol.has_ports() && range == PortRange::ALL => f.write_str(" all"),
        Some(PortRange { from, to }) if protocol.has_ports() && from == to => write!(f, " {from}"),
        Some(PortRange { from, to }) if protocol.has_ports() => write!(f, " {from}-{to}"),
        Some(PortRange { from: -1, .. }) | None => f.write_str(" all"),
        Some(PortRange { from, to: -1 }) => write!(f, " type {from}"),
        Some(PortRange { from, to }) => write!(f, " type {from} code {to}"),
    }
}

/// The groups of an interface: the union of their rules.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Groups {
    pub(crate) ids: Arc<[SecurityGroupId]>,
    groups: Vec<Arc<SecurityGroup>>,
}

/// The rule that allows a packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowed<'a> {
    pub(crate) group: SecurityGroupId,
    pub(crate) rule: &'a Rule,
    /// Whether the flow is left untracked (EC2 User Guide, "Untracked connections").
    pub(crate) untracked: bool,
}

impl Groups {
    /// The rule that allows a packet out of or into the interface, if any does.
    pub(crate) fn allow(&self, egress: bool, packet: &Tuple) -> Option<Allowed<'_>> {
        let remote = if egress { packet.dst } else { packet.src };
        let mut first = None;
        for group in &self.groups {
            for rule in group.rules(egress) {
                if !rule.matches(packet, remote) {
                    continue;
                }
                let untracked = rule.is_open() && self.lets_every_answer_pass(egress, packet);
                let allowed = Allowed {
                    group: group.id,
                    rule,
                    untracked,
                };
                if untracked {
                    return Some(allowed);
                }
                first.get_or_insert(allowed);
            }
        }
        first
    }

    /// The rule that lets a packet in because it names the groups of the load balancer that passes it on. A rule that
    /// names the node's address means packets that have it as source, and no others.
    pub(crate) fn allow_through(&self, node: IpAddr, packet: &Tuple) -> Option<Allowed<'_>> {
        let names_groups = |rule: &&Rule| matches!(rule.peer, Peer::Members(_));
        self.groups.iter().find_map(|group| {
            let mut rules = group.rules(false).iter().filter(names_groups);
            let rule = rules.find(|rule| rule.matches(packet, node))?;
            Some(Allowed {
                group: group.id,
                rule,
                untracked: false,
            })
        })
    }

    /// Whether a flow is untracked, whoever of the two sides sent its first packet: a rule open to
    /// the world allows it, and one for all ports and the world allows the answers.
    pub(crate) fn is_untracked(&self, egress: bool, packet: &Tuple) -> bool {
        self.begins_untracked(egress, packet) || self.answers_untracked(egress, packet)
    }

    /// Whether a packet is the answer of an untracked flow.
    pub(crate) fn answers_untracked(&self, egress: bool, packet: &Tuple) -> bool {
        self.begins_untracked(!egress, &packet.reversed())
    }

    fn begins_untracked(&self, egress: bool, packet: &Tuple) -> bool {
        self.lets_every_answer_pass(egress, packet)
            && self
                .allow(egress, packet)
                .is_some_and(|allowed| allowed.untracked)
    }

    fn lets_every_answer_pass(&self, egress: bool, packet: &Tuple) -> bool {
        let answers =
            packet.protocol == packet::protocol::TCP || packet.protocol == packet::protocol::UDP;
        answers
            && self
                .groups
                .iter()
                .flat_map(|group| group.rules(!egress))
                .any(|rule| rule.is_open_to_all_ports(packet.protocol, packet.src.is_ipv4()))
    }
}

/// The private addresses of the interfaces that carry each group, in all accounts and Regions.
pub(crate) type AllMembers = BTreeMap<SecurityGroupId, Arc<Members>>;

/// The private addresses of interfaces.
pub(crate) fn members<'a>(
    world: &World,
    carriers: impl Iterator<Item = &'a (Scope, NetworkInterfaceId)>,
) -> Members {
    carriers
        .filter_map(|(scope, id)| world.region(scope)?.network_interfaces.get(id))
        .flat_map(model::NetworkInterface::addresses)
        .collect()
}

/// Groups of a VPC, with the members of the groups that rules refer to. A group of another VPC has members as long as
/// the VPCs are peered; of one that several VPCs share, those in this VPC are meant.
pub(crate) fn compile(
    state: &State,
    vpc_id: VpcId,
    groups: &[&model::SecurityGroup],
    members: &AllMembers,
    peerings: &Peerings<'_>,
) -> BTreeMap<SecurityGroupId, Arc<SecurityGroup>> {
    let compiled = |group: &model::SecurityGroup, egress: bool| {
        group
            .rules(egress)
            .map(|rule| Rule {
                id: rule.id,
                protocol: rule.protocol,
                ports: rule.ports,
                named: rule.peer,
                peer: match rule.peer {
                    RulePeer::Ipv4(net) => Peer::Block(IpNet::V4(net).into()),
                    RulePeer::Ipv6(net) => Peer::Block(IpNet::V6(net).into()),
                    RulePeer::PrefixList(id) => {
                        let blocks = state.prefix_list_blocks(id).into_iter();
                        Peer::Blocks(blocks.map(Block::from).collect())
                    }
                    RulePeer::Group { group_id, .. } => {
                        let within_reach =
                            rule.peered.is_none_or(|p| peerings.share_groups(p.vpc_id));
                        let known = members.get(&group_id).filter(|_| within_reach);
                        let home = rule.peered.map_or(vpc_id, |peered| peered.vpc_id);
                        let shared = shared_members(state, group_id, home);
                        Peer::Members(shared.or(known.cloned()).unwrap_or_default())
                    }
                },
            })
            .collect()
    };
    groups
        .iter()
        .map(|group| {
            let rules = SecurityGroup {
                id: group.id,
                ingress: compiled(group, false),
                egress: compiled(group, true),
            };
            (group.id, Arc::new(rules))
        })
        .collect()
}

/// The members in a VPC of a group that several VPCs share; their addresses may be the same as others' elsewhere.
fn shared_members(state: &State, id: SecurityGroupId, vpc_id: VpcId) -> Option<Arc<Members>> {
    let group = state.security_groups.get(&id)?;
    if group.associated_vpc_ids.is_empty() {
        return None;
    }
    let carriers = state.network_interfaces.of(Owner::SecurityGroup(id));
    let here = carriers.filter(|row| row.vpc_id == vpc_id);
    let addresses = here.flat_map(model::NetworkInterface::addresses);
    Some(Arc::new(addresses.collect()))
}

/// The groups that an interface carries.
pub(crate) fn groups_of(
    interface: &model::NetworkInterface,
    compiled: &BTreeMap<SecurityGroupId, Arc<SecurityGroup>>,
) -> Groups {
    Groups {
        ids: interface.groups.clone().into(),
        groups: interface
            .groups
            .iter()
            .filter_map(|id| compiled.get(id).cloned())
            .collect(),
    }
}
