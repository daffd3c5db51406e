//! Batches: when the records that wait in a stream become one, and what becomes of it.
//!
//! A batch keeps its uuid over all attempts, also those of a later daemon: it is the request id that an HTTP endpoint
//! sees, and part of the name of an object.

use rusqlite::{Connection, Row, Transaction, params};

use super::destination::{Buffering, S3Destination};
use super::record::RECORD_OVERHEAD;
use super::retry;
use super::store::{Firehose, FirehoseError, State, find_by_id};
use super::stream::Stream;

/// What a batch is delivered for. A stream has one under way for each at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Purpose {
    /// The destination.
    Delivery,
    /// The copy of every record as it came.
    Backup,
    /// What an HTTP endpoint did not take, on its way to the bucket.
    Failed,
}

impl Purpose {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Delivery => "delivery",
            Self::Backup => "backup",
            Self::Failed => "failed",
        }
    }

    fn of_name(name: &str) -> Self {
        match name {
            "backup" => Self::Backup,
            "failed" => Self::Failed,
            _ => Self::Delivery,
        }
    }
}

/// Records that are in no batch yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Buffer {
    records: u64,
    /// Bytes of their data.
    bytes: u64,
    /// When the first of them arrived, in milliseconds since 1970.
    oldest: Option<i64>,
}

impl Buffer {
    pub(crate) fn add(&mut self, records: u64, bytes: u64, now: i64) {
        self.records += records;
        self.bytes += bytes;
        self.oldest.get_or_insert(now);
    }

    /// The records of a stream after a row.
    pub(crate) fn read(
        connection: &Connection,
        stream: i64,
        after: i64,
    ) -> Result<Self, FirehoseError> {
        let sql = "SELECT COALESCE(SUM(records), 0), COALESCE(SUM(size), 0), MIN(arrived) FROM put
                   WHERE stream = ?1 AND id > ?2";
        let buffer = connection
            .prepare_cached(sql)?
            .query_row([stream, after], |row| {
                Ok(Self {
                    records: unsigned(row.get(0)?),
                    bytes: unsigned(row.get(1)?),
                    oldest: row.get(2)?,
                })
            })?;
        Ok(buffer)
    }

    /// When it has to be delivered, if nothing is added to it: `None` if there is nothing in it.
    fn due(&self, buffering: &Buffering) -> Option<i64> {
        let oldest = self.oldest?;
        let over = |(records, body): (u64, u64)| {
            self.records >= records || body_bytes(self.records, self.bytes) >= body
        };
        let is_full = self.bytes >= buffering.bytes || buffering.limit.is_some_and(over);
        Some(if is_full {
            oldest
        } else {
            oldest.saturating_add(buffering.interval_ms)
        })
    }
}

/// The most that the body of a request can have for records: each is in base64, in an object of JSON.
fn body_bytes(records: u64, bytes: u64) -> u64 {
    const OBJECT: u64 = r#"{"data":""},"#.len() as u64;
    bytes.div_ceil(3) * 4 + records * (OBJECT + 4) + 128
}

/// A batch's row.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) stream: i64,
    pub(crate) purpose: Purpose,
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) uuid: String,
    /// When its oldest record arrived.
    pub(crate) arrived: i64,
    /// When it was made.
    pub(crate) cut: i64,
    size: i64,
    /// When the first attempt began.
    began: Option<i64>,
    attempts: i64,
    /// Of one that has failed: what was tried, and how it ended.
    pub(crate) failure: Option<Failure>,
}

/// Why an HTTP endpoint did not take a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) attempts: i64,
    pub(crate) code: String,
    pub(crate) message: String,
    /// When the last attempt ended.
    pub(crate) ended: i64,
}

impl Batch {
    const COLUMNS: &str = "stream, purpose, first, last, uuid, arrived, cut, size, began, attempts, \
        failed_attempts, error_code, error_message, ended";

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let purpose: String = row.get(1)?;
        let failed: Option<i64> = row.get(10)?;
        let failure = match failed {
            None => None,
            Some(attempts) => Some(Failure {
                attempts,
                code: row.get(11)?,
                message: row.get(12)?,
                ended: row.get(13)?,
            }),
        };
        Ok(Self {
            stream: row.get(0)?,
            purpose: Purpose::of_name(&purpose),
            first: row.get(2)?,
            last: row.get(3)?,
            uuid: row.get(4)?,
            arrived: row.get(5)?,
            cut: row.get(6)?,
            size: row.get(7)?,
            began: row.get(8)?,
            attempts: row.get(9)?,
            failure,
        })
    }

    pub(crate) fn find(connection: &Connection, id: i64) -> Result<Option<Self>, FirehoseError> {
        let columns = Self::COLUMNS;
        let mut statement =
            connection.prepare_cached(&format!("SELECT {columns} FROM batch WHERE id = ?1"))?;
        let mut rows = statement.query_map([id], Self::read)?;
        Ok(rows.next().transpose()?)
    }
}

/// A batch that is to be delivered now. Whoever has it must settle it.
#[derive(Debug, PartialEq, Eq)]
pub struct Due {
    pub(crate) batch: i64,
    /// Bytes of its records.
    pub bytes: u64,
}

/// How an attempt to deliver a batch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is at the destination.
    Delivered,
    /// It is not.
    Failed {
        /// AWS's code: `S3.AccessDenied`, `HttpEndpoint.DestinationException`.
        code: String,
        /// What happened.
        message: String,
        /// Whether it would be of no use to try again.
        permanent: bool,
    },
}

impl Firehose {
    /// What has to be delivered now, and when to ask again if nothing changes before.
    ///
    /// # Errors
    ///
    /// If the database cannot work.
    pub fn due(&self, now: i64) -> Result<(Vec<Due>, Option<i64>), FirehoseError> {
        let mut state = self.lock();
        self.forget_gone(&mut state, now)?;
        self.cut(&mut state, now)?;
        let busy = state.busy();
        let mut due = Vec::new();
        let mut next: Option<i64> = None;
        for (stream, purpose, batch, at, size) in waiting_batches(&state.connection)? {
            if busy.contains(&(stream, purpose)) {
                continue;
            }
            if at > now {
                next = Some(next.map_or(at, |next| next.min(at)));
                continue;
            }
            state.in_flight.insert(batch, (stream, purpose));
            due.push(Due { batch, bytes: size });
        }
        let busy = state.busy();
        for (stream, waiting) in &state.streams {
            let buffers = [
                (
                    Purpose::Delivery,
                    Some(waiting.delivery),
                    waiting.destination.buffering(),
                ),
                (Purpose::Backup, waiting.backup, waiting.backup_buffering()),
            ];
            let times = buffers.iter().filter_map(|(purpose, buffer, buffering)| {
                // What is under way says when it is over.
                let is_free = !busy.contains(&(*stream, *purpose));
                buffer
                    .filter(|_| is_free && waiting.gone.is_none())?
                    .due(buffering)
            });
            for at in times.chain(waiting.gone) {
                next = Some(next.map_or(at, |next| next.min(at)));
            }
        }
        Ok((due, next))
    }

    /// Makes batches of the buffers whose time has come.
    fn cut(&self, state: &mut State, now: i64) -> Result<(), FirehoseError> {
        let busy = state.busy();
        let mut ready = Vec::new();
        for (stream, waiting) in &state.streams {
            if waiting.gone.is_some() {
                continue;
            }
            let buffers = [
                (
                    Purpose::Delivery,
                    Some(waiting.delivery),
                    waiting.destination.buffering(),
                ),
                (Purpose::Backup, waiting.backup, waiting.backup_buffering()),
            ];
            for (purpose, buffer, buffering) in buffers {
                // While one is under way more records gather for the next.
                if busy.contains(&(*stream, purpose)) {
                    continue;
                }
                let due = buffer.and_then(|buffer| buffer.due(&buffering));
                if due.is_some_and(|due| due <= now) {
                    ready.push((*stream, purpose, buffering));
                }
            }
        }
        for (stream, purpose, buffering) in ready {
            let uuid = self.uuid();
            let left = state.write(|transaction| {
                let Some(row) = find_by_id(transaction, stream)? else {
                    return Ok(Buffer::default());
                };
                cut_one(transaction, &row, purpose, &buffering, &uuid, now)
            })?;
            if let Some(waiting) = state.streams.get_mut(&stream) {
                match purpose {
                    Purpose::Backup => waiting.backup = Some(left),
                    _ => waiting.delivery = left,
                }
            }
        }
        Ok(())
    }

    /// Notes how an attempt ended.
    ///
    /// # Errors
    ///
    /// If the database cannot work: the batch is still to be settled then.
    pub fn settle(&self, due: &Due, outcome: &Outcome, now: i64) -> Result<(), FirehoseError> {
        let mut state = self.lock();
        let jitter = (self.random)();
        settle(&mut state, due.batch, outcome, jitter, now)?;
        state.in_flight.remove(&due.batch);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }
}

fn settle(
    state: &mut State,
    id: i64,
    outcome: &Outcome,
    jitter: u128,
    now: i64,
) -> Result<(), FirehoseError> {
    let Some(batch) = Batch::find(&state.connection, id)? else {
        // Its stream was deleted meanwhile.
        return Ok(());
    };
    let Some(stream) = find_by_id(&state.connection, batch.stream)? else {
        return Ok(());
    };
    let next = match outcome {
        Outcome::Delivered => retry::Next::Done,
        Outcome::Failed {
            code,
            message,
            permanent,
        } => {
            let attempts = batch.attempts + 1;
            let (arn, purpose) = (stream.arn(), batch.purpose.name());
            tracing::warn!(
                stream = arn,
                purpose,
                code,
                reason = message,
                attempts,
                "a delivery failed"
            );
            let began = batch.began.unwrap_or(now);
            let policy = retry::Policy::of(&stream.destination, batch.purpose);
            retry::next(policy, began, attempts, *permanent, jitter, now)
        }
    };
    let freed = state.write(|transaction| match (next, outcome) {
        (retry::Next::At(at), _) => {
            transaction.execute(
                "UPDATE batch SET attempts = attempts + 1, due = ?2, began = COALESCE(began, ?3) WHERE id = ?1",
                params![id, at, now],
            )?;
            Ok(0)
        }
        (retry::Next::ToBucket, Outcome::Failed { code, message, .. }) => {
            transaction.execute(
                "UPDATE batch SET purpose = ?2, failed_attempts = attempts + 1, error_code = ?3,
                 error_message = ?4, ended = ?5, attempts = 0, began = NULL, due = ?5 WHERE id = ?1",
                params![id, Purpose::Failed.name(), code, message, now],
            )?;
            Ok(0)
        }
        (next, _) => {
            if next == retry::Next::Lost {
                let (arn, bytes) = (stream.arn(), batch.size);
                tracing::error!(stream = arn, bytes, "records are given up: their bucket did not take them for 24 hours");
            }
            transaction.execute("DELETE FROM batch WHERE id = ?1", [id])?;
            collect(transaction, batch.stream, Some((batch.first, batch.last)))
        }
    })?;
    if let Some(waiting) = state.streams.get_mut(&batch.stream) {
        waiting.bytes = waiting.bytes.saturating_sub(freed);
    }
    Ok(())
}

impl super::store::Waiting {
    fn backup_buffering(&self) -> Buffering {
        let backup = self.destination.backup();
        backup.map_or_else(|| self.destination.buffering(), S3Destination::buffering)
    }
}

/// Of each stream and purpose the batch that is due first.
type WaitingBatch = (i64, Purpose, i64, i64, u64);

fn waiting_batches(connection: &Connection) -> Result<Vec<WaitingBatch>, FirehoseError> {
    // With MIN, SQLite takes the other columns from the row that has it.
    let mut statement = connection.prepare_cached(
        "SELECT stream, purpose, id, MIN(due), size FROM batch GROUP BY stream, purpose",
    )?;
    let rows = statement.query_map([], |row| {
        let purpose: String = row.get(1)?;
        let purpose = Purpose::of_name(&purpose);
        let size = unsigned(row.get(4)?);
        Ok((row.get(0)?, purpose, row.get(2)?, row.get(3)?, size))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Makes one batch; answers what it leaves for the next.
fn cut_one(
    transaction: &Transaction<'_>,
    stream: &Stream,
    purpose: Purpose,
    buffering: &Buffering,
    uuid: &str,
    now: i64,
) -> Result<Buffer, FirehoseError> {
    let after = match purpose {
        Purpose::Backup => stream.backed_up.unwrap_or_default(),
        _ => stream.batched,
    };
    let mut taken = Buffer::default();
    let (mut first, mut last) = (0, after);
    {
        let mut statement = transaction.prepare_cached(
            "SELECT id, arrived, records, size FROM put WHERE stream = ?1 AND id > ?2 ORDER BY id",
        )?;
        let mut rows = statement.query([stream.id, after])?;
        while let Some(row) = rows.next()? {
            let (records, bytes) = (unsigned(row.get(2)?), unsigned(row.get(3)?));
            let (records, bytes) = (taken.records + records, taken.bytes + bytes);
            let over = |(most, body)| records > most || body_bytes(records, bytes) > body;
            if taken.records > 0 && buffering.limit.is_some_and(over) {
                break;
            }
            last = row.get(0)?;
            if first == 0 {
                first = last;
            }
            taken.oldest.get_or_insert(row.get(1)?);
            (taken.records, taken.bytes) = (records, bytes);
            if bytes >= buffering.bytes {
                break;
            }
        }
    }
    if first > 0 {
        let size = i64::try_from(taken.bytes).unwrap_or(i64::MAX);
        transaction.execute(
            "INSERT INTO batch (stream, purpose, first, last, uuid, arrived, cut, size, due)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?7)",
            params![
                stream.id,
                purpose.name(),
                first,
                last,
                uuid,
                taken.oldest,
                now,
                size
            ],
        )?;
        let column = match purpose {
            Purpose::Backup => "backed_up",
            _ => "batched",
        };
        let sql = format!("UPDATE stream SET {column} = ?2 WHERE id = ?1");
        transaction.execute(&sql, [stream.id, last])?;
    }
    Buffer::read(transaction, stream.id, last)
}

/// Deletes the rows, in a range if one is given, that nothing needs any more; answers the bytes that they took.
pub(crate) fn collect(
    transaction: &Transaction<'_>,
    stream: i64,
    range: Option<(i64, i64)>,
) -> Result<u64, FirehoseError> {
    let (first, last) = range.unwrap_or((0, i64::MAX));
    let mut statement = transaction.prepare_cached(
        "DELETE FROM put WHERE stream = ?1 AND id BETWEEN ?2 AND ?3
         AND id <= (SELECT MIN(batched, COALESCE(backed_up, batched)) FROM stream WHERE id = ?1)
         AND NOT EXISTS (SELECT 1 FROM batch WHERE batch.stream = ?1
                         AND put.id BETWEEN batch.first AND batch.last)
         RETURNING records, size",
    )?;
    let mut rows = statement.query(params![stream, first, last])?;
    let mut freed = 0;
    while let Some(row) = rows.next()? {
        let records = unsigned(row.get(0)?);
        freed += unsigned(row.get(1)?) + records * RECORD_OVERHEAD;
    }
    Ok(freed)
}

/// The bytes that all records of a stream take.
pub(crate) fn taken(connection: &Connection, stream: i64) -> Result<u64, FirehoseError> {
    let sql = "SELECT COALESCE(SUM(records), 0), COALESCE(SUM(size), 0) FROM put WHERE stream = ?1";
    let taken = connection.query_row(sql, [stream], |row| {
        Ok(unsigned(row.get(0)?) * RECORD_OVERHEAD + unsigned(row.get(1)?))
    })?;
    Ok(taken)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
