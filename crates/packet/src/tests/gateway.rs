//! What gateways do to packets: one side replaced, segments limited, connections reset.

use std::net::Ipv4Addr;

use proptest::{collection::vec, prelude::*};

use super::{A_MAC, B_MAC};
use crate::build::{Frame, checksum_is_valid, finish_checksum, unfinish_checksum};
use crate::endpoint::{Endpoint, Side};
use crate::rewrite::{Rewrite, take_hops};
use crate::tcp::{ACK, FIN, RST, SYN};
use crate::{Ip, Packet, mss, reset::reset, tcp::Tcp};

fn ip(frame: &[u8]) -> Ip {
    *Packet::parse(frame).unwrap().ip().unwrap()
}

fn between(src: Ipv4Addr, dst: Ipv4Addr) -> Frame {
    Frame::v4(A_MAC, B_MAC, src, dst)
}

/// The general way to the same.
fn rewritten(frame: &[u8], to: Endpoint, partial: bool) -> Vec<u8> {
    let mut frame = frame.to_vec();
    let parsed = ip(&frame);
    let address = Some(to.address.into());
    let (ports, identifier) = match parsed.icmp {
        Some(_) => (None, to.port),
        None => (to.port, None),
    };
    let rewrite = match to.side {
        Side::Source => Rewrite {
            src: address,
            src_port: ports,
            icmp_identifier: identifier,
            ..Rewrite::default()
        },
        Side::Destination => Rewrite {
            dst: address,
            dst_port: ports,
            icmp_identifier: identifier,
            ..Rewrite::default()
        },
    };
    rewrite.apply_parsed(&mut frame, &parsed, partial).unwrap();
    take_hops(&mut frame, &parsed, to.hops).unwrap();
    frame
}

/// A SYN with these options behind its header.
fn syn_with(options: &[u8]) -> Vec<u8> {
    let frame = between([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
    let mut header = vec![0; 20];
    header[0..4].copy_from_slice(&[0x10, 0, 0, 80]);
    header[12] = (5 + (options.len() / 4) as u8) << 4;
    header[13] = SYN;
    header.extend_from_slice(options);
    frame.packet(6, &header, &[])
}

fn limited(options: &[u8], to: u16) -> Vec<u8> {
    let mut frame = syn_with(options);
    let parsed = ip(&frame);
    mss::limit(&mut frame, &parsed, to, false);
    assert!(checksum_is_valid(&frame), "{options:?}");
    frame[54..].to_vec()
}

#[test]
fn segments_are_limited_and_never_raised() {
    assert_eq!(limited(&[2, 4, 0x23, 0x01], 1460), [2, 4, 5, 0xb4]);
    assert_eq!(limited(&[2, 4, 4, 0], 1460), [2, 4, 4, 0]);
    let odd = [1, 2, 4, 0x23, 0x01, 1, 1, 0];
    assert_eq!(limited(&odd, 1460), [1, 2, 4, 5, 0xb4, 1, 1, 0]);
    for nothing in [
        &[0, 0, 0, 0][..],
        &[3, 3, 7, 0],
        &[2, 3, 9, 9],
        &[2, 0, 0, 0],
        &[1, 1, 2, 4],
    ] {
        assert_eq!(limited(nothing, 536), nothing);
    }
}

#[test]
fn resets_are_what_the_sender_expects() {
    let frame = between([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
    let answer = |offending: &[u8]| {
        let answer = reset(offending, &ip(offending), B_MAC)?;
        assert!(checksum_is_valid(&answer));
        let (parsed, packet) = (ip(&answer), Packet::parse(&answer).unwrap());
        assert_eq!((packet.src_mac, packet.dst_mac), (B_MAC, A_MAC));
        assert_eq!(parsed.src, ip(offending).dst);
        let tcp = Tcp::parse(parsed.transport(&answer)).unwrap();
        let ports = (tcp.src_port(), tcp.dst_port());
        assert_eq!(ports, (80, 4000));
        Some((tcp.flags(), tcp.sequence(), tcp.acknowledgement()))
    };
    let data = frame.tcp_sequence(4000, 80, ACK, (7, 1000), &[0; 5]);
    assert_eq!(answer(&data), Some((RST, 1000, 0)));
    let syn = frame.tcp_sequence(4000, 80, SYN | FIN, (7, 0), &[0; 5]);
    assert_eq!(answer(&syn), Some((RST | ACK, 0, 14)));
    assert_eq!(
        answer(&frame.tcp_sequence(4000, 80, RST, (7, 0), &[])),
        None
    );
    assert_eq!(
        reset(
            &frame.udp(4000, 80, &[]),
            &ip(&frame.udp(4000, 80, &[])),
            B_MAC
        ),
        None
    );
}

proptest! {
    #[test]
    fn one_side_replaced_is_what_a_rewrite_makes(
        (src, dst, new) in any::<([u8; 4], [u8; 4], [u8; 4])>(),
        transport in 0..3,
        ports in any::<(u16, u16)>(),
        port in any::<Option<u16>>(),
        (source, hops, partial) in (any::<bool>(), 0..4_u8, any::<bool>()),
        payload in vec(any::<u8>(), 0..64),
    ) {
        let built = between(src.into(), dst.into());
        let mut frame = match transport {
            0 => built.tcp(ports.0, ports.1, ACK, &payload),
            1 => built.udp(ports.0, ports.1, &payload),
            _ => built.echo_request(ports.0, ports.1, &payload),
        };
        let partial = partial && transport < 2;
        if partial {
            unfinish_checksum(&mut frame).unwrap();
        }
        let to = Endpoint {
            side: if source { Side::Source } else { Side::Destination },
            address: new.into(),
            port,
            hops,
        };
        let mut wanted = rewritten(&frame, to, partial);
        let parsed = ip(&frame);
        prop_assert!(to.apply(&mut frame, &parsed, partial));
        if partial {
            finish_checksum(&mut frame).unwrap();
            finish_checksum(&mut wanted).unwrap();
        }
        prop_assert!(checksum_is_valid(&frame));
        prop_assert_eq!(frame, wanted);
    }

    #[test]
    fn too_few_hops_change_nothing(hops in 64..=255_u8, ports in any::<(u16, u16)>()) {
        let mut frame = between([10, 0, 0, 1].into(), [10, 0, 0, 2].into()).udp(ports.0, ports.1, &[]);
        let before = frame.clone();
        let to = Endpoint { side: Side::Source, address: [1, 2, 3, 4].into(), port: Some(9), hops };
        let parsed = ip(&frame);
        prop_assert!(!to.apply(&mut frame, &parsed, false));
        prop_assert_eq!(frame, before);
    }

    #[test]
    fn options_of_any_bytes_are_survived(options in vec(any::<u8>(), 10), mss in any::<u16>()) {
        let mut padded = options;
        padded.resize(12, 0);
        limited(&padded, mss);
    }
}
