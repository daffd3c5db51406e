//! Network interfaces as answers show them.

use ec2_api::{
    GroupIdentifier, NetworkInterfaceAssociation, NetworkInterfaceAttachment,
    NetworkInterfaceIpv6Address, NetworkInterfacePrivateIpAddress, OperatorResponse,
};
use model::{
    Attachment, Id, NetworkInterface, NetworkInterfaceId, PrivateIpAddress, PublicIpAssociation,
    SecurityGroupId, VpcId,
};

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
        requester_id: is_service(eni).then(|| REQUESTER_ID.to_owned()),
        requester_managed: Some(is_service(eni)),
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
    if in_use(eni) { "in-use" } else { "available" }
}

/// Whether it is attached to an instance, or to a service's own.
pub(crate) fn in_use(eni: &NetworkInterface) -> bool {
    eni.attachment.is_some() || is_service(eni)
}

fn is_service(eni: &NetworkInterface) -> bool {
    eni.interface_type.is_requester_managed()
}

/// The attachment to an instance, or to what a service runs.
pub(crate) fn attachment(
    tx: &Transaction<'_>,
    eni: &NetworkInterface,
) -> Option<NetworkInterfaceAttachment> {
    let service = || {
        let digits = eni.id.to_string();
        let digits = digits.trim_start_matches(NetworkInterfaceId::PREFIX);
        is_service(eni).then(|| NetworkInterfaceAttachment {
            attachment_id: Some(format!("{REQUESTER_ATTACHMENT}{digits}")),
            delete_on_termination: Some(false),
            device_index: Some(1),
            network_card_index: Some(0),
            instance_owner_id: Some("amazon-aws".to_owned()),
            status: Some("attached".to_owned()),
            ..Default::default()
        })
    };
    let own = eni.attachment.as_ref();
    own.map(|own| to_instance(tx, own)).or_else(service)
}

fn to_instance(tx: &Transaction<'_>, attachment: &Attachment) -> NetworkInterfaceAttachment {
    NetworkInterfaceAttachment {
        attach_time: Some(attachment.attach_time.to_string()),
        attachment_id: Some(attachment.id.to_string()),
        delete_on_termination: Some(attachment.delete_on_termination),
        device_index: Some(attachment.device_index.into()),
        network_card_index: Some(0),
        instance_id: Some(attachment.instance_id.to_string()),
        instance_owner_id: Some(tx.scope().account.to_string()),
        status: Some("attached".to_owned()),
        ..Default::default()
    }
}

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

/// How ids of attachments begin that a service keeps.
pub(super) const REQUESTER_ATTACHMENT: &str = "ela-attach-";
/// The account that services make interfaces by.
const REQUESTER_ID: &str = "727180483921";
