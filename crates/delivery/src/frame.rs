//! The spool's record on disk: length, checksum, sequence, batch.
//!
//! ```text
//! u32 length of what follows the checksum, little-endian
//! u32 CRC-32 of that
//! u64 sequence
//! …   the batch as JSON
//! ```

use flow_logs::{Batch, Line};
use model::{FlowLogId, LogDestination, RecorderId, Scope, Timestamp, TrafficType};
use serde::{Deserialize, Serialize};

use crate::Entry;

/// Length and checksum.
const HEAD: usize = 8;
const SEQUENCE: usize = 8;
/// More than any batch takes; a greater length is garbage.
const LENGTH_MAX: usize = 256 << 20;

/// A batch in JSON: the state's own spelling of ids, times and destinations.
#[derive(Serialize, Deserialize)]
struct StoredBatch {
    scope: Scope,
    flow_log_id: FlowLogId,
    destination: LogDestination,
    stream_type: TrafficType,
    slot: Timestamp,
    header: String,
    lines: Vec<(Timestamp, Timestamp, RecorderId, String)>,
}

/// The bytes of an entry.
pub(crate) fn encode(sequence: u64, batch: &Batch) -> Result<Vec<u8>, serde_json::Error> {
    let stored = StoredBatch {
        scope: batch.scope,
        flow_log_id: batch.flow_log_id,
        destination: batch.destination.clone(),
        stream_type: batch.stream_type,
        slot: batch.slot,
        header: batch.header.clone(),
        lines: batch
            .lines
            .iter()
            .map(|l| (l.start, l.end, l.recorder, l.text.clone()))
            .collect(),
    };
    let mut bytes = vec![0; HEAD];
    bytes.extend_from_slice(&sequence.to_le_bytes());
    serde_json::to_writer(&mut bytes, &stored)?;
    let length = u32::try_from(bytes.len() - HEAD).unwrap_or(u32::MAX);
    let checksum = crc32fast::hash(&bytes[HEAD..]);
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes[4..HEAD].copy_from_slice(&checksum.to_le_bytes());
    Ok(bytes)
}

/// The first entry of `bytes` and how many bytes it takes; `None` when there is no whole one.
pub(crate) fn decode(bytes: &[u8]) -> Option<(Entry, usize)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (checksum, rest) = rest.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    if !(SEQUENCE..=LENGTH_MAX).contains(&length) {
        return None;
    }
    let body = rest.get(..length)?;
    if crc32fast::hash(body) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let (sequence, json) = body.split_first_chunk::<SEQUENCE>()?;
    let stored: StoredBatch = serde_json::from_slice(json).ok()?;
    let lines = stored.lines.into_iter();
    let batch = Batch {
        scope: stored.scope,
        flow_log_id: stored.flow_log_id,
        destination: stored.destination,
        stream_type: stored.stream_type,
        slot: stored.slot,
        header: stored.header,
        lines: lines
            .map(|(start, end, recorder, text)| Line {
                start,
                end,
                recorder,
                text,
            })
            .collect(),
    };
    let sequence = u64::from_le_bytes(*sequence);
    Some((Entry { sequence, batch }, HEAD + length))
}
