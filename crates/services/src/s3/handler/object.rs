//! Objects: put, read, copied and deleted.

use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::{Answer, answer};
use crate::s3::S3;
use crate::s3::access::{Asker, asker};
use crate::s3::checksum::{Algorithm, set_checksum};
use crate::s3::object::WriteCondition;
use crate::s3::read::{checksum_type, length, timestamp};
use crate::s3::transfer::{
    attributes_of, check_acl, check_if_none_match, copied_attributes, source_of,
};

pub(super) async fn put_object(s3: &S3, req: S3Request<PutObjectInput>) -> Answer<PutObjectOutput> {
    let mut input = req.input;
    check_acl(input.acl.as_ref().map(ObjectCannedACL::as_str))?;
    check_if_none_match(input.if_none_match.as_ref())?;
    let attributes = attributes_of!(input);
    s3.owner_of(input.bucket.clone()).await?;
    let trailers = req.trailing_headers.as_ref();
    let received = s3
        .receive(
            input.body.take(),
            &req.headers,
            trailers,
            Algorithm::Crc64Nvme,
        )
        .await?;
    let condition = WriteCondition {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
    };
    let (bucket, key) = (input.bucket, input.key);
    let record = s3
        .run(move |store| {
            let (pending, digested) = (received.pending, received.digested);
            store.put_object(&bucket, &key, pending, &digested, attributes, &condition)
        })
        .await?;
    let mut output = PutObjectOutput {
        e_tag: Some(ETag::Strong(record.etag)),
        server_side_encryption: Some(ServerSideEncryption::from_static("AES256")),
        checksum_type: Some(checksum_type(false)),
        ..Default::default()
    };
    set_checksum!(output, &record.attributes.checksum);
    answer(output)
}

pub(super) async fn get_object(s3: &S3, req: S3Request<GetObjectInput>) -> Answer<GetObjectOutput> {
    let (asker, bucket) = (asker(&req)?, req.input.bucket.clone());
    let read = s3.read_object(req.input).await;
    partial(read.map_err(|error| asker.hide_absence(error, &bucket))?)
}

pub(super) async fn head_object(
    s3: &S3,
    req: S3Request<HeadObjectInput>,
) -> Answer<HeadObjectOutput> {
    let (asker, bucket) = (asker(&req)?, req.input.bucket.clone());
    let head = s3.head(req.input).await;
    partial(head.map_err(|error| asker.hide_absence(error, &bucket))?)
}

pub(super) async fn get_object_attributes(
    s3: &S3,
    req: S3Request<GetObjectAttributesInput>,
) -> Answer<GetObjectAttributesOutput> {
    let input = req.input;
    let record = s3
        .run(move |store| store.object(&input.bucket, &input.key))
        .await?;
    // Clients send one header with a list, or a header for each.
    let wanted = input.object_attributes.iter().map(ObjectAttributes::as_str);
    let wanted: Vec<_> = wanted
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .collect();
    let has = |name: &str| wanted.contains(&name);
    let mut output = GetObjectAttributesOutput {
        last_modified: Some(timestamp(record.modified)),
        e_tag: has("ETag").then(|| ETag::Strong(record.etag.clone())),
        object_size: has("ObjectSize").then(|| length(record.size)),
        storage_class: has("StorageClass").then(|| StorageClass::from_static("STANDARD")),
        ..Default::default()
    };
    if has("ObjectParts") && !record.attributes.parts.is_empty() {
        output.object_parts = Some(GetObjectAttributesParts {
            total_parts_count: i32::try_from(record.attributes.parts.len()).ok(),
            ..Default::default()
        });
    }
    if let Some(stored) = record
        .attributes
        .checksum
        .as_ref()
        .filter(|_| has("Checksum"))
    {
        let mut checksum = Checksum {
            checksum_type: Some(checksum_type(stored.composite)),
            ..Default::default()
        };
        set_checksum!(checksum, Some(stored));
        output.checksum = Some(checksum);
    }
    answer(output)
}

pub(super) async fn delete_object(
    s3: &S3,
    req: S3Request<DeleteObjectInput>,
) -> Answer<DeleteObjectOutput> {
    let input = req.input;
    s3.run(move |store| store.delete_objects(&input.bucket, &[input.key], input.if_match))
        .await?;
    answer(DeleteObjectOutput::default())
}

pub(super) async fn delete_objects(
    s3: &S3,
    req: S3Request<DeleteObjectsInput>,
) -> Answer<DeleteObjectsOutput> {
    let asker = asker(&req)?;
    let DeleteObjectsInput { bucket, delete, .. } = req.input;
    if delete.objects.is_empty() || delete.objects.len() > 1000 {
        return Err(s3_error!(
            MalformedXML,
            "The XML you provided was not well-formed or did not validate against our \
             published schema"
        ));
    }
    let (deleted, errors) = s3
        .run(move |store| {
            let (keys, errors) = permitted(&asker, &bucket, delete.objects)?;
            store.delete_objects(&bucket, &keys, None)?;
            Ok((keys, errors))
        })
        .await?;
    let deleted = deleted
        .into_iter()
        .map(|key| DeletedObject {
            key: Some(key),
            ..Default::default()
        })
        .collect();
    let quiet = delete.quiet.unwrap_or(false);
    answer(DeleteObjectsOutput {
        deleted: (!quiet).then_some(deleted),
        errors: (!errors.is_empty()).then_some(errors),
        ..Default::default()
    })
}

/// The keys that the caller may delete, and what to say of the others.
fn permitted(
    asker: &Asker,
    bucket: &str,
    objects: Vec<ObjectIdentifier>,
) -> S3Result<(Vec<String>, Vec<Error>)> {
    let gate = asker.gate("s3:DeleteObject", bucket)?;
    let (mut keys, mut errors) = (Vec::new(), Vec::new());
    for object in objects {
        let action = match object.version_id {
            Some(_) => "s3:DeleteObjectVersion",
            None => "s3:DeleteObject",
        };
        match gate.may(action, Some(&object.key)) {
            Ok(()) => keys.push(object.key),
            Err(error) => errors.push(Error {
                code: Some(error.code().as_str().to_owned()),
                message: error.message().map(str::to_owned),
                key: Some(object.key),
                version_id: object.version_id,
            }),
        }
    }
    Ok((keys, errors))
}

pub(super) async fn copy_object(
    s3: &S3,
    req: S3Request<CopyObjectInput>,
) -> Answer<CopyObjectOutput> {
    let asker = asker(&req)?;
    let input = req.input;
    check_acl(input.acl.as_ref().map(ObjectCannedACL::as_str))?;
    let source = source_of!(input)?;
    asker.may("s3:GetObject", &source.bucket, Some(&source.key))?;
    let replaces = input
        .metadata_directive
        .as_ref()
        .is_some_and(|d| d.as_str() == "REPLACE");
    if source.bucket == input.bucket && source.key == input.key && !replaces {
        return Err(s3_error!(
            InvalidRequest,
            "This copy request is illegal because it is trying to copy an object to itself \
             without changing the object's metadata, storage class, website redirect location \
             or encryption attributes."
        ));
    }
    let algorithm = input
        .checksum_algorithm
        .as_ref()
        .and_then(|name| Algorithm::parse(name.as_str()));
    let record = s3
        .run(move |store| {
            store.bucket(&input.bucket)?;
            let (original, copied) = source
                .copy(store, algorithm)
                .map_err(|error| asker.hide_absence(error, &source.bucket))?;
            let attributes = copied_attributes(&input, &original.attributes)?;
            let (pending, digested) = (copied.pending, copied.digested);
            let condition = WriteCondition::default();
            let (bucket, key) = (&input.bucket, &input.key);
            store.put_object(bucket, key, pending, &digested, attributes, &condition)
        })
        .await?;
    let mut result = CopyObjectResult {
        e_tag: Some(ETag::Strong(record.etag)),
        last_modified: Some(timestamp(record.modified)),
        checksum_type: Some(checksum_type(false)),
        ..Default::default()
    };
    set_checksum!(result, &record.attributes.checksum);
    answer(CopyObjectOutput {
        copy_object_result: Some(result),
        ..Default::default()
    })
}

fn partial<T>((output, is_partial): (T, bool)) -> Answer<T> {
    if is_partial {
        return Ok(S3Response::with_status(
            output,
            http::StatusCode::PARTIAL_CONTENT,
        ));
    }
    answer(output)
}
