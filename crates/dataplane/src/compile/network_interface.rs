//! Network interfaces as `forward` reads them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use model::{InstanceState, NetworkInterfaceId, Scope, State};
use packet::Mac;

use super::load_balancer::{Balanced, Node};
use super::nat_gateway::NatGateway;
use super::security_group::Groups;
use super::subnet::Subnet;
use super::vpc::Vpc;
use super::vpc_endpoint::Endpoint;
use crate::InterfaceMetadata;
use crate::ports::PortId;

/// One network interface.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Interface {
    pub(crate) id: NetworkInterfaceId,
    pub(crate) port: PortId,
    pub(crate) mac: Mac,
    pub(crate) vpc: Arc<Vpc>,
    pub(crate) subnet: Arc<Subnet>,
    pub(crate) addresses: Vec<IpAddr>,
    /// Private addresses and the public ones that the internet gateway translates them to.
    pub(crate) public: Vec<(Ipv4Addr, Ipv4Addr)>,
    pub(crate) groups: Groups,
    pub(crate) source_dest_check: bool,
    /// Whether there is a running instance behind it.
    pub(crate) attached: bool,
    /// The NAT gateway whose interface it is.
    pub(crate) nat_gateway: Option<NatGateway>,
    /// The interface endpoint whose interface it is.
    pub(crate) endpoint: Option<Endpoint>,
    /// The load balancer of which it is a node.
    pub(crate) load_balancer: Option<Node>,
    /// Its ports to which load balancers send with clients' addresses.
    pub(crate) balanced: Vec<Balanced>,
    /// Whether the instance metadata service answers it over IPv6.
    pub(crate) metadata_ipv6: bool,
    pub(crate) metadata: Arc<InterfaceMetadata>,
    /// What the resource name of its instance resolves to, if it is the primary interface.
    pub(crate) resource_name: ResourceName,
}

/// Which records the resource name of an instance has in a subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ResourceName {
    pub(crate) primary: bool,
    pub(crate) a: bool,
    pub(crate) aaaa: bool,
}

impl Interface {
    pub(crate) fn owns(&self, address: IpAddr) -> bool {
        self.addresses.contains(&address)
    }

    pub(crate) fn public_of(&self, private: Ipv4Addr) -> Option<Ipv4Addr> {
        let found = self.public.iter().find(|(own, _)| *own == private)?;
        Some(found.1)
    }
}

/// An interface as its flow samples would have it now; `None` if its subnet is gone.
pub fn interface_metadata(
    state: &State,
    scope: Scope,
    interface: &model::NetworkInterface,
) -> Option<InterfaceMetadata> {
    let subnet = state.subnets.get(&interface.subnet_id)?;
    Some(metadata(state, interface, subnet, scope))
}

pub(crate) fn metadata(
    state: &State,
    interface: &model::NetworkInterface,
    subnet: &model::Subnet,
    scope: Scope,
) -> InterfaceMetadata {
    let instance_id = interface.instance_id();
    let instance = instance_id.and_then(|id| state.instances.get(&id));
    InterfaceMetadata {
        scope,
        recorder: interface.id.into(),
        interface_type: interface.interface_type,
        subnet_id: Some(interface.subnet_id),
        vpc_id: interface.vpc_id,
        zone: Some(subnet.zone),
        instance_id,
        primary_ipv4: interface.primary_ipv4(),
        tags: interface.tags.clone(),
        instance_tags: instance.map(|i| i.tags.clone()).unwrap_or_default(),
    }
}

/// Whether the instance behind an interface may ask for its metadata over IPv6.
pub(crate) fn metadata_ipv6(state: &State, interface: &model::NetworkInterface) -> bool {
    let instance = interface
        .instance_id()
        .and_then(|id| state.instances.get(&id));
    instance.is_some_and(|i| i.metadata_options.http_protocol_ipv6)
}

pub(crate) fn is_attached(state: &State, interface: &model::NetworkInterface) -> bool {
    interface
        .instance_id()
        .and_then(|id| state.instances.get(&id))
        .is_some_and(|i| {
            matches!(
                i.state,
                InstanceState::Running | InstanceState::Pending | InstanceState::Stopping
            )
        })
}

pub(crate) fn public_addresses(interface: &model::NetworkInterface) -> Vec<(Ipv4Addr, Ipv4Addr)> {
    interface
        .private_ip_addresses
        .iter()
        .filter_map(|p| Some((p.address, p.association.as_ref()?.public_ip)))
        .collect()
}
