//! Fragmentation of IPv4 packets (RFC 791). Super-frames are to be segmented, not fragmented: this is for packets whose
//! sender really sent them at this length.

use alloc::vec::Vec;
use core::fmt;

use crate::{
    Ip, Kind, Packet,
    build::finish_checksum,
    checksum::put_u16,
    ethernet,
    ipv4::{self, Ipv4},
    rewrite,
};

/// Why a packet was not fragmented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The frame does not parse, or its checksum cannot be finished.
    Packet(rewrite::Error),
    /// The packet is not IPv4.
    NotIpv4,
    /// The sender forbade it.
    DontFragment,
    /// Not even eight bytes of payload fit behind the header.
    MtuTooSmall,
    /// The fragments would lie behind the longest IPv4 packet.
    BeyondLongestPacket,
}

/// Splits the IPv4 packet of `frame` into frames whose IP length is at most `mtu`, and appends them to `out`. A packet
/// that fits is appended as it is. An unfinished transport checksum is finished first.
pub fn fragment_ipv4(
    frame: &[u8],
    mtu: usize,
    partial_checksum: bool,
    out: &mut Vec<Vec<u8>>,
) -> Result<(), Error> {
    let packet = Packet::parse(frame)
        .map_err(rewrite::Error::Malformed)
        .map_err(Error::Packet)?;
    let Kind::Ipv4(ip) = packet.kind else {
        return Err(Error::NotIpv4);
    };
    if ip.ip_len > mtu && ip.dont_fragment {
        return Err(Error::DontFragment);
    }
    let mut whole = frame
        .get(..ip.l3_offset + ip.ip_len)
        .unwrap_or(frame)
        .to_vec();
    if partial_checksum {
        finish_checksum(&mut whole).map_err(Error::Packet)?;
    }
    if ip.ip_len <= mtu {
        out.push(whole);
        return Ok(());
    }
    split(&whole, &ip, mtu, out)
}

fn split(whole: &[u8], ip: &Ip, mtu: usize, out: &mut Vec<Vec<u8>>) -> Result<(), Error> {
    let (head, payload) = whole.split_at_checked(ip.l4_offset).unwrap_or_default();
    let (ethernet, header) = head
        .split_at_checked(ethernet::HEADER_LEN)
        .unwrap_or_default();
    let room = mtu.saturating_sub(header.len()) & !7;
    if room == 0 {
        return Err(Error::MtuTooSmall);
    }
    let base = ip
        .fragment
        .map_or(0, |fragment| usize::from(fragment.offset));
    if base + payload.len() > usize::from(u16::MAX) {
        return Err(Error::BeyondLongestPacket);
    }
    let more_behind = ip.fragment.is_some_and(|fragment| fragment.more);
    let later_header = later_header(header);

    let (mut rest, mut header, mut room) = (payload, header, room);
    while !rest.is_empty() {
        let (part, next) = rest.split_at_checked(room).unwrap_or((rest, &[]));
        let more = more_behind || !next.is_empty();
        let offset = base + payload.len() - rest.len();
        let mut fragment = Vec::with_capacity(ethernet.len() + header.len() + part.len());
        fragment.extend_from_slice(ethernet);
        fragment.extend_from_slice(header);
        if let Some(header) = fragment.get_mut(ethernet::HEADER_LEN..) {
            put_u16(header, 2, (header.len() + part.len()) as u16);
            put_u16(
                header,
                6,
                (offset >> 3) as u16 | if more { 0x2000 } else { 0 },
            );
            ipv4::fill_checksum(header);
        }
        fragment.extend_from_slice(part);
        out.push(fragment);
        (rest, header) = (next, &later_header);
        room = mtu.saturating_sub(header.len()) & !7;
    }
    Ok(())
}

/// The header of every fragment but the first: of the options only those with the "copied" bit.
fn later_header(header: &[u8]) -> Vec<u8> {
    let fixed = header.get(..ipv4::HEADER_LEN).unwrap_or(header);
    let mut later = fixed.to_vec();
    let mut options = Ipv4::parse(header).map(Ipv4::options).unwrap_or_default();
    while let [kind, tail @ ..] = options {
        let len = match (kind, tail.first()) {
            (0, _) => break,
            (1, _) => 1,
            (_, Some(&len)) if len >= 2 => usize::from(len),
            _ => break,
        };
        let Some((option, rest)) = options.split_at_checked(len) else {
            break;
        };
        if kind & 0x80 != 0 {
            later.extend_from_slice(option);
        }
        options = rest;
    }
    later.resize(later.len().next_multiple_of(4), 0);
    let words = (later.len() / 4) as u8;
    if let Some(first) = later.first_mut() {
        *first = 0x40 | words;
    }
    later
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Packet(reason) => return fmt::Display::fmt(reason, f),
            Error::NotIpv4 => "not an IPv4 packet",
            Error::DontFragment => "the sender forbids fragmentation",
            Error::MtuTooSmall => "the MTU has no room for a payload",
            Error::BeyondLongestPacket => "the fragments end behind the longest IPv4 packet",
        })
    }
}

impl core::error::Error for Error {}
