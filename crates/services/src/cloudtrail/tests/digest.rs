//! Digests tell of every file, are signed, and hang together.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rsa::PublicKey;
use rsa::pkcs1::DecodeRsaPublicKey as _;
use rsa::sha2::Sha256;
use sha2::Digest as _;

use super::*;
use crate::s3::hex;

const HOUR: u64 = 3600;
const DIGESTS: &str = "AWSLogs/123456789012/CloudTrail-Digest/";

/// A trail with validation, logging since `NOW`, with a file.
fn world() -> World {
    let world = World::new();
    world.allow();
    let input =
        json!({ "Name": "all", "S3BucketName": "trail-bucket", "EnableLogFileValidation": true });
    let made = world.call("us-east-1", "CreateTrail", input);
    assert_eq!(made["LogFileValidationEnabled"], true);
    world.call("us-east-1", "StartLogging", json!({ "Name": "all" }));
    world.history.add(scope("us-east-1"), "CreateVpc", NOW + 10);
    world.history.add(scope("us-east-1"), "DeleteVpc", NOW + 20);
    assert_eq!((world.deliver().files, world.keys(DIGESTS).len()), (1, 0));
    world
}

/// The digest's content, and its SHA-256.
fn read(world: &World, key: &str) -> (Value, String) {
    let text = world.text(key);
    let hash = hex(&sha2::Sha256::digest(&text));
    (serde_json::from_str(&text).unwrap(), hash)
}

#[test]
fn every_hour_has_a_digest_that_is_chained_to_the_one_before() {
    let world = world();
    assert_eq!(world.deliver_at(NOW + HOUR + 30, false).digests, 1);
    assert_eq!(world.deliver_at(NOW + 2 * HOUR - 1, false).digests, 0);
    // Also when nothing happened.
    assert_eq!(world.deliver_at(NOW + 2 * HOUR + 30, false).digests, 1);
    // And once for hours in which nothing ran.
    assert_eq!(world.deliver_at(NOW + 7 * HOUR, false).digests, 1);
    let keys = world.keys(DIGESTS);
    expect![[r#"
        AWSLogs/123456789012/CloudTrail-Digest/us-east-1/2026/10/01/123456789012_CloudTrail-Digest_us-east-1_all_us-east-1_20261001T130000Z.json.gz
        AWSLogs/123456789012/CloudTrail-Digest/us-east-1/2026/10/01/123456789012_CloudTrail-Digest_us-east-1_all_us-east-1_20261001T140000Z.json.gz
        AWSLogs/123456789012/CloudTrail-Digest/us-east-1/2026/10/01/123456789012_CloudTrail-Digest_us-east-1_all_us-east-1_20261001T190000Z.json.gz"#]]
    .assert_eq(&keys.join("\n"));

    let (first, first_hash) = read(&world, &keys[0]);
    let [file] = &first["logFiles"].as_array().unwrap()[..] else {
        panic!("{first}")
    };
    let log_file = world.text(file["s3Object"].as_str().unwrap());
    assert_eq!(file["hashValue"], hex(&sha2::Sha256::digest(&log_file)));
    assert_eq!(file["oldestEventTime"], "2026-10-01T12:00:10Z");
    assert_eq!(first["newestEventTime"], "2026-10-01T12:00:20Z");
    assert_eq!(first["digestStartTime"], "2026-10-01T12:00:00Z");
    assert_eq!(first["digestEndTime"], "2026-10-01T13:00:00Z");
    for (name, value) in first.as_object().unwrap() {
        assert!(!name.starts_with("previous") || value.is_null(), "{name}");
    }

    let (second, _) = read(&world, &keys[1]);
    assert_eq!(
        (&second["logFiles"], &second["newestEventTime"]),
        (&json!([]), &Value::Null)
    );
    assert_eq!(second["previousDigestS3Object"], keys[0]);
    assert_eq!(second["previousDigestHashValue"], first_hash);
    assert_eq!(second["digestStartTime"], first["digestEndTime"]);

    // What the second says of the first's signature is true of the text that is signed.
    let range = json!({ "StartTime": NOW, "EndTime": NOW + 8 * HOUR });
    let listed = world.call("us-east-1", "ListPublicKeys", range);
    let key = &listed["PublicKeyList"][0];
    assert_eq!(key["Fingerprint"], first["digestPublicKeyFingerprint"]);
    let der = STANDARD.decode(key["Value"].as_str().unwrap()).unwrap();
    let signed = format!(
        "2026-10-01T13:00:00Z\ntrail-bucket/{}\n{first_hash}\nnull",
        keys[0]
    );
    let signature = second["previousDigestSignature"].as_str().unwrap();
    let bytes = (0..signature.len()).step_by(2);
    let bytes: Vec<u8> = bytes
        .map(|at| u8::from_str_radix(&signature[at..at + 2], 16).unwrap())
        .collect();
    let public = PublicKey::from_pkcs1_der(&der).unwrap();
    public
        .pkcs1v15_verify::<Sha256>(signed.as_bytes(), &bytes)
        .unwrap();
    let other = json!({ "StartTime": NOW, "EndTime": NOW + HOUR });
    assert_eq!(
        world.call("eu-west-1", "ListPublicKeys", other)["PublicKeyList"],
        json!([])
    );
    let status = world.call("us-east-1", "GetTrailStatus", json!({ "Name": "all" }));
    assert_eq!(status["LatestDigestDeliveryTime"], NOW + 7 * HOUR);
}

#[test]
fn a_digest_that_could_not_be_written_is_written_as_it_was_to_be() {
    let mut world = world();
    world.s3.set_policy("trail-bucket", None).unwrap();
    assert_eq!(world.deliver_at(NOW + HOUR + 10, false).failed, 1);
    let status = world.call("us-east-1", "GetTrailStatus", json!({ "Name": "all" }));
    assert_eq!(status["LatestDigestDeliveryError"], "AccessDenied");
    // Hours later, by another daemon.
    world.trails = Trails::open(&world.folder.path().join("cloudtrail.sqlite")).unwrap();
    world.allow();
    assert_eq!(world.deliver_at(NOW + 3 * HOUR, false).digests, 1);
    let keys = world.keys(DIGESTS);
    let (digest, _) = read(&world, &keys[0]);
    assert_eq!(digest["digestEndTime"], "2026-10-01T13:00:00Z");
    assert_eq!(digest["logFiles"].as_array().unwrap().len(), 1);
    // The key is the same.
    assert_eq!(world.deliver_at(NOW + 4 * HOUR, false).digests, 1);
    let (next, _) = read(&world, &world.keys(DIGESTS)[1]);
    assert_eq!(
        next["digestPublicKeyFingerprint"],
        digest["digestPublicKeyFingerprint"]
    );
    assert_eq!(next["previousDigestS3Object"], keys[0]);
}

#[test]
fn a_digest_is_written_early_when_it_has_something_to_tell() {
    let world = world();
    assert_eq!(world.deliver_at(NOW + 90, true).digests, 1);
    assert_eq!(world.deliver_at(NOW + 95, true).digests, 0);
    // A trail that stops tells of its last files, and begins a new chain when it is started again.
    world
        .history
        .add(scope("us-east-1"), "CreateSubnet", NOW + 96);
    assert_eq!(world.deliver_at(NOW + 97, false).files, 1);
    assert_eq!(world.deliver_at(NOW + 97, true).digests, 1);
    world.call("us-east-1", "StopLogging", json!({ "Name": "all" }));
    world.call("us-east-1", "StartLogging", json!({ "Name": "all" }));
    world
        .history
        .add(scope("us-east-1"), "DeleteSubnet", NOW + 98);
    let delivered = world.deliver_at(NOW + 99, true);
    assert_eq!((delivered.files, delivered.digests), (1, 1));
    let (last, _) = read(&world, world.keys(DIGESTS).last().unwrap());
    assert_eq!(last["previousDigestS3Object"], Value::Null);
    let input = json!({ "Name": "all", "EnableLogFileValidation": false });
    assert_eq!(
        world.call("us-east-1", "UpdateTrail", input)["LogFileValidationEnabled"],
        false
    );
    assert_eq!(world.deliver_at(NOW + 9 * HOUR, true).digests, 0);
}

#[test]
fn other_regions_of_a_trail_have_digests_once_they_have_files() {
    let world = world();
    let all = json!({ "Name": "all", "IsMultiRegionTrail": true });
    world.call("us-east-1", "UpdateTrail", all);
    world.history.add(scope("eu-west-1"), "CreateVpc", NOW + 70);
    world.deliver_at(NOW + 80, false);
    assert_eq!(world.deliver_at(NOW + 2 * HOUR, false).digests, 2);
    let keys = world.keys(&format!("{DIGESTS}eu-west-1/"));
    let (digest, _) = read(&world, &keys[0]);
    let there = world.call(
        "eu-west-1",
        "ListPublicKeys",
        json!({ "StartTime": NOW, "EndTime": NOW + 3 * HOUR }),
    );
    assert_eq!(
        there["PublicKeyList"][0]["Fingerprint"],
        digest["digestPublicKeyFingerprint"]
    );
    let back = world.call(
        "eu-west-1",
        "ListPublicKeys",
        json!({ "StartTime": 2, "EndTime": 1 }),
    );
    assert_eq!(back["__type"], "InvalidTimeRangeException");
}
