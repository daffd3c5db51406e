//! What is sent at once, and when.

use std::time::Duration;

use flow_logs::FILE_BYTES_MAX;
use flow_logs::s3_key::{SLOT, slot_of};
use model::Timestamp;

use crate::{Entry, SpoolError};

/// When files come to S3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum S3Files {
    /// One for each flow log and five minutes, a minute after these are over, as AWS does (Amazon VPC User Guide, "Flow
    /// log files"): no window that is open then has records of them any more.
    #[default]
    Slot,
    /// One as soon as windows close.
    Window,
}

/// Windows of a minute that are open when a slot ends may hold records that end in it.
const GRACE: Duration = Duration::from_secs(60);

impl S3Files {
    /// How long what waits has to wait on, if its oldest record has ended at `oldest`.
    pub(crate) fn wait(self, oldest: Timestamp, now: Timestamp) -> Option<Duration> {
        if self == Self::Window {
            return None;
        }
        let whole = SLOT + GRACE;
        let waited = now.since(slot_of(oldest));
        whole.checked_sub(waited).filter(|wait| !wait.is_zero())
    }
}

/// What a worker finds.
pub(crate) enum Found {
    /// Nothing waits.
    Nothing,
    /// Its time comes.
    Later(Duration),
    /// It is time.
    Parcel(Box<Parcel>),
}

/// An entry; of a flow log to S3, all that waits for the same five minutes, as one file.
pub(crate) struct Parcel {
    /// With the lines of all of them, and the sequence number of the first: it names the file.
    pub(crate) entry: Entry,
    /// The last entry.
    pub(crate) last: u64,
    /// How many entries.
    pub(crate) entries: u64,
}

impl Parcel {
    /// Begins with an entry, and goes on with those that `next` gives by their place behind it.
    ///
    /// A parcel that has been tried ends where it ended then: a file that may be there already must not get other bytes.
    pub(crate) fn gather(
        first: Entry,
        next: impl Fn(usize) -> Result<Option<Entry>, SpoolError>,
        tried: Option<u64>,
    ) -> Self {
        let mut parcel = Self {
            last: first.sequence,
            entries: 1,
            entry: first,
        };
        let mut bytes = parcel.entry.batch.lines.bytes();
        let is_file = parcel.entry.batch.s3_object(0).is_some();
        let mut place = 0;
        while is_file && tried.is_none_or(|tried| parcel.last < tried) {
            place += 1;
            // What cannot be read is told of when it is the oldest.
            let Ok(Some(entry)) = next(place) else { break };
            bytes += entry.batch.lines.bytes();
            if bytes > FILE_BYTES_MAX || !parcel.entry.batch.shares_file_with(&entry.batch) {
                break;
            }
            parcel.last = entry.sequence;
            parcel.entries += 1;
            parcel.entry.batch.lines.append(&entry.batch.lines);
        }
        if parcel.entries > 1 {
            parcel.entry.batch.lines.sort();
        }
        parcel
    }
}
