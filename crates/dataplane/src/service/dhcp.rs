//! DHCP for IPv4, answered by the router with what the API has given to the interface (Amazon VPC User Guide, "DHCP
//! option sets in Amazon VPC").

use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;
use packet::build::Frame;
use packet::dhcp::{CLIENT_PORT, MessageType, Options, Query, SERVER_PORT, option};
use packet::{Ip, Mac, Packet};

use super::Client;
use crate::walk::MTU_VPC;

/// How long an address is leased, in seconds; clients renew after half of it.
const LEASE_SECS: u32 = 3600;

/// What an interface is told.
struct Lease {
    address: Ipv4Addr,
    link: Ipv4Net,
    router: Ipv4Addr,
}

/// The frame that answers a client's message, if it calls for one.
pub(super) fn answer(
    client: &Client<'_>,
    packet: &Packet,
    ip: &Ip,
    bytes: &[u8],
) -> Option<Vec<u8>> {
    let query = Query::parse(bytes).ok()??;
    let lease = Lease::of(client)?;
    let is_ours = query.mac == client.interface.mac && query.relay.is_unspecified();
    let kind = reply(&query, &lease).filter(|_| is_ours && ip.src_port == CLIENT_PORT)?;
    let (yours, options) = match (kind, query.message_type) {
        (MessageType::Nak, _) => (Ipv4Addr::UNSPECIFIED, server_only(&lease)),
        (_, MessageType::Inform) => (Ipv4Addr::UNSPECIFIED, lease.options(client, &query)),
        _ => (lease.address, lease.options(client, &query)),
    };
    let message = query.answer(kind, yours, &options);
    let (to_mac, to) = destination(&query, kind, packet.src_mac, lease.address);
    let headers = Frame::v4(client.vpc().router_mac, to_mac, lease.router, to);
    Some(headers.udp(SERVER_PORT, CLIENT_PORT, &message))
}

/// The kind of answer to a message (RFC 2131 section 4.3); every interface has its one address for life.
fn reply(query: &Query<'_>, lease: &Lease) -> Option<MessageType> {
    let is_to_another = query.server.is_some_and(|server| server != lease.router);
    match query.message_type {
        MessageType::Discover => Some(MessageType::Offer),
        MessageType::Inform => Some(MessageType::Ack),
        MessageType::Request if is_to_another => None,
        MessageType::Request => {
            let wanted = match query.requested {
                Some(requested) => requested,
                None => query.client,
            };
            Some(if wanted == lease.address {
                MessageType::Ack
            } else {
                MessageType::Nak
            })
        }
        // Addresses are given and taken by the API.
        MessageType::Release | MessageType::Decline => None,
        MessageType::Offer | MessageType::Ack | MessageType::Nak => None,
    }
}

/// Where an answer goes (RFC 2131 section 4.1).
fn destination(query: &Query<'_>, kind: MessageType, mac: Mac, yours: Ipv4Addr) -> (Mac, Ipv4Addr) {
    let everybody = (Mac::BROADCAST, Ipv4Addr::BROADCAST);
    match kind {
        MessageType::Nak => everybody,
        _ if !query.client.is_unspecified() => (mac, query.client),
        _ if query.broadcast => everybody,
        _ => (mac, yours),
    }
}

fn server_only(lease: &Lease) -> Options {
    let mut options = Options::default();
    options.push_addresses(option::SERVER_IDENTIFIER, &[lease.router]);
    options
}

impl Lease {
    /// Secondary addresses are not leased: a guest learns them from its metadata.
    fn of(client: &Client<'_>) -> Option<Self> {
        let subnet = client.subnet();
        Some(Self {
            address: client.interface.metadata.primary_ipv4?,
            link: subnet.cidr?,
            router: subnet.router_v4?,
        })
    }

    /// What the client asks for, or everything, as far as its message has room.
    fn options(&self, client: &Client<'_>, query: &Query<'_>) -> Options {
        let mut options = server_only(self);
        if query.message_type != MessageType::Inform {
            options.push(option::LEASE_TIME, &LEASE_SECS.to_be_bytes());
        }
        options.push_addresses(option::SUBNET_MASK, &[self.link.netmask()]);
        let room = query.room();
        for (code, value) in self.asked_for(client) {
            let wanted = query.wanted.is_empty() || query.wanted.contains(&code);
            if wanted && options.len() + 2 + value.len() <= room {
                options.push(code, &value);
            }
        }
        options
    }

    /// The important ones first.
    fn asked_for(&self, client: &Client<'_>) -> Vec<(u8, Vec<u8>)> {
        let told = &client.vpc().dhcp_options;
        let addresses = |list: &[Ipv4Addr]| list.iter().flat_map(Ipv4Addr::octets).collect();
        let text = |text: &str| text.as_bytes().to_vec();
        let domain = told.domain_name.as_deref().unwrap_or_default();
        let node_type: Vec<u8> = told.netbios_node_type.into_iter().collect();
        let mut options: Vec<(u8, Vec<u8>)> = vec![
            (option::ROUTER, addresses(&[self.router])),
            (option::DOMAIN_NAME_SERVER, addresses(&told.v4.dns)),
            (option::INTERFACE_MTU, MTU_VPC.to_be_bytes().to_vec()),
            (
                option::BROADCAST_ADDRESS,
                addresses(&[self.link.broadcast()]),
            ),
            (option::HOST_NAME, text(&client.host_name(self.address))),
            (option::NTP_SERVERS, addresses(&told.v4.ntp)),
            (
                option::NETBIOS_NAME_SERVERS,
                addresses(&told.netbios_name_servers),
            ),
            (option::NETBIOS_NODE_TYPE, node_type),
            (option::DOMAIN_NAME, text(domain)),
        ];
        options.retain(|(_, value)| !value.is_empty());
        options
    }
}

/// Whether a packet is for the DHCP servers of its link, of either version.
pub(crate) fn is_for_servers(ip: &Ip) -> bool {
    if ip.protocol != packet::protocol::UDP || ip.fragment.is_some() {
        return false;
    }
    match ip.dst {
        IpAddr::V4(v4) => v4.is_broadcast() && ip.dst_port == SERVER_PORT,
        IpAddr::V6(v6) => {
            v6 == packet::dhcpv6::ALL_SERVERS && ip.dst_port == packet::dhcpv6::SERVER_PORT
        }
    }
}
