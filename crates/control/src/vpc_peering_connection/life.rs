//! What happens to peering connections without a request (Amazon VPC Peering Guide, "VPC peering
//! connection lifecycle").

use std::time::Duration;

use model::{PeeringSide, PeeringStatus, State, Timestamp, Vpc, VpcId, VpcPeeringConnection};

use super::{is_visible, put, settle_of};
use crate::{Error, Transaction};

const HOUR: Duration = Duration::from_secs(3600);
/// How long a request waits for its answer.
pub(super) const REQUEST: Duration = HOUR.saturating_mul(168);
/// How long most ends are shown.
pub(super) const SHORTLY: Duration = HOUR.saturating_mul(2);
/// How long an end is shown to the account that did not bring it about.
pub(super) const LONGER: Duration = HOUR.saturating_mul(48);

/// The status at a moment, also if no tick has come since a request lapsed.
pub(super) fn status(peering: &VpcPeeringConnection, now: Timestamp) -> PeeringStatus {
    if peering.status.is_outstanding() && now >= peering.expires_at {
        PeeringStatus::Expired
    } else {
        peering.status
    }
}

/// A connection after the steps that are due; `deleting` takes until the next tick.
pub(super) fn advanced(
    tx: &Transaction<'_>,
    before: &VpcPeeringConnection,
) -> VpcPeeringConnection {
    let mut peering = before.clone();
    if peering.status == PeeringStatus::InitiatingRequest {
        (peering.status, peering.since) = (PeeringStatus::Failed, tx.now());
        if let Some(vpc) = vpc(tx, &peering.accepter) {
            peering.accepter.set_blocks(vpc);
            let itself = peering.accepter.vpc_id == peering.requester.vpc_id;
            if !itself && !peering.requester.overlaps(&peering.accepter) {
                peering.status = PeeringStatus::PendingAcceptance;
            }
        }
    }
    if status(&peering, tx.now()) == PeeringStatus::Expired {
        (peering.status, peering.since) = (PeeringStatus::Expired, peering.expires_at);
    }
    if peering.status == PeeringStatus::Provisioning {
        (peering.status, peering.since) = (PeeringStatus::Active, tx.now());
    }
    peering
}

/// The VPC of a side, if it is where the request says.
pub(super) fn vpc<'a>(tx: &'a Transaction<'_>, side: &PeeringSide) -> Option<&'a Vpc> {
    tx.state_of(side.scope)?.vpcs.get(&side.vpc_id)
}

/// Time passes for the connections that the account has requested in the Region.
pub(crate) fn tick(tx: &mut Transaction<'_>) {
    let rows: Vec<VpcPeeringConnection> = tx.rows().cloned().collect();
    for before in rows {
        let mut after = advanced(tx, &before);
        if before.status == PeeringStatus::Deleting {
            (after.status, after.since) = (PeeringStatus::Deleted, tx.now());
        }
        let shown = [&after.requester, &after.accepter]
            .into_iter()
            .any(|side| is_visible(&after, side.scope, tx.now()));
        if !shown {
            tx.delete::<VpcPeeringConnection>(after.id);
        } else if after != before {
            put(tx, after);
        }
    }
}

/// When a tick next takes a step that clients may be waiting for: at once, if there is one.
pub(crate) fn due(state: &State) -> Option<Timestamp> {
    let passing = |status| {
        matches!(
            status,
            PeeringStatus::InitiatingRequest
                | PeeringStatus::Provisioning
                | PeeringStatus::Deleting
        )
    };
    let rows = state.vpc_peering_connections.values();
    rows.filter(|row| passing(row.status))
        .map(|row| row.since)
        .min()
}

/// Ends what a VPC that is deleted has asked for, or was asked for by its own account.
///
/// # Errors
///
/// `DependencyViolation` if a connection is established, or another account waits for an answer.
pub(crate) fn delete_with_vpc(tx: &mut Transaction<'_>, vpc_id: VpcId) -> Result<(), Error> {
    for peering in settle_of(tx, vpc_id) {
        let asked_by_others = !peering.is_within_account() && peering.accepter.vpc_id == vpc_id;
        let waits = peering.status == PeeringStatus::PendingAcceptance;
        if peering.status.is_established() || (waits && asked_by_others) {
            return Err(Error::DependencyViolation(vpc_id.into()));
        }
        if waits {
            end(tx, peering, PeeringStatus::Deleted);
        }
    }
    Ok(())
}

/// Ends a connection on behalf of the caller.
pub(super) fn end(tx: &mut Transaction<'_>, mut peering: VpcPeeringConnection, to: PeeringStatus) {
    peering.status = to;
    peering.since = tx.now();
    if matches!(to, PeeringStatus::Deleting | PeeringStatus::Deleted) {
        peering.deleted_by = Some(tx.scope().account);
    }
    put(tx, peering);
}
