//! Attributes of load balancers (API Reference, "LoadBalancerAttribute").

use elbv2_api::{
    DescribeCapacityReservationRequest, DescribeCapacityReservationResponse,
    DescribeLoadBalancerAttributesRequest, DescribeLoadBalancerAttributesResponse,
    LoadBalancerAttribute, ModifyLoadBalancerAttributesRequest,
    ModifyLoadBalancerAttributesResponse,
};
use model::LoadBalancer;

use super::super::arn;
use super::super::attribute::{Fixed, boolean, fixed, pair};
use crate::{Error, Transaction};

pub(crate) fn modify_load_balancer_attributes(
    tx: &mut Transaction<'_>,
    request: &ModifyLoadBalancerAttributesRequest,
) -> Result<ModifyLoadBalancerAttributesResponse, Error> {
    let mut row = arn::load_balancer(tx, &request.load_balancer_arn)?.clone();
    for attribute in &request.attributes {
        let (key, value) = pair(&attribute.key, &attribute.value)?;
        match key {
            DELETION_PROTECTION => row.deletion_protection = boolean(key, value)?,
            CROSS_ZONE => row.cross_zone = boolean(key, value)?,
            _ => fixed(key, value, FIXED)?,
        }
    }
    let attributes = shape(&row);
    tx.put(row.id, row);
    Ok(ModifyLoadBalancerAttributesResponse { attributes })
}

pub(crate) fn describe_load_balancer_attributes(
    tx: &mut Transaction<'_>,
    request: &DescribeLoadBalancerAttributesRequest,
) -> Result<DescribeLoadBalancerAttributesResponse, Error> {
    let row = arn::load_balancer(tx, &request.load_balancer_arn)?;
    Ok(DescribeLoadBalancerAttributesResponse {
        attributes: shape(row),
    })
}

/// No load balancer here has reserved any capacity, which Terraform asks of each.
pub(crate) fn describe_capacity_reservation(
    tx: &mut Transaction<'_>,
    request: &DescribeCapacityReservationRequest,
) -> Result<DescribeCapacityReservationResponse, Error> {
    arn::load_balancer(tx, &request.load_balancer_arn)?;
    Ok(DescribeCapacityReservationResponse::default())
}

fn shape(row: &LoadBalancer) -> Vec<LoadBalancerAttribute> {
    let own = [
        (DELETION_PROTECTION, row.deletion_protection.to_string()),
        (CROSS_ZONE, row.cross_zone.to_string()),
    ];
    let rest = FIXED.iter().map(|(key, value)| (*key, (*value).to_owned()));
    own.into_iter()
        .chain(rest)
        .map(|(key, value)| LoadBalancerAttribute {
            key: Some(key.to_owned()),
            value: Some(value),
        })
        .collect()
}

const DELETION_PROTECTION: &str = "deletion_protection.enabled";
const CROSS_ZONE: &str = "load_balancing.cross_zone.enabled";
const FIXED: &[Fixed] = &[
    ("access_logs.s3.enabled", "false"),
    ("access_logs.s3.bucket", ""),
    ("access_logs.s3.prefix", ""),
    ("dns_record.client_routing_policy", "any_availability_zone"),
    ("ipv6.deny_all_igw_traffic", "false"),
    ("secondary_ips.auto_assigned.per_subnet", "0"),
    ("zonal_shift.config.enabled", "false"),
];
