//! Every S3 operation that Weir answers, in terms of the store. What is missing here answers
//! NotImplemented.

use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::S3;
use super::bucket::Setting;
use super::checksum::{Algorithm, set_checksum};
use super::list::{ListQuery, Listed};
use super::multipart::NamedPart;
use super::object::WriteCondition;
use super::read::{ReadCondition, checksum_type, length, percent_encode, timestamp};
use super::service::{access_denied, caller, region};
use super::setting::{check_policy, not_found, owner, owner_grants, tag_map, tag_set};
use super::transfer::{
    Source, attributes_of, check_acl, check_if_none_match, copied_attributes, copy_range,
    milliseconds,
};

type Answer<T> = S3Result<S3Response<T>>;

fn answer<T>(output: T) -> Answer<T> {
    Ok(S3Response::new(output))
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

/// Page sizes: absent means 1000, more than 1000 is cut, negative is refused.
fn page_size(requested: Option<i32>, name: &str) -> S3Result<usize> {
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
struct Encoder(bool);

impl Encoder {
    fn new(encoding: Option<&EncodingType>) -> Self {
        Self(encoding.is_some_and(|encoding| encoding.as_str() == EncodingType::URL))
    }

    fn text(&self, text: &str) -> String {
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

impl S3 {
    async fn settle(
        &self,
        bucket: String,
        setting: Setting,
        value: Option<String>,
    ) -> S3Result<()> {
        self.run(move |store| store.set_setting(&bucket, setting, value.as_deref()))
            .await
    }

    async fn settled(&self, bucket: String, setting: Setting) -> S3Result<Option<String>> {
        self.run(move |store| store.setting(&bucket, setting)).await
    }

    async fn owner_of(&self, bucket: String) -> S3Result<String> {
        Ok(self.run(move |store| store.bucket(&bucket)).await?.owner)
    }

    /// Answers "not set" for a setting that this S3 does not keep, when the bucket exists.
    async fn never_set<T>(&self, bucket: String, absent: s3s::S3Error) -> S3Result<T> {
        self.owner_of(bucket).await?;
        Err(absent)
    }
}

#[async_trait::async_trait]
impl s3s::S3 for S3 {
    // Buckets.

    async fn list_buckets(&self, req: S3Request<ListBucketsInput>) -> Answer<ListBucketsOutput> {
        let account = caller(&req)?;
        let limit = usize::try_from(req.input.max_buckets.unwrap_or(10_000)).unwrap_or(10_000);
        let input = req.input;
        let (prefix, who) = (input.prefix.clone(), account.clone());
        let mut found = self
            .run(move |store| {
                store.list_buckets(
                    &who,
                    input.prefix.as_deref().unwrap_or_default(),
                    input.bucket_region.as_deref(),
                    input.continuation_token.as_deref().unwrap_or_default(),
                    limit + 1,
                )
            })
            .await?;
        let more = found.len() > limit;
        found.truncate(limit);
        let continuation_token = found.last().filter(|_| more).map(|(name, ..)| name.clone());
        let buckets = found.into_iter().map(|(name, created, region)| Bucket {
            name: Some(name),
            creation_date: Some(timestamp(created)),
            bucket_region: Some(region),
        });
        answer(ListBucketsOutput {
            buckets: Some(buckets.collect()),
            continuation_token,
            owner: Some(owner(&account)),
            prefix,
        })
    }

    async fn create_bucket(&self, req: S3Request<CreateBucketInput>) -> Answer<CreateBucketOutput> {
        let (account, signed) = (caller(&req)?, region(&req));
        check_acl(req.input.acl.as_ref().map(BucketCannedACL::as_str))?;
        let constraint = req
            .input
            .create_bucket_configuration
            .and_then(|configuration| configuration.location_constraint);
        let wanted = match constraint.as_ref().map(BucketLocationConstraint::as_str) {
            None if signed == "us-east-1" => signed,
            Some("us-east-1") if signed == "us-east-1" => {
                return Err(s3_error!(
                    InvalidLocationConstraint,
                    "The specified location-constraint is not valid"
                ));
            }
            // The endpoint of us-east-1 creates buckets in every Region.
            Some(wanted) if wanted == signed || signed == "us-east-1" => wanted.to_owned(),
            other => {
                return Err(s3_error!(
                    IllegalLocationConstraintException,
                    "The {} location constraint is incompatible for the region specific endpoint \
                     this request was sent to.",
                    other.unwrap_or("unspecified")
                ));
            }
        };
        let bucket = req.input.bucket;
        let location = Some(format!("/{bucket}"));
        self.run(move |store| store.create_bucket(&bucket, &account, &wanted))
            .await?;
        answer(CreateBucketOutput { location })
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> Answer<HeadBucketOutput> {
        let bucket = req.input.bucket;
        let info = self.run(move |store| store.bucket(&bucket)).await?;
        answer(HeadBucketOutput {
            bucket_region: Some(info.region),
            ..Default::default()
        })
    }

    async fn delete_bucket(&self, req: S3Request<DeleteBucketInput>) -> Answer<DeleteBucketOutput> {
        self.run(move |store| store.delete_bucket(&req.input.bucket))
            .await?;
        answer(DeleteBucketOutput::default())
    }

    async fn get_bucket_location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> Answer<GetBucketLocationOutput> {
        let info = self
            .run(move |store| store.bucket(&req.input.bucket))
            .await?;
        let location_constraint =
            (info.region != "us-east-1").then(|| BucketLocationConstraint::from(info.region));
        answer(GetBucketLocationOutput {
            location_constraint,
        })
    }

    // Objects.

    async fn put_object(&self, req: S3Request<PutObjectInput>) -> Answer<PutObjectOutput> {
        let mut input = req.input;
        check_acl(input.acl.as_ref().map(ObjectCannedACL::as_str))?;
        check_if_none_match(input.if_none_match.as_ref())?;
        let attributes = attributes_of!(input);
        self.owner_of(input.bucket.clone()).await?;
        let trailers = req.trailing_headers.as_ref();
        let received = self
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
        let record = self
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

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> Answer<GetObjectOutput> {
        partial(self.read_object(req.input).await?)
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> Answer<HeadObjectOutput> {
        partial(self.head(req.input).await?)
    }

    async fn get_object_attributes(
        &self,
        req: S3Request<GetObjectAttributesInput>,
    ) -> Answer<GetObjectAttributesOutput> {
        let input = req.input;
        let record = self
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

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> Answer<DeleteObjectOutput> {
        let input = req.input;
        self.run(move |store| store.delete_objects(&input.bucket, &[input.key], input.if_match))
            .await?;
        answer(DeleteObjectOutput::default())
    }

    async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> Answer<DeleteObjectsOutput> {
        let DeleteObjectsInput { bucket, delete, .. } = req.input;
        if delete.objects.is_empty() || delete.objects.len() > 1000 {
            return Err(s3_error!(
                MalformedXML,
                "The XML you provided was not well-formed or did not validate against our \
                 published schema"
            ));
        }
        let keys: Vec<_> = delete
            .objects
            .into_iter()
            .map(|object| object.key)
            .collect();
        let deleted = keys.clone();
        self.run(move |store| store.delete_objects(&bucket, &keys, None))
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
            ..Default::default()
        })
    }

    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> Answer<CopyObjectOutput> {
        let account = caller(&req)?;
        let input = req.input;
        check_acl(input.acl.as_ref().map(ObjectCannedACL::as_str))?;
        let condition = ReadCondition {
            if_match: input.copy_source_if_match.clone(),
            if_none_match: input.copy_source_if_none_match.clone(),
            if_modified_since: input
                .copy_source_if_modified_since
                .clone()
                .map(milliseconds),
            if_unmodified_since: input
                .copy_source_if_unmodified_since
                .clone()
                .map(milliseconds),
        };
        let source = Source::new(&input.copy_source, condition)?;
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
        let record = self
            .run(move |store| {
                store.bucket(&input.bucket)?;
                let (original, copied) = source.copy(store, &account, algorithm)?;
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

    // Listings.

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> Answer<ListObjectsV2Output> {
        let input = req.input;
        let limit = page_size(input.max_keys, "max-keys")?;
        let encoder = Encoder::new(input.encoding_type.as_ref());
        let after = match &input.continuation_token {
            Some(token) => token_key(token)?,
            None => input.start_after.clone().unwrap_or_default(),
        };
        let (bucket, prefix, delimiter) = (
            input.bucket.clone(),
            input.prefix.clone(),
            input.delimiter.clone(),
        );
        let (listed, more) = self
            .list_page(bucket, prefix, delimiter, after, limit)
            .await?;
        let next = listed
            .last()
            .filter(|_| more)
            .map(|entry| key_token(entry.name()));
        let count = i32::try_from(listed.len()).ok();
        let with_owner = match input.fetch_owner {
            Some(true) => Some(self.owner_of(input.bucket.clone()).await?),
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

    async fn list_objects(&self, req: S3Request<ListObjectsInput>) -> Answer<ListObjectsOutput> {
        let input = req.input;
        let limit = page_size(input.max_keys, "max-keys")?;
        let encoder = Encoder::new(input.encoding_type.as_ref());
        let marker = input.marker.clone().unwrap_or_default();
        let (bucket, prefix, delimiter) = (
            input.bucket.clone(),
            input.prefix.clone(),
            input.delimiter.clone(),
        );
        let (listed, more) = self
            .list_page(bucket, prefix, delimiter, marker, limit)
            .await?;
        let next = listed.last().filter(|_| more && input.delimiter.is_some());
        let next = next.map(|entry| encoder.text(entry.name()));
        let owner = self.owner_of(input.bucket.clone()).await?;
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

    async fn list_object_versions(
        &self,
        req: S3Request<ListObjectVersionsInput>,
    ) -> Answer<ListObjectVersionsOutput> {
        let input = req.input;
        let limit = page_size(input.max_keys, "max-keys")?;
        let encoder = Encoder::new(input.encoding_type.as_ref());
        let after = input.key_marker.clone().unwrap_or_default();
        let (bucket, prefix, delimiter) = (
            input.bucket.clone(),
            input.prefix.clone(),
            input.delimiter.clone(),
        );
        let (listed, more) = self
            .list_page(bucket, prefix, delimiter, after, limit)
            .await?;
        let next = listed
            .last()
            .filter(|_| more)
            .map(|entry| encoder.text(entry.name()));
        let account = self.owner_of(input.bucket.clone()).await?;
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

    // Multipart uploads.

    async fn create_multipart_upload(
        &self,
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
        let id = self
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

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> Answer<UploadPartOutput> {
        let mut input = req.input;
        check_part_number(input.part_number)?;
        let (bucket, key, id) = (
            input.bucket.clone(),
            input.key.clone(),
            input.upload_id.clone(),
        );
        let upload = self
            .run(move |store| store.upload(&bucket, &key, &id))
            .await?;
        let trailers = req.trailing_headers.as_ref();
        let received = self
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
            e_tag: Some(ETag::Strong(super::checksum::hex(&digested.md5))),
            ..Default::default()
        };
        set_checksum!(output, Some(&digested.checksum));
        self.run(move |store| {
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

    async fn upload_part_copy(
        &self,
        req: S3Request<UploadPartCopyInput>,
    ) -> Answer<UploadPartCopyOutput> {
        let account = caller(&req)?;
        let input = req.input;
        check_part_number(input.part_number)?;
        let condition = ReadCondition {
            if_match: input.copy_source_if_match.clone(),
            if_none_match: input.copy_source_if_none_match.clone(),
            if_modified_since: input
                .copy_source_if_modified_since
                .clone()
                .map(milliseconds),
            if_unmodified_since: input
                .copy_source_if_unmodified_since
                .clone()
                .map(milliseconds),
        };
        let mut source = Source::new(&input.copy_source, condition)?;
        source.range = copy_range(input.copy_source_range.as_deref())?;
        let (digested, modified) = self
            .run(move |store| {
                let address = (
                    input.bucket.as_str(),
                    input.key.as_str(),
                    input.upload_id.as_str(),
                );
                let upload = store.upload(address.0, address.1, address.2)?;
                let (_, copied) = source.copy(store, &account, Some(upload.algorithm))?;
                let number = input.part_number;
                let modified = store.put_part(address, number, copied.pending, &copied.digested)?;
                Ok((copied.digested, modified))
            })
            .await?;
        let mut result = CopyPartResult {
            e_tag: Some(ETag::Strong(super::checksum::hex(&digested.md5))),
            last_modified: Some(timestamp(modified)),
            ..Default::default()
        };
        set_checksum!(result, Some(&digested.checksum));
        answer(UploadPartCopyOutput {
            copy_part_result: Some(result),
            ..Default::default()
        })
    }

    async fn complete_multipart_upload(
        &self,
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
        let record = self
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

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> Answer<AbortMultipartUploadOutput> {
        let input = req.input;
        self.run(move |store| store.abort_upload(&input.bucket, &input.key, &input.upload_id))
            .await?;
        answer(AbortMultipartUploadOutput::default())
    }

    async fn list_parts(&self, req: S3Request<ListPartsInput>) -> Answer<ListPartsOutput> {
        let input = req.input;
        let limit = page_size(input.max_parts, "max-parts")?;
        let marker = input.part_number_marker.unwrap_or_default();
        let (bucket, key, id) = (
            input.bucket.clone(),
            input.key.clone(),
            input.upload_id.clone(),
        );
        let (upload, stored) = self
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

    async fn list_multipart_uploads(
        &self,
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
        let mut found = self
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

    // Bucket settings.

    async fn get_bucket_policy(
        &self,
        req: S3Request<GetBucketPolicyInput>,
    ) -> Answer<GetBucketPolicyOutput> {
        let policy = self.settled(req.input.bucket, Setting::Policy).await?;
        let absent = || s3_error!(NoSuchBucketPolicy, "The bucket policy does not exist");
        answer(GetBucketPolicyOutput {
            policy: Some(policy.ok_or_else(absent)?),
        })
    }

    async fn put_bucket_policy(
        &self,
        req: S3Request<PutBucketPolicyInput>,
    ) -> Answer<PutBucketPolicyOutput> {
        check_policy(&req.input.policy)?;
        self.settle(req.input.bucket, Setting::Policy, Some(req.input.policy))
            .await?;
        answer(PutBucketPolicyOutput::default())
    }

    async fn delete_bucket_policy(
        &self,
        req: S3Request<DeleteBucketPolicyInput>,
    ) -> Answer<DeleteBucketPolicyOutput> {
        self.settle(req.input.bucket, Setting::Policy, None).await?;
        answer(DeleteBucketPolicyOutput::default())
    }

    async fn get_bucket_tagging(
        &self,
        req: S3Request<GetBucketTaggingInput>,
    ) -> Answer<GetBucketTaggingOutput> {
        let stored = self.settled(req.input.bucket, Setting::Tagging).await?;
        let tags = stored.and_then(|text| serde_json::from_str(&text).ok());
        let tags = tags.ok_or_else(|| s3_error!(NoSuchTagSet, "The TagSet does not exist"))?;
        answer(GetBucketTaggingOutput {
            tag_set: tag_set(tags),
        })
    }

    async fn put_bucket_tagging(
        &self,
        req: S3Request<PutBucketTaggingInput>,
    ) -> Answer<PutBucketTaggingOutput> {
        let tags = tag_map(req.input.tagging.tag_set, 50)?;
        let text = serde_json::to_string(&tags).ok();
        self.settle(req.input.bucket, Setting::Tagging, text)
            .await?;
        answer(PutBucketTaggingOutput::default())
    }

    async fn delete_bucket_tagging(
        &self,
        req: S3Request<DeleteBucketTaggingInput>,
    ) -> Answer<DeleteBucketTaggingOutput> {
        self.settle(req.input.bucket, Setting::Tagging, None)
            .await?;
        answer(DeleteBucketTaggingOutput::default())
    }

    async fn get_public_access_block(
        &self,
        req: S3Request<GetPublicAccessBlockInput>,
    ) -> Answer<GetPublicAccessBlockOutput> {
        let stored = self
            .settled(req.input.bucket, Setting::PublicAccessBlock)
            .await?;
        let Some(configuration) = stored.and_then(|text| serde_json::from_str(&text).ok()) else {
            return Err(not_found(
                "NoSuchPublicAccessBlockConfiguration",
                "The public access block configuration was not found",
            ));
        };
        answer(GetPublicAccessBlockOutput {
            public_access_block_configuration: Some(configuration),
        })
    }

    async fn put_public_access_block(
        &self,
        req: S3Request<PutPublicAccessBlockInput>,
    ) -> Answer<PutPublicAccessBlockOutput> {
        let text = serde_json::to_string(&req.input.public_access_block_configuration).ok();
        self.settle(req.input.bucket, Setting::PublicAccessBlock, text)
            .await?;
        answer(PutPublicAccessBlockOutput::default())
    }

    async fn delete_public_access_block(
        &self,
        req: S3Request<DeletePublicAccessBlockInput>,
    ) -> Answer<DeletePublicAccessBlockOutput> {
        self.settle(req.input.bucket, Setting::PublicAccessBlock, None)
            .await?;
        answer(DeletePublicAccessBlockOutput::default())
    }

    async fn get_bucket_ownership_controls(
        &self,
        req: S3Request<GetBucketOwnershipControlsInput>,
    ) -> Answer<GetBucketOwnershipControlsOutput> {
        let stored = self
            .settled(req.input.bucket, Setting::OwnershipControls)
            .await?;
        let Some(ownership) = stored else {
            return Err(not_found(
                "OwnershipControlsNotFoundError",
                "The bucket ownership controls were not found",
            ));
        };
        let rules = vec![OwnershipControlsRule {
            object_ownership: ObjectOwnership::from(ownership),
        }];
        answer(GetBucketOwnershipControlsOutput {
            ownership_controls: Some(OwnershipControls { rules }),
        })
    }

    async fn put_bucket_ownership_controls(
        &self,
        req: S3Request<PutBucketOwnershipControlsInput>,
    ) -> Answer<PutBucketOwnershipControlsOutput> {
        let rule = req.input.ownership_controls.rules.first();
        let ownership = rule.map(|rule| rule.object_ownership.as_str().to_owned());
        self.settle(req.input.bucket, Setting::OwnershipControls, ownership)
            .await?;
        answer(PutBucketOwnershipControlsOutput::default())
    }

    async fn delete_bucket_ownership_controls(
        &self,
        req: S3Request<DeleteBucketOwnershipControlsInput>,
    ) -> Answer<DeleteBucketOwnershipControlsOutput> {
        self.settle(req.input.bucket, Setting::OwnershipControls, None)
            .await?;
        answer(DeleteBucketOwnershipControlsOutput::default())
    }

    async fn get_bucket_acl(
        &self,
        req: S3Request<GetBucketAclInput>,
    ) -> Answer<GetBucketAclOutput> {
        let account = self.owner_of(req.input.bucket).await?;
        answer(GetBucketAclOutput {
            grants: Some(owner_grants(&account)),
            owner: Some(owner(&account)),
        })
    }

    async fn put_bucket_acl(
        &self,
        req: S3Request<PutBucketAclInput>,
    ) -> Answer<PutBucketAclOutput> {
        self.owner_of(req.input.bucket).await?;
        check_acl(req.input.acl.as_ref().map(BucketCannedACL::as_str))?;
        answer(PutBucketAclOutput::default())
    }

    async fn get_object_acl(
        &self,
        req: S3Request<GetObjectAclInput>,
    ) -> Answer<GetObjectAclOutput> {
        let input = req.input;
        let account = self
            .run(move |store| {
                store.object(&input.bucket, &input.key)?;
                Ok(store.bucket(&input.bucket)?.owner)
            })
            .await?;
        answer(GetObjectAclOutput {
            grants: Some(owner_grants(&account)),
            owner: Some(owner(&account)),
            ..Default::default()
        })
    }

    async fn get_object_tagging(
        &self,
        req: S3Request<GetObjectTaggingInput>,
    ) -> Answer<GetObjectTaggingOutput> {
        let input = req.input;
        let record = self
            .run(move |store| store.object(&input.bucket, &input.key))
            .await?;
        let tag_set = tag_set(record.attributes.tags);
        answer(GetObjectTaggingOutput {
            tag_set,
            version_id: None,
        })
    }

    async fn put_object_tagging(
        &self,
        req: S3Request<PutObjectTaggingInput>,
    ) -> Answer<PutObjectTaggingOutput> {
        let input = req.input;
        let tags = tag_map(input.tagging.tag_set, 10)?;
        self.run(move |store| {
            store.change_attributes(&input.bucket, &input.key, |r| r.attributes.tags = tags)
        })
        .await?;
        answer(PutObjectTaggingOutput::default())
    }

    async fn delete_object_tagging(
        &self,
        req: S3Request<DeleteObjectTaggingInput>,
    ) -> Answer<DeleteObjectTaggingOutput> {
        let input = req.input;
        self.run(move |store| {
            store.change_attributes(&input.bucket, &input.key, |r| r.attributes.tags.clear())
        })
        .await?;
        answer(DeleteObjectTaggingOutput::default())
    }

    async fn get_bucket_versioning(
        &self,
        req: S3Request<GetBucketVersioningInput>,
    ) -> Answer<GetBucketVersioningOutput> {
        self.owner_of(req.input.bucket).await?;
        answer(GetBucketVersioningOutput::default())
    }

    async fn get_bucket_accelerate_configuration(
        &self,
        req: S3Request<GetBucketAccelerateConfigurationInput>,
    ) -> Answer<GetBucketAccelerateConfigurationOutput> {
        self.owner_of(req.input.bucket).await?;
        answer(GetBucketAccelerateConfigurationOutput::default())
    }

    async fn get_bucket_request_payment(
        &self,
        req: S3Request<GetBucketRequestPaymentInput>,
    ) -> Answer<GetBucketRequestPaymentOutput> {
        self.owner_of(req.input.bucket).await?;
        let payer = Some(Payer::from_static(Payer::BUCKET_OWNER));
        answer(GetBucketRequestPaymentOutput { payer })
    }

    async fn get_bucket_logging(
        &self,
        req: S3Request<GetBucketLoggingInput>,
    ) -> Answer<GetBucketLoggingOutput> {
        self.owner_of(req.input.bucket).await?;
        answer(GetBucketLoggingOutput::default())
    }

    async fn get_bucket_notification_configuration(
        &self,
        req: S3Request<GetBucketNotificationConfigurationInput>,
    ) -> Answer<GetBucketNotificationConfigurationOutput> {
        self.owner_of(req.input.bucket).await?;
        answer(GetBucketNotificationConfigurationOutput::default())
    }

    async fn get_bucket_encryption(
        &self,
        req: S3Request<GetBucketEncryptionInput>,
    ) -> Answer<GetBucketEncryptionOutput> {
        self.owner_of(req.input.bucket).await?;
        let rule = ServerSideEncryptionRule {
            apply_server_side_encryption_by_default: Some(ServerSideEncryptionByDefault {
                kms_master_key_id: None,
                sse_algorithm: ServerSideEncryption::from_static("AES256"),
            }),
            bucket_key_enabled: Some(false),
        };
        answer(GetBucketEncryptionOutput {
            server_side_encryption_configuration: Some(ServerSideEncryptionConfiguration {
                rules: vec![rule],
            }),
        })
    }

    async fn get_bucket_cors(
        &self,
        req: S3Request<GetBucketCorsInput>,
    ) -> Answer<GetBucketCorsOutput> {
        let absent = s3_error!(
            NoSuchCORSConfiguration,
            "The CORS configuration does not exist"
        );
        self.never_set(req.input.bucket, absent).await
    }

    async fn get_bucket_website(
        &self,
        req: S3Request<GetBucketWebsiteInput>,
    ) -> Answer<GetBucketWebsiteOutput> {
        let absent = s3_error!(
            NoSuchWebsiteConfiguration,
            "The specified bucket does not have a website configuration"
        );
        self.never_set(req.input.bucket, absent).await
    }

    async fn get_bucket_lifecycle_configuration(
        &self,
        req: S3Request<GetBucketLifecycleConfigurationInput>,
    ) -> Answer<GetBucketLifecycleConfigurationOutput> {
        let absent = s3_error!(
            NoSuchLifecycleConfiguration,
            "The lifecycle configuration does not exist"
        );
        self.never_set(req.input.bucket, absent).await
    }

    async fn get_bucket_replication(
        &self,
        req: S3Request<GetBucketReplicationInput>,
    ) -> Answer<GetBucketReplicationOutput> {
        let absent = s3_error!(
            ReplicationConfigurationNotFoundError,
            "The replication configuration was not found"
        );
        self.never_set(req.input.bucket, absent).await
    }

    async fn get_object_lock_configuration(
        &self,
        req: S3Request<GetObjectLockConfigurationInput>,
    ) -> Answer<GetObjectLockConfigurationOutput> {
        let absent = s3_error!(
            ObjectLockConfigurationNotFoundError,
            "Object Lock configuration does not exist for this bucket"
        );
        self.never_set(req.input.bucket, absent).await
    }
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

impl S3 {
    async fn list_page(
        &self,
        bucket: String,
        prefix: Option<String>,
        delimiter: Option<String>,
        after: String,
        limit: usize,
    ) -> S3Result<(Vec<Listed>, bool)> {
        self.run(move |store| {
            let query = ListQuery {
                prefix: prefix.as_deref().unwrap_or_default(),
                delimiter: delimiter.as_deref().unwrap_or_default(),
                after: &after,
                limit,
            };
            store.list_objects(&bucket, &query)
        })
        .await
    }

    /// Refuses other accounts than the owner of an existing bucket, and owners that are not the
    /// expected one.
    pub(crate) fn authorize(
        &self,
        bucket: &str,
        account: &str,
        expected_owner: Option<&str>,
    ) -> S3Result<()> {
        match self.bucket(bucket)? {
            Some(info) if info.owner != account => Err(access_denied()),
            Some(info) if expected_owner.is_some_and(|expected| expected != info.owner) => {
                Err(access_denied())
            }
            _ => Ok(()),
        }
    }
}
