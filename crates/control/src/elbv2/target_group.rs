//! Target groups (User Guide for Network Load Balancers, "Target groups for your Network Load Balancers").

mod attribute;
mod health_check;
mod shape;

use std::collections::{BTreeMap, BTreeSet};

use elbv2_api::{
    CreateTargetGroupRequest, CreateTargetGroupResponse, DeleteTargetGroupRequest,
    DeleteTargetGroupResponse, DescribeTargetGroupsRequest, DescribeTargetGroupsResponse,
    ModifyTargetGroupRequest, ModifyTargetGroupResponse,
};
use model::{
    Listener, LoadBalancerId, LoadBalancerProtocol, TargetGroup, TargetGroupAttributes,
    TargetGroupId, TargetType, Vpc,
};

use super::error::{unsupported, validation};
use super::load_balancer::PAGE;
use super::{arn, name, tag};
use crate::page::Page;
use crate::{Error, Transaction, parameter};

pub(crate) use attribute::{describe_target_group_attributes, modify_target_group_attributes};
use health_check::Given;

/// The same call a second time answers with what the first made ("CreateTargetGroup").
pub(crate) fn create_target_group(
    tx: &mut Transaction<'_>,
    request: &CreateTargetGroupRequest,
) -> Result<CreateTargetGroupResponse, Error> {
    let name = name::check(&request.name, "target group")?;
    refuse_unsupported(request)?;
    let protocol = protocol(required(&request.protocol, "protocol")?)?;
    let port = port(*required(&request.port, "port")?)?;
    let vpc_id = parameter::id(required_some(&request.vpc_id, "VPC ID")?, "VpcId")?;
    tx.find::<Vpc>(vpc_id)?;
    let target_type = target_type(request.target_type.as_deref().unwrap_or("instance"))?;
    let health_check = Given::of_create(request).create()?;
    let wanted = TargetGroup {
        id: TargetGroupId::new(0),
        name: name.to_owned(),
        protocol,
        port,
        vpc_id,
        target_type,
        health_check,
        attributes: default_attributes(protocol, target_type),
        targets: BTreeMap::new(),
        tags: tag::given(tx, &request.tags)?,
    };
    let other = tx.rows::<TargetGroup>().find(|row| row.name == name);
    let row = match other {
        Some(other) if is_same(other, &wanted) => other.clone(),
        Some(_) => {
            return Err(Error::new(
                "DuplicateTargetGroupName",
                format!(
                    "A target group with the same name '{name}' exists, but with different settings"
                ),
            ));
        }
        None => {
            tx.quotas().target_groups(tx.state().target_groups.len())?;
            let id = TargetGroupId::new(tx.random() as u64);
            let row = TargetGroup { id, ..wanted };
            tx.put(id, row.clone());
            row
        }
    };
    Ok(CreateTargetGroupResponse {
        target_groups: vec![shape::target_group(tx, &row)],
    })
}

pub(crate) fn describe_target_groups(
    tx: &mut Transaction<'_>,
    request: &DescribeTargetGroupsRequest,
) -> Result<DescribeTargetGroupsResponse, Error> {
    let page = Page::parse(request.page_size, &request.marker, false, PAGE)?;
    let mut rows: Vec<&TargetGroup> = Vec::new();
    if request.load_balancer_arn.is_some() {
        let id = arn::load_balancer(tx, &request.load_balancer_arn)?.id;
        let used = used_by(tx, id);
        rows.extend(
            tx.rows::<TargetGroup>()
                .filter(|row| used.contains(&row.id)),
        );
    }
    for arn in &request.target_group_arns {
        rows.push(arn::target_group(tx, &Some(arn.clone()))?);
    }
    for name in &request.names {
        let named = tx.rows::<TargetGroup>().find(|row| row.name == *name);
        rows.push(named.ok_or_else(|| {
            Error::new(
                "TargetGroupNotFound",
                format!("Target groups '[{name}]' not found"),
            )
        })?);
    }
    let all = request.target_group_arns.is_empty() && request.names.is_empty();
    if all && request.load_balancer_arn.is_none() {
        rows.extend(tx.rows::<TargetGroup>());
    }
    rows.sort_by_key(|row| row.id);
    rows.dedup_by_key(|row| row.id);
    let (rows, next_marker) = page.take(rows, |row| row.id.to_string());
    Ok(DescribeTargetGroupsResponse {
        target_groups: rows
            .iter()
            .map(|row| shape::target_group(tx, row))
            .collect(),
        next_marker,
    })
}

/// One that does not exist is no error, as in AWS.
pub(crate) fn delete_target_group(
    tx: &mut Transaction<'_>,
    request: &DeleteTargetGroupRequest,
) -> Result<DeleteTargetGroupResponse, Error> {
    let id = match arn::target_group(tx, &request.target_group_arn) {
        Ok(row) => row.id,
        Err(error) if error.code() == "TargetGroupNotFound" => {
            return Ok(DeleteTargetGroupResponse {});
        }
        Err(error) => return Err(error),
    };
    if load_balancer_of(tx, id).is_some() {
        let arn = request.target_group_arn.as_deref().unwrap_or_default();
        return Err(Error::new(
            "ResourceInUse",
            format!("Target group '{arn}' is currently in use by a listener or a rule"),
        ));
    }
    tx.delete::<TargetGroup>(id);
    Ok(DeleteTargetGroupResponse {})
}

/// Changes how health is checked.
pub(crate) fn modify_target_group(
    tx: &mut Transaction<'_>,
    request: &ModifyTargetGroupRequest,
) -> Result<ModifyTargetGroupResponse, Error> {
    let mut row = arn::target_group(tx, &request.target_group_arn)?.clone();
    row.health_check = Given::of_modify(request).apply(&row.health_check)?;
    tx.put(row.id, row.clone());
    Ok(ModifyTargetGroupResponse {
        target_groups: vec![shape::target_group(tx, &row)],
    })
}

/// The load balancer whose listeners use a target group: never more than one.
pub(super) fn load_balancer_of(tx: &Transaction<'_>, id: TargetGroupId) -> Option<LoadBalancerId> {
    let mut listeners = tx.rows::<Listener>();
    listeners
        .find(|listener| listener.target_group_id == id)
        .map(|listener| listener.load_balancer_id)
}

/// A protocol that Weir balances.
pub(super) fn protocol(text: &str) -> Result<LoadBalancerProtocol, Error> {
    let mut all = LoadBalancerProtocol::ALL.into_iter();
    if let Some(protocol) = all.find(|protocol| protocol.as_str() == text) {
        return Ok(protocol);
    }
    if ["TLS", "HTTP", "HTTPS", "GENEVE", "QUIC", "TCP_QUIC"].contains(&text) {
        return Err(unsupported(format_args!("The protocol '{text}'")));
    }
    Err(validation(format!(
        "1 validation error detected: Value '{text}' at 'protocol' failed to satisfy constraint: Member must satisfy enum value set: [TLS, HTTP, HTTPS, TCP, UDP, TCP_UDP, GENEVE]"
    )))
}

/// A port from 1 to 65535.
pub(super) fn port(number: i32) -> Result<u16, Error> {
    let port = u16::try_from(number).ok().filter(|port| *port > 0);
    port.ok_or_else(|| {
        validation(format!(
            "1 validation error detected: Value '{number}' at 'port' failed to satisfy constraint: Member must have value between 1 and 65535"
        ))
    })
}

fn required<'a, T>(value: &'a Option<T>, noun: &str) -> Result<&'a T, Error> {
    let missing = || validation(format!("A {noun} must be specified"));
    value.as_ref().ok_or_else(missing)
}

fn required_some<'a, T>(value: &'a Option<T>, noun: &str) -> Result<&'a Option<T>, Error> {
    required(value, noun).map(|_| value)
}

fn refuse_unsupported(request: &CreateTargetGroupRequest) -> Result<(), Error> {
    let family = request.ip_address_type.as_deref();
    parameter::refuse_unsupported(&[
        (request.protocol_version.is_some(), "ProtocolVersion"),
        (family.is_some_and(|f| f != "ipv4"), "IpAddressType"),
        (request.target_control_port.is_some(), "TargetControlPort"),
    ])
}

fn target_type(text: &str) -> Result<TargetType, Error> {
    match text {
        "instance" => Ok(TargetType::Instance),
        "ip" => Ok(TargetType::Ip),
        "alb" | "lambda" => Err(unsupported(format_args!("The target type '{text}'"))),
        other => Err(validation(format!(
            "1 validation error detected: Value '{other}' at 'targetType' failed to satisfy constraint: Member must satisfy enum value set: [instance, ip, lambda, alb]"
        ))),
    }
}

/// "Target group attributes": clients' addresses are preserved except for TCP to targets named by address.
fn default_attributes(
    protocol: LoadBalancerProtocol,
    target_type: TargetType,
) -> TargetGroupAttributes {
    TargetGroupAttributes {
        preserve_client_ip: target_type == TargetType::Instance || protocol.has_udp(),
        deregistration_delay_s: 300,
        terminates_on_deregistration: false,
        terminates_unhealthy: true,
        stickiness: false,
        cross_zone: None,
    }
}

fn is_same(row: &TargetGroup, wanted: &TargetGroup) -> bool {
    let settings = |group: &TargetGroup| {
        let TargetGroup {
            protocol,
            port,
            vpc_id,
            target_type,
            health_check,
            ..
        } = group;
        (
            *protocol,
            *port,
            *vpc_id,
            *target_type,
            health_check.clone(),
        )
    };
    settings(row) == settings(wanted)
}

fn used_by(tx: &Transaction<'_>, id: LoadBalancerId) -> BTreeSet<TargetGroupId> {
    tx.rows::<Listener>()
        .filter(|listener| listener.load_balancer_id == id)
        .map(|listener| listener.target_group_id)
        .collect()
}
