//! Subnets as `forward` reads them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::{Ipv4Net, Ipv6Net};
use model::SubnetId;

use super::network_acl::NetworkAcl;
use super::route_table::RouteTable;

/// One subnet: who guards it and which routes rule it.
#[derive(Debug, PartialEq)]
pub(crate) struct Subnet {
    pub(crate) id: SubnetId,
    pub(crate) network_acl: Option<Arc<NetworkAcl>>,
    pub(crate) route_table: Option<Arc<RouteTable>>,
    pub(crate) router_v4: Option<Ipv4Addr>,
    pub(crate) router_v6: Option<Ipv6Addr>,
    pub(crate) cidr: Option<Ipv4Net>,
    pub(crate) ipv6_cidr: Option<Ipv6Net>,
    /// Whether hosts are called after their instances and not after their addresses.
    pub(crate) resource_names: bool,
    /// Whether the Amazon DNS server makes IPv6 addresses of IPv4 addresses for its hosts.
    pub(crate) dns64: bool,
}

impl Subnet {
    /// Whether an address is the router's own in this subnet.
    pub(crate) fn is_router(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => self.router_v4 == Some(v4),
            IpAddr::V6(v6) => {
                self.router_v6 == Some(v6)
                    || v6 == super::ROUTER_LINK_LOCAL
                    || v6 == super::ROUTER_EC2
            }
        }
    }
}

pub(crate) fn compile(
    subnet: &model::Subnet,
    network_acl: Option<Arc<NetworkAcl>>,
    route_table: Option<Arc<RouteTable>>,
) -> Subnet {
    Subnet {
        id: subnet.id,
        network_acl,
        route_table,
        router_v4: subnet.router_ipv4(),
        router_v6: subnet.router_ipv6(),
        cidr: subnet.cidr,
        ipv6_cidr: subnet.ipv6_cidr_blocks.first().map(|block| block.cidr),
        resource_names: subnet.hostname_type == "resource-name",
        dns64: subnet.enable_dns64,
    }
}
