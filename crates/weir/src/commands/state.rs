//! `weir export`, `weir import`, `weir reset`: a whole state.

use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use server::ops::{Reset, Status};
use server::state_file;

use crate::cli::{self, Target};
use crate::client::Client;
use crate::output;

/// Ending instances takes seconds, starting less.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

/// Writes the state to a file, which appears when it is whole.
pub(crate) fn export(target: &Target, arguments: &cli::Export) -> anyhow::Result<ExitCode> {
    let file = &arguments.file;
    let partial = beside(file)?;
    let written = write(target, arguments.state.as_deref(), &partial)
        .and_then(|()| Ok(std::fs::rename(&partial, file)?));
    if written.is_err() {
        // The error is what matters, not what is left.
        let _ = std::fs::remove_file(&partial);
    }
    written.with_context(|| format!("cannot export to {}", file.display()))?;
    let length = std::fs::metadata(file)?.len();
    output::line(&format!("{} has the state, {length} bytes", file.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn write(target: &Target, state: Option<&Path>, partial: &Path) -> anyhow::Result<()> {
    let mut options = File::options();
    // It holds keys.
    let mut to = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(partial)?;
    match state {
        Some(folder) => state_file::export(folder, &mut to)?,
        None => {
            let mut from = super::client(target)?.export()?;
            io::copy(&mut from, &mut to).context("the daemon's answer has ended early")?;
        }
    }
    to.sync_all()?;
    state_file::check(partial)?;
    Ok(())
}

/// The name of a file that is not whole yet.
fn beside(file: &Path) -> anyhow::Result<PathBuf> {
    let name = file.file_name().context("no name of a file")?;
    let mut name = name.to_owned();
    name.push(format!(".{}", std::process::id()));
    Ok(file.with_file_name(name))
}

/// Puts the state of a file into a folder.
pub(crate) fn import(arguments: &cli::Import) -> anyhow::Result<ExitCode> {
    let folder = folder(arguments.state.as_deref())?;
    let used = folder.join("journal.sqlite").exists();
    let manifest = state_file::import(&arguments.file, &folder, arguments.replace).map_err(
        |error| match used && !arguments.replace {
            true => error.context("nothing was imported (--replace forgets what is there)"),
            false => error.context("nothing was imported"),
        },
    )?;
    output::line(&format!(
        "{} has the state of {}, exported by weir {}",
        folder.display(),
        arguments.file.display(),
        manifest.version
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Forgets everything.
pub(crate) fn reset(target: &Target, arguments: &cli::Reset) -> anyhow::Result<ExitCode> {
    if let Some(folder) = &arguments.state {
        ensure!(
            folder.is_dir(),
            "there is no state folder {}",
            folder.display()
        );
        confirm(arguments.yes, &format!("the state in {}", folder.display()))?;
        state_file::reset(folder)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut client = super::client(target)?;
    let status = client.weir(&Status {})?;
    let what = format!(
        "the state of the daemon at {}, in {}; {} instances are ended",
        status.listen,
        status.state.display(),
        status.instances
    );
    confirm(arguments.yes, &what)?;
    let before = client.health()?.started_us;
    client.weir(&Reset {})?;
    let end = Instant::now() + PATIENCE;
    loop {
        sleep(PAUSE);
        let answer = super::client(target)?.health();
        match answer {
            Ok(health) if health.started_us != before => return Ok(ExitCode::SUCCESS),
            Err(error) if Instant::now() > end => {
                return Err(error.context("the daemon did not start anew"));
            }
            _ => ensure!(Instant::now() < end, "the daemon did not start anew"),
        }
    }
}

fn confirm(yes: bool, what: &str) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    let stdin = io::stdin();
    ensure!(
        stdin.is_terminal(),
        "this forgets {what}: say --yes if that is meant"
    );
    let mut out = io::stderr();
    write!(out, "This forgets {what}. Type yes to go on: ")?;
    out.flush()?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    ensure!(answer.trim() == "yes", "nothing was forgotten");
    Ok(())
}

impl Client {
    /// That the daemon is there.
    fn health(&mut self) -> anyhow::Result<server::ops::Health> {
        let reply = self.get("/_weir/health")?;
        serde_json::from_slice(&reply).context("the daemon is of another version")
    }
}

/// The folder of a state.
pub(crate) fn folder(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    match given {
        Some(folder) => Ok(folder.to_owned()),
        None => default_state(|name| std::env::var_os(name).map(PathBuf::from)),
    }
}

/// `$XDG_STATE_HOME/weir`, or `~/.local/state/weir` (XDG Base Directory Specification).
fn default_state(variable: impl Fn(&str) -> Option<PathBuf>) -> anyhow::Result<PathBuf> {
    // The specification says to ignore relative paths.
    let folder = |name| variable(name).filter(|path| path.is_absolute());
    folder("XDG_STATE_HOME")
        .or_else(|| Some(folder("HOME")?.join(".local/state")))
        .map(|base| base.join("weir"))
        .context("neither $XDG_STATE_HOME nor $HOME names a folder: say --state DIR")
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

    #[test]
    fn nothing_is_forgotten_without_a_word() {
        assert!(confirm(true, "all").is_ok());
        if !io::stdin().is_terminal() {
            let error = confirm(false, "all").unwrap_err().to_string();
            assert!(error.contains("--yes"), "{error}");
        }
    }
}
