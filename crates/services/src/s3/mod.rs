//! The embedded S3: buckets and objects in a folder, spoken to over HTTP or in process.
//!
//! Object data is streamed to and from files; an object appears whole or not at all. It never keeps
//! versions, answers other accounts than a bucket's owner only what the bucket's policy allows, and never redirects between
//! Regions.

mod access;
mod action;
mod blob;
mod bucket;
mod checksum;
mod delivery;
mod facts;
mod handler;
mod list;
mod log_folder;
mod message;
mod multipart;
mod object;
mod read;
mod role;
mod service;
mod setting;
mod store;
mod transfer;

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

pub use s3s::{Body, S3Error, S3ErrorCode};
use s3s::{S3Result, s3_error};

pub use self::access::{Asked, Witness};
pub use self::bucket::BucketInfo;
pub(crate) use self::checksum::hex;
use self::checksum::{Algorithm, Digest};
use self::list::{ListQuery, Listed};
pub use self::log_folder::{LogFolder, Undeliverable};
use self::object::{Attributes, WriteCondition};
pub use self::service::{CredentialError, Credentials, S3Endpoint, Signer};
use self::store::{Store, disk_failure};

/// How long a key may be, in bytes of UTF-8 (Amazon S3 User Guide, "Naming Amazon S3 objects").
const KEY_BYTES_MAX: usize = 1024;

/// The embedded S3. Cheap to clone; every method blocks on the disk.
#[derive(Debug, Clone)]
pub struct S3 {
    store: Arc<Store>,
}

/// What may be said about an object that Weir itself puts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PutOptions {
    /// The Content-Type header; `binary/octet-stream` when absent, as on AWS.
    pub content_type: Option<String>,
    /// The Content-Encoding header, `gzip` for example.
    pub content_encoding: Option<String>,
    /// User metadata, without the `x-amz-meta-` prefix.
    pub metadata: BTreeMap<String, String>,
}

/// An object with its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectData {
    /// The data.
    pub bytes: Vec<u8>,
    /// The Content-Type header.
    pub content_type: Option<String>,
    /// The Content-Encoding header.
    pub content_encoding: Option<String>,
    /// The entity tag without quotes.
    pub etag: String,
}

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectSummary {
    /// The object's key.
    pub key: String,
    /// Bytes of data.
    pub size: u64,
    /// The entity tag without quotes.
    pub etag: String,
    /// Milliseconds since 1970.
    pub modified: i64,
}

impl S3 {
    /// Opens the folder, and creates it when it is new.
    pub fn open(folder: impl AsRef<Path>) -> io::Result<Self> {
        Ok(Self {
            store: Arc::new(Store::open(folder.as_ref())?),
        })
    }

    /// The bucket, when it exists.
    pub fn bucket(&self, bucket: &str) -> Result<Option<BucketInfo>, S3Error> {
        match self.store.bucket(bucket) {
            Ok(info) => Ok(Some(info)),
            Err(error) if *error.code() == S3ErrorCode::NoSuchBucket => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates a bucket that `owner` owns in `region`.
    pub fn create_bucket(&self, bucket: &str, owner: &str, region: &str) -> Result<(), S3Error> {
        self.store.create_bucket(bucket, owner, region)
    }

    /// Puts an object; it replaces one under the same key.
    ///
    /// # Errors
    ///
    /// NoSuchBucket, `KeyTooLongError`, or the disk's.
    pub fn put_object(
        &self,
        bucket: &str,
        key: &str,
        bytes: &[u8],
        options: PutOptions,
    ) -> Result<(), S3Error> {
        self.store.bucket(bucket)?;
        // What comes over HTTP is checked there; nobody could read or delete the object.
        if key.len() > KEY_BYTES_MAX {
            return Err(s3_error!(KeyTooLongError, "Your key is too long"));
        }
        let mut pending = self
            .store
            .blobs
            .create()
            .map_err(|error| disk_failure(&error))?;
        pending
            .file
            .write_all(bytes)
            .map_err(|error| disk_failure(&error))?;
        let mut digest = Digest::new(Algorithm::Crc64Nvme);
        digest.update(bytes);
        let attributes = Attributes {
            content_type: options.content_type,
            content_encoding: options.content_encoding,
            metadata: options.metadata,
            ..Attributes::default()
        };
        let condition = WriteCondition::default();
        self.store
            .put_object(
                bucket,
                key,
                pending,
                &digest.finish(),
                attributes,
                &condition,
            )
            .map(|_| ())
    }

    /// The whole object in memory.
    pub fn get_object(&self, bucket: &str, key: &str) -> Result<ObjectData, S3Error> {
        let (record, mut file) = self.store.open_object(bucket, key)?;
        let mut bytes = Vec::with_capacity(usize::try_from(record.size).unwrap_or_default());
        file.read_to_end(&mut bytes)
            .map_err(|error| disk_failure(&error))?;
        Ok(ObjectData {
            bytes,
            content_type: record.attributes.content_type,
            content_encoding: record.attributes.content_encoding,
            etag: record.etag,
        })
    }

    /// All objects whose key begins with `prefix`, in key order.
    pub fn list_objects(&self, bucket: &str, prefix: &str) -> Result<Vec<ObjectSummary>, S3Error> {
        let query = ListQuery {
            prefix,
            limit: usize::MAX,
            ..ListQuery::default()
        };
        let (listed, _) = self.store.list_objects(bucket, &query)?;
        let summaries = listed.into_iter().filter_map(|entry| match entry {
            Listed::Object(key, record) => Some(ObjectSummary {
                key,
                size: record.size,
                etag: record.etag,
                modified: record.modified,
            }),
            Listed::CommonPrefix(_) => None,
        });
        Ok(summaries.collect())
    }

    /// Sets the bucket's policy as it is, or takes it away.
    #[cfg(test)]
    pub(crate) fn set_policy(&self, bucket: &str, policy: Option<&str>) -> Result<(), S3Error> {
        self.store
            .set_setting(bucket, bucket::Setting::Policy, policy)
    }

    /// Removes data that a crash left without an object. Returns the number of files removed.
    pub fn sweep(&self) -> Result<usize, S3Error> {
        self.store.sweep()
    }

    /// Runs blocking work on the store away from the reactor.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> S3Result<T> + Send + 'static,
    ) -> S3Result<T> {
        let store = Arc::clone(&self.store);
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(result) => result,
            Err(error) => Err(S3Error::internal_error(error)),
        }
    }
}

#[cfg(test)]
mod tests;
