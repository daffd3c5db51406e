//! New endpoints.

use ::policy::Kind;
use ec2_api::{CreateVpcEndpointRequest, CreateVpcEndpointResponse, DnsOptionsSpecification};
use model::{
    AwsPrefixList, GatewayEndpoint, RouteTableId, Vpc, VpcEndpoint, VpcEndpointId, VpcEndpointKind,
    VpcEndpointState, VpcId,
};

use super::service::{self, GATEWAY, INTERFACE};
use super::{TYPE, describe, gateway, interface, policy};
use crate::tag::from_specifications;
use crate::{Error, Transaction, parameter, token};

const ACTION: &str = "CreateVpcEndpoint";
/// Of types that there are not, and of changes that an endpoint's type does not have.
pub(super) const INVALID_TYPE: &str = "InvalidVpcEndpointType";
const TYPES: &[&str] = &[
    GATEWAY,
    INTERFACE,
    "GatewayLoadBalancer",
    "Resource",
    "ServiceNetwork",
];

/// Creates an endpoint.
pub(crate) fn create_vpc_endpoint(
    tx: &mut Transaction<'_>,
    request: &CreateVpcEndpointRequest,
) -> Result<CreateVpcEndpointResponse, Error> {
    let plain = CreateVpcEndpointRequest {
        client_token: None,
        dry_run: None,
        ..request.clone()
    };
    let id = token::once(tx, ACTION, &request.client_token, &plain, |tx| {
        create(tx, request)
    })?;
    Ok(CreateVpcEndpointResponse {
        vpc_endpoint: Some(describe::shape(tx, tx.find(id)?)),
        client_token: request.client_token.clone(),
    })
}

fn create(
    tx: &mut Transaction<'_>,
    request: &CreateVpcEndpointRequest,
) -> Result<VpcEndpointId, Error> {
    parameter::refuse_unsupported(&[
        (request.service_network_arn.is_some(), "serviceNetworkArn"),
        (
            request.resource_configuration_arn.is_some(),
            "resourceConfigurationArn",
        ),
    ])?;
    let kind = request.vpc_endpoint_type.as_deref().unwrap_or(GATEWAY);
    let known = parameter::one_of(kind, "VpcEndpointType", TYPES);
    match known.map_err(|error| Error::new(INVALID_TYPE, error.to_string()))? {
        GATEWAY => create_gateway(tx, request),
        INTERFACE => interface::create(tx, request),
        kind => Err(Error::new(
            "UnsupportedOperation",
            format!("VPC endpoints of type {kind} are not supported."),
        )),
    }
}

fn create_gateway(
    tx: &mut Transaction<'_>,
    request: &CreateVpcEndpointRequest,
) -> Result<VpcEndpointId, Error> {
    check_gateway(tx, request)?;
    let vpc_id: VpcId = parameter::id(&request.vpc_id, "VpcId")?;
    let service_name = parameter::required(&request.service_name, "ServiceName")?;
    let tables = parameter::optional_ids::<RouteTableId>(&request.route_table_ids)?;
    service::find(tx, service_name, GATEWAY)?;
    let list = AwsPrefixList::with_name(tx.scope().region, service_name)
        .ok_or_else(|| service::unknown(service_name))?;
    let policy_document = policy::parse(&request.policy_document, Kind::GatewayEndpoint)?;
    let tags = from_specifications(tx, &request.tag_specifications, TYPE, &[TYPE])?;
    tx.find::<Vpc>(vpc_id)?;
    let gateways = tx
        .rows::<VpcEndpoint>()
        .filter(|e| e.gateway().is_some())
        .count();
    tx.quotas().gateway_endpoints(gateways)?;
    let mut own = GatewayEndpoint {
        prefix_list_id: list.id(),
        route_table_ids: Vec::new(),
    };
    let mut endpoint = VpcEndpoint {
        id: tx.id(),
        vpc_id,
        service_name: service_name.clone(),
        kind: VpcEndpointKind::Gateway(own.clone()),
        state: VpcEndpointState::Available,
        policy_document,
        created_at: tx.now(),
        tags,
    };
    let tables = once_each(tables);
    gateway::add_route_tables(tx, &endpoint, &mut own, &tables)?;
    endpoint.kind = VpcEndpointKind::Gateway(own);
    let id = endpoint.id;
    tx.put(id, endpoint);
    Ok(id)
}

/// Refuses what gateway endpoints do not have.
fn check_gateway(tx: &Transaction<'_>, request: &CreateVpcEndpointRequest) -> Result<(), Error> {
    let subnets = !request.subnet_ids.is_empty() || !request.subnet_configurations.is_empty();
    check_interface_only(
        "InvalidParameter",
        subnets,
        !request.security_group_ids.is_empty(),
        request.private_dns_enabled,
    )?;
    let region = tx.scope().region.name();
    if request
        .service_region
        .as_deref()
        .is_some_and(|own| own != region)
    {
        return Err(Error::new(
            "InvalidParameter",
            "Service Region is only supported for Interface type VPC Endpoint.",
        ));
    }
    check_address_type(&request.ip_address_type)?;
    check_dns_options(&request.dns_options)
}

/// Refuses what only endpoints with network interfaces have.
pub(super) fn check_interface_only(
    code: &'static str,
    subnets: bool,
    groups: bool,
    private_dns_enabled: Option<bool>,
) -> Result<(), Error> {
    let given = [
        (subnets, "Subnet IDs are"),
        (groups, "Security group IDs are"),
        (private_dns_enabled == Some(true), "Private DNS is"),
    ];
    match given.iter().find(|(given, _)| *given) {
        None => Ok(()),
        Some((_, what)) => Err(Error::new(
            code,
            format!("{what} only supported for Interface type VPC Endpoint."),
        )),
    }
}

pub(super) fn check_address_type(given: &Option<String>) -> Result<(), Error> {
    let Some(text) = given else {
        return Ok(());
    };
    match parameter::one_of(text, "IpAddressType", &["ipv4", "dualstack", "ipv6"])? {
        "ipv4" => Ok(()),
        other => Err(Error::new(
            "UnsupportedOperation",
            format!("Gateway endpoints with the IP address type {other} are not supported."),
        )),
    }
}

pub(super) fn check_dns_options(given: &Option<DnsOptionsSpecification>) -> Result<(), Error> {
    let Some(options) = given else {
        return Ok(());
    };
    parameter::refuse_unsupported(&[
        (
            options.private_dns_only_for_inbound_resolver_endpoint == Some(true),
            "dnsOptions.privateDnsOnlyForInboundResolverEndpoint",
        ),
        (
            options.private_dns_preference.is_some(),
            "dnsOptions.privateDnsPreference",
        ),
        (
            !options.private_dns_specified_domains.is_empty(),
            "dnsOptions.privateDnsSpecifiedDomain",
        ),
    ])?;
    let Some(text) = &options.dns_record_ip_type else {
        return Ok(());
    };
    let known = ["ipv4", "dualstack", "ipv6", describe::SERVICE_DEFINED];
    match parameter::one_of(text, "DnsRecordIpType", &known)? {
        describe::SERVICE_DEFINED => Ok(()),
        other => Err(Error::new(
            "UnsupportedOperation",
            format!("Gateway endpoints with the DNS record type {other} are not supported."),
        )),
    }
}

/// Ids in their order, without repetitions.
pub(super) fn once_each<T: PartialEq>(ids: Vec<T>) -> Vec<T> {
    let mut once: Vec<T> = Vec::new();
    for id in ids {
        if !once.contains(&id) {
            once.push(id);
        }
    }
    once
}
