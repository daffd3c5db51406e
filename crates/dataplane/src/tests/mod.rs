//! Networks and packets as text in, verdicts and records as text out.

mod capture;
mod compiler;
mod connection;
mod dhcp;
mod disposition;
mod dns;
mod egress_only_internet_gateway;
mod flow_records;
mod fragment;
mod gateway_route_table;
mod health_check;
mod interface_endpoint;
mod internet_gateway;
mod link;
mod load_balancer;
mod nat_gateway;
mod never_logged;
mod property;
mod reference;
mod regional_nat_gateway;
mod service;
mod service_network;
mod trace;
mod vpc_endpoint;
mod vpc_peering_connection;

use std::time::Duration;

use fixture::{Fixture, Send};
use model::Timestamp;
use packet::Mac;

use crate::*;

pub(crate) const START: Timestamp = Timestamp::from_secs(1_700_000_000);

/// A data plane over a fixture.
pub(crate) struct Net {
    pub(crate) fixture: Fixture,
    compiler: Compiler,
    pub(crate) dataplane: Dataplane,
    pub(crate) now: Timestamp,
    options: Options,
}

pub(crate) fn small() -> Limits {
    Limits {
        flows: 4096,
        connections_per_interface: 1024,
        waiting_samples: 4096,
        hash_seed: 1,
    }
}

impl Net {
    pub(crate) fn new(text: &str) -> Self {
        Self::with_limits(text, small())
    }

    pub(crate) fn with_limits(text: &str, limits: Limits) -> Self {
        Self::with(text, limits, Options::default())
    }

    /// With a way to the real internet.
    pub(crate) fn with_uplink(text: &str) -> Self {
        let options = Options {
            uplink: Some(model::MacAddress([0x0e, 0, 0, 0, 0, 2])),
            ..Options::default()
        };
        Self::with(text, small(), options)
    }

    /// One in which the daemon answers for services, but has nothing for DynamoDB.
    pub(crate) fn with_services(text: &str) -> Self {
        let services = ServiceNetwork {
            mac: fixture::mac("services"),
            dynamodb: false,
        };
        let options = Options {
            services: Some(services),
            ..Options::default()
        };
        Self::with(text, small(), options)
    }

    fn with(text: &str, limits: Limits, options: Options) -> Self {
        let fixture = Fixture::parse(text).unwrap();
        let mut compiler = Compiler::new(options);
        let snapshot = compiler.compile(&fixture.world);
        Self {
            fixture,
            compiler,
            dataplane: Dataplane::new(snapshot, limits),
            now: START,
            options,
        }
    }

    /// What the network compiles to.
    pub(crate) fn compiled(&self) -> Snapshot {
        compile(&self.fixture.world, &mut self.ports().clone(), self.options)
    }

    /// Changes what the language has no words for.
    pub(crate) fn edit(&mut self, change: impl FnOnce(&mut model::State)) {
        let scope = self.fixture.scope;
        let mut state = self.fixture.world.region(&scope).unwrap().clone();
        change(&mut state);
        for change in state.changes() {
            self.fixture.world.apply(scope, &change);
        }
        self.install();
    }

    /// Puts another network in the place of the one that was.
    pub(crate) fn change(&mut self, text: &str) {
        self.fixture = Fixture::parse(text).unwrap();
        self.install();
    }

    /// Puts the fixture's world, however it has been changed, in force.
    pub(crate) fn install(&mut self) {
        let snapshot = self.compiler.compile(&self.fixture.world);
        let anew = self.compiled();
        assert!(*snapshot == anew, "compiled anew it is another:\n{anew:#?}");
        self.dataplane.install(snapshot);
    }

    pub(crate) fn ports(&self) -> &Ports {
        self.compiler.ports()
    }

    pub(crate) fn wait(&mut self, secs: u64) {
        self.now = self.now + Duration::from_secs(secs);
    }

    pub(crate) fn port(&self, name: &str) -> PortId {
        let device = match name.parse() {
            Ok(address) => Device::InternetHost(address),
            Err(_) if name == "services" => Device::Services,
            Err(_) => Device::Interface(fixture::eni(name)),
        };
        self.ports().get(&device).unwrap()
    }

    pub(crate) fn name(&self, port: PortId) -> String {
        let (device, _) = self.ports().iter().find(|(_, p)| *p == port).unwrap();
        match device {
            Device::Interface(id) => self.fixture.readable(&id.to_string()),
            Device::NatGateway(id) => self.fixture.readable(&id.to_string()),
            Device::InternetHost(address) => address.to_string(),
            Device::Uplink => "uplink".to_owned(),
            Device::Services => "services".to_owned(),
        }
    }

    /// The MAC address that a sender's kernel would choose.
    pub(crate) fn next_hop(&self, send: &Send) -> Mac {
        let snapshot = self.dataplane.snapshot();
        let Some(from) = snapshot.interface(self.port(&send.sender)) else {
            if send.sender == "services" {
                return SERVICES_ROUTER_MAC;
            }
            return INTERNET_ROUTER_MAC;
        };
        let vpc = snapshot.vpc_of(from);
        let neighbour = vpc.addresses.get(&send.dst);
        let neighbour = neighbour.and_then(|&port| snapshot.interface(port));
        match neighbour {
            Some(to) if to.subnet.id == from.subnet.id && to.port != from.port => to.mac,
            _ => vpc.router_mac,
        }
    }

    pub(crate) fn frame(&self, line: &str) -> (PortId, Vec<u8>) {
        let send = Send::parse(line).unwrap();
        let src_mac = Mac(fixture::mac(&send.sender).0);
        let frame = send.frame(src_mac, self.next_hop(&send)).unwrap();
        (self.port(&send.sender), frame)
    }

    pub(crate) fn verdict(&mut self, line: &str) -> (Verdict, Vec<u8>) {
        let (port, mut frame) = self.frame(line);
        let offload = Offload::default();
        let verdict = self.dataplane.forward(port, &mut frame, offload, self.now);
        (verdict, frame)
    }

    /// A host or an interface tells whom a packet comes from that it is not wanted at its address.
    pub(crate) fn unwanted(&mut self, about: &str, by: &str, address: &str) -> Verdict {
        let (_, frame) = self.frame(about);
        let mac = Mac(fixture::mac(by).0);
        let port = self.port(by);
        let snapshot = self.dataplane.snapshot();
        let router = match snapshot.interface(port) {
            Some(from) => snapshot.vpc_of(from).router_mac,
            None => INTERNET_ROUTER_MAC,
        };
        let (from, mut error) = (address.parse().unwrap(), Vec::new());
        let kind = packet::icmp_error::IcmpError::PortUnreachable;
        packet::icmp_error::icmp_error(&frame, kind, from, mac, &mut error).unwrap();
        packet::ethernet::set_macs(&mut error, router, mac).unwrap();
        let offload = Offload::default();
        self.dataplane.forward(port, &mut error, offload, self.now)
    }

    /// Sends a packet; says to whom it went and what it then looked like, or why not.
    pub(crate) fn send(&mut self, line: &str) -> String {
        let (verdict, frame) = self.verdict(line);
        self.told(verdict, &frame)
    }

    pub(crate) fn told(&self, verdict: Verdict, frame: &[u8]) -> String {
        match verdict {
            Verdict::Forward(to) => format!("to {}: {}", self.name(to), shown(frame)),
            Verdict::Drop(reason) => format!("dropped: {reason}"),
            Verdict::Emit => {
                let told = self.dataplane.emitted().iter().map(|(to, frame)| {
                    assert!(packet::build::checksum_is_valid(frame));
                    format!("to {}: {}", self.name(*to), shown(frame))
                });
                told.collect::<Vec<_>>().join("\n")
            }
        }
    }

    /// Sends packets; a line of what became of each.
    pub(crate) fn run(&mut self, lines: &str) -> String {
        let mut told = String::new();
        for line in lines.lines().map(str::trim).filter(|l| !l.is_empty()) {
            told += &format!("{line}\n  {}\n", self.send(line));
        }
        told
    }

    pub(crate) fn harvest(&mut self) -> Vec<FlowSample> {
        let mut samples = Vec::new();
        while self.dataplane.harvest(3, &mut samples) {}
        samples.sort_by(|a, b| {
            let key = |s: &FlowSample| (s.first, s.interface.recorder, s.key.clone());
            key(a).cmp(&key(b))
        });
        samples
    }

    /// What flow logs would be made of, a line for each sample.
    pub(crate) fn records(&mut self) -> String {
        let mut lines: Vec<String> = self
            .harvest()
            .iter()
            .map(|s| self.fixture.readable(&record(s)))
            .collect();
        lines.sort();
        lines.join("\n") + "\n"
    }
}

fn record(s: &FlowSample) -> String {
    let k = &s.key;
    let mut line = format!(
        "{} {:?} {:?} {}:{} > {}:{} proto {} packets {} bytes {} flags {}",
        s.interface.recorder,
        k.direction,
        k.action,
        k.srcaddr,
        k.srcport,
        k.dstaddr,
        k.dstport,
        k.protocol,
        s.packets,
        s.bytes,
        s.tcp_flags,
    );
    if (k.pkt_srcaddr, k.pkt_dstaddr) != (k.srcaddr, k.dstaddr) {
        line += &format!(" pkt {} > {}", k.pkt_srcaddr, k.pkt_dstaddr);
    }
    if let Some(path) = s.traffic_path {
        line += &format!(" path {path}");
    }
    line + &format!(" | {}", s.disposition)
}

/// Addresses and ports of a frame.
pub(crate) fn shown(frame: &[u8]) -> String {
    let packet = packet::Packet::parse(frame).unwrap();
    match packet.ip() {
        Some(ip) => {
            let icmp = ip.icmp.map(|i| format!(" icmp {}/{}", i.icmp_type, i.code));
            let fragment = ip.fragment.map(|f| format!(" fragment {}", f.offset));
            let extra = icmp.unwrap_or_default() + &fragment.unwrap_or_default();
            format!(
                "{}:{} > {}:{} proto {}{extra} len {}",
                ip.src, ip.src_port, ip.dst, ip.dst_port, ip.protocol, ip.ip_len
            )
        }
        None => format!("{:?}", packet.kind),
    }
}
