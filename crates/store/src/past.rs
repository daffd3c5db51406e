//! The world of a past moment, and what has changed since.

use std::path::Path;

use model::{Timestamp, World};
use rusqlite::{Connection, OpenFlags};

use crate::Error;
use crate::journal::{BASE, BASE_AT, Record, mark, micros, rows_of};

/// The journal of a state folder, to read while somebody else writes it.
#[derive(Debug)]
pub struct Past {
    connection: Connection,
}

impl Past {
    /// Opens the journal of a folder, which a [`crate::Journal`] has open.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(dir.join("journal.sqlite"), flags)?;
        Ok(Self { connection })
    }

    /// The world of a moment, then every record since, oldest first. `None` if the records of that time have been given
    /// up.
    ///
    /// # Errors
    ///
    /// If a record is damaged.
    pub fn at(&mut self, at: Timestamp) -> Result<Option<(World, Vec<Record>)>, Error> {
        // One view of the file, whatever is written meanwhile.
        let transaction = self.connection.transaction()?;
        if micros(at) < mark(&transaction, BASE_AT)? {
            return Ok(None);
        }
        let (mut world, mut since) = (World::default(), Vec::new());
        rows_of(&transaction, BASE, [], |record| record.apply_to(&mut world))?;
        rows_of(&transaction, ALL, [], |record| {
            // In the order of writing: the clock may have been set back.
            if record.at <= at && since.is_empty() {
                record.apply_to(&mut world);
            } else {
                since.push(record);
            }
        })?;
        Ok(Some((world, since)))
    }
}

const ALL: &str = "SELECT seq, at, scope, changes FROM journal ORDER BY seq";
