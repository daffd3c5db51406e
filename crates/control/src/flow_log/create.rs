//! CreateFlowLogs: one flow log for each resource that allows it.

use ec2_api::{CreateFlowLogsRequest, CreateFlowLogsResponse};
use model::{
    AggregationInterval, DeliveryStatus, FlowLog, FlowLogResource, LogDestination,
    NetworkInterfaceId, SubnetId, Tags, TrafficType, VpcId,
};

use super::{destination, format, unsuccessful};
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
    let resources = resources(request)?;
    let wanted = Wanted::parse(tx, request)?;
    for &resource in &resources {
        match wanted.create(tx, resource) {
            Ok(id) => answer.flow_log_ids.push(id),
            // With one resource there is nothing that could have succeeded beside it.
            Err(error) if resources.len() == 1 && error.code() != unknown(resource).code() => {
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
    log_format: String,
    max_aggregation_interval: AggregationInterval,
    tags: Tags,
}

impl Wanted {
    fn parse(tx: &Transaction<'_>, request: &CreateFlowLogsRequest) -> Result<Self, Error> {
        Ok(Self {
            traffic_type: traffic_type(request)?,
            destination: destination::parse(tx, request)?,
            deliver_logs_permission_arn: request.deliver_logs_permission_arn.clone(),
            log_format: format::parse(request.log_format.as_deref())?,
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
        let exists = match resource {
            FlowLogResource::Vpc(id) => tx.state().vpcs.contains(&id),
            FlowLogResource::Subnet(id) => tx.state().subnets.contains(&id),
            FlowLogResource::NetworkInterface(id) => tx.state().network_interfaces.contains(&id),
            FlowLogResource::RegionalNatGateway(id) => tx.state().nat_gateways.contains(&id),
        };
        if !exists {
            return Err(unknown(resource));
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
            deliver_cross_account_role: None,
            log_format: self.log_format.clone(),
            tag_fields: Vec::new(),
            max_aggregation_interval: self.max_aggregation_interval,
            created_at: tx.now(),
            delivery: DeliveryStatus::Success,
            tags: self.tags.clone(),
        };
        let id = flow_log.id.to_string();
        tx.put(flow_log.id, flow_log);
        Ok(id)
    }

    fn is_same(&self, other: &FlowLog) -> bool {
        self.traffic_type == other.traffic_type
            && self.destination == other.destination
            && self.log_format == other.log_format
            && self.max_aggregation_interval == other.max_aggregation_interval
    }
}

fn resources(request: &CreateFlowLogsRequest) -> Result<Vec<FlowLogResource>, Error> {
    if request.resource_ids.is_empty() {
        return Err(Error::MissingParameter("ResourceId"));
    }
    let kind = parameter::required(&request.resource_type, "ResourceType")?;
    let kind = parameter::one_of(kind, "resourceType", RESOURCE_TYPES)?;
    if request.resource_ids.len() > RESOURCES_MAX {
        return Err(Error::InvalidParameterValue(format!(
            "A request may name up to {RESOURCES_MAX} resources."
        )));
    }
    let resource = |text: &String| {
        let parsed = match kind {
            "VPC" => text.parse().map(|id: VpcId| FlowLogResource::Vpc(id)),
            "Subnet" => text.parse().map(|id: SubnetId| FlowLogResource::Subnet(id)),
            "NetworkInterface" => text
                .parse()
                .map(|id: NetworkInterfaceId| FlowLogResource::NetworkInterface(id)),
            _ => {
                return Err(Error::new(
                    "UnsupportedOperation",
                    format!("Flow logs of resource-type {kind} are not supported."),
                ));
            }
        };
        parsed.map_err(|_| {
            destination::invalid(format!(
                "Invalid Resource id {text} for resource-type {kind}"
            ))
        })
    };
    request.resource_ids.iter().map(resource).collect()
}

fn traffic_type(request: &CreateFlowLogsRequest) -> Result<TrafficType, Error> {
    let Some(text) = request.traffic_type.as_deref() else {
        return Err(destination::invalid(
            "traffic-type is required when the resource-type is VPC, Subnet or NetworkInterface",
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

/// The codes are spelt as CreateFlowLogs does, which is not how other actions do.
fn unknown(resource: FlowLogResource) -> Error {
    let (code, id) = match resource {
        FlowLogResource::Vpc(id) => ("InvalidVpcId.NotFound", id.to_string()),
        FlowLogResource::Subnet(id) => ("InvalidSubnetId.NotFound", id.to_string()),
        FlowLogResource::NetworkInterface(id) => {
            ("InvalidNetworkInterfaceId.NotFound", id.to_string())
        }
        FlowLogResource::RegionalNatGateway(id) => ("InvalidNatGatewayId.NotFound", id.to_string()),
    };
    Error::new(code, format!("Unknown resource {id}"))
}

const RESOURCE_TYPES: &[&str] = &[
    "VPC",
    "Subnet",
    "NetworkInterface",
    "TransitGateway",
    "TransitGatewayAttachment",
    "RegionalNatGateway",
];
const RESOURCES_MAX: usize = 300;
