//! Tests of the life of streams, and of whose they are.

use expect_test::expect;
use serde_json::json;

use super::*;

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
