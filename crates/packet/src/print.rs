//! One line per frame, in the manner of tcpdump.

use core::{fmt, net::IpAddr};

use crate::{
    Icmp, Ip, Kind, Packet,
    arp::{Arp, Operation},
    icmp, icmpv6, protocol, tcp,
};

/// Displays a frame as one line.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a>(pub &'a [u8]);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Packet::parse(self.0) {
            Ok(packet) => fmt::Display::fmt(&packet, f),
            Err(reason) => write!(f, "malformed ({reason}), length {}", self.0.len()),
        }
    }
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Arp(arp) => fmt::Display::fmt(arp, f),
            Kind::Ipv4(ip) | Kind::Ipv6(ip) => fmt::Display::fmt(ip, f),
            Kind::Other(ethertype) => {
                write!(
                    f,
                    "{} > {}, ethertype {ethertype:#06x}",
                    self.src_mac, self.dst_mac
                )
            }
        }
    }
}

impl fmt::Display for Arp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.operation {
            Operation::Request => {
                write!(
                    f,
                    "ARP, request who-has {} tell {}",
                    self.target, self.sender
                )
            }
            Operation::Reply => write!(f, "ARP, reply {} is-at {}", self.sender, self.sender_mac),
            Operation::Other(operation) => write!(f, "ARP, operation {operation}"),
        }
    }
}

impl fmt::Display for Ip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_ipv4() { "IP " } else { "IP6 " })?;
        write_end(f, self.src, self.src_port)?;
        f.write_str(" > ")?;
        write_end(f, self.dst, self.dst_port)?;
        f.write_str(": ")?;
        match protocol::name(self.protocol) {
            Some(name) => f.write_str(name)?,
            None => write!(f, "protocol {}", self.protocol)?,
        }
        if self.protocol == protocol::TCP && !self.is_later_fragment() {
            f.write_str(" [")?;
            write_flags(f, self.tcp_flags)?;
            f.write_str("]")?;
        }
        if let Some(message) = &self.icmp {
            write_icmp(f, self.is_ipv4(), message)?;
        }
        if let Some(fragment) = &self.fragment {
            let more = if fragment.more { "+" } else { "" };
            write!(
                f,
                ", fragment {}@{}{more}",
                fragment.identification, fragment.offset
            )?;
        }
        let end = self.l3_offset + self.ip_len;
        write!(f, ", length {}", end.saturating_sub(self.payload_offset))
    }
}

fn write_end(f: &mut fmt::Formatter<'_>, address: IpAddr, port: u16) -> fmt::Result {
    if port == 0 {
        write!(f, "{address}")
    } else {
        write!(f, "{address}.{port}")
    }
}

fn write_flags(f: &mut fmt::Formatter<'_>, flags: u8) -> fmt::Result {
    let letters = [
        (tcp::FIN, "F"),
        (tcp::SYN, "S"),
        (tcp::RST, "R"),
        (tcp::PSH, "P"),
        (tcp::ACK, "."),
        (tcp::URG, "U"),
        (0x40, "E"),
        (0x80, "W"),
    ];
    if flags == 0 {
        return f.write_str("none");
    }
    letters
        .iter()
        .filter(|(flag, _)| flags & flag != 0)
        .try_for_each(|(_, text)| f.write_str(text))
}

fn write_icmp(f: &mut fmt::Formatter<'_>, ipv4: bool, message: &Icmp) -> fmt::Result {
    let Icmp {
        icmp_type,
        code,
        identifier,
    } = *message;
    let name = if ipv4 {
        icmp_name(icmp_type)
    } else {
        icmpv6_name(icmp_type)
    };
    match name {
        Some(name) => write!(f, " {name}")?,
        None => write!(f, " type {icmp_type}")?,
    }
    if code != 0 {
        write!(f, " code {code}")?;
    }
    let has_identifier = if ipv4 {
        icmp::has_identifier(icmp_type)
    } else {
        icmpv6::has_identifier(icmp_type)
    };
    if has_identifier {
        write!(f, ", id {identifier}")
    } else {
        Ok(())
    }
}

fn icmp_name(icmp_type: u8) -> Option<&'static str> {
    Some(match icmp_type {
        icmp::ECHO_REPLY => "echo reply",
        icmp::ECHO_REQUEST => "echo request",
        icmp::DESTINATION_UNREACHABLE => "destination unreachable",
        icmp::REDIRECT => "redirect",
        icmp::TIME_EXCEEDED => "time exceeded",
        icmp::PARAMETER_PROBLEM => "parameter problem",
        _ => return None,
    })
}

fn icmpv6_name(icmp_type: u8) -> Option<&'static str> {
    Some(match icmp_type {
        icmpv6::ECHO_REQUEST => "echo request",
        icmpv6::ECHO_REPLY => "echo reply",
        icmpv6::DESTINATION_UNREACHABLE => "destination unreachable",
        icmpv6::PACKET_TOO_BIG => "packet too big",
        icmpv6::TIME_EXCEEDED => "time exceeded",
        icmpv6::PARAMETER_PROBLEM => "parameter problem",
        icmpv6::ROUTER_SOLICITATION => "router solicitation",
        icmpv6::ROUTER_ADVERTISEMENT => "router advertisement",
        icmpv6::NEIGHBOUR_SOLICITATION => "neighbour solicitation",
        icmpv6::NEIGHBOUR_ADVERTISEMENT => "neighbour advertisement",
        _ => return None,
    })
}
