//! The pure data plane in memory, measured by an example of its own crate.

use super::Row;
use anyhow::{Result, bail};
use std::path::Path;
use std::process::Command;

/// Beginnings of the names that the example prints, and what is wanted of them.
const WANTED: [(&str, &str); 10] = [
    ("cached, 64k", "at least 10 million packets per CPU-second"),
    ("cached, 512k", "at least 5 million packets per CPU-second"),
    ("cached through a NAT gateway", "at most 1.30"),
    (
        "new NAT sessions",
        "50,000 to one destination, then a refusal",
    ),
    ("first packet", "under 2 µs"),
    ("allocations", "0"),
    ("compile of 10000 VPCs", "under 2 s"),
    ("a security group's rule in one", "under 5 ms"),
    ("a route in one", "under 5 ms"),
    ("cached among 10000 VPCs", "at most 1.30"),
];

/// The example prints a line `NAME: VALUE` for each figure.
pub(super) fn rows(root: &Path) -> Result<Vec<Row>> {
    let output = Command::new("cargo")
        .args(["run", "--quiet", "--release", "--package", "dataplane"])
        .args(["--example", "forward_bench"])
        .current_dir(root)
        .output()?;
    if !output.status.success() {
        bail!("forward_bench: {}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8(output.stdout)?;
    let lines = text.lines().filter_map(|line| line.split_once(": "));
    let row = |(name, value): (&str, &str)| {
        let wanted = WANTED.iter().find(|(begins, _)| name.starts_with(begins));
        let wanted = wanted.map_or("", |(_, wanted)| wanted);
        Row::new(format!("`forward()` {name}"), value.to_owned(), wanted)
    };
    Ok(lines.map(row).collect())
}
