//! The UDP header (RFC 768).

use crate::Malformed;

/// Length of the header.
pub const HEADER_LEN: usize = 8;

/// A view of a UDP header.
#[derive(Clone, Copy, Debug)]
pub struct Udp<'a>(&'a [u8; HEADER_LEN]);

impl<'a> Udp<'a> {
    /// Views the header at the start of `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Result<Udp<'a>, Malformed> {
        bytes.first_chunk().map(Udp).ok_or(Malformed::Truncated)
    }

    /// Source port.
    pub fn src_port(self) -> u16 {
        u16::from_be_bytes([self.0[0], self.0[1]])
    }

    /// Destination port.
    pub fn dst_port(self) -> u16 {
        u16::from_be_bytes([self.0[2], self.0[3]])
    }

    /// Length of header and payload, as the header states it.
    pub fn len(self) -> usize {
        usize::from(u16::from_be_bytes([self.0[4], self.0[5]]))
    }

    /// True when the stated length has no room for a payload.
    pub fn is_empty(self) -> bool {
        self.len() <= HEADER_LEN
    }

    /// Checksum field; zero means that the sender computed none.
    pub fn checksum(self) -> u16 {
        u16::from_be_bytes([self.0[6], self.0[7]])
    }
}
