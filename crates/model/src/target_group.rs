//! Target groups and their targets (User Guide for Network Load Balancers, "Target groups for your Network Load
//! Balancers").

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;

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
    /// It answers that it does not serve, or what nobody understands.
    Failed,
    /// It answers with a status code that is none of those wanted.
    ResponseCodeMismatch(u16),
}

impl Health {
    /// Whether it does not work.
    pub const fn is_unhealthy(self) -> bool {
        match self {
            Self::Initial | Self::Healthy => false,
            Self::TimedOut | Self::Failed | Self::ResponseCodeMismatch(_) => true,
        }
    }
}

/// How it is found out whether targets work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// What is asked by HTTP; absent if it is enough that a TCP connection is accepted.
    #[serde(default)]
    pub http: Option<HttpHealthCheck>,
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

/// What a health check asks by HTTP, and which answers are good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpHealthCheck {
    /// Whether over TLS, that is by HTTPS. Certificates are not looked at.
    #[serde(default)]
    pub secure: bool,
    /// The path, with a query perhaps.
    pub path: String,
    /// The status codes of a target that works.
    pub codes: HttpCodes,
}

/// Status codes of HTTP: `200`, `200,202` or `200-399`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HttpCodes {
    text: String,
    ranges: Vec<RangeInclusive<u16>>,
}

/// Text that names no status codes, or others than 200 to 599.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHttpCodes {
    /// Neither a number nor a range.
    #[error("Health check matcher HTTP code '{0}' is not valid")]
    Malformed(String),
    /// A number that no answer of a health check may have.
    #[error("Health check matcher HTTP code '{0}' must be within '200-599' inclusive")]
    OutOfRange(u16),
}

impl HttpCodes {
    /// Whether a code is one of them.
    pub fn contains(&self, code: u16) -> bool {
        self.ranges.iter().any(|range| range.contains(&code))
    }

    /// As they were given.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl TryFrom<String> for HttpCodes {
    type Error = BadHttpCodes;

    fn try_from(text: String) -> Result<Self, BadHttpCodes> {
        let code = |word: &str| {
            let digits = word.len() == 3 && word.bytes().all(|b| b.is_ascii_digit());
            let number = word.parse().ok().filter(|_| digits);
            let number: u16 = number.ok_or_else(|| BadHttpCodes::Malformed(text.clone()))?;
            match number {
                200..=599 => Ok(number),
                other => Err(BadHttpCodes::OutOfRange(other)),
            }
        };
        let range = |words: &str| {
            let (from, to) = words.split_once('-').unwrap_or((words, words));
            let range = code(from)?..=code(to)?;
            match range.is_empty() {
                true => Err(BadHttpCodes::Malformed(text.clone())),
                false => Ok(range),
            }
        };
        let ranges = text.split(',').map(range).collect::<Result<_, _>>()?;
        Ok(Self { text, ranges })
    }
}

impl From<HttpCodes> for String {
    fn from(codes: HttpCodes) -> Self {
        codes.text
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_codes_are_numbers_and_ranges() {
        let codes = HttpCodes::try_from("200,204-299".to_owned()).unwrap();
        let fitting = [200, 203, 204, 299, 300].map(|code| codes.contains(code));
        assert_eq!(fitting, [true, false, true, true, false]);
        for bad in [
            "", "abc", "2000", "+20", "200-", "-200", "300-200", "200,,201", "199", "200-600",
            "200 ", "200;201", "٢٠٠",
        ] {
            assert!(HttpCodes::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
