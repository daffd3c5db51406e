//! Observed flows to windows to records to lines in the caller's format.
//!
//! The walk through this crate: [`coverage`] says which flow logs cover which interface, an
//! [`Aggregator`] gathers what interfaces saw into windows, a closed window becomes [`FlowRecord`]s,
//! and [`batches`] prints them for each flow log as its format and traffic type ask. It never
//! reads the time, and it does not know how lines reach a destination (`delivery`).

mod aggregator;
mod batch;
mod chunks;
mod flow_log;
mod flows;
mod format;
mod lines;
mod record;
pub mod s3_key;
mod service_ranges;
mod stream_name;
mod window;

pub use aggregator::Aggregator;
pub use batch::{BATCH_BYTES_MAX, Batch, FILE_BYTES_MAX, batches};
pub use flow_log::{Aggregation, Coverage, Subscription, coverage, coverage_with};
pub use format::{LogFormat, MalformedLine, RecordLine};
pub use lines::{Line, Lines};
pub use model::{FlowLogField as Field, FormatError, UnknownField};
pub use record::{Flow, FlowRecord, LogStatus, Observed};
pub use service_ranges::{MalformedRanges, ServiceRanges};
pub use stream_name::stream_name;
pub use window::ClosedWindow;

#[cfg(test)]
mod tests;
