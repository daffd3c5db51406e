//! A window: the flows of one interface between two times, first open and then closed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use dataplane::{FlowSample, InterfaceMetadata, interface_metadata};
use foldhash::fast::FixedState;
use model::{AggregationInterval, FlowLogId, Timestamp, TrafficType, World};

use crate::flows::Flows;
use crate::{FlowRecord, Observed, Subscription};

/// What an interface saw in a window, or that it saw nothing.
#[derive(Clone, Debug)]
pub struct ClosedWindow {
    /// Whose window.
    pub interface: Arc<InterfaceMetadata>,
    /// Its begin.
    pub start: Timestamp,
    /// Its end.
    pub end: Timestamp,
    /// How long windows like it are.
    pub interval: AggregationInterval,
    /// The flow logs that cover the interface.
    pub subscriptions: Vec<Arc<Subscription>>,
    /// What was seen, whatever the traffic type of flow logs.
    flows: Flows,
    /// The flow logs that are told that there was nothing.
    no_data: BTreeSet<FlowLogId>,
    /// The flow logs that are told that records have been lost.
    skip_data: BTreeSet<FlowLogId>,
    /// Whether samples were lost before they came into the window.
    skipped: bool,
}

impl ClosedWindow {
    /// Records of what was seen, whatever the traffic type of flow logs, by their first packets. They are sorted and made
    /// here, and not before: closing a window takes no time.
    pub fn records(&self) -> impl Iterator<Item = FlowRecord> {
        self.kept_by(TrafficType::All)
    }

    /// How many records there are of what was seen.
    pub fn len(&self) -> usize {
        self.flows.len()
    }

    /// Whether nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }

    /// How many of the records a flow log of this traffic type keeps.
    pub fn count_kept_by(&self, traffic_type: TrafficType) -> usize {
        self.flows.kept_by(traffic_type)
    }

    fn kept_by(&self, traffic_type: TrafficType) -> impl Iterator<Item = FlowRecord> {
        self.flows.records((self.start, self.end), traffic_type)
    }

    /// What whoever asks for everything gets, without a flow log, besides the records: SKIPDATA if some are lost.
    pub fn skipped(&self) -> Option<FlowRecord> {
        self.skipped.then(|| FlowRecord {
            interface: Arc::clone(&self.interface),
            start: self.start,
            end: self.end,
            observed: Observed::SkipData,
        })
    }

    /// Has the lines that say NODATA or SKIPDATA tell of the interface what it is in a world, that of the window's end. They
    /// are of the window, and no packet that was seen; records of flows stay what they are. An interface that is gone is as
    /// it was.
    pub fn describe(&mut self, world: &World) {
        let (scope, recorder) = (self.interface.scope, self.interface.recorder);
        if self.no_data.is_empty() && self.skip_data.is_empty() && !self.skipped {
            return;
        }
        let now = world.region(&scope).and_then(|state| {
            let id = recorder.network_interface_id()?;
            interface_metadata(state, scope, state.network_interfaces.get(&id)?)
        });
        if let Some(now) = now
            && now != *self.interface
        {
            self.interface = Arc::new(now);
        }
    }

    /// A window of which all records have been lost.
    pub fn lost(
        interface: Arc<InterfaceMetadata>,
        subscriptions: Vec<Arc<Subscription>>,
        start: Timestamp,
        end: Timestamp,
    ) -> Self {
        Self {
            interface,
            start,
            end,
            interval: AggregationInterval::OneMinute,
            skip_data: subscriptions.iter().map(|s| s.flow_log_id).collect(),
            subscriptions,
            flows: Flows::new(FixedState::default()),
            no_data: BTreeSet::new(),
            skipped: true,
        }
    }

    /// The flow logs that get a SKIPDATA record.
    pub const fn skip_data(&self) -> &BTreeSet<FlowLogId> {
        &self.skip_data
    }

    /// The flow logs that get a NODATA record.
    pub const fn no_data(&self) -> &BTreeSet<FlowLogId> {
        &self.no_data
    }

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
        self.kept_by(subscription.traffic_type)
            .chain(no_data.then(|| status(Observed::NoData)))
            .chain(skip_data.then(|| status(Observed::SkipData)))
    }
}

/// An interface's open window.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) interface: Arc<InterfaceMetadata>,
    pub(crate) subscriptions: Vec<Arc<Subscription>>,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    interval: AggregationInterval,
    flows: Flows,
    pub(crate) skipped: bool,
    pub(crate) skipped_for: BTreeSet<FlowLogId>,
    /// The flow logs that have had a record of this interface: only they get NODATA.
    pub(crate) recorded: BTreeSet<FlowLogId>,
}

impl Window {
    pub(crate) fn new(
        interface: &Arc<InterfaceMetadata>,
        subscriptions: Vec<Arc<Subscription>>,
        start: Timestamp,
        interval: AggregationInterval,
        hasher: FixedState,
    ) -> Self {
        let length = Duration::from_secs(u64::from(interval.as_secs()));
        Self {
            interface: Arc::clone(interface),
            subscriptions,
            start,
            end: start + length,
            interval,
            flows: Flows::new(hasher),
            skipped: false,
            skipped_for: BTreeSet::new(),
            recorded: BTreeSet::new(),
        }
    }

    /// The flows so far, as records.
    pub(crate) fn records(&self) -> impl Iterator<Item = FlowRecord> {
        let times = (self.start, self.end);
        self.flows.records(times, TrafficType::All)
    }

    /// What it has counted, as if it ended now.
    pub(crate) fn so_far(&self) -> ClosedWindow {
        ClosedWindow {
            interface: Arc::clone(&self.interface),
            start: self.start,
            end: self.end,
            interval: self.interval,
            subscriptions: self.subscriptions.clone(),
            flows: self.flows.clone(),
            no_data: BTreeSet::new(),
            skip_data: BTreeSet::new(),
            skipped: false,
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.flows.is_empty() && !self.skipped && self.skipped_for.is_empty()
    }

    /// Adds a sample; returns by how many the flows have grown.
    pub(crate) fn count(&mut self, sample: &FlowSample, full: bool) -> usize {
        if !Arc::ptr_eq(&self.interface, &sample.interface) {
            self.interface = Arc::clone(&sample.interface);
        }
        let before = self.flows.len();
        let times = (self.start, self.end);
        self.skipped |= !self.flows.count(sample, times, full);
        self.flows.len() - before
    }

    /// Closes at `now` if anything was seen; the next window lasts to the end of this one.
    pub(crate) fn cut(&mut self, now: Timestamp) -> Option<ClosedWindow> {
        if self.is_idle() {
            return None;
        }
        let at = now.clamp(self.start, self.end);
        let closed = self.close(at, false);
        self.start = at;
        closed
    }

    pub(crate) fn close(&mut self, end: Timestamp, attached: bool) -> Option<ClosedWindow> {
        let start = self.start;
        let flows = self.flows.take();
        let ids = || self.subscriptions.iter().map(|s| s.flow_log_id);
        let skip_data: BTreeSet<_> = ids()
            .filter(|id| self.skipped || self.skipped_for.contains(id))
            .collect();
        let idle = flows.is_empty() && !self.skipped && attached;
        let no_data: BTreeSet<_> = ids()
            .filter(|id| idle && self.recorded.contains(id) && !skip_data.contains(id))
            .collect();
        for subscription in &self.subscriptions {
            if flows.kept_by(subscription.traffic_type) > 0 {
                self.recorded.insert(subscription.flow_log_id);
            }
        }
        let skipped = std::mem::take(&mut self.skipped);
        self.skipped_for.clear();
        if flows.is_empty() && no_data.is_empty() && skip_data.is_empty() && !skipped {
            return None;
        }
        Some(ClosedWindow {
            interface: Arc::clone(&self.interface),
            start,
            end,
            interval: self.interval,
            subscriptions: self.subscriptions.clone(),
            flows,
            no_data,
            skip_data,
            skipped,
        })
    }
}
