//! Regional NAT gateways.

use super::super::network_interface::created;
use super::*;

fn vpc_id(fixture: &Fixture) -> Option<String> {
    text(fixture.state().default_vpc().unwrap().id)
}

fn automatic(fixture: &Fixture) -> CreateNatGatewayRequest {
    CreateNatGatewayRequest {
        vpc_id: vpc_id(fixture),
        availability_mode: text("regional"),
        ..Default::default()
    }
}

fn zone(name: &str, allocations: &[&Option<String>]) -> AvailabilityZoneAddress {
    AvailabilityZoneAddress {
        availability_zone: text(name),
        availability_zone_id: None,
        allocation_ids: allocations.iter().map(|&id| id.clone().unwrap()).collect(),
    }
}

/// A gateway with one address of its owner's, in us-east-1b.
fn manual(fixture: &mut Fixture) -> CreateNatGatewayRequest {
    let own = allocate(fixture);
    CreateNatGatewayRequest {
        availability_zone_addresses: vec![zone("us-east-1b", &[&own])],
        ..automatic(fixture)
    }
}

/// An interface in the subnet of the zone with this place in the alphabet.
fn interface_in(fixture: &mut Fixture, zone: usize) -> Option<String> {
    let mut subnets: Vec<_> = fixture.state().subnets.values().collect();
    subnets.sort_by_key(|s| s.zone);
    let request = CreateNetworkInterfaceRequest {
        subnet_id: text(subnets[zone].id),
        ..Default::default()
    };
    let made = answer!(fixture, CreateNetworkInterface, request);
    made.network_interface.unwrap().network_interface_id
}

/// Zone and status of each address.
fn zones(gateway: &NatGateway) -> String {
    let own = gateway.nat_gateway_addresses.iter();
    let lines = own.map(|a| {
        let (zone, status) = (a.availability_zone.as_deref(), a.status.as_deref());
        format!("{} {}", zone.unwrap(), status.unwrap())
    });
    lines.collect::<Vec<_>>().join(", ")
}

#[test]
fn an_automatic_gateway_comes_up_where_interfaces_are() {
    let mut fixture = Fixture::new();
    created(&mut fixture);
    let request = CreateNatGatewayRequest {
        client_token: text("once"),
        tag_specifications: named("natgateway", "a"),
        ..automatic(&fixture)
    };
    let made = answer!(fixture, CreateNatGateway, request.clone());
    expect![[r#"
        CreateNatGatewayResponse {
          client_token: "once",
          nat_gateway: NatGateway {
            create_time: "2024-05-01T10:00:00.000Z",
            nat_gateway_addresses: [
              NatGatewayAddress {
                allocation_id: "eipalloc-0000000000000001c",
                public_ip: "52.64.0.27",
                association_id: "eipassoc-0000000000000001d",
                status: "associating",
                availability_zone: "us-east-1a",
                availability_zone_id: "use1-az1",
              },
            ],
            nat_gateway_id: "nat-00000000000000019",
            state: "pending",
            vpc_id: "vpc-00000000000000002",
            tags: [
              Tag {
                key: "Name",
                value: "a",
              },
            ],
            connectivity_type: "public",
            availability_mode: "regional",
            auto_scaling_ips: "disabled",
            auto_provision_zones: "enabled",
            route_table_id: "rtb-0000000000000001a",
          },
        }
    "#]]
    .assert_eq(&show(&made));
    assert_eq!(next(&mut fixture), Some(Duration::ZERO));
    assert_eq!(next(&mut fixture), None);
    let again = answer!(fixture, CreateNatGateway, request)
        .nat_gateway
        .unwrap();
    assert_eq!(again.state, text("available"));

    let table = DescribeRouteTablesRequest {
        route_table_ids: again.route_table_id.iter().cloned().collect(),
        ..Default::default()
    };
    let tables = answer!(fixture, DescribeRouteTables, table).route_tables;
    expect![[r#"
        [
          RouteTable {
            route_table_id: "rtb-0000000000000001a",
            routes: [
              Route {
                destination_cidr_block: "172.31.0.0/16",
                gateway_id: "local",
                origin: "CreateRouteTable",
                state: "active",
              },
              Route {
                destination_cidr_block: "0.0.0.0/0",
                gateway_id: "igw-0000000000000000a",
                origin: "CreateRoute",
                state: "active",
              },
            ],
            vpc_id: "vpc-00000000000000002",
            owner_id: "111122223333",
          },
        ]
    "#]]
    .assert_eq(&show(&tables));
    let addresses = answer!(
        fixture,
        DescribeAddresses,
        DescribeAddressesRequest::default()
    );
    expect![[r#"
        [
          Address {
            allocation_id: "eipalloc-0000000000000001c",
            association_id: "eipassoc-0000000000000001d",
            domain: "vpc",
            public_ipv4_pool: "amazon",
            network_border_group: "us-east-1",
            service_managed: "rnat",
            public_ip: "52.64.0.27",
          },
        ]
    "#]]
    .assert_eq(&show(&addresses.addresses));
}

#[test]
fn an_automatic_gateway_follows_the_interfaces() {
    let mut fixture = Fixture::new();
    let request = automatic(&fixture);
    let id = available(&mut fixture, request).nat_gateway_id;
    let mut lines = vec![zones(&described(&mut fixture, &id))];
    let mut note = |fixture: &mut Fixture| {
        fixture.observe(&Event::Tick).unwrap();
        let now = described(fixture, &id);
        lines.push(zones(&now));
        now.nat_gateway_addresses
    };
    interface_in(&mut fixture, 0);
    note(&mut fixture);
    let other = interface_in(&mut fixture, 2);
    let both = note(&mut fixture);
    let gone = DeleteNetworkInterfaceRequest {
        network_interface_id: other,
        dry_run: None,
    };
    fixture.run(gone.clone()).unwrap();
    note(&mut fixture);
    // Whoever comes back in time finds the same address.
    let back = interface_in(&mut fixture, 2);
    assert_eq!(note(&mut fixture), both);
    let gone = DeleteNetworkInterfaceRequest {
        network_interface_id: back,
        ..gone
    };
    fixture.run(gone).unwrap();
    note(&mut fixture);
    fixture.now = fixture.now + Duration::from_secs(350);
    note(&mut fixture);
    assert_eq!(fixture.state().addresses.len(), 1);
    expect![[r#"

        us-east-1a succeeded
        us-east-1a succeeded, us-east-1c succeeded
        us-east-1a succeeded, us-east-1c disassociating
        us-east-1a succeeded, us-east-1c succeeded
        us-east-1a succeeded, us-east-1c disassociating
        us-east-1a succeeded"#]]
    .assert_eq(&lines.join("\n"));

    // Its address does not count as one of the account's five, and is not the account's to change.
    for _ in 0..5 {
        allocate(&mut fixture);
    }
    let own = both[0].clone();
    let lines = [
        fixture.refused(ReleaseAddressRequest {
            allocation_id: own.allocation_id.clone(),
            ..Default::default()
        }),
        fixture.refused(DisassociateAddressRequest {
            association_id: own.association_id.clone(),
            ..Default::default()
        }),
        fixture.refused(AssociateNatGatewayAddressRequest {
            nat_gateway_id: id.clone(),
            allocation_ids: own.allocation_id.clone().into_iter().collect(),
            availability_zone: text("us-east-1a"),
            ..Default::default()
        }),
        fixture.refused(DisassociateNatGatewayAddressRequest {
            nat_gateway_id: id.clone(),
            association_ids: own.association_id.into_iter().collect(),
            ..Default::default()
        }),
    ];
    expect![[r#"
        AuthFailure: You do not have permission to access the specified resource.
        AuthFailure: You do not have permission to access the specified resource.
        InvalidParameterValue: NatGateway nat-00000000000000017 manages its Availability Zones and addresses by itself
        InvalidParameterValue: NatGateway nat-00000000000000017 manages its Availability Zones and addresses by itself"#]].assert_eq(&lines.join("\n"));
}

#[test]
fn a_manual_gateway_has_the_addresses_that_it_is_given() {
    let mut fixture = Fixture::new();
    created(&mut fixture);
    let request = manual(&mut fixture);
    let gateway = available(&mut fixture, request);
    expect![[r#"
        NatGateway {
          create_time: "2024-05-01T10:00:00.000Z",
          nat_gateway_addresses: [
            NatGatewayAddress {
              allocation_id: "eipalloc-0000000000000001a",
              public_ip: "52.64.0.25",
              association_id: "eipassoc-0000000000000001d",
              status: "succeeded",
              availability_zone: "us-east-1b",
              availability_zone_id: "use1-az2",
            },
          ],
          nat_gateway_id: "nat-0000000000000001b",
          state: "available",
          vpc_id: "vpc-00000000000000002",
          connectivity_type: "public",
          availability_mode: "regional",
          auto_scaling_ips: "disabled",
          auto_provision_zones: "disabled",
          route_table_id: "rtb-0000000000000001c",
        }
    "#]]
    .assert_eq(&show(&gateway));
    let id = gateway.nat_gateway_id.clone();
    let (more, third) = (allocate(&mut fixture), allocate(&mut fixture));
    let associate = AssociateNatGatewayAddressRequest {
        nat_gateway_id: id.clone(),
        allocation_ids: vec![more.unwrap()],
        availability_zone_id: text("use1-az3"),
        ..Default::default()
    };
    let lines = [
        fixture.refused(AssociateNatGatewayAddressRequest {
            availability_zone_id: None,
            ..associate.clone()
        }),
        fixture.refused(AssociateNatGatewayAddressRequest {
            availability_zone: text("us-east-1c"),
            ..associate.clone()
        }),
        fixture.refused(AssociateNatGatewayAddressRequest {
            availability_zone_id: text("use1-az9"),
            ..associate.clone()
        }),
        fixture.refused(AssociateNatGatewayAddressRequest {
            private_ip_addresses: vec!["172.31.0.9".to_owned()],
            ..associate.clone()
        }),
    ];
    expect![[r#"
        MissingParameter: The request must contain the parameter AvailabilityZone
        InvalidParameterCombination: The parameters AvailabilityZone and AvailabilityZoneId cannot be used together
        InvalidParameterValue: Value (use1-az9) for parameter availabilityZoneId is invalid. It is not a zone of us-east-1.
        InvalidParameterCombination: A regional NAT gateway has no private IP addresses."#]].assert_eq(&lines.join("\n"));
    answer!(fixture, AssociateNatGatewayAddress, associate);
    let now = described(&mut fixture, &id);
    assert_eq!(zones(&now), "us-east-1b succeeded, us-east-1c succeeded");
    // Any may go: there is no primary one.
    let disassociate = DisassociateNatGatewayAddressRequest {
        nat_gateway_id: id.clone(),
        association_ids: gateway.nat_gateway_addresses[0]
            .association_id
            .clone()
            .into_iter()
            .collect(),
        max_drain_duration_seconds: Some(10),
        dry_run: None,
    };
    answer!(fixture, DisassociateNatGatewayAddress, disassociate);
    let now = described(&mut fixture, &id);
    assert_eq!(
        zones(&now),
        "us-east-1b disassociating, us-east-1c succeeded"
    );
    assert_eq!(next(&mut fixture), Some(Duration::from_secs(10)));
    let now = described(&mut fixture, &id);
    assert_eq!(zones(&now), "us-east-1c succeeded");

    // Those of a zonal gateway have its zone.
    let request = public(&mut fixture);
    let zonal = available(&mut fixture, request).nat_gateway_id;
    let refused = fixture.refused(AssociateNatGatewayAddressRequest {
        nat_gateway_id: zonal.clone(),
        allocation_ids: third.clone().into_iter().collect(),
        availability_zone: text("us-east-1a"),
        ..Default::default()
    });
    assert_eq!(
        refused,
        format!(
            "InvalidParameterCombination: NatGateway {} is not a regional NAT gateway, so its \
             addresses have no Availability Zone of their own.",
            zonal.unwrap()
        )
    );
    // With the gateway, its addresses are free again.
    fixture.run(delete(&id)).unwrap();
    next(&mut fixture);
    assert_eq!(described(&mut fixture, &id).state, text("deleted"));
    let mapped = fixture.state().addresses.values();
    assert_eq!(mapped.filter(|a| a.association.is_some()).count(), 1);
}

#[test]
fn a_route_table_of_its_own() {
    let mut fixture = Fixture::new();
    created(&mut fixture);
    let zonal = public(&mut fixture);
    let zonal = available(&mut fixture, zonal).nat_gateway_id;
    let request = automatic(&fixture);
    let gateway = available(&mut fixture, request);
    let id = gateway.nat_gateway_id.clone();
    let table = gateway.route_table_id.clone();
    let tables = &fixture.state().route_tables;
    let main = text(tables.values().find(|t| t.is_main()).unwrap().id);
    let route = CreateRouteRequest {
        route_table_id: main,
        destination_cidr_block: text("198.51.100.0/24"),
        nat_gateway_id: id.clone(),
        ..Default::default()
    };
    fixture.run(route.clone()).unwrap();
    let own = CreateRouteRequest {
        route_table_id: table.clone(),
        ..route.clone()
    };
    let internet_gateway = fixture
        .state()
        .internet_gateways
        .values()
        .next()
        .unwrap()
        .id;
    let lines = [
        fixture.refused(own.clone()),
        fixture.refused(CreateRouteRequest {
            nat_gateway_id: zonal,
            ..own.clone()
        }),
        fixture.refused(DeleteRouteTableRequest {
            route_table_id: table.clone(),
            dry_run: None,
        }),
        fixture.refused(AssociateRouteTableRequest {
            route_table_id: table.clone(),
            subnet_id: subnet_id(&fixture),
            ..Default::default()
        }),
        fixture.refused(AssociateRouteTableRequest {
            route_table_id: table.clone(),
            gateway_id: text(internet_gateway),
            ..Default::default()
        }),
        fixture.refused(CreateVpcEndpointRequest {
            vpc_id: vpc_id(&fixture),
            service_name: text("com.amazonaws.us-east-1.s3"),
            route_table_ids: table.clone().into_iter().collect(),
            ..Default::default()
        }),
        fixture.refused(DetachInternetGatewayRequest {
            internet_gateway_id: text(internet_gateway),
            vpc_id: vpc_id(&fixture),
            dry_run: None,
        }),
    ];
    expect![[r#"
        RouteNotSupported: Route table contains unsupported route target: nat-0000000000000001f.
        RouteNotSupported: Route table contains unsupported route target: nat-0000000000000001b.
        DependencyViolation: The routeTable 'rtb-00000000000000020' has dependencies and cannot be deleted.
        InvalidParameterValue: The route table rtb-00000000000000020 is the one of nat-0000000000000001f and cannot be associated with anything else.
        InvalidParameterValue: The route table rtb-00000000000000020 is the one of nat-0000000000000001f and cannot be associated with anything else.
        RouteNotSupported: Route table contains unsupported route target: vpce-00000000000000024.
        DependencyViolation: Network vpc-00000000000000002 has some mapped public address(es). Please unmap those public address(es) before detaching the gateway."#]].assert_eq(&lines.join("\n"));
    let own = CreateRouteRequest {
        nat_gateway_id: None,
        gateway_id: text(internet_gateway),
        ..own
    };
    fixture.run(own).unwrap();

    fixture.run(delete(&id)).unwrap();
    next(&mut fixture);
    let gone = described(&mut fixture, &id);
    assert_eq!(gone.route_table_id, None);
    let own = table.unwrap().parse().unwrap();
    assert!(!fixture.state().route_tables.contains(&own));
}

#[test]
fn its_flow_logs_go_with_it() {
    let mut fixture = Fixture::new();
    created(&mut fixture);
    let request = automatic(&fixture);
    let id = available(&mut fixture, request).nat_gateway_id;
    let on = |id: &Option<String>| CreateFlowLogsRequest {
        resource_ids: id.clone().into_iter().collect(),
        resource_type: text("RegionalNatGateway"),
        traffic_type: text("ALL"),
        log_destination_type: text("s3"),
        log_destination: text("arn:aws:s3:::records"),
        ..Default::default()
    };
    let made = answer!(fixture, CreateFlowLogs, on(&id));
    assert!(made.unsuccessful.is_empty());
    assert_eq!(fixture.state().flow_logs.len(), 1);
    fixture.run(delete(&id)).unwrap();
    next(&mut fixture);
    assert_eq!(fixture.state().flow_logs.len(), 0);
    let made = answer!(fixture, CreateFlowLogs, on(&id));
    expect![[r#"
        InvalidNatGatewayId.NotFound"#]]
    .assert_eq(
        &made.unsuccessful[0]
            .error
            .as_ref()
            .unwrap()
            .code
            .clone()
            .unwrap(),
    );
}

/// Rows of before there were regional gateways are read as they were.
#[test]
fn rows_of_older_states() {
    let mut fixture = Fixture::new();
    let request = public(&mut fixture);
    available(&mut fixture, request);
    let gateway = fixture.state().nat_gateways.values().next().unwrap();
    let mut json = serde_json::to_value(gateway).unwrap();
    assert!(json["subnet_id"].is_string() && json["availability"].is_null());
    json["addresses"][0].as_object_mut().unwrap().remove("zone");
    assert_eq!(*gateway, serde_json::from_value(json).unwrap());
    let address = fixture.state().addresses.values().next().unwrap();
    let mut json = serde_json::to_value(address).unwrap();
    let association = json["association"].as_object().unwrap();
    assert!(association["network_interface_id"].is_string());
    assert!(association["private_ip_address"].is_string());
    json.as_object_mut().unwrap().remove("service_managed");
    assert_eq!(*address, serde_json::from_value(json).unwrap());
}

#[test]
fn requests_for_gateways_that_cannot_be() {
    let mut fixture = Fixture::new();
    let good = automatic(&fixture);
    let (used, free) = (allocate(&mut fixture), allocate(&mut fixture));
    let taken = CreateNatGatewayRequest {
        availability_zone_addresses: vec![zone("us-east-1a", &[&used])],
        ..good.clone()
    };
    fixture.run(taken.clone()).unwrap();
    let addresses = |all: Vec<AvailabilityZoneAddress>| CreateNatGatewayRequest {
        availability_zone_addresses: all,
        ..good.clone()
    };
    let bad = [
        CreateNatGatewayRequest {
            vpc_id: None,
            ..good.clone()
        },
        CreateNatGatewayRequest {
            vpc_id: text("vpc-0123456789abcdef0"),
            ..good.clone()
        },
        CreateNatGatewayRequest {
            connectivity_type: text("private"),
            ..good.clone()
        },
        CreateNatGatewayRequest {
            subnet_id: subnet_id(&fixture),
            ..good.clone()
        },
        CreateNatGatewayRequest {
            allocation_id: free.clone(),
            ..good.clone()
        },
        CreateNatGatewayRequest {
            private_ip_address: text("172.31.0.9"),
            ..good.clone()
        },
        CreateNatGatewayRequest {
            secondary_allocation_ids: free.clone().into_iter().collect(),
            ..good.clone()
        },
        CreateNatGatewayRequest {
            secondary_private_ip_address_count: Some(1),
            ..good.clone()
        },
        taken,
        addresses(vec![AvailabilityZoneAddress::default()]),
        addresses(vec![zone("us-east-1a", &[])]),
        addresses(vec![zone("us-west-2a", &[&free])]),
        addresses(vec![zone("us-east-1a", &[&free, &free])]),
        addresses(vec![
            zone("us-east-1a", &[&free]),
            zone("us-east-1b", &[&free]),
        ]),
        addresses(vec![
            zone("us-east-1a", &[&free]),
            zone("us-east-1a", &[&free]),
        ]),
        addresses(vec![zone(
            "us-east-1a",
            &[&text("eipalloc-0123456789abcdef0")],
        )]),
        addresses(vec![AvailabilityZoneAddress {
            availability_zone_id: text("use1-az1"),
            ..zone("us-east-1a", &[&free])
        }]),
    ];
    let lines = bad.map(|request| fixture.refused(request));
    expect![[r#"
        MissingParameter: The request must contain the parameter VpcId
        InvalidVpcID.NotFound: The vpc ID 'vpc-0123456789abcdef0' does not exist
        InvalidParameterCombination: A regional NAT gateway cannot have the connectivity type private.
        InvalidParameterCombination: The parameter SubnetId cannot be used with a regional NAT gateway.
        InvalidParameterCombination: The parameter AllocationId cannot be used with a regional NAT gateway.
        InvalidParameterCombination: The parameter PrivateIpAddress cannot be used with a regional NAT gateway.
        InvalidParameterCombination: The parameter SecondaryAllocationId cannot be used with a regional NAT gateway.
        InvalidParameterCombination: The parameter SecondaryPrivateIpAddressCount cannot be used with a regional NAT gateway.
        Resource.AlreadyAssociated: resource eipalloc-00000000000000018 is already associated with associate-id eipassoc-0000000000000001d
        MissingParameter: The request must contain the parameter AvailabilityZone
        MissingParameter: The request must contain the parameter AllocationId
        InvalidParameterValue: Value (us-west-2a) for parameter availabilityZone is invalid. It is not a zone of us-east-1.
        InvalidParameterValue: An allocation ID may be given only once.
        InvalidParameterValue: An allocation ID may be given only once.
        InvalidParameterValue: The Availability Zone us-east-1a may be given only once.
        InvalidAllocationID.NotFound: The allocation ID 'eipalloc-0123456789abcdef0' does not exist
        InvalidParameterCombination: The parameters AvailabilityZone and AvailabilityZoneId cannot be used together"#]].assert_eq(&lines.join("\n"));

    fixture.quotas.regional_nat_gateway_addresses = 1;
    let (a, b) = (allocate(&mut fixture), allocate(&mut fixture));
    let many = CreateNatGatewayRequest {
        availability_zone_addresses: vec![zone("us-east-1a", &[&a, &b])],
        ..good.clone()
    };
    assert_eq!(
        fixture.refused(many),
        "AddressLimitExceeded: A regional NAT gateway may have up to 1 Elastic IP addresses in an \
         Availability Zone."
    );
    fixture.quotas.regional_nat_gateways = 2;
    fixture.run(good.clone()).unwrap();
    assert_eq!(
        fixture.refused(good),
        "NatGatewayLimitExceeded: Performing this operation would exceed the limit of 2 NAT \
         gateways"
    );
}

#[test]
fn without_an_internet_gateway_it_fails() {
    let mut fixture = Fixture::new();
    let (vpc_id, _) = closed(&mut fixture, "10.0.0.0/24");
    let own = allocate(&mut fixture);
    let request = CreateNatGatewayRequest {
        vpc_id: vpc_id.clone(),
        availability_zone_addresses: vec![zone("us-east-1a", &[&own])],
        ..automatic(&fixture)
    };
    let id = create(&mut fixture, request).nat_gateway_id;
    next(&mut fixture);
    let failed = described(&mut fixture, &id);
    expect![[r#"
        NatGateway {
          create_time: "2024-05-01T10:00:00.000Z",
          delete_time: "2024-05-01T10:00:00.000Z",
          failure_code: "Gateway.NotAttached",
          failure_message: "Network vpc-00000000000000017 has no Internet gateway attached",
          nat_gateway_addresses: [
            NatGatewayAddress {
              allocation_id: "eipalloc-00000000000000022",
              public_ip: "52.64.0.33",
              status: "failed",
              availability_zone: "us-east-1a",
              availability_zone_id: "use1-az1",
            },
          ],
          nat_gateway_id: "nat-00000000000000023",
          state: "failed",
          vpc_id: "vpc-00000000000000017",
          connectivity_type: "public",
          availability_mode: "regional",
          auto_scaling_ips: "disabled",
          auto_provision_zones: "disabled",
        }
    "#]]
    .assert_eq(&show(&failed));
    let gone = DeleteVpcRequest {
        vpc_id,
        dry_run: None,
    };
    assert!(fixture.refused(gone).starts_with("DependencyViolation"));
}
