//! What interfaces record of the packets that they see (Amazon VPC User Guide, "Flow log records").

use std::net::IpAddr;
use std::sync::Arc;

use model::Timestamp;
use packet::{Ip, protocol, segment, tcp};
use smallvec::SmallVec;

use crate::disposition::Disposition;
use crate::flow_cache::Counted;
use crate::sighting::Sighting;
use crate::tuple::Tuple;
use crate::{Action, Direction, FlowKey, FlowSample, InterfaceMetadata, Offload};

/// What one interface records of one flow.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) interface: Arc<InterfaceMetadata>,
    pub(crate) key: FlowKey,
    pub(crate) traffic_path: Option<u8>,
    pub(crate) next_hop: Option<Arc<InterfaceMetadata>>,
    pub(crate) disposition: Disposition,
}

/// What the interfaces on a packet's way record, in their order. Most ways have a sender and a receiver; gateways with
/// an interface of their own add theirs.
pub(crate) type Records = SmallVec<[Record; 2]>;

/// Equal records may share counters.
impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
            && self.traffic_path == other.traffic_path
            && is_same(&self.interface, &other.interface)
            && match (&self.next_hop, &other.next_hop) {
                (Some(own), Some(others)) => is_same(own, others),
                (own, others) => own.is_none() && others.is_none(),
            }
            && self.disposition == other.disposition
    }
}

fn is_same(a: &Arc<InterfaceMetadata>, b: &Arc<InterfaceMetadata>) -> bool {
    Arc::ptr_eq(a, b) || a == b
}

impl Record {
    pub(crate) fn new(seen: Sighting, disposition: Disposition) -> Self {
        let Sighting {
            recorder,
            direction,
            tuple: packet,
            action,
            traffic_path,
            next_hop,
        } = seen;
        Self {
            key: record_key(&recorder, direction, action, &packet),
            interface: recorder,
            traffic_path,
            next_hop,
            disposition,
        }
    }

    /// What was counted, as a sample.
    pub(crate) fn sample(self, counted: &Counted) -> FlowSample {
        FlowSample {
            interface: self.interface,
            key: self.key,
            packets: counted.count.packets,
            bytes: counted.count.bytes,
            tcp_flags: counted.count.tcp_flags,
            first: counted.first,
            last: counted.last,
            traffic_path: self.traffic_path,
            next_hop: self.next_hop,
            disposition: self.disposition,
        }
    }
}

/// The flow that an interface records a packet in. The addresses of the interface's own side are always its primary ones,
/// whatever the header says; IPv6 addresses are as in the header.
pub(crate) fn record_key(
    recorder: &InterfaceMetadata,
    direction: Direction,
    action: Action,
    packet: &Tuple,
) -> FlowKey {
    let own = |header: IpAddr| match (header, recorder.primary_ipv4) {
        (IpAddr::V4(_), Some(primary)) => IpAddr::V4(primary),
        _ => header,
    };
    let (srcaddr, dstaddr) = match direction {
        Direction::Egress => (own(packet.src), packet.dst),
        Direction::Ingress => (packet.src, own(packet.dst)),
    };
    let (srcport, dstport) = packet.ports();
    FlowKey {
        direction,
        srcaddr,
        dstaddr,
        pkt_srcaddr: packet.src,
        pkt_dstaddr: packet.dst,
        srcport,
        dstport,
        protocol: packet.protocol,
        action,
    }
}

/// What a frame adds to the counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) tcp_flags: u8,
}

impl Count {
    /// A super-frame counts as the segments that it stands for, each with its headers.
    #[inline]
    pub(crate) fn of(ip: &Ip, offload: Offload) -> Self {
        let gso_size = usize::from(offload.gso_size);
        let (packets, bytes) = segment::segments(ip.ip_len, ip.header_len(), gso_size);
        Self {
            packets,
            bytes,
            tcp_flags: counted_flags(ip),
        }
    }
}

/// Flags as flow logs count them: the ACK bit appears only with SYN.
#[inline]
fn counted_flags(ip: &Ip) -> u8 {
    if ip.protocol != protocol::TCP {
        return 0;
    }
    let mut flags = ip.tcp_flags & (tcp::FIN | tcp::SYN | tcp::RST);
    if flags & tcp::SYN != 0 {
        flags |= ip.tcp_flags & tcp::ACK;
    }
    flags
}

/// Samples that wait for the next harvest, and the interfaces of which some were lost.
#[derive(Debug)]
pub(crate) struct Meter {
    waiting: Vec<FlowSample>,
    limit: usize,
    skipped: Vec<Arc<InterfaceMetadata>>,
}

impl Meter {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            waiting: Vec::new(),
            limit,
            skipped: Vec::new(),
        }
    }

    /// Keeps counters whose flow is recorded otherwise from now on, or never got into the cache.
    pub(crate) fn keep(&mut self, records: Records, counted: &Counted) {
        for record in records {
            if self.waiting.len() < self.limit {
                self.waiting.push(record.sample(counted));
            } else if !self.skipped.contains(&record.interface) {
                self.skipped.push(record.interface);
            }
        }
    }

    pub(crate) fn keep_one(&mut self, records: Records, count: Count, now: Timestamp) {
        let (first, last) = (now, now);
        let counted = Counted { count, first, last };
        self.keep(records, &counted);
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Tells whether there are more.
    pub(crate) fn drain(&mut self, limit: usize, into: &mut Vec<FlowSample>) -> bool {
        let kept = self.waiting.len().saturating_sub(limit);
        into.extend(self.waiting.drain(kept..));
        kept > 0
    }

    pub(crate) fn take_skipped(&mut self) -> Vec<Arc<InterfaceMetadata>> {
        std::mem::take(&mut self.skipped)
    }
}
