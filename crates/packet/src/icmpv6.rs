//! ICMPv6 (RFC 4443): types and codes. The header has the shape of [`crate::icmp::IcmpHeader`].

/// Destination unreachable.
pub const DESTINATION_UNREACHABLE: u8 = 1;
/// Packet too big.
pub const PACKET_TOO_BIG: u8 = 2;
/// Time exceeded.
pub const TIME_EXCEEDED: u8 = 3;
/// Parameter problem.
pub const PARAMETER_PROBLEM: u8 = 4;
/// Echo request.
pub const ECHO_REQUEST: u8 = 128;
/// Echo reply.
pub const ECHO_REPLY: u8 = 129;
/// Router solicitation.
pub const ROUTER_SOLICITATION: u8 = 133;
/// Router advertisement.
pub const ROUTER_ADVERTISEMENT: u8 = 134;
/// Neighbour solicitation.
pub const NEIGHBOUR_SOLICITATION: u8 = 135;
/// Neighbour advertisement.
pub const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
/// Redirect.
pub const REDIRECT: u8 = 137;

/// Destination unreachable: no route.
pub const CODE_NO_ROUTE: u8 = 0;
/// Destination unreachable: communication administratively prohibited.
pub const CODE_PROHIBITED: u8 = 1;
/// Destination unreachable: address.
pub const CODE_ADDRESS: u8 = 3;
/// Destination unreachable: port.
pub const CODE_PORT: u8 = 4;

/// True for the types that report an error about another packet, which they quote.
pub fn is_error(icmp_type: u8) -> bool {
    icmp_type < 128
}

/// True for the types that carry an identifier: echo.
pub fn has_identifier(icmp_type: u8) -> bool {
    matches!(icmp_type, ECHO_REQUEST | ECHO_REPLY)
}

/// True for router and neighbour discovery, which never leaves a link.
pub fn is_neighbour_discovery(icmp_type: u8) -> bool {
    (ROUTER_SOLICITATION..=REDIRECT).contains(&icmp_type)
}
