//! What happens to a frame: the cache in front, the pipeline behind it, and what comes out.

use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::FixedState;
use model::Timestamp;
use packet::rewrite::take_hops;
use packet::{Ip, Malformed, Packet, ethernet, tcp};

use crate::capture::Watch;
use crate::compile::Snapshot;
use crate::connection::Connections;
use crate::counters::Counters;
use crate::drop_reason::DropReason;
use crate::fast_path::FastPath;
use crate::flow_cache::{FlowCache, FlowTuple, Translation};
use crate::fragment::Fragments;
use crate::health_check::HealthChecks;
use crate::meter::{Count, Meter};
use crate::nat_gateway::HOPS_MAX;
use crate::ports::PortId;
use crate::service::Allowance;
use crate::service::dns::outside::Outside;
use crate::service_network::{Origin, Origins};
use crate::session::Sessions;
use crate::slab::NONE;

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

/// Where the cache would have the flow of a packet.
#[derive(Clone, Copy, Debug)]
struct Place {
    key: FlowTuple,
    hash: u64,
    /// A guess.
    at: u32,
}

/// What to do with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Write it, as it now is, to this port.
    Forward(PortId),
    /// Forget it.
    Drop(DropReason),
    /// Forget it, and write [`Dataplane::emitted`]: an answer, an error or fragments; or nothing, while there is an
    /// inquiry ([`Dataplane::take_inquiries`]).
    Emit,
}

/// The data plane: the world as compiled, and what packets have left behind.
#[derive(Debug)]
pub struct Dataplane {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) epoch: u32,
    pub(crate) cache: FlowCache,
    pub(crate) connections: Connections,
    pub(crate) sessions: Sessions,
    pub(crate) health_checks: HealthChecks,
    pub(crate) origins: Origins,
    pub(crate) fragments: Fragments,
    pub(crate) allowances: Vec<Allowance>,
    pub(crate) outside: Outside,
    pub(crate) meter: Meter,
    pub(crate) counters: Counters,
    pub(crate) emitted: Vec<(PortId, Vec<u8>)>,
    pub(crate) advertised: Timestamp,
    pub(crate) swept_flows: u32,
    pub(crate) swept_connections: u32,
    pub(crate) swept_sessions: u32,
    pub(crate) caching: bool,
    /// The one interface of which packets are known, if they were captured there.
    pub(crate) alone: Option<PortId>,
    pub(crate) watch: Watch,
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
            sessions: Sessions::new(hasher.clone()),
            health_checks: HealthChecks::default(),
            origins: Origins::new(hasher.clone()),
            fragments: Fragments::new(hasher),
            allowances: Vec::new(),
            outside: Outside::default(),
            meter: Meter::new(limits.waiting_samples),
            counters: Counters::default(),
            emitted: Vec::new(),
            advertised: Timestamp::default(),
            swept_flows: 0,
            swept_connections: 0,
            swept_sessions: 0,
            caching: true,
            alone: None,
            watch: Watch::default(),
            touched: 0,
        }
    }

    /// Decides by a new snapshot from the next packet on. Tracked connections live on. Gives back the snapshot that was
    /// in force, so that the caller may choose where to free it.
    pub fn install(&mut self, snapshot: Arc<Snapshot>) -> Arc<Snapshot> {
        self.health_checks.install(&snapshot.health_checks);
        self.epoch = self.epoch.checked_add(1).unwrap_or(1);
        if let Some(fast_path) = self.cache.fast_path() {
            fast_path.begin_epoch(self.epoch);
        }
        std::mem::replace(&mut self.snapshot, snapshot)
    }

    /// The snapshot in force.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Decides every packet anew if false. The answers are the same; tests compare them.
    pub fn set_caching(&mut self, caching: bool) {
        self.caching = caching;
        self.open_or_close();
    }

    /// Lets a switch carry packets of flows that have been decided on. To be called before there are any.
    pub fn set_fast_path(&mut self, mut fast_path: Box<dyn FastPath>) {
        fast_path.begin_epoch(self.epoch);
        self.cache.set_fast_path(fast_path);
        self.open_or_close();
    }

    /// What carries packets of flows that have been decided on.
    pub fn fast_path(&mut self) -> Option<&mut (dyn FastPath + 'static)> {
        self.cache.fast_path()
    }

    /// Every packet is needed where none is cached, and while somebody watches.
    pub(crate) fn open_or_close(&mut self) {
        let closed = !self.caching || self.watch.on;
        if let Some(fast_path) = self.cache.fast_path() {
            fast_path.set_closed(closed);
        }
    }

    /// Whom a source in the service network stands for, as long as it has connections.
    pub fn origin(&self, source: IpAddr) -> Option<Origin> {
        self.origins.get(source).map(|(origin, _)| origin)
    }

    /// What has happened so far.
    pub fn counters(&self) -> Counters {
        self.counters.plus(self.cache.carried())
    }

    /// How many flows are in the cache.
    pub fn flows(&self) -> usize {
        self.cache.len()
    }

    /// How many connections are tracked, counted once for each interface.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// How many connections NAT gateways translate.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
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
    /// each, but the processor fetches what it needs for all of them at once. `ingress` tells what
    /// a frame of the caller's is; `each` is given the frame, with its bytes as the receiver shall
    /// get them, the verdict, and what is to be emitted.
    pub fn forward_burst<F>(
        &mut self,
        burst: &mut [F],
        now: Timestamp,
        ingress: impl Fn(&mut F) -> Ingress<'_>,
        mut each: impl FnMut(&mut F, Verdict, &[(PortId, Vec<u8>)]),
    ) {
        for chunk in burst.chunks_mut(BURST) {
            if let [frame] = chunk {
                let Ingress {
                    from,
                    bytes,
                    offload,
                } = ingress(frame);
                let verdict = self.forward(from, bytes, offload, now);
                each(frame, verdict, &self.emitted);
                continue;
            }
            let mut places = [None; BURST];
            let mut parsed = [const { Err(Malformed::Truncated) }; BURST];
            for ((frame, place), parsed) in chunk.iter_mut().zip(&mut places).zip(&mut parsed) {
                let Ingress { from, bytes, .. } = ingress(frame);
                *parsed = Packet::parse(bytes);
                *place = self.place(from, parsed);
            }
            for place in places.iter_mut().flatten() {
                place.at = self.cache.guess(place.hash, &place.key);
            }
            for place in places.iter().flatten() {
                self.touched = self.touched.wrapping_add(self.cache.touch(place.at));
            }
            for place in places.iter().flatten() {
                self.touched = self.touched.wrapping_add(self.cache.touch_kind(place.at));
            }
            for ((frame, place), parsed) in chunk.iter_mut().zip(places).zip(&parsed) {
                let Ingress {
                    from,
                    bytes,
                    offload,
                } = ingress(frame);
                let verdict = self.decide(from, parsed, place, bytes, offload, now);
                each(frame, verdict, &self.emitted);
            }
        }
    }

    /// Where the cache would have the flow of a packet.
    #[inline]
    fn place(&self, from: PortId, parsed: &Result<Packet, Malformed>) -> Option<Place> {
        let Ok(packet) = parsed else { return None };
        let ip = packet.ip().filter(|ip| ip.fragment.is_none())?;
        let ports = match ip.icmp {
            Some(icmp) => [
                icmp.identifier,
                u16::from_be_bytes([icmp.icmp_type, icmp.code]),
            ],
            None => [ip.src_port, ip.dst_port],
        };
        let key = FlowTuple::new(from, ip, ports);
        Some(Place {
            key,
            hash: self.cache.hash(&key),
            at: NONE,
        })
    }

    #[inline]
    fn decide(
        &mut self,
        from: PortId,
        parsed: &Result<Packet, Malformed>,
        place: Option<Place>,
        frame: &mut [u8],
        offload: Offload,
        now: Timestamp,
    ) -> Verdict {
        if !self.emitted.is_empty() {
            self.emitted.clear();
        }
        if self.watch.on {
            return self.watched(frame, offload, now, |dataplane, frame| {
                dataplane.decide_now(from, parsed, place, frame, offload, now)
            });
        }
        self.decide_now(from, parsed, place, frame, offload, now)
    }

    #[inline]
    fn decide_now(
        &mut self,
        from: PortId,
        parsed: &Result<Packet, Malformed>,
        place: Option<Place>,
        frame: &mut [u8],
        offload: Offload,
        now: Timestamp,
    ) -> Verdict {
        let Ok(packet) = parsed else {
            return self.drop(DropReason::Malformed);
        };
        if let Some(place) = place
            && let Some(ip) = packet.ip()
            && let Some(verdict) = self.cached(&place, packet, ip, frame, offload, now)
        {
            return verdict;
        }
        self.slow(from, packet, frame, offload, now)
    }

    /// The verdict of the cache, if it has one for the packet.
    #[inline]
    fn cached(
        &mut self,
        place: &Place,
        packet: &Packet,
        ip: &Ip,
        frame: &mut [u8],
        offload: Offload,
        now: Timestamp,
    ) -> Option<Verdict> {
        let epoch = self.epoch;
        let at = self.cache.find(place.hash, &place.key, place.at)?;
        let (entry, kind) = self.cache.get_mut(at)?;
        if entry.epoch != epoch {
            return None;
        }
        if (kind.from_mac, kind.to_mac) != (packet.src_mac, packet.dst_mac) {
            return None;
        }
        if longest(ip, offload) > usize::from(kind.mtu) {
            return None;
        }
        // Refusals as well rest on connections: what a group lets out may be refused further on.
        let idle = now.as_micros().saturating_sub(entry.last.as_micros());
        if idle > u64::from(kind.idle_secs) * 1_000_000 {
            return None;
        }
        if kind.deny {
            return self.cached_denial(at, ip, frame, offload, now);
        }
        let lacks_hops = kind.translates && ip.ttl <= HOPS_MAX;
        let changes_state = ip.tcp_flags & (tcp::SYN | tcp::FIN | tcp::RST) != 0;
        if changes_state || lacks_hops {
            return None;
        }
        let fresh = entry.count(Count::of(ip, offload), now);
        let (out, src_mac, dst_mac) = (kind.out, kind.src_mac, kind.dst_mac);
        if kind.translates {
            let done = match kind.endpoint(entry.port) {
                Some(endpoint) => endpoint.apply(frame, ip, offload.partial_checksum),
                None => {
                    translate(frame, ip, kind.translation(entry.port), offload)
                        && (kind.hops == 0 || take_hops(frame, ip, kind.hops).is_ok())
                }
            };
            if !done {
                if fresh {
                    self.cache.mark_dirty_and_offer(at);
                }
                return Some(self.drop(DropReason::Malformed));
            }
        }
        if fresh {
            self.cache.mark_dirty_and_offer(at);
        }
        if self.watch.on {
            self.watch.note(&self.cache.records(at));
        }
        let _ = ethernet::set_macs(frame, dst_mac, src_mac);
        self.counters.cached += 1;
        self.counters.forwarded += 1;
        Some(Verdict::Forward(out))
    }

    #[inline(never)]
    fn cached_denial(
        &mut self,
        at: u32,
        ip: &Ip,
        frame: &mut [u8],
        offload: Offload,
        now: Timestamp,
    ) -> Option<Verdict> {
        // What is refused further on may still end the connection that its sender tracks.
        let ends = ip.tcp_flags & (tcp::FIN | tcp::RST) != 0;
        if ends && self.cache.is_remembered(at) {
            return None;
        }
        let (entry, kind) = self.cache.get_mut(at)?;
        let reason = kind.reason?;
        if let Some(interface) = kind.guard
            && self.connections.begun(interface) != entry.begun
        {
            return None;
        }
        let translation = kind.translation(entry.port);
        if entry.count(Count::of(ip, offload), now) {
            self.cache.mark_dirty_and_offer(at);
        }
        if self.watch.on {
            self.watch.note(&self.cache.records(at));
            self.watch
                .as_received(&self.snapshot, frame, ip, translation, offload);
        }
        self.counters.cached += 1;
        Some(self.drop(reason))
    }

    pub(crate) fn drop(&mut self, reason: DropReason) -> Verdict {
        self.counters.drop(reason);
        Verdict::Drop(reason)
    }
}

/// Length of the packet, or of the longest segment of a super-frame.
pub(crate) fn longest(ip: &Ip, offload: Offload) -> usize {
    match offload.gso_size {
        0 => ip.ip_len,
        size => ip.ip_len.min(ip.header_len() + usize::from(size)),
    }
}

/// Writes what gateways replace, into the packet that an ICMP error quotes as well.
pub(crate) fn translate(frame: &mut [u8], ip: &Ip, to: Translation, offload: Offload) -> bool {
    if !to.is_some() {
        return true;
    }
    let partial = offload.partial_checksum;
    let is_error = ip.is_icmp_error();
    let outer = match is_error || ip.is_later_fragment() {
        true => to.addresses(),
        false => to,
    };
    if outer.apply_parsed(frame, ip, partial).is_err() {
        return false;
    }
    if is_error {
        // A quote that is too short to be rewritten is of no use to its receiver either.
        let _ = to.reversed().apply_to_quoted(frame, partial);
    }
    true
}
