//! Ten thousand VPCs with fifty peering connections each: how long they take to compile, how soon a change is in force,
//! and what a packet costs among them.

use std::collections::BTreeMap;

use dataplane::{
    Compiler, Dataplane, Device, Ingress, Limits, Offload, Options, PortId, Snapshot, Verdict,
};
use fixture::Fixture;
use model::{
    Change, Destination, PeeredGroup, PeeringSide, PeeringStatus, PortRange, Route, RouteOrigin,
    RouteTable, RouteTarget, RulePeer, SecurityGroup, State, Tags, Timestamp, VpcId,
    VpcPeeringConnection, VpcPeeringConnectionId, World,
};
use packet::Mac;
use packet::build::Frame;

use super::{BURST, PACKETS, cpu_time, wall_time};

const VPCS: usize = 10_000;
const PEERINGS: usize = 50;
const LIVE: usize = 64 * 1024;
const CHANGES: usize = 100;
const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

pub(crate) fn print() {
    let small = world(2, 1);
    let before = resident_mib();
    let mut large = world(VPCS, PEERINGS);
    let rows = resident_mib() - before;
    let start = cpu_time();
    let mut compiler = Compiler::new(Options::default());
    let snapshot = compiler.compile(&large);
    let time = cpu_time() - start;
    let compiled = resident_mib() - before - rows;
    println!(
        "compile of {VPCS} VPCs with {PEERINGS} peerings each: {:.2} s ({rows:.0} MiB of rows, {compiled:.0} MiB more compiled)",
        time.as_secs_f64()
    );
    let mut many = Traffic::new(&large, VPCS, PEERINGS);
    let mut dataplane = Dataplane::new(snapshot, limits());
    for (name, change) in [
        (
            "a security group's rule",
            rule as fn(usize, &State) -> Change,
        ),
        ("a route", route),
    ] {
        let mut times: Vec<f64> = (0..CHANGES)
            .map(|n| {
                let (&scope, state) = large.regions.first_key_value().expect("there is one");
                let change = change(n * 97 % VPCS, state);
                large.apply(scope, &change);
                // CPU time is told in steps that are longer than this.
                let start = wall_time();
                let before = dataplane.install(compiler.compile(&large));
                drop(before);
                (wall_time() - start).as_secs_f64() * 1e3
            })
            .collect();
        times.sort_by(f64::total_cmp);
        println!(
            "{name} in one of {VPCS} VPCs, in force: {:.3} ms ({:.3} ms at most)",
            times[CHANGES / 2],
            times[CHANGES - 1]
        );
    }
    let mut two = Traffic::new(&small, 2, 1);
    // The two in turn, and the best of each, so that neither has the quieter moments.
    let rounds: Vec<_> = (0..5).map(|_| (two.cached(), many.cached())).collect();
    let two = rounds.iter().map(|r| r.0).fold(f64::MAX, f64::min);
    let many = rounds.iter().map(|r| r.1).fold(f64::MAX, f64::min);
    println!(
        "cached among {VPCS} VPCs, {}k live flows, to two VPCs: {:.2} ({many:.0} ns to {two:.0} ns)",
        LIVE / 1024,
        many / two
    );
}

fn limits() -> Limits {
    Limits {
        flows: LIVE * 8 / 7 + 1024,
        connections_per_interface: 1 << 20,
        ..Limits::default()
    }
}

/// VPCs in a ring, each peered with its nearest.
fn world(vpcs: usize, peerings: usize) -> World {
    let mut world = World::default();
    for n in 0..vpcs {
        let net = net(n);
        let text = format!(
            "vpc nobody 10.255.0.0/24\n\
             vpc v{n} {net}.0/24\n\
             subnet s{n} {net}.0/25 local\n\
             sg g{n} in all from 10.0.0.0/8\n\
             sg g{n} in tcp 22 from sg:g{n}\n\
             nacl n{n} on s{n}\n\
             nacl n{n} in 100 allow all from 10.0.0.0/8\n\
             nacl n{n} out 100 allow all to 10.0.0.0/8\n\
             eni x{n} {net}.10 in s{n} sg:g{n}\n\
             eni y{n} {net}.11 in s{n} sg:g{n}\n"
        );
        let fixture = Fixture::parse(&text).expect("the network is in the language");
        let state = fixture.world.region(&fixture.scope).expect("it has rows");
        for change in state.changes() {
            world.apply(fixture.scope, &change);
        }
    }
    for n in 0..vpcs {
        for step in 1..=peerings.div_ceil(2) {
            join(&mut world, n, (n + step) % vpcs, vpcs == 2 && n == 1);
        }
    }
    world
}

fn net(n: usize) -> String {
    format!("10.{}.{}", n / 256, n % 256)
}

/// Peers two VPCs, with routes to each other, and a rule for the other's group in one of them.
fn join(world: &mut World, a: usize, b: usize, joined: bool) {
    if joined {
        return;
    }
    let (&scope, state) = world.regions.first_key_value().expect("there is one");
    let id: VpcPeeringConnectionId = fixture::id(&format!("p{a}-{b}"));
    let side = |n: usize| PeeringSide {
        scope,
        vpc_id: vpc(n),
        cidr_blocks: vec![format!("{}.0/24", net(n)).parse().expect("a block")],
        ipv6_cidr_blocks: Vec::new(),
        allow_dns_resolution_from_remote_vpc: false,
        tags: Tags::default(),
    };
    let peering = VpcPeeringConnection {
        id,
        requester: side(a),
        accepter: side(b),
        status: PeeringStatus::Active,
        since: NOW,
        expires_at: NOW,
        deleted_by: None,
    };
    let mut changes = vec![Change::VpcPeeringConnection(id, Some(Box::new(peering)))];
    for (from, to) in [(a, b), (b, a)] {
        let mut table = table(state, from).clone();
        table.routes.push(Route {
            destination: Destination::Ipv4(format!("{}.0/24", net(to)).parse().expect("a block")),
            target: RouteTarget::VpcPeeringConnection(id),
            origin: RouteOrigin::CreateRoute,
        });
        changes.push(Change::RouteTable(table.id, Some(Box::new(table))));
    }
    if b == a + 1 {
        let mut group = group(state, a).clone();
        let mut rule = group.rules[0].clone();
        rule.id = fixture::id(&format!("r{a}"));
        rule.peer = RulePeer::Group {
            group_id: fixture::sg(&format!("g{b}")),
            user_id: scope.account,
        };
        rule.peered = Some(PeeredGroup {
            vpc_id: vpc(b),
            vpc_peering_connection_id: id,
        });
        group.rules.push(rule);
        changes.push(Change::SecurityGroup(group.id, Some(Box::new(group))));
    }
    for change in changes {
        world.apply(scope, &change);
    }
}

fn vpc(n: usize) -> VpcId {
    fixture::vpc(&format!("v{n}"))
}

fn table(state: &State, n: usize) -> &RouteTable {
    let id = fixture::route_table(&format!("s{n}"));
    state.route_tables.get(&id).expect("the subnet has a table")
}

fn group(state: &State, n: usize) -> &SecurityGroup {
    let id = fixture::sg(&format!("g{n}"));
    state.security_groups.get(&id).expect("the VPC has a group")
}

/// A rule's ports become others.
fn rule(n: usize, state: &State) -> Change {
    let mut group = group(state, n).clone();
    let rule = group.rules.last_mut().expect("the group has rules");
    rule.protocol = model::IpProtocol::TCP;
    let from = 1 + n as i32;
    rule.ports = Some(PortRange { from, to: 65_535 });
    Change::SecurityGroup(group.id, Some(Box::new(group)))
}

/// A route leads to another peer.
fn route(n: usize, state: &State) -> Change {
    let mut table = table(state, n).clone();
    let target = table.routes[2].target;
    let route = table.routes.last_mut().expect("the table has routes");
    route.target = target;
    Change::RouteTable(table.id, Some(Box::new(table)))
}

/// Flows between VPCs and their peers, both directions of each, spread over all of them.
struct Traffic {
    dataplane: Dataplane,
    /// A frame of each flow.
    frames: Vec<(PortId, [u8; 80])>,
}

impl Traffic {
    fn new(world: &World, vpcs: usize, peerings: usize) -> Self {
        let mut compiler = Compiler::new(Options::default());
        let snapshot = compiler.compile(world);
        let mut ends = BTreeMap::new();
        for n in 0..vpcs {
            for (side, host) in [("x", 10), ("y", 11)] {
                let name = format!("{side}{n}");
                let port = compiler
                    .ports()
                    .get(&Device::Interface(fixture::eni(&name)));
                let address: std::net::IpAddr =
                    format!("{}.{host}", net(n)).parse().expect("an address");
                let mac = Mac(fixture::mac(&name).0);
                let router = Mac(Snapshot::router_mac(vpc(n)).0);
                ends.insert((n, side), (port.expect("a port"), mac, router, address));
            }
        }
        let mut traffic = Self {
            dataplane: Dataplane::new(snapshot, limits()),
            frames: Vec::new(),
        };
        for flags in [packet::tcp::SYN, packet::tcp::ACK] {
            traffic.frames.clear();
            for connection in 0..LIVE / 2 {
                let from = connection % vpcs;
                let to = (from + 1 + connection / vpcs % peerings.div_ceil(2)) % vpcs;
                let port = 1024 + (connection / vpcs) as u16;
                let (from, to) = (ends[&(from, "x")], ends[&(to, "y")]);
                for (from, to, ports) in [(from, to, (port, 80)), (to, from, (80, port))] {
                    let headers = Frame::new(from.1, from.2, from.3, to.3).expect("one family");
                    let frame = headers.tcp(ports.0, ports.1, flags, &[0; 26]);
                    let bytes: [u8; 80] = frame.try_into().expect("80 bytes");
                    traffic.frames.push((from.0, bytes));
                }
            }
            for n in 0..LIVE {
                let (from, mut frame) = traffic.frames[n];
                let verdict = traffic
                    .dataplane
                    .forward(from, &mut frame, Offload::default(), NOW);
                assert!(matches!(verdict, Verdict::Forward(_)), "{n}: {verdict:?}");
            }
        }
        assert_eq!(traffic.dataplane.flows(), LIVE);
        traffic
    }

    /// Nanoseconds for a packet, in bursts, of flows in a scattered order.
    fn cached(&mut self) -> f64 {
        let mut samples = Vec::new();
        while self.dataplane.harvest(LIVE, &mut samples) {
            samples.clear();
        }
        let before = self.dataplane.counters().cached;
        let mut burst = [self.frames[0]; BURST];
        let mut at = 1;
        let start = cpu_time();
        for _ in 0..PACKETS / BURST {
            for frame in &mut burst {
                at = (at * 1_664_525 + 1_013_904_223) % LIVE;
                *frame = self.frames[at];
            }
            self.dataplane.forward_burst(
                &mut burst,
                NOW,
                |(from, bytes)| Ingress {
                    from: *from,
                    bytes,
                    offload: Offload::default(),
                },
                |_, verdict, _| assert!(matches!(verdict, Verdict::Forward(_))),
            );
        }
        let time = cpu_time() - start;
        let cached = self.dataplane.counters().cached - before;
        assert_eq!(cached, PACKETS as u64, "every packet hits the cache");
        time.as_nanos() as f64 / PACKETS as f64
    }
}

/// The memory that the process has, in MiB; zero where the kernel does not tell.
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    kib.unwrap_or(0.0) / 1024.0
}
