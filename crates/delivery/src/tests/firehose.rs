//! Records, refusals of single ones, entries that go on where they stopped.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use model::{LogDestination, Scope};
use serde_json::{Value, json};

use super::support::{line, lines_of, s3_batch, scope};
use crate::cloudwatch_logs::LogAnswer;
use crate::firehose::StreamStore;
use crate::{BoxFuture, Entry, FirehoseSink, Sink, SinkError, SinkErrorKind};

/// A Firehose in memory.
#[derive(Default)]
struct Stream {
    state: Mutex<StreamState>,
}

#[derive(Default)]
struct StreamState {
    scope: Option<Scope>,
    calls: Vec<usize>,
    records: Vec<String>,
    /// For calls to come: which records are refused.
    refused: VecDeque<fn(usize) -> bool>,
    /// In place of all answers.
    answer: Option<(u16, &'static str)>,
}

impl StreamStore for Stream {
    fn call(
        &self,
        scope: Scope,
        operation: &'static str,
        body: Vec<u8>,
    ) -> BoxFuture<'_, Result<LogAnswer, SinkError>> {
        let mut state = self.state.lock().unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            (operation, &body["DeliveryStreamName"]),
            ("PutRecordBatch", &json!("records"))
        );
        let records = body["Records"].as_array().unwrap();
        state.scope = Some(scope);
        state.calls.push(records.len());
        let refused = state.refused.pop_front();
        let mut responses = Vec::new();
        let kept = state.answer.is_none();
        for (place, record) in records.iter().enumerate() {
            if refused.is_some_and(|refused| refused(place)) {
                let code = "ServiceUnavailableException";
                responses.push(json!({ "ErrorCode": code, "ErrorMessage": "Slow down." }));
            } else if kept {
                state
                    .records
                    .push(decoded(record["Data"].as_str().unwrap()));
                responses.push(json!({ "RecordId": place.to_string() }));
            }
        }
        let answer = json!({ "FailedPutCount": 0, "RequestResponses": responses }).to_string();
        let (status, body) = match state.answer {
            Some((status, body)) => (status, body.to_owned()),
            None => (200, answer),
        };
        let body = body.into_bytes();
        Box::pin(async move { Ok(LogAnswer { status, body }) })
    }
}

fn decoded(text: &str) -> String {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(text)
        .unwrap();
    String::from_utf8(bytes).unwrap()
}

fn entry(sequence: u64, lines: usize) -> Entry {
    let mut batch = s3_batch(1, &[]);
    batch.destination = LogDestination::Firehose {
        account: "444455556666".parse().unwrap(),
        region: "eu-west-1".parse().unwrap(),
        stream_name: "records".to_owned(),
        arn: String::new(),
    };
    let lines: Vec<_> = (0..lines)
        .map(|n| line(5, &format!("2 {sequence} \"{n}\"")))
        .collect();
    batch.lines = lines_of("version", &lines);
    Entry { sequence, batch }
}

fn sink() -> (Arc<Stream>, FirehoseSink) {
    let stream = Arc::new(Stream::default());
    let sink = FirehoseSink::new(Arc::clone(&stream) as _);
    (stream, sink)
}

#[tokio::test]
async fn a_line_is_a_record_of_the_streams_account() {
    let (stream, sink) = sink();
    sink.deliver(&entry(1, 2)).await.unwrap();
    let state = stream.state.lock().unwrap();
    assert_eq!(
        state.records,
        [r#"{"message":"2 1 \"0\""}"#, r#"{"message":"2 1 \"1\""}"#]
    );
    let theirs = state.scope.unwrap();
    assert_ne!(theirs, scope());
    assert_eq!(
        (theirs.account.to_string(), theirs.region.name()),
        ("444455556666".to_owned(), "eu-west-1")
    );
}

#[tokio::test]
async fn refused_records_are_put_again_singly() {
    let (stream, sink) = sink();
    let refused: [fn(usize) -> bool; 4] = [
        |place| place % 2 == 1,
        |place| place == 0,
        |_| true,
        |_| false,
    ];
    stream.state.lock().unwrap().refused = refused.into();
    let entry = entry(1, 600);
    let error = sink.deliver(&entry).await.unwrap_err();
    assert_eq!(error.kind, SinkErrorKind::RateLimited);
    assert_eq!(error.to_string(), "ServiceUnavailableException: Slow down.");
    assert_eq!(stream.state.lock().unwrap().calls, [500, 250, 1]);
    sink.deliver(&entry).await.unwrap();
    let state = stream.state.lock().unwrap();
    assert_eq!(state.calls, [500, 250, 1, 1, 100]);
    let mut records = state.records.clone();
    records.sort();
    records.dedup();
    assert_eq!(
        (state.records.len(), records.len()),
        (600, 600),
        "once each"
    );
}

#[tokio::test]
async fn an_entry_goes_on_where_it_stopped_and_another_begins_anew() {
    let (stream, sink) = sink();
    let refused: [fn(usize) -> bool; 2] = [|_| false, |_| true];
    stream.state.lock().unwrap().refused = refused.into();
    sink.deliver(&entry(1, 1200)).await.unwrap_err();
    sink.deliver(&entry(1, 1200)).await.unwrap();
    assert_eq!(stream.state.lock().unwrap().calls, [500, 500, 500, 200]);
    assert_eq!(stream.state.lock().unwrap().records.len(), 1200);
    stream.state.lock().unwrap().refused = [(|_| true) as fn(usize) -> bool].into();
    sink.deliver(&entry(2, 3)).await.unwrap_err();
    sink.deliver(&entry(3, 2)).await.unwrap();
    assert_eq!(stream.state.lock().unwrap().records.len(), 1202);
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let (stream, sink) = sink();
    let cases = [
        (
            400,
            r#"{"__type":"com.amazonaws.firehose#ResourceNotFoundException"}"#,
            SinkErrorKind::NotFound,
        ),
        (
            400,
            r#"{"__type":"AccessDeniedException"}"#,
            SinkErrorKind::Access,
        ),
        (
            503,
            r#"{"__type":"ServiceUnavailableException"}"#,
            SinkErrorKind::RateLimited,
        ),
        (403, "", SinkErrorKind::Access),
        (429, "<html>", SinkErrorKind::RateLimited),
        (500, "", SinkErrorKind::Unavailable),
        (200, "", SinkErrorKind::Unavailable),
        (
            200,
            r#"{"RequestResponses":[]}"#,
            SinkErrorKind::Unavailable,
        ),
    ];
    for (status, body, kind) in cases {
        stream.state.lock().unwrap().answer = Some((status, body));
        let error = sink.deliver(&entry(1, 1)).await.unwrap_err();
        assert_eq!(error.kind, kind, "{status} {body}");
    }
}
