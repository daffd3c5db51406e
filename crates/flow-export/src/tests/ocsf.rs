//! OCSF events.

use expect_test::expect;
use serde_json::Value;

use super::{accepted_ipv6, refused, skipped};
use crate::ocsf;

/// What class 4001 of OCSF 1.3 requires, its profile `cloud` included, and what its objects require (schema.ocsf.io).
const REQUIRED: [&str; 16] = [
    "/activity_id",
    "/category_uid",
    "/class_uid",
    "/cloud/provider",
    "/metadata/product/vendor_name",
    "/metadata/version",
    "/severity_id",
    "/time",
    "/type_uid",
    "/connection_info/direction_id",
    "/action_id",
    "/disposition_id",
    "/observables/0/type_id",
    "/dst_endpoint/ip",
    "/src_endpoint/ip",
    "/traffic/bytes",
];

#[test]
fn an_event_has_what_its_class_requires() {
    for record in [refused(), accepted_ipv6()] {
        let event = ocsf(&record, "0.1.0").unwrap();
        for pointer in REQUIRED {
            assert!(event.pointer(pointer).is_some(), "{pointer}");
        }
        let number = |name: &str| event[name].as_u64().unwrap();
        assert_eq!(
            number("type_uid"),
            number("class_uid") * 100 + number("activity_id")
        );
        assert_eq!(number("category_uid"), number("class_uid") / 1000);
        assert!(number("start_time") <= number("end_time"));
        assert!(no_nulls(&event), "{event:#}");
    }
}

fn no_nulls(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(values) => values.iter().all(no_nulls),
        Value::Object(values) => values.values().all(no_nulls),
        _ => true,
    }
}

#[test]
fn a_refused_connection() {
    expect![[r#"
        {
          "action": "Denied",
          "action_id": 2,
          "activity_id": 6,
          "activity_name": "Traffic",
          "category_name": "Network Activity",
          "category_uid": 4,
          "class_name": "Network Activity",
          "class_uid": 4001,
          "cloud": {
            "account": {
              "type": "AWS Account",
              "type_id": 10,
              "uid": "123456789012"
            },
            "provider": "AWS",
            "region": "us-east-1",
            "zone": "use1-az1"
          },
          "connection_info": {
            "direction": "Inbound",
            "direction_id": 1,
            "protocol_name": "tcp",
            "protocol_num": 6,
            "protocol_ver": "Internet Protocol version 4 (IPv4)",
            "protocol_ver_id": 4,
            "tcp_flags": 2
          },
          "disposition": "Blocked",
          "disposition_id": 2,
          "dst_endpoint": {
            "instance_uid": "i-00000001",
            "interface_uid": "eni-0123456789abcdef0",
            "ip": "10.0.0.62",
            "port": 5432,
            "subnet_uid": "subnet-00000001",
            "vpc_uid": "vpc-00000001"
          },
          "end_time": 1700000003750,
          "metadata": {
            "log_name": "VPC Flow Logs",
            "product": {
              "feature": {
                "name": "Flow logs"
              },
              "name": "Weir",
              "vendor_name": "Weir",
              "version": "0.1.0"
            },
            "profiles": [
              "cloud",
              "security_control"
            ],
            "uid": "eni-0123456789abcdef0-1700000000250000-1700000003750000-ingress-REJECT-6-10.0.1.10-40000-10.0.0.63-5432",
            "version": "1.3.0"
          },
          "observables": [
            {
              "name": "src_endpoint.ip",
              "type": "IP Address",
              "type_id": 2,
              "value": "10.0.1.10"
            },
            {
              "name": "dst_endpoint.ip",
              "type": "IP Address",
              "type_id": 2,
              "value": "10.0.0.62"
            }
          ],
          "severity": "Informational",
          "severity_id": 1,
          "src_endpoint": {
            "ip": "10.0.1.10",
            "port": 40000
          },
          "start_time": 1700000000250,
          "status": "Failure",
          "status_code": "REJECT",
          "status_detail": "no inbound rule of sg-00000001 allows it",
          "status_id": 2,
          "time": 1700000003750,
          "traffic": {
            "bytes": 180,
            "packets": 3
          },
          "type_name": "Network Activity: Traffic",
          "type_uid": 400106,
          "unmapped": {
            "decision": {
              "decided-by": "security group",
              "here": true,
              "outcome": "rejected",
              "reason": "security_group",
              "resources": [
                "sg-00000001"
              ]
            },
            "log-status": "OK",
            "pkt-dstaddr": "10.0.0.63"
          }
        }
    "#]].assert_eq(&format!("{:#}\n", ocsf(&refused(), "0.1.0").unwrap()));
}

#[test]
fn what_is_no_flow_is_no_event() {
    assert_eq!(ocsf(&skipped(), "0.1.0"), None);
}
