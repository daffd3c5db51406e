//! Which rows are whose, kept from one world to the next, so that no table is searched for a VPC's own.

use std::collections::BTreeSet;

use hashbrown::hash_map::Entry;
use model::{
    Difference, InstanceId, InternetGatewayId, NatGateway, NatGatewayId, NetworkAclId,
    NetworkInterface, NetworkInterfaceId, RouteTableId, Scope, SecurityGroup, SecurityGroupId,
    State, SubnetId, Vpc, VpcId, VpcPeeringConnection, VpcPeeringConnectionId, World,
};

use super::affected::{Affected, Reference};
use super::vpc::Map;
use crate::ports::Device;

/// The rows of every VPC, and who carries a security group.
#[derive(Debug, Default)]
pub(crate) struct Index {
    vpcs: Map<VpcId, Rows>,
    /// The network interfaces of instances.
    instances: Map<InstanceId, BTreeSet<NetworkInterfaceId>>,
    /// The network interfaces that carry a group.
    carriers: Map<SecurityGroupId, BTreeSet<(Scope, NetworkInterfaceId)>>,
}

/// The rows of one VPC.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Rows {
    /// Whose the VPC is; absent while there is no such VPC.
    pub(crate) home: Option<Scope>,
    pub(crate) subnets: BTreeSet<SubnetId>,
    pub(crate) route_tables: BTreeSet<RouteTableId>,
    pub(crate) network_acls: BTreeSet<NetworkAclId>,
    pub(crate) security_groups: BTreeSet<SecurityGroupId>,
    pub(crate) network_interfaces: BTreeSet<NetworkInterfaceId>,
    pub(crate) internet_gateways: BTreeSet<InternetGatewayId>,
    /// Regional ones; the others are where their network interfaces are.
    pub(crate) nat_gateways: BTreeSet<NatGatewayId>,
    /// Connections of which it is a side, and who requested them.
    pub(crate) peerings: BTreeSet<(VpcPeeringConnectionId, Scope)>,
}

impl Index {
    /// The rows of a VPC that there is.
    pub(crate) fn rows(&self, vpc_id: VpcId) -> Option<(Scope, &Rows)> {
        let rows = self.vpcs.get(&vpc_id)?;
        Some((rows.home?, rows))
    }

    /// Whether there is such a VPC.
    pub(crate) fn has(&self, vpc_id: VpcId) -> bool {
        self.rows(vpc_id).is_some()
    }

    /// Who carries a security group.
    pub(crate) fn carriers(
        &self,
        id: SecurityGroupId,
    ) -> impl Iterator<Item = &(Scope, NetworkInterfaceId)> {
        self.carriers.get(&id).into_iter().flatten()
    }

    /// Takes the step from one world to the next, and notes what it affects.
    pub(crate) fn step(&mut self, before: &World, now: &World) -> Affected {
        let mut affected = Affected::default();
        let nothing = State::default();
        let scopes: BTreeSet<_> = before.regions.keys().chain(now.regions.keys()).collect();
        for &scope in scopes {
            let old = before.region(&scope).unwrap_or(&nothing);
            let new = now.region(&scope).unwrap_or(&nothing);
            new.differences(old, |difference| {
                self.take(scope, new, difference, &mut affected);
            });
        }
        for id in std::mem::take(&mut affected.come_or_gone) {
            let peerings = self.vpcs.get(&id).into_iter().flat_map(|r| &r.peerings);
            let peers = peerings.filter_map(|(peering, scope)| {
                let state = now.region(scope)?;
                Some(
                    state
                        .vpc_peering_connections
                        .get(peering)?
                        .other(id)?
                        .vpc_id,
                )
            });
            affected.vpcs.extend(peers);
        }
        affected
    }

    /// Takes one row. Every kind of row is named, so that a new one cannot be forgotten. An address works by its
    /// association, which is the interface's.
    fn take(
        &mut self,
        scope: Scope,
        state: &State,
        difference: Difference<'_>,
        affected: &mut Affected,
    ) {
        match difference {
            Difference::Vpc(&id, before, now) => self.take_vpc(scope, id, before, now, affected),
            Difference::Subnet(&id, before, now) => {
                let homes = [before.map(|r| r.vpc_id), now.map(|r| r.vpc_id)];
                self.place(homes, id, |rows| &mut rows.subnets, affected);
            }
            Difference::RouteTable(&id, before, now) => {
                let homes = [before.map(|r| r.vpc_id), now.map(|r| r.vpc_id)];
                self.place(homes, id, |rows| &mut rows.route_tables, affected);
            }
            Difference::NetworkAcl(&id, before, now) => {
                let homes = [before.map(|r| r.vpc_id), now.map(|r| r.vpc_id)];
                self.place(homes, id, |rows| &mut rows.network_acls, affected);
            }
            Difference::SecurityGroup(&id, before, now) => {
                self.take_security_group(id, before, now, affected);
            }
            Difference::InternetGateway(&id, before, now) => {
                let homes = [before.and_then(|r| r.vpc_id), now.and_then(|r| r.vpc_id)];
                self.place(homes, id, |rows| &mut rows.internet_gateways, affected);
            }
            Difference::NetworkInterface(&id, before, now) => {
                self.take_interface(scope, id, before, now, affected);
            }
            Difference::VpcPeeringConnection(&id, before, now) => {
                self.take_peering(scope, id, before, now, affected);
            }
            Difference::EgressOnlyInternetGateway(_, before, now) => {
                let rows = before.into_iter().chain(now);
                affected.vpcs.extend(rows.map(|r| r.vpc_id));
            }
            Difference::VpcEndpoint(_, before, now) => {
                let rows = before.into_iter().chain(now);
                affected.vpcs.extend(rows.map(|r| r.vpc_id));
                affected.endpoints = true;
            }
            Difference::NatGateway(&id, before, now) => {
                self.take_nat_gateway(scope, id, before, now, affected);
            }
            Difference::DhcpOptions(&id, ..) => {
                let told = state.vpcs.values();
                let told = told.filter(|vpc| vpc.dhcp_options_id == Some(id));
                affected.vpcs.extend(told.map(|vpc| vpc.id));
            }
            Difference::Instance(id, ..) => self.take_instance(scope, state, *id, affected),
            Difference::PrefixList(&id, ..) | Difference::PrefixListVersion(&(id, _), ..) => {
                affected.references.insert(Reference::PrefixList(id));
            }
            Difference::LoadBalancer(..)
            | Difference::Listener(..)
            | Difference::TargetGroup(..) => {
                affected.load_balancers.insert(scope);
                affected.endpoints |= matches!(difference, Difference::LoadBalancer(..));
            }
            Difference::VpcEndpointService(..) => affected.endpoints = true,
            Difference::InternetHost(&address, before, now) => {
                let (before, now) = (before.is_some(), now.is_some());
                affected.hosts = true;
                affected.note_device(Device::InternetHost(address), before, now);
            }
            Difference::Address(..)
            | Difference::FlowLog(..)
            | Difference::ClientToken(..)
            | Difference::SubnetCidrReservation(..)
            | Difference::Role(..)
            | Difference::User(..)
            | Difference::AccessKey(..)
            | Difference::Group(..)
            | Difference::ManagedPolicy(..)
            | Difference::InstanceProfile(..) => {}
        }
    }

    /// A group is a row of its own VPC and of those that it is associated with.
    fn take_security_group(
        &mut self,
        id: SecurityGroupId,
        before: Option<&SecurityGroup>,
        now: Option<&SecurityGroup>,
        affected: &mut Affected,
    ) {
        let vpcs = |row: Option<&SecurityGroup>| -> BTreeSet<VpcId> {
            row.into_iter().flat_map(SecurityGroup::vpc_ids).collect()
        };
        let (before, now) = (vpcs(before), vpcs(now));
        for vpc in before.union(&now) {
            let homes = [before.get(vpc).copied(), now.get(vpc).copied()];
            self.place(homes, id, |rows| &mut rows.security_groups, affected);
        }
    }

    fn take_nat_gateway(
        &mut self,
        scope: Scope,
        id: NatGatewayId,
        before: Option<&NatGateway>,
        now: Option<&NatGateway>,
        affected: &mut Affected,
    ) {
        let [before, now] = [before, now].map(|row| row.filter(|g| g.is_regional()));
        let homes = [before.map(|r| r.vpc_id), now.map(|r| r.vpc_id)];
        self.place(homes, id, |rows| &mut rows.nat_gateways, affected);
        affected.note_device(Device::NatGateway(id), before.is_some(), now.is_some());
        affected.references.insert(Reference::NatGateway(id));
        affected.nat_gateways.insert(scope);
    }

    fn take_interface(
        &mut self,
        scope: Scope,
        id: NetworkInterfaceId,
        before: Option<&NetworkInterface>,
        now: Option<&NetworkInterface>,
        affected: &mut Affected,
    ) {
        let homes = [before.map(|r| r.vpc_id), now.map(|r| r.vpc_id)];
        self.place(homes, id, |rows| &mut rows.network_interfaces, affected);
        affected.note_device(Device::Interface(id), before.is_some(), now.is_some());
        affected.references.insert(Reference::Interface(id));
        affected.load_balancers.insert(scope);
        affected.endpoints = true;
        if let Some(instance) = before.and_then(NetworkInterface::instance_id) {
            edit(&mut self.instances, instance, |own| own.remove(&id));
        }
        if let Some(instance) = now.and_then(NetworkInterface::instance_id) {
            edit(&mut self.instances, instance, |own| own.insert(id));
        }
        for &group in before.into_iter().flat_map(|row| &row.groups) {
            edit(&mut self.carriers, group, |own| own.remove(&(scope, id)));
            affected.members.insert(group);
        }
        for &group in now.into_iter().flat_map(|row| &row.groups) {
            edit(&mut self.carriers, group, |own| own.insert((scope, id)));
            affected.members.insert(group);
        }
    }

    fn take_vpc(
        &mut self,
        scope: Scope,
        id: VpcId,
        before: Option<&Vpc>,
        now: Option<&Vpc>,
        affected: &mut Affected,
    ) {
        self.edit(id, |rows| rows.home = now.map(|_| scope));
        affected.vpcs.insert(id);
        if before.is_some() != now.is_some() {
            affected.come_or_gone.push(id);
        }
    }

    fn take_instance(
        &mut self,
        scope: Scope,
        state: &State,
        id: InstanceId,
        affected: &mut Affected,
    ) {
        for eni in self.instances.get(&id).into_iter().flatten() {
            affected.references.insert(Reference::Interface(*eni));
            let row = state.network_interfaces.get(eni);
            affected.vpcs.extend(row.map(|row| row.vpc_id));
        }
        affected.load_balancers.insert(scope);
    }

    fn take_peering(
        &mut self,
        scope: Scope,
        id: VpcPeeringConnectionId,
        before: Option<&VpcPeeringConnection>,
        now: Option<&VpcPeeringConnection>,
        affected: &mut Affected,
    ) {
        let sides = |row: &VpcPeeringConnection| [row.requester.vpc_id, row.accepter.vpc_id];
        for vpc_id in before.into_iter().flat_map(sides) {
            self.edit(vpc_id, |rows| rows.peerings.remove(&(id, scope)));
            affected.vpcs.insert(vpc_id);
        }
        for vpc_id in now.into_iter().flat_map(sides) {
            self.edit(vpc_id, |rows| rows.peerings.insert((id, scope)));
            affected.vpcs.insert(vpc_id);
        }
    }

    /// Moves a row from the VPC that it was in to the one that it is in.
    fn place<K: Ord + Copy>(
        &mut self,
        [before, now]: [Option<VpcId>; 2],
        key: K,
        list: impl Fn(&mut Rows) -> &mut BTreeSet<K>,
        affected: &mut Affected,
    ) {
        if let Some(before) = before.filter(|_| before != now) {
            self.edit(before, |rows| list(rows).remove(&key));
        }
        if let Some(now) = now.filter(|_| before != now) {
            self.edit(now, |rows| list(rows).insert(key));
        }
        affected.vpcs.extend(before.into_iter().chain(now));
    }

    fn edit<R>(&mut self, vpc_id: VpcId, change: impl FnOnce(&mut Rows) -> R) {
        edit(&mut self.vpcs, vpc_id, change);
    }
}

/// Changes what a map has for a key, and forgets the key when there is nothing left.
fn edit<K: Eq + std::hash::Hash, V: Default + PartialEq, R>(
    map: &mut Map<K, V>,
    key: K,
    change: impl FnOnce(&mut V) -> R,
) {
    match map.entry(key) {
        Entry::Occupied(mut known) => {
            change(known.get_mut());
            if *known.get() == V::default() {
                known.remove();
            }
        }
        Entry::Vacant(free) => {
            change(free.insert(V::default()));
        }
    }
}
