//! CloudTrail: the event history and trails that deliver it to S3, spoken to in AWS JSON 1.1.
//!
//! Events come from elsewhere ([`History`]); what is kept here are trails and how far each has come.

mod delivery;
mod digest;
mod error;
mod lookup;
mod selector;
mod signing_key;
mod store;
mod tag;
mod trail;

use std::path::Path;

use cloudtrail::{EventQuery, Numbered};
use model::{Scope, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use self::delivery::Delivered;
use self::error::CloudTrailError;
pub use self::store::Trails;
use crate::json::{self, JsonResponse};
use crate::s3::S3;

/// Where events are.
pub trait History: Send + Sync {
    /// The management events that match, the newest first.
    ///
    /// # Errors
    ///
    /// What is wrong, for the log.
    fn find(&self, query: &EventQuery) -> Result<Vec<Numbered>, String>;

    /// Up to `limit` events of all accounts after the one of this number, in the order in which they were written.
    ///
    /// # Errors
    ///
    /// What is wrong, for the log.
    fn after(&self, seq: u64, limit: usize) -> Result<Vec<Numbered>, String>;

    /// The number of the last event.
    ///
    /// # Errors
    ///
    /// What is wrong, for the log.
    fn last(&self) -> Result<u64, String>;
}

/// What calls are answered with.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) scope: Scope,
    pub(crate) now: Timestamp,
    pub(crate) history: &'a dyn History,
    /// Where trails deliver to.
    pub(crate) s3: &'a S3,
}

type Answer = Result<Value, CloudTrailError>;

impl Trails {
    /// Opens the database, and creates it when it is new.
    ///
    /// # Errors
    ///
    /// If it cannot be used.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        Self::open_file(path)
    }

    /// Answers one request: `operation` is the part of `X-Amz-Target` after the last dot.
    pub fn call(
        &self,
        scope: Scope,
        operation: &str,
        body: &[u8],
        now: Timestamp,
        history: &dyn History,
        s3: &S3,
    ) -> JsonResponse {
        let call = Call {
            scope,
            now,
            history,
            s3,
        };
        match self.dispatch(&call, operation, body) {
            Ok(output) => JsonResponse::success(&output),
            Err(refusal) => refusal,
        }
    }

    fn dispatch(
        &self,
        call: &Call<'_>,
        operation: &str,
        body: &[u8],
    ) -> Result<Value, JsonResponse> {
        match operation {
            "LookupEvents" => run(body, |input| lookup::lookup_events(call, &input)),
            "GetTrail" => run(body, |input| self.get_trail(call, &input)),
            "DescribeTrails" => run(body, |input| self.describe_trails(call, &input)),
            "ListTrails" => run(body, |input| self.list_trails(call, &input)),
            "GetTrailStatus" => run(body, |input| self.get_trail_status(call, &input)),
            "GetEventSelectors" => run(body, |input| self.get_event_selectors(call, &input)),
            "GetInsightSelectors" => run(body, |input| self.get_insight_selectors(call, &input)),
            "ListTags" => run(body, |input| self.list_tags(call, &input)),
            "ListPublicKeys" => run(body, |input| self.list_public_keys(call, &input)),
            _ => self.change(call, operation, body),
        }
    }

    /// Calls that change a trail.
    fn change(&self, call: &Call<'_>, operation: &str, body: &[u8]) -> Result<Value, JsonResponse> {
        let _alone = self.change_alone();
        match operation {
            "CreateTrail" => run(body, |input| self.create_trail(call, input)),
            "UpdateTrail" => run(body, |input| self.update_trail(call, input)),
            "DeleteTrail" => run(body, |input| self.delete_trail(call, &input)),
            "StartLogging" => run(body, |input| self.start_logging(call, &input)),
            "StopLogging" => run(body, |input| self.stop_logging(call, &input)),
            "PutEventSelectors" => run(body, |input| self.put_event_selectors(call, input)),
            "AddTags" => run(body, |input| self.add_tags(call, &input)),
            "RemoveTags" => run(body, |input| self.remove_tags(call, &input)),
            _ => Err(JsonResponse::unknown_operation()),
        }
    }
}

fn run<I: DeserializeOwned>(
    body: &[u8],
    work: impl FnOnce(I) -> Answer,
) -> Result<Value, JsonResponse> {
    let input = json::parse(body)?;
    work(input).map_err(|error| error.response())
}

#[cfg(test)]
mod tests;
