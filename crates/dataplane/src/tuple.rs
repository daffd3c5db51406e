//! What rules look at in a packet.

use std::net::IpAddr;

use model::{IpProtocol, PortRange};
use packet::{Ip, protocol};

use crate::flow_cache::Translation;

/// The part of a packet that rules look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tuple {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) protocol: u8,
    pub(crate) l4: L4,
}

/// What a packet has in place of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum L4 {
    /// TCP and UDP.
    Ports { src: u16, dst: u16 },
    /// ICMP of both families.
    Icmp { icmp_type: u8, code: u8, id: u16 },
    /// Another protocol, or a later fragment whose first one is not known.
    None,
}

impl Tuple {
    pub(crate) fn of(ip: &Ip) -> Self {
        let l4 = match (ip.protocol, ip.icmp) {
            _ if ip.is_later_fragment() => L4::None,
            (protocol::TCP | protocol::UDP, _) => L4::Ports {
                src: ip.src_port,
                dst: ip.dst_port,
            },
            (_, Some(icmp)) => L4::Icmp {
                icmp_type: icmp.icmp_type,
                code: icmp.code,
                id: icmp.identifier,
            },
            _ => L4::None,
        };
        Self {
            src: ip.src,
            dst: ip.dst,
            protocol: ip.protocol,
            l4,
        }
    }

    /// The packet after a gateway has replaced what it replaces.
    pub(crate) fn translated(self, to: Translation) -> Self {
        let l4 = match self.l4 {
            L4::Ports { src, dst } => L4::Ports {
                src: to.src_port.unwrap_or(src),
                dst: to.dst_port.unwrap_or(dst),
            },
            L4::Icmp {
                icmp_type,
                code,
                id,
            } => L4::Icmp {
                icmp_type,
                code,
                id: to.icmp_identifier.unwrap_or(id),
            },
            L4::None => L4::None,
        };
        Self {
            src: to.src.unwrap_or(self.src),
            dst: to.dst.unwrap_or(self.dst),
            l4,
            ..self
        }
    }

    /// The same conversation, seen in the packets of the other side.
    pub(crate) fn reversed(self) -> Self {
        let l4 = match self.l4 {
            L4::Ports { src, dst } => L4::Ports { src: dst, dst: src },
            other => other,
        };
        Self {
            src: self.dst,
            dst: self.src,
            l4,
            ..self
        }
    }

    /// Source and destination port of a flow log record: 0 where the protocol has none.
    pub(crate) fn ports(&self) -> (u16, u16) {
        match self.l4 {
            L4::Ports { src, dst } => (src, dst),
            _ => (0, 0),
        }
    }

    /// Whether a rule's protocol and ports mean this packet. Ports of a later fragment whose first
    /// fragment is unknown match only rules for all of them.
    pub(crate) fn matches(&self, rule: IpProtocol, ports: Option<PortRange>) -> bool {
        if !rule.matches(self.protocol) {
            return false;
        }
        let Some(range) = ports else { return true };
        if rule.has_ports() {
            match self.l4 {
                L4::Ports { dst, .. } => range.contains(dst),
                _ => range == PortRange::ALL,
            }
        } else if rule.is_icmp() {
            match self.l4 {
                L4::Icmp {
                    icmp_type, code, ..
                } => range.matches_icmp(icmp_type, code),
                _ => range.from == -1 && range.to == -1,
            }
        } else {
            true
        }
    }
}

/// An IPv4 or IPv6 block as one comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    V4 { net: u32, mask: u32 },
    V6 { net: u128, mask: u128 },
}

impl Block {
    pub(crate) fn contains(self, address: IpAddr) -> bool {
        match (self, address) {
            (Block::V4 { net, mask }, IpAddr::V4(a)) => u32::from(a) & mask == net,
            (Block::V6 { net, mask }, IpAddr::V6(a)) => u128::from(a) & mask == net,
            _ => false,
        }
    }

    /// Whether this is `0.0.0.0/0` or `::/0`.
    pub(crate) fn is_everything(self) -> bool {
        matches!(self, Block::V4 { mask: 0, .. } | Block::V6 { mask: 0, .. })
    }

    pub(crate) fn is_ipv4(self) -> bool {
        matches!(self, Block::V4 { .. })
    }
}

impl From<ipnet::IpNet> for Block {
    fn from(net: ipnet::IpNet) -> Self {
        match net {
            ipnet::IpNet::V4(net) => Block::V4 {
                net: net.network().into(),
                mask: net.netmask().into(),
            },
            ipnet::IpNet::V6(net) => Block::V6 {
                net: net.network().into(),
                mask: net.netmask().into(),
            },
        }
    }
}
