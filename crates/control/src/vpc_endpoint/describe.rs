//! Endpoints as they are listed.

use ec2_api::{
    DescribeVpcEndpointsRequest, DescribeVpcEndpointsResponse, DnsEntry, DnsOptions,
    SecurityGroupIdentifier,
};
use model::{InterfaceEndpoint, VpcEndpoint, VpcEndpointKind};

use super::{hosted_zone, policy};
use crate::filter::Filters;
use crate::page::Page;
use crate::tag::tag_set;
use crate::{Error, Transaction};

pub(super) const SERVICE_DEFINED: &str = "service-defined";
pub(super) const IPV4: &str = "ipv4";

const FILTERS: &[&str] = &[
    "ip-address-type",
    "service-name",
    "service-region",
    "vpc-endpoint-id",
    "vpc-endpoint-state",
    "vpc-endpoint-type",
    "vpc-id",
];

/// Lists endpoints.
pub(crate) fn describe_vpc_endpoints(
    tx: &mut Transaction<'_>,
    request: &DescribeVpcEndpointsRequest,
) -> Result<DescribeVpcEndpointsResponse, Error> {
    let ids = &request.vpc_endpoint_ids;
    let filters = Filters::parse(&request.filters, FILTERS)?;
    let page = Page::parse(
        request.max_results,
        &request.next_token,
        !ids.is_empty(),
        Page::USUAL,
    )?;
    let mut rows = tx.select::<VpcEndpoint>(ids)?;
    rows.retain(|endpoint| {
        filters.matches(&endpoint.tags, |name| {
            let value = match name {
                "ip-address-type" => IPV4.to_owned(),
                "service-name" => endpoint.service_name.clone(),
                "service-region" => tx.scope().region.to_string(),
                "vpc-endpoint-id" => endpoint.id.to_string(),
                "vpc-endpoint-state" => endpoint.state.to_string(),
                "vpc-endpoint-type" => endpoint.kind.to_string(),
                _ => endpoint.vpc_id.to_string(),
            };
            vec![value]
        })
    });
    let (rows, next_token) = page.take(rows, |endpoint| endpoint.id.to_string());
    Ok(DescribeVpcEndpointsResponse {
        vpc_endpoints: rows.into_iter().map(|e| shape(tx, e)).collect(),
        next_token,
    })
}

pub(super) fn shape(tx: &Transaction<'_>, endpoint: &VpcEndpoint) -> ec2_api::VpcEndpoint {
    let mut shape = ec2_api::VpcEndpoint {
        vpc_endpoint_id: Some(endpoint.id.to_string()),
        vpc_endpoint_type: Some(endpoint.kind.to_string()),
        vpc_id: Some(endpoint.vpc_id.to_string()),
        service_name: Some(endpoint.service_name.clone()),
        state: Some(endpoint.state.to_string()),
        policy_document: endpoint.policy_document.clone(),
        requester_managed: Some(false),
        creation_timestamp: Some(endpoint.created_at.to_string()),
        tags: tag_set(&endpoint.tags),
        owner_id: Some(tx.scope().account.to_string()),
        ..Default::default()
    };
    match &endpoint.kind {
        VpcEndpointKind::Gateway(own) => {
            let default = || policy::DEFAULT_OF_GATEWAY.to_owned();
            shape.policy_document.get_or_insert_with(default);
            shape.route_table_ids = own
                .route_table_ids
                .iter()
                .map(ToString::to_string)
                .collect();
            shape.private_dns_enabled = Some(false);
            shape.ip_address_type = Some(IPV4.to_owned());
            shape.dns_options = Some(DnsOptions {
                dns_record_ip_type: Some(SERVICE_DEFINED.to_owned()),
                ..Default::default()
            });
        }
        VpcEndpointKind::Interface(own) => show_interface(tx, endpoint, own, &mut shape),
    }
    shape
}

fn show_interface(
    tx: &Transaction<'_>,
    endpoint: &VpcEndpoint,
    own: &InterfaceEndpoint,
    shape: &mut ec2_api::VpcEndpoint,
) {
    if own.provider.is_none() {
        let default = || policy::DEFAULT_OF_INTERFACE.to_owned();
        shape.policy_document.get_or_insert_with(default);
    }
    let subnets = own.subnets.iter();
    shape.subnet_ids = subnets.clone().map(|s| s.subnet_id.to_string()).collect();
    shape.network_interface_ids = subnets
        .map(|s| s.network_interface_id.to_string())
        .collect();
    let groups = own.groups.iter().map(|id| SecurityGroupIdentifier {
        group_id: Some(id.to_string()),
        group_name: tx.state().security_groups.get(id).map(|g| g.name.clone()),
    });
    shape.groups = groups.collect();
    shape.private_dns_enabled = Some(own.private_dns_enabled);
    shape.ip_address_type = Some(IPV4.to_owned());
    shape.dns_options = Some(DnsOptions {
        dns_record_ip_type: Some(IPV4.to_owned()),
        private_dns_only_for_inbound_resolver_endpoint: Some(
            own.private_dns_only_for_inbound_resolver_endpoint,
        ),
        ..Default::default()
    });
    let region = tx.scope().region;
    let entry = |name: model::EndpointName| DnsEntry {
        hosted_zone_id: Some(hosted_zone::of(region, endpoint.id, name.leads_to)),
        dns_name: Some(name.name),
    };
    shape.dns_entries = endpoint.names(region).into_iter().map(entry).collect();
}
