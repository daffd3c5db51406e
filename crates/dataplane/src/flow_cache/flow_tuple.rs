//! By what flows are told apart.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use packet::{Ip, protocol};

use crate::ports::PortId;
use crate::tuple::{L4, Tuple};

/// Where a packet comes from, and its five-tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlowTuple {
    V4(Ends<Ipv4Addr>, u8),
    V6(Ends<Ipv6Addr>, u8),
}

/// All of it but the protocol, for which a flow has a place elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Ends<A> {
    src: A,
    dst: A,
    from: u32,
    ports: [u16; 2],
}

impl FlowTuple {
    /// `ports` are ports, or identifier, type and code of ICMP.
    #[inline]
    pub(crate) fn new(from: PortId, ip: &Ip, ports: [u16; 2]) -> Self {
        let from = from.bits();
        match (ip.src, ip.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                let ends = Ends {
                    src,
                    dst,
                    from,
                    ports,
                };
                Self::V4(ends, ip.protocol)
            }
            (src, dst) => {
                let ends = Ends {
                    src: in_six(src),
                    dst: in_six(dst),
                    from,
                    ports,
                };
                Self::V6(ends, ip.protocol)
            }
        }
    }

    /// The packet as far as records tell of it.
    pub(super) fn packet(&self) -> Tuple {
        let (src, dst, ports, protocol) = match *self {
            Self::V4(ends, protocol) => (ends.src.into(), ends.dst.into(), ends.ports, protocol),
            Self::V6(ends, protocol) => (ends.src.into(), ends.dst.into(), ends.ports, protocol),
        };
        let [first, second] = ports;
        let [icmp_type, code] = second.to_be_bytes();
        Tuple {
            src,
            dst,
            protocol,
            l4: match protocol {
                protocol::TCP | protocol::UDP => L4::Ports {
                    src: first,
                    dst: second,
                },
                protocol::ICMP | protocol::ICMPV6 => L4::Icmp {
                    icmp_type,
                    code,
                    id: first,
                },
                _ => L4::None,
            },
        }
    }

    pub(crate) const fn protocol(&self) -> u8 {
        match *self {
            Self::V4(_, protocol) | Self::V6(_, protocol) => protocol,
        }
    }

    pub(crate) const fn from(&self) -> PortId {
        match self {
            Self::V4(ends, _) => PortId::from_bits(ends.from),
            Self::V6(ends, _) => PortId::from_bits(ends.from),
        }
    }

    pub(crate) const fn ports(&self) -> [u16; 2] {
        match self {
            Self::V4(ends, _) => ends.ports,
            Self::V6(ends, _) => ends.ports,
        }
    }

    pub(crate) const fn addresses(&self) -> (IpAddr, IpAddr) {
        match self {
            Self::V4(ends, _) => (IpAddr::V4(ends.src), IpAddr::V4(ends.dst)),
            Self::V6(ends, _) => (IpAddr::V6(ends.src), IpAddr::V6(ends.dst)),
        }
    }

    pub(super) fn is_tcp_udp_or_icmp(&self) -> bool {
        matches!(
            self.protocol(),
            protocol::TCP | protocol::UDP | protocol::ICMP
        )
    }

    /// Who sends it, and by which ports, in one word.
    #[inline]
    fn word(from: u32, [first, second]: [u16; 2], protocol: u8) -> u64 {
        let ports = u64::from(first) << 16 | u64::from(second);
        (u64::from(from) << 32 | ports) ^ u64::from(protocol) << 56
    }
}

impl Hash for FlowTuple {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::V4(ends, protocol) => {
                let [src, dst] = [ends.src, ends.dst].map(|a| u64::from(a.to_bits()));
                state.write_u64(src << 32 | dst);
                state.write_u64(Self::word(ends.from, ends.ports, *protocol));
            }
            Self::V6(ends, protocol) => {
                state.write_u128(ends.src.to_bits());
                state.write_u128(ends.dst.to_bits());
                state.write_u64(Self::word(ends.from, ends.ports, *protocol));
            }
        }
    }
}

/// A packet has addresses of one family.
fn in_six(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(a) => a.to_ipv6_mapped(),
        IpAddr::V6(a) => a,
    }
}
