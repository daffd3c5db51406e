//! Events in CloudWatch Logs (Amazon VPC User Guide, "Publish flow logs to CloudWatch Logs").

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use flow_logs::{Batch, stream_name};
use model::{FlowLogId, LogDestination, Scope};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{BoxFuture, Entry, Sink, SinkError, SinkErrorKind};

/// Limits of PutLogEvents (Amazon CloudWatch Logs API Reference, "PutLogEvents").
const EVENTS_MAX: usize = 10_000;
const BYTES_MAX: usize = 1_048_576;
const BYTES_PER_EVENT: usize = 26;
const SPAN_MAX_MS: u64 = 24 * 3600 * 1000;

/// An answer of CloudWatch Logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body: JSON, or empty.
    pub body: Vec<u8>,
}

/// Something that speaks CloudWatch Logs: the embedded one, or a remote one.
pub trait LogStore: Send + Sync {
    /// Calls an operation, for example `PutLogEvents`, with a JSON body, on behalf of an account.
    /// Fails only when there is no answer.
    fn call(
        &self,
        scope: Scope,
        operation: &'static str,
        body: Vec<u8>,
    ) -> BoxFuture<'_, Result<LogAnswer, SinkError>>;
}

/// Writes each line as an event into the stream of its interface.
///
/// The group is created with the first event, and again when it has been deleted, as AWS does for
/// a role that may create log groups. After a failure the entry goes on where it stopped; only a
/// crash, or an answer that got lost, makes events appear twice.
pub struct CloudWatchLogsSink {
    store: Arc<dyn LogStore>,
    /// How many chunks of the entry in work have arrived, by flow log.
    progress: Mutex<BTreeMap<FlowLogId, (u64, usize)>>,
    /// Events that were too old or too new, by flow log.
    rejected: Mutex<BTreeMap<FlowLogId, u64>>,
}

impl CloudWatchLogsSink {
    /// Writes to `store`.
    pub fn new(store: Arc<dyn LogStore>) -> Self {
        Self {
            store,
            progress: Mutex::new(BTreeMap::new()),
            rejected: Mutex::new(BTreeMap::new()),
        }
    }

    async fn deliver_chunks(&self, entry: &Entry) -> Result<(), SinkError> {
        let LogDestination::CloudWatchLogs { log_group_name, .. } = &entry.batch.destination else {
            return Err(SinkError::unavailable(
                "the batch does not go to CloudWatch Logs",
            ));
        };
        // No group has such a name; an ARN ends like that in policies (Amazon VPC User Guide, "Troubleshoot VPC Flow Logs").
        if log_group_name.ends_with(":*") {
            let message = format!("{log_group_name} is not the name of a log group");
            return Err(SinkError::new(SinkErrorKind::Access, message));
        }
        let scope = entry.batch.scope;
        let flow_log_id = entry.batch.flow_log_id;
        let arrived = self
            .lock()
            .get(&flow_log_id)
            .filter(|(sequence, _)| *sequence == entry.sequence)
            .map_or(0, |(_, chunks)| *chunks);
        for (i, chunk) in chunks(&entry.batch).iter().enumerate().skip(arrived) {
            let rejected = self.put(scope, log_group_name, chunk).await?;
            if rejected > 0 {
                let mut all = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
                *all.entry(flow_log_id).or_default() += rejected;
            }
            self.lock().insert(flow_log_id, (entry.sequence, i + 1));
        }
        self.lock().remove(&flow_log_id);
        Ok(())
    }

    /// Puts events; tells how many of them the service has thrown away.
    async fn put(&self, scope: Scope, group: &str, chunk: &Chunk<'_>) -> Result<u64, SinkError> {
        let body = json!({
            "logGroupName": group,
            "logStreamName": chunk.stream,
            "logEvents": chunk.events,
        });
        let put = self.call(scope, "PutLogEvents", &body).await;
        let answer = match put {
            Err(error) if error.kind == SinkErrorKind::NotFound => {
                self.create_stream(scope, group, &chunk.stream).await?;
                self.call(scope, "PutLogEvents", &body).await?
            }
            other => other?,
        };
        let Some(info) = answer.get("rejectedLogEventsInfo").filter(|r| !r.is_null()) else {
            return Ok(0);
        };
        let rejected = rejected(info, chunk.events.len() as u64);
        tracing::error!(group, stream = chunk.stream, rejected, %info, "events were too old or too new, and are lost");
        Ok(rejected)
    }

    async fn create_stream(
        &self,
        scope: Scope,
        group: &str,
        stream: &str,
    ) -> Result<(), SinkError> {
        let stream = json!({ "logGroupName": group, "logStreamName": stream });
        let created = self.call(scope, "CreateLogStream", &stream).await;
        if !matches!(&created, Err(e) if e.kind == SinkErrorKind::NotFound) {
            return created.map(|_| ());
        }
        let group = json!({ "logGroupName": group });
        self.call(scope, "CreateLogGroup", &group).await?;
        self.call(scope, "CreateLogStream", &stream)
            .await
            .map(|_| ())
    }

    /// The answer's body; what exists already, or has been accepted already, is no error.
    async fn call(
        &self,
        scope: Scope,
        operation: &'static str,
        body: &Value,
    ) -> Result<Value, SinkError> {
        let answer = self
            .store
            .call(scope, operation, body.to_string().into_bytes())
            .await?;
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if (200..300).contains(&answer.status) {
            return Ok(body);
        }
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        // Some services write the code as `namespace#Code`.
        let code = text("__type")
            .and_then(|t| t.rsplit('#').next())
            .unwrap_or("");
        if matches!(
            code,
            "ResourceAlreadyExistsException" | "DataAlreadyAcceptedException"
        ) {
            return Ok(Value::Null);
        }
        let message = text("message").or_else(|| text("Message")).unwrap_or("");
        Err(match (code, answer.status) {
            ("", 429 | 503) => {
                let message = format!("{operation}: HTTP status {}", answer.status);
                SinkError::new(SinkErrorKind::RateLimited, message)
            }
            ("", 401 | 403) => SinkError::new(SinkErrorKind::Access, "HTTP status 403"),
            ("", 413) => SinkError::new(SinkErrorKind::Rejected, "HTTP status 413"),
            ("", status) => SinkError::unavailable(format!("{operation}: HTTP status {status}")),
            (code, _) => SinkError::from_code(code, message),
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<FlowLogId, (u64, usize)>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for CloudWatchLogsSink {
    fn deliver<'a>(&'a self, entry: &'a Entry) -> BoxFuture<'a, Result<(), SinkError>> {
        Box::pin(self.deliver_chunks(entry))
    }

    fn rejected(&self, flow_log_id: FlowLogId) -> u64 {
        let all = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&flow_log_id).copied().unwrap_or_default()
    }
}

/// How many of `count` events, in order of time, were thrown away (Amazon CloudWatch Logs API
/// Reference, "RejectedLogEventsInfo": the first index that is too new, the ends of what is too old
/// and of what retention has passed).
pub(crate) fn rejected(info: &Value, count: u64) -> u64 {
    let index = |name: &str| info.get(name).and_then(Value::as_u64);
    let end = index("tooOldLogEventEndIndex").max(index("expiredLogEventEndIndex"));
    let old = end.unwrap_or(0).min(count);
    let new = count - index("tooNewLogEventStartIndex").map_or(count, |start| start.min(count));
    (old + new).min(count)
}

/// What one PutLogEvents carries.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Chunk<'a> {
    pub(crate) stream: String,
    pub(crate) events: Vec<Event<'a>>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Event<'a> {
    pub(crate) timestamp: u64,
    pub(crate) message: &'a str,
}

/// A batch by stream and within the limits of PutLogEvents, events sorted by time.
pub(crate) fn chunks(batch: &Batch) -> Vec<Chunk<'_>> {
    let mut streams: BTreeMap<_, Vec<Event<'_>>> = BTreeMap::new();
    for (line, message) in batch.lines.iter() {
        let events = streams.entry(line.recorder).or_default();
        events.push(Event {
            // AWS's records know whole seconds only.
            timestamp: line.start.as_secs() * 1000,
            message,
        });
    }
    let mut chunks = Vec::new();
    for (recorder, mut events) in streams {
        events.sort_by_key(|e| e.timestamp);
        let stream = stream_name(recorder, batch.stream_type);
        let mut chunk: Vec<Event<'_>> = Vec::new();
        let mut bytes = 0;
        for event in events {
            let event_bytes = event.message.len() + BYTES_PER_EVENT;
            let first = chunk.first().map_or(event.timestamp, |e| e.timestamp);
            let full = chunk.len() == EVENTS_MAX
                || bytes + event_bytes > BYTES_MAX
                || event.timestamp - first >= SPAN_MAX_MS;
            if full && !chunk.is_empty() {
                let events = std::mem::take(&mut chunk);
                chunks.push(Chunk {
                    stream: stream.clone(),
                    events,
                });
                bytes = 0;
            }
            bytes += event_bytes;
            chunk.push(event);
        }
        chunks.push(Chunk {
            stream,
            events: chunk,
        });
    }
    chunks
}
