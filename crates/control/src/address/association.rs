//! Mapping Elastic IP addresses to private ones. The address and the interface record the same
//! association; everything here changes both.

use std::net::Ipv4Addr;

use ec2_api::{
    AssociateAddressRequest, AssociateAddressResponse, DisassociateAddressRequest,
    DisassociateAddressResponse,
};
use model::{
    Address, AddressAssociation, AddressAssociationId, AddressTarget, AllocationId, Instance,
    InstanceId, InstanceState, NatGatewayId, NetworkInterface, NetworkInterfaceId,
    PublicIpAssociation,
};

use super::{by_public_ip, named, pool};
use crate::{Error, Transaction, instance, network_interface, parameter};

pub(crate) fn associate_address(
    tx: &mut Transaction<'_>,
    request: &AssociateAddressRequest,
) -> Result<AssociateAddressResponse, Error> {
    let address = named(tx, &request.allocation_id, &request.public_ip)?;
    let eni = target(tx, request)?;
    let private = match &request.private_ip_address {
        Some(text) => Some(parameter::ipv4(text, "privateIpAddress")?),
        None => eni.primary_ipv4(),
    };
    let own = |a: &Ipv4Addr| eni.private_ip_addresses.iter().any(|p| p.address == *a);
    let Some(private) = private.filter(own) else {
        let value = request.private_ip_address.clone().unwrap_or_default();
        return Err(Error::invalid_value(
            "privateIpAddress",
            value,
            &format!("The address is not assigned to interface {}.", eni.id),
        ));
    };
    if tx.state().internet_gateway_of(eni.vpc_id).is_none() {
        return Err(Error::new(
            "Gateway.NotAttached",
            format!(
                "Network {} is not attached to any internet gateway",
                eni.vpc_id
            ),
        ));
    }
    if let Some(association) = &address.association {
        let same = AddressTarget::PrivateAddress {
            network_interface_id: eni.id,
            private_ip_address: private,
        };
        if association.target == same {
            return Ok(answer(association.id));
        }
        own_interface(tx, association)?;
        if request.allow_reassociation == Some(false) {
            return Err(already_associated(address.allocation_id, association.id));
        }
        disassociate(tx, &address)?;
    }
    pool::release_automatic(tx, eni.id)?;
    unmap(tx, eni.id, private)?;
    let id = map(tx, address.allocation_id, eni.id, private)?;
    Ok(answer(id))
}

pub(crate) fn disassociate_address(
    tx: &mut Transaction<'_>,
    request: &DisassociateAddressRequest,
) -> Result<DisassociateAddressResponse, Error> {
    let address = match (&request.association_id, &request.public_ip) {
        (Some(_), Some(_)) => {
            return Err(Error::InvalidParameterCombination(
                "You may specify public IP or association id, but not both in the same call"
                    .to_owned(),
            ));
        }
        (None, Some(text)) => by_public_ip(tx, parameter::ipv4(text, "publicIp")?)?.clone(),
        (_, None) => {
            let id: AddressAssociationId = parameter::id(&request.association_id, "AssociationId")?;
            let mut rows = tx.rows::<Address>();
            rows.find(|a| a.association.as_ref().is_some_and(|a| a.id == id))
                .cloned()
                .ok_or(Error::NotFound(id.into()))?
        }
    };
    disassociate(tx, &address)?;
    Ok(DisassociateAddressResponse {})
}

/// Takes an Elastic IP address off its interface, which may then get one of Amazon's pool.
pub(super) fn disassociate(tx: &mut Transaction<'_>, address: &Address) -> Result<(), Error> {
    if let Some(association) = &address.association {
        let eni = own_interface(tx, association)?.id;
        if let Some(private) = association.private_ip_address() {
            unmap(tx, eni, private)?;
        }
        pool::assign_automatic(tx, eni)?;
    }
    Ok(())
}

/// Takes whatever public address a private one is mapped to off it.
pub(crate) fn unmap(
    tx: &mut Transaction<'_>,
    id: NetworkInterfaceId,
    private: Ipv4Addr,
) -> Result<(), Error> {
    let mut eni = tx.take::<NetworkInterface>(id)?;
    let own = eni.private_ip_addresses.iter_mut();
    let mapping = own
        .filter(|p| p.address == private)
        .find_map(|p| p.association.take());
    let Some(mapping) = mapping else {
        return Ok(());
    };
    tx.put(id, eni);
    if let Some((allocation_id, _)) = mapping.elastic {
        let mut address = tx.take::<Address>(allocation_id)?;
        address.association = None;
        tx.put(allocation_id, address);
    }
    Ok(())
}

/// Notes on the address that its private one now belongs to another interface.
pub(crate) fn move_association(
    tx: &mut Transaction<'_>,
    allocation_id: AllocationId,
    to: NetworkInterfaceId,
) -> Result<(), Error> {
    let mut address = tx.take::<Address>(allocation_id)?;
    if let Some(association) = &mut address.association {
        if let AddressTarget::PrivateAddress {
            network_interface_id,
            ..
        } = &mut association.target
        {
            *network_interface_id = to;
        }
        tx.put(allocation_id, address);
    }
    Ok(())
}

/// Gives the primary address of an interface that a service keeps a public one: an Elastic IP
/// address that is free, else one of Amazon's pool.
pub(crate) fn expose(
    tx: &mut Transaction<'_>,
    eni: &NetworkInterface,
    elastic: Option<AllocationId>,
) -> Result<(), Error> {
    let Some(private) = eni.primary_ipv4() else {
        return Ok(());
    };
    if let Some(allocation_id) = elastic {
        return map(tx, allocation_id, eni.id, private).map(drop);
    }
    let public_ip = pool::pick(tx)?;
    let mut eni = tx.take::<NetworkInterface>(eni.id)?;
    for own in eni.private_ip_addresses.iter_mut().take(1) {
        own.association = Some(PublicIpAssociation {
            public_ip,
            elastic: None,
        });
    }
    tx.put(eni.id, eni);
    Ok(())
}

/// Maps an Elastic IP address that is mapped to nothing.
pub(crate) fn map(
    tx: &mut Transaction<'_>,
    allocation_id: AllocationId,
    eni_id: NetworkInterfaceId,
    private: Ipv4Addr,
) -> Result<AddressAssociationId, Error> {
    let id = tx.id();
    let mut address = tx.take::<Address>(allocation_id)?;
    address.association = Some(AddressAssociation {
        id,
        target: AddressTarget::PrivateAddress {
            network_interface_id: eni_id,
            private_ip_address: private,
        },
    });
    let mut eni = tx.take::<NetworkInterface>(eni_id)?;
    for own in &mut eni.private_ip_addresses {
        if own.address == private {
            own.association = Some(PublicIpAssociation {
                public_ip: address.public_ip,
                elastic: Some((allocation_id, id)),
            });
        }
    }
    tx.put(eni_id, eni);
    tx.put(allocation_id, address);
    Ok(id)
}

/// Maps an Elastic IP address that is mapped to nothing to a regional NAT gateway; which one it is, and the association.
pub(crate) fn map_to_nat_gateway(
    tx: &mut Transaction<'_>,
    allocation_id: AllocationId,
    nat_gateway_id: NatGatewayId,
) -> Result<(Ipv4Addr, AddressAssociationId), Error> {
    let id = tx.id();
    let mut address = tx.take::<Address>(allocation_id)?;
    let public_ip = address.public_ip;
    address.association = Some(AddressAssociation {
        id,
        target: AddressTarget::NatGateway { nat_gateway_id },
    });
    tx.put(allocation_id, address);
    Ok((public_ip, id))
}

/// Takes an Elastic IP address off a regional NAT gateway, and releases it if the gateway has allocated it.
pub(crate) fn unmap_from_nat_gateway(
    tx: &mut Transaction<'_>,
    allocation_id: AllocationId,
) -> Result<(), Error> {
    let mut address = tx.take::<Address>(allocation_id)?;
    if address.service_managed {
        tx.delete::<Address>(allocation_id);
        return Ok(());
    }
    address.association = None;
    tx.put(allocation_id, address);
    Ok(())
}

/// The interface that an address is mapped to, if its owner may change that.
pub(super) fn own_interface(
    tx: &Transaction<'_>,
    association: &AddressAssociation,
) -> Result<NetworkInterface, Error> {
    match association.network_interface_id() {
        Some(id) => network_interface::own(tx, id),
        None => Err(Error::not_yours()),
    }
}

/// The address is mapped to something already.
pub(crate) fn already_associated(id: AllocationId, association: AddressAssociationId) -> Error {
    Error::new(
        "Resource.AlreadyAssociated",
        format!("resource {id} is already associated with associate-id {association}"),
    )
}

/// The interface that a request means, by itself or as the only one of an instance.
fn target(
    tx: &Transaction<'_>,
    request: &AssociateAddressRequest,
) -> Result<NetworkInterface, Error> {
    if request.network_interface_id.is_some() {
        let id = parameter::id(&request.network_interface_id, "NetworkInterfaceId")?;
        let eni = network_interface::own(tx, id)?;
        if let Some(given) = parameter::optional_id::<InstanceId>(&request.instance_id)?
            && eni.instance_id() != Some(given)
        {
            return Err(Error::InvalidParameterCombination(format!(
                "Interface '{id}' is not attached to instance '{given}'."
            )));
        }
        return Ok(eni);
    }
    if request.instance_id.is_none() {
        return Err(Error::new(
            "MissingParameter",
            "Either instance ID or network interface id must be specified",
        ));
    }
    let id = parameter::id(&request.instance_id, "InstanceId")?;
    let instance = tx.find::<Instance>(id)?;
    if !matches!(
        instance.state,
        InstanceState::Running | InstanceState::Stopped
    ) {
        return Err(instance::wrong_state(instance));
    }
    instance::only_interface(tx, id).cloned()
}

fn answer(id: AddressAssociationId) -> AssociateAddressResponse {
    AssociateAddressResponse {
        association_id: Some(id.to_string()),
    }
}
