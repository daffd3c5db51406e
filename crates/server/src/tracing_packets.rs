//! `weir trace` and `weir probe`: the same question, asked of the rules and of the wire.

use std::net::IpAddr;
use std::time::Duration;

use dataplane::{Direction, Leg, Source, TraceOutcome, TraceRequest};
use host::probe::{ProbeKind, Probed};
use model::{InstanceId, NetworkInterface, NetworkInterfaceId, State, World};

use crate::daemon::Daemon;
use crate::named;
use crate::ops::{Outcome, Probe, ProbeReport, Trace, TraceReport, TraceStep};
use crate::plan::Place;
use crate::weir::Refusal;

/// Ports from which traces and probes come look like those that clients get.
const EPHEMERAL_PORT: u16 = 49_152;
/// A packet that has not arrived by then has been dropped.
const PATIENCE: Duration = Duration::from_millis(1_000);

/// The place that a source names: `internet:ADDRESS`, or an instance or interface by id or name.
pub(crate) fn place(daemon: &Daemon, source: &str) -> Result<Place, Refusal> {
    match parse_source(&daemon.writer.world(), source)? {
        Source::Internet(address) => Ok(Place::InternetHost(address)),
        Source::Interface(id) => instance_of(&daemon.writer.world(), id)
            .map(Place::Instance)
            .ok_or_else(|| {
                Refusal::new(
                    "IncorrectState",
                    format!("'{id}' is not attached to an instance."),
                )
            }),
    }
}

/// Says what would happen to a packet and to its answer.
pub(crate) fn trace(daemon: &Daemon, request: &Trace) -> Result<TraceReport, Refusal> {
    let Question {
        source,
        destination,
        protocol,
        port,
    } = question(daemon, request)?;
    let snapshot = daemon
        .datapath
        .inspect(|dataplane| dataplane.snapshot().clone())
        .map_err(Refusal::internal)?;
    let request = TraceRequest {
        source,
        protocol,
        destination,
        source_port: EPHEMERAL_PORT,
        destination_port: port.unwrap_or(0),
    };
    let trace = dataplane::trace(&snapshot, &request).map_err(|error| match error {
        dataplane::TraceError::UnknownSource(_) => {
            Refusal::new("InvalidParameterValue", "The source does not exist.")
        }
        dataplane::TraceError::NoAddress(address) => Refusal::new(
            "InvalidParameterValue",
            format!("The source has no address of the family of {address}."),
        ),
    })?;
    Ok(TraceReport {
        outcome: outcome(trace.outcome),
        request_end: trace.request.disposition.to_string(),
        request: steps(&trace.request),
        answer_end: trace.answer.as_ref().map(|leg| leg.disposition.to_string()),
        answer: trace.answer.as_ref().map(steps).unwrap_or_default(),
    })
}

/// Sends the packet for real, and says what was seen of it.
pub(crate) fn probe(daemon: &Daemon, request: &Probe) -> Result<ProbeReport, Refusal> {
    let Probe(request) = request;
    let question = question(daemon, request)?;
    let kind = match (question.protocol, question.port) {
        (TCP, Some(port)) => ProbeKind::Tcp(port),
        (UDP, Some(port)) => ProbeKind::Udp(port),
        (ICMP | ICMPV6, _) => ProbeKind::Ping,
        _ => {
            return Err(Refusal::new(
                "InvalidParameterValue",
                "Only tcp, udp, icmp and icmpv6 can be sent; ask weir trace about others.",
            ));
        }
    };
    let from = daemon
        .instances
        .namespace(&place(daemon, &request.source)?)
        .ok_or_else(|| {
            Refusal::new(
                "IncorrectInstanceState",
                format!("'{}' is not running.", request.source),
            )
        })?;
    let to = receiver(
        &daemon.writer.world(),
        question.source,
        question.destination,
    )
    .and_then(|place| daemon.instances.namespace(&place));
    let address = question.destination;
    let probed = host::probe::probe(&from, to.as_ref(), kind, address, PATIENCE)
        .map_err(Refusal::internal)?;
    Ok(report(probed))
}

fn report(probed: Probed) -> ProbeReport {
    let outcome = match (probed.round_trip, probed.arrived) {
        (Some(_), _) => Outcome::Answered,
        (None, true) => Outcome::AnswerRefused,
        (None, false) => Outcome::Refused,
    };
    let answer = match (probed.round_trip, probed.closed) {
        (Some(_), true) => "an answer that nobody listens there",
        (Some(_), false) => "an answer",
        (None, _) => "nothing",
    };
    ProbeReport {
        outcome,
        arrived: if probed.arrived {
            "the packet arrived"
        } else {
            "nothing arrived"
        }
        .to_owned(),
        answer: answer.to_owned(),
        round_trip_us: probed
            .round_trip
            .and_then(|time| u64::try_from(time.as_micros()).ok()),
    }
}

struct Question {
    source: Source,
    destination: IpAddr,
    protocol: u8,
    port: Option<u16>,
}

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;

fn question(daemon: &Daemon, request: &Trace) -> Result<Question, Refusal> {
    let invalid = |name: &str, value: &str| {
        Refusal::new(
            "InvalidParameterValue",
            format!("Value ({value}) for parameter {name} is invalid."),
        )
    };
    let world = daemon.writer.world();
    let source = parse_source(&world, &request.source)?;
    let destination = parse_destination(&world, source, &request.destination)?;
    let name = request.protocol.as_str();
    let protocol = match (model::protocol::number(name), destination) {
        (Some(ICMP), IpAddr::V6(_)) if name.eq_ignore_ascii_case("icmp") => ICMPV6,
        (Some(ICMPV6), IpAddr::V4(_)) if name.eq_ignore_ascii_case("icmpv6") => {
            return Err(invalid("protocol", name));
        }
        (Some(number), _) => number,
        (None, _) => return Err(invalid("protocol", name)),
    };
    if matches!(protocol, TCP | UDP) && request.port.is_none() {
        return Err(Refusal::new(
            "MissingParameter",
            "The request must contain the parameter port",
        ));
    }
    if !matches!(protocol, TCP | UDP) && request.port.is_some() {
        return Err(Refusal::new(
            "InvalidParameterCombination",
            "Only tcp and udp have ports.",
        ));
    }
    Ok(Question {
        source,
        destination,
        protocol,
        port: request.port,
    })
}

fn parse_source(world: &World, source: &str) -> Result<Source, Refusal> {
    if let Some(address) = source.strip_prefix("internet:") {
        let address = address.parse().map_err(|_| named::unknown(source))?;
        let exists = world
            .regions
            .values()
            .any(|state| state.internet_hosts.contains(&address));
        return exists
            .then_some(Source::Internet(address))
            .ok_or_else(|| named::unknown(source));
    }
    match named::interfaces(world, source)?.first() {
        Some(primary) => Ok(Source::Interface(primary.id)),
        None => Err(named::unknown(source)),
    }
}

/// The address that a destination names: seen from a VPC its private one, from the internet its public one.
fn parse_destination(world: &World, source: Source, text: &str) -> Result<IpAddr, Refusal> {
    let address = text.strip_prefix("internet:").unwrap_or(text);
    if let Ok(address) = address.parse() {
        return Ok(address);
    }
    let interfaces = named::interfaces(world, text)?;
    let primary = interfaces.first().ok_or_else(|| named::unknown(text))?;
    let ipv6 = primary.ipv6_addresses.first().copied().map(IpAddr::V6);
    let ipv4 = primary.primary_ipv4();
    let address = match source {
        Source::Interface(_) => ipv4.map(IpAddr::V4).or(ipv6),
        Source::Internet(IpAddr::V6(_)) => ipv6,
        Source::Internet(IpAddr::V4(_)) => ipv4
            .and_then(|private| primary.public_ip(private))
            .map(IpAddr::V4),
    };
    address.ok_or_else(|| {
        let words = format!("'{text}' has no address that {source} can send to.");
        Refusal::new("InvalidParameterValue", words)
    })
}

fn instance_of(world: &World, id: NetworkInterfaceId) -> Option<InstanceId> {
    world
        .regions
        .values()
        .find_map(|state| state.network_interfaces.get(&id)?.instance_id())
}

/// Who has the address, seen from the source.
fn receiver(world: &World, source: Source, address: IpAddr) -> Option<Place> {
    let inside = |state: &State| {
        let Source::Interface(id) = source else {
            return None;
        };
        let vpc = state.network_interfaces.get(&id)?.vpc_id;
        let has =
            |eni: &&NetworkInterface| eni.vpc_id == vpc && eni.addresses().any(|a| a == address);
        state.network_interfaces.values().find(has)?.instance_id()
    };
    let public = |state: &State| {
        let has = |eni: &&NetworkInterface| {
            let mapped = eni
                .private_ip_addresses
                .iter()
                .filter_map(|p| p.association.as_ref());
            mapped
                .map(|a| IpAddr::V4(a.public_ip))
                .any(|a| a == address)
                || (address.is_ipv6() && eni.addresses().any(|a| a == address))
        };
        state.network_interfaces.values().find(has)?.instance_id()
    };
    let states = || world.regions.values();
    if let Some(id) = states()
        .find_map(inside)
        .or_else(|| states().find_map(public))
    {
        return Some(Place::Instance(id));
    }
    let host = states().any(|state| state.internet_hosts.contains(&address));
    host.then_some(Place::InternetHost(address))
}

fn outcome(outcome: TraceOutcome) -> Outcome {
    match outcome {
        TraceOutcome::Answered => Outcome::Answered,
        TraceOutcome::Refused => Outcome::Refused,
        TraceOutcome::AnswerRefused => Outcome::AnswerRefused,
    }
}

fn steps(leg: &Leg) -> Vec<TraceStep> {
    let step = |step: &dataplane::Step| TraceStep {
        place: step
            .place
            .map_or_else(|| "internet".to_owned(), |place| place.to_string()),
        direction: match step.direction {
            Direction::Ingress => "ingress",
            Direction::Egress => "egress",
        }
        .to_owned(),
        stage: step.stage.name().to_owned(),
        resource: step.resource.map(|id| id.to_string()),
        rule: step.rule.clone(),
        outcome: step.outcome.name().to_owned(),
    };
    leg.steps.iter().map(step).collect()
}
