//! Routes of gateway endpoints: each route table of an endpoint has one.

use model::{Destination, GatewayEndpoint, RouteTable, RouteTableId, RouteTarget, VpcEndpoint};

use crate::{Error, Transaction, route_table};

/// Adds an endpoint's route to route tables of its VPC.
pub(super) fn add_route_tables(
    tx: &mut Transaction<'_>,
    endpoint: &VpcEndpoint,
    own: &mut GatewayEndpoint,
    ids: &[RouteTableId],
) -> Result<(), Error> {
    let destination = Destination::PrefixList(own.prefix_list_id);
    for id in ids {
        let mut table = find(tx, *id)?;
        if table.vpc_id != endpoint.vpc_id {
            return Err(Error::new(
                "InvalidParameter",
                format!(
                    "Route table {id} does not belong to VPC {}",
                    endpoint.vpc_id
                ),
            ));
        }
        if table.route(&destination).is_some() {
            return Err(Error::new(
                "RouteAlreadyExists",
                format!(
                    "route table {id} already has a route with destination-prefix-list-id \
                     {destination}"
                ),
            ));
        }
        let target = RouteTarget::VpcEndpoint(endpoint.id);
        route_table::check_route(tx, &table, destination, target)?;
        route_table::add_route(tx, &mut table, destination, target)?;
        tx.put(*id, table);
        own.route_table_ids.push(*id);
    }
    Ok(())
}

/// Takes an endpoint's route out of route tables.
pub(super) fn remove_route_tables(
    tx: &mut Transaction<'_>,
    endpoint: &VpcEndpoint,
    own: &mut GatewayEndpoint,
    ids: &[RouteTableId],
) -> Result<(), Error> {
    for id in ids {
        let table = find(tx, *id)?;
        if !own.route_table_ids.contains(id) {
            return Err(Error::new(
                "InvalidParameter",
                format!(
                    "Route table {id} is not associated with VPC endpoint {}",
                    endpoint.id
                ),
            ));
        }
        remove_route(tx, table, own);
        own.route_table_ids.retain(|other| other != id);
    }
    Ok(())
}

/// Takes all routes of an endpoint out.
pub(super) fn delete(tx: &mut Transaction<'_>, own: &GatewayEndpoint) {
    for id in &own.route_table_ids {
        if let Ok(table) = find(tx, *id) {
            remove_route(tx, table, own);
        }
    }
}

fn remove_route(tx: &mut Transaction<'_>, mut table: RouteTable, own: &GatewayEndpoint) {
    let destination = Destination::PrefixList(own.prefix_list_id);
    table
        .routes
        .retain(|route| route.destination != destination);
    tx.put(table.id, table);
}

/// These actions have a spelling of their own for route tables that do not exist.
fn find(tx: &Transaction<'_>, id: RouteTableId) -> Result<RouteTable, Error> {
    tx.take::<RouteTable>(id)
        .map_err(|error| Error::new("InvalidRouteTableId.NotFound", error.to_string()))
}
