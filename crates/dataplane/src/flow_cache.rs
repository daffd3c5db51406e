//! The exact-match cache in front of the pipeline, and the counters that flow logs are made of.
//!
//! A hit touches 96 bytes of the flow's own, key and counters together, and the [`Kind`] that it shares with other
//! flows: verdict, translation and records. An entry decides only while its epoch is the data plane's; counters outlive
//! that.

mod entry;
mod flow_tuple;
mod kind;
mod membership;

use std::hash::BuildHasher;
use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use model::Timestamp;
use packet::Mac;

use crate::drop_reason::DropReason;
use crate::meter::{Record, Records};
use crate::ports::PortId;
use crate::slab::{NONE, Slab};

pub(crate) use entry::{Counted, Entry, Former};
pub(crate) use flow_tuple::FlowTuple;
pub(crate) use kind::Kind;
use kind::Kinds;
use membership::Kept;
pub(crate) use membership::{Membership, Memberships, Owner};

/// What gateways replace in a packet on its way.
pub(crate) type Translation = packet::rewrite::Rewrite;

/// Every flow that has been seen lately, at a place of its own.
#[derive(Debug)]
pub(crate) struct FlowCache {
    /// The places by key.
    table: HashTable<u32>,
    flows: Slab<Entry>,
    /// Who remembers the flow at each place.
    memberships: Vec<Kept>,
    kinds: Kinds,
    /// Flows with packets since they were last harvested, and those of them that a harvest has got to.
    dirty: Vec<u32>,
    ripe: Vec<u32>,
    harvested: usize,
    hasher: FixedState,
    limit: usize,
}

/// What is decided on a flow.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) epoch: u32,
    pub(crate) out: PortId,
    pub(crate) idle_secs: u32,
    pub(crate) from_mac: Mac,
    pub(crate) src_mac: Mac,
    pub(crate) dst_mac: Mac,
    pub(crate) mtu: u16,
    pub(crate) deny: bool,
    pub(crate) records: Records,
    pub(crate) memberships: Memberships,
    pub(crate) hops: u8,
    pub(crate) translation: Translation,
    pub(crate) reason: Option<DropReason>,
    pub(crate) guard: Option<(PortId, u32)>,
}

/// What became of a verdict that was put in.
#[derive(Debug)]
pub(crate) struct Put {
    /// The flow's place.
    pub(crate) path: u32,
    /// What was counted under the older one, if that recorded something else.
    pub(crate) counted: Option<Former>,
    /// Who remembered the flow until now, if others do from now on, and when it was last seen for them.
    pub(crate) former: Option<(Memberships, Timestamp)>,
}

impl FlowCache {
    pub(crate) fn new(limit: usize, hasher: FixedState) -> Self {
        Self {
            // Reserved at once: growing would stop the world, and untouched pages cost nothing.
            table: HashTable::with_capacity(limit),
            flows: Slab::default(),
            memberships: Vec::with_capacity(limit),
            kinds: Kinds::new(hasher.clone()),
            dirty: Vec::new(),
            ripe: Vec::new(),
            harvested: 0,
            hasher,
            limit,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// The place that a flow of this hash probably has.
    #[inline]
    pub(crate) fn guess(&self, hash: u64) -> u32 {
        self.table.find(hash, |_| true).copied().unwrap_or(NONE)
    }

    /// Reads what is at a place, so that it is near when it is needed.
    #[inline]
    pub(crate) fn touch(&self, at: u32) -> u32 {
        let found = self.flows.get(at);
        found.map_or(0, |entry| entry.epoch ^ entry.key.port)
    }

    /// The same of what the flow at a place shares with others: where there are many networks, that is far away too.
    #[inline]
    pub(crate) fn touch_kind(&self, at: u32) -> u32 {
        let entry = self.flows.get(at);
        let kind = entry.and_then(|entry| self.kinds.get(entry.kind));
        kind.map_or(0, |kind| kind.idle_secs)
    }

    #[inline]
    pub(crate) fn hash(&self, key: &FlowTuple) -> u64 {
        self.hasher.hash_one(key)
    }

    /// The place of a flow.
    #[inline]
    pub(crate) fn find(&self, hash: u64, key: &FlowTuple) -> Option<u32> {
        let is_it = |&at: &u32| self.is_at(at, key);
        self.table.find(hash, is_it).copied()
    }

    /// Whether a flow has this place.
    #[inline]
    pub(crate) fn is_at(&self, at: u32, key: &FlowTuple) -> bool {
        self.flows.get(at).is_some_and(|entry| entry.key == *key)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, at: u32) -> Option<(&mut Entry, &Kind)> {
        let entry = self.flows.get_mut(at)?;
        let kind = self.kinds.get(entry.kind)?;
        Some((entry, kind))
    }

    /// Room was reserved when the flow was put in, so this never allocates.
    #[inline]
    pub(crate) fn mark_dirty(&mut self, at: u32) {
        self.dirty.push(at);
    }

    /// What the interfaces on a flow's way record.
    pub(crate) fn records(&self, at: u32) -> Records {
        let known = self.flows.get(at);
        let known = known.and_then(|entry| Some((entry, self.kinds.get(entry.kind)?)));
        known.map_or_else(Records::new, |(entry, kind)| {
            kind.records(&entry.key, entry.port)
        })
    }

    /// Whether anybody remembers a flow.
    pub(crate) fn is_remembered(&self, at: u32) -> bool {
        self.memberships
            .get(at as usize)
            .is_some_and(|kept| !kept.is_empty())
    }

    /// When the flow at a place was last seen, if it is still its owner's.
    pub(crate) fn last_seen(&self, at: u32, owner: Owner) -> Option<Timestamp> {
        let mut known = self.memberships.get(at as usize)?.iter();
        let known = known.any(|member| member.owner == owner);
        self.flows.get(at).filter(|_| known).map(|e| e.last)
    }

    /// The next packet of a flow is decided again.
    pub(crate) fn forget(&mut self, at: u32) {
        if let Some(entry) = self.flows.get_mut(at) {
            entry.epoch = 0;
        }
    }

    /// Puts a verdict in, or in the place of an older one of the same flow. Without room it gives the
    /// records back.
    #[expect(clippy::result_large_err, reason = "moved once, on the slow path")]
    pub(crate) fn put(&mut self, key: FlowTuple, verdict: Verdict) -> Result<Put, Records> {
        let hash = self.hash(&key);
        let known = self.find(hash, &key);
        if known.is_none() && self.table.len() >= self.limit {
            return Err(verdict.records);
        }
        let (epoch, begun) = (verdict.epoch, verdict.guard.map_or(0, |(_, begun)| begun));
        let memberships = Kept::new(&verdict.memberships);
        let (kind, port) = Kind::new(&key, verdict);
        let kind = self.kinds.add(kind);
        let Some(at) = known else {
            let entry = Entry {
                key,
                packets: 0,
                bytes: 0,
                first: Timestamp::default(),
                last: Timestamp::default(),
                epoch,
                kind,
                begun,
                port,
                tcp_flags: 0,
                dirty: false,
            };
            return Ok(Put {
                path: self.insert(hash, entry, memberships),
                counted: None,
                former: None,
            });
        };
        let counted = self.take_if_changed(at, kind, port);
        let mut former = None;
        if let (Some(entry), Some(kept)) = (
            self.flows.get_mut(at),
            self.memberships.get_mut(at as usize),
        ) {
            if *kept != memberships {
                let others = std::mem::replace(kept, memberships);
                former = Some((others.iter().collect(), entry.last));
            }
            (entry.epoch, entry.begun, entry.port) = (epoch, begun, port);
            let before = std::mem::replace(&mut entry.kind, kind);
            self.kinds.remove(before);
        }
        Ok(Put {
            path: at,
            counted,
            former,
        })
    }

    fn insert(&mut self, hash: u64, entry: Entry, memberships: Kept) -> u32 {
        let at = self.flows.insert(entry);
        match self.memberships.get_mut(at as usize) {
            Some(place) => *place = memberships,
            None => self.memberships.push(memberships),
        }
        let (flows, hasher) = (&self.flows, &self.hasher);
        self.table.insert_unique(hash, at, |&at| {
            flows.get(at).map_or(0, |entry| hasher.hash_one(entry.key))
        });
        // A place is at most once in each of the two lists of the flows to harvest.
        let wanted = self.flows.places() as usize + 1;
        for list in [&mut self.dirty, &mut self.ripe] {
            if list.capacity() < wanted {
                list.reserve(wanted.saturating_sub(list.len()));
            }
        }
        at
    }

    /// What a flow has counted, if it is recorded otherwise by another kind.
    fn take_if_changed(&mut self, at: u32, kind: u32, port: u16) -> Option<Former> {
        let entry = self.flows.get_mut(at)?;
        if (entry.kind, entry.port) == (kind, port) {
            return None;
        }
        let (known, kind) = (self.kinds.get(entry.kind)?, self.kinds.get(kind)?);
        if entry.port == port && known.records_as(kind) {
            return None;
        }
        let records = known.records(&entry.key, entry.port);
        if records == kind.records(&entry.key, port) {
            return None;
        }
        let counted = entry.drain()?;
        Some(Former { records, counted })
    }

    /// Takes what was counted until now, flow by flow in the order of their first packets, so many at once; tells
    /// whether there is more.
    pub(crate) fn harvest(&mut self, limit: usize, mut each: impl FnMut(Record, &Counted)) -> bool {
        if self.harvested == self.ripe.len() {
            self.ripe.clear();
            self.harvested = 0;
            std::mem::swap(&mut self.dirty, &mut self.ripe);
        }
        let end = self.ripe.len().min(self.harvested + limit);
        for &at in self.ripe.get(self.harvested..end).unwrap_or_default() {
            let Some(entry) = self.flows.get_mut(at) else {
                // It has expired meanwhile.
                self.flows.free(at);
                continue;
            };
            entry.dirty = false;
            if let (Some(kind), Some(counted)) = (self.kinds.get(entry.kind), entry.drain()) {
                for record in kind.each_record(&entry.key, entry.port) {
                    each(record, &counted);
                }
            }
        }
        self.harvested = end;
        end < self.ripe.len()
    }

    /// Takes out the flow at a place if it has been idle for as long as it may. Answers what it had counted, who
    /// remembers it, and when it was last seen.
    pub(crate) fn expire(
        &mut self,
        at: u32,
        epoch: u32,
        now: Timestamp,
    ) -> Option<(Option<Former>, Memberships, Timestamp)> {
        const AT_LEAST: u32 = 10;
        let entry = self.flows.get(at)?;
        let rested = now.since(entry.last);
        let longer_than = |secs: u32| rested > Duration::from_secs(secs.into());
        if !longer_than(AT_LEAST) {
            return None;
        }
        let kind = self.kinds.get(entry.kind)?;
        // A tracked flow may rest for days; its connection remembers it without an entry.
        let holds = entry.epoch == epoch && !kind.deny;
        if holds && !longer_than(kind.idle_secs.min(300)) {
            return None;
        }
        let hash = self.hash(&entry.key);
        if let Ok(found) = self.table.find_entry(hash, |&known| known == at) {
            found.remove();
        }
        let mut entry = self.flows.take(at)?;
        let kept = std::mem::take(self.memberships.get_mut(at as usize)?);
        // A place that is in a list of flows to harvest is given back when the harvest gets there.
        if !entry.dirty {
            self.flows.free(at);
        }
        let counted = entry.drain().and_then(|counted| {
            let records = self.kinds.get(entry.kind)?.records(&entry.key, entry.port);
            Some(Former { records, counted })
        });
        self.kinds.remove(entry.kind);
        Some((counted, kept.iter().collect(), entry.last))
    }

    /// How many places there are to sweep.
    pub(crate) fn places(&self) -> u32 {
        self.flows.places()
    }
}
