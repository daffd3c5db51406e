//! Flow logs (Amazon VPC User Guide, "Logging IP traffic using VPC Flow Logs").

mod create;
mod destination;
mod format;
mod integration_template;
mod resource;
mod tag_field;

use std::collections::BTreeSet;

use ec2_api::{
    DeleteFlowLogsRequest, DeleteFlowLogsResponse, DescribeFlowLogsRequest,
    DescribeFlowLogsResponse, DestinationOptionsResponse, UnsuccessfulItem, UnsuccessfulItemError,
};
use model::{DeliveryStatus, FlowLog, FlowLogId, FlowLogResource, LogDestination, ResourceId};

use crate::filter::Filters;
use crate::page::Page;
use crate::{Error, Transaction, parameter, tag};

pub(crate) use create::create_flow_logs;
pub(crate) use integration_template::get_flow_logs_integration_template;

/// An unknown id gives an empty answer.
pub(crate) fn describe_flow_logs(
    tx: &mut Transaction<'_>,
    request: &DescribeFlowLogsRequest,
) -> Result<DescribeFlowLogsResponse, Error> {
    let ids: Vec<FlowLogId> = parameter::optional_ids(&request.flow_log_ids)?;
    check_count(&ids)?;
    let page = Page::parse(
        request.max_results,
        &request.next_token,
        !ids.is_empty(),
        Page::USUAL,
    )?;
    let filters = Filters::parse(&request.filter, FILTERS)?;
    let passing = tx
        .rows::<FlowLog>()
        .filter(|f| ids.is_empty() || ids.contains(&f.id))
        .filter(|f| filters.matches(&f.tags, |name| filter_values(f, name)))
        .collect();
    let (rows, next_token) = page.take(passing, |f: &&FlowLog| f.id.to_string());
    Ok(DescribeFlowLogsResponse {
        flow_logs: rows.into_iter().map(shape).collect(),
        next_token,
    })
}

/// Deletes the known ones; unknown ones are reported one by one, unless all are unknown.
pub(crate) fn delete_flow_logs(
    tx: &mut Transaction<'_>,
    request: &DeleteFlowLogsRequest,
) -> Result<DeleteFlowLogsResponse, Error> {
    let mut ids: Vec<FlowLogId> = parameter::ids(&request.flow_log_ids, "FlowLogId")?;
    check_count(&ids)?;
    let mut seen = BTreeSet::new();
    ids.retain(|id| seen.insert(*id));
    let (known, unknown): (Vec<_>, Vec<_>) = ids
        .into_iter()
        .partition(|id| tx.state().flow_logs.contains(id));
    if known.is_empty() {
        let list: Vec<_> = unknown.iter().map(ToString::to_string).collect();
        return Err(Error::new(
            "InvalidFlowLogId.NotFound",
            format!(
                "These flow log ids in the input list are not found: [TotalCount: {}] {}",
                list.len(),
                list.join(" ")
            ),
        ));
    }
    for id in known {
        tx.delete::<FlowLog>(id);
    }
    let item = |id: FlowLogId| unsuccessful(id.to_string(), &Error::NotFound(id.into()));
    Ok(DeleteFlowLogsResponse {
        unsuccessful: unknown.into_iter().map(item).collect(),
    })
}

fn check_count(ids: &[FlowLogId]) -> Result<(), Error> {
    if ids.len() <= IDS_MAX {
        return Ok(());
    }
    Err(Error::InvalidParameterValue(format!(
        "A request may name up to {IDS_MAX} flow logs."
    )))
}

/// Deletes the flow logs of a resource that is being deleted.
pub(crate) fn delete_for(tx: &mut Transaction<'_>, resource: FlowLogResource) {
    let own = tx.rows::<FlowLog>().filter(|f| f.resource == resource);
    let ids: Vec<_> = own.map(|f| f.id).collect();
    for id in ids {
        tx.delete::<FlowLog>(id);
    }
}

/// Takes note of how a delivery went; the flow log may be gone by then.
pub(crate) fn delivery(
    tx: &mut Transaction<'_>,
    id: FlowLogId,
    status: &DeliveryStatus,
) -> Result<(), Error> {
    let Some(flow_log) = tx.state().flow_logs.get(&id) else {
        return Ok(());
    };
    if flow_log.delivery != *status {
        let mut flow_log = flow_log.clone();
        flow_log.delivery = status.clone();
        tx.put(id, flow_log);
    }
    Ok(())
}

/// What could not be done for one resource of a request.
fn unsuccessful(resource_id: String, error: &Error) -> UnsuccessfulItem {
    UnsuccessfulItem {
        resource_id: Some(resource_id),
        error: Some(UnsuccessfulItemError {
            code: Some(error.code().to_owned()),
            message: Some(error.to_string()),
        }),
    }
}

fn shape(of: &FlowLog) -> ec2_api::FlowLog {
    let (status, message) = delivery_status(of);
    let (group, destination) = match &of.destination {
        LogDestination::CloudWatchLogs {
            log_group_name,
            arn,
        } => (Some(log_group_name.clone()), arn.clone()),
        LogDestination::S3 { arn, .. } | LogDestination::Firehose { arn, .. } => {
            (None, Some(arn.clone()))
        }
    };
    let options = match &of.destination {
        LogDestination::CloudWatchLogs { .. } | LogDestination::Firehose { .. } => None,
        LogDestination::S3 {
            hive_compatible_partitions,
            per_hour_partition,
            file_format,
            ..
        } => Some(DestinationOptionsResponse {
            file_format: Some(file_format.name().to_owned()),
            hive_compatible_partitions: Some(*hive_compatible_partitions),
            per_hour_partition: Some(*per_hour_partition),
        }),
    };
    ec2_api::FlowLog {
        creation_time: Some(of.created_at.to_string()),
        deliver_logs_error_message: message,
        deliver_logs_permission_arn: of.deliver_logs_permission_arn.clone(),
        deliver_cross_account_role: of.deliver_cross_account_role.clone(),
        deliver_logs_status: Some(status.to_owned()),
        flow_log_id: Some(of.id.to_string()),
        flow_log_status: Some("ACTIVE".to_owned()),
        log_group_name: group,
        resource_id: Some(ResourceId::from(of.resource).to_string()),
        traffic_type: Some(of.traffic_type.to_string()),
        log_destination_type: Some(of.destination.type_name().to_owned()),
        log_destination: destination,
        log_format: Some(of.log_format.clone()),
        tags: tag::tag_set(&of.tags),
        max_aggregation_interval: i32::try_from(of.max_aggregation_interval.as_secs()).ok(),
        destination_options: options,
        tag_field_specifications: tag_field::shape(&of.tag_fields),
    }
}

fn delivery_status(of: &FlowLog) -> (&'static str, Option<String>) {
    match &of.delivery {
        DeliveryStatus::Success => ("SUCCESS", None),
        DeliveryStatus::Failed(message) => ("FAILED", Some(message.clone())),
    }
}

fn filter_values(of: &FlowLog, name: &str) -> Vec<String> {
    vec![match name {
        "deliver-log-status" => delivery_status(of).0.to_owned(),
        "log-destination-type" => of.destination.type_name().to_owned(),
        "flow-log-id" => of.id.to_string(),
        "log-group-name" => match &of.destination {
            LogDestination::CloudWatchLogs { log_group_name, .. } => log_group_name.clone(),
            LogDestination::S3 { .. } | LogDestination::Firehose { .. } => return Vec::new(),
        },
        "resource-id" => ResourceId::from(of.resource).to_string(),
        "traffic-type" => of.traffic_type.to_string(),
        _ => return Vec::new(),
    }]
}

const FILTERS: &[&str] = &[
    "deliver-log-status",
    "flow-log-id",
    "log-destination-type",
    "log-group-name",
    "resource-id",
    "traffic-type",
];
const IDS_MAX: usize = 1000;
