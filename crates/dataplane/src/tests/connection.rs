//! Connection tracking: what lives on, what is cut, and when.

use expect_test::expect;

use super::{Net, small};
use crate::{DropReason, Limits, Offload, Snapshot, Verdict};

/// x may ask y; y's group is given.
fn net(rules_of_y: &str) -> Net {
    Net::new(&text(rules_of_y))
}

fn text(rules_of_y: &str) -> String {
    format!(
        "subnet a 10.0.1.0/24\nsubnet b 10.0.2.0/24\nsg sa\nsg sb\n{rules_of_y}\n\
         eni x 10.0.1.10 in a sg:sa\neni y 10.0.2.10 in b sg:sb\n"
    )
}

const TRACKED: &str = "sg sb in tcp 80 from 10.0.1.0/24\nsg sb in udp 53 from 10.0.1.0/24";
const UNTRACKED: &str = "sg sb in tcp 80 from 0.0.0.0/0";
const SYN: &str = "x sends tcp 10.0.1.10:5 > 10.0.2.10:80 syn\n";
const SYN_ACK: &str = "y sends tcp 10.0.2.10:80 > 10.0.1.10:5 syn ack\n";
const DATA: &str = "x sends tcp 10.0.1.10:5 > 10.0.2.10:80 ack len 10\n";
const BACK: &str = "y sends tcp 10.0.2.10:80 > 10.0.1.10:5 ack len 10\n";

fn fates(told: &str) -> Vec<&str> {
    let fates = told.lines().filter(|line| line.starts_with("  "));
    fates
        .map(|line| line.trim().split(':').next().unwrap())
        .collect()
}

#[test]
fn a_tracked_connection_outlives_its_rule() {
    let mut net = net(TRACKED);
    let open = format!("{SYN}{SYN_ACK}{DATA}{BACK}");
    assert_eq!(fates(&net.run(&open)), ["to y", "to x", "to y", "to x"]);
    net.change(&text(""));
    assert_eq!(
        fates(&net.run(&format!("{DATA}{BACK}{DATA}"))),
        ["to y", "to x", "to y"]
    );
    let other = SYN.replace(":5 ", ":6 ");
    assert_eq!(fates(&net.run(&other)), ["dropped"]);
    net.wait(431_000);
    assert_eq!(fates(&net.run(DATA)), ["to y"]);
    net.wait(432_001);
    assert_eq!(fates(&net.run(DATA)), ["dropped"]);
}

#[test]
fn an_untracked_flow_is_cut_at_once() {
    let mut net = net(UNTRACKED);
    let open = format!("{SYN}{SYN_ACK}{DATA}{BACK}");
    assert_eq!(fates(&net.run(&open)), ["to y", "to x", "to y", "to x"]);
    // The sender's own group tracks it, the receiver's does not.
    assert_eq!(net.dataplane.connections(), 1);
    net.change(&text(""));
    assert_eq!(fates(&net.run(DATA)), ["dropped"]);
}

#[test]
fn half_open_connections_go_early() {
    let mut net = net(TRACKED);
    net.run(SYN);
    net.wait(121);
    net.change(&text("sg sb out none"));
    assert_eq!(fates(&net.run(SYN_ACK)), ["dropped"]);
}

#[test]
fn after_a_reset_the_rules_decide_again() {
    let mut net = net(TRACKED);
    net.run(&format!("{SYN}{SYN_ACK}{DATA}{BACK}{DATA}"));
    net.change(&text("sg sb out none"));
    assert_eq!(fates(&net.run(&format!("{DATA}{BACK}"))), ["to y", "to x"]);
    net.run("x sends tcp 10.0.1.10:5 > 10.0.2.10:80 rst");
    net.wait(11);
    assert_eq!(
        fates(&net.run(&format!("{BACK}{DATA}"))),
        ["dropped", "dropped"]
    );
    net.harvest();
    expect![[r#"
        x Egress Accept 10.0.1.10:5 > 10.0.2.10:80 proto 6 packets 1 bytes 50 flags 0 path 1 | no inbound rule of sb allows it
        y Egress Reject 10.0.2.10:80 > 10.0.1.10:5 proto 6 packets 1 bytes 50 flags 0 | no outbound rule of sb allows it
        y Ingress Reject 10.0.1.10:5 > 10.0.2.10:80 proto 6 packets 1 bytes 50 flags 0 | no inbound rule of sb allows it
    "#]]
    .assert_eq(&{
        net.run(&format!("{BACK}{DATA}"));
        net.records()
    });
}

#[test]
fn a_closed_connection_keeps_its_last_packets_and_makes_way_for_the_next() {
    let mut net = net(TRACKED);
    net.run(&format!("{SYN}{SYN_ACK}{DATA}{BACK}"));
    net.run(
        "x sends tcp 10.0.1.10:5 > 10.0.2.10:80 fin ack
         y sends tcp 10.0.2.10:80 > 10.0.1.10:5 fin ack",
    );
    assert_eq!(fates(&net.run(DATA)), ["to y"]);
    assert_eq!(
        fates(&net.run(&format!("{SYN}{SYN_ACK}{BACK}"))),
        ["to y", "to x", "to x"]
    );
    net.wait(1000);
    assert_eq!(fates(&net.run(&format!("{DATA}{BACK}"))), ["to y", "to x"]);
    net.run(
        "x sends tcp 10.0.1.10:5 > 10.0.2.10:80 fin ack
         y sends tcp 10.0.2.10:80 > 10.0.1.10:5 fin ack",
    );
    net.wait(61);
    net.change(&text(""));
    assert_eq!(fates(&net.run(DATA)), ["dropped"]);
}

#[test]
fn udp_lives_longer_once_it_is_a_stream() {
    const ASK: &str = "x sends udp 10.0.1.10:5 > 10.0.2.10:53\n";
    const TELL: &str = "y sends udp 10.0.2.10:53 > 10.0.1.10:5\n";
    let rules = format!("{TRACKED}\nsg sb out none");
    let mut net = net(&rules);
    assert_eq!(fates(&net.run(&format!("{ASK}{TELL}"))), ["to y", "to x"]);
    net.wait(31);
    assert_eq!(fates(&net.run(TELL)), ["dropped"]);
    net.run(&format!("{ASK}{TELL}{ASK}{TELL}"));
    net.wait(179);
    assert_eq!(fates(&net.run(TELL)), ["to x"]);
    net.wait(181);
    assert_eq!(fates(&net.run(TELL)), ["dropped"]);
    // The cache sees packets that the slow path does not.
    net.run(&format!("{ASK}{TELL}{ASK}{TELL}"));
    for _ in 0..10 {
        net.wait(100);
        assert_eq!(fates(&net.run(ASK)), ["to y"]);
    }
    assert_eq!(fates(&net.run(TELL)), ["to x"]);
}

#[test]
fn an_answer_may_come_right_after_the_same_packet_was_refused() {
    let mut net = net("sg sb in all from 0.0.0.0/0\nsg sb out all to 0.0.0.0/0");
    let unasked = "y sends tcp 10.0.2.10:80 > 10.0.1.10:5 ack\n";
    assert_eq!(
        fates(&net.run(&format!("{unasked}{unasked}"))),
        ["dropped", "dropped"]
    );
    assert_eq!(net.dataplane.counters().cached, 1);
    net.run(SYN);
    assert_eq!(fates(&net.run(unasked)), ["to x"]);
}

#[test]
fn an_echo_reply_opens_no_way_for_echo_requests() {
    let mut net = net("");
    net.run("y sends icmp 10.0.2.10 > 10.0.1.10 echo-reply id 7");
    assert_eq!(
        fates(&net.run(
            "x sends icmp 10.0.1.10 > 10.0.2.10 echo-request id 7
             y sends icmp 10.0.2.10 > 10.0.1.10 echo-request id 7
             x sends icmp 10.0.1.10 > 10.0.2.10 echo-reply id 9"
        )),
        ["dropped", "dropped", "dropped"]
    );
    let mut net = self::net("sg sa in icmp 8 from 10.0.2.0/24");
    assert_eq!(
        fates(&net.run(
            "y sends icmp 10.0.2.10 > 10.0.1.10 echo-request id 7
             x sends icmp 10.0.1.10 > 10.0.2.10 echo-reply id 7
             x sends icmp 10.0.1.10 > 10.0.2.10 echo-reply id 8"
        )),
        ["to x", "to y", "dropped"]
    );
}

#[test]
fn other_protocols_are_tracked_by_their_addresses() {
    let mut net = net("sg sb in gre all from 10.0.1.0/24\nsg sb out none");
    let told = net.run(
        "y sends gre 10.0.2.10 > 10.0.1.10
         x sends gre 10.0.1.10 > 10.0.2.10
         y sends gre 10.0.2.10 > 10.0.1.10",
    );
    assert_eq!(fates(&told), ["dropped", "to y", "to x"]);
    net.wait(601);
    assert_eq!(
        fates(&net.run("y sends gre 10.0.2.10 > 10.0.1.10")),
        ["dropped"]
    );
}

#[test]
fn a_full_table_drops_what_it_would_have_to_track() {
    let limits = Limits {
        connections_per_interface: 1,
        ..small()
    };
    let mut net = Net::with_limits(&text(TRACKED), limits);
    net.run(SYN);
    let told = net.run(&SYN.replace(":5 ", ":6 "));
    assert_eq!(
        told.lines().nth(1),
        Some("  dropped: conntrack_allowance_exceeded")
    );
    let counters = net.dataplane.counters();
    assert_eq!(counters.dropped(DropReason::ConntrackAllowanceExceeded), 1);
    assert_eq!(fates(&net.run(SYN)), ["to y"]);
    net.wait(200);
    net.dataplane.sweep(net.now);
    assert_eq!(net.dataplane.connections(), 0);
    assert_eq!(fates(&net.run(&SYN.replace(":5 ", ":6 "))), ["to y"]);
}

#[test]
fn a_full_cache_refuses_nothing_and_loses_no_packet() {
    let limits = Limits {
        flows: 1,
        waiting_samples: 3,
        ..small()
    };
    let mut net = Net::with_limits(&text(TRACKED), limits);
    for port in 5..8 {
        assert_eq!(
            fates(&net.run(&SYN.replace(":5 ", &format!(":{port} ")))),
            ["to y"]
        );
    }
    let packets: u64 = net.harvest().iter().map(|s| s.packets).sum();
    assert_eq!(packets, 2 + 3);
    let skipped = net.dataplane.take_skipped();
    assert_eq!(skipped.len(), 1);
    assert!(net.dataplane.take_skipped().is_empty());
}

#[test]
fn errors_about_an_allowed_flow_pass_the_groups() {
    let mut net = net(TRACKED);
    net.run(SYN);
    let (_, offending) = net.frame(SYN.trim());
    let mac = net.next_hop(&fixture::Send::parse(BACK.trim()).unwrap());
    let error = |net: &mut Net, offending: &[u8]| {
        let mut frame = Vec::new();
        let kind = packet::icmp_error::IcmpError::PortUnreachable;
        let from = "10.0.2.10".parse().unwrap();
        let src_mac = packet::Mac(fixture::mac("y").0);
        packet::icmp_error::icmp_error(offending, kind, from, src_mac, &mut frame).unwrap();
        packet::ethernet::set_macs(&mut frame, mac, src_mac).unwrap();
        let port = net.port("y");
        let now = net.now;
        let verdict = net
            .dataplane
            .forward(port, &mut frame, crate::Offload::default(), now);
        net.told(verdict, &frame)
    };
    assert_eq!(
        error(&mut net, &offending),
        "to x: 10.0.2.10:0 > 10.0.1.10:0 proto 1 icmp 3/3 len 68"
    );
    let (_, other) = net.frame("x sends tcp 10.0.1.10:6 > 10.0.2.10:80 syn");
    assert_eq!(error(&mut net, &other), "dropped: security_group");
}

#[test]
fn a_refusal_further_on_rests_on_the_connection_that_let_the_packet_out() {
    let text = |rule: &str| {
        format!(
            "subnet a 10.0.1.0/24 local, 0.0.0.0/0 > igw
             sg g out {rule}
             eni x 10.0.1.10 in a sg:g
             host 198.51.100.7"
        )
    };
    let line = "x sends gre 10.0.1.10 > 198.51.100.7";
    for caching in [true, false] {
        let mut net = net(&text("all to 198.51.100.7/32"));
        net.dataplane.set_caching(caching);
        assert_eq!(net.send(line), "dropped: no_public_address");
        net.change(&text("tcp all to 0.0.0.0/0"));
        for _ in 0..2 {
            net.wait(600);
            assert_eq!(net.send(line), "dropped: no_public_address", "tracked");
        }
        net.wait(601);
        assert_eq!(net.send(line), "dropped: security_group", "{caching}");
    }
}

/// In it `x` reaches `y`, and nothing leaves the subnet of `y`.
const ONE_WAY: &str = "subnet a 10.0.1.0/24\nsubnet b 10.0.2.0/24\n\
     sg open in all from 0.0.0.0/0\n\
     nacl n on b\nnacl n in 100 allow all from 0.0.0.0/0\nnacl n out 100 deny all to 0.0.0.0/0\n\
     eni x 10.0.1.10 in a sg:open\neni y 10.0.2.10 in b sg:tracks\n\
     sg tracks in all from 10.0.1.0/24\nsg tracks out none\n";

/// A refusal that the cache knows is looked at again when the refused packet ends its connection.
#[test]
fn what_is_refused_further_on_ends_its_connection() {
    for caching in [true, false] {
        let mut net = Net::new(ONE_WAY);
        net.dataplane.set_caching(caching);
        net.send("x sends tcp 10.0.1.10:5 > 10.0.2.10:80 syn");
        for flags in ["syn ack", "ack", "ack", "rst"] {
            let answer = format!("y sends tcp 10.0.2.10:80 > 10.0.1.10:5 {flags}");
            assert_eq!(net.send(&answer), "dropped: network_acl", "{flags}");
        }
        net.wait(11);
        let answer = net.send("y sends tcp 10.0.2.10:80 > 10.0.1.10:5 ack");
        assert_eq!(answer, "dropped: security_group", "caching {caching}");
    }
}

#[test]
fn what_comes_after_a_reset_does_not_make_a_connection_last() {
    let mut net = Net::new(
        "subnet a 10.0.1.0/24\nsg tracks in tcp 80 from 10.0.1.0/24\nsg tracks out none\n\
         sg open in all from 0.0.0.0/0\n\
         eni x 10.0.1.10 in a sg:open\neni y 10.0.1.11 in a sg:tracks\n",
    );
    net.send("x sends tcp 10.0.1.10:5 > 10.0.1.11:80 syn");
    net.send("x sends tcp 10.0.1.10:5 > 10.0.1.11:80 rst");
    let answer = "y sends tcp 10.0.1.11:80 > 10.0.1.10:5 ack";
    net.wait(9);
    assert!(net.send(answer).starts_with("to x: "));
    net.wait(9);
    assert_eq!(net.send(answer), "dropped: security_group");
}

/// Packets of one connection that come by two ways, here with and without the router, are two flows to the cache.
#[test]
fn a_reset_ends_a_connection_whatever_way_its_packets_take() {
    for caching in [true, false] {
        let mut net = Net::new(
            "subnet a 10.0.1.0/24\nsg tracks\nsg open in all from 0.0.0.0/0\n\
             eni x 10.0.1.10 in a sg:tracks\neni y 10.0.1.11 in a sg:open\n",
        );
        net.dataplane.set_caching(caching);
        net.send("x sends tcp 10.0.1.10:5 > 10.0.1.11:80 syn");
        let answer = "y sends tcp 10.0.1.11:80 > 10.0.1.10:5 ack";
        let (port, direct) = net.frame(answer);
        let mut routed = direct.clone();
        let router = Snapshot::router_mac(fixture::vpc("main"));
        routed[..6].copy_from_slice(&router.0);
        for frame in [&direct, &direct, &routed, &routed] {
            let mut frame = frame.clone();
            let verdict = net
                .dataplane
                .forward(port, &mut frame, Offload::default(), net.now);
            assert_eq!(verdict, Verdict::Forward(net.port("x")));
        }
        net.send("x sends tcp 10.0.1.10:5 > 10.0.1.11:80 rst");
        net.wait(11);
        for frame in [direct, routed] {
            let mut frame = frame.clone();
            let verdict = net
                .dataplane
                .forward(port, &mut frame, Offload::default(), net.now);
            assert_eq!(
                verdict,
                Verdict::Drop(DropReason::SecurityGroup),
                "caching {caching}"
            );
        }
    }
}
