//! Buckets: global names, each with the account that owns it and its Region.

use rusqlite::{Connection, OptionalExtension as _, params};
use s3s::{S3Result, s3_error};

use super::store::{Store, database_failure, now};

/// What the rest of Weir may know about a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketInfo {
    /// The account that created it.
    pub owner: String,
    /// The Region it was created in.
    pub region: String,
    /// Milliseconds since 1970.
    pub created: i64,
    /// The bucket policy as it was put, when there is one.
    pub policy: Option<String>,
}

/// The per-bucket documents that are kept as they were put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setting {
    Policy,
    Tagging,
    PublicAccessBlock,
    OwnershipControls,
    Versioning,
    Encryption,
    Lifecycle,
    Logging,
    Accelerate,
    RequestPayment,
    Notification,
    Cors,
    Website,
    Replication,
    ObjectLock,
    IntelligentTiering,
    Analytics,
    Inventory,
    Metrics,
}

impl Setting {
    fn name(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Tagging => "tagging",
            Self::PublicAccessBlock => "publicAccessBlock",
            Self::OwnershipControls => "ownershipControls",
            Self::Versioning => "versioning",
            Self::Encryption => "encryption",
            Self::Lifecycle => "lifecycle",
            Self::Logging => "logging",
            Self::Accelerate => "accelerate",
            Self::RequestPayment => "requestPayment",
            Self::Notification => "notification",
            Self::Cors => "cors",
            Self::Website => "website",
            Self::Replication => "replication",
            Self::ObjectLock => "objectLock",
            Self::IntelligentTiering => "intelligentTiering",
            Self::Analytics => "analytics",
            Self::Inventory => "inventory",
            Self::Metrics => "metrics",
        }
    }

    fn get(self, connection: &Connection, bucket: &str) -> S3Result<Option<String>> {
        connection
            .query_row(
                "SELECT value FROM setting WHERE bucket = ?1 AND name = ?2",
                [bucket, self.name()],
                |row| row.get(0),
            )
            .optional()
            .map_err(database_failure)
    }

    /// Puts it, or removes it when `value` is `None`.
    pub(super) fn set(
        self,
        connection: &Connection,
        bucket: &str,
        value: Option<&str>,
    ) -> S3Result<()> {
        match value {
            Some(value) => connection.execute(
                "INSERT OR REPLACE INTO setting (bucket, name, value) VALUES (?1, ?2, ?3)",
                [bucket, self.name(), value],
            ),
            None => connection.execute(
                "DELETE FROM setting WHERE bucket = ?1 AND name = ?2",
                [bucket, self.name()],
            ),
        }
        .map_err(database_failure)?;
        Ok(())
    }
}

/// Whether a name satisfies "General purpose bucket naming rules".
pub(crate) fn is_valid_name(name: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    (3..=63).contains(&bytes.len())
        && bytes
            .iter()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'))
        && edge(bytes.first())
        && edge(bytes.last())
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err()
}

pub(crate) fn no_such_bucket() -> s3s::S3Error {
    s3_error!(NoSuchBucket, "The specified bucket does not exist")
}

/// The row of a bucket, or NoSuchBucket.
pub(crate) fn require(connection: &Connection, name: &str) -> S3Result<BucketInfo> {
    connection
        .prepare_cached(
            "SELECT owner, region, created, (SELECT value FROM setting WHERE bucket = ?1
                AND setting.name = 'policy') FROM bucket WHERE name = ?1",
        )
        .and_then(|mut statement| {
            statement
                .query_row([name], |row| {
                    Ok(BucketInfo {
                        owner: row.get(0)?,
                        region: row.get(1)?,
                        created: row.get(2)?,
                        policy: row.get(3)?,
                    })
                })
                .optional()
        })
        .map_err(database_failure)?
        .ok_or_else(no_such_bucket)
}

impl Store {
    pub(crate) fn bucket(&self, name: &str) -> S3Result<BucketInfo> {
        require(&self.connection(), name)
    }

    pub(crate) fn create_bucket(&self, name: &str, owner: &str, region: &str) -> S3Result<()> {
        if !is_valid_name(name) {
            return Err(s3_error!(
                InvalidBucketName,
                "The specified bucket is not valid."
            ));
        }
        self.write(|transaction| {
            if let Ok(bucket) = require(transaction, name) {
                if bucket.owner != owner {
                    return Err(s3_error!(
                        BucketAlreadyExists,
                        "The requested bucket name is not available. The bucket namespace is shared \
                         by all users of the system. Please select a different name and try again."
                    ));
                }
                if region == "us-east-1" && bucket.region == region {
                    return Ok(());
                }
                return Err(s3_error!(
                    BucketAlreadyOwnedByYou,
                    "Your previous request to create the named bucket succeeded and you already own it."
                ));
            }
            transaction
                .execute(
                    "INSERT INTO bucket (name, owner, region, created) VALUES (?1, ?2, ?3, ?4)",
                    params![name, owner, region, now()],
                )
                .map_err(database_failure)?;
            Ok(())
        })
    }

    pub(crate) fn delete_bucket(&self, name: &str) -> S3Result<()> {
        let parts = self.write(|transaction| {
            require(transaction, name)?;
            let occupied: bool = transaction
                .query_row(
                    "SELECT EXISTS (SELECT 1 FROM object WHERE bucket = ?1)",
                    [name],
                    |r| r.get(0),
                )
                .map_err(database_failure)?;
            if occupied {
                return Err(s3_error!(
                    BucketNotEmpty,
                    "The bucket you tried to delete is not empty"
                ));
            }
            let parts = transaction
                .prepare(
                    "SELECT part.blob FROM part JOIN upload ON upload.id = part.upload
                     WHERE upload.bucket = ?1",
                )
                .and_then(|mut s| s.query_map([name], |row| row.get(0))?.collect())
                .map_err(database_failure)?;
            transaction
                .execute("DELETE FROM bucket WHERE name = ?1", [name])
                .map_err(database_failure)?;
            Ok::<Vec<String>, _>(parts)
        })?;
        for blob in parts {
            self.blobs.remove(&blob);
        }
        Ok(())
    }

    /// The buckets of an account after `after`, in name order: name, creation time, Region.
    pub(crate) fn list_buckets(
        &self,
        owner: &str,
        prefix: &str,
        region: Option<&str>,
        after: &str,
        limit: usize,
    ) -> S3Result<Vec<(String, i64, String)>> {
        self.connection()
            .prepare_cached(
                "SELECT name, created, region FROM bucket WHERE owner = ?1 AND name > ?2
                   AND substr(name, 1, length(?3)) = ?3 AND (?4 IS NULL OR region = ?4)
                 ORDER BY name LIMIT ?5",
            )
            .and_then(|mut statement| {
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                statement
                    .query_map(params![owner, after, prefix, region, limit], |row| {
                        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                    })?
                    .collect()
            })
            .map_err(database_failure)
    }

    pub(crate) fn setting(&self, bucket: &str, setting: Setting) -> S3Result<Option<String>> {
        let connection = self.connection();
        require(&connection, bucket)?;
        setting.get(&connection, bucket)
    }

    /// Makes a setting's next value out of the last one, with nobody in between.
    pub(crate) fn edit_setting(
        &self,
        bucket: &str,
        setting: Setting,
        edit: impl FnOnce(Option<String>) -> S3Result<String>,
    ) -> S3Result<()> {
        self.write(|transaction| {
            require(transaction, bucket)?;
            let next = edit(setting.get(transaction, bucket)?)?;
            setting.set(transaction, bucket, Some(&next))
        })
    }

    /// Puts a setting, or removes it when `value` is `None`.
    pub(crate) fn set_setting(
        &self,
        bucket: &str,
        setting: Setting,
        value: Option<&str>,
    ) -> S3Result<()> {
        self.write(|transaction| {
            require(transaction, bucket)?;
            setting.set(transaction, bucket, value)
        })
    }
}
