//! Who records what of a connection between two interfaces of a VPC, by who refuses it.

use expect_test::expect;

use super::Net;

const NET: &str = "subnet a 10.0.1.0/24\n\
     subnet b 10.0.2.0/24\n\
     eni x 10.0.1.10 in a sg:sa\n\
     eni y 10.0.2.10 in b sg:sb\n";

const PING: &str = "x sends icmp 10.0.1.10 > 10.0.2.10 echo-request";
const PONG: &str = "y sends icmp 10.0.2.10 > 10.0.1.10 echo-reply";

/// Groups of x and y, and the ACLs of their subnets; then the records of a ping and its answer.
fn records(rules: &str) -> String {
    let (groups, acls) = rules.split_once("--\n").unwrap_or((rules, ""));
    let (subnets, enis) = NET.split_once("eni").unwrap();
    let mut net = Net::new(&format!("{subnets}{acls}{groups}eni{enis}"));
    net.run(&format!("{PING}\n{PONG}"));
    net.records()
}

#[test]
fn refused_by_nobody() {
    expect![[r#"
        x Egress Accept 10.0.1.10:0 > 10.0.2.10:0 proto 1 packets 1 bytes 28 flags 0 path 1 | delivered to y
        x Ingress Accept 10.0.2.10:0 > 10.0.1.10:0 proto 1 packets 1 bytes 28 flags 0 | delivered to x
        y Egress Accept 10.0.2.10:0 > 10.0.1.10:0 proto 1 packets 1 bytes 28 flags 0 path 1 | delivered to x
        y Ingress Accept 10.0.1.10:0 > 10.0.2.10:0 proto 1 packets 1 bytes 28 flags 0 | delivered to y
    "#]]
    .assert_eq(&records("sg sa\nsg sb out none\nsg sb in icmp all from 10.0.0.0/16\n"));
}

#[test]
fn refused_by_the_senders_group() {
    let mut net = Net::new(
        "subnet a 10.0.1.0/24\nsubnet b 10.0.2.0/24\nsg sa out none\nsg sb in all from 0.0.0.0/0\n\
         eni x 10.0.1.10 in a sg:sa\neni y 10.0.2.10 in b sg:sb\n",
    );
    net.run(PING);
    expect![[r#"
        x Egress Reject 10.0.1.10:0 > 10.0.2.10:0 proto 1 packets 1 bytes 28 flags 0 | no outbound rule of sa allows it
    "#]]
    .assert_eq(&net.records());
}

#[test]
fn refused_by_the_senders_network_acl() {
    let mut net = Net::new(
        "subnet a 10.0.1.0/24\nsubnet b 10.0.2.0/24\nnacl n on a\nsg sa\nsg sb in all from 0.0.0.0/0\n\
         eni x 10.0.1.10 in a sg:sa\neni y 10.0.2.10 in b sg:sb\n",
    );
    net.run(PING);
    expect![[r#"
        x Egress Reject 10.0.1.10:0 > 10.0.2.10:0 proto 1 packets 1 bytes 28 flags 0 | network ACL n egress rule * deny
    "#]]
    .assert_eq(&net.records());
}

#[test]
fn refused_by_the_receivers_group() {
    let mut net = Net::new(
        "subnet a 10.0.1.0/24\nsubnet b 10.0.2.0/24\nsg sa\nsg sb in tcp all from 0.0.0.0/0\n\
         eni x 10.0.1.10 in a sg:sa\neni y 10.0.2.10 in b sg:sb\n",
    );
    net.run(PING);
    expect![[r#"
        x Egress Accept 10.0.1.10:0 > 10.0.2.10:0 proto 1 packets 1 bytes 28 flags 0 path 1 | no inbound rule of sb allows it
        y Ingress Reject 10.0.1.10:0 > 10.0.2.10:0 proto 1 packets 1 bytes 28 flags 0 | no inbound rule of sb allows it
    "#]]
    .assert_eq(&net.records());
}

#[test]
fn the_answer_is_refused_by_the_receivers_network_acl() {
    expect![[r#"
        x Egress Accept 10.0.1.10:0 > 10.0.2.10:0 proto 1 packets 1 bytes 28 flags 0 path 1 | delivered to y
        y Egress Reject 10.0.2.10:0 > 10.0.1.10:0 proto 1 packets 1 bytes 28 flags 0 | network ACL n egress rule 50 deny
        y Ingress Accept 10.0.1.10:0 > 10.0.2.10:0 proto 1 packets 1 bytes 28 flags 0 | delivered to y
    "#]]
    .assert_eq(&records(
        "sg sa\nsg sb in all from 0.0.0.0/0\n--\nnacl n on b\n\
         nacl n in 100 allow all from 0.0.0.0/0\nnacl n out 50 deny icmp 0/-1 to 0.0.0.0/0\n",
    ));
}

#[test]
fn the_answer_is_refused_by_the_senders_network_acl() {
    expect![[r#"
        x Egress Accept 10.0.1.10:0 > 10.0.2.10:0 proto 1 packets 1 bytes 28 flags 0 path 1 | delivered to y
        x Ingress Reject 10.0.2.10:0 > 10.0.1.10:0 proto 1 packets 1 bytes 28 flags 0 | network ACL n ingress rule * deny
        y Egress Accept 10.0.2.10:0 > 10.0.1.10:0 proto 1 packets 1 bytes 28 flags 0 path 1 | network ACL n ingress rule * deny
        y Ingress Accept 10.0.1.10:0 > 10.0.2.10:0 proto 1 packets 1 bytes 28 flags 0 | delivered to y
    "#]]
    .assert_eq(&records(
        "sg sa\nsg sb in all from 0.0.0.0/0\n--\nnacl n on a\n\
         nacl n out 100 allow all to 0.0.0.0/0\n",
    ));
}

#[test]
fn secondary_addresses_show_as_the_primary_one() {
    let mut net = Net::new(
        "subnet a 10.0.1.0/24\nsubnet b 10.0.2.0/24\nsg open in all from 0.0.0.0/0\n\
         eni x 10.0.1.10 10.0.1.11 in a sg:open\neni y 10.0.2.10 10.0.2.11 in b sg:open\n",
    );
    net.run("x sends udp 10.0.1.11:5 > 10.0.2.11:6 len 10");
    expect![[r#"
        x Egress Accept 10.0.1.10:5 > 10.0.2.11:6 proto 17 packets 1 bytes 38 flags 0 pkt 10.0.1.11 > 10.0.2.11 path 1 | delivered to y
        y Ingress Accept 10.0.1.11:5 > 10.0.2.10:6 proto 17 packets 1 bytes 38 flags 0 pkt 10.0.1.11 > 10.0.2.11 | delivered to y
    "#]]
    .assert_eq(&net.records());
}

#[test]
fn flags_are_collected_and_acknowledgements_are_not() {
    let mut net = Net::new(
        "subnet a 10.0.1.0/24\nsg open in all from 0.0.0.0/0\n\
         eni x 10.0.1.10 in a sg:open\neni y 10.0.1.11 in a sg:open\n",
    );
    net.run(
        "x sends tcp 10.0.1.10:5 > 10.0.1.11:6 syn
         y sends tcp 10.0.1.11:6 > 10.0.1.10:5 syn ack
         x sends tcp 10.0.1.10:5 > 10.0.1.11:6 ack
         x sends tcp 10.0.1.10:5 > 10.0.1.11:6 psh ack len 100
         x sends tcp 10.0.1.10:5 > 10.0.1.11:6 fin ack
         y sends tcp 10.0.1.11:6 > 10.0.1.10:5 rst ack",
    );
    expect![[r#"
        x Egress Accept 10.0.1.10:5 > 10.0.1.11:6 proto 6 packets 4 bytes 260 flags 3 path 1 | delivered to y
        x Ingress Accept 10.0.1.11:6 > 10.0.1.10:5 proto 6 packets 2 bytes 80 flags 22 | delivered to x
        y Egress Accept 10.0.1.11:6 > 10.0.1.10:5 proto 6 packets 2 bytes 80 flags 22 path 1 | delivered to x
        y Ingress Accept 10.0.1.10:5 > 10.0.1.11:6 proto 6 packets 4 bytes 260 flags 3 | delivered to y
    "#]]
    .assert_eq(&net.records());
    assert!(net.harvest().is_empty());
}
