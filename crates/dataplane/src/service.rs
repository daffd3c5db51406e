//! Link-local services of a VPC: never filtered, never logged, and together limited to 1024
//! packets a second per interface (Amazon VPC User Guide, "Amazon DNS server").

pub(crate) mod dhcp;
mod dhcpv6;
pub(crate) mod dns;
mod time;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use model::Timestamp;
use packet::build::Frame;
use packet::udp::{self, Udp};
use packet::{Ip, Packet, protocol};

use crate::compile::Snapshot;
use crate::compile::network_interface::Interface;
use crate::compile::subnet::Subnet;
use crate::compile::vpc::Vpc;
use crate::drop_reason::DropReason;

pub(crate) const DNS_PORT: u16 = 53;
const TIME_V4: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 123);
const TIME_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x123);
const PACKETS_PER_SECOND: u64 = 1024;

/// A service inside the VPC's own network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    /// The Amazon DNS server.
    Dns,
    /// The Amazon Time Sync Service.
    Time,
    /// DHCP of IPv4.
    Dhcp,
    /// DHCP of IPv6.
    Dhcpv6,
}

/// An interface that asks a service.
#[derive(Clone, Copy)]
pub(crate) struct Client<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) interface: &'a Interface,
}

/// What a service says to a packet.
pub(crate) enum Response {
    /// This frame.
    Frame(Vec<u8>),
    /// It has to ask somebody outside first.
    Ask(Box<dns::outside::Waiting>),
}

impl<'a> Client<'a> {
    fn vpc(&self) -> &'a Vpc {
        self.snapshot.vpc_of(self.interface)
    }

    fn subnet(&self) -> &'a Subnet {
        self.snapshot.subnet_of(self.interface)
    }

    /// The name of the host in its domain (Amazon EC2 User Guide, "EC2 instance hostnames and domains").
    fn host_name(&self, address: Ipv4Addr) -> String {
        match self.interface.metadata.instance_id {
            Some(instance) if self.subnet().resource_names => instance.to_string(),
            _ => dns::ip_name(address),
        }
    }
}

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

/// Whether a VPC's DNS server answers at an address.
pub(crate) fn answers_names(vpc: &Vpc, address: IpAddr) -> bool {
    vpc.dns_support && is_dns(vpc, address)
}

fn is_dns(vpc: &Vpc, address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4 == model::Vpc::DNS_IPV4 || vpc.dns_server == Some(v4),
        IpAddr::V6(v6) => v6 == model::Vpc::DNS_IPV6,
    }
}

/// The service that answers at an address and a port, if there is one.
pub(crate) fn service_at(
    vpc: &Vpc,
    subnet: &Subnet,
    address: IpAddr,
    protocol: u8,
    port: u16,
) -> Option<Service> {
    if protocol != protocol::UDP {
        return None;
    }
    let is_time = address == TIME_V4 || address == TIME_V6;
    let is_router = subnet.is_router(address);
    match port {
        DNS_PORT if answers_names(vpc, address) => Some(Service::Dns),
        packet::ntp::PORT if is_time => Some(Service::Time),
        packet::dhcp::SERVER_PORT if is_router && address.is_ipv4() => Some(Service::Dhcp),
        packet::dhcpv6::SERVER_PORT if is_router && address.is_ipv6() => Some(Service::Dhcpv6),
        _ => None,
    }
}

/// The service that a packet from an interface is for. A packet for the servers of the link reaches them wherever
/// they are.
pub(crate) fn service_of(client: &Client<'_>, ip: &Ip) -> Option<Service> {
    if dhcp::is_for_servers(ip) {
        return Some(match ip.dst {
            IpAddr::V4(_) => Service::Dhcp,
            IpAddr::V6(_) => Service::Dhcpv6,
        });
    }
    let (vpc, subnet) = (client.vpc(), client.subnet());
    service_at(vpc, subnet, ip.dst, ip.protocol, ip.dst_port)
}

/// Answers a packet to a service.
pub(crate) fn answer(
    client: &Client<'_>,
    service: Service,
    packet: &Packet,
    ip: &Ip,
    frame: &[u8],
    now: Timestamp,
) -> Result<Response, DropReason> {
    let bytes = payload(ip, frame);
    // Who asks for its address does not have it yet.
    let asks_for_address = matches!(service, Service::Dhcp | Service::Dhcpv6);
    if ip.fragment.is_some() || !(asks_for_address || client.interface.owns(ip.src)) {
        return Err(DropReason::ServiceUnavailable);
    }
    let answer = match service {
        Service::Dhcp => dhcp::answer(client, packet, ip, bytes).map(Response::Frame),
        Service::Dhcpv6 => dhcpv6::answer(client, packet, ip, bytes).map(Response::Frame),
        Service::Time => time::answer(bytes, now)
            .and_then(|message| reply(client, packet, ip, &message))
            .map(Response::Frame),
        Service::Dns => match dns::answer(client, bytes, dns::Transport::Udp) {
            Some(dns::Answer::Message(message)) => {
                reply(client, packet, ip, &message).map(Response::Frame)
            }
            Some(dns::Answer::Outside(pending)) => {
                let waiting = dns::outside::Waiting::new(client, packet, ip, pending);
                Some(Response::Ask(Box::new(waiting)))
            }
            None => None,
        },
    };
    answer.ok_or(DropReason::ServiceUnavailable)
}

fn payload<'f>(ip: &Ip, frame: &'f [u8]) -> &'f [u8] {
    let datagram = ip.transport(frame);
    let len = Udp::parse(datagram).map_or(0, Udp::len);
    datagram.get(udp::HEADER_LEN..len).unwrap_or_default()
}

/// A datagram back from the port that was asked.
fn reply(client: &Client<'_>, packet: &Packet, ip: &Ip, message: &[u8]) -> Option<Vec<u8>> {
    let headers = Frame::new(client.vpc().router_mac, packet.src_mac, ip.dst, ip.src)?;
    Some(headers.udp(ip.dst_port, ip.src_port, message))
}

/// What an interface has left to send to services. DHCP has an allowance of its own, so that no other service keeps an
/// interface from its address.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Allowance {
    shared: Bucket,
    dhcp: Bucket,
}

impl Allowance {
    /// Takes one packet, if any is left.
    pub(crate) fn take(&mut self, service: Option<Service>, now: Timestamp) -> bool {
        match service {
            Some(Service::Dhcp | Service::Dhcpv6) => self.dhcp.take(now),
            Some(Service::Dns | Service::Time) | None => self.shared.take(now),
        }
    }
}

/// A token bucket, full at first, that fills up at the rate of the limit.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// When it will be full again, in microseconds.
    full_at: u64,
}

impl Bucket {
    fn take(&mut self, now: Timestamp) -> bool {
        const COST: u64 = 1_000_000 / PACKETS_PER_SECOND;
        const DEPTH: u64 = COST * PACKETS_PER_SECOND;
        // A clock that is set back must not leave it empty for as long as that.
        let (now, latest) = (now.as_micros(), now.as_micros().saturating_add(DEPTH));
        self.full_at = self.full_at.clamp(now, latest);
        let left = self.full_at + COST <= latest;
        if left {
            self.full_at += COST;
        }
        left
    }
}
