//! The flows of a window, in little memory: half a million of them and more (ADR 13).
//!
//! Flows lie one behind the other in the order in which they came, with IPv4's addresses in four bytes, and an index
//! finds them. What many flows have in common is kept once. Nothing is sorted or made a record before it is asked for,
//! so that a window is closed by taking all of this out of it.

use std::cmp::Ordering;
use std::hash::{BuildHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use dataplane::{Action, Direction, Disposition, FlowKey, FlowSample, InterfaceMetadata};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use model::{Timestamp, TrafficType};

use crate::chunks::Chunks;
use crate::{Flow, FlowRecord, Observed};

/// Flows between two times.
#[derive(Clone, Debug)]
pub(crate) struct Flows {
    v4: Table<Ipv4Addr>,
    /// IPv6.
    other: Table<IpAddr>,
    kinds: Kinds,
    hasher: FixedState,
    accepted: usize,
    rejected: usize,
}

/// Flows whose addresses are of one type.
#[derive(Clone, Debug)]
struct Table<A> {
    index: HashTable<u32>,
    flows: Chunks<Counted<A>>,
}

impl<A> Default for Table<A> {
    fn default() -> Self {
        Self {
            index: HashTable::new(),
            flows: Chunks::default(),
        }
    }
}

/// By what flows are told apart, in the order of [`FlowKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key<A> {
    direction: Direction,
    /// Source and destination as records show them, then those of the packet.
    addresses: [A; 4],
    ports: [u16; 2],
    protocol: u8,
    action: Action,
}

#[derive(Clone, Debug)]
struct Counted<A> {
    key: Key<A>,
    counters: Counters,
}

/// What was counted of a flow. Times are microseconds since the window's start.
#[derive(Clone, Debug)]
struct Counters {
    packets: u64,
    bytes: u64,
    first: u32,
    last: u32,
    kind: u32,
    tcp_flags: u8,
}

const _: () = assert!(size_of::<Counted<Ipv4Addr>>() == 56);

/// What flows have in common.
#[derive(Clone, Debug, PartialEq)]
struct Kind {
    interface: Arc<InterfaceMetadata>,
    traffic_path: Option<u8>,
    next_hop: Option<Arc<InterfaceMetadata>>,
    disposition: Disposition,
    /// Which of the flow's addresses the disposition names: then that is not kept in it.
    address: Option<usize>,
}

#[derive(Clone, Debug, Default)]
struct Kinds {
    index: HashTable<u32>,
    kinds: Vec<Kind>,
}

/// Places of `other` have this bit.
const OTHER: u32 = 1 << 31;

impl Flows {
    pub(crate) fn new(hasher: FixedState) -> Self {
        Self {
            v4: Table::default(),
            other: Table::default(),
            kinds: Kinds::default(),
            hasher,
            accepted: 0,
            rejected: 0,
        }
    }

    /// Takes all flows out. About as many are expected to come.
    pub(crate) fn take(&mut self) -> Self {
        let mut empty = Self::new(self.hasher.clone());
        empty.v4.index = HashTable::with_capacity(self.v4.flows.len());
        empty.other.index = HashTable::with_capacity(self.other.flows.len());
        let mut taken = std::mem::replace(self, empty);
        taken.v4.index = HashTable::new();
        taken.other.index = HashTable::new();
        taken
    }

    pub(crate) fn len(&self) -> usize {
        self.accepted + self.rejected
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of them a flow log of this traffic type keeps.
    pub(crate) fn kept_by(&self, traffic_type: TrafficType) -> usize {
        match traffic_type {
            TrafficType::All => self.len(),
            TrafficType::Accept => self.accepted,
            TrafficType::Reject => self.rejected,
        }
    }

    /// Adds a sample in a window between two times. `false` if that would be another flow, and the window is full.
    pub(crate) fn count(
        &mut self,
        sample: &FlowSample,
        (start, end): (Timestamp, Timestamp),
        full: bool,
    ) -> bool {
        let key = &sample.key;
        let is_known = match addresses(key) {
            [IpAddr::V4(a), IpAddr::V4(b), IpAddr::V4(c), IpAddr::V4(d)] => {
                self.v4.find([a, b, c, d], key, &self.hasher)
            }
            all => self.other.find(all, key, &self.hasher),
        };
        let micros = |at: Timestamp| {
            let micros = at.clamp(start, end).since(start).as_micros();
            u32::try_from(micros).unwrap_or(u32::MAX)
        };
        let times = [micros(sample.first), micros(sample.last)];
        let known = match is_known {
            Ok(place) => self.counters_mut(place),
            Err(_) if full => return false,
            Err(hash) => {
                let kind = self.kinds.add(Kind::of(sample), &self.hasher);
                self.insert(hash, sample, Counters::new(sample, times, kind));
                return true;
            }
        };
        if let Some(counters) = known {
            let kind = counters.kind;
            counters.add(sample, times);
            let after = self.kinds.after(kind, sample, &self.hasher);
            if after != kind
                && let Ok(place) = is_known
                && let Some(counters) = self.counters_mut(place)
            {
                counters.kind = after;
            }
        }
        true
    }

    fn insert(&mut self, hash: u64, sample: &FlowSample, counters: Counters) {
        match sample.key.action {
            Action::Accept => self.accepted += 1,
            Action::Reject => self.rejected += 1,
        }
        let (key, hasher) = (&sample.key, &self.hasher);
        match addresses(key) {
            [IpAddr::V4(a), IpAddr::V4(b), IpAddr::V4(c), IpAddr::V4(d)] => {
                let key = Key::new([a, b, c, d], key);
                self.v4.insert(hash, key, counters, hasher);
            }
            all => {
                let key = Key::new(all, key);
                self.other.insert(hash, key, counters, hasher);
            }
        }
    }

    fn counters_mut(&mut self, place: u32) -> Option<&mut Counters> {
        let at = place & !OTHER;
        match place & OTHER {
            0 => self.v4.flows.get_mut(at).map(|flow| &mut flow.counters),
            _ => self.other.flows.get_mut(at).map(|flow| &mut flow.counters),
        }
    }

    /// The flow at a place, with what was counted of it.
    fn at(&self, place: u32) -> Option<(FlowKey, &Counters)> {
        let at = place & !OTHER;
        match place & OTHER {
            0 => self.v4.flows.get(at).map(Counted::parts),
            _ => self.other.flows.get(at).map(Counted::parts),
        }
    }

    /// Orders the flows at two places as their keys are.
    fn compare(&self, a: u32, b: u32) -> Ordering {
        if (a | b) & OTHER == 0 {
            let key = |at| self.v4.flows.get(at).map(|flow| &flow.key);
            return key(a).cmp(&key(b));
        }
        let key = |place| self.at(place).map(|(key, _)| key);
        key(a).cmp(&key(b))
    }

    /// Records of a window between these times that flow logs of a traffic type keep: by their first packets, and those
    /// of one time by their flows.
    pub(crate) fn records(
        &self,
        (start, end): (Timestamp, Timestamp),
        traffic_type: TrafficType,
    ) -> impl Iterator<Item = FlowRecord> {
        let kept = move |action| match traffic_type {
            TrafficType::All => true,
            TrafficType::Accept => action == Action::Accept,
            TrafficType::Reject => action == Action::Reject,
        };
        let mut order: Vec<(u32, u32)> = Vec::with_capacity(self.kept_by(traffic_type));
        self.v4.places(0, kept, &mut order);
        self.other.places(OTHER, kept, &mut order);
        // They are nearly so already.
        order.sort_by_key(|&(first, _)| first);
        for same in order.chunk_by_mut(|a, b| a.0 == b.0) {
            if same.len() > 1 {
                same.sort_unstable_by(|a, b| self.compare(a.1, b.1));
            }
        }
        let record = move |(_, place)| {
            let (key, counters) = self.at(place)?;
            let kind = self.kinds.kinds.get(counters.kind as usize)?;
            let at = |micros: u32| start + Duration::from_micros(micros.into());
            let first = at(counters.first).clamp(start, end);
            Some(FlowRecord {
                interface: kind.interface.clone(),
                start: first,
                end: at(counters.last).clamp(first, end),
                observed: Observed::Flow(Flow {
                    packets: counters.packets,
                    bytes: counters.bytes,
                    tcp_flags: counters.tcp_flags,
                    traffic_path: kind.traffic_path,
                    next_hop: kind.next_hop.clone(),
                    disposition: kind.disposition_of(&key),
                    key,
                }),
            })
        };
        order.into_iter().filter_map(record)
    }
}

fn addresses(key: &FlowKey) -> [IpAddr; 4] {
    [key.srcaddr, key.dstaddr, key.pkt_srcaddr, key.pkt_dstaddr]
}

impl<A: Copy + Eq + Hash + Into<IpAddr>> Table<A> {
    /// The place of a flow, or the hash under which it would be found. Places of IPv6 are marked.
    fn find(&self, addresses: [A; 4], key: &FlowKey, hasher: &FixedState) -> Result<u32, u64> {
        let mark = if key.pkt_srcaddr.is_ipv4() { 0 } else { OTHER };
        let key = Key::new(addresses, key);
        let hash = hasher.hash_one(key);
        let flows = &self.flows;
        let is_it = |&at: &u32| flows.get(at).is_some_and(|flow| flow.key == key);
        let found = self.index.find(hash, is_it);
        found.map(|&at| at | mark).ok_or(hash)
    }

    fn insert(&mut self, hash: u64, key: Key<A>, counters: Counters, hasher: &FixedState) {
        let flows = &mut self.flows;
        let at = flows.len() as u32;
        flows.push(Counted { key, counters });
        self.index.insert_unique(hash, at, |&at| {
            flows.get(at).map_or(0, |flow| hasher.hash_one(flow.key))
        });
    }

    fn places(&self, mark: u32, kept: impl Fn(Action) -> bool, into: &mut Vec<(u32, u32)>) {
        let flows = (0..).zip(self.flows.iter());
        let kept = flows.filter(|(_, flow)| kept(flow.key.action));
        into.extend(kept.map(|(at, flow): (u32, _)| (flow.counters.first, at | mark)));
    }
}

impl<A> Key<A> {
    fn new(addresses: [A; 4], key: &FlowKey) -> Self {
        Self {
            addresses,
            ports: [key.srcport, key.dstport],
            protocol: key.protocol,
            direction: key.direction,
            action: key.action,
        }
    }
}

impl<A: Copy + Into<IpAddr>> Counted<A> {
    fn parts(&self) -> (FlowKey, &Counters) {
        let key = &self.key;
        let [srcaddr, dstaddr, pkt_srcaddr, pkt_dstaddr] = key.addresses.map(Into::into);
        let key = FlowKey {
            direction: key.direction,
            srcaddr,
            dstaddr,
            pkt_srcaddr,
            pkt_dstaddr,
            srcport: key.ports[0],
            dstport: key.ports[1],
            protocol: key.protocol,
            action: key.action,
        };
        (key, &self.counters)
    }
}

impl Counters {
    fn new(sample: &FlowSample, [first, last]: [u32; 2], kind: u32) -> Self {
        Self {
            packets: sample.packets,
            bytes: sample.bytes,
            first,
            last,
            kind,
            tcp_flags: sample.tcp_flags,
        }
    }

    fn add(&mut self, sample: &FlowSample, [first, last]: [u32; 2]) {
        self.packets = self.packets.saturating_add(sample.packets);
        self.bytes = self.bytes.saturating_add(sample.bytes);
        self.tcp_flags |= sample.tcp_flags;
        self.first = self.first.min(first);
        self.last = self.last.max(last);
    }
}

impl Kind {
    fn of(sample: &FlowSample) -> Self {
        let mut disposition = sample.disposition.clone();
        let address = named(&disposition, &sample.key);
        if address.is_some() {
            disposition.set_address(Ipv4Addr::UNSPECIFIED.into());
        }
        Self {
            interface: sample.interface.clone(),
            traffic_path: sample.traffic_path,
            next_hop: sample.next_hop.clone(),
            disposition,
            address,
        }
    }

    fn disposition_of(&self, key: &FlowKey) -> Disposition {
        let mut disposition = self.disposition.clone();
        if let Some(address) = self.address.and_then(|at| addresses(key).get(at).copied()) {
            disposition.set_address(address);
        }
        disposition
    }

    fn hash(&self, hasher: &FixedState) -> u64 {
        let mut state = hasher.build_hasher();
        // Who is at different places in memory may be the same all the same: then there are two kinds.
        let next_hop = self.next_hop.as_ref().map(Arc::as_ptr);
        (Arc::as_ptr(&self.interface), next_hop).hash(&mut state);
        (self.traffic_path, self.address, self.disposition.address()).hash(&mut state);
        std::mem::discriminant(&self.disposition).hash(&mut state);
        state.finish()
    }
}

/// Which of a flow's addresses a disposition names.
fn named(disposition: &Disposition, key: &FlowKey) -> Option<usize> {
    let address = disposition.address()?;
    addresses(key).iter().position(|&own| own == address)
}

impl Kinds {
    fn add(&mut self, kind: Kind, hasher: &FixedState) -> u32 {
        let Self { index, kinds } = self;
        let hash = kind.hash(hasher);
        let is_it = |&at: &u32| kinds.get(at as usize) == Some(&kind);
        if let Some(&at) = index.find(hash, is_it) {
            return at;
        }
        let at = kinds.len() as u32;
        kinds.push(kind);
        index.insert_unique(hash, at, |&at| {
            kinds.get(at as usize).map_or(0, |kind| kind.hash(hasher))
        });
        at
    }

    /// The kind of a flow after another sample: the latest of everything, but whose flow it is stays.
    fn after(&mut self, kind: u32, sample: &FlowSample, hasher: &FixedState) -> u32 {
        let Some(known) = self.kinds.get(kind as usize) else {
            return kind;
        };
        let is_same_hop =
            |hop: &Arc<_>| known.next_hop.as_ref().is_some_and(|k| Arc::ptr_eq(k, hop));
        let is_same = sample
            .traffic_path
            .is_none_or(|path| known.traffic_path == Some(path))
            && sample.next_hop.as_ref().is_none_or(is_same_hop)
            && known.disposition_of(&sample.key) == sample.disposition;
        if is_same {
            return kind;
        }
        let mut latest = Kind::of(sample);
        latest.interface = known.interface.clone();
        latest.traffic_path = latest.traffic_path.or(known.traffic_path);
        latest.next_hop = latest.next_hop.or_else(|| known.next_hop.clone());
        self.add(latest, hasher)
    }
}
