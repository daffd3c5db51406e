//! Creating flow logs: what `control` cannot know of their destinations, because it has no S3.

use std::sync::Arc;

use ec2_api::{
    CreateFlowLogsRequest, CreateFlowLogsResponse, UnsuccessfulItem, UnsuccessfulItemError,
};
use model::{Change, LogDestination, Scope};
use services::s3::{LogFolder, Undeliverable};

use crate::daemon::Daemon;
use crate::writer::Failure;

/// Asks the bucket that a call's flow logs would deliver to, if it is here. One that cannot take their files makes every
/// item of the call unsuccessful ("Troubleshoot VPC Flow Logs"), which is the answer then.
///
/// # Errors
///
/// `Internal`, if the bucket cannot be asked.
pub(crate) async fn check(
    daemon: &Arc<Daemon>,
    scope: Scope,
    request: &CreateFlowLogsRequest,
) -> Result<Result<Option<LogFolder>, CreateFlowLogsResponse>, Failure> {
    let folder = new_destination(daemon, scope, request).and_then(|to| log_folder(scope, &to));
    if let Some(folder) = &folder
        && let Err(fault) = on_disk(daemon, folder, Daemon::check_new_delivery).await?
    {
        let message = message(&folder.bucket, &fault)?;
        return Ok(Err(unsuccessful(request, &message)));
    }
    Ok(Ok(folder))
}

/// Lets the bucket of new flow logs take their files. It was checked a moment ago; if that no longer holds, deliveries
/// tell.
pub(crate) async fn allow(daemon: &Arc<Daemon>, folder: &LogFolder) {
    let allowed = on_disk(daemon, folder, Daemon::allow_delivery).await;
    if !matches!(allowed, Ok(Ok(()))) {
        let bucket = &folder.bucket;
        tracing::warn!(bucket, ?allowed, "the bucket's policy was not added to");
    }
}

/// Where the flow logs deliver to that a request would create now; `None` if it would create none, for whatever reason.
fn new_destination(
    daemon: &Daemon,
    scope: Scope,
    request: &CreateFlowLogsRequest,
) -> Option<LogDestination> {
    let request = ec2_api::Request::from(request.clone());
    let changes = daemon.writer.draft(scope, &request).ok()?;
    changes.into_iter().find_map(|(_, change)| match change {
        Change::FlowLog(_, Some(flow_log)) => Some(flow_log.destination),
        _ => None,
    })
}

/// What is asked of the embedded S3, if the destination is there.
fn log_folder(scope: Scope, to: &LogDestination) -> Option<LogFolder> {
    let LogDestination::S3 {
        bucket,
        prefix,
        hive_compatible_partitions,
        ..
    } = to
    else {
        return None;
    };
    let prefix = match prefix.as_str() {
        "" => String::new(),
        prefix => format!("{prefix}/"),
    };
    let Scope { account, region } = scope;
    let (of, below) = match hive_compatible_partitions {
        true => (
            "aws-account-id=",
            format!("aws-service=vpcflowlogs/aws-region={region}"),
        ),
        false => ("", format!("vpcflowlogs/{region}")),
    };
    let folder = format!("{prefix}AWSLogs/{of}{account}");
    Some(LogFolder {
        bucket: bucket.clone(),
        key: format!("{folder}/{below}/"),
        folder,
        account: account.to_string(),
        region: region.to_string(),
    })
}

async fn on_disk(
    daemon: &Arc<Daemon>,
    folder: &LogFolder,
    work: fn(&Daemon, &LogFolder) -> Result<(), Undeliverable>,
) -> Result<Result<(), Undeliverable>, Failure> {
    let (daemon, folder) = (daemon.clone(), folder.clone());
    let done = tokio::task::spawn_blocking(move || work(&daemon, &folder));
    done.await.map_err(|_| Failure::Internal)
}

/// AWS's words for a bucket that cannot take the files.
fn message(bucket: &str, fault: &Undeliverable) -> Result<String, Failure> {
    Ok(match fault {
        Undeliverable::NoSuchBucket => format!("LogDestination: {bucket} does not exist."),
        Undeliverable::AccessDenied => format!(
            "Access Denied for LogDestination: {bucket}. Please check LogDestination permission"
        ),
        Undeliverable::PolicyFull => format!(
            "LogDestinationPermissionIssueException: the policy of bucket {bucket} would exceed 20 KB with the \
             statements that log delivery needs"
        ),
        Undeliverable::Failed(error) => {
            tracing::error!(bucket, %error, "a bucket could not be asked");
            return Err(Failure::Internal);
        }
    })
}

fn unsuccessful(request: &CreateFlowLogsRequest, message: &str) -> CreateFlowLogsResponse {
    let item = |resource_id: &String| UnsuccessfulItem {
        resource_id: Some(resource_id.clone()),
        error: Some(UnsuccessfulItemError {
            code: Some("400".to_owned()),
            message: Some(message.to_owned()),
        }),
    };
    CreateFlowLogsResponse {
        client_token: request.client_token.clone(),
        unsuccessful: request.resource_ids.iter().map(item).collect(),
        ..CreateFlowLogsResponse::default()
    }
}
