//! What the link-local services have in common, and the time.

use packet::Mac;
use packet::build::Frame;
use proptest::prelude::*;

use super::{Net, START};
use crate::{DropReason, Offload, Snapshot, Source, TraceOutcome, TraceRequest, Verdict, trace};

const NET: &str = "vpc main 10.0.0.0/16 2001:db8:0:100::/56\n\
     dhcp domain-name-servers 10.0.2.53\n\
     subnet a 10.0.0.0/24 2001:db8:0:101::/64\n\
     subnet b 10.0.2.0/24\n\
     sg open in all from 0.0.0.0/0\n\
     eni x 10.0.0.10 2001:db8:0:101::10 in a sg:open\n\
     eni own 10.0.2.53 in b sg:open\n";

fn mac() -> Mac {
    Mac(fixture::mac("x").0)
}

fn headers(to: &str) -> Frame {
    let router = Mac(Snapshot::router_mac(fixture::vpc("main")).0);
    let to: std::net::IpAddr = to.parse().unwrap();
    let from = if to.is_ipv4() {
        "10.0.0.10"
    } else {
        "2001:db8:0:101::10"
    };
    Frame::new(mac(), router, from.parse().unwrap(), to).unwrap()
}

fn forward(net: &mut Net, mut frame: Vec<u8>) -> Verdict {
    let port = net.port("x");
    net.dataplane
        .forward(port, &mut frame, Offload::default(), net.now)
}

/// A client's question of a version, sent at an odd time by its own clock.
fn question(first: u8) -> Vec<u8> {
    let mut question = vec![0; 48];
    (question[0], question[2]) = (first, 6);
    question[40..].copy_from_slice(b"whenever");
    question
}

#[test]
fn services_share_an_allowance() {
    let mut net = Net::new(NET);
    let time = headers("169.254.169.123").udp(1, 123, &question(0x23));
    let lookup = headers("10.0.0.2").udp(1, 53, &[0; 12]);
    let nothing = headers("169.254.169.254").udp(1, 80, &[]);
    for _ in 0..400 {
        for frame in [&time, &lookup, &nothing] {
            forward(&mut net, frame.clone());
        }
    }
    let dropped = |net: &Net, reason| net.dataplane.counters().dropped(reason);
    assert_eq!(dropped(&net, DropReason::ServiceRateExceeded), 1200 - 1024);
    assert_eq!(dropped(&net, DropReason::ServiceUnavailable), 341);
    // Half a second later there is room for half as much.
    net.now = net.now + std::time::Duration::from_millis(500);
    let answered = |net: &mut Net| {
        let answers = (0..1000).filter(|_| forward(net, time.clone()) == Verdict::Emit);
        answers.count()
    };
    assert_eq!(answered(&mut net), 512);
    // A clock that is set back leaves nobody waiting.
    net.now = START;
    assert_eq!(answered(&mut net), 0);
    net.wait(1);
    assert_eq!(answered(&mut net), 1000);
    assert!(net.harvest().is_empty());
}

#[test]
fn a_name_server_of_the_customers_is_nobody_special_and_logged() {
    let mut net = Net::new(NET);
    assert_eq!(
        net.send("x sends udp 10.0.0.10:4000 > 10.0.2.53:53 len 12"),
        "to own: 10.0.0.10:4000 > 10.0.2.53:53 proto 17 len 40"
    );
    let records = net.records();
    assert_eq!(records.lines().count(), 2, "{records}");
}

#[test]
fn the_time_is_that_of_the_argument() {
    let mut net = Net::new(NET);
    net.now = net.now + std::time::Duration::from_millis(250);
    for (to, first) in [("169.254.169.123", 0x23), ("fd00:ec2::123", 0x1b)] {
        let verdict = forward(&mut net, headers(to).udp(4000, 123, &question(first)));
        assert_eq!(verdict, Verdict::Emit);
        let frame = &net.dataplane.emitted()[0].1;
        assert!(packet::build::checksum_is_valid(frame));
        let packet = packet::Packet::parse(frame).unwrap();
        let ip = packet.ip().unwrap();
        assert_eq!(
            (ip.src.to_string(), ip.src_port, ip.dst_port),
            (to.to_owned(), 123, 4000)
        );
        let answer = &ip.transport(frame)[8..];
        assert_eq!(answer.len(), 48);
        // A server of the same version, stratum 3, polled as often.
        assert_eq!(answer[..3], [first & 0x38 | 4, 3, 6]);
        assert_eq!(answer[12..16], [169, 254, 169, 122]);
        assert_eq!(&answer[24..32], b"whenever");
        let secs = 1_700_000_000_u64 + 2_208_988_800;
        let now = (secs << 32 | 1 << 30).to_be_bytes();
        assert_eq!([&answer[32..40], &answer[40..]], [&now, &now]);
    }
}

#[test]
fn only_a_clients_question_is_answered() {
    let mut net = Net::new(NET);
    let ask =
        |net: &mut Net, bytes: &[u8]| forward(net, headers("169.254.169.123").udp(1, 123, bytes));
    let nothing = Verdict::Drop(DropReason::ServiceUnavailable);
    // An answer, a control message, a private one, no version, a later one.
    for first in [0x24, 0x26, 0x27, 0x03, 0x2b] {
        assert_eq!(ask(&mut net, &question(first)), nothing);
    }
    assert_eq!(ask(&mut net, &question(0x23)[..47]), nothing);
    assert_eq!(ask(&mut net, &[]), nothing);
}

#[test]
fn a_trace_knows_the_services() {
    let net = Net::new(NET);
    let outcome = |destination: &str, protocol, destination_port| {
        let request = TraceRequest {
            source: Source::Interface(fixture::eni("x")),
            protocol,
            destination: destination.parse().unwrap(),
            source_port: 4000,
            destination_port,
        };
        trace(net.dataplane.snapshot(), &request).unwrap().outcome
    };
    let (tcp, udp) = (packet::protocol::TCP, packet::protocol::UDP);
    for (address, protocol, port, expected) in [
        ("10.0.0.2", udp, 53, TraceOutcome::Answered),
        ("10.0.0.2", tcp, 53, TraceOutcome::Refused),
        ("169.254.169.123", udp, 123, TraceOutcome::Answered),
        ("fd00:ec2::123", udp, 123, TraceOutcome::Answered),
        ("169.254.169.123", udp, 124, TraceOutcome::Refused),
        ("10.0.0.1", udp, 67, TraceOutcome::Answered),
        ("10.0.0.1", udp, 547, TraceOutcome::Refused),
    ] {
        assert_eq!(
            outcome(address, protocol, port),
            expected,
            "{address} {port}"
        );
    }
}

#[test]
fn nobody_asks_in_the_name_of_another() {
    let mut net = Net::new(NET);
    let router = Mac(Snapshot::router_mac(fixture::vpc("main")).0);
    let spoofed = Frame::v4(mac(), router, [10, 0, 0, 99].into(), [10, 0, 0, 2].into());
    let verdict = forward(&mut net, spoofed.udp(1, 53, &[0; 12]));
    assert_eq!(verdict, Verdict::Drop(DropReason::ServiceUnavailable));
}

/// Payloads that are nearly right are more likely to be read to the end.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop::collection::vec(any::<u8>(), 0..600);
    let dhcp = bytes.clone().prop_map(|tail| {
        let mut message = vec![1, 1, 6, 0];
        message.resize(28, 0);
        message.extend(mac().0);
        message.resize(236, 0);
        message.extend([99, 130, 83, 99, 53, 1, 1]);
        message.extend(tail);
        message
    });
    let dhcpv6 = (0_u8..13, bytes.clone()).prop_map(|(kind, tail)| {
        let mut message = vec![kind, 1, 2, 3, 0, 1, 0, 2, 0, 3];
        message.extend(tail);
        message
    });
    let dns = (any::<[u8; 12]>(), bytes.clone()).prop_map(|(mut header, tail)| {
        header[2] &= 1;
        let additional = header[11] & 1;
        header[4..].copy_from_slice(&[0, 1, 0, 0, 0, 0, 0, additional]);
        [header.to_vec(), tail].concat()
    });
    let name = ("[ -~]{1,63}", any::<[u8; 4]>(), bytes.clone()).prop_map(|(label, rest, tail)| {
        let mut query = vec![1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, label.len() as u8];
        query.extend(label.bytes());
        query.extend(b"\x03ec2\x08internal\x00");
        query.extend(rest);
        query.extend(tail);
        query
    });
    prop_oneof![bytes, dhcp, dhcpv6, dns, name]
}

proptest! {
    #[test]
    fn requests_of_any_bytes_are_safe(
        bytes in payload(),
        to in prop::sample::select(vec![
            "255.255.255.255", "10.0.0.1", "10.0.0.2", "169.254.169.253", "169.254.169.123",
            "ff02::1:2", "fe80:ec2::1", "fd00:ec2::253", "fd00:ec2::123",
        ]),
        src in prop::sample::select(vec![68_u16, 546, 4000]),
        dst in prop::sample::select(vec![53_u16, 67, 123, 547]),
        response in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut net = Net::with_uplink(NET);
        forward(&mut net, headers(to).udp(src, dst, &bytes));
        let check = |net: &Net| {
            for (port, frame) in net.dataplane.emitted() {
                assert_eq!(*port, net.port("x"));
                assert!(packet::build::checksum_is_valid(frame));
            }
        };
        check(&net);
        for inquiry in net.dataplane.take_inquiries() {
            let mut genuine = inquiry.query.clone();
            genuine[2] |= 0x80;
            genuine.extend(&response);
            net.dataplane.answer_inquiry(inquiry.id, Some(&genuine));
            check(&net);
        }
        prop_assert!(net.harvest().is_empty());
    }
}
