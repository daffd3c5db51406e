//! Routes (Amazon VPC User Guide, "Route table concepts" and "Subnet route tables").

use ec2_api::{
    CreateRouteRequest, CreateRouteResponse, DeleteRouteRequest, DeleteRouteResponse,
    ReplaceRouteRequest, ReplaceRouteResponse,
};
use ipnet::IpNet;
use model::{
    Destination, Instance, InstanceId, InternetGateway, NetworkInterface, NetworkInterfaceId,
    PrefixListId, Route, RouteOrigin, RouteState, RouteTable, RouteTableId, RouteTarget, Subnet,
    Vpc, VpcId,
};

use crate::{Error, Transaction, parameter};

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
    let target = target(tx, &table, &targets_of_create(request))?;
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
    let target = target(tx, &table, &targets_of_replace(request))?;
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

/// Parameters that name targets, with their values.
type Targets<'a> = [(&'static str, Option<&'a str>); 12];

macro_rules! targets {
    ($request:ident, $local:expr) => {
        [
            ("gatewayId", $request.gateway_id.as_deref()),
            ("instanceId", $request.instance_id.as_deref()),
            (
                "networkInterfaceId",
                $request.network_interface_id.as_deref(),
            ),
            ("localTarget", $local),
            ("natGatewayId", $request.nat_gateway_id.as_deref()),
            (
                "vpcPeeringConnectionId",
                $request.vpc_peering_connection_id.as_deref(),
            ),
            (
                "egressOnlyInternetGatewayId",
                $request.egress_only_internet_gateway_id.as_deref(),
            ),
            ("vpcEndpointId", $request.vpc_endpoint_id.as_deref()),
            ("transitGatewayId", $request.transit_gateway_id.as_deref()),
            ("localGatewayId", $request.local_gateway_id.as_deref()),
            ("carrierGatewayId", $request.carrier_gateway_id.as_deref()),
            (
                "coreNetworkArn",
                $request
                    .core_network_arn
                    .as_deref()
                    .or($request.odb_network_arn.as_deref()),
            ),
        ]
    };
}

fn targets_of_create(request: &CreateRouteRequest) -> Targets<'_> {
    targets!(request, None)
}

fn targets_of_replace(request: &ReplaceRouteRequest) -> Targets<'_> {
    targets!(
        request,
        (request.local_target == Some(true)).then_some("true")
    )
}

/// The one target that a request gives.
fn target(
    tx: &Transaction<'_>,
    table: &RouteTable,
    targets: &Targets<'_>,
) -> Result<RouteTarget, Error> {
    let mut given = targets
        .iter()
        .filter_map(|(name, value)| value.map(|value| (*name, value)));
    let Some((name, value)) = given.next() else {
        return Err(Error::new(
            "MissingParameter",
            "The request must contain exactly one of gatewayId, natGatewayId, networkInterfaceId, \
             vpcPeeringConnectionId, egressOnlyInternetGatewayId, transitGatewayId, \
             localGatewayId, carrierGatewayId, vpcEndpointId, coreNetworkArn or instanceId",
        ));
    };
    if let Some((other, _)) = given.next() {
        return Err(Error::InvalidParameterCombination(format!(
            "The parameters {name} and {other} cannot be used together"
        )));
    }
    let unknown =
        |code, what: &str| Error::new(code, format!("The {what} '{value}' does not exist"));
    match name {
        "gatewayId" => gateway(tx, table, value),
        "networkInterfaceId" => interface(tx, table, value.parse::<NetworkInterfaceId>()?),
        "instanceId" => instance(tx, table, value.parse::<InstanceId>()?),
        "localTarget" => Ok(RouteTarget::Local),
        "natGatewayId" => Err(unknown("InvalidNatGatewayID.NotFound", "natGateway ID")),
        "vpcPeeringConnectionId" => Err(unknown(
            "InvalidVpcPeeringConnectionID.NotFound",
            "vpcPeeringConnection ID",
        )),
        "egressOnlyInternetGatewayId" => Err(unknown("InvalidGatewayID.NotFound", "eigw ID")),
        "vpcEndpointId" => Err(unknown("InvalidVpcEndpointId.NotFound", "Vpc Endpoint Id")),
        _ => Err(Error::new(
            "UnsupportedOperation",
            format!("Routes with the parameter {name} are not supported."),
        )),
    }
}

fn gateway(tx: &Transaction<'_>, table: &RouteTable, value: &str) -> Result<RouteTarget, Error> {
    if value.starts_with("vgw-") {
        return Err(Error::new(
            "UnsupportedOperation",
            "Routes to virtual private gateways are not supported.",
        ));
    }
    let id = value.parse().ok();
    let Some(gateway) = id.and_then(|id| tx.find::<InternetGateway>(id).ok()) else {
        return Err(Error::new(
            "InvalidGatewayID.NotFound",
            format!("The gateway ID '{value}' does not exist"),
        ));
    };
    if gateway.vpc_id != Some(table.vpc_id) {
        return Err(Error::InvalidParameterValue(format!(
            "route table {} and network gateway {} belong to different networks",
            table.id, gateway.id
        )));
    }
    Ok(RouteTarget::InternetGateway(gateway.id))
}

fn interface(
    tx: &Transaction<'_>,
    table: &RouteTable,
    id: NetworkInterfaceId,
) -> Result<RouteTarget, Error> {
    if tx.find::<NetworkInterface>(id)?.vpc_id != table.vpc_id {
        return Err(Error::InvalidParameterValue(format!(
            "route table {} and interface {id} belong to different networks",
            table.id
        )));
    }
    Ok(RouteTarget::NetworkInterface(id))
}

fn instance(
    tx: &Transaction<'_>,
    table: &RouteTable,
    id: InstanceId,
) -> Result<RouteTarget, Error> {
    tx.find::<Instance>(id)?;
    match tx.state().interfaces_of(id).as_slice() {
        [one] => interface(tx, table, one.id),
        [] => Err(Error::new(
            "InvalidInstanceID",
            format!("There is no interface attached to instance '{id}'."),
        )),
        _ => Err(Error::new(
            "InvalidInstanceID",
            format!(
                "There are multiple interfaces attached to instance '{id}'. Please specify an \
                 interface ID for the operation instead."
            ),
        )),
    }
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
        _ => None,
    }
}

pub(super) fn shape(tx: &Transaction<'_>, vpc_id: VpcId, route: &Route) -> ec2_api::Route {
    let origin = match route.origin {
        RouteOrigin::CreateRouteTable => "CreateRouteTable",
        RouteOrigin::CreateRoute => "CreateRoute",
    };
    let state = match tx.state().route_state(vpc_id, &route.target) {
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
