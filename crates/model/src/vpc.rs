//! VPCs (Amazon VPC User Guide, "VPC CIDR blocks").

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use crate::{DhcpOptions, DhcpOptionsId, NameServer, Tags, VpcCidrAssociationId, VpcId};

/// A virtual private cloud.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vpc {
    /// Its id.
    pub id: VpcId,
    /// IPv4 blocks; the first is the primary one, fixed for life.
    pub cidr_blocks: Vec<VpcCidrBlock<Ipv4Net>>,
    /// IPv6 blocks.
    pub ipv6_cidr_blocks: Vec<VpcCidrBlock<Ipv6Net>>,
    /// The DHCP option set; `None` means that no set is associated.
    pub dhcp_options_id: Option<DhcpOptionsId>,
    /// `default` or `dedicated`.
    pub instance_tenancy: String,
    /// Whether this is the Region's default VPC.
    pub is_default: bool,
    /// Whether the Amazon DNS server answers.
    pub enable_dns_support: bool,
    /// Whether instances with public addresses get public names.
    pub enable_dns_hostnames: bool,
    /// Stored and returned only.
    pub enable_network_address_usage_metrics: bool,
    /// Tags.
    pub tags: Tags,
}

/// The association of a block with a VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpcCidrBlock<N> {
    /// Id of the association.
    pub association_id: VpcCidrAssociationId,
    /// The block, host bits clear.
    pub cidr: N,
}

impl Vpc {
    /// The Amazon DNS server's address that is the same in every VPC.
    pub const DNS_IPV4: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 253);
    /// The same for IPv6.
    pub const DNS_IPV6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x253);

    /// The primary IPv4 block.
    pub fn primary_cidr(&self) -> Option<Ipv4Net> {
        self.cidr_blocks.first().map(|block| block.cidr)
    }

    /// Whether an address lies in one of the VPC's blocks.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => self.cidr_blocks.iter().any(|b| b.cidr.contains(&v4)),
            IpAddr::V6(v6) => self.ipv6_cidr_blocks.iter().any(|b| b.cidr.contains(&v6)),
        }
    }

    /// The Amazon DNS server: base of the primary block plus two ("Understand Amazon DNS").
    pub fn dns_server(&self) -> Option<Ipv4Addr> {
        self.primary_cidr()
            .map(|cidr| Ipv4Addr::from(u32::from(cidr.network()) + 2))
    }

    /// The name servers that hosts are told of by a DHCP option set, or without one; `has_ipv4` tells whether they can
    /// reach the Amazon DNS server by IPv4.
    pub fn name_servers(&self, options: Option<&DhcpOptions>, has_ipv4: bool) -> Vec<IpAddr> {
        let amazon = match (has_ipv4, options, self.dns_server()) {
            (false, _, _) => Self::DNS_IPV6.into(),
            (true, Some(_), Some(own)) => own.into(),
            (true, _, _) => Self::DNS_IPV4.into(),
        };
        let mut servers = options
            .map(DhcpOptions::domain_name_servers)
            .unwrap_or_default();
        if servers.is_empty() {
            servers.push(NameServer::Amazon);
        }
        let address = |server| match server {
            NameServer::Amazon => amazon,
            NameServer::Address(address) => address,
        };
        servers.into_iter().map(address).collect()
    }
}
