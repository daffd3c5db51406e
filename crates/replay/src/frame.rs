//! A captured packet made a frame again, as it was at the interface.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use capture::Captured;
use packet::{Mac, ipv6, protocol};

/// Room for the longest packet behind an Ethernet header. Not a power of two, so that frames of a burst do not share
/// places in the processor's caches.
pub(crate) const FRAME_MAX: usize = 14 + 65_535 + 211;

/// What protocol numbers call nothing.
const NO_NEXT_HEADER: u8 = 59;

/// What is read behind what was captured must not be an earlier packet's.
const CLEARED: usize = 256;

/// An IP packet, and which part of it was captured.
pub(crate) struct Found<'a> {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    /// Length as the header has it, or as it would have been.
    pub(crate) len: usize,
    /// The header has none: a device was to cut the packet into segments.
    pub(crate) unsegmented: bool,
    pub(crate) bytes: &'a [u8],
}

/// Why a packet cannot be decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// Cut within its headers.
    Cut,
    /// It contradicts itself.
    Malformed,
}

/// Looks at a packet's addresses and length.
pub(crate) fn find<'a>(packet: &Captured<'_>, ip: &capture::Ip<'a>) -> Result<Found<'a>, Unusable> {
    let bytes = ip.bytes;
    let original = (packet.original_len as usize).saturating_sub(ip.offset);
    let original = original.max(bytes.len());
    let is_cut = original > bytes.len();
    let wrong = match is_cut {
        true => Unusable::Cut,
        false => Unusable::Malformed,
    };
    let is_v4 = bytes.first().is_some_and(|first| first >> 4 == 4);
    let (src, dst, stated, header) = if is_v4 {
        let fixed: &[u8; 20] = bytes.first_chunk().ok_or(wrong)?;
        let [
            _,
            _,
            a,
            b,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            s0,
            s1,
            s2,
            s3,
            d0,
            d1,
            d2,
            d3,
        ] = *fixed;
        let header = usize::from(fixed[0] & 15) * 4;
        (
            IpAddr::V4(Ipv4Addr::new(s0, s1, s2, s3)),
            IpAddr::V4(Ipv4Addr::new(d0, d1, d2, d3)),
            usize::from(u16::from_be_bytes([a, b])),
            header,
        )
    } else {
        let fixed: &[u8; 40] = bytes.first_chunk().ok_or(wrong)?;
        let address = |at: usize| {
            let octets: Option<&[u8; 16]> = fixed.get(at..).and_then(<[u8]>::first_chunk);
            IpAddr::V6(Ipv6Addr::from(octets.copied().unwrap_or_default()))
        };
        let payload = usize::from(u16::from_be_bytes([fixed[4], fixed[5]]));
        let stated = if payload == 0 && fixed[6] != 59 {
            0
        } else {
            payload + 40
        };
        (address(8), address(24), stated, ipv6::HEADER_LEN)
    };
    let unsegmented = stated == 0;
    let len = if unsegmented {
        original.min(65_535)
    } else {
        stated
    };
    if len < header || len > original {
        return Err(Unusable::Malformed);
    }
    let bytes = bytes.get(..len).unwrap_or(bytes);
    if is_cut && !has_headers(bytes, is_v4, header) {
        return Err(Unusable::Cut);
    }
    Ok(Found {
        src,
        dst,
        len,
        unsegmented,
        bytes,
    })
}

/// Whether all was captured that rules look at.
fn has_headers(bytes: &[u8], is_v4: bool, header: usize) -> bool {
    let (next, offset) = if is_v4 {
        let later = bytes
            .get(6..8)
            .is_some_and(|w| w[0] & 0x1f != 0 || w[1] != 0);
        let next = bytes.get(9).copied().filter(|_| !later);
        (next.unwrap_or(NO_NEXT_HEADER), header)
    } else {
        match ipv6::walk(bytes) {
            Ok(chain) if chain.fragment.is_some_and(|f| f.offset != 0) => return true,
            Ok(chain) => (chain.protocol, chain.offset),
            Err(_) => return false,
        }
    };
    let needed = match next {
        protocol::TCP => 20,
        protocol::UDP | protocol::ICMP | protocol::ICMPV6 => 8,
        _ => 0,
    };
    bytes.len() >= offset + needed
}

/// Writes the frame; what was not captured of it is not there to be seen.
pub(crate) fn write(frame: &mut [u8], dst_mac: Mac, src_mac: Mac, found: &Found<'_>) -> usize {
    let is_v4 = found.src.is_ipv4();
    let end = 14 + found.len;
    let captured = 14 + found.bytes.len();
    if let Some(place) = frame.get_mut(14..captured) {
        place.copy_from_slice(found.bytes);
    }
    if let Some(rest) = frame.get_mut(captured..end.min(captured + CLEARED)) {
        rest.fill(0);
    }
    let ethertype: [u8; 2] = if is_v4 { [0x08, 0x00] } else { [0x86, 0xdd] };
    if let Some([d @ .., _, _, _, _, _, _, _, _]) = frame.first_chunk_mut::<14>() {
        *d = dst_mac.0;
    }
    if let Some(place) = frame.get_mut(6..12) {
        place.copy_from_slice(&src_mac.0);
    }
    if let Some(place) = frame.get_mut(12..14) {
        place.copy_from_slice(&ethertype);
    }
    if found.unsegmented {
        let (at, len) = match is_v4 {
            true => (16, found.len),
            false => (18, found.len - ipv6::HEADER_LEN),
        };
        if let (Some(place), Ok(len)) = (frame.get_mut(at..at + 2), u16::try_from(len)) {
            place.copy_from_slice(&len.to_be_bytes());
        }
    }
    end
}
