//! The evaluation facts of a VPC, one by one.

use expect_test::expect;

use super::Net;

#[test]
fn same_subnet_passes_whatever_the_network_acl_says() {
    let mut net = Net::new(
        "subnet a 10.0.1.0/24\n\
         nacl closed on a\n\
         sg open in all from 0.0.0.0/0\n\
         eni x 10.0.1.10 in a sg:open\n\
         eni y 10.0.1.11 in a sg:open",
    );
    expect![[r#"
        x sends tcp 10.0.1.10:40000 > 10.0.1.11:80 syn
          to y: 10.0.1.10:40000 > 10.0.1.11:80 proto 6 len 40
    "#]]
    .assert_eq(&net.run("x sends tcp 10.0.1.10:40000 > 10.0.1.11:80 syn"));
}

#[test]
fn same_subnet_needs_a_rule_even_between_members_of_a_group() {
    let mut net = Net::new(
        "subnet a 10.0.1.0/24\n\
         sg lonely\n\
         eni x 10.0.1.10 in a sg:lonely\n\
         eni y 10.0.1.11 in a sg:lonely\n\
         eni u 10.0.1.12 in a\n\
         eni v 10.0.1.13 in a",
    );
    expect![[r#"
        x sends tcp 10.0.1.10:40000 > 10.0.1.11:80 syn
          dropped: security_group
        u sends tcp 10.0.1.12:40000 > 10.0.1.13:80 syn
          to v: 10.0.1.12:40000 > 10.0.1.13:80 proto 6 len 40
    "#]]
    .assert_eq(&net.run(
        "x sends tcp 10.0.1.10:40000 > 10.0.1.11:80 syn\n\
         u sends tcp 10.0.1.12:40000 > 10.0.1.13:80 syn",
    ));
}

const TWO_SUBNETS: &str = "subnet web 10.0.1.0/24\n\
     subnet db 10.0.2.0/24\n\
     sg web out tcp 5432 to sg:db\n\
     sg db in tcp 5432 from sg:web\n\
     sg db out none\n\
     eni w1 10.0.1.10 in web sg:web\n\
     eni d1 10.0.2.10 in db sg:db\n";

#[test]
fn replies_need_no_rule_of_a_group() {
    let mut net = Net::new(TWO_SUBNETS);
    expect![[r#"
        w1 sends tcp 10.0.1.10:40000 > 10.0.2.10:5432 syn
          to d1: 10.0.1.10:40000 > 10.0.2.10:5432 proto 6 len 40
        d1 sends tcp 10.0.2.10:5432 > 10.0.1.10:40000 syn ack
          to w1: 10.0.2.10:5432 > 10.0.1.10:40000 proto 6 len 40
        d1 sends tcp 10.0.2.10:5433 > 10.0.1.10:40000 syn
          dropped: security_group
        w1 sends tcp 10.0.1.10:40000 > 10.0.2.10:22 syn
          dropped: security_group
    "#]]
    .assert_eq(&net.run(
        "w1 sends tcp 10.0.1.10:40000 > 10.0.2.10:5432 syn\n\
         d1 sends tcp 10.0.2.10:5432 > 10.0.1.10:40000 syn ack\n\
         d1 sends tcp 10.0.2.10:5433 > 10.0.1.10:40000 syn\n\
         w1 sends tcp 10.0.1.10:40000 > 10.0.2.10:22 syn",
    ));
}

#[test]
fn replies_need_an_entry_of_the_network_acl() {
    let mut net = Net::new(&format!(
        "{TWO_SUBNETS}nacl strict on db\nnacl strict in 100 allow tcp 5432 from 10.0.1.0/24\n"
    ));
    expect![[r#"
        w1 sends tcp 10.0.1.10:40000 > 10.0.2.10:5432 syn
          to d1: 10.0.1.10:40000 > 10.0.2.10:5432 proto 6 len 40
        d1 sends tcp 10.0.2.10:5432 > 10.0.1.10:40000 syn ack
          dropped: network_acl
    "#]]
    .assert_eq(&net.run(
        "w1 sends tcp 10.0.1.10:40000 > 10.0.2.10:5432 syn\n\
         d1 sends tcp 10.0.2.10:5432 > 10.0.1.10:40000 syn ack",
    ));
}

#[test]
fn the_entry_with_the_lowest_number_decides() {
    let mut net = Net::new(
        "subnet a 10.0.1.0/24\n\
         subnet b 10.0.2.0/24\n\
         nacl n on b\n\
         nacl n in 100 allow all from 0.0.0.0/0\n\
         nacl n in 90 deny tcp 80 from 10.0.1.0/24\n\
         sg open in all from 0.0.0.0/0\n\
         eni x 10.0.1.10 in a sg:open\n\
         eni y 10.0.2.10 in b sg:open",
    );
    net.run(
        "x sends tcp 10.0.1.10:40000 > 10.0.2.10:80 syn\n\
         x sends tcp 10.0.1.10:40000 > 10.0.2.10:81 syn",
    );
    expect![[r#"
        x Egress Accept 10.0.1.10:40000 > 10.0.2.10:80 proto 6 packets 1 bytes 40 flags 2 path 1 | network ACL n ingress rule 90 deny
        x Egress Accept 10.0.1.10:40000 > 10.0.2.10:81 proto 6 packets 1 bytes 40 flags 2 path 1 | delivered to y
        y Ingress Accept 10.0.1.10:40000 > 10.0.2.10:81 proto 6 packets 1 bytes 40 flags 2 | delivered to y
        y Ingress Reject 10.0.1.10:40000 > 10.0.2.10:80 proto 6 packets 1 bytes 40 flags 2 | network ACL n ingress rule 90 deny
    "#]]
    .assert_eq(&net.records());
}

#[test]
fn routing_is_stateless() {
    let with_route = "vpc main 10.0.0.0/16\n\
         subnet a 10.0.1.0/24 local, 0.0.0.0/0 > igw\n\
         eni x 10.0.1.10 in a public 203.0.113.10\n\
         host 198.51.100.7\n";
    let mut net = Net::new(with_route);
    let packet = "x sends tcp 10.0.1.10:40000 > 198.51.100.7:80";
    let mut told = net.run(&format!("{packet} syn\n{packet} ack\n{packet} ack"));
    net.change(&with_route.replace(", 0.0.0.0/0 > igw", ""));
    told += &net.run(&format!("{packet} ack"));
    net.change(&format!("{with_route}igw detached"));
    told += &net.run(&format!("{packet} ack"));
    expect![[r#"
        x sends tcp 10.0.1.10:40000 > 198.51.100.7:80 syn
          to 198.51.100.7: 203.0.113.10:40000 > 198.51.100.7:80 proto 6 len 40
        x sends tcp 10.0.1.10:40000 > 198.51.100.7:80 ack
          to 198.51.100.7: 203.0.113.10:40000 > 198.51.100.7:80 proto 6 len 40
        x sends tcp 10.0.1.10:40000 > 198.51.100.7:80 ack
          to 198.51.100.7: 203.0.113.10:40000 > 198.51.100.7:80 proto 6 len 40
        x sends tcp 10.0.1.10:40000 > 198.51.100.7:80 ack
          dropped: no_route
        x sends tcp 10.0.1.10:40000 > 198.51.100.7:80 ack
          dropped: blackhole
    "#]]
    .assert_eq(&told);
}

#[test]
fn spoofed_packets_go_nowhere_and_are_not_logged() {
    let mut net = Net::new(
        "subnet a 10.0.1.0/24\n\
         subnet b 10.0.2.0/24 local, 192.168.0.0/16 > eni:fw\n\
         sg open in all from 0.0.0.0/0\n\
         eni x 10.0.1.10 in a sg:open\n\
         eni fw 10.0.1.20 in a sg:open nocheck\n\
         eni y 10.0.2.10 in b sg:open\n",
    );
    expect![[r#"
        x sends tcp 10.0.1.99:1 > 10.0.2.10:80 syn
          dropped: source_destination_check
        fw sends tcp 10.0.1.99:1 > 10.0.2.10:80 syn
          to y: 10.0.1.99:1 > 10.0.2.10:80 proto 6 len 40
        y sends tcp 10.0.2.10:1 > 192.168.0.1:80 syn
          to fw: 10.0.2.10:1 > 192.168.0.1:80 proto 6 len 40
    "#]]
    .assert_eq(&net.run(
        "x sends tcp 10.0.1.99:1 > 10.0.2.10:80 syn\n\
         fw sends tcp 10.0.1.99:1 > 10.0.2.10:80 syn\n\
         y sends tcp 10.0.2.10:1 > 192.168.0.1:80 syn",
    ));
    expect![[r#"
        fw Egress Accept 10.0.1.20:1 > 10.0.2.10:80 proto 6 packets 1 bytes 40 flags 2 pkt 10.0.1.99 > 10.0.2.10 path 1 | delivered to y
        fw Ingress Accept 10.0.2.10:1 > 10.0.1.20:80 proto 6 packets 1 bytes 40 flags 2 pkt 10.0.2.10 > 192.168.0.1 | delivered to fw
        y Egress Accept 10.0.2.10:1 > 192.168.0.1:80 proto 6 packets 1 bytes 40 flags 2 path 1 | delivered to fw
        y Ingress Accept 10.0.1.99:1 > 10.0.2.10:80 proto 6 packets 1 bytes 40 flags 2 | delivered to y
    "#]]
    .assert_eq(&net.records());
}

#[test]
fn vpcs_with_equal_blocks_do_not_notice_each_other() {
    let mut net = Net::new(
        "vpc one 10.0.0.0/16\n\
         subnet a 10.0.1.0/24\n\
         sg open in all from 0.0.0.0/0\n\
         eni x 10.0.1.10 in a sg:open\n\
         vpc two 10.0.0.0/16\n\
         subnet b 10.0.1.0/24\n\
         sg wide in all from 0.0.0.0/0\n\
         eni y 10.0.1.10 in b sg:wide\n\
         eni z 10.0.1.11 in b sg:wide\n",
    );
    expect![[r#"
        x sends tcp 10.0.1.10:1 > 10.0.1.11:80 syn
          dropped: no_such_address
        y sends tcp 10.0.1.10:1 > 10.0.1.11:80 syn
          to z: 10.0.1.10:1 > 10.0.1.11:80 proto 6 len 40
    "#]]
    .assert_eq(&net.run(
        "x sends tcp 10.0.1.10:1 > 10.0.1.11:80 syn\n\
         y sends tcp 10.0.1.10:1 > 10.0.1.11:80 syn",
    ));
}

#[test]
fn a_stopped_instance_gets_nothing() {
    let mut net = Net::new(
        "subnet a 10.0.1.0/24 local, 192.168.0.0/16 > eni:y\n\
         sg open in all from 0.0.0.0/0\n\
         eni x 10.0.1.10 in a sg:open\n\
         eni y 10.0.1.11 in a sg:open nocheck stopped",
    );
    expect![[r#"
        x sends udp 10.0.1.10:1 > 10.0.1.11:80
          dropped: no_such_device
        x sends udp 10.0.1.10:1 > 192.168.0.1:80
          dropped: blackhole
    "#]]
    .assert_eq(&net.run(
        "x sends udp 10.0.1.10:1 > 10.0.1.11:80\n\
         x sends udp 10.0.1.10:1 > 192.168.0.1:80",
    ));
    expect![[r#"
        x Egress Accept 10.0.1.10:1 > 10.0.1.11:80 proto 17 packets 1 bytes 28 flags 0 path 1 | no running instance behind y
        x Egress Accept 10.0.1.10:1 > 192.168.0.1:80 proto 17 packets 1 bytes 28 flags 0 | route 192.168.0.0/16 to y of route table a is a blackhole
    "#]]
    .assert_eq(&net.records());
}
