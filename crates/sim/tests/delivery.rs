//! The property: whatever the configuration, a packet is delivered only where an independent, naive evaluation of the
//! same configuration delivers it, and as that says; with the flow cache and without.

use std::hash::{BuildHasher, Hasher, RandomState};

use fixture::Fixture;
use sim::{Random, Simulation, network};

const PACKETS: u64 = 1_000_000;
/// What is in most of the networks, so that what is wrong with it shows.
const WAYS: [&str; 21] = [
    "NAT gateway",
    "back through NAT gateway",
    "back through egress-only internet gateway",
    "gateway route table",
    "into a VPC by internet gateway",
    "middlebox",
    "peering",
    "return to sender",
    "tracked connection",
    "network load balancer",
    "answer of a target",
    "endpoint service",
    "answer of an endpoint",
    "error",
    "fragment",
    "fragment of IPv6",
    "service on the link",
    "service at its public address",
    "gateway endpoint",
    "interface endpoint of a service",
    "answer of a service",
];

/// The seed of runs that nobody gives one, so that a change is judged by what it changes.
const SEED: u64 = 20_261_126;

/// `WEIR_SEED=N` repeats a run, the seed of a disagreement repeats that at once, and `WEIR_SEED=any` looks at packets that
/// nobody has sent before.
#[test]
fn packets_go_only_where_a_naive_evaluation_delivers_them() {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test run by hand has no other argument"
    )]
    let given = std::env::var("WEIR_SEED").ok();
    let seed: u64 = match given.as_deref() {
        None => SEED,
        Some("any") => RandomState::new().build_hasher().finish() >> 16,
        Some(seed) => seed.parse().expect("WEIR_SEED is a number, or any"),
    };
    println!("WEIR_SEED={seed}");
    let mut simulation = Simulation::default();
    let mut number = 0;
    while simulation.packets < PACKETS {
        let own = seed + number;
        let mut random = Random::new(own);
        let text = network(&mut random);
        let fixture = Fixture::parse(&text).unwrap();
        let result = simulation.run(&fixture, &mut random, 40, 50);
        if let Err(disagreement) = result {
            panic!("WEIR_SEED={own}\n{text}\n{disagreement}");
        }
        number += 1;
    }
    println!("{number} networks, {simulation:#?}");
    // Much of it arrives, and by every way.
    let packets = simulation.packets;
    assert!(simulation.delivered > packets / 20, "{simulation:?}");
    assert!(simulation.left > packets / 50, "{simulation:?}");
    assert!(simulation.served > packets / 100, "{simulation:?}");
    assert!(simulation.cached > packets / 4, "{simulation:?}");
    assert!(simulation.carried > packets / 5, "{simulation:?}");
    for way in WAYS {
        let count = simulation.ways.get(way).copied().unwrap_or_default();
        assert!(count >= 10, "{count} packets by {way}");
    }
}
