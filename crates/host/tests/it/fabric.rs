//! What the kernel's program does with frames: it carries those of flows that it was told of, and nothing else.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use host::{
    Fabric, FabricOptions, FlowAction, FlowKey, FlowTable, FlowTally, Link, PortId, Punt,
    VnetHeader,
};
use packet::build::{Frame, checksum_is_valid, finish_checksum, unfinish_checksum};
use packet::{Mac, Packet, protocol, tcp};

pub(crate) const TESTS: &[(&str, fn())] = &[
    (
        "fabric::super_frames_count_as_their_segments",
        super_frames_count_as_their_segments,
    ),
    (
        "fabric::checksums_stay_right_finished_or_not",
        checksums_stay_right_finished_or_not,
    ),
    (
        "fabric::what_does_not_hold_comes_up",
        what_does_not_hold_comes_up,
    ),
    (
        "fabric::refusals_hold_as_long_as_their_guard",
        refusals_hold_as_long_as_their_guard,
    ),
    (
        "fabric::a_full_table_is_the_slow_path",
        a_full_table_is_the_slow_path,
    ),
    (
        "fabric::a_name_that_was_used_before_means_nothing",
        a_name_that_was_used_before_means_nothing,
    ),
    (
        "fabric::frames_of_any_bytes_come_up_or_are_dropped",
        frames_of_any_bytes_come_up_or_are_dropped,
    ),
    (
        "fabric::two_processors_count_every_packet",
        two_processors_count_every_packet,
    ),
];

const A: PortId = PortId(1);
const B: PortId = PortId(2);
const MAC_A: Mac = Mac([2, 0, 0, 0, 0, 0xa]);
const MAC_B: Mac = Mac([2, 0, 0, 0, 0, 0xb]);
const ROUTER: Mac = Mac([2, 0, 0, 0, 0, 0xf]);
const EPOCH: u32 = 7;

/// Two ports, and what is behind them.
struct Lab {
    fabric: Arc<Fabric>,
    table: FlowTable,
    punt: Punt,
    link_a: Option<Link>,
    _link_b: Link,
    a: OwnedFd,
    b: OwnedFd,
}

/// Where a frame has gone.
#[derive(Debug, PartialEq)]
enum Went {
    Up(PortId, bool),
    ToB(VnetHeader, Vec<u8>),
    Nowhere,
}

impl Lab {
    fn new(flows: u32) -> Option<Self> {
        let options = FabricOptions { flows, ports: 16 };
        let (fabric, mut table, punt) = match Fabric::create(options) {
            Ok(made) => made,
            Err(error) => {
                println!("skipped: {error}");
                return None;
            }
        };
        table.set_epoch(EPOCH);
        let (mut link_a, a) = fabric.tap(MAC_A.0, 9001).unwrap();
        let (mut link_b, b) = fabric.tap(MAC_B.0, 9001).unwrap();
        link_a.open(A).unwrap();
        link_b.open(B).unwrap();
        Some(Self {
            fabric,
            table,
            punt,
            link_a: Some(link_a),
            _link_b: link_b,
            a,
            b,
        })
    }

    /// Sends a frame from A. All happens before the write returns.
    fn send(&self, header: VnetHeader, frame: &[u8]) -> Went {
        let whole = [&header.to_bytes()[..], frame].concat();
        let _ = rustix::io::write(&self.a, &whole);
        let mut buffer = vec![0; 70_000];
        if let Some((port, is_own, _, came_up)) = self.punt.receive(&mut buffer) {
            assert_eq!(came_up[..6], frame[..6]);
            assert_eq!(came_up[12..], frame[12..]);
            return Went::Up(port, is_own);
        }
        match rustix::io::read(&self.b, &mut buffer) {
            Ok(length) => {
                let (header, bytes) = buffer[..length].split_first_chunk().unwrap();
                Went::ToB(VnetHeader::from_bytes(header), bytes.to_vec())
            }
            Err(_) => Went::Nowhere,
        }
    }

    /// The frame that B gets.
    fn carried(&self, header: VnetHeader, frame: &[u8]) -> (VnetHeader, Vec<u8>) {
        match self.send(header, frame) {
            Went::ToB(header, frame) => (header, frame),
            other => panic!("{other:?}"),
        }
    }
}

fn key(frame: &[u8]) -> FlowKey {
    let parsed = Packet::parse(frame).unwrap();
    let ip = parsed.ip().unwrap();
    let ports = ip.icmp.map_or([ip.src_port, ip.dst_port], |icmp| {
        let kind = u16::from_be_bytes([icmp.icmp_type, icmp.code]);
        [icmp.identifier, kind]
    });
    FlowKey {
        from: A,
        src: ip.src,
        dst: ip.dst,
        ports,
        protocol: ip.protocol,
    }
}

fn to_b() -> FlowAction {
    FlowAction {
        out: B,
        to_mac: ROUTER.0,
        dst_mac: MAC_B.0,
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
    }
}

fn now() -> u64 {
    host::clock().monotonic_ns
}

fn v4() -> Frame {
    let (src, dst) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
    Frame::v4(MAC_A, ROUTER, src, dst)
}

fn v6() -> Frame {
    let address = |last| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last);
    Frame::v6(MAC_A, ROUTER, address(1), address(2))
}

/// Header of a super-frame whose checksum is unfinished, as programs in instances send it.
fn offloaded(frame: &[u8], gso_type: u8, gso_size: u16) -> VnetHeader {
    let parsed = Packet::parse(frame).unwrap();
    let ip = parsed.ip().unwrap();
    VnetHeader {
        flags: 1,
        gso_type,
        hdr_len: ip.payload_offset as u16,
        gso_size,
        csum_start: ip.l4_offset as u16,
        csum_offset: if ip.protocol == protocol::TCP { 16 } else { 6 },
        num_buffers: 0,
    }
}

fn counted(tally: Option<FlowTally>) -> (u64, u64, u8) {
    tally.map_or((0, 0, 0), |tally| {
        (tally.packets, tally.bytes, tally.tcp_flags)
    })
}

fn super_frames_count_as_their_segments() {
    let Some(mut lab) = Lab::new(64) else { return };
    // 1 TCP over IPv4, 4 TCP over IPv6, 5 UDP segments.
    let payload = vec![7; 2 * 1000 + 10];
    let frames = [
        (v4().tcp(1, 2, tcp::ACK, &payload), 1, 40),
        (v6().tcp(1, 2, tcp::ACK, &payload), 4, 60),
        (v4().udp(1, 2, &payload), 5, 28),
        (v6().udp(1, 2, &payload), 5, 48),
    ];
    for (mut frame, gso_type, headers) in frames {
        let slot = lab.table.insert(1, &key(&frame), &to_b(), now()).unwrap();
        unfinish_checksum(&mut frame).unwrap();
        let header = offloaded(&frame, gso_type, 1000);
        let (got_header, got) = lab.carried(header, &frame);
        assert_eq!(got[12..], frame[12..], "only the Ethernet addresses change");
        assert_eq!((got_header.gso_type, got_header.gso_size), (gso_type, 1000));
        assert!(got_header.needs_checksum());
        let bytes = payload.len() as u64 + 3 * headers;
        assert_eq!(counted(lab.table.take(slot)), (3, bytes, 0));
        // Longer than one packet may be, in each of its segments or as a whole.
        let action = FlowAction { mtu: 999, ..to_b() };
        lab.table.insert(1, &key(&frame), &action, now()).unwrap();
        assert_eq!(lab.send(header, &frame), Went::Up(A, true));
    }
}

fn checksums_stay_right_finished_or_not() {
    let Some(mut lab) = Lab::new(64) else { return };
    let to_v4 = FlowAction {
        src: Some(Ipv4Addr::new(203, 0, 113, 9).into()),
        dst: Some(Ipv4Addr::new(198, 51, 100, 7).into()),
        src_port: Some(61_000),
        dst_port: Some(8443),
        hops: 1,
        ttl_above: 3,
        ..to_b()
    };
    let to_v6 = FlowAction {
        src: Some(Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0xabcd, 0, 0, 9).into()),
        dst: Some(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0xffff, 7).into()),
        ..to_v4
    };
    let only_identifier = |action: FlowAction| FlowAction {
        dst_port: None,
        ..action
    };
    let frames = [
        (v4().tcp(1, 2, tcp::ACK, b"data"), to_v4),
        (v4().udp(1, 2, b"odd"), to_v4),
        (v4().echo_request(5, 1, b"echo"), only_identifier(to_v4)),
        (v6().tcp(1, 2, tcp::ACK, b"data"), to_v6),
        (v6().udp(1, 2, b"odd"), to_v6),
        (v6().echo_request(5, 1, b"echo"), only_identifier(to_v6)),
    ];
    for (mut frame, action) in frames {
        lab.table.insert(1, &key(&frame), &action, now()).unwrap();
        let (_, got) = lab.carried(VnetHeader::NONE, &frame);
        assert!(checksum_is_valid(&got), "{got:x?}");
        let parsed = Packet::parse(&got).unwrap();
        let ip = parsed.ip().unwrap();
        assert_eq!((Some(ip.src), Some(ip.dst)), (action.src, action.dst));
        assert_eq!((parsed.src_mac, parsed.dst_mac), (ROUTER, MAC_B));
        assert_eq!(ip.ttl, 63);
        match ip.icmp {
            Some(icmp) => assert_eq!(Some(icmp.identifier), action.src_port),
            None => {
                let ports = (Some(ip.src_port), Some(ip.dst_port));
                assert_eq!(ports, (action.src_port, action.dst_port));
            }
        }
        if unfinish_checksum(&mut frame).is_ok() {
            let header = offloaded(&frame, 0, 0);
            let (header, mut unfinished) = lab.carried(header, &frame);
            assert!(header.needs_checksum());
            finish_checksum(&mut unfinished).unwrap();
            assert_eq!(unfinished, got, "finished later, it is the same");
        }
    }
    // A datagram without a checksum stays one.
    let mut frame = v4().udp(1, 2, b"odd");
    frame[40..42].copy_from_slice(&[0, 0]);
    let (_, got) = lab.carried(VnetHeader::NONE, &frame);
    assert_eq!(got[40..42], [0, 0]);
}

fn what_does_not_hold_comes_up() {
    let Some(mut lab) = Lab::new(64) else { return };
    let up = Went::Up(A, true);
    let frame = v4().tcp(1, 2, tcp::ACK, b"data");
    assert_eq!(lab.send(VnetHeader::NONE, &frame), up, "a flow not known");
    let slot = lab.table.insert(1, &key(&frame), &to_b(), now()).unwrap();
    lab.carried(VnetHeader::NONE, &frame);
    let send = |lab: &Lab, frame: &[u8]| lab.send(VnetHeader::NONE, frame);
    for flags in [tcp::SYN, tcp::SYN | tcp::ACK, tcp::RST, tcp::RST | tcp::ACK] {
        assert_eq!(send(&lab, &v4().tcp(1, 2, flags, b"")), up, "{flags}");
    }
    lab.carried(VnetHeader::NONE, &v4().tcp(1, 2, tcp::FIN | tcp::ACK, b""));
    let with = |at: usize, value: u8| {
        let mut other = frame.clone();
        other[at] = value;
        other
    };
    assert_eq!(send(&lab, &with(5, 9)), up, "to another neighbour");
    assert_eq!(send(&lab, &with(20, 0x20)), up, "a fragment");
    assert_eq!(send(&lab, &with(14, 0x46)), up, "options");
    assert_eq!(send(&lab, &with(17, 200)), up, "longer than it is");
    assert_eq!(
        send(&lab, &with(11, 9)),
        Went::Up(A, false),
        "another's source is told apart"
    );
    lab.table.suspend(slot);
    assert_eq!(send(&lab, &frame), up, "suspended");
    assert!(lab.table.renew(slot, &to_b(), now()));
    lab.carried(VnetHeader::NONE, &frame);
    lab.table.set_closed(true);
    assert_eq!(send(&lab, &frame), up, "closed");
    lab.table.set_closed(false);
    lab.table.set_epoch(EPOCH + 1);
    assert_eq!(send(&lab, &frame), up, "decided in another epoch");
    assert!(lab.table.renew(slot, &to_b(), now()));
    lab.carried(VnetHeader::NONE, &frame);
    let rested = FlowAction {
        idle_secs: 1,
        ..to_b()
    };
    let before = now() - 2_000_000_000;
    let slot = lab.table.insert(1, &key(&frame), &rested, before).unwrap();
    assert_eq!(send(&lab, &frame), up, "after a long rest");
    lab.table.remove(slot);
    assert_eq!(send(&lab, &frame), up, "removed");
    let echo = v4().echo_request(5, 1, b"");
    lab.table.insert(2, &key(&echo), &to_b(), now()).unwrap();
    lab.carried(VnetHeader::NONE, &echo);
    let error = v4().icmp(3, 1, [0; 4], &frame[14..]);
    assert_eq!(send(&lab, &error), up, "an ICMP error");
}

fn refusals_hold_as_long_as_their_guard() {
    let Some(mut lab) = Lab::new(64) else { return };
    let scan = v4().tcp(1, 2, tcp::SYN, b"");
    let refused = FlowAction {
        deny: true,
        guard: Some((B, 3)),
        ..to_b()
    };
    lab.table.begun(B, 3);
    let slot = lab.table.insert(1, &key(&scan), &refused, now()).unwrap();
    for _ in 0..5 {
        assert_eq!(lab.send(VnetHeader::NONE, &scan), Went::Nowhere);
    }
    assert_eq!(counted(lab.table.take(slot)), (5, 200, tcp::SYN));
    assert_eq!(lab.table.take(slot), None, "taken once");
    lab.table.begun(B, 4);
    assert_eq!(lab.send(VnetHeader::NONE, &scan), Went::Up(A, true));
}

fn a_full_table_is_the_slow_path() {
    let Some(mut lab) = Lab::new(2) else { return };
    let frames = [1, 2, 3].map(|port| v4().udp(port, 9, b""));
    let mut slots = Vec::new();
    for frame in &frames[..2] {
        slots.push(lab.table.insert(1, &key(frame), &to_b(), now()).unwrap());
    }
    assert_eq!(lab.table.insert(1, &key(&frames[2]), &to_b(), now()), None);
    assert_eq!(lab.send(VnetHeader::NONE, &frames[2]), Went::Up(A, true));
    lab.carried(VnetHeader::NONE, &frames[1]);
    lab.table.remove(slots[0]);
    let nothing = |owner, tally| panic!("{owner} has counted {tally:?}");
    let given_up = lab.table.recycle(0, nothing);
    assert_eq!(lab.table.insert(1, &key(&frames[2]), &to_b(), now()), None);
    assert_eq!(lab.table.recycle(given_up, nothing), 0);
    lab.table
        .insert(1, &key(&frames[2]), &to_b(), now())
        .unwrap();
    lab.carried(VnetHeader::NONE, &frames[2]);
    assert_eq!(lab.table.len(), 2);
}

fn a_name_that_was_used_before_means_nothing() {
    let Some(mut lab) = Lab::new(64) else { return };
    let frame = v4().udp(1, 9, b"");
    lab.table.insert(1, &key(&frame), &to_b(), now()).unwrap();
    lab.carried(VnetHeader::NONE, &frame);
    // The device of another, at the same place: what was decided for the former is nothing to it.
    drop(lab.link_a.take());
    let (mut link, tap) = lab.fabric.tap(MAC_A.0, 9001).unwrap();
    lab.a = tap;
    assert_eq!(
        lab.send(VnetHeader::NONE, &frame),
        Went::Nowhere,
        "no port yet"
    );
    let again = PortId(A.0 | 1 << 20);
    link.open(again).unwrap();
    assert_eq!(lab.send(VnetHeader::NONE, &frame), Went::Up(again, true));
    assert!(!lab.table.has_port(A) && lab.table.has_port(again));
    let own = FlowKey {
        from: again,
        ..key(&frame)
    };
    let gone = FlowAction { out: A, ..to_b() };
    lab.table.insert(2, &own, &gone, now()).unwrap();
    let went = lab.send(VnetHeader::NONE, &frame);
    assert_eq!(went, Went::Up(again, true), "to a port that is gone");
    lab.link_a = Some(link);
}

fn frames_of_any_bytes_come_up_or_are_dropped() {
    let Some(mut lab) = Lab::new(64) else { return };
    let seeds = [
        v4().tcp(1, 2, tcp::ACK, b"data"),
        v4().udp(1, 2, b"data"),
        v6().tcp(1, 2, tcp::ACK, b"data"),
        v6().echo_request(5, 1, b"data"),
    ];
    for frame in &seeds {
        lab.table.insert(1, &key(frame), &to_b(), now()).unwrap();
    }
    let mut state = 20_261_127_u64;
    let mut random = move |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % below
    };
    let (mut carried, mut up) = (0, 0);
    for _ in 0..20_000 {
        let mut frame = seeds[random(seeds.len())].clone();
        for _ in 0..random(4) {
            let at = random(frame.len());
            frame[at] = random(256) as u8;
        }
        frame.truncate(frame.len() - random(2) * random(frame.len()));
        match lab.send(VnetHeader::NONE, &frame) {
            Went::ToB(_, got) => {
                carried += 1;
                let expected = [
                    key(&seeds[0]),
                    key(&seeds[1]),
                    key(&seeds[2]),
                    key(&seeds[3]),
                ];
                assert!(expected.contains(&key(&frame)), "{frame:x?}");
                assert_eq!(got[12..], frame[12..]);
            }
            Went::Up(port, _) => {
                up += 1;
                assert_eq!(port, A);
            }
            // The kernel takes no frame without an Ethernet header.
            Went::Nowhere => assert!(frame.len() < 14, "{frame:x?}"),
        }
    }
    assert!(carried > 1000 && up > 1000, "{carried} {up}");
}

fn two_processors_count_every_packet() {
    const EACH: u64 = 20_000;
    let Some(mut lab) = Lab::new(64) else { return };
    let frame = v4().udp(1, 2, b"data");
    let slot = lab.table.insert(1, &key(&frame), &to_b(), now()).unwrap();
    let whole = [&VnetHeader::NONE.to_bytes()[..], &frame].concat();
    let mut total = (0, 0);
    std::thread::scope(|scope| {
        let senders = [(); 2].map(|()| {
            scope.spawn(|| {
                for _ in 0..EACH {
                    rustix::io::write(&lab.a, &whole).unwrap();
                }
            })
        });
        // Taken meanwhile, and once more at the end.
        let mut ended = false;
        while !ended {
            ended = senders
                .iter()
                .all(std::thread::ScopedJoinHandle::is_finished);
            let (packets, bytes, _) = counted(lab.table.take(slot));
            total = (total.0 + packets, total.1 + bytes);
        }
    });
    assert_eq!(total, (2 * EACH, 2 * EACH * 32));
}
