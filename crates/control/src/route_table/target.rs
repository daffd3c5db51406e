//! Targets of routes (Amazon VPC User Guide, "Example routing options").

use ec2_api::{CreateRouteRequest, ReplaceRouteRequest};
use model::{
    Instance, InstanceId, InternetGateway, NetworkInterface, NetworkInterfaceId, RouteTable,
    RouteTarget, VpcPeeringConnectionId,
};

use crate::{Error, Transaction, vpc_peering_connection};

/// Parameters that name targets, with their values.
pub(super) type Targets<'a> = [(&'static str, Option<&'a str>); 13];

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
            ("coreNetworkArn", $request.core_network_arn.as_deref()),
            ("odbNetworkArn", $request.odb_network_arn.as_deref()),
        ]
    };
}

/// The targets of a CreateRoute request.
pub(super) fn of_create(request: &CreateRouteRequest) -> Targets<'_> {
    targets!(request, None)
}

/// The targets of a ReplaceRoute request.
pub(super) fn of_replace(request: &ReplaceRouteRequest) -> Targets<'_> {
    targets!(
        request,
        (request.local_target == Some(true)).then_some("true")
    )
}

/// The one target that a request gives.
pub(super) fn parse(
    tx: &mut Transaction<'_>,
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
        "vpcPeeringConnectionId" => peering(tx, table, value.parse()?),
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

/// A connection that is not active is a target too: the route is a blackhole until it is.
fn peering(
    tx: &mut Transaction<'_>,
    table: &RouteTable,
    id: VpcPeeringConnectionId,
) -> Result<RouteTarget, Error> {
    let peering = vpc_peering_connection::find(tx, id)?;
    if peering.other(table.vpc_id).is_none() {
        return Err(Error::InvalidParameterValue(format!(
            "route table {} and peering connection {id} belong to different networks",
            table.id
        )));
    }
    Ok(RouteTarget::VpcPeeringConnection(id))
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
