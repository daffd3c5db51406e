//! The index of buckets, objects and uploads in SQLite, and the data files beside it.

use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use s3s::{S3Result, s3_error};

use super::blob::BlobFolder;
use crate::sqlite;

const SCHEMA_VERSION: i64 = 1;

/// Keys are BLOBs so that SQLite orders them by their UTF-8 bytes, as ListObjectsV2 does.
const SCHEMA: &str = "
    CREATE TABLE bucket (
        name TEXT PRIMARY KEY, owner TEXT NOT NULL, region TEXT NOT NULL, created INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE setting (
        bucket TEXT NOT NULL REFERENCES bucket ON DELETE CASCADE,
        name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (bucket, name)
    ) WITHOUT ROWID;
    CREATE TABLE object (
        bucket TEXT NOT NULL REFERENCES bucket, key BLOB NOT NULL, blob TEXT NOT NULL,
        size INTEGER NOT NULL, etag TEXT NOT NULL, modified INTEGER NOT NULL,
        attributes TEXT NOT NULL, PRIMARY KEY (bucket, key)
    ) WITHOUT ROWID;
    CREATE INDEX object_blob ON object (blob);
    CREATE TABLE upload (
        id TEXT PRIMARY KEY, bucket TEXT NOT NULL REFERENCES bucket ON DELETE CASCADE,
        key BLOB NOT NULL, created INTEGER NOT NULL, initiator TEXT NOT NULL,
        attributes TEXT NOT NULL, algorithm TEXT NOT NULL, full_object INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX upload_key ON upload (bucket, key, id);
    CREATE TABLE part (
        upload TEXT NOT NULL REFERENCES upload ON DELETE CASCADE, number INTEGER NOT NULL,
        blob TEXT NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL, modified INTEGER NOT NULL,
        checksum TEXT NOT NULL, PRIMARY KEY (upload, number)
    ) WITHOUT ROWID;
    CREATE INDEX part_blob ON part (blob)";

/// The embedded S3's state. Every call blocks; the HTTP side runs them on the blocking pool.
#[derive(Debug)]
pub(crate) struct Store {
    connection: Mutex<Connection>,
    pub(crate) blobs: BlobFolder,
}

impl Store {
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let blobs = BlobFolder::open(&folder.join("data"))?;
        let connection = sqlite::open(&folder.join("index.sqlite"), SCHEMA_VERSION, SCHEMA)
            .map_err(io::Error::other)?;
        Ok(Self {
            connection: Mutex::new(connection),
            blobs,
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
        work: impl FnOnce(&Transaction<'_>) -> S3Result<T>,
    ) -> S3Result<T> {
        let mut connection = self.connection();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(database_failure)?;
        let value = work(&transaction)?;
        transaction.commit().map_err(database_failure)?;
        Ok(value)
    }

    /// Removes data files that no object and no part refers to any more: what a crash between
    /// writing data and recording it leaves behind.
    pub(crate) fn sweep(&self) -> S3Result<usize> {
        let mut orphans = Vec::new();
        self.blobs
            .for_each(|id, age| {
                if age > Duration::from_secs(3600) {
                    orphans.push(id.to_owned());
                }
            })
            .map_err(|error| disk_failure(&error))?;
        let connection = self.connection();
        let mut known = connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM object WHERE blob = ?1)
                     OR EXISTS (SELECT 1 FROM part WHERE blob = ?1)",
            )
            .map_err(database_failure)?;
        let mut removed = 0;
        for id in orphans {
            if !known
                .query_row([&id], |row| row.get(0))
                .map_err(database_failure)?
            {
                self.blobs.remove(&id);
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// Milliseconds since 1970.
pub(crate) fn now() -> i64 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

/// The S3 error for a failing database, logged here once.
#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
pub(crate) fn database_failure(error: rusqlite::Error) -> s3s::S3Error {
    tracing::error!(%error, "S3 index");
    if sqlite::is_temporary(&error) {
        return s3_error!(SlowDown, "Please reduce your request rate.");
    }
    s3_error!(
        InternalError,
        "We encountered an internal error. Please try again."
    )
}

/// The S3 error for a failing file system, logged here once.
pub(crate) fn disk_failure(error: &io::Error) -> s3s::S3Error {
    tracing::error!(%error, "S3 data");
    if matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    ) {
        return s3_error!(SlowDown, "Please reduce your request rate.");
    }
    s3_error!(
        InternalError,
        "We encountered an internal error. Please try again."
    )
}
