//! DescribeInstanceStatus (Amazon EC2 User Guide, "Status checks for Amazon EC2 instances").

use ec2_api::{
    DescribeInstanceStatusRequest, DescribeInstanceStatusResponse, EbsStatusDetails,
    EbsStatusSummary, InstanceStatus, InstanceStatusDetails, InstanceStatusSummary,
    OperatorResponse,
};
use model::{Instance, InstanceId, InstanceState};

use super::{check_known, shape};
use crate::filter::Filters;
use crate::page::Page;
use crate::{Error, Transaction, parameter};

pub(crate) fn describe_instance_status(
    tx: &mut Transaction<'_>,
    request: &DescribeInstanceStatusRequest,
) -> Result<DescribeInstanceStatusResponse, Error> {
    let ids: Vec<InstanceId> = parameter::optional_ids(&request.instance_ids)?;
    let page = Page::parse(
        request.max_results,
        &request.next_token,
        !ids.is_empty(),
        Page::USUAL,
    )?;
    let filters = Filters::parse(&request.filters, FILTERS)?;
    check_known(tx, &ids)?;
    let all = request.include_all_instances == Some(true);
    let passing = tx
        .rows::<Instance>()
        .filter(|i| all || i.state == InstanceState::Running)
        .filter(|i| ids.is_empty() || ids.contains(&i.id))
        .filter(|i| filters.matches(&i.tags, |name| filter_values(i, name)))
        .collect();
    let (rows, next_token) = page.take(passing, |i: &&Instance| i.id.to_string());
    Ok(DescribeInstanceStatusResponse {
        instance_statuses: rows.into_iter().map(status).collect(),
        next_token,
    })
}

/// Status and its detail `reachability`.
fn check(state: InstanceState) -> (&'static str, Option<&'static str>) {
    match state {
        InstanceState::Running => ("ok", Some("passed")),
        InstanceState::Pending => ("initializing", Some("initializing")),
        _ => ("not-applicable", None),
    }
}

fn status(of: &Instance) -> InstanceStatus {
    let (status, reachability) = check(of.state);
    let summary = || InstanceStatusSummary {
        status: Some(status.to_owned()),
        details: reachability
            .map(|detail| InstanceStatusDetails {
                name: Some("reachability".to_owned()),
                status: Some(detail.to_owned()),
                ..Default::default()
            })
            .into_iter()
            .collect(),
    };
    InstanceStatus {
        availability_zone: Some(of.zone.to_string()),
        availability_zone_id: Some(of.zone.zone_id()),
        operator: Some(OperatorResponse {
            managed: Some(false),
            ..Default::default()
        }),
        instance_id: Some(of.id.to_string()),
        instance_state: Some(shape::state(of.state)),
        instance_status: Some(summary()),
        system_status: Some(summary()),
        attached_ebs_status: Some(EbsStatusSummary {
            status: Some(status.to_owned()),
            details: reachability
                .map(|detail| EbsStatusDetails {
                    name: Some("reachability".to_owned()),
                    status: Some(detail.to_owned()),
                    ..Default::default()
                })
                .into_iter()
                .collect(),
        }),
        ..Default::default()
    }
}

fn filter_values(of: &Instance, name: &str) -> Vec<String> {
    let (status, reachability) = check(of.state);
    vec![match name {
        "availability-zone" => of.zone.to_string(),
        "availability-zone-id" => of.zone.zone_id(),
        "instance-state-code" => of.state.code().to_string(),
        "instance-state-name" => of.state.name().to_owned(),
        "attached-ebs-status.status" | "instance-status.status" | "system-status.status" => {
            status.to_owned()
        }
        "instance-status.reachability" | "system-status.reachability" => match reachability {
            Some(detail) => detail.to_owned(),
            None => return Vec::new(),
        },
        _ => return Vec::new(),
    }]
}

const FILTERS: &[&str] = &[
    "attached-ebs-status.status",
    "availability-zone",
    "availability-zone-id",
    "instance-state-code",
    "instance-state-name",
    "instance-status.reachability",
    "instance-status.status",
    "system-status.reachability",
    "system-status.status",
];
