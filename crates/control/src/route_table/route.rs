//! Routes (Amazon VPC User Guide, "Route table concepts" and "Subnet route tables").

use ec2_api::{
    CreateRouteRequest, CreateRouteResponse, DeleteRouteRequest, DeleteRouteResponse,
    ReplaceRouteRequest, ReplaceRouteResponse,
};
use model::{
    Destination, NetworkInterface, Route, RouteOrigin, RouteState, RouteTable, RouteTableId,
    RouteTarget, VpcId,
};

use super::{destination, gateway, target};
use crate::{Error, Transaction, nat_gateway, parameter, prefix_list, vpc_peering_connection};

/// Adds a route.
pub(crate) fn create_route(
    tx: &mut Transaction<'_>,
    request: &CreateRouteRequest,
) -> Result<CreateRouteResponse, Error> {
    let id: RouteTableId = parameter::id(&request.route_table_id, "routeTableId")?;
    let destination = destination::parse(
        &request.destination_cidr_block,
        &request.destination_ipv6_cidr_block,
        &request.destination_prefix_list_id,
    )?;
    let mut table = tx.take::<RouteTable>(id)?;
    let targets = target::of_create(request);
    check_list_target(&table, destination, &targets)?;
    let target = target::parse(tx, &table, &targets)?;
    check(tx, &table, destination, target)?;
    let done = CreateRouteResponse {
        r#return: Some(true),
    };
    match table.route(&destination) {
        Some(route) if route.target == target => return Ok(done),
        Some(_) => {
            return Err(Error::new(
                "RouteAlreadyExists",
                format!("The route identified by {destination} already exists."),
            ));
        }
        None => {}
    }
    add(tx, &mut table, destination, target)?;
    tx.put(id, table);
    Ok(done)
}

/// Gives a route another target; a local route too.
pub(crate) fn replace_route(
    tx: &mut Transaction<'_>,
    request: &ReplaceRouteRequest,
) -> Result<ReplaceRouteResponse, Error> {
    let id: RouteTableId = parameter::id(&request.route_table_id, "routeTableId")?;
    let destination = destination::parse(
        &request.destination_cidr_block,
        &request.destination_ipv6_cidr_block,
        &request.destination_prefix_list_id,
    )?;
    let mut table = tx.take::<RouteTable>(id)?;
    let targets = target::of_replace(request);
    check_list_target(&table, destination, &targets)?;
    let target = target::parse(tx, &table, &targets)?;
    let Some(at) = table
        .routes
        .iter()
        .position(|r| r.destination == destination)
    else {
        return Err(Error::InvalidParameterValue(format!(
            "There is no route defined for '{destination}' in the route table. Use CreateRoute \
             instead."
        )));
    };
    let is_local = table.routes[at].origin == RouteOrigin::CreateRouteTable;
    if target == RouteTarget::Local && !is_local {
        return Err(Error::InvalidParameterValue(format!(
            "The route identified by {destination} in route table {id} is not a local route."
        )));
    }
    if target != RouteTarget::Local {
        check(tx, &table, destination, target)?;
    }
    table.routes[at].target = target;
    tx.put(id, table);
    Ok(ReplaceRouteResponse {})
}

/// Removes a route.
pub(crate) fn delete_route(
    tx: &mut Transaction<'_>,
    request: &DeleteRouteRequest,
) -> Result<DeleteRouteResponse, Error> {
    let id: RouteTableId = parameter::id(&request.route_table_id, "routeTableId")?;
    let destination = destination::parse(
        &request.destination_cidr_block,
        &request.destination_ipv6_cidr_block,
        &request.destination_prefix_list_id,
    )?;
    let mut table = tx.take::<RouteTable>(id)?;
    match table.route(&destination) {
        Some(Route {
            target: RouteTarget::VpcEndpoint(_),
            ..
        }) => {
            return Err(Error::InvalidParameterValue(format!(
                "cannot remove VPC endpoint route {destination} in route table {id}"
            )));
        }
        Some(route) if route.origin == RouteOrigin::CreateRoute => {}
        Some(_) => {
            return Err(Error::InvalidParameterValue(format!(
                "cannot remove local route {destination} in route table {id}"
            )));
        }
        None => {
            let what = match destination {
                Destination::PrefixList(_) => "destination-prefix-list-id",
                Destination::Ipv4(_) | Destination::Ipv6(_) => "destination-cidr-block",
            };
            return Err(Error::new(
                "InvalidRoute.NotFound",
                format!("no route with {what} {destination} in route table {id}"),
            ));
        }
    }
    table.routes.retain(|r| r.destination != destination);
    tx.put(id, table);
    Ok(DeleteRouteResponse {})
}

/// Whether a table can have a route.
pub(crate) fn check(
    tx: &Transaction<'_>,
    table: &RouteTable,
    destination: Destination,
    target: RouteTarget,
) -> Result<(), Error> {
    destination::check(tx, table, destination, target)?;
    if gateway::rules_gateway(table) {
        gateway::check_route(tx, table, destination, target)?;
    }
    if nat_gateway::owner_of(tx, table.id).is_some() {
        gateway::check_nat_gateway_route(target)?;
    }
    Ok(())
}

/// Refuses to touch the route of a gateway endpoint, or to make one: the endpoint does that.
fn check_list_target(
    table: &RouteTable,
    destination: Destination,
    targets: &target::Targets<'_>,
) -> Result<(), Error> {
    let Destination::PrefixList(_) = destination else {
        return Ok(());
    };
    let existing = table.route(&destination).map(|route| route.target);
    let taken = matches!(existing, Some(RouteTarget::VpcEndpoint(_)));
    if taken || target::names_endpoint(targets) {
        return Err(Error::InvalidParameterValue(
            "Cannot create or replace a prefix list targeting a VPC Endpoint.".to_owned(),
        ));
    }
    Ok(())
}

/// Adds a route to a table that has none for the destination, if there is room.
pub(crate) fn add(
    tx: &Transaction<'_>,
    table: &mut RouteTable,
    destination: Destination,
    target: RouteTarget,
) -> Result<(), Error> {
    table.routes.push(Route {
        destination,
        target,
        origin: RouteOrigin::CreateRoute,
    });
    let family = destination::family(tx, destination);
    destination::check_quota(tx, table, family, |id| prefix_list::weight(tx, id))
}

/// What a route has for `route.<name>`.
pub(super) fn filter_value(
    tx: &Transaction<'_>,
    vpc_id: VpcId,
    route: &Route,
    name: &str,
) -> Option<String> {
    let shape = shape(tx, vpc_id, route);
    match name {
        "destination-cidr-block" => shape.destination_cidr_block,
        "destination-ipv6-cidr-block" => shape.destination_ipv6_cidr_block,
        "destination-prefix-list-id" => shape.destination_prefix_list_id,
        "egress-only-internet-gateway-id" => shape.egress_only_internet_gateway_id,
        "gateway-id" => shape.gateway_id,
        "instance-id" => shape.instance_id,
        "nat-gateway-id" => shape.nat_gateway_id,
        "network-interface-id" => shape.network_interface_id,
        "origin" => shape.origin,
        "state" => shape.state,
        "vpc-peering-connection-id" => shape.vpc_peering_connection_id,
        _ => None,
    }
}

pub(super) fn shape(tx: &Transaction<'_>, vpc_id: VpcId, route: &Route) -> ec2_api::Route {
    let origin = match route.origin {
        RouteOrigin::CreateRouteTable => "CreateRouteTable",
        RouteOrigin::CreateRoute => "CreateRoute",
    };
    let peering = |id| vpc_peering_connection::get(tx, id);
    let state = match tx.state().route_state(vpc_id, &route.target, peering) {
        RouteState::Active => "active",
        RouteState::Blackhole => "blackhole",
    };
    let mut shape = ec2_api::Route {
        origin: Some(origin.to_owned()),
        state: Some(state.to_owned()),
        ..Default::default()
    };
    match route.destination {
        Destination::Ipv4(net) => shape.destination_cidr_block = Some(net.to_string()),
        Destination::Ipv6(net) => shape.destination_ipv6_cidr_block = Some(net.to_string()),
        Destination::PrefixList(id) => shape.destination_prefix_list_id = Some(id.to_string()),
    }
    match route.target {
        RouteTarget::Local | RouteTarget::InternetGateway(_) | RouteTarget::VpcEndpoint(_) => {
            shape.gateway_id = Some(route.target.to_string());
        }
        RouteTarget::EgressOnlyInternetGateway(id) => {
            shape.egress_only_internet_gateway_id = Some(id.to_string());
        }
        RouteTarget::NatGateway(id) => shape.nat_gateway_id = Some(id.to_string()),
        RouteTarget::VpcPeeringConnection(id) => {
            shape.vpc_peering_connection_id = Some(id.to_string());
        }
        RouteTarget::NetworkInterface(id) => {
            shape.network_interface_id = Some(id.to_string());
            let interface = tx.find::<NetworkInterface>(id).ok();
            if let Some(instance_id) = interface.and_then(NetworkInterface::instance_id) {
                shape.instance_id = Some(instance_id.to_string());
                shape.instance_owner_id = Some(tx.scope().account.to_string());
            }
        }
    }
    shape
}
