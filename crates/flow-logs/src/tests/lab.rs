//! A network, real packets through the data plane, and the lines that a flow log gets of them.

use std::net::IpAddr;
use std::sync::Arc;

use dataplane::{
    Compiler, Dataplane, Device, INTERNET_ROUTER_MAC, Limits, Offload, Options, Snapshot, Verdict,
};
use fixture::{Fixture, Send};
use model::{FlowLog, NetworkInterface};
use packet::{Mac, Packet};

use super::support::{at, flow_log};
use crate::{
    Aggregation, Aggregator, ClosedWindow, LogFormat, ServiceRanges, batches, coverage_with,
};

/// A flow log over everything in a network of the fixture language.
pub(crate) struct Lab {
    pub(crate) fixture: Fixture,
    compiler: Compiler,
    pub(crate) dataplane: Dataplane,
    pub(crate) aggregator: Aggregator,
    closed: Vec<ClosedWindow>,
}

/// Packets of one direction: how many, of how many bytes together, and the flags of the first and last.
pub(crate) struct Flow {
    /// `NAME sends tcp SRC > DST`
    pub(crate) line: String,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// What the packets' headers take.
    pub(crate) headers: u64,
    pub(crate) first: &'static str,
    pub(crate) last: &'static str,
}

impl Lab {
    /// `format` are names of fields; `vpc` is what the flow log is on.
    pub(crate) fn new(network: &str, vpc: &str, format: &str, aggregation: Aggregation) -> Self {
        Self::with(network, vpc, format, aggregation, |_| ())
    }

    /// With something else about the flow log.
    pub(crate) fn with(
        network: &str,
        vpc: &str,
        format: &str,
        aggregation: Aggregation,
        change: impl FnOnce(&mut FlowLog),
    ) -> Self {
        let mut fixture = Fixture::parse(network).unwrap();
        let scopes = fixture.world.regions.iter();
        let mut owners = scopes.filter(|(_, state)| state.vpcs.contains(&vpc.parse().unwrap()));
        let (&scope, _) = owners.next().unwrap();
        let mut row = flow_log("fl-00000001", &format!("{vpc} ALL s3:b 600"));
        let header = LogFormat::from_header(format).unwrap();
        row.log_format = header.to_string();
        change(&mut row);
        let state = fixture.world.regions.get_mut(&scope).unwrap();
        state.flow_logs.insert(row.id, row);
        let mut compiler = Compiler::new(Options::default());
        let snapshot = compiler.compile(&fixture.world);
        let mut lab = Self {
            compiler,
            dataplane: Dataplane::new(snapshot, Limits::default()),
            aggregator: Aggregator::new(aggregation, 1 << 16),
            closed: Vec::new(),
            fixture,
        };
        lab.services(&ServiceRanges::built_in());
        lab
    }

    /// Takes the codes of services from elsewhere.
    pub(crate) fn services(&mut self, ranges: &Arc<ServiceRanges>) {
        let coverage = coverage_with(&self.fixture.world, ranges);
        self.aggregator.set_coverage(coverage, at(0));
    }

    /// Puts the fixture's world, however it has been changed, in force.
    pub(crate) fn install(&mut self) {
        let snapshot = self.compiler.compile(&self.fixture.world);
        self.dataplane.install(snapshot);
    }

    /// With a data plane that has no room for what is seen.
    pub(crate) fn without_memory(mut self) -> Self {
        let limits = Limits {
            flows: 0,
            waiting_samples: 0,
            ..Limits::default()
        };
        self.dataplane = Dataplane::new(self.dataplane.snapshot().clone(), limits);
        self
    }

    /// Sends a packet; what comes out, if anything does.
    pub(crate) fn send(&mut self, line: &str, now: u64) -> Option<Vec<u8>> {
        let send = Send::parse(line).unwrap();
        let device = match send.sender.parse() {
            Ok(address) => Device::InternetHost(address),
            Err(_) => Device::Interface(fixture::eni(&send.sender)),
        };
        let port = self.dataplane.snapshot().port_of(&device).unwrap();
        let mut frame = send
            .frame(Mac(fixture::mac(&send.sender).0), self.next_hop(&send))
            .unwrap();
        let verdict = self
            .dataplane
            .forward(port, &mut frame, Offload::default(), at(now));
        matches!(verdict, Verdict::Forward(_)).then_some(frame)
    }

    /// The MAC address that a sender's kernel would choose.
    fn next_hop(&self, send: &Send) -> Mac {
        let states = self.fixture.world.regions.values();
        let interfaces: Vec<&NetworkInterface> =
            states.flat_map(|s| s.network_interfaces.values()).collect();
        let sender = fixture::eni(&send.sender);
        let Some(from) = interfaces.iter().find(|eni| eni.id == sender) else {
            return INTERNET_ROUTER_MAC;
        };
        let mut neighbours = interfaces
            .iter()
            .filter(|eni| eni.subnet_id == from.subnet_id);
        match neighbours.find(|eni| eni.addresses().any(|a| a == send.dst)) {
            Some(to) => Mac(to.mac.0),
            None => Mac(Snapshot::router_mac(from.vpc_id).0),
        }
    }

    /// Flows side by side: the first packet of each at `first`, the last of each at `last`.
    pub(crate) fn exchange(&mut self, flows: &[Flow], first: u64, last: u64) {
        for (nth, now, place) in [(0, first, First), (1, first, Middle), (2, last, Last)] {
            for flow in flows {
                flow.check(nth);
                for n in place.of(flow.packets) {
                    self.send(&flow.packet(n), now);
                }
            }
        }
        self.take_in(last);
    }

    /// Counts what interfaces have seen.
    pub(crate) fn take_in(&mut self, now: u64) {
        let mut samples = Vec::new();
        while self.dataplane.harvest(1 << 10, &mut samples) {}
        for sample in &samples {
            self.aggregator.observe(sample);
        }
        for interface in self.dataplane.take_skipped() {
            self.aggregator.mark_skipped(&interface, at(now));
        }
    }

    /// Closes every window in which something was seen.
    pub(crate) fn flush(&mut self, now: u64) {
        self.take_in(now);
        self.closed.extend(self.aggregator.close_all(at(now)));
    }

    /// Closes the windows that are over.
    pub(crate) fn close_due(&mut self, now: u64) {
        self.take_in(now);
        let mut closed = self.aggregator.close_due(at(now));
        for window in &mut closed {
            window.describe(&self.fixture.world);
        }
        self.closed.extend(closed);
    }

    /// Every line so far, in order.
    pub(crate) fn lines(&self) -> Vec<String> {
        let batches = batches(&self.closed);
        let lines = batches.iter().flat_map(|batch| batch.lines.iter());
        let mut lines: Vec<_> = lines.map(|(_, text)| text.to_owned()).collect();
        lines.sort();
        lines
    }

    /// Compares every line so far with documented ones.
    pub(crate) fn check(&self, documented: &str) {
        let mut expected: Vec<_> = documented.lines().map(|l| l.trim().to_owned()).collect();
        expected.retain(|line| !line.is_empty());
        expected.sort();
        assert_eq!(self.lines(), expected);
    }
}

/// Source port of a frame.
pub(crate) fn source_port(frame: &[u8]) -> u16 {
    Packet::parse(frame).unwrap().ip().unwrap().src_port
}

/// Addresses of a frame.
pub(crate) fn addresses(frame: &[u8]) -> (IpAddr, IpAddr) {
    let packet = Packet::parse(frame).unwrap();
    let ip = packet.ip().unwrap();
    (ip.src, ip.dst)
}

enum Place {
    First,
    Middle,
    Last,
}

use Place::{First, Last, Middle};

impl Place {
    fn of(&self, packets: u64) -> std::ops::Range<u64> {
        match self {
            First => 0..1,
            Middle => 1..packets - 1,
            Last => packets - 1..packets,
        }
    }
}

impl Flow {
    fn check(&self, nth: u64) {
        assert!(self.packets > nth && self.bytes >= self.packets * self.headers);
    }

    /// The payload is spread evenly over the packets.
    fn packet(&self, n: u64) -> String {
        let payload = self.bytes - self.packets * self.headers;
        let share = |n: u64| payload * n / self.packets;
        let flags = match n {
            0 => self.first,
            n if n == self.packets - 1 => self.last,
            _ if self.line.contains("tcp") => "ack",
            _ => "",
        };
        format!("{} {flags} len {}", self.line, share(n + 1) - share(n))
    }
}
