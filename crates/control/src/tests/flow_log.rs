//! Flow logs.

mod destination;
mod format;
mod integration_template;
mod refused;
mod resource;
mod tag_field;

use ec2_api::*;
use expect_test::expect;
use model::DeliveryStatus;

use super::{Fixture, answer, filter, named, show, text};
use crate::Event;

fn vpc_id(fixture: &Fixture) -> String {
    fixture.state().default_vpc().unwrap().id.to_string()
}

fn to_s3(fixture: &Fixture) -> CreateFlowLogsRequest {
    CreateFlowLogsRequest {
        resource_ids: vec![vpc_id(fixture)],
        resource_type: text("VPC"),
        traffic_type: text("ALL"),
        log_destination_type: text("s3"),
        log_destination: text("arn:aws:s3:::records/some/prefix/"),
        ..Default::default()
    }
}

fn to_logs(fixture: &Fixture) -> CreateFlowLogsRequest {
    CreateFlowLogsRequest {
        log_destination_type: None,
        log_destination: None,
        log_group_name: text("records"),
        deliver_logs_permission_arn: text("arn:aws:iam::111122223333:role/flow-logs"),
        ..to_s3(fixture)
    }
}

fn to_firehose(fixture: &Fixture) -> CreateFlowLogsRequest {
    CreateFlowLogsRequest {
        log_destination_type: text("kinesis-data-firehose"),
        log_destination: text("arn:aws:firehose:us-east-1:111122223333:deliverystream/records"),
        ..to_s3(fixture)
    }
}

/// A request with something changed.
fn with(
    base: &CreateFlowLogsRequest,
    change: impl Fn(&mut CreateFlowLogsRequest),
) -> CreateFlowLogsRequest {
    let mut request = base.clone();
    change(&mut request);
    request
}

/// What each request is refused with, line by line; nothing may be left of them.
fn refusals<const N: usize>(fixture: &mut Fixture, requests: [CreateFlowLogsRequest; N]) -> String {
    let out = requests.map(|request| fixture.refused(request));
    assert!(fixture.state().flow_logs.is_empty());
    out.join("\n")
}

fn describe(fixture: &mut Fixture) -> Vec<FlowLog> {
    answer!(
        fixture,
        DescribeFlowLogs,
        DescribeFlowLogsRequest::default()
    )
    .flow_logs
}

#[test]
fn flow_logs_are_made_and_described() {
    let mut fixture = Fixture::new();
    let request = CreateFlowLogsRequest {
        log_format: text("'${version} ${vpc-id} ${reject-reason}'"),
        max_aggregation_interval: Some(60),
        tag_specifications: named("vpc-flow-log", "a"),
        client_token: text("once"),
        ..to_s3(&fixture)
    };
    let first = answer!(fixture, CreateFlowLogs, request.clone());
    let again = answer!(fixture, CreateFlowLogs, request.clone());
    assert_eq!(first, again);
    let other = CreateFlowLogsRequest {
        traffic_type: text("REJECT"),
        ..request
    };
    assert!(
        fixture
            .refused(other)
            .starts_with("IdempotentParameterMismatch")
    );
    let request = to_logs(&fixture);
    let mut out = show(&answer!(fixture, CreateFlowLogs, request));
    for flow_log in describe(&mut fixture) {
        out += &show(&flow_log);
    }
    expect![[r#"
        CreateFlowLogsResponse {
          flow_log_ids: [
            "fl-00000000000000018",
          ],
        }
        FlowLog {
          creation_time: "2024-05-01T10:00:00.000Z",
          deliver_logs_status: "SUCCESS",
          flow_log_id: "fl-00000000000000017",
          flow_log_status: "ACTIVE",
          resource_id: "vpc-00000000000000002",
          traffic_type: "ALL",
          log_destination_type: "s3",
          log_destination: "arn:aws:s3:::records/some/prefix/",
          log_format: "${version} ${vpc-id} ${reject-reason}",
          tags: [
            Tag {
              key: "Name",
              value: "a",
            },
          ],
          max_aggregation_interval: 60,
          destination_options: DestinationOptionsResponse {
            file_format: "plain-text",
            hive_compatible_partitions: false,
            per_hour_partition: false,
          },
        }
        FlowLog {
          creation_time: "2024-05-01T10:00:00.000Z",
          deliver_logs_permission_arn: "arn:aws:iam::111122223333:role/flow-logs",
          deliver_logs_status: "SUCCESS",
          flow_log_id: "fl-00000000000000018",
          flow_log_status: "ACTIVE",
          log_group_name: "records",
          resource_id: "vpc-00000000000000002",
          traffic_type: "ALL",
          log_destination_type: "cloud-watch-logs",
          log_format: "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status}",
          max_aggregation_interval: 600,
        }
    "#]].assert_eq(&out);
}

#[test]
fn some_resources_may_fail() {
    let mut fixture = Fixture::new();
    let unknown = CreateFlowLogsRequest {
        resource_ids: vec!["vpc-0123456789abcdef0".into()],
        ..to_s3(&fixture)
    };
    let mut out = show(&answer!(fixture, CreateFlowLogs, unknown));
    let request = to_s3(&fixture);
    answer!(fixture, CreateFlowLogs, request.clone());
    out += &fixture.refused(request.clone());
    out.push('\n');
    let several = CreateFlowLogsRequest {
        resource_ids: vec![vpc_id(&fixture), "vpc-0123456789abcdef0".into()],
        ..request.clone()
    };
    out += &show(&answer!(fixture, CreateFlowLogs, several));
    fixture.quotas.flow_logs = 1;
    let other = CreateFlowLogsRequest {
        traffic_type: text("REJECT"),
        ..request
    };
    out += &fixture.refused(other);
    expect![[r#"
        CreateFlowLogsResponse {
          unsuccessful: [
            UnsuccessfulItem {
              error: UnsuccessfulItemError {
                code: "InvalidVpcId.NotFound",
                message: "Unknown resource vpc-0123456789abcdef0",
              },
              resource_id: "vpc-0123456789abcdef0",
            },
          ],
        }
        FlowLogAlreadyExists: Error. There is an existing Flow Log with the same configuration and log destination.
        CreateFlowLogsResponse {
          unsuccessful: [
            UnsuccessfulItem {
              error: UnsuccessfulItemError {
                code: "FlowLogAlreadyExists",
                message: "Error. There is an existing Flow Log with the same configuration and log destination.",
              },
              resource_id: "vpc-00000000000000002",
            },
            UnsuccessfulItem {
              error: UnsuccessfulItemError {
                code: "InvalidVpcId.NotFound",
                message: "Unknown resource vpc-0123456789abcdef0",
              },
              resource_id: "vpc-0123456789abcdef0",
            },
          ],
        }
        FlowLogsLimitExceeded: The maximum number of flow logs has been reached."#]].assert_eq(&out);
}

#[test]
fn flow_logs_are_deleted() {
    let mut fixture = Fixture::new();
    let request = to_s3(&fixture);
    let id = answer!(fixture, CreateFlowLogs, request).flow_log_ids[0].clone();
    let delete = |ids: &[&str]| DeleteFlowLogsRequest {
        flow_log_ids: ids.iter().map(ToString::to_string).collect(),
        ..Default::default()
    };
    let mut out = show(&answer!(
        fixture,
        DeleteFlowLogs,
        delete(&[&id, "fl-0123456789abcdef0"])
    ));
    out += &fixture.refused(delete(&[&id]));
    out.push('\n');
    out += &fixture.refused(delete(&[]));
    expect![[r#"
        DeleteFlowLogsResponse {
          unsuccessful: [
            UnsuccessfulItem {
              error: UnsuccessfulItemError {
                code: "InvalidFlowLogId.NotFound",
                message: "These flow log ids in the input list are not found: [TotalCount: 1] fl-0123456789abcdef0",
              },
              resource_id: "fl-0123456789abcdef0",
            },
          ],
        }
        InvalidFlowLogId.NotFound: These flow log ids in the input list are not found: [TotalCount: 1] fl-00000000000000017
        MissingParameter: The request must contain the parameter FlowLogId"#]].assert_eq(&out);
    let unknown = DescribeFlowLogsRequest {
        flow_log_ids: vec![id],
        ..Default::default()
    };
    assert!(
        answer!(fixture, DescribeFlowLogs, unknown)
            .flow_logs
            .is_empty()
    );
}

#[test]
fn flow_logs_go_with_their_interface() {
    let mut fixture = Fixture::new();
    let eni = super::network_interface::created(&mut fixture);
    let request = CreateFlowLogsRequest {
        resource_ids: eni.iter().cloned().collect(),
        resource_type: text("NetworkInterface"),
        ..to_s3(&fixture)
    };
    answer!(fixture, CreateFlowLogs, request);
    let request = to_s3(&fixture);
    answer!(fixture, CreateFlowLogs, request);
    let delete = DeleteNetworkInterfaceRequest {
        network_interface_id: eni,
        ..Default::default()
    };
    answer!(fixture, DeleteNetworkInterface, delete);
    let left = describe(&mut fixture);
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].resource_id, Some(vpc_id(&fixture)));
}

#[test]
fn flow_logs_go_with_their_vpc_and_subnet() {
    let mut fixture = Fixture::new();
    let vpc = CreateVpcRequest {
        cidr_block: text("10.0.0.0/16"),
        ..Default::default()
    };
    let vpc_id = answer!(fixture, CreateVpc, vpc).vpc.unwrap().vpc_id;
    let subnet = CreateSubnetRequest {
        vpc_id: vpc_id.clone(),
        cidr_block: text("10.0.0.0/24"),
        ..Default::default()
    };
    let subnet = answer!(fixture, CreateSubnet, subnet).subnet.unwrap();
    let subnet_id = subnet.subnet_id;
    for (kind, id) in [("VPC", &vpc_id), ("Subnet", &subnet_id)] {
        let request = CreateFlowLogsRequest {
            resource_ids: id.iter().cloned().collect(),
            resource_type: text(kind),
            ..to_s3(&fixture)
        };
        answer!(fixture, CreateFlowLogs, request);
    }
    let delete = DeleteSubnetRequest {
        subnet_id,
        ..Default::default()
    };
    answer!(fixture, DeleteSubnet, delete);
    assert_eq!(describe(&mut fixture).len(), 1);
    let delete = DeleteVpcRequest {
        vpc_id,
        ..Default::default()
    };
    answer!(fixture, DeleteVpc, delete);
    assert!(describe(&mut fixture).is_empty());
}

#[test]
fn deliveries_show() {
    let mut fixture = Fixture::new();
    let request = to_logs(&fixture);
    let id = answer!(fixture, CreateFlowLogs, request).flow_log_ids[0].clone();
    let event = Event::Delivery {
        flow_log_id: id.parse().unwrap(),
        status: DeliveryStatus::Failed("Access error".into()),
    };
    fixture.observe(&event).unwrap();
    for (name, value, expected) in [
        ("deliver-log-status", "FAILED", 1),
        ("deliver-log-status", "SUCCESS", 0),
        ("log-group-name", "records", 1),
        ("log-destination-type", "cloud-watch-logs", 1),
        ("traffic-type", "REJECT", 0),
        ("resource-id", "vpc-*", 1),
    ] {
        let request = DescribeFlowLogsRequest {
            filter: filter(name, &[value]),
            ..Default::default()
        };
        let found = answer!(fixture, DescribeFlowLogs, request).flow_logs;
        assert_eq!(found.len(), expected, "{name}");
    }
    let shown = describe(&mut fixture);
    assert_eq!(
        shown[0].deliver_logs_error_message.as_deref(),
        Some("Access error")
    );
    // A delivery may end after its flow log was deleted.
    let delete = DeleteFlowLogsRequest {
        flow_log_ids: vec![id],
        ..Default::default()
    };
    answer!(fixture, DeleteFlowLogs, delete);
    fixture.observe(&event).unwrap();
}
