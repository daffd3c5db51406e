//! Delivery of flow logs: spool, retry, and the sinks for S3, CloudWatch Logs and Firehose.
//!
//! A [`Batch`](flow_logs::Batch) is on disk ([`Spool`]) before anything is sent. Each flow log has
//! a queue of its own, so that one unreachable destination holds up nobody else, and every queue
//! keeps its order. A file in S3 is written once: a repeated attempt has the same key and the same
//! bytes. CloudWatch Logs and Firehose get every record at least once. This crate never looks into a line and
//! does not know what it means.

mod attempts;
mod backoff;
pub mod cloudwatch_logs;
mod delivery;
pub mod firehose;
mod frame;
mod https;
mod interruption;
mod parcel;
mod remote;
pub mod s3;
mod sink;
mod spool;
mod status;
pub mod tls;
mod worker;

pub use backoff::Backoff;
pub use cloudwatch_logs::CloudWatchLogsSink;
pub use delivery::{Clock, Delivery, DeliveryConfig, OnReport, Refused};
pub use firehose::FirehoseSink;
pub use interruption::{Interrupted, Interruption};
pub use parcel::S3Files;
pub use remote::{Remote, RemoteError};
pub use s3::S3Sink;
pub use sink::{BoxFuture, Destinations, Entry, Sink, SinkError, SinkErrorKind};
pub use spool::{Spool, SpoolError};
pub use status::{DeliveryReport, FlowLogDelivery, FlushOutcome};

#[cfg(test)]
mod tests;
