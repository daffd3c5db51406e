//! Captures in, flow logs out.
//!
//! A [`Replay`] takes the packets of a capture to one network interface of a world, decides on each
//! as the data plane does for live traffic, and closes flow log windows by the capture's own clock.
//! The world is a daemon's, or a [`network`] described in AWS's words.
//!
//! It reads no file and no clock, and decides nothing itself: `capture` reads, `dataplane` decides,
//! `flow-logs` counts and prints.

mod frame;
pub mod network;
mod replaying;
mod summary;

pub use flow_logs::{Batch, FILE_BYTES_MAX, batches, s3_key::slot_of};
pub use model::{AggregationInterval, FlowLog, NetworkInterfaceId, Timestamp, TrafficType};
pub use replaying::{Error, Options, Replay};
pub use summary::{Count, Summary};

#[cfg(test)]
mod tests;
