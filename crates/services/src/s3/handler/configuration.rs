//! Configurations that a bucket keeps as they were put and Weir does not act on, with AWS's defaults and AWS's answers
//! for what was never set.

use s3s::dto::*;
use s3s::{S3Error, S3Request, S3Result, s3_error};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Answer, answer};
use crate::s3::S3;
use crate::s3::bucket::Setting;
use crate::s3::setting::not_found;

pub(super) async fn get_bucket_versioning(
    s3: &S3,
    req: S3Request<GetBucketVersioningInput>,
) -> Answer<GetBucketVersioningOutput> {
    let status = s3.kept(req.input.bucket, Setting::Versioning).await?;
    answer(GetBucketVersioningOutput {
        status,
        mfa_delete: None,
    })
}

/// Once enabled, it can be suspended and never goes away ("PutBucketVersioning").
pub(super) async fn put_bucket_versioning(
    s3: &S3,
    req: S3Request<PutBucketVersioningInput>,
) -> Answer<PutBucketVersioningOutput> {
    let VersioningConfiguration { status, mfa_delete } = req.input.versioning_configuration;
    let status = status.ok_or_else(|| {
        s3_error!(
            IllegalVersioningConfigurationException,
            "The Versioning element must be specified"
        )
    })?;
    one_of(status.as_str(), &["Enabled", "Suspended"])?;
    if mfa_delete.is_some_and(|mfa| mfa.as_str() == MFADelete::ENABLED) {
        return Err(s3_error!(
            AccessDenied,
            "Mfa Authentication must be used for this request"
        ));
    }
    s3.keep(req.input.bucket, Setting::Versioning, Some(&status))
        .await?;
    answer(PutBucketVersioningOutput::default())
}

/// Objects are encrypted with S3's own keys unless something else is said ("Default encryption FAQ").
pub(super) async fn get_bucket_encryption(
    s3: &S3,
    req: S3Request<GetBucketEncryptionInput>,
) -> Answer<GetBucketEncryptionOutput> {
    let kept = s3.kept(req.input.bucket, Setting::Encryption).await?;
    let default = || ServerSideEncryptionConfiguration {
        rules: vec![ServerSideEncryptionRule {
            apply_server_side_encryption_by_default: Some(ServerSideEncryptionByDefault {
                kms_master_key_id: None,
                sse_algorithm: ServerSideEncryption::from_static("AES256"),
            }),
            bucket_key_enabled: Some(false),
        }],
    };
    answer(GetBucketEncryptionOutput {
        server_side_encryption_configuration: Some(kept.unwrap_or_else(default)),
    })
}

pub(super) async fn put_bucket_encryption(
    s3: &S3,
    req: S3Request<PutBucketEncryptionInput>,
) -> Answer<PutBucketEncryptionOutput> {
    let mut configuration = req.input.server_side_encryption_configuration;
    let [rule] = configuration.rules.as_mut_slice() else {
        return Err(malformed());
    };
    let algorithms = ["AES256", "aws:kms", "aws:kms:dsse"];
    if let Some(default) = &rule.apply_server_side_encryption_by_default {
        let algorithm = default.sse_algorithm.as_str();
        one_of(algorithm, &algorithms)?;
        if default.kms_master_key_id.is_some() && algorithm == "AES256" {
            return Err(s3_error!(
                InvalidArgument,
                "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse"
            ));
        }
    }
    rule.bucket_key_enabled.get_or_insert(false);
    s3.keep(req.input.bucket, Setting::Encryption, Some(&configuration))
        .await?;
    answer(PutBucketEncryptionOutput::default())
}

pub(super) async fn get_bucket_logging(
    s3: &S3,
    req: S3Request<GetBucketLoggingInput>,
) -> Answer<GetBucketLoggingOutput> {
    let kept: Option<(String, String)> = s3.kept(req.input.bucket, Setting::Logging).await?;
    let logging_enabled = kept.map(|(target_bucket, target_prefix)| LoggingEnabled {
        target_bucket,
        target_prefix,
        target_grants: None,
        target_object_key_format: None,
    });
    answer(GetBucketLoggingOutput { logging_enabled })
}

pub(super) async fn put_bucket_logging(
    s3: &S3,
    req: S3Request<PutBucketLoggingInput>,
) -> Answer<PutBucketLoggingOutput> {
    let logging = req.input.bucket_logging_status.logging_enabled;
    if let Some(logging) = &logging {
        if logging.target_grants.is_some() || logging.target_object_key_format.is_some() {
            return Err(s3_error!(
                InvalidRequest,
                "TargetGrants and TargetObjectKeyFormat are not supported."
            ));
        }
        s3.owner_of(logging.target_bucket.clone())
            .await
            .map_err(|_| {
                s3_error!(
                    InvalidTargetBucketForLogging,
                    "The target bucket for logging does not exist"
                )
            })?;
    }
    let kept = logging.map(|logging| (logging.target_bucket, logging.target_prefix));
    s3.keep(req.input.bucket, Setting::Logging, kept.as_ref())
        .await?;
    answer(PutBucketLoggingOutput::default())
}

pub(super) async fn get_bucket_accelerate_configuration(
    s3: &S3,
    req: S3Request<GetBucketAccelerateConfigurationInput>,
) -> Answer<GetBucketAccelerateConfigurationOutput> {
    let status = s3.kept(req.input.bucket, Setting::Accelerate).await?;
    answer(GetBucketAccelerateConfigurationOutput {
        status,
        request_charged: None,
    })
}

pub(super) async fn put_bucket_accelerate_configuration(
    s3: &S3,
    req: S3Request<PutBucketAccelerateConfigurationInput>,
) -> Answer<PutBucketAccelerateConfigurationOutput> {
    let status = req.input.accelerate_configuration.status;
    let status = status.ok_or_else(malformed)?;
    one_of(status.as_str(), &["Enabled", "Suspended"])?;
    s3.keep(req.input.bucket, Setting::Accelerate, Some(&status))
        .await?;
    answer(PutBucketAccelerateConfigurationOutput::default())
}

pub(super) async fn get_bucket_request_payment(
    s3: &S3,
    req: S3Request<GetBucketRequestPaymentInput>,
) -> Answer<GetBucketRequestPaymentOutput> {
    let kept = s3.kept(req.input.bucket, Setting::RequestPayment).await?;
    let payer = kept.unwrap_or(Payer::from_static(Payer::BUCKET_OWNER));
    answer(GetBucketRequestPaymentOutput { payer: Some(payer) })
}

pub(super) async fn put_bucket_request_payment(
    s3: &S3,
    req: S3Request<PutBucketRequestPaymentInput>,
) -> Answer<PutBucketRequestPaymentOutput> {
    let payer = req.input.request_payment_configuration.payer;
    one_of(payer.as_str(), &["BucketOwner", "Requester"])?;
    s3.keep(req.input.bucket, Setting::RequestPayment, Some(&payer))
        .await?;
    answer(PutBucketRequestPaymentOutput::default())
}

/// An empty configuration turns notifications off.
pub(super) async fn get_bucket_notification_configuration(
    s3: &S3,
    req: S3Request<GetBucketNotificationConfigurationInput>,
) -> Answer<GetBucketNotificationConfigurationOutput> {
    let kept = s3.kept(req.input.bucket, Setting::Notification).await?;
    let NotificationConfiguration {
        event_bridge_configuration,
        lambda_function_configurations,
        queue_configurations,
        topic_configurations,
    } = kept.unwrap_or_default();
    answer(GetBucketNotificationConfigurationOutput {
        event_bridge_configuration,
        lambda_function_configurations,
        queue_configurations,
        topic_configurations,
    })
}

pub(super) async fn put_bucket_notification_configuration(
    s3: &S3,
    req: S3Request<PutBucketNotificationConfigurationInput>,
) -> Answer<PutBucketNotificationConfigurationOutput> {
    let configuration = req.input.notification_configuration;
    s3.keep(
        req.input.bucket,
        Setting::Notification,
        Some(&configuration),
    )
    .await?;
    answer(PutBucketNotificationConfigurationOutput::default())
}

pub(super) async fn get_bucket_cors(
    s3: &S3,
    req: S3Request<GetBucketCorsInput>,
) -> Answer<GetBucketCorsOutput> {
    let kept: Option<CORSConfiguration> = s3.kept(req.input.bucket, Setting::Cors).await?;
    let kept = kept.ok_or_else(|| {
        s3_error!(
            NoSuchCORSConfiguration,
            "The CORS configuration does not exist"
        )
    })?;
    answer(GetBucketCorsOutput {
        cors_rules: Some(kept.cors_rules),
    })
}

pub(super) async fn put_bucket_cors(
    s3: &S3,
    req: S3Request<PutBucketCorsInput>,
) -> Answer<PutBucketCorsOutput> {
    let configuration = req.input.cors_configuration;
    if configuration.cors_rules.is_empty() || configuration.cors_rules.len() > 100 {
        return Err(malformed());
    }
    s3.keep(req.input.bucket, Setting::Cors, Some(&configuration))
        .await?;
    answer(PutBucketCorsOutput::default())
}

pub(super) async fn get_bucket_website(
    s3: &S3,
    req: S3Request<GetBucketWebsiteInput>,
) -> Answer<GetBucketWebsiteOutput> {
    let kept: Option<WebsiteConfiguration> = s3.kept(req.input.bucket, Setting::Website).await?;
    let kept = kept.ok_or_else(|| {
        s3_error!(
            NoSuchWebsiteConfiguration,
            "The specified bucket does not have a website configuration"
        )
    })?;
    answer(GetBucketWebsiteOutput {
        error_document: kept.error_document,
        index_document: kept.index_document,
        redirect_all_requests_to: kept.redirect_all_requests_to,
        routing_rules: kept.routing_rules,
    })
}

pub(super) async fn put_bucket_website(
    s3: &S3,
    req: S3Request<PutBucketWebsiteInput>,
) -> Answer<PutBucketWebsiteOutput> {
    let configuration = req.input.website_configuration;
    if configuration.index_document.is_none() && configuration.redirect_all_requests_to.is_none() {
        return Err(s3_error!(
            InvalidArgument,
            "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty"
        ));
    }
    s3.keep(req.input.bucket, Setting::Website, Some(&configuration))
        .await?;
    answer(PutBucketWebsiteOutput::default())
}

pub(super) async fn get_bucket_replication(
    s3: &S3,
    req: S3Request<GetBucketReplicationInput>,
) -> Answer<GetBucketReplicationOutput> {
    let kept = s3.kept(req.input.bucket, Setting::Replication).await?;
    let kept = kept.ok_or_else(|| {
        s3_error!(
            ReplicationConfigurationNotFoundError,
            "The replication configuration was not found"
        )
    })?;
    answer(GetBucketReplicationOutput {
        replication_configuration: Some(kept),
    })
}

pub(super) async fn put_bucket_replication(
    s3: &S3,
    req: S3Request<PutBucketReplicationInput>,
) -> Answer<PutBucketReplicationOutput> {
    let bucket = req.input.bucket;
    if !s3.has_versioning(bucket.clone()).await? {
        return Err(s3_error!(
            InvalidRequest,
            "Versioning must be 'Enabled' on the bucket to apply a replication configuration"
        ));
    }
    let configuration = req.input.replication_configuration;
    for rule in &configuration.rules {
        one_of(rule.status.as_str(), STATUSES)?;
        let markers = rule.delete_marker_replication.as_ref();
        if let Some(status) = markers.and_then(|markers| markers.status.as_ref()) {
            one_of(status.as_str(), STATUSES)?;
        }
    }
    s3.keep(bucket, Setting::Replication, Some(&configuration))
        .await?;
    answer(PutBucketReplicationOutput::default())
}

pub(super) async fn get_object_lock_configuration(
    s3: &S3,
    req: S3Request<GetObjectLockConfigurationInput>,
) -> Answer<GetObjectLockConfigurationOutput> {
    let kept = s3.kept(req.input.bucket, Setting::ObjectLock).await?;
    let kept = kept.ok_or_else(|| {
        s3_error!(
            ObjectLockConfigurationNotFoundError,
            "Object Lock configuration does not exist for this bucket"
        )
    })?;
    answer(GetObjectLockConfigurationOutput {
        object_lock_configuration: Some(kept),
    })
}

/// Only for buckets that keep versions ("PutObjectLockConfiguration").
pub(super) async fn put_object_lock_configuration(
    s3: &S3,
    req: S3Request<PutObjectLockConfigurationInput>,
) -> Answer<PutObjectLockConfigurationOutput> {
    let configuration = req.input.object_lock_configuration.ok_or_else(malformed)?;
    if let Some(enabled) = &configuration.object_lock_enabled {
        one_of(enabled.as_str(), &[ObjectLockEnabled::ENABLED])?;
    }
    let bucket = req.input.bucket;
    if !s3.has_versioning(bucket.clone()).await? {
        return Err(s3_error!(
            InvalidBucketState,
            "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration"
        ));
    }
    s3.keep(bucket, Setting::ObjectLock, Some(&configuration))
        .await?;
    answer(PutObjectLockConfigurationOutput::default())
}

/// Takes configurations away, each by its own operation.
macro_rules! removals {
    ($($operation:ident($input:ident) -> $output:ident: $setting:ident;)*) => {
        $(
            pub(super) async fn $operation(s3: &S3, req: S3Request<$input>) -> Answer<$output> {
                s3.settle(req.input.bucket, Setting::$setting, None).await?;
                answer($output::default())
            }
        )*
    };
}

removals! {
    delete_bucket_encryption(DeleteBucketEncryptionInput) -> DeleteBucketEncryptionOutput: Encryption;
    delete_bucket_cors(DeleteBucketCorsInput) -> DeleteBucketCorsOutput: Cors;
    delete_bucket_website(DeleteBucketWebsiteInput) -> DeleteBucketWebsiteOutput: Website;
    delete_bucket_replication(DeleteBucketReplicationInput) -> DeleteBucketReplicationOutput: Replication;
    delete_bucket_lifecycle(DeleteBucketLifecycleInput) -> DeleteBucketLifecycleOutput: Lifecycle;
}

impl S3 {
    /// Turns on what a bucket has to be created with.
    pub(super) async fn enable_object_lock(&self, bucket: String) -> S3Result<()> {
        let enabled = ObjectLockConfiguration {
            object_lock_enabled: Some(ObjectLockEnabled::from_static(ObjectLockEnabled::ENABLED)),
            rule: None,
        };
        let versioning = BucketVersioningStatus::from_static(BucketVersioningStatus::ENABLED);
        self.keep(bucket.clone(), Setting::Versioning, Some(&versioning))
            .await?;
        self.keep(bucket, Setting::ObjectLock, Some(&enabled)).await
    }

    async fn has_versioning(&self, bucket: String) -> S3Result<bool> {
        let status: Option<BucketVersioningStatus> = self.kept(bucket, Setting::Versioning).await?;
        Ok(status.is_some_and(|status| status.as_str() == BucketVersioningStatus::ENABLED))
    }

    /// Keeps a configuration, or takes it away.
    pub(super) async fn keep<T: Serialize>(
        &self,
        bucket: String,
        setting: Setting,
        value: Option<&T>,
    ) -> S3Result<()> {
        let text = value.map(serde_json::to_string).transpose();
        let text = text.map_err(S3Error::internal_error)?;
        self.settle(bucket, setting, text).await
    }

    /// Changes configurations that are kept together, in one step.
    pub(super) async fn edit<T: Default + Serialize + DeserializeOwned + 'static>(
        &self,
        bucket: String,
        setting: Setting,
        change: impl FnOnce(&mut T) -> S3Result<()> + Send + 'static,
    ) -> S3Result<()> {
        let edit = move |text: Option<String>| {
            let kept = text.map(|text| serde_json::from_str(&text)).transpose();
            let mut kept: T = kept.map_err(S3Error::internal_error)?.unwrap_or_default();
            change(&mut kept)?;
            serde_json::to_string(&kept).map_err(S3Error::internal_error)
        };
        self.run(move |store| store.edit_setting(&bucket, setting, edit))
            .await
    }

    /// A configuration as it was kept.
    pub(super) async fn kept<T: DeserializeOwned>(
        &self,
        bucket: String,
        setting: Setting,
    ) -> S3Result<Option<T>> {
        let text = self.settled(bucket, setting).await?;
        let value = text.map(|text| serde_json::from_str(&text)).transpose();
        value.map_err(S3Error::internal_error)
    }
}

pub(super) fn malformed() -> S3Error {
    s3_error!(
        MalformedXML,
        "The XML you provided was not well-formed or did not validate against our published schema"
    )
}

/// Words for what can be switched off.
pub(super) const STATUSES: &[&str] = &["Enabled", "Disabled"];

/// Refuses a word that AWS's schema does not know.
pub(super) fn one_of(word: &str, words: &[&str]) -> S3Result<()> {
    words.contains(&word).then_some(()).ok_or_else(malformed)
}

/// A 404 for a configuration of a name that is not there.
pub(super) fn no_such_configuration() -> S3Error {
    not_found(
        "NoSuchConfiguration",
        "The specified configuration does not exist.",
    )
}
