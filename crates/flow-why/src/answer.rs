//! Whether a flow answers another.

use dataplane::Action;
use flow_logs::{Flow, FlowRecord};

const TCP: u8 = 6;
const SYN: u8 = 2;
const SYN_ACK: u8 = 18;

/// A flow answers another if its first packet came after the other's, which passed; flags of TCP tell it as well.
pub(crate) fn is_answer(flow: &Flow, record: &FlowRecord, opposite: Option<&FlowRecord>) -> bool {
    if flow.key.protocol == TCP {
        if flow.tcp_flags & SYN_ACK == SYN_ACK {
            return true;
        }
        if flow.tcp_flags & SYN != 0 {
            return false;
        }
    }
    let Some((other, begun)) = opposite.and_then(|o| Some((o.flow()?, o.start))) else {
        return false;
    };
    other.key.action == Action::Accept && begun < record.start
}
