//! What several SQLite files hold at one moment, copied while they are being written.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};

use crate::Error;

/// One moment of several files. What is written later is not in it.
#[derive(Debug)]
pub struct Moment {
    files: Vec<(PathBuf, Connection)>,
}

impl Moment {
    /// Takes hold of this moment, and does something while nobody can write to any of the files.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, is being written for very long, or what is done meanwhile fails.
    pub fn of<T>(
        paths: &[PathBuf],
        meanwhile: impl FnOnce() -> io::Result<T>,
    ) -> Result<(Self, T), MomentError> {
        let mut writers = Vec::new();
        for path in paths {
            let writer = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            writer.execute_batch("BEGIN IMMEDIATE")?;
            writers.push(writer);
        }
        let mut files = Vec::new();
        for path in paths {
            let reader = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            // A transaction begins with the first reading.
            reader.execute_batch("BEGIN; SELECT COUNT(*) FROM sqlite_schema")?;
            files.push((path.clone(), reader));
        }
        let done = meanwhile()?;
        drop(writers);
        Ok((Self { files }, done))
    }

    /// Writes what a file held to another, which is made.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    ///
    /// # Panics
    ///
    /// If the moment has no such file.
    pub fn copy(&self, path: &Path, to: &Path) -> Result<(), Error> {
        let mut files = self.files.iter();
        let (_, reader) = files
            .find(|(known, _)| known == path)
            .expect("a file of the moment");
        let mut copy = Connection::open(to)?;
        // Nothing reads it before it is whole.
        copy.execute_batch("PRAGMA synchronous = OFF")?;
        Backup::new(reader, &mut copy)?.run_to_completion(PAGES, Duration::ZERO, None)?;
        Ok(())
    }
}

/// Why a moment cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum MomentError {
    /// SQLite refused.
    #[error("a file of the state cannot be read")]
    Sqlite(#[from] rusqlite::Error),
    /// What was done meanwhile failed.
    #[error("a file of the state cannot be kept")]
    Meanwhile(#[from] io::Error),
}

/// Reads a whole SQLite file and looks whether it is what SQLite wrote.
///
/// # Errors
///
/// If it is not.
pub fn check(path: &Path) -> Result<(), Error> {
    let corrupt = |found: String| Error::Corrupt {
        path: path.to_owned(),
        found,
    };
    let found = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE).and_then(|connection| {
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
    });
    match found {
        Ok(found) if found == "ok" => Ok(()),
        Ok(found) => Err(corrupt(found)),
        Err(error) => Err(corrupt(error.to_string())),
    }
}

fn open(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

/// Pages that are copied at a time.
const PAGES: i32 = 4096;
/// No writer of ours takes so long.
const PATIENCE: Duration = Duration::from_secs(10);
