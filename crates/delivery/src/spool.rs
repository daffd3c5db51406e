//! The spool: batches on disk, in order, until their destination has them.
//!
//! ```text
//! <folder>/fl-…/00000000000000000017.spool   entries from the 17th on
//! <folder>/fl-…/acknowledged                 the last entry that has been delivered
//! ```
//!
//! An entry that [`append`](Spool::append) has accepted survives a crash, and a power cut, at any
//! later moment: its bytes are synced before the call returns, and so is the folder when a file
//! begins or is replaced. Every method blocks on the disk.
//!
//! A half-written entry at the end of a file was never accepted, and is cut off. Damage to what was
//! accepted (a failing disk) costs the entries that it hit and no others; it is logged with its
//! place, and [`take_lost`](Spool::take_lost) names the flow logs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use flow_logs::Batch;
use model::{FlowLogId, Scope, Timestamp};

use crate::{Entry, frame};

/// A file that has reached this size takes no more entries.
const SEGMENT_BYTES: u64 = 4 << 20;
const EXTENSION: &str = "spool";
const ACKNOWLEDGED: &str = "acknowledged";

/// Why the spool did not do it.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The entry would not fit into the bytes that the spool may take.
    #[error("the spool is full: {used} of {max} bytes are taken and {needed} more are needed")]
    Full {
        /// Bytes on disk.
        used: u64,
        /// Bytes allowed.
        max: u64,
        /// Bytes of the entry.
        needed: u64,
    },
    /// What is on disk is not what was written.
    #[error("entry {sequence} of {flow_log_id} is damaged on disk")]
    Damaged {
        /// Whose entry.
        flow_log_id: FlowLogId,
        /// Which one.
        sequence: u64,
    },
    /// The disk fails, or is full.
    #[error("the spool's disk: {0}")]
    Io(#[from] io::Error),
    /// A batch that cannot be written down.
    #[error("a batch as JSON: {0}")]
    Encode(#[from] serde_json::Error),
}

/// Batches on disk.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    bytes_max: u64,
    bytes: u64,
    queues: BTreeMap<FlowLogId, Queue>,
    /// The next number of each flow log that has been removed: its last records may come later,
    /// and must not get the name of a file that is already in the bucket.
    removed: BTreeMap<FlowLogId, u64>,
    /// Those that have lost records.
    lost: BTreeSet<FlowLogId>,
}

/// The entries of one flow log.
#[derive(Debug)]
struct Queue {
    folder: PathBuf,
    scope: Option<Scope>,
    segments: VecDeque<Segment>,
    pending: VecDeque<Pending>,
    next_sequence: u64,
    /// The highest generation that was ever appended.
    generation: u64,
    /// The last segment, while it takes entries.
    writer: Option<File>,
}

#[derive(Debug)]
struct Segment {
    path: PathBuf,
    bytes: u64,
    /// The last entry in it.
    last_sequence: u64,
}

/// An entry that is not yet delivered.
#[derive(Clone, Copy, Debug)]
struct Pending {
    sequence: u64,
    offset: u64,
    bytes: u64,
    /// The end of its first record.
    oldest: Timestamp,
}

/// What waits for a flow log's destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) batches: usize,
    pub(crate) bytes: u64,
    /// The end of the oldest record.
    pub(crate) oldest: Option<Timestamp>,
    /// The last entry that waits; numbers after it may have been given to entries that were refused.
    pub(crate) last_sequence: u64,
}

impl Spool {
    /// Opens the folder, creates it when it is new, and cuts off what a crash left half written.
    pub fn open(folder: impl AsRef<Path>, bytes_max: u64) -> Result<Self, SpoolError> {
        let folder = folder.as_ref().to_owned();
        fs::create_dir_all(&folder)?;
        let mut spool = Self {
            folder,
            bytes_max,
            bytes: 0,
            queues: BTreeMap::new(),
            removed: BTreeMap::new(),
            lost: BTreeSet::new(),
        };
        for entry in fs::read_dir(&spool.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(id) = name.to_str().and_then(|n| n.parse::<FlowLogId>().ok()) else {
                tracing::warn!(path = %entry.path().display(), "not a flow log's folder");
                continue;
            };
            let (queue, damaged) = Queue::recover(entry.path())?;
            if damaged {
                spool.lost.insert(id);
            }
            spool.bytes += queue.bytes();
            spool.queues.insert(id, queue);
        }
        Ok(spool)
    }

    /// Writes a batch down and gives its sequence number. It is on disk when this returns.
    ///
    /// The generation is kept with it, see [`generation`](Self::generation).
    pub fn append(&mut self, batch: &Batch, generation: u64) -> Result<u64, SpoolError> {
        let id = batch.flow_log_id;
        let first = self.removed.get(&id).copied().unwrap_or(1);
        let sequence = self.queues.get(&id).map_or(first, |q| q.next_sequence);
        let bytes = frame::encode(sequence, generation, batch)?;
        let needed = bytes.len() as u64;
        if self.bytes + needed > self.bytes_max {
            return Err(SpoolError::Full {
                used: self.bytes,
                max: self.bytes_max,
                needed,
            });
        }
        if !self.queues.contains_key(&id) {
            let folder = self.folder.join(id.to_string());
            fs::create_dir_all(&folder)?;
            sync_folder(&self.folder)?;
            // Takes the place on disk that acknowledging needs, also once the disk is full.
            write_acknowledged(&folder, first - 1, 0)?;
            self.queues.insert(id, Queue::new(folder, first));
        }
        if let Some(queue) = self.queues.get_mut(&id) {
            queue.scope = Some(batch.scope);
            let before = queue.bytes();
            let written = queue.append(&bytes, frame::oldest(batch), generation);
            self.bytes = self.bytes - before + queue.bytes();
            written?;
        }
        Ok(sequence)
    }

    /// The oldest entry of a flow log that has not been acknowledged.
    pub fn oldest(&self, flow_log_id: FlowLogId) -> Result<Option<Entry>, SpoolError> {
        let Some(queue) = self.queues.get(&flow_log_id) else {
            return Ok(None);
        };
        let (Some(pending), Some(segment)) = (queue.pending.front(), queue.oldest_segment()) else {
            return Ok(None);
        };
        let mut file = match File::open(&segment.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let sequence = pending.sequence;
                return Err(SpoolError::Damaged {
                    flow_log_id,
                    sequence,
                });
            }
            opened => opened?,
        };
        file.seek(SeekFrom::Start(pending.offset))?;
        let mut bytes = Vec::with_capacity(usize::try_from(pending.bytes).unwrap_or_default());
        file.take(pending.bytes).read_to_end(&mut bytes)?;
        match frame::decode(&bytes) {
            Some((entry, _)) if entry.sequence == pending.sequence => Ok(Some(entry)),
            _ => Err(SpoolError::Damaged {
                flow_log_id,
                sequence: pending.sequence,
            }),
        }
    }

    /// Forgets the oldest entry: its destination has it. Another sequence number is ignored.
    pub fn acknowledge(&mut self, flow_log_id: FlowLogId, sequence: u64) -> Result<(), SpoolError> {
        let Some(queue) = self.queues.get_mut(&flow_log_id) else {
            return Ok(());
        };
        let before = queue.bytes();
        let acknowledged = queue.acknowledge(sequence);
        self.bytes = self.bytes - before + queue.bytes();
        acknowledged
    }

    /// Forgets a flow log, delivered or not.
    pub fn remove(&mut self, flow_log_id: FlowLogId) -> Result<(), SpoolError> {
        if let Some(queue) = self.queues.remove(&flow_log_id) {
            self.bytes -= queue.bytes();
            self.removed.insert(flow_log_id, queue.next_sequence);
            fs::remove_dir_all(&queue.folder)?;
        }
        Ok(())
    }

    /// The highest generation that was ever appended for a flow log, delivered or not; 0 for none.
    pub fn generation(&self, flow_log_id: FlowLogId) -> u64 {
        self.queues.get(&flow_log_id).map_or(0, |q| q.generation)
    }

    /// The highest generation that was ever appended for any flow log.
    pub fn last_generation(&self) -> u64 {
        let generations = self.queues.values().map(|q| q.generation);
        generations.max().unwrap_or_default()
    }

    /// The flow logs that have lost records, to damage or because their destination threw them away;
    /// each is told once.
    pub fn take_lost(&mut self) -> BTreeSet<FlowLogId> {
        std::mem::take(&mut self.lost)
    }

    /// Forgets the oldest entry, which is damaged.
    pub(crate) fn drop_damaged(&mut self, id: FlowLogId, sequence: u64) -> Result<(), SpoolError> {
        self.acknowledge(id, sequence)?;
        self.lost.insert(id);
        Ok(())
    }

    /// Notes that a flow log has lost records.
    pub(crate) fn mark_lost(&mut self, id: FlowLogId) {
        self.lost.insert(id);
    }

    /// Bytes on disk.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Every flow log that has a queue, with the scope of its entries.
    pub fn flow_logs(&self) -> impl Iterator<Item = (FlowLogId, Option<Scope>)> {
        self.queues.iter().map(|(id, q)| (*id, q.scope))
    }

    pub(crate) fn waiting(&self, flow_log_id: FlowLogId) -> Waiting {
        let Some(queue) = self.queues.get(&flow_log_id) else {
            return Waiting::default();
        };
        Waiting {
            batches: queue.pending.len(),
            bytes: queue.pending.iter().map(|p| p.bytes).sum(),
            oldest: queue.pending.front().map(|p| p.oldest),
            last_sequence: queue.pending.back().map_or(0, |p| p.sequence),
        }
    }
}

impl Queue {
    fn new(folder: PathBuf, next_sequence: u64) -> Self {
        Self {
            folder,
            scope: None,
            segments: VecDeque::new(),
            pending: VecDeque::new(),
            next_sequence,
            generation: 0,
            writer: None,
        }
    }

    /// The queue in a folder, and whether something in it is damaged.
    fn recover(folder: PathBuf) -> Result<(Self, bool), SpoolError> {
        let numbers = read_acknowledged(&folder)?;
        let (acknowledged, generation) = numbers.unwrap_or_default();
        let mut paths: Vec<_> = fs::read_dir(&folder)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|e| e == EXTENSION))
            .collect();
        paths.sort();
        let mut queue = Self::new(folder, 1);
        queue.generation = generation;
        let mut damaged = false;
        let mut last_sequence = acknowledged;
        for path in paths {
            let bytes = fs::read(&path)?;
            let mut offset = 0;
            while offset < bytes.len() {
                if let Some(entry) = frame::summary(&bytes[offset..]) {
                    queue.generation = queue.generation.max(entry.generation);
                    if entry.sequence > last_sequence {
                        queue.scope = Some(entry.scope);
                        queue.pending.push_back(Pending::new(&entry, offset as u64));
                        last_sequence = entry.sequence;
                    }
                    offset += entry.length;
                    continue;
                }
                let Some(next) = frame::find(&bytes, offset + 1, last_sequence) else {
                    break;
                };
                tracing::error!(path = %path.display(), offset, bytes = next - offset, after = last_sequence, "the spool is damaged; entries are lost");
                damaged = true;
                offset = next;
            }
            if offset < bytes.len() {
                damaged |= cut_off(&path, &bytes, offset)?;
            }
            queue.segments.push_back(Segment {
                path,
                bytes: offset as u64,
                last_sequence,
            });
        }
        queue.next_sequence = last_sequence + 1;
        if numbers.is_none() && queue.segments.is_empty() {
            queue.next_sequence = FAR;
        }
        queue.drop_delivered_segments()?;
        Ok((queue, damaged))
    }

    fn bytes(&self) -> u64 {
        self.segments.iter().map(|s| s.bytes).sum()
    }

    /// The segment that holds the oldest pending entry.
    fn oldest_segment(&self) -> Option<&Segment> {
        let sequence = self.pending.front()?.sequence;
        self.segments.iter().find(|s| s.last_sequence >= sequence)
    }

    fn append(
        &mut self,
        bytes: &[u8],
        oldest: Timestamp,
        generation: u64,
    ) -> Result<(), SpoolError> {
        // A number is not used again after a failure: its entry may be on disk all the same.
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        let full = self
            .segments
            .back()
            .is_some_and(|s| s.bytes >= SEGMENT_BYTES);
        if full || self.writer.is_none() {
            self.writer = None;
            self.begin_segment(sequence)?;
        }
        let (Some(writer), Some(segment)) = (&mut self.writer, self.segments.back_mut()) else {
            return Err(io::Error::other("no segment is open").into());
        };
        let written = writer.write_all(bytes).and_then(|()| writer.sync_data());
        if let Err(error) = written {
            // What follows a torn entry would be lost with it, so the segment ends before it.
            let _ = writer.set_len(segment.bytes);
            self.writer = None;
            return Err(error.into());
        }
        self.pending.push_back(Pending {
            sequence,
            offset: segment.bytes,
            bytes: bytes.len() as u64,
            oldest,
        });
        segment.bytes += bytes.len() as u64;
        segment.last_sequence = sequence;
        self.generation = self.generation.max(generation);
        Ok(())
    }

    fn begin_segment(&mut self, sequence: u64) -> Result<(), SpoolError> {
        let path = self.folder.join(format!("{sequence:020}.{EXTENSION}"));
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(&path)?;
        sync_folder(&self.folder)?;
        self.writer = Some(file);
        self.segments.push_back(Segment {
            path,
            bytes: 0,
            last_sequence: sequence - 1,
        });
        Ok(())
    }

    fn acknowledge(&mut self, sequence: u64) -> Result<(), SpoolError> {
        if self.pending.front().is_none_or(|p| p.sequence != sequence) {
            return Ok(());
        }
        write_acknowledged(&self.folder, sequence, self.generation)?;
        self.pending.pop_front();
        self.drop_delivered_segments()
    }

    fn drop_delivered_segments(&mut self) -> Result<(), SpoolError> {
        let pending = self.pending.front().map_or(u64::MAX, |p| p.sequence);
        while let Some(segment) = self.segments.front() {
            if segment.last_sequence >= pending {
                break;
            }
            match fs::remove_file(&segment.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
            self.segments.pop_front();
        }
        if self.segments.is_empty() {
            self.writer = None;
        }
        Ok(())
    }
}

impl Pending {
    const fn new(entry: &frame::Summary, offset: u64) -> Self {
        Self {
            sequence: entry.sequence,
            offset,
            bytes: entry.length as u64,
            oldest: entry.oldest,
        }
    }
}

/// Cuts off what is no entry at the end of a file; tells whether it may have been one.
fn cut_off(path: &Path, bytes: &[u8], offset: usize) -> io::Result<bool> {
    let (path_shown, cut) = (path.display(), bytes.len() - offset);
    let damaged = frame::is_whole(&bytes[offset..]);
    if damaged {
        tracing::error!(path = %path_shown, offset, bytes = cut, "the spool is damaged; its last entry is lost");
    } else {
        tracing::warn!(path = %path_shown, offset, bytes = cut, "cut off a torn tail, which was never taken");
    }
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(offset as u64)?;
    file.sync_all()?;
    Ok(damaged)
}

/// The numbers that a queue has used are not known any more: go on where none of them can be.
const FAR: u64 = 1 << 20;

/// The sequence number, the generation, and their CRC-32; until Weir 0.1 without a generation.
/// Nothing if it is damaged, zeros if there is none.
fn read_acknowledged(folder: &Path) -> io::Result<Option<(u64, u64)>> {
    let bytes = match fs::read(folder.join(ACKNOWLEDGED)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some((0, 0))),
        Err(error) => return Err(error),
    };
    let checked = bytes.split_last_chunk::<4>().and_then(|(numbers, sum)| {
        let (sequence, rest) = numbers.split_first_chunk()?;
        let generation = rest.first_chunk().copied().unwrap_or_default();
        let numbers_are_right = crc32fast::hash(numbers) == u32::from_le_bytes(*sum);
        numbers_are_right.then(|| {
            (
                u64::from_le_bytes(*sequence),
                u64::from_le_bytes(generation),
            )
        })
    });
    if checked.is_none() {
        // Delivering again is harmless where losing is not.
        tracing::warn!(folder = %folder.display(), "the number of the last delivery is damaged");
    }
    Ok(checked)
}

fn write_acknowledged(folder: &Path, sequence: u64, generation: u64) -> io::Result<()> {
    let mut bytes = sequence.to_le_bytes().to_vec();
    bytes.extend_from_slice(&generation.to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    match replace_acknowledged(folder, &bytes) {
        // Acknowledging is what makes space, so a full disk must not stop it. Few bytes in one
        // block of the disk are not torn in practice, and the checksum would tell.
        Err(error) if is_full(&error) => overwrite_acknowledged(folder, &bytes).map_err(|_| error),
        replaced => replaced,
    }
}

fn replace_acknowledged(folder: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = folder.join("acknowledged.new");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(&new, folder.join(ACKNOWLEDGED))?;
    sync_folder(folder)
}

fn overwrite_acknowledged(folder: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = folder.join(ACKNOWLEDGED);
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_data()
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
