//! Why an interface recorded what it did: the code that packets take, asked about one that has been.
//!
//! Flows are decided with connections and sessions that are gone by the time somebody asks. What rules, routes and
//! gateways say does not depend on them, so that is asked of a data plane of its own; a flow that is known to belong to a
//! connection is asked about after the packet that began that.

use std::net::IpAddr;
use std::sync::Arc;

use model::{NetworkInterfaceId, Timestamp};
use packet::{icmp, icmpv6, protocol, tcp};

use crate::compile::network_interface::Interface;
use crate::subject::Subject;
use crate::trace::{At, next_hop, scratch};
use crate::tuple::{L4, Tuple};
use crate::walk::Decision;
use crate::{Action, Dataplane, Device, Direction, Disposition, Snapshot, Step};

/// A packet as an interface saw it: what a flow log record tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Who saw it.
    pub interface: NetworkInterfaceId,
    /// Seen from there.
    pub direction: Direction,
    /// Source in the header.
    pub src: IpAddr,
    /// Destination in the header.
    pub dst: IpAddr,
    /// IANA number.
    pub protocol: u8,
    /// 0 where the protocol has no ports.
    pub src_port: u16,
    /// 0 where the protocol has no ports.
    pub dst_port: u16,
}

/// What the rules of an interface, and of the way from there, say of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Every step from the interface on, in order.
    pub steps: Vec<Step>,
    /// How it ends.
    pub disposition: Disposition,
    /// What the interface records; `None` if it never gets so far.
    pub action: Option<Action>,
}

/// What is said of a packet that begins something. `None` if there is no such interface.
pub fn explain(snapshot: &Arc<Snapshot>, seen: &Seen) -> Option<Explanation> {
    ask(&mut scratch(snapshot), snapshot, seen, false)
}

/// What is said of a packet that answers another: first of that, at the same interface, then of the answer. `None` if
/// there is no such interface.
pub fn explain_answer(snapshot: &Arc<Snapshot>, seen: &Seen) -> Option<(Explanation, Explanation)> {
    let dataplane = &mut scratch(snapshot);
    let opener = ask(dataplane, snapshot, &seen.reversed(), false)?;
    Some((opener, ask(dataplane, snapshot, seen, true)?))
}

impl Seen {
    /// The packet that this one answers, at the same interface.
    #[must_use]
    pub fn reversed(&self) -> Self {
        Self {
            interface: self.interface,
            direction: match self.direction {
                Direction::Ingress => Direction::Egress,
                Direction::Egress => Direction::Ingress,
            },
            src: self.dst,
            dst: self.src,
            protocol: self.protocol,
            src_port: self.dst_port,
            dst_port: self.src_port,
        }
    }

    fn subject(&self, answers: bool) -> Subject {
        let icmp_message = |icmp_type| L4::Icmp {
            icmp_type,
            code: 0,
            id: 1,
        };
        let l4 = match (self.protocol, answers) {
            (protocol::TCP | protocol::UDP, _) => L4::Ports {
                src: self.src_port,
                dst: self.dst_port,
            },
            (protocol::ICMP, false) => icmp_message(icmp::ECHO_REQUEST),
            (protocol::ICMP, true) => icmp_message(icmp::ECHO_REPLY),
            (protocol::ICMPV6, false) => icmp_message(icmpv6::ECHO_REQUEST),
            (protocol::ICMPV6, true) => icmp_message(icmpv6::ECHO_REPLY),
            _ => L4::None,
        };
        Subject {
            tuple: Tuple {
                src: self.src,
                dst: self.dst,
                protocol: self.protocol,
                l4,
            },
            tcp_flags: match (self.protocol, answers) {
                (protocol::TCP, false) => tcp::SYN,
                (protocol::TCP, true) => tcp::SYN | tcp::ACK,
                _ => 0,
            },
            quoted: None,
            len: 60,
            dont_fragment: true,
            is_fragment: false,
            ttl: 64,
        }
    }
}

fn ask(
    dataplane: &mut Dataplane,
    snapshot: &Arc<Snapshot>,
    seen: &Seen,
    answers: bool,
) -> Option<Explanation> {
    let port = snapshot.port_of(&Device::Interface(seen.interface))?;
    let interface = snapshot.interface(port)?;
    let subject = seen.subject(answers);
    let (now, mut steps) = (Timestamp::default(), Vec::new());
    let managed = interface.nat_gateway.is_some()
        || interface.endpoint.is_some()
        || interface.load_balancer.is_some();
    let decision = match seen.direction {
        Direction::Egress if !managed => {
            let at = At { port, subject };
            let dst_mac = next_hop(snapshot, &at);
            dataplane.explain(port, dst_mac, &subject, now, &mut steps, port)
        }
        _ => {
            let walk = dataplane.walk(snapshot, now, &mut steps, port);
            match seen.direction {
                Direction::Egress => walk.decide_behind(interface, &subject),
                Direction::Ingress => {
                    let enters = !is_neighbour(snapshot, interface, seen.src);
                    walk.decide_at(interface, enters, &subject)
                }
            }
        }
    };
    Some(Explanation {
        action: action_of(&decision, seen),
        disposition: decision.disposition,
        steps,
    })
}

/// Whether an address is in the interface's own subnet.
fn is_neighbour(snapshot: &Snapshot, interface: &Interface, address: IpAddr) -> bool {
    let port = snapshot.vpc_of(interface).addresses.get(&address).copied();
    let other = port.and_then(|port| snapshot.interface(port));
    other.is_some_and(|other| other.subnet.id == interface.subnet.id)
}

fn action_of(decision: &Decision, seen: &Seen) -> Option<Action> {
    let mut records = decision.records.iter();
    let own = records.find(|record| {
        record.interface.recorder == seen.interface.into() && record.key.direction == seen.direction
    });
    own.map(|record| record.key.action)
}
