//! What answers for AWS's own services: on the link, at public addresses, and behind endpoints (Amazon VPC User Guide,
//! "Amazon DNS server"; Amazon EC2 User Guide, "Instance metadata"; AWS PrivateLink Guide, "Gateway endpoints" and
//! "Access AWS services through AWS PrivateLink"). It is told who asks by the way, and begins nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use model::{AwsService, Region, State, Timestamp, Vpc, VpcEndpoint, VpcEndpointId};
use packet::{icmp, protocol, tcp};

use super::conversation::{Ends, Keeper, conversation};
use super::{Arrival, Naive, Place, is_running, owns};
use crate::{Asked, Device, Hop, Segment, Service, Way};

const METADATA_IPV4: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
const METADATA_IPV6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
/// The ports of AWS's services behind interface endpoints.
const ENDPOINT_PORTS: [u16; 2] = [80, 443];

impl<'w> Naive<'w> {
    /// A packet to an address of the link, if it is for one. Groups, network ACLs and routes do not concern it.
    pub(super) fn on_link(
        &mut self,
        from: Place<'w>,
        hop: Hop,
        segment: Segment,
    ) -> Option<Arrival> {
        let vpcs = from.state.vpcs.values();
        let vpc = vpcs.into_iter().find(|v| v.id == from.interface.vpc_id)?;
        let is_names = is_of_names(vpc, segment.dst);
        let is_metadata = match segment.dst {
            IpAddr::V4(address) => address == METADATA_IPV4,
            IpAddr::V6(address) => address == METADATA_IPV6,
        };
        if !is_names && !is_metadata {
            return None;
        }
        let asks = is_metadata && (segment.dst.is_ipv4() || asks_by_ipv6(from));
        let known_port = (!segment.lacks_ports()).then_some(segment.dst_port);
        let service = match (segment.protocol, known_port) {
            (protocol::TCP, Some(80)) if asks => Some(Service::Metadata),
            (protocol::TCP, Some(53)) if is_names && vpc.enable_dns_support => Some(Service::Names),
            _ => None,
        };
        // Weir's own: the link is no way for what a middlebox forwards.
        let is_heard = hop == Hop::Router && owns(from, segment.src);
        let way = Way::Link(from.interface.id);
        Some(match service.filter(|_| is_heard) {
            Some(service) => self.ask(Asked { service, way }, segment),
            None => None,
        })
    }

    /// A packet to a public address of a service.
    pub(super) fn public_service(&mut self, segment: Segment) -> Arrival {
        let (service, region) = AwsService::of_address(segment.dst)?;
        let service = Service::Aws(service, region);
        let way = Way::Internet;
        self.ask(Asked { service, way }, segment)
    }

    /// A packet to a gateway endpoint: it takes TCP and echo requests of those who are in its VPC.
    pub(super) fn gateway_endpoint(
        &mut self,
        from: Place<'w>,
        id: VpcEndpointId,
        segment: Segment,
    ) -> Arrival {
        let owner = self.in_vpc(from.interface.vpc_id, segment.src)?;
        let (service, region) = AwsService::of_address(segment.dst)?;
        let service = Service::Aws(service, region);
        let way = Way::GatewayEndpoint(id, owner.interface.id);
        self.ask(Asked { service, way }, segment)
    }

    /// A packet that the interface of an endpoint lets in to one of AWS's services.
    pub(super) fn interface_endpoint(
        &mut self,
        at: Place<'w>,
        endpoint: &VpcEndpoint,
        segment: Segment,
    ) -> Arrival {
        let region = self.region_of(at)?;
        let service = AwsService::ALL.into_iter().find(|service| {
            let name = service.endpoint_service();
            endpoint.service_name == format!("com.amazonaws.{region}.{name}")
        })?;
        let taken = self.has_services
            && segment.protocol == protocol::TCP
            && !segment.lacks_ports()
            && ENDPOINT_PORTS.contains(&segment.dst_port);
        if !taken {
            return None;
        }
        let keeper = Keeper::Endpoint(at.interface.id);
        let ends = Ends::of(&segment, true);
        let known = conversation(&self.seen, keeper, ends, &segment, self.now).is_some();
        if !known && !segment.opens() {
            return None;
        }
        self.note(true, keeper, ends, true, &segment, 0);
        let service = Service::Aws(service, region);
        let way = Way::InterfaceEndpoint(endpoint.id, at.interface.id);
        self.ask(Asked { service, way }, segment)
    }

    /// To a service, which takes TCP, and echo requests if it is one of AWS's.
    fn ask(&mut self, asked: Asked, segment: Segment) -> Arrival {
        let is_aws = matches!(asked.service, Service::Aws(..));
        let is_echo = segment.protocol == protocol::ICMP && segment.icmp_type == icmp::ECHO_REQUEST;
        let taken = segment.protocol == protocol::TCP || (is_aws && is_echo);
        if !self.has_services || !taken || segment.lacks_ports() || segment.quoted.is_some() {
            return None;
        }
        let (keeper, ends) = (Keeper::Service(asked), Ends::of(&segment, true));
        let known = conversation(&self.seen, keeper, ends, &segment, self.now).is_some();
        if !known && segment.has(tcp::RST) {
            return None;
        }
        self.note(true, keeper, ends, true, &segment, 0);
        self.ways.push(match asked.way {
            Way::Link(_) => "service on the link",
            Way::Internet => "service at its public address",
            Way::GatewayEndpoint(..) => "gateway endpoint",
            Way::InterfaceEndpoint(..) => "interface endpoint of a service",
        });
        Some((Device::Service(asked), segment))
    }

    /// From a service: an answer to who has asked, or nothing.
    pub(super) fn out_of_service(&mut self, asked: Asked, segment: Segment) -> Arrival {
        if segment.quoted.is_some() {
            return None;
        }
        let (keeper, ends) = (Keeper::Service(asked), Ends::of(&segment, false));
        let known = conversation(&self.seen, keeper, ends, &segment, self.now).is_some();
        self.note(known, keeper, ends, false, &segment, 0);
        if !known {
            return None;
        }
        self.ways.push("answer of a service");
        match asked.way {
            Way::Internet => self.internet(segment),
            Way::Link(id) => {
                let to = self.place(id).filter(|to| is_running(*to))?;
                owns(to, segment.dst).then_some((Device::Interface(id), segment))
            }
            Way::GatewayEndpoint(_, id) => {
                let to = self.place(id).filter(|to| owns(*to, segment.dst))?;
                self.arrive(to, true, segment)
            }
            Way::InterfaceEndpoint(_, id) => {
                let keeper = Keeper::Endpoint(id);
                let known = conversation(&self.seen, keeper, ends, &segment, self.now).is_some();
                self.note(known, keeper, ends, false, &segment, 0);
                let at = self.place(id).filter(|_| known)?;
                self.out_of_endpoint(at, segment)
            }
        }
    }

    /// Forgets first fragments to who has asked, because it has another address now.
    pub fn readdressed(&mut self, asked: Asked, (source, destination): (IpAddr, IpAddr)) {
        self.first_fragments.retain(|(_, sender, first)| {
            *sender != Device::Service(asked) || (first.dst, first.src) != (source, destination)
        });
    }

    /// Whether a service still waits for packets, or sends them, to who has asked from one address at another.
    pub fn serves(
        &self,
        asked: Asked,
        (source, destination): (IpAddr, IpAddr),
        now: Timestamp,
    ) -> bool {
        let keeper = Keeper::Service(asked);
        let mut own = self.seen.iter().filter(|passage| {
            let of = (passage.ends.near.0, passage.ends.far.0);
            passage.keeper == keeper && of == (source, destination)
        });
        own.any(|passage| {
            let neutral = Segment {
                tcp_flags: 0,
                ..passage.segment
            };
            conversation(&self.seen, keeper, passage.ends, &neutral, now).is_some()
        })
    }

    fn region_of(&self, at: Place<'w>) -> Option<Region> {
        let mut all = self.world.regions.iter();
        let own = |state: &State| state.network_interfaces.contains(&at.interface.id);
        let (scope, _) = all.find(|(_, state)| own(state))?;
        Some(scope.region)
    }
}

fn is_of_names(vpc: &Vpc, address: IpAddr) -> bool {
    let own = vpc.primary_cidr().map(|block| {
        let base = block.network().to_bits();
        IpAddr::V4(Ipv4Addr::from_bits(base + 2))
    });
    let everywhere = [
        IpAddr::from([169, 254, 169, 253]),
        IpAddr::from([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x253]),
    ];
    own == Some(address) || everywhere.contains(&address)
}

/// Whether the instance of an interface has its metadata at the IPv6 address too.
fn asks_by_ipv6(from: Place<'_>) -> bool {
    let instance_id = from.interface.attachment.as_ref().map(|a| a.instance_id);
    let mut instances = from.state.instances.values();
    instances.any(|i| Some(i.id) == instance_id && i.metadata_options.http_protocol_ipv6)
}
