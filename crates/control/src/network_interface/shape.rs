//! Network interfaces as answers show them.

use ec2_api::{
    GroupIdentifier, NetworkInterfaceAssociation, NetworkInterfaceAttachment,
    NetworkInterfaceIpv6Address, NetworkInterfacePrivateIpAddress, OperatorResponse,
};
use model::id::Id;
use model::{
    InterfaceType, NetworkInterface, NetworkInterfaceId, PrivateIpAddress, PublicIpAssociation,
    SecurityGroupId, VpcId,
};

use super::attachment::MANAGED;
use super::dns_name::{ip_name, public_name};
use crate::{Transaction, tag};

/// The whole interface.
pub(crate) fn network_interface(
    tx: &Transaction<'_>,
    eni: &NetworkInterface,
) -> ec2_api::NetworkInterface {
    let subnet = tx.state().subnets.get(&eni.subnet_id);
    let primary = eni.private_ip_addresses.first();
    let mapping = primary.and_then(|p| p.association.as_ref());
    let association = mapping.map(|a| association(tx, eni.vpc_id, a));
    ec2_api::NetworkInterface {
        public_dns_name: association.as_ref().and_then(|a| a.public_dns_name.clone()),
        association,
        attachment: attachment(tx, eni),
        availability_zone: subnet.map(|s| s.zone.to_string()),
        availability_zone_id: subnet.map(|s| s.zone.zone_id()),
        description: Some(eni.description.clone()),
        groups: group_identifiers(tx, &eni.groups),
        interface_type: Some(eni.interface_type.name().to_owned()),
        ipv6_addresses: eni.ipv6_addresses.iter().map(ipv6_address).collect(),
        ipv6_address: eni.ipv6_addresses.first().map(ToString::to_string),
        mac_address: Some(eni.mac.to_string()),
        network_interface_id: Some(eni.id.to_string()),
        owner_id: Some(tx.scope().account.to_string()),
        private_dns_name: primary.map(|p| ip_name(tx, p.address)),
        private_ip_address: primary.map(|p| p.address.to_string()),
        private_ip_addresses: private_addresses(tx, eni),
        requester_id: requester_id(eni).map(str::to_owned),
        requester_managed: Some(eni.interface_type.is_requester_managed()),
        source_dest_check: Some(eni.source_dest_check),
        status: Some(status(eni).to_owned()),
        subnet_id: Some(eni.subnet_id.to_string()),
        tag_set: tag::tag_set(&eni.tags),
        vpc_id: Some(eni.vpc_id.to_string()),
        operator: Some(OperatorResponse {
            managed: Some(false),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// `available` or `in-use`.
pub(crate) fn status(eni: &NetworkInterface) -> &'static str {
    if eni.is_in_use() {
        "in-use"
    } else {
        "available"
    }
}

/// The attachment to an instance, or to what a service has made the interface for.
pub(crate) fn attachment(
    tx: &Transaction<'_>,
    eni: &NetworkInterface,
) -> Option<NetworkInterfaceAttachment> {
    if eni.interface_type.is_requester_managed() {
        return Some(managed_attachment(eni));
    }
    let attachment = eni.attachment.as_ref()?;
    Some(NetworkInterfaceAttachment {
        attach_time: Some(attachment.attach_time.to_string()),
        attachment_id: Some(attachment.id.to_string()),
        delete_on_termination: Some(attachment.delete_on_termination),
        device_index: Some(attachment.device_index.into()),
        network_card_index: Some(0),
        instance_id: Some(attachment.instance_id.to_string()),
        instance_owner_id: Some(tx.scope().account.to_string()),
        status: Some("attached".to_owned()),
        ..Default::default()
    })
}

fn managed_attachment(eni: &NetworkInterface) -> NetworkInterfaceAttachment {
    let id = eni.id.to_string();
    let body = id.trim_start_matches(NetworkInterfaceId::PREFIX);
    NetworkInterfaceAttachment {
        attach_time: Some(eni.created_at.to_string()),
        attachment_id: Some(format!("{MANAGED}-{body}")),
        delete_on_termination: Some(false),
        device_index: Some(1),
        network_card_index: Some(0),
        instance_owner_id: Some(AMAZON.to_owned()),
        status: Some("attached".to_owned()),
        ..Default::default()
    }
}

/// Who has made an interface, if not its owner.
pub(crate) fn requester_id(eni: &NetworkInterface) -> Option<&'static str> {
    match eni.interface_type {
        InterfaceType::Interface => None,
        InterfaceType::VpcEndpoint => Some(PRIVATE_LINK),
        InterfaceType::NatGateway | InterfaceType::NetworkLoadBalancer => Some(AMAZON),
    }
}

/// The owner of what interfaces of services are attached to.
const AMAZON: &str = "amazon-aws";
/// The account of those who make interfaces of endpoints.
const PRIVATE_LINK: &str = "727180483921";

/// The public address mapped to a private one.
pub(crate) fn association(
    tx: &Transaction<'_>,
    vpc_id: VpcId,
    association: &PublicIpAssociation,
) -> NetworkInterfaceAssociation {
    let owner = match association.elastic {
        Some(_) => tx.scope().account.to_string(),
        None => "amazon".to_owned(),
    };
    NetworkInterfaceAssociation {
        allocation_id: association.elastic.map(|(id, _)| id.to_string()),
        association_id: association.elastic.map(|(_, id)| id.to_string()),
        ip_owner_id: Some(owner),
        public_dns_name: public_name(tx, vpc_id, association.public_ip),
        public_ip: Some(association.public_ip.to_string()),
        ..Default::default()
    }
}

/// Every mapping of the interface, that of the primary address first.
pub(crate) fn associations<'a>(
    tx: &'a Transaction<'_>,
    eni: &'a NetworkInterface,
) -> impl Iterator<Item = NetworkInterfaceAssociation> + 'a {
    let mapped = eni.private_ip_addresses.iter();
    mapped
        .filter_map(|p| p.association.as_ref())
        .map(|a| association(tx, eni.vpc_id, a))
}

/// Ids of security groups with their names.
pub(crate) fn group_identifiers(
    tx: &Transaction<'_>,
    groups: &[SecurityGroupId],
) -> Vec<GroupIdentifier> {
    let identifier = |id: &SecurityGroupId| GroupIdentifier {
        group_id: Some(id.to_string()),
        group_name: tx.state().security_groups.get(id).map(|g| g.name.clone()),
    };
    groups.iter().map(identifier).collect()
}

fn private_addresses(
    tx: &Transaction<'_>,
    eni: &NetworkInterface,
) -> Vec<NetworkInterfacePrivateIpAddress> {
    let shape = |(position, private): (usize, &PrivateIpAddress)| {
        let mapping = private.association.as_ref();
        NetworkInterfacePrivateIpAddress {
            association: mapping.map(|a| association(tx, eni.vpc_id, a)),
            primary: Some(position == 0),
            private_dns_name: Some(ip_name(tx, private.address)),
            private_ip_address: Some(private.address.to_string()),
        }
    };
    let numbered = eni.private_ip_addresses.iter().enumerate();
    numbered.map(shape).collect()
}

fn ipv6_address(address: &std::net::Ipv6Addr) -> NetworkInterfaceIpv6Address {
    NetworkInterfaceIpv6Address {
        ipv6_address: Some(address.to_string()),
        is_primary_ipv6: Some(false),
        ..Default::default()
    }
}
