//! What interfaces see of packets, for whoever captures there.
//!
//! A packet is noted once for each record that it leaves: as the interface gets it or has sent it, with what became of it.
//! Nothing is looked up or decided for that. The cache keeps what its flows leave, so a packet that it forwards has the
//! same words as the one that was decided on.

use std::sync::Arc;

use model::{RecorderId, Timestamp};
use packet::{Mac, Packet, ethernet, protocol, segment};

use crate::compile::Snapshot;
use crate::compile::network_interface::Interface;
use crate::disposition::Disposition;
use crate::flow_cache::Translation;
use crate::forward::{Dataplane, Offload, Verdict, translate};
use crate::meter::{Record, Records};
use crate::{Action, Device, Direction, FlowKey, InterfaceMetadata};

/// What an interface saw of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// Which one.
    pub interface: Arc<InterfaceMetadata>,
    /// What it recorded: which way the packet went there, and whether it let it pass.
    pub key: FlowKey,
    /// What became of the packet in the end.
    pub disposition: Disposition,
    /// When.
    pub time: Timestamp,
    /// The frame as the interface got or sent it.
    pub frame: Vec<u8>,
    /// What the frame's sender left for others to do.
    pub offload: Offload,
}

impl Sight {
    /// How many packets of the wire it stands for.
    pub fn packets(&self) -> u64 {
        let parsed = Packet::parse(&self.frame).ok();
        let ip = parsed.as_ref().and_then(Packet::ip);
        let gso_size = usize::from(self.offload.gso_size);
        ip.map_or(1, |ip| {
            segment::segments(ip.ip_len, ip.header_len(), gso_size).0
        })
    }
}

/// What is noted of packets, and of whose.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    pub(crate) on: bool,
    recorders: Vec<RecorderId>,
    /// The frame that is decided on, as it came.
    before: Vec<u8>,
    /// Who has seen it.
    noted: Vec<Noted>,
    sights: Vec<Sight>,
}

#[derive(Debug)]
struct Noted {
    record: Record,
    /// Whether its interface saw the frame as it came, and not as it went on.
    before: bool,
    /// Whether the frame as it came is what its interface has sent.
    sent: bool,
}

impl Dataplane {
    /// Whose packets are noted from now on, for [`Dataplane::take_sights`]. Nobody's costs nothing.
    pub fn watch(&mut self, recorders: Vec<RecorderId>) {
        self.watch = Watch {
            on: !recorders.is_empty(),
            recorders,
            ..Watch::default()
        };
        self.open_or_close();
    }

    /// What has been noted since the last call, in the order of the packets and of their way. Whoever watches calls this
    /// after each burst and each check of health, because everything is kept until then.
    pub fn take_sights(&mut self) -> Vec<Sight> {
        std::mem::take(&mut self.watch.sights)
    }

    /// Decides on a frame, and notes who sees it.
    #[inline(never)]
    pub(crate) fn watched(
        &mut self,
        frame: &mut [u8],
        offload: Offload,
        now: Timestamp,
        decide: impl FnOnce(&mut Self, &mut [u8]) -> Verdict,
    ) -> Verdict {
        self.watch.noted.clear();
        self.watch.before.clear();
        self.watch.before.extend_from_slice(frame);
        let verdict = decide(self, frame);
        let snapshot = self.snapshot.clone();
        let Watch {
            before,
            noted,
            sights,
            ..
        } = &mut self.watch;
        sights.extend(noted.drain(..).map(|noted| {
            let seen = if noted.before { &*before } else { &*frame };
            noted.sight(&snapshot, seen, offload, now)
        }));
        verdict
    }
}

impl Watch {
    /// Notes who sees the packet that is decided on.
    #[cold]
    pub(crate) fn note(&mut self, records: &Records) {
        self.noted.clear();
        for (index, record) in records.iter().enumerate() {
            if !self.recorders.contains(&record.interface.recorder) {
                continue;
            }
            let sent = index == 0 && record.key.direction == Direction::Egress;
            let passes_on = index + 1 < records.len() && record.key.direction == Direction::Ingress;
            self.noted.push(Noted {
                record: record.clone(),
                before: sent || passes_on,
                sent,
            });
        }
    }

    /// Notes who sees a frame that the data plane sends by itself.
    #[cold]
    pub(crate) fn see(
        &mut self,
        records: &Records,
        snapshot: &Snapshot,
        frame: &[u8],
        now: Timestamp,
    ) {
        // The frame that is decided on may be what made it send this one.
        let others = std::mem::take(&mut self.noted);
        self.note(records);
        for mut noted in std::mem::replace(&mut self.noted, others) {
            noted.sent = false;
            let sight = noted.sight(snapshot, frame, Offload::default(), now);
            self.sights.push(sight);
        }
    }

    /// Makes a frame that an interface refuses the one that it would have got.
    pub(crate) fn as_received(
        &self,
        snapshot: &Snapshot,
        frame: &mut [u8],
        ip: &packet::Ip,
        translation: Translation,
        offload: Offload,
    ) {
        let refused = self.noted.iter().map(|noted| &noted.record).find(|record| {
            record.key.direction == Direction::Ingress && record.key.action == Action::Reject
        });
        let Some(to) = refused.and_then(|record| interface_of(snapshot, record)) else {
            return;
        };
        if frame.starts_with(&to.mac.0) || !translate(frame, ip, translation, offload) {
            // From a neighbour, or what cannot be translated and is shown as it was sent.
            return;
        }
        let router = snapshot.vpc_of(to).router_mac;
        let _ = ethernet::set_macs(frame, to.mac, router);
    }
}

impl Noted {
    fn sight(self, snapshot: &Snapshot, frame: &[u8], offload: Offload, now: Timestamp) -> Sight {
        let mut frame = frame.to_vec();
        if !self.sent {
            self.put_there(snapshot, &mut frame, offload);
        }
        let Record {
            interface,
            key,
            disposition,
            ..
        } = self.record;
        Sight {
            interface,
            key,
            disposition,
            time: now,
            frame,
            offload,
        }
    }

    /// Gives a frame the addresses that it has at this interface, where gateways make others of them: what its record
    /// says.
    fn put_there(&self, snapshot: &Snapshot, frame: &mut [u8], offload: Offload) {
        let Ok(packet) = Packet::parse(frame) else {
            return;
        };
        let Some(ip) = packet.ip() else { return };
        let key = &self.record.key;
        let has_ports = matches!(ip.protocol, protocol::TCP | protocol::UDP) && ip.src_port != 0;
        let port = |own: u16, recorded: u16| {
            (has_ports && recorded != 0 && own != recorded).then_some(recorded)
        };
        let to = Translation {
            src: (ip.src != key.pkt_srcaddr).then_some(key.pkt_srcaddr),
            dst: (ip.dst != key.pkt_dstaddr).then_some(key.pkt_dstaddr),
            src_port: port(ip.src_port, key.srcport),
            dst_port: port(ip.dst_port, key.dstport),
            icmp_identifier: None,
        };
        translate(frame, ip, to, offload);
        let at = interface_of(snapshot, &self.record);
        let (own, router) = at.map_or((Mac::default(), Mac::default()), |at| {
            (at.mac, snapshot.vpc_of(at).router_mac)
        });
        let _ = match key.direction {
            // From a neighbour, or from the router already.
            Direction::Ingress if packet.dst_mac == own => Ok(()),
            Direction::Ingress => ethernet::set_macs(frame, own, router),
            Direction::Egress => ethernet::set_macs(frame, router, own),
        };
    }
}

fn interface_of<'a>(snapshot: &'a Snapshot, record: &Record) -> Option<&'a Interface> {
    let id = record.interface.recorder.network_interface_id()?;
    snapshot.interface(snapshot.port_of(&Device::Interface(id))?)
}
