//! Which private addresses a network interface gets (Amazon EC2 User Guide, "Private IPv4
//! addresses"; Amazon VPC User Guide, "Subnet CIDR blocks").

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ec2_api::{
    CreateNetworkInterfaceRequest, InstanceIpv6Address, InstanceNetworkInterfaceSpecification,
    PrivateIpAddressSpecification,
};
use ipnet::IpNet;
use model::{NetworkInterfaces, Subnet, SubnetId};

use crate::{Error, Transaction, parameter, subnet};

/// The private addresses that a request wants for a new interface.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct AddressRequest {
    /// The primary IPv4 address; if absent, the subnet's lowest free one.
    pub(crate) primary: Option<Ipv4Addr>,
    /// Secondary IPv4 addresses by name.
    pub(crate) secondary: Vec<Ipv4Addr>,
    /// How many more secondary IPv4 addresses.
    pub(crate) secondary_count: usize,
    /// IPv6 addresses by name.
    pub(crate) ipv6: Vec<Ipv6Addr>,
    /// How many IPv6 addresses; if absent, as many as the subnet gives by itself.
    pub(crate) ipv6_count: Option<usize>,
}

impl AddressRequest {
    pub(crate) fn of_interface(request: &CreateNetworkInterfaceRequest) -> Result<Self, Error> {
        Self::parse(
            &request.private_ip_address,
            &request.private_ip_addresses,
            request.secondary_private_ip_address_count,
            &request.ipv6_addresses,
            request.ipv6_address_count,
        )
    }

    pub(crate) fn of_launch(
        specification: &InstanceNetworkInterfaceSpecification,
    ) -> Result<Self, Error> {
        Self::parse(
            &specification.private_ip_address,
            &specification.private_ip_addresses,
            specification.secondary_private_ip_address_count,
            &specification.ipv6_addresses,
            specification.ipv6_address_count,
        )
    }

    pub(crate) fn parse(
        private_ip_address: &Option<String>,
        private_ip_addresses: &[PrivateIpAddressSpecification],
        secondary_count: Option<i32>,
        ipv6_addresses: &[InstanceIpv6Address],
        ipv6_count: Option<i32>,
    ) -> Result<Self, Error> {
        let mut wanted = Self::default();
        if let Some(text) = private_ip_address {
            wanted.primary = Some(parameter::ipv4(text, "privateIpAddress")?);
        }
        for item in private_ip_addresses {
            let text = parameter::required(&item.private_ip_address, "PrivateIpAddress")?;
            let address = parameter::ipv4(text, "privateIpAddress")?;
            if item.primary != Some(true) {
                wanted.secondary.push(address);
            } else if wanted.primary.replace(address).is_some() {
                return Err(combination(
                    "Only one primary private IP address can be specified.",
                ));
            }
        }
        if secondary_count.is_some() && !private_ip_addresses.is_empty() {
            return Err(combination(
                "The parameter secondaryPrivateIpAddressCount cannot be used with the parameter privateIpAddresses",
            ));
        }
        wanted.secondary_count =
            parameter::count(secondary_count, "secondaryPrivateIpAddressCount")?;
        for item in ipv6_addresses {
            let text = parameter::required(&item.ipv6_address, "Ipv6Address")?;
            wanted.ipv6.push(parameter::ipv6(text, "ipv6Address")?);
        }
        if ipv6_count.is_some() && !ipv6_addresses.is_empty() {
            return Err(combination(
                "The parameter ipv6AddressCount cannot be used with the parameter ipv6Addresses",
            ));
        }
        if ipv6_count.is_some() || !ipv6_addresses.is_empty() {
            wanted.ipv6_count = Some(parameter::count(ipv6_count, "ipv6AddressCount")?);
        }
        Ok(wanted)
    }

    /// Whether any address is wanted by name.
    pub(crate) fn names_addresses(&self) -> bool {
        self.primary.is_some() || !self.secondary.is_empty() || !self.ipv6.is_empty()
    }

    /// How many IPv4 addresses there will be.
    pub(crate) fn ipv4_len(&self) -> usize {
        1 + self.secondary.len() + self.secondary_count
    }

    /// How many IPv6 addresses there will be in a subnet.
    pub(crate) fn ipv6_len(&self, subnet: &Subnet) -> usize {
        self.ipv6.len() + self.automatic_ipv6(subnet)
    }

    /// Picks the addresses, the primary IPv4 one first.
    pub(crate) fn allocate(
        &self,
        tx: &Transaction<'_>,
        subnet: &Subnet,
    ) -> Result<(Vec<Ipv4Addr>, Vec<Ipv6Addr>), Error> {
        if self.ipv4_len() > ADDRESSES_MAX || self.ipv6_len(subnet) > ADDRESSES_MAX {
            return Err(address_limit_exceeded());
        }
        let mut pool = Pool::of(tx, subnet);
        let mut ipv4 = Vec::new();
        if subnet.ipv6_native {
            if self.primary.is_some() || self.ipv4_len() > 1 {
                return Err(Error::InvalidParameterValue(format!(
                    "The subnet '{}' does not have an IPv4 CIDR block.",
                    subnet.id
                )));
            }
        } else {
            // Addresses wanted by name are taken before others are picked.
            let named = self.primary.iter().chain(&self.secondary);
            named.copied().try_for_each(|a| pool.claim(a.into()))?;
            ipv4.push(match self.primary {
                Some(address) => address,
                None => pool.lowest_ipv4()?,
            });
            ipv4.extend(&self.secondary);
            for _ in 0..self.secondary_count {
                ipv4.push(pool.lowest_ipv4()?);
            }
        }
        let mut ipv6 = self.ipv6.clone();
        ipv6.iter().try_for_each(|&a| pool.claim(a.into()))?;
        for _ in 0..self.automatic_ipv6(subnet) {
            ipv6.push(pool.lowest_ipv6()?);
        }
        Ok((ipv4, ipv6))
    }

    fn automatic_ipv6(&self, subnet: &Subnet) -> usize {
        let by_itself = subnet.assign_ipv6_address_on_creation || subnet.ipv6_native;
        self.ipv6_count.unwrap_or(usize::from(by_itself))
    }
}

/// The addresses of a subnet, as far as they are free.
pub(crate) struct Pool<'a> {
    subnet: &'a Subnet,
    interfaces: NetworkInterfaces,
    /// What this request has taken.
    claimed: BTreeSet<IpAddr>,
    /// Blocks whose addresses are given to those that ask for them by name only.
    reserved: Vec<IpNet>,
}

impl<'a> Pool<'a> {
    pub(crate) fn of(tx: &Transaction<'_>, subnet: &'a Subnet) -> Self {
        let reserved = subnet::cidr_reservations(tx, subnet.id).map(|row| row.cidr);
        Self {
            subnet,
            interfaces: tx.state().network_interfaces.clone(),
            claimed: BTreeSet::new(),
            reserved: reserved.collect(),
        }
    }

    /// Takes an address that is wanted by name.
    pub(crate) fn claim(&mut self, address: IpAddr) -> Result<(), Error> {
        self.check(address)?;
        let taken = self.interfaces.with_address(self.subnet.id, address);
        if taken.is_none() && self.claimed.insert(address) {
            Ok(())
        } else {
            Err(Error::new(
                "InvalidIPAddress.InUse",
                format!("Address {address} is in use."),
            ))
        }
    }

    /// Refuses addresses outside the subnet, and those that AWS keeps for itself.
    pub(crate) fn check(&self, address: IpAddr) -> Result<(), Error> {
        let why = if !self.subnet.contains(address) {
            "Address does not fall within the subnet's address range"
        } else if self.subnet.is_reserved(address) {
            "Address is in subnet's reserved address range"
        } else {
            return Ok(());
        };
        Err(Error::InvalidParameterValue(why.to_owned()))
    }

    /// Takes the lowest free IPv4 address.
    pub(crate) fn lowest_ipv4(&mut self) -> Result<Ipv4Addr, Error> {
        let block = self.subnet.cidr.map(IpNet::V4);
        match block.and_then(|block| self.lowest(block)) {
            Some(IpAddr::V4(address)) => Ok(address),
            _ => Err(no_free_address(self.subnet.id)),
        }
    }

    /// Takes the lowest free IPv6 address.
    pub(crate) fn lowest_ipv6(&mut self) -> Result<Ipv6Addr, Error> {
        let Some(block) = self.subnet.ipv6_cidr_blocks.first() else {
            return Err(Error::InvalidParameterValue(format!(
                "The subnet '{}' does not have an IPv6 CIDR block.",
                self.subnet.id
            )));
        };
        match self.lowest(block.cidr.into()) {
            Some(IpAddr::V6(address)) => Ok(address),
            _ => Err(no_free_address(self.subnet.id)),
        }
    }

    /// Takes the lowest free address of a block. Runs of addresses that are taken or reserved are stepped over at once.
    fn lowest(&mut self, block: IpNet) -> Option<IpAddr> {
        let mut from = block.network();
        loop {
            from = self.interfaces.next_free(self.subnet.id, from)?;
            if from > block.broadcast() {
                return None;
            }
            if let Some(reserved) = self.reserved.iter().find(|block| block.contains(&from)) {
                from = next(reserved.broadcast())?;
            } else if self.subnet.is_reserved(from) || !self.claimed.insert(from) {
                from = next(from)?;
            } else {
                return Some(from);
            }
        }
    }
}

fn next(address: IpAddr) -> Option<IpAddr> {
    Some(match address {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits().checked_add(1)?).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits().checked_add(1)?).into(),
    })
}

/// `InsufficientFreeAddressesInSubnet`.
pub(crate) fn no_free_address(subnet_id: SubnetId) -> Error {
    Error::new(
        NO_FREE_ADDRESS,
        format!(
            "There are not enough free addresses in subnet '{subnet_id}' to satisfy the requested number of addresses."
        ),
    )
}

/// The code of [`no_free_address`].
pub(crate) const NO_FREE_ADDRESS: &str = "InsufficientFreeAddressesInSubnet";

/// `PrivateIpAddressLimitExceeded`.
pub(crate) fn address_limit_exceeded() -> Error {
    Error::new(
        "PrivateIpAddressLimitExceeded",
        "Number of private addresses will exceed limit.",
    )
}

fn combination(message: &str) -> Error {
    Error::InvalidParameterCombination(message.to_owned())
}

/// Of each family, for an interface that is attached to nothing: the limit of the largest types.
pub(crate) const ADDRESSES_MAX: usize = 50;
