//! Flow logs (Amazon VPC User Guide, "Logging IP traffic using VPC Flow Logs").

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    AccountId, FlowLogId, NatGatewayId, NetworkInterfaceId, Region, ResourceId, SubnetId, Tags,
    Timestamp, VpcId,
};

/// A flow log: which traffic of which resource goes where, in which format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowLog {
    /// Its id.
    pub id: FlowLogId,
    /// What is recorded.
    pub resource: FlowLogResource,
    /// Which records are kept.
    pub traffic_type: TrafficType,
    /// Where they go.
    pub destination: LogDestination,
    /// The role given for delivery to CloudWatch Logs, or to another account's Firehose stream.
    pub deliver_logs_permission_arn: Option<String>,
    /// The role in the account of the Firehose stream that records are delivered to.
    #[serde(default)]
    pub deliver_cross_account_role: Option<String>,
    /// `${field}` tokens separated by single spaces.
    pub log_format: String,
    /// Which tags the tag fields of the format show.
    #[serde(default)]
    pub tag_fields: Vec<TagField>,
    /// The interval asked for.
    pub max_aggregation_interval: AggregationInterval,
    /// When it was created.
    pub created_at: Timestamp,
    /// How the last delivery went.
    pub delivery: DeliveryStatus,
    /// Tags.
    pub tags: Tags,
}

impl FlowLog {
    /// The format of records when none is given: the fields of version 2.
    pub const DEFAULT_FORMAT: &str = "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} \
        ${srcport} ${dstport} ${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status}";
}

/// The resource that a flow log was created on. It covers every network interface inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FlowLogResource {
    /// A VPC.
    Vpc(VpcId),
    /// A subnet.
    Subnet(SubnetId),
    /// One network interface.
    NetworkInterface(NetworkInterfaceId),
    /// A regional NAT gateway, which has no network interface.
    RegionalNatGateway(NatGatewayId),
}

impl From<FlowLogResource> for ResourceId {
    fn from(resource: FlowLogResource) -> Self {
        match resource {
            FlowLogResource::Vpc(id) => id.into(),
            FlowLogResource::Subnet(id) => id.into(),
            FlowLogResource::NetworkInterface(id) => id.into(),
            FlowLogResource::RegionalNatGateway(id) => id.into(),
        }
    }
}

/// Which records a flow log keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TrafficType {
    /// Accepted traffic.
    Accept,
    /// Rejected traffic.
    Reject,
    /// Both.
    All,
}

impl TrafficType {
    /// As the API spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accept => "ACCEPT",
            Self::Reject => "REJECT",
            Self::All => "ALL",
        }
    }
}

impl fmt::Display for TrafficType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The maximum time in which packets of a flow are gathered into one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AggregationInterval {
    /// 60 seconds.
    OneMinute,
    /// 600 seconds.
    TenMinutes,
}

impl AggregationInterval {
    /// In seconds.
    pub const fn as_secs(self) -> u32 {
        match self {
            Self::OneMinute => 60,
            Self::TenMinutes => 600,
        }
    }
}

/// Where records go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LogDestination {
    /// A log group in CloudWatch Logs.
    CloudWatchLogs {
        /// Name of the group.
        log_group_name: String,
        /// The group's ARN, if the caller gave that.
        arn: Option<String>,
    },
    /// An S3 bucket.
    S3 {
        /// Name of the bucket.
        bucket: String,
        /// Key prefix, without a slash at its end; may be empty.
        prefix: String,
        /// As the caller gave it.
        arn: String,
        /// Prefixes of the form `name=value`.
        hive_compatible_partitions: bool,
        /// One folder per hour.
        per_hour_partition: bool,
        /// What files hold.
        #[serde(default)]
        file_format: FileFormat,
    },
    /// A Firehose delivery stream.
    Firehose {
        /// The stream's account.
        account: AccountId,
        /// The stream's Region.
        region: Region,
        /// Name of the stream.
        stream_name: String,
        /// As the caller gave it.
        arn: String,
    },
}

impl LogDestination {
    /// As the API spells it.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::CloudWatchLogs { .. } => "cloud-watch-logs",
            Self::S3 { .. } => "s3",
            Self::Firehose { .. } => "kinesis-data-firehose",
        }
    }
}

/// What the files of a flow log in S3 hold.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum FileFormat {
    /// A header line and a line for each record, gzipped.
    #[default]
    PlainText,
    /// Apache Parquet, a column for each field.
    Parquet,
}

impl FileFormat {
    /// As the API spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PlainText => "plain-text",
            Self::Parquet => "parquet",
        }
    }
}

/// Tags whose values the tag fields of records show (Amazon EC2 API Reference,
/// "TagFieldSpecificationRequest").
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TagField {
    /// Whose tags.
    pub resource: TagFieldResource,
    /// The first key feeds the first field (`instance-tag`), the second the other (`instance-tag-2`).
    pub keys: Vec<String>,
}

/// What a tag field shows the tag of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TagFieldResource {
    /// The network interface that recorded.
    NetworkInterface,
    /// The instance that the interface is attached to.
    Instance,
    /// The Auto Scaling group of that instance.
    AutoScalingGroup,
}

impl TagFieldResource {
    /// As the API spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NetworkInterface => "network-interface",
            Self::Instance => "instance",
            Self::AutoScalingGroup => "auto-scaling-group",
        }
    }
}

/// How the last delivery went: `DeliverLogsStatus` and `DeliverLogsErrorMessage`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeliveryStatus {
    /// Nothing has gone wrong.
    Success,
    /// AWS's word for what went wrong: `Access error`, `Rate limited`, `Unknown error`.
    Failed(String),
}
