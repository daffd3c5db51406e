//! Network interfaces (Amazon EC2 User Guide, "Elastic network interfaces").

mod assignment;
mod attachment;
mod attribute;
mod describe;
mod dns_name;
mod private_address;
mod shape;

use ec2_api::{
    CreateNetworkInterfaceRequest, CreateNetworkInterfaceResponse, DeleteNetworkInterfaceRequest,
    DeleteNetworkInterfaceResponse,
};
use model::{
    FlowLogResource, InterfaceType, MacAddress, NetworkInterface, NetworkInterfaceId,
    PrivateIpAddress, SecurityGroup, SecurityGroupId, Subnet, SubnetId, Tags, VpcId,
};

use crate::{Error, Transaction, address, flow_log, internet_host, parameter, tag, token};

pub(crate) use assignment::{
    assign_ipv6_addresses, assign_private_ip_addresses, assign_secondary, list_or_count,
    unassign_ipv6_addresses, unassign_private_ip_addresses,
};
pub(crate) use attachment::{
    attach, attach_network_interface, detach, detach_network_interface, in_use,
};
pub(crate) use attribute::{
    describe_network_interface_attribute, modify_network_interface_attribute,
};
pub(crate) use describe::{FILTERS, describe_network_interfaces, filter_values};
pub(crate) use dns_name::{ip_name, public_name, resource_name};
pub(crate) use private_address::{AddressRequest, NO_FREE_ADDRESS, address_limit_exceeded};
pub(crate) use shape::{group_identifiers, network_interface as shape};

const ACTION: &str = "CreateNetworkInterface";

/// What a new network interface is to be like.
pub(crate) struct Wanted {
    pub(crate) interface_type: InterfaceType,
    pub(crate) subnet_id: SubnetId,
    pub(crate) description: String,
    /// The VPC's default one if there are none, but none for a service.
    pub(crate) groups: Vec<SecurityGroupId>,
    pub(crate) addresses: AddressRequest,
    pub(crate) tags: Tags,
}

pub(crate) fn create_network_interface(
    tx: &mut Transaction<'_>,
    request: &CreateNetworkInterfaceRequest,
) -> Result<CreateNetworkInterfaceResponse, Error> {
    let without_token = CreateNetworkInterfaceRequest {
        client_token: None,
        dry_run: None,
        ..request.clone()
    };
    let id = token::once(tx, ACTION, &request.client_token, &without_token, |tx| {
        let wanted = Wanted {
            interface_type: InterfaceType::Interface,
            subnet_id: parameter::id(&request.subnet_id, "SubnetId")?,
            description: description(&request.description)?,
            groups: parameter::optional_ids(&request.groups)?,
            addresses: AddressRequest::of_interface(request)?,
            tags: tag::from_specifications(
                tx,
                &request.tag_specifications,
                "network-interface",
                &["network-interface"],
            )?,
        };
        refuse_unsupported(request)?;
        Ok(create(tx, wanted)?.id)
    })?;
    Ok(CreateNetworkInterfaceResponse {
        network_interface: Some(shape::network_interface(tx, tx.find(id)?)),
        client_token: request.client_token.clone(),
    })
}

pub(crate) fn delete_network_interface(
    tx: &mut Transaction<'_>,
    request: &DeleteNetworkInterfaceRequest,
) -> Result<DeleteNetworkInterfaceResponse, Error> {
    let id = parameter::id(&request.network_interface_id, "NetworkInterfaceId")?;
    let eni = tx.find::<NetworkInterface>(id)?;
    check_not_of_endpoint(eni)?;
    if eni.is_in_use() {
        return Err(Error::InvalidParameterValue(format!(
            "Network interface '{id}' is currently in use."
        )));
    }
    delete(tx, id)?;
    Ok(DeleteNetworkInterfaceResponse {})
}

/// Makes a network interface, attached to nothing.
pub(crate) fn create(tx: &mut Transaction<'_>, wanted: Wanted) -> Result<NetworkInterface, Error> {
    let subnet = tx.take::<Subnet>(wanted.subnet_id)?;
    tx.quotas()
        .network_interfaces(tx.state().network_interfaces.len())?;
    let is_managed = wanted.interface_type.is_requester_managed();
    let groups = match is_managed {
        true => wanted.groups,
        false => groups(tx, &wanted.groups, &subnet)?,
    };
    let (ipv4, ipv6_addresses) = wanted.addresses.allocate(tx, &subnet)?;
    let unmapped = |address| PrivateIpAddress {
        address,
        association: None,
    };
    let eni = NetworkInterface {
        id: tx.id(),
        interface_type: wanted.interface_type,
        subnet_id: subnet.id,
        vpc_id: subnet.vpc_id,
        description: wanted.description,
        mac: unused_mac(tx)?,
        private_ip_addresses: ipv4.into_iter().map(unmapped).collect(),
        ipv6_addresses,
        groups,
        source_dest_check: !is_managed || wanted.interface_type == InterfaceType::VpcEndpoint,
        associate_public_ip_address: false,
        attachment: None,
        created_at: tx.now(),
        tags: wanted.tags,
    };
    tx.put(eni.id, eni.clone());
    Ok(eni)
}

/// A copy of an interface that is its owner's to change, not that of a service (Amazon EC2 User Guide,
/// "Requester-managed network interfaces").
pub(crate) fn own(tx: &Transaction<'_>, id: NetworkInterfaceId) -> Result<NetworkInterface, Error> {
    let eni = tx.take::<NetworkInterface>(id)?;
    check_not_of_endpoint(&eni)?;
    if eni.interface_type.is_requester_managed() {
        return Err(Error::not_yours());
    }
    Ok(eni)
}

/// Endpoints have a code of their own for their interfaces.
fn check_not_of_endpoint(eni: &NetworkInterface) -> Result<(), Error> {
    match eni.interface_type {
        InterfaceType::VpcEndpoint => Err(Error::new(
            "OperationNotPermitted",
            format!(
                "The network interface '{}' is managed by a VPC endpoint and cannot be changed.",
                eni.id
            ),
        )),
        _ => Ok(()),
    }
}

/// Deletes a network interface with its flow logs; Elastic IP addresses stay, mapped to nothing.
pub(crate) fn delete(tx: &mut Transaction<'_>, id: NetworkInterfaceId) -> Result<(), Error> {
    for private in tx.take::<NetworkInterface>(id)?.private_ip_addresses {
        address::unmap(tx, id, private.address)?;
    }
    tx.delete::<NetworkInterface>(id);
    flow_log::delete_for(tx, FlowLogResource::NetworkInterface(id));
    Ok(())
}

/// The groups that an interface in a subnet carries: those given, else the VPC's default one.
pub(crate) fn groups(
    tx: &Transaction<'_>,
    given: &[SecurityGroupId],
    subnet: &Subnet,
) -> Result<Vec<SecurityGroupId>, Error> {
    if given.is_empty() {
        return Ok(default_group(tx, subnet.vpc_id));
    }
    let mut groups = Vec::new();
    for &id in given {
        if !tx.find::<SecurityGroup>(id)?.is_for(subnet.vpc_id) {
            return Err(Error::new(
                "InvalidParameter",
                format!(
                    "Security group {id} and subnet {} belong to different networks.",
                    subnet.id
                ),
            ));
        }
        if !groups.contains(&id) {
            tx.quotas().security_groups_per_interface(groups.len())?;
            groups.push(id);
        }
    }
    Ok(groups)
}

/// How many addresses the interface has of the family that it has most of.
pub(crate) fn largest_family(eni: &NetworkInterface) -> usize {
    eni.private_ip_addresses.len().max(eni.ipv6_addresses.len())
}

/// A description of at most 255 characters.
pub(crate) fn description(given: &Option<String>) -> Result<String, Error> {
    let description = given.clone().unwrap_or_default();
    if description.chars().count() > DESCRIPTION_MAX {
        return Err(Error::InvalidParameterValue(format!(
            "Description exceeds the maximum length of {DESCRIPTION_MAX} characters"
        )));
    }
    Ok(description)
}

fn default_group(tx: &Transaction<'_>, vpc_id: VpcId) -> Vec<SecurityGroupId> {
    let group = tx.state().default_security_group(vpc_id);
    group.map(|g| g.id).into_iter().collect()
}

fn unused_mac(tx: &mut Transaction<'_>) -> Result<MacAddress, Error> {
    for _ in 0..ATTEMPTS_MAX {
        let mac = internet_host::mac(tx.random());
        let taken = tx.states().any(|(_, state)| {
            state.network_interfaces.has_mac(mac)
                || state.internet_hosts.values().any(|host| host.mac == mac)
        });
        if !taken {
            return Ok(mac);
        }
    }
    Err(Error::new(
        "InternalError",
        "No unused MAC address was found.",
    ))
}

fn refuse_unsupported(request: &CreateNetworkInterfaceRequest) -> Result<(), Error> {
    let kind = request.interface_type.as_deref().unwrap_or("interface");
    let unsupported = [
        (kind != "interface", "InterfaceType"),
        (!request.ipv4_prefixes.is_empty(), "Ipv4Prefix"),
        (request.ipv4_prefix_count.is_some(), "Ipv4PrefixCount"),
        (!request.ipv6_prefixes.is_empty(), "Ipv6Prefix"),
        (request.ipv6_prefix_count.is_some(), "Ipv6PrefixCount"),
        (
            request.enable_primary_ipv6 == Some(true),
            "EnablePrimaryIpv6",
        ),
        (
            request.connection_tracking_specification.is_some(),
            "ConnectionTrackingSpecification",
        ),
        (request.operator.is_some(), "Operator"),
    ];
    parameter::refuse_unsupported(&unsupported)
}

const DESCRIPTION_MAX: usize = 255;
const ATTEMPTS_MAX: usize = 64;
