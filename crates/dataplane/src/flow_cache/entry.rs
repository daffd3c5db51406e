//! The part of a flow that each of its packets touches.

use std::net::IpAddr;

use model::Timestamp;
use packet::Mac;
use packet::endpoint::{Endpoint, Side};

use super::{FlowTuple, Verdict};
use crate::meter::{Count, Records};
use crate::ports::PortId;
use crate::slab::NONE;

/// What the fast path reads and writes.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(crate) struct Entry {
    pub(super) key: FlowTuple,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    /// The verdict holds in this epoch only; 0 is never current.
    pub(crate) epoch: u32,
    pub(crate) out: PortId,
    pub(crate) path: u32,
    pub(crate) idle_secs: u32,
    /// The only source that the flow's frames may have.
    pub(crate) from_mac: Mac,
    pub(crate) src_mac: Mac,
    pub(crate) dst_mac: Mac,
    pub(crate) mtu: u16,
    pub(crate) tcp_flags: u8,
    pub(crate) marks: u8,
    /// What the marks say of the translation, if all of it is here.
    hops: u8,
    port: u16,
    address: u32,
}

pub(crate) const DIRTY: u8 = 1;
pub(crate) const TRANSLATE: u8 = 2;
pub(crate) const DENY: u8 = 4;
/// The translation is of one side of an IPv4 packet, and here.
const SOURCE: u8 = 8;
const DESTINATION: u8 = 16;
const PORT: u8 = 32;

const _: () = assert!(size_of::<Entry>() == 128);

impl Entry {
    /// Without a verdict yet.
    pub(super) fn new(key: FlowTuple) -> Self {
        Self {
            key,
            packets: 0,
            bytes: 0,
            first: Timestamp::default(),
            last: Timestamp::default(),
            epoch: 0,
            out: PortId::NONE,
            path: NONE,
            idle_secs: 0,
            from_mac: Mac::default(),
            src_mac: Mac::default(),
            dst_mac: Mac::default(),
            mtu: 0,
            tcp_flags: 0,
            marks: 0,
            hops: 0,
            port: 0,
            address: 0,
        }
    }

    pub(super) fn set(&mut self, verdict: &Verdict) {
        self.marks &= DIRTY;
        if verdict.deny {
            self.marks |= DENY;
        }
        if verdict.translation.is_some() {
            self.marks |= TRANSLATE;
            self.translate(verdict);
        }
        self.epoch = verdict.epoch;
        self.out = verdict.out;
        self.idle_secs = verdict.idle_secs;
        self.from_mac = verdict.from_mac;
        self.src_mac = verdict.src_mac;
        self.dst_mac = verdict.dst_mac;
        self.mtu = verdict.mtu;
    }

    /// Keeps the translation at hand if it is of the usual kind.
    fn translate(&mut self, verdict: &Verdict) {
        let to = verdict.translation;
        let (side, address, port, kept) = match (to.src, to.dst) {
            (Some(IpAddr::V4(address)), None) => (SOURCE, address, to.src_port, to.dst_port),
            (None, Some(IpAddr::V4(address))) => (DESTINATION, address, to.dst_port, to.src_port),
            _ => return,
        };
        if kept.is_some() || !self.key.is_tcp_udp_or_icmp() {
            return;
        }
        self.marks |= side;
        self.address = address.into();
        self.hops = verdict.hops;
        if let Some(port) = port.or(to.icmp_identifier) {
            self.marks |= PORT;
            self.port = port;
        }
    }

    /// The translation, if all of it is here; otherwise it is with the path.
    #[inline]
    pub(crate) fn endpoint(&self) -> Option<Endpoint> {
        let side = match self.marks & (SOURCE | DESTINATION) {
            SOURCE => Side::Source,
            DESTINATION => Side::Destination,
            _ => return None,
        };
        Some(Endpoint {
            side,
            address: self.address.into(),
            port: self.is(PORT).then_some(self.port),
            hops: self.hops,
        })
    }

    pub(crate) fn is(&self, mark: u8) -> bool {
        self.marks & mark != 0
    }

    /// Counts a packet; tells whether the flow had none since the last harvest.
    #[inline]
    pub(crate) fn count(&mut self, count: Count, now: Timestamp) -> bool {
        if self.packets == 0 {
            self.first = now;
        }
        self.packets += count.packets;
        self.bytes += count.bytes;
        self.tcp_flags |= count.tcp_flags;
        self.last = self.last.max(now);
        let fresh = !self.is(DIRTY);
        self.marks |= DIRTY;
        fresh
    }

    /// Takes the counters, if they count anything.
    pub(super) fn drain(&mut self) -> Option<Counted> {
        if self.packets == 0 {
            return None;
        }
        let counted = Counted {
            records: Records::new(),
            count: Count {
                packets: self.packets,
                bytes: self.bytes,
                tcp_flags: self.tcp_flags,
            },
            first: self.first,
            last: self.last,
        };
        self.packets = 0;
        self.bytes = 0;
        self.tcp_flags = 0;
        Some(counted)
    }
}

/// Counters that an entry gave up.
#[derive(Debug)]
pub(crate) struct Counted {
    pub(crate) records: Records,
    pub(crate) count: Count,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
}
