//! Network interfaces (Amazon EC2 User Guide, "Elastic network interfaces").

mod table;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{
    AddressAssociationId, AllocationId, AttachmentId, InstanceId, NetworkInterfaceId,
    SecurityGroupId, SubnetId, Tags, Timestamp, VpcId,
};

pub use table::{NetworkInterfaces, Owner};

/// An elastic network interface (ENI).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkInterface {
    /// Its id.
    pub id: NetworkInterfaceId,
    /// What it is.
    #[serde(default)]
    pub interface_type: InterfaceType,
    /// The subnet it lives in.
    pub subnet_id: SubnetId,
    /// The VPC of that subnet.
    pub vpc_id: VpcId,
    /// What it is for.
    pub description: String,
    /// Fixed for life.
    pub mac: MacAddress,
    /// IPv4 addresses; the first is the primary one. Empty in an IPv6-only subnet.
    pub private_ip_addresses: Vec<PrivateIpAddress>,
    /// IPv6 addresses.
    pub ipv6_addresses: Vec<Ipv6Addr>,
    /// The security groups that it carries.
    pub groups: Vec<SecurityGroupId>,
    /// Whether it takes and sends only packets of its own addresses.
    pub source_dest_check: bool,
    /// Whether its instance gets a public IPv4 address from Amazon's pool at every start.
    #[serde(default)]
    pub associate_public_ip_address: bool,
    /// The instance that it is attached to.
    pub attachment: Option<Attachment>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Tags.
    pub tags: Tags,
}

impl NetworkInterface {
    /// The primary private IPv4 address.
    pub fn primary_ipv4(&self) -> Option<Ipv4Addr> {
        self.private_ip_addresses.first().map(|p| p.address)
    }

    /// Every private address, IPv4 first.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let v4 = self
            .private_ip_addresses
            .iter()
            .map(|p| IpAddr::V4(p.address));
        v4.chain(self.ipv6_addresses.iter().map(|&a| IpAddr::V6(a)))
    }

    /// The public address mapped to a private one.
    pub fn public_ip(&self, private: Ipv4Addr) -> Option<Ipv4Addr> {
        let own = self
            .private_ip_addresses
            .iter()
            .find(|p| p.address == private)?;
        own.association.as_ref().map(|a| a.public_ip)
    }

    /// Whether it is attached to an instance, or a service has made it for its own use.
    pub fn is_in_use(&self) -> bool {
        self.attachment.is_some() || self.interface_type.is_requester_managed()
    }

    /// The instance that it is attached to.
    pub fn instance_id(&self) -> Option<InstanceId> {
        self.attachment.as_ref().map(|a| a.instance_id)
    }
}

/// What a network interface is: its owner's, or that of a service which made it for its own use.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum InterfaceType {
    /// An ordinary one.
    #[default]
    Interface,
    /// A NAT gateway's.
    NatGateway,
    /// A node of a network load balancer.
    NetworkLoadBalancer,
    /// An interface endpoint's.
    VpcEndpoint,
}

impl InterfaceType {
    /// As the API spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Interface => "interface",
            Self::NatGateway => "natGateway",
            Self::NetworkLoadBalancer => "network_load_balancer",
            Self::VpcEndpoint => "vpc_endpoint",
        }
    }

    /// As the flow log fields `interface-type` and `next-hop-interface-type` spell it; nothing for an ordinary one.
    pub const fn field_name(self) -> Option<&'static str> {
        match self {
            Self::Interface => None,
            Self::NatGateway => Some("nat_gateway"),
            Self::NetworkLoadBalancer => Some("network_load_balancer"),
            Self::VpcEndpoint => Some("vpc_endpoint"),
        }
    }

    /// Whether a service of AWS made it and looks after it.
    pub const fn is_requester_managed(self) -> bool {
        !matches!(self, Self::Interface)
    }
}

/// A private IPv4 address of a network interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivateIpAddress {
    /// The address.
    pub address: Ipv4Addr,
    /// The public address that an internet gateway translates it to.
    pub association: Option<PublicIpAssociation>,
}

/// A public IPv4 address mapped to a private one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicIpAssociation {
    /// The public address.
    pub public_ip: Ipv4Addr,
    /// The Elastic IP address that it is; absent for an address of Amazon's pool.
    pub elastic: Option<(AllocationId, AddressAssociationId)>,
}

/// The attachment of a network interface to an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Its id.
    pub id: AttachmentId,
    /// The instance.
    pub instance_id: InstanceId,
    /// 0 is the primary interface: `eth0`.
    pub device_index: u8,
    /// When it was attached.
    pub attach_time: Timestamp,
    /// Whether the interface is deleted with the instance.
    pub delete_on_termination: bool,
}

/// A MAC address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MacAddress(pub [u8; 6]);

/// The text is not six pairs of hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid MAC address: \"{0}\"")]
pub struct MalformedMac(pub String);

impl FromStr for MacAddress {
    type Err = MalformedMac;
    fn from_str(text: &str) -> Result<Self, MalformedMac> {
        let malformed = || MalformedMac(text.to_owned());
        let mut bytes = [0; 6];
        let mut pairs = text.split(':');
        for byte in &mut bytes {
            let pair = pairs
                .next()
                .filter(|p| p.len() == 2)
                .ok_or_else(malformed)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| malformed())?;
        }
        if pairs.next().is_some() {
            Err(malformed())
        } else {
            Ok(Self(bytes))
        }
    }
}

impl TryFrom<String> for MacAddress {
    type Error = MalformedMac;
    fn try_from(text: String) -> Result<Self, MalformedMac> {
        text.parse()
    }
}

impl From<MacAddress> for String {
    fn from(mac: MacAddress) -> Self {
        mac.to_string()
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
