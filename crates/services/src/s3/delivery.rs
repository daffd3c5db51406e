//! Logs that AWS itself delivers: what a bucket's policy says of them.

use policy::{Caller, Context, Document, Policies, Reason, Request};
use s3s::S3Error;

use super::access::access_denied;
use super::store::now;
use super::{S3, facts};

/// The service that delivers logs, as policies name it.
pub(super) const PRINCIPAL: &str = "delivery.logs.amazonaws.com";

impl S3 {
    /// Whether logs of an account in a Region may be put under `key` ("Amazon S3 bucket permissions for flow logs").
    ///
    /// AWS adds what is needed to the policies of the account's own buckets, so there it is enough that nothing
    /// denies it; another account's bucket has to allow it.
    ///
    /// # Errors
    ///
    /// NoSuchBucket, or AccessDenied.
    pub fn check_delivery(
        &self,
        bucket: &str,
        key: &str,
        account: &str,
        region: &str,
    ) -> Result<(), S3Error> {
        let info = self.store.bucket(bucket)?;
        let is_own = info.owner == account;
        let Some(document) = info.document(bucket)? else {
            return if is_own { Ok(()) } else { Err(access_denied()) };
        };
        let source_arn = of_logs(account, region);
        let asked = Asked::put(PRINCIPAL, bucket, key, account, &source_arn);
        match asked.decide(&document, &info.owner) {
            Err(Reason::Implicit) if is_own => Ok(()),
            decided => decided.map_err(|_| access_denied()),
        }
    }

    /// Whether a trail of an account may put files under `key` ("Amazon S3 bucket policy for CloudTrail"): the policy of
    /// the bucket has to say so, whoever owns it.
    ///
    /// # Errors
    ///
    /// NoSuchBucket, or AccessDenied.
    pub fn check_trail(
        &self,
        bucket: &str,
        key: &str,
        account: &str,
        trail_arn: &str,
    ) -> Result<(), S3Error> {
        let info = self.store.bucket(bucket)?;
        let document = info.document(bucket)?.ok_or_else(access_denied)?;
        let asked = Asked::put("cloudtrail.amazonaws.com", bucket, key, account, trail_arn);
        let decided = asked.decide(&document, &info.owner);
        decided.map_err(|_| access_denied())
    }
}

/// What the service that delivers logs acts for, in an account and Region.
pub(super) fn of_logs(account: &str, region: &str) -> String {
    format!("arn:aws:logs:{region}:{account}:*")
}

/// What a service of AWS wants to do for an account.
pub(super) struct Asked<'a> {
    /// The service, as policies name it.
    pub(super) principal: &'a str,
    /// Such as `s3:PutObject`.
    pub(super) action: &'a str,
    /// The ARN of the bucket or object.
    pub(super) resource: String,
    /// The account.
    pub(super) account: &'a str,
    /// What the service acts for.
    pub(super) source_arn: &'a str,
}

impl<'a> Asked<'a> {
    /// An object is to be put.
    pub(super) fn put(
        principal: &'a str,
        bucket: &str,
        key: &str,
        account: &'a str,
        source_arn: &'a str,
    ) -> Self {
        Self {
            principal,
            action: "s3:PutObject",
            resource: format!("arn:aws:s3:::{bucket}/{key}"),
            account,
            source_arn,
        }
    }

    /// What a bucket's policy says of it.
    pub(super) fn decide(&self, document: &Document, owner: &str) -> Result<(), Reason> {
        let caller = Caller::Service(self.principal.to_owned());
        let mut context = Context::default();
        caller.describe(&mut context);
        facts::describe_time(&mut context, now());
        context.put("aws:SecureTransport", "true");
        context.put("aws:SourceAccount", self.account);
        context.put("aws:SourceArn", self.source_arn);
        context.put("aws:ResourceAccount", owner);
        context.put("s3:ResourceAccount", owner);
        if self.action == "s3:PutObject" {
            context.put("s3:x-amz-acl", "bucket-owner-full-control");
        }
        let request = Request {
            caller: &caller,
            canonical_user_id: None,
            action: self.action,
            resource: &self.resource,
            context: &context,
        };
        let policies = Policies {
            endpoint: None,
            resource: Some(document),
            owner,
            identity: None,
        };
        match policy::decide(&request, &policies) {
            Ok(_) => Ok(()),
            Err(denial) => {
                if denial.reason != Reason::Implicit {
                    tracing::debug!(resource = self.resource, %denial, "a delivery is denied");
                }
                Err(denial.reason)
            }
        }
    }
}
