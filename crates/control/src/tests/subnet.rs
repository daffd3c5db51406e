//! Subnets.

use ec2_api::*;
use expect_test::expect;

use super::{Fixture, answer, filter, named, show, text};

/// A VPC with IPv6, and its IPv6 block.
fn vpc(fixture: &mut Fixture) -> (Option<String>, String) {
    let request = CreateVpcRequest {
        cidr_block: text("10.1.0.0/16"),
        amazon_provided_ipv6_cidr_block: Some(true),
        ..Default::default()
    };
    let vpc = answer!(fixture, CreateVpc, request).vpc.unwrap();
    let block = &vpc.ipv6_cidr_block_association_set[0].ipv6_cidr_block;
    (vpc.vpc_id.clone(), block.clone().unwrap())
}

fn create(vpc_id: &Option<String>, cidr: &str) -> CreateSubnetRequest {
    CreateSubnetRequest {
        vpc_id: vpc_id.clone(),
        cidr_block: text(cidr),
        ..Default::default()
    }
}

#[test]
fn a_subnet_is_made_and_described() {
    let mut fixture = Fixture::new();
    let (vpc_id, block) = vpc(&mut fixture);
    let request = CreateSubnetRequest {
        ipv6_cidr_block: text(block.replace("/56", "/64")),
        availability_zone: text("us-east-1b"),
        tag_specifications: named("subnet", "a"),
        ..create(&vpc_id, "10.1.2.3/28")
    };
    let created = answer!(fixture, CreateSubnet, request).subnet.unwrap();
    expect![[r#"
        Subnet {
          availability_zone_id: "use1-az2",
          map_customer_owned_ip_on_launch: false,
          owner_id: "111122223333",
          assign_ipv6_address_on_creation: false,
          ipv6_cidr_block_association_set: [
            SubnetIpv6CidrBlockAssociation {
              association_id: "subnet-cidr-assoc-00000000000000023",
              ipv6_cidr_block: "2600:1f00:0:1700::/64",
              ipv6_cidr_block_state: SubnetCidrBlockState {
                state: "associating",
              },
              ipv6_address_attribute: "public",
              ip_source: "amazon",
            },
          ],
          tags: [
            Tag {
              key: "Name",
              value: "a",
            },
          ],
          subnet_arn: "arn:aws:ec2:us-east-1:111122223333:subnet/subnet-00000000000000022",
          enable_dns64: false,
          ipv6_native: false,
          private_dns_name_options_on_launch: PrivateDnsNameOptionsOnLaunch {
            hostname_type: "ip-name",
            enable_resource_name_dns_a_record: false,
            enable_resource_name_dns_aaaa_record: false,
          },
          block_public_access_states: BlockPublicAccessStates {
            internet_gateway_block_mode: "off",
          },
          subnet_id: "subnet-00000000000000022",
          state: "available",
          vpc_id: "vpc-00000000000000018",
          cidr_block: "10.1.2.0/28",
          available_ip_address_count: 11,
          availability_zone: "us-east-1b",
          default_for_az: false,
          map_public_ip_on_launch: false,
        }
    "#]]
    .assert_eq(&show(&created));
    let request = DescribeSubnetsRequest {
        filters: filter("availability-zone-id", &["use1-az2"]),
        ..Default::default()
    };
    assert_eq!(answer!(fixture, DescribeSubnets, request).subnets.len(), 2);
}

#[test]
fn zones_are_filled_evenly() {
    let mut fixture = Fixture::new();
    let (vpc_id, _) = vpc(&mut fixture);
    let zones: Vec<_> = (0..8)
        .map(|n| {
            let request = create(&vpc_id, &format!("10.1.{n}.0/24"));
            let subnet = answer!(fixture, CreateSubnet, request).subnet.unwrap();
            subnet.availability_zone.unwrap().pop().unwrap()
        })
        .collect();
    assert_eq!(zones, ['a', 'b', 'c', 'd', 'e', 'f', 'a', 'b']);
}

#[test]
fn blocks_and_zones_are_checked() {
    let mut fixture = Fixture::new();
    let (vpc_id, block) = vpc(&mut fixture);
    fixture.run(create(&vpc_id, "10.1.1.0/24")).unwrap();
    let zone = |name: &str| CreateSubnetRequest {
        availability_zone: text(name),
        ..create(&vpc_id, "10.1.2.0/24")
    };
    let ipv6 = |block: String| CreateSubnetRequest {
        ipv6_cidr_block: text(block),
        ..create(&vpc_id, "10.1.2.0/24")
    };
    let native = CreateSubnetRequest {
        ipv6_native: Some(true),
        ..create(&vpc_id, "10.1.2.0/24")
    };
    let requests = [
        create(&vpc_id, "10.2.0.0/24"),
        create(&vpc_id, "10.1.0.0/15"),
        create(&vpc_id, "10.1.2.0/29"),
        create(&vpc_id, "10.1.1.128/25"),
        create(&vpc_id, "10.1.0.0/16"),
        create(&vpc_id, "ten"),
        create(&text("vpc-0123456789abcdef0"), "10.1.2.0/24"),
        create(&None, "10.1.2.0/24"),
        zone("us-east-1z"),
        zone("eu-west-1a"),
        ipv6(block.replace("/56", "/62")),
        ipv6("2001:db8::/64".into()),
        native,
        CreateSubnetRequest {
            vpc_id: vpc_id.clone(),
            ..Default::default()
        },
    ];
    let out = requests.map(|request| fixture.refused(request));
    expect![[r#"
        InvalidSubnet.Range: The CIDR '10.2.0.0/24' is invalid.
        InvalidSubnet.Range: The CIDR '10.0.0.0/15' is invalid.
        InvalidSubnet.Range: The CIDR '10.1.2.0/29' is invalid.
        InvalidSubnet.Conflict: The CIDR '10.1.1.128/25' conflicts with another subnet
        InvalidSubnet.Conflict: The CIDR '10.1.0.0/16' conflicts with another subnet
        InvalidParameterValue: Value (ten) for parameter cidrBlock is invalid. This is not a valid CIDR block.
        InvalidVpcID.NotFound: The vpc ID 'vpc-0123456789abcdef0' does not exist
        MissingParameter: The request must contain the parameter vpcId
        InvalidParameterValue: Value (us-east-1z) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: us-east-1a, us-east-1b, us-east-1c, us-east-1d, us-east-1e, us-east-1f.
        InvalidParameterValue: Value (eu-west-1a) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: us-east-1a, us-east-1b, us-east-1c, us-east-1d, us-east-1e, us-east-1f.
        InvalidSubnet.Range: The CIDR '2600:1f00:0:1700::/62' is invalid.
        InvalidSubnet.Range: The CIDR '2001:db8::/64' is invalid.
        InvalidParameterCombination: The parameter cidrBlock cannot be used with the parameter ipv6Native
        MissingParameter: The request must contain the parameter cidrBlock"#]].assert_eq(&out.join("\n"));
}

#[test]
fn a_native_subnet_has_no_ipv4() {
    let mut fixture = Fixture::new();
    let (vpc_id, block) = vpc(&mut fixture);
    let request = CreateSubnetRequest {
        vpc_id,
        ipv6_native: Some(true),
        ipv6_cidr_block: text(block.replace("/56", "/64")),
        ..Default::default()
    };
    let subnet = answer!(fixture, CreateSubnet, request).subnet.unwrap();
    assert_eq!(subnet.cidr_block, None);
    assert_eq!(subnet.available_ip_address_count, Some(0));
    let association = &subnet.ipv6_cidr_block_association_set[0];
    let request = DisassociateSubnetCidrBlockRequest {
        association_id: association.association_id.clone(),
    };
    assert!(
        fixture
            .refused(request)
            .starts_with("OperationNotPermitted")
    );
}

#[test]
fn ipv6_blocks_come_and_go() {
    let mut fixture = Fixture::new();
    let (vpc_id, block) = vpc(&mut fixture);
    let request = create(&vpc_id, "10.1.1.0/24");
    let subnet_id = answer!(fixture, CreateSubnet, request)
        .subnet
        .unwrap()
        .subnet_id;
    let assign = |value| ModifySubnetAttributeRequest {
        subnet_id: subnet_id.clone(),
        assign_ipv6_address_on_creation: Some(AttributeBooleanValue { value: Some(value) }),
        ..Default::default()
    };
    let mut out = fixture.refused(assign(true)) + "\n";
    let associate = AssociateSubnetCidrBlockRequest {
        subnet_id: subnet_id.clone(),
        ipv6_cidr_block: text(block.replace("/56", "/64")),
        ..Default::default()
    };
    let response = answer!(fixture, AssociateSubnetCidrBlock, associate.clone());
    out += &show(&response);
    out += &fixture.refused(associate);
    fixture.run(assign(true)).unwrap();
    let request = DisassociateSubnetCidrBlockRequest {
        association_id: response.ipv6_cidr_block_association.unwrap().association_id,
    };
    fixture.run(request.clone()).unwrap();
    out += "\n";
    out += &fixture.refused(request);
    expect![[r#"
        InvalidParameterValue: Invalid value 'true' for assignIpv6AddressOnCreation. To set this value to true, the subnet must have an associated IPv6 CIDR block.
        AssociateSubnetCidrBlockResponse {
          ipv6_cidr_block_association: SubnetIpv6CidrBlockAssociation {
            association_id: "subnet-cidr-assoc-00000000000000024",
            ipv6_cidr_block: "2600:1f00:0:1700::/64",
            ipv6_cidr_block_state: SubnetCidrBlockState {
              state: "associating",
            },
            ipv6_address_attribute: "public",
            ip_source: "amazon",
          },
          subnet_id: "subnet-00000000000000022",
        }
        CidrLimitExceeded: This subnet subnet-00000000000000022 has met its maximum number of allowed CIDRs: 1
        InvalidSubnetCidrBlockAssociationID.NotFound: The subnet CIDR block with association ID 'subnet-cidr-assoc-00000000000000024' does not exist"#]].assert_eq(&out);
    let id = subnet_id.unwrap().parse().unwrap();
    let subnet = fixture.state().subnets.get(&id).unwrap();
    assert!(!subnet.assign_ipv6_address_on_creation);
}

#[test]
fn attributes_change_one_at_a_time() {
    let mut fixture = Fixture::new();
    let (vpc_id, _) = vpc(&mut fixture);
    let request = create(&vpc_id, "10.1.1.0/24");
    let subnet_id = answer!(fixture, CreateSubnet, request)
        .subnet
        .unwrap()
        .subnet_id;
    let on = || Some(AttributeBooleanValue { value: Some(true) });
    let modify = ModifySubnetAttributeRequest {
        subnet_id: subnet_id.clone(),
        ..Default::default()
    };
    for request in [
        ModifySubnetAttributeRequest {
            map_public_ip_on_launch: on(),
            ..modify.clone()
        },
        ModifySubnetAttributeRequest {
            private_dns_hostname_type_on_launch: text("resource-name"),
            ..modify.clone()
        },
        ModifySubnetAttributeRequest {
            enable_resource_name_dns_a_record_on_launch: on(),
            ..modify.clone()
        },
    ] {
        fixture.run(request).unwrap();
    }
    let id = subnet_id.unwrap().parse().unwrap();
    let subnet = fixture.state().subnets.get(&id).unwrap();
    assert!(subnet.map_public_ip_on_launch && subnet.enable_resource_name_dns_a_record);
    assert_eq!(subnet.hostname_type, "resource-name");
    let out = [
        ModifySubnetAttributeRequest {
            map_public_ip_on_launch: on(),
            enable_dns64: on(),
            ..modify.clone()
        },
        ModifySubnetAttributeRequest {
            private_dns_hostname_type_on_launch: text("mine"),
            ..modify.clone()
        },
        ModifySubnetAttributeRequest {
            enable_lni_at_device_index: Some(1),
            ..modify.clone()
        },
        modify,
    ];
    let out = out.map(|request| fixture.refused(request));
    expect![[r#"
        InvalidParameterCombination: Fields for multiple attribute types specified: mapPublicIpOnLaunch, enableDns64
        InvalidParameterValue: Value (mine) for parameter privateDnsHostnameTypeOnLaunch is invalid. Valid values: ip-name, resource-name.
        UnsupportedOperation: The parameter enableLniAtDeviceIndex is not supported.
        InvalidParameterCombination: No attributes specified."#]].assert_eq(&out.join("\n"));
}

#[test]
fn a_deleted_subnet_leaves_no_association() {
    let mut fixture = Fixture::new();
    let (vpc_id, _) = vpc(&mut fixture);
    let request = create(&vpc_id, "10.1.1.0/24");
    let subnet_id = answer!(fixture, CreateSubnet, request)
        .subnet
        .unwrap()
        .subnet_id;
    let id: model::SubnetId = subnet_id.as_deref().unwrap().parse().unwrap();
    assert!(fixture.state().network_acl_of(id).is_some());
    let delete = DeleteSubnetRequest {
        subnet_id,
        dry_run: None,
    };
    fixture.run(delete.clone()).unwrap();
    assert!(fixture.state().network_acl_of(id).is_none());
    assert!(
        fixture
            .refused(delete)
            .starts_with("InvalidSubnetID.NotFound")
    );
}
