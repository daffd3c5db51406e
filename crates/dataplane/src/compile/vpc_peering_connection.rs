//! VPC peering connections as `forward` reads them: only those that carry packets.

use std::net::Ipv4Addr;

use model::{PeeringStatus, Region, VpcId, VpcPeeringConnection, VpcPeeringConnectionId, World};

use super::Snapshot;
use super::index::{Index, Rows};
use super::vpc::Vpc;

/// A connection as one of its VPCs sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peering {
    pub(crate) id: VpcPeeringConnectionId,
    /// The other VPC.
    pub(crate) vpc: VpcId,
    pub(crate) is_within_region: bool,
    /// Whether public names of the other VPC's instances mean private addresses in this one.
    pub(crate) resolves_to_private: bool,
}

/// The active connections of one VPC, whoever requested them, in the order of ids.
pub(crate) struct Peerings<'a> {
    vpc_id: VpcId,
    active: Vec<&'a VpcPeeringConnection>,
    index: &'a Index,
}

impl<'a> Peerings<'a> {
    /// Finds the connections of a VPC.
    pub(crate) fn new(world: &'a World, index: &'a Index, vpc_id: VpcId, rows: &Rows) -> Self {
        let rows = rows.peerings.iter();
        let all =
            rows.filter_map(|(id, scope)| world.region(scope)?.vpc_peering_connections.get(id));
        Self {
            vpc_id,
            active: all.filter(|p| p.status == PeeringStatus::Active).collect(),
            index,
        }
    }

    /// The active connection with this id.
    pub(crate) fn get(&self, id: VpcPeeringConnectionId) -> Option<&'a VpcPeeringConnection> {
        let place = self.active.binary_search_by_key(&id, |p| p.id).ok()?;
        self.active.get(place).copied()
    }

    /// Whether rules of the VPC may refer to groups of another.
    pub(crate) fn share_groups(&self, other: VpcId) -> bool {
        let joins = |p: &&VpcPeeringConnection| p.is_within_region() && p.joins(self.vpc_id, other);
        self.active.iter().any(joins)
    }

    /// A connection as the VPC sees it; nothing if it does not lead anywhere from there.
    pub(crate) fn from(&self, id: VpcPeeringConnectionId) -> Option<Peering> {
        self.seen(self.get(id)?)
    }

    fn seen(&self, peering: &VpcPeeringConnection) -> Option<Peering> {
        let other = peering.other(self.vpc_id)?;
        self.index.has(other.vpc_id).then_some(Peering {
            id: peering.id,
            vpc: other.vpc_id,
            is_within_region: peering.is_within_region(),
            resolves_to_private: other.allow_dns_resolution_from_remote_vpc,
        })
    }

    /// Every connection as the VPC sees it.
    pub(crate) fn all(&self) -> Vec<Peering> {
        self.active.iter().filter_map(|p| self.seen(p)).collect()
    }
}

impl Snapshot {
    /// Whether public names of instances in `home` mean private addresses to who asks in `asking`:
    /// in the same VPC, and in peers that `home` allows it, as long as both have names (Amazon VPC Peering
    /// Guide, "Enable DNS resolution for a VPC peering connection").
    pub(crate) fn reveals_private(&self, asking: &Vpc, home: &Vpc) -> bool {
        let allows = |p: &Peering| p.resolves_to_private && p.vpc == home.id;
        let have_names = asking.has_names() && home.has_names();
        asking.id == home.id || (have_names && asking.peerings.iter().any(allows))
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
            let by_itself = p.is_within_region && address.is_private();
            self.peer(*p).is_some_and(|peer| {
                let allowed = p.resolves_to_private && peer.has_names();
                (allowed || (by_itself && peer.dns_support))
                    && peer.region == region
                    && peer.contains(address.into())
            })
        };
        is_own || asking.peerings.iter().any(known)
    }
}
