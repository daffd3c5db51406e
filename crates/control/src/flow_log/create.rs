//! CreateFlowLogs: one flow log for each resource that allows it.

use ec2_api::{CreateFlowLogsRequest, CreateFlowLogsResponse};
use model::{
    AggregationInterval, DeliveryStatus, FlowLog, FlowLogResource, LogDestination, TagField, Tags,
    TrafficType,
};

use super::{destination, format, resource, tag_field, unsuccessful};
use crate::{Error, Transaction, parameter, tag, token};

const ACTION: &str = "CreateFlowLogs";

pub(crate) fn create_flow_logs(
    tx: &mut Transaction<'_>,
    request: &CreateFlowLogsRequest,
) -> Result<CreateFlowLogsResponse, Error> {
    let without_token = CreateFlowLogsRequest {
        client_token: None,
        dry_run: None,
        ..request.clone()
    };
    let mut answer = CreateFlowLogsResponse {
        client_token: request.client_token.clone(),
        ..Default::default()
    };
    if let token::Use::Again(used) =
        token::check(tx, ACTION, &request.client_token, &without_token)?
    {
        answer.flow_log_ids = used.created;
        return Ok(answer);
    }
    let resources = resource::parse(tx, request)?;
    let wanted = Wanted::parse(tx, request)?;
    for &resource in &resources {
        match wanted.create(tx, resource) {
            Ok(id) => answer.flow_log_ids.push(id),
            // With one resource there is nothing that could have succeeded beside it.
            Err(error)
                if resources.len() == 1 && error.code() != resource::unknown(resource).code() =>
            {
                return Err(error);
            }
            Err(error) => {
                let id = model::ResourceId::from(resource).to_string();
                answer.unsuccessful.push(unsuccessful(id, &error));
            }
        }
    }
    // A retry after a partial failure tries again what failed.
    if answer.unsuccessful.is_empty() {
        let created = answer.flow_log_ids.clone();
        token::remember(tx, ACTION, &request.client_token, &without_token, created);
    }
    Ok(answer)
}

/// What all flow logs of a request have in common.
struct Wanted {
    traffic_type: TrafficType,
    destination: LogDestination,
    deliver_logs_permission_arn: Option<String>,
    deliver_cross_account_role: Option<String>,
    log_format: String,
    tag_fields: Vec<TagField>,
    max_aggregation_interval: AggregationInterval,
    tags: Tags,
}

impl Wanted {
    fn parse(tx: &Transaction<'_>, request: &CreateFlowLogsRequest) -> Result<Self, Error> {
        let traffic_type = traffic_type(request)?;
        let destination = destination::parse(tx, request)?;
        let tag_fields = tag_field::parse(&request.tag_field_specifications)?;
        let log_format = format::parse(request.log_format.as_deref(), &tag_fields, &destination)?;
        Ok(Self {
            traffic_type,
            destination,
            deliver_logs_permission_arn: request.deliver_logs_permission_arn.clone(),
            deliver_cross_account_role: request.deliver_cross_account_role.clone(),
            log_format,
            tag_fields,
            max_aggregation_interval: match request.max_aggregation_interval {
                Some(60) => AggregationInterval::OneMinute,
                None | Some(600) => AggregationInterval::TenMinutes,
                Some(_) => {
                    return Err(destination::invalid(
                        "Invalid Flow Log Max Aggregation Interval",
                    ));
                }
            },
            tags: tag::from_specifications(
                tx,
                &request.tag_specifications,
                "vpc-flow-log",
                &["vpc-flow-log"],
            )?,
        })
    }

    fn create(&self, tx: &mut Transaction<'_>, resource: FlowLogResource) -> Result<String, Error> {
        if !resource::exists(tx, resource) {
            return Err(resource::unknown(resource));
        }
        let of_resource = |f: &&FlowLog| f.resource == resource;
        let own: Vec<_> = tx.rows::<FlowLog>().filter(of_resource).collect();
        if own.iter().any(|f| self.is_same(f)) {
            return Err(Error::new(
                "FlowLogAlreadyExists",
                "Error. There is an existing Flow Log with the same configuration and log destination.",
            ));
        }
        tx.quotas().flow_logs(own.len())?;
        let flow_log = FlowLog {
            id: tx.id(),
            resource,
            traffic_type: self.traffic_type,
            destination: self.destination.clone(),
            deliver_logs_permission_arn: self.deliver_logs_permission_arn.clone(),
            deliver_cross_account_role: self.deliver_cross_account_role.clone(),
            log_format: self.log_format.clone(),
            tag_fields: self.tag_fields.clone(),
            max_aggregation_interval: self.max_aggregation_interval,
            created_at: tx.now(),
            delivery: DeliveryStatus::Success,
            tags: self.tags.clone(),
        };
        let id = flow_log.id.to_string();
        tx.put(flow_log.id, flow_log);
        Ok(id)
    }

    /// AWS does not say what makes a flow log the same as another; whatever shapes its records counts here.
    fn is_same(&self, other: &FlowLog) -> bool {
        self.traffic_type == other.traffic_type
            && destination::is_same(&self.destination, &other.destination)
            && self.log_format == other.log_format
            && self.tag_fields == other.tag_fields
            && self.max_aggregation_interval == other.max_aggregation_interval
    }
}

fn traffic_type(request: &CreateFlowLogsRequest) -> Result<TrafficType, Error> {
    let Some(text) = request.traffic_type.as_deref() else {
        return Err(destination::invalid(
            match request.resource_type.as_deref() {
                Some("RegionalNatGateway") => {
                    "traffic-type is required when the resource-type is RegionalNatGateway"
                }
                _ => {
                    "traffic-type is required when the resource-type is VPC, Subnet or NetworkInterface"
                }
            },
        ));
    };
    Ok(
        match parameter::one_of(text, "trafficType", &["ACCEPT", "REJECT", "ALL"])? {
            "ACCEPT" => TrafficType::Accept,
            "REJECT" => TrafficType::Reject,
            _ => TrafficType::All,
        },
    )
}
