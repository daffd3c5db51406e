//! What flows have in common. A flow of a kind has only its key, a port and counters to itself, so that half a million
//! of them fit into memory (ADR 13).

use std::hash::{BuildHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use packet::Mac;
use packet::endpoint::{Endpoint, Side};
use smallvec::SmallVec;

use super::{FlowTuple, Translation, Verdict};
use crate::drop_reason::DropReason;
use crate::meter::{Record, Records, record_key};
use crate::ports::PortId;
use crate::slab::Slab;
use crate::tuple::Tuple;
use crate::{Action, Direction, Disposition, FlowKey, InterfaceMetadata};

/// What is decided on flows, and what interfaces record of them.
///
/// What every packet needs is in front, in one cache line.
#[derive(Clone, Debug, PartialEq)]
#[repr(C, align(64))]
pub(crate) struct Kind {
    pub(crate) out: PortId,
    pub(crate) idle_secs: u32,
    /// The only source and destination that the flow's frames may have when they come.
    pub(crate) from_mac: Mac,
    pub(crate) to_mac: Mac,
    pub(crate) src_mac: Mac,
    pub(crate) dst_mac: Mac,
    pub(crate) mtu: u16,
    pub(crate) deny: bool,
    /// Whether gateways replace anything.
    pub(crate) translates: bool,
    /// Whether the flow itself has the port or identifier that is replaced, and here is a zero.
    port_apart: bool,
    /// How many hops the way takes.
    pub(crate) hops: u8,
    endpoint: Option<Endpoint>,
    translation: Translation,
    pub(crate) reason: Option<DropReason>,
    /// A refusal holds while this interface, which refused, has begun no other connection.
    pub(crate) guard: Option<PortId>,
    records: SmallVec<[Template; 2]>,
}

/// A record without what can be read off the packet.
#[derive(Clone, Debug)]
struct Template {
    interface: Arc<InterfaceMetadata>,
    traffic_path: Option<u8>,
    next_hop: Option<Arc<InterfaceMetadata>>,
    key: Key,
    /// With no address of the packet in it.
    disposition: Disposition,
    address: Option<Place>,
}

/// Which flow a record is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// That of the packet as it was then.
    Of(Stage, Direction, Action),
    /// Some other.
    Other(Box<FlowKey>),
}

/// The packet as it came, or as it goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Before,
    After,
}

/// Which of a packet's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    Dst,
    Src,
    DstAfter,
    SrcAfter,
}

impl Kind {
    /// The kind of a flow, and the port that the flow keeps.
    pub(super) fn new(flow: &FlowTuple, verdict: Verdict) -> (Self, u16) {
        let whole = verdict.translation;
        let (translation, port) = without_port(whole);
        let endpoint = flow
            .is_tcp_udp_or_icmp()
            .then(|| endpoint(whole, verdict.hops));
        let endpoint = endpoint.flatten().map(|endpoint| Endpoint {
            port: endpoint.port.filter(|_| port.is_none()),
            ..endpoint
        });
        let packets = [flow.packet(), flow.packet().translated(whole)];
        let records = verdict.records.into_iter();
        let kind = Self {
            out: verdict.out,
            idle_secs: verdict.idle_secs,
            from_mac: verdict.from_mac,
            to_mac: verdict.to_mac,
            src_mac: verdict.src_mac,
            dst_mac: verdict.dst_mac,
            mtu: verdict.mtu,
            deny: verdict.deny,
            translates: whole.is_some(),
            port_apart: port.is_some(),
            hops: verdict.hops,
            endpoint,
            translation,
            reason: verdict.reason,
            guard: verdict.guard.map(|(interface, _)| interface),
            records: records.map(|r| Template::new(r, &packets)).collect(),
        };
        (kind, port.unwrap_or(0))
    }

    /// The translation, if it is of the usual kind.
    #[inline]
    pub(crate) fn endpoint(&self, port: u16) -> Option<Endpoint> {
        let mut endpoint = self.endpoint?;
        if self.port_apart {
            endpoint.port = Some(port);
        }
        Some(endpoint)
    }

    /// What gateways replace in packets of the flow that keeps this port.
    pub(crate) fn translation(&self, port: u16) -> Translation {
        let mut translation = self.translation;
        if self.port_apart {
            let ports = [
                &mut translation.src_port,
                &mut translation.dst_port,
                &mut translation.icmp_identifier,
            ];
            ports.into_iter().flatten().for_each(|kept| *kept = port);
        }
        translation
    }

    /// What the interfaces on a flow's way record.
    pub(crate) fn records(&self, flow: &FlowTuple, port: u16) -> Records {
        self.each_record(flow, port).collect()
    }

    /// The same, one after the other.
    pub(crate) fn each_record(&self, flow: &FlowTuple, port: u16) -> impl Iterator<Item = Record> {
        let before = flow.packet();
        let after = match self.translates {
            true => before.translated(self.translation(port)),
            false => before,
        };
        let packets = [before, after];
        self.records.iter().map(move |r| r.record(&packets))
    }

    /// Whether flows of two kinds are recorded in the same way.
    pub(super) fn records_as(&self, other: &Self) -> bool {
        self.records == other.records
            && self.translation == other.translation
            && self.port_apart == other.port_apart
    }

    fn hash(&self, hasher: &FixedState) -> u64 {
        let mut state = hasher.build_hasher();
        (self.out, self.idle_secs, self.mtu, self.hops).hash(&mut state);
        let macs = [self.from_mac, self.to_mac, self.src_mac, self.dst_mac];
        macs.map(|mac| mac.0).hash(&mut state);
        let to = &self.translation;
        (to.src, to.dst, to.src_port, to.dst_port, to.icmp_identifier).hash(&mut state);
        for record in &self.records {
            // Who is at different places in memory may be the same all the same: then there are two kinds.
            std::ptr::hash(Arc::as_ptr(&record.interface), &mut state);
            let next_hop = record.next_hop.as_ref().map(Arc::as_ptr);
            (next_hop, &record.key, record.address).hash(&mut state);
            std::mem::discriminant(&record.disposition).hash(&mut state);
            record.disposition.address().hash(&mut state);
        }
        state.finish()
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        let is_same = |a: &Arc<_>, b: &Arc<_>| Arc::ptr_eq(a, b);
        self.key == other.key
            && self.address == other.address
            && self.traffic_path == other.traffic_path
            && is_same(&self.interface, &other.interface)
            && match (&self.next_hop, &other.next_hop) {
                (Some(own), Some(others)) => is_same(own, others),
                (own, others) => own.is_none() && others.is_none(),
            }
            && self.disposition == other.disposition
    }
}

impl Template {
    fn new(record: Record, packets: &[Tuple; 2]) -> Self {
        let Record {
            interface,
            key,
            traffic_path,
            next_hop,
            mut disposition,
        } = record;
        let (direction, action) = (key.direction, key.action);
        let is_of = |packet| key == record_key(&interface, direction, action, packet);
        let key = match packets {
            [before, _] if is_of(before) => Key::Of(Stage::Before, direction, action),
            [_, after] if is_of(after) => Key::Of(Stage::After, direction, action),
            _ => Key::Other(Box::new(key)),
        };
        let places = [Place::Dst, Place::Src, Place::DstAfter, Place::SrcAfter];
        let address = disposition.address().and_then(|address| {
            let mut places = places.into_iter();
            places.find(|place| place.of(packets) == address)
        });
        if address.is_some() {
            disposition.set_address(Ipv4Addr::UNSPECIFIED.into());
        }
        Self {
            interface,
            traffic_path,
            next_hop,
            key,
            disposition,
            address,
        }
    }

    fn record(&self, packets: &[Tuple; 2]) -> Record {
        let [before, after] = packets;
        let key = match &self.key {
            Key::Of(stage, direction, action) => {
                let packet = match stage {
                    Stage::Before => before,
                    Stage::After => after,
                };
                record_key(&self.interface, *direction, *action, packet)
            }
            Key::Other(key) => FlowKey::clone(key),
        };
        let mut disposition = self.disposition.clone();
        if let Some(place) = self.address {
            disposition.set_address(place.of(packets));
        }
        Record {
            interface: self.interface.clone(),
            key,
            traffic_path: self.traffic_path,
            next_hop: self.next_hop.clone(),
            disposition,
        }
    }
}

impl Place {
    fn of(self, [before, after]: &[Tuple; 2]) -> IpAddr {
        match self {
            Self::Dst => before.dst,
            Self::Src => before.src,
            Self::DstAfter => after.dst,
            Self::SrcAfter => after.src,
        }
    }
}

/// Takes the port or identifier out, if there is one and no other: each connection through a gateway has its own.
fn without_port(mut to: Translation) -> (Translation, Option<u16>) {
    let port = match (to.src_port, to.dst_port, to.icmp_identifier) {
        (Some(port), None, None) | (None, Some(port), None) | (None, None, Some(port)) => port,
        _ => return (to, None),
    };
    let ports = [&mut to.src_port, &mut to.dst_port, &mut to.icmp_identifier];
    ports.into_iter().flatten().for_each(|port| *port = 0);
    (to, Some(port))
}

/// The translation, if it is of one side of an IPv4 packet.
fn endpoint(to: Translation, hops: u8) -> Option<Endpoint> {
    let (side, address, port, kept) = match (to.src, to.dst) {
        (Some(IpAddr::V4(address)), None) => (Side::Source, address, to.src_port, to.dst_port),
        (None, Some(IpAddr::V4(address))) => (Side::Destination, address, to.dst_port, to.src_port),
        _ => return None,
    };
    let port = port.or(to.icmp_identifier);
    kept.is_none().then_some(Endpoint {
        side,
        address,
        port,
        hops,
    })
}

/// All kinds that there are flows of.
#[derive(Debug)]
pub(super) struct Kinds {
    table: HashTable<u32>,
    kinds: Slab<(Kind, u32)>,
    hasher: FixedState,
}

impl Kinds {
    pub(super) fn new(hasher: FixedState) -> Self {
        Self {
            table: HashTable::new(),
            kinds: Slab::default(),
            hasher,
        }
    }

    #[inline]
    pub(super) fn get(&self, number: NonZeroU32) -> Option<&Kind> {
        self.kinds.get(number.get() - 1).map(|(kind, _)| kind)
    }

    /// The number of the kind that another flow is of.
    pub(super) fn add(&mut self, kind: Kind) -> NonZeroU32 {
        NonZeroU32::MIN.saturating_add(self.place_of(kind))
    }

    fn place_of(&mut self, kind: Kind) -> u32 {
        let Self {
            table,
            kinds,
            hasher,
        } = self;
        let hash = kind.hash(hasher);
        let is_it = |&at: &u32| kinds.get(at).is_some_and(|(known, _)| *known == kind);
        if let Some(&at) = table.find(hash, is_it)
            && let Some((_, flows)) = kinds.get_mut(at)
        {
            *flows += 1;
            return at;
        }
        let at = kinds.insert((kind, 1));
        table.insert_unique(hash, at, |&at| {
            kinds.get(at).map_or(0, |(kind, _)| kind.hash(hasher))
        });
        at
    }

    /// A flow is no longer of a kind.
    pub(super) fn remove(&mut self, number: NonZeroU32) {
        let at = number.get() - 1;
        let Some((kind, flows)) = self.kinds.get_mut(at) else {
            return;
        };
        *flows -= 1;
        if *flows > 0 {
            return;
        }
        let hash = kind.hash(&self.hasher);
        if let Ok(entry) = self.table.find_entry(hash, |&known| known == at) {
            entry.remove();
        }
        self.kinds.remove(at);
    }
}
