//! Tests of delivery streams, through the actions.
#![expect(
    clippy::needless_pass_by_value,
    reason = "inputs read best where they are made"
)]

mod delivery;

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

#[test]
fn a_stream_is_made_described_and_deleted() {
    let f = fixture();
    let create = || {
        json!({
            "DeliveryStreamName": "s",
            "ExtendedS3DestinationConfiguration": bucket(json!({})),
            "Tags": [{ "Key": "team", "Value": "net" }],
        })
    };
    assert_eq!(
        f.call("CreateDeliveryStream", create()),
        r#"200 {"DeliveryStreamARN":"arn:aws:firehose:us-east-1:123456789012:deliverystream/s"}"#
    );
    assert_eq!(f.described()["DeliveryStreamStatus"], "CREATING");
    let mut refused = String::new();
    let name = || json!({ "DeliveryStreamName": "s" });
    refused += &f.refusal(
        "PutRecord",
        json!({ "DeliveryStreamName": "s", "Record": { "Data": "eA==" } }),
    );
    refused += &f.refusal("DeleteDeliveryStream", name());
    f.pass(100);
    expect![[r#"
        {
          "CreateTimestamp": 1535365800.0,
          "DeliveryStreamARN": "arn:aws:firehose:us-east-1:123456789012:deliverystream/s",
          "DeliveryStreamEncryptionConfiguration": {
            "Status": "DISABLED"
          },
          "DeliveryStreamName": "s",
          "DeliveryStreamStatus": "ACTIVE",
          "DeliveryStreamType": "DirectPut",
          "Destinations": [
            {
              "DestinationId": "destinationId-000000000001",
              "ExtendedS3DestinationDescription": {
                "BucketARN": "arn:aws:s3:::logs",
                "BufferingHints": {
                  "IntervalInSeconds": 300,
                  "SizeInMBs": 5
                },
                "CloudWatchLoggingOptions": {
                  "Enabled": false
                },
                "CompressionFormat": "UNCOMPRESSED",
                "CustomTimeZone": "UTC",
                "DataFormatConversionConfiguration": {
                  "Enabled": false
                },
                "DynamicPartitioningConfiguration": {
                  "Enabled": false
                },
                "EncryptionConfiguration": {
                  "NoEncryptionConfig": "NoEncryption"
                },
                "ProcessingConfiguration": {
                  "Enabled": false,
                  "Processors": []
                },
                "RoleARN": "arn:aws:iam::123456789012:role/firehose",
                "S3BackupMode": "Disabled"
              },
              "S3DestinationDescription": {
                "BucketARN": "arn:aws:s3:::logs",
                "BufferingHints": {
                  "IntervalInSeconds": 300,
                  "SizeInMBs": 5
                },
                "CloudWatchLoggingOptions": {
                  "Enabled": false
                },
                "CompressionFormat": "UNCOMPRESSED",
                "EncryptionConfiguration": {
                  "NoEncryptionConfig": "NoEncryption"
                },
                "RoleARN": "arn:aws:iam::123456789012:role/firehose"
              }
            }
          ],
          "HasMoreDestinations": false,
          "VersionId": "1"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&f.described()).unwrap());
    refused += &f.refusal("CreateDeliveryStream", create());
    assert_eq!(f.call("DeleteDeliveryStream", name()), "200 {}");
    assert_eq!(f.described()["DeliveryStreamStatus"], "DELETING");
    refused += &f.refusal("CreateDeliveryStream", create());
    refused += &f.refusal(
        "PutRecord",
        json!({ "DeliveryStreamName": "s", "Record": { "Data": "eA==" } }),
    );
    refused += &f.refusal(
        "TagDeliveryStream",
        json!({ "DeliveryStreamName": "s", "Tags": [{ "Key": "k" }] }),
    );
    f.pass(100);
    refused += &f.refusal("DescribeDeliveryStream", name());
    refused += &f.refusal("DeleteDeliveryStream", name());
    expect![[r#"
        400 ResourceNotFoundException: Firehose s under account 123456789012 not found.
        400 ResourceInUseException: Firehose s under account 123456789012 is not in ACTIVE state.
        400 ResourceInUseException: Firehose s under accountId 123456789012 already exists
        400 ResourceInUseException: Firehose s under accountId 123456789012 already exists
        400 ResourceNotFoundException: Firehose s under account 123456789012 not found.
        400 ResourceInUseException: Firehose s under account 123456789012 is not in ACTIVE state.
        400 ResourceNotFoundException: Firehose s under account 123456789012 not found.
        400 ResourceNotFoundException: Firehose s under account 123456789012 not found.
    "#]]
    .assert_eq(&refused);
    f.output("CreateDeliveryStream", create());
}

#[test]
fn accounts_and_regions_are_apart() {
    let mut f = fixture();
    let create = |name: String| json!({ "DeliveryStreamName": name, "S3DestinationConfiguration": bucket(json!({})) });
    for (account, region, name) in [
        ("123456789012", "us-east-1", "b"),
        ("123456789012", "us-east-1", "a"),
        ("123456789012", "eu-west-1", "c"),
        ("111122223333", "us-east-1", "a"),
    ] {
        f.scope = scope(account, region);
        f.output("CreateDeliveryStream", create(name.to_owned()));
    }
    f.scope = scope("123456789012", "us-east-1");
    assert_eq!(
        f.call("ListDeliveryStreams", json!({})),
        r#"200 {"DeliveryStreamNames":["a","b"],"HasMoreDeliveryStreams":false}"#
    );
    assert_eq!(
        f.call("ListDeliveryStreams", json!({ "Limit": 1 })),
        r#"200 {"DeliveryStreamNames":["a"],"HasMoreDeliveryStreams":true}"#
    );
    assert_eq!(
        f.call(
            "ListDeliveryStreams",
            json!({ "Limit": 1, "ExclusiveStartDeliveryStreamName": "a" })
        ),
        r#"200 {"DeliveryStreamNames":["b"],"HasMoreDeliveryStreams":false}"#
    );
    assert_eq!(
        f.call(
            "ListDeliveryStreams",
            json!({ "DeliveryStreamType": "KinesisStreamAsSource" })
        ),
        r#"200 {"DeliveryStreamNames":[],"HasMoreDeliveryStreams":false}"#
    );
    for number in 2..50 {
        f.output("CreateDeliveryStream", create(format!("n{number}")));
    }
    expect![[r#"
        400 LimitExceededException: You have already consumed your firehose quota of 50 hoses.
    "#]]
    .assert_eq(&f.refusal("CreateDeliveryStream", create("more".to_owned())));
}

#[test]
fn what_is_not_valid_or_not_supported_is_named() {
    let f = fixture();
    let create = |name: &str, value: Value| {
        f.refusal(
            "CreateDeliveryStream",
            json!({ "DeliveryStreamName": "s", name: value }),
        )
    };
    let s3 = |more: Value| create("ExtendedS3DestinationConfiguration", bucket(more));
    let http = |more: Value| create("HttpEndpointDestinationConfiguration", endpoint(more));
    let processor = |kind: &str, parameter: &str| {
        json!({ "ProcessingConfiguration": { "Enabled": true, "Processors": [{
            "Type": kind, "Parameters": [{ "ParameterName": parameter, "ParameterValue": "x" }],
        }] } })
    };
    let mut text = String::new();
    text += &f.refusal("CreateDeliveryStream", json!({}));
    text += &f.refusal(
        "CreateDeliveryStream",
        json!({ "DeliveryStreamName": "a b" }),
    );
    text += &f.refusal(
        "CreateDeliveryStream",
        json!({ "DeliveryStreamName": "x".repeat(65) }),
    );
    text += &f.refusal("CreateDeliveryStream", json!({ "DeliveryStreamName": "s" }));
    text += &f.refusal("CreateDeliveryStream", json!({ "DeliveryStreamName": 7 }));
    text += &f.refusal(
        "CreateDeliveryStream",
        json!({
            "DeliveryStreamName": "s",
            "S3DestinationConfiguration": bucket(json!({})),
            "ExtendedS3DestinationConfiguration": bucket(json!({})),
        }),
    );
    text += &f.refusal(
        "CreateDeliveryStream",
        json!({
            "DeliveryStreamName": "s", "DeliveryStreamType": "KinesisStreamAsSource",
            "S3DestinationConfiguration": bucket(json!({})),
        }),
    );
    text += &create("SplunkDestinationConfiguration", json!({}));
    text += &create("AmazonopensearchserviceDestinationConfiguration", json!({}));
    text += &create("S3DestinationConfiguration", json!([]));
    text += &create("S3DestinationConfiguration", json!({ "RoleARN": ROLE }));
    text += &create(
        "S3DestinationConfiguration",
        json!({ "RoleARN": "role", "BucketARN": "arn:aws:s3:::b" }),
    );
    text += &s3(json!({ "BucketARN": "arn:aws:s3:::" }));
    text += &s3(json!({ "CompressionFormat": "ZIP" }));
    text += &s3(json!({ "CompressionFormat": "LZ4" }));
    text += &s3(json!({ "BufferingHints": { "SizeInMBs": 129, "IntervalInSeconds": 60 } }));
    text += &s3(json!({ "BufferingHints": { "SizeInMBs": 1, "IntervalInSeconds": -1 } }));
    text += &s3(json!({ "BufferingHints": { "SizeInMBs": 1 } }));
    text += &s3(json!({ "Prefix": "!{timestamp:yyyy}/" }));
    text += &s3(json!({ "FileExtension": "log" }));
    text += &s3(json!({ "CustomTimeZone": "Mars/Olympus" }));
    text += &s3(json!({ "S3BackupMode": "Enabled" }));
    text += &s3(json!({ "DataFormatConversionConfiguration": { "Enabled": true } }));
    text += &s3(json!({ "DynamicPartitioningConfiguration": { "Enabled": true } }));
    text += &s3(processor("Lambda", "LambdaArn"));
    text += &s3(processor("Decompression", "CompressionFormat"));
    text += &s3(processor("Magic", "Delimiter"));
    text += &s3(processor("AppendDelimiterToRecord", "LambdaArn"));
    text += &http(json!({ "S3Configuration": null }));
    text += &http(json!({ "EndpointConfiguration": { "Url": "ftp://a" } }));
    text += &http(json!({ "EndpointConfiguration": { "Url": "https://user@a/" } }));
    text += &http(json!({ "EndpointConfiguration": { "Url": "https:///x" } }));
    text += &http(json!({ "EndpointConfiguration": { "Url": "https://a", "AccessKey": "a\nb" } }));
    text += &http(json!({ "BufferingHints": { "SizeInMBs": 65, "IntervalInSeconds": 60 } }));
    text += &http(json!({ "RetryOptions": { "DurationInSeconds": 7201 } }));
    text += &http(json!({ "S3BackupMode": "Enabled" }));
    text += &http(json!({ "RequestConfiguration": { "ContentEncoding": "BR" } }));
    text += &http(
        json!({ "RequestConfiguration": { "CommonAttributes": vec![json!({ "AttributeName": "n", "AttributeValue": "v" }); 2] } }),
    );
    text += &http(json!({ "SecretsManagerConfiguration": { "Enabled": true } }));
    text += &f.refusal("ListDeliveryStreams", json!({ "Limit": 0 }));
    text += &f.refusal("MergeShards", json!({}));
    expect![[r#"
        400 ValidationException: 1 validation error detected: Value null at 'deliveryStreamName' failed to satisfy constraint: Member must not be null
        400 ValidationException: 1 validation error detected: Value 'a b' at 'deliveryStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+
        400 ValidationException: 1 validation error detected: Value 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' at 'deliveryStreamName' failed to satisfy constraint: Member must have length less than or equal to 64
        400 InvalidArgumentException: Exactly one destination configuration is supported for a Firehose
        400 SerializationException: invalid type: integer `7`, expected a string at line 1 column 23
        400 InvalidArgumentException: Exactly one destination configuration is supported for a Firehose
        400 InvalidArgumentException: DeliveryStreamType KinesisStreamAsSource is not supported.
        400 InvalidArgumentException: SplunkDestinationConfiguration is not supported.
        400 InvalidArgumentException: AmazonopensearchserviceDestinationConfiguration is not supported.
        400 SerializationException: Start of structure or map found where not expected.
        400 ValidationException: 1 validation error detected: Value null at 's3DestinationConfiguration.bucketARN' failed to satisfy constraint: Member must not be null
        400 ValidationException: 1 validation error detected: Value 'role' at 's3DestinationConfiguration.roleARN' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:.*:iam::\d{12}:role/[a-zA-Z_0-9+=,.@\-_/]+
        400 ValidationException: 1 validation error detected: Value 'arn:aws:s3:::' at 'extendedS3DestinationConfiguration.bucketARN' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:.*:s3:::[\w\.\-]{1,255}
        400 InvalidArgumentException: CompressionFormat ZIP is not supported.
        400 ValidationException: 1 validation error detected: Value 'LZ4' at 'extendedS3DestinationConfiguration.compressionFormat' failed to satisfy constraint: Member must satisfy enum value set: [UNCOMPRESSED, GZIP, ZIP, Snappy, HADOOP_SNAPPY]
        400 ValidationException: 1 validation error detected: Value '129' at 'extendedS3DestinationConfiguration.bufferingHints.sizeInMBs' failed to satisfy constraint: Member must have value less than or equal to 128
        400 ValidationException: 1 validation error detected: Value '-1' at 'extendedS3DestinationConfiguration.bufferingHints.intervalInSeconds' failed to satisfy constraint: Member must have value greater than or equal to 0
        400 InvalidArgumentException: BufferingHints must have both SizeInMBs and IntervalInSeconds, or neither.
        400 InvalidArgumentException: ErrorOutputPrefix cannot be null or empty when Prefix contains expressions.
        400 ValidationException: 1 validation error detected: Value 'log' at 'extendedS3DestinationConfiguration.fileExtension' failed to satisfy constraint: Member must satisfy regular expression pattern: ^$|\.[0-9a-z!\-_.*'()]+
        400 InvalidArgumentException: CustomTimeZone Mars/Olympus is not a time zone.
        400 InvalidArgumentException: S3BackupConfiguration must be given when S3BackupMode is Enabled.
        400 InvalidArgumentException: DataFormatConversionConfiguration is not supported.
        400 InvalidArgumentException: DynamicPartitioningConfiguration is not supported.
        400 InvalidArgumentException: The processor Lambda is not supported.
        400 InvalidArgumentException: The processor Decompression is not supported.
        400 ValidationException: 1 validation error detected: Value 'Magic' at 'extendedS3DestinationConfiguration.processingConfiguration.processors.1.member.type' failed to satisfy constraint: Member must satisfy enum value set: [RecordDeAggregation, Decompression, CloudWatchLogProcessing, Lambda, MetadataExtraction, AppendDelimiterToRecord]
        400 InvalidArgumentException: The processor AppendDelimiterToRecord has no parameter LambdaArn.
        400 ValidationException: 1 validation error detected: Value null at 'httpEndpointDestinationConfiguration.s3Configuration' failed to satisfy constraint: Member must not be null
        400 ValidationException: 1 validation error detected: Value 'ftp://a' at 'httpEndpointDestinationConfiguration.endpointConfiguration.url' failed to satisfy constraint: Member must satisfy regular expression pattern: https?://.*
        400 InvalidArgumentException: Url https://user@a/ is not valid.
        400 InvalidArgumentException: Url https:///x is not valid.
        400 ValidationException: 1 validation error detected: Value '****' at 'httpEndpointDestinationConfiguration.endpointConfiguration.accessKey' failed to satisfy constraint: Member must have length less than or equal to 4096 and be printable ASCII
        400 ValidationException: 1 validation error detected: Value '65' at 'httpEndpointDestinationConfiguration.bufferingHints.sizeInMBs' failed to satisfy constraint: Member must have value less than or equal to 64
        400 ValidationException: 1 validation error detected: Value '7201' at 'httpEndpointDestinationConfiguration.retryOptions.durationInSeconds' failed to satisfy constraint: Member must have value less than or equal to 7200
        400 ValidationException: 1 validation error detected: Value 'Enabled' at 'httpEndpointDestinationConfiguration.s3BackupMode' failed to satisfy constraint: Member must satisfy enum value set: [FailedDataOnly, AllData]
        400 ValidationException: 1 validation error detected: Value 'BR' at 'httpEndpointDestinationConfiguration.requestConfiguration.contentEncoding' failed to satisfy constraint: Member must satisfy enum value set: [NONE, GZIP]
        400 InvalidArgumentException: The common attribute n is given twice.
        400 InvalidArgumentException: SecretsManagerConfiguration is not supported.
        400 ValidationException: 1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1
        400 UnknownOperationException: 
    "#]].assert_eq(&text);
    // What is off does nothing.
    let mut off = processor("Lambda", "LambdaArn");
    off["ProcessingConfiguration"]["Enabled"] = json!(false);
    off["DataFormatConversionConfiguration"] = json!({ "Enabled": false });
    f.stream("ExtendedS3", bucket(off));
}

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

#[test]
fn tags_and_encryption() {
    let f = fixture();
    f.stream("S3", bucket(json!({})));
    let tag = |tags: Value| {
        f.call(
            "TagDeliveryStream",
            json!({ "DeliveryStreamName": "s", "Tags": tags }),
        )
    };
    assert_eq!(
        tag(json!([{ "Key": "b", "Value": "1" }, { "Key": "a" }])),
        "200 {}"
    );
    assert_eq!(tag(json!([{ "Key": "b", "Value": "2" }])), "200 {}");
    f.firehose
        .enable_log_delivery(&f.scope, "s", f.now.get())
        .unwrap();
    let list = |more: Value| {
        let mut input = json!({ "DeliveryStreamName": "s" });
        for (name, value) in more.as_object().unwrap() {
            input[name] = value.clone();
        }
        f.call("ListTagsForDeliveryStream", input)
    };
    assert_eq!(
        list(json!({})),
        r#"200 {"HasMoreTags":false,"Tags":[{"Key":"LogDeliveryEnabled","Value":"true"},{"Key":"a","Value":""},{"Key":"b","Value":"2"}]}"#
    );
    assert_eq!(
        list(json!({ "Limit": 1, "ExclusiveStartTagKey": "LogDeliveryEnabled" })),
        r#"200 {"HasMoreTags":true,"Tags":[{"Key":"a","Value":""}]}"#
    );
    let keys = json!({ "DeliveryStreamName": "s", "TagKeys": ["a", "b", "c"] });
    assert_eq!(f.call("UntagDeliveryStream", keys), "200 {}");
    let mut text = String::new();
    let refused = |tags: Value| {
        f.refusal(
            "TagDeliveryStream",
            json!({ "DeliveryStreamName": "s", "Tags": tags }),
        )
    };
    text += &refused(json!([]));
    text += &refused(json!([{ "Key": "aws:x" }]));
    text += &refused(json!([{ "Key": "k", "Value": "<" }]));
    text += &refused(json!([{ "Key": "k" }, { "Key": "k" }]));
    let many: Vec<Value> = (0..50).map(|n| json!({ "Key": format!("k{n}") })).collect();
    text += &refused(json!(many));
    text += &f.refusal("StartDeliveryStreamEncryption", json!({
        "DeliveryStreamName": "s", "DeliveryStreamEncryptionConfigurationInput": { "KeyType": "CUSTOMER_MANAGED_CMK" },
    }));
    text += &f.refusal("UntagDeliveryStream", json!({ "DeliveryStreamName": "s" }));
    expect![[r#"
        400 ValidationException: 1 validation error detected: Value '[]' at 'tags' failed to satisfy constraint: Member must have length greater than or equal to 1
        400 ValidationException: 1 validation error detected: Value 'aws:x' at 'tags.1.member.key' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(?!aws:)[\p{L}\p{Z}\p{N}_.:\/=+\-@%]*$
        400 ValidationException: 1 validation error detected: Value '<' at 'tags.1.member.value' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[\p{L}\p{Z}\p{N}_.:\/=+\-@%]*$
        400 InvalidArgumentException: The tag key k is given twice.
        400 LimitExceededException: A Firehose can have no more than 50 tags.
        400 InvalidArgumentException: KeyARN must be given with the key type CUSTOMER_MANAGED_CMK.
        400 ValidationException: 1 validation error detected: Value null at 'tagKeys' failed to satisfy constraint: Member must not be null
    "#]].assert_eq(&text);
    let name = || json!({ "DeliveryStreamName": "s" });
    assert_eq!(f.call("StartDeliveryStreamEncryption", name()), "200 {}");
    assert_eq!(
        f.described()["DeliveryStreamEncryptionConfiguration"],
        json!({ "KeyType": "AWS_OWNED_CMK", "Status": "ENABLED" })
    );
    let answer = f.output(
        "PutRecord",
        json!({ "DeliveryStreamName": "s", "Record": { "Data": "" } }),
    );
    assert_eq!(answer["Encrypted"], true);
    assert_eq!(f.call("StopDeliveryStreamEncryption", name()), "200 {}");
    assert_eq!(
        f.described()["DeliveryStreamEncryptionConfiguration"],
        json!({ "Status": "DISABLED" })
    );
}

#[test]
fn destinations_are_updated_member_by_member() {
    let f = fixture();
    let first = endpoint(json!({
        "EndpointConfiguration": { "Url": "https://a.example/", "Name": "A", "AccessKey": "secret" },
        "RequestConfiguration": { "CommonAttributes": [{ "AttributeName": "n", "AttributeValue": "v" }] },
    }));
    f.stream("HttpEndpoint", first);
    assert!(!f.described().to_string().contains("secret"));
    let update = |version: &str, name: &str, value: Value| {
        json!({
            "DeliveryStreamName": "s", "CurrentDeliveryStreamVersionId": version,
            "DestinationId": "destinationId-000000000001", name: value,
        })
    };
    let changed = json!({
        "BufferingHints": { "SizeInMBs": 2, "IntervalInSeconds": 0 },
        "S3Update": { "Prefix": "failed/", "CompressionFormat": "GZIP" },
    });
    assert_eq!(
        f.call(
            "UpdateDestination",
            update("1", "HttpEndpointDestinationUpdate", changed)
        ),
        "200 {}"
    );
    expect![[r#"
        {
          "CreateTimestamp": 1535365800.0,
          "DeliveryStreamARN": "arn:aws:firehose:us-east-1:123456789012:deliverystream/s",
          "DeliveryStreamEncryptionConfiguration": {
            "Status": "DISABLED"
          },
          "DeliveryStreamName": "s",
          "DeliveryStreamStatus": "ACTIVE",
          "DeliveryStreamType": "DirectPut",
          "Destinations": [
            {
              "DestinationId": "destinationId-000000000001",
              "HttpEndpointDestinationDescription": {
                "BufferingHints": {
                  "IntervalInSeconds": 0,
                  "SizeInMBs": 2
                },
                "CloudWatchLoggingOptions": {
                  "Enabled": false
                },
                "EndpointConfiguration": {
                  "Name": "A",
                  "Url": "https://a.example/"
                },
                "ProcessingConfiguration": {
                  "Enabled": false,
                  "Processors": []
                },
                "RequestConfiguration": {
                  "CommonAttributes": [
                    {
                      "AttributeName": "n",
                      "AttributeValue": "v"
                    }
                  ],
                  "ContentEncoding": "NONE"
                },
                "RetryOptions": {
                  "DurationInSeconds": 300
                },
                "S3BackupMode": "FailedDataOnly",
                "S3DestinationDescription": {
                  "BucketARN": "arn:aws:s3:::logs",
                  "BufferingHints": {
                    "IntervalInSeconds": 300,
                    "SizeInMBs": 5
                  },
                  "CloudWatchLoggingOptions": {
                    "Enabled": false
                  },
                  "CompressionFormat": "GZIP",
                  "EncryptionConfiguration": {
                    "NoEncryptionConfig": "NoEncryption"
                  },
                  "Prefix": "failed/",
                  "RoleARN": "arn:aws:iam::123456789012:role/firehose"
                },
                "SecretsManagerConfiguration": {
                  "Enabled": false
                }
              }
            }
          ],
          "HasMoreDestinations": false,
          "LastUpdateTimestamp": 1535365800.1,
          "VersionId": "2"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&f.described()).unwrap());
    let mut text = String::new();
    let http = "HttpEndpointDestinationUpdate";
    text += &f.refusal("UpdateDestination", update("1", http, json!({})));
    text += &f.refusal("UpdateDestination", update("x", http, json!({})));
    text += &f.refusal(
        "UpdateDestination",
        update("2", "ExtendedS3DestinationUpdate", json!({})),
    );
    text += &f.refusal(
        "UpdateDestination",
        update("2", "IcebergDestinationUpdate", json!({})),
    );
    text += &f.refusal("UpdateDestination", update("2", "Other", json!({})));
    let mut other = update("2", http, json!({}));
    other["DestinationId"] = json!("destinationId-000000000002");
    text += &f.refusal("UpdateDestination", other);
    text += &f.refusal(
        "UpdateDestination",
        update(
            "2",
            http,
            json!({ "RetryOptions": { "DurationInSeconds": -1 } }),
        ),
    );
    expect![[r#"
        400 ConcurrentModificationException: Cannot update firehose: s since the current version id: 2 and specified version id: 1 do not match
        400 ValidationException: 1 validation error detected: Value 'x' at 'currentDeliveryStreamVersionId' failed to satisfy constraint: Member must satisfy regular expression pattern: [0-9]+
        400 InvalidArgumentException: The type of a destination cannot be changed between Amazon S3 and an HTTP endpoint.
        400 InvalidArgumentException: IcebergDestinationUpdate is not supported.
        400 InvalidArgumentException: Exactly one destination configuration is supported for a Firehose
        400 InvalidArgumentException: Destination Id destinationId-000000000002 not found
        400 ValidationException: 1 validation error detected: Value '-1' at 'httpEndpointDestinationConfiguration.retryOptions.durationInSeconds' failed to satisfy constraint: Member must have value greater than or equal to 0
    "#]].assert_eq(&text);
}

#[test]
fn instances_do_not_choose_where_requests_go() {
    let f = fixture();
    let create = json!({ "DeliveryStreamName": "s", "HttpEndpointDestinationConfiguration": endpoint(json!({})) });
    let refused = f.call_by(Entrance::Instance, "CreateDeliveryStream", &create);
    assert!(
        refused.starts_with(r#"400 {"__type":"AccessDeniedException""#),
        "{refused}"
    );
    f.stream("HttpEndpoint", endpoint(json!({})));
    let update = json!({
        "DeliveryStreamName": "s", "CurrentDeliveryStreamVersionId": "1",
        "DestinationId": "destinationId-000000000001", "HttpEndpointDestinationUpdate": {},
    });
    let refused = f.call_by(Entrance::Instance, "UpdateDestination", &update);
    assert!(
        refused.starts_with(r#"400 {"__type":"AccessDeniedException""#),
        "{refused}"
    );
    let own = json!({ "DeliveryStreamName": "t", "S3DestinationConfiguration": bucket(json!({})) });
    assert!(
        f.call_by(Entrance::Instance, "CreateDeliveryStream", &own)
            .starts_with("200")
    );
}
