//! Egress-only internet gateways: IPv6 out, and only answers in (Amazon VPC User Guide, "Enable outbound IPv6 traffic
//! using an egress-only internet gateway").
//!
//! What has gone out is what the sender's security groups track: flows through the gateway always are.

use model::EgressOnlyInternetGatewayId;

use crate::Direction;
use crate::compile::network_interface::Interface;
use crate::compile::route_table::Next;
use crate::disposition::Disposition;
use crate::step::{Outcome, Stage};
use crate::subject::Subject;
use crate::walk::{End, MTU_INTERNET, Walk};

impl Walk<'_> {
    /// Carries a packet out, with its own address.
    pub(crate) fn leave_by_egress_only_internet_gateway(
        &mut self,
        from: &Interface,
        gateway: EgressOnlyInternetGatewayId,
        subject: &Subject,
    ) -> End {
        let stage = Stage::EgressOnlyInternetGateway;
        let src = subject.tuple.src;
        // Answers find their way only to addresses of the VPC.
        if !self.snapshot.vpc_of(from).addresses.contains_key(&src) {
            let disposition = Disposition::EgressOnly { gateway };
            self.step(
                gateway,
                Direction::Egress,
                stage,
                None,
                Outcome::Drop,
                || format!("{src} is nobody's address in the VPC"),
            );
            return Err(disposition);
        }
        self.step(
            gateway,
            Direction::Egress,
            stage,
            None,
            Outcome::Pass,
            || format!("source {src} stays"),
        );
        self.way.limit_mtu(MTU_INTERNET);
        if let Some(too_long) = self.too_long(MTU_INTERNET, subject) {
            return Err(too_long);
        }
        self.internet(Some(gateway.into()), false, subject)
    }

    /// The egress-only gateway by which an interface's answers to a packet from the internet would leave: then the
    /// packet must be an answer itself.
    pub(crate) fn enter_by_egress_only_internet_gateway(
        &mut self,
        to: &Interface,
        subject: &Subject,
    ) -> Option<End> {
        let table = self.snapshot.subnet_of(to).route_table.as_ref()?;
        let Next::EgressOnlyInternetGateway(gateway) = table.lookup(subject.tuple.src)?.next else {
            return None;
        };
        let stage = Stage::EgressOnlyInternetGateway;
        let is_answer = self.is_answer(to, subject);
        let outcome = if is_answer {
            Outcome::Pass
        } else {
            Outcome::Drop
        };
        let disposition = Disposition::EgressOnly { gateway };
        self.step(
            gateway,
            Direction::Ingress,
            stage,
            None,
            outcome,
            || match is_answer {
                true => "answer".to_owned(),
                false => disposition.to_string(),
            },
        );
        if is_answer {
            return Some(self.ingress(to, true, None, subject));
        }
        // What goes out next may make the next packet an answer.
        self.way.cacheable = false;
        Some(Err(disposition))
    }
}
