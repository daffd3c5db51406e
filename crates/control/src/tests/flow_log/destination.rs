//! Destinations: Firehose, and when two are the same.

use ec2_api::*;
use expect_test::expect;

use super::{describe, refusals, to_firehose, to_logs, to_s3, with};
use crate::tests::{Fixture, answer, show, text};

const THEIRS: &str = "arn:aws:firehose:us-east-1:444455556666:deliverystream/records";
const HERE: &str = "arn:aws:iam::111122223333:role/flow-logs";
const THERE: &str =
    "arn:aws:iam::444455556666:role/logs/AWSLogDeliveryFirehoseCrossAccountRole-records";

#[test]
fn streams_of_this_account_and_another() {
    let mut fixture = Fixture::new();
    let own = to_firehose(&fixture);
    let colon = with(&own, |r| {
        r.log_destination = text("arn:aws:firehose:us-east-1:111122223333:deliverystream:a_b-c.d");
    });
    let theirs = with(&own, |r| {
        r.log_destination = text(THEIRS);
        r.deliver_logs_permission_arn = text(HERE);
        r.deliver_cross_account_role = text(THERE);
    });
    let mut out = String::new();
    for request in [own, colon, theirs] {
        answer!(fixture, CreateFlowLogs, request);
    }
    for flow_log in describe(&mut fixture) {
        let shown = FlowLog {
            log_format: None,
            ..flow_log
        };
        out += &show(&shown);
    }
    expect![[r#"
        FlowLog {
          creation_time: "2024-05-01T10:00:00.000Z",
          deliver_logs_status: "SUCCESS",
          flow_log_id: "fl-00000000000000017",
          flow_log_status: "ACTIVE",
          resource_id: "vpc-00000000000000002",
          traffic_type: "ALL",
          log_destination_type: "kinesis-data-firehose",
          log_destination: "arn:aws:firehose:us-east-1:111122223333:deliverystream/records",
          max_aggregation_interval: 600,
        }
        FlowLog {
          creation_time: "2024-05-01T10:00:00.000Z",
          deliver_logs_status: "SUCCESS",
          flow_log_id: "fl-00000000000000018",
          flow_log_status: "ACTIVE",
          resource_id: "vpc-00000000000000002",
          traffic_type: "ALL",
          log_destination_type: "kinesis-data-firehose",
          log_destination: "arn:aws:firehose:us-east-1:111122223333:deliverystream:a_b-c.d",
          max_aggregation_interval: 600,
        }
        FlowLog {
          creation_time: "2024-05-01T10:00:00.000Z",
          deliver_logs_permission_arn: "arn:aws:iam::111122223333:role/flow-logs",
          deliver_cross_account_role: "arn:aws:iam::444455556666:role/logs/AWSLogDeliveryFirehoseCrossAccountRole-records",
          deliver_logs_status: "SUCCESS",
          flow_log_id: "fl-00000000000000019",
          flow_log_status: "ACTIVE",
          resource_id: "vpc-00000000000000002",
          traffic_type: "ALL",
          log_destination_type: "kinesis-data-firehose",
          log_destination: "arn:aws:firehose:us-east-1:444455556666:deliverystream/records",
          max_aggregation_interval: 600,
        }
    "#]].assert_eq(&out);
}

#[test]
fn bad_streams_and_roles() {
    let mut fixture = Fixture::new();
    let own = to_firehose(&fixture);
    let to = |arn: &str| with(&own, |r| r.log_destination = text(arn));
    let theirs = with(&to(THEIRS), |r| {
        r.deliver_logs_permission_arn = text(HERE);
        r.deliver_cross_account_role = text(THERE);
    });
    let requests = [
        with(&own, |r| r.log_destination = None),
        to("records"),
        to("arn:aws:firehose:us-east-1:111122223333:deliverystream/"),
        to("arn:aws:firehose:us-east-1:111122223333:deliverystream"),
        to("arn:aws:firehose:us-east-1:111122223333:stream/records"),
        to("arn:aws:firehose:us-east-1:111122223333:deliverystream/a/b"),
        to("arn:aws:firehose:us-east-1:1111:deliverystream/records"),
        to("arn:aws:firehose:eu-west-1:111122223333:deliverystream/records"),
        to(&format!(
            "arn:aws:firehose:us-east-1:111122223333:deliverystream/{}",
            "a".repeat(65)
        )),
        with(&own, |r| r.log_group_name = text("records")),
        with(&own, |r| {
            r.destination_options = Some(DestinationOptionsRequest::default());
        }),
        with(&own, |r| r.deliver_logs_permission_arn = text(HERE)),
        with(&own, |r| r.deliver_cross_account_role = text(THERE)),
        with(&theirs, |r| r.deliver_logs_permission_arn = None),
        with(&theirs, |r| r.deliver_cross_account_role = None),
        with(&theirs, |r| r.deliver_logs_permission_arn = text(THERE)),
        with(&theirs, |r| {
            r.deliver_cross_account_role = text("arn:aws:iam::444455556666:role/logs");
        }),
        with(&theirs, |r| {
            r.deliver_cross_account_role =
                text("arn:aws:iam::111122223333:role/AWSLogDeliveryFirehoseCrossAccountRole");
        }),
    ];
    expect![[r#"
        InvalidParameter: LogDestination can't be empty if LogDestinationType is kinesis-data-firehose.
        InvalidParameter: Invalid LogDestination: records
        InvalidParameter: Invalid LogDestination: arn:aws:firehose:us-east-1:111122223333:deliverystream/
        InvalidParameter: Invalid LogDestination: arn:aws:firehose:us-east-1:111122223333:deliverystream
        InvalidParameter: Invalid LogDestination: arn:aws:firehose:us-east-1:111122223333:stream/records
        InvalidParameter: Invalid LogDestination: arn:aws:firehose:us-east-1:111122223333:deliverystream/a/b
        InvalidParameter: Invalid LogDestination: arn:aws:firehose:us-east-1:1111:deliverystream/records
        InvalidParameter: Invalid LogDestination: arn:aws:firehose:eu-west-1:111122223333:deliverystream/records
        InvalidParameter: Invalid LogDestination: arn:aws:firehose:us-east-1:111122223333:deliverystream/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        InvalidParameter: LogDestination type must be cloud-watch-logs if LogGroupName is provided.
        InvalidParameter: DestinationOptions is not supported when LogDestinationType is kinesis-data-firehose
        InvalidParameter: DeliverLogsPermissionArn is only applicable for kinesis-data-firehose delivery to another account
        InvalidParameter: DeliverCrossAccountRole is only applicable for kinesis-data-firehose delivery to another account
        InvalidParameter: DeliverLogsPermissionArn can't be empty for kinesis-data-firehose delivery to another account.
        InvalidParameter: DeliverCrossAccountRole can't be empty for kinesis-data-firehose delivery to another account.
        InvalidParameter: Unable to assume given IAM role
        InvalidParameter: DeliverCrossAccountRole must be a role of account 444455556666 whose name starts with AWSLogDeliveryFirehoseCrossAccountRole
        InvalidParameter: DeliverCrossAccountRole must be a role of account 444455556666 whose name starts with AWSLogDeliveryFirehoseCrossAccountRole"#]].assert_eq(&refusals(&mut fixture, requests));
}

#[test]
fn one_place_has_several_spellings() {
    let mut fixture = Fixture::new();
    let (s3, logs, firehose) = (to_s3(&fixture), to_logs(&fixture), to_firehose(&fixture));
    let same = [
        with(&s3, |r| {
            r.log_destination = text("arn:aws:s3:::records/some/prefix");
        }),
        with(&logs, |r| {
            r.log_group_name = None;
            r.log_destination = text("arn:aws:logs:us-east-1:111122223333:log-group:records");
        }),
        with(&firehose, |r| {
            r.log_destination =
                text("arn:aws:firehose:us-east-1:111122223333:deliverystream:records");
        }),
    ];
    for request in [&s3, &logs, &firehose] {
        answer!(fixture, CreateFlowLogs, request.clone());
    }
    for request in same {
        let refused = fixture.refused(request);
        assert!(refused.starts_with("FlowLogAlreadyExists"), "{refused}");
    }
    // What shapes the records makes another flow log of it.
    let others = [
        with(&s3, |r| r.traffic_type = text("REJECT")),
        with(&s3, |r| r.max_aggregation_interval = Some(60)),
        with(&s3, |r| r.log_format = text("${version}")),
        with(&s3, |r| r.log_destination = text("arn:aws:s3:::records")),
        with(&s3, |r| {
            r.destination_options = Some(DestinationOptionsRequest {
                hive_compatible_partitions: Some(true),
                ..Default::default()
            });
        }),
    ];
    for request in others {
        answer!(fixture, CreateFlowLogs, request);
    }
    assert_eq!(describe(&mut fixture).len(), 8);
}
