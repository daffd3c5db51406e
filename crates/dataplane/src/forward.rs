//! What happens to a frame: the cache in front, the pipeline behind it, and what comes out.

use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::FixedState;
use model::Timestamp;
use packet::icmp_error::{IcmpError, icmp_error};
use packet::rewrite::Rewrite;
use packet::{Ip, Kind, Mac, Malformed, Packet, ethernet, fragment, tcp};

use crate::compile::network_interface::Interface;
use crate::compile::{Port, Snapshot};
use crate::connection::Connections;
use crate::counters::Counters;
use crate::disposition::{Disposition, DropReason};
use crate::flow_cache::{self, DENY, FlowCache, FlowTuple, TRANSLATE, Translation};
use crate::fragment::Fragments;
use crate::meter::{Count, Meter};
use crate::neighbour::{self, SubnetLink};
use crate::ports::PortId;
use crate::service::{self, Allowance};
use crate::slab::NONE;
use crate::tuple::{L4, Tuple};
use crate::walk::{Decision, Subject, Walk, Way};
use crate::{FlowSample, InterfaceMetadata};

/// How much a data plane may remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Flows in the cache; others stay on the slow path.
    pub flows: usize,
    /// Tracked connections of one interface; packets that would need another are dropped.
    pub connections_per_interface: u32,
    /// Samples that wait for a harvest; when there are more, interfaces report skipped data.
    pub waiting_samples: usize,
    /// Makes the places in hash tables unpredictable for guests.
    pub hash_seed: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Seven eighths of a power of two, which is what a hash table holds.
            flows: 7 << 17,
            connections_per_interface: 1 << 17,
            waiting_samples: 1 << 16,
            hash_seed: 0,
        }
    }
}

/// What a device left for others to do on a frame (virtio-net header).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offload {
    /// Payload of each segment of a super-frame; 0 for an ordinary frame.
    pub gso_size: u16,
    /// The transport checksum is unfinished.
    pub partial_checksum: bool,
}

/// A frame of a burst.
#[derive(Debug)]
pub struct Ingress<'f> {
    /// The port that it came from.
    pub from: PortId,
    /// The frame.
    pub bytes: &'f mut [u8],
    /// What its device left for others to do.
    pub offload: Offload,
}

/// How many frames of a burst are looked at ahead.
const BURST: usize = 32;

/// What to do with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Write it, as it now is, to this port.
    Forward(PortId),
    /// Forget it.
    Drop(DropReason),
    /// Forget it, and write [`Dataplane::emitted`]: an answer, an error or fragments.
    Emit,
}

/// The data plane: the world as compiled, and what packets have left behind.
#[derive(Debug)]
pub struct Dataplane {
    snapshot: Arc<Snapshot>,
    epoch: u32,
    cache: FlowCache,
    connections: Connections,
    fragments: Fragments,
    allowances: Vec<Allowance>,
    meter: Meter,
    counters: Counters,
    emitted: Vec<(PortId, Vec<u8>)>,
    swept_flows: u32,
    swept_connections: u32,
    caching: bool,
    /// Keeps the reads of [`Dataplane::forward_burst`] ahead of their use from being left out.
    touched: u32,
}

impl Dataplane {
    /// A data plane that has seen no packet.
    pub fn new(snapshot: Arc<Snapshot>, limits: Limits) -> Self {
        let hasher = FixedState::with_seed(limits.hash_seed);
        Self {
            snapshot,
            epoch: 1,
            cache: FlowCache::new(limits.flows, hasher.clone()),
            connections: Connections::new(limits.connections_per_interface, hasher.clone()),
            fragments: Fragments::new(hasher),
            allowances: Vec::new(),
            meter: Meter::new(limits.waiting_samples),
            counters: Counters::default(),
            emitted: Vec::new(),
            swept_flows: 0,
            swept_connections: 0,
            caching: true,
            touched: 0,
        }
    }

    /// Decides by a new snapshot from the next packet on. Tracked connections live on.
    pub fn install(&mut self, snapshot: Arc<Snapshot>) {
        self.snapshot = snapshot;
        self.epoch = self.epoch.checked_add(1).unwrap_or(1);
    }

    /// The snapshot in force.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Decides every packet anew if false. The answers are the same; tests compare them.
    pub fn set_caching(&mut self, caching: bool) {
        self.caching = caching;
    }

    /// What has happened so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How many flows are in the cache.
    pub fn flows(&self) -> usize {
        self.cache.len()
    }

    /// How many connections are tracked, counted once for each interface.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// The frames that the last verdict [`Verdict::Emit`] asks to write, whole and without
    /// offloads.
    pub fn emitted(&self) -> &[(PortId, Vec<u8>)] {
        &self.emitted
    }

    /// Decides on a frame from a port, and makes it what its receiver shall get.
    pub fn forward(
        &mut self,
        from: PortId,
        frame: &mut [u8],
        offload: Offload,
        now: Timestamp,
    ) -> Verdict {
        let parsed = Packet::parse(frame);
        let place = self.place(from, &parsed);
        self.decide(from, &parsed, place, frame, offload, now)
    }

    /// Decides on frames that came together, in their order: as [`Dataplane::forward`] would on
    /// each, but the processor fetches what it needs for all of them at once. `each` is given the
    /// frame as its receiver shall get it, the verdict, and what is to be emitted.
    pub fn forward_burst<'f>(
        &mut self,
        burst: &mut [Ingress<'f>],
        now: Timestamp,
        mut each: impl FnMut(&mut Ingress<'f>, Verdict, &[(PortId, Vec<u8>)]),
    ) {
        for chunk in burst.chunks_mut(BURST) {
            let mut places = [None; BURST];
            for (frame, place) in chunk.iter().zip(&mut places) {
                *place = self.place(frame.from, &Packet::parse(frame.bytes));
            }
            for (_, hash) in places.iter().flatten() {
                self.touched = self.touched.wrapping_add(self.cache.touch(*hash));
            }
            for (frame, place) in chunk.iter_mut().zip(places) {
                let parsed = Packet::parse(frame.bytes);
                let (from, offload) = (frame.from, frame.offload);
                let verdict = self.decide(from, &parsed, place, frame.bytes, offload, now);
                each(frame, verdict, &self.emitted);
            }
        }
    }

    /// Where the cache would have the flow of a packet.
    #[inline]
    fn place(&self, from: PortId, parsed: &Result<Packet, Malformed>) -> Option<(FlowTuple, u64)> {
        let Ok(packet) = parsed else { return None };
        let ip = packet.ip().filter(|ip| ip.fragment.is_none())?;
        let ports = match ip.icmp {
            Some(icmp) => [
                icmp.identifier,
                u16::from_be_bytes([icmp.icmp_type, icmp.code]),
            ],
            None => [ip.src_port, ip.dst_port],
        };
        let key = FlowTuple::new(from, packet.dst_mac, ip, ports);
        Some((key, self.cache.hash(&key)))
    }

    #[inline]
    fn decide(
        &mut self,
        from: PortId,
        parsed: &Result<Packet, Malformed>,
        place: Option<(FlowTuple, u64)>,
        frame: &mut [u8],
        offload: Offload,
        now: Timestamp,
    ) -> Verdict {
        if !self.emitted.is_empty() {
            self.emitted.clear();
        }
        let Ok(packet) = parsed else {
            return self.drop(DropReason::Malformed);
        };
        if let Some((key, hash)) = place
            && let Some(ip) = packet.ip()
            && let Some(verdict) = self.cached(key, hash, packet.src_mac, ip, frame, offload, now)
        {
            return verdict;
        }
        self.slow(from, packet, frame, offload, now)
    }

    /// The verdict of the cache, if it has one for the packet.
    #[inline]
    #[expect(clippy::too_many_arguments, reason = "the parts of one frame")]
    fn cached(
        &mut self,
        key: FlowTuple,
        hash: u64,
        src_mac: Mac,
        ip: &Ip,
        frame: &mut [u8],
        offload: Offload,
        now: Timestamp,
    ) -> Option<Verdict> {
        let epoch = self.epoch;
        let entry = self.cache.find_mut(hash, &key)?;
        if entry.epoch != epoch || entry.from_mac != src_mac {
            return None;
        }
        if longest(ip, offload) > usize::from(entry.mtu) {
            return None;
        }
        if entry.is(DENY) {
            return self.cached_denial(key, hash, ip, offload, now);
        }
        let changes_state = ip.tcp_flags & (tcp::SYN | tcp::FIN | tcp::RST) != 0;
        let idle = now.as_micros().saturating_sub(entry.last.as_micros());
        if changes_state || idle > u64::from(entry.idle_secs) * 1_000_000 {
            return None;
        }
        let count = Count::of(ip, offload);
        let fresh = entry.count(count, now);
        let (out, src_mac, dst_mac) = (entry.out, entry.src_mac, entry.dst_mac);
        let translated = entry.is(TRANSLATE).then_some(entry.path);
        if fresh {
            self.cache.mark_dirty(key);
        }
        if let Some(path) = translated {
            let translation = self.cache.path(path).map(|p| p.translation);
            if !translate(frame, translation.unwrap_or_default(), offload) {
                return Some(self.drop(DropReason::Malformed));
            }
        }
        let _ = ethernet::set_macs(frame, dst_mac, src_mac);
        self.counters.cached += 1;
        self.counters.forwarded += 1;
        Some(Verdict::Forward(out))
    }

    #[inline(never)]
    fn cached_denial(
        &mut self,
        key: FlowTuple,
        hash: u64,
        ip: &Ip,
        offload: Offload,
        now: Timestamp,
    ) -> Option<Verdict> {
        let entry = self.cache.find_mut(hash, &key)?;
        let path = entry.path;
        let cold = self.cache.path(path)?;
        let reason = cold.reason?;
        if let Some((interface, begun)) = cold.guard
            && self.connections.begun(interface) != begun
        {
            return None;
        }
        let entry = self.cache.find_mut(hash, &key)?;
        if entry.count(Count::of(ip, offload), now) {
            self.cache.mark_dirty(key);
        }
        self.counters.cached += 1;
        Some(self.drop(reason))
    }

    /// Everything that the cache does not know.
    #[inline(never)]
    fn slow(
        &mut self,
        from: PortId,
        packet: &Packet,
        frame: &mut [u8],
        offload: Offload,
        now: Timestamp,
    ) -> Verdict {
        let snapshot = self.snapshot.clone();
        let Some(port) = snapshot.port(from) else {
            return self.drop(DropReason::UnknownPort);
        };
        let mac = match port {
            Port::Interface(interface) => interface.mac,
            Port::Outside(outside) => outside.mac,
        };
        if packet.src_mac != mac {
            return self.drop(DropReason::SourceMac);
        }
        let ip = match &packet.kind {
            Kind::Arp(arp) => {
                let answer = match port {
                    Port::Interface(interface) => neighbour::arp(
                        &SubnetLink {
                            snapshot: &snapshot,
                            interface,
                        },
                        arp,
                    ),
                    Port::Outside(outside) => neighbour::arp(outside, arp),
                };
                return self.answer(from, answer.ok_or(DropReason::Neighbour));
            }
            Kind::Other(_) => return self.drop(DropReason::NotIp),
            Kind::Ipv4(ip) | Kind::Ipv6(ip) => ip,
        };
        if neighbour::is_discovery(ip) {
            let answer = match port {
                Port::Interface(interface) => {
                    let link = SubnetLink {
                        snapshot: &snapshot,
                        interface,
                    };
                    neighbour::discovery(&link, packet, ip, frame)
                }
                Port::Outside(outside) => neighbour::discovery(outside, packet, ip, frame),
            };
            return self.answer(from, answer.ok_or(DropReason::Neighbour));
        }
        if packet.dst_mac.is_multicast() || ip.dst.is_multicast() {
            return self.drop(DropReason::Multicast);
        }
        if let Port::Interface(interface) = port {
            let (vpc, subnet) = (snapshot.vpc_of(interface), snapshot.subnet_of(interface));
            if service::is_service(vpc, subnet, ip.dst) {
                return self.serve(&snapshot, interface, packet, ip, frame, now);
            }
        }
        self.route(&snapshot, from, packet, ip, frame, offload, now)
    }

    fn serve(
        &mut self,
        snapshot: &Snapshot,
        from: &Interface,
        packet: &Packet,
        ip: &Ip,
        frame: &[u8],
        now: Timestamp,
    ) -> Verdict {
        let at = from.port.index();
        if self.allowances.len() <= at {
            self.allowances.resize(at + 1, Allowance::default());
        }
        let answer = if self.allowances[at].take(now) {
            service::answer(snapshot, from, packet, ip, frame)
        } else {
            Err(DropReason::ServiceRateExceeded)
        };
        self.answer(from.port, answer)
    }

    fn answer(&mut self, to: PortId, answer: Result<Vec<u8>, DropReason>) -> Verdict {
        match answer {
            Ok(frame) => {
                self.counters.emitted += 1;
                self.emitted.push((to, frame));
                Verdict::Emit
            }
            Err(reason) => self.drop(reason),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one frame")]
    fn route(
        &mut self,
        snapshot: &Snapshot,
        from: PortId,
        packet: &Packet,
        ip: &Ip,
        frame: &mut [u8],
        offload: Offload,
        now: Timestamp,
    ) -> Verdict {
        let tuple = self.fragments.whole(from, ip, now);
        let quoted = Subject::quoted_in(ip, frame);
        let mut subject = Subject::new(ip, tuple, quoted, longest(ip, offload));
        subject.dont_fragment |= offload.gso_size != 0;
        let mut decision = Walk {
            snapshot,
            connections: &mut self.connections,
            cache: &mut self.cache,
            now,
            steps: None,
            way: Way::default(),
        }
        .decide(from, packet.dst_mac, &subject);
        self.remember(from, packet, ip, &tuple, &mut decision, offload, now);
        let Some(out) = decision.out else {
            let reason = decision.disposition.drop_reason();
            let verdict = self.drop(reason.unwrap_or(DropReason::Malformed));
            if let Disposition::MtuExceeded { mtu } = decision.disposition {
                return self
                    .tell_too_big(snapshot, from, ip, frame, mtu)
                    .unwrap_or(verdict);
            }
            return verdict;
        };
        if !translate(frame, decision.translation, offload) {
            return self.drop(DropReason::Malformed);
        }
        let _ = ethernet::set_macs(frame, out.dst_mac, out.src_mac);
        if subject.len > usize::from(decision.mtu) {
            return self.fragment(out.port, frame, decision.mtu, offload);
        }
        self.counters.forwarded += 1;
        Verdict::Forward(out.port)
    }

    /// Counts the packet, and keeps the verdict for the flow's next packets.
    #[expect(clippy::too_many_arguments, reason = "the parts of one frame")]
    fn remember(
        &mut self,
        from: PortId,
        packet: &Packet,
        ip: &Ip,
        tuple: &Tuple,
        decision: &mut Decision,
        offload: Offload,
        now: Timestamp,
    ) {
        let count = Count::of(ip, offload);
        let refused_as_such = matches!(
            decision.disposition,
            Disposition::RefusedOnLink(_)
                | Disposition::SourceDestinationCheck { egress: true, .. }
        );
        if refused_as_such {
            return;
        }
        if matches!(decision.disposition, Disposition::MtuExceeded { .. }) {
            let records = std::mem::take(&mut decision.records);
            return self.meter.keep_one(records, count, now);
        }
        let whole = !(ip.is_later_fragment() && tuple.l4 == L4::None);
        let cacheable = self.caching && decision.cacheable && whole && !ip.is_icmp_error();
        let out = decision.out;
        let reason = decision.disposition.drop_reason();
        let begun = |port| (port, self.connections.begun(port));
        let verdict = flow_cache::Verdict {
            epoch: if cacheable { self.epoch } else { 0 },
            out: out.map_or(PortId::NONE, |out| out.port),
            idle_secs: decision.idle_secs,
            from_mac: packet.src_mac,
            src_mac: out.map_or(Mac::default(), |out| out.src_mac),
            dst_mac: out.map_or(Mac::default(), |out| out.dst_mac),
            mtu: decision.mtu,
            deny: reason.is_some(),
            records: std::mem::take(&mut decision.records),
            connections: decision.connections,
            translation: decision.translation,
            reason,
            guard: decision.refused_by.map(begun),
        };
        let key = FlowTuple::new(from, packet.dst_mac, ip, key_ports(tuple));
        let (path, counted) = match self.cache.put(key, verdict) {
            Ok(kept) => kept,
            Err(records) => return self.meter.keep_one(records, count, now),
        };
        if let Some(counted) = counted {
            self.meter.keep(&counted);
        }
        for (side, &index) in decision.connections.iter().enumerate() {
            if let Some(connection) = self.connections.get_mut(index) {
                connection.paths[side] = path;
            }
        }
        let hash = self.cache.hash(&key);
        if let Some(entry) = self.cache.find_mut(hash, &key)
            && entry.count(count, now)
        {
            self.cache.mark_dirty(key);
        }
    }

    /// Tells the sender how long packets may be, from its router.
    fn tell_too_big(
        &mut self,
        snapshot: &Snapshot,
        from: PortId,
        ip: &Ip,
        frame: &[u8],
        mtu: u16,
    ) -> Option<Verdict> {
        let (router, mac): (IpAddr, Mac) = match snapshot.port(from)? {
            Port::Interface(interface) => {
                let subnet = snapshot.subnet_of(interface);
                let address = match ip.dst {
                    IpAddr::V4(_) => subnet.router_v4?.into(),
                    IpAddr::V6(_) => subnet.router_v6?.into(),
                };
                (address, snapshot.vpc_of(interface).router_mac)
            }
            Port::Outside(_) => (ip.dst, crate::compile::internet::INTERNET_ROUTER_MAC),
        };
        let error = IcmpError::TooBig { mtu: mtu.into() };
        let mut answer = Vec::new();
        icmp_error(frame, error, router, mac, &mut answer).ok()?;
        Some(self.answer(from, Ok(answer)))
    }

    fn fragment(&mut self, to: PortId, frame: &[u8], mtu: u16, offload: Offload) -> Verdict {
        let mut fragments = Vec::new();
        let partial = offload.partial_checksum;
        if fragment::fragment_ipv4(frame, mtu.into(), partial, &mut fragments).is_err() {
            return self.drop(DropReason::Malformed);
        }
        self.counters.forwarded += 1;
        self.counters.emitted += fragments.len() as u64;
        self.emitted
            .extend(fragments.into_iter().map(|fragment| (to, fragment)));
        Verdict::Emit
    }

    fn drop(&mut self, reason: DropReason) -> Verdict {
        self.counters.drop(reason);
        Verdict::Drop(reason)
    }

    /// Takes what interfaces saw since the last harvest.
    pub fn harvest(&mut self, into: &mut Vec<FlowSample>) {
        self.cache
            .harvest(|records, counted| crate::meter::push_samples(records, counted, into));
        self.meter.drain(into);
    }

    /// The interfaces that saw more than there was memory for since the last call.
    pub fn take_skipped(&mut self) -> Vec<Arc<InterfaceMetadata>> {
        self.meter.take_skipped()
    }

    /// Lets go of flows and connections that have been idle for too long. Looks at a bounded
    /// number of them, so it is to be called often: some ten times a second.
    pub fn sweep(&mut self, now: Timestamp) {
        const STEPS: u32 = 2048;
        for _ in 0..STEPS.min(self.cache.places()) {
            self.swept_flows = (self.swept_flows + 1) % self.cache.places();
            let expired = self.cache.expire(self.swept_flows, self.epoch, now);
            let Some((counted, connections, last)) = expired else {
                continue;
            };
            if let Some(counted) = counted {
                self.meter.keep(&counted);
            }
            for index in connections.into_iter().filter(|&index| index != NONE) {
                if let Some(connection) = self.connections.get_mut(index)
                    && connection.paths.contains(&self.swept_flows)
                {
                    connection.last = connection.last.max(last);
                }
            }
        }
        for _ in 0..STEPS.min(self.connections.places()) {
            self.swept_connections = (self.swept_connections + 1) % self.connections.places();
            let index = self.swept_connections;
            let last = crate::walk::last_seen(&self.connections, &self.cache, index);
            if self.connections.is_expired(index, last, now)
                && let Some(connection) = self.connections.remove(index)
            {
                connection.paths.iter().for_each(|&p| self.cache.forget(p));
            }
        }
    }

    /// Decides on a packet that is only described, and notes the steps.
    pub(crate) fn explain(
        &mut self,
        from: PortId,
        dst_mac: Mac,
        subject: &Subject,
        now: Timestamp,
        steps: &mut Vec<crate::Step>,
    ) -> Decision {
        let snapshot = self.snapshot.clone();
        Walk {
            snapshot: &snapshot,
            connections: &mut self.connections,
            cache: &mut self.cache,
            now,
            steps: Some(steps),
            way: Way::default(),
        }
        .decide(from, dst_mac, subject)
    }
}

/// Length of the packet, or of the longest segment of a super-frame.
fn longest(ip: &Ip, offload: Offload) -> usize {
    match offload.gso_size {
        0 => ip.ip_len,
        size => ip.ip_len.min(ip.header_len() + usize::from(size)),
    }
}

fn key_ports(tuple: &Tuple) -> [u16; 2] {
    match tuple.l4 {
        L4::Ports { src, dst } => [src, dst],
        L4::Icmp {
            icmp_type,
            code,
            id,
        } => [id, u16::from_be_bytes([icmp_type, code])],
        L4::None => [0, 0],
    }
}

/// Writes translated addresses, into the packet that an ICMP error quotes as well.
fn translate(frame: &mut [u8], translation: Translation, offload: Offload) -> bool {
    if !translation.is_some() {
        return true;
    }
    let Translation { src, dst } = translation;
    let is_error = matches!(Packet::parse(frame), Ok(p) if p.ip().is_some_and(Ip::is_icmp_error));
    let outer = Rewrite {
        src,
        dst,
        ..Rewrite::default()
    };
    if outer.apply(frame, offload.partial_checksum).is_err() {
        return false;
    }
    if is_error {
        let inner = Rewrite {
            src: dst,
            dst: src,
            ..Rewrite::default()
        };
        // A quote that is too short to be rewritten is of no use to its receiver either.
        let _ = inner.apply_to_quoted(frame, offload.partial_checksum);
    }
    true
}
