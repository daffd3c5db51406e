//! Tests of tags and encryption.

use expect_test::expect;
use serde_json::json;

use super::*;

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
    let enabled = json!([{ "Key": "LogDeliveryEnabled", "Value": "true" }]);
    assert_eq!(tag(enabled), "200 {}");
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
