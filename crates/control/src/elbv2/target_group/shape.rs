//! Target groups as answers show them.

use elbv2_api::Matcher;
use model::TargetGroup;

use crate::Transaction;

/// The whole target group.
pub(super) fn target_group(tx: &Transaction<'_>, row: &TargetGroup) -> elbv2_api::TargetGroup {
    let check = &row.health_check;
    let load_balancer = super::load_balancer_of(tx, row.id);
    let load_balancer = load_balancer.and_then(|id| tx.state().load_balancers.get(&id));
    elbv2_api::TargetGroup {
        target_group_arn: Some(row.arn(tx.scope())),
        target_group_name: Some(row.name.clone()),
        protocol: Some(row.protocol.as_str().to_owned()),
        port: Some(row.port.into()),
        vpc_id: Some(row.vpc_id.to_string()),
        health_check_protocol: Some(match &check.http {
            None => "TCP".to_owned(),
            Some(http) if http.secure => "HTTPS".to_owned(),
            Some(_) => "HTTP".to_owned(),
        }),
        health_check_path: check.http.as_ref().map(|http| http.path.clone()),
        matcher: check.http.as_ref().map(|http| Matcher {
            http_code: Some(http.codes.as_str().to_owned()),
            grpc_code: None,
        }),
        health_check_port: Some(health_check_port(check.port)),
        health_check_enabled: Some(true),
        health_check_interval_seconds: Some(check.interval_s.into()),
        health_check_timeout_seconds: Some(check.timeout_s.into()),
        healthy_threshold_count: Some(check.healthy_threshold.into()),
        unhealthy_threshold_count: Some(check.unhealthy_threshold.into()),
        load_balancer_arns: load_balancer
            .map(|of| of.arn(tx.scope()))
            .into_iter()
            .collect(),
        target_type: Some(row.target_type.as_str().to_owned()),
        ip_address_type: Some("ipv4".to_owned()),
        ..Default::default()
    }
}

fn health_check_port(port: Option<u16>) -> String {
    port.map_or_else(|| "traffic-port".to_owned(), |port| port.to_string())
}
