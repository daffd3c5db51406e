//! Frames whose parse, rewrite or answer is written down.

use std::{
    fmt::Write,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use expect_test::expect;

use super::{A, A_MAC, A6, B, B_MAC, B6, checksums_are_valid, v4, v6};
use crate::{
    Kind, Mac, Malformed, Packet,
    arp::Arp,
    build::{self, Frame},
    checksum, ethernet,
    fragment::{self, fragment_ipv4},
    icmp_error::{IcmpError, Suppressed, icmp_error},
    ndp,
    print::Line,
    protocol,
    rewrite::{self, Rewrite},
    segment::segments,
    tcp,
};

#[test]
fn one_line_per_frame() {
    let mut fragments = Vec::new();
    fragment_ipv4(&v4().udp(53, 53, &[0; 100]), 68, false, &mut fragments).unwrap();
    let mut too_big = Vec::new();
    let error = IcmpError::TooBig { mtu: 1500 };
    icmp_error(
        &v6().udp(1, 2, &[0; 9]),
        error,
        B6.into(),
        B_MAC,
        &mut too_big,
    )
    .unwrap();
    let request = Arp::request(A_MAC, A, B);
    let solicitation = ndp::Solicitation::frame(A_MAC, A6, B6);
    let frames: Vec<Vec<u8>> = vec![
        request.frame().to_vec(),
        request.reply(B_MAC).frame().to_vec(),
        v4().tcp(40000, 443, tcp::SYN, b""),
        v4().tcp(443, 40000, tcp::SYN | tcp::ACK, b""),
        v6().tcp(40000, 443, tcp::PSH | tcp::ACK, b"hello"),
        v4().udp(5353, 53, b"query"),
        v4().echo_request(7, 1, b"ping"),
        v6().echo_reply(7, 1, b"ping"),
        too_big,
        solicitation,
        fragments[0].clone(),
        fragments[2].clone(),
        v4().packet(47, b"", b"tunnel"),
        ethernet::header(B_MAC, A_MAC, 0x88cc).to_vec(),
        vec![0; 13],
    ];
    let mut text = String::new();
    for frame in &frames {
        writeln!(text, "{}", Line(frame)).unwrap();
    }
    expect![[r#"
        ARP, request who-has 10.0.0.2 tell 10.0.0.1
        ARP, reply 10.0.0.2 is-at 02:00:00:00:00:02
        IP 10.0.0.1.40000 > 10.0.0.2.443: tcp [S], length 0
        IP 10.0.0.1.443 > 10.0.0.2.40000: tcp [S.], length 0
        IP6 2001:db8::1.40000 > 2001:db8::2.443: tcp [P.], length 5
        IP 10.0.0.1.5353 > 10.0.0.2.53: udp, length 5
        IP 10.0.0.1 > 10.0.0.2: icmp echo request, id 7, length 4
        IP6 2001:db8::1 > 2001:db8::2: icmp6 echo reply, id 7, length 4
        IP6 2001:db8::2 > 2001:db8::1: icmp6 packet too big, length 57
        IP6 2001:db8::1 > ff02::1:ff00:2: icmp6 neighbour solicitation, length 24
        IP 10.0.0.1.53 > 10.0.0.2.53: udp, fragment 0@0+, length 40
        IP 10.0.0.1 > 10.0.0.2: udp, fragment 0@96, length 12
        IP 10.0.0.1 > 10.0.0.2: gre, length 6
        02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype 0x88cc
        malformed (truncated), length 13
    "#]]
    .assert_eq(&text);
}

#[test]
fn malformed_frames_say_why() {
    let good = v4().tcp(1, 2, tcp::SYN, b"");
    let broken = |at: usize, byte: u8| {
        let mut frame = good.clone();
        frame[at] = byte;
        Packet::parse(&frame).unwrap_err()
    };
    assert_eq!(Packet::parse(&good[..53]), Err(Malformed::Truncated));
    assert_eq!(broken(14, 0x65), Malformed::BadVersion);
    assert_eq!(broken(14, 0x44), Malformed::BadHeaderLength);
    assert_eq!(broken(17, 19), Malformed::BadLength);
    assert_eq!(broken(46, 0x40), Malformed::BadHeaderLength);
    assert_eq!(broken(46, 0x60), Malformed::Truncated);
    let mut udp = v4().udp(1, 2, b"1234");
    udp[39] = 13;
    assert_eq!(Packet::parse(&udp), Err(Malformed::BadLength));
    let mut arp = Arp::request(A_MAC, A, B).frame();
    arp[15] = 6;
    assert_eq!(Packet::parse(&arp), Err(Malformed::BadArp));
}

#[test]
fn padding_behind_the_packet_is_ignored() {
    let mut frame = v4().udp(1, 2, b"x");
    frame.resize(60, 0xaa);
    let packet = Packet::parse(&frame).unwrap();
    let ip = packet.ip().unwrap();
    assert_eq!((ip.ip_len, ip.transport(&frame).len()), (29, 9));
    assert!(checksums_are_valid(&frame));
}

#[test]
fn extension_headers_are_walked_and_bounded() {
    let udp = v6().udp(1000, 2000, b"data");
    let hop_by_hop = [protocol::DESTINATION_OPTIONS, 0, 1, 4, 0, 0, 0, 0];
    let destination = [
        protocol::ROUTING,
        1,
        1,
        12,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
    ];
    let routing = [protocol::FRAGMENT, 0, 4, 0, 0, 0, 0, 0];
    let fragment = [protocol::UDP, 0, 0, 1, 0, 0, 0, 9];
    let chain = [
        &hop_by_hop[..],
        &destination,
        &routing,
        &fragment,
        &udp[54..],
    ]
    .concat();
    let packet = Packet::parse(&v6().packet(protocol::HOP_BY_HOP, &chain, b"")).unwrap();
    let ip = packet.ip().unwrap();
    assert_eq!(
        (ip.protocol, ip.l4_offset, ip.dst_port),
        (protocol::UDP, 94, 2000)
    );
    assert_eq!(
        ip.fragment.map(|fragment| (fragment.offset, fragment.more)),
        Some((0, true))
    );

    let endless = [protocol::HOP_BY_HOP, 0, 1, 4, 0, 0, 0, 0].repeat(20);
    let frame = v6().packet(protocol::HOP_BY_HOP, &endless, b"");
    assert_eq!(
        Packet::parse(&frame),
        Err(Malformed::TooManyExtensionHeaders)
    );
}

#[test]
fn udp_without_checksum_stays_without() {
    let mut frame = v4().udp(1, 2, b"data");
    frame[40..42].copy_from_slice(&[0, 0]);
    rewrite::set_ipv4_src(&mut frame, Ipv4Addr::new(192, 0, 2, 1), false).unwrap();
    assert_eq!(frame[40..42], [0, 0]);
    assert!(checksums_are_valid(&frame));
}

#[test]
fn failed_rewrites_change_nothing() {
    let frame = v4().echo_request(1, 1, b"");
    let src = Some(IpAddr::V4(B));
    let cases = [
        (
            Rewrite {
                src,
                src_port: Some(1),
                ..Rewrite::default()
            },
            rewrite::Error::NoPorts,
        ),
        (
            Rewrite {
                src,
                dst: Some(A6.into()),
                ..Rewrite::default()
            },
            rewrite::Error::WrongFamily,
        ),
    ];
    for (rewrite, error) in cases {
        let mut copy = frame.clone();
        assert_eq!(rewrite.apply(&mut copy, false), Err(error));
        assert_eq!(
            rewrite.apply_to_quoted(&mut copy, false),
            Err(rewrite::Error::NotIcmpError)
        );
        assert_eq!(copy, frame);
    }
}

#[test]
fn a_router_takes_one_hop() {
    for frame in [v4(), v6()] {
        let mut bytes = Frame { ttl: 2, ..frame }.udp(1, 2, b"");
        assert_eq!(rewrite::decrement_ttl(&mut bytes), Ok(1));
        assert!(checksums_are_valid(&bytes));
        assert_eq!(
            rewrite::decrement_ttl(&mut bytes),
            Err(rewrite::Error::TimeExceeded)
        );
    }
}

#[test]
fn icmp_errors_keep_the_rules() {
    let mut out = Vec::new();
    let mut error_about = |frame: &[u8], error| {
        icmp_error(frame, error, B.into(), B_MAC, &mut out).map(|()| out.clone())
    };
    let exceeded = IcmpError::TimeExceeded;
    let first = error_about(&v4().udp(1, 2, &[0; 2000]), exceeded).unwrap();
    assert_eq!(first.len(), 14 + 576);
    assert!(checksums_are_valid(&first));
    assert_eq!(
        error_about(&first, exceeded),
        Err(Suppressed::AboutIcmpError)
    );

    let mut fragments = Vec::new();
    fragment_ipv4(&v4().udp(1, 2, &[0; 100]), 68, false, &mut fragments).unwrap();
    assert!(error_about(&fragments[0], exceeded).is_ok());
    assert_eq!(
        error_about(&fragments[1], exceeded),
        Err(Suppressed::LaterFragment)
    );

    let to = |dst| Frame::v4(A_MAC, B_MAC, A, dst).udp(1, 2, b"");
    let group = Err(Suppressed::GroupDestination);
    assert_eq!(error_about(&to(Ipv4Addr::BROADCAST), exceeded), group);
    assert_eq!(
        error_about(&to(Ipv4Addr::new(224, 0, 0, 251)), exceeded),
        group
    );
    let broadcast = Frame::v4(A_MAC, Mac::BROADCAST, A, B).udp(1, 2, b"");
    assert_eq!(error_about(&broadcast, exceeded), group);
    let nobody = Frame::v4(A_MAC, B_MAC, Ipv4Addr::UNSPECIFIED, B).udp(1, 2, b"");
    assert_eq!(
        error_about(&nobody, exceeded),
        Err(Suppressed::NoSingleSource)
    );
    assert_eq!(
        error_about(&v6().udp(1, 2, b""), exceeded),
        Err(Suppressed::WrongFamily)
    );
}

#[test]
fn path_mtu_errors_carry_the_mtu() {
    let mut out = Vec::new();
    let error = IcmpError::TooBig { mtu: 1500 };
    icmp_error(
        &v4().tcp(1, 2, 0, &[0; 3000]),
        error,
        B.into(),
        B_MAC,
        &mut out,
    )
    .unwrap();
    assert_eq!(out[34..36], [3, 4]);
    assert_eq!(out[40..42], 1500u16.to_be_bytes());

    icmp_error(
        &v6().tcp(1, 2, 0, &[0; 3000]),
        error,
        B6.into(),
        B_MAC,
        &mut out,
    )
    .unwrap();
    assert_eq!(out[54..56], [2, 0]);
    assert_eq!(out[58..62], 1500u32.to_be_bytes());
    assert_eq!(out.len(), 14 + 1280);
    assert!(checksums_are_valid(&out));
}

#[test]
fn fragmentation_obeys_the_sender() {
    let mut out = Vec::new();
    let whole = Frame {
        dont_fragment: true,
        ..v4()
    }
    .udp(1, 2, &[0; 100]);
    assert_eq!(
        fragment_ipv4(&whole, 64, false, &mut out),
        Err(fragment::Error::DontFragment)
    );
    assert_eq!(fragment_ipv4(&whole, 128, false, &mut out), Ok(()));
    assert_eq!(out, [whole]);
    let frame = v4().udp(1, 2, &[0; 100]);
    assert_eq!(
        fragment_ipv4(&frame, 27, false, &mut out),
        Err(fragment::Error::MtuTooSmall)
    );
    let frame = v6().udp(1, 2, &[0; 100]);
    assert_eq!(
        fragment_ipv4(&frame, 64, false, &mut out),
        Err(fragment::Error::NotIpv4)
    );
}

#[test]
fn later_fragments_carry_only_copied_options() {
    let plain = v4().udp(1, 2, &[7; 40]);
    let options = [0x83, 3, 4, 1, 7, 3, 4, 0];
    let mut frame = [&plain[..34], &options, &plain[34..]].concat();
    frame[14] = 0x47;
    frame[17] += 8;
    frame[24..26].copy_from_slice(&[0, 0]);
    let check = checksum::internet(&frame[14..42]);
    frame[24..26].copy_from_slice(&check.to_be_bytes());
    let mut out = Vec::new();
    fragment_ipv4(&frame, 52, false, &mut out).unwrap();
    assert_eq!(out[0][14..15], [0x47]);
    assert_eq!(out[1][14..15], [0x46]);
    assert_eq!(out[1][34..38], [0x83, 3, 4, 0]);
    assert!(out.iter().all(|fragment| checksums_are_valid(fragment)));
}

#[test]
fn segments_of_super_frames() {
    assert_eq!(segments(40, 40, 1448), (1, 40));
    assert_eq!(segments(1500, 52, 0), (1, 1500));
    assert_eq!(segments(1500, 52, 1448), (1, 1500));
    assert_eq!(segments(1501, 52, 1448), (2, 1553));
    assert_eq!(segments(52 + 10 * 1448, 52, 1448), (10, 15000));
}

#[test]
fn neighbours_find_each_other() {
    let asked = ndp::Solicitation::frame(A_MAC, A6, B6);
    assert!(checksums_are_valid(&asked));
    let packet = Packet::parse(&asked).unwrap();
    assert_eq!(packet.dst_mac, Mac([0x33, 0x33, 0xff, 0, 0, 2]));
    let message = ndp::Message::parse(&asked, packet.ip().unwrap()).unwrap();
    let Some(ndp::Message::NeighbourSolicitation(solicitation)) = message else {
        panic!("{message:?}")
    };
    assert_eq!(
        solicitation,
        ndp::Solicitation {
            target: B6,
            source_mac: Some(A_MAC)
        }
    );

    let answer = solicitation.answer(A6, A_MAC, B_MAC, true);
    assert!(checksums_are_valid(&answer));
    let packet = Packet::parse(&answer).unwrap();
    let message = ndp::Message::parse(&answer, packet.ip().unwrap()).unwrap();
    let expected = ndp::Advertisement {
        target: B6,
        target_mac: Some(B_MAC),
        router: true,
        solicited: true,
        overriding: true,
    };
    assert_eq!(
        message,
        Some(ndp::Message::NeighbourAdvertisement(expected))
    );
    assert_eq!(
        (packet.dst_mac, packet.ip().unwrap().dst),
        (A_MAC, A6.into())
    );
}

#[test]
fn router_advertisement_has_right_checksum_and_options() {
    let prefix = ndp::Prefix {
        address: A6,
        len: 64,
        on_link: true,
        autonomous: false,
        valid_s: 3600,
        preferred_s: 1800,
    };
    let advertisement = ndp::RouterAdvertisement {
        hop_limit: 255,
        managed: true,
        other: false,
        router_lifetime_s: 1800,
        mtu: Some(9001),
        prefixes: &[prefix],
    };
    let router = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
    let all_nodes = ndp::multicast_mac(ndp::ALL_NODES);
    let frame = advertisement.frame(A_MAC, all_nodes, router, ndp::ALL_NODES);
    assert_eq!(frame.len(), 14 + 40 + 8 + 8 + 8 + 8 + 32);
    assert_eq!(frame[58..62], [255, 0x80, 7, 8]);
    assert!(checksums_are_valid(&frame));
}

#[test]
fn macs_are_read_as_they_are_written() {
    assert_eq!("02:00:00:00:00:01".parse(), Ok(A_MAC));
    for text in [
        "",
        "02:00:00:00:00",
        "02:00:00:00:00:01:02",
        "2:0:0:0:0:1",
        "+2:00:00:00:00:01",
    ] {
        assert!(text.parse::<Mac>().is_err(), "{text}");
    }
}

#[test]
fn arp_reply_goes_back_to_the_asker() {
    let frame = Arp::request(A_MAC, A, B).frame();
    let Ok(Packet {
        kind: Kind::Arp(request),
        ..
    }) = Packet::parse(&frame)
    else {
        panic!()
    };
    let packet = Packet::parse(&request.reply(B_MAC).frame()).unwrap();
    assert_eq!((packet.src_mac, packet.dst_mac), (B_MAC, A_MAC));
}

#[test]
fn a_payload_too_long_is_cut() {
    for frame in [v4(), v6()] {
        assert!(checksums_are_valid(&frame.udp(1, 2, &[1; 70_000])));
        assert!(checksums_are_valid(&frame.tcp(1, 2, 0, &[1; 70_000])));
    }
    assert!(build::finish_checksum(&mut []).is_err());
}

#[test]
fn later_ipv6_fragments_show_no_ports() {
    let fragment = [protocol::DESTINATION_OPTIONS, 0, 0, 8, 0, 0, 0, 9];
    let frame = v6().packet(protocol::FRAGMENT, &fragment, &[0xff; 16]);
    let packet = Packet::parse(&frame).unwrap();
    let ip = packet.ip().unwrap();
    assert!(ip.is_later_fragment());
    assert_eq!(
        (ip.protocol, ip.l4_offset),
        (protocol::DESTINATION_OPTIONS, 62)
    );
    assert_eq!(
        ip.fragment
            .map(|fragment| (fragment.offset, fragment.identification)),
        Some((8, 9))
    );
}

#[test]
fn a_udp_checksum_of_zero_is_written_as_ones() {
    let mut frame = v4().udp(0, 2, b"data");
    let mut ones = 0;
    for port in 0..=u16::MAX {
        rewrite::set_src_port(&mut frame, port, false).unwrap();
        assert_ne!(frame[40..42], [0, 0]);
        ones += usize::from(frame[40..42] == [0xff, 0xff]);
    }
    assert!(ones > 0);
    assert!(checksums_are_valid(&frame));
}

#[test]
fn neighbour_options_without_length_are_malformed() {
    let discovery = Frame {
        ttl: ndp::HOP_LIMIT,
        ..v6()
    };
    let parse = |options: &[u8]| {
        let body = [&B6.octets()[..], options].concat();
        let frame = discovery.icmp(135, 0, [0; 4], &body);
        let packet = Packet::parse(&frame).unwrap();
        ndp::Message::parse(&frame, packet.ip().unwrap())
    };
    assert_eq!(parse(&[1, 0, 0, 0, 0, 0, 0, 0]), Err(Malformed::BadLength));
    assert_eq!(parse(&[1, 2, 0, 0, 0, 0, 0, 0]), Err(Malformed::Truncated));
    assert!(parse(&[14, 1, 0, 0, 0, 0, 0, 0]).unwrap().is_some());
}
