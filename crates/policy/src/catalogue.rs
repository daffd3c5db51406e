//! What can be said of a bucket: S3's actions, the resources that they are for and the condition keys that they have
//! ("Actions, resources, and condition keys for Amazon S3").

use crate::Error;
use crate::condition::Condition;
use crate::pattern::Pattern;

/// What a statement of a bucket's policy says, to be checked against what S3 has.
pub(crate) struct Claim<'a> {
    pub(crate) bucket: &'a str,
    pub(crate) actions: &'a [Pattern],
    /// Whether the statement is about these actions and not about all others.
    pub(crate) only_actions: bool,
    pub(crate) action_texts: &'a [&'a str],
    pub(crate) resources: &'a [Pattern],
    /// Whether the statement is about these resources and not about all others.
    pub(crate) only_resources: bool,
    pub(crate) resource_texts: &'a [&'a str],
    pub(crate) conditions: &'a [Condition],
}

/// Whether an action is one on the bucket or one on its objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Bucket,
    Object,
}

/// Refuses what PutBucketPolicy refuses.
pub(crate) fn check(claim: &Claim<'_>) -> Result<(), Error> {
    let (bucket, objects) = reached(claim)?;
    let mut named = Vec::new();
    let mut all_apply = true;
    for (pattern, text) in claim.actions.iter().zip(claim.action_texts) {
        let matched: Vec<_> = actions()
            .filter(|(action, _)| *text == "*" || matches(pattern, action))
            .collect();
        if matched.is_empty() {
            return Err(Error::Action);
        }
        all_apply &= matched.iter().any(|(_, level)| match level {
            Level::Bucket => bucket,
            Level::Object => objects,
        });
        named.extend(matched);
    }
    if !claim.only_actions {
        named = actions().filter(|a| !named.contains(a)).collect();
    }
    for condition in claim.conditions {
        check_key(&condition.key, &named)?;
    }
    if claim.only_actions && claim.only_resources && !all_apply {
        return Err(Error::ActionWithoutResource);
    }
    Ok(())
}

/// Whether the resources can be the bucket, and its objects.
fn reached(claim: &Claim<'_>) -> Result<(bool, bool), Error> {
    let arn = format!("arn:aws:s3:::{}", claim.bucket);
    let inside = format!("{arn}/");
    let (mut bucket, mut objects) = (false, false);
    for (pattern, text) in claim.resources.iter().zip(claim.resource_texts) {
        if !text.starts_with("arn:aws:s3:::") {
            return Err(Error::Resource);
        }
        let is_bucket = pattern.reaches(&arn).0;
        let (exactly, longer) = pattern.reaches(&inside);
        if !is_bucket && !exactly && !longer {
            return Err(Error::Resource);
        }
        bucket |= is_bucket;
        objects |= exactly || longer;
    }
    Ok((bucket, objects))
}

fn matches(pattern: &Pattern, action: &str) -> bool {
    pattern.matches_ignoring_case(&format!("s3:{action}"), &crate::Context::default())
}

/// A global key, or one of S3's that at least one of the actions has.
fn check_key(key: &str, named: &[(&str, Level)]) -> Result<(), Error> {
    let key = key.to_ascii_lowercase();
    if key
        .strip_prefix("aws:")
        .is_some_and(|name| !name.is_empty())
    {
        return Ok(());
    }
    let name = key.strip_prefix("s3:").ok_or(Error::ConditionKey)?;
    if COMMON_KEYS.contains(&name) {
        return Ok(());
    }
    let found = KEYS
        .iter()
        .find(|(known, _)| match known.strip_suffix('/') {
            Some(family) => name
                .strip_prefix(family)
                .and_then(|rest| rest.strip_prefix('/'))
                .is_some_and(|tag| !tag.is_empty()),
            None => name == *known,
        });
    let (_, actions) = found.ok_or(Error::ConditionKey)?;
    let mut actions = actions.split_whitespace();
    if actions.any(|action| named.iter().any(|(name, _)| *name == action)) {
        Ok(())
    } else {
        Err(Error::ConditionWithoutAction)
    }
}

fn actions() -> impl Iterator<Item = (&'static str, Level)> {
    let bucket = BUCKET_ACTIONS.split_whitespace();
    let object = OBJECT_ACTIONS.split_whitespace();
    bucket
        .map(|action| (action, Level::Bucket))
        .chain(object.map(|action| (action, Level::Object)))
}

/// Keys that requests of every action may have.
const COMMON_KEYS: [&str; 10] = [
    "accessgrantsinstancearn",
    "accesspointnetworkorigin",
    "authtype",
    "dataaccesspointaccount",
    "dataaccesspointarn",
    "resourceaccount",
    "signatureage",
    "signatureversion",
    "tlsversion",
    "x-amz-content-sha256",
];

const BUCKET_ACTIONS: &str = "\
    CreateBucket CreateBucketMetadataTableConfiguration DeleteBucket \
    DeleteBucketMetadataTableConfiguration DeleteBucketPolicy DeleteBucketWebsite \
    GetAccelerateConfiguration GetAnalyticsConfiguration GetBucketAcl GetBucketCORS \
    GetBucketLocation GetBucketLogging GetBucketMetadataTableConfiguration GetBucketNotification \
    GetBucketObjectLockConfiguration GetBucketOwnershipControls GetBucketPolicy \
    GetBucketPolicyStatus GetBucketPublicAccessBlock GetBucketRequestPayment GetBucketTagging \
    GetBucketVersioning GetBucketWebsite GetEncryptionConfiguration \
    GetIntelligentTieringConfiguration GetInventoryConfiguration GetLifecycleConfiguration \
    GetMetricsConfiguration GetReplicationConfiguration ListBucket ListBucketMultipartUploads \
    ListBucketVersions PauseReplication PutAccelerateConfiguration PutAnalyticsConfiguration \
    PutBucketAcl PutBucketCORS PutBucketLogging PutBucketNotification \
    PutBucketObjectLockConfiguration PutBucketOwnershipControls PutBucketPolicy \
    PutBucketPublicAccessBlock PutBucketRequestPayment PutBucketTagging PutBucketVersioning \
    PutBucketWebsite PutEncryptionConfiguration PutIntelligentTieringConfiguration \
    PutInventoryConfiguration PutLifecycleConfiguration PutMetricsConfiguration \
    PutReplicationConfiguration";

const OBJECT_ACTIONS: &str = "\
    AbortMultipartUpload BypassGovernanceRetention DeleteObject DeleteObjectTagging \
    DeleteObjectVersion DeleteObjectVersionTagging GetObject GetObjectAcl GetObjectAttributes \
    GetObjectLegalHold GetObjectRetention GetObjectTagging GetObjectTorrent GetObjectVersion \
    GetObjectVersionAcl GetObjectVersionAttributes GetObjectVersionForReplication \
    GetObjectVersionTagging GetObjectVersionTorrent InitiateReplication ListMultipartUploadParts \
    ObjectOwnerOverrideToBucketOwner PutObject PutObjectAcl PutObjectLegalHold PutObjectRetention \
    PutObjectTagging PutObjectVersionAcl PutObjectVersionTagging ReplicateDelete ReplicateObject \
    ReplicateTags RestoreObject";

const KEYS: [(&str, &str); 32] = [
    ("delimiter", "ListBucket ListBucketVersions"),
    ("destinationregion", "PauseReplication"),
    (
        "existingobjecttag/",
        "DeleteObjectTagging DeleteObjectVersionTagging GetObject GetObjectAcl GetObjectAttributes GetObjectTagging GetObjectVersion GetObjectVersionAcl GetObjectVersionAttributes GetObjectVersionTagging PutObjectAcl PutObjectTagging PutObjectVersionAcl PutObjectVersionTagging",
    ),
    ("if-match", "GetObject PutObject"),
    ("if-none-match", "GetObject PutObject"),
    (
        "inventoryaccessibleoptionalfields",
        "PutInventoryConfiguration",
    ),
    ("isreplicationpauserequest", "PutReplicationConfiguration"),
    ("locationconstraint", "CreateBucket"),
    ("max-keys", "ListBucket ListBucketVersions"),
    (
        "object-lock-legal-hold",
        "BypassGovernanceRetention PutObject PutObjectLegalHold",
    ),
    (
        "object-lock-mode",
        "BypassGovernanceRetention PutObject PutObjectRetention",
    ),
    (
        "object-lock-remaining-retention-days",
        "BypassGovernanceRetention PutObject PutObjectRetention",
    ),
    (
        "object-lock-retain-until-date",
        "BypassGovernanceRetention PutObject PutObjectRetention",
    ),
    ("objectcreationoperation", "PutObject"),
    ("prefix", "ListBucket ListBucketVersions"),
    (
        "requestobjecttag/",
        "BypassGovernanceRetention PutObject PutObjectTagging PutObjectVersionTagging",
    ),
    (
        "requestobjecttagkeys",
        "BypassGovernanceRetention PutObject PutObjectTagging PutObjectVersionTagging",
    ),
    (
        "versionid",
        "DeleteObjectVersion DeleteObjectVersionTagging GetObjectVersion GetObjectVersionAcl GetObjectVersionAttributes GetObjectVersionTagging GetObjectVersionTorrent PutObjectVersionAcl PutObjectVersionTagging",
    ),
    (
        "x-amz-acl",
        "BypassGovernanceRetention CreateBucket PutBucketAcl PutObject PutObjectAcl PutObjectVersionAcl",
    ),
    ("x-amz-copy-source", "BypassGovernanceRetention PutObject"),
    (
        "x-amz-grant-full-control",
        "BypassGovernanceRetention CreateBucket PutBucketAcl PutObject PutObjectAcl PutObjectVersionAcl",
    ),
    (
        "x-amz-grant-read",
        "BypassGovernanceRetention CreateBucket PutBucketAcl PutObject PutObjectAcl PutObjectVersionAcl",
    ),
    (
        "x-amz-grant-read-acp",
        "BypassGovernanceRetention CreateBucket PutBucketAcl PutObject PutObjectAcl PutObjectVersionAcl",
    ),
    (
        "x-amz-grant-write",
        "BypassGovernanceRetention CreateBucket PutBucketAcl PutObject PutObjectAcl PutObjectVersionAcl",
    ),
    (
        "x-amz-grant-write-acp",
        "BypassGovernanceRetention CreateBucket PutBucketAcl PutObject PutObjectAcl PutObjectVersionAcl",
    ),
    (
        "x-amz-metadata-directive",
        "BypassGovernanceRetention PutObject",
    ),
    ("x-amz-object-ownership", "CreateBucket"),
    (
        "x-amz-server-side-encryption",
        "BypassGovernanceRetention PutObject ReplicateObject",
    ),
    (
        "x-amz-server-side-encryption-aws-kms-key-id",
        "BypassGovernanceRetention PutObject ReplicateObject",
    ),
    (
        "x-amz-server-side-encryption-customer-algorithm",
        "BypassGovernanceRetention PutObject ReplicateObject",
    ),
    (
        "x-amz-storage-class",
        "BypassGovernanceRetention PutObject PutObjectAcl PutObjectVersionAcl",
    ),
    (
        "x-amz-website-redirect-location",
        "BypassGovernanceRetention PutObject",
    ),
];
