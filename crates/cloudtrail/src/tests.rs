//! Events as AWS's samples have them.

use ec2_query::Tree;
use expect_test::expect;
use model::{Scope, Timestamp};
use serde_json::{Value, json};

use crate::{Call, Caller, Endpoint, Failure, ec2, json as other};

fn form(text: &str) -> Vec<(String, String)> {
    ec2_query::form::decode(text.as_bytes()).unwrap()
}

fn parameters(query: &str) -> String {
    let form = form(query);
    let action = &form[0].1;
    ec2::request_parameters(action, &form).to_string()
}

#[test]
fn older_actions_show_sets_of_items() {
    expect![[r#"{"amazonProvidedIpv6CidrBlock":false,"cidrBlock":"10.0.0.0/16","instanceTenancy":"default"}"#]]
        .assert_eq(&parameters("Action=CreateVpc&Version=2016-11-15&CidrBlock=10.0.0.0/16&DryRun=false"));
    expect![[r#"{"filterSet":{"items":[{"name":"owner-id","valueSet":{"items":[{"value":"123456789012"}]}}]},"vpcSet":{"items":[{"vpcId":"vpc-1"}]}}"#]]
        .assert_eq(&parameters("Action=DescribeVpcs&VpcId.1=vpc-1&Filter.1.Name=owner-id&Filter.1.Value.1=123456789012"));
    expect![[r#"{"filterSet":{},"vpcSet":{}}"#]].assert_eq(&parameters("Action=DescribeVpcs"));
    expect![[r#"{"destinationCidrBlock":"0.0.0.0/0","gatewayId":"igw-1","routeTableId":"rtb-1"}"#]]
        .assert_eq(&parameters(
            "Action=CreateRoute&RouteTableId=rtb-1&DestinationCidrBlock=0.0.0.0/0&GatewayId=igw-1",
        ));
    expect![[r#"{"groupId":"sg-1","ipPermissions":{"items":[{"fromPort":22,"groups":{},"ipProtocol":"tcp","ipRanges":{"items":[{"cidrIp":"192.0.2.0/24","description":"true"}]},"ipv6Ranges":{},"prefixListIds":{},"toPort":22}]}}"#]]
        .assert_eq(&parameters("Action=AuthorizeSecurityGroupIngress&GroupId=sg-1&IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=22&IpPermissions.1.ToPort=22&IpPermissions.1.IpRanges.1.CidrIp=192.0.2.0/24&IpPermissions.1.IpRanges.1.Description=true"));
    expect![[r#"{"cidrIp":"192.0.2.0/24","fromPort":22,"groupId":"sg-1","ipPermissions":{},"ipProtocol":"tcp","toPort":22}"#]]
        .assert_eq(&parameters("Action=AuthorizeSecurityGroupIngress&GroupId=sg-1&IpProtocol=tcp&FromPort=22&ToPort=22&CidrIp=192.0.2.0/24"));
    expect![[r#"{"aclProtocol":"6","cidrBlock":"0.0.0.0/0","egress":false,"icmpTypeCode":{},"networkAclId":"acl-1","portRange":{"from":22,"to":22},"ruleAction":"allow","ruleNumber":100}"#]]
        .assert_eq(&parameters("Action=CreateNetworkAclEntry&NetworkAclId=acl-1&RuleNumber=100&Egress=false&RuleAction=allow&PortRange.From=22&PortRange.To=22&Protocol=6&CidrBlock=0.0.0.0/0"));
    expect![[r#"{"resourcesSet":{"items":[{"resourceId":"vpc-1"}]},"tagSet":{"items":[{"key":"k","value":"true"}]}}"#]]
        .assert_eq(&parameters("Action=CreateTags&ResourceId.1=vpc-1&Tag.1.Key=k&Tag.1.Value=true"));
    expect![[r#"{"enableDnsHostnames":{"value":true},"vpcId":"vpc-1"}"#]].assert_eq(&parameters(
        "Action=ModifyVpcAttribute&VpcId=vpc-1&EnableDnsHostnames.Value=true",
    ));
    expect![[r#"{"cidrBlock":"10.0.1.0/24","tagSpecificationSet":{"items":[{"resourceType":"subnet","tags":[{"key":"Name","value":"a"}]}]},"vpcId":"vpc-1"}"#]]
        .assert_eq(&parameters("Action=CreateSubnet&VpcId=vpc-1&CidrBlock=10.0.1.0/24&TagSpecification.1.ResourceType=subnet&TagSpecification.1.Tag.1.Key=Name&TagSpecification.1.Tag.1.Value=a"));
    expect![[r#"{"instancesSet":{"items":[{"instanceId":"i-1"},{"instanceId":"i-2"}]}}"#]]
        .assert_eq(&parameters(
            "Action=TerminateInstances&InstanceId.1=i-1&InstanceId.2=i-2",
        ));
}

#[test]
fn user_data_is_never_shown() {
    let shown = parameters(
        "Action=RunInstances&ImageId=ami-1&MinCount=1&MaxCount=2&UserData=c2VjcmV0&SecurityGroupId.1=sg-1",
    );
    assert!(!shown.contains("c2VjcmV0"), "{shown}");
    expect![[r#"{"blockDeviceMapping":{},"disableApiTermination":false,"groupSet":{"items":[{"groupId":"sg-1"}]},"instancesSet":{"items":[{"imageId":"ami-1","maxCount":2,"minCount":1}]},"monitoring":{"enabled":false},"userData":"<sensitiveDataRemoved>"}"#]]
        .assert_eq(&shown);
}

#[test]
fn newer_actions_show_the_names_of_the_wire() {
    expect![[r#"{"CreateFlowLogsRequest":{"LogDestination":"arn:aws:s3:::b/","LogDestinationType":"s3","ResourceId":{"content":"vpc-1","tag":1},"ResourceType":"VPC","TrafficType":"ALL"}}"#]]
        .assert_eq(&parameters("Action=CreateFlowLogs&ResourceType=VPC&ResourceId.1=vpc-1&TrafficType=ALL&LogDestinationType=s3&LogDestination=arn:aws:s3:::b/"));
    expect![[r#"{"DeleteFlowLogsRequest":{"FlowLogId":[{"content":"fl-1","tag":1},{"content":"fl-2","tag":2}]}}"#]]
        .assert_eq(&parameters("Action=DeleteFlowLogs&FlowLogId.1=fl-1&FlowLogId.2=fl-2"));
    expect![[r#"{"CreateVpcEndpointRequest":{"DnsOptions":{"DnsRecordIpType":"ipv4"},"PrivateDnsEnabled":true,"TagSpecification":{"ResourceType":"vpc-endpoint","Tag":{"Key":"k","Value":"v","tag":1},"tag":1},"VpcId":"vpc-1"}}"#]]
        .assert_eq(&parameters("Action=CreateVpcEndpoint&VpcId=vpc-1&PrivateDnsEnabled=true&DnsOptions.DnsRecordIpType=ipv4&TagSpecification.1.ResourceType=vpc-endpoint&TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=v"));
    expect![[r#"{"DescribeFlowLogsRequest":""}"#]]
        .assert_eq(&parameters("Action=DescribeFlowLogs"));
}

#[test]
fn answers_in_both_styles() {
    let legacy = |tree: &Tree| ec2::response_elements("CreateVpc", tree, "r").to_string();
    let text = |text: &str| Tree::Text(text.to_owned());
    let member = |name: &str, value| (name.to_owned(), value);
    let vpc = Tree::Structure(vec![
        member("vpcId", text("vpc-1")),
        member("isDefault", Tree::Boolean(false)),
        member("tagSet", Tree::List(vec![])),
        member(
            "cidrBlockAssociationSet",
            Tree::List(vec![Tree::Structure(vec![member(
                "cidrBlock",
                text("10.0.0.0/16"),
            )])]),
        ),
    ]);
    expect![[r#"{"requestId":"r","vpc":{"cidrBlockAssociationSet":{"items":[{"cidrBlock":"10.0.0.0/16"}]},"isDefault":false,"tagSet":{},"vpcId":"vpc-1"}}"#]]
        .assert_eq(&legacy(&Tree::Structure(vec![member("vpc", vpc)])));
    expect![[r#"{"_return":true,"requestId":"r"}"#]].assert_eq(&legacy(&Tree::Structure(vec![
        member("return", Tree::Boolean(true)),
    ])));
    let wrapped = ec2::response_elements(
        "DeleteFlowLogs",
        &Tree::Structure(vec![member("unsuccessful", Tree::List(vec![]))]),
        "r",
    );
    expect![[r#"{"DeleteFlowLogsResponse":{"requestId":"r","unsuccessful":"","xmlns":"http://ec2.amazonaws.com/doc/2016-11-15/"}}"#]]
        .assert_eq(&wrapped.to_string());
}

#[test]
fn other_services_show_their_members() {
    let shown = other::members(br#"{"DeliveryStreamName":"s","Tags":[{"Key":"a","Value":"b"}]}"#);
    expect![[r#"{"deliveryStreamName":"s","tags":[{"key":"a","value":"b"}]}"#]]
        .assert_eq(&shown.to_string());
    assert_eq!(other::members(b"{}"), Value::Null);
    assert_eq!(other::members(b"not JSON"), Value::Null);
    let shown = other::query_parameters(&form(
        "Action=CreateLoadBalancer&Name=l&Subnets.member.1=subnet-1&Subnets.member.2=subnet-2",
    ));
    expect![[r#"{"name":"l","subnets":["subnet-1","subnet-2"]}"#]].assert_eq(&shown.to_string());
}

fn call() -> Call {
    Call {
        at: Timestamp::from_secs(1_790_856_000),
        scope: Scope {
            account: "123456789012".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
        },
        caller: Caller {
            account: "123456789012".into(),
            arn: "arn:aws:sts::123456789012:assumed-role/ops/anna".into(),
            principal_arn: "arn:aws:iam::123456789012:role/ops".into(),
            user_id: "AROAEXAMPLE:anna".into(),
            access_key_id: "ASIAEXAMPLE".into(),
            session_began: Some(Timestamp::from_secs(1_790_850_000)),
        },
        source_ip: "192.0.2.10".into(),
        user_agent: Some("aws-cli/2.31.0".into()),
        event_source: "ec2.amazonaws.com",
        event_name: "DeleteVpc".into(),
        parameters: json!({ "vpcId": "vpc-0123456789abcdef0" }),
        outcome: Ok(json!({ "requestId": "r", "_return": true })),
        request_id: "11111111-2222-3333-4444-555555555555".into(),
        event_id: "66666666-7777-8888-9999-000000000000".into(),
        tls: None,
        endpoint: None,
    }
}

#[test]
fn an_event_of_a_session_of_a_role() {
    let event = call().event();
    assert_eq!(event.user_name, "anna");
    let resource = &event.resources[0];
    assert_eq!(
        (&*resource.resource_type, &*resource.resource_name),
        ("AWS::EC2::VPC", "vpc-0123456789abcdef0")
    );
    let record: Value = serde_json::from_str(&event.record).unwrap();
    expect![[r#"
        {
          "awsRegion": "us-east-1",
          "eventCategory": "Management",
          "eventID": "66666666-7777-8888-9999-000000000000",
          "eventName": "DeleteVpc",
          "eventSource": "ec2.amazonaws.com",
          "eventTime": "2026-10-01T12:00:00Z",
          "eventType": "AwsApiCall",
          "eventVersion": "1.11",
          "managementEvent": true,
          "readOnly": false,
          "recipientAccountId": "123456789012",
          "requestID": "11111111-2222-3333-4444-555555555555",
          "requestParameters": {
            "vpcId": "vpc-0123456789abcdef0"
          },
          "responseElements": {
            "_return": true,
            "requestId": "r"
          },
          "sourceIPAddress": "192.0.2.10",
          "userAgent": "aws-cli/2.31.0",
          "userIdentity": {
            "accessKeyId": "ASIAEXAMPLE",
            "accountId": "123456789012",
            "arn": "arn:aws:sts::123456789012:assumed-role/ops/anna",
            "principalId": "AROAEXAMPLE:anna",
            "sessionContext": {
              "attributes": {
                "creationDate": "2026-10-01T10:20:00Z",
                "mfaAuthenticated": "false"
              },
              "sessionIssuer": {
                "accountId": "123456789012",
                "arn": "arn:aws:iam::123456789012:role/ops",
                "principalId": "AROAEXAMPLE",
                "type": "Role",
                "userName": "ops"
              },
              "webIdFederationData": {}
            },
            "type": "AssumedRole"
          }
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&record).unwrap());
}

#[test]
fn a_failure_keeps_its_parameters_and_shows_no_answer() {
    let event = Call {
        outcome: Err(Failure {
            status: 400,
            code: "InvalidVpcID.NotFound".into(),
            message: "The vpc ID 'vpc-0123456789abcdef0' does not exist".into(),
        }),
        ..call()
    }
    .event();
    let record: Value = serde_json::from_str(&event.record).unwrap();
    assert_eq!(record["errorCode"], "Client.InvalidVpcID.NotFound");
    assert_eq!(record["responseElements"], Value::Null);
    assert!(record["requestParameters"].is_object());
    let bare = Call {
        event_source: "logs.amazonaws.com",
        ..call()
    };
    let bare = Call {
        outcome: Err(Failure {
            status: 400,
            code: "X".into(),
            message: "".into(),
        }),
        ..bare
    };
    let record: Value = serde_json::from_str(&bare.event().record).unwrap();
    assert_eq!(record["errorCode"], "X");
}

#[test]
fn reads_show_no_answer_and_large_parts_are_left_out() {
    let read = Call {
        event_name: "DescribeVpcs".into(),
        ..call()
    }
    .event();
    assert!(read.read_only);
    assert!(read.record.contains(r#""responseElements":null"#));
    let large = Call {
        parameters: json!("x".repeat(200_000)),
        ..call()
    }
    .event();
    let record: Value = serde_json::from_str(&large.record).unwrap();
    assert_eq!(record["requestParameters"]["omitted"], true);
}

#[test]
fn the_owner_of_an_endpoint_sees_less_of_another_accounts_call() {
    let endpoint = Endpoint {
        id: "vpce-1".into(),
        account: "210987654321".into(),
        denied: true,
    };
    let call = Call {
        endpoint: Some(endpoint),
        ..call()
    };
    let owner = Scope {
        account: "210987654321".parse().unwrap(),
        ..call.scope
    };
    let event = call.network_activity(owner, "own".into()).unwrap();
    let record: Value = serde_json::from_str(&event.record).unwrap();
    assert_eq!(record["errorCode"], "VpceAccessDenied");
    assert_eq!(
        record["userIdentity"],
        json!({"type": "AWSAccount", "principalId": "AROAEXAMPLE:anna", "accountId": "123456789012"})
    );
    assert_eq!(
        record["sharedEventID"],
        "66666666-7777-8888-9999-000000000000"
    );
    for absent in ["userAgent", "requestParameters", "responseElements"] {
        assert!(record.get(absent).is_none(), "{absent}");
    }
}

proptest::proptest! {
    #[test]
    fn any_form_can_be_shown(pairs in proptest::collection::vec((r"[A-Za-z]{1,8}(\.[A-Za-z0-9]{0,6}){0,14}", ".{0,12}"), 0..12), wrapped: bool) {
        let action = if wrapped { "CreateFlowLogs" } else { "RunInstances" };
        let form: Vec<(String, String)> = pairs;
        assert!(ec2::request_parameters(action, &form).is_object());
        let _ = other::query_parameters(&form);
    }
}
