//! The tables of `bpf/fabric.c`, field by field, and what is written into them.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::{FlowAction, FlowKey};

/// Values that consist of atomic integers and nothing else, so that any bytes are valid ones and others may write them
/// at any time.
///
/// # Safety
///
/// The implementor promises just that, and that the layout is the C program's.
pub(super) unsafe trait Mapped: Sync {}

/// What holds for all flows.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Control {
    pub(super) epoch: AtomicU32,
    pub(super) round: AtomicU32,
    pub(super) punt: AtomicU32,
    pub(super) closed: AtomicU32,
}

/// What is behind a device.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A descriptor.
    Tap = 0,
    /// A device in another namespace.
    Pair = 1,
}

/// Which port a device is.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Device {
    pub(super) port: AtomicU32,
    _unused: AtomicU32,
}

/// A port.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Port {
    pub(super) name: AtomicU32,
    pub(super) ifindex: AtomicU32,
    mac_and_kind: AtomicU64,
    pub(super) begun: AtomicU32,
    _unused: AtomicU32,
}

/// A flow: what the program counts, and what was decided.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Flow {
    pub(super) epoch: AtomicU32,
    out: AtomicU32,
    pub(super) packets: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) first: AtomicU64,
    pub(super) last: AtomicU64,
    pub(super) round: AtomicU32,
    pub(super) idle_secs: AtomicU32,
    decision: [AtomicU64; DECISION_WORDS],
    pub(super) flags: AtomicU32,
    _unused: AtomicU32,
}

const DECISION_WORDS: usize = 9;
const _: () = assert!(size_of::<Control>() == 16);
const _: () = assert!(size_of::<Port>() == 24);
const _: () = assert!(size_of::<Flow>() == 128);

// SAFETY: atomic integers only, in the order of the C structures.
unsafe impl Mapped for Control {}
// SAFETY: as above.
unsafe impl Mapped for Device {}
// SAFETY: as above.
unsafe impl Mapped for Port {}
// SAFETY: as above.
unsafe impl Mapped for Flow {}

impl Port {
    /// Frames from and to the device pass from now on.
    pub(super) fn open(&self, name: u32, ifindex: u32, mac: [u8; 6], kind: Kind) {
        self.ifindex.store(0, Ordering::Release);
        let [a, b, c, d, e, f] = mac;
        let mac_and_kind = u64::from_ne_bytes([a, b, c, d, e, f, kind as u8, 0]);
        self.mac_and_kind.store(mac_and_kind, Ordering::Relaxed);
        self.name.store(name, Ordering::Relaxed);
        self.ifindex.store(ifindex, Ordering::Release);
    }

    /// They do not any longer.
    pub(super) fn close(&self) {
        self.ifindex.store(0, Ordering::Release);
    }

    pub(super) fn is_open(&self, name: u32) -> bool {
        self.name.load(Ordering::Relaxed) == name && self.ifindex.load(Ordering::Relaxed) != 0
    }
}

/// Everything of an action that cannot be changed while packets go by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Decision {
    out: u32,
    words: [u64; DECISION_WORDS],
}

const DENY: u8 = 1;
const GUARDED: u8 = 2;
const SRC: u8 = 4;
const DST: u8 = 8;
const SRC_PORT: u8 = 16;
const DST_PORT: u8 = 32;
const REMEMBERED: u8 = 64;

impl Decision {
    pub(super) fn of(action: &FlowAction) -> Self {
        let mut what = 0;
        let mut bytes = [0; DECISION_WORDS * 8];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, &action.mtu.to_ne_bytes());
        put(3, &[action.hops]);
        put(4, &action.to_mac);
        put(10, &action.dst_mac);
        put(16, &action.src_mac);
        put(34, &[action.ttl_above]);
        if let Some(port) = action.src_port {
            what |= SRC_PORT;
            put(22, &port.to_be_bytes());
        }
        if let Some(port) = action.dst_port {
            what |= DST_PORT;
            put(32, &port.to_be_bytes());
        }
        if let Some(address) = action.src {
            what |= SRC;
            put(40, &octets(address));
        }
        if let Some(address) = action.dst {
            what |= DST;
            put(56, &octets(address));
        }
        if action.deny {
            what |= DENY;
        }
        if action.remembered {
            what |= REMEMBERED;
        }
        if let Some((guard, begun)) = action.guard {
            what |= GUARDED;
            put(24, &guard.0.to_ne_bytes());
            put(28, &begun.to_ne_bytes());
        }
        put(2, &[what]);
        let mut words = [0; DECISION_WORDS];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_ne_bytes(*bytes);
        }
        Self {
            out: action.out.0,
            words,
        }
    }
}

impl Flow {
    /// Begins anew, for a flow that no packet finds yet.
    pub(super) fn begin(&self, decision: &Decision, idle_secs: u32, last: u64, epoch: u32) {
        self.epoch.store(0, Ordering::Release);
        for counter in [&self.packets, &self.bytes, &self.first] {
            counter.store(0, Ordering::Relaxed);
        }
        self.last.store(last, Ordering::Relaxed);
        self.flags.store(0, Ordering::Relaxed);
        self.round.store(0, Ordering::Relaxed);
        self.idle_secs.store(idle_secs, Ordering::Relaxed);
        self.out.store(decision.out, Ordering::Relaxed);
        for (to, word) in self.decision.iter().zip(decision.words) {
            to.store(word, Ordering::Relaxed);
        }
        self.epoch.store(epoch, Ordering::Release);
    }

    pub(super) fn decision(&self) -> Decision {
        Decision {
            out: self.out.load(Ordering::Relaxed),
            words: std::array::from_fn(|at| self.decision[at].load(Ordering::Relaxed)),
        }
    }
}

/// An address as the C program has it: IPv4 in the first four bytes.
fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => {
            let mut octets = [0; 16];
            octets[..4].copy_from_slice(&address.octets());
            octets
        }
        IpAddr::V6(address) => address.octets(),
    }
}

/// A key as the C program has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    V4([u8; 20]),
    V6([u8; 44]),
}

impl Key {
    /// Nothing if the addresses are of two families.
    pub(super) fn of(key: &FlowKey) -> Option<Self> {
        let mut tail = [0; 12];
        tail[..4].copy_from_slice(&key.from.0.to_ne_bytes());
        tail[4..6].copy_from_slice(&key.ports[0].to_be_bytes());
        tail[6..8].copy_from_slice(&key.ports[1].to_be_bytes());
        tail[8] = key.protocol;
        match (key.src, key.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                let mut bytes = [0; 20];
                bytes[..4].copy_from_slice(&src.octets());
                bytes[4..8].copy_from_slice(&dst.octets());
                bytes[8..].copy_from_slice(&tail);
                Some(Self::V4(bytes))
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                let mut bytes = [0; 44];
                bytes[..16].copy_from_slice(&src.octets());
                bytes[16..32].copy_from_slice(&dst.octets());
                bytes[32..].copy_from_slice(&tail);
                Some(Self::V6(bytes))
            }
            _ => None,
        }
    }
}
