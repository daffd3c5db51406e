//! What holds after any sequence of requests and moments.

use std::collections::BTreeSet;

use model::{AddressAssociation, AddressTarget, State};
use proptest::prelude::*;

use super::super::network_interface::created;
use super::*;

/// Which action, and which of what there is.
type Step = (u8, u8, u8, u8);

/// One of the ids that there are; now and then one that there is not.
fn pick<T: ToString>(ids: impl Iterator<Item = T>, n: u8) -> Option<String> {
    let ids: Vec<String> = ids.map(|id| id.to_string()).collect();
    match n {
        0 => text("eni-0123456789abcdef0"),
        _ if ids.is_empty() => None,
        n => Some(ids[usize::from(n) % ids.len()].clone()),
    }
}

fn gateway(state: &State, n: u8) -> Option<String> {
    pick(state.nat_gateways.values().map(|g| g.id), n)
}

fn allocation(state: &State, n: u8) -> Option<String> {
    pick(state.addresses.values().map(|a| a.allocation_id), n)
}

fn association(state: &State, n: u8) -> Option<String> {
    let all = state
        .addresses
        .values()
        .filter_map(|a| a.association.as_ref());
    pick(all.map(|a| a.id), n)
}

fn any_eni(state: &State, n: u8) -> Option<String> {
    pick(state.network_interfaces.values().map(|e| e.id), n)
}

fn private_ip(state: &State, n: u8) -> Option<String> {
    let enis = state.network_interfaces.values();
    pick(
        enis.flat_map(|e| e.private_ip_addresses.iter().map(|p| p.address)),
        n,
    )
}

fn request(fixture: &Fixture, (action, l, m, n): Step) -> Request {
    let state = fixture.state();
    match action % 15 {
        0 => CreateNatGatewayRequest {
            subnet_id: pick(state.subnets.values().map(|s| s.id), l),
            allocation_id: allocation(state, m).filter(|_| l > 60),
            connectivity_type: text("private").filter(|_| l <= 60),
            secondary_private_ip_address_count: Some(i32::from(n % 3)).filter(|_| l <= 60),
            secondary_allocation_ids: allocation(state, n)
                .filter(|_| m > 127)
                .into_iter()
                .collect(),
            private_ip_address: text(format!("172.31.0.{}", n % 12)).filter(|_| n > 200),
            ..Default::default()
        }
        .into(),
        1 => delete(&gateway(state, l)).into(),
        2 => AssociateNatGatewayAddressRequest {
            nat_gateway_id: gateway(state, l),
            allocation_ids: allocation(state, m).into_iter().collect(),
            ..Default::default()
        }
        .into(),
        3 => DisassociateNatGatewayAddressRequest {
            nat_gateway_id: gateway(state, l),
            association_ids: association(state, m).into_iter().collect(),
            max_drain_duration_seconds: Some(n.into()),
            dry_run: None,
        }
        .into(),
        4 => AssignPrivateNatGatewayAddressRequest {
            nat_gateway_id: gateway(state, l),
            private_ip_address_count: Some((m % 4).into()),
            ..Default::default()
        }
        .into(),
        5 => UnassignPrivateNatGatewayAddressRequest {
            nat_gateway_id: gateway(state, l),
            private_ip_addresses: private_ip(state, m).into_iter().collect(),
            max_drain_duration_seconds: Some(n.into()),
            dry_run: None,
        }
        .into(),
        6 => AllocateAddressRequest::default().into(),
        7 => AssociateAddressRequest {
            allocation_id: allocation(state, l),
            network_interface_id: any_eni(state, m),
            ..Default::default()
        }
        .into(),
        8 => DisassociateAddressRequest {
            association_id: association(state, l),
            ..Default::default()
        }
        .into(),
        9 => ReleaseAddressRequest {
            allocation_id: allocation(state, l),
            ..Default::default()
        }
        .into(),
        10 => DeleteNetworkInterfaceRequest {
            network_interface_id: any_eni(state, l),
            dry_run: None,
        }
        .into(),
        11 => AssignPrivateIpAddressesRequest {
            network_interface_id: any_eni(state, l),
            private_ip_addresses: private_ip(state, m).into_iter().collect(),
            allow_reassignment: Some(n > 127),
            ..Default::default()
        }
        .into(),
        12 => CreateNatGatewayRequest {
            vpc_id: pick(state.vpcs.values().map(|v| v.id), l.max(1)),
            availability_mode: text("regional"),
            availability_zone_addresses: allocation(state, m)
                .filter(|_| m > 127)
                .map(|id| in_zone(n, id))
                .into_iter()
                .collect(),
            ..Default::default()
        }
        .into(),
        13 => AssociateNatGatewayAddressRequest {
            nat_gateway_id: gateway(state, l),
            allocation_ids: allocation(state, m).into_iter().collect(),
            availability_zone_id: text(format!("use1-az{}", n % 8)),
            ..Default::default()
        }
        .into(),
        _ => {
            let vpc_id = state.default_vpc().map(|v| v.id);
            let internet_gateway_id = state.internet_gateways.values().next().map(|g| g.id);
            let (internet_gateway_id, vpc_id) = (
                internet_gateway_id.map(|id| id.to_string()),
                vpc_id.map(|id| id.to_string()),
            );
            if l > 127 {
                DetachInternetGatewayRequest {
                    internet_gateway_id,
                    vpc_id,
                    dry_run: None,
                }
                .into()
            } else {
                AttachInternetGatewayRequest {
                    internet_gateway_id,
                    vpc_id,
                    dry_run: None,
                }
                .into()
            }
        }
    }
}

fn in_zone(n: u8, allocation_id: String) -> AvailabilityZoneAddress {
    AvailabilityZoneAddress {
        availability_zone_id: text(format!("use1-az{}", n % 8)),
        availability_zone: None,
        allocation_ids: vec![allocation_id],
    }
}

/// An Elastic IP address and its interface or gateway say the same of each other.
fn check_mappings(state: &State) {
    let mut mapped = 0;
    for eni in state.network_interfaces.values() {
        for private in &eni.private_ip_addresses {
            let Some((allocation_id, id)) = private.association.as_ref().and_then(|a| a.elastic)
            else {
                continue;
            };
            let address = state.addresses.get(&allocation_id).unwrap();
            let own = address.association.as_ref().unwrap();
            assert_eq!(
                (own.id, own.network_interface_id(), own.private_ip_address()),
                (id, Some(eni.id), Some(private.address))
            );
            mapped += 1;
        }
    }
    for gateway in state.nat_gateways.values().filter(|g| g.is_regional()) {
        for elastic in gateway.addresses.iter().filter_map(|a| a.elastic.as_ref()) {
            let Some(id) = elastic.association_id else {
                continue;
            };
            let address = state.addresses.get(&elastic.allocation_id).unwrap();
            let nat_gateway_id = gateway.id;
            let target = AddressTarget::NatGateway { nat_gateway_id };
            assert_eq!(address.association, Some(AddressAssociation { id, target }));
            assert_eq!(address.service_managed, gateway.is_automatic());
            mapped += 1;
        }
    }
    let addresses = state.addresses.values();
    assert_eq!(
        addresses.filter(|a| a.association.is_some()).count(),
        mapped
    );
}

/// A gateway and its interface have the same addresses, and neither is without the other.
fn check_gateways(state: &State) {
    let mut interfaces = Vec::new();
    for gateway in state.nat_gateways.values() {
        if gateway.is_regional() {
            check_regional(state, gateway);
            continue;
        }
        if !gateway.state.is_alive() || gateway.failure.is_some() {
            assert_eq!(gateway.network_interface_id(), None);
            continue;
        }
        let id = gateway.network_interface_id().unwrap();
        let eni = state.network_interfaces.get(&id).unwrap();
        interfaces.push(id);
        let own: Vec<_> = gateway
            .addresses
            .iter()
            .filter_map(|a| a.private_ip)
            .collect();
        let theirs: Vec<_> = eni.private_ip_addresses.iter().map(|p| p.address).collect();
        assert_eq!(own, theirs);
        assert!(own.len() <= 8 && gateway.addresses[0].draining.is_none());
        for (address, private) in gateway.addresses.iter().zip(&eni.private_ip_addresses) {
            let mapped = private.association.as_ref().map(|a| a.public_ip);
            assert_eq!(address.elastic.as_ref().map(|e| e.public_ip), mapped);
            let is_public = gateway.connectivity == model::Connectivity::Public;
            assert_eq!(mapped.is_some(), is_public);
            assert!(!is_public || state.internet_gateway_of(gateway.vpc_id).is_some());
        }
    }
    let managed = state
        .network_interfaces
        .values()
        .filter(|e| e.interface_type.is_requester_managed());
    assert_eq!(managed.count(), interfaces.len());
}

/// A regional gateway has its addresses and its table as long as it lives.
fn check_regional(state: &State, gateway: &model::NatGateway) {
    let lives = gateway.state.is_alive() && gateway.failure.is_none();
    let table = gateway.route_table_id();
    assert_eq!(table.is_some(), lives);
    assert!(table.is_none_or(|id| state.route_tables.contains(&id)));
    assert!(
        !lives
            || state.internet_gateway_of(gateway.vpc_id).is_some()
            || gateway.addresses.is_empty()
    );
    for address in &gateway.addresses {
        let elastic = address.elastic.as_ref();
        assert!(address.network_interface_id.is_none() && address.zone.is_some());
        assert_eq!(elastic.is_some_and(|e| e.association_id.is_some()), lives);
    }
}

/// An automatic gateway is in the zones of the VPC's network interfaces.
fn check_zones(state: &State) {
    let available = state.nat_gateways.values().filter(|g| g.is_available());
    for gateway in available.filter(|g| g.is_automatic()) {
        let zones = |subnets: Vec<model::SubnetId>| -> BTreeSet<_> {
            let subnets = subnets.into_iter();
            subnets
                .map(|id| state.subnets.get(&id).unwrap().zone)
                .collect()
        };
        let enis = state.network_interfaces.values();
        let reachable = state.internet_gateway_of(gateway.vpc_id).is_some();
        let enis = enis.filter(|e| e.vpc_id == gateway.vpc_id && reachable);
        let lasting = gateway.addresses.iter().filter(|a| a.draining.is_none());
        assert_eq!(
            lasting.map(|a| a.zone.unwrap()).collect::<BTreeSet<_>>(),
            zones(enis.map(|e| e.subnet_id).collect())
        );
    }
}

proptest! {
    #[test]
    fn gateways_and_their_interfaces_agree(steps in prop::collection::vec(any::<Step>(), 1..60)) {
        let mut fixture = Fixture::new();
        created(&mut fixture);
        for step in steps {
            // A refused request changes nothing, whatever it has done before it was refused.
            let before = fixture.world.clone();
            let request = request(&fixture, step);
            if fixture.run(request).is_err() {
                prop_assert_eq!(&before, &fixture.world);
            }
            if step.3 % 3 == 0 {
                fixture.now = fixture.now + Duration::from_secs(u64::from(step.3) * 10);
            }
            if step.2 % 2 == 0 {
                fixture.observe(&Event::Tick).unwrap();
                prop_assert!(due(fixture.state()).is_none_or(|next| next > fixture.now));
                check_zones(fixture.state());
            }
            check_mappings(fixture.state());
            check_gateways(fixture.state());
            for request in [
                Request::from(DescribeNatGatewaysRequest::default()),
                DescribeNetworkInterfacesRequest::default().into(),
                DescribeAddressesRequest::default().into(),
            ] {
                fixture.run(request).unwrap();
            }
        }
    }
}
