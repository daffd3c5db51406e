//! One side of an IPv4 packet replaced: what NAT does to most packets, without the generality of [`crate::rewrite`].

use core::net::Ipv4Addr;

use crate::checksum::{get_u16, put_u16};
use crate::{Ip, protocol};

/// Which side of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Its source.
    Source,
    /// Its destination.
    Destination,
}

/// A new address, and perhaps port, for one side of an IPv4 packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Which side.
    pub side: Side,
    /// The address.
    pub address: Ipv4Addr,
    /// The port of TCP and UDP, or the identifier of an ICMP query; `None` keeps it.
    pub port: Option<u16>,
    /// How many hops to take off the packet, which must have more.
    pub hops: u8,
}

impl Endpoint {
    /// Rewrites the packet in `frame`, of which `ip` is what parsing it gave: TCP, UDP or an ICMP query over IPv4, with its
    /// transport header. `partial_checksum` says that the transport checksum is unfinished. `false`, with the frame as it
    /// was, if it is none of that.
    #[inline]
    pub fn apply(self, frame: &mut [u8], ip: &Ip, partial_checksum: bool) -> bool {
        let l4 = ip.l4_offset - ip.l3_offset;
        let (check_at, source_at, destination_at, covers_addresses) = match ip.protocol {
            protocol::TCP => (l4 + 16, l4, l4 + 2, true),
            protocol::UDP => (l4 + 6, l4, l4 + 2, true),
            protocol::ICMP => (l4 + 2, l4 + 4, l4 + 4, false),
            _ => return false,
        };
        let (address_at, port_at) = match self.side {
            Side::Source => (12, source_at),
            Side::Destination => (16, destination_at),
        };
        let Some(packet) = frame.get_mut(ip.l3_offset..ip.l3_offset + ip.ip_len) else {
            return false;
        };
        if !ip.is_ipv4() || ip.ttl <= self.hops || packet.len() < check_at.max(port_at) + 2 {
            return false;
        }
        let [a, b, c, d] = self.address.octets();
        let address = replace(packet, address_at, u16::from_be_bytes([a, b]))
            + replace(packet, address_at + 2, u16::from_be_bytes([c, d]));
        let hops = u16::from_be_bytes([ip.ttl - self.hops, ip.protocol]);
        let header = address + replace(packet, 8, hops);
        correct(packet, 10, header);
        let port = self.port.map_or(0, |port| replace(packet, port_at, port));
        let addresses = if covers_addresses { address } else { 0 };
        if partial_checksum {
            // The field holds the sum itself, not its complement, and the port is not in it.
            let sum = u32::from(get_u16(packet, check_at).unwrap_or_default());
            put_u16(packet, check_at, fold(sum + addresses));
        } else if ip.protocol != protocol::UDP {
            correct(packet, check_at, addresses + port);
        } else if get_u16(packet, check_at) != Some(0) {
            correct(packet, check_at, addresses + port);
            if get_u16(packet, check_at) == Some(0) {
                put_u16(packet, check_at, 0xffff);
            }
        }
        true
    }
}

/// Puts a word in place of another; what a sum of all words grows by, in ones' complement.
#[inline]
fn replace(packet: &mut [u8], at: usize, new: u16) -> u32 {
    let old = get_u16(packet, at).unwrap_or_default();
    put_u16(packet, at, new);
    u32::from(!old) + u32::from(new)
}

/// Corrects a checksum after the words that it covers have grown.
#[inline]
fn correct(packet: &mut [u8], at: usize, growth: u32) {
    let sum = u32::from(!get_u16(packet, at).unwrap_or_default());
    put_u16(packet, at, !fold(sum + growth));
}

#[inline]
fn fold(sum: u32) -> u16 {
    let once = (sum & 0xffff) + (sum >> 16);
    ((once & 0xffff) + (once >> 16)) as u16
}
