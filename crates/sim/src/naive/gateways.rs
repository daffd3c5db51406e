//! The ways in and out of a VPC.

use std::net::IpAddr;

use model::{
    EgressOnlyInternetGatewayId, InternetGatewayId, NatGateway, NatGatewayId, PeeringStatus,
    RouteTarget, VpcPeeringConnection,
};
use packet::protocol;

use super::conversation::{Ends, Keeper, conversation};
use super::{Arrival, Naive, Place};
use crate::{Device, Segment};

/// Weir's own: a packet that comes through more NAT gateways goes in a circle.
const HOPS_MAX: u8 = 3;

impl<'w> Naive<'w> {
    /// Out by an internet gateway: with the public address of the source (Amazon VPC User Guide, "Enable internet
    /// access for a VPC using an internet gateway").
    pub(super) fn internet_gateway(
        &mut self,
        from: Place<'w>,
        id: InternetGatewayId,
        segment: Segment,
    ) -> Arrival {
        let vpc_id = from.interface.vpc_id;
        let mut gateways = from.state.internet_gateways.values();
        gateways.find(|g| g.id == id && g.vpc_id == Some(vpc_id))?;
        let owner = self.in_vpc(vpc_id, segment.src)?;
        let src = match segment.src {
            IpAddr::V4(private) => IpAddr::V4(owner.interface.public_ip(private)?),
            IpAddr::V6(_) => segment.src,
        };
        self.internet(segment.from_address(src))
    }

    /// Out by an egress-only internet gateway, which remembers.
    pub(super) fn egress_only_internet_gateway(
        &mut self,
        from: Place<'w>,
        id: EgressOnlyInternetGatewayId,
        segment: Segment,
    ) -> Arrival {
        let vpc_id = from.interface.vpc_id;
        let mut gateways = from.state.egress_only_internet_gateways.values();
        gateways.find(|g| g.id == id && g.vpc_id == vpc_id)?;
        self.in_vpc(vpc_id, segment.src)?;
        let (keeper, ends) = (
            Keeper::EgressOnlyInternetGateway(id),
            Ends::of(&segment, true),
        );
        self.note(true, keeper, ends, true, &segment, 0);
        self.internet(segment)
    }

    /// Over the internet to a host, or into the VPC in which a public address is.
    pub(super) fn internet(&mut self, segment: Segment) -> Arrival {
        let target = self.places().find_map(|place| {
            let mut own = place.interface.addresses();
            let private = own.find(|&private| match private {
                IpAddr::V4(v4) => {
                    place.interface.public_ip(v4).map(IpAddr::V4) == Some(segment.dst)
                }
                IpAddr::V6(_) => private == segment.dst,
            });
            private.map(|private| (place, private))
        });
        if let Some((to, private)) = target {
            return self.enter_vpc(to, private, segment);
        }
        let mut hosts = self
            .world
            .regions
            .values()
            .flat_map(|s| s.internet_hosts.values());
        match hosts.find(|host| host.address == segment.dst) {
            Some(host) => Some((Device::Host(host.address), segment)),
            None => self.public_service(segment),
        }
    }

    fn enter_vpc(&mut self, to: Place<'w>, private: IpAddr, segment: Segment) -> Arrival {
        // A subnet picks its gateway by its routes.
        let subnets = to.state.subnets.values();
        let subnet = subnets
            .into_iter()
            .find(|s| s.id == to.interface.subnet_id)?;
        let back = self.best_route(to.state, to.state.route_table_of(subnet)?, segment.src);
        let gateway = to.state.internet_gateways.values();
        if private.is_ipv6()
            && let Some(RouteTarget::EgressOnlyInternetGateway(id)) = back
            && let mut all = to.state.egress_only_internet_gateways.values()
            && all.any(|g| g.id == id && g.vpc_id == to.interface.vpc_id)
        {
            let keeper = Keeper::EgressOnlyInternetGateway(id);
            let ends = Ends::of(&segment, false);
            // Whether it answers cannot be told.
            let is_vague = segment.protocol == protocol::ICMPV6 && segment.lacks_ports();
            let known = conversation(&self.seen, keeper, ends, &segment, self.now);
            let known = known.is_some() && !is_vague;
            self.note(known, keeper, ends, false, &segment, 0);
            self.ways.push("back through egress-only internet gateway");
            return known.then(|| self.arrive(to, true, segment))?;
        }
        let gateway = gateway
            .into_iter()
            .find(|g| g.vpc_id == Some(to.interface.vpc_id))?;
        self.ways.push("into a VPC by internet gateway");
        let segment = segment.to_address(private);
        let mut tables = to.state.route_tables.values();
        let table = tables.find(|table| {
            let mut associations = table.associations.iter();
            associations.any(|a| a.gateway_id == Some(gateway.id))
        });
        let to = match table {
            None => to,
            Some(table) => match self.best_route(to.state, table, private)? {
                RouteTarget::Local => to,
                RouteTarget::NetworkInterface(id) => {
                    self.ways.push("gateway route table");
                    self.running_in_vpc(to, id)?
                }
                _ => return None,
            },
        };
        self.arrive(to, true, segment)
    }

    pub(super) fn nat_gateway_interface(
        &self,
        from: Place<'w>,
        id: NatGatewayId,
    ) -> Option<Place<'w>> {
        let mut gateways = from.state.nat_gateways.values();
        let gateway = gateways.find(|g| g.id == id && g.vpc_id == from.interface.vpc_id)?;
        self.place(gateway.network_interface_id()?)
            .filter(|_| gateway.is_available())
    }

    fn nat_gateway_at(&self, at: Place<'w>) -> Option<&'w NatGateway> {
        let mut gateways = at.state.nat_gateways.values();
        gateways.find(|g| g.is_available() && g.network_interface_id() == Some(at.interface.id))
    }

    /// From inside through a NAT gateway (Amazon VPC User Guide, "NAT gateway basics").
    pub(super) fn through_nat_gateway(
        &mut self,
        at: Place<'w>,
        enters_subnet: bool,
        segment: Segment,
    ) -> Arrival {
        self.hops += 1;
        if self.hops > HOPS_MAX || (enters_subnet && !self.network_acl_passes(at, false, &segment))
        {
            return None;
        }
        let (gateway, own) = (self.nat_gateway_at(at)?, at.interface.primary_ipv4()?);
        if !is_translated(&segment) {
            return None;
        }
        let keeper = Keeper::NatGateway(gateway.id);
        let ends = Ends::of(&segment, true);
        let known = conversation(&self.seen, keeper, ends, &segment, self.now);
        let begins = match segment.protocol {
            _ if segment.quoted.is_some() => false,
            protocol::TCP => segment.opens(),
            protocol::UDP => true,
            protocol::ICMP => !segment.is_echo_reply(),
            _ => false,
        };
        if known.is_none() && !begins {
            return None;
        }
        let sent = self.sent_by(at.interface.id).map(|sight| sight.src.1);
        // Records do not tell identifiers, but nothing replaces them again.
        let sent = match segment.protocol {
            protocol::ICMP if segment.quoted.is_none() => {
                self.observed.arrived.map(|observed| observed.src_port)
            }
            _ => sent,
        };
        let known = known.map(|known| known.port).filter(|port| *port != 0);
        let port = known.or(sent).unwrap_or_default();
        if known.is_none() {
            self.check_new_port(keeper, ends, port);
        }
        self.ways.push("NAT gateway");
        self.note(true, keeper, ends, true, &segment, port);
        self.route(at, segment.from(IpAddr::V4(own), port))
    }

    /// A port is of the documented range, and serves one conversation with each far end.
    fn check_new_port(&mut self, keeper: Keeper, ends: Ends, port: u16) {
        if port == 0 {
            return;
        }
        if port < 1024 {
            self.complaint = Some(format!("a NAT gateway took port {port}"));
        }
        for passage in self.seen.iter().filter(|p| p.keeper == keeper) {
            let other = passage.ends;
            let same_far = (other.far.0, other.protocol) == (ends.far.0, ends.protocol)
                && (other.far.1 == ends.far.1 || ends.protocol == protocol::ICMP);
            if same_far && other != ends && passage.port == port {
                let at = &passage.segment;
                let lives = conversation(&self.seen, keeper, other, at, self.now);
                if lives.is_some() {
                    self.complaint = Some(format!("a NAT gateway gave port {port} twice"));
                }
            }
        }
    }

    /// The near ends that an answer to a NAT gateway's address may be for: those that ever had its port.
    fn near_ends(&self, keeper: Keeper, segment: &Segment) -> Vec<Ends> {
        let inward = Ends::of(segment, false);
        if segment.lacks_ports() {
            return Vec::new();
        }
        let of_gateway = self.seen.iter().filter(|passage| passage.keeper == keeper);
        let all = of_gateway.filter(|passage| passage.port == inward.near.1);
        let ends = all.map(|passage| passage.ends).filter(|ends| {
            // An echo has one identifier, which the gateway replaces.
            let far = ends.far.0 == inward.far.0
                && (ends.far.1 == inward.far.1 || ends.protocol == protocol::ICMP);
            far && (ends.protocol, ends.near_asks) == (inward.protocol, inward.near_asks)
        });
        ends.collect()
    }

    /// Whether a NAT gateway still waits for an answer to these ends.
    fn waits(&self, keeper: Keeper, ends: Ends, segment: &Segment) -> bool {
        let known = conversation(&self.seen, keeper, ends, segment, self.now);
        known.is_some_and(|known| known.port == Ends::of(segment, false).near.1)
    }

    /// From outside to a NAT gateway's address.
    pub(super) fn back_through_nat_gateway(
        &mut self,
        at: Place<'w>,
        enters_subnet: bool,
        segment: Segment,
    ) -> Arrival {
        self.hops += 1;
        if self.hops > HOPS_MAX || (enters_subnet && !self.network_acl_passes(at, false, &segment))
        {
            return None;
        }
        let gateway = self.nat_gateway_at(at)?;
        if at.interface.primary_ipv4().map(IpAddr::V4) != Some(segment.dst) {
            return None;
        }
        if !is_translated(&segment) {
            return None;
        }
        let keeper = Keeper::NatGateway(gateway.id);
        let candidates = self.near_ends(keeper, &segment);
        let found = candidates
            .iter()
            .find(|ends| self.waits(keeper, **ends, &segment));
        let ends = found.or(candidates.first())?;
        let inside = segment.to(ends.near.0, ends.near.1);
        self.note(
            found.is_some(),
            keeper,
            *ends,
            false,
            &inside,
            segment.dst_port,
        );
        found?;
        self.ways.push("back through NAT gateway");
        self.route(at, inside)
    }

    /// The connection to a peer's NAT gateway that waits for a packet: such answers return whatever the routes say
    /// (Amazon VPC User Guide, "NAT gateway basics").
    pub(super) fn peering_back_to_nat_gateway(
        &self,
        from: Place<'w>,
        segment: &Segment,
    ) -> Option<&'w VpcPeeringConnection> {
        let here = from.interface.vpc_id;
        let peerings = self.world.vpc_peering_connections();
        let mut active = peerings.filter(|peering| peering.status == PeeringStatus::Active);
        active.find(|peering| {
            let there = match peering.other(here) {
                Some(side) => side.vpc_id,
                None => return false,
            };
            let at = self.in_vpc(there, segment.dst);
            let gateway = at.and_then(|at| self.nat_gateway_at(at));
            gateway.is_some_and(|gateway| {
                let keeper = Keeper::NatGateway(gateway.id);
                let mut near_ends = self.near_ends(keeper, segment).into_iter();
                near_ends.any(|ends| self.waits(keeper, ends, segment))
            })
        })
    }
}

/// Of TCP and ICMP whole packets only ("NAT gateway basics").
fn is_translated(segment: &Segment) -> bool {
    segment.fragment.is_none() || (segment.protocol == protocol::UDP && !segment.lacks_ports())
}
