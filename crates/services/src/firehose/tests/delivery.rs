//! Tests of what becomes of records: buffers, objects, requests, attempts, restarts.

use std::io::Read as _;

use super::*;

impl Fixture {
    /// What is due now, and what has to be done for it.
    fn due(&self) -> Vec<(Due, Delivery)> {
        let (due, _) = self.firehose.due(self.now.get()).unwrap();
        let due = due.into_iter();
        due.map(|due| {
            let delivery = self.firehose.delivery(&due).unwrap();
            (due, delivery)
        })
        .collect()
    }

    /// The one object that is due, which is put.
    fn object(&self) -> Object {
        let mut due = self.due();
        let (due, delivery) = due.pop().expect("something is due");
        let Delivery::Object(object) = delivery else {
            panic!("{delivery:?}")
        };
        self.firehose
            .settle(&due, &Outcome::Delivered, self.now.get())
            .unwrap();
        object
    }

    /// The one request that is due, and what to settle.
    fn request(&self) -> (Due, HttpRequest) {
        let mut due = self.due();
        assert_eq!(due.len(), 1);
        match due.pop() {
            Some((due, Delivery::Request(request))) => (due, request),
            other => panic!("{other:?}"),
        }
    }

    fn fail(&self, due: &Due, permanent: bool) {
        let outcome = Outcome::Failed {
            code: "HttpEndpoint.DestinationException".to_owned(),
            message: "500: no".to_owned(),
            permanent,
        };
        self.firehose.settle(due, &outcome, self.now.get()).unwrap();
    }

    fn next(&self) -> Option<i64> {
        let (due, next) = self.firehose.due(self.now.get()).unwrap();
        assert!(due.is_empty());
        next.map(|next| next - self.now.get())
    }

    /// The same folder, as after `kill -9`.
    fn reopened(self) -> Self {
        let Self {
            firehose,
            scope,
            now,
            folder,
        } = self;
        drop(firehose);
        let firehose = Firehose::open(path(&folder), Limits::default(), random).unwrap();
        Self {
            firehose,
            scope,
            now,
            folder,
        }
    }

    fn rows(&self) -> i64 {
        let sql = "SELECT COUNT(*) FROM put";
        self.firehose
            .lock()
            .connection
            .query_row(sql, [], |row| row.get(0))
            .unwrap()
    }
}

fn gunzip(bytes: &[u8]) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(bytes)
        .read_to_string(&mut text)
        .unwrap();
    text
}

#[test]
fn a_buffer_is_delivered_by_time_or_by_size() {
    let f = fixture();
    f.stream(
        "ExtendedS3",
        bucket(json!({ "BufferingHints": { "SizeInMBs": 1, "IntervalInSeconds": 60 } })),
    );
    assert_eq!(f.next(), None);
    f.put(&[b"one", b"two"]);
    f.pass(20_000);
    f.put(&[b"three"]);
    assert_eq!(f.next(), Some(40_000));
    f.pass(40_000);
    let object = f.object();
    assert_eq!(object.body, b"onetwothree");
    assert_eq!(
        (
            object.bucket.as_str(),
            object.role_arn.as_str(),
            object.is_gzip
        ),
        ("logs", ROLE, false)
    );
    assert!(
        object
            .key
            .starts_with("2018/08/27/10/s-1-2018-08-27-10-30-00-"),
        "{}",
        object.key
    );
    assert_eq!(f.rows(), 0, "what is delivered is forgotten");
    assert_eq!(f.next(), None);
    // A MiB does not wait.
    let part = vec![b'x'; 400_000];
    f.put(&[&part, &part]);
    assert_eq!(f.next(), Some(60_000));
    f.put(&[&part]);
    assert_eq!(f.object().body.len(), 1_200_000);
}

#[test]
fn while_one_batch_is_under_way_the_next_gathers() {
    let f = fixture();
    f.stream(
        "S3",
        bucket(json!({ "BufferingHints": { "SizeInMBs": 1, "IntervalInSeconds": 0 } })),
    );
    f.put(&[b"a"]);
    f.pass(1000);
    let (first, _) = f.due().pop().unwrap();
    for record in [b"b", b"c", b"d"] {
        f.put(&[record]);
        f.pass(5000);
        assert!(f.due().is_empty());
    }
    assert_eq!(f.next(), None, "it is woken when the first is settled");
    f.firehose
        .settle(&first, &Outcome::Delivered, f.now.get())
        .unwrap();
    assert_eq!(f.object().body, b"bcd");
}

#[test]
fn objects_are_named_compressed_and_delimited_as_configured() {
    let f = fixture();
    f.stream(
        "ExtendedS3",
        bucket(json!({
            "CompressionFormat": "GZIP",
            "Prefix": "year=!{timestamp:yyyy}/hour=!{timestamp:HH}/!{firehose:random-string}/",
            "ErrorOutputPrefix": "errors/!{firehose:error-output-type}/",
            "CustomTimeZone": "Asia/Tokyo",
            "ProcessingConfiguration": { "Enabled": true, "Processors": [{
                "Type": "AppendDelimiterToRecord",
                "Parameters": [{ "ParameterName": "Delimiter", "ParameterValue": "\\n" }],
            }] },
            "S3BackupMode": "Enabled",
            "S3BackupConfiguration": {
                "RoleARN": ROLE, "BucketARN": "arn:aws:s3:::raw", "Prefix": "raw",
                "BufferingHints": { "SizeInMBs": 1, "IntervalInSeconds": 0 },
            },
        })),
    );
    f.put(&[b"one", b"two"]);
    f.pass(1000);
    let raw = f.object();
    assert_eq!(
        (raw.bucket.as_str(), raw.body.as_slice()),
        ("raw", b"onetwo".as_slice())
    );
    assert!(raw.key.starts_with("raw2018/08/27/10/s-1-"), "{}", raw.key);
    assert_eq!(f.rows(), 1, "the destination still needs it");
    f.pass(299_000);
    let object = f.object();
    assert_eq!(gunzip(&object.body), "one\ntwo\n");
    assert!(object.is_gzip);
    let parts: Vec<&str> = object.key.split('/').collect();
    assert_eq!(parts[..2], ["year=2018", "hour=19"]);
    assert_eq!(parts[2].len(), 11);
    assert!(parts[3].starts_with("s-1-2018-08-27-10-30-00-"));
    assert!(object.key.ends_with(".gz"));
    assert_eq!(f.rows(), 0);
}

#[test]
fn a_bucket_is_tried_for_a_day_under_the_same_key() {
    let f = fixture();
    f.stream("S3", bucket(json!({ "Prefix": "!{firehose:random-string}/", "ErrorOutputPrefix": "e/!{firehose:error-output-type}/" })));
    f.put(&[b"x"]);
    f.pass(300_000);
    let (mut due, first) = f.due().pop().unwrap();
    let began = f.now.get();
    let mut attempts = 0;
    loop {
        attempts += 1;
        f.fail(&due, true);
        let Some(pause) = f.next() else { break };
        assert!(pause <= 120_000);
        f.pass(pause);
        let (again, delivery) = f.due().pop().unwrap();
        assert_eq!(delivery, first, "another key or other bytes");
        due = again;
    }
    assert_eq!(f.now.get() - began, 24 * 3600 * 1000);
    assert!(attempts > 700);
    assert_eq!(f.rows(), 0, "it is given up");
}

#[test]
fn a_request_is_as_published() {
    let f = fixture();
    f.stream("HttpEndpoint", endpoint(json!({
        "EndpointConfiguration": { "Url": "https://receiver.example/in?x=1", "AccessKey": "secret" },
        "BufferingHints": { "SizeInMBs": 1, "IntervalInSeconds": 0 },
        "RequestConfiguration": { "CommonAttributes": [
            { "AttributeName": "env", "AttributeValue": "a \"b\"" }, { "AttributeName": "b", "AttributeValue": "" },
        ] },
    })));
    f.put(&[b"hello", b"", &[0xff, 0x00]]);
    f.pass(1000);
    let (due, request) = f.request();
    let id = request.request_id.clone();
    assert_eq!((id.len(), &id[14..15]), (36, "4"));
    let headers: Vec<String> = request
        .headers
        .iter()
        .map(|(n, v)| format!("{n}: {v}\n"))
        .collect();
    expect![[r#"
        X-Amz-Firehose-Protocol-Version: 1.0
        X-Amz-Firehose-Request-Id: ID
        X-Amz-Firehose-Source-Arn: arn:aws:firehose:us-east-1:123456789012:deliverystream/s
        Content-Type: application/json
        User-Agent: Amazon Kinesis Data Firehose Agent/1.0
        X-Amz-Firehose-Access-Key: secret
        X-Amz-Firehose-Common-Attributes: {"commonAttributes":{"b":"","env":"a \"b\""}}
    "#]]
    .assert_eq(&headers.concat().replace(&id, "ID"));
    assert_eq!(request.url, "https://receiver.example/in?x=1");
    let body = String::from_utf8(request.body.clone()).unwrap();
    let time = NOW + 1100;
    assert_eq!(
        body.replace(&id, "ID"),
        format!(
            r#"{{"requestId":"ID","timestamp":{time},"records":[{{"data":"aGVsbG8="}},{{"data":""}},{{"data":"/wA="}}]}}"#
        )
    );
    // The same again after a failure, also by another daemon.
    f.fail(&due, false);
    assert_eq!(f.next(), Some(1000));
    let f = f.reopened();
    f.pass(1000);
    assert_eq!(f.request().1, request);
}

#[test]
fn what_an_endpoint_does_not_take_goes_to_the_bucket() {
    let f = fixture();
    f.stream(
        "HttpEndpoint",
        endpoint(json!({
            "BufferingHints": { "SizeInMBs": 1, "IntervalInSeconds": 0 },
            "RetryOptions": { "DurationInSeconds": 10 },
            "RequestConfiguration": { "ContentEncoding": "GZIP" },
            "S3BackupMode": "AllData",
        })),
    );
    f.put(&[b"hello", b"there"]);
    f.pass(1000);
    // The copy waits for the bucket's own hints.
    let (mut due, request) = f.request();
    assert!(gunzip(&request.body).starts_with(r#"{"requestId":""#));
    let mut pauses = Vec::new();
    for _ in 0..4 {
        f.fail(&due, false);
        pauses.push(f.next().unwrap());
        f.pass(*pauses.last().unwrap());
        due = f.request().0;
    }
    assert_eq!(
        pauses,
        [1000, 2000, 4000, 3000],
        "the last attempt is at the end of the time"
    );
    f.fail(&due, false);
    let object = f.object();
    assert!(
        object
            .key
            .starts_with("http-endpoint-failed/2018/08/27/10/s-1-2018-08-27-10-30-00-"),
        "{}",
        object.key
    );
    expect![[r#"
        {"arrivalTimestamp":1535365800100,"attemptEndingTimestamp":1535365811100,"attemptsMade":5,"errorCode":"HttpEndpoint.DestinationException","errorMessage":"500: no","rawData":"aGVsbG8="}
        {"arrivalTimestamp":1535365800100,"attemptEndingTimestamp":1535365811100,"attemptsMade":5,"errorCode":"HttpEndpoint.DestinationException","errorMessage":"500: no","rawData":"dGhlcmU="}
    "#]].assert_eq(&String::from_utf8(object.body).unwrap());
    assert_eq!(f.rows(), 1, "the copy still needs it");
    f.pass(300_000);
    let copy = f.object();
    assert_eq!(copy.body, b"hellothere");
    assert!(copy.key.starts_with("2018/08/27/10/s-1-"), "{}", copy.key);
    assert_eq!(f.rows(), 0);
    // What is too large is not tried again.
    f.put(&[b"large"]);
    f.pass(1000);
    let (due, _) = f.request();
    f.fail(&due, true);
    assert!(f.object().key.starts_with("http-endpoint-failed/"));
}

#[test]
fn a_request_has_ten_thousand_records_and_64_mib_at_most() {
    let f = fixture();
    f.stream(
        "HttpEndpoint",
        endpoint(json!({ "BufferingHints": { "SizeInMBs": 64, "IntervalInSeconds": 900 } })),
    );
    let record = [b"r".as_slice(); 500];
    for _ in 0..25 {
        f.put(&record);
    }
    let (due, request) = f.request();
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body["records"].as_array().unwrap().len(), 10_000);
    f.firehose
        .settle(&due, &Outcome::Delivered, f.now.get())
        .unwrap();
    assert_eq!(f.next(), Some(900_000), "2,500 are left");
    let large = vec![b'x'; 1_000_000];
    for _ in 0..13 {
        f.put(&[&large, &large, &large, &large]);
    }
    let (_, request) = f.request();
    assert!(
        request.body.len() <= 64 << 20 && request.body.len() > 58 << 20,
        "{}",
        request.body.len()
    );
}

#[test]
fn records_outlive_the_daemon_and_come_at_their_time() {
    let f = fixture();
    f.stream(
        "S3",
        bucket(json!({ "BufferingHints": { "SizeInMBs": 5, "IntervalInSeconds": 60 } })),
    );
    f.put(&[b"a", b"b"]);
    f.pass(10_000);
    let f = f.reopened();
    assert_eq!(f.next(), Some(50_000));
    f.pass(50_000);
    let (_, before) = f.due().pop().unwrap();
    // It ended between the attempt and the note of it.
    let f = f.reopened();
    let (due, after) = f.due().pop().unwrap();
    assert_eq!(after, before, "at least once, under the same key");
    f.firehose
        .settle(&due, &Outcome::Delivered, f.now.get())
        .unwrap();
    let f = f.reopened();
    assert_eq!((f.next(), f.rows()), (None, 0));
}

#[test]
fn a_deleted_stream_takes_what_waits_with_it() {
    let f = fixture();
    f.stream(
        "S3",
        bucket(json!({ "BufferingHints": { "SizeInMBs": 5, "IntervalInSeconds": 0 } })),
    );
    f.put(&[b"a"]);
    f.pass(1000);
    let (due, _) = f.due().pop().unwrap();
    f.output("DeleteDeliveryStream", json!({ "DeliveryStreamName": "s" }));
    f.pass(100);
    assert_eq!(f.next(), None);
    assert_eq!(f.rows(), 0);
    assert_eq!(f.firehose.delivery(&due).unwrap(), Delivery::Nothing);
    f.firehose
        .settle(&due, &Outcome::Delivered, f.now.get())
        .unwrap();
}

#[test]
fn a_backup_begins_and_ends_with_an_update() {
    let f = fixture();
    f.stream("HttpEndpoint", endpoint(json!({})));
    f.put(&[b"before"]);
    let update = |version: &str, mode: &str| {
        f.output("UpdateDestination", json!({
        "DeliveryStreamName": "s", "CurrentDeliveryStreamVersionId": version,
        "DestinationId": "destinationId-000000000001", "HttpEndpointDestinationUpdate": { "S3BackupMode": mode },
    }))
    };
    update("1", "AllData");
    f.put(&[b"after"]);
    f.pass(300_000);
    let due = f.due();
    assert_eq!(due.len(), 2);
    for (due, delivery) in &due {
        match delivery {
            Delivery::Object(object) => assert_eq!(object.body, b"after"),
            Delivery::Request(request) => assert!(request.body.len() > 120),
            Delivery::Nothing => panic!("nothing"),
        }
        f.firehose
            .settle(due, &Outcome::Delivered, f.now.get())
            .unwrap();
    }
    f.put(&[b"more"]);
    update("2", "FailedDataOnly");
    f.pass(300_000);
    let (due, _) = f.request();
    f.firehose
        .settle(&due, &Outcome::Delivered, f.now.get())
        .unwrap();
    assert_eq!(f.rows(), 0);
}
