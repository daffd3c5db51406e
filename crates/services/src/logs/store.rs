//! The database of groups, streams and events, and the errors of the service.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use crate::sqlite;

const SCHEMA_VERSION: i64 = 1;

/// An event's id grows with arrival and is never used again, so it makes a stable `eventId`.
const SCHEMA: &str = "
    CREATE TABLE log_group (
        id INTEGER PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
        created INTEGER NOT NULL, retention INTEGER, kms_key TEXT, class TEXT NOT NULL,
        protected INTEGER NOT NULL, stored INTEGER NOT NULL DEFAULT 0,
        UNIQUE (account, region, name)
    );
    CREATE TABLE tag (
        log_group INTEGER NOT NULL REFERENCES log_group ON DELETE CASCADE,
        key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (log_group, key)
    ) WITHOUT ROWID;
    CREATE TABLE log_stream (
        id INTEGER PRIMARY KEY, log_group INTEGER NOT NULL REFERENCES log_group ON DELETE CASCADE,
        name TEXT NOT NULL, created INTEGER NOT NULL, first_event INTEGER, last_event INTEGER,
        last_ingestion INTEGER, sequence INTEGER NOT NULL DEFAULT 0, UNIQUE (log_group, name)
    );
    CREATE TABLE event (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        log_group INTEGER NOT NULL REFERENCES log_group ON DELETE CASCADE,
        log_stream INTEGER NOT NULL REFERENCES log_stream ON DELETE CASCADE,
        timestamp INTEGER NOT NULL, ingestion INTEGER NOT NULL, message TEXT NOT NULL
    );
    CREATE INDEX event_stream ON event (log_stream, timestamp, id);
    CREATE INDEX event_group ON event (log_group, timestamp, id)";

/// The account and Region that a call is made in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The account of 12 digits.
    pub account: String,
    /// The Region's name.
    pub region: String,
}

impl Scope {
    pub(crate) fn group_arn(&self, group: &str) -> String {
        format!(
            "arn:aws:logs:{}:{}:log-group:{group}",
            self.region, self.account
        )
    }
}

/// The embedded CloudWatch Logs. Every method blocks on the disk.
#[derive(Debug)]
pub struct Logs {
    connection: Mutex<Connection>,
}

/// The errors of CloudWatch Logs; their text is the message that clients see.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogsError {
    /// A parameter is not valid.
    #[error("{0}")]
    InvalidParameter(String),
    /// The group or stream does not exist.
    #[error("{0}")]
    ResourceNotFound(&'static str),
    /// The group or stream exists already.
    #[error("{0}")]
    ResourceAlreadyExists(&'static str),
    /// The group is protected from deletion.
    #[error("{0}")]
    Validation(&'static str),
    /// More tags than a resource may have.
    #[error("A resource can have no more than 50 tags.")]
    TooManyTags,
    /// The database cannot work now: the disk is full or locked. Trying again may help.
    #[error("The service cannot complete the request.")]
    ServiceUnavailable,
    /// The database is broken.
    #[error("The request processing has failed because of an unknown error, exception or failure.")]
    InternalFailure,
}

impl LogsError {
    /// The error's name on the wire.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::InvalidParameter(_) => "InvalidParameterException",
            Self::ResourceNotFound(_) => "ResourceNotFoundException",
            Self::ResourceAlreadyExists(_) => "ResourceAlreadyExistsException",
            Self::Validation(_) => "ValidationException",
            Self::TooManyTags => "TooManyTagsException",
            Self::ServiceUnavailable => "ServiceUnavailableException",
            Self::InternalFailure => "InternalFailure",
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::ServiceUnavailable => 503,
            Self::InternalFailure => 500,
            _ => 400,
        }
    }

    pub(crate) fn group_missing() -> Self {
        Self::ResourceNotFound("The specified log group does not exist.")
    }

    pub(crate) fn stream_missing() -> Self {
        Self::ResourceNotFound("The specified log stream does not exist.")
    }
}

impl From<rusqlite::Error> for LogsError {
    fn from(error: rusqlite::Error) -> Self {
        tracing::error!(%error, "CloudWatch Logs database");
        if sqlite::is_temporary(&error) {
            Self::ServiceUnavailable
        } else {
            Self::InternalFailure
        }
    }
}

/// A log group's row.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) id: i64,
    pub(crate) retention: Option<i64>,
    pub(crate) protected: bool,
}

const DAY: i64 = 24 * 60 * 60 * 1000;

impl Group {
    /// The time before which the group keeps nothing.
    pub(crate) fn expiry(&self, now: i64) -> Option<i64> {
        self.retention
            .map(|days| now.saturating_sub(days.saturating_mul(DAY)))
    }
}

impl Logs {
    pub(crate) fn open_file(path: &Path) -> std::io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let connection =
            sqlite::open(path, SCHEMA_VERSION, SCHEMA).map_err(std::io::Error::other)?;
        Ok(Self {
            connection: Mutex::new(connection),
        })
    }

    pub(crate) fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` in one transaction; an error rolls it back.
    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, LogsError>,
    ) -> Result<T, LogsError> {
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = work(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }

    /// Deletes the events that their group's retention has passed. Reads hide them in any case.
    pub fn sweep(&self, now: i64) -> Result<usize, LogsError> {
        self.write(|transaction| {
            let removed = transaction.execute(
                "DELETE FROM event WHERE id IN (SELECT event.id FROM log_group
                     JOIN event ON event.log_group = log_group.id
                     AND event.timestamp < ?1 - log_group.retention * ?2
                     WHERE log_group.retention IS NOT NULL)",
                params![now, DAY],
            )?;
            if removed > 0 {
                transaction.execute(
                    "UPDATE log_group SET stored = (SELECT COALESCE(SUM(LENGTH(CAST(message AS BLOB))
                     + 26), 0) FROM event WHERE log_group = log_group.id)
                     WHERE retention IS NOT NULL",
                    [],
                )?;
            }
            Ok(removed)
        })
    }
}

pub(crate) fn find_group(
    connection: &Connection,
    scope: &Scope,
    name: &str,
) -> Result<Group, LogsError> {
    connection
        .prepare_cached(
            "SELECT id, retention, protected FROM log_group
             WHERE account = ?1 AND region = ?2 AND name = ?3",
        )?
        .query_row([&scope.account, &scope.region, name], |row| {
            Ok(Group {
                id: row.get(0)?,
                retention: row.get(1)?,
                protected: row.get(2)?,
            })
        })
        .optional()?
        .ok_or_else(LogsError::group_missing)
}

pub(crate) fn find_stream(
    connection: &Connection,
    group: &Group,
    name: &str,
) -> Result<i64, LogsError> {
    connection
        .prepare_cached("SELECT id FROM log_stream WHERE log_group = ?1 AND name = ?2")?
        .query_row(params![group.id, name], |row| row.get(0))
        .optional()?
        .ok_or_else(LogsError::stream_missing)
}
