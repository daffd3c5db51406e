//! Subnets (Amazon VPC User Guide, "Subnet CIDR blocks").

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use crate::{AvailabilityZone, SubnetCidrAssociationId, SubnetId, Tags, VpcId};

/// A subnet of a VPC, in one Availability Zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    /// Its id.
    pub id: SubnetId,
    /// The VPC it lies in.
    pub vpc_id: VpcId,
    /// IPv4 block; absent in an IPv6-only subnet.
    pub cidr: Option<Ipv4Net>,
    /// IPv6 blocks.
    pub ipv6_cidr_blocks: Vec<SubnetIpv6CidrBlock>,
    /// The zone, fixed for life.
    pub zone: AvailabilityZone,
    /// Whether it is the zone's default subnet.
    pub default_for_az: bool,
    /// Whether instances launched here get a public IPv4 address.
    pub map_public_ip_on_launch: bool,
    /// Whether network interfaces created here get an IPv6 address.
    pub assign_ipv6_address_on_creation: bool,
    /// Whether the Amazon DNS server makes IPv6 addresses for names that have none.
    pub enable_dns64: bool,
    /// Whether the subnet has no IPv4.
    pub ipv6_native: bool,
    /// `ip-name` or `resource-name`.
    pub hostname_type: String,
    /// Whether resource names resolve to IPv4 addresses.
    pub enable_resource_name_dns_a_record: bool,
    /// Whether resource names resolve to IPv6 addresses.
    pub enable_resource_name_dns_aaaa_record: bool,
    /// Tags.
    pub tags: Tags,
}

/// The association of an IPv6 block with a subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubnetIpv6CidrBlock {
    /// Id of the association.
    pub association_id: SubnetCidrAssociationId,
    /// The block.
    pub cidr: Ipv6Net,
}

impl Subnet {
    /// Whether an address lies in one of the subnet's blocks.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => self.cidr.is_some_and(|cidr| cidr.contains(&v4)),
            IpAddr::V6(v6) => self.ipv6_cidr_blocks.iter().any(|b| b.cidr.contains(&v6)),
        }
    }

    /// The router's IPv4 address: network address plus one.
    pub fn router_ipv4(&self) -> Option<Ipv4Addr> {
        self.cidr
            .map(|cidr| Ipv4Addr::from(u32::from(cidr.network()) + 1))
    }

    /// The router's IPv6 address: network address plus one.
    pub fn router_ipv6(&self) -> Option<Ipv6Addr> {
        let cidr = self.ipv6_cidr_blocks.first()?.cidr;
        Some(Ipv6Addr::from(u128::from(cidr.network()) + 1))
    }

    /// Whether AWS keeps an address for itself: the first four and the last of a block.
    pub fn is_reserved(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => self.cidr.is_some_and(|cidr| {
                let offset = u32::from(v4).wrapping_sub(u32::from(cidr.network()));
                offset < 4 || v4 == cidr.broadcast()
            }),
            IpAddr::V6(v6) => self.ipv6_cidr_blocks.iter().any(|block| {
                let offset = u128::from(v6).wrapping_sub(u128::from(block.cidr.network()));
                offset < 4 || v6 == block.cidr.broadcast()
            }),
        }
    }
}
