//! The history is found, trails deliver it once.

mod digest;

use std::io::Read as _;
use std::sync::Mutex;

use cloudtrail::{Call as ApiCall, Caller, Event, EventAttribute, EventQuery, Numbered};
use expect_test::{Expect, expect};
use flate2::read::GzDecoder;
use model::{Scope, Timestamp};
use serde_json::{Value, json};

use super::{Delivered, History, Trails};
use crate::s3::S3;

const NOW: u64 = 1_790_856_000;

#[derive(Default)]
struct Memory(Mutex<Vec<Event>>);

impl Memory {
    fn add(&self, scope: Scope, name: &str, at: u64) {
        let mut events = self.0.lock().unwrap();
        let call = ApiCall {
            at: Timestamp::from_secs(at),
            scope,
            caller: Caller {
                account: scope.account.to_string(),
                arn: format!("arn:aws:iam::{}:root", scope.account),
                principal_arn: format!("arn:aws:iam::{}:root", scope.account),
                user_id: scope.account.to_string(),
                access_key_id: "AKIAEXAMPLE".to_owned(),
                session_began: None,
            },
            source_ip: "127.0.0.1".to_owned(),
            user_agent: None,
            event_source: "ec2.amazonaws.com",
            event_name: name.to_owned(),
            parameters: json!({ "vpcId": "vpc-0123456789abcdef0" }),
            outcome: Ok(Value::Null),
            request_id: "r".to_owned(),
            event_id: format!("event-{}", events.len() + 1),
            tls: None,
            endpoint: None,
        };
        events.push(call.event());
    }

    fn numbered(&self) -> Vec<Numbered> {
        let events = self.0.lock().unwrap();
        let numbers = 1..;
        numbers
            .zip(events.iter().cloned())
            .map(|(seq, event)| Numbered { seq, event })
            .collect()
    }
}

impl History for Memory {
    fn find(&self, query: &EventQuery) -> Result<Vec<Numbered>, String> {
        let mut found = self.numbered();
        found.retain(|n| {
            let matches = match &query.attribute {
                Some(EventAttribute::EventName(name)) => n.event.event_name == *name,
                _ => true,
            };
            let before = query.before.is_none_or(|b| (n.event.at, n.seq) < b);
            matches
                && before
                && n.event.scope == query.scope
                && (query.from..=query.to).contains(&n.event.at)
        });
        found.reverse();
        found.truncate(query.limit);
        Ok(found)
    }

    fn after(&self, seq: u64, limit: usize) -> Result<Vec<Numbered>, String> {
        let events = self.numbered().into_iter();
        Ok(events.filter(|n| n.seq > seq).take(limit).collect())
    }

    fn last(&self) -> Result<u64, String> {
        Ok(self.0.lock().unwrap().len() as u64)
    }
}

fn scope(region: &str) -> Scope {
    Scope {
        account: "123456789012".parse().unwrap(),
        region: region.parse().unwrap(),
    }
}

struct World {
    folder: tempfile::TempDir,
    trails: Trails,
    s3: S3,
    history: Memory,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let trails = Trails::open(&folder.path().join("cloudtrail.sqlite")).unwrap();
        let s3 = S3::open(folder.path().join("s3")).unwrap();
        s3.create_bucket("trail-bucket", "123456789012", "us-east-1")
            .unwrap();
        Self {
            folder,
            trails,
            s3,
            history: Memory::default(),
        }
    }

    fn allow(&self) {
        let policy = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "Service": "cloudtrail.amazonaws.com" },
            "Action": "s3:PutObject", "Resource": "arn:aws:s3:::trail-bucket/AWSLogs/123456789012/*",
            "Condition": { "StringEquals": {
                "s3:x-amz-acl": "bucket-owner-full-control",
                "aws:SourceArn": "arn:aws:cloudtrail:us-east-1:123456789012:trail/all",
            } },
        }]});
        self.s3
            .set_policy("trail-bucket", Some(&policy.to_string()))
            .unwrap();
    }

    fn call(&self, region: &str, operation: &str, input: Value) -> Value {
        let body = serde_json::to_vec(&input).unwrap();
        drop(input);
        let now = Timestamp::from_secs(NOW);
        let answer = self.trails.call(
            scope(region),
            operation,
            &body,
            now,
            &self.history,
            &self.s3,
        );
        serde_json::from_slice(&answer.body).unwrap()
    }

    fn deliver(&self) -> Delivered {
        self.deliver_at(NOW + 60, false)
    }

    fn deliver_at(&self, at: u64, digests: bool) -> Delivered {
        let now = Timestamp::from_secs(at);
        self.trails.deliver(now, digests, &self.history, &self.s3)
    }

    fn keys(&self, prefix: &str) -> Vec<String> {
        let objects = self.s3.list_objects("trail-bucket", prefix).unwrap();
        objects.into_iter().map(|object| object.key).collect()
    }

    fn text(&self, key: &str) -> String {
        let body = self.s3.get_object("trail-bucket", key).unwrap().bytes;
        let mut text = String::new();
        GzDecoder::new(&*body).read_to_string(&mut text).unwrap();
        text
    }
}

fn check(actual: &Value, expected: &Expect) {
    expected.assert_eq(&actual.to_string());
}

#[test]
fn the_history_is_looked_up_newest_first_and_in_pages() {
    let world = World::new();
    for (i, name) in ["CreateVpc", "DescribeVpcs", "DeleteVpc"]
        .iter()
        .enumerate()
    {
        world
            .history
            .add(scope("us-east-1"), name, NOW - 100 + i as u64);
    }
    world.history.add(scope("eu-west-1"), "CreateVpc", NOW - 1);
    let names = |answer: &Value| -> Vec<String> {
        let events = answer["Events"].as_array().unwrap().iter();
        events
            .map(|e| e["EventName"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = world.call("us-east-1", "LookupEvents", json!({ "MaxResults": 2 }));
    assert_eq!(names(&first), ["DeleteVpc", "DescribeVpcs"]);
    assert_eq!(first["Events"][1]["ReadOnly"], "true");
    let record: Value =
        serde_json::from_str(first["Events"][0]["CloudTrailEvent"].as_str().unwrap()).unwrap();
    assert_eq!(record["eventName"], "DeleteVpc");
    let next = json!({ "MaxResults": 2, "NextToken": first["NextToken"] });
    let second = world.call("us-east-1", "LookupEvents", next);
    assert_eq!(names(&second), ["CreateVpc"]);
    assert!(second.get("NextToken").is_none());
    let by_name = json!({ "LookupAttributes": [{ "AttributeKey": "EventName", "AttributeValue": "CreateVpc" }] });
    assert_eq!(
        names(&world.call("us-east-1", "LookupEvents", by_name)),
        ["CreateVpc"]
    );
    let in_time = json!({ "StartTime": NOW - 99, "EndTime": NOW - 99 });
    assert_eq!(
        names(&world.call("us-east-1", "LookupEvents", in_time)),
        ["DescribeVpcs"]
    );
}

#[test]
fn what_cannot_be_looked_up_is_refused() {
    let world = World::new();
    let attribute = |key: &str, value: &str| json!({ "LookupAttributes": [{ "AttributeKey": key, "AttributeValue": value }] });
    let mut answers = String::new();
    for input in [
        json!({ "MaxResults": 51 }),
        json!({ "StartTime": 2, "EndTime": 1 }),
        json!({ "NextToken": "x" }),
        json!({ "EventCategory": "data" }),
        attribute("Colour", "red"),
        attribute("ReadOnly", "maybe"),
        attribute("EventName", ""),
        json!({ "LookupAttributes": [{}, {}] }),
        json!({ "MaxResults": "many" }),
    ] {
        let answer = world.call("us-east-1", "LookupEvents", input);
        answers += &format!("{}\n", answer["__type"].as_str().unwrap());
    }
    expect![[r#"
        InvalidMaxResultsException
        InvalidTimeRangeException
        InvalidNextTokenException
        InvalidEventCategoryException
        InvalidLookupAttributesException
        InvalidLookupAttributesException
        InvalidLookupAttributesException
        InvalidLookupAttributesException
        SerializationException
    "#]]
    .assert_eq(&answers);
}

#[test]
fn a_trail_needs_a_bucket_that_lets_it_write() {
    let world = World::new();
    let create = |bucket: &str| json!({ "Name": "all", "S3BucketName": bucket });
    check(
        &world.call("us-east-1", "CreateTrail", create("nowhere")),
        &expect![[
            r#"{"__type":"S3BucketDoesNotExistException","message":"S3 bucket nowhere does not exist!"}"#
        ]],
    );
    check(
        &world.call("us-east-1", "CreateTrail", create("trail-bucket")),
        &expect![[
            r#"{"__type":"InsufficientS3BucketPolicyException","message":"Incorrect S3 bucket policy is detected for bucket: trail-bucket"}"#
        ]],
    );
    world.allow();
    check(
        &world.call("us-east-1", "CreateTrail", create("trail-bucket")),
        &expect![[
            r#"{"IncludeGlobalServiceEvents":true,"IsMultiRegionTrail":false,"IsOrganizationTrail":false,"LogFileValidationEnabled":false,"Name":"all","S3BucketName":"trail-bucket","TrailARN":"arn:aws:cloudtrail:us-east-1:123456789012:trail/all"}"#
        ]],
    );
    check(
        &world.call("us-east-1", "CreateTrail", create("trail-bucket")),
        &expect![[
            r#"{"__type":"TrailAlreadyExistsException","message":"Trail all already exists for customer: 123456789012"}"#
        ]],
    );
    for (name, code) in [
        ("a", "InvalidTrailNameException"),
        ("-ab", "InvalidTrailNameException"),
        ("a..b", "InvalidTrailNameException"),
        ("10.0.0.1", "InvalidTrailNameException"),
    ] {
        let answer = world.call(
            "us-east-1",
            "CreateTrail",
            json!({ "Name": name, "S3BucketName": "trail-bucket" }),
        );
        assert_eq!(answer["__type"], code, "{name}");
    }
    check(
        &world.call("eu-west-1", "StartLogging", json!({ "Name": "all" })),
        &expect![[
            r#"{"__type":"TrailNotFoundException","message":"Unknown trail: arn:aws:cloudtrail:eu-west-1:123456789012:trail/all for the user: 123456789012"}"#
        ]],
    );
}

#[test]
fn a_trail_of_all_regions_is_seen_in_each_and_changed_at_home() {
    let world = World::new();
    world.allow();
    let input = json!({ "Name": "all", "S3BucketName": "trail-bucket", "IsMultiRegionTrail": true, "TagsList": [{ "Key": "a", "Value": "b" }] });
    let arn = world.call("us-east-1", "CreateTrail", input)["TrailARN"].clone();
    let list = world.call("eu-west-1", "DescribeTrails", json!({}));
    assert_eq!(list["trailList"][0]["HomeRegion"], "us-east-1");
    let none = world.call(
        "eu-west-1",
        "DescribeTrails",
        json!({ "includeShadowTrails": false }),
    );
    assert_eq!(none["trailList"], json!([]));
    let refused = world.call("eu-west-1", "DeleteTrail", json!({ "Name": arn }));
    assert_eq!(refused["__type"], "InvalidHomeRegionException");
    let tags = world.call("eu-west-1", "ListTags", json!({ "ResourceIdList": [arn] }));
    assert_eq!(
        tags["ResourceTagList"][0]["TagsList"],
        json!([{ "Key": "a", "Value": "b" }])
    );
    assert_eq!(
        world.call("us-east-1", "DeleteTrail", json!({ "Name": arn })),
        json!({})
    );
}

#[test]
fn files_have_what_happened_since_the_trail_was_started_once() {
    let world = World::new();
    world.allow();
    world.call(
        "us-east-1",
        "CreateTrail",
        json!({ "Name": "all", "S3BucketName": "trail-bucket", "IsMultiRegionTrail": true }),
    );
    let selectors =
        json!({ "TrailName": "all", "EventSelectors": [{ "ReadWriteType": "WriteOnly" }] });
    world.call("us-east-1", "PutEventSelectors", selectors);
    world.history.add(scope("us-east-1"), "CreateVpc", NOW);
    assert_eq!(world.deliver(), Delivered::default());
    world.call("us-east-1", "StartLogging", json!({ "Name": "all" }));
    world.history.add(scope("us-east-1"), "CreateSubnet", NOW);
    world
        .history
        .add(scope("us-east-1"), "DescribeSubnets", NOW);
    world.history.add(scope("eu-west-1"), "DeleteVpc", NOW);
    let other = Scope {
        account: "210987654321".parse().unwrap(),
        ..scope("us-east-1")
    };
    world.history.add(other, "CreateVpc", NOW);
    assert_eq!(
        world.deliver(),
        Delivered {
            files: 2,
            events: 2,
            ..Delivered::default()
        }
    );
    assert_eq!(world.deliver(), Delivered::default());

    let keys = world.keys("");
    expect![[r#"
        AWSLogs/123456789012/CloudTrail/eu-west-1/2026/10/01/123456789012_CloudTrail_eu-west-1_20261001T1201Z_
        AWSLogs/123456789012/CloudTrail/us-east-1/2026/10/01/123456789012_CloudTrail_us-east-1_20261001T1201Z_"#]]
    .assert_eq(&keys.iter().map(|key| &key[..key.len() - "0123456789abcdef.json.gz".len()]).collect::<Vec<_>>().join("\n"));
    let file: Value = serde_json::from_str(&world.text(&keys[1])).unwrap();
    assert_eq!(file["Records"][0]["eventName"], "CreateSubnet");

    // A bucket that has closed holds the trail up, and loses nothing.
    world.s3.set_policy("trail-bucket", None).unwrap();
    world.history.add(scope("us-east-1"), "CreateRoute", NOW);
    assert_eq!(
        world.deliver(),
        Delivered {
            failed: 1,
            ..Delivered::default()
        }
    );
    let status = world.call("us-east-1", "GetTrailStatus", json!({ "Name": "all" }));
    assert_eq!(
        (&status["IsLogging"], &status["LatestDeliveryError"]),
        (&json!(true), &json!("AccessDenied"))
    );
    world.allow();
    assert_eq!(
        world.deliver(),
        Delivered {
            files: 1,
            events: 1,
            ..Delivered::default()
        }
    );
}

#[test]
fn advanced_selectors_choose_by_fields() {
    let world = World::new();
    world.allow();
    world.call(
        "us-east-1",
        "CreateTrail",
        json!({ "Name": "all", "S3BucketName": "trail-bucket" }),
    );
    let put = |selectors: Value| {
        world.call(
            "us-east-1",
            "PutEventSelectors",
            json!({ "TrailName": "all", "AdvancedEventSelectors": selectors }),
        )
    };
    let field = |field: &str, values: &[&str]| json!({ "Field": field, "Equals": values });
    let refused = put(json!([{ "FieldSelectors": [field("colour", &["red"])] }]));
    assert_eq!(refused["__type"], "InvalidEventSelectorsException");
    let refused =
        put(json!([{ "FieldSelectors": [field("eventCategory", &["NetworkActivity"])] }]));
    assert_eq!(refused["__type"], "InvalidEventSelectorsException");
    put(json!([
        { "FieldSelectors": [field("eventCategory", &["Management"]), { "Field": "eventName", "StartsWith": ["Delete"] }] },
        { "FieldSelectors": [field("eventCategory", &["NetworkActivity"]), field("eventSource", &["ec2.amazonaws.com"])] },
    ]));
    world.call("us-east-1", "StartLogging", json!({ "Name": "all" }));
    assert!(
        world
            .trails
            .wants_network_activity(scope("us-east-1"), "ec2.amazonaws.com")
    );
    assert!(
        !world
            .trails
            .wants_network_activity(scope("us-east-1"), "s3.amazonaws.com")
    );
    assert!(
        !world
            .trails
            .wants_network_activity(scope("eu-west-1"), "ec2.amazonaws.com")
    );
    world.history.add(scope("us-east-1"), "CreateVpc", NOW);
    world.history.add(scope("us-east-1"), "DeleteVpc", NOW);
    assert_eq!(
        world.deliver(),
        Delivered {
            files: 1,
            events: 1,
            ..Delivered::default()
        }
    );
}
