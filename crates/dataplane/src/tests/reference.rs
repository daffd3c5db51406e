//! Deliberately naive versions of what the compiled snapshot does fast.

use std::net::IpAddr;

use model::*;

use crate::tuple::{L4, Tuple};

pub(crate) fn route<'a>(
    state: &State,
    table: &'a RouteTable,
    address: IpAddr,
) -> Option<&'a Route> {
    // Lists after blocks, by rising id: on a tie the first one found stays.
    let mut routes: Vec<&Route> = table.routes.iter().collect();
    routes.sort_by_key(|route| match route.destination {
        Destination::PrefixList(id) => Some(id),
        Destination::Ipv4(_) | Destination::Ipv6(_) => None,
    });
    let mut best: Option<(u8, &'a Route)> = None;
    for route in routes {
        let nets = match route.destination {
            Destination::PrefixList(id) => state.prefix_list_blocks(id),
            Destination::Ipv4(net) => vec![net.into()],
            Destination::Ipv6(net) => vec![net.into()],
        };
        for net in nets {
            let longer = best.is_none_or(|(len, _)| len < net.prefix_len());
            if net.contains(&address) && longer {
                best = Some((net.prefix_len(), route));
            }
        }
    }
    best.map(|(_, route)| route)
}

fn ports_match(protocol: IpProtocol, ports: Option<PortRange>, packet: &Tuple) -> bool {
    match (protocol, ports, packet.l4) {
        (IpProtocol::All, _, _) | (_, None, _) => true,
        (IpProtocol::TCP | IpProtocol::UDP, Some(range), L4::Ports { dst, .. }) => {
            range.from <= i32::from(dst) && i32::from(dst) <= range.to
        }
        (IpProtocol::TCP | IpProtocol::UDP, Some(range), _) => {
            range.from == 0 && range.to == 65_535
        }
        (
            IpProtocol::ICMP | IpProtocol::ICMPV6,
            Some(range),
            L4::Icmp {
                icmp_type, code, ..
            },
        ) => {
            [-1, i32::from(icmp_type)].contains(&range.from)
                && [-1, i32::from(code)].contains(&range.to)
        }
        (IpProtocol::ICMP | IpProtocol::ICMPV6, Some(range), _) => {
            range.from == -1 && range.to == -1
        }
        (_, Some(_), _) => true,
    }
}

fn protocol_matches(protocol: IpProtocol, packet: &Tuple) -> bool {
    protocol == IpProtocol::All || protocol == IpProtocol::Number(packet.protocol)
}

pub(crate) fn acl_allows(acl: &NetworkAcl, egress: bool, packet: &Tuple) -> bool {
    let remote = if egress { packet.dst } else { packet.src };
    let mut entries: Vec<_> = acl.entries.iter().filter(|e| e.egress == egress).collect();
    entries.sort_by_key(|e| e.rule_number);
    for entry in entries {
        if entry.cidr.contains(&remote)
            && protocol_matches(entry.protocol, packet)
            && ports_match(entry.protocol, entry.ports, packet)
        {
            return entry.action == RuleAction::Allow;
        }
    }
    false
}

pub(crate) fn groups_allow(
    state: &State,
    groups: &[SecurityGroupId],
    egress: bool,
    packet: &Tuple,
) -> bool {
    let remote = if egress { packet.dst } else { packet.src };
    let rules = groups
        .iter()
        .filter_map(|id| state.security_groups.get(id))
        .flat_map(|group| &group.rules);
    for rule in rules.filter(|r| r.is_egress == egress) {
        let peer = match (rule.peer, remote) {
            (RulePeer::Ipv4(net), IpAddr::V4(a)) => net.contains(&a),
            (RulePeer::Ipv6(net), IpAddr::V6(a)) => net.contains(&a),
            (RulePeer::PrefixList(id), _) => state
                .prefix_list_blocks(id)
                .iter()
                .any(|net| net.contains(&remote)),
            (RulePeer::Group { group_id, .. }, _) => state
                .network_interfaces
                .values()
                .any(|eni| eni.groups.contains(&group_id) && eni.addresses().any(|a| a == remote)),
            _ => false,
        };
        if peer
            && protocol_matches(rule.protocol, packet)
            && ports_match(rule.protocol, rule.ports, packet)
        {
            return true;
        }
    }
    false
}

/// Who gets the first packet of a flow inside VPCs and over peerings, if anybody does.
pub(crate) fn delivered(
    world: &World,
    sender: NetworkInterfaceId,
    packet: &Tuple,
) -> Option<NetworkInterfaceId> {
    let (state, from) = world.regions.values().find_map(|state| {
        let eni = state.network_interfaces.get(&sender)?;
        Some((state, eni))
    })?;
    let own = from.addresses().any(|a| a == packet.src);
    let to_itself = from.addresses().any(|a| a == packet.dst);
    if to_itself || (from.source_dest_check && !own) {
        return None;
    }
    if !peered_groups_allow(world, state, &from.groups, true, packet) {
        return None;
    }
    let subnet = state.subnets.get(&from.subnet_id)?;
    let in_vpc = |state: &State, vpc_id: VpcId| {
        let mut all = state.network_interfaces.values();
        all.find(|eni| eni.vpc_id == vpc_id && eni.addresses().any(|a| a == packet.dst))
            .cloned()
    };
    // Neighbours talk without the router.
    let neighbour = in_vpc(state, from.vpc_id).filter(|to| to.subnet_id == subnet.id);
    let target = match &neighbour {
        Some(_) => RouteTarget::Local,
        None => route(state, state.route_table_of(subnet)?, packet.dst)?.target,
    };
    let (there, to) = match target {
        RouteTarget::Local => (state, in_vpc(state, from.vpc_id)?),
        RouteTarget::VpcPeeringConnection(id) => {
            let row = world.vpc_peering_connections().find(|p| p.id == id)?;
            if row.status != PeeringStatus::Active {
                return None;
            }
            let peer = if row.requester.vpc_id == from.vpc_id {
                &row.accepter
            } else if row.accepter.vpc_id == from.vpc_id {
                &row.requester
            } else {
                return None;
            };
            let there = world.region(&peer.scope)?;
            let from_here = state.vpcs.get(&from.vpc_id)?.contains(packet.src);
            let to_there = there.vpcs.get(&peer.vpc_id)?.contains(packet.dst);
            if !(from_here && to_there) {
                return None;
            }
            (there, in_vpc(there, peer.vpc_id)?)
        }
        _ => return None,
    };
    let crosses = to.subnet_id != from.subnet_id;
    let passes = |state: &State, subnet_id, egress| {
        state
            .network_acl_of(subnet_id)
            .is_some_and(|acl| acl_allows(acl, egress, packet))
    };
    if crosses && !(passes(state, from.subnet_id, true) && passes(there, to.subnet_id, false)) {
        return None;
    }
    peered_groups_allow(world, there, &to.groups, false, packet).then_some(to.id)
}

/// As [`groups_allow`], with rules that refer to groups of peers.
fn peered_groups_allow(
    world: &World,
    state: &State,
    groups: &[SecurityGroupId],
    egress: bool,
    packet: &Tuple,
) -> bool {
    let remote = if egress { packet.dst } else { packet.src };
    let reachable = |group: &SecurityGroup, rule: &SecurityGroupRule| {
        let Some(peered) = rule.peered else {
            return true;
        };
        let mut all = world.vpc_peering_connections();
        all.any(|p| {
            let ends = [p.requester.vpc_id, p.accepter.vpc_id];
            p.status == PeeringStatus::Active
                && ends.contains(&group.vpc_id)
                && ends.contains(&peered.vpc_id)
                && p.requester.scope.region == p.accepter.scope.region
        })
    };
    let members = |group_id: SecurityGroupId| {
        let all = world.regions.values();
        all.flat_map(|state| state.network_interfaces.values())
            .any(|eni| eni.groups.contains(&group_id) && eni.addresses().any(|a| a == remote))
    };
    groups
        .iter()
        .filter_map(|id| state.security_groups.get(id))
        .any(|group| {
            group.rules(egress).any(|rule| {
                let peer = match (rule.peer, remote) {
                    (RulePeer::Ipv4(net), IpAddr::V4(a)) => net.contains(&a),
                    (RulePeer::Ipv6(net), IpAddr::V6(a)) => net.contains(&a),
                    (RulePeer::Group { group_id, .. }, _) => {
                        reachable(group, rule) && members(group_id)
                    }
                    _ => false,
                };
                peer && protocol_matches(rule.protocol, packet)
                    && ports_match(rule.protocol, rule.ports, packet)
            })
        })
}
