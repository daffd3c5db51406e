//! The IPv4 header (RFC 791).

use core::net::Ipv4Addr;

use crate::{Malformed, checksum};

/// Length of a header without options.
pub const HEADER_LEN: usize = 20;

/// A view of an IPv4 header, options included.
#[derive(Clone, Copy, Debug)]
pub struct Ipv4<'a> {
    fixed: &'a [u8; HEADER_LEN],
    header: &'a [u8],
}

impl<'a> Ipv4<'a> {
    /// Views a header at the start of `bytes`. The payload may be cut off, as it is inside an ICMP error.
    pub fn parse(bytes: &'a [u8]) -> Result<Ipv4<'a>, Malformed> {
        let fixed: &[u8; HEADER_LEN] = bytes.first_chunk().ok_or(Malformed::Truncated)?;
        if fixed[0] >> 4 != 4 {
            return Err(Malformed::BadVersion);
        }
        let header_len = usize::from(fixed[0] & 15) * 4;
        if header_len < HEADER_LEN {
            return Err(Malformed::BadHeaderLength);
        }
        let header = bytes.get(..header_len).ok_or(Malformed::Truncated)?;
        let view = Ipv4 { fixed, header };
        if view.total_len() < header_len {
            return Err(Malformed::BadLength);
        }
        Ok(view)
    }

    /// Length of the header with its options, 20 to 60.
    pub fn header_len(self) -> usize {
        self.header.len()
    }

    /// Type of service: DSCP and ECN.
    pub fn tos(self) -> u8 {
        self.fixed[1]
    }

    /// Length of header and payload, as the header states it.
    pub fn total_len(self) -> usize {
        usize::from(u16::from_be_bytes([self.fixed[2], self.fixed[3]]))
    }

    /// Identification, equal in all fragments of a packet.
    pub fn identification(self) -> u16 {
        u16::from_be_bytes([self.fixed[4], self.fixed[5]])
    }

    /// The "don't fragment" flag.
    pub fn dont_fragment(self) -> bool {
        self.fixed[6] & 0x40 != 0
    }

    /// The "more fragments" flag.
    pub fn more_fragments(self) -> bool {
        self.fixed[6] & 0x20 != 0
    }

    /// Offset of this fragment's payload in the whole payload, in bytes.
    pub fn fragment_offset(self) -> u16 {
        (u16::from_be_bytes([self.fixed[6], self.fixed[7]]) & 0x1fff) << 3
    }

    /// Time to live.
    pub fn ttl(self) -> u8 {
        self.fixed[8]
    }

    /// Protocol of the payload.
    pub fn protocol(self) -> u8 {
        self.fixed[9]
    }

    /// Source address.
    pub fn src(self) -> Ipv4Addr {
        let h = self.fixed;
        Ipv4Addr::new(h[12], h[13], h[14], h[15])
    }

    /// Destination address.
    pub fn dst(self) -> Ipv4Addr {
        let h = self.fixed;
        Ipv4Addr::new(h[16], h[17], h[18], h[19])
    }

    /// The options, empty for most packets.
    pub fn options(self) -> &'a [u8] {
        self.header.get(HEADER_LEN..).unwrap_or_default()
    }

    /// True when the header checksum is right.
    pub fn checksum_is_valid(self) -> bool {
        checksum::internet(self.header) == 0
    }
}

/// Recomputes the header checksum from scratch. `header` is the header alone, with its options.
pub(crate) fn fill_checksum(header: &mut [u8]) {
    checksum::put_u16(header, 10, 0);
    let check = checksum::internet(header);
    checksum::put_u16(header, 10, check);
}
