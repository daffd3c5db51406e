//! The older style: lower-case names, lists as `<name>Set` with `items`.

use ec2_query::Tree;
use serde_json::{Map, Value, json};

use super::REMOVED;
use crate::form::{self, Node};

pub(super) fn request(action: &str, parameters: &Node<'_>) -> Value {
    let mut shown = Map::new();
    for (name, value) in defaults(action) {
        shown.insert((*name).to_owned(), value.clone());
    }
    if matches!(
        action,
        "RunInstances" | "StartInstances" | "StopInstances" | "TerminateInstances"
    ) {
        shown.insert("instancesSet".to_owned(), instances_set(parameters));
    }
    for (name, node) in &parameters.members {
        if let Some((name, value)) = parameter(action, name, node) {
            shown.insert(name, value);
        }
    }
    Value::Object(shown)
}

/// What is shown though it was not sent.
fn defaults(action: &str) -> Vec<(&'static str, Value)> {
    let empty = || json!({});
    let sets = |names: &[&'static str]| names.iter().map(|name| (*name, empty())).collect();
    match action {
        "CreateVpc" => vec![
            ("instanceTenancy", json!("default")),
            ("amazonProvidedIpv6CidrBlock", json!(false)),
        ],
        "CreateNetworkAclEntry" | "ReplaceNetworkAclEntry" => vec![("icmpTypeCode", empty())],
        "AuthorizeSecurityGroupIngress"
        | "AuthorizeSecurityGroupEgress"
        | "RevokeSecurityGroupIngress"
        | "RevokeSecurityGroupEgress" => vec![("ipPermissions", empty())],
        "RunInstances" => vec![
            ("blockDeviceMapping", empty()),
            ("monitoring", json!({ "enabled": false })),
            ("disableApiTermination", json!(false)),
        ],
        "StopInstances" => vec![("force", json!(false))],
        "DescribeVpcs" => sets(&["vpcSet", "filterSet"]),
        "DescribeSubnets" => sets(&["subnetSet", "filterSet"]),
        "DescribeRouteTables" => sets(&["routeTableIdSet", "filterSet"]),
        "DescribeNetworkAcls" => sets(&["networkAclIdSet", "filterSet"]),
        "DescribeInternetGateways" => sets(&["internetGatewayIdSet", "filterSet"]),
        "DescribeNetworkInterfaces" => sets(&["networkInterfaceIdSet", "filterSet"]),
        "DescribeSecurityGroups" => sets(&["securityGroupSet", "securityGroupIdSet", "filterSet"]),
        "DescribeDhcpOptions" => sets(&["dhcpOptionsSet", "filterSet"]),
        "DescribeVpcPeeringConnections" => sets(&["vpcPeeringConnectionIdSet", "filterSet"]),
        "DescribeAddresses" => sets(&["publicIpsSet", "allocationIdsSet", "filterSet"]),
        "DescribeInstances" => sets(&["instancesSet", "filterSet"]),
        "DescribeAvailabilityZones" => {
            sets(&["availabilityZoneSet", "availabilityZoneIdSet", "filterSet"])
        }
        "DescribeAccountAttributes" => sets(&["accountAttributeNameSet", "filterSet"]),
        _ if action.starts_with("Describe") => sets(&["filterSet"]),
        _ => Vec::new(),
    }
}

/// Names that are not simply the parameter's own in lower case.
fn set_name(action: &str, parameter: &str) -> Option<&'static str> {
    Some(match (action, parameter) {
        ("DescribeVpcs", "VpcId") => "vpcSet",
        ("DescribeSubnets", "SubnetId") => "subnetSet",
        ("DescribeSecurityGroups", "GroupName") => "securityGroupSet",
        ("DescribeSecurityGroups", "GroupId") => "securityGroupIdSet",
        ("DescribeDhcpOptions", "DhcpOptionsId") => "dhcpOptionsSet",
        ("DescribeAddresses", "PublicIp") => "publicIpsSet",
        ("DescribeAddresses", "AllocationId") => "allocationIdsSet",
        ("DescribeAvailabilityZones", "ZoneName") => "availabilityZoneSet",
        ("DescribeAvailabilityZones", "ZoneId") => "availabilityZoneIdSet",
        ("DescribeAccountAttributes", "AttributeName") => "accountAttributeNameSet",
        ("CreateTags" | "DeleteTags", "ResourceId") => "resourcesSet",
        (_, "InstanceId") => "instancesSet",
        (_, "SecurityGroupId") => "groupSet",
        (_, "PrivateIpAddresses") => "privateIpAddressesSet",
        _ => return None,
    })
}

fn parameter(action: &str, name: &str, node: &Node<'_>) -> Option<(String, Value)> {
    if matches!(name, "MinCount" | "MaxCount" | "ImageId" | "KeyName") && action == "RunInstances" {
        return None;
    }
    if let Some(items) = node.items() {
        return list(action, name, &items);
    }
    match (name, node.value) {
        ("UserData", Some(_)) => Some(("userData".to_owned(), REMOVED.into())),
        ("Protocol", Some(value)) if action.contains("NetworkAclEntry") => {
            Some(("aclProtocol".to_owned(), value.into()))
        }
        ("Icmp", None) => Some(("icmpTypeCode".to_owned(), structure(node))),
        // Ports and other numbers of a call that names its one rule without IpPermissions.
        (_, Some(value)) => Some((lower(name), form::scalar(name, value))),
        (_, None) => Some((lower(name), structure(node))),
    }
}

fn list(action: &str, name: &str, items: &[&Node<'_>]) -> Option<(String, Value)> {
    let values = || items.iter().filter_map(|item| item.value);
    let item_name = lower(name);
    Some(match name {
        "Filter" => {
            let filter = |item: &&Node<'_>| {
                let values = item.get("Value").and_then(Node::items).unwrap_or_default();
                let values = values.iter().filter_map(|value| value.value);
                json!({
                    "name": item.get("Name").and_then(|n| n.value),
                    "valueSet": items_of(values.map(|value| json!({ "value": value })).collect()),
                })
            };
            (
                "filterSet".to_owned(),
                items_of(items.iter().map(filter).collect()),
            )
        }
        "TagSpecification" => {
            let specification = |item: &&Node<'_>| {
                let tags = item.get("Tag").and_then(Node::items).unwrap_or_default();
                let tags: Vec<_> = tags.iter().map(|tag| structure(tag)).collect();
                json!({ "resourceType": item.get("ResourceType").and_then(|n| n.value), "tags": tags })
            };
            let specifications = items.iter().map(specification).collect();
            ("tagSpecificationSet".to_owned(), items_of(specifications))
        }
        "IpPermissions" => {
            let permissions = items.iter().map(|item| permission(item)).collect();
            ("ipPermissions".to_owned(), items_of(permissions))
        }
        // Shown before, with the other facts about instances.
        "InstanceId" if defaults_show_instances(action) => return None,
        _ if values().next().is_some() => {
            let set =
                set_name(action, name).map_or_else(|| format!("{item_name}Set"), str::to_owned);
            let item = match name {
                "SecurityGroupId" => "groupId".to_owned(),
                _ => item_name,
            };
            let items = values()
                .map(|value| json!({ item.clone(): value }))
                .collect();
            (set, items_of(items))
        }
        _ => {
            let set =
                set_name(action, name).map_or_else(|| format!("{item_name}Set"), str::to_owned);
            (
                set,
                items_of(items.iter().map(|item| structure(item)).collect()),
            )
        }
    })
}

fn defaults_show_instances(action: &str) -> bool {
    matches!(
        action,
        "StartInstances" | "StopInstances" | "TerminateInstances"
    )
}

fn instances_set(parameters: &Node<'_>) -> Value {
    if let Some(ids) = parameters.get("InstanceId").and_then(Node::items) {
        let ids = ids.iter().filter_map(|id| id.value);
        return items_of(ids.map(|id| json!({ "instanceId": id })).collect());
    }
    let mut item = Map::new();
    for name in ["ImageId", "MinCount", "MaxCount", "KeyName"] {
        if let Some(value) = parameters.get(name).and_then(|node| node.value) {
            item.insert(lower(name), form::scalar(name, value));
        }
    }
    items_of(vec![Value::Object(item)])
}

/// A rule of a security group: its lists are there even if they are empty.
fn permission(item: &Node<'_>) -> Value {
    let mut shown = Map::new();
    for (name, node) in &item.members {
        if let Some(value) = node.value {
            shown.insert(lower(name), form::scalar(name, value));
        }
    }
    for (name, shown_as) in [
        ("Groups", "groups"),
        ("UserIdGroupPairs", "groups"),
        ("IpRanges", "ipRanges"),
        ("Ipv6Ranges", "ipv6Ranges"),
        ("PrefixListIds", "prefixListIds"),
    ] {
        let items = item.get(name).and_then(Node::items).unwrap_or_default();
        if !items.is_empty() || !shown.contains_key(shown_as) {
            let items = items.iter().map(|item| structure(item)).collect();
            shown.insert(shown_as.to_owned(), items_of(items));
        }
    }
    Value::Object(shown)
}

fn structure(node: &Node<'_>) -> Value {
    if let [("Value", only)] = &node.members[..]
        && let Some(value @ ("true" | "false")) = only.value
    {
        return json!({ "value": value == "true" });
    }
    let mut shown = Map::new();
    for (name, member) in &node.members {
        let value = match (member.value, member.items()) {
            (Some(value), _) => form::scalar(name, value),
            (None, Some(items)) => {
                items_of(items.iter().map(|item| item_value(name, item)).collect())
            }
            (None, None) => structure(member),
        };
        shown.insert(lower(name), value);
    }
    Value::Object(shown)
}

fn item_value(name: &str, item: &Node<'_>) -> Value {
    match item.value {
        Some(value) => json!({ lower(name): value }),
        None => structure(item),
    }
}

fn items_of(items: Vec<Value>) -> Value {
    if items.is_empty() {
        return json!({});
    }
    Map::from_iter([("items".to_owned(), Value::Array(items))]).into()
}

pub(super) fn response(elements: &Tree, request_id: &str) -> Value {
    let mut shown = Map::new();
    shown.insert("requestId".to_owned(), request_id.into());
    if let Value::Object(members) = value(elements) {
        for (name, value) in members {
            // A word of the language that CloudTrail is written in.
            let name = if name == "return" {
                "_return".to_owned()
            } else {
                name
            };
            shown.insert(name, value);
        }
    }
    Value::Object(shown)
}

fn value(tree: &Tree) -> Value {
    match tree {
        Tree::Structure(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), value(member)))
            .collect::<Map<_, _>>()
            .into(),
        Tree::List(items) => items_of(items.iter().map(value).collect()),
        Tree::Text(text) => text.as_str().into(),
        Tree::Integer(number) => (*number).into(),
        Tree::Float(number) => (*number).into(),
        Tree::Boolean(is) => (*is).into(),
    }
}

/// `CidrBlock` as `cidrBlock`.
pub(crate) fn lower(name: &str) -> String {
    let mut characters = name.chars();
    characters
        .next()
        .map(|first| first.to_ascii_lowercase())
        .into_iter()
        .chain(characters)
        .collect()
}
