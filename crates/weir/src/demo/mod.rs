//! `weir demo`: a small VPC, real packets through it, and a check of every record that they leave.
//!
//! Everything goes through the public API, as any client would do it. What is expected is written
//! down in `attempt.rs`; what came back is read from S3 and CloudWatch Logs.

mod attempt;
mod daemon;
mod network;
mod record;
mod report;
mod verdict;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use server::ops::{FlushFlowLogs, ReadFlows};

use crate::client::Client;
use crate::output::{self, Style, Tone};
use attempt::Happened;
use daemon::Daemon;
use network::Network;
use record::Delivered;

/// Runs the whole and says whether everything was as expected.
pub(crate) fn run(keep: bool) -> anyhow::Result<ExitCode> {
    let style = Style::of_stdout();
    let began = Instant::now();
    let mut daemon = Daemon::start()?;
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
        expected.len(),
        began.elapsed(),
        style,
    ))?;

    if keep {
        let url = daemon.endpoint.url();
        let hint = format!(
            "\nThe network stays until Ctrl-C. In another shell:\n  eval \"$(weir env --endpoint {url})\"\n"
        );
        output::print(&style.paint(Tone::Quiet, &hint))?;
        daemon.wait()?;
    }
    daemon.stop()?;
    Ok(ExitCode::from(u8::from(!differences.is_empty())))
}
