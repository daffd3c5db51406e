//! What CreateFlowLogs refuses whole.

use ec2_api::*;
use expect_test::expect;

use super::{refusals, to_logs, to_s3, with};
use crate::tests::{Fixture, text};

#[test]
fn refusals_of_create() {
    let mut fixture = Fixture::new();
    let (s3, logs) = (to_s3(&fixture), to_logs(&fixture));
    let requests = [
        with(&s3, |r| r.resource_ids = vec![]),
        with(&s3, |r| r.resource_type = None),
        with(&s3, |r| r.resource_type = text("Galaxy")),
        with(&s3, |r| r.resource_type = text("Subnet")),
        with(&s3, |r| r.resource_type = text("TransitGateway")),
        with(&s3, |r| r.traffic_type = None),
        with(&s3, |r| r.traffic_type = text("SOME")),
        with(&s3, |r| {
            r.deliver_logs_permission_arn = text("arn:aws:iam::111122223333:role/a");
        }),
        with(&s3, |r| r.log_destination = None),
        with(&s3, |r| r.log_destination = text("records")),
        with(&s3, |r| {
            r.log_destination = text("arn:aws:s3:::records/AWSLogs/");
        }),
        with(&s3, |r| r.log_group_name = text("records")),
        with(&s3, |r| r.log_destination_type = text("sqs")),
        with(&s3, |r| {
            r.destination_options = Some(DestinationOptionsRequest {
                file_format: text("orc"),
                ..Default::default()
            });
        }),
        with(&s3, |r| {
            r.deliver_cross_account_role = text("arn:aws:iam::444455556666:role/a");
        }),
        with(&s3, |r| {
            r.resource_type = text("TransitGatewayAttachment");
            r.traffic_type = None;
        }),
        with(&s3, |r| {
            r.resource_type = text("RegionalNatGateway");
            r.resource_ids = vec!["nat-0123456789abcdef0".into()];
            r.traffic_type = None;
        }),
        with(&s3, |r| r.resource_ids = vec!["vpc-1".into(); 301]),
        with(&s3, |r| r.resource_ids = vec!["vpc-1".into()]),
        with(&s3, |r| r.client_token = text("é")),
        with(&s3, |r| r.client_token = text("x".repeat(65))),
        with(&s3, |r| {
            r.tag_specifications = crate::tests::named("vpc", "a");
        }),
        with(&s3, |r| r.max_aggregation_interval = Some(61)),
        with(&s3, |r| r.dry_run = Some(true)),
        with(&logs, |r| r.log_group_name = None),
        with(&logs, |r| r.deliver_logs_permission_arn = None),
        with(&logs, |r| {
            r.deliver_logs_permission_arn = text("flow-logs");
        }),
        with(&logs, |r| {
            r.destination_options = Some(DestinationOptionsRequest::default());
        }),
        with(&logs, |r| {
            r.log_destination = text("arn:aws:logs:us-east-1:111122223333:log-group:a");
        }),
        with(&logs, |r| {
            r.log_group_name = None;
            r.log_destination = text("arn:aws:logs:eu-west-1:111122223333:log-group:a");
        }),
        with(&logs, |r| {
            r.log_group_name = None;
            r.log_destination = text("arn:aws:logs:us-east-1:444455556666:log-group:a");
        }),
        with(&logs, |r| r.log_group_name = text("no spaces")),
        with(&logs, |r| {
            r.deliver_logs_permission_arn = text("arn:aws:iam::444455556666:role/flow-logs");
        }),
        with(&logs, |r| {
            r.deliver_cross_account_role = text("arn:aws:iam::444455556666:role/a");
        }),
    ];
    expect![[r#"
        MissingParameter: The request must contain the parameter ResourceId
        MissingParameter: The request must contain the parameter ResourceType
        InvalidParameterValue: Value (Galaxy) for parameter resourceType is invalid. Valid values: VPC, Subnet, NetworkInterface, TransitGateway, TransitGatewayAttachment, RegionalNatGateway.
        InvalidParameter: Invalid Resource id vpc-00000000000000002 for resource-type Subnet
        UnsupportedOperation: Flow logs of resource-type TransitGateway are not supported.
        InvalidParameter: traffic-type is required when the resource-type is VPC, Subnet or NetworkInterface
        InvalidParameterValue: Value (SOME) for parameter trafficType is invalid. Valid values: ACCEPT, REJECT, ALL.
        InvalidParameter: DeliverLogsPermissionArn is not applicable for s3 delivery
        InvalidParameter: LogDestination can't be empty if LogDestinationType is s3.
        InvalidParameter: Invalid LogDestination: records
        InvalidParameter: LogDestination: arn:aws:s3:::records/AWSLogs/ is invalid. AWSLogs is a reserved term and cannot be used as a subfolder name.
        InvalidParameter: LogDestination type must be cloud-watch-logs if LogGroupName is provided.
        InvalidParameterValue: Value (sqs) for parameter logDestinationType is invalid. Valid values: cloud-watch-logs, s3, kinesis-data-firehose.
        InvalidParameterValue: Value (orc) for parameter fileFormat is invalid. Valid values: plain-text, parquet.
        InvalidParameter: DeliverCrossAccountRole is only applicable for kinesis-data-firehose delivery
        UnsupportedOperation: Flow logs of resource-type TransitGatewayAttachment are not supported.
        InvalidParameter: traffic-type is required when the resource-type is RegionalNatGateway
        InvalidParameterValue: A request may name up to 300 resources.
        InvalidParameter: Invalid Resource id vpc-1 for resource-type VPC
        InvalidParameterValue: Value (é) for parameter clientToken is invalid. The client token may have up to 64 ASCII characters.
        InvalidParameterValue: Value (xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx) for parameter clientToken is invalid. The client token may have up to 64 ASCII characters.
        InvalidParameterValue: 'vpc' is not a valid taggable resource type for this operation.
        InvalidParameter: Invalid Flow Log Max Aggregation Interval
        DryRunOperation: Request would have succeeded, but DryRun flag is set.
        InvalidParameter: LogDestination can't be empty if LogGroupName is not provided.
        InvalidParameter: DeliverLogsPermissionArn can't be empty if LogDestinationType is cloud-watch-logs.
        InvalidParameter: Unable to assume given IAM role
        InvalidParameter: DestinationOptions is not supported when LogDestinationType is cloud-watch-logs
        InvalidParameter: Please only provide LogGroupName or only provide LogDestination.
        InvalidParameter: Invalid LogDestination: arn:aws:logs:eu-west-1:111122223333:log-group:a
        InvalidParameter: Invalid LogDestination: arn:aws:logs:us-east-1:444455556666:log-group:a
        InvalidParameter: Invalid LogGroupName: no spaces
        InvalidParameter: Unable to assume given IAM role
        InvalidParameter: DeliverCrossAccountRole is only applicable for kinesis-data-firehose delivery"#]].assert_eq(&refusals(&mut fixture, requests));
}
