//! Link-local services of a VPC: never filtered, never logged, and together limited to 1024
//! packets a second per interface (Amazon VPC User Guide, "Amazon DNS server").

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use model::Timestamp;
use packet::build::Frame;
use packet::udp::Udp;
use packet::{Ip, Packet, protocol};

use crate::compile::Snapshot;
use crate::compile::network_interface::Interface;
use crate::compile::subnet::Subnet;
use crate::compile::vpc::Vpc;
use crate::dns;
use crate::drop_reason::DropReason;

/// The Amazon DNS server's addresses that are the same in every VPC.
const DNS_V4: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 253);
const DNS_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x253);
const DNS_PORT: u16 = 53;
const PACKETS_PER_SECOND: u32 = 1024;

/// Whether an address belongs to the VPC's own network and not to an interface.
pub(crate) fn is_service(vpc: &Vpc, subnet: &Subnet, address: IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => {
            let [first, second, ..] = v6.segments();
            (first, second) == (0xfd00, 0xec2) || first & 0xffc0 == 0xfe80
        }
    };
    link_local || is_dns(vpc, address) || subnet.is_router(address)
}

fn is_dns(vpc: &Vpc, address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4 == DNS_V4 || vpc.dns_server == Some(v4),
        IpAddr::V6(v6) => v6 == DNS_V6,
    }
}

/// Whether somebody answers there.
pub(crate) fn answers(vpc: &Vpc, address: IpAddr, protocol: u8, port: u16) -> bool {
    vpc.dns_support && is_dns(vpc, address) && protocol == protocol::UDP && port == DNS_PORT
}

/// Answers a packet to a service.
pub(crate) fn answer(
    snapshot: &Snapshot,
    from: &Interface,
    packet: &Packet,
    ip: &Ip,
    frame: &[u8],
) -> Result<Vec<u8>, DropReason> {
    let vpc = snapshot.vpc_of(from);
    let whole = ip.fragment.is_none() && from.owns(ip.src);
    if !(whole && answers(vpc, ip.dst, ip.protocol, ip.dst_port)) {
        return Err(DropReason::ServiceUnavailable);
    }
    let len = Udp::parse(ip.transport(frame)).map_or(0, Udp::len);
    let question = ip.transport(frame).get(8..len).unwrap_or_default();
    let answer = dns::answer(snapshot, vpc, question).ok_or(DropReason::ServiceUnavailable)?;
    Frame::new(vpc.router_mac, packet.src_mac, ip.dst, ip.src)
        .map(|headers| headers.udp(DNS_PORT, ip.src_port, &answer))
        .ok_or(DropReason::ServiceUnavailable)
}

/// What an interface has left to send to services.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Allowance {
    second: u64,
    used: u32,
}

impl Allowance {
    /// Takes one packet, if any is left in this second.
    pub(crate) fn take(&mut self, now: Timestamp) -> bool {
        if self.second != now.as_secs() {
            *self = Self {
                second: now.as_secs(),
                used: 0,
            };
        }
        self.used = self.used.saturating_add(1);
        self.used <= PACKETS_PER_SECOND
    }
}
