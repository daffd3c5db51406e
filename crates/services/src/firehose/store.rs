//! The database of delivery streams and undelivered records, and the errors of the service.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use tokio::sync::Notify;

use super::batch::Purpose;
use super::buffer::Buffer;
use super::destination::Destination;
use super::stream::Stream;
use crate::logs::Scope;
use crate::sqlite;

const SCHEMA_VERSION: i64 = 1;

/// What one call puts is one row, whose records go together. A batch is of rows that follow each other; it keeps its
/// uuid over all attempts. `batched` and `backed_up` are the last rows that are, or were, in batches.
const SCHEMA: &str = "
    CREATE TABLE stream (
        id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, region TEXT NOT NULL,
        name TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER, deleted INTEGER,
        version INTEGER NOT NULL DEFAULT 1, destination TEXT NOT NULL, encryption TEXT,
        source TEXT, batched INTEGER NOT NULL DEFAULT 0, backed_up INTEGER,
        UNIQUE (account, region, name)
    );
    CREATE TABLE tag (
        stream INTEGER NOT NULL REFERENCES stream ON DELETE CASCADE,
        key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (stream, key)
    ) WITHOUT ROWID;
    CREATE TABLE put (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        stream INTEGER NOT NULL REFERENCES stream ON DELETE CASCADE,
        arrived INTEGER NOT NULL, records INTEGER NOT NULL, size INTEGER NOT NULL,
        data BLOB NOT NULL
    );
    CREATE INDEX put_stream ON put (stream);
    CREATE TABLE batch (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        stream INTEGER NOT NULL REFERENCES stream ON DELETE CASCADE,
        purpose TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, uuid TEXT NOT NULL,
        arrived INTEGER NOT NULL, cut INTEGER NOT NULL, size INTEGER NOT NULL,
        began INTEGER, due INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
        failed_attempts INTEGER, error_code TEXT, error_message TEXT, ended INTEGER
    );
    CREATE INDEX batch_stream ON batch (stream, purpose)";

/// How much may wait for delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of records of one stream.
    pub stream_bytes: u64,
    /// Bytes of records of all streams.
    pub total_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            stream_bytes: 1 << 30,
            total_bytes: 4 << 30,
        }
    }
}

/// The embedded Firehose. Every method blocks on the disk.
#[derive(Debug)]
pub struct Firehose {
    state: Mutex<State>,
    pub(crate) random: fn() -> u128,
    pub(crate) limits: Limits,
    pub(crate) changed: Notify,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) connection: Connection,
    /// Of every stream, by its id.
    pub(crate) streams: BTreeMap<i64, Waiting>,
    /// Batches that somebody is delivering.
    pub(crate) in_flight: HashMap<i64, (i64, Purpose)>,
}

/// What waits in a stream.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) destination: Destination,
    /// In no batch yet, for the destination and for the backup.
    pub(crate) delivery: Buffer,
    pub(crate) backup: Option<Buffer>,
    /// All its bytes on disk.
    pub(crate) bytes: u64,
    /// When it is gone for good.
    pub(crate) gone: Option<i64>,
}

/// The errors of Firehose; their text is the message that clients see.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FirehoseError {
    /// A member does not satisfy the constraints of AWS's model.
    #[error("{0}")]
    Validation(String),
    /// The input is not of the form that AWS's model says.
    #[error("{0}")]
    Serialization(String),
    /// A member, or the members together, mean nothing that is possible.
    #[error("{0}")]
    InvalidArgument(String),
    /// The stream does not exist.
    #[error("{0}")]
    ResourceNotFound(String),
    /// The stream exists already, or is not active.
    #[error("{0}")]
    ResourceInUse(String),
    /// More streams or tags than there may be.
    #[error("{0}")]
    LimitExceeded(String),
    /// Somebody else changed the stream.
    #[error("{0}")]
    ConcurrentModification(String),
    /// The caller may not do this.
    #[error("{0}")]
    AccessDenied(String),
    /// Nothing more can be kept, or the disk is full. Trying again may help.
    #[error("Slow down.")]
    ServiceUnavailable,
    /// The database is broken.
    #[error("The request processing has failed because of an unknown error, exception or failure.")]
    InternalFailure,
}

impl FirehoseError {
    /// The error's name on the wire.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::Validation(_) => "ValidationException",
            Self::Serialization(_) => "SerializationException",
            Self::InvalidArgument(_) => "InvalidArgumentException",
            Self::ResourceNotFound(_) => "ResourceNotFoundException",
            Self::ResourceInUse(_) => "ResourceInUseException",
            Self::LimitExceeded(_) => "LimitExceededException",
            Self::ConcurrentModification(_) => "ConcurrentModificationException",
            Self::AccessDenied(_) => "AccessDeniedException",
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

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::InvalidArgument(message.into())
    }

    pub(crate) fn missing(scope: &Scope, name: &str) -> Self {
        let account = &scope.account;
        Self::ResourceNotFound(format!(
            "Firehose {name} under account {account} not found."
        ))
    }
}

impl From<rusqlite::Error> for FirehoseError {
    fn from(error: rusqlite::Error) -> Self {
        tracing::error!(%error, "Firehose database");
        if sqlite::is_temporary(&error) {
            Self::ServiceUnavailable
        } else {
            Self::InternalFailure
        }
    }
}

impl Firehose {
    /// Opens the database, and creates it when it is new. `random` gives numbers that nobody can guess.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is another version's.
    pub fn open(
        path: impl AsRef<Path>,
        limits: Limits,
        random: fn() -> u128,
    ) -> std::io::Result<Self> {
        if let Some(folder) = path.as_ref().parent() {
            std::fs::create_dir_all(folder)?;
        }
        let open = || -> Result<State, FirehoseError> {
            let connection = sqlite::open(path.as_ref(), SCHEMA_VERSION, SCHEMA)?;
            give_back_space(&connection)?;
            let streams = waiting(&connection)?;
            Ok(State {
                connection,
                streams,
                in_flight: HashMap::new(),
            })
        };
        Ok(Self {
            state: Mutex::new(open().map_err(std::io::Error::other)?),
            random,
            limits,
            changed: Notify::new(),
        })
    }

    /// Waits until there may be something to deliver that was not there before.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A UUID of version 4.
    pub(crate) fn uuid(&self) -> String {
        let version = ((self.random)() & !(0xf << 76)) | (4 << 76);
        let variant = (version & !(0x3 << 62)) | (0x2 << 62);
        let hex = format!("{variant:032x}");
        let (a, b, c, d) = (&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20]);
        format!("{a}-{b}-{c}-{d}-{}", &hex[20..])
    }
}

impl State {
    /// Runs `work` in one transaction; an error rolls it back.
    pub(crate) fn write<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, FirehoseError>,
    ) -> Result<T, FirehoseError> {
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        let value = work(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }

    /// Bytes of all streams.
    pub(crate) fn bytes(&self) -> u64 {
        self.streams.values().map(|stream| stream.bytes).sum()
    }

    /// The purposes of a stream for which a batch is being delivered.
    pub(crate) fn busy(&self) -> HashSet<(i64, Purpose)> {
        self.in_flight.values().copied().collect()
    }
}

/// The stream of a name, unless it is gone.
pub(crate) fn find(
    connection: &Connection,
    scope: &Scope,
    name: &str,
    now: i64,
) -> Result<Stream, FirehoseError> {
    let found = connection
        .prepare_cached(&format!(
            "SELECT {} FROM stream WHERE account = ?1 AND region = ?2 AND name = ?3",
            Stream::COLUMNS
        ))?
        .query_row(params![scope.account, scope.region, name], Stream::read)
        .optional()?;
    match found {
        Some(stream) if !stream.is_gone(now) => Ok(stream),
        _ => Err(FirehoseError::missing(scope, name)),
    }
}

/// The stream of an id.
pub(crate) fn find_by_id(
    connection: &Connection,
    id: i64,
) -> Result<Option<Stream>, FirehoseError> {
    let columns = Stream::COLUMNS;
    let found = connection
        .prepare_cached(&format!("SELECT {columns} FROM stream WHERE id = ?1"))?
        .query_row([id], Stream::read)
        .optional()?;
    Ok(found)
}

/// A file keeps its greatest size; after an outage of a destination that may be much.
fn give_back_space(connection: &Connection) -> rusqlite::Result<()> {
    let number = |name: &str| -> rusqlite::Result<i64> {
        connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
    };
    if number("freelist_count")? * number("page_size")? > 64 << 20 {
        connection.execute_batch("VACUUM")?;
    }
    Ok(())
}

/// What waits in each stream, as it is on disk.
fn waiting(connection: &Connection) -> Result<BTreeMap<i64, Waiting>, FirehoseError> {
    let columns = Stream::COLUMNS;
    let mut statement = connection.prepare(&format!("SELECT {columns} FROM stream"))?;
    let streams: Vec<Stream> = statement
        .query_map([], Stream::read)?
        .collect::<Result<_, _>>()?;
    let mut all = BTreeMap::new();
    for stream in streams {
        all.insert(stream.id, stream.waiting(connection)?);
    }
    Ok(all)
}
