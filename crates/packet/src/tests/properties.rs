//! Properties over arbitrary frames.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::{collection::vec, prelude::*};

use super::{A_MAC, B_MAC, checksums_are_valid, plain_checksum};
use crate::{
    Mac, Packet,
    arp::Arp,
    build::{Frame, checksum_is_valid, finish_checksum, unfinish_checksum},
    checksum, dhcp, dhcpv6, ethernet,
    fragment::fragment_ipv4,
    icmp_error::{IcmpError, icmp_error},
    ipv4::Ipv4,
    ipv6, ndp, ntp,
    print::Line,
    rewrite::{self, Rewrite},
    segment::segments,
    tcp::Tcp,
    udp::Udp,
};

/// A transport for a built frame.
#[derive(Clone, Copy, Debug)]
enum Transport {
    Tcp,
    Udp,
    Echo,
}

fn any_addresses() -> impl Strategy<Value = (IpAddr, IpAddr)> {
    let v4 = any::<([u8; 4], [u8; 4])>().prop_map(|(a, b)| {
        (
            IpAddr::from(Ipv4Addr::from(a)),
            IpAddr::from(Ipv4Addr::from(b)),
        )
    });
    let v6 = any::<([u8; 16], [u8; 16])>().prop_map(|(a, b)| {
        (
            IpAddr::from(Ipv6Addr::from(a)),
            IpAddr::from(Ipv6Addr::from(b)),
        )
    });
    prop_oneof![v4, v6]
}

fn any_transport() -> impl Strategy<Value = Transport> {
    prop_oneof![
        Just(Transport::Tcp),
        Just(Transport::Udp),
        Just(Transport::Echo)
    ]
}

fn build(
    (src, dst): (IpAddr, IpAddr),
    transport: Transport,
    (src_port, dst_port): (u16, u16),
    payload: &[u8],
) -> Vec<u8> {
    let frame = Frame::new(A_MAC, B_MAC, src, dst).unwrap();
    match transport {
        Transport::Tcp => frame.tcp(src_port, dst_port, 0x18, payload),
        Transport::Udp => frame.udp(src_port, dst_port, payload),
        Transport::Echo => frame.echo_request(src_port, dst_port, payload),
    }
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    (
        any_addresses(),
        any_transport(),
        any::<(u16, u16)>(),
        vec(any::<u8>(), 0..200),
    )
        .prop_map(|(addresses, transport, ports, payload)| {
            build(addresses, transport, ports, &payload)
        })
}

/// Anything from noise to frames with a few bytes changed or cut off.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let changes = vec(any::<(prop::sample::Index, u8)>(), 0..4);
    let nearly = (
        any_frame(),
        changes,
        any::<prop::sample::Index>(),
        any::<bool>(),
    )
        .prop_map(|(mut frame, changes, cut, is_cut)| {
            for (at, byte) in changes {
                let at = at.index(frame.len());
                frame[at] = byte;
            }
            if is_cut {
                frame.truncate(cut.index(frame.len()));
            }
            frame
        })
        .boxed();
    let noise = (any::<bool>(), vec(any::<u8>(), 0..120)).prop_map(|(ipv4, bytes)| {
        let ethertype = if ipv4 { 0x0800 } else { 0x86dd };
        let version = if ipv4 { 0x45 } else { 0x60 };
        [
            &ethernet::header(A_MAC, B_MAC, ethertype)[..],
            &[version],
            &bytes,
        ]
        .concat()
    });
    let quoting = (nearly.clone(), any::<bool>(), any::<u8>()).prop_map(|(inner, ipv4, kind)| {
        let (src, dst) = (Ipv4Addr::new(10, 0, 0, 9), Ipv4Addr::new(10, 0, 0, 1));
        let outer = if ipv4 {
            Frame::v4(A_MAC, B_MAC, src, dst)
        } else {
            Frame::v6(A_MAC, B_MAC, src.to_ipv6_mapped(), dst.to_ipv6_mapped())
        };
        outer.icmp(kind % 16, 0, [0; 4], inner.get(14..).unwrap_or_default())
    });
    prop_oneof![vec(any::<u8>(), 0..200), nearly, noise, quoting]
}

fn any_rewrite() -> impl Strategy<Value = Rewrite> {
    let address = || proptest::option::of(any_addresses().prop_map(|(address, _)| address));
    let port = || proptest::option::of(any::<u16>());
    (address(), address(), port(), port(), port()).prop_map(
        |(src, dst, src_port, dst_port, icmp_identifier)| Rewrite {
            src,
            dst,
            src_port,
            dst_port,
            icmp_identifier,
        },
    )
}

proptest! {
    #[test]
    fn messages_of_any_bytes_are_safe(bytes in vec(any::<u8>(), 0..600)) {
        let _ = dhcp::Query::parse(&bytes);
        let _ = dhcp::for_each_option(&bytes, |_, _| {});
        let _ = dhcpv6::Query::parse(&bytes);
        let _ = ntp::Query::parse(&bytes);
    }

    #[test]
    fn times_are_counted_from_1900(secs in 0_u64..4_000_000_000, micros in 0_u64..1_000_000) {
        let time = u64::from_be_bytes(ntp::timestamp(secs * 1_000_000 + micros));
        prop_assert_eq!(time >> 32, (secs + 2_208_988_800) % (1 << 32));
        let fraction = ((time & 0xffff_ffff) as f64) / f64::from(1_u32 << 31) / 2.0;
        prop_assert!((fraction - micros as f64 / 1e6).abs() < 1e-9);
    }

    #[test]
    fn no_bytes_panic_anywhere(
        bytes in any_bytes(),
        rewrite in any_rewrite(),
        partial: bool,
        mtu in 0usize..200,
    ) {
        let _ = Line(&bytes).to_string();
        let _ = (Ipv4::parse(&bytes).map(Ipv4::options), ipv6::walk(&bytes), Arp::parse(&bytes));
        let _ = (Tcp::parse(&bytes), Udp::parse(&bytes), checksum_is_valid(&bytes));
        if let Ok(packet) = Packet::parse(&bytes)
            && let Some(ip) = packet.ip()
        {
            prop_assert!(ip.l4_offset <= bytes.len() && ip.payload_offset <= bytes.len());
            let _ = ndp::Message::parse(&bytes, ip);
        }
        for change in [
            |frame: &mut [u8], rewrite: Rewrite, partial| rewrite.apply(frame, partial),
            |frame: &mut [u8], rewrite: Rewrite, partial| rewrite.apply_to_quoted(frame, partial),
            |frame: &mut [u8], _, _| rewrite::decrement_ttl(frame).map(drop),
            |frame: &mut [u8], _, _| finish_checksum(frame),
            |frame: &mut [u8], _, _| unfinish_checksum(frame),
        ] {
            let mut copy = bytes.clone();
            if change(&mut copy, rewrite, partial).is_err() {
                prop_assert_eq!(&copy, &bytes);
            }
        }
        let _ = fragment_ipv4(&bytes, mtu, partial, &mut Vec::new());
        for from in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            let mut out = Vec::new();
            if icmp_error(&bytes, IcmpError::TimeExceeded, from, A_MAC, &mut out).is_ok() {
                prop_assert!(checksums_are_valid(&out));
            }
        }
    }

    #[test]
    fn checksum_is_the_plain_one(bytes in vec(any::<u8>(), 0..100)) {
        prop_assert_eq!(checksum::internet(&bytes), plain_checksum(&bytes));
    }

    #[test]
    fn what_is_built_is_parsed(
        addresses in any_addresses(),
        transport in any_transport(),
        ports: (u16, u16),
        payload in vec(any::<u8>(), 0..200),
    ) {
        let frame = build(addresses, transport, ports, &payload);
        prop_assert!(checksums_are_valid(&frame));
        let packet = Packet::parse(&frame).unwrap();
        let ip = packet.ip().unwrap();
        prop_assert_eq!((packet.src_mac, packet.dst_mac), (A_MAC, B_MAC));
        prop_assert_eq!((ip.src, ip.dst), addresses);
        prop_assert_eq!(&frame[ip.payload_offset..], &payload[..]);
        match transport {
            Transport::Echo => prop_assert_eq!(ip.icmp.unwrap().identifier, ports.0),
            _ => prop_assert_eq!((ip.src_port, ip.dst_port), ports),
        }
    }

    #[test]
    fn incremental_checksums_are_the_recomputed_ones(frame in any_frame(), rewrite in any_rewrite()) {
        let mut rewritten = frame;
        if rewrite.apply(&mut rewritten, false).is_ok() {
            prop_assert!(checksums_are_valid(&rewritten));
            let mut recomputed = rewritten.clone();
            finish_checksum(&mut recomputed).unwrap();
            prop_assert_eq!(rewritten, recomputed);
        }
    }

    #[test]
    fn partial_checksums_can_be_finished_after_a_rewrite(
        frame in any_frame(),
        rewrite in any_rewrite(),
    ) {
        let mut partial = frame.clone();
        if unfinish_checksum(&mut partial).is_err() {
            return Ok(());
        }
        let mut whole = frame;
        prop_assert_eq!(rewrite.apply(&mut partial, true), rewrite.apply(&mut whole, false));
        let mut expected = whole.clone();
        unfinish_checksum(&mut expected).unwrap();
        prop_assert_eq!(&partial, &expected);
        finish_checksum(&mut partial).unwrap();
        prop_assert_eq!(partial, whole);
    }

    #[test]
    fn quoted_packets_stay_valid(frame in any_frame(), rewrite in any_rewrite()) {
        let packet = Packet::parse(&frame).unwrap();
        let from: IpAddr = match packet.ip().unwrap().is_ipv4() {
            true => Ipv4Addr::new(10, 0, 0, 9).into(),
            false => Ipv6Addr::LOCALHOST.into(),
        };
        let mut error = Vec::new();
        let told = icmp_error(&frame, IcmpError::PortUnreachable, from, B_MAC, &mut error);
        if told.is_err() || rewrite.apply_to_quoted(&mut error, false).is_err() {
            return Ok(());
        }
        prop_assert!(checksums_are_valid(&error));
        let outer = Packet::parse(&error).unwrap();
        let quote = error[outer.ip().unwrap().payload_offset..].to_vec();
        let mut inner = frame.clone();
        rewrite.apply(&mut inner, false).unwrap();
        prop_assert_eq!(&inner[14..], &quote[..]);
    }

    #[test]
    fn cut_quotes_keep_the_outer_checksum(
        frame in any_frame(),
        rewrite in any_rewrite(),
        keep in 20usize..90,
    ) {
        let inner = &frame[14..frame.len().min(14 + keep)];
        let outer = Frame::v4(A_MAC, B_MAC, Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST);
        let mut error = outer.icmp(11, 0, [0; 4], inner);
        if rewrite.apply_to_quoted(&mut error, false).is_ok() {
            prop_assert!(checksums_are_valid(&error));
        }
    }

    #[test]
    fn fragments_are_the_packet(
        ports: (u16, u16),
        payload in vec(any::<u8>(), 0..3000),
        mtu in 28usize..1600,
        second_mtu in 28usize..600,
        partial: bool,
    ) {
        let addresses = (Ipv4Addr::new(10, 0, 0, 1).into(), Ipv4Addr::new(10, 0, 0, 2).into());
        let whole = build(addresses, Transport::Udp, ports, &payload);
        let mut sent = whole.clone();
        if partial {
            unfinish_checksum(&mut sent).unwrap();
        }
        let mut once = Vec::new();
        fragment_ipv4(&sent, mtu, partial, &mut once).unwrap();
        let mut twice = Vec::new();
        for fragment in &once {
            // The first cut may leave the whole UDP header alone in a fragment, never less.
            fragment_ipv4(fragment, second_mtu, false, &mut twice).unwrap();
        }
        for (fragments, mtu) in [(&once, mtu), (&twice, second_mtu)] {
            let mut together = vec![0; whole.len() - 34];
            let mut len = 0;
            for (index, fragment) in fragments.iter().enumerate() {
                prop_assert!(fragment.len() <= 14 + mtu);
                prop_assert!(Ipv4::parse(&fragment[14..]).unwrap().checksum_is_valid());
                let packet = Packet::parse(fragment).unwrap();
                let ip = packet.ip().unwrap();
                let offset = ip.fragment.map_or(0, |fragment| usize::from(fragment.offset));
                let more = ip.fragment.is_some_and(|fragment| fragment.more);
                prop_assert_eq!(more, index + 1 < fragments.len());
                let part = &fragment[ip.l4_offset..];
                together[offset..offset + part.len()].copy_from_slice(part);
                len += part.len();
            }
            prop_assert_eq!(len, together.len());
            prop_assert_eq!(&together[..], &whole[34..]);
        }
    }

    #[test]
    fn segments_add_up(payload in 0usize..65_000, header in 28usize..120, gso in 1usize..9000) {
        let (packets, bytes) = segments(header + payload, header, gso);
        let mut rest = payload;
        let mut expected = (0, 0);
        loop {
            let part = rest.min(gso);
            expected = (expected.0 + 1, expected.1 + (header + part) as u64);
            rest -= part;
            if rest == 0 {
                break;
            }
        }
        prop_assert_eq!((packets, bytes), expected);
    }

    #[test]
    fn mac_text_round_trip(bytes: [u8; 6]) {
        prop_assert_eq!(Mac(bytes).to_string().parse(), Ok(Mac(bytes)));
    }
}
