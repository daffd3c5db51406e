//! A whole state as one file: what `weir export` writes and `weir import` reads.
//!
//! A tar archive, gzipped: `weir-state.json` with the number of the format first, the files of a state folder, and their
//! sums last, as sha256sum writes them. What only this run of a daemon is about (windows that are open, records that wait
//! for their delivery, what instances print) is no part of it.

mod import;
mod read;
mod snapshot;
mod write;

use serde::{Deserialize, Serialize};

pub use import::{import, reset};
pub(crate) use import::{settle, sweep};
pub use read::check;
pub use snapshot::export;
pub(crate) use snapshot::{Snapshot, sweep as sweep_snapshots};

/// What the file says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format of the file.
    pub format: u32,
    /// The version of the Weir that wrote it.
    pub version: String,
    /// When, in seconds since 1970.
    pub exported_s: u64,
}

/// Raised with every change that older builds cannot read. The files inside have numbers of their own.
const FORMAT: u32 = 1;
const MANIFEST: &str = "weir-state.json";
const SUMS: &str = "SHA256SUMS";

/// The journal: the one file that every state has.
const JOURNAL: &str = "journal.sqlite";
/// Files of SQLite's.
const DATABASES: [&str; 5] = [
    JOURNAL,
    "cloudtrail.sqlite",
    "logs.sqlite",
    "firehose.sqlite",
    OBJECTS,
];
/// The index of S3's objects; their data are in files that never change.
const OBJECTS: &str = "s3/index.sqlite";
const OBJECT_DATA: &str = "s3/data";
/// Keys, without which sessions and certificates that were given out would be worth nothing.
const KEYS: [&str; 3] = ["session-key", "authority-key.pem", "authority.pem"];
/// Records of the past, for `weir flows why`: files that are only appended to.
const FLOWS: &str = "flows";

/// Whether a state file has a file of this name. Nothing else is taken out of one.
fn belongs(name: &str) -> bool {
    let plain = |part: &str| {
        let letter = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        !part.is_empty() && !part.starts_with('.') && part.chars().all(letter)
    };
    if DATABASES.contains(&name) || KEYS.contains(&name) {
        return true;
    }
    let parts: Vec<&str> = name.split('/').collect();
    match parts.as_slice() {
        ["s3", "data", folder, id] => plain(folder) && plain(id) && *folder != "incoming",
        [FLOWS, file] => plain(file),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
