//! Route tables as `forward` reads them: longest prefix first.

use std::net::IpAddr;

use model::{
    Destination, EgressOnlyInternetGatewayId, InternetGatewayId, NatGateway, RouteState,
    RouteTableId, RouteTarget, State,
};

use super::vpc_peering_connection::{Peering, Peerings};
use crate::ports::{Device, PortId, Ports};
use crate::tuple::Block;

/// One table.
#[derive(Debug)]
pub(crate) struct RouteTable {
    pub(crate) id: RouteTableId,
    routes_v4: Vec<(Block, Route)>,
    routes_v6: Vec<(Block, Route)>,
}

/// One route.
#[derive(Clone, Copy, Debug)]
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
    let mut routes: Vec<(Block, Route)> = table
        .routes
        .iter()
        .map(|route| {
            let known = |id| peerings.get(id);
            let route_state = state.route_state(table.vpc_id, &route.target, known);
            let next = match (route_state, route.target) {
                (RouteState::Blackhole, _) => Next::Blackhole,
                (_, RouteTarget::Local) => Next::Local,
                (_, RouteTarget::InternetGateway(id)) => Next::InternetGateway(id),
                (_, RouteTarget::EgressOnlyInternetGateway(id)) => {
                    Next::EgressOnlyInternetGateway(id)
                }
                (_, RouteTarget::NetworkInterface(id)) => ports
                    .get(&Device::Interface(id))
                    .map_or(Next::Blackhole, Next::Interface),
                (_, RouteTarget::NatGateway(id)) => state
                    .nat_gateways
                    .get(&id)
                    .and_then(NatGateway::network_interface_id)
                    .and_then(|id| ports.get(&Device::Interface(id)))
                    .map_or(Next::Blackhole, Next::NatGateway),
                (_, RouteTarget::VpcPeeringConnection(id)) => peerings
                    .from(table.vpc_id, id)
                    .map_or(Next::Blackhole, Next::VpcPeeringConnection),
            };
            let compiled = Route {
                destination: route.destination,
                target: route.target,
                next,
            };
            (route.destination.net().into(), compiled)
        })
        .collect();
    routes.sort_by_key(|(_, route)| std::cmp::Reverse(route.destination.net().prefix_len()));
    let (routes_v4, routes_v6) = routes.into_iter().partition(|(block, _)| block.is_ipv4());
    RouteTable {
        id: table.id,
        routes_v4,
        routes_v6,
    }
}
