//! Peering: what passes, what does not, and what names mean.

mod dns;
mod property;

use expect_test::expect;

use super::Net;
use crate::{DropReason, Source, TraceRequest, Verdict, trace};

/// A is peered with B and C, B with nobody else; D is in another Region. Every VPC lets everything
/// in, and B has all kinds of gateways to the outside that there are.
const NET: &str = "\
    vpc a 10.1.0.0/16 2001:db8:1::/56\n\
    subnet a1 10.1.1.0/24 2001:db8:1:1::/64 local, 10.2.0.0/15 > pcx:ab, 10.3.0.0/16 > pcx:ac, \
      10.4.0.0/16 > pcx:ad, 10.9.0.0/16 > pcx:late, 198.51.100.0/24 > pcx:ab, \
      203.0.113.0/24 > pcx:ab, 2001:db8::/32 > pcx:ab\n\
    sg open in all from 0.0.0.0/0\n\
    sg open in all from ::/0\n\
    eni a0 10.1.1.10 2001:db8:1:1::10 in a1 sg:open\n\
    eni box 10.1.1.11 in a1 sg:open nocheck\n\
    vpc b 10.2.0.0/16 2001:db8:2::/56\n\
    subnet b1 10.2.1.0/24 2001:db8:2:1::/64 local, 10.1.0.0/16 > pcx:ab, 0.0.0.0/0 > igw, \
      2001:db8:1::/56 > pcx:ab\n\
    subnet b2 10.2.2.0/24\n\
    sg open-b in all from 0.0.0.0/0\n\
    sg open-b in all from ::/0\n\
    eni b0 10.2.1.10 2001:db8:2:1::10 in b1 sg:open-b public 203.0.113.20\n\
    eni b9 10.2.2.10 in b2 sg:open-b\n\
    scope 444455556666 us-east-1\n\
    vpc c 10.3.0.0/16\n\
    subnet c1 10.3.1.0/24 local, 10.1.0.0/16 > pcx:ac, 10.2.0.0/16 > pcx:ac\n\
    sg open-c in all from 0.0.0.0/0\n\
    eni c0 10.3.1.10 in c1 sg:open-c\n\
    scope 444455556666 us-west-1\n\
    vpc d 10.4.0.0/16\n\
    subnet d1 10.4.1.0/24 local, 10.1.0.0/16 > pcx:ad\n\
    sg open-d in all from 0.0.0.0/0\n\
    eni d0 10.4.1.10 in d1 sg:open-d\n\
    host 198.51.100.7\n\
    pcx ab a b\n\
    pcx ac a c\n\
    pcx ad a d\n";

#[test]
fn packets_pass_between_peers_and_nowhere_beyond() {
    let mut net = Net::new(NET);
    let told = net.run(
        "a0 sends tcp 10.1.1.10:1 > 10.2.1.10:80 syn
         b0 sends tcp 10.2.1.10:80 > 10.1.1.10:1 syn ack
         a0 sends icmp 10.1.1.10 > 10.3.1.10 echo-request id 1
         c0 sends icmp 10.3.1.10 > 10.1.1.10 echo-reply id 1
         a0 sends udp 10.1.1.10:1 > 10.4.1.10:2
         d0 sends udp 10.4.1.10:2 > 10.1.1.10:1
         a0 sends udp [2001:db8:1:1::10]:1 > [2001:db8:2:1::10]:2
         b0 sends udp [2001:db8:2:1::10]:2 > [2001:db8:1:1::10]:1
         a0 sends udp 10.1.1.10:1 > 10.2.2.10:2
         b9 sends udp 10.2.2.10:2 > 10.1.1.10:1
         c0 sends udp 10.3.1.10:1 > 10.2.1.10:2
         a0 sends udp 10.1.1.10:1 > 198.51.100.7:2
         a0 sends udp 10.1.1.10:1 > 203.0.113.20:2
         a0 sends udp 10.1.1.10:1 > 10.2.0.2:53
         a0 sends udp 10.1.1.10:1 > 10.2.1.1:53
         a0 sends udp [2001:db8:1:1::10]:1 > [2001:db8:3::1]:2
         box sends udp 10.2.1.10:1 > 10.3.1.10:2
         box sends udp 198.51.100.7:1 > 10.3.1.10:2
         box sends udp 10.1.9.9:1 > 10.3.1.10:2
         a0 sends udp 10.1.1.10:1 > 10.9.0.1:2",
    );
    expect![[r#"
        a0 sends tcp 10.1.1.10:1 > 10.2.1.10:80 syn
          to b0: 10.1.1.10:1 > 10.2.1.10:80 proto 6 len 40
        b0 sends tcp 10.2.1.10:80 > 10.1.1.10:1 syn ack
          to a0: 10.2.1.10:80 > 10.1.1.10:1 proto 6 len 40
        a0 sends icmp 10.1.1.10 > 10.3.1.10 echo-request id 1
          to c0: 10.1.1.10:0 > 10.3.1.10:0 proto 1 icmp 8/0 len 28
        c0 sends icmp 10.3.1.10 > 10.1.1.10 echo-reply id 1
          to a0: 10.3.1.10:0 > 10.1.1.10:0 proto 1 icmp 0/0 len 28
        a0 sends udp 10.1.1.10:1 > 10.4.1.10:2
          to d0: 10.1.1.10:1 > 10.4.1.10:2 proto 17 len 28
        d0 sends udp 10.4.1.10:2 > 10.1.1.10:1
          to a0: 10.4.1.10:2 > 10.1.1.10:1 proto 17 len 28
        a0 sends udp [2001:db8:1:1::10]:1 > [2001:db8:2:1::10]:2
          to b0: 2001:db8:1:1::10:1 > 2001:db8:2:1::10:2 proto 17 len 48
        b0 sends udp [2001:db8:2:1::10]:2 > [2001:db8:1:1::10]:1
          to a0: 2001:db8:2:1::10:2 > 2001:db8:1:1::10:1 proto 17 len 48
        a0 sends udp 10.1.1.10:1 > 10.2.2.10:2
          to b9: 10.1.1.10:1 > 10.2.2.10:2 proto 17 len 28
        b9 sends udp 10.2.2.10:2 > 10.1.1.10:1
          dropped: no_route
        c0 sends udp 10.3.1.10:1 > 10.2.1.10:2
          dropped: outside_peering
        a0 sends udp 10.1.1.10:1 > 198.51.100.7:2
          dropped: outside_peering
        a0 sends udp 10.1.1.10:1 > 203.0.113.20:2
          dropped: outside_peering
        a0 sends udp 10.1.1.10:1 > 10.2.0.2:53
          dropped: no_such_address
        a0 sends udp 10.1.1.10:1 > 10.2.1.1:53
          dropped: no_such_address
        a0 sends udp [2001:db8:1:1::10]:1 > [2001:db8:3::1]:2
          dropped: outside_peering
        box sends udp 10.2.1.10:1 > 10.3.1.10:2
          dropped: outside_peering
        box sends udp 198.51.100.7:1 > 10.3.1.10:2
          dropped: outside_peering
        box sends udp 10.1.9.9:1 > 10.3.1.10:2
          to c0: 10.1.9.9:1 > 10.3.1.10:2 proto 17 len 28
        a0 sends udp 10.1.1.10:1 > 10.9.0.1:2
          dropped: blackhole
    "#]]
    .assert_eq(&told);
    expect![[r#"
        a0 Egress Accept 10.1.1.10:0 > 10.3.1.10:0 proto 1 packets 1 bytes 28 flags 0 path 4 | delivered to c0
        a0 Egress Accept 10.1.1.10:1 > 10.2.0.2:53 proto 17 packets 1 bytes 28 flags 0 path 4 | no network interface of the VPC has address 10.2.0.2
        a0 Egress Accept 10.1.1.10:1 > 10.2.1.10:80 proto 6 packets 1 bytes 40 flags 2 path 4 | delivered to b0
        a0 Egress Accept 10.1.1.10:1 > 10.2.1.1:53 proto 17 packets 1 bytes 28 flags 0 path 4 | no network interface of the VPC has address 10.2.1.1
        a0 Egress Accept 10.1.1.10:1 > 10.2.2.10:2 proto 17 packets 1 bytes 28 flags 0 path 4 | delivered to b9
        a0 Egress Accept 10.1.1.10:1 > 10.4.1.10:2 proto 17 packets 1 bytes 28 flags 0 path 5 | delivered to d0
        a0 Egress Accept 10.1.1.10:1 > 10.9.0.1:2 proto 17 packets 1 bytes 28 flags 0 | route 10.9.0.0/16 to pcx-7fd739406fb1af6a8 of route table a1 is a blackhole
        a0 Egress Accept 10.1.1.10:1 > 198.51.100.7:2 proto 17 packets 1 bytes 28 flags 0 path 4 | peering connection ab carries only addresses of its two VPCs, not 198.51.100.7
        a0 Egress Accept 10.1.1.10:1 > 203.0.113.20:2 proto 17 packets 1 bytes 28 flags 0 path 4 | peering connection ab carries only addresses of its two VPCs, not 203.0.113.20
        a0 Egress Accept 2001:db8:1:1::10:1 > 2001:db8:2:1::10:2 proto 17 packets 1 bytes 48 flags 0 path 4 | delivered to b0
        a0 Egress Accept 2001:db8:1:1::10:1 > 2001:db8:3::1:2 proto 17 packets 1 bytes 48 flags 0 path 4 | peering connection ab carries only addresses of its two VPCs, not 2001:db8:3::1
        a0 Ingress Accept 10.2.1.10:80 > 10.1.1.10:1 proto 6 packets 1 bytes 40 flags 18 | delivered to a0
        a0 Ingress Accept 10.3.1.10:0 > 10.1.1.10:0 proto 1 packets 1 bytes 28 flags 0 | delivered to a0
        a0 Ingress Accept 10.4.1.10:2 > 10.1.1.10:1 proto 17 packets 1 bytes 28 flags 0 | delivered to a0
        a0 Ingress Accept 2001:db8:2:1::10:2 > 2001:db8:1:1::10:1 proto 17 packets 1 bytes 48 flags 0 | delivered to a0
        b0 Egress Accept 10.2.1.10:80 > 10.1.1.10:1 proto 6 packets 1 bytes 40 flags 18 path 4 | delivered to a0
        b0 Egress Accept 2001:db8:2:1::10:2 > 2001:db8:1:1::10:1 proto 17 packets 1 bytes 48 flags 0 path 4 | delivered to a0
        b0 Ingress Accept 10.1.1.10:1 > 10.2.1.10:80 proto 6 packets 1 bytes 40 flags 2 | delivered to b0
        b0 Ingress Accept 2001:db8:1:1::10:1 > 2001:db8:2:1::10:2 proto 17 packets 1 bytes 48 flags 0 | delivered to b0
        b9 Egress Accept 10.2.2.10:2 > 10.1.1.10:1 proto 17 packets 1 bytes 28 flags 0 | route table main:b has no route to it
        b9 Ingress Accept 10.1.1.10:1 > 10.2.2.10:2 proto 17 packets 1 bytes 28 flags 0 | delivered to b9
        box Egress Accept 10.1.1.11:1 > 10.3.1.10:2 proto 17 packets 1 bytes 28 flags 0 pkt 10.1.9.9 > 10.3.1.10 path 4 | delivered to c0
        box Egress Accept 10.1.1.11:1 > 10.3.1.10:2 proto 17 packets 1 bytes 28 flags 0 pkt 10.2.1.10 > 10.3.1.10 path 4 | peering connection ac carries only addresses of its two VPCs, not 10.2.1.10
        box Egress Accept 10.1.1.11:1 > 10.3.1.10:2 proto 17 packets 1 bytes 28 flags 0 pkt 198.51.100.7 > 10.3.1.10 path 4 | peering connection ac carries only addresses of its two VPCs, not 198.51.100.7
        c0 Egress Accept 10.3.1.10:0 > 10.1.1.10:0 proto 1 packets 1 bytes 28 flags 0 path 4 | delivered to a0
        c0 Egress Accept 10.3.1.10:1 > 10.2.1.10:2 proto 17 packets 1 bytes 28 flags 0 path 4 | peering connection ac carries only addresses of its two VPCs, not 10.2.1.10
        c0 Ingress Accept 10.1.1.10:0 > 10.3.1.10:0 proto 1 packets 1 bytes 28 flags 0 | delivered to c0
        c0 Ingress Accept 10.1.9.9:1 > 10.3.1.10:2 proto 17 packets 1 bytes 28 flags 0 | delivered to c0
        d0 Egress Accept 10.4.1.10:2 > 10.1.1.10:1 proto 17 packets 1 bytes 28 flags 0 path 5 | delivered to a0
        d0 Ingress Accept 10.1.1.10:1 > 10.4.1.10:2 proto 17 packets 1 bytes 28 flags 0 | delivered to d0
    "#]].assert_eq(&net.records());
}

#[test]
fn only_active_connections_carry_packets() {
    for status in ["pending", "deleted"] {
        let mut net = Net::new(&NET.replace("pcx ab a b", &format!("pcx ab a b {status}")));
        let told = net.send("a0 sends udp 10.1.1.10:1 > 10.2.1.10:2");
        assert_eq!(told, "dropped: blackhole");
    }
}

#[test]
fn a_connection_that_ends_stops_flows_both_ways_at_once() {
    let mut net = Net::new(NET);
    let there = "a0 sends tcp 10.1.1.10:1 > 10.2.1.10:80 ack";
    let back = "b0 sends tcp 10.2.1.10:80 > 10.1.1.10:1 ack";
    net.run("a0 sends tcp 10.1.1.10:1 > 10.2.1.10:80 syn");
    for line in [back, there] {
        assert!(net.send(line).starts_with("to "), "{line}");
    }
    net.change(&NET.replace("pcx ab a b", "pcx ab a b deleted"));
    assert_eq!(net.send(there), "dropped: blackhole");
    assert_eq!(net.send(back), "dropped: blackhole");
    // A new connection has a new id, and the routes name the old one.
    net.change(&NET.replace("pcx ab a b", "pcx ab a b deleted\npcx new a b"));
    assert_eq!(net.send(there), "dropped: blackhole");
}

#[test]
fn both_sides_guard_their_subnets() {
    let acls = format!("{NET}scope 123456789012 us-east-1\n");
    let strict = |vpc: &str, rule: &str| {
        let lines = format!(
            "nacl n on {vpc}1\nnacl n in 10 {}\nnacl n out 10 {}\nnacl n in 99 allow all from 0.0.0.0/0\n\
             nacl n out 99 allow all to 0.0.0.0/0\n",
            if rule.starts_with("in") {
                &rule[3..]
            } else {
                "allow tcp 1 from 0.0.0.0/0"
            },
            if rule.starts_with("out") {
                &rule[4..]
            } else {
                "allow tcp 1 to 0.0.0.0/0"
            },
        );
        let at = format!(
            "sg open{} in all from 0.0.0.0/0\n",
            if vpc == "a" { "" } else { "-b" }
        );
        acls.replacen(&at, &format!("{at}{lines}"), 1)
    };
    let mut told = String::new();
    for (vpc, rule) in [
        ("a", "out deny udp 2 to 10.2.0.0/16"),
        ("b", "in deny udp 2 from 10.1.0.0/16"),
        ("b", "out deny udp 1 to 10.1.0.0/16"),
        ("a", "in deny udp 1 from 10.2.0.0/16"),
    ] {
        let mut net = Net::new(&strict(vpc, rule));
        told += &format!("{vpc} {rule}\n");
        for line in [
            "a0 sends udp 10.1.1.10:1 > 10.2.1.10:2",
            "b0 sends udp 10.2.1.10:2 > 10.1.1.10:1",
        ] {
            told += &format!("  {}\n", net.send(line));
        }
    }
    expect![[r#"
        a out deny udp 2 to 10.2.0.0/16
          dropped: network_acl
          to a0: 10.2.1.10:2 > 10.1.1.10:1 proto 17 len 28
        b in deny udp 2 from 10.1.0.0/16
          dropped: network_acl
          to a0: 10.2.1.10:2 > 10.1.1.10:1 proto 17 len 28
        b out deny udp 1 to 10.1.0.0/16
          to b0: 10.1.1.10:1 > 10.2.1.10:2 proto 17 len 28
          dropped: network_acl
        a in deny udp 1 from 10.2.0.0/16
          to b0: 10.1.1.10:1 > 10.2.1.10:2 proto 17 len 28
          dropped: network_acl
    "#]]
    .assert_eq(&told);
}

#[test]
fn packets_between_regions_are_shorter() {
    let mut net = Net::new(NET);
    let told = net.run(
        "a0 sends udp 10.1.1.10:1 > 10.2.1.10:2 len 8973 df
         a0 sends udp 10.1.1.10:1 > 10.2.1.10:2 len 8974 df
         a0 sends udp 10.1.1.10:1 > 10.4.1.10:2 len 8472 df
         a0 sends udp 10.1.1.10:1 > 10.4.1.10:2 len 8473 df
         a0 sends udp 10.1.1.10:1 > 10.4.1.10:2 len 8900",
    );
    expect![[r#"
        a0 sends udp 10.1.1.10:1 > 10.2.1.10:2 len 8973 df
          to b0: 10.1.1.10:1 > 10.2.1.10:2 proto 17 len 9001
        a0 sends udp 10.1.1.10:1 > 10.2.1.10:2 len 8974 df
          to a0: 10.1.1.1:0 > 10.1.1.10:0 proto 1 icmp 3/4 len 576
        a0 sends udp 10.1.1.10:1 > 10.4.1.10:2 len 8472 df
          to d0: 10.1.1.10:1 > 10.4.1.10:2 proto 17 len 8500
        a0 sends udp 10.1.1.10:1 > 10.4.1.10:2 len 8473 df
          to a0: 10.1.1.1:0 > 10.1.1.10:0 proto 1 icmp 3/4 len 576
        a0 sends udp 10.1.1.10:1 > 10.4.1.10:2 len 8900
          to d0: 10.1.1.10:1 > 10.4.1.10:2 proto 17 fragment 0 len 8500
        to d0: 10.1.1.10:0 > 10.4.1.10:0 proto 17 fragment 8480 len 448
    "#]]
    .assert_eq(&told);
}

#[test]
fn two_peers_with_equal_blocks_are_told_apart_by_subnet() {
    let mut net = Net::new(
        "vpc a 10.1.0.0/16\n\
         subnet x 10.1.1.0/24 local, 10.2.0.0/16 > pcx:ab\n\
         subnet y 10.1.2.0/24 local, 10.2.0.0/16 > pcx:ac, 10.2.1.11/32 > pcx:ab\n\
         eni ax 10.1.1.10 in x\n\
         eni ay 10.1.2.10 in y\n\
         vpc b 10.2.0.0/16\n\
         subnet b1 10.2.1.0/24 local, 10.1.0.0/16 > pcx:ab\n\
         sg open-b in all from 0.0.0.0/0\n\
         eni b0 10.2.1.10 in b1 sg:open-b\n\
         eni b1 10.2.1.11 in b1 sg:open-b\n\
         vpc c 10.2.0.0/16\n\
         subnet c1 10.2.1.0/24 local, 10.1.0.0/16 > pcx:ac\n\
         sg open-c in all from 0.0.0.0/0\n\
         eni c0 10.2.1.10 in c1 sg:open-c\n\
         pcx ab a b\n\
         pcx ac a c\n",
    );
    let told = net.run(
        "ax sends udp 10.1.1.10:1 > 10.2.1.10:2
         b0 sends udp 10.2.1.10:2 > 10.1.1.10:1
         ay sends udp 10.1.2.10:1 > 10.2.1.10:2
         ay sends udp 10.1.2.10:1 > 10.2.1.11:2",
    );
    expect![[r#"
        ax sends udp 10.1.1.10:1 > 10.2.1.10:2
          to b0: 10.1.1.10:1 > 10.2.1.10:2 proto 17 len 28
        b0 sends udp 10.2.1.10:2 > 10.1.1.10:1
          to ax: 10.2.1.10:2 > 10.1.1.10:1 proto 17 len 28
        ay sends udp 10.1.2.10:1 > 10.2.1.10:2
          to c0: 10.1.2.10:1 > 10.2.1.10:2 proto 17 len 28
        ay sends udp 10.1.2.10:1 > 10.2.1.11:2
          to b1: 10.1.2.10:1 > 10.2.1.11:2 proto 17 len 28
    "#]]
    .assert_eq(&told);
}

#[test]
fn rules_match_members_of_the_peers_groups_while_the_peering_lives() {
    const GROUPS: &str = "\
        vpc a 10.1.0.0/16\n\
        subnet a1 10.1.1.0/24 local, 10.2.0.0/16 > pcx:p\n\
        sg callers\n\
        sg other\n\
        eni a0 10.1.1.10 in a1 sg:callers\n\
        eni a1 10.1.1.11 in a1 sg:other\n\
        scope 444455556666 us-east-1\n\
        vpc b 10.2.0.0/16\n\
        subnet b1 10.2.1.0/24 local, 10.1.0.0/16 > pcx:p\n\
        sg called in tcp 80 from sg:callers\n\
        eni b0 10.2.1.10 in b1 sg:called\n\
        pcx p a b\n";
    let call = |net: &mut Net, from: &str, address: &str| {
        net.send(&format!("{from} sends tcp {address}:1 > 10.2.1.10:80 syn"))
    };
    let mut net = Net::new(GROUPS);
    assert!(call(&mut net, "a0", "10.1.1.10").starts_with("to b0"));
    assert_eq!(call(&mut net, "a1", "10.1.1.11"), "dropped: security_group");
    // Through another connection of the same two VPCs the rule is good again.
    let again = GROUPS.replace("pcx p a b", "pcx p a b deleted\npcx q a b");
    net.change(&again.replace("> pcx:p", "> pcx:q"));
    assert!(call(&mut net, "a0", "10.1.1.10").starts_with("to b0"));
    // Without one it is stale, whatever way the packet comes.
    let snapshot = |text: &str| {
        let net = Net::new(text);
        let port = net.port("b0");
        let groups = net.dataplane.snapshot().interface(port).unwrap();
        let packet = crate::tuple::Tuple {
            src: "10.1.1.10".parse().unwrap(),
            dst: "10.2.1.10".parse().unwrap(),
            protocol: 6,
            l4: crate::tuple::L4::Ports { src: 1, dst: 80 },
        };
        groups.groups.allow(false, &packet).is_some()
    };
    assert!(snapshot(GROUPS));
    assert!(!snapshot(&GROUPS.replace("pcx p a b", "pcx p a b deleted")));
    assert!(!snapshot(&GROUPS.replace("pcx p a b", "pcx p a b pending")));
    // Between Regions there is no such thing.
    assert!(!snapshot(
        &GROUPS.replace("444455556666 us-east-1", "444455556666 us-west-1")
    ));
}

/// A's private subnet reaches B through a NAT gateway in A's other subnet.
const NAT: &str = "\
    vpc a 10.1.0.0/16\n\
    subnet inner 10.1.1.0/24 local, 10.2.0.0/16 > nat:n\n\
    subnet outer 10.1.2.0/24 local, 10.2.0.0/16 > pcx:p\n\
    eni a0 10.1.1.10 in inner\n\
    nat n 10.1.2.5 in outer\n\
    vpc b 10.2.0.0/16\n\
    subnet b1 10.2.1.0/24\n\
    subnet b2 10.2.2.0/24 local, 0.0.0.0/0 > pcx:p\n\
    sg open-b in all from 0.0.0.0/0\n\
    eni b0 10.2.1.10 in b1 sg:open-b\n\
    eni b2 10.2.2.10 in b2 sg:open-b\n\
    host 198.51.100.7\n\
    pcx p a b\n";

#[test]
fn answers_to_a_nat_gateway_of_the_peer_need_no_route() {
    let ask = "a0 sends tcp 10.1.1.10:40000 > 10.2.1.10:80 syn";
    // The port that the gateway takes is the same each time.
    let told = Net::new(NAT).send(ask);
    let (_, port) = told.split_once("10.1.2.5:").unwrap();
    let port = port.split(' ').next().unwrap();
    let back = format!("b0 sends tcp 10.2.1.10:80 > 10.1.2.5:{port} syn ack");
    let mut net = Net::new(NAT);
    // What nobody has asked for needs one, and that is not remembered.
    let early = net.run(&back);
    let told = net.run(ask);
    let out = early + &told + &net.run(&back) + &net.run(&back);
    let other = "b0 sends udp 10.2.1.10:80 > 10.1.2.5:9\nb2 sends udp 10.2.2.10:1 > 10.1.2.5:9";
    let through = "b2 sends udp 10.2.2.10:1 > 198.51.100.7:9";
    let out = out + &net.run(other) + &net.run(through);
    expect![[r#"
        b0 sends tcp 10.2.1.10:80 > 10.1.2.5:55980 syn ack
          dropped: no_route
        a0 sends tcp 10.1.1.10:40000 > 10.2.1.10:80 syn
          to b0: 10.1.2.5:55980 > 10.2.1.10:80 proto 6 len 40
        b0 sends tcp 10.2.1.10:80 > 10.1.2.5:55980 syn ack
          to a0: 10.2.1.10:80 > 10.1.1.10:40000 proto 6 len 40
        b0 sends tcp 10.2.1.10:80 > 10.1.2.5:55980 syn ack
          to a0: 10.2.1.10:80 > 10.1.1.10:40000 proto 6 len 40
        b0 sends udp 10.2.1.10:80 > 10.1.2.5:9
          dropped: no_route
        b2 sends udp 10.2.2.10:1 > 10.1.2.5:9
          dropped: nat_session
        b2 sends udp 10.2.2.10:1 > 198.51.100.7:9
          dropped: outside_peering
    "#]]
    .assert_eq(&out);
    expect![[r#"
        a0 Egress Accept 10.1.1.10:40000 > 10.2.1.10:80 proto 6 packets 1 bytes 40 flags 2 path 1 | delivered to b0
        a0 Ingress Accept 10.2.1.10:80 > 10.1.1.10:40000 proto 6 packets 2 bytes 80 flags 18 | delivered to a0
        b0 Egress Accept 10.2.1.10:80 > 10.1.2.5:55980 proto 6 packets 1 bytes 40 flags 18 | route table main:b has no route to it
        b0 Egress Accept 10.2.1.10:80 > 10.1.2.5:55980 proto 6 packets 2 bytes 80 flags 18 path 4 | delivered to a0
        b0 Egress Accept 10.2.1.10:80 > 10.1.2.5:9 proto 17 packets 1 bytes 28 flags 0 | route table main:b has no route to it
        b0 Ingress Accept 10.1.2.5:55980 > 10.2.1.10:80 proto 6 packets 1 bytes 40 flags 2 | delivered to b0
        b2 Egress Accept 10.2.2.10:1 > 10.1.2.5:9 proto 17 packets 1 bytes 28 flags 0 path 4 | NAT gateway n has no such connection
        b2 Egress Accept 10.2.2.10:1 > 198.51.100.7:9 proto 17 packets 1 bytes 28 flags 0 path 4 | peering connection p carries only addresses of its two VPCs, not 198.51.100.7
        eni-of-n Egress Accept 10.1.2.5:55980 > 10.2.1.10:80 proto 6 packets 1 bytes 40 flags 2 path 4 | delivered to b0
        eni-of-n Egress Accept 10.1.2.5:80 > 10.1.1.10:40000 proto 6 packets 2 bytes 80 flags 18 pkt 10.2.1.10 > 10.1.1.10 path 1 | delivered to a0
        eni-of-n Ingress Accept 10.1.1.10:40000 > 10.1.2.5:80 proto 6 packets 1 bytes 40 flags 2 pkt 10.1.1.10 > 10.2.1.10 | delivered to b0
        eni-of-n Ingress Accept 10.2.1.10:80 > 10.1.2.5:55980 proto 6 packets 2 bytes 80 flags 18 | delivered to a0
        eni-of-n Ingress Accept 10.2.2.10:1 > 10.1.2.5:9 proto 17 packets 1 bytes 28 flags 0 | NAT gateway n has no such connection
    "#]].assert_eq(&net.records());
    net.change(&NAT.replace("pcx p a b", "pcx p a b deleted"));
    assert_eq!(net.send(&back), "dropped: no_route");
}

#[test]
fn a_packet_that_goes_elsewhere_ends_no_session_of_a_nat_gateway() {
    let mut net = Net::new(NAT);
    let ask = "a0 sends tcp 10.1.1.10:40000 > 10.2.1.10:80";
    let told = net.send(&format!("{ask} syn"));
    let (_, port) = told.split_once("10.1.2.5:").unwrap();
    let port = port.split(' ').next().unwrap();
    let back = format!("b0 sends tcp 10.2.1.10:80 > 10.1.2.5:{port}");
    net.send(&format!("{ask} fin ack"));
    net.send(&format!("{back} fin ack"));
    // It asks for a connection of its own, which is no answer.
    assert_eq!(net.send(&format!("{back} syn")), "dropped: no_route");
    let late = net.send(&format!("{back} ack"));
    assert!(late.starts_with("to a0: "), "{late}");
}

/// Of b0, whose subnet has no route to A: only what the gateway has asked for returns to it.
#[test]
fn errors_return_to_a_nat_gateway_of_the_peer_about_its_questions_only() {
    let mut net = Net::new(NAT);
    let told = net.send("a0 sends icmp 10.1.1.10 > 10.2.1.10 echo-request id 7");
    assert!(told.starts_with("to b0: 10.1.2.5"), "{told}");
    let identifier = (1024..=u16::MAX).find(|id| {
        let answer = format!("b0 sends icmp 10.2.1.10 > 10.1.2.5 echo-reply id {id}");
        net.send(&answer).starts_with("to a0")
    });
    let identifier = identifier.unwrap();
    for (kind, identifier, expected) in [
        ("request", identifier, Verdict::Forward(net.port("a0"))),
        // The gateway has answered nobody, though an answer of its would have the same identifier.
        ("reply", identifier, Verdict::Drop(DropReason::NoRoute)),
        (
            "request",
            identifier ^ 1,
            Verdict::Drop(DropReason::NoRoute),
        ),
    ] {
        let about = format!("a0 sends icmp 10.1.2.5 > 10.2.1.10 echo-{kind} id {identifier}");
        let verdict = net.unwanted(&about, "b0", "10.2.1.10");
        assert_eq!(verdict, expected, "{about}");
    }
}

#[test]
fn nobody_uses_the_gateways_of_a_peer() {
    let mut net = Net::new(
        "vpc a 10.1.0.0/16 2001:db8:1::/56
         subnet a1 10.1.1.0/24 2001:db8:1:1::/64 local, 0.0.0.0/0 > pcx:p, ::/0 > pcx:p
         sg open out all to 0.0.0.0/0
         sg open out all to ::/0
         eni a0 10.1.1.10 2001:db8:1:1::10 in a1 sg:open
         vpc b 10.2.0.0/16 2001:db8:2::/56
         subnet b1 10.2.1.0/24 2001:db8:2:1::/64 local, 0.0.0.0/0 > nat:n, ::/0 > eigw, 10.1.0.0/16 > pcx:p
         subnet b2 10.2.2.0/24 local, 0.0.0.0/0 > igw
         endpoint s3 b1
         eni b0 10.2.1.10 2001:db8:2:1::10 in b1
         nat n 10.2.2.5 in b2 public 203.0.113.5
         host 198.51.100.7
         host 2001:db8:9::9
         pcx p a b
",
    );
    let told = net.run(
        "b0 sends tcp 10.2.1.10:1 > 198.51.100.7:80 syn
         b0 sends tcp [2001:db8:2:1::10]:1 > [2001:db8:9::9]:80 syn
         b0 sends tcp 10.2.1.10:1 > 52.216.0.1:443 syn
         a0 sends tcp 10.1.1.10:1 > 198.51.100.7:80 syn
         a0 sends tcp [2001:db8:1:1::10]:1 > [2001:db8:9::9]:80 syn
         a0 sends tcp 10.1.1.10:1 > 52.216.0.1:443 syn
         a0 sends tcp 10.1.1.10:1 > 10.2.2.5:80 syn",
    );
    expect![[r#"
        b0 sends tcp 10.2.1.10:1 > 198.51.100.7:80 syn
          to 198.51.100.7: 203.0.113.5:1902 > 198.51.100.7:80 proto 6 len 40
        b0 sends tcp [2001:db8:2:1::10]:1 > [2001:db8:9::9]:80 syn
          to 2001:db8:9::9: 2001:db8:2:1::10:1 > 2001:db8:9::9:80 proto 6 len 60
        b0 sends tcp 10.2.1.10:1 > 52.216.0.1:443 syn
          dropped: no_service_behind_endpoint
        a0 sends tcp 10.1.1.10:1 > 198.51.100.7:80 syn
          dropped: outside_peering
        a0 sends tcp [2001:db8:1:1::10]:1 > [2001:db8:9::9]:80 syn
          dropped: outside_peering
        a0 sends tcp 10.1.1.10:1 > 52.216.0.1:443 syn
          dropped: outside_peering
        a0 sends tcp 10.1.1.10:1 > 10.2.2.5:80 syn
          dropped: nat_session
    "#]]
    .assert_eq(&told);
}

#[test]
fn a_trace_names_the_connection() {
    let net = Net::new(NET);
    let told = |destination: &str| {
        let request = TraceRequest {
            source: Source::Interface(fixture::eni("a0")),
            protocol: 6,
            destination: destination.parse().unwrap(),
            source_port: 40_000,
            destination_port: 443,
        };
        let trace = trace(net.dataplane.snapshot(), &request).unwrap();
        net.fixture
            .readable(&format!("{trace}{:?}\n\n", trace.outcome))
    };
    let out = ["10.2.1.10", "10.2.2.10", "198.51.100.7", "10.2.1.99"].map(told);
    expect![[r#"
        a0  egress  security group open  pass  all to 0.0.0.0/0 (sgr-e5d568e7d0002a95b)
        a1  egress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        a1  egress  route table a1  pass  10.2.0.0/15 to ab
        ab  egress  VPC peering connection  pass  a to b
        b1  ingress  network ACL default:b  pass  rule 100 allow all 0.0.0.0/0
        b0  ingress  security group open-b  pass  all from 0.0.0.0/0 (sgr-292198e55bccd8e98)
        b0  ingress  delivery  pass  delivered
        delivered to b0; flow log: a0 egress ACCEPT, b0 ingress ACCEPT
        --- answer
        b0  egress  security group open-b  pass  all to 0.0.0.0/0 (sgr-c0992eeffefc76421)
        b1  egress  network ACL default:b  pass  rule 100 allow all 0.0.0.0/0
        b1  egress  route table b1  pass  10.1.0.0/16 to ab
        ab  egress  VPC peering connection  pass  b to a
        a1  ingress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        a0  ingress  security group open  pass  all from 0.0.0.0/0 (sgr-722158947c1587135)
        a0  ingress  delivery  pass  delivered
        delivered to a0; flow log: b0 egress ACCEPT, a0 ingress ACCEPT
        Answered

        a0  egress  security group open  pass  all to 0.0.0.0/0 (sgr-e5d568e7d0002a95b)
        a1  egress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        a1  egress  route table a1  pass  10.2.0.0/15 to ab
        ab  egress  VPC peering connection  pass  a to b
        b2  ingress  network ACL default:b  pass  rule 100 allow all 0.0.0.0/0
        b9  ingress  security group open-b  pass  all from 0.0.0.0/0 (sgr-292198e55bccd8e98)
        b9  ingress  delivery  pass  delivered
        delivered to b9; flow log: a0 egress ACCEPT, b9 ingress ACCEPT
        --- answer
        b9  egress  security group open-b  pass  all to 0.0.0.0/0 (sgr-c0992eeffefc76421)
        b2  egress  network ACL default:b  pass  rule 100 allow all 0.0.0.0/0
        b2  egress  route table main:b  drop  no route
        route table main:b has no route to it; flow log: b9 egress ACCEPT
        AnswerRefused

        a0  egress  security group open  pass  all to 0.0.0.0/0 (sgr-e5d568e7d0002a95b)
        a1  egress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        a1  egress  route table a1  pass  198.51.100.0/24 to ab
        ab  egress  VPC peering connection  drop  peering connection ab carries only addresses of its two VPCs, not 198.51.100.7
        peering connection ab carries only addresses of its two VPCs, not 198.51.100.7; flow log: a0 egress ACCEPT
        Refused

        a0  egress  security group open  pass  all to 0.0.0.0/0 (sgr-e5d568e7d0002a95b)
        a1  egress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        a1  egress  route table a1  pass  10.2.0.0/15 to ab
        ab  egress  VPC peering connection  pass  a to b
        b  egress  delivery  drop  no network interface of the VPC has address 10.2.1.99
        no network interface of the VPC has address 10.2.1.99; flow log: a0 egress ACCEPT
        Refused

    "#]].assert_eq(&out.concat());
}
