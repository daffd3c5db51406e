//! Tests of log groups, streams, events and reading, through the actions.

use super::*;
use expect_test::expect;

const NOW: i64 = 1_700_000_000_000;
const DAY: i64 = 24 * 60 * 60 * 1000;

struct Fixture {
    logs: Logs,
    scope: Scope,
    _folder: tempfile::TempDir,
}

fn scope(account: &str) -> Scope {
    Scope {
        account: account.to_owned(),
        region: "eu-west-1".to_owned(),
    }
}

fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let logs = Logs::open(folder.path().join("logs.sqlite")).unwrap();
    Fixture {
        logs,
        scope: scope("123456789012"),
        _folder: folder,
    }
}

impl Fixture {
    #[expect(
        clippy::needless_pass_by_value,
        reason = "reads best where it is called"
    )]
    fn call(&self, operation: &str, input: Value) -> String {
        let body = input.to_string();
        let response = self.logs.call(&self.scope, operation, body.as_bytes(), NOW);
        format!(
            "{} {}",
            response.status,
            String::from_utf8(response.body).unwrap()
        )
    }

    fn output(&self, operation: &str, input: Value) -> Value {
        let text = self.call(operation, input);
        serde_json::from_str(
            text.strip_prefix("200 ")
                .unwrap_or_else(|| panic!("{text}")),
        )
        .unwrap()
    }

    fn with_stream(self) -> Self {
        assert_eq!(
            self.call("CreateLogGroup", serde_json::json!({"logGroupName": "g"})),
            "200 "
        );
        assert!(self.logs.ensure_stream(&self.scope, "g", "s", NOW).unwrap());
        self
    }

    fn put(&self, times: impl IntoIterator<Item = i64>) -> PutResult {
        let events: Vec<_> = times
            .into_iter()
            .map(|timestamp| InputLogEvent {
                timestamp,
                message: format!("m{}", timestamp - NOW),
            })
            .collect();
        self.logs
            .put_log_events(&self.scope, "g", "s", &events, NOW)
            .unwrap()
    }
}

fn messages(output: &Value) -> String {
    let events = output["events"].as_array().unwrap();
    events
        .iter()
        .map(|event| event["message"].as_str().unwrap())
        .collect::<Vec<_>>()
        .join(" ")
}

use serde_json::json;

#[test]
fn groups_live_in_an_account_and_region() {
    let fixture = fixture();
    let create = json!({"logGroupName": "/vpc/a", "tags": {"k": "v"}, "other": 1});
    assert_eq!(fixture.call("CreateLogGroup", create.clone()), "200 ");
    expect![[r#"400 {"__type":"ResourceAlreadyExistsException","message":"The specified log group already exists"}"#]]
        .assert_eq(&fixture.call("CreateLogGroup", create));
    fixture.call("CreateLogGroup", json!({"logGroupName": "/vpc/b"}));
    fixture.call(
        "PutRetentionPolicy",
        json!({"logGroupName": "/vpc/a", "retentionInDays": 7}),
    );
    expect![[r#"{"logGroups":[{"arn":"arn:aws:logs:eu-west-1:123456789012:log-group:/vpc/a:*","creationTime":1700000000000,"deletionProtectionEnabled":false,"logGroupArn":"arn:aws:logs:eu-west-1:123456789012:log-group:/vpc/a","logGroupClass":"STANDARD","logGroupName":"/vpc/a","metricFilterCount":0,"retentionInDays":7,"storedBytes":0}],"nextToken":"g1:/vpc/a"}"#]]
        .assert_eq(&fixture.output("DescribeLogGroups", json!({"limit": 1})).to_string());
    let next = fixture.output("DescribeLogGroups", json!({"nextToken": "g1:/vpc/a"}));
    assert_eq!(next["logGroups"][0]["logGroupName"], "/vpc/b");
    assert!(next.get("nextToken").is_none());
    let other = fixture
        .logs
        .call(&scope("210987654321"), "DescribeLogGroups", b"{}", NOW);
    assert_eq!(other.body, br#"{"logGroups":[]}"#);

    let arn = "arn:aws:logs:eu-west-1:123456789012:log-group:/vpc/a";
    fixture.call(
        "TagResource",
        json!({"resourceArn": arn, "tags": {"x": "y"}}),
    );
    fixture.call(
        "UntagLogGroup",
        json!({"logGroupName": "/vpc/a", "tags": ["k"]}),
    );
    expect![[r#"200 {"tags":{"x":"y"}}"#]]
        .assert_eq(&fixture.call("ListTagsForResource", json!({"resourceArn": arn})));
    fixture.call("DeleteLogGroup", json!({"logGroupName": "/vpc/a"}));
    expect![[r#"400 {"__type":"ResourceNotFoundException","message":"The specified log group does not exist."}"#]]
        .assert_eq(&fixture.call("DeleteLogGroup", json!({"logGroupName": "/vpc/a"})));
}

#[test]
fn input_that_is_refused() {
    let fixture = fixture().with_stream();
    let mut all = String::new();
    for (operation, input) in [
        ("NoSuchOperation", json!({})),
        ("CreateLogGroup", json!({"logGroupName": 1})),
        ("CreateLogGroup", json!([])),
        ("CreateLogGroup", json!({})),
        ("CreateLogGroup", json!({"logGroupName": "a b"})),
        (
            "CreateLogStream",
            json!({"logGroupName": "g", "logStreamName": "a:b"}),
        ),
        (
            "CreateLogStream",
            json!({"logGroupName": "g", "logStreamName": "s"}),
        ),
        ("DescribeLogGroups", json!({"limit": 51})),
        (
            "DescribeLogStreams",
            json!({"logGroupName": "g", "orderBy": "LastEventTime", "logStreamNamePrefix": "s"}),
        ),
        (
            "PutLogEvents",
            json!({"logGroupName": "g", "logStreamName": "s", "logEvents": []}),
        ),
        (
            "PutLogEvents",
            json!({"logGroupName": "g", "logStreamName": "s", "logEvents": [{"timestamp": 1}]}),
        ),
        (
            "GetLogEvents",
            json!({"logGroupName": "g", "logStreamName": "t"}),
        ),
        (
            "GetLogEvents",
            json!({"logGroupName": "g", "logStreamName": "s", "nextToken": "f/é/s"}),
        ),
        (
            "FilterLogEvents",
            json!({"logGroupName": "g", "filterPattern": "[a"}),
        ),
    ] {
        all.push_str(&format!(
            "{operation}: {}\n",
            fixture.call(operation, input)
        ));
    }
    expect![[r#"
        NoSuchOperation: 400 {"__type":"UnknownOperationException"}
        CreateLogGroup: 400 {"__type":"SerializationException","message":"invalid type: integer `1`, expected a string at line 1 column 17"}
        CreateLogGroup: 400 {"__type":"SerializationException","message":"Start of structure or map found where not expected."}
        CreateLogGroup: 400 {"__type":"InvalidParameterException","message":"1 validation error detected: Value null at 'logGroupName' failed to satisfy constraint: Member must not be null"}
        CreateLogGroup: 400 {"__type":"InvalidParameterException","message":"1 validation error detected: Value 'a b' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"}
        CreateLogStream: 400 {"__type":"InvalidParameterException","message":"1 validation error detected: Value 'a:b' at 'logStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [^:*]*"}
        CreateLogStream: 400 {"__type":"ResourceAlreadyExistsException","message":"The specified log stream already exists"}
        DescribeLogGroups: 400 {"__type":"InvalidParameterException","message":"1 validation error detected: Value '51' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 50"}
        DescribeLogStreams: 400 {"__type":"InvalidParameterException","message":"Cannot order by LastEventTime with a logStreamNamePrefix."}
        PutLogEvents: 400 {"__type":"InvalidParameterException","message":"1 validation error detected: Value '[0 events]' at 'logEvents' failed to satisfy constraint: Member must have length between 1 and 10000"}
        PutLogEvents: 400 {"__type":"InvalidParameterException","message":"1 validation error detected: Value 'null' at 'logEvents.1.member.message' failed to satisfy constraint: Member must not be null"}
        GetLogEvents: 400 {"__type":"ResourceNotFoundException","message":"The specified log stream does not exist."}
        GetLogEvents: 400 {"__type":"InvalidParameterException","message":"The specified nextToken is invalid."}
        FilterLogEvents: 400 {"__type":"InvalidParameterException","message":"Invalid filter pattern: the closing bracket is missing"}
    "#]].assert_eq(&all);
}

#[test]
fn batches_are_checked_and_their_events_dropped_singly() {
    let fixture = fixture().with_stream();
    let put = |events: &[(i64, usize)]| {
        let events: Vec<_> = events
            .iter()
            .map(|(timestamp, length)| InputLogEvent {
                timestamp: *timestamp,
                message: "x".repeat(*length),
            })
            .collect();
        fixture
            .logs
            .put_log_events(&fixture.scope, "g", "s", &events, NOW)
    };
    let mut all = String::new();
    for refused in [
        put(&[(NOW, 1), (NOW - 1, 1)]),
        put(&[(NOW - DAY - 1, 1), (NOW, 1)]),
        put(&[(NOW, 0)]),
        put(&[(NOW, 1_048_576)]),
        put(&[(NOW, 524_288), (NOW, 524_288)]),
        put(&[]),
    ] {
        all.push_str(&format!("{}\n", refused.unwrap_err()));
    }
    expect![[r#"
        Log events in a single PutLogEvents request must be in chronological order.
        The batch of log events in a single PutLogEvents request cannot span more than 24 hours.
        1 validation error detected: Value '' at 'logEvents.1.member.message' failed to satisfy constraint: Member must have length greater than or equal to 1
        Log event too large: 1048602 bytes exceeds limit of 1048576
        Upload too large: 1048628 bytes exceeds limit of 1048576
        1 validation error detected: Value '[0 events]' at 'logEvents' failed to satisfy constraint: Member must have length between 1 and 10000
    "#]].assert_eq(&all);
    assert_eq!(
        put(&vec![(NOW, 1); 10_001]).unwrap_err().error_type(),
        "InvalidParameterException"
    );

    let hours = |hours: i64| NOW + hours * 60 * 60 * 1000;
    let info = |put: PutResult| put.rejected_log_events_info.unwrap();
    assert_eq!(
        info(fixture.put([hours(0), hours(3)])).too_new_log_event_start_index,
        Some(1)
    );
    let old = [NOW - 14 * DAY - 1, NOW - 14 * DAY];
    assert_eq!(info(fixture.put(old)).too_old_log_event_end_index, Some(1));
    fixture.call(
        "PutRetentionPolicy",
        json!({"logGroupName": "g", "retentionInDays": 1}),
    );
    let old = [NOW - DAY - 1, NOW - DAY];
    assert_eq!(info(fixture.put(old)).expired_log_event_end_index, Some(1));
    assert_eq!(fixture.put([NOW]).rejected_log_events_info, None);

    let missing = |group: &str, stream: &str| {
        let event = InputLogEvent {
            timestamp: NOW,
            message: "m".to_owned(),
        };
        fixture
            .logs
            .put_log_events(&fixture.scope, group, stream, &[event], NOW)
            .unwrap_err()
    };
    assert_eq!(
        missing("none", "s").to_string(),
        "The specified log group does not exist."
    );
    assert_eq!(
        missing("g", "none").to_string(),
        "The specified log stream does not exist."
    );
}

#[test]
fn pages_of_a_stream_go_both_ways() {
    let fixture = fixture().with_stream();
    fixture.put(NOW..NOW + 5);
    let get = |extra: Value| {
        let mut input = json!({"logGroupName": "g", "logStreamName": "s", "limit": 2});
        for (key, value) in extra.as_object().unwrap() {
            input[key] = value.clone();
        }
        fixture.output("GetLogEvents", input)
    };
    let newest = get(json!({}));
    assert_eq!(messages(&newest), "m3 m4");
    let older = get(json!({"nextToken": newest["nextBackwardToken"]}));
    assert_eq!(messages(&older), "m1 m2");
    assert_eq!(
        messages(&get(json!({"nextToken": older["nextForwardToken"]}))),
        "m3 m4"
    );
    let oldest = get(json!({"nextToken": older["nextBackwardToken"]}));
    assert_eq!(messages(&oldest), "m0");
    let end = get(json!({"nextToken": oldest["nextBackwardToken"]}));
    assert_eq!(
        (messages(&end), &end["nextBackwardToken"]),
        (String::new(), &oldest["nextBackwardToken"])
    );

    let last = get(json!({"nextToken": newest["nextForwardToken"]}));
    assert_eq!(
        (messages(&last), &last["nextForwardToken"]),
        (String::new(), &newest["nextForwardToken"])
    );
    fixture.put([NOW + 9]);
    assert_eq!(
        messages(&get(json!({"nextToken": last["nextForwardToken"]}))),
        "m9"
    );
    let window = json!({"startTime": NOW + 1, "endTime": NOW + 2, "startFromHead": true});
    assert_eq!(messages(&get(window)), "m1");
}

#[test]
fn filtered_events_are_merged_by_time_and_paged() {
    let fixture = fixture().with_stream();
    fixture
        .logs
        .ensure_stream(&fixture.scope, "g", "t", NOW)
        .unwrap();
    fixture.put([NOW, NOW + 2, NOW + 4]);
    let other = [NOW + 1, NOW + 3].map(|timestamp| InputLogEvent {
        timestamp,
        message: format!("t{}", timestamp - NOW),
    });
    fixture
        .logs
        .put_log_events(&fixture.scope, "g", "t", &other, NOW)
        .unwrap();
    let filter = |extra: Value| {
        let mut input = json!({"logGroupName": "g"});
        for (key, value) in extra.as_object().unwrap() {
            input[key] = value.clone();
        }
        fixture.output("FilterLogEvents", input)
    };
    let first = filter(json!({"limit": 3, "interleaved": true}));
    assert_eq!(messages(&first), "m0 t1 m2");
    let second = filter(json!({"limit": 3, "nextToken": first["nextToken"]}));
    assert_eq!(messages(&second), "t3 m4");
    assert!(second.get("nextToken").is_none());
    assert_eq!(messages(&filter(json!({"logStreamNames": ["t"]}))), "t1 t3");
    assert_eq!(
        messages(&filter(
            json!({"logStreamNamePrefix": "s", "filterPattern": "m2"})
        )),
        "m2"
    );
    assert_eq!(messages(&filter(json!({"filterPattern": "-m"}))), "t1 t3");
    expect![[r#"{"eventId":"00000000000000000000000001700000000001000000000000000004","ingestionTime":1700000000000,"logStreamName":"t","message":"t1","timestamp":1700000000001}"#]]
        .assert_eq(&first["events"][1].to_string());
}

#[test]
fn streams_are_listed_by_name_and_by_time() {
    let fixture = fixture().with_stream();
    for stream in ["b", "a", "s2"] {
        fixture
            .logs
            .ensure_stream(&fixture.scope, "g", stream, NOW)
            .unwrap();
    }
    assert!(
        !fixture
            .logs
            .ensure_stream(&fixture.scope, "g", "a", NOW)
            .unwrap()
    );
    fixture.put([NOW]);
    let names = |extra: Value| {
        let mut input = json!({"logGroupName": "g"});
        for (key, value) in extra.as_object().unwrap() {
            input[key] = value.clone();
        }
        let output = fixture.output("DescribeLogStreams", input);
        let streams = output["logStreams"].as_array().unwrap();
        let names: Vec<_> = streams
            .iter()
            .map(|s| s["logStreamName"].as_str().unwrap())
            .collect();
        (names.join(" "), output["nextToken"].clone())
    };
    assert_eq!(names(json!({"logStreamNamePrefix": "s"})).0, "s s2");
    assert_eq!(
        names(json!({"orderBy": "LastEventTime", "descending": true, "limit": 1})).0,
        "s"
    );
    let (page, token) = names(json!({"limit": 3}));
    assert_eq!(page, "a b s");
    assert_eq!(names(json!({"limit": 3, "nextToken": token})).0, "s2");
    let output = fixture.output(
        "DescribeLogStreams",
        json!({"logGroupName": "g", "logStreamNamePrefix": "s"}),
    );
    expect![[r#"{"arn":"arn:aws:logs:eu-west-1:123456789012:log-group:g:log-stream:s","creationTime":1700000000000,"firstEventTimestamp":1700000000000,"lastEventTimestamp":1700000000000,"lastIngestionTime":1700000000000,"logStreamName":"s","storedBytes":0,"uploadSequenceToken":"49000000000000000000000000010000000000000000000000000001"}"#]]
        .assert_eq(&output["logStreams"][0].to_string());
}

#[test]
fn retention_hides_and_then_removes_events() {
    let fixture = fixture().with_stream();
    fixture.put([NOW - 2 * DAY]);
    fixture.put([NOW]);
    let all = json!({"logGroupName": "g", "logStreamName": "s"});
    assert_eq!(
        messages(&fixture.output("GetLogEvents", all.clone())),
        "m-172800000 m0"
    );
    fixture.call(
        "PutRetentionPolicy",
        json!({"logGroupName": "g", "retentionInDays": 1}),
    );
    assert_eq!(messages(&fixture.output("GetLogEvents", all.clone())), "m0");
    assert_eq!(
        messages(&fixture.output("FilterLogEvents", json!({"logGroupName": "g"}))),
        "m0"
    );
    assert_eq!(fixture.logs.sweep(NOW).unwrap(), 1);
    fixture.call("DeleteRetentionPolicy", json!({"logGroupName": "g"}));
    assert_eq!(messages(&fixture.output("GetLogEvents", all)), "m0");
}

#[test]
fn what_was_stored_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/logs.sqlite");
    let scope = scope("123456789012");
    let logs = Logs::open(&path).unwrap();
    logs.call(&scope, "CreateLogGroup", br#"{"logGroupName":"g"}"#, NOW);
    drop(logs);
    let logs = Logs::open(&path).unwrap();
    assert!(logs.ensure_stream(&scope, "g", "s", NOW).unwrap());
    let missing = logs.ensure_stream(&scope, "none", "s", NOW).unwrap_err();
    assert_eq!(missing.error_type(), "ResourceNotFoundException");
}

#[test]
fn a_metric_filter_can_be_tried() {
    let input = json!({"filterPattern": "[ip, ..., status = 404]", "logEventMessages": ["h x 404", "h x 200"]});
    expect![[r#"200 {"matches":[{"eventMessage":"h x 404","eventNumber":1,"extractedValues":{"$2":"x","$ip":"h","$status":"404"}}]}"#]]
        .assert_eq(&fixture().call("TestMetricFilter", input));
}
