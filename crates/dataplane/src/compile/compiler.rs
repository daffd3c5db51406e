//! Compiles one world after the other: what a change does not affect is shared between their snapshots.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{NatGateway, Scope, State, VpcId, World};
use packet::Mac;

use super::affected::{Affected, Reference, Referrers};
use super::dns_names::DnsNames;
use super::index::Index;
use super::internet::Outside;
use super::managed::{Changed, Managed};
use super::security_group::{self, AllMembers};
use super::services::{self, Services};
use super::whole_vpc::{self, Surroundings, WholeVpc};
use super::{Options, Port, Snapshot};
use crate::ports::{Device, PortId, Ports};

/// Compiles the worlds of a daemon, each by what is different from the last.
///
/// The snapshots are those that [`compile()`](super::compile()) makes, and share what they have in common.
#[derive(Debug)]
pub struct Compiler {
    ports: Ports,
    options: Options,
    memory: Memory,
}

impl Compiler {
    /// One that has compiled nothing yet.
    pub fn new(options: Options) -> Self {
        let mut ports = Ports::new();
        let memory = Memory::new(&mut ports, options);
        Self {
            ports,
            options,
            memory,
        }
    }

    /// Compiles a world. The time is that of what has changed since the last.
    pub fn compile(&mut self, world: &World) -> Arc<Snapshot> {
        self.memory.step(world, &mut self.ports, self.options);
        Arc::new(self.memory.snapshot.clone())
    }

    /// The numbers of devices in the last snapshot.
    pub fn ports(&self) -> &Ports {
        &self.ports
    }
}

/// Compiles the world from scratch. `ports` gives every device the number that it had before.
pub fn compile(world: &World, ports: &mut Ports, options: Options) -> Snapshot {
    ports.retain(|device| match device {
        Device::Interface(id) => {
            let mut states = world.regions.values();
            states.any(|state| state.network_interfaces.contains(id))
        }
        Device::NatGateway(id) => {
            let mut states = world.regions.values();
            let is_regional = |gateway: &NatGateway| gateway.is_regional();
            states.any(|state| state.nat_gateways.get(id).is_some_and(is_regional))
        }
        Device::InternetHost(address) => {
            let mut states = world.regions.values();
            states.any(|state| state.internet_hosts.contains(address))
        }
        Device::Uplink => options.uplink.is_some(),
        Device::Services => options.services.is_some(),
    });
    let mut memory = Memory::new(ports, options);
    memory.step(world, ports, options);
    memory.snapshot
}

/// What is kept from one world to the next.
#[derive(Debug)]
struct Memory {
    world: World,
    snapshot: Snapshot,
    index: Index,
    members: AllMembers,
    managed: BTreeMap<Scope, Managed>,
    vpcs: BTreeMap<VpcId, WholeVpc>,
    referrers: Referrers,
}

impl Memory {
    /// Of a world in which there is nothing.
    fn new(ports: &mut Ports, options: Options) -> Self {
        let mut snapshot = Snapshot::default();
        if let Some(mac) = options.uplink {
            let port = ports.claim(Device::Uplink);
            snapshot.internet.uplink = Some(port);
            snapshot.put(port, outside(port, Mac(mac.0), None));
        }
        if let Some(network) = options.services {
            let port = ports.claim(Device::Services);
            snapshot.services = Some(Services {
                port,
                mac: Mac(network.mac.0),
                dynamodb: network.dynamodb,
            });
            snapshot.put(port, Port::Services);
        }
        let mut memory = Self {
            world: World::default(),
            snapshot,
            index: Index::default(),
            members: AllMembers::default(),
            managed: BTreeMap::new(),
            vpcs: BTreeMap::new(),
            referrers: Referrers::default(),
        };
        memory.name(options);
        memory
    }

    /// Takes the step to another world.
    fn step(&mut self, world: &World, ports: &mut Ports, options: Options) {
        let mut affected = self.index.step(&self.world, world);
        for device in &affected.gone_devices {
            ports.release(device);
        }
        for &device in &affected.new_devices {
            ports.claim(device);
        }
        self.manage(world, &mut affected, ports, options);
        self.gather(world, &mut affected);
        for reference in &affected.references {
            affected.vpcs.extend(self.referrers.of(reference));
        }
        if affected.hosts {
            self.host(world, ports);
        }
        self.replace(world, &affected.vpcs, ports);
        let snapshot = &mut self.snapshot;
        snapshot.generation = world.generation;
        snapshot.by_device = ports.devices();
        snapshot.reserve(ports.len());
        self.world = world.clone();
    }

    /// Looks at what services of AWS manage.
    fn manage(&mut self, world: &World, affected: &mut Affected, ports: &Ports, options: Options) {
        let mut changed = Changed::default();
        let nothing = State::default();
        let before = self.managed.keys();
        let scopes: BTreeSet<Scope> = before.chain(world.regions.keys()).copied().collect();
        for scope in scopes {
            let state = world.region(&scope).unwrap_or(&nothing);
            let managed = self.managed.entry(scope).or_default();
            managed.update(world, scope, state, affected, ports, &mut changed);
        }
        affected.vpcs.append(&mut changed.vpcs);
        if changed.health_checks {
            let all = self.managed.values();
            let all = all.flat_map(|managed| managed.load_balancers.checks.iter().cloned());
            self.snapshot.health_checks = all.collect();
        }
        if changed.public_names {
            self.name(options);
        }
    }

    /// Makes the table of names that every VPC resolves.
    fn name(&mut self, options: Options) {
        let mut names = DnsNames::default();
        if options.services.is_some() {
            services::name(&mut names);
        }
        let all = self.managed.values().flat_map(|managed| &managed.names);
        for name in all.filter(|name| name.inside.is_none()) {
            names.insert(&name.name, &name.addresses);
        }
        self.snapshot.public_names = Arc::new(names);
    }

    /// Gathers the addresses of those who carry groups; those who name a group have to know it if they are others.
    fn gather(&mut self, world: &World, affected: &mut Affected) {
        for &group in &affected.members {
            let now = security_group::members(world, self.index.carriers(group));
            let before = self.members.get(&group);
            if before.is_some_and(|before| **before == now) {
                continue;
            }
            affected.references.insert(Reference::Members(group));
            if now.is_empty() {
                self.members.remove(&group);
            } else {
                self.members.insert(group, Arc::new(now));
            }
        }
    }

    /// Puts the hosts of the simulated internet in place.
    fn host(&mut self, world: &World, ports: &Ports) {
        let snapshot = &mut self.snapshot;
        for (_, port) in std::mem::take(&mut snapshot.internet.hosts) {
            snapshot.clear(port);
        }
        let hosts = world.regions.values();
        for host in hosts.flat_map(|state| state.internet_hosts.values()) {
            if let Some(port) = ports.get(&Device::InternetHost(host.address)) {
                snapshot.internet.hosts.insert(host.address, port);
                let row = outside(port, Mac(host.mac.0), Some(host.address));
                snapshot.put(port, row);
            }
        }
    }

    /// Compiles VPCs again, and puts them in place of what they were.
    fn replace(&mut self, world: &World, vpcs: &BTreeSet<VpcId>, ports: &mut Ports) {
        let around = Surroundings {
            world,
            index: &self.index,
            members: &self.members,
            managed: &self.managed,
        };
        // All that was goes before anything comes: a port may have another VPC's interface now.
        let mut compiled = Vec::new();
        for &vpc_id in vpcs {
            let now = whole_vpc::compile(around, vpc_id, ports);
            let before = self.vpcs.remove(&vpc_id);
            for interface in before.iter().flat_map(|whole| &whole.interfaces) {
                self.snapshot.take_out(interface);
            }
            for gateway in before.iter().flat_map(|whole| &whole.nat_gateways) {
                self.snapshot.take_out_nat_gateway(gateway);
            }
            self.snapshot.vpcs.remove(&vpc_id);
            let nothing = BTreeSet::new();
            self.referrers.update(
                vpc_id,
                before.as_ref().map_or(&nothing, |whole| &whole.references),
                now.as_ref().map_or(&nothing, |whole| &whole.references),
            );
            compiled.extend(now);
        }
        for whole in compiled {
            for interface in &whole.interfaces {
                self.snapshot.put_in(interface);
            }
            for gateway in &whole.nat_gateways {
                self.snapshot.put_in_nat_gateway(gateway);
            }
            self.snapshot.vpcs.insert(whole.vpc.id, whole.vpc.clone());
            self.vpcs.insert(whole.vpc.id, whole);
        }
    }
}

fn outside(port: PortId, mac: Mac, address: Option<std::net::IpAddr>) -> Port {
    Port::Outside(Outside { port, mac, address })
}
