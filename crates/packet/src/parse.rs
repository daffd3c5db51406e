//! The one-pass summary of a frame that a data plane decides by.

use core::{fmt, net::IpAddr};

use crate::{
    Mac,
    arp::Arp,
    ethernet::{self, Ethernet},
    icmp::{self, IcmpHeader},
    icmpv6,
    ipv4::Ipv4,
    ipv6::{self, Ipv6},
    protocol,
    tcp::Tcp,
    udp::{self, Udp},
};

/// A parsed frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Source MAC address.
    pub src_mac: Mac,
    /// Destination MAC address.
    pub dst_mac: Mac,
    /// What the frame carries.
    pub kind: Kind,
}

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// ARP.
    Arp(Arp),
    /// IPv4.
    Ipv4(Ip),
    /// IPv6.
    Ipv6(Ip),
    /// Another ethertype.
    Other(u16),
}

/// An IP packet of either family. Offsets count from the start of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ip {
    /// Source address.
    pub src: IpAddr,
    /// Destination address, of the same family.
    pub dst: IpAddr,
    /// Transport protocol: behind all IPv6 extension headers.
    pub protocol: u8,
    /// Where the IP header starts.
    pub l3_offset: usize,
    /// Where the transport header starts (in later fragments: the fragment's payload).
    pub l4_offset: usize,
    /// Where the payload of TCP, UDP or ICMP starts; `l4_offset` for other protocols and later fragments.
    pub payload_offset: usize,
    /// Length of the packet from the IP header on: IPv4 total length, IPv6 40 + payload length.
    pub ip_len: usize,
    /// Time to live, hop limit.
    pub ttl: u8,
    /// Type of service, traffic class.
    pub traffic_class: u8,
    /// True when routers must not fragment: the IPv4 flag, and always in IPv6.
    pub dont_fragment: bool,
    /// Set when the packet is a fragment.
    pub fragment: Option<Fragment>,
    /// TCP or UDP source port; 0 otherwise and in later fragments.
    pub src_port: u16,
    /// TCP or UDP destination port; 0 otherwise and in later fragments.
    pub dst_port: u16,
    /// TCP flags as in the header; 0 otherwise.
    pub tcp_flags: u8,
    /// Set for ICMP and ICMPv6, except in later fragments.
    pub icmp: Option<Icmp>,
}

/// The place of a fragment in its packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Offset of the payload, in bytes.
    pub offset: u16,
    /// True unless this is the last fragment.
    pub more: bool,
    /// Equal in all fragments of a packet.
    pub identification: u32,
}

/// The ICMP or ICMPv6 message of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icmp {
    /// Type.
    pub icmp_type: u8,
    /// Code.
    pub code: u8,
    /// Identifier of query messages such as echo; 0 otherwise.
    pub identifier: u16,
}

/// Why a frame cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Malformed {
    /// A header or the stated length runs past the end of the frame.
    Truncated,
    /// The IP version does not fit the ethertype.
    BadVersion,
    /// A header states a length below its minimum.
    BadHeaderLength,
    /// A length field contradicts the packet.
    BadLength,
    /// ARP for something else than IPv4 over Ethernet.
    BadArp,
    /// More IPv6 extension headers than any real packet has.
    TooManyExtensionHeaders,
}

impl Packet {
    /// Parses a frame. Bytes behind the stated IP length are padding; a shorter frame is malformed.
    #[inline]
    pub fn parse(frame: &[u8]) -> Result<Packet, Malformed> {
        let ethernet = Ethernet::parse(frame)?;
        let payload = frame.get(ethernet::HEADER_LEN..).unwrap_or_default();
        let kind = match ethernet.ethertype() {
            protocol::ETHERTYPE_IPV4 => Kind::Ipv4(parse_ipv4(payload)?),
            protocol::ETHERTYPE_IPV6 => Kind::Ipv6(parse_ipv6(payload)?),
            protocol::ETHERTYPE_ARP => Kind::Arp(Arp::parse(payload)?),
            other => Kind::Other(other),
        };
        Ok(Packet {
            src_mac: ethernet.src(),
            dst_mac: ethernet.dst(),
            kind,
        })
    }

    /// The IP packet of either family.
    pub fn ip(&self) -> Option<&Ip> {
        match &self.kind {
            Kind::Ipv4(ip) | Kind::Ipv6(ip) => Some(ip),
            Kind::Arp(_) | Kind::Other(_) => None,
        }
    }
}

impl Ip {
    /// True for IPv4.
    pub fn is_ipv4(&self) -> bool {
        self.src.is_ipv4()
    }

    /// True for a fragment that does not carry the transport header.
    pub fn is_later_fragment(&self) -> bool {
        self.fragment.is_some_and(|fragment| fragment.offset != 0)
    }

    /// Length of the IP and transport headers together, as [`crate::segment::segments`] wants it.
    pub fn header_len(&self) -> usize {
        self.payload_offset.saturating_sub(self.l3_offset)
    }

    /// True for an ICMP message that reports an error about a packet it quotes.
    pub fn is_icmp_error(&self) -> bool {
        self.icmp.is_some_and(|message| match self.protocol {
            protocol::ICMPV6 => icmpv6::is_error(message.icmp_type),
            _ => icmp::is_error(message.icmp_type),
        })
    }

    /// The packet inside the frame it was parsed from, from the transport header on and without padding.
    pub fn transport<'a>(&self, frame: &'a [u8]) -> &'a [u8] {
        frame
            .get(self.l4_offset..self.l3_offset + self.ip_len)
            .unwrap_or_default()
    }
}

#[inline]
fn parse_ipv4(bytes: &[u8]) -> Result<Ip, Malformed> {
    let header = Ipv4::parse(bytes)?;
    let ip_len = header.total_len();
    let transport = bytes
        .get(header.header_len()..ip_len)
        .ok_or(Malformed::Truncated)?;
    let l4_offset = ethernet::HEADER_LEN + header.header_len();
    let (offset, more) = (header.fragment_offset(), header.more_fragments());
    let identification = u32::from(header.identification());
    let mut ip = Ip {
        src: IpAddr::V4(header.src()),
        dst: IpAddr::V4(header.dst()),
        protocol: header.protocol(),
        l3_offset: ethernet::HEADER_LEN,
        l4_offset,
        payload_offset: l4_offset,
        ip_len,
        ttl: header.ttl(),
        traffic_class: header.tos(),
        dont_fragment: header.dont_fragment(),
        fragment: (offset != 0 || more).then_some(Fragment {
            offset,
            more,
            identification,
        }),
        src_port: 0,
        dst_port: 0,
        tcp_flags: 0,
        icmp: None,
    };
    parse_transport(&mut ip, transport)?;
    Ok(ip)
}

#[inline]
fn parse_ipv6(bytes: &[u8]) -> Result<Ip, Malformed> {
    let header = Ipv6::parse(bytes)?;
    let ip_len = ipv6::HEADER_LEN + header.payload_len();
    let packet = bytes.get(..ip_len).ok_or(Malformed::Truncated)?;
    let chain = ipv6::walk(packet)?;
    let transport = packet.get(chain.offset..).ok_or(Malformed::Truncated)?;
    let l4_offset = ethernet::HEADER_LEN + chain.offset;
    let mut ip = Ip {
        src: IpAddr::V6(header.src()),
        dst: IpAddr::V6(header.dst()),
        protocol: chain.protocol,
        l3_offset: ethernet::HEADER_LEN,
        l4_offset,
        payload_offset: l4_offset,
        ip_len,
        ttl: header.hop_limit(),
        traffic_class: header.traffic_class(),
        dont_fragment: true,
        fragment: chain.fragment,
        src_port: 0,
        dst_port: 0,
        tcp_flags: 0,
        icmp: None,
    };
    parse_transport(&mut ip, transport)?;
    Ok(ip)
}

#[inline]
fn parse_transport(ip: &mut Ip, transport: &[u8]) -> Result<(), Malformed> {
    if ip.is_later_fragment() {
        return Ok(());
    }
    match (ip.protocol, ip.is_ipv4()) {
        (protocol::TCP, _) => {
            let tcp = Tcp::parse(transport)?;
            (ip.src_port, ip.dst_port) = (tcp.src_port(), tcp.dst_port());
            ip.tcp_flags = tcp.flags();
            ip.payload_offset += tcp.header_len();
        }
        (protocol::UDP, _) => {
            let udp = Udp::parse(transport)?;
            let whole = ip.fragment.is_none_or(|fragment| !fragment.more);
            if udp.len() < udp::HEADER_LEN || (whole && udp.len() > transport.len()) {
                return Err(Malformed::BadLength);
            }
            (ip.src_port, ip.dst_port) = (udp.src_port(), udp.dst_port());
            ip.payload_offset += udp::HEADER_LEN;
        }
        (protocol::ICMP, true) | (protocol::ICMPV6, false) => {
            let header = IcmpHeader::parse(transport)?;
            let (icmp_type, code) = (header.icmp_type(), header.code());
            let has_identifier = match ip.protocol {
                protocol::ICMP => icmp::has_identifier(icmp_type),
                _ => icmpv6::has_identifier(icmp_type),
            };
            let identifier = if has_identifier {
                header.identifier()
            } else {
                0
            };
            ip.icmp = Some(Icmp {
                icmp_type,
                code,
                identifier,
            });
            ip.payload_offset += icmp::HEADER_LEN;
        }
        _ => {}
    }
    Ok(())
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Malformed::Truncated => "truncated",
            Malformed::BadVersion => "IP version does not fit the ethertype",
            Malformed::BadHeaderLength => "header length below the minimum",
            Malformed::BadLength => "length field contradicts the packet",
            Malformed::BadArp => "ARP is not for IPv4 over Ethernet",
            Malformed::TooManyExtensionHeaders => "too many IPv6 extension headers",
        })
    }
}

impl core::error::Error for Malformed {}
