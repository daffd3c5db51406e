//! One flow log's folder: its segments, and what of them still waits.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use model::{Scope, Timestamp};

use super::{SpoolError, acknowledged, sync_folder};
use crate::{Entry, frame};

/// A file that has reached this size takes no more entries.
const SEGMENT_BYTES: u64 = 4 << 20;
const EXTENSION: &str = "spool";
/// The numbers that a queue has used are not known any more: go on where none of them can be.
const FAR: u64 = 1 << 20;

/// The entries of one flow log.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) folder: PathBuf,
    pub(super) scope: Option<Scope>,
    segments: VecDeque<Segment>,
    pub(super) pending: VecDeque<Pending>,
    pub(super) next_sequence: u64,
    /// The highest generation that was ever appended.
    pub(super) generation: u64,
    /// The last segment, while it takes entries.
    writer: Option<File>,
}

#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    bytes: u64,
    /// The last entry in it.
    last_sequence: u64,
}

/// An entry that is not yet delivered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) sequence: u64,
    offset: u64,
    pub(super) bytes: u64,
    /// The end of its first record.
    pub(super) oldest: Timestamp,
}

impl Queue {
    pub(super) fn new(folder: PathBuf, next_sequence: u64) -> Self {
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
    pub(super) fn recover(folder: PathBuf) -> Result<(Self, bool), SpoolError> {
        let numbers = acknowledged::read(&folder)?;
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

    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|s| s.bytes).sum()
    }

    /// A pending entry by its place; nothing if what is on disk is not what was written.
    pub(super) fn read(&self, place: usize) -> Result<Option<Entry>, SpoolError> {
        let Some(pending) = self.pending.get(place) else {
            return Ok(None);
        };
        let mut segments = self.segments.iter();
        let Some(segment) = segments.find(|s| s.last_sequence >= pending.sequence) else {
            return Ok(None);
        };
        let mut file = match File::open(&segment.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        file.seek(SeekFrom::Start(pending.offset))?;
        let mut bytes = Vec::with_capacity(usize::try_from(pending.bytes).unwrap_or_default());
        file.take(pending.bytes).read_to_end(&mut bytes)?;
        let entry = frame::decode(&bytes).map(|(entry, _)| entry);
        Ok(entry.filter(|entry| entry.sequence == pending.sequence))
    }

    pub(super) fn append(
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

    pub(super) fn acknowledge(&mut self, sequence: u64) -> Result<(), SpoolError> {
        if !self.pending.iter().any(|p| p.sequence == sequence) {
            return Ok(());
        }
        acknowledged::write(&self.folder, sequence, self.generation)?;
        while self.pending.front().is_some_and(|p| p.sequence <= sequence) {
            self.pending.pop_front();
        }
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
