//! VPC peering connections (Amazon VPC Peering Guide, "How VPC peering connections work").

use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use crate::{AccountId, Scope, Tags, Timestamp, Vpc, VpcId, VpcPeeringConnectionId};

/// Joins two VPCs, of any two accounts and Regions. Both sides see the same row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpcPeeringConnection {
    /// Its id, the same for both sides.
    pub id: VpcPeeringConnectionId,
    /// Who asked for it.
    pub requester: PeeringSide,
    /// Who was asked.
    pub accepter: PeeringSide,
    /// Where it is in its life.
    pub status: PeeringStatus,
    /// When it got there.
    pub since: Timestamp,
    /// When the request lapses if nobody answers it.
    pub expires_at: Timestamp,
    /// Whose DeleteVpcPeeringConnection ended it.
    pub deleted_by: Option<AccountId>,
}

/// One of the two VPCs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeeringSide {
    /// The account and Region that the VPC is in, as the request names them.
    pub scope: Scope,
    /// The VPC.
    pub vpc_id: VpcId,
    /// The VPC's IPv4 blocks, the primary one first; as they last were when the VPC is gone.
    pub cidr_blocks: Vec<Ipv4Net>,
    /// The VPC's IPv6 blocks.
    pub ipv6_cidr_blocks: Vec<Ipv6Net>,
    /// Whether queries from the other side for public names of this VPC's instances are answered
    /// with private addresses.
    pub allow_dns_resolution_from_remote_vpc: bool,
    /// What this side's account has tagged it with.
    pub tags: Tags,
}

/// Where a peering connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PeeringStatus {
    /// Asked for; the accepter does not know yet.
    InitiatingRequest,
    /// Waits for the accepter.
    PendingAcceptance,
    /// Accepted; no packets yet.
    Provisioning,
    /// Carries packets.
    Active,
    /// The request could not be made: no such VPC, or blocks that overlap.
    Failed,
    /// The accepter said no.
    Rejected,
    /// Nobody answered in time.
    Expired,
    /// Being deleted.
    Deleting,
    /// Gone; shown for a while.
    Deleted,
}

impl PeeringStatus {
    /// As `status/code` spells it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::InitiatingRequest => "initiating-request",
            Self::PendingAcceptance => "pending-acceptance",
            Self::Provisioning => "provisioning",
            Self::Active => "active",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
        }
    }

    /// Whether the request has been made and not been answered.
    pub const fn is_outstanding(self) -> bool {
        matches!(self, Self::InitiatingRequest | Self::PendingAcceptance)
    }

    /// Whether the request has been accepted and the connection not been deleted.
    pub const fn is_established(self) -> bool {
        matches!(self, Self::Provisioning | Self::Active)
    }
}

impl VpcPeeringConnection {
    /// The side that is in an account's Region; the requester's if both are.
    pub fn side_in(&self, scope: Scope) -> Option<&PeeringSide> {
        [&self.requester, &self.accepter]
            .into_iter()
            .find(|side| side.scope == scope)
    }

    /// The side on the other end from a VPC; nothing if the VPC is on neither.
    pub fn other(&self, vpc_id: VpcId) -> Option<&PeeringSide> {
        if self.requester.vpc_id == vpc_id {
            Some(&self.accepter)
        } else if self.accepter.vpc_id == vpc_id {
            Some(&self.requester)
        } else {
            None
        }
    }

    /// Whether these are the two VPCs, in whichever roles.
    pub fn joins(&self, a: VpcId, b: VpcId) -> bool {
        self.other(a).is_some_and(|side| side.vpc_id == b)
    }

    /// Whether one account has both sides.
    pub fn is_within_account(&self) -> bool {
        self.requester.scope.account == self.accepter.scope.account
    }

    /// Whether both sides are in one Region.
    pub fn is_within_region(&self) -> bool {
        self.requester.scope.region == self.accepter.scope.region
    }
}

impl PeeringSide {
    /// Takes over the blocks that the VPC has now.
    pub fn set_blocks(&mut self, vpc: &Vpc) {
        self.cidr_blocks = vpc.cidr_blocks.iter().map(|b| b.cidr).collect();
        self.ipv6_cidr_blocks = vpc.ipv6_cidr_blocks.iter().map(|b| b.cidr).collect();
    }

    /// Whether a block of one side overlaps one of the other, in either address family.
    pub fn overlaps(&self, other: &Self) -> bool {
        let v4 = self.cidr_blocks.iter().any(|own| {
            other
                .cidr_blocks
                .iter()
                .any(|theirs| own.contains(theirs) || theirs.contains(own))
        });
        let v6 = self.ipv6_cidr_blocks.iter().any(|own| {
            other
                .ipv6_cidr_blocks
                .iter()
                .any(|theirs| own.contains(theirs) || theirs.contains(own))
        });
        v4 || v6
    }
}
