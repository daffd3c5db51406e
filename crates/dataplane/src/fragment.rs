//! Later fragments carry no ports: they get those of the first one, so that rules and flow records
//! treat a packet as a whole. A later fragment whose first one was not seen has no ports, and
//! only rules for all ports match it.

use std::net::IpAddr;
use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use model::Timestamp;
use packet::Ip;

use crate::ports::PortId;
use crate::tuple::{L4, Tuple};

const LIMIT: usize = 4096;
const LIFETIME: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    port: PortId,
    src: IpAddr,
    dst: IpAddr,
    identification: u32,
    protocol: u8,
}

#[derive(Debug)]
pub(crate) struct Fragments {
    first: HashMap<Key, (L4, Timestamp), FixedState>,
}

impl Fragments {
    pub(crate) fn new(hasher: FixedState) -> Self {
        Self {
            first: HashMap::with_hasher(hasher),
        }
    }

    /// The packet that a fragment belongs to.
    pub(crate) fn whole(&mut self, port: PortId, ip: &Ip, now: Timestamp) -> Tuple {
        let mut tuple = Tuple::of(ip);
        let Some(fragment) = ip.fragment else {
            return tuple;
        };
        let key = Key {
            port,
            src: ip.src,
            dst: ip.dst,
            identification: fragment.identification,
            protocol: ip.protocol,
        };
        if fragment.offset == 0 {
            if self.first.len() >= LIMIT {
                self.first
                    .retain(|_, (_, seen)| now.since(*seen) < LIFETIME);
            }
            if self.first.len() < LIMIT {
                self.first.insert(key, (tuple.l4, now));
            }
        } else if let Some(&(l4, seen)) = self.first.get(&key)
            && now.since(seen) < LIFETIME
        {
            tuple.l4 = l4;
        }
        tuple
    }
}
