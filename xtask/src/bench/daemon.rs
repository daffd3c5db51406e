//! The daemon by itself: start, memory, answers a second.

use super::client::{Client, REGION, element};
use super::{Row, median, process};
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const STARTS: usize = 9;
const ANSWERS_FOR: Duration = Duration::from_secs(2);
const ANSWER_RUNS: usize = 5;

pub(super) fn rows(weir: &Path) -> Result<Vec<Row>> {
    let mut starts = Vec::new();
    let mut memory = Vec::new();
    for _ in 0..STARTS {
        let started = Instant::now();
        let daemon = Daemon::start(weir)?;
        daemon.client()?.ec2("DescribeVpcs", &[])?;
        starts.push(started.elapsed().as_secs_f64() * 1e3);
        memory.push(daemon.resident_mib()?);
    }
    let daemon = Daemon::start(weir)?;
    let mut rates = Vec::new();
    for _ in 0..ANSWER_RUNS {
        rates.push(answers_per_second(&daemon)?);
    }
    let (start, memory, rate) = (median(starts), median(memory), median(rates));
    Ok(vec![
        Row::new(
            "daemon, from its start to its first answer",
            format!("{start:.0} ms"),
            "under 100 ms",
        ),
        Row::new(
            "daemon, resident with an empty state",
            format!("{memory:.1} MiB"),
            "under 30 MiB",
        ),
        Row::new(
            "signed `DescribeVpcs` on one connection",
            format!("{rate:.0} a second"),
            "at least 3,000 a second",
        ),
    ])
}

fn answers_per_second(daemon: &Daemon) -> Result<f64> {
    let mut client = daemon.client()?;
    let request = client.ec2_request("DescribeVpcs", &[])?;
    element(&client.send(&request)?, "vpcId")?;
    let started = Instant::now();
    let mut answers = 0_u32;
    while started.elapsed() < ANSWERS_FOR {
        client.send(&request)?;
        answers += 1;
    }
    Ok(f64::from(answers) / started.elapsed().as_secs_f64())
}

/// A daemon with a state folder of its own; it ends when this is dropped.
pub(super) struct Daemon {
    child: Child,
    /// Kept open: what the daemon prints has to go somewhere.
    _stdout: BufReader<ChildStdout>,
    weir: PathBuf,
    state: PathBuf,
    options: Vec<String>,
    pub(super) endpoint: String,
    /// How long it took to say where it listens.
    pub(super) started_in: Duration,
}

impl Daemon {
    pub(super) fn start(weir: &Path) -> Result<Self> {
        Self::start_with(weir, &[])
    }

    /// With more arguments than it needs.
    pub(super) fn start_with(weir: &Path, options: &[&str]) -> Result<Self> {
        let state = scratch_folder()?;
        let options = options.iter().map(|&option| option.to_owned()).collect();
        Self::start_on(weir, state, options)
    }

    fn start_on(weir: &Path, state: PathBuf, options: Vec<String>) -> Result<Self> {
        let began = Instant::now();
        let mut child = Command::new(weir)
            .args(["up", "--listen", "127.0.0.1:0", "--state"])
            .arg(&state)
            .args(&options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", weir.display()))?;
        let mut stdout = BufReader::new(child.stdout.take().context("no output")?);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let endpoint = line.trim().strip_prefix("listening on ");
        let endpoint = endpoint.unwrap_or_default().to_owned();
        let daemon = Self {
            child,
            _stdout: stdout,
            weir: weir.to_owned(),
            state,
            options,
            endpoint,
            started_in: began.elapsed(),
        };
        if daemon.endpoint.is_empty() {
            bail!("the daemon said `{}` first", line.trim());
        }
        Ok(daemon)
    }

    /// Ends it, and starts another on its state.
    pub(super) fn restart(mut self) -> Result<Self> {
        self.end();
        let state = std::mem::take(&mut self.state);
        let options = std::mem::take(&mut self.options);
        Self::start_on(&self.weir.clone(), state, options)
    }

    /// Asks it to end, so that it cleans up behind itself; insists after a while.
    fn end(&mut self) {
        let pid = self.pid().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_secs(30) {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub(super) fn client(&self) -> Result<Client> {
        Client::connect(&self.endpoint)
    }

    /// A command of Weir's that speaks to this daemon.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.weir);
        command
            .args(arguments)
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_REGION", REGION)
            .stdin(Stdio::null());
        command
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn resident_mib(&self) -> Result<f64> {
        let family = process::family(self.pid())?;
        family.into_iter().map(process::resident_mib).sum()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.state.as_os_str().is_empty() {
            return; // Another has it.
        }
        self.end();
        let _ = std::fs::remove_dir_all(&self.state);
    }
}

/// A new folder in the machine's place for such folders.
fn scratch_folder() -> Result<PathBuf> {
    let output = Command::new("mktemp")
        .args(["--directory", "--tmpdir", "weir-bench.XXXXXXXX"])
        .output()?;
    if !output.status.success() {
        bail!("mktemp: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?.trim().into())
}
