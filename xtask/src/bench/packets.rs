//! Connections, round trips and small packets, relative to a bare veth pair: per CPU-second of sender, receiver and
//! whatever carries the packets.

use super::bridge::Bridge;
use super::instances::{self, Lab};
use super::traffic::Kind;
use super::veth::{self, Pair};
use super::{Row, median};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

const RUNS: usize = 7;
const SECONDS: &str = "2.5";
const PORT: u16 = 7000;

/// A way from a sender to a receiver.
pub(super) trait Way {
    /// A program where packets are sent.
    fn sender(&self, program: &[&str]) -> Command;
    /// A program where they arrive.
    fn receiver(&self, program: &[&str]) -> Command;
    /// Where it listens.
    fn address(&self) -> &str;
}

impl Way for Pair {
    fn sender(&self, program: &[&str]) -> Command {
        Pair::exec(&self.sender, program)
    }

    fn receiver(&self, program: &[&str]) -> Command {
        Pair::exec(&self.receiver, program)
    }

    fn address(&self) -> &str {
        veth::RECEIVER
    }
}

impl Way for Lab<'_> {
    fn sender(&self, program: &[&str]) -> Command {
        self.exec(&self.sender, program)
    }

    fn receiver(&self, program: &[&str]) -> Command {
        self.exec(&self.receiver, program)
    }

    fn address(&self) -> &str {
        instances::RECEIVER
    }
}

/// What one run came to.
struct Run {
    per_cpu_second: f64,
    per_second: f64,
    p50_us: Option<f64>,
}

pub(super) fn rows(lab: &Lab<'_>, pair: &Pair, bridge: &Bridge) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (kind, what, wanted) in [
        (
            Kind::Connections,
            "connect, one byte each way, close",
            "at least 0.85",
        ),
        (Kind::Packets, "UDP packets of 18 bytes", "at least 0.75"),
        (Kind::RoundTrips, "one byte each way", ""),
    ] {
        let mut runs = Vec::new();
        let mut others = Vec::new();
        for _ in 0..RUNS {
            let weir = run(lab, kind, lab.daemon.pid())?;
            let veth = run(pair, kind, lab.daemon.pid())?;
            let other = run(bridge, kind, lab.daemon.pid())?;
            others.push(other.per_cpu_second / veth.per_cpu_second);
            runs.push((weir, veth));
        }
        let of = |pick: fn(&(Run, Run)) -> f64| median(runs.iter().map(pick).collect());
        let ratio = of(|(weir, veth)| weir.per_cpu_second / veth.per_cpu_second);
        let rates = format!(
            "{ratio:.2} ({:.0} of {:.0} a second)",
            of(|(weir, _)| weir.per_second),
            of(|(_, veth)| veth.per_second)
        );
        let what = format!("{what}, per CPU-second, to a bare veth pair");
        rows.push(Row::new(what, rates, wanted));
        let other = format!("{:.2}", median(others));
        rows.push(Row::new("the same over the bridge", other, ""));
        if kind == Kind::RoundTrips {
            let p50 = |run: &Run| run.p50_us.unwrap_or(f64::NAN);
            let weir = median(runs.iter().map(|(weir, _)| p50(weir)).collect());
            let veth = median(runs.iter().map(|(_, veth)| p50(veth)).collect());
            let measured = format!("{:.2} ({weir:.1} µs of {veth:.1} µs)", weir / veth);
            let what = "round trip, p50, to a bare veth pair";
            rows.push(Row::new(what, measured, "at most 1.10"));
        }
    }
    Ok(rows)
}

fn run(way: &impl Way, kind: Kind, daemon: u32) -> Result<Run> {
    let program = std::env::current_exe()?;
    let program = program.to_str().context("a path that is no text")?;
    let address = format!("{}:{PORT}", way.address());
    let arguments = [program, "traffic", kind.word(), &address];
    let mut receiver = way
        .receiver(&arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let run = until_ready(&mut receiver).and_then(|()| {
        let before = veth::carrier_seconds(daemon)?;
        let arguments = [&arguments[..], &["--send", SECONDS]].concat();
        let output = way.sender(&arguments).stderr(Stdio::inherit()).output()?;
        let carried = veth::carrier_seconds(daemon)? - before;
        let report: Value = serde_json::from_slice(&output.stdout).context("what was sent")?;
        parse(&report, carried)
    });
    if run.is_err() {
        let _ = receiver.kill();
    }
    let _ = receiver.wait();
    run
}

fn until_ready(receiver: &mut Child) -> Result<()> {
    let stdout = receiver.stdout.take().context("no output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    if line.trim() != "ready" {
        bail!("the receiver did not start");
    }
    Ok(())
}

fn parse(report: &Value, carried: f64) -> Result<Run> {
    let number = |name: &str| report[name].as_f64();
    let count = number("count").context("no count")?;
    let cpu = number("cpu").context("no CPU time")? + carried;
    Ok(Run {
        per_cpu_second: count / cpu,
        per_second: count / number("seconds").context("no time")?,
        p50_us: number("p50_us"),
    })
}
