//! One packet on its way through the pipeline: what the two halves, `egress` and `ingress`, share.

use std::net::IpAddr;
use std::sync::Arc;

use model::{ResourceId, Timestamp};
use packet::Mac;
use smallvec::SmallVec;

use crate::compile::Snapshot;
use crate::compile::network_interface::Interface;
use crate::connection::{Connections, Trackable};
use crate::disposition::Disposition;
use crate::flow_cache::{FlowCache, Membership, Memberships, Owner, Translation};
use crate::health_check::HealthChecks;
use crate::meter::{Record, Records};
use crate::ports::PortId;
use crate::service_network::Origins;
use crate::session::Sessions;
use crate::sighting::Sighting;
use crate::step::{Cited, Outcome, Stage, Step};
use crate::subject::Subject;
use crate::{Direction, DropReason, InterfaceMetadata};

/// The longest packet inside a VPC (Amazon EC2 User Guide, "Network maximum transmission unit").
pub(crate) const MTU_VPC: u16 = 9001;
/// The longest packet through an internet gateway.
pub(crate) const MTU_INTERNET: u16 = 1500;

/// How long a verdict without a connection behind it is kept while nobody uses it, in seconds.
const IDLE_SECS: u32 = 300;

/// Where a packet goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Out {
    pub(crate) port: PortId,
    pub(crate) src_mac: Mac,
    pub(crate) dst_mac: Mac,
}

/// What was decided about a packet.
#[derive(Clone, Debug)]
pub(crate) struct Decision {
    pub(crate) disposition: Disposition,
    pub(crate) out: Option<Out>,
    pub(crate) translation: Translation,
    /// The longest packet of the way, or of the part of it that the packet went.
    pub(crate) mtu: u16,
    pub(crate) records: Records,
    pub(crate) memberships: Memberships,
    pub(crate) idle_secs: u32,
    pub(crate) cacheable: bool,
    /// The interface whose groups refused.
    pub(crate) refused_by: Option<PortId>,
    /// How many hops the way takes.
    pub(crate) hops: u8,
    /// Whether hosts are told how long their segments may be.
    pub(crate) limits_segments: bool,
    /// What a gateway tells the sender of a packet that it refuses.
    pub(crate) answer: Option<Answer>,
}

/// What a gateway tells the sender of a packet that it refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The connection does not exist: TCP RST.
    Reset,
    /// The packet has no hop left: ICMP, from the gateway's address.
    TimeExceeded { from: IpAddr },
}

/// The way of one packet.
pub(crate) struct Walk<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) connections: &'a mut Connections,
    pub(crate) sessions: &'a mut Sessions,
    pub(crate) health_checks: &'a mut HealthChecks,
    pub(crate) cache: &'a mut FlowCache,
    pub(crate) origins: &'a mut Origins,
    pub(crate) now: Timestamp,
    pub(crate) steps: Option<&'a mut Vec<Step>>,
    /// An interface that is taken to have a device behind it: the one that a trace asks about.
    pub(crate) assumed: Option<PortId>,
    /// The one interface whose packets are decided on, if they were captured there.
    pub(crate) alone: Option<PortId>,
    pub(crate) way: Way,
}

/// What a packet has met so far.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) from: Option<PortId>,
    pub(crate) translation: Translation,
    pub(crate) mtu: u16,
    pub(crate) memberships: Memberships,
    pub(crate) idle_secs: u32,
    pub(crate) cacheable: bool,
    pub(crate) refused_by: Option<PortId>,
    pub(crate) hops: u8,
    /// A gateway that tells hosts how long their segments may be.
    pub(crate) limits_segments: bool,
    pub(crate) answer: Option<Answer>,
    /// How many nodes of load balancers have taken it.
    pub(crate) nodes: u8,
    /// The load balancer's node that sends the packet on: groups that name its groups mean the client too.
    pub(crate) on_behalf_of: Option<IpAddr>,
    /// Who records the packet, and as what, in the order of the way.
    pub(crate) seen: SmallVec<[Sighting; 2]>,
    /// Who has sent the packet to the interface where it arrives next.
    pub(crate) sent_by: Option<Arc<InterfaceMetadata>>,
}

impl Default for Way {
    fn default() -> Self {
        Self {
            from: None,
            translation: Translation::default(),
            mtu: MTU_VPC,
            memberships: Memberships::new(),
            idle_secs: IDLE_SECS,
            cacheable: true,
            refused_by: None,
            hops: 0,
            limits_segments: false,
            answer: None,
            nodes: 0,
            on_behalf_of: None,
            seen: SmallVec::new(),
            sent_by: None,
        }
    }
}

impl Way {
    /// A part of the way carries no longer packets than these.
    pub(crate) fn limit_mtu(&mut self, mtu: u16) {
        self.mtu = self.mtu.min(mtu);
    }
}

/// Where a packet ended: delivered, or dropped with the reason.
pub(crate) type End = Result<(Out, Disposition), Disposition>;

impl<'a> Walk<'a> {
    /// Decides on a packet from a port.
    pub(crate) fn decide(mut self, from: PortId, dst_mac: Mac, subject: &Subject) -> Decision {
        let snapshot = self.snapshot;
        self.way.from = Some(from);
        let end = match snapshot.port(from) {
            Some(crate::compile::Port::Interface(interface)) => {
                self.egress(interface, dst_mac, subject)
            }
            Some(crate::compile::Port::Outside(outside)) => {
                self.out_of_internet(outside, dst_mac, subject)
            }
            Some(crate::compile::Port::Services) => self.out_of_services(dst_mac, subject),
            Some(crate::compile::Port::NatGateway(_)) | None => {
                Err(Disposition::RefusedOnLink(DropReason::UnknownPort))
            }
        };
        self.conclude(end)
    }

    /// Decides on a packet that arrives at the one interface that there is.
    pub(crate) fn decide_on_arrival(mut self, src_mac: Mac, subject: &Subject) -> Decision {
        let snapshot = self.snapshot;
        self.way.from = Some(PortId::WIRE);
        let end = match self.alone.and_then(|port| snapshot.interface(port)) {
            Some(at) => self.arrive(at, src_mac, subject),
            None => Err(Disposition::RefusedOnLink(DropReason::UnknownPort)),
        };
        self.conclude(end)
    }

    /// Decides on a packet that a load balancer's node sends by itself.
    pub(crate) fn decide_from_node(mut self, node: &Interface, subject: &Subject) -> Decision {
        let end = self
            .node_groups(node, true, subject)
            .and_then(|()| self.send_on(node, subject));
        self.conclude(end)
    }

    /// Decides on a packet that has come as far as an interface.
    pub(crate) fn decide_at(
        mut self,
        to: &Interface,
        enters_subnet: bool,
        subject: &Subject,
    ) -> Decision {
        let end = self.ingress(to, enters_subnet, None, subject);
        self.conclude(end)
    }

    /// Decides on a packet that what is behind a gateway's interface, endpoint's or load balancer's sends on.
    pub(crate) fn decide_behind(mut self, from: &Interface, subject: &Subject) -> Decision {
        if from.load_balancer.is_some() {
            return self.decide_from_node(from, subject);
        }
        let table = self.snapshot.subnet_of(from).route_table.as_ref();
        let route = table.and_then(|table| table.lookup(subject.tuple.dst));
        let end = self.leave(from, route, subject);
        self.conclude(end)
    }

    fn conclude(self, end: End) -> Decision {
        let (out, disposition) = match end {
            Ok((out, disposition)) => (Some(out), disposition),
            Err(disposition) => (None, disposition),
        };
        let seen = self.way.seen.into_iter();
        let records = seen.map(|seen| Record::new(seen, disposition.clone()));
        Decision {
            records: records.collect(),
            disposition: disposition.clone(),
            out,
            translation: self.way.translation,
            mtu: self.way.mtu,
            memberships: self.way.memberships,
            hops: self.way.hops,
            limits_segments: self.way.limits_segments || self.way.hops > 0,
            answer: self.way.answer,
            idle_secs: self.way.idle_secs,
            cacheable: self.way.cacheable,
            refused_by: self.way.refused_by,
        }
    }

    /// Notes a step, if somebody wants to know.
    pub(crate) fn step(
        &mut self,
        place: impl Into<ResourceId>,
        direction: Direction,
        stage: Stage,
        resource: Option<ResourceId>,
        outcome: Outcome,
        rule: impl FnOnce() -> String,
    ) {
        if let Some(steps) = &mut self.steps {
            steps.push(Step {
                place: Some(place.into()),
                direction,
                stage,
                resource,
                rule: rule(),
                cited: None,
                outcome,
            });
        }
    }

    /// Notes which row decided the last step, if somebody wants to know.
    pub(crate) fn cite(&mut self, cited: Cited) {
        if let Some(step) = self.steps.as_mut().and_then(|steps| steps.last_mut()) {
            step.cited = Some(cited);
        }
    }

    /// Takes note of what a gateway replaces; the packet as it is behind it.
    pub(crate) fn translate(&mut self, translation: Translation, subject: &Subject) -> Subject {
        self.way.translation = self.way.translation.then(translation);
        subject.translated(translation)
    }

    /// Security groups of an interface, with connection tracking. Some gateways have flows `tracked` that the rules
    /// would leave untracked.
    pub(crate) fn security_groups(
        &mut self,
        interface: &Interface,
        egress: bool,
        tracked: bool,
        subject: &Subject,
    ) -> Result<(), Disposition> {
        let direction = direction(egress);
        let stage = Stage::SecurityGroup;
        if self.is_related(interface, egress, subject) {
            self.way.cacheable = false;
            self.step(interface.id, direction, stage, None, Outcome::Pass, || {
                "error about an allowed flow".to_owned()
            });
            return Ok(());
        }
        let trackable = Trackable::of(interface.port, egress, &subject.tuple);
        if let Some(index) = self.alive(&trackable, subject) {
            self.see(index, egress, subject);
            self.step(interface.id, direction, stage, None, Outcome::Pass, || {
                "tracked connection".to_owned()
            });
            return Ok(());
        }
        let groups = &interface.groups;
        let behalf = self.way.on_behalf_of.filter(|_| !egress);
        let allowed = groups.allow(egress, &subject.tuple);
        let allowed = allowed.or_else(|| groups.allow_through(behalf?, &subject.tuple));
        let Some(allowed) = allowed else {
            self.way.refused_by = Some(interface.port);
            let denied = Disposition::DeniedBySecurityGroup {
                interface: interface.id,
                egress,
                groups: interface.groups.ids.clone(),
            };
            self.step(interface.id, direction, stage, None, Outcome::Drop, || {
                denied.to_string()
            });
            return Err(denied);
        };
        let begins_nothing = subject.quoted.is_some() || subject.tcp_flags & packet::tcp::RST != 0;
        let untracked = trackable.only_answers
            || (!tracked
                && (allowed.untracked
                    || interface.groups.answers_untracked(egress, &subject.tuple)));
        if begins_nothing {
            // The flow's next packet may begin something.
            self.way.cacheable = false;
        } else if !untracked {
            self.begin(interface, &trackable, egress, subject)?;
        }
        let group = Some(allowed.group.into());
        self.step(interface.id, direction, stage, group, Outcome::Pass, || {
            format!("{} ({})", allowed.rule.text(egress), allowed.rule.id)
        });
        self.cite(Cited::SecurityGroupRule(allowed.rule.id));
        Ok(())
    }

    fn begin(
        &mut self,
        interface: &Interface,
        trackable: &Trackable,
        egress: bool,
        subject: &Subject,
    ) -> Result<(), Disposition> {
        let flags = subject.tcp_flags;
        match self
            .connections
            .begin(trackable.key, egress, flags, self.now)
        {
            Ok((index, seen)) => {
                self.way.memberships.push(Membership {
                    owner: Owner::Connection(index),
                    egress,
                });
                self.way.idle_secs = self.way.idle_secs.min(seen.idle_secs);
                if let Some(fast_path) = self.cache.fast_path() {
                    let port = interface.port;
                    fast_path.begun(port, self.connections.begun(port));
                }
                Ok(())
            }
            Err(crate::connection::TableFull) => {
                self.way.cacheable = false;
                let interface = interface.id;
                let full = Disposition::ConntrackAllowanceExceeded { interface };
                let stage = Stage::SecurityGroup;
                self.step(
                    interface,
                    direction(egress),
                    stage,
                    None,
                    Outcome::Drop,
                    || full.to_string(),
                );
                Err(full)
            }
        }
    }

    /// Whether an ICMP error is about a flow that the interface's groups let pass.
    fn is_related(&mut self, interface: &Interface, egress: bool, subject: &Subject) -> bool {
        let Some(quoted) = subject.quoted else {
            return false;
        };
        let about = Trackable::of(interface.port, !egress, &quoted);
        if let Some(index) = self.connections.find(&about.key)
            && !self.is_expired(index)
        {
            return true;
        }
        interface.groups.is_untracked(!egress, &quoted)
    }

    /// The connection that a packet belongs to, unless that is over or too long ago.
    pub(crate) fn alive(&mut self, trackable: &Trackable, subject: &Subject) -> Option<u32> {
        let index = self.connections.find(&trackable.key)?;
        let opens = subject.tcp_flags & (packet::tcp::SYN | packet::tcp::ACK) == packet::tcp::SYN;
        let reopened = opens && self.connections.is_over(index);
        if reopened || self.is_expired(index) {
            self.forget(index);
            if let Some(connection) = self.connections.remove(index) {
                self.origins.ended(self.snapshot, &connection);
            }
            return None;
        }
        Some(index)
    }

    fn is_expired(&self, index: u32) -> bool {
        // Most have not been idle for long, whatever the flow cache has seen since.
        if !self
            .connections
            .is_expired(index, Timestamp::default(), self.now)
        {
            return false;
        }
        let owner = Owner::Connection(index);
        let last = last_seen(self.connections, self.sessions, self.cache, owner);
        self.connections.is_expired(index, last, self.now)
    }

    pub(crate) fn see(&mut self, index: u32, egress: bool, subject: &Subject) {
        let flags = subject.tcp_flags;
        if let Some(seen) = self.connections.see(index, egress, flags, self.now) {
            if seen.forget {
                self.forget(index);
            }
            self.way.memberships.push(Membership {
                owner: Owner::Connection(index),
                egress,
            });
            self.way.idle_secs = self.way.idle_secs.min(seen.idle_secs);
            self.way.cacheable &= seen.cacheable;
        }
    }

    fn forget(&mut self, index: u32) {
        let paths = self.connections.get(index).map(|c| c.paths);
        for path in paths.into_iter().flatten() {
            self.cache.forget(path);
        }
    }

    /// Whether a packet is too long for a way and cannot be fragmented.
    pub(crate) fn too_long(&self, mtu: u16, subject: &Subject) -> Option<Disposition> {
        let whole = subject.dont_fragment || subject.tuple.dst.is_ipv6();
        (subject.len > usize::from(mtu) && whole).then_some(Disposition::MtuExceeded { mtu })
    }
}

/// When what remembers a flow last saw it, on the slow path or by the flow cache.
pub(crate) fn last_seen(
    connections: &Connections,
    sessions: &Sessions,
    cache: &FlowCache,
    owner: Owner,
) -> Timestamp {
    let known = match owner {
        Owner::Connection(index) => connections.get(index).map(|c| (c.paths, c.last)),
        Owner::Session(index) => sessions.get(index).map(|s| (s.paths, s.last)),
    };
    let Some((paths, last)) = known else {
        return Timestamp::default();
    };
    paths
        .iter()
        .filter_map(|&path| cache.last_seen(path, owner))
        .fold(last, Timestamp::max)
}

pub(crate) fn direction(egress: bool) -> Direction {
    if egress {
        Direction::Egress
    } else {
        Direction::Ingress
    }
}
