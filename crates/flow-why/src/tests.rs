//! Networks and packets as text in, explanations of their records out.

mod asked;
mod changes;
mod gateways;
mod rules;

use std::time::Duration;

use dataplane::{
    Action, Compiler, Dataplane, Device, Direction, Disposition, Limits, Offload, Options,
};
use fixture::{Fixture, Send};
use flow_logs::{Flow, FlowRecord, Observed};
use model::{Timestamp, World};
use packet::Mac;

use crate::{Later, Question, Why, answered, explain};

pub(crate) const START: Timestamp = Timestamp::from_secs(1_700_000_000);

/// A network through which packets have gone, and what its interfaces recorded.
pub(crate) struct Net {
    pub(crate) fixture: Fixture,
    pub(crate) records: Vec<FlowRecord>,
}

impl Net {
    /// Sends a packet a second.
    pub(crate) fn new(text: &str, packets: &str) -> Self {
        let fixture = Fixture::parse(text).unwrap();
        let mut compiler = Compiler::new(Options::default());
        let snapshot = compiler.compile(&fixture.world);
        let limits = Limits {
            flows: 4096,
            connections_per_interface: 1024,
            waiting_samples: 4096,
            hash_seed: 1,
        };
        let mut dataplane = Dataplane::new(snapshot, limits);
        let mut now = START;
        for line in packets.lines().map(str::trim).filter(|l| !l.is_empty()) {
            let send = Send::parse(line).unwrap();
            let device = match send.sender.parse() {
                Ok(address) => Device::InternetHost(address),
                Err(_) => Device::Interface(fixture::eni(&send.sender)),
            };
            let port = compiler.ports().get(&device).unwrap();
            let router = match device {
                Device::Interface(id) => router(&fixture.world, id, &send),
                _ => dataplane::INTERNET_ROUTER_MAC,
            };
            let mut frame = send
                .frame(Mac(fixture::mac(&send.sender).0), router)
                .unwrap();
            dataplane.forward(port, &mut frame, Offload::default(), now);
            now = now + Duration::from_secs(1);
        }
        let mut samples = Vec::new();
        while dataplane.harvest(16, &mut samples) {}
        let mut records: Vec<_> = samples.iter().map(record).collect();
        records.sort_by_key(|r| (r.start, r.flow().unwrap().key.direction));
        Self { fixture, records }
    }

    /// The record of an interface's direction.
    pub(crate) fn record(&self, eni: &str, direction: Direction) -> &FlowRecord {
        let found = self.records.iter().find(|r| {
            r.interface.recorder == fixture::eni(eni).into()
                && r.flow().unwrap().key.direction == direction
        });
        found.unwrap_or_else(|| panic!("{eni} has no such record: {:#?}", self.records))
    }

    pub(crate) fn why(&self, eni: &str, direction: Direction) -> String {
        self.why_after(eni, direction, &[])
    }

    pub(crate) fn why_after(&self, eni: &str, direction: Direction, since: &[Later]) -> String {
        let record = self.record(eni, direction);
        self.told(record, &self.fixture.world, since)
    }

    pub(crate) fn told(&self, record: &FlowRecord, world: &World, since: &[Later]) -> String {
        let question = Question {
            record,
            opposite: answered(record, &self.records),
            world,
            since,
            options: Options::default(),
        };
        self.fixture.readable(&text(&explain(&question)))
    }
}

/// The MAC address that the sender's kernel would choose.
fn router(world: &World, id: model::NetworkInterfaceId, send: &Send) -> Mac {
    let states = || world.regions.values();
    let own = states()
        .find_map(|s| s.network_interfaces.get(&id))
        .unwrap();
    let neighbour = states()
        .flat_map(|s| s.network_interfaces.values())
        .find(|eni| {
            eni.subnet_id == own.subnet_id && eni.addresses().any(|address| address == send.dst)
        });
    match neighbour {
        Some(eni) => Mac(eni.mac.0),
        None => Mac(dataplane::Snapshot::router_mac(own.vpc_id).0),
    }
}

fn record(sample: &dataplane::FlowSample) -> FlowRecord {
    FlowRecord {
        interface: sample.interface.clone(),
        start: sample.first,
        end: sample.last,
        observed: Observed::Flow(Flow {
            key: sample.key.clone(),
            packets: sample.packets,
            bytes: sample.bytes,
            tcp_flags: sample.tcp_flags,
            traffic_path: sample.traffic_path,
            next_hop: sample.next_hop.clone(),
            disposition: sample.disposition.clone(),
        }),
    }
}

/// What is said, for people.
fn text(why: &Why) -> String {
    let mut text = format!("{}\n", why.verdict);
    for (name, cause) in why
        .decided_by
        .iter()
        .map(|c| ("by", c))
        .chain(why.way.iter().map(|c| ("way", c)))
    {
        text += &format!(
            "  {name}: {} {} {} | {}\n",
            cause.place,
            cause.direction,
            cause.subject(),
            cause.text
        );
        if let Some(description) = &cause.description {
            text += &format!("    description: {description}\n");
        }
        if let Some(changed) = &cause.changed {
            text += &format!("    changed: {} {}\n", changed.at, changed.what);
        }
    }
    if let Some(now) = &why.now {
        text += &format!("  now: {}\n", now.text);
        if let Some(changed) = &now.changed {
            text += &format!("    since: {} {}\n", changed.at, changed.what);
        }
    }
    if let Some(advice) = &why.advice {
        text += &format!("  advice: {advice}\n");
    }
    for note in &why.notes {
        text += &format!("  note: {note}\n");
    }
    text
}

/// What makes one network of another, a minute later.
pub(crate) fn later(minute: u64, old: &Fixture, new: &str) -> (Later, Fixture) {
    let new = Fixture::parse(new).unwrap();
    let (before, after) = (
        old.world.region(&old.scope).unwrap().changes(),
        new.world.region(&new.scope).unwrap().changes(),
    );
    let changes = after.into_iter().filter(|c| !before.contains(c)).collect();
    let later = Later {
        at: START + Duration::from_secs(60 * minute),
        scope: new.scope,
        changes,
    };
    (later, new)
}

/// The record of a packet that ended otherwise, which takes more than a packet to make.
pub(crate) fn ending(record: &FlowRecord, action: Action, disposition: Disposition) -> FlowRecord {
    let mut flow = record.flow().unwrap().clone();
    flow.key.action = action;
    flow.disposition = disposition;
    FlowRecord {
        observed: Observed::Flow(flow),
        ..record.clone()
    }
}
