//! DHCP option sets (Amazon VPC User Guide, "DHCP option sets in Amazon VPC").

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use crate::{DhcpOptionsId, Tags};

/// A set of DHCP options; immutable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhcpOptions {
    /// Its id.
    pub id: DhcpOptionsId,
    /// Option names and their values, in the order given.
    pub configurations: Vec<(String, Vec<String>)>,
    /// Whether new VPCs of the Region start with it.
    #[serde(default)]
    pub is_default: bool,
    /// Tags.
    pub tags: Tags,
}

/// A name server of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameServer {
    /// The Amazon DNS server, by whichever of its addresses suits the VPC.
    Amazon,
    /// A server of the customer's.
    Address(IpAddr),
}

impl DhcpOptions {
    /// What stands for the Amazon DNS server among `domain-name-servers`.
    pub const AMAZON_PROVIDED_DNS: &str = "AmazonProvidedDNS";
    /// How long an IPv6 address is preferred after its lease was renewed, unless the set says so, in seconds.
    pub const IPV6_PREFERRED_LEASE_SECS: u32 = 140;

    /// `domain-name`: one name, or several separated by spaces.
    pub fn domain_name(&self) -> Option<&str> {
        self.values("domain-name").first().map(String::as_str)
    }

    /// `domain-name-servers`.
    pub fn domain_name_servers(&self) -> Vec<NameServer> {
        let server = |value: &String| match value.as_str() {
            Self::AMAZON_PROVIDED_DNS => Some(NameServer::Amazon),
            address => address.parse().ok().map(NameServer::Address),
        };
        let values = self.values("domain-name-servers");
        values.iter().filter_map(server).collect()
    }

    /// `ntp-servers`.
    pub fn ntp_servers(&self) -> Vec<IpAddr> {
        self.parsed("ntp-servers")
    }

    /// `netbios-name-servers`.
    pub fn netbios_name_servers(&self) -> Vec<Ipv4Addr> {
        self.parsed("netbios-name-servers")
    }

    /// `netbios-node-type`.
    pub fn netbios_node_type(&self) -> Option<u8> {
        self.parsed("netbios-node-type").first().copied()
    }

    /// `ipv6-address-preferred-lease-time`, in seconds.
    pub fn ipv6_preferred_lease_s(&self) -> u32 {
        let given = self.parsed("ipv6-address-preferred-lease-time");
        given
            .first()
            .copied()
            .unwrap_or(Self::IPV6_PREFERRED_LEASE_SECS)
    }

    fn values(&self, key: &str) -> &[String] {
        let found = self.configurations.iter().find(|(own, _)| own == key);
        found.map_or(&[], |(_, values)| values)
    }

    fn parsed<T: std::str::FromStr>(&self, key: &str) -> Vec<T> {
        let values = self.values(key).iter();
        values.filter_map(|value| value.parse().ok()).collect()
    }
}
