//! VPCs as `forward` reads them. Every address and every MAC address is looked up inside its VPC,
//! so VPCs with equal blocks cannot notice each other.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use hashbrown::HashMap;
use ipnet::IpNet;
use model::{InstanceId, InternetGatewayId, Region, VpcId};
use packet::Mac;

use super::dhcp_options::{self, DhcpOptions};
use super::dns_names::DnsNames;
use super::route_table::RouteTable;
use super::vpc_peering_connection::Peering;
use crate::ports::PortId;
use crate::tuple::Block;

pub(crate) type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// One VPC.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Vpc {
    pub(crate) id: VpcId,
    pub(crate) region: Region,
    pub(crate) router_mac: Mac,
    blocks: Vec<Block>,
    /// Private addresses of interfaces.
    pub(crate) addresses: Map<IpAddr, PortId>,
    pub(crate) macs: Map<[u8; 6], PortId>,
    /// The primary interfaces of instances.
    pub(crate) instances: Map<InstanceId, PortId>,
    pub(crate) internet_gateway: Option<InternetGatewayId>,
    /// What rules packets that come in through the internet gateway, if anything does.
    pub(crate) ingress_table: Option<Arc<RouteTable>>,
    pub(crate) peerings: Vec<Peering>,
    pub(crate) dns_server: Option<Ipv4Addr>,
    pub(crate) dns_support: bool,
    pub(crate) dns_hostnames: bool,
    /// Private names, which hide public ones: those of interface endpoints.
    pub(crate) private_names: DnsNames,
    pub(crate) dhcp_options: DhcpOptions,
}

impl Vpc {
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.blocks.iter().any(|block| block.contains(address))
    }

    /// Whether it has names of its own: both attributes have to be on.
    pub(crate) fn has_names(&self) -> bool {
        self.dns_support && self.dns_hostnames
    }
}

/// The same for a VPC's whole life, and never an interface's: those begin with other octets.
pub(crate) fn router_mac(id: VpcId) -> Mac {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in id.to_string().bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    let [_, _, _, b, c, d, e, f] = (hash ^ (hash >> 32)).to_be_bytes();
    Mac([0x0e, b, c, d, e, f])
}

pub(crate) fn compile(
    vpc: &model::Vpc,
    region: Region,
    internet_gateway: Option<InternetGatewayId>,
    dhcp_options: Option<&model::DhcpOptions>,
) -> Vpc {
    let v4 = vpc.cidr_blocks.iter().map(|b| IpNet::V4(b.cidr));
    let v6 = vpc.ipv6_cidr_blocks.iter().map(|b| IpNet::V6(b.cidr));
    Vpc {
        id: vpc.id,
        region,
        router_mac: router_mac(vpc.id),
        blocks: v4.chain(v6).map(Block::from).collect(),
        addresses: Map::default(),
        macs: Map::default(),
        instances: Map::default(),
        internet_gateway,
        ingress_table: None,
        peerings: Vec::new(),
        dns_server: vpc.dns_server(),
        dns_support: vpc.enable_dns_support,
        dns_hostnames: vpc.enable_dns_hostnames,
        private_names: DnsNames::default(),
        dhcp_options: dhcp_options::compile(vpc, dhcp_options),
    }
}
