//! Routes to NAT gateways.

use super::*;

fn to(table_id: &Option<String>, block: &str, gateway: &Option<String>) -> CreateRouteRequest {
    let ipv6 = block.contains(':');
    CreateRouteRequest {
        route_table_id: table_id.clone(),
        destination_cidr_block: text(block).filter(|_| !ipv6),
        destination_ipv6_cidr_block: text(block).filter(|_| ipv6),
        nat_gateway_id: gateway.clone(),
        ..Default::default()
    }
}

fn table(fixture: &mut Fixture, vpc_id: &Option<String>) -> Option<String> {
    let request = CreateRouteTableRequest {
        vpc_id: vpc_id.clone(),
        ..Default::default()
    };
    let table = answer!(fixture, CreateRouteTable, request).route_table;
    table.unwrap().route_table_id
}

/// Destination and state of the routes to a gateway.
fn routes(fixture: &mut Fixture, gateway: &Option<String>) -> String {
    let request = DescribeRouteTablesRequest {
        filters: filter("route.nat-gateway-id", &[gateway.as_deref().unwrap()]),
        ..Default::default()
    };
    let tables = answer!(fixture, DescribeRouteTables, request).route_tables;
    let routes = tables.iter().flat_map(|t| &t.routes);
    let own = routes.filter(|r| r.nat_gateway_id == *gateway);
    let lines = own.map(|r| {
        let destination = r.destination_cidr_block.as_deref().unwrap();
        format!("{destination} {}", r.state.as_deref().unwrap())
    });
    lines.collect::<Vec<_>>().join(", ")
}

#[test]
fn routes_follow_the_gateway() {
    let mut fixture = Fixture::new();
    let request = public(&mut fixture);
    let gateway = create(&mut fixture, request);
    let (id, vpc_id) = (gateway.nat_gateway_id, gateway.vpc_id);
    let table_id = table(&mut fixture, &vpc_id);
    fixture.run(to(&table_id, "0.0.0.0/0", &id)).unwrap();
    let mut lines = vec![routes(&mut fixture, &id)];
    next(&mut fixture);
    // A whole subnet of the VPC may be behind a gateway too.
    fixture.run(to(&table_id, "172.31.16.0/20", &id)).unwrap();
    lines.push(routes(&mut fixture, &id));
    let other = private(&fixture);
    let other = available(&mut fixture, other).nat_gateway_id;
    let replace = ReplaceRouteRequest {
        route_table_id: table_id.clone(),
        destination_cidr_block: text("172.31.0.0/16"),
        nat_gateway_id: other.clone(),
        ..Default::default()
    };
    fixture.run(replace).unwrap();
    lines.push(routes(&mut fixture, &other));
    answer!(fixture, DeleteNatGateway, delete(&id));
    lines.push(routes(&mut fixture, &id));
    next(&mut fixture);
    lines.push(routes(&mut fixture, &id));
    next(&mut fixture);
    lines.push(routes(&mut fixture, &id));
    expect![[r#"
        0.0.0.0/0 active
        0.0.0.0/0 active, 172.31.16.0/20 active
        172.31.0.0/16 active
        0.0.0.0/0 blackhole, 172.31.16.0/20 blackhole
        0.0.0.0/0 blackhole, 172.31.16.0/20 blackhole
        0.0.0.0/0 blackhole, 172.31.16.0/20 blackhole"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn refusals() {
    let mut fixture = Fixture::new();
    let request = private(&fixture);
    let gateway = available(&mut fixture, request);
    let id = gateway.nat_gateway_id;
    let table_id = table(&mut fixture, &gateway.vpc_id);
    let (elsewhere, _) = closed(&mut fixture, "10.0.0.0/24");
    let foreign = table(&mut fixture, &elsewhere);
    let request = private(&fixture);
    let deleted = create(&mut fixture, request).nat_gateway_id;
    answer!(fixture, DeleteNatGateway, delete(&deleted));
    let request = CreateManagedPrefixListRequest {
        prefix_list_name: text("six"),
        address_family: text("IPv6"),
        max_entries: Some(1),
        ..Default::default()
    };
    let list = answer!(fixture, CreateManagedPrefixList, request).prefix_list;
    let by_list = CreateRouteRequest {
        route_table_id: table_id.clone(),
        destination_prefix_list_id: list.unwrap().prefix_list_id,
        nat_gateway_id: id.clone(),
        ..Default::default()
    };
    let lines = [
        fixture.refused(by_list),
        fixture.refused(to(&table_id, "::/0", &id)),
        fixture.refused(to(&table_id, "64:ff9b::/96", &id)),
        fixture.refused(to(&table_id, "172.31.0.0/24", &id)),
        fixture.refused(to(&foreign, "0.0.0.0/0", &id)),
        fixture.refused(to(&table_id, "0.0.0.0/0", &deleted)),
        fixture.refused(to(&table_id, "0.0.0.0/0", &text("nat-0123456789abcdef0"))),
        fixture.refused(to(&table_id, "0.0.0.0/0", &text("nat-x"))),
    ];
    expect![[r#"
        InvalidParameterValue: Value (pl-00000000000000029) for parameter destinationPrefixListId is invalid. A NAT gateway can be the target of IPv4 destinations only.
        InvalidParameterValue: Value (::/0) for parameter destinationIpv6CidrBlock is invalid. A NAT gateway can be the target of IPv4 destinations only.
        UnsupportedOperation: NAT64 is not supported.
        InvalidParameterValue: The destination CIDR block 172.31.0.0/24 is equal to or more specific than one of this VPC's CIDR blocks. This route can target only an interface or an instance.
        InvalidParameterValue: route table rtb-00000000000000025 and network gateway nat-00000000000000017 belong to different networks
        InvalidNatGatewayID.NotFound: The natGateway ID 'nat-00000000000000026' does not exist
        InvalidNatGatewayID.NotFound: The natGateway ID 'nat-0123456789abcdef0' does not exist
        NatGatewayMalformed: Invalid id: "nat-x" (expecting "nat-...")"#]].assert_eq(&lines.join("\n"));
}
