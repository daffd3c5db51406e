//! IPv6 neighbour discovery (RFC 4861): solicitations, advertisements and router advertisements.

use alloc::vec::Vec;
use core::net::Ipv6Addr;

use crate::{Ip, Mac, Malformed, build::Frame, icmpv6, protocol};

/// The hop limit of every discovery message; anything else came from another link.
pub const HOP_LIMIT: u8 = 255;
/// All nodes of the link.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// All routers of the link.
pub const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

const OPTION_SOURCE_MAC: u8 = 1;
const OPTION_TARGET_MAC: u8 = 2;
const OPTION_PREFIX: u8 = 3;
const OPTION_MTU: u8 = 5;

/// A discovery message that a router must understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// Which routers are there?
    RouterSolicitation {
        /// The sender's MAC address, if it says so.
        source_mac: Option<Mac>,
    },
    /// Who has an address?
    NeighbourSolicitation(Solicitation),
    /// Somebody has an address.
    NeighbourAdvertisement(Advertisement),
}

/// A neighbour solicitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Solicitation {
    /// The address that is asked for.
    pub target: Ipv6Addr,
    /// The sender's MAC address; absent while it checks whether its address is taken.
    pub source_mac: Option<Mac>,
}

/// A neighbour advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advertisement {
    /// The address that is answered for.
    pub target: Ipv6Addr,
    /// The MAC address of the target.
    pub target_mac: Option<Mac>,
    /// The sender is a router.
    pub router: bool,
    /// This answers a solicitation.
    pub solicited: bool,
    /// Replace what the neighbour cache holds.
    pub overriding: bool,
}

/// A router advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouterAdvertisement<'a> {
    /// Hop limit that hosts should use; 0 leaves it to them.
    pub hop_limit: u8,
    /// Addresses come from DHCPv6.
    pub managed: bool,
    /// Other configuration comes from DHCPv6.
    pub other: bool,
    /// How long the router is a default router; 0 means that it is none.
    pub router_lifetime_s: u16,
    /// MTU of the link.
    pub mtu: Option<u32>,
    /// Prefixes of the link.
    pub prefixes: &'a [Prefix],
}

/// A prefix in a router advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The prefix.
    pub address: Ipv6Addr,
    /// Its length in bits.
    pub len: u8,
    /// Addresses of the prefix are on this link.
    pub on_link: bool,
    /// Hosts may make addresses of their own from it.
    pub autonomous: bool,
    /// How long the prefix is valid.
    pub valid_s: u32,
    /// How long addresses of it are preferred.
    pub preferred_s: u32,
}

impl Message {
    /// The discovery message of a parsed packet; `None` when it is none, or is to be ignored for its hop limit or code.
    pub fn parse(frame: &[u8], ip: &Ip) -> Result<Option<Message>, Malformed> {
        let Some(icmp) = ip.icmp.filter(|_| ip.protocol == protocol::ICMPV6) else {
            return Ok(None);
        };
        if ip.ttl != HOP_LIMIT || icmp.code != 0 || ip.fragment.is_some() {
            return Ok(None);
        }
        let message = ip.transport(frame);
        Ok(match icmp.icmp_type {
            icmpv6::ROUTER_SOLICITATION => {
                let source_mac = mac_option(message.get(8..), OPTION_SOURCE_MAC)?;
                Some(Message::RouterSolicitation { source_mac })
            }
            icmpv6::NEIGHBOUR_SOLICITATION => {
                let target = target(message)?;
                let source_mac = mac_option(message.get(24..), OPTION_SOURCE_MAC)?;
                Some(Message::NeighbourSolicitation(Solicitation {
                    target,
                    source_mac,
                }))
            }
            icmpv6::NEIGHBOUR_ADVERTISEMENT => {
                let flags = message.get(4).copied().unwrap_or_default();
                Some(Message::NeighbourAdvertisement(Advertisement {
                    target: target(message)?,
                    target_mac: mac_option(message.get(24..), OPTION_TARGET_MAC)?,
                    router: flags & 0x80 != 0,
                    solicited: flags & 0x40 != 0,
                    overriding: flags & 0x20 != 0,
                }))
            }
            _ => None,
        })
    }
}

impl Solicitation {
    /// The frame that asks for `target`, sent to its solicited-node address.
    pub fn frame(src_mac: Mac, src: Ipv6Addr, target: Ipv6Addr) -> Vec<u8> {
        let [.., a, b, c] = target.octets();
        let mut dst = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 0).octets();
        dst[13..16].copy_from_slice(&[a, b, c]);
        let dst_mac = Mac([0x33, 0x33, 0xff, a, b, c]);
        let mut body = target.octets().to_vec();
        if !src.is_unspecified() {
            push_mac(&mut body, OPTION_SOURCE_MAC, src_mac);
        }
        let frame = discovery(src_mac, dst_mac, src, Ipv6Addr::from(dst));
        frame.icmp(icmpv6::NEIGHBOUR_SOLICITATION, 0, [0; 4], &body)
    }

    /// The frame that answers this solicitation, which came from `asker`: the target is at `mac`. `router` tells whether
    /// the answering interface is a router.
    pub fn answer(&self, asker: Ipv6Addr, asker_mac: Mac, mac: Mac, router: bool) -> Vec<u8> {
        let solicited = !asker.is_unspecified();
        let (dst, dst_mac) = if solicited {
            (asker, self.source_mac.unwrap_or(asker_mac))
        } else {
            (ALL_NODES, multicast_mac(ALL_NODES))
        };
        let target_mac = Some(mac);
        let (target, overriding) = (self.target, true);
        let answer = Advertisement {
            target,
            target_mac,
            router,
            solicited,
            overriding,
        };
        answer.frame(mac, dst_mac, self.target, dst)
    }
}

impl Advertisement {
    /// The frame of this advertisement.
    pub fn frame(&self, src_mac: Mac, dst_mac: Mac, src: Ipv6Addr, dst: Ipv6Addr) -> Vec<u8> {
        let flags = u8::from(self.router) << 7
            | u8::from(self.solicited) << 6
            | u8::from(self.overriding) << 5;
        let mut body = self.target.octets().to_vec();
        if let Some(mac) = self.target_mac {
            push_mac(&mut body, OPTION_TARGET_MAC, mac);
        }
        let frame = discovery(src_mac, dst_mac, src, dst);
        frame.icmp(icmpv6::NEIGHBOUR_ADVERTISEMENT, 0, [flags, 0, 0, 0], &body)
    }
}

impl RouterAdvertisement<'_> {
    /// The frame of this advertisement. `src` must be link-local for hosts to accept it; `dst` is the soliciting host,
    /// or [`ALL_NODES`].
    pub fn frame(&self, src_mac: Mac, dst_mac: Mac, src: Ipv6Addr, dst: Ipv6Addr) -> Vec<u8> {
        let flags = u8::from(self.managed) << 7 | u8::from(self.other) << 6;
        let [high, low] = self.router_lifetime_s.to_be_bytes();
        // Reachable and retransmission time: left to the hosts.
        let mut body = [0; 8].to_vec();
        push_mac(&mut body, OPTION_SOURCE_MAC, src_mac);
        if let Some(mtu) = self.mtu {
            body.extend([OPTION_MTU, 1, 0, 0]);
            body.extend(mtu.to_be_bytes());
        }
        for prefix in self.prefixes {
            let flags = u8::from(prefix.on_link) << 7 | u8::from(prefix.autonomous) << 6;
            body.extend([OPTION_PREFIX, 4, prefix.len, flags]);
            body.extend(prefix.valid_s.to_be_bytes());
            body.extend(prefix.preferred_s.to_be_bytes());
            body.extend([0; 4]);
            body.extend(prefix.address.octets());
        }
        let frame = discovery(src_mac, dst_mac, src, dst);
        frame.icmp(
            icmpv6::ROUTER_ADVERTISEMENT,
            0,
            [self.hop_limit, flags, high, low],
            &body,
        )
    }
}

/// The MAC address of an IPv6 multicast group (RFC 2464 section 7).
pub fn multicast_mac(group: Ipv6Addr) -> Mac {
    let [.., a, b, c, d] = group.octets();
    Mac([0x33, 0x33, a, b, c, d])
}

fn discovery(src_mac: Mac, dst_mac: Mac, src: Ipv6Addr, dst: Ipv6Addr) -> Frame {
    Frame {
        ttl: HOP_LIMIT,
        ..Frame::v6(src_mac, dst_mac, src, dst)
    }
}

fn target(message: &[u8]) -> Result<Ipv6Addr, Malformed> {
    let octets: Option<&[u8; 16]> = message.get(8..).and_then(<[u8]>::first_chunk);
    octets
        .map(|octets| Ipv6Addr::from(*octets))
        .ok_or(Malformed::Truncated)
}

fn mac_option(options: Option<&[u8]>, wanted: u8) -> Result<Option<Mac>, Malformed> {
    let mut options = options.unwrap_or_default();
    let mut found = None;
    while let [kind, words, ..] = *options {
        if words == 0 {
            return Err(Malformed::BadLength);
        }
        let (option, rest) = options
            .split_at_checked(usize::from(words) * 8)
            .ok_or(Malformed::Truncated)?;
        if let ([_, _, a, b, c, d, e, f], None) = (option, found)
            && kind == wanted
        {
            found = Some(Mac([*a, *b, *c, *d, *e, *f]));
        }
        options = rest;
    }
    if options.is_empty() {
        Ok(found)
    } else {
        Err(Malformed::Truncated)
    }
}

fn push_mac(body: &mut Vec<u8>, option: u8, mac: Mac) {
    body.extend([option, 1]);
    body.extend(mac.0);
}
