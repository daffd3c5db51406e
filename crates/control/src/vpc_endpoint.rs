//! VPC endpoints (AWS PrivateLink Guide, "Gateway endpoints").

mod create;
mod describe;
mod gateway;
mod modify;
mod policy;
mod service;

use ec2_api::{
    DeleteVpcEndpointsRequest, DeleteVpcEndpointsResponse, UnsuccessfulItem, UnsuccessfulItemError,
};
use model::{RouteTableId, VpcEndpoint, VpcEndpointId, VpcEndpointKind};

pub(crate) use create::create_vpc_endpoint;
pub(crate) use describe::describe_vpc_endpoints;
pub(crate) use modify::modify_vpc_endpoint;
pub(crate) use service::describe_vpc_endpoint_services;

use crate::{Error, Transaction, parameter};

const TYPE: &str = "vpc-endpoint";

/// Deletes endpoints with their routes; tells which there were none of.
pub(crate) fn delete_vpc_endpoints(
    tx: &mut Transaction<'_>,
    request: &DeleteVpcEndpointsRequest,
) -> Result<DeleteVpcEndpointsResponse, Error> {
    let ids: Vec<VpcEndpointId> = parameter::ids(&request.vpc_endpoint_ids, "VpcEndpointId")?;
    let mut unsuccessful = Vec::new();
    for id in ids {
        match tx.take::<VpcEndpoint>(id) {
            Ok(endpoint) => {
                match &endpoint.kind {
                    VpcEndpointKind::Gateway(own) => gateway::delete(tx, own),
                }
                tx.delete::<VpcEndpoint>(id);
            }
            Err(error) => unsuccessful.push(not_deleted(id, &error)),
        }
    }
    Ok(DeleteVpcEndpointsResponse { unsuccessful })
}

/// This action has a spelling of its own for endpoints that do not exist.
fn not_deleted(id: VpcEndpointId, error: &Error) -> UnsuccessfulItem {
    UnsuccessfulItem {
        error: Some(UnsuccessfulItemError {
            code: Some("InvalidVpcEndpoint.NotFound".to_owned()),
            message: Some(error.to_string()),
        }),
        resource_id: Some(id.to_string()),
    }
}

/// Lets endpoints forget a route table that goes away, with its routes to them.
pub(crate) fn forget_route_table(tx: &mut Transaction<'_>, id: RouteTableId) {
    let endpoints: Vec<VpcEndpoint> = tx.rows::<VpcEndpoint>().cloned().collect();
    for mut endpoint in endpoints {
        let VpcEndpointKind::Gateway(own) = &mut endpoint.kind;
        if own.route_table_ids.contains(&id) {
            own.route_table_ids.retain(|table| *table != id);
            tx.put(endpoint.id, endpoint);
        }
    }
}
