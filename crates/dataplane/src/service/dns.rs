//! The Amazon DNS server (Amazon VPC User Guide, "DNS attributes for your VPC", "Understand Amazon DNS"): messages.

mod look_up;
pub(crate) mod outside;
pub(crate) mod pending;

use std::net::IpAddr;

use domain::base::iana::{Class, Opcode, OptRcode, Rcode, Rtype};
use domain::base::message_builder::{AnswerBuilder, StaticCompressor};
use domain::base::{Message, MessageBuilder, Name, ParsedName, Question, Serial, ToName, Ttl};
use domain::rdata::{A, Aaaa, Ptr, Soa};

use super::Client;
use look_up::Known;
pub(super) use look_up::ip_name;
use pending::Pending;

/// What a client without EDNS can take (RFC 1035 section 4.2.1).
const PLAIN_LEN: u16 = 512;
/// The longest message over UDP that the server sends, or takes from outside.
const LEN_MAX: u16 = 4096;
/// Length of an OPT record without options.
const OPT_LEN: u16 = 11;
const TTL: Ttl = Ttl::from_secs(60);

/// What the server says to a query.
pub(super) enum Answer {
    /// This.
    Message(Vec<u8>),
    /// Others know the name, or nobody does.
    Outside(Pending),
}

/// How a query came, and its answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Udp,
    Tcp,
}

/// A query, as far as it can be understood at all.
#[derive(Clone, Copy)]
struct Query<'a> {
    message: Message<&'a [u8]>,
    edns: Option<Edns>,
    transport: Transport,
}

/// The answer section of a message that is being made.
type Section = AnswerBuilder<StaticCompressor<Vec<u8>>>;

/// What a client says about itself (RFC 6891).
#[derive(Clone, Copy)]
struct Edns {
    len_max: u16,
    version: u8,
    dnssec_ok: bool,
}

/// A record's data.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Data {
    Address(IpAddr),
    Pointer(String),
    Authority,
}

/// The answer to a query; `None` if it is none.
pub(super) fn answer(client: &Client<'_>, bytes: &[u8], transport: Transport) -> Option<Answer> {
    let query = Query::read(bytes, transport)?;
    let message = |message: Option<Vec<u8>>| message.map(Answer::Message);
    if query.message.header().opcode() != Opcode::QUERY {
        return message(query.refuse(Rcode::NOTIMP));
    }
    let Some(question) = query.question() else {
        return message(query.refuse(Rcode::FORMERR));
    };
    if query.edns.is_some_and(|edns| edns.version != 0) {
        return message(query.refuse_version());
    }
    let is_transfer = matches!(question.qtype(), Rtype::AXFR | Rtype::IXFR);
    if question.qclass() != Class::IN || is_transfer {
        return message(query.answer(Rcode::REFUSED, &[], None));
    }
    let name = question.qname().to_string().to_ascii_lowercase();
    let qtype = question.qtype();
    message(match look_up::look_up(client, &name) {
        Known::Name {
            zone,
            mut addresses,
            pointer,
        } => {
            // Clients take the first: queries have numbers of all kinds, so each address is that to some.
            let turn = usize::from(query.message.header().id());
            let first = turn.checked_rem(addresses.len()).unwrap_or_default();
            addresses.rotate_left(first);
            let mut data = records(qtype, addresses, pointer, client.subnet().dns64);
            if qtype == Rtype::SOA && name == zone {
                data.push(Data::Authority);
            }
            query.answer(Rcode::NOERROR, &data, Some(&zone))
        }
        Known::NoSuchName { zone } => query.answer(Rcode::NXDOMAIN, &[], Some(&zone)),
        Known::Outside => {
            let synthesizes = qtype == Rtype::AAAA && client.subnet().dns64;
            return Pending::new(query, &question, synthesizes).map(Answer::Outside);
        }
    })
}

/// The records of a type that a name has.
fn records(
    qtype: Rtype,
    addresses: Vec<IpAddr>,
    pointer: Option<String>,
    dns64: bool,
) -> Vec<Data> {
    let wanted = |rtype| qtype == rtype || qtype == Rtype::ANY;
    let synthesized: Vec<IpAddr> = match addresses.iter().any(IpAddr::is_ipv6) {
        false if dns64 && qtype == Rtype::AAAA => addresses.iter().filter_map(nat64).collect(),
        _ => Vec::new(),
    };
    let addresses = addresses.into_iter().chain(synthesized);
    let addresses = addresses.filter(|address| match address {
        IpAddr::V4(_) => wanted(Rtype::A),
        IpAddr::V6(_) => wanted(Rtype::AAAA),
    });
    let pointer = pointer.filter(|_| wanted(Rtype::PTR));
    let pointer = pointer.map(Data::Pointer);
    addresses.map(Data::Address).chain(pointer).collect()
}

/// The IPv6 address that NAT gateways translate to an IPv4 address (Amazon VPC User Guide, "DNS64 and NAT64").
fn nat64(address: &IpAddr) -> Option<IpAddr> {
    let IpAddr::V4(v4) = address else { return None };
    let prefix = 0x0064_ff9b_u128 << 96;
    let address = prefix | u128::from(u32::from(*v4));
    Some(IpAddr::V6(address.into()))
}

impl<'a> Query<'a> {
    /// `None` for what is too short to be answered, or an answer itself.
    fn read(bytes: &'a [u8], transport: Transport) -> Option<Self> {
        let message = Message::from_octets(bytes).ok()?;
        if message.header().qr() {
            return None;
        }
        let edns = message.opt().map(|opt| Edns {
            len_max: opt.udp_payload_size().clamp(PLAIN_LEN, LEN_MAX),
            version: opt.version(),
            dnssec_ok: opt.dnssec_ok(),
        });
        Some(Self {
            message,
            edns,
            transport,
        })
    }

    /// The one question of a query that has nothing but it and at most one OPT record.
    fn question(&self) -> Option<Question<ParsedName<&'a [u8]>>> {
        let counts = self.message.header_counts();
        let sections = (counts.qdcount(), counts.ancount(), counts.nscount());
        let additional = counts.arcount();
        let opts = usize::from(self.edns.is_some());
        if sections != (1, 0, 0) || usize::from(additional) != opts {
            return None;
        }
        self.message.question().next()?.ok()
    }

    fn len_max(&self) -> u16 {
        match self.transport {
            Transport::Tcp => u16::MAX,
            Transport::Udp => self.edns.map_or(PLAIN_LEN, |edns| edns.len_max),
        }
    }

    /// A refusal that does not repeat the question, which may not be one.
    fn refuse(&self, rcode: Rcode) -> Option<Vec<u8>> {
        let bytes: &'a [u8] = self.message.as_octets();
        let header = Self {
            message: Message::from_octets(bytes.get(..12)?).ok()?,
            ..*self
        };
        header.answer(rcode, &[], None)
    }

    fn refuse_version(&self) -> Option<Vec<u8>> {
        self.compose(OptRcode::BADVERS, &[], None)
    }

    fn answer(&self, rcode: Rcode, data: &[Data], zone: Option<&str>) -> Option<Vec<u8>> {
        self.compose(rcode.into(), data, zone)
    }

    /// An answer that says only that the whole one is too long.
    fn truncated(&self, rcode: Rcode) -> Option<Vec<u8>> {
        self.build(rcode.into(), None, |_| None)
    }

    /// An answer with the records that `push` adds, or with none of them if it cannot.
    fn compose_with(
        &self,
        rcode: Rcode,
        push: impl FnOnce(&mut Section) -> Option<()>,
    ) -> Option<Vec<u8>> {
        self.build(rcode.into(), None, push)
    }

    fn compose(&self, rcode: OptRcode, data: &[Data], zone: Option<&str>) -> Option<Vec<u8>> {
        let Some(name) = self.question().map(Question::into_qname) else {
            return self.build(rcode, None, |_| Some(()));
        };
        let empty_in = zone.filter(|_| data.is_empty());
        self.build(rcode, empty_in, |section| {
            for data in data {
                let head = (&name, Class::IN, TTL);
                data.push(section, head, zone.unwrap_or_default())?;
            }
            Some(())
        })
    }

    /// An answer with all of the records, or with none and the sign that it was too long. `zone` is the one that has
    /// none to give.
    fn build(
        &self,
        rcode: OptRcode,
        zone: Option<&str>,
        push: impl FnOnce(&mut Section) -> Option<()>,
    ) -> Option<Vec<u8>> {
        let target = StaticCompressor::new(Vec::with_capacity(PLAIN_LEN.into()));
        let mut builder = MessageBuilder::from_target(target).ok()?;
        let reserved = if self.edns.is_some() { OPT_LEN } else { 0 };
        builder.set_push_limit(usize::from(self.len_max() - reserved));
        let mut answer = builder.start_error(&self.message, rcode.rcode());
        answer.header_mut().set_ra(true);
        if push(&mut answer).is_none() {
            answer = answer.tc_rewind_into();
        }
        let mut section = answer.authority();
        if let Some(zone) = zone
            && let (Ok(name), Some(soa)) = (Name::vec_from_str(zone), authority(zone))
        {
            // Who asked can do without it.
            let _ = section.push((name, Class::IN, TTL, soa));
        }
        let mut additional = section.additional();
        additional.clear_push_limit();
        if let Some(edns) = self.edns {
            let opt = additional.opt(|opt| {
                opt.set_udp_payload_size(LEN_MAX);
                opt.set_dnssec_ok(edns.dnssec_ok);
                opt.set_rcode(rcode);
                Ok(())
            });
            opt.ok()?;
        }
        Some(additional.finish().into_target())
    }
}

impl Data {
    /// Adds the record to an answer, if there is room.
    fn push<N: ToName>(
        &self,
        section: &mut Section,
        (name, class, ttl): (&N, Class, Ttl),
        zone: &str,
    ) -> Option<()> {
        match self {
            Self::Address(IpAddr::V4(v4)) => section.push((name, class, ttl, A::new(*v4))),
            Self::Address(IpAddr::V6(v6)) => section.push((name, class, ttl, Aaaa::new(*v6))),
            Self::Pointer(to) => {
                let to = Name::vec_from_str(to).ok()?;
                section.push((name, class, ttl, Ptr::new(to)))
            }
            Self::Authority => section.push((name, class, ttl, authority(zone)?)),
        }
        .ok()
    }
}

/// What answers without records carry, so that clients know how long to remember that (RFC 2308).
fn authority(zone: &str) -> Option<Soa<Name<Vec<u8>>>> {
    let hour = Ttl::from_secs(3600);
    Some(Soa::new(
        Name::vec_from_str(&format!("ns0.{zone}")).ok()?,
        Name::vec_from_str("hostmaster.amazon.com").ok()?,
        Serial::from(2_012_103_100),
        hour,
        hour,
        hour,
        TTL,
    ))
}

/// Whether two names are the same, whatever their case.
fn is_same(a: &impl ToName, b: &impl ToName) -> bool {
    a.name_eq(b)
}
