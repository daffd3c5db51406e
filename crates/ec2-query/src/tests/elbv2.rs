//! Elastic Load Balancing's forms and answers.

use crate::elbv2::{code, message, parse, render, render_error};
use elbv2_api::*;
use expect_test::{Expect, expect};

fn request(body: &str) -> Result<Request, crate::Error> {
    parse(&crate::form::decode(body.as_bytes())?)
}

fn check_error(body: &str, expected: &Expect) {
    let error = request(body).expect_err("the form must be refused");
    expected.assert_eq(&format!("{}: {}", code(&error), message(&error)));
}

/// One element to a line.
fn lines(xml: &str) -> String {
    xml.replace("><", ">\n<")
}

#[test]
fn lists_are_numbered_members() {
    let parsed = request(
        "Action=CreateListener&Version=2015-12-01&LoadBalancerArn=arn&Protocol=TCP&Port=80\
         &DefaultActions.member.1.Type=forward\
         &DefaultActions.member.1.ForwardConfig.TargetGroups.member.1.TargetGroupArn=tg\
         &DefaultActions.member.1.ForwardConfig.TargetGroups.member.1.Weight=1",
    );
    let tuple = TargetGroupTuple {
        target_group_arn: Some("tg".into()),
        weight: Some(1),
    };
    let forward = Action {
        r#type: Some("forward".into()),
        forward_config: Some(ForwardActionConfig {
            target_groups: vec![tuple],
            ..Default::default()
        }),
        ..Default::default()
    };
    let expected = CreateListenerRequest {
        load_balancer_arn: Some("arn".into()),
        protocol: Some("TCP".into()),
        port: Some(80),
        default_actions: vec![forward],
        ..Default::default()
    };
    assert_eq!(parsed, Ok(expected.into()));
}

#[test]
fn an_empty_list_has_no_members() {
    let parsed = request("Action=DescribeLoadBalancers&Names=");
    assert_eq!(parsed, Ok(DescribeLoadBalancersRequest::default().into()));
}

#[test]
fn refusals() {
    check_error(
        "Action=DescribeVpcs",
        &expect!["InvalidAction: Could not find operation DescribeVpcs for version 2015-12-01"],
    );
    check_error(
        "Action=DescribeLoadBalancers&Version=2012-06-01",
        &expect![
            "InvalidAction: Could not find operation DescribeLoadBalancers for version 2012-06-01"
        ],
    );
    check_error(
        "Action=CreateLoadBalancer",
        &expect![
            "ValidationError: 1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null"
        ],
    );
    check_error(
        "Action=DescribeTags&ResourceArns=",
        &expect![
            "ValidationError: 1 validation error detected: Value null at 'resourceArns' failed to satisfy constraint: Member must not be null"
        ],
    );
    for unknown in [
        "Names.1=a",
        "Names.member.one=a",
        "Names.member.1=a&Names.other.1=b",
    ] {
        let error = request(&format!("Action=DescribeLoadBalancers&{unknown}")).expect_err(unknown);
        assert_eq!(code(&error), "ValidationError", "{unknown}");
    }
}

#[test]
fn an_answer_has_its_result_and_its_metadata() {
    let load_balancer = LoadBalancer {
        load_balancer_name: Some("a<b".into()),
        security_groups: vec!["sg-1".into(), "sg-2".into()],
        ..Default::default()
    };
    let response = DescribeLoadBalancersResponse {
        load_balancers: vec![load_balancer],
        next_marker: None,
    };
    expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <DescribeLoadBalancersResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/">
        <DescribeLoadBalancersResult>
        <LoadBalancers>
        <member>
        <LoadBalancerName>a&lt;b</LoadBalancerName>
        <AvailabilityZones/>
        <SecurityGroups>
        <member>sg-1</member>
        <member>sg-2</member>
        </SecurityGroups>
        </member>
        </LoadBalancers>
        </DescribeLoadBalancersResult>
        <ResponseMetadata>
        <RequestId>r-1</RequestId>
        </ResponseMetadata>
        </DescribeLoadBalancersResponse>"#]]
    .assert_eq(&lines(&render(&response.into(), "r-1")));
    expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <DeleteLoadBalancerResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/">
        <DeleteLoadBalancerResult>
        </DeleteLoadBalancerResult>
        <ResponseMetadata>
        <RequestId>r-1</RequestId>
        </ResponseMetadata>
        </DeleteLoadBalancerResponse>"#]]
    .assert_eq(&lines(&render(&DeleteLoadBalancerResponse {}.into(), "r-1")));
}

#[test]
fn an_error_says_whose_fault_it_is() {
    expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <ErrorResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/">
        <Error>
        <Type>Sender</Type>
        <Code>LoadBalancerNotFound</Code>
        <Message>&apos;a&amp;b&apos; not found</Message>
        </Error>
        <RequestId>r-1</RequestId>
        </ErrorResponse>"#]]
    .assert_eq(&lines(&render_error(
        400,
        "LoadBalancerNotFound",
        "'a&b' not found",
        "r-1",
    )));
    assert!(render_error(500, "InternalFailure", "", "").contains("<Type>Receiver</Type>"));
}
