//! Aggregation: what interfaces saw, gathered into windows (Amazon VPC User Guide, "Flow logs
//! basics").
//!
//! Windows of one length share one grid, which begins at the first packet recorded, so that all
//! interfaces close together. A window is cut short, and the next begins at the cut, when a flow
//! log is created or deleted (each gets the traffic of its own life only) and on request.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dataplane::{Disposition, FlowKey, FlowSample, InterfaceMetadata};
use model::{AggregationInterval, FlowLogId, NetworkInterfaceId, Scope, Timestamp};

use crate::{Aggregation, Batch, Coverage, Flow, FlowRecord, Observed, Subscription};

/// After a longer pause than this (a suspended machine) idle windows are not reported one by one.
const PAUSE_MAX: Duration = Duration::from_secs(3600);

type WindowKey = (Scope, NetworkInterfaceId, AggregationInterval);

/// Gathers samples into windows, and windows into records.
///
/// The caller harvests the data plane and passes every sample to [`observe`](Self::observe) before
/// it calls [`set_coverage`](Self::set_coverage) or closes windows, so that packets are counted
/// where they belong. A sample that comes late is counted all the same, in the window that is open.
#[derive(Clone, Debug)]
pub struct Aggregator {
    aggregation: Aggregation,
    flows_max: usize,
    /// Flows in `windows` and `closed`.
    flows: usize,
    coverage: Coverage,
    anchors: BTreeMap<AggregationInterval, Timestamp>,
    windows: BTreeMap<WindowKey, Window>,
    /// Closed by a sample or a new coverage, to be handed out with the next ones.
    closed: Vec<ClosedWindow>,
}

/// What an interface saw in a window, or that it saw nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedWindow {
    /// Whose window.
    pub interface: Arc<InterfaceMetadata>,
    /// Its begin.
    pub start: Timestamp,
    /// Its end.
    pub end: Timestamp,
    /// The flow logs that cover the interface.
    pub subscriptions: Vec<Arc<Subscription>>,
    /// What was seen, whatever the traffic type of flow logs.
    pub records: Vec<FlowRecord>,
    /// The flow logs that are told that there was nothing.
    no_data: BTreeSet<FlowLogId>,
    /// The flow logs that are told that records have been lost.
    skip_data: BTreeSet<FlowLogId>,
}

impl ClosedWindow {
    /// The records that one of the flow logs keeps, with those that say NODATA or SKIPDATA.
    pub fn records_of(&self, subscription: &Subscription) -> impl Iterator<Item = FlowRecord> {
        let status = |observed| FlowRecord {
            interface: Arc::clone(&self.interface),
            start: self.start,
            end: self.end,
            observed,
        };
        let id = subscription.flow_log_id;
        let no_data = self.no_data.contains(&id);
        let skip_data = self.skip_data.contains(&id);
        let traffic_type = subscription.traffic_type;
        self.records
            .iter()
            .filter(move |r| r.is_kept_by(traffic_type))
            .cloned()
            .chain(no_data.then(|| status(Observed::NoData)))
            .chain(skip_data.then(|| status(Observed::SkipData)))
    }
}

impl Aggregator {
    /// Keeps at most `flows_max` flows in memory; what does not fit becomes SKIPDATA.
    pub fn new(aggregation: Aggregation, flows_max: usize) -> Self {
        Self {
            aggregation,
            flows_max,
            flows: 0,
            coverage: Coverage::default(),
            anchors: BTreeMap::new(),
            windows: BTreeMap::new(),
            closed: Vec::new(),
        }
    }

    /// Takes up new flow logs, drops deleted ones, and learns which interfaces are attached.
    pub fn set_coverage(&mut self, coverage: Coverage, now: Timestamp) {
        if coverage == self.coverage {
            return;
        }
        self.advance_all(now);
        self.coverage = coverage;
        for (key, window) in &mut self.windows {
            // The last samples of a deleted interface are still on their way.
            if self.coverage.is_attached(&window.interface).is_none() {
                continue;
            }
            let subscriptions =
                covering(&self.coverage, self.aggregation, &window.interface, key.2);
            if subscriptions == window.subscriptions {
                continue;
            }
            self.closed.extend(window.cut(now));
            let ids: BTreeSet<_> = subscriptions.iter().map(|s| s.flow_log_id).collect();
            window.recorded.retain(|id| ids.contains(id));
            window.subscriptions = subscriptions;
        }
        self.windows.retain(|_, w| !w.subscriptions.is_empty());
    }

    /// What is recorded for whom.
    pub const fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// Counts what an interface saw.
    pub fn observe(&mut self, sample: &FlowSample) {
        for &interval in intervals(self.aggregation) {
            let Some(key) = self.open(&sample.interface, interval, sample.first) else {
                continue;
            };
            let full = self.flows >= self.flows_max;
            if let Some(window) = self.windows.get_mut(&key) {
                self.flows += window.count(sample, full);
            }
        }
    }

    /// Notes that samples of an interface have been lost before they came here: its flow logs get
    /// a SKIPDATA record when the window closes.
    pub fn mark_skipped(&mut self, interface: &Arc<InterfaceMetadata>, at: Timestamp) {
        for &interval in intervals(self.aggregation) {
            let Some(key) = self.open(interface, interval, at) else {
                continue;
            };
            if let Some(window) = self.windows.get_mut(&key) {
                window.skipped = true;
            }
        }
    }

    /// Notes that a batch has been lost after it left: its flow log gets SKIPDATA records for the
    /// interfaces in it when their windows close.
    pub fn mark_lost(&mut self, batch: &Batch) {
        let interfaces: BTreeSet<_> = batch.lines.iter().map(|l| l.interface_id).collect();
        for interface_id in interfaces {
            for &interval in intervals(self.aggregation) {
                let key = (batch.scope, interface_id, interval);
                if let Some(window) = self.windows.get_mut(&key) {
                    window.skipped_for.insert(batch.flow_log_id);
                }
            }
        }
    }

    /// Closes the windows that end at or before `now`.
    pub fn close_due(&mut self, now: Timestamp) -> Vec<ClosedWindow> {
        self.advance_all(now);
        let coverage = &self.coverage;
        self.windows.retain(|_, window| {
            !window.is_idle() || coverage.is_attached(&window.interface).is_some()
        });
        self.take_closed()
    }

    /// Closes, besides the windows that are due, all in which something was seen.
    pub fn close_all(&mut self, now: Timestamp) -> Vec<ClosedWindow> {
        let mut closed = self.close_due(now);
        for window in self.windows.values_mut() {
            self.closed.extend(window.cut(now));
        }
        closed.append(&mut self.take_closed());
        closed
    }

    /// When the next window ends.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.windows.values().map(|w| w.end).min()
    }

    /// The flows of open windows, as they stand.
    pub fn open_records(&self) -> impl Iterator<Item = FlowRecord> {
        self.windows
            .values()
            .flat_map(|w| w.flows.iter().map(|(k, c)| c.record(k, w.start, w.end)))
    }

    /// How many flows are held in memory.
    pub const fn flows(&self) -> usize {
        self.flows
    }

    /// Makes sure that the interface's window holds `at`, if any flow log covers the interface.
    fn open(
        &mut self,
        interface: &Arc<InterfaceMetadata>,
        interval: AggregationInterval,
        at: Timestamp,
    ) -> Option<WindowKey> {
        let key = (interface.scope, interface.interface_id, interval);
        if self.windows.contains_key(&key) {
            self.advance(key, at);
            return Some(key);
        }
        let subscriptions = covering(&self.coverage, self.aggregation, interface, interval);
        if subscriptions.is_empty() {
            return None;
        }
        let anchor = self
            .anchors
            .entry(interval)
            .or_insert_with(|| Timestamp::from_secs(at.as_secs()));
        let start = grid_start(*anchor, interval, at);
        let window = Window {
            interface: Arc::clone(interface),
            subscriptions,
            start,
            end: start + length(interval),
            flows: BTreeMap::new(),
            skipped: false,
            skipped_for: BTreeSet::new(),
            recorded: BTreeSet::new(),
        };
        self.windows.insert(key, window);
        Some(key)
    }

    fn advance_all(&mut self, to: Timestamp) {
        let due = self.windows.iter().filter(|(_, w)| w.end <= to);
        let due: Vec<_> = due.map(|(k, _)| *k).collect();
        for key in due {
            self.advance(key, to);
        }
    }

    /// Closes the interface's windows up to the one that holds `to`.
    fn advance(&mut self, key: WindowKey, to: Timestamp) {
        let Some(window) = self.windows.get_mut(&key) else {
            return;
        };
        let attached = self.coverage.is_attached(&window.interface) == Some(true);
        while window.end <= to {
            let end = window.end;
            self.closed.extend(window.close(end, attached));
            window.start = end;
            window.end = end + length(key.2);
            if to.since(window.end) > PAUSE_MAX {
                let anchor = self.anchors.get(&key.2).copied().unwrap_or(end);
                window.start = grid_start(anchor, key.2, to);
                window.end = window.start + length(key.2);
            }
        }
    }

    fn take_closed(&mut self) -> Vec<ClosedWindow> {
        let closed = std::mem::take(&mut self.closed);
        self.flows -= closed.iter().map(|w| w.records.len()).sum::<usize>();
        closed
    }
}

/// An interface's open window.
#[derive(Clone, Debug)]
struct Window {
    interface: Arc<InterfaceMetadata>,
    subscriptions: Vec<Arc<Subscription>>,
    start: Timestamp,
    end: Timestamp,
    flows: BTreeMap<FlowKey, Counts>,
    skipped: bool,
    skipped_for: BTreeSet<FlowLogId>,
    /// The flow logs that have had a record of this interface: only they get NODATA.
    recorded: BTreeSet<FlowLogId>,
}

/// A flow so far.
#[derive(Clone, Debug)]
struct Counts {
    interface: Arc<InterfaceMetadata>,
    packets: u64,
    bytes: u64,
    tcp_flags: u8,
    first: Timestamp,
    last: Timestamp,
    traffic_path: Option<u8>,
    disposition: Disposition,
}

impl Window {
    fn is_idle(&self) -> bool {
        self.flows.is_empty() && !self.skipped && self.skipped_for.is_empty()
    }

    /// Adds a sample; returns by how many the flows have grown.
    fn count(&mut self, sample: &FlowSample, full: bool) -> usize {
        if !Arc::ptr_eq(&self.interface, &sample.interface) {
            self.interface = Arc::clone(&sample.interface);
        }
        if let Some(counts) = self.flows.get_mut(&sample.key) {
            counts.add(sample);
            return 0;
        }
        if full {
            self.skipped = true;
            return 0;
        }
        let counts = Counts {
            interface: Arc::clone(&sample.interface),
            packets: sample.packets,
            bytes: sample.bytes,
            tcp_flags: sample.tcp_flags,
            first: sample.first,
            last: sample.last,
            traffic_path: sample.traffic_path,
            disposition: sample.disposition.clone(),
        };
        self.flows.insert(sample.key.clone(), counts);
        1
    }

    /// Closes at `now` if anything was seen; the next window lasts to the end of this one.
    fn cut(&mut self, now: Timestamp) -> Option<ClosedWindow> {
        if self.is_idle() {
            return None;
        }
        let at = now.clamp(self.start, self.end);
        let closed = self.close(at, false);
        self.start = at;
        closed
    }

    fn close(&mut self, end: Timestamp, attached: bool) -> Option<ClosedWindow> {
        let start = self.start;
        let flows = std::mem::take(&mut self.flows);
        let mut records: Vec<_> = flows.iter().map(|(k, c)| c.record(k, start, end)).collect();
        records.sort_by_key(|r| r.start);
        let ids = || self.subscriptions.iter().map(|s| s.flow_log_id);
        let skip_data: BTreeSet<_> = ids()
            .filter(|id| self.skipped || self.skipped_for.contains(id))
            .collect();
        let idle = records.is_empty() && !self.skipped && attached;
        let no_data: BTreeSet<_> = ids()
            .filter(|id| idle && self.recorded.contains(id) && !skip_data.contains(id))
            .collect();
        for subscription in &self.subscriptions {
            if records
                .iter()
                .any(|r| r.is_kept_by(subscription.traffic_type))
            {
                self.recorded.insert(subscription.flow_log_id);
            }
        }
        self.skipped = false;
        self.skipped_for.clear();
        if records.is_empty() && no_data.is_empty() && skip_data.is_empty() {
            return None;
        }
        Some(ClosedWindow {
            interface: Arc::clone(&self.interface),
            start,
            end,
            subscriptions: self.subscriptions.clone(),
            records,
            no_data,
            skip_data,
        })
    }
}

impl Counts {
    fn add(&mut self, sample: &FlowSample) {
        self.packets = self.packets.saturating_add(sample.packets);
        self.bytes = self.bytes.saturating_add(sample.bytes);
        self.tcp_flags |= sample.tcp_flags;
        self.first = self.first.min(sample.first);
        self.last = self.last.max(sample.last);
        self.traffic_path = sample.traffic_path.or(self.traffic_path);
        if self.disposition != sample.disposition {
            self.disposition = sample.disposition.clone();
        }
    }

    fn record(&self, key: &FlowKey, start: Timestamp, end: Timestamp) -> FlowRecord {
        let first = self.first.clamp(start, end);
        FlowRecord {
            interface: Arc::clone(&self.interface),
            start: first,
            end: self.last.clamp(first, end),
            observed: Observed::Flow(Flow {
                key: key.clone(),
                packets: self.packets,
                bytes: self.bytes,
                tcp_flags: self.tcp_flags,
                traffic_path: self.traffic_path,
                why: self.disposition.to_string(),
            }),
        }
    }
}

/// The flow logs that cover an interface with windows of this length.
fn covering(
    coverage: &Coverage,
    aggregation: Aggregation,
    interface: &InterfaceMetadata,
    interval: AggregationInterval,
) -> Vec<Arc<Subscription>> {
    let mut subscriptions = coverage.of(interface);
    if aggregation == Aggregation::AsRequested {
        subscriptions.retain(|s| s.interval == interval);
    }
    subscriptions
}

const fn intervals(aggregation: Aggregation) -> &'static [AggregationInterval] {
    match aggregation {
        Aggregation::Nitro => &[AggregationInterval::OneMinute],
        Aggregation::AsRequested => &[
            AggregationInterval::OneMinute,
            AggregationInterval::TenMinutes,
        ],
    }
}

fn length(interval: AggregationInterval) -> Duration {
    Duration::from_secs(u64::from(interval.as_secs()))
}

fn grid_start(anchor: Timestamp, interval: AggregationInterval, at: Timestamp) -> Timestamp {
    let elapsed = at.since(anchor).as_secs();
    let length = u64::from(interval.as_secs());
    anchor + Duration::from_secs(elapsed / length * length)
}
