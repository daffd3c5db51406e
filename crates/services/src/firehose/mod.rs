//! Amazon Data Firehose: delivery streams and undelivered records in SQLite, spoken to in AWS JSON 1.1 or in process.
//!
//! A record is acknowledged when it is on disk, and stays there until it is delivered. What has to be delivered, when,
//! and what an answer means is decided here; [`Firehose::due`] and [`Firehose::settle`] are for whoever does it. It
//! never opens a connection, never verifies signatures and never reads a clock: the time of every call is an argument.

mod batch;
mod buffer;
mod delivery;
mod destination;
mod encryption;
mod http_endpoint;
mod input;
mod prefix;
mod record;
mod retry;
mod store;
mod stream;
mod tag;

use serde::de::DeserializeOwned;
use serde_json::Value;

pub use self::batch::{Due, Outcome};
pub use self::delivery::{Delivery, Object};
pub use self::http_endpoint::{ANSWER_MAX, HttpAnswer, HttpRequest, NoAnswer, judge};
pub use self::store::{Firehose, FirehoseError, Limits};
use crate::json::{self, JsonResponse};
pub use crate::logs::Scope;

/// One request.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The account and Region.
    pub scope: &'a Scope,
    /// The part of `X-Amz-Target` after `Firehose_20150804.`.
    pub operation: &'a str,
    /// The input.
    pub body: &'a [u8],
    /// In milliseconds since 1970.
    pub now: i64,
    /// Where it came in.
    pub entrance: Entrance,
}

/// Where a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrance {
    /// From this machine.
    Machine,
    /// Out of an instance.
    Instance,
}

impl Firehose {
    /// Answers one request.
    pub fn call(&self, call: &Call<'_>) -> JsonResponse {
        match self.dispatch(call) {
            Ok(Some(output)) => JsonResponse::success(&output),
            Ok(None) => JsonResponse::success(&Value::Object(serde_json::Map::new())),
            Err(refusal) => refusal,
        }
    }

    fn dispatch(&self, call: &Call<'_>) -> Result<Option<Value>, JsonResponse> {
        match call.operation {
            "CreateDeliveryStream" => run(call, |input| self.create_delivery_stream(call, input)),
            "DescribeDeliveryStream" => {
                run(call, |input| self.describe_delivery_stream(call, &input))
            }
            "ListDeliveryStreams" => run(call, |input| self.list_delivery_streams(call, input)),
            "UpdateDestination" => run(call, |input| self.update_destination(call, input)),
            "DeleteDeliveryStream" => run(call, |input| self.delete_delivery_stream(call, &input)),
            "PutRecord" => run(call, |input| self.put_record(call, &input)),
            "PutRecordBatch" => run(call, |input| self.put_record_batch(call, &input)),
            "TagDeliveryStream" => run(call, |input| self.tag_delivery_stream(call, &input)),
            "UntagDeliveryStream" => run(call, |input| self.untag_delivery_stream(call, &input)),
            "ListTagsForDeliveryStream" => run(call, |input| self.list_tags(call, &input)),
            "StartDeliveryStreamEncryption" => {
                run(call, |input| self.start_encryption(call, input))
            }
            "StopDeliveryStreamEncryption" => run(call, |input| self.stop_encryption(call, &input)),
            _ => Err(JsonResponse::unknown_operation()),
        }
    }
}

/// Reads the input, does the work and renders its error.
fn run<I: DeserializeOwned>(
    call: &Call<'_>,
    work: impl FnOnce(I) -> Result<Option<Value>, FirehoseError>,
) -> Result<Option<Value>, JsonResponse> {
    let input = json::parse(call.body)?;
    work(input).map_err(|error| {
        JsonResponse::error(error.status(), error.error_type(), &error.to_string())
    })
}

#[cfg(test)]
mod tests;
