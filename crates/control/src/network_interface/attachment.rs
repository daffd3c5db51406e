//! Attaching network interfaces to instances, and detaching them.

use ec2_api::{
    AttachNetworkInterfaceRequest, AttachNetworkInterfaceResponse, DetachNetworkInterfaceRequest,
    DetachNetworkInterfaceResponse,
};
use model::{
    Attachment, AttachmentId, Instance, InstanceId, InstanceState, NetworkInterface,
    NetworkInterfaceId, Subnet,
};

use crate::{Error, Transaction, address, instance, parameter};

pub(crate) fn attach_network_interface(
    tx: &mut Transaction<'_>,
    request: &AttachNetworkInterfaceRequest,
) -> Result<AttachNetworkInterfaceResponse, Error> {
    let eni_id = parameter::id(&request.network_interface_id, "NetworkInterfaceId")?;
    let instance_id = parameter::id(&request.instance_id, "InstanceId")?;
    let index = *parameter::required(&request.device_index, "DeviceIndex")?;
    let device_index = device_index(index)?;
    parameter::refuse_unsupported(&[
        (
            request.network_card_index.unwrap_or(0) != 0,
            "NetworkCardIndex",
        ),
        (
            request.ena_srd_specification.is_some(),
            "EnaSrdSpecification",
        ),
        (request.ena_queue_count.is_some(), "EnaQueueCount"),
    ])?;
    let eni = tx.take::<NetworkInterface>(eni_id)?;
    let instance = tx.take::<Instance>(instance_id)?;
    if eni.is_in_use() {
        return Err(in_use(eni_id));
    }
    check_instance(tx, &instance, &eni, device_index)?;
    let attachment_id = attach(tx, eni_id, instance_id, device_index, false)?;
    Ok(AttachNetworkInterfaceResponse {
        attachment_id: Some(attachment_id.to_string()),
        network_card_index: Some(0),
    })
}

pub(crate) fn detach_network_interface(
    tx: &mut Transaction<'_>,
    request: &DetachNetworkInterfaceRequest,
) -> Result<DetachNetworkInterfaceResponse, Error> {
    if request.attachment_id.as_deref().is_some_and(is_managed) {
        return Err(Error::new(
            "OperationNotPermitted",
            format!("You are not allowed to manage '{MANAGED}' attachments."),
        ));
    }
    let attachment_id: AttachmentId = parameter::id(&request.attachment_id, "AttachmentId")?;
    let found = tx.rows::<NetworkInterface>().find(|eni| {
        eni.attachment
            .as_ref()
            .is_some_and(|a| a.id == attachment_id)
    });
    let Some(eni) = found else {
        return Err(Error::NotFound(attachment_id.into()));
    };
    if eni.attachment.as_ref().is_some_and(|a| a.device_index == 0) {
        return Err(Error::new(
            "OperationNotPermitted",
            "The network interface at device index 0 and networkCard index 0 cannot be detached.",
        ));
    }
    detach(tx, eni.id)?;
    Ok(DetachNetworkInterfaceResponse {})
}

/// The attachments of interfaces that services manage have ids of their own kind.
pub(super) const MANAGED: &str = "ela-attach";

fn is_managed(attachment_id: &str) -> bool {
    let rest = attachment_id.strip_prefix(MANAGED);
    rest.is_some_and(|rest| rest.starts_with('-'))
}

/// Attaches an interface that is free, at an index that is free.
pub(crate) fn attach(
    tx: &mut Transaction<'_>,
    eni_id: NetworkInterfaceId,
    instance_id: InstanceId,
    device_index: u8,
    delete_on_termination: bool,
) -> Result<AttachmentId, Error> {
    let id = tx.id();
    let mut eni = tx.take::<NetworkInterface>(eni_id)?;
    eni.attachment = Some(Attachment {
        id,
        instance_id,
        device_index,
        attach_time: tx.now(),
        delete_on_termination,
    });
    tx.put(eni_id, eni);
    Ok(id)
}

/// Detaches an interface; an address of Amazon's pool goes, an Elastic one stays.
pub(crate) fn detach(tx: &mut Transaction<'_>, eni_id: NetworkInterfaceId) -> Result<(), Error> {
    address::release_automatic(tx, eni_id)?;
    let mut eni = tx.take::<NetworkInterface>(eni_id)?;
    eni.attachment = None;
    eni.associate_public_ip_address = false;
    tx.put(eni_id, eni);
    Ok(())
}

/// The interface is attached already.
pub(crate) fn in_use(id: NetworkInterfaceId) -> Error {
    Error::new(
        "InvalidNetworkInterface.InUse",
        format!("Interface: [{id}] in use."),
    )
}

/// The number of a device.
pub(crate) fn device_index(index: i32) -> Result<u8, Error> {
    u8::try_from(index).map_err(|_| Error::invalid_value("deviceIndex", index, ""))
}

fn check_instance(
    tx: &Transaction<'_>,
    instance: &Instance,
    eni: &NetworkInterface,
    device_index: u8,
) -> Result<(), Error> {
    if !matches!(
        instance.state,
        InstanceState::Running | InstanceState::Stopped
    ) {
        return Err(instance::wrong_state(instance));
    }
    let own = tx.state().interfaces_of(instance.id);
    let taken = |i: &&NetworkInterface| {
        let attachment = i.attachment.as_ref();
        attachment.is_some_and(|a| a.device_index == device_index)
    };
    if own.iter().any(taken) {
        return Err(Error::InvalidParameterValue(format!(
            "Instance '{}' already has an interface attached at device index '{device_index}'.",
            instance.id
        )));
    }
    if tx.find::<Subnet>(eni.subnet_id)?.zone != instance.zone {
        return Err(Error::InvalidParameterCombination(
            "You may not attach a network interface to an instance if they are not in the same availability zone".to_owned(),
        ));
    }
    let limits = instance::instance_type(&instance.instance_type)?;
    limits.check_interfaces(own.len() + 1)?;
    limits.check_addresses(super::largest_family(eni))
}
