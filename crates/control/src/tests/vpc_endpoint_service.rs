//! Endpoint services, as their owners see them.

use ec2_api::*;
use expect_test::expect;
use model::state::Row;
use model::{Scope, VpcEndpointState};

use super::elbv2::{load_balancer, refused as refused_by_elb};
use super::{Fixture, answer, filter, named, show, text};

fn create(fixture: &mut Fixture, name: &str) -> ServiceConfiguration {
    let request = CreateVpcEndpointServiceConfigurationRequest {
        network_load_balancer_arns: load_balancer(fixture, name).into_iter().collect(),
        tag_specifications: named("vpc-endpoint-service", name),
        ..Default::default()
    };
    let made = answer!(fixture, CreateVpcEndpointServiceConfiguration, request);
    made.service_configuration.unwrap()
}

fn consumer() -> Scope {
    Scope {
        account: "444455556666".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
    }
}

/// An endpoint that another account has made, as far as its state.
fn endpoint(fixture: &mut Fixture, service: &ServiceConfiguration, id: &str) -> Option<String> {
    let endpoint = model::VpcEndpoint {
        id: id.parse().unwrap(),
        vpc_id: "vpc-0123456789abcdef0".parse().unwrap(),
        service_name: service.service_name.clone().unwrap(),
        kind: model::VpcEndpointKind::Gateway(model::GatewayEndpoint {
            prefix_list_id: "pl-63a5400a".parse().unwrap(),
            route_table_ids: Vec::new(),
        }),
        state: VpcEndpointState::PendingAcceptance,
        policy_document: None,
        created_at: fixture.now,
        tags: model::Tags::new(),
    };
    fixture
        .world
        .apply(consumer(), &Row::put(endpoint.id, endpoint));
    text(id)
}

fn state(fixture: &Fixture) -> VpcEndpointState {
    let consumer = fixture.world.region(&consumer()).unwrap();
    consumer.vpc_endpoints.values().next().unwrap().state
}

fn connections(fixture: &mut Fixture) -> Vec<VpcEndpointConnection> {
    let request = DescribeVpcEndpointConnectionsRequest::default();
    answer!(fixture, DescribeVpcEndpointConnections, request).vpc_endpoint_connections
}

fn accept(
    service: &ServiceConfiguration,
    id: &Option<String>,
) -> AcceptVpcEndpointConnectionsRequest {
    AcceptVpcEndpointConnectionsRequest {
        service_id: service.service_id.clone(),
        vpc_endpoint_ids: id.iter().cloned().collect(),
        dry_run: None,
    }
}

fn reject(
    service: &ServiceConfiguration,
    id: &Option<String>,
) -> RejectVpcEndpointConnectionsRequest {
    RejectVpcEndpointConnectionsRequest {
        service_id: service.service_id.clone(),
        vpc_endpoint_ids: id.iter().cloned().collect(),
        dry_run: None,
    }
}

fn delete(service: &ServiceConfiguration) -> DeleteVpcEndpointServiceConfigurationsRequest {
    DeleteVpcEndpointServiceConfigurationsRequest {
        service_ids: service.service_id.iter().cloned().collect(),
        dry_run: None,
    }
}

#[test]
fn a_service_stands_behind_a_load_balancer() {
    let mut fixture = Fixture::new();
    let service = create(&mut fixture, "web");
    expect![[r#"
        ServiceConfiguration {
          service_type: [
            ServiceTypeDetail {
              service_type: "Interface",
            },
          ],
          service_id: "vpce-svc-0000000000000001c",
          service_name: "com.amazonaws.vpce.us-east-1.vpce-svc-0000000000000001c",
          service_state: "Available",
          availability_zone_ids: [
            "use1-az1",
            "use1-az2",
          ],
          availability_zones: [
            "us-east-1a",
            "us-east-1b",
          ],
          acceptance_required: true,
          manages_vpc_endpoints: false,
          network_load_balancer_arns: [
            "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/net/web/0000000000000017",
          ],
          supported_ip_address_types: [
            "ipv4",
          ],
          base_endpoint_dns_names: [
            "vpce-svc-0000000000000001c.us-east-1.vpce.amazonaws.com",
          ],
          tags: [
            Tag {
              key: "Name",
              value: "web",
            },
          ],
          supported_regions: [
            SupportedRegionDetail {
              region: "us-east-1",
              service_state: "Available",
            },
          ],
          remote_access_enabled: false,
        }
    "#]].assert_eq(&show(&service));
    let describe = |filters| DescribeVpcEndpointServiceConfigurationsRequest {
        filters,
        ..Default::default()
    };
    let found = |fixture: &mut Fixture, name: &str, value: &str| {
        let request = describe(filter(name, &[value]));
        let answer = answer!(fixture, DescribeVpcEndpointServiceConfigurations, request);
        answer.service_configurations.len()
    };
    let name = service.service_name.clone().unwrap();
    assert_eq!(found(&mut fixture, "service-name", &name), 1);
    assert_eq!(found(&mut fixture, "service-state", "Deleted"), 0);
    assert_eq!(found(&mut fixture, "tag:Name", "web"), 1);
    let (scope, row) = fixture.world.endpoint_service(&name).unwrap();
    assert_eq!(scope, fixture.scope);
    assert!(!row.admits(scope.account, consumer().account));
    // Its load balancer cannot go, nor serve another.
    let arn = service.network_load_balancer_arns[0].clone();
    let delete_balancer = elbv2_api::DeleteLoadBalancerRequest {
        load_balancer_arn: text(&arn),
    };
    let again = CreateVpcEndpointServiceConfigurationRequest {
        network_load_balancer_arns: vec![arn.clone()],
        ..Default::default()
    };
    let remove = ModifyVpcEndpointServiceConfigurationRequest {
        service_id: service.service_id.clone(),
        remove_network_load_balancer_arns: vec![arn],
        ..Default::default()
    };
    let answers = [
        refused_by_elb(&mut fixture, delete_balancer.clone()),
        fixture.refused(again),
        fixture.refused(remove),
    ];
    expect![[r#"
        ResourceInUse: Load balancer 'arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/net/web/0000000000000017' cannot be deleted because it is currently associated with another service
        InvalidParameter: The Network Load Balancer 'arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/net/web/0000000000000017' is already associated with the service 'vpce-svc-0000000000000001c'
        InvalidParameter: A service must have at least one Network Load Balancer"#]].assert_eq(&answers.join("\n"));
    let gone = answer!(
        fixture,
        DeleteVpcEndpointServiceConfigurations,
        delete(&service)
    );
    assert_eq!(gone.unsuccessful, []);
    fixture
        .call(&elbv2_api::Request::from(delete_balancer))
        .unwrap();
}

#[test]
fn principals_are_allowed_and_removed() {
    let mut fixture = Fixture::new();
    let service = create(&mut fixture, "web");
    let modify = |add: &[&str], remove: &[&str]| ModifyVpcEndpointServicePermissionsRequest {
        service_id: service.service_id.clone(),
        add_allowed_principals: add.iter().map(ToString::to_string).collect(),
        remove_allowed_principals: remove.iter().map(ToString::to_string).collect(),
        dry_run: None,
    };
    let (root, role) = (
        "arn:aws:iam::444455556666:root",
        "arn:aws:iam::444455556666:role/app",
    );
    let added = answer!(
        fixture,
        ModifyVpcEndpointServicePermissions,
        modify(&[root, role, root, "*"], &[])
    );
    expect![[r#"
        ModifyVpcEndpointServicePermissionsResponse {
          added_principals: [
            AddedPrincipal {
              principal_type: "Account",
              principal: "arn:aws:iam::444455556666:root",
              service_permission_id: "vpce-svc-perm-0000000000000001d",
              service_id: "vpce-svc-0000000000000001c",
            },
            AddedPrincipal {
              principal_type: "Role",
              principal: "arn:aws:iam::444455556666:role/app",
              service_permission_id: "vpce-svc-perm-0000000000000001e",
              service_id: "vpce-svc-0000000000000001c",
            },
            AddedPrincipal {
              principal_type: "All",
              principal: "*",
              service_permission_id: "vpce-svc-perm-0000000000000001f",
              service_id: "vpce-svc-0000000000000001c",
            },
          ],
          return_value: true,
        }
    "#]]
    .assert_eq(&show(&added));
    answer!(
        fixture,
        ModifyVpcEndpointServicePermissions,
        modify(&[], &["*", root])
    );
    let describe = DescribeVpcEndpointServicePermissionsRequest {
        service_id: service.service_id.clone(),
        filters: filter("principal-type", &["Role"]),
        ..Default::default()
    };
    let left = answer!(fixture, DescribeVpcEndpointServicePermissions, describe);
    let left = left.allowed_principals;
    assert_eq!((left.len(), left[0].principal.as_deref()), (1, Some(role)));
    let name = service.service_name.as_deref().unwrap();
    let (scope, row) = fixture.world.endpoint_service(name).unwrap();
    assert!(row.admits(scope.account, consumer().account));
    for wrong in [
        "444455556666",
        "arn:aws:iam::4444:root",
        "arn:aws:iam::444455556666:group/a",
    ] {
        let refused = fixture.refused(modify(&[wrong], &[]));
        assert_eq!(
            refused,
            format!("InvalidPrincipal: Invalid Principal: '{wrong}'")
        );
    }
}

#[test]
fn endpoints_of_other_accounts_are_accepted_and_rejected() {
    let mut fixture = Fixture::new();
    let service = create(&mut fixture, "web");
    assert_eq!(connections(&mut fixture), []);
    let id = endpoint(&mut fixture, &service, "vpce-0123456789abcdef0");
    expect![[r#"
        [
          VpcEndpointConnection {
            service_id: "vpce-svc-0000000000000001c",
            vpc_endpoint_id: "vpce-0123456789abcdef0",
            vpc_endpoint_owner: "444455556666",
            vpc_endpoint_state: "pendingAcceptance",
            creation_timestamp: "2024-05-01T10:00:00.000Z",
            network_load_balancer_arns: [
              "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/net/web/0000000000000017",
            ],
            ip_address_type: "ipv4",
            vpc_endpoint_connection_id: "vpce-con-0123456789abcdef0",
            vpc_endpoint_region: "us-east-1",
          },
        ]
    "#]].assert_eq(&show(&connections(&mut fixture)));
    let kept = answer!(
        fixture,
        DeleteVpcEndpointServiceConfigurations,
        delete(&service)
    );
    expect![[r#"
        DeleteVpcEndpointServiceConfigurationsResponse {
          unsuccessful: [
            UnsuccessfulItem {
              error: UnsuccessfulItemError {
                code: "ExistingVpcEndpointConnections",
                message: "Service vpce-svc-0000000000000001c has existing active VPC Endpoint connections!",
              },
              resource_id: "vpce-svc-0000000000000001c",
            },
          ],
        }
    "#]].assert_eq(&show(&kept));
    let done = answer!(fixture, AcceptVpcEndpointConnections, accept(&service, &id));
    assert_eq!(
        (done.unsuccessful.len(), state(&fixture)),
        (0, VpcEndpointState::Pending)
    );
    let again = answer!(fixture, AcceptVpcEndpointConnections, accept(&service, &id));
    let unknown = text("vpce-0123456789abcdef1");
    let other = answer!(
        fixture,
        RejectVpcEndpointConnections,
        reject(&service, &unknown)
    );
    expect![[r#"
        (
          [
            UnsuccessfulItem {
              error: UnsuccessfulItemError {
                code: "InvalidState",
                message: "Operation is not allowed on VPC endpoint vpce-0123456789abcdef0 in the state pending",
              },
              resource_id: "vpce-0123456789abcdef0",
            },
          ],
          [
            UnsuccessfulItem {
              error: UnsuccessfulItemError {
                code: "InvalidVpcEndpoint.NotFound",
                message: "The Vpc Endpoint Id 'vpce-0123456789abcdef1' does not exist",
              },
              resource_id: "vpce-0123456789abcdef1",
            },
          ],
        )
    "#]].assert_eq(&show(&(again.unsuccessful, other.unsuccessful)));
    let done = answer!(fixture, RejectVpcEndpointConnections, reject(&service, &id));
    assert_eq!(
        (done.unsuccessful.len(), state(&fixture)),
        (0, VpcEndpointState::Rejected)
    );
    let gone = answer!(
        fixture,
        DeleteVpcEndpointServiceConfigurations,
        delete(&service)
    );
    assert_eq!(gone.unsuccessful, []);
}

#[test]
fn refusals() {
    let mut fixture = Fixture::new();
    let service = create(&mut fixture, "web");
    let create = |change: &dyn Fn(&mut CreateVpcEndpointServiceConfigurationRequest)| {
        let mut request = CreateVpcEndpointServiceConfigurationRequest::default();
        change(&mut request);
        request
    };
    let arn =
        "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/net/web/0123456789abcdef";
    let unknown = text("vpce-svc-0123456789abcdef0");
    let describe = |id: &Option<String>| DescribeVpcEndpointServicePermissionsRequest {
        service_id: id.clone(),
        ..Default::default()
    };
    let gone = DeleteVpcEndpointServiceConfigurationsRequest {
        service_ids: unknown.clone().into_iter().collect(),
        dry_run: None,
    };
    let answers = [
        fixture.refused(create(&|_| {})),
        fixture.refused(create(&|r| r.network_load_balancer_arns = vec![arn.into()])),
        fixture.refused(create(&|r| r.gateway_load_balancer_arns = vec![arn.into()])),
        fixture.refused(create(&|r| r.private_dns_name = text("a.example.com"))),
        fixture.refused(create(&|r| {
            r.supported_ip_address_types = vec!["ipv6".into()];
        })),
        fixture.refused(create(&|r| r.supported_regions = vec!["us-west-2".into()])),
        fixture.refused(describe(&unknown)),
        fixture.refused(describe(&text("vpce-svc-1"))),
        show(&answer!(fixture, DeleteVpcEndpointServiceConfigurations, gone).unsuccessful),
    ];
    expect![[r#"
        MissingParameter: The request must contain the parameter NetworkLoadBalancerArn
        NetworkLoadBalancerNotFoundException: The Network Load Balancer 'arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/net/web/0123456789abcdef' does not exist
        UnsupportedOperation: The parameter GatewayLoadBalancerArn is not supported.
        UnsupportedOperation: The parameter PrivateDnsName is not supported.
        UnsupportedOperation: The parameter SupportedIpAddressType is not supported.
        UnsupportedOperation: The parameter SupportedRegion is not supported.
        InvalidVpcEndpointServiceId.NotFound: The VpcEndpointService Id 'vpce-svc-0123456789abcdef0' does not exist
        InvalidVpcEndpointServiceIdId.Malformed: Invalid id: "vpce-svc-1" (expecting "vpce-svc-...")
        [
          UnsuccessfulItem {
            error: UnsuccessfulItemError {
              code: "InvalidVpcEndpointService.NotFound",
              message: "The VpcEndpointService Id 'vpce-svc-0123456789abcdef0' does not exist",
            },
            resource_id: "vpce-svc-0123456789abcdef0",
          },
        ]
    "#]].assert_eq(&answers.join("\n"));
    // Other accounts do not see the service as theirs.
    fixture.scope = consumer();
    let refused = fixture.refused(describe(&service.service_id));
    assert!(
        refused.starts_with("InvalidVpcEndpointServiceId.NotFound"),
        "{refused}"
    );
}
