//! From one VPC into the other (Amazon VPC Peering Guide, "Update your route tables" and "VPC peering
//! limitations").

use crate::Direction;
use crate::compile::network_interface::Interface;
use crate::compile::vpc_peering_connection::Peering;
use crate::disposition::Disposition;
use crate::nat_gateway::{is_echo, is_echo_message};
use crate::session::Key;
use crate::step::{Outcome, Stage};
use crate::subject::Subject;
use crate::walk::{End, MTU_VPC, Walk};

/// The longest packet between Regions (Amazon EC2 User Guide, "Network maximum transmission unit").
const MTU_BETWEEN_REGIONS: u16 = 8500;

/// `traffic-path` of what leaves through a peering connection.
pub(crate) fn traffic_path(peering: Peering) -> u8 {
    if peering.is_within_region { 4 } else { 5 }
}

impl Walk<'_> {
    /// Carries a packet to an interface of the peer. The peer's route tables and gateways have no
    /// say in it: they are not asked.
    pub(crate) fn vpc_peering_connection(
        &mut self,
        from: &Interface,
        peering: Peering,
        subject: &Subject,
    ) -> End {
        let snapshot = self.snapshot;
        let (src, dst) = (subject.tuple.src, subject.tuple.dst);
        let own = snapshot.vpc_of(from);
        let Some(peer) = snapshot.peer(peering) else {
            return Err(self.nobody_has(own, dst));
        };
        let foreign = [(src, own), (dst, peer)]
            .into_iter()
            .find(|(address, vpc)| !vpc.contains(*address));
        if let Some((address, _)) = foreign {
            let outside = Disposition::OutsidePeering {
                peering: peering.id,
                address,
            };
            return Err(self.refuse(peering, Stage::VpcPeeringConnection, outside));
        }
        let (side, stage) = (Direction::Egress, Stage::VpcPeeringConnection);
        self.step(peering.id, side, stage, None, Outcome::Pass, || {
            format!("{} to {}", own.id, peer.id)
        });
        let mtu = if peering.is_within_region {
            MTU_VPC
        } else {
            MTU_BETWEEN_REGIONS
        };
        self.way.limit_mtu(mtu);
        if let Some(too_long) = self.too_long(mtu, subject) {
            return Err(self.refuse(peering, Stage::Mtu, too_long));
        }
        let to = peer.addresses.get(&dst);
        match to.and_then(|&port| snapshot.interface(port)) {
            Some(to) => {
                self.passes_to(&from.metadata, &to.metadata);
                self.ingress(to, true, None, subject)
            }
            None => Err(self.nobody_has(peer, dst)),
        }
    }

    /// The connection to a NAT gateway of a peer that a packet answers: such answers return to their
    /// sender whatever the routes say (Amazon VPC User Guide, "NAT gateway basics").
    pub(crate) fn back_to_nat_gateway(
        &mut self,
        from: &Interface,
        subject: &Subject,
    ) -> Option<Peering> {
        let snapshot = self.snapshot;
        if is_echo(subject, packet::icmp::ECHO_REQUEST) {
            return None;
        }
        let answered = match &subject.quoted {
            Some(quoted) if is_echo_message(quoted, packet::icmp::ECHO_REPLY) => return None,
            Some(quoted) => quoted.reversed(),
            None => subject.tuple,
        };
        for &peering in &snapshot.vpc_of(from).peerings {
            let peer = snapshot.peer(peering);
            let to = peer.and_then(|peer| peer.addresses.get(&subject.tuple.dst));
            let to = to.and_then(|&port| snapshot.interface(port));
            let Some(gateway) = to.filter(|to| to.nat_gateway.is_some()) else {
                continue;
            };
            let key = Key::inward(gateway.port, &answered);
            if key.is_some_and(|key| self.would_find_session(&key, subject)) {
                return Some(peering);
            }
            // A session may begin before the next packet.
            self.way.cacheable = false;
        }
        None
    }

    fn refuse(&mut self, peering: Peering, stage: Stage, why: Disposition) -> Disposition {
        let side = Direction::Egress;
        self.step(peering.id, side, stage, None, Outcome::Drop, || {
            why.to_string()
        });
        why
    }
}
