//! VPCs.

use ec2_api::*;
use expect_test::expect;

use super::{Fixture, answer, filter, named, show, text};

fn create(cidr: &str) -> CreateVpcRequest {
    CreateVpcRequest {
        cidr_block: text(cidr),
        ..Default::default()
    }
}

fn associate(vpc_id: &Option<String>, cidr: &str) -> AssociateVpcCidrBlockRequest {
    AssociateVpcCidrBlockRequest {
        vpc_id: vpc_id.clone(),
        cidr_block: text(cidr),
        ..Default::default()
    }
}

fn associate_ipv6(vpc_id: &Option<String>) -> AssociateVpcCidrBlockRequest {
    AssociateVpcCidrBlockRequest {
        vpc_id: vpc_id.clone(),
        amazon_provided_ipv6_cidr_block: Some(true),
        ..Default::default()
    }
}

#[test]
fn a_vpc_is_made_and_described() {
    let mut fixture = Fixture::new();
    let request = CreateVpcRequest {
        amazon_provided_ipv6_cidr_block: Some(true),
        tag_specifications: named("vpc", "a"),
        ..create("10.1.2.3/16")
    };
    let vpc = answer!(fixture, CreateVpc, request).vpc.unwrap();
    assert_eq!(vpc.state.as_deref(), Some("pending"));
    let request = DescribeVpcsRequest {
        filters: filter("tag:Name", &["a"]),
        ..Default::default()
    };
    let described = answer!(fixture, DescribeVpcs, request);
    expect![[r#"
        DescribeVpcsResponse {
          vpcs: [
            Vpc {
              owner_id: "111122223333",
              instance_tenancy: "default",
              ipv6_cidr_block_association_set: [
                VpcIpv6CidrBlockAssociation {
                  association_id: "vpc-cidr-assoc-0000000000000001a",
                  ipv6_cidr_block: "2600:1f00:0:1700::/56",
                  ipv6_cidr_block_state: VpcCidrBlockState {
                    state: "associated",
                  },
                  network_border_group: "us-east-1",
                  ipv6_pool: "Amazon",
                  ipv6_address_attribute: "public",
                  ip_source: "amazon",
                },
              ],
              cidr_block_association_set: [
                VpcCidrBlockAssociation {
                  association_id: "vpc-cidr-assoc-00000000000000019",
                  cidr_block: "10.1.0.0/16",
                  cidr_block_state: VpcCidrBlockState {
                    state: "associated",
                  },
                },
              ],
              is_default: false,
              tags: [
                Tag {
                  key: "Name",
                  value: "a",
                },
              ],
              block_public_access_states: BlockPublicAccessStates {
                internet_gateway_block_mode: "off",
              },
              vpc_id: "vpc-00000000000000018",
              state: "available",
              cidr_block: "10.1.0.0/16",
              dhcp_options_id: "dopt-00000000000000001",
            },
          ],
        }
    "#]]
    .assert_eq(&show(&described));
}

#[test]
fn blocks_of_new_vpcs_are_checked() {
    let mut fixture = Fixture::new();
    let mut out = String::new();
    for cidr in [
        "10.0.0.0",
        "010.0.0.0/16",
        "10.0.0.0/33",
        "10.0.0.0/15",
        "10.0.0.0/29",
        "169.254.0.0/16",
        "0.0.0.0/16",
        "127.1.0.0/16",
        "230.0.0.0/16",
    ] {
        out += &format!("{}\n", fixture.refused(create(cidr)));
    }
    out += &format!("{}\n", fixture.refused(CreateVpcRequest::default()));
    let tenancy = CreateVpcRequest {
        instance_tenancy: text("host"),
        ..create("10.0.0.0/16")
    };
    out += &format!("{}\n", fixture.refused(tenancy));
    let pool = CreateVpcRequest {
        ipv4_ipam_pool_id: text("ipam-pool-1"),
        ..Default::default()
    };
    out += &format!("{}\n", fixture.refused(pool));
    let dry = CreateVpcRequest {
        dry_run: Some(true),
        ..create("10.0.0.0/16")
    };
    out += &format!("{}\n", fixture.refused(dry));
    for _ in 0..4 {
        fixture.run(create("10.0.0.0/16")).unwrap();
    }
    out += &format!("{}\n", fixture.refused(create("10.0.0.0/16")));
    expect![[r#"
        InvalidParameterValue: Value (10.0.0.0) for parameter cidrBlock is invalid. This is not a valid CIDR block.
        InvalidParameterValue: Value (010.0.0.0/16) for parameter cidrBlock is invalid. This is not a valid CIDR block.
        InvalidParameterValue: Value (10.0.0.0/33) for parameter cidrBlock is invalid. This is not a valid CIDR block.
        InvalidVpc.Range: The CIDR '10.0.0.0/15' is invalid.
        InvalidVpc.Range: The CIDR '10.0.0.0/29' is invalid.
        InvalidVpc.Range: The CIDR '169.254.0.0/16' is invalid.
        InvalidVpc.Range: The CIDR '0.0.0.0/16' is invalid.
        InvalidVpc.Range: The CIDR '127.1.0.0/16' is invalid.
        InvalidVpc.Range: The CIDR '230.0.0.0/16' is invalid.
        MissingParameter: The request must contain the parameter cidrBlock
        UnsupportedTenancy: The tenancy value host is not supported.
        UnsupportedOperation: The parameter ipv4IpamPoolId is not supported.
        DryRunOperation: Request would have succeeded, but DryRun flag is set.
        VpcLimitExceeded: The maximum number of VPCs has been reached.
    "#]].assert_eq(&out);
}

#[test]
fn secondary_blocks_follow_the_table() {
    let mut fixture = Fixture::new();
    fixture.quotas.vpcs = 100;
    let mut out = String::new();
    for (primary, secondary) in [
        ("10.0.0.0/16", "10.0.128.0/17"),
        ("10.0.0.0/17", "10.0.128.0/17"),
        ("10.1.0.0/16", "10.0.0.0/16"),
        ("10.2.0.0/16", "10.0.0.0/16"),
        ("10.2.0.0/16", "100.64.0.0/16"),
        ("10.2.0.0/16", "198.19.0.0/16"),
        ("10.2.0.0/16", "172.16.0.0/16"),
        ("172.16.0.0/16", "172.31.0.0/16"),
        ("172.16.0.0/16", "172.30.0.0/16"),
        ("192.168.0.0/20", "192.168.16.0/20"),
        ("192.168.0.0/20", "10.0.0.0/16"),
        ("198.19.0.0/20", "192.168.0.0/16"),
        ("100.64.0.0/16", "10.0.0.0/16"),
        ("100.64.0.0/16", "203.0.0.0/16"),
        ("203.0.0.0/16", "198.19.0.0/16"),
        ("10.2.0.0/16", "169.254.0.0/16"),
        ("10.2.0.0/16", "10.3.0.0/15"),
    ] {
        let vpc = answer!(fixture, CreateVpc, create(primary)).vpc.unwrap();
        let outcome = match fixture.run(associate(&vpc.vpc_id, secondary)) {
            Ok(_) => "ok".to_owned(),
            Err(error) => format!("{}: {:.40}", error.code(), error.to_string()),
        };
        out += &format!("{primary} + {secondary}: {outcome}\n");
    }
    expect![[r#"
        10.0.0.0/16 + 10.0.128.0/17: InvalidVpc.Conflict: The CIDR '10.0.128.0/17' conflicts with 
        10.0.0.0/17 + 10.0.128.0/17: InvalidVpc.Range: The CIDR '10.0.128.0/17' is restricted. 
        10.1.0.0/16 + 10.0.0.0/16: InvalidVpc.Range: The CIDR '10.0.0.0/16' is restricted. Us
        10.2.0.0/16 + 10.0.0.0/16: ok
        10.2.0.0/16 + 100.64.0.0/16: ok
        10.2.0.0/16 + 198.19.0.0/16: InvalidVpc.Range: The CIDR '198.19.0.0/16' is restricted. 
        10.2.0.0/16 + 172.16.0.0/16: InvalidVpc.Range: The CIDR '172.16.0.0/16' is restricted. 
        172.16.0.0/16 + 172.31.0.0/16: InvalidVpc.Range: The CIDR '172.31.0.0/16' is restricted. 
        172.16.0.0/16 + 172.30.0.0/16: ok
        192.168.0.0/20 + 192.168.16.0/20: ok
        192.168.0.0/20 + 10.0.0.0/16: InvalidVpc.Range: The CIDR '10.0.0.0/16' is restricted. Us
        198.19.0.0/20 + 192.168.0.0/16: InvalidVpc.Range: The CIDR '192.168.0.0/16' is restricted.
        100.64.0.0/16 + 10.0.0.0/16: InvalidVpc.Range: The CIDR '10.0.0.0/16' is restricted. Us
        100.64.0.0/16 + 203.0.0.0/16: ok
        203.0.0.0/16 + 198.19.0.0/16: InvalidVpc.Range: The CIDR '198.19.0.0/16' is restricted. 
        10.2.0.0/16 + 169.254.0.0/16: InvalidVpc.Range: The CIDR '169.254.0.0/16' is invalid.
        10.2.0.0/16 + 10.3.0.0/15: InvalidVpc.Range: The CIDR '10.2.0.0/15' is invalid.
    "#]]
    .assert_eq(&out);
}

#[test]
fn a_grown_vpc_keeps_growing_in_its_own_range() {
    let mut fixture = Fixture::new();
    let vpc = answer!(fixture, CreateVpc, create("10.2.0.0/16"))
        .vpc
        .unwrap();
    for cidr in ["100.64.0.0/16", "10.3.0.0/16", "10.4.0.0/16", "10.5.0.0/16"] {
        fixture.run(associate(&vpc.vpc_id, cidr)).unwrap();
    }
    expect!["CidrLimitExceeded: This network vpc-00000000000000017 has met its maximum number of allowed CIDRs: 5"].assert_eq(&fixture.refused(associate(&vpc.vpc_id, "10.6.0.0/16")));
}

#[test]
fn blocks_come_and_go_with_their_local_routes() {
    let mut fixture = Fixture::new();
    let vpc = answer!(fixture, CreateVpc, create("10.1.0.0/16"))
        .vpc
        .unwrap();
    let tables = DescribeRouteTablesRequest {
        filters: filter("vpc-id", &[vpc.vpc_id.as_deref().unwrap()]),
        ..Default::default()
    };
    let routes = |fixture: &mut Fixture| {
        let described = answer!(fixture, DescribeRouteTables, tables.clone());
        let routes = described.route_tables[0].routes.iter();
        let destination = |r: &Route| {
            r.destination_cidr_block
                .clone()
                .or(r.destination_ipv6_cidr_block.clone())
        };
        routes.filter_map(destination).collect::<Vec<_>>().join(" ")
    };
    let v4 = answer!(
        fixture,
        AssociateVpcCidrBlock,
        associate(&vpc.vpc_id, "10.2.0.0/16")
    );
    let v6 = answer!(fixture, AssociateVpcCidrBlock, associate_ipv6(&vpc.vpc_id));
    let mut out = show(&(&v4, &v6));
    out += &format!("{}\n", routes(&mut fixture));
    for association_id in [
        v4.cidr_block_association.unwrap().association_id,
        v6.ipv6_cidr_block_association.unwrap().association_id,
    ] {
        let request = DisassociateVpcCidrBlockRequest { association_id };
        let response = answer!(fixture, DisassociateVpcCidrBlock, request.clone());
        out += &show(&response);
        out += &format!("{}\n", routes(&mut fixture));
        out += &format!("{}\n", fixture.refused(request));
    }
    let primary = DisassociateVpcCidrBlockRequest {
        association_id: vpc.cidr_block_association_set[0].association_id.clone(),
    };
    out += &format!("{}\n", fixture.refused(primary));
    expect![[r#"
        (
          AssociateVpcCidrBlockResponse {
            cidr_block_association: VpcCidrBlockAssociation {
              association_id: "vpc-cidr-assoc-0000000000000001f",
              cidr_block: "10.2.0.0/16",
              cidr_block_state: VpcCidrBlockState {
                state: "associating",
              },
            },
            vpc_id: "vpc-00000000000000017",
          },
          AssociateVpcCidrBlockResponse {
            ipv6_cidr_block_association: VpcIpv6CidrBlockAssociation {
              association_id: "vpc-cidr-assoc-00000000000000021",
              ipv6_cidr_block: "2600:1f00:0:2000::/56",
              ipv6_cidr_block_state: VpcCidrBlockState {
                state: "associating",
              },
              network_border_group: "us-east-1",
              ipv6_pool: "Amazon",
              ipv6_address_attribute: "public",
              ip_source: "amazon",
            },
            vpc_id: "vpc-00000000000000017",
          },
        )
        10.1.0.0/16 10.2.0.0/16 2600:1f00:0:2000::/56
        DisassociateVpcCidrBlockResponse {
          cidr_block_association: VpcCidrBlockAssociation {
            association_id: "vpc-cidr-assoc-0000000000000001f",
            cidr_block: "10.2.0.0/16",
            cidr_block_state: VpcCidrBlockState {
              state: "disassociating",
            },
          },
          vpc_id: "vpc-00000000000000017",
        }
        10.1.0.0/16 2600:1f00:0:2000::/56
        InvalidVpcCidrBlockAssociationID.NotFound: The vpc CIDR block association ID 'vpc-cidr-assoc-0000000000000001f' does not exist
        DisassociateVpcCidrBlockResponse {
          ipv6_cidr_block_association: VpcIpv6CidrBlockAssociation {
            association_id: "vpc-cidr-assoc-00000000000000021",
            ipv6_cidr_block: "2600:1f00:0:2000::/56",
            ipv6_cidr_block_state: VpcCidrBlockState {
              state: "disassociating",
            },
            network_border_group: "us-east-1",
            ipv6_pool: "Amazon",
            ipv6_address_attribute: "public",
            ip_source: "amazon",
          },
          vpc_id: "vpc-00000000000000017",
        }
        10.1.0.0/16
        InvalidVpcCidrBlockAssociationID.NotFound: The vpc CIDR block association ID 'vpc-cidr-assoc-00000000000000021' does not exist
        OperationNotPermitted: The vpc CIDR block with association ID vpc-cidr-assoc-00000000000000018 may not be disassociated. It is the primary IPv4 CIDR block of the VPC
    "#]].assert_eq(&out);
}

#[test]
fn a_block_with_a_subnet_or_a_route_stays() {
    let mut fixture = Fixture::new();
    let vpc = answer!(fixture, CreateVpc, create("10.1.0.0/16"))
        .vpc
        .unwrap();
    let second = answer!(
        fixture,
        AssociateVpcCidrBlock,
        associate(&vpc.vpc_id, "10.2.0.0/16")
    );
    let subnet = CreateSubnetRequest {
        vpc_id: vpc.vpc_id.clone(),
        cidr_block: text("10.2.1.0/24"),
        ..Default::default()
    };
    fixture.run(subnet).unwrap();
    let request = DisassociateVpcCidrBlockRequest {
        association_id: second.cidr_block_association.unwrap().association_id,
    };
    let mut out = fixture.refused(request) + "\n";
    let gateway = answer!(
        fixture,
        CreateInternetGateway,
        CreateInternetGatewayRequest::default()
    );
    let gateway_id = gateway.internet_gateway.unwrap().internet_gateway_id;
    let attach = AttachInternetGatewayRequest {
        internet_gateway_id: gateway_id.clone(),
        vpc_id: vpc.vpc_id.clone(),
        dry_run: None,
    };
    fixture.run(attach).unwrap();
    let vpc_id = vpc.vpc_id.as_deref().unwrap().parse().unwrap();
    let table_id = fixture.state().main_route_table(vpc_id).unwrap().id;
    let route = CreateRouteRequest {
        route_table_id: text(table_id),
        gateway_id,
        destination_cidr_block: text("10.3.7.0/24"),
        ..Default::default()
    };
    fixture.run(route).unwrap();
    out += &format!(
        "{}\n",
        fixture.refused(associate(&vpc.vpc_id, "10.3.0.0/16"))
    );
    out += &format!(
        "{}\n",
        fixture.refused(associate(&vpc.vpc_id, "10.3.7.0/24"))
    );
    fixture.run(associate(&vpc.vpc_id, "10.3.7.0/25")).unwrap();
    expect![[r#"
        DependencyViolation: The vpc CIDR block association 'vpc-cidr-assoc-0000000000000001f' has dependencies and cannot be deleted.
        InvalidVpc.Range: The CIDR '10.3.0.0/16' is equal to or larger than the destination of a route in route table rtb-00000000000000019
        InvalidVpc.Range: The CIDR '10.3.7.0/24' is equal to or larger than the destination of a route in route table rtb-00000000000000019
    "#]].assert_eq(&out);
}

#[test]
fn ipv6_brings_rules_to_what_nobody_has_modified() {
    let mut fixture = Fixture::new();
    let vpc_id = fixture.state().default_vpc().unwrap().id;
    fixture.run(associate_ipv6(&text(vpc_id))).unwrap();
    let state = fixture.state();
    let acl = state.default_network_acl(vpc_id).unwrap();
    let numbers: Vec<_> = acl
        .entries
        .iter()
        .map(|e| (e.egress, e.rule_number))
        .collect();
    expect!["[(false, 100), (false, 101), (false, 32767), (false, 32768), (true, 100), (true, 101), (true, 32767), (true, 32768)]"].assert_eq(&format!("{numbers:?}"));
    let group = state.default_security_group(vpc_id).unwrap();
    let egress: Vec<_> = group.rules(true).map(|r| r.peer.to_string()).collect();
    assert_eq!(egress, ["0.0.0.0/0", "::/0"]);
}

#[test]
fn attributes_change_one_at_a_time() {
    let mut fixture = Fixture::new();
    let vpc = answer!(fixture, CreateVpc, create("10.1.0.0/16"))
        .vpc
        .unwrap();
    let value = |value| Some(AttributeBooleanValue { value: Some(value) });
    let modify = ModifyVpcAttributeRequest {
        vpc_id: vpc.vpc_id.clone(),
        ..Default::default()
    };
    let describe = |fixture: &mut Fixture, attribute: &str| {
        let request = DescribeVpcAttributeRequest {
            vpc_id: vpc.vpc_id.clone(),
            attribute: text(attribute),
            dry_run: None,
        };
        show(&answer!(fixture, DescribeVpcAttribute, request))
    };
    let mut out = describe(&mut fixture, "enableDnsHostnames");
    out += &fixture.refused(modify.clone());
    out += "\n";
    let both = ModifyVpcAttributeRequest {
        enable_dns_hostnames: value(true),
        enable_dns_support: value(true),
        ..modify.clone()
    };
    out += &fixture.refused(both);
    out += "\n";
    let support = |on| ModifyVpcAttributeRequest {
        enable_dns_support: value(on),
        ..modify.clone()
    };
    let hostnames = ModifyVpcAttributeRequest {
        enable_dns_hostnames: value(true),
        ..modify.clone()
    };
    fixture.run(support(false)).unwrap();
    out += &fixture.refused(hostnames.clone());
    out += "\n";
    fixture.run(support(true)).unwrap();
    fixture.run(hostnames).unwrap();
    out += &describe(&mut fixture, "enableDnsHostnames");
    let unknown = DescribeVpcAttributeRequest {
        vpc_id: vpc.vpc_id.clone(),
        attribute: text("colour"),
        dry_run: None,
    };
    out += &fixture.refused(unknown);
    expect![[r#"
        DescribeVpcAttributeResponse {
          enable_dns_hostnames: AttributeBooleanValue {
            value: false,
          },
          vpc_id: "vpc-00000000000000017",
        }
        InvalidParameterCombination: No attributes specified.
        InvalidParameterCombination: Fields for multiple attribute types specified: enableDnsHostnames, enableDnsSupport
        InvalidParameterValue: Value (true) for parameter enableDnsHostnames is invalid. To enable DNS hostnames, you must first enable DNS support for the VPC.
        DescribeVpcAttributeResponse {
          enable_dns_hostnames: AttributeBooleanValue {
            value: true,
          },
          vpc_id: "vpc-00000000000000017",
        }
        InvalidParameterValue: Value (colour) for parameter attribute is invalid. Valid values: enableDnsSupport, enableDnsHostnames, enableNetworkAddressUsageMetrics."#]].assert_eq(&out);
}

#[test]
fn a_vpc_goes_only_when_nothing_is_left_in_it() {
    let mut fixture = Fixture::new();
    let vpc_id = answer!(fixture, CreateVpc, create("10.1.0.0/16"))
        .vpc
        .unwrap()
        .vpc_id;
    let delete = DeleteVpcRequest {
        vpc_id: vpc_id.clone(),
        dry_run: None,
    };
    let subnet = CreateSubnetRequest {
        vpc_id: vpc_id.clone(),
        cidr_block: text("10.1.1.0/24"),
        ..Default::default()
    };
    let subnet = answer!(fixture, CreateSubnet, subnet).subnet.unwrap();
    let mut out = fixture.refused(delete.clone()) + "\n";
    let delete_subnet = DeleteSubnetRequest {
        subnet_id: subnet.subnet_id,
        dry_run: None,
    };
    fixture.run(delete_subnet).unwrap();
    let table = CreateRouteTableRequest {
        vpc_id: vpc_id.clone(),
        ..Default::default()
    };
    let table = answer!(fixture, CreateRouteTable, table)
        .route_table
        .unwrap();
    out += &format!("{}\n", fixture.refused(delete.clone()));
    let delete_table = DeleteRouteTableRequest {
        route_table_id: table.route_table_id,
        dry_run: None,
    };
    fixture.run(delete_table).unwrap();
    let group = CreateSecurityGroupRequest {
        vpc_id: vpc_id.clone(),
        group_name: text("web"),
        description: text("web"),
        ..Default::default()
    };
    let group = answer!(fixture, CreateSecurityGroup, group);
    out += &format!("{}\n", fixture.refused(delete.clone()));
    let delete_group = DeleteSecurityGroupRequest {
        group_id: group.group_id,
        ..Default::default()
    };
    fixture.run(delete_group).unwrap();
    fixture.run(delete.clone()).unwrap();
    out += &format!("{}\n", fixture.refused(delete));
    let malformed = DeleteVpcRequest {
        vpc_id: text("foo"),
        dry_run: None,
    };
    out += &format!("{}\n", fixture.refused(malformed));
    out += &format!("{}\n", fixture.refused(DeleteVpcRequest::default()));
    expect![[r#"
        DependencyViolation: The vpc 'vpc-00000000000000017' has dependencies and cannot be deleted.
        DependencyViolation: The vpc 'vpc-00000000000000017' has dependencies and cannot be deleted.
        DependencyViolation: The vpc 'vpc-00000000000000017' has dependencies and cannot be deleted.
        InvalidVpcID.NotFound: The vpc ID 'vpc-00000000000000017' does not exist
        InvalidVpcID.Malformed: Invalid id: "foo" (expecting "vpc-...")
        MissingParameter: The request must contain the parameter vpcId
    "#]]
    .assert_eq(&out);
    let state = fixture.state();
    let left = [
        state.vpcs.len(),
        state.route_tables.len(),
        state.network_acls.len(),
        state.security_groups.len(),
    ];
    assert_eq!(left, [1; 4]);
}

#[test]
fn vpcs_are_filtered_and_paged() {
    let mut fixture = Fixture::new();
    fixture.quotas.vpcs = 20;
    for n in 1..12 {
        fixture.run(create(&format!("10.{n}.0.0/16"))).unwrap();
    }
    let mut count = |name: &str, value: &str| {
        let request = DescribeVpcsRequest {
            filters: filter(name, &[value]),
            ..Default::default()
        };
        answer!(fixture, DescribeVpcs, request).vpcs.len()
    };
    assert_eq!(count("is-default", "true"), 1);
    assert_eq!(count("cidr", "10.1*"), 3);
    assert_eq!(count("cidr-block-association.cidr-block", "10.?.0.0/16"), 9);
    assert_eq!(count("state", "available"), 12);
    assert_eq!(count("dhcp-options-id", "dopt-*"), 12);
    assert_eq!(count("owner-id", "999999999999"), 0);
    let (mut seen, mut next_token) = (0, None);
    loop {
        let request = DescribeVpcsRequest {
            max_results: Some(5),
            next_token,
            ..Default::default()
        };
        let page = answer!(fixture, DescribeVpcs, request);
        seen += page.vpcs.len();
        next_token = page.next_token;
        if next_token.is_none() {
            break;
        }
    }
    assert_eq!(seen, 12);
    let unknown = DescribeVpcsRequest {
        vpc_ids: vec!["vpc-0123456789abcdef0".into()],
        ..Default::default()
    };
    let sized = DescribeVpcsRequest {
        vpc_ids: vec!["vpc-0123456789abcdef0".into()],
        max_results: Some(5),
        ..Default::default()
    };
    let filtered = DescribeVpcsRequest {
        filters: filter("colour", &["red"]),
        ..Default::default()
    };
    let out = [
        fixture.refused(unknown),
        fixture.refused(sized),
        fixture.refused(filtered),
    ];
    expect![[r#"
        InvalidVpcID.NotFound: The vpc ID 'vpc-0123456789abcdef0' does not exist
        InvalidParameterCombination: The parameter MaxResults cannot be used with the parameter that lists IDs in the same request
        InvalidParameterValue: The filter 'colour' is invalid"#]].assert_eq(&out.join("\n"));
}
