//! Tags of buckets and of objects.

use s3s::dto::*;
use s3s::{S3Request, s3_error};

use super::{Answer, answer};
use crate::s3::S3;
use crate::s3::bucket::Setting;
use crate::s3::setting::{tag_map, tag_set};

pub(super) async fn get_bucket_tagging(
    s3: &S3,
    req: S3Request<GetBucketTaggingInput>,
) -> Answer<GetBucketTaggingOutput> {
    let stored = s3.settled(req.input.bucket, Setting::Tagging).await?;
    let tags = stored.and_then(|text| serde_json::from_str(&text).ok());
    let tags = tags.ok_or_else(|| s3_error!(NoSuchTagSet, "The TagSet does not exist"))?;
    answer(GetBucketTaggingOutput {
        tag_set: tag_set(tags),
    })
}

pub(super) async fn put_bucket_tagging(
    s3: &S3,
    req: S3Request<PutBucketTaggingInput>,
) -> Answer<PutBucketTaggingOutput> {
    let tags = tag_map(req.input.tagging.tag_set, 50)?;
    let text = serde_json::to_string(&tags).ok();
    s3.settle(req.input.bucket, Setting::Tagging, text).await?;
    answer(PutBucketTaggingOutput::default())
}

pub(super) async fn delete_bucket_tagging(
    s3: &S3,
    req: S3Request<DeleteBucketTaggingInput>,
) -> Answer<DeleteBucketTaggingOutput> {
    s3.settle(req.input.bucket, Setting::Tagging, None).await?;
    answer(DeleteBucketTaggingOutput::default())
}

pub(super) async fn get_object_tagging(
    s3: &S3,
    req: S3Request<GetObjectTaggingInput>,
) -> Answer<GetObjectTaggingOutput> {
    let input = req.input;
    let record = s3
        .run(move |store| store.object(&input.bucket, &input.key))
        .await?;
    let tag_set = tag_set(record.attributes.tags);
    answer(GetObjectTaggingOutput {
        tag_set,
        version_id: None,
    })
}

pub(super) async fn put_object_tagging(
    s3: &S3,
    req: S3Request<PutObjectTaggingInput>,
) -> Answer<PutObjectTaggingOutput> {
    let input = req.input;
    let tags = tag_map(input.tagging.tag_set, 10)?;
    s3.run(move |store| {
        store.change_attributes(&input.bucket, &input.key, |r| r.attributes.tags = tags)
    })
    .await?;
    answer(PutObjectTaggingOutput::default())
}

pub(super) async fn delete_object_tagging(
    s3: &S3,
    req: S3Request<DeleteObjectTaggingInput>,
) -> Answer<DeleteObjectTaggingOutput> {
    let input = req.input;
    s3.run(move |store| {
        store.change_attributes(&input.bucket, &input.key, |r| r.attributes.tags.clear())
    })
    .await?;
    answer(DeleteObjectTaggingOutput::default())
}
