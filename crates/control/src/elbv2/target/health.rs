//! How targets are: what health checks found, and what keeps a target from getting traffic at all.

use elbv2_api::{
    DescribeTargetHealthRequest, DescribeTargetHealthResponse, TargetDescription, TargetHealth,
    TargetHealthDescription,
};
use model::{
    Health, InstanceState, LoadBalancer, Target, TargetGroup, TargetGroupId, TargetId, TargetKey,
};

use super::super::{arn, target_group};
use super::key;
use crate::{Error, Transaction, parameter};

/// Takes note of what health checks found out about a target, if that is still registered.
pub(crate) fn found(
    tx: &mut Transaction<'_>,
    group_id: TargetGroupId,
    key: TargetKey,
    health: Health,
) {
    let Some(mut group) = tx.state().target_groups.get(&group_id).cloned() else {
        return;
    };
    match group.targets.get_mut(&key) {
        Some(target) if target.health != health => target.health = health,
        _ => return,
    }
    tx.put(group_id, group);
}

/// Targets that are asked for but not registered are described as unused.
pub(crate) fn describe_target_health(
    tx: &mut Transaction<'_>,
    request: &DescribeTargetHealthRequest,
) -> Result<DescribeTargetHealthResponse, Error> {
    parameter::refuse_unsupported(&[(!request.include.is_empty(), "Include")])?;
    let group = arn::target_group(tx, &request.target_group_arn)?;
    let asked: Result<Vec<_>, _> = request.targets.iter().map(|d| key(group, d)).collect();
    let keys = match asked? {
        none if none.is_empty() => group.targets.keys().copied().collect(),
        some => some,
    };
    let describe = |key: TargetKey| {
        let target = group.targets.get(&key);
        let zone = target.and_then(|target| target.zone);
        let is_address = matches!(key.id, TargetId::Ip(_));
        TargetHealthDescription {
            target: Some(TargetDescription {
                id: Some(key.id.to_string()),
                port: Some(key.port.into()),
                availability_zone: is_address
                    .then(|| zone.map_or_else(|| "all".to_owned(), |zone| zone.to_string())),
                quic_server_id: None,
            }),
            health_check_port: Some(group.health_check.port.unwrap_or(key.port).to_string()),
            target_health: Some(health(tx, group, key, target).shape()),
            ..Default::default()
        }
    };
    Ok(DescribeTargetHealthResponse {
        target_health_descriptions: keys.into_iter().map(describe).collect(),
    })
}

/// State, reason and description ("TargetHealth").
struct Status(&'static str, Option<(&'static str, String)>);

impl Status {
    fn new(state: &'static str, reason: &'static str, description: impl Into<String>) -> Self {
        Self(state, Some((reason, description.into())))
    }

    fn shape(self) -> TargetHealth {
        let Self(state, why) = self;
        let (reason, description) = why.unzip();
        TargetHealth {
            state: Some(state.to_owned()),
            reason: reason.map(str::to_owned),
            description,
        }
    }
}

fn health(
    tx: &Transaction<'_>,
    group: &TargetGroup,
    key: TargetKey,
    target: Option<&Target>,
) -> Status {
    let Some(target) = target else {
        return Status::new(
            "unused",
            "Target.NotRegistered",
            "Target is not registered to the target group",
        );
    };
    if target.draining_since.is_some() {
        return Status::new(
            "draining",
            "Target.DeregistrationInProgress",
            "Target deregistration is in progress",
        );
    }
    unused(tx, group, key, target).unwrap_or_else(|| checked(target.health))
}

/// Why a registered target gets no traffic, whatever its health.
fn unused(
    tx: &Transaction<'_>,
    group: &TargetGroup,
    key: TargetKey,
    target: &Target,
) -> Option<Status> {
    let load_balancer = target_group::load_balancer_of(tx, group.id);
    let load_balancer = load_balancer.and_then(|id| tx.state().load_balancers.get(&id));
    let Some(load_balancer) = load_balancer else {
        return Some(Status::new(
            "unused",
            "Target.NotInUse",
            "Target group is not configured to receive traffic from the load balancer",
        ));
    };
    let has_zone = |of: &LoadBalancer, zone| of.nodes.iter().any(|node| node.zone == zone);
    if target
        .zone
        .is_some_and(|zone| !has_zone(load_balancer, zone))
    {
        return Some(Status::new(
            "unused",
            "Target.NotInUse",
            "Target is in an Availability Zone that is not enabled for the load balancer",
        ));
    }
    let TargetId::Instance(id) = key.id else {
        return None;
    };
    let state = tx.state().instances.get(&id).map(|instance| instance.state);
    let state = state.unwrap_or(InstanceState::Terminated);
    (state != InstanceState::Running).then(|| {
        let description = format!("Target is in the {} state", state.name());
        Status::new("unused", "Target.InvalidState", description)
    })
}

fn checked(health: Health) -> Status {
    match health {
        Health::Initial => Status::new(
            "initial",
            "Elb.InitialHealthChecking",
            "Initial health checks in progress",
        ),
        Health::Healthy => Status("healthy", None),
        Health::TimedOut => Status::new("unhealthy", "Target.Timeout", "Request timed out"),
        Health::Failed => Status::new(
            "unhealthy",
            "Target.FailedHealthChecks",
            "Health checks failed",
        ),
        Health::ResponseCodeMismatch(code) => Status::new(
            "unhealthy",
            "Target.ResponseCodeMismatch",
            format!("Health checks failed with these codes: [{code}]"),
        ),
    }
}
