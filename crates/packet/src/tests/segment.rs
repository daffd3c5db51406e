//! Super-frames, and what the wire would have carried for them.

use super::{checksums_are_valid, v4, v6};
use crate::build::{Frame, unfinish_checksum};
use crate::segment::{segment, segments};
use crate::{Packet, tcp};

/// Segments a frame with an unfinished checksum; every segment must be whole.
fn cut(frame: &[u8], gso_size: usize) -> Vec<Vec<u8>> {
    let mut frame = frame.to_vec();
    unfinish_checksum(&mut frame).unwrap();
    let mut out = Vec::new();
    segment(&frame, gso_size, true, &mut out).unwrap();
    assert!(out.iter().all(|one| checksums_are_valid(one)));
    let lengths = out.iter().map(|one| {
        let parsed = Packet::parse(one).unwrap();
        let ip = parsed.ip().unwrap();
        assert_eq!(one.len(), ip.l3_offset + ip.ip_len);
        ip.ip_len as u64
    });
    let counted = (out.len() as u64, lengths.sum());
    let whole = Packet::parse(&frame).unwrap();
    let ip = whole.ip().unwrap();
    assert_eq!(counted, segments(ip.ip_len, ip.header_len(), gso_size));
    out
}

fn payloads(segments: &[Vec<u8>]) -> Vec<u8> {
    let parts = segments.iter().map(|one| {
        let parsed = Packet::parse(one).unwrap();
        one[parsed.ip().unwrap().payload_offset..].to_vec()
    });
    parts.collect::<Vec<_>>().concat()
}

#[test]
fn tcp_segments_follow_each_other() {
    let payload: Vec<u8> = (0..3500_u32).map(|n| n as u8).collect();
    let flags = tcp::ACK | tcp::PSH | tcp::FIN | tcp::CWR;
    for frame in [v4(), v6()] {
        let whole = frame.tcp_sequence(1, 2, flags, (u32::MAX - 99, 7), &payload);
        let cut = cut(&whole, 1000);
        assert_eq!(payloads(&cut), payload);
        let headers: Vec<_> = cut
            .iter()
            .map(|one| {
                let parsed = Packet::parse(one).unwrap();
                let ip = parsed.ip().unwrap();
                let tcp = tcp::Tcp::parse(ip.transport(one)).unwrap();
                (tcp.sequence(), ip.tcp_flags)
            })
            .collect();
        let between = tcp::ACK;
        assert_eq!(
            headers,
            [
                (u32::MAX - 99, between | tcp::CWR),
                (900, between),
                (1900, between),
                (2900, between | tcp::PSH | tcp::FIN),
            ]
        );
    }
    let identified = Frame {
        identification: u16::MAX,
        ..v4()
    };
    let cut = cut(&identified.tcp(1, 2, tcp::ACK, &payload), 2000);
    let ids: Vec<_> = cut.iter().map(|one| [one[18], one[19]]).collect();
    assert_eq!(ids, [[0xff, 0xff], [0, 0]]);
}

#[test]
fn udp_segments_are_datagrams() {
    for frame in [v4(), v6()] {
        let cut = cut(&frame.udp(1, 2, &[7; 2500]), 1200);
        assert_eq!(payloads(&cut), [7; 2500]);
        assert_eq!(cut.len(), 3);
    }
}

#[test]
fn what_is_one_packet_stays_one() {
    assert_eq!(cut(&v4().tcp(1, 2, tcp::SYN, b""), 0).len(), 1);
    assert_eq!(cut(&v4().tcp(1, 2, tcp::ACK, &[1; 900]), 900).len(), 1);
    let mut out = Vec::new();
    let echo = v4().echo_request(1, 2, b"x");
    segment(&echo, 0, false, &mut out).unwrap();
    assert_eq!(out, [echo]);
}

#[test]
fn nothing_comes_of_what_cannot_be_cut() {
    let mut out = Vec::new();
    assert!(segment(&[0; 5], 100, true, &mut out).is_err());
    let mut arp = vec![0; 42];
    arp[12..14].copy_from_slice(&[0x08, 0x06]);
    assert!(segment(&arp, 100, true, &mut out).is_err());
    let mut fragment = v4().udp(1, 2, &[7; 2500]);
    fragment[20] |= 0x20;
    assert!(segment(&fragment, 1000, true, &mut out).is_err());
    assert!(out.is_empty());
}
