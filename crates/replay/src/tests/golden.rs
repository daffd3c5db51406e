//! Whole captures and the records that they leave.

use expect_test::expect;

use super::support::{START, frame, options, pcapng, replayed};
use crate::{Options, TrafficType};

#[test]
fn a_capture_leaves_the_records_of_its_packets_at_its_own_times() {
    let frames = [
        (0, "198.51.100.7:50000 > 10.0.1.10:443 syn"),
        (10, "10.0.1.10:443 > 198.51.100.7:50000 synack"),
        (1_500, "198.51.100.7:50000 > 10.0.1.10:443 ack 100"),
        (2_000, "198.51.100.7:50001 > 10.0.1.10:22 syn"),
        (3_000, "203.0.113.9 > 10.0.1.10 ping 8"),
        (3_100, "198.51.100.7 > 10.0.1.10 ping 8"),
        (4_000, "10.0.2.20:40000 > 10.0.1.10:5432 syn"),
        (4_100, "10.0.1.10:5432 > 10.0.2.20:40000 synack"),
        (5_000, "2001:db8:9::1:40000 > 2001:db8:1:100::10:443 syn"),
        (61_000, "198.51.100.7:50000 > 10.0.1.10:443 fin"),
        (185_000, "10.0.1.10:443 > 198.51.100.7:50000 fin"),
    ]
    .map(|(ms, text)| {
        let text = text.replace("2001:db8:9::1:40000", "[2001:db8:9::1]:40000");
        (
            ms,
            frame(&text.replace("2001:db8:1:100::10:443", "[2001:db8:1:100::10]:443")),
        )
    });
    expect![[r#"
        2 123456789012 eni-00000001 198.51.100.7 10.0.1.10 50000 443 6 2 180 1763000040 1763000041 ACCEPT OK
        2 123456789012 eni-00000001 10.0.1.10 198.51.100.7 443 50000 6 1 40 1763000040 1763000040 ACCEPT OK
        2 123456789012 eni-00000001 198.51.100.7 10.0.1.10 50001 22 6 1 40 1763000042 1763000042 REJECT OK
        2 123456789012 eni-00000001 198.51.100.7 10.0.1.10 0 0 1 1 36 1763000043 1763000043 ACCEPT OK
        2 123456789012 eni-00000001 203.0.113.9 10.0.1.10 0 0 1 1 36 1763000043 1763000043 REJECT OK
        2 123456789012 eni-00000001 10.0.2.20 10.0.1.10 40000 5432 6 1 40 1763000044 1763000044 ACCEPT OK
        2 123456789012 eni-00000001 10.0.1.10 10.0.2.20 5432 40000 6 1 40 1763000044 1763000044 ACCEPT OK
        2 123456789012 eni-00000001 2001:db8:9::1 2001:db8:1:100::10 40000 443 6 1 60 1763000045 1763000045 ACCEPT OK
        2 123456789012 eni-00000001 198.51.100.7 10.0.1.10 50000 443 6 1 40 1763000101 1763000101 ACCEPT OK
        2 123456789012 eni-00000001 - - - - - - - 1763000160 1763000220 - NODATA
        2 123456789012 eni-00000001 10.0.1.10 198.51.100.7 443 50000 6 1 40 1763000225 1763000225 ACCEPT OK
        ---
        packets in the capture: 11
        accepted: 9 packets, 476 bytes
        rejected: 2 packets, 76 bytes
        records: 10
    "#]].assert_eq(&replayed(&pcapng("eth0", &frames), &options()));
    let rejects = Options {
        traffic_type: TrafficType::Reject,
        log_format: "${interface-id} ${instance-id} ${flow-direction} ${srcaddr} ${dstport} ${action} ${end}"
            .to_owned(),
        ..options()
    };
    expect![[r#"
        eni-00000001 i-00000001 ingress 198.51.100.7 22 REJECT 1763000042
        eni-00000001 i-00000001 ingress 203.0.113.9 0 REJECT 1763000043
        eni-00000001 i-00000001 - - - - 1763000220
        ---
        packets in the capture: 11
        accepted: 9 packets, 476 bytes
        rejected: 2 packets, 76 bytes
        records: 2
    "#]]
    .assert_eq(&replayed(&pcapng("eth0", &frames), &rejects));
}

#[test]
fn odd_packets_are_counted_with_their_place_and_the_rest_is_replayed() {
    let syn = || frame("198.51.100.7:50000 > 10.0.1.10:443 syn");
    let mut longer_than_its_frame = syn();
    longer_than_its_frame[16] = 9;
    let arp = [&[0xff; 6][..], &[6, 0, 0, 0, 0, 1], &[8, 6], &[0; 28]].concat();
    let frames = [
        (5_000, syn()),
        (5_000, arp),
        (5_001, longer_than_its_frame),
        (5_002, syn()[..20].to_vec()),
        (5_003, frame("198.51.100.7:50000 > 192.0.2.1:443 syn")),
        (3_000, syn()),
        (5_004, frame("198.51.100.7:50000 > 10.0.1.10:443 ack 9100")),
        // The Amazon DNS server is not logged.
        (5_005, frame("10.0.1.10:40000 > 10.0.0.2:53 udp 30")),
    ]
    .map(|(ms, mut bytes)| {
        if bytes.get(30..34) == Some(&[192, 0, 2, 1]) {
            // Not for the interface by its MAC address either.
            bytes[..6].copy_from_slice(&[6, 0, 0, 0, 0, 0x77]);
        }
        (ms, bytes)
    });
    let mut file = pcapng("eth0", &frames);
    file.extend([6, 0, 0, 0, 64, 0, 0, 0, 1, 2, 3, 4]);
    expect![[r#"
        2 123456789012 eni-00000001 198.51.100.7 10.0.1.10 50000 443 6 3 9220 1763000045 1763000045 ACCEPT OK
        ---
        packet 9 at byte 9952: the capture ends here, 12 of 64 bytes are left
        packets in the capture: 8
        accepted: 3 packets, 9220 bytes
        rejected: 0 packets, 0 bytes
        records: 1
        left no record: 1
          not logged by AWS: DNS, DHCP, metadata, time, and answers of those: 1
        skipped: 5
          ARP: 1, the first is packet 2 at byte 184
          malformed: 2, the first is packet 3 at byte 272
          neither from nor to the interface: 1, the first is packet 5 at byte 436
          the capture ends within it: 1, the first is packet 9 at byte 9952
        noted: 2
          earlier than the packet before, counted in the window that is open: 1, the first is packet 6 at byte 536
          longer than the VPC's MTU, counted as one packet: 1, the first is packet 7 at byte 636
    "#]].assert_eq(&replayed(&file, &options()));
}

#[test]
fn packets_of_another_interface_are_left_out() {
    let frames = [(0, frame("198.51.100.7:50000 > 10.0.1.10:443 syn"))];
    let text = replayed(&pcapng("eni-00000002", &frames), &options());
    assert!(
        text.contains("captured on another interface: 1, the first is packet 1"),
        "{text}"
    );
    let text = replayed(&pcapng("eni-00000001", &frames), &options());
    assert!(
        text.starts_with("2 123456789012 eni-00000001 198.51.100.7 10.0.1.10"),
        "{text}"
    );
}

#[test]
fn flows_that_do_not_fit_are_told_by_skipdata() {
    let frames: Vec<_> = (0..9_u64)
        .map(|n| {
            let text = format!("198.51.100.7:{} > 10.0.1.10:443 syn", 50_000 + n);
            (n, frame(&text))
        })
        .collect();
    let few = Options {
        flows_max: 4,
        ..options()
    };
    let text = replayed(&pcapng("eth0", &frames), &few);
    assert_eq!(text.matches(" ACCEPT OK\n").count(), 4, "{text}");
    let skipped = format!("2 123456789012 eni-00000001 - - - - - - - {START} {START} - SKIPDATA\n");
    assert!(text.contains(&skipped), "{text}");
    assert!(text.contains("records with SKIPDATA: 1"), "{text}");
}

/// The same packets on every kind of link, cut or whole, leave the same records.
#[test]
fn the_link_does_not_matter() {
    let texts = [
        "198.51.100.7:50000 > 10.0.1.10:443 syn",
        "10.0.1.10:443 > 198.51.100.7:50000 synack",
        "198.51.100.7:50000 > 10.0.1.10:443 ack 1000",
        "203.0.113.9 > 10.0.1.10 ping 800",
    ];
    let capture = |link: u32, head: &dyn Fn(&[u8]) -> Vec<u8>, snaplen: usize| {
        let words = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, link];
        let mut file: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
        for text in texts {
            let frame = frame(text);
            let packet = [head(&frame), frame[14..].to_vec()].concat();
            let kept = packet.len().min(snaplen);
            let words = [START as u32, 0, kept as u32, packet.len() as u32];
            file.extend(words.into_iter().flat_map(u32::to_le_bytes));
            file.extend(&packet[..kept]);
        }
        file
    };
    let ethernet = |frame: &[u8]| frame[..14].to_vec();
    let whole = replayed(&capture(1, &ethernet, 9999), &options());
    assert_eq!(whole.matches(" OK\n").count(), 3, "{whole}");
    let tagged = |frame: &[u8]| [&frame[..12], &[0x81, 0, 0, 9, 8, 0]].concat();
    let cooked = |_: &[u8]| [&[0; 14][..], &[8, 0]].concat();
    let cooked2 = |_: &[u8]| [&[8, 0], &[0; 18][..]].concat();
    let loopback = |_: &[u8]| vec![2, 0, 0, 0];
    for snaplen in [9999, 64, 60] {
        for (link, text) in [
            (1, replayed(&capture(1, &ethernet, snaplen), &options())),
            (1, replayed(&capture(1, &tagged, snaplen), &options())),
            (
                101,
                replayed(&capture(101, &|_| Vec::new(), snaplen), &options()),
            ),
            (113, replayed(&capture(113, &cooked, snaplen), &options())),
            (276, replayed(&capture(276, &cooked2, snaplen), &options())),
            (0, replayed(&capture(0, &loopback, snaplen), &options())),
        ] {
            assert_eq!(text, whole, "link {link} snaplen {snaplen}");
        }
    }
    // What rules look at is gone.
    let cut = replayed(&capture(1, &ethernet, 40), &options());
    assert!(
        cut.contains("cut within its headers: 4, the first is packet 1 at byte 24"),
        "{cut}"
    );
}
