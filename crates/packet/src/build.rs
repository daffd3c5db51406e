//! Builders of whole frames with right checksums, for a daemon's own packets and for tests.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{
    Kind, Mac, Packet,
    checksum::{self, put_u16},
    ethernet, icmp, icmpv6, ipv4, ipv6, protocol,
    rewrite::Error,
    tcp,
    udp::{self, Udp},
};

/// The Ethernet and IP headers of the frames to build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Source MAC address.
    pub src_mac: Mac,
    /// Destination MAC address.
    pub dst_mac: Mac,
    /// Time to live, hop limit. 64 unless set.
    pub ttl: u8,
    /// The IPv4 "don't fragment" flag. Unset unless set.
    pub dont_fragment: bool,
    /// The IPv4 identification. 0 unless set.
    pub identification: u16,
    /// Source and destination address.
    pub addresses: Addresses,
}

/// Source and destination address, of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// IPv4 source and destination.
    V4(Ipv4Addr, Ipv4Addr),
    /// IPv6 source and destination.
    V6(Ipv6Addr, Ipv6Addr),
}

impl Frame {
    /// An IPv4 frame from `src` to `dst`.
    pub fn v4(src_mac: Mac, dst_mac: Mac, src: Ipv4Addr, dst: Ipv4Addr) -> Frame {
        Frame::with(src_mac, dst_mac, Addresses::V4(src, dst))
    }

    /// An IPv6 frame from `src` to `dst`.
    pub fn v6(src_mac: Mac, dst_mac: Mac, src: Ipv6Addr, dst: Ipv6Addr) -> Frame {
        Frame::with(src_mac, dst_mac, Addresses::V6(src, dst))
    }

    /// A frame of the addresses' family; `None` when they are not of one family.
    pub fn new(src_mac: Mac, dst_mac: Mac, src: IpAddr, dst: IpAddr) -> Option<Frame> {
        match (src, dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => Some(Frame::v4(src_mac, dst_mac, src, dst)),
            (IpAddr::V6(src), IpAddr::V6(dst)) => Some(Frame::v6(src_mac, dst_mac, src, dst)),
            _ => None,
        }
    }

    fn with(src_mac: Mac, dst_mac: Mac, addresses: Addresses) -> Frame {
        Frame {
            src_mac,
            dst_mac,
            ttl: 64,
            dont_fragment: false,
            identification: 0,
            addresses,
        }
    }

    /// A TCP segment with sequence and acknowledgement number 0.
    pub fn tcp(&self, src_port: u16, dst_port: u16, flags: u8, payload: &[u8]) -> Vec<u8> {
        self.tcp_sequence(src_port, dst_port, flags, (0, 0), payload)
    }

    /// A TCP segment with the given (sequence, acknowledgement) numbers.
    pub fn tcp_sequence(
        &self,
        src_port: u16,
        dst_port: u16,
        flags: u8,
        (sequence, acknowledgement): (u32, u32),
        payload: &[u8],
    ) -> Vec<u8> {
        let mut header = [0; tcp::HEADER_LEN];
        header[0..2].copy_from_slice(&src_port.to_be_bytes());
        header[2..4].copy_from_slice(&dst_port.to_be_bytes());
        header[4..8].copy_from_slice(&sequence.to_be_bytes());
        header[8..12].copy_from_slice(&acknowledgement.to_be_bytes());
        header[12] = 5 << 4;
        header[13] = flags;
        header[14..16].copy_from_slice(&u16::MAX.to_be_bytes());
        self.packet(protocol::TCP, &header, payload)
    }

    /// A UDP datagram.
    pub fn udp(&self, src_port: u16, dst_port: u16, payload: &[u8]) -> Vec<u8> {
        let payload = self.fitting(udp::HEADER_LEN, payload);
        let mut header = [0; udp::HEADER_LEN];
        header[0..2].copy_from_slice(&src_port.to_be_bytes());
        header[2..4].copy_from_slice(&dst_port.to_be_bytes());
        let len = (udp::HEADER_LEN + payload.len()) as u16;
        header[4..6].copy_from_slice(&len.to_be_bytes());
        self.packet(protocol::UDP, &header, payload)
    }

    /// An echo request of the frame's family.
    pub fn echo_request(&self, identifier: u16, sequence: u16, payload: &[u8]) -> Vec<u8> {
        let icmp_type = match self.addresses {
            Addresses::V4(..) => icmp::ECHO_REQUEST,
            Addresses::V6(..) => icmpv6::ECHO_REQUEST,
        };
        self.icmp(icmp_type, 0, echo_word(identifier, sequence), payload)
    }

    /// An echo reply of the frame's family.
    pub fn echo_reply(&self, identifier: u16, sequence: u16, payload: &[u8]) -> Vec<u8> {
        let icmp_type = match self.addresses {
            Addresses::V4(..) => icmp::ECHO_REPLY,
            Addresses::V6(..) => icmpv6::ECHO_REPLY,
        };
        self.icmp(icmp_type, 0, echo_word(identifier, sequence), payload)
    }

    /// An ICMP or ICMPv6 message, after the frame's family; `word` is the second half of its header.
    pub fn icmp(&self, icmp_type: u8, code: u8, word: [u8; 4], body: &[u8]) -> Vec<u8> {
        let [a, b, c, d] = word;
        let header = [icmp_type, code, 0, 0, a, b, c, d];
        let protocol = match self.addresses {
            Addresses::V4(..) => protocol::ICMP,
            Addresses::V6(..) => protocol::ICMPV6,
        };
        self.packet(protocol, &header, body)
    }

    /// A packet of any protocol. A payload that does not fit into an IP packet is cut.
    pub fn packet(&self, protocol: u8, header: &[u8], payload: &[u8]) -> Vec<u8> {
        let payload = self.fitting(header.len(), payload);
        let transport_len = header.len() + payload.len();
        let mut frame = Vec::with_capacity(54 + transport_len);
        match self.addresses {
            Addresses::V4(src, dst) => {
                self.push_ethernet(&mut frame, protocol::ETHERTYPE_IPV4);
                frame.extend(self.ipv4_header(src, dst, protocol, transport_len));
            }
            Addresses::V6(src, dst) => {
                self.push_ethernet(&mut frame, protocol::ETHERTYPE_IPV6);
                frame.extend([0x60, 0, 0, 0]);
                frame.extend((transport_len as u16).to_be_bytes());
                frame.extend([protocol, self.ttl]);
                frame.extend(src.octets());
                frame.extend(dst.octets());
            }
        }
        frame.extend_from_slice(header);
        frame.extend_from_slice(payload);
        // A caller's own transport header need not be a right one; it is then sent as it is.
        let _ = finish_checksum(&mut frame);
        frame
    }

    fn push_ethernet(&self, frame: &mut Vec<u8>, ethertype: u16) {
        frame.extend(ethernet::header(self.dst_mac, self.src_mac, ethertype));
    }

    fn ipv4_header(
        &self,
        src: Ipv4Addr,
        dst: Ipv4Addr,
        protocol: u8,
        transport_len: usize,
    ) -> [u8; ipv4::HEADER_LEN] {
        let mut header = [0; ipv4::HEADER_LEN];
        header[0] = 0x45;
        let total_len = (ipv4::HEADER_LEN + transport_len) as u16;
        header[2..4].copy_from_slice(&total_len.to_be_bytes());
        header[4..6].copy_from_slice(&self.identification.to_be_bytes());
        header[6] = if self.dont_fragment { 0x40 } else { 0 };
        header[8] = self.ttl;
        header[9] = protocol;
        header[12..16].copy_from_slice(&src.octets());
        header[16..20].copy_from_slice(&dst.octets());
        ipv4::fill_checksum(&mut header);
        header
    }

    /// The part of the payload that an IP packet has room for.
    fn fitting<'a>(&self, header_len: usize, payload: &'a [u8]) -> &'a [u8] {
        let ip_header_len = match self.addresses {
            Addresses::V4(..) => ipv4::HEADER_LEN,
            Addresses::V6(..) => 0,
        };
        let room = usize::from(u16::MAX).saturating_sub(ip_header_len + header_len);
        payload.get(..room).unwrap_or(payload)
    }
}

/// Computes the transport checksum of a frame from scratch, whatever the field held before: the unfinished checksum of
/// a `NEEDS_CSUM` frame, or nothing. Leaves protocols without a known checksum alone.
pub fn finish_checksum(frame: &mut [u8]) -> Result<(), Error> {
    let packet = Packet::parse(frame).map_err(Error::Malformed)?;
    let Some(ip) = packet.ip() else {
        return Err(Error::NotIp);
    };
    if ip
        .fragment
        .is_some_and(|fragment| fragment.more || fragment.offset != 0)
    {
        return Err(Error::Fragment);
    }
    let mut len = ip.l3_offset + ip.ip_len - ip.l4_offset;
    let at = match (ip.protocol, packet.kind) {
        (protocol::TCP, _) => 16,
        (protocol::UDP, _) => 6,
        (protocol::ICMP, Kind::Ipv4(_)) | (protocol::ICMPV6, Kind::Ipv6(_)) => 2,
        _ => return Ok(()),
    };
    if ip.protocol == protocol::UDP {
        len = Udp::parse(ip.transport(frame))
            .map_err(Error::Malformed)?
            .len();
    }
    let Some(transport) = frame.get_mut(ip.l4_offset..ip.l4_offset + len) else {
        return Ok(());
    };
    put_u16(transport, at, 0);
    let sum = match ip.protocol {
        protocol::ICMP => checksum::Sum::new(),
        _ => checksum::pseudo_header(ip.src, ip.dst, ip.protocol, len),
    };
    let check = sum.bytes(transport).finish();
    let none = ip.protocol == protocol::UDP && check == 0;
    put_u16(transport, at, if none { 0xffff } else { check });
    Ok(())
}

/// Whether the transport checksum of a frame is right. True also where there is none to check: UDP over IPv4 without a
/// checksum, fragments, unknown protocols.
pub fn checksum_is_valid(frame: &[u8]) -> bool {
    let Ok(packet) = Packet::parse(frame) else {
        return false;
    };
    let Some(ip) = packet.ip() else { return true };
    if ip
        .fragment
        .is_some_and(|fragment| fragment.more || fragment.offset != 0)
    {
        return true;
    }
    let mut transport = ip.transport(frame);
    let sum = match (ip.protocol, packet.kind) {
        (protocol::ICMP, Kind::Ipv4(_)) => checksum::Sum::new(),
        (protocol::UDP, _) => {
            let Ok(udp) = Udp::parse(transport) else {
                return false;
            };
            if udp.checksum() == 0 {
                return ip.is_ipv4();
            }
            transport = transport.get(..udp.len()).unwrap_or(transport);
            checksum::pseudo_header(ip.src, ip.dst, ip.protocol, transport.len())
        }
        (protocol::TCP, _) | (protocol::ICMPV6, Kind::Ipv6(_)) => {
            checksum::pseudo_header(ip.src, ip.dst, ip.protocol, transport.len())
        }
        _ => return true,
    };
    sum.bytes(transport).finish() == 0
}

/// Turns a finished frame into one with an unfinished checksum, as a guest with checksum offload sends it.
pub fn unfinish_checksum(frame: &mut [u8]) -> Result<(), Error> {
    let packet = Packet::parse(frame).map_err(Error::Malformed)?;
    let Some(ip) = packet.ip() else {
        return Err(Error::NotIp);
    };
    let at = match ip.protocol {
        protocol::TCP => 16,
        protocol::UDP => 6,
        _ => return Err(Error::NoPorts),
    };
    if ip.fragment.is_some() {
        return Err(Error::Fragment);
    }
    let len = ip.l3_offset + ip.ip_len - ip.l4_offset;
    let sum = checksum::pseudo_header(ip.src, ip.dst, ip.protocol, len).folded();
    put_u16(frame, ip.l4_offset + at, sum);
    Ok(())
}

fn echo_word(identifier: u16, sequence: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (identifier.to_be_bytes(), sequence.to_be_bytes());
    [a, b, c, d]
}

const _: () = assert!(ethernet::HEADER_LEN + ipv6::HEADER_LEN == 54);
