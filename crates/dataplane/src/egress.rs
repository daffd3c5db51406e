//! The egress half of the pipeline, at the sender's network interface: source check, security
//! groups, network ACL where the packet leaves its subnet, route table, target.

use std::net::IpAddr;

use model::{GatewayService, InternetGatewayId, ResourceId, RuleAction};
use packet::Mac;

use crate::compile::network_acl::NetworkAcl;
use crate::compile::network_interface::Interface;
use crate::compile::route_table::{Next, Route, RouteTable};
use crate::compile::vpc::Vpc;
use crate::disposition::Disposition;
use crate::flow_cache::Translation;
use crate::ports::PortId;
use crate::service_network::on_link;
use crate::step::{Cited, Outcome, Stage};
use crate::subject::Subject;
use crate::tuple::Tuple;
use crate::walk::{End, MTU_INTERNET, MTU_VPC, Walk, direction};
use crate::{Action, Direction, DropReason, vpc_peering_connection};

/// `traffic-path` of what stays inside the VPC.
pub(crate) const PATH_LOCAL: u8 = 1;
/// `traffic-path` of what leaves through an internet gateway.
pub(crate) const PATH_INTERNET_GATEWAY: u8 = 8;
/// `traffic-path` of what leaves through a gateway endpoint.
const PATH_GATEWAY_ENDPOINT: u8 = 7;

/// Where a packet goes after the sender's side has let it out.
enum Hop<'a> {
    /// To an interface of the same subnet, without the router.
    Neighbour(&'a Interface),
    /// Where the route table says.
    Routed(Option<&'a Route>),
}

impl Hop<'_> {
    /// Whether security groups track the flow whatever their rules are.
    fn is_tracked(&self) -> bool {
        let next = match self {
            Self::Routed(Some(route)) => route.next,
            Self::Neighbour(_) | Self::Routed(None) => return false,
        };
        match next {
            Next::NatGateway(_)
            | Next::RegionalNatGateway(_)
            | Next::EgressOnlyInternetGateway(_) => true,
            Next::VpcEndpoint { service, .. } => service == GatewayService::DynamoDb,
            Next::Local
            | Next::InternetGateway(_)
            | Next::Interface(_)
            | Next::VpcPeeringConnection(_)
            | Next::Blackhole => false,
        }
    }
}

impl<'a> Walk<'a> {
    pub(crate) fn egress(&mut self, from: &Interface, dst_mac: Mac, subject: &Subject) -> End {
        if self.snapshot.services.is_some()
            && let Some(backend) = on_link(self.snapshot.vpc_of(from), from, &subject.tuple)
        {
            return self.send_to_link_service(from, backend, dst_mac, subject);
        }
        let hop = self.hop(from, dst_mac, subject)?;
        if from.owns(subject.tuple.dst) {
            return Err(Disposition::RefusedOnLink(DropReason::OwnAddress));
        }
        let src = subject.tuple.src;
        if from.source_dest_check && !from.owns(src) {
            return Err(self.source_dest_check(from, true, src));
        }
        if let Err(disposition) = self.security_groups(from, true, hop.is_tracked(), subject) {
            self.saw_egress(from, &subject.tuple, Action::Reject);
            return Err(disposition);
        }
        if let Some((node, index)) = self.balanced_answer(from, subject) {
            return self.answer_through_node(from, node, index, subject);
        }
        match hop {
            Hop::Neighbour(to) => {
                self.saw_egress(from, &subject.tuple, Action::Accept);
                self.left_by(&from.metadata, PATH_LOCAL);
                self.check_vpc_mtu(subject)?;
                self.passes_to(&from.metadata, &to.metadata);
                self.ingress(to, false, Some(from.mac), subject)
            }
            Hop::Routed(route) => self.leave(from, route, subject),
        }
    }

    /// Past the groups of an interface: network ACL, route, target.
    pub(crate) fn leave(
        &mut self,
        from: &Interface,
        route: Option<&Route>,
        subject: &Subject,
    ) -> End {
        let returns = self.back_to_nat_gateway(from, subject);
        let route = route.filter(|_| returns.is_none());
        let vpc = self.snapshot.vpc_of(from);
        let target = route.and_then(|route| self.interface_of(vpc, route, subject.tuple.dst));
        let stays = target.is_some_and(|to| to.subnet.id == from.subnet.id);
        self.exit(from, !stays, &subject.tuple)?;
        if let Some(peering) = returns {
            self.left_by(
                &from.metadata,
                vpc_peering_connection::traffic_path(peering),
            );
            return self.vpc_peering_connection(from, peering, subject);
        }
        let subnet = self.snapshot.subnet_of(from);
        let route = self.take_route(subnet.id.into(), subnet.route_table.as_deref(), route)?;
        match route.next {
            Next::InternetGateway(gateway) => {
                self.left_by(&from.metadata, PATH_INTERNET_GATEWAY);
                self.internet_gateway(from, gateway, subject)
            }
            Next::VpcPeeringConnection(peering) => {
                self.left_by(
                    &from.metadata,
                    vpc_peering_connection::traffic_path(peering),
                );
                self.vpc_peering_connection(from, peering, subject)
            }
            Next::EgressOnlyInternetGateway(gateway) => {
                self.left_by(&from.metadata, PATH_INTERNET_GATEWAY);
                self.leave_by_egress_only_internet_gateway(from, gateway, subject)
            }
            Next::VpcEndpoint { id: endpoint, .. } => {
                self.left_by(&from.metadata, PATH_GATEWAY_ENDPOINT);
                self.check_vpc_mtu(subject)?;
                self.vpc_endpoint(from, endpoint, subject)
            }
            Next::RegionalNatGateway(gateway) => {
                self.left_by(&from.metadata, PATH_LOCAL);
                self.check_vpc_mtu(subject)?;
                self.leave_by_regional_nat_gateway(from, gateway, subject)
            }
            Next::Local | Next::Interface(..) | Next::NatGateway(_) | Next::Blackhole => {
                self.left_by(&from.metadata, PATH_LOCAL);
                self.check_vpc_mtu(subject)?;
                let to = target.ok_or_else(|| self.no_such_address(from, subject.tuple.dst))?;
                self.passes_to(&from.metadata, &to.metadata);
                match (route.next, &to.nat_gateway) {
                    (Next::NatGateway(_), Some(gateway)) => {
                        self.leave_by_nat_gateway(to, gateway, !stays, subject)
                    }
                    _ => self.ingress(to, !stays, None, subject),
                }
            }
        }
    }

    /// The network ACL of an interface's subnet, if the packet leaves that.
    pub(crate) fn exit(
        &mut self,
        from: &Interface,
        leaves_subnet: bool,
        tuple: &Tuple,
    ) -> Result<(), Disposition> {
        let subnet = self.snapshot.subnet_of(from);
        if leaves_subnet
            && let Some(acl) = &subnet.network_acl
            && let Err(denied) = self.network_acl(acl, subnet.id.into(), true, tuple)
        {
            self.saw_egress(from, tuple, Action::Reject);
            return Err(denied);
        }
        self.saw_egress(from, tuple, Action::Accept);
        Ok(())
    }

    /// The route, if there is one and its target is there. `place` is what the table rules.
    pub(crate) fn take_route<'r>(
        &mut self,
        place: ResourceId,
        table: Option<&RouteTable>,
        route: Option<&'r Route>,
    ) -> Result<&'r Route, Disposition> {
        let table = table.map(|table| table.id);
        let (side, stage) = (Direction::Egress, Stage::RouteTable);
        let (Some(route), Some(id)) = (route, table) else {
            let resource = table.map(Into::into);
            self.step(place, side, stage, resource, Outcome::Drop, || {
                "no route".to_owned()
            });
            return Err(Disposition::NoRoute { table });
        };
        let resource = Some(id.into());
        let (destination, target) = (route.destination, route.target);
        let cited = Cited::Route {
            destination,
            target,
        };
        if let Next::Blackhole = route.next {
            self.step(place, side, stage, resource, Outcome::Drop, || {
                format!("{destination} to {target} (blackhole)")
            });
            self.cite(cited);
            return Err(Disposition::Blackhole {
                table: id,
                destination,
                target,
            });
        }
        self.step(place, side, stage, resource, Outcome::Pass, || {
            format!("{destination} to {target}")
        });
        self.cite(cited);
        Ok(route)
    }

    fn no_such_address(&mut self, from: &Interface, address: IpAddr) -> Disposition {
        let vpc = self.snapshot.vpc_of(from);
        self.nobody_has(vpc, address)
    }

    /// No interface of a VPC has an address of the VPC's.
    pub(crate) fn nobody_has(&mut self, vpc: &Vpc, address: IpAddr) -> Disposition {
        let disposition = Disposition::NoSuchAddress { address };
        let (place, stage) = (vpc.id, Stage::Delivery);
        self.step(place, Direction::Egress, stage, None, Outcome::Drop, || {
            disposition.to_string()
        });
        disposition
    }

    fn hop(
        &self,
        from: &'a Interface,
        dst_mac: Mac,
        subject: &Subject,
    ) -> Result<Hop<'a>, Disposition> {
        let snapshot = self.snapshot;
        let vpc = snapshot.vpc_of(from);
        if dst_mac == vpc.router_mac {
            let table = snapshot.subnet_of(from).route_table.as_ref();
            return Ok(Hop::Routed(
                table.and_then(|table| table.lookup(subject.tuple.dst)),
            ));
        }
        let neighbour: Option<PortId> = vpc.macs.get(&dst_mac.0).copied();
        neighbour
            .and_then(|port| snapshot.interface(port))
            .filter(|to| to.subnet.id == from.subnet.id && to.port != from.port)
            .map(Hop::Neighbour)
            .ok_or(Disposition::RefusedOnLink(DropReason::DestinationMac))
    }

    /// The interface that a route of a VPC leads to.
    pub(crate) fn interface_of(
        &self,
        vpc: &Vpc,
        route: &Route,
        dst: IpAddr,
    ) -> Option<&'a Interface> {
        let port = match route.next {
            Next::Local => *vpc.addresses.get(&dst)?,
            Next::Interface(port) | Next::NatGateway(port) => port,
            Next::InternetGateway(_)
            | Next::EgressOnlyInternetGateway(_)
            | Next::RegionalNatGateway(_)
            | Next::VpcEndpoint { .. }
            | Next::VpcPeeringConnection(_)
            | Next::Blackhole => return None,
        };
        self.snapshot
            .interface(port)
            .filter(|to| to.vpc.id == vpc.id)
    }

    /// Translates the source and carries the packet out (Amazon VPC User Guide, "Enable internet
    /// access for a VPC using an internet gateway").
    fn internet_gateway(
        &mut self,
        from: &Interface,
        gateway: InternetGatewayId,
        subject: &Subject,
    ) -> End {
        let snapshot = self.snapshot;
        let src = subject.tuple.src;
        // The mapping belongs to the address, so it holds for what a middlebox forwards as well.
        let owner = snapshot.vpc_of(from).addresses.get(&src);
        let owner = owner.and_then(|&port| snapshot.interface(port));
        let public = match (owner, src) {
            (Some(owner), IpAddr::V4(v4)) => owner.public_of(v4).map(IpAddr::V4),
            (Some(_), IpAddr::V6(_)) => Some(src),
            (None, _) => None,
        };
        let Some(public) = public else {
            let stage = Stage::InternetGateway;
            let address = src;
            let disposition = Disposition::NoPublicAddress { gateway, address };
            self.step(
                gateway,
                Direction::Egress,
                stage,
                None,
                Outcome::Drop,
                || format!("no public address for {address}"),
            );
            return Err(disposition);
        };
        self.leave_by_internet_gateway(gateway, public, subject)
    }

    /// Carries a packet out by an internet gateway, with a public source.
    pub(crate) fn leave_by_internet_gateway(
        &mut self,
        gateway: InternetGatewayId,
        public: IpAddr,
        subject: &Subject,
    ) -> End {
        let (src, stage) = (subject.tuple.src, Stage::InternetGateway);
        self.step(
            gateway,
            Direction::Egress,
            stage,
            None,
            Outcome::Pass,
            || format!("source {src} is {public}"),
        );
        self.way.limit_mtu(MTU_INTERNET);
        if let Some(too_long) = self.too_long(MTU_INTERNET, subject) {
            let stage = Stage::Mtu;
            self.step(
                gateway,
                Direction::Egress,
                stage,
                None,
                Outcome::Drop,
                || too_long.to_string(),
            );
            return Err(too_long);
        }
        let translation = Translation {
            src: (public != src).then_some(public),
            ..Translation::default()
        };
        let subject = self.translate(translation, subject);
        self.internet(Some(gateway.into()), false, &subject)
    }

    pub(crate) fn check_vpc_mtu(&mut self, subject: &Subject) -> Result<(), Disposition> {
        self.way.limit_mtu(MTU_VPC);
        self.too_long(self.way.mtu, subject).map_or(Ok(()), Err)
    }

    pub(crate) fn network_acl(
        &mut self,
        acl: &NetworkAcl,
        place: ResourceId,
        egress: bool,
        packet: &Tuple,
    ) -> Result<(), Disposition> {
        let entry = acl.decide(egress, packet);
        let allowed = entry.is_some_and(|entry| entry.action == RuleAction::Allow);
        let outcome = if allowed {
            Outcome::Pass
        } else {
            Outcome::Drop
        };
        let resource = Some(acl.id.into());
        let stage = Stage::NetworkAcl;
        self.step(
            place,
            direction(egress),
            stage,
            resource,
            outcome,
            || match entry {
                Some(entry) => entry.to_string(),
                None => "no entry".to_owned(),
            },
        );
        if let Some(entry) = entry {
            self.cite(Cited::NetworkAclEntry {
                egress,
                rule_number: entry.rule_number,
            });
        }
        if allowed {
            return Ok(());
        }
        Err(Disposition::DeniedByNetworkAcl {
            acl: acl.id,
            egress,
            rule_number: entry.map_or(model::NetworkAcl::FINAL_IPV4, |e| e.rule_number),
        })
    }

    pub(crate) fn source_dest_check(
        &mut self,
        interface: &Interface,
        egress: bool,
        address: IpAddr,
    ) -> Disposition {
        let interface = interface.id;
        let disposition = Disposition::SourceDestinationCheck {
            interface,
            egress,
            address,
        };
        let stage = Stage::SourceDestinationCheck;
        self.step(
            interface,
            direction(egress),
            stage,
            None,
            Outcome::Drop,
            || disposition.to_string(),
        );
        disposition
    }
}
