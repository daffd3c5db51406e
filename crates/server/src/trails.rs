//! CloudTrail's API and its trails, on top of the journal's events.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::Response;
use http::request::Parts;
use http_body_util::BodyExt;
use model::Scope;
use policy::Origin;
use services::cloudtrail::{Delivered, Trails};
use services::s3::Asked;

use crate::cloudtrail::{Draft, EventHistory};
use crate::daemon::Daemon;
use crate::respond::{self, Answer};
use crate::{auth, clock};

/// Opens what CloudTrail keeps: its trails, and the events in the journal.
pub(crate) fn open(state: &Path) -> anyhow::Result<(Arc<Trails>, Arc<EventHistory>)> {
    let trails = Trails::open(&state.join("cloudtrail.sqlite"))
        .context("the trails of CloudTrail cannot be opened")?;
    let events = store::Events::open(state).context("the events of calls cannot be read")?;
    Ok((Arc::new(trails), Arc::new(EventHistory(events))))
}

/// Has the trails deliver now and then.
pub(crate) async fn run(daemon: Arc<Daemon>) {
    loop {
        tokio::time::sleep(TRAIL_ROUND).await;
        daemon.deliver_trails(false).await;
    }
}

/// How often trails deliver ("How CloudTrail works").
const TRAIL_ROUND: Duration = Duration::from_secs(300);

impl Daemon {
    /// Answers a call of CloudTrail. What was called before is in its answer.
    pub(crate) async fn cloudtrail(
        &self,
        scope: Scope,
        operation: &str,
        body: Bytes,
        request_id: &str,
    ) -> Answer {
        self.writer.write_notes().await;
        let (trails, history, s3) = (self.trails.clone(), self.history.clone(), self.s3.clone());
        let operation = operation.to_owned();
        respond::embedded("CloudTrail", request_id, move || {
            trails.call(scope, &operation, &body, clock::now(), &*history, &s3)
        })
        .await
    }

    /// Delivers what has been called until now to the buckets of the trails; with `digests` the digests of hours that are
    /// not over, too.
    pub(crate) async fn deliver_trails(&self, digests: bool) -> Delivered {
        self.writer.write_notes().await;
        let (trails, history, s3) = (self.trails.clone(), self.history.clone(), self.s3.clone());
        let delivery = tokio::task::spawn_blocking(move || {
            trails.deliver(clock::now(), digests, &*history, &s3)
        });
        delivery.await.unwrap_or_else(|error| {
            tracing::error!(%error, "the trails were not delivered");
            Delivered::default()
        })
    }
}

/// Takes note of a call of S3 that CloudTrail wants to know of.
pub(crate) async fn note_s3(
    daemon: &Daemon,
    asked: &Asked,
    denied: bool,
    parts: &Parts,
    response: &mut Response<s3s::Body>,
) {
    let Some(origin) = parts.extensions.get::<Origin>() else {
        return;
    };
    let region = auth::signed_region(&parts.headers).unwrap_or(daemon.config.region);
    let Some(draft) = Draft::of_s3(asked, region, origin, parts) else {
        return;
    };
    let draft = draft.watched(origin, &daemon.trails);
    let draft = match denied {
        true => draft.denied_by_endpoint(),
        false => draft,
    };
    let id = response.headers().get("x-amz-request-id");
    let draft = draft.with_request_id(id.and_then(|id| id.to_str().ok()).unwrap_or_default());
    let status = response.status().as_u16();
    let events = if status < 400 {
        draft.events(clock::now(), Ok(serde_json::Value::Null))
    } else {
        // What is wrong is said in a few lines; answers to HEAD do not even say it.
        let body = std::mem::take(response.body_mut());
        let bytes = BodyExt::collect(body)
            .await
            .map_or(Bytes::new(), http_body_util::Collected::to_bytes);
        *response.body_mut() = s3s::Body::from(bytes.clone());
        let mut answer = Answer::new(bytes);
        *answer.status_mut() = response.status();
        draft.events_of(&answer)
    };
    daemon.writer.note(events).await;
}
