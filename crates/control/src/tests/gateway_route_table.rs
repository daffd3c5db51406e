//! Route tables of internet gateways.

use ec2_api::*;
use expect_test::expect;

use super::{Fixture, answer, filter, show, text};

/// The default VPC with one network interface and a route table that rules nothing yet.
struct Network {
    vpc_id: Option<String>,
    gateway_id: Option<String>,
    table_id: Option<String>,
    main_id: Option<String>,
    /// The block of the subnet that has the interface.
    block: String,
    interface_id: Option<String>,
}

fn network(fixture: &mut Fixture) -> Network {
    let subnet = fixture.state().subnets.values().next().unwrap().clone();
    let request = CreateNetworkInterfaceRequest {
        subnet_id: text(subnet.id),
        ..Default::default()
    };
    let created = answer!(fixture, CreateNetworkInterface, request);
    let interface_id = created.network_interface.unwrap().network_interface_id;
    let gateway = fixture
        .state()
        .internet_gateways
        .values()
        .next()
        .unwrap()
        .id;
    let main = fixture.state().main_route_table(subnet.vpc_id).unwrap().id;
    let request = CreateRouteTableRequest {
        vpc_id: text(subnet.vpc_id),
        ..Default::default()
    };
    let table = answer!(fixture, CreateRouteTable, request).route_table;
    Network {
        vpc_id: text(subnet.vpc_id),
        gateway_id: text(gateway),
        table_id: table.unwrap().route_table_id,
        main_id: text(main),
        block: subnet.cidr.unwrap().to_string(),
        interface_id,
    }
}

fn associate(table_id: &Option<String>, gateway_id: &Option<String>) -> AssociateRouteTableRequest {
    AssociateRouteTableRequest {
        route_table_id: table_id.clone(),
        gateway_id: gateway_id.clone(),
        ..Default::default()
    }
}

fn route(table_id: &Option<String>, destination: &str) -> CreateRouteRequest {
    CreateRouteRequest {
        route_table_id: table_id.clone(),
        destination_cidr_block: text(destination),
        ..Default::default()
    }
}

#[test]
fn a_gateway_has_a_table_and_can_get_another() {
    let mut fixture = Fixture::new();
    let network = network(&mut fixture);
    let response = answer!(
        fixture,
        AssociateRouteTable,
        associate(&network.table_id, &network.gateway_id)
    );
    let to_middlebox = CreateRouteRequest {
        network_interface_id: network.interface_id.clone(),
        ..route(&network.table_id, &network.block)
    };
    fixture.run(to_middlebox).unwrap();
    let local = ReplaceRouteRequest {
        route_table_id: network.table_id.clone(),
        destination_cidr_block: text("172.31.0.0/16"),
        network_interface_id: network.interface_id.clone(),
        ..Default::default()
    };
    fixture.run(local.clone()).unwrap();
    let back = ReplaceRouteRequest {
        network_interface_id: None,
        local_target: Some(true),
        ..local
    };
    let request = DescribeRouteTablesRequest {
        filters: filter("association.gateway-id", &["igw-*"]),
        ..Default::default()
    };
    let tables = answer!(fixture, DescribeRouteTables, request.clone()).route_tables;
    expect![[r#"
        [
          RouteTable {
            associations: [
              RouteTableAssociation {
                main: false,
                route_table_association_id: "rtbassoc-0000000000000001a",
                route_table_id: "rtb-00000000000000019",
                gateway_id: "igw-0000000000000000a",
                association_state: RouteTableAssociationState {
                  state: "associated",
                },
              },
            ],
            route_table_id: "rtb-00000000000000019",
            routes: [
              Route {
                destination_cidr_block: "172.31.0.0/16",
                network_interface_id: "eni-00000000000000017",
                origin: "CreateRouteTable",
                state: "blackhole",
              },
              Route {
                destination_cidr_block: "172.31.0.0/20",
                network_interface_id: "eni-00000000000000017",
                origin: "CreateRoute",
                state: "blackhole",
              },
            ],
            vpc_id: "vpc-00000000000000002",
            owner_id: "111122223333",
          },
        ]
    "#]]
    .assert_eq(&show(&tables));
    fixture.run(back).unwrap();
    let request_two = CreateRouteTableRequest {
        vpc_id: network.vpc_id.clone(),
        ..Default::default()
    };
    let other = answer!(fixture, CreateRouteTable, request_two)
        .route_table
        .unwrap();
    let replace = ReplaceRouteTableAssociationRequest {
        association_id: response.association_id,
        route_table_id: other.route_table_id.clone(),
        dry_run: None,
    };
    fixture.run(replace).unwrap();
    let tables = answer!(fixture, DescribeRouteTables, request.clone()).route_tables;
    assert_eq!(tables[0].route_table_id, other.route_table_id);
    // A gateway that leaves the VPC has no table any more.
    let detach = DetachInternetGatewayRequest {
        internet_gateway_id: network.gateway_id,
        vpc_id: network.vpc_id,
        dry_run: None,
    };
    fixture.run(detach).unwrap();
    let tables = answer!(fixture, DescribeRouteTables, request).route_tables;
    assert!(tables.is_empty());
}

#[test]
fn only_routes_to_middleboxes_inside_can_stand_in_a_gateways_table() {
    let mut fixture = Fixture::new();
    let network = network(&mut fixture);
    let (table, gateway) = (&network.table_id, &network.gateway_id);
    let mut out = String::new();
    let mut refused = |fixture: &mut Fixture, request: Request| {
        out += &fixture.refused(request);
        out += "\n";
    };
    refused(&mut fixture, associate(&network.main_id, gateway).into());
    refused(
        &mut fixture,
        associate(table, &text("igw-0123456789abcdef0")).into(),
    );
    refused(
        &mut fixture,
        associate(table, &text("vgw-0123456789abcdef0")).into(),
    );
    refused(&mut fixture, associate(table, &text("nonsense")).into());
    let pool = AssociateRouteTableRequest {
        public_ipv4_pool: text("pool"),
        ..associate(table, gateway)
    };
    refused(&mut fixture, pool.into());
    let both = AssociateRouteTableRequest {
        subnet_id: text("subnet-0123456789abcdef0"),
        ..associate(table, gateway)
    };
    refused(&mut fixture, both.into());
    let other = answer!(
        fixture,
        CreateInternetGateway,
        CreateInternetGatewayRequest::default()
    );
    let detached = other.internet_gateway.unwrap().internet_gateway_id;
    refused(&mut fixture, associate(table, &detached).into());
    // A table that has such routes already.
    let everywhere = CreateRouteRequest {
        gateway_id: gateway.clone(),
        ..route(table, "0.0.0.0/0")
    };
    fixture.run(everywhere.clone()).unwrap();
    refused(&mut fixture, associate(table, gateway).into());
    let remove = |destination: &str| DeleteRouteRequest {
        route_table_id: table.clone(),
        destination_cidr_block: text(destination),
        ..Default::default()
    };
    fixture.run(remove("0.0.0.0/0")).unwrap();
    let outside = CreateRouteRequest {
        network_interface_id: network.interface_id.clone(),
        ..route(table, "198.51.100.0/24")
    };
    fixture.run(outside.clone()).unwrap();
    refused(&mut fixture, associate(table, gateway).into());
    fixture.run(remove("198.51.100.0/24")).unwrap();
    // A table that is a gateway's already.
    let associated = answer!(fixture, AssociateRouteTable, associate(table, gateway));
    refused(&mut fixture, associate(table, gateway).into());
    refused(&mut fixture, everywhere.into());
    refused(&mut fixture, outside.into());
    let list = CreateRouteRequest {
        destination_cidr_block: None,
        destination_prefix_list_id: text("pl-63a5400a"),
        network_interface_id: network.interface_id.clone(),
        ..route(table, "")
    };
    refused(&mut fixture, list.into());
    let endpoint = CreateVpcEndpointRequest {
        vpc_id: network.vpc_id.clone(),
        service_name: text("com.amazonaws.us-east-1.s3"),
        route_table_ids: table.iter().cloned().collect(),
        ..Default::default()
    };
    refused(&mut fixture, endpoint.into());
    let part = CreateRouteRequest {
        network_interface_id: network.interface_id.clone(),
        ..route(table, "172.31.0.0/28")
    };
    refused(&mut fixture, part.into());
    // Neither the main table of the VPC, nor one with other routes, can take its place.
    let to_main = ReplaceRouteTableAssociationRequest {
        association_id: associated.association_id,
        route_table_id: network.main_id.clone(),
        dry_run: None,
    };
    refused(&mut fixture, to_main.into());
    let id = network.main_id.as_deref().unwrap().parse().unwrap();
    let main = fixture.state().route_tables.get(&id).unwrap().associations[0].id;
    let as_main = ReplaceRouteTableAssociationRequest {
        association_id: text(main),
        route_table_id: table.clone(),
        dry_run: None,
    };
    refused(&mut fixture, as_main.into());
    let delete = DeleteRouteTableRequest {
        route_table_id: table.clone(),
        dry_run: None,
    };
    refused(&mut fixture, delete.into());
    expect![[r#"
        InvalidParameterValue: The main route table rtb-00000000000000004 cannot be associated with a gateway.
        InvalidGatewayID.NotFound: The gateway ID 'igw-0123456789abcdef0' does not exist
        UnsupportedOperation: Virtual private gateways are not supported.
        InvalidGatewayID.NotFound: The gateway ID 'nonsense' does not exist
        UnsupportedOperation: The parameter publicIpv4Pool is not supported.
        InvalidParameterCombination: The parameters gatewayId and subnetId cannot be used together
        InvalidParameterValue: route table rtb-00000000000000019 and network gateway igw-0000000000000001a belong to different networks
        RouteNotSupported: Route table contains unsupported route target: igw-0000000000000000a.
        RouteNotSupported: Route table contains unsupported route destination: 198.51.100.0/24.
        Resource.AlreadyAssociated: the specified association for route table rtb-00000000000000019 conflicts with an existing association
        RouteNotSupported: Route table contains unsupported route target: igw-0000000000000000a.
        RouteNotSupported: Route table contains unsupported route destination: 198.51.100.0/24.
        RouteNotSupported: Route table contains unsupported route destination: pl-63a5400a.
        RouteNotSupported: Route table contains unsupported route target: vpce-0000000000000001c.
        InvalidParameterValue: The destination CIDR block 172.31.0.0/28 is equal to or more specific than one of this VPC's CIDR blocks. This route can target only an interface or an instance.
        InvalidParameterValue: The main route table rtb-00000000000000004 cannot be associated with a gateway.
        InvalidParameterValue: The main route table rtb-00000000000000019 cannot be associated with a gateway.
        DependencyViolation: The routeTable 'rtb-00000000000000019' has dependencies and cannot be deleted.
    "#]].assert_eq(&out);
}
