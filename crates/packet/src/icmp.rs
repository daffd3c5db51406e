//! ICMP for IPv4 (RFC 792): types, codes and a header view.

use crate::Malformed;

/// Length of the header; an ICMP error quotes the offending packet behind it.
pub const HEADER_LEN: usize = 8;

/// Echo reply.
pub const ECHO_REPLY: u8 = 0;
/// Destination unreachable.
pub const DESTINATION_UNREACHABLE: u8 = 3;
/// Source quench (obsolete).
pub const SOURCE_QUENCH: u8 = 4;
/// Redirect.
pub const REDIRECT: u8 = 5;
/// Echo request.
pub const ECHO_REQUEST: u8 = 8;
/// Time exceeded.
pub const TIME_EXCEEDED: u8 = 11;
/// Parameter problem.
pub const PARAMETER_PROBLEM: u8 = 12;

/// Destination unreachable: network.
pub const CODE_NETWORK: u8 = 0;
/// Destination unreachable: host.
pub const CODE_HOST: u8 = 1;
/// Destination unreachable: port.
pub const CODE_PORT: u8 = 3;
/// Destination unreachable: fragmentation needed and "don't fragment" set.
pub const CODE_FRAGMENTATION_NEEDED: u8 = 4;
/// Destination unreachable: communication administratively prohibited.
pub const CODE_PROHIBITED: u8 = 13;

/// True for the types that report an error about another packet, which they quote.
pub fn is_error(icmp_type: u8) -> bool {
    matches!(
        icmp_type,
        DESTINATION_UNREACHABLE | SOURCE_QUENCH | REDIRECT | TIME_EXCEEDED | PARAMETER_PROBLEM
    )
}

/// True for the query types that carry an identifier: echo, timestamp, information and address mask.
pub fn has_identifier(icmp_type: u8) -> bool {
    matches!(icmp_type, ECHO_REPLY | ECHO_REQUEST | 13..=18)
}

/// A view of an ICMP header.
#[derive(Clone, Copy, Debug)]
pub struct IcmpHeader<'a>(&'a [u8; HEADER_LEN]);

impl<'a> IcmpHeader<'a> {
    /// Views the header at the start of `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Result<IcmpHeader<'a>, Malformed> {
        bytes
            .first_chunk()
            .map(IcmpHeader)
            .ok_or(Malformed::Truncated)
    }

    /// Type.
    pub fn icmp_type(self) -> u8 {
        self.0[0]
    }

    /// Code.
    pub fn code(self) -> u8 {
        self.0[1]
    }

    /// Identifier of the query types; part of the unused word elsewhere.
    pub fn identifier(self) -> u16 {
        u16::from_be_bytes([self.0[4], self.0[5]])
    }

    /// Sequence number of echo; the next-hop MTU of "fragmentation needed".
    pub fn sequence(self) -> u16 {
        u16::from_be_bytes([self.0[6], self.0[7]])
    }
}
