//! A daemon of the demo's own, as a child process.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::client::Endpoint;

/// A running daemon. Dropping it ends it; so does the end of this process, however it ends.
#[derive(Debug)]
pub(super) struct Daemon {
    child: Child,
    /// Where it listens.
    pub(super) endpoint: Endpoint,
}

/// Sandboxes get two seconds to end by themselves.
const PATIENCE: Duration = Duration::from_secs(10);
/// This program, wherever it has been moved to since it was started.
pub(super) const THIS_PROGRAM: &str = "/proc/self/exe";

impl Daemon {
    /// Starts one on any free port, with state that goes with it.
    pub(super) fn start() -> anyhow::Result<Self> {
        check_executable()?;
        let mut child =
            Command::new(std::env::current_exe().unwrap_or_else(|_| THIS_PROGRAM.into()))
                .args([
                    "up",
                    "--ephemeral",
                    "--listen",
                    "127.0.0.1:0",
                    "--log",
                    "warn",
                    "--end-with-parent",
                ])
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()
                .context("start the daemon")?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout)
                .read_line(&mut line)
                .context("start the daemon")?;
        }
        let Some(url) = line.trim().strip_prefix("listening on ") else {
            // It has said why on standard error.
            let status = child.wait().context("wait for the daemon")?;
            bail!("the daemon did not start ({status})");
        };
        let endpoint = Endpoint::find(Some(url))?;
        Ok(Self { child, endpoint })
    }

    /// Waits until it is ended by somebody else.
    pub(super) fn wait(&mut self) -> anyhow::Result<()> {
        self.child.wait().context("wait for the daemon").map(drop)
    }

    /// Ends it in good order.
    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        self.end()
    }

    fn end(&mut self) -> anyhow::Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM).context("end the daemon")?;
        }
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                anyhow::ensure!(status.success(), "the daemon ended with {status}");
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.child.kill()?;
        self.child.wait()?;
        bail!("the daemon did not end and was killed");
    }
}

/// The users of instances run this program too.
fn check_executable() -> anyhow::Result<()> {
    let others_may_run = 0o005;
    let mode = std::fs::metadata(THIS_PROGRAM)
        .context("look at this executable")?
        .mode();
    if rustix::process::geteuid().is_root() && mode & others_may_run != others_may_run {
        let path = std::env::current_exe().unwrap_or_else(|_| THIS_PROGRAM.into());
        bail!(
            "the programs inside instances could not be run: say `chmod a+rx {}`",
            path.display()
        );
    }
    Ok(())
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // After an error, which is what is to be told.
        let _ = self.end();
    }
}
