//! Lifecycle rules: kept as they were put, with an id for each rule that has none ("PutBucketLifecycleConfiguration").
//! Nothing expires.

use std::collections::BTreeSet;

use s3s::dto::*;
use s3s::{S3Request, S3Result, s3_error};

use super::configuration::malformed;
use super::{Answer, answer};
use crate::s3::S3;
use crate::s3::blob::unique_id;
use crate::s3::bucket::Setting;

/// What is kept: the rules, and the size below which objects stay where they are.
type Kept = (LifecycleRules, Option<String>);

const RULES_MAX: usize = 1000;

/// The answer to those that say nothing about small objects.
const DEFAULT_MINIMUM: &str = "all_storage_classes_128K";

pub(super) async fn get_bucket_lifecycle_configuration(
    s3: &S3,
    req: S3Request<GetBucketLifecycleConfigurationInput>,
) -> Answer<GetBucketLifecycleConfigurationOutput> {
    let kept: Option<Kept> = s3.kept(req.input.bucket, Setting::Lifecycle).await?;
    let (rules, minimum) = kept.ok_or_else(|| {
        s3_error!(
            NoSuchLifecycleConfiguration,
            "The lifecycle configuration does not exist"
        )
    })?;
    answer(GetBucketLifecycleConfigurationOutput {
        rules: Some(rules),
        transition_default_minimum_object_size: Some(minimum_of(minimum)),
    })
}

pub(super) async fn put_bucket_lifecycle_configuration(
    s3: &S3,
    req: S3Request<PutBucketLifecycleConfigurationInput>,
) -> Answer<PutBucketLifecycleConfigurationOutput> {
    let configuration = req.input.lifecycle_configuration.ok_or_else(malformed)?;
    let mut rules = configuration.rules;
    check(&rules)?;
    for rule in &mut rules {
        rule.id.get_or_insert_with(unique_id);
    }
    let minimum = req.input.transition_default_minimum_object_size;
    let minimum = minimum.map(|minimum| minimum.as_str().to_owned());
    let kept: Kept = (rules, minimum.clone());
    s3.keep(req.input.bucket, Setting::Lifecycle, Some(&kept))
        .await?;
    answer(PutBucketLifecycleConfigurationOutput {
        transition_default_minimum_object_size: Some(minimum_of(minimum)),
    })
}

fn minimum_of(minimum: Option<String>) -> TransitionDefaultMinimumObjectSize {
    TransitionDefaultMinimumObjectSize::from(minimum.unwrap_or_else(|| DEFAULT_MINIMUM.to_owned()))
}

fn check(rules: &[LifecycleRule]) -> S3Result<()> {
    if rules.is_empty() || rules.len() > RULES_MAX {
        return Err(malformed());
    }
    let mut ids = BTreeSet::new();
    for rule in rules {
        if !["Enabled", "Disabled"].contains(&rule.status.as_str()) {
            return Err(malformed());
        }
        if let Some(id) = &rule.id {
            if id.chars().count() > 255 {
                return Err(s3_error!(
                    InvalidArgument,
                    "ID length should not exceed allowed limit of 255"
                ));
            }
            if !ids.insert(id) {
                return Err(s3_error!(
                    InvalidArgument,
                    "Rule ID must be unique. Found same ID for more than one rule"
                ));
            }
        }
        let acts = rule.expiration.is_some()
            || rule.transitions.is_some()
            || rule.noncurrent_version_expiration.is_some()
            || rule.noncurrent_version_transitions.is_some()
            || rule.abort_incomplete_multipart_upload.is_some();
        if !acts {
            return Err(s3_error!(
                InvalidRequest,
                "At least one action needs to be specified in a rule"
            ));
        }
        if rule.filter.is_some() && rule.prefix.is_some() {
            return Err(malformed());
        }
        let days = rule
            .expiration
            .as_ref()
            .and_then(|expiration| expiration.days);
        if days.is_some_and(|days| days <= 0) {
            return Err(s3_error!(
                InvalidArgument,
                "'Days' for Expiration action must be a positive integer"
            ));
        }
    }
    Ok(())
}
