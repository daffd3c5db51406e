//! Packets as the model sees them, and who sends and gets them.

use std::fmt;
use std::net::IpAddr;

use model::NetworkInterfaceId;
use packet::build::Frame;
use packet::{Mac, Packet, icmp, icmpv6, protocol, tcp};

/// A packet: what decides about where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// IANA number.
    pub protocol: u8,
    /// Source port of TCP and UDP, identifier of an echo; else 0.
    pub src_port: u16,
    /// Destination port of TCP and UDP, identifier of an echo; else 0.
    pub dst_port: u16,
    /// Type of an ICMP message; else 0.
    pub icmp_type: u8,
    /// TCP flags; else 0.
    pub tcp_flags: u8,
}

/// Who sends or gets a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// A network interface.
    Interface(NetworkInterfaceId),
    /// A host on the internet.
    Host(IpAddr),
}

/// To whom a sender's frame is addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hop {
    /// The router of its network.
    Router,
    /// Another interface of its subnet.
    Neighbour(NetworkInterfaceId),
}

impl Segment {
    /// What a frame carries. `None` if that is no IP packet.
    pub fn of_frame(frame: &[u8]) -> Option<Self> {
        let parsed = Packet::parse(frame).ok()?;
        let ip = parsed.ip()?;
        let identifier = ip.icmp.map(|icmp| icmp.identifier);
        Some(Self {
            src: ip.src,
            dst: ip.dst,
            protocol: ip.protocol,
            src_port: identifier.unwrap_or(ip.src_port),
            dst_port: identifier.unwrap_or(ip.dst_port),
            icmp_type: ip.icmp.map_or(0, |icmp| icmp.icmp_type),
            tcp_flags: ip.tcp_flags,
        })
    }

    /// The frame. `None` if the addresses are of two families.
    pub fn frame(&self, src_mac: Mac, dst_mac: Mac) -> Option<Vec<u8>> {
        let headers = Frame::new(src_mac, dst_mac, self.src, self.dst)?;
        let [high, low] = self.src_port.to_be_bytes();
        Some(match self.protocol {
            protocol::TCP => headers.tcp(self.src_port, self.dst_port, self.tcp_flags, b"data"),
            protocol::UDP => headers.udp(self.src_port, self.dst_port, b"data"),
            protocol::ICMP | protocol::ICMPV6 => {
                headers.icmp(self.icmp_type, 0, [high, low, 0, 1], b"data")
            }
            other => headers.packet(other, &[], b"data"),
        })
    }

    /// Whether it is the answer to an echo.
    pub fn is_echo_reply(&self) -> bool {
        match self.protocol {
            protocol::ICMP => self.icmp_type == icmp::ECHO_REPLY,
            protocol::ICMPV6 => self.icmp_type == icmpv6::ECHO_REPLY,
            _ => false,
        }
    }

    /// Whether it carries all of these TCP flags.
    pub fn has(&self, flags: u8) -> bool {
        self.tcp_flags & flags == flags
    }

    /// Whether it asks for a TCP connection.
    pub fn opens(&self) -> bool {
        self.tcp_flags & (tcp::SYN | tcp::ACK | tcp::RST) == tcp::SYN
    }

    /// The same with another source.
    #[must_use]
    pub fn from(self, src: IpAddr, src_port: u16) -> Self {
        let dst_port = if self.is_echo() {
            src_port
        } else {
            self.dst_port
        };
        Self {
            src,
            src_port,
            dst_port,
            ..self
        }
    }

    /// The same with another destination.
    #[must_use]
    pub fn to(self, dst: IpAddr, dst_port: u16) -> Self {
        let src_port = if self.is_echo() {
            dst_port
        } else {
            self.src_port
        };
        Self {
            dst,
            dst_port,
            src_port,
            ..self
        }
    }

    fn is_echo(&self) -> bool {
        matches!(self.protocol, protocol::ICMP | protocol::ICMPV6)
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "protocol {} {} port {} > {} port {} flags {:#x} type {}",
            self.protocol,
            self.src,
            self.src_port,
            self.dst,
            self.dst_port,
            self.tcp_flags,
            self.icmp_type
        )
    }
}
