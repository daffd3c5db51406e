//! Header views, one-pass parsing, checksums, in-place rewriting, ICMP errors, fragmentation and pretty printing of
//! Ethernet frames. It works on caller-owned bytes and allocates only where it builds new frames.
//! It never does I/O, never panics on any bytes, and knows no AWS noun.

#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod arp;
pub mod build;
pub mod checksum;
pub mod dhcp;
pub mod dhcpv6;
pub mod endpoint;
pub mod ethernet;
pub mod fragment;
pub mod icmp;
pub mod icmp_error;
pub mod icmpv6;
pub mod ipv4;
pub mod ipv6;
pub mod mss;
pub mod ndp;
pub mod ntp;
mod parse;
pub mod print;
pub mod protocol;
pub mod reset;
pub mod rewrite;
pub mod segment;
pub mod tcp;
pub mod udp;

pub use ethernet::Mac;
pub use parse::{Fragment, Icmp, Ip, Kind, Malformed, Packet};

#[cfg(test)]
mod tests;
