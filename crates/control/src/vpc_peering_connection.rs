//! VPC peering connections (Amazon VPC Peering Guide).
//!
//! A connection is one row, in the Region of the account that requested it; the other side finds it
//! through the world. Steps that AWS takes by itself within seconds (`initiating-request` to
//! `pending-acceptance`, `provisioning` to `active`) are taken by the next request that needs to
//! know, or by the next tick, whichever comes first.

mod answer;
mod blocks;
mod create;
mod describe;
mod life;
mod option;

use model::{
    AccountId, PeeringStatus, Scope, State, Tags, Timestamp, VpcId, VpcPeeringConnection,
    VpcPeeringConnectionId,
};

pub(crate) use answer::{
    accept_vpc_peering_connection, delete_vpc_peering_connection, reject_vpc_peering_connection,
};
pub(crate) use blocks::{blocks_changed, check_new_block};
pub(crate) use create::create_vpc_peering_connection;
pub(crate) use describe::describe_vpc_peering_connections;
pub(crate) use life::{delete_with_vpc, due, tick};
pub(crate) use option::modify_vpc_peering_connection_options;

use crate::{Error, Transaction};

const TYPE: &str = "vpc-peering-connection";

/// Every peering connection, with the changes of this request.
pub(crate) fn all<'a>(
    tx: &'a Transaction<'_>,
) -> impl Iterator<Item = &'a VpcPeeringConnection> + 'a {
    tx.states()
        .flat_map(|(_, state)| state.vpc_peering_connections.values())
}

/// The peering connection with this id, whoever requested it.
pub(crate) fn get<'a>(
    tx: &'a Transaction<'_>,
    id: VpcPeeringConnectionId,
) -> Option<&'a VpcPeeringConnection> {
    let mut tables = tx
        .states()
        .map(|(_, state): (Scope, &State)| &state.vpc_peering_connections);
    tables.find_map(|table| table.get(&id))
}

/// The connection that carries packets between two VPCs.
pub(crate) fn active_between<'a>(
    tx: &'a Transaction<'_>,
    a: VpcId,
    b: VpcId,
) -> Option<&'a VpcPeeringConnection> {
    all(tx).find(|p| p.status == PeeringStatus::Active && p.joins(a, b))
}

/// The connection with this id, if the caller can see it, after the steps that were due.
pub(crate) fn find(
    tx: &mut Transaction<'_>,
    id: VpcPeeringConnectionId,
) -> Result<VpcPeeringConnection, Error> {
    let (scope, now) = (tx.scope(), tx.now());
    settle(tx, id)
        .filter(|peering| is_visible(peering, scope, now))
        .ok_or(Error::NotFound(id.into()))
}

/// The connection with this id, if the caller's account can see it in any Region, after the steps
/// that were due.
fn find_in_any_region(
    tx: &mut Transaction<'_>,
    id: VpcPeeringConnectionId,
) -> Result<VpcPeeringConnection, Error> {
    let (account, now) = (tx.scope().account, tx.now());
    let visible = |peering: &VpcPeeringConnection| {
        [&peering.requester, &peering.accepter]
            .into_iter()
            .any(|side| side.scope.account == account && is_visible(peering, side.scope, now))
    };
    settle(tx, id)
        .filter(visible)
        .ok_or(Error::NotFound(id.into()))
}

/// Takes the steps of a connection that are due, and says how it is then.
fn settle(tx: &mut Transaction<'_>, id: VpcPeeringConnectionId) -> Option<VpcPeeringConnection> {
    let before = get(tx, id)?.clone();
    let after = life::advanced(tx, &before);
    if after != before {
        put(tx, after.clone());
    }
    Some(after)
}

/// Takes the steps that are due of a VPC's connections, and says how they are then.
pub(crate) fn settle_of(tx: &mut Transaction<'_>, vpc_id: VpcId) -> Vec<VpcPeeringConnection> {
    let own = |p: &&VpcPeeringConnection| p.other(vpc_id).is_some();
    let ids: Vec<VpcPeeringConnectionId> = all(tx).filter(own).map(|p| p.id).collect();
    ids.into_iter().filter_map(|id| settle(tx, id)).collect()
}

/// Changes the tags of the caller's side; a connection within one account's Region has one set.
pub(crate) fn edit_tags(
    tx: &mut Transaction<'_>,
    id: VpcPeeringConnectionId,
    change: impl Fn(&Transaction<'_>, &mut Tags) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut peering = find(tx, id)?;
    let side = if peering.requester.scope == tx.scope() {
        &mut peering.requester
    } else {
        &mut peering.accepter
    };
    change(tx, &mut side.tags)?;
    put(tx, peering);
    Ok(())
}

/// The connections that the caller sees, with the tags of the caller's side.
pub(crate) fn visible<'a>(
    tx: &'a Transaction<'_>,
) -> impl Iterator<Item = (&'a VpcPeeringConnection, &'a Tags)> + 'a {
    let (scope, now) = (tx.scope(), tx.now());
    all(tx).filter_map(move |peering| {
        let side = peering.side_in(scope)?;
        is_visible(peering, scope, now).then_some((peering, &side.tags))
    })
}

fn put(tx: &mut Transaction<'_>, peering: VpcPeeringConnection) {
    tx.put_in(peering.requester.scope, peering.id, peering);
}

/// Whether an account's Region sees a connection: for how long after its end depends on who ended
/// it ("How VPC peering connections work").
fn is_visible(peering: &VpcPeeringConnection, scope: Scope, now: Timestamp) -> bool {
    let is_requester = peering.requester.scope == scope;
    if !is_requester && peering.accepter.scope != scope {
        return false;
    }
    let ended_by = |account: Option<AccountId>| {
        if peering.is_within_account() || account == Some(scope.account) {
            life::SHORTLY
        } else {
            life::LONGER
        }
    };
    let shown = match peering.status {
        PeeringStatus::InitiatingRequest => return is_requester,
        PeeringStatus::PendingAcceptance
        | PeeringStatus::Provisioning
        | PeeringStatus::Active
        | PeeringStatus::Deleting => return true,
        PeeringStatus::Failed if is_requester => life::SHORTLY,
        PeeringStatus::Failed => return false,
        PeeringStatus::Expired => life::LONGER,
        PeeringStatus::Rejected => ended_by(Some(peering.accepter.scope.account)),
        PeeringStatus::Deleted => ended_by(peering.deleted_by),
    };
    now.since(peering.since) < shown
}

/// The refusal of a step that the state does not allow.
fn invalid_transition(peering: &VpcPeeringConnection, to: PeeringStatus) -> Error {
    Error::new(
        "InvalidStateTransition",
        format!(
            "Invalid state transition for {}, attempted to transition from {} to {}",
            peering.id,
            peering.status.code(),
            to.code()
        ),
    )
}

fn not_permitted(message: String) -> Error {
    Error::new("OperationNotPermitted", message)
}
