//! What flow logs may be created on, and how many.

use ec2_api::*;
use expect_test::expect;

use super::{describe, to_s3, with};
use crate::tests::{Fixture, answer, show, text};

#[test]
fn zonal_nat_gateways_are_recorded_at_their_interfaces() {
    let mut fixture = Fixture::new();
    let subnet_id = fixture.state().subnets.values().next().unwrap().id;
    let request = CreateNatGatewayRequest {
        subnet_id: text(subnet_id),
        connectivity_type: text("private"),
        ..Default::default()
    };
    let gateway = answer!(fixture, CreateNatGateway, request)
        .nat_gateway
        .unwrap();
    let of = |fixture: &Fixture, kind: &str, id: &str| {
        with(&to_s3(fixture), |r| {
            r.resource_type = text(kind);
            r.resource_ids = vec![id.to_owned()];
        })
    };
    let id = gateway.nat_gateway_id.clone().unwrap();
    let request = of(&fixture, "RegionalNatGateway", &id);
    let refused = fixture.refused(request);
    assert_eq!(
        refused,
        format!("InvalidParameter: Invalid Resource id {id} for resource-type RegionalNatGateway")
    );
    // Its interface is the gateway's, and still the account's to record.
    let eni = gateway.nat_gateway_addresses[0]
        .network_interface_id
        .clone()
        .unwrap();
    let request = of(&fixture, "NetworkInterface", &eni);
    answer!(fixture, CreateFlowLogs, request);
    let unknown = of(&fixture, "RegionalNatGateway", "nat-0123456789abcdef0");
    expect![[r#"
        CreateFlowLogsResponse {
          unsuccessful: [
            UnsuccessfulItem {
              error: UnsuccessfulItemError {
                code: "InvalidNatGatewayId.NotFound",
                message: "Unknown resource nat-0123456789abcdef0",
              },
              resource_id: "nat-0123456789abcdef0",
            },
          ],
        }
    "#]]
    .assert_eq(&show(&answer!(fixture, CreateFlowLogs, unknown)));
}

#[test]
fn a_resource_may_have_250_flow_logs() {
    let mut fixture = Fixture::new();
    let of = |fixture: &Fixture, number: usize| {
        with(&to_s3(fixture), |r| {
            r.log_destination = text(format!("arn:aws:s3:::records/{number}"));
        })
    };
    for number in 0..250 {
        let request = of(&fixture, number);
        answer!(fixture, CreateFlowLogs, request);
    }
    let request = of(&fixture, 250);
    assert!(
        fixture
            .refused(request)
            .starts_with("FlowLogsLimitExceeded")
    );
    let (mut seen, mut token) = (0, None);
    loop {
        let request = DescribeFlowLogsRequest {
            max_results: Some(100),
            next_token: token,
            ..Default::default()
        };
        let page = answer!(fixture, DescribeFlowLogs, request);
        seen += page.flow_logs.len();
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!((seen, describe(&mut fixture).len()), (250, 250));
    for size in [4, 1001] {
        let request = DescribeFlowLogsRequest {
            max_results: Some(size),
            ..Default::default()
        };
        assert!(
            fixture
                .refused(request)
                .starts_with("InvalidParameterValue")
        );
    }
}
