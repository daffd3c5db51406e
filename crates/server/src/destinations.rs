//! Where flow logs are delivered: the embedded S3, CloudWatch Logs and Firehose, reached without a network, or others
//! that the configuration names.

use std::sync::Arc;

use anyhow::Context;
use delivery::cloudwatch_logs::{LogAnswer, LogStore};
use delivery::firehose::StreamStore;
use delivery::s3::{ObjectStore, PutObject};
use delivery::{
    BoxFuture, CloudWatchLogsSink, Destinations, FirehoseSink, Remote, S3Sink, SinkError,
};
use model::Scope;
use services::firehose::{Call, Entrance, Firehose};
use services::logs::Logs;
use services::s3::{PutOptions, S3};

use crate::clock;
use crate::config::{Config, Endpoint};

/// The sinks that the configuration names; the embedded services' where it names none.
///
/// # Errors
///
/// If an endpoint cannot be used.
pub(crate) fn choose(
    config: &Config,
    s3: &S3,
    logs: &Arc<Logs>,
    firehose: &Arc<Firehose>,
) -> anyhow::Result<Destinations> {
    let object_store: Arc<dyn ObjectStore> = match remote("S3", config.s3_endpoint.as_ref())? {
        Some(remote) => Arc::new(remote),
        None => Arc::new(EmbeddedS3(s3.clone())),
    };
    let log_store: Arc<dyn LogStore> =
        match remote("CloudWatch Logs", config.logs_endpoint.as_ref())? {
            Some(remote) => Arc::new(remote),
            None => Arc::new(EmbeddedLogs(logs.clone())),
        };
    let stream_store: Arc<dyn StreamStore> =
        match remote("Firehose", config.firehose_endpoint.as_ref())? {
            Some(remote) => Arc::new(remote),
            None => Arc::new(EmbeddedFirehose(firehose.clone())),
        };
    Ok(Destinations {
        firehose: Arc::new(FirehoseSink::new(stream_store)),
        s3: Arc::new(S3Sink::new(object_store)),
        cloudwatch_logs: Arc::new(CloudWatchLogsSink::new(log_store)),
    })
}

/// Refuses endpoints that cannot be used.
///
/// # Errors
///
/// Which one, and why.
pub(crate) fn check(config: &Config) -> anyhow::Result<()> {
    remote("S3", config.s3_endpoint.as_ref())?;
    remote("CloudWatch Logs", config.logs_endpoint.as_ref())?;
    remote("Firehose", config.firehose_endpoint.as_ref())?;
    Ok(())
}

fn remote(service: &str, endpoint: Option<&Endpoint>) -> anyhow::Result<Option<Remote>> {
    let Some(endpoint) = endpoint else {
        return Ok(None);
    };
    let credentials = sigv4::Credentials {
        access_key_id: &endpoint.access_key_id,
        secret_access_key: &endpoint.secret_access_key,
        session_token: endpoint.session_token.as_deref(),
    };
    let ca_bundle = endpoint.ca_bundle.as_deref();
    let clock = Arc::new(clock::now);
    let remote = Remote::new(&endpoint.url, None, credentials, ca_bundle, clock)
        .with_context(|| format!("the endpoint of {service} cannot be used"))?;
    Ok(Some(remote))
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
            let (account, region) = (scope.account.to_string(), scope.region.to_string());
            s3.check_delivery(&bucket, &key, &account, &region)
                .map_err(|error| refused(&error))?;
            let options = PutOptions {
                content_type: Some(content_type.to_owned()),
                ..PutOptions::default()
            };
            s3.put_object(&bucket, &key, &body, options)
                .map_err(|error| refused(&error))
        })
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

struct EmbeddedFirehose(Arc<Firehose>);

impl StreamStore for EmbeddedFirehose {
    fn put_record_batch(
        &self,
        scope: Scope,
        body: Vec<u8>,
    ) -> BoxFuture<'_, Result<LogAnswer, SinkError>> {
        let firehose = self.0.clone();
        blocking(move || {
            let answer = firehose.call(&Call {
                scope: &logs_scope(scope),
                operation: "PutRecordBatch",
                body: &body,
                now: i64::try_from(clock::now().as_millis()).unwrap_or(i64::MAX),
                entrance: Entrance::Machine,
            });
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
