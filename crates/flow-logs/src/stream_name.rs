//! Names of log streams in CloudWatch Logs.

use model::{NetworkInterfaceId, TrafficType};

/// `<interface>-<traffic type>`: one stream per interface (Amazon VPC User Guide, "Publish flow
/// logs to CloudWatch Logs").
///
/// ```text
/// eni-1235b8ca123456789-all
/// ```
pub fn stream_name(interface_id: NetworkInterfaceId, stream_type: TrafficType) -> String {
    let suffix = match stream_type {
        TrafficType::Accept => "accept",
        TrafficType::Reject => "reject",
        TrafficType::All => "all",
    };
    format!("{interface_id}-{suffix}")
}
