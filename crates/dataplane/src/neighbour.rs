//! ARP and neighbour discovery, answered from the mapping and never by guests (Amazon VPC User
//! Guide, "Subnet sizing": the router's reserved address).

use std::net::{IpAddr, Ipv6Addr};

use model::Timestamp;
use packet::arp::{Arp, Operation};
use packet::ndp::{ALL_NODES, Message, Prefix, RouterAdvertisement, multicast_mac};
use packet::{Ip, Mac, Packet, icmpv6, protocol};

use crate::compile::internet::{INTERNET_ROUTER_MAC, Outside};
use crate::compile::network_interface::Interface;
use crate::compile::{Port, ROUTER_LINK_LOCAL, Snapshot};
use crate::forward::Dataplane;
use crate::walk::MTU_VPC;

/// How long the router stays a default router after one advertisement, in seconds.
const ROUTER_LIFETIME_SECS: u16 = 1800;

/// How often every host is told of its router though it does not ask, in microseconds.
const ADVERTISEMENT_INTERVAL_MICROS: u64 = 600_000_000;

/// The link of a port: whom its neighbours are.
pub(crate) trait Link {
    /// The MAC address behind an address, unless it is the asker's own.
    fn resolve(&self, address: IpAddr) -> Option<Mac>;
    /// The router's MAC address.
    fn router(&self) -> Mac;
    /// What the router says about itself and the link, if it is one for IPv6.
    fn advertise(&self, to_mac: Mac, to: Ipv6Addr) -> Option<Vec<u8>>;
}

/// The link that a network interface sees.
pub(crate) struct SubnetLink<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) interface: &'a Interface,
}

impl Dataplane {
    /// Tells hosts of their routers, who would forget them otherwise: a few at a time, each every ten minutes.
    /// [`Dataplane::emitted`] is then what to write. To be called as often as [`Dataplane::sweep`].
    pub fn advertise(&mut self, now: Timestamp) {
        self.emitted.clear();
        let snapshot = self.snapshot.clone();
        let count = snapshot.port_count() as u64;
        let turn = |at: Timestamp| {
            let within = at.as_micros() % ADVERTISEMENT_INTERVAL_MICROS;
            within * count / ADVERTISEMENT_INTERVAL_MICROS
        };
        let since = std::mem::replace(&mut self.advertised, now);
        let pause = now.as_micros().abs_diff(since.as_micros());
        if pause >= ADVERTISEMENT_INTERVAL_MICROS {
            // At the start, and when the clock has been set: everybody's turn comes again.
            return;
        }
        let (first, last) = (turn(since), turn(now));
        let wrapped = if last < first { 0..last } else { 0..0 };
        let ahead = first..if last < first { count } else { last };
        for at in ahead.chain(wrapped) {
            let port = snapshot.port_at(at as usize);
            let Some(Port::Interface(interface)) = port else {
                continue;
            };
            let link = SubnetLink {
                snapshot: &snapshot,
                interface,
            };
            if let Some(frame) = link.advertise(multicast_mac(ALL_NODES), ALL_NODES) {
                self.answer(interface.port, Ok(frame));
            }
        }
    }
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
        let other = neighbour.subnet.id == self.interface.subnet.id
            && neighbour.port != self.interface.port;
        other.then_some(neighbour.mac)
    }

    fn router(&self) -> Mac {
        self.snapshot.vpc_of(self.interface).router_mac
    }

    /// The subnet's block is on the link, but its addresses come from the API, by DHCP.
    fn advertise(&self, to_mac: Mac, to: Ipv6Addr) -> Option<Vec<u8>> {
        let block = self.snapshot.subnet_of(self.interface).ipv6_cidr?;
        let prefix = Prefix {
            address: block.network(),
            len: block.prefix_len(),
            on_link: true,
            autonomous: false,
            valid_s: u32::MAX,
            preferred_s: u32::MAX,
        };
        let (to, mtu) = ((to_mac, to), Some(MTU_VPC.into()));
        Some(advertisement(self.router(), to, mtu, &[prefix]))
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

    fn advertise(&self, to_mac: Mac, to: Ipv6Addr) -> Option<Vec<u8>> {
        Some(advertisement(self.router(), (to_mac, to), None, &[]))
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
        Message::RouterSolicitation { .. } => link.advertise(packet.src_mac, src),
        Message::NeighbourAdvertisement(_) => None,
    }
}

/// A router advertisement to a host, or to whoever there is if the host has no address yet.
fn advertisement(
    router: Mac,
    (to_mac, to): (Mac, Ipv6Addr),
    mtu: Option<u32>,
    prefixes: &[Prefix],
) -> Vec<u8> {
    let to = if to.is_unspecified() { ALL_NODES } else { to };
    let advertisement = RouterAdvertisement {
        hop_limit: 64,
        managed: true,
        other: false,
        router_lifetime_s: ROUTER_LIFETIME_SECS,
        mtu,
        prefixes,
    };
    advertisement.frame(router, to_mac, ROUTER_LINK_LOCAL, to)
}
