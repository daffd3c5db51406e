//! Everything that the flow cache does not know: the link, services, and the pipeline behind them.

use std::net::IpAddr;

use model::Timestamp;
use packet::icmp_error::{IcmpError, icmp_error};
use packet::rewrite::take_hops;
use packet::{Ip, Kind, Mac, Packet, ethernet, fragment, mss, tcp};

use crate::compile::{Port, Snapshot};
use crate::disposition::Disposition;
use crate::drop_reason::DropReason;
use crate::flow_cache::{self, FlowTuple, Membership, Owner, Put};
use crate::forward::{Dataplane, Offload, Verdict, longest, translate};
use crate::meter::Count;
use crate::neighbour::{self, SubnetLink};
use crate::ports::PortId;
use crate::service::dhcp::is_for_servers;
use crate::service::{self, Allowance, Client, Response, Service};
use crate::subject::Subject;
use crate::tuple::{L4, Tuple};
use crate::walk::{Answer, Decision, Walk, Way};

/// Headers of IPv4 and TCP, which a maximum segment size leaves out.
const MSS_OVERHEAD: u16 = 40;

impl Dataplane {
    #[inline(never)]
    pub(crate) fn slow(
        &mut self,
        from: PortId,
        packet: &Packet,
        frame: &mut [u8],
        offload: Offload,
        now: Timestamp,
    ) -> Verdict {
        let snapshot = self.snapshot.clone();
        if let (PortId::WIRE, Some(ip)) = (from, packet.ip()) {
            return self.route(&snapshot, from, packet, ip, frame, offload, now);
        }
        let Some(port) = snapshot.port(from) else {
            return self.drop(DropReason::UnknownPort);
        };
        let mac = match port {
            Port::Interface(interface) => interface.mac,
            Port::Outside(outside) => outside.mac,
            Port::NatGateway(_) => return self.drop(DropReason::UnknownPort),
            Port::Services => snapshot.services.as_ref().map_or(Mac::default(), |s| s.mac),
        };
        if packet.src_mac != mac {
            return self.drop(DropReason::SourceMac);
        }
        let ip = match &packet.kind {
            Kind::Arp(arp) => {
                let answer = match port {
                    Port::Interface(interface) => neighbour::arp(
                        &SubnetLink {
                            snapshot: &snapshot,
                            interface,
                        },
                        arp,
                    ),
                    Port::Outside(outside) => neighbour::arp(outside, arp),
                    Port::NatGateway(_) | Port::Services => None,
                };
                return self.answer(from, answer.ok_or(DropReason::Neighbour));
            }
            Kind::Other(_) => return self.drop(DropReason::NotIp),
            Kind::Ipv4(ip) | Kind::Ipv6(ip) => ip,
        };
        if neighbour::is_discovery(ip) {
            let answer = match port {
                Port::Interface(interface) => {
                    let link = SubnetLink {
                        snapshot: &snapshot,
                        interface,
                    };
                    neighbour::discovery(&link, packet, ip, frame)
                }
                Port::Outside(outside) => neighbour::discovery(outside, packet, ip, frame),
                Port::NatGateway(_) | Port::Services => None,
            };
            return self.answer(from, answer.ok_or(DropReason::Neighbour));
        }
        if let Port::Interface(interface) = port {
            let client = Client {
                snapshot: &snapshot,
                interface,
            };
            let (vpc, subnet) = (snapshot.vpc_of(interface), snapshot.subnet_of(interface));
            if is_for_servers(ip) || service::is_service(vpc, subnet, ip.dst) {
                if !snapshot.is_service_on_link(interface, &self.fragments.whole(from, ip, now)) {
                    return self.serve(&client, packet, ip, frame, now);
                }
                if !self.allow(from, None, now) {
                    return self.drop(DropReason::ServiceRateExceeded);
                }
            }
        }
        let is_for_many = match ip.dst {
            IpAddr::V4(v4) => v4.is_multicast() || v4.is_broadcast(),
            IpAddr::V6(v6) => v6.is_multicast(),
        };
        if packet.dst_mac.is_multicast() || is_for_many {
            return self.drop(DropReason::Multicast);
        }
        self.route(&snapshot, from, packet, ip, frame, offload, now)
    }

    fn serve(
        &mut self,
        client: &Client<'_>,
        packet: &Packet,
        ip: &Ip,
        frame: &[u8],
        now: Timestamp,
    ) -> Verdict {
        let port = client.interface.port;
        let service = service::service_of(client, ip);
        if !self.allow(port, service, now) {
            return self.drop(DropReason::ServiceRateExceeded);
        }
        let Some(service) = service else {
            return self.drop(DropReason::ServiceUnavailable);
        };
        match service::answer(client, service, packet, ip, frame, now) {
            Ok(Response::Frame(frame)) => self.answer(port, Ok(frame)),
            Ok(Response::Ask(waiting)) => self.ask_outside(client.snapshot, waiting),
            Err(reason) => self.drop(reason),
        }
    }

    /// Whether an interface may send another packet to a service.
    fn allow(&mut self, from: PortId, service: Option<Service>, now: Timestamp) -> bool {
        let at = from.index();
        if self.allowances.len() <= at {
            self.allowances.resize(at + 1, Allowance::default());
        }
        self.allowances[at].take(service, now)
    }

    pub(crate) fn answer(&mut self, to: PortId, answer: Result<Vec<u8>, DropReason>) -> Verdict {
        match answer {
            Ok(frame) => {
                self.counters.emitted += 1;
                self.emitted.push((to, frame));
                Verdict::Emit
            }
            Err(reason) => self.drop(reason),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one frame")]
    fn route(
        &mut self,
        snapshot: &Snapshot,
        from: PortId,
        packet: &Packet,
        ip: &Ip,
        frame: &mut [u8],
        offload: Offload,
        now: Timestamp,
    ) -> Verdict {
        let tuple = self.fragments.whole(from, ip, now);
        self.learn(from, ip, &tuple);
        let quoted = Subject::quoted_in(ip, frame);
        let mut subject = Subject::new(ip, tuple, quoted, longest(ip, offload));
        subject.dont_fragment |= offload.gso_size != 0;
        let walk = Walk {
            snapshot,
            connections: &mut self.connections,
            sessions: &mut self.sessions,
            health_checks: &mut self.health_checks,
            cache: &mut self.cache,
            origins: &mut self.origins,
            now,
            steps: None,
            assumed: self.alone,
            alone: self.alone,
            way: Way::default(),
        };
        let mut decision = match from {
            PortId::WIRE => walk.decide_on_arrival(packet.src_mac, &subject),
            _ => walk.decide(from, packet.dst_mac, &subject),
        };
        if self.watch.on {
            self.watch.note(&decision.records);
            if decision.out.is_none() {
                let translation = decision.translation;
                self.watch
                    .as_received(snapshot, frame, ip, translation, offload);
            }
        }
        self.remember(from, packet, ip, &tuple, &mut decision, offload, now);
        let Some(out) = decision.out else {
            if decision.disposition.is_delivered() {
                self.take_health_check(ip, frame, now);
                return Verdict::Emit;
            }
            let reason = decision.disposition.drop_reason();
            let verdict = self.drop(reason.unwrap_or(DropReason::Malformed));
            if let Some(answer) = decision.answer {
                return self
                    .tell(snapshot, from, ip, frame, answer)
                    .unwrap_or(verdict);
            }
            if let Disposition::MtuExceeded { mtu } = decision.disposition {
                return self
                    .tell_too_big(snapshot, from, ip, frame, mtu)
                    .unwrap_or(verdict);
            }
            return verdict;
        };
        if !translate(frame, ip, decision.translation, offload)
            || (decision.hops > 0 && take_hops(frame, ip, decision.hops).is_err())
        {
            return self.drop(DropReason::Malformed);
        }
        if decision.limits_segments && ip.tcp_flags & tcp::SYN != 0 {
            mss::limit(
                frame,
                ip,
                decision.mtu - MSS_OVERHEAD,
                offload.partial_checksum,
            );
        }
        let _ = ethernet::set_macs(frame, out.dst_mac, out.src_mac);
        if subject.len > usize::from(decision.mtu) {
            return self.fragment(out.port, frame, decision.mtu, offload);
        }
        self.counters.forwarded += 1;
        Verdict::Forward(out.port)
    }

    /// Counts the packet, and keeps the verdict for the flow's next packets.
    #[expect(clippy::too_many_arguments, reason = "the parts of one frame")]
    fn remember(
        &mut self,
        from: PortId,
        packet: &Packet,
        ip: &Ip,
        tuple: &Tuple,
        decision: &mut Decision,
        offload: Offload,
        now: Timestamp,
    ) {
        let count = Count::of(ip, offload);
        let refused_as_such = matches!(
            decision.disposition,
            Disposition::RefusedOnLink(_)
                | Disposition::SourceDestinationCheck { egress: true, .. }
        );
        if refused_as_such {
            return;
        }
        if matches!(decision.disposition, Disposition::MtuExceeded { .. }) {
            let records = std::mem::take(&mut decision.records);
            return self.meter.keep_one(records, count, now);
        }
        let whole = !(ip.is_later_fragment() && tuple.l4 == L4::None);
        let cacheable = self.caching && decision.cacheable && whole && !ip.is_icmp_error();
        let out = decision.out;
        let reason = decision.disposition.drop_reason();
        let begun = |port| (port, self.connections.begun(port));
        let verdict = flow_cache::Verdict {
            epoch: if cacheable { self.epoch } else { 0 },
            out: out.map_or(PortId::NONE, |out| out.port),
            idle_secs: decision.idle_secs,
            from_mac: packet.src_mac,
            to_mac: packet.dst_mac,
            src_mac: out.map_or(Mac::default(), |out| out.src_mac),
            dst_mac: out.map_or(Mac::default(), |out| out.dst_mac),
            mtu: decision.mtu,
            deny: reason.is_some(),
            records: std::mem::take(&mut decision.records),
            memberships: decision.memberships.clone(),
            hops: decision.hops,
            translation: decision.translation,
            reason,
            guard: decision.refused_by.map(begun),
        };
        let key = FlowTuple::new(from, ip, key_ports(tuple));
        let Put {
            path,
            counted,
            former,
        } = match self.cache.put(key, verdict) {
            Ok(put) => put,
            Err(records) => return self.meter.keep_one(records, count, now),
        };
        if let Some(before) = counted {
            self.meter.keep(before.records, &before.counted);
        }
        if let Some((memberships, seen)) = former {
            self.was_at(path, &memberships, seen);
        }
        for member in &decision.memberships {
            self.remember_path(*member, path);
        }
        if let Some((entry, _)) = self.cache.get_mut(path)
            && entry.count(count, now)
        {
            self.cache.mark_dirty(path);
        }
        self.cache.offer(path, &key);
    }

    /// A path is its owner's. Packets of one connection may come by two ways, and there is room to remember one.
    fn remember_path(&mut self, member: Membership, path: u32) {
        let Membership { owner, egress } = member;
        let former = self.paths(owner)[usize::from(!egress)];
        if former == path {
            return;
        }
        self.learn_at(former);
        let paths = match owner {
            Owner::Connection(index) => self.connections.get_mut(index).map(|c| &mut c.paths),
            Owner::Session(index) => self.sessions.get_mut(index).map(|s| &mut s.paths),
        };
        let Some(paths) = paths else { return };
        paths[usize::from(!egress)] = path;
        let seen = self.cache.last_seen(former, owner);
        self.lasts(owner, seen.unwrap_or_default());
        self.cache.forget(former);
    }

    /// Tells the sender what a gateway has against its packet.
    fn tell(
        &mut self,
        snapshot: &Snapshot,
        to: PortId,
        ip: &Ip,
        frame: &[u8],
        answer: Answer,
    ) -> Option<Verdict> {
        let interface = snapshot.interface(to)?;
        let router = snapshot.vpc_of(interface).router_mac;
        let answer = match answer {
            Answer::Reset => packet::reset::reset(frame, ip, router)?,
            Answer::TimeExceeded { from } => {
                let mut answer = Vec::new();
                icmp_error(frame, IcmpError::TimeExceeded, from, router, &mut answer).ok()?;
                answer
            }
        };
        Some(self.answer(to, Ok(answer)))
    }

    /// Tells the sender how long packets may be, from its router.
    fn tell_too_big(
        &mut self,
        snapshot: &Snapshot,
        from: PortId,
        ip: &Ip,
        frame: &[u8],
        mtu: u16,
    ) -> Option<Verdict> {
        let (router, mac): (IpAddr, Mac) = match snapshot.port(from)? {
            Port::Interface(interface) => {
                let subnet = snapshot.subnet_of(interface);
                let address = match ip.dst {
                    IpAddr::V4(_) => subnet.router_v4?.into(),
                    IpAddr::V6(_) => subnet.router_v6?.into(),
                };
                (address, snapshot.vpc_of(interface).router_mac)
            }
            Port::Outside(_) => (ip.dst, crate::compile::internet::INTERNET_ROUTER_MAC),
            Port::NatGateway(_) | Port::Services => return None,
        };
        let error = IcmpError::TooBig { mtu: mtu.into() };
        let mut answer = Vec::new();
        icmp_error(frame, error, router, mac, &mut answer).ok()?;
        Some(self.answer(from, Ok(answer)))
    }

    fn fragment(&mut self, to: PortId, frame: &[u8], mtu: u16, offload: Offload) -> Verdict {
        let mut fragments = Vec::new();
        let partial = offload.partial_checksum;
        if fragment::fragment_ipv4(frame, mtu.into(), partial, &mut fragments).is_err() {
            return self.drop(DropReason::Malformed);
        }
        self.counters.forwarded += 1;
        self.counters.emitted += fragments.len() as u64;
        self.emitted
            .extend(fragments.into_iter().map(|fragment| (to, fragment)));
        Verdict::Emit
    }

    /// Decides on a packet that is only described, and notes the steps.
    pub(crate) fn explain(
        &mut self,
        from: PortId,
        dst_mac: Mac,
        subject: &Subject,
        now: Timestamp,
        steps: &mut Vec<crate::Step>,
        assumed: PortId,
    ) -> Decision {
        let snapshot = self.snapshot.clone();
        self.walk(&snapshot, now, steps, assumed)
            .decide(from, dst_mac, subject)
    }

    /// The way of a packet that nobody sent, with its steps written down.
    pub(crate) fn walk<'a>(
        &'a mut self,
        snapshot: &'a Snapshot,
        now: Timestamp,
        steps: &'a mut Vec<crate::Step>,
        assumed: PortId,
    ) -> Walk<'a> {
        Walk {
            snapshot,
            connections: &mut self.connections,
            sessions: &mut self.sessions,
            health_checks: &mut self.health_checks,
            cache: &mut self.cache,
            origins: &mut self.origins,
            now,
            steps: Some(steps),
            assumed: Some(assumed),
            alone: None,
            way: Way::default(),
        }
    }
}

pub(crate) fn key_ports(tuple: &Tuple) -> [u16; 2] {
    match tuple.l4 {
        L4::Ports { src, dst } => [src, dst],
        L4::Icmp {
            icmp_type,
            code,
            id,
        } => [id, u16::from_be_bytes([icmp_type, code])],
        L4::None => [0, 0],
    }
}
