//! Counters of the data plane as a whole.

use crate::drop_reason::DropReason;

/// What has happened to frames so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// Given to a port as they came, or translated.
    pub forwarded: u64,
    /// Made by the data plane: answers, errors and fragments.
    pub emitted: u64,
    /// Of the forwarded and dropped: decided by the flow cache alone.
    pub cached: u64,
    dropped: [u64; DropReason::ALL.len()],
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            forwarded: 0,
            emitted: 0,
            cached: 0,
            dropped: [0; DropReason::ALL.len()],
        }
    }
}

impl Counters {
    /// How many were dropped for a reason.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped[reason as usize]
    }

    /// Every reason and how many were dropped for it.
    pub fn drops(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL.iter().map(|&r| (r, self.dropped(r)))
    }

    /// These and others.
    pub(crate) fn plus(mut self, others: &Self) -> Self {
        self.forwarded += others.forwarded;
        self.emitted += others.emitted;
        self.cached += others.cached;
        for (count, other) in self.dropped.iter_mut().zip(others.dropped) {
            *count += other;
        }
        self
    }

    pub(crate) fn drop_many(&mut self, reason: DropReason, count: u64) {
        self.dropped[reason as usize] += count;
    }

    pub(crate) fn drop(&mut self, reason: DropReason) {
        self.dropped[reason as usize] += 1;
    }
}
