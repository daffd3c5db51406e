//! Streams, limits, groups that are not there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::Mutex;

use flow_logs::Line;
use model::Scope;
use serde_json::{Value, json};

use super::support::{line, logs_batch};
use crate::cloudwatch_logs::{LogAnswer, LogStore, chunks};
use crate::{BoxFuture, CloudWatchLogsSink, Entry, Sink, SinkError, SinkErrorKind};

/// A CloudWatch Logs in memory: groups with streams with messages.
#[derive(Default)]
struct Groups {
    state: Mutex<GroupsState>,
}

#[derive(Default)]
struct GroupsState {
    groups: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    calls: Vec<&'static str>,
    /// Answers of calls, by their number, in place of the real ones.
    failures: BTreeMap<usize, (u16, &'static str)>,
}

impl Groups {
    fn messages(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let streams = state.groups.values().flatten();
        streams
            .flat_map(|(stream, messages)| messages.iter().map(move |m| format!("{stream} {m}")))
            .collect()
    }

    fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.state.lock().unwrap().calls)
    }
}

fn answer(state: &mut GroupsState, operation: &str, body: &Value) -> Option<(u16, String)> {
    let error = |code: &str| Some((400, json!({ "__type": code, "message": "No." }).to_string()));
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    let group = text("logGroupName");
    if operation == "CreateLogGroup" {
        state.groups.entry(group).or_default();
        return None;
    }
    let Some(streams) = state.groups.get_mut(&group) else {
        return error("ResourceNotFoundException");
    };
    let stream = text("logStreamName");
    if operation == "CreateLogStream" {
        streams.entry(stream).or_default();
        return None;
    }
    let Some(messages) = streams.get_mut(&stream) else {
        return error("ResourceNotFoundException");
    };
    for event in body["logEvents"].as_array().unwrap() {
        messages.push(format!(
            "{} {}",
            event["timestamp"],
            event["message"].as_str().unwrap()
        ));
    }
    None
}

impl LogStore for Groups {
    fn call(
        &self,
        _: Scope,
        operation: &'static str,
        body: Vec<u8>,
    ) -> BoxFuture<'_, Result<LogAnswer, SinkError>> {
        let mut state = self.state.lock().unwrap();
        state.calls.push(operation);
        let number = state.calls.len();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let (status, body) = match state.failures.remove(&number) {
            Some((status, body)) => (status, body.to_owned()),
            None => answer(&mut state, operation, &body).unwrap_or((200, String::new())),
        };
        let body = body.into_bytes();
        Box::pin(async move { Ok(LogAnswer { status, body }) })
    }
}

fn entry(sequence: u64, lines: &[(Line, String)]) -> Entry {
    let batch = logs_batch(1, lines);
    Entry { sequence, batch }
}

fn of(interface: &str, secs: u64, text: &str) -> (Line, String) {
    let (line, text) = line(secs, text);
    let recorder = interface.parse().unwrap();
    (Line { recorder, ..line }, text)
}

#[tokio::test]
async fn groups_and_streams_come_with_the_first_event_and_come_back() {
    let groups = Arc::new(Groups::default());
    let sink = CloudWatchLogsSink::new(Arc::clone(&groups) as _);
    let lines = vec![
        of("eni-00000002", 7, "b"),
        of("eni-00000001", 5, "a"),
        of("eni-00000002", 6, "c"),
    ];
    sink.deliver(&entry(1, &lines)).await.unwrap();
    assert_eq!(
        groups.messages(),
        [
            "eni-00000001-all 5000 a",
            "eni-00000002-all 6000 c",
            "eni-00000002-all 7000 b"
        ]
    );
    assert_eq!(
        groups.calls()[..5],
        [
            "PutLogEvents",
            "CreateLogStream",
            "CreateLogGroup",
            "CreateLogStream",
            "PutLogEvents"
        ]
    );
    groups.state.lock().unwrap().groups.clear();
    sink.deliver(&entry(2, &[of("eni-00000001", 9, "d")]))
        .await
        .unwrap();
    assert_eq!(groups.messages(), ["eni-00000001-all 9000 d"]);
}

#[tokio::test]
async fn a_failed_entry_goes_on_where_it_stopped() {
    let groups = Arc::new(Groups::default());
    let sink = CloudWatchLogsSink::new(Arc::clone(&groups) as _);
    let names = ["eni-00000001", "eni-00000002", "eni-00000003"];
    let lines = || names.iter().map(|n| of(n, 1, "x")).collect::<Vec<_>>();
    sink.deliver(&entry(1, &lines())).await.unwrap();
    groups.calls();
    let throttled =
        r#"{"__type":"com.amazonaws.logs#ThrottlingException","message":"Rate exceeded"}"#;
    groups
        .state
        .lock()
        .unwrap()
        .failures
        .insert(2, (400, throttled));
    let error = sink.deliver(&entry(2, &lines())).await.unwrap_err();
    assert_eq!(error.kind, SinkErrorKind::RateLimited);
    assert_eq!(error.to_string(), "ThrottlingException: Rate exceeded");
    sink.deliver(&entry(2, &lines())).await.unwrap();
    assert_eq!(groups.messages().len(), 6, "an event came twice");
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let groups = Arc::new(Groups::default());
    let sink = CloudWatchLogsSink::new(Arc::clone(&groups) as _);
    let cases = [
        (
            400,
            r#"{"__type":"AccessDeniedException"}"#,
            SinkErrorKind::Access,
        ),
        (403, "", SinkErrorKind::Access),
        (429, "<html>", SinkErrorKind::RateLimited),
        (
            400,
            r#"{"__type":"LimitExceededException"}"#,
            SinkErrorKind::RateLimited,
        ),
        (500, "", SinkErrorKind::Unavailable),
    ];
    for (status, body, kind) in cases {
        groups.calls();
        groups
            .state
            .lock()
            .unwrap()
            .failures
            .insert(1, (status, body));
        let error = sink.deliver(&entry(1, &[line(1, "x")])).await.unwrap_err();
        assert_eq!(error.kind, kind, "{status} {body}");
    }
}

#[test]
fn chunks_keep_the_limits() {
    let day = 24 * 3600;
    let long = "x".repeat(1000);
    let mut lines: Vec<_> = (0..12_000).map(|n| line(n % 50, "short")).collect();
    lines.extend((0..2_000).map(|n| line(n % 50, &long)));
    lines.push(line(day, "a day later"));
    lines.push(of("eni-00000002", 3, "another interface"));
    let batch = logs_batch(1, &lines);
    let chunks = chunks(&batch);
    let mut streams = BTreeSet::new();
    let mut total = 0;
    for chunk in &chunks {
        streams.insert(chunk.stream.as_str());
        total += chunk.events.len();
        let bytes: usize = chunk.events.iter().map(|e| e.message.len() + 26).sum();
        assert!(chunk.events.len() <= 10_000 && bytes <= 1_048_576);
        let times: Vec<_> = chunk.events.iter().map(|e| e.timestamp).collect();
        assert!(times.is_sorted());
        assert!(times[times.len() - 1] - times[0] < day * 1000);
    }
    assert_eq!(total, batch.lines.len());
    assert_eq!(
        streams.into_iter().collect::<Vec<_>>(),
        ["eni-00000001-all", "eni-00000002-all"]
    );
    assert!(chunks.len() < 10);
}

#[test]
fn what_the_service_throws_away_is_counted() {
    let rejected = |info| crate::cloudwatch_logs::rejected(&info, 10);
    assert_eq!(rejected(serde_json::json!({})), 0);
    assert_eq!(
        rejected(serde_json::json!({"tooOldLogEventEndIndex": 3})),
        3
    );
    let both = serde_json::json!({"tooOldLogEventEndIndex": 2, "expiredLogEventEndIndex": 4, "tooNewLogEventStartIndex": 9});
    assert_eq!(rejected(both), 5);
    assert_eq!(
        rejected(serde_json::json!({"tooNewLogEventStartIndex": 0})),
        10
    );
    assert_eq!(
        rejected(serde_json::json!({"tooOldLogEventEndIndex": 99})),
        10
    );
}
