//! Data on its way out: conditions, ranges and the headers of GetObject and HeadObject.

use std::io::{Seek as _, SeekFrom};
use std::ops;
use std::time::{Duration, SystemTime};

use s3s::dto::{
    ChecksumType, ETag, ETagCondition, GetObjectInput, GetObjectOutput, HeadObjectInput,
    HeadObjectOutput, Range, StreamingBlob, Timestamp,
};
use s3s::{S3Result, s3_error};
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;

use super::S3;
use super::checksum::set_checksum;
use super::object::{Record, matches, precondition_failed};
use super::store::disk_failure;
use super::transfer::milliseconds;

/// The type of an object that was put without one.
const DEFAULT_TYPE: &str = "binary/octet-stream";
const CHUNK: usize = 64 * 1024;

/// The four conditional headers of a read, times in milliseconds.
#[derive(Debug, Default)]
pub(crate) struct ReadCondition {
    pub(crate) if_match: Option<ETagCondition>,
    pub(crate) if_none_match: Option<ETagCondition>,
    pub(crate) if_modified_since: Option<i64>,
    pub(crate) if_unmodified_since: Option<i64>,
}

impl ReadCondition {
    /// The precedence of RFC 9110 §13.2.2, which GetObject documents.
    pub(crate) fn check(&self, record: &Record) -> S3Result<()> {
        let changed_after = |time: i64| record.modified / 1000 > time / 1000;
        match (&self.if_match, self.if_unmodified_since) {
            (Some(condition), _) if !matches(condition, &record.etag) => {
                return Err(precondition_failed());
            }
            (None, Some(time)) if changed_after(time) => return Err(precondition_failed()),
            _ => {}
        }
        let unchanged = match (&self.if_none_match, self.if_modified_since) {
            (Some(condition), _) => matches(condition, &record.etag),
            (None, Some(time)) => !changed_after(time),
            (None, None) => false,
        };
        if unchanged {
            let mut error = s3_error!(NotModified, "Not Modified");
            let mut headers = http::HeaderMap::new();
            if let Ok(value) = ETag::Strong(record.etag.clone()).to_http_header() {
                headers.insert(http::header::ETAG, value);
            }
            error.set_headers(headers);
            return Err(error);
        }
        Ok(())
    }
}

/// Milliseconds since 1970 as the model's timestamp.
pub(crate) fn timestamp(milliseconds: i64) -> Timestamp {
    let elapsed = Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default());
    Timestamp::from(SystemTime::UNIX_EPOCH + elapsed)
}

pub(crate) fn length(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// The bytes asked for, when the request asks for fewer than all, and the number of parts.
fn selection(
    record: &Record,
    range: Option<&Range>,
    part: Option<i32>,
) -> S3Result<Option<ops::Range<u64>>> {
    let invalid = || s3_error!(InvalidRange, "The requested range is not satisfiable");
    match (range, part) {
        (None, None) => Ok(None),
        (Some(range), None) => range.check(record.size).map(Some).map_err(|_| invalid()),
        (Some(_), Some(_)) => Err(s3_error!(
            InvalidRequest,
            "Cannot specify both Range header and partNumber query parameter"
        )),
        (None, Some(part)) => {
            let whole = [record.size];
            let parts = if record.attributes.parts.is_empty() {
                &whole[..]
            } else {
                &record.attributes.parts
            };
            let index = usize::try_from(part)
                .ok()
                .and_then(|part| part.checked_sub(1));
            let index = index.filter(|index| *index < parts.len()).ok_or_else(|| {
                let mut error = s3s::S3Error::with_message(
                    s3s::S3ErrorCode::Custom("InvalidPartNumber".into()),
                    "The requested partnumber is not satisfiable",
                );
                error.set_status_code(http::StatusCode::RANGE_NOT_SATISFIABLE);
                error
            })?;
            let start = parts[..index].iter().sum();
            Ok(Some(start..start + parts[index]))
        }
    }
}

/// Fills the fields that GetObjectOutput and HeadObjectOutput share.
macro_rules! describe {
    ($output:expr, $record:expr, $selected:expr, $input:expr) => {{
        let (output, record, input) = (&mut $output, &$record, &$input);
        let attributes = &record.attributes;
        output.accept_ranges = Some("bytes".to_owned());
        output.e_tag = Some(ETag::Strong(record.etag.clone()));
        output.last_modified = Some(timestamp(record.modified));
        output.cache_control = attributes.cache_control.clone();
        output.content_disposition = attributes.content_disposition.clone();
        output.content_encoding = attributes.content_encoding.clone();
        output.content_language = attributes.content_language.clone();
        output.expires = attributes.expires.map(timestamp);
        let content_type = attributes.content_type.clone();
        output.content_type = content_type.or_else(|| Some(DEFAULT_TYPE.to_owned()));
        output.metadata = Some(attributes.metadata.clone().into_iter().collect());
        output.server_side_encryption = Some(s3s::dto::ServerSideEncryption::from_static("AES256"));
        if input.part_number.is_some() && !attributes.parts.is_empty() {
            output.parts_count = i32::try_from(attributes.parts.len()).ok();
        }
        let bytes = $selected.clone().unwrap_or(0..record.size);
        output.content_length = Some(length(bytes.end - bytes.start));
        if $selected.is_some() && bytes.end > bytes.start {
            let (first, last) = (bytes.start, bytes.end - 1);
            output.content_range = Some(format!("bytes {first}-{last}/{}", record.size));
        }
        let wanted = input
            .checksum_mode
            .as_ref()
            .is_some_and(|mode| mode.as_str() == "ENABLED");
        if let Some(checksum) = &attributes.checksum
            && wanted
            && $selected.is_none()
        {
            set_checksum!(output, Some(checksum));
            output.checksum_type = Some(checksum_type(checksum.composite));
        }
    }};
}

pub(crate) fn checksum_type(composite: bool) -> ChecksumType {
    ChecksumType::from_static(if composite {
        ChecksumType::COMPOSITE
    } else {
        ChecksumType::FULL_OBJECT
    })
}

macro_rules! condition_of {
    ($input:expr) => {
        ReadCondition {
            if_match: $input.if_match.clone(),
            if_none_match: $input.if_none_match.clone(),
            if_modified_since: $input.if_modified_since.clone().map(milliseconds),
            if_unmodified_since: $input.if_unmodified_since.clone().map(milliseconds),
        }
    };
}

fn check_version(version: Option<&str>) -> S3Result<()> {
    match version {
        None | Some("null") => Ok(()),
        Some(_) => Err(s3_error!(
            NoSuchVersion,
            "The specified version does not exist."
        )),
    }
}

impl S3 {
    /// The output and whether it is a part of the object only.
    pub(crate) async fn read_object(
        &self,
        input: GetObjectInput,
    ) -> S3Result<(GetObjectOutput, bool)> {
        check_version(input.version_id.as_deref())?;
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        let (record, file) = self
            .run(move |store| store.open_object(&bucket, &key))
            .await?;
        condition_of!(input).check(&record)?;
        let selected = selection(&record, input.range.as_ref(), input.part_number)?;
        let mut output = GetObjectOutput::default();
        describe!(output, record, selected, input);
        if !record.attributes.tags.is_empty() {
            output.tag_count = i32::try_from(record.attributes.tags.len()).ok();
        }
        let bytes = selected.clone().unwrap_or(0..record.size);
        let mut file = file;
        file.seek(SeekFrom::Start(bytes.start))
            .map_err(|error| disk_failure(&error))?;
        let mut file = tokio::fs::File::from_std(file);
        file.set_max_buf_size(CHUNK);
        let data = ReaderStream::with_capacity(file.take(bytes.end - bytes.start), CHUNK);
        output.body = Some(StreamingBlob::wrap(data));
        Ok((output, selected.is_some()))
    }

    pub(crate) async fn head(&self, input: HeadObjectInput) -> S3Result<(HeadObjectOutput, bool)> {
        check_version(input.version_id.as_deref())?;
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        let record = self.run(move |store| store.object(&bucket, &key)).await?;
        condition_of!(input).check(&record)?;
        let selected = selection(&record, input.range.as_ref(), input.part_number)?;
        let mut output = HeadObjectOutput::default();
        describe!(output, record, selected, input);
        Ok((output, selected.is_some()))
    }
}

/// Decodes `%XX` and `+`; `None` when the result is not UTF-8.
pub(crate) fn percent_decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = text
            .get(at + 1..at + 3)
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match (byte, hex) {
            (b'%', Some(value)) => {
                decoded.push(value);
                at += 2;
            }
            (b'+', _) => decoded.push(b' '),
            _ => decoded.push(byte),
        }
        at += 1;
    }
    String::from_utf8(decoded).ok()
}

/// The encoding of `encoding-type=url`: everything but unreserved characters and `/`.
pub(crate) fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
