//! The Ethernet II header and MAC addresses. VLAN tags are not looked into: a tagged frame has ethertype 0x8100.

use core::{fmt, str::FromStr};

use crate::Malformed;

/// Length of the Ethernet header; the network header starts here.
pub const HEADER_LEN: usize = 14;

/// A 48-bit MAC address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// `ff:ff:ff:ff:ff:ff`.
    pub const BROADCAST: Mac = Mac([0xff; 6]);

    /// True for group addresses, the broadcast address among them.
    pub fn is_multicast(self) -> bool {
        self.0[0] & 1 == 1
    }

    /// True for `ff:ff:ff:ff:ff:ff`.
    pub fn is_broadcast(self) -> bool {
        self == Mac::BROADCAST
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not six colon-separated pairs of hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidMac;

impl fmt::Display for InvalidMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a MAC address is six colon-separated pairs of hex digits")
    }
}

impl core::error::Error for InvalidMac {}

impl FromStr for Mac {
    type Err = InvalidMac;

    fn from_str(text: &str) -> Result<Mac, InvalidMac> {
        let mut bytes = [0; 6];
        let mut pairs = text.split(':');
        for byte in &mut bytes {
            let pair = pairs.next().ok_or(InvalidMac)?;
            if pair.len() != 2 || !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(InvalidMac);
            }
            *byte = u8::from_str_radix(pair, 16).map_err(|_| InvalidMac)?;
        }
        if pairs.next().is_some() {
            Err(InvalidMac)
        } else {
            Ok(Mac(bytes))
        }
    }
}

/// A view of an Ethernet header.
#[derive(Clone, Copy, Debug)]
pub struct Ethernet<'a>(&'a [u8; HEADER_LEN]);

impl<'a> Ethernet<'a> {
    /// Views the first 14 bytes of a frame.
    pub fn parse(frame: &'a [u8]) -> Result<Ethernet<'a>, Malformed> {
        frame
            .first_chunk()
            .map(Ethernet)
            .ok_or(Malformed::Truncated)
    }

    /// Destination address.
    pub fn dst(self) -> Mac {
        let h = self.0;
        Mac([h[0], h[1], h[2], h[3], h[4], h[5]])
    }

    /// Source address.
    pub fn src(self) -> Mac {
        let h = self.0;
        Mac([h[6], h[7], h[8], h[9], h[10], h[11]])
    }

    /// Ethertype, or the length of an 802.3 frame (below 0x600).
    pub fn ethertype(self) -> u16 {
        u16::from_be_bytes([self.0[12], self.0[13]])
    }
}

/// The 14 bytes of an Ethernet header.
pub fn header(dst: Mac, src: Mac, ethertype: u16) -> [u8; HEADER_LEN] {
    let mut bytes = [0; HEADER_LEN];
    bytes[0..6].copy_from_slice(&dst.0);
    bytes[6..12].copy_from_slice(&src.0);
    bytes[12..14].copy_from_slice(&ethertype.to_be_bytes());
    bytes
}

/// Replaces both addresses, as a router does on every hop.
pub fn set_macs(frame: &mut [u8], dst: Mac, src: Mac) -> Result<(), Malformed> {
    let header: &mut [u8; HEADER_LEN] = frame.first_chunk_mut().ok_or(Malformed::Truncated)?;
    header[0..6].copy_from_slice(&dst.0);
    header[6..12].copy_from_slice(&src.0);
    Ok(())
}
