//! The parameters of a Query request as the tree that their dotted names spell.

use serde_json::Value;

/// A parameter: a value, or parameters below it.
#[derive(Debug, Default)]
pub(crate) struct Node<'a> {
    pub(crate) value: Option<&'a str>,
    /// In the order in which they were sent.
    pub(crate) members: Vec<(&'a str, Self)>,
}

/// Parameters that say how a request was sent, not what it asks for.
const COMMON: [&str; 9] = [
    "Action",
    "Version",
    "DryRun",
    "AWSAccessKeyId",
    "SignatureMethod",
    "SignatureVersion",
    "Signature",
    "Timestamp",
    "SecurityToken",
];

/// Names nested deeper than any action's are not followed.
const DEPTH_MAX: usize = 12;

/// The tree of a form; parameters that every action has are left out.
pub(crate) fn read(form: &[(String, String)]) -> Node<'_> {
    let mut root = Node::default();
    for (name, value) in form {
        if COMMON.contains(&name.as_str()) || name.starts_with("X-Amz-") {
            continue;
        }
        let mut node = &mut root;
        for part in name.splitn(DEPTH_MAX, '.') {
            node = node.member(part);
        }
        node.value = Some(value);
    }
    root
}

impl<'a> Node<'a> {
    fn member(&mut self, name: &'a str) -> &mut Self {
        let at = self.members.iter().position(|(known, _)| *known == name);
        let at = at.unwrap_or_else(|| {
            self.members.push((name, Self::default()));
            self.members.len() - 1
        });
        &mut self.members[at].1
    }

    /// The items of a list: members whose names are numbers.
    pub(crate) fn items(&self) -> Option<Vec<&Self>> {
        let numbered = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit());
        let is_list = !self.members.is_empty() && self.members.iter().all(|(n, _)| numbered(n));
        is_list.then(|| self.members.iter().map(|(_, item)| item).collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        self.members
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, node)| node)
    }
}

/// A scalar as JSON has it: numbers and booleans are those that AWS's model calls so.
pub(crate) fn scalar(name: &str, text: &str) -> Value {
    if INTEGERS.contains(&name)
        && let Ok(number) = text.parse::<i64>()
    {
        return number.into();
    }
    match text {
        "true" | "false" if !TEXTS.contains(&name) => (text == "true").into(),
        _ => text.into(),
    }
}

/// The members of EC2's request shapes that are whole numbers, but those that Weir refuses anyway.
const INTEGERS: [&str; 24] = [
    "Code",
    "CurrentVersion",
    "DeviceIndex",
    "From",
    "FromPort",
    "HttpPutResponseHopLimit",
    "Ipv4PrefixCount",
    "Ipv6AddressCount",
    "Ipv6PrefixCount",
    "MaxAggregationInterval",
    "MaxCount",
    "MaxDrainDurationSeconds",
    "MaxEntries",
    "MaxResults",
    "MinCount",
    "NetworkCardIndex",
    "PreviousVersion",
    "PrivateIpAddressCount",
    "RuleNumber",
    "SecondaryPrivateIpAddressCount",
    "To",
    "ToPort",
    "Type",
    "Version",
];

/// Members that are text even if it reads `true`.
const TEXTS: [&str; 6] = [
    "Key",
    "Value",
    "Description",
    "GroupName",
    "GroupDescription",
    "ClientToken",
];
