//! Asking for a peering connection (Amazon VPC Peering Guide, "Create a VPC peering connection").

use ec2_api::{CreateVpcPeeringConnectionRequest, CreateVpcPeeringConnectionResponse};
use model::{
    AccountId, PeeringSide, PeeringStatus, Region, Scope, Tags, Vpc, VpcId, VpcPeeringConnection,
};

use super::{TYPE, all, describe, life, put};
use crate::tag::from_specifications;
use crate::{Error, Transaction, parameter};

/// Asks the owner of another VPC. A request that cannot succeed is made all the same, and fails
/// afterwards; the same request again gives the connection that there is.
pub(crate) fn create_vpc_peering_connection(
    tx: &mut Transaction<'_>,
    request: &CreateVpcPeeringConnectionRequest,
) -> Result<CreateVpcPeeringConnectionResponse, Error> {
    let vpc_id: VpcId = parameter::id(&request.vpc_id, "vpcId")?;
    let peer_vpc_id: VpcId = parameter::id(&request.peer_vpc_id, "peerVpcId")?;
    let peer_scope = Scope {
        account: owner(tx, &request.peer_owner_id)?,
        region: region(tx, &request.peer_region)?,
    };
    let tags = from_specifications(tx, &request.tag_specifications, TYPE, &[TYPE])?;
    let mut requester = side(tx.scope(), vpc_id, tags);
    requester.set_blocks(tx.find::<Vpc>(vpc_id)?);
    let accepter = side(peer_scope, peer_vpc_id, Tags::new());
    let peering = match same(tx, &requester, &accepter) {
        Some(existing) => existing,
        None => ask(tx, requester, accepter)?,
    };
    Ok(CreateVpcPeeringConnectionResponse {
        vpc_peering_connection: Some(describe::shape(tx.scope(), &peering)),
    })
}

fn ask(
    tx: &mut Transaction<'_>,
    requester: PeeringSide,
    accepter: PeeringSide,
) -> Result<VpcPeeringConnection, Error> {
    let outstanding = tx
        .rows::<VpcPeeringConnection>()
        .filter(|p| life::status(p, tx.now()).is_outstanding());
    tx.quotas()
        .outstanding_vpc_peering_connections(outstanding.count())?;
    let peering = VpcPeeringConnection {
        id: tx.id(),
        requester,
        accepter,
        status: PeeringStatus::InitiatingRequest,
        since: tx.now(),
        expires_at: tx.now() + life::REQUEST,
        deleted_by: None,
    };
    put(tx, peering.clone());
    Ok(peering)
}

/// The connection that the same request has made before, if it has not ended.
fn same(
    tx: &Transaction<'_>,
    requester: &PeeringSide,
    accepter: &PeeringSide,
) -> Option<VpcPeeringConnection> {
    let is = |side: &PeeringSide, other: &PeeringSide| {
        side.vpc_id == other.vpc_id && side.scope == other.scope
    };
    let lives = |p: &VpcPeeringConnection| {
        let status = life::status(p, tx.now());
        status.is_outstanding() || status.is_established()
    };
    all(tx)
        .find(|p| is(&p.requester, requester) && is(&p.accepter, accepter) && lives(p))
        .cloned()
}

fn side(scope: Scope, vpc_id: VpcId, tags: Tags) -> PeeringSide {
    PeeringSide {
        scope,
        vpc_id,
        cidr_blocks: Vec::new(),
        ipv6_cidr_blocks: Vec::new(),
        allow_dns_resolution_from_remote_vpc: false,
        tags,
    }
}

fn owner(tx: &Transaction<'_>, given: &Option<String>) -> Result<AccountId, Error> {
    let Some(text) = given else {
        return Ok(tx.scope().account);
    };
    let malformed =
        |_| Error::invalid_value("peerOwnerId", text, "This is not a valid AWS account ID.");
    text.parse().map_err(malformed)
}

fn region(tx: &Transaction<'_>, given: &Option<String>) -> Result<Region, Error> {
    let Some(text) = given else {
        return Ok(tx.scope().region);
    };
    let unknown = |_| Error::invalid_value("peerRegion", text, "This is not a valid Region.");
    text.parse().map_err(unknown)
}
