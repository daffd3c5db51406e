//! Aggregation: what interfaces saw, gathered into windows (Amazon VPC User Guide, "Flow logs
//! basics").
//!
//! Windows of one length share one grid, which begins at the first packet recorded, so that all
//! interfaces close together. A window is cut short, and the next begins at the cut, when a flow
//! log is created or deleted (each gets the traffic of its own life only) and on request.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dataplane::{FlowSample, InterfaceMetadata};
use foldhash::fast::FixedState;
use model::{AggregationInterval, FlowLogId, RecorderId, Scope, Timestamp};

use crate::window::Window;
use crate::{Aggregation, Batch, ClosedWindow, Coverage, FlowRecord, Subscription};

/// After a longer pause than this (a suspended machine) idle windows are not reported one by one.
const PAUSE_MAX: Duration = Duration::from_secs(3600);

type WindowKey = (Scope, RecorderId, AggregationInterval);

/// Gathers samples into windows, and windows into records.
///
/// The caller harvests the data plane and passes every sample to [`observe`](Self::observe) before
/// it calls [`set_coverage`](Self::set_coverage) or closes windows, so that packets are counted
/// where they belong. A sample that comes late is counted all the same, in the window that is open.
#[derive(Clone, Debug)]
pub struct Aggregator {
    aggregation: Aggregation,
    flows_max: usize,
    /// Whether interfaces are recorded that no flow log covers.
    everything: bool,
    /// Flows in `windows` and `closed`.
    flows: usize,
    changes: u64,
    coverage: Coverage,
    anchors: BTreeMap<AggregationInterval, Timestamp>,
    windows: BTreeMap<WindowKey, Window>,
    /// For the places of flows in tables.
    hasher: FixedState,
    /// Closed by a sample or a new coverage, to be handed out with the next ones.
    closed: Vec<ClosedWindow>,
}

impl Aggregator {
    /// Keeps at most `flows_max` flows in memory; what does not fit becomes SKIPDATA.
    pub fn new(aggregation: Aggregation, flows_max: usize) -> Self {
        Self {
            aggregation,
            flows_max,
            everything: false,
            flows: 0,
            changes: 0,
            coverage: Coverage::default(),
            anchors: BTreeMap::new(),
            windows: BTreeMap::new(),
            hasher: FixedState::default(),
            closed: Vec::new(),
        }
    }

    /// Makes the places in hash tables unpredictable for guests.
    #[must_use]
    pub fn with_hash_seed(mut self, seed: u64) -> Self {
        self.hasher = FixedState::with_seed(seed);
        self
    }

    /// Records every interface, in windows of a minute, whether a flow log covers it or not.
    #[must_use]
    pub fn recording_everything(mut self) -> Self {
        self.everything = true;
        self
    }

    /// Whether there is a window of this length without a flow log.
    fn is_wanted(&self, interval: AggregationInterval) -> bool {
        self.everything && interval == AggregationInterval::OneMinute
    }

    /// Takes up new flow logs, drops deleted ones, and learns which interfaces are attached.
    pub fn set_coverage(&mut self, coverage: Coverage, now: Timestamp) {
        if coverage == self.coverage {
            return;
        }
        self.advance_all(now);
        self.coverage = coverage;
        self.changes += 1;
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
        let everything = self.everything;
        self.windows.retain(|key, w| {
            !w.subscriptions.is_empty() || (everything && key.2 == AggregationInterval::OneMinute)
        });
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

    /// Notes that a batch, made of windows that have just been closed, has been lost: its flow log
    /// gets SKIPDATA records for the interfaces in it when their next windows close.
    pub fn mark_lost(&mut self, batch: &Batch, closed: &[ClosedWindow], at: Timestamp) {
        let lost: BTreeSet<_> = batch.lines.iter().map(|(line, _)| line.recorder).collect();
        for window in closed {
            let interface = &window.interface;
            if interface.scope == batch.scope && lost.contains(&interface.recorder) {
                self.mark_skipped_for(interface, batch.flow_log_id, at);
            }
        }
    }

    /// Notes that one flow log has lost records of an interface: it gets a SKIPDATA record when the
    /// window closes.
    pub fn mark_skipped_for(
        &mut self,
        interface: &Arc<InterfaceMetadata>,
        flow_log_id: FlowLogId,
        at: Timestamp,
    ) {
        for &interval in intervals(self.aggregation) {
            let key = self.open(interface, interval, at);
            if let Some(window) = key.and_then(|key| self.windows.get_mut(&key)) {
                let covers = |s: &Arc<Subscription>| s.flow_log_id == flow_log_id;
                if window.subscriptions.iter().any(covers) {
                    window.skipped_for.insert(flow_log_id);
                }
            }
        }
    }

    /// Closes the windows that end at or before `now`.
    pub fn close_due(&mut self, now: Timestamp) -> Vec<ClosedWindow> {
        self.advance_all(now);
        let (coverage, before) = (&self.coverage, self.windows.len());
        self.windows.retain(|_, window| {
            !window.is_idle() || coverage.is_attached(&window.interface).is_some()
        });
        self.changes += (before - self.windows.len()) as u64;
        self.take_closed()
    }

    /// Closes, besides the windows that are due, all in which something was seen.
    pub fn close_all(&mut self, now: Timestamp) -> Vec<ClosedWindow> {
        let mut closed = self.close_due(now);
        for window in self.windows.values_mut() {
            self.closed.extend(window.cut(now));
        }
        self.changes += 1;
        closed.append(&mut self.take_closed());
        closed
    }

    /// When the next window ends.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.windows.values().map(|w| w.end).min()
    }

    /// The flows of open windows, as they stand.
    pub fn open_records(&self) -> impl Iterator<Item = FlowRecord> {
        self.windows.values().flat_map(Window::records)
    }

    /// What open windows have counted so far, each as if it ended now.
    pub fn so_far(&self) -> impl Iterator<Item = ClosedWindow> {
        self.windows.values().map(Window::so_far)
    }

    /// Every open window as it is if nothing of it is ever delivered.
    pub fn lost(&self) -> impl Iterator<Item = ClosedWindow> {
        self.windows.values().map(|window| {
            let interface = Arc::clone(&window.interface);
            ClosedWindow::lost(
                interface,
                window.subscriptions.clone(),
                window.start,
                window.end,
            )
        })
    }

    /// Grows whenever a window is opened, closed or given to other flow logs.
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// How many windows are open.
    pub fn windows(&self) -> usize {
        self.windows.len()
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
        let key = (interface.scope, interface.recorder, interval);
        if self.windows.contains_key(&key) {
            self.advance(key, at);
            return Some(key);
        }
        let subscriptions = covering(&self.coverage, self.aggregation, interface, interval);
        if subscriptions.is_empty() && !self.is_wanted(interval) {
            return None;
        }
        let anchor = self
            .anchors
            .entry(interval)
            .or_insert_with(|| Timestamp::from_secs(at.as_secs()));
        let start = grid_start(*anchor, interval, at);
        let window = Window::new(
            interface,
            subscriptions,
            start,
            interval,
            self.hasher.clone(),
        );
        self.changes += 1;
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
            self.changes += 1;
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
        self.flows -= closed.iter().map(ClosedWindow::len).sum::<usize>();
        closed
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
