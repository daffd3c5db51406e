//! Logs that AWS itself delivers: what a bucket's policy says of them.

use policy::{Caller, Context, Denial, Document, Policies, Reason, Request};
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
        let put = Put {
            principal: PRINCIPAL,
            bucket,
            key,
            account,
            source_arn: &format!("arn:aws:logs:{region}:{account}:*"),
        };
        match put.decide(&document, &info.owner) {
            Err(denial) if denial.reason == Reason::Implicit && is_own => Ok(()),
            decided => decided.map_err(|denial| put.refused(&denial)),
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
        let put = Put {
            principal: "cloudtrail.amazonaws.com",
            bucket,
            key,
            account,
            source_arn: trail_arn,
        };
        put.decide(&document, &info.owner)
            .map_err(|denial| put.refused(&denial))
    }
}

/// An object that a service of AWS wants to put for an account.
struct Put<'a> {
    principal: &'a str,
    bucket: &'a str,
    key: &'a str,
    account: &'a str,
    source_arn: &'a str,
}

impl Put<'_> {
    fn decide(&self, document: &Document, owner: &str) -> Result<(), Denial> {
        let caller = Caller::Service(self.principal.to_owned());
        let mut context = Context::default();
        caller.describe(&mut context);
        facts::describe_time(&mut context, now());
        context.put("aws:SecureTransport", "true");
        context.put("aws:SourceAccount", self.account);
        context.put("aws:SourceArn", self.source_arn);
        context.put("aws:ResourceAccount", owner);
        context.put("s3:ResourceAccount", owner);
        context.put("s3:x-amz-acl", "bucket-owner-full-control");
        let request = Request {
            caller: &caller,
            canonical_user_id: None,
            action: "s3:PutObject",
            resource: &format!("arn:aws:s3:::{}/{}", self.bucket, self.key),
            context: &context,
        };
        let policies = Policies {
            endpoint: None,
            resource: Some(document),
            owner,
        };
        policy::decide(&request, &policies).map(|_| ())
    }

    fn refused(&self, denial: &Denial) -> S3Error {
        tracing::debug!(bucket = self.bucket, key = self.key, %denial, "a delivery is denied");
        access_denied()
    }
}
