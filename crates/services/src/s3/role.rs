//! Objects that a service puts in the name of a role: what a bucket's policy says of them.

use policy::{Caller, Context, Identity, Policies, Request};
use s3s::S3Error;

use super::access::access_denied;
use super::store::now;
use super::{S3, facts};

impl S3 {
    /// Whether a service may put `key` in the name of a role that it was given: as for any caller, the account's own
    /// buckets are open unless their policy denies it, those of others if theirs allows it.
    ///
    /// # Errors
    ///
    /// NoSuchBucket, or AccessDenied.
    pub fn check_role(&self, bucket: &str, key: &str, role_arn: &str) -> Result<(), S3Error> {
        let info = self.store.bucket(bucket)?;
        let Some(session) = session_of(role_arn) else {
            return Err(access_denied());
        };
        let document = info.document(bucket)?;
        let caller = Caller::Identity(session);
        let mut context = Context::default();
        caller.describe(&mut context);
        facts::describe_time(&mut context, now());
        context.put("aws:SecureTransport", "true");
        context.put("aws:ResourceAccount", &info.owner);
        context.put("s3:ResourceAccount", &info.owner);
        context.put("aws:RequestedRegion", &info.region);
        let request = Request {
            caller: &caller,
            canonical_user_id: None,
            action: "s3:PutObject",
            resource: &format!("arn:aws:s3:::{bucket}/{key}"),
            context: &context,
        };
        let policies = Policies {
            endpoint: None,
            resource: document.as_ref(),
            owner: &info.owner,
            identity: None,
        };
        policy::decide(&request, &policies)
            .map(|_| ())
            .map_err(|denial| {
                tracing::debug!(bucket, key, role_arn, %denial, "a delivery is denied");
                access_denied()
            })
    }
}

/// A session of a role, `arn:aws:iam::<account>:role/<path and name>`, as Firehose has one.
fn session_of(role_arn: &str) -> Option<Identity> {
    let (head, role) = role_arn.split_once(":role/")?;
    let account = head.rsplit(':').next()?;
    let name = role.rsplit('/').next()?;
    let session = "firehose";
    Some(Identity {
        account: account.to_owned(),
        arn: format!("arn:aws:sts::{account}:assumed-role/{name}/{session}"),
        principal_arn: role_arn.to_owned(),
        user_id: format!("AROA:{session}"),
    })
}
