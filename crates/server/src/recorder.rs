//! From what interfaces see to what flow logs deliver: harvest, windows, records, spool.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use control::Event;
use dataplane::FlowSample;
use delivery::{Delivery, DeliveryConfig, DeliveryReport, Destinations, Spool};
use flow_logs::{
    Aggregator, ClosedWindow, FlowRecord, LogFormat, ServiceRanges, batches, coverage_with,
};
use model::{AggregationInterval, LogDestination, World};
use tokio::sync::Mutex;

use crate::clock;
use crate::config::Config;
use crate::datapath::{Datapath, Harvest};
use crate::export::Exports;
use crate::feed::Feed;
use crate::flow_history::{BYTES_MAX, FlowHistory};
use crate::ops::{FlowLogLine, FlowLogStatuses, FlushReport};
use crate::writer::Writer;

/// How often the data plane is asked what it has seen.
const PERIOD: Duration = Duration::from_secs(1);
/// How often while somebody follows what is seen.
const LIVE_PERIOD: Duration = Duration::from_millis(250);
/// Flows that open windows may hold; more are reported as SKIPDATA.
const FLOWS_MAX: usize = 1 << 20;
/// Bytes of records that may wait for their destinations.
const SPOOL_BYTES_MAX: u64 = 4 << 30;

/// Records flows.
pub(crate) struct Recorder {
    /// Records of closed windows.
    pub(crate) records: Feed<FlowRecord>,
    /// What is seen right now.
    pub(crate) live: Feed<FlowSample>,
    history: Arc<FlowHistory>,
    exports: Exports,
    windows: Mutex<Windows>,
    datapath: Arc<Datapath>,
    writer: Writer,
    delivery: Delivery,
}

struct Windows {
    /// For the service fields of records.
    services: Arc<ServiceRanges>,
    aggregator: Aggregator,
    /// The world whose flow logs the aggregator knows.
    world: Option<Arc<World>>,
}

impl Recorder {
    /// Starts to deliver what an earlier daemon has spooled. Must be called inside the runtime.
    ///
    /// # Errors
    ///
    /// If the spool cannot be opened, or the file of address ranges cannot be used.
    pub(crate) fn start(
        config: &Config,
        writer: Writer,
        datapath: Arc<Datapath>,
        destinations: Destinations,
        state: &Path,
    ) -> anyhow::Result<Arc<Self>> {
        let services = service_ranges(config.ip_ranges.as_deref())?;
        let format = LogFormat::default().with_services(services.clone());
        let exports = Exports::start(&config.exports, &format)?;
        let mut aggregator = Aggregator::new(config.aggregation, FLOWS_MAX);
        if !exports.is_empty() {
            aggregator = aggregator.recording_everything();
        }
        let history = FlowHistory::open(&state.join("flows"), BYTES_MAX)
            .context("the history of flows cannot be opened")?;
        let spool = Spool::open(state.join("spool"), SPOOL_BYTES_MAX)?;
        let delivery = Delivery::start(
            DeliveryConfig::default(),
            spool,
            Arc::new(destinations),
            Arc::new(clock::now),
            report_to(writer.clone()),
        );
        Ok(Arc::new(Self {
            records: Feed::default(),
            live: Feed::default(),
            history: Arc::new(history),
            exports,
            windows: Mutex::new(Windows {
                services,
                aggregator,
                world: None,
            }),
            datapath,
            writer,
            delivery,
        }))
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
        let mut windows = self.windows.lock().await;
        self.take_in(&mut windows).await;
        let closed = windows.aggregator.close_due(clock::now());
        self.deliver(&mut windows, closed).await;
    }

    /// Closes every window and waits until its records are delivered, or an attempt has failed.
    ///
    /// # Errors
    ///
    /// Never so far; a delivery that failed is in the report.
    pub(crate) async fn flush(&self) -> anyhow::Result<FlushReport> {
        let records = {
            let mut windows = self.windows.lock().await;
            self.take_in(&mut windows).await;
            let closed = windows.aggregator.close_all(clock::now());
            self.deliver(&mut windows, closed).await
        };
        self.delivery.flush().await;
        Ok(FlushReport {
            records,
            flow_logs: self.status().flow_logs,
        })
    }

    /// Puts what open windows hold on disk, as the daemon ends.
    pub(crate) async fn shut_down(self: &Arc<Self>) {
        let mut windows = self.windows.lock().await;
        self.take_in(&mut windows).await;
        let closed = windows.aggregator.close_all(clock::now());
        self.deliver(&mut windows, closed).await;
        let recorder = self.clone();
        // Waits for threads, for a while at most.
        let _ = tokio::task::spawn_blocking(move || recorder.exports.finish()).await;
    }

    /// The exports.
    pub(crate) fn exports(&self) -> &Exports {
        &self.exports
    }

    /// The records of the past.
    pub(crate) fn history(&self) -> &Arc<FlowHistory> {
        &self.history
    }

    /// How the deliveries stand.
    pub(crate) fn status(&self) -> FlowLogStatuses {
        let world = self.writer.world();
        let deliveries = self.delivery.snapshot();
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
                spooled_bytes: known.map_or(0, |d| d.waiting_bytes),
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
            self.live.push(&harvest.samples);
            if !harvest.more {
                break;
            }
            harvest = self.harvest(harvest.samples).await;
        }
        let now = clock::now();
        let known = windows.world.as_ref();
        if known.is_none_or(|known| !Arc::ptr_eq(known, &world)) {
            let coverage = coverage_with(&world, &windows.services);
            self.delivery.set_flow_logs(coverage.flow_log_ids());
            windows.aggregator.set_coverage(coverage, now);
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

    /// Spools the records of closed windows; tells how many there are.
    async fn deliver(&self, windows: &mut Windows, closed: Vec<ClosedWindow>) -> usize {
        if closed.is_empty() {
            return 0;
        }
        if !self.exports.is_empty() {
            // Each packet once: with windows of two lengths, those of a minute have them all.
            let windows = closed.iter();
            let windows = windows.filter(|w| w.interval == AggregationInterval::OneMinute);
            let exported: Vec<_> = windows.flat_map(ClosedWindow::exported).collect();
            self.exports.push(&exported);
        }
        let records = closed.iter().flat_map(|window| window.records.iter());
        let mut records: Vec<FlowRecord> = records.cloned().collect();
        let count = records.len();
        let (history, now) = (self.history.clone(), clock::now());
        let kept = tokio::task::spawn_blocking(move || {
            history.append(&records, now);
            records.sort_by_key(|record| record.start);
            records
        });
        // Written down first, so that whoever reads both misses nothing.
        self.records.push(&kept.await.unwrap_or_default());
        for refused in self.delivery.submit(batches(&closed)).await {
            windows.aggregator.mark_lost(&refused.batch);
        }
        count
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
