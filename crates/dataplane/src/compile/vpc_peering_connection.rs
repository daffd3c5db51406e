//! VPC peering connections as `forward` reads them: only those that carry packets.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use model::{PeeringStatus, Region, VpcId, VpcPeeringConnection, VpcPeeringConnectionId, World};

use super::Snapshot;
use super::vpc::Vpc;

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
#[derive(Default)]
pub(crate) struct Peerings<'a> {
    by_id: BTreeMap<VpcPeeringConnectionId, &'a VpcPeeringConnection>,
    /// Pairs of VPCs, in both orders.
    within_region: BTreeSet<(VpcId, VpcId)>,
    places: BTreeMap<VpcId, u32>,
}

impl<'a> Peerings<'a> {
    /// Finds the connections of a world whose VPCs are at `places`.
    pub(crate) fn new(world: &'a World, places: BTreeMap<VpcId, u32>) -> Self {
        let mut peerings = Self {
            places,
            ..Self::default()
        };
        let active = |p: &&VpcPeeringConnection| p.status == PeeringStatus::Active;
        for peering in world.vpc_peering_connections().filter(active) {
            peerings.by_id.insert(peering.id, peering);
            if peering.is_within_region() {
                let (a, b) = (peering.requester.vpc_id, peering.accepter.vpc_id);
                peerings.within_region.extend([(a, b), (b, a)]);
            }
        }
        peerings
    }

    /// The active connection with this id.
    pub(crate) fn get(&self, id: VpcPeeringConnectionId) -> Option<&'a VpcPeeringConnection> {
        self.by_id.get(&id).copied()
    }

    /// Whether rules of one VPC may refer to groups of another.
    pub(crate) fn share_groups(&self, a: VpcId, b: VpcId) -> bool {
        self.within_region.contains(&(a, b))
    }

    /// A connection as a VPC sees it; nothing if it does not lead anywhere from there.
    pub(crate) fn from(&self, vpc_id: VpcId, id: VpcPeeringConnectionId) -> Option<Peering> {
        let peering = self.get(id)?;
        let other = peering.other(vpc_id)?;
        Some(Peering {
            id,
            vpc: *self.places.get(&other.vpc_id)?,
            is_within_region: peering.is_within_region(),
            resolves_to_private: other.allow_dns_resolution_from_remote_vpc,
        })
    }

    /// Tells every VPC its connections.
    pub(crate) fn tell(&self, vpcs: &mut [Vpc]) {
        for peering in self.by_id.values() {
            for side in [&peering.requester, &peering.accepter] {
                let place = self.places.get(&side.vpc_id);
                let vpc = place.and_then(|&place| vpcs.get_mut(place as usize));
                if let (Some(vpc), Some(seen)) = (vpc, self.from(side.vpc_id, peering.id)) {
                    vpc.peerings.push(seen);
                }
            }
        }
    }
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
