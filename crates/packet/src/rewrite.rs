//! In-place address and port translation, with incremental checksum updates.
//!
//! `partial_checksum` says that the frame's transport checksum is unfinished (virtio-net `NEEDS_CSUM`): its field then
//! holds the un-complemented pseudo-header sum, which addresses enter and ports do not.
//! Every function leaves the frame untouched when it fails.

use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crate::{
    Ip, Malformed, Packet,
    checksum::{Sum, get_u16, put_u16, update_16},
    icmp, icmpv6,
    ipv4::Ipv4,
    ipv6::{self, Ipv6},
    protocol,
};

/// The fields to replace; `None` keeps a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// Source address, of the packet's family.
    pub src: Option<IpAddr>,
    /// Destination address, of the packet's family.
    pub dst: Option<IpAddr>,
    /// TCP or UDP source port.
    pub src_port: Option<u16>,
    /// TCP or UDP destination port.
    pub dst_port: Option<u16>,
    /// Identifier of an ICMP query or ICMPv6 echo.
    pub icmp_identifier: Option<u16>,
}

/// Why a frame was not rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The frame does not parse.
    Malformed(Malformed),
    /// The frame is not IP.
    NotIp,
    /// The new address is not of the packet's family.
    WrongFamily,
    /// The packet shows no TCP or UDP ports.
    NoPorts,
    /// The packet shows no ICMP identifier.
    NoIdentifier,
    /// The packet is not an ICMP error, so it quotes no other packet.
    NotIcmpError,
    /// A checksum cannot be computed from one fragment.
    Fragment,
    /// The hop count is used up.
    TimeExceeded,
}

impl Rewrite {
    /// Whether there is anything to replace.
    pub fn is_some(&self) -> bool {
        *self != Self::default()
    }

    /// Both, one after the other: where both replace a field, `next` has the last word.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        Self {
            src: next.src.or(self.src),
            dst: next.dst.or(self.dst),
            src_port: next.src_port.or(self.src_port),
            dst_port: next.dst_port.or(self.dst_port),
            icmp_identifier: next.icmp_identifier.or(self.icmp_identifier),
        }
    }

    /// The same for packets of the other direction, such as one that an ICMP error quotes.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self {
            src: self.dst,
            dst: self.src,
            src_port: self.dst_port,
            dst_port: self.src_port,
            icmp_identifier: self.icmp_identifier,
        }
    }

    /// Only the addresses: what can be replaced in a fragment that is not the first.
    #[must_use]
    pub fn addresses(self) -> Self {
        Self {
            src: self.src,
            dst: self.dst,
            ..Self::default()
        }
    }

    /// Rewrites the packet in `frame`.
    pub fn apply(&self, frame: &mut [u8], partial_checksum: bool) -> Result<(), Error> {
        let ip = parse_ip(frame)?;
        self.apply_parsed(frame, &ip, partial_checksum)
    }

    /// Rewrites the packet in `frame`, of which `ip` is what parsing it gave.
    #[inline]
    pub fn apply_parsed(
        &self,
        frame: &mut [u8],
        ip: &Ip,
        partial_checksum: bool,
    ) -> Result<(), Error> {
        let layout = Layout {
            ipv4: ip.is_ipv4(),
            protocol: ip.protocol,
            l4: ip.l4_offset - ip.l3_offset,
            has_transport: !ip.is_later_fragment(),
        };
        let packet = packet_mut(frame, ip)?;
        layout.check(packet, self)?;
        layout.rewrite(packet, self, partial_checksum);
        Ok(())
    }

    /// Rewrites the packet quoted by the ICMP or ICMPv6 error in `frame`, and fixes the checksum of the error. The
    /// quoted packet's own checksums are updated as far as they are part of the quote.
    pub fn apply_to_quoted(&self, frame: &mut [u8], partial_checksum: bool) -> Result<(), Error> {
        let ip = parse_ip(frame)?;
        if !ip.is_icmp_error() {
            return Err(Error::NotIcmpError);
        }
        let l4 = ip.l4_offset - ip.l3_offset;
        let packet = packet_mut(frame, &ip)?;
        let quote = packet.get_mut(l4 + icmp::HEADER_LEN..).unwrap_or_default();
        let layout = Layout::of(quote)?;
        layout.check(quote, self)?;
        let changeable = quote.len().min(layout.l4 + 20);
        let old = Sum::new()
            .bytes(quote.get(..changeable).unwrap_or_default())
            .folded();
        layout.rewrite(quote, self, false);
        let new = Sum::new()
            .bytes(quote.get(..changeable).unwrap_or_default())
            .folded();
        if let (false, Some(check)) = (partial_checksum, get_u16(packet, l4 + 2)) {
            put_u16(packet, l4 + 2, update_16(check, old, new));
        }
        Ok(())
    }
}

/// Replaces the source address of an IPv4 packet.
pub fn set_ipv4_src(
    frame: &mut [u8],
    address: Ipv4Addr,
    partial_checksum: bool,
) -> Result<(), Error> {
    Rewrite {
        src: Some(IpAddr::V4(address)),
        ..Rewrite::default()
    }
    .apply(frame, partial_checksum)
}

/// Replaces the destination address of an IPv4 packet.
pub fn set_ipv4_dst(
    frame: &mut [u8],
    address: Ipv4Addr,
    partial_checksum: bool,
) -> Result<(), Error> {
    Rewrite {
        dst: Some(IpAddr::V4(address)),
        ..Rewrite::default()
    }
    .apply(frame, partial_checksum)
}

/// Replaces the source address of an IPv6 packet.
pub fn set_ipv6_src(
    frame: &mut [u8],
    address: Ipv6Addr,
    partial_checksum: bool,
) -> Result<(), Error> {
    Rewrite {
        src: Some(IpAddr::V6(address)),
        ..Rewrite::default()
    }
    .apply(frame, partial_checksum)
}

/// Replaces the destination address of an IPv6 packet.
pub fn set_ipv6_dst(
    frame: &mut [u8],
    address: Ipv6Addr,
    partial_checksum: bool,
) -> Result<(), Error> {
    Rewrite {
        dst: Some(IpAddr::V6(address)),
        ..Rewrite::default()
    }
    .apply(frame, partial_checksum)
}

/// Replaces the source port of a TCP or UDP packet.
pub fn set_src_port(frame: &mut [u8], port: u16, partial_checksum: bool) -> Result<(), Error> {
    Rewrite {
        src_port: Some(port),
        ..Rewrite::default()
    }
    .apply(frame, partial_checksum)
}

/// Replaces the destination port of a TCP or UDP packet.
pub fn set_dst_port(frame: &mut [u8], port: u16, partial_checksum: bool) -> Result<(), Error> {
    Rewrite {
        dst_port: Some(port),
        ..Rewrite::default()
    }
    .apply(frame, partial_checksum)
}

/// Takes one hop off the packet's TTL or hop limit and returns what is left. Fails, and changes nothing, when the
/// packet has no hop left to take.
pub fn decrement_ttl(frame: &mut [u8]) -> Result<u8, Error> {
    let ip = parse_ip(frame)?;
    take_hops(frame, &ip, 1)
}

/// Takes several hops off the TTL or hop limit of the packet in `frame`, of which `ip` is what parsing it gave, and
/// returns what is left. Fails, and changes nothing, when the packet has too few hops left.
pub fn take_hops(frame: &mut [u8], ip: &Ip, hops: u8) -> Result<u8, Error> {
    if ip.ttl <= hops {
        return Err(Error::TimeExceeded);
    }
    let left = ip.ttl - hops;
    let ipv4 = ip.is_ipv4();
    let packet = packet_mut(frame, ip)?;
    if ipv4 {
        if let (Some(old), Some(check)) = (get_u16(packet, 8), get_u16(packet, 10)) {
            let new = u16::from_be_bytes([left, old.to_be_bytes()[1]]);
            put_u16(packet, 8, new);
            put_u16(packet, 10, update_16(check, old, new));
        }
    } else if let Some(hop_limit) = packet.get_mut(7) {
        *hop_limit = left;
    }
    Ok(left)
}

fn parse_ip(frame: &[u8]) -> Result<Ip, Error> {
    let packet = Packet::parse(frame).map_err(Error::Malformed)?;
    packet.ip().copied().ok_or(Error::NotIp)
}

fn packet_mut<'a>(frame: &'a mut [u8], ip: &Ip) -> Result<&'a mut [u8], Error> {
    let range = ip.l3_offset..ip.l3_offset + ip.ip_len;
    frame
        .get_mut(range)
        .ok_or(Error::Malformed(Malformed::Truncated))
}

/// Where the fields of a packet are, from its IP header on. The packet may be a cut-off quote.
#[derive(Clone, Copy)]
struct Layout {
    ipv4: bool,
    protocol: u8,
    l4: usize,
    has_transport: bool,
}

impl Layout {
    fn of(packet: &[u8]) -> Result<Layout, Error> {
        let version = packet
            .first()
            .ok_or(Error::Malformed(Malformed::Truncated))?
            >> 4;
        if version == 4 {
            let header = Ipv4::parse(packet).map_err(Error::Malformed)?;
            return Ok(Layout {
                ipv4: true,
                protocol: header.protocol(),
                l4: header.header_len(),
                has_transport: header.fragment_offset() == 0,
            });
        }
        Ipv6::parse(packet).map_err(Error::Malformed)?;
        let chain = ipv6::walk(packet).map_err(Error::Malformed)?;
        Ok(Layout {
            ipv4: false,
            protocol: chain.protocol,
            l4: chain.offset,
            has_transport: chain.fragment.is_none_or(|fragment| fragment.offset == 0),
        })
    }

    /// Whether all that is asked for can be written.
    fn check(self, packet: &[u8], rewrite: &Rewrite) -> Result<(), Error> {
        let mut addresses = [rewrite.src, rewrite.dst].into_iter().flatten();
        if addresses.any(|address| address.is_ipv4() != self.ipv4) {
            return Err(Error::WrongFamily);
        }
        if rewrite.src_port.or(rewrite.dst_port).is_some()
            && !(self.has_ports() && packet.len() >= self.l4 + 4)
        {
            return Err(Error::NoPorts);
        }
        if rewrite.icmp_identifier.is_some() && !self.has_identifier(packet) {
            return Err(Error::NoIdentifier);
        }
        Ok(())
    }

    fn has_ports(self) -> bool {
        self.has_transport && matches!(self.protocol, protocol::TCP | protocol::UDP)
    }

    fn has_identifier(self, packet: &[u8]) -> bool {
        let Some(&icmp_type) = packet.get(self.l4) else {
            return false;
        };
        let long_enough = packet.len() >= self.l4 + icmp::HEADER_LEN;
        let query = match (self.protocol, self.ipv4) {
            (protocol::ICMP, true) => icmp::has_identifier(icmp_type),
            (protocol::ICMPV6, false) => icmpv6::has_identifier(icmp_type),
            _ => false,
        };
        self.has_transport && long_enough && query
    }

    fn rewrite(self, packet: &mut [u8], rewrite: &Rewrite, partial_checksum: bool) {
        let addresses = self.rewrite_addresses(packet, rewrite);
        if self.ipv4
            && let Some(check) = get_u16(packet, 10)
        {
            put_u16(packet, 10, addresses.apply(check));
        }
        if !self.has_transport {
            return;
        }
        let mut transport = Change::default();
        transport.put(packet, self.l4, rewrite.src_port);
        transport.put(packet, self.l4 + 2, rewrite.dst_port);
        transport.put(packet, self.l4 + 4, rewrite.icmp_identifier);

        let (at, covered) = match (self.protocol, self.ipv4) {
            (protocol::TCP, _) => (self.l4 + 16, addresses),
            (protocol::UDP, _) => (self.l4 + 6, addresses),
            (protocol::ICMPV6, false) => (self.l4 + 2, addresses),
            (protocol::ICMP, true) => (self.l4 + 2, Change::default()),
            _ => return,
        };
        let Some(check) = get_u16(packet, at) else {
            return;
        };
        if partial_checksum {
            put_u16(packet, at, !covered.apply(!check));
            return;
        }
        let udp = self.protocol == protocol::UDP;
        if udp && check == 0 {
            return;
        }
        let updated = transport.apply(covered.apply(check));
        put_u16(
            packet,
            at,
            if udp && updated == 0 { 0xffff } else { updated },
        );
    }

    fn rewrite_addresses(self, packet: &mut [u8], rewrite: &Rewrite) -> Change {
        let (src_at, dst_at) = if self.ipv4 { (12, 16) } else { (8, 24) };
        let mut change = Change::default();
        for (at, address) in [(src_at, rewrite.src), (dst_at, rewrite.dst)] {
            match address {
                Some(IpAddr::V4(address)) => change.put_bytes(packet, at, &address.octets()),
                Some(IpAddr::V6(address)) => change.put_bytes(packet, at, &address.octets()),
                None => {}
            }
        }
        change
    }
}

/// What a checksum must be told about bytes that changed.
#[derive(Clone, Copy, Default)]
struct Change {
    old: Sum,
    new: Sum,
}

impl Change {
    fn put(&mut self, packet: &mut [u8], at: usize, word: Option<u16>) {
        if let Some(word) = word {
            self.put_bytes(packet, at, &word.to_be_bytes());
        }
    }

    fn put_bytes(&mut self, packet: &mut [u8], at: usize, bytes: &[u8]) {
        if let Some(place) = packet.get_mut(at..at + bytes.len()) {
            self.old = self.old.bytes(place);
            self.new = self.new.bytes(bytes);
            place.copy_from_slice(bytes);
        }
    }

    fn apply(self, check: u16) -> u16 {
        update_16(check, self.old.folded(), self.new.folded())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Malformed(reason) => return fmt::Display::fmt(reason, f),
            Error::NotIp => "not an IP packet",
            Error::WrongFamily => "the address is not of the packet's family",
            Error::NoPorts => "the packet shows no ports",
            Error::NoIdentifier => "the packet shows no ICMP identifier",
            Error::NotIcmpError => "the packet is not an ICMP error",
            Error::Fragment => "the packet is a fragment",
            Error::TimeExceeded => "the packet has no hop left",
        })
    }
}

impl core::error::Error for Error {}
