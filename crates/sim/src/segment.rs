//! Packets as the model sees them, and who sends and gets them.

use std::fmt;
use std::net::IpAddr;

use model::NetworkInterfaceId;
use packet::build::Frame;
use packet::{Mac, Packet, icmp, icmpv6, ipv6, protocol, tcp};

use crate::Asked;

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
    /// Of an ICMP error, what it is about.
    pub quoted: Option<Quoted>,
    /// Which part of a packet it is, if it is not a whole one.
    pub fragment: Option<Fragment>,
}

/// What an ICMP error tells of the packet that it is about, in the words of [`Segment`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of a segment")]
pub struct Quoted {
    pub src: IpAddr,
    pub dst: IpAddr,
    pub protocol: u8,
    pub src_port: u16,
    pub dst_port: u16,
    pub icmp_type: u8,
}

/// A part of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Equal in all parts of a packet.
    pub identification: u16,
    /// Whether it is another than the first, which has the ports.
    pub later: bool,
    /// Whether the ports are known, from the first part too.
    pub known: bool,
}

/// Who sends or gets a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// A network interface.
    Interface(NetworkInterfaceId),
    /// A host on the internet.
    Host(IpAddr),
    /// A service of AWS, in the hands of one who asks: its packets have the addresses that this one knows.
    Service(Asked),
}

/// To whom a sender's frame is addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hop {
    /// The router of its network.
    Router,
    /// Another interface of its subnet.
    Neighbour(NetworkInterfaceId),
}

const ETHERNET_LEN: usize = packet::ethernet::HEADER_LEN;
/// Room for every header, and a multiple of eight.
const FRAGMENT_LEN: usize = 24;

/// Reads the packet that an error is about.
fn quoted(bytes: &[u8], ipv4: bool) -> Option<Quoted> {
    let ethertype = match ipv4 {
        true => protocol::ETHERTYPE_IPV4,
        false => protocol::ETHERTYPE_IPV6,
    };
    let mut frame = packet::ethernet::header(Mac::default(), Mac::default(), ethertype).to_vec();
    frame.extend_from_slice(bytes);
    Some(Segment::of_frame(&frame)?.as_quoted())
}

impl Segment {
    /// What a frame carries. `None` if that is no IP packet.
    pub fn of_frame(frame: &[u8]) -> Option<Self> {
        let parsed = Packet::parse(frame).ok()?;
        let ip = parsed.ip()?;
        let identifier = ip.icmp.map(|icmp| icmp.identifier);
        let quoted = match ip.is_icmp_error() {
            true => Some(quoted(frame.get(ip.payload_offset..)?, ip.is_ipv4())?),
            false => None,
        };
        Some(Self {
            src: ip.src,
            dst: ip.dst,
            protocol: ip.protocol,
            src_port: identifier.unwrap_or(ip.src_port),
            dst_port: identifier.unwrap_or(ip.dst_port),
            icmp_type: ip.icmp.map_or(0, |icmp| icmp.icmp_type),
            tcp_flags: ip.tcp_flags,
            quoted,
            fragment: ip.fragment.map(|fragment| Fragment {
                identification: fragment.identification as u16,
                later: fragment.offset > 0,
                known: fragment.offset == 0,
            }),
        })
    }

    /// The frame. `None` if the addresses are of two families.
    pub fn frame(&self, src_mac: Mac, dst_mac: Mac) -> Option<Vec<u8>> {
        let mut headers = Frame::new(src_mac, dst_mac, self.src, self.dst)?;
        let Some(fragment) = self.fragment else {
            return self.whole(headers, b"data");
        };
        headers.identification = fragment.identification;
        let whole = self.whole(headers, &[0; 3 * FRAGMENT_LEN])?;
        if self.src.is_ipv6() {
            return self.part_v6(headers, fragment, &whole);
        }
        let mut parts = Vec::new();
        let mtu = packet::ipv4::HEADER_LEN + FRAGMENT_LEN;
        packet::fragment::fragment_ipv4(&whole, mtu, false, &mut parts).ok()?;
        parts.into_iter().nth(usize::from(fragment.later))
    }

    /// A part of an IPv6 packet, as its sender makes it (RFC 8200).
    fn part_v6(&self, headers: Frame, fragment: Fragment, whole: &[u8]) -> Option<Vec<u8>> {
        const MORE: u8 = 1;
        let at = if fragment.later { FRAGMENT_LEN } else { 0 };
        let payload = whole.get(ETHERNET_LEN + ipv6::HEADER_LEN..)?;
        let [high, low] = fragment.identification.to_be_bytes();
        let header = [self.protocol, 0, 0, at as u8 | MORE, 0, 0, high, low];
        Some(headers.packet(
            protocol::FRAGMENT,
            &header,
            payload.get(at..at + FRAGMENT_LEN)?,
        ))
    }

    fn whole(&self, headers: Frame, payload: &[u8]) -> Option<Vec<u8>> {
        let [high, low] = self.src_port.to_be_bytes();
        Some(match (self.protocol, self.quote()) {
            (protocol::ICMP | protocol::ICMPV6, Some(quote)) => {
                let about = quote.frame(headers.src_mac, headers.dst_mac)?;
                headers.icmp(self.icmp_type, 0, [0; 4], about.get(ETHERNET_LEN..)?)
            }
            (protocol::TCP, _) => {
                headers.tcp(self.src_port, self.dst_port, self.tcp_flags, payload)
            }
            (protocol::UDP, _) => headers.udp(self.src_port, self.dst_port, payload),
            (protocol::ICMP | protocol::ICMPV6, None) => {
                headers.icmp(self.icmp_type, 0, [high, low, 0, 1], payload)
            }
            (other, _) => headers.packet(other, &[], payload),
        })
    }

    /// The packet that an error is about.
    pub fn quote(&self) -> Option<Self> {
        let quoted = self.quoted?;
        Some(Self {
            src: quoted.src,
            dst: quoted.dst,
            protocol: quoted.protocol,
            src_port: quoted.src_port,
            dst_port: quoted.dst_port,
            icmp_type: quoted.icmp_type,
            tcp_flags: 0,
            quoted: None,
            fragment: None,
        })
    }

    /// What an error about this packet quotes.
    pub fn as_quoted(&self) -> Quoted {
        Quoted {
            src: self.src,
            dst: self.dst,
            protocol: self.protocol,
            src_port: self.src_port,
            dst_port: self.dst_port,
            icmp_type: self.icmp_type,
        }
    }

    /// Whether ports or ICMP type cannot be told, because the first fragment is not known.
    pub fn lacks_ports(&self) -> bool {
        self.fragment.is_some_and(|fragment| !fragment.known)
    }

    /// As a receiver sees it: later fragments have no ports.
    #[must_use]
    pub fn on_the_wire(self) -> Self {
        match self.fragment {
            Some(fragment) if fragment.later => Self {
                src_port: 0,
                dst_port: 0,
                icmp_type: 0,
                tcp_flags: 0,
                fragment: Some(Fragment {
                    known: false,
                    ..fragment
                }),
                ..self
            },
            _ => self,
        }
    }

    /// Whether it is the answer to an echo.
    pub fn is_echo_reply(&self) -> bool {
        match self.protocol {
            _ if self.lacks_ports() => false,
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

    /// The same with another source; of an error, what it is about had that as destination.
    #[must_use]
    pub fn from(self, src: IpAddr, src_port: u16) -> Self {
        if let Some(quote) = self.quote() {
            let quoted = Some(quote.to(src, src_port).as_quoted());
            return Self {
                src,
                quoted,
                ..self
            };
        }
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

    /// The same with another destination; of an error, what it is about had that as source.
    #[must_use]
    pub fn to(self, dst: IpAddr, dst_port: u16) -> Self {
        if let Some(quote) = self.quote() {
            let quoted = Some(quote.from(dst, dst_port).as_quoted());
            return Self {
                dst,
                quoted,
                ..self
            };
        }
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

    /// The same from another address.
    #[must_use]
    pub fn from_address(self, src: IpAddr) -> Self {
        let port = self.quote().map_or(self.src_port, |quote| quote.dst_port);
        self.from(src, port)
    }

    /// The same to another address.
    #[must_use]
    pub fn to_address(self, dst: IpAddr) -> Self {
        let port = self.quote().map_or(self.dst_port, |quote| quote.src_port);
        self.to(dst, port)
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
        )?;
        if let Some(fragment) = self.fragment {
            let part = if fragment.later { "later" } else { "first" };
            write!(f, " {part} fragment of {}", fragment.identification)?;
        }
        match self.quote() {
            Some(quote) => write!(f, " about ({quote})"),
            None => Ok(()),
        }
    }
}
