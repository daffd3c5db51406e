//! Whether a flow answers another.

use dataplane::{Action, FlowKey};
use flow_logs::{Flow, FlowRecord};

const TCP: u8 = 6;
const SYN: u8 = 2;
const SYN_ACK: u8 = 18;

/// A flow answers another if its first packet came after the other's, which passed; flags of TCP tell it as well.
pub(crate) fn is_answer(flow: &Flow, opposite: Option<&FlowRecord>) -> bool {
    if flow.key.protocol == TCP {
        if flow.tcp_flags & SYN_ACK == SYN_ACK {
            return true;
        }
        if flow.tcp_flags & SYN != 0 {
            return false;
        }
    }
    opposite.is_some()
}

/// The record of the flow that one answers, among others of its interface: its first packet came before the first of the
/// flow itself, and passed.
pub fn answered<'a>(
    record: &FlowRecord,
    others: impl IntoIterator<Item = &'a FlowRecord>,
) -> Option<&'a FlowRecord> {
    let key = &record.flow()?.key;
    let (mut begun, mut earliest) = (record.start, None::<&FlowRecord>);
    for other in others {
        let Some(flow) = other.flow() else { continue };
        if other.interface.recorder != record.interface.recorder {
            continue;
        }
        if is_same(&flow.key, key) {
            begun = begun.min(other.start);
        } else if is_reverse(&flow.key, key)
            && flow.key.action == Action::Accept
            && earliest.is_none_or(|known| other.start < known.start)
        {
            earliest = Some(other);
        }
    }
    earliest.filter(|other| other.start < begun)
}

fn is_same(a: &FlowKey, b: &FlowKey) -> bool {
    a.direction == b.direction
        && (a.pkt_srcaddr, a.srcport) == (b.pkt_srcaddr, b.srcport)
        && (a.pkt_dstaddr, a.dstport) == (b.pkt_dstaddr, b.dstport)
        && a.protocol == b.protocol
}

fn is_reverse(a: &FlowKey, b: &FlowKey) -> bool {
    a.direction != b.direction
        && (a.pkt_srcaddr, a.srcport) == (b.pkt_dstaddr, b.dstport)
        && (a.pkt_dstaddr, a.dstport) == (b.pkt_srcaddr, b.srcport)
        && a.protocol == b.protocol
}
