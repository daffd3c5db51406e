//! ARP for IPv4 over Ethernet (RFC 826).

use core::net::Ipv4Addr;

use crate::{Mac, Malformed, ethernet, protocol};

/// Length of a whole ARP frame, without padding.
pub const FRAME_LEN: usize = ethernet::HEADER_LEN + 28;

/// What an ARP packet does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Who has the target address?
    Request,
    /// The sender has the sender address.
    Reply,
    /// Anything else.
    Other(u16),
}

/// An ARP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// Request or reply.
    pub operation: Operation,
    /// MAC address of the sender.
    pub sender_mac: Mac,
    /// IPv4 address of the sender.
    pub sender: Ipv4Addr,
    /// MAC address of the target; zero in requests.
    pub target_mac: Mac,
    /// IPv4 address of the target.
    pub target: Ipv4Addr,
}

impl Arp {
    /// Parses the bytes after the Ethernet header.
    pub fn parse(payload: &[u8]) -> Result<Arp, Malformed> {
        let p: &[u8; 28] = payload.first_chunk().ok_or(Malformed::Truncated)?;
        if p[0..6] != [0, 1, 8, 0, 6, 4] {
            return Err(Malformed::BadArp);
        }
        Ok(Arp {
            operation: match u16::from_be_bytes([p[6], p[7]]) {
                1 => Operation::Request,
                2 => Operation::Reply,
                other => Operation::Other(other),
            },
            sender_mac: Mac([p[8], p[9], p[10], p[11], p[12], p[13]]),
            sender: Ipv4Addr::new(p[14], p[15], p[16], p[17]),
            target_mac: Mac([p[18], p[19], p[20], p[21], p[22], p[23]]),
            target: Ipv4Addr::new(p[24], p[25], p[26], p[27]),
        })
    }

    /// The answer to this request: `mac` has the address that was asked for.
    pub fn reply(&self, mac: Mac) -> Arp {
        Arp {
            operation: Operation::Reply,
            sender_mac: mac,
            sender: self.target,
            target_mac: self.sender_mac,
            target: self.sender,
        }
    }

    /// A request by `sender` for the MAC address of `target`.
    pub fn request(sender_mac: Mac, sender: Ipv4Addr, target: Ipv4Addr) -> Arp {
        let target_mac = Mac::default();
        Arp {
            operation: Operation::Request,
            sender_mac,
            sender,
            target_mac,
            target,
        }
    }

    /// Writes the whole Ethernet frame: requests go to the broadcast address, the rest to the target.
    pub fn write(&self, frame: &mut [u8; FRAME_LEN]) {
        let (dst, operation) = match self.operation {
            Operation::Request => (Mac::BROADCAST, 1),
            Operation::Reply => (self.target_mac, 2),
            Operation::Other(other) => (self.target_mac, other),
        };
        let header = ethernet::header(dst, self.sender_mac, protocol::ETHERTYPE_ARP);
        frame[..14].copy_from_slice(&header);
        frame[14..20].copy_from_slice(&[0, 1, 8, 0, 6, 4]);
        frame[20..22].copy_from_slice(&operation.to_be_bytes());
        frame[22..28].copy_from_slice(&self.sender_mac.0);
        frame[28..32].copy_from_slice(&self.sender.octets());
        frame[32..38].copy_from_slice(&self.target_mac.0);
        frame[38..42].copy_from_slice(&self.target.octets());
    }

    /// The whole Ethernet frame.
    pub fn frame(&self) -> [u8; FRAME_LEN] {
        let mut frame = [0; FRAME_LEN];
        self.write(&mut frame);
        frame
    }
}
