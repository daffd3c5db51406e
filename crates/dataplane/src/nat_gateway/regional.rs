//! NAT gateways without a network interface: hosts of a zone behind that zone's public addresses (Amazon VPC User Guide,
//! "Regional NAT gateways for automatic multi-AZ expansion").
//!
//! No network ACL rules what such a gateway receives and sends, but a route table of its own does. What it sends to the
//! internet has a public address already, which the internet gateway leaves alone.

use super::{MTU_NAT_GATEWAY, Side};
use crate::compile::nat_gateway::RegionalNatGateway;
use crate::compile::network_interface::Interface;
use crate::compile::route_table::Next;
use crate::disposition::Disposition;
use crate::egress::{PATH_INTERNET_GATEWAY, PATH_LOCAL};
use crate::ports::PortId;
use crate::step::{Outcome, Stage};
use crate::subject::Subject;
use crate::walk::{End, Walk};
use crate::{Action, Direction, DropReason};

impl Walk<'_> {
    /// A packet that a route sends to a regional gateway.
    pub(crate) fn leave_by_regional_nat_gateway(
        &mut self,
        from: &Interface,
        port: PortId,
        subject: &Subject,
    ) -> End {
        let snapshot = self.snapshot;
        let own = snapshot.regional_nat_gateway(port);
        let Some(to) = own.filter(|to| to.vpc.id == from.vpc.id) else {
            return Err(Disposition::RefusedOnLink(DropReason::UnknownPort));
        };
        self.passes_to(&from.metadata, &to.metadata);
        self.enter_regional(to, subject);
        let addresses = to.addresses(from.metadata.zone);
        let side = Side {
            port,
            gateway: &to.gateway,
            addresses,
            as_router: addresses.first().copied(),
        };
        let translated = self.translated_out(side, subject)?;
        self.send_on_from_regional(to, &translated)
    }

    /// A packet that has come to a public address of a regional gateway: an answer, or nothing that it knows of. `None`
    /// if the VPC has no internet gateway by which it could have come.
    pub(crate) fn enter_by_regional_nat_gateway(
        &mut self,
        to: &RegionalNatGateway,
        subject: &Subject,
    ) -> Option<End> {
        let internet_gateway = to.vpc.internet_gateway?;
        let dst = subject.tuple.dst;
        let stage = Stage::InternetGateway;
        self.step(
            internet_gateway,
            Direction::Ingress,
            stage,
            None,
            Outcome::Pass,
            || format!("destination {dst} is {}", to.gateway.id),
        );
        self.enter_regional(to, subject);
        let side = Side {
            port: to.port,
            gateway: &to.gateway,
            addresses: &[],
            as_router: Some(dst),
        };
        Some(match self.translated_in(side, subject) {
            Ok(translated) => self.send_on_from_regional(to, &translated),
            Err(disposition) => Err(disposition),
        })
    }

    fn enter_regional(&mut self, to: &RegionalNatGateway, subject: &Subject) {
        let (side, tuple) = (Direction::Ingress, &subject.tuple);
        self.saw(&to.metadata, side, tuple, Action::Accept);
        self.way.limit_mtu(MTU_NAT_GATEWAY);
    }

    /// What a gateway sends on: as its own route table says.
    fn send_on_from_regional(&mut self, from: &RegionalNatGateway, subject: &Subject) -> End {
        let (side, tuple) = (Direction::Egress, &subject.tuple);
        self.way.sent_by = None;
        self.saw(&from.metadata, side, tuple, Action::Accept);
        let table = from.table.as_deref();
        let route = table.and_then(|table| table.lookup(tuple.dst));
        let route = self.take_route(from.gateway.id.into(), table, route)?;
        match route.next {
            Next::InternetGateway(gateway) => {
                self.left_by(&from.metadata, PATH_INTERNET_GATEWAY);
                self.leave_by_internet_gateway(gateway, tuple.src, subject)
            }
            Next::Local | Next::Interface(_) => {
                self.left_by(&from.metadata, PATH_LOCAL);
                self.check_vpc_mtu(subject)?;
                let to = self.interface_of(&from.vpc, route, tuple.dst);
                let to = to.ok_or_else(|| self.nobody_has(&from.vpc, tuple.dst))?;
                self.passes_to(&from.metadata, &to.metadata);
                self.ingress(to, true, None, subject)
            }
            // The API makes no such routes in the table of a gateway.
            Next::EgressOnlyInternetGateway(_)
            | Next::NatGateway(_)
            | Next::RegionalNatGateway(_)
            | Next::VpcEndpoint { .. }
            | Next::VpcPeeringConnection(_)
            | Next::Blackhole => Err(Disposition::NoRoute {
                table: table.map(|table| table.id),
            }),
        }
    }
}
