//! Security groups and network ACLs.

use dataplane::Direction::{Egress, Ingress};
use expect_test::expect;

use super::Net;

const SUBNETS: &str = "subnet a 10.0.1.0/24\nsubnet b 10.0.2.0/24\n";
const ENIS: &str = "eni x 10.0.1.10 in a sg:sa\neni y 10.0.2.10 in b sg:sb\n";
const SYN: &str = "x sends tcp 10.0.1.10:40000 > 10.0.2.10:8080 syn";
const SYN_ACK: &str = "y sends tcp 10.0.2.10:8080 > 10.0.1.10:40000 syn ack";

fn net(rules: &str, packets: &str) -> Net {
    Net::new(&format!("{SUBNETS}{rules}{ENIS}"), packets)
}

#[test]
fn refused_by_the_receivers_group() {
    let net = net("sg sa\nsg sb in tcp 443 from 0.0.0.0/0\n", SYN);
    expect![[r#"
        REJECT: no inbound rule of sb (sb) lets in tcp 8080 from 10.0.1.10 to 10.0.2.10.
          by: y ingress security group | no inbound rule of sb allows it
          way: b ingress ingress entry 100 of network ACL default | rule 100 allow all 0.0.0.0/0
          advice: aws ec2 authorize-security-group-ingress --group-id sb --ip-permissions 'IpProtocol=tcp,FromPort=8080,ToPort=8080,IpRanges=[{CidrIp=10.0.1.10/32}]'
    "#]].assert_eq(&net.why("y", Ingress));
    expect![[r#"
        ACCEPT here, then dropped: no inbound rule of sb (sb) lets in tcp 8080 from 10.0.1.10 to 10.0.2.10.
          by: y ingress security group | no inbound rule of sb allows it
          way: x egress rule sgr-96d3606b95ec9765c of security group sa (sa) | all to 0.0.0.0/0
          way: a egress egress entry 100 of network ACL default | rule 100 allow all 0.0.0.0/0
          way: a egress route 10.0.0.0/16 of route table main | 10.0.0.0/16 to local
          way: b ingress ingress entry 100 of network ACL default | rule 100 allow all 0.0.0.0/0
          advice: aws ec2 authorize-security-group-ingress --group-id sb --ip-permissions 'IpProtocol=tcp,FromPort=8080,ToPort=8080,IpRanges=[{CidrIp=10.0.1.10/32}]'
    "#]].assert_eq(&net.why("x", Egress));
}

#[test]
fn refused_by_the_senders_group() {
    let net = net(
        "sg sa out tcp 443 from 0.0.0.0/0\nsg sb in all from 0.0.0.0/0\n",
        SYN,
    );
    expect![[r#"
        REJECT: no outbound rule of sa (sa) lets out tcp 8080 from 10.0.1.10 to 10.0.2.10.
          by: x egress security group | no outbound rule of sa allows it
          advice: aws ec2 authorize-security-group-egress --group-id sa --ip-permissions 'IpProtocol=tcp,FromPort=8080,ToPort=8080,IpRanges=[{CidrIp=10.0.2.10/32}]'
    "#]].assert_eq(&net.why("x", Egress));
}

#[test]
fn refused_by_a_network_acl_on_the_way_out() {
    let net = net(
        "sg sa\nsg sb in all from 0.0.0.0/0\nnacl n on a\nnacl n out 90 deny tcp all from 10.0.2.0/24\n\
         nacl n out 100 allow all from 0.0.0.0/0\n",
        SYN,
    );
    expect![[r#"
        REJECT: egress entry 90 of network ACL n denies tcp 8080 from 10.0.1.10 to 10.0.2.10 (rule 90 deny tcp all 10.0.2.0/24).
          by: a egress egress entry 90 of network ACL n | rule 90 deny tcp all 10.0.2.0/24
          way: x egress rule sgr-96d3606b95ec9765c of security group sa (sa) | all to 0.0.0.0/0
          advice: add an egress entry to n with a number below 90 that allows tcp 8080 to 10.0.2.10
    "#]].assert_eq(&net.why("x", Egress));
}

#[test]
fn refused_by_a_network_acl_on_the_way_in() {
    let net = net("sg sa\nsg sb in all from 0.0.0.0/0\nnacl n on b\n", SYN);
    expect![[r#"
        REJECT: ingress entry * of network ACL n denies tcp 8080 from 10.0.1.10 to 10.0.2.10 (rule * deny all 0.0.0.0/0).
          by: b ingress ingress entry * of network ACL n | rule * deny all 0.0.0.0/0
          advice: add an ingress entry to n that allows tcp 8080 from 10.0.1.10
    "#]].assert_eq(&net.why("y", Ingress));
    expect![[r#"
        ACCEPT here, then dropped: ingress entry * of network ACL n denies tcp 8080 from 10.0.1.10 to 10.0.2.10 (rule * deny all 0.0.0.0/0).
          by: b ingress ingress entry * of network ACL n | rule * deny all 0.0.0.0/0
          way: x egress rule sgr-96d3606b95ec9765c of security group sa (sa) | all to 0.0.0.0/0
          way: a egress egress entry 100 of network ACL default | rule 100 allow all 0.0.0.0/0
          way: a egress route 10.0.0.0/16 of route table main | 10.0.0.0/16 to local
          advice: add an ingress entry to n that allows tcp 8080 from 10.0.1.10
    "#]].assert_eq(&net.why("x", Egress));
}

#[test]
fn the_answer_is_refused_by_a_network_acl() {
    let rules = "sg sa\nsg sb in all from 0.0.0.0/0\nnacl n on b\nnacl n in 100 allow all from 0.0.0.0/0\n\
                 nacl n out 100 allow tcp 443 from 0.0.0.0/0\n";
    let tcp = net(rules, &format!("{SYN}\n{SYN_ACK}"));
    expect![[r#"
        REJECT: egress entry * of network ACL n denies tcp 40000 from 10.0.2.10 to 10.0.1.10 (rule * deny all 0.0.0.0/0). It is the answer to a connection that was let pass: network ACLs are stateless, so answers need an entry of their own.
          by: b egress egress entry * of network ACL n | rule * deny all 0.0.0.0/0
          way: y egress rule sgr-c1e6498cdc0619159 of security group sb (sb) | all to 0.0.0.0/0
          advice: add an egress entry to n that allows tcp 1024-65535 (the client's ports) to 10.0.1.10
    "#]].assert_eq(&tcp.why("y", Egress));
    let ping = net(
        rules,
        "x sends icmp 10.0.1.10 > 10.0.2.10 echo-request\ny sends icmp 10.0.2.10 > 10.0.1.10 echo-reply",
    );
    expect![[r#"
        REJECT: egress entry * of network ACL n denies icmp from 10.0.2.10 to 10.0.1.10 (rule * deny all 0.0.0.0/0). It is the answer to a connection that was let pass: network ACLs are stateless, so answers need an entry of their own.
          by: b egress egress entry * of network ACL n | rule * deny all 0.0.0.0/0
          way: y egress security group | tracked connection
          advice: add an egress entry to n that allows icmp to 10.0.1.10
    "#]].assert_eq(&ping.why("y", Egress));
}

#[test]
fn accepted_by_a_rule_and_the_answer_by_its_connection() {
    let net = net(
        "sg sa\nsg sb in tcp 8080 from sg:sa\nsg sb out none\n",
        &format!("{SYN}\n{SYN_ACK}"),
    );
    expect![[r#"
        ACCEPT, delivered to y: rule sgr-428152562582129c6 of security group sb (sb) allows it (tcp 8080 from sa).
          by: y ingress rule sgr-428152562582129c6 of security group sb (sb) | tcp 8080 from sa
          way: b ingress ingress entry 100 of network ACL default | rule 100 allow all 0.0.0.0/0
    "#]].assert_eq(&net.why("y", Ingress));
    expect![[r#"
        ACCEPT, delivered to x: as the answer of a tracked connection that rule sgr-428152562582129c6 of security group sb (sb) let begin (tcp 8080 from sa).
          by: y ingress rule sgr-428152562582129c6 of security group sb (sb) | tcp 8080 from sa
          way: y egress security group | tracked connection
          way: b egress egress entry 100 of network ACL default | rule 100 allow all 0.0.0.0/0
          way: b egress route 10.0.0.0/16 of route table main | 10.0.0.0/16 to local
          way: a ingress ingress entry 100 of network ACL default | rule 100 allow all 0.0.0.0/0
          way: x ingress security group | tracked connection
    "#]].assert_eq(&net.why("y", Egress));
    expect![[r#"
        ACCEPT, delivered to x: as the answer of a tracked connection that rule sgr-96d3606b95ec9765c of security group sa (sa) let begin (all to 0.0.0.0/0).
          by: x egress rule sgr-96d3606b95ec9765c of security group sa (sa) | all to 0.0.0.0/0
          way: a ingress ingress entry 100 of network ACL default | rule 100 allow all 0.0.0.0/0
          way: x ingress security group | tracked connection
    "#]].assert_eq(&net.why("x", Ingress));
}

#[test]
fn untracked_flows_pass_by_rules_both_ways() {
    let net = net(
        "sg sa in all from 0.0.0.0/0\nsg sb in tcp 8080 from 0.0.0.0/0\n",
        &format!("{SYN}\n{SYN_ACK}"),
    );
    expect![[r#"
        ACCEPT, delivered to x: rule sgr-c1e6498cdc0619159 of security group sb (sb) allows it (all to 0.0.0.0/0).
          by: y egress rule sgr-c1e6498cdc0619159 of security group sb (sb) | all to 0.0.0.0/0
          way: b egress egress entry 100 of network ACL default | rule 100 allow all 0.0.0.0/0
          way: b egress route 10.0.0.0/16 of route table main | 10.0.0.0/16 to local
          way: a ingress ingress entry 100 of network ACL default | rule 100 allow all 0.0.0.0/0
          way: x ingress rule sgr-9abd1398ed5c1247b of security group sa (sa) | all from 0.0.0.0/0
    "#]].assert_eq(&net.why("y", Egress));
    expect![[r#"
        ACCEPT, delivered to x: rule sgr-9abd1398ed5c1247b of security group sa (sa) allows it (all from 0.0.0.0/0).
          by: x ingress rule sgr-9abd1398ed5c1247b of security group sa (sa) | all from 0.0.0.0/0
          way: a ingress ingress entry 100 of network ACL default | rule 100 allow all 0.0.0.0/0
    "#]].assert_eq(&net.why("x", Ingress));
}
