//! A query while others are asked, whoever has sent it and however.

use std::net::IpAddr;

use domain::base::iana::{Class, Rcode, Rtype};
use domain::base::{Message, MessageBuilder, ParsedName, Question};
use domain::rdata::{A, Aaaa, Cname};
use model::NetworkInterfaceId;

use super::{Answer, Query, Transport, answer, is_same, nat64};
use crate::compile::Snapshot;
use crate::ports::Device;
use crate::service::Client;

/// What comes of a query.
#[derive(Clone, Debug)]
pub enum Resolved {
    /// This message is the answer.
    Message(Vec<u8>),
    /// Name servers outside have to be asked first.
    Ask(Pending),
}

/// A query that waits for an answer from outside.
#[derive(Clone, Debug)]
pub struct Pending {
    query: Vec<u8>,
    transport: Transport,
    /// What is asked outside.
    asked: Vec<u8>,
    /// Whether a name without IPv6 addresses gets some made from its IPv4 addresses.
    synthesizes: bool,
    /// The answer without IPv6 addresses, while the name's IPv4 addresses are asked for.
    original: Option<Vec<u8>>,
}

/// Answers a query that came over TCP from a network interface, as its VPC's DNS server does (Amazon VPC User Guide,
/// "Understand Amazon DNS"). `None` if it is none, or the interface is gone.
pub fn resolve(
    snapshot: &Snapshot,
    interface: NetworkInterfaceId,
    query: &[u8],
) -> Option<Resolved> {
    let port = snapshot.port_of(&Device::Interface(interface))?;
    let client = Client {
        snapshot,
        interface: snapshot.interface(port)?,
    };
    Some(match answer(&client, query, Transport::Tcp)? {
        Answer::Message(message) => Resolved::Message(message),
        Answer::Outside(pending) => Resolved::Ask(pending),
    })
}

impl Pending {
    pub(super) fn new(
        query: Query<'_>,
        question: &Question<ParsedName<&[u8]>>,
        synthesizes: bool,
    ) -> Option<Self> {
        let bytes: &[u8] = query.message.as_octets();
        Some(Self {
            query: bytes.to_vec(),
            transport: query.transport,
            asked: compose(query, question, question.qtype())?,
            synthesizes,
            original: None,
        })
    }

    /// What to ask outside: a DNS query whose id is still to be chosen.
    pub fn asked(&self) -> &[u8] {
        &self.asked
    }

    /// What the client is told when nobody can be asked, or nobody answers.
    pub fn fail(&self) -> Option<Vec<u8>> {
        Query::read(&self.query, self.transport)?.answer(Rcode::SERVFAIL, &[], None)
    }

    /// What an answer from outside means for the client; what is no answer to the question means failure.
    pub fn receive(&self, response: &[u8]) -> Option<Resolved> {
        let query = Query::read(&self.query, self.transport)?;
        let genuine = Message::from_octets(response)
            .ok()
            .filter(|response| self.is_answer(response));
        let message = match (genuine, self.original.clone()) {
            (None, Some(original)) => Some(original),
            (None, None) => self.fail(),
            (Some(response), Some(original)) => synthesize(query, &response).or(Some(original)),
            (Some(response), None) => {
                let message = passed_on(query, &response);
                if self.synthesizes && has_no_ipv6(&response) {
                    let question = query.question()?;
                    return Some(Resolved::Ask(Self {
                        asked: compose(query, &question, Rtype::A)?,
                        original: message,
                        ..self.clone()
                    }));
                }
                message
            }
        };
        message.map(Resolved::Message)
    }

    fn is_answer(&self, response: &Message<&[u8]>) -> bool {
        let asked = Message::from_octets(self.asked.as_slice());
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

/// An answer from outside as the client's, if it is not too long for it.
fn passed_on(query: Query<'_>, response: &Message<&[u8]>) -> Option<Vec<u8>> {
    if response.as_slice().len() > usize::from(query.len_max()) {
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
