//! The IPv6 header and its chain of extension headers (RFC 8200).

use core::net::Ipv6Addr;

use crate::{Malformed, parse::Fragment, protocol};

/// Length of the fixed header.
pub const HEADER_LEN: usize = 40;

/// More extension headers than this is an attack, not a packet.
pub const EXTENSION_HEADERS_MAX: usize = 8;

/// A view of the fixed IPv6 header.
#[derive(Clone, Copy, Debug)]
pub struct Ipv6<'a>(&'a [u8; HEADER_LEN]);

impl<'a> Ipv6<'a> {
    /// Views a header at the start of `bytes`. The payload may be cut off, as it is inside an ICMPv6 error.
    pub fn parse(bytes: &'a [u8]) -> Result<Ipv6<'a>, Malformed> {
        let fixed: &[u8; HEADER_LEN] = bytes.first_chunk().ok_or(Malformed::Truncated)?;
        if fixed[0] >> 4 != 6 {
            Err(Malformed::BadVersion)
        } else {
            Ok(Ipv6(fixed))
        }
    }

    /// Traffic class: DSCP and ECN.
    pub fn traffic_class(self) -> u8 {
        self.0[0] << 4 | self.0[1] >> 4
    }

    /// Flow label, 20 bits.
    pub fn flow_label(self) -> u32 {
        u32::from_be_bytes([0, self.0[1] & 15, self.0[2], self.0[3]])
    }

    /// Length of everything after the fixed header, as the header states it.
    pub fn payload_len(self) -> usize {
        usize::from(u16::from_be_bytes([self.0[4], self.0[5]]))
    }

    /// The type of what follows the fixed header.
    pub fn next_header(self) -> u8 {
        self.0[6]
    }

    /// Hop limit.
    pub fn hop_limit(self) -> u8 {
        self.0[7]
    }

    /// Source address.
    pub fn src(self) -> Ipv6Addr {
        address(self.0, 8)
    }

    /// Destination address.
    pub fn dst(self) -> Ipv6Addr {
        address(self.0, 24)
    }
}

/// Where the chain of extension headers ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The last next-header value: the transport protocol.
    pub protocol: u8,
    /// Where the transport header starts, from the start of the IPv6 header.
    pub offset: usize,
    /// The fragment header, if there is one.
    pub fragment: Option<Fragment>,
}

/// Follows the extension headers. `bytes` starts at the IPv6 header. The walk stops behind the fragment header of a
/// later fragment, because what follows is payload.
pub fn walk(bytes: &[u8]) -> Result<Chain, Malformed> {
    let mut chain = Chain {
        protocol: Ipv6::parse(bytes)?.next_header(),
        offset: HEADER_LEN,
        fragment: None,
    };
    for _ in 0..=EXTENSION_HEADERS_MAX {
        let len = match chain.protocol {
            protocol::HOP_BY_HOP | protocol::ROUTING | protocol::DESTINATION_OPTIONS => None,
            protocol::FRAGMENT => Some(8),
            _ => return Ok(chain),
        };
        let rest = bytes.get(chain.offset..).ok_or(Malformed::Truncated)?;
        let head: &[u8; 8] = rest.first_chunk().ok_or(Malformed::Truncated)?;
        chain.protocol = head[0];
        chain.offset += len.unwrap_or(usize::from(head[1]) * 8 + 8);
        if len.is_some() {
            let fragment = Fragment {
                offset: u16::from_be_bytes([head[2], head[3]]) & 0xfff8,
                more: head[3] & 1 == 1,
                identification: u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
            };
            chain.fragment = Some(fragment);
            if fragment.offset != 0 {
                return Ok(chain);
            }
        }
    }
    Err(Malformed::TooManyExtensionHeaders)
}

fn address(header: &[u8; HEADER_LEN], at: usize) -> Ipv6Addr {
    let mut octets = [0; 16];
    octets.copy_from_slice(&header[at..at + 16]);
    Ipv6Addr::from(octets)
}
