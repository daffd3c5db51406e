//! What the data plane decided, with each part by its name: for programs.

use dataplane::{Action, Disposition};
use serde::{Deserialize, Serialize};

/// A disposition for programs to read; it costs no look into the world.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Decision {
    /// `delivered`, `rejected` (by a security group or network ACL) or `dropped`, wherever on the way.
    pub outcome: String,
    /// Whether the record's own interface decided; another one did where that let the packet pass first.
    pub here: bool,
    /// Why it was dropped, as metrics spell it: `security_group`, `no_route`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What decided: `security group`, `network ACL`, `route table`, `NAT gateway`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// The ids of what decided; several where security groups did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// The entry or route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

impl Decision {
    /// Of a record with this action.
    pub fn new(disposition: &Disposition, action: Action) -> Self {
        let (kind, resources, rule) = decided_by(disposition);
        let outcome = match (disposition, disposition.is_delivered()) {
            (_, true) => "delivered",
            (
                Disposition::DeniedBySecurityGroup { .. } | Disposition::DeniedByNetworkAcl { .. },
                _,
            ) => "rejected",
            _ => "dropped",
        };
        Self {
            outcome: outcome.to_owned(),
            here: action == Action::Reject || disposition.is_delivered(),
            reason: disposition.drop_reason().map(|r| r.name().to_owned()),
            decided_by: kind.map(str::to_owned),
            resources,
            rule,
        }
    }
}

/// The kind of what decided, its ids and its row.
pub(crate) fn decided_by(
    disposition: &Disposition,
) -> (Option<&'static str>, Vec<String>, Option<String>) {
    use Disposition as D;
    let one = |kind, id: &dyn std::fmt::Display| (Some(kind), vec![id.to_string()], None);
    match disposition {
        D::Delivered { to } => one("network interface", to),
        D::ExitsToInternet { via, .. } => one("internet gateway", via),
        D::ReachesService { via: Some(via), .. } => one("gateway", via),
        D::DeniedBySecurityGroup { groups, .. } => (
            Some("security group"),
            groups.iter().map(ToString::to_string).collect(),
            None,
        ),
        D::DeniedByNetworkAcl {
            acl,
            egress,
            rule_number,
        } => {
            let side = if *egress { "egress" } else { "ingress" };
            let number = if *rule_number >= model::NetworkAcl::FINAL_IPV4 {
                "*".to_owned()
            } else {
                rule_number.to_string()
            };
            (
                Some("network ACL"),
                vec![acl.to_string()],
                Some(format!("{side} {number}")),
            )
        }
        D::NoRoute { table } => (
            Some("route table"),
            table.iter().map(ToString::to_string).collect(),
            None,
        ),
        D::Blackhole {
            table,
            destination,
            target,
        } => (
            Some("route table"),
            vec![table.to_string()],
            Some(format!("{destination} to {target}")),
        ),
        D::NoSuchDevice { interface } => one("network interface", interface),
        D::NoPublicAddress { gateway, .. } => one("internet gateway", gateway),
        D::NoNatSession { gateway }
        | D::NatPortAllocation { gateway, .. }
        | D::NatProtocol { gateway, .. }
        | D::HopLimitExceeded { gateway } => one("NAT gateway", gateway),
        D::EgressOnly { gateway } => one("egress-only internet gateway", gateway),
        D::SourceDestinationCheck { interface, .. } => one("source/destination check", interface),
        D::RefusedByEndpoint { endpoint, .. }
        | D::NoEndpointSession { endpoint }
        | D::NoServiceBehindEndpoint { endpoint } => one("VPC endpoint", endpoint),
        D::OutsidePeering { peering, .. } => one("VPC peering connection", peering),
        D::ConntrackAllowanceExceeded { interface } => one("connection tracking", interface),
        D::HealthCheckAnswered { interface }
        | D::NoListener { interface }
        | D::NoTarget { interface }
        | D::NoLoadBalancerSession { interface } => one("load balancer", interface),
        _ => (None, Vec::new(), None),
    }
}
