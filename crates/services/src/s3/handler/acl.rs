//! Access control lists: the owner has full control, and nobody else has any.

use s3s::S3Request;
use s3s::dto::*;

use super::{Answer, answer};
use crate::s3::S3;
use crate::s3::setting::{owner, owner_grants};
use crate::s3::transfer::check_acl;

pub(super) async fn get_bucket_acl(
    s3: &S3,
    req: S3Request<GetBucketAclInput>,
) -> Answer<GetBucketAclOutput> {
    let account = s3.owner_of(req.input.bucket).await?;
    answer(GetBucketAclOutput {
        grants: Some(owner_grants(&account)),
        owner: Some(owner(&account)),
    })
}

pub(super) async fn put_bucket_acl(
    s3: &S3,
    req: S3Request<PutBucketAclInput>,
) -> Answer<PutBucketAclOutput> {
    s3.owner_of(req.input.bucket).await?;
    check_acl(req.input.acl.as_ref().map(BucketCannedACL::as_str))?;
    answer(PutBucketAclOutput::default())
}

pub(super) async fn get_object_acl(
    s3: &S3,
    req: S3Request<GetObjectAclInput>,
) -> Answer<GetObjectAclOutput> {
    let input = req.input;
    let account = s3
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
