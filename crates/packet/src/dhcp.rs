//! DHCP for IPv4 (RFC 2131, RFC 2132): what clients ask, and the answers of a server.

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use crate::{Mac, Malformed};

/// Where servers listen.
pub const SERVER_PORT: u16 = 67;
/// Where clients listen.
pub const CLIENT_PORT: u16 = 68;

/// Options of RFC 2132.
pub mod option {
    /// Mask of the link.
    pub const SUBNET_MASK: u8 = 1;
    /// Routers, the preferred one first.
    pub const ROUTER: u8 = 3;
    /// Name servers.
    pub const DOMAIN_NAME_SERVER: u8 = 6;
    /// The client's name.
    pub const HOST_NAME: u8 = 12;
    /// The client's domain.
    pub const DOMAIN_NAME: u8 = 15;
    /// Longest packet of the link.
    pub const INTERFACE_MTU: u8 = 26;
    /// Broadcast address of the link.
    pub const BROADCAST_ADDRESS: u8 = 28;
    /// Time servers.
    pub const NTP_SERVERS: u8 = 42;
    /// NetBIOS name servers.
    pub const NETBIOS_NAME_SERVERS: u8 = 44;
    /// NetBIOS node type.
    pub const NETBIOS_NODE_TYPE: u8 = 46;
    /// The address that a client would like to have.
    pub const REQUESTED_ADDRESS: u8 = 50;
    /// How long an address is the client's, in seconds.
    pub const LEASE_TIME: u8 = 51;
    /// What kind of message it is.
    pub const MESSAGE_TYPE: u8 = 53;
    /// Which server is meant, or answers.
    pub const SERVER_IDENTIFIER: u8 = 54;
    /// The options that a client asks for.
    pub const PARAMETER_REQUEST_LIST: u8 = 55;
    /// The longest message that a client takes, IP and UDP headers included.
    pub const MAXIMUM_MESSAGE_SIZE: u8 = 57;

    pub(super) const PAD: u8 = 0;
    pub(super) const END: u8 = 255;
}

/// What kind of message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageType {
    /// Which servers are there?
    Discover,
    /// An address that a server would give.
    Offer,
    /// May I have, or keep, this address?
    Request,
    /// The address is somebody else's.
    Decline,
    /// Yes.
    Ack,
    /// No.
    Nak,
    /// I need the address no more.
    Release,
    /// I have an address; tell me the rest.
    Inform,
}

const MESSAGE_TYPES: [MessageType; 8] = [
    MessageType::Discover,
    MessageType::Offer,
    MessageType::Request,
    MessageType::Decline,
    MessageType::Ack,
    MessageType::Nak,
    MessageType::Release,
    MessageType::Inform,
];

/// A client's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query<'a> {
    /// What kind of message it is.
    pub message_type: MessageType,
    /// Chosen by the client; answers carry it too.
    pub transaction: [u8; 4],
    /// The client cannot take unicast before it has an address.
    pub broadcast: bool,
    /// The address that the client has.
    pub client: Ipv4Addr,
    /// The relay that passed the message on; unspecified if there was none.
    pub relay: Ipv4Addr,
    /// The client's MAC address.
    pub mac: Mac,
    /// The address that the client would like to have.
    pub requested: Option<Ipv4Addr>,
    /// The server that is meant.
    pub server: Option<Ipv4Addr>,
    /// The options asked for, by code; empty if the client leaves that to the server.
    pub wanted: &'a [u8],
    /// The longest message that the client takes, with its IP and UDP headers.
    pub message_len_max: u16,
}

impl<'a> Query<'a> {
    /// Reads a UDP payload. `None` for what is no message of an Ethernet client.
    pub fn parse(bytes: &'a [u8]) -> Result<Option<Self>, Malformed> {
        let fixed: &[u8; FIXED_LEN] = bytes.first_chunk().ok_or(Malformed::Truncated)?;
        let options = bytes.get(FIXED_LEN..).unwrap_or_default();
        let is_ethernet_request = fixed[..3] == [BOOTREQUEST, ETHERNET, 6];
        if !is_ethernet_request || fixed[236..] != MAGIC {
            return Ok(None);
        }
        let [a, b, c, d, e, f] = *fixed[28..34].as_array().ok_or(Malformed::Truncated)?;
        let mut message_type = None;
        let mut query = Self {
            message_type: MessageType::Discover,
            transaction: [fixed[4], fixed[5], fixed[6], fixed[7]],
            broadcast: fixed[10] & 0x80 != 0,
            client: address(fixed, 12),
            relay: address(fixed, 24),
            mac: Mac([a, b, c, d, e, f]),
            requested: None,
            server: None,
            wanted: &[],
            message_len_max: MESSAGE_LEN_MAX,
        };
        for_each_option(options, |code, value| match (code, value) {
            (option::MESSAGE_TYPE, &[n]) => {
                let at = usize::from(n).checked_sub(1);
                message_type = at.and_then(|at| MESSAGE_TYPES.get(at)).copied();
            }
            (option::REQUESTED_ADDRESS, &[a, b, c, d]) => {
                query.requested = Some(Ipv4Addr::new(a, b, c, d));
            }
            (option::SERVER_IDENTIFIER, &[a, b, c, d]) => {
                query.server = Some(Ipv4Addr::new(a, b, c, d));
            }
            (option::PARAMETER_REQUEST_LIST, wanted) => query.wanted = wanted,
            (option::MAXIMUM_MESSAGE_SIZE, &[high, low]) => {
                query.message_len_max = u16::from_be_bytes([high, low]).max(MESSAGE_LEN_MAX);
            }
            _ => {}
        })?;
        let known = message_type.map(|message_type| Self {
            message_type,
            ..query
        });
        Ok(known)
    }

    /// The answer to this message: a UDP payload. `yours` is the address that the client gets.
    pub fn answer(&self, kind: MessageType, yours: Ipv4Addr, options: &Options) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(MESSAGE_LEN_MIN);
        bytes.extend([BOOTREPLY, ETHERNET, 6, 0]);
        bytes.extend(self.transaction);
        bytes.extend([0, 0, u8::from(self.broadcast) << 7, 0]);
        let client = match kind {
            MessageType::Nak => Ipv4Addr::UNSPECIFIED,
            _ => self.client,
        };
        bytes.extend(client.octets());
        bytes.extend(yours.octets());
        bytes.extend([0; 4]);
        bytes.extend(self.relay.octets());
        bytes.extend(self.mac.0);
        bytes.resize(FIXED_LEN - MAGIC.len(), 0);
        bytes.extend(MAGIC);
        bytes.extend([option::MESSAGE_TYPE, 1, number(kind)]);
        bytes.extend_from_slice(&options.0);
        bytes.push(option::END);
        if bytes.len() < MESSAGE_LEN_MIN {
            bytes.resize(MESSAGE_LEN_MIN, option::PAD);
        }
        bytes
    }

    /// How many bytes of options an answer has room for.
    pub fn room(&self) -> usize {
        usize::from(self.message_len_max) - IP_AND_UDP_LEN - FIXED_LEN - 4
    }
}

/// Options of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options(Vec<u8>);

impl Options {
    /// Adds an option; one that is longer than options can be is left out.
    pub fn push(&mut self, code: u8, value: &[u8]) {
        if let Ok(len) = u8::try_from(value.len()) {
            self.0.extend([code, len]);
            self.0.extend_from_slice(value);
        }
    }

    /// Adds an option that is a list of addresses, if there are any.
    pub fn push_addresses(&mut self, code: u8, addresses: &[Ipv4Addr]) {
        if !addresses.is_empty() {
            let octets: Vec<u8> = addresses.iter().flat_map(Ipv4Addr::octets).collect();
            self.push(code, &octets);
        }
    }

    /// How many bytes the options have.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Reads options in their order.
pub fn for_each_option<'a>(
    mut options: &'a [u8],
    mut each: impl FnMut(u8, &'a [u8]),
) -> Result<(), Malformed> {
    loop {
        options = match options {
            [] | [option::END, ..] => return Ok(()),
            [option::PAD, rest @ ..] => rest,
            [code, len, rest @ ..] => {
                let (value, rest) = rest
                    .split_at_checked(usize::from(*len))
                    .ok_or(Malformed::Truncated)?;
                each(*code, value);
                rest
            }
            [_] => return Err(Malformed::Truncated),
        };
    }
}

fn number(kind: MessageType) -> u8 {
    let at = MESSAGE_TYPES.iter().position(|known| *known == kind);
    at.map_or(0, |at| at as u8 + 1)
}

fn address(fixed: &[u8; FIXED_LEN], at: usize) -> Ipv4Addr {
    Ipv4Addr::new(fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3])
}

const BOOTREQUEST: u8 = 1;
const BOOTREPLY: u8 = 2;
const ETHERNET: u8 = 1;
const MAGIC: [u8; 4] = [99, 130, 83, 99];
/// Up to and with the magic cookie.
const FIXED_LEN: usize = 240;
/// What BOOTP relays and some clients expect at least.
const MESSAGE_LEN_MIN: usize = 300;
/// What every client takes, with IP and UDP headers.
const MESSAGE_LEN_MAX: u16 = 576;
const IP_AND_UDP_LEN: usize = 28;
