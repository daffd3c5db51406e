//! Objects: a record in the index that names a data file.

use std::collections::BTreeMap;
use std::fs::File;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use s3s::dto::ETagCondition;
use s3s::{S3Result, s3_error};
use serde::{Deserialize, Serialize};

use super::blob::PendingBlob;
use super::bucket;
use super::checksum::{Checksum, Digested, hex};
use super::multipart::no_such_upload;
use super::store::{Store, database_failure, disk_failure, now};

/// The headers and facts kept with an object beside its data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Attributes {
    pub(crate) content_type: Option<String>,
    pub(crate) content_encoding: Option<String>,
    pub(crate) content_disposition: Option<String>,
    pub(crate) content_language: Option<String>,
    pub(crate) cache_control: Option<String>,
    /// Milliseconds since 1970.
    pub(crate) expires: Option<i64>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) checksum: Option<Checksum>,
    /// Sizes of the parts of a multipart object.
    pub(crate) parts: Vec<u64>,
}

/// An object without its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) blob: String,
    pub(crate) size: u64,
    pub(crate) etag: String,
    /// Milliseconds since 1970.
    pub(crate) modified: i64,
    pub(crate) attributes: Attributes,
}

/// If-Match and If-None-Match of a write ("How to prevent object overwrites with conditional writes").
#[derive(Debug, Default)]
pub(crate) struct WriteCondition {
    pub(crate) if_match: Option<ETagCondition>,
    pub(crate) if_none_match: Option<ETagCondition>,
}

impl WriteCondition {
    fn check(&self, existing: Option<&Record>) -> S3Result<()> {
        if let Some(condition) = &self.if_match {
            let Some(record) = existing else {
                return Err(no_such_key());
            };
            if !matches(condition, &record.etag) {
                return Err(precondition_failed());
            }
        }
        if let (Some(condition), Some(record)) = (&self.if_none_match, existing)
            && matches(condition, &record.etag)
        {
            return Err(precondition_failed());
        }
        Ok(())
    }
}

/// Whether an ETag satisfies a condition.
pub(crate) fn matches(condition: &ETagCondition, etag: &str) -> bool {
    condition.is_any()
        || condition
            .as_etag()
            .is_some_and(|wanted| wanted.value() == etag)
}

pub(crate) fn precondition_failed() -> s3s::S3Error {
    s3_error!(
        PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold"
    )
}

pub(crate) fn no_such_key() -> s3s::S3Error {
    s3_error!(NoSuchKey, "The specified key does not exist.")
}

pub(crate) const RECORD_COLUMNS: &str = "blob, size, etag, modified, attributes";

/// Reads [`RECORD_COLUMNS`] that start at column `first`.
pub(crate) fn record(row: &Row<'_>, first: usize) -> rusqlite::Result<Record> {
    let attributes: String = row.get(first + 4)?;
    Ok(Record {
        blob: row.get(first)?,
        size: u64::try_from(row.get::<_, i64>(first + 1)?).unwrap_or_default(),
        etag: row.get(first + 2)?,
        modified: row.get(first + 3)?,
        attributes: serde_json::from_str(&attributes).unwrap_or_default(),
    })
}

fn find(connection: &Connection, bucket: &str, key: &str) -> S3Result<Option<Record>> {
    connection
        .prepare_cached(&format!(
            "SELECT {RECORD_COLUMNS} FROM object WHERE bucket = ?1 AND key = ?2"
        ))
        .and_then(|mut s| {
            s.query_row(params![bucket, key.as_bytes()], |row| record(row, 0))
                .optional()
        })
        .map_err(database_failure)
}

impl Store {
    /// The record of an object, or NoSuchBucket, or NoSuchKey.
    pub(crate) fn object(&self, bucket: &str, key: &str) -> S3Result<Record> {
        let connection = self.connection();
        bucket::require(&connection, bucket)?;
        find(&connection, bucket, key)?.ok_or_else(no_such_key)
    }

    /// The record and its open data file. Opening happens under the lock, so an overwrite that
    /// follows cannot take the data away.
    pub(crate) fn open_object(&self, bucket: &str, key: &str) -> S3Result<(Record, File)> {
        let connection = self.connection();
        bucket::require(&connection, bucket)?;
        let record = find(&connection, bucket, key)?.ok_or_else(no_such_key)?;
        let file = self
            .blobs
            .read(&record.blob)
            .map_err(|error| disk_failure(&error))?;
        Ok((record, file))
    }

    /// Publishes received data as an object.
    pub(crate) fn put_object(
        &self,
        bucket: &str,
        key: &str,
        pending: PendingBlob,
        digested: &Digested,
        mut attributes: Attributes,
        condition: &WriteCondition,
    ) -> S3Result<Record> {
        attributes.checksum = Some(digested.checksum.clone());
        let etag = hex(&digested.md5);
        self.publish(
            bucket,
            key,
            pending,
            (digested.size, etag),
            attributes,
            condition,
            None,
        )
    }

    /// Publishes data as an object and, when it comes from an upload, ends that upload with it.
    #[expect(clippy::too_many_arguments, reason = "one row's worth of values")]
    pub(crate) fn publish(
        &self,
        bucket: &str,
        key: &str,
        pending: PendingBlob,
        (size, etag): (u64, String),
        attributes: Attributes,
        condition: &WriteCondition,
        upload: Option<&str>,
    ) -> S3Result<Record> {
        let blob = self
            .blobs
            .publish(pending)
            .map_err(|error| disk_failure(&error))?;
        let record = Record {
            blob,
            size,
            etag,
            modified: now(),
            attributes,
        };
        let written = self.write(|transaction| {
            bucket::require(transaction, bucket)?;
            let existing = find(transaction, bucket, key)?;
            condition.check(existing.as_ref())?;
            insert(transaction, bucket, key, &record).map_err(database_failure)?;
            if let Some(upload) = upload {
                let ended = transaction
                    .execute("DELETE FROM upload WHERE id = ?1", [upload])
                    .map_err(database_failure)?;
                if ended == 0 {
                    return Err(no_such_upload());
                }
            }
            Ok(existing)
        });
        match written {
            Ok(existing) => {
                if let Some(existing) = existing {
                    self.blobs.remove(&existing.blob);
                }
                Ok(record)
            }
            Err(error) => {
                self.blobs.remove(&record.blob);
                Err(error)
            }
        }
    }

    /// Replaces the attributes of an object and keeps its data.
    pub(crate) fn change_attributes(
        &self,
        bucket: &str,
        key: &str,
        change: impl FnOnce(&mut Record),
    ) -> S3Result<Record> {
        self.write(|transaction| {
            bucket::require(transaction, bucket)?;
            let mut record = find(transaction, bucket, key)?.ok_or_else(no_such_key)?;
            change(&mut record);
            insert(transaction, bucket, key, &record).map_err(database_failure)?;
            Ok(record)
        })
    }

    /// Deletes objects in one transaction. A key without an object is no error.
    pub(crate) fn delete_objects(
        &self,
        bucket: &str,
        keys: &[String],
        if_match: Option<ETagCondition>,
    ) -> S3Result<()> {
        let condition = WriteCondition {
            if_match,
            if_none_match: None,
        };
        let removed = self.write(|transaction| {
            bucket::require(transaction, bucket)?;
            let mut removed = Vec::new();
            for key in keys {
                let existing = find(transaction, bucket, key)?;
                condition.check(existing.as_ref())?;
                if let Some(record) = existing {
                    transaction
                        .prepare_cached("DELETE FROM object WHERE bucket = ?1 AND key = ?2")
                        .and_then(|mut s| s.execute(params![bucket, key.as_bytes()]))
                        .map_err(database_failure)?;
                    removed.push(record.blob);
                }
            }
            Ok(removed)
        })?;
        for blob in removed {
            self.blobs.remove(&blob);
        }
        Ok(())
    }
}

fn insert(
    connection: &Connection,
    bucket: &str,
    key: &str,
    record: &Record,
) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO object (bucket, key, blob, size, etag, modified, attributes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            bucket,
            key.as_bytes(),
            record.blob,
            i64::try_from(record.size).unwrap_or(i64::MAX),
            record.etag,
            record.modified,
            serde_json::to_string(&record.attributes).unwrap_or_default(),
        ])
}
