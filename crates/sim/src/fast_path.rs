//! A fast path, naively: what it was told last of each flow, in a list.

#![expect(
    clippy::disallowed_types,
    reason = "the data plane has it as well as whoever carries for it"
)]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dataplane::{FastFlow, FastPath, PortId, Tally};
use model::Timestamp;
use packet::rewrite::take_hops;
use packet::{Ip, Mac, Packet, ethernet, protocol, tcp};

/// Whoever carries packets beside a data plane.
pub trait Carrier {
    /// Begins: these are the ports, each with the address that its frames have as their source.
    fn open(&mut self, ports: &[(PortId, Mac)]) -> Box<dyn FastPath>;

    /// Carries a frame, if what it was told holds for that, and makes it what its receiver gets.
    fn carry(&mut self, from: PortId, frame: &mut Vec<u8>, now: Timestamp) -> Option<Fate>;

    /// Whether time passes for it as in the simulation.
    fn keeps_time(&self) -> bool;
}

/// The flows that a data plane lets somebody else carry, and whoever carries them: in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct NaiveCarrier(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    epoch: u32,
    closed: bool,
    begun: BTreeMap<PortId, u32>,
    flows: BTreeMap<u32, Carried>,
    places: BTreeMap<Key, u32>,
}

/// Where packets of a flow come from, their addresses, ports and protocol.
type Key = (PortId, IpAddr, IpAddr, [u16; 2], u8);

#[derive(Debug)]
struct Carried {
    flow: FastFlow,
    /// None while its packets are to be decided on.
    epoch: Option<u32>,
    tally: Option<Tally>,
    last: Timestamp,
}

/// What has become of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The frame has been made what its receiver, at this port, gets.
    Forwarded(PortId),
    /// Nobody gets it.
    Dropped,
}

impl NaiveCarrier {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Carrier for NaiveCarrier {
    fn open(&mut self, _ports: &[(PortId, Mac)]) -> Box<dyn FastPath> {
        *self = Self::default();
        Box::new(self.clone())
    }

    fn keeps_time(&self) -> bool {
        true
    }

    fn carry(&mut self, from: PortId, frame: &mut Vec<u8>, now: Timestamp) -> Option<Fate> {
        let parsed = Packet::parse(frame).ok()?;
        let ip = *parsed.ip()?;
        let told = &mut *self.told();
        let place = told.places.get(&key(from, &ip)?)?;
        let carried = told.flows.get_mut(place)?;
        let flow = carried.flow;
        let rests = now.since(carried.last);
        let ends = ip.tcp_flags & (tcp::FIN | tcp::RST) != 0;
        let begins = ip.tcp_flags & (tcp::SYN | tcp::RST) != 0;
        let holds = !told.closed
            && carried.epoch == Some(told.epoch)
            && parsed.dst_mac == flow.to_mac
            && ip.ip_len <= usize::from(flow.mtu)
            && ip.ttl > flow.ttl_above
            && rests <= Duration::from_secs(flow.idle_secs.into())
            && match flow.deny {
                false => !begins,
                true => {
                    let guarded = flow.guard.is_none_or(|(port, number)| {
                        told.begun.get(&port).copied().unwrap_or(0) == number
                    });
                    guarded && !(flow.remembered && ends)
                }
            };
        if !holds {
            return None;
        }
        let tally = carried.tally.get_or_insert(Tally {
            packets: 0,
            bytes: 0,
            tcp_flags: 0,
            first: now,
            last: now,
        });
        tally.packets += 1;
        tally.bytes += ip.ip_len as u64;
        tally.tcp_flags |= counted(ip.tcp_flags);
        tally.last = now;
        carried.last = now;
        if flow.deny {
            return Some(Fate::Dropped);
        }
        let translated = flow.translation.apply_parsed(frame, &ip, false);
        translated.expect("a whole packet can be translated");
        take_hops(frame, &ip, flow.hops).expect("it has hops left");
        ethernet::set_macs(frame, flow.dst_mac, flow.src_mac).expect("it has an Ethernet header");
        Some(Fate::Forwarded(flow.out))
    }
}

/// By what the flow of a packet is found, if it is of the plainest kind.
fn key(from: PortId, ip: &Ip) -> Option<Key> {
    let echo: [u8; 2] = if ip.is_ipv4() { [8, 0] } else { [128, 129] };
    let ports = match (ip.protocol, ip.icmp) {
        (protocol::TCP | protocol::UDP, _) => [ip.src_port, ip.dst_port],
        (_, Some(icmp)) if echo.contains(&icmp.icmp_type) && icmp.code == 0 => {
            let kind = u16::from_be_bytes([icmp.icmp_type, icmp.code]);
            [icmp.identifier, kind]
        }
        _ => return None,
    };
    let is_plain = ip.fragment.is_none();
    is_plain.then_some((from, ip.src, ip.dst, ports, ip.protocol))
}

/// ACK counts only with SYN.
fn counted(flags: u8) -> u8 {
    let ack = if flags & tcp::SYN != 0 { tcp::ACK } else { 0 };
    flags & (tcp::FIN | tcp::SYN | tcp::RST | ack)
}

impl FastPath for NaiveCarrier {
    fn begin_epoch(&mut self, epoch: u32) {
        self.told().epoch = epoch;
    }

    fn set(&mut self, place: u32, flow: &FastFlow) {
        let told = &mut *self.told();
        let key = (flow.from, flow.src, flow.dst, flow.ports, flow.protocol);
        told.places.insert(key, place);
        let carried = told.flows.entry(place).or_insert(Carried {
            flow: *flow,
            epoch: None,
            tally: None,
            last: flow.last,
        });
        (carried.flow, carried.epoch) = (*flow, Some(told.epoch));
        carried.last = carried.last.max(flow.last);
    }

    fn suspend(&mut self, place: u32) {
        if let Some(carried) = self.told().flows.get_mut(&place) {
            carried.epoch = None;
        }
    }

    fn remove(&mut self, place: u32) {
        let told = &mut *self.told();
        let removed = told.flows.remove(&place);
        told.places.retain(|_, at| *at != place);
        let tally = removed.and_then(|carried| carried.tally);
        assert_eq!(tally, None, "counted and never taken");
    }

    fn take(&mut self, place: u32) -> Option<Tally> {
        self.told().flows.get_mut(&place)?.tally.take()
    }

    fn harvest(&mut self, _limit: usize, each: &mut dyn FnMut(u32, Tally)) -> bool {
        for (place, carried) in &mut self.told().flows {
            if let Some(tally) = carried.tally.take() {
                each(*place, tally);
            }
        }
        false
    }

    fn last_seen(&self, place: u32) -> Option<Timestamp> {
        let tally = self.told().flows.get(&place)?.tally?;
        Some(tally.last)
    }

    fn begun(&mut self, port: PortId, number: u32) {
        self.told().begun.insert(port, number);
    }

    fn tend(&mut self, _each: &mut dyn FnMut(u32, Tally)) {}

    fn set_closed(&mut self, closed: bool) {
        self.told().closed = closed;
    }
}
