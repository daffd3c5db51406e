//! Folders that go, batches in few words, and destinations that fail on command.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flow_logs::{Batch, Line, Lines};
use model::{FileFormat, FlowLogId, LogDestination, Scope, Timestamp, TrafficType};

use crate::s3::{ObjectStore, PutObject};
use crate::{Backoff, BoxFuture, Clock, DeliveryConfig, SinkError, SinkErrorKind};

/// A folder that is removed when it goes out of scope.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("weir-delivery-{}-{number}", std::process::id());
        // Hundreds of restarts, each with its syncs: in memory where that is possible.
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let path = base.join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn scope() -> Scope {
    Scope {
        account: "123456789012".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
    }
}

pub(crate) fn id(number: u32) -> FlowLogId {
    format!("fl-{number:08x}").parse().unwrap()
}

pub(crate) fn s3_batch(flow_log: u32, texts: &[&str]) -> Batch {
    Batch {
        scope: scope(),
        flow_log_id: id(flow_log),
        destination: LogDestination::S3 {
            bucket: "logs".to_owned(),
            prefix: String::new(),
            arn: "arn:aws:s3:::logs".to_owned(),
            hive_compatible_partitions: false,
            per_hour_partition: false,
            file_format: FileFormat::PlainText,
        },
        stream_type: TrafficType::All,
        slot: Timestamp::from_secs(1_700_000_100),
        lines: lines_of(
            "version",
            &texts
                .iter()
                .map(|t| line(1_700_000_200, t))
                .collect::<Vec<_>>(),
        ),
    }
}

pub(crate) fn logs_batch(flow_log: u32, lines: &[(Line, String)]) -> Batch {
    Batch {
        destination: LogDestination::CloudWatchLogs {
            log_group_name: "group".to_owned(),
            arn: None,
        },
        lines: lines_of("version", lines),
        ..s3_batch(flow_log, &[])
    }
}

pub(crate) fn lines_of(header: &str, lines: &[(Line, String)]) -> Lines {
    let mut all = Lines::new(header);
    for (line, text) in lines {
        all.push(*line, text);
    }
    all
}

pub(crate) fn line(secs: u64, text: &str) -> (Line, String) {
    let line = Line {
        start: Timestamp::from_secs(secs),
        end: Timestamp::from_secs(secs + 5),
        recorder: "eni-00000001".parse().unwrap(),
    };
    (line, text.to_owned())
}

pub(crate) fn clock() -> Clock {
    Arc::new(|| Timestamp::from_secs(1_700_000_300))
}

pub(crate) fn config() -> DeliveryConfig {
    DeliveryConfig {
        backoff: Backoff {
            first: Duration::from_millis(1),
            longest: Duration::from_millis(4),
        },
        ..DeliveryConfig::default()
    }
}

/// A store in memory that can be made to fail.
#[derive(Default)]
pub(crate) struct Bucket {
    state: Mutex<BucketState>,
}

#[derive(Default)]
struct BucketState {
    error: Option<SinkError>,
    /// Keeps the object, and fails all the same: the answer got lost.
    answers_lost: u32,
    /// Refuses objects with this text, always.
    rejected: Option<&'static str>,
    /// An object may be replaced by one that begins like it.
    may_grow: bool,
    objects: BTreeMap<String, Vec<u8>>,
    /// Texts in the order of their first arrival.
    order: Vec<String>,
}

impl Bucket {
    pub(crate) fn fail(&self, error: Option<SinkErrorKind>) {
        self.state.lock().unwrap().error = error.map(|kind| SinkError::new(kind, "as told"));
    }

    pub(crate) fn lose_answers(&self, count: u32) {
        self.state.lock().unwrap().answers_lost = count;
    }

    pub(crate) fn reject(&self, text: &'static str) {
        self.state.lock().unwrap().rejected = Some(text);
    }

    pub(crate) fn may_grow(&self) {
        self.state.lock().unwrap().may_grow = true;
    }

    /// The lines of each object, by its key's first arrival.
    pub(crate) fn files(&self) -> Vec<Vec<String>> {
        let state = self.state.lock().unwrap();
        let lines = |text: &String| text.lines().skip(1).map(str::to_owned).collect();
        state.order.iter().map(lines).collect()
    }

    /// The lines of all objects in the order of their arrival, headers left out.
    pub(crate) fn lines(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        assert_eq!(
            state.objects.len(),
            state.order.len(),
            "an object came under two keys"
        );
        let lines = state.order.iter().flat_map(|text| text.lines().skip(1));
        lines.map(str::to_owned).collect()
    }
}

impl ObjectStore for Bucket {
    fn put_object(&self, _: Scope, object: PutObject) -> BoxFuture<'_, Result<(), SinkError>> {
        let mut state = self.state.lock().unwrap();
        let text = gunzip(&object.body);
        let rejected = state.rejected.is_some_and(|part| text.contains(part));
        let result = match &state.error {
            Some(error) => Err(error.clone()),
            None if rejected => Err(SinkError::new(SinkErrorKind::Rejected, "never")),
            None => {
                let before = state.objects.insert(object.key, object.body.to_vec());
                match before {
                    None => state.order.push(text),
                    Some(before) if before == object.body => {}
                    Some(before) => {
                        let before = gunzip(&before);
                        assert!(
                            state.may_grow && text.starts_with(&before),
                            "an object changed"
                        );
                        state.order.retain(|known| *known != before);
                        state.order.push(text);
                    }
                }
                if state.answers_lost > 0 {
                    state.answers_lost -= 1;
                    Err(SinkError::unavailable("the answer got lost"))
                } else {
                    Ok(())
                }
            }
        };
        Box::pin(async move { result })
    }
}

pub(crate) fn gunzip(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut decoder = flate2::read::GzDecoder::new(bytes);
    decoder.read_to_string(&mut text).unwrap();
    text
}
