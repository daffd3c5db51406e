//! A window: the flows of one interface between two times, first open and then closed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dataplane::{Disposition, FlowKey, FlowSample, InterfaceMetadata, interface_metadata};
use model::{AggregationInterval, FlowLogId, Timestamp, World};

use crate::{Flow, FlowRecord, Observed, Subscription};

/// What an interface saw in a window, or that it saw nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    pub records: Vec<FlowRecord>,
    /// The flow logs that are told that there was nothing.
    no_data: BTreeSet<FlowLogId>,
    /// The flow logs that are told that records have been lost.
    skip_data: BTreeSet<FlowLogId>,
    /// Whether samples were lost before they came into the window.
    skipped: bool,
}

impl ClosedWindow {
    /// What whoever asks for everything gets, without a flow log: the records, and SKIPDATA where some are lost.
    pub fn exported(&self) -> impl Iterator<Item = FlowRecord> {
        let skipped = self.skipped.then(|| FlowRecord {
            interface: Arc::clone(&self.interface),
            start: self.start,
            end: self.end,
            observed: Observed::SkipData,
        });
        self.records.iter().cloned().chain(skipped)
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
            records: Vec::new(),
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
        let traffic_type = subscription.traffic_type;
        self.records
            .iter()
            .filter(move |r| r.is_kept_by(traffic_type))
            .cloned()
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
    flows: BTreeMap<FlowKey, Counts>,
    pub(crate) skipped: bool,
    pub(crate) skipped_for: BTreeSet<FlowLogId>,
    /// The flow logs that have had a record of this interface: only they get NODATA.
    pub(crate) recorded: BTreeSet<FlowLogId>,
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
    next_hop: Option<Arc<InterfaceMetadata>>,
    disposition: Disposition,
}

impl Window {
    pub(crate) fn new(
        interface: &Arc<InterfaceMetadata>,
        subscriptions: Vec<Arc<Subscription>>,
        start: Timestamp,
        interval: AggregationInterval,
    ) -> Self {
        let length = Duration::from_secs(u64::from(interval.as_secs()));
        Self {
            interface: Arc::clone(interface),
            subscriptions,
            start,
            end: start + length,
            interval,
            flows: BTreeMap::new(),
            skipped: false,
            skipped_for: BTreeSet::new(),
            recorded: BTreeSet::new(),
        }
    }

    /// The flows so far, as records.
    pub(crate) fn records(&self) -> impl Iterator<Item = FlowRecord> {
        let (start, end) = (self.start, self.end);
        self.flows.iter().map(move |(k, c)| c.record(k, start, end))
    }

    /// What it has counted, as if it ended now.
    pub(crate) fn so_far(&self) -> ClosedWindow {
        ClosedWindow {
            interface: Arc::clone(&self.interface),
            start: self.start,
            end: self.end,
            interval: self.interval,
            subscriptions: self.subscriptions.clone(),
            records: self.records().collect(),
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
            next_hop: sample.next_hop.clone(),
            disposition: sample.disposition.clone(),
        };
        self.flows.insert(sample.key.clone(), counts);
        1
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
        let skipped = std::mem::take(&mut self.skipped);
        self.skipped_for.clear();
        if records.is_empty() && no_data.is_empty() && skip_data.is_empty() && !skipped {
            return None;
        }
        Some(ClosedWindow {
            interface: Arc::clone(&self.interface),
            start,
            end,
            interval: self.interval,
            subscriptions: self.subscriptions.clone(),
            records,
            no_data,
            skip_data,
            skipped,
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
        if let Some(next_hop) = &sample.next_hop {
            self.next_hop = Some(Arc::clone(next_hop));
        }
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
                next_hop: self.next_hop.clone(),
                disposition: self.disposition.clone(),
            }),
        }
    }
}
