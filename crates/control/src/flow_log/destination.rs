//! Where the records of a flow log go, as CreateFlowLogs is told (Amazon VPC User Guide, "Publish
//! flow logs to CloudWatch Logs", "Publish flow logs to Amazon S3").
//!
//! Whether the destination is there, and may be written, is not known here.

use ec2_api::CreateFlowLogsRequest;
use model::{AccountId, FileFormat, LogDestination};

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
        _ => Err(Error::new(
            "UnsupportedOperation",
            "LogDestinationType kinesis-data-firehose is not supported.",
        )),
    }
}

/// `InvalidParameter`, the code of most refusals of CreateFlowLogs.
pub(super) fn invalid(message: impl Into<String>) -> Error {
    Error::new("InvalidParameter", message)
}

fn cloud_watch_logs(
    tx: &Transaction<'_>,
    request: &CreateFlowLogsRequest,
) -> Result<LogDestination, Error> {
    if request.destination_options.is_some() {
        return Err(invalid(
            "DestinationOptions is not supported when LogDestinationType is cloud-watch-logs",
        ));
    }
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
    if !is_role_arn(role) {
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
    let path = arn
        .strip_prefix("arn:aws:s3:::")
        .ok_or_else(|| invalid(format!("Invalid LogDestination: {arn}")))?;
    let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
    if !is_bucket_name(bucket) {
        return Err(invalid(format!("Invalid LogDestination: {arn}")));
    }
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    if prefix.split('/').any(|part| part == "AWSLogs") {
        return Err(invalid(format!(
            "LogDestination: {arn} is invalid. AWSLogs is a reserved term and cannot be used as a subfolder name."
        )));
    }
    let options = request.destination_options.clone().unwrap_or_default();
    let file_format = options.file_format.as_deref().unwrap_or("plain-text");
    let file_format = parameter::one_of(file_format, "fileFormat", &["plain-text", "parquet"])?;
    if file_format == "parquet" {
        return Err(Error::new(
            "UnsupportedOperation",
            "FileFormat parquet is not supported.",
        ));
    }
    Ok(LogDestination::S3 {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        arn: arn.to_owned(),
        hive_compatible_partitions: options.hive_compatible_partitions == Some(true),
        per_hour_partition: options.per_hour_partition == Some(true),
        file_format: FileFormat::PlainText,
    })
}

fn refuse_cross_account_role(request: &CreateFlowLogsRequest) -> Result<(), Error> {
    match request.deliver_cross_account_role {
        None => Ok(()),
        Some(_) => Err(invalid(
            "DeliverCrossAccountRole is only applicable for kinesis-data-firehose delivery",
        )),
    }
}

/// The group of `arn:aws:logs:<region>:<account>:log-group:<name>`, in the caller's Region.
fn log_group_of<'a>(tx: &Transaction<'_>, arn: &'a str) -> Result<&'a str, Error> {
    let parts: Vec<&str> = arn.splitn(7, ':').collect();
    match parts[..] {
        ["arn", "aws", "logs", region, account, "log-group", name]
            if region == tx.scope().region.name() && account.parse::<AccountId>().is_ok() =>
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

fn is_role_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    matches!(parts[..], ["arn", "aws", "iam", "", account, role]
        if account.parse::<AccountId>().is_ok()
            && role.strip_prefix("role/").is_some_and(|name| !name.is_empty()))
}

fn is_bucket_name(name: &str) -> bool {
    let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-');
    (3..=63).contains(&name.len()) && name.bytes().all(allowed)
}

fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}
