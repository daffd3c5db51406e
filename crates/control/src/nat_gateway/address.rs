//! Further addresses of gateways: more ports for connections to the same destination ("Edit secondary IP address
//! associations").

use std::net::Ipv4Addr;

use ec2_api::{
    AssignPrivateNatGatewayAddressRequest, AssignPrivateNatGatewayAddressResponse,
    AssociateNatGatewayAddressRequest, AssociateNatGatewayAddressResponse,
    DisassociateNatGatewayAddressRequest, DisassociateNatGatewayAddressResponse,
    UnassignPrivateNatGatewayAddressRequest, UnassignPrivateNatGatewayAddressResponse,
};
use model::{
    Address, AddressAssociationId, AllocationId, Connectivity, NatGateway, NatGatewayAddress,
    NatGatewayId,
};

use super::{create, describe, regional};
use crate::{Error, Transaction, network_interface, parameter};

/// For how long the connections of an address that goes may go on, unless a request says otherwise, in seconds.
pub(super) const DRAIN_SECS: u32 = 350;
const DRAIN_SECS_MAX: i32 = 4000;

/// Gives a public gateway more Elastic IP addresses.
pub(crate) fn associate_nat_gateway_address(
    tx: &mut Transaction<'_>,
    request: &AssociateNatGatewayAddressRequest,
) -> Result<AssociateNatGatewayAddressResponse, Error> {
    let id = parameter::id(&request.nat_gateway_id, "NatGatewayId")?;
    let allocations: Vec<AllocationId> = parameter::ids(&request.allocation_ids, "AllocationId")?;
    let named = addresses(&request.private_ip_addresses)?;
    if named.len() > allocations.len() {
        return Err(Error::InvalidParameterCombination(
            "There are more private IP addresses than allocation IDs.".to_owned(),
        ));
    }
    let gateway = editable(tx, id, Connectivity::Public)?;
    let elastic = create::free_allocations(tx, &allocations)?;
    if gateway.is_regional() {
        return associate_regional(tx, request, gateway, &allocations);
    }
    if request.availability_zone.is_some() || request.availability_zone_id.is_some() {
        return Err(Error::InvalidParameterCombination(format!(
            "NatGateway {id} is not a regional NAT gateway, so its addresses have no Availability \
             Zone of their own."
        )));
    }
    let count = allocations.len() - named.len();
    let elastic = elastic.into_iter().map(Some).collect();
    let added = add(tx, gateway, &named, count, elastic)?;
    Ok(AssociateNatGatewayAddressResponse {
        nat_gateway_id: Some(id.to_string()),
        nat_gateway_addresses: newest(tx, id, added, "associating")?,
    })
}

/// Gives a zone of a regional gateway more addresses.
fn associate_regional(
    tx: &mut Transaction<'_>,
    request: &AssociateNatGatewayAddressRequest,
    mut gateway: NatGateway,
    allocations: &[AllocationId],
) -> Result<AssociateNatGatewayAddressResponse, Error> {
    let id = gateway.id;
    if !request.private_ip_addresses.is_empty() {
        return Err(Error::InvalidParameterCombination(
            "A regional NAT gateway has no private IP addresses.".to_owned(),
        ));
    }
    let zone = regional::zone(
        tx,
        &request.availability_zone,
        &request.availability_zone_id,
    )?;
    if tx.state().internet_gateway_of(gateway.vpc_id).is_none() {
        return Err(create::no_internet_gateway(gateway.vpc_id));
    }
    let own = gateway.addresses.iter().filter(|a| a.zone == Some(zone));
    regional::check_addresses(tx, own.count() + allocations.len())?;
    for &allocation_id in allocations {
        let address = regional::map(tx, id, zone, allocation_id)?;
        gateway.addresses.push(address);
    }
    tx.put(id, gateway);
    Ok(AssociateNatGatewayAddressResponse {
        nat_gateway_id: Some(id.to_string()),
        nat_gateway_addresses: newest(tx, id, allocations.len(), "associating")?,
    })
}

/// Takes secondary Elastic IP addresses off a public gateway, or any off a regional one, when their connections have had time to end.
pub(crate) fn disassociate_nat_gateway_address(
    tx: &mut Transaction<'_>,
    request: &DisassociateNatGatewayAddressRequest,
) -> Result<DisassociateNatGatewayAddressResponse, Error> {
    let id = parameter::id(&request.nat_gateway_id, "NatGatewayId")?;
    let secs = drain_secs(request.max_drain_duration_seconds)?;
    let associations: Vec<AddressAssociationId> =
        parameter::ids(&request.association_ids, "AssociationId")?;
    let gateway = editable(tx, id, Connectivity::Public)?;
    let mut places = Vec::new();
    for association in associations {
        let own = |a: &NatGatewayAddress| {
            let elastic = a.elastic.as_ref();
            elastic.and_then(|e| e.association_id) == Some(association)
        };
        let place = gateway.addresses.iter().position(own);
        places.push(place.ok_or(Error::NotFound(association.into()))?);
    }
    drain(tx, gateway, &places, secs)?;
    Ok(DisassociateNatGatewayAddressResponse {
        nat_gateway_id: Some(id.to_string()),
        nat_gateway_addresses: at(tx, id, &places)?,
    })
}

/// Gives a private gateway more private addresses.
pub(crate) fn assign_private_nat_gateway_address(
    tx: &mut Transaction<'_>,
    request: &AssignPrivateNatGatewayAddressRequest,
) -> Result<AssignPrivateNatGatewayAddressResponse, Error> {
    let id = parameter::id(&request.nat_gateway_id, "NatGatewayId")?;
    let named = addresses(&request.private_ip_addresses)?;
    let count = parameter::positive(request.private_ip_address_count, "privateIpAddressCount")?;
    network_interface::list_or_count(named.len(), count, "PrivateIpAddress")?;
    let gateway = editable(tx, id, Connectivity::Private)?;
    let elastic = vec![None; named.len() + count];
    let added = add(tx, gateway, &named, count, elastic)?;
    Ok(AssignPrivateNatGatewayAddressResponse {
        nat_gateway_id: Some(id.to_string()),
        nat_gateway_addresses: newest(tx, id, added, "assigning")?,
    })
}

/// Takes secondary addresses off a private gateway, when their connections have had time to end.
pub(crate) fn unassign_private_nat_gateway_address(
    tx: &mut Transaction<'_>,
    request: &UnassignPrivateNatGatewayAddressRequest,
) -> Result<UnassignPrivateNatGatewayAddressResponse, Error> {
    let id = parameter::id(&request.nat_gateway_id, "NatGatewayId")?;
    let secs = drain_secs(request.max_drain_duration_seconds)?;
    let named = addresses(&request.private_ip_addresses)?;
    if named.is_empty() {
        return Err(Error::MissingParameter("PrivateIpAddress"));
    }
    let gateway = editable(tx, id, Connectivity::Private)?;
    let mut places = Vec::new();
    for address in named {
        let mut own = gateway.addresses.iter();
        let place = own.position(|a| a.private_ip == Some(address));
        places.push(place.ok_or_else(|| {
            Error::InvalidParameterValue(format!(
                "The address {address} is not assigned to the NAT gateway {id}"
            ))
        })?);
    }
    drain(tx, gateway, &places, secs)?;
    Ok(UnassignPrivateNatGatewayAddressResponse {
        nat_gateway_id: Some(id.to_string()),
        nat_gateway_addresses: at(tx, id, &places)?,
    })
}

/// A gateway whose addresses can be changed now, by the actions for gateways of its kind.
fn editable(
    tx: &Transaction<'_>,
    id: NatGatewayId,
    connectivity: Connectivity,
) -> Result<NatGateway, Error> {
    let gateway = tx.take::<NatGateway>(id)?;
    if gateway.connectivity != connectivity {
        return Err(Error::InvalidParameterValue(format!(
            "NatGateway {id} is not a {} NAT gateway",
            connectivity.name()
        )));
    }
    if gateway.is_automatic() {
        return Err(Error::InvalidParameterValue(format!(
            "NatGateway {id} manages its Availability Zones and addresses by itself"
        )));
    }
    if !gateway.is_available() {
        return Err(Error::new(
            "IncorrectState",
            format!("NatGateway {id} is in the state {}", gateway.state.name()),
        ));
    }
    Ok(gateway)
}

/// Adds addresses, each with the Elastic one that it gets; tells how many.
fn add(
    tx: &mut Transaction<'_>,
    mut gateway: NatGateway,
    named: &[Ipv4Addr],
    count: usize,
    elastic: Vec<Option<Address>>,
) -> Result<usize, Error> {
    let more = elastic.len();
    let private = gateway.addresses.len() + more;
    let public = match gateway.connectivity {
        Connectivity::Public => private,
        Connectivity::Private => 0,
    };
    create::check_addresses(tx, public, private)?;
    let Some(eni) = gateway.network_interface_id() else {
        return Err(Error::NotFound(gateway.id.into()));
    };
    let assigned = network_interface::assign_secondary(tx, eni, named, count)?;
    for (private, elastic) in assigned.into_iter().zip(elastic) {
        let address = create::add(tx, &eni, private, elastic)?;
        gateway.addresses.push(address);
    }
    tx.put(gateway.id, gateway);
    Ok(more)
}

/// No new connections come to an address from here on; those that it has go on until it is taken away.
fn drain(
    tx: &mut Transaction<'_>,
    mut gateway: NatGateway,
    places: &[usize],
    secs: u32,
) -> Result<(), Error> {
    if places.contains(&0) && !gateway.is_regional() {
        return Err(Error::InvalidParameterValue(format!(
            "The primary address of the NAT gateway {} cannot be removed",
            gateway.id
        )));
    }
    let now = tx.now();
    for &place in places {
        if let Some(address) = gateway.addresses.get_mut(place) {
            address.draining.get_or_insert((now, secs));
        }
    }
    tx.put(gateway.id, gateway);
    Ok(())
}

/// The addresses that have just come, which take a moment in AWS.
fn newest(
    tx: &Transaction<'_>,
    id: NatGatewayId,
    count: usize,
    status: &str,
) -> Result<Vec<ec2_api::NatGatewayAddress>, Error> {
    let mut all = describe::addresses(tx, tx.find(id)?);
    let mut newest = all.split_off(all.len().saturating_sub(count));
    for address in &mut newest {
        address.status = Some(status.to_owned());
    }
    Ok(newest)
}

fn at(
    tx: &Transaction<'_>,
    id: NatGatewayId,
    places: &[usize],
) -> Result<Vec<ec2_api::NatGatewayAddress>, Error> {
    let all = describe::addresses(tx, tx.find(id)?);
    let chosen = all.into_iter().enumerate();
    Ok(chosen
        .filter(|(place, _)| places.contains(place))
        .map(|(_, address)| address)
        .collect())
}

fn drain_secs(given: Option<i32>) -> Result<u32, Error> {
    let secs = given.unwrap_or(DRAIN_SECS as i32);
    match u32::try_from(secs) {
        Ok(valid) if (1..=DRAIN_SECS_MAX).contains(&secs) => Ok(valid),
        _ => Err(Error::invalid_value(
            "maxDrainDurationSeconds",
            secs,
            &format!("Expecting a value between 1 and {DRAIN_SECS_MAX}."),
        )),
    }
}

fn addresses(texts: &[String]) -> Result<Vec<Ipv4Addr>, Error> {
    let parse = |text: &String| parameter::ipv4(text, "privateIpAddress");
    texts.iter().map(parse).collect()
}
