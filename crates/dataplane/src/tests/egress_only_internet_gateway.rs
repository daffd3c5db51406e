//! Egress-only internet gateways: out and answers back, nothing in.

use expect_test::expect;

use super::Net;
use crate::{DropReason, Verdict};

const NET: &str = "vpc main 10.0.0.0/16 2001:db8:0:100::/56\n\
     subnet a 10.0.1.0/24 2001:db8:0:101::/64 local, ::/0 > eigw\n\
     subnet b 10.0.2.0/24 2001:db8:0:102::/64 local, ::/0 > igw\n\
     sg open in all from ::/0\n\
     sg open out all to ::/0\n\
     eni x 10.0.1.10 2001:db8:0:101::10 in a sg:open\n\
     eni y 10.0.2.10 2001:db8:0:102::10 in b sg:open\n\
     host 2001:db8:ffff::7\n\
     host 2001:db8:ffff::8\n";

/// The groups are open both ways, so they alone would let everything in and track nothing.
#[test]
fn only_answers_come_in() {
    let mut net = Net::new(NET);
    expect![[r#"
        2001:db8:ffff::7 sends tcp [2001:db8:ffff::7]:443 > [2001:db8:0:101::10]:5 syn
          dropped: egress_only
        x sends tcp [2001:db8:0:101::10]:5 > [2001:db8:ffff::7]:443 syn
          to 2001:db8:ffff::7: 2001:db8:0:101::10:5 > 2001:db8:ffff::7:443 proto 6 len 60
        2001:db8:ffff::7 sends tcp [2001:db8:ffff::7]:443 > [2001:db8:0:101::10]:5 syn ack
          to x: 2001:db8:ffff::7:443 > 2001:db8:0:101::10:5 proto 6 len 60
        2001:db8:ffff::7 sends tcp [2001:db8:ffff::7]:443 > [2001:db8:0:101::10]:5 ack len 9
          to x: 2001:db8:ffff::7:443 > 2001:db8:0:101::10:5 proto 6 len 69
        2001:db8:ffff::7 sends tcp [2001:db8:ffff::7]:443 > [2001:db8:0:101::10]:6 syn
          dropped: egress_only
        2001:db8:ffff::8 sends tcp [2001:db8:ffff::8]:443 > [2001:db8:0:101::10]:5 ack
          dropped: egress_only
        2001:db8:ffff::7 sends udp [2001:db8:ffff::7]:443 > [2001:db8:0:101::10]:5
          dropped: egress_only
        2001:db8:ffff::7 sends tcp [2001:db8:ffff::7]:443 > [2001:db8:0:102::10]:5 syn
          to y: 2001:db8:ffff::7:443 > 2001:db8:0:102::10:5 proto 6 len 60
    "#]]
    .assert_eq(&net.run(
        "2001:db8:ffff::7 sends tcp [2001:db8:ffff::7]:443 > [2001:db8:0:101::10]:5 syn
         x sends tcp [2001:db8:0:101::10]:5 > [2001:db8:ffff::7]:443 syn
         2001:db8:ffff::7 sends tcp [2001:db8:ffff::7]:443 > [2001:db8:0:101::10]:5 syn ack
         2001:db8:ffff::7 sends tcp [2001:db8:ffff::7]:443 > [2001:db8:0:101::10]:5 ack len 9
         2001:db8:ffff::7 sends tcp [2001:db8:ffff::7]:443 > [2001:db8:0:101::10]:6 syn
         2001:db8:ffff::8 sends tcp [2001:db8:ffff::8]:443 > [2001:db8:0:101::10]:5 ack
         2001:db8:ffff::7 sends udp [2001:db8:ffff::7]:443 > [2001:db8:0:101::10]:5
         2001:db8:ffff::7 sends tcp [2001:db8:ffff::7]:443 > [2001:db8:0:102::10]:5 syn",
    ));
    expect![[r#"
        x Egress Accept 2001:db8:0:101::10:5 > 2001:db8:ffff::7:443 proto 6 packets 1 bytes 60 flags 2 path 8 | left through eigw for 2001:db8:ffff::7
        x Ingress Accept 2001:db8:ffff::7:443 > 2001:db8:0:101::10:5 proto 6 packets 2 bytes 129 flags 18 | delivered to x
        y Ingress Accept 2001:db8:ffff::7:443 > 2001:db8:0:102::10:5 proto 6 packets 1 bytes 60 flags 2 | delivered to y
    "#]].assert_eq(&net.records());
}

#[test]
fn pings_are_answered_and_not_let_in() {
    let mut net = Net::new(NET);
    expect![[r#"
        2001:db8:ffff::7 sends icmp 2001:db8:ffff::7 > 2001:db8:0:101::10 echo-request id 7
          dropped: egress_only
        x sends icmp 2001:db8:0:101::10 > 2001:db8:ffff::7 echo-request id 7
          to 2001:db8:ffff::7: 2001:db8:0:101::10:0 > 2001:db8:ffff::7:0 proto 58 icmp 128/0 len 48
        2001:db8:ffff::7 sends icmp 2001:db8:ffff::7 > 2001:db8:0:101::10 echo-reply id 7
          to x: 2001:db8:ffff::7:0 > 2001:db8:0:101::10:0 proto 58 icmp 129/0 len 48
        2001:db8:ffff::7 sends icmp 2001:db8:ffff::7 > 2001:db8:0:101::10 echo-request id 7
          dropped: egress_only
    "#]]
    .assert_eq(&net.run(
        "2001:db8:ffff::7 sends icmp 2001:db8:ffff::7 > 2001:db8:0:101::10 echo-request id 7
         x sends icmp 2001:db8:0:101::10 > 2001:db8:ffff::7 echo-request id 7
         2001:db8:ffff::7 sends icmp 2001:db8:ffff::7 > 2001:db8:0:101::10 echo-reply id 7
         2001:db8:ffff::7 sends icmp 2001:db8:ffff::7 > 2001:db8:0:101::10 echo-request id 7",
    ));
}

#[test]
fn an_answer_that_comes_too_late_is_none() {
    let mut net = Net::new(NET);
    net.send("x sends udp [2001:db8:0:101::10]:5 > [2001:db8:ffff::7]:53");
    net.wait(349);
    expect!["to x: 2001:db8:ffff::7:53 > 2001:db8:0:101::10:5 proto 17 len 48"].assert_eq(
        &net.send("2001:db8:ffff::7 sends udp [2001:db8:ffff::7]:53 > [2001:db8:0:101::10]:5"),
    );
    net.wait(351);
    expect!["dropped: egress_only"].assert_eq(
        &net.send("2001:db8:ffff::7 sends udp [2001:db8:ffff::7]:53 > [2001:db8:0:101::10]:5"),
    );
}

#[test]
fn a_vpc_without_gateways_is_out_of_reach() {
    let mut net = Net::new(NET);
    net.send("x sends udp [2001:db8:0:101::10]:5 > [2001:db8:ffff::7]:53");
    net.change(&NET.replace(", ::/0 > eigw", "").replace(", ::/0 > igw", ""));
    expect![[r#"
        x sends udp [2001:db8:0:101::10]:5 > [2001:db8:ffff::7]:53
          dropped: no_route
        2001:db8:ffff::7 sends udp [2001:db8:ffff::7]:53 > [2001:db8:0:101::10]:5
          dropped: internet_unreachable
    "#]]
    .assert_eq(&net.run(
        "x sends udp [2001:db8:0:101::10]:5 > [2001:db8:ffff::7]:53
         2001:db8:ffff::7 sends udp [2001:db8:ffff::7]:53 > [2001:db8:0:101::10]:5",
    ));
}

/// What groups let out and a network ACL then refuses is nothing that anybody could answer.
#[test]
fn only_what_has_gone_through_the_gateway_is_answered() {
    let mut net = Net::new(&format!(
        "{NET}nacl n on a\nnacl n in 100 allow all from ::/0\nnacl n out 100 allow tcp all to ::/0\n"
    ));
    expect![[r#"
        x sends udp [2001:db8:0:101::10]:5 > [2001:db8:ffff::7]:53
          dropped: network_acl
        2001:db8:ffff::7 sends udp [2001:db8:ffff::7]:53 > [2001:db8:0:101::10]:5
          dropped: egress_only
        x sends tcp [2001:db8:0:101::10]:5 > [2001:db8:ffff::7]:443 syn
          to 2001:db8:ffff::7: 2001:db8:0:101::10:5 > 2001:db8:ffff::7:443 proto 6 len 60
        2001:db8:ffff::7 sends tcp [2001:db8:ffff::7]:443 > [2001:db8:0:101::10]:5 rst
          to x: 2001:db8:ffff::7:443 > 2001:db8:0:101::10:5 proto 6 len 60
        2001:db8:ffff::7 sends tcp [2001:db8:ffff::7]:443 > [2001:db8:0:101::10]:5 ack
          dropped: egress_only
    "#]]
    .assert_eq(&net.run(
        "x sends udp [2001:db8:0:101::10]:5 > [2001:db8:ffff::7]:53
         2001:db8:ffff::7 sends udp [2001:db8:ffff::7]:53 > [2001:db8:0:101::10]:5
         x sends tcp [2001:db8:0:101::10]:5 > [2001:db8:ffff::7]:443 syn
         2001:db8:ffff::7 sends tcp [2001:db8:ffff::7]:443 > [2001:db8:0:101::10]:5 rst
         2001:db8:ffff::7 sends tcp [2001:db8:ffff::7]:443 > [2001:db8:0:101::10]:5 ack",
    ));
}

#[test]
fn what_has_no_ports_is_answered_too() {
    let mut net = Net::new(NET);
    expect![[r#"
        2001:db8:ffff::7 sends gre 2001:db8:ffff::7 > 2001:db8:0:101::10
          dropped: egress_only
        x sends gre 2001:db8:0:101::10 > 2001:db8:ffff::7
          to 2001:db8:ffff::7: 2001:db8:0:101::10:0 > 2001:db8:ffff::7:0 proto 47 len 40
        2001:db8:ffff::7 sends gre 2001:db8:ffff::7 > 2001:db8:0:101::10
          to x: 2001:db8:ffff::7:0 > 2001:db8:0:101::10:0 proto 47 len 40
    "#]]
    .assert_eq(&net.run(
        "2001:db8:ffff::7 sends gre 2001:db8:ffff::7 > 2001:db8:0:101::10
         x sends gre 2001:db8:0:101::10 > 2001:db8:ffff::7
         2001:db8:ffff::7 sends gre 2001:db8:ffff::7 > 2001:db8:0:101::10",
    ));
}

#[test]
fn an_end_that_begins_a_session_is_one() {
    let mut net = Net::new(NET);
    let (out, back) = (
        "x sends tcp [2001:db8:0:101::10]:5 > [2001:db8:ffff::7]:443",
        "2001:db8:ffff::7 sends tcp [2001:db8:ffff::7]:443 > [2001:db8:0:101::10]:5",
    );
    net.send(&format!("{out} fin ack"));
    assert!(net.send(&format!("{back} fin ack")).starts_with("to x"));
    // Both sides have ended it: what opens a connection now is nobody's answer.
    expect!["dropped: egress_only"].assert_eq(&net.send(&format!("{back} syn")));
}

#[test]
fn errors_come_in_about_questions_only() {
    let mut net = Net::new(NET);
    let host = "2001:db8:ffff::7";
    let sends = format!("x sends icmp 2001:db8:0:101::10 > {host}");
    net.send(&format!("{sends} echo-request id 1"));
    for (kind, expected) in [
        ("request", Verdict::Forward(net.port("x"))),
        ("reply", Verdict::Drop(DropReason::EgressOnly)),
    ] {
        let verdict = net.unwanted(&format!("{sends} echo-{kind} id 1"), host, host);
        assert_eq!(verdict, expected, "{kind}");
    }
}
