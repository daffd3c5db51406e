//! By what flows are told apart.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use packet::{Ip, Mac, protocol};

use crate::ports::PortId;
use crate::tuple::{L4, Tuple};

/// Where a packet comes from, its five-tuple, and whom the frame is addressed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct FlowTuple {
    src: [u64; 2],
    dst: [u64; 2],
    pub(super) port: u32,
    ports: [u16; 2],
    dst_mac: [u8; 6],
    protocol: u8,
    family: u8,
}

#[inline]
fn words(address: IpAddr) -> [u64; 2] {
    match address {
        IpAddr::V4(a) => [0, u64::from(u32::from(a))],
        IpAddr::V6(a) => {
            let bits = u128::from(a);
            [(bits >> 64) as u64, bits as u64]
        }
    }
}

impl FlowTuple {
    /// `ports` are ports, or identifier, type and code of ICMP.
    #[inline]
    pub(crate) fn new(port: PortId, dst_mac: Mac, ip: &Ip, ports: [u16; 2]) -> Self {
        Self {
            src: words(ip.src),
            dst: words(ip.dst),
            port: port.bits(),
            ports,
            dst_mac: dst_mac.0,
            protocol: ip.protocol,
            family: if ip.src.is_ipv4() { 4 } else { 6 },
        }
    }
}

impl FlowTuple {
    /// The packet as far as records tell of it.
    pub(super) fn packet(&self) -> Tuple {
        let address = |[high, low]: [u64; 2]| match self.family {
            4 => IpAddr::V4(Ipv4Addr::from_bits(low as u32)),
            _ => IpAddr::V6(Ipv6Addr::from_bits(
                u128::from(high) << 64 | u128::from(low),
            )),
        };
        let [first, second] = self.ports;
        let [icmp_type, code] = second.to_be_bytes();
        Tuple {
            src: address(self.src),
            dst: address(self.dst),
            protocol: self.protocol,
            l4: match self.protocol {
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

    pub(super) fn is_tcp_udp_or_icmp(&self) -> bool {
        matches!(
            self.protocol,
            protocol::TCP | protocol::UDP | protocol::ICMP
        )
    }
}

impl Hash for FlowTuple {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c, d, e, f] = self.dst_mac;
        state.write_u64(self.src[0] ^ self.dst[0].rotate_left(32));
        state.write_u64(self.src[1]);
        state.write_u64(self.dst[1]);
        state.write_u64(
            u64::from(self.port) << 32 | u64::from(self.ports[0]) << 16 | u64::from(self.ports[1]),
        );
        state.write_u64(u64::from_be_bytes([
            a,
            b,
            c,
            d,
            e,
            f,
            self.protocol,
            self.family,
        ]));
    }
}
