//! Multipart uploads, their parts and their listings.

use s3s::dto::*;
use s3s::{S3Request, S3Result, s3_error};

use super::list::{Encoder, page_size};
use super::{Answer, answer};
use crate::s3::S3;
use crate::s3::access::{asker, caller};
use crate::s3::checksum::{Algorithm, hex, set_checksum};
use crate::s3::multipart::NamedPart;
use crate::s3::object::WriteCondition;
use crate::s3::read::{checksum_type, length, percent_encode, timestamp};
use crate::s3::setting::owner;
use crate::s3::transfer::{attributes_of, check_acl, check_if_none_match, copy_range, source_of};

pub(super) async fn create_multipart_upload(
    s3: &S3,
    req: S3Request<CreateMultipartUploadInput>,
) -> Answer<CreateMultipartUploadOutput> {
    let account = caller(&req)?;
    let input = req.input;
    check_acl(input.acl.as_ref().map(ObjectCannedACL::as_str))?;
    let attributes = attributes_of!(input);
    let named = input
        .checksum_algorithm
        .as_ref()
        .and_then(|n| Algorithm::parse(n.as_str()));
    let algorithm = named.unwrap_or(Algorithm::Crc64Nvme);
    let full_object = match input.checksum_type.as_ref().map(ChecksumType::as_str) {
        Some(kind) => kind == ChecksumType::FULL_OBJECT,
        None => algorithm == Algorithm::Crc64Nvme,
    };
    let (bucket, key) = (input.bucket.clone(), input.key.clone());
    let id = s3
        .run(move |store| {
            store.create_upload(&bucket, &key, &account, &attributes, algorithm, full_object)
        })
        .await?;
    answer(CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(id),
        checksum_algorithm: named.map(|a| ChecksumAlgorithm::from_static(a.name())),
        checksum_type: named.map(|_| checksum_type(!full_object)),
        ..Default::default()
    })
}

pub(super) async fn upload_part(
    s3: &S3,
    req: S3Request<UploadPartInput>,
) -> Answer<UploadPartOutput> {
    let mut input = req.input;
    check_part_number(input.part_number)?;
    let (bucket, key, id) = (
        input.bucket.clone(),
        input.key.clone(),
        input.upload_id.clone(),
    );
    let upload = s3
        .run(move |store| store.upload(&bucket, &key, &id))
        .await?;
    let trailers = req.trailing_headers.as_ref();
    let received = s3
        .receive(input.body.take(), &req.headers, trailers, upload.algorithm)
        .await?;
    let (pending, digested) = (received.pending, received.digested);
    if !upload.full_object && digested.checksum.algorithm != upload.algorithm {
        return Err(s3_error!(
            InvalidRequest,
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum \
             Type: {}",
            upload.algorithm.name().to_ascii_lowercase(),
            digested.checksum.algorithm.name().to_ascii_lowercase()
        ));
    }
    let mut output = UploadPartOutput {
        e_tag: Some(ETag::Strong(hex(&digested.md5))),
        ..Default::default()
    };
    set_checksum!(output, Some(&digested.checksum));
    s3.run(move |store| {
        let address = (
            input.bucket.as_str(),
            input.key.as_str(),
            input.upload_id.as_str(),
        );
        store.put_part(address, input.part_number, pending, &digested)
    })
    .await?;
    answer(output)
}

pub(super) async fn upload_part_copy(
    s3: &S3,
    req: S3Request<UploadPartCopyInput>,
) -> Answer<UploadPartCopyOutput> {
    let asker = asker(&req)?;
    let input = req.input;
    check_part_number(input.part_number)?;
    let mut source = source_of!(input)?;
    asker.may("s3:GetObject", &source.bucket, Some(&source.key))?;
    source.range = copy_range(input.copy_source_range.as_deref())?;
    let (digested, modified) = s3
        .run(move |store| {
            let address = (
                input.bucket.as_str(),
                input.key.as_str(),
                input.upload_id.as_str(),
            );
            let upload = store.upload(address.0, address.1, address.2)?;
            let (_, copied) = source
                .copy(store, Some(upload.algorithm))
                .map_err(|error| asker.hide_absence(error, &source.bucket))?;
            let number = input.part_number;
            let modified = store.put_part(address, number, copied.pending, &copied.digested)?;
            Ok((copied.digested, modified))
        })
        .await?;
    let mut result = CopyPartResult {
        e_tag: Some(ETag::Strong(hex(&digested.md5))),
        last_modified: Some(timestamp(modified)),
        ..Default::default()
    };
    set_checksum!(result, Some(&digested.checksum));
    answer(UploadPartCopyOutput {
        copy_part_result: Some(result),
        ..Default::default()
    })
}

pub(super) async fn complete_multipart_upload(
    s3: &S3,
    req: S3Request<CompleteMultipartUploadInput>,
) -> Answer<CompleteMultipartUploadOutput> {
    let input = req.input;
    check_if_none_match(input.if_none_match.as_ref())?;
    let location = format!("/{}/{}", input.bucket, percent_encode(&input.key));
    let named: Vec<_> = input
        .multipart_upload
        .and_then(|upload| upload.parts)
        .unwrap_or_default()
        .into_iter()
        .map(|part| NamedPart {
            number: part.part_number.unwrap_or_default(),
            etag: part.e_tag.map(ETag::into_value),
            checksum: part
                .checksum_crc32
                .or(part.checksum_crc32c)
                .or(part.checksum_crc64nvme)
                .or(part.checksum_sha1)
                .or(part.checksum_sha256),
        })
        .collect();
    let expected = input
        .checksum_crc32
        .or(input.checksum_crc32c)
        .or(input.checksum_crc64nvme)
        .or(input.checksum_sha1)
        .or(input.checksum_sha256);
    let condition = WriteCondition {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
    };
    let (bucket, key, id) = (input.bucket.clone(), input.key.clone(), input.upload_id);
    let record = s3
        .run(move |store| {
            let address = (bucket.as_str(), key.as_str(), id.as_str());
            store.complete_upload(address, &named, expected.as_deref(), &condition)
        })
        .await?;
    let checksum = record.attributes.checksum;
    let mut output = CompleteMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        location: Some(location),
        e_tag: Some(ETag::Strong(record.etag)),
        checksum_type: checksum
            .as_ref()
            .map(|checksum| checksum_type(checksum.composite)),
        ..Default::default()
    };
    set_checksum!(output, &checksum);
    answer(output)
}

pub(super) async fn abort_multipart_upload(
    s3: &S3,
    req: S3Request<AbortMultipartUploadInput>,
) -> Answer<AbortMultipartUploadOutput> {
    let input = req.input;
    s3.run(move |store| store.abort_upload(&input.bucket, &input.key, &input.upload_id))
        .await?;
    answer(AbortMultipartUploadOutput::default())
}

pub(super) async fn list_parts(s3: &S3, req: S3Request<ListPartsInput>) -> Answer<ListPartsOutput> {
    let input = req.input;
    let limit = page_size(input.max_parts, "max-parts")?;
    let marker = input.part_number_marker.unwrap_or_default();
    let (bucket, key, id) = (
        input.bucket.clone(),
        input.key.clone(),
        input.upload_id.clone(),
    );
    let (upload, stored) = s3
        .run(move |store| store.upload_parts(&bucket, &key, &id))
        .await?;
    let mut left = stored.into_iter().filter(|part| part.number > marker);
    let mut parts = Vec::new();
    for stored in left.by_ref().take(limit) {
        let mut part = Part {
            part_number: Some(stored.number),
            size: Some(length(stored.size)),
            e_tag: Some(ETag::Strong(stored.etag)),
            last_modified: Some(timestamp(stored.modified)),
            ..Default::default()
        };
        set_checksum!(part, Some(&stored.checksum));
        parts.push(part);
    }
    let more = left.next().is_some();
    answer(ListPartsOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(input.upload_id),
        max_parts: i32::try_from(limit).ok(),
        is_truncated: Some(more),
        part_number_marker: Some(marker),
        next_part_number_marker: parts.last().and_then(|part| part.part_number),
        parts: Some(parts),
        owner: Some(owner(&upload.initiator)),
        storage_class: Some(StorageClass::from_static("STANDARD")),
        checksum_algorithm: Some(ChecksumAlgorithm::from_static(upload.algorithm.name())),
        checksum_type: Some(checksum_type(!upload.full_object)),
        ..Default::default()
    })
}

pub(super) async fn list_multipart_uploads(
    s3: &S3,
    req: S3Request<ListMultipartUploadsInput>,
) -> Answer<ListMultipartUploadsOutput> {
    let input = req.input;
    let limit = page_size(input.max_uploads, "max-uploads")?;
    let encoder = Encoder::new(input.encoding_type.as_ref());
    let (bucket, prefix) = (
        input.bucket.clone(),
        input.prefix.clone().unwrap_or_default(),
    );
    let key_marker = input.key_marker.clone().unwrap_or_default();
    let id_marker = input.upload_id_marker.clone().unwrap_or_default();
    let mut found = s3
        .run(move |store| {
            store.list_uploads(&bucket, &prefix, (&key_marker, &id_marker), limit + 1)
        })
        .await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more);
    let (next_key, next_id) = (
        last.map(|upload| encoder.text(&upload.key)),
        last.map(|upload| upload.id.clone()),
    );
    let uploads = found.into_iter().map(|upload| MultipartUpload {
        key: Some(encoder.text(&upload.key)),
        upload_id: Some(upload.id),
        initiated: Some(timestamp(upload.created)),
        owner: Some(owner(&upload.initiator)),
        storage_class: Some(StorageClass::from_static("STANDARD")),
        checksum_algorithm: Some(ChecksumAlgorithm::from_static(upload.algorithm.name())),
        checksum_type: Some(checksum_type(!upload.full_object)),
        ..Default::default()
    });
    answer(ListMultipartUploadsOutput {
        uploads: Some(uploads.collect()),
        bucket: Some(input.bucket),
        prefix: input.prefix.as_deref().map(|text| encoder.text(text)),
        key_marker: Some(encoder.text(input.key_marker.as_deref().unwrap_or_default())),
        upload_id_marker: Some(input.upload_id_marker.unwrap_or_default()),
        max_uploads: i32::try_from(limit).ok(),
        is_truncated: Some(more),
        next_key_marker: next_key,
        next_upload_id_marker: next_id,
        encoding_type: input.encoding_type,
        ..Default::default()
    })
}

fn check_part_number(number: i32) -> S3Result<()> {
    if (1..=10_000).contains(&number) {
        return Ok(());
    }
    Err(s3_error!(
        InvalidArgument,
        "Part number must be an integer between 1 and 10000, inclusive"
    ))
}
