//! Packets to services, and their answers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use model::{AwsService, Region, ResourceId, VpcEndpointId};
use packet::{Mac, icmp, protocol, tcp};

use super::{Backend, MTU_SERVICES, NoRoom, Origin, SERVICES_ROUTER_MAC, Sender, ServiceWay};
use crate::compile::Snapshot;
use crate::compile::network_interface::Interface;
use crate::compile::services::Services;
use crate::compile::vpc::Vpc;
use crate::connection::Trackable;
use crate::disposition::Disposition;
use crate::flow_cache::{Membership, Owner, Translation};
use crate::ports::PortId;
use crate::service::{DNS_PORT, answers_names};
use crate::step::{Outcome, Stage};
use crate::subject::Subject;
use crate::tuple::{L4, Tuple};
use crate::walk::{End, Out, Walk};
use crate::{Direction, DropReason};

/// The instance metadata service's addresses in every VPC.
const METADATA_V4: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
const HTTP: u16 = 80;

impl Snapshot {
    /// Whether a packet is for a service on the interface's link that is in the service network.
    pub(crate) fn is_service_on_link(&self, interface: &Interface, packet: &Tuple) -> bool {
        self.services.is_some() && on_link(self.vpc_of(interface), interface, packet).is_some()
    }
}

/// What answers a network interface on its link, out of the service network. Nothing is logged or filtered there.
pub(crate) fn on_link(vpc: &Vpc, interface: &Interface, packet: &Tuple) -> Option<Backend> {
    let L4::Ports { dst: port, .. } = packet.l4 else {
        return None;
    };
    let is_metadata = match packet.dst {
        IpAddr::V4(v4) => v4 == METADATA_V4,
        IpAddr::V6(v6) => v6 == METADATA_V6 && interface.metadata_ipv6,
    };
    match (packet.protocol, port) {
        (protocol::TCP, HTTP) if is_metadata => Some(Backend::Metadata),
        (protocol::TCP, DNS_PORT) if answers_names(vpc, packet.dst) => Some(Backend::Dns),
        _ => None,
    }
}

impl Walk<'_> {
    /// A packet to a service on the link. Never cached: each takes from the interface's allowance.
    pub(crate) fn send_to_link_service(
        &mut self,
        from: &Interface,
        backend: Backend,
        dst_mac: Mac,
        subject: &Subject,
    ) -> End {
        self.way.cacheable = false;
        let tuple = &subject.tuple;
        if dst_mac != self.snapshot.vpc_of(from).router_mac {
            return Err(Disposition::RefusedOnLink(DropReason::DestinationMac));
        }
        if !from.owns(tuple.src) {
            return Err(self.source_dest_check(from, true, tuple.src));
        }
        let origin = Origin {
            way: ServiceWay::Link(from.id),
            source: tuple.src,
            destination: tuple.dst,
            backend,
            region: None,
        };
        let sender = Sender::Interface(from.port);
        self.send_to_service(origin, sender, Some(from.id.into()), subject)
    }

    /// A packet to the public address of a service, from a public address or from a host of the internet.
    pub(crate) fn send_to_public_service(
        &mut self,
        via: Option<ResourceId>,
        subject: &Subject,
    ) -> Option<End> {
        self.snapshot.services.as_ref()?;
        let (service, region) = AwsService::of_address(subject.tuple.dst)?;
        let origin = Origin {
            way: ServiceWay::Internet,
            source: subject.tuple.src,
            destination: subject.tuple.dst,
            backend: Backend::Aws(service),
            region: Some(region),
        };
        let sender = Sender::Address(subject.tuple.src);
        Some(self.send_to_service(origin, sender, via, subject))
    }

    /// A packet that a gateway endpoint lets through to its service.
    pub(crate) fn send_to_endpoint_service(
        &mut self,
        endpoint: VpcEndpointId,
        owner: &Interface,
        subject: &Subject,
    ) -> Option<End> {
        self.snapshot.services.as_ref()?;
        let (service, region) = AwsService::of_address(subject.tuple.dst)?;
        let origin = Origin {
            way: ServiceWay::GatewayEndpoint {
                endpoint,
                interface: owner.id,
            },
            source: subject.tuple.src,
            destination: subject.tuple.dst,
            backend: Backend::Aws(service),
            region: Some(region),
        };
        let sender = Sender::Interface(owner.port);
        Some(self.send_to_service(origin, sender, Some(endpoint.into()), subject))
    }

    /// A packet that an interface endpoint lets through to a service of AWS.
    pub(crate) fn send_to_aws_service(
        &mut self,
        to: &Interface,
        endpoint: VpcEndpointId,
        (service, region): (AwsService, Region),
        subject: &Subject,
    ) -> End {
        let origin = Origin {
            way: ServiceWay::InterfaceEndpoint {
                endpoint,
                interface: to.id,
            },
            source: subject.tuple.src,
            destination: subject.tuple.dst,
            backend: Backend::Aws(service),
            region: Some(region),
        };
        let sender = Sender::Behind {
            endpoint: to.port,
            address: subject.tuple.src,
        };
        self.send_to_service(origin, sender, Some(endpoint.into()), subject)
    }

    /// Gives a packet to a service, with a source that stands for its origin.
    pub(crate) fn send_to_service(
        &mut self,
        origin: Origin,
        sender: Sender,
        via: Option<ResourceId>,
        subject: &Subject,
    ) -> End {
        let Some(services) = &self.snapshot.services else {
            let address = origin.destination;
            return Err(Disposition::InternetUnreachable { address });
        };
        self.way.mtu = self.way.mtu.min(MTU_SERVICES);
        let taken = match takes(origin.backend, subject) {
            true => self.track(services, origin, sender, subject),
            false => Err(Disposition::NotServed {
                address: origin.destination,
            }),
        };
        let taken = taken.and_then(|source| {
            let too_long = self.too_long(MTU_SERVICES, subject);
            too_long.map_or(Ok(source), Err)
        });
        let disposition = match (&taken, origin.backend, origin.region) {
            (Err(refused), ..) => refused.clone(),
            (Ok(_), Backend::Aws(service), Some(region)) => Disposition::ReachesService {
                service,
                region,
                via,
                answered: services.answers(service),
            },
            (Ok(_), ..) => Disposition::TakenByService {
                address: origin.destination,
            },
        };
        if let Some(place) = via {
            let outcome = match taken {
                Ok(_) => Outcome::Pass,
                Err(_) => Outcome::Drop,
            };
            let stage = Stage::Service;
            self.step(place, Direction::Egress, stage, None, outcome, || {
                disposition.to_string()
            });
        }
        let source = taken?;
        let translation = Translation {
            src: Some(source),
            dst: Some(origin.backend.address(source.is_ipv4())),
            ..Translation::default()
        };
        self.translate(translation, subject);
        let out = Out {
            port: services.port,
            src_mac: SERVICES_ROUTER_MAC,
            dst_mac: services.mac,
        };
        Ok((out, disposition))
    }

    /// Tracks the connection at the services' port, so that answers are told from everything else.
    fn track(
        &mut self,
        services: &Services,
        origin: Origin,
        sender: Sender,
        subject: &Subject,
    ) -> Result<IpAddr, Disposition> {
        let full = |NoRoom| Disposition::ServiceLimitExceeded {
            address: origin.destination,
        };
        let inside = |source: IpAddr| {
            let tuple = Tuple {
                src: source,
                dst: origin.backend.address(source.is_ipv4()),
                ..subject.tuple
            };
            Trackable::of(services.port, false, &tuple)
        };
        let source = self.origins.source(origin, sender).map_err(full)?;
        if let Some(index) = self.alive(&inside(source), subject) {
            self.see(index, false, subject);
            return Ok(source);
        }
        if subject.tcp_flags & tcp::RST != 0 {
            // It ends nothing, and nobody answers it.
            return Err(Disposition::RefusedOnLink(DropReason::Unsolicited));
        }
        // What was over may have been the origin's last connection.
        let source = self.origins.source(origin, sender).map_err(full)?;
        let begun = match self.origins.begin(source) {
            Ok(()) => {
                let key = inside(source).key;
                let begun = self
                    .connections
                    .begin(key, false, subject.tcp_flags, self.now);
                if begun.is_err() {
                    self.origins.end(source);
                }
                begun.map_err(|crate::connection::TableFull| NoRoom)
            }
            Err(no_room) => Err(no_room),
        };
        let (connection, seen) = begun.map_err(|no_room| {
            self.way.cacheable = false;
            full(no_room)
        })?;
        self.way.memberships.push(Membership {
            owner: Owner::Connection(connection),
            egress: false,
        });
        self.way.idle_secs = self.way.idle_secs.min(seen.idle_secs);
        Ok(source)
    }

    /// A packet from the services' port: an answer of a tracked connection, or nothing.
    pub(crate) fn out_of_services(&mut self, dst_mac: Mac, subject: &Subject) -> End {
        let tuple = &subject.tuple;
        if dst_mac != SERVICES_ROUTER_MAC {
            return Err(Disposition::RefusedOnLink(DropReason::DestinationMac));
        }
        let unsolicited = Disposition::RefusedOnLink(DropReason::Unsolicited);
        let (Some(backend), Some((origin, sender))) =
            (Backend::at(tuple.src), self.origins.get(tuple.dst))
        else {
            return Err(unsolicited);
        };
        let port = self.way.from.unwrap_or(PortId::NONE);
        let trackable = Trackable::of(port, true, tuple);
        let connection = self.alive(&trackable, subject);
        let (Some(connection), true) = (connection, backend == origin.backend) else {
            return Err(unsolicited);
        };
        self.see(connection, true, subject);
        self.way.mtu = MTU_SERVICES;
        let translation = Translation {
            src: Some(origin.destination),
            dst: Some(origin.source),
            ..Translation::default()
        };
        let answer = self.translate(translation, subject);
        let interface = match sender {
            Sender::Interface(port) => self.snapshot.interface(port),
            Sender::Address(_) => return self.internet(None, false, &answer),
            Sender::Behind { endpoint, .. } => {
                let interface = self.snapshot.interface(endpoint);
                return self.answer_of_aws_service(interface, &answer);
            }
        };
        let gone = Disposition::NoSuchAddress {
            address: origin.source,
        };
        let to = interface.filter(|i| i.owns(origin.source)).ok_or(gone)?;
        match origin.way {
            ServiceWay::Link(_) => self.over_link(to),
            ServiceWay::GatewayEndpoint { .. } => self.ingress(to, true, None, &answer),
            ServiceWay::Internet | ServiceWay::InterfaceEndpoint { .. } => Err(unsolicited),
        }
    }

    /// To an interface, without anything in between.
    fn over_link(&mut self, to: &Interface) -> End {
        if !to.attached && self.assumed != Some(to.port) {
            return Err(Disposition::NoSuchDevice { interface: to.id });
        }
        let out = Out {
            port: to.port,
            src_mac: self.snapshot.vpc_of(to).router_mac,
            dst_mac: to.mac,
        };
        Ok((out, Disposition::Delivered { to: to.id }))
    }
}

/// Whether a service looks at such a packet at all. What is on the link is asked by TCP only; see [`on_link`].
fn takes(backend: Backend, subject: &Subject) -> bool {
    let Tuple { protocol, l4, .. } = subject.tuple;
    match (protocol, l4) {
        _ if subject.quoted.is_some() => false,
        (protocol::TCP, L4::Ports { .. }) => true,
        (protocol::ICMP, L4::Icmp { icmp_type, .. }) => {
            matches!(backend, Backend::Aws(_)) && icmp_type == icmp::ECHO_REQUEST
        }
        _ => false,
    }
}
