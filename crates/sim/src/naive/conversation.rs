//! What has passed so far, and what follows from it: which packets belong to a conversation that is still going on.

use std::net::IpAddr;

use model::{EgressOnlyInternetGatewayId, NatGatewayId, NetworkInterfaceId, Timestamp};
use packet::{protocol, tcp};

use crate::{Asked, Segment};

/// Who remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeper {
    /// The security groups of an interface.
    Groups(NetworkInterfaceId),
    NatGateway(NatGatewayId),
    EgressOnlyInternetGateway(EgressOnlyInternetGatewayId),
    LoadBalancer(Entry),
    /// What is behind the interface of an endpoint.
    Endpoint(NetworkInterfaceId),
    /// A service, asked by one way.
    Service(Asked),
}

/// The node of a load balancer, and the interface that its clients know: its own, or that of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) known: NetworkInterfaceId,
    pub(super) node: NetworkInterfaceId,
}

/// A conversation as the targets of a load balancer know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Behind {
    pub(super) near: (IpAddr, u16),
    pub(super) far: (IpAddr, u16),
}

/// The two ends of a conversation: the near one is inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) protocol: u8,
    pub(super) near: (IpAddr, u16),
    pub(super) far: (IpAddr, u16),
    /// Whether the near end asks, if it is an echo.
    pub(super) near_asks: bool,
}

impl Ends {
    /// Of an error, those of the conversation that it is about.
    pub(super) fn of(segment: &Segment, outward: bool) -> Self {
        if let Some(quote) = segment.quote() {
            return Self::of(&quote, !outward);
        }
        let (src, dst) = (
            (segment.src, segment.src_port),
            (segment.dst, segment.dst_port),
        );
        let (near, far) = if outward { (src, dst) } else { (dst, src) };
        let is_echo = matches!(segment.protocol, protocol::ICMP | protocol::ICMPV6);
        Self {
            protocol: segment.protocol,
            near,
            far,
            near_asks: is_echo && !segment.lacks_ports() && outward != segment.is_echo_reply(),
        }
    }
}

/// A packet that somebody took note of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passage {
    /// Whether it passed. What asks for a new connection ends the remains of an old one even if it is refused.
    pub(super) passed: bool,
    pub(super) keeper: Keeper,
    pub(super) ends: Ends,
    pub(super) outward: bool,
    pub(super) segment: Segment,
    pub(super) at: Timestamp,
    /// The port or identifier that a NAT gateway gave the near end; 0 if nobody has seen it.
    pub(super) port: u16,
    /// How a load balancer passes it on.
    pub(super) behind: Option<Behind>,
}

/// A conversation that goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conversation {
    begun_outward: bool,
    answered: bool,
    /// More than one exchange.
    continued: bool,
    finished_outward: bool,
    finished_inward: bool,
    reset: bool,
    last: Timestamp,
    pub(super) port: u16,
    pub(super) behind: Option<Behind>,
}

/// The conversation that a packet between these ends would belong to now, told from all that passed before.
pub(super) fn conversation(
    passed: &[Passage],
    keeper: Keeper,
    ends: Ends,
    segment: &Segment,
    now: Timestamp,
) -> Option<Conversation> {
    let mut current = None;
    for passage in passed {
        if passage.keeper == keeper && passage.ends == ends {
            current = still(current, keeper, ends, &passage.segment, passage.at);
            current = match current {
                _ if !passage.passed => current,
                Some(conversation) => Some(seen(conversation, passage)),
                None => begun(keeper, passage),
            };
        }
    }
    still(current, keeper, ends, segment, now)
}

/// Whether it has not run out, and the packet does not open another in its place.
fn still(
    conversation: Option<Conversation>,
    keeper: Keeper,
    ends: Ends,
    segment: &Segment,
    now: Timestamp,
) -> Option<Conversation> {
    let conversation = conversation?;
    let limit = idle_limit_s(&conversation, keeper, ends.protocol)?;
    let idle = now.since(conversation.last).as_micros();
    let over = conversation.reset || is_finished(&conversation);
    let replaced = over && segment.tcp_flags & (tcp::SYN | tcp::ACK) == tcp::SYN;
    (idle <= u128::from(limit) * 1_000_000 && !replaced).then_some(conversation)
}

fn is_finished(conversation: &Conversation) -> bool {
    conversation.finished_outward && conversation.finished_inward
}

/// How long a conversation lives without a packet (Amazon EC2 User Guide, "Security group connection tracking"; Amazon
/// VPC User Guide, "NAT gateway basics"; User Guide for Network Load Balancers, "Connection idle timeout"). `None` if it
/// is over at once.
fn idle_limit_s(conversation: &Conversation, keeper: Keeper, of_protocol: u8) -> Option<u64> {
    if is_private_link(keeper) {
        let over = conversation.reset || is_finished(conversation);
        return Some(match of_protocol {
            _ if over => 60,
            protocol::UDP => 120,
            _ => 350,
        });
    }
    if keeper_is_gateway(keeper) {
        return match (conversation.reset, is_finished(conversation)) {
            (true, _) => None,
            (false, true) => Some(60),
            (false, false) => Some(350),
        };
    }
    Some(match of_protocol {
        protocol::TCP if conversation.reset => 10,
        protocol::TCP if is_finished(conversation) => 60,
        protocol::TCP if conversation.answered => 432_000,
        protocol::TCP => 120,
        protocol::UDP if conversation.continued => 180,
        protocol::UDP | protocol::ICMP | protocol::ICMPV6 => 30,
        _ => 600,
    })
}

/// Whether connections run out as those of load balancers and endpoints do.
fn is_private_link(keeper: Keeper) -> bool {
    matches!(keeper, Keeper::LoadBalancer(_) | Keeper::Endpoint(_))
}

fn keeper_is_gateway(keeper: Keeper) -> bool {
    !matches!(keeper, Keeper::Groups(_) | Keeper::Service(_))
}

fn begun(keeper: Keeper, passage: &Passage) -> Option<Conversation> {
    let segment = &passage.segment;
    let may_begin = !segment.is_echo_reply()
        && !segment.has(tcp::RST)
        && (passage.outward || matches!(keeper, Keeper::Groups(_)));
    let finishes = segment.has(tcp::FIN);
    may_begin.then_some(Conversation {
        begun_outward: passage.outward,
        answered: false,
        continued: false,
        finished_outward: finishes && passage.outward,
        finished_inward: finishes && !passage.outward,
        reset: false,
        last: passage.at,
        port: passage.port,
        behind: passage.behind,
    })
}

fn seen(before: Conversation, passage: &Passage) -> Conversation {
    let answers = passage.outward != before.begun_outward;
    let finishes = passage.segment.has(tcp::FIN);
    let after = Conversation {
        answered: before.answered || answers,
        continued: before.continued || (before.answered && !answers),
        finished_outward: before.finished_outward || (finishes && passage.outward),
        finished_inward: before.finished_inward || (finishes && !passage.outward),
        reset: before.reset || passage.segment.has(tcp::RST),
        port: if before.port == 0 {
            passage.port
        } else {
            before.port
        },
        ..before
    };
    // What comes after the end does not make it last longer.
    let balanced = is_private_link(passage.keeper);
    let was_over = before.reset || (is_finished(&before) && (balanced || !after.reset));
    Conversation {
        last: if was_over { before.last } else { passage.at },
        ..after
    }
}
