//! JSON lines.

use expect_test::expect;
use flow_logs::LogFormat;

use super::{accepted_ipv6, refused, skipped};
use crate::json;

#[test]
fn fields_that_have_a_value_numbers_as_numbers() {
    let print =
        |record: &flow_logs::FlowRecord| format!("{:#}\n", json(record, &LogFormat::default()));
    expect![[r#"
        {
          "account-id": "123456789012",
          "action": "REJECT",
          "az-id": "use1-az1",
          "bytes": 180,
          "decision": {
            "decided-by": "security group",
            "here": true,
            "outcome": "rejected",
            "reason": "security_group",
            "resources": [
              "sg-00000001"
            ]
          },
          "dstaddr": "10.0.0.62",
          "dstport": 5432,
          "end": 1700000003,
          "flow-direction": "ingress",
          "instance-id": "i-00000001",
          "interface-id": "eni-0123456789abcdef0",
          "log-status": "OK",
          "packets": 3,
          "pkt-dstaddr": "10.0.0.63",
          "pkt-srcaddr": "10.0.1.10",
          "protocol": 6,
          "region": "us-east-1",
          "srcaddr": "10.0.1.10",
          "srcport": 40000,
          "start": 1700000000,
          "subnet-id": "subnet-00000001",
          "tcp-flags": 2,
          "type": "IPv4",
          "version": 11,
          "vpc-id": "vpc-00000001",
          "why": "no inbound rule of sg-00000001 allows it"
        }
    "#]]
    .assert_eq(&print(&refused()));
    expect![[r#"
        {
          "account-id": "123456789012",
          "action": "ACCEPT",
          "az-id": "use1-az1",
          "bytes": 180,
          "decision": {
            "decided-by": "network interface",
            "here": true,
            "outcome": "delivered",
            "resources": [
              "eni-00000002"
            ]
          },
          "dstaddr": "2001:db8::2",
          "dstport": 0,
          "end": 1700000003,
          "flow-direction": "egress",
          "instance-id": "i-00000001",
          "interface-id": "eni-0123456789abcdef0",
          "log-status": "OK",
          "packets": 3,
          "pkt-dstaddr": "2001:db8::2",
          "pkt-srcaddr": "2001:db8::1",
          "protocol": 58,
          "region": "us-east-1",
          "srcaddr": "2001:db8::1",
          "srcport": 0,
          "start": 1700000000,
          "subnet-id": "subnet-00000001",
          "tcp-flags": 0,
          "traffic-path": 8,
          "type": "IPv6",
          "version": 11,
          "vpc-id": "vpc-00000001",
          "why": "delivered to eni-00000002"
        }
    "#]]
    .assert_eq(&print(&accepted_ipv6()));
    expect![[r#"
        {
          "account-id": "123456789012",
          "az-id": "use1-az1",
          "end": 1700000003,
          "instance-id": "i-00000001",
          "interface-id": "eni-0123456789abcdef0",
          "log-status": "SKIPDATA",
          "region": "us-east-1",
          "start": 1700000000,
          "subnet-id": "subnet-00000001",
          "version": 11,
          "vpc-id": "vpc-00000001"
        }
    "#]]
    .assert_eq(&print(&skipped()));
}
