//! Instances (Amazon EC2 User Guide, "Amazon EC2 instance state changes").

mod attribute;
mod credit_specification;
mod describe;
mod image;
mod instance_type;
mod interface;
mod kept;
mod lifecycle;
mod metadata_options;
mod run;
mod shape;
mod status;

use ec2_api::{
    GetConsoleOutputRequest, GetConsoleOutputResponse, GetInstanceUefiDataRequest,
    GetInstanceUefiDataResponse,
};
use model::{Instance, InstanceId, NetworkInterface};

use crate::{Error, Transaction, parameter};

pub(crate) use attribute::{describe_instance_attribute, modify_instance_attribute};
pub(crate) use credit_specification::describe_instance_credit_specifications;
pub(crate) use describe::describe_instances;
pub use image::architecture;
pub(crate) use image::describe_images;
pub(crate) use instance_type::{describe_instance_types, instance_type};
pub(crate) use lifecycle::{
    ended, forget_terminated, start_instances, started, stop_instances, terminate_instances,
};
pub(crate) use metadata_options::modify_instance_metadata_options;
pub(crate) use run::run_instances;
pub(crate) use status::describe_instance_status;

/// The answer without its output, which only the machine that runs the instance knows.
pub(crate) fn get_console_output(
    tx: &mut Transaction<'_>,
    request: &GetConsoleOutputRequest,
) -> Result<GetConsoleOutputResponse, Error> {
    let id = parameter::id(&request.instance_id, "InstanceId")?;
    tx.find::<Instance>(id)?;
    Ok(GetConsoleOutputResponse {
        instance_id: Some(id.to_string()),
        timestamp: Some(tx.now().to_string()),
        output: None,
    })
}

/// A sandbox has no firmware, and so no variables of it.
pub(crate) fn get_instance_uefi_data(
    tx: &mut Transaction<'_>,
    request: &GetInstanceUefiDataRequest,
) -> Result<GetInstanceUefiDataResponse, Error> {
    let id = parameter::id(&request.instance_id, "InstanceId")?;
    tx.find::<Instance>(id)?;
    Ok(GetInstanceUefiDataResponse {
        instance_id: Some(id.to_string()),
        uefi_data: None,
    })
}

/// The instance cannot take part in an action as it is now.
pub(crate) fn wrong_state(instance: &Instance) -> Error {
    Error::new(
        "IncorrectInstanceState",
        format!(
            "The {} instance '{}' is not in a valid state for this operation.",
            instance.state.name(),
            instance.id
        ),
    )
}

/// The interface of an instance that has no other.
pub(crate) fn only_interface<'a>(
    tx: &'a Transaction<'_>,
    id: InstanceId,
) -> Result<&'a NetworkInterface, Error> {
    match tx.state().interfaces_of(id)[..] {
        [eni] => Ok(eni),
        [] => Err(wrong_state(tx.find::<Instance>(id)?)),
        _ => Err(Error::new(
            "InvalidInstanceID",
            format!(
                "There are multiple interfaces attached to instance '{id}'. Please specify an interface ID for the operation instead."
            ),
        )),
    }
}

/// The instances that a request names, every one of which must exist.
fn named(tx: &Transaction<'_>, texts: &[String]) -> Result<Vec<Instance>, Error> {
    let mut ids: Vec<InstanceId> = Vec::new();
    for id in parameter::ids(texts, "InstanceId")? {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    check_known(tx, &ids)?;
    ids.into_iter().map(|id| tx.take(id)).collect()
}

/// One error for all the instances that do not exist.
fn check_known(tx: &Transaction<'_>, ids: &[InstanceId]) -> Result<(), Error> {
    let missing = |id: &&InstanceId| !tx.state().instances.contains(id);
    let missing: Vec<_> = ids.iter().filter(missing).collect();
    match missing[..] {
        [] => Ok(()),
        [id] => Err(Error::NotFound((*id).into())),
        _ => {
            let list: Vec<_> = missing.iter().map(ToString::to_string).collect();
            Err(Error::new(
                "InvalidInstanceID.NotFound",
                format!("The instance IDs '{}' do not exist", list.join(", ")),
            ))
        }
    }
}
