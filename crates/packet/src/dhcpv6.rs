//! DHCP for IPv6 (RFC 8415): what clients ask, and the answers of a server.

use alloc::vec::Vec;
use core::net::Ipv6Addr;

use crate::{Mac, Malformed};

/// Where servers listen.
pub const SERVER_PORT: u16 = 547;
/// Where clients listen.
pub const CLIENT_PORT: u16 = 546;
/// All servers and relays of a link.
pub const ALL_SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);

/// Options of RFC 8415, RFC 3646 and RFC 5908.
pub mod option {
    /// Who asks.
    pub const CLIENT_ID: u16 = 1;
    /// Who answers, or is meant.
    pub const SERVER_ID: u16 = 2;
    /// An association for addresses.
    pub const IA_NA: u16 = 3;
    /// An address of an association.
    pub const IA_ADDRESS: u16 = 5;
    /// The options that a client asks for.
    pub const OPTION_REQUEST: u16 = 6;
    /// How preferable a server is.
    pub const PREFERENCE: u16 = 7;
    /// How something went.
    pub const STATUS_CODE: u16 = 13;
    /// The client takes a binding at once.
    pub const RAPID_COMMIT: u16 = 14;
    /// Name servers.
    pub const DNS_SERVERS: u16 = 23;
    /// Domains to search.
    pub const DOMAIN_LIST: u16 = 24;
    /// An association for prefixes.
    pub const IA_PD: u16 = 25;
    /// A time server.
    pub const NTP_SERVER: u16 = 56;

    pub(super) const NTP_SERVER_ADDRESS: u16 = 1;
}

/// How something went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Well.
    Success = 0,
    /// There is no address for the association.
    NoAddresses = 2,
    /// The association is not known.
    NoBinding = 3,
    /// The address does not belong on the link.
    NotOnLink = 4,
    /// There are no prefixes to delegate.
    NoPrefixes = 6,
}

/// What kind of message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageType {
    /// Which servers are there?
    Solicit = 1,
    /// What a server would give.
    Advertise = 2,
    /// Give it to me.
    Request = 3,
    /// Do my addresses still belong here?
    Confirm = 4,
    /// May I keep them, says the client to its server.
    Renew = 5,
    /// May I keep them, says the client to every server.
    Rebind = 6,
    /// The answer to all but [`MessageType::Solicit`].
    Reply = 7,
    /// I need the addresses no more.
    Release = 8,
    /// The addresses are somebody else's.
    Decline = 9,
    /// I have an address; tell me the rest.
    InformationRequest = 11,
}

const ASKED: [MessageType; 8] = [
    MessageType::Solicit,
    MessageType::Request,
    MessageType::Confirm,
    MessageType::Renew,
    MessageType::Rebind,
    MessageType::Release,
    MessageType::Decline,
    MessageType::InformationRequest,
];

/// A client has one association for each of its interfaces; this is more than it can need.
const ASSOCIATIONS_MAX: usize = 8;

/// A client's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query<'a> {
    /// What kind of message it is.
    pub message_type: MessageType,
    /// Chosen by the client; answers carry it too.
    pub transaction: [u8; 3],
    /// Who asks.
    pub client_id: Option<&'a [u8]>,
    /// The server that is meant.
    pub server_id: Option<&'a [u8]>,
    /// Associations for addresses, in their order.
    pub associations: Vec<Association>,
    /// Identifiers of associations for prefixes.
    pub prefix_associations: Vec<u32>,
    /// The client takes a binding at once.
    pub rapid_commit: bool,
    /// The options asked for: pairs of bytes.
    wanted: &'a [u8],
}

/// An association for addresses: what a client calls one of its interfaces, and the addresses that it has there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Association {
    /// Chosen by the client.
    pub id: u32,
    /// The addresses that the client has, or would like to have.
    pub addresses: Vec<Ipv6Addr>,
}

impl<'a> Query<'a> {
    /// Reads a UDP payload. `None` for what no client sends, such as relayed messages.
    pub fn parse(bytes: &'a [u8]) -> Result<Option<Self>, Malformed> {
        let (&[kind, a, b, c], options) = bytes.split_first_chunk().ok_or(Malformed::Truncated)?;
        let Some(&message_type) = ASKED.iter().find(|known| **known as u8 == kind) else {
            return Ok(None);
        };
        let mut query = Self {
            message_type,
            transaction: [a, b, c],
            client_id: None,
            server_id: None,
            associations: Vec::new(),
            prefix_associations: Vec::new(),
            rapid_commit: false,
            wanted: &[],
        };
        for_each_option(options, |code, value| query.option(code, value))?;
        Ok(Some(query))
    }

    fn option(&mut self, code: u16, value: &'a [u8]) -> Result<(), Malformed> {
        match code {
            option::CLIENT_ID => self.client_id = Some(value),
            option::SERVER_ID => self.server_id = Some(value),
            option::OPTION_REQUEST => self.wanted = value,
            option::RAPID_COMMIT => self.rapid_commit = true,
            option::IA_NA if self.associations.len() < ASSOCIATIONS_MAX => {
                self.associations.push(Association::parse(value)?);
            }
            option::IA_PD if self.prefix_associations.len() < ASSOCIATIONS_MAX => {
                let id = value.first_chunk().ok_or(Malformed::Truncated)?;
                self.prefix_associations.push(u32::from_be_bytes(*id));
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether the client asks for an option.
    pub fn wants(&self, code: u16) -> bool {
        let (codes, _) = self.wanted.as_chunks();
        codes.iter().any(|own| u16::from_be_bytes(*own) == code)
    }

    /// The answer to this message: a UDP payload.
    pub fn answer(&self, kind: MessageType, server_id: &[u8], options: &Options) -> Vec<u8> {
        let [a, b, c] = self.transaction;
        let mut answer = Options([kind as u8, a, b, c].to_vec());
        if let Some(client_id) = self.client_id {
            answer.push(option::CLIENT_ID, client_id);
        }
        answer.push(option::SERVER_ID, server_id);
        answer.0.extend_from_slice(&options.0);
        answer.0
    }
}

impl Association {
    fn parse(value: &[u8]) -> Result<Self, Malformed> {
        let (fixed, options) = value
            .split_first_chunk::<12>()
            .ok_or(Malformed::Truncated)?;
        let mut addresses = Vec::new();
        for_each_option(options, |code, value| {
            if code == option::IA_ADDRESS && addresses.len() < ASSOCIATIONS_MAX {
                let octets: &[u8; 16] = value.first_chunk().ok_or(Malformed::Truncated)?;
                addresses.push(Ipv6Addr::from(*octets));
            }
            Ok(())
        })?;
        let [a, b, c, d, ..] = *fixed;
        Ok(Self {
            id: u32::from_be_bytes([a, b, c, d]),
            addresses,
        })
    }
}

/// How long an address may be used, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// For new connections.
    pub preferred_s: u32,
    /// At all; 0 tells the client to let go of it.
    pub valid_s: u32,
}

/// Options of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options(Vec<u8>);

impl Options {
    /// Adds an option; one that is longer than options can be is left out.
    pub fn push(&mut self, code: u16, value: &[u8]) {
        if let Ok(len) = u16::try_from(value.len()) {
            self.0.extend(code.to_be_bytes());
            self.0.extend(len.to_be_bytes());
            self.0.extend_from_slice(value);
        }
    }

    /// Adds how something went.
    pub fn push_status(&mut self, status: Status) {
        self.push(option::STATUS_CODE, &[0, status as u8]);
    }

    /// Adds an association with what is in it. The client shall renew it after half of the preferred lifetime, with
    /// any server after four fifths.
    pub fn push_association(&mut self, id: u32, preferred_s: u32, inside: &Options) {
        let (renew, rebind) = (preferred_s / 2, preferred_s / 5 * 4);
        let mut value = id.to_be_bytes().to_vec();
        value.extend(renew.to_be_bytes());
        value.extend(rebind.to_be_bytes());
        value.extend_from_slice(&inside.0);
        self.push(option::IA_NA, &value);
    }

    /// Adds an association for prefixes with what is in it.
    pub fn push_prefix_association(&mut self, id: u32, inside: &Options) {
        let mut value = id.to_be_bytes().to_vec();
        value.extend([0; 8]);
        value.extend_from_slice(&inside.0);
        self.push(option::IA_PD, &value);
    }

    /// Adds an address, which belongs in an association.
    pub fn push_address(&mut self, address: Ipv6Addr, lifetimes: Lifetimes) {
        let mut value = address.octets().to_vec();
        value.extend(lifetimes.preferred_s.to_be_bytes());
        value.extend(lifetimes.valid_s.to_be_bytes());
        self.push(option::IA_ADDRESS, &value);
    }

    /// Adds name servers, if there are any.
    pub fn push_dns_servers(&mut self, addresses: &[Ipv6Addr]) {
        if !addresses.is_empty() {
            let octets: Vec<u8> = addresses.iter().flat_map(Ipv6Addr::octets).collect();
            self.push(option::DNS_SERVERS, &octets);
        }
    }

    /// Adds a time server.
    pub fn push_ntp_server(&mut self, address: Ipv6Addr) {
        let mut inside = Options::default();
        inside.push(option::NTP_SERVER_ADDRESS, &address.octets());
        self.push(option::NTP_SERVER, &inside.0);
    }

    /// Adds domains to search, separated by spaces; what is no domain name is left out.
    pub fn push_domains(&mut self, domains: &str) {
        let mut wire = Vec::new();
        for domain in domains.split_ascii_whitespace() {
            let labels = || domain.trim_end_matches('.').split('.');
            if labels().all(|label| (1..64).contains(&label.len())) {
                for label in labels() {
                    wire.push(label.len() as u8);
                    wire.extend(label.bytes());
                }
                wire.push(0);
            }
        }
        if !wire.is_empty() {
            self.push(option::DOMAIN_LIST, &wire);
        }
    }
}

/// A server's identity that is its MAC address (DUID-LL).
pub fn link_layer_id(mac: Mac) -> [u8; 10] {
    let [a, b, c, d, e, f] = mac.0;
    [0, 3, 0, 1, a, b, c, d, e, f]
}

/// Reads options in their order.
pub fn for_each_option<'a>(
    mut options: &'a [u8],
    mut each: impl FnMut(u16, &'a [u8]) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    while let Some((&[a, b, c, d], rest)) = options.split_first_chunk() {
        let len = usize::from(u16::from_be_bytes([c, d]));
        let (value, rest) = rest.split_at_checked(len).ok_or(Malformed::Truncated)?;
        each(u16::from_be_bytes([a, b]), value)?;
        options = rest;
    }
    if options.is_empty() {
        Ok(())
    } else {
        Err(Malformed::Truncated)
    }
}
