//! NAT gateways: many inside hosts behind few addresses (Amazon VPC User Guide, "NAT gateway basics").
//!
//! A zonal gateway has a network interface, whose subnet's network ACL and route table rule what it sends on. No security
//! group does. A regional one has neither (`regional.rs`). They are the routers that packets notice: they take a hop off.

mod regional;

use std::net::IpAddr;

use packet::{protocol, tcp};

use crate::Action;
use crate::compile::nat_gateway::NatGateway;
use crate::compile::network_interface::Interface;
use crate::disposition::Disposition;
use crate::flow_cache::Translation;
use crate::ports::PortId;
use crate::session::Key;
use crate::step::{Outcome, Stage};
use crate::subject::Subject;
use crate::tuple::{L4, Tuple};
use crate::walk::{Answer, End, Walk};
use crate::{Direction, DropReason};

/// The longest packet through a NAT gateway.
pub(crate) const MTU_NAT_GATEWAY: u16 = 8500;
/// More gateways than this on one way are a loop.
pub(crate) const HOPS_MAX: u8 = 3;

/// A gateway as a packet meets it.
#[derive(Clone, Copy)]
struct Side<'g> {
    /// What its sessions are known by.
    port: PortId,
    gateway: &'g NatGateway,
    /// What a new connection may have as its source.
    addresses: &'g [IpAddr],
    /// The address that it has as a hop.
    as_router: Option<IpAddr>,
}

impl Walk<'_> {
    /// A packet that a route sends to a gateway.
    pub(crate) fn leave_by_nat_gateway(
        &mut self,
        to: &Interface,
        gateway: &NatGateway,
        enters_subnet: bool,
        subject: &Subject,
    ) -> End {
        if let Some(end) = self.leaves_for(to.port, Disposition::Delivered { to: to.id }) {
            return end;
        }
        self.pass_into(to, enters_subnet, &subject.tuple)?;
        let as_router = to.addresses.first().copied();
        let side = Side {
            port: to.port,
            gateway,
            addresses: &gateway.addresses,
            as_router,
        };
        let translated = self.translated_out(side, subject)?;
        self.send_on(to, &translated)
    }

    /// A packet that has come to a gateway's own address: an answer, or nothing that it knows of.
    pub(crate) fn enter_by_nat_gateway(
        &mut self,
        to: &Interface,
        gateway: &NatGateway,
        enters_subnet: bool,
        subject: &Subject,
    ) -> End {
        self.pass_into(to, enters_subnet, &subject.tuple)?;
        let as_router = to.addresses.first().copied();
        let side = Side {
            port: to.port,
            gateway,
            addresses: &[],
            as_router,
        };
        let translated = self.translated_in(side, subject)?;
        self.send_on(to, &translated)
    }

    /// A packet from inside, as it is on the gateway's other side.
    fn translated_out(
        &mut self,
        side: Side<'_>,
        subject: &Subject,
    ) -> Result<Subject, Disposition> {
        self.take_hop(side, subject)?;
        let gateway = side.gateway;
        let translation = match self.translation_out(side, subject) {
            Ok(translation) => translation,
            Err(disposition) => return Err(self.refused_by_nat_gateway(gateway, disposition)),
        };
        let translated = self.translate(translation, subject);
        self.step(
            gateway.id,
            Direction::Egress,
            Stage::NatGateway,
            None,
            Outcome::Pass,
            || {
                let (was, is) = (&subject.tuple, &translated.tuple);
                format!("source {} is {}", near(was), near(is))
            },
        );
        Ok(translated)
    }

    /// A packet from outside, as it is on the gateway's other side.
    fn translated_in(&mut self, side: Side<'_>, subject: &Subject) -> Result<Subject, Disposition> {
        self.take_hop(side, subject)?;
        let gateway = side.gateway;
        let Some(translation) = self.translation_in(side, subject) else {
            let gateway_id = gateway.id;
            let unknown = Disposition::NoNatSession {
                gateway: gateway_id,
            };
            return Err(self.refused_by_nat_gateway(gateway, unknown));
        };
        let translated = self.translate(translation, subject);
        self.step(
            gateway.id,
            Direction::Ingress,
            Stage::NatGateway,
            None,
            Outcome::Pass,
            || {
                let (was, is) = (subject.tuple.reversed(), translated.tuple.reversed());
                format!("destination {} is {}", near(&was), near(&is))
            },
        );
        Ok(translated)
    }

    /// The network ACL of the gateway's subnet, and what its interface records.
    fn pass_into(
        &mut self,
        to: &Interface,
        enters_subnet: bool,
        tuple: &Tuple,
    ) -> Result<(), Disposition> {
        self.enter(to, enters_subnet, tuple)?;
        self.saw_ingress(to, tuple, Action::Accept);
        self.way.limit_mtu(MTU_NAT_GATEWAY);
        Ok(())
    }

    /// What an interface of a gateway sends on: as its subnet's network ACL and route table say.
    pub(crate) fn send_on(&mut self, from: &Interface, translated: &Subject) -> End {
        let table = self.snapshot.subnet_of(from).route_table.as_ref();
        let route = table.and_then(|table| table.lookup(translated.tuple.dst));
        self.leave(from, route, translated)
    }

    fn take_hop(&mut self, side: Side<'_>, subject: &Subject) -> Result<(), Disposition> {
        self.way.hops += 1;
        if subject.ttl > self.way.hops && self.way.hops <= HOPS_MAX {
            return Ok(());
        }
        let gateway = side.gateway;
        self.way.answer = side.as_router.map(|from| Answer::TimeExceeded { from });
        self.way.cacheable = false;
        let exceeded = Disposition::HopLimitExceeded {
            gateway: gateway.id,
        };
        Err(self.refused_by_nat_gateway(gateway, exceeded))
    }

    /// What replaces the source of a packet from inside, or of the packet that an ICMP error from inside is about.
    fn translation_out(
        &mut self,
        side: Side<'_>,
        subject: &Subject,
    ) -> Result<Translation, Disposition> {
        let gateway = side.gateway;
        let unknown = Disposition::NoNatSession {
            gateway: gateway.id,
        };
        if let Some(quoted) = &subject.quoted {
            self.way.cacheable = false;
            let key = Key::outward(side.port, &quoted.reversed());
            let key = key.filter(|_| !is_echo_message(quoted, packet::icmp::ECHO_REQUEST));
            let index = key.and_then(|key| self.session(&key, gateway, subject));
            return self.source_of(index.ok_or(unknown)?, quoted);
        }
        if !is_translatable(subject) {
            return Err(Disposition::NatProtocol {
                gateway: gateway.id,
                protocol: subject.tuple.protocol,
            });
        }
        let key = Key::outward(side.port, &subject.tuple);
        let Some(key) = key.filter(|_| !is_echo(subject, packet::icmp::ECHO_REPLY)) else {
            return Err(unknown);
        };
        if let Some(index) = self.session(&key, gateway, subject) {
            self.see_session(index, true, subject);
            return self.source_of(index, &subject.tuple);
        }
        if !begins(subject) {
            // The host believes in a connection that the gateway has forgotten.
            let is_tcp = subject.tuple.protocol == protocol::TCP;
            let answerable = is_tcp && subject.tcp_flags & tcp::RST == 0;
            self.way.answer = answerable.then_some(Answer::Reset);
            return Err(unknown);
        }
        let begun = self.sessions.begin(key, side.addresses, self.now);
        let Some(index) = begun else {
            return Err(Disposition::NatPortAllocation {
                gateway: gateway.id,
                address: subject.tuple.dst,
            });
        };
        self.see_session(index, true, subject);
        self.source_of(index, &subject.tuple)
    }

    /// What replaces the destination of a packet from outside.
    fn translation_in(&mut self, side: Side<'_>, subject: &Subject) -> Option<Translation> {
        let (port, gateway) = (side.port, side.gateway);
        let (key, tuple) = match &subject.quoted {
            Some(quoted) => {
                self.way.cacheable = false;
                if is_echo_message(quoted, packet::icmp::ECHO_REPLY) {
                    return None;
                }
                (Key::inward(port, &quoted.reversed())?, quoted.reversed())
            }
            None if is_translatable(subject) && !is_echo(subject, packet::icmp::ECHO_REQUEST) => {
                (Key::inward(port, &subject.tuple)?, subject.tuple)
            }
            None => return None,
        };
        let index = self.session(&key, gateway, subject)?;
        if subject.quoted.is_none() {
            self.see_session(index, false, subject);
        }
        let near = self.sessions.get(index)?.near();
        let mut translation = Translation {
            dst: Some(near.address),
            ..Translation::default()
        };
        match tuple.l4 {
            L4::Icmp { .. } => translation.icmp_identifier = Some(near.port),
            _ => translation.dst_port = Some(near.port),
        }
        Some(translation)
    }

    fn source_of(&self, index: u32, tuple: &Tuple) -> Result<Translation, Disposition> {
        let Some(session) = self.sessions.get(index) else {
            return Err(Disposition::RefusedOnLink(DropReason::UnknownPort));
        };
        let near = session.translated();
        let mut translation = Translation {
            src: Some(near.address),
            ..Translation::default()
        };
        match tuple.l4 {
            L4::Icmp { .. } => translation.icmp_identifier = Some(near.port),
            _ => translation.src_port = Some(near.port),
        }
        Ok(translation)
    }

    /// The session of a key, unless it is over or too long ago, or its address is no longer the gateway's.
    fn session(&mut self, key: &Key, gateway: &NatGateway, subject: &Subject) -> Option<u32> {
        self.live_session(key, subject, |session| {
            !session.is_reset() && gateway.has(session.translated().address)
        })
    }

    fn refused_by_nat_gateway(
        &mut self,
        gateway: &NatGateway,
        disposition: Disposition,
    ) -> Disposition {
        // A session that ends or begins elsewhere changes what is said of the next packet.
        self.way.cacheable = false;
        let side = Direction::Egress;
        let stage = Stage::NatGateway;
        self.step(gateway.id, side, stage, None, Outcome::Drop, || {
            disposition.to_string()
        });
        disposition
    }
}

/// Whether a packet may begin a session.
fn begins(subject: &Subject) -> bool {
    match subject.tuple.l4 {
        L4::Ports { .. } if subject.tuple.protocol == protocol::TCP => {
            subject.tcp_flags & (tcp::SYN | tcp::ACK | tcp::RST) == tcp::SYN
        }
        L4::Ports { .. } => true,
        L4::Icmp { icmp_type, .. } => icmp_type == packet::icmp::ECHO_REQUEST,
        L4::None => false,
    }
}

/// Whether a packet, rather than one that it quotes, is an echo message of IPv4 of this type. The host that asked has a
/// session; one that is asked has none, though its answer would have the same identifier.
pub(crate) fn is_echo(subject: &Subject, of_type: u8) -> bool {
    subject.quoted.is_none() && is_echo_message(&subject.tuple, of_type)
}

/// The same of a packet that an error quotes.
pub(crate) fn is_echo_message(tuple: &Tuple, of_type: u8) -> bool {
    let is_type = matches!(tuple.l4, L4::Icmp { icmp_type, .. } if icmp_type == of_type);
    tuple.protocol == protocol::ICMP && is_type
}

/// TCP, UDP and ICMP echo; fragments of UDP only.
fn is_translatable(subject: &Subject) -> bool {
    match (subject.tuple.protocol, subject.tuple.l4) {
        (protocol::TCP, L4::Ports { .. }) => !subject.is_fragment,
        (protocol::UDP, L4::Ports { .. }) => true,
        (protocol::ICMP, L4::Icmp { icmp_type, .. }) => {
            let echo = [packet::icmp::ECHO_REQUEST, packet::icmp::ECHO_REPLY];
            echo.contains(&icmp_type) && !subject.is_fragment
        }
        _ => false,
    }
}

fn near(tuple: &Tuple) -> String {
    match tuple.l4 {
        L4::Ports { src, .. } => format!("{}:{src}", tuple.src),
        L4::Icmp { id, .. } => format!("{} id {id}", tuple.src),
        L4::None => tuple.src.to_string(),
    }
}
