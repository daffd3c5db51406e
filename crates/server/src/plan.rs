//! Which sandboxes there should be, and with which interfaces: computed from the world, as a value.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dataplane::Device;
use host::{Interface, InterfaceAddress, InterfaceRoute, Neighbour};
use model::{
    DhcpOptions, Instance, InstanceId, InstanceState, NetworkInterface, Scope, State, Subnet, Vpc,
    World,
};

/// Where processes run: an instance, or a host of the simulated internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// An instance.
    Instance(InstanceId),
    /// A host of the simulated internet.
    InternetHost(IpAddr),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(id) => id.fmt(f),
            Self::InternetHost(address) => write!(f, "internet:{address}"),
        }
    }
}

/// How a sandbox should be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SandboxPlan {
    /// What `hostname` prints.
    pub(crate) hostname: String,
    /// The text of `/etc/resolv.conf`.
    pub(crate) resolv_conf: String,
    /// What it runs if it has to be started; not after a stop.
    pub(crate) user_data: Option<Vec<u8>>,
    /// Its interfaces, by what they are in the dataplane.
    pub(crate) interfaces: BTreeMap<Device, Interface>,
}

/// What an instance's place in its life asks of the host.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Wanted {
    /// The sandbox is to be up; the instance is to be told when it is.
    Up {
        /// How.
        plan: Box<SandboxPlan>,
        /// Whether the instance still waits to hear that it runs.
        announce: bool,
    },
    /// The sandbox is to be gone; the instance waits to hear that it is.
    Down,
}

/// Everything that should be, by place. What is not in here should not be.
pub(crate) type HostPlan = BTreeMap<Place, (Option<Scope>, Wanted)>;

/// The largest packet inside a VPC (Amazon EC2 User Guide, "Network MTU").
const MTU: u32 = 9001;
/// The largest packet on the internet.
const INTERNET_MTU: u32 = 1500;
/// The next hop of internet hosts; nothing else has this address.
const INTERNET_ROUTER: Ipv4Addr = Ipv4Addr::new(169, 254, 254, 254);
const INTERNET_ROUTER_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xfe);

/// Computes what should be.
#[must_use]
pub(crate) fn plan(world: &World) -> HostPlan {
    let mut plan = HostPlan::new();
    for (&scope, state) in &world.regions {
        for instance in state.instances.values() {
            let wanted = match instance.state {
                InstanceState::Pending | InstanceState::Running => Wanted::Up {
                    plan: Box::new(instance_plan(scope, state, instance)),
                    announce: instance.state == InstanceState::Pending,
                },
                InstanceState::Stopping | InstanceState::ShuttingDown => Wanted::Down,
                InstanceState::Stopped | InstanceState::Terminated => continue,
            };
            plan.insert(Place::Instance(instance.id), (Some(scope), wanted));
        }
        for host in state.internet_hosts.values() {
            let wanted = Wanted::Up {
                plan: Box::new(internet_host_plan(host)),
                announce: false,
            };
            plan.insert(Place::InternetHost(host.address), (None, wanted));
        }
    }
    plan
}

fn instance_plan(scope: Scope, state: &State, instance: &Instance) -> SandboxPlan {
    let interfaces = state.interfaces_of(instance.id);
    let primary = interfaces.first().copied();
    let subnet = primary.and_then(|eni| state.subnets.get(&eni.subnet_id));
    let vpc = primary.and_then(|eni| state.vpcs.get(&eni.vpc_id));
    let domain = scope.region.private_domain();
    let address = primary.and_then(NetworkInterface::primary_ipv4);
    let has_ipv4 = address.is_some();
    let hostname = match (address, subnet) {
        (Some(address), Some(subnet)) if subnet.hostname_type != "resource-name" => {
            format!("ip-{}.{domain}", address.to_string().replace('.', "-"))
        }
        _ => format!("{}.{domain}", instance.id),
    };
    SandboxPlan {
        hostname,
        resolv_conf: vpc
            .map(|vpc| resolv_conf(state, vpc, &domain, has_ipv4))
            .unwrap_or_default(),
        user_data: starts_anew(instance).then(|| user_data(instance)).flatten(),
        interfaces: interfaces
            .into_iter()
            .filter_map(|eni| {
                let subnet = state.subnets.get(&eni.subnet_id)?;
                Some((Device::Interface(eni.id), interface(eni, subnet)))
            })
            .collect(),
    }
}

/// Whether a sandbox for this instance now would be its first, or would replace one that ended with the daemon.
/// Nothing of the old one is left then, and nobody stopped the instance: it is to be as it was.
fn starts_anew(instance: &Instance) -> bool {
    !instance.booted || instance.state == InstanceState::Running
}

fn user_data(instance: &Instance) -> Option<Vec<u8>> {
    STANDARD
        .decode(instance.user_data.as_deref()?)
        .ok()
        .filter(|script| script.starts_with(b"#!"))
}

/// What a DHCP client would write (Amazon VPC User Guide, "DHCP option sets in Amazon VPC").
fn resolv_conf(state: &State, vpc: &Vpc, domain: &str, has_ipv4: bool) -> String {
    let options = state.dhcp_options_of(vpc);
    let search = options.and_then(DhcpOptions::domain_name);
    let mut text = format!("search {}\n", search.unwrap_or(domain));
    for server in vpc.name_servers(options, has_ipv4) {
        text.push_str(&format!("nameserver {server}\n"));
    }
    text
}

fn interface(eni: &NetworkInterface, subnet: &Subnet) -> Interface {
    let index = eni.attachment.as_ref().map_or(0, |a| a.device_index);
    let ipv4_prefix = subnet.cidr.map_or(32, |cidr| cidr.prefix_len());
    let ipv6_prefix = subnet
        .ipv6_cidr_blocks
        .first()
        .map_or(128, |block| block.cidr.prefix_len());
    let addresses = eni.addresses().map(|address| InterfaceAddress {
        address,
        prefix: if address.is_ipv4() {
            ipv4_prefix
        } else {
            ipv6_prefix
        },
    });
    let mut routes = Vec::new();
    // Of several interfaces the first is the way out, as with Amazon's images.
    let metric = Some(512 + u32::from(index));
    if let Some(router) = subnet.router_ipv4() {
        let source = eni.primary_ipv4().map(IpAddr::V4);
        routes.push(default_route(IpAddr::V4(router), metric, source));
    }
    if let Some(&source) = eni.ipv6_addresses.first() {
        let router = IpAddr::V6(dataplane::ROUTER_LINK_LOCAL);
        routes.push(default_route(router, metric, Some(IpAddr::V6(source))));
    }
    Interface {
        name: format!("eth{index}"),
        mac: eni.mac.0,
        mtu: MTU,
        addresses: addresses.collect(),
        routes,
        neighbours: Vec::new(),
    }
}

fn default_route(via: IpAddr, metric: Option<u32>, source: Option<IpAddr>) -> InterfaceRoute {
    let destination = match via {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    InterfaceRoute {
        destination,
        prefix: 0,
        via: Some(via),
        onlink: true,
        metric,
        source,
    }
}

fn internet_host_plan(host: &model::InternetHost) -> SandboxPlan {
    let (router, prefix) = match host.address {
        IpAddr::V4(_) => (IpAddr::V4(INTERNET_ROUTER), 32),
        IpAddr::V6(_) => (IpAddr::V6(INTERNET_ROUTER_V6), 128),
    };
    let interface = Interface {
        name: "eth0".to_owned(),
        mac: host.mac.0,
        mtu: INTERNET_MTU,
        addresses: vec![InterfaceAddress {
            address: host.address,
            prefix,
        }],
        routes: vec![default_route(router, None, Some(host.address))],
        neighbours: vec![Neighbour {
            address: router,
            mac: dataplane::INTERNET_ROUTER_MAC.0,
        }],
    };
    SandboxPlan {
        hostname: format!("host-{}", host.address.to_string().replace(['.', ':'], "-")),
        resolv_conf: String::new(),
        user_data: None,
        interfaces: BTreeMap::from([(Device::InternetHost(host.address), interface)]),
    }
}
