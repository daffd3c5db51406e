//! CIDR reservations, and default subnets and VPCs that are made again.

use ec2_api::*;

use super::{Fixture, answer, text};

fn subnet(fixture: &mut Fixture) -> Option<String> {
    let vpc_id = fixture.state().default_vpc().unwrap().id.to_string();
    let request = CreateSubnetRequest {
        vpc_id: Some(vpc_id),
        cidr_block: text("172.31.255.0/28"),
        ..Default::default()
    };
    answer!(fixture, CreateSubnet, request)
        .subnet
        .unwrap()
        .subnet_id
}

fn reserve(subnet_id: &Option<String>, cidr: &str) -> CreateSubnetCidrReservationRequest {
    CreateSubnetCidrReservationRequest {
        subnet_id: subnet_id.clone(),
        cidr: text(cidr),
        reservation_type: text("explicit"),
        ..Default::default()
    }
}

fn interface(subnet_id: &Option<String>, address: Option<&str>) -> CreateNetworkInterfaceRequest {
    CreateNetworkInterfaceRequest {
        subnet_id: subnet_id.clone(),
        private_ip_address: address.map(str::to_owned),
        ..Default::default()
    }
}

#[test]
fn reserved_addresses_are_given_by_name_only() {
    let mut fixture = Fixture::new();
    let subnet_id = subnet(&mut fixture);
    let request = reserve(&subnet_id, "172.31.255.4/30");
    let made = answer!(fixture, CreateSubnetCidrReservation, request);
    let id = made
        .subnet_cidr_reservation
        .unwrap()
        .subnet_cidr_reservation_id;
    let mut address_of = |address: Option<&str>| {
        let request = interface(&subnet_id, address);
        let made = answer!(fixture, CreateNetworkInterface, request);
        made.network_interface.unwrap().private_ip_address.unwrap()
    };
    assert_eq!(address_of(None), "172.31.255.8");
    assert_eq!(address_of(Some("172.31.255.5")), "172.31.255.5");
    let delete = DeleteSubnetCidrReservationRequest {
        subnet_cidr_reservation_id: id,
        ..Default::default()
    };
    answer!(fixture, DeleteSubnetCidrReservation, delete.clone());
    let request = interface(&subnet_id, None);
    let made = answer!(fixture, CreateNetworkInterface, request);
    let address = made.network_interface.unwrap().private_ip_address;
    assert_eq!(address.as_deref(), Some("172.31.255.4"));
    let error = fixture.run(delete).unwrap_err();
    assert_eq!(error.code(), "InvalidSubnetCidrReservationID.NotFound");
}

#[test]
fn reservations_lie_in_their_subnet_and_go_with_it() {
    let mut fixture = Fixture::new();
    let subnet_id = subnet(&mut fixture);
    let first = reserve(&subnet_id, "172.31.255.8/29");
    answer!(fixture, CreateSubnetCidrReservation, first);
    for (cidr, code) in [
        ("172.31.254.0/28", "InvalidParameterValue"),
        ("172.31.255.12/30", "InvalidSubnet.Conflict"),
        ("172.31.255.12", "InvalidParameterValue"),
    ] {
        let error = fixture.run(reserve(&subnet_id, cidr)).unwrap_err();
        assert_eq!(error.code(), code, "{cidr}");
    }
    let get = GetSubnetCidrReservationsRequest {
        subnet_id: subnet_id.clone(),
        ..Default::default()
    };
    let found = answer!(fixture, GetSubnetCidrReservations, get);
    assert_eq!(found.subnet_ipv4_cidr_reservations.len(), 1);
    let delete = DeleteSubnetRequest {
        subnet_id,
        ..Default::default()
    };
    answer!(fixture, DeleteSubnet, delete);
    assert!(fixture.state().subnet_cidr_reservations.is_empty());
}

#[test]
fn default_subnets_and_vpcs_are_made_again() {
    let mut fixture = Fixture::new();
    let request = CreateDefaultSubnetRequest {
        availability_zone: text("us-east-1c"),
        ..Default::default()
    };
    let error = fixture.run(request.clone()).unwrap_err();
    assert_eq!(error.code(), "DefaultSubnetAlreadyExistsInAvailabilityZone");
    let error = fixture.run(CreateDefaultVpcRequest::default()).unwrap_err();
    assert_eq!(error.code(), "DefaultVpcAlreadyExists");
    let rows = fixture.state().subnets.clone();
    let subnet = rows.values().find(|s| s.zone.to_string() == "us-east-1c");
    let (id, cidr) = subnet.map(|s| (s.id.to_string(), s.cidr)).unwrap();
    let delete = DeleteSubnetRequest {
        subnet_id: Some(id),
        ..Default::default()
    };
    answer!(fixture, DeleteSubnet, delete);
    let made = answer!(fixture, CreateDefaultSubnet, request)
        .subnet
        .unwrap();
    assert_eq!(made.cidr_block, cidr.map(|cidr| cidr.to_string()));
    assert_eq!(
        (made.default_for_az, made.map_public_ip_on_launch),
        (Some(true), Some(true))
    );
}
