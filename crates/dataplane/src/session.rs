//! What NAT gateways and load balancers remember: which connection on their one side is which on the other (Amazon VPC
//! User Guide, "NAT gateway basics").
//!
//! A NAT gateway's inside host has a port of the gateway's outside. The mapping depends on the far side: a port of the
//! gateway serves one connection to each destination, and 55,000 of them are to be had for each. Behind a load balancer
//! the far side is another one too: a target in the place of the listener.

mod walk;

use std::hash::{BuildHasher, Hash};
use std::net::IpAddr;
use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashTable};
use model::Timestamp;
use packet::tcp;

use crate::ports::PortId;
use crate::slab::{NONE, Slab};
use crate::tuple::{L4, Tuple};

/// Connections to one destination (address, port and protocol) of each of a gateway's addresses.
pub(crate) const PORTS_PER_DESTINATION: u32 = 55_000;
/// A connection that is idle for longer is forgotten.
pub(crate) const IDLE_SECS: u32 = 350;
/// One that both sides have ended, or one of them reset, keeps its port for so long.
const CLOSED_SECS: u32 = 60;
const FIRST_PORT: u16 = 1024;
/// The ports behind are for health checks.
const LAST_PORT: u16 = 64_511;

/// An address with its port, or with the identifier of an ICMP query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint {
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
}

/// A connection as one side of a gateway knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    gateway: PortId,
    /// True on the side of the far host, where the near one has the gateway's address.
    outside: bool,
    near: Endpoint,
    far: Endpoint,
    protocol: u8,
}

impl Key {
    /// The connection of a packet from the near host. `None` for what has neither ports nor an identifier.
    pub(crate) fn outward(gateway: PortId, packet: &Tuple) -> Option<Self> {
        Self::new(gateway, false, packet)
    }

    /// The connection of a packet from the far host.
    pub(crate) fn inward(gateway: PortId, packet: &Tuple) -> Option<Self> {
        Self::new(gateway, true, &packet.reversed())
    }

    fn new(gateway: PortId, outside: bool, packet: &Tuple) -> Option<Self> {
        let (near, far) = match packet.l4 {
            L4::Ports { src, dst } => (src, dst),
            L4::Icmp { id, .. } => (id, 0),
            L4::None => return None,
        };
        Some(Self {
            gateway,
            outside,
            near: Endpoint {
                address: packet.src,
                port: near,
            },
            far: Endpoint {
                address: packet.dst,
                port: far,
            },
            protocol: packet.protocol,
        })
    }

    /// The near host as this side knows it.
    pub(crate) fn near(&self) -> Endpoint {
        self.near
    }

    /// The far host as this side knows it.
    pub(crate) fn far(&self) -> Endpoint {
        self.far
    }

    /// The interface of the gateway.
    pub(crate) fn gateway(&self) -> PortId {
        self.gateway
    }

    /// The same connection at another gateway.
    pub(crate) fn at(self, gateway: PortId) -> Self {
        Self { gateway, ..self }
    }

    /// The near host's address is the gateway's, or was before it got a port.
    fn destination(&self) -> Destination {
        Destination {
            gateway: self.gateway,
            address: self.near.address,
            far: self.far,
            protocol: self.protocol,
        }
    }

    /// The same connection on the other side, where the hosts are known as `near` and `far`.
    pub(crate) fn across(self, near: Endpoint, far: Endpoint) -> Self {
        Self {
            outside: !self.outside,
            near,
            far,
            ..self
        }
    }
}

/// What a gateway's address has its ports for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Destination {
    gateway: PortId,
    address: IpAddr,
    far: Endpoint,
    protocol: u8,
}

/// A connection through a gateway.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// As the near host's side knows it.
    inside: Key,
    /// As the far host's side knows it.
    outside: Key,
    /// How long it lives without a packet, in seconds.
    idle_secs: u32,
    finished_near: bool,
    finished_far: bool,
    reset: bool,
    pub(crate) last: Timestamp,
    /// The flow cache entries of what goes out and comes back.
    pub(crate) paths: [u32; 2],
}

impl Session {
    /// The near host itself.
    pub(crate) fn near(&self) -> Endpoint {
        self.inside.near
    }

    /// The near host as the far one knows it.
    pub(crate) fn translated(&self) -> Endpoint {
        self.outside.near
    }

    /// Whether the far host knows the near one as it is.
    pub(crate) fn keeps_near(&self) -> bool {
        self.near() == self.translated()
    }

    /// The far host as the near one knows it.
    pub(crate) fn named(&self) -> Endpoint {
        self.inside.far
    }

    /// The far host itself.
    pub(crate) fn far(&self) -> Endpoint {
        self.outside.far
    }

    /// The IP protocol.
    pub(crate) fn protocol(&self) -> u8 {
        self.inside.protocol
    }

    /// The interface of the gateway on the near host's side.
    pub(crate) fn gateway(&self) -> PortId {
        self.inside.gateway
    }

    /// That on the far host's side: another one if an endpoint is in front of a load balancer.
    pub(crate) fn far_gateway(&self) -> PortId {
        self.outside.gateway
    }

    /// Another packet went by, as the flow cache knows. What comes after its end does not make it last longer.
    pub(crate) fn lasts(&mut self, seen: Timestamp) {
        if !self.is_closed() {
            self.last = self.last.max(seen);
        }
    }

    /// Whether one side has reset the connection: a NAT gateway forgets it at once.
    pub(crate) fn is_reset(&self) -> bool {
        self.reset
    }

    fn is_closed(&self) -> bool {
        self.reset || (self.finished_near && self.finished_far)
    }

    fn idle_secs(&self) -> u32 {
        match self.is_closed() {
            true => CLOSED_SECS,
            false => self.idle_secs,
        }
    }
}

/// What a packet of a session changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// How long the session lives from now on without another packet, in seconds.
    pub(crate) idle_secs: u32,
    /// Whether the next packet may pass without a look at the session.
    pub(crate) cacheable: bool,
    /// Whether what the flow cache knows of the session is void.
    pub(crate) forget: bool,
}

/// Every session of every gateway.
#[derive(Debug)]
pub(crate) struct Sessions {
    table: HashTable<(u32, bool)>,
    slab: Slab<Session>,
    used: HashMap<Destination, u32, FixedState>,
    hasher: FixedState,
}

impl Sessions {
    pub(crate) fn new(hasher: FixedState) -> Self {
        Self {
            table: HashTable::new(),
            slab: Slab::default(),
            used: HashMap::with_hasher(hasher.clone()),
            hasher,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len() / 2
    }

    pub(crate) fn get(&self, index: u32) -> Option<&Session> {
        self.slab.get(index)
    }

    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut Session> {
        self.slab.get_mut(index)
    }

    pub(crate) fn find(&self, key: &Key) -> Option<u32> {
        let is_it = |&(index, outside): &(u32, bool)| self.key(index, outside) == Some(*key);
        let found = self.table.find(self.hasher.hash_one(key), is_it);
        found.map(|&(index, _)| index)
    }

    /// Begins a session, whose first packet is still to be seen, with a free port of one of the gateway's addresses; the
    /// near host's packets all leave from the same one while it has ports. `None` when none has.
    pub(crate) fn begin(
        &mut self,
        inside: Key,
        addresses: &[IpAddr],
        now: Timestamp,
    ) -> Option<u32> {
        let first = self.hasher.hash_one(inside.near.address) as usize;
        let mut candidates = (0..addresses.len()).map(|i| addresses[(first + i) % addresses.len()]);
        let outside = candidates.find_map(|address| self.free(&inside, address, inside.far))?;
        self.insert(inside, outside, IDLE_SECS, now)
    }

    /// Begins a session of a gateway that changes neither end.
    pub(crate) fn begin_untranslated(&mut self, key: Key, now: Timestamp) -> Option<u32> {
        self.insert(key, key.across(key.near, key.far), IDLE_SECS, now)
    }

    /// Begins a session between two connections; `None` if there is one on either side already.
    pub(crate) fn insert(
        &mut self,
        inside: Key,
        outside: Key,
        idle_secs: u32,
        now: Timestamp,
    ) -> Option<u32> {
        if self.find(&inside).is_some() || self.find(&outside).is_some() {
            return None;
        }
        *self.used.entry(outside.destination()).or_default() += 1;
        let session = Session {
            inside,
            outside,
            idle_secs,
            finished_near: false,
            finished_far: false,
            reset: false,
            last: now,
            paths: [NONE; 2],
        };
        let index = self.slab.insert(session);
        for (is_outside, key) in [(false, inside), (true, outside)] {
            let (slab, hasher) = (&self.slab, &self.hasher);
            self.table.insert_unique(
                hasher.hash_one(key),
                (index, is_outside),
                |&(i, outside)| key_of(slab, i, outside).map_or(0, |key| hasher.hash_one(key)),
            );
        }
        Some(index)
    }

    /// The other side of a connection to `far`, from a port of a gateway's address that is free for that. Begins to look
    /// at a place that nobody can foresee, so that answers cannot be forged by guessing.
    pub(crate) fn free(&self, inside: &Key, address: IpAddr, far: Endpoint) -> Option<Key> {
        let from = |port| inside.across(Endpoint { address, port }, far);
        let used = self.used.get(&from(0).destination());
        if used.is_some_and(|&used| used >= PORTS_PER_DESTINATION) {
            return None;
        }
        let places = u32::from(LAST_PORT - FIRST_PORT) + 1;
        let start = self.hasher.hash_one((inside, address)) as u32 % places;
        (0..places).find_map(|step| {
            let outside = from(FIRST_PORT + ((start + step) % places) as u16);
            self.find(&outside).is_none().then_some(outside)
        })
    }

    /// A number that is always the same for the same thing, and that nobody can foresee.
    pub(crate) fn hash(&self, of: impl Hash) -> u64 {
        self.hasher.hash_one(of)
    }

    /// A packet of a session went by.
    pub(crate) fn see(
        &mut self,
        index: u32,
        outward: bool,
        tcp_flags: u8,
        now: Timestamp,
    ) -> Option<Seen> {
        let session = self.slab.get_mut(index)?;
        let was_closed = session.is_closed();
        session.reset |= tcp_flags & tcp::RST != 0;
        if tcp_flags & tcp::FIN != 0 {
            let finished = match outward {
                true => &mut session.finished_near,
                false => &mut session.finished_far,
            };
            *finished = true;
        }
        // The last packets of a session that is over do not keep its port.
        if !was_closed {
            session.last = session.last.max(now);
        }
        Some(Seen {
            idle_secs: session.idle_secs(),
            cacheable: !session.is_closed(),
            forget: was_closed != session.is_closed() || tcp_flags & tcp::RST != 0,
        })
    }

    /// Whether a session is over, so that a new connection may begin with the same ports.
    pub(crate) fn is_closed(&self, index: u32) -> bool {
        self.slab.get(index).is_some_and(Session::is_closed)
    }

    /// Whether a session has outlived its time. `last` includes what the flow cache saw.
    pub(crate) fn is_expired(&self, index: u32, last: Timestamp, now: Timestamp) -> bool {
        self.slab.get(index).is_none_or(|session| {
            let idle = Duration::from_secs(session.idle_secs().into());
            let last = match session.is_closed() {
                true => session.last,
                false => last.max(session.last),
            };
            now.since(last) > idle
        })
    }

    pub(crate) fn remove(&mut self, index: u32) -> Option<Session> {
        for outside in [false, true] {
            let hash = self
                .key(index, outside)
                .map(|key| self.hasher.hash_one(key))?;
            if let Ok(entry) = self.table.find_entry(hash, |&at| at == (index, outside)) {
                entry.remove();
            }
        }
        let session = self.slab.remove(index)?;
        let destination = session.outside.destination();
        if let Some(used) = self.used.get_mut(&destination) {
            *used -= 1;
            if *used == 0 {
                self.used.remove(&destination);
            }
        }
        Some(session)
    }

    /// How many places there are to sweep.
    pub(crate) fn places(&self) -> u32 {
        self.slab.places()
    }

    fn key(&self, index: u32, outside: bool) -> Option<Key> {
        key_of(&self.slab, index, outside)
    }
}

fn key_of(slab: &Slab<Session>, index: u32, outside: bool) -> Option<Key> {
    let session = slab.get(index)?;
    Some(match outside {
        true => session.outside,
        false => session.inside,
    })
}
