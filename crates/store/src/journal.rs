//! The journal: every change, in order, and a checkpoint to start from; beside each the event of the call that made it.
//!
//! Records that a checkpoint covers stay for as long as there is room, so that the world of a past moment can be
//! rebuilt ([`crate::Past`], ADR 10): `base` is the world before the oldest of them.

use std::path::Path;

use cloudtrail::Event;
use model::{Change, Scope, Timestamp, World};
use rusqlite::{Connection, params};

use crate::{Error, event, lock::Lock};

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
    /// Takes the steps.
    pub fn apply_to(&self, world: &mut World) {
        for change in &self.changes {
            world.apply(self.scope, change);
        }
    }

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
    past_bytes_max: u64,
    /// The bytes of all changes that are kept, once they have been counted.
    past_bytes: Option<u64>,
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
        Self::with_lock(dir, lock)
    }

    /// The same, of a folder whose lock is held already.
    ///
    /// # Errors
    ///
    /// If the folder cannot be used, or a newer Weir wrote it.
    pub fn with_lock(dir: &Path, lock: Lock) -> Result<Self, Error> {
        let connection = Connection::open(dir.join("journal.sqlite"))?;
        // FULL: an acknowledged change survives a power cut, not only the end of the process.
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
        let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        match found {
            0 => connection.execute_batch(&in_one([SCHEMA, event::SCHEMA]))?,
            1 => connection.execute_batch(&in_one([FROM_1, event::SCHEMA]))?,
            // There were no events before.
            2 => connection.execute_batch(&in_one(["", event::SCHEMA]))?,
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
            past_bytes_max: PAST_BYTES_MAX,
            past_bytes: None,
            _lock: lock,
        })
    }

    /// Keeps at most so many bytes of changes that a checkpoint covers, instead of 64 MiB.
    #[must_use]
    pub fn with_past_bytes_max(mut self, bytes: u64) -> Self {
        self.past_bytes_max = bytes;
        self
    }

    /// Gives back the world as of the last acknowledged record.
    ///
    /// # Errors
    ///
    /// If a record is damaged: a state with a hole in it is worse than none.
    pub fn load(&mut self) -> Result<World, Error> {
        let mut world = World::default();
        let mut rows = 0;
        rows_of(&self.connection, CHECKPOINT, [], |record| {
            record.apply_to(&mut world);
        })?;
        let covered = mark(&self.connection, COVERED)?;
        rows_of(&self.connection, AFTER, [covered], |record| {
            record.apply_to(&mut world);
            rows += 1;
        })?;
        self.since_checkpoint = rows;
        Ok(world)
    }

    /// Writes records down, and the events of calls, all or none. When this returns, they are there for good.
    ///
    /// # Errors
    ///
    /// If the disk refuses; nothing has been written then.
    pub fn append(&mut self, records: &[Record], events: &[Event]) -> Result<(), Error> {
        let mut bytes = 0;
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction
                .prepare_cached("INSERT INTO journal (at, scope, changes) VALUES (?1, ?2, ?3)")?;
            for record in records {
                let changes = serde_json::to_string(&record.changes)?;
                bytes += changes.len() as u64;
                insert.execute(params![
                    micros(record.at),
                    serde_json::to_string(&record.scope)?,
                    changes,
                ])?;
            }
        }
        event::insert(&transaction, events)?;
        transaction.commit()?;
        self.since_checkpoint += records.len();
        self.past_bytes = self.past_bytes.map(|before| before + bytes);
        Ok(())
    }

    /// Forgets the oldest events: those before `oldest`, and all but the last `max`.
    ///
    /// # Errors
    ///
    /// If the disk refuses; none is forgotten then.
    pub fn forget_events(&mut self, oldest: Timestamp, max: u64) -> Result<(), Error> {
        let transaction = self.connection.transaction()?;
        event::forget(&transaction, oldest, max)?;
        transaction.commit()?;
        Ok(())
    }

    /// How many records a start would have to replay.
    pub fn since_checkpoint(&self) -> usize {
        self.since_checkpoint
    }

    /// Writes down the state that the journal has made, so that the next start is quick, and gives up the oldest
    /// records when there is no more room for them.
    ///
    /// # Errors
    ///
    /// If the disk refuses; the journal is as it was then.
    pub fn checkpoint(&mut self, world: &World) -> Result<(), Error> {
        // Counted once: a look at all that is kept takes longer than all else here.
        let kept = match self.past_bytes {
            Some(bytes) => bytes,
            None => past_bytes(&self.connection)?,
        };
        let transaction = self.connection.transaction()?;
        write_world(&transaction, "checkpoint", world)?;
        let newest: i64 = transaction.query_row(
            "SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'journal'), 0)",
            [],
            |row| row.get(0),
        )?;
        set_mark(&transaction, COVERED, newest)?;
        let kept = match kept > self.past_bytes_max {
            true => forget(&transaction, self.past_bytes_max)?,
            false => kept,
        };
        transaction.commit()?;
        self.since_checkpoint = 0;
        self.past_bytes = Some(kept);
        Ok(())
    }
}

/// The bytes of all changes that are kept.
fn past_bytes(connection: &Connection) -> Result<u64, Error> {
    let bytes: i64 = connection.query_row(
        "SELECT COALESCE(SUM(OCTET_LENGTH(changes)), 0) FROM journal",
        [],
        |row| row.get(0),
    )?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// Gives up the oldest records until half of the room is free. Tells how many bytes are left.
fn forget(connection: &Connection, bytes_max: u64) -> Result<u64, Error> {
    let bytes_max = i64::try_from(bytes_max).unwrap_or(i64::MAX);
    // The newest record that has to go.
    let last: i64 = connection.query_row(
        "SELECT COALESCE(MAX(seq), 0) FROM (
            SELECT seq, SUM(OCTET_LENGTH(changes)) OVER (ORDER BY seq DESC) AS bytes FROM journal
         ) WHERE bytes > ?1",
        [bytes_max / 2],
        |row| row.get(0),
    )?;
    let (mut world, mut at) = (World::default(), mark(connection, BASE_AT)?);
    rows_of(connection, BASE, [], |record| record.apply_to(&mut world))?;
    rows_of(connection, UP_TO, [last], |record| {
        at = at.max(micros(record.at));
        record.apply_to(&mut world);
    })?;
    write_world(connection, "base", &world)?;
    connection.execute("DELETE FROM journal WHERE seq <= ?1", [last])?;
    set_mark(connection, BASE_AT, at)?;
    past_bytes(connection)
}

fn write_world(connection: &Connection, table: &str, world: &World) -> Result<(), Error> {
    connection.execute_batch(&format!("DELETE FROM {table}"))?;
    let mut insert = connection.prepare(&format!(
        "INSERT INTO {table} (scope, changes) VALUES (?1, ?2)"
    ))?;
    for (scope, state) in &world.regions {
        let scope = serde_json::to_string(scope)?;
        for changes in state.changes().chunks(ROWS_PER_RECORD) {
            insert.execute(params![scope, serde_json::to_string(changes)?])?;
        }
    }
    Ok(())
}

/// Reads records one by one.
pub(crate) fn rows_of(
    connection: &Connection,
    query: &str,
    parameters: impl rusqlite::Params,
    mut each: impl FnMut(Record),
) -> Result<(), Error> {
    let mut statement = connection.prepare(query)?;
    let mut rows = statement.query(parameters)?;
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        let damaged = |source| Error::Damaged { seq, source };
        each(Record {
            at: Timestamp::from_micros(u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0)),
            scope: serde_json::from_str(&row.get::<_, String>(2)?).map_err(damaged)?,
            changes: serde_json::from_str(&row.get::<_, String>(3)?).map_err(damaged)?,
        });
    }
    Ok(())
}

/// A number that is kept beside the records; 0 if it never was.
pub(crate) fn mark(connection: &Connection, name: &str) -> Result<i64, Error> {
    Ok(connection.query_row(
        "SELECT COALESCE(MAX(value), 0) FROM mark WHERE name = ?1",
        [name],
        |row| row.get(0),
    )?)
}

fn set_mark(connection: &Connection, name: &str, value: i64) -> Result<(), Error> {
    connection.execute(
        "INSERT OR REPLACE INTO mark (name, value) VALUES (?1, ?2)",
        params![name, value],
    )?;
    Ok(())
}

pub(crate) fn micros(at: Timestamp) -> i64 {
    i64::try_from(at.as_micros()).unwrap_or(i64::MAX)
}

/// The number of the newest record that the checkpoint covers.
const COVERED: &str = "covered";
/// The time of the newest record that `base` covers, in microseconds.
pub(crate) const BASE_AT: &str = "base_at";

const CHECKPOINT: &str = "SELECT seq, 0, scope, changes FROM checkpoint ORDER BY seq";
const AFTER: &str = "SELECT seq, at, scope, changes FROM journal WHERE seq > ?1 ORDER BY seq";
const UP_TO: &str = "SELECT seq, at, scope, changes FROM journal WHERE seq <= ?1 ORDER BY seq";
/// The world before the oldest record that is kept.
pub(crate) const BASE: &str = "SELECT seq, 0, scope, changes FROM base ORDER BY seq";

/// Changes that a checkpoint covers are kept up to so many bytes.
const PAST_BYTES_MAX: u64 = 64 << 20;

/// Rows of a checkpoint are read one by one; this bounds how large each gets.
const ROWS_PER_RECORD: usize = 256;

/// Format of the state, raised with every change that older builds cannot read.
pub(crate) const FORMAT: i64 = 3;

const SCHEMA: &str = "
    CREATE TABLE journal (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL,
        scope TEXT NOT NULL, changes TEXT NOT NULL
    );
    CREATE TABLE checkpoint (seq INTEGER PRIMARY KEY, scope TEXT NOT NULL, changes TEXT NOT NULL);
    CREATE TABLE base (seq INTEGER PRIMARY KEY, scope TEXT NOT NULL, changes TEXT NOT NULL);
    CREATE TABLE mark (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
";

/// Format 1 dropped what a checkpoint covered: what came before that is not known.
const FROM_1: &str = "
    CREATE TABLE base (seq INTEGER PRIMARY KEY, scope TEXT NOT NULL, changes TEXT NOT NULL);
    CREATE TABLE mark (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
    INSERT INTO base SELECT seq, scope, changes FROM checkpoint;
    INSERT INTO mark SELECT 'base_at', COALESCE(MIN(at) - 1, 0) FROM journal
        WHERE EXISTS (SELECT 1 FROM checkpoint);
";

/// Statements that are carried out all or none, and make the file one of this format.
fn in_one(statements: [&str; 2]) -> String {
    let [first, second] = statements;
    format!("BEGIN; {first} {second} PRAGMA user_version = {FORMAT}; COMMIT;")
}
