//! DHCP of both versions.

use std::net::{Ipv4Addr, Ipv6Addr};

use expect_test::expect;
use packet::build::Frame;
use packet::dhcpv6::{ALL_SERVERS, link_layer_id};
use packet::{Mac, dhcp, dhcpv6};

use super::Net;
use crate::{DropReason, Offload, ROUTER_LINK_LOCAL, Snapshot, Verdict};

const NET: &str = "vpc main 10.0.0.0/16 2001:db8:0:100::/56\n\
     dhcp domain-name example.com\n\
     dhcp domain-name-servers AmazonProvidedDNS\n\
     subnet a 10.0.1.0/24 2001:db8:0:101::/64\n\
     sg shut out none\n\
     eni x 10.0.1.10 10.0.1.20 2001:db8:0:101::10 2001:db8:0:101::20 in a sg:shut\n";

const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 5);

fn router() -> Mac {
    Mac(Snapshot::router_mac(fixture::vpc("main")).0)
}

fn mac() -> Mac {
    Mac(fixture::mac("x").0)
}

fn forward(net: &mut Net, mut frame: Vec<u8>) -> Verdict {
    let port = net.port("x");
    net.dataplane
        .forward(port, &mut frame, Offload::default(), net.now)
}

/// A client's message: its kind, the address that it has, and options.
fn message(kind: u8, has: [u8; 4], options: &[u8]) -> Vec<u8> {
    let mut bytes = vec![1, 1, 6, 0, 0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 0];
    bytes.extend(has);
    bytes.extend([0; 12]);
    bytes.extend(mac().0);
    bytes.resize(236, 0);
    bytes.extend([99, 130, 83, 99, 53, 1, kind]);
    bytes.extend(options);
    bytes.push(255);
    bytes
}

fn broadcast(message: &[u8]) -> Vec<u8> {
    let (nobody, all) = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST);
    Frame::v4(mac(), Mac::BROADCAST, nobody, all).udp(68, 67, message)
}

fn unicast(message: &[u8]) -> Vec<u8> {
    let (own, server) = (Ipv4Addr::new(10, 0, 1, 10), Ipv4Addr::new(10, 0, 1, 1));
    Frame::v4(mac(), router(), own, server).udp(68, 67, message)
}

/// Where the answer goes, the address that it gives, and its options.
fn asked(net: &mut Net, frame: Vec<u8>) -> String {
    match forward(net, frame) {
        Verdict::Emit => {}
        verdict => return format!("{verdict:?}\n"),
    }
    let [(to, frame)] = net.dataplane.emitted() else {
        panic!();
    };
    assert_eq!(*to, net.port("x"));
    assert!(packet::build::checksum_is_valid(frame));
    let packet = packet::Packet::parse(frame).unwrap();
    let ip = packet.ip().unwrap();
    assert_eq!((ip.src_port, ip.dst_port), (67, 68));
    assert_eq!(packet.src_mac, router());
    let all = packet.dst_mac.is_multicast();
    assert!(all || packet.dst_mac == mac());
    let answer = &ip.transport(frame)[8..];
    assert!(answer.len() >= 300);
    assert_eq!(answer[..3], [2, 1, 6]);
    assert_eq!(answer[4..8], [0xde, 0xad, 0xbe, 0xef]);
    assert_eq!(answer[28..34], mac().0);
    let yours: [u8; 4] = answer[16..20].try_into().unwrap();
    let mut text = format!("{} > {}: {}\n", ip.src, ip.dst, Ipv4Addr::from(yours));
    dhcp::for_each_option(&answer[240..], |code, value| {
        let value = match value {
            value if matches!(code, 12 | 15) => String::from_utf8(value.to_vec()).unwrap(),
            value => format!("{value:?}"),
        };
        text += &format!("  {code} {value}\n");
    })
    .unwrap();
    text
}

#[test]
fn an_interface_is_given_what_the_api_gave_it() {
    let mut net = Net::new(NET);
    let mut told = asked(&mut net, broadcast(&message(1, [0; 4], &[])));
    let selected = [50, 4, 10, 0, 1, 10, 54, 4, 10, 0, 1, 1];
    told += &asked(&mut net, broadcast(&message(3, [0; 4], &selected)));
    expect![[r#"
        10.0.1.1 > 10.0.1.10: 10.0.1.10
          53 [2]
          54 [10, 0, 1, 1]
          51 [0, 0, 14, 16]
          1 [255, 255, 255, 0]
          3 [10, 0, 1, 1]
          6 [10, 0, 0, 2]
          26 [35, 41]
          28 [10, 0, 1, 255]
          12 ip-10-0-1-10
          15 example.com
        10.0.1.1 > 10.0.1.10: 10.0.1.10
          53 [5]
          54 [10, 0, 1, 1]
          51 [0, 0, 14, 16]
          1 [255, 255, 255, 0]
          3 [10, 0, 1, 1]
          6 [10, 0, 0, 2]
          26 [35, 41]
          28 [10, 0, 1, 255]
          12 ip-10-0-1-10
          15 example.com
    "#]]
    .assert_eq(&told);
    assert!(net.harvest().is_empty());
}

#[test]
fn every_kind_of_message_gets_its_answer() {
    let mut net = Net::new(NET);
    let own = [10, 0, 1, 10];
    let only_mtu = [55, 1, 26];
    let mut told = String::new();
    for (what, frame) in [
        ("renew", unicast(&message(3, own, &only_mtu))),
        ("rebind", broadcast(&message(3, own, &only_mtu))),
        (
            "another server's offer",
            broadcast(&message(3, [0; 4], &[54, 4, 10, 0, 1, 99])),
        ),
        (
            "a secondary address",
            broadcast(&message(3, [0; 4], &[50, 4, 10, 0, 1, 20])),
        ),
        ("a former address", unicast(&message(3, [10, 0, 9, 9], &[]))),
        ("inform", unicast(&message(8, own, &only_mtu))),
        (
            "decline",
            broadcast(&message(4, [0; 4], &[50, 4, 10, 0, 1, 10])),
        ),
        ("release", unicast(&message(7, own, &[]))),
        ("a server's message", broadcast(&message(2, [0; 4], &[]))),
        ("no such kind", broadcast(&message(99, [0; 4], &[]))),
        ("cut option", broadcast(&message(1, [0; 4], &[55, 200]))),
        ("no message", broadcast(&[0; 100])),
    ] {
        told += &format!("{what}: {}", asked(&mut net, frame));
    }
    let mut to_everybody = message(1, [0; 4], &only_mtu);
    to_everybody[10] = 0x80;
    told += &format!(
        "to everybody: {}",
        asked(&mut net, broadcast(&to_everybody))
    );
    let mut relayed = message(1, [0; 4], &[]);
    relayed[24] = 10;
    told += &format!("relayed: {}", asked(&mut net, broadcast(&relayed)));
    let mut another = message(1, [0; 4], &[]);
    another[33] ^= 1;
    told += &format!(
        "for another MAC address: {}",
        asked(&mut net, broadcast(&another))
    );
    expect![[r#"
        renew: 10.0.1.1 > 10.0.1.10: 10.0.1.10
          53 [5]
          54 [10, 0, 1, 1]
          51 [0, 0, 14, 16]
          1 [255, 255, 255, 0]
          26 [35, 41]
        rebind: 10.0.1.1 > 10.0.1.10: 10.0.1.10
          53 [5]
          54 [10, 0, 1, 1]
          51 [0, 0, 14, 16]
          1 [255, 255, 255, 0]
          26 [35, 41]
        another server's offer: Drop(ServiceUnavailable)
        a secondary address: 10.0.1.1 > 255.255.255.255: 0.0.0.0
          53 [6]
          54 [10, 0, 1, 1]
        a former address: 10.0.1.1 > 255.255.255.255: 0.0.0.0
          53 [6]
          54 [10, 0, 1, 1]
        inform: 10.0.1.1 > 10.0.1.10: 0.0.0.0
          53 [5]
          54 [10, 0, 1, 1]
          1 [255, 255, 255, 0]
          26 [35, 41]
        decline: Drop(ServiceUnavailable)
        release: Drop(ServiceUnavailable)
        a server's message: Drop(ServiceUnavailable)
        no such kind: Drop(ServiceUnavailable)
        cut option: Drop(ServiceUnavailable)
        no message: Drop(ServiceUnavailable)
        to everybody: 10.0.1.1 > 255.255.255.255: 10.0.1.10
          53 [2]
          54 [10, 0, 1, 1]
          51 [0, 0, 14, 16]
          1 [255, 255, 255, 0]
          26 [35, 41]
        relayed: Drop(ServiceUnavailable)
        for another MAC address: Drop(ServiceUnavailable)
    "#]]
    .assert_eq(&told);
}

#[test]
fn the_vpcs_option_set_is_told() {
    let mut net = Net::new(&NET.replace(
        "dhcp domain-name-servers AmazonProvidedDNS",
        "dhcp domain-name-servers 10.0.9.1 fd00::1 10.0.9.2\n\
         dhcp ntp-servers 10.0.9.3 fd00::3\n\
         dhcp netbios-name-servers 10.0.9.4\n\
         dhcp netbios-node-type 2",
    ));
    let wanted = [55, 5, 6, 15, 42, 44, 46];
    let mut told = asked(&mut net, broadcast(&message(1, [0; 4], &wanted)));
    let no_set: String = NET
        .lines()
        .filter(|l| !l.starts_with("dhcp"))
        .map(|l| format!("{l}\n"))
        .collect();
    net.change(&no_set);
    told += &asked(&mut net, broadcast(&message(1, [0; 4], &wanted)));
    expect![[r#"
        10.0.1.1 > 10.0.1.10: 10.0.1.10
          53 [2]
          54 [10, 0, 1, 1]
          51 [0, 0, 14, 16]
          1 [255, 255, 255, 0]
          6 [10, 0, 9, 1, 10, 0, 9, 2]
          42 [10, 0, 9, 3]
          44 [10, 0, 9, 4]
          46 [2]
          15 example.com
        10.0.1.1 > 10.0.1.10: 10.0.1.10
          53 [2]
          54 [10, 0, 1, 1]
          51 [0, 0, 14, 16]
          1 [255, 255, 255, 0]
          6 [169, 254, 169, 253]
    "#]]
    .assert_eq(&told);
}

#[test]
fn an_answer_is_no_longer_than_its_client_takes() {
    let label = "a".repeat(60);
    let long = format!("{label}.{label}.{label}.{label}");
    let servers = "10.0.9.1 10.0.9.2 10.0.9.3 10.0.9.4";
    let text = NET.replace("example.com", &long).replace(
        "AmazonProvidedDNS",
        &format!("{servers}\ndhcp ntp-servers {servers}\ndhcp netbios-name-servers {servers}"),
    );
    let mut net = Net::new(&text);
    let usual = asked(&mut net, broadcast(&message(1, [0; 4], &[])));
    assert!(net.dataplane.emitted()[0].1.len() <= 14 + 576);
    let large = asked(&mut net, broadcast(&message(1, [0; 4], &[57, 2, 5, 220])));
    assert!(large.contains(&format!("  15 {long}\n")));
    assert!(usual.contains("  3 [10, 0, 1, 1]\n"));
}

/// An option of version 6: its code and its value.
type Option6<'a> = (u16, &'a [u8]);

/// A client's message of version 6.
fn message6(kind: u8, options: &[Option6<'_>]) -> Vec<u8> {
    let mut bytes = vec![kind, 0xab, 0xcd, 0xef];
    for (code, value) in options {
        bytes.extend(code.to_be_bytes());
        bytes.extend((value.len() as u16).to_be_bytes());
        bytes.extend(*value);
    }
    bytes
}

fn asked6(net: &mut Net, message: &[u8]) -> String {
    let group = packet::ndp::multicast_mac(ALL_SERVERS);
    let frame = Frame::v6(mac(), group, LINK_LOCAL, ALL_SERVERS).udp(546, 547, message);
    match forward(net, frame) {
        Verdict::Emit => {}
        verdict => return format!("{verdict:?}\n"),
    }
    let [(to, frame)] = net.dataplane.emitted() else {
        panic!();
    };
    assert_eq!(*to, net.port("x"));
    assert!(packet::build::checksum_is_valid(frame));
    let packet = packet::Packet::parse(frame).unwrap();
    let ip = packet.ip().unwrap();
    assert_eq!((ip.src_port, ip.dst_port), (547, 546));
    assert_eq!(
        (ip.src, ip.dst),
        (ROUTER_LINK_LOCAL.into(), LINK_LOCAL.into())
    );
    let answer = &ip.transport(frame)[8..];
    assert_eq!(answer[1..4], [0xab, 0xcd, 0xef]);
    let mut text = format!("message {}\n", answer[0]);
    options6(&answer[4..], 1, &mut text);
    text
}

fn options6(bytes: &[u8], depth: usize, text: &mut String) {
    dhcpv6::for_each_option(bytes, |code, value| {
        *text += &"  ".repeat(depth);
        match code {
            2 => {
                assert_eq!(value, link_layer_id(router()));
                *text += "2 the router\n";
            }
            3 | 25 => {
                *text += &format!("{code} {:?}\n", &value[..12]);
                options6(&value[12..], depth + 1, text);
            }
            5 => {
                let address: [u8; 16] = value[..16].try_into().unwrap();
                *text += &format!("5 {} {:?}\n", Ipv6Addr::from(address), &value[16..]);
            }
            23 => {
                let servers = value.as_chunks::<16>().0.iter().map(|a| Ipv6Addr::from(*a));
                *text += &format!("23 {:?}\n", servers.collect::<Vec<_>>());
            }
            24 => *text += &format!("24 {:?}\n", String::from_utf8_lossy(value)),
            _ => *text += &format!("{code} {value:?}\n"),
        }
        Ok(())
    })
    .unwrap();
}

const CLIENT: Option6<'_> = (1, &[0, 3, 0, 1, 9]);
/// Name servers, domains, a time server.
const WANTED: Option6<'_> = (6, &[0, 23, 0, 24, 0, 56]);

/// An association with no address, or with one.
fn association(id: u8, address: Option<&str>) -> Vec<u8> {
    let mut value = vec![0, 0, 0, id, 0, 0, 0, 0, 0, 0, 0, 0];
    if let Some(address) = address {
        value.extend([0, 5, 0, 24]);
        value.extend(address.parse::<Ipv6Addr>().unwrap().octets());
        value.extend([0; 8]);
    }
    value
}

#[test]
fn an_interface_gets_its_ipv6_address() {
    let mut net = Net::new(NET);
    let (first, second) = (association(1, None), association(2, None));
    let prefix = association(3, None);
    let solicit = message6(
        1,
        &[CLIENT, WANTED, (3, &first), (3, &second), (25, &prefix)],
    );
    let mut told = asked6(&mut net, &solicit);
    let server = link_layer_id(router());
    let request = message6(3, &[CLIENT, (2, &server), WANTED, (3, &first)]);
    told += &asked6(&mut net, &request);
    expect![[r#"
        message 2
          1 [0, 3, 0, 1, 9]
          2 the router
          3 [0, 0, 0, 1, 0, 0, 0, 70, 0, 0, 0, 112]
            5 2001:db8:0:101::10 [0, 0, 0, 140, 0, 0, 1, 194]
          3 [0, 0, 0, 2, 0, 0, 0, 70, 0, 0, 0, 112]
            13 [0, 2]
          25 [0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0]
            13 [0, 6]
          23 [fd00:ec2::253]
          24 "\u{7}example\u{3}com\0"
        message 7
          1 [0, 3, 0, 1, 9]
          2 the router
          3 [0, 0, 0, 1, 0, 0, 0, 70, 0, 0, 0, 112]
            5 2001:db8:0:101::10 [0, 0, 0, 140, 0, 0, 1, 194]
          23 [fd00:ec2::253]
          24 "\u{7}example\u{3}com\0"
    "#]]
    .assert_eq(&told);
    assert!(net.harvest().is_empty());
}

#[test]
fn every_kind_of_message_of_version_6_gets_its_answer() {
    let mut net = Net::new(&NET.replace(
        "dhcp domain-name example.com",
        "dhcp domain-name example.com\n\
         dhcp ntp-servers 10.0.9.3 fd00::3\n\
         dhcp ipv6-address-preferred-lease-time 1000",
    ));
    let server = link_layer_id(router());
    let (us, another): (Option6<'_>, Option6<'_>) = ((2, &server), (2, &[0, 3, 0, 1, 7]));
    let own = association(1, Some("2001:db8:0:101::10"));
    let former = association(1, Some("2001:db8:0:101::99"));
    let (own, former): (Option6<'_>, Option6<'_>) = ((3, &own), (3, &former));
    let mut told = String::new();
    for (what, message) in [
        ("rapid commit", message6(1, &[CLIENT, (14, &[]), own])),
        ("renew", message6(5, &[CLIENT, us, own])),
        ("renew a former address", message6(5, &[CLIENT, us, former])),
        ("renew with another", message6(5, &[CLIENT, another, own])),
        ("rebind", message6(6, &[CLIENT, own])),
        ("confirm", message6(4, &[CLIENT, own])),
        ("confirm a former address", message6(4, &[CLIENT, former])),
        ("confirm nothing", message6(4, &[CLIENT])),
        ("release", message6(8, &[CLIENT, us, own])),
        ("decline", message6(9, &[CLIENT, us, own])),
        ("information", message6(11, &[WANTED])),
        ("nobody solicits", message6(1, &[own])),
        ("a relay's message", message6(12, &[CLIENT])),
        ("cut", message6(1, &[CLIENT])[..7].to_vec()),
        ("cut association", message6(1, &[CLIENT, (3, &[0; 11])])),
    ] {
        told += &format!("{what}: {}", asked6(&mut net, &message));
    }
    expect![[r#"
        rapid commit: message 7
          1 [0, 3, 0, 1, 9]
          2 the router
          14 []
          3 [0, 0, 0, 1, 0, 0, 1, 244, 0, 0, 3, 32]
            5 2001:db8:0:101::10 [0, 0, 3, 232, 0, 0, 5, 30]
        renew: message 7
          1 [0, 3, 0, 1, 9]
          2 the router
          3 [0, 0, 0, 1, 0, 0, 1, 244, 0, 0, 3, 32]
            5 2001:db8:0:101::10 [0, 0, 3, 232, 0, 0, 5, 30]
        renew a former address: message 7
          1 [0, 3, 0, 1, 9]
          2 the router
          3 [0, 0, 0, 1, 0, 0, 1, 244, 0, 0, 3, 32]
            5 2001:db8:0:101::10 [0, 0, 3, 232, 0, 0, 5, 30]
            5 2001:db8:0:101::99 [0, 0, 0, 0, 0, 0, 0, 0]
        renew with another: Drop(ServiceUnavailable)
        rebind: message 7
          1 [0, 3, 0, 1, 9]
          2 the router
          3 [0, 0, 0, 1, 0, 0, 1, 244, 0, 0, 3, 32]
            5 2001:db8:0:101::10 [0, 0, 3, 232, 0, 0, 5, 30]
        confirm: message 7
          1 [0, 3, 0, 1, 9]
          2 the router
          13 [0, 0]
        confirm a former address: message 7
          1 [0, 3, 0, 1, 9]
          2 the router
          13 [0, 4]
        confirm nothing: Drop(ServiceUnavailable)
        release: message 7
          1 [0, 3, 0, 1, 9]
          2 the router
          13 [0, 0]
        decline: message 7
          1 [0, 3, 0, 1, 9]
          2 the router
          13 [0, 0]
        information: message 7
          2 the router
          23 [fd00:ec2::253]
          24 "\u{7}example\u{3}com\0"
          56 [0, 1, 0, 16, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3]
        nobody solicits: Drop(ServiceUnavailable)
        a relay's message: Drop(ServiceUnavailable)
        cut: Drop(ServiceUnavailable)
        cut association: Drop(ServiceUnavailable)
    "#]]
    .assert_eq(&told);
}

#[test]
fn a_subnet_without_ipv6_has_no_addresses_to_give() {
    let text = NET
        .replace(" 2001:db8:0:101::/64", "")
        .replace(" 2001:db8:0:101::10 2001:db8:0:101::20", "");
    let mut net = Net::new(&text);
    let told = asked6(
        &mut net,
        &message6(1, &[CLIENT, (3, &association(1, None))]),
    );
    assert!(told.contains("    13 [0, 2]\n"), "{told}");
}

#[test]
fn dhcp_is_for_the_router_and_has_an_allowance_of_its_own() {
    let mut net = Net::new(NET);
    // A server of the customer's own is somebody like any other.
    let elsewhere = Frame::v4(mac(), router(), [10, 0, 1, 10].into(), [10, 0, 7, 7].into());
    let elsewhere = elsewhere.udp(68, 67, &message(3, [10, 0, 1, 10], &[]));
    assert_eq!(
        forward(&mut net, elsewhere),
        Verdict::Drop(DropReason::SecurityGroup)
    );
    let lookup = Frame::v4(mac(), router(), [10, 0, 1, 10].into(), [10, 0, 0, 2].into());
    for _ in 0..2000 {
        forward(&mut net, lookup.udp(1, 53, &[0; 12]));
    }
    assert_eq!(
        net.dataplane
            .counters()
            .dropped(DropReason::ServiceRateExceeded),
        976
    );
    let discover = broadcast(&message(1, [0; 4], &[]));
    for _ in 0..1024 {
        assert_eq!(forward(&mut net, discover.clone()), Verdict::Emit);
    }
    let limited = Verdict::Drop(DropReason::ServiceRateExceeded);
    assert_eq!(forward(&mut net, discover.clone()), limited);
    net.wait(1);
    assert_eq!(forward(&mut net, discover), Verdict::Emit);
}
