//! Data on its way in: receiving bodies, PutObject, UploadPart and the copies.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::time::SystemTime;

use futures_util::StreamExt as _;
use http::HeaderMap;
use s3s::dto::{
    CopyObjectInput, CopySource, ETagCondition, MetadataDirective, Range, StreamingBlob, Timestamp,
};
use s3s::{S3Error, S3ErrorCode, S3Result, TrailingHeaders, s3_error};
use tokio::io::AsyncWriteExt as _;

use super::S3;
use super::blob::PendingBlob;
use super::checksum::{Algorithm, Declared, Digest, Digested};
use super::object::{Attributes, Record, precondition_failed};
use super::read::{self, ReadCondition};
use super::store::{Store, disk_failure};

/// The largest object that one PUT may carry ("Uploading objects").
const MAXIMUM_PUT: u64 = 5 * 1024 * 1024 * 1024;

/// A body on disk, not yet an object.
pub(crate) struct Received {
    pub(crate) pending: PendingBlob,
    pub(crate) digested: Digested,
}

impl S3 {
    /// Streams a body to disk and compares it with what the headers and trailers declare.
    pub(crate) async fn receive(
        &self,
        body: Option<StreamingBlob>,
        headers: &HeaderMap,
        trailers: Option<&TrailingHeaders>,
        default: Algorithm,
    ) -> S3Result<Received> {
        let declared = Declared::from_headers(headers)?;
        let mut digest = declared.digest(default);
        let pending = self
            .run(|store| store.blobs.create().map_err(|error| disk_failure(&error)))
            .await?;
        let file = pending
            .file
            .try_clone()
            .map_err(|error| disk_failure(&error))?;
        let mut file = tokio::fs::File::from_std(file);
        file.set_max_buf_size(128 * 1024);
        let mut size = 0;
        if let Some(mut body) = body {
            while let Some(chunk) = body.next().await {
                let chunk = chunk.map_err(body_failure)?;
                size += chunk.len() as u64;
                if size > MAXIMUM_PUT {
                    return Err(s3_error!(
                        EntityTooLarge,
                        "Your proposed upload exceeds the maximum allowed size"
                    ));
                }
                digest.update(&chunk);
                file.write_all(&chunk)
                    .await
                    .map_err(|error| disk_failure(&error))?;
            }
        }
        file.flush().await.map_err(|error| disk_failure(&error))?;
        let digested = digest.finish();
        let trailers = trailers.and_then(TrailingHeaders::take);
        declared.verify(&digested, trailers.as_ref())?;
        Ok(Received { pending, digested })
    }
}

/// The S3 error for a body that broke off or does not have the declared hash.
#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
fn body_failure(error: s3s::StdError) -> S3Error {
    let text = error.to_string();
    if text.contains("Sha256Mismatch") {
        let mut error = S3Error::with_message(
            S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into()),
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        );
        error.set_status_code(http::StatusCode::BAD_REQUEST);
        return error;
    }
    if text.contains("SignatureMismatch") {
        return s3_error!(
            SignatureDoesNotMatch,
            "The request signature we calculated does not match the signature you provided."
        );
    }
    s3_error!(
        IncompleteBody,
        "You did not provide the number of bytes specified by the Content-Length HTTP header"
    )
}

/// Collects the attribute fields that PutObject, CopyObject and CreateMultipartUpload share.
macro_rules! attributes_of {
    ($input:expr) => {
        $crate::s3::object::Attributes {
            content_type: $input.content_type.clone(),
            content_encoding: $crate::s3::transfer::stored_encoding(
                $input.content_encoding.as_deref(),
            ),
            content_disposition: $input.content_disposition.clone(),
            content_language: $input.content_language.clone(),
            cache_control: $input.cache_control.clone(),
            expires: $input
                .expires
                .clone()
                .map($crate::s3::transfer::milliseconds),
            metadata: $input
                .metadata
                .clone()
                .unwrap_or_default()
                .into_iter()
                .collect(),
            tags: $crate::s3::transfer::header_tags($input.tagging.as_deref())?,
            checksum: None,
            parts: Vec::new(),
        }
    };
}
pub(crate) use attributes_of;

/// The source that CopyObject and UploadPartCopy name, with its conditions.
macro_rules! source_of {
    ($input:expr) => {
        $crate::s3::transfer::Source::new(
            &$input.copy_source,
            $crate::s3::read::ReadCondition {
                if_match: $input.copy_source_if_match.clone(),
                if_none_match: $input.copy_source_if_none_match.clone(),
                if_modified_since: $input
                    .copy_source_if_modified_since
                    .clone()
                    .map($crate::s3::transfer::milliseconds),
                if_unmodified_since: $input
                    .copy_source_if_unmodified_since
                    .clone()
                    .map($crate::s3::transfer::milliseconds),
            },
        )
    };
}
pub(crate) use source_of;

/// Content-Encoding without `aws-chunked`, which describes the transfer and not the object.
pub(crate) fn stored_encoding(header: Option<&str>) -> Option<String> {
    let kept: Vec<_> = header?
        .split(',')
        .map(str::trim)
        .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

/// The tags of an `x-amz-tagging` header, which looks like a query string.
pub(crate) fn header_tags(
    header: Option<&str>,
) -> S3Result<std::collections::BTreeMap<String, String>> {
    let mut tags = std::collections::BTreeMap::new();
    for pair in header
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
    {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = read::percent_decode(key).zip(read::percent_decode(value));
        let (key, value) = decoded.ok_or_else(|| {
            s3_error!(
                InvalidArgument,
                "The header 'x-amz-tagging' shall be encoded as UTF-8"
            )
        })?;
        tags.insert(key, value);
    }
    Ok(tags)
}

/// Refuses ACLs as a bucket with the default "bucket owner enforced" ownership does.
pub(crate) fn check_acl(acl: Option<&str>) -> S3Result<()> {
    match acl {
        None | Some("private" | "bucket-owner-full-control") => Ok(()),
        Some(_) => Err(s3_error!(
            AccessControlListNotSupported,
            "The bucket does not allow ACLs"
        )),
    }
}

pub(crate) fn milliseconds(timestamp: Timestamp) -> i64 {
    let time = SystemTime::from(time_of(timestamp));
    let elapsed = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

fn time_of(timestamp: Timestamp) -> time::OffsetDateTime {
    timestamp.into()
}

/// Where a copy reads from.
pub(crate) struct Source {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) condition: ReadCondition,
    pub(crate) range: Option<Range>,
}

impl Source {
    pub(crate) fn new(source: &CopySource, condition: ReadCondition) -> S3Result<Self> {
        match source {
            CopySource::Bucket {
                bucket,
                key,
                version_id: None | Some(_),
            } => Ok(Self {
                bucket: bucket.to_string(),
                key: key.to_string(),
                condition,
                range: None,
            }),
            _ => Err(s3_error!(
                NotImplemented,
                "Access points are not supported as copy source."
            )),
        }
    }

    /// Copies the source's bytes to a new data file. Whether the caller may read it was asked before.
    pub(crate) fn copy(
        &self,
        store: &Store,
        algorithm: Option<Algorithm>,
    ) -> S3Result<(Record, Received)> {
        let (record, mut file) = store.open_object(&self.bucket, &self.key)?;
        if self.condition.check(&record).is_err() {
            return Err(precondition_failed());
        }
        let range = match &self.range {
            Some(range) => range
                .check(record.size)
                .map_err(|_| s3_error!(InvalidRange, "The requested range is not satisfiable"))?,
            None => 0..record.size,
        };
        let kept = record
            .attributes
            .checksum
            .as_ref()
            .map(|checksum| checksum.algorithm);
        let mut digest = Digest::new(algorithm.or(kept).unwrap_or(Algorithm::Crc64Nvme));
        let mut pending = store.blobs.create().map_err(|error| disk_failure(&error))?;
        file.seek(SeekFrom::Start(range.start))
            .map_err(|error| disk_failure(&error))?;
        let mut data = file.take(range.end - range.start);
        let mut buffer = vec![0; 256 * 1024];
        loop {
            let length = data
                .read(&mut buffer)
                .map_err(|error| disk_failure(&error))?;
            if length == 0 {
                break;
            }
            digest.update(&buffer[..length]);
            pending
                .file
                .write_all(&buffer[..length])
                .map_err(|error| disk_failure(&error))?;
        }
        Ok((
            record,
            Received {
                pending,
                digested: digest.finish(),
            },
        ))
    }
}

/// The attributes of a copied object: the source's, or those of the request with `REPLACE`.
pub(crate) fn copied_attributes(
    input: &CopyObjectInput,
    source: &Attributes,
) -> S3Result<Attributes> {
    let given = attributes_of!(input);
    let replace = input
        .metadata_directive
        .as_ref()
        .is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE);
    let replace_tags = input
        .tagging_directive
        .as_ref()
        .is_some_and(|directive| directive.as_str() == "REPLACE");
    let mut attributes = if replace {
        given.clone()
    } else {
        source.clone()
    };
    attributes.tags = if replace_tags {
        given.tags
    } else {
        source.tags.clone()
    };
    attributes.parts = Vec::new();
    Ok(attributes)
}

/// The range of `x-amz-copy-source-range`, which must name both ends.
pub(crate) fn copy_range(header: Option<&str>) -> S3Result<Option<Range>> {
    header
        .map(|text| match Range::parse(text) {
            Ok(range @ Range::Int { last: Some(_), .. }) => Ok(range),
            _ => Err(s3_error!(
                InvalidArgument,
                "The x-amz-copy-source-range value must be of the form bytes=first-last where \
                 first and last are the zero-based offsets of the first and last bytes to copy"
            )),
        })
        .transpose()
}

/// Whether a condition that only `*` may satisfy was given another value.
pub(crate) fn check_if_none_match(condition: Option<&ETagCondition>) -> S3Result<()> {
    if condition.is_some_and(|condition| !condition.is_any()) {
        return Err(s3_error!(
            NotImplemented,
            "A header you provided implies functionality that is not implemented"
        ));
    }
    Ok(())
}
