//! GetFlowLogsIntegrationTemplate.

use std::collections::BTreeSet;

use ec2_api::*;
use expect_test::expect;
use serde_json::Value;

use super::{to_logs, to_s3, with};
use crate::tests::{Fixture, answer, text};

fn of(
    flow_log_id: &str,
    integrations: Vec<AthenaIntegration>,
) -> GetFlowLogsIntegrationTemplateRequest {
    GetFlowLogsIntegrationTemplateRequest {
        dry_run: None,
        flow_log_id: text(flow_log_id),
        config_delivery_s3_destination_arn: text("arn:aws:s3:::templates/here/"),
        integrate_services: Some(IntegrateServices {
            athena_integrations: integrations,
        }),
    }
}

fn daily() -> AthenaIntegration {
    AthenaIntegration {
        integration_result_s3_destination_arn: text("arn:aws:s3:::results/athena/"),
        partition_load_frequency: text("daily"),
        ..Default::default()
    }
}

fn between(first: &str, last: &str) -> AthenaIntegration {
    AthenaIntegration {
        partition_load_frequency: text("none"),
        partition_start_date: text(first),
        partition_end_date: text(last),
        ..daily()
    }
}

fn created(fixture: &mut Fixture, request: CreateFlowLogsRequest) -> String {
    answer!(fixture, CreateFlowLogs, request).flow_log_ids[0].clone()
}

fn template(fixture: &mut Fixture, request: GetFlowLogsIntegrationTemplateRequest) -> Value {
    let answer = answer!(fixture, GetFlowLogsIntegrationTemplate, request);
    serde_json::from_str(&answer.result.unwrap()).unwrap()
}

fn of_type<'a>(template: &'a Value, kind: &str) -> Vec<&'a Value> {
    let resources = template["Resources"].as_object().unwrap().values();
    resources
        .filter(|resource| resource["Type"] == kind)
        .map(|resource| &resource["Properties"])
        .collect()
}

fn names(template: &Value) -> Vec<&str> {
    let queries = of_type(template, "AWS::Athena::NamedQuery");
    queries
        .iter()
        .map(|query| query["Name"].as_str().unwrap())
        .collect()
}

/// Every name in quotes in a query is the table's, a column, a partition key or the query's own sum.
fn check_queries(template: &Value) {
    for query in of_type(template, "AWS::Athena::NamedQuery") {
        let group = query["WorkGroup"].as_str().unwrap();
        let tables = of_type(template, "AWS::Glue::Table");
        let table = tables
            .iter()
            .find(|t| format!("{}workgroup", t["TableInput"]["Name"].as_str().unwrap()) == group)
            .unwrap();
        let input = &table["TableInput"];
        let columns = input["StorageDescriptor"]["Columns"].as_array().unwrap();
        let keys = input["PartitionKeys"].as_array().unwrap();
        let mut known: BTreeSet<String> = columns
            .iter()
            .chain(keys)
            .map(|column| column["Name"].as_str().unwrap().to_owned())
            .collect();
        known.extend(known.clone().iter().map(|name| format!("total_{name}")));
        known.insert(table["DatabaseName"].as_str().unwrap().to_owned());
        known.insert(input["Name"].as_str().unwrap().to_owned());
        assert_eq!(query["Database"], table["DatabaseName"]);
        let sql = query["QueryString"].as_str().unwrap();
        for name in sql.split('"').skip(1).step_by(2) {
            assert!(known.contains(name), "{name} is not in the table: {sql}");
        }
    }
    let groups = of_type(template, "AWS::Athena::WorkGroup");
    assert_eq!(groups.len(), of_type(template, "AWS::Glue::Table").len());
}

/// What a resource refers to by `DependsOn`, `Ref` and `Fn::GetAtt` is in the template.
fn check_references(template: &Value) {
    fn walk<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    match (name.as_str(), value) {
                        ("Ref" | "DependsOn", Value::String(name)) => found.push(name),
                        ("Fn::GetAtt", Value::Array(parts)) => found.extend(parts[0].as_str()),
                        ("DependsOn", Value::Array(all)) => {
                            found.extend(all.iter().filter_map(Value::as_str));
                        }
                        _ => walk(value, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
            _ => {}
        }
    }
    let resources = template["Resources"].as_object().unwrap();
    let mut found = Vec::new();
    walk(&template["Resources"], &mut found);
    for name in found {
        assert!(
            name.starts_with("AWS::") || resources.contains_key(name),
            "{name}"
        );
    }
    for id in resources.keys() {
        assert!(id.bytes().all(|b| b.is_ascii_alphanumeric()), "{id}");
    }
}

#[test]
fn the_default_format_between_two_days() {
    let mut fixture = Fixture::new();
    let request = to_s3(&fixture);
    let id = created(&mut fixture, request);
    let request = of(
        &id,
        vec![between("2024-02-27T00:00:00Z", "2024-03-02T00:00:00Z")],
    );
    let template = template(&mut fixture, request);
    check_queries(&template);
    check_references(&template);
    let table = of_type(&template, "AWS::Glue::Table")[0];
    expect![[r#"
        {
          "Name": "fl00000000000000017none2024022720240302",
          "Parameters": {
            "EXTERNAL": "TRUE",
            "projection.day.digits": "2",
            "projection.day.range": "1,31",
            "projection.day.type": "integer",
            "projection.enabled": "true",
            "projection.month.digits": "2",
            "projection.month.range": "2,3",
            "projection.month.type": "integer",
            "projection.year.range": "2024,2024",
            "projection.year.type": "integer",
            "skip.header.line.count": "1",
            "storage.location.template": "s3://records/some/prefix/AWSLogs/111122223333/vpcflowlogs/us-east-1/${year}/${month}/${day}/"
          },
          "PartitionKeys": [
            {
              "Name": "year",
              "Type": "int"
            },
            {
              "Name": "month",
              "Type": "int"
            },
            {
              "Name": "day",
              "Type": "int"
            }
          ],
          "StorageDescriptor": {
            "Columns": [
              {
                "Name": "version",
                "Type": "int"
              },
              {
                "Name": "account_id",
                "Type": "string"
              },
              {
                "Name": "interface_id",
                "Type": "string"
              },
              {
                "Name": "srcaddr",
                "Type": "string"
              },
              {
                "Name": "dstaddr",
                "Type": "string"
              },
              {
                "Name": "srcport",
                "Type": "int"
              },
              {
                "Name": "dstport",
                "Type": "int"
              },
              {
                "Name": "protocol",
                "Type": "int"
              },
              {
                "Name": "packets",
                "Type": "bigint"
              },
              {
                "Name": "bytes",
                "Type": "bigint"
              },
              {
                "Name": "start",
                "Type": "bigint"
              },
              {
                "Name": "end",
                "Type": "bigint"
              },
              {
                "Name": "action",
                "Type": "string"
              },
              {
                "Name": "log_status",
                "Type": "string"
              }
            ],
            "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
            "Location": "s3://records/some/prefix/AWSLogs/111122223333/vpcflowlogs/us-east-1/",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
            "SerdeInfo": {
              "Parameters": {
                "field.delim": " ",
                "serialization.format": " "
              },
              "SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
            }
          },
          "TableType": "EXTERNAL_TABLE"
        }"#]].assert_eq(&format!("{:#}", table["TableInput"]));
    expect![[r#"
        VpcFlowLogsAcceptedTraffic
        VpcFlowLogsAdminPortTraffic
        VpcFlowLogsRejectedTCPTraffic
        VpcFlowLogsRejectedTraffic
        VpcFlowLogsSshRdpTraffic
        VpcFlowLogsTopTCPTraffic
        VpcFlowLogsTopTalkers
        VpcFlowLogsTotalBytesTransferred
        VpcFlowLogsTrafficFrmSrcAddr
        VpcFlowLogsTrafficToDstAddr"#]]
    .assert_eq(&names(&template).join("\n"));
    let query = &template["Resources"]["VpcFlowLogsSshRdpTraffic"]["Properties"];
    expect![[r#"
        {
          "Database": "vpcflowlogsathenadatabasefl00000000000000017",
          "Description": "SSH and RDP, let through and refused",
          "Name": "VpcFlowLogsSshRdpTraffic",
          "QueryString": "SELECT \"srcaddr\", \"dstaddr\", \"dstport\", \"action\", SUM(\"packets\") AS \"total_packets\"\nFROM \"vpcflowlogsathenadatabasefl00000000000000017\".\"fl00000000000000017none2024022720240302\"\nWHERE \"protocol\" = 6 AND \"dstport\" IN (22, 3389)\n  AND \"year\" * 10000 + \"month\" * 100 + \"day\" BETWEEN 20240227 AND 20240302\nGROUP BY \"srcaddr\", \"dstaddr\", \"dstport\", \"action\"\nORDER BY \"total_packets\" DESC",
          "WorkGroup": "fl00000000000000017none2024022720240302workgroup"
        }"#]].assert_eq(&format!("{query:#}"));
    assert!(of_type(&template, "AWS::Lambda::Function").is_empty());
}

#[test]
fn partitions_are_loaded_as_time_goes_on() {
    let mut fixture = Fixture::new();
    let request = with(&to_s3(&fixture), |r| {
        r.log_format = text(
            "${end} ${instance-id} ${tcp-flags} ${bytes} ${type} ${srcaddr} ${dstaddr} ${pkt-srcaddr}",
        );
        r.destination_options = Some(DestinationOptionsRequest {
            file_format: text("parquet"),
            hive_compatible_partitions: Some(true),
            per_hour_partition: Some(true),
        });
    });
    let id = created(&mut fixture, request);
    let monthly = AthenaIntegration {
        partition_load_frequency: text("monthly"),
        ..daily()
    };
    let request = of(&id, vec![daily(), monthly]);
    let template = template(&mut fixture, request);
    check_queries(&template);
    check_references(&template);
    let tables = of_type(&template, "AWS::Glue::Table");
    expect![[r#"
        {
          "Name": "fl00000000000000017daily",
          "Parameters": {
            "EXTERNAL": "TRUE"
          },
          "PartitionKeys": [
            {
              "Name": "year",
              "Type": "int"
            },
            {
              "Name": "month",
              "Type": "int"
            },
            {
              "Name": "day",
              "Type": "int"
            },
            {
              "Name": "hour",
              "Type": "int"
            }
          ],
          "StorageDescriptor": {
            "Columns": [
              {
                "Name": "end",
                "Type": "bigint"
              },
              {
                "Name": "instance_id",
                "Type": "string"
              },
              {
                "Name": "tcp_flags",
                "Type": "int"
              },
              {
                "Name": "bytes",
                "Type": "bigint"
              },
              {
                "Name": "type",
                "Type": "string"
              },
              {
                "Name": "srcaddr",
                "Type": "string"
              },
              {
                "Name": "dstaddr",
                "Type": "string"
              },
              {
                "Name": "pkt_srcaddr",
                "Type": "string"
              }
            ],
            "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
            "Location": "s3://records/some/prefix/AWSLogs/aws-account-id=111122223333/aws-service=vpcflowlogs/aws-region=us-east-1/",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
            "SerdeInfo": {
              "Parameters": {
                "serialization.format": "1"
              },
              "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
            }
          },
          "TableType": "EXTERNAL_TABLE"
        }"#]].assert_eq(&format!("{:#}", tables[0]["TableInput"]));
    let functions = of_type(&template, "AWS::Lambda::Function");
    let variables: Vec<_> = functions
        .iter()
        .map(|f| f["Environment"]["Variables"].to_string())
        .collect();
    expect![[r#"
        {"DATABASE":"vpcflowlogsathenadatabasefl00000000000000017","DAYS":"1","HIVE":"true","KEYS":"year,month,day,hour","TABLE":"fl00000000000000017daily"}
        {"DATABASE":"vpcflowlogsathenadatabasefl00000000000000017","DAYS":"31","HIVE":"true","KEYS":"year,month,day,hour","TABLE":"fl00000000000000017monthly"}"#]].assert_eq(&variables.join("\n"));
    expect![[r#"
        VpcFlowLogsIPv4Traffic
        VpcFlowLogsIPv4Traffic
        VpcFlowLogsIPv6Traffic
        VpcFlowLogsIPv6Traffic
        VpcFlowLogsTopTalkers
        VpcFlowLogsTopTalkers
        VpcFlowLogsTopTalkersPacketLevel
        VpcFlowLogsTopTalkersPacketLevel
        VpcFlowLogsTopTalkingInstances
        VpcFlowLogsTopTalkingInstances
        VpcFlowLogsTotalBytesTransferred
        VpcFlowLogsTotalBytesTransferred"#]]
    .assert_eq(&names(&template).join("\n"));
}

#[test]
fn every_query_and_every_column() {
    let mut fixture = Fixture::new();
    let all: Vec<_> = model::FlowLogField::ALL
        .iter()
        .map(|f| format!("${{{f}}}"))
        .collect();
    let specification = |resource: &str| TagFieldSpecificationRequest {
        resource_type: text(resource),
        tag_keys: vec!["Name".into(), "team".into()],
    };
    let request = with(&to_s3(&fixture), |r| {
        r.log_format = text(format!("{} ${{end}} ${{instance-tag}}", all.join(" ")));
        r.tag_field_specifications = ["instance", "network-interface", "auto-scaling-group"]
            .map(specification)
            .to_vec();
    });
    let id = created(&mut fixture, request);
    let template = template(&mut fixture, of(&id, vec![daily()]));
    check_queries(&template);
    assert_eq!(names(&template).len(), 16);
    let table = of_type(&template, "AWS::Glue::Table")[0];
    let columns = table["TableInput"]["StorageDescriptor"]["Columns"]
        .as_array()
        .unwrap();
    let columns: Vec<_> = columns
        .iter()
        .map(|c| {
            format!(
                "{} {}",
                c["Name"].as_str().unwrap(),
                c["Type"].as_str().unwrap()
            )
        })
        .collect();
    expect!["version int, account_id string, interface_id string, srcaddr string, dstaddr string, srcport int, dstport int, protocol int, packets bigint, bytes bigint, start bigint, end bigint, action string, log_status string, vpc_id string, subnet_id string, instance_id string, tcp_flags int, type string, pkt_srcaddr string, pkt_dstaddr string, region string, az_id string, sublocation_type string, sublocation_id string, pkt_src_aws_service string, pkt_dst_aws_service string, flow_direction string, traffic_path int, ecs_cluster_arn string, ecs_cluster_name string, ecs_container_instance_arn string, ecs_container_instance_id string, ecs_container_id string, ecs_second_container_id string, ecs_service_name string, ecs_task_definition_arn string, ecs_task_arn string, ecs_task_id string, reject_reason string, resource_id string, encryption_status int, instance_tag string, instance_tag_2 string, interface_tag string, interface_tag_2 string, asg_tag string, asg_tag_2 string, interface_type string, next_hop_interface_id string, next_hop_subnet_id string, next_hop_az_id string, next_hop_vpc_id string, next_hop_interface_type string, end_2 bigint, instance_tag_3 string"].assert_eq(&columns.join(", "));
}

#[test]
fn refusals() {
    let mut fixture = Fixture::new();
    let request = to_logs(&fixture);
    let logs = created(&mut fixture, request);
    let request = to_s3(&fixture);
    let id = created(&mut fixture, request);
    let with = |change: &dyn Fn(&mut GetFlowLogsIntegrationTemplateRequest)| {
        let mut request = of(&id, vec![daily()]);
        change(&mut request);
        request
    };
    let requests = [
        with(&|r| r.flow_log_id = None),
        with(&|r| r.flow_log_id = text("vpc-0123456789abcdef0")),
        with(&|r| r.flow_log_id = text("fl-0123456789abcdef0")),
        with(&|r| r.flow_log_id = text(&logs)),
        with(&|r| r.config_delivery_s3_destination_arn = None),
        with(&|r| r.config_delivery_s3_destination_arn = text("s3://templates")),
        with(&|r| r.integrate_services = None),
        of(&id, vec![]),
        of(&id, vec![daily(); 11]),
        of(&id, vec![daily(), daily()]),
        of(
            &id,
            vec![AthenaIntegration {
                integration_result_s3_destination_arn: None,
                ..daily()
            }],
        ),
        of(
            &id,
            vec![AthenaIntegration {
                integration_result_s3_destination_arn: text("arn:aws:s3:::A"),
                ..daily()
            }],
        ),
        of(
            &id,
            vec![AthenaIntegration {
                partition_load_frequency: None,
                ..daily()
            }],
        ),
        of(
            &id,
            vec![AthenaIntegration {
                partition_load_frequency: text("hourly"),
                ..daily()
            }],
        ),
        of(
            &id,
            vec![AthenaIntegration {
                partition_load_frequency: text("none"),
                ..daily()
            }],
        ),
        of(
            &id,
            vec![AthenaIntegration {
                partition_end_date: None,
                ..between("2024-01-01", "2024-01-02")
            }],
        ),
        of(
            &id,
            vec![AthenaIntegration {
                partition_start_date: None,
                ..between("2024-01-01", "2024-01-02")
            }],
        ),
        of(&id, vec![between("2024-01-03", "2024-01-02")]),
        of(&id, vec![between("2024-01-03", "2024-05-02")]),
        of(&id, vec![between("soon", "2024-01-02")]),
        with(&|r| r.dry_run = Some(true)),
    ];
    let out = requests.map(|request| fixture.refused(request));
    expect![[r#"
        MissingParameter: The request must contain the parameter FlowLogId
        InvalidFlowLogId.Malformed: Invalid id: "vpc-0123456789abcdef0" (expecting "fl-...")
        InvalidFlowLogId.NotFound: These flow log ids in the input list are not found: [TotalCount: 1] fl-0123456789abcdef0
        InvalidParameter: Integration templates are for flow logs that publish to S3; fl-00000000000000017 publishes to cloud-watch-logs
        MissingParameter: The request must contain the parameter ConfigDeliveryS3DestinationArn
        InvalidParameter: Invalid ConfigDeliveryS3DestinationArn: s3://templates
        MissingParameter: The request must contain the parameter IntegrateService
        MissingParameter: The request must contain the parameter IntegrateService.AthenaIntegration
        InvalidParameter: AthenaIntegrations may have up to 10 entries
        InvalidParameter: AthenaIntegrations must differ in PartitionLoadFrequency, PartitionStartDate or PartitionEndDate
        MissingParameter: The request must contain the parameter IntegrationResultS3DestinationArn
        InvalidParameter: Invalid IntegrationResultS3DestinationArn: arn:aws:s3:::A
        MissingParameter: The request must contain the parameter PartitionLoadFrequency
        InvalidParameterValue: Value (hourly) for parameter partitionLoadFrequency is invalid. Valid values: none, daily, weekly, monthly.
        MissingParameter: The request must contain the parameter PartitionStartDate
        MissingParameter: The request must contain the parameter PartitionEndDate
        MissingParameter: The request must contain the parameter PartitionStartDate
        InvalidParameter: PartitionEndDate must not be before PartitionStartDate
        InvalidParameterValue: Value (2024-05-02) for parameter partitionEndDate is invalid. It must be in the past.
        InvalidParameterValue: Value (soon) for parameter partitionStartDate is invalid. This is not a valid date.
        DryRunOperation: Request would have succeeded, but DryRun flag is set."#]].assert_eq(&out.join("\n"));
}
