//! VPC peering connections as `forward` reads them: only those that carry packets.

use std::net::Ipv4Addr;

use model::{PeeringStatus, Region, VpcId, VpcPeeringConnection, VpcPeeringConnectionId, World};

use super::Snapshot;
use super::vpc::{Map, Vpc};

/// A connection as one of its VPCs sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peering {
    pub(crate) id: VpcPeeringConnectionId,
    /// Place of the other VPC in the snapshot.
    pub(crate) vpc: u32,
    pub(crate) is_within_region: bool,
    /// Whether public names of the other VPC's instances mean private addresses in this one.
    pub(crate) resolves_to_private: bool,
}

/// Every active connection, whoever requested it, and where VPCs are in the snapshot.
pub(crate) struct Peerings<'a> {
    all: Vec<&'a VpcPeeringConnection>,
    by_id: Map<VpcPeeringConnectionId, &'a VpcPeeringConnection>,
    /// Pairs of VPCs of one Region, the lower id first.
    within_region: Map<(VpcId, VpcId), ()>,
    places: Map<VpcId, u32>,
}

impl<'a> Peerings<'a> {
    /// Finds the connections of a world whose VPCs are at `places`.
    pub(crate) fn new(world: &'a World, places: Map<VpcId, u32>) -> Self {
        let active = |p: &&VpcPeeringConnection| p.status == PeeringStatus::Active;
        let all: Vec<_> = world.vpc_peering_connections().filter(active).collect();
        let within_region = all.iter().filter(|p| p.is_within_region());
        Self {
            by_id: all.iter().map(|p| (p.id, *p)).collect(),
            within_region: within_region
                .map(|p| (pair(p.requester.vpc_id, p.accepter.vpc_id), ()))
                .collect(),
            all,
            places,
        }
    }

    /// Where a VPC is in the snapshot.
    pub(crate) fn place(&self, vpc_id: VpcId) -> Option<u32> {
        self.places.get(&vpc_id).copied()
    }

    /// The active connection with this id.
    pub(crate) fn get(&self, id: VpcPeeringConnectionId) -> Option<&'a VpcPeeringConnection> {
        self.by_id.get(&id).copied()
    }

    /// Whether rules of one VPC may refer to groups of another.
    pub(crate) fn share_groups(&self, a: VpcId, b: VpcId) -> bool {
        self.within_region.contains_key(&pair(a, b))
    }

    /// A connection as a VPC sees it; nothing if it does not lead anywhere from there.
    pub(crate) fn from(&self, vpc_id: VpcId, id: VpcPeeringConnectionId) -> Option<Peering> {
        self.seen_from(vpc_id, self.get(id)?)
    }

    fn seen_from(&self, vpc_id: VpcId, peering: &VpcPeeringConnection) -> Option<Peering> {
        let other = peering.other(vpc_id)?;
        Some(Peering {
            id: peering.id,
            vpc: self.place(other.vpc_id)?,
            is_within_region: peering.is_within_region(),
            resolves_to_private: other.allow_dns_resolution_from_remote_vpc,
        })
    }

    /// Tells every VPC its connections.
    pub(crate) fn tell(&self, vpcs: &mut [Vpc]) {
        for peering in &self.all {
            for side in [&peering.requester, &peering.accepter] {
                let place = self.place(side.vpc_id);
                let vpc = place.and_then(|place| vpcs.get_mut(place as usize));
                if let (Some(vpc), Some(seen)) = (vpc, self.seen_from(side.vpc_id, peering)) {
                    vpc.peerings.push(seen);
                }
            }
        }
    }
}

fn pair(a: VpcId, b: VpcId) -> (VpcId, VpcId) {
    (a.min(b), a.max(b))
}

impl Snapshot {
    /// Whether public names of instances in `home` mean private addresses to who asks in `asking`:
    /// in the same VPC, and in peers that `home` allows it (Amazon VPC Peering Guide, "Enable DNS
    /// resolution for a VPC peering connection").
    pub(crate) fn reveals_private(&self, asking: &Vpc, home: &Vpc) -> bool {
        let allows = |p: &Peering| p.resolves_to_private && self.peer(*p).id == home.id;
        let has_names = home.dns_support && home.dns_hostnames;
        asking.id == home.id || (has_names && asking.peerings.iter().any(allows))
    }

    /// Whether private names of a Region mean something to who asks in a VPC: those of its own
    /// addresses, and those of peers that allow it, or that are in the Region and have addresses of
    /// the private ranges (Amazon VPC User Guide, "DNS attributes for your VPC").
    pub(crate) fn knows_private_name(
        &self,
        asking: &Vpc,
        region: Region,
        address: Ipv4Addr,
    ) -> bool {
        let is_own = asking.region == region && asking.contains(address.into());
        let known = |p: &Peering| {
            let peer = self.peer(*p);
            let allowed = p.resolves_to_private || (p.is_within_region && address.is_private());
            allowed && peer.dns_support && peer.region == region && peer.contains(address.into())
        };
        is_own || asking.peerings.iter().any(known)
    }
}
