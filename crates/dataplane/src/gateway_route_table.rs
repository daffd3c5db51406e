//! Route tables of internet gateways (Amazon VPC User Guide, "Gateway route tables"): who gets what
//! comes into a VPC, which may be a middlebox in front of the interface that has the address.

use std::net::IpAddr;

use model::InternetGatewayId;

use crate::Direction;
use crate::compile::network_interface::Interface;
use crate::compile::route_table::Next;
use crate::disposition::Disposition;
use crate::step::{Outcome, Stage};
use crate::walk::Walk;

impl<'a> Walk<'a> {
    /// The interface that a packet for an address is given to. `own` is the one that has the address.
    pub(crate) fn receiver(
        &mut self,
        gateway: InternetGatewayId,
        own: &'a Interface,
        dst: IpAddr,
    ) -> Result<&'a Interface, Disposition> {
        let snapshot = self.snapshot;
        let Some(table) = &snapshot.vpc_of(own).ingress_table else {
            return Ok(own);
        };
        let (side, stage) = (Direction::Ingress, Stage::RouteTable);
        let resource = Some(table.id.into());
        let Some(route) = table.lookup(dst) else {
            self.step(gateway, side, stage, resource, Outcome::Drop, || {
                "no route".to_owned()
            });
            let table = Some(table.id);
            return Err(Disposition::NoRoute { table });
        };
        let (destination, target) = (route.destination, route.target);
        let to = match route.next {
            Next::Local => Some(own),
            Next::Interface(port) => snapshot
                .interface(port)
                .filter(|to| to.vpc.id == own.vpc.id),
            Next::InternetGateway(_)
            | Next::EgressOnlyInternetGateway(_)
            | Next::NatGateway(_)
            | Next::RegionalNatGateway(_)
            | Next::VpcEndpoint { .. }
            | Next::VpcPeeringConnection(_)
            | Next::Blackhole => None,
        };
        let Some(to) = to else {
            self.step(gateway, side, stage, resource, Outcome::Drop, || {
                format!("{destination} to {target} (blackhole)")
            });
            return Err(Disposition::Blackhole {
                table: table.id,
                destination,
                target,
            });
        };
        self.step(gateway, side, stage, resource, Outcome::Pass, || {
            format!("{destination} to {target}")
        });
        Ok(to)
    }
}
