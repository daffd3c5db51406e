//! From `pending` to forgotten.

use super::*;

#[test]
fn a_public_gateway_comes_up_and_goes_down() {
    let mut fixture = Fixture::new();
    let request = CreateNatGatewayRequest {
        client_token: text("once"),
        tag_specifications: named("natgateway", "a"),
        ..public(&mut fixture)
    };
    let made = answer!(fixture, CreateNatGateway, request.clone());
    let id = made.nat_gateway.as_ref().unwrap().nat_gateway_id.clone();
    expect![[r#"
        CreateNatGatewayResponse {
          client_token: "once",
          nat_gateway: NatGateway {
            create_time: "2024-05-01T10:00:00.000Z",
            nat_gateway_addresses: [
              NatGatewayAddress {
                allocation_id: "eipalloc-00000000000000018",
                network_interface_id: "eni-0000000000000001a",
                private_ip: "172.31.0.4",
                public_ip: "52.64.0.23",
                association_id: "eipassoc-0000000000000001c",
                is_primary: true,
                status: "associating",
                availability_zone: "us-east-1a",
                availability_zone_id: "use1-az1",
              },
            ],
            nat_gateway_id: "nat-00000000000000019",
            state: "pending",
            subnet_id: "subnet-0000000000000000b",
            vpc_id: "vpc-00000000000000002",
            tags: [
              Tag {
                key: "Name",
                value: "a",
              },
            ],
            connectivity_type: "public",
            availability_mode: "zonal",
          },
        }
    "#]]
    .assert_eq(&show(&made));
    assert_eq!(next(&mut fixture), Some(Duration::ZERO));
    assert_eq!(next(&mut fixture), None);

    let again = answer!(fixture, CreateNatGateway, request);
    let again = again.nat_gateway.unwrap();
    assert_eq!(again.nat_gateway_id, id);
    assert_eq!(again, described(&mut fixture, &id));
    expect![[r#"
        "available",
    "#]]
    .assert_eq(&show(&again.state));
    expect![[r#"
        [
          NatGatewayAddress {
            allocation_id: "eipalloc-00000000000000018",
            network_interface_id: "eni-0000000000000001a",
            private_ip: "172.31.0.4",
            public_ip: "52.64.0.23",
            association_id: "eipassoc-0000000000000001c",
            is_primary: true,
            status: "succeeded",
            availability_zone: "us-east-1a",
            availability_zone_id: "use1-az1",
          },
        ]
    "#]]
    .assert_eq(&show(&again.nat_gateway_addresses));
    expect![[r#"
        NetworkInterface {
          association: NetworkInterfaceAssociation {
            allocation_id: "eipalloc-00000000000000018",
            association_id: "eipassoc-0000000000000001c",
            ip_owner_id: "111122223333",
            public_dns_name: "ec2-52-64-0-23.compute-1.amazonaws.com",
            public_ip: "52.64.0.23",
          },
          attachment: NetworkInterfaceAttachment {
            attach_time: "2024-05-01T10:00:00.000Z",
            attachment_id: "ela-attach-0000000000000001a",
            delete_on_termination: false,
            device_index: 1,
            network_card_index: 0,
            instance_owner_id: "amazon-aws",
            status: "attached",
          },
          availability_zone: "us-east-1a",
          description: "Interface for NAT Gateway nat-00000000000000019",
          interface_type: "natGateway",
          mac_address: "0a:00:00:00:00:1b",
          network_interface_id: "eni-0000000000000001a",
          owner_id: "111122223333",
          private_dns_name: "ip-172-31-0-4.ec2.internal",
          public_dns_name: "ec2-52-64-0-23.compute-1.amazonaws.com",
          private_ip_address: "172.31.0.4",
          private_ip_addresses: [
            NetworkInterfacePrivateIpAddress {
              association: NetworkInterfaceAssociation {
                allocation_id: "eipalloc-00000000000000018",
                association_id: "eipassoc-0000000000000001c",
                ip_owner_id: "111122223333",
                public_dns_name: "ec2-52-64-0-23.compute-1.amazonaws.com",
                public_ip: "52.64.0.23",
              },
              primary: true,
              private_dns_name: "ip-172-31-0-4.ec2.internal",
              private_ip_address: "172.31.0.4",
            },
          ],
          requester_id: "amazon-aws",
          requester_managed: true,
          source_dest_check: false,
          status: "in-use",
          subnet_id: "subnet-0000000000000000b",
          vpc_id: "vpc-00000000000000002",
          operator: OperatorResponse {
            managed: false,
          },
          availability_zone_id: "use1-az1",
        }
    "#]]
    .assert_eq(&show(&interface(&mut fixture, &eni(&again))));

    let deleted = answer!(fixture, DeleteNatGateway, delete(&id));
    assert_eq!(deleted.nat_gateway_id, id);
    assert_eq!(described(&mut fixture, &id).state, text("deleting"));
    answer!(fixture, DeleteNatGateway, delete(&id));
    assert_eq!(next(&mut fixture), Some(Duration::ZERO));
    expect![[r#"
        NatGateway {
          create_time: "2024-05-01T10:00:00.000Z",
          delete_time: "2024-05-01T10:00:00.000Z",
          nat_gateway_addresses: [
            NatGatewayAddress {
              allocation_id: "eipalloc-00000000000000018",
              private_ip: "172.31.0.4",
              public_ip: "52.64.0.23",
              is_primary: true,
              status: "succeeded",
              availability_zone: "us-east-1a",
              availability_zone_id: "use1-az1",
            },
          ],
          nat_gateway_id: "nat-00000000000000019",
          state: "deleted",
          subnet_id: "subnet-0000000000000000b",
          vpc_id: "vpc-00000000000000002",
          tags: [
            Tag {
              key: "Name",
              value: "a",
            },
          ],
          connectivity_type: "public",
          availability_mode: "zonal",
        }
    "#]]
    .assert_eq(&show(&described(&mut fixture, &id)));
    assert!(fixture.state().network_interfaces.is_empty());
    let address = fixture.state().addresses.values().next().unwrap();
    assert_eq!(address.association, None);
    answer!(fixture, DeleteNatGateway, delete(&id));

    assert_eq!(next(&mut fixture), Some(Duration::from_secs(3600)));
    let refused = fixture.refused(delete(&id));
    expect!["NatGatewayNotFound: NatGateway nat-00000000000000019 was not found"]
        .assert_eq(&refused);
    assert_eq!(next(&mut fixture), None);
}

#[test]
fn a_private_gateway_needs_no_internet_gateway() {
    let mut fixture = Fixture::new();
    let (_, subnet_id) = closed(&mut fixture, "10.0.0.0/24");
    let request = CreateNatGatewayRequest {
        subnet_id,
        private_ip_address: text("10.0.0.10"),
        secondary_private_ip_address_count: Some(2),
        ..private(&fixture)
    };
    let gateway = available(&mut fixture, request);
    expect![[r#"
        NatGateway {
          create_time: "2024-05-01T10:00:00.000Z",
          nat_gateway_addresses: [
            NatGatewayAddress {
              network_interface_id: "eni-00000000000000022",
              private_ip: "10.0.0.10",
              is_primary: true,
              status: "succeeded",
              availability_zone: "us-east-1a",
              availability_zone_id: "use1-az1",
            },
            NatGatewayAddress {
              network_interface_id: "eni-00000000000000022",
              private_ip: "10.0.0.4",
              is_primary: false,
              status: "succeeded",
              availability_zone: "us-east-1a",
              availability_zone_id: "use1-az1",
            },
            NatGatewayAddress {
              network_interface_id: "eni-00000000000000022",
              private_ip: "10.0.0.5",
              is_primary: false,
              status: "succeeded",
              availability_zone: "us-east-1a",
              availability_zone_id: "use1-az1",
            },
          ],
          nat_gateway_id: "nat-00000000000000021",
          state: "available",
          subnet_id: "subnet-0000000000000001f",
          vpc_id: "vpc-00000000000000017",
          connectivity_type: "private",
          availability_mode: "zonal",
        }
    "#]]
    .assert_eq(&show(&gateway));
}

#[test]
fn a_public_gateway_has_several_addresses() {
    let mut fixture = Fixture::new();
    let request = CreateNatGatewayRequest {
        secondary_allocation_ids: vec![allocate(&mut fixture).unwrap()],
        secondary_private_ip_addresses: vec!["172.31.0.77".to_owned()],
        ..public(&mut fixture)
    };
    let gateway = available(&mut fixture, request);
    let lines = gateway.nat_gateway_addresses.iter().map(|a| {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        format!(
            "{} {} {:?} {}",
            text(&a.private_ip),
            text(&a.public_ip),
            a.is_primary,
            text(&a.status)
        )
    });
    expect![[r#"
        172.31.0.4 52.64.0.25 Some(true) succeeded
        172.31.0.77 52.64.0.23 Some(false) succeeded"#]]
    .assert_eq(&lines.collect::<Vec<_>>().join("\n"));
    let own = interface(&mut fixture, &eni(&gateway));
    let mapped = own.private_ip_addresses.iter();
    assert!(mapped.clone().all(|a| a.association.is_some()));
    assert_eq!(mapped.len(), 2);
}

#[test]
fn without_an_internet_gateway_it_fails() {
    let mut fixture = Fixture::new();
    let (vpc_id, subnet) = closed(&mut fixture, "10.0.0.0/24");
    let request = CreateNatGatewayRequest {
        subnet_id: subnet,
        ..public(&mut fixture)
    };
    let made = create(&mut fixture, request);
    assert_eq!((made.state, made.failure_code), (text("pending"), None));
    let id = made.nat_gateway_id;
    next(&mut fixture);
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
              is_primary: true,
              status: "failed",
              availability_zone: "us-east-1a",
              availability_zone_id: "use1-az1",
            },
          ],
          nat_gateway_id: "nat-00000000000000023",
          state: "failed",
          subnet_id: "subnet-0000000000000001f",
          vpc_id: "vpc-00000000000000017",
          connectivity_type: "public",
          availability_mode: "zonal",
        }
    "#]]
    .assert_eq(&show(&described(&mut fixture, &id)));
    let subnet = DeleteVpcRequest {
        vpc_id,
        dry_run: None,
    };
    expect!["DependencyViolation: The vpc 'vpc-00000000000000017' has dependencies and cannot be deleted."].assert_eq(&fixture.refused(subnet));
    assert_eq!(next(&mut fixture), Some(Duration::from_secs(3600)));
    assert!(fixture.state().nat_gateways.is_empty());
}

#[test]
fn in_a_full_subnet_it_fails_and_can_be_deleted() {
    let mut fixture = Fixture::new();
    let (_, subnet) = closed(&mut fixture, "10.0.0.0/28");
    let interfaces = CreateNetworkInterfaceRequest {
        subnet_id: subnet.clone(),
        secondary_private_ip_address_count: Some(10),
        ..Default::default()
    };
    fixture.run(interfaces).unwrap();
    let request = CreateNatGatewayRequest {
        subnet_id: subnet,
        ..private(&fixture)
    };
    let failed = available(&mut fixture, request);
    let lines = [failed.state, failed.failure_code, failed.failure_message];
    expect![[r#"
        [
            "failed",
            "InsufficientFreeAddressesInSubnet",
            "There are not enough free addresses in subnet 'subnet-0000000000000001f' to satisfy the requested number of addresses.",
        ]
    "#]].assert_eq(&show(&lines));
    answer!(fixture, DeleteNatGateway, delete(&failed.nat_gateway_id));
    let gone = described(&mut fixture, &failed.nat_gateway_id);
    assert_eq!(gone.state, text("deleted"));
}

#[test]
fn what_a_gateway_stands_on_cannot_be_taken_away() {
    let mut fixture = Fixture::new();
    let vpc_id = fixture.state().default_vpc().unwrap().id;
    let internet_gateway = fixture.state().internet_gateway_of(vpc_id).unwrap().id;
    let request = public(&mut fixture);
    let id = create(&mut fixture, request).nat_gateway_id;
    answer!(fixture, DeleteNatGateway, delete(&id));
    let detach = DetachInternetGatewayRequest {
        internet_gateway_id: text(internet_gateway),
        vpc_id: text(vpc_id),
        dry_run: None,
    };
    let lines = [
        fixture.refused(detach.clone()),
        fixture.refused(DeleteSubnetRequest {
            subnet_id: subnet_id(&fixture),
            dry_run: None,
        }),
        fixture.refused(DeleteVpcRequest {
            vpc_id: text(vpc_id),
            dry_run: None,
        }),
    ];
    expect![[r#"
        DependencyViolation: Network vpc-00000000000000002 has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.
        DependencyViolation: The subnet 'subnet-0000000000000000b' has dependencies and cannot be deleted.
        DependencyViolation: The vpc 'vpc-00000000000000002' has dependencies and cannot be deleted."#]].assert_eq(&lines.join("\n"));
    next(&mut fixture);
    fixture.run(detach).unwrap();
}

#[test]
fn gateways_are_filtered_and_tagged() {
    let mut fixture = Fixture::new();
    let request = public(&mut fixture);
    let a = available(&mut fixture, request);
    let request = CreateNatGatewayRequest {
        tag_specifications: named("natgateway", "b"),
        ..private(&fixture)
    };
    let b = create(&mut fixture, request);
    let tag = CreateTagsRequest {
        resources: vec![a.nat_gateway_id.clone().unwrap()],
        tags: vec![Tag {
            key: text("Name"),
            value: text("a"),
        }],
        dry_run: None,
    };
    fixture.run(tag).unwrap();
    let mut matching = |name: &str, value: &Option<String>| {
        let request = DescribeNatGatewaysRequest {
            filter: filter(name, &[value.as_deref().unwrap()]),
            ..Default::default()
        };
        let found = answer!(fixture, DescribeNatGateways, request).nat_gateways;
        found
            .into_iter()
            .map(|g| g.nat_gateway_id)
            .collect::<Vec<_>>()
    };
    let (a_id, b_id) = (a.nat_gateway_id, b.nat_gateway_id);
    let (one, both): (Vec<_>, Vec<_>) = (vec![a_id.clone()], vec![a_id.clone(), b_id.clone()]);
    assert_eq!(matching("nat-gateway-id", &a_id), one);
    assert_eq!(matching("state", &text("available")), one);
    assert_eq!(matching("tag:Name", &text("a")), one);
    assert_eq!(matching("state", &text("pending")), [b_id]);
    assert_eq!(matching("vpc-id", &a.vpc_id), both);
    assert_eq!(matching("subnet-id", &a.subnet_id), both);
    assert_eq!(
        matching("subnet-id", &text("subnet-0")),
        Vec::<Option<String>>::new()
    );
    let request = DescribeTagsRequest {
        filters: filter("resource-type", &["natgateway"]),
        ..Default::default()
    };
    assert_eq!(answer!(fixture, DescribeTags, request).tags.len(), 2);
    let request = DescribeNetworkInterfacesRequest {
        filters: filter("interface-type", &["nat_gateway"]),
        ..Default::default()
    };
    let interfaces = answer!(fixture, DescribeNetworkInterfaces, request);
    assert_eq!(interfaces.network_interfaces.len(), 2);
}
