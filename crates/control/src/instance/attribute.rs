//! The attributes of instances, one at a time.

use ec2_api::{
    AttributeBooleanValue, AttributeValue, DescribeInstanceAttributeRequest,
    DescribeInstanceAttributeResponse, EnclaveOptions, ModifyInstanceAttributeRequest,
    ModifyInstanceAttributeResponse, SecureBlobAttributeValue,
};
use model::{Instance, InstanceState, NetworkInterface, Subnet};

use super::image::image;
use super::instance_type::instance_type;
use super::only_interface;
use super::run::{SHUTDOWN_BEHAVIORS, check_user_data};
use crate::{Error, Transaction, network_interface, parameter};

pub(crate) fn describe_instance_attribute(
    tx: &mut Transaction<'_>,
    request: &DescribeInstanceAttributeRequest,
) -> Result<DescribeInstanceAttributeResponse, Error> {
    let id = parameter::id(&request.instance_id, "InstanceId")?;
    let name = parameter::required(&request.attribute, "Attribute")?;
    let name = parameter::one_of(name, "attribute", ATTRIBUTES)?;
    let instance = tx.find::<Instance>(id)?;
    let primary = || tx.state().interfaces_of(id).first().copied();
    let text = |value: &str| {
        Some(AttributeValue {
            value: Some(value.to_owned()),
        })
    };
    let flag = |value: bool| Some(AttributeBooleanValue { value: Some(value) });
    let mut answer = DescribeInstanceAttributeResponse {
        instance_id: Some(id.to_string()),
        ..Default::default()
    };
    match name {
        "disableApiStop" => answer.disable_api_stop = flag(false),
        "disableApiTermination" => {
            answer.disable_api_termination = flag(instance.disable_api_termination);
        }
        "ebsOptimized" => answer.ebs_optimized = flag(false),
        "enaSupport" => answer.ena_support = flag(true),
        "enclaveOptions" => {
            answer.enclave_options = Some(EnclaveOptions {
                enabled: Some(false),
            });
        }
        "groupSet" => {
            let groups = primary().map(|eni| eni.groups.as_slice());
            answer.groups = network_interface::group_identifiers(tx, groups.unwrap_or_default());
        }
        "instanceInitiatedShutdownBehavior" => {
            answer.instance_initiated_shutdown_behavior =
                text(&instance.instance_initiated_shutdown_behavior);
        }
        "instanceType" => answer.instance_type = text(&instance.instance_type),
        "rootDeviceName" => {
            answer.root_device_name = text(image(instance.image_id)?.root_device_name);
        }
        "sourceDestCheck" => {
            answer.source_dest_check = primary().and_then(|eni| flag(eni.source_dest_check));
        }
        "userData" => {
            answer.user_data = Some(AttributeValue {
                value: instance.user_data.clone(),
            });
        }
        // No instance has a kernel, RAM disk, disks, product codes or SR-IOV of its own.
        _ => {}
    }
    Ok(answer)
}

pub(crate) fn modify_instance_attribute(
    tx: &mut Transaction<'_>,
    request: &ModifyInstanceAttributeRequest,
) -> Result<ModifyInstanceAttributeResponse, Error> {
    let id = parameter::id(&request.instance_id, "InstanceId")?;
    let request = &by_name(request)?;
    refuse_unsupported(request)?;
    parameter::exactly_one(&[
        request.source_dest_check.is_some(),
        !request.groups.is_empty(),
        request.disable_api_termination.is_some(),
        request.disable_api_stop.is_some(),
        request.instance_initiated_shutdown_behavior.is_some(),
        request.instance_type.is_some(),
        request.user_data.is_some(),
        request.ebs_optimized.is_some(),
        request.ena_support.is_some(),
        request.enclave_options.is_some(),
    ])?;
    let mut instance = tx.take::<Instance>(id)?;
    if request.source_dest_check.is_some() || !request.groups.is_empty() {
        modify_interface(tx, &instance, request)?;
    }
    if let Some(protect) = &request.disable_api_termination {
        instance.disable_api_termination =
            *parameter::required(&protect.value, "DisableApiTermination.Value")?;
    }
    if let Some(behavior) = &request.instance_initiated_shutdown_behavior {
        let name = "InstanceInitiatedShutdownBehavior.Value";
        let value = parameter::required(&behavior.value, name)?;
        parameter::one_of(
            value,
            "instanceInitiatedShutdownBehavior",
            SHUTDOWN_BEHAVIORS,
        )?;
        instance
            .instance_initiated_shutdown_behavior
            .clone_from(value);
    }
    if let Some(wanted) = &request.instance_type {
        let value = parameter::required(&wanted.value, "InstanceType.Value")?;
        check_stopped(&instance)?;
        check_type(tx, &instance, value)?;
        instance.instance_type.clone_from(value);
    }
    if let Some(user_data) = &request.user_data {
        check_stopped(&instance)?;
        check_user_data(&user_data.value)?;
        instance.user_data = user_data.value.clone().filter(|d| !d.is_empty());
    }
    tx.put(id, instance);
    Ok(ModifyInstanceAttributeResponse {})
}

/// The request with `Attribute` and `Value` turned into the parameter of that name.
fn by_name(
    request: &ModifyInstanceAttributeRequest,
) -> Result<ModifyInstanceAttributeRequest, Error> {
    let mut request = request.clone();
    let Some(name) = request.attribute.take() else {
        return match request.value {
            None => Ok(request),
            Some(_) => Err(Error::MissingParameter("Attribute")),
        };
    };
    parameter::one_of(&name, "attribute", ATTRIBUTES)?;
    let Some(value) = request.value.take() else {
        return Ok(request);
    };
    let flag = || {
        let value = parameter::one_of(&value, &name, &["true", "false"])? == "true";
        Ok::<_, Error>(Some(AttributeBooleanValue { value: Some(value) }))
    };
    let text = || {
        Some(AttributeValue {
            value: Some(value.clone()),
        })
    };
    match name.as_str() {
        "disableApiStop" => request.disable_api_stop = flag()?,
        "disableApiTermination" => request.disable_api_termination = flag()?,
        "ebsOptimized" => request.ebs_optimized = flag()?,
        "enaSupport" => request.ena_support = flag()?,
        "instanceInitiatedShutdownBehavior" => {
            request.instance_initiated_shutdown_behavior = text();
        }
        "instanceType" => request.instance_type = text(),
        "sourceDestCheck" => request.source_dest_check = flag()?,
        "userData" => {
            request.user_data = Some(SecureBlobAttributeValue {
                value: Some(value.clone()),
            });
        }
        _ => parameter::refuse_unsupported(&[(true, &name)])?,
    }
    Ok(request)
}

/// Attributes of the instance that are really those of its only interface.
fn modify_interface(
    tx: &mut Transaction<'_>,
    instance: &Instance,
    request: &ModifyInstanceAttributeRequest,
) -> Result<(), Error> {
    let mut eni: NetworkInterface = only_interface(tx, instance.id)?.clone();
    if let Some(check) = &request.source_dest_check {
        eni.source_dest_check = *parameter::required(&check.value, "SourceDestCheck.Value")?;
    }
    if !request.groups.is_empty() {
        let subnet = tx.find::<Subnet>(eni.subnet_id)?;
        let groups = parameter::optional_ids(&request.groups)?;
        eni.groups = network_interface::groups(tx, &groups, subnet)?;
    }
    tx.put(eni.id, eni);
    Ok(())
}

fn check_stopped(instance: &Instance) -> Result<(), Error> {
    if instance.state == InstanceState::Stopped {
        return Ok(());
    }
    Err(Error::new(
        "IncorrectInstanceState",
        format!(
            "The instance '{}' is not in the 'stopped' state.",
            instance.id
        ),
    ))
}

/// Whether the instance, with the interfaces that it has, can become one of a type.
fn check_type(tx: &Transaction<'_>, instance: &Instance, name: &str) -> Result<(), Error> {
    let wanted = instance_type(name)?;
    if wanted.architecture != image(instance.image_id)?.architecture {
        return Err(Error::InvalidParameterValue(format!(
            "The architecture of instance type {name} does not match that of the image {}.",
            instance.image_id
        )));
    }
    let interfaces = tx.state().interfaces_of(instance.id);
    wanted.check_interfaces(interfaces.len())?;
    interfaces
        .into_iter()
        .try_for_each(|eni| wanted.check_addresses(network_interface::largest_family(eni)))
}

fn refuse_unsupported(request: &ModifyInstanceAttributeRequest) -> Result<(), Error> {
    let is = |flag: &Option<AttributeBooleanValue>, value: bool| {
        flag.as_ref().is_some_and(|f| f.value == Some(value))
    };
    let enclave = request.enclave_options.as_ref();
    parameter::refuse_unsupported(&[
        (is(&request.disable_api_stop, true), "DisableApiStop"),
        (is(&request.ebs_optimized, true), "EbsOptimized"),
        (is(&request.ena_support, false), "EnaSupport"),
        (
            enclave.is_some_and(|e| e.enabled == Some(true)),
            "EnclaveOptions",
        ),
        (
            !request.block_device_mappings.is_empty(),
            "BlockDeviceMapping",
        ),
        (request.kernel.is_some(), "Kernel"),
        (request.ramdisk.is_some(), "Ramdisk"),
        (request.sriov_net_support.is_some(), "SriovNetSupport"),
    ])
}

const ATTRIBUTES: &[&str] = &[
    "instanceType",
    "kernel",
    "ramdisk",
    "userData",
    "disableApiTermination",
    "instanceInitiatedShutdownBehavior",
    "rootDeviceName",
    "blockDeviceMapping",
    "productCodes",
    "sourceDestCheck",
    "groupSet",
    "ebsOptimized",
    "sriovNetSupport",
    "enaSupport",
    "enclaveOptions",
    "disableApiStop",
];
