//! The TCP reset that answers a connection which nobody knows (RFC 9293 section 3.10.7.1).

use alloc::vec::Vec;

use crate::{Ip, Mac, build::Frame, ethernet::Ethernet, protocol, tcp, tcp::Tcp};

/// The frame that answers the TCP packet in `offending`, of which `ip` is what parsing it gave. It seems to come from
/// the packet's destination, and goes from the router `from_mac` back to the MAC address that the frame came from. `None`
/// for what is not TCP, is not the beginning of a packet, or is a reset itself.
pub fn reset(offending: &[u8], ip: &Ip, from_mac: Mac) -> Option<Vec<u8>> {
    if ip.protocol != protocol::TCP || ip.is_later_fragment() || ip.tcp_flags & tcp::RST != 0 {
        return None;
    }
    let header = Tcp::parse(ip.transport(offending)).ok()?;
    let to_mac = Ethernet::parse(offending).ok()?.src();
    let frame = Frame::new(from_mac, to_mac, ip.dst, ip.src)?;
    let (flags, numbers) = if header.flags() & tcp::ACK != 0 {
        (tcp::RST, (header.acknowledgement(), 0))
    } else {
        let payload = ip.ip_len.saturating_sub(ip.header_len()) as u32;
        let controls = (header.flags() & (tcp::SYN | tcp::FIN)).count_ones();
        let next = header.sequence().wrapping_add(payload + controls);
        (tcp::RST | tcp::ACK, (0, next))
    };
    Some(frame.tcp_sequence(header.dst_port(), header.src_port(), flags, numbers, &[]))
}
