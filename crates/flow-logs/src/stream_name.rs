//! Names of log streams in CloudWatch Logs.

use model::{RecorderId, TrafficType};

/// `<interface>-<traffic type>`: one stream per interface, and per regional NAT gateway (Amazon VPC User Guide, "Publish flow
/// logs to CloudWatch Logs").
///
/// ```text
/// eni-1235b8ca123456789-all
/// ```
pub fn stream_name(recorder: RecorderId, stream_type: TrafficType) -> String {
    let suffix = match stream_type {
        TrafficType::Accept => "accept",
        TrafficType::Reject => "reject",
        TrafficType::All => "all",
    };
    format!("{recorder}-{suffix}")
}
