//! Subnets of interface endpoints, and the network interfaces in them.

use std::net::Ipv4Addr;

use ec2_api::SubnetConfiguration;
use model::{
    AvailabilityZone, EndpointSubnet, InterfaceEndpoint, InterfaceType, NetworkInterface,
    NetworkInterfaceId, Subnet, SubnetId, Tags, VpcEndpoint,
};

use super::interface::invalid;
use crate::network_interface::{self, AddressRequest, Wanted};
use crate::{Error, Transaction, parameter};

/// The addresses that a request chooses.
pub(super) struct Addresses(Vec<(SubnetId, Option<Ipv4Addr>)>);

impl Addresses {
    pub(super) fn parse(given: &[SubnetConfiguration]) -> Result<Self, Error> {
        let mut chosen: Vec<(SubnetId, Option<Ipv4Addr>)> = Vec::new();
        for one in given {
            parameter::refuse_unsupported(&[(one.ipv6.is_some(), "SubnetConfiguration.Ipv6")])?;
            let id = parameter::id(&one.subnet_id, "SubnetConfiguration.SubnetId")?;
            let address = one.ipv4.as_deref();
            let address = address
                .map(|text| parameter::ipv4(text, "Ipv4"))
                .transpose()?;
            if chosen.iter().any(|(other, _)| *other == id) {
                return Err(invalid(format!(
                    "Subnet {id} has more than one subnet configuration"
                )));
            }
            chosen.push((id, address));
        }
        Ok(Self(chosen))
    }

    /// Refuses addresses in subnets that the endpoint will not have.
    pub(super) fn check_named(&self, subnets: &[SubnetId]) -> Result<(), Error> {
        let stranger = self.0.iter().find(|(id, _)| !subnets.contains(id));
        stranger.map_or(Ok(()), |(id, _)| {
            Err(invalid(format!(
                "Subnet {id} of the subnet configuration is not among the endpoint's subnets"
            )))
        })
    }

    fn of(&self, id: SubnetId) -> Option<Ipv4Addr> {
        let chosen = self.0.iter().find(|(own, _)| *own == id);
        chosen.and_then(|(_, address)| *address)
    }
}

/// Adds subnets of the endpoint's VPC, with an interface in each.
pub(super) fn add(
    tx: &mut Transaction<'_>,
    endpoint: &VpcEndpoint,
    own: &mut InterfaceEndpoint,
    ids: &[SubnetId],
    addresses: &Addresses,
    zones: &[AvailabilityZone],
) -> Result<(), Error> {
    for &id in ids {
        let subnet = find(tx, id)?;
        if subnet.vpc_id != endpoint.vpc_id {
            return Err(invalid(format!(
                "Subnet {id} does not belong to VPC {}",
                endpoint.vpc_id
            )));
        }
        if !zones.contains(&subnet.zone) {
            return Err(invalid(format!(
                "The VPC endpoint service {} does not support the availability zone of the \
                 subnet: {id}.",
                endpoint.service_name
            )));
        }
        if own.subnets.iter().any(|other| other.zone == subnet.zone) {
            return Err(Error::new(
                "DuplicateSubnetsInSameZone",
                format!("Found another VPC endpoint subnet in the availability zone of {id}"),
            ));
        }
        own.subnets.push(EndpointSubnet {
            subnet_id: id,
            zone: subnet.zone,
            network_interface_id: interface(tx, endpoint, own, id, addresses.of(id))?,
        });
    }
    Ok(())
}

/// Takes subnets from an endpoint, with its interfaces there.
pub(super) fn remove(
    tx: &mut Transaction<'_>,
    endpoint: &VpcEndpoint,
    own: &mut InterfaceEndpoint,
    ids: &[SubnetId],
) -> Result<(), Error> {
    for &id in ids {
        let Some(at) = own.subnets.iter().position(|s| s.subnet_id == id) else {
            find(tx, id)?;
            return Err(invalid(format!(
                "Subnet {id} is not associated with VPC endpoint {}",
                endpoint.id
            )));
        };
        network_interface::delete(tx, own.subnets.remove(at).network_interface_id)?;
    }
    Ok(())
}

/// Gives an endpoint's subnets the addresses that are chosen for them: another address is another interface.
pub(super) fn move_to(
    tx: &mut Transaction<'_>,
    endpoint: &VpcEndpoint,
    own: &mut InterfaceEndpoint,
    ids: &[SubnetId],
    addresses: &Addresses,
) -> Result<(), Error> {
    for &id in ids {
        let Some(address) = addresses.of(id) else {
            continue;
        };
        let Some(at) = own.subnets.iter().position(|s| s.subnet_id == id) else {
            continue;
        };
        let before = own.subnets[at].network_interface_id;
        if tx.find::<NetworkInterface>(before)?.primary_ipv4() == Some(address) {
            continue;
        }
        network_interface::delete(tx, before)?;
        own.subnets[at].network_interface_id = interface(tx, endpoint, own, id, Some(address))?;
    }
    Ok(())
}

fn interface(
    tx: &mut Transaction<'_>,
    endpoint: &VpcEndpoint,
    own: &InterfaceEndpoint,
    subnet_id: SubnetId,
    address: Option<Ipv4Addr>,
) -> Result<NetworkInterfaceId, Error> {
    let wanted = Wanted {
        interface_type: InterfaceType::VpcEndpoint,
        subnet_id,
        description: format!("VPC Endpoint Interface {}", endpoint.id),
        groups: own.groups.clone(),
        addresses: AddressRequest {
            primary: address,
            // Even where a subnet gives them by itself.
            ipv6_count: Some(0),
            ..AddressRequest::default()
        },
        tags: Tags::default(),
    };
    Ok(network_interface::create(tx, wanted)?.id)
}

/// These actions have a spelling of their own for subnets that do not exist.
fn find(tx: &Transaction<'_>, id: SubnetId) -> Result<Subnet, Error> {
    tx.take::<Subnet>(id)
        .map_err(|error| Error::new("InvalidSubnetId.NotFound", error.to_string()))
}
