//! What an event is about, as LookupEvents finds it: `ResourceType` and `ResourceName`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A resource that an event names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Resource {
    /// `AWS::EC2::VPC`, …
    pub resource_type: String,
    /// Its id or name.
    pub resource_name: String,
}

/// More are not noted of one event: a description of everything is about nothing in particular.
const RESOURCES_MAX: usize = 50;

/// The resources that parameters and answer name, each once, in their order.
pub(crate) fn resources(source: &str, values: [&Value; 2]) -> Vec<Resource> {
    let mut found = Vec::new();
    for value in values {
        search(source, "", value, &mut found);
    }
    found
}

fn search(source: &str, name: &str, value: &Value, found: &mut Vec<Resource>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                search(source, name, member, found);
            }
        }
        Value::Array(items) => {
            for item in items {
                search(source, name, item, found);
            }
        }
        Value::String(text) => {
            if let Some(resource_type) = kind_of(source, name, text) {
                let resource = Resource {
                    resource_type: resource_type.to_owned(),
                    resource_name: text.clone(),
                };
                if found.len() < RESOURCES_MAX && !found.contains(&resource) {
                    found.push(resource);
                }
            }
        }
        _ => {}
    }
}

fn kind_of(source: &str, name: &str, text: &str) -> Option<&'static str> {
    match (source, name) {
        ("s3.amazonaws.com", "bucketName") => return Some("AWS::S3::Bucket"),
        ("logs.amazonaws.com", "logGroupName") => return Some("AWS::Logs::LogGroup"),
        ("sts.amazonaws.com", "roleArn") => return Some("AWS::IAM::Role"),
        ("firehose.amazonaws.com", "deliveryStreamName") => {
            return Some("AWS::KinesisFirehose::DeliveryStream");
        }
        ("cloudtrail.amazonaws.com", "name") => return Some("AWS::CloudTrail::Trail"),
        _ => {}
    }
    let (prefix, rest) = text.rsplit_once('-')?;
    let is_id = matches!(rest.len(), 8 | 17) && rest.bytes().all(|b| b.is_ascii_hexdigit());
    let of_prefix = PREFIXES.iter().find(|(known, _)| *known == prefix);
    of_prefix.filter(|_| is_id).map(|(_, kind)| *kind)
}

const PREFIXES: [(&str, &str); 20] = [
    ("acl", "AWS::EC2::NetworkAcl"),
    ("dopt", "AWS::EC2::DHCPOptions"),
    ("eigw", "AWS::EC2::EgressOnlyInternetGateway"),
    ("eipalloc", "AWS::EC2::EIP"),
    ("eni", "AWS::EC2::NetworkInterface"),
    ("eni-attach", "AWS::EC2::NetworkInterfaceAttachment"),
    ("fl", "AWS::EC2::FlowLog"),
    ("i", "AWS::EC2::Instance"),
    ("igw", "AWS::EC2::InternetGateway"),
    ("nat", "AWS::EC2::NatGateway"),
    ("pcx", "AWS::EC2::VPCPeeringConnection"),
    ("pl", "AWS::EC2::PrefixList"),
    ("rtb", "AWS::EC2::RouteTable"),
    ("rtbassoc", "AWS::EC2::SubnetRouteTableAssociation"),
    ("sg", "AWS::EC2::SecurityGroup"),
    ("sgr", "AWS::EC2::SecurityGroupRule"),
    ("subnet", "AWS::EC2::Subnet"),
    ("vpc", "AWS::EC2::VPC"),
    ("vpce", "AWS::EC2::VPCEndpoint"),
    ("vpce-svc", "AWS::EC2::VPCEndpointService"),
];
