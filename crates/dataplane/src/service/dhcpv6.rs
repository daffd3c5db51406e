//! DHCP for IPv6: the way in which hosts get their IPv6 addresses, as router advertisements say (Amazon VPC User Guide,
//! "DHCP option sets in Amazon VPC").

use std::net::{IpAddr, Ipv6Addr};

use packet::build::Frame;
use packet::dhcpv6::{
    Association, CLIENT_PORT, Lifetimes, MessageType, Options, Query, SERVER_PORT, Status,
    link_layer_id, option,
};
use packet::{Ip, Packet};

use super::Client;
use crate::compile::ROUTER_LINK_LOCAL;

/// How much longer an address stays valid than it is preferred, in seconds.
const VALID_LONGER_SECS: u32 = 310;

/// The frame that answers a client's message, if it calls for one.
pub(super) fn answer(
    client: &Client<'_>,
    packet: &Packet,
    ip: &Ip,
    bytes: &[u8],
) -> Option<Vec<u8>> {
    let query = Query::parse(bytes).ok()??;
    let IpAddr::V6(to) = ip.src else { return None };
    let router_mac = client.vpc().router_mac;
    let own_id = link_layer_id(router_mac);
    if ip.src_port != CLIENT_PORT || !is_for(&query, &own_id) {
        return None;
    }
    let (kind, options) = reply(client, &query)?;
    let message = query.answer(kind, &own_id, &options);
    let headers = Frame::v6(router_mac, packet.src_mac, ROUTER_LINK_LOCAL, to);
    Some(headers.udp(SERVER_PORT, CLIENT_PORT, &message))
}

/// Whether a message names who has to be named in it, and no other server (RFC 8415 section 16).
fn is_for(query: &Query<'_>, own_id: &[u8]) -> bool {
    let names_us = query.server_id == Some(own_id);
    let names_nobody = query.server_id.is_none();
    match query.message_type {
        MessageType::Request | MessageType::Renew | MessageType::Release | MessageType::Decline => {
            names_us && query.client_id.is_some()
        }
        MessageType::Solicit | MessageType::Confirm | MessageType::Rebind => {
            names_nobody && query.client_id.is_some()
        }
        MessageType::InformationRequest => names_us || names_nobody,
        MessageType::Advertise | MessageType::Reply => false,
    }
}

fn reply(client: &Client<'_>, query: &Query<'_>) -> Option<(MessageType, Options)> {
    let mut options = Options::default();
    match query.message_type {
        MessageType::Solicit if !query.rapid_commit => {
            bind(client, query, &mut options);
            configure(client, query, &mut options);
            Some((MessageType::Advertise, options))
        }
        MessageType::Solicit => {
            options.push(option::RAPID_COMMIT, &[]);
            bind(client, query, &mut options);
            configure(client, query, &mut options);
            Some((MessageType::Reply, options))
        }
        MessageType::Request | MessageType::Renew | MessageType::Rebind => {
            bind(client, query, &mut options);
            configure(client, query, &mut options);
            Some((MessageType::Reply, options))
        }
        MessageType::InformationRequest => {
            configure(client, query, &mut options);
            Some((MessageType::Reply, options))
        }
        MessageType::Confirm => {
            let mut claimed = query
                .associations
                .iter()
                .flat_map(|a| &a.addresses)
                .peekable();
            // There is nothing to say about no address at all.
            claimed.peek()?;
            let all = claimed.all(|address| client.interface.owns((*address).into()));
            let status = if all {
                Status::Success
            } else {
                Status::NotOnLink
            };
            options.push_status(status);
            Some((MessageType::Reply, options))
        }
        // Addresses are given and taken by the API.
        MessageType::Release | MessageType::Decline => {
            options.push_status(Status::Success);
            Some((MessageType::Reply, options))
        }
        MessageType::Advertise | MessageType::Reply => None,
    }
}

/// The first association gets the interface's first address, any other nothing. An address that the client has and the
/// API has taken from it is to be let go.
fn bind(client: &Client<'_>, query: &Query<'_>, options: &mut Options) {
    let preferred_s = client.vpc().dhcp_options.ipv6_preferred_lease_s;
    let mut address = first_ipv6(client);
    for association in &query.associations {
        let inside = inside(association, address.take(), preferred_s);
        options.push_association(association.id, preferred_s, &inside);
    }
    for id in &query.prefix_associations {
        let mut inside = Options::default();
        inside.push_status(Status::NoPrefixes);
        options.push_prefix_association(*id, &inside);
    }
}

fn inside(association: &Association, address: Option<Ipv6Addr>, preferred_s: u32) -> Options {
    let mut inside = Options::default();
    let own = Lifetimes {
        preferred_s,
        valid_s: preferred_s.saturating_add(VALID_LONGER_SECS),
    };
    let gone = Lifetimes {
        preferred_s: 0,
        valid_s: 0,
    };
    match address {
        Some(address) => inside.push_address(address, own),
        None => inside.push_status(Status::NoAddresses),
    }
    for other in association
        .addresses
        .iter()
        .filter(|a| Some(**a) != address)
    {
        inside.push_address(*other, gone);
    }
    inside
}

fn configure(client: &Client<'_>, query: &Query<'_>, options: &mut Options) {
    let told = &client.vpc().dhcp_options;
    if query.wants(option::DNS_SERVERS) {
        options.push_dns_servers(&told.v6.dns);
    }
    if query.wants(option::DOMAIN_LIST) {
        options.push_domains(told.domain_name.as_deref().unwrap_or_default());
    }
    if query.wants(option::NTP_SERVER) {
        for server in &told.v6.ntp {
            options.push_ntp_server(*server);
        }
    }
}

fn first_ipv6(client: &Client<'_>) -> Option<Ipv6Addr> {
    let mut own = client.interface.addresses.iter();
    own.find_map(|address| match address {
        IpAddr::V6(v6) => Some(*v6),
        IpAddr::V4(_) => None,
    })
}
