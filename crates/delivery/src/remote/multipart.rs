//! Large objects in parts (Amazon S3 User Guide, "Uploading and copying objects using multipart upload").

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use model::Scope;

use super::s3::{element, encode, object_call, object_headers};
use super::{Call, Remote};
use crate::s3::{PutObject, Undeliverable};
use crate::{SinkError, SinkErrorKind};

/// What is larger comes in parts of this size, as AWS's own clients do it; S3 wants 5 MiB at least.
pub(super) const PART_BYTES: usize = 8 << 20;

/// An upload that has begun, by bucket and key.
pub(super) type Uploads = BTreeMap<(String, String), Upload>;

/// How far an upload is.
#[derive(Clone)]
pub(super) struct Upload {
    id: String,
    /// Of the object: length and CRC-32.
    of: (usize, u32),
    /// Of the parts that have arrived.
    etags: Vec<String>,
}

impl Remote {
    /// Puts an object in parts. An attempt goes on where the last one stopped; one that a crash has cut short is aborted,
    /// so that nobody pays for parts that will never be an object.
    pub(super) async fn put_parts(
        &self,
        scope: Scope,
        object: &PutObject,
    ) -> Result<(), SinkError> {
        let put = self.try_parts(scope, object).await;
        let Err(error) = put else {
            self.uploads().remove(&place(object));
            return Ok(());
        };
        let is_gone = error.message.starts_with("NoSuchUpload");
        if is_gone || error.kind == SinkErrorKind::Rejected {
            let upload = self.uploads().remove(&place(object));
            if let Some(upload) = upload.filter(|_| !is_gone) {
                self.abort(scope, object, &upload.id).await;
            }
        }
        Err(error)
    }

    async fn try_parts(&self, scope: Scope, object: &PutObject) -> Result<(), SinkError> {
        let of = (object.body.len(), crc32fast::hash(&object.body));
        let begun = self.uploads().get(&place(object)).cloned();
        let mut upload = match begun.filter(|upload| upload.of == of) {
            Some(upload) => upload,
            None => {
                self.abort_leftovers(scope, object).await;
                let id = self.create_upload(scope, object).await?;
                let etags = Vec::new();
                Upload { id, of, etags }
            }
        };
        let parts = object
            .body
            .chunks(PART_BYTES)
            .map(|part| object.body.slice_ref(part));
        for (number, part) in (1..).zip(parts).skip(upload.etags.len()) {
            self.uploads().insert(place(object), upload.clone());
            let etag = self
                .upload_part(scope, object, &upload.id, number, part)
                .await?;
            upload.etags.push(etag);
        }
        self.uploads().insert(place(object), upload.clone());
        self.complete_upload(scope, object, &upload).await
    }

    /// Whether a flow log may be created whose files get keys that begin like this: an upload is begun there and given
    /// up at once. That needs the permissions that a delivery needs, and leaves nothing.
    ///
    /// # Errors
    ///
    /// Why not. An S3 that has not answered after so long is [`Undeliverable::Unknown`].
    pub async fn check_new_delivery(
        &self,
        scope: Scope,
        bucket: &str,
        folder: &str,
        patience: Duration,
    ) -> Result<(), Undeliverable> {
        let object = PutObject {
            bucket: bucket.to_owned(),
            key: format!("{folder}check"),
            body: Bytes::new(),
            content_type: "application/octet-stream",
        };
        let asked = async {
            let id = self.create_upload(scope, &object).await?;
            self.abort(scope, &object, &id).await;
            Ok(())
        };
        let answer = tokio::time::timeout(patience, asked).await;
        let late = || SinkError::unavailable(format!("no answer within {patience:?}"));
        answer
            .unwrap_or_else(|_| Err(late()))
            .map_err(|error| match error.kind {
                SinkErrorKind::NotFound => Undeliverable::NoSuchBucket,
                SinkErrorKind::Access => Undeliverable::AccessDenied,
                _ => Undeliverable::Unknown(error),
            })
    }

    async fn create_upload(&self, scope: Scope, object: &PutObject) -> Result<String, SinkError> {
        let call = Call {
            query: "uploads=".to_owned(),
            headers: object_headers(object),
            ..object_call(Method::POST, object)
        };
        let answer = self.s3(scope, &object.bucket, call).await?;
        let body = String::from_utf8_lossy(&answer.body);
        let id = element(&body, "UploadId").filter(|id| !id.is_empty());
        id.map(str::to_owned)
            .ok_or_else(|| SinkError::unavailable("CreateMultipartUpload: an answer without an id"))
    }

    async fn upload_part(
        &self,
        scope: Scope,
        object: &PutObject,
        id: &str,
        number: usize,
        part: Bytes,
    ) -> Result<String, SinkError> {
        let call = Call {
            query: format!("partNumber={number}&uploadId={}", encode(id, false)),
            body: part,
            ..object_call(Method::PUT, object)
        };
        let answer = self.s3(scope, &object.bucket, call).await?;
        answer
            .etag
            .ok_or_else(|| SinkError::unavailable("UploadPart: an answer without an ETag"))
    }

    async fn complete_upload(
        &self,
        scope: Scope,
        object: &PutObject,
        upload: &Upload,
    ) -> Result<(), SinkError> {
        let mut body = "<CompleteMultipartUpload>".to_owned();
        for (number, etag) in (1..).zip(&upload.etags) {
            let number: usize = number;
            // Writing to a String cannot fail.
            let _ = write!(
                body,
                "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
            );
        }
        body.push_str("</CompleteMultipartUpload>");
        let call = Call {
            query: format!("uploadId={}", encode(&upload.id, false)),
            headers: vec![("content-type", "application/xml")],
            body: body.into(),
            ..object_call(Method::POST, object)
        };
        self.s3(scope, &object.bucket, call).await.map(drop)
    }

    /// Aborts what a daemon that was killed has begun for this very key. Whoever may put objects need not be allowed to
    /// list uploads, so that it fails is not held against the object.
    async fn abort_leftovers(&self, scope: Scope, object: &PutObject) {
        let call = Call {
            path: format!("/{}", object.bucket),
            query: format!("prefix={}&uploads=", encode(&object.key, false)),
            ..object_call(Method::GET, object)
        };
        let answer = match self.s3(scope, &object.bucket, call).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::debug!(key = object.key, %error, "uploads are not listed");
                return;
            }
        };
        let body = String::from_utf8_lossy(&answer.body);
        for upload in body.split("<Upload>").skip(1) {
            if let (Some(key), Some(id)) = (element(upload, "Key"), element(upload, "UploadId"))
                && key == object.key
            {
                self.abort(scope, object, id).await;
            }
        }
    }

    async fn abort(&self, scope: Scope, object: &PutObject, id: &str) {
        let call = Call {
            query: format!("uploadId={}", encode(id, false)),
            ..object_call(Method::DELETE, object)
        };
        let key = &object.key;
        match self.s3(scope, &object.bucket, call).await {
            Ok(_) => tracing::info!(key, "an upload is aborted"),
            Err(error) => {
                tracing::warn!(key, %error, "an upload is not aborted");
            }
        }
    }

    fn uploads(&self) -> MutexGuard<'_, Uploads> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(object: &PutObject) -> (String, String) {
    (object.bucket.clone(), object.key.clone())
}
