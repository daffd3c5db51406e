//! Targets of target groups: registration and health (User Guide for Network Load Balancers, "Register targets" and
//! "Health checks for Network Load Balancer target groups").

mod health;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use elbv2_api::{
    DeregisterTargetsRequest, DeregisterTargetsResponse, RegisterTargetsRequest,
    RegisterTargetsResponse, TargetDescription,
};
use ipnet::Ipv4Net;
use model::{
    AvailabilityZone, Health, Instance, InstanceId, InstanceState, State, Subnet, Target,
    TargetGroup, TargetGroupId, TargetId, TargetKey, TargetType, Timestamp, Vpc,
};

use super::error::validation;
use super::{arn, target_group};
use crate::{Error, Transaction, parameter};

pub(crate) use health::{describe_target_health, found};

/// Registers targets; one that is registered stays as it is, one that is being deregistered comes back.
pub(crate) fn register_targets(
    tx: &mut Transaction<'_>,
    request: &RegisterTargetsRequest,
) -> Result<RegisterTargetsResponse, Error> {
    let mut group = arn::target_group(tx, &request.target_group_arn)?.clone();
    for description in &request.targets {
        let key = key(&group, description)?;
        let zone = match key.id {
            TargetId::Instance(id) => Some(zone_of_instance(tx, &group, id)?),
            TargetId::Ip(address) => zone_of_address(tx, &group, address, description)?,
        };
        let registered = group.targets.get(&key);
        if registered.is_some_and(|target| target.draining_since.is_none()) {
            continue;
        }
        tx.quotas().targets(group.targets.len())?;
        let target = Target {
            zone,
            health: Health::Initial,
            registered_at: tx.now(),
            draining_since: None,
        };
        group.targets.insert(key, target);
    }
    tx.put(group.id, group);
    Ok(RegisterTargetsResponse {})
}

/// Without a port every registration of the target goes. Flows that it has may go on for the delay.
pub(crate) fn deregister_targets(
    tx: &mut Transaction<'_>,
    request: &DeregisterTargetsRequest,
) -> Result<DeregisterTargetsResponse, Error> {
    let mut group = arn::target_group(tx, &request.target_group_arn)?.clone();
    let now = tx.now();
    let in_use = target_group::load_balancer_of(tx, group.id).is_some();
    for description in &request.targets {
        let wanted = key(&group, description)?;
        let any_port = description.port.is_none();
        let matches =
            |key: &TargetKey| key.id == wanted.id && (any_port || key.port == wanted.port);
        let keys: Vec<_> = group.targets.keys().copied().filter(matches).collect();
        if keys.is_empty() {
            return Err(Error::new(
                "InvalidTarget",
                format!(
                    "The following targets are not registered with the target group: '{}'",
                    wanted.id
                ),
            ));
        }
        for key in keys {
            if !in_use {
                group.targets.remove(&key);
            } else if let Some(target) = group.targets.get_mut(&key) {
                target.draining_since.get_or_insert(now);
            }
        }
    }
    tx.put(group.id, group);
    forget_drained(tx);
    Ok(DeregisterTargetsResponse {})
}

/// Deregistered targets go when their delay is over.
pub(super) fn forget_drained(tx: &mut Transaction<'_>) {
    let now = tx.now();
    let is_over = |group: &TargetGroup, target: &Target| {
        drained_at(group, target).is_some_and(|at| now >= at)
    };
    let has_one = |group: &&TargetGroup| group.targets.values().any(|t| is_over(group, t));
    let groups: Vec<_> = tx.rows::<TargetGroup>().filter(has_one).cloned().collect();
    for group in groups {
        let mut left = group.targets.clone();
        left.retain(|_, target| !is_over(&group, target));
        let id: TargetGroupId = group.id;
        tx.put(
            id,
            TargetGroup {
                targets: left,
                ..group
            },
        );
    }
}

/// When the next target has drained.
pub(super) fn due(state: &State) -> Option<Timestamp> {
    let groups = state.target_groups.values();
    let draining =
        groups.flat_map(|group| group.targets.values().filter_map(|t| drained_at(group, t)));
    draining.min()
}

fn drained_at(group: &TargetGroup, target: &Target) -> Option<Timestamp> {
    let delay = Duration::from_secs(group.attributes.deregistration_delay_s.into());
    target.draining_since.map(|since| since + delay)
}

/// What a description names, at the group's port if it says none.
fn key(group: &TargetGroup, description: &TargetDescription) -> Result<TargetKey, Error> {
    parameter::refuse_unsupported(&[(description.quic_server_id.is_some(), "QuicServerId")])?;
    let text = description.id.as_deref().unwrap_or_default();
    let id = match group.target_type {
        TargetType::Instance => text
            .parse()
            .map(TargetId::Instance)
            .map_err(|_| validation(format!("Instance ID '{text}' is not valid")))?,
        TargetType::Ip => text
            .parse()
            .map(|address: Ipv4Addr| TargetId::Ip(address.into()))
            .map_err(|_| {
                validation(format!(
                    "The IP address '{text}' is not a valid IPv4 address"
                ))
            })?,
    };
    let port = description.port.map(target_group::port).transpose()?;
    Ok(TargetKey {
        id,
        port: port.unwrap_or(group.port),
    })
}

fn zone_of_instance(
    tx: &Transaction<'_>,
    group: &TargetGroup,
    id: InstanceId,
) -> Result<AvailabilityZone, Error> {
    let invalid = |why: &str| Error::new("InvalidTarget", format!("{why}: '{id}'"));
    let instance = tx.state().instances.get(&id);
    let instance = instance.ok_or_else(|| invalid("The following targets do not exist"))?;
    if instance.state != InstanceState::Running {
        return Err(invalid(
            "The following targets are not in a running state and cannot be registered",
        ));
    }
    let interfaces = tx.state().interfaces_of(id);
    if interfaces
        .first()
        .is_none_or(|eni| eni.vpc_id != group.vpc_id)
    {
        let why = format!(
            "The following targets are not in the target group VPC '{}'",
            group.vpc_id
        );
        return Err(invalid(&why));
    }
    Ok(Instance::clone(instance).zone)
}

/// The zone of the subnet that an address is in; none outside the VPC, which must be asked for as `all`.
fn zone_of_address(
    tx: &Transaction<'_>,
    group: &TargetGroup,
    address: IpAddr,
    description: &TargetDescription,
) -> Result<Option<AvailabilityZone>, Error> {
    let named = description.availability_zone.as_deref();
    let own = |subnet: &&Subnet| subnet.vpc_id == group.vpc_id && subnet.contains(address);
    if let Some(subnet) = tx.rows::<Subnet>().find(own) {
        if named.is_some_and(|zone| zone != "all" && zone != subnet.zone.to_string()) {
            return Err(validation(format!(
                "The target '{address}' is not in the Availability Zone '{}'",
                named.unwrap_or_default()
            )));
        }
        return Ok(Some(subnet.zone));
    }
    let vpc = tx.find::<Vpc>(group.vpc_id)?;
    let IpAddr::V4(v4) = address else {
        return Err(validation(format!(
            "The IP address '{address}' is not a valid IPv4 address"
        )));
    };
    let why = if vpc.contains(address) {
        format!(
            "The IP address '{address}' is not within a subnet of the VPC '{}'",
            vpc.id
        )
    } else if !OUTSIDE.iter().any(|block| block.contains(&v4)) {
        format!("The IP address '{address}' must be a private address")
    } else if named != Some("all") {
        format!(
            "The Availability Zone 'all' must be specified for the target '{address}', which is outside the VPC '{}'",
            vpc.id
        )
    } else {
        return Ok(None);
    };
    Err(validation(why))
}

/// Blocks that targets outside the VPC may be in ("Target type").
const OUTSIDE: [Ipv4Net; 4] = [
    Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16),
];
