//! The journal of Changes and its checkpoints, and the events of the calls that made them, in SQLite.
//!
//! What [`Journal::append`] has returned for is there after `kill -9` and after a power cut. The
//! crate never decides anything: it writes changes down in order and gives them back in order.

mod event;
mod journal;
mod lock;
mod moment;
mod past;

pub use event::Events;
pub use journal::{Journal, Record};
pub use lock::Lock;
pub use moment::{Moment, MomentError, check};
pub use past::Past;

use std::path::PathBuf;

/// Why the state cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another daemon has the state open.
    #[error("the state in {} is in use by another weir daemon{}", dir.display(), holder(*pid))]
    InUse {
        /// The state folder.
        dir: PathBuf,
        /// The other daemon's process, if it said so.
        pid: Option<u32>,
    },
    /// The folder or a file in it cannot be used.
    #[error("cannot use the state folder {}", dir.display())]
    Folder {
        /// The state folder.
        dir: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The state was written by a newer Weir.
    #[error("the state has format {found}, this weir reads formats up to {known}")]
    TooNew {
        /// Format of the state.
        found: i64,
        /// Newest format that this build reads.
        known: i64,
    },
    /// A record cannot be understood.
    #[error("record {seq} of the journal is damaged")]
    Damaged {
        /// Its number.
        seq: i64,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A file is no longer what SQLite wrote.
    #[error("{} is damaged: {found}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite says, the first of it.
        found: String,
    },
    /// SQLite refused, for example because the disk is full.
    #[error("the journal cannot be read or written")]
    Sqlite(#[from] rusqlite::Error),
    /// A change cannot be put into words; never happens with changes of this build.
    #[error("a change cannot be serialised")]
    Serialize(#[from] serde_json::Error),
}

fn holder(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
