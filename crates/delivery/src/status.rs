//! What is said about deliveries.

use std::time::Duration;

use model::{DeliveryStatus, FlowLogId, Scope, Timestamp};

/// How a delivery ended: what `DescribeFlowLogs` must show from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryReport {
    /// The account and Region of the flow log.
    pub scope: Scope,
    /// The flow log.
    pub flow_log_id: FlowLogId,
    /// `DeliverLogsStatus` and `DeliverLogsErrorMessage`.
    pub status: DeliveryStatus,
}

/// What a flush did for a flow log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlushOutcome {
    /// Batches that still wait.
    pub waiting: usize,
    /// Why they wait.
    pub error: Option<String>,
}

/// How the deliveries of a flow log go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowLogDelivery {
    /// The account and Region of the flow log.
    pub scope: Option<Scope>,
    /// The flow log.
    pub flow_log_id: FlowLogId,
    /// Batches that wait.
    pub waiting_batches: usize,
    /// Their bytes on disk.
    pub waiting_bytes: u64,
    /// How long ago the oldest record that waits was made.
    pub lag: Duration,
    /// Batches delivered since the daemon started.
    pub delivered_batches: u64,
    /// Records delivered since the daemon started.
    pub delivered_records: u64,
    /// Batches given up: refused for good, damaged on disk, or of a deleted flow log.
    pub dropped_batches: u64,
    /// Records that the destination took and threw away: too old or too new for CloudWatch Logs.
    pub rejected_records: u64,
    /// Attempts that failed since the daemon started.
    pub failures: u64,
    /// The last success.
    pub last_delivery: Option<Timestamp>,
    /// The last failure since then.
    pub last_error: Option<String>,
}
