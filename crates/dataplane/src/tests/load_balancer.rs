//! Network load balancers: where flows go, what targets and clients see, and health checks.

use std::collections::BTreeSet;

use expect_test::expect;
use model::{Health, TargetId, TargetKey};

use super::{Net, shown};
use crate::{Offload, TraceRequest, Verdict, trace};

/// A client, a node and two targets, each in a subnet of its own.
const PLACES: &str = "vpc main 10.0.0.0/16\n\
     subnet lb 10.0.0.0/24 local\n\
     subnet app 10.0.1.0/24 local\n\
     subnet out 10.0.2.0/24 local\n\
     sg open in all from 0.0.0.0/0\n\
     eni node 10.0.0.4 in lb\n\
     eni w1 10.0.1.11 in app sg:open\n\
     eni w2 10.0.1.12 in app sg:open\n\
     eni c 10.0.2.5 in out sg:open\n\
     nlb front node\n";

fn net(lines: &str) -> Net {
    Net::new(&format!("{PLACES}{lines}"))
}

const TCP: &str = "listener front tcp 80 > app\n";

fn change(net: &mut Net, lines: &str) {
    net.change(&format!("{PLACES}{TCP}{lines}"));
}

/// The target that a flow of the client's goes to, by the address that it gets there.
fn target(net: &mut Net, port: u16) -> String {
    let told = net.send(&format!("c sends tcp 10.0.2.5:{port} > 10.0.0.4:80 syn"));
    match told.split_once(" > ") {
        Some((_, to)) => to.split(' ').next().unwrap().to_owned(),
        None => told,
    }
}

/// The targets that many flows go to.
fn targets(net: &mut Net) -> BTreeSet<String> {
    (30_000..30_100).map(|port| target(net, port)).collect()
}

#[test]
fn a_target_sees_its_client_and_answers_it_through_the_node() {
    let mut net = net(&format!("targets app tcp 8080 w1\n{TCP}"));
    expect![[r#"
        c sends tcp 10.0.2.5:40000 > 10.0.0.4:80 syn
          to w1: 10.0.2.5:40000 > 10.0.1.11:8080 proto 6 len 40
        w1 sends tcp 10.0.1.11:8080 > 10.0.2.5:40000 syn ack
          to c: 10.0.0.4:80 > 10.0.2.5:40000 proto 6 len 40
        c sends tcp 10.0.2.5:40000 > 10.0.0.4:80 ack len 100
          to w1: 10.0.2.5:40000 > 10.0.1.11:8080 proto 6 len 140
        w1 sends tcp 10.0.1.11:8080 > 10.0.2.5:40000 ack len 100
          to c: 10.0.0.4:80 > 10.0.2.5:40000 proto 6 len 140
    "#]]
    .assert_eq(&net.run(
        "c sends tcp 10.0.2.5:40000 > 10.0.0.4:80 syn
         w1 sends tcp 10.0.1.11:8080 > 10.0.2.5:40000 syn ack
         c sends tcp 10.0.2.5:40000 > 10.0.0.4:80 ack len 100
         w1 sends tcp 10.0.1.11:8080 > 10.0.2.5:40000 ack len 100",
    ));
    let cached = net.dataplane.counters().cached;
    net.run(
        "c sends tcp 10.0.2.5:40000 > 10.0.0.4:80 ack len 100
         w1 sends tcp 10.0.1.11:8080 > 10.0.2.5:40000 ack len 100",
    );
    assert_eq!(net.dataplane.counters().cached, cached + 2);
    expect![[r#"
        c Egress Accept 10.0.2.5:40000 > 10.0.0.4:80 proto 6 packets 3 bytes 320 flags 2 path 1 | delivered to w1
        c Ingress Accept 10.0.0.4:80 > 10.0.2.5:40000 proto 6 packets 3 bytes 320 flags 18 | delivered to c
        node Egress Accept 10.0.0.4:40000 > 10.0.1.11:8080 proto 6 packets 3 bytes 320 flags 2 pkt 10.0.2.5 > 10.0.1.11 path 1 | delivered to w1
        node Egress Accept 10.0.0.4:80 > 10.0.2.5:40000 proto 6 packets 3 bytes 320 flags 18 path 1 | delivered to c
        node Ingress Accept 10.0.1.11:8080 > 10.0.0.4:40000 proto 6 packets 3 bytes 320 flags 18 pkt 10.0.1.11 > 10.0.2.5 | delivered to c
        node Ingress Accept 10.0.2.5:40000 > 10.0.0.4:80 proto 6 packets 3 bytes 320 flags 2 | delivered to w1
        w1 Egress Accept 10.0.1.11:8080 > 10.0.2.5:40000 proto 6 packets 3 bytes 320 flags 18 path 1 | delivered to c
        w1 Ingress Accept 10.0.2.5:40000 > 10.0.1.11:8080 proto 6 packets 3 bytes 320 flags 2 | delivered to w1
    "#]].assert_eq(&net.records());
}

#[test]
fn a_target_that_does_not_see_its_client_answers_the_node() {
    let mut net = net(&format!("targets app tcp 8080 nopreserve w1\n{TCP}"));
    let told = net.send("c sends tcp 10.0.2.5:40000 > 10.0.0.4:80 syn");
    let port = told.split("10.0.0.4:").nth(1).unwrap();
    let port: u16 = port.split(' ').next().unwrap().parse().unwrap();
    assert!((1024..64_512).contains(&port), "{told}");
    assert_eq!(
        told,
        format!("to w1: 10.0.0.4:{port} > 10.0.1.11:8080 proto 6 len 40")
    );
    let answer = format!("w1 sends tcp 10.0.1.11:8080 > 10.0.0.4:{port}");
    expect!["to c: 10.0.0.4:80 > 10.0.2.5:40000 proto 6 len 40"]
        .assert_eq(&net.send(&format!("{answer} syn ack")));
    // Without the client's packet first, nothing gets in.
    let stranger = "w1 sends tcp 10.0.1.11:8080 > 10.0.0.4:1025 ack";
    expect!["dropped: no_listener"].assert_eq(&net.send(stranger));
}

#[test]
fn an_answer_to_the_node_is_routed_though_the_target_keeps_other_clients() {
    let text = PLACES.replacen(
        "subnet app 10.0.1.0/24 local",
        "subnet app 10.0.1.0/24 local, 10.0.0.0/24 > eni:c",
        1,
    );
    let mut net = Net::new(&format!(
        "{text}{TCP}targets app tcp 8080 nopreserve w1\nlistener front tcp 81 > keep\ntargets keep tcp 8080 w1\n"
    ));
    let told = net.send("c sends tcp 10.0.2.5:40000 > 10.0.0.4:80 syn");
    let port = told
        .split("10.0.0.4:")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    // By the route of the target's subnet, to a middlebox that is none.
    let answer = format!("w1 sends tcp 10.0.1.11:8080 > 10.0.0.4:{port} syn ack");
    expect!["dropped: source_destination_check"].assert_eq(&net.send(&answer));
    net.send("c sends tcp 10.0.2.5:40000 > 10.0.0.4:81 syn");
    expect!["to c: 10.0.0.4:81 > 10.0.2.5:40000 proto 6 len 40"]
        .assert_eq(&net.send("w1 sends tcp 10.0.1.11:8080 > 10.0.2.5:40000 syn ack"));
}

#[test]
fn what_is_over_is_not_in_the_way_of_a_new_flow() {
    let mut net = net(&format!(
        "targets app tcp 8080 w1\n{TCP}listener front tcp 81 > app\n"
    ));
    let first = "c sends tcp 10.0.2.5:40000 > 10.0.0.4:80 syn";
    let other = "c sends tcp 10.0.2.5:40000 > 10.0.0.4:81 syn";
    let to_target = "to w1: 10.0.2.5:40000 > 10.0.1.11:8080 proto 6 len 40";
    assert_eq!(net.send(first), to_target);
    // Its target would see the same connection twice.
    assert_eq!(
        net.send(other),
        "to c: 10.0.0.4:81 > 10.0.2.5:40000 proto 6 len 40"
    );
    net.wait(351);
    assert_eq!(net.send(other), to_target);
    net.send("c sends tcp 10.0.2.5:40000 > 10.0.0.4:81 rst");
    assert_eq!(net.send(first), to_target);
}

#[test]
fn a_rule_for_the_nodes_address_does_not_mean_its_clients() {
    let text = |rule: &str| {
        format!(
            "vpc main 10.0.0.0/16\n\
             subnet app 10.0.1.0/24 local\n\
             sg open in all from 0.0.0.0/0\n\
             sg lb in all from 0.0.0.0/0\n\
             sg app in tcp 8080 from {rule}\n\
             eni node 10.0.1.4 in app sg:lb\n\
             eni w1 10.0.1.11 in app sg:app\n\
             eni c 10.0.1.5 in app sg:open\n\
             nlb front node sg:lb\n\
             targets app tcp 8080 w1\n{TCP}"
        )
    };
    let syn = "c sends tcp 10.0.1.5:40000 > 10.0.1.4:80 syn";
    let asked = |rule| Net::new(&text(rule)).send(syn);
    assert_eq!(asked("10.0.1.4/32"), "dropped: security_group");
    assert!(asked("10.0.1.5/32").starts_with("to w1"));
    assert!(asked("sg:lb").starts_with("to w1"));
}

#[test]
fn flows_are_spread_and_stay_where_they_are() {
    let mut net = net(&format!("targets app tcp 8080 w1 w2\n{TCP}"));
    let first: Vec<_> = (30_000..30_100)
        .map(|port| target(&mut net, port))
        .collect();
    let again: Vec<_> = (30_000..30_100)
        .map(|port| target(&mut net, port))
        .collect();
    assert_eq!(first, again);
    let on_w1 = first.iter().filter(|to| **to == "10.0.1.11:8080").count();
    assert!((30..70).contains(&on_w1), "{on_w1}");
    // Another target in the group moves nobody.
    change(&mut net, "targets app tcp 8080 w1 w2 w2:81\n");
    let send = |net: &mut Net, port| {
        let told = net.send(&format!("c sends tcp 10.0.2.5:{port} > 10.0.0.4:80 ack"));
        told.split(" > ")
            .nth(1)
            .unwrap()
            .split(' ')
            .next()
            .unwrap()
            .to_owned()
    };
    let later: Vec<_> = (30_000..30_100).map(|port| send(&mut net, port)).collect();
    assert_eq!(first, later);
}

#[test]
fn a_sticky_client_always_gets_the_same_target() {
    let mut net = net(&format!("targets app tcp 8080 sticky w1 w2\n{TCP}"));
    assert_eq!(targets(&mut net).len(), 1);
}

#[test]
fn only_targets_that_work_get_flows_unless_none_does() {
    let mut net = net(&format!("targets app tcp 8080 w1 w2/unhealthy\n{TCP}"));
    let both = BTreeSet::from(["10.0.1.11:8080".to_owned(), "10.0.1.12:8080".to_owned()]);
    let only = |at: &str| BTreeSet::from([at.to_owned()]);
    assert_eq!(targets(&mut net), only("10.0.1.11:8080"));
    change(&mut net, "targets app tcp 8080 w1/initial w2\n");
    net.wait(400);
    assert_eq!(targets(&mut net), only("10.0.1.12:8080"));
    change(&mut net, "targets app tcp 8080 w1/failed w2/unhealthy\n");
    net.wait(400);
    assert_eq!(targets(&mut net), both);
    // A target that nothing is known of yet gets nothing.
    change(&mut net, "targets app tcp 8080 w1/initial\n");
    net.wait(400);
    expect!["to c: 10.0.0.4:80 > 10.0.2.5:50000 proto 6 len 40"]
        .assert_eq(&net.send("c sends tcp 10.0.2.5:50000 > 10.0.0.4:80 syn"));
}

#[test]
fn flows_of_a_target_end_when_it_fails_and_go_on_while_it_drains() {
    let mut net = net(&format!("targets app tcp 8080 w1\n{TCP}"));
    let opening = "c sends tcp 10.0.2.5:40000 > 10.0.0.4:80 syn
         w1 sends tcp 10.0.1.11:8080 > 10.0.2.5:40000 syn ack";
    let later = "c sends tcp 10.0.2.5:40000 > 10.0.0.4:80 ack";
    net.run(opening);
    change(&mut net, "targets app tcp 8080 w1/draining w2\n");
    assert!(net.send(later).starts_with("to w1"));
    assert_eq!(targets(&mut net).len(), 1);
    change(&mut net, "targets app tcp 8080 w1/unhealthy w2\n");
    expect!["to c: 10.0.0.4:80 > 10.0.2.5:40000 proto 6 len 40"].assert_eq(&net.send(later));
    expect!["to c: 10.0.1.11:8080 > 10.0.2.5:40000 proto 6 len 40"]
        .assert_eq(&net.send("w1 sends tcp 10.0.1.11:8080 > 10.0.2.5:40000 ack"));
}

#[test]
fn a_connection_that_was_idle_for_too_long_is_reset() {
    let mut net = net(&format!("targets app tcp 8080 w1\n{TCP}"));
    net.run(
        "c sends tcp 10.0.2.5:40000 > 10.0.0.4:80 syn
         w1 sends tcp 10.0.1.11:8080 > 10.0.2.5:40000 syn ack",
    );
    let later = "c sends tcp 10.0.2.5:40000 > 10.0.0.4:80 ack";
    net.wait(350);
    assert!(net.send(later).starts_with("to w1"));
    net.wait(351);
    expect!["to c: 10.0.0.4:80 > 10.0.2.5:40000 proto 6 len 40"].assert_eq(&net.send(later));
}

/// User Guide for Network Load Balancers, "Connection idle timeout": 120 seconds for UDP.
#[test]
fn a_flow_of_udp_that_was_idle_for_too_long_is_forgotten() {
    let mut net = net("targets app udp 53 w1\nlistener front udp 53 > app\n");
    let (ask, answer) = (
        "c sends udp 10.0.2.5:40000 > 10.0.0.4:53",
        "w1 sends udp 10.0.1.11:53 > 10.0.2.5:40000",
    );
    net.send(ask);
    net.wait(120);
    expect!["to c: 10.0.0.4:53 > 10.0.2.5:40000 proto 17 len 28"].assert_eq(&net.send(answer));
    net.wait(121);
    // The node knows nothing of it any more: the target speaks for itself.
    expect!["to c: 10.0.1.11:53 > 10.0.2.5:40000 proto 17 len 28"].assert_eq(&net.send(answer));
}

#[test]
fn nodes_keep_to_their_zone_unless_told_otherwise() {
    let places = "vpc main 10.0.0.0/16\n\
         subnet a 10.0.1.0/24 local\n\
         subnet b 10.0.2.0/24 local\n\
         zone b b\n\
         sg open in all from 0.0.0.0/0\n\
         eni na 10.0.1.4 in a\n\
         eni nb 10.0.2.4 in b\n\
         eni wa 10.0.1.11 in a sg:open\n\
         eni wb 10.0.2.11 in b sg:open\n\
         eni c 10.0.1.5 in a sg:open\n\
         targets app tcp 8080 wa wb\n\
         listener front tcp 80 > app\n";
    let flows = |balancer: &str| {
        let mut net = Net::new(&format!("{places}{balancer}\n"));
        let mut seen = BTreeSet::new();
        for port in 30_000..30_050 {
            let told = net.send(&format!("c sends tcp 10.0.1.5:{port} > 10.0.1.4:80 syn"));
            seen.insert(told.split(':').next().unwrap().to_owned());
        }
        seen.into_iter().collect::<Vec<_>>().join(", ")
    };
    assert_eq!(flows("nlb front na nb"), "to wa");
    assert_eq!(flows("nlb front na nb crosszone"), "to wa, to wb");
    // A target in a zone without a node is not used, whatever crosses.
    assert_eq!(flows("nlb front na crosszone"), "to wa");
}

#[test]
fn what_no_listener_takes_is_dropped() {
    let mut net = net(&format!("targets app tcp 8080 w1\n{TCP}"));
    expect![[r#"
        c sends tcp 10.0.2.5:40000 > 10.0.0.4:81 syn
          dropped: no_listener
        c sends udp 10.0.2.5:40000 > 10.0.0.4:80
          dropped: no_listener
        c sends icmp 10.0.2.5 > 10.0.0.4 echo-request id 1
          dropped: no_listener
        c sends tcp 10.0.2.5:40001 > 10.0.0.4:80 ack
          to c: 10.0.0.4:80 > 10.0.2.5:40001 proto 6 len 40
    "#]]
    .assert_eq(&net.run(
        "c sends tcp 10.0.2.5:40000 > 10.0.0.4:81 syn
         c sends udp 10.0.2.5:40000 > 10.0.0.4:80
         c sends icmp 10.0.2.5 > 10.0.0.4 echo-request id 1
         c sends tcp 10.0.2.5:40001 > 10.0.0.4:80 ack",
    ));
}

#[test]
fn udp_goes_to_one_target_and_back() {
    let mut net = net("targets app tcp_udp 53 w1 w2\nlistener front tcp_udp 53 > app\n");
    let first = net.send("c sends udp 10.0.2.5:40000 > 10.0.0.4:53");
    let at = if first.starts_with("to w1") { 1 } else { 2 };
    let answer = format!("w{at} sends udp 10.0.1.1{at}:53 > 10.0.2.5:40000");
    expect!["to c: 10.0.0.4:53 > 10.0.2.5:40000 proto 17 len 28"].assert_eq(&net.send(&answer));
    net.wait(119);
    assert_eq!(net.send("c sends udp 10.0.2.5:40000 > 10.0.0.4:53"), first);
}

#[test]
fn clients_on_the_internet_reach_targets_without_public_addresses() {
    let mut net = Net::new(&format!(
        "vpc main 10.0.0.0/16\n\
         subnet lb 10.0.0.0/24 local, 0.0.0.0/0 > igw\n\
         subnet app 10.0.1.0/24 local\n\
         sg open in all from 0.0.0.0/0\n\
         eni node 10.0.0.4 in lb public 203.0.113.4\n\
         eni w1 10.0.1.11 in app sg:open\n\
         nlb front node\n\
         host 198.51.100.7\n\
         targets app tcp 8080 w1\n{TCP}"
    ));
    expect![[r#"
        198.51.100.7 sends tcp 198.51.100.7:40000 > 203.0.113.4:80 syn
          to w1: 198.51.100.7:40000 > 10.0.1.11:8080 proto 6 len 40
        w1 sends tcp 10.0.1.11:8080 > 198.51.100.7:40000 syn ack
          to 198.51.100.7: 203.0.113.4:80 > 198.51.100.7:40000 proto 6 len 40
        w1 sends tcp 10.0.1.11:8080 > 198.51.100.7:40001 syn ack
          dropped: no_route
    "#]]
    .assert_eq(&net.run(
        "198.51.100.7 sends tcp 198.51.100.7:40000 > 203.0.113.4:80 syn
         w1 sends tcp 10.0.1.11:8080 > 198.51.100.7:40000 syn ack
         w1 sends tcp 10.0.1.11:8080 > 198.51.100.7:40001 syn ack",
    ));
}

#[test]
fn targets_of_a_peer_are_reached_by_their_address() {
    let mut net = Net::new(&format!(
        "vpc main 10.0.0.0/16\n\
         subnet lb 10.0.0.0/24 local, 10.1.0.0/16 > pcx:p\n\
         sg open in all from 0.0.0.0/0\n\
         eni node 10.0.0.4 in lb\n\
         eni c 10.0.0.5 in lb sg:open\n\
         nlb front node\n\
         targets app tcp 8080 10.1.0.11\n{TCP}\
         vpc far 10.1.0.0/16\n\
         subnet there 10.1.0.0/24 local, 10.0.0.0/16 > pcx:p\n\
         sg there in all from 0.0.0.0/0\n\
         eni t 10.1.0.11 in there sg:there\n\
         pcx p main far\n"
    ));
    let told = net.send("c sends tcp 10.0.0.5:40000 > 10.0.0.4:80 syn");
    let port = told
        .split("10.0.0.4:")
        .nth(1)
        .unwrap_or_else(|| panic!("{told}"));
    let port: u16 = port.split(' ').next().unwrap().parse().unwrap();
    let answer = format!("t sends tcp 10.1.0.11:8080 > 10.0.0.4:{port} syn ack");
    expect!["to c: 10.0.0.4:80 > 10.0.0.5:40000 proto 6 len 40"].assert_eq(&net.send(&answer));
}

#[test]
fn a_client_that_is_the_target_is_not_sent_to_itself() {
    let mut net = net(&format!("targets app tcp 8080 w1\n{TCP}"));
    expect!["to w1: 10.0.0.4:80 > 10.0.1.11:40000 proto 6 len 40"]
        .assert_eq(&net.send("w1 sends tcp 10.0.1.11:40000 > 10.0.0.4:80 syn"));
    change(&mut net, "targets app tcp 8080 nopreserve w1\n");
    assert!(
        net.send("w1 sends tcp 10.0.1.11:40000 > 10.0.0.4:80 syn")
            .starts_with("to w1: 10.0.0.4:")
    );
}

#[test]
fn groups_of_the_load_balancer_guard_it_and_vouch_for_its_clients() {
    let text = |inbound: &str| {
        format!(
            "vpc main 10.0.0.0/16\n\
             subnet app 10.0.1.0/24 local\n\
             sg open in all from 0.0.0.0/0\n\
             sg lb in {inbound}\n\
             sg app in tcp 8080 from sg:lb\n\
             eni node 10.0.1.4 in app sg:lb\n\
             eni w1 10.0.1.11 in app sg:app\n\
             eni c 10.0.1.5 in app sg:open\n\
             nlb front node sg:lb\n\
             targets app tcp 8080 w1\n{TCP}"
        )
    };
    let mut net = Net::new(&text("tcp 80 from 10.0.1.0/24"));
    let syn = "c sends tcp 10.0.1.5:40000 > 10.0.1.4:80 syn";
    expect!["to w1: 10.0.1.5:40000 > 10.0.1.11:8080 proto 6 len 40"].assert_eq(&net.send(syn));
    expect!["to c: 10.0.1.4:80 > 10.0.1.5:40000 proto 6 len 40"]
        .assert_eq(&net.send("w1 sends tcp 10.0.1.11:8080 > 10.0.1.5:40000 syn ack"));
    // The client itself is none of those whom the target's group names.
    assert_eq!(
        net.send("c sends tcp 10.0.1.5:40001 > 10.0.1.11:8080 syn"),
        "dropped: security_group"
    );
    let mut net = Net::new(&text("tcp 81 from 10.0.1.0/24"));
    assert_eq!(net.send(syn), "dropped: security_group");
    expect![[r#"
        c Egress Accept 10.0.1.5:40000 > 10.0.1.4:80 proto 6 packets 1 bytes 40 flags 2 path 1 | no inbound rule of lb allows it
        node Ingress Reject 10.0.1.5:40000 > 10.0.1.4:80 proto 6 packets 1 bytes 40 flags 2 | no inbound rule of lb allows it
    "#]].assert_eq(&net.records());
}

#[test]
fn network_acls_of_both_subnets_hold() {
    let acl = |subnet: &str, line: &str| {
        format!(
            "nacl strict on {subnet}\n\
             nacl strict in 10 {line}\n\
             nacl strict in 20 allow all from 0.0.0.0/0\n\
             nacl strict out 20 allow all to 0.0.0.0/0\n"
        )
    };
    for (subnet, line) in [
        ("lb", "deny tcp 80 from 10.0.2.0/24"),
        ("app", "deny tcp 8080 from 10.0.2.0/24"),
        ("lb", "deny tcp 40000 from 10.0.1.0/24"),
    ] {
        let group = "targets app tcp 8080 w1\n";
        let mut net = net(&format!("{group}{TCP}{}", acl(subnet, line)));
        let told = net.run(
            "c sends tcp 10.0.2.5:40000 > 10.0.0.4:80 syn
             w1 sends tcp 10.0.1.11:8080 > 10.0.2.5:40000 syn ack",
        );
        assert!(told.contains("dropped: network_acl"), "{line}: {told}");
    }
}

#[test]
fn errors_about_a_flow_find_their_way() {
    let mut net = net(&format!("targets app tcp 8080 nopreserve w1\n{TCP}"));
    let (_, frame) = net.verdict("c sends tcp 10.0.2.5:40000 > 10.0.0.4:80 syn");
    let router = packet::Mac(crate::Snapshot::router_mac(fixture::vpc("main")).0);
    let mut error = Vec::new();
    let from = "10.0.1.11".parse().unwrap();
    let w1 = packet::Mac(fixture::mac("w1").0);
    let too_big = packet::icmp_error::IcmpError::TooBig { mtu: 1400 };
    packet::icmp_error::icmp_error(&frame, too_big, from, w1, &mut error).unwrap();
    packet::ethernet::set_macs(&mut error, router, w1).unwrap();
    let port = net.port("w1");
    let now = net.now;
    let verdict = net
        .dataplane
        .forward(port, &mut error, Offload::default(), now);
    assert_eq!(verdict, Verdict::Forward(net.port("c")));
    assert!(packet::build::checksum_is_valid(&error));
    expect!["10.0.0.4:0 > 10.0.2.5:0 proto 1 icmp 3/4 len 68"].assert_eq(&shown(&error));
    let quoted = packet::Packet::parse(&error).unwrap();
    let ip = quoted.ip().unwrap();
    let quote = crate::subject::Subject::quoted_in(ip, &error).unwrap();
    expect!["10.0.2.5 > 10.0.0.4 Ports { src: 40000, dst: 80 }"]
        .assert_eq(&format!("{} > {} {:?}", quote.src, quote.dst, quote.l4));
}

#[test]
fn a_trace_says_which_target() {
    let net = net(&format!("targets app tcp 8080 w1\n{TCP}"));
    let request = TraceRequest {
        source: crate::Source::Interface(fixture::eni("c")),
        destination: "10.0.0.4".parse().unwrap(),
        protocol: 6,
        source_port: 40_000,
        destination_port: 80,
    };
    let told = trace(net.dataplane.snapshot(), &request).unwrap();
    let told = format!("{told}{:?}\n", told.outcome);
    expect![[r#"
        c  egress  security group open  pass  all to 0.0.0.0/0 (sgr-e5d568e7d0002a95b)
        out  egress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        out  egress  route table out  pass  10.0.0.0/16 to local
        lb  ingress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        node  ingress  load balancer  pass  net/front/538b8c566e9e4b38: target 10.0.1.11:8080, source kept
        lb  egress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        lb  egress  route table lb  pass  10.0.0.0/16 to local
        app  ingress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        w1  ingress  security group open  pass  all from 0.0.0.0/0 (sgr-722158947c1587135)
        w1  ingress  delivery  pass  delivered
        delivered to w1; flow log: c egress ACCEPT, node ingress ACCEPT, node egress ACCEPT, w1 ingress ACCEPT
        --- answer
        w1  egress  security group open  pass  all to 0.0.0.0/0 (sgr-e5d568e7d0002a95b)
        app  egress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        lb  ingress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        node  ingress  load balancer  pass  answer of a target, from port 80 to 10.0.2.5:40000
        lb  egress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        lb  egress  route table lb  pass  10.0.0.0/16 to local
        out  ingress  network ACL default  pass  rule 100 allow all 0.0.0.0/0
        c  ingress  security group open  pass  all from 0.0.0.0/0 (sgr-722158947c1587135)
        c  ingress  delivery  pass  delivered
        delivered to c; flow log: w1 egress ACCEPT, node ingress ACCEPT, node egress ACCEPT, c ingress ACCEPT
        Answered
    "#]].assert_eq(&net.fixture.readable(&told));
}

/// What health checks send, a line for each.
fn checks(net: &mut Net) -> String {
    net.dataplane.check_health(net.now);
    net.told(Verdict::Emit, &[])
}

fn findings(net: &mut Net) -> Vec<Health> {
    let found = net.dataplane.take_health_findings();
    let w1 = TargetKey {
        id: TargetId::Instance(fixture::instance("w1")),
        port: 8080,
    };
    assert!(found.iter().all(|f| f.target == w1));
    assert!(
        found
            .iter()
            .all(|f| f.target_group_id == fixture::target_group("app"))
    );
    found.into_iter().map(|f| f.health).collect()
}

/// The source port of the check that was sent last.
fn check_port(told: &str) -> u16 {
    let port = told
        .split("10.0.0.4:")
        .nth(1)
        .unwrap_or_else(|| panic!("{told}"));
    port.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_new_target_that_accepts_a_connection_is_healthy() {
    let mut net = net(&format!("targets app tcp 8080 w1/initial\n{TCP}"));
    net.dataplane.install(net.dataplane.snapshot().clone());
    let told = checks(&mut net);
    let port = check_port(&told);
    assert!(port >= 64_512);
    assert_eq!(
        told,
        format!("to w1: 10.0.0.4:{port} > 10.0.1.11:8080 proto 6 len 40")
    );
    assert_eq!(checks(&mut net), "");
    let accept = format!("w1 sends tcp 10.0.1.11:8080 > 10.0.0.4:{port} syn ack");
    // The node takes the connection back.
    assert_eq!(
        net.send(&accept),
        format!("to w1: 10.0.0.4:{port} > 10.0.1.11:8080 proto 6 len 40")
    );
    assert_eq!(findings(&mut net), [Health::Healthy]);
    assert_eq!(net.send(&accept), "dropped: no_listener");
    net.wait(9);
    assert_eq!(checks(&mut net), "");
    net.wait(1);
    assert!(checks(&mut net).starts_with("to w1: 10.0.0.4:"));
    let records = net.records().replace(&port.to_string(), "CHECK");
    expect![[r#"
        node Egress Accept 10.0.0.4:CHECK > 10.0.1.11:8080 proto 6 packets 1 bytes 40 flags 2 path 1 | delivered to w1
        node Egress Accept 10.0.0.4:CHECK > 10.0.1.11:8080 proto 6 packets 1 bytes 40 flags 4 path 1 | delivered to w1
        node Egress Accept 10.0.0.4:64514 > 10.0.1.11:8080 proto 6 packets 1 bytes 40 flags 2 path 1 | delivered to w1
        node Ingress Accept 10.0.1.11:8080 > 10.0.0.4:CHECK proto 6 packets 1 bytes 40 flags 18 | no listener of the load balancer of node takes it
        node Ingress Accept 10.0.1.11:8080 > 10.0.0.4:CHECK proto 6 packets 1 bytes 40 flags 18 | taken by node as the answer to a health check
        w1 Egress Accept 10.0.1.11:8080 > 10.0.0.4:CHECK proto 6 packets 1 bytes 40 flags 18 path 1 | no listener of the load balancer of node takes it
        w1 Egress Accept 10.0.1.11:8080 > 10.0.0.4:CHECK proto 6 packets 1 bytes 40 flags 18 path 1 | taken by node as the answer to a health check
        w1 Ingress Accept 10.0.0.4:CHECK > 10.0.1.11:8080 proto 6 packets 1 bytes 40 flags 2 | delivered to w1
        w1 Ingress Accept 10.0.0.4:CHECK > 10.0.1.11:8080 proto 6 packets 1 bytes 40 flags 4 | delivered to w1
        w1 Ingress Accept 10.0.0.4:64514 > 10.0.1.11:8080 proto 6 packets 1 bytes 40 flags 2 | delivered to w1
    "#]].assert_eq(&records);
}

#[test]
fn silence_is_a_failure() {
    let mut net = net(&format!("targets app tcp 8080 w1\n{TCP}"));
    net.dataplane.install(net.dataplane.snapshot().clone());
    checks(&mut net);
    net.wait(5);
    assert_eq!(checks(&mut net), "");
    assert_eq!(findings(&mut net), []);
    net.wait(5);
    checks(&mut net);
    net.wait(5);
    checks(&mut net);
    assert_eq!(findings(&mut net), [Health::TimedOut]);
    // It comes back after three successes in a row.
    for expected in [vec![], vec![], vec![Health::Healthy]] {
        net.wait(5);
        let port = check_port(&checks(&mut net));
        net.send(&format!(
            "w1 sends tcp 10.0.1.11:8080 > 10.0.0.4:{port} syn ack"
        ));
        assert_eq!(findings(&mut net), expected);
        net.wait(5);
    }
}

#[test]
fn a_refused_connection_is_a_failure_of_the_target() {
    let mut net = net(&format!("targets app tcp 8080 w1\n{TCP}"));
    net.dataplane.install(net.dataplane.snapshot().clone());
    for expected in [vec![], vec![Health::Failed], vec![]] {
        let port = check_port(&checks(&mut net));
        net.send(&format!(
            "w1 sends tcp 10.0.1.11:8080 > 10.0.0.4:{port} rst ack"
        ));
        assert_eq!(findings(&mut net), expected);
        net.wait(10);
    }
}

#[test]
fn the_cache_decides_as_the_slow_path_does() {
    let lines = "c sends tcp 10.0.2.5:40000 > 10.0.0.4:80 syn
         w1 sends tcp 10.0.1.11:8080 > 10.0.2.5:40000 syn ack
         w2 sends tcp 10.0.1.12:8080 > 10.0.2.5:40000 syn ack
         c sends tcp 10.0.2.5:40000 > 10.0.0.4:80 ack
         c sends tcp 10.0.2.5:40000 > 10.0.0.4:80 ack len 200
         w1 sends tcp 10.0.1.11:8080 > 10.0.2.5:40000 ack len 300
         w2 sends tcp 10.0.1.12:8080 > 10.0.2.5:40000 ack len 300
         c sends udp 10.0.2.5:40000 > 10.0.0.4:80
         w1 sends udp 10.0.1.11:8080 > 10.0.2.5:40000
         c sends tcp 10.0.2.5:40000 > 10.0.0.4:80 fin ack
         w1 sends tcp 10.0.1.11:8080 > 10.0.2.5:40000 fin ack
         w2 sends tcp 10.0.1.12:8080 > 10.0.2.5:40000 fin ack
         c sends tcp 10.0.2.5:40000 > 10.0.0.4:80 ack
         c sends tcp 10.0.2.5:40000 > 10.0.0.4:80 syn";
    for options in ["", "nopreserve ", "sticky "] {
        let text = format!("targets app tcp 8080 {options}w1 w2\n{TCP}");
        let (mut fast, mut slow) = (net(&text), net(&text));
        slow.dataplane.set_caching(false);
        for _ in 0..3 {
            assert_eq!(fast.run(lines), slow.run(lines), "{options}");
        }
    }
}

#[test]
fn a_load_balancer_that_is_its_own_target_does_not_go_round_for_ever() {
    let mut itself = net(&format!("targets app tcp 80 10.0.0.4\n{TCP}"));
    expect!["dropped: no_target"]
        .assert_eq(&itself.send("c sends tcp 10.0.2.5:40000 > 10.0.0.4:80 syn"));
    let mut two = Net::new(&format!(
        "{PLACES}eni other 10.0.0.5 in lb\nnlb back other\nlistener back tcp 80 > back\n\
         targets back tcp 80 nopreserve 10.0.0.4\ntargets app tcp 80 nopreserve 10.0.0.5\n{TCP}"
    ));
    expect!["dropped: no_target"]
        .assert_eq(&two.send("c sends tcp 10.0.2.5:40000 > 10.0.0.4:80 syn"));
}
