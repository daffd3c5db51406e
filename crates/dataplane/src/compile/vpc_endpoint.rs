//! Interface endpoints as `forward` reads them: what stands behind their network interfaces.

use std::collections::BTreeMap;
use std::net::IpAddr;

use model::{
    AvailabilityZone, AwsService, EndpointName, LeadsTo, LoadBalancerState, NetworkInterface,
    NetworkInterfaceId, Region, Scope, State, VpcEndpoint, VpcEndpointId, VpcEndpointState, VpcId,
    World,
};

use crate::ports::{Device, PortId, Ports};

/// What an endpoint's network interface needs to know of its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) id: VpcEndpointId,
    pub(crate) behind: Behind,
}

/// Who gets what comes to an endpoint's network interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    /// Nobody: the endpoint is in another state than `available`.
    Unavailable(VpcEndpointState),
    /// Nobody has such a service here.
    Nobody,
    /// A service of AWS in a Region.
    Aws(AwsService, Region),
    /// The load balancer of an endpoint service, by the node at this port.
    Node(PortId),
}

/// What is behind the network interfaces of a Region's endpoints.
pub(crate) fn compile(
    world: &World,
    scope: Scope,
    state: &State,
    ports: &Ports,
) -> BTreeMap<NetworkInterfaceId, Endpoint> {
    let mut compiled = BTreeMap::new();
    for endpoint in state.vpc_endpoints.values() {
        let Some(own) = endpoint.interface() else {
            continue;
        };
        for place in &own.subnets {
            let behind = match (endpoint.state, own.provider) {
                (VpcEndpointState::Available, None) => of_aws(endpoint, scope.region),
                (VpcEndpointState::Available, Some(provider)) => {
                    of_provider(world, provider, endpoint, place.zone, ports)
                }
                (state, _) => Behind::Unavailable(state),
            };
            let id = endpoint.id;
            compiled.insert(place.network_interface_id, Endpoint { id, behind });
        }
    }
    compiled
}

/// A name of an endpoint that works: who resolves it, and to what.
#[derive(Debug, PartialEq)]
pub(crate) struct Name {
    /// The one VPC that it is a name in; everybody if absent.
    pub(crate) inside: Option<VpcId>,
    pub(crate) name: String,
    pub(crate) addresses: Vec<IpAddr>,
}

/// The names of a Region's endpoints.
pub(crate) fn names(scope: Scope, state: &State) -> Vec<Name> {
    let works = |e: &&VpcEndpoint| e.state == VpcEndpointState::Available;
    let mut all = Vec::new();
    for endpoint in state.vpc_endpoints.values().filter(works) {
        let Some(own) = endpoint.interface() else {
            continue;
        };
        for EndpointName { name, leads_to } in endpoint.names(scope.region) {
            let is_private = leads_to == LeadsTo::Private;
            if is_private && own.private_dns_only_for_inbound_resolver_endpoint {
                // There is nobody outside who could ask.
                continue;
            }
            let places = own.subnets.iter().filter(|place| match leads_to {
                LeadsTo::All | LeadsTo::Private => true,
                LeadsTo::Zone(zone) => zone == place.zone,
            });
            let interfaces = places
                .filter_map(|place| state.network_interfaces.get(&place.network_interface_id));
            all.push(Name {
                inside: is_private.then_some(endpoint.vpc_id),
                name,
                addresses: interfaces.flat_map(NetworkInterface::addresses).collect(),
            });
        }
    }
    all
}

fn of_aws(endpoint: &VpcEndpoint, region: Region) -> Behind {
    let is_it = |service: &AwsService| {
        endpoint.service_name == format!("com.amazonaws.{region}.{}", service.endpoint_service())
    };
    let service = AwsService::ALL.into_iter().find(is_it);
    service.map_or(Behind::Nobody, |service| Behind::Aws(service, region))
}

/// The node in the endpoint's zone of a load balancer that works.
fn of_provider(
    world: &World,
    provider: Scope,
    endpoint: &VpcEndpoint,
    zone: AvailabilityZone,
    ports: &Ports,
) -> Behind {
    let node = world.region(&provider).and_then(|state| {
        let mut services = state.vpc_endpoint_services.values();
        let service = services.find(|s| s.name(provider.region) == endpoint.service_name)?;
        let balancers = service.load_balancers.iter();
        let mut active = balancers
            .filter_map(|id| state.load_balancers.get(id))
            .filter(|balancer| balancer.state == LoadBalancerState::Active);
        let node = active.find_map(|b| b.nodes.iter().find(|node| node.zone == zone))?;
        ports.get(&Device::Interface(node.network_interface_id))
    });
    node.map_or(Behind::Nobody, Behind::Node)
}
