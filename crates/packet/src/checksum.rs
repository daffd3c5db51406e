//! The internet checksum (RFC 1071) and its incremental update (RFC 1624).
//!
//! A *partial* checksum is what a frame with an unfinished checksum carries in its transport checksum field
//! (virtio-net `NEEDS_CSUM`): the un-complemented sum of the pseudo header.

use core::net::IpAddr;

/// A running ones' complement sum.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// An empty sum.
    pub fn new() -> Sum {
        Sum(0)
    }

    /// Adds bytes as big-endian words. An odd last byte is padded with zero, so only the last part may be odd.
    pub fn bytes(self, bytes: &[u8]) -> Sum {
        let mut sum = u128::from(self.0);
        let (chunks, rest) = bytes.as_chunks::<8>();
        for chunk in chunks {
            sum += u128::from(u64::from_be_bytes(*chunk));
        }
        let mut last = [0; 8];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        sum += u128::from(u64::from_be_bytes(last));
        // 2^64 is 1 modulo 2^16 - 1, so the high half folds onto the low one.
        let folded = (sum >> 64) + (sum & u128::from(u64::MAX));
        Sum(((folded >> 32) + (folded & 0xffff_ffff)) as u64)
    }

    /// Adds a word.
    pub fn u16(self, word: u16) -> Sum {
        Sum(u64::from(self.folded()) + u64::from(word))
    }

    /// Adds an address.
    pub fn address(self, address: IpAddr) -> Sum {
        match address {
            IpAddr::V4(address) => self.bytes(&address.octets()),
            IpAddr::V6(address) => self.bytes(&address.octets()),
        }
    }

    /// The sum in 16 bits, not complemented: what a partial checksum field holds.
    pub fn folded(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum >> 16) + (sum & 0xffff);
        }
        sum as u16
    }

    /// The checksum: the complement of the sum.
    pub fn finish(self) -> u16 {
        !self.folded()
    }
}

/// The checksum of `bytes`; zero when they contain a right one.
pub fn internet(bytes: &[u8]) -> u16 {
    Sum::new().bytes(bytes).finish()
}

/// The sum of the pseudo header that TCP, UDP and ICMPv6 checksums begin with.
pub fn pseudo_header(src: IpAddr, dst: IpAddr, protocol: u8, transport_len: usize) -> Sum {
    let len = (transport_len as u32).to_be_bytes();
    Sum::new()
        .address(src)
        .address(dst)
        .u16(u16::from(protocol))
        .bytes(&len)
}

/// The checksum after one word of the covered bytes changed (RFC 1624, equation 3).
pub fn update_16(check: u16, old: u16, new: u16) -> u16 {
    Sum(u64::from(!check) + u64::from(!old) + u64::from(new)).finish()
}

/// The checksum after a 32-bit field, such as an IPv4 address, changed.
pub fn update_32(check: u16, old: [u8; 4], new: [u8; 4]) -> u16 {
    update_bytes(check, &old, &new)
}

/// The checksum after a 128-bit field, such as an IPv6 address, changed.
pub fn update_128(check: u16, old: [u8; 16], new: [u8; 16]) -> u16 {
    update_bytes(check, &old, &new)
}

/// The checksum after a run of bytes at an even offset changed.
pub fn update_bytes(check: u16, old: &[u8], new: &[u8]) -> u16 {
    let (old, new) = (
        Sum::new().bytes(old).folded(),
        Sum::new().bytes(new).folded(),
    );
    update_16(check, old, new)
}

/// Reads a big-endian word, if it is there.
pub(crate) fn get_u16(bytes: &[u8], at: usize) -> Option<u16> {
    let word: &[u8; 2] = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_be_bytes(*word))
}

/// Writes a big-endian word, if there is room.
pub(crate) fn put_u16(bytes: &mut [u8], at: usize, word: u16) {
    if let Some(place) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<2>) {
        *place = word.to_be_bytes();
    }
}
