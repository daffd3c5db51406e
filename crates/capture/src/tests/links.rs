//! The IP packet behind every kind of link.

use crate::{LinkType, NotIp, ip_in};

const IP: [u8; 20] = [
    0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
];
const MACS: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];

fn behind(link: u16, head: &[&[u8]]) -> Result<(usize, Option<bool>), NotIp> {
    let bytes = [head.concat(), IP.to_vec()].concat();
    let ip = ip_in(LinkType::of(link), &bytes)?;
    assert_eq!(ip.bytes, IP);
    Ok((ip.offset, ip.sent))
}

#[test]
fn the_packet_is_found_behind_every_link() {
    let cooked = |kind| [&[0, kind, 0, 1, 0, 6], &MACS[..8], &[8, 0]].concat();
    let cooked2 = |kind| [&[8, 0, 0, 0, 0, 0, 0, 1, 0, 1, kind, 6], &MACS[..8]].concat();
    for (link, head, offset, sent) in [
        (1, [&MACS[..], &[8, 0]].concat(), 14, None),
        (1, [&MACS[..], &[0x81, 0, 0, 5, 8, 0]].concat(), 18, None),
        (
            1,
            [&MACS[..], &[0x88, 0xa8, 0, 1, 0x81, 0, 0, 5, 8, 0]].concat(),
            22,
            None,
        ),
        (101, Vec::new(), 0, None),
        (228, Vec::new(), 0, None),
        (113, cooked(0), 16, Some(false)),
        (113, cooked(4), 16, Some(true)),
        (276, cooked2(0), 20, Some(false)),
        (276, cooked2(4), 20, Some(true)),
        (0, vec![2, 0, 0, 0], 4, None),
        (0, vec![0, 0, 0, 2], 4, None),
        (108, vec![0, 0, 0, 30], 4, None),
    ] {
        assert_eq!(
            behind(link, &[&head]),
            Ok((offset, sent)),
            "{link} {head:?}"
        );
    }
}

#[test]
fn what_is_not_ip_is_named() {
    assert_eq!(behind(1, &[&MACS, &[8, 6]]), Err(NotIp::Arp));
    assert_eq!(
        behind(1, &[&MACS, &[0x88, 0xcc]]),
        Err(NotIp::Ethertype(0x88cc))
    );
    assert_eq!(behind(1, &[&MACS, &[0, 40]]), Err(NotIp::Ethertype(40)));
    assert_eq!(behind(0, &[&[7, 0, 0, 0]]), Err(NotIp::Family(7)));
    assert_eq!(behind(101, &[&[0x10]]), Err(NotIp::Version(1)));
    assert_eq!(behind(147, &[]), Err(NotIp::Link(147)));
    assert_eq!(ip_in(LinkType::Ethernet, &MACS), Err(NotIp::Cut));
    assert_eq!(ip_in(LinkType::RawIp, &[]), Err(NotIp::Cut));
}

#[test]
fn mac_addresses_are_told() {
    let frame = [&MACS[..], &[8, 0], &IP].concat();
    let macs = ip_in(LinkType::Ethernet, &frame).map(|ip| ip.macs);
    assert_eq!(macs, Ok(Some(([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]))));
}
