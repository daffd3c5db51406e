//! Egress-only internet gateways: IPv6 out, and only answers in (Amazon VPC User Guide, "Enable outbound IPv6 traffic
//! using an egress-only internet gateway").
//!
//! The gateway remembers what has gone out as long as a NAT gateway does, whatever security groups and network ACLs say
//! of it, and translates nothing.

use model::EgressOnlyInternetGatewayId;
use packet::{protocol, tcp};

use crate::Direction;
use crate::compile::network_interface::Interface;
use crate::compile::route_table::Next;
use crate::connection::Trackable;
use crate::disposition::Disposition;
use crate::ports::PortId;
use crate::session::Key;
use crate::step::{Outcome, Stage};
use crate::subject::Subject;
use crate::tuple::{L4, Tuple};
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
        let owner = self.snapshot.vpc_of(from).addresses.get(&src).copied();
        let Some(owner) = owner else {
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
        };
        self.step(
            gateway,
            Direction::Egress,
            stage,
            None,
            Outcome::Pass,
            || format!("source {src} stays"),
        );
        self.remember(owner, subject);
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
        let is_answer = self.answers_what_went_out(to.port, subject);
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

    /// Begins or continues the session of a packet that goes out. Answers to echoes and resets begin none.
    fn remember(&mut self, owner: PortId, subject: &Subject) {
        let only_answers = Trackable::of(owner, true, &subject.tuple).only_answers;
        if subject.quoted.is_some() || only_answers {
            return;
        }
        let Some(key) = Key::outward(owner, &with_ports(subject.tuple)) else {
            return;
        };
        if let Some(index) = self.live_session(&key, subject, |s| !s.is_reset()) {
            self.see_session(index, true, subject);
        } else if subject.tcp_flags & tcp::RST != 0 {
            // The flow's next packet may begin something.
            self.way.cacheable = false;
        } else {
            let begun = self.sessions.begin_untranslated(key, self.now);
            if let Some(index) = begun {
                self.see_session(index, true, subject);
            }
        }
    }

    fn answers_what_went_out(&mut self, to: PortId, subject: &Subject) -> bool {
        if let Some(quoted) = &subject.quoted {
            self.way.cacheable = false;
            if Trackable::of(to, true, quoted).only_answers {
                return false;
            }
            let key = Key::inward(to, &with_ports(quoted.reversed()));
            return key.is_some_and(|key| {
                self.live_session(&key, subject, |s| !s.is_reset())
                    .is_some()
            });
        }
        let only_answers = Trackable::of(to, false, &subject.tuple).only_answers;
        if subject.tuple.protocol == protocol::ICMPV6 && !only_answers {
            return false;
        }
        let key = Key::inward(to, &with_ports(subject.tuple));
        let Some(index) = key.and_then(|key| self.live_session(&key, subject, |s| !s.is_reset()))
        else {
            return false;
        };
        self.see_session(index, false, subject);
        true
    }
}

/// What has no ports, such as a tunnel, has one conversation between two addresses.
fn with_ports(tuple: Tuple) -> Tuple {
    match tuple.l4 {
        L4::None => Tuple {
            l4: L4::Ports { src: 0, dst: 0 },
            ..tuple
        },
        _ => tuple,
    }
}
