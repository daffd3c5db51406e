//! CloudWatch Logs: groups, streams and events in SQLite, spoken to in AWS JSON 1.1 or in process.
//!
//! It never verifies signatures and never reads a clock: the time of every call is an argument.

mod event;
pub mod filter_pattern;
mod group;
mod input;
mod read;
mod store;
mod stream;
mod tag;

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;

pub use self::event::{InputLogEvent, PutResult, RejectedLogEventsInfo};
pub use self::store::{Logs, LogsError, Scope};
use crate::json::{self, JsonResponse};

impl Logs {
    /// Opens the database, and creates it when it is new.
    pub fn open(path: impl AsRef<Path>) -> std::io::Result<Self> {
        Self::open_file(path.as_ref())
    }

    /// Answers one request: `operation` is the part of `X-Amz-Target` after `Logs_20140328.`,
    /// `now` is in milliseconds since 1970.
    pub fn call(&self, scope: &Scope, operation: &str, body: &[u8], now: i64) -> JsonResponse {
        match self.dispatch(scope, operation, body, now) {
            Ok(Some(output)) => JsonResponse::success(&output),
            Ok(None) => JsonResponse::empty(),
            Err(refusal) => refusal,
        }
    }

    fn dispatch(
        &self,
        scope: &Scope,
        operation: &str,
        body: &[u8],
        now: i64,
    ) -> Result<Option<Value>, JsonResponse> {
        match operation {
            "CreateLogGroup" => run(body, |input| self.create_log_group(scope, &input, now)),
            "DeleteLogGroup" => run(body, |input| self.delete_log_group(scope, &input)),
            "DescribeLogGroups" => run(body, |input| self.describe_log_groups(scope, &input)),
            "PutRetentionPolicy" => run(body, |input| self.put_retention_policy(scope, &input)),
            "DeleteRetentionPolicy" => {
                run(body, |input| self.delete_retention_policy(scope, &input))
            }
            "CreateLogStream" => run(body, |input| self.create_log_stream(scope, &input, now)),
            "DeleteLogStream" => run(body, |input| self.delete_log_stream(scope, &input)),
            "DescribeLogStreams" => run(body, |input| self.describe_log_streams(scope, &input)),
            "PutLogEvents" => run(body, |input| self.put_log_events_input(scope, &input, now)),
            "GetLogEvents" => run(body, |input| self.get_log_events(scope, &input, now)),
            "FilterLogEvents" => run(body, |input| self.filter_log_events(scope, &input, now)),
            "TestMetricFilter" => run(body, |input| filter_pattern::test_metric_filter(&input)),
            "TagResource" => run(body, |input| self.tag_resource(scope, &input)),
            "UntagResource" => run(body, |input| self.untag_resource(scope, &input)),
            "ListTagsForResource" => run(body, |input| self.list_tags_for_resource(scope, &input)),
            "TagLogGroup" => run(body, |input| self.tag_log_group(scope, &input)),
            "UntagLogGroup" => run(body, |input| self.untag_log_group(scope, &input)),
            "ListTagsLogGroup" => run(body, |input| self.list_tags_log_group(scope, &input)),
            _ => Err(JsonResponse::unknown_operation()),
        }
    }
}

/// Reads the input, does the work and renders its error.
fn run<I: DeserializeOwned>(
    body: &[u8],
    work: impl FnOnce(I) -> Result<Option<Value>, LogsError>,
) -> Result<Option<Value>, JsonResponse> {
    let input = json::parse(body)?;
    work(input).map_err(|error| {
        JsonResponse::error(error.status(), error.error_type(), &error.to_string())
    })
}

#[cfg(test)]
mod tests;
