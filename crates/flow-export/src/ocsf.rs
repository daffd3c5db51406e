//! A record as an event of OCSF 1.3, class 4001 Network Activity (schema.ocsf.io).

use dataplane::{Action, Direction};
use flow_logs::{Flow, FlowRecord};
use flow_why::Decision;
use model::Timestamp;
use serde_json::{Map, Value, json};

/// The event of a flow; `None` for a record that tells of none, for which OCSF has no event of this class.
///
/// `time` is the last packet's. What the class has no attribute for is in `unmapped`: what decided, under `decision`, and
/// AWS's fields without a place, by their names.
pub fn ocsf(record: &FlowRecord, product_version: &str) -> Option<Value> {
    let flow = record.flow()?;
    let key = &flow.key;
    let accepted = key.action == Action::Accept;
    let (own, remote) = (own_end(record), Map::new());
    let (mut src, mut dst) = match key.direction {
        Direction::Egress => (own, remote),
        Direction::Ingress => (remote, own),
    };
    src.insert("ip".to_owned(), json!(key.srcaddr.to_string()));
    dst.insert("ip".to_owned(), json!(key.dstaddr.to_string()));
    if has_ports(key.protocol) {
        src.insert("port".to_owned(), json!(key.srcport));
        dst.insert("port".to_owned(), json!(key.dstport));
    }
    Some(json!({
        "activity_id": ACTIVITY_TRAFFIC,
        "activity_name": "Traffic",
        "category_uid": 4,
        "category_name": "Network Activity",
        "class_uid": 4001,
        "class_name": "Network Activity",
        "type_uid": 4001 * 100 + ACTIVITY_TRAFFIC,
        "type_name": "Network Activity: Traffic",
        "severity_id": 1,
        "severity": "Informational",
        "action_id": if accepted { 1 } else { 2 },
        "action": if accepted { "Allowed" } else { "Denied" },
        "disposition_id": if accepted { 1 } else { 2 },
        "disposition": if accepted { "Allowed" } else { "Blocked" },
        "status_id": if accepted { 1 } else { 2 },
        "status": if accepted { "Success" } else { "Failure" },
        "status_code": key.action.name(),
        "status_detail": flow.why(),
        "time": record.end.as_millis(),
        "start_time": record.start.as_millis(),
        "end_time": record.end.as_millis(),
        "metadata": {
            "version": "1.3.0",
            "uid": uid(record, flow),
            "log_name": "VPC Flow Logs",
            "profiles": ["cloud", "security_control"],
            "product": {
                "name": "Weir",
                "vendor_name": "Weir",
                "version": product_version,
                "feature": { "name": "Flow logs" },
            },
        },
        "cloud": cloud(record),
        "src_endpoint": src,
        "dst_endpoint": dst,
        "connection_info": connection_info(flow),
        "traffic": { "packets": flow.packets, "bytes": flow.bytes },
        "observables": [
            { "name": "src_endpoint.ip", "type": "IP Address", "type_id": 2, "value": key.srcaddr.to_string() },
            { "name": "dst_endpoint.ip", "type": "IP Address", "type_id": 2, "value": key.dstaddr.to_string() },
        ],
        "unmapped": unmapped(record, flow),
    }))
}

fn connection_info(flow: &Flow) -> Value {
    let key = &flow.key;
    let mut connection = json!({
        "direction": if key.direction == Direction::Ingress { "Inbound" } else { "Outbound" },
        "direction_id": if key.direction == Direction::Ingress { 1 } else { 2 },
        "protocol_num": key.protocol,
        "protocol_ver": if key.pkt_srcaddr.is_ipv4() { "Internet Protocol version 4 (IPv4)" } else { "Internet Protocol version 6 (IPv6)" },
        "protocol_ver_id": if key.pkt_srcaddr.is_ipv4() { 4 } else { 6 },
    });
    if let Some(name) = model::protocol::keyword(key.protocol) {
        connection["protocol_name"] = json!(name);
    }
    if key.protocol == TCP {
        connection["tcp_flags"] = json!(flow.tcp_flags);
    }
    connection
}

fn cloud(record: &FlowRecord) -> Value {
    let interface = &*record.interface;
    let mut cloud = json!({
        "provider": "AWS",
        "region": interface.scope.region.to_string(),
        "account": {
            "uid": interface.scope.account.to_string(),
            "type": "AWS Account",
            "type_id": 10,
        },
    });
    if let Some(zone) = interface.zone {
        cloud["zone"] = json!(zone.zone_id());
    }
    cloud
}

/// OCSF's activity for a summary of packets.
const ACTIVITY_TRAFFIC: u32 = 6;
const TCP: u8 = 6;

const fn has_ports(protocol: u8) -> bool {
    matches!(protocol, 6 | 17)
}

/// What is known of the end that recorded.
fn own_end(record: &FlowRecord) -> Map<String, Value> {
    let interface = &*record.interface;
    let mut end = Map::new();
    end.insert(
        "interface_uid".to_owned(),
        json!(interface.recorder.to_string()),
    );
    end.insert("vpc_uid".to_owned(), json!(interface.vpc_id.to_string()));
    if let Some(subnet) = interface.subnet_id {
        end.insert("subnet_uid".to_owned(), json!(subnet.to_string()));
    }
    if let Some(instance) = interface.instance_id {
        end.insert("instance_uid".to_owned(), json!(instance.to_string()));
    }
    end
}

/// The same for the same record, and no other's.
fn uid(record: &FlowRecord, flow: &Flow) -> String {
    let key = &flow.key;
    let micros = |at: Timestamp| at.as_micros();
    format!(
        "{}-{}-{}-{}-{}-{}-{}-{}-{}-{}",
        record.interface.recorder,
        micros(record.start),
        micros(record.end),
        key.direction.name(),
        key.action.name(),
        key.protocol,
        key.pkt_srcaddr,
        key.srcport,
        key.pkt_dstaddr,
        key.dstport,
    )
}

fn unmapped(record: &FlowRecord, flow: &Flow) -> Value {
    let key = &flow.key;
    let mut unmapped = Map::new();
    unmapped.insert("log-status".to_owned(), json!(record.log_status().name()));
    if let Ok(decision) = serde_json::to_value(Decision::new(&flow.disposition, key.action)) {
        unmapped.insert("decision".to_owned(), decision);
    }
    if key.pkt_srcaddr != key.srcaddr {
        unmapped.insert("pkt-srcaddr".to_owned(), json!(key.pkt_srcaddr.to_string()));
    }
    if key.pkt_dstaddr != key.dstaddr {
        unmapped.insert("pkt-dstaddr".to_owned(), json!(key.pkt_dstaddr.to_string()));
    }
    if let Some(path) = flow.traffic_path {
        unmapped.insert("traffic-path".to_owned(), json!(path));
    }
    Value::Object(unmapped)
}
