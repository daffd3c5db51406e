//! Buckets: created, found, listed and deleted.

use s3s::dto::*;
use s3s::{S3Request, s3_error};

use super::{Answer, answer};
use crate::s3::S3;
use crate::s3::access::caller;
use crate::s3::read::timestamp;
use crate::s3::service::region;
use crate::s3::setting::owner;
use crate::s3::transfer::check_acl;

pub(super) async fn list_buckets(
    s3: &S3,
    req: S3Request<ListBucketsInput>,
) -> Answer<ListBucketsOutput> {
    let account = caller(&req)?;
    let limit = usize::try_from(req.input.max_buckets.unwrap_or(10_000)).unwrap_or(10_000);
    let input = req.input;
    let (prefix, who) = (input.prefix.clone(), account.clone());
    let mut found = s3
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

pub(super) async fn create_bucket(
    s3: &S3,
    req: S3Request<CreateBucketInput>,
) -> Answer<CreateBucketOutput> {
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
    let name = bucket.clone();
    s3.run(move |store| store.create_bucket(&bucket, &account, &wanted))
        .await?;
    if req.input.object_lock_enabled_for_bucket == Some(true) {
        s3.enable_object_lock(name).await?;
    }
    answer(CreateBucketOutput { location })
}

pub(super) async fn head_bucket(
    s3: &S3,
    req: S3Request<HeadBucketInput>,
) -> Answer<HeadBucketOutput> {
    let bucket = req.input.bucket;
    let info = s3.run(move |store| store.bucket(&bucket)).await?;
    answer(HeadBucketOutput {
        bucket_region: Some(info.region),
        ..Default::default()
    })
}

pub(super) async fn delete_bucket(
    s3: &S3,
    req: S3Request<DeleteBucketInput>,
) -> Answer<DeleteBucketOutput> {
    s3.run(move |store| store.delete_bucket(&req.input.bucket))
        .await?;
    answer(DeleteBucketOutput::default())
}

pub(super) async fn get_bucket_location(
    s3: &S3,
    req: S3Request<GetBucketLocationInput>,
) -> Answer<GetBucketLocationOutput> {
    let info = s3.run(move |store| store.bucket(&req.input.bucket)).await?;
    let location_constraint =
        (info.region != "us-east-1").then(|| BucketLocationConstraint::from(info.region));
    answer(GetBucketLocationOutput {
        location_constraint,
    })
}
