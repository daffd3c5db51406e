//! The permission that each operation needs ("Required permissions for Amazon S3 API operations").

use http::Uri;

/// The action of a policy that an operation needs, without `s3:`, by the operation's name. Operations without a line
/// here need the action of their own name.
const ACTIONS: [(&str, &str); 53] = [
    ("CompleteMultipartUpload", "PutObject"),
    ("CopyObject", "PutObject"),
    ("CreateMultipartUpload", "PutObject"),
    (
        "DeleteBucketAnalyticsConfiguration",
        "PutAnalyticsConfiguration",
    ),
    ("DeleteBucketCors", "PutBucketCORS"),
    ("DeleteBucketEncryption", "PutEncryptionConfiguration"),
    (
        "DeleteBucketIntelligentTieringConfiguration",
        "PutIntelligentTieringConfiguration",
    ),
    (
        "DeleteBucketInventoryConfiguration",
        "PutInventoryConfiguration",
    ),
    ("DeleteBucketLifecycle", "PutLifecycleConfiguration"),
    (
        "DeleteBucketMetricsConfiguration",
        "PutMetricsConfiguration",
    ),
    (
        "DeleteBucketOwnershipControls",
        "PutBucketOwnershipControls",
    ),
    ("DeleteBucketReplication", "PutReplicationConfiguration"),
    ("DeleteBucketTagging", "PutBucketTagging"),
    ("DeletePublicAccessBlock", "PutBucketPublicAccessBlock"),
    (
        "GetBucketAccelerateConfiguration",
        "GetAccelerateConfiguration",
    ),
    (
        "GetBucketAnalyticsConfiguration",
        "GetAnalyticsConfiguration",
    ),
    ("GetBucketCors", "GetBucketCORS"),
    ("GetBucketEncryption", "GetEncryptionConfiguration"),
    (
        "GetBucketIntelligentTieringConfiguration",
        "GetIntelligentTieringConfiguration",
    ),
    (
        "GetBucketInventoryConfiguration",
        "GetInventoryConfiguration",
    ),
    (
        "GetBucketLifecycleConfiguration",
        "GetLifecycleConfiguration",
    ),
    ("GetBucketMetricsConfiguration", "GetMetricsConfiguration"),
    (
        "GetBucketNotificationConfiguration",
        "GetBucketNotification",
    ),
    ("GetBucketReplication", "GetReplicationConfiguration"),
    (
        "GetObjectLockConfiguration",
        "GetBucketObjectLockConfiguration",
    ),
    ("GetPublicAccessBlock", "GetBucketPublicAccessBlock"),
    ("HeadBucket", "ListBucket"),
    ("HeadObject", "GetObject"),
    (
        "ListBucketAnalyticsConfigurations",
        "GetAnalyticsConfiguration",
    ),
    (
        "ListBucketIntelligentTieringConfigurations",
        "GetIntelligentTieringConfiguration",
    ),
    (
        "ListBucketInventoryConfigurations",
        "GetInventoryConfiguration",
    ),
    ("ListBucketMetricsConfigurations", "GetMetricsConfiguration"),
    ("ListBuckets", "ListAllMyBuckets"),
    ("ListMultipartUploads", "ListBucketMultipartUploads"),
    ("ListObjectVersions", "ListBucketVersions"),
    ("ListObjects", "ListBucket"),
    ("ListObjectsV2", "ListBucket"),
    ("ListParts", "ListMultipartUploadParts"),
    ("PostObject", "PutObject"),
    (
        "PutBucketAccelerateConfiguration",
        "PutAccelerateConfiguration",
    ),
    (
        "PutBucketAnalyticsConfiguration",
        "PutAnalyticsConfiguration",
    ),
    ("PutBucketCors", "PutBucketCORS"),
    ("PutBucketEncryption", "PutEncryptionConfiguration"),
    (
        "PutBucketIntelligentTieringConfiguration",
        "PutIntelligentTieringConfiguration",
    ),
    (
        "PutBucketInventoryConfiguration",
        "PutInventoryConfiguration",
    ),
    (
        "PutBucketLifecycleConfiguration",
        "PutLifecycleConfiguration",
    ),
    ("PutBucketMetricsConfiguration", "PutMetricsConfiguration"),
    (
        "PutBucketNotificationConfiguration",
        "PutBucketNotification",
    ),
    ("PutBucketReplication", "PutReplicationConfiguration"),
    (
        "PutObjectLockConfiguration",
        "PutBucketObjectLockConfiguration",
    ),
    ("PutPublicAccessBlock", "PutBucketPublicAccessBlock"),
    ("UploadPart", "PutObject"),
    ("UploadPartCopy", "PutObject"),
];

/// Actions that are others when the request names a version of the object.
const OF_VERSIONS: [(&str, &str); 6] = [
    ("DeleteObject", "DeleteObjectVersion"),
    ("DeleteObjectTagging", "DeleteObjectVersionTagging"),
    ("GetObject", "GetObjectVersion"),
    ("GetObjectAcl", "GetObjectVersionAcl"),
    ("GetObjectAttributes", "GetObjectVersionAttributes"),
    ("GetObjectTagging", "GetObjectVersionTagging"),
];

/// The actions that a request needs all of, with `s3:`.
pub(super) fn actions_of(operation: &str, uri: &Uri, tags_object: bool) -> Vec<String> {
    let versioned = |action: &str| {
        let names_version = query_value(uri, "versionId").is_some();
        let of_version = OF_VERSIONS.iter().find(|(plain, _)| *plain == action);
        match of_version.filter(|_| names_version) {
            Some((_, of_version)) => format!("s3:{of_version}"),
            None => format!("s3:{action}"),
        }
    };
    let line = ACTIONS.iter().find(|(name, _)| *name == operation);
    let action = line.map_or(operation, |(_, action)| *action);
    let mut actions = vec![versioned(action)];
    match operation {
        "GetObjectAttributes" => actions.push(versioned("GetObject")),
        "PutObject" | "CopyObject" | "CreateMultipartUpload" if tags_object => {
            actions.push("s3:PutObjectTagging".to_owned());
        }
        _ => {}
    }
    actions
}

/// Parts of buckets and objects that a request can be about instead of the whole ("Actions", Amazon S3 API Reference).
const SUBRESOURCES: [&str; 36] = [
    "abac",
    "accelerate",
    "acl",
    "analytics",
    "attributes",
    "cors",
    "delete",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "location",
    "logging",
    "metadataConfiguration",
    "metadataInventoryTable",
    "metadataJournalTable",
    "metadataTable",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "tagging",
    "torrent",
    "uploads",
    "versioning",
    "versions",
    "website",
];

/// Whether a request for a part is about to be carried out on the whole, because the part does not have its method:
/// `DELETE /bucket?versioning` must not delete the bucket.
pub(super) fn is_not_allowed(operation: &str, uri: &Uri) -> bool {
    let is_of_whole = matches!(
        operation,
        "CreateBucket" | "DeleteBucket" | "PutObject" | "CopyObject" | "DeleteObject"
    );
    let names = uri.query().unwrap_or_default().split('&');
    let mut names = names.map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name));
    is_of_whole && names.any(|name| SUBRESOURCES.contains(&name))
}

/// Operations whose permission depends on what is in the body, so that it can be asked for only once that is read.
pub(super) fn waits_for_body(operation: &str) -> bool {
    matches!(
        operation,
        "CreateBucket" | "DeleteObjects" | "PostObject" | "PutObjectTagging"
    )
}

/// Operations on a bucket's policy, which only the owning account has. Its root user keeps them whatever the policy
/// says ("PutBucketPolicy").
pub(super) fn is_about_policy(action: &str) -> bool {
    matches!(
        action,
        "s3:GetBucketPolicy" | "s3:PutBucketPolicy" | "s3:DeleteBucketPolicy"
    )
}

/// The value of a query parameter, decoded.
pub(super) fn query_value(uri: &Uri, name: &str) -> Option<String> {
    let pairs = uri.query()?.split('&');
    let mut pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    super::read::percent_decode(&value.replace('+', "%20"))
}
