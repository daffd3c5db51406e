//! The exact-match cache in front of the pipeline, and the counters that flow logs are made of.
//!
//! A hit touches one bucket of 128 bytes: key, verdict and counters together. What only the slow
//! path needs (records, translation) lies apart. An entry decides only while its epoch is the
//! data plane's; counters outlive that.

use std::hash::{BuildHasher, Hash, Hasher};
use std::net::IpAddr;
use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use model::Timestamp;
use packet::{Ip, Mac};

use crate::disposition::DropReason;
use crate::meter::{Count, Record};
use crate::ports::PortId;
use crate::slab::{NONE, Slab};

/// Where a packet comes from, its five-tuple, and whom the frame is addressed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct FlowTuple {
    src: [u64; 2],
    dst: [u64; 2],
    port: u32,
    ports: [u16; 2],
    dst_mac: [u8; 6],
    protocol: u8,
    family: u8,
}

#[inline]
fn words(address: IpAddr) -> [u64; 2] {
    match address {
        IpAddr::V4(a) => [0, u64::from(u32::from(a))],
        IpAddr::V6(a) => {
            let bits = u128::from(a);
            [(bits >> 64) as u64, bits as u64]
        }
    }
}

impl FlowTuple {
    /// `ports` are ports, or identifier, type and code of ICMP.
    #[inline]
    pub(crate) fn new(port: PortId, dst_mac: Mac, ip: &Ip, ports: [u16; 2]) -> Self {
        Self {
            src: words(ip.src),
            dst: words(ip.dst),
            port: port.bits(),
            ports,
            dst_mac: dst_mac.0,
            protocol: ip.protocol,
            family: if ip.src.is_ipv4() { 4 } else { 6 },
        }
    }
}

impl Hash for FlowTuple {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c, d, e, f] = self.dst_mac;
        state.write_u64(self.src[0] ^ self.dst[0].rotate_left(32));
        state.write_u64(self.src[1]);
        state.write_u64(self.dst[1]);
        state.write_u64(
            u64::from(self.port) << 32 | u64::from(self.ports[0]) << 16 | u64::from(self.ports[1]),
        );
        state.write_u64(u64::from_be_bytes([
            a,
            b,
            c,
            d,
            e,
            f,
            self.protocol,
            self.family,
        ]));
    }
}

/// What the fast path reads and writes.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(crate) struct Entry {
    key: FlowTuple,
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
}

/// Addresses that an internet gateway replaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Translation {
    pub(crate) src: Option<IpAddr>,
    pub(crate) dst: Option<IpAddr>,
}

impl Translation {
    pub(crate) fn is_some(self) -> bool {
        self.src.is_some() || self.dst.is_some()
    }
}

/// What only the slow path needs to know of a flow.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    key: FlowTuple,
    /// What the sender's and the receiver's interface record.
    pub(crate) records: [Option<Record>; 2],
    /// The tracked connections of sender and receiver.
    pub(crate) connections: [u32; 2],
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
    dirty: Vec<FlowTuple>,
    spare: Vec<FlowTuple>,
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
    pub(crate) records: [Option<Record>; 2],
    pub(crate) connections: [u32; 2],
    pub(crate) translation: Translation,
    pub(crate) reason: Option<DropReason>,
    pub(crate) guard: Option<(PortId, u32)>,
}

/// Counters that an entry gave up.
#[derive(Debug)]
pub(crate) struct Counted {
    pub(crate) records: [Option<Record>; 2],
    pub(crate) count: Count,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
}

impl FlowCache {
    pub(crate) fn new(limit: usize, hasher: FixedState) -> Self {
        Self {
            // Reserved at once: growing would stop the world, and untouched pages cost nothing.
            table: HashTable::with_capacity(limit),
            paths: Slab::default(),
            dirty: Vec::new(),
            spare: Vec::new(),
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

    /// When the flow at a path was last seen, if it still belongs to a connection.
    pub(crate) fn last_seen(&self, path: u32, connection: u32) -> Option<Timestamp> {
        let known = self.paths.get(path)?.connections.contains(&connection);
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

    /// Puts a verdict in, or in the place of an older one of the same flow. Answers the path, and
    /// what was counted under the older one if that recorded something else. Without room it gives
    /// the records back.
    #[expect(clippy::result_large_err, reason = "moved once, on the slow path")]
    pub(crate) fn put(
        &mut self,
        key: FlowTuple,
        verdict: Verdict,
    ) -> Result<(u32, Option<Counted>), [Option<Record>; 2]> {
        let hash = self.hash(&key);
        let mut marks = 0;
        if verdict.deny {
            marks |= DENY;
        }
        if verdict.translation.is_some() {
            marks |= TRANSLATE;
        }
        let Some(entry) = self.table.find_mut(hash, |entry| entry.key == key) else {
            return Ok((self.insert(key, hash, marks, verdict)?, None));
        };
        let path = entry.path;
        let Some(cold) = self.paths.get_mut(path) else {
            return Err(verdict.records);
        };
        let counted = (cold.records != verdict.records)
            .then(|| take(entry, cold))
            .flatten();
        entry.marks = (entry.marks & DIRTY) | marks;
        set(entry, &verdict);
        *cold = cold_of(key, verdict);
        Ok((path, counted))
    }

    #[expect(clippy::result_large_err, reason = "moved once, on the slow path")]
    fn insert(
        &mut self,
        key: FlowTuple,
        hash: u64,
        marks: u8,
        verdict: Verdict,
    ) -> Result<u32, [Option<Record>; 2]> {
        if self.table.len() >= self.limit {
            return Err(verdict.records);
        }
        let mut entry = Entry {
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
            marks,
        };
        set(&mut entry, &verdict);
        entry.path = self.paths.insert(cold_of(key, verdict));
        let path = entry.path;
        let hasher = &self.hasher;
        self.table
            .insert_unique(hash, entry, |e| hasher.hash_one(e.key));
        // A flow is at most once in each of the two lists of the flows to harvest.
        let wanted = self.table.len() + 1;
        for list in [&mut self.dirty, &mut self.spare] {
            if list.capacity() < wanted {
                list.reserve(wanted.saturating_sub(list.len()));
            }
        }
        Ok(path)
    }

    /// Takes what was counted since the last time, flow by flow.
    pub(crate) fn harvest(&mut self, mut each: impl FnMut(&[Option<Record>; 2], &Counted)) {
        let mut dirty = std::mem::take(&mut self.dirty);
        std::mem::swap(&mut self.dirty, &mut self.spare);
        for key in dirty.drain(..) {
            let hash = self.hasher.hash_one(key);
            let Some(entry) = self.table.find_mut(hash, |entry| entry.key == key) else {
                continue;
            };
            entry.marks &= !DIRTY;
            if let (Some(path), Some(counted)) = (self.paths.get(entry.path), drain(entry)) {
                each(&path.records, &counted);
            }
        }
        self.spare = dirty;
    }

    /// Takes out the flow at a path if it has been idle for as long as it may. Answers what it
    /// had counted, its connections, and when it was last seen.
    pub(crate) fn expire(
        &mut self,
        path: u32,
        epoch: u32,
        now: Timestamp,
    ) -> Option<(Option<Counted>, [u32; 2], Timestamp)> {
        let cold = self.paths.get(path)?;
        let connections = cold.connections;
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
        Some((counted, connections, last))
    }

    /// How many places there are to sweep.
    pub(crate) fn places(&self) -> u32 {
        self.paths.places()
    }
}

fn cold_of(key: FlowTuple, verdict: Verdict) -> Path {
    Path {
        key,
        records: verdict.records,
        connections: verdict.connections,
        translation: verdict.translation,
        reason: verdict.reason,
        guard: verdict.guard,
    }
}

fn set(entry: &mut Entry, verdict: &Verdict) {
    entry.epoch = verdict.epoch;
    entry.out = verdict.out;
    entry.idle_secs = verdict.idle_secs;
    entry.from_mac = verdict.from_mac;
    entry.src_mac = verdict.src_mac;
    entry.dst_mac = verdict.dst_mac;
    entry.mtu = verdict.mtu;
}

fn take(entry: &mut Entry, cold: &mut Path) -> Option<Counted> {
    let mut counted = drain(entry)?;
    counted.records = std::mem::take(&mut cold.records);
    Some(counted)
}

fn drain(entry: &mut Entry) -> Option<Counted> {
    if entry.packets == 0 {
        return None;
    }
    let counted = Counted {
        records: [None, None],
        count: Count {
            packets: entry.packets,
            bytes: entry.bytes,
            tcp_flags: entry.tcp_flags,
        },
        first: entry.first,
        last: entry.last,
    };
    entry.packets = 0;
    entry.bytes = 0;
    entry.tcp_flags = 0;
    Some(counted)
}
