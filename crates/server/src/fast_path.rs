//! The kernel as the data plane's fast path.

use dataplane::{FastFlow, FastPath, PortId, Tally};
use host::{Clock, FlowAction, FlowKey, FlowTable, FlowTally, Slot};
use model::Timestamp;

/// Flows of the data plane in the tables of the kernel.
#[derive(Debug)]
pub(crate) struct KernelPath {
    table: FlowTable,
    /// Where the flows of each family are, by place.
    slots: [Vec<Option<Slot>>; 2],
    given_up: usize,
    clock: fn() -> Clock,
}

/// This bit of a place is set for flows of IPv6.
const V6: u32 = 1 << 31;

impl KernelPath {
    pub(crate) fn new(table: FlowTable, clock: fn() -> Clock) -> Self {
        Self {
            table,
            slots: [Vec::new(), Vec::new()],
            given_up: 0,
            clock,
        }
    }

    /// As of now.
    fn era(&self) -> Era {
        let now = (self.clock)();
        Era {
            unix_ns: now.unix_ns.saturating_sub(now.monotonic_ns),
        }
    }

    fn slot(&self, place: u32) -> Option<Slot> {
        let [v4, v6] = &self.slots;
        let slots = if place & V6 == 0 { v4 } else { v6 };
        slots.get((place & !V6) as usize).copied().flatten()
    }

    fn keep(&mut self, place: u32, slot: Option<Slot>) {
        let [v4, v6] = &mut self.slots;
        let slots = if place & V6 == 0 { v4 } else { v6 };
        let at = (place & !V6) as usize;
        if slots.len() <= at {
            slots.resize(at + 1, None);
        }
        slots[at] = slot;
    }
}

impl FastPath for KernelPath {
    fn begin_epoch(&mut self, epoch: u32) {
        self.table.set_epoch(epoch);
    }

    fn set(&mut self, place: u32, flow: &FastFlow) {
        let known = self.slot(place);
        let reaches = |port| self.table.has_port(loop_port(port));
        if !reaches(flow.from) || !(flow.deny || reaches(flow.out)) {
            if known.is_some() {
                self.suspend(place);
            }
            return;
        }
        let action = action(flow);
        let last = self.era().monotonic_ns(flow.last);
        if known.is_some_and(|slot| self.table.renew(slot, &action, last)) {
            return;
        }
        let slot = self.table.insert(place, &key(flow), &action, last);
        match (slot, known) {
            (Some(slot), former) => {
                if let Some(former) = former {
                    self.table.retire(former);
                }
                self.keep(place, Some(slot));
            }
            (None, Some(_)) => self.suspend(place),
            (None, None) => {}
        }
    }

    fn suspend(&mut self, place: u32) {
        if let Some(slot) = self.slot(place) {
            self.table.suspend(slot);
        }
    }

    fn remove(&mut self, place: u32) {
        if let Some(slot) = self.slot(place) {
            self.table.remove(slot);
            self.keep(place, None);
        }
    }

    fn take(&mut self, place: u32) -> Option<Tally> {
        let tally = self.table.take(self.slot(place)?)?;
        Some(self.era().tally(&tally))
    }

    fn harvest(&mut self, limit: usize, each: &mut dyn FnMut(u32, Tally)) -> bool {
        let era = self.era();
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        self.table
            .harvest(limit, |place, tally| each(place, era.tally(&tally)))
    }

    fn last_seen(&self, place: u32) -> Option<Timestamp> {
        let last = self.table.last_ns(self.slot(place)?)?;
        Some(self.era().timestamp(last))
    }

    fn begun(&mut self, port: PortId, number: u32) {
        self.table.begun(loop_port(port), number);
    }

    fn tend(&mut self, each: &mut dyn FnMut(u32, Tally)) {
        let era = self.era();
        let tell = |place, tally: FlowTally| each(place, era.tally(&tally));
        self.given_up = self.table.recycle(self.given_up, tell);
    }

    fn set_closed(&mut self, closed: bool) {
        self.table.set_closed(closed);
    }
}

/// When the kernel's clock began.
struct Era {
    unix_ns: u64,
}

impl Era {
    fn timestamp(&self, monotonic_ns: u64) -> Timestamp {
        Timestamp::from_micros(self.unix_ns.saturating_add(monotonic_ns) / 1_000)
    }

    fn monotonic_ns(&self, time: Timestamp) -> u64 {
        (time.as_micros().saturating_mul(1_000)).saturating_sub(self.unix_ns)
    }

    fn tally(&self, tally: &FlowTally) -> Tally {
        Tally {
            packets: tally.packets,
            bytes: tally.bytes,
            tcp_flags: tally.tcp_flags,
            first: self.timestamp(tally.first_ns),
            last: self.timestamp(tally.last_ns),
        }
    }
}

/// What the loop calls a port of the data plane.
pub(crate) fn loop_port(port: PortId) -> host::PortId {
    host::PortId(port.bits())
}

fn key(flow: &FastFlow) -> FlowKey {
    FlowKey {
        from: loop_port(flow.from),
        src: flow.src,
        dst: flow.dst,
        ports: flow.ports,
        protocol: flow.protocol,
    }
}

fn action(flow: &FastFlow) -> FlowAction {
    let to = flow.translation;
    FlowAction {
        out: loop_port(flow.out),
        to_mac: flow.to_mac.0,
        dst_mac: flow.dst_mac.0,
        src_mac: flow.src_mac.0,
        mtu: flow.mtu,
        idle_secs: flow.idle_secs,
        hops: flow.hops,
        ttl_above: flow.ttl_above,
        src: to.src,
        dst: to.dst,
        src_port: to.src_port.or(to.icmp_identifier),
        dst_port: to.dst_port,
        deny: flow.deny,
        remembered: flow.remembered,
        guard: flow.guard.map(|(port, begun)| (loop_port(port), begun)),
    }
}

#[cfg(test)]
mod tests;
