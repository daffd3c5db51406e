//! ARP and neighbour discovery, answered from the mapping and never by guests (Amazon VPC User
//! Guide, "Subnet sizing": the router's reserved address).

use std::net::{IpAddr, Ipv6Addr};

use packet::arp::{Arp, Operation};
use packet::ndp::{Message, RouterAdvertisement};
use packet::{Ip, Mac, Packet, icmpv6, protocol};

use crate::compile::internet::{INTERNET_ROUTER_MAC, Outside};
use crate::compile::network_interface::Interface;
use crate::compile::{ROUTER_LINK_LOCAL, Snapshot};

/// How long the router stays a default router after one advertisement, in seconds.
const ROUTER_LIFETIME_SECS: u16 = 1800;

/// The link of a port: whom its neighbours are.
pub(crate) trait Link {
    /// The MAC address behind an address, unless it is the asker's own.
    fn resolve(&self, address: IpAddr) -> Option<Mac>;
    /// The router's MAC address.
    fn router(&self) -> Mac;
}

/// The link that a network interface sees.
pub(crate) struct SubnetLink<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) interface: &'a Interface,
}

impl Link for SubnetLink<'_> {
    fn resolve(&self, address: IpAddr) -> Option<Mac> {
        let vpc = self.snapshot.vpc_of(self.interface);
        let subnet = self.snapshot.subnet_of(self.interface);
        let is_dns = matches!(address, IpAddr::V4(v4) if vpc.dns_server == Some(v4));
        if subnet.is_router(address) || is_dns {
            return Some(vpc.router_mac);
        }
        if let IpAddr::V4(v4) = address
            && v4.is_link_local()
        {
            return Some(vpc.router_mac);
        }
        let port = vpc.addresses.get(&address)?;
        let neighbour = self.snapshot.interface(*port)?;
        let other =
            neighbour.subnet == self.interface.subnet && neighbour.port != self.interface.port;
        other.then_some(neighbour.mac)
    }

    fn router(&self) -> Mac {
        self.snapshot.vpc_of(self.interface).router_mac
    }
}

/// The link that a host of the internet sees: everything else is behind the router.
impl Link for Outside {
    fn resolve(&self, address: IpAddr) -> Option<Mac> {
        (self.address != Some(address)).then_some(INTERNET_ROUTER_MAC)
    }

    fn router(&self) -> Mac {
        INTERNET_ROUTER_MAC
    }
}

/// The answer to an ARP packet, if it calls for one. Announcements and probes for one's own
/// address do not: addresses move only by the API.
pub(crate) fn arp(link: &impl Link, arp: &Arp) -> Option<Vec<u8>> {
    let asks = arp.operation == Operation::Request && arp.sender != arp.target;
    let mac = link.resolve(arp.target.into()).filter(|_| asks)?;
    Some(arp.reply(mac).frame().to_vec())
}

/// Whether a packet is neighbour discovery, which never leaves its link.
pub(crate) fn is_discovery(ip: &Ip) -> bool {
    let types = icmpv6::ROUTER_SOLICITATION..=icmpv6::REDIRECT;
    ip.protocol == protocol::ICMPV6 && ip.icmp.is_some_and(|icmp| types.contains(&icmp.icmp_type))
}

/// The answer to a neighbour discovery packet, if it calls for one.
pub(crate) fn discovery(
    link: &impl Link,
    packet: &Packet,
    ip: &Ip,
    frame: &[u8],
) -> Option<Vec<u8>> {
    let IpAddr::V6(src) = ip.src else { return None };
    match Message::parse(frame, ip).ok()?? {
        Message::NeighbourSolicitation(solicitation) => {
            let mac = link.resolve(solicitation.target.into())?;
            let router = mac == link.router();
            Some(solicitation.answer(src, packet.src_mac, mac, router))
        }
        Message::RouterSolicitation { .. } => Some(advertise(link, packet.src_mac, src)),
        Message::NeighbourAdvertisement(_) => None,
    }
}

/// Addresses come from the API, so no prefix is advertised.
fn advertise(link: &impl Link, to_mac: Mac, to: Ipv6Addr) -> Vec<u8> {
    let to = if to.is_unspecified() {
        packet::ndp::ALL_NODES
    } else {
        to
    };
    let advertisement = RouterAdvertisement {
        hop_limit: 64,
        managed: true,
        other: false,
        router_lifetime_s: ROUTER_LIFETIME_SECS,
        mtu: None,
        prefixes: &[],
    };
    advertisement.frame(link.router(), to_mac, ROUTER_LINK_LOCAL, to)
}
