//! One VPC: security groups, a network ACL, and the rule behind every REJECT.
//!
//! What is expected is written down in `attempt.rs`; what came back is read from S3 and CloudWatch
//! Logs.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use server::ops::{FlushFlowLogs, ReadFlows};

use super::attempt::{self, Happened};
use super::daemon::Daemon;
use super::network::Network;
use super::record::{self, Delivered};
use super::{report, verdict};
use crate::client::Client;
use crate::output::{self, Style};

/// Runs the whole and says whether everything was as expected.
pub(super) fn run(keep: bool) -> anyhow::Result<ExitCode> {
    let style = Style::of_stdout();
    let began = Instant::now();
    let daemon = Daemon::start()?;
    let mut client = Client::new(&daemon.endpoint)?;
    let network = Network::build(&mut client).context("build the network")?;
    output::print(&report::network(&network, style))?;

    let attempts = attempt::all(&network);
    let mut happened: Vec<Happened> = Vec::new();
    for attempt in &attempts {
        happened.push(attempt.carry_out(&daemon.endpoint)?);
    }
    output::print(&report::attempts(&attempts, &happened, style))?;

    client.weir(&FlushFlowLogs {})?;
    let delivered = Delivered::read(&mut client, &network).context("read the flow logs back")?;
    let expected: Vec<_> = attempts
        .iter()
        .flat_map(|attempt| attempt.records.clone())
        .collect();
    output::print(&report::records(&expected, &delivered, &network, style))?;

    let flows = client.weir(&ReadFlows::default())?;
    let reasons = verdict::reasons(&mut client, &attempts, &flows.records)?;
    output::print(&report::reasons(&reasons, style))?;

    let mut differences = verdict::of_attempts(&attempts, &happened);
    differences.extend(record::differences("S3", &expected, &delivered.s3));
    differences.extend(record::differences(
        "CloudWatch Logs",
        &expected,
        &delivered.logs,
    ));
    differences.extend(verdict::of_traces(&mut client, &attempts)?);
    differences.extend(verdict::of_reasons(&reasons));
    output::print(&report::end(
        &differences,
        attempts.len(),
        &format!("{} records in each destination", expected.len()),
        began.elapsed(),
        style,
    ))?;

    super::end(daemon, keep, style)?;
    Ok(ExitCode::from(u8::from(!differences.is_empty())))
}
