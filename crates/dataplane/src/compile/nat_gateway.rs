//! NAT gateways as `forward` reads them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use model::{
    AvailabilityZone, InterfaceType, NatGatewayAddress, NatGatewayId, NetworkInterfaceId,
    RecorderId, Scope, State, Tags,
};

use super::route_table::RouteTable;
use super::vpc::Vpc;
use crate::InterfaceMetadata;
use crate::ports::{Device, PortId, Ports};

/// What translation needs to know of a NAT gateway.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NatGateway {
    pub(crate) id: NatGatewayId,
    /// The addresses that it translates sources of new connections to: private ones, and public ones if it is regional.
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

/// A NAT gateway without a network interface.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RegionalNatGateway {
    pub(crate) gateway: NatGateway,
    pub(crate) port: PortId,
    pub(crate) vpc: Arc<Vpc>,
    /// What rules the packets that it sends on.
    pub(crate) table: Option<Arc<RouteTable>>,
    by_zone: BTreeMap<AvailabilityZone, Vec<IpAddr>>,
    pub(crate) metadata: Arc<InterfaceMetadata>,
}

impl RegionalNatGateway {
    /// The addresses for new connections of hosts in a zone: its own, else those of the first zone that has any.
    pub(crate) fn addresses(&self, zone: Option<AvailabilityZone>) -> &[IpAddr] {
        let own = zone.and_then(|zone| self.by_zone.get(&zone));
        let own = own.or_else(|| self.by_zone.values().next());
        own.map_or(&[], Vec::as_slice)
    }

    /// Every address that packets come to.
    pub(crate) fn public_addresses(&self) -> impl Iterator<Item = Ipv4Addr> {
        let own = self.gateway.addresses.iter().chain(&self.gateway.draining);
        own.filter_map(|address| match address {
            IpAddr::V4(v4) => Some(*v4),
            IpAddr::V6(_) => None,
        })
    }
}

/// The gateways that take packets by network interfaces.
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

/// A regional gateway.
pub(crate) fn compile_regional(
    row: &model::NatGateway,
    scope: Scope,
    vpc: Arc<Vpc>,
    table: Option<Arc<RouteTable>>,
    ports: &mut Ports,
) -> Option<RegionalNatGateway> {
    let port = ports.get(&Device::NatGateway(row.id))?;
    let mut gateway = NatGateway {
        id: row.id,
        addresses: Vec::new(),
        draining: Vec::new(),
    };
    let mut by_zone: BTreeMap<AvailabilityZone, Vec<IpAddr>> = BTreeMap::new();
    for own in &row.addresses {
        let (Some(elastic), Some(zone)) = (&own.elastic, own.zone) else {
            continue;
        };
        let public = IpAddr::V4(elastic.public_ip);
        if own.draining.is_some() {
            gateway.draining.push(public);
        } else {
            gateway.addresses.push(public);
            by_zone.entry(zone).or_default().push(public);
        }
    }
    let metadata = InterfaceMetadata {
        scope,
        recorder: RecorderId::RegionalNatGateway(row.id),
        interface_type: InterfaceType::NatGateway,
        subnet_id: None,
        vpc_id: row.vpc_id,
        zone: None,
        instance_id: None,
        primary_ipv4: None,
        tags: Tags::new(),
        instance_tags: Tags::new(),
    };
    Some(RegionalNatGateway {
        gateway,
        port,
        vpc,
        table,
        by_zone,
        metadata: ports.share(metadata),
    })
}

fn private(addresses: Vec<&NatGatewayAddress>) -> Vec<IpAddr> {
    let own = addresses.into_iter().filter_map(|a| a.private_ip);
    own.map(IpAddr::V4).collect()
}
