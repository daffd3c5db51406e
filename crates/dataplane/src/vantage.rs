//! What one interface sees: packets that were captured there, decided on once more.

use std::net::IpAddr;
use std::sync::Arc;

use model::NetworkInterfaceId;
use packet::Mac;

use crate::compile::Snapshot;
use crate::compile::network_interface::Interface;
use crate::disposition::Disposition;
use crate::forward::Dataplane;
use crate::ports::PortId;
use crate::subject::Subject;
use crate::walk::{End, Out, Walk};
use crate::{Device, InterfaceMetadata};

impl Dataplane {
    /// From now on the data plane knows what one interface knows. Frames from [`PortId::WIRE`] arrive there, whoever
    /// has sent them, and frames from its own port leave it; what happens before or behind it is not decided. For
    /// packets that were captured at the interface. `None` if there is no such interface, or it is a service's.
    pub fn stand_at(&mut self, interface: NetworkInterfaceId) -> Option<Vantage> {
        let snapshot = self.snapshot.clone();
        let port = snapshot.port_of(&Device::Interface(interface))?;
        let at = snapshot.interface(port)?;
        let is_service = at.nat_gateway.is_some() || at.load_balancer.is_some();
        if is_service || at.endpoint.is_some() {
            return None;
        }
        let vantage = Vantage {
            port,
            mac: at.mac,
            router_mac: snapshot.vpc_of(at).router_mac,
            addresses: at.addresses.clone(),
            checks_addresses: at.source_dest_check,
            metadata: at.metadata.clone(),
            snapshot: snapshot.clone(),
        };
        self.alone = Some(port);
        Some(vantage)
    }

    /// How many samples wait for a harvest besides those of flows.
    pub fn waiting(&self) -> usize {
        self.meter.waiting()
    }
}

/// The place of one interface.
#[derive(Clone, Debug)]
pub struct Vantage {
    snapshot: Arc<Snapshot>,
    /// The interface's own port.
    pub port: PortId,
    /// Its MAC address.
    pub mac: Mac,
    /// The MAC address of the router that it sees.
    pub router_mac: Mac,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Whether it takes and sends only packets of its own addresses.
    pub checks_addresses: bool,
    /// As records name it.
    pub metadata: Arc<InterfaceMetadata>,
}

impl Vantage {
    /// Whether another interface of the subnet has this MAC address.
    pub fn is_neighbour(&self, mac: Mac) -> bool {
        let at = self.snapshot.interface(self.port);
        at.is_some_and(|at| neighbour(&self.snapshot, at, mac).is_some())
    }
}

fn neighbour<'a>(snapshot: &'a Snapshot, of: &Interface, mac: Mac) -> Option<&'a Interface> {
    let port = snapshot.vpc_of(of).macs.get(&mac.0)?;
    let interface = snapshot.interface(*port)?;
    (interface.subnet.id == of.subnet.id && interface.port != of.port).then_some(interface)
}

impl Walk<'_> {
    /// A packet arrives at the one interface that there is, from wherever it came.
    pub(crate) fn arrive(&mut self, at: &Interface, src_mac: Mac, subject: &Subject) -> End {
        let snapshot = self.snapshot;
        let src = subject.tuple.src;
        let subnet = snapshot.subnet_of(at);
        let sender = snapshot.vpc_of(at).addresses.get(&src);
        let sender = sender.and_then(|&port| snapshot.interface(port));
        let beside = neighbour(snapshot, at, src_mac);
        let is_neighbour = beside.is_some();
        self.way.sent_by = beside.or(sender).map(|from| from.metadata.clone());
        let is_of_subnet = match src {
            IpAddr::V4(v4) => subnet.cidr.is_some_and(|cidr| cidr.contains(&v4)),
            IpAddr::V6(v6) => subnet.ipv6_cidr.is_some_and(|cidr| cidr.contains(&v6)),
        };
        let enters_subnet = !is_neighbour && !is_of_subnet;
        self.ingress(at, enters_subnet, is_neighbour.then_some(src_mac), subject)
    }

    /// A packet leaves for where nothing is decided.
    pub(crate) fn leaves_for(&self, to: PortId, disposition: Disposition) -> Option<End> {
        let alone = self.alone?;
        (to != alone).then_some(Ok((
            Out {
                port: PortId::WIRE,
                src_mac: Mac::default(),
                dst_mac: Mac::default(),
            },
            disposition,
        )))
    }
}
