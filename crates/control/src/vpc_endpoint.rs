//! VPC endpoints (AWS PrivateLink Guide, "Gateway endpoints" and "Interface endpoints").

mod create;
mod describe;
mod gateway;
mod hosted_zone;
mod interface;
mod life;
mod modify;
mod policy;
mod private_dns;
mod service;
mod subnet;

use ec2_api::{
    DeleteVpcEndpointsRequest, DeleteVpcEndpointsResponse, UnsuccessfulItem, UnsuccessfulItemError,
};
use model::{RouteTableId, VpcEndpoint, VpcEndpointId, VpcEndpointKind, VpcEndpointState};

pub(crate) use create::create_vpc_endpoint;
pub(crate) use describe::describe_vpc_endpoints;
pub(crate) use life::{due, tick};
pub(crate) use modify::modify_vpc_endpoint;
pub(crate) use service::describe_vpc_endpoint_services;

use crate::{Error, Transaction, parameter};

const TYPE: &str = "vpc-endpoint";

/// Deletes endpoints with their routes and interfaces; tells which could not be deleted.
pub(crate) fn delete_vpc_endpoints(
    tx: &mut Transaction<'_>,
    request: &DeleteVpcEndpointsRequest,
) -> Result<DeleteVpcEndpointsResponse, Error> {
    let ids: Vec<VpcEndpointId> = parameter::ids(&request.vpc_endpoint_ids, "VpcEndpointId")?;
    let mut unsuccessful = Vec::new();
    for id in ids {
        if let Err((code, error)) = delete(tx, id) {
            unsuccessful.push(not_deleted(id, code, &error));
        }
    }
    Ok(DeleteVpcEndpointsResponse { unsuccessful })
}

/// This action has a spelling of its own for endpoints that do not exist.
fn delete(tx: &mut Transaction<'_>, id: VpcEndpointId) -> Result<(), (&'static str, Error)> {
    let endpoint = tx.take::<VpcEndpoint>(id);
    let endpoint = endpoint.map_err(|error| ("InvalidVpcEndpoint.NotFound", error))?;
    match &endpoint.kind {
        VpcEndpointKind::Gateway(_) if private_dns::needs_gateway(tx, &endpoint) => {
            let message = format!(
                "The VPC endpoint {id} cannot be deleted: an Interface endpoint for the service \
                 has PrivateDnsOnlyForInboundResolverEndpoint set to true."
            );
            let error = interface::invalid(message);
            return Err((error.code(), error));
        }
        VpcEndpointKind::Gateway(own) => {
            gateway::delete(tx, own);
            tx.delete::<VpcEndpoint>(id);
        }
        VpcEndpointKind::Interface(_) if endpoint.state == VpcEndpointState::Deleting => {}
        VpcEndpointKind::Interface(_) => life::enter(tx, endpoint, VpcEndpointState::Deleting),
    }
    Ok(())
}

fn not_deleted(id: VpcEndpointId, code: &str, error: &Error) -> UnsuccessfulItem {
    UnsuccessfulItem {
        error: Some(UnsuccessfulItemError {
            code: Some(code.to_owned()),
            message: Some(error.to_string()),
        }),
        resource_id: Some(id.to_string()),
    }
}

/// Lets endpoints forget a route table that goes away, with its routes to them.
pub(crate) fn forget_route_table(tx: &mut Transaction<'_>, id: RouteTableId) {
    let endpoints: Vec<VpcEndpoint> = tx.rows::<VpcEndpoint>().cloned().collect();
    for mut endpoint in endpoints {
        let VpcEndpointKind::Gateway(own) = &mut endpoint.kind else {
            continue;
        };
        if own.route_table_ids.contains(&id) {
            own.route_table_ids.retain(|table| *table != id);
            tx.put(endpoint.id, endpoint);
        }
    }
}
