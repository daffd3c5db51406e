//! Creating flow logs: what `control` cannot know of their destinations, because it has no S3 and no Firehose.

use std::sync::Arc;
use std::time::Duration;

use delivery::{Remote, firehose, s3};
use ec2_api::{
    CreateFlowLogsRequest, CreateFlowLogsResponse, UnsuccessfulItem, UnsuccessfulItemError,
};
use model::{Change, LogDestination, Scope};
use services::s3::{LogFolder, S3, Undeliverable};

use crate::daemon::Daemon;
use crate::writer::Failure;

/// How long a call waits for an S3 elsewhere.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where new flow logs deliver to, if that can be asked.
pub(crate) enum Destination {
    /// A bucket of the embedded S3.
    Bucket(LogFolder),
    /// A bucket of another one.
    ForeignBucket(Arc<Remote>, LogFolder),
    /// A stream, of the embedded Firehose or another one: its account and Region, and its name.
    Stream(Scope, String),
}

/// Asks the destination that a call's flow logs would deliver to. One that cannot take their records makes every item of
/// the call unsuccessful ("Troubleshoot VPC Flow Logs"), which is the answer then.
///
/// # Errors
///
/// `Internal`, if the embedded S3 cannot be asked.
pub(crate) async fn check(
    daemon: &Arc<Daemon>,
    scope: Scope,
    request: &CreateFlowLogsRequest,
) -> Result<Result<Option<Destination>, CreateFlowLogsResponse>, Failure> {
    let destination = new_destination(daemon, scope, request);
    let Some(destination) = destination.and_then(|to| asked(daemon, scope, to)) else {
        return Ok(Ok(None));
    };
    let fault = match &destination {
        Destination::Bucket(folder) => {
            let checked = with_s3(daemon, folder, S3::check_new_delivery).await?;
            let fault = checked.err();
            fault
                .map(|fault| bucket_fault(&folder.bucket, &fault))
                .transpose()?
        }
        Destination::ForeignBucket(s3, LogFolder { bucket, key, .. }) => {
            let checked = s3.check_new_delivery(scope, bucket, key, PATIENCE).await;
            checked
                .err()
                .and_then(|fault| foreign_bucket_fault(bucket, &fault))
        }
        Destination::Stream(of, name) => {
            let checked = firehose::check_new_delivery(&*daemon.streams, *of, name).await;
            checked.err().and_then(|fault| stream_fault(name, &fault))
        }
    };
    Ok(match fault {
        None => Ok(Some(destination)),
        Some(message) => Err(unsuccessful(request, &message)),
    })
}

/// Lets the destination of new flow logs take their records. It was checked a moment ago; if that no longer holds,
/// deliveries tell.
pub(crate) async fn allow(daemon: &Arc<Daemon>, to: &Destination) {
    match to {
        Destination::Bucket(folder) => {
            let allowed = with_s3(daemon, folder, S3::allow_delivery).await;
            if !matches!(allowed, Ok(Ok(()))) {
                let bucket = &folder.bucket;
                tracing::warn!(bucket, ?allowed, "the bucket's policy was not added to");
            }
        }
        // Its owner lets the configured keys put objects, or not.
        Destination::ForeignBucket(..) => {}
        Destination::Stream(of, stream) => {
            let tagged = firehose::enable_log_delivery(&*daemon.streams, *of, stream).await;
            if let Err(error) = tagged {
                tracing::warn!(stream, %error, "the delivery stream was not tagged");
            }
        }
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

/// What is asked; nothing of log groups, which come into being with the first record.
fn asked(daemon: &Daemon, scope: Scope, to: LogDestination) -> Option<Destination> {
    match to {
        LogDestination::CloudWatchLogs { .. } => None,
        LogDestination::S3 { .. } => {
            let (bucket, folder) = to.folder(scope)?;
            let folder = LogFolder {
                bucket: bucket.to_owned(),
                key: folder.of_flow_logs(),
                folder: folder.of_account(),
                account: scope.account.to_string(),
                region: scope.region.to_string(),
            };
            Some(match &daemon.foreign_s3 {
                None => Destination::Bucket(folder),
                Some(s3) => Destination::ForeignBucket(s3.clone(), folder),
            })
        }
        LogDestination::Firehose {
            account,
            region,
            stream_name,
            ..
        } => Some(Destination::Stream(Scope { account, region }, stream_name)),
    }
}

async fn with_s3(
    daemon: &Arc<Daemon>,
    folder: &LogFolder,
    work: fn(&S3, &LogFolder) -> Result<(), Undeliverable>,
) -> Result<Result<(), Undeliverable>, Failure> {
    let (s3, folder) = (daemon.s3.clone(), folder.clone());
    let done = tokio::task::spawn_blocking(move || work(&s3, &folder));
    done.await.map_err(|_| Failure::Internal)
}

/// AWS's words for a bucket that cannot take the files.
fn bucket_fault(bucket: &str, fault: &Undeliverable) -> Result<String, Failure> {
    Ok(match fault {
        Undeliverable::NoSuchBucket => does_not_exist(bucket),
        Undeliverable::AccessDenied => access_denied(bucket),
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

/// The same for a bucket of an S3 elsewhere. One that cannot be asked now is no fault of the bucket: deliveries will tell.
fn foreign_bucket_fault(bucket: &str, fault: &s3::Undeliverable) -> Option<String> {
    match fault {
        s3::Undeliverable::NoSuchBucket => Some(does_not_exist(bucket)),
        s3::Undeliverable::AccessDenied => Some(access_denied(bucket)),
        s3::Undeliverable::Unknown(error) => {
            tracing::warn!(bucket, %error, "a bucket could not be asked");
            None
        }
    }
}

/// The same for a stream. A Firehose that cannot be asked is no fault of the stream: its deliveries will tell.
fn stream_fault(stream: &str, fault: &firehose::Undeliverable) -> Option<String> {
    match fault {
        firehose::Undeliverable::NoSuchStream => Some(does_not_exist(stream)),
        firehose::Undeliverable::AccessDenied => Some(access_denied(stream)),
        firehose::Undeliverable::NotReady(status, kind) => {
            tracing::debug!(stream, status, kind, "a stream cannot take logs");
            Some(format!("LogDestination {stream} is undeliverable"))
        }
        firehose::Undeliverable::Unknown(error) => {
            tracing::warn!(stream, %error, "a delivery stream could not be asked");
            None
        }
    }
}

fn does_not_exist(name: &str) -> String {
    format!("LogDestination: {name} does not exist.")
}

fn access_denied(name: &str) -> String {
    format!("Access Denied for LogDestination: {name}. Please check LogDestination permission")
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
