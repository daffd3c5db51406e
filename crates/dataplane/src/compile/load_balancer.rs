//! Network load balancers as `forward` reads them: what a node's network interface takes, and where it goes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use model::{
    Health, Listener as ListenerRow, LoadBalancer, LoadBalancerNode, LoadBalancerProtocol,
    LoadBalancerState, NetworkInterfaceId, Scope, State, TargetGroup, TargetGroupId, TargetId,
    TargetKey, VpcId,
};
use packet::protocol;

use crate::health_check::{HealthCheck, HttpRequest};
use crate::ports::{Device, PortId, Ports};

/// UDP flows that are idle for longer are forgotten, in seconds ("Connection idle timeout").
const UDP_IDLE_SECS: u32 = 120;

/// What a node's network interface needs to know of its load balancer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    /// `net/<name>/<id>`.
    pub(crate) path: Arc<str>,
    pub(crate) address: IpAddr,
    /// Whether its groups' inbound rules hold for what comes through endpoints.
    pub(crate) filters_endpoints: bool,
    pub(crate) listeners: Vec<Listener>,
}

/// What comes to a port of a node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listener {
    pub(crate) protocol: LoadBalancerProtocol,
    pub(crate) port: u16,
    tcp_idle_secs: u32,
    /// Whether a client always gets the same target.
    pub(crate) sticky: bool,
    /// The targets that the node sends to.
    pub(crate) targets: Vec<Target>,
}

/// A target of a listener.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Target {
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    /// Whether it gets new flows.
    pub(crate) takes_new: bool,
    /// Whether its flows end, because it does not work.
    pub(crate) ends_flows: bool,
    /// Whether it sees the client's address.
    pub(crate) preserves: bool,
}

/// A port of an interface whose answers may have to go back through a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Balanced {
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    pub(crate) node: PortId,
}

/// What the load balancers of a Region come to.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Compiled {
    pub(crate) nodes: BTreeMap<NetworkInterfaceId, Node>,
    pub(crate) balanced: BTreeMap<NetworkInterfaceId, Vec<Balanced>>,
    pub(crate) checks: Vec<HealthCheck>,
}

impl Node {
    /// The listener for a packet.
    pub(crate) fn listener(&self, of: u8, port: u16) -> Option<&Listener> {
        let takes = |listener: &&Listener| {
            let taken = match of {
                protocol::TCP => listener.protocol.has_tcp(),
                protocol::UDP => listener.protocol.has_udp(),
                _ => false,
            };
            taken && listener.port == port
        };
        self.listeners.iter().find(takes)
    }
}

impl Listener {
    /// How long a flow may be idle, in seconds.
    pub(crate) fn idle_secs(&self, of: u8) -> u32 {
        match of {
            protocol::TCP => self.tcp_idle_secs,
            _ => UDP_IDLE_SECS,
        }
    }
}

/// Load balancers that are active, with those of their targets that are there.
pub(crate) fn compile(state: &State, scope: Scope, ports: &Ports) -> Compiled {
    let mut compiled = Compiled::default();
    let active = |of: &&LoadBalancer| of.state == LoadBalancerState::Active;
    let balancers: Vec<_> = state.load_balancers.values().filter(active).collect();
    if balancers.is_empty() {
        return compiled;
    }
    let places = Places::of(state);
    for balancer in balancers {
        let own = |listener: &&ListenerRow| listener.load_balancer_id == balancer.id;
        let listeners: Vec<_> = state.listeners.values().filter(own).collect();
        for node in &balancer.nodes {
            let wanted = Wanted {
                state,
                balancer,
                node,
                places: &places,
            };
            let id = node.network_interface_id;
            let Some(row) = state.network_interfaces.get(&id) else {
                continue;
            };
            let (Some(address), Some(port)) =
                (row.primary_ipv4(), ports.get(&Device::Interface(id)))
            else {
                continue;
            };
            let listeners = listeners.iter().filter_map(|&row| {
                let (listener, reached) = wanted.listener(row)?;
                for (interface, target) in reached {
                    compiled
                        .balanced
                        .entry(interface)
                        .or_default()
                        .push(Balanced {
                            address: target.address,
                            port: target.port,
                            node: port,
                        });
                }
                Some(listener)
            });
            let node = Node {
                path: balancer.path().into(),
                address: address.into(),
                filters_endpoints: balancer.enforces_groups_on_private_link,
                listeners: listeners.collect(),
            };
            compiled.nodes.insert(id, node);
        }
        let mut groups: Vec<TargetGroupId> = listeners.iter().map(|l| l.target_group_id).collect();
        groups.sort_unstable();
        groups.dedup();
        for group in groups.iter().filter_map(|id| state.target_groups.get(id)) {
            let mut own = listeners.iter();
            let listener = own.find(|l| l.target_group_id == group.id);
            let port = listener.map_or(group.port, |listener| listener.port);
            let checks = checks(scope, balancer, (group, port), &places, ports);
            compiled.checks.extend(checks);
        }
    }
    compiled
}

/// Who has which address, and which instance is where.
struct Places<'a> {
    state: &'a State,
    addresses: BTreeMap<(VpcId, IpAddr), NetworkInterfaceId>,
}

impl<'a> Places<'a> {
    fn of(state: &'a State) -> Self {
        let interfaces = state.network_interfaces.values();
        let addresses = interfaces.flat_map(|eni| {
            eni.addresses()
                .map(|address| ((eni.vpc_id, address), eni.id))
        });
        Self {
            state,
            addresses: addresses.collect(),
        }
    }

    /// Where a target is, and the interface that has the address if that is in the VPC.
    fn find(
        &self,
        group: &TargetGroup,
        id: TargetId,
    ) -> Option<(IpAddr, Option<NetworkInterfaceId>)> {
        match id {
            TargetId::Instance(id) => {
                let own = self.state.interfaces_of(id);
                let primary = own.first()?;
                Some((primary.primary_ipv4()?.into(), Some(primary.id)))
            }
            TargetId::Ip(address) => {
                let owner = self.addresses.get(&(group.vpc_id, address)).copied();
                Some((address, owner))
            }
        }
    }
}

/// A listener as one node has it.
struct Wanted<'a> {
    state: &'a State,
    balancer: &'a LoadBalancer,
    node: &'a LoadBalancerNode,
    places: &'a Places<'a>,
}

impl Wanted<'_> {
    /// The listener, and the interfaces of targets that see clients' addresses.
    fn listener(&self, row: &ListenerRow) -> Option<(Listener, Vec<(NetworkInterfaceId, Target)>)> {
        let group = self.state.target_groups.get(&row.target_group_id)?;
        let attributes = &group.attributes;
        let cross_zone = attributes.cross_zone.unwrap_or(self.balancer.cross_zone);
        let has_zone = |zone| self.balancer.nodes.iter().any(|node| node.zone == zone);
        let in_reach = |target: &model::Target| match target.zone {
            None => true,
            Some(zone) if cross_zone => has_zone(zone),
            Some(zone) => zone == self.node.zone,
        };
        let targets = group.targets.iter().filter(|(_, target)| in_reach(target));
        let targets: Vec<_> = targets.collect();
        // "Target health status": if no target works, all of them are tried.
        let works = |(_, target): &(&TargetKey, &model::Target)| {
            target.health == Health::Healthy && target.draining_since.is_none()
        };
        let fail_open = !targets.iter().any(works);
        let mut reached = Vec::new();
        let place = |(key, row): (&TargetKey, &model::Target)| {
            let (address, interface) = self.places.find(group, key.id)?;
            let broken = row.health.is_unhealthy();
            let draining = row.draining_since.is_some();
            let target = Target {
                address,
                port: key.port,
                takes_new: !draining && (row.health == Health::Healthy || (fail_open && broken)),
                ends_flows: broken && attributes.terminates_unhealthy && !fail_open,
                preserves: attributes.preserve_client_ip && interface.is_some(),
            };
            if let Some(interface) = interface.filter(|_| target.preserves) {
                reached.push((interface, target));
            }
            Some(target)
        };
        let listener = Listener {
            protocol: row.protocol,
            port: row.port,
            tcp_idle_secs: row.tcp_idle_timeout_s,
            sticky: attributes.stickiness,
            targets: targets.into_iter().filter_map(place).collect(),
        };
        Some((listener, reached))
    }
}

/// How the targets of a group are checked: each by the node of its zone. Who is asked by HTTP is told the port of the
/// listener.
fn checks<'a>(
    scope: Scope,
    balancer: &'a LoadBalancer,
    (group, listener_port): (&'a TargetGroup, u16),
    places: &'a Places<'_>,
    ports: &'a Ports,
) -> impl Iterator<Item = HealthCheck> + 'a {
    let seconds = |s: u16| Duration::from_secs(s.into());
    let check = &group.health_check;
    let current = group
        .targets
        .iter()
        .filter(|(_, t)| t.draining_since.is_none());
    current.filter_map(move |(key, target)| {
        let mut nodes = balancer.nodes.iter();
        let node = nodes.find(|node| target.zone.is_none_or(|zone| zone == node.zone))?;
        let device = Device::Interface(node.network_interface_id);
        Some(HealthCheck {
            scope,
            group: group.id,
            target: *key,
            node: ports.get(&device)?,
            http: check.http.as_ref().and_then(|http| {
                let row = places
                    .state
                    .network_interfaces
                    .get(&node.network_interface_id)?;
                let host = (row.primary_ipv4()?, listener_port);
                Some(Arc::new(HttpRequest::new(http, host)))
            }),
            address: places.find(group, key.id)?.0,
            port: check.port.unwrap_or(key.port),
            interval: seconds(check.interval_s),
            timeout: seconds(check.timeout_s),
            healthy_threshold: check.healthy_threshold,
            unhealthy_threshold: check.unhealthy_threshold,
            health: target.health,
        })
    })
}
