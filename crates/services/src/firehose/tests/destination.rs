//! Tests of what destinations can be, and of changing them.

use expect_test::expect;
use serde_json::json;

use super::*;

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
