//! Attributes of target groups (API Reference, "TargetGroupAttribute").

use elbv2_api::{
    DescribeTargetGroupAttributesRequest, DescribeTargetGroupAttributesResponse,
    ModifyTargetGroupAttributesRequest, ModifyTargetGroupAttributesResponse, TargetGroupAttribute,
};
use model::TargetGroup;

use super::super::arn;
use super::super::attribute::{Fixed, boolean, fixed, number, pair};
use super::super::error::configuration;
use crate::{Error, Transaction};

pub(crate) fn modify_target_group_attributes(
    tx: &mut Transaction<'_>,
    request: &ModifyTargetGroupAttributesRequest,
) -> Result<ModifyTargetGroupAttributesResponse, Error> {
    let mut row = arn::target_group(tx, &request.target_group_arn)?.clone();
    for attribute in &request.attributes {
        let (key, value) = pair(&attribute.key, &attribute.value)?;
        set(&mut row, key, value)?;
    }
    let attributes = shape(&row);
    tx.put(row.id, row);
    Ok(ModifyTargetGroupAttributesResponse { attributes })
}

pub(crate) fn describe_target_group_attributes(
    tx: &mut Transaction<'_>,
    request: &DescribeTargetGroupAttributesRequest,
) -> Result<DescribeTargetGroupAttributesResponse, Error> {
    let row = arn::target_group(tx, &request.target_group_arn)?;
    Ok(DescribeTargetGroupAttributesResponse {
        attributes: shape(row),
    })
}

fn set(row: &mut TargetGroup, key: &str, value: &str) -> Result<(), Error> {
    let udp = row.protocol.has_udp();
    let attributes = &mut row.attributes;
    match key {
        PRESERVE_CLIENT_IP => {
            attributes.preserve_client_ip = boolean(key, value)?;
            if udp && !attributes.preserve_client_ip {
                return Err(configuration(format!(
                    "Client IP preservation cannot be disabled for target groups with the protocol '{}'",
                    row.protocol.as_str()
                )));
            }
        }
        DEREGISTRATION_DELAY => attributes.deregistration_delay_s = number(key, value, 0..=3600)?,
        TERMINATES_ON_DEREGISTRATION => {
            attributes.terminates_on_deregistration = boolean(key, value)?;
        }
        TERMINATES_UNHEALTHY => attributes.terminates_unhealthy = boolean(key, value)?,
        STICKINESS => attributes.stickiness = boolean(key, value)?,
        CROSS_ZONE => {
            attributes.cross_zone = match value {
                AS_THE_LOAD_BALANCER => None,
                value => Some(boolean(key, value)?),
            };
        }
        _ => fixed(key, value, FIXED)?,
    }
    Ok(())
}

fn shape(row: &TargetGroup) -> Vec<TargetGroupAttribute> {
    let attributes = &row.attributes;
    let cross_zone = attributes.cross_zone;
    let cross_zone =
        cross_zone.map_or_else(|| AS_THE_LOAD_BALANCER.to_owned(), |on| on.to_string());
    let own = [
        (
            PRESERVE_CLIENT_IP,
            attributes.preserve_client_ip.to_string(),
        ),
        (
            DEREGISTRATION_DELAY,
            attributes.deregistration_delay_s.to_string(),
        ),
        (
            TERMINATES_ON_DEREGISTRATION,
            attributes.terminates_on_deregistration.to_string(),
        ),
        (
            TERMINATES_UNHEALTHY,
            attributes.terminates_unhealthy.to_string(),
        ),
        (STICKINESS, attributes.stickiness.to_string()),
        (CROSS_ZONE, cross_zone),
    ];
    let rest = FIXED.iter().map(|(key, value)| (*key, (*value).to_owned()));
    own.into_iter()
        .chain(rest)
        .map(|(key, value)| TargetGroupAttribute {
            key: Some(key.to_owned()),
            value: Some(value),
        })
        .collect()
}

const PRESERVE_CLIENT_IP: &str = "preserve_client_ip.enabled";
const DEREGISTRATION_DELAY: &str = "deregistration_delay.timeout_seconds";
const TERMINATES_ON_DEREGISTRATION: &str = "deregistration_delay.connection_termination.enabled";
const TERMINATES_UNHEALTHY: &str = "target_health_state.unhealthy.connection_termination.enabled";
const STICKINESS: &str = "stickiness.enabled";
const CROSS_ZONE: &str = "load_balancing.cross_zone.enabled";
const AS_THE_LOAD_BALANCER: &str = "use_load_balancer_configuration";
const FIXED: &[Fixed] = &[
    ("proxy_protocol_v2.enabled", "false"),
    ("stickiness.type", "source_ip"),
    (
        "target_health_state.unhealthy.draining_interval_seconds",
        "0",
    ),
    (
        "target_group_health.dns_failover.minimum_healthy_targets.count",
        "1",
    ),
    (
        "target_group_health.dns_failover.minimum_healthy_targets.percentage",
        "off",
    ),
    (
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count",
        "1",
    ),
    (
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
        "off",
    ),
];
