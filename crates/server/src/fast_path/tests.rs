//! The kernel carries packets as the naive model has it: random networks and traffic, by the program and its tables.
//!
//! Needs root, and says so where it is skipped.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use dataplane::{FastPath, PortId};
use fixture::Fixture;
use host::{Clock, Fabric, FabricOptions, Link, Punt, VnetHeader};
use model::Timestamp;
use packet::Mac;
use sim::{Carrier, Fate, Random, Simulation, network};

use super::{KernelPath, loop_port};

/// Packets are written to TAP devices and read from them again. All happens before a write returns.
#[derive(Default)]
struct KernelCarrier {
    links: Vec<(PortId, Link, OwnedFd)>,
    punt: Option<Punt>,
}

/// What the simulation's clock says.
static UNIX_NS: AtomicU64 = AtomicU64::new(0);

fn simulated_clock() -> Clock {
    Clock {
        unix_ns: UNIX_NS.load(Ordering::SeqCst),
        ..host::clock()
    }
}

impl Carrier for KernelCarrier {
    fn open(&mut self, ports: &[(PortId, Mac)]) -> Box<dyn FastPath> {
        let options = FabricOptions {
            flows: 4096,
            ports: 1024,
        };
        let (fabric, table, punt) = Fabric::create(options).unwrap();
        self.links = ports
            .iter()
            .map(|&(port, mac)| {
                let (mut link, tap) = fabric.tap(mac.0, 9001).unwrap();
                link.open(loop_port(port)).unwrap();
                (port, link, tap)
            })
            .collect();
        self.punt = Some(punt);
        Box::new(KernelPath::new(table, simulated_clock))
    }

    fn carry(&mut self, from: PortId, frame: &mut Vec<u8>, now: Timestamp) -> Option<Fate> {
        UNIX_NS.store(now.as_micros() * 1_000, Ordering::SeqCst);
        // Services have no link.
        let (_, _, tap) = self.links.iter().find(|(port, _, _)| *port == from)?;
        let header = VnetHeader::NONE.to_bytes();
        rustix::io::write(tap, &[&header[..], frame].concat()).unwrap();
        let mut buffer = [0; 4096];
        let mut fates = Vec::new();
        for (port, _, tap) in &self.links {
            while let Ok(length) = rustix::io::read(tap, &mut buffer) {
                fates.push((*port, buffer[VnetHeader::LEN..length].to_vec()));
            }
        }
        let punted = self.punt.as_ref()?.receive(&mut buffer);
        if let Some((port, is_own, _, came_up)) = punted {
            assert_eq!((port, is_own, &*fates), (loop_port(from), true, &[][..]));
            let (mut sent, zero) = (frame.clone(), [0; 6]);
            sent[6..12].copy_from_slice(&zero);
            assert_eq!(came_up, sent, "it comes up as it was sent");
            return None;
        }
        match &*fates {
            [] => Some(Fate::Dropped),
            [(port, got)] => {
                frame.clone_from(got);
                Some(Fate::Forwarded(*port))
            }
            more => panic!("one packet has become {more:?}"),
        }
    }

    fn keeps_time(&self) -> bool {
        false
    }
}

const PACKETS: u64 = 30_000;
const SEED: u64 = 20_261_127;

#[test]
fn the_kernel_carries_packets_where_a_naive_evaluation_delivers_them() {
    if let Err(error) = Fabric::create(FabricOptions::default()) {
        return println!("skipped: {error}");
    }
    println!("the first seed is {SEED}");
    let mut simulation = Simulation::default();
    let mut carrier = KernelCarrier::default();
    let mut seed = SEED;
    while simulation.packets < PACKETS {
        let mut random = Random::new(seed);
        let text = network(&mut random);
        let fixture = Fixture::parse(&text).unwrap();
        let result = simulation.run_with(&fixture, &mut random, 20, 150, &mut carrier);
        if let Err(disagreement) = result {
            panic!("seed {seed}\n{text}\n{disagreement}");
        }
        seed += 1;
    }
    println!("{simulation:#?}");
    assert!(simulation.carried > PACKETS / 5, "{simulation:?}");
}
