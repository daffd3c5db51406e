//! Records in a Firehose delivery stream (Amazon VPC User Guide, "Publish flow logs to Amazon Data Firehose").

mod stream;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flow_logs::Batch;
use model::{FlowLogId, LogDestination, Scope};
use serde_json::{Value, json};

use crate::cloudwatch_logs::LogAnswer;
use crate::{BoxFuture, Entry, Sink, SinkError, SinkErrorKind};

pub use self::stream::{Undeliverable, check_new_delivery, enable_log_delivery};

/// Limits of PutRecordBatch (Amazon Data Firehose API Reference, "PutRecordBatch").
const RECORDS_MAX: usize = 500;
const BYTES_MAX: usize = 4 << 20;

/// Something that speaks Firehose: the embedded one, or a remote one.
pub trait StreamStore: Send + Sync {
    /// Calls an operation, for example `PutRecordBatch`, with a JSON body, on behalf of the stream's account. Fails only
    /// when there is no answer.
    fn call(
        &self,
        scope: Scope,
        operation: &'static str,
        body: Vec<u8>,
    ) -> BoxFuture<'_, Result<LogAnswer, SinkError>>;
}

/// Puts each line as a record `{"message":"<line>"}` into a delivery stream.
///
/// A stream gets every record at least once. Records that were refused singly are put again singly, and an entry that
/// failed goes on where it stopped; only a crash, or an answer that got lost, makes records appear twice, and then as
/// the same bytes: AWS's record has no place for an id, so the line is what readers can tell duplicates by.
pub struct FirehoseSink {
    store: Arc<dyn StreamStore>,
    /// How far the entry in work is, by flow log.
    progress: Mutex<BTreeMap<FlowLogId, Progress>>,
}

/// How far an entry is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Progress {
    sequence: u64,
    /// Calls whose records have all arrived.
    calls: usize,
    /// Of the call in work: the records that have not arrived, by their place in it; `None` are all of them.
    missing: Option<Vec<usize>>,
}

impl FirehoseSink {
    /// Writes to `store`.
    pub fn new(store: Arc<dyn StreamStore>) -> Self {
        Self {
            store,
            progress: Mutex::new(BTreeMap::new()),
        }
    }

    async fn deliver_calls(&self, entry: &Entry) -> Result<(), SinkError> {
        let batch = &entry.batch;
        let LogDestination::Firehose {
            account,
            region,
            stream_name,
            ..
        } = &batch.destination
        else {
            return Err(SinkError::unavailable("the batch does not go to Firehose"));
        };
        let scope = Scope {
            account: *account,
            region: *region,
        };
        let known = self.lock().get(&batch.flow_log_id).cloned();
        let begun = known.filter(|progress| progress.sequence == entry.sequence);
        let mut progress = begun.unwrap_or(Progress {
            sequence: entry.sequence,
            ..Progress::default()
        });
        let records = records(batch);
        for range in calls(&records).into_iter().skip(progress.calls) {
            let call = &records[range];
            loop {
                let places = progress.missing.take();
                let places = places.unwrap_or_else(|| (0..call.len()).collect());
                let sent = places.len();
                let refused = self.put(scope, stream_name, call, places).await;
                let (missing, error) = match refused {
                    Ok((missing, error)) => (missing, error),
                    // Nothing of it has arrived, as far as anybody knows.
                    Err((places, error)) => (places, Some(error)),
                };
                match error {
                    None => break,
                    // Some have arrived: the others may at once.
                    Some(_) if missing.len() < sent => progress.missing = Some(missing),
                    Some(error) => {
                        progress.missing = Some(missing);
                        self.lock().insert(batch.flow_log_id, progress);
                        return Err(error);
                    }
                }
            }
            progress.calls += 1;
            self.lock().insert(batch.flow_log_id, progress.clone());
        }
        self.lock().remove(&batch.flow_log_id);
        Ok(())
    }

    /// Puts records of a call by their places; answers the places of those that were refused, and why the first was.
    async fn put(
        &self,
        scope: Scope,
        stream: &str,
        call: &[String],
        places: Vec<usize>,
    ) -> Result<(Vec<usize>, Option<SinkError>), (Vec<usize>, SinkError)> {
        let data = places.iter().filter_map(|place| call.get(*place));
        let data: Vec<Value> = data
            .map(|record| json!({ "Data": base64(record.as_bytes()) }))
            .collect();
        let body = json!({ "DeliveryStreamName": stream, "Records": data }).to_string();
        let body = match call_stream(&*self.store, scope, "PutRecordBatch", body).await {
            Ok(body) => body,
            Err(error) => return Err((places, error)),
        };
        let responses = body.get("RequestResponses").and_then(Value::as_array);
        let Some(responses) = responses.filter(|responses| responses.len() == places.len()) else {
            let error = SinkError::unavailable("the answer does not speak of every record");
            return Err((places, error));
        };
        let text = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).map(str::to_owned);
        let mut missing = Vec::new();
        let mut first = None;
        for (place, response) in places.into_iter().zip(responses) {
            let Some(code) = text(response, "ErrorCode").filter(|code| !code.is_empty()) else {
                continue;
            };
            missing.push(place);
            let message = text(response, "ErrorMessage").unwrap_or_default();
            first.get_or_insert_with(|| error_of(&code, &message));
        }
        Ok((missing, first))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<FlowLogId, Progress>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for FirehoseSink {
    fn deliver<'a>(&'a self, entry: &'a Entry) -> BoxFuture<'a, Result<(), SinkError>> {
        Box::pin(self.deliver_calls(entry))
    }
}

/// What an operation answers.
async fn call_stream(
    store: &dyn StreamStore,
    scope: Scope,
    operation: &'static str,
    body: String,
) -> Result<Value, SinkError> {
    let answer = store.call(scope, operation, body.into_bytes()).await?;
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match answer.status {
        200..300 => Ok(body),
        status => Err(refusal(operation, status, &body)),
    }
}

/// Why a call was refused as a whole.
fn refusal(operation: &str, status: u16, body: &Value) -> SinkError {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    // Some services write the code as `namespace#Code`.
    let code = text("__type").and_then(|t| t.rsplit('#').next());
    let message = text("message").or_else(|| text("Message")).unwrap_or("");
    match (code.unwrap_or(""), status) {
        ("", 429) => SinkError::new(SinkErrorKind::RateLimited, "HTTP status 429"),
        ("", 401 | 403) => SinkError::new(SinkErrorKind::Access, format!("HTTP status {status}")),
        ("", 413) => SinkError::new(SinkErrorKind::Rejected, "HTTP status 413"),
        ("", status) => SinkError::unavailable(format!("{operation}: HTTP status {status}")),
        (code, _) => error_of(code, message),
    }
}

/// From Firehose, "unavailable" says that the stream takes no more for now.
fn error_of(code: &str, message: &str) -> SinkError {
    match code {
        "ServiceUnavailableException" => {
            SinkError::new(SinkErrorKind::RateLimited, format!("{code}: {message}"))
        }
        _ => SinkError::from_code(code, message),
    }
}

/// What Firehose is given of a batch, in its order.
fn records(batch: &Batch) -> Vec<String> {
    let lines = batch.lines.iter();
    lines
        .map(|(_, text)| json!({ "message": text }).to_string())
        .collect()
}

/// The records of each call, within its limits.
fn calls(records: &[String]) -> Vec<std::ops::Range<usize>> {
    let mut calls = Vec::new();
    let (mut first, mut bytes) = (0, 0);
    for (place, record) in records.iter().enumerate() {
        if place - first == RECORDS_MAX || (place > first && bytes + record.len() > BYTES_MAX) {
            calls.push(first..place);
            (first, bytes) = (place, 0);
        }
        bytes += record.len();
    }
    if first < records.len() {
        calls.push(first..records.len());
    }
    calls
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_keep_the_limits() {
        let records: Vec<String> = (0..1201).map(|n| n.to_string()).collect();
        assert_eq!(calls(&records), [0..500, 500..1000, 1000..1201]);
        let large = "x".repeat(1_000_000);
        assert_eq!(calls(&vec![large; 9]), [0..4, 4..8, 8..9]);
        assert!(calls(&[]).is_empty());
    }
}
