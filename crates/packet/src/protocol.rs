//! Protocol numbers: ethertypes, and the IPv4 protocol / IPv6 next header values of the IANA registry.

/// Ethertype of IPv4.
pub const ETHERTYPE_IPV4: u16 = 0x0800;
/// Ethertype of ARP.
pub const ETHERTYPE_ARP: u16 = 0x0806;
/// Ethertype of IPv6.
pub const ETHERTYPE_IPV6: u16 = 0x86dd;

/// IPv6 hop-by-hop options.
pub const HOP_BY_HOP: u8 = 0;
/// ICMP for IPv4.
pub const ICMP: u8 = 1;
/// Transmission Control Protocol.
pub const TCP: u8 = 6;
/// User Datagram Protocol.
pub const UDP: u8 = 17;
/// IPv6 routing header.
pub const ROUTING: u8 = 43;
/// IPv6 fragment header.
pub const FRAGMENT: u8 = 44;
/// ICMP for IPv6.
pub const ICMPV6: u8 = 58;
/// IPv6 "no next header".
pub const NO_NEXT_HEADER: u8 = 59;
/// IPv6 destination options.
pub const DESTINATION_OPTIONS: u8 = 60;

/// The name of a protocol as tcpdump writes it, where this crate knows one.
pub fn name(protocol: u8) -> Option<&'static str> {
    Some(match protocol {
        HOP_BY_HOP => "hop-by-hop",
        ICMP => "icmp",
        TCP => "tcp",
        UDP => "udp",
        ROUTING => "routing",
        FRAGMENT => "fragment",
        ICMPV6 => "icmp6",
        DESTINATION_OPTIONS => "destination-options",
        2 => "igmp",
        47 => "gre",
        50 => "esp",
        51 => "ah",
        132 => "sctp",
        _ => return None,
    })
}
