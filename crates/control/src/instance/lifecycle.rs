//! From `pending` to `terminated`: what the API asks for, and what the sandbox reports.
//!
//! An action only moves an instance to `pending`, `stopping` or `shutting-down`; it leaves those
//! when its sandbox has been seen to come up or to be gone.

use std::time::Duration;

use ec2_api::{
    InstanceStateChange, StartInstancesRequest, StartInstancesResponse, StopInstancesRequest,
    StopInstancesResponse, TerminateInstancesRequest, TerminateInstancesResponse,
};
use model::{Instance, InstanceId, InstanceState, NetworkInterface, NetworkInterfaceId};

use super::{named, shape};
use crate::{Error, Transaction, address, network_interface, parameter};

pub(crate) fn start_instances(
    tx: &mut Transaction<'_>,
    request: &StartInstancesRequest,
) -> Result<StartInstancesResponse, Error> {
    parameter::text(&request.additional_info, "additionalInfo", 2048)?;
    let mut changes = Vec::new();
    for mut instance in named(tx, &request.instance_ids)? {
        let previous = instance.state;
        match previous {
            InstanceState::Pending | InstanceState::Running => {}
            InstanceState::Stopped => {
                instance.state = InstanceState::Pending;
                instance.state_transition_reason = String::new();
                instance.launch_time = tx.now();
                tx.put(instance.id, instance.clone());
                for eni in interface_ids(tx, instance.id) {
                    address::assign_automatic(tx, eni)?;
                }
            }
            _ => return Err(not_in_a_state(&instance, "started")),
        }
        changes.push(change(&instance, previous));
    }
    Ok(StartInstancesResponse {
        starting_instances: changes,
    })
}

pub(crate) fn stop_instances(
    tx: &mut Transaction<'_>,
    request: &StopInstancesRequest,
) -> Result<StopInstancesResponse, Error> {
    parameter::refuse_unsupported(&[(request.hibernate == Some(true), "Hibernate")])?;
    let mut changes = Vec::new();
    for mut instance in named(tx, &request.instance_ids)? {
        let previous = instance.state;
        match previous {
            InstanceState::Stopping | InstanceState::Stopped => {}
            InstanceState::Running => {
                instance.state = InstanceState::Stopping;
                instance.state_transition_reason = user_initiated(tx);
                tx.put(instance.id, instance.clone());
            }
            _ => return Err(not_in_a_state(&instance, "stopped")),
        }
        changes.push(change(&instance, previous));
    }
    Ok(StopInstancesResponse {
        stopping_instances: changes,
    })
}

pub(crate) fn terminate_instances(
    tx: &mut Transaction<'_>,
    request: &TerminateInstancesRequest,
) -> Result<TerminateInstancesResponse, Error> {
    let mut changes = Vec::new();
    for mut instance in named(tx, &request.instance_ids)? {
        let previous = instance.state;
        if previous == InstanceState::Terminated || previous == InstanceState::ShuttingDown {
            changes.push(change(&instance, previous));
            continue;
        }
        if instance.disable_api_termination {
            return Err(Error::new(
                "OperationNotPermitted",
                format!(
                    "The instance '{}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.",
                    instance.id
                ),
            ));
        }
        instance.state = InstanceState::ShuttingDown;
        instance.state_transition_reason = user_initiated(tx);
        tx.put(instance.id, instance.clone());
        // A stopped instance has no sandbox whose end could be reported.
        if previous == InstanceState::Stopped {
            terminated(tx, instance.clone())?;
            instance.state = InstanceState::Terminated;
        }
        changes.push(change(&instance, previous));
    }
    Ok(TerminateInstancesResponse {
        terminating_instances: changes,
    })
}

/// The sandbox of an instance is up.
pub(crate) fn started(tx: &mut Transaction<'_>, id: InstanceId) -> Result<(), Error> {
    let mut instance = tx.take::<Instance>(id)?;
    // If a termination came in between, the end of the sandbox is what counts.
    if instance.state == InstanceState::Pending {
        instance.state = InstanceState::Running;
        instance.booted = true;
        tx.put(id, instance);
    }
    Ok(())
}

/// The sandbox of an instance is gone, by request or by itself.
pub(crate) fn ended(
    tx: &mut Transaction<'_>,
    id: InstanceId,
    reason: Option<&str>,
) -> Result<(), Error> {
    let mut instance = tx.take::<Instance>(id)?;
    match instance.state {
        InstanceState::ShuttingDown => terminated(tx, instance),
        InstanceState::Stopping => stopped(tx, instance),
        InstanceState::Pending | InstanceState::Running => {
            instance.state_transition_reason = reason.unwrap_or(BY_ITSELF).to_owned();
            // A first launch that fails leaves nothing to start again.
            let never_ran = instance.state == InstanceState::Pending && !instance.booted;
            if never_ran || instance.instance_initiated_shutdown_behavior == "terminate" {
                terminated(tx, instance)
            } else {
                stopped(tx, instance)
            }
        }
        InstanceState::Stopped | InstanceState::Terminated => Ok(()),
    }
}

/// Takes out the rows of instances that were terminated more than an hour ago.
pub(crate) fn forget_terminated(tx: &mut Transaction<'_>) {
    let now = tx.now();
    let over = |i: &&Instance| i.terminated_at.is_some_and(|at| now.since(at) > VISIBLE);
    let old: Vec<_> = tx.rows::<Instance>().filter(over).map(|i| i.id).collect();
    for id in old {
        tx.delete::<Instance>(id);
    }
}

fn stopped(tx: &mut Transaction<'_>, mut instance: Instance) -> Result<(), Error> {
    for eni in interface_ids(tx, instance.id) {
        address::release_automatic(tx, eni)?;
    }
    instance.state = InstanceState::Stopped;
    tx.put(instance.id, instance);
    Ok(())
}

fn terminated(tx: &mut Transaction<'_>, mut instance: Instance) -> Result<(), Error> {
    for id in interface_ids(tx, instance.id) {
        let eni = tx.find::<NetworkInterface>(id)?;
        let attachment = eni.attachment.as_ref();
        if attachment.is_some_and(|a| a.delete_on_termination) {
            network_interface::delete(tx, id)?;
        } else {
            network_interface::detach(tx, id)?;
        }
    }
    instance.state = InstanceState::Terminated;
    instance.terminated_at = Some(tx.now());
    tx.put(instance.id, instance);
    Ok(())
}

fn interface_ids(tx: &Transaction<'_>, id: InstanceId) -> Vec<NetworkInterfaceId> {
    let own = tx.state().interfaces_of(id);
    own.into_iter().map(|eni| eni.id).collect()
}

fn change(instance: &Instance, previous: InstanceState) -> InstanceStateChange {
    InstanceStateChange {
        instance_id: Some(instance.id.to_string()),
        current_state: Some(shape::state(instance.state)),
        previous_state: Some(shape::state(previous)),
    }
}

fn user_initiated(tx: &Transaction<'_>) -> String {
    let at = tx.now().calendar();
    format!(
        "User initiated ({:04}-{:02}-{:02} {:02}:{:02}:{:02} GMT)",
        at.year, at.month, at.day, at.hour, at.minute, at.second
    )
}

fn not_in_a_state(instance: &Instance, from_which: &str) -> Error {
    Error::new(
        "IncorrectInstanceState",
        format!(
            "The instance '{}' is not in a state from which it can be {from_which}.",
            instance.id
        ),
    )
}

const BY_ITSELF: &str = "Client.InstanceInitiatedShutdown: Instance initiated shutdown";
const VISIBLE: Duration = Duration::from_secs(3600);
