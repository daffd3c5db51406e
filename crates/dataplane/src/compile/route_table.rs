//! Route tables as `forward` reads them: longest prefix first, prefix lists as their blocks.

use std::net::IpAddr;

use ipnet::IpNet;
use model::{
    AwsPrefixList, Destination, EgressOnlyInternetGatewayId, GatewayService, InternetGatewayId,
    NatGateway, PrefixListId, RouteState, RouteTableId, RouteTarget, State, VpcEndpoint,
    VpcEndpointId,
};

use super::vpc_peering_connection::{Peering, Peerings};
use crate::ports::{Device, PortId, Ports};
use crate::tuple::Block;

/// One table.
#[derive(Debug, PartialEq)]
pub(crate) struct RouteTable {
    pub(crate) id: RouteTableId,
    routes_v4: Vec<(Block, Route)>,
    routes_v6: Vec<(Block, Route)>,
}

/// One route.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Route {
    pub(crate) destination: Destination,
    pub(crate) target: RouteTarget,
    pub(crate) next: Next,
}

/// Where a route leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Local,
    InternetGateway(InternetGatewayId),
    EgressOnlyInternetGateway(EgressOnlyInternetGatewayId),
    Interface(PortId),
    /// The gateway's interface.
    NatGateway(PortId),
    /// A gateway without an interface.
    RegionalNatGateway(PortId),
    /// A gateway endpoint.
    VpcEndpoint {
        id: VpcEndpointId,
        service: GatewayService,
    },
    VpcPeeringConnection(Peering),
    Blackhole,
}

impl RouteTable {
    /// The route with the longest prefix that contains an address. It decides even when it is a
    /// blackhole (Amazon VPC User Guide, "Route priority").
    pub(crate) fn lookup(&self, address: IpAddr) -> Option<&Route> {
        let routes = match address {
            IpAddr::V4(_) => &self.routes_v4,
            IpAddr::V6(_) => &self.routes_v6,
        };
        routes
            .iter()
            .find(|(block, _)| block.contains(address))
            .map(|(_, route)| route)
    }
}

pub(crate) fn compile(
    state: &State,
    table: &model::RouteTable,
    peerings: &Peerings<'_>,
    ports: &Ports,
) -> RouteTable {
    let mut routes: Vec<(IpNet, Route)> = Vec::new();
    for route in &table.routes {
        let compiled = Route {
            destination: route.destination,
            target: route.target,
            next: next(state, table, route, peerings, ports),
        };
        match route.destination {
            Destination::PrefixList(id) => {
                let blocks = state.prefix_list_blocks(id).into_iter();
                routes.extend(blocks.map(|block| (block, compiled)));
            }
            Destination::Ipv4(net) => routes.push((net.into(), compiled)),
            Destination::Ipv6(net) => routes.push((net.into(), compiled)),
        }
    }
    routes.sort_by_key(|(net, route)| (std::cmp::Reverse(net.prefix_len()), list_of(route)));
    let routes = routes.into_iter().map(|(net, route)| (net.into(), route));
    let (routes_v4, routes_v6) = routes.partition(|(block, _): &(Block, _)| block.is_ipv4());
    RouteTable {
        id: table.id,
        routes_v4,
        routes_v6,
    }
}

/// What decides between routes for the same block: one that names the block goes before one that
/// names a prefix list, and of several lists the one with the lowest id.
fn list_of(route: &Route) -> Option<PrefixListId> {
    match route.destination {
        Destination::PrefixList(id) => Some(id),
        Destination::Ipv4(_) | Destination::Ipv6(_) => None,
    }
}

fn next(
    state: &State,
    table: &model::RouteTable,
    route: &model::Route,
    peerings: &Peerings<'_>,
    ports: &Ports,
) -> Next {
    let route_state = state.route_state(table.vpc_id, &route.target, |id| peerings.get(id));
    match (route_state, route.target) {
        (RouteState::Blackhole, _) => Next::Blackhole,
        (_, RouteTarget::Local) => Next::Local,
        (_, RouteTarget::InternetGateway(id)) => Next::InternetGateway(id),
        (_, RouteTarget::VpcEndpoint(id)) => service_of(state, id)
            .map_or(Next::Blackhole, |service| Next::VpcEndpoint { id, service }),
        (_, RouteTarget::EgressOnlyInternetGateway(id)) => Next::EgressOnlyInternetGateway(id),
        (_, RouteTarget::NetworkInterface(id)) => ports
            .get(&Device::Interface(id))
            .map_or(Next::Blackhole, Next::Interface),
        (_, RouteTarget::NatGateway(id)) => {
            let gateway = state.nat_gateways.get(&id).filter(|g| g.is_available());
            gateway
                .and_then(|gateway| to_nat_gateway(gateway, ports))
                .unwrap_or(Next::Blackhole)
        }
        (_, RouteTarget::VpcPeeringConnection(id)) => peerings
            .from(id)
            .map_or(Next::Blackhole, Next::VpcPeeringConnection),
    }
}

fn to_nat_gateway(gateway: &NatGateway, ports: &Ports) -> Option<Next> {
    if gateway.is_regional() {
        let port = ports.get(&Device::NatGateway(gateway.id))?;
        return Some(Next::RegionalNatGateway(port));
    }
    let port = ports.get(&Device::Interface(gateway.network_interface_id()?))?;
    Some(Next::NatGateway(port))
}

/// The service that a gateway endpoint leads to.
fn service_of(state: &State, id: VpcEndpointId) -> Option<GatewayService> {
    let endpoint = state.vpc_endpoints.get(&id);
    let own = endpoint.and_then(VpcEndpoint::gateway)?;
    AwsPrefixList::with_id(own.prefix_list_id).map(|list| list.service)
}
