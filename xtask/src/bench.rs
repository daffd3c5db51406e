//! `cargo xtask bench`: speed and size, as one table. Nothing here passes or fails; tests never assert a duration.
//!
//! What shares the machine with it shows in the figures. Ratios are per CPU-second of the processes at work and taken
//! from runs that alternate, so they suffer least.

mod api;
mod bridge;
mod capture;
mod client;
mod daemon;
mod files;
mod forward;
mod instances;
mod meter;
mod packets;
mod process;
mod rotation;
mod tcp;
pub mod traffic;
mod veth;

use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// One line of the table.
struct Row {
    what: String,
    measured: String,
    wanted: &'static str,
}

impl Row {
    fn new(what: impl Into<String>, measured: String, wanted: &'static str) -> Self {
        let what = what.into();
        println!("bench: {what}: {measured}");
        Self {
            what,
            measured,
            wanted,
        }
    }
}

/// Measures a part alone.
pub fn run_part(root: &Path, part: &str) -> Result<()> {
    let target = build(root)?;
    let rows = match part {
        "forward" => forward::rows(root)?,
        "files" => files::rows(root, &target)?,
        "meter" => meter::rows(&target)?,
        "rotation" => rotation::rows(root)?,
        "daemon" => daemon::rows(&target.join("release/weir"))?,
        "api" => api::rows(&target.join("release/weir"))?,
        "instances" => instances::rows(&target.join("release/weir"))?,
        other => {
            bail!(
                "there is no part {other}: forward, files, meter, rotation, daemon, api or instances"
            )
        }
    };
    println!("\n{}", table(&rows)?);
    Ok(())
}

/// Measures everything, prints the table, and puts it into the README if asked to.
pub fn run(root: &Path, write_readme: bool) -> Result<()> {
    let target = build(root)?;
    let mut rows = forward::rows(root)?;
    rows.extend(files::rows(root, &target)?);
    rows.extend(meter::rows(&target)?);
    rows.extend(rotation::rows(root)?);
    rows.extend(daemon::rows(&target.join("release/weir"))?);
    rows.extend(api::rows(&target.join("release/weir"))?);
    rows.extend(instances::rows(&target.join("release/weir"))?);
    let table = table(&rows)?;
    println!("\n{table}");
    if write_readme {
        replace_in_readme(root, &table)?;
    }
    Ok(())
}

/// Builds the command and says where Cargo puts things.
fn build(root: &Path) -> Result<std::path::PathBuf> {
    let status = Command::new("cargo")
        .args(["build", "--release", "--package", "weir"])
        .current_dir(root)
        .status()?;
    if !status.success() {
        bail!("the release build failed");
    }
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(root)
        .output()?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let target = metadata["target_directory"].as_str();
    Ok(target.context("cargo metadata names no folder")?.into())
}

fn table(rows: &[Row]) -> Result<String> {
    let mut table = String::from("| what | measured | wanted |\n|---|---|---|\n");
    for row in rows {
        let Row {
            what,
            measured,
            wanted,
        } = row;
        table.push_str(&format!("| {what} | {measured} | {wanted} |\n"));
    }
    table.push_str(&format!("\nMade on: {}.\n", machine()?));
    Ok(table)
}

/// What the figures were measured on.
fn machine() -> Result<String> {
    let cpus = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .and_then(|rest| rest.split_once(": "))
        .map_or("unknown processor", |(_, name)| name);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let release: Vec<&str> = kernel.trim().split('.').take(2).collect();
    let cores = std::thread::available_parallelism()?;
    let release = release.join(".");
    Ok(format!("{cores} cores of {model}, Linux {release}"))
}

fn replace_in_readme(root: &Path, table: &str) -> Result<()> {
    const BEGIN: &str = "<!-- bench:begin -->\n";
    const END: &str = "<!-- bench:end -->";
    let path = root.join("README.md");
    let text = std::fs::read_to_string(&path)?;
    let (before, rest) = text.split_once(BEGIN).context("README has no mark")?;
    let (_, after) = rest.split_once(END).context("README has no mark")?;
    std::fs::write(&path, format!("{before}{BEGIN}{table}{END}{after}"))?;
    Ok(())
}

/// The middle one.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
