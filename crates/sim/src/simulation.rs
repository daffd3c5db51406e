//! Traffic through the data plane and through the naive model, and where the two disagree.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dataplane::{
    Dataplane, Direction, DropReason, FlowKey, INTERNET_ROUTER_MAC, Limits, Offload, Options,
    PortId, Ports, SERVICES_ROUTER_MAC, ServiceNetwork, Snapshot, Verdict,
};
use fixture::Fixture;
use model::{MacAddress, NetworkInterfaceId, RecorderId, Timestamp, World};
use packet::Mac;

use crate::fast_path::{Carrier, Fate, NaiveCarrier};
use crate::stand_ins::StandIns;
use crate::traffic::{Past, Sent, Traffic};
use crate::{Device, Hop, Naive, Observed, Random, Segment, Sight};

/// Longer than anything is remembered.
const FORGOTTEN: Duration = Duration::from_secs(1_000_000);
/// Pauses together are shorter: services end what rests for longer.
const EPISODE_MAX: Duration = Duration::from_secs(3000);
/// How often there is something that answers for AWS's services, in percent.
const SERVED: usize = 85;
/// How many times a packet is sent in a row.
const REPEATS: usize = 4;

/// What the services' device is called.
const SERVICES: &str = "services";

/// How many packets have gone where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Simulation {
    /// All that were sent.
    pub packets: u64,
    /// To network interfaces.
    pub delivered: u64,
    /// To hosts on the internet.
    pub left: u64,
    /// To services of AWS.
    pub served: u64,
    /// Those that the flow cache answered for.
    pub cached: u64,
    /// Those that a fast path carried.
    pub carried: u64,
    /// Those that arrived by ways worth counting.
    pub ways: BTreeMap<&'static str, u64>,
}

/// A packet that the data plane sent elsewhere than the model: what was sent between its addresses, and what became of
/// it.
#[derive(Debug)]
pub struct Disagreement(String);

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a data plane said of a packet, who got it, and as what.
type Said = (Verdict, Option<(Device, Segment)>);

/// A network as everybody sees it.
struct Stage<'f> {
    fixture: &'f Fixture,
    snapshot: Arc<Snapshot>,
    ports: Ports,
}

/// A data plane, and what its services have seen.
struct Plane {
    dataplane: Dataplane,
    stand_ins: StandIns,
    counted: Counted,
    keeps_time: bool,
}

/// How many packets and bytes, and which flags, each interface has recorded of each flow, and when the last of them was.
type Counted = BTreeMap<(RecorderId, FlowKey), (u64, u64, u8, Timestamp)>;

impl Plane {
    /// Between two episodes.
    fn forget(&mut self, stage: &Stage<'_>) {
        self.stand_ins = StandIns::default();
        self.counted.clear();
        // Whoever keeps another time forgets all the same.
        self.dataplane.install(stage.snapshot.clone());
    }

    /// Takes what has been counted.
    fn harvest(&mut self) {
        let mut samples = Vec::new();
        while self.dataplane.harvest(1024, &mut samples) {}
        for sample in samples {
            let counted = (sample.interface.recorder, sample.key);
            let counted = self.counted.entry(counted).or_default();
            counted.0 += sample.packets;
            counted.1 += sample.bytes;
            counted.2 |= sample.tcp_flags;
            if self.keeps_time {
                counted.3 = counted.3.max(sample.last);
            }
        }
    }
}

impl Simulation {
    /// Sends packets through a network, in episodes between which everything is forgotten.
    ///
    /// # Errors
    /// The first packet about which the data plane, with or without its cache or a fast path, and the model disagree.
    pub fn run(
        &mut self,
        fixture: &Fixture,
        random: &mut Random,
        episodes: usize,
        packets: usize,
    ) -> Result<(), Box<Disagreement>> {
        let carrier = &mut NaiveCarrier::default();
        self.run_with(fixture, random, episodes, packets, carrier)
    }

    /// The same with somebody else as the fast path.
    ///
    /// # Errors
    /// As [`Simulation::run`].
    pub fn run_with(
        &mut self,
        fixture: &Fixture,
        random: &mut Random,
        episodes: usize,
        packets: usize,
        carrier: &mut dyn Carrier,
    ) -> Result<(), Box<Disagreement>> {
        let services = random.chance(SERVED).then(|| ServiceNetwork {
            mac: fixture::mac(SERVICES),
            dynamodb: random.chance(50),
        });
        let stage = Stage::new(fixture, services);
        let mut planes = stage.planes(random.number(), carrier);
        let traffic = Traffic::new(&fixture.world);
        let mut naive = Naive::new(&fixture.world, services.is_some());
        let mut now = Timestamp::from_secs(1_700_000_000);
        for _ in 0..episodes {
            let mut past = Vec::new();
            let end = now + EPISODE_MAX;
            for _ in 0..packets {
                let pause = match carrier.keeps_time() {
                    true => pause(random),
                    false => Duration::ZERO,
                };
                if !pause.is_zero() {
                    // Whoever harvests does so every second.
                    planes.iter_mut().for_each(Plane::harvest);
                }
                now = Timestamp::min(now + pause, end);
                let sent = traffic.next(random, &past, now);
                for _ in 0..1 + random.below(REPEATS) {
                    let arrival =
                        self.one(&stage, &mut planes, carrier, &mut naive, &past, sent, now)?;
                    past.push(Past { sent, arrival });
                }
                if random.chance(5) {
                    for plane in &mut planes {
                        plane.dataplane.sweep(now);
                    }
                }
            }
            planes.iter_mut().for_each(Plane::harvest);
            stage.compare(&planes)?;
            now = now + FORGOTTEN;
            naive.forget();
            for plane in &mut planes {
                plane.forget(&stage);
            }
        }
        self.cached += planes[0].dataplane.counters().cached;
        for (way, count) in naive.counts() {
            *self.ways.entry(way).or_default() += count;
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one packet's way")]
    fn one(
        &mut self,
        stage: &Stage<'_>,
        planes: &mut [Plane; 3],
        carrier: &mut dyn Carrier,
        naive: &mut Naive<'_>,
        past: &[Past],
        sent: Sent,
        now: Timestamp,
    ) -> Result<Option<(Device, Segment)>, Box<Disagreement>> {
        let frames = planes.each_ref().map(|plane| stage.frame(&sent, plane));
        let [Some(first), Some(second), Some(third)] = frames else {
            // A service that has forgotten who asked has nobody to answer.
            return Ok(None);
        };
        let [cached, plain, carried] = planes;
        let cached = stage.forward(cached, naive, &sent, first, now, None)?;
        let plain = stage.forward(plain, naive, &sent, second, now, None)?;
        let carrier = Some((carrier, &mut self.carried));
        let carried = stage.forward(carried, naive, &sent, third, now, carrier)?;
        // Both take the same ports and targets.
        let observed = Observed {
            arrived: cached.1.map(|(_, segment)| segment),
            sights: planes[1]
                .dataplane
                .take_sights()
                .iter()
                .filter_map(sight)
                .collect(),
        };
        let expected = naive.receiver(sent.sender, sent.hop, sent.segment, now, observed);
        let said = [cached, plain, carried];
        if said.iter().any(|(_, got)| *got != expected) || naive.complaint().is_some() {
            let mut story = stage.story(past, &sent, said, expected);
            story.extend(naive.complaint().map(|it| format!("    but {it}")));
            let story = stage.fixture.readable(&story.join("\n"));
            return Err(Box::new(Disagreement(story)));
        }
        self.packets += 1;
        match expected {
            Some((Device::Interface(_), _)) => self.delivered += 1,
            Some((Device::Host(_), _)) => self.left += 1,
            Some((Device::Service(_), _)) => self.served += 1,
            None => {}
        }
        Ok(expected)
    }
}

/// The first flow that was counted otherwise.
fn difference(one: &Counted, other: &Counted) -> Option<String> {
    let keys = one.keys().chain(other.keys());
    let mut keys = keys.filter(|key| one.get(key) != other.get(key));
    let key = keys.next()?;
    let (one, other) = (one.get(key), other.get(key));
    Some(format!("{key:?} has counted {one:?}, and {other:?}"))
}

fn everybody(world: &World) -> Vec<RecorderId> {
    let states = world.regions.values();
    let interfaces = states.flat_map(|state| state.network_interfaces.values());
    interfaces.map(|interface| interface.id.into()).collect()
}

fn sight(of: &dataplane::Sight) -> Option<Sight> {
    let key = &of.key;
    Some(Sight {
        interface: of.interface.recorder.network_interface_id()?,
        outward: key.direction == Direction::Egress,
        src: (key.pkt_srcaddr, key.srcport),
        dst: (key.pkt_dstaddr, key.dstport),
    })
}

/// Mostly none; at times beyond one of the limits of what is remembered.
fn pause(random: &mut Random) -> Duration {
    Duration::from_secs(match random.below(40) {
        0 => 1 + random.below(40) as u64,
        1 => 50 + random.below(150) as u64,
        2 => 340 + random.below(30) as u64,
        _ => 0,
    })
}

impl<'f> Stage<'f> {
    fn new(fixture: &'f Fixture, services: Option<ServiceNetwork>) -> Self {
        let mut ports = Ports::new();
        let options = Options {
            services,
            ..Options::default()
        };
        let snapshot = dataplane::compile(&fixture.world, &mut ports, options);
        Self {
            fixture,
            snapshot: Arc::new(snapshot),
            ports,
        }
    }

    /// The data planes to compare: with cache, without, and with a fast path.
    fn planes(&self, hash_seed: u64, carrier: &mut dyn Carrier) -> [Plane; 3] {
        let limits = Limits {
            flows: 4096,
            connections_per_interface: 4096,
            waiting_samples: 4096,
            hash_seed,
        };
        let [cached, mut plain, mut carried] = std::array::from_fn(|_| Plane {
            dataplane: Dataplane::new(self.snapshot.clone(), limits),
            stand_ins: StandIns::default(),
            counted: Counted::new(),
            keeps_time: carrier.keeps_time(),
        });
        plain.dataplane.set_caching(false);
        plain.dataplane.watch(everybody(&self.fixture.world));
        let fast_path = carrier.open(&self.links());
        carried.dataplane.set_fast_path(fast_path);
        [cached, plain, carried]
    }

    /// All have to have counted the same.
    fn compare(&self, planes: &[Plane; 3]) -> Result<(), Box<Disagreement>> {
        let [cached, plain, carried] = planes.each_ref().map(|plane| &plane.counted);
        for (how, counted) in [("with fast path", carried), ("without cache", plain)] {
            if let Some(difference) = difference(counted, cached) {
                let text = format!("{how}, {difference} with the flow cache");
                return Err(Box::new(Disagreement(self.fixture.readable(&text))));
            }
        }
        Ok(())
    }

    /// Who gets a packet from a data plane, and as what.
    fn forward(
        &self,
        plane: &mut Plane,
        naive: &mut Naive<'_>,
        sent: &Sent,
        mut frame: Vec<u8>,
        now: Timestamp,
        carrier: Option<(&mut dyn Carrier, &mut u64)>,
    ) -> Result<Said, Box<Disagreement>> {
        let from = self.port(sent.sender);
        let from = from.expect("every sender has a port");
        let dataplane = &mut plane.dataplane;
        let fate = carrier.and_then(|(carrier, count)| {
            let fate = carrier.carry(from, &mut frame, now)?;
            *count += 1;
            Some(fate)
        });
        let verdict = match fate {
            Some(Fate::Forwarded(to)) => Verdict::Forward(to),
            Some(Fate::Dropped) => Verdict::Drop(DropReason::Malformed),
            None => dataplane.forward(from, &mut frame, Offload::default(), now),
        };
        let got = match verdict {
            Verdict::Forward(to) => {
                assert!(packet::build::checksum_is_valid(&frame), "a wrong checksum");
                let got = Segment::of_frame(&frame);
                match got.filter(|_| self.ports.get(&dataplane::Device::Services) == Some(to)) {
                    None => self.device(to).zip(got),
                    Some(got) => {
                        let asked = plane.stand_ins.arrived(dataplane, naive, got, now);
                        let told = |what| {
                            let text = format!("{}\n    but {what}", self.told(sent));
                            Box::new(Disagreement(self.fixture.readable(&text)))
                        };
                        let (asked, segment) = asked.map_err(told)?;
                        Some((Device::Service(asked), segment))
                    }
                }
            }
            Verdict::Drop(_) => None,
            Verdict::Emit => {
                // Told to the sender: a reset, an error.
                let mut told = dataplane.emitted().iter();
                assert!(told.all(|(to, _)| *to == from), "told to another");
                None
            }
        };
        Ok((verdict, got))
    }

    fn frame(&self, sent: &Sent, plane: &Plane) -> Option<Vec<u8>> {
        let (src_mac, dst_mac) = (self.mac(sent.sender)?, self.next_hop(sent)?);
        let segment = match sent.sender {
            Device::Service(asked) => plane.stand_ins.leaving(asked, sent.segment)?,
            Device::Interface(_) | Device::Host(_) => sent.segment,
        };
        let frame = segment.frame(src_mac, dst_mac);
        Some(frame.expect("a segment of one family"))
    }

    /// Every port of a device that sends, and what its frames have as their source.
    fn links(&self) -> Vec<(PortId, Mac)> {
        let ports = self.ports.iter();
        let mac = |device: &dataplane::Device| match *device {
            dataplane::Device::Interface(id) => self.mac(Device::Interface(id)),
            dataplane::Device::InternetHost(address) => self.mac(Device::Host(address)),
            _ => None,
        };
        ports
            .filter_map(|(device, port)| Some((port, mac(device)?)))
            .collect()
    }

    fn port(&self, device: Device) -> Option<PortId> {
        self.ports.get(&match device {
            Device::Interface(id) => dataplane::Device::Interface(id),
            Device::Host(address) => dataplane::Device::InternetHost(address),
            Device::Service(_) => dataplane::Device::Services,
        })
    }

    fn device(&self, port: PortId) -> Option<Device> {
        let (device, _) = self.ports.iter().find(|(_, own)| *own == port)?;
        match *device {
            dataplane::Device::Interface(id) => Some(Device::Interface(id)),
            dataplane::Device::InternetHost(address) => Some(Device::Host(address)),
            dataplane::Device::NatGateway(_)
            | dataplane::Device::Uplink
            | dataplane::Device::Services => None,
        }
    }

    fn interface(&self, id: NetworkInterfaceId) -> Option<&model::NetworkInterface> {
        let regions = self.fixture.world.regions.values();
        regions
            .into_iter()
            .find_map(|state| state.network_interfaces.get(&id))
    }

    fn mac(&self, device: Device) -> Option<Mac> {
        let MacAddress(mac) = match device {
            Device::Interface(id) => self.interface(id)?.mac,
            Device::Host(address) => fixture::mac(&address.to_string()),
            Device::Service(_) => fixture::mac(SERVICES),
        };
        Some(Mac(mac))
    }

    fn next_hop(&self, sent: &Sent) -> Option<Mac> {
        match (sent.hop, sent.sender) {
            (Hop::Neighbour(id), _) => self.mac(Device::Interface(id)),
            (Hop::Router, Device::Host(_)) => Some(INTERNET_ROUTER_MAC),
            (Hop::Router, Device::Service(_)) => Some(SERVICES_ROUTER_MAC),
            (Hop::Router, Device::Interface(id)) => {
                Some(Mac(Snapshot::router_mac(self.interface(id)?.vpc_id).0))
            }
        }
    }

    /// What has been sent between the addresses of a packet, and the packet, as text.
    fn story(
        &self,
        past: &[Past],
        last: &Sent,
        said: [Said; 3],
        expected: Option<(Device, Segment)>,
    ) -> Vec<String> {
        let mut lines = Vec::new();
        let ends = |segment: &Segment| [segment.src, segment.dst];
        let of_last = ends(&last.segment);
        for Past { sent, arrival } in past {
            let mut addresses = ends(&sent.segment).to_vec();
            addresses.extend(arrival.iter().flat_map(|(_, got)| ends(got)));
            if of_last.iter().all(|address| addresses.contains(address)) {
                lines.push(format!(
                    "{}\n    {}",
                    self.told(sent),
                    self.arrival(*arrival)
                ));
            }
        }
        lines.dedup();
        lines.push(self.told(last));
        let planes = ["with cache", "without cache", "with fast path"];
        for (how, (verdict, got)) in planes.iter().zip(said) {
            let got = self.arrival(got);
            lines.push(format!("    data plane, {how}: {got} ({verdict:?})"));
        }
        lines.push(format!("    naive model: {}", self.arrival(expected)));
        lines
    }

    fn told(&self, sent: &Sent) -> String {
        let (at, from, hop) = (sent.at, sent.sender, sent.hop);
        let told = format!("{at} {from:?} by {hop:?}: {}", sent.segment);
        self.fixture.readable(&told)
    }

    fn arrival(&self, arrival: Option<(Device, Segment)>) -> String {
        match arrival {
            None => "nobody".to_owned(),
            Some((to, got)) => self.fixture.readable(&format!("{to:?} gets {got}")),
        }
    }
}
