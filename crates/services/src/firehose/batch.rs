//! Batches: when the records that wait in a stream become one, and what becomes of it.
//!
//! A batch keeps its uuid over all attempts, also those of a later daemon: it is the request id that an HTTP endpoint
//! sees, and part of the name of an object.

use rusqlite::{Connection, Row, params};

use super::buffer::{self, Buffer, unsigned};
use super::destination::{Buffering, S3Destination};
use super::retry;
use super::store::{Firehose, FirehoseError, State, find_by_id};

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
                buffer::cut(transaction, &row, purpose, &buffering, &uuid, now)
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
            buffer::collect(transaction, batch.stream, Some((batch.first, batch.last)))
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
