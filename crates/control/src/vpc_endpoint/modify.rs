//! Changes of endpoints.

use ::policy::Kind;
use ec2_api::{ModifyVpcEndpointRequest, ModifyVpcEndpointResponse};
use model::{RouteTableId, VpcEndpoint, VpcEndpointId, VpcEndpointKind, VpcEndpointState};

use super::create::{
    INVALID_TYPE, check_address_type, check_dns_options, check_interface_only, once_each,
};
use super::{gateway, interface, policy};
use crate::{Error, Transaction, parameter};

/// Changes the policy of an endpoint, and what its type has.
pub(crate) fn modify_vpc_endpoint(
    tx: &mut Transaction<'_>,
    request: &ModifyVpcEndpointRequest,
) -> Result<ModifyVpcEndpointResponse, Error> {
    let id: VpcEndpointId = parameter::id(&request.vpc_endpoint_id, "VpcEndpointId")?;
    let added = parameter::optional_ids::<RouteTableId>(&request.add_route_table_ids)?;
    let removed = parameter::optional_ids::<RouteTableId>(&request.remove_route_table_ids)?;
    let reset = request.reset_policy == Some(true);
    if reset && request.policy_document.is_some() {
        return Err(Error::InvalidParameterCombination(
            "The parameters policyDocument and resetPolicy cannot be used together".to_owned(),
        ));
    }
    let mut endpoint = tx.take::<VpcEndpoint>(id)?;
    if endpoint.state == VpcEndpointState::Deleting {
        return Err(Error::new(
            "IncorrectState",
            format!("The VPC endpoint {id} is being deleted."),
        ));
    }
    let policy_kind = match &endpoint.kind {
        VpcEndpointKind::Gateway(_) => Kind::GatewayEndpoint,
        VpcEndpointKind::Interface(_) => Kind::InterfaceEndpoint,
    };
    let policy_document = policy::parse(&request.policy_document, policy_kind)?;
    if reset {
        endpoint.policy_document = None;
    }
    if policy_document.is_some() {
        endpoint.policy_document = policy_document;
    }
    let before = endpoint.clone();
    match &mut endpoint.kind {
        VpcEndpointKind::Gateway(own) => {
            check_gateway(request)?;
            gateway::remove_route_tables(tx, &before, own, &once_each(removed))?;
            gateway::add_route_tables(tx, &before, own, &once_each(added))?;
        }
        VpcEndpointKind::Interface(own) => interface::modify(tx, &before, own, request)?,
    }
    tx.put(id, endpoint);
    Ok(ModifyVpcEndpointResponse {
        r#return: Some(true),
    })
}

/// Refuses what gateway endpoints do not have.
fn check_gateway(request: &ModifyVpcEndpointRequest) -> Result<(), Error> {
    let subnets = !request.add_subnet_ids.is_empty()
        || !request.remove_subnet_ids.is_empty()
        || !request.subnet_configurations.is_empty();
    let groups =
        !request.add_security_group_ids.is_empty() || !request.remove_security_group_ids.is_empty();
    check_interface_only(INVALID_TYPE, subnets, groups, request.private_dns_enabled)?;
    check_address_type(&request.ip_address_type)?;
    check_dns_options(&request.dns_options)
}
