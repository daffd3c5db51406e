//! The TCP header (RFC 9293).

use crate::Malformed;

/// Length of a header without options.
pub const HEADER_LEN: usize = 20;

/// FIN flag.
pub const FIN: u8 = 0x01;
/// SYN flag.
pub const SYN: u8 = 0x02;
/// RST flag.
pub const RST: u8 = 0x04;
/// PSH flag.
pub const PSH: u8 = 0x08;
/// ACK flag.
pub const ACK: u8 = 0x10;
/// URG flag.
pub const URG: u8 = 0x20;
/// CWR flag (RFC 3168).
pub const CWR: u8 = 0x80;

/// A view of the fixed part of a TCP header.
#[derive(Clone, Copy, Debug)]
pub struct Tcp<'a>(&'a [u8; HEADER_LEN]);

impl<'a> Tcp<'a> {
    /// Views the header at the start of `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Result<Tcp<'a>, Malformed> {
        let view = Tcp(bytes.first_chunk().ok_or(Malformed::Truncated)?);
        if view.header_len() < HEADER_LEN {
            return Err(Malformed::BadHeaderLength);
        }
        if view.header_len() > bytes.len() {
            Err(Malformed::Truncated)
        } else {
            Ok(view)
        }
    }

    /// Source port.
    pub fn src_port(self) -> u16 {
        u16::from_be_bytes([self.0[0], self.0[1]])
    }

    /// Destination port.
    pub fn dst_port(self) -> u16 {
        u16::from_be_bytes([self.0[2], self.0[3]])
    }

    /// Sequence number.
    pub fn sequence(self) -> u32 {
        u32::from_be_bytes([self.0[4], self.0[5], self.0[6], self.0[7]])
    }

    /// Acknowledgement number.
    pub fn acknowledgement(self) -> u32 {
        u32::from_be_bytes([self.0[8], self.0[9], self.0[10], self.0[11]])
    }

    /// Length of the header with its options, 20 to 60.
    pub fn header_len(self) -> usize {
        usize::from(self.0[12] >> 4) * 4
    }

    /// The flag byte: FIN is bit 0.
    pub fn flags(self) -> u8 {
        self.0[13]
    }

    /// Receive window, unscaled.
    pub fn window(self) -> u16 {
        u16::from_be_bytes([self.0[14], self.0[15]])
    }

    /// Checksum field.
    pub fn checksum(self) -> u16 {
        u16::from_be_bytes([self.0[16], self.0[17]])
    }
}
