//! What flow logs get if the daemon dies now: a file that is kept up to date while windows are open,
//! and taken away when the daemon ends in good order.
//!
//! ```text
//! …   "WEIROPEN"
//! u64 generation, little-endian like all numbers
//! u32 how many batches there are of records, u32 how many of SKIPDATA lines
//! u8  1 if the daemon has ended in good order all the same
//! u32 CRC-32 of all that
//! …   the batches, as the spool has them
//! ```
//!
//! The file is replaced as a whole, so that there is always one that is whole. The time of its last
//! modification says when the daemon was last seen alive. That the same counters do not come twice,
//! once in the spool and once from here, is what generations are for: see
//! [`Spool::generation`](crate::Spool::generation).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flow_logs::Batch;
use model::Timestamp;

use crate::frame;
use crate::spool::sync_folder;

const NAME: &str = "open-windows";
const MAGIC: &[u8; 8] = b"WEIROPEN";
const HEAD: usize = 8 + 8 + 4 + 4 + 1 + 4;

/// The file.
#[derive(Debug)]
pub struct Interruption {
    folder: PathBuf,
    /// Kept open to say that the daemon lives.
    file: Option<File>,
}

/// What a daemon that did not end in good order has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrupted {
    /// The generation of its open windows.
    pub generation: u64,
    /// When it was last seen alive.
    pub last_seen: Timestamp,
    /// It has ended in good order, but could not say to the spool that records are lost.
    pub in_good_order: bool,
    /// What it had counted in open windows.
    pub records: Vec<Batch>,
    /// A SKIPDATA line of each open window, with the end that the window was to have.
    pub skipped: Vec<Batch>,
}

impl Interruption {
    /// The file in a state folder, and what an earlier daemon has left in it.
    ///
    /// # Errors
    ///
    /// If the disk fails. A file that is damaged is said and left out.
    pub fn open(folder: &Path) -> io::Result<(Self, Option<Interrupted>)> {
        let path = folder.join(NAME);
        let interrupted = match fs::read(&path) {
            Ok(bytes) => {
                let last_seen = timestamp(fs::metadata(&path)?.modified()?);
                let found = parse(&bytes, last_seen);
                if found.is_none() {
                    tracing::error!(path = %path.display(), "what was counted in open windows is damaged, and lost");
                }
                found
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let interruption = Self {
            folder: folder.to_owned(),
            file: None,
        };
        Ok((interruption, interrupted))
    }

    /// Writes what flow logs get if the daemon dies from now on; on disk when this returns.
    ///
    /// # Errors
    ///
    /// If the disk fails or is full; what was written before stays.
    pub fn write(&mut self, what: &Interrupted) -> io::Result<()> {
        let new = self.folder.join(format!("{NAME}.new"));
        let written = write(&new, what)
            .and_then(|file| fs::rename(&new, self.folder.join(NAME)).map(|()| file))
            .and_then(|file| sync_folder(&self.folder).map(|()| file));
        match written {
            Ok(file) => {
                self.file = Some(file);
                Ok(())
            }
            Err(error) => {
                // What it takes of a full disk is better used by the spool.
                let _ = fs::remove_file(&new);
                Err(error)
            }
        }
    }

    /// Notes that the daemon lives.
    ///
    /// # Errors
    ///
    /// If the disk fails.
    pub fn touch(&self, now: Timestamp) -> io::Result<()> {
        let now = UNIX_EPOCH + Duration::from_micros(now.as_micros());
        self.file.as_ref().map_or(Ok(()), |f| f.set_modified(now))
    }

    /// Takes the file away: nothing is open any more.
    ///
    /// # Errors
    ///
    /// If the disk fails.
    pub fn clear(&mut self) -> io::Result<()> {
        self.file = None;
        match fs::remove_file(self.folder.join(NAME)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => sync_folder(&self.folder),
        }
    }
}

fn write(path: &Path, what: &Interrupted) -> io::Result<File> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    let mut head = MAGIC.to_vec();
    head.extend_from_slice(&what.generation.to_le_bytes());
    head.extend_from_slice(&number(what.records.len()));
    head.extend_from_slice(&number(what.skipped.len()));
    head.push(u8::from(what.in_good_order));
    head.extend_from_slice(&crc32fast::hash(&head).to_le_bytes());
    file.write_all(&head)?;
    for (place, batch) in (1..).zip(what.records.iter().chain(&what.skipped)) {
        let bytes = frame::encode(place, what.generation, batch).map_err(io::Error::other)?;
        file.write_all(&bytes)?;
    }
    file.sync_all()?;
    Ok(file)
}

fn parse(bytes: &[u8], last_seen: Timestamp) -> Option<Interrupted> {
    let (head, mut rest) = bytes.split_first_chunk::<HEAD>()?;
    let (checked, sum) = head.split_last_chunk::<4>()?;
    let numbers = checked.strip_prefix(MAGIC)?;
    if crc32fast::hash(checked) != u32::from_le_bytes(*sum) {
        return None;
    }
    let (generation, numbers) = numbers.split_first_chunk()?;
    let (records, numbers) = numbers.split_first_chunk()?;
    let (skipped, in_good_order) = numbers.split_first_chunk()?;
    let mut take = |count: u32| {
        let mut batches = Vec::new();
        for _ in 0..count {
            let (entry, length) = frame::decode(rest)?;
            rest = &rest[length..];
            batches.push(entry.batch);
        }
        Some(batches)
    };
    Some(Interrupted {
        generation: u64::from_le_bytes(*generation),
        last_seen,
        in_good_order: in_good_order != [0],
        records: take(u32::from_le_bytes(*records))?,
        skipped: take(u32::from_le_bytes(*skipped))?,
    })
}

fn number(value: usize) -> [u8; 4] {
    u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes()
}

fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::support::{Folder, s3_batch};

    fn left(generation: u64) -> Interrupted {
        Interrupted {
            generation,
            last_seen: Timestamp::from_secs(1_700_000_300),
            in_good_order: false,
            records: vec![s3_batch(1, &["one", "two"]), s3_batch(2, &["three"])],
            skipped: vec![s3_batch(1, &["skipped"])],
        }
    }

    fn open(folder: &Folder) -> (Interruption, Option<Interrupted>) {
        Interruption::open(folder.path()).unwrap()
    }

    #[test]
    fn what_was_written_last_is_found() {
        let folder = Folder::new();
        let (mut file, found) = open(&folder);
        assert_eq!(found, None);
        for generation in [1, 2] {
            file.write(&left(generation)).unwrap();
            file.touch(Timestamp::from_secs(1_700_000_300)).unwrap();
            assert_eq!(open(&folder).1, Some(left(generation)));
        }
        file.clear().unwrap();
        file.clear().unwrap();
        assert_eq!(open(&folder).1, None);
    }

    #[test]
    fn a_full_disk_leaves_what_was_there() {
        let folder = Folder::new();
        let (mut file, _) = open(&folder);
        file.write(&left(1)).unwrap();
        let new = folder.path().join("open-windows.new");
        std::os::unix::fs::symlink("/dev/full", &new).unwrap();
        assert!(file.write(&left(2)).is_err());
        assert_eq!(open(&folder).1.unwrap().generation, 1);
        file.write(&left(3)).unwrap();
        assert_eq!(open(&folder).1.unwrap().generation, 3);
    }

    #[test]
    fn damage_is_noticed() {
        let folder = Folder::new();
        let (mut file, _) = open(&folder);
        file.write(&left(1)).unwrap();
        let path = folder.path().join(NAME);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 4;
            assert_eq!(parse(&bytes, Timestamp::default()), None, "byte {at}");
            assert_eq!(
                parse(&whole[..at], Timestamp::default()),
                None,
                "cut at {at}"
            );
        }
    }
}
