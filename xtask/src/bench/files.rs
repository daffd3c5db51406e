//! Files of flow logs: made and read in memory by an example of their own crate, and read by programs side by side.

use super::Row;
use super::meter::{Folder, measure};
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Beginnings of the names that the example prints, and what is wanted of them.
const WANTED: [(&str, &str); 3] = [
    ("records to", "at least 3 million a CPU-second"),
    ("gzip file", "at most 1.2"),
    ("Parquet file, times zstd alone on the text", "at most 1.2"),
];
/// How often the example's records are in the file that is read, and in the large one.
const TIMES: u32 = 4;
const TIMES_LARGE: u32 = 40;
const ROUNDS: usize = 3;

/// What `flowlogs-reader` does with a file, without S3: records, and nothing printed.
const FLOWLOGS_READER: &str = "
import csv, gzip, sys
from flowlogs_reader import FlowRecord
with gzip.open(sys.argv[1], 'rt') as file:
    rows = csv.DictReader(file, delimiter=' ')
    rows.fieldnames = [name.replace('-', '_') for name in rows.fieldnames]
    for row in rows:
        FlowRecord(row)
";

/// `target` is the folder that everything has been built in.
pub(super) fn rows(root: &Path, target: &Path) -> Result<Vec<Row>> {
    let mut rows = in_memory(root)?;
    rows.extend(side_by_side(root, target)?);
    Ok(rows)
}

/// The example prints a line `NAME: VALUE` for each figure.
fn in_memory(root: &Path) -> Result<Vec<Row>> {
    let text = example(root, &[])?;
    let lines = text.lines().filter_map(|line| line.split_once(": "));
    let row = |(name, value): (&str, &str)| {
        let wanted = WANTED.iter().find(|(begins, _)| name.starts_with(begins));
        let wanted = wanted.map_or("", |(_, wanted)| wanted);
        Row::new(format!("Flow-log files: {name}"), value.to_owned(), wanted)
    };
    Ok(lines.map(row).collect())
}

fn example(root: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new("cargo")
        .args(["run", "--quiet", "--release"])
        .args(["--package", "flow-log-files", "--example", "files_bench"])
        .arg("--")
        .args(arguments)
        .current_dir(root)
        .output()?;
    if !output.status.success() {
        bail!("files_bench: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// `weir flows read` prints every record, `flowlogs-reader` only makes objects of them; they take turns.
fn side_by_side(root: &Path, target: &Path) -> Result<Vec<Row>> {
    let folder = Folder::new(target.join("bench-files"))?;
    let file = |times: u32| -> Result<(PathBuf, u64)> {
        let path = folder.0.join(format!("{times}.log.gz"));
        let records = example(root, &[&times.to_string(), &path.display().to_string()])?;
        Ok((path, records.trim().parse()?))
    };
    let ((small, records), (large, _)) = (file(TIMES)?, file(TIMES_LARGE)?);
    let ours = |path: &Path| {
        let mut command = Command::new(target.join("release/weir"));
        command.args(["flows", "read", "--format", "csv"]).arg(path);
        command.stdout(Stdio::null());
        measure(command)
    };
    let python = root.join("target/venv/bin/python");
    let theirs = || {
        let mut command = Command::new(&python);
        command.args(["-c", FLOWLOGS_READER]).arg(&small);
        measure(command)
    };
    let (mut our_seconds, mut their_seconds) = (f64::INFINITY, f64::INFINITY);
    let (mut peak, mut peak_large) = (0_f64, 0_f64);
    for _ in 0..ROUNDS {
        let (seconds, mib) = ours(&small)?;
        (our_seconds, peak) = (our_seconds.min(seconds), peak.max(mib));
        peak_large = peak_large.max(ours(&large)?.1);
        if python.exists() {
            their_seconds = their_seconds.min(theirs()?.0);
        }
    }
    let rate = |seconds: f64| records as f64 / seconds / 1e6;
    let compared = if their_seconds.is_finite() {
        format!(
            "{:.2} million a CPU-second, flowlogs-reader {:.3}: {:.0} times",
            rate(our_seconds),
            rate(their_seconds),
            their_seconds / our_seconds
        )
    } else {
        format!(
            "{:.2} million a CPU-second (no flowlogs-reader here)",
            rate(our_seconds)
        )
    };
    Ok(vec![
        Row::new(
            "Flow-log files: `weir flows read` of gzip text as CSV",
            compared,
            "at least 5 times",
        ),
        Row::new(
            "Flow-log files: peak memory of that; of a file ten times as large",
            format!("{peak:.1} MiB; {peak_large:.1} MiB"),
            "the same",
        ),
    ])
}
