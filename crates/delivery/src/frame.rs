//! The spool's record on disk: length, checksum, sequence, batch. All numbers are little-endian.
//!
//! ```text
//! u32 length of what follows the checksum
//! u32 CRC-32 of that
//! u64 sequence
//! u8  1
//! u64 generation
//! u64 end of the oldest line, in microseconds
//! u32 length of the head
//! …   the head: everything but the lines, as JSON
//! u32 number of lines
//! …   each line: u64 start, u64 end, u32 place of its recorder in the head, u32 length of its text
//! …   the texts, one behind the other
//! ```
//!
//! Until Weir 0.1 the sequence was followed by the whole batch as JSON; such records are still read.

use flow_logs::{Batch, Line, Lines};
use model::{FlowLogId, LogDestination, RecorderId, Scope, Timestamp, TrafficType};
use serde::{Deserialize, Serialize};

use crate::Entry;

/// Length and checksum.
const HEAD: usize = 8;
const SEQUENCE: usize = 8;
/// More than any batch takes; a greater length is garbage.
const LENGTH_MAX: usize = 256 << 20;
/// No JSON begins with it.
const PLAIN: u8 = 1;
const LINE: usize = 24;

/// What the spool remembers of a record that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) sequence: u64,
    /// See [`Spool::append`](crate::Spool::append).
    pub(crate) generation: u64,
    pub(crate) scope: Scope,
    /// The end of the oldest line.
    pub(crate) oldest: Timestamp,
    /// Bytes on disk.
    pub(crate) length: usize,
}

/// Everything but the lines, in the state's own spelling of ids, times and destinations.
#[derive(Serialize, Deserialize)]
struct StoredHead {
    scope: Scope,
    flow_log_id: FlowLogId,
    destination: LogDestination,
    stream_type: TrafficType,
    slot: Timestamp,
    header: String,
    /// Those of the lines, each once.
    recorders: Vec<RecorderId>,
}

/// A batch as it was stored by earlier versions.
#[derive(Deserialize)]
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
pub(crate) fn encode(
    sequence: u64,
    generation: u64,
    batch: &Batch,
) -> Result<Vec<u8>, serde_json::Error> {
    let mut recorders: Vec<_> = batch.lines.iter().map(|(l, _)| l.recorder).collect();
    recorders.sort_unstable();
    recorders.dedup();
    let mut bytes = Vec::with_capacity(1024 + batch.lines.len() * LINE + batch.lines.text().len());
    bytes.extend_from_slice(&[0; HEAD]);
    bytes.extend_from_slice(&sequence.to_le_bytes());
    bytes.push(PLAIN);
    bytes.extend_from_slice(&generation.to_le_bytes());
    bytes.extend_from_slice(&oldest(batch).as_micros().to_le_bytes());
    let before = bytes.len();
    bytes.extend_from_slice(&[0; 4]);
    let head = StoredHead {
        scope: batch.scope,
        flow_log_id: batch.flow_log_id,
        destination: batch.destination.clone(),
        stream_type: batch.stream_type,
        slot: batch.slot,
        header: batch.lines.header().to_owned(),
        recorders,
    };
    serde_json::to_writer(&mut bytes, &head)?;
    let head_length = number(bytes.len() - before - 4);
    bytes[before..before + 4].copy_from_slice(&head_length);
    bytes.extend_from_slice(&number(batch.lines.len()));
    for (line, text) in batch.lines.iter() {
        let place = head.recorders.binary_search(&line.recorder);
        bytes.extend_from_slice(&line.start.as_micros().to_le_bytes());
        bytes.extend_from_slice(&line.end.as_micros().to_le_bytes());
        bytes.extend_from_slice(&number(place.unwrap_or_default()));
        bytes.extend_from_slice(&number(text.len()));
    }
    for (_, text) in batch.lines.iter() {
        bytes.extend_from_slice(text.as_bytes());
    }
    let length = number(bytes.len() - HEAD);
    let checksum = crc32fast::hash(&bytes[HEAD..]);
    bytes[..4].copy_from_slice(&length);
    bytes[4..HEAD].copy_from_slice(&checksum.to_le_bytes());
    Ok(bytes)
}

/// The first entry of `bytes` and how many bytes it takes; `None` when there is no whole one.
pub(crate) fn decode(bytes: &[u8]) -> Option<(Entry, usize)> {
    let (sequence, batch, length) = body(bytes)?;
    let batch = match batch.first()? {
        &PLAIN => decode_plain(&batch[1..])?,
        _ => decode_json(batch)?,
    };
    Some((Entry { sequence, batch }, length))
}

/// What the spool has to know of the first entry of `bytes`; `None` when there is no whole one.
pub(crate) fn summary(bytes: &[u8]) -> Option<Summary> {
    let (sequence, batch, length) = body(bytes)?;
    let (generation, oldest, scope) = match batch.first()? {
        &PLAIN => {
            let mut reader = Reader(&batch[1..]);
            let (generation, oldest) = (reader.u64()?, reader.u64()?);
            let head: StoredHead = reader.json()?;
            (generation, Timestamp::from_micros(oldest), head.scope)
        }
        _ => {
            let batch = decode_json(batch)?;
            (0, oldest(&batch), batch.scope)
        }
    };
    Some(Summary {
        sequence,
        generation,
        scope,
        oldest,
        length,
    })
}

/// Whether `bytes` begin with a record that is there as a whole, though it is not what was written.
pub(crate) fn is_whole(bytes: &[u8]) -> bool {
    bytes.first_chunk::<4>().is_some_and(|length| {
        let length = u32::from_le_bytes(*length) as usize;
        (SEQUENCE..=LENGTH_MAX).contains(&length) && length <= bytes.len() - HEAD.min(bytes.len())
    })
}

/// Where the next whole record begins, after damage; its sequence is after `sequence`, but not far.
pub(crate) fn find(bytes: &[u8], from: usize, sequence: u64) -> Option<usize> {
    (from..bytes.len()).find(|&at| {
        let candidate = &bytes[at..];
        let near = candidate
            .get(HEAD..)
            .and_then(<[u8]>::first_chunk::<SEQUENCE>)
            .map(|found| u64::from_le_bytes(*found).wrapping_sub(sequence));
        near.is_some_and(|distance| (1..1 << 20).contains(&distance))
            && summary(candidate).is_some()
    })
}

/// The end of a batch's oldest line.
pub(crate) fn oldest(batch: &Batch) -> Timestamp {
    let ends = batch.lines.iter().map(|(line, _)| line.end);
    ends.min().unwrap_or(batch.slot)
}

/// Sequence, stored batch, and bytes taken.
fn body(bytes: &[u8]) -> Option<(u64, &[u8], usize)> {
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
    let (sequence, batch) = body.split_first_chunk::<SEQUENCE>()?;
    Some((u64::from_le_bytes(*sequence), batch, HEAD + length))
}

fn decode_plain(bytes: &[u8]) -> Option<Batch> {
    let mut reader = Reader(bytes);
    let (_generation, _oldest) = (reader.u64()?, reader.u64()?);
    let head: StoredHead = reader.json()?;
    let count = reader.u32()? as usize;
    let mut table = Reader(reader.take(count.checked_mul(LINE)?)?);
    let mut lines = Lines::new(&head.header);
    for _ in 0..count {
        let (start, end) = (table.u64()?, table.u64()?);
        let recorder = *head.recorders.get(table.u32()? as usize)?;
        let text = reader.take(table.u32()? as usize)?;
        let line = Line {
            start: Timestamp::from_micros(start),
            end: Timestamp::from_micros(end),
            recorder,
        };
        lines.push(line, std::str::from_utf8(text).ok()?);
    }
    Some(Batch {
        scope: head.scope,
        flow_log_id: head.flow_log_id,
        destination: head.destination,
        stream_type: head.stream_type,
        slot: head.slot,
        lines,
    })
}

fn decode_json(bytes: &[u8]) -> Option<Batch> {
    let stored: StoredBatch = serde_json::from_slice(bytes).ok()?;
    let mut lines = Lines::new(&stored.header);
    for (start, end, recorder, text) in stored.lines {
        let line = Line {
            start,
            end,
            recorder,
        };
        lines.push(line, &text);
    }
    Some(Batch {
        scope: stored.scope,
        flow_log_id: stored.flow_log_id,
        destination: stored.destination,
        stream_type: stored.stream_type,
        slot: stored.slot,
        lines,
    })
}

/// A batch has fewer than 2³² lines and bytes: see `flow_logs::BATCH_BYTES_MAX`.
fn number(value: usize) -> [u8; 4] {
    u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes()
}

/// Takes bytes from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*taken))
    }

    fn u64(&mut self) -> Option<u64> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*taken))
    }

    fn json<T: serde::de::DeserializeOwned>(&mut self) -> Option<T> {
        let length = self.u32()? as usize;
        serde_json::from_slice(self.take(length)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tests::support::{lines_of, logs_batch, s3_batch};

    fn batch() -> impl Strategy<Value = Batch> {
        let line = (any::<u64>(), any::<u64>(), 1_u32..9, ".{0,40}").prop_map(
            |(start, end, interface, text)| {
                let line = Line {
                    start: Timestamp::from_micros(start),
                    end: Timestamp::from_micros(end),
                    recorder: format!("eni-{interface:08x}").parse().unwrap(),
                };
                (line, text)
            },
        );
        (prop::collection::vec(line, 0..20), any::<bool>(), ".{0,30}").prop_map(
            |(lines, logs, header)| {
                let batch = if logs {
                    logs_batch(3, &[])
                } else {
                    s3_batch(3, &[])
                };
                Batch {
                    lines: lines_of(&header, &lines),
                    ..batch
                }
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(
            batch in batch(),
            sequence: u64,
            generation: u64,
            behind in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut bytes = encode(sequence, generation, &batch).unwrap();
            let length = bytes.len();
            bytes.extend_from_slice(&behind);
            let summary = summary(&bytes).unwrap();
            prop_assert_eq!((summary.sequence, summary.generation), (sequence, generation));
            prop_assert_eq!((summary.oldest, summary.length), (oldest(&batch), length));
            prop_assert_eq!(decode(&bytes), Some((Entry { sequence, batch }, length)));
            for cut in 0..length {
                prop_assert_eq!(decode(&bytes[..cut]), None);
            }
        }

        #[test]
        fn damage_is_noticed_and_passed(batches in prop::collection::vec(batch(), 2..5), at: prop::sample::Index, bit in 0_u8..8) {
            let frames: Vec<_> = (1..).zip(&batches).map(|(n, b)| encode(n, 7, b).unwrap()).collect();
            let mut bytes = frames.concat();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let mut begin = 0;
            for (sequence, frame) in (1..).zip(&frames) {
                let hit = (begin..begin + frame.len()).contains(&at);
                prop_assert_eq!(decode(&bytes[begin..]).is_none(), hit);
                if hit {
                    let next = begin + frame.len();
                    let found = find(&bytes, begin + 1, sequence - 1);
                    prop_assert_eq!(found, (next < bytes.len()).then_some(next));
                }
                begin += frame.len();
            }
        }

        #[test]
        fn garbage_is_no_batch(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(decode_plain(&bytes), None);
            // With the right length and checksum.
            let mut framed = vec![0; HEAD];
            framed.extend_from_slice(&bytes);
            framed[..4].copy_from_slice(&number(bytes.len()));
            framed[4..HEAD].copy_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
            prop_assert_eq!(decode(&framed), None);
            prop_assert_eq!(summary(&framed), None);
        }
    }

    /// What version 0.1.0 wrote, byte for byte.
    #[test]
    fn the_first_format_is_still_read() {
        let json = r#"{"scope":{"account":"123456789012","region":"us-east-1"},"flow_log_id":"fl-00000001","destination":{"S3":{"bucket":"logs","prefix":"","arn":"arn:aws:s3:::logs","hive_compatible_partitions":false,"per_hour_partition":false}},"stream_type":"All","slot":1700000100000000,"header":"version","lines":[[1700000200000000,1700000205000000,"eni-00000001","one"]]}"#;
        let mut bytes = vec![0; HEAD];
        bytes.extend_from_slice(&17_u64.to_le_bytes());
        bytes.extend_from_slice(json.as_bytes());
        let length = bytes.len();
        let checksum = crc32fast::hash(&bytes[HEAD..]).to_le_bytes();
        bytes[..4].copy_from_slice(&number(length - HEAD));
        bytes[4..HEAD].copy_from_slice(&checksum);
        let (entry, taken) = decode(&bytes).unwrap();
        assert_eq!((entry.sequence, taken), (17, length));
        assert_eq!(entry.batch, s3_batch(1, &["one"]));
        let summary = summary(&bytes).unwrap();
        assert_eq!((summary.generation, summary.sequence), (0, 17));
        assert_eq!(summary.oldest, Timestamp::from_secs(1_700_000_205));
    }
}
