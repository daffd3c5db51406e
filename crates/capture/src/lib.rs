//! Captures of packets: pcap and pcapng in, pcapng out, and the IP packets that their links carry.
//!
//! A [`Reader`] gives the packets of a capture one after the other, out of memory of its own, and
//! says of everything that it cannot read where that is and what is wrong with it. [`ip_in`] finds
//! the IP packet in what one kind of link carries. [`Writer`] writes pcapng.
//!
//! Formats: "PCAP Capture File Format" and "PCAP Next Generation (pcapng) Capture File Format", the
//! Internet-Drafts of the OPSAWG working group. The crates that read them do not say where a damaged
//! file is damaged and do not know the packet block of old pcapng files, hence this one.
//!
//! It opens no file and knows no clock; bytes are any bytes.

mod blocks;
mod buffer;
mod link;
mod problem;
mod reader;
mod time;
mod writer;

pub use link::{Ip, LinkType, NotIp, ip_in};
pub use problem::{Place, Problem, ProblemKind};
pub use reader::{Captured, Interface, Item, NotACapture, Reader, Statistics};
pub use writer::{Direction, InterfaceStatistics, Record, Writer};

#[cfg(test)]
mod tests;
