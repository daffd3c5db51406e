//! What arrives: forms to requests.

use super::parse;
use ec2_api::*;
use expect_test::{Expect, expect};

fn check_error(body: &str, expected: &Expect) {
    let error = parse(body).expect_err("the form must be refused");
    expected.assert_eq(&format!("{}: {error}", error.code()));
}

#[test]
fn create_vpc_with_tags() {
    let request = parse(
        "Action=CreateVpc&Version=2016-11-15&CidrBlock=10.0.0.0%2F16&DryRun=true\
         &TagSpecification.1.ResourceType=vpc&TagSpecification.1.Tag.1.Key=Name&TagSpecification.1.Tag.1.Value=a+b",
    );
    let expected = CreateVpcRequest {
        cidr_block: Some("10.0.0.0/16".into()),
        dry_run: Some(true),
        tag_specifications: vec![TagSpecification {
            resource_type: Some("vpc".into()),
            tags: vec![Tag {
                key: Some("Name".into()),
                value: Some("a b".into()),
            }],
        }],
        ..Default::default()
    };
    assert_eq!(request, Ok(expected.into()));
}

#[test]
fn security_group_rules_nest_lists() {
    let Ok(Request::AuthorizeSecurityGroupIngress(request)) = parse(
        "Action=AuthorizeSecurityGroupIngress&GroupId=sg-1&IpPermissions.1.IpProtocol=tcp\
         &IpPermissions.1.FromPort=80&IpPermissions.1.ToPort=80&IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0%2F0\
         &IpPermissions.1.Groups.2.GroupId=sg-3&IpPermissions.1.Groups.1.GroupId=sg-2\
         &IpPermissions.1.Ipv6Ranges.1.CidrIpv6=%3A%3A%2F0",
    ) else {
        panic!("not parsed");
    };
    let [permission] = request.ip_permissions.as_slice() else {
        panic!("one permission")
    };
    let groups: Vec<_> = permission
        .user_id_group_pairs
        .iter()
        .map(|g| g.group_id.as_deref())
        .collect();
    assert_eq!(permission.from_port, Some(80));
    assert_eq!(groups, [Some("sg-2"), Some("sg-3")]);
    assert_eq!(permission.ipv6_ranges[0].cidr_ipv6.as_deref(), Some("::/0"));
}

#[test]
fn irregular_names() {
    let Ok(Request::RunInstances(request)) = parse(
        "Action=RunInstances&MinCount=1&MaxCount=2&SecurityGroupId.1=sg-1&NetworkInterface.1.DeviceIndex=0\
         &NetworkInterface.1.SecurityGroupId.1=sg-2&NetworkInterface.1.PrivateIpAddresses.1.Primary=True",
    ) else {
        panic!("not parsed");
    };
    assert_eq!(request.security_group_ids, ["sg-1"]);
    assert_eq!(request.network_interfaces[0].groups, ["sg-2"]);
    assert_eq!(
        request.network_interfaces[0].private_ip_addresses[0].primary,
        Some(true)
    );

    let Ok(Request::ModifyVpcAttribute(request)) =
        parse("Action=ModifyVpcAttribute&VpcId=vpc-1&EnableDnsSupport.Value=false")
    else {
        panic!("not parsed");
    };
    assert_eq!(
        request.enable_dns_support,
        Some(AttributeBooleanValue { value: Some(false) })
    );
}

#[test]
fn list_items_keep_the_order_of_their_indices_and_may_have_gaps() {
    let Ok(Request::DescribeSubnets(request)) =
        parse("Action=DescribeSubnets&SubnetId.10=c&SubnetId.2=b&SubnetId.1=a")
    else {
        panic!("not parsed");
    };
    assert_eq!(request.subnet_ids, ["a", "b", "c"]);
}

#[test]
fn parameters_of_authentication_are_common_to_all_actions() {
    let request = parse(
        "AWSAccessKeyId=a&Action=DescribeRegions&Expires=e&SecurityToken=t&Signature=s&SignatureMethod=m\
         &SignatureVersion=2&Timestamp=t&X-Amz-Signature=x&X-Amz-Credential=c",
    );
    assert_eq!(request, Ok(DescribeRegionsRequest::default().into()));
}

#[test]
fn actions_and_versions() {
    check_error(
        "Action=Frobnicate",
        &expect!["InvalidAction: The action Frobnicate is not valid for this web service."],
    );
    check_error(
        "Version=2016-11-15",
        &expect!["MissingAction: The request is missing an action or a required parameter."],
    );
    check_error(
        "Action=DescribeVpcs&Version=2010-01-01",
        &expect![
            "NoSuchVersion: The requested version (2010-01-01) of service AmazonEC2 does not exist."
        ],
    );
    check_error(
        "Action=DescribeVpcs&Action=DescribeVpcs",
        &expect!["InvalidParameterCombination: The parameter Action may only be specified once."],
    );
    check_error(
        "Action=%zz",
        &expect!["MalformedQueryString: The query string contains a syntax error."],
    );
    check_error(
        "Action=%ff",
        &expect!["MalformedQueryString: The query string contains a syntax error."],
    );
}

#[test]
fn unknown_and_missing_parameters() {
    check_error(
        "Action=DescribeVpcs&Colour=red",
        &expect!["UnknownParameter: The parameter Colour is not recognized"],
    );
    check_error(
        "Action=DescribeVpcs&Filter.1.Name=a&Filter.1.Colour.1=red",
        &expect!["UnknownParameter: The parameter Filter.1.Colour.1 is not recognized"],
    );
    check_error(
        "Action=DescribeVpcs&VpcId=vpc-1",
        &expect!["UnknownParameter: The parameter VpcId is not recognized"],
    );
    check_error(
        "Action=DescribeVpcs&VpcId.one=vpc-1",
        &expect!["UnknownParameter: The parameter VpcId.one is not recognized"],
    );
    check_error(
        "Action=DescribeVpcs&DryRun.1=true",
        &expect!["UnknownParameter: The parameter DryRun.1 is not recognized"],
    );
    check_error(
        "Action=DeleteVpc",
        &expect!["MissingParameter: The request must contain the parameter VpcId"],
    );
    check_error(
        "Action=TerminateInstances",
        &expect!["MissingParameter: The request must contain the parameter InstanceId"],
    );
    check_error(
        "Action=CreateRoute&RouteTableId=r&RouteTableId=r",
        &expect![
            "InvalidParameterCombination: The parameter RouteTableId may only be specified once."
        ],
    );
    let deep = format!("Action=DescribeVpcs&{}=1", ["Filter"; 17].join("."));
    check_error(
        &deep,
        &expect![
            "UnknownParameter: The parameter Filter.Filter.Filter.Filter.Filter.Filter.Filter.Filter.Filter.Filter.Filter.Filter.Filter.Filter.Filter.Filter.Filter is not recognized"
        ],
    );
}

#[test]
fn values_of_the_wrong_type() {
    check_error(
        "Action=DescribeVpcs&MaxResults=many",
        &expect![
            "InvalidParameterValue: Value (many) for parameter MaxResults is invalid. Expected an integer."
        ],
    );
    check_error(
        "Action=DescribeVpcs&MaxResults=2147483648",
        &expect![
            "InvalidParameterValue: Value (2147483648) for parameter MaxResults is invalid. Expected an integer."
        ],
    );
    check_error(
        "Action=DescribeVpcs&DryRun=perhaps",
        &expect![
            "InvalidParameterValue: Value (perhaps) for parameter DryRun is invalid. Expected true or false."
        ],
    );
    check_error(
        "Action=DescribeVpcs&VpcId.0=vpc-1",
        &expect![
            "InvalidParameterValue: Value (0) for parameter VpcId.0 is invalid. Items of a list are numbered from 1 to 10000."
        ],
    );
    check_error(
        "Action=DescribeVpcs&VpcId.01=vpc-1",
        &expect![
            "InvalidParameterValue: Value (01) for parameter VpcId.01 is invalid. Items of a list are numbered from 1 to 10000."
        ],
    );
    check_error(
        "Action=DescribeVpcs&VpcId.99999999999999=vpc-1",
        &expect![
            "InvalidParameterValue: Value (99999999999999) for parameter VpcId.99999999999999 is invalid. Items of a list are numbered from 1 to 10000."
        ],
    );
}
