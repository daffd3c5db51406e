//! Tests of the crate through its public interface.

mod examples;
mod gateway;
mod properties;
mod segment;

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::{Mac, build::Frame, checksum, ipv4::Ipv4};

const A_MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);
const B_MAC: Mac = Mac([2, 0, 0, 0, 0, 2]);
const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const A6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
const B6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);

fn v4() -> Frame {
    Frame::v4(A_MAC, B_MAC, A, B)
}

fn v6() -> Frame {
    Frame::v6(A_MAC, B_MAC, A6, B6)
}

/// Both checksums of an IPv4 frame, the transport checksum of an IPv6 frame.
fn checksums_are_valid(frame: &[u8]) -> bool {
    let header_is_valid = match Ipv4::parse(&frame[14..]) {
        Ok(header) => header.checksum_is_valid(),
        Err(_) => true,
    };
    header_is_valid && crate::build::checksum_is_valid(frame)
}

/// The checksum computed word by word, as RFC 1071 describes it.
fn plain_checksum(bytes: &[u8]) -> u16 {
    let mut sum = 0u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !(sum as u16)
}

#[test]
fn checksum_of_the_rfc_1071_example() {
    let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
    assert_eq!(checksum::internet(&bytes), !0xddf2);
}

#[test]
fn update_of_the_rfc_1624_example() {
    assert_eq!(checksum::update_16(0xdd2f, 0x5555, 0x3285), 0x0000);
}
