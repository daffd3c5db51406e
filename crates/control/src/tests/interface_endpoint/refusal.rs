//! What is refused.

use super::*;

/// A second VPC with a subnet in it.
fn elsewhere(fixture: &mut Fixture) -> (String, String) {
    let request = CreateVpcRequest {
        cidr_block: text("10.9.0.0/16"),
        ..Default::default()
    };
    let vpc = answer!(fixture, CreateVpc, request).vpc.unwrap();
    let vpc = vpc.vpc_id.unwrap();
    let subnet = subnet_in(fixture, &vpc, "10.9.0.0/24");
    (vpc, subnet)
}

fn subnet_in(fixture: &mut Fixture, vpc_id: &str, block: &str) -> String {
    let request = CreateSubnetRequest {
        vpc_id: text(vpc_id),
        cidr_block: text(block),
        availability_zone: text("us-east-1a"),
        ..Default::default()
    };
    let subnet = answer!(fixture, CreateSubnet, request).subnet.unwrap();
    subnet.subnet_id.unwrap()
}

#[test]
fn creation_is_refused() {
    let mut fixture = Fixture::new();
    let subnets = subnets(&fixture);
    let vpc = vpc_id(&fixture);
    let (elsewhere, foreign) = elsewhere(&mut fixture);
    let stranger = group(&mut fixture, "x", &elsewhere);
    let own: Vec<String> = (0..6)
        .map(|n| group(&mut fixture, &n.to_string(), &vpc))
        .collect();
    let neighbour = subnet_in(&mut fixture, &vpc, "172.31.112.0/20");
    let plain = create(&fixture, LOGS, &subnets[..1]);
    let with = |change: &dyn Fn(&mut CreateVpcEndpointRequest)| {
        let mut request = plain.clone();
        change(&mut request);
        request
    };
    let groups = |ids: &[String]| with(&|r| r.security_group_ids = ids.to_vec());
    let in_subnets =
        |ids: &[&str]| with(&|r| r.subnet_ids = ids.iter().map(ToString::to_string).collect());
    let dns = |options: DnsOptionsSpecification| with(&|r| r.dns_options = Some(options.clone()));
    let at = |subnet: &str, ipv4: Option<&str>, ipv6: Option<&str>| {
        with(&|r| {
            r.subnet_configurations.push(SubnetConfiguration {
                subnet_id: text(subnet),
                ipv4: ipv4.map(str::to_owned),
                ipv6: ipv6.map(str::to_owned),
            });
        })
    };
    let mut out = String::new();
    for request in [
        with(&|r| r.vpc_id = None),
        with(&|r| r.vpc_id = text("vpc-0123456789abcdef0")),
        with(&|r| r.service_name = None),
        with(&|r| r.service_name = text("com.amazonaws.us-east-1.nothing")),
        with(&|r| r.service_name = text("com.amazonaws.eu-west-1.logs")),
        with(&|r| r.service_name = text("com.amazonaws.us-east-1.dynamodb")),
        with(&|r| r.service_name = text("com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0")),
        with(&|r| r.route_table_ids = vec!["rtb-0123456789abcdef0".to_owned()]),
        with(&|r| r.service_region = text("eu-west-1")),
        with(&|r| r.ip_address_type = text("dualstack")),
        with(&|r| r.ip_address_type = text("ipv5")),
        with(&|r| r.service_network_arn = text("arn:…")),
        with(&|r| r.resource_configuration_arn = text("arn:…")),
        with(&|r| r.policy_document = text(" ".repeat(20_481))),
        with(&|r| r.tag_specifications = named("vpc", "a")),
        with(&|r| r.dry_run = Some(true)),
        in_subnets(&["subnet-x"]),
        in_subnets(&["subnet-0123456789abcdef0"]),
        in_subnets(&[&foreign]),
        in_subnets(&[&subnets[0], &neighbour]),
        groups(&["sg-x".to_owned()]),
        groups(&["sg-0123456789abcdef0".to_owned()]),
        groups(&[stranger]),
        groups(&own),
        at("subnet-x", None, None),
        at(&subnets[1], Some("172.31.16.9"), None),
        at(&subnets[0], Some("172.31.16.9"), None),
        at(&subnets[0], Some("172.31.0.1"), None),
        at(&subnets[0], Some("172.31.0"), None),
        at(&subnets[0], None, Some("2001:db8::1")),
        dns(DnsOptionsSpecification {
            dns_record_ip_type: text("dualstack"),
            ..Default::default()
        }),
        dns(DnsOptionsSpecification {
            dns_record_ip_type: text("any"),
            ..Default::default()
        }),
        dns(DnsOptionsSpecification {
            private_dns_preference: text("ALL_DOMAINS"),
            ..Default::default()
        }),
        dns(DnsOptionsSpecification {
            private_dns_specified_domains: vec!["example.com".to_owned()],
            ..Default::default()
        }),
        dns(DnsOptionsSpecification {
            private_dns_only_for_inbound_resolver_endpoint: Some(false),
            ..Default::default()
        }),
    ] {
        out += &format!("{}\n", fixture.refused(request));
    }
    let twice = with(&|r| {
        let one = SubnetConfiguration {
            subnet_id: text(&subnets[0]),
            ..Default::default()
        };
        r.subnet_configurations = vec![one.clone(), one];
    });
    out += &format!("{}\n", fixture.refused(twice));
    fixture.quotas.interface_endpoints = 1;
    endpoint(&mut fixture, plain.clone());
    let another = CreateVpcEndpointRequest {
        service_name: text(S3),
        ..plain
    };
    out += &format!("{}\n", fixture.refused(another));
    let in_use = DeleteSecurityGroupRequest {
        group_id: text(&own[0]),
        ..Default::default()
    };
    let request = CreateVpcEndpointRequest {
        vpc_id: text(&elsewhere),
        subnet_ids: vec![foreign.clone()],
        ..create(&fixture, LOGS, &[])
    };
    // The quota is each VPC's own.
    endpoint(&mut fixture, request);
    fixture.run(in_use).unwrap();
    let in_use = DeleteSubnetRequest {
        subnet_id: text(foreign),
        dry_run: None,
    };
    out += &format!("{}\n", fixture.refused(in_use));
    let in_use = DeleteVpcRequest {
        vpc_id: text(elsewhere),
        dry_run: None,
    };
    out += &format!("{}\n", fixture.refused(in_use));
    expect![[r#"
        MissingParameter: The request must contain the parameter VpcId
        InvalidVpcID.NotFound: The vpc ID 'vpc-0123456789abcdef0' does not exist
        MissingParameter: The request must contain the parameter ServiceName
        InvalidServiceName: The Vpc Endpoint Service 'com.amazonaws.us-east-1.nothing' does not exist
        InvalidServiceName: The Vpc Endpoint Service 'com.amazonaws.eu-west-1.logs' does not exist
        InvalidParameter: Endpoint type (Interface) does not match available service types ([Gateway]).
        InvalidServiceName: The Vpc Endpoint Service 'com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0' does not exist
        InvalidParameter: Route table IDs are only supported for Gateway type VPC Endpoint.
        UnsupportedOperation: Endpoints for services of another Region (eu-west-1) are not supported.
        UnsupportedOperation: Interface endpoints with the IP address type dualstack are not supported.
        InvalidParameterValue: Value (ipv5) for parameter IpAddressType is invalid. Valid values: ipv4, dualstack, ipv6.
        UnsupportedOperation: The parameter serviceNetworkArn is not supported.
        UnsupportedOperation: The parameter resourceConfigurationArn is not supported.
        InvalidPolicyDocument: The policy has 20481 characters, more than the maximum of 20480.
        InvalidParameterValue: 'vpc' is not a valid taggable resource type for this operation.
        DryRunOperation: Request would have succeeded, but DryRun flag is set.
        InvalidSubnetID.Malformed: Invalid id: "subnet-x" (expecting "subnet-...")
        InvalidSubnetId.NotFound: The subnet ID 'subnet-0123456789abcdef0' does not exist
        InvalidParameter: Subnet subnet-0000000000000001f does not belong to VPC vpc-00000000000000002
        DuplicateSubnetsInSameZone: Found another VPC endpoint subnet in the availability zone of subnet-0000000000000002f
        InvalidGroupId.Malformed: Invalid id: "sg-x" (expecting "sg-...")
        InvalidGroup.NotFound: The security group 'sg-0123456789abcdef0' does not exist
        InvalidParameter: Security group sg-00000000000000021 does not belong to VPC vpc-00000000000000002
        SecurityGroupsPerInterfaceLimitExceeded: The maximum number of security groups per interface has been reached.
        InvalidSubnetID.Malformed: Invalid id: "subnet-x" (expecting "subnet-...")
        InvalidParameter: Subnet subnet-0000000000000000d of the subnet configuration is not among the endpoint's subnets
        InvalidParameterValue: Address does not fall within the subnet's address range
        InvalidParameterValue: Address is in subnet's reserved address range
        InvalidParameterValue: Value (172.31.0) for parameter Ipv4 is invalid. This is not a valid IPv4 address.
        UnsupportedOperation: The parameter SubnetConfiguration.Ipv6 is not supported.
        UnsupportedOperation: Interface endpoints with the DNS record type dualstack are not supported.
        InvalidParameterValue: Value (any) for parameter DnsRecordIpType is invalid. Valid values: ipv4, dualstack, ipv6, service-defined.
        UnsupportedOperation: The parameter dnsOptions.privateDnsPreference is not supported.
        UnsupportedOperation: The parameter dnsOptions.privateDnsSpecifiedDomain is not supported.
        InvalidParameter: PrivateDnsOnlyForInboundResolverEndpoint is only supported for services that have both Gateway and Interface endpoints.
        InvalidParameter: Subnet subnet-0000000000000000b has more than one subnet configuration
        VpcEndpointLimitExceeded: The maximum number of VPC endpoints has been reached.
        DependencyViolation: The subnet 'subnet-0000000000000001f' has dependencies and cannot be deleted.
        DependencyViolation: The vpc 'vpc-00000000000000017' has dependencies and cannot be deleted.
    "#]].assert_eq(&out);
}

#[test]
fn changes_are_refused() {
    let mut fixture = Fixture::new();
    let subnets = subnets(&fixture);
    let vpc = vpc_id(&fixture);
    let unused = group(&mut fixture, "a", &vpc);
    let neighbour = subnet_in(&mut fixture, &vpc, "172.31.112.0/20");
    let request = create(&fixture, LOGS, &subnets[..1]);
    let id = endpoint(&mut fixture, request);
    let default = default_group(&fixture);
    let mut out = String::new();
    for request in [
        ModifyVpcEndpointRequest {
            add_route_table_ids: vec!["rtb-0123456789abcdef0".to_owned()],
            ..modify(&id)
        },
        ModifyVpcEndpointRequest {
            remove_route_table_ids: vec!["rtb-0123456789abcdef0".to_owned()],
            ..modify(&id)
        },
        ModifyVpcEndpointRequest {
            add_subnet_ids: subnets[..1].to_vec(),
            ..modify(&id)
        },
        ModifyVpcEndpointRequest {
            add_subnet_ids: vec![neighbour],
            ..modify(&id)
        },
        ModifyVpcEndpointRequest {
            remove_subnet_ids: subnets[1..2].to_vec(),
            ..modify(&id)
        },
        ModifyVpcEndpointRequest {
            remove_subnet_ids: vec!["subnet-0123456789abcdef0".to_owned()],
            ..modify(&id)
        },
        ModifyVpcEndpointRequest {
            add_security_group_ids: vec!["sg-0123456789abcdef0".to_owned()],
            ..modify(&id)
        },
        ModifyVpcEndpointRequest {
            remove_security_group_ids: vec![unused],
            ..modify(&id)
        },
        ModifyVpcEndpointRequest {
            remove_security_group_ids: vec![default],
            ..modify(&id)
        },
        ModifyVpcEndpointRequest {
            ip_address_type: text("dualstack"),
            ..modify(&id)
        },
        ModifyVpcEndpointRequest {
            subnet_configurations: vec![SubnetConfiguration {
                subnet_id: text(&subnets[1]),
                ..Default::default()
            }],
            ..modify(&id)
        },
    ] {
        out += &format!("{}\n", fixture.refused(request));
    }
    expect![[r#"
        InvalidParameter: Route table IDs are only supported for Gateway type VPC Endpoint.
        InvalidParameter: Route table IDs are only supported for Gateway type VPC Endpoint.
        DuplicateSubnetsInSameZone: Found another VPC endpoint subnet in the availability zone of subnet-0000000000000000b
        DuplicateSubnetsInSameZone: Found another VPC endpoint subnet in the availability zone of subnet-00000000000000019
        InvalidParameter: Subnet subnet-0000000000000000d is not associated with VPC endpoint vpce-0000000000000001b
        InvalidSubnetId.NotFound: The subnet ID 'subnet-0123456789abcdef0' does not exist
        InvalidGroup.NotFound: The security group 'sg-0123456789abcdef0' does not exist
        InvalidParameter: Security group sg-00000000000000017 is not associated with VPC endpoint vpce-0000000000000001b
        InvalidParameter: A VPC endpoint of type Interface must have at least one security group.
        UnsupportedOperation: Interface endpoints with the IP address type dualstack are not supported.
        InvalidParameter: Subnet subnet-0000000000000000d of the subnet configuration is not among the endpoint's subnets
    "#]].assert_eq(&out);
}
