//! What the demo prints.

use std::time::Duration;

use super::attempt::{Attempt, Happened};
use super::network::{BUCKET, LOG_GROUP, Network, SWALLOWING_RULE};
use super::record::{Amount, Count, Delivered, Expected};
use super::verdict::Reason;
use crate::output::{Cell, Style, Table, Tone, protocol};

/// The network, in a few lines.
pub(super) fn network(network: &Network, style: Style) -> String {
    let Network {
        vpc_id,
        client_group,
        web_group,
        acl,
        client,
        guest,
        web,
    } = network;
    let mut table = Table::new([
        "instance",
        "address",
        "subnet",
        "interface",
        "security group lets in",
    ]);
    let lets_in = [
        format!("nothing ({client_group})"),
        format!("nothing ({client_group})"),
        format!("ping; tcp 80 of clients ({web_group})"),
    ];
    for (instance, lets_in) in [client, guest, web].into_iter().zip(lets_in) {
        table.row([
            Cell::new(Tone::Strong, instance.name),
            instance.address.into(),
            instance.subnet.into(),
            instance.interface_id.as_str().into(),
            lets_in.into(),
        ]);
    }
    let acl = format!(
        "network ACL of {}: egress rule {SWALLOWING_RULE} denies icmp to {} ({acl})\n",
        web.subnet, guest.address
    );
    heading(
        &format!("A VPC with two subnets, {vpc_id}, 10.0.0.0/16"),
        style,
    ) + &table.render(style)
        + &acl
}

/// What was tried, and what came back.
pub(super) fn attempts(attempts: &[Attempt], happened: &[Happened], style: Style) -> String {
    let mut table = Table::new(["", "from", "tried", "came back", "expected"]);
    for (attempt, happened) in attempts.iter().zip(happened) {
        table.row([
            mark(attempt.expected == happened.seen),
            attempt.from.name.into(),
            attempt.title.as_str().into(),
            happened.seen.to_string().into(),
            attempt.expected.to_string().into(),
        ]);
    }
    heading("What was tried, and what came back", style) + &table.render(style)
}

/// The records, as both destinations have them.
pub(super) fn records(
    expected: &[Expected],
    delivered: &Delivered,
    network: &Network,
    style: Style,
) -> String {
    let mut table = Table::new([
        "S3",
        "Logs",
        "interface",
        "srcaddr",
        "dstaddr",
        ">srcport",
        ">dstport",
        "proto",
        ">packets",
        ">bytes",
        "action",
    ]);
    for Expected { key, amount } in expected {
        let (interface, flow, action) = key;
        let found = [delivered.s3.get(key), delivered.logs.get(key)];
        let count = found[0].or(found[1]).copied().unwrap_or_default();
        let is_right = |count: Option<&Count>| match (count, amount) {
            (Some(count), Amount::Exactly { packets, bytes }) => {
                count.packets == *packets && count.bytes == *bytes
            }
            (Some(count), Amount::Some) => count.packets > 0,
            (None, _) => false,
        };
        let name = network
            .instance_of(interface)
            .map_or(interface.as_str(), |instance| instance.name);
        let tone = if action == "REJECT" {
            Tone::Refused
        } else {
            Tone::Good
        };
        table.row([
            mark(is_right(found[0])),
            mark(is_right(found[1])),
            name.into(),
            flow.source.0.as_str().into(),
            flow.destination.0.as_str().into(),
            flow.source.1.to_string().into(),
            flow.destination.1.to_string().into(),
            protocol(flow.protocol).into(),
            count.packets.to_string().into(),
            count.bytes.to_string().into(),
            Cell::new(tone, action.as_str()),
        ]);
    }
    let mut text =
        heading("The flow-log records that the packets left", style) + &table.render(style);
    for file in &delivered.files {
        let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
        text.push_str(&style.paint(
            Tone::Quiet,
            &format!("read from s3://{BUCKET}/{folder}/\n            {name}\n"),
        ));
    }
    let streams = delivered.streams.len();
    let group = format!("  and from {streams} streams of the log group {LOG_GROUP}\n");
    text + &style.paint(Tone::Quiet, &group)
}

/// The rule behind each REJECT.
pub(super) fn reasons(reasons: &[Reason], style: Style) -> String {
    let mut text = heading("Why each REJECT", style);
    for reason in reasons {
        let Reason {
            title,
            interface,
            flow,
            why,
            trace,
            ..
        } = reason;
        let why = why.as_deref().unwrap_or("no such record");
        let agrees = if why == trace {
            "weir trace says the same".to_owned()
        } else {
            format!("weir trace: {trace}")
        };
        text.push_str(&format!("{}\n", style.paint(Tone::Strong, title)));
        text.push_str(&format!(
            "  {} {flow} at {interface}\n",
            style.paint(Tone::Refused, "REJECT")
        ));
        text.push_str(&format!(
            "  {why}\n  {}\n",
            style.paint(Tone::Quiet, &agrees)
        ));
    }
    text
}

/// The last lines.
pub(super) fn end(
    differences: &[String],
    attempts: usize,
    records: &str,
    took: Duration,
    style: Style,
) -> String {
    let seconds = took.as_secs_f64();
    if differences.is_empty() {
        let words = format!("All as expected: {attempts} attempts, {records}, {seconds:.1} s.");
        return format!("\n{}\n", style.paint(Tone::Good, &words));
    }
    let mut text = heading("What differs", style);
    for difference in differences {
        text.push_str(&format!("{} {difference}\n", style.paint(Tone::Bad, "✗")));
    }
    text
}

pub(super) fn heading(text: &str, style: Style) -> String {
    format!("\n{}\n\n", style.paint(Tone::Strong, text))
}

pub(super) fn mark(is_right: bool) -> Cell {
    if is_right {
        Cell::new(Tone::Good, "✓")
    } else {
        Cell::new(Tone::Bad, "✗")
    }
}
