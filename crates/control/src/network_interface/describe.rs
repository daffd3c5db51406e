//! DescribeNetworkInterfaces, and the filters that it shares with DescribeInstances.

use std::collections::BTreeSet;

use ec2_api::{
    DescribeNetworkInterfacesRequest, DescribeNetworkInterfacesResponse,
    NetworkInterfaceAssociation,
};
use model::{
    InstanceId, InterfaceType, NetworkInterface, NetworkInterfaceId, NetworkInterfaces, Owner,
    SecurityGroupId, SubnetId, VpcId,
};

use super::shape;
use crate::filter::{Filters, boolean, optional};
use crate::page::Page;
use crate::{Error, Transaction, parameter};

pub(crate) fn describe_network_interfaces(
    tx: &mut Transaction<'_>,
    request: &DescribeNetworkInterfacesRequest,
) -> Result<DescribeNetworkInterfacesResponse, Error> {
    let ids: Vec<NetworkInterfaceId> = parameter::optional_ids(&request.network_interface_ids)?;
    let page = Page::parse(
        request.max_results,
        &request.next_token,
        !ids.is_empty(),
        Page::USUAL,
    )?;
    let filters = Filters::parse(&request.filters, FILTERS)?;
    for &id in &ids {
        tx.find::<NetworkInterface>(id)?;
    }
    // Whether an id is one of those that a filter names; what most ask for, and cheaper to tell than by its text.
    let subnets = filters.ids::<SubnetId>("subnet-id");
    let vpcs = filters.ids::<VpcId>("vpc-id");
    let groups = filters.ids::<SecurityGroupId>("group-id");
    let instances = filters.ids::<InstanceId>("attachment.instance-id");
    let may_pass = |eni: &&NetworkInterface| {
        is_among(&subnets, [eni.subnet_id])
            && is_among(&vpcs, [eni.vpc_id])
            && is_among(&groups, eni.groups.iter().copied())
            && is_among(&instances, eni.instance_id())
    };
    let named = Some(ids).filter(|ids| !ids.is_empty());
    let named = named.or(filters.ids("network-interface-id"));
    // What those that pass belong to; most ask by one of these.
    let owners = owners(&instances, Owner::Instance)
        .or_else(|| owners(&subnets, Owner::Subnet))
        .or_else(|| owners(&groups, Owner::SecurityGroup))
        .or_else(|| owners(&vpcs, Owner::Vpc));
    let after = page.after()?;
    let passing = candidates(&tx.state().network_interfaces, named, owners.as_deref())
        .filter(|eni| after.is_none_or(|after| eni.id > after))
        .filter(may_pass)
        .filter(|eni| filters.matches(&eni.tags, |name| filter_values(tx, eni, name)));
    let (rows, next_token) = page.take_by_id(passing, |eni: &&NetworkInterface| eni.id)?;
    Ok(DescribeNetworkInterfacesResponse {
        network_interfaces: rows
            .into_iter()
            .map(|eni| shape::network_interface(tx, eni))
            .collect(),
        next_token,
    })
}

/// The network interfaces that are named, or those of the owners, or all; in the order of their ids.
fn candidates<'a>(
    table: &'a NetworkInterfaces,
    named: Option<Vec<NetworkInterfaceId>>,
    owners: Option<&[Owner]>,
) -> Box<dyn Iterator<Item = &'a NetworkInterface> + 'a> {
    let listed: BTreeSet<NetworkInterfaceId> = match (named, owners) {
        (Some(ids), _) => ids.into_iter().collect(),
        (None, Some([owner])) => return Box::new(table.of(*owner)),
        (None, Some(owners)) => owners.iter().flat_map(|of| table.ids_of(*of)).collect(),
        (None, None) => return Box::new(table.values()),
    };
    Box::new(listed.into_iter().filter_map(|id| table.get(&id)))
}

/// What the ids of a filter name.
fn owners<T: Copy>(ids: &Option<Vec<T>>, owner: fn(T) -> Owner) -> Option<Vec<Owner>> {
    let ids = ids.as_ref()?;
    Some(ids.iter().map(|id| owner(*id)).collect())
}

/// Whether one of `own` is wanted; all are where nothing is said.
fn is_among<T: PartialEq>(wanted: &Option<Vec<T>>, own: impl IntoIterator<Item = T>) -> bool {
    let Some(wanted) = wanted else {
        return true;
    };
    own.into_iter().any(|one| wanted.contains(&one))
}

/// The filters of DescribeNetworkInterfaces.
pub(crate) const FILTERS: &[&str] = &[
    "addresses.association.owner-id",
    "addresses.association.public-ip",
    "addresses.primary",
    "addresses.private-ip-address",
    "association.allocation-id",
    "association.association-id",
    "association.ip-owner-id",
    "association.public-dns-name",
    "association.public-ip",
    "attachment.attach-time",
    "attachment.attachment-id",
    "attachment.delete-on-termination",
    "attachment.device-index",
    "attachment.instance-id",
    "attachment.instance-owner-id",
    "attachment.network-card-index",
    "attachment.status",
    "availability-zone",
    "availability-zone-id",
    "description",
    "group-id",
    "group-name",
    "interface-type",
    "ipv6-addresses.ipv6-address",
    "mac-address",
    "network-interface-id",
    "operator.managed",
    "owner-id",
    "private-dns-name",
    "private-ip-address",
    "requester-id",
    "requester-managed",
    "source-dest-check",
    "status",
    "subnet-id",
    "vpc-id",
];

/// What an interface has for a filter.
pub(crate) fn filter_values(
    tx: &Transaction<'_>,
    eni: &NetworkInterface,
    name: &str,
) -> Vec<String> {
    if let Some(name) = name.strip_prefix("attachment.") {
        return attachment_values(tx, eni, name);
    }
    let associations = |of: fn(NetworkInterfaceAssociation) -> Option<String>| {
        shape::associations(tx, eni).filter_map(of).collect()
    };
    let addresses = eni.private_ip_addresses.iter();
    let groups = || shape::group_identifiers(tx, &eni.groups).into_iter();
    let zone = tx.state().subnets.get(&eni.subnet_id).map(|s| s.zone);
    match name {
        "addresses.association.owner-id" | "association.ip-owner-id" => {
            associations(|a| a.ip_owner_id)
        }
        "addresses.association.public-ip" | "association.public-ip" => {
            associations(|a| a.public_ip)
        }
        "addresses.primary" => addresses
            .enumerate()
            .map(|(position, _)| (position == 0).to_string())
            .collect(),
        "addresses.private-ip-address" => addresses.map(|p| p.address.to_string()).collect(),
        "association.allocation-id" => associations(|a| a.allocation_id),
        "association.association-id" => associations(|a| a.association_id),
        "association.public-dns-name" => associations(|a| a.public_dns_name),
        "availability-zone" => optional(zone),
        "availability-zone-id" => optional(zone.map(model::AvailabilityZone::zone_id)),
        "description" => vec![eni.description.clone()],
        "group-id" => groups().filter_map(|g| g.group_id).collect(),
        "group-name" => groups().filter_map(|g| g.group_name).collect(),
        "interface-type" => interface_types(eni),
        "ipv6-addresses.ipv6-address" => {
            eni.ipv6_addresses.iter().map(ToString::to_string).collect()
        }
        "mac-address" => vec![eni.mac.to_string()],
        "network-interface-id" => vec![eni.id.to_string()],
        "operator.managed" => boolean(false),
        "requester-id" => optional(shape::requester_id(eni)),
        "requester-managed" => boolean(eni.interface_type.is_requester_managed()),
        "owner-id" => vec![tx.scope().account.to_string()],
        "private-dns-name" => optional(eni.primary_ipv4().map(|a| super::ip_name(tx, a))),
        "private-ip-address" => optional(eni.primary_ipv4()),
        "source-dest-check" => boolean(eni.source_dest_check),
        "status" => vec![shape::status(eni).to_owned()],
        "subnet-id" => vec![eni.subnet_id.to_string()],
        "vpc-id" => vec![eni.vpc_id.to_string()],
        _ => Vec::new(),
    }
}

/// The type as answers have it, and as the filter's documentation spells it.
fn interface_types(eni: &NetworkInterface) -> Vec<String> {
    let mut names = vec![eni.interface_type.name().to_owned()];
    if eni.interface_type == InterfaceType::NatGateway {
        names.push("nat_gateway".to_owned());
    }
    names
}

fn attachment_values(tx: &Transaction<'_>, eni: &NetworkInterface, name: &str) -> Vec<String> {
    let Some(attachment) = shape::attachment(tx, eni) else {
        return match name {
            "status" => vec!["detached".to_owned()],
            _ => Vec::new(),
        };
    };
    match name {
        "attach-time" => optional(attachment.attach_time),
        "attachment-id" => optional(attachment.attachment_id),
        "delete-on-termination" => optional(attachment.delete_on_termination),
        "device-index" => optional(attachment.device_index),
        "instance-id" => optional(attachment.instance_id),
        "instance-owner-id" => optional(attachment.instance_owner_id),
        "network-card-index" => optional(attachment.network_card_index),
        "status" => optional(attachment.status),
        _ => Vec::new(),
    }
}
