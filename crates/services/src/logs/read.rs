//! GetLogEvents and FilterLogEvents.
//!
//! Events are ordered by (timestamp, id). A paging token is a cut in that order: the place between
//! the last event of one page and the first of the next, so events that arrive later do not move it.

use std::collections::BTreeMap;

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, Row, params, params_from_iter};
use serde::Deserialize;
use serde_json::{Value, json};

use super::event::{EVENT_OVERHEAD, MAXIMUM_BATCH};
use super::filter_pattern::FilterPattern;
use super::input::{bad_token, constraint, group_of, length, limit, stream_name};
use super::store::{Group, Logs, LogsError, Scope, find_group, find_stream};

const MAXIMUM_PAGE: usize = 10_000;
/// Events that one FilterLogEvents call looks at, so that a call holds the database for a moment only.
const MAXIMUM_SCAN: usize = 50_000;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct GetLogEventsInput {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    limit: Option<i64>,
    start_from_head: Option<bool>,
    next_token: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct FilterLogEventsInput {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_names: Option<Vec<String>>,
    log_stream_name_prefix: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    filter_pattern: Option<String>,
    limit: Option<i64>,
    next_token: Option<String>,
}

/// A place between two events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cut {
    timestamp: i64,
    id: i64,
}

impl Cut {
    fn token(self, direction: char) -> String {
        format!("{direction}/{:019}{:019}/s", self.timestamp, self.id)
    }

    fn parse(token: &str) -> Option<(char, Self)> {
        let (direction, rest) = token.split_once('/')?;
        let digits = rest
            .strip_suffix("/s")
            .filter(|digits| digits.len() == 38)?;
        let (timestamp, id) = digits.split_at_checked(19)?;
        let cut = Self {
            timestamp: timestamp.parse().ok()?,
            id: id.parse().ok()?,
        };
        let mut direction = direction.chars();
        direction
            .next()
            .filter(|_| direction.next().is_none())
            .map(|letter| (letter, cut))
    }
}

struct Event {
    id: i64,
    stream: i64,
    timestamp: i64,
    ingestion: i64,
    message: String,
}

const EVENT_COLUMNS: &str = "id, log_stream, timestamp, ingestion, message";

impl Event {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            stream: row.get(1)?,
            timestamp: row.get(2)?,
            ingestion: row.get(3)?,
            message: row.get(4)?,
        })
    }

    fn before(&self) -> Cut {
        Cut {
            timestamp: self.timestamp,
            id: self.id,
        }
    }

    fn after(&self) -> Cut {
        Cut {
            timestamp: self.timestamp,
            id: self.id.saturating_add(1),
        }
    }

    fn size(&self) -> usize {
        self.message.len() + EVENT_OVERHEAD
    }
}

/// The window of time: start inclusive, end exclusive, nothing that retention has passed.
fn window(
    start: Option<i64>,
    end: Option<i64>,
    group: &Group,
    now: i64,
) -> Result<(i64, i64), LogsError> {
    for (time, member) in [(start, "startTime"), (end, "endTime")] {
        if let Some(time) = time.filter(|time| *time < 0) {
            let rule = "Member must have value greater than or equal to 0";
            return Err(constraint(&time.to_string(), member, rule));
        }
    }
    let start = start.unwrap_or(0).max(group.expiry(now).unwrap_or(0));
    Ok((start, end.unwrap_or(i64::MAX)))
}

impl Logs {
    pub(crate) fn get_log_events(
        &self,
        scope: &Scope,
        input: &GetLogEventsInput,
        now: i64,
    ) -> Result<Option<Value>, LogsError> {
        let group = group_of(
            scope,
            input.log_group_name.as_deref(),
            input.log_group_identifier.as_deref(),
        )?;
        let stream = stream_name(input.log_stream_name.as_deref())?;
        let limit = limit(input.limit, MAXIMUM_PAGE)?;
        let token = match &input.next_token {
            Some(token) => Some(
                Cut::parse(token)
                    .filter(|(d, _)| "fb".contains(*d))
                    .ok_or_else(bad_token)?,
            ),
            None => None,
        };
        let connection = self.connection();
        let group = find_group(&connection, scope, &group)?;
        let stream = find_stream(&connection, &group, stream)?;
        let (start, end) = window(input.start_time, input.end_time, &group, now)?;
        let lowest = Cut {
            timestamp: start,
            id: 0,
        };
        let highest = Cut {
            timestamp: end,
            id: 0,
        };
        let (events, cut) = match token {
            Some(('b', cut)) => (
                backward(&connection, stream, lowest, cut.min(highest), limit)?,
                cut,
            ),
            Some((_, cut)) => (
                forward(&connection, stream, cut.max(lowest), highest, limit)?,
                cut,
            ),
            None if input.start_from_head.unwrap_or(false) => (
                forward(&connection, stream, lowest, highest, limit)?,
                lowest,
            ),
            None => (
                backward(&connection, stream, lowest, highest, limit)?,
                lowest,
            ),
        };
        let rendered: Vec<_> = events
            .iter()
            .map(|event| {
                json!({
                    "timestamp": event.timestamp,
                    "message": event.message,
                    "ingestionTime": event.ingestion,
                })
            })
            .collect();
        Ok(Some(json!({
            "events": rendered,
            "nextForwardToken": events.last().map_or(cut, Event::after).token('f'),
            "nextBackwardToken": events.first().map_or(cut, Event::before).token('b'),
        })))
    }

    pub(crate) fn filter_log_events(
        &self,
        scope: &Scope,
        input: &FilterLogEventsInput,
        now: i64,
    ) -> Result<Option<Value>, LogsError> {
        let group = group_of(
            scope,
            input.log_group_name.as_deref(),
            input.log_group_identifier.as_deref(),
        )?;
        let limit = limit(input.limit, MAXIMUM_PAGE)?;
        let pattern = FilterPattern::parse(input.filter_pattern.as_deref().unwrap_or_default())
            .map_err(|error| LogsError::InvalidParameter(error.to_string()))?;
        let token = match &input.next_token {
            Some(token) => {
                let parsed = Cut::parse(token).filter(|(direction, _)| *direction == 'e');
                Some(parsed.ok_or_else(bad_token)?.1)
            }
            None => None,
        };
        let connection = self.connection();
        let group = find_group(&connection, scope, &group)?;
        let (start, end) = window(input.start_time, input.end_time, &group, now)?;
        let streams = chosen_streams(&connection, &group, input)?;
        let mut from = Cut {
            timestamp: start,
            id: 0,
        };
        from = token.map_or(from, |cut| cut.max(from));
        let (events, next) = scan(&connection, &group, &streams, from, end, limit, &pattern)?;
        let rendered: Vec<_> = events
            .iter()
            .map(|event| {
                json!({
                    "logStreamName": streams.get(&event.stream),
                    "timestamp": event.timestamp,
                    "message": event.message,
                    "ingestionTime": event.ingestion,
                    "eventId": format!("{:038}{:018}", event.timestamp, event.id),
                })
            })
            .collect();
        let mut output = json!({ "events": rendered, "searchedLogStreams": [] });
        if let Some(next) = next {
            output["nextToken"] = next.token('e').into();
        }
        Ok(Some(output))
    }
}

/// The first events at or after `from`, up to a page.
fn forward(
    connection: &Connection,
    stream: i64,
    from: Cut,
    to: Cut,
    limit: usize,
) -> Result<Vec<Event>, LogsError> {
    page(connection, stream, from, to, limit, "ASC")
}

/// The last events before `to`, up to a page, in ascending order.
fn backward(
    connection: &Connection,
    stream: i64,
    from: Cut,
    to: Cut,
    limit: usize,
) -> Result<Vec<Event>, LogsError> {
    let mut events = page(connection, stream, from, to, limit, "DESC")?;
    events.reverse();
    Ok(events)
}

fn page(
    connection: &Connection,
    stream: i64,
    from: Cut,
    to: Cut,
    limit: usize,
    order: &str,
) -> Result<Vec<Event>, LogsError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {EVENT_COLUMNS} FROM event WHERE log_stream = ?1
           AND (timestamp, id) >= (?2, ?3) AND (timestamp, id) < (?4, ?5)
         ORDER BY timestamp {order}, id {order} LIMIT ?6"
    ))?;
    let rows = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![
        stream,
        from.timestamp,
        from.id,
        to.timestamp,
        to.id,
        rows
    ])?;
    let (mut events, mut size) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let event = Event::read(row)?;
        size += event.size();
        if size > MAXIMUM_BATCH && !events.is_empty() {
            break;
        }
        events.push(event);
    }
    Ok(events)
}

/// The streams that a FilterLogEvents request searches: id to name.
fn chosen_streams(
    connection: &Connection,
    group: &Group,
    input: &FilterLogEventsInput,
) -> Result<BTreeMap<i64, String>, LogsError> {
    let prefix = input.log_stream_name_prefix.as_deref();
    if let Some(prefix) = prefix {
        length(prefix, "logStreamNamePrefix", 512)?;
    }
    match &input.log_stream_names {
        Some(_) if prefix.is_some() => Err(LogsError::InvalidParameter(
            "logStreamNames and logStreamNamePrefix are mutually exclusive parameters.".to_owned(),
        )),
        Some(names) if names.is_empty() || names.len() > 100 => Err(constraint(
            &format!("[{} names]", names.len()),
            "logStreamNames",
            "Member must have length between 1 and 100",
        )),
        Some(names) => names
            .iter()
            .map(|name| Ok((find_stream(connection, group, name)?, name.clone())))
            .collect(),
        None => Ok(connection
            .prepare_cached(
                "SELECT id, name FROM log_stream
                 WHERE log_group = ?1 AND substr(name, 1, length(?2)) = ?2",
            )?
            .query_map(params![group.id, prefix.unwrap_or_default()], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?
            .collect::<Result<_, _>>()?),
    }
}

/// Looks for matching events from a cut on. Returns where to go on when there may be more.
fn scan(
    connection: &Connection,
    group: &Group,
    streams: &BTreeMap<i64, String>,
    from: Cut,
    end: i64,
    limit: usize,
    pattern: &FilterPattern,
) -> Result<(Vec<Event>, Option<Cut>), LogsError> {
    let mut only = streams.keys();
    let (column, id) = match (only.next(), only.next()) {
        (None, _) => return Ok((Vec::new(), None)),
        (Some(stream), None) => ("log_stream", *stream),
        _ => ("log_group", group.id),
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {EVENT_COLUMNS} FROM event WHERE {column} = ?1
           AND (timestamp, id) >= (?2, ?3) AND timestamp < ?4 ORDER BY timestamp, id"
    ))?;
    let values = [id, from.timestamp, from.id, end].map(Sql::Integer);
    let mut rows = statement.query(params_from_iter(values))?;
    let (mut events, mut size, mut scanned) = (Vec::new(), 0, 0);
    while let Some(row) = rows.next()? {
        let event = Event::read(row)?;
        if events.len() == limit || scanned == MAXIMUM_SCAN {
            return Ok((events, Some(event.before())));
        }
        scanned += 1;
        if !streams.contains_key(&event.stream) || !pattern.matches(&event.message) {
            continue;
        }
        if size + event.size() > MAXIMUM_BATCH && !events.is_empty() {
            return Ok((events, Some(event.before())));
        }
        size += event.size();
        events.push(event);
    }
    Ok((events, None))
}
