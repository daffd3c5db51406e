//! Compiles what the API has made into what `forward` reads.

mod affected;
mod compiler;
pub(crate) mod dhcp_options;
pub(crate) mod dns_names;
mod index;
pub(crate) mod internet;
pub(crate) mod load_balancer;
mod managed;
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
mod whole_vpc;

pub use compiler::{Compiler, compile};

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use model::{MacAddress, VpcId};

use crate::health_check::HealthCheck;
use crate::ports::{Device, PortId};
use dns_names::DnsNames;
use internet::{Internet, Outside};
use nat_gateway::RegionalNatGateway;
use network_interface::Interface;
use services::Services;
use subnet::Subnet;
use vpc::Vpc;
use vpc_peering_connection::Peering;

/// The link-local address that the router advertises to IPv6 hosts.
pub const ROUTER_LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0x0cff, 0xfe00, 0, 1);
/// The router's other link-local address (Amazon VPC User Guide, "Subnet CIDR blocks").
pub const ROUTER_EC2: Ipv6Addr = Ipv6Addr::new(0xfe80, 0xec2, 0, 0, 0, 0, 0, 1);

type PersistentMap<K, V> =
    imbl::GenericHashMap<K, V, foldhash::fast::FixedState, imbl::shared_ptr::DefaultSharedPtr>;

/// Everything that `forward` decides by; immutable and shared. Cloning is cheap.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    generation: u64,
    ports: imbl::Vector<Option<Port>>,
    vpcs: PersistentMap<VpcId, Arc<Vpc>>,
    pub(crate) internet: Internet,
    /// Names that every VPC resolves: those of services.
    pub(crate) public_names: Arc<DnsNames>,
    /// How the targets of load balancers are checked.
    pub(crate) health_checks: Arc<[HealthCheck]>,
    pub(crate) services: Option<Services>,
    by_device: imbl::OrdMap<Device, PortId>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Port {
    Interface(Arc<Interface>),
    NatGateway(Arc<RegionalNatGateway>),
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
            Port::NatGateway(gateway) => gateway.port,
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
            Port::NatGateway(_) | Port::Outside(_) | Port::Services => None,
        }
    }

    pub(crate) fn regional_nat_gateway(&self, id: PortId) -> Option<&RegionalNatGateway> {
        match self.port(id)? {
            Port::NatGateway(gateway) => Some(gateway),
            Port::Interface(_) | Port::Outside(_) | Port::Services => None,
        }
    }

    pub(crate) fn vpc_of<'a>(&self, interface: &'a Interface) -> &'a Vpc {
        &interface.vpc
    }

    /// The VPC on the other side of a peering connection.
    pub(crate) fn peer(&self, peering: Peering) -> Option<&Vpc> {
        self.vpcs.get(&peering.vpc).map(AsRef::as_ref)
    }

    /// Changes what an interface knows of its VPC.
    #[cfg(test)]
    pub(crate) fn edit_vpc_of(&mut self, port: PortId, change: impl FnOnce(&mut Vpc)) {
        if let Some(Some(Port::Interface(interface))) = self.ports.get_mut(port.index()) {
            change(Arc::make_mut(&mut Arc::make_mut(interface).vpc));
        }
    }

    pub(crate) fn subnet_of<'a>(&self, interface: &'a Interface) -> &'a Subnet {
        &interface.subnet
    }

    /// Whether two ports belong to the same VPC.
    pub fn same_vpc(&self, a: PortId, b: PortId) -> bool {
        match (self.interface(a), self.interface(b)) {
            (Some(a), Some(b)) => a.vpc.id == b.vpc.id,
            _ => false,
        }
    }
}

impl Snapshot {
    /// Makes room for ports up to a number.
    fn reserve(&mut self, ports: usize) {
        while self.ports.len() < ports {
            self.ports.push_back(None);
        }
    }

    fn put(&mut self, port: PortId, what: Port) {
        self.reserve(port.index() + 1);
        self.ports.set(port.index(), Some(what));
    }

    /// Takes away what is at a port, unless something else has its place by now.
    fn clear(&mut self, port: PortId) {
        if self.port(port).is_some() {
            self.ports.set(port.index(), None);
        }
    }

    fn put_in(&mut self, interface: &Arc<Interface>) {
        let (id, port) = (Device::Interface(interface.id), interface.port);
        for &(private, public) in &interface.public {
            let owners = &mut self.internet.public_v4;
            owners.insert(public, id, (port, private));
        }
        for address in &interface.addresses {
            if let IpAddr::V6(v6) = *address {
                self.internet.public_v6.insert(v6, id, port);
            }
        }
        self.put(port, Port::Interface(interface.clone()));
    }

    fn take_out(&mut self, interface: &Interface) {
        let id = Device::Interface(interface.id);
        for &(_, public) in &interface.public {
            self.internet.public_v4.remove(public, id);
        }
        for address in &interface.addresses {
            if let IpAddr::V6(v6) = *address {
                self.internet.public_v6.remove(v6, id);
            }
        }
        self.clear(interface.port);
    }

    fn put_in_nat_gateway(&mut self, gateway: &Arc<RegionalNatGateway>) {
        let (id, port) = (Device::NatGateway(gateway.gateway.id), gateway.port);
        for public in gateway.public_addresses() {
            let owners = &mut self.internet.public_v4;
            owners.insert(public, id, (port, public));
        }
        self.put(port, Port::NatGateway(gateway.clone()));
    }

    fn take_out_nat_gateway(&mut self, gateway: &RegionalNatGateway) {
        for public in gateway.public_addresses() {
            let id = Device::NatGateway(gateway.gateway.id);
            self.internet.public_v4.remove(public, id);
        }
        self.clear(gateway.port);
    }
}
