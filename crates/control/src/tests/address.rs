//! Elastic IP addresses, and public addresses of Amazon's pool.

use ec2_api::*;
use expect_test::expect;
use model::id::Sequence;

use super::instance::{described, end, launch, run, running, start_request, stop_request};
use super::{Fixture, answer, filter, named, show, text};
use crate::Event;

fn allocate(fixture: &mut Fixture) -> AllocateAddressResponse {
    answer!(fixture, AllocateAddress, AllocateAddressRequest::default())
}

fn associate(
    address: &AllocateAddressResponse,
    instance: &Option<String>,
) -> AssociateAddressRequest {
    AssociateAddressRequest {
        allocation_id: address.allocation_id.clone(),
        instance_id: instance.clone(),
        ..Default::default()
    }
}

fn release(address: &AllocateAddressResponse) -> ReleaseAddressRequest {
    ReleaseAddressRequest {
        allocation_id: address.allocation_id.clone(),
        ..Default::default()
    }
}

#[test]
fn an_address_is_allocated_mapped_and_released() {
    let mut fixture = Fixture::new();
    let id = running(&mut fixture);
    let automatic = described(&mut fixture, &id).public_ip_address;
    let request = AllocateAddressRequest {
        tag_specifications: named("elastic-ip", "a"),
        ..Default::default()
    };
    let address = answer!(fixture, AllocateAddress, request);
    let mut out = show(&address);
    let first = answer!(fixture, AssociateAddress, associate(&address, &id));
    let again = answer!(fixture, AssociateAddress, associate(&address, &id));
    assert_eq!(first, again);
    assert_eq!(
        described(&mut fixture, &id).public_ip_address,
        address.public_ip
    );
    let request = DescribeAddressesRequest {
        filters: filter("instance-id", &[id.as_deref().unwrap()]),
        ..Default::default()
    };
    out += &show(&answer!(fixture, DescribeAddresses, request));
    expect![[r#"
        AllocateAddressResponse {
          allocation_id: "eipalloc-0000000000000001e",
          public_ipv4_pool: "amazon",
          network_border_group: "us-east-1",
          domain: "vpc",
          public_ip: "52.64.0.29",
        }
        DescribeAddressesResponse {
          addresses: [
            Address {
              allocation_id: "eipalloc-0000000000000001e",
              association_id: "eipassoc-0000000000000001f",
              domain: "vpc",
              network_interface_id: "eni-00000000000000019",
              network_interface_owner_id: "111122223333",
              private_ip_address: "172.31.0.4",
              tags: [
                Tag {
                  key: "Name",
                  value: "a",
                },
              ],
              public_ipv4_pool: "amazon",
              network_border_group: "us-east-1",
              subnet_id: "subnet-0000000000000000b",
              instance_id: "i-00000000000000018",
              public_ip: "52.64.0.29",
            },
          ],
        }
    "#]]
    .assert_eq(&out);

    let disassociate = DisassociateAddressRequest {
        association_id: first.association_id,
        ..Default::default()
    };
    answer!(fixture, DisassociateAddress, disassociate.clone());
    let now = described(&mut fixture, &id).public_ip_address;
    assert!(now.is_some() && now != address.public_ip && now != automatic);
    answer!(fixture, ReleaseAddress, release(&address));
    let lines = [
        fixture.refused(disassociate),
        fixture.refused(release(&address)),
        fixture.refused(ReleaseAddressRequest {
            public_ip: address.public_ip,
            ..Default::default()
        }),
    ];
    expect![[r#"
        InvalidAssociationID.NotFound: Association ID 'eipassoc-0000000000000001f' not found.
        InvalidAllocationID.NotFound: The allocation ID 'eipalloc-0000000000000001e' does not exist
        InvalidAddress.NotFound: Address '52.64.0.29' not found."#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn a_mapping_moves_with_leave_only() {
    let mut fixture = Fixture::new();
    let (a, b) = (running(&mut fixture), running(&mut fixture));
    let address = allocate(&mut fixture);
    answer!(fixture, AssociateAddress, associate(&address, &a));
    let strict = AssociateAddressRequest {
        allow_reassociation: Some(false),
        ..associate(&address, &b)
    };
    expect!["Resource.AlreadyAssociated: resource eipalloc-00000000000000024 is already associated with associate-id eipassoc-00000000000000025"].assert_eq(&fixture.refused(strict));
    answer!(fixture, AssociateAddress, associate(&address, &b));
    assert_ne!(
        described(&mut fixture, &a).public_ip_address,
        address.public_ip
    );
    assert_eq!(
        described(&mut fixture, &b).public_ip_address,
        address.public_ip
    );
    // Another address on the same target takes the first one's place.
    let other = allocate(&mut fixture);
    answer!(fixture, AssociateAddress, associate(&other, &b));
    assert_eq!(
        described(&mut fixture, &b).public_ip_address,
        other.public_ip
    );
    let rows: Vec<_> = fixture
        .state()
        .addresses
        .values()
        .map(|a| a.association.is_some())
        .collect();
    assert_eq!(rows, [false, true]);
}

#[test]
fn elastic_addresses_survive_a_stop() {
    let mut fixture = Fixture::new();
    let id = running(&mut fixture);
    let address = allocate(&mut fixture);
    answer!(fixture, AssociateAddress, associate(&address, &id));
    answer!(fixture, StopInstances, stop_request(&id));
    end(&mut fixture, &id, None);
    assert_eq!(
        described(&mut fixture, &id).public_ip_address,
        address.public_ip
    );
    answer!(fixture, StartInstances, start_request(&id));
    assert_eq!(
        described(&mut fixture, &id).public_ip_address,
        address.public_ip
    );
}

#[test]
fn an_instance_with_two_interfaces_gets_no_new_address() {
    let mut fixture = Fixture::new();
    let id = running(&mut fixture);
    let eni = super::network_interface::created(&mut fixture);
    let attach = AttachNetworkInterfaceRequest {
        network_interface_id: eni,
        instance_id: id.clone(),
        device_index: Some(1),
        ..Default::default()
    };
    answer!(fixture, AttachNetworkInterface, attach);
    assert!(described(&mut fixture, &id).public_ip_address.is_some());
    let address = allocate(&mut fixture);
    let out = fixture.refused(associate(&address, &id));
    expect!["InvalidInstanceID: There are multiple interfaces attached to instance 'i-00000000000000018'. Please specify an interface ID for the operation instead."].assert_eq(&out);
    answer!(fixture, StopInstances, stop_request(&id));
    end(&mut fixture, &id, None);
    answer!(fixture, StartInstances, start_request(&id));
    assert_eq!(described(&mut fixture, &id).public_ip_address, None);
}

#[test]
fn refusals() {
    let mut fixture = Fixture::new();
    let pending = launch(&mut fixture, run(1)).instance_id;
    let id = running(&mut fixture);
    let address = allocate(&mut fixture);
    let vpc = CreateVpcRequest {
        cidr_block: text("10.0.0.0/16"),
        ..Default::default()
    };
    let vpc_id = answer!(fixture, CreateVpc, vpc).vpc.unwrap().vpc_id;
    let subnet = CreateSubnetRequest {
        vpc_id,
        cidr_block: text("10.0.0.0/24"),
        ..Default::default()
    };
    let subnet_id = answer!(fixture, CreateSubnet, subnet)
        .subnet
        .unwrap()
        .subnet_id;
    let eni = CreateNetworkInterfaceRequest {
        subnet_id,
        ..Default::default()
    };
    let eni = answer!(fixture, CreateNetworkInterface, eni)
        .network_interface
        .unwrap();
    let no_gateway = AssociateAddressRequest {
        network_interface_id: eni.network_interface_id,
        ..associate(&address, &None)
    };
    let foreign = AssociateAddressRequest {
        private_ip_address: text("172.31.0.200"),
        ..associate(&address, &id)
    };
    let unknown = AllocateAddressResponse {
        allocation_id: text("eipalloc-0123456789abcdef0"),
        ..Default::default()
    };
    let both = AssociateAddressRequest {
        public_ip: address.public_ip.clone(),
        ..associate(&address, &id)
    };
    let wanted = |ip: &str| AllocateAddressRequest {
        address: text(ip),
        ..Default::default()
    };
    let standard = AllocateAddressRequest {
        domain: text("standard"),
        ..Default::default()
    };
    let mut out = vec![
        fixture.refused(associate(&address, &pending)),
        fixture.refused(associate(&address, &None)),
        fixture.refused(associate(&unknown, &id)),
        fixture.refused(associate(&AllocateAddressResponse::default(), &id)),
        fixture.refused(both),
        fixture.refused(no_gateway),
        fixture.refused(foreign),
        fixture.refused(wanted("8.8.8.8")),
        fixture.refused(wanted(address.public_ip.as_deref().unwrap())),
        fixture.refused(standard),
        fixture.refused(DescribeAddressesRequest {
            allocation_ids: vec!["eipalloc-0123456789abcdef0".into()],
            ..Default::default()
        }),
        fixture.refused(DescribeAddressesRequest {
            public_ips: vec!["52.64.9.9".into()],
            ..Default::default()
        }),
    ];
    fixture.quotas.addresses = 2;
    answer!(fixture, AllocateAddress, wanted("52.64.7.7"));
    out.push(fixture.refused(AllocateAddressRequest::default()));
    expect![[r#"
        IncorrectInstanceState: The pending instance 'i-00000000000000018' is not in a valid state for this operation.
        MissingParameter: Either instance ID or network interface id must be specified
        InvalidAllocationID.NotFound: The allocation ID 'eipalloc-0123456789abcdef0' does not exist
        MissingParameter: The request must contain the parameter AllocationId
        InvalidParameterCombination: You may specify public IP or allocation id, but not both in the same call
        Gateway.NotAttached: Network vpc-00000000000000025 is not attached to any internet gateway
        InvalidParameterValue: Value (172.31.0.200) for parameter privateIpAddress is invalid. The address is not assigned to interface eni-0000000000000001f.
        InvalidAddress.NotFound: Address '8.8.8.8' not found.
        InvalidAddress.NotFound: Address '52.64.0.35' not found.
        InvalidParameterValue: Value (standard) for parameter domain is invalid. Valid values: vpc.
        InvalidAllocationID.NotFound: The allocation ID 'eipalloc-0123456789abcdef0' does not exist
        InvalidAddress.NotFound: Address '52.64.9.9' not found.
        AddressLimitExceeded: The maximum number of addresses has been reached."#]].assert_eq(&out.join("\n"));
}

#[test]
fn release_while_mapped_depends_on_the_vpc() {
    let mut fixture = Fixture::new();
    let id = running(&mut fixture);
    let address = allocate(&mut fixture);
    answer!(fixture, AssociateAddress, associate(&address, &id));
    answer!(fixture, ReleaseAddress, release(&address));
    assert!(fixture.state().addresses.is_empty());

    let vpc = CreateVpcRequest {
        cidr_block: text("10.0.0.0/16"),
        ..Default::default()
    };
    let vpc_id = answer!(fixture, CreateVpc, vpc).vpc.unwrap().vpc_id;
    let gateway = answer!(
        fixture,
        CreateInternetGateway,
        CreateInternetGatewayRequest::default()
    );
    let attach = AttachInternetGatewayRequest {
        internet_gateway_id: gateway.internet_gateway.unwrap().internet_gateway_id,
        vpc_id: vpc_id.clone(),
        ..Default::default()
    };
    answer!(fixture, AttachInternetGateway, attach);
    let subnet = CreateSubnetRequest {
        vpc_id,
        cidr_block: text("10.0.0.0/24"),
        ..Default::default()
    };
    let subnet_id = answer!(fixture, CreateSubnet, subnet)
        .subnet
        .unwrap()
        .subnet_id;
    let eni = CreateNetworkInterfaceRequest {
        subnet_id,
        ..Default::default()
    };
    let eni = answer!(fixture, CreateNetworkInterface, eni)
        .network_interface
        .unwrap();
    let address = allocate(&mut fixture);
    let request = AssociateAddressRequest {
        network_interface_id: eni.network_interface_id.clone(),
        ..associate(&address, &None)
    };
    answer!(fixture, AssociateAddress, request);
    expect!["InvalidIPAddress.InUse: Address 52.64.0.46 is in use."]
        .assert_eq(&fixture.refused(release(&address)));
    // With the interface the mapping goes, and the address stays.
    let delete = DeleteNetworkInterfaceRequest {
        network_interface_id: eni.network_interface_id,
        ..Default::default()
    };
    answer!(fixture, DeleteNetworkInterface, delete);
    answer!(fixture, ReleaseAddress, release(&address));
}

#[test]
fn a_mapping_moves_with_its_private_address() {
    let mut fixture = Fixture::new();
    let a = super::network_interface::created(&mut fixture);
    let b = super::network_interface::created(&mut fixture);
    let assign = |eni: &Option<String>| AssignPrivateIpAddressesRequest {
        network_interface_id: eni.clone(),
        private_ip_addresses: vec!["172.31.0.99".into()],
        allow_reassignment: Some(true),
        ..Default::default()
    };
    answer!(fixture, AssignPrivateIpAddresses, assign(&a));
    let address = allocate(&mut fixture);
    let request = AssociateAddressRequest {
        network_interface_id: a,
        private_ip_address: text("172.31.0.99"),
        ..associate(&address, &None)
    };
    answer!(fixture, AssociateAddress, request);
    answer!(fixture, AssignPrivateIpAddresses, assign(&b));
    let row = fixture.state().addresses.values().next().unwrap();
    let association = row.association.clone().unwrap();
    assert_eq!(association.network_interface_id().and_then(text), b);
    let eni = fixture
        .state()
        .network_interfaces
        .get(&association.network_interface_id().unwrap())
        .unwrap();
    assert_eq!(
        eni.public_ip(association.private_ip_address().unwrap()),
        Some(row.public_ip)
    );
}

#[test]
fn addresses_in_use_are_passed_over() {
    let mut fixture = Fixture::new();
    let host = "52.64.1.1".parse().unwrap();
    fixture.observe(&Event::InternetHostAdded(host)).unwrap();
    // The first three candidates are .255, .0 and the host.
    fixture.entropy = Sequence(0xfe);
    let first = allocate(&mut fixture);
    assert_eq!(first.public_ip.as_deref(), Some("52.64.1.2"));
    // Another account meets the address of the first.
    fixture.scope.account = "444455556666".parse().unwrap();
    answer!(fixture, DescribeVpcs, DescribeVpcsRequest::default());
    fixture.entropy = Sequence(0x101);
    let second = allocate(&mut fixture);
    assert_eq!(second.public_ip.as_deref(), Some("52.64.1.3"));
}
