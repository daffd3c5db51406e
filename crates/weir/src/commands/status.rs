//! `weir status`: how the daemon is.

use std::process::ExitCode;

use server::ops::{FlowLogSummary, Status, StatusReport};

use crate::cli::Target;
use crate::output::{self, Style, Tone};

/// Prints what the daemon says of itself.
pub(crate) fn run(target: &Target, json: bool) -> anyhow::Result<ExitCode> {
    let report = super::client(target)?.weir(&Status {})?;
    if json {
        output::json(&report)?;
    } else {
        output::print(&render(&report, Style::of_stdout()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn flow_logs(summary: &FlowLogSummary) -> String {
    let FlowLogSummary {
        flow_logs,
        failing,
        delivered,
        waiting_batches,
        spooled_bytes,
        lag_s,
        skipdata,
    } = summary;
    let mut text = format!("{flow_logs}, {delivered} records delivered");
    if *waiting_batches > 0 {
        text += &format!(
            ", {waiting_batches} batches ({spooled_bytes} B) waiting, the oldest for {lag_s} s"
        );
    }
    if *skipdata > 0 {
        text += &format!(", {skipdata} SKIPDATA");
    }
    if *failing > 0 {
        text += &format!(", {failing} failing: see `weir flows status`");
    }
    text
}

fn render(report: &StatusReport, style: Style) -> String {
    let uptime = match report.uptime_s {
        s @ 0..60 => format!("{s} s"),
        s @ 60..3600 => format!("{} min", s / 60),
        s => format!("{} h {} min", s / 3600, s / 60 % 60),
    };
    let lines = [
        ("version", report.version.clone()),
        ("listening on", report.listen.clone()),
        ("process", format!("{}, up {uptime}", report.pid)),
        (
            "state",
            format!("{}, change {}", report.state.display(), report.generation),
        ),
        (
            "defaults",
            format!("Region {}, account {}", report.region, report.account),
        ),
        (
            "running",
            format!(
                "{} instances, {} interfaces",
                report.instances, report.network_interfaces
            ),
        ),
        ("datapath", report.datapath.clone()),
        ("flow logs", flow_logs(&report.flow_logs)),
    ];
    // Of the many reasons to drop a packet, those that came up.
    let counters = report
        .packets
        .iter()
        .filter(|(name, count)| *count > 0 || name == "forwarded");
    let packets = counters.map(|(name, count)| format!("{count:>10} {name}"));
    let label = |name: &str| style.paint(Tone::Quiet, &format!("{name:<14}"));
    let mut text: String = lines
        .iter()
        .map(|(name, value)| format!("{}{value}\n", label(name)))
        .collect();
    for (index, value) in packets.enumerate() {
        text.push_str(&format!(
            "{}{value}\n",
            label(if index == 0 { "packets" } else { "" })
        ));
    }
    text
}
