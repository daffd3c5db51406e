//! Connection tracking of security groups (Amazon EC2 User Guide, "Amazon EC2 security group
//! connection tracking"). Each interface tracks for itself: what its sender's groups let out says
//! nothing about what the receiver's groups let in.

use std::hash::BuildHasher;
use std::net::IpAddr;
use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use model::Timestamp;
use packet::{protocol, tcp};

use crate::ports::PortId;
use crate::slab::{NONE, Slab};
use crate::tuple::{L4, Tuple};

/// A connection as one interface sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    interface: PortId,
    local: IpAddr,
    remote: IpAddr,
    local_port: u16,
    remote_port: u16,
    protocol: u8,
}

/// What a packet is to connection tracking.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trackable {
    pub(crate) key: Key,
    /// An answer that can never begin a connection, such as an echo reply.
    pub(crate) only_answers: bool,
}

impl Trackable {
    /// ICMP queries are told apart by who asks, so that an answer opens no way for questions.
    pub(crate) fn of(interface: PortId, egress: bool, packet: &Tuple) -> Self {
        let (local, remote) = if egress {
            (packet.src, packet.dst)
        } else {
            (packet.dst, packet.src)
        };
        let mut only_answers = false;
        let (local_port, remote_port) = match packet.l4 {
            L4::Ports { src, dst } if egress => (src, dst),
            L4::Ports { src, dst } => (dst, src),
            L4::Icmp {
                icmp_type,
                code,
                id,
            } => {
                let (question, answers) = icmp_question(packet.protocol, icmp_type);
                only_answers = answers;
                let asked_here = egress != answers;
                let code = if answers || id != 0 { 0 } else { code };
                let word = u16::from_be_bytes([question, code & 0x7f]);
                (id, word | (u16::from(asked_here) << 7))
            }
            L4::None => (0, 0),
        };
        Self {
            key: Key {
                interface,
                local,
                remote,
                local_port,
                remote_port,
                protocol: packet.protocol,
            },
            only_answers,
        }
    }
}

/// The type of the question that an ICMP message is or answers, and whether it answers.
fn icmp_question(protocol: u8, icmp_type: u8) -> (u8, bool) {
    match (protocol, icmp_type) {
        (protocol::ICMP, 0) => (8, true),
        (protocol::ICMP, 14 | 16 | 18) => (icmp_type - 1, true),
        (protocol::ICMPV6, 129) => (128, true),
        _ => (icmp_type, false),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    HalfOpen,
    Established,
    Closing,
    Reset,
    UdpUnanswered,
    UdpAnswered,
    UdpStream,
    Icmp,
    Other,
}

impl State {
    fn first(protocol: u8) -> Self {
        match protocol {
            protocol::TCP => Self::HalfOpen,
            protocol::UDP => Self::UdpUnanswered,
            protocol::ICMP | protocol::ICMPV6 => Self::Icmp,
            _ => Self::Other,
        }
    }

    fn idle_secs(self) -> u32 {
        match self {
            Self::Established => 432_000,
            Self::HalfOpen => 120,
            Self::Closing => 60,
            Self::Reset => 10,
            Self::UdpUnanswered | Self::UdpAnswered | Self::Icmp => 30,
            Self::UdpStream => 180,
            Self::Other => 600,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Connection {
    key: Key,
    state: State,
    pub(crate) begun_by_local: bool,
    finished_local: bool,
    finished_remote: bool,
    pub(crate) last: Timestamp,
    /// The flow cache entries of what the interface sends and gets.
    pub(crate) paths: [u32; 2],
}

impl Connection {
    /// Who tracks it, and the other side's address.
    pub(crate) fn sides(&self) -> (PortId, IpAddr) {
        (self.key.interface, self.key.remote)
    }

    /// Another packet went by, as the flow cache knows. What comes after its end does not make it last longer.
    pub(crate) fn lasts(&mut self, seen: Timestamp) {
        if !self.is_over() {
            self.last = self.last.max(seen);
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.state, State::Closing | State::Reset)
    }
}

/// What a packet of a connection changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// How long the connection lives from now on without another packet, in seconds.
    pub(crate) idle_secs: u32,
    /// Whether the next packet may skip connection tracking.
    pub(crate) cacheable: bool,
    /// Whether what the flow cache knows of the connection is void.
    pub(crate) forget: bool,
}

/// Every tracked connection.
#[derive(Debug)]
pub(crate) struct Connections {
    table: HashTable<u32>,
    slab: Slab<Connection>,
    hasher: FixedState,
    per_interface: Vec<Count>,
    limit: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    open: u32,
    /// Only ever rises: tells whether an interface's refusals are still to be trusted.
    begun: u32,
}

/// The interface tracks as many connections as it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TableFull;

impl Connections {
    pub(crate) fn new(limit_per_interface: u32, hasher: FixedState) -> Self {
        Self {
            table: HashTable::new(),
            slab: Slab::default(),
            hasher,
            per_interface: Vec::new(),
            limit: limit_per_interface,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn begun(&self, interface: PortId) -> u32 {
        let count = self.per_interface.get(interface.index());
        count.map_or(0, |c| c.begun)
    }

    pub(crate) fn get(&self, index: u32) -> Option<&Connection> {
        self.slab.get(index)
    }

    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut Connection> {
        self.slab.get_mut(index)
    }

    pub(crate) fn find(&self, key: &Key) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        let slab = &self.slab;
        let is_it = |&i: &u32| slab.get(i).is_some_and(|c| c.key == *key);
        self.table.find(hash, is_it).copied()
    }

    /// Whether a connection has outlived its timer. `last` includes what the flow cache saw.
    pub(crate) fn is_expired(&self, index: u32, last: Timestamp, now: Timestamp) -> bool {
        self.slab.get(index).is_none_or(|c| {
            // What comes after its end does not make it last longer.
            let last = if c.is_over() {
                c.last
            } else {
                last.max(c.last)
            };
            now.since(last) > Duration::from_secs(c.state.idle_secs().into())
        })
    }

    /// Whether a connection is over, so that a new one may begin with the same ports.
    pub(crate) fn is_over(&self, index: u32) -> bool {
        self.slab.get(index).is_some_and(Connection::is_over)
    }

    /// A packet of a connection went by.
    pub(crate) fn see(
        &mut self,
        index: u32,
        egress: bool,
        tcp_flags: u8,
        now: Timestamp,
    ) -> Option<Seen> {
        let connection = self.slab.get_mut(index)?;
        let before = connection.state;
        let begins = egress == connection.begun_by_local;
        connection.state = match before {
            State::Reset => State::Reset,
            _ if tcp_flags & tcp::RST != 0 => State::Reset,
            State::HalfOpen if !begins => State::Established,
            State::UdpUnanswered if !begins => State::UdpAnswered,
            State::UdpAnswered if begins => State::UdpStream,
            state => state,
        };
        if tcp_flags & tcp::FIN != 0 {
            if egress {
                connection.finished_local = true;
            } else {
                connection.finished_remote = true;
            }
        }
        let finished = connection.finished_local && connection.finished_remote;
        if finished && connection.state != State::Reset {
            connection.state = State::Closing;
        }
        // The last packets of a connection that is over do not keep it alive.
        if !connection.is_over() || connection.state != before {
            connection.last = connection.last.max(now);
        }
        Some(Seen {
            idle_secs: connection.state.idle_secs(),
            cacheable: !connection.is_over(),
            forget: connection.state != before,
        })
    }

    /// Begins to track the connection of a packet that the rules allow.
    pub(crate) fn begin(
        &mut self,
        key: Key,
        egress: bool,
        tcp_flags: u8,
        now: Timestamp,
    ) -> Result<(u32, Seen), TableFull> {
        let at = key.interface.index();
        if self.per_interface.len() <= at {
            self.per_interface.resize(at + 1, Count::default());
        }
        let count = &mut self.per_interface[at];
        if count.open >= self.limit {
            return Err(TableFull);
        }
        count.open += 1;
        count.begun = count.begun.wrapping_add(1);
        let finished = tcp_flags & tcp::FIN != 0;
        let state = State::first(key.protocol);
        let index = self.slab.insert(Connection {
            key,
            state,
            begun_by_local: egress,
            finished_local: egress && finished,
            finished_remote: !egress && finished,
            last: now,
            paths: [NONE; 2],
        });
        let hash = self.hasher.hash_one(key);
        let (slab, hasher) = (&self.slab, &self.hasher);
        self.table.insert_unique(hash, index, |&i| {
            slab.get(i).map_or(0, |c| hasher.hash_one(c.key))
        });
        let seen = Seen {
            idle_secs: state.idle_secs(),
            cacheable: true,
            forget: false,
        };
        Ok((index, seen))
    }

    pub(crate) fn remove(&mut self, index: u32) -> Option<Connection> {
        let connection = self.slab.remove(index)?;
        let hash = self.hasher.hash_one(connection.key);
        if let Ok(entry) = self.table.find_entry(hash, |&i| i == index) {
            entry.remove();
        }
        if let Some(count) = self.per_interface.get_mut(connection.key.interface.index()) {
            count.open = count.open.saturating_sub(1);
        }
        Some(connection)
    }

    /// How many places there are to sweep.
    pub(crate) fn places(&self) -> u32 {
        self.slab.places()
    }
}
