//! Endpoint services: what their owners make of load balancers.

use ec2_api::{
    CreateVpcEndpointServiceConfigurationRequest, CreateVpcEndpointServiceConfigurationResponse,
    DeleteVpcEndpointServiceConfigurationsRequest, DeleteVpcEndpointServiceConfigurationsResponse,
    DescribeVpcEndpointServiceConfigurationsRequest,
    DescribeVpcEndpointServiceConfigurationsResponse, ModifyVpcEndpointServiceConfigurationRequest,
    ModifyVpcEndpointServiceConfigurationResponse,
};
use model::{LoadBalancerId, VpcEndpointService, VpcEndpointServiceId};

use super::{connection, invalid, of_load_balancer, shape, unsuccessful};
use crate::filter::Filters;
use crate::page::Page;
use crate::{Error, Transaction, elbv2, parameter, tag, token};

const ACTION: &str = "CreateVpcEndpointServiceConfiguration";
const TYPE: &str = "vpc-endpoint-service";

/// Without a word on it, the owner has to accept each endpoint.
pub(crate) fn create_vpc_endpoint_service_configuration(
    tx: &mut Transaction<'_>,
    request: &CreateVpcEndpointServiceConfigurationRequest,
) -> Result<CreateVpcEndpointServiceConfigurationResponse, Error> {
    parameter::refuse_unsupported(&[
        (
            !request.gateway_load_balancer_arns.is_empty(),
            "GatewayLoadBalancerArn",
        ),
        (request.private_dns_name.is_some(), "PrivateDnsName"),
        (
            has_other(&request.supported_ip_address_types, "ipv4"),
            "SupportedIpAddressType",
        ),
        (
            has_other(&request.supported_regions, tx.scope().region.name()),
            "SupportedRegion",
        ),
    ])?;
    let without_token = CreateVpcEndpointServiceConfigurationRequest {
        client_token: None,
        dry_run: None,
        ..request.clone()
    };
    let id = token::once(tx, ACTION, &request.client_token, &without_token, |tx| {
        if request.network_load_balancer_arns.is_empty() {
            return Err(Error::MissingParameter("NetworkLoadBalancerArn"));
        }
        tx.quotas()
            .vpc_endpoint_services(tx.state().vpc_endpoint_services.len())?;
        let id = tx.id();
        let load_balancers = free(tx, &request.network_load_balancer_arns)?;
        let tags = tag::from_specifications(tx, &request.tag_specifications, TYPE, &[TYPE])?;
        let row = VpcEndpointService {
            id,
            acceptance_required: request.acceptance_required.unwrap_or(true),
            load_balancers,
            allowed_principals: Vec::new(),
            created_at: tx.now(),
            tags,
        };
        tx.put(id, row);
        Ok(id)
    })?;
    Ok(CreateVpcEndpointServiceConfigurationResponse {
        service_configuration: Some(shape::service(tx, tx.find(id)?)),
        client_token: request.client_token.clone(),
    })
}

pub(crate) fn describe_vpc_endpoint_service_configurations(
    tx: &mut Transaction<'_>,
    request: &DescribeVpcEndpointServiceConfigurationsRequest,
) -> Result<DescribeVpcEndpointServiceConfigurationsResponse, Error> {
    let page = Page::parse(request.max_results, &request.next_token, false, 1..=1000)?;
    let filters = Filters::parse(&request.filters, FILTERS)?;
    let region = tx.scope().region;
    let mut rows = tx.select::<VpcEndpointService>(&request.service_ids)?;
    rows.retain(|row| {
        filters.matches(&row.tags, |name| {
            vec![match name {
                "service-name" => row.name(region),
                "service-id" => row.id.to_string(),
                "service-state" => shape::STATE.to_owned(),
                _ => "ipv4".to_owned(),
            }]
        })
    });
    let (rows, next_token) = page.take(rows, |row| row.id.to_string());
    Ok(DescribeVpcEndpointServiceConfigurationsResponse {
        service_configurations: rows.iter().map(|row| shape::service(tx, row)).collect(),
        next_token,
    })
}

pub(crate) fn modify_vpc_endpoint_service_configuration(
    tx: &mut Transaction<'_>,
    request: &ModifyVpcEndpointServiceConfigurationRequest,
) -> Result<ModifyVpcEndpointServiceConfigurationResponse, Error> {
    let gateways = [
        &request.add_gateway_load_balancer_arns,
        &request.remove_gateway_load_balancer_arns,
    ];
    let families = [
        &request.add_supported_ip_address_types,
        &request.remove_supported_ip_address_types,
    ];
    let regions = [
        &request.add_supported_regions,
        &request.remove_supported_regions,
    ];
    let given = |lists: [&Vec<String>; 2]| lists.iter().any(|list| !list.is_empty());
    parameter::refuse_unsupported(&[
        (given(gateways), "GatewayLoadBalancerArn"),
        (given(families), "SupportedIpAddressType"),
        (given(regions), "SupportedRegion"),
        (request.private_dns_name.is_some(), "PrivateDnsName"),
        (
            request.remove_private_dns_name == Some(true),
            "RemovePrivateDnsName",
        ),
    ])?;
    let id = parameter::id(&request.service_id, "ServiceId")?;
    let mut row = tx.take::<VpcEndpointService>(id)?;
    if let Some(required) = request.acceptance_required {
        row.acceptance_required = required;
    }
    for arn in &request.remove_network_load_balancer_arns {
        let gone = load_balancer(tx, arn)?;
        if !row.load_balancers.contains(&gone) {
            return Err(invalid(format!(
                "The Network Load Balancer '{arn}' is not associated with the service '{id}'"
            )));
        }
        row.load_balancers.retain(|one| *one != gone);
    }
    row.load_balancers
        .extend(free(tx, &request.add_network_load_balancer_arns)?);
    if row.load_balancers.is_empty() {
        return Err(invalid(
            "A service must have at least one Network Load Balancer",
        ));
    }
    tx.put(id, row);
    Ok(ModifyVpcEndpointServiceConfigurationResponse { r#return: None })
}

/// A service goes once no endpoint leads to it any more.
pub(crate) fn delete_vpc_endpoint_service_configurations(
    tx: &mut Transaction<'_>,
    request: &DeleteVpcEndpointServiceConfigurationsRequest,
) -> Result<DeleteVpcEndpointServiceConfigurationsResponse, Error> {
    let ids: Vec<VpcEndpointServiceId> = parameter::ids(&request.service_ids, "ServiceId")?;
    let mut refused = Vec::new();
    for id in ids {
        let Ok(row) = tx.take::<VpcEndpointService>(id) else {
            let message = Error::NotFound(id.into()).to_string();
            refused.push(unsuccessful(
                id,
                "InvalidVpcEndpointService.NotFound",
                message,
            ));
            continue;
        };
        if connection::has_live_one(tx, &row) {
            let message = format!("Service {id} has existing active VPC Endpoint connections!");
            refused.push(unsuccessful(id, "ExistingVpcEndpointConnections", message));
            continue;
        }
        tx.delete::<VpcEndpointService>(id);
    }
    Ok(DeleteVpcEndpointServiceConfigurationsResponse {
        unsuccessful: refused,
    })
}

/// Load balancers that no service has yet.
fn free(tx: &Transaction<'_>, arns: &[String]) -> Result<Vec<LoadBalancerId>, Error> {
    let mut free = Vec::new();
    for arn in arns {
        let id = load_balancer(tx, arn)?;
        if let Some(service) = of_load_balancer(tx, id) {
            let service = service.id;
            return Err(invalid(format!(
                "The Network Load Balancer '{arn}' is already associated with the service '{service}'"
            )));
        }
        if free.contains(&id) {
            return Err(invalid(format!(
                "The Network Load Balancer '{arn}' was specified more than once"
            )));
        }
        free.push(id);
    }
    Ok(free)
}

fn load_balancer(tx: &Transaction<'_>, arn: &str) -> Result<LoadBalancerId, Error> {
    elbv2::load_balancer_of_arn(tx, arn).ok_or_else(|| {
        Error::new(
            "NetworkLoadBalancerNotFoundException",
            format!("The Network Load Balancer '{arn}' does not exist"),
        )
    })
}

fn has_other(given: &[String], only: &str) -> bool {
    given.iter().any(|one| one != only)
}

const FILTERS: &[&str] = &[
    "service-id",
    "service-name",
    "service-state",
    "supported-ip-address-types",
];
