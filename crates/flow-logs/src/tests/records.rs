//! The worked records of AWS, literally (Amazon VPC User Guide, "Flow log record examples").

use std::sync::Arc;

use dataplane::{Action, Direction, FlowKey, InterfaceMetadata};
use expect_test::{Expect, expect};

use super::support::{at, interface};
use crate::{Field, Flow, FlowRecord, LogFormat, Observed};

/// Fields that are not in the line get values of no meaning.
struct Sketch<'a> {
    interface: Arc<InterfaceMetadata>,
    direction: Direction,
    addresses: [&'a str; 4],
    ports: [u16; 2],
    protocol: u8,
    counts: [u64; 2],
    times: [u64; 2],
    action: Action,
    tcp_flags: u8,
    traffic_path: Option<u8>,
}

impl Sketch<'_> {
    fn record(&self) -> FlowRecord {
        let [srcaddr, dstaddr, pkt_srcaddr, pkt_dstaddr] =
            self.addresses.map(|a| a.parse().unwrap());
        FlowRecord {
            interface: Arc::clone(&self.interface),
            start: at(self.times[0]),
            end: at(self.times[1]),
            observed: Observed::Flow(Flow {
                key: FlowKey {
                    direction: self.direction,
                    srcaddr,
                    dstaddr,
                    pkt_srcaddr,
                    pkt_dstaddr,
                    srcport: self.ports[0],
                    dstport: self.ports[1],
                    protocol: self.protocol,
                    action: self.action,
                },
                packets: self.counts[0],
                bytes: self.counts[1],
                tcp_flags: self.tcp_flags,
                traffic_path: self.traffic_path,
                next_hop: None,
                why: String::new(),
            }),
        }
    }
}

fn check(format: &str, records: &[FlowRecord], expected: &Expect) {
    let format = LogFormat::from_header(format).unwrap();
    let mut text = String::new();
    for record in records {
        let line = record.render(&format);
        assert_eq!(format.split(&line).unwrap().to_string(), line);
        text += &line;
        text.push('\n');
    }
    expected.assert_eq(&text);
}

fn flow<'a>(source: &'a str, destination: &'a str, ports: [u16; 2], protocol: u8) -> Sketch<'a> {
    Sketch {
        interface: interface("eni-1235b8ca123456789"),
        direction: Direction::Ingress,
        addresses: [source, destination, source, destination],
        ports,
        protocol,
        counts: [0, 0],
        times: [0, 0],
        action: Action::Accept,
        tcp_flags: 0,
        traffic_path: None,
    }
}

fn status(id: &str, observed: Observed) -> FlowRecord {
    FlowRecord {
        interface: interface(id),
        start: at(1_431_280_876),
        end: at(1_431_280_934),
        observed,
    }
}

#[test]
fn accepted_and_rejected() {
    let sketch = |source, destination, ports, action| Sketch {
        counts: [20, 4249],
        times: [1_418_530_010, 1_418_530_070],
        action,
        ..flow(source, destination, ports, 6)
    };
    check(
        &LogFormat::default().header(),
        &[
            sketch("172.31.16.139", "172.31.16.21", [20641, 22], Action::Accept).record(),
            sketch("172.31.9.69", "172.31.9.12", [49761, 3389], Action::Reject).record(),
        ],
        &expect![[r#"
            2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK
            2 123456789010 eni-1235b8ca123456789 172.31.9.69 172.31.9.12 49761 3389 6 20 4249 1418530010 1418530070 REJECT OK
        "#]],
    );
}

#[test]
fn no_data_and_skipped() {
    check(
        &LogFormat::default().header(),
        &[
            status("eni-1235b8ca123456789", Observed::NoData),
            status("eni-11111111aaaaaaaaa", Observed::SkipData),
        ],
        &expect![[r#"
            2 123456789010 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 - NODATA
            2 123456789010 eni-11111111aaaaaaaaa - - - - - - - 1431280876 1431280934 - SKIPDATA
        "#]],
    );
}

#[test]
fn icmp_reply_swallowed_by_a_network_acl() {
    let request = Sketch {
        counts: [4, 336],
        times: [1_432_917_027, 1_432_917_142],
        ..flow("203.0.113.12", "172.31.16.139", [0, 0], 1)
    };
    let reply = Sketch {
        direction: Direction::Egress,
        counts: [4, 336],
        times: [1_432_917_094, 1_432_917_142],
        action: Action::Reject,
        ..flow("172.31.16.139", "203.0.113.12", [0, 0], 1)
    };
    check(
        &LogFormat::default().header(),
        &[request.record(), reply.record()],
        &expect![[r#"
            2 123456789010 eni-1235b8ca123456789 203.0.113.12 172.31.16.139 0 0 1 4 336 1432917027 1432917142 ACCEPT OK
            2 123456789010 eni-1235b8ca123456789 172.31.16.139 203.0.113.12 0 0 1 4 336 1432917094 1432917142 REJECT OK
        "#]],
    );
}

#[test]
fn ipv6() {
    let sketch = Sketch {
        counts: [54, 8855],
        times: [1_477_913_708, 1_477_913_820],
        ..flow(
            "2001:db8:1234:a100:8d6e:3477:df66:f105",
            "2001:db8:1234:a102:3304:8879:34cf:4071",
            [34892, 22],
            6,
        )
    };
    check(
        &LogFormat::default().header(),
        &[sketch.record()],
        &expect![[r#"
            2 123456789010 eni-1235b8ca123456789 2001:db8:1234:a100:8d6e:3477:df66:f105 2001:db8:1234:a102:3304:8879:34cf:4071 34892 22 6 54 8855 1477913708 1477913820 ACCEPT OK
        "#]],
    );
}

#[test]
fn tcp_flags() {
    let sketch = |source, destination, ports, counts, tcp_flags| {
        Sketch {
            counts,
            times: [1_566_848_875, 1_566_848_933],
            tcp_flags,
            ..flow(source, destination, ports, 6)
        }
        .record()
    };
    check(
        "version vpc-id subnet-id instance-id interface-id account-id type srcaddr dstaddr srcport \
         dstport pkt-srcaddr pkt-dstaddr protocol bytes packets start end action tcp-flags log-status",
        &[
            sketch("52.213.180.42", "10.0.0.62", [43416, 5001], [8, 568], 2),
            sketch("10.0.0.62", "52.213.180.42", [5001, 43416], [7, 376], 18),
        ],
        &expect![[r#"
            3 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-01234567890123456 eni-1235b8ca123456789 123456789010 IPv4 52.213.180.42 10.0.0.62 43416 5001 52.213.180.42 10.0.0.62 6 568 8 1566848875 1566848933 ACCEPT 2 OK
            3 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-01234567890123456 eni-1235b8ca123456789 123456789010 IPv4 10.0.0.62 52.213.180.42 5001 43416 10.0.0.62 52.213.180.42 6 376 7 1566848875 1566848933 ACCEPT 18 OK
        "#]],
    );
}

#[test]
fn addresses_of_a_forwarding_interface() {
    let mut nat = (*interface("eni-1235b8ca123456789")).clone();
    nat.instance_id = None;
    let nat = Arc::new(nat);
    let record = |addresses| {
        Sketch {
            interface: Arc::clone(&nat),
            addresses,
            ..flow("10.0.1.5", "10.0.0.220", [0, 0], 6)
        }
        .record()
    };
    check(
        "instance-id interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr",
        &[
            record(["10.0.1.5", "10.0.0.220", "10.0.1.5", "203.0.113.5"]),
            record(["10.0.0.220", "203.0.113.5", "10.0.0.220", "203.0.113.5"]),
            record(["203.0.113.5", "10.0.0.220", "203.0.113.5", "10.0.0.220"]),
            record(["10.0.0.220", "10.0.1.5", "203.0.113.5", "10.0.1.5"]),
        ],
        &expect![[r#"
            - eni-1235b8ca123456789 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5
            - eni-1235b8ca123456789 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5
            - eni-1235b8ca123456789 203.0.113.5 10.0.0.220 203.0.113.5 10.0.0.220
            - eni-1235b8ca123456789 10.0.0.220 10.0.1.5 203.0.113.5 10.0.1.5
        "#]],
    );
}

/// As AWS's example, but for the address: that of S3 is one of another Region.
#[test]
fn direction_and_path() {
    let record = |source, destination, ports, counts, direction, tcp_flags, traffic_path| {
        Sketch {
            direction,
            counts,
            times: [1_616_729_292, 1_616_729_349],
            tcp_flags,
            traffic_path,
            ..flow(source, destination, ports, 6)
        }
        .record()
    };
    let format = "version srcaddr dstaddr srcport dstport protocol start end type packets bytes \
        account-id vpc-id subnet-id instance-id interface-id region az-id sublocation-type \
        sublocation-id action tcp-flags pkt-srcaddr pkt-dstaddr pkt-src-aws-service \
        pkt-dst-aws-service traffic-path flow-direction log-status";
    check(
        format,
        &[
            record(
                "52.216.128.179",
                "10.0.0.71",
                [80, 34210],
                [14, 15044],
                Direction::Ingress,
                19,
                None,
            ),
            record(
                "10.0.0.71",
                "52.216.128.179",
                [34210, 80],
                [7, 471],
                Direction::Egress,
                3,
                Some(8),
            ),
            status("eni-1235b8ca123456789", Observed::NoData),
        ],
        &expect![[r#"
            5 52.216.128.179 10.0.0.71 80 34210 6 1616729292 1616729349 IPv4 14 15044 123456789010 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-01234567890123456 eni-1235b8ca123456789 us-east-1 use1-az3 - - ACCEPT 19 52.216.128.179 10.0.0.71 S3 - - ingress OK
            5 10.0.0.71 52.216.128.179 34210 80 6 1616729292 1616729349 IPv4 7 471 123456789010 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-01234567890123456 eni-1235b8ca123456789 us-east-1 use1-az3 - - ACCEPT 3 10.0.0.71 52.216.128.179 - S3 8 egress OK
            5 - - - - - 1431280876 1431280934 - - - 123456789010 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-01234567890123456 eni-1235b8ca123456789 us-east-1 use1-az3 - - - - - - - - - - NODATA
        "#]],
    );
}

#[test]
fn lines_are_read_back() {
    let format = LogFormat::default();
    let line = "2 123456789010 eni-1235b8ca123456789 172.31.9.69 172.31.9.12 49761 3389 6 20 4249 1418530010 1418530070 REJECT OK\n";
    let record = format.split(line).unwrap();
    assert_eq!(record.get(Field::Action), Some("REJECT"));
    assert_eq!(record.number(Field::Bytes), Some(4249));
    assert_eq!(record.get(Field::VpcId), None);
    assert!(format.split("2 123456789010").is_err());
    assert!(format.split("").is_err());
}
