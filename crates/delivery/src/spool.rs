//! The spool: batches on disk, in order, until their destination has them.
//!
//! ```text
//! <folder>/fl-…/00000000000000000017.spool   entries from the 17th on
//! <folder>/fl-…/acknowledged                 the last entry that has been delivered
//! ```
//!
//! A flow log may take half of the space that the others leave, and no more: one destination that is away for days
//! costs nobody else a record.
//!
//! An entry that [`append`](Spool::append) has accepted survives a crash, and a power cut, at any
//! later moment: its bytes are synced before the call returns, and so is the folder when a file
//! begins or is replaced. Every method blocks on the disk.
//!
//! A half-written entry at the end of a file was never accepted, and is cut off. Damage to what was
//! accepted (a failing disk) costs the entries that it hit and no others; it is logged with its
//! place, and [`take_lost`](Spool::take_lost) names the flow logs.

mod acknowledged;
mod queue;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use flow_logs::Batch;
use model::{FlowLogId, Scope, Timestamp};

use self::queue::Queue;
use crate::{Entry, frame};

/// Why the spool did not do it.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The entry would not fit into the bytes that the spool may take, or the flow log's into those that are free.
    #[error(
        "the spool is full: {used} of {max} bytes are taken, {own} of them by this flow log, and {needed} more are needed"
    )]
    Full {
        /// Bytes of the flow log on disk.
        own: u64,
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
        // As much as is free for each: one destination that is away leaves space for all the others.
        let own = self.queues.get(&id).map_or(0, Queue::bytes);
        if own + self.bytes + needed > self.bytes_max {
            return Err(SpoolError::Full {
                own,
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
            acknowledged::write(&folder, first - 1, 0)?;
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
        self.entry(flow_log_id, 0)
    }

    /// An entry by its place among those that have not been acknowledged, from 0.
    pub(crate) fn entry(
        &self,
        flow_log_id: FlowLogId,
        place: usize,
    ) -> Result<Option<Entry>, SpoolError> {
        let Some(queue) = self.queues.get(&flow_log_id) else {
            return Ok(None);
        };
        let Some(sequence) = queue.pending.get(place).map(|p| p.sequence) else {
            return Ok(None);
        };
        match queue.read(place)? {
            Some(entry) => Ok(Some(entry)),
            None => Err(SpoolError::Damaged {
                flow_log_id,
                sequence,
            }),
        }
    }

    /// Forgets the oldest entries, up to that with this sequence number: their destination has them. A number that
    /// does not wait is ignored.
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

    /// Forgets the oldest entries up to this one, which will not be delivered.
    pub(crate) fn give_up(&mut self, id: FlowLogId, sequence: u64) -> Result<(), SpoolError> {
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

pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
