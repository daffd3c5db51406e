//! The API: what a call costs the daemon, how many it carries out, and what thousands of network interfaces do to it.

use super::client::{Client, element};
use super::daemon::Daemon;
use super::{Row, process};
use anyhow::{Context, Result};
use std::path::Path;
use std::time::{Duration, Instant};

/// Calls one after the other, as boto3 makes them.
const SEQUENTIAL: usize = 2_000;
const CONNECTIONS: usize = 8;
const CALLS_FOR: Duration = Duration::from_secs(3);
/// Network interfaces of the large state, in subnets of so many. 100,000 are wanted, and would take hours to make: each costs
/// more than the one before it.
const INTERFACES: usize = 10_000;
const PER_SUBNET: usize = 4_000;
/// How many are made between two looks at the cost.
const STEP: usize = 2_000;
const PAGES: usize = 50;

pub(super) fn rows(weir: &Path) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let daemon = Daemon::start(weir)?;
    rows.extend(sequential(&daemon)?);
    rows.extend(at_once(&daemon)?);
    drop(daemon);
    rows.extend(large(weir)?);
    Ok(rows)
}

/// A call of a read and of a change, one connection, one after the other.
fn sequential(daemon: &Daemon) -> Result<Vec<Row>> {
    let mut client = daemon.client()?;
    let vpc = client.ec2("CreateVpc", &[("CidrBlock", "10.0.0.0/16")])?;
    let vpc = element(&vpc, "vpcId")?.to_owned();
    let read = client.ec2_request("DescribeVpcs", &[("VpcId.1", &vpc)])?;
    let mut rows = vec![latency(daemon, &mut client, "`DescribeVpcs`", |_, _| {
        Ok(read.clone())
    })?];
    rows.push(latency(
        daemon,
        &mut client,
        "`CreateTags`, journaled",
        |client, number| {
            let value = number.to_string();
            let tag = [
                ("ResourceId.1", vpc.as_str()),
                ("Tag.1.Key", "n"),
                ("Tag.1.Value", &value),
            ];
            client.ec2_request("CreateTags", &tag)
        },
    )?);
    Ok(rows)
}

fn latency(
    daemon: &Daemon,
    client: &mut Client,
    what: &str,
    request: impl Fn(&Client, usize) -> Result<Vec<u8>>,
) -> Result<Row> {
    let mut took = Vec::with_capacity(SEQUENTIAL);
    let used = process::cpu_seconds(daemon.pid())?;
    for number in 0..SEQUENTIAL {
        let bytes = request(client, number)?;
        let began = Instant::now();
        client.send(&bytes)?;
        took.push(began.elapsed());
    }
    let used = process::cpu_seconds(daemon.pid())? - used;
    let each = used * 1e6 / count(SEQUENTIAL);
    Ok(Row::new(
        format!("{what}, one after the other"),
        format!(
            "p50 {}, p99 {}; {each:.0} µs of CPU",
            milliseconds(quantile(&mut took, 50)),
            milliseconds(quantile(&mut took, 99))
        ),
        "p50 under 1 ms",
    ))
}

/// Eight connections that are kept; the clients share the machine with the daemon.
fn at_once(daemon: &Daemon) -> Result<Vec<Row>> {
    let mut client = daemon.client()?;
    let vpcs = client.ec2("DescribeVpcs", &[])?;
    let vpc = element(&vpcs, "vpcId")?.to_owned();
    let reads = many(daemon, &|client, _| {
        client.ec2_request("DescribeVpcs", &[("VpcId.1", &vpc)])
    })?;
    let changes = many(daemon, &|client, connection| {
        let key = format!("of-{connection}");
        let tag = [
            ("ResourceId.1", vpc.as_str()),
            ("Tag.1.Key", key.as_str()),
            ("Tag.1.Value", "v"),
        ];
        client.ec2_request("CreateTags", &tag)
    })?;
    let row = |what: &str, mut run: Run| {
        let per_core = count(run.took.len()) / run.cpu;
        Row::new(
            format!("{what} over {CONNECTIONS} connections"),
            format!(
                "{:.0} a second, {per_core:.0} per CPU-second of the daemon; p99 {}",
                count(run.took.len()) / CALLS_FOR.as_secs_f64(),
                milliseconds(quantile(&mut run.took, 99))
            ),
            "10,000 a second, p99 under 5 ms",
        )
    };
    Ok(vec![
        row("`DescribeVpcs`", reads),
        row("`CreateTags`, each on disk before its answer,", changes),
    ])
}

struct Run {
    took: Vec<Duration>,
    cpu: f64,
}

type Make<'a> = dyn Fn(&Client, usize) -> Result<Vec<u8>> + Sync + 'a;

fn many(daemon: &Daemon, request: &Make<'_>) -> Result<Run> {
    let used = process::cpu_seconds(daemon.pid())?;
    let one = |connection| -> Result<Vec<Duration>> {
        let mut client = daemon.client()?;
        let bytes = request(&client, connection)?;
        let (began, mut took) = (Instant::now(), Vec::new());
        while began.elapsed() < CALLS_FOR {
            let sent = Instant::now();
            client.send(&bytes)?;
            took.push(sent.elapsed());
        }
        Ok(took)
    };
    let took = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS)
            .map(|connection| scope.spawn(move || one(connection)))
            .collect();
        let mut took = Vec::new();
        for thread in threads {
            let part = thread.join().ok().context("a connection panicked")??;
            took.extend(part);
        }
        anyhow::Ok(took)
    })?;
    let cpu = process::cpu_seconds(daemon.pid())? - used;
    Ok(Run { took, cpu })
}

/// Network interfaces by the thousand: what the first and the last cost, a page, memory, and the next start.
fn large(weir: &Path) -> Result<Vec<Row>> {
    let quota = format!("network_interfaces={}", 2 * INTERFACES);
    let daemon = Daemon::start_with(weir, &["--quota", &quota])?;
    let mut client = daemon.client()?;
    let mut vpcs = Vec::new();
    for block in ["10.0.0.0/16", "10.1.0.0/16"] {
        let made = client.ec2("CreateVpc", &[("CidrBlock", block)])?;
        vpcs.push(element(&made, "vpcId")?.to_owned());
    }
    let mut costs = Vec::new();
    let mut subnet = String::new();
    let mut used = process::cpu_seconds(daemon.pid())?;
    for number in 0..INTERFACES {
        if number % PER_SUBNET == 0 {
            subnet = make_subnet(&mut client, &vpcs, number / PER_SUBNET)?;
        }
        client.ec2("CreateNetworkInterface", &[("SubnetId", &subnet)])?;
        if (number + 1) % STEP == 0 {
            let now = process::cpu_seconds(daemon.pid())?;
            costs.push((now - used) * 1e6 / count(STEP));
            used = now;
        }
    }
    let (first, last) = (costs.first().copied(), costs.last().copied());
    let mut rows = vec![Row::new(
        format!("`CreateNetworkInterface`, of the first {STEP} and of the last of {INTERFACES}"),
        format!(
            "{:.0} and {:.0} µs of CPU",
            first.unwrap_or_default(),
            last.unwrap_or_default()
        ),
        "no rise",
    )];
    rows.push(page(&mut client, &subnet)?);
    rows.push(Row::new(
        format!("daemon, resident with {INTERFACES} network interfaces"),
        format!("{:.0} MiB", daemon.resident_mib()?),
        "under 1 GiB",
    ));
    let daemon = daemon.restart()?;
    let began = Instant::now();
    daemon.client()?.ec2("DescribeVpcs", &[])?;
    rows.push(Row::new(
        format!("daemon, from its start to its first answer with {INTERFACES} resources"),
        milliseconds(daemon.started_in + began.elapsed()),
        "under 2 s",
    ));
    Ok(rows)
}

/// The next of the 16 subnets of each VPC.
fn make_subnet(client: &mut Client, vpcs: &[String], number: usize) -> Result<String> {
    let (index, within) = (number / 16, number % 16);
    let vpc = vpcs.get(index).context("there is no room for more")?;
    let block = format!("10.{index}.{}.0/20", within * 16);
    let made = client.ec2("CreateSubnet", &[("VpcId", vpc), ("CidrBlock", &block)])?;
    Ok(element(&made, "subnetId")?.to_owned())
}

/// A page of a subnet's network interfaces.
fn page(client: &mut Client, subnet: &str) -> Result<Row> {
    let filter = [
        ("Filter.1.Name", "subnet-id"),
        ("Filter.1.Value.1", subnet),
        ("MaxResults", "100"),
    ];
    let request = client.ec2_request("DescribeNetworkInterfaces", &filter)?;
    let mut took = Vec::new();
    for _ in 0..PAGES {
        let began = Instant::now();
        client.send(&request)?;
        took.push(began.elapsed());
    }
    Ok(Row::new(
        "`DescribeNetworkInterfaces` of one of their subnets, a page of 100",
        format!("p50 {}", milliseconds(quantile(&mut took, 50))),
        "under 10 ms",
    ))
}

fn quantile(took: &mut [Duration], percent: usize) -> Duration {
    took.sort_unstable();
    let index = took.len() * percent / 100;
    took.get(index.min(took.len().saturating_sub(1)))
        .copied()
        .unwrap_or_default()
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

#[expect(clippy::cast_precision_loss, reason = "numbers of calls are small")]
fn count(number: usize) -> f64 {
    number as f64
}
