//! What would happen to a packet, and to its answer: the code that packets take, asked to explain.
//!
//! A trace works on a data plane of its own, so it never disturbs connections or counters.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use model::{NetworkInterfaceId, RecorderId, Timestamp};
use packet::{Mac, icmp, icmpv6, protocol, tcp};

use crate::compile::Port;
use crate::compile::internet::INTERNET_ROUTER_MAC;
use crate::compile::network_interface::Interface;
use crate::neighbour::{Link, SubnetLink};
use crate::subject::Subject;
use crate::tuple::{L4, Tuple};
use crate::walk::Decision;
use crate::{
    Action, Dataplane, Device, Direction, Disposition, DropReason, Limits, Outcome, PortId,
    SERVICES_ROUTER_MAC, Snapshot, Stage, Step, service,
};

/// More middleboxes than this on one way is a loop.
const HOPS_MAX: usize = 8;

/// A packet to trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceRequest {
    /// Who sends it.
    pub source: Source,
    /// IANA number.
    pub protocol: u8,
    /// To whom.
    pub destination: IpAddr,
    /// Port of TCP and UDP.
    pub source_port: u16,
    /// Port of TCP and UDP.
    pub destination_port: u16,
}

/// Who sends a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A network interface, attached or not, from its primary address.
    Interface(NetworkInterfaceId),
    /// A host of the simulated internet.
    Internet(IpAddr),
}

/// A trace that cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceError {
    /// No such interface or host.
    UnknownSource(Source),
    /// The source has no address of the destination's family.
    NoAddress(IpAddr),
}

/// A packet's way and its answer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The packet.
    pub request: Leg,
    /// Its answer, if it was delivered to somebody who would answer.
    pub answer: Option<Leg>,
    /// How it ends.
    pub outcome: TraceOutcome,
}

/// One packet's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Every step, in order.
    pub steps: Vec<Step>,
    /// How it ended.
    pub disposition: Disposition,
    /// What flow logs would say.
    pub records: Vec<(RecorderId, Direction, Action)>,
}

/// How a trace ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TraceOutcome {
    /// The packet is delivered, and so is its answer.
    Answered,
    /// The packet does not get there.
    Refused,
    /// The packet is delivered, but its answer does not get back.
    AnswerRefused,
}

/// A packet at a port.
#[derive(Clone, Copy)]
pub(crate) struct At {
    pub(crate) port: PortId,
    pub(crate) subject: Subject,
}

/// A data plane that remembers nothing, to be asked.
pub(crate) fn scratch(snapshot: &Arc<Snapshot>) -> Dataplane {
    let limits = Limits {
        flows: 64,
        connections_per_interface: 64,
        waiting_samples: 0,
        hash_seed: 0,
    };
    Dataplane::new(snapshot.clone(), limits)
}

/// Follows a packet and its answer through a snapshot.
pub fn trace(snapshot: &Arc<Snapshot>, request: &TraceRequest) -> Result<Trace, TraceError> {
    let mut scratch = scratch(snapshot);
    let start = At {
        port: port_of(snapshot, request.source).ok_or(TraceError::UnknownSource(request.source))?,
        subject: first_packet(snapshot, request)?,
    };
    let (request, end) = follow(&mut scratch, snapshot, start, start.port);
    let Some(end) = end else {
        let outcome = match request.disposition {
            Disposition::TakenByService { .. } => TraceOutcome::Answered,
            _ if request.disposition.is_delivered() => TraceOutcome::Answered,
            _ => TraceOutcome::Refused,
        };
        return Ok(Trace {
            request,
            answer: None,
            outcome,
        });
    };
    let Some(subject) = answer_to(&end.subject) else {
        return Ok(Trace {
            request,
            answer: None,
            outcome: TraceOutcome::Answered,
        });
    };
    let back = At {
        port: end.port,
        subject,
    };
    let (answer, home) = follow(&mut scratch, snapshot, back, start.port);
    let outcome = match home {
        Some(home) if home.port == start.port => TraceOutcome::Answered,
        _ => TraceOutcome::AnswerRefused,
    };
    Ok(Trace {
        request,
        answer: Some(answer),
        outcome,
    })
}

fn port_of(snapshot: &Snapshot, source: Source) -> Option<PortId> {
    let device = match source {
        Source::Interface(id) => Device::Interface(id),
        Source::Internet(address) => Device::InternetHost(address),
    };
    snapshot.port_of(&device)
}

fn first_packet(snapshot: &Snapshot, request: &TraceRequest) -> Result<Subject, TraceError> {
    let dst = request.destination;
    let src = match request.source {
        Source::Internet(address) => Some(address),
        Source::Interface(_) => port_of(snapshot, request.source)
            .and_then(|port| snapshot.interface(port))
            .and_then(|interface| {
                let mut own = interface.addresses.iter();
                own.find(|a| a.is_ipv4() == dst.is_ipv4()).copied()
            }),
    };
    let src = src
        .filter(|src| src.is_ipv4() == dst.is_ipv4())
        .ok_or(TraceError::NoAddress(dst))?;
    let l4 = match request.protocol {
        protocol::TCP | protocol::UDP => L4::Ports {
            src: request.source_port,
            dst: request.destination_port,
        },
        protocol::ICMP => icmp_message(icmp::ECHO_REQUEST, 1),
        protocol::ICMPV6 => icmp_message(icmpv6::ECHO_REQUEST, 1),
        _ => L4::None,
    };
    let is_tcp = request.protocol == protocol::TCP;
    Ok(Subject {
        tuple: Tuple {
            src,
            dst,
            protocol: request.protocol,
            l4,
        },
        tcp_flags: if is_tcp { tcp::SYN } else { 0 },
        quoted: None,
        len: 60,
        dont_fragment: true,
        is_fragment: false,
        ttl: 64,
    })
}

fn icmp_message(icmp_type: u8, id: u16) -> L4 {
    L4::Icmp {
        icmp_type,
        code: 0,
        id,
    }
}

/// What the receiver of a packet sends back.
fn answer_to(subject: &Subject) -> Option<Subject> {
    let mut tuple = subject.tuple.reversed();
    if let L4::Icmp { icmp_type, id, .. } = tuple.l4 {
        tuple.l4 = match (tuple.protocol, icmp_type) {
            (protocol::ICMP, icmp::ECHO_REQUEST) => icmp_message(icmp::ECHO_REPLY, id),
            (protocol::ICMPV6, icmpv6::ECHO_REQUEST) => icmp_message(icmpv6::ECHO_REPLY, id),
            _ => return None,
        };
    }
    let flags = match subject.tcp_flags {
        0 => 0,
        _ => tcp::SYN | tcp::ACK,
    };
    Some(Subject {
        tuple,
        tcp_flags: flags,
        ..*subject
    })
}

/// Follows a packet through middleboxes to its end. Answers where it was delivered. Who asks is
/// taken to be there, so that an interface can be asked about before it is attached.
fn follow(
    dataplane: &mut Dataplane,
    snapshot: &Snapshot,
    start: At,
    asking: PortId,
) -> (Leg, Option<At>) {
    let mut leg = Leg {
        steps: Vec::new(),
        disposition: Disposition::RefusedOnLink(DropReason::UnknownPort),
        records: Vec::new(),
    };
    let mut at = start;
    for _ in 0..HOPS_MAX {
        if let Some(interface) = snapshot.interface(at.port)
            && let Some(disposition) = stays(snapshot, interface, &at.subject, &mut leg.steps)
        {
            let own = interface.owns(at.subject.tuple.dst);
            leg.disposition = disposition;
            return (leg, own.then_some(at));
        }
        let decision = dataplane.explain(
            at.port,
            next_hop(snapshot, &at),
            &at.subject,
            Timestamp::default(),
            &mut leg.steps,
            asking,
        );
        leg.records.extend(records(&decision));
        leg.disposition = decision.disposition.clone();
        let Some(out) = decision.out else {
            return (leg, None);
        };
        at = At {
            port: out.port,
            subject: at.subject.translated(decision.translation),
        };
        match snapshot.interface(at.port) {
            Some(middlebox) if !middlebox.owns(at.subject.tuple.dst) => deliver(
                &mut leg.steps,
                middlebox,
                "forwards it, if it does what its source/destination check is off for",
            ),
            Some(receiver) => {
                deliver(&mut leg.steps, receiver, "delivered");
                return (leg, Some(at));
            }
            None => return (leg, Some(at)),
        }
    }
    (leg, None)
}

fn deliver(steps: &mut Vec<Step>, to: &Interface, rule: &str) {
    steps.push(Step {
        place: Some(to.id.into()),
        direction: Direction::Ingress,
        stage: Stage::Delivery,
        resource: None,
        rule: rule.to_owned(),
        cited: None,
        outcome: Outcome::Pass,
    });
}

/// How a packet ends that never gets to the pipeline: for the sender itself, or for a service.
fn stays(
    snapshot: &Snapshot,
    from: &Interface,
    subject: &Subject,
    steps: &mut Vec<Step>,
) -> Option<Disposition> {
    let dst = subject.tuple.dst;
    let (vpc, subnet) = (snapshot.vpc_of(from), snapshot.subnet_of(from));
    let port = match subject.tuple.l4 {
        L4::Ports { dst, .. } => dst,
        _ => 0,
    };
    let (stage, disposition) = if from.owns(dst) {
        (Stage::Delivery, Disposition::Delivered { to: from.id })
    } else if !service::is_service(vpc, subnet, dst)
        || snapshot.is_service_on_link(from, &subject.tuple)
    {
        return None;
    } else if service::service_at(vpc, subnet, dst, subject.tuple.protocol, port).is_some() {
        (Stage::Service, Disposition::TakenByService { address: dst })
    } else {
        let reason = DropReason::ServiceUnavailable;
        (Stage::Service, Disposition::RefusedOnLink(reason))
    };
    steps.push(Step {
        place: Some(from.id.into()),
        direction: Direction::Egress,
        stage,
        resource: None,
        rule: disposition.to_string(),
        cited: None,
        outcome: if disposition.is_delivered() {
            Outcome::Pass
        } else {
            Outcome::Drop
        },
    });
    Some(disposition)
}

/// The MAC address that the sender would find.
pub(crate) fn next_hop(snapshot: &Snapshot, at: &At) -> Mac {
    match snapshot.port(at.port) {
        Some(Port::Interface(interface)) => {
            let link = SubnetLink {
                snapshot,
                interface,
            };
            link.resolve(at.subject.tuple.dst)
                .unwrap_or_else(|| link.router())
        }
        Some(Port::Services) => SERVICES_ROUTER_MAC,
        Some(Port::NatGateway(_) | Port::Outside(_)) | None => INTERNET_ROUTER_MAC,
    }
}

fn records(decision: &Decision) -> impl Iterator<Item = (RecorderId, Direction, Action)> + '_ {
    let records = decision.records.iter();
    records.map(|r| (r.interface.recorder, r.key.direction, r.key.action))
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface(id) => id.fmt(f),
            Self::Internet(address) => write!(f, "internet:{address}"),
        }
    }
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownSource(source) => write!(f, "The source {source} does not exist"),
            Self::NoAddress(destination) => {
                write!(
                    f,
                    "The source has no address of the family of {destination}"
                )
            }
        }
    }
}

impl std::error::Error for TraceError {}

impl fmt::Display for Leg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{step}")?;
        }
        write!(f, "{}", self.disposition)?;
        for (i, (interface, direction, action)) in self.records.iter().enumerate() {
            let direction = match direction {
                Direction::Ingress => "ingress",
                Direction::Egress => "egress",
            };
            let action = match action {
                Action::Accept => "ACCEPT",
                Action::Reject => "REJECT",
            };
            let lead = if i == 0 { "; flow log: " } else { ", " };
            write!(f, "{lead}{interface} {direction} {action}")?;
        }
        writeln!(f)
    }
}

/// Every step of the request, then of the answer, each with what decided.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.request)?;
        if let Some(answer) = &self.answer {
            write!(f, "--- answer\n{answer}")?;
        }
        Ok(())
    }
}
