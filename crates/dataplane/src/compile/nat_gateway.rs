//! NAT gateways as `forward` reads them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use model::{NatGatewayId, NetworkInterfaceId, State};

/// What a NAT gateway's network interface needs to know of it.
#[derive(Clone, Debug)]
pub(crate) struct NatGateway {
    pub(crate) id: NatGatewayId,
    /// The private addresses that it translates sources to.
    pub(crate) addresses: Vec<IpAddr>,
}

/// The gateways that take packets, by their network interfaces.
pub(crate) fn compile(state: &State) -> BTreeMap<NetworkInterfaceId, NatGateway> {
    let available = state.nat_gateways.values().filter(|g| g.is_available());
    available
        .filter_map(|gateway| {
            let addresses = gateway.addresses.iter().filter(|a| a.draining.is_none());
            let compiled = NatGateway {
                id: gateway.id,
                addresses: addresses
                    .filter_map(|a| a.private_ip.map(IpAddr::V4))
                    .collect(),
            };
            Some((gateway.network_interface_id()?, compiled))
        })
        .collect()
}
