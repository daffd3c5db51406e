//! Sending what load balancers' nodes send by themselves: through the pipeline, as instances' packets go.

use model::Timestamp;
use packet::Ip;
use packet::build::Frame;

use super::Segment;
use crate::forward::Dataplane;
use crate::meter::Count;
use crate::tuple::L4;
use crate::walk::{Walk, Way};

impl Dataplane {
    /// Takes the answer of a target to a health check, and sends what the node says to that.
    pub(crate) fn take_health_check(&mut self, ip: &Ip, frame: &[u8], now: Timestamp) {
        self.health_checks.take(ip, frame);
        for segment in self.health_checks.take_says() {
            self.send_segment(&segment, now);
        }
    }

    /// Sends what a node sends by itself.
    pub(crate) fn send_segment(&mut self, segment: &Segment, now: Timestamp) {
        let snapshot = self.snapshot.clone();
        let node = snapshot.interface(segment.node);
        let Some((node, &src)) = node.and_then(|node| Some((node, node.addresses.first()?))) else {
            return;
        };
        let subject = segment.subject(src);
        let decision = Walk {
            snapshot: &snapshot,
            connections: &mut self.connections,
            sessions: &mut self.sessions,
            health_checks: &mut self.health_checks,
            cache: &mut self.cache,
            origins: &mut self.origins,
            now,
            steps: None,
            alone: None,
            assumed: None,
            way: Way::default(),
        }
        .decide_from_node(node, &subject);
        let count = Count {
            packets: 1,
            bytes: subject.len as u64,
            tcp_flags: segment.flags,
        };
        let out = decision.out;
        let (src_mac, dst_mac) =
            out.map_or_else(Default::default, |out| (out.src_mac, out.dst_mac));
        let sent = subject.translated(decision.translation).tuple;
        let frame = Frame::new(src_mac, dst_mac, sent.src, sent.dst);
        let (Some(frame), L4::Ports { src, dst }) = (frame, sent.l4) else {
            return;
        };
        let numbers = (segment.sequence, segment.acknowledgement);
        let frame = frame.tcp_sequence(src, dst, segment.flags, numbers, &segment.payload);
        if self.watch.on {
            self.watch.see(&decision.records, &snapshot, &frame, now);
        }
        self.meter.keep_one(decision.records, count, now);
        if let Some(out) = out {
            self.counters.emitted += 1;
            self.emitted.push((out.port, frame));
        } else if let Some(reason) = decision.disposition.drop_reason() {
            self.counters.drop(reason);
        }
    }
}
