//! The ingress half of the pipeline, at the receiver's network interface: network ACL where the
//! packet enters the subnet, destination check, security groups, delivery.

use packet::Mac;

use crate::compile::network_interface::Interface;
use crate::disposition::Disposition;
use crate::step::{Outcome, Stage};
use crate::subject::Subject;
use crate::tuple::Tuple;
use crate::walk::{End, Out, Walk};
use crate::{Action, Direction};

impl Walk<'_> {
    /// `neighbour` is the sender's MAC address if the packet never went through the router.
    pub(crate) fn ingress(
        &mut self,
        to: &Interface,
        enters_subnet: bool,
        neighbour: Option<Mac>,
        subject: &Subject,
    ) -> End {
        let snapshot = self.snapshot;
        if let Some(end) = self.leaves_for(to.port, Disposition::Delivered { to: to.id }) {
            return end;
        }
        if let Some(gateway) = &to.nat_gateway {
            return self.enter_by_nat_gateway(to, gateway, enters_subnet, subject);
        }
        if let Some(endpoint) = &to.endpoint {
            return self.at_endpoint(to, endpoint, enters_subnet, subject);
        }
        if let Some(node) = &to.load_balancer {
            return self.at_load_balancer(to, node, enters_subnet, subject);
        }
        if !to.attached && self.assumed != Some(to.port) {
            let interface = to.id;
            let disposition = Disposition::NoSuchDevice { interface };
            let stage = Stage::Delivery;
            self.step(
                interface,
                Direction::Ingress,
                stage,
                None,
                Outcome::Drop,
                || disposition.to_string(),
            );
            return Err(disposition);
        }
        self.enter(to, enters_subnet, &subject.tuple)?;
        if self.way.from == Some(to.port) {
            // Both sides are one: what the egress half begins changes what the ingress half says.
            self.way.cacheable = false;
        }
        let dst = subject.tuple.dst;
        if to.source_dest_check && !to.owns(dst) {
            return Err(self.source_dest_check(to, false, dst));
        }
        if let Err(disposition) = self.security_groups(to, false, false, subject) {
            self.saw_ingress(to, &subject.tuple, Action::Reject);
            return Err(disposition);
        }
        self.saw_ingress(to, &subject.tuple, Action::Accept);
        let disposition = Disposition::Delivered { to: to.id };
        let out = Out {
            port: to.port,
            src_mac: neighbour.unwrap_or(snapshot.vpc_of(to).router_mac),
            dst_mac: to.mac,
        };
        Ok((out, disposition))
    }

    /// The network ACL of an interface's subnet, if the packet comes from outside that.
    pub(crate) fn enter(
        &mut self,
        to: &Interface,
        enters_subnet: bool,
        tuple: &Tuple,
    ) -> Result<(), Disposition> {
        let subnet = self.snapshot.subnet_of(to);
        if enters_subnet
            && let Some(acl) = &subnet.network_acl
            && let Err(denied) = self.network_acl(acl, subnet.id.into(), false, tuple)
        {
            self.saw_ingress(to, tuple, Action::Reject);
            return Err(denied);
        }
        Ok(())
    }
}
