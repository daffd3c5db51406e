//! Records of closed windows with what decided them, on disk, so that `weir flows why` can be asked later.
//!
//! Files of JSON lines in the state folder's `flows`, each line some records of one interface. Files are only ever appended
//! to, a daemon begins a new one, and the oldest go when there are too many bytes. Nothing waits for the disk to be
//! flushed: what a power cut takes is the explanation of a record, not the record.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dataplane::InterfaceMetadata;
use flow_logs::{FlowRecord, Observed};
use model::Timestamp;
use serde::{Deserialize, Serialize};

/// Bytes that are kept.
pub(crate) const BYTES_MAX: u64 = 256 << 20;
/// Bytes of one file, more or less.
const SEGMENT_BYTES: u64 = 8 << 20;
/// Records of one line.
const CHUNK: usize = 256;
/// The longest that a record's last packet may be before its window closes, in seconds: ten minutes, and some patience.
const WINDOW_SECS: u64 = 1200;

/// The records of the past.
#[derive(Debug)]
pub(crate) struct FlowHistory {
    dir: PathBuf,
    bytes_max: u64,
    segments: Mutex<Segments>,
}

#[derive(Debug, Default)]
struct Segments {
    /// Oldest first, by when they were begun.
    known: Vec<Segment>,
    open: Option<File>,
    /// Records that could not be written.
    lost: u64,
}

#[derive(Clone, Debug)]
struct Segment {
    path: PathBuf,
    begun: Timestamp,
    bytes: u64,
}

/// Records of one interface.
#[derive(Serialize, Deserialize)]
struct Chunk {
    interface: Arc<InterfaceMetadata>,
    /// Whom the records name as the next hop, by index.
    next_hops: Vec<Arc<InterfaceMetadata>>,
    records: Vec<Kept>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    start: Timestamp,
    end: Timestamp,
    observed: Observed,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_hop: Option<usize>,
}

/// What to read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Range {
    /// Only records that end then or later.
    pub(crate) since: Option<Timestamp>,
    /// Only records that start then or earlier.
    pub(crate) until: Option<Timestamp>,
    /// Only records of this recorder, by its id.
    pub(crate) recorder: Option<String>,
}

impl FlowHistory {
    /// Opens the folder, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// If it cannot be used.
    pub(crate) fn open(dir: &Path, bytes_max: u64) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let mut known = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            let name = entry.file_name().into_string().unwrap_or_default();
            let begun = name.strip_suffix(".jsonl").and_then(|n| n.parse().ok());
            if let Some(begun) = begun.map(Timestamp::from_micros) {
                let (path, bytes) = (entry.path(), entry.metadata()?.len());
                known.push(Segment { path, begun, bytes });
            }
        }
        known.sort_by_key(|segment| segment.begun);
        let segments = Segments {
            known,
            ..Segments::default()
        };
        Ok(Self {
            dir: dir.to_owned(),
            bytes_max,
            segments: Mutex::new(segments),
        })
    }

    /// Writes records down. What the disk refuses is lost, counted and told.
    pub(crate) fn append(&self, records: &[FlowRecord], now: Timestamp) {
        let mut segments = self.lock();
        for part in records.chunk_by(|a, b| a.interface == b.interface) {
            for part in part.chunks(CHUNK) {
                if let Err(error) = self.write(&mut segments, part, now) {
                    if segments.lost == 0 {
                        tracing::warn!(%error, "the history of flows cannot be written; weir flows why will not know some records");
                    }
                    segments.lost += part.len() as u64;
                    // What follows half a line would not be read.
                    segments.open = None;
                }
            }
        }
    }

    fn write(
        &self,
        segments: &mut Segments,
        records: &[FlowRecord],
        now: Timestamp,
    ) -> io::Result<()> {
        let mut line = serde_json::to_vec(&Chunk::of(records))?;
        line.push(b'\n');
        let full = segments
            .known
            .last()
            .is_none_or(|s| s.bytes >= SEGMENT_BYTES);
        if full || segments.open.is_none() {
            self.begin(segments, now)?;
        }
        let Segments { known, open, .. } = segments;
        if let (Some(file), Some(segment)) = (open, known.last_mut()) {
            file.write_all(&line)?;
            segment.bytes += line.len() as u64;
        }
        Ok(())
    }

    /// Begins a file, and removes the oldest ones if they are too much.
    fn begin(&self, segments: &mut Segments, now: Timestamp) -> io::Result<()> {
        let newest = segments.known.last().map(|s| s.begun.as_micros() + 1);
        let begun = Timestamp::from_micros(now.as_micros().max(newest.unwrap_or(0)));
        let path = self.dir.join(format!("{:020}.jsonl", begun.as_micros()));
        segments.open = Some(File::options().append(true).create_new(true).open(&path)?);
        segments.known.push(Segment {
            path,
            begun,
            bytes: 0,
        });
        let room = self.bytes_max.saturating_sub(SEGMENT_BYTES);
        while segments.known.len() > 1 && segments.known.iter().map(|s| s.bytes).sum::<u64>() > room
        {
            let oldest = segments.known.remove(0);
            if let Err(error) = std::fs::remove_file(&oldest.path) {
                tracing::warn!(path = %oldest.path.display(), %error, "an old history of flows stays");
            }
        }
        Ok(())
    }

    /// When the oldest file was begun: earlier records are not known.
    pub(crate) fn since(&self) -> Option<Timestamp> {
        self.lock().known.first().map(|segment| segment.begun)
    }

    /// Reads records, oldest window first. What is being written meanwhile is not read.
    pub(crate) fn read(&self, range: &Range, mut each: impl FnMut(FlowRecord)) {
        let segments = self.lock().known.clone();
        for (index, segment) in segments.iter().enumerate() {
            let ended = segments.get(index + 1).map(|next| next.begun);
            let early = ended
                .zip(range.since)
                .is_some_and(|(ended, since)| ended < since);
            let late = range
                .until
                .is_some_and(|until| segment.begun.as_secs() > until.as_secs() + WINDOW_SECS);
            if early || late {
                continue;
            }
            if let Err(error) = read_segment(segment, range, &mut each) {
                tracing::warn!(path = %segment.path.display(), %error, "a history of flows cannot be read");
            }
        }
    }

    /// The newest so many records, or as many of them as the newest files have, in the order of their windows.
    pub(crate) fn newest(&self, limit: usize) -> Vec<FlowRecord> {
        let segments = self.lock().known.clone();
        let (mut newest, mut count) = (Vec::new(), 0);
        for segment in segments.iter().rev() {
            let mut records = Vec::new();
            let each = &mut |record| records.push(record);
            if let Err(error) = read_segment(segment, &Range::default(), each) {
                tracing::warn!(path = %segment.path.display(), %error, "a history of flows cannot be read");
            }
            count += records.len();
            newest.push(records);
            if count >= limit {
                break;
            }
        }
        let all = newest.into_iter().rev().flatten();
        all.skip(count.saturating_sub(limit)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Segments> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_segment(
    segment: &Segment,
    range: &Range,
    each: &mut impl FnMut(FlowRecord),
) -> io::Result<()> {
    let file = match File::open(&segment.path) {
        // Too old, and removed meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    let mut lines = BufReader::new(file.take(segment.bytes));
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        let wanted = range
            .recorder
            .as_ref()
            .is_none_or(|id| find(&line, id.as_bytes()));
        // A line that a killed daemon left half written is no chunk.
        if wanted && let Ok(chunk) = serde_json::from_slice::<Chunk>(&line) {
            chunk.records(range, each);
        }
        line.clear();
    }
    Ok(())
}

fn find(line: &[u8], text: &[u8]) -> bool {
    line.windows(text.len()).any(|window| window == text)
}

impl Chunk {
    fn of(records: &[FlowRecord]) -> Option<Self> {
        let mut chunk = Self {
            interface: records.first()?.interface.clone(),
            next_hops: Vec::new(),
            records: Vec::with_capacity(records.len()),
        };
        for record in records {
            let mut observed = record.observed.clone();
            let hop = match &mut observed {
                Observed::Flow(flow) => flow.next_hop.take(),
                Observed::NoData | Observed::SkipData => None,
            };
            let next_hop = hop.map(|hop| chunk.index_of(hop));
            chunk.records.push(Kept {
                start: record.start,
                end: record.end,
                observed,
                next_hop,
            });
        }
        Some(chunk)
    }

    fn index_of(&mut self, hop: Arc<InterfaceMetadata>) -> usize {
        let known = self
            .next_hops
            .iter()
            .position(|known| Arc::ptr_eq(known, &hop));
        known.unwrap_or_else(|| {
            self.next_hops.push(hop);
            self.next_hops.len() - 1
        })
    }

    fn records(self, range: &Range, each: &mut impl FnMut(FlowRecord)) {
        if range
            .recorder
            .as_ref()
            .is_some_and(|id| *id != self.interface.recorder.to_string())
        {
            return;
        }
        for mut kept in self.records {
            if range.since.is_some_and(|since| kept.end < since)
                || range.until.is_some_and(|until| kept.start > until)
            {
                continue;
            }
            if let Observed::Flow(flow) = &mut kept.observed {
                flow.next_hop = kept.next_hop.and_then(|i| self.next_hops.get(i).cloned());
            }
            each(FlowRecord {
                interface: self.interface.clone(),
                start: kept.start,
                end: kept.end,
                observed: kept.observed,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explaining::tests::record;

    fn times(history: &FlowHistory, range: &Range) -> Vec<u64> {
        let mut times = Vec::new();
        history.read(range, |record| times.push(record.start.as_secs()));
        times
    }

    fn folder(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("weir-history-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        dir
    }

    #[test]
    fn what_was_written_is_read_back_after_a_restart() {
        let dir = folder("restart");
        let history = FlowHistory::open(&dir, BYTES_MAX).unwrap();
        let first = record("eni-00000001", 100);
        history.append(
            &[first.clone(), record("eni-00000002", 101)],
            Timestamp::from_secs(160),
        );
        drop(history);
        // Half a line of a daemon that was killed.
        let path = std::fs::read_dir(&dir)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        let mut torn = std::fs::read(&path).unwrap();
        torn.extend(b"{\"interface\":");
        std::fs::write(&path, torn).unwrap();
        let history = FlowHistory::open(&dir, BYTES_MAX).unwrap();
        history.append(&[record("eni-00000001", 200)], Timestamp::from_secs(260));
        assert_eq!(times(&history, &Range::default()), [100, 101, 200]);
        let mut read = Vec::new();
        history.read(&Range::default(), |record| read.push(record));
        assert_eq!(read[0], first);
        let of_one = Range {
            recorder: Some("eni-00000001".to_owned()),
            since: Some(Timestamp::from_secs(150)),
            until: None,
        };
        assert_eq!(times(&history, &of_one), [200]);
        let newest = |limit| {
            let newest = history.newest(limit).into_iter();
            newest.map(|r| r.start.as_secs()).collect::<Vec<_>>()
        };
        assert_eq!(newest(1), [200]);
        assert_eq!(newest(2), [101, 200]);
        assert_eq!(newest(9), [100, 101, 200]);
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn the_oldest_files_go() {
        let dir = folder("bound");
        let history = FlowHistory::open(&dir, 3 * SEGMENT_BYTES).unwrap();
        let records: Vec<_> = (0..200_000).map(|n| record("eni-00000001", n)).collect();
        for part in records.chunks(20_000) {
            history.append(part, part[0].end);
        }
        let bytes: u64 = std::fs::read_dir(&dir)
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .sum();
        assert!(bytes <= 3 * SEGMENT_BYTES, "{bytes}");
        let times = times(&history, &Range::default());
        assert_eq!(times.last(), Some(&199_999));
        assert!(times[0] > 0 && times.is_sorted());
        assert!(history.since().unwrap() > Timestamp::from_secs(0));
        std::fs::remove_dir_all(dir).unwrap();
    }
}
