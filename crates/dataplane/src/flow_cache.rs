//! The exact-match cache in front of the pipeline, and the counters that flow logs are made of.
//!
//! A hit touches one cache line of the flow's own (two in IPv6), key and counters together, and the [`Kind`] that it shares
//! with other flows: verdict, translation and records. An entry decides only while its epoch is the data plane's; counters outlive
//! that.

mod entry;
mod flow_tuple;
mod flows;
mod kind;
mod membership;

use std::num::NonZeroU32;
use std::time::Duration;

use foldhash::fast::FixedState;
use model::Timestamp;
use packet::{Mac, tcp};

use crate::counters::Counters;
use crate::drop_reason::DropReason;
use crate::fast_path::{FastFlow, FastPath, Tally};
use crate::meter::{Record, Records};
use crate::ports::PortId;

pub(crate) use entry::{Counted, Entry, Former};
pub(crate) use flow_tuple::FlowTuple;
use flows::Flows;
pub(crate) use kind::Kind;
use kind::Kinds;
use membership::Kept;
pub(crate) use membership::{Membership, Memberships, Owner};

/// What gateways replace in a packet on its way.
pub(crate) type Translation = packet::rewrite::Rewrite;

/// Every flow that has been seen lately, at a place of its own.
#[derive(Debug)]
pub(crate) struct FlowCache {
    flows: Flows,
    kinds: Kinds,
    /// Flows with packets since they were last harvested, and those of them that a harvest has got to.
    dirty: Vec<u32>,
    ripe: Vec<u32>,
    harvested: usize,
    limit: usize,
    fast_path: Option<Box<dyn FastPath>>,
    /// Whether what the fast path has counted is known, for the harvest that is going on.
    absorbed: bool,
    /// What the fast path has done.
    carried: Counters,
    /// Flows of which it has carried an end, and when it last had seen them.
    ends: Vec<(u32, Timestamp)>,
}

/// What is decided on a flow.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) epoch: u32,
    pub(crate) out: PortId,
    pub(crate) idle_secs: u32,
    pub(crate) from_mac: Mac,
    pub(crate) to_mac: Mac,
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
            flows: Flows::new(limit, hasher.clone()),
            kinds: Kinds::new(hasher),
            dirty: Vec::new(),
            ripe: Vec::new(),
            harvested: 0,
            limit,
            fast_path: None,
            absorbed: false,
            carried: Counters::default(),
            ends: Vec::new(),
        }
    }

    pub(crate) fn set_fast_path(&mut self, fast_path: Box<dyn FastPath>) {
        self.fast_path = Some(fast_path);
    }

    pub(crate) fn fast_path(&mut self) -> Option<&mut (dyn FastPath + 'static)> {
        self.fast_path.as_deref_mut()
    }

    /// What the fast path has done, as far as it has told.
    pub(crate) fn carried(&self) -> &Counters {
        &self.carried
    }

    pub(crate) fn len(&self) -> usize {
        self.flows.len()
    }

    #[inline]
    pub(crate) fn hash(&self, key: &FlowTuple) -> u64 {
        self.flows.hash(key)
    }

    /// The place that a flow of this hash probably has.
    #[inline]
    pub(crate) fn guess(&self, hash: u64, key: &FlowTuple) -> u32 {
        self.flows.guess(hash, key)
    }

    /// Reads what is at a place, so that it is near when it is needed.
    #[inline]
    pub(crate) fn touch(&self, at: u32) -> u32 {
        self.flows.get(at).map_or(0, |entry| entry.epoch)
    }

    /// The same of what the flow at a place shares with others: where there are many networks, that is far away too.
    #[inline]
    pub(crate) fn touch_kind(&self, at: u32) -> u32 {
        let entry = self.flows.get(at);
        let kind = entry.and_then(|entry| self.kinds.get(entry.kind));
        kind.map_or(0, |kind| kind.idle_secs)
    }

    /// The place of a flow; a guess may spare the search.
    #[inline]
    pub(crate) fn find(&self, hash: u64, key: &FlowTuple, guess: u32) -> Option<u32> {
        match self.flows.is_at(guess, key) {
            true => Some(guess),
            false => self.flows.find(hash, key),
        }
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

    /// The same for a flow that the fast path has not carried this time: it may have had no room.
    #[inline]
    pub(crate) fn mark_dirty_and_offer(&mut self, at: u32) {
        self.mark_dirty(at);
        if self.fast_path.is_some() {
            self.offer_again(at);
        }
    }

    #[cold]
    fn offer_again(&mut self, at: u32) {
        if let Some(key) = self.flows.key(at) {
            self.offer(at, &key);
        }
    }

    /// What the interfaces on a flow's way record.
    pub(crate) fn records(&self, at: u32) -> Records {
        let known = self.flows.key(at).zip(self.flows.get(at));
        let known = known.and_then(|(key, entry)| Some((key, entry, self.kinds.get(entry.kind)?)));
        known.map_or_else(Records::new, |(key, entry, kind)| {
            kind.records(&key, entry.port)
        })
    }

    /// Whether anybody remembers a flow.
    pub(crate) fn is_remembered(&self, at: u32) -> bool {
        let known = self.flows.memberships(at);
        known.is_some_and(|kept| !kept.is_empty())
    }

    /// When the flow at a place was last seen, if it is still its owner's.
    pub(crate) fn last_seen(&self, at: u32, owner: Owner) -> Option<Timestamp> {
        let mut known = self.flows.memberships(at)?.iter();
        let known = known.any(|member| member.owner == owner);
        let entry = self.flows.get(at).filter(|_| known)?;
        let carried = self.fast_path.as_ref().and_then(|fast| fast.last_seen(at));
        Some(carried.map_or(entry.last, |last| last.max(entry.last)))
    }

    /// The next packet of a flow is decided again.
    pub(crate) fn forget(&mut self, at: u32) {
        if let Some(entry) = self.flows.get_mut(at) {
            entry.epoch = 0;
            if let Some(fast_path) = &mut self.fast_path {
                fast_path.suspend(at);
            }
        }
    }

    /// Counts what the fast path has carried of the flow at a place.
    pub(crate) fn absorb_at(&mut self, at: u32) {
        let fast_path = self.fast_path.as_mut();
        if let Some(tally) = fast_path.and_then(|fast| fast.take(at)) {
            self.credit(at, &tally);
        }
    }

    /// Counts what the fast path has carried of so many flows; tells whether there are more.
    fn absorb(&mut self, limit: usize) -> bool {
        let Some(mut fast_path) = self.fast_path.take() else {
            return false;
        };
        let more = fast_path.harvest(limit, &mut |at, tally| self.credit(at, &tally));
        self.fast_path = Some(fast_path);
        more
    }

    /// Lets the fast path put its things in order.
    pub(crate) fn tend(&mut self) {
        let Some(mut fast_path) = self.fast_path.take() else {
            return;
        };
        fast_path.tend(&mut |at, tally| self.credit(at, &tally));
        self.fast_path = Some(fast_path);
    }

    fn credit(&mut self, at: u32, tally: &Tally) {
        let Some(entry) = self.flows.get_mut(at) else {
            return;
        };
        self.carried.cached += tally.packets;
        match self.kinds.get(entry.kind).and_then(|kind| kind.reason) {
            Some(reason) => self.carried.drop_many(reason, tally.packets),
            None => {
                self.carried.forwarded += tally.packets;
                if tally.tcp_flags & tcp::FIN != 0 {
                    self.ends.push((at, tally.last));
                }
            }
        }
        if entry.credit(tally) {
            self.dirty.push(at);
        }
    }

    /// A flow of which the fast path has carried an end, and when.
    pub(crate) fn next_end(&mut self) -> Option<(u32, Timestamp)> {
        self.ends.pop()
    }

    /// Who remembers the flow at a place.
    pub(crate) fn memberships(&self, at: u32) -> Memberships {
        let kept = self.flows.memberships(at);
        kept.map_or_else(Memberships::new, |kept| kept.iter().collect())
    }

    /// Lets the fast path carry the flow at a place, as far as that is possible.
    pub(crate) fn offer(&mut self, at: u32, key: &FlowTuple) {
        let Some(fast_path) = &mut self.fast_path else {
            return;
        };
        let entry = self.flows.get(at).filter(|entry| entry.epoch != 0);
        let remembered = self.flows.memberships(at).is_some_and(|by| !by.is_empty());
        let flow = entry.and_then(|entry| {
            let kind = self.kinds.get(entry.kind)?;
            FastFlow::new(key, entry, kind, remembered)
        });
        match flow {
            Some(flow) => fast_path.set(at, &flow),
            None => fast_path.suspend(at),
        }
    }

    /// Puts a verdict in, or in the place of an older one of the same flow. Without room it gives the
    /// records back.
    #[expect(clippy::result_large_err, reason = "moved once, on the slow path")]
    pub(crate) fn put(&mut self, key: FlowTuple, verdict: Verdict) -> Result<Put, Records> {
        let hash = self.hash(&key);
        let known = self.flows.find(hash, &key);
        if known.is_none() && self.flows.len() >= self.limit {
            return Err(verdict.records);
        }
        let (epoch, begun) = (verdict.epoch, verdict.guard.map_or(0, |(_, begun)| begun));
        let memberships = Kept::new(&verdict.memberships);
        let (kind, port) = Kind::new(&key, verdict);
        let kind = self.kinds.add(kind);
        if let Some(at) = known {
            self.absorb_at(at);
        }
        let Some(at) = known else {
            let entry = Entry::new(epoch, kind, begun, port, key.protocol());
            let path = self.flows.insert(hash, &key, entry, memberships);
            self.reserve();
            return Ok(Put {
                path,
                counted: None,
                former: None,
            });
        };
        let counted = self.take_if_changed(at, &key, kind, port);
        let others = self.flows.memberships_mut(at);
        let others = others
            .filter(|kept| **kept != memberships)
            .map(|kept| std::mem::replace(kept, memberships));
        let mut former = None;
        if let Some(entry) = self.flows.get_mut(at) {
            former = others.map(|others| (others.iter().collect(), entry.last));
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

    /// A place is at most once in each of the two lists of the flows to harvest.
    fn reserve(&mut self) {
        let wanted = self.flows.places() as usize + 1;
        for list in [&mut self.dirty, &mut self.ripe] {
            if list.capacity() < wanted {
                list.reserve(wanted.saturating_sub(list.len()));
            }
        }
    }

    /// What a flow has counted, if it is recorded otherwise by another kind.
    fn take_if_changed(
        &mut self,
        at: u32,
        key: &FlowTuple,
        kind: NonZeroU32,
        port: u16,
    ) -> Option<Former> {
        let entry = self.flows.get_mut(at)?;
        if (entry.kind, entry.port) == (kind, port) {
            return None;
        }
        let (known, kind) = (self.kinds.get(entry.kind)?, self.kinds.get(kind)?);
        if entry.port == port && known.records_as(kind) {
            return None;
        }
        let records = known.records(key, entry.port);
        if records == kind.records(key, port) {
            return None;
        }
        let counted = entry.drain()?;
        Some(Former { records, counted })
    }

    /// Takes what was counted until now, flow by flow in the order of their first packets, so many at once; tells
    /// whether there is more.
    pub(crate) fn harvest(&mut self, limit: usize, mut each: impl FnMut(Record, &Counted)) -> bool {
        if !self.absorbed && self.absorb(limit) {
            return true;
        }
        self.absorbed = true;
        if self.harvested == self.ripe.len() {
            self.ripe.clear();
            self.harvested = 0;
            std::mem::swap(&mut self.dirty, &mut self.ripe);
        }
        let end = self.ripe.len().min(self.harvested + limit);
        for &at in self.ripe.get(self.harvested..end).unwrap_or_default() {
            let key = self.flows.key(at);
            let (Some(key), Some(entry)) = (key, self.flows.get_mut(at)) else {
                // It has expired meanwhile.
                self.flows.free(at);
                continue;
            };
            entry.clean();
            if let (Some(kind), Some(counted)) = (self.kinds.get(entry.kind), entry.drain()) {
                for record in kind.each_record(&key, entry.port) {
                    each(record, &counted);
                }
            }
        }
        self.harvested = end;
        let more = end < self.ripe.len();
        self.absorbed = more;
        more
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
        let rests = |cache: &Self| {
            let entry = cache.flows.get(at)?;
            let rested = now.since(entry.last);
            let longer_than = |secs: u32| rested > Duration::from_secs(secs.into());
            if !longer_than(AT_LEAST) {
                return None;
            }
            let kind = cache.kinds.get(entry.kind)?;
            // A tracked flow may rest for days; its connection remembers it without an entry.
            let holds = entry.epoch == epoch && !kind.deny;
            (!holds || longer_than(kind.idle_secs.min(300))).then_some(())
        };
        rests(self)?;
        if self.fast_path.is_some() {
            self.absorb_at(at);
            rests(self)?;
        }
        if let Some(fast_path) = &mut self.fast_path {
            fast_path.remove(at);
        }
        let (key, mut entry, kept) = self.flows.take(at)?;
        // A place that is in a list of flows to harvest is given back when the harvest gets there.
        if !entry.is_dirty() {
            self.flows.free(at);
        }
        let counted = entry.drain().and_then(|counted| {
            let records = self.kinds.get(entry.kind)?.records(&key, entry.port);
            Some(Former { records, counted })
        });
        self.kinds.remove(entry.kind);
        Some((counted, kept.iter().collect(), entry.last))
    }

    /// How many places there are to sweep.
    pub(crate) fn places(&self) -> u32 {
        self.flows.places()
    }

    /// One after the other of those places.
    pub(crate) fn place(&self, nth: u32) -> u32 {
        self.flows.place(nth)
    }
}
