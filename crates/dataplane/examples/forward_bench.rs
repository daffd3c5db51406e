//! Measures `forward()` in memory on one core. Prints a line `name: value` for each figure.
//!
//! Time is this thread's CPU time where the kernel tells it, so that other work on the machine
//! does not count.

#![expect(clippy::print_stdout, reason = "the figures are its output")]

#[path = "forward_bench/many_vpcs.rs"]
mod many_vpcs;

use std::sync::Arc;
use std::time::{Duration, Instant};

use dataplane::{
    Dataplane, Device, Ingress, Limits, Offload, Options, PortId, Ports, Snapshot, Verdict,
};
use fixture::Fixture;
use model::Timestamp;
use packet::Mac;
use packet::build::Frame;

/// Interfaces on each side; each pair talks on many ports.
const SIDE: usize = 16;
const PACKETS: usize = 1 << 22;
const BURST: usize = 32;
/// Flows of one call.
const HARVEST: usize = 2048;

fn main() {
    for live in [1024, 64 * 1024, 512 * 1024] {
        let mut bench = Bench::new(&two_subnets(), live);
        bench.open(live);
        for (burst, how) in [(BURST, "bursts of 32"), (1, "one by one")] {
            let (nanos, packets, allocations) = bench.cached(live, burst);
            let million = 1e3 / nanos;
            let live = live / 1024;
            println!(
                "cached, {live}k live flows, {how}: {million:.1} million packets per CPU-second ({nanos:.0} ns each)"
            );
            println!("allocations, {live}k live flows, {how}: {allocations} in {packets} packets");
        }
    }
    nat_gateway();
    let first = 200_000;
    let mut bench = Bench::new(&many_rules(), first);
    bench.first_packets(first);
    bench.forget();
    let nanos = bench.first_packets(first);
    println!(
        "first packet (50 rules, 20 entries, 100 routes): {:.2} µs",
        nanos / 1e3
    );
    let mut bench = Bench::new(&two_subnets(), first);
    bench.open(first);
    let (all, longest) = bench.harvest();
    println!(
        "harvest of {}k flows: {all:.1} ms, at most {longest:.1} ms at once",
        first / 1000
    );
    println!("compile of 2000 interfaces: {:.1} ms", compile_many());
    many_vpcs::print();
}

/// The same flows, from one subnet to the other, with and without a NAT gateway between them.
fn nat_gateway() {
    let routed = two_subnets();
    let translated = two_subnets()
        .replace("a 10.0.1.0/24", "a 10.0.1.0/24 local, 10.0.2.0/24 > nat:n")
        .replace("from 10.0.1.0/24", "from 10.0.3.0/24")
        + "subnet c 10.0.3.0/24\nnat n 10.0.3.220 in c\n";
    for live in [1024, 64 * 1024] {
        let cost = |network: &str| {
            let mut bench = Bench::new(network, live);
            bench.open_one_way(live);
            bench.cached_one_way(live)
        };
        // The two in turn, and the best of each, so that neither has the quieter moments.
        let rounds: Vec<_> = (0..5).map(|_| (cost(&routed), cost(&translated))).collect();
        let plain = rounds.iter().map(|r| r.0).fold(f64::MAX, f64::min);
        let nat = rounds.iter().map(|r| r.1).fold(f64::MAX, f64::min);
        println!(
            "cached through a NAT gateway, {}k live flows, to plain forwarding: {:.2} ({nat:.0} ns to {plain:.0} ns)",
            live / 1024,
            nat / plain
        );
    }
    let sessions = 55_000;
    let mut bench = Bench::new(&translated, sessions);
    let (nanos, refused) = bench.one_destination(sessions);
    println!(
        "new NAT sessions, {sessions} to one destination: {:.2} µs each, then {refused}",
        nanos / 1e3
    );
}

struct Bench {
    dataplane: Dataplane,
    senders: Vec<(PortId, Mac, u8)>,
    receivers: Vec<(PortId, Mac, u8)>,
    router: Mac,
    now: Timestamp,
}

/// One packet of a flow: from the first or second subnet's interface, to the other's.
#[derive(Clone, Copy)]
struct Flow {
    from: usize,
    to: usize,
    port: u16,
    answer: bool,
}

impl Flow {
    /// Both directions of every connection, neighbours in number far apart in everything else.
    fn number(n: usize) -> Self {
        let connection = n / 2;
        Self {
            from: connection % SIDE,
            to: connection / SIDE % SIDE,
            port: 1024 + (connection / SIDE / SIDE) as u16,
            answer: n % 2 == 1,
        }
    }
}

impl Bench {
    fn new(network: &str, flows: usize) -> Self {
        let fixture = Fixture::parse(network).expect("the network is in the language");
        let mut ports = Ports::new();
        let snapshot = dataplane::compile(&fixture.world, &mut ports, Options::default());
        let side = |prefix: char| {
            let port = |i: usize| {
                let name = format!("{prefix}{i}");
                let device = Device::Interface(fixture::eni(&name));
                let port = ports.get(&device).expect("the interface has a port");
                (port, Mac(fixture::mac(&name).0), 10 + i as u8)
            };
            (0..SIDE).map(port).collect()
        };
        let limits = Limits {
            flows: flows * 8 / 7 + 1024,
            connections_per_interface: 1 << 20,
            ..Limits::default()
        };
        Self {
            dataplane: Dataplane::new(Arc::new(snapshot), limits),
            senders: side('x'),
            receivers: side('y'),
            router: Mac(Snapshot::router_mac(fixture::vpc("main")).0),
            now: Timestamp::from_secs(1_700_000_000),
        }
    }

    fn frame(&self, flags: u8) -> Vec<u8> {
        let headers = Frame::v4(
            self.senders[0].1,
            self.router,
            [10, 0, 1, 10].into(),
            [10, 0, 2, 10].into(),
        );
        headers.tcp(1024, 80, flags, &[0; 26])
    }

    /// Makes the frame one of a flow; answers where it comes from.
    #[inline]
    fn make(&self, flow: Flow, frame: &mut [u8]) -> PortId {
        let (x, y) = (self.senders[flow.from], self.receivers[flow.to]);
        let (from, src, dst, ports) = if flow.answer {
            (y, [10, 0, 2, y.2], [10, 0, 1, x.2], (80, flow.port))
        } else {
            (x, [10, 0, 1, x.2], [10, 0, 2, y.2], (flow.port, 80))
        };
        // A NAT gateway has taken a hop off the last one.
        frame[22] = 64;
        frame[0..6].copy_from_slice(&self.router.0);
        frame[6..12].copy_from_slice(&from.1.0);
        frame[26..30].copy_from_slice(&src);
        frame[30..34].copy_from_slice(&dst);
        frame[34..36].copy_from_slice(&ports.0.to_be_bytes());
        frame[36..38].copy_from_slice(&ports.1.to_be_bytes());
        from.0
    }

    /// Makes the frame one of a flow, and sends it.
    #[inline]
    fn send(&mut self, flow: Flow, frame: &mut [u8]) -> bool {
        let from = self.make(flow, frame);
        let verdict = self
            .dataplane
            .forward(from, frame, Offload::default(), self.now);
        matches!(verdict, Verdict::Forward(_))
    }

    /// Makes the frames those of flows, and sends them together.
    #[inline]
    fn send_burst(&mut self, flows: impl Iterator<Item = Flow>, frames: &mut [(PortId, [u8; 80])]) {
        for (flow, (from, frame)) in flows.zip(frames.iter_mut()) {
            *from = self.make(flow, frame);
        }
        self.dataplane.forward_burst(
            frames,
            self.now,
            |(from, bytes)| Ingress {
                from: *from,
                bytes,
                offload: Offload::default(),
            },
            |_, verdict, _| assert!(matches!(verdict, Verdict::Forward(_))),
        );
    }

    /// Opens connections, both directions of each, until so many flows are live.
    fn open(&mut self, flows: usize) {
        let mut syn = self.frame(packet::tcp::SYN);
        let mut data = self.frame(packet::tcp::ACK);
        for n in 0..flows {
            assert!(self.send(Flow::number(n), &mut syn));
        }
        for n in 0..flows {
            assert!(self.send(Flow::number(n), &mut data));
        }
        assert_eq!(self.dataplane.flows(), flows);
    }

    /// Packets of all flows in an order that caches of the processor cannot guess.
    fn cached(&mut self, flows: usize, burst: usize) -> (f64, usize, u64) {
        let frame = self.frame(packet::tcp::ACK);
        let mut frames = [(self.senders[0].0, [0; 80]); BURST];
        for (_, bytes) in &mut frames {
            bytes.copy_from_slice(&frame);
        }
        self.harvest();
        let before = self.dataplane.counters().cached;
        let mut at = 1;
        // A full cycle through a power of two, in a scattered order.
        let mut next = || {
            at = (at * 1_664_525 + 1_013_904_223) % flows;
            Flow::number(at)
        };
        let start = cpu_time();
        let allocations = allocation_counter::measure(|| {
            for _ in 0..PACKETS / burst {
                if burst == 1 {
                    assert!(self.send(next(), &mut frames[0].1));
                } else {
                    self.send_burst(std::iter::repeat_with(&mut next), &mut frames);
                }
            }
        });
        let time = cpu_time() - start;
        let cached = self.dataplane.counters().cached - before;
        assert_eq!(cached, PACKETS as u64, "every packet hits the cache");
        let nanos = time.as_nanos() as f64 / PACKETS as f64;
        (nanos, PACKETS, allocations.count_total)
    }

    /// Opens so many connections, one direction of each.
    fn open_one_way(&mut self, flows: usize) {
        for flags in [packet::tcp::SYN, packet::tcp::ACK] {
            let mut frame = self.frame(flags);
            for n in 0..flows {
                assert!(self.send(Flow::number(2 * n), &mut frame));
            }
        }
        assert_eq!(self.dataplane.flows(), flows);
    }

    /// Nanoseconds for a packet of flows in one direction, in bursts.
    fn cached_one_way(&mut self, flows: usize) -> f64 {
        let frame = self.frame(packet::tcp::ACK);
        let mut frames = [(self.senders[0].0, [0; 80]); BURST];
        for (_, bytes) in &mut frames {
            bytes.copy_from_slice(&frame);
        }
        self.harvest();
        let before = self.dataplane.counters().cached;
        let mut at = 1;
        let mut next = || {
            at = (at * 1_664_525 + 1_013_904_223) % flows;
            Flow::number(2 * at)
        };
        let start = cpu_time();
        for _ in 0..PACKETS / BURST {
            self.send_burst(std::iter::repeat_with(&mut next), &mut frames);
        }
        let time = cpu_time() - start;
        let cached = self.dataplane.counters().cached - before;
        assert_eq!(cached, PACKETS as u64, "every packet hits the cache");
        time.as_nanos() as f64 / PACKETS as f64
    }

    /// Nanoseconds for each of so many connections to one destination, and what becomes of one more.
    fn one_destination(&mut self, connections: usize) -> (f64, String) {
        let mut frame = self.frame(packet::tcp::SYN);
        let start = cpu_time();
        for n in 0..connections {
            let (from, port) = (n % SIDE, 1024 + (n / SIDE) as u16);
            let flow = Flow {
                from,
                to: 0,
                port,
                answer: false,
            };
            assert!(self.send(flow, &mut frame));
        }
        let nanos = (cpu_time() - start).as_nanos() as f64 / connections as f64;
        let one_more = Flow {
            from: 0,
            to: 0,
            port: 60_000,
            answer: false,
        };
        let from = self.make(one_more, &mut frame);
        let verdict = self
            .dataplane
            .forward(from, &mut frame, Offload::default(), self.now);
        let told = match verdict {
            Verdict::Drop(reason) => format!("refused: {reason}"),
            other => format!("{other:?}"),
        };
        (nanos, told)
    }

    /// The first packets of so many connections, in nanoseconds each.
    fn first_packets(&mut self, connections: usize) -> f64 {
        let mut frame = self.frame(packet::tcp::SYN);
        let start = cpu_time();
        for n in 0..connections {
            assert!(self.send(Flow::number(2 * n), &mut frame));
        }
        (cpu_time() - start).as_nanos() as f64 / connections as f64
    }

    /// Waits until every flow and connection is gone; the memory for them stays.
    fn forget(&mut self) {
        while self.dataplane.flows() + self.dataplane.connections() > 0 {
            self.now = self.now + Duration::from_secs(1000);
            self.dataplane.sweep(self.now);
        }
        self.harvest();
    }

    /// Milliseconds that all of a harvest takes, and the longest of its calls.
    fn harvest(&mut self) -> (f64, f64) {
        let mut samples = Vec::with_capacity(2 * HARVEST);
        let (mut all, mut longest) = (0.0, 0.0_f64);
        loop {
            samples.clear();
            let start = cpu_time();
            let more = self.dataplane.harvest(HARVEST, &mut samples);
            let time = (cpu_time() - start).as_secs_f64() * 1e3;
            all += time;
            longest = longest.max(time);
            if !more {
                return (all, longest);
            }
        }
    }
}

fn interfaces(network: &mut String) {
    for i in 0..SIDE {
        *network += &format!("eni x{i} 10.0.1.{} in a sg:x\n", 10 + i);
        *network += &format!("eni y{i} 10.0.2.{} in b sg:y\n", 10 + i);
    }
}

fn two_subnets() -> String {
    let mut network = "subnet a 10.0.1.0/24\nsubnet b 10.0.2.0/24\n\
         sg x out tcp all to 10.0.0.0/16\n\
         sg y in tcp 80 from 10.0.1.0/24\n"
        .to_owned();
    interfaces(&mut network);
    network
}

/// The rule, the entry and the route that decide are the last ones.
fn many_rules() -> String {
    let routes: String = (0..99).map(|i| format!(", 10.1.{i}.0/24 > igw")).collect();
    let mut network = format!("subnet a 10.0.1.0/24 local{routes}\nsubnet b 10.0.2.0/24\n");
    network += "nacl n on a, b\n";
    for i in 0..19 {
        for direction in ["in", "out"] {
            let towards = if direction == "in" { "from" } else { "to" };
            network += &format!("nacl n {direction} {i} deny tcp {i} {towards} 10.0.0.0/16\n");
        }
    }
    network +=
        "nacl n in 100 allow all from 10.0.0.0/16\nnacl n out 100 allow all to 10.0.0.0/16\n";
    for i in 0..49 {
        network += &format!("sg x out tcp {} to 10.0.{i}.0/24\n", 100 + i);
        network += &format!("sg y in tcp {} from 10.0.{i}.0/24\n", 100 + i);
    }
    network += "sg x out tcp 80 to 10.0.0.0/16\nsg y in tcp 80 from 10.0.0.0/16\n";
    interfaces(&mut network);
    network
}

fn compile_many() -> f64 {
    let mut network = "subnet a 10.0.0.0/16\nsg x in all from sg:x\n".to_owned();
    for i in 0..2000 {
        network += &format!("eni e{i} 10.0.{}.{} in a sg:x\n", 1 + i / 200, 10 + i % 200);
    }
    let fixture = Fixture::parse(&network).expect("the network is in the language");
    let mut ports = Ports::new();
    dataplane::compile(&fixture.world, &mut ports, Options::default());
    let start = cpu_time();
    for _ in 0..50 {
        dataplane::compile(&fixture.world, &mut ports, Options::default());
    }
    (cpu_time() - start).as_secs_f64() * 1e3 / 50.0
}

/// CPU time of this thread, or the wall's time where the kernel does not tell.
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = stat.split(' ').next().and_then(|first| first.parse().ok());
    match nanos {
        Some(nanos) => Duration::from_nanos(nanos),
        None => wall_time(),
    }
}

#[expect(clippy::disallowed_methods, reason = "it measures")]
fn wall_time() -> Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}
