//! Measures the end of a window with half a million live flows: how long packets wait for it, and what it costs those
//! who do not let packets wait. Prints a line `name: value` for each figure.
//!
//! Time is this thread's CPU time, so that other work on the machine does not count.

#![expect(clippy::print_stdout, reason = "the figures are its output")]

use std::sync::Arc;
use std::time::Duration;

use dataplane::{Dataplane, Device, Limits, Offload, Options, PortId, Ports, Snapshot, Verdict};
use fixture::Fixture;
use flow_logs::{Aggregation, Aggregator, LogFormat};
use model::Timestamp;
use packet::Mac;
use packet::build::Frame;
use rustix::time::{ClockId, clock_gettime};

const NETWORK: &str = "subnet a 10.0.1.0/24 local, 0.0.0.0/0 > igw\n\
    sg x out all to 0.0.0.0/0\n\
    eni x 10.0.1.10 in a sg:x public 203.0.113.10\n\
    host 198.51.100.7\n";
/// Ports of the interface, and ports of the host: a flow for each pair.
const PORTS: [usize; 2] = [62_500, 8];
const FLOWS: usize = PORTS[0] * PORTS[1];
/// Flows of one call, as the daemon's harvests have it.
const HARVEST: usize = 1024;
/// Windows that are measured; of each figure the middle one is told.
const WINDOWS: usize = 5;
/// Calls that look for what has been idle, between two windows.
const SWEEPS: usize = 240;

fn main() {
    let mut bench = Bench::new();
    let mut figures = [const { Vec::new() }; 5];
    for _ in 0..WINDOWS {
        let window = bench.window();
        figures
            .iter_mut()
            .zip(window)
            .for_each(|(f, ms)| f.push(ms));
    }
    let [harvest, sweep, counting, closing, draining] = figures.map(|mut figure| {
        figure.sort_by(f64::total_cmp);
        figure[WINDOWS / 2]
    });
    println!("packets wait for a part of a harvest, at most: {harvest:.2} ms");
    println!("packets wait for a sweep, at most: {sweep:.2} ms");
    println!("a window is closed, by the recorder: {closing:.3} ms");
    println!("a minute's samples are counted, by the recorder: {counting:.0} ms");
    println!("records are sorted and printed, by the recorder: {draining:.0} ms");
}

struct Bench {
    dataplane: Dataplane,
    aggregator: Aggregator,
    from: PortId,
    frame: Vec<u8>,
    headers: [u8; 12],
    now: Timestamp,
}

impl Bench {
    fn new() -> Self {
        let fixture = Fixture::parse(NETWORK).expect("the network is in the language");
        let mut ports = Ports::new();
        let snapshot = dataplane::compile(&fixture.world, &mut ports, Options::default());
        let device = Device::Interface(fixture::eni("x"));
        let from = ports.get(&device).expect("the interface has a port");
        let mac = Mac(fixture::mac("x").0);
        let router = Mac(Snapshot::router_mac(fixture::vpc("main")).0);
        let headers = Frame::v4(mac, router, [10, 0, 1, 10].into(), [198, 51, 100, 7].into());
        let frame = headers.tcp(1024, 80, packet::tcp::ACK, &[0; 26]);
        let limits = Limits {
            connections_per_interface: 1 << 20,
            ..Limits::default()
        };
        Self {
            dataplane: Dataplane::new(Arc::new(snapshot), limits),
            aggregator: Aggregator::new(Aggregation::Nitro, 1 << 20).recording_everything(),
            from,
            headers: *frame.first_chunk().expect("frames have headers"),
            frame,
            now: Timestamp::from_secs(1_700_000_000),
        }
    }

    /// A packet of every flow.
    fn traffic(&mut self) {
        let whole = self.frame.clone();
        for near in 0..PORTS[0] {
            for far in 0..PORTS[1] {
                self.frame.copy_from_slice(&whole);
                self.frame[..12].copy_from_slice(&self.headers);
                self.frame[34..36].copy_from_slice(&(1024 + near as u16).to_be_bytes());
                self.frame[36..38].copy_from_slice(&(80 + far as u16).to_be_bytes());
                let frame = &mut self.frame;
                let offload = Offload::default();
                let verdict = self.dataplane.forward(self.from, frame, offload, self.now);
                assert!(matches!(verdict, Verdict::Forward(_)), "{verdict:?}");
            }
        }
        self.frame = whole;
        assert_eq!(self.dataplane.flows(), FLOWS);
    }

    /// All flows twice in a window. Milliseconds: the longest part of a harvest, the longest sweep, counting, closing,
    /// and making the text.
    fn window(&mut self) -> [f64; 5] {
        let (mut harvest, mut sweep, mut counting) = (0.0_f64, 0.0_f64, 0.0);
        let mut samples = Vec::with_capacity(2 * HARVEST);
        for _ in 0..2 {
            self.traffic();
            loop {
                samples.clear();
                let (more, time) = timed(|| self.dataplane.harvest(HARVEST, &mut samples));
                harvest = harvest.max(time);
                let count = || samples.iter().for_each(|s| self.aggregator.observe(s));
                counting += timed(count).1;
                if !more {
                    break;
                }
            }
            self.now = self.now + Duration::from_secs(20);
            for _ in 0..SWEEPS {
                sweep = sweep.max(timed(|| self.dataplane.sweep(self.now)).1);
            }
        }
        self.now = self.now + Duration::from_secs(20);
        let (closed, closing) = timed(|| self.aggregator.close_due(self.now));
        let format = LogFormat::default();
        let (records, draining) = timed(|| {
            let mut text = String::new();
            let records = closed.iter().flat_map(flow_logs::ClosedWindow::records);
            let print = |record: flow_logs::FlowRecord| {
                text.clear();
                record.render_into(&format, &mut text);
            };
            records.map(print).count()
        });
        assert_eq!(records, FLOWS);
        [harvest, sweep, counting, closing, draining]
    }
}

/// Milliseconds of this thread's CPU time.
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let cpu_time = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
    };
    let before = cpu_time();
    let result = work();
    (result, cpu_time() - before)
}
