//! Where batches end: the trait that destinations implement, and the errors that they give.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use flow_logs::Batch;
use model::{DeliveryStatus, FlowLogId, LogDestination};

/// A future in a box, so that sinks can be trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A batch and its place among the flow log's batches; the place never changes, so that a
/// repeated delivery can be recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The place, from 1.
    pub sequence: u64,
    /// The batch.
    pub batch: Batch,
}

/// A kind of destination.
pub trait Sink: Send + Sync {
    /// Delivers an entry. Success means that it is safe at the destination. A sink must stand to
    /// be given the same entry again.
    fn deliver<'a>(&'a self, entry: &'a Entry) -> BoxFuture<'a, Result<(), SinkError>>;

    /// How many records of a flow log the destination has taken and thrown away, since the start.
    fn rejected(&self, _: FlowLogId) -> u64 {
        0
    }
}

/// A delivery that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SinkError {
    /// What the flow log's owner is told.
    pub kind: SinkErrorKind,
    /// What the operator is told.
    pub message: String,
}

/// What went wrong, as far as a flow log shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SinkErrorKind {
    /// The destination refuses the writer.
    Access,
    /// The destination takes no more for now, or has reached a quota.
    RateLimited,
    /// The bucket or stream does not exist.
    NotFound,
    /// The destination does not take this batch, now or ever: it is too large, or malformed.
    Rejected,
    /// The destination cannot be reached, or fails.
    Unavailable,
}

impl SinkError {
    /// An error of a kind.
    pub fn new(kind: SinkErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { kind, message }
    }

    /// The destination cannot be reached, or fails.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(SinkErrorKind::Unavailable, message)
    }

    /// From the error code of an AWS service: `NoSuchBucket`, `ThrottlingException`.
    pub fn from_code(code: &str, message: &str) -> Self {
        let kind = match code {
            "NoSuchBucket" | "ResourceNotFoundException" => SinkErrorKind::NotFound,
            "AccessDenied"
            | "AccessDeniedException"
            | "AllAccessDisabled"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "InvalidAccessKeyId"
            | "InvalidSignatureException"
            | "InvalidToken"
            | "SignatureDoesNotMatch"
            | "UnrecognizedClientException" => SinkErrorKind::Access,
            "LimitExceededException"
            | "RequestLimitExceeded"
            | "ServiceQuotaExceededException"
            | "SlowDown"
            | "Throttling"
            | "ThrottlingException"
            | "TooManyRequestsException" => SinkErrorKind::RateLimited,
            "EntityTooLarge"
            | "InvalidArgumentException"
            | "InvalidParameterException"
            | "KeyTooLongError"
            | "SerializationException"
            | "ValidationException" => SinkErrorKind::Rejected,
            _ => SinkErrorKind::Unavailable,
        };
        Self::new(kind, format!("{code}: {message}"))
    }

    /// What `DescribeFlowLogs` shows (Amazon VPC User Guide, "Troubleshoot VPC Flow Logs").
    pub fn status(&self) -> DeliveryStatus {
        let text = match self.kind {
            SinkErrorKind::Access | SinkErrorKind::NotFound => "Access error",
            SinkErrorKind::RateLimited => "Rate limited",
            SinkErrorKind::Rejected | SinkErrorKind::Unavailable => "Unknown error",
        };
        DeliveryStatus::Failed(text.to_owned())
    }
}

/// The sink of every kind of destination.
#[derive(Clone)]
pub struct Destinations {
    /// Buckets.
    pub s3: Arc<dyn Sink>,
    /// Log groups.
    pub cloudwatch_logs: Arc<dyn Sink>,
    /// Delivery streams.
    pub firehose: Arc<dyn Sink>,
}

impl Sink for Destinations {
    fn rejected(&self, flow_log_id: FlowLogId) -> u64 {
        let sinks = [&self.s3, &self.cloudwatch_logs, &self.firehose];
        sinks.iter().map(|sink| sink.rejected(flow_log_id)).sum()
    }

    fn deliver<'a>(&'a self, entry: &'a Entry) -> BoxFuture<'a, Result<(), SinkError>> {
        match entry.batch.destination {
            LogDestination::S3 { .. } => self.s3.deliver(entry),
            LogDestination::CloudWatchLogs { .. } => self.cloudwatch_logs.deliver(entry),
            LogDestination::Firehose { .. } => self.firehose.deliver(entry),
        }
    }
}
