//! Route tables.

use ec2_api::*;
use expect_test::expect;

use super::{Fixture, answer, filter, named, show, text};

/// A VPC with a subnet, an attached internet gateway and a route table of its own.
struct Network {
    vpc_id: Option<String>,
    subnet_id: Option<String>,
    gateway_id: Option<String>,
    table_id: Option<String>,
    main_id: Option<String>,
}

fn network(fixture: &mut Fixture, cidr: &str) -> Network {
    let request = CreateVpcRequest {
        cidr_block: text(cidr),
        ..Default::default()
    };
    let vpc_id = answer!(fixture, CreateVpc, request).vpc.unwrap().vpc_id;
    let request = CreateSubnetRequest {
        vpc_id: vpc_id.clone(),
        cidr_block: text(cidr.replace("/16", "/24")),
        ..Default::default()
    };
    let subnet = answer!(fixture, CreateSubnet, request).subnet.unwrap();
    let request = CreateInternetGatewayRequest::default();
    let gateway = answer!(fixture, CreateInternetGateway, request).internet_gateway;
    let gateway_id = gateway.unwrap().internet_gateway_id;
    let attach = AttachInternetGatewayRequest {
        internet_gateway_id: gateway_id.clone(),
        vpc_id: vpc_id.clone(),
        dry_run: None,
    };
    fixture.run(attach).unwrap();
    let request = CreateRouteTableRequest {
        vpc_id: vpc_id.clone(),
        tag_specifications: named("route-table", "a"),
        ..Default::default()
    };
    let table = answer!(fixture, CreateRouteTable, request)
        .route_table
        .unwrap();
    let id = vpc_id.as_deref().unwrap().parse().unwrap();
    let main = fixture.state().main_route_table(id).unwrap().id;
    Network {
        vpc_id,
        subnet_id: subnet.subnet_id,
        gateway_id,
        table_id: table.route_table_id,
        main_id: text(main),
    }
}

/// Puts a free network interface into a subnet.
fn interface(fixture: &mut Fixture, network: &Network) -> Option<String> {
    let interface = model::NetworkInterface {
        interface_type: model::InterfaceType::Interface,
        id: "eni-0123456789abcdef0".parse().unwrap(),
        subnet_id: network.subnet_id.as_deref().unwrap().parse().unwrap(),
        vpc_id: network.vpc_id.as_deref().unwrap().parse().unwrap(),
        description: String::new(),
        mac: model::MacAddress([2, 0, 0, 0, 0, 1]),
        private_ip_addresses: vec![],
        ipv6_addresses: vec![],
        groups: vec![],
        source_dest_check: false,
        associate_public_ip_address: false,
        attachment: None,
        created_at: fixture.now,
        tags: model::Tags::new(),
    };
    let id = text(interface.id);
    let change = model::state::Row::put(interface.id, interface);
    fixture.world.apply(fixture.scope, &change);
    id
}

fn route(table_id: &Option<String>, destination: &str) -> CreateRouteRequest {
    CreateRouteRequest {
        route_table_id: table_id.clone(),
        destination_cidr_block: text(destination),
        ..Default::default()
    }
}

fn describe(fixture: &mut Fixture, table_id: &Option<String>) -> RouteTable {
    let request = DescribeRouteTablesRequest {
        route_table_ids: table_id.iter().cloned().collect(),
        ..Default::default()
    };
    answer!(fixture, DescribeRouteTables, request)
        .route_tables
        .remove(0)
}

#[test]
fn a_table_is_made_and_described() {
    let mut fixture = Fixture::new();
    let network = network(&mut fixture, "10.1.0.0/16");
    let create = CreateRouteRequest {
        gateway_id: network.gateway_id.clone(),
        ..route(&network.table_id, "0.0.0.0/0")
    };
    fixture.run(create.clone()).unwrap();
    let again = answer!(fixture, CreateRoute, create);
    assert_eq!(again.r#return, Some(true));
    let request = AssociateRouteTableRequest {
        route_table_id: network.table_id.clone(),
        subnet_id: network.subnet_id.clone(),
        ..Default::default()
    };
    fixture.run(request).unwrap();
    let detach = DetachInternetGatewayRequest {
        internet_gateway_id: network.gateway_id.clone(),
        vpc_id: network.vpc_id.clone(),
        dry_run: None,
    };
    fixture.run(detach).unwrap();
    expect![[r#"
        RouteTable {
          associations: [
            RouteTableAssociation {
              main: false,
              route_table_association_id: "rtbassoc-00000000000000023",
              route_table_id: "rtb-00000000000000022",
              subnet_id: "subnet-0000000000000001f",
              association_state: RouteTableAssociationState {
                state: "associated",
              },
            },
          ],
          route_table_id: "rtb-00000000000000022",
          routes: [
            Route {
              destination_cidr_block: "10.1.0.0/16",
              gateway_id: "local",
              origin: "CreateRouteTable",
              state: "active",
            },
            Route {
              destination_cidr_block: "0.0.0.0/0",
              gateway_id: "igw-00000000000000021",
              origin: "CreateRoute",
              state: "blackhole",
            },
          ],
          tags: [
            Tag {
              key: "Name",
              value: "a",
            },
          ],
          vpc_id: "vpc-00000000000000017",
          owner_id: "111122223333",
        }
    "#]]
    .assert_eq(&show(&describe(&mut fixture, &network.table_id)));
    let mut count = |name: &str, value: &str| {
        let request = DescribeRouteTablesRequest {
            filters: filter(name, &[value]),
            ..Default::default()
        };
        let response = answer!(fixture, DescribeRouteTables, request);
        response.route_tables.len()
    };
    assert_eq!(count("association.main", "true"), 2);
    assert_eq!(count("association.subnet-id", "subnet-*"), 1);
    assert_eq!(count("route.state", "blackhole"), 1);
    assert_eq!(count("route.gateway-id", "local"), 3);
    assert_eq!(count("route.destination-cidr-block", "0.0.0.0/0"), 2);
    assert_eq!(count("route.origin", "CreateRoute"), 2);
    assert_eq!(count("tag:Name", "a"), 1);
}

#[test]
fn tokens_make_creation_idempotent() {
    let mut fixture = Fixture::new();
    let vpc_id = text(fixture.state().default_vpc().unwrap().id);
    let request = CreateRouteTableRequest {
        vpc_id,
        client_token: text("once"),
        ..Default::default()
    };
    let first = answer!(fixture, CreateRouteTable, request.clone());
    let again = answer!(fixture, CreateRouteTable, request.clone());
    assert_eq!(first, again);
    assert_eq!(first.client_token.as_deref(), Some("once"));
    let other = CreateRouteTableRequest {
        tag_specifications: named("route-table", "b"),
        ..request
    };
    let refused = fixture.refused(other);
    assert!(
        refused.starts_with("IdempotentParameterMismatch"),
        "{refused}"
    );
}

#[test]
fn associations_are_explicit_and_single() {
    let mut fixture = Fixture::new();
    let one = network(&mut fixture, "10.1.0.0/16");
    let two = network(&mut fixture, "10.2.0.0/16");
    let associate = |table: &Network, subnet: &Network| AssociateRouteTableRequest {
        route_table_id: table.table_id.clone(),
        subnet_id: subnet.subnet_id.clone(),
        ..Default::default()
    };
    let response = answer!(fixture, AssociateRouteTable, associate(&one, &one));
    let mut out = show(&response);
    let mut refused = |fixture: &mut Fixture, request: Request| {
        out += &fixture.refused(request);
        out += "\n";
    };
    refused(&mut fixture, associate(&one, &one).into());
    refused(&mut fixture, associate(&one, &two).into());
    let delete = |table_id: &Option<String>| DeleteRouteTableRequest {
        route_table_id: table_id.clone(),
        dry_run: None,
    };
    refused(&mut fixture, delete(&one.table_id).into());
    refused(&mut fixture, delete(&one.main_id).into());
    let replace = |association_id: &Option<String>, table_id: &Option<String>| {
        ReplaceRouteTableAssociationRequest {
            association_id: association_id.clone(),
            route_table_id: table_id.clone(),
            dry_run: None,
        }
    };
    refused(
        &mut fixture,
        replace(&response.association_id, &two.table_id).into(),
    );
    let moved = answer!(
        fixture,
        ReplaceRouteTableAssociation,
        replace(&response.association_id, &one.main_id)
    );
    assert_ne!(moved.new_association_id, response.association_id);
    fixture.run(delete(&one.table_id)).unwrap();
    let disassociate = |association_id: &Option<String>| DisassociateRouteTableRequest {
        association_id: association_id.clone(),
        dry_run: None,
    };
    refused(&mut fixture, disassociate(&response.association_id).into());
    fixture
        .run(disassociate(&moved.new_association_id))
        .unwrap();
    let main = describe(&mut fixture, &one.main_id).associations[0].clone();
    refused(
        &mut fixture,
        disassociate(&main.route_table_association_id).into(),
    );
    expect![[r#"
        AssociateRouteTableResponse {
          association_id: "rtbassoc-0000000000000002f",
          association_state: RouteTableAssociationState {
            state: "associated",
          },
        }
        Resource.AlreadyAssociated: the specified association for route table rtb-00000000000000022 conflicts with an existing association
        InvalidParameterValue: Route table rtb-00000000000000022 and subnet subnet-0000000000000002b belong to different networks
        DependencyViolation: The routeTable 'rtb-00000000000000022' has dependencies and cannot be deleted.
        DependencyViolation: The routeTable 'rtb-00000000000000019' has dependencies and cannot be deleted.
        InvalidParameterValue: Route table rtb-0000000000000002e and network vpc-00000000000000017 belong to different networks
        InvalidAssociationID.NotFound: The association ID 'rtbassoc-0000000000000002f' does not exist
        InvalidParameterValue: cannot disassociate the main route table association rtbassoc-0000000000000001a
    "#]].assert_eq(&out);
}

#[test]
fn the_main_table_can_be_another_one() {
    let mut fixture = Fixture::new();
    let network = network(&mut fixture, "10.1.0.0/16");
    let main = describe(&mut fixture, &network.main_id).associations[0].clone();
    let request = ReplaceRouteTableAssociationRequest {
        association_id: main.route_table_association_id,
        route_table_id: network.table_id.clone(),
        dry_run: None,
    };
    fixture.run(request).unwrap();
    assert!(
        describe(&mut fixture, &network.main_id)
            .associations
            .is_empty()
    );
    assert_eq!(
        describe(&mut fixture, &network.table_id).associations[0].main,
        Some(true)
    );
    let delete = DeleteRouteTableRequest {
        route_table_id: network.main_id,
        dry_run: None,
    };
    fixture.run(delete).unwrap();
}

#[test]
fn destinations_and_targets_are_checked() {
    let mut fixture = Fixture::new();
    fixture.quotas.routes = 2;
    let one = network(&mut fixture, "10.1.0.0/16");
    let two = network(&mut fixture, "10.2.0.0/16");
    let eni = interface(&mut fixture, &one);
    let table = &one.table_id;
    let gateway = |destination: &str, gateway: &str| CreateRouteRequest {
        gateway_id: text(gateway),
        ..route(table, destination)
    };
    let own = one.gateway_id.as_deref().unwrap();
    let to_interface = |destination: &str| CreateRouteRequest {
        network_interface_id: eni.clone(),
        ..route(table, destination)
    };
    fixture.run(gateway("0.0.0.0/0", own)).unwrap();
    fixture.run(to_interface("10.1.0.0/24")).unwrap();
    let all = || route(table, "0.0.0.0/0");
    let requests = [
        gateway("nowhere", own),
        gateway("10.1.0.0/16", own),
        gateway("10.1.0.0/24", own),
        to_interface("10.1.0.0/16"),
        to_interface("10.1.9.0/24"),
        to_interface("169.254.169.0/24"),
        to_interface("0.0.0.0/0"),
        gateway("198.51.100.0/24", own),
        gateway("0.0.0.0/0", "local"),
        gateway("0.0.0.0/0", "igw-0123456789abcdef0"),
        gateway("0.0.0.0/0", "vgw-0123456789abcdef0"),
        gateway("0.0.0.0/0", two.gateway_id.as_deref().unwrap()),
        all(),
        CreateRouteRequest {
            route_table_id: table.clone(),
            gateway_id: text(own),
            ..Default::default()
        },
        CreateRouteRequest {
            network_interface_id: eni.clone(),
            ..gateway("0.0.0.0/0", own)
        },
        CreateRouteRequest {
            destination_ipv6_cidr_block: text("::/0"),
            ..gateway("0.0.0.0/0", own)
        },
        CreateRouteRequest {
            destination_cidr_block: None,
            destination_prefix_list_id: text("pl-0123456789abcdef0"),
            ..gateway("0.0.0.0/0", own)
        },
        CreateRouteRequest {
            nat_gateway_id: text("nat-0123456789abcdef0"),
            ..all()
        },
        CreateRouteRequest {
            vpc_peering_connection_id: text("pcx-0123456789abcdef0"),
            ..all()
        },
        CreateRouteRequest {
            egress_only_internet_gateway_id: text("eigw-0123456789abcdef0"),
            ..all()
        },
        CreateRouteRequest {
            transit_gateway_id: text("tgw-0123456789abcdef0"),
            ..all()
        },
        CreateRouteRequest {
            instance_id: text("i-0123456789abcdef0"),
            ..all()
        },
        CreateRouteRequest {
            network_interface_id: eni.clone(),
            ..route(&two.table_id, "0.0.0.0/0")
        },
        CreateRouteRequest {
            network_interface_id: text("eni-0123456789abcdef1"),
            ..all()
        },
        CreateRouteRequest {
            odb_network_arn: text("arn:aws:odb:us-east-1:111122223333:odb-network/a"),
            ..route(&one.table_id, "198.51.100.0/24")
        },
    ];
    let out = requests.map(|request| fixture.refused(request));
    expect![[r#"
        InvalidParameterValue: Value (nowhere) for parameter destinationCidrBlock is invalid. This is not a valid CIDR block.
        InvalidParameterValue: The destination CIDR block 10.1.0.0/16 is equal to or more specific than one of this VPC's CIDR blocks. This route can target only an interface or an instance.
        InvalidParameterValue: The destination CIDR block 10.1.0.0/24 is equal to or more specific than one of this VPC's CIDR blocks. This route can target only an interface or an instance.
        RouteAlreadyExists: The route identified by 10.1.0.0/16 already exists.
        InvalidParameterValue: The destination CIDR block 10.1.9.0/24 is equal to or more specific than one of this VPC's CIDR blocks. This route can target only an interface or an instance.
        InvalidParameterValue: Value (169.254.169.0/24) for parameter destinationCidrBlock is invalid. This range is reserved for AWS services.
        RouteAlreadyExists: The route identified by 0.0.0.0/0 already exists.
        RouteLimitExceeded: The maximum number of routes has been reached.
        InvalidGatewayID.NotFound: The gateway ID 'local' does not exist
        InvalidGatewayID.NotFound: The gateway ID 'igw-0123456789abcdef0' does not exist
        UnsupportedOperation: Virtual private gateways are not supported.
        InvalidParameterValue: route table rtb-00000000000000022 and network gateway igw-0000000000000002d belong to different networks
        MissingParameter: The request must contain exactly one of gatewayId, natGatewayId, networkInterfaceId, vpcPeeringConnectionId, egressOnlyInternetGatewayId, transitGatewayId, localGatewayId, carrierGatewayId, vpcEndpointId, coreNetworkArn or instanceId
        MissingParameter: The request must contain the parameter destinationCidrBlock
        InvalidParameterCombination: The parameters gatewayId and networkInterfaceId cannot be used together
        InvalidParameterCombination: Exactly one of destinationCidrBlock, destinationIpv6CidrBlock and destinationPrefixListId must be given
        InvalidPrefixListID.NotFound: The prefix list ID 'pl-0123456789abcdef0' does not exist
        InvalidNatGatewayID.NotFound: The natGateway ID 'nat-0123456789abcdef0' does not exist
        InvalidVpcPeeringConnectionID.NotFound: The vpcPeeringConnection ID 'pcx-0123456789abcdef0' does not exist
        InvalidGatewayID.NotFound: The eigw ID 'eigw-0123456789abcdef0' does not exist
        UnsupportedOperation: Routes with the parameter transitGatewayId are not supported.
        InvalidInstanceID.NotFound: The instance ID 'i-0123456789abcdef0' does not exist
        InvalidParameterValue: route table rtb-0000000000000002e and interface eni-0123456789abcdef0 belong to different networks
        InvalidNetworkInterfaceID.NotFound: The networkInterface ID 'eni-0123456789abcdef1' does not exist
        UnsupportedOperation: Routes with the parameter odbNetworkArn are not supported."#]].assert_eq(&out.join("\n"));
    let ipv6 = CreateRouteRequest {
        destination_cidr_block: None,
        destination_ipv6_cidr_block: text("::/0"),
        ..gateway("", own)
    };
    fixture.run(ipv6).unwrap();
}

#[test]
fn routes_are_replaced_and_deleted() {
    let mut fixture = Fixture::new();
    let network = network(&mut fixture, "10.1.0.0/16");
    let eni = interface(&mut fixture, &network);
    let replace = |destination: &str| ReplaceRouteRequest {
        route_table_id: network.table_id.clone(),
        destination_cidr_block: text(destination),
        ..Default::default()
    };
    let to_interface = |destination: &str| ReplaceRouteRequest {
        network_interface_id: eni.clone(),
        ..replace(destination)
    };
    let local = |destination: &str| ReplaceRouteRequest {
        local_target: Some(true),
        ..replace(destination)
    };
    let to_gateway = |destination: &str| ReplaceRouteRequest {
        gateway_id: network.gateway_id.clone(),
        ..replace(destination)
    };
    let delete = |destination: &str| DeleteRouteRequest {
        route_table_id: network.table_id.clone(),
        destination_cidr_block: text(destination),
        ..Default::default()
    };
    let create = CreateRouteRequest {
        gateway_id: network.gateway_id.clone(),
        ..route(&network.table_id, "0.0.0.0/0")
    };
    fixture.run(create).unwrap();
    fixture.run(to_interface("0.0.0.0/0")).unwrap();
    fixture.run(to_interface("10.1.0.0/16")).unwrap();
    let mut out = show(&describe(&mut fixture, &network.table_id).routes);
    fixture.run(local("10.1.0.0/16")).unwrap();
    let refused: [Request; 6] = [
        to_interface("198.51.100.0/24").into(),
        local("0.0.0.0/0").into(),
        to_gateway("10.1.0.0/16").into(),
        replace("0.0.0.0/0").into(),
        delete("10.1.0.0/16").into(),
        delete("198.51.100.0/24").into(),
    ];
    for request in refused {
        out += &fixture.refused(request);
        out += "\n";
    }
    fixture.run(delete("0.0.0.0/0")).unwrap();
    expect![[r#"
        [
          Route {
            destination_cidr_block: "10.1.0.0/16",
            network_interface_id: "eni-0123456789abcdef0",
            origin: "CreateRouteTable",
            state: "blackhole",
          },
          Route {
            destination_cidr_block: "0.0.0.0/0",
            network_interface_id: "eni-0123456789abcdef0",
            origin: "CreateRoute",
            state: "blackhole",
          },
        ]
        InvalidParameterValue: There is no route defined for '198.51.100.0/24' in the route table. Use CreateRoute instead.
        InvalidParameterValue: The route identified by 0.0.0.0/0 in route table rtb-00000000000000022 is not a local route.
        InvalidParameterValue: The destination CIDR block 10.1.0.0/16 is equal to or more specific than one of this VPC's CIDR blocks. This route can target only an interface or an instance.
        MissingParameter: The request must contain exactly one of gatewayId, natGatewayId, networkInterfaceId, vpcPeeringConnectionId, egressOnlyInternetGatewayId, transitGatewayId, localGatewayId, carrierGatewayId, vpcEndpointId, coreNetworkArn or instanceId
        InvalidParameterValue: cannot remove local route 10.1.0.0/16 in route table rtb-00000000000000022
        InvalidRoute.NotFound: no route with destination-cidr-block 198.51.100.0/24 in route table rtb-00000000000000022
    "#]].assert_eq(&out);
}

#[test]
fn a_route_to_an_instance_follows_it() {
    let mut fixture = Fixture::new();
    let instance_id = super::instance::running(&mut fixture);
    let vpc_id = fixture.state().default_vpc().unwrap().id;
    let table_id = text(fixture.state().main_route_table(vpc_id).unwrap().id);
    let create = CreateRouteRequest {
        instance_id: instance_id.clone(),
        ..route(&table_id, "198.51.100.0/24")
    };
    fixture.run(create).unwrap();
    let shown = |fixture: &mut Fixture| {
        let route = describe(fixture, &table_id).routes.pop().unwrap();
        assert!(route.network_interface_id.is_some());
        (route.instance_id, route.state.unwrap())
    };
    assert_eq!(shown(&mut fixture), (instance_id.clone(), "active".into()));
    let stop = StopInstancesRequest {
        instance_ids: instance_id.iter().cloned().collect(),
        ..Default::default()
    };
    fixture.run(stop).unwrap();
    assert_eq!(
        shown(&mut fixture),
        (instance_id.clone(), "blackhole".into())
    );
    let terminate = TerminateInstancesRequest {
        instance_ids: instance_id.iter().cloned().collect(),
        ..Default::default()
    };
    fixture.run(terminate).unwrap();
    let event = crate::Event::InstanceEnded {
        instance_id: instance_id.unwrap().parse().unwrap(),
        reason: None,
    };
    fixture.observe(&event).unwrap();
    assert_eq!(shown(&mut fixture), (None, "blackhole".into()));
}
