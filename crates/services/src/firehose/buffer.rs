//! What waits in a stream: when it has to become a batch, and the making of one.

use rusqlite::{Connection, Transaction, params};

use super::batch::Purpose;
use super::destination::Buffering;
use super::record::RECORD_OVERHEAD;
use super::store::FirehoseError;
use super::stream::Stream;

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
    pub(super) fn due(&self, buffering: &Buffering) -> Option<i64> {
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

/// Makes one batch; answers what it leaves for the next.
pub(super) fn cut(
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

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
