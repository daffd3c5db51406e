//! Which source in the service network stands for which origin.

use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashTable};

use super::{Origin, V4, V6};
use crate::compile::Snapshot;
use crate::connection::Connection;
use crate::ports::PortId;
use crate::slab::Slab;

/// Origins at a time.
const ORIGINS_MAX: usize = 0xffff;
/// Origins of one sender, so that none can use up what there is.
const ORIGINS_PER_SENDER: u32 = 32;
/// Connections of one origin.
const CONNECTIONS_PER_ORIGIN: u32 = 2048;

/// Services end connections that rest for much less than this.
const REST_MAX: Duration = Duration::from_secs(3600);

/// No further origin, or no further connection of one, can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoRoom;

/// Who is behind an origin: an interface, or on the internet an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sender {
    Interface(PortId),
    Address(IpAddr),
    /// Whoever has an address behind the network interface of an endpoint.
    Behind {
        endpoint: PortId,
        address: IpAddr,
    },
}

#[derive(Clone, Copy, Debug)]
struct Known {
    origin: Origin,
    sender: Sender,
    /// Connections that it has.
    open: u32,
}

/// Every origin that has connections.
#[derive(Debug)]
pub(crate) struct Origins {
    known: Slab<Known>,
    by_origin: HashTable<u32>,
    per_sender: HashMap<Sender, u32, FixedState>,
    hasher: FixedState,
}

impl Origins {
    pub(crate) fn new(hasher: FixedState) -> Self {
        Self {
            known: Slab::default(),
            by_origin: HashTable::new(),
            per_sender: HashMap::with_hasher(hasher.clone()),
            hasher,
        }
    }

    /// The source that stands for an origin.
    pub(crate) fn source(&mut self, origin: Origin, sender: Sender) -> Result<IpAddr, NoRoom> {
        let hash = self.hasher.hash_one((origin, sender));
        let known = &self.known;
        let is_it = |&i: &u32| {
            let found = known.get(i);
            found.is_some_and(|k| k.origin == origin && k.sender == sender)
        };
        let index = match self.by_origin.find(hash, is_it) {
            Some(&index) => index,
            None => self.insert(origin, sender, hash)?,
        };
        Ok(source(index, origin.source.is_ipv4()))
    }

    fn insert(&mut self, origin: Origin, sender: Sender, hash: u64) -> Result<u32, NoRoom> {
        let of_sender = self.per_sender.entry(sender).or_default();
        if self.by_origin.len() >= ORIGINS_MAX || *of_sender >= ORIGINS_PER_SENDER {
            return Err(NoRoom);
        }
        *of_sender += 1;
        let index = self.known.insert(Known {
            origin,
            sender,
            open: 0,
        });
        let (known, hasher) = (&self.known, &self.hasher);
        self.by_origin.insert_unique(hash, index, |&i| {
            known
                .get(i)
                .map_or(0, |k| hasher.hash_one((k.origin, k.sender)))
        });
        Ok(index)
    }

    /// Whom a source stands for.
    pub(crate) fn get(&self, source: IpAddr) -> Option<(Origin, Sender)> {
        let known = self.known.get(index(source)?)?;
        let same_family = known.origin.source.is_ipv4() == source.is_ipv4();
        same_family.then_some((known.origin, known.sender))
    }

    /// A connection begins.
    pub(crate) fn begin(&mut self, source: IpAddr) -> Result<(), NoRoom> {
        let known = index(source).and_then(|index| self.known.get_mut(index));
        let known = known
            .filter(|k| k.open < CONNECTIONS_PER_ORIGIN)
            .ok_or(NoRoom)?;
        known.open += 1;
        Ok(())
    }

    /// A connection is forgotten; with its last one an origin is.
    pub(crate) fn end(&mut self, source: IpAddr) {
        let Some(index) = index(source) else { return };
        let Some(known) = self.known.get_mut(index) else {
            return;
        };
        known.open = known.open.saturating_sub(1);
        if known.open == 0 {
            self.forget(index);
        }
    }

    /// Whether a tracked connection is one to a service that nobody will ever end: its sender is gone, or it has rested
    /// for longer than services keep connections open.
    pub(crate) fn is_left(
        &self,
        snapshot: &Snapshot,
        connection: &Connection,
        rested: Duration,
    ) -> bool {
        let (tracked_by, remote) = connection.sides();
        let services = snapshot.services.as_ref();
        if services.is_none_or(|s| s.port != tracked_by) {
            return false;
        }
        let gone = match self.get(remote) {
            Some((_, Sender::Interface(port) | Sender::Behind { endpoint: port, .. })) => {
                snapshot.interface(port).is_none()
            }
            Some((_, Sender::Address(_))) => false,
            None => true,
        };
        gone || rested > REST_MAX
    }

    /// What is to be done when any tracked connection is forgotten.
    pub(crate) fn ended(&mut self, snapshot: &Snapshot, connection: &Connection) {
        let (tracked_by, remote) = connection.sides();
        if snapshot
            .services
            .as_ref()
            .is_some_and(|s| s.port == tracked_by)
        {
            self.end(remote);
        }
    }

    fn forget(&mut self, index: u32) {
        let Some(Known { origin, sender, .. }) = self.known.remove(index) else {
            return;
        };
        let hash = self.hasher.hash_one((origin, sender));
        if let Ok(entry) = self.by_origin.find_entry(hash, |&i| i == index) {
            entry.remove();
        }
        if let Some(count) = self.per_sender.get_mut(&sender) {
            *count -= 1;
            if *count == 0 {
                self.per_sender.remove(&sender);
            }
        }
    }
}

/// The network's own address stands for nobody.
fn source(index: u32, ipv4: bool) -> IpAddr {
    match ipv4 {
        true => Ipv4Addr::from_bits(V4 + 1 + index).into(),
        false => Ipv6Addr::from_bits(V6 + 1 + u128::from(index)).into(),
    }
}

fn index(source: IpAddr) -> Option<u32> {
    match source {
        IpAddr::V4(v4) => v4.to_bits().checked_sub(V4 + 1),
        IpAddr::V6(v6) => u32::try_from(v6.to_bits().checked_sub(V6 + 1)?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Backend, ServiceWay};

    fn origin(source: [u8; 4]) -> Origin {
        Origin {
            way: ServiceWay::Internet,
            source: source.into(),
            destination: [52, 216, 0, 1].into(),
            backend: Backend::Metadata,
            region: None,
        }
    }

    fn sender(number: u8) -> Sender {
        Sender::Address([192, 0, 2, number].into())
    }

    #[test]
    fn a_source_stands_for_one_origin_while_that_has_connections() {
        let mut origins = Origins::new(FixedState::with_seed(1));
        let first = origins.source(origin([10, 0, 0, 1]), sender(1)).unwrap();
        assert_eq!(first, IpAddr::from([100, 64, 0, 1]));
        origins.begin(first).unwrap();
        origins.begin(first).unwrap();
        let again = origins.source(origin([10, 0, 0, 1]), sender(1)).unwrap();
        assert_eq!(first, again);
        // The same address behind another interface.
        let other = origins.source(origin([10, 0, 0, 1]), sender(2)).unwrap();
        assert_ne!(first, other);
        origins.end(first);
        assert_eq!(origins.get(first), Some((origin([10, 0, 0, 1]), sender(1))));
        origins.end(first);
        assert_eq!(origins.get(first), None);
        assert!(origins.get(other).is_some());
        for nobody in [
            "100.64.0.0",
            "100.127.255.1",
            "10.0.0.1",
            "fd57:6569:7200:64::1",
        ] {
            assert_eq!(origins.get(nobody.parse().unwrap()), None, "{nobody}");
        }
    }

    #[test]
    fn nobody_uses_up_what_there_is() {
        let mut origins = Origins::new(FixedState::with_seed(1));
        for number in 0..ORIGINS_PER_SENDER {
            let from = origin([10, 0, 0, number as u8]);
            origins.source(from, sender(1)).unwrap();
        }
        let one_more = origin([10, 0, 1, 0]);
        assert_eq!(origins.source(one_more, sender(1)), Err(NoRoom));
        let source = origins.source(one_more, sender(2)).unwrap();
        for _ in 0..CONNECTIONS_PER_ORIGIN {
            origins.begin(source).unwrap();
        }
        assert_eq!(origins.begin(source), Err(NoRoom));
        origins.end(source);
        origins.begin(source).unwrap();
    }
}
