//! Firehose's part of the daemon: calls, and the deliveries that become due.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::{Entropy as _, Scope};
use services::firehose::{
    Call, Delivery, Due, Entrance, Firehose, FirehoseError, HttpRequest, Object, Outcome, judge,
};
use services::s3::{PutOptions, S3};
use tokio::sync::Semaphore;

use crate::clock::{self, SystemEntropy};
use crate::daemon::Daemon;
use crate::destinations::logs_scope;
use crate::http_client::HttpClient;
use crate::respond::{self, Answer};

/// Bytes of records that are under way at a time; a batch has 132 MiB at most.
const BYTES_MAX: u32 = 256 << 20;
/// Batches that are under way at a time.
const BATCHES_MAX: usize = 64;
/// What cannot be noted now is noted a little later.
const RETRY: Duration = Duration::from_secs(1);
/// The longest time without a look; only a clock that was set back makes a difference.
const LOOK: Duration = Duration::from_secs(60);

/// Randomness for the embedded Firehose.
pub(crate) fn random() -> u128 {
    SystemEntropy.next_u128()
}

impl Daemon {
    /// Answers a call of Firehose.
    pub(crate) async fn firehose(
        &self,
        scope: Scope,
        entrance: Entrance,
        operation: &str,
        body: Bytes,
        request_id: &str,
    ) -> Answer {
        let (firehose, operation) = (self.firehose.clone(), operation.to_owned());
        respond::embedded("Firehose", request_id, move || {
            firehose.call(&Call {
                scope: &logs_scope(scope),
                operation: &operation,
                body: &body,
                now: clock::milliseconds(),
                entrance,
            })
        })
        .await
    }
}

/// Delivers what becomes due, until the daemon ends.
pub(crate) async fn run(firehose: Arc<Firehose>, s3: S3) {
    let couriers = Arc::new(Couriers {
        firehose,
        s3,
        client: HttpClient::default(),
        batches: Arc::new(Semaphore::new(BATCHES_MAX)),
        bytes: Arc::new(Semaphore::new(BYTES_MAX as usize)),
    });
    loop {
        // Asked for first: what changes from here on is not missed.
        let changed = couriers.firehose.changed();
        let asked = couriers
            .blocking(|firehose| firehose.due(clock::milliseconds()))
            .await;
        let pause = match asked {
            Ok((due, next)) => {
                for due in due {
                    tokio::spawn(couriers.clone().deliver(due));
                }
                next.map_or(LOOK, |next| until(next).min(LOOK))
            }
            // It was logged where it happened.
            Err(_) => RETRY,
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = changed => {}
        }
    }
}

fn until(time: i64) -> Duration {
    Duration::from_millis(
        u64::try_from(time.saturating_sub(clock::milliseconds())).unwrap_or_default(),
    )
}

/// What brings batches to where they go.
struct Couriers {
    firehose: Arc<Firehose>,
    s3: S3,
    client: HttpClient,
    batches: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

impl Couriers {
    async fn deliver(self: Arc<Self>, due: Due) {
        let bytes = u32::try_from(due.bytes).unwrap_or(BYTES_MAX);
        let batch = self.batches.acquire().await;
        let bytes = self.bytes.acquire_many(bytes.clamp(1, BYTES_MAX)).await;
        let due = Arc::new(due);
        let outcome = match self.delivery(&due).await {
            Ok(Delivery::Nothing) => Outcome::Delivered,
            Ok(Delivery::Object(object)) => self.put(object).await,
            Ok(Delivery::Request(request)) => self.send(request).await,
            Err(error) => Outcome::Failed {
                code: "InternalFailure".to_owned(),
                message: error.to_string(),
                permanent: false,
            },
        };
        drop((batch, bytes));
        loop {
            let (due, outcome) = (due.clone(), outcome.clone());
            let settle =
                move |firehose: &Firehose| firehose.settle(&due, &outcome, clock::milliseconds());
            if self.blocking(settle).await.is_ok() {
                return;
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn delivery(&self, due: &Arc<Due>) -> Result<Delivery, FirehoseError> {
        let due = due.clone();
        self.blocking(move |firehose| firehose.delivery(&due)).await
    }

    async fn put(&self, object: Object) -> Outcome {
        let s3 = self.s3.clone();
        let put = tokio::task::spawn_blocking(move || {
            let Object {
                bucket,
                key,
                body,
                is_gzip,
                role_arn,
            } = object;
            s3.check_role(&bucket, &key, &role_arn)?;
            let options = PutOptions {
                content_type: Some("application/octet-stream".to_owned()),
                content_encoding: is_gzip.then(|| "gzip".to_owned()),
                ..PutOptions::default()
            };
            s3.put_object(&bucket, &key, &body, options)
        });
        let failed = |code: &str, message: String| Outcome::Failed {
            code: format!("S3.{code}"),
            message,
            permanent: false,
        };
        match put.await {
            Ok(Ok(())) => Outcome::Delivered,
            Ok(Err(error)) => {
                let message = error.message().unwrap_or_default().to_owned();
                failed(error.code().as_str(), message)
            }
            Err(error) => failed("InternalError", error.to_string()),
        }
    }

    async fn send(&self, request: HttpRequest) -> Outcome {
        let id = request.request_id.clone();
        judge(&id, &self.client.post(request).await)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Firehose) -> Result<T, FirehoseError> + Send + 'static,
    ) -> Result<T, FirehoseError> {
        let firehose = self.firehose.clone();
        let done = tokio::task::spawn_blocking(move || work(&firehose)).await;
        done.unwrap_or(Err(FirehoseError::InternalFailure))
    }
}
