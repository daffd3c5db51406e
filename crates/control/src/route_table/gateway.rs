//! Route tables of gateways (Amazon VPC User Guide, "Gateway route tables" and "Regional NAT gateways for automatic
//! multi-AZ expansion").

use model::{Destination, InternetGateway, InternetGatewayId, RouteTable, RouteTarget, Vpc};

use super::destination::{blocks, is_subnet};
use crate::{Error, Transaction};

/// The gateway that a parameter names, attached to the table's VPC.
pub(super) fn find(
    tx: &Transaction<'_>,
    table: &RouteTable,
    text: &str,
) -> Result<InternetGatewayId, Error> {
    if text.starts_with("vgw-") {
        return Err(Error::new(
            "UnsupportedOperation",
            "Virtual private gateways are not supported.",
        ));
    }
    let id = text.parse().ok();
    let Some(gateway) = id.and_then(|id| tx.find::<InternetGateway>(id).ok()) else {
        return Err(Error::new(
            "InvalidGatewayID.NotFound",
            format!("The gateway ID '{text}' does not exist"),
        ));
    };
    if gateway.vpc_id != Some(table.vpc_id) {
        return Err(Error::InvalidParameterValue(format!(
            "route table {} and network gateway {} belong to different networks",
            table.id, gateway.id
        )));
    }
    Ok(gateway.id)
}

/// Whether a table rules what comes in through a gateway.
pub(super) fn rules_gateway(table: &RouteTable) -> bool {
    table.associations.iter().any(|a| a.gateway_id.is_some())
}

/// Whether a table can rule what comes in through a gateway.
pub(super) fn check_table(tx: &Transaction<'_>, table: &RouteTable) -> Result<(), Error> {
    if table.is_main() {
        return Err(Error::InvalidParameterValue(format!(
            "The main route table {} cannot be associated with a gateway.",
            table.id
        )));
    }
    let mut routes = table.routes.iter();
    routes.try_for_each(|route| check_route(tx, table, route.destination, route.target))
}

/// Whether the table of a gateway can have a route.
pub(super) fn check_route(
    tx: &Transaction<'_>,
    table: &RouteTable,
    destination: Destination,
    target: RouteTarget,
) -> Result<(), Error> {
    match target {
        RouteTarget::Local => return Ok(()),
        RouteTarget::NetworkInterface(_) => {}
        other => {
            return Err(unsupported(&format!("target: {other}")));
        }
    }
    let vpc = tx.find::<Vpc>(table.vpc_id)?;
    let net = destination.net();
    if net.is_some_and(|net| blocks(vpc).any(|own| own == net) || is_subnet(tx, vpc, net)) {
        return Ok(());
    }
    Err(unsupported(&format!("destination: {destination}")))
}

/// Whether the table of a regional NAT gateway can have a route with a target: it leads to the internet and back to hosts
/// and middleboxes.
pub(super) fn check_nat_gateway_route(target: RouteTarget) -> Result<(), Error> {
    match target {
        RouteTarget::Local | RouteTarget::InternetGateway(_) | RouteTarget::NetworkInterface(_) => {
            Ok(())
        }
        other => Err(unsupported(&format!("target: {other}"))),
    }
}

fn unsupported(what: &str) -> Error {
    Error::new(
        "RouteNotSupported",
        format!("Route table contains unsupported route {what}."),
    )
}
