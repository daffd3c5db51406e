//! What flows cost that the kernel carries: to enter, to carry a packet of each, to harvest, to remove, and in memory.
//!
//! `cargo run --release -p host --example fabric_bench -- [FLOWS]`; needs root.
#![expect(clippy::print_stdout, reason = "it is what this program is for")]
#![expect(clippy::unwrap_used, reason = "a bench may fail")]

use std::net::Ipv4Addr;
use std::time::Instant;

use host::{Fabric, FabricOptions, FlowAction, FlowKey, PortId, VnetHeader, clock};
use packet::Mac;
use packet::build::Frame;

const A: PortId = PortId(1);
const B: PortId = PortId(2);
const ROUTER: Mac = Mac([2, 0, 0, 0, 0, 0xf]);

fn main() {
    let flows = std::env::args()
        .nth(1)
        .map_or(1_000_000, |word| word.parse().unwrap());
    let before = available_mib();
    let options = FabricOptions { flows, ports: 16 };
    let (fabric, mut table, _punt) = Fabric::create(options).unwrap();
    table.set_epoch(1);
    let mac = |last| [2, 0, 0, 0, 0, last];
    let (mut link_a, a) = fabric.tap(mac(0xa), 9001).unwrap();
    let (mut link_b, _b) = fabric.tap(mac(0xb), 9001).unwrap();
    link_a.open(A).unwrap();
    link_b.open(B).unwrap();
    println!("flows: {flows}");
    let action = FlowAction {
        out: B,
        to_mac: ROUTER.0,
        dst_mac: mac(0xb),
        src_mac: ROUTER.0,
        mtu: 9001,
        idle_secs: 1000,
        hops: 0,
        ttl_above: 0,
        src: None,
        dst: None,
        src_port: None,
        dst_port: None,
        deny: false,
        remembered: false,
        guard: None,
    };
    let now = clock().monotonic_ns;
    let started = Instant::now();
    let slots: Vec<_> = (0..flows)
        .map(|number| table.insert(number, &key(number), &action, now).unwrap())
        .collect();
    tell("enter, each", started, flows);
    println!(
        "memory of the kernel, all together: {:.0} MiB",
        before - available_mib()
    );
    // Dropped where they arrive: the receiver's queue is soon full, and they have been counted before.
    let started = Instant::now();
    for number in 0..flows {
        rustix::io::write(&a, &frame(number)).unwrap();
    }
    tell("a packet, with its way in by a TAP device", started, flows);
    let (mut count, mut longest) = (0_u64, 0.0_f64);
    let started = Instant::now();
    loop {
        let part = Instant::now();
        let more = table.harvest(16_384, |_, tally| count += tally.packets);
        longest = longest.max(part.elapsed().as_secs_f64() * 1e3);
        if !more {
            break;
        }
    }
    let all = started.elapsed().as_secs_f64() * 1e3;
    println!("harvest: {all:.1} ms, at most {longest:.2} ms at once, {count} packets");
    assert_eq!(count, u64::from(flows), "every packet was counted");
    let started = Instant::now();
    for slot in slots {
        table.remove(slot);
    }
    tell("remove, each", started, flows);
}

fn tell(what: &str, since: Instant, count: u32) {
    let each = since.elapsed().as_secs_f64() * 1e9 / f64::from(count);
    println!("{what}: {each:.0} ns");
}

fn ends(number: u32) -> (Ipv4Addr, u16) {
    (
        Ipv4Addr::from_bits(0x0a00_0000 | number >> 12),
        (number & 0xfff) as u16 + 1024,
    )
}

fn key(number: u32) -> FlowKey {
    let (src, port) = ends(number);
    FlowKey {
        from: A,
        src: src.into(),
        dst: Ipv4Addr::new(10, 255, 0, 1).into(),
        ports: [port, 9],
        protocol: packet::protocol::UDP,
    }
}

fn frame(number: u32) -> Vec<u8> {
    let (src, port) = ends(number);
    let headers = Frame::v4(
        Mac([2, 0, 0, 0, 0, 0xa]),
        ROUTER,
        src,
        Ipv4Addr::new(10, 255, 0, 1),
    );
    let mut whole = VnetHeader::NONE.to_bytes().to_vec();
    whole.extend(headers.udp(port, 9, b"data"));
    whole
}

fn available_mib() -> f64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next());
    kib.unwrap().parse::<f64>().unwrap() / 1024.0
}
