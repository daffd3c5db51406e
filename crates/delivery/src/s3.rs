//! Files in S3 (Amazon VPC User Guide, "Flow log files").

use std::sync::Arc;

use bytes::Bytes;
use model::{FileFormat, Scope};

use crate::{BoxFuture, Entry, Sink, SinkError};

/// An object to be put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutObject {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The data.
    pub body: Bytes,
    /// The Content-Type header.
    pub content_type: &'static str,
}

/// Something that holds objects: the embedded S3, or a remote one.
pub trait ObjectStore: Send + Sync {
    /// Puts an object on behalf of an account; it replaces one under the same key.
    fn put_object(&self, scope: Scope, object: PutObject) -> BoxFuture<'_, Result<(), SinkError>>;
}

/// Why a bucket cannot take a flow log's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undeliverable {
    /// There is no such bucket.
    NoSuchBucket,
    /// Its owner does not let objects be put there.
    AccessDenied,
    /// It cannot be asked now.
    Unknown(SinkError),
}

/// Writes each batch as one file under AWS's own key.
///
/// A batch that is delivered again has the same key and the same bytes, so that a file is there
/// once however often it was tried.
#[derive(Clone)]
pub struct S3Sink {
    store: Arc<dyn ObjectStore>,
}

impl S3Sink {
    /// Writes to `store`.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store }
    }
}

impl Sink for S3Sink {
    fn deliver<'a>(&'a self, entry: &'a Entry) -> BoxFuture<'a, Result<(), SinkError>> {
        Box::pin(async move {
            let Some((bucket, key)) = entry.batch.s3_object(entry.sequence) else {
                return Err(SinkError::unavailable("the batch does not go to S3"));
            };
            let (bucket, file_format) = (bucket.to_owned(), key.file_format);
            let key = key.to_string();
            // The lines are needed again if this attempt fails.
            let text = entry.batch.lines.text().to_owned();
            let body = tokio::task::spawn_blocking(move || encode(&text, file_format))
                .await
                .map_err(|e| SinkError::unavailable(format!("the file is not made: {e}")))??;
            let object = PutObject {
                bucket,
                key,
                body: body.into(),
                content_type: "application/octet-stream",
            };
            self.store.put_object(entry.batch.scope, object).await
        })
    }
}

/// The bytes of the file; the same text gives the same bytes.
fn encode(text: &str, file_format: FileFormat) -> Result<Vec<u8>, SinkError> {
    match file_format {
        FileFormat::PlainText => Ok(flow_log_files::gzip(text.as_bytes())),
        FileFormat::Parquet => flow_log_files::parquet(text)
            .map_err(|e| SinkError::unavailable(format!("the file is not made: {e}"))),
    }
}
