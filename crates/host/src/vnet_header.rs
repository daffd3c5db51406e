//! The virtio-net header in front of each frame of a TAP device.

/// A frame whose checksum the receiver has to complete ([`VnetHeader::flags`]).
const NEEDS_CSUM: u8 = 1;
/// The bit of [`VnetHeader::gso_type`] that says the TCP segments carry ECN.
const GSO_ECN: u8 = 0x80;

/// What the sender left for the receiver (or the network card) to do: one checksum, and cutting the frame into
/// segments. Passing a frame from TAP to TAP with its header unchanged is always right.
///
/// `hdr_len` as Linux writes it is the length of the linear part of its buffer, not of the protocol headers: whoever
/// needs the latter has to parse the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VnetHeader {
    /// Bit 0: the checksum at `csum_start + csum_offset` is unfinished. Bit 1: the checksum was verified.
    pub flags: u8,
    /// 0 none, 1 TCP over IPv4, 3 UDP fragments, 4 TCP over IPv6, 5 UDP segments; bit 7 with ECN.
    pub gso_type: u8,
    /// A hint only.
    pub hdr_len: u16,
    /// Payload bytes of each segment.
    pub gso_size: u16,
    /// Where the checksummed part begins, from the start of the frame.
    pub csum_start: u16,
    /// Where the checksum is, from `csum_start`.
    pub csum_offset: u16,
    /// Unused by TAP devices.
    pub num_buffers: u16,
}

impl VnetHeader {
    /// Bytes of the header in front of a frame.
    pub const LEN: usize = 12;
    /// No offload: the frame is complete as it is.
    pub const NONE: Self = Self {
        flags: 0,
        gso_type: 0,
        hdr_len: 0,
        gso_size: 0,
        csum_start: 0,
        csum_offset: 0,
        num_buffers: 0,
    };

    /// Reads the header from the twelve bytes before a frame.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let word = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        Self {
            flags: bytes[0],
            gso_type: bytes[1],
            hdr_len: word(2),
            gso_size: word(4),
            csum_start: word(6),
            csum_offset: word(8),
            num_buffers: word(10),
        }
    }

    /// The twelve bytes to write before a frame.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[0] = self.flags;
        bytes[1] = self.gso_type;
        for (at, word) in [
            (2, self.hdr_len),
            (4, self.gso_size),
            (6, self.csum_start),
            (8, self.csum_offset),
            (10, self.num_buffers),
        ] {
            bytes[at..at + 2].copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }

    /// Is the transport checksum still to be completed?
    #[must_use]
    pub fn needs_checksum(self) -> bool {
        self.flags & NEEDS_CSUM != 0
    }

    /// Is the frame to be cut into segments by whoever needs them?
    #[must_use]
    pub fn is_gso(self) -> bool {
        self.gso_type & !GSO_ECN != 0 && self.gso_size != 0
    }

    /// How many packets a frame stands for whose transport payload has this length: at least one.
    #[must_use]
    pub fn segments(self, payload_len: usize) -> u32 {
        if !self.is_gso() {
            return 1;
        }
        u32::try_from(payload_len.div_ceil(usize::from(self.gso_size)))
            .unwrap_or(u32::MAX)
            .max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_bytes_round_trip() {
        let header = VnetHeader {
            flags: NEEDS_CSUM,
            gso_type: 1,
            hdr_len: 66,
            gso_size: 8949,
            csum_start: 34,
            csum_offset: 16,
            num_buffers: 0,
        };
        assert_eq!(VnetHeader::from_bytes(&header.to_bytes()), header);
    }

    #[test]
    fn segments_are_counted_from_payload_and_size() {
        let header = VnetHeader {
            gso_type: 1,
            gso_size: 1000,
            ..VnetHeader::NONE
        };
        assert_eq!(header.segments(0), 1);
        assert_eq!(header.segments(1000), 1);
        assert_eq!(header.segments(1001), 2);
        assert_eq!(VnetHeader::NONE.segments(64000), 1);
        let size_zero = VnetHeader {
            gso_type: 1,
            ..VnetHeader::NONE
        };
        assert_eq!(size_zero.segments(64000), 1);
    }
}
