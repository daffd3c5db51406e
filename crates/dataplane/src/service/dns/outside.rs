//! Names that others have to be asked for. The data plane says what to ask, and is told the answer: who embeds it does
//! the asking, in whichever way it reaches the real internet.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use model::NetworkInterfaceId;
use packet::build::Frame;
use packet::{Ip, Mac, Packet};

use super::pending::{Pending, Resolved};
use crate::compile::Snapshot;
use crate::ports::PortId;
use crate::service::Client;

/// Questions that may wait for answers from outside.
const WAITING_MAX: usize = 1024;
/// Those of one interface among them.
const WAITING_OF_INTERFACE_MAX: usize = 128;

/// A question for name servers outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inquiry {
    /// What to answer it by.
    pub id: u64,
    /// A DNS query whose id is still to be chosen; the answer need not fit into 512 bytes if it says so.
    pub query: Vec<u8>,
}

/// A client's query that waits for an answer from outside, and who is waiting.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    port: PortId,
    interface: NetworkInterfaceId,
    mac: Mac,
    from: SocketAddr,
    to: SocketAddr,
    pending: Pending,
}

/// What to do after an answer from outside.
pub(crate) enum Next {
    /// Send this to the client.
    Frame(PortId, Vec<u8>),
    /// Ask once more.
    Ask(Box<Waiting>),
}

impl Waiting {
    pub(crate) fn new(client: &Client<'_>, packet: &Packet, ip: &Ip, pending: Pending) -> Self {
        Self {
            port: client.interface.port,
            interface: client.interface.id,
            mac: packet.src_mac,
            from: SocketAddr::new(ip.src, ip.src_port),
            to: SocketAddr::new(ip.dst, ip.dst_port),
            pending,
        }
    }

    /// Nobody can be asked, or nobody answers.
    pub(crate) fn fail(&self, snapshot: &Snapshot) -> Option<(PortId, Vec<u8>)> {
        self.frame(snapshot, &self.pending.fail()?)
    }

    /// What an answer from outside means for the client.
    pub(crate) fn receive(
        mut self: Box<Self>,
        snapshot: &Snapshot,
        response: &[u8],
    ) -> Option<Next> {
        match self.pending.receive(response)? {
            Resolved::Message(message) => {
                let (port, frame) = self.frame(snapshot, &message)?;
                Some(Next::Frame(port, frame))
            }
            Resolved::Ask(pending) => {
                self.pending = pending;
                Some(Next::Ask(self))
            }
        }
    }

    /// `None` if the interface is gone, or has lost the address.
    fn frame(&self, snapshot: &Snapshot, message: &[u8]) -> Option<(PortId, Vec<u8>)> {
        let interface = snapshot.interface(self.port)?;
        if interface.id != self.interface || !interface.owns(self.from.ip()) {
            return None;
        }
        let router_mac = snapshot.vpc_of(interface).router_mac;
        let headers = Frame::new(router_mac, self.mac, self.to.ip(), self.from.ip())?;
        let frame = headers.udp(self.to.port(), self.from.port(), message);
        Some((self.port, frame))
    }
}

/// Queries that wait for answers from outside.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    waiting: BTreeMap<u64, Box<Waiting>>,
    latest: u64,
    inquiries: Vec<Inquiry>,
}

impl Outside {
    /// Has a question asked, unless too many are waiting already; gives it back then.
    pub(crate) fn ask(&mut self, waiting: Box<Waiting>) -> Result<(), Box<Waiting>> {
        let of_interface = || {
            let own = self.waiting.values().filter(|w| w.port == waiting.port);
            own.count()
        };
        if self.waiting.len() >= WAITING_MAX || of_interface() >= WAITING_OF_INTERFACE_MAX {
            return Err(waiting);
        }
        self.latest += 1;
        self.inquiries.push(Inquiry {
            id: self.latest,
            query: waiting.pending.asked().to_vec(),
        });
        self.waiting.insert(self.latest, waiting);
        Ok(())
    }

    pub(crate) fn take_inquiries(&mut self) -> Vec<Inquiry> {
        std::mem::take(&mut self.inquiries)
    }

    pub(crate) fn answered(&mut self, id: u64) -> Option<Box<Waiting>> {
        self.waiting.remove(&id)
    }
}
