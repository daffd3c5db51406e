//! What processes used: CPU time and memory, from `/proc`.

use anyhow::{Context, Result};
use std::path::Path;

/// Clock ticks a second in `/proc`, the same on every Linux that Weir runs on.
const TICKS: f64 = 100.0;

/// CPU seconds that a process, all its threads, has used so far.
pub(super) fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name may contain anything; fields are counted behind its closing parenthesis.
    let (_, fields) = stat.rsplit_once(')').context("not a stat line")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let field = |index: usize| -> Result<f64> { Ok(fields.get(index).context("short")?.parse()?) };
    Ok((field(11)? + field(12)?) / TICKS)
}

/// CPU seconds that the children of this process, and theirs, had used when they were waited for.
pub(super) fn seconds_of_children() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').context("not a stat line")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let field = |index: usize| -> Result<f64> { Ok(fields.get(index).context("short")?.parse()?) };
    Ok((field(13)? + field(14)?) / TICKS)
}

/// The most memory that a process has had resident until now, in MiB; 0 once it has ended.
pub(super) fn peak_mib(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next());
    kib.and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

/// CPU seconds of the kernel's threads that carry packets when they are not carried on somebody's time.
pub(super) fn softirq_seconds() -> Result<f64> {
    let mut sum = 0.0;
    for pid in pids()? {
        if comm(pid).starts_with("ksoftirqd/") {
            sum += cpu_seconds(pid)?;
        }
    }
    Ok(sum)
}

/// Resident memory of a process, in MiB.
pub(super) fn resident_mib(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next());
    let kib: f64 = kib.context("no VmRSS")?.parse()?;
    Ok(kib / 1024.0)
}

/// A process and those that it started, and those that they started.
pub(super) fn family(root: u32) -> Result<Vec<u32>> {
    let mut family = vec![root];
    let pids = pids()?;
    loop {
        let known = family.len();
        for &pid in &pids {
            if !family.contains(&pid) && parent(pid).is_some_and(|p| family.contains(&p)) {
                family.push(pid);
            }
        }
        if family.len() == known {
            return Ok(family);
        }
    }
}

fn pids() -> Result<Vec<u32>> {
    let mut pids = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        if let Ok(pid) = entry?.file_name().to_string_lossy().parse() {
            pids.push(pid);
        }
    }
    Ok(pids)
}

fn comm(pid: u32) -> String {
    let path = format!("/proc/{pid}/comm");
    std::fs::read_to_string(Path::new(&path)).unwrap_or_default()
}

fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(1)?.parse().ok()
}
