//! Records in, what others read out.

mod ipfix;
mod json;
mod ocsf;

use std::sync::Arc;

use dataplane::{Action, Direction, Disposition, FlowKey, InterfaceMetadata};
use flow_logs::{Flow, FlowRecord, Observed};
use model::{Scope, Tags, Timestamp};

/// A refused connection, seen at the receiver.
pub(crate) fn refused() -> FlowRecord {
    let scope = Scope {
        account: "123456789012".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
    };
    FlowRecord {
        interface: Arc::new(InterfaceMetadata {
            scope,
            recorder: "eni-0123456789abcdef0".parse().unwrap(),
            interface_type: model::InterfaceType::Interface,
            subnet_id: Some("subnet-00000001".parse().unwrap()),
            vpc_id: "vpc-00000001".parse().unwrap(),
            zone: scope.region.zones().next(),
            instance_id: Some("i-00000001".parse().unwrap()),
            primary_ipv4: Some([10, 0, 0, 62].into()),
            tags: Tags::default(),
            instance_tags: Tags::default(),
        }),
        start: Timestamp::from_micros(1_700_000_000_250_000),
        end: Timestamp::from_micros(1_700_000_003_750_000),
        observed: Observed::Flow(Flow {
            key: FlowKey {
                direction: Direction::Ingress,
                srcaddr: [10, 0, 1, 10].into(),
                dstaddr: [10, 0, 0, 62].into(),
                pkt_srcaddr: [10, 0, 1, 10].into(),
                pkt_dstaddr: [10, 0, 0, 63].into(),
                srcport: 40_000,
                dstport: 5432,
                protocol: 6,
                action: Action::Reject,
            },
            packets: 3,
            bytes: 180,
            tcp_flags: 2,
            traffic_path: None,
            next_hop: None,
            disposition: Disposition::DeniedBySecurityGroup {
                interface: "eni-0123456789abcdef0".parse().unwrap(),
                egress: false,
                groups: Arc::new(["sg-00000001".parse().unwrap()]),
            },
        }),
    }
}

/// The same interface's echo to an IPv6 host, which got through.
pub(crate) fn accepted_ipv6() -> FlowRecord {
    let mut record = refused();
    if let Observed::Flow(flow) = &mut record.observed {
        flow.key = FlowKey {
            direction: Direction::Egress,
            srcaddr: "2001:db8::1".parse().unwrap(),
            dstaddr: "2001:db8::2".parse().unwrap(),
            pkt_srcaddr: "2001:db8::1".parse().unwrap(),
            pkt_dstaddr: "2001:db8::2".parse().unwrap(),
            srcport: 0,
            dstport: 0,
            protocol: 58,
            action: Action::Accept,
        };
        flow.tcp_flags = 0;
        flow.traffic_path = Some(8);
        flow.disposition = Disposition::Delivered {
            to: "eni-00000002".parse().unwrap(),
        };
    }
    record
}

pub(crate) fn skipped() -> FlowRecord {
    FlowRecord {
        observed: Observed::SkipData,
        ..refused()
    }
}
