//! Where the records of a flow log go, as CreateFlowLogs is told (Amazon VPC User Guide, "Publish
//! flow logs to CloudWatch Logs", "Publish flow logs to Amazon S3", "Publish flow logs to Amazon Data
//! Firehose").
//!
//! Whether the destination is there, and may be written, is not known here.

mod firehose;

use ec2_api::CreateFlowLogsRequest;
use model::{AccountId, FileFormat, LogDestination, Scope};

use crate::{Error, Transaction, parameter};

pub(super) fn parse(
    tx: &Transaction<'_>,
    request: &CreateFlowLogsRequest,
) -> Result<LogDestination, Error> {
    let kind = request.log_destination_type.as_deref();
    let kind = parameter::one_of(
        kind.unwrap_or("cloud-watch-logs"),
        "logDestinationType",
        &["cloud-watch-logs", "s3", "kinesis-data-firehose"],
    )?;
    if kind != "cloud-watch-logs" && request.log_group_name.is_some() {
        return Err(invalid(
            "LogDestination type must be cloud-watch-logs if LogGroupName is provided.",
        ));
    }
    match kind {
        "cloud-watch-logs" => cloud_watch_logs(tx, request),
        "s3" => s3(request),
        _ => firehose::parse(tx, request),
    }
}

/// Whether two destinations are one place, however their ARNs were written.
pub(super) fn is_same(one: &LogDestination, other: &LogDestination) -> bool {
    let bare = |destination: &LogDestination| {
        let mut bare = destination.clone();
        match &mut bare {
            LogDestination::CloudWatchLogs { arn, .. } => *arn = None,
            LogDestination::S3 { arn, .. } | LogDestination::Firehose { arn, .. } => arn.clear(),
        }
        bare
    };
    bare(one) == bare(other)
}

/// `InvalidParameter`, the code of most refusals of CreateFlowLogs.
pub(super) fn invalid(message: impl Into<String>) -> Error {
    Error::new("InvalidParameter", message)
}

fn cloud_watch_logs(
    tx: &Transaction<'_>,
    request: &CreateFlowLogsRequest,
) -> Result<LogDestination, Error> {
    refuse_options(request, "cloud-watch-logs")?;
    refuse_cross_account_role(request)?;
    let (log_group_name, arn) = match (
        given(&request.log_group_name),
        given(&request.log_destination),
    ) {
        (None, None) => {
            return Err(invalid(
                "LogDestination can't be empty if LogGroupName is not provided.",
            ));
        }
        (Some(_), Some(_)) => {
            return Err(invalid(
                "Please only provide LogGroupName or only provide LogDestination.",
            ));
        }
        (Some(name), None) => (name, None),
        (None, Some(arn)) => (log_group_of(tx, arn)?, Some(arn.to_owned())),
    };
    // A name that ends in `:*` is taken as it is; its deliveries fail, as in AWS.
    let name = log_group_name.strip_suffix(":*").unwrap_or(log_group_name);
    if !is_log_group_name(name) {
        return Err(invalid(format!("Invalid LogGroupName: {log_group_name}")));
    }
    let Some(role) = given(&request.deliver_logs_permission_arn) else {
        return Err(invalid(
            "DeliverLogsPermissionArn can't be empty if LogDestinationType is cloud-watch-logs.",
        ));
    };
    // The group is in the account of the flow log, and so is the role.
    if role_of(role).is_none_or(|(account, _)| account != tx.scope().account) {
        return Err(invalid("Unable to assume given IAM role"));
    }
    Ok(LogDestination::CloudWatchLogs {
        log_group_name: log_group_name.to_owned(),
        arn,
    })
}

fn s3(request: &CreateFlowLogsRequest) -> Result<LogDestination, Error> {
    if request.deliver_logs_permission_arn.is_some() {
        return Err(invalid(
            "DeliverLogsPermissionArn is not applicable for s3 delivery",
        ));
    }
    refuse_cross_account_role(request)?;
    let Some(arn) = given(&request.log_destination) else {
        return Err(invalid(
            "LogDestination can't be empty if LogDestinationType is s3.",
        ));
    };
    let (bucket, prefix) =
        bucket_and_prefix(arn).ok_or_else(|| invalid(format!("Invalid LogDestination: {arn}")))?;
    if prefix.split('/').any(|part| part == "AWSLogs") {
        return Err(invalid(format!(
            "LogDestination: {arn} is invalid. AWSLogs is a reserved term and cannot be used as a subfolder name."
        )));
    }
    let options = request.destination_options.clone().unwrap_or_default();
    let file_format = match options.file_format.as_deref() {
        None => FileFormat::PlainText,
        Some(name) => match parameter::one_of(name, "fileFormat", &["plain-text", "parquet"])? {
            "parquet" => FileFormat::Parquet,
            _ => FileFormat::PlainText,
        },
    };
    Ok(LogDestination::S3 {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        arn: arn.to_owned(),
        hive_compatible_partitions: options.hive_compatible_partitions == Some(true),
        per_hour_partition: options.per_hour_partition == Some(true),
        file_format,
    })
}

fn refuse_options(request: &CreateFlowLogsRequest, kind: &str) -> Result<(), Error> {
    match request.destination_options {
        None => Ok(()),
        Some(_) => Err(invalid(format!(
            "DestinationOptions is not supported when LogDestinationType is {kind}"
        ))),
    }
}

fn refuse_cross_account_role(request: &CreateFlowLogsRequest) -> Result<(), Error> {
    match request.deliver_cross_account_role {
        None => Ok(()),
        Some(_) => Err(invalid(
            "DeliverCrossAccountRole is only applicable for kinesis-data-firehose delivery",
        )),
    }
}

/// The group of `arn:aws:logs:<region>:<account>:log-group:<name>`, which is the caller's, in the Region of the flow log.
fn log_group_of<'a>(tx: &Transaction<'_>, arn: &'a str) -> Result<&'a str, Error> {
    let Scope { account, region } = tx.scope();
    let parts: Vec<&str> = arn.splitn(7, ':').collect();
    match parts[..] {
        ["arn", "aws", "logs", in_region, of, "log-group", name]
            if in_region == region.name() && of.parse() == Ok(account) =>
        {
            Ok(name)
        }
        _ => Err(invalid(format!("Invalid LogDestination: {arn}"))),
    }
}

fn is_log_group_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._/#-".contains(&b);
    (1..=512).contains(&name.len()) && name.bytes().all(allowed)
}

/// Account and name of a role, without the path that its ARN may have.
fn role_of(arn: &str) -> Option<(AccountId, &str)> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", "aws", "iam", "", account, role] = parts[..] else {
        return None;
    };
    let name = role.strip_prefix("role/")?.rsplit('/').next()?;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b);
    let is_name = (1..=64).contains(&name.len()) && name.bytes().all(allowed);
    Some((account.parse().ok()?, name)).filter(|_| is_name)
}

/// The parts of `arn:aws:s3:::bucket/prefix/`; the prefix has no slash at its end.
pub(super) fn bucket_and_prefix(arn: &str) -> Option<(&str, &str)> {
    let path = arn.strip_prefix("arn:aws:s3:::")?;
    let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    is_bucket_name(bucket).then_some((bucket, prefix))
}

fn is_bucket_name(name: &str) -> bool {
    let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-');
    (3..=63).contains(&name.len()) && name.bytes().all(allowed)
}

fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}
