//! Packets of a capture on their way through the data plane, and windows by the capture's clock.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use capture::{Captured, Item, Problem};
use dataplane::{
    Action, Dataplane, DropReason, FlowSample, Ingress, Limits, Offload, PortId, Ports, Vantage,
    Verdict,
};
use flow_logs::{
    Aggregation, Aggregator, ClosedWindow, FlowRecord, FormatError, LogFormat, Subscription,
    coverage,
};
use model::{
    AggregationInterval, DeliveryStatus, FileFormat, FlowLog, FlowLogId, FlowLogResource,
    LogDestination, NetworkInterfaceId, Tags, Timestamp, TrafficType, World,
};
use packet::Mac;

use crate::frame::{self, FRAME_MAX, Found, Unusable};
use crate::summary::Summary;

/// Frames that are decided on together.
const BURST: usize = 32;
/// Flows that are harvested at once.
const HARVEST: usize = 1024;
/// Samples of flows that the data plane has forgotten: when there are more, they are taken from it.
const WAITING_MAX: usize = 4096;
/// The longest packet of a VPC.
const MTU: usize = 9001;

/// How to replay.
#[derive(Clone, Debug)]
pub struct Options {
    /// The interface at which the packets were captured.
    pub interface: NetworkInterfaceId,
    /// Fields of the records, as of CreateFlowLogs.
    pub log_format: String,
    /// Which records to keep.
    pub traffic_type: TrafficType,
    /// How long windows are.
    pub interval: AggregationInterval,
    /// Flows that an open window may hold; what does not fit becomes SKIPDATA.
    pub flows_max: usize,
    /// Connections that the interface may track.
    pub connections_max: u32,
}

/// Why a capture cannot be replayed so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The format of records is none.
    #[error("{0}")]
    Format(#[from] FormatError),
    /// No such interface.
    #[error("the network interface '{0}' does not exist")]
    NoInterface(NetworkInterfaceId),
    /// A NAT gateway's, a load balancer's or an endpoint's.
    #[error("'{0}' is a service's interface; captures are replayed at interfaces of instances")]
    ServicesInterface(NetworkInterfaceId),
}

/// A capture on its way through the data plane.
pub struct Replay {
    dataplane: Dataplane,
    at: Vantage,
    aggregator: Aggregator,
    subscription: Arc<Subscription>,
    burst: Vec<Slot>,
    used: usize,
    samples: Vec<FlowSample>,
    closed: Vec<ClosedWindow>,
    /// The latest time that the capture has told.
    now: Timestamp,
    /// When flows have to be harvested next.
    due: Timestamp,
    swept: Timestamp,
    /// For each interface of the capture: is it another network interface's?
    foreign: Vec<Option<bool>>,
    /// The other side's address in the last frame, and as who it was taken.
    neighbour: (Mac, Mac),
    name: String,
    summary: Summary,
}

struct Slot {
    from: PortId,
    len: usize,
    frame: Box<[u8]>,
}

impl Replay {
    /// A replay that has seen no packet.
    ///
    /// # Errors
    ///
    /// If the interface is not there, or the format is none.
    pub fn new(world: &World, options: &Options) -> Result<Self, Error> {
        let id = options.interface;
        LogFormat::parse(&options.log_format)?;
        let world = with_one_flow_log(world, options).ok_or(Error::NoInterface(id))?;
        let mut ports = Ports::new();
        let snapshot = dataplane::compile(&world, &mut ports, dataplane::Options::default());
        let limits = Limits {
            connections_per_interface: options.connections_max,
            ..Limits::default()
        };
        let mut dataplane = Dataplane::new(Arc::new(snapshot), limits);
        let at = dataplane.stand_at(id).ok_or(Error::ServicesInterface(id))?;
        let router_mac = at.router_mac;
        let mut aggregator = Aggregator::new(Aggregation::AsRequested, options.flows_max);
        let coverage = coverage(&world);
        let subscription = coverage.of(&at.metadata).into_iter().next();
        let subscription = subscription.ok_or(Error::NoInterface(id))?;
        aggregator.set_coverage(coverage, Timestamp::default());
        let slot = || Slot {
            from: PortId::WIRE,
            len: 0,
            frame: vec![0; FRAME_MAX].into_boxed_slice(),
        };
        Ok(Self {
            dataplane,
            at,
            aggregator,
            subscription,
            burst: std::iter::repeat_with(slot).take(BURST).collect(),
            used: 0,
            samples: Vec::new(),
            closed: Vec::new(),
            now: Timestamp::default(),
            due: Timestamp::default(),
            swept: Timestamp::default(),
            foreign: Vec::new(),
            neighbour: (router_mac, router_mac),
            name: id.to_string(),
            summary: Summary::default(),
        })
    }

    /// The flow log whose records they are.
    pub fn subscription(&self) -> &Arc<Subscription> {
        &self.subscription
    }

    /// Takes what the capture has next. Answers what could not be read, to be told.
    pub fn take(&mut self, item: Item<'_>) -> Option<Problem> {
        match item {
            Item::Packet(packet) => {
                self.packet(&packet);
                None
            }
            Item::Problem(problem) => {
                // Its packet, if it was one, is in the file all the same.
                self.summary.skip(kind_of(&problem), problem.place);
                Some(problem)
            }
            Item::Statistics(capture::Statistics {
                interface_index,
                dropped,
                ..
            }) => {
                let lost = dropped.unwrap_or(0);
                self.summary.lost.insert(interface_index, lost);
                None
            }
        }
    }

    /// Whether windows have closed since they were last taken.
    pub fn has_closed(&self) -> bool {
        !self.closed.is_empty()
    }

    /// Writes lines of records, each with a newline, until there is so much text; tells whether there may be more.
    pub fn text(
        &self,
        records: &mut impl Iterator<Item = FlowRecord>,
        bytes: usize,
        into: &mut String,
    ) -> bool {
        while into.len() < bytes {
            let Some(record) = records.next() else {
                return false;
            };
            record.render_into(&self.subscription.format, into);
            into.push('\n');
        }
        true
    }

    /// The windows that have closed since the last call.
    pub fn take_closed(&mut self) -> Vec<ClosedWindow> {
        std::mem::take(&mut self.closed)
    }

    /// The capture is over: closes the last windows.
    pub fn finish(&mut self) {
        self.flush();
        self.harvest();
        let closed = self.aggregator.close_all(self.now);
        self.keep(closed);
        self.summary.unrecorded = unrecorded(&self.dataplane, self.summary.not_recorded());
    }

    /// What has become of the capture so far.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// How many flows the data plane and the open windows hold.
    pub fn flows(&self) -> (usize, usize) {
        (self.dataplane.flows(), self.aggregator.flows())
    }

    fn packet(&mut self, packet: &Captured<'_>) {
        self.summary.packets += 1;
        if self.is_foreign(packet) {
            let why = "captured on another interface".to_owned();
            return self.summary.skip(why, packet.place);
        }
        let found = capture::ip_in(packet.interface.link, packet.bytes);
        let ip = match found {
            Ok(ip) => ip,
            Err(not_ip) => return self.summary.skip(not_ip.to_string(), packet.place),
        };
        let found = match frame::find(packet, &ip) {
            Ok(found) => found,
            Err(Unusable::Cut) => {
                let why = capture::NotIp::Cut.to_string();
                return self.summary.skip(why, packet.place);
            }
            Err(Unusable::Malformed) => {
                return self.summary.skip("malformed".to_owned(), packet.place);
            }
        };
        let Some(sent) = self.is_sent(packet, &ip, found.src, found.dst) else {
            let why = "neither from nor to the interface".to_owned();
            return self.summary.skip(why, packet.place);
        };
        if found.unsegmented || found.len > MTU {
            let what = "longer than the VPC's MTU, counted as one packet";
            self.summary.note(what, packet.place);
        }
        self.tell_time(packet);
        self.push(sent, &ip, &found);
    }

    /// Whether the capture names another network interface as the place.
    #[inline]
    fn is_foreign(&mut self, packet: &Captured<'_>) -> bool {
        let index = packet.interface_index;
        if let Some(Some(known)) = self.foreign.get(index) {
            return *known;
        }
        if self.foreign.len() <= index {
            self.foreign.resize(index + 1, None);
        }
        let name = packet.interface.name.as_deref().unwrap_or_default();
        let foreign = name.starts_with("eni-") && name != self.name;
        self.foreign[index] = Some(foreign);
        foreign
    }

    /// Whether the interface sent the packet (`true`) or got it: by its MAC address, else by its addresses, else as the
    /// capture says, if the interface forwards for others.
    #[inline]
    fn is_sent(
        &self,
        packet: &Captured<'_>,
        ip: &capture::Ip<'_>,
        src: IpAddr,
        dst: IpAddr,
    ) -> Option<bool> {
        if let Some((to, from)) = ip.macs {
            if from == self.at.mac.0 {
                return Some(true);
            }
            if to == self.at.mac.0 {
                return Some(false);
            }
        }
        let owns = |address| self.at.addresses.contains(&address);
        match (owns(src), owns(dst)) {
            (true, false) => Some(true),
            (false, true) => Some(false),
            (true, true) => None,
            (false, false) if self.at.checks_addresses => None,
            (false, false) => packet.sent.or(ip.sent),
        }
    }

    /// Moves the clock to the packet's time, and closes the windows that end by then.
    fn tell_time(&mut self, packet: &Captured<'_>) {
        let Some(time_ns) = packet.time_ns else {
            let what = "without a time, counted at the last one";
            return self.summary.note(what, packet.place);
        };
        let at = Timestamp::from_micros(time_ns / 1_000);
        if at < self.now {
            let what = "earlier than the packet before, counted in the window that is open";
            if at.as_secs() != self.now.as_secs() {
                self.flush();
            }
            self.summary.note(what, packet.place);
            return;
        }
        // Records tell seconds: packets of one second may be decided on together.
        if at.as_secs() != self.now.as_secs() {
            self.flush();
        }
        if at >= self.due {
            self.flush();
            self.harvest();
            let closed = self.aggregator.close_due(at);
            self.keep(closed);
            self.sweep(at, true);
            let soon = Timestamp::from_secs(at.as_secs()) + Duration::from_secs(1);
            self.due = self.aggregator.next_due().unwrap_or(soon);
        }
        self.now = at;
    }

    /// Puts the packet into the burst, addressed as it was at the interface.
    #[inline]
    fn push(&mut self, sent: bool, ip: &capture::Ip<'_>, found: &Found<'_>) {
        let router = self.at.router_mac;
        let own = self.at.mac;
        let (neighbour, at) = (&mut self.neighbour, &self.at);
        let mut other = |mac: [u8; 6]| {
            let mac = Mac(mac);
            if neighbour.0 != mac {
                let known = mac == router || mac.is_multicast() || at.is_neighbour(mac);
                *neighbour = (mac, if known { mac } else { router });
            }
            neighbour.1
        };
        let (from, dst_mac, src_mac) = match (sent, ip.macs) {
            (true, Some((to, _))) => (self.at.port, other(to), own),
            (true, None) => (self.at.port, router, own),
            (false, Some((_, by))) => (PortId::WIRE, own, other(by)),
            (false, None) => (PortId::WIRE, own, router),
        };
        if let Some(slot) = self.burst.get_mut(self.used) {
            slot.from = from;
            slot.len = frame::write(&mut slot.frame, dst_mac, src_mac, found);
            self.used += 1;
            self.summary.replayed += 1;
        }
        if self.used == BURST {
            self.flush();
        }
    }

    /// Has the data plane decide on the burst.
    fn flush(&mut self) {
        let used = std::mem::take(&mut self.used);
        if used == 0 {
            return;
        }
        let slots = self.burst.get_mut(..used).unwrap_or_default();
        let mut malformed = 0;
        self.dataplane.forward_burst(
            slots,
            self.now,
            |slot| Ingress {
                from: slot.from,
                bytes: slot.frame.get_mut(..slot.len).unwrap_or_default(),
                offload: Offload::default(),
            },
            |_, verdict, _| {
                malformed += u64::from(verdict == Verdict::Drop(DropReason::Malformed));
            },
        );
        self.sweep(self.now, false);
        if self.dataplane.waiting() > WAITING_MAX {
            self.harvest_with(Dataplane::harvest_waiting);
        }
    }

    /// Lets go of what has been idle, as often as a daemon does; of all of it at the end of a window.
    fn sweep(&mut self, now: Timestamp, all: bool) {
        const PERIOD: Duration = Duration::from_millis(250);
        if !all && now.since(self.swept) < PERIOD {
            return;
        }
        self.swept = now;
        let rounds = if all {
            1 + self.dataplane.flows() / 2048
        } else {
            1
        };
        for _ in 0..rounds {
            self.dataplane.sweep(now);
        }
    }

    fn harvest(&mut self) {
        self.harvest_with(Dataplane::harvest);
    }

    fn harvest_with(&mut self, take: fn(&mut Dataplane, usize, &mut Vec<FlowSample>) -> bool) {
        loop {
            self.samples.clear();
            let more = take(&mut self.dataplane, HARVEST, &mut self.samples);
            for sample in &self.samples {
                if Arc::ptr_eq(&sample.interface, &self.at.metadata) {
                    let sum = match sample.key.action {
                        Action::Accept => &mut self.summary.accepted,
                        Action::Reject => &mut self.summary.rejected,
                    };
                    sum.0 += sample.packets;
                    sum.1 += sample.bytes;
                    self.aggregator.observe(sample);
                }
            }
            if !more {
                break;
            }
        }
        for interface in self.dataplane.take_skipped() {
            self.aggregator.mark_skipped(&interface, self.now);
        }
    }

    fn keep(&mut self, closed: Vec<ClosedWindow>) {
        for window in &closed {
            let kept = window.count_kept_by(self.subscription.traffic_type);
            self.summary.records += kept as u64;
            let lost = window.skip_data().contains(&self.subscription.flow_log_id);
            self.summary.skip_data += u64::from(lost);
        }
        self.closed.extend(closed);
    }
}

/// The same world, with one flow log of the interface and no other.
fn with_one_flow_log(world: &World, options: &Options) -> Option<World> {
    let mut world = world.clone();
    let mut found = false;
    for state in world.regions.values_mut() {
        let ids: Vec<FlowLogId> = state.flow_logs.values().map(|f| f.id).collect();
        for id in &ids {
            state.flow_logs.remove(id);
        }
        if state.network_interfaces.contains(&options.interface) {
            found = true;
            let flow_log = flow_log(options)?;
            state.flow_logs.insert(flow_log.id, flow_log);
        }
    }
    found.then_some(world)
}

/// Its id has the interface's digits, so that files of several interfaces have different names.
fn flow_log(options: &Options) -> Option<FlowLog> {
    let id = options.interface.to_string().replacen("eni-", "fl-", 1);
    Some(FlowLog {
        id: id.parse().ok()?,
        resource: FlowLogResource::NetworkInterface(options.interface),
        traffic_type: options.traffic_type,
        destination: LogDestination::S3 {
            bucket: String::new(),
            prefix: String::new(),
            arn: String::new(),
            hive_compatible_partitions: false,
            per_hour_partition: false,
            file_format: FileFormat::PlainText,
        },
        deliver_logs_permission_arn: None,
        deliver_cross_account_role: None,
        tag_fields: Vec::new(),
        log_format: options.log_format.clone(),
        max_aggregation_interval: options.interval,
        created_at: Timestamp::default(),
        delivery: DeliveryStatus::Success,
        tags: Tags::default(),
    })
}

fn kind_of(problem: &Problem) -> String {
    match problem.kind {
        capture::ProblemKind::Truncated { .. } => "the capture ends within it".to_owned(),
        _ => "unreadable".to_owned(),
    }
}

/// Reasons of the data plane by which packets leave no record, as far as they explain `all` of them.
fn unrecorded(dataplane: &Dataplane, all: u64) -> std::collections::BTreeMap<String, u64> {
    let mut counts = std::collections::BTreeMap::new();
    let mut rest = all;
    for (reason, count) in dataplane.counters().drops() {
        let leaves_none = matches!(
            reason,
            DropReason::Malformed
                | DropReason::NotIp
                | DropReason::Multicast
                | DropReason::Neighbour
                | DropReason::OwnAddress
                | DropReason::DestinationMac
                | DropReason::SourceMac
                | DropReason::SourceDestinationCheck
                | DropReason::ServiceUnavailable
                | DropReason::ServiceRateExceeded
        );
        if leaves_none && count > 0 {
            counts.insert(reason.name().to_owned(), count);
            rest = rest.saturating_sub(count);
        }
    }
    if rest > 0 {
        let what = "not logged by AWS: DNS, DHCP, metadata, time, and answers of those";
        counts.insert(what.to_owned(), rest);
    }
    counts
}
