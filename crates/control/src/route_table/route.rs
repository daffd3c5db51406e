//! Routes (Amazon VPC User Guide, "Route table concepts" and "Subnet route tables").

use ec2_api::{
    CreateRouteRequest, CreateRouteResponse, DeleteRouteRequest, DeleteRouteResponse,
    ReplaceRouteRequest, ReplaceRouteResponse,
};
use ipnet::IpNet;
use model::{
    Destination, NetworkInterface, PrefixListId, Route, RouteOrigin, RouteState, RouteTable,
    RouteTableId, RouteTarget, Subnet, Vpc, VpcId,
};

use super::target;
use crate::{Error, Transaction, parameter, vpc_peering_connection};

/// Addresses of AWS's own services; no route can have them as destination.
const RESERVED: [&str; 2] = ["169.254.168.0/22", "fd00:ec2::/32"];

/// Adds a route.
pub(crate) fn create_route(
    tx: &mut Transaction<'_>,
    request: &CreateRouteRequest,
) -> Result<CreateRouteResponse, Error> {
    let id: RouteTableId = parameter::id(&request.route_table_id, "routeTableId")?;
    let destination = destination(
        &request.destination_cidr_block,
        &request.destination_ipv6_cidr_block,
        &request.destination_prefix_list_id,
    )?;
    let mut table = tx.take::<RouteTable>(id)?;
    let target = target::parse(tx, &table, &target::of_create(request))?;
    check_destination(tx, &table, destination, target)?;
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
    let counted = |r: &&Route| {
        r.origin == RouteOrigin::CreateRoute && is_ipv4(r.destination) == is_ipv4(destination)
    };
    tx.quotas()
        .routes(table.routes.iter().filter(counted).count())?;
    table.routes.push(Route {
        destination,
        target,
        origin: RouteOrigin::CreateRoute,
    });
    tx.put(id, table);
    Ok(done)
}

/// Gives a route another target; a local route too.
pub(crate) fn replace_route(
    tx: &mut Transaction<'_>,
    request: &ReplaceRouteRequest,
) -> Result<ReplaceRouteResponse, Error> {
    let id: RouteTableId = parameter::id(&request.route_table_id, "routeTableId")?;
    let destination = destination(
        &request.destination_cidr_block,
        &request.destination_ipv6_cidr_block,
        &request.destination_prefix_list_id,
    )?;
    let mut table = tx.take::<RouteTable>(id)?;
    let target = target::parse(tx, &table, &target::of_replace(request))?;
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
        check_destination(tx, &table, destination, target)?;
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
    let destination = destination(
        &request.destination_cidr_block,
        &request.destination_ipv6_cidr_block,
        &request.destination_prefix_list_id,
    )?;
    let mut table = tx.take::<RouteTable>(id)?;
    match table.route(&destination).map(|route| route.origin) {
        Some(RouteOrigin::CreateRoute) => {}
        Some(RouteOrigin::CreateRouteTable) => {
            return Err(Error::InvalidParameterValue(format!(
                "cannot remove local route {destination} in route table {id}"
            )));
        }
        None => {
            return Err(Error::new(
                "InvalidRoute.NotFound",
                format!("no route with destination-cidr-block {destination} in route table {id}"),
            ));
        }
    }
    table.routes.retain(|r| r.destination != destination);
    tx.put(id, table);
    Ok(DeleteRouteResponse {})
}

fn is_ipv4(destination: Destination) -> bool {
    matches!(destination, Destination::Ipv4(_))
}

/// The one destination that a request gives.
fn destination(
    ipv4: &Option<String>,
    ipv6: &Option<String>,
    prefix_list: &Option<String>,
) -> Result<Destination, Error> {
    match (ipv4, ipv6, prefix_list) {
        (None, None, None) => Err(Error::MissingParameter("destinationCidrBlock")),
        (Some(text), None, None) => {
            let net = parameter::ipv4_net(text, "destinationCidrBlock")?;
            Ok(Destination::Ipv4(net))
        }
        (None, Some(text), None) => {
            let net = parameter::ipv6_net(text, "destinationIpv6CidrBlock")?;
            Ok(Destination::Ipv6(net))
        }
        (None, None, Some(_)) => Err(no_prefix_list(prefix_list)),
        _ => Err(Error::InvalidParameterCombination(
            "Exactly one of destinationCidrBlock, destinationIpv6CidrBlock and \
             destinationPrefixListId must be given"
                .to_owned(),
        )),
    }
}

/// There are no prefix lists yet: an id is malformed or unknown.
fn no_prefix_list(id: &Option<String>) -> Error {
    match parameter::id::<PrefixListId>(id, "destinationPrefixListId") {
        Ok(id) => Error::NotFound(id.into()),
        Err(error) => error,
    }
}

/// Whether a route for a destination can have a target in this table.
fn check_destination(
    tx: &Transaction<'_>,
    table: &RouteTable,
    destination: Destination,
    target: RouteTarget,
) -> Result<(), Error> {
    let net = destination.net();
    let mut reserved = RESERVED
        .iter()
        .filter_map(|text| text.parse::<IpNet>().ok());
    if reserved.any(|range| range.contains(&net)) {
        return Err(Error::invalid_value(
            "destinationCidrBlock",
            destination,
            "This range is reserved for AWS services.",
        ));
    }
    let vpc = tx.find::<Vpc>(table.vpc_id)?;
    let mut blocks = vpc_blocks(vpc);
    let Some(block) = blocks.find(|block| block.contains(&net)) else {
        return Ok(());
    };
    let is_subnet = |s: &Subnet| {
        let v4 = s.cidr.map(IpNet::V4);
        let v6 = s.ipv6_cidr_blocks.iter().map(|b| IpNet::V6(b.cidr));
        s.vpc_id == vpc.id && v4.into_iter().chain(v6).any(|own| own == net)
    };
    let to_interface = matches!(target, RouteTarget::NetworkInterface(_));
    if to_interface && (block == net || tx.rows::<Subnet>().any(is_subnet)) {
        return Ok(());
    }
    Err(Error::InvalidParameterValue(format!(
        "The destination CIDR block {destination} is equal to or more specific than one of this \
         VPC's CIDR blocks. This route can target only an interface or an instance."
    )))
}

fn vpc_blocks(vpc: &Vpc) -> impl Iterator<Item = IpNet> {
    let v4 = vpc.cidr_blocks.iter().map(|b| IpNet::V4(b.cidr));
    v4.chain(vpc.ipv6_cidr_blocks.iter().map(|b| IpNet::V6(b.cidr)))
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
        "gateway-id" => shape.gateway_id,
        "instance-id" => shape.instance_id,
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
    }
    match route.target {
        RouteTarget::Local | RouteTarget::InternetGateway(_) => {
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
