//! LookupEvents: the event history (AWS CloudTrail API Reference, "LookupEvents").

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cloudtrail::{EventAttribute, EventQuery, Numbered};
use model::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::CloudTrailError;
use super::{Answer, Call};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct LookupEventsInput {
    lookup_attributes: Vec<LookupAttribute>,
    start_time: Option<f64>,
    end_time: Option<f64>,
    event_category: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct LookupAttribute {
    attribute_key: String,
    attribute_value: String,
}

const RESULTS_MAX: i64 = 50;
const HISTORY_DAYS: u64 = 90;

pub(super) fn lookup_events(call: &Call<'_>, input: &LookupEventsInput) -> Answer {
    let refuse = CloudTrailError::new;
    let limit = input.max_results.unwrap_or(RESULTS_MAX);
    if !(1..=RESULTS_MAX).contains(&limit) {
        let message = "A max results value of 1 to 50 is allowed.";
        return Err(refuse("InvalidMaxResultsException", message));
    }
    match input.event_category.as_deref() {
        None => {}
        // Nobody looks for what is unusual here, so nothing was found.
        Some("insight") => return Ok(json!({ "Events": [] })),
        Some(other) => {
            let message = format!("Event category {other} is not valid. Valid values: insight.");
            return Err(CloudTrailError::new(
                "InvalidEventCategoryException",
                message,
            ));
        }
    }
    let from = input.start_time.map_or_else(|| oldest(call.now), time);
    let to = input
        .end_time
        .map_or(call.now, |at| end_of_second(time(at)));
    if from > to {
        let message = "The start time cannot be later than the end time.";
        return Err(refuse("InvalidTimeRangeException", message));
    }
    let before = match &input.next_token {
        None => None,
        Some(token) => Some(cursor(token).ok_or_else(|| {
            let message = "The next token is not valid.";
            refuse("InvalidNextTokenException", message)
        })?),
    };
    let limit = usize::try_from(limit).unwrap_or(1);
    let query = EventQuery {
        scope: call.scope,
        from: from.max(oldest(call.now)),
        to,
        attribute: attribute(&input.lookup_attributes)?,
        before,
        // One more tells whether there are more.
        limit: limit + 1,
    };
    let mut found = call
        .history
        .find(&query)
        .map_err(CloudTrailError::history)?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(token);
    let mut answer = json!({ "Events": found.iter().map(shape).collect::<Vec<_>>() });
    if let Some(next) = next {
        answer["NextToken"] = next.into();
    }
    Ok(answer)
}

fn attribute(given: &[LookupAttribute]) -> Result<Option<EventAttribute>, CloudTrailError> {
    let refuse =
        |message: String| CloudTrailError::new("InvalidLookupAttributesException", message);
    let only = match given {
        [] => return Ok(None),
        [only] => only,
        _ => {
            return Err(refuse(
                "You can specify only one lookup attribute.".to_owned(),
            ));
        }
    };
    let value = only.attribute_value.clone();
    if value.is_empty() || value.chars().count() > 2000 {
        return Err(refuse(
            "The attribute value must have 1 to 2000 characters.".to_owned(),
        ));
    }
    Ok(Some(match only.attribute_key.as_str() {
        "AccessKeyId" => EventAttribute::AccessKeyId(value),
        "EventId" => EventAttribute::EventId(value),
        "EventName" => EventAttribute::EventName(value),
        "EventSource" => EventAttribute::EventSource(value),
        "ReadOnly" if value == "true" || value == "false" => {
            EventAttribute::ReadOnly(value == "true")
        }
        "ReadOnly" => return Err(refuse("ReadOnly is true or false.".to_owned())),
        "ResourceName" => EventAttribute::ResourceName(value),
        "ResourceType" => EventAttribute::ResourceType(value),
        "Username" => EventAttribute::UserName(value),
        other => return Err(refuse(format!("{other} is not a lookup attribute."))),
    }))
}

fn shape(numbered: &Numbered) -> Value {
    let event = &numbered.event;
    json!({
        "EventId": event.event_id,
        "EventName": event.event_name,
        "ReadOnly": event.read_only.to_string(),
        "AccessKeyId": event.access_key_id,
        "EventTime": event.at.as_secs(),
        "EventSource": event.event_source,
        "Username": event.user_name,
        "Resources": event.resources,
        "CloudTrailEvent": event.record,
    })
}

fn token(last: &Numbered) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}.{}", last.event.at.as_micros(), last.seq))
}

fn cursor(token: &str) -> Option<(Timestamp, u64)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (at, seq) = text.split_once('.')?;
    Some((Timestamp::from_micros(at.parse().ok()?), seq.parse().ok()?))
}

/// Seconds since 1970, with a fraction.
fn time(seconds: f64) -> Timestamp {
    // A negative or absurd number saturates.
    Timestamp::from_micros((seconds * 1e6) as u64)
}

/// Clients know times of events to the second.
fn end_of_second(at: Timestamp) -> Timestamp {
    Timestamp::from_micros(
        at.as_secs()
            .saturating_mul(1_000_000)
            .saturating_add(999_999),
    )
}

fn oldest(now: Timestamp) -> Timestamp {
    Timestamp::from_secs(now.as_secs().saturating_sub(HISTORY_DAYS * 24 * 3600))
}
