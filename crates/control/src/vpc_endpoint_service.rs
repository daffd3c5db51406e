//! Endpoint services, as their owners see them (AWS PrivateLink Guide, "Share your services through AWS PrivateLink").

mod configuration;
mod connection;
mod permission;
mod shape;

use ec2_api::{UnsuccessfulItem, UnsuccessfulItemError};
use model::{LoadBalancerId, ResourceId, VpcEndpointService};

use crate::{Error, Transaction};

pub(crate) use configuration::{
    create_vpc_endpoint_service_configuration, delete_vpc_endpoint_service_configurations,
    describe_vpc_endpoint_service_configurations, modify_vpc_endpoint_service_configuration,
};
pub(crate) use connection::{
    accept_vpc_endpoint_connections, describe_vpc_endpoint_connections,
    reject_vpc_endpoint_connections,
};
pub(crate) use permission::{
    describe_vpc_endpoint_service_permissions, modify_vpc_endpoint_service_permissions,
};

/// The service that a load balancer stands for, if any.
pub(crate) fn of_load_balancer<'t>(
    tx: &'t Transaction<'_>,
    id: LoadBalancerId,
) -> Option<&'t VpcEndpointService> {
    let mut services = tx.rows::<VpcEndpointService>();
    services.find(|service| service.load_balancers.contains(&id))
}

/// What could not be done for one of several resources.
fn unsuccessful(
    id: impl Into<ResourceId>,
    code: &str,
    message: impl Into<String>,
) -> UnsuccessfulItem {
    UnsuccessfulItem {
        error: Some(UnsuccessfulItemError {
            code: Some(code.to_owned()),
            message: Some(message.into()),
        }),
        resource_id: Some(id.into().to_string()),
    }
}

/// Parameters that AWS refuses for what they mean.
fn invalid(message: impl Into<String>) -> Error {
    Error::new("InvalidParameter", message)
}
