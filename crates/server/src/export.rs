//! Records on their way to others than flow logs: standard output, files and IPFIX collectors.
//!
//! Each export has a thread and a bounded queue, so that a reader that is slow, a disk that is full or a collector that is
//! away never holds the recorder up: what does not fit is dropped, counted and told.

mod collector;
mod file;

use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flow_export::{json, ocsf};
use flow_logs::{FlowRecord, LogFormat};

use crate::ops::ExportLine;
use collector::Collector;
use file::LogFile;

/// Where records go besides flow logs, and in which form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    format: ExportFormat,
    to: ExportTo,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ExportFormat {
    Json,
    Ocsf,
    Ipfix,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum ExportTo {
    Stdout,
    File(PathBuf),
    Udp(String),
    Tcp(String),
}

/// Records of one step of a queue.
pub(crate) const CHUNK: usize = 4096;
/// Steps of a queue: half a million records.
const QUEUE: usize = 128;
/// How long the end of the daemon waits for an export.
const PATIENCE: Duration = Duration::from_secs(5);

impl Export {
    /// Whether it writes to standard output.
    pub fn is_stdout(&self) -> bool {
        self.to == ExportTo::Stdout
    }

    /// Whether both write to standard output, or to the same file: their lines would be mixed.
    pub fn shares_output_with(&self, other: &Self) -> bool {
        let writes = matches!(self.to, ExportTo::Stdout | ExportTo::File(_));
        writes && self.to == other.to
    }
}

impl FromStr for Export {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let forms =
            "say json:-, json:FILE, ocsf:-, ocsf:FILE, ipfix:HOST:PORT or ipfix+tcp:HOST:PORT";
        let (format, to) = text.split_once(':').ok_or(forms)?;
        let (format, collector) = match format {
            "json" => (ExportFormat::Json, None),
            "ocsf" => (ExportFormat::Ocsf, None),
            "ipfix" | "ipfix+udp" => (ExportFormat::Ipfix, Some(false)),
            "ipfix+tcp" => (ExportFormat::Ipfix, Some(true)),
            other => return Err(format!("{other:?} is no format: {forms}")),
        };
        let to = match (collector, to) {
            (_, "") => return Err(format!("it says no destination: {forms}")),
            (None, "-") => ExportTo::Stdout,
            (None, path) => ExportTo::File(PathBuf::from(path)),
            (Some(tcp), address) => {
                let port = address
                    .rsplit_once(':')
                    .filter(|(host, _)| !host.is_empty());
                if port
                    .and_then(|(_, port)| port.parse::<u16>().ok())
                    .is_none_or(|port| port == 0)
                {
                    return Err(format!("{address:?} is no HOST:PORT"));
                }
                match tcp {
                    true => ExportTo::Tcp(address.to_owned()),
                    false => ExportTo::Udp(address.to_owned()),
                }
            }
        };
        Ok(Self { format, to })
    }
}

impl fmt::Display for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = match (self.format, &self.to) {
            (ExportFormat::Json, _) => "json",
            (ExportFormat::Ocsf, _) => "ocsf",
            (ExportFormat::Ipfix, ExportTo::Tcp(_)) => "ipfix+tcp",
            (ExportFormat::Ipfix, _) => "ipfix",
        };
        match &self.to {
            ExportTo::Stdout => write!(f, "{format}:-"),
            ExportTo::File(path) => write!(f, "{format}:{}", path.display()),
            ExportTo::Udp(address) | ExportTo::Tcp(address) => write!(f, "{format}:{address}"),
        }
    }
}

/// The exports of a daemon.
#[derive(Debug, Default)]
pub(crate) struct Exports {
    running: Vec<Running>,
}

#[derive(Debug)]
struct Running {
    name: String,
    queue: Mutex<Option<SyncSender<Arc<[FlowRecord]>>>>,
    ended: Mutex<Receiver<()>>,
    state: Arc<ExportState>,
}

/// How an export stands.
#[derive(Debug, Default)]
pub(crate) struct ExportState {
    written: AtomicU64,
    dropped: AtomicU64,
    /// Whether the file is to be opened anew.
    pub(crate) reopen: AtomicBool,
    error: Mutex<Option<String>>,
}

/// Where an export writes.
enum Sink {
    Stdout(ExportFormat),
    File(ExportFormat, LogFile),
    Collector(Box<Collector>),
}

impl Exports {
    /// Opens every export and starts its thread.
    ///
    /// # Errors
    ///
    /// If a file cannot be opened.
    pub(crate) fn start(exports: &[Export], format: &LogFormat) -> anyhow::Result<Self> {
        let running = exports
            .iter()
            .map(|export| Running::start(export, format.clone()));
        Ok(Self {
            running: running.collect::<anyhow::Result<_>>()?,
        })
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Hands records, [`CHUNK`] at once, to every export; never waits.
    pub(crate) fn push(&self, records: &Arc<[FlowRecord]>) {
        for export in &self.running {
            export.push(records.clone());
        }
    }

    /// Has files opened anew, as after they have been moved away.
    pub(crate) fn reopen(&self) {
        for export in &self.running {
            export.state.reopen.store(true, Ordering::Relaxed);
        }
    }

    /// How they stand.
    pub(crate) fn status(&self) -> Vec<ExportLine> {
        let line = |export: &Running| ExportLine {
            export: export.name.clone(),
            written: export.state.written.load(Ordering::Relaxed),
            dropped: export.state.dropped.load(Ordering::Relaxed),
            error: export.state.error().clone(),
        };
        self.running.iter().map(line).collect()
    }

    /// Waits until everything is written, or somebody is too slow.
    pub(crate) fn finish(&self) {
        for export in &self.running {
            *export.queue.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        for export in &self.running {
            let ended = export.ended.lock().unwrap_or_else(PoisonError::into_inner);
            if ended.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                tracing::warn!(export = %export.name, "records are left unwritten: the export is too slow");
            }
        }
    }
}

impl Running {
    fn start(export: &Export, format: LogFormat) -> anyhow::Result<Self> {
        let state = Arc::new(ExportState::default());
        let mut sink = Sink::open(export)?;
        let (queue, records) = sync_channel::<Arc<[FlowRecord]>>(QUEUE);
        let (end, ended) = sync_channel(1);
        let name = export.to_string();
        let (thread_state, thread_name) = (state.clone(), name.clone());
        std::thread::Builder::new()
            .name("export".to_owned())
            .spawn(move || {
                for records in records {
                    let written = sink.write(&records, &format, &thread_state);
                    thread_state.note(&thread_name, records.len() as u64, written);
                }
                // Whoever waits is told by the end of the channel as well.
                let _ = end.send(());
            })?;
        Ok(Self {
            name,
            queue: Mutex::new(Some(queue)),
            ended: Mutex::new(ended),
            state,
        })
    }

    fn push(&self, records: Arc<[FlowRecord]>) {
        let count = records.len() as u64;
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = &*queue else { return };
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = queue.try_send(records)
        {
            let error = std::io::Error::other("it is slower than records come");
            self.state.note(&self.name, count, Err(error));
        }
    }
}

impl ExportState {
    fn error(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts what became of records; tells of a failure when it begins and when it ends.
    fn note(&self, name: &str, records: u64, written: std::io::Result<()>) {
        let mut known = self.error();
        match written {
            Ok(()) => {
                self.written.fetch_add(records, Ordering::Relaxed);
                if known.take().is_some() {
                    let dropped = self.dropped.load(Ordering::Relaxed);
                    tracing::info!(export = name, dropped, "records are exported again");
                }
            }
            Err(error) => {
                self.dropped.fetch_add(records, Ordering::Relaxed);
                if known.is_none() {
                    tracing::warn!(export = name, %error, "records are not exported; they are dropped and counted");
                }
                *known = Some(error.to_string());
            }
        }
    }
}

impl Sink {
    fn open(export: &Export) -> anyhow::Result<Self> {
        Ok(match &export.to {
            ExportTo::Stdout => Self::Stdout(export.format),
            ExportTo::File(path) => Self::File(export.format, LogFile::open(path)?),
            ExportTo::Udp(address) => Self::Collector(Box::new(Collector::udp(address))),
            ExportTo::Tcp(address) => Self::Collector(Box::new(Collector::tcp(address))),
        })
    }

    fn write(
        &mut self,
        records: &[FlowRecord],
        fields: &LogFormat,
        state: &ExportState,
    ) -> std::io::Result<()> {
        match self {
            Self::Stdout(format) => {
                let mut stdout = std::io::stdout().lock();
                stdout.write_all(&lines(records, *format, fields))?;
                stdout.flush()
            }
            Self::File(format, file) => {
                let anew = state.reopen.swap(false, Ordering::Relaxed);
                file.append(&lines(records, *format, fields), anew)
            }
            Self::Collector(collector) => collector.send(records),
        }
    }
}

/// A line for each record.
fn lines(records: &[FlowRecord], format: ExportFormat, fields: &LogFormat) -> Vec<u8> {
    let mut text = Vec::with_capacity(records.len() * 512);
    for record in records {
        let value = match format {
            ExportFormat::Ocsf => ocsf(record, env!("CARGO_PKG_VERSION")),
            ExportFormat::Json | ExportFormat::Ipfix => Some(json(record, fields)),
        };
        if let Some(value) = value {
            text.extend_from_slice(value.to_string().as_bytes());
            text.push(b'\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explaining::tests::record;

    #[test]
    fn exports_are_said_by_format_and_destination() {
        for text in [
            "json:-",
            "json:/var/log/flows.jsonl",
            "ocsf:-",
            "ocsf:flows.ocsf",
            "ipfix:127.0.0.1:4739",
            "ipfix:[::1]:4739",
            "ipfix+tcp:collector.example:4739",
        ] {
            assert_eq!(text.parse::<Export>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "json",
            "json:",
            "xml:-",
            "ipfix:-",
            "ipfix:host",
            "ipfix::4739",
            "ipfix:h:0",
            "ipfix:h:x",
        ] {
            assert!(text.parse::<Export>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_slow_export_never_holds_the_recorder_up_and_its_losses_are_counted() {
        let (queue, records) = sync_channel(1);
        let (_end, ended) = sync_channel(1);
        let slow = Running {
            name: "json:-".to_owned(),
            queue: Mutex::new(Some(queue)),
            ended: Mutex::new(ended),
            state: Arc::default(),
        };
        let exports = Exports {
            running: vec![slow],
        };
        let all: Vec<_> = (0..3 * CHUNK as u64)
            .map(|n| record("eni-00000001", n))
            .collect();
        all.chunks(CHUNK)
            .for_each(|chunk| exports.push(&chunk.into()));
        let status = &exports.status()[0];
        assert_eq!(status.dropped, 2 * CHUNK as u64);
        assert!(status.error.as_deref().unwrap().contains("slower"));
        assert_eq!(records.recv().unwrap().len(), CHUNK);
    }
}
