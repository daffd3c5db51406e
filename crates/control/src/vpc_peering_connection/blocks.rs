//! Blocks that VPCs get and give up while they have peering connections (Amazon VPC User Guide,
//! "VPC CIDR blocks").

use ipnet::IpNet;
use model::{PeeringSide, PeeringStatus, Vpc, VpcId};

use super::{life, not_permitted, put, settle_of};
use crate::{Error, Transaction};

/// Whether a VPC may get a block, as far as its peering connections go.
pub(crate) fn check_new_block(
    tx: &mut Transaction<'_>,
    vpc_id: VpcId,
    block: IpNet,
) -> Result<(), Error> {
    for peering in settle_of(tx, vpc_id) {
        let Some(other) = peering.other(vpc_id) else {
            continue;
        };
        if peering.status == PeeringStatus::PendingAcceptance && peering.requester.vpc_id == vpc_id
        {
            return Err(not_permitted(format!(
                "A CIDR block cannot be added to {vpc_id} while its peering request {} is pending",
                peering.id
            )));
        }
        if peering.status.is_established() && has(other, block) {
            return Err(Error::new(
                "InvalidVpc.Range",
                format!(
                    "The CIDR '{block}' is restricted. It overlaps a CIDR block of {}, with which \
                     {vpc_id} is peered",
                    other.vpc_id
                ),
            ));
        }
    }
    Ok(())
}

fn has(side: &PeeringSide, block: IpNet) -> bool {
    let v4 = side.cidr_blocks.iter().map(|own| IpNet::V4(*own));
    let v6 = side.ipv6_cidr_blocks.iter().map(|own| IpNet::V6(*own));
    v4.chain(v6)
        .any(|own| own.contains(&block) || block.contains(&own))
}

/// Tells a VPC's connections which blocks it has now. A request that the VPC has not answered and
/// that would make blocks overlap fails.
pub(crate) fn blocks_changed(tx: &mut Transaction<'_>, vpc: &Vpc) {
    for mut peering in settle_of(tx, vpc.id) {
        if !peering.status.is_outstanding() && !peering.status.is_established() {
            continue;
        }
        if peering.requester.vpc_id == vpc.id {
            peering.requester.set_blocks(vpc);
        } else {
            peering.accepter.set_blocks(vpc);
        }
        let waits = peering.status == PeeringStatus::PendingAcceptance;
        if waits && peering.requester.overlaps(&peering.accepter) {
            life::end(tx, peering, PeeringStatus::Failed);
        } else {
            put(tx, peering);
        }
    }
}
