//! The part of a flow that each of its packets touches.

use model::Timestamp;
use packet::Mac;

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
}

pub(crate) const DIRTY: u8 = 1;
pub(crate) const TRANSLATE: u8 = 2;
pub(crate) const DENY: u8 = 4;

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
        }
    }

    pub(super) fn set(&mut self, verdict: &Verdict) {
        self.marks &= DIRTY;
        if verdict.deny {
            self.marks |= DENY;
        }
        if verdict.translation.is_some() {
            self.marks |= TRANSLATE;
        }
        self.epoch = verdict.epoch;
        self.out = verdict.out;
        self.idle_secs = verdict.idle_secs;
        self.from_mac = verdict.from_mac;
        self.src_mac = verdict.src_mac;
        self.dst_mac = verdict.dst_mac;
        self.mtu = verdict.mtu;
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
