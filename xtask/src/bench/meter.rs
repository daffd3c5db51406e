//! Metering a capture to AWS's text: `weir replay` beside the flow meters that Debian packages, on the same file, by the
//! CPU time of all their processes. They are needed for nothing else and not installed by this.

use super::capture::{self, CONVERSATIONS, INTERFACE, NETWORK, PACKETS, Shape};
use super::{Row, median, process};
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const RUNS: usize = 3;
/// Who takes longer than this will not come to an end.
const PATIENCE: Duration = Duration::from_secs(1800);

pub(super) fn rows(target: &Path) -> Result<Vec<Row>> {
    let weir = target.join("release/weir");
    let folder = target.join("bench");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("network.json"), NETWORK)?;
    let mut rows = Vec::new();
    for shape in [Shape::Steady, Shape::AllActive] {
        let file = folder.join(format!("{}.pcap", shape.name()));
        let bytes = capture::write(&file, shape)?;
        rows.extend(rows_of(&weir, &folder, &file, shape, bytes)?);
        std::fs::remove_file(&file)?;
    }
    Ok(rows)
}

fn rows_of(weir: &Path, folder: &Path, file: &Path, shape: Shape, bytes: u64) -> Result<Vec<Row>> {
    let mut runs = Vec::new();
    let mut rivals = Vec::new();
    for run in 0..RUNS {
        runs.push(replay(weir, folder, file, bytes)?);
        // They take long enough to be measured once.
        match run {
            0 => rivals.push(("nfpcapd", "nfdump", nfpcapd(folder, file))),
            1 => rivals.push(("softflowd", "softflowd", softflowd(folder, file))),
            _ => {}
        }
    }
    let seconds = median(runs.iter().map(|(seconds, _)| *seconds).collect());
    let peak = median(runs.iter().map(|(_, peak)| *peak).collect());
    let (live, wanted, memory) = match shape {
        Shape::Steady => (
            "100,000 live",
            "at least 5 million packets per CPU-second",
            "",
        ),
        Shape::AllActive => (
            "500,000 live",
            "at least 3 million packets per CPU-second",
            "at most 128 MiB",
        ),
    };
    let million = PACKETS as f64 / seconds / 1e6;
    let what = format!(
        "`weir replay`, {} flows, {live}, totals exact",
        2 * CONVERSATIONS
    );
    let mut rows = vec![
        Row::new(
            &what,
            format!("{million:.1} million packets per CPU-second ({seconds:.2} s)"),
            wanted,
        ),
        Row::new(
            format!("the same, most memory, {live}"),
            format!("{peak:.0} MiB"),
            memory,
        ),
    ];
    for (name, package, measured) in rivals {
        let text = match measured {
            Ok(Some(theirs)) => format!("{:.1} times ({theirs:.2} s)", theirs / seconds),
            Ok(None) => format!("not measured: Debian's {package} is not installed"),
            Err(why) => format!("not measured: {why:#}"),
        };
        let what = format!("the same, to {name} on the same file, {live}");
        rows.push(Row::new(what, text, "at least 5 times"));
    }
    Ok(rows)
}

/// CPU seconds and the most memory of a replay, whose records must add up to the capture.
fn replay(weir: &Path, folder: &Path, file: &Path, bytes: u64) -> Result<(f64, f64)> {
    let records = folder.join("records.txt");
    let mut command = Command::new(weir);
    command.arg("replay").arg(file).args(["--eni", INTERFACE]);
    command.arg("--config").arg(folder.join("network.json"));
    command.stdout(File::create(&records)?);
    let measured = measure(command)?;
    let text = std::fs::read_to_string(&records)?;
    std::fs::remove_file(&records)?;
    let mut sums = (0, 0);
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(' ').collect();
        if let [_, _, _, _, _, _, _, _, packets, octets, ..] = fields[..] {
            sums.0 += packets.parse::<u64>().unwrap_or(0);
            sums.1 += octets.parse::<u64>().unwrap_or(0);
        }
    }
    if sums != (PACKETS, bytes) {
        bail!(
            "the records count {sums:?}, the capture {:?}",
            (PACKETS, bytes)
        );
    }
    Ok(measured)
}

fn nfpcapd(folder: &Path, file: &Path) -> Result<Option<f64>> {
    if !is_there("nfpcapd", "-V") {
        return Ok(None);
    }
    let files = Folder::new(folder.join("nfpcapd"))?;
    let mut command = Command::new("nfpcapd");
    command.arg("-r").arg(file).arg("-w").arg(&files.0);
    // Its cache grows by as much at a time; the default is smaller and slower.
    command.args(["-B", "1048576"]).stdout(Stdio::null());
    Ok(Some(measure(command)?.0))
}

fn softflowd(folder: &Path, file: &Path) -> Result<Option<f64>> {
    if !is_there("softflowd", "-h") {
        return Ok(None);
    }
    let files = Folder::new(folder.join("softflowd"))?;
    let mut command = Command::new("softflowd");
    command.arg("-r").arg(file);
    command.args(["-m", "1000000", "-d", "-6"]);
    // With a control socket whose path is too long, it never ends.
    command.args(["-p", "pid", "-c", "none"]);
    command.current_dir(&files.0).stdout(Stdio::null());
    Ok(Some(measure(command)?.0))
}

fn is_there(program: &str, asks: &str) -> bool {
    let mut command = Command::new(program);
    command
        .arg(asks)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok()
}

/// Runs a program to its end: CPU seconds of it and its children, and the most memory that it had, in MiB.
pub(super) fn measure(mut command: Command) -> Result<(f64, f64)> {
    let before = process::seconds_of_children()?;
    let name = command.get_program().to_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("{}", name.display()))?;
    let mut peak: f64 = 0.0;
    let began = Instant::now();
    let status = loop {
        if began.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            bail!("{} did not end", name.display());
        }
        peak = peak.max(process::peak_mib(child.id()));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    if !status.success() {
        bail!("{} ended with {status}", name.display());
    }
    Ok((process::seconds_of_children()? - before, peak))
}

/// A folder that goes when this does.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new(path: PathBuf) -> Result<Self> {
        // What an interrupted run has left.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
