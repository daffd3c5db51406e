//! Captures made by hand, and what is read of them in a few words.

use crate::{Item, Reader, Statistics};

/// The beginning of a pcap file.
pub(crate) fn pcap(magic: [u8; 4], big: bool, snaplen: u32, link: u32) -> Vec<u8> {
    let word = |value: u32| match big {
        true => value.to_be_bytes(),
        false => value.to_le_bytes(),
    };
    let version = match big {
        true => [0, 2, 0, 4],
        false => [2, 0, 4, 0],
    };
    let words = [word(0), word(0), word(snaplen), word(link)];
    [magic, version]
        .concat()
        .into_iter()
        .chain(words.concat())
        .collect()
}

/// A packet of a pcap file.
pub(crate) fn pcap_packet(big: bool, head: [u32; 4], bytes: &[u8]) -> Vec<u8> {
    let words = head.map(|value| match big {
        true => value.to_be_bytes(),
        false => value.to_le_bytes(),
    });
    [&words.concat(), bytes].concat()
}

/// A block of a pcapng file; the body is padded.
pub(crate) fn block(big: bool, kind: u32, body: &[u8]) -> Vec<u8> {
    let word = |value: u32| match big {
        true => value.to_be_bytes(),
        false => value.to_le_bytes(),
    };
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(4), 0);
    let len = word(body.len() as u32 + 12);
    [&word(kind), &len, body.as_slice(), &len].concat()
}

/// Numbers of 16 (`H`) and 32 bits (`W`), and bytes, padded.
pub(crate) enum Part<'a> {
    H(u16),
    W(u32),
    B(&'a [u8]),
}

pub(crate) fn body(big: bool, parts: &[Part<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        match (part, big) {
            (Part::H(value), true) => out.extend(value.to_be_bytes()),
            (Part::H(value), false) => out.extend(value.to_le_bytes()),
            (Part::W(value), true) => out.extend(value.to_be_bytes()),
            (Part::W(value), false) => out.extend(value.to_le_bytes()),
            (Part::B(bytes), _) => {
                out.extend_from_slice(bytes);
                out.resize(out.len().next_multiple_of(4), 0);
            }
        }
    }
    out
}

/// Every item in a line of its own.
pub(crate) fn read(bytes: &[u8]) -> String {
    let mut reader = match Reader::new(bytes) {
        Ok(reader) => reader,
        Err(error) => return format!("{error}\n"),
    };
    let mut lines = String::new();
    while let Some(item) = reader.next() {
        match item {
            Item::Problem(problem) => lines += &format!("{problem}\n"),
            Item::Statistics(statistics) => {
                let Statistics {
                    interface_index,
                    received,
                    dropped,
                    comment,
                } = statistics;
                lines += &format!(
                    "statistics of {interface_index}: {received:?} received, {dropped:?} dropped {comment:?}\n"
                );
            }
            Item::Packet(packet) => {
                let time = match packet.time_ns {
                    Some(ns) => format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000),
                    None => "no time".to_owned(),
                };
                let sent = match packet.sent {
                    None => "",
                    Some(true) => " sent",
                    Some(false) => " received",
                };
                let comments: Vec<_> = packet.comments().collect();
                lines += &format!(
                    "{} on {} at {time}: {} of {}{sent} {:02x?}{}\n",
                    packet.place,
                    packet.interface_index,
                    packet.bytes.len(),
                    packet.original_len,
                    packet.bytes,
                    comments
                        .iter()
                        .map(|c| format!(" \"{c}\""))
                        .collect::<String>(),
                );
            }
        }
    }
    lines
}
