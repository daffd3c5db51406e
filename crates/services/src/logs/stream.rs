//! Log streams.

use rusqlite::{Row, params};
use serde::Deserialize;
use serde_json::{Value, json};

use super::event::sequence_token;
use super::input::{bad_token, constraint, group_name, group_of, length, limit, stream_name};
use super::store::{Logs, LogsError, Scope, find_group, find_stream};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct LogStreamInput {
    log_group_name: Option<String>,
    log_stream_name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct DescribeLogStreamsInput {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name_prefix: Option<String>,
    order_by: Option<String>,
    descending: Option<bool>,
    limit: Option<i64>,
    next_token: Option<String>,
}

impl Logs {
    pub(crate) fn create_log_stream(
        &self,
        scope: &Scope,
        input: &LogStreamInput,
        now: i64,
    ) -> Result<Option<Value>, LogsError> {
        let group = group_name(input.log_group_name.as_deref())?;
        let stream = stream_name(input.log_stream_name.as_deref())?;
        if self.ensure_stream(scope, group, stream, now)? {
            return Ok(None);
        }
        Err(LogsError::ResourceAlreadyExists(
            "The specified log stream already exists",
        ))
    }

    /// Makes sure that a stream exists; tells whether it was created now. The group must exist.
    pub fn ensure_stream(
        &self,
        scope: &Scope,
        group: &str,
        stream: &str,
        now: i64,
    ) -> Result<bool, LogsError> {
        stream_name(Some(stream))?;
        self.write(|transaction| {
            let group = find_group(transaction, scope, group)?;
            let inserted = transaction.execute(
                "INSERT INTO log_stream (log_group, name, created) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO NOTHING",
                params![group.id, stream, now],
            )?;
            Ok(inserted == 1)
        })
    }

    pub(crate) fn delete_log_stream(
        &self,
        scope: &Scope,
        input: &LogStreamInput,
    ) -> Result<Option<Value>, LogsError> {
        let group = group_name(input.log_group_name.as_deref())?;
        let stream = stream_name(input.log_stream_name.as_deref())?;
        self.write(|transaction| {
            let group = find_group(transaction, scope, group)?;
            let stream = find_stream(transaction, &group, stream)?;
            transaction.execute(
                "UPDATE log_group SET stored = stored - (SELECT
                 COALESCE(SUM(LENGTH(CAST(message AS BLOB)) + 26), 0) FROM event
                 WHERE log_stream = ?2) WHERE id = ?1",
                params![group.id, stream],
            )?;
            transaction.execute("DELETE FROM log_stream WHERE id = ?1", [stream])?;
            Ok(None)
        })
    }

    pub(crate) fn describe_log_streams(
        &self,
        scope: &Scope,
        input: &DescribeLogStreamsInput,
    ) -> Result<Option<Value>, LogsError> {
        let name = group_of(
            scope,
            input.log_group_name.as_deref(),
            input.log_group_identifier.as_deref(),
        )?;
        let limit = limit(input.limit, 50)?;
        let by_time = match input.order_by.as_deref().unwrap_or("LogStreamName") {
            "LogStreamName" => false,
            "LastEventTime" => true,
            other => {
                let rule = "Member must satisfy enum value set: [LogStreamName, LastEventTime]";
                return Err(constraint(other, "orderBy", rule));
            }
        };
        if let Some(prefix) = &input.log_stream_name_prefix {
            length(prefix, "logStreamNamePrefix", 512)?;
        }
        let prefix = input.log_stream_name_prefix.as_deref().unwrap_or_default();
        if by_time && !prefix.is_empty() {
            return Err(LogsError::InvalidParameter(
                "Cannot order by LastEventTime with a logStreamNamePrefix.".to_owned(),
            ));
        }
        let connection = self.connection();
        let group = find_group(&connection, scope, &name)?;
        let order = match (by_time, input.descending.unwrap_or(false)) {
            (false, false) => "name",
            (false, true) => "name DESC",
            (true, false) => "COALESCE(last_event, 0), name",
            (true, true) => "COALESCE(last_event, 0) DESC, name DESC",
        };
        let skip = match &input.next_token {
            Some(token) => page_start(token, group.id)?,
            None => 0,
        };
        // A page begins where the page before ended by position: names never move, and times move
        // only while events arrive, where AWS promises nothing either.
        let mut statement = connection.prepare_cached(&format!(
            "SELECT name, created, first_event, last_event, last_ingestion, sequence, id
             FROM log_stream WHERE log_group = ?1 AND substr(name, 1, length(?2)) = ?2
             ORDER BY {order} LIMIT ?3 OFFSET ?4"
        ))?;
        let rows = i64::try_from(limit + 1).unwrap_or(i64::MAX);
        let arn = scope.group_arn(&name);
        let mut streams: Vec<Value> = statement
            .query_map(params![group.id, prefix, rows, skip], |row| {
                describe(row, &arn)
            })?
            .collect::<Result<_, _>>()?;
        let more = streams.len() > limit;
        streams.truncate(limit);
        let mut output = json!({ "logStreams": streams });
        if more {
            let next = skip.saturating_add(rows - 1);
            output["nextToken"] = format!("s1:{}:{next}", group.id).into();
        }
        Ok(Some(output))
    }
}

fn page_start(token: &str, group: i64) -> Result<i64, LogsError> {
    let rest = token.strip_prefix("s1:").ok_or_else(bad_token)?;
    match rest
        .split_once(':')
        .map(|(of, at)| (of.parse::<i64>(), at.parse::<i64>()))
    {
        Some((Ok(of), Ok(at))) if of == group && at >= 0 => Ok(at),
        _ => Err(bad_token()),
    }
}

fn describe(row: &Row<'_>, group_arn: &str) -> rusqlite::Result<Value> {
    let name: String = row.get(0)?;
    let mut stream = json!({
        "arn": format!("{group_arn}:log-stream:{name}"),
        "logStreamName": name,
        "creationTime": row.get::<_, i64>(1)?,
        "uploadSequenceToken": sequence_token(row.get(6)?, row.get(5)?),
        "storedBytes": 0,
    });
    let times = [
        (2, "firstEventTimestamp"),
        (3, "lastEventTimestamp"),
        (4, "lastIngestionTime"),
    ];
    for (column, member) in times {
        if let Some(time) = row.get::<_, Option<i64>>(column)? {
            stream[member] = time.into();
        }
    }
    Ok(stream)
}
