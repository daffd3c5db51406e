//! What became of a capture, in numbers.

use std::collections::BTreeMap;
use std::fmt;

use capture::Place;

/// How often something happened, and where first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How often.
    pub packets: u64,
    /// Where first.
    pub first: Place,
}

/// What became of a capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Packets in the capture.
    pub packets: u64,
    /// Packets that the capture says it has lost, by interface.
    pub lost: BTreeMap<usize, u64>,
    /// Those that reached or left the interface, and were decided on.
    pub replayed: u64,
    /// Those that records with ACCEPT count, and their bytes.
    pub accepted: (u64, u64),
    /// Those that records with REJECT count, and their bytes.
    pub rejected: (u64, u64),
    /// Records with a flow.
    pub records: u64,
    /// Records that say SKIPDATA.
    pub skip_data: u64,
    /// Packets that were not decided on, by reason.
    pub skipped: BTreeMap<String, Count>,
    /// What was odd about packets that were decided on all the same.
    pub noted: BTreeMap<String, Count>,
    /// Why packets that were decided on left no record: counts of the data plane.
    pub unrecorded: BTreeMap<String, u64>,
}

impl Summary {
    pub(crate) fn skip(&mut self, why: String, at: Place) {
        count(&mut self.skipped, why, at);
    }

    pub(crate) fn note(&mut self, what: &str, at: Place) {
        match self.noted.get_mut(what) {
            Some(known) => known.packets += 1,
            None => count(&mut self.noted, what.to_owned(), at),
        }
    }

    /// Packets that were decided on and are in no record.
    pub fn not_recorded(&self) -> u64 {
        let recorded = self.accepted.0 + self.rejected.0;
        self.replayed.saturating_sub(recorded)
    }
}

fn count(counts: &mut BTreeMap<String, Count>, what: String, at: Place) {
    let first = Count {
        packets: 0,
        first: at,
    };
    counts.entry(what).or_insert(first).packets += 1;
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (accepted, rejected) = (self.accepted, self.rejected);
        writeln!(f, "packets in the capture: {}", self.packets)?;
        let lost: u64 = self.lost.values().sum();
        if lost > 0 {
            writeln!(f, "lost, as the capture itself says: {lost}")?;
        }
        writeln!(f, "accepted: {} packets, {} bytes", accepted.0, accepted.1)?;
        writeln!(f, "rejected: {} packets, {} bytes", rejected.0, rejected.1)?;
        writeln!(f, "records: {}", self.records)?;
        if self.skip_data > 0 {
            writeln!(
                f,
                "records with SKIPDATA: {}, flows did not fit into memory",
                self.skip_data
            )?;
        }
        if self.not_recorded() > 0 {
            writeln!(f, "left no record: {}", self.not_recorded())?;
            for (reason, count) in &self.unrecorded {
                writeln!(f, "  {reason}: {count}")?;
            }
        }
        for (title, counts) in [("skipped", &self.skipped), ("noted", &self.noted)] {
            let all: u64 = counts.values().map(|c| c.packets).sum();
            if all > 0 {
                writeln!(f, "{title}: {all}")?;
            }
            for (reason, Count { packets, first }) in counts {
                writeln!(f, "  {reason}: {packets}, the first is {first}")?;
            }
        }
        Ok(())
    }
}
