//! TCP between two instances, relative to a bare veth pair: bytes per CPU-second of sender, receiver and whatever
//! carries the packets.

use super::bridge::Bridge;
use super::instances::{self, Lab};
use super::veth::{self, CubicAllowed, Pair};
use super::{Row, median, packets};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const RUNS: usize = 7;
const SECONDS: &str = "3";

pub(super) fn rows(lab: &Lab<'_>) -> Result<Vec<Row>> {
    let what = "TCP between two instances, per CPU-second, to a bare veth pair";
    let wanted = "at least 0.95";
    let (pair, _allowed) = match Pair::make().and_then(|pair| Ok((pair, CubicAllowed::allow()?))) {
        Ok(made) => made,
        Err(error) => {
            let why = format!("not measured, needs root: {error}");
            return Ok(vec![Row::new(what, why, wanted)]);
        }
    };
    let bridge = Bridge::make()?;
    use_cubic_everywhere(lab, &[&pair, bridge.pair()])?;
    let (mut ratios, mut rates) = (Vec::new(), Vec::new());
    let (mut translated, mut bridged) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let weir = run_between_instances(lab)?;
        let veth = run_between_namespaces(lab, &pair)?;
        let nat = run_through_nat_gateway(lab)?;
        let other = run_between_namespaces(lab, bridge.pair())?;
        bridged.push(other.per_cpu_second() / veth.per_cpu_second());
        ratios.push(weir.per_cpu_second() / veth.per_cpu_second());
        translated.push(nat.per_cpu_second() / veth.per_cpu_second());
        rates.push((weir, veth));
    }
    let of = |pick: fn(&(Run, Run)) -> f64| median(rates.iter().map(pick).collect());
    let gigabits = format!(
        "{:.1} Gbit/s of {:.1} Gbit/s",
        of(|(weir, _)| weir.gigabits_per_second()),
        of(|(_, veth)| veth.gigabits_per_second()),
    );
    let mut rows = vec![
        Row::new(what, format!("{:.2}", median(ratios)), wanted),
        Row::new("the same, by the clock", gigabits, ""),
        Row::new(
            "the same through a NAT gateway",
            format!("{:.2}", median(translated)),
            "at least 0.90",
        ),
        Row::new(
            "the same over a bridge with nftables, connection tracking and 25 rules",
            format!("{:.2}", median(bridged)),
            "",
        ),
    ];
    rows.extend(packets::rows(lab, &pair, &bridge)?);
    Ok(rows)
}

/// One transfer.
struct Run {
    bytes: f64,
    seconds: f64,
    cpu_seconds: f64,
}

impl Run {
    fn per_cpu_second(&self) -> f64 {
        self.bytes / self.cpu_seconds
    }

    fn gigabits_per_second(&self) -> f64 {
        self.bytes * 8.0 / self.seconds / 1e9
    }
}

fn use_cubic_everywhere(lab: &Lab<'_>, pairs: &[&Pair]) -> Result<()> {
    for name in pairs.iter().flat_map(|pair| [&pair.sender, &pair.receiver]) {
        veth::use_cubic(Pair::exec(name, &[]))?;
    }
    let mut client = lab.daemon.client()?;
    let host = format!("internet:{}", instances::HOST);
    for instance in [&lab.sender, &lab.receiver, &host] {
        let answer = client.weir("FindSandbox", &format!("{{\"source\":\"{instance}\"}}"))?;
        let pid = answer["target"]["pid"].as_u64().context("no process")?;
        veth::use_cubic(veth::enter_network_of(pid))?;
    }
    Ok(())
}

fn run_between_instances(lab: &Lab<'_>) -> Result<Run> {
    measure(
        lab.exec(&lab.receiver, &["iperf3", "-s", "-1"]),
        |program| lab.exec(&lab.sender, program),
        instances::RECEIVER,
        lab.daemon.pid(),
    )
}

fn run_through_nat_gateway(lab: &Lab<'_>) -> Result<Run> {
    let host = format!("internet:{}", instances::HOST);
    measure(
        lab.exec(&host, &["iperf3", "-s", "-1"]),
        |program| lab.exec(&lab.sender, program),
        instances::HOST,
        lab.daemon.pid(),
    )
}

fn run_between_namespaces(lab: &Lab<'_>, pair: &Pair) -> Result<Run> {
    measure(
        Pair::exec(&pair.receiver, &["iperf3", "-s", "-1"]),
        |program| Pair::exec(&pair.sender, program),
        veth::RECEIVER,
        // Idle then, but what it does is somebody's cost in either run.
        lab.daemon.pid(),
    )
}

fn measure(
    mut server: Command,
    client: impl Fn(&[&str]) -> Command,
    address: &str,
    daemon: u32,
) -> Result<Run> {
    let mut server = server.stdout(Stdio::null()).spawn()?;
    let run = transfer(client, address, daemon);
    end(&mut server, run.is_ok());
    run
}

fn transfer(client: impl Fn(&[&str]) -> Command, address: &str, daemon: u32) -> Result<Run> {
    let arguments = ["iperf3", "-c", address, "-t", SECONDS, "-J"];
    let began = Instant::now();
    loop {
        let before = veth::carrier_seconds(daemon)?;
        let output = client(&arguments).stderr(Stdio::null()).output()?;
        let carried = veth::carrier_seconds(daemon)? - before;
        let report: Value = serde_json::from_slice(&output.stdout).context("iperf3's report")?;
        if let Some(run) = parse(&report, carried) {
            return Ok(run);
        }
        // The server takes a moment until it listens.
        if began.elapsed() > Duration::from_secs(5) {
            bail!("iperf3: {}", report["error"]);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// iperf3 reports the CPU time of both ends, in percent of the time that the transfer took.
fn parse(report: &Value, carried: f64) -> Option<Run> {
    let received = &report["end"]["sum_received"];
    let used = &report["end"]["cpu_utilization_percent"];
    let seconds = received["seconds"].as_f64()?;
    let percent = used["host_total"].as_f64()? + used["remote_total"].as_f64()?;
    Some(Run {
        bytes: received["bytes"].as_f64()?,
        seconds,
        cpu_seconds: percent / 100.0 * seconds + carried,
    })
}

/// The server ends by itself after one transfer.
fn end(server: &mut Child, served: bool) {
    if !served {
        let _ = server.kill();
    }
    let _ = server.wait();
}
