//! Rules of security groups and entries of network ACLs, looked at one by one.

use std::net::IpAddr;

use model::{
    IpProtocol, NetworkAcl, NetworkInterface, PeeringStatus, PortRange, RouteTable, RouteTarget,
    RuleAction, RulePeer, SecurityGroup, SecurityGroupRule, State,
};

use super::Naive;
use crate::Segment;

/// Whether protocol and ports of a rule are a packet's.
fn concerns(protocol: IpProtocol, ports: Option<PortRange>, segment: &Segment) -> bool {
    let number = match protocol {
        IpProtocol::All => return true,
        IpProtocol::Number(number) => number,
    };
    if number != segment.protocol {
        return false;
    }
    match (number, ports) {
        // What nobody knows is not one port.
        (6 | 17, Some(range)) if segment.lacks_ports() => range == PortRange::ALL,
        (1 | 58, Some(range)) if segment.lacks_ports() => (range.from, range.to) == (-1, -1),
        (6 | 17, Some(range)) => {
            let port = i32::from(segment.dst_port);
            range.from <= port && port <= range.to
        }
        // Type and code; everything has code 0.
        (1 | 58, Some(range)) => {
            [-1, i32::from(segment.icmp_type)].contains(&range.from) && [-1, 0].contains(&range.to)
        }
        _ => true,
    }
}

fn is_everything(peer: &RulePeer, ipv4: bool) -> bool {
    match peer {
        RulePeer::Ipv4(block) => ipv4 && block.prefix_len() == 0,
        RulePeer::Ipv6(block) => !ipv4 && block.prefix_len() == 0,
        _ => false,
    }
}

/// Ascending numbers, the first match decides (Amazon VPC User Guide, "Network ACL basics").
pub(super) fn network_acl_allows(acl: &NetworkAcl, egress: bool, segment: &Segment) -> bool {
    let other_side = if egress { segment.dst } else { segment.src };
    let mut matching: Vec<_> = acl
        .entries
        .iter()
        .filter(|entry| entry.egress == egress)
        .filter(|entry| entry.cidr.contains(&other_side))
        .filter(|entry| concerns(entry.protocol, entry.ports, segment))
        .collect();
    matching.sort_by_key(|entry| entry.rule_number);
    let first = matching.first();
    first.is_some_and(|entry| entry.action == RuleAction::Allow)
}

impl Naive<'_> {
    /// Whether a rule of any group of an interface allows a packet (Amazon VPC User Guide, "Security group rules").
    pub(super) fn groups_allow(
        &self,
        state: &State,
        interface: &NetworkInterface,
        egress: bool,
        segment: &Segment,
    ) -> bool {
        let other_side = if egress { segment.dst } else { segment.src };
        interface.groups.iter().any(|group_id| {
            let groups = state.security_groups.values();
            let mut own = groups.filter(|group| group.id == *group_id);
            own.any(|group| {
                group.rules.iter().any(|rule| {
                    rule.is_egress == egress
                        && concerns(rule.protocol, rule.ports, segment)
                        && self.is_peer(state, group, &rule.peer, other_side)
                })
            })
        })
    }

    /// Whether the groups of an interface leave flows like that of a packet, in either direction, untracked (Amazon EC2
    /// User Guide, "Untracked connections"): a rule for every address allows it, and one for every address and port
    /// allows its answers.
    pub(super) fn groups_leave_untracked(
        &self,
        state: &State,
        interface: &NetworkInterface,
        egress: bool,
        segment: &Segment,
    ) -> bool {
        let answer = Segment {
            src: segment.dst,
            dst: segment.src,
            src_port: segment.dst_port,
            dst_port: segment.src_port,
            ..*segment
        };
        [(egress, *segment), (!egress, answer)]
            .iter()
            .any(|(egress, segment)| {
                [6, 17].contains(&segment.protocol)
                    && self.has_open_rule(state, interface, *egress, |rule| {
                        concerns(rule.protocol, rule.ports, segment)
                            && is_everything(&rule.peer, segment.src.is_ipv4())
                    })
                    && self.has_open_rule(state, interface, !egress, |rule| {
                        let all = rule.protocol == IpProtocol::All
                            || (rule.protocol == IpProtocol::Number(segment.protocol)
                                && rule.ports.is_none_or(|ports| ports == PortRange::ALL));
                        all && is_everything(&rule.peer, segment.src.is_ipv4())
                    })
            })
    }

    fn has_open_rule(
        &self,
        state: &State,
        interface: &NetworkInterface,
        egress: bool,
        fits: impl Fn(&SecurityGroupRule) -> bool,
    ) -> bool {
        let groups = state.security_groups.values();
        groups
            .into_iter()
            .filter(|group| interface.groups.contains(&group.id))
            .flat_map(|group| &group.rules)
            .any(|rule| rule.is_egress == egress && fits(rule))
    }

    /// Whether a rule of any group of an interface names the groups of the load balancer whose node passes a packet on to
    /// it (User Guide for Network Load Balancers, "Update the security groups for your Network Load Balancer").
    pub(super) fn groups_name(
        &self,
        state: &State,
        interface: &NetworkInterface,
        segment: &Segment,
        node: IpAddr,
    ) -> bool {
        let groups = state.security_groups.values();
        groups
            .into_iter()
            .filter(|group| interface.groups.contains(&group.id))
            .any(|group| {
                group.rules.iter().any(|rule| {
                    !rule.is_egress
                        && matches!(rule.peer, RulePeer::Group { .. })
                        && concerns(rule.protocol, rule.ports, segment)
                        && self.is_peer(state, group, &rule.peer, node)
                })
            })
    }

    fn is_peer(
        &self,
        state: &State,
        group: &SecurityGroup,
        peer: &RulePeer,
        address: IpAddr,
    ) -> bool {
        match (peer, address) {
            (RulePeer::Ipv4(block), IpAddr::V4(address)) => block.contains(&address),
            (RulePeer::Ipv6(block), IpAddr::V6(address)) => block.contains(&address),
            (RulePeer::Ipv4(_) | RulePeer::Ipv6(_), _) => false,
            (RulePeer::PrefixList(id), address) => {
                let mut blocks = self.prefix_list(state, *id).into_iter();
                blocks.any(|block| block.contains(&address))
            }
            (RulePeer::Group { group_id, .. }, address) => self
                .world
                .regions
                .values()
                .flat_map(|state| state.network_interfaces.values())
                .filter(|member| member.groups.contains(group_id))
                .filter(|member| member.addresses().any(|own| own == address))
                .any(|member| {
                    member.vpc_id == group.vpc_id
                        || self.are_neighbours(group.vpc_id, member.vpc_id)
                }),
        }
    }

    /// Whether groups of two VPCs may refer to each other: peers of one Region (Amazon VPC Peering Guide, "Update your
    /// security groups to reference peer security groups").
    fn are_neighbours(&self, one: model::VpcId, other: model::VpcId) -> bool {
        self.world.vpc_peering_connections().any(|peering| {
            let (a, b) = (&peering.requester, &peering.accepter);
            let joins =
                (a.vpc_id, b.vpc_id) == (one, other) || (b.vpc_id, a.vpc_id) == (one, other);
            joins && peering.status == PeeringStatus::Active && a.scope.region == b.scope.region
        })
    }

    /// The longest prefix, blocks before lists, the lowest list (Amazon VPC User Guide, "Route priority").
    pub(super) fn best_route(
        &self,
        state: &State,
        table: &RouteTable,
        address: IpAddr,
    ) -> Option<RouteTarget> {
        let mut found = Vec::new();
        for route in &table.routes {
            let (blocks, list) = match route.destination {
                model::Destination::Ipv4(block) => (vec![block.into()], None),
                model::Destination::Ipv6(block) => (vec![block.into()], None),
                model::Destination::PrefixList(id) => (self.prefix_list(state, id), Some(id)),
            };
            for block in blocks.iter().filter(|block| block.contains(&address)) {
                found.push((255 - block.prefix_len(), list, route.target));
            }
        }
        found.sort();
        found.first().map(|&(_, _, target)| target)
    }
}
