//! `weir replay`: the flow logs that a capture would have left.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, ErrorKind, Read, Write as _, stdin, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use capture::Reader;
use replay::{
    AggregationInterval, Batch, FILE_BYTES_MAX, FlowLog, Options, Timestamp, TrafficType, slot_of,
};
use server::ops::ReadWorld;

use crate::cli::{Replay, ReplayFiles, Target, Traffic};
use crate::output;

/// Text is written when there is so much of it.
const TEXT_BYTES: usize = 1 << 16;
/// Connections that the interface may track: a capture may hold the traffic of days.
const CONNECTIONS_MAX: u32 = 1 << 20;
/// How many places that cannot be read are told; the summary counts all of them.
const PROBLEMS_MAX: usize = 20;

/// A part of the capture could not be read.
const INCOMPLETE: u8 = 1;

/// Replays the capture.
pub(crate) fn run(target: &Target, arguments: &Replay) -> anyhow::Result<ExitCode> {
    let options = options(arguments)?;
    let mut replay = if let Some(config) = &arguments.config {
        let text = std::fs::read_to_string(config)
            .with_context(|| format!("cannot read {}", config.display()))?;
        let network =
            replay::network::parse(&text).with_context(|| config.display().to_string())?;
        network
            .notices
            .iter()
            .for_each(|notice| output::note(notice));
        replay::Replay::new(&network.world, &options)?
    } else if let Some(state) = &arguments.state {
        replay::Replay::new(&server::world_of(state)?, &options)?
    } else {
        let report = super::client(target)?.weir(&ReadWorld {})?;
        replay::Replay::new(&report.world(), &options)?
    };
    let name = arguments.file.display();
    let source: Box<dyn Read> = match arguments.file.as_os_str() == "-" {
        true => Box::new(stdin().lock()),
        false => {
            let file = File::open(&arguments.file);
            Box::new(file.with_context(|| format!("cannot read {name}"))?)
        }
    };
    let mut reader = Reader::new(source).with_context(|| name.to_string())?;
    let mut records = Records::new(arguments, &replay)?;
    let mut problems = 0;
    while let Some(item) = reader.next() {
        if let Some(problem) = replay.take(item) {
            problems += 1;
            if problems <= PROBLEMS_MAX {
                output::note(&format!("{name}: {problem}"));
            }
        }
        if replay.has_closed() {
            records.write(&mut replay)?;
        }
    }
    replay.finish();
    records.write(&mut replay)?;
    records.end()?;
    if problems > PROBLEMS_MAX {
        let more = problems - PROBLEMS_MAX;
        output::note(&format!("{name}: and {more} more places"));
    }
    output::note(replay.summary().to_string().trim_end());
    Ok(match problems {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(INCOMPLETE),
    })
}

fn options(arguments: &Replay) -> anyhow::Result<Options> {
    Ok(Options {
        interface: arguments.eni.parse()?,
        log_format: match &arguments.log_format {
            Some(format) => format.clone(),
            None => FlowLog::DEFAULT_FORMAT.to_owned(),
        },
        traffic_type: match arguments.traffic_type {
            Traffic::All => TrafficType::All,
            Traffic::Accept => TrafficType::Accept,
            Traffic::Reject => TrafficType::Reject,
        },
        interval: match arguments.interval.as_str() {
            "600" => AggregationInterval::TenMinutes,
            _ => AggregationInterval::OneMinute,
        },
        flows_max: arguments.flows_max,
        connections_max: CONNECTIONS_MAX,
    })
}

/// Where records go.
enum Records {
    Lines {
        out: BufWriter<std::io::StdoutLock<'static>>,
        text: String,
    },
    Files(Files),
}

/// Files below a folder.
struct Files {
    folder: PathBuf,
    by: ReplayFiles,
    sequence: u64,
    /// The file of each five minutes that is not complete, with the number that names it.
    open: BTreeMap<Timestamp, (u64, Batch)>,
}

impl Records {
    fn new(arguments: &Replay, replay: &replay::Replay) -> anyhow::Result<Self> {
        if let Some(folder) = &arguments.output {
            return Ok(Self::Files(Files {
                folder: folder.clone(),
                by: arguments.files,
                sequence: 0,
                open: BTreeMap::new(),
            }));
        }
        let mut out = BufWriter::with_capacity(TEXT_BYTES, stdout().lock());
        writeln!(out, "{}", replay.subscription().format.header())?;
        Ok(Self::Lines {
            out,
            text: String::new(),
        })
    }

    fn write(&mut self, replay: &mut replay::Replay) -> anyhow::Result<()> {
        let closed = replay.take_closed();
        match self {
            Self::Lines { out, text } => {
                for window in &closed {
                    let mut records = window.records_of(replay.subscription());
                    loop {
                        text.clear();
                        let more = replay.text(&mut records, TEXT_BYTES, text);
                        out.write_all(text.as_bytes())?;
                        if !more {
                            break;
                        }
                    }
                }
            }
            Self::Files(files) => {
                for batch in replay::batches(&closed) {
                    files.take(batch)?;
                }
                // No window that closes later has records that end before these do.
                if let Some(end) = closed.iter().map(|window| window.end).max() {
                    files.close(slot_of(end))?;
                }
            }
        }
        Ok(())
    }

    fn end(self) -> anyhow::Result<()> {
        match self {
            Self::Lines { mut out, .. } => Ok(out.flush()?),
            Self::Files(mut files) => files.close(Timestamp::from_secs(u64::MAX / 1_000_000)),
        }
    }
}

impl Files {
    fn take(&mut self, batch: Batch) -> anyhow::Result<()> {
        let sequence = self.sequence;
        self.sequence += 1;
        if self.by == ReplayFiles::Window {
            return self.write(sequence, batch);
        }
        let slot = batch.slot;
        match self.open.get_mut(&slot) {
            Some((_, file)) if file.lines.bytes() + batch.lines.bytes() <= FILE_BYTES_MAX => {
                file.lines.append(&batch.lines);
            }
            _ => {
                if let Some((number, full)) = self.open.insert(slot, (sequence, batch)) {
                    self.write(number, full)?;
                }
            }
        }
        Ok(())
    }

    /// Writes the files of all five minutes before these.
    fn close(&mut self, slot: Timestamp) -> anyhow::Result<()> {
        while let Some(first) = self.open.first_entry()
            && *first.key() < slot
        {
            let (sequence, batch) = first.remove();
            self.write(sequence, batch)?;
        }
        Ok(())
    }

    fn write(&self, sequence: u64, mut batch: Batch) -> anyhow::Result<()> {
        batch.lines.sort();
        let Some((_, key)) = batch.s3_object(sequence) else {
            return Ok(());
        };
        let path = self.folder.join(key.to_string());
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let file = flow_log_files::gzip(batch.lines.text().as_bytes());
        write_new(&path, &file).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Writes a file that is not there, or that has just this in it: the same capture replayed once more.
fn write_new(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    match File::create_new(path) {
        Ok(mut file) => Ok(file.write_all(bytes)?),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            anyhow::ensure!(
                std::fs::read(path)? == bytes,
                "another replay's records are in it; say another --output, or remove it"
            );
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_another_replay_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log.gz");
        write_new(&path, b"records").unwrap();
        write_new(&path, b"records").unwrap();
        write_new(&path, b"others").unwrap_err();
        assert_eq!(std::fs::read(&path).unwrap(), b"records");
    }
}
