//! PutLogEvents: what a batch must satisfy, and which of its events are kept.

use rusqlite::params;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::input::{constraint, group_name, length, stream_name};
use super::store::{Logs, LogsError, Scope, find_group, find_stream};

const HOUR: i64 = 60 * 60 * 1000;
const DAY: i64 = 24 * HOUR;
/// What every event counts beside its message.
pub(crate) const EVENT_OVERHEAD: usize = 26;
pub(crate) const MAXIMUM_BATCH: usize = 1_048_576;
const MAXIMUM_EVENTS: usize = 10_000;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct PutLogEventsInput {
    log_group_name: Option<String>,
    log_stream_name: Option<String>,
    log_events: Option<Vec<EventInput>>,
    sequence_token: Option<String>,
    /// Whom the events are of; nothing here asks.
    #[serde(rename = "entity")]
    _entity: Option<serde_json::Map<String, Value>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct EventInput {
    timestamp: Option<i64>,
    message: Option<String>,
}

/// An event to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputLogEvent {
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// The text of the event.
    pub message: String,
}

/// The answer to PutLogEvents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PutResult {
    /// The token that older clients send with their next batch; any token is accepted.
    pub next_sequence_token: String,
    /// Which events were dropped; `None` when all were stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected_log_events_info: Option<RejectedLogEventsInfo>,
}

/// The ranges of a batch that were not stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RejectedLogEventsInfo {
    /// The first event that is more than two hours ahead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub too_new_log_event_start_index: Option<usize>,
    /// The end (exclusive) of the events older than 14 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub too_old_log_event_end_index: Option<usize>,
    /// The end (exclusive) of the events older than the group's retention.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expired_log_event_end_index: Option<usize>,
}

impl Logs {
    pub(crate) fn put_log_events_input(
        &self,
        scope: &Scope,
        input: &PutLogEventsInput,
        now: i64,
    ) -> Result<Option<Value>, LogsError> {
        let group = group_name(input.log_group_name.as_deref())?;
        let stream = stream_name(input.log_stream_name.as_deref())?;
        // Any token is accepted ("PutLogEvents").
        if let Some(token) = &input.sequence_token {
            length(token, "sequenceToken", usize::MAX)?;
        }
        let null = |member: &str| constraint("null", member, "Member must not be null");
        let given = input
            .log_events
            .as_deref()
            .ok_or_else(|| null("logEvents"))?;
        let mut events = Vec::with_capacity(given.len());
        for (index, event) in given.iter().enumerate() {
            let at = |member: &str| null(&format!("logEvents.{}.member.{member}", index + 1));
            events.push(InputLogEvent {
                timestamp: event.timestamp.ok_or_else(|| at("timestamp"))?,
                message: event.message.clone().ok_or_else(|| at("message"))?,
            });
        }
        let result = self.put_log_events(scope, group, stream, &events, now)?;
        serde_json::to_value(result)
            .map(Some)
            .map_err(|_| LogsError::InternalFailure)
    }

    /// Stores a batch ("PutLogEvents"). Events that are too old or too new are dropped singly.
    pub fn put_log_events(
        &self,
        scope: &Scope,
        group: &str,
        stream: &str,
        events: &[InputLogEvent],
        now: i64,
    ) -> Result<PutResult, LogsError> {
        check_batch(events)?;
        self.write(|transaction| {
            let group = find_group(transaction, scope, group)?;
            let stream = find_stream(transaction, &group, stream)?;
            let (kept, rejected) = select(events, group.expiry(now), now);
            let mut insert = transaction.prepare_cached(
                "INSERT INTO event (log_group, log_stream, timestamp, ingestion, message)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            for event in kept {
                insert.execute(params![
                    group.id,
                    stream,
                    event.timestamp,
                    now,
                    event.message
                ])?;
            }
            let size: usize = kept
                .iter()
                .map(|event| event.message.len() + EVENT_OVERHEAD)
                .sum();
            transaction.execute(
                "UPDATE log_group SET stored = stored + ?2 WHERE id = ?1",
                params![group.id, i64::try_from(size).unwrap_or(i64::MAX)],
            )?;
            let (first, last) = (kept.first(), kept.last());
            let sequence: i64 = transaction.query_row(
                "UPDATE log_stream SET sequence = sequence + 1,
                   first_event = MIN(COALESCE(first_event, ?2), COALESCE(?2, first_event)),
                   last_event = MAX(COALESCE(last_event, ?3), COALESCE(?3, last_event)),
                   last_ingestion = CASE WHEN ?2 IS NULL THEN last_ingestion ELSE ?4 END
                 WHERE id = ?1 RETURNING sequence",
                params![
                    stream,
                    first.map(|event| event.timestamp),
                    last.map(|event| event.timestamp),
                    now
                ],
                |row| row.get(0),
            )?;
            Ok(PutResult {
                next_sequence_token: sequence_token(stream, sequence),
                rejected_log_events_info: rejected,
            })
        })
    }
}

/// A stream's upload sequence token: digits, as AWS's are.
pub(crate) fn sequence_token(stream: i64, sequence: i64) -> String {
    format!("49{stream:026}{sequence:028}")
}

fn check_batch(events: &[InputLogEvent]) -> Result<(), LogsError> {
    let invalid = |message: &str| Err(LogsError::InvalidParameter(message.to_owned()));
    if events.is_empty() || events.len() > MAXIMUM_EVENTS {
        return Err(constraint(
            &format!("[{} events]", events.len()),
            "logEvents",
            "Member must have length between 1 and 10000",
        ));
    }
    if let Some(index) = events.iter().position(|event| event.message.is_empty()) {
        return Err(constraint(
            "",
            &format!("logEvents.{}.member.message", index + 1),
            "Member must have length greater than or equal to 1",
        ));
    }
    if events.iter().any(|event| event.timestamp < 0) {
        return invalid("The timestamp of a log event must not be negative.");
    }
    let too_large = |event: &InputLogEvent| event.message.len() + EVENT_OVERHEAD > MAXIMUM_BATCH;
    if let Some(event) = events.iter().find(|event| too_large(event)) {
        return Err(LogsError::InvalidParameter(format!(
            "Log event too large: {} bytes exceeds limit of {MAXIMUM_BATCH}",
            event.message.len() + EVENT_OVERHEAD
        )));
    }
    let size: usize = events
        .iter()
        .map(|event| event.message.len() + EVENT_OVERHEAD)
        .sum();
    if size > MAXIMUM_BATCH {
        return Err(LogsError::InvalidParameter(format!(
            "Upload too large: {size} bytes exceeds limit of {MAXIMUM_BATCH}"
        )));
    }
    if events
        .windows(2)
        .any(|pair| pair[0].timestamp > pair[1].timestamp)
    {
        return invalid(
            "Log events in a single PutLogEvents request must be in chronological order.",
        );
    }
    let span = |first: &InputLogEvent, last: &InputLogEvent| {
        last.timestamp.saturating_sub(first.timestamp)
    };
    if events
        .first()
        .zip(events.last())
        .is_some_and(|(first, last)| span(first, last) > DAY)
    {
        return invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        );
    }
    Ok(())
}

/// The events to keep and the ranges to report. Events are in the order of time.
fn select(
    events: &[InputLogEvent],
    expiry: Option<i64>,
    now: i64,
) -> (&[InputLogEvent], Option<RejectedLogEventsInfo>) {
    let before = |time: i64| events.partition_point(|event| event.timestamp < time);
    let too_old = before(now.saturating_sub(14 * DAY));
    let expired = expiry.map_or(0, before);
    let too_new = events.partition_point(|event| event.timestamp <= now.saturating_add(2 * HOUR));
    let info = RejectedLogEventsInfo {
        too_new_log_event_start_index: (too_new < events.len()).then_some(too_new),
        too_old_log_event_end_index: (too_old > 0).then_some(too_old),
        expired_log_event_end_index: (expired > too_old).then_some(expired),
    };
    let first = too_old.max(expired).min(too_new);
    let rejected = (info != RejectedLogEventsInfo::default()).then_some(info);
    (&events[first..too_new], rejected)
}
