//! From what interfaces see to what flow logs deliver: harvest, windows, records, spool.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use anyhow::Context;
use control::Event;
use dataplane::FlowSample;
use delivery::{
    Delivery, DeliveryConfig, DeliveryReport, Destinations, FlowLogDelivery, Interrupted, Spool,
};
use flow_logs::{
    Aggregator, Batch, ClosedWindow, FlowRecord, LogFormat, ServiceRanges, batches, coverage_with,
};
use model::{AggregationInterval, Entropy as _, FlowLogId, LogDestination, Timestamp, World};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::clock::{self, SystemEntropy};
use crate::config::Config;
use crate::datapath::{Datapath, Harvest};
use crate::export::{CHUNK, Exports};
use crate::feed::{Feed, KEPT};
use crate::flow_history::{BYTES_MAX, FlowHistory};
use crate::open_windows::{self, OpenWindows};
use crate::ops::{FlowLogLine, FlowLogStatuses, FlowLogSummary, FlushReport};
use crate::writer::Writer;

/// How often the data plane is asked what it has seen.
const PERIOD: Duration = Duration::from_secs(1);
/// How often while somebody follows what is seen.
const LIVE_PERIOD: Duration = Duration::from_millis(250);
/// How long the end of the daemon waits for destinations.
const LAST_DELIVERY: Duration = Duration::from_secs(3);
/// Flows that open windows may hold; more are reported as SKIPDATA.
const FLOWS_MAX: usize = 1 << 20;
/// Each packet is exported once: with windows of two lengths, those of a minute have them all.
const EXPORTED: AggregationInterval = AggregationInterval::OneMinute;
/// Bytes of records that may wait for their destinations.
pub(crate) const SPOOL_BYTES_MAX: u64 = 4 << 30;

/// Records flows.
pub(crate) struct Recorder {
    /// Records of closed windows.
    pub(crate) records: Feed<FlowRecord>,
    /// What is seen right now.
    pub(crate) live: Feed<FlowSample>,
    history: Arc<FlowHistory>,
    exports: Exports,
    windows: Arc<Mutex<Windows>>,
    counts: std::sync::Mutex<RecordCounts>,
    datapath: Arc<Datapath>,
    writer: Writer,
    delivery: Delivery,
}

/// What has become of windows since the daemon started.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecordCounts {
    /// Windows closed.
    pub(crate) windows: u64,
    /// Records of flows, for all flow logs.
    pub(crate) ok: u64,
    /// Records that say NODATA.
    pub(crate) no_data: u64,
    /// Records that say SKIPDATA, by flow log.
    pub(crate) skip_data: BTreeMap<FlowLogId, u64>,
    /// Flows in open windows.
    pub(crate) flows: usize,
}

struct Windows {
    /// For the service fields of records.
    services: Arc<ServiceRanges>,
    aggregator: Aggregator,
    open: OpenWindows,
    /// The world whose flow logs the aggregator knows.
    world: Option<Arc<World>>,
}

impl Recorder {
    /// Starts to deliver what an earlier daemon has spooled, and what it had counted when it was killed. Must be called
    /// inside the runtime.
    ///
    /// # Errors
    ///
    /// If the spool cannot be opened, or the file of address ranges cannot be used.
    pub(crate) async fn start(
        config: &Config,
        writer: Writer,
        datapath: Arc<Datapath>,
        destinations: Destinations,
        state: &Path,
    ) -> anyhow::Result<Arc<Self>> {
        let services = service_ranges(config.ip_ranges.as_deref())?;
        let format = LogFormat::default().with_services(services.clone());
        let exports = Exports::start(&config.exports, &format)?;
        let hash_seed = SystemEntropy.next_u128() as u64;
        let mut aggregator =
            Aggregator::new(config.aggregation, FLOWS_MAX).with_hash_seed(hash_seed);
        if !exports.is_empty() {
            aggregator = aggregator.recording_everything();
        }
        let history = FlowHistory::open(&state.join("flows"), BYTES_MAX)
            .context("the history of flows cannot be opened")?;
        let spool = Spool::open(state.join("spool"), SPOOL_BYTES_MAX)?;
        let (open, interrupted) = OpenWindows::open(state, spool.last_generation())?;
        let delivery = Delivery::start(
            DeliveryConfig {
                s3_files: config.s3_files,
                ..DeliveryConfig::default()
            },
            spool,
            Arc::new(destinations),
            Arc::new(clock::now),
            report_to(writer.clone()),
        );
        let records = Feed::default();
        // What an earlier daemon has recorded is remembered as well.
        records.push(history.newest(KEPT).iter());
        let recorder = Arc::new(Self {
            records,
            live: Feed::default(),
            history: Arc::new(history),
            exports,
            windows: Arc::new(Mutex::new(Windows {
                services,
                aggregator,
                open,
                world: None,
            })),
            counts: std::sync::Mutex::default(),
            datapath,
            writer,
            delivery,
        });
        if let Some(interrupted) = interrupted {
            recorder.recover(interrupted).await;
        }
        Ok(recorder)
    }

    /// Delivers what a daemon that was killed has left.
    async fn recover(&self, interrupted: Interrupted) {
        let mut windows = self.windows.lock().await;
        let world = self.writer.world();
        self.cover(&mut windows, world.clone());
        let generation = interrupted.generation;
        let left = open_windows::left_behind(
            interrupted,
            PERIOD,
            &windows.aggregator,
            &world,
            &self.delivery,
        );
        let records: usize = left.iter().map(|batch| batch.lines.len()).sum();
        tracing::warn!(
            records,
            "the last daemon was killed; flow logs get what it had counted, and SKIPDATA"
        );
        let refused = self.delivery.submit(left, generation).await;
        for interface in open_windows::attached(&world, &windows.aggregator) {
            for refused in &refused {
                let id = refused.batch.flow_log_id;
                windows
                    .aggregator
                    .mark_skipped_for(&interface, id, clock::now());
            }
        }
    }

    /// Harvests and closes windows until the daemon ends.
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            self.catch_up().await;
            let followed = self.live.is_read();
            tokio::time::sleep(if followed { LIVE_PERIOD } else { PERIOD }).await;
        }
    }

    /// Takes in what has been seen until now and which flow logs there are now. Traffic from here on
    /// belongs to them.
    pub(crate) async fn catch_up(&self) {
        let mut windows = self.windows.clone().lock_owned().await;
        self.take_in(&mut windows).await;
        let (windows, _) = self.close(windows, Aggregator::close_due).await;
        self.keep(windows).await;
    }

    /// Closes every window and waits until its records are delivered, or an attempt has failed.
    ///
    /// # Errors
    ///
    /// Never so far; a delivery that failed is in the report.
    pub(crate) async fn flush(&self) -> anyhow::Result<FlushReport> {
        let mut windows = self.windows.clone().lock_owned().await;
        self.take_in(&mut windows).await;
        let (windows, records) = self.close(windows, Aggregator::close_all).await;
        self.keep(windows).await;
        self.delivery.flush().await;
        Ok(FlushReport {
            records,
            flow_logs: self.status().flow_logs,
        })
    }

    /// Puts what open windows hold on disk, as the daemon ends, and delivers what its destinations take at once; the next
    /// daemon delivers the rest.
    pub(crate) async fn shut_down(self: &Arc<Self>) {
        let mut windows = self.windows.clone().lock_owned().await;
        self.take_in(&mut windows).await;
        let (mut windows, _) = self.close(windows, Aggregator::close_all).await;
        // What the spool has just refused.
        let unsaid = windows.aggregator.close_all(clock::now());
        blocking(move || windows.open.end(&unsaid)).await;
        let _ = tokio::time::timeout(LAST_DELIVERY, self.delivery.flush()).await;
        let recorder = self.clone();
        // Waits for threads, for a while at most.
        let _ = tokio::task::spawn_blocking(move || recorder.exports.finish()).await;
    }

    /// The exports.
    pub(crate) fn exports(&self) -> &Exports {
        &self.exports
    }

    /// How all flow logs together are doing.
    pub(crate) fn summary(&self) -> FlowLogSummary {
        let lines = self.status().flow_logs;
        FlowLogSummary {
            flow_logs: lines.len(),
            failing: lines.iter().filter(|line| line.error.is_some()).count(),
            delivered: lines.iter().map(|line| line.delivered).sum(),
            waiting_batches: lines.iter().map(|line| line.waiting_batches).sum(),
            spooled_bytes: self.spooled_bytes(),
            lag_s: lines.iter().map(|line| line.lag_s).max().unwrap_or(0),
            skipdata: lines.iter().map(|line| line.skipdata).sum(),
        }
    }

    /// What has become of windows.
    pub(crate) fn counts(&self) -> RecordCounts {
        let counts = self.counts.lock();
        counts.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How the deliveries go, by flow log.
    pub(crate) fn deliveries(&self) -> Vec<FlowLogDelivery> {
        self.delivery.snapshot()
    }

    /// Bytes of the spool on disk.
    pub(crate) fn spooled_bytes(&self) -> u64 {
        self.delivery.spooled_bytes()
    }

    /// The records of the past.
    pub(crate) fn history(&self) -> &Arc<FlowHistory> {
        &self.history
    }

    /// How the deliveries stand.
    pub(crate) fn status(&self) -> FlowLogStatuses {
        let world = self.writer.world();
        let deliveries = self.delivery.snapshot();
        let counts = self.counts();
        let flow_logs = world
            .regions
            .values()
            .flat_map(|state| state.flow_logs.values());
        let lines = flow_logs.map(|flow_log| {
            let known = deliveries.iter().find(|d| d.flow_log_id == flow_log.id);
            FlowLogLine {
                flow_log_id: flow_log.id.to_string(),
                destination: destination(&flow_log.destination),
                delivered: known.map_or(0, |d| d.delivered_records),
                waiting_batches: known.map_or(0, |d| d.waiting_batches),
                spooled_bytes: known.map_or(0, |d| d.waiting_bytes),
                lag_s: known.map_or(0, |d| d.lag.as_secs()),
                last_delivery: known.and_then(|d| Some(d.last_delivery?.as_secs())),
                failures: known.map_or(0, |d| d.failures),
                skipdata: counts.skip_data.get(&flow_log.id).copied().unwrap_or(0),
                dropped_batches: known.map_or(0, |d| d.dropped_batches),
                rejected: known.map_or(0, |d| d.rejected_records),
                error: known.and_then(|d| d.last_error.clone()),
            }
        });
        FlowLogStatuses {
            flow_logs: lines.collect(),
            exports: self.exports.status(),
        }
    }

    async fn take_in(&self, windows: &mut Windows) {
        let world = self.writer.world();
        let mut harvest = self.harvest(Vec::new()).await;
        loop {
            for sample in &harvest.samples {
                windows.aggregator.observe(sample);
            }
            let now = clock::now();
            for interface in &harvest.skipped {
                windows.aggregator.mark_skipped(interface, now);
            }
            if !harvest.samples.is_empty() || !harvest.skipped.is_empty() {
                windows.open.counted();
            }
            self.live.push(harvest.samples.iter());
            if !harvest.more {
                break;
            }
            harvest = self.harvest(harvest.samples).await;
        }
        self.cover(windows, world);
        for id in self.delivery.take_lost() {
            let Some(world) = &windows.world else { break };
            for interface in open_windows::attached(world, &windows.aggregator) {
                let now = clock::now();
                windows.aggregator.mark_skipped_for(&interface, id, now);
            }
        }
    }

    /// Learns which flow logs there are.
    fn cover(&self, windows: &mut Windows, world: Arc<World>) {
        let known = windows.world.as_ref();
        if known.is_none_or(|known| !Arc::ptr_eq(known, &world)) {
            let coverage = coverage_with(&world, &windows.services);
            self.delivery.set_flow_logs(coverage.flow_log_ids());
            windows.aggregator.set_coverage(coverage, clock::now());
            windows.world = Some(world);
        }
    }

    async fn harvest(&self, samples: Vec<FlowSample>) -> Harvest {
        let datapath = self.datapath.clone();
        match tokio::task::spawn_blocking(move || datapath.harvest(samples)).await {
            Ok(Ok(harvest)) => harvest,
            Ok(Err(error)) => {
                tracing::error!(%error, "the data plane does not say what it has seen");
                Harvest::default()
            }
            Err(_) => Harvest::default(),
        }
    }

    /// Closes windows and spools their records; tells how many there are. Printing many records takes a while, in which
    /// the runtime has other things to do.
    async fn close(
        &self,
        mut windows: OwnedMutexGuard<Windows>,
        close: fn(&mut Aggregator, Timestamp) -> Vec<ClosedWindow>,
    ) -> (OwnedMutexGuard<Windows>, usize) {
        let (history, now) = (self.history.clone(), clock::now());
        let (mut windows, closed, batches, records) = blocking(move || {
            let mut closed = close(&mut windows.aggregator, now);
            if let Some(world) = &windows.world {
                closed.iter_mut().for_each(|window| window.describe(world));
            }
            // Made once; history, followers and exports share them.
            let mut records = Vec::new();
            for window in &closed {
                let all: Vec<_> = window.records().collect();
                for chunk in all.chunks(CHUNK) {
                    history.append(chunk, now);
                    records.push((window.interval, Arc::<[FlowRecord]>::from(chunk)));
                }
            }
            let batches = batches(&closed);
            (windows, closed, batches, records)
        })
        .await;
        for (_, chunk) in records.iter().filter(|(of, _)| *of == EXPORTED) {
            self.exports.push(chunk);
        }
        let lost = closed.iter().filter(|window| window.interval == EXPORTED);
        let lost: Vec<_> = lost.filter_map(ClosedWindow::skipped).collect();
        if !lost.is_empty() {
            self.exports.push(&lost.into());
        }
        self.count(&closed, &batches, windows.aggregator.flows());
        let mut latest: Vec<&FlowRecord> = records.iter().flat_map(|(_, chunk)| &**chunk).collect();
        latest.sort_by_key(|record| record.start);
        let count = latest.len();
        // Written down first, so that whoever reads both misses nothing.
        self.records.push(latest);
        if !batches.is_empty() {
            let refused = self.delivery.submit(batches, windows.open.generation).await;
            windows.open.closed();
            for refused in refused {
                let now = clock::now();
                windows.aggregator.mark_lost(&refused.batch, &closed, now);
            }
        }
        (windows, count)
    }

    /// Keeps what is on disk of open windows up to date.
    async fn keep(&self, mut windows: OwnedMutexGuard<Windows>) {
        windows.open.touch(clock::now());
        if windows.open.is_due(&windows.aggregator) {
            blocking(move || {
                let Windows {
                    open, aggregator, ..
                } = &mut *windows;
                open.write(aggregator);
            })
            .await;
        }
    }

    fn count(&self, closed: &[ClosedWindow], batches: &[Batch], flows: usize) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let before = counts.no_data + counts.skip_data.values().sum::<u64>();
        for window in closed {
            counts.windows += 1;
            counts.no_data += window.no_data().len() as u64;
            for id in window.skip_data() {
                *counts.skip_data.entry(*id).or_default() += 1;
            }
        }
        let empty = counts.no_data + counts.skip_data.values().sum::<u64>() - before;
        let all: usize = batches.iter().map(|batch| batch.lines.len()).sum();
        counts.ok += (all as u64).saturating_sub(empty);
        counts.flows = flows;
    }
}

/// Does what takes long away from the runtime's own thread.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is going down, and this task with it.
            Err(_) => std::future::pending().await,
        },
    }
}

fn service_ranges(file: Option<&Path>) -> anyhow::Result<Arc<ServiceRanges>> {
    let Some(file) = file else {
        return Ok(ServiceRanges::built_in());
    };
    let place = || format!("--ip-ranges {}", file.display());
    let json = std::fs::read_to_string(file).with_context(place)?;
    Ok(Arc::new(ServiceRanges::parse(&json).with_context(place)?))
}

/// Has the writer note how deliveries go, so that DescribeFlowLogs shows it.
fn report_to(writer: Writer) -> Arc<dyn Fn(DeliveryReport) + Send + Sync> {
    Arc::new(move |report| {
        let writer = writer.clone();
        let DeliveryReport {
            scope,
            flow_log_id,
            status,
        } = report;
        tokio::spawn(async move {
            let event = Event::Delivery {
                flow_log_id,
                status,
            };
            if let Err(error) = writer.observe(scope, event).await {
                tracing::warn!(%flow_log_id, %error, "the status of a delivery was not noted");
            }
        });
    })
}

fn destination(destination: &LogDestination) -> String {
    match destination {
        LogDestination::CloudWatchLogs { log_group_name, .. } => {
            format!("log group {log_group_name}")
        }
        LogDestination::S3 { arn, .. } | LogDestination::Firehose { arn, .. } => arn.clone(),
    }
}
