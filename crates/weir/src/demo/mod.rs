//! `weir demo`: small networks, real packets through them, and a check of every record that they leave.
//!
//! Everything goes through the public API, as any client would do it. `vpc` is the first scenario;
//! the others tell their story on a [`stage::Stage`], which compares what happened with what should.

mod attempt;
mod daemon;
mod egress;
mod endpoints;
mod flows;
mod network;
mod peering;
mod record;
mod report;
mod stage;
mod verdict;
mod vpc;

use std::process::ExitCode;

use crate::cli::Scenario;
use crate::output::{self, Style, Tone};
use daemon::Daemon;

/// Runs a scenario and says whether everything was as expected.
pub(crate) fn run(scenario: Scenario, keep: bool) -> anyhow::Result<ExitCode> {
    match scenario {
        Scenario::Vpc => vpc::run(keep),
        Scenario::Peering => peering::run(keep),
        Scenario::Egress => egress::run(keep),
        Scenario::Endpoints => endpoints::run(keep),
    }
}

/// Ends the daemon, at once or when somebody has looked around.
fn end(mut daemon: Daemon, keep: bool, style: Style) -> anyhow::Result<()> {
    if keep {
        let url = daemon.endpoint.url();
        let hint = format!(
            "\nThe network stays until Ctrl-C. In another shell:\n  eval \"$(weir env --endpoint {url})\"\n"
        );
        output::print(&style.paint(Tone::Quiet, &hint))?;
        daemon.wait()?;
    }
    daemon.stop()
}
