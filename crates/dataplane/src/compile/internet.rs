//! The far side of internet gateways.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use imbl::OrdMap;
use packet::Mac;

use crate::ports::{Device, PortId};

/// The MAC address of the router that internet hosts and the uplink see.
pub const INTERNET_ROUTER_MAC: Mac = Mac([0x0e, 0, 0, 0, 0, 1]);

/// Who is reachable on the internet.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Internet {
    /// Public IPv4 addresses of every VPC: the interface and its private address, or a regional NAT gateway, which has
    /// the address itself.
    pub(crate) public_v4: Owners<Ipv4Addr, (PortId, Ipv4Addr)>,
    /// IPv6 addresses of every VPC.
    pub(crate) public_v6: Owners<Ipv6Addr, PortId>,
    pub(crate) hosts: OrdMap<IpAddr, PortId>,
    pub(crate) uplink: Option<PortId>,
}

/// Who has an address: of several devices, the one with the lowest id. Cloning is cheap.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Owners<A: Ord + Clone, T>(OrdMap<(A, Option<Device>), T>);

impl<A: Ord + Clone, T> Default for Owners<A, T> {
    fn default() -> Self {
        Self(OrdMap::new())
    }
}

impl<A: Ord + Copy, T: Clone> Owners<A, T> {
    pub(crate) fn get(&self, address: &A) -> Option<&T> {
        let ((found, _), owner) = self.0.range((*address, None)..).next()?;
        (found == address).then_some(owner)
    }

    pub(crate) fn insert(&mut self, address: A, device: Device, owner: T) {
        self.0.insert((address, Some(device)), owner);
    }

    pub(crate) fn remove(&mut self, address: A, device: Device) {
        self.0.remove(&(address, Some(device)));
    }
}

impl Internet {
    /// Whether an address belongs to an interface of a VPC, or to a simulated host.
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        let inside = match address {
            IpAddr::V4(v4) => self.public_v4.get(&v4).is_some(),
            IpAddr::V6(v6) => self.public_v6.get(&v6).is_some(),
        };
        inside || self.hosts.contains_key(&address)
    }
}

/// A host of the simulated internet, or the uplink.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outside {
    pub(crate) port: PortId,
    pub(crate) mac: Mac,
    /// A host's one address; the uplink has every other.
    pub(crate) address: Option<IpAddr>,
}

/// Whether an address is routed on the internet at all. Nothing else ever leaves by the uplink, so
/// that instances cannot reach networks that only the host can see.
pub(crate) fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => {
            let [first, second, ..] = a.octets();
            !(a.is_private()
                || a.is_loopback()
                || a.is_link_local()
                || a.is_multicast()
                || a.is_broadcast()
                || first == 0
                || first >= 240
                || (first == 100 && (64..128).contains(&second)))
        }
        IpAddr::V6(a) => a.segments()[0] & 0xe000 == 0x2000,
    }
}
