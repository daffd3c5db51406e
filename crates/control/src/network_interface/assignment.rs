//! Assigning further private addresses to network interfaces, and unassigning them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ec2_api::{
    AssignIpv6AddressesRequest, AssignIpv6AddressesResponse, AssignPrivateIpAddressesRequest,
    AssignPrivateIpAddressesResponse, AssignedPrivateIpAddress, UnassignIpv6AddressesRequest,
    UnassignIpv6AddressesResponse, UnassignPrivateIpAddressesRequest,
    UnassignPrivateIpAddressesResponse,
};
use model::{Instance, NetworkInterface, NetworkInterfaceId, PrivateIpAddress, Subnet};

use super::private_address::{ADDRESSES_MAX, Pool, address_limit_exceeded};
use crate::{Error, Transaction, address, instance, parameter};

pub(crate) fn assign_private_ip_addresses(
    tx: &mut Transaction<'_>,
    request: &AssignPrivateIpAddressesRequest,
) -> Result<AssignPrivateIpAddressesResponse, Error> {
    let id = parameter::id(&request.network_interface_id, "NetworkInterfaceId")?;
    parameter::refuse_unsupported(&[
        (!request.ipv4_prefixes.is_empty(), "Ipv4Prefix"),
        (request.ipv4_prefix_count.is_some(), "Ipv4PrefixCount"),
    ])?;
    let named = addresses(
        &request.private_ip_addresses,
        "privateIpAddress",
        parameter::ipv4,
    )?;
    let count = parameter::count(
        request.secondary_private_ip_address_count,
        "secondaryPrivateIpAddressCount",
    )?;
    list_or_count(named.len(), count, "PrivateIpAddress")?;
    let eni = super::take_own(tx, id)?;
    let allow_move = request.allow_reassignment == Some(true);
    let mut assigned = Vec::new();
    for address in named {
        if eni
            .private_ip_addresses
            .iter()
            .any(|p| p.address == address)
        {
            assigned.push(address);
            continue;
        }
        assign_named(tx, &eni, address, allow_move)?;
        assigned.push(address);
    }
    for _ in 0..count {
        let subnet = tx.take::<Subnet>(eni.subnet_id)?;
        let address = Pool::of(tx, &subnet).lowest_ipv4()?;
        push(tx, id, unmapped(address))?;
        assigned.push(address);
    }
    Ok(AssignPrivateIpAddressesResponse {
        network_interface_id: Some(id.to_string()),
        assigned_private_ip_addresses: assigned
            .iter()
            .map(|a| AssignedPrivateIpAddress {
                private_ip_address: Some(a.to_string()),
            })
            .collect(),
        ..Default::default()
    })
}

pub(crate) fn unassign_private_ip_addresses(
    tx: &mut Transaction<'_>,
    request: &UnassignPrivateIpAddressesRequest,
) -> Result<UnassignPrivateIpAddressesResponse, Error> {
    let id = parameter::id(&request.network_interface_id, "NetworkInterfaceId")?;
    parameter::refuse_unsupported(&[(!request.ipv4_prefixes.is_empty(), "Ipv4Prefix")])?;
    let named = addresses(
        &request.private_ip_addresses,
        "privateIpAddress",
        parameter::ipv4,
    )?;
    if named.is_empty() {
        return Err(Error::MissingParameter("PrivateIpAddress"));
    }
    let eni = super::take_own(tx, id)?;
    for address in named {
        if eni.primary_ipv4() == Some(address) {
            return Err(Error::InvalidParameterValue(
                "The primary private IP address cannot be unassigned.".to_owned(),
            ));
        }
        if !eni
            .private_ip_addresses
            .iter()
            .any(|p| p.address == address)
        {
            return Err(not_assigned(id));
        }
        address::unmap(tx, id, address)?;
        let mut eni = tx.take::<NetworkInterface>(id)?;
        eni.private_ip_addresses.retain(|p| p.address != address);
        tx.put(id, eni);
    }
    Ok(UnassignPrivateIpAddressesResponse {})
}

pub(crate) fn assign_ipv6_addresses(
    tx: &mut Transaction<'_>,
    request: &AssignIpv6AddressesRequest,
) -> Result<AssignIpv6AddressesResponse, Error> {
    let id = parameter::id(&request.network_interface_id, "NetworkInterfaceId")?;
    parameter::refuse_unsupported(&[
        (!request.ipv6_prefixes.is_empty(), "Ipv6Prefix"),
        (request.ipv6_prefix_count.is_some(), "Ipv6PrefixCount"),
    ])?;
    let mut assigned = addresses(&request.ipv6_addresses, "ipv6Address", parameter::ipv6)?;
    let count = parameter::count(request.ipv6_address_count, "ipv6AddressCount")?;
    list_or_count(assigned.len(), count, "Ipv6Addresses")?;
    let mut eni = super::take_own(tx, id)?;
    check_limit(
        tx,
        &eni,
        eni.ipv6_addresses.len() + assigned.len().max(count),
    )?;
    let subnet = tx.take::<Subnet>(eni.subnet_id)?;
    let mut pool = Pool::of(tx, &subnet);
    for &address in &assigned {
        pool.check(address.into())?;
        pool.claim(address.into())
            .map_err(|_| already_assigned(address.into()))?;
    }
    for _ in 0..count {
        assigned.push(pool.lowest_ipv6()?);
    }
    eni.ipv6_addresses.extend(&assigned);
    tx.put(id, eni);
    Ok(AssignIpv6AddressesResponse {
        assigned_ipv6_addresses: assigned.iter().map(ToString::to_string).collect(),
        network_interface_id: Some(id.to_string()),
        ..Default::default()
    })
}

pub(crate) fn unassign_ipv6_addresses(
    tx: &mut Transaction<'_>,
    request: &UnassignIpv6AddressesRequest,
) -> Result<UnassignIpv6AddressesResponse, Error> {
    let id = parameter::id(&request.network_interface_id, "NetworkInterfaceId")?;
    parameter::refuse_unsupported(&[(!request.ipv6_prefixes.is_empty(), "Ipv6Prefix")])?;
    let named: Vec<Ipv6Addr> = addresses(&request.ipv6_addresses, "ipv6Address", parameter::ipv6)?;
    if named.is_empty() {
        return Err(Error::MissingParameter("Ipv6Addresses"));
    }
    let mut eni = super::take_own(tx, id)?;
    if !named.iter().all(|a| eni.ipv6_addresses.contains(a)) {
        return Err(not_assigned(id));
    }
    eni.ipv6_addresses.retain(|a| !named.contains(a));
    tx.put(id, eni);
    Ok(UnassignIpv6AddressesResponse {
        network_interface_id: Some(id.to_string()),
        unassigned_ipv6_addresses: named.iter().map(ToString::to_string).collect(),
        ..Default::default()
    })
}

/// Assigns a secondary address by name, if need be taken from another interface of the subnet.
fn assign_named(
    tx: &mut Transaction<'_>,
    eni: &NetworkInterface,
    address: Ipv4Addr,
    allow_move: bool,
) -> Result<(), Error> {
    let subnet = tx.take::<Subnet>(eni.subnet_id)?;
    Pool::of(tx, &subnet).check(address.into())?;
    let holder = tx
        .state()
        .interface_with_address(subnet.id, address.into())
        .cloned();
    let Some(mut holder) = holder else {
        return push(tx, eni.id, unmapped(address));
    };
    if !allow_move || holder.primary_ipv4() == Some(address) {
        return Err(already_assigned(address.into()));
    }
    let moved = holder
        .private_ip_addresses
        .iter()
        .find(|p| p.address == address)
        .cloned();
    holder.private_ip_addresses.retain(|p| p.address != address);
    tx.put(holder.id, holder);
    let moved = moved.unwrap_or_else(|| unmapped(address));
    if let Some((allocation_id, _)) = moved.association.as_ref().and_then(|a| a.elastic) {
        address::move_association(tx, allocation_id, eni.id)?;
    }
    push(tx, eni.id, moved)
}

fn push(
    tx: &mut Transaction<'_>,
    id: NetworkInterfaceId,
    address: PrivateIpAddress,
) -> Result<(), Error> {
    let mut eni = tx.take::<NetworkInterface>(id)?;
    check_limit(tx, &eni, eni.private_ip_addresses.len() + 1)?;
    eni.private_ip_addresses.push(address);
    tx.put(id, eni);
    Ok(())
}

fn check_limit(
    tx: &Transaction<'_>,
    eni: &NetworkInterface,
    addresses: usize,
) -> Result<(), Error> {
    match eni.instance_id() {
        None if addresses > ADDRESSES_MAX => Err(address_limit_exceeded()),
        None => Ok(()),
        Some(id) => {
            let instance = tx.find::<Instance>(id)?;
            instance::instance_type(&instance.instance_type)?.check_addresses(addresses)
        }
    }
}

fn addresses<T>(
    texts: &[String],
    name: &str,
    parse: impl Fn(&str, &str) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    texts.iter().map(|text| parse(text, name)).collect()
}

fn list_or_count(listed: usize, count: usize, name: &'static str) -> Result<(), Error> {
    match (listed, count) {
        (0, 0) => Err(Error::MissingParameter(name)),
        (0, _) | (_, 0) => Ok(()),
        _ => Err(Error::InvalidParameterCombination(
            "Addresses and a number of addresses may not be specified on the same request"
                .to_owned(),
        )),
    }
}

fn unmapped(address: Ipv4Addr) -> PrivateIpAddress {
    PrivateIpAddress {
        address,
        association: None,
    }
}

fn already_assigned(address: IpAddr) -> Error {
    Error::new(
        "Resource.AlreadyAssigned",
        format!("[{address}] assigned, but move is not allowed."),
    )
}

fn not_assigned(id: NetworkInterfaceId) -> Error {
    Error::InvalidParameterValue(format!(
        "Some of the specified addresses are not assigned to interface {id}"
    ))
}
