//! What happens outside the API: instances that came up or went down, deliveries that failed, time.

use std::net::IpAddr;

use model::{
    Change, DeliveryStatus, Entropy, FlowLogId, Health, InstanceId, Scope, State, TargetGroupId,
    TargetKey, Timestamp, World,
};

use crate::{
    Error, Quotas, Transaction, elbv2, flow_log, instance, internet_host, nat_gateway, prefix_list,
    vpc_endpoint, vpc_peering_connection,
};

/// Something that happened outside the API and changes the state of an account's Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The sandbox of a `pending` instance is up.
    InstanceStarted(InstanceId),
    /// The sandbox of a `stopping` or `shutting-down` instance is gone, or it ended by itself.
    InstanceEnded {
        /// The instance.
        instance_id: InstanceId,
        /// Why, in AWS's words, if the API did not ask for it.
        reason: Option<String>,
    },
    /// A delivery to a flow log's destination succeeded or failed.
    Delivery {
        /// The flow log.
        flow_log_id: FlowLogId,
        /// How it went.
        status: DeliveryStatus,
    },
    /// A host is put on the simulated internet.
    InternetHostAdded(IpAddr),
    /// A host is taken off the simulated internet.
    InternetHostDeleted(IpAddr),
    /// Health checks found out something about a target.
    TargetHealth {
        /// The target's group.
        target_group_id: TargetGroupId,
        /// The target.
        target: TargetKey,
        /// How it is now.
        health: Health,
    },
    /// Time passes: steps that AWS takes by itself are taken, and rows that it shows only for a while go away.
    Tick,
}

/// Takes note of an event; the changes to journal, none if it changes nothing.
///
/// # Errors
///
/// When the event makes no sense, for example for an instance that does not exist.
pub fn observe(
    world: &World,
    scope: Scope,
    event: &Event,
    now: Timestamp,
    entropy: &mut dyn Entropy,
    quotas: &Quotas,
) -> Result<Vec<(Scope, Change)>, Error> {
    let mut tx = Transaction::begin(world, scope, now, entropy, quotas);
    match event {
        Event::InstanceStarted(id) => instance::started(&mut tx, *id)?,
        Event::InstanceEnded {
            instance_id,
            reason,
        } => {
            instance::ended(&mut tx, *instance_id, reason.as_deref())?;
        }
        Event::Delivery {
            flow_log_id,
            status,
        } => flow_log::delivery(&mut tx, *flow_log_id, status)?,
        Event::InternetHostAdded(address) => internet_host::add(&mut tx, *address)?,
        Event::InternetHostDeleted(address) => internet_host::delete(&mut tx, *address)?,
        Event::TargetHealth {
            target_group_id,
            target,
            health,
        } => elbv2::found(&mut tx, *target_group_id, *target, *health),
        Event::Tick => {
            instance::forget_terminated(&mut tx);
            prefix_list::forget_deleted(&mut tx);
            vpc_peering_connection::tick(&mut tx);
            elbv2::tick(&mut tx);
            vpc_endpoint::tick(&mut tx)?;
            // Regional ones follow the network interfaces, some of which the others make and delete.
            nat_gateway::tick(&mut tx)?;
        }
    }
    Ok(tx.into_changes())
}

/// When a [`Tick`](Event::Tick) next changes something in a Region that clients may be waiting for; a moment that has
/// passed means now. After a tick at that moment it is later, or never.
pub fn due(state: &State) -> Option<Timestamp> {
    let parts = [
        nat_gateway::due(state),
        vpc_peering_connection::due(state),
        elbv2::due(state),
        vpc_endpoint::due(state),
    ];
    parts.into_iter().flatten().min()
}
