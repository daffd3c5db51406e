//! Multipart uploads ("Uploading and copying objects using multipart upload").

use std::io::{Read, Write};

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use s3s::{S3Result, s3_error};

use super::blob::{PendingBlob, unique_id};
use super::bucket;
use super::checksum::{Algorithm, Checksum, Digest, Digested, composite, composite_etag, hex};
use super::object::{Attributes, Record, WriteCondition};
use super::store::{Store, database_failure, disk_failure, now};

/// The smallest part but the last ("Amazon S3 multipart upload limits").
const MINIMUM_PART: u64 = 5 * 1024 * 1024;

/// An upload in progress.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) created: i64,
    pub(crate) initiator: String,
    pub(crate) attributes: Attributes,
    pub(crate) algorithm: Algorithm,
    /// Whether the object's checksum covers its data rather than its parts' checksums.
    pub(crate) full_object: bool,
}

/// A part that arrived.
#[derive(Debug, Clone)]
pub(crate) struct StoredPart {
    pub(crate) number: i32,
    blob: String,
    pub(crate) size: u64,
    pub(crate) etag: String,
    pub(crate) modified: i64,
    pub(crate) checksum: Checksum,
}

/// A part as CompleteMultipartUpload names it.
#[derive(Debug, Clone)]
pub(crate) struct NamedPart {
    pub(crate) number: i32,
    pub(crate) etag: Option<String>,
    pub(crate) checksum: Option<String>,
}

pub(crate) fn no_such_upload() -> s3s::S3Error {
    s3_error!(
        NoSuchUpload,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have \
         been aborted or completed."
    )
}

const UPLOAD_COLUMNS: &str = "id, key, created, initiator, attributes, algorithm, full_object";

fn upload(row: &Row<'_>) -> rusqlite::Result<Upload> {
    let (attributes, algorithm): (String, String) = (row.get(4)?, row.get(5)?);
    Ok(Upload {
        id: row.get(0)?,
        key: String::from_utf8_lossy(&row.get::<_, Vec<u8>>(1)?).into_owned(),
        created: row.get(2)?,
        initiator: row.get(3)?,
        attributes: serde_json::from_str(&attributes).unwrap_or_default(),
        algorithm: Algorithm::parse(&algorithm).unwrap_or(Algorithm::Crc64Nvme),
        full_object: row.get(6)?,
    })
}

fn find(connection: &Connection, bucket: &str, key: &str, id: &str) -> S3Result<Upload> {
    bucket::require(connection, bucket)?;
    connection
        .query_row(
            &format!(
                "SELECT {UPLOAD_COLUMNS} FROM upload WHERE id = ?1 AND bucket = ?2 AND key = ?3"
            ),
            params![id, bucket, key.as_bytes()],
            upload,
        )
        .optional()
        .map_err(database_failure)?
        .ok_or_else(no_such_upload)
}

fn parts(connection: &Connection, upload: &str) -> S3Result<Vec<StoredPart>> {
    connection
        .prepare_cached(
            "SELECT number, blob, size, etag, modified, checksum FROM part WHERE upload = ?1
             ORDER BY number",
        )
        .and_then(|mut statement| {
            statement
                .query_map([upload], |row| {
                    let checksum: String = row.get(5)?;
                    Ok(StoredPart {
                        number: row.get(0)?,
                        blob: row.get(1)?,
                        size: u64::try_from(row.get::<_, i64>(2)?).unwrap_or_default(),
                        etag: row.get(3)?,
                        modified: row.get(4)?,
                        checksum: serde_json::from_str(&checksum).unwrap_or(Checksum {
                            algorithm: Algorithm::Crc64Nvme,
                            value: String::new(),
                            composite: false,
                        }),
                    })
                })?
                .collect()
        })
        .map_err(database_failure)
}

impl Store {
    pub(crate) fn create_upload(
        &self,
        bucket: &str,
        key: &str,
        initiator: &str,
        attributes: &Attributes,
        algorithm: Algorithm,
        full_object: bool,
    ) -> S3Result<String> {
        let id = unique_id();
        self.write(|transaction| {
            bucket::require(transaction, bucket)?;
            transaction
                .execute(
                    "INSERT INTO upload (id, bucket, key, created, initiator, attributes, algorithm,
                     full_object) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                    params![
                        id,
                        bucket,
                        key.as_bytes(),
                        now(),
                        initiator,
                        serde_json::to_string(attributes).unwrap_or_default(),
                        algorithm.name(),
                        full_object
                    ],
                )
                .map_err(database_failure)
        })?;
        Ok(id)
    }

    pub(crate) fn upload(&self, bucket: &str, key: &str, id: &str) -> S3Result<Upload> {
        find(&self.connection(), bucket, key, id)
    }

    pub(crate) fn upload_parts(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
    ) -> S3Result<(Upload, Vec<StoredPart>)> {
        let connection = self.connection();
        let upload = find(&connection, bucket, key, id)?;
        let parts = parts(&connection, id)?;
        Ok((upload, parts))
    }

    /// Stores a part; a part with the same number is replaced.
    pub(crate) fn put_part(
        &self,
        (bucket, key, id): (&str, &str, &str),
        number: i32,
        pending: PendingBlob,
        digested: &Digested,
    ) -> S3Result<i64> {
        let modified = now();
        let blob = self
            .blobs
            .publish(pending)
            .map_err(|error| disk_failure(&error))?;
        let written = self.write(|transaction| {
            find(transaction, bucket, key, id)?;
            let old: Option<String> = transaction
                .query_row(
                    "SELECT blob FROM part WHERE upload = ?1 AND number = ?2",
                    params![id, number],
                    |row| row.get(0),
                )
                .optional()
                .map_err(database_failure)?;
            transaction
                .execute(
                    "INSERT OR REPLACE INTO part (upload, number, blob, size, etag, modified, checksum)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    params![
                        id,
                        number,
                        blob,
                        i64::try_from(digested.size).unwrap_or(i64::MAX),
                        hex(&digested.md5),
                        modified,
                        serde_json::to_string(&digested.checksum).unwrap_or_default()
                    ],
                )
                .map_err(database_failure)?;
            Ok(old)
        });
        let unused = match &written {
            Ok(old) => old.as_deref(),
            Err(_) => Some(blob.as_str()),
        };
        if let Some(unused) = unused {
            self.blobs.remove(unused);
        }
        written.map(|_| modified)
    }

    pub(crate) fn abort_upload(&self, bucket: &str, key: &str, id: &str) -> S3Result<()> {
        let parts = self.write(|transaction| {
            find(transaction, bucket, key, id)?;
            let parts = parts(transaction, id)?;
            transaction
                .execute("DELETE FROM upload WHERE id = ?1", [id])
                .map_err(database_failure)?;
            Ok(parts)
        })?;
        for part in parts {
            self.blobs.remove(&part.blob);
        }
        Ok(())
    }

    /// Uploads of a bucket in the order of key and id, after the given marker.
    pub(crate) fn list_uploads(
        &self,
        bucket: &str,
        prefix: &str,
        (after_key, after_id): (&str, &str),
        limit: usize,
    ) -> S3Result<Vec<Upload>> {
        let connection = self.connection();
        bucket::require(&connection, bucket)?;
        connection
            .prepare_cached(&format!(
                "SELECT {UPLOAD_COLUMNS} FROM upload WHERE bucket = ?1 AND
                 (key > ?2 OR (key = ?2 AND ?3 <> '' AND id > ?3)) AND substr(key, 1, ?4) = ?5
                 ORDER BY key, id LIMIT ?6"
            ))
            .and_then(|mut statement| {
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                let length = i64::try_from(prefix.len()).unwrap_or(i64::MAX);
                statement
                    .query_map(
                        params![
                            bucket,
                            after_key.as_bytes(),
                            after_id,
                            length,
                            prefix.as_bytes(),
                            limit
                        ],
                        upload,
                    )?
                    .collect()
            })
            .map_err(database_failure)
    }

    /// Joins the named parts into the object.
    pub(crate) fn complete_upload(
        &self,
        (bucket, key, id): (&str, &str, &str),
        named: &[NamedPart],
        expected: Option<&str>,
        condition: &WriteCondition,
    ) -> S3Result<Record> {
        let (upload, stored) = self.upload_parts(bucket, key, id)?;
        let chosen = choose(&stored, named)?;
        let mut pending = self.blobs.create().map_err(|error| disk_failure(&error))?;
        let mut digest = Digest::new(upload.algorithm);
        let mut buffer = vec![0; 256 * 1024];
        for part in &chosen {
            let mut file = self
                .blobs
                .read(&part.blob)
                .map_err(|error| disk_failure(&error))?;
            loop {
                let length = file
                    .read(&mut buffer)
                    .map_err(|error| disk_failure(&error))?;
                if length == 0 {
                    break;
                }
                if upload.full_object {
                    digest.update(&buffer[..length]);
                }
                pending
                    .file
                    .write_all(&buffer[..length])
                    .map_err(|error| disk_failure(&error))?;
            }
        }
        let checksum = if upload.full_object {
            digest.finish().checksum
        } else {
            let values: Vec<_> = chosen
                .iter()
                .map(|part| part.checksum.value.as_str())
                .collect();
            composite(upload.algorithm, &values)
        };
        if let Some(expected) = expected {
            checksum.verify(expected)?;
        }
        let etag = composite_etag(chosen.iter().map(|part| part.etag.as_str()));
        let mut attributes = upload.attributes;
        attributes.checksum = Some(checksum);
        attributes.parts = chosen.iter().map(|part| part.size).collect();
        let size = attributes.parts.iter().sum();
        let record = self.publish(
            bucket,
            key,
            pending,
            (size, etag),
            attributes,
            condition,
            Some(&upload.id),
        )?;
        for part in &stored {
            self.blobs.remove(&part.blob);
        }
        Ok(record)
    }
}

/// The stored parts that the request names, checked as CompleteMultipartUpload documents.
fn choose<'a>(stored: &'a [StoredPart], named: &[NamedPart]) -> S3Result<Vec<&'a StoredPart>> {
    let invalid_part = || {
        s3_error!(
            InvalidPart,
            "One or more of the specified parts could not be found. The part may not have been \
             uploaded, or the specified entity tag may not match the part's entity tag."
        )
    };
    if named.is_empty() {
        return Err(s3_error!(
            MalformedXML,
            "You must specify at least one part"
        ));
    }
    if named
        .windows(2)
        .any(|pair| pair[0].number >= pair[1].number)
    {
        return Err(s3_error!(
            InvalidPartOrder,
            "The list of parts was not in ascending order. Parts must be ordered by part number."
        ));
    }
    let mut chosen = Vec::with_capacity(named.len());
    for part in named {
        let found = stored.iter().find(|stored| stored.number == part.number);
        let found = found.ok_or_else(invalid_part)?;
        if part.etag.as_ref().is_some_and(|etag| *etag != found.etag)
            || part
                .checksum
                .as_ref()
                .is_some_and(|value| *value != found.checksum.value)
        {
            return Err(invalid_part());
        }
        chosen.push(found);
    }
    let last = chosen.len() - 1;
    if chosen[..last].iter().any(|part| part.size < MINIMUM_PART) {
        return Err(s3_error!(
            EntityTooSmall,
            "Your proposed upload is smaller than the minimum allowed size"
        ));
    }
    Ok(chosen)
}
