//! Names that others have to be asked for. The data plane says what to ask, and is told the answer: who embeds it does
//! the asking, in whichever way it reaches the real internet.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use domain::base::iana::{Class, Rcode, Rtype};
use domain::base::{Message, MessageBuilder, ParsedName, Question};
use domain::rdata::{A, Aaaa, Cname};
use model::NetworkInterfaceId;
use packet::build::Frame;
use packet::{Ip, Mac, Packet};

use super::{LEN_MAX, Query, is_same, nat64};
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

/// What is to be asked outside for a query.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    query: Vec<u8>,
    /// Whether a name without IPv6 addresses gets some made from its IPv4 addresses.
    pub(super) synthesizes: bool,
}

/// A client's query that waits for an answer from outside, and who is waiting.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    port: PortId,
    interface: NetworkInterfaceId,
    mac: Mac,
    from: SocketAddr,
    to: SocketAddr,
    query: Vec<u8>,
    asked: Asked,
    /// The answer without IPv6 addresses, while the name's IPv4 addresses are asked for.
    original: Option<Vec<u8>>,
}

/// What to do after an answer from outside.
pub(crate) enum Next {
    /// Send this to the client.
    Frame(PortId, Vec<u8>),
    /// Ask once more.
    Ask(Box<Waiting>),
}

impl Asked {
    pub(super) fn new(query: Query<'_>, question: &Question<ParsedName<&[u8]>>) -> Option<Self> {
        Some(Self {
            query: compose(query, question, question.qtype())?,
            synthesizes: false,
        })
    }
}

/// A fresh query, so that nothing else of what a client wrote gets outside.
fn compose(
    query: Query<'_>,
    question: &Question<ParsedName<&[u8]>>,
    qtype: Rtype,
) -> Option<Vec<u8>> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_rd(true);
    let mut section = builder.question();
    section.push((question.qname(), qtype, Class::IN)).ok()?;
    let mut additional = section.additional();
    if let Some(edns) = query.edns {
        let opt = additional.opt(|opt| {
            opt.set_udp_payload_size(edns.len_max);
            opt.set_dnssec_ok(edns.dnssec_ok);
            Ok(())
        });
        opt.ok()?;
    }
    Some(additional.finish())
}

impl Waiting {
    pub(crate) fn new(
        client: &Client<'_>,
        packet: &Packet,
        ip: &Ip,
        query: &[u8],
        asked: Asked,
    ) -> Self {
        Self {
            port: client.interface.port,
            interface: client.interface.id,
            mac: packet.src_mac,
            from: SocketAddr::new(ip.src, ip.src_port),
            to: SocketAddr::new(ip.dst, ip.dst_port),
            query: query.to_vec(),
            asked,
            original: None,
        }
    }

    /// Nobody can be asked, or nobody answers.
    pub(crate) fn fail(&self, snapshot: &Snapshot) -> Option<(PortId, Vec<u8>)> {
        let message = Query::read(&self.query)?.answer(Rcode::SERVFAIL, &[], None)?;
        self.frame(snapshot, &message)
    }

    /// What an answer from outside means for the client; what is no answer to the question means failure.
    pub(crate) fn receive(
        mut self: Box<Self>,
        snapshot: &Snapshot,
        response: &[u8],
    ) -> Option<Next> {
        let bytes = std::mem::take(&mut self.query);
        let query = Query::read(&bytes)?;
        let genuine = Message::from_octets(response)
            .ok()
            .filter(|response| self.is_answer(response));
        let message = match (genuine, self.original.take()) {
            (None, Some(original)) => Some(original),
            (None, None) => query.answer(Rcode::SERVFAIL, &[], None),
            (Some(response), Some(original)) => synthesize(query, &response).or(Some(original)),
            (Some(response), None) => {
                let message = passed_on(query, &response);
                if self.asked.synthesizes && has_no_ipv6(&response) {
                    let question = query.question()?;
                    self.asked.query = compose(query, &question, Rtype::A)?;
                    self.original = message;
                    self.query = bytes;
                    return Some(Next::Ask(self));
                }
                message
            }
        };
        let (port, frame) = self.frame(snapshot, &message?)?;
        Some(Next::Frame(port, frame))
    }

    fn is_answer(&self, response: &Message<&[u8]>) -> bool {
        let asked = Message::from_octets(self.asked.query.as_slice());
        let (Ok(asked), true) = (asked, response.header().qr()) else {
            return false;
        };
        match (asked.first_question(), response.first_question()) {
            (Some(a), Some(b)) => {
                let same = (a.qtype(), a.qclass()) == (b.qtype(), b.qclass());
                same && is_same(a.qname(), b.qname())
            }
            _ => false,
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

/// An answer from outside as the client's, if it is not too long for it.
fn passed_on(query: Query<'_>, response: &Message<&[u8]>) -> Option<Vec<u8>> {
    if response.as_slice().len() > usize::from(query.len_max().min(LEN_MAX)) {
        return query.truncated(response.header().rcode());
    }
    let mut own = Message::from_octets(response.as_slice().to_vec()).ok()?;
    let asked = query.message.header();
    own.header_mut().set_id(asked.id());
    own.header_mut().set_rd(asked.rd());
    Some(own.into_octets())
}

fn has_no_ipv6(response: &Message<&[u8]>) -> bool {
    let Ok(answer) = response.answer() else {
        return false;
    };
    response.header().rcode() == Rcode::NOERROR && answer.limit_to::<Aaaa>().next().is_none()
}

/// IPv6 addresses made from the IPv4 addresses of an answer (RFC 6147 section 5.1), if it has any.
fn synthesize(query: Query<'_>, response: &Message<&[u8]>) -> Option<Vec<u8>> {
    let answer = response.answer().ok()?;
    let mut found = false;
    let composed = query.compose_with(Rcode::NOERROR, |section| {
        for alias in answer.limit_to::<Cname<_>>().flatten() {
            section.push(alias).ok()?;
        }
        for record in answer.limit_to::<A>().flatten() {
            let IpAddr::V6(v6) = nat64(&IpAddr::V4(record.data().addr()))? else {
                return None;
            };
            found = true;
            section
                .push((record.owner(), Class::IN, record.ttl(), Aaaa::new(v6)))
                .ok()?;
        }
        Some(())
    })?;
    found.then_some(composed)
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
            query: waiting.asked.query.clone(),
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
