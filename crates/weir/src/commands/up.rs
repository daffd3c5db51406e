//! `weir up`: the daemon.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use tracing_subscriber::EnvFilter;

use crate::cli::{Aggregation, Up};
use crate::output;

/// Runs the daemon until it is told to end.
pub(crate) fn run(arguments: &Up) -> anyhow::Result<ExitCode> {
    let parent = getppid();
    // While there is one thread. If it cannot be done, the daemon's own check says why and what helps.
    let privilege = host::enter_user_namespace();
    if arguments.end_with_parent {
        // After the namespace, because a change of credentials undoes it.
        set_parent_process_death_signal(Some(Signal::TERM)).context("watch the parent process")?;
        if getppid() != parent {
            return Ok(ExitCode::SUCCESS);
        }
    }
    start_log(&arguments.log)?;
    if let Err(error) = privilege {
        output::note(&error.to_string());
    }
    server::run(config(arguments)?, |address| {
        if let Err(error) = output::line(&format!("listening on http://{address}")) {
            output::note(&format!("{error:#}"));
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

fn config(arguments: &Up) -> anyhow::Result<server::Config> {
    let state = match (&arguments.state, arguments.ephemeral) {
        (_, true) => None,
        (Some(state), false) => Some(state.clone()),
        (None, false) => Some(default_state(|name| {
            std::env::var_os(name).map(PathBuf::from)
        })?),
    };
    let mut config = server::Config::new(state)?;
    config.listen = arguments.listen;
    config.region = arguments
        .region
        .parse()
        .map_err(|_| anyhow::anyhow!("--region: '{}' is no Region of AWS", arguments.region))?;
    config.account = arguments
        .account
        .parse()
        .map_err(|_| anyhow::anyhow!("--account: '{}' is not twelve digits", arguments.account))?;
    config.aggregation = match arguments.aggregation {
        Aggregation::Nitro => server::Aggregation::Nitro,
        Aggregation::AsRequested => server::Aggregation::AsRequested,
    };
    config.uplink = arguments.uplink;
    Ok(config)
}

/// `$XDG_STATE_HOME/weir`, or `~/.local/state/weir` (XDG Base Directory Specification).
fn default_state(variable: impl Fn(&str) -> Option<PathBuf>) -> anyhow::Result<PathBuf> {
    // The specification says to ignore relative paths.
    let folder = |name| variable(name).filter(|path| path.is_absolute());
    folder("XDG_STATE_HOME")
        .or_else(|| Some(folder("HOME")?.join(".local/state")))
        .map(|base| base.join("weir"))
        .context("neither $XDG_STATE_HOME nor $HOME names a folder: say --state DIR or --ephemeral")
}

fn start_log(filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter).with_context(|| format!("--log {filter}"))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(xdg: &str, home: &str) -> Option<String> {
        let variable = |name: &str| Some(PathBuf::from(if name == "HOME" { home } else { xdg }));
        Some(default_state(variable).ok()?.to_str()?.to_owned())
    }

    #[test]
    fn the_state_is_where_xdg_says() {
        assert_eq!(state("/s", "/home/a").as_deref(), Some("/s/weir"));
        assert_eq!(
            state("", "/home/a").as_deref(),
            Some("/home/a/.local/state/weir")
        );
        assert_eq!(
            state("relative", "/home/a").as_deref(),
            Some("/home/a/.local/state/weir")
        );
        assert_eq!(state("", ""), None);
    }
}
