//! Records as Weir's own operations give them.

use dataplane::{FlowKey, FlowSample};
use flow_logs::FlowRecord;
use flow_why::Decision;

use crate::ops::FlowLine;

/// A record of a closed window.
pub(crate) fn record_line(record: &FlowRecord) -> FlowLine {
    let interface = &record.interface;
    let common = FlowLine {
        account_id: interface.scope.account.to_string(),
        interface_id: interface.recorder.to_string(),
        instance_id: interface.instance_id.map(|id| id.to_string()),
        start: record.start.as_secs(),
        end: record.end.as_secs(),
        action: "-".to_owned(),
        log_status: record.log_status().name().to_owned(),
        ..FlowLine::default()
    };
    match record.flow() {
        None => common,
        Some(flow) => FlowLine {
            packets: flow.packets,
            bytes: flow.bytes,
            why: flow.why(),
            decision: Some(Decision::new(&flow.disposition, flow.key.action)),
            ..with_key(common, &flow.key)
        },
    }
}

/// What an interface has seen right now.
pub(crate) fn live_line(sample: &FlowSample) -> FlowLine {
    let interface = &sample.interface;
    let common = FlowLine {
        account_id: interface.scope.account.to_string(),
        interface_id: interface.recorder.to_string(),
        instance_id: interface.instance_id.map(|id| id.to_string()),
        packets: sample.packets,
        bytes: sample.bytes,
        start: sample.first.as_secs(),
        end: sample.last.as_secs(),
        log_status: "OK".to_owned(),
        why: sample.disposition.seen_by(sample.key.action),
        decision: Some(Decision::new(&sample.disposition, sample.key.action)),
        ..FlowLine::default()
    };
    with_key(common, &sample.key)
}

fn with_key(line: FlowLine, key: &FlowKey) -> FlowLine {
    FlowLine {
        flow_direction: key.direction.name().to_owned(),
        srcaddr: key.srcaddr.to_string(),
        dstaddr: key.dstaddr.to_string(),
        srcport: key.srcport,
        dstport: key.dstport,
        protocol: key.protocol,
        action: key.action.name().to_owned(),
        ..line
    }
}
