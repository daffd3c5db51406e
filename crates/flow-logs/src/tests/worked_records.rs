//! AWS's worked records, each made by real packets and compared literally (Amazon VPC User Guide,
//! "Flow log record examples"). What Weir has not: transit gateways.
//!
//! Some of AWS's records last longer than 60 seconds, the longest window of a Nitro instance; these
//! are made with the intervals that flow logs ask for ([`Aggregation::AsRequested`], 600 seconds).
//! Every pair of records that no one network can have (one interface with two primary addresses)
//! is of two networks.

use std::sync::Arc;

use model::FlowLogResource;

use super::lab::{Flow, Lab, addresses, source_port};
use crate::{Aggregation, LogFormat, ServiceRanges};

const VPC: &str = "vpc-abcdefab012345678";

fn default_format() -> String {
    LogFormat::default().header()
}

/// Three packets or more of TCP over IPv4, with no flags that records show.
fn tcp(line: &str, packets: u64, bytes: u64) -> Flow {
    Flow {
        line: line.to_owned(),
        packets,
        bytes,
        headers: 40,
        first: "ack",
        last: "ack",
    }
}

#[test]
fn accepted_and_rejected() {
    let net = |own: &str, other: &str| {
        format!(
            "scope 123456789010 us-east-1
             vpc {VPC} 172.31.0.0/16
             subnet s 172.31.0.0/19
             sg ssh in tcp 22 from 0.0.0.0/0
             sg client
             eni eni-1235b8ca123456789 {own} in s sg:ssh
             eni x {other} in s sg:client"
        )
    };
    for (own, other, ports, documented) in [
        (
            "172.31.16.21",
            "172.31.16.139",
            (20641, 22),
            "2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK",
        ),
        (
            "172.31.9.12",
            "172.31.9.69",
            (49761, 3389),
            "2 123456789010 eni-1235b8ca123456789 172.31.9.69 172.31.9.12 49761 3389 6 20 4249 1418530010 1418530070 REJECT OK",
        ),
    ] {
        // From the 10th to the 70th second, both included, is more than a minute.
        let asked = Aggregation::AsRequested;
        let mut lab = Lab::with(&net(own, other), VPC, &default_format(), asked, |log| {
            log.resource =
                model::FlowLogResource::NetworkInterface(fixture::eni("eni-1235b8ca123456789"));
        });
        let line = format!("x sends tcp {other}:{} > {own}:{}", ports.0, ports.1);
        let flow = Flow {
            first: "syn",
            ..tcp(&line, 20, 4249)
        };
        lab.exchange(&[flow], 1_418_530_010, 1_418_530_070);
        lab.flush(1_418_530_071);
        lab.check(documented);
    }
}

/// A window of 58 seconds is what is left of one that a flush has cut.
#[test]
fn no_data_and_skipped() {
    let net = |eni: &str| {
        format!(
            "scope 123456789010 us-east-1
             vpc {VPC} 172.31.0.0/16
             subnet s 172.31.0.0/19
             sg open in all from 0.0.0.0/0
             eni {eni} 172.31.0.10 in s sg:open
             eni x 172.31.0.11 in s sg:open"
        )
    };
    let lab = |eni: &str| {
        let nitro = Aggregation::Nitro;
        Lab::with(&net(eni), VPC, &default_format(), nitro, |log| {
            log.resource = model::FlowLogResource::NetworkInterface(fixture::eni(eni));
        })
    };
    let ping = "x sends icmp 172.31.0.11 > 172.31.0.10";

    let mut idle = lab("eni-1235b8ca123456789");
    idle.send(ping, 1_431_280_874);
    idle.flush(1_431_280_876);
    idle.close_due(1_431_280_934);
    idle.check(
        "2 123456789010 eni-1235b8ca123456789 172.31.0.11 172.31.0.10 0 0 1 1 28 1431280874 1431280874 ACCEPT OK
         2 123456789010 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 - NODATA",
    );

    let mut full = lab("eni-11111111aaaaaaaaa").without_memory();
    full.send(ping, 1_431_280_874);
    full.take_in(1_431_280_874);
    full.flush(1_431_280_876);
    full.send(ping, 1_431_280_900);
    full.take_in(1_431_280_900);
    full.close_due(1_431_280_934);
    full.check(
        "2 123456789010 eni-11111111aaaaaaaaa - - - - - - - 1431280874 1431280876 - SKIPDATA
         2 123456789010 eni-11111111aaaaaaaaa - - - - - - - 1431280876 1431280934 - SKIPDATA",
    );
}

/// AWS's echoes take 115 seconds. Of the answers, which begin later, the network ACL lets none out.
#[test]
fn icmp_reply_swallowed_by_a_network_acl() {
    let net = format!(
        "scope 123456789010 us-east-1
         vpc {VPC} 172.31.0.0/16
         subnet s 172.31.0.0/19 local, 0.0.0.0/0 > igw
         nacl n on s
         nacl n in 100 allow all from 0.0.0.0/0
         nacl n out 100 deny icmp all to 0.0.0.0/0
         sg ping in icmp all from 0.0.0.0/0
         sg ping out none
         eni eni-1235b8ca123456789 172.31.16.139 in s sg:ping public 52.64.0.9
         host 203.0.113.12"
    );
    let mut lab = Lab::new(&net, VPC, &default_format(), Aggregation::AsRequested);
    for time in [1_432_917_027, 1_432_917_094, 1_432_917_120, 1_432_917_142] {
        let ping = "203.0.113.12 sends icmp 203.0.113.12 > 52.64.0.9 len 56";
        assert!(lab.send(ping, time).is_some());
    }
    for time in [1_432_917_094, 1_432_917_120, 1_432_917_121, 1_432_917_142] {
        let pong =
            "eni-1235b8ca123456789 sends icmp 172.31.16.139 > 203.0.113.12 echo-reply len 56";
        assert!(lab.send(pong, time).is_none());
    }
    lab.flush(1_432_917_143);
    lab.check(
        "2 123456789010 eni-1235b8ca123456789 203.0.113.12 172.31.16.139 0 0 1 4 336 1432917027 1432917142 ACCEPT OK
         2 123456789010 eni-1235b8ca123456789 172.31.16.139 203.0.113.12 0 0 1 4 336 1432917094 1432917142 REJECT OK",
    );
}

/// 112 seconds.
#[test]
fn ipv6() {
    let net = format!(
        "scope 123456789010 us-east-1
         vpc {VPC} 10.0.0.0/16 2001:db8:1234:a100::/56
         subnet a 10.0.0.0/24 2001:db8:1234:a100::/64
         subnet b 10.0.2.0/24 2001:db8:1234:a102::/64
         sg open in all from ::/0
         eni x 10.0.0.10 2001:db8:1234:a100:8d6e:3477:df66:f105 in a sg:open
         eni eni-1235b8ca123456789 10.0.2.10 2001:db8:1234:a102:3304:8879:34cf:4071 in b sg:open"
    );
    let asked = Aggregation::AsRequested;
    let mut lab = Lab::with(&net, VPC, &default_format(), asked, |log| {
        log.resource =
            model::FlowLogResource::NetworkInterface(fixture::eni("eni-1235b8ca123456789"));
    });
    let flow = Flow {
        headers: 60,
        first: "syn",
        ..tcp(
            "x sends tcp [2001:db8:1234:a100:8d6e:3477:df66:f105]:34892 > [2001:db8:1234:a102:3304:8879:34cf:4071]:22",
            54,
            8855,
        )
    };
    lab.exchange(&[flow], 1_477_913_708, 1_477_913_820);
    lab.flush(1_477_913_821);
    lab.check(
        "2 123456789010 eni-1235b8ca123456789 2001:db8:1234:a100:8d6e:3477:df66:f105 2001:db8:1234:a102:3304:8879:34cf:4071 34892 22 6 54 8855 1477913708 1477913820 ACCEPT OK",
    );
}

/// The second window lasts for 180 seconds; it begins where a flush has cut the first.
#[test]
fn tcp_flags() {
    let net = format!(
        "scope 123456789010 us-east-1
         vpc {VPC} 10.0.0.0/16
         subnet subnet-aaaaaaaa012345678 10.0.0.0/24 local, 0.0.0.0/0 > igw
         sg open in all from 0.0.0.0/0
         eni eni-1235b8ca123456789 10.0.0.62 in subnet-aaaaaaaa012345678 sg:open public 52.64.0.9 as:i-01234567890123456
         host 52.213.180.42"
    );
    let format = "version vpc-id subnet-id instance-id interface-id account-id type srcaddr dstaddr srcport \
         dstport pkt-srcaddr pkt-dstaddr protocol bytes packets start end action tcp-flags log-status";
    let flow = |line: &str, packets, bytes, first, last| Flow {
        first,
        last,
        ..tcp(line, packets, bytes)
    };
    let client = |port| format!("52.213.180.42 sends tcp 52.213.180.42:{port} > 52.64.0.9:5001");
    let server =
        |port| format!("eni-1235b8ca123456789 sends tcp 10.0.0.62:5001 > 52.213.180.42:{port}");

    let mut lab = Lab::new(&net, VPC, format, Aggregation::AsRequested);
    lab.exchange(
        &[
            flow(&client(43416), 8, 568, "syn", "ack"),
            flow(&server(43416), 7, 376, "syn ack", "ack"),
            flow(&client(43418), 70, 100_701, "syn", "ack"),
            flow(&server(43418), 12, 632, "syn ack", "ack"),
        ],
        1_566_848_875,
        1_566_848_933,
    );
    lab.flush(1_566_848_933);
    lab.exchange(
        &[
            flow(&client(43418), 15774, 23_294_588, "ack", "fin ack"),
            flow(&server(43418), 1219, 63388, "ack", "fin ack"),
        ],
        1_566_848_933,
        1_566_849_113,
    );
    lab.flush(1_566_849_114);
    lab.check(
        "3 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-01234567890123456 eni-1235b8ca123456789 123456789010 IPv4 52.213.180.42 10.0.0.62 43416 5001 52.213.180.42 10.0.0.62 6 568 8 1566848875 1566848933 ACCEPT 2 OK
         3 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-01234567890123456 eni-1235b8ca123456789 123456789010 IPv4 10.0.0.62 52.213.180.42 5001 43416 10.0.0.62 52.213.180.42 6 376 7 1566848875 1566848933 ACCEPT 18 OK
         3 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-01234567890123456 eni-1235b8ca123456789 123456789010 IPv4 52.213.180.42 10.0.0.62 43418 5001 52.213.180.42 10.0.0.62 6 100701 70 1566848875 1566848933 ACCEPT 2 OK
         3 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-01234567890123456 eni-1235b8ca123456789 123456789010 IPv4 10.0.0.62 52.213.180.42 5001 43418 10.0.0.62 52.213.180.42 6 632 12 1566848875 1566848933 ACCEPT 18 OK
         3 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-01234567890123456 eni-1235b8ca123456789 123456789010 IPv4 10.0.0.62 52.213.180.42 5001 43418 10.0.0.62 52.213.180.42 6 63388 1219 1566848933 1566849113 ACCEPT 1 OK
         3 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-01234567890123456 eni-1235b8ca123456789 123456789010 IPv4 52.213.180.42 10.0.0.62 43418 5001 52.213.180.42 10.0.0.62 6 23294588 15774 1566848933 1566849113 ACCEPT 1 OK",
    );

    // From second to second, both included, it is more than a minute again.
    let mut short = Lab::new(&net, VPC, format, Aggregation::AsRequested);
    short.exchange(
        &[
            flow(&client(43638), 17, 1260, "syn", "fin ack"),
            flow(&server(43638), 14, 967, "syn ack", "fin ack"),
        ],
        1_566_933_133,
        1_566_933_193,
    );
    short.flush(1_566_933_194);
    short.check(
        "3 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-01234567890123456 eni-1235b8ca123456789 123456789010 IPv4 52.213.180.42 10.0.0.62 43638 5001 52.213.180.42 10.0.0.62 6 1260 17 1566933133 1566933193 ACCEPT 3 OK
         3 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-01234567890123456 eni-1235b8ca123456789 123456789010 IPv4 10.0.0.62 52.213.180.42 5001 43638 10.0.0.62 52.213.180.42 6 967 14 1566933133 1566933193 ACCEPT 19 OK",
    );
}

#[test]
fn zonal_nat_gateway() {
    let net = format!(
        "scope 123456789010 us-east-1
         vpc {VPC} 10.0.0.0/16
         subnet public 10.0.0.0/24 local, 0.0.0.0/0 > igw
         nat n 10.0.0.220 in public public 52.64.0.9 by eni-1235b8ca123456789
         subnet private 10.0.1.0/24 local, 0.0.0.0/0 > nat:n
         sg client
         eni eni-1111aaaa2222bbbb3 10.0.1.5 in private sg:client as:i-01234567890123456
         host 203.0.113.5"
    );
    let format = "instance-id interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr";
    let mut lab = Lab::new(&net, VPC, format, Aggregation::Nitro);
    let asked = "eni-1111aaaa2222bbbb3 sends udp 10.0.1.5:4000 > 203.0.113.5:53 len 10";
    let out = lab.send(asked, 1000).unwrap();
    let (src, dst) = addresses(&out);
    assert_eq!(format!("{src} {dst}"), "52.64.0.9 203.0.113.5");
    let port = source_port(&out);
    let answer = format!("203.0.113.5 sends udp 203.0.113.5:53 > 52.64.0.9:{port} len 10");
    assert!(lab.send(&answer, 1000).is_some());
    lab.flush(1001);
    lab.check(
        "- eni-1235b8ca123456789 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5
         - eni-1235b8ca123456789 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5
         - eni-1235b8ca123456789 203.0.113.5 10.0.0.220 203.0.113.5 10.0.0.220
         - eni-1235b8ca123456789 10.0.0.220 10.0.1.5 203.0.113.5 10.0.1.5
         i-01234567890123456 eni-1111aaaa2222bbbb3 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5
         i-01234567890123456 eni-1111aaaa2222bbbb3 203.0.113.5 10.0.1.5 203.0.113.5 10.0.1.5",
    );
}

/// The client's lines are of its VPC's flow log, which does not cover the gateway.
#[test]
fn regional_nat_gateway() {
    let net = format!(
        "scope 123456789010 us-east-1
         vpc {VPC} 10.0.0.0/16
         rnat nat-01234567890abcdef a=107.22.182.139
         subnet subnet-aaaaaaaa012345678 10.0.1.0/24 local, 0.0.0.0/0 > nat:nat-01234567890abcdef
         sg client
         eni eni-1111aaaa2222bbbb3 10.0.1.5 in subnet-aaaaaaaa012345678 sg:client as:i-01234567890123456
         host 203.0.113.5"
    );
    let format =
        "resource-id instance-id interface-id subnet-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr";
    let gateway = "nat-01234567890abcdef".parse().unwrap();
    let exchange = |lab: &mut Lab| {
        let asked = "eni-1111aaaa2222bbbb3 sends udp 10.0.1.5:4000 > 203.0.113.5:53 len 10";
        let out = lab.send(asked, 1000).unwrap();
        let (src, dst) = addresses(&out);
        assert_eq!(format!("{src} {dst}"), "107.22.182.139 203.0.113.5");
        let port = source_port(&out);
        let answer = format!("203.0.113.5 sends udp 203.0.113.5:53 > 107.22.182.139:{port} len 10");
        assert!(lab.send(&answer, 1000).is_some());
        lab.flush(1001);
    };
    let own = FlowLogResource::RegionalNatGateway(gateway);
    let mut lab = Lab::with(&net, VPC, format, Aggregation::Nitro, |f| f.resource = own);
    exchange(&mut lab);
    lab.check(
        "nat-01234567890abcdef - - - 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5
         nat-01234567890abcdef - - - 107.22.182.139 203.0.113.5 107.22.182.139 203.0.113.5
         nat-01234567890abcdef - - - 203.0.113.5 107.22.182.139 203.0.113.5 107.22.182.139
         nat-01234567890abcdef - - - 203.0.113.5 10.0.1.5 203.0.113.5 10.0.1.5",
    );
    // NODATA, once it has had a record, says whose it is.
    lab.close_due(1120);
    assert!(
        lab.lines()
            .contains(&"nat-01234567890abcdef - - - - - - -".to_owned()),
        "{:?}",
        lab.lines()
    );
    let mut lab = Lab::new(&net, VPC, format, Aggregation::Nitro);
    exchange(&mut lab);
    lab.check(
        "- i-01234567890123456 eni-1111aaaa2222bbbb3 subnet-aaaaaaaa012345678 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5
         - i-01234567890123456 eni-1111aaaa2222bbbb3 subnet-aaaaaaaa012345678 203.0.113.5 10.0.1.5 203.0.113.5 10.0.1.5",
    );
}

/// The service's address is in one of AWS's published ranges, and not in Weir's own.
#[test]
fn service_direction_and_path() {
    let net = format!(
        "scope 123456789012 ap-southeast-2
         vpc {VPC} 10.0.0.0/16
         subnet subnet-aaaaaaaa012345678 10.0.0.0/24 local, 0.0.0.0/0 > igw
         zone subnet-aaaaaaaa012345678 c
         sg client
         eni eni-1235b8ca123456789 10.0.0.71 in subnet-aaaaaaaa012345678 sg:client public 52.64.0.9 as:i-0c50d5961bcb2d47b
         host 52.95.128.179"
    );
    let format = "version srcaddr dstaddr srcport dstport protocol start end type packets bytes account-id vpc-id \
         subnet-id instance-id interface-id region az-id sublocation-type sublocation-id action tcp-flags \
         pkt-srcaddr pkt-dstaddr pkt-src-aws-service pkt-dst-aws-service traffic-path flow-direction log-status";
    let published = r#"{"prefixes": [
        {"ip_prefix": "52.95.128.0/21", "region": "ap-southeast-2", "service": "AMAZON"},
        {"ip_prefix": "52.95.128.0/21", "region": "ap-southeast-2", "service": "S3"},
        {"ip_prefix": "52.95.128.0/21", "region": "ap-southeast-2", "service": "EC2"}]}"#;
    let mut lab = Lab::new(&net, VPC, format, Aggregation::Nitro);
    lab.services(&Arc::new(ServiceRanges::parse(published).unwrap()));
    lab.exchange(
        &[
            Flow {
                first: "syn",
                last: "fin ack",
                ..tcp(
                    "eni-1235b8ca123456789 sends tcp 10.0.0.71:34210 > 52.95.128.179:80",
                    7,
                    471,
                )
            },
            Flow {
                first: "syn ack",
                last: "fin ack",
                ..tcp(
                    "52.95.128.179 sends tcp 52.95.128.179:80 > 52.64.0.9:34210",
                    14,
                    15044,
                )
            },
        ],
        1_616_729_292,
        1_616_729_349,
    );
    lab.close_due(1_616_729_352);
    lab.check(
        "5 52.95.128.179 10.0.0.71 80 34210 6 1616729292 1616729349 IPv4 14 15044 123456789012 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-0c50d5961bcb2d47b eni-1235b8ca123456789 ap-southeast-2 apse2-az3 - - ACCEPT 19 52.95.128.179 10.0.0.71 S3 - - ingress OK
         5 10.0.0.71 52.95.128.179 34210 80 6 1616729292 1616729349 IPv4 7 471 123456789012 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-0c50d5961bcb2d47b eni-1235b8ca123456789 ap-southeast-2 apse2-az3 - - ACCEPT 3 10.0.0.71 52.95.128.179 - S3 8 egress OK",
    );
}
