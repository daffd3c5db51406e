//! What loads partitions as time goes on: a function, its role and its schedule.

use serde_json::{Map, Value, json};

use super::integration::Integration;
use super::table::Table;

/// Loads the days since the last load and those until the next; a partition that is there already is no error.
const CODE: &str = include_str!("loader.py");

pub(super) fn resources(
    table: &Table,
    integration: &Integration,
    name: &str,
    number: &str,
) -> Map<String, Value> {
    let (schedule, days) = integration.frequency.schedule();
    let database = table.database();
    let (function_id, role_id, rule_id) = (
        format!("PartitionLoader{number}"),
        format!("PartitionLoaderRole{number}"),
        format!("PartitionLoaderSchedule{number}"),
    );
    let role = role(&database, name);
    let function = json!({
        "Type": "AWS::Lambda::Function",
        "DependsOn": format!("Table{number}"),
        "Properties": {
            "Description": format!("Loads the partitions of the Athena table {name}"),
            "Runtime": "python3.13",
            "Handler": "index.handler",
            "Timeout": 300,
            "Role": { "Fn::GetAtt": [role_id, "Arn"] },
            "Environment": { "Variables": {
                "DATABASE": database,
                "TABLE": name,
                "DAYS": days.to_string(),
                "KEYS": table.partition_keys().collect::<Vec<_>>().join(","),
                "HIVE": table.hive.to_string(),
            }},
            "Code": { "ZipFile": CODE },
        },
    });
    let rule = json!({
        "Type": "AWS::Events::Rule",
        "Properties": {
            "ScheduleExpression": schedule,
            "State": "ENABLED",
            "Targets": [{ "Id": "PartitionLoader", "Arn": { "Fn::GetAtt": [function_id, "Arn"] } }],
        },
    });
    let permission = json!({
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "Action": "lambda:InvokeFunction",
            "FunctionName": { "Ref": function_id },
            "Principal": "events.amazonaws.com",
            "SourceArn": { "Fn::GetAtt": [rule_id, "Arn"] },
        },
    });
    let permission_id = format!("PartitionLoaderPermission{number}");
    Map::from_iter([
        (role_id, role),
        (function_id, function),
        (rule_id, rule),
        (permission_id, permission),
    ])
}

/// What may read the table and add partitions to it, and nothing else.
fn role(database: &str, name: &str) -> Value {
    let arn = |tail: &str| json!({ "Fn::Sub": format!("arn:${{AWS::Partition}}:{tail}") });
    let glue = "glue:${AWS::Region}:${AWS::AccountId}";
    json!({
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [{
                    "Effect": "Allow",
                    "Principal": { "Service": "lambda.amazonaws.com" },
                    "Action": "sts:AssumeRole",
                }],
            },
            "ManagedPolicyArns": [arn("iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")],
            "Policies": [{
                "PolicyName": "LoadPartitions",
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [{
                        "Effect": "Allow",
                        "Action": ["glue:GetTable", "glue:BatchCreatePartition"],
                        "Resource": [
                            arn(&format!("{glue}:catalog")),
                            arn(&format!("{glue}:database/{database}")),
                            arn(&format!("{glue}:table/{database}/{name}")),
                        ],
                    }],
                },
            }],
        },
    })
}
