//! NAT gateways as `forward` reads them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use model::{NatGatewayAddress, NatGatewayId, NetworkInterfaceId, State};

/// What a NAT gateway's network interface needs to know of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NatGateway {
    pub(crate) id: NatGatewayId,
    /// The private addresses that it translates sources of new connections to.
    pub(crate) addresses: Vec<IpAddr>,
    /// Those whose connections go on, but to which no new ones come.
    pub(crate) draining: Vec<IpAddr>,
}

impl NatGateway {
    /// Whether connections may have an address.
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        self.addresses.contains(&address) || self.draining.contains(&address)
    }
}

/// The gateways that take packets, by their network interfaces.
pub(crate) fn compile(state: &State) -> BTreeMap<NetworkInterfaceId, NatGateway> {
    let available = state.nat_gateways.values().filter(|g| g.is_available());
    available
        .filter_map(|gateway| {
            let (draining, lasting): (Vec<_>, Vec<_>) =
                gateway.addresses.iter().partition(|a| a.draining.is_some());
            let compiled = NatGateway {
                id: gateway.id,
                addresses: private(lasting),
                draining: private(draining),
            };
            Some((gateway.network_interface_id()?, compiled))
        })
        .collect()
}

fn private(addresses: Vec<&NatGatewayAddress>) -> Vec<IpAddr> {
    let own = addresses.into_iter().filter_map(|a| a.private_ip);
    own.map(IpAddr::V4).collect()
}
