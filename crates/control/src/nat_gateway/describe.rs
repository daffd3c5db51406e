//! DescribeNatGateways, and gateways as answers show them.

use ec2_api::{DescribeNatGatewaysRequest, DescribeNatGatewaysResponse};
use model::{
    AvailabilityZone, Connectivity, NatGateway, NatGatewayAddress, NatGatewayState, Subnet,
};

use crate::filter::Filters;
use crate::page::Page;
use crate::{Error, Transaction, tag};

const FILTERS: &[&str] = &["nat-gateway-id", "state", "subnet-id", "vpc-id"];

/// Lists gateways, for a while also those that have failed or are gone.
pub(crate) fn describe_nat_gateways(
    tx: &mut Transaction<'_>,
    request: &DescribeNatGatewaysRequest,
) -> Result<DescribeNatGatewaysResponse, Error> {
    let ids = &request.nat_gateway_ids;
    let filters = Filters::parse(&request.filter, FILTERS)?;
    let page = Page::parse(
        request.max_results,
        &request.next_token,
        !ids.is_empty(),
        Page::USUAL,
    )?;
    let mut rows = tx.select::<NatGateway>(ids)?;
    rows.retain(|gateway| {
        filters.matches(&gateway.tags, |name| {
            vec![match name {
                "nat-gateway-id" => gateway.id.to_string(),
                "state" => gateway.state.name().to_owned(),
                "subnet-id" => gateway.subnet_id.to_string(),
                _ => gateway.vpc_id.to_string(),
            }]
        })
    });
    let (rows, next_token) = page.take(rows, |gateway| gateway.id.to_string());
    Ok(DescribeNatGatewaysResponse {
        nat_gateways: rows.into_iter().map(|g| shape(tx, g)).collect(),
        next_token,
    })
}

pub(super) fn shape(tx: &Transaction<'_>, gateway: &NatGateway) -> ec2_api::NatGateway {
    let failure = gateway.failure.as_ref();
    // Why it will fail is not told before it has.
    let failure = failure.filter(|_| gateway.state != NatGatewayState::Pending);
    ec2_api::NatGateway {
        nat_gateway_id: Some(gateway.id.to_string()),
        subnet_id: Some(gateway.subnet_id.to_string()),
        vpc_id: Some(gateway.vpc_id.to_string()),
        state: Some(gateway.state.name().to_owned()),
        connectivity_type: Some(gateway.connectivity.name().to_owned()),
        availability_mode: Some("zonal".to_owned()),
        create_time: Some(gateway.created_at.to_string()),
        delete_time: gateway.deleted_at.map(|at| at.to_string()),
        failure_code: failure.map(|(code, _)| code.clone()),
        failure_message: failure.map(|(_, message)| message.clone()),
        nat_gateway_addresses: addresses(tx, gateway),
        tags: tag::tag_set(&gateway.tags),
        ..Default::default()
    }
}

pub(super) fn addresses(
    tx: &Transaction<'_>,
    gateway: &NatGateway,
) -> Vec<ec2_api::NatGatewayAddress> {
    let numbered = gateway.addresses.iter().enumerate();
    numbered
        .map(|(position, a)| address(tx, gateway, position == 0, a))
        .collect()
}

fn address(
    tx: &Transaction<'_>,
    gateway: &NatGateway,
    is_primary: bool,
    address: &NatGatewayAddress,
) -> ec2_api::NatGatewayAddress {
    let elastic = address.elastic.as_ref();
    let zone = tx.find::<Subnet>(gateway.subnet_id).ok().map(|s| s.zone);
    ec2_api::NatGatewayAddress {
        allocation_id: elastic.map(|e| e.allocation_id.to_string()),
        association_id: elastic
            .and_then(|e| e.association_id)
            .map(|id| id.to_string()),
        network_interface_id: address.network_interface_id.map(|id| id.to_string()),
        private_ip: address.private_ip.map(|a| a.to_string()),
        public_ip: elastic.map(|e| e.public_ip.to_string()),
        is_primary: Some(is_primary),
        status: Some(status(gateway, address).to_owned()),
        availability_zone: zone.map(|z| z.to_string()),
        availability_zone_id: zone.map(AvailabilityZone::zone_id),
        ..Default::default()
    }
}

fn status(gateway: &NatGateway, address: &NatGatewayAddress) -> &'static str {
    let is_public = gateway.connectivity == Connectivity::Public;
    match (gateway.state, address.draining, is_public) {
        (NatGatewayState::Failed, ..) => "failed",
        (NatGatewayState::Pending, _, true) => "associating",
        (NatGatewayState::Pending, _, false) => "assigning",
        (_, Some(_), true) => "disassociating",
        (_, Some(_), false) => "unassigning",
        (_, None, _) => "succeeded",
    }
}
