//! The part of a flow that each of its packets touches.

use model::Timestamp;

use super::FlowTuple;
use crate::meter::{Count, Records};

/// What the fast path reads and writes.
#[derive(Clone, Debug)]
#[repr(C, align(32))]
pub(crate) struct Entry {
    pub(crate) key: FlowTuple,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    /// The verdict holds in this epoch only; 0 is never current.
    pub(crate) epoch: u32,
    /// Which of the kinds.
    pub(super) kind: u32,
    /// How many connections the interface that refused had begun.
    pub(crate) begun: u32,
    /// The port that is replaced, if the kind says so.
    pub(crate) port: u16,
    pub(crate) tcp_flags: u8,
    /// Whether it is in a list of flows to harvest.
    pub(super) dirty: bool,
}

const _: () = assert!(size_of::<Option<Entry>>() == 96);

impl Entry {
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
        !std::mem::replace(&mut self.dirty, true)
    }

    /// Takes the counters, if they count anything.
    pub(super) fn drain(&mut self) -> Option<Counted> {
        if self.packets == 0 {
            return None;
        }
        let count = Count {
            packets: std::mem::take(&mut self.packets),
            bytes: std::mem::take(&mut self.bytes),
            tcp_flags: std::mem::take(&mut self.tcp_flags),
        };
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
