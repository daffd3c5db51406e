//! The part of a flow that each of its packets touches.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;

use model::Timestamp;

use super::flow_tuple::Ends;
use crate::fast_path::Tally;
use crate::meter::{Count, Records};

/// A flow and what tells it apart: one cache line for IPv4, two for IPv6.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct Keyed<A> {
    pub(super) ends: Ends<A>,
    pub(super) entry: Entry,
}

const _: () = assert!(size_of::<Option<Keyed<Ipv4Addr>>>() == 64);
const _: () = assert!(size_of::<Option<Keyed<Ipv6Addr>>>() == 128);

/// What the fast path reads and writes.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Entry {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    /// The verdict holds in this epoch only; 0 is never current.
    pub(crate) epoch: u32,
    /// Which of the kinds.
    pub(super) kind: NonZeroU32,
    /// How many connections the interface that refused had begun.
    pub(crate) begun: u32,
    /// The port that is replaced, if the kind says so.
    pub(crate) port: u16,
    pub(super) protocol: u8,
    /// Flags of TCP, and [`DIRTY`].
    pub(super) flags: u8,
}

/// The flow is in a list of flows to harvest. In TCP's header, this bit is another than the flags that are counted.
const DIRTY: u8 = 0x80;

impl Entry {
    pub(super) fn new(epoch: u32, kind: NonZeroU32, begun: u32, port: u16, protocol: u8) -> Self {
        Self {
            packets: 0,
            bytes: 0,
            first: Timestamp::default(),
            last: Timestamp::default(),
            epoch,
            kind,
            begun,
            port,
            protocol,
            flags: 0,
        }
    }

    /// Counts a packet; tells whether the flow had none since the last harvest.
    #[inline]
    pub(crate) fn count(&mut self, count: Count, now: Timestamp) -> bool {
        if self.packets == 0 {
            self.first = now;
        }
        self.packets += count.packets;
        self.bytes += count.bytes;
        self.last = self.last.max(now);
        let fresh = !self.is_dirty();
        self.flags |= count.tcp_flags | DIRTY;
        fresh
    }

    /// Counts what others have counted; tells whether the flow had none since the last harvest.
    pub(super) fn credit(&mut self, tally: &Tally) -> bool {
        // Their clock may be a little behind: nothing comes before what is known.
        let first = tally.first.max(self.last);
        if self.packets == 0 {
            self.first = first;
        }
        self.packets += tally.packets;
        self.bytes += tally.bytes;
        self.last = self.last.max(tally.last);
        let fresh = !self.is_dirty();
        self.flags |= tally.tcp_flags & !DIRTY | DIRTY;
        fresh
    }

    pub(super) const fn is_dirty(&self) -> bool {
        self.flags & DIRTY != 0
    }

    /// It is in no list any longer.
    pub(super) const fn clean(&mut self) {
        self.flags &= !DIRTY;
    }

    /// Takes the counters, if they count anything.
    pub(super) fn drain(&mut self) -> Option<Counted> {
        if self.packets == 0 {
            return None;
        }
        let count = Count {
            packets: std::mem::take(&mut self.packets),
            bytes: std::mem::take(&mut self.bytes),
            tcp_flags: self.flags & !DIRTY,
        };
        self.flags &= DIRTY;
        Some(Counted {
            count,
            first: self.first,
            last: self.last,
        })
    }
}

/// Counters that an entry gave up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    pub(crate) count: Count,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
}

/// Counters of a flow that is recorded otherwise from now on.
#[derive(Debug)]
pub(crate) struct Former {
    pub(crate) records: Records,
    pub(crate) counted: Counted,
}
