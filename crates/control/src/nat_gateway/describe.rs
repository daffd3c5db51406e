//! DescribeNatGateways, and gateways as answers show them.

use ec2_api::{DescribeNatGatewaysRequest, DescribeNatGatewaysResponse};
use model::{
    AvailabilityZone, Connectivity, NatGateway, NatGatewayAddress, NatGatewayState, Subnet,
};

use crate::filter::{Filters, optional};
use crate::page::Page;
use crate::{Error, Transaction, tag};

/// Why an automatic gateway has no address of its own for a zone.
const NO_ADDRESS: &str = "Not enough available addresses to satisfy your request.";

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
            optional(match name {
                "nat-gateway-id" => Some(gateway.id.to_string()),
                "state" => Some(gateway.state.name().to_owned()),
                "subnet-id" => gateway.subnet_id().map(|id| id.to_string()),
                _ => Some(gateway.vpc_id.to_string()),
            })
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
        subnet_id: gateway.subnet_id().map(|id| id.to_string()),
        vpc_id: Some(gateway.vpc_id.to_string()),
        state: Some(gateway.state.name().to_owned()),
        connectivity_type: Some(gateway.connectivity.name().to_owned()),
        availability_mode: Some(gateway.availability.name().to_owned()),
        // A zone's one address is all that the gateway takes by itself.
        auto_scaling_ips: gateway.is_regional().then(|| state_name(false)),
        auto_provision_zones: gateway
            .is_regional()
            .then(|| state_name(gateway.is_automatic())),
        route_table_id: gateway.route_table_id().map(|id| id.to_string()),
        create_time: Some(gateway.created_at.to_string()),
        delete_time: gateway.deleted_at.map(|at| at.to_string()),
        failure_code: failure.map(|(code, _)| code.clone()),
        failure_message: failure.map(|(_, message)| message.clone()),
        nat_gateway_addresses: addresses(tx, gateway),
        tags: tag::tag_set(&gateway.tags),
        ..Default::default()
    }
}

fn state_name(enabled: bool) -> String {
    let name = if enabled { "enabled" } else { "disabled" };
    name.to_owned()
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
    let home = gateway.subnet_id();
    let home = home.and_then(|id| tx.find::<Subnet>(id).ok());
    let zone = address.zone.or(home.map(|subnet| subnet.zone));
    let missing = gateway.is_regional() && elastic.is_none();
    ec2_api::NatGatewayAddress {
        allocation_id: elastic.map(|e| e.allocation_id.to_string()),
        association_id: elastic
            .and_then(|e| e.association_id)
            .map(|id| id.to_string()),
        network_interface_id: address.network_interface_id.map(|id| id.to_string()),
        private_ip: address.private_ip.map(|a| a.to_string()),
        public_ip: elastic.map(|e| e.public_ip.to_string()),
        is_primary: (!gateway.is_regional()).then_some(is_primary),
        failure_message: missing.then(|| NO_ADDRESS.to_owned()),
        status: Some(status(gateway, address).to_owned()),
        availability_zone: zone.map(|z| z.to_string()),
        availability_zone_id: zone.map(AvailabilityZone::zone_id),
    }
}

fn status(gateway: &NatGateway, address: &NatGatewayAddress) -> &'static str {
    let is_public = gateway.connectivity == Connectivity::Public;
    match (gateway.state, address.draining, is_public) {
        (NatGatewayState::Failed, ..) => "failed",
        _ if gateway.is_regional() && address.elastic.is_none() => "failed",
        (NatGatewayState::Pending, _, true) => "associating",
        (NatGatewayState::Pending, _, false) => "assigning",
        (_, Some(_), true) => "disassociating",
        (_, Some(_), false) => "unassigning",
        (_, None, _) => "succeeded",
    }
}
