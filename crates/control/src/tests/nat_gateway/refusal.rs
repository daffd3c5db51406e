//! What NAT gateways and their network interfaces refuse.

use super::*;

#[test]
fn requests_for_gateways_that_cannot_be() {
    let mut fixture = Fixture::new();
    let good = public(&mut fixture);
    let free = allocate(&mut fixture).unwrap();
    let request = public(&mut fixture);
    let used = request.allocation_id.clone();
    available(&mut fixture, request);
    let secondary = |ids: Vec<&str>| ids.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let bad = [
        CreateNatGatewayRequest {
            allocation_id: None,
            ..good.clone()
        },
        CreateNatGatewayRequest {
            subnet_id: None,
            ..good.clone()
        },
        CreateNatGatewayRequest {
            subnet_id: text("subnet-0123456789abcdef0"),
            ..good.clone()
        },
        CreateNatGatewayRequest {
            subnet_id: text("vpc-1"),
            ..good.clone()
        },
        CreateNatGatewayRequest {
            allocation_id: text("eipalloc-0123456789abcdef0"),
            ..good.clone()
        },
        CreateNatGatewayRequest {
            allocation_id: used,
            ..good.clone()
        },
        CreateNatGatewayRequest {
            connectivity_type: text("private"),
            ..good.clone()
        },
        CreateNatGatewayRequest {
            connectivity_type: text("secret"),
            ..good.clone()
        },
        CreateNatGatewayRequest {
            availability_mode: text("regional"),
            ..good.clone()
        },
        CreateNatGatewayRequest {
            availability_mode: text("global"),
            ..good.clone()
        },
        CreateNatGatewayRequest {
            vpc_id: text("vpc-0123456789abcdef0"),
            ..good.clone()
        },
        CreateNatGatewayRequest {
            availability_zone_addresses: vec![AvailabilityZoneAddress::default()],
            ..good.clone()
        },
        CreateNatGatewayRequest {
            secondary_private_ip_address_count: Some(1),
            ..good.clone()
        },
        CreateNatGatewayRequest {
            secondary_private_ip_addresses: secondary(vec!["172.31.0.9"]),
            ..good.clone()
        },
        CreateNatGatewayRequest {
            secondary_allocation_ids: good.allocation_id.iter().cloned().collect(),
            ..good.clone()
        },
        CreateNatGatewayRequest {
            secondary_allocation_ids: vec![free.clone(), allocate(&mut fixture).unwrap()],
            ..good.clone()
        },
        CreateNatGatewayRequest {
            private_ip_address: text("10.9.9.9"),
            ..good.clone()
        },
        CreateNatGatewayRequest {
            private_ip_address: text("172.31.0.3"),
            ..good.clone()
        },
        CreateNatGatewayRequest {
            private_ip_address: text("172.31.0.4"),
            ..good.clone()
        },
        CreateNatGatewayRequest {
            private_ip_address: text("x"),
            ..good.clone()
        },
        CreateNatGatewayRequest {
            tag_specifications: named("nat-gateway", "a"),
            ..good.clone()
        },
        CreateNatGatewayRequest {
            client_token: text("x".repeat(65)),
            ..good.clone()
        },
        CreateNatGatewayRequest {
            secondary_allocation_ids: vec![free],
            ..private(&fixture)
        },
        CreateNatGatewayRequest {
            secondary_private_ip_address_count: Some(8),
            ..private(&fixture)
        },
        CreateNatGatewayRequest {
            secondary_private_ip_address_count: Some(1),
            secondary_private_ip_addresses: secondary(vec!["172.31.0.9"]),
            ..private(&fixture)
        },
        CreateNatGatewayRequest {
            dry_run: Some(true),
            ..good
        },
    ];
    let lines: Vec<_> = bad.into_iter().map(|r| fixture.refused(r)).collect();
    expect![[r#"
        MissingParameter: The request must contain the parameter AllocationId
        MissingParameter: The request must contain the parameter SubnetId
        InvalidSubnetID.NotFound: The subnet ID 'subnet-0123456789abcdef0' does not exist
        InvalidSubnetID.Malformed: Invalid id: "vpc-1" (expecting "subnet-...")
        InvalidAllocationID.NotFound: The allocation ID 'eipalloc-0123456789abcdef0' does not exist
        Resource.AlreadyAssociated: resource eipalloc-0000000000000001c is already associated with associate-id eipassoc-00000000000000020
        InvalidParameterCombination: Elastic IP addresses cannot be associated with a private NAT gateway.
        InvalidParameterValue: Value (secret) for parameter connectivityType is invalid. Valid values: public, private.
        InvalidParameterCombination: The parameter SubnetId cannot be used with a regional NAT gateway.
        InvalidParameterValue: Value (global) for parameter availabilityMode is invalid. Valid values: zonal, regional.
        InvalidParameterCombination: The parameter VpcId can only be used with a regional NAT gateway.
        InvalidParameterCombination: The parameter AvailabilityZoneAddress can only be used with a regional NAT gateway.
        InvalidParameterCombination: The parameter secondaryPrivateIpAddressCount can only be used with a private NAT gateway.
        InvalidParameterCombination: There are more secondary private IP addresses than secondary allocation IDs.
        InvalidParameterValue: An allocation ID may be given only once.
        AddressLimitExceeded: A NAT gateway may have up to 2 Elastic IP addresses.
        InvalidParameterValue: Address does not fall within the subnet's address range
        InvalidParameterValue: Address is in subnet's reserved address range
        InvalidIPAddress.InUse: Address 172.31.0.4 is in use.
        InvalidParameterValue: Value (x) for parameter privateIpAddress is invalid. This is not a valid IPv4 address.
        InvalidParameterValue: 'nat-gateway' is not a valid taggable resource type for this operation.
        InvalidParameterValue: Value (xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx) for parameter clientToken is invalid. The client token may have up to 64 ASCII characters.
        InvalidParameterCombination: Elastic IP addresses cannot be associated with a private NAT gateway.
        PrivateIpAddressLimitExceeded: A NAT gateway may have up to 8 private IP addresses.
        InvalidParameterCombination: The parameter secondaryPrivateIpAddressCount cannot be used with the parameter secondaryPrivateIpAddresses
        DryRunOperation: Request would have succeeded, but DryRun flag is set."#]].assert_eq(&lines.join("\n"));
    assert_eq!(fixture.state().nat_gateways.len(), 1);
}

#[test]
fn it_needs_ipv4() {
    let mut fixture = Fixture::new();
    let request = CreateVpcRequest {
        cidr_block: text("10.0.0.0/16"),
        amazon_provided_ipv6_cidr_block: Some(true),
        ..Default::default()
    };
    let vpc = answer!(fixture, CreateVpc, request).vpc.unwrap();
    let block = vpc.ipv6_cidr_block_association_set[0]
        .ipv6_cidr_block
        .clone();
    let request = CreateSubnetRequest {
        vpc_id: vpc.vpc_id,
        ipv6_cidr_block: block.map(|b| b.replace("/56", "/64")),
        ipv6_native: Some(true),
        ..Default::default()
    };
    let subnet = answer!(fixture, CreateSubnet, request).subnet.unwrap();
    let request = CreateNatGatewayRequest {
        subnet_id: subnet.subnet_id,
        ..private(&fixture)
    };
    expect!["InvalidParameterValue: The subnet 'subnet-00000000000000022' does not have an IPv4 CIDR block."].assert_eq(&fixture.refused(request));
}

#[test]
fn a_token_is_for_one_request() {
    let mut fixture = Fixture::new();
    let request = CreateNatGatewayRequest {
        client_token: text("a"),
        ..private(&fixture)
    };
    fixture.run(request.clone()).unwrap();
    let other = CreateNatGatewayRequest {
        private_ip_address: text("172.31.0.9"),
        ..request
    };
    expect!["IdempotentParameterMismatch: The client token you have provided is associated with a resource that has different parameters."].assert_eq(&fixture.refused(other));
}

#[test]
fn gateways_are_limited_by_zone() {
    let mut fixture = Fixture::new();
    for _ in 0..5 {
        let request = private(&fixture);
        fixture.run(request).unwrap();
    }
    let request = private(&fixture);
    expect!["NatGatewayLimitExceeded: Performing this operation would exceed the limit of 5 NAT gateways"].assert_eq(&fixture.refused(request.clone()));
    let first = fixture.state().nat_gateways.values().next().map(|g| g.id);
    answer!(
        fixture,
        DeleteNatGateway,
        delete(&first.map(|id| id.to_string()))
    );
    // It counts until it is gone.
    fixture.refused(request.clone());
    next(&mut fixture);
    fixture.run(request).unwrap();
    let mut subnets: Vec<_> = fixture.state().subnets.values().collect();
    subnets.sort_by_key(|s| s.zone);
    let elsewhere = CreateNatGatewayRequest {
        subnet_id: text(subnets[1].id),
        ..private(&fixture)
    };
    fixture.run(elsewhere).unwrap();
}

#[test]
fn unknown_and_malformed_ids() {
    let mut fixture = Fixture::new();
    let describe = |id: &str| DescribeNatGatewaysRequest {
        nat_gateway_ids: vec![id.to_owned()],
        ..Default::default()
    };
    let unknown = DescribeNatGatewaysRequest {
        filter: filter("connectivity-type", &["public"]),
        ..Default::default()
    };
    let page = DescribeNatGatewaysRequest {
        max_results: Some(4),
        ..Default::default()
    };
    let lines = [
        fixture.refused(describe("nat-0123456789abcdef0")),
        fixture.refused(describe("igw-0123456789abcdef0")),
        fixture.refused(delete(&text("nat-0123456789abcdef0"))),
        fixture.refused(delete(&None)),
        fixture.refused(unknown),
        fixture.refused(page),
    ];
    expect![[r#"
        NatGatewayNotFound: NatGateway nat-0123456789abcdef0 was not found
        NatGatewayMalformed: Invalid id: "igw-0123456789abcdef0" (expecting "nat-...")
        NatGatewayNotFound: NatGateway nat-0123456789abcdef0 was not found
        MissingParameter: The request must contain the parameter NatGatewayId
        InvalidParameterValue: The filter 'connectivity-type' is invalid
        InvalidParameterValue: Value ( 4 ) for parameter maxResults is invalid. Expecting a value between 5 and 1000."#]].assert_eq(&lines.join("\n"));
}

#[test]
fn its_interface_and_its_address_are_its_own() {
    let mut fixture = Fixture::new();
    let request = public(&mut fixture);
    let gateway = available(&mut fixture, request);
    let address = gateway.nat_gateway_addresses[0].clone();
    let eni = address.network_interface_id;
    let attachment_id = interface(&mut fixture, &eni)
        .attachment
        .unwrap()
        .attachment_id;
    let instance_id = super::super::instance::running(&mut fixture);
    let free = allocate(&mut fixture);
    let description = AttributeValue { value: text("x") };
    let yes = AttributeBooleanValue { value: Some(true) };
    let modify = ModifyNetworkInterfaceAttributeRequest {
        network_interface_id: eni.clone(),
        description: Some(description),
        ..Default::default()
    };
    let launch = RunInstancesRequest {
        network_interfaces: vec![InstanceNetworkInterfaceSpecification {
            network_interface_id: eni.clone(),
            device_index: Some(0),
            ..Default::default()
        }],
        ..super::super::instance::run(1)
    };
    let requests: Vec<Request> = vec![
        DetachNetworkInterfaceRequest {
            attachment_id,
            ..Default::default()
        }
        .into(),
        DeleteNetworkInterfaceRequest {
            network_interface_id: eni.clone(),
            dry_run: None,
        }
        .into(),
        AttachNetworkInterfaceRequest {
            network_interface_id: eni.clone(),
            instance_id: instance_id.clone(),
            device_index: Some(1),
            ..Default::default()
        }
        .into(),
        launch.into(),
        ModifyNetworkInterfaceAttributeRequest {
            source_dest_check: Some(yes),
            description: None,
            ..modify.clone()
        }
        .into(),
        modify.into(),
        AssignPrivateIpAddressesRequest {
            network_interface_id: eni.clone(),
            secondary_private_ip_address_count: Some(1),
            ..Default::default()
        }
        .into(),
        UnassignPrivateIpAddressesRequest {
            network_interface_id: eni.clone(),
            private_ip_addresses: vec!["172.31.0.9".to_owned()],
            ..Default::default()
        }
        .into(),
        AssignIpv6AddressesRequest {
            network_interface_id: eni.clone(),
            ipv6_address_count: Some(1),
            ..Default::default()
        }
        .into(),
        UnassignIpv6AddressesRequest {
            network_interface_id: eni.clone(),
            ipv6_addresses: vec!["2001:db8::1".to_owned()],
            ..Default::default()
        }
        .into(),
        AssociateAddressRequest {
            allocation_id: free,
            network_interface_id: eni.clone(),
            ..Default::default()
        }
        .into(),
        AssociateAddressRequest {
            allocation_id: address.allocation_id.clone(),
            instance_id,
            ..Default::default()
        }
        .into(),
        DisassociateAddressRequest {
            association_id: address.association_id,
            ..Default::default()
        }
        .into(),
        ReleaseAddressRequest {
            allocation_id: address.allocation_id,
            ..Default::default()
        }
        .into(),
    ];
    let lines: Vec<_> = requests.into_iter().map(|r| fixture.refused(r)).collect();
    expect![[r#"
        OperationNotPermitted: You are not allowed to manage 'ela-attach' attachments.
        InvalidParameterValue: Network interface 'eni-0000000000000001a' is currently in use.
        InvalidNetworkInterface.InUse: Interface: [eni-0000000000000001a] in use.
        InvalidNetworkInterface.InUse: Interface: [eni-0000000000000001a] in use.
        AuthFailure: You do not have permission to access the specified resource.
        AuthFailure: You do not have permission to access the specified resource.
        AuthFailure: You do not have permission to access the specified resource.
        AuthFailure: You do not have permission to access the specified resource.
        AuthFailure: You do not have permission to access the specified resource.
        AuthFailure: You do not have permission to access the specified resource.
        AuthFailure: You do not have permission to access the specified resource.
        AuthFailure: You do not have permission to access the specified resource.
        AuthFailure: You do not have permission to access the specified resource.
        AuthFailure: You do not have permission to access the specified resource."#]]
    .assert_eq(&lines.join("\n"));
    // Tags are its owner's.
    let tag = CreateTagsRequest {
        resources: eni.into_iter().collect(),
        tags: vec![Tag {
            key: text("Name"),
            value: text("mine"),
        }],
        dry_run: None,
    };
    fixture.run(tag).unwrap();
}
