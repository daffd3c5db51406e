//! ICMP and ICMPv6 errors about an offending frame (RFC 792, RFC 1122 section 3.2.2, RFC 1812 section 4.3.2, RFC 4443).

use alloc::vec::Vec;
use core::{fmt, net::IpAddr};

use crate::{Ip, Mac, Malformed, Packet, build::Frame, icmp, icmpv6};

/// Longest ICMPv4 error, from its IP header on (RFC 1812 section 4.3.2.3).
pub const IPV4_LEN_MAX: usize = 576;
/// Longest ICMPv6 error, from its IP header on: the minimum IPv6 MTU (RFC 4443 section 3.1).
pub const IPV6_LEN_MAX: usize = 1280;

/// What is wrong with the offending frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IcmpError {
    /// No route leads to the destination.
    NetworkUnreachable,
    /// The destination does not answer.
    HostUnreachable,
    /// Nothing listens on the destination port.
    PortUnreachable,
    /// A filter forbids the packet.
    Prohibited,
    /// The packet is too long for the next hop and must not be fragmented.
    TooBig {
        /// MTU of the next hop.
        mtu: u32,
    },
    /// The hop count ran out.
    TimeExceeded,
}

/// Why no error is sent about a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suppressed {
    /// The frame does not parse.
    Malformed(Malformed),
    /// The frame is not IP.
    NotIp,
    /// The sending router has no address of the packet's family.
    WrongFamily,
    /// The packet is an ICMP error itself.
    AboutIcmpError,
    /// The packet is a fragment, and not the first.
    LaterFragment,
    /// The packet was sent to a group.
    GroupDestination,
    /// The source address does not name one host.
    NoSingleSource,
}

/// Writes the frame that tells the sender of `offending` about `error` into `out`, replacing what it held. The error
/// comes from the router `from` / `from_mac` and goes back to the MAC address the frame came from.
pub fn icmp_error(
    offending: &[u8],
    error: IcmpError,
    from: IpAddr,
    from_mac: Mac,
    out: &mut Vec<u8>,
) -> Result<(), Suppressed> {
    out.clear();
    let packet = Packet::parse(offending).map_err(Suppressed::Malformed)?;
    let ip = packet.ip().ok_or(Suppressed::NotIp)?;
    check(&packet, ip, error)?;
    let frame =
        Frame::new(from_mac, packet.src_mac, from, ip.src).ok_or(Suppressed::WrongFamily)?;
    let ((icmp_type, code, word), room) = match ip.is_ipv4() {
        true => (ipv4_header(error), IPV4_LEN_MAX - 28),
        false => (ipv6_header(error), IPV6_LEN_MAX - 48),
    };
    let end = ip.l3_offset + ip.ip_len.min(room);
    let quote = offending.get(ip.l3_offset..end).unwrap_or_default();
    *out = frame.icmp(icmp_type, code, word, quote);
    Ok(())
}

fn check(packet: &Packet, ip: &Ip, error: IcmpError) -> Result<(), Suppressed> {
    if ip.is_icmp_error() {
        return Err(Suppressed::AboutIcmpError);
    }
    if ip.is_later_fragment() {
        return Err(Suppressed::LaterFragment);
    }
    // RFC 4443 section 2.4 (e.3): path MTU discovery works for IPv6 multicast too.
    let multicast_path_mtu = !ip.is_ipv4() && matches!(error, IcmpError::TooBig { .. });
    let group = ip.dst.is_multicast() || is_broadcast(ip.dst) || packet.dst_mac.is_multicast();
    if group && !multicast_path_mtu {
        return Err(Suppressed::GroupDestination);
    }
    let src = ip.src;
    if src.is_unspecified() || src.is_loopback() || src.is_multicast() || is_broadcast(src) {
        return Err(Suppressed::NoSingleSource);
    }
    Ok(())
}

fn is_broadcast(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(address) if address.is_broadcast())
}

fn ipv4_header(error: IcmpError) -> (u8, u8, [u8; 4]) {
    let unreachable = icmp::DESTINATION_UNREACHABLE;
    match error {
        IcmpError::NetworkUnreachable => (unreachable, icmp::CODE_NETWORK, [0; 4]),
        IcmpError::HostUnreachable => (unreachable, icmp::CODE_HOST, [0; 4]),
        IcmpError::PortUnreachable => (unreachable, icmp::CODE_PORT, [0; 4]),
        IcmpError::Prohibited => (unreachable, icmp::CODE_PROHIBITED, [0; 4]),
        IcmpError::TooBig { mtu } => {
            let [high, low] = u16::try_from(mtu).unwrap_or(u16::MAX).to_be_bytes();
            (
                unreachable,
                icmp::CODE_FRAGMENTATION_NEEDED,
                [0, 0, high, low],
            )
        }
        IcmpError::TimeExceeded => (icmp::TIME_EXCEEDED, 0, [0; 4]),
    }
}

fn ipv6_header(error: IcmpError) -> (u8, u8, [u8; 4]) {
    let unreachable = icmpv6::DESTINATION_UNREACHABLE;
    match error {
        IcmpError::NetworkUnreachable => (unreachable, icmpv6::CODE_NO_ROUTE, [0; 4]),
        IcmpError::HostUnreachable => (unreachable, icmpv6::CODE_ADDRESS, [0; 4]),
        IcmpError::PortUnreachable => (unreachable, icmpv6::CODE_PORT, [0; 4]),
        IcmpError::Prohibited => (unreachable, icmpv6::CODE_PROHIBITED, [0; 4]),
        IcmpError::TooBig { mtu } => (icmpv6::PACKET_TOO_BIG, 0, mtu.to_be_bytes()),
        IcmpError::TimeExceeded => (icmpv6::TIME_EXCEEDED, 0, [0; 4]),
    }
}

impl fmt::Display for Suppressed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Suppressed::Malformed(reason) => return fmt::Display::fmt(reason, f),
            Suppressed::NotIp => "not an IP packet",
            Suppressed::WrongFamily => "the router has no address of the packet's family",
            Suppressed::AboutIcmpError => "no ICMP error about an ICMP error",
            Suppressed::LaterFragment => "no ICMP error about a later fragment",
            Suppressed::GroupDestination => "no ICMP error about a packet to a group",
            Suppressed::NoSingleSource => "the source is not a single host",
        })
    }
}

impl core::error::Error for Suppressed {}
