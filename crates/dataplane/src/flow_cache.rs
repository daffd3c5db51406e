//! The exact-match cache in front of the pipeline, and the counters that flow logs are made of.
//!
//! A hit touches one bucket of 128 bytes: key, verdict and counters together. What only the slow
//! path needs (records, translation) lies apart. An entry decides only while its epoch is the
//! data plane's; counters outlive that.

mod entry;
mod flow_tuple;

use std::hash::BuildHasher;
use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use model::Timestamp;
use packet::Mac;
use smallvec::SmallVec;

use crate::drop_reason::DropReason;
use crate::meter::Records;
use crate::ports::PortId;
use crate::slab::Slab;

use entry::DIRTY;
pub(crate) use entry::{Counted, DENY, Entry, TRANSLATE};
pub(crate) use flow_tuple::FlowTuple;

/// What gateways replace in a packet on its way.
pub(crate) type Translation = packet::rewrite::Rewrite;

/// What remembers a flow on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A connection that an interface's groups track.
    Connection(u32),
    /// A session of a NAT gateway.
    Session(u32),
}

/// A flow is one direction of what its owner remembers: out of the interface or gateway, or into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Membership {
    pub(crate) owner: Owner,
    pub(crate) egress: bool,
}

/// Everything that remembers a flow, in the order of its way.
pub(crate) type Memberships = SmallVec<[Membership; 2]>;

/// What only the slow path needs to know of a flow.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    key: FlowTuple,
    /// What the interfaces on the way record.
    pub(crate) records: Records,
    /// Who remembers it.
    pub(crate) memberships: Memberships,
    /// How many hops it takes.
    pub(crate) hops: u8,
    pub(crate) translation: Translation,
    pub(crate) reason: Option<DropReason>,
    /// A refusal holds while the interface that refused has begun no other connection.
    pub(crate) guard: Option<(PortId, u32)>,
}

/// Every flow that has been seen lately.
#[derive(Debug)]
pub(crate) struct FlowCache {
    table: HashTable<Entry>,
    paths: Slab<Path>,
    /// Flows with packets since they were last harvested, and those of them that a harvest has got to.
    dirty: Vec<FlowTuple>,
    ripe: Vec<FlowTuple>,
    hasher: FixedState,
    limit: usize,
}

/// What a new entry decides.
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
    pub(crate) path: u32,
    /// What was counted under the older one, if that recorded something else.
    pub(crate) counted: Option<Counted>,
    /// Who remembered the flow until now, if others do from now on, and when it was last seen for them.
    pub(crate) former: Option<(Memberships, Timestamp)>,
}

impl FlowCache {
    pub(crate) fn new(limit: usize, hasher: FixedState) -> Self {
        Self {
            // Reserved at once: growing would stop the world, and untouched pages cost nothing.
            table: HashTable::with_capacity(limit),
            paths: Slab::default(),
            dirty: Vec::new(),
            ripe: Vec::new(),
            hasher,
            limit,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Reads what is kept under a hash, so that it is near when it is needed.
    #[inline]
    pub(crate) fn touch(&self, hash: u64) -> u32 {
        let found = self.table.find(hash, |_| true);
        found.map_or(0, |entry| entry.epoch ^ entry.key.port)
    }

    #[inline]
    pub(crate) fn hash(&self, key: &FlowTuple) -> u64 {
        self.hasher.hash_one(key)
    }

    #[inline]
    pub(crate) fn find_mut(&mut self, hash: u64, key: &FlowTuple) -> Option<&mut Entry> {
        self.table.find_mut(hash, |entry| entry.key == *key)
    }

    /// Room was reserved when the flow was put in, so this never allocates.
    #[inline]
    pub(crate) fn mark_dirty(&mut self, key: FlowTuple) {
        self.dirty.push(key);
    }

    pub(crate) fn path(&self, index: u32) -> Option<&Path> {
        self.paths.get(index)
    }

    fn entry_of(&self, path: u32) -> Option<&Entry> {
        let key = &self.paths.get(path)?.key;
        self.table.find(self.hash(key), |entry| entry.key == *key)
    }

    /// When the flow at a path was last seen, if it is still its owner's.
    pub(crate) fn last_seen(&self, path: u32, owner: Owner) -> Option<Timestamp> {
        let known = self.paths.get(path)?.memberships.iter();
        let known = known.into_iter().any(|m| m.owner == owner);
        self.entry_of(path).filter(|_| known).map(|e| e.last)
    }

    /// The next packet of a flow is decided again.
    pub(crate) fn forget(&mut self, path: u32) {
        let Some(key) = self.paths.get(path).map(|p| p.key) else {
            return;
        };
        let hash = self.hash(&key);
        if let Some(entry) = self.find_mut(hash, &key) {
            entry.epoch = 0;
        }
    }

    /// Puts a verdict in, or in the place of an older one of the same flow. Without room it gives the
    /// records back.
    #[expect(clippy::result_large_err, reason = "moved once, on the slow path")]
    pub(crate) fn put(&mut self, key: FlowTuple, verdict: Verdict) -> Result<Put, Records> {
        let hash = self.hash(&key);
        let Some(entry) = self.table.find_mut(hash, |entry| entry.key == key) else {
            return Ok(Put {
                path: self.insert(key, hash, verdict)?,
                counted: None,
                former: None,
            });
        };
        let path = entry.path;
        let Some(cold) = self.paths.get_mut(path) else {
            return Err(verdict.records);
        };
        let counted = (cold.records != verdict.records)
            .then(|| take(entry, cold))
            .flatten();
        let former = (cold.memberships != verdict.memberships)
            .then(|| (std::mem::take(&mut cold.memberships), entry.last));
        entry.set(&verdict);
        *cold = cold_of(key, verdict);
        Ok(Put {
            path,
            counted,
            former,
        })
    }

    #[expect(clippy::result_large_err, reason = "moved once, on the slow path")]
    fn insert(&mut self, key: FlowTuple, hash: u64, verdict: Verdict) -> Result<u32, Records> {
        if self.table.len() >= self.limit {
            return Err(verdict.records);
        }
        let mut entry = Entry::new(key);
        entry.set(&verdict);
        let path = self.paths.insert(cold_of(key, verdict));
        entry.path = path;
        let hasher = &self.hasher;
        self.table
            .insert_unique(hash, entry, |e| hasher.hash_one(e.key));
        // A flow is at most once in each of the two lists of the flows to harvest.
        let wanted = self.table.len() + 1;
        for list in [&mut self.dirty, &mut self.ripe] {
            if list.capacity() < wanted {
                list.reserve(wanted.saturating_sub(list.len()));
            }
        }
        Ok(path)
    }

    /// Takes what was counted until now, flow by flow, so many at once; tells whether there is more.
    pub(crate) fn harvest(
        &mut self,
        limit: usize,
        mut each: impl FnMut(&Records, &Counted),
    ) -> bool {
        if self.ripe.is_empty() {
            std::mem::swap(&mut self.dirty, &mut self.ripe);
        }
        let kept = self.ripe.len().saturating_sub(limit);
        for key in self.ripe.drain(kept..) {
            let hash = self.hasher.hash_one(key);
            let Some(entry) = self.table.find_mut(hash, |entry| entry.key == key) else {
                continue;
            };
            entry.marks &= !DIRTY;
            if let (Some(path), Some(counted)) = (self.paths.get(entry.path), entry.drain()) {
                each(&path.records, &counted);
            }
        }
        kept > 0
    }

    /// Takes out the flow at a path if it has been idle for as long as it may. Answers what it
    /// had counted, who remembers it, and when it was last seen.
    pub(crate) fn expire(
        &mut self,
        path: u32,
        epoch: u32,
        now: Timestamp,
    ) -> Option<(Option<Counted>, Memberships, Timestamp)> {
        let cold = self.paths.get(path)?;
        let memberships = cold.memberships.clone();
        let key = cold.key;
        let hash = self.hash(&key);
        let mut occupied = self.table.find_entry(hash, |entry| entry.key == key).ok()?;
        let entry = occupied.get_mut();
        let idle = match entry.epoch == epoch && !entry.is(DENY) {
            // A tracked flow may rest for days; its connection remembers it without an entry.
            true => entry.idle_secs.min(300),
            false => 10,
        };
        if now.since(entry.last) <= Duration::from_secs(idle.into()) {
            return None;
        }
        let last = entry.last;
        let mut cold = self.paths.remove(path)?;
        let counted = take(entry, &mut cold);
        occupied.remove();
        Some((counted, memberships, last))
    }

    /// How many places there are to sweep.
    pub(crate) fn places(&self) -> u32 {
        self.paths.places()
    }
}

fn take(entry: &mut Entry, cold: &mut Path) -> Option<Counted> {
    let mut counted = entry.drain()?;
    counted.records = std::mem::take(&mut cold.records);
    Some(counted)
}

fn cold_of(key: FlowTuple, verdict: Verdict) -> Path {
    Path {
        key,
        records: verdict.records,
        memberships: verdict.memberships,
        hops: verdict.hops,
        translation: verdict.translation,
        reason: verdict.reason,
        guard: verdict.guard,
    }
}
