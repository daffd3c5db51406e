//! Tests of delivery streams, through the actions.
#![expect(
    clippy::needless_pass_by_value,
    reason = "inputs read best where they are made"
)]

mod delivery;
mod destination;
mod record;
mod stream;
mod tag;

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use expect_test::expect;
use serde_json::json;

use super::*;

/// 2018-08-27T10:30:00Z.
const NOW: i64 = 1_535_365_800_000;
const ROLE: &str = "arn:aws:iam::123456789012:role/firehose";

struct Fixture {
    firehose: Firehose,
    scope: Scope,
    now: Cell<i64>,
    folder: tempfile::TempDir,
}

fn scope(account: &str, region: &str) -> Scope {
    Scope {
        account: account.to_owned(),
        region: region.to_owned(),
    }
}

/// Numbers that differ, and let pauses neither grow nor shrink.
fn random() -> u128 {
    static LAST: AtomicU64 = AtomicU64::new(1);
    ((u128::from(LAST.fetch_add(1, Ordering::Relaxed)) << 64) * 301) + 150
}

fn path(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("firehose.sqlite")
}

fn fixture() -> Fixture {
    with_limits(Limits::default())
}

fn with_limits(limits: Limits) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    Fixture {
        firehose: Firehose::open(path(&folder), limits, random).unwrap(),
        scope: scope("123456789012", "us-east-1"),
        now: Cell::new(NOW),
        folder,
    }
}

fn bucket(more: Value) -> Value {
    let mut bucket = json!({ "RoleARN": ROLE, "BucketARN": "arn:aws:s3:::logs" });
    for (name, value) in more.as_object().unwrap() {
        bucket[name] = value.clone();
    }
    bucket
}

fn endpoint(more: Value) -> Value {
    let mut endpoint = json!({
        "EndpointConfiguration": { "Url": "https://receiver.example/in" },
        "S3Configuration": bucket(json!({})),
    });
    for (name, value) in more.as_object().unwrap() {
        endpoint[name] = value.clone();
    }
    endpoint
}

impl Fixture {
    fn call(&self, operation: &str, input: Value) -> String {
        self.call_by(Entrance::Machine, operation, &input)
    }

    fn call_by(&self, entrance: Entrance, operation: &str, input: &Value) -> String {
        let response = self.firehose.call(&Call {
            scope: &self.scope,
            operation,
            body: input.to_string().as_bytes(),
            now: self.now.get(),
            entrance,
        });
        let body = String::from_utf8(response.body).unwrap();
        format!("{} {body}", response.status)
    }

    fn output(&self, operation: &str, input: Value) -> Value {
        let text = self.call(operation, input);
        let body = text
            .strip_prefix("200 ")
            .unwrap_or_else(|| panic!("{text}"));
        serde_json::from_str(body).unwrap()
    }

    /// What a call is refused with: its code and message.
    fn refusal(&self, operation: &str, input: Value) -> String {
        let text = self.call(operation, input);
        let (status, body) = text.split_once(' ').unwrap();
        assert_ne!(status, "200", "{body}");
        let body: Value = serde_json::from_str(body).unwrap();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        format!("{status} {}: {}\n", text("__type"), text("message"))
    }

    /// An active stream.
    fn stream(&self, kind: &str, destination: Value) {
        let name = format!("{kind}DestinationConfiguration");
        self.output(
            "CreateDeliveryStream",
            json!({ "DeliveryStreamName": "s", name: destination }),
        );
        self.pass(100);
    }

    fn pass(&self, milliseconds: i64) {
        self.now.set(self.now.get() + milliseconds);
    }

    fn put(&self, records: &[&[u8]]) {
        let records: Vec<Value> = records
            .iter()
            .map(|record| json!({ "Data": STANDARD.encode(record) }))
            .collect();
        let answer = self.output(
            "PutRecordBatch",
            json!({ "DeliveryStreamName": "s", "Records": records }),
        );
        assert_eq!(answer["FailedPutCount"], 0);
    }

    fn described(&self) -> Value {
        self.output(
            "DescribeDeliveryStream",
            json!({ "DeliveryStreamName": "s" }),
        )["DeliveryStreamDescription"]
            .clone()
    }
}
