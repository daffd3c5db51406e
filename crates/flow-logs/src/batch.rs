//! Batches: lines of one flow log on their way to its destination.

use std::collections::BTreeMap;

use model::{FlowLogId, LogDestination, RecorderId, Scope, Timestamp, TrafficType};

use crate::s3_key::{S3Key, object_hash, slot_of};
use crate::{ClosedWindow, Subscription};

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
    /// Names of the fields.
    pub header: String,
    /// By `start`, then by interface.
    pub lines: Vec<Line>,
}

/// A record in the flow log's format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// First packet.
    pub start: Timestamp,
    /// Last packet.
    pub end: Timestamp,
    /// Who recorded it.
    pub recorder: RecorderId,
    /// The record, without a newline.
    pub text: String,
}

/// What each flow log gets of closed windows: filtered, printed, sorted and split.
pub fn batches(windows: &[ClosedWindow]) -> Vec<Batch> {
    let mut by_flow_log: BTreeMap<(FlowLogId, Timestamp), (&Subscription, Vec<Line>)> =
        BTreeMap::new();
    for window in windows {
        for subscription in &window.subscriptions {
            for record in window.records_of(subscription) {
                let line = Line {
                    start: record.start,
                    end: record.end,
                    recorder: record.interface.recorder,
                    text: record.render(&subscription.format),
                };
                by_flow_log
                    .entry((subscription.flow_log_id, slot_of(line.end)))
                    .or_insert_with(|| (subscription, Vec::new()))
                    .1
                    .push(line);
            }
        }
    }
    let mut batches = Vec::new();
    for ((flow_log_id, slot), (subscription, mut lines)) in by_flow_log {
        lines.sort_by_key(|l| (l.start, l.recorder));
        for lines in split(lines, BATCH_BYTES_MAX) {
            batches.push(Batch {
                scope: subscription.scope,
                flow_log_id,
                destination: subscription.destination.clone(),
                stream_type: subscription.stream_type,
                slot,
                header: subscription.format.header(),
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
            && (self.slot, &self.header) == (other.slot, &other.header)
    }

    /// Takes in the lines of a later batch; when there are no more, [`sort`](Self::sort) has to follow.
    pub fn append(&mut self, later: Self) {
        self.lines.extend(later.lines);
    }

    /// Brings lines of several batches into the order of one.
    pub fn sort(&mut self) {
        self.lines.sort_by_key(|l| (l.start, l.recorder));
    }

    /// Bytes of the lines, each with its newline.
    pub fn bytes(&self) -> usize {
        self.lines.iter().map(|l| l.text.len() + 1).sum()
    }

    /// The file: a header line, then the records, every line with a newline.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(self.header.len() + 1 + self.bytes());
        text.push_str(&self.header);
        text.push('\n');
        for line in &self.lines {
            text.push_str(&line.text);
            text.push('\n');
        }
        text
    }

    /// Lets every line end at a time, but not before its start nor after the end that it has.
    pub fn end_at(&mut self, at: Timestamp) {
        let place = self.header.split(' ').position(|name| name == "end");
        for line in &mut self.lines {
            line.end = at.clamp(line.start, line.end.max(line.start));
            let mut words: Vec<_> = line.text.split(' ').collect();
            let end = line.end.as_secs().to_string();
            if let Some(word) = place.and_then(|place| words.get_mut(place)) {
                *word = &end;
                line.text = words.join(" ");
            }
        }
        if let Some(end) = self.lines.iter().map(|line| line.end).min() {
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

fn split(lines: Vec<Line>, bytes_max: usize) -> Vec<Vec<Line>> {
    let mut parts = Vec::new();
    let mut part = Vec::new();
    let mut bytes = 0;
    for line in lines {
        let line_bytes = line.text.len() + 1;
        if bytes + line_bytes > bytes_max && !part.is_empty() {
            parts.push(std::mem::take(&mut part));
            bytes = 0;
        }
        bytes += line_bytes;
        part.push(line);
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_keeps_every_line_in_order() {
        let line = |n: u64| Line {
            start: Timestamp::from_secs(n),
            end: Timestamp::from_secs(n),
            recorder: "eni-00000001".parse().unwrap(),
            text: "x".repeat(9),
        };
        let lines: Vec<_> = (0..7).map(line).collect();
        let parts = split(lines.clone(), 30);
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 1]);
        assert_eq!(parts.concat(), lines);
        assert_eq!(split(lines, 1).len(), 7);
    }
}
