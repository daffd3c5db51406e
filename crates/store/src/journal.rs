//! The journal: every change, in order, and a checkpoint to start from.

use std::path::Path;

use model::{Change, Scope, Timestamp, World};
use rusqlite::{Connection, params};

use crate::{Error, lock::Lock};

/// The changes of one request or event in one account's Region. They happened together or not at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// When.
    pub at: Timestamp,
    /// In whose Region.
    pub scope: Scope,
    /// What.
    pub changes: Vec<Change>,
}

impl Record {
    /// The records of one request or event, to be appended together: one for each run of changes in the same account's
    /// Region, in their order.
    pub fn of(at: Timestamp, changes: Vec<(Scope, Change)>) -> Vec<Self> {
        let mut records: Vec<Self> = Vec::new();
        for (scope, change) in changes {
            match records.last_mut().filter(|record| record.scope == scope) {
                Some(record) => record.changes.push(change),
                None => records.push(Self {
                    at,
                    scope,
                    changes: vec![change],
                }),
            }
        }
        records
    }
}

/// The open journal of a state folder. Only one process can have it.
#[derive(Debug)]
pub struct Journal {
    connection: Connection,
    since_checkpoint: usize,
    _lock: Lock,
}

impl Journal {
    /// Opens the journal in a folder, which is made if it does not exist.
    ///
    /// # Errors
    ///
    /// If another daemon has it, the folder cannot be used, or a newer Weir wrote it.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(dir).map_err(|source| Error::Folder {
            dir: dir.to_owned(),
            source,
        })?;
        let lock = Lock::take(dir)?;
        let connection = Connection::open(dir.join("journal.sqlite"))?;
        // FULL: an acknowledged change survives a power cut, not only the end of the process.
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
        let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        match found {
            0 => connection.execute_batch(SCHEMA)?,
            FORMAT => {}
            found => {
                return Err(Error::TooNew {
                    found,
                    known: FORMAT,
                });
            }
        }
        Ok(Self {
            connection,
            since_checkpoint: 0,
            _lock: lock,
        })
    }

    /// Gives back the world as of the last acknowledged record.
    ///
    /// # Errors
    ///
    /// If a record is damaged: a state with a hole in it is worse than none.
    pub fn load(&mut self) -> Result<World, Error> {
        let mut world = World::default();
        let mut rows = 0;
        for table in ["checkpoint", "journal"] {
            let mut statement = self.connection.prepare(&format!(
                "SELECT seq, scope, changes FROM {table} ORDER BY seq"
            ))?;
            let mut records = statement.query([])?;
            while let Some(row) = records.next()? {
                let seq: i64 = row.get(0)?;
                let damaged = |source| Error::Damaged { seq, source };
                let scope: Scope =
                    serde_json::from_str(&row.get::<_, String>(1)?).map_err(damaged)?;
                let changes: Vec<Change> =
                    serde_json::from_str(&row.get::<_, String>(2)?).map_err(damaged)?;
                for change in &changes {
                    world.apply(scope, change);
                }
                rows += usize::from(table == "journal");
            }
        }
        self.since_checkpoint = rows;
        Ok(world)
    }

    /// Writes records down, all or none. When this returns, they are there for good.
    ///
    /// # Errors
    ///
    /// If the disk refuses; nothing has been written then.
    pub fn append(&mut self, records: &[Record]) -> Result<(), Error> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction
                .prepare_cached("INSERT INTO journal (at, scope, changes) VALUES (?1, ?2, ?3)")?;
            for record in records {
                insert.execute(params![
                    i64::try_from(record.at.as_micros()).unwrap_or(i64::MAX),
                    serde_json::to_string(&record.scope)?,
                    serde_json::to_string(&record.changes)?,
                ])?;
            }
        }
        transaction.commit()?;
        self.since_checkpoint += records.len();
        Ok(())
    }

    /// How many records a start would have to replay.
    pub fn since_checkpoint(&self) -> usize {
        self.since_checkpoint
    }

    /// Replaces the journal by the state that it has made, so that the next start is quick.
    ///
    /// # Errors
    ///
    /// If the disk refuses; the journal is as it was then.
    pub fn checkpoint(&mut self, world: &World) -> Result<(), Error> {
        let transaction = self.connection.transaction()?;
        transaction.execute_batch("DELETE FROM checkpoint; DELETE FROM journal;")?;
        {
            let mut insert =
                transaction.prepare("INSERT INTO checkpoint (scope, changes) VALUES (?1, ?2)")?;
            for (scope, state) in &world.regions {
                let scope = serde_json::to_string(scope)?;
                for changes in state.changes().chunks(ROWS_PER_RECORD) {
                    insert.execute(params![scope, serde_json::to_string(changes)?])?;
                }
            }
        }
        transaction.commit()?;
        self.since_checkpoint = 0;
        Ok(())
    }
}

/// Rows of a checkpoint are read one by one; this bounds how large each gets.
const ROWS_PER_RECORD: usize = 256;

/// Format of the state, raised with every change that older builds cannot read.
const FORMAT: i64 = 1;

const SCHEMA: &str = "
    BEGIN;
    CREATE TABLE journal (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL,
        scope TEXT NOT NULL, changes TEXT NOT NULL
    );
    CREATE TABLE checkpoint (seq INTEGER PRIMARY KEY, scope TEXT NOT NULL, changes TEXT NOT NULL);
    PRAGMA user_version = 1;
    COMMIT;
";
