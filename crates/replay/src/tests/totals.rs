//! Sums over records are sums over packets.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::support::{frame, options, pcapng, replayed};

type Sums = BTreeMap<(String, String), (u64, u64)>;

proptest! {
    /// Whatever order and times packets have, every one is in one record: of its addresses, ports
    /// and bytes, counted here from the text that the packets are made from.
    #[test]
    fn records_count_every_packet_once(
        packets in prop::collection::vec((0_u64..200_000, 0_u16..6, any::<bool>(), 0_usize..1400), 1..120),
        sorted in any::<bool>(),
    ) {
        let mut packets = packets;
        if sorted {
            packets.sort_unstable();
        }
        let mut expected = Sums::new();
        let frames: Vec<_> = packets.iter().map(|&(ms, port, sent, len)| {
            let (peer, own) = (format!("198.51.100.7:{}", 50_000 + port), "10.0.1.10:443");
            let (src, dst) = if sent { (own, peer.as_str()) } else { (peer.as_str(), own) };
            let sum = expected.entry((src.to_owned(), dst.to_owned())).or_default();
            *sum = (sum.0 + 1, sum.1 + 40 + len as u64);
            (ms, frame(&format!("{src} > {dst} ack {len}")))
        }).collect();
        let text = replayed(&pcapng("eth0", &frames), &options());
        let (records, _) = text.split_once("---\n").unwrap();
        let mut sums = Sums::new();
        for line in records.lines() {
            let fields: Vec<_> = line.split(' ').collect();
            if fields[13] != "OK" {
                continue;
            }
            let key = (format!("{}:{}", fields[3], fields[5]), format!("{}:{}", fields[4], fields[6]));
            let sum = sums.entry(key).or_default();
            sum.0 += fields[8].parse::<u64>().unwrap();
            sum.1 += fields[9].parse::<u64>().unwrap();
        }
        prop_assert_eq!(sums, expected);
    }

    #[test]
    fn any_packets_are_survived(
        packets in prop::collection::vec((any::<u32>(), prop::collection::vec(any::<u8>(), 0..120)), 0..20),
        like_ip in any::<bool>(),
    ) {
        let frames: Vec<_> = packets.into_iter().map(|(ms, mut bytes)| {
            if like_ip && bytes.len() > 34 {
                bytes[..16].copy_from_slice(&[6, 0, 0, 0, 0, 0x10, 6, 0, 0, 0, 0, 1, 8, 0, 0x45, 0]);
            }
            (u64::from(ms), bytes)
        }).collect();
        let text = replayed(&pcapng("eth0", &frames), &options());
        let count = format!("packets in the capture: {}\n", frames.len());
        prop_assert!(text.contains(&count), "{}", text);
    }
}
