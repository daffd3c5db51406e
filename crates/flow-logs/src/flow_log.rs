//! Which flow logs cover which interface, and what of a flow log matters for its records.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dataplane::InterfaceMetadata;
use model::{
    AggregationInterval, FlowLog, FlowLogId, FlowLogResource, LogDestination, RecorderId, Scope,
    TrafficType, World,
};

use crate::{LogFormat, ServiceRanges};

/// How long windows are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aggregation {
    /// 60 seconds whatever was asked, as for interfaces of Nitro instances (Amazon VPC User Guide,
    /// "Flow log records": aggregation interval).
    #[default]
    Nitro,
    /// What the flow log asked for.
    AsRequested,
}

/// A flow log as the recorder sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Whose it is, and where.
    pub scope: Scope,
    /// Its id.
    pub flow_log_id: FlowLogId,
    /// Which records it keeps.
    pub traffic_type: TrafficType,
    /// The interval that it asked for.
    pub interval: AggregationInterval,
    /// Its fields.
    pub format: LogFormat,
    /// Where its lines go.
    pub destination: LogDestination,
    /// The traffic type in the names of its log streams.
    pub stream_type: TrafficType,
}

/// Every flow log, by the resource that it was created on, and every interface that there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    flow_logs: BTreeMap<(Scope, FlowLogResource), Vec<Arc<Subscription>>>,
    /// Whether each is attached; a gateway always is.
    recorders: BTreeMap<(Scope, RecorderId), bool>,
}

/// The coverage that a world's flow logs make, with the ranges of AWS that are built in.
pub fn coverage(world: &World) -> Coverage {
    coverage_with(world, &ServiceRanges::built_in())
}

/// The coverage that a world's flow logs make.
pub fn coverage_with(world: &World, services: &Arc<ServiceRanges>) -> Coverage {
    let mut coverage = Coverage::default();
    for (&scope, state) in &world.regions {
        let stream_types = stream_types(state.flow_logs.values());
        for flow_log in state.flow_logs.values() {
            let subscription = Arc::new(Subscription {
                scope,
                flow_log_id: flow_log.id,
                traffic_type: flow_log.traffic_type,
                interval: flow_log.max_aggregation_interval,
                format: LogFormat::of(flow_log).with_services(Arc::clone(services)),
                destination: flow_log.destination.clone(),
                stream_type: log_group(flow_log)
                    .and_then(|group| stream_types.get(group).copied())
                    .unwrap_or(flow_log.traffic_type),
            });
            let key = (scope, flow_log.resource);
            coverage
                .flow_logs
                .entry(key)
                .or_default()
                .push(subscription);
        }
        for eni in state.network_interfaces.values() {
            let attached = eni.is_in_use();
            coverage.recorders.insert((scope, eni.id.into()), attached);
        }
        let gateways = state.nat_gateways.values();
        for gateway in gateways.filter(|g| g.is_regional() && g.state.is_alive()) {
            let recorder = RecorderId::RegionalNatGateway(gateway.id);
            coverage.recorders.insert((scope, recorder), true);
        }
    }
    coverage
}

impl Coverage {
    /// The flow logs that cover an interface: its VPC's, its subnet's and its own, each of which
    /// gets its own lines (Amazon VPC User Guide, "Flow logs basics"). A regional NAT gateway, which
    /// has no interface, has only its own.
    pub fn of(&self, interface: &InterfaceMetadata) -> Vec<Arc<Subscription>> {
        let levels = match interface.recorder {
            RecorderId::NetworkInterface(id) => [
                Some(FlowLogResource::Vpc(interface.vpc_id)),
                interface.subnet_id.map(FlowLogResource::Subnet),
                Some(FlowLogResource::NetworkInterface(id)),
            ],
            RecorderId::RegionalNatGateway(id) => {
                [None, None, Some(FlowLogResource::RegionalNatGateway(id))]
            }
        };
        levels
            .into_iter()
            .flatten()
            .filter_map(|level| self.flow_logs.get(&(interface.scope, level)))
            .flatten()
            .cloned()
            .collect()
    }

    /// Whether no flow log exists, so that nothing needs to be recorded.
    pub fn is_empty(&self) -> bool {
        self.flow_logs.is_empty()
    }

    /// The ids of all flow logs.
    pub fn flow_log_ids(&self) -> BTreeSet<FlowLogId> {
        let subscriptions = self.flow_logs.values().flatten();
        subscriptions.map(|s| s.flow_log_id).collect()
    }

    /// `None` when the interface has been deleted.
    pub fn is_attached(&self, interface: &InterfaceMetadata) -> Option<bool> {
        let key = (interface.scope, interface.recorder);
        self.recorders.get(&key).copied()
    }
}

/// The traffic type in stream names, by log group: flow logs that share a group share its streams
/// (Amazon VPC User Guide, "Publish flow logs to CloudWatch Logs").
fn stream_types<'a>(
    flow_logs: impl Iterator<Item = &'a FlowLog>,
) -> BTreeMap<&'a str, TrafficType> {
    let mut types = BTreeMap::new();
    for flow_log in flow_logs {
        let Some(group) = log_group(flow_log) else {
            continue;
        };
        types
            .entry(group)
            .and_modify(|seen| {
                if *seen != flow_log.traffic_type {
                    *seen = TrafficType::All;
                }
            })
            .or_insert(flow_log.traffic_type);
    }
    types
}

fn log_group(flow_log: &FlowLog) -> Option<&str> {
    match &flow_log.destination {
        LogDestination::CloudWatchLogs { log_group_name, .. } => Some(log_group_name),
        LogDestination::S3 { .. } | LogDestination::Firehose { .. } => None,
    }
}
