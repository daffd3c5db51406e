//! What a switch may do by itself with the next packets of a flow, and tells of them later (ADR 14).

use std::fmt;
use std::net::IpAddr;

use model::Timestamp;
use packet::{Ip, Mac, protocol, tcp};

use crate::flow_cache::{Entry, FlowTuple, Kind, Membership, Owner};
use crate::forward::Dataplane;
use crate::nat_gateway::HOPS_MAX;
use crate::ports::PortId;
use crate::slab::NONE;
use crate::slow::key_ports;
use crate::tuple::Tuple;

/// Carries packets of flows that have been decided on. It decides nothing: a packet for which what was set does not
/// hold, in any respect, is given to [`Dataplane::forward`](crate::Dataplane::forward).
///
/// Flows are at places, as small numbers; the uppermost bit is set for flows of IPv6.
pub trait FastPath: fmt::Debug + Send {
    /// From the next packet on, only what is set in this epoch holds.
    fn begin_epoch(&mut self, epoch: u32);

    /// Carry the packets of the flow at a place like this from now on, in the place of what was set for it earlier. There
    /// may be no room for it.
    fn set(&mut self, place: u32, flow: &FastFlow);

    /// The next packet of the flow at a place is to be decided on. What has been counted is kept.
    fn suspend(&mut self, place: u32);

    /// There is no flow at a place any longer.
    fn remove(&mut self, place: u32);

    /// What has been counted of the flow at a place since the last time, if anything.
    fn take(&mut self, place: u32) -> Option<Tally>;

    /// The same for the next so many flows; tells whether there are more before it begins anew.
    fn harvest(&mut self, limit: usize, each: &mut dyn FnMut(u32, Tally)) -> bool;

    /// When the flow at a place last had a packet that has not been taken yet.
    fn last_seen(&self, place: u32) -> Option<Timestamp>;

    /// Refusals that a port guards hold with this number only, from the next packet on.
    fn begun(&mut self, port: PortId, number: u32);

    /// To be called a few times a second. Tells what was counted by what has been replaced meanwhile.
    fn tend(&mut self, each: &mut dyn FnMut(u32, Tally));

    /// No packet is to be carried while it is closed.
    fn set_closed(&mut self, closed: bool);
}

/// What to do with the packets of a flow. None of them may be a fragment, have IPv4 options or IPv6 extension headers, or
/// be of ICMP but an echo or its answer. Of TCP, none may have SYN or RST set, unless they are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FastFlow {
    /// Where its packets come from.
    pub from: PortId,
    /// Their source.
    pub src: IpAddr,
    /// Their destination.
    pub dst: IpAddr,
    /// Their ports; of an echo, the identifier, then type and code.
    pub ports: [u16; 2],
    /// TCP, UDP, ICMP or ICMPv6.
    pub protocol: u8,
    /// Where they go, unless they are refused.
    pub out: PortId,
    /// The destination that their frames have.
    pub to_mac: Mac,
    /// The source that their frames get.
    pub src_mac: Mac,
    /// The destination that their frames get.
    pub dst_mac: Mac,
    /// The length of the longest packet, or segment of a super-frame.
    pub mtu: u16,
    /// After a rest of so many seconds the next packet is to be decided on.
    pub idle_secs: u32,
    /// Since when it rests.
    pub last: Timestamp,
    /// How many hops their way takes.
    pub hops: u8,
    /// So many hops must be left to a packet, and one.
    pub ttl_above: u8,
    /// What gateways replace.
    pub translation: packet::rewrite::Rewrite,
    /// They are refused, and only counted.
    pub deny: bool,
    /// Of those that are refused, the ones with FIN or RST are to be decided on all the same.
    pub remembered: bool,
    /// The refusal holds as long as a port has this number ([`FastPath::begun`]).
    pub guard: Option<(PortId, u32)>,
}

/// What has been counted of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Packets, the segments of super-frames one by one.
    pub packets: u64,
    /// Bytes of IP packets, every segment's headers included.
    pub bytes: u64,
    /// FIN, SYN and RST, and ACK if it came with SYN.
    pub tcp_flags: u8,
    /// When the first of them came.
    pub first: Timestamp,
    /// When the last of them came.
    pub last: Timestamp,
}

impl Dataplane {
    /// Takes note of ends of connections that the fast path has carried.
    pub(crate) fn learn_ends(&mut self) {
        while let Some((at, last)) = self.cache.next_end() {
            for member in self.cache.memberships(at) {
                // Somebody else may have the former owner's place.
                if self.paths(member.owner).contains(&at) {
                    self.learn_end(member, last);
                }
            }
        }
    }

    fn learn_end(&mut self, member: Membership, last: Timestamp) {
        let Membership { owner, egress } = member;
        let forget = match owner {
            Owner::Connection(index) => {
                let seen = self.connections.see(index, egress, tcp::FIN, last);
                seen.is_some_and(|seen| seen.forget)
            }
            Owner::Session(index) => {
                let seen = self.sessions.see(index, egress, tcp::FIN, last);
                seen.is_some_and(|seen| seen.forget)
            }
        };
        if forget {
            for path in self.paths(owner) {
                self.cache.forget(path);
            }
        }
    }

    pub(crate) fn paths(&self, owner: Owner) -> [u32; 2] {
        let paths = match owner {
            Owner::Connection(index) => self.connections.get(index).map(|c| c.paths),
            Owner::Session(index) => self.sessions.get(index).map(|s| s.paths),
        };
        paths.unwrap_or([NONE; 2])
    }

    /// A packet of a flow is to be decided on: has its connection ended? The fast path may know.
    pub(crate) fn learn(&mut self, from: PortId, ip: &Ip, tuple: &Tuple) {
        if ip.protocol != protocol::TCP || self.cache.fast_path().is_none() {
            return;
        }
        let key = FlowTuple::new(from, ip, key_ports(tuple));
        let place = self.cache.find(self.cache.hash(&key), &key, NONE);
        let Some(place) = place else { return };
        for Membership { owner, .. } in self.cache.memberships(place) {
            for path in self.paths(owner) {
                self.cache.absorb_at(path);
            }
        }
        self.learn_ends();
    }

    /// The same before a path is its owner's no longer.
    pub(crate) fn learn_at(&mut self, path: u32) {
        self.cache.absorb_at(path);
        self.learn_ends();
    }
}

impl FastFlow {
    /// Nothing if packets of the flow always have to be decided on.
    pub(crate) fn new(
        key: &FlowTuple,
        entry: &Entry,
        kind: &Kind,
        remembered: bool,
    ) -> Option<Self> {
        let is_echo = |types: [u8; 2]| {
            let [icmp_type, code] = key.ports()[1].to_be_bytes();
            types.contains(&icmp_type) && code == 0
        };
        let (src, dst) = key.addresses();
        let is_plain = match (key.protocol(), src.is_ipv4()) {
            (protocol::TCP | protocol::UDP, _) => true,
            (protocol::ICMP, true) => is_echo([8, 0]),
            (protocol::ICMPV6, false) => is_echo([128, 129]),
            _ => false,
        };
        is_plain.then(|| Self {
            from: key.from(),
            src,
            dst,
            ports: key.ports(),
            protocol: key.protocol(),
            out: kind.out,
            to_mac: kind.to_mac,
            src_mac: kind.src_mac,
            dst_mac: kind.dst_mac,
            mtu: kind.mtu,
            idle_secs: kind.idle_secs,
            last: entry.last,
            hops: if kind.translates { kind.hops } else { 0 },
            ttl_above: if kind.translates { HOPS_MAX } else { 0 },
            translation: kind.translation(entry.port),
            deny: kind.deny,
            remembered,
            guard: kind.guard.map(|port| (port, entry.begun)),
        })
    }
}
