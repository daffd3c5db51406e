//! Where flows are, by family: those of IPv4 take one cache line each.

use std::hash::BuildHasher;
use std::net::{Ipv4Addr, Ipv6Addr};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::entry::Keyed;
use super::flow_tuple::Ends;
use super::membership::Kept;
use super::{Entry, FlowTuple};
use crate::slab::{NONE, Slab};

/// This bit of a place is set for flows of IPv6.
const V6: u32 = 1 << 31;

/// Flows at places that do not change, and the places by key.
#[derive(Debug)]
pub(super) struct Flows {
    v4: Table<Ipv4Addr>,
    v6: Table<Ipv6Addr>,
    hasher: FixedState,
}

#[derive(Debug)]
struct Table<A> {
    index: HashTable<u32>,
    flows: Slab<Keyed<A>>,
    /// Who remembers the flow at each place.
    memberships: Vec<Kept>,
}

impl Flows {
    /// Room for so many flows is reserved at once: growing would stop the world, and untouched pages cost nothing.
    pub(super) fn new(limit: usize, hasher: FixedState) -> Self {
        Self {
            v4: Table::new(limit),
            v6: Table::new(limit),
            hasher,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.v4.index.len() + self.v6.index.len()
    }

    /// How many places have ever been in use.
    pub(super) fn places(&self) -> u32 {
        self.v4.flows.places() + self.v6.flows.places()
    }

    /// One after the other of those places.
    pub(super) fn place(&self, nth: u32) -> u32 {
        match nth.checked_sub(self.v4.flows.places()) {
            None => nth,
            Some(nth) => nth | V6,
        }
    }

    #[inline]
    pub(super) fn hash(&self, key: &FlowTuple) -> u64 {
        self.hasher.hash_one(key)
    }

    /// The place that a flow of this hash probably has.
    #[inline]
    pub(super) fn guess(&self, hash: u64, key: &FlowTuple) -> u32 {
        match key {
            FlowTuple::V4(..) => self.v4.guess(hash).unwrap_or(NONE),
            FlowTuple::V6(..) => self.v6.guess(hash).map_or(NONE, |at| at | V6),
        }
    }

    /// The place of a flow.
    #[inline]
    pub(super) fn find(&self, hash: u64, key: &FlowTuple) -> Option<u32> {
        match key {
            FlowTuple::V4(ends, protocol) => self.v4.find(hash, ends, *protocol),
            FlowTuple::V6(ends, protocol) => {
                let at = self.v6.find(hash, ends, *protocol)?;
                Some(at | V6)
            }
        }
    }

    /// Whether a flow has this place.
    #[inline]
    pub(super) fn is_at(&self, at: u32, key: &FlowTuple) -> bool {
        match key {
            FlowTuple::V4(ends, protocol) => self.v4.is_at(at, ends, *protocol),
            FlowTuple::V6(ends, protocol) => self.v6.is_at(at & !V6, ends, *protocol),
        }
    }

    #[inline]
    pub(super) fn get(&self, at: u32) -> Option<&Entry> {
        match at & V6 {
            0 => self.v4.flows.get(at).map(|keyed| &keyed.entry),
            _ => self.v6.flows.get(at & !V6).map(|keyed| &keyed.entry),
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, at: u32) -> Option<&mut Entry> {
        match at & V6 {
            0 => self.v4.flows.get_mut(at).map(|keyed| &mut keyed.entry),
            _ => {
                let found = self.v6.flows.get_mut(at & !V6);
                found.map(|keyed| &mut keyed.entry)
            }
        }
    }

    /// What tells the flow at a place apart.
    pub(super) fn key(&self, at: u32) -> Option<FlowTuple> {
        match at & V6 {
            0 => self.v4.flows.get(at).map(Keyed::<Ipv4Addr>::key),
            _ => self.v6.flows.get(at & !V6).map(Keyed::<Ipv6Addr>::key),
        }
    }

    pub(super) fn memberships(&self, at: u32) -> Option<&Kept> {
        match at & V6 {
            0 => self.v4.memberships.get(at as usize),
            _ => self.v6.memberships.get((at & !V6) as usize),
        }
    }

    pub(super) fn memberships_mut(&mut self, at: u32) -> Option<&mut Kept> {
        match at & V6 {
            0 => self.v4.memberships.get_mut(at as usize),
            _ => self.v6.memberships.get_mut((at & !V6) as usize),
        }
    }

    /// Gives a flow a place.
    pub(super) fn insert(&mut self, hash: u64, key: &FlowTuple, entry: Entry, by: Kept) -> u32 {
        let hasher = &self.hasher;
        match *key {
            FlowTuple::V4(ends, _) => {
                let keyed = Keyed { ends, entry };
                let rehash = |keyed: &Keyed<Ipv4Addr>| hasher.hash_one(keyed.key());
                self.v4.insert(hash, keyed, by, rehash)
            }
            FlowTuple::V6(ends, _) => {
                let keyed = Keyed { ends, entry };
                let rehash = |keyed: &Keyed<Ipv6Addr>| hasher.hash_one(keyed.key());
                self.v6.insert(hash, keyed, by, rehash) | V6
            }
        }
    }

    /// Takes the flow at a place out. Nobody else gets its place before it is [`free`](Self::free)d.
    pub(super) fn take(&mut self, at: u32) -> Option<(FlowTuple, Entry, Kept)> {
        let key = self.key(at)?;
        let hash = self.hash(&key);
        let (entry, kept) = match at & V6 {
            0 => self.v4.take(hash, at)?,
            _ => self.v6.take(hash, at & !V6)?,
        };
        Some((key, entry, kept))
    }

    pub(super) fn free(&mut self, at: u32) {
        match at & V6 {
            0 => self.v4.flows.free(at),
            _ => self.v6.flows.free(at & !V6),
        }
    }
}

impl<A: Copy + Eq> Table<A> {
    fn new(limit: usize) -> Self {
        Self {
            index: HashTable::with_capacity(limit),
            flows: Slab::default(),
            memberships: Vec::with_capacity(limit),
        }
    }

    #[inline]
    fn guess(&self, hash: u64) -> Option<u32> {
        self.index.find(hash, |_| true).copied()
    }

    #[inline]
    fn find(&self, hash: u64, ends: &Ends<A>, protocol: u8) -> Option<u32> {
        let is_it = |&at: &u32| self.is_at(at, ends, protocol);
        self.index.find(hash, is_it).copied()
    }

    #[inline]
    fn is_at(&self, at: u32, ends: &Ends<A>, protocol: u8) -> bool {
        let found = self.flows.get(at);
        found.is_some_and(|keyed| keyed.ends == *ends && keyed.entry.protocol == protocol)
    }

    fn insert(
        &mut self,
        hash: u64,
        keyed: Keyed<A>,
        by: Kept,
        rehash: impl Fn(&Keyed<A>) -> u64,
    ) -> u32 {
        let at = self.flows.insert(keyed);
        match self.memberships.get_mut(at as usize) {
            Some(place) => *place = by,
            None => self.memberships.push(by),
        }
        let flows = &self.flows;
        self.index
            .insert_unique(hash, at, |&at| flows.get(at).map_or(0, &rehash));
        at
    }

    fn take(&mut self, hash: u64, at: u32) -> Option<(Entry, Kept)> {
        if let Ok(found) = self.index.find_entry(hash, |&known| known == at) {
            found.remove();
        }
        let keyed = self.flows.take(at)?;
        let kept = self.memberships.get_mut(at as usize).map(std::mem::take);
        Some((keyed.entry, kept.unwrap_or_default()))
    }
}

impl Keyed<Ipv4Addr> {
    fn key(&self) -> FlowTuple {
        FlowTuple::V4(self.ends, self.entry.protocol)
    }
}

impl Keyed<Ipv6Addr> {
    fn key(&self) -> FlowTuple {
        FlowTuple::V6(self.ends, self.entry.protocol)
    }
}
