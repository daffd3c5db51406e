//! Where flow logs are delivered: the embedded S3 and CloudWatch Logs, reached without a network.

use std::sync::Arc;

use delivery::cloudwatch_logs::{LogAnswer, LogStore};
use delivery::s3::{ObjectStore, PutObject};
use delivery::{BoxFuture, CloudWatchLogsSink, Destinations, S3Sink, SinkError};
use model::Scope;
use services::logs::Logs;
use services::s3::{PutOptions, S3};

use crate::clock;

/// The sinks of the embedded services.
pub(crate) fn embedded(s3: &S3, logs: &Arc<Logs>) -> Destinations {
    Destinations {
        s3: Arc::new(S3Sink::new(Arc::new(EmbeddedS3(s3.clone())))),
        cloudwatch_logs: Arc::new(CloudWatchLogsSink::new(Arc::new(EmbeddedLogs(
            logs.clone(),
        )))),
    }
}

/// A scope in the words of the embedded services.
pub(crate) fn logs_scope(scope: Scope) -> services::logs::Scope {
    services::logs::Scope {
        account: scope.account.to_string(),
        region: scope.region.to_string(),
    }
}

struct EmbeddedS3(S3);

impl ObjectStore for EmbeddedS3 {
    fn put_object(&self, scope: Scope, object: PutObject) -> BoxFuture<'_, Result<(), SinkError>> {
        let s3 = self.0.clone();
        blocking(move || {
            let PutObject {
                bucket,
                key,
                body,
                content_type,
            } = object;
            check_owner(&s3, &bucket, scope)?;
            let options = PutOptions {
                content_type: Some(content_type.to_owned()),
                ..PutOptions::default()
            };
            s3.put_object(&bucket, &key, &body, options)
                .map_err(|error| refused(&error))
        })
    }
}

/// Another account's bucket would have to allow the delivery by its policy, which is not evaluated.
fn check_owner(s3: &S3, bucket: &str, scope: Scope) -> Result<(), SinkError> {
    match s3.bucket(bucket).map_err(|error| refused(&error))? {
        None => Err(SinkError::from_code(
            "NoSuchBucket",
            "The specified bucket does not exist",
        )),
        Some(info) if info.owner != scope.account.to_string() => Err(SinkError::from_code(
            "AccessDenied",
            "The bucket belongs to another account",
        )),
        Some(_) => Ok(()),
    }
}

fn refused(error: &s3s::S3Error) -> SinkError {
    SinkError::from_code(error.code().as_str(), error.message().unwrap_or_default())
}

struct EmbeddedLogs(Arc<Logs>);

impl LogStore for EmbeddedLogs {
    fn call(
        &self,
        scope: Scope,
        operation: &'static str,
        body: Vec<u8>,
    ) -> BoxFuture<'_, Result<LogAnswer, SinkError>> {
        let logs = self.0.clone();
        blocking(move || {
            let now = i64::try_from(clock::now().as_millis()).unwrap_or(i64::MAX);
            let answer = logs.call(&logs_scope(scope), operation, &body, now);
            Ok(LogAnswer {
                status: answer.status,
                body: answer.body,
            })
        })
    }
}

fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SinkError> + Send + 'static,
) -> BoxFuture<'static, Result<T, SinkError>> {
    Box::pin(async move {
        let done = tokio::task::spawn_blocking(work).await;
        done.unwrap_or_else(|error| Err(SinkError::unavailable(error.to_string())))
    })
}
