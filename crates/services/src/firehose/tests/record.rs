//! Tests of what records can be, and of how many wait.

use expect_test::expect;
use serde_json::json;

use super::*;

#[test]
fn records_are_checked() {
    let f = fixture();
    f.stream("S3", bucket(json!({})));
    let put = |record: Value| {
        f.refusal(
            "PutRecord",
            json!({ "DeliveryStreamName": "s", "Record": record }),
        )
    };
    let batch = |records: Value| {
        f.refusal(
            "PutRecordBatch",
            json!({ "DeliveryStreamName": "s", "Records": records }),
        )
    };
    let data = |bytes: usize| json!({ "Data": STANDARD.encode(vec![0; bytes]) });
    let mut text = String::new();
    text += &put(json!({}));
    text += &put(json!({ "Data": "not base64!" }));
    text += &put(data(1_024_001));
    text += &batch(json!([]));
    text += &batch(json!(vec![data(1); 501]));
    text += &batch(json!([data(1), {}]));
    text += &batch(json!(vec![data(1_000_000); 5]));
    text += &f.refusal(
        "PutRecord",
        json!({ "DeliveryStreamName": "t", "Record": data(1) }),
    );
    text += &f.refusal("PutRecord", json!({ "DeliveryStreamName": "s" }));
    expect![[r#"
        400 ValidationException: 1 validation error detected: Value null at 'record.data' failed to satisfy constraint: Member must not be null
        400 SerializationException: record.data: Invalid symbol 32, offset 3.
        400 ValidationException: 1 validation error detected: Value '[1024001 bytes]' at 'record.data' failed to satisfy constraint: Member must have length less than or equal to 1024000
        400 ValidationException: 1 validation error detected: Value '[0 records]' at 'records' failed to satisfy constraint: Member must have length between 1 and 500
        400 ValidationException: 1 validation error detected: Value '[501 records]' at 'records' failed to satisfy constraint: Member must have length between 1 and 500
        400 ValidationException: 1 validation error detected: Value null at 'records.2.member.data' failed to satisfy constraint: Member must not be null
        400 InvalidArgumentException: Records size exceeds 4 MB limit
        400 ResourceNotFoundException: Firehose t under account 123456789012 not found.
        400 ValidationException: 1 validation error detected: Value null at 'record' failed to satisfy constraint: Member must not be null
    "#]].assert_eq(&text);
    let answer = f.output(
        "PutRecord",
        json!({ "DeliveryStreamName": "s", "Record": data(1_024_000) }),
    );
    assert_eq!(answer["Encrypted"], false);
    let answer = f.output(
        "PutRecordBatch",
        json!({ "DeliveryStreamName": "s", "Records": vec![data(0); 500] }),
    );
    let responses = answer["RequestResponses"].as_array().unwrap();
    let mut ids: Vec<&str> = responses
        .iter()
        .map(|r| r["RecordId"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 500);
    ids.dedup();
    assert_eq!(ids.len(), 500);
}

#[test]
fn what_waits_has_bounds() {
    let limits = Limits {
        stream_bytes: 1000,
        total_bytes: 1500,
    };
    let f = with_limits(limits);
    f.stream("S3", bucket(json!({})));
    f.output(
        "CreateDeliveryStream",
        json!({ "DeliveryStreamName": "t", "S3DestinationConfiguration": bucket(json!({})) }),
    );
    f.pass(100);
    let put = |name: &str, bytes: usize| {
        let record = json!({ "Data": STANDARD.encode(vec![b'x'; bytes]) });
        f.call(
            "PutRecord",
            json!({ "DeliveryStreamName": name, "Record": record }),
        )
    };
    assert!(put("s", 900).starts_with("200 "));
    let full = r#"503 {"__type":"ServiceUnavailableException","message":"Slow down."}"#;
    assert_eq!(put("s", 0), full, "empty records are not free");
    assert!(put("t", 300).starts_with("200 "));
    assert_eq!(put("t", 200), full);
    // Delivery makes room.
    f.pass(300_000);
    let (due, _) = f.firehose.due(f.now.get()).unwrap();
    for due in due {
        f.firehose
            .settle(&due, &Outcome::Delivered, f.now.get())
            .unwrap();
    }
    assert!(put("s", 900).starts_with("200 "));
}
