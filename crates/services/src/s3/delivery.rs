//! Logs that AWS itself delivers: what a bucket's policy says of them.

use policy::{Caller, Context, Policies, Reason, Request};
use s3s::S3Error;

use super::access::access_denied;
use super::store::now;
use super::{S3, facts};

/// The service that delivers logs, as policies name it.
const PRINCIPAL: &str = "delivery.logs.amazonaws.com";

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
        let caller = Caller::Service(PRINCIPAL.to_owned());
        let mut context = Context::default();
        caller.describe(&mut context);
        facts::describe_time(&mut context, now());
        context.put("aws:SecureTransport", "true");
        context.put("aws:SourceAccount", account);
        context.put(
            "aws:SourceArn",
            format!("arn:aws:logs:{region}:{account}:*"),
        );
        context.put("aws:ResourceAccount", &info.owner);
        context.put("s3:ResourceAccount", &info.owner);
        context.put("s3:x-amz-acl", "bucket-owner-full-control");
        let request = Request {
            caller: &caller,
            canonical_user_id: None,
            action: "s3:PutObject",
            resource: &format!("arn:aws:s3:::{bucket}/{key}"),
            context: &context,
        };
        let policies = Policies {
            endpoint: None,
            resource: Some(&document),
            owner: &info.owner,
        };
        match policy::decide(&request, &policies) {
            Ok(_) => Ok(()),
            Err(denial) if denial.reason == Reason::Implicit && is_own => Ok(()),
            Err(denial) => {
                tracing::debug!(bucket, key, %denial, "a delivery is denied");
                Err(access_denied())
            }
        }
    }
}
