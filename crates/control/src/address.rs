//! Elastic IP addresses (Amazon EC2 User Guide, "Elastic IP addresses").

mod association;
mod pool;

use std::net::Ipv4Addr;

use ec2_api::{
    AddressAttribute, AllocateAddressRequest, AllocateAddressResponse,
    DescribeAddressesAttributeRequest, DescribeAddressesAttributeResponse,
    DescribeAddressesRequest, DescribeAddressesResponse, ReleaseAddressRequest,
    ReleaseAddressResponse,
};
use model::{Address, AddressAssociation, AllocationId, NetworkInterface, Tags, Vpc};

use crate::filter::{Filters, optional};
use crate::page::Page;
use crate::{Error, Transaction, parameter, tag};

pub(crate) use association::{
    already_associated, associate_address, disassociate_address, expose, map, map_to_nat_gateway,
    move_association, unmap, unmap_from_nat_gateway,
};
pub(crate) use pool::{assign_automatic, release_automatic};

pub(crate) fn allocate_address(
    tx: &mut Transaction<'_>,
    request: &AllocateAddressRequest,
) -> Result<AllocateAddressResponse, Error> {
    let region = tx.scope().region.name();
    parameter::one_of(
        request.domain.as_deref().unwrap_or("vpc"),
        "domain",
        &["vpc"],
    )?;
    let group = request.network_border_group.as_deref().unwrap_or(region);
    parameter::one_of(group, "networkBorderGroup", &[region])?;
    let pool = request.public_ipv4_pool.as_deref().unwrap_or("amazon");
    parameter::refuse_unsupported(&[
        (pool != "amazon", "PublicIpv4Pool"),
        (
            request.customer_owned_ipv4_pool.is_some(),
            "CustomerOwnedIpv4Pool",
        ),
        (request.ipam_pool_id.is_some(), "IpamPoolId"),
    ])?;
    let tags = tag::from_specifications(
        tx,
        &request.tag_specifications,
        "elastic-ip",
        &["elastic-ip"],
    )?;
    // Those that a service has allocated are not the account's own doing.
    let own = tx.rows::<Address>().filter(|a| !a.service_managed);
    tx.quotas().addresses(own.count())?;
    let public_ip = match &request.address {
        Some(text) => {
            let wanted = parameter::ipv4(text, "address")?;
            pool::take(tx, wanted).ok_or_else(|| unknown_address(wanted))?
        }
        None => pool::pick(tx)?,
    };
    let address = Address {
        allocation_id: tx.id(),
        public_ip,
        association: None,
        service_managed: false,
        tags,
    };
    let answer = AllocateAddressResponse {
        allocation_id: Some(address.allocation_id.to_string()),
        public_ip: Some(public_ip.to_string()),
        domain: Some("vpc".to_owned()),
        public_ipv4_pool: Some("amazon".to_owned()),
        network_border_group: Some(region.to_owned()),
        ..Default::default()
    };
    tx.put(address.allocation_id, address);
    Ok(answer)
}

/// Allocates an address for a regional NAT gateway, which will release it.
pub(crate) fn allocate_managed(tx: &mut Transaction<'_>) -> Result<AllocationId, Error> {
    let public_ip = pool::pick(tx)?;
    let address = Address {
        allocation_id: tx.id(),
        public_ip,
        association: None,
        service_managed: true,
        tags: Tags::new(),
    };
    let id = address.allocation_id;
    tx.put(id, address);
    Ok(id)
}

pub(crate) fn release_address(
    tx: &mut Transaction<'_>,
    request: &ReleaseAddressRequest,
) -> Result<ReleaseAddressResponse, Error> {
    let region = tx.scope().region.name();
    let group = request.network_border_group.as_deref().unwrap_or(region);
    parameter::one_of(group, "networkBorderGroup", &[region])?;
    let address = named(tx, &request.allocation_id, &request.public_ip)?;
    if address.service_managed {
        return Err(Error::not_yours());
    }
    if let Some(association) = &address.association {
        let eni = association::own_interface(tx, association)?;
        if !tx.find::<Vpc>(eni.vpc_id)?.is_default {
            return Err(Error::new(
                "InvalidIPAddress.InUse",
                format!("Address {} is in use.", address.public_ip),
            ));
        }
        association::disassociate(tx, &address)?;
    }
    tx.delete::<Address>(address.allocation_id);
    Ok(ReleaseAddressResponse {})
}

pub(crate) fn describe_addresses(
    tx: &mut Transaction<'_>,
    request: &DescribeAddressesRequest,
) -> Result<DescribeAddressesResponse, Error> {
    let ids: Vec<AllocationId> = parameter::optional_ids(&request.allocation_ids)?;
    let filters = Filters::parse(&request.filters, FILTERS)?;
    for &id in &ids {
        tx.find::<Address>(id)?;
    }
    let mut public_ips = Vec::new();
    for text in &request.public_ips {
        let public_ip = parameter::ipv4(text, "publicIp")?;
        by_public_ip(tx, public_ip)?;
        public_ips.push(public_ip);
    }
    let chosen = |a: &&Address| {
        let all = ids.is_empty() && public_ips.is_empty();
        all || ids.contains(&a.allocation_id) || public_ips.contains(&a.public_ip)
    };
    let addresses = tx
        .rows::<Address>()
        .filter(chosen)
        .map(|a| (a, shape(tx, a)))
        .filter(|(row, a)| filters.matches(&row.tags, |name| filter_values(a, name)))
        .map(|(_, a)| a)
        .collect();
    Ok(DescribeAddressesResponse { addresses })
}

/// Lists addresses by what is said of their reverse DNS names, which none has here.
pub(crate) fn describe_addresses_attribute(
    tx: &mut Transaction<'_>,
    request: &DescribeAddressesAttributeRequest,
) -> Result<DescribeAddressesAttributeResponse, Error> {
    let ids: Vec<AllocationId> = parameter::optional_ids(&request.allocation_ids)?;
    if let Some(other) = request.attribute.as_deref().filter(|a| *a != "domain-name") {
        return Err(Error::invalid_value("attribute", other, ""));
    }
    let (size, token) = (request.max_results, &request.next_token);
    let page = Page::parse(size, token, !ids.is_empty(), 1..=1000)?;
    for &id in &ids {
        tx.find::<Address>(id)?;
    }
    let rows = tx.rows::<Address>();
    let rows = rows.filter(|a| ids.is_empty() || ids.contains(&a.allocation_id));
    let (rows, next_token) = page.take(rows.collect(), |a| a.allocation_id.to_string());
    let shape = |address: &Address| AddressAttribute {
        public_ip: Some(address.public_ip.to_string()),
        allocation_id: Some(address.allocation_id.to_string()),
        ..Default::default()
    };
    Ok(DescribeAddressesAttributeResponse {
        addresses: rows.into_iter().map(shape).collect(),
        next_token,
    })
}

/// The address that a request names by its allocation or by itself.
fn named(
    tx: &Transaction<'_>,
    allocation_id: &Option<String>,
    public_ip: &Option<String>,
) -> Result<Address, Error> {
    match (allocation_id, public_ip) {
        (Some(_), Some(_)) => Err(Error::InvalidParameterCombination(
            "You may specify public IP or allocation id, but not both in the same call".to_owned(),
        )),
        (None, None) => Err(Error::MissingParameter("AllocationId")),
        (Some(_), None) => tx.take(parameter::id(allocation_id, "AllocationId")?),
        (None, Some(text)) => by_public_ip(tx, parameter::ipv4(text, "publicIp")?).cloned(),
    }
}

fn by_public_ip<'a>(tx: &'a Transaction<'_>, public_ip: Ipv4Addr) -> Result<&'a Address, Error> {
    let mut rows = tx.rows::<Address>();
    rows.find(|a| a.public_ip == public_ip)
        .ok_or_else(|| unknown_address(public_ip))
}

fn unknown_address(address: Ipv4Addr) -> Error {
    Error::new(
        "InvalidAddress.NotFound",
        format!("Address '{address}' not found."),
    )
}

fn shape(tx: &Transaction<'_>, address: &Address) -> ec2_api::Address {
    let association = address.association.as_ref();
    let eni = association.and_then(|a| {
        let table = &tx.state().network_interfaces;
        table.get(&a.network_interface_id()?)
    });
    ec2_api::Address {
        allocation_id: Some(address.allocation_id.to_string()),
        association_id: association.map(|a| a.id.to_string()),
        domain: Some("vpc".to_owned()),
        network_interface_id: eni.map(|e| e.id.to_string()),
        network_interface_owner_id: eni.map(|_| tx.scope().account.to_string()),
        private_ip_address: association
            .and_then(AddressAssociation::private_ip_address)
            .map(|a| a.to_string()),
        tags: tag::tag_set(&address.tags),
        public_ipv4_pool: Some("amazon".to_owned()),
        network_border_group: Some(tx.scope().region.to_string()),
        subnet_id: eni.map(|e| e.subnet_id.to_string()),
        instance_id: eni
            .and_then(NetworkInterface::instance_id)
            .map(|id| id.to_string()),
        public_ip: Some(address.public_ip.to_string()),
        service_managed: address.service_managed.then(|| "rnat".to_owned()),
        ..Default::default()
    }
}

fn filter_values(address: &ec2_api::Address, name: &str) -> Vec<String> {
    let value = match name {
        "allocation-id" => &address.allocation_id,
        "association-id" => &address.association_id,
        "domain" => &address.domain,
        "instance-id" => &address.instance_id,
        "network-border-group" => &address.network_border_group,
        "network-interface-id" => &address.network_interface_id,
        "network-interface-owner-id" => &address.network_interface_owner_id,
        "private-ip-address" => &address.private_ip_address,
        "public-ip" => &address.public_ip,
        _ => &None,
    };
    optional(value.clone())
}

const FILTERS: &[&str] = &[
    "allocation-id",
    "association-id",
    "domain",
    "instance-id",
    "network-border-group",
    "network-interface-id",
    "network-interface-owner-id",
    "private-ip-address",
    "public-ip",
];
