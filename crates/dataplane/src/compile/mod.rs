//! Compiles what the API has made into what `forward` reads.

pub(crate) mod dhcp_options;
pub(crate) mod dns_names;
pub(crate) mod internet;
pub(crate) mod load_balancer;
pub(crate) mod nat_gateway;
pub(crate) mod network_acl;
pub(crate) mod network_interface;
pub(crate) mod route_table;
pub(crate) mod security_group;
pub(crate) mod services;
pub(crate) mod subnet;
pub(crate) mod vpc;
pub(crate) mod vpc_endpoint;
pub(crate) mod vpc_peering_connection;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use model::{MacAddress, RouteTableId, Scope, State, SubnetId, VpcId, World};
use packet::Mac;

use crate::health_check::HealthCheck;
use crate::ports::{Device, PortId, Ports};
use dns_names::DnsNames;
use internet::{Internet, Outside};
use network_interface::{Interface, ResourceName};
use security_group::AllMembers;
use services::Services;
use subnet::Subnet;
use vpc::{Map, Vpc};
use vpc_peering_connection::{Peering, Peerings};

/// The link-local address that the router advertises to IPv6 hosts.
pub const ROUTER_LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0x0cff, 0xfe00, 0, 1);
/// The router's other link-local address (Amazon VPC User Guide, "Subnet CIDR blocks").
pub const ROUTER_EC2: Ipv6Addr = Ipv6Addr::new(0xfe80, 0xec2, 0, 0, 0, 0, 0, 1);

/// Everything that `forward` decides by; immutable and shared.
#[derive(Debug)]
pub struct Snapshot {
    generation: u64,
    ports: Vec<Option<Port>>,
    vpcs: Vec<Vpc>,
    subnets: Vec<Subnet>,
    pub(crate) internet: Internet,
    /// Names that every VPC resolves: those of services.
    pub(crate) public_names: DnsNames,
    /// How the targets of load balancers are checked.
    pub(crate) health_checks: Vec<HealthCheck>,
    pub(crate) services: Option<Services>,
    by_device: BTreeMap<Device, PortId>,
}

#[derive(Debug)]
pub(crate) enum Port {
    Interface(Box<Interface>),
    Outside(Outside),
    Services,
}

/// What of the machine, not of the API, a snapshot depends on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The MAC address of the host's end of the uplink, if there is one.
    pub uplink: Option<MacAddress>,
    /// The network in which the daemon answers for services, if it does.
    pub services: Option<ServiceNetwork>,
}

/// The network in which the daemon answers for services.
#[derive(Clone, Copy, Debug)]
pub struct ServiceNetwork {
    /// The MAC address of the daemon's end.
    pub mac: MacAddress,
    /// Whether something stands for DynamoDB, for which the daemon has nothing of its own.
    pub dynamodb: bool,
}

impl Snapshot {
    /// The generation of the world that it was compiled from.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The MAC address of a VPC's router, for neighbour tables and tests.
    pub fn router_mac(id: VpcId) -> MacAddress {
        MacAddress(vpc::router_mac(id).0)
    }

    /// The port of a device.
    pub fn port_of(&self, device: &Device) -> Option<PortId> {
        self.by_device.get(device).copied()
    }

    /// Every device and its port.
    pub fn devices(&self) -> impl Iterator<Item = (&Device, PortId)> {
        self.by_device.iter().map(|(device, &port)| (device, port))
    }

    pub(crate) fn port(&self, id: PortId) -> Option<&Port> {
        let port = self.ports.get(id.index())?.as_ref()?;
        let own = match port {
            Port::Interface(interface) => interface.port,
            Port::Outside(outside) => outside.port,
            Port::Services => self.services.as_ref()?.port,
        };
        (own == id).then_some(port)
    }

    /// How many places for ports there are.
    pub(crate) fn port_count(&self) -> usize {
        self.ports.len()
    }

    /// The port at a place.
    pub(crate) fn port_at(&self, place: usize) -> Option<&Port> {
        self.ports.get(place)?.as_ref()
    }

    pub(crate) fn interface(&self, id: PortId) -> Option<&Interface> {
        match self.port(id)? {
            Port::Interface(interface) => Some(interface),
            Port::Outside(_) | Port::Services => None,
        }
    }

    pub(crate) fn vpc_of(&self, interface: &Interface) -> &Vpc {
        &self.vpcs[interface.vpc as usize]
    }

    /// The VPC on the other side of a peering connection.
    pub(crate) fn peer(&self, peering: Peering) -> &Vpc {
        &self.vpcs[peering.vpc as usize]
    }

    #[cfg(test)]
    pub(crate) fn vpcs_mut(&mut self) -> &mut [Vpc] {
        &mut self.vpcs
    }

    pub(crate) fn subnet_of(&self, interface: &Interface) -> &Subnet {
        &self.subnets[interface.subnet as usize]
    }

    /// Whether two ports belong to the same VPC.
    pub fn same_vpc(&self, a: PortId, b: PortId) -> bool {
        match (self.interface(a), self.interface(b)) {
            (Some(a), Some(b)) => a.vpc == b.vpc,
            _ => false,
        }
    }
}

/// Compiles the world. `ports` gives every device the number that it had before.
pub fn compile(world: &World, ports: &mut Ports, options: Options) -> Snapshot {
    claim_ports(world, ports, options);
    let mut snapshot = Snapshot {
        generation: world.generation,
        ports: Vec::new(),
        vpcs: Vec::new(),
        subnets: Vec::new(),
        internet: Internet::default(),
        public_names: DnsNames::default(),
        health_checks: Vec::new(),
        services: None,
        by_device: ports.iter().map(|(device, port)| (*device, port)).collect(),
    };
    snapshot.ports.resize_with(ports.len(), || None);
    let places = compile_vpcs(&mut snapshot, world);
    let shared = Shared {
        world,
        peerings: Peerings::new(world, places),
        members: security_group::members(world),
    };
    shared.peerings.tell(&mut snapshot.vpcs);
    for (scope, state) in &world.regions {
        compile_region(&mut snapshot, *scope, state, &shared, ports);
        for host in state.internet_hosts.values() {
            let Some(port) = ports.get(&Device::InternetHost(host.address)) else {
                continue;
            };
            snapshot.internet.hosts.insert(host.address, port);
            put_outside(&mut snapshot, port, host.mac, Some(host.address));
        }
    }
    if let (Some(mac), Some(port)) = (options.uplink, ports.get(&Device::Uplink)) {
        snapshot.internet.uplink = Some(port);
        put_outside(&mut snapshot, port, mac, None);
    }
    if let (Some(network), Some(port)) = (options.services, ports.get(&Device::Services)) {
        services::name(&mut snapshot.public_names);
        snapshot.services = Some(Services {
            port,
            mac: Mac(network.mac.0),
            dynamodb: network.dynamodb,
        });
        snapshot.ports[port.index()] = Some(Port::Services);
    }
    snapshot
}

fn claim_ports(world: &World, ports: &mut Ports, options: Options) {
    ports.retain(|device| match device {
        Device::Interface(id) => world
            .regions
            .values()
            .any(|state| state.network_interfaces.contains(id)),
        Device::InternetHost(address) => world
            .regions
            .values()
            .any(|state| state.internet_hosts.contains(address)),
        Device::Uplink => options.uplink.is_some(),
        Device::Services => options.services.is_some(),
    });
    for state in world.regions.values() {
        for (id, _) in state.network_interfaces.iter() {
            ports.claim(Device::Interface(*id));
        }
        for (address, _) in state.internet_hosts.iter() {
            ports.claim(Device::InternetHost(*address));
        }
    }
    if options.uplink.is_some() {
        ports.claim(Device::Uplink);
    }
    if options.services.is_some() {
        ports.claim(Device::Services);
    }
}

fn put_outside(snapshot: &mut Snapshot, port: PortId, mac: MacAddress, address: Option<IpAddr>) {
    let mac = Mac(mac.0);
    snapshot.ports[port.index()] = Some(Port::Outside(Outside { port, mac, address }));
}

/// What the Regions of all accounts have to know of one another.
struct Shared<'a> {
    world: &'a World,
    peerings: Peerings<'a>,
    members: AllMembers,
}

fn compile_vpcs(snapshot: &mut Snapshot, world: &World) -> Map<VpcId, u32> {
    let mut places = Map::default();
    for (scope, state) in &world.regions {
        for vpc in state.vpcs.values() {
            let gateway = state.internet_gateway_of(vpc.id).map(|g| g.id);
            places.insert(vpc.id, snapshot.vpcs.len() as u32);
            let options = state.dhcp_options_of(vpc);
            let vpc = vpc::compile(vpc, scope.region, gateway, options);
            snapshot.vpcs.push(vpc);
        }
    }
    places
}

fn compile_region(
    snapshot: &mut Snapshot,
    scope: Scope,
    state: &State,
    shared: &Shared<'_>,
    ports: &mut Ports,
) {
    compile_ingress_tables(snapshot, state, shared, ports);
    let subnets = compile_subnets(snapshot, state, shared, ports);
    let groups = security_group::compile(state, &shared.members, &shared.peerings);
    let mut nat_gateways = nat_gateway::compile(state);
    let mut balancers = load_balancer::compile(state, scope, ports);
    snapshot.health_checks.append(&mut balancers.checks);
    for vpc_endpoint::Name {
        inside,
        name,
        addresses,
    } in vpc_endpoint::names(scope, state)
    {
        let place = inside.map(|vpc_id| shared.peerings.place(vpc_id));
        let names = match place {
            None => Some(&mut snapshot.public_names),
            Some(place) => place.map(|place| &mut snapshot.vpcs[place as usize].private_names),
        };
        if let Some(names) = names {
            names.insert(&name, &addresses);
        }
    }
    let mut endpoints = vpc_endpoint::compile(shared.world, scope, state, ports);
    for eni in state.network_interfaces.values() {
        let (Some(vpc), Some(&subnet), Some(row), Some(port)) = (
            shared.peerings.place(eni.vpc_id),
            subnets.get(&eni.subnet_id),
            state.subnets.get(&eni.subnet_id),
            ports.get(&Device::Interface(eni.id)),
        ) else {
            continue;
        };
        let interface = Interface {
            id: eni.id,
            port,
            mac: Mac(eni.mac.0),
            vpc,
            subnet,
            addresses: eni.addresses().collect(),
            public: network_interface::public_addresses(eni),
            groups: security_group::groups_of(eni, &groups),
            source_dest_check: eni.source_dest_check,
            attached: network_interface::is_attached(state, eni),
            nat_gateway: nat_gateways.remove(&eni.id),
            endpoint: endpoints.remove(&eni.id),
            load_balancer: balancers.nodes.remove(&eni.id),
            balanced: balancers.balanced.remove(&eni.id).unwrap_or_default(),
            metadata_ipv6: network_interface::metadata_ipv6(state, eni),
            metadata: ports.share(network_interface::metadata(eni, row, scope)),
            resource_name: ResourceName {
                primary: eni.attachment.as_ref().is_some_and(|a| a.device_index == 0),
                a: row.enable_resource_name_dns_a_record,
                aaaa: row.enable_resource_name_dns_aaaa_record,
            },
        };
        put_interface(snapshot, interface);
    }
}

/// Gives the internet gateways that have a route table of their own what rules packets into their VPCs.
fn compile_ingress_tables(
    snapshot: &mut Snapshot,
    state: &State,
    shared: &Shared<'_>,
    ports: &Ports,
) {
    for table in state.route_tables.values() {
        if table.associations.iter().any(|a| a.gateway_id.is_some())
            && let Some(place) = shared.peerings.place(table.vpc_id)
        {
            let compiled = route_table::compile(state, table, &shared.peerings, ports);
            snapshot.vpcs[place as usize].ingress_table = Some(Arc::new(compiled));
        }
    }
}

/// Gives where the subnets are in the snapshot.
fn compile_subnets(
    snapshot: &mut Snapshot,
    state: &State,
    shared: &Shared<'_>,
    ports: &Ports,
) -> BTreeMap<SubnetId, u32> {
    let mut places = BTreeMap::new();
    let tables: BTreeMap<RouteTableId, Arc<route_table::RouteTable>> = state
        .route_tables
        .iter()
        .map(|(id, table)| {
            (
                *id,
                Arc::new(route_table::compile(state, table, &shared.peerings, ports)),
            )
        })
        .collect();
    let acls: BTreeMap<_, _> = state
        .network_acls
        .iter()
        .map(|(id, acl)| (*id, Arc::new(network_acl::compile(acl))))
        .collect();
    for subnet in state.subnets.values() {
        let acl = state
            .network_acl_of(subnet.id)
            .or_else(|| state.default_network_acl(subnet.vpc_id));
        let acl = acl.and_then(|acl| acls.get(&acl.id).cloned());
        let table = state.route_table_of(subnet);
        let table = table.and_then(|table| tables.get(&table.id).cloned());
        places.insert(subnet.id, snapshot.subnets.len() as u32);
        snapshot.subnets.push(subnet::compile(subnet, acl, table));
    }
    places
}

fn put_interface(snapshot: &mut Snapshot, interface: Interface) {
    let port = interface.port;
    let vpc = &mut snapshot.vpcs[interface.vpc as usize];
    for &address in &interface.addresses {
        vpc.addresses.insert(address, port);
        if let IpAddr::V6(v6) = address {
            snapshot.internet.public_v6.entry(v6).or_insert(port);
        }
    }
    vpc.macs.insert(interface.mac.0, port);
    if let Some(instance) = interface.metadata.instance_id
        && interface.resource_name.primary
    {
        vpc.instances.insert(instance, port);
    }
    for &(private, public) in &interface.public {
        let translated: (PortId, Ipv4Addr) = (port, private);
        snapshot.internet.public_v4.insert(public, translated);
    }
    snapshot.ports[port.index()] = Some(Port::Interface(Box::new(interface)));
}
