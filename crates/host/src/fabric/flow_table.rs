//! Flows whose packets the kernel carries.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aya::maps::{HashMap, MapData};

use super::layout::{Control, Decision, Flow, Key, Port};
use super::shared::Shared;
use crate::PortId;

/// What tells a flow apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowKey {
    /// Where its packets come from.
    pub from: PortId,
    /// Source address.
    pub src: IpAddr,
    /// Destination address, of the same family.
    pub dst: IpAddr,
    /// Source and destination port; of an ICMP echo, the identifier, then type and code.
    pub ports: [u16; 2],
    /// TCP, UDP, ICMP or ICMPv6; packets of others are never carried.
    pub protocol: u8,
}

/// What to do with its packets. Those that this cannot hold for come up: others than [`FlowAction::to_mac`]
/// addresses, longer ones than `mtu`, and of TCP those with SYN or RST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowAction {
    /// Where they go, unless they are refused.
    pub out: PortId,
    /// The destination that their frames have when they come.
    pub to_mac: [u8; 6],
    /// The destination that they get.
    pub dst_mac: [u8; 6],
    /// The source that they get.
    pub src_mac: [u8; 6],
    /// Length of the longest packet.
    pub mtu: u16,
    /// After a rest of so many seconds the next packet comes up.
    pub idle_secs: u32,
    /// How many hops the way has.
    pub hops: u8,
    /// Packets with no more hops left than this come up.
    pub ttl_above: u8,
    /// The source address that they get, if another.
    pub src: Option<IpAddr>,
    /// The destination address that they get, if another.
    pub dst: Option<IpAddr>,
    /// The source port that they get, or the identifier of an echo, if another.
    pub src_port: Option<u16>,
    /// The destination port that they get, if another.
    pub dst_port: Option<u16>,
    /// Drop them.
    pub deny: bool,
    /// If they are refused: those that end a connection come up all the same.
    pub remembered: bool,
    /// A refusal holds as long as this port has this number ([`FlowTable::begun`]).
    pub guard: Option<(PortId, u32)>,
}

/// What has been counted of a flow. Times are of the clock that [`Clock`](crate::Clock) calls monotonic, to a few
/// milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowTally {
    /// Packets, the segments of super-frames one by one.
    pub packets: u64,
    /// Bytes of IP packets, every segment's headers included.
    pub bytes: u64,
    /// Flags of TCP: FIN, SYN and RST, and ACK if it came with SYN.
    pub tcp_flags: u8,
    /// When the first of them came, in nanoseconds.
    pub first_ns: u64,
    /// When the last of them came, in nanoseconds.
    pub last_ns: u64,
}

/// A place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(u32);

/// The flows that the kernel carries.
#[derive(Debug)]
pub struct FlowTable {
    pub(super) control: Shared<Control>,
    pub(super) ports: Arc<Shared<Port>>,
    pub(super) flows: Shared<Flow>,
    pub(super) index4: HashMap<MapData, [u8; 20], u32>,
    pub(super) index6: HashMap<MapData, [u8; 44], u32>,
    pub(super) limit: u32,
    pub(super) epoch: u32,
    /// Whose each slot is, and by which key it is found.
    pub(super) owners: Vec<Option<(u32, Key)>>,
    pub(super) free: Vec<u32>,
    /// Slots that a packet may still be at, in the order in which they were given up, and whose flows have others now.
    pub(super) retired: Vec<(u32, Option<u32>)>,
    pub(super) harvested: u32,
}

impl FlowTable {
    /// Whether frames pass from and to a port.
    #[must_use]
    pub fn has_port(&self, port: PortId) -> bool {
        let entry = self.ports.get(port.index() as usize);
        entry.is_some_and(|entry| entry.is_open(port.0))
    }

    /// Refusals that a port guards hold with this number only.
    pub fn begun(&self, port: PortId, number: u32) {
        if let Some(entry) = self.ports.get(port.index() as usize) {
            entry.begun.store(number, Ordering::Release);
        }
    }

    /// What was decided in earlier epochs holds no longer, from the next packet on.
    pub fn set_epoch(&mut self, epoch: u32) {
        self.epoch = epoch;
        if let Some(control) = self.control.get(0) {
            control.epoch.store(epoch, Ordering::SeqCst);
        }
    }

    /// All frames come up while it is closed.
    pub fn set_closed(&self, closed: bool) {
        if let Some(control) = self.control.get(0) {
            control.closed.store(closed.into(), Ordering::SeqCst);
        }
    }

    /// How many flows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.owners.len() - self.free.len() - self.retired.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Carries a flow's packets from now on, on behalf of `owner`, in the place of an earlier decision; it rests since
    /// `last_ns`. Nothing if there is no room, or the kernel refuses: then its packets come up.
    pub fn insert(
        &mut self,
        owner: u32,
        key: &FlowKey,
        action: &FlowAction,
        last_ns: u64,
    ) -> Option<Slot> {
        let key = Key::of(key)?;
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.owners.len() < self.limit as usize => {
                self.owners.push(None);
                self.owners.len() as u32 - 1
            }
            None => return None,
        };
        let flow = self.flows.get(slot as usize)?;
        flow.begin(&Decision::of(action), action.idle_secs, last_ns, self.epoch);
        let done = match key {
            Key::V4(key) => self.index4.insert(key, slot, 0),
            Key::V6(key) => self.index6.insert(key, slot, 0),
        };
        if let Err(error) = done {
            tracing::debug!(%error, "the kernel takes no more flows");
            self.free.push(slot);
            return None;
        }
        self.owners[slot as usize] = Some((owner, key));
        Some(Slot(slot))
    }

    /// Makes an earlier decision hold again, if it is the same; `false` if it is not.
    #[must_use]
    pub fn renew(&self, slot: Slot, action: &FlowAction, last_ns: u64) -> bool {
        let Some(flow) = self.flows.get(slot.0 as usize) else {
            return false;
        };
        if flow.decision() != Decision::of(action) {
            return false;
        }
        flow.idle_secs.store(action.idle_secs, Ordering::Relaxed);
        flow.last.fetch_max(last_ns, Ordering::Relaxed);
        flow.epoch.store(self.epoch, Ordering::Release);
        true
    }

    /// The flow's next packet comes up.
    pub fn suspend(&self, slot: Slot) {
        if let Some(flow) = self.flows.get(slot.0 as usize) {
            flow.epoch.store(0, Ordering::SeqCst);
        }
    }

    /// Gives up a slot whose flow has another now.
    pub fn retire(&mut self, slot: Slot) {
        self.give_up(slot, true);
    }

    fn give_up(&mut self, slot: Slot, lives_on: bool) {
        self.suspend(slot);
        let owner = self.owners.get_mut(slot.0 as usize);
        if let Some((owner, _)) = owner.and_then(Option::take) {
            self.retired.push((slot.0, lives_on.then_some(owner)));
        }
    }

    /// Forgets a flow.
    pub fn remove(&mut self, slot: Slot) {
        self.suspend(slot);
        let owner = self.owners.get(slot.0 as usize).copied().flatten();
        let Some((_, key)) = owner else { return };
        let done = match key {
            Key::V4(key) => self.index4.remove(&key),
            Key::V6(key) => self.index6.remove(&key),
        };
        if let Err(error) = done {
            tracing::debug!(%error, "a flow was not in the index");
        }
        self.give_up(slot, false);
    }

    /// Slots that were given up before the last call can be used again: no packet is still at them. What another
    /// processor has counted there while they were given up is told. To be called a few times a second. `before` is
    /// what the last call answered.
    #[must_use]
    pub fn recycle(&mut self, before: usize, mut each: impl FnMut(u32, FlowTally)) -> usize {
        for at in 0..before.min(self.retired.len()) {
            let (slot, owner) = self.retired[at];
            if let (Some(owner), Some(tally)) = (owner, self.take(Slot(slot))) {
                each(owner, tally);
            }
            self.free.push(slot);
        }
        self.retired.drain(..before.min(self.retired.len()));
        self.retired.len()
    }

    /// Takes what a flow has counted since the last time, if it has counted anything.
    #[must_use]
    pub fn take(&self, slot: Slot) -> Option<FlowTally> {
        let flow = self.flows.get(slot.0 as usize)?;
        if flow.packets.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let first_ns = flow.first.load(Ordering::Relaxed);
        // The next packet is the first one again.
        flow.round.store(0, Ordering::Relaxed);
        Some(FlowTally {
            packets: flow.packets.swap(0, Ordering::AcqRel),
            bytes: flow.bytes.swap(0, Ordering::Relaxed),
            tcp_flags: flow.flags.swap(0, Ordering::Relaxed) as u8,
            first_ns,
            last_ns: flow.last.load(Ordering::Relaxed),
        })
    }

    /// When the last packet came that has not been taken yet, as [`FlowTally::last_ns`].
    #[must_use]
    pub fn last_ns(&self, slot: Slot) -> Option<u64> {
        let flow = self.flows.get(slot.0 as usize)?;
        let is_counted = flow.packets.load(Ordering::Relaxed) > 0;
        is_counted.then(|| flow.last.load(Ordering::Relaxed))
    }

    /// Takes what flows have counted, of the next so many slots; tells whether there are more before the table begins
    /// anew.
    pub fn harvest(&mut self, limit: u32, mut each: impl FnMut(u32, FlowTally)) -> bool {
        let slots = self.owners.len() as u32;
        let end = slots.min(self.harvested.saturating_add(limit));
        for slot in self.harvested..end {
            let Some((owner, _)) = self.owners[slot as usize] else {
                continue;
            };
            if let Some(tally) = self.take(Slot(slot)) {
                each(owner, tally);
            }
        }
        self.harvested = if end < slots { end } else { 0 };
        end < slots
    }
}
