//! Trails: made, changed, started and stopped (AWS CloudTrail API Reference).

use std::collections::BTreeMap;

use model::{AccountId, Region, Scope, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::error::CloudTrailError;
use super::selector::Selectors;
use super::store::{Trail, Trails, arn};
use super::tag::{self, Tag};
use super::{Answer, Call};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct TrailInput {
    name: Option<String>,
    s3_bucket_name: Option<String>,
    s3_key_prefix: Option<String>,
    include_global_service_events: Option<bool>,
    is_multi_region_trail: Option<bool>,
    tags_list: Vec<Tag>,
    enable_log_file_validation: Option<bool>,
    sns_topic_name: Option<String>,
    cloud_watch_logs_log_group_arn: Option<String>,
    cloud_watch_logs_role_arn: Option<String>,
    kms_key_id: Option<String>,
    is_organization_trail: Option<bool>,
}

/// A trail by its name, in the caller's Region, or by its ARN.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct NameInput {
    name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct DescribeTrailsInput {
    trail_name_list: Vec<String>,
    include_shadow_trails: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListTrailsInput {}

const TRAILS_MAX: usize = 5;

impl NameInput {
    pub(super) fn of(name: Option<String>) -> Self {
        Self { name }
    }
}

impl Trails {
    pub(super) fn create_trail(&self, call: &Call<'_>, input: TrailInput) -> Answer {
        refuse_unsupported(&input)?;
        let name = checked_name(input.name.as_deref())?;
        let own = self.all(|trail| trail.scope == call.scope);
        if own.iter().any(|trail| trail.name == name) {
            let account = call.scope.account;
            let message = format!("Trail {name} already exists for customer: {account}");
            return Err(CloudTrailError::new("TrailAlreadyExistsException", message));
        }
        if own.len() >= TRAILS_MAX {
            let account = call.scope.account;
            let message = format!(
                "User: {account} already has {TRAILS_MAX} trails in {}.",
                call.scope.region
            );
            return Err(CloudTrailError::new(
                "MaximumNumberOfTrailsExceededException",
                message,
            ));
        }
        let mut trail = Trail {
            name: name.to_owned(),
            scope: call.scope,
            bucket: String::new(),
            prefix: None,
            include_global_service_events: true,
            is_multi_region: false,
            tags: BTreeMap::new(),
            selectors: Selectors::default(),
            is_logging: false,
            started: None,
            stopped: None,
            latest_delivery: None,
            latest_attempt: None,
            latest_error: None,
            delivered: 0,
            begun: None,
            is_validated: false,
            digests: BTreeMap::new(),
            latest_digest: None,
            latest_digest_error: None,
        };
        if input.s3_bucket_name.is_none() {
            return Err(invalid_bucket(""));
        }
        tag::add(&mut trail, &input.tags_list)?;
        change(&mut trail, input, call)?;
        self.put(&trail)?;
        Ok(settings(&trail))
    }

    pub(super) fn update_trail(&self, call: &Call<'_>, input: TrailInput) -> Answer {
        refuse_unsupported(&input)?;
        let mut trail = self.find_at_home(call, &NameInput::of(input.name.clone()))?;
        change(&mut trail, input, call)?;
        self.put(&trail)?;
        Ok(settings(&trail))
    }

    pub(super) fn delete_trail(&self, call: &Call<'_>, input: &NameInput) -> Answer {
        let trail = self.find_at_home(call, input)?;
        self.delete(&trail)?;
        Ok(json!({}))
    }

    pub(super) fn get_trail(&self, call: &Call<'_>, input: &NameInput) -> Answer {
        let trail = self.find(call, input)?;
        Ok(json!({ "Trail": described(&trail) }))
    }

    pub(super) fn describe_trails(&self, call: &Call<'_>, input: &DescribeTrailsInput) -> Answer {
        let shadows = input.include_shadow_trails.unwrap_or(true);
        let named = &input.trail_name_list;
        let shown = self.all(|trail| {
            let here = trail.scope.region == call.scope.region;
            let visible = here || (shadows && trail.is_multi_region);
            let wanted =
                named.is_empty() || named.contains(&trail.name) || named.contains(&trail.arn());
            trail.scope.account == call.scope.account && visible && wanted
        });
        Ok(json!({ "trailList": shown.iter().map(described).collect::<Vec<_>>() }))
    }

    pub(super) fn list_trails(&self, call: &Call<'_>, _: &ListTrailsInput) -> Answer {
        let own = self.all(|trail| trail.scope.account == call.scope.account);
        let shape = |trail: &Trail| {
            let home = trail.scope.region.name();
            json!({ "TrailARN": trail.arn(), "Name": trail.name, "HomeRegion": home })
        };
        Ok(json!({ "Trails": own.iter().map(shape).collect::<Vec<_>>() }))
    }

    pub(super) fn start_logging(&self, call: &Call<'_>, input: &NameInput) -> Answer {
        let mut trail = self.find_at_home(call, input)?;
        if !trail.is_logging {
            trail.is_logging = true;
            trail.started = Some(call.now);
            // What happened before is not the trail's.
            trail.delivered = call.history.last().map_err(CloudTrailError::history)?;
            trail.begun = None;
            trail.begin_digests(call.now);
        }
        self.put(&trail)?;
        Ok(json!({}))
    }

    pub(super) fn stop_logging(&self, call: &Call<'_>, input: &NameInput) -> Answer {
        let mut trail = self.find_at_home(call, input)?;
        if trail.is_logging {
            // What has happened until now is still the trail's.
            self.deliver_trail(&mut trail, call.now, true, call.history, call.s3);
            trail.is_logging = false;
            trail.stopped = Some(call.now);
        }
        self.put(&trail)?;
        Ok(json!({}))
    }

    pub(super) fn get_trail_status(&self, call: &Call<'_>, input: &NameInput) -> Answer {
        let trail = self.find(call, input)?;
        let mut status = Map::new();
        status.insert("IsLogging".to_owned(), trail.is_logging.into());
        let seconds = |at: Timestamp| Value::from(at.as_secs());
        for (name, at) in [
            ("LatestDeliveryTime", trail.latest_delivery),
            ("StartLoggingTime", trail.started),
            ("StopLoggingTime", trail.stopped),
            ("LatestDigestDeliveryTime", trail.latest_digest),
        ] {
            if let Some(at) = at {
                status.insert(name.to_owned(), seconds(at));
            }
        }
        for (name, at) in [
            ("TimeLoggingStarted", trail.started),
            ("TimeLoggingStopped", trail.stopped),
            ("LatestDeliveryAttemptTime", trail.latest_attempt),
            ("LatestDeliveryAttemptSucceeded", trail.latest_delivery),
        ] {
            let text = at.map_or(String::new(), |at| at.to_string());
            status.insert(name.to_owned(), text.into());
        }
        for (name, error) in [
            ("LatestDeliveryError", &trail.latest_error),
            ("LatestDigestDeliveryError", &trail.latest_digest_error),
        ] {
            if let Some(error) = error {
                status.insert(name.to_owned(), error.as_str().into());
            }
        }
        Ok(status.into())
    }

    /// The trail that a call names, by its name or ARN.
    pub(super) fn find(
        &self,
        call: &Call<'_>,
        input: &NameInput,
    ) -> Result<Trail, CloudTrailError> {
        let given = input.name.as_deref().unwrap_or_default();
        let (scope, name) = match given.starts_with("arn:") {
            true => of_arn(given).ok_or_else(|| {
                let message = format!("{given} is not the ARN of a trail.");
                CloudTrailError::new("CloudTrailARNInvalidException", message)
            })?,
            false => (call.scope, checked_name(Some(given))?),
        };
        let own = scope.account == call.scope.account;
        let mut found = if own { self.get(scope, name) } else { None };
        if found.is_none() && own && scope == call.scope {
            // A trail of all Regions answers in each to its name.
            let shadow =
                |t: &Trail| t.scope.account == scope.account && t.is_multi_region && t.name == name;
            found = self.all(shadow).pop();
        }
        found.ok_or_else(|| {
            let arn = arn(scope, name);
            let message = format!("Unknown trail: {arn} for the user: {}", call.scope.account);
            CloudTrailError::new("TrailNotFoundException", message)
        })
    }

    /// The trail that a call names, which only its home Region may change.
    fn find_at_home(&self, call: &Call<'_>, input: &NameInput) -> Result<Trail, CloudTrailError> {
        let trail = self.find(call, input)?;
        if trail.scope.region != call.scope.region {
            let home = trail.scope.region.name();
            let message = format!("The trail's home Region is {home}; change it there.");
            return Err(CloudTrailError::new("InvalidHomeRegionException", message));
        }
        Ok(trail)
    }
}

/// Takes over what a request says, and checks that the bucket lets the trail write.
fn change(trail: &mut Trail, input: TrailInput, call: &Call<'_>) -> Result<(), CloudTrailError> {
    if let Some(bucket) = input.s3_bucket_name {
        trail.bucket = bucket;
    }
    if let Some(prefix) = input.s3_key_prefix {
        if prefix.len() > 200 || prefix.contains("AWSLogs") {
            let message = format!("The S3 prefix {prefix} is not valid.");
            return Err(CloudTrailError::new("InvalidS3PrefixException", message));
        }
        trail.prefix = Some(prefix).filter(|prefix| !prefix.is_empty());
    }
    if let Some(include) = input.include_global_service_events {
        trail.include_global_service_events = include;
    }
    if let Some(all) = input.is_multi_region_trail {
        trail.is_multi_region = all;
    }
    if let Some(validated) = input.enable_log_file_validation
        && validated != trail.is_validated
    {
        trail.is_validated = validated;
        trail.begin_digests(call.now);
    }
    if trail.is_multi_region && !trail.include_global_service_events {
        let message = "A multi-Region trail must include global service events.";
        return Err(CloudTrailError::new(
            "InvalidParameterCombinationException",
            message,
        ));
    }
    let key = format!("{}CloudTrail/", trail.folder());
    let account = trail.scope.account.to_string();
    call.s3
        .check_trail(&trail.bucket, &key, &account, &trail.arn())
        .map_err(|error| match error.code().as_str() {
            "NoSuchBucket" => CloudTrailError::new(
                "S3BucketDoesNotExistException",
                format!("S3 bucket {} does not exist!", trail.bucket),
            ),
            _ => CloudTrailError::new(
                "InsufficientS3BucketPolicyException",
                format!(
                    "Incorrect S3 bucket policy is detected for bucket: {}",
                    trail.bucket
                ),
            ),
        })
}

/// What trails cannot do here is refused by name.
fn refuse_unsupported(input: &TrailInput) -> Result<(), CloudTrailError> {
    let refuse = |what: &str| {
        let message = format!("{what} is not supported.");
        Err(CloudTrailError::new(
            "UnsupportedOperationException",
            message,
        ))
    };
    if input.is_organization_trail == Some(true) {
        return refuse("IsOrganizationTrail");
    }
    for (name, value) in [
        ("SnsTopicName", &input.sns_topic_name),
        (
            "CloudWatchLogsLogGroupArn",
            &input.cloud_watch_logs_log_group_arn,
        ),
        ("CloudWatchLogsRoleArn", &input.cloud_watch_logs_role_arn),
        ("KmsKeyId", &input.kms_key_id),
    ] {
        if value.as_ref().is_some_and(|value| !value.is_empty()) {
            return refuse(name);
        }
    }
    if let Some(bucket) = &input.s3_bucket_name
        && !(3..=63).contains(&bucket.len())
    {
        return Err(invalid_bucket(bucket));
    }
    Ok(())
}

fn invalid_bucket(bucket: &str) -> CloudTrailError {
    let message = format!("Bucket name is not valid: {bucket}");
    CloudTrailError::new("InvalidS3BucketNameException", message)
}

/// 3 to 128 letters, digits, `.`, `_` and `-`, none of the three twice in a row, at the begin or at the end.
fn checked_name(name: Option<&str>) -> Result<&str, CloudTrailError> {
    let name = name.unwrap_or_default();
    let refuse = |message: &str| CloudTrailError::new("InvalidTrailNameException", message);
    if name.len() < 3 {
        return Err(refuse(
            "Trail name too short. Minimum allowed length: 3 characters.",
        ));
    }
    if name.len() > 128 {
        return Err(refuse(
            "Trail name too long. Maximum allowed length: 128 characters.",
        ));
    }
    let inner = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    let ends = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    if !ends(bytes.first()) {
        return Err(refuse("Trail name must starts with a letter or number."));
    }
    if !ends(bytes.last()) {
        return Err(refuse("Trail name must ends with a letter or number."));
    }
    let doubled = bytes
        .windows(2)
        .any(|pair| pair.iter().all(|b| b"._-".contains(b)));
    let address = name.parse::<std::net::Ipv4Addr>().is_ok();
    if !bytes.iter().all(|b| inner(*b)) || doubled || address {
        return Err(refuse(
            "Trail name or ARN can only contain uppercase letters, lowercase letters, numbers, periods (.), hyphens (-), and underscores (_).",
        ));
    }
    Ok(name)
}

/// `arn:aws:cloudtrail:<region>:<account>:trail/<name>`
fn of_arn(arn: &str) -> Option<(Scope, &str)> {
    let rest = arn.strip_prefix("arn:aws:cloudtrail:")?;
    let (region, rest) = rest.split_once(':')?;
    let (account, resource) = rest.split_once(':')?;
    let scope = Scope {
        account: account.parse::<AccountId>().ok()?,
        region: region.parse::<Region>().ok()?,
    };
    Some((scope, resource.strip_prefix("trail/")?))
}

/// A trail as CreateTrail and UpdateTrail answer it.
fn settings(trail: &Trail) -> Value {
    let mut shown = json!({
        "Name": trail.name,
        "S3BucketName": trail.bucket,
        "IncludeGlobalServiceEvents": trail.include_global_service_events,
        "IsMultiRegionTrail": trail.is_multi_region,
        "TrailARN": trail.arn(),
        "LogFileValidationEnabled": trail.is_validated,
        "IsOrganizationTrail": false,
    });
    if let Some(prefix) = &trail.prefix {
        shown["S3KeyPrefix"] = prefix.as_str().into();
    }
    shown
}

fn described(trail: &Trail) -> Value {
    let mut shown = settings(trail);
    shown["HomeRegion"] = trail.scope.region.name().into();
    shown["HasCustomEventSelectors"] = (!trail.selectors.is_default()).into();
    shown["HasInsightSelectors"] = false.into();
    shown
}
