//! Target groups and their targets (User Guide for Network Load Balancers, "Target groups for your Network Load
//! Balancers").

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::load_balancer::arn;
use crate::{
    AvailabilityZone, InstanceId, LoadBalancerProtocol, Scope, Tags, TargetGroupId, Timestamp,
    VpcId,
};

/// A target group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetGroup {
    /// The last part of its ARN.
    pub id: TargetGroupId,
    /// Unique in its account's Region.
    pub name: String,
    /// What its targets get.
    pub protocol: LoadBalancerProtocol,
    /// Where they get it, unless a target says otherwise.
    pub port: u16,
    /// The VPC that they are in.
    pub vpc_id: VpcId,
    /// What they are named by.
    pub target_type: TargetType,
    /// How it is found out whether they work.
    pub health_check: HealthCheck,
    /// What can be changed later.
    pub attributes: TargetGroupAttributes,
    /// The targets, by what they are and their port.
    #[serde(with = "targets")]
    pub targets: BTreeMap<TargetKey, Target>,
    /// Tags.
    pub tags: Tags,
}

/// What targets are named by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TargetType {
    /// Instances: the primary address of their primary interface.
    Instance,
    /// Private addresses.
    Ip,
}

/// What tells a target from the others of its group: the same instance on two ports is two targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TargetKey {
    /// Who it is.
    pub id: TargetId,
    /// Its port.
    pub port: u16,
}

/// Who a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TargetId {
    /// An instance.
    Instance(InstanceId),
    /// Whoever has an address.
    Ip(IpAddr),
}

/// A registered target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its zone; absent for an address outside the VPC, which every node sends to.
    pub zone: Option<AvailabilityZone>,
    /// What health checks found.
    pub health: Health,
    /// When it was registered.
    pub registered_at: Timestamp,
    /// When it was deregistered: it gets no new flows, and goes after the delay.
    pub draining_since: Option<Timestamp>,
}

/// What health checks found ("Health checks for Network Load Balancer target groups").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Health {
    /// Nothing yet.
    Initial,
    /// It answers.
    Healthy,
    /// It does not answer.
    TimedOut,
    /// It answers that it does not serve.
    Failed,
}

/// How it is found out whether targets work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// Where; the target's own port if absent.
    pub port: Option<u16>,
    /// Seconds from one check of a target to the next.
    pub interval_s: u16,
    /// After so many seconds without an answer a check has failed.
    pub timeout_s: u16,
    /// So many successes in a row make a target healthy.
    pub healthy_threshold: u16,
    /// So many failures in a row make it unhealthy.
    pub unhealthy_threshold: u16,
}

/// What can be changed of a target group ("Target group attributes").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetGroupAttributes {
    /// Whether targets see the client's address as source, else the node's.
    pub preserve_client_ip: bool,
    /// So many seconds a deregistered target keeps the flows that it has.
    pub deregistration_delay_s: u16,
    /// Whether flows end with the delay.
    pub terminates_on_deregistration: bool,
    /// Whether flows end when their target becomes unhealthy.
    pub terminates_unhealthy: bool,
    /// Whether a client always gets the same target, whatever its ports.
    pub stickiness: bool,
    /// Whether nodes send to targets of other zones; as the load balancer says if absent.
    pub cross_zone: Option<bool>,
}

impl TargetGroup {
    /// Its ARN.
    pub fn arn(&self, scope: Scope) -> String {
        let (name, id) = (&self.name, self.id);
        arn(scope, format_args!("targetgroup/{name}/{id}"))
    }
}

impl TargetType {
    /// `instance` or `ip`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Ip => "ip",
        }
    }
}

impl fmt::Display for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(id) => id.fmt(f),
            Self::Ip(address) => address.fmt(f),
        }
    }
}

/// Text formats have no maps by structures: a list of pairs stands for one.
mod targets {
    use super::{BTreeMap, Target, TargetKey};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        targets: &BTreeMap<TargetKey, Target>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        s.collect_seq(targets)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<BTreeMap<TargetKey, Target>, D::Error> {
        Vec::<(TargetKey, Target)>::deserialize(d).map(|pairs| pairs.into_iter().collect())
    }
}
