//! Batches: lines of one flow log on their way to its destination.

use std::collections::BTreeMap;

use model::{FlowLogId, LogDestination, Scope, Timestamp, TrafficType};

use crate::lines::{Line, Lines};
use crate::s3_key::{S3Key, object_hash, slot_of};
use crate::{ClosedWindow, FlowRecord, LogFormat, Subscription};

/// A batch with more text than this is split.
pub const BATCH_BYTES_MAX: usize = 16 << 20;

/// A file in S3 with more text than this is closed early, and the next begins (Amazon VPC User Guide, "Flow log files",
/// edition of June 2023).
pub const FILE_BYTES_MAX: usize = 75_000_000;

/// Lines of one flow log that are delivered together: one file in S3, or events of one log group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The account and Region of the flow log.
    pub scope: Scope,
    /// The flow log.
    pub flow_log_id: FlowLogId,
    /// Where the lines go.
    pub destination: LogDestination,
    /// The traffic type in the names of log streams.
    pub stream_type: TrafficType,
    /// The begin of the five minutes that a file in S3 is for.
    pub slot: Timestamp,
    /// By `start`, then by interface.
    pub lines: Lines,
}

/// What each flow log gets of closed windows: filtered, printed, sorted and split.
pub fn batches(windows: &[ClosedWindow]) -> Vec<Batch> {
    let mut by_flow_log: BTreeMap<(FlowLogId, Timestamp), (&Subscription, Vec<FlowRecord>)> =
        BTreeMap::new();
    for window in windows {
        for subscription in &window.subscriptions {
            for record in window.records_of(subscription) {
                by_flow_log
                    .entry((subscription.flow_log_id, slot_of(record.end)))
                    .or_insert_with(|| (subscription, Vec::new()))
                    .1
                    .push(record);
            }
        }
    }
    let mut batches = Vec::new();
    for ((flow_log_id, slot), (subscription, mut records)) in by_flow_log {
        records.sort_by_cached_key(|r| (r.start, r.interface.recorder));
        for lines in print(&records, &subscription.format, BATCH_BYTES_MAX) {
            batches.push(Batch {
                scope: subscription.scope,
                flow_log_id,
                destination: subscription.destination.clone(),
                stream_type: subscription.stream_type,
                slot,
                lines,
            });
        }
    }
    batches
}

impl Batch {
    /// Whether another batch's lines can be in the same file in S3 as these.
    pub fn shares_file_with(&self, other: &Self) -> bool {
        matches!(self.destination, LogDestination::S3 { .. })
            && self.destination == other.destination
            && (self.flow_log_id, self.scope) == (other.flow_log_id, other.scope)
            && (self.slot, self.lines.header()) == (other.slot, other.lines.header())
    }

    /// Lets every line end at a time, but not before its start nor after the end that it has.
    pub fn end_at(&mut self, at: Timestamp) {
        let header = self.lines.header();
        let place = header.split(' ').position(|name| name == "end");
        let mut lines = Lines::new(header);
        for (line, text) in self.lines.iter() {
            let mut words: Vec<_> = text.split(' ').collect();
            let ended = Line {
                end: at.clamp(line.start, line.end.max(line.start)),
                ..*line
            };
            let end = ended.end.as_secs().to_string();
            if let Some(word) = place.and_then(|place| words.get_mut(place)) {
                *word = &end;
            }
            lines.push(ended, &words.join(" "));
        }
        self.lines = lines;
        if let Some(end) = self.lines.iter().map(|(line, _)| line.end).min() {
            self.slot = slot_of(end);
        }
    }

    /// The bucket and the key of the file, when the batch is the flow log's `sequence`-th; `None`
    /// when it does not go to S3.
    pub fn s3_object(&self, sequence: u64) -> Option<(&str, S3Key<'_>)> {
        let LogDestination::S3 {
            bucket,
            prefix,
            hive_compatible_partitions,
            per_hour_partition,
            file_format,
            ..
        } = &self.destination
        else {
            return None;
        };
        let key = S3Key {
            scope: self.scope,
            flow_log_id: self.flow_log_id,
            prefix,
            hive_compatible_partitions: *hive_compatible_partitions,
            per_hour_partition: *per_hour_partition,
            slot: self.slot,
            hash: object_hash(self.flow_log_id, sequence),
            file_format: *file_format,
        };
        Some((bucket, key))
    }
}

/// The lines of records, in parts that have no more bytes if each record has fewer.
fn print(records: &[FlowRecord], format: &LogFormat, bytes_max: usize) -> Vec<Lines> {
    let header = format.header();
    let mut parts = Vec::new();
    let mut part = Lines::new(&header);
    for record in records {
        let line = Line {
            start: record.start,
            end: record.end,
            recorder: record.interface.recorder,
        };
        part.push_with(line, |text| record.render_into(format, text));
        if let Some(last) = part.split_last(bytes_max) {
            parts.push(std::mem::replace(&mut part, last));
        }
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}
