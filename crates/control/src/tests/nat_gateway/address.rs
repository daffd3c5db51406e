//! Further addresses of NAT gateways.

use super::*;

fn drained(id: &Option<String>, associations: Vec<String>) -> DisassociateNatGatewayAddressRequest {
    DisassociateNatGatewayAddressRequest {
        nat_gateway_id: id.clone(),
        association_ids: associations,
        max_drain_duration_seconds: Some(60),
        dry_run: None,
    }
}

fn statuses(gateway: &NatGateway) -> Vec<String> {
    let addresses = gateway.nat_gateway_addresses.iter();
    addresses.filter_map(|a| a.status.clone()).collect()
}

#[test]
fn elastic_addresses_come_and_drain() {
    let mut fixture = Fixture::new();
    let request = public(&mut fixture);
    let id = available(&mut fixture, request).nat_gateway_id;
    let request = AssociateNatGatewayAddressRequest {
        nat_gateway_id: id.clone(),
        allocation_ids: vec![allocate(&mut fixture).unwrap()],
        ..Default::default()
    };
    let added = answer!(fixture, AssociateNatGatewayAddress, request);
    expect![[r#"
        AssociateNatGatewayAddressResponse {
          nat_gateway_id: "nat-00000000000000019",
          nat_gateway_addresses: [
            NatGatewayAddress {
              allocation_id: "eipalloc-0000000000000001e",
              network_interface_id: "eni-0000000000000001a",
              private_ip: "172.31.0.5",
              public_ip: "52.64.0.29",
              association_id: "eipassoc-0000000000000001f",
              is_primary: false,
              status: "associating",
              availability_zone: "us-east-1a",
              availability_zone_id: "use1-az1",
            },
          ],
        }
    "#]]
    .assert_eq(&show(&added));
    assert_eq!(
        statuses(&described(&mut fixture, &id)),
        ["succeeded", "succeeded"]
    );
    let association = added.nat_gateway_addresses[0].association_id.clone();
    let request = drained(&id, association.into_iter().collect());
    let leaving = answer!(fixture, DisassociateNatGatewayAddress, request.clone());
    let leaving = &leaving.nat_gateway_addresses[..];
    assert_eq!(leaving.len(), 1);
    assert_eq!(leaving[0].status, text("disassociating"));
    // To ask again does not give it more time.
    fixture.now = fixture.now + Duration::from_secs(10);
    answer!(fixture, DisassociateNatGatewayAddress, request.clone());
    let gateway = described(&mut fixture, &id);
    assert_eq!(statuses(&gateway), ["succeeded", "disassociating"]);
    assert_eq!(next(&mut fixture), Some(Duration::from_secs(50)));
    let gateway = described(&mut fixture, &id);
    assert_eq!(statuses(&gateway), ["succeeded"]);
    let own = interface(&mut fixture, &eni(&gateway));
    assert_eq!(own.private_ip_addresses.len(), 1);
    let mapped = fixture.state().addresses.values();
    assert_eq!(mapped.filter(|a| a.association.is_some()).count(), 1);
    expect![
        "InvalidAssociationID.NotFound: Association ID 'eipassoc-0000000000000001f' not found."
    ]
    .assert_eq(&fixture.refused(request));
}

#[test]
fn private_addresses_come_and_drain() {
    let mut fixture = Fixture::new();
    let request = private(&fixture);
    let id = available(&mut fixture, request).nat_gateway_id;
    let by_name = AssignPrivateNatGatewayAddressRequest {
        nat_gateway_id: id.clone(),
        private_ip_addresses: vec!["172.31.0.50".to_owned()],
        ..Default::default()
    };
    answer!(fixture, AssignPrivateNatGatewayAddress, by_name.clone());
    let counted = AssignPrivateNatGatewayAddressRequest {
        private_ip_addresses: vec![],
        private_ip_address_count: Some(2),
        ..by_name
    };
    let added = answer!(fixture, AssignPrivateNatGatewayAddress, counted);
    expect![[r#"
        AssignPrivateNatGatewayAddressResponse {
          nat_gateway_id: "nat-00000000000000017",
          nat_gateway_addresses: [
            NatGatewayAddress {
              network_interface_id: "eni-00000000000000018",
              private_ip: "172.31.0.5",
              is_primary: false,
              status: "assigning",
              availability_zone: "us-east-1a",
              availability_zone_id: "use1-az1",
            },
            NatGatewayAddress {
              network_interface_id: "eni-00000000000000018",
              private_ip: "172.31.0.6",
              is_primary: false,
              status: "assigning",
              availability_zone: "us-east-1a",
              availability_zone_id: "use1-az1",
            },
          ],
        }
    "#]]
    .assert_eq(&show(&added));
    let request = UnassignPrivateNatGatewayAddressRequest {
        nat_gateway_id: id.clone(),
        private_ip_addresses: vec!["172.31.0.50".to_owned()],
        ..Default::default()
    };
    let leaving = answer!(fixture, UnassignPrivateNatGatewayAddress, request);
    assert_eq!(leaving.nat_gateway_addresses[0].status, text("unassigning"));
    assert_eq!(next(&mut fixture), Some(Duration::from_secs(350)));
    let gateway = described(&mut fixture, &id);
    assert_eq!(gateway.nat_gateway_addresses.len(), 3);
}

#[test]
fn refusals() {
    let mut fixture = Fixture::new();
    let request = public(&mut fixture);
    let public_id = create(&mut fixture, request).nat_gateway_id;
    let free = allocate(&mut fixture).unwrap();
    let associate = AssociateNatGatewayAddressRequest {
        nat_gateway_id: public_id.clone(),
        allocation_ids: vec![free.clone()],
        ..Default::default()
    };
    let mut lines = vec![fixture.refused(associate.clone())];
    next(&mut fixture);
    let request = private(&fixture);
    let private_gateway = available(&mut fixture, request);
    let private_id = private_gateway.nat_gateway_id;
    let gateway = described(&mut fixture, &public_id);
    let primary = &gateway.nat_gateway_addresses[0];
    let used = primary.allocation_id.clone().unwrap();
    let bad = [
        AssociateNatGatewayAddressRequest {
            nat_gateway_id: private_id.clone(),
            ..associate.clone()
        },
        AssociateNatGatewayAddressRequest {
            allocation_ids: vec![],
            ..associate.clone()
        },
        AssociateNatGatewayAddressRequest {
            allocation_ids: vec![used],
            ..associate.clone()
        },
        AssociateNatGatewayAddressRequest {
            allocation_ids: vec!["eipalloc-0123456789abcdef0".to_owned()],
            ..associate.clone()
        },
        AssociateNatGatewayAddressRequest {
            allocation_ids: vec![free, allocate(&mut fixture).unwrap()],
            ..associate.clone()
        },
        AssociateNatGatewayAddressRequest {
            private_ip_addresses: vec!["172.31.0.9".to_owned(), "172.31.0.8".to_owned()],
            ..associate.clone()
        },
        AssociateNatGatewayAddressRequest {
            private_ip_addresses: vec!["10.0.0.9".to_owned()],
            ..associate.clone()
        },
        AssociateNatGatewayAddressRequest {
            private_ip_addresses: primary.private_ip.iter().cloned().collect(),
            ..associate.clone()
        },
        AssociateNatGatewayAddressRequest {
            availability_zone: text("us-east-1a"),
            ..associate.clone()
        },
        AssociateNatGatewayAddressRequest {
            nat_gateway_id: text("nat-0123456789abcdef0"),
            ..associate.clone()
        },
    ];
    lines.extend(bad.into_iter().map(|r| fixture.refused(r)));
    let own = primary.association_id.clone().unwrap();
    let long = DisassociateNatGatewayAddressRequest {
        max_drain_duration_seconds: Some(4001),
        ..drained(&public_id, vec![own.clone()])
    };
    let none = drained(&public_id, vec!["eipassoc-0123456789abcdef0".to_owned()]);
    let bad = [
        drained(&public_id, vec![own.clone()]),
        drained(&private_id, vec![own]),
        drained(&public_id, vec![]),
        none,
        long,
    ];
    lines.extend(bad.into_iter().map(|r| fixture.refused(r)));
    let assign = AssignPrivateNatGatewayAddressRequest {
        nat_gateway_id: private_id.clone(),
        private_ip_address_count: Some(1),
        ..Default::default()
    };
    let bad = [
        AssignPrivateNatGatewayAddressRequest {
            private_ip_address_count: None,
            ..assign.clone()
        },
        AssignPrivateNatGatewayAddressRequest {
            private_ip_address_count: Some(8),
            ..assign.clone()
        },
        AssignPrivateNatGatewayAddressRequest {
            private_ip_address_count: Some(-1),
            ..assign.clone()
        },
        AssignPrivateNatGatewayAddressRequest {
            private_ip_addresses: vec!["172.31.0.50".to_owned()],
            ..assign.clone()
        },
        AssignPrivateNatGatewayAddressRequest {
            nat_gateway_id: public_id.clone(),
            ..assign
        },
    ];
    lines.extend(bad.into_iter().map(|r| fixture.refused(r)));
    let unassign = |address: &str| UnassignPrivateNatGatewayAddressRequest {
        nat_gateway_id: private_id.clone(),
        private_ip_addresses: vec![address.to_owned()],
        ..Default::default()
    };
    let first = &private_gateway.nat_gateway_addresses[0];
    let bad = [
        unassign(first.private_ip.as_deref().unwrap()),
        unassign("172.31.0.99"),
        unassign("x"),
        UnassignPrivateNatGatewayAddressRequest {
            private_ip_addresses: vec![],
            ..unassign("")
        },
        UnassignPrivateNatGatewayAddressRequest {
            max_drain_duration_seconds: Some(0),
            ..unassign("172.31.0.99")
        },
    ];
    lines.extend(bad.into_iter().map(|r| fixture.refused(r)));
    expect![[r#"
        IncorrectState: NatGateway nat-00000000000000019 is in the state pending
        InvalidParameterValue: NatGateway nat-0000000000000001f is not a public NAT gateway
        MissingParameter: The request must contain the parameter AllocationId
        Resource.AlreadyAssociated: resource eipalloc-00000000000000018 is already associated with associate-id eipassoc-0000000000000001c
        InvalidAllocationID.NotFound: The allocation ID 'eipalloc-0123456789abcdef0' does not exist
        AddressLimitExceeded: A NAT gateway may have up to 2 Elastic IP addresses.
        InvalidParameterCombination: There are more private IP addresses than allocation IDs.
        InvalidParameterValue: Address does not fall within the subnet's address range
        Resource.AlreadyAssigned: [172.31.0.4] assigned, but move is not allowed.
        InvalidParameterCombination: NatGateway nat-00000000000000019 is not a regional NAT gateway, so its addresses have no Availability Zone of their own.
        NatGatewayNotFound: NatGateway nat-0123456789abcdef0 was not found
        InvalidParameterValue: The primary address of the NAT gateway nat-00000000000000019 cannot be removed
        InvalidParameterValue: NatGateway nat-0000000000000001f is not a public NAT gateway
        MissingParameter: The request must contain the parameter AssociationId
        InvalidAssociationID.NotFound: Association ID 'eipassoc-0123456789abcdef0' not found.
        InvalidParameterValue: Value (4001) for parameter maxDrainDurationSeconds is invalid. Expecting a value between 1 and 4000.
        MissingParameter: The request must contain the parameter PrivateIpAddress
        PrivateIpAddressLimitExceeded: A NAT gateway may have up to 8 private IP addresses.
        InvalidParameterValue: Value (-1) for parameter privateIpAddressCount is invalid. It must not be negative.
        InvalidParameterCombination: Addresses and a number of addresses may not be specified on the same request
        InvalidParameterValue: NatGateway nat-00000000000000019 is not a private NAT gateway
        InvalidParameterValue: The primary address of the NAT gateway nat-0000000000000001f cannot be removed
        InvalidParameterValue: The address 172.31.0.99 is not assigned to the NAT gateway nat-0000000000000001f
        InvalidParameterValue: Value (x) for parameter privateIpAddress is invalid. This is not a valid IPv4 address.
        MissingParameter: The request must contain the parameter PrivateIpAddress
        InvalidParameterValue: Value (0) for parameter maxDrainDurationSeconds is invalid. Expecting a value between 1 and 4000."#]].assert_eq(&lines.join("\n"));
}
