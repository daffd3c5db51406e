//! Listings of objects, in pages.

use s3s::dto::*;
use s3s::{S3Request, S3Result, s3_error};

use super::{Answer, answer};
use crate::s3::S3;
use crate::s3::list::{ListQuery, Listed};
use crate::s3::read::{checksum_type, length, percent_encode, timestamp};
use crate::s3::setting::owner;

pub(super) async fn list_objects_v2(
    s3: &S3,
    req: S3Request<ListObjectsV2Input>,
) -> Answer<ListObjectsV2Output> {
    let input = req.input;
    let limit = page_size(input.max_keys, "max-keys")?;
    let encoder = Encoder::new(input.encoding_type.as_ref());
    let after = match &input.continuation_token {
        Some(token) => token_key(token)?,
        None => input.start_after.clone().unwrap_or_default(),
    };
    let (listed, more) = list_page(
        s3,
        &input.bucket,
        input.prefix.as_deref(),
        input.delimiter.as_deref(),
        after,
        limit,
    )
    .await?;
    let next = listed
        .last()
        .filter(|_| more)
        .map(|entry| key_token(entry.name()));
    let count = i32::try_from(listed.len()).ok();
    let with_owner = match input.fetch_owner {
        Some(true) => Some(s3.owner_of(input.bucket.clone()).await?),
        _ => None,
    };
    let (contents, prefixes) = page(listed, &encoder, with_owner.as_deref());
    answer(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(encoder.text(input.prefix.as_deref().unwrap_or_default())),
        delimiter: input.delimiter.as_deref().map(|text| encoder.text(text)),
        start_after: input.start_after.as_deref().map(|text| encoder.text(text)),
        max_keys: i32::try_from(limit).ok(),
        key_count: count,
        is_truncated: Some(more),
        continuation_token: input.continuation_token,
        next_continuation_token: next,
        contents: Some(contents),
        common_prefixes: Some(prefixes),
        encoding_type: input.encoding_type,
        ..Default::default()
    })
}

pub(super) async fn list_objects(
    s3: &S3,
    req: S3Request<ListObjectsInput>,
) -> Answer<ListObjectsOutput> {
    let input = req.input;
    let limit = page_size(input.max_keys, "max-keys")?;
    let encoder = Encoder::new(input.encoding_type.as_ref());
    let marker = input.marker.clone().unwrap_or_default();
    let (listed, more) = list_page(
        s3,
        &input.bucket,
        input.prefix.as_deref(),
        input.delimiter.as_deref(),
        marker,
        limit,
    )
    .await?;
    let next = listed.last().filter(|_| more && input.delimiter.is_some());
    let next = next.map(|entry| encoder.text(entry.name()));
    let owner = s3.owner_of(input.bucket.clone()).await?;
    let (contents, prefixes) = page(listed, &encoder, Some(&owner));
    answer(ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(encoder.text(input.prefix.as_deref().unwrap_or_default())),
        marker: Some(encoder.text(input.marker.as_deref().unwrap_or_default())),
        delimiter: input.delimiter.as_deref().map(|text| encoder.text(text)),
        max_keys: i32::try_from(limit).ok(),
        is_truncated: Some(more),
        next_marker: next,
        contents: Some(contents),
        common_prefixes: Some(prefixes),
        encoding_type: input.encoding_type,
        ..Default::default()
    })
}

pub(super) async fn list_object_versions(
    s3: &S3,
    req: S3Request<ListObjectVersionsInput>,
) -> Answer<ListObjectVersionsOutput> {
    let input = req.input;
    let limit = page_size(input.max_keys, "max-keys")?;
    let encoder = Encoder::new(input.encoding_type.as_ref());
    let after = input.key_marker.clone().unwrap_or_default();
    let (listed, more) = list_page(
        s3,
        &input.bucket,
        input.prefix.as_deref(),
        input.delimiter.as_deref(),
        after,
        limit,
    )
    .await?;
    let next = listed
        .last()
        .filter(|_| more)
        .map(|entry| encoder.text(entry.name()));
    let account = s3.owner_of(input.bucket.clone()).await?;
    let (contents, prefixes) = page(listed, &encoder, Some(&account));
    let versions = contents.into_iter().map(|object| ObjectVersion {
        key: object.key,
        size: object.size,
        e_tag: object.e_tag,
        last_modified: object.last_modified,
        owner: object.owner,
        is_latest: Some(true),
        version_id: Some("null".to_owned()),
        storage_class: Some(ObjectVersionStorageClass::from_static("STANDARD")),
        ..Default::default()
    });
    answer(ListObjectVersionsOutput {
        name: Some(input.bucket),
        prefix: Some(encoder.text(input.prefix.as_deref().unwrap_or_default())),
        delimiter: input.delimiter.as_deref().map(|text| encoder.text(text)),
        key_marker: Some(encoder.text(input.key_marker.as_deref().unwrap_or_default())),
        max_keys: i32::try_from(limit).ok(),
        is_truncated: Some(more),
        next_version_id_marker: next.as_ref().map(|_| "null".to_owned()),
        next_key_marker: next,
        versions: Some(versions.collect()),
        common_prefixes: Some(prefixes),
        encoding_type: input.encoding_type,
        ..Default::default()
    })
}

async fn list_page(
    s3: &S3,
    bucket: &str,
    prefix: Option<&str>,
    delimiter: Option<&str>,
    after: String,
    limit: usize,
) -> S3Result<(Vec<Listed>, bool)> {
    let bucket = bucket.to_owned();
    let prefix = prefix.unwrap_or_default().to_owned();
    let delimiter = delimiter.unwrap_or_default().to_owned();
    s3.run(move |store| {
        let query = ListQuery {
            prefix: &prefix,
            delimiter: &delimiter,
            after: &after,
            limit,
        };
        store.list_objects(&bucket, &query)
    })
    .await
}

/// Page sizes: absent means 1000, more than 1000 is cut, negative is refused.
pub(super) fn page_size(requested: Option<i32>, name: &str) -> S3Result<usize> {
    usize::try_from(requested.unwrap_or(1000))
        .map(|limit| limit.min(1000))
        .map_err(|_| {
            s3_error!(
                InvalidArgument,
                "Argument {name} must be an integer between 0 and 2147483647"
            )
        })
}

/// Applies `encoding-type` to a key or prefix of an answer.
pub(super) struct Encoder(bool);

impl Encoder {
    pub(super) fn new(encoding: Option<&EncodingType>) -> Self {
        Self(encoding.is_some_and(|encoding| encoding.as_str() == EncodingType::URL))
    }

    pub(super) fn text(&self, text: &str) -> String {
        if self.0 {
            percent_encode(text)
        } else {
            text.to_owned()
        }
    }
}

/// Splits a page of entries into the model's two lists.
fn page(
    listed: Vec<Listed>,
    encoder: &Encoder,
    with_owner: Option<&str>,
) -> (Vec<Object>, Vec<CommonPrefix>) {
    let (mut objects, mut prefixes) = (Vec::new(), Vec::new());
    for entry in listed {
        match entry {
            Listed::Object(key, record) => {
                let checksum = record.attributes.checksum.as_ref();
                objects.push(Object {
                    key: Some(encoder.text(&key)),
                    size: Some(length(record.size)),
                    e_tag: Some(ETag::Strong(record.etag.clone())),
                    last_modified: Some(timestamp(record.modified)),
                    storage_class: Some(ObjectStorageClass::from_static("STANDARD")),
                    owner: with_owner.map(owner),
                    checksum_algorithm: checksum
                        .map(|c| vec![ChecksumAlgorithm::from_static(c.algorithm.name())]),
                    checksum_type: checksum.map(|c| checksum_type(c.composite)),
                    ..Object::default()
                });
            }
            Listed::CommonPrefix(prefix) => {
                prefixes.push(CommonPrefix {
                    prefix: Some(encoder.text(&prefix)),
                });
            }
        }
    }
    (objects, prefixes)
}

/// A continuation token: opaque to the client, the last key of the page to us.
fn key_token(key: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE.encode(key)
}

fn token_key(token: &str) -> S3Result<String> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| {
            s3_error!(
                InvalidArgument,
                "The continuation token provided is incorrect"
            )
        })
}
