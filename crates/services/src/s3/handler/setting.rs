//! Settings of a bucket that decide who may do what.

use policy::{Document, Kind};
use s3s::dto::*;
use s3s::{S3Request, S3Result, s3_error};

use super::configuration::one_of;
use super::{Answer, answer};
use crate::s3::S3;
use crate::s3::access::access_denied;
use crate::s3::bucket::Setting;
use crate::s3::setting::not_found;

pub(super) async fn get_bucket_policy(
    s3: &S3,
    req: S3Request<GetBucketPolicyInput>,
) -> Answer<GetBucketPolicyOutput> {
    let policy = s3.policy_of(req.input.bucket).await?;
    answer(GetBucketPolicyOutput {
        policy: Some(policy),
    })
}

pub(super) async fn get_bucket_policy_status(
    s3: &S3,
    req: S3Request<GetBucketPolicyStatusInput>,
) -> Answer<GetBucketPolicyStatusOutput> {
    let bucket = req.input.bucket;
    let policy = s3.policy_of(bucket.clone()).await?;
    let is_public = Document::parse(&policy, Kind::Bucket(&bucket)).map(|d| d.is_public());
    answer(GetBucketPolicyStatusOutput {
        policy_status: Some(PolicyStatus {
            is_public: is_public.ok(),
        }),
    })
}

pub(super) async fn put_bucket_policy(
    s3: &S3,
    req: S3Request<PutBucketPolicyInput>,
) -> Answer<PutBucketPolicyOutput> {
    let PutBucketPolicyInput { bucket, policy, .. } = req.input;
    let document = Document::parse(&policy, Kind::Bucket(&bucket))
        .map_err(|error| s3_error!(MalformedPolicy, "{error}"))?;
    let (name, is_public) = (bucket.clone(), document.is_public());
    let blocks = s3.clone();
    s3.run(
        move |_| match blocks.public_access_block(&name)?.block_public_policy {
            Some(true) if is_public => Err(access_denied()),
            _ => Ok(()),
        },
    )
    .await?;
    s3.settle(bucket, Setting::Policy, Some(policy)).await?;
    answer(PutBucketPolicyOutput::default())
}

pub(super) async fn delete_bucket_policy(
    s3: &S3,
    req: S3Request<DeleteBucketPolicyInput>,
) -> Answer<DeleteBucketPolicyOutput> {
    s3.settle(req.input.bucket, Setting::Policy, None).await?;
    answer(DeleteBucketPolicyOutput::default())
}

pub(super) async fn get_public_access_block(
    s3: &S3,
    req: S3Request<GetPublicAccessBlockInput>,
) -> Answer<GetPublicAccessBlockOutput> {
    let stored = s3
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

pub(super) async fn put_public_access_block(
    s3: &S3,
    req: S3Request<PutPublicAccessBlockInput>,
) -> Answer<PutPublicAccessBlockOutput> {
    let text = serde_json::to_string(&req.input.public_access_block_configuration).ok();
    s3.settle(req.input.bucket, Setting::PublicAccessBlock, text)
        .await?;
    answer(PutPublicAccessBlockOutput::default())
}

pub(super) async fn delete_public_access_block(
    s3: &S3,
    req: S3Request<DeletePublicAccessBlockInput>,
) -> Answer<DeletePublicAccessBlockOutput> {
    s3.settle(req.input.bucket, Setting::PublicAccessBlock, None)
        .await?;
    answer(DeletePublicAccessBlockOutput::default())
}

pub(super) async fn get_bucket_ownership_controls(
    s3: &S3,
    req: S3Request<GetBucketOwnershipControlsInput>,
) -> Answer<GetBucketOwnershipControlsOutput> {
    let stored = s3
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

pub(super) async fn put_bucket_ownership_controls(
    s3: &S3,
    req: S3Request<PutBucketOwnershipControlsInput>,
) -> Answer<PutBucketOwnershipControlsOutput> {
    let rule = req.input.ownership_controls.rules.first();
    if let Some(rule) = rule {
        let words = [
            "BucketOwnerPreferred",
            "ObjectWriter",
            "BucketOwnerEnforced",
        ];
        one_of(rule.object_ownership.as_str(), &words)?;
    }
    let ownership = rule.map(|rule| rule.object_ownership.as_str().to_owned());
    s3.settle(req.input.bucket, Setting::OwnershipControls, ownership)
        .await?;
    answer(PutBucketOwnershipControlsOutput::default())
}

pub(super) async fn delete_bucket_ownership_controls(
    s3: &S3,
    req: S3Request<DeleteBucketOwnershipControlsInput>,
) -> Answer<DeleteBucketOwnershipControlsOutput> {
    s3.settle(req.input.bucket, Setting::OwnershipControls, None)
        .await?;
    answer(DeleteBucketOwnershipControlsOutput::default())
}

impl S3 {
    pub(in crate::s3) async fn settle(
        &self,
        bucket: String,
        setting: Setting,
        value: Option<String>,
    ) -> S3Result<()> {
        self.run(move |store| store.set_setting(&bucket, setting, value.as_deref()))
            .await
    }

    pub(super) async fn settled(
        &self,
        bucket: String,
        setting: Setting,
    ) -> S3Result<Option<String>> {
        self.run(move |store| store.setting(&bucket, setting)).await
    }

    pub(super) async fn owner_of(&self, bucket: String) -> S3Result<String> {
        Ok(self.run(move |store| store.bucket(&bucket)).await?.owner)
    }

    async fn policy_of(&self, bucket: String) -> S3Result<String> {
        let policy = self.settled(bucket, Setting::Policy).await?;
        policy.ok_or_else(|| s3_error!(NoSuchBucketPolicy, "The bucket policy does not exist"))
    }
}
