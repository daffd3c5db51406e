//! The end of a window with half a million live flows, measured by an example of `flow-logs`.

use super::Row;
use anyhow::{Result, bail};
use std::path::Path;
use std::process::Command;

/// Beginnings of the names that the example prints, and what is wanted of them.
const WANTED: [(&str, &str); 2] = [
    ("packets wait", "at most 1 ms"),
    ("a window is closed", "at most 1 ms"),
];

/// The example prints a line `NAME: VALUE` for each figure.
pub(super) fn rows(root: &Path) -> Result<Vec<Row>> {
    let output = Command::new("cargo")
        .args(["run", "--quiet", "--release"])
        .args(["--package", "flow-logs", "--example", "rotation_bench"])
        .current_dir(root)
        .output()?;
    if !output.status.success() {
        bail!(
            "rotation_bench: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let text = String::from_utf8(output.stdout)?;
    let lines = text.lines().filter_map(|line| line.split_once(": "));
    let row = |(name, value): (&str, &str)| {
        let wanted = WANTED.iter().find(|(begins, _)| name.starts_with(begins));
        let wanted = wanted.map_or("", |(_, wanted)| wanted);
        Row::new(
            format!("Windows of 500,000 flows: {name}"),
            value.to_owned(),
            wanted,
        )
    };
    Ok(lines.map(row).collect())
}
