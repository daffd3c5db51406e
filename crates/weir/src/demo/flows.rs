//! Flow-log records of scenarios, in a format of their own: who saw what, which way, by which path.

use std::collections::BTreeMap;

use anyhow::{Context, bail};

use super::attempt::{PING_BYTES, PINGS};
use super::network::Instance;
use super::record::{Count, gunzip};
use super::report::mark;
use crate::client::Client;
use crate::output::{Cell, Table, Tone, protocol};

const FORMAT: &str = "${interface-id} ${flow-direction} ${srcaddr} ${dstaddr} ${protocol} ${packets} ${bytes} \
                      ${action} ${traffic-path} ${log-status}";
const ICMP: u8 = 1;
const TCP: u8 = 6;
const ICMPV6: u8 = 58;
/// IPv6 has a header of 40 bytes instead of 20.
const IPV6_EXTRA: u64 = 20;

/// What tells records apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Flow {
    interface: String,
    source: String,
    destination: String,
    protocol: u8,
    direction: String,
    action: String,
    /// `traffic-path`.
    path: String,
}

/// Records, summed over the windows that they were cut into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Flows(BTreeMap<Flow, Count>);

impl Flows {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds what others hold.
    pub(super) fn extend(&mut self, others: Self) {
        for (flow, count) in others.0 {
            self.add(flow, count);
        }
    }

    fn add(&mut self, flow: Flow, count: Count) {
        let sum = self.0.entry(flow).or_default();
        sum.packets += count.packets;
        sum.bytes += count.bytes;
    }

    /// A sender's record of accepted pings from one address to another, which left by a path.
    pub(super) fn sent(&mut self, at: &Instance, from: &str, to: &str, path: &str) {
        self.pings(at, (from, to), "egress", path);
    }

    /// A receiver's record of accepted pings.
    pub(super) fn received(&mut self, at: &Instance, from: &str, to: &str) {
        self.pings(at, (from, to), "ingress", "-");
    }

    /// What answered pings leave: both ways, at both ends.
    pub(super) fn answered(&mut self, from: &Instance, to: &Instance, path: &str) {
        for (one, other) in [(from, to), (to, from)] {
            self.sent(one, one.address, other.address, path);
            self.received(other, one.address, other.address);
        }
    }

    /// What a conversation over TCP leaves at its client, which went by a path.
    pub(super) fn spoke(&mut self, at: &Instance, with: &str, path: &str) {
        self.talked(at, "egress", (at.address, with), path);
        self.talked(at, "ingress", (with, at.address), "-");
    }

    /// A record of accepted packets of TCP, however many.
    pub(super) fn talked(
        &mut self,
        at: &Instance,
        direction: &str,
        addresses: (&str, &str),
        path: &str,
    ) {
        self.tcp(at, direction, addresses, path, "ACCEPT");
    }

    /// A receiver's record of refused packets of TCP, however many.
    pub(super) fn rejected(&mut self, at: &Instance, from: &str, to: &str) {
        self.tcp(at, "ingress", (from, to), "-", "REJECT");
    }

    fn tcp(
        &mut self,
        at: &Instance,
        direction: &str,
        (from, to): (&str, &str),
        path: &str,
        action: &str,
    ) {
        let flow = Flow {
            interface: at.interface_id.clone(),
            source: from.to_owned(),
            destination: to.to_owned(),
            protocol: TCP,
            direction: direction.to_owned(),
            action: action.to_owned(),
            path: path.to_owned(),
        };
        self.add(flow, SOME);
    }

    fn pings(&mut self, at: &Instance, (from, to): (&str, &str), direction: &str, path: &str) {
        let (protocol, bytes) = match from.contains(':') {
            true => (ICMPV6, PING_BYTES + IPV6_EXTRA),
            false => (ICMP, PING_BYTES),
        };
        let flow = Flow {
            interface: at.interface_id.clone(),
            source: from.to_owned(),
            destination: to.to_owned(),
            protocol,
            direction: direction.to_owned(),
            action: "ACCEPT".to_owned(),
            path: path.to_owned(),
        };
        let count = Count {
            packets: PINGS.into(),
            bytes: bytes * u64::from(PINGS),
        };
        self.add(flow, count);
    }
}

/// Whether what was delivered is what was expected: exactly so much, or some.
fn is_met(wanted: Count, found: Count) -> bool {
    match wanted == SOME {
        true => found.packets > 0,
        false => wanted == found,
    }
}

/// Stands for any number of packets.
const SOME: Count = Count {
    packets: 0,
    bytes: 0,
};

/// Lets everything in a VPC be recorded into a new bucket.
pub(super) fn record(api: &mut Client, vpc_id: &str, bucket: &str) -> anyhow::Result<()> {
    api.create_bucket(bucket)?;
    let answer = api.ec2(
        "CreateFlowLogs",
        &[
            ("ResourceType", "VPC"),
            ("ResourceId.1", vpc_id),
            ("TrafficType", "ALL"),
            ("MaxAggregationInterval", "60"),
            ("LogDestinationType", "s3"),
            ("LogDestination", &format!("arn:aws:s3:::{bucket}")),
            ("LogFormat", FORMAT),
        ],
    )?;
    if let Some(failure) = answer.all("unsuccessful", "item").next() {
        bail!("CreateFlowLogs: {}", failure.text("error/message")?);
    }
    Ok(())
}

/// Reads the records of a bucket.
pub(super) fn read(api: &mut Client, bucket: &str) -> anyhow::Result<Flows> {
    let mut flows = Flows::default();
    for key in api.list_objects(bucket)? {
        let text = gunzip(&api.get_object(bucket, &key)?)?;
        for line in text.lines().skip(1) {
            let parsed = parse(line).with_context(|| format!("not a record: {line:?}"))?;
            if let Some((flow, count)) = parsed {
                flows.add(flow, count);
            }
        }
    }
    Ok(flows)
}

/// `None` if a record says that there was no traffic.
fn parse(line: &str) -> anyhow::Result<Option<(Flow, Count)>> {
    let fields: Vec<&str> = line.split(' ').collect();
    let [
        interface,
        direction,
        source,
        destination,
        protocol,
        packets,
        bytes,
        action,
        path,
        status,
    ] = fields[..]
    else {
        bail!("{} fields", fields.len());
    };
    match status {
        "OK" => {}
        "NODATA" => return Ok(None),
        _ => bail!("records were lost: {status}"),
    }
    let flow = Flow {
        interface: interface.to_owned(),
        source: source.to_owned(),
        destination: destination.to_owned(),
        protocol: protocol.parse()?,
        direction: direction.to_owned(),
        action: action.to_owned(),
        path: path.to_owned(),
    };
    let count = Count {
        packets: packets.parse()?,
        bytes: bytes.parse()?,
    };
    Ok(Some((flow, count)))
}

/// What differs between the expected records and the delivered ones, in words.
pub(super) fn differences(
    expected: &Flows,
    delivered: &Flows,
    instances: &[&Instance],
) -> Vec<String> {
    let mut differences = Vec::new();
    for (flow, wanted) in &expected.0 {
        match delivered.0.get(flow) {
            Some(count) if is_met(*wanted, *count) => {}
            Some(count) => differences.push(format!(
                "{}: {} packets, {} bytes instead of {}, {}",
                words(flow, instances),
                count.packets,
                count.bytes,
                wanted.packets,
                wanted.bytes
            )),
            None => differences.push(format!("missing: {}", words(flow, instances))),
        }
    }
    let unexpected = delivered
        .0
        .keys()
        .filter(|flow| !expected.0.contains_key(flow));
    differences.extend(unexpected.map(|flow| format!("unexpected: {}", words(flow, instances))));
    differences
}

fn words(flow: &Flow, instances: &[&Instance]) -> String {
    let Flow {
        source,
        destination,
        direction,
        action,
        path,
        ..
    } = flow;
    let protocol = protocol(flow.protocol);
    let name = name(flow, instances);
    format!("{name} {direction} {protocol} {source} → {destination} {action}, path {path}")
}

fn name<'a>(flow: &'a Flow, instances: &[&'a Instance]) -> &'a str {
    let found = instances
        .iter()
        .find(|instance| instance.interface_id == flow.interface);
    found.map_or(flow.interface.as_str(), |instance| instance.name)
}

/// The expected records, with what was delivered of them.
pub(super) fn table(expected: &Flows, delivered: &Flows, instances: &[&Instance]) -> Table {
    let mut table = Table::new([
        "S3",
        "interface",
        "direction",
        "srcaddr",
        "dstaddr",
        "proto",
        ">packets",
        ">bytes",
        "action",
        "path",
    ]);
    for (flow, wanted) in &expected.0 {
        let found = delivered.0.get(flow);
        let count = found.copied().unwrap_or_default();
        let tone = if flow.action == "REJECT" {
            Tone::Refused
        } else {
            Tone::Good
        };
        table.row([
            mark(found.is_some_and(|count| is_met(*wanted, *count))),
            name(flow, instances).into(),
            flow.direction.as_str().into(),
            flow.source.as_str().into(),
            flow.destination.as_str().into(),
            protocol(flow.protocol).into(),
            count.packets.to_string().into(),
            count.bytes.to_string().into(),
            Cell::new(tone, flow.action.as_str()),
            flow.path.as_str().into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "eni-1 egress 10.1.1.10 10.2.1.10 1 3 252 ACCEPT 4 OK";

    fn instance() -> Instance {
        Instance {
            name: "a",
            instance_id: "i-1".to_owned(),
            interface_id: "eni-1".to_owned(),
            address: "10.1.1.10",
            subnet: "10.1.1.0/24",
        }
    }

    fn flows(lines: &[&str]) -> Flows {
        let mut flows = Flows::default();
        for (flow, count) in lines.iter().filter_map(|line| parse(line).unwrap()) {
            flows.add(flow, count);
        }
        flows
    }

    #[test]
    fn records_are_compared() {
        let own = instance();
        let mut expected = Flows::default();
        expected.sent(&own, "10.1.1.10", "10.2.1.10", "4");
        let none = "eni-1 - - - - - - - - NODATA";
        assert!(differences(&expected, &flows(&[LINE, none]), &[&own]).is_empty());
        let twice = differences(&expected, &flows(&[LINE, LINE]), &[&own]);
        assert_eq!(
            twice,
            [
                "a egress icmp 10.1.1.10 → 10.2.1.10 ACCEPT, path 4: 6 packets, 504 bytes instead of 3, 252"
            ]
        );
        let other = flows(&[&LINE.replace(" 4 ", " 5 ")]);
        assert_eq!(differences(&expected, &other, &[&own]).len(), 2);
    }

    #[test]
    fn what_is_no_record_is_an_error() {
        for line in [
            "",
            &LINE.replace("OK", "SKIPDATA"),
            &LINE.replace(" 252 ", " x "),
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
