//! Prefix lists in routes and rules, and gateway endpoints.

use expect_test::expect;

use super::Net;

const NET: &str = "vpc main 10.0.0.0/16
     pl corp 198.51.100.0/24 203.0.113.0/25
     subnet a 10.0.1.0/24 local, 0.0.0.0/0 > igw, 52.217.0.0/24 > eni:fw
     subnet b 10.0.2.0/24 local
     endpoint s3 a
     sg web in tcp 80 from pl:corp
     sg web out tcp 443 to pl:s3
     sg web out icmp all to pl:s3
     sg web out udp 53 to 0.0.0.0/0
     sg web out tcp 80 to 0.0.0.0/0
     sg open in all from 0.0.0.0/0
     eni x 10.0.1.10 in a sg:web public 203.0.113.210
     eni fw 10.0.1.20 in a sg:open nocheck
     eni y 10.0.2.10 in b sg:web
     host 198.51.100.7
     host 203.0.113.200
     host 52.217.0.9
";

#[test]
fn only_tcp_and_echo_requests_from_inside_take_a_gateway_endpoint() {
    let mut net = Net::new(NET);
    expect![[r#"
        x sends tcp 10.0.1.10:5 > 52.216.0.1:443 syn
          dropped: no_service_behind_endpoint
        x sends icmp 10.0.1.10 > 52.216.0.1 echo-request id 7
          dropped: no_service_behind_endpoint
        x sends icmp 10.0.1.10 > 52.216.0.1 echo-reply id 7
          dropped: refused_by_endpoint
        x sends udp 10.0.1.10:5 > 52.216.0.1:53
          dropped: refused_by_endpoint
        fw sends tcp 192.0.2.1:5 > 52.216.0.1:443 syn
          dropped: refused_by_endpoint
        fw sends tcp 10.0.2.10:5 > 52.216.0.1:443 syn
          dropped: no_service_behind_endpoint
        x sends tcp 10.0.1.10:5 > 52.218.0.1:443 syn
          dropped: security_group
        x sends tcp 10.0.1.10:5 > 52.218.0.1:80 syn
          dropped: internet_unreachable
        y sends tcp 10.0.2.10:5 > 52.216.0.1:443 syn
          dropped: no_route
    "#]]
    .assert_eq(&net.run(
        "x sends tcp 10.0.1.10:5 > 52.216.0.1:443 syn
         x sends icmp 10.0.1.10 > 52.216.0.1 echo-request id 7
         x sends icmp 10.0.1.10 > 52.216.0.1 echo-reply id 7
         x sends udp 10.0.1.10:5 > 52.216.0.1:53
         fw sends tcp 192.0.2.1:5 > 52.216.0.1:443 syn
         fw sends tcp 10.0.2.10:5 > 52.216.0.1:443 syn
         x sends tcp 10.0.1.10:5 > 52.218.0.1:443 syn
         x sends tcp 10.0.1.10:5 > 52.218.0.1:80 syn
         y sends tcp 10.0.2.10:5 > 52.216.0.1:443 syn",
    ));
    expect![[r#"
        fw Egress Accept 10.0.1.20:5 > 52.216.0.1:443 proto 6 packets 1 bytes 40 flags 2 pkt 10.0.2.10 > 52.216.0.1 path 7 | no service behind endpoint endpoint:s3
        fw Egress Accept 10.0.1.20:5 > 52.216.0.1:443 proto 6 packets 1 bytes 40 flags 2 pkt 192.0.2.1 > 52.216.0.1 path 7 | endpoint endpoint:s3 does not carry it: source 192.0.2.1 is not in its VPC
        x Egress Accept 10.0.1.10:0 > 52.216.0.1:0 proto 1 packets 1 bytes 28 flags 0 path 7 | endpoint endpoint:s3 does not carry it: of ICMP it carries echo requests only
        x Egress Accept 10.0.1.10:0 > 52.216.0.1:0 proto 1 packets 1 bytes 28 flags 0 path 7 | no service behind endpoint endpoint:s3
        x Egress Accept 10.0.1.10:5 > 52.216.0.1:443 proto 6 packets 1 bytes 40 flags 2 path 7 | no service behind endpoint endpoint:s3
        x Egress Accept 10.0.1.10:5 > 52.216.0.1:53 proto 17 packets 1 bytes 28 flags 0 path 7 | endpoint endpoint:s3 does not carry it: it carries TCP and ICMP echo, not protocol 17
        x Egress Accept 10.0.1.10:5 > 52.218.0.1:80 proto 6 packets 1 bytes 40 flags 2 path 8 | nobody on the internet has address 52.218.0.1
        x Egress Reject 10.0.1.10:5 > 52.218.0.1:443 proto 6 packets 1 bytes 40 flags 2 | no outbound rule of web allows it
        y Egress Accept 10.0.2.10:5 > 52.216.0.1:443 proto 6 packets 1 bytes 40 flags 2 | route table b has no route to it
    "#]].assert_eq(&net.records());
}

#[test]
fn a_longer_route_goes_before_an_endpoint_and_a_block_before_a_list() {
    let mut net = Net::new(NET);
    expect![[r#"
        x sends tcp 10.0.1.10:5 > 52.217.0.9:443 syn
          to fw: 10.0.1.10:5 > 52.217.0.9:443 proto 6 len 40
        x sends tcp 10.0.1.10:5 > 52.217.1.9:443 syn
          dropped: no_service_behind_endpoint
    "#]]
    .assert_eq(&net.run(
        "x sends tcp 10.0.1.10:5 > 52.217.0.9:443 syn
         x sends tcp 10.0.1.10:5 > 52.217.1.9:443 syn",
    ));
    // The same block twice: once by itself, once in a list.
    let tie = "vpc main 10.0.0.0/16
        pl lan 172.16.0.0/16
        pl alias 172.16.0.0/16
        subnet a 10.0.1.0/24 local, pl:lan > eni:one, 172.16.0.0/16 > eni:two
        subnet b 10.0.2.0/24 local, pl:lan > eni:one, pl:alias > eni:two
        sg open in all from 0.0.0.0/0
        eni x 10.0.1.10 in a sg:open
        eni y 10.0.2.10 in b sg:open
        eni one 10.0.1.21 in a sg:open nocheck
        eni two 10.0.1.22 in a sg:open nocheck
        ";
    let mut net = Net::new(tie);
    let lists = [
        fixture::id::<model::PrefixListId>("lan"),
        fixture::id("alias"),
    ];
    let lowest = if lists[0] < lists[1] { "one" } else { "two" };
    let lines = "x sends udp 10.0.1.10:5 > 172.16.9.9:5
        y sends udp 10.0.2.10:5 > 172.16.9.9:5";
    let told = net.run(lines);
    let told: Vec<&str> = told.lines().filter(|l| l.starts_with("  ")).collect();
    assert!(told[0].starts_with("  to two:"), "{told:?}");
    assert!(told[1].starts_with(&format!("  to {lowest}:")), "{told:?}");
}

#[test]
fn rules_for_a_list_hold_for_each_of_its_blocks() {
    let mut net = Net::new(NET);
    expect![[r#"
        198.51.100.7 sends tcp 198.51.100.7:5 > 203.0.113.210:80 syn
          to x: 198.51.100.7:5 > 10.0.1.10:80 proto 6 len 40
        203.0.113.200 sends tcp 203.0.113.200:5 > 203.0.113.210:80 syn
          dropped: security_group
    "#]]
    .assert_eq(&net.run(
        "198.51.100.7 sends tcp 198.51.100.7:5 > 203.0.113.210:80 syn
         203.0.113.200 sends tcp 203.0.113.200:5 > 203.0.113.210:80 syn",
    ));
    // A changed list is in force for the next packet.
    let changed = NET.replace("198.51.100.0/24 203.0.113.0/25", "203.0.113.0/24");
    net.change(&changed);
    expect![[r#"
        198.51.100.7 sends tcp 198.51.100.7:6 > 203.0.113.210:80 syn
          dropped: security_group
        203.0.113.200 sends tcp 203.0.113.200:6 > 203.0.113.210:80 syn
          to x: 203.0.113.200:6 > 10.0.1.10:80 proto 6 len 40
    "#]]
    .assert_eq(&net.run(
        "198.51.100.7 sends tcp 198.51.100.7:6 > 203.0.113.210:80 syn
         203.0.113.200 sends tcp 203.0.113.200:6 > 203.0.113.210:80 syn",
    ));
}

#[test]
fn what_goes_to_dynamodb_is_always_tracked() {
    let open = "vpc main 10.0.0.0/16
        subnet a 10.0.1.0/24 local
        endpoint s3 a
        endpoint dynamodb a
        sg g in all from 0.0.0.0/0
        sg g out all to 0.0.0.0/0
        eni x 10.0.1.10 in a sg:g";
    let mut net = Net::new(open);
    let lines = "x sends tcp 10.0.1.10:5 > 52.216.0.1:443 syn
        x sends tcp 10.0.1.10:5 > 52.94.0.1:443 syn";
    net.run(lines);
    // Without the rule, only a flow that was tracked goes on.
    net.change(&open.replace("out all to 0.0.0.0/0", "out none"));
    expect![[r#"
        x sends tcp 10.0.1.10:5 > 52.216.0.1:443 syn
          dropped: security_group
        x sends tcp 10.0.1.10:5 > 52.94.0.1:443 syn
          dropped: no_service_behind_endpoint
    "#]]
    .assert_eq(&net.run(lines));
}
