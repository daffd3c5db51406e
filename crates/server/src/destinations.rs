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
    foreign_s3: Option<&Arc<Remote>>,
    logs: &Arc<Logs>,
    streams: Arc<dyn StreamStore>,
) -> anyhow::Result<Destinations> {
    let object_store: Arc<dyn ObjectStore> = match foreign_s3 {
        Some(remote) => remote.clone(),
        None => Arc::new(EmbeddedS3(s3.clone())),
    };
    let log_store: Arc<dyn LogStore> =
        match remote("CloudWatch Logs", config.logs_endpoint.as_ref())? {
            Some(remote) => Arc::new(remote),
            None => Arc::new(EmbeddedLogs(logs.clone())),
        };
    Ok(Destinations {
        firehose: Arc::new(FirehoseSink::new(streams)),
        s3: Arc::new(S3Sink::new(object_store)),
        cloudwatch_logs: Arc::new(CloudWatchLogsSink::new(log_store)),
    })
}

/// The S3 elsewhere that files of flow logs go to, if they do.
///
/// # Errors
///
/// If its endpoint cannot be used.
pub(crate) fn foreign_s3(config: &Config) -> anyhow::Result<Option<Arc<Remote>>> {
    Ok(remote("S3", config.s3_endpoint.as_ref())?.map(Arc::new))
}

/// The Firehose whose streams flow logs go to.
///
/// # Errors
///
/// If its endpoint cannot be used.
pub(crate) fn streams(
    config: &Config,
    firehose: &Arc<Firehose>,
) -> anyhow::Result<Arc<dyn StreamStore>> {
    Ok(
        match remote("Firehose", config.firehose_endpoint.as_ref())? {
            Some(remote) => Arc::new(remote),
            None => Arc::new(EmbeddedFirehose(firehose.clone())),
        },
    )
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
            let answer = logs.call(&logs_scope(scope), operation, &body, clock::milliseconds());
            Ok(LogAnswer {
                status: answer.status,
                body: answer.body,
            })
        })
    }
}

struct EmbeddedFirehose(Arc<Firehose>);

impl StreamStore for EmbeddedFirehose {
    fn call(
        &self,
        scope: Scope,
        operation: &'static str,
        body: Vec<u8>,
    ) -> BoxFuture<'_, Result<LogAnswer, SinkError>> {
        let firehose = self.0.clone();
        blocking(move || {
            let answer = firehose.call(&Call {
                scope: &logs_scope(scope),
                operation,
                body: &body,
                now: clock::milliseconds(),
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use hyper_util::rt::TokioIo;

    use super::*;
    use crate::keyring::{Keyring, S3Keys};

    /// The embedded S3 on a port; the folder of its state goes with the test.
    async fn serve(s3: &S3, state: &std::path::Path) -> String {
        let keyring = Arc::new(Keyring::open(state, "123456789012".parse().unwrap()).unwrap());
        let endpoint = Arc::new(s3.service(S3Keys(keyring), Vec::new()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let endpoint = endpoint.clone();
                let service = hyper::service::service_fn(move |request| {
                    let endpoint = endpoint.clone();
                    async move {
                        let request = http::Request::map(request, s3s::Body::http_body_unsync);
                        Ok::<_, Infallible>(endpoint.call(request).await)
                    }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
        });
        format!("http://{address}")
    }

    #[tokio::test]
    async fn large_files_come_in_parts_to_another_daemons_s3() {
        let state = std::env::temp_dir().join(format!("weir-destinations-{}", std::process::id()));
        std::fs::create_dir_all(&state).unwrap();
        let s3 = S3::open(state.join("s3")).unwrap();
        s3.create_bucket("records", "123456789012", "us-east-1")
            .unwrap();
        let url = serve(&s3, &state).await;
        let (access_key_id, secret_access_key) =
            crate::config::credentials("123456789012".parse().unwrap());
        let endpoint = Endpoint {
            url,
            access_key_id,
            secret_access_key,
            session_token: None,
            ca_bundle: None,
        };
        let remote = remote("S3", Some(&endpoint)).unwrap().unwrap();
        let scope = Scope {
            account: "123456789012".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
        };
        let body: Vec<u8> = (0..9_u32 << 18)
            .flat_map(|n| n.wrapping_mul(0x9e37_79b1).to_le_bytes())
            .collect();
        let object = PutObject {
            bucket: "records".to_owned(),
            key: "AWSLogs/year=2026/a b.gz".to_owned(),
            body: body.into(),
            content_type: "application/octet-stream",
        };
        remote.put_object(scope, object.clone()).await.unwrap();
        let kept = s3.get_object("records", &object.key).unwrap();
        assert_eq!(kept.etag.rsplit('-').next(), Some("2"), "two parts");
        assert!(kept.bytes == object.body, "byte for byte");
        // Once more, as after an answer that got lost.
        remote.put_object(scope, object.clone()).await.unwrap();
        assert_eq!(
            s3.get_object("records", &object.key).unwrap().etag,
            kept.etag
        );
        std::fs::remove_dir_all(state).unwrap();
    }
}
