//! Network interfaces.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ec2_api::*;
use expect_test::expect;
use proptest::prelude::*;

use super::instance::{launch, run, running};
use super::{Fixture, answer, filter, named, show, text};

fn subnet_id(fixture: &Fixture, zone: usize) -> Option<String> {
    let mut subnets: Vec<_> = fixture.state().subnets.values().collect();
    subnets.sort_by_key(|s| s.zone);
    text(subnets[zone].id)
}

fn create(fixture: &Fixture) -> CreateNetworkInterfaceRequest {
    CreateNetworkInterfaceRequest {
        subnet_id: subnet_id(fixture, 0),
        ..Default::default()
    }
}

pub(super) fn created(fixture: &mut Fixture) -> Option<String> {
    let request = create(fixture);
    let answer = answer!(fixture, CreateNetworkInterface, request);
    answer.network_interface.unwrap().network_interface_id
}

pub(super) fn described(fixture: &mut Fixture, id: &Option<String>) -> NetworkInterface {
    let request = DescribeNetworkInterfacesRequest {
        network_interface_ids: id.iter().cloned().collect(),
        ..Default::default()
    };
    let answer = answer!(fixture, DescribeNetworkInterfaces, request);
    answer.network_interfaces.into_iter().next().unwrap()
}

fn attach(
    eni: &Option<String>,
    instance: &Option<String>,
    index: i32,
) -> AttachNetworkInterfaceRequest {
    AttachNetworkInterfaceRequest {
        network_interface_id: eni.clone(),
        instance_id: instance.clone(),
        device_index: Some(index),
        ..Default::default()
    }
}

fn by_name(addresses: &[(&str, bool)]) -> Vec<PrivateIpAddressSpecification> {
    let item = |(address, primary): &(&str, bool)| PrivateIpAddressSpecification {
        private_ip_address: text(address),
        primary: Some(*primary),
    };
    addresses.iter().map(item).collect()
}

#[test]
fn an_interface_is_made_described_and_deleted() {
    let mut fixture = Fixture::new();
    let request = CreateNetworkInterfaceRequest {
        description: text("front"),
        private_ip_addresses: by_name(&[("172.31.0.20", false), ("172.31.0.10", true)]),
        tag_specifications: named("network-interface", "a"),
        ..create(&fixture)
    };
    let made = answer!(fixture, CreateNetworkInterface, request);
    let id = made.network_interface.unwrap().network_interface_id;
    expect![[r#"
        NetworkInterface {
          availability_zone: "us-east-1a",
          description: "front",
          groups: [
            GroupIdentifier {
              group_id: "sg-00000000000000007",
              group_name: "default",
            },
          ],
          interface_type: "interface",
          mac_address: "0a:00:00:00:00:18",
          network_interface_id: "eni-00000000000000017",
          owner_id: "111122223333",
          private_dns_name: "ip-172-31-0-10.ec2.internal",
          private_ip_address: "172.31.0.10",
          private_ip_addresses: [
            NetworkInterfacePrivateIpAddress {
              primary: true,
              private_dns_name: "ip-172-31-0-10.ec2.internal",
              private_ip_address: "172.31.0.10",
            },
            NetworkInterfacePrivateIpAddress {
              primary: false,
              private_dns_name: "ip-172-31-0-20.ec2.internal",
              private_ip_address: "172.31.0.20",
            },
          ],
          requester_managed: false,
          source_dest_check: true,
          status: "available",
          subnet_id: "subnet-0000000000000000b",
          tag_set: [
            Tag {
              key: "Name",
              value: "a",
            },
          ],
          vpc_id: "vpc-00000000000000002",
          operator: OperatorResponse {
            managed: false,
          },
          availability_zone_id: "use1-az1",
        }
    "#]]
    .assert_eq(&show(&described(&mut fixture, &id)));
    let delete = DeleteNetworkInterfaceRequest {
        network_interface_id: id,
        ..Default::default()
    };
    answer!(fixture, DeleteNetworkInterface, delete.clone());
    assert!(
        fixture
            .refused(delete)
            .starts_with("InvalidNetworkInterfaceID.NotFound")
    );
}

#[test]
fn the_lowest_free_addresses_are_given() {
    let mut fixture = Fixture::new();
    let request = CreateNetworkInterfaceRequest {
        secondary_private_ip_address_count: Some(2),
        ..create(&fixture)
    };
    let first = answer!(fixture, CreateNetworkInterface, request)
        .network_interface
        .unwrap();
    let addresses = |eni: NetworkInterface| -> Vec<String> {
        let own = eni.private_ip_addresses.into_iter();
        own.filter_map(|p| p.private_ip_address).collect()
    };
    assert_eq!(addresses(first), ["172.31.0.4", "172.31.0.5", "172.31.0.6"]);
    let next = created(&mut fixture);
    assert_eq!(addresses(described(&mut fixture, &next)), ["172.31.0.7"]);
}

#[test]
fn refusals_of_create() {
    let mut fixture = Fixture::new();
    created(&mut fixture);
    let base = create(&fixture);
    let with = |change: &dyn Fn(&mut CreateNetworkInterfaceRequest)| {
        let mut request = base.clone();
        change(&mut request);
        request
    };
    let requests = [
        with(&|r| r.subnet_id = None),
        with(&|r| r.subnet_id = text("subnet-0123456789abcdef0")),
        with(&|r| r.subnet_id = text("vpc-0123456789abcdef0")),
        with(&|r| r.private_ip_address = text("172.31.0.4")),
        with(&|r| r.private_ip_address = text("172.31.0.3")),
        with(&|r| r.private_ip_address = text("172.31.15.255")),
        with(&|r| r.private_ip_address = text("10.0.0.9")),
        with(&|r| r.private_ip_address = text("nonsense")),
        with(&|r| r.private_ip_addresses = by_name(&[("172.31.0.9", true), ("172.31.0.10", true)])),
        with(&|r| {
            r.private_ip_addresses = by_name(&[("172.31.0.9", true)]);
            r.secondary_private_ip_address_count = Some(1);
        }),
        with(&|r| r.secondary_private_ip_address_count = Some(-1)),
        with(&|r| r.secondary_private_ip_address_count = Some(50)),
        with(&|r| r.ipv6_address_count = Some(1)),
        with(&|r| r.groups = vec!["sg-0123456789abcdef0".into()]),
        with(&|r| r.ipv4_prefix_count = Some(1)),
        with(&|r| r.interface_type = text("efa")),
        with(&|r| r.tag_specifications = named("vpc", "a")),
        with(&|r| r.dry_run = Some(true)),
    ];
    let out: Vec<_> = requests.into_iter().map(|r| fixture.refused(r)).collect();
    expect![[r#"
        MissingParameter: The request must contain the parameter SubnetId
        InvalidSubnetID.NotFound: The subnet ID 'subnet-0123456789abcdef0' does not exist
        InvalidSubnetID.Malformed: Invalid id: "vpc-0123456789abcdef0" (expecting "subnet-...")
        InvalidIPAddress.InUse: Address 172.31.0.4 is in use.
        InvalidParameterValue: Address is in subnet's reserved address range
        InvalidParameterValue: Address is in subnet's reserved address range
        InvalidParameterValue: Address does not fall within the subnet's address range
        InvalidParameterValue: Value (nonsense) for parameter privateIpAddress is invalid. This is not a valid IPv4 address.
        InvalidParameterCombination: Only one primary private IP address can be specified.
        InvalidParameterCombination: The parameter secondaryPrivateIpAddressCount cannot be used with the parameter privateIpAddresses
        InvalidParameterValue: Value (-1) for parameter secondaryPrivateIpAddressCount is invalid. It must not be negative.
        PrivateIpAddressLimitExceeded: Number of private addresses will exceed limit.
        InvalidParameterValue: The subnet 'subnet-0000000000000000b' does not have an IPv6 CIDR block.
        InvalidGroup.NotFound: The security group 'sg-0123456789abcdef0' does not exist
        UnsupportedOperation: The parameter Ipv4PrefixCount is not supported.
        UnsupportedOperation: The parameter InterfaceType is not supported.
        InvalidParameterValue: 'vpc' is not a valid taggable resource type for this operation.
        DryRunOperation: Request would have succeeded, but DryRun flag is set."#]].assert_eq(&out.join("\n"));
    assert_eq!(fixture.state().network_interfaces.len(), 1);
}

#[test]
fn a_client_token_makes_one_interface() {
    let mut fixture = Fixture::new();
    let request = CreateNetworkInterfaceRequest {
        client_token: text("once"),
        ..create(&fixture)
    };
    let first = answer!(fixture, CreateNetworkInterface, request.clone());
    let again = answer!(fixture, CreateNetworkInterface, request.clone());
    assert_eq!(first, again);
    let other = CreateNetworkInterfaceRequest {
        description: text("other"),
        ..request
    };
    assert!(
        fixture
            .refused(other)
            .starts_with("IdempotentParameterMismatch")
    );
}

#[test]
fn groups_of_another_vpc_are_refused() {
    let mut fixture = Fixture::new();
    let vpc = CreateVpcRequest {
        cidr_block: text("10.0.0.0/16"),
        ..Default::default()
    };
    let vpc_id = answer!(fixture, CreateVpc, vpc)
        .vpc
        .unwrap()
        .vpc_id
        .unwrap();
    let group = fixture
        .state()
        .default_security_group(vpc_id.parse().unwrap())
        .unwrap();
    let groups = vec![group.id.to_string()];
    let request = CreateNetworkInterfaceRequest {
        groups,
        ..create(&fixture)
    };
    expect!["InvalidParameter: Security group sg-0000000000000001c and subnet subnet-0000000000000000b belong to different networks."].assert_eq(&fixture.refused(request));
}

#[test]
fn an_interface_is_attached_and_detached() {
    let mut fixture = Fixture::new();
    let instance = running(&mut fixture);
    let eni = created(&mut fixture);
    let attachment = answer!(fixture, AttachNetworkInterface, attach(&eni, &instance, 1));
    let shape = described(&mut fixture, &eni);
    assert_eq!(shape.status.as_deref(), Some("in-use"));
    let mut out = show(&shape.attachment);

    let another = created(&mut fixture);
    let far = CreateNetworkInterfaceRequest {
        subnet_id: subnet_id(&fixture, 1),
        ..Default::default()
    };
    let far = answer!(fixture, CreateNetworkInterface, far)
        .network_interface
        .unwrap();
    let delete = DeleteNetworkInterfaceRequest {
        network_interface_id: eni.clone(),
        ..Default::default()
    };
    let primary = fixture
        .state()
        .interfaces_of(instance.as_ref().unwrap().parse().unwrap())[0];
    let primary = DetachNetworkInterfaceRequest {
        attachment_id: text(primary.attachment.as_ref().unwrap().id),
        ..Default::default()
    };
    let lines = [
        fixture.refused(attach(&eni, &instance, 2)),
        fixture.refused(attach(&another, &instance, 1)),
        fixture.refused(attach(&another, &instance, 2)),
        fixture.refused(attach(&far.network_interface_id, &instance, 2)),
        fixture.refused(attach(&another, &instance, -1)),
        fixture.refused(attach(&another, &text("i-0123456789abcdef0"), 1)),
        fixture.refused(delete),
        fixture.refused(primary),
        fixture.refused(DetachNetworkInterfaceRequest {
            attachment_id: text("eni-attach-0123456789abcdef0"),
            ..Default::default()
        }),
    ];
    out.push_str(&lines.join("\n"));
    expect![[r#"
        NetworkInterfaceAttachment {
          attach_time: "2024-05-01T10:00:00.000Z",
          attachment_id: "eni-attach-0000000000000001f",
          delete_on_termination: false,
          device_index: 1,
          network_card_index: 0,
          instance_id: "i-00000000000000018",
          instance_owner_id: "111122223333",
          status: "attached",
        },
        InvalidNetworkInterface.InUse: Interface: [eni-0000000000000001d] in use.
        InvalidParameterValue: Instance 'i-00000000000000018' already has an interface attached at device index '1'.
        AttachmentLimitExceeded: Interface count 3 exceeds the limit for t3.micro
        InvalidParameterCombination: You may not attach a network interface to an instance if they are not in the same availability zone
        InvalidParameterValue: Value (-1) for parameter deviceIndex is invalid.
        InvalidInstanceID.NotFound: The instance ID 'i-0123456789abcdef0' does not exist
        InvalidParameterValue: Network interface 'eni-0000000000000001d' is currently in use.
        OperationNotPermitted: The network interface at device index 0 and networkCard index 0 cannot be detached.
        InvalidAttachmentID.NotFound: The network interface attachment ID 'eni-attach-0123456789abcdef0' does not exist"#]].assert_eq(&out);

    let detach = DetachNetworkInterfaceRequest {
        attachment_id: attachment.attachment_id,
        ..Default::default()
    };
    answer!(fixture, DetachNetworkInterface, detach);
    assert_eq!(described(&mut fixture, &eni).attachment, None);
}

#[test]
fn a_pending_instance_takes_no_interface() {
    let mut fixture = Fixture::new();
    let request = run(1);
    let instance = launch(&mut fixture, request).instance_id;
    let eni = created(&mut fixture);
    expect!["IncorrectInstanceState: The pending instance 'i-00000000000000018' is not in a valid state for this operation."].assert_eq(&fixture.refused(attach(&eni, &instance, 1)));
}

#[test]
fn attributes_are_changed_one_at_a_time() {
    let mut fixture = Fixture::new();
    let eni = created(&mut fixture);
    let modify = ModifyNetworkInterfaceAttributeRequest {
        network_interface_id: eni.clone(),
        ..Default::default()
    };
    let check = ModifyNetworkInterfaceAttributeRequest {
        source_dest_check: Some(AttributeBooleanValue { value: Some(false) }),
        ..modify.clone()
    };
    let description = ModifyNetworkInterfaceAttributeRequest {
        description: Some(AttributeValue {
            value: text("router"),
        }),
        ..modify.clone()
    };
    answer!(fixture, ModifyNetworkInterfaceAttribute, check.clone());
    answer!(
        fixture,
        ModifyNetworkInterfaceAttribute,
        description.clone()
    );
    let shape = described(&mut fixture, &eni);
    assert_eq!(shape.source_dest_check, Some(false));
    assert_eq!(shape.description.as_deref(), Some("router"));
    let both = ModifyNetworkInterfaceAttributeRequest {
        source_dest_check: check.source_dest_check,
        ..description
    };
    let attachment = ModifyNetworkInterfaceAttributeRequest {
        attachment: Some(NetworkInterfaceAttachmentChanges {
            attachment_id: text("eni-attach-0123456789abcdef0"),
            delete_on_termination: Some(true),
            ..Default::default()
        }),
        ..modify.clone()
    };
    let public = ModifyNetworkInterfaceAttributeRequest {
        associate_public_ip_address: Some(true),
        ..modify.clone()
    };
    let mut out = [modify, both, attachment, public]
        .map(|r| fixture.refused(r))
        .join("\n");
    for attribute in ["description", "groupSet", "sourceDestCheck", "attachment"] {
        let request = DescribeNetworkInterfaceAttributeRequest {
            network_interface_id: eni.clone(),
            attribute: text(attribute),
            ..Default::default()
        };
        out.push('\n');
        out.push_str(&show(&answer!(
            fixture,
            DescribeNetworkInterfaceAttribute,
            request
        )));
    }
    expect![[r#"
        InvalidParameterCombination: No attributes specified.
        InvalidParameterCombination: Fields for multiple attribute types specified.
        InvalidAttachmentID.NotFound: The network interface attachment ID 'eni-attach-0123456789abcdef0' does not exist
        InvalidParameterCombination: The associatePublicIPAddress parameter can only be specified for the network interface with DeviceIndex 0
        DescribeNetworkInterfaceAttributeResponse {
          description: AttributeValue {
            value: "router",
          },
          network_interface_id: "eni-00000000000000017",
        }

        DescribeNetworkInterfaceAttributeResponse {
          groups: [
            GroupIdentifier {
              group_id: "sg-00000000000000007",
              group_name: "default",
            },
          ],
          network_interface_id: "eni-00000000000000017",
        }

        DescribeNetworkInterfaceAttributeResponse {
          network_interface_id: "eni-00000000000000017",
          source_dest_check: AttributeBooleanValue {
            value: false,
          },
        }

        DescribeNetworkInterfaceAttributeResponse {
          network_interface_id: "eni-00000000000000017",
        }
    "#]].assert_eq(&out);
}

#[test]
fn secondary_addresses_are_assigned_moved_and_unassigned() {
    let mut fixture = Fixture::new();
    let (a, b) = (created(&mut fixture), created(&mut fixture));
    let assign = |eni: &Option<String>, address: &str| AssignPrivateIpAddressesRequest {
        network_interface_id: eni.clone(),
        private_ip_addresses: vec![address.into()],
        ..Default::default()
    };
    let answer = answer!(fixture, AssignPrivateIpAddresses, assign(&a, "172.31.0.99"));
    let mut out = show(&answer);
    let count = AssignPrivateIpAddressesRequest {
        network_interface_id: a.clone(),
        secondary_private_ip_address_count: Some(1),
        ..Default::default()
    };
    out += &show(&answer!(fixture, AssignPrivateIpAddresses, count.clone()));
    let both = AssignPrivateIpAddressesRequest {
        secondary_private_ip_address_count: Some(1),
        ..assign(&a, "172.31.0.98")
    };
    let neither = AssignPrivateIpAddressesRequest {
        secondary_private_ip_address_count: None,
        ..count
    };
    let steal_primary = AssignPrivateIpAddressesRequest {
        allow_reassignment: Some(true),
        ..assign(&b, "172.31.0.4")
    };
    let unassign = |eni: &Option<String>, address: &str| UnassignPrivateIpAddressesRequest {
        network_interface_id: eni.clone(),
        private_ip_addresses: vec![address.into()],
        ..Default::default()
    };
    let lines = [
        fixture.refused(assign(&b, "172.31.0.99")),
        fixture.refused(assign(&b, "172.31.0.1")),
        fixture.refused(assign(&b, "172.31.16.9")),
        fixture.refused(steal_primary),
        fixture.refused(both),
        fixture.refused(neither),
        fixture.refused(unassign(&a, "172.31.0.4")),
        fixture.refused(unassign(&b, "172.31.0.99")),
    ];
    out += &lines.join("\n");
    expect![[r#"
        AssignPrivateIpAddressesResponse {
          network_interface_id: "eni-00000000000000017",
          assigned_private_ip_addresses: [
            AssignedPrivateIpAddress {
              private_ip_address: "172.31.0.99",
            },
          ],
        }
        AssignPrivateIpAddressesResponse {
          network_interface_id: "eni-00000000000000017",
          assigned_private_ip_addresses: [
            AssignedPrivateIpAddress {
              private_ip_address: "172.31.0.6",
            },
          ],
        }
        Resource.AlreadyAssigned: [172.31.0.99] assigned, but move is not allowed.
        InvalidParameterValue: Address is in subnet's reserved address range
        InvalidParameterValue: Address does not fall within the subnet's address range
        Resource.AlreadyAssigned: [172.31.0.4] assigned, but move is not allowed.
        InvalidParameterCombination: Addresses and a number of addresses may not be specified on the same request
        MissingParameter: The request must contain the parameter PrivateIpAddress
        InvalidParameterValue: The primary private IP address cannot be unassigned.
        InvalidParameterValue: Some of the specified addresses are not assigned to interface eni-00000000000000019"#]].assert_eq(&out);
    let steal = AssignPrivateIpAddressesRequest {
        allow_reassignment: Some(true),
        ..assign(&b, "172.31.0.99")
    };
    answer!(fixture, AssignPrivateIpAddresses, steal);
    assert_eq!(described(&mut fixture, &a).private_ip_addresses.len(), 2);
    assert_eq!(described(&mut fixture, &b).private_ip_addresses.len(), 2);
    answer!(
        fixture,
        UnassignPrivateIpAddresses,
        unassign(&b, "172.31.0.99")
    );
    assert_eq!(described(&mut fixture, &b).private_ip_addresses.len(), 1);
}

#[test]
fn ipv6_addresses_come_from_the_subnet() {
    let mut fixture = Fixture::new();
    let vpc = CreateVpcRequest {
        cidr_block: text("10.0.0.0/16"),
        amazon_provided_ipv6_cidr_block: Some(true),
        ..Default::default()
    };
    let vpc_id = answer!(fixture, CreateVpc, vpc).vpc.unwrap().vpc_id;
    let block = fixture
        .state()
        .vpcs
        .get(&vpc_id.as_ref().unwrap().parse().unwrap())
        .unwrap()
        .ipv6_cidr_blocks[0]
        .cidr;
    let block = ipnet::Ipv6Net::new(block.network(), 64).unwrap();
    let subnet = CreateSubnetRequest {
        vpc_id,
        cidr_block: text("10.0.1.0/24"),
        ipv6_cidr_block: text(block),
        ..Default::default()
    };
    let subnet_id = answer!(fixture, CreateSubnet, subnet)
        .subnet
        .unwrap()
        .subnet_id;
    let request = CreateNetworkInterfaceRequest {
        subnet_id,
        ipv6_address_count: Some(1),
        ..Default::default()
    };
    let eni = answer!(fixture, CreateNetworkInterface, request)
        .network_interface
        .unwrap();
    let id = eni.network_interface_id;
    let base = block.network().to_string();
    let at = |host: &str| format!("{base}{host}");
    assert_eq!(eni.ipv6_address, Some(at("4")));
    let assign = |addresses: &[String]| AssignIpv6AddressesRequest {
        network_interface_id: id.clone(),
        ipv6_addresses: addresses.to_vec(),
        ..Default::default()
    };
    let answer = answer!(fixture, AssignIpv6Addresses, assign(&[at("beef")]));
    assert_eq!(answer.assigned_ipv6_addresses, [at("beef")]);
    let unassign = UnassignIpv6AddressesRequest {
        network_interface_id: id.clone(),
        ipv6_addresses: vec![at("beef")],
        ..Default::default()
    };
    let lines = [
        fixture.refused(assign(&[at("4")])),
        fixture.refused(assign(&[at("1")])),
        fixture.refused(assign(&["2001:db8::9".into()])),
        fixture.refused(assign(&[])),
    ];
    answer!(fixture, UnassignIpv6Addresses, unassign.clone());
    let out = [lines.join("\n"), fixture.refused(unassign)].join("\n");
    expect![[r#"
        Resource.AlreadyAssigned: [2600:1f00:0:1700::4] assigned, but move is not allowed.
        InvalidParameterValue: Address is in subnet's reserved address range
        InvalidParameterValue: Address does not fall within the subnet's address range
        MissingParameter: The request must contain the parameter Ipv6Addresses
        InvalidParameterValue: Some of the specified addresses are not assigned to interface eni-00000000000000025"#]].assert_eq(&out);
}

#[test]
fn filters() {
    let mut fixture = Fixture::new();
    let instance = running(&mut fixture).unwrap();
    created(&mut fixture);
    for (name, value, expected) in [
        ("status", "in-use", 1),
        ("status", "available", 1),
        ("attachment.instance-id", instance.as_str(), 1),
        ("attachment.status", "detached", 1),
        ("availability-zone", "us-east-1a", 2),
        ("group-name", "default", 2),
        ("addresses.private-ip-address", "172.31.*", 2),
        ("association.ip-owner-id", "amazon", 1),
        ("tag-key", "Name", 0),
    ] {
        let request = DescribeNetworkInterfacesRequest {
            filters: filter(name, &[value]),
            ..Default::default()
        };
        let found = answer!(fixture, DescribeNetworkInterfaces, request);
        assert_eq!(found.network_interfaces.len(), expected, "{name}");
    }
    let unknown = DescribeNetworkInterfacesRequest {
        filters: filter("colour", &["red"]),
        ..Default::default()
    };
    assert!(
        fixture
            .refused(unknown)
            .starts_with("InvalidParameterValue: The filter")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// However interfaces come and go in a small subnet, no address is given twice, none is
    /// reserved, and the subnet is exhausted exactly when all eleven are given.
    #[test]
    fn addresses_are_unique_and_never_reserved(steps in prop::collection::vec((0_u8..4, 0_usize..8), 1..60)) {
        let mut fixture = Fixture::new();
        let vpc = fixture.state().default_vpc().unwrap().id;
        let subnet = CreateSubnetRequest {
            vpc_id: text(vpc),
            cidr_block: text("172.31.255.0/28"),
            ..Default::default()
        };
        let subnet_id = answer!(fixture, CreateSubnet, subnet).subnet.unwrap().subnet_id;
        let subnet = fixture.state().subnets.get(&subnet_id.as_ref().unwrap().parse().unwrap()).unwrap().clone();
        for (kind, number) in steps {
            let ids: Vec<_> = fixture.state().network_interfaces.values().map(|e| e.id).collect();
            let used = fixture.state().network_interfaces.values().map(|e| e.private_ip_addresses.len()).sum::<usize>();
            if kind == 0 && !ids.is_empty() {
                let request = DeleteNetworkInterfaceRequest {
                    network_interface_id: text(ids[number % ids.len()]),
                    ..Default::default()
                };
                fixture.run(request).unwrap();
            } else {
                let wanted = 1 + number % 3;
                let request = CreateNetworkInterfaceRequest {
                    subnet_id: subnet_id.clone(),
                    secondary_private_ip_address_count: i32::try_from(wanted - 1).ok(),
                    ..Default::default()
                };
                let made = fixture.run(request);
                prop_assert_eq!(made.is_ok(), used + wanted <= 11);
            }
            let all: Vec<IpAddr> = fixture.state().network_interfaces.values().flat_map(model::NetworkInterface::addresses).collect();
            let distinct: BTreeSet<_> = all.iter().copied().collect();
            prop_assert_eq!(distinct.len(), all.len());
            prop_assert!(all.iter().all(|a| subnet.contains(*a) && !subnet.is_reserved(*a)));
            let macs: BTreeSet<_> = fixture.state().network_interfaces.values().map(|e| e.mac).collect();
            prop_assert_eq!(macs.len(), fixture.state().network_interfaces.len());
        }
    }
}
