//! What the pipeline looks at in a packet.

use std::net::IpAddr;

use packet::{Ip, icmp, icmpv6, protocol};

use crate::flow_cache::Translation;
use crate::tuple::{L4, Tuple};

/// What the pipeline looks at in a packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject {
    pub(crate) tuple: Tuple,
    pub(crate) tcp_flags: u8,
    /// The packet that an ICMP error is about.
    pub(crate) quoted: Option<Tuple>,
    /// Length of the packet, or of the longest segment of a super-frame.
    pub(crate) len: usize,
    pub(crate) dont_fragment: bool,
    pub(crate) is_fragment: bool,
    pub(crate) ttl: u8,
}

impl Subject {
    pub(crate) fn new(ip: &Ip, tuple: Tuple, quoted: Option<Tuple>, len: usize) -> Self {
        Self {
            tuple,
            tcp_flags: ip.tcp_flags,
            quoted,
            len,
            dont_fragment: ip.dont_fragment,
            is_fragment: ip.fragment.is_some(),
            ttl: ip.ttl,
        }
    }

    /// The packet that an ICMP error in `frame` quotes.
    pub(crate) fn quoted_in(ip: &Ip, frame: &[u8]) -> Option<Tuple> {
        if !ip.is_icmp_error() {
            return None;
        }
        quoted(frame.get(ip.payload_offset..)?)
    }

    /// The packet as it is behind the gateway that translates it. The ports of an ICMP error are those of the packet
    /// that it quotes, which went the other way.
    pub(crate) fn translated(mut self, to: Translation) -> Self {
        match &mut self.quoted {
            Some(quoted) => {
                *quoted = quoted.translated(to.reversed());
                self.tuple = self.tuple.translated(to.addresses());
            }
            None => self.tuple = self.tuple.translated(to),
        }
        self
    }
}

/// Reads the beginning of a packet, which is all that an ICMP error has to quote.
fn quoted(bytes: &[u8]) -> Option<Tuple> {
    let (src, dst, protocol, l4): (IpAddr, IpAddr, u8, &[u8]) = match bytes.first()? >> 4 {
        4 => {
            let header = packet::ipv4::Ipv4::parse(bytes).ok()?;
            let l4 = match header.fragment_offset() {
                0 => bytes.get(header.header_len()..)?,
                _ => &[],
            };
            (
                header.src().into(),
                header.dst().into(),
                header.protocol(),
                l4,
            )
        }
        6 => {
            let header = packet::ipv6::Ipv6::parse(bytes).ok()?;
            let chain = packet::ipv6::walk(bytes).ok()?;
            let l4 = bytes.get(chain.offset..)?;
            (header.src().into(), header.dst().into(), chain.protocol, l4)
        }
        _ => return None,
    };
    let word = |at: usize| Some(u16::from_be_bytes([*l4.get(at)?, *l4.get(at + 1)?]));
    let l4 = match protocol {
        protocol::TCP | protocol::UDP => L4::Ports {
            src: word(0)?,
            dst: word(2)?,
        },
        protocol::ICMP | protocol::ICMPV6 => {
            let (icmp_type, code) = (*l4.first()?, *l4.get(1)?);
            let has_identifier = match protocol {
                protocol::ICMP => icmp::has_identifier(icmp_type),
                _ => icmpv6::has_identifier(icmp_type),
            };
            let id = if has_identifier { word(4)? } else { 0 };
            L4::Icmp {
                icmp_type,
                code,
                id,
            }
        }
        _ => L4::None,
    };
    Some(Tuple {
        src,
        dst,
        protocol,
        l4,
    })
}
