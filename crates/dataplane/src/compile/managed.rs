//! What stands behind the network interfaces that services of AWS manage, in one account's Region.

use std::collections::{BTreeMap, BTreeSet};

use model::{NetworkInterfaceId, Scope, State, VpcId, World};

use super::affected::Affected;
use super::load_balancer::{self, Balanced, Node};
use super::nat_gateway::{self, NatGateway};
use super::vpc_endpoint::{self, Endpoint, Name};
use crate::ports::Ports;

/// NAT gateways, load balancers and interface endpoints of an account's Region, by their interfaces.
#[derive(Debug, Default)]
pub(crate) struct Managed {
    nat_gateways: BTreeMap<NetworkInterfaceId, NatGateway>,
    pub(crate) load_balancers: load_balancer::Compiled,
    endpoints: BTreeMap<NetworkInterfaceId, Endpoint>,
    pub(crate) names: Vec<Name>,
}

/// What has become of it.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    /// VPCs whose interfaces or private names are affected.
    pub(crate) vpcs: BTreeSet<VpcId>,
    pub(crate) health_checks: bool,
    pub(crate) public_names: bool,
}

impl Managed {
    pub(crate) fn nat_gateway(&self, id: NetworkInterfaceId) -> Option<NatGateway> {
        self.nat_gateways.get(&id).cloned()
    }

    pub(crate) fn endpoint(&self, id: NetworkInterfaceId) -> Option<Endpoint> {
        self.endpoints.get(&id).copied()
    }

    pub(crate) fn node(&self, id: NetworkInterfaceId) -> Option<Node> {
        self.load_balancers.nodes.get(&id).cloned()
    }

    pub(crate) fn balanced(&self, id: NetworkInterfaceId) -> Vec<Balanced> {
        let own = self.load_balancers.balanced.get(&id);
        own.cloned().unwrap_or_default()
    }

    /// Looks again at what a change may affect.
    pub(crate) fn update(
        &mut self,
        world: &World,
        scope: Scope,
        state: &State,
        affected: &Affected,
        ports: &Ports,
        changed: &mut Changed,
    ) {
        let mut interfaces = BTreeSet::new();
        if affected.nat_gateways.contains(&scope) {
            let now = nat_gateway::compile(state);
            note(&self.nat_gateways, &now, &mut interfaces);
            self.nat_gateways = now;
        }
        if affected.load_balancers.contains(&scope) {
            let now = load_balancer::compile(state, scope, ports);
            let before = &self.load_balancers;
            note(&before.nodes, &now.nodes, &mut interfaces);
            note(&before.balanced, &now.balanced, &mut interfaces);
            changed.health_checks |= before.checks != now.checks;
            self.load_balancers = now;
        }
        if affected.endpoints {
            let now = vpc_endpoint::compile(world, scope, state, ports);
            note(&self.endpoints, &now, &mut interfaces);
            self.endpoints = now;
            self.update_names(vpc_endpoint::names(scope, state), changed);
        }
        let rows = interfaces
            .iter()
            .filter_map(|id| state.network_interfaces.get(id));
        changed.vpcs.extend(rows.map(|row| row.vpc_id));
    }

    fn update_names(&mut self, now: Vec<Name>, changed: &mut Changed) {
        if self.names == now {
            return;
        }
        for name in self.names.iter().chain(&now) {
            match name.inside {
                Some(vpc_id) => {
                    changed.vpcs.insert(vpc_id);
                }
                None => changed.public_names = true,
            }
        }
        self.names = now;
    }
}

/// Notes the interfaces for which two maps do not have the same.
fn note<V: PartialEq>(
    before: &BTreeMap<NetworkInterfaceId, V>,
    now: &BTreeMap<NetworkInterfaceId, V>,
    changed: &mut BTreeSet<NetworkInterfaceId>,
) {
    let ids = before.keys().chain(now.keys());
    changed.extend(ids.filter(|id| before.get(id) != now.get(id)));
}
