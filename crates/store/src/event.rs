//! The events of calls, in the journal's file: what a call changed and that it was made are one transaction.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cloudtrail::{Event, EventAttribute, EventQuery, Numbered, Resource};
use model::Timestamp;
use rusqlite::{Connection, OpenFlags, Row, Transaction, params, params_from_iter, types::Value};

use crate::Error;

pub(crate) const SCHEMA: &str = "
    CREATE TABLE event (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, scope TEXT NOT NULL,
        network_activity INTEGER NOT NULL, event_id TEXT NOT NULL, event_name TEXT NOT NULL,
        event_source TEXT NOT NULL, read_only INTEGER NOT NULL, user_name TEXT NOT NULL,
        access_key_id TEXT NOT NULL, resources TEXT NOT NULL, record TEXT NOT NULL
    );
    CREATE INDEX event_by_time ON event (scope, at);
";

pub(crate) fn insert(transaction: &Transaction<'_>, events: &[Event]) -> Result<(), Error> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO event (at, scope, network_activity, event_id, event_name, event_source, read_only,
             user_name, access_key_id, resources, record)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    for event in events {
        insert.execute(params![
            micros(event.at),
            serde_json::to_string(&event.scope)?,
            event.network_activity,
            event.event_id,
            event.event_name,
            event.event_source,
            event.read_only,
            event.user_name,
            event.access_key_id,
            serde_json::to_string(&event.resources)?,
            event.record,
        ])?;
    }
    Ok(())
}

pub(crate) fn forget(
    transaction: &Transaction<'_>,
    oldest: Timestamp,
    max: u64,
) -> Result<(), Error> {
    let last: i64 = transaction.query_row("SELECT ifnull(max(seq), 0) FROM event", [], |row| {
        row.get(0)
    })?;
    let kept = i64::try_from(max).unwrap_or(i64::MAX);
    transaction.execute(
        "DELETE FROM event WHERE seq <= ?1 OR at < ?2",
        params![last.saturating_sub(kept), micros(oldest)],
    )?;
    Ok(())
}

/// Reads events while the journal is being written.
#[derive(Debug)]
pub struct Events(Mutex<Connection>);

impl Events {
    /// Opens the journal's file in a folder, where a [`Journal`](crate::Journal) is open already.
    ///
    /// # Errors
    ///
    /// If SQLite refuses.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(dir.join("journal.sqlite"), flags)?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        Ok(Self(Mutex::new(connection)))
    }

    /// The management events that match, the newest first.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn find(&self, query: &EventQuery) -> Result<Vec<Numbered>, Error> {
        let mut conditions = vec!["scope = ?", "network_activity = 0", "at >= ?", "at <= ?"];
        let mut values = vec![
            Value::Text(serde_json::to_string(&query.scope)?),
            Value::Integer(micros(query.from)),
            Value::Integer(micros(query.to)),
        ];
        if let Some(attribute) = &query.attribute {
            let (condition, value) = condition(attribute);
            conditions.push(condition);
            values.push(value);
        }
        if let Some((at, seq)) = query.before {
            conditions.push("(at, seq) < (?, ?)");
            values.push(Value::Integer(micros(at)));
            values.push(Value::Integer(i64::try_from(seq).unwrap_or(i64::MAX)));
        }
        values.push(Value::Integer(
            i64::try_from(query.limit).unwrap_or(i64::MAX),
        ));
        let sql = format!(
            "SELECT * FROM event WHERE {} ORDER BY at DESC, seq DESC LIMIT ?",
            conditions.join(" AND ")
        );
        let connection = self.lock();
        let mut statement = connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params_from_iter(values), read)?;
        rows.collect::<Result<_, _>>().map_err(Error::from)
    }

    /// Up to `limit` events of all accounts after the one of this number, in the order in which they were written.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn after(&self, seq: u64, limit: usize) -> Result<Vec<Numbered>, Error> {
        let connection = self.lock();
        let mut statement = connection
            .prepare_cached("SELECT * FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
        let after = i64::try_from(seq).unwrap_or(i64::MAX);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![after, limit], read)?;
        rows.collect::<Result<_, _>>().map_err(Error::from)
    }

    /// The number of the last event, 0 if there is none.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn last(&self) -> Result<u64, Error> {
        let sql = "SELECT ifnull(max(seq), 0) FROM event";
        let last: i64 = self.lock().query_row(sql, [], |row| row.get(0))?;
        Ok(last.unsigned_abs())
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn condition(attribute: &EventAttribute) -> (&'static str, Value) {
    let text = |text: &String| Value::Text(text.clone());
    match attribute {
        EventAttribute::AccessKeyId(key) => ("access_key_id = ?", text(key)),
        EventAttribute::EventId(id) => ("event_id = ?", text(id)),
        EventAttribute::EventName(name) => ("event_name = ?", text(name)),
        EventAttribute::EventSource(source) => ("event_source = ?", text(source)),
        EventAttribute::ReadOnly(is) => ("read_only = ?", Value::Integer(i64::from(*is))),
        EventAttribute::ResourceName(name) => (
            "EXISTS (SELECT 1 FROM json_each(resources)
                         WHERE json_extract(value, '$.ResourceName') = ?)",
            text(name),
        ),
        EventAttribute::ResourceType(kind) => (
            "EXISTS (SELECT 1 FROM json_each(resources)
                         WHERE json_extract(value, '$.ResourceType') = ?)",
            text(kind),
        ),
        EventAttribute::UserName(name) => ("user_name = ?", text(name)),
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Numbered> {
    let json = |name: &str| row.get::<_, String>(name);
    let damaged = |error: serde_json::Error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    };
    let resources: Vec<Resource> = serde_json::from_str(&json("resources")?).map_err(damaged)?;
    Ok(Numbered {
        seq: row.get::<_, i64>("seq")?.unsigned_abs(),
        event: Event {
            at: Timestamp::from_micros(row.get::<_, i64>("at")?.unsigned_abs()),
            scope: serde_json::from_str(&json("scope")?).map_err(damaged)?,
            event_id: row.get("event_id")?,
            event_name: row.get("event_name")?,
            event_source: row.get("event_source")?,
            read_only: row.get("read_only")?,
            user_name: row.get("user_name")?,
            access_key_id: row.get("access_key_id")?,
            resources,
            network_activity: row.get("network_activity")?,
            record: row.get("record")?,
        },
    })
}

fn micros(at: Timestamp) -> i64 {
    i64::try_from(at.as_micros()).unwrap_or(i64::MAX)
}
