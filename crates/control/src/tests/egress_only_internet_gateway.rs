//! Egress-only internet gateways.

use ec2_api::*;
use expect_test::expect;

use super::{Fixture, answer, filter, named, show, text};

fn vpc(fixture: &mut Fixture) -> Option<String> {
    let request = CreateVpcRequest {
        cidr_block: text("10.0.0.0/16"),
        amazon_provided_ipv6_cidr_block: Some(true),
        ..Default::default()
    };
    answer!(fixture, CreateVpc, request).vpc.unwrap().vpc_id
}

fn create(vpc_id: &Option<String>) -> CreateEgressOnlyInternetGatewayRequest {
    CreateEgressOnlyInternetGatewayRequest {
        vpc_id: vpc_id.clone(),
        ..Default::default()
    }
}

fn delete(id: &Option<String>) -> DeleteEgressOnlyInternetGatewayRequest {
    DeleteEgressOnlyInternetGatewayRequest {
        egress_only_internet_gateway_id: id.clone(),
        dry_run: None,
    }
}

fn describe(id: &Option<String>) -> DescribeEgressOnlyInternetGatewaysRequest {
    DescribeEgressOnlyInternetGatewaysRequest {
        egress_only_internet_gateway_ids: id.iter().cloned().collect(),
        ..Default::default()
    }
}

fn created(fixture: &mut Fixture, vpc_id: &Option<String>) -> Option<String> {
    let made = answer!(fixture, CreateEgressOnlyInternetGateway, create(vpc_id));
    let gateway = made.egress_only_internet_gateway.unwrap();
    gateway.egress_only_internet_gateway_id
}

fn route(table_id: &Option<String>, block: &str, gateway: &Option<String>) -> CreateRouteRequest {
    let ipv6 = block.contains(':');
    CreateRouteRequest {
        route_table_id: table_id.clone(),
        destination_cidr_block: text(block).filter(|_| !ipv6),
        destination_ipv6_cidr_block: text(block).filter(|_| ipv6),
        egress_only_internet_gateway_id: gateway.clone(),
        ..Default::default()
    }
}

#[test]
fn a_gateway_lives() {
    let mut fixture = Fixture::new();
    let vpc_id = vpc(&mut fixture);
    let request = CreateEgressOnlyInternetGatewayRequest {
        client_token: text("once"),
        tag_specifications: named("egress-only-internet-gateway", "a"),
        ..create(&vpc_id)
    };
    let made = answer!(fixture, CreateEgressOnlyInternetGateway, request.clone());
    let again = answer!(fixture, CreateEgressOnlyInternetGateway, request);
    assert_eq!(made, again);
    expect![[r#"
        CreateEgressOnlyInternetGatewayResponse {
          client_token: "once",
          egress_only_internet_gateway: EgressOnlyInternetGateway {
            attachments: [
              InternetGatewayAttachment {
                state: "attached",
                vpc_id: "vpc-00000000000000018",
              },
            ],
            egress_only_internet_gateway_id: "eigw-00000000000000022",
            tags: [
              Tag {
                key: "Name",
                value: "a",
              },
            ],
          },
        }
    "#]]
    .assert_eq(&show(&made));
    let id = made
        .egress_only_internet_gateway
        .clone()
        .unwrap()
        .egress_only_internet_gateway_id;
    let tagged = DescribeEgressOnlyInternetGatewaysRequest {
        filters: filter("tag:Name", &["a"]),
        ..Default::default()
    };
    for request in [describe(&id), describe(&None), tagged] {
        let found = answer!(fixture, DescribeEgressOnlyInternetGateways, request);
        assert_eq!(
            found.egress_only_internet_gateways,
            made.egress_only_internet_gateway
                .clone()
                .into_iter()
                .collect::<Vec<_>>()
        );
    }
    let tags = DescribeTagsRequest {
        filters: filter("resource-type", &["egress-only-internet-gateway"]),
        ..Default::default()
    };
    assert_eq!(answer!(fixture, DescribeTags, tags).tags.len(), 1);
    let deleted = answer!(fixture, DeleteEgressOnlyInternetGateway, delete(&id));
    assert_eq!(deleted.return_code, Some(true));
    let found = answer!(fixture, DescribeEgressOnlyInternetGateways, describe(&id));
    assert_eq!(found.egress_only_internet_gateways, []);
}

#[test]
fn routes_follow_the_gateway() {
    let mut fixture = Fixture::new();
    let vpc_id = vpc(&mut fixture);
    let id = created(&mut fixture, &vpc_id);
    let own = vpc_id.as_deref().unwrap().parse().unwrap();
    let table_id = text(fixture.state().main_route_table(own).unwrap().id);
    fixture.run(route(&table_id, "::/0", &id)).unwrap();
    let state = |fixture: &mut Fixture| {
        let request = DescribeRouteTablesRequest {
            filters: filter(
                "route.egress-only-internet-gateway-id",
                &[id.as_deref().unwrap()],
            ),
            ..Default::default()
        };
        let tables = answer!(fixture, DescribeRouteTables, request).route_tables;
        let mut routes = tables.into_iter().flat_map(|t| t.routes);
        let found = routes.find(|r| r.egress_only_internet_gateway_id == id);
        found.and_then(|r| r.state)
    };
    assert_eq!(state(&mut fixture), text("active"));
    fixture.run(delete(&id)).unwrap();
    assert_eq!(state(&mut fixture), text("blackhole"));
}

#[test]
fn refusals() {
    let mut fixture = Fixture::new();
    let vpc_id = vpc(&mut fixture);
    let id = created(&mut fixture, &vpc_id);
    let default = fixture.state().default_vpc().unwrap().id;
    let foreign = text(fixture.state().main_route_table(default).unwrap().id);
    let own = vpc_id.as_deref().unwrap().parse().unwrap();
    let table_id = text(fixture.state().main_route_table(own).unwrap().id);
    let unknown = text("eigw-0123456789abcdef0");
    let mut lines = vec![
        fixture.refused(create(&vpc_id)),
        fixture.refused(create(&None)),
        fixture.refused(create(&text("vpc-0123456789abcdef0"))),
        fixture.refused(create(&text("x"))),
        fixture.refused(delete(&unknown)),
        fixture.refused(delete(&text("igw-0123456789abcdef0"))),
        fixture.refused(describe(&text("igw-0123456789abcdef0"))),
        fixture.refused(DescribeEgressOnlyInternetGatewaysRequest {
            max_results: Some(256),
            ..Default::default()
        }),
        fixture.refused(DescribeEgressOnlyInternetGatewaysRequest {
            filters: filter("vpc-id", &["x"]),
            ..Default::default()
        }),
        fixture.refused(CreateEgressOnlyInternetGatewayRequest {
            tag_specifications: named("internet-gateway", "a"),
            ..create(&text(default))
        }),
        fixture.refused(CreateEgressOnlyInternetGatewayRequest {
            dry_run: Some(true),
            ..create(&text(default))
        }),
        fixture.refused(route(&table_id, "0.0.0.0/0", &id)),
        fixture.refused(route(&foreign, "::/0", &id)),
        fixture.refused(route(&table_id, "::/0", &unknown)),
        fixture.refused(DeleteVpcRequest {
            vpc_id,
            dry_run: None,
        }),
    ];
    fixture.quotas.egress_only_internet_gateways = 1;
    lines.push(fixture.refused(create(&text(default))));
    expect![[r#"
        InvalidParameterValue: Network vpc-00000000000000018 already has an egress-only internet gateway attached
        MissingParameter: The request must contain the parameter vpcId
        InvalidVpcID.NotFound: The vpc ID 'vpc-0123456789abcdef0' does not exist
        InvalidVpcID.Malformed: Invalid id: "x" (expecting "vpc-...")
        InvalidGatewayID.NotFound: The eigw ID 'eigw-0123456789abcdef0' does not exist
        InvalidEgressOnlyInternetGatewayId.Malformed: Invalid id: "igw-0123456789abcdef0" (expecting "eigw-...")
        InvalidEgressOnlyInternetGatewayId.Malformed: Invalid id: "igw-0123456789abcdef0" (expecting "eigw-...")
        InvalidParameterValue: Value ( 256 ) for parameter maxResults is invalid. Expecting a value between 5 and 255.
        InvalidParameterValue: The filter 'vpc-id' is invalid
        InvalidParameterValue: 'internet-gateway' is not a valid taggable resource type for this operation.
        DryRunOperation: Request would have succeeded, but DryRun flag is set.
        InvalidParameterValue: Value (0.0.0.0/0) for parameter destinationCidrBlock is invalid. An egress-only internet gateway can be the target of IPv6 destinations only.
        InvalidParameterValue: route table rtb-00000000000000004 and network gateway eigw-00000000000000022 belong to different networks
        InvalidGatewayID.NotFound: The eigw ID 'eigw-0123456789abcdef0' does not exist
        DependencyViolation: The vpc 'vpc-00000000000000018' has dependencies and cannot be deleted.
        EgressOnlyInternetGatewayLimitExceeded: The maximum number of egress-only internet gateways has been reached."#]].assert_eq(&lines.join("\n"));
}
