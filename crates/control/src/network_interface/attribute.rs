//! The attributes of network interfaces, one at a time.

use ec2_api::{
    AttributeBooleanValue, AttributeValue, DescribeNetworkInterfaceAttributeRequest,
    DescribeNetworkInterfaceAttributeResponse, ModifyNetworkInterfaceAttributeRequest,
    ModifyNetworkInterfaceAttributeResponse, NetworkInterfaceAttachmentChanges,
};
use model::{AttachmentId, NetworkInterface, NetworkInterfaceId, Subnet};

use super::shape;
use crate::{Error, Transaction, address, parameter};

pub(crate) fn describe_network_interface_attribute(
    tx: &mut Transaction<'_>,
    request: &DescribeNetworkInterfaceAttributeRequest,
) -> Result<DescribeNetworkInterfaceAttributeResponse, Error> {
    let id = parameter::id(&request.network_interface_id, "NetworkInterfaceId")?;
    let name = parameter::required(&request.attribute, "Attribute")?;
    let name = parameter::one_of(name, "attribute", ATTRIBUTES)?;
    let eni = tx.find::<NetworkInterface>(id)?;
    let mut answer = DescribeNetworkInterfaceAttributeResponse {
        network_interface_id: Some(id.to_string()),
        ..Default::default()
    };
    match name {
        "attachment" => answer.attachment = shape::attachment(tx, eni),
        "description" => {
            answer.description = Some(AttributeValue {
                value: Some(eni.description.clone()),
            });
        }
        "groupSet" => answer.groups = shape::group_identifiers(tx, &eni.groups),
        "sourceDestCheck" => {
            answer.source_dest_check = Some(AttributeBooleanValue {
                value: Some(eni.source_dest_check),
            });
        }
        _ => answer.associate_public_ip_address = Some(eni.associate_public_ip_address),
    }
    Ok(answer)
}

pub(crate) fn modify_network_interface_attribute(
    tx: &mut Transaction<'_>,
    request: &ModifyNetworkInterfaceAttributeRequest,
) -> Result<ModifyNetworkInterfaceAttributeResponse, Error> {
    let id = parameter::id(&request.network_interface_id, "NetworkInterfaceId")?;
    parameter::refuse_unsupported(&[
        (
            request.ena_srd_specification.is_some(),
            "EnaSrdSpecification",
        ),
        (request.enable_primary_ipv6.is_some(), "EnablePrimaryIpv6"),
        (
            request.connection_tracking_specification.is_some(),
            "ConnectionTrackingSpecification",
        ),
        (
            !request.associated_subnet_ids.is_empty(),
            "AssociatedSubnetId",
        ),
    ])?;
    parameter::exactly_one(&[
        request.description.is_some(),
        request.source_dest_check.is_some(),
        !request.groups.is_empty(),
        request.attachment.is_some(),
        request.associate_public_ip_address.is_some(),
    ])?;
    let mut eni = super::own(tx, id)?;
    if let Some(description) = &request.description {
        eni.description = super::description(&description.value)?;
    }
    if let Some(check) = &request.source_dest_check {
        eni.source_dest_check = *parameter::required(&check.value, "SourceDestCheck.Value")?;
    }
    if !request.groups.is_empty() {
        let subnet = tx.find::<Subnet>(eni.subnet_id)?;
        eni.groups = super::groups(tx, &parameter::optional_ids(&request.groups)?, subnet)?;
    }
    if let Some(changes) = &request.attachment {
        modify_attachment(&mut eni, changes)?;
    }
    tx.put(id, eni);
    if let Some(wanted) = request.associate_public_ip_address {
        associate_public_ip_address(tx, id, wanted)?;
    }
    Ok(ModifyNetworkInterfaceAttributeResponse {})
}

fn modify_attachment(
    eni: &mut NetworkInterface,
    changes: &NetworkInterfaceAttachmentChanges,
) -> Result<(), Error> {
    let id: AttachmentId = parameter::id(&changes.attachment_id, "Attachment.AttachmentId")?;
    let delete = *parameter::required(
        &changes.delete_on_termination,
        "Attachment.DeleteOnTermination",
    )?;
    let own = eni.attachment.as_mut().filter(|a| a.id == id);
    own.ok_or(Error::NotFound(id.into()))?.delete_on_termination = delete;
    Ok(())
}

fn associate_public_ip_address(
    tx: &mut Transaction<'_>,
    id: NetworkInterfaceId,
    wanted: bool,
) -> Result<(), Error> {
    let mut eni = tx.take::<NetworkInterface>(id)?;
    let primary = eni.attachment.as_ref().is_some_and(|a| a.device_index == 0);
    if wanted && !primary {
        return Err(Error::InvalidParameterCombination(
            "The associatePublicIPAddress parameter can only be specified for the network interface with DeviceIndex 0".to_owned(),
        ));
    }
    eni.associate_public_ip_address = wanted;
    tx.put(id, eni);
    if wanted {
        address::assign_automatic(tx, id)
    } else {
        address::release_automatic(tx, id)
    }
}

const ATTRIBUTES: &[&str] = &[
    "description",
    "groupSet",
    "sourceDestCheck",
    "attachment",
    "associatePublicIpAddress",
];
