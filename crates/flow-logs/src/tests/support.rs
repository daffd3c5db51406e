//! A small world, and samples in few words.

use std::net::IpAddr;
use std::sync::Arc;

use dataplane::{Action, Direction, FlowKey, FlowSample, InterfaceMetadata};
use model::{
    AggregationInterval, Attachment, DeliveryStatus, FileFormat, FlowLog, FlowLogResource,
    LogDestination, MacAddress, NetworkInterface, Scope, Tags, Timestamp, TrafficType, World,
};

use crate::{Batch, ClosedWindow, batches};

pub(crate) const SUBNET: &str = "subnet-aaaaaaaa012345678";
pub(crate) const VPC: &str = "vpc-abcdefab012345678";
pub(crate) const ENI: &str = "eni-1235b8ca123456789";
pub(crate) const OTHER_ENI: &str = "eni-11111111aaaaaaaaa";

pub(crate) fn scope() -> Scope {
    Scope {
        account: "123456789010".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
    }
}

pub(crate) fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

pub(crate) fn interface(id: &str) -> Arc<InterfaceMetadata> {
    Arc::new(InterfaceMetadata {
        scope: scope(),
        recorder: id.parse().unwrap(),
        interface_type: model::InterfaceType::Interface,
        subnet_id: Some(SUBNET.parse().unwrap()),
        vpc_id: VPC.parse().unwrap(),
        zone: scope().region.zones().nth(2),
        instance_id: Some("i-01234567890123456".parse().unwrap()),
        primary_ipv4: Some([10, 0, 0, 62].into()),
        tags: Tags::default(),
        instance_tags: Tags::default(),
    })
}

/// `ingress tcp 52.213.180.42:43416 > 10.0.0.62:5001 accept 8 568 2 10..12`
pub(crate) fn sample(eni: &Arc<InterfaceMetadata>, text: &str) -> FlowSample {
    let words: Vec<_> = text.split(' ').collect();
    let [
        direction,
        protocol,
        source,
        ">",
        destination,
        action,
        packets,
        bytes,
        flags,
        times,
    ] = words[..]
    else {
        panic!("not a sample: {text}");
    };
    let (srcaddr, srcport) = endpoint(source);
    let (dstaddr, dstport) = endpoint(destination);
    let (first, last) = times.split_once("..").unwrap();
    let direction = match direction {
        "ingress" => Direction::Ingress,
        _ => Direction::Egress,
    };
    let action = match action {
        "accept" => Action::Accept,
        _ => Action::Reject,
    };
    FlowSample {
        interface: Arc::clone(eni),
        key: FlowKey {
            direction,
            srcaddr,
            dstaddr,
            pkt_srcaddr: srcaddr,
            pkt_dstaddr: dstaddr,
            srcport,
            dstport,
            protocol: match protocol {
                "icmp" => 1,
                "tcp" => 6,
                _ => 17,
            },
            action,
        },
        packets: packets.parse().unwrap(),
        bytes: bytes.parse().unwrap(),
        tcp_flags: flags.parse().unwrap(),
        first: at(first.parse().unwrap()),
        last: at(last.parse().unwrap()),
        traffic_path: (direction == Direction::Egress && action == Action::Accept).then_some(8),
        next_hop: None,
        disposition: disposition(),
    }
}

fn endpoint(text: &str) -> (IpAddr, u16) {
    let (address, port) = text.rsplit_once(':').unwrap();
    (address.parse().unwrap(), port.parse().unwrap())
}

fn disposition() -> dataplane::Disposition {
    dataplane::Disposition::Delivered {
        to: ENI.parse().unwrap(),
    }
}

/// A world of attached interfaces and of flow logs `resource type destination`, in this order
/// `fl-00000001`, `fl-00000002`, ….
pub(crate) fn world(interfaces: &[&str], flow_logs: &[&str]) -> World {
    let mut world = World::default();
    let state = world.regions.entry(scope()).or_default();
    for id in interfaces {
        let eni = network_interface(id);
        state.network_interfaces.insert(eni.id, eni);
    }
    for (i, text) in flow_logs.iter().enumerate() {
        let flow_log = flow_log(&format!("fl-{:08x}", i + 1), text);
        state.flow_logs.insert(flow_log.id, flow_log);
    }
    world
}

pub(crate) fn network_interface(id: &str) -> NetworkInterface {
    NetworkInterface {
        interface_type: model::InterfaceType::Interface,
        id: id.parse().unwrap(),
        subnet_id: SUBNET.parse().unwrap(),
        vpc_id: VPC.parse().unwrap(),
        description: String::new(),
        mac: MacAddress([2, 0, 0, 0, 0, 1]),
        private_ip_addresses: Vec::new(),
        ipv6_addresses: Vec::new(),
        groups: Vec::new(),
        source_dest_check: true,
        associate_public_ip_address: false,
        attachment: Some(Attachment {
            id: "eni-attach-00000001".parse().unwrap(),
            instance_id: "i-01234567890123456".parse().unwrap(),
            device_index: 0,
            attach_time: at(0),
            delete_on_termination: true,
        }),
        created_at: at(0),
        tags: Tags::default(),
    }
}

pub(crate) fn flow_log(id: &str, text: &str) -> FlowLog {
    let words: Vec<_> = text.split(' ').collect();
    let [resource, traffic_type, destination, interval] = words[..] else {
        panic!("not a flow log: {text}");
    };
    FlowLog {
        id: id.parse().unwrap(),
        resource: match resource.split('-').next() {
            Some("vpc") => FlowLogResource::Vpc(resource.parse().unwrap()),
            Some("subnet") => FlowLogResource::Subnet(resource.parse().unwrap()),
            _ => FlowLogResource::NetworkInterface(resource.parse().unwrap()),
        },
        traffic_type: match traffic_type {
            "ACCEPT" => TrafficType::Accept,
            "REJECT" => TrafficType::Reject,
            _ => TrafficType::All,
        },
        destination: match destination.strip_prefix("s3:") {
            Some(bucket) => LogDestination::S3 {
                bucket: bucket.to_owned(),
                prefix: String::new(),
                arn: format!("arn:aws:s3:::{bucket}"),
                hive_compatible_partitions: false,
                per_hour_partition: false,
                file_format: FileFormat::PlainText,
            },
            None => LogDestination::CloudWatchLogs {
                log_group_name: destination.to_owned(),
                arn: None,
            },
        },
        deliver_logs_permission_arn: None,
        deliver_cross_account_role: None,
        tag_fields: Vec::new(),
        log_format: FlowLog::DEFAULT_FORMAT.to_owned(),
        max_aggregation_interval: match interval {
            "60" => AggregationInterval::OneMinute,
            _ => AggregationInterval::TenMinutes,
        },
        created_at: at(0),
        delivery: DeliveryStatus::Success,
        tags: Tags::default(),
    }
}

/// Every batch as text: `flow log stream-type slot`, then its lines.
pub(crate) fn print(windows: &[ClosedWindow]) -> String {
    batches(windows).iter().map(print_batch).collect()
}

fn print_batch(batch: &Batch) -> String {
    let mut text = format!(
        "{} {} slot {}\n",
        batch.flow_log_id,
        batch.stream_type,
        batch.slot.as_secs()
    );
    for (_, line) in batch.lines.iter() {
        text += &format!("  {line}\n");
    }
    text
}
