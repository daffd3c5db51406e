//! Middleboxes: behind the internet gateway by its route table, and inside by routes more specific
//! than local.

use expect_test::expect;

use super::Net;

const NET: &str = "vpc main 10.0.0.0/16 2001:db8:0:100::/56
     subnet web 10.0.1.0/24 2001:db8:0:101::/64 local, 0.0.0.0/0 > eni:fw, ::/0 > eni:fw
     subnet edge 10.0.2.0/24 2001:db8:0:102::/64 local, 0.0.0.0/0 > igw, ::/0 > igw
     subnet db 10.0.3.0/24 local, 10.0.1.0/24 > eni:fw
     igw routes 10.0.1.0/24 > eni:fw, 2001:db8:0:101::/64 > eni:fw
     sg open in all from 0.0.0.0/0
     sg open in all from ::/0
     sg open out all to 0.0.0.0/0
     sg open out all to ::/0
     eni w 10.0.1.10 2001:db8:0:101::10 in web sg:open public 203.0.113.10
     eni e 10.0.2.10 in edge sg:open public 203.0.113.20
     eni fw 10.0.2.20 2001:db8:0:102::20 in edge sg:open nocheck
     eni d 10.0.3.10 in db sg:open
     host 198.51.100.7
     host 2001:db8:ffff::7
";

#[test]
fn the_table_of_a_gateway_sends_what_comes_in_through_a_middlebox() {
    let mut net = Net::new(NET);
    expect![[r#"
        198.51.100.7 sends tcp 198.51.100.7:5 > 203.0.113.10:80 syn
          to fw: 198.51.100.7:5 > 10.0.1.10:80 proto 6 len 40
        fw sends tcp 198.51.100.7:5 > 10.0.1.10:80 syn
          to w: 198.51.100.7:5 > 10.0.1.10:80 proto 6 len 40
        w sends tcp 10.0.1.10:80 > 198.51.100.7:5 syn ack
          to fw: 10.0.1.10:80 > 198.51.100.7:5 proto 6 len 40
        fw sends tcp 10.0.1.10:80 > 198.51.100.7:5 syn ack
          to 198.51.100.7: 203.0.113.10:80 > 198.51.100.7:5 proto 6 len 40
        198.51.100.7 sends tcp 198.51.100.7:5 > 203.0.113.20:80 syn
          to e: 198.51.100.7:5 > 10.0.2.10:80 proto 6 len 40
        2001:db8:ffff::7 sends udp [2001:db8:ffff::7]:5 > [2001:db8:0:101::10]:80
          to fw: 2001:db8:ffff::7:5 > 2001:db8:0:101::10:80 proto 17 len 48
        2001:db8:ffff::7 sends udp [2001:db8:ffff::7]:5 > [2001:db8:0:102::20]:80
          to fw: 2001:db8:ffff::7:5 > 2001:db8:0:102::20:80 proto 17 len 48
    "#]]
    .assert_eq(&net.run(
        "198.51.100.7 sends tcp 198.51.100.7:5 > 203.0.113.10:80 syn
         fw sends tcp 198.51.100.7:5 > 10.0.1.10:80 syn
         w sends tcp 10.0.1.10:80 > 198.51.100.7:5 syn ack
         fw sends tcp 10.0.1.10:80 > 198.51.100.7:5 syn ack
         198.51.100.7 sends tcp 198.51.100.7:5 > 203.0.113.20:80 syn
         2001:db8:ffff::7 sends udp [2001:db8:ffff::7]:5 > [2001:db8:0:101::10]:80
         2001:db8:ffff::7 sends udp [2001:db8:ffff::7]:5 > [2001:db8:0:102::20]:80",
    ));
    expect![[r#"
        e Ingress Accept 198.51.100.7:5 > 10.0.2.10:80 proto 6 packets 1 bytes 40 flags 2 | delivered to e
        fw Egress Accept 10.0.2.20:5 > 10.0.1.10:80 proto 6 packets 1 bytes 40 flags 2 pkt 198.51.100.7 > 10.0.1.10 path 1 | delivered to w
        fw Egress Accept 10.0.2.20:80 > 198.51.100.7:5 proto 6 packets 1 bytes 40 flags 18 pkt 10.0.1.10 > 198.51.100.7 path 8 | left through igw for 198.51.100.7
        fw Ingress Accept 10.0.1.10:80 > 10.0.2.20:5 proto 6 packets 1 bytes 40 flags 18 pkt 10.0.1.10 > 198.51.100.7 | delivered to fw
        fw Ingress Accept 198.51.100.7:5 > 10.0.2.20:80 proto 6 packets 1 bytes 40 flags 2 pkt 198.51.100.7 > 10.0.1.10 | delivered to fw
        fw Ingress Accept 2001:db8:ffff::7:5 > 2001:db8:0:101::10:80 proto 17 packets 1 bytes 48 flags 0 | delivered to fw
        fw Ingress Accept 2001:db8:ffff::7:5 > 2001:db8:0:102::20:80 proto 17 packets 1 bytes 48 flags 0 | delivered to fw
        w Egress Accept 10.0.1.10:80 > 198.51.100.7:5 proto 6 packets 1 bytes 40 flags 18 path 1 | delivered to fw
        w Ingress Accept 198.51.100.7:5 > 10.0.1.10:80 proto 6 packets 1 bytes 40 flags 2 | delivered to w
    "#]].assert_eq(&net.records());
}

#[test]
fn a_middlebox_that_is_gone_takes_what_comes_in_with_it() {
    let mut net =
        Net::new(&NET.replace("in edge sg:open nocheck", "in edge sg:open nocheck stopped"));
    expect![[r#"
        198.51.100.7 sends tcp 198.51.100.7:5 > 203.0.113.10:80 syn
          dropped: blackhole
        198.51.100.7 sends tcp 198.51.100.7:5 > 203.0.113.20:80 syn
          to e: 198.51.100.7:5 > 10.0.2.10:80 proto 6 len 40
        d sends tcp 10.0.3.10:5 > 10.0.1.10:80 syn
          dropped: blackhole
    "#]]
    .assert_eq(&net.run(
        "198.51.100.7 sends tcp 198.51.100.7:5 > 203.0.113.10:80 syn
         198.51.100.7 sends tcp 198.51.100.7:5 > 203.0.113.20:80 syn
         d sends tcp 10.0.3.10:5 > 10.0.1.10:80 syn",
    ));
    // With its check on, it takes only what is for itself.
    let mut net = Net::new(&NET.replace("in edge sg:open nocheck", "in edge sg:open"));
    expect![[r#"
        198.51.100.7 sends tcp 198.51.100.7:5 > 203.0.113.10:80 syn
          dropped: source_destination_check
    "#]]
    .assert_eq(&net.run("198.51.100.7 sends tcp 198.51.100.7:5 > 203.0.113.10:80 syn"));
}

#[test]
fn a_local_route_of_the_gateway_can_lead_to_a_middlebox_too() {
    let to_all = NET.replace(
        "igw routes 10.0.1.0/24 > eni:fw",
        "igw routes 10.0.0.0/16 > eni:fw",
    );
    let mut net = Net::new(&to_all);
    expect![[r#"
        198.51.100.7 sends tcp 198.51.100.7:5 > 203.0.113.20:80 syn
          to fw: 198.51.100.7:5 > 10.0.2.10:80 proto 6 len 40
        fw sends tcp 198.51.100.7:5 > 10.0.2.10:80 syn
          to e: 198.51.100.7:5 > 10.0.2.10:80 proto 6 len 40
    "#]]
    .assert_eq(&net.run(
        "198.51.100.7 sends tcp 198.51.100.7:5 > 203.0.113.20:80 syn
         fw sends tcp 198.51.100.7:5 > 10.0.2.10:80 syn",
    ));
}

#[test]
fn a_route_more_specific_than_local_leads_through_a_middlebox() {
    let mut net = Net::new(NET);
    expect![[r#"
        d sends tcp 10.0.3.10:5 > 10.0.1.10:80 syn
          to fw: 10.0.3.10:5 > 10.0.1.10:80 proto 6 len 40
        fw sends tcp 10.0.3.10:5 > 10.0.1.10:80 syn
          to w: 10.0.3.10:5 > 10.0.1.10:80 proto 6 len 40
        w sends tcp 10.0.1.10:80 > 10.0.3.10:5 syn ack
          to d: 10.0.1.10:80 > 10.0.3.10:5 proto 6 len 40
        d sends tcp 10.0.3.10:5 > 10.0.2.10:80 syn
          to e: 10.0.3.10:5 > 10.0.2.10:80 proto 6 len 40
    "#]]
    .assert_eq(&net.run(
        "d sends tcp 10.0.3.10:5 > 10.0.1.10:80 syn
         fw sends tcp 10.0.3.10:5 > 10.0.1.10:80 syn
         w sends tcp 10.0.1.10:80 > 10.0.3.10:5 syn ack
         d sends tcp 10.0.3.10:5 > 10.0.2.10:80 syn",
    ));
}
