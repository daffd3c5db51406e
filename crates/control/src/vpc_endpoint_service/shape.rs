//! Endpoint services as answers show them.

use ec2_api::{ServiceConfiguration, ServiceTypeDetail, SupportedRegionDetail};
use model::{AvailabilityZone, LoadBalancer, LoadBalancerId, VpcEndpointService};

use crate::{Transaction, tag};

/// The whole service.
pub(super) fn service(tx: &Transaction<'_>, row: &VpcEndpointService) -> ServiceConfiguration {
    let region = tx.scope().region;
    let zones = zones(tx, row);
    ServiceConfiguration {
        service_type: vec![ServiceTypeDetail {
            service_type: Some("Interface".to_owned()),
        }],
        service_id: Some(row.id.to_string()),
        service_name: Some(row.name(region)),
        service_state: Some(STATE.to_owned()),
        availability_zone_ids: zones.iter().map(|zone| zone.zone_id()).collect(),
        availability_zones: zones.iter().map(ToString::to_string).collect(),
        acceptance_required: Some(row.acceptance_required),
        manages_vpc_endpoints: Some(false),
        network_load_balancer_arns: load_balancer_arns(tx, &row.load_balancers),
        supported_ip_address_types: vec!["ipv4".to_owned()],
        base_endpoint_dns_names: vec![row.base_dns_name(region)],
        tags: tag::tag_set(&row.tags),
        supported_regions: vec![SupportedRegionDetail {
            region: Some(region.to_string()),
            service_state: Some(STATE.to_owned()),
        }],
        remote_access_enabled: Some(false),
        ..Default::default()
    }
}

/// The ARNs of load balancers.
pub(super) fn load_balancer_arns(tx: &Transaction<'_>, ids: &[LoadBalancerId]) -> Vec<String> {
    let rows = ids
        .iter()
        .filter_map(|id| tx.state().load_balancers.get(id));
    rows.map(|row| row.arn(tx.scope())).collect()
}

/// The zones that any of the load balancers has a node in.
fn zones(tx: &Transaction<'_>, row: &VpcEndpointService) -> Vec<AvailabilityZone> {
    let balancers = row.load_balancers.iter();
    let balancers = balancers.filter_map(|id| tx.state().load_balancers.get(id));
    let nodes = balancers.flat_map(|of: &LoadBalancer| of.nodes.iter().map(|node| node.zone));
    nodes
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect()
}

/// Services work from the moment they are made.
pub(super) const STATE: &str = "Available";
