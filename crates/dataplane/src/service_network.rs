//! The service network: where the daemon answers for AWS's own services.
//!
//! It is one port. A packet for a service goes there with a source that stands for exactly one [`Origin`]: who sent it,
//! to which address, and by which way. So equal private addresses of different VPCs never meet, and the daemon learns
//! from the network, and not from a client's words, who asks. From that port only answers come back.

mod origins;
mod walk;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use model::{AwsService, NetworkInterfaceId, Region, VpcEndpointId};
use packet::Mac;

pub(crate) use origins::{NoRoom, Origins, Sender};
pub(crate) use walk::on_link;

/// The MAC address of the router that the services see.
pub const SERVICES_ROUTER_MAC: Mac = Mac([0x0e, 0, 0, 0, 2, 2]);

/// The longest packet of the service network.
pub const MTU_SERVICES: u16 = 1500;

/// What is answered for behind the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Backend {
    /// The metadata of instances.
    Metadata,
    /// The Amazon DNS server, for those who ask over TCP.
    Dns,
    /// A service of AWS.
    Aws(AwsService),
}

/// The block of sources that stand for origins, and of the services' own addresses.
const V4: u32 = Ipv4Addr::new(100, 64, 0, 0).to_bits();
const V6: u128 = Ipv6Addr::new(0xfd57, 0x6569, 0x7200, 0x64, 0, 0, 0, 0).to_bits();
/// From here on addresses are the services' own.
const OWN_V4: u32 = Ipv4Addr::new(100, 127, 255, 0).to_bits();
const OWN_V6: u128 = V6 | 0xffff << 48;

impl Backend {
    /// Everything that may be behind the port.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Metadata, Self::Dns]
            .into_iter()
            .chain(AwsService::ALL.map(Self::Aws))
    }

    /// Its address in the service network, of IPv4 and of IPv6.
    pub fn addresses(self) -> (Ipv4Addr, Ipv6Addr) {
        let number = match self {
            Self::Metadata => 1,
            Self::Dns => 53,
            Self::Aws(service) => 2 + service as u8,
        };
        (
            Ipv4Addr::from_bits(OWN_V4 | u32::from(number)),
            Ipv6Addr::from_bits(OWN_V6 | u128::from(number)),
        )
    }

    pub(crate) fn address(self, ipv4: bool) -> IpAddr {
        match (ipv4, self.addresses()) {
            (true, (v4, _)) => v4.into(),
            (false, (_, v6)) => v6.into(),
        }
    }

    pub(crate) fn at(address: IpAddr) -> Option<Self> {
        Self::all().find(|backend| backend.address(address.is_ipv4()) == address)
    }
}

/// The networks that sources in the service network are from, with their prefix lengths.
pub const fn origin_networks() -> [(IpAddr, u8); 2] {
    [
        (IpAddr::V4(Ipv4Addr::from_bits(V4)), 10),
        (IpAddr::V6(Ipv6Addr::from_bits(V6)), 64),
    ]
}

/// Where the packets of a source in the service network come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// By which way they come.
    pub way: ServiceWay,
    /// The address that the service sees: a private one of the interface, or a public one.
    pub source: IpAddr,
    /// The service's address as the sender has it.
    pub destination: IpAddr,
    /// Which service that is.
    pub backend: Backend,
    /// Of which Region; `None` for what every VPC has for itself.
    pub region: Option<Region>,
}

/// By which way packets get to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServiceWay {
    /// By the link of a network interface.
    Link(NetworkInterfaceId),
    /// Over the internet.
    Internet,
    /// Through a gateway endpoint.
    GatewayEndpoint {
        /// The endpoint.
        endpoint: VpcEndpointId,
        /// The interface that has the source address.
        interface: NetworkInterfaceId,
    },
    /// Through an interface endpoint.
    InterfaceEndpoint {
        /// The endpoint.
        endpoint: VpcEndpointId,
        /// Its interface, which has the destination address.
        interface: NetworkInterfaceId,
    },
}
