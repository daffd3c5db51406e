//! Gateway endpoints, and the services that endpoints lead to.

use ec2_api::*;
use expect_test::expect;
use proptest::prelude::*;

use super::{Fixture, answer, filter, named, show, text};

const S3: &str = "com.amazonaws.us-east-1.s3";
const DYNAMODB: &str = "com.amazonaws.us-east-1.dynamodb";

/// The default VPC and its main route table.
fn network(fixture: &Fixture) -> (Option<String>, String) {
    let vpc_id = fixture.state().default_vpc().unwrap().id;
    let table = fixture.state().main_route_table(vpc_id).unwrap().id;
    (text(vpc_id), table.to_string())
}

fn table(fixture: &mut Fixture, vpc_id: &Option<String>) -> String {
    let request = CreateRouteTableRequest {
        vpc_id: vpc_id.clone(),
        ..Default::default()
    };
    let table = answer!(fixture, CreateRouteTable, request).route_table;
    table.unwrap().route_table_id.unwrap()
}

fn create(vpc_id: &Option<String>, service: &str, tables: &[&str]) -> CreateVpcEndpointRequest {
    CreateVpcEndpointRequest {
        vpc_id: vpc_id.clone(),
        service_name: text(service),
        route_table_ids: tables.iter().map(ToString::to_string).collect(),
        ..Default::default()
    }
}

fn endpoint(fixture: &mut Fixture, request: CreateVpcEndpointRequest) -> Option<String> {
    let created = answer!(fixture, CreateVpcEndpoint, request);
    created.vpc_endpoint.unwrap().vpc_endpoint_id
}

fn modify(id: &Option<String>) -> ModifyVpcEndpointRequest {
    ModifyVpcEndpointRequest {
        vpc_endpoint_id: id.clone(),
        ..Default::default()
    }
}

fn delete(ids: &[&str]) -> DeleteVpcEndpointsRequest {
    DeleteVpcEndpointsRequest {
        vpc_endpoint_ids: ids.iter().map(ToString::to_string).collect(),
        dry_run: None,
    }
}

fn described(fixture: &mut Fixture, id: &Option<String>) -> VpcEndpoint {
    let request = DescribeVpcEndpointsRequest {
        vpc_endpoint_ids: id.iter().cloned().collect(),
        ..Default::default()
    };
    answer!(fixture, DescribeVpcEndpoints, request)
        .vpc_endpoints
        .remove(0)
}

/// Destinations and gateways of a table's routes through prefix lists.
fn list_routes(fixture: &mut Fixture, table: &str) -> Vec<String> {
    let request = DescribeRouteTablesRequest {
        route_table_ids: vec![table.to_owned()],
        ..Default::default()
    };
    let tables = answer!(fixture, DescribeRouteTables, request).route_tables;
    let routes = tables[0].routes.iter();
    let through = |r: &Route| {
        let (list, gateway) = (r.destination_prefix_list_id.clone()?, r.gateway_id.clone()?);
        Some(format!(
            "{list} {gateway} {} {}",
            r.origin.as_deref().unwrap(),
            r.state.as_deref().unwrap()
        ))
    };
    routes.filter_map(through).collect()
}

#[test]
fn a_gateway_endpoint_brings_its_routes_and_takes_them_along() {
    let mut fixture = Fixture::new();
    let (vpc_id, main) = network(&fixture);
    let other = table(&mut fixture, &vpc_id);
    let request = CreateVpcEndpointRequest {
        client_token: text("once"),
        private_dns_enabled: Some(false),
        tag_specifications: named("vpc-endpoint", "a"),
        ..create(&vpc_id, S3, &[&main, &main])
    };
    let created = answer!(fixture, CreateVpcEndpoint, request.clone());
    assert_eq!(answer!(fixture, CreateVpcEndpoint, request), created);
    expect![[r#"
        CreateVpcEndpointResponse {
          vpc_endpoint: VpcEndpoint {
            vpc_endpoint_id: "vpce-00000000000000018",
            vpc_endpoint_type: "Gateway",
            vpc_id: "vpc-00000000000000002",
            service_name: "com.amazonaws.us-east-1.s3",
            state: "available",
            policy_document: "{\"Version\":\"2008-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\",\"Resource\":\"*\"}]}",
            route_table_ids: [
              "rtb-00000000000000004",
            ],
            ip_address_type: "ipv4",
            dns_options: DnsOptions {
              dns_record_ip_type: "service-defined",
            },
            private_dns_enabled: false,
            requester_managed: false,
            creation_timestamp: "2024-05-01T10:00:00.000Z",
            tags: [
              Tag {
                key: "Name",
                value: "a",
              },
            ],
            owner_id: "111122223333",
          },
          client_token: "once",
        }
    "#]].assert_eq(&show(&created));
    let s3 = created.vpc_endpoint.unwrap().vpc_endpoint_id;
    let dynamodb = endpoint(&mut fixture, create(&vpc_id, DYNAMODB, &[&main]));
    let route = |list: &str, id: &Option<String>| {
        format!("{list} {} CreateRoute active", id.as_deref().unwrap())
    };
    let (to_s3, to_dynamodb) = (route("pl-63a5400a", &s3), route("pl-02cd2c6b", &dynamodb));
    assert_eq!(
        list_routes(&mut fixture, &main),
        [to_s3.clone(), to_dynamodb.clone()]
    );
    let request = ModifyVpcEndpointRequest {
        add_route_table_ids: vec![other.clone()],
        remove_route_table_ids: vec![main.clone()],
        ..modify(&s3)
    };
    fixture.run(request).unwrap();
    assert_eq!(list_routes(&mut fixture, &main), [to_dynamodb]);
    assert_eq!(list_routes(&mut fixture, &other), [to_s3]);
    assert_eq!(
        described(&mut fixture, &s3).route_table_ids,
        std::slice::from_ref(&other)
    );
    // A table takes its routes along, and the endpoint forgets it.
    let request = DeleteRouteTableRequest {
        route_table_id: text(&other),
        dry_run: None,
    };
    fixture.run(request).unwrap();
    assert!(described(&mut fixture, &s3).route_table_ids.is_empty());
    let ids = [
        s3.as_deref().unwrap(),
        "vpce-0123456789abcdef0",
        dynamodb.as_deref().unwrap(),
    ];
    let deleted = answer!(fixture, DeleteVpcEndpoints, delete(&ids));
    expect![[r#"
        DeleteVpcEndpointsResponse {
          unsuccessful: [
            UnsuccessfulItem {
              error: UnsuccessfulItemError {
                code: "InvalidVpcEndpoint.NotFound",
                message: "The Vpc Endpoint Id 'vpce-0123456789abcdef0' does not exist",
              },
              resource_id: "vpce-0123456789abcdef0",
            },
          ],
        }
    "#]]
    .assert_eq(&show(&deleted));
    assert!(list_routes(&mut fixture, &main).is_empty());
    assert!(fixture.state().vpc_endpoints.is_empty());
}

#[test]
fn policies_are_kept_as_they_were_sent() {
    let mut fixture = Fixture::new();
    let (vpc_id, _) = network(&fixture);
    let default = r#"{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;
    let own = r#"{ "Statement": [ {"Effect":"Allow", "Principal":"*", "Action":"s3:GetObject", "Resource":"*"} ] }"#;
    let request = CreateVpcEndpointRequest {
        policy_document: text(own),
        ..create(&vpc_id, S3, &[])
    };
    let id = endpoint(&mut fixture, request);
    let policy = |fixture: &mut Fixture| described(fixture, &id).policy_document.unwrap();
    assert_eq!(policy(&mut fixture), own);
    let reset = ModifyVpcEndpointRequest {
        reset_policy: Some(true),
        ..modify(&id)
    };
    fixture.run(reset.clone()).unwrap();
    assert_eq!(policy(&mut fixture), default);
    let set = ModifyVpcEndpointRequest {
        policy_document: text(own),
        ..modify(&id)
    };
    fixture.run(set).unwrap();
    assert_eq!(policy(&mut fixture), own);
    let mut out = String::new();
    for request in [
        ModifyVpcEndpointRequest {
            policy_document: text(own),
            ..reset
        },
        ModifyVpcEndpointRequest {
            policy_document: text(own.to_owned() + &" ".repeat(20_480)),
            ..modify(&id)
        },
        ModifyVpcEndpointRequest {
            policy_document: text("allow everything"),
            ..modify(&id)
        },
        ModifyVpcEndpointRequest {
            policy_document: text(own.replace("s3:GetObject", "GetObject")),
            ..modify(&id)
        },
        ModifyVpcEndpointRequest {
            policy_document: text(own.replace(r#""Principal":"*","#, "")),
            ..modify(&id)
        },
    ] {
        out += &format!("{}\n", fixture.refused(request));
    }
    expect![[r#"
        InvalidParameterCombination: The parameters policyDocument and resetPolicy cannot be used together
        InvalidPolicyDocument: The policy has 20577 characters, more than the maximum of 20480.
        InvalidPolicyDocument: Policies must be valid JSON and the first byte must be '{'
        InvalidPolicyDocument: Policy has invalid action
        InvalidPolicyDocument: Missing required field Principal
    "#]].assert_eq(&out);
    assert_eq!(policy(&mut fixture), own);
    let refused = CreateVpcEndpointRequest {
        policy_document: text("{}"),
        ..create(&vpc_id, S3, &[])
    };
    assert_eq!(
        fixture.refused(refused),
        "InvalidPolicyDocument: Missing required field Statement"
    );
}

#[test]
fn creation_is_refused() {
    let mut fixture = Fixture::new();
    let (vpc_id, main) = network(&fixture);
    let request = CreateVpcRequest {
        cidr_block: text("10.9.0.0/16"),
        ..Default::default()
    };
    let elsewhere = answer!(fixture, CreateVpc, request).vpc.unwrap().vpc_id;
    let foreign = table(&mut fixture, &elsewhere);
    let plain = || create(&vpc_id, S3, &[]);
    let dns = |options: DnsOptionsSpecification| CreateVpcEndpointRequest {
        dns_options: Some(options),
        ..plain()
    };
    let mut out = String::new();
    for request in [
        create(&None, S3, &[]),
        CreateVpcEndpointRequest {
            service_name: None,
            ..plain()
        },
        create(&text("vpc-1"), S3, &[]),
        create(&text("vpc-0123456789abcdef0"), S3, &[]),
        create(&vpc_id, "com.amazonaws.us-east-1.nothing", &[]),
        // Another Region's.
        create(&vpc_id, "com.amazonaws.eu-west-1.s3", &[]),
        create(&vpc_id, "com.amazonaws.us-east-1.ec2", &[]),
        create(&vpc_id, S3, &["rtb-0123456789abcdef0"]),
        create(&vpc_id, S3, &["rtb-x"]),
        create(&vpc_id, S3, &[&foreign]),
        CreateVpcEndpointRequest {
            vpc_endpoint_type: text("GatewayLoadBalancer"),
            ..plain()
        },
        CreateVpcEndpointRequest {
            vpc_endpoint_type: text("gateway"),
            ..plain()
        },
        CreateVpcEndpointRequest {
            subnet_ids: vec!["subnet-0123456789abcdef0".to_owned()],
            ..plain()
        },
        CreateVpcEndpointRequest {
            security_group_ids: vec!["sg-0123456789abcdef0".to_owned()],
            ..plain()
        },
        CreateVpcEndpointRequest {
            private_dns_enabled: Some(true),
            ..plain()
        },
        CreateVpcEndpointRequest {
            service_region: text("eu-west-1"),
            ..plain()
        },
        CreateVpcEndpointRequest {
            service_network_arn: text("arn:…"),
            ..plain()
        },
        CreateVpcEndpointRequest {
            resource_configuration_arn: text("arn:…"),
            ..plain()
        },
        CreateVpcEndpointRequest {
            ip_address_type: text("dualstack"),
            ..plain()
        },
        CreateVpcEndpointRequest {
            ip_address_type: text("ipv5"),
            ..plain()
        },
        dns(DnsOptionsSpecification {
            dns_record_ip_type: text("ipv4"),
            ..Default::default()
        }),
        dns(DnsOptionsSpecification {
            dns_record_ip_type: text("any"),
            ..Default::default()
        }),
        dns(DnsOptionsSpecification {
            private_dns_only_for_inbound_resolver_endpoint: Some(true),
            ..Default::default()
        }),
        CreateVpcEndpointRequest {
            tag_specifications: named("vpc", "a"),
            ..plain()
        },
        CreateVpcEndpointRequest {
            dry_run: Some(true),
            ..create(&vpc_id, S3, &[&main])
        },
    ] {
        out += &format!("{}\n", fixture.refused(request));
    }
    let mut refused = |fixture: &mut Fixture, request: Request| {
        out += &fixture.refused(request);
        out += "\n";
    };
    endpoint(&mut fixture, create(&vpc_id, S3, &[&main]));
    refused(&mut fixture, create(&vpc_id, S3, &[&main]).into());
    let token = CreateVpcEndpointRequest {
        client_token: text("once"),
        ..plain()
    };
    endpoint(&mut fixture, token.clone());
    let other = CreateVpcEndpointRequest {
        service_name: text(DYNAMODB),
        ..token
    };
    refused(&mut fixture, other.into());
    // The default route is one, the endpoint's another.
    fixture.quotas.routes = 2;
    refused(&mut fixture, create(&vpc_id, DYNAMODB, &[&main]).into());
    fixture.quotas.gateway_endpoints = 2;
    refused(&mut fixture, plain().into());
    let request = DeleteVpcRequest {
        vpc_id: elsewhere.clone(),
        dry_run: None,
    };
    fixture.quotas.gateway_endpoints = 3;
    endpoint(&mut fixture, create(&elsewhere, S3, &[]));
    let alone = DeleteRouteTableRequest {
        route_table_id: text(foreign),
        dry_run: None,
    };
    fixture.run(alone).unwrap();
    refused(&mut fixture, request.into());
    expect![[r#"
        MissingParameter: The request must contain the parameter VpcId
        MissingParameter: The request must contain the parameter ServiceName
        InvalidVpcID.Malformed: Invalid id: "vpc-1" (expecting "vpc-...")
        InvalidVpcID.NotFound: The vpc ID 'vpc-0123456789abcdef0' does not exist
        InvalidServiceName: The Vpc Endpoint Service 'com.amazonaws.us-east-1.nothing' does not exist
        InvalidServiceName: The Vpc Endpoint Service 'com.amazonaws.eu-west-1.s3' does not exist
        InvalidParameter: Endpoint type (Gateway) does not match available service types ([Interface]).
        InvalidRouteTableId.NotFound: The routeTable ID 'rtb-0123456789abcdef0' does not exist
        InvalidRouteTableId.Malformed: Invalid id: "rtb-x" (expecting "rtb-...")
        InvalidParameter: Route table rtb-0000000000000001f does not belong to VPC vpc-00000000000000002
        UnsupportedOperation: VPC endpoints of type GatewayLoadBalancer are not supported.
        InvalidVpcEndpointType: Value (gateway) for parameter VpcEndpointType is invalid. Valid values: Gateway, Interface, GatewayLoadBalancer, Resource, ServiceNetwork.
        InvalidParameter: Subnet IDs are only supported for Interface type VPC Endpoint.
        InvalidParameter: Security group IDs are only supported for Interface type VPC Endpoint.
        InvalidParameter: Private DNS is only supported for Interface type VPC Endpoint.
        InvalidParameter: Service Region is only supported for Interface type VPC Endpoint.
        UnsupportedOperation: The parameter serviceNetworkArn is not supported.
        UnsupportedOperation: The parameter resourceConfigurationArn is not supported.
        UnsupportedOperation: Gateway endpoints with the IP address type dualstack are not supported.
        InvalidParameterValue: Value (ipv5) for parameter IpAddressType is invalid. Valid values: ipv4, dualstack, ipv6.
        UnsupportedOperation: Gateway endpoints with the DNS record type ipv4 are not supported.
        InvalidParameterValue: Value (any) for parameter DnsRecordIpType is invalid. Valid values: ipv4, dualstack, ipv6, service-defined.
        UnsupportedOperation: The parameter dnsOptions.privateDnsOnlyForInboundResolverEndpoint is not supported.
        InvalidParameterValue: 'vpc' is not a valid taggable resource type for this operation.
        DryRunOperation: Request would have succeeded, but DryRun flag is set.
        RouteAlreadyExists: route table rtb-00000000000000004 already has a route with destination-prefix-list-id pl-63a5400a
        IdempotentParameterMismatch: The client token you have provided is associated with a resource that has different parameters.
        RouteLimitExceeded: The maximum number of routes has been reached.
        VpcEndpointLimitExceeded: The maximum number of VPC endpoints has been reached.
        DependencyViolation: The vpc 'vpc-00000000000000017' has dependencies and cannot be deleted.
    "#]].assert_eq(&out);
}

#[test]
fn changes_are_refused() {
    let mut fixture = Fixture::new();
    let (vpc_id, main) = network(&fixture);
    let other = table(&mut fixture, &vpc_id);
    let id = endpoint(&mut fixture, create(&vpc_id, S3, &[&main]));
    let mut out = String::new();
    let mut refused = |fixture: &mut Fixture, request: Request| {
        out += &fixture.refused(request);
        out += "\n";
    };
    for request in [
        modify(&None),
        modify(&text("vpce-1")),
        modify(&text("vpce-0123456789abcdef0")),
        ModifyVpcEndpointRequest {
            add_route_table_ids: vec![main.clone()],
            ..modify(&id)
        },
        ModifyVpcEndpointRequest {
            remove_route_table_ids: vec![other.clone()],
            ..modify(&id)
        },
        ModifyVpcEndpointRequest {
            remove_route_table_ids: vec!["rtb-0123456789abcdef0".to_owned()],
            ..modify(&id)
        },
        ModifyVpcEndpointRequest {
            add_subnet_ids: vec!["subnet-0123456789abcdef0".to_owned()],
            ..modify(&id)
        },
        ModifyVpcEndpointRequest {
            remove_security_group_ids: vec!["sg-0123456789abcdef0".to_owned()],
            ..modify(&id)
        },
        ModifyVpcEndpointRequest {
            private_dns_enabled: Some(true),
            ..modify(&id)
        },
        ModifyVpcEndpointRequest {
            ip_address_type: text("ipv6"),
            ..modify(&id)
        },
    ] {
        refused(&mut fixture, request.into());
    }
    refused(&mut fixture, delete(&[]).into());
    refused(&mut fixture, delete(&["vpce-x"]).into());
    let unknown = DescribeVpcEndpointsRequest {
        vpc_endpoint_ids: vec!["vpce-0123456789abcdef0".to_owned()],
        ..Default::default()
    };
    refused(&mut fixture, unknown.into());
    // Only the endpoint itself touches its routes.
    let gateway = fixture
        .state()
        .internet_gateways
        .values()
        .next()
        .unwrap()
        .id;
    let list = text("pl-63a5400a");
    let route = |destination: &str, table: &str| CreateRouteRequest {
        route_table_id: text(table),
        destination_cidr_block: text(destination),
        ..Default::default()
    };
    for request in [
        CreateRouteRequest {
            destination_cidr_block: None,
            destination_prefix_list_id: list.clone(),
            gateway_id: text(gateway),
            ..route("", &main)
        },
        CreateRouteRequest {
            destination_cidr_block: None,
            destination_prefix_list_id: list.clone(),
            gateway_id: id.clone(),
            ..route("", &other)
        },
        CreateRouteRequest {
            vpc_endpoint_id: id.clone(),
            ..route("198.51.100.0/24", &other)
        },
        CreateRouteRequest {
            gateway_id: id.clone(),
            ..route("198.51.100.0/24", &other)
        },
        CreateRouteRequest {
            vpc_endpoint_id: text("vpce-0123456789abcdef0"),
            ..route("198.51.100.0/24", &other)
        },
    ] {
        refused(&mut fixture, request.into());
    }
    let replace = ReplaceRouteRequest {
        route_table_id: text(&main),
        destination_prefix_list_id: list.clone(),
        gateway_id: text(gateway),
        ..Default::default()
    };
    refused(&mut fixture, replace.into());
    let remove = DeleteRouteRequest {
        route_table_id: text(&main),
        destination_prefix_list_id: list,
        ..Default::default()
    };
    refused(&mut fixture, remove.into());
    expect![[r#"
        MissingParameter: The request must contain the parameter VpcEndpointId
        InvalidVpcEndpointId.Malformed: Invalid id: "vpce-1" (expecting "vpce-...")
        InvalidVpcEndpointId.NotFound: The Vpc Endpoint Id 'vpce-0123456789abcdef0' does not exist
        RouteAlreadyExists: route table rtb-00000000000000004 already has a route with destination-prefix-list-id pl-63a5400a
        InvalidParameter: Route table rtb-00000000000000017 is not associated with VPC endpoint vpce-00000000000000018
        InvalidRouteTableId.NotFound: The routeTable ID 'rtb-0123456789abcdef0' does not exist
        InvalidVpcEndpointType: Subnet IDs are only supported for Interface type VPC Endpoint.
        InvalidVpcEndpointType: Security group IDs are only supported for Interface type VPC Endpoint.
        InvalidVpcEndpointType: Private DNS is only supported for Interface type VPC Endpoint.
        UnsupportedOperation: Gateway endpoints with the IP address type ipv6 are not supported.
        MissingParameter: The request must contain the parameter VpcEndpointId
        InvalidVpcEndpointId.Malformed: Invalid id: "vpce-x" (expecting "vpce-...")
        InvalidVpcEndpointId.NotFound: The Vpc Endpoint Id 'vpce-0123456789abcdef0' does not exist
        InvalidParameterValue: Cannot create or replace a prefix list targeting a VPC Endpoint.
        InvalidParameterValue: Cannot create or replace a prefix list targeting a VPC Endpoint.
        RouteNotSupported: Route table contains unsupported route target: vpce-00000000000000018. VPC Endpoints of this type cannot be used as route targets.
        RouteNotSupported: Route table contains unsupported route target: vpce-00000000000000018. VPC Endpoints of this type cannot be used as route targets.
        InvalidVpcEndpointId.NotFound: The Vpc Endpoint Id 'vpce-0123456789abcdef0' does not exist
        InvalidParameterValue: Cannot create or replace a prefix list targeting a VPC Endpoint.
        InvalidParameterValue: cannot remove VPC endpoint route pl-63a5400a in route table rtb-00000000000000004
    "#]].assert_eq(&out);
}

#[test]
fn endpoints_are_filtered() {
    let mut fixture = Fixture::new();
    let (vpc_id, main) = network(&fixture);
    endpoint(&mut fixture, create(&vpc_id, S3, &[&main]));
    let request = CreateVpcEndpointRequest {
        tag_specifications: named("vpc-endpoint", "b"),
        ..create(&vpc_id, DYNAMODB, &[])
    };
    endpoint(&mut fixture, request);
    for (name, value, count) in [
        ("service-name", S3, 1),
        ("vpc-endpoint-type", "Gateway", 2),
        ("vpc-endpoint-state", "available", 2),
        ("vpc-id", "vpc-0123456789abcdef0", 0),
        ("vpc-endpoint-id", "vpce-*", 2),
        ("ip-address-type", "ipv4", 2),
        ("service-region", "us-east-1", 2),
        ("tag:Name", "b", 1),
    ] {
        let request = DescribeVpcEndpointsRequest {
            filters: filter(name, &[value]),
            ..Default::default()
        };
        let found = answer!(fixture, DescribeVpcEndpoints, request).vpc_endpoints;
        assert_eq!(found.len(), count, "{name}");
    }
}

#[test]
fn services_are_listed_for_each_type() {
    let mut fixture = Fixture::new();
    let request = |names: &[&str], filters| DescribeVpcEndpointServicesRequest {
        service_names: names.iter().map(ToString::to_string).collect(),
        filters,
        ..Default::default()
    };
    let both = answer!(fixture, DescribeVpcEndpointServices, request(&[S3], vec![]));
    assert_eq!(both.service_names, [S3, S3]);
    assert_eq!(both.service_details.len(), 2);
    let gateways = request(&[S3], filter("service-type", &["Gateway"]));
    expect![[r#"
        DescribeVpcEndpointServicesResponse {
          service_names: [
            "com.amazonaws.us-east-1.s3",
          ],
          service_details: [
            ServiceDetail {
              service_name: "com.amazonaws.us-east-1.s3",
              service_id: "vpce-svc-5699ff4d15e271692",
              service_type: [
                ServiceTypeDetail {
                  service_type: "Gateway",
                },
              ],
              service_region: "us-east-1",
              availability_zone_ids: [
                "use1-az1",
                "use1-az2",
                "use1-az3",
                "use1-az4",
                "use1-az5",
                "use1-az6",
              ],
              availability_zones: [
                "us-east-1a",
                "us-east-1b",
                "us-east-1c",
                "us-east-1d",
                "us-east-1e",
                "us-east-1f",
              ],
              owner: "amazon",
              base_endpoint_dns_names: [
                "s3.us-east-1.amazonaws.com",
              ],
              vpc_endpoint_policy_supported: true,
              acceptance_required: false,
              manages_vpc_endpoints: false,
              supported_ip_address_types: [
                "ipv4",
              ],
            },
          ],
        }
    "#]]
    .assert_eq(&show(&answer!(
        fixture,
        DescribeVpcEndpointServices,
        gateways
    )));
    let logs = request(&["com.amazonaws.us-east-1.logs"], vec![]);
    let logs = answer!(fixture, DescribeVpcEndpointServices, logs).service_details;
    assert_eq!(
        logs[0].private_dns_name.as_deref(),
        Some("logs.us-east-1.amazonaws.com")
    );
    let mut out = fixture.refused(request(&["com.amazonaws.us-east-1.nothing"], vec![])) + "\n";
    let elsewhere = DescribeVpcEndpointServicesRequest {
        service_regions: vec!["eu-west-1".to_owned()],
        ..Default::default()
    };
    out += &(fixture.refused(elsewhere) + "\n");
    expect![[r#"
        InvalidServiceName: The Vpc Endpoint Service 'com.amazonaws.us-east-1.nothing' does not exist
        UnsupportedOperation: Services of another Region (eu-west-1) are not supported.
    "#]].assert_eq(&out);
}

/// Every endpoint has a route in each of its tables and nowhere else, and every list that something
/// names exists.
fn check(state: &model::State) {
    for endpoint in state.vpc_endpoints.values() {
        let own = endpoint.gateway().unwrap();
        let list = model::Destination::PrefixList(own.prefix_list_id);
        let target = model::RouteTarget::VpcEndpoint(endpoint.id);
        for table in state.route_tables.values() {
            let routes: Vec<_> = table.routes.iter().filter(|r| r.target == target).collect();
            let expected = usize::from(own.route_table_ids.contains(&table.id));
            assert_eq!(routes.len(), expected);
            assert!(routes.iter().all(|r| r.destination == list));
        }
        let tables: Vec<_> = own.route_table_ids.iter().collect();
        assert!(tables.iter().all(|id| state.route_tables.contains(id)));
    }
    for route in state.route_tables.values().flat_map(|t| &t.routes) {
        if let model::RouteTarget::VpcEndpoint(id) = route.target {
            assert!(state.vpc_endpoints.contains(&id));
        }
        if let model::Destination::PrefixList(id) = route.destination {
            let own = state.prefix_lists.get(&id).map(|list| list.operation);
            assert_ne!(own, Some(model::PrefixListOperation::Delete));
            assert!(own.is_some() || model::AwsPrefixList::with_id(id).is_some());
        }
    }
}

/// A request about the `a`th endpoint, table or list of what there are.
fn step(fixture: &Fixture, (action, a, b): (u8, usize, usize)) -> Request {
    let state = fixture.state();
    let nth = |ids: Vec<String>, n: usize| ids.get(n % ids.len().max(1)).cloned();
    let endpoints = state.vpc_endpoints.values().map(|e| e.id.to_string());
    let tables = state.route_tables.values().map(|t| t.id.to_string());
    let lists = state.prefix_lists.values().map(|l| l.id.to_string());
    let lists = lists.chain(["pl-63a5400a".to_owned(), "pl-02cd2c6b".to_owned()]);
    let (endpoints, tables): (Vec<_>, Vec<_>) = (endpoints.collect(), tables.collect());
    let lists: Vec<_> = lists.collect();
    let gateway = state
        .internet_gateways
        .values()
        .next()
        .map(|g| g.id.to_string());
    let (vpc_id, _) = network(fixture);
    let route_table_id = nth(tables.clone(), a);
    match action % 10 {
        0 | 1 => create(
            &vpc_id,
            [S3, DYNAMODB][b % 2],
            &[&route_table_id.unwrap(), &nth(tables, b).unwrap()],
        )
        .into(),
        2 => delete(&[&nth(endpoints, a).unwrap_or_default()]).into(),
        3 => ModifyVpcEndpointRequest {
            add_route_table_ids: vec![nth(tables.clone(), b).unwrap()],
            remove_route_table_ids: nth(tables, a + b)
                .filter(|_| b % 2 == 0)
                .into_iter()
                .collect(),
            ..modify(&nth(endpoints, a))
        }
        .into(),
        4 => CreateRouteTableRequest {
            vpc_id,
            ..Default::default()
        }
        .into(),
        5 => DeleteRouteTableRequest {
            route_table_id,
            dry_run: None,
        }
        .into(),
        6 => CreateRouteRequest {
            route_table_id,
            destination_prefix_list_id: nth(lists, b),
            gateway_id: gateway,
            ..Default::default()
        }
        .into(),
        7 => DeleteRouteRequest {
            route_table_id,
            destination_prefix_list_id: nth(lists, b),
            ..Default::default()
        }
        .into(),
        8 => CreateManagedPrefixListRequest {
            prefix_list_name: text("list"),
            max_entries: Some(3),
            address_family: text("IPv4"),
            ..Default::default()
        }
        .into(),
        _ => DeleteManagedPrefixListRequest {
            prefix_list_id: nth(lists, b),
            dry_run: None,
        }
        .into(),
    }
}

proptest! {
    #[test]
    fn routes_come_and_go_with_their_endpoints(
        steps in prop::collection::vec((any::<u8>(), 0..8_usize, 0..8_usize), 1..60)
    ) {
        let mut fixture = Fixture::new();
        for one in steps {
            let request = step(&fixture, one);
            let _ = fixture.run(request);
            fixture.now = fixture.now + std::time::Duration::from_secs(1);
            check(fixture.state());
        }
    }
}
