//! Internet gateways.

use ec2_api::*;
use expect_test::expect;

use super::{Fixture, answer, filter, named, show, text};

fn attach(gateway: &Option<String>, vpc_id: impl ToString) -> AttachInternetGatewayRequest {
    AttachInternetGatewayRequest {
        internet_gateway_id: gateway.clone(),
        vpc_id: text(vpc_id),
        dry_run: None,
    }
}

fn detach(gateway: &Option<String>, vpc_id: impl ToString) -> DetachInternetGatewayRequest {
    DetachInternetGatewayRequest {
        internet_gateway_id: gateway.clone(),
        vpc_id: text(vpc_id),
        dry_run: None,
    }
}

#[test]
fn a_gateway_lives() {
    let mut fixture = Fixture::new();
    let default = fixture.state().default_vpc().unwrap().id;
    let request = CreateVpcRequest {
        cidr_block: text("10.0.0.0/16"),
        ..Default::default()
    };
    let vpc_id = answer!(fixture, CreateVpc, request)
        .vpc
        .unwrap()
        .vpc_id
        .unwrap();
    let request = CreateInternetGatewayRequest {
        tag_specifications: named("internet-gateway", "a"),
        dry_run: None,
    };
    let created = answer!(fixture, CreateInternetGateway, request);
    let mut out = show(&created);
    let gateway = created.internet_gateway.unwrap().internet_gateway_id;
    let mut refused = |fixture: &mut Fixture, request: Request| {
        out += &fixture.refused(request);
        out += "\n";
    };
    refused(&mut fixture, attach(&gateway, default).into());
    refused(&mut fixture, detach(&gateway, &vpc_id).into());
    refused(
        &mut fixture,
        attach(&gateway, "vpc-0123456789abcdef0").into(),
    );
    refused(
        &mut fixture,
        attach(&text("igw-0123456789abcdef0"), default).into(),
    );
    refused(&mut fixture, attach(&None, default).into());
    fixture.run(attach(&gateway, &vpc_id)).unwrap();
    refused(&mut fixture, attach(&gateway, &vpc_id).into());
    let delete = DeleteInternetGatewayRequest {
        internet_gateway_id: gateway.clone(),
        dry_run: None,
    };
    refused(&mut fixture, delete.clone().into());
    let request = DescribeInternetGatewaysRequest {
        filters: filter("attachment.vpc-id", &[&vpc_id]),
        ..Default::default()
    };
    let described = answer!(fixture, DescribeInternetGateways, request);
    fixture.run(detach(&gateway, &vpc_id)).unwrap();
    fixture.run(delete.clone()).unwrap();
    refused(&mut fixture, delete.into());
    out += &show(&described);
    expect![[r#"
        CreateInternetGatewayResponse {
          internet_gateway: InternetGateway {
            internet_gateway_id: "igw-0000000000000001f",
            owner_id: "111122223333",
            tags: [
              Tag {
                key: "Name",
                value: "a",
              },
            ],
          },
        }
        InvalidParameterValue: Network vpc-00000000000000002 already has an internet gateway attached
        Gateway.NotAttached: resource igw-0000000000000001f is not attached to network vpc-00000000000000017
        InvalidVpcID.NotFound: The vpc ID 'vpc-0123456789abcdef0' does not exist
        InvalidInternetGatewayID.NotFound: The internetGateway ID 'igw-0123456789abcdef0' does not exist
        MissingParameter: The request must contain the parameter internetGatewayId
        Resource.AlreadyAssociated: resource igw-0000000000000001f is already attached to network vpc-00000000000000017
        DependencyViolation: The internetGateway 'igw-0000000000000001f' has dependencies and cannot be deleted.
        InvalidInternetGatewayID.NotFound: The internetGateway ID 'igw-0000000000000001f' does not exist
        DescribeInternetGatewaysResponse {
          internet_gateways: [
            InternetGateway {
              attachments: [
                InternetGatewayAttachment {
                  state: "available",
                  vpc_id: "vpc-00000000000000017",
                },
              ],
              internet_gateway_id: "igw-0000000000000001f",
              owner_id: "111122223333",
              tags: [
                Tag {
                  key: "Name",
                  value: "a",
                },
              ],
            },
          ],
        }
    "#]].assert_eq(&out);
}

#[test]
fn gateways_are_limited() {
    let mut fixture = Fixture::new();
    for _ in 0..4 {
        fixture
            .run(CreateInternetGatewayRequest::default())
            .unwrap();
    }
    let refused = fixture.refused(CreateInternetGatewayRequest::default());
    expect![
        "InternetGatewayLimitExceeded: The maximum number of internet gateways has been reached."
    ]
    .assert_eq(&refused);
}

#[test]
fn a_mapped_address_keeps_the_gateway() {
    let mut fixture = Fixture::new();
    let state = fixture.state();
    let vpc_id = state.default_vpc().unwrap().id;
    let subnet_id = state.subnets.values().next().unwrap().id;
    let gateway = state.internet_gateway_of(vpc_id).unwrap().id;
    let interface = model::NetworkInterface {
        interface_type: model::InterfaceType::Interface,
        id: "eni-0123456789abcdef0".parse().unwrap(),
        subnet_id,
        vpc_id,
        description: String::new(),
        mac: model::MacAddress([2, 0, 0, 0, 0, 1]),
        private_ip_addresses: vec![model::PrivateIpAddress {
            address: [172, 31, 0, 9].into(),
            association: Some(model::PublicIpAssociation {
                public_ip: [203, 0, 113, 9].into(),
                elastic: None,
            }),
        }],
        ipv6_addresses: vec![],
        groups: vec![],
        source_dest_check: true,
        associate_public_ip_address: false,
        attachment: None,
        created_at: fixture.now,
        tags: model::Tags::new(),
    };
    let change = model::state::Row::put(interface.id, interface);
    fixture.world.apply(fixture.scope, &change);
    let mut out = fixture.refused(detach(&text(gateway), vpc_id)) + "\n";
    let subnet = DeleteSubnetRequest {
        subnet_id: text(subnet_id),
        dry_run: None,
    };
    out += &fixture.refused(subnet);
    expect![[r#"
        DependencyViolation: Network vpc-00000000000000002 has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.
        DependencyViolation: The subnet 'subnet-0000000000000000b' has dependencies and cannot be deleted."#]].assert_eq(&out);
    let request = DescribeSubnetsRequest {
        filters: filter("available-ip-address-count", &["4090"]),
        ..Default::default()
    };
    assert_eq!(answer!(fixture, DescribeSubnets, request).subnets.len(), 1);
}
