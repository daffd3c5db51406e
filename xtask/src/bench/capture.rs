//! The capture that flow meters are measured with: made here, always the same.
//!
//! 10 million packets of 250,000 conversations, seen at one network interface: 500,000 flows, 85 % TCP, 12 % UDP, 3 %
//! ICMP, a tenth of them IPv6, sizes 60, 590 and 1514 as 7:4:1, 96 bytes kept of each, in 300 seconds.

use anyhow::Result;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

pub(super) const PACKETS: u64 = 10_000_000;
pub(super) const CONVERSATIONS: u64 = 250_000;
const SECONDS: u64 = 300;
const START: u64 = 1_763_000_040;
const SNAPLEN: usize = 96;
/// Packets of each conversation, half of them either way.
const ROUNDS: u64 = PACKETS / CONVERSATIONS;

/// Which conversations are live when.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// 5,000 at a time: 100,000 flows in a minute.
    Steady,
    /// All of them, all the time.
    AllActive,
}

impl Shape {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::AllActive => "allactive",
        }
    }
}

/// The network of the interface, for `weir replay --config`.
pub(super) const NETWORK: &str = r#"{
  "Vpcs": [{"VpcId": "vpc-00000001", "CidrBlock": "10.0.0.0/16",
    "Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": "2001:db8:1:100::/56"}]}],
  "Subnets": [{"SubnetId": "subnet-00000001", "VpcId": "vpc-00000001", "CidrBlock": "10.0.1.0/24",
    "Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": "2001:db8:1:100::/64"}]}],
  "NetworkAcls": [{"VpcId": "vpc-00000001", "IsDefault": true, "Entries": [
    {"RuleNumber": 90, "Protocol": "-1", "RuleAction": "deny", "Egress": false, "CidrBlock": "45.0.0.0/8"},
    {"RuleNumber": 100, "Protocol": "-1", "RuleAction": "allow", "Egress": false, "CidrBlock": "0.0.0.0/0"},
    {"RuleNumber": 101, "Protocol": "-1", "RuleAction": "allow", "Egress": false, "Ipv6CidrBlock": "::/0"},
    {"RuleNumber": 100, "Protocol": "-1", "RuleAction": "allow", "Egress": true, "CidrBlock": "0.0.0.0/0"},
    {"RuleNumber": 101, "Protocol": "-1", "RuleAction": "allow", "Egress": true, "Ipv6CidrBlock": "::/0"}]}],
  "RouteTables": [{"VpcId": "vpc-00000001", "Associations": [{"Main": true}], "Routes": [
    {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-00000001"},
    {"DestinationIpv6CidrBlock": "::/0", "GatewayId": "igw-00000001"}]}],
  "SecurityGroups": [{"GroupId": "sg-00000001", "VpcId": "vpc-00000001", "IpPermissions": [
    {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443,
      "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}]}],
  "NetworkInterfaces": [{"NetworkInterfaceId": "eni-00000001", "SubnetId": "subnet-00000001",
    "MacAddress": "06:00:00:00:00:10", "PrivateIpAddress": "10.0.1.10",
    "Association": {"PublicIp": "198.51.100.10"},
    "Ipv6Addresses": [{"Ipv6Address": "2001:db8:1:100::10"}], "Groups": [{"GroupId": "sg-00000001"}]}]
}"#;
pub(super) const INTERFACE: &str = "eni-00000001";

/// Writes the capture; answers the bytes of its IP packets.
pub(super) fn write(path: &Path, shape: Shape) -> Result<u64> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let head: [u32; 6] = [0xa1b2_c3d4, 0x0004_0002, 0, 0, SNAPLEN as u32, 1];
    for word in head {
        out.write_all(&word.to_le_bytes())?;
    }
    let group = match shape {
        Shape::Steady => 5_000,
        Shape::AllActive => CONVERSATIONS,
    };
    let (mut bytes, mut random) = (0, Random(20_261_121));
    let (mut number, mut order) = (0, Vec::new());
    let mut frame = Vec::with_capacity(1600);
    for first in (0..CONVERSATIONS).step_by(group as usize) {
        for round in 0..ROUNDS {
            order.clear();
            order.extend(first..first + group);
            random.shuffle(&mut order);
            for &conversation in &order {
                packet(conversation, round, &mut random, &mut frame);
                let micros = number * SECONDS * 1_000_000 / PACKETS;
                let kept = frame.len().min(SNAPLEN);
                let words = [
                    START + micros / 1_000_000,
                    micros % 1_000_000,
                    kept as u64,
                    frame.len() as u64,
                ];
                for word in words {
                    out.write_all(&(word as u32).to_le_bytes())?;
                }
                out.write_all(&frame[..kept])?;
                bytes += frame.len() as u64 - 14;
                number += 1;
            }
        }
    }
    out.flush()?;
    Ok(bytes)
}

/// A packet of a conversation: of the one side in even rounds, of the other in odd ones.
fn packet(conversation: u64, round: u64, random: &mut Random, frame: &mut Vec<u8>) {
    const OWN_MAC: [u8; 6] = [6, 0, 0, 0, 0, 0x10];
    const ROUTER_MAC: [u8; 6] = [6, 0, 0, 0, 0, 1];
    let kind = conversation % 100;
    let is_v6 = conversation % 11 == 3;
    // The interface is the client in every other conversation; echo and what has no rule it begins itself.
    let begins = conversation.is_multiple_of(2) || kind >= 85;
    let sent = begins == round.is_multiple_of(2);
    let last = round + 2 >= ROUNDS;
    let small = round < 2 || last;
    let size: usize = match random.below(12) {
        _ if small => 60,
        0..7 => 60,
        7..11 => 590,
        _ => 1514,
    };
    let protocol: u8 = match kind {
        0..85 => 6,
        85..97 => 17,
        _ if is_v6 => 58,
        _ => 1,
    };
    frame.clear();
    let (to, from) = if sent {
        (ROUTER_MAC, OWN_MAC)
    } else {
        (OWN_MAC, ROUTER_MAC)
    };
    frame.extend_from_slice(&to);
    frame.extend_from_slice(&from);
    let mix = conversation.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    if is_v6 {
        let size = size.max(74);
        frame.extend_from_slice(&[0x86, 0xdd, 0x60, 0, 0, 0]);
        frame.extend_from_slice(&((size - 54) as u16).to_be_bytes());
        frame.extend_from_slice(&[protocol, 64]);
        let own = [0x20, 1, 0x0d, 0xb8, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0x10];
        let mut peer = [0x26, 0, 0x1f, 0x18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        peer[8..].copy_from_slice(&mix.to_be_bytes());
        let (src, dst) = if sent { (own, peer) } else { (peer, own) };
        frame.extend_from_slice(&src);
        frame.extend_from_slice(&dst);
        transport(frame, conversation, round, protocol, begins, sent, last);
        frame.resize(size, 0);
        return;
    }
    frame.extend_from_slice(&[8, 0, 0x45, 0]);
    frame.extend_from_slice(&((size - 14) as u16).to_be_bytes());
    frame.extend_from_slice(&[0, 0, 0x40, 0, 64, protocol, 0, 0]);
    let own = [10, 0, 1, 10];
    // One in twenty is of a block that the network ACL denies.
    let block = if kind % 20 == 19 { 45 } else { 52 };
    let [.., a, b, c] = (mix >> 16).to_be_bytes();
    let (src, dst) = if sent {
        (own, [block, a, b, c])
    } else {
        ([block, a, b, c], own)
    };
    frame.extend_from_slice(&src);
    frame.extend_from_slice(&dst);
    transport(frame, conversation, round, protocol, begins, sent, last);
    frame.resize(size, 0);
}

fn transport(
    frame: &mut Vec<u8>,
    conversation: u64,
    round: u64,
    protocol: u8,
    begins: bool,
    sent: bool,
    last: bool,
) {
    let client = 1024 + (conversation % 60_000) as u16;
    let by_client = begins == sent;
    let server: u16 = if protocol == 17 { 53 } else { 443 };
    let (src, dst) = if by_client {
        (client, server)
    } else {
        (server, client)
    };
    match protocol {
        6 => {
            frame.extend_from_slice(&src.to_be_bytes());
            frame.extend_from_slice(&dst.to_be_bytes());
            frame.extend_from_slice(&[0; 8]);
            let flags = match (round, last) {
                (0, _) => 0x02,
                (1, _) => 0x12,
                (_, true) => 0x11,
                (_, false) => 0x10,
            };
            frame.extend_from_slice(&[0x50, flags, 0x20, 0, 0, 0, 0, 0]);
        }
        17 => {
            frame.extend_from_slice(&src.to_be_bytes());
            frame.extend_from_slice(&dst.to_be_bytes());
            frame.extend_from_slice(&[0, 8, 0, 0]);
        }
        _ => {
            let kind = match (protocol, by_client) {
                (1, true) => 8,
                (1, false) => 0,
                (_, true) => 128,
                (_, false) => 129,
            };
            frame.extend_from_slice(&[kind, 0, 0, 0]);
            frame.extend_from_slice(&client.to_be_bytes());
            frame.extend_from_slice(&[0, 0]);
        }
    }
}

/// The same numbers on every machine (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 33) % limit
    }

    fn shuffle(&mut self, values: &mut [u64]) {
        for at in (1..values.len()).rev() {
            let other = self.below(at as u64 + 1) as usize;
            values.swap(at, other);
        }
    }
}
