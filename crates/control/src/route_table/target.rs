//! Targets of routes (Amazon VPC User Guide, "Example routing options").

use std::fmt::Display;

use ec2_api::{CreateRouteRequest, ReplaceRouteRequest};
use model::{
    EgressOnlyInternetGateway, EgressOnlyInternetGatewayId, Id, Instance, InstanceId, NatGateway,
    NatGatewayId, NatGatewayState, NetworkInterface, NetworkInterfaceId, RouteTable, RouteTarget,
    VpcEndpoint, VpcEndpointId, VpcId, VpcPeeringConnectionId,
};

use super::gateway;
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
    match name {
        "gatewayId" => of_gateway(tx, table, value),
        "networkInterfaceId" => interface(tx, table, value.parse::<NetworkInterfaceId>()?),
        "instanceId" => instance(tx, table, value.parse::<InstanceId>()?),
        "localTarget" => Ok(RouteTarget::Local),
        "natGatewayId" => nat_gateway(tx, table, value.parse()?),
        "vpcPeeringConnectionId" => peering(tx, table, value.parse()?),
        "egressOnlyInternetGatewayId" => egress_only(tx, table, value.parse()?),
        "vpcEndpointId" => endpoint(tx, value),
        _ => Err(Error::new(
            "UnsupportedOperation",
            format!("Routes with the parameter {name} are not supported."),
        )),
    }
}

fn of_gateway(tx: &Transaction<'_>, table: &RouteTable, value: &str) -> Result<RouteTarget, Error> {
    if value.starts_with(VpcEndpointId::PREFIX) {
        return endpoint(tx, value);
    }
    gateway::find(tx, table, value).map(RouteTarget::InternetGateway)
}

/// Whether a VPC endpoint is among the targets.
pub(super) fn names_endpoint(targets: &Targets<'_>) -> bool {
    targets.iter().any(|(name, value)| {
        value.is_some() && *name == "vpcEndpointId"
            || value.is_some_and(|value| value.starts_with(VpcEndpointId::PREFIX))
    })
}

/// Only endpoints of Gateway Load Balancers, which there are none of, can be targets.
fn endpoint(tx: &Transaction<'_>, value: &str) -> Result<RouteTarget, Error> {
    let id = tx.find::<VpcEndpoint>(value.parse()?)?.id;
    Err(Error::new(
        "RouteNotSupported",
        format!(
            "Route table contains unsupported route target: {id}. VPC Endpoints of this type \
             cannot be used as route targets."
        ),
    ))
}

fn nat_gateway(
    tx: &Transaction<'_>,
    table: &RouteTable,
    id: NatGatewayId,
) -> Result<RouteTarget, Error> {
    let usable = [NatGatewayState::Pending, NatGatewayState::Available];
    let gateway = tx.find::<NatGateway>(id).ok();
    let Some(gateway) = gateway.filter(|g| usable.contains(&g.state)) else {
        return Err(Error::new(
            "InvalidNatGatewayID.NotFound",
            format!("The natGateway ID '{id}' does not exist"),
        ));
    };
    check_vpc(table, gateway.vpc_id, id)?;
    Ok(RouteTarget::NatGateway(id))
}

fn egress_only(
    tx: &Transaction<'_>,
    table: &RouteTable,
    id: EgressOnlyInternetGatewayId,
) -> Result<RouteTarget, Error> {
    check_vpc(table, tx.find::<EgressOnlyInternetGateway>(id)?.vpc_id, id)?;
    Ok(RouteTarget::EgressOnlyInternetGateway(id))
}

fn check_vpc(table: &RouteTable, vpc_id: VpcId, gateway: impl Display) -> Result<(), Error> {
    if vpc_id == table.vpc_id {
        return Ok(());
    }
    Err(Error::InvalidParameterValue(format!(
        "route table {} and network gateway {gateway} belong to different networks",
        table.id
    )))
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
