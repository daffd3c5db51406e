//! Routes, gateways, peering, endpoints and load balancers.

use dataplane::Direction::{Egress, Ingress};
use dataplane::{Action, Disposition};
use expect_test::expect;

use super::{Net, ending};

fn told(net: &str, packet: &str) -> String {
    Net::new(net, packet).why("x", Egress)
}

#[test]
fn no_route() {
    expect![[r#"
        ACCEPT here, then dropped: route table main has no route to it (udp 53 from 10.0.1.10 to 192.0.2.1).
          by: a egress route table main | no route
          way: x egress rule sgr-c2e3a9655eca7b80f of security group default (default) | all to 0.0.0.0/0
          way: a egress egress entry 100 of network ACL default | rule 100 allow all 0.0.0.0/0
          advice: add a route for 192.0.2.1 to main
    "#]].assert_eq(&told(
        "subnet a 10.0.1.0/24\neni x 10.0.1.10 in a\n",
        "x sends udp 10.0.1.10:40000 > 192.0.2.1:53",
    ));
}

#[test]
fn a_blackhole() {
    expect![[r#"
        ACCEPT here, then dropped: route 0.0.0.0/0 to fw of route table a is a blackhole (udp 53 from 10.0.1.10 to 192.0.2.1).
          by: a egress route 0.0.0.0/0 of route table a | 0.0.0.0/0 to fw (blackhole)
          way: x egress rule sgr-c2e3a9655eca7b80f of security group default (default) | all to 0.0.0.0/0
          way: a egress egress entry 100 of network ACL default | rule 100 allow all 0.0.0.0/0
          advice: give 0.0.0.0/0 of a another target: fw cannot take packets
    "#]].assert_eq(&told(
        "subnet a 10.0.1.0/24 local, 0.0.0.0/0 > eni:fw\nsubnet f 10.0.3.0/24\n\
         eni fw 10.0.3.10 in f nocheck unattached\neni x 10.0.1.10 in a\n",
        "x sends udp 10.0.1.10:40000 > 192.0.2.1:53",
    ));
}

#[test]
fn an_internet_gateway_without_a_public_address() {
    expect![[r#"
        ACCEPT here, then dropped: internet gateway igw has no public address for 10.0.1.10 (udp 53 from 10.0.1.10 to 198.51.100.7).
          by: igw egress internet gateway | no public address for 10.0.1.10
          way: x egress rule sgr-c2e3a9655eca7b80f of security group default (default) | all to 0.0.0.0/0
          way: a egress egress entry 100 of network ACL default | rule 100 allow all 0.0.0.0/0
          way: a egress route 0.0.0.0/0 of route table a | 0.0.0.0/0 to igw
          advice: associate an Elastic IP address with 10.0.1.10, or send its traffic through a NAT gateway
    "#]].assert_eq(&told(
        "subnet a 10.0.1.0/24 local, 0.0.0.0/0 > igw\nhost 198.51.100.7\neni x 10.0.1.10 in a\n",
        "x sends udp 10.0.1.10:40000 > 198.51.100.7:53",
    ));
}

#[test]
fn out_through_an_internet_gateway() {
    expect![[r#"
        ACCEPT, left through igw for 198.51.100.7: rule sgr-c2e3a9655eca7b80f of security group default (default) allows it (all to 0.0.0.0/0).
          by: x egress rule sgr-c2e3a9655eca7b80f of security group default (default) | all to 0.0.0.0/0
          way: a egress egress entry 100 of network ACL default | rule 100 allow all 0.0.0.0/0
          way: a egress route 0.0.0.0/0 of route table a | 0.0.0.0/0 to igw
          way: igw egress internet gateway | source 10.0.1.10 is 203.0.113.10
    "#]].assert_eq(&told(
        "subnet a 10.0.1.0/24 local, 0.0.0.0/0 > igw\nhost 198.51.100.7\n\
         eni x 10.0.1.10 in a public 203.0.113.10\n",
        "x sends udp 10.0.1.10:40000 > 198.51.100.7:53",
    ));
}

#[test]
fn peering_is_not_transitive() {
    expect![[r#"
        ACCEPT here, then dropped: peering connection p carries only addresses of its two VPCs, not 10.9.1.1 (udp 53 from 10.0.1.10 to 10.9.1.1).
          by: p egress VPC peering connection | peering connection p carries only addresses of its two VPCs, not 10.9.1.1
          way: x egress rule sgr-c2e3a9655eca7b80f of security group default (default) | all to 0.0.0.0/0
          way: a egress egress entry 100 of network ACL default | rule 100 allow all 0.0.0.0/0
          way: a egress route 10.9.0.0/16 of route table a | 10.9.0.0/16 to p
          advice: peer the two VPCs themselves: peering is not transitive
    "#]].assert_eq(&told(
        "vpc main 10.0.0.0/16\nsubnet a 10.0.1.0/24 local, 10.9.0.0/16 > pcx:p\neni x 10.0.1.10 in a\n\
         vpc far 10.8.0.0/16\nsubnet f 10.8.1.0/24\npcx p main far\n",
        "x sends udp 10.0.1.10:40000 > 10.9.1.1:53",
    ));
}

const NAT: &str = "subnet p 10.0.9.0/24 local, 0.0.0.0/0 > igw\n\
     subnet a 10.0.1.0/24 local, 0.0.0.0/0 > nat:n\nhost 198.51.100.7\n\
     nat n 10.0.9.30 in p public 203.0.113.30\neni x 10.0.1.10 in a\n";

#[test]
fn through_a_nat_gateway() {
    let net = Net::new(NAT, "x sends udp 10.0.1.10:40000 > 198.51.100.7:53");
    expect![[r#"
        ACCEPT, left through igw for 198.51.100.7: rule sgr-c2e3a9655eca7b80f of security group default (default) allows it (all to 0.0.0.0/0).
          by: x egress rule sgr-c2e3a9655eca7b80f of security group default (default) | all to 0.0.0.0/0
          way: a egress egress entry 100 of network ACL default | rule 100 allow all 0.0.0.0/0
          way: a egress route 0.0.0.0/0 of route table a | 0.0.0.0/0 to n
          way: p ingress ingress entry 100 of network ACL default | rule 100 allow all 0.0.0.0/0
          way: n egress NAT gateway | source 10.0.1.10:40000 is 10.0.9.30:41327
          way: p egress egress entry 100 of network ACL default | rule 100 allow all 0.0.0.0/0
          way: p egress route 0.0.0.0/0 of route table p | 0.0.0.0/0 to igw
          way: igw egress internet gateway | source 10.0.9.30 is 203.0.113.30
    "#]].assert_eq(&net.why("x", Egress));
    expect![[r#"
        ACCEPT, left through igw for 198.51.100.7: left through igw for 198.51.100.7.
          by: igw ingress internet gateway igw | left through igw for 198.51.100.7
          way: p ingress ingress entry 100 of network ACL default | rule 100 allow all 0.0.0.0/0
    "#]]
    .assert_eq(&net.why("eni-of-n", Ingress));
    expect![[r#"
        ACCEPT, left through igw for 198.51.100.7: source 10.0.9.30 is 203.0.113.30.
          by: igw egress internet gateway | source 10.0.9.30 is 203.0.113.30
          way: p egress egress entry 100 of network ACL default | rule 100 allow all 0.0.0.0/0
          way: p egress route 0.0.0.0/0 of route table p | 0.0.0.0/0 to igw
    "#]]
    .assert_eq(&net.why("eni-of-n", Egress));
}

#[test]
fn a_nat_gateway_without_ports() {
    let net = Net::new(NAT, "x sends udp 10.0.1.10:40000 > 198.51.100.7:53");
    let exhausted = Disposition::NatPortAllocation {
        gateway: fixture::id("n"),
        address: "198.51.100.7".parse().unwrap(),
    };
    let record = ending(net.record("x", Egress), Action::Accept, exhausted);
    expect![[r#"
        ACCEPT here, then dropped: NAT gateway n has no port left for 198.51.100.7 (udp 53 from 10.0.1.10 to 198.51.100.7).
          by: n egress NAT gateway n | NAT gateway n has no port left for 198.51.100.7
          way: x egress rule sgr-c2e3a9655eca7b80f of security group default (default) | all to 0.0.0.0/0
          way: a egress egress entry 100 of network ACL default | rule 100 allow all 0.0.0.0/0
          way: a egress route 0.0.0.0/0 of route table a | 0.0.0.0/0 to n
          way: p ingress ingress entry 100 of network ACL default | rule 100 allow all 0.0.0.0/0
          advice: aws ec2 associate-nat-gateway-address --nat-gateway-id n with more addresses, or close idle connections
    "#]].assert_eq(&net.told(&record, &net.fixture.world, &[]));
}

#[test]
fn a_gateway_endpoint_that_does_not_carry_it() {
    expect![[r#"
        ACCEPT here, then dropped: endpoint endpoint:s3 does not carry it: it carries TCP and ICMP echo, not protocol 17 (udp 443 from 10.0.1.10 to 52.216.0.1).
          by: endpoint:s3 egress VPC endpoint | it carries TCP and ICMP echo, not protocol 17
          way: x egress rule sgr-c2e3a9655eca7b80f of security group default (default) | all to 0.0.0.0/0
          way: a egress egress entry 100 of network ACL default | rule 100 allow all 0.0.0.0/0
          way: a egress route pl:s3 of route table main | pl:s3 to endpoint:s3
    "#]].assert_eq(&told(
        "subnet a 10.0.1.0/24\nendpoint s3 a\neni x 10.0.1.10 in a\n",
        "x sends udp 10.0.1.10:40000 > 52.216.0.1:443",
    ));
}

#[test]
fn a_load_balancer_without_targets() {
    expect![[r#"
        ACCEPT here, then dropped: the load balancer of n1 has no target for it (tcp 80 from 10.0.1.10 to 10.0.1.20).
          by: n1 ingress load balancer | the load balancer of n1 has no target for it
          way: x egress rule sgr-c2e3a9655eca7b80f of security group default (default) | all to 0.0.0.0/0
          advice: aws elbv2 describe-target-health: register targets, or see why health checks fail
    "#]].assert_eq(&told(
        "subnet a 10.0.1.0/24\neni n1 10.0.1.20 in a\nnlb front n1\ntargets app tcp 8080\n\
         listener front tcp 80 > app\neni x 10.0.1.10 in a\n",
        "x sends tcp 10.0.1.10:40000 > 10.0.1.20:80 syn",
    ));
}
