//! DHCP option sets as `forward` reads them: what the hosts of a VPC are told.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What the hosts of a VPC are told, by each version of DHCP.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DhcpOptions {
    /// One name, or several separated by spaces.
    pub(crate) domain_name: Option<String>,
    pub(crate) v4: Servers<Ipv4Addr>,
    pub(crate) v6: Servers<Ipv6Addr>,
    pub(crate) netbios_name_servers: Vec<Ipv4Addr>,
    pub(crate) netbios_node_type: Option<u8>,
    pub(crate) ipv6_preferred_lease_s: u32,
}

/// Servers of one address family.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Servers<A> {
    pub(crate) dns: Vec<A>,
    pub(crate) ntp: Vec<A>,
}

pub(crate) fn compile(vpc: &model::Vpc, set: Option<&model::DhcpOptions>) -> DhcpOptions {
    let ntp = set.map(model::DhcpOptions::ntp_servers).unwrap_or_default();
    DhcpOptions {
        domain_name: set.and_then(|set| set.domain_name()).map(str::to_owned),
        v4: Servers {
            dns: v4(&vpc.name_servers(set, true)),
            ntp: v4(&ntp),
        },
        v6: Servers {
            dns: v6(&vpc.name_servers(set, false)),
            ntp: v6(&ntp),
        },
        netbios_name_servers: set
            .map(model::DhcpOptions::netbios_name_servers)
            .unwrap_or_default(),
        netbios_node_type: set.and_then(model::DhcpOptions::netbios_node_type),
        ipv6_preferred_lease_s: set.map_or(
            model::DhcpOptions::IPV6_PREFERRED_LEASE_SECS,
            model::DhcpOptions::ipv6_preferred_lease_s,
        ),
    }
}

fn v4(addresses: &[IpAddr]) -> Vec<Ipv4Addr> {
    let v4 = |address: &IpAddr| match address {
        IpAddr::V4(v4) => Some(*v4),
        IpAddr::V6(_) => None,
    };
    addresses.iter().filter_map(v4).collect()
}

fn v6(addresses: &[IpAddr]) -> Vec<Ipv6Addr> {
    let v6 = |address: &IpAddr| match address {
        IpAddr::V6(v6) => Some(*v6),
        IpAddr::V4(_) => None,
    };
    addresses.iter().filter_map(v6).collect()
}
