//! Accepting, rejecting and deleting (Amazon VPC Peering Guide, "Accept or reject a VPC peering
//! connection" and "Delete a VPC peering connection").

use ec2_api::{
    AcceptVpcPeeringConnectionRequest, AcceptVpcPeeringConnectionResponse,
    DeleteVpcPeeringConnectionRequest, DeleteVpcPeeringConnectionResponse,
    RejectVpcPeeringConnectionRequest, RejectVpcPeeringConnectionResponse,
};
use model::{PeeringStatus, VpcPeeringConnection};

use super::{
    active_between, all, describe, find, find_in_any_region, invalid_transition, life,
    not_permitted, put,
};
use crate::{Error, Transaction, parameter};

/// Says yes to a request.
pub(crate) fn accept_vpc_peering_connection(
    tx: &mut Transaction<'_>,
    request: &AcceptVpcPeeringConnectionRequest,
) -> Result<AcceptVpcPeeringConnectionResponse, Error> {
    let id = parameter::id(&request.vpc_peering_connection_id, "vpcPeeringConnectionId")?;
    let mut peering = find_in_any_region(tx, id)?;
    check_accepter(tx, &peering, "accept", "accepted")?;
    if peering.status != PeeringStatus::PendingAcceptance {
        return Err(invalid_transition(&peering, PeeringStatus::Active));
    }
    let (requester, accepter) = (peering.requester.vpc_id, peering.accepter.vpc_id);
    if let Some(existing) = established_between(tx, &peering) {
        return Err(Error::new(
            "VpcPeeringConnectionAlreadyExists",
            format!(
                "The vpc peering connection identified by {} already exists.",
                existing.id
            ),
        ));
    }
    for vpc_id in [requester, accepter] {
        let own =
            |p: &&VpcPeeringConnection| p.status.is_established() && p.other(vpc_id).is_some();
        tx.quotas()
            .active_vpc_peering_connections(all(tx).filter(own).count())?;
    }
    peering.status = PeeringStatus::Provisioning;
    peering.since = tx.now();
    put(tx, peering.clone());
    Ok(AcceptVpcPeeringConnectionResponse {
        vpc_peering_connection: Some(describe::shape(tx.scope(), &peering)),
    })
}

/// The other connection of the same two VPCs, in whichever roles.
fn established_between<'a>(
    tx: &'a Transaction<'_>,
    peering: &VpcPeeringConnection,
) -> Option<&'a VpcPeeringConnection> {
    let (a, b) = (peering.requester.vpc_id, peering.accepter.vpc_id);
    let being_set_up = || all(tx).find(|p| p.status.is_established() && p.joins(a, b));
    active_between(tx, a, b).or_else(being_set_up)
}

/// Says no to a request.
pub(crate) fn reject_vpc_peering_connection(
    tx: &mut Transaction<'_>,
    request: &RejectVpcPeeringConnectionRequest,
) -> Result<RejectVpcPeeringConnectionResponse, Error> {
    let id = parameter::id(&request.vpc_peering_connection_id, "vpcPeeringConnectionId")?;
    let peering = find_in_any_region(tx, id)?;
    check_accepter(tx, &peering, "reject", "accepted or rejected")?;
    if peering.status != PeeringStatus::PendingAcceptance {
        return Err(invalid_transition(&peering, PeeringStatus::Rejected));
    }
    life::end(tx, peering, PeeringStatus::Rejected);
    Ok(RejectVpcPeeringConnectionResponse {
        r#return: Some(true),
    })
}

/// Only the account that was asked may answer, and only where its VPC is.
fn check_accepter(
    tx: &Transaction<'_>,
    peering: &VpcPeeringConnection,
    verb: &str,
    participle: &str,
) -> Result<(), Error> {
    let (own, asked) = (tx.scope(), peering.accepter.scope);
    if own.account != asked.account {
        return Err(not_permitted(format!(
            "User ({}) cannot {verb} peering {}",
            own.account, peering.id
        )));
    }
    if own.region != asked.region {
        return Err(not_permitted(format!(
            "Incorrect region ({}) specified for this request. VPC peering connection {} must be \
             {participle} in region {}",
            own.region, peering.id, asked.region
        )));
    }
    Ok(())
}

/// Ends a connection, or takes a request back. Between Regions that takes a moment.
pub(crate) fn delete_vpc_peering_connection(
    tx: &mut Transaction<'_>,
    request: &DeleteVpcPeeringConnectionRequest,
) -> Result<DeleteVpcPeeringConnectionResponse, Error> {
    let id = parameter::id(&request.vpc_peering_connection_id, "vpcPeeringConnectionId")?;
    let peering = find(tx, id)?;
    let done = DeleteVpcPeeringConnectionResponse {
        r#return: Some(true),
    };
    match peering.status {
        PeeringStatus::Active => {}
        PeeringStatus::Deleting => return Ok(done),
        PeeringStatus::PendingAcceptance => {
            if peering.requester.scope.account != tx.scope().account {
                return Err(not_permitted(format!(
                    "User ({}) cannot delete peering {id}",
                    tx.scope().account
                )));
            }
        }
        _ => return Err(invalid_transition(&peering, PeeringStatus::Deleting)),
    }
    let to = if peering.is_within_region() {
        PeeringStatus::Deleted
    } else {
        PeeringStatus::Deleting
    };
    life::end(tx, peering, to);
    Ok(done)
}
