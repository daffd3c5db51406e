//! Weir's own operations: what AWS has no API for.
//!
//! They are AWS JSON 1.1 calls like any other: `POST /`, `X-Amz-Target: Weir.<Operation>`, signed for
//! the service `weir`. The operation's name is the name of its request type here.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use flow_why::{Cause, Changed, Decision, Now, Why};

/// An operation: its name on the wire and what it answers.
pub trait Operation: Serialize + serde::de::DeserializeOwned {
    /// The name in `X-Amz-Target`, after `Weir.`.
    const NAME: &'static str;
    /// What it answers.
    type Answer: Serialize + serde::de::DeserializeOwned;
}

macro_rules! operations {
    ($($request:ident => $answer:ty;)*) => {
        $(impl Operation for $request {
            const NAME: &'static str = stringify!($request);
            type Answer = $answer;
        })*
    };
}

operations! {
    Status => StatusReport;
    FindSandbox => SandboxReport;
    AddInternetHost => Done;
    DeleteInternetHost => Done;
    ListInternetHosts => InternetHosts;
    FlushFlowLogs => FlushReport;
    ReadFlows => Flows;
    ExplainFlows => Explanations;
    FlowLogStatus => FlowLogStatuses;
    FlushTrails => TrailFlushReport;
    Trace => TraceReport;
    Probe => ProbeReport;
    ReadWorld => WorldReport;
    EndCapture => Done;
    Reset => Done;
}

/// What `GET /_weir/health` answers, without credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// `ok`: whoever is not does not answer.
    pub status: String,
    /// The daemon's version.
    pub version: String,
    /// How often its state has changed since it started.
    pub generation: u64,
    /// When it started, in microseconds since 1970.
    pub started_us: u64,
}

/// Forgets everything and starts anew: a daemon with another `started_us` answers soon. One that began with a state file
/// begins with it again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reset {}

/// The whole state at this moment. The answer is no JSON, but a state file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {}

impl Export {
    /// The name in `X-Amz-Target`, after `Weir.`.
    pub const NAME: &str = "Export";
}

/// What do interfaces see of packets, from now on? The answer is no JSON, but pcapng while it happens: a block for each
/// interface, packets with what became of them as their comments, and statistics at the end. It ends when as much has been
/// captured as is wanted, when none of the interfaces is there any more, by [`EndCapture`], and when nobody reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// Whose packets: `eni-…`, a regional NAT gateway, or an instance with one interface, by id or name.
    pub interfaces: Vec<String>,
    /// Which of them: by address, port, protocol and action.
    #[serde(default)]
    pub filter: FlowFilter,
    /// So many, at most.
    #[serde(default)]
    pub count: Option<u64>,
    /// For so long, in milliseconds.
    #[serde(default)]
    pub duration_ms: Option<u64>,
    /// The most bytes that are kept of a packet; all of them without it, or if it is 0.
    #[serde(default)]
    pub snaplen: Option<u32>,
}

impl Capture {
    /// The name in `X-Amz-Target`, after `Weir.`.
    pub const NAME: &str = "Capture";
    /// The header of the answer that says what [`EndCapture`] calls it.
    pub const HEADER: &str = "x-weir-capture";
}

/// Ends a capture, which is still written to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndCapture {
    /// What the answer of [`Capture`] calls it.
    pub capture: u64,
}

/// Which network do the accounts have?
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadWorld {}

/// Everything that all accounts have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorldReport {
    /// What makes it out of nothing.
    pub changes: Vec<(model::Scope, model::Change)>,
}

impl WorldReport {
    pub(crate) fn of(world: &model::World) -> Self {
        let changes = world.regions.iter();
        let changes = changes.flat_map(|(scope, state)| {
            let changes = state.changes().into_iter();
            changes.map(|change| (*scope, change))
        });
        Self {
            changes: changes.collect(),
        }
    }

    /// The world.
    pub fn world(&self) -> model::World {
        let mut world = model::World::default();
        for (scope, change) in &self.changes {
            world.apply(*scope, change);
        }
        world
    }
}

/// Nothing to say but that it is done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {}

/// How is the daemon?
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {}

/// How the daemon is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StatusReport {
    /// Weir's version.
    pub version: String,
    /// The daemon's process.
    pub pid: u32,
    /// Where it listens, for example `http://127.0.0.1:4566`.
    pub listen: String,
    /// Its state folder.
    pub state: PathBuf,
    /// The Region of calls that name none.
    pub region: String,
    /// The account of unknown access keys.
    pub account: String,
    /// How many changes the state has seen.
    pub generation: u64,
    /// Running instances.
    pub instances: usize,
    /// Network interfaces.
    pub network_interfaces: usize,
    /// What moves packets.
    pub datapath: String,
    /// Packets forwarded and dropped, by reason.
    pub packets: Vec<(String, u64)>,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// How all flow logs together are doing.
    #[serde(default)]
    pub flow_logs: FlowLogSummary,
}

/// How all flow logs together are doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowLogSummary {
    /// Flow logs.
    pub flow_logs: usize,
    /// Those whose last delivery failed.
    pub failing: usize,
    /// Records delivered since the daemon started.
    pub delivered: u64,
    /// Batches that wait on disk.
    pub waiting_batches: usize,
    /// Bytes of the spool on disk.
    pub spooled_bytes: u64,
    /// How old the oldest record that waits is, in seconds.
    pub lag_s: u64,
    /// SKIPDATA records made since the daemon started.
    pub skipdata: u64,
}

/// Which processes are inside an instance, or an internet host?
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindSandbox {
    /// `i-…` or `internet:ADDRESS`.
    pub source: String,
}

/// The sandbox of an instance or internet host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxReport {
    /// What a process of the daemon's user needs to run a program inside.
    pub target: host::ExecTarget,
}

/// Puts a host on the simulated internet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddInternetHost {
    /// A public address.
    pub address: IpAddr,
}

/// Takes a host off the simulated internet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteInternetHost {
    /// Its address.
    pub address: IpAddr,
}

/// Which hosts are on the simulated internet?
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListInternetHosts {}

/// The hosts of the simulated internet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InternetHosts {
    /// Their addresses.
    pub addresses: Vec<IpAddr>,
}

/// Closes every window now and waits until the records are delivered, or have failed once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlushFlowLogs {}

/// What a flush did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlushReport {
    /// Records of the windows that it closed.
    pub records: usize,
    /// How each flow log's delivery stands.
    pub flow_logs: Vec<FlowLogLine>,
}

/// Has CloudTrail's trails deliver now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlushTrails {}

/// What that came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrailFlushReport {
    /// Files written.
    pub files: usize,
    /// Events in them.
    pub events: usize,
    /// Digest files written.
    pub digests: usize,
    /// Trails that could not deliver; GetTrailStatus says why.
    pub failed: usize,
}

/// How do the deliveries stand?
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowLogStatus {}

/// How deliveries stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowLogStatuses {
    /// One line per flow log.
    pub flow_logs: Vec<FlowLogLine>,
    /// One line per export.
    #[serde(default)]
    pub exports: Vec<ExportLine>,
}

/// How one export stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportLine {
    /// As `weir up --export` was told.
    pub export: String,
    /// Records written since the daemon started.
    pub written: u64,
    /// Records that could not be, or came faster than they could.
    pub dropped: u64,
    /// Why the last could not be.
    pub error: Option<String>,
}

/// How one flow log's delivery stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowLogLine {
    /// `fl-…`
    pub flow_log_id: String,
    /// Where its records go.
    pub destination: String,
    /// Records delivered since the daemon started.
    pub delivered: u64,
    /// Batches that wait on disk.
    #[serde(default)]
    pub waiting_batches: usize,
    /// Their bytes.
    pub spooled_bytes: u64,
    /// How old the oldest record that waits is, in seconds.
    #[serde(default)]
    pub lag_s: u64,
    /// When something was last delivered since the daemon started, in Unix seconds.
    #[serde(default)]
    pub last_delivery: Option<u64>,
    /// Attempts that failed since the daemon started.
    #[serde(default)]
    pub failures: u64,
    /// SKIPDATA records made since the daemon started.
    #[serde(default)]
    pub skipdata: u64,
    /// Batches given up since the daemon started, because they were damaged on disk.
    #[serde(default)]
    pub dropped_batches: u64,
    /// Records that the destination took and threw away since the daemon started.
    #[serde(default)]
    pub rejected: u64,
    /// AWS's words for the last failure, with ours behind them.
    pub error: Option<String>,
}

/// Which records are newer than `after`?
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadFlows {
    /// The `next` of the previous answer; 0 for everything that is still remembered.
    #[serde(default)]
    pub after: u64,
    /// How long to wait for the first, in milliseconds; at most 30,000.
    #[serde(default)]
    pub wait_ms: u64,
    /// What is seen right now, instead of the records of closed windows.
    #[serde(default)]
    pub live: bool,
    /// Which of them.
    #[serde(default)]
    pub filter: FlowFilter,
    /// Begin with what is on disk, instead of with what is remembered; `after` does not matter then.
    #[serde(default)]
    pub history: bool,
    /// The newest so many, of what is on disk; at most 100,000, which is also what an answer has without it.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// Which flows; everything that is said has to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct FlowFilter {
    /// The recording interface, `eni-…`, or a regional NAT gateway.
    pub interface: Option<String>,
    /// An address or block that one of the ends has.
    pub address: Option<String>,
    /// A port that one of the ends has.
    pub port: Option<u16>,
    /// `tcp`, `udp`, `icmp`, `icmpv6` or a number.
    pub protocol: Option<String>,
    /// `ACCEPT` or `REJECT`.
    pub action: Option<String>,
    /// Ending then or later, in Unix seconds.
    pub since: Option<u64>,
    /// Beginning then or earlier, in Unix seconds.
    pub until: Option<u64>,
}

/// Why do records say what they say?
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainFlows {
    /// Lines of flow logs, as they were delivered; without them, the records that the filter wants.
    #[serde(default)]
    pub records: Option<String>,
    /// The format of the lines; without it, the default format, or that of a header line.
    #[serde(default)]
    pub log_format: Option<String>,
    /// Which records.
    #[serde(default)]
    pub filter: FlowFilter,
    /// The newest so many; 20 if nothing is said, at most 1000.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// Why records say what they say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Explanations {
    /// One for each record.
    pub answers: Vec<FlowWhy>,
    /// How many more records were asked about.
    pub more: usize,
}

/// Why a record says what it says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FlowWhy {
    /// The number of the line that asked, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The record, if it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<FlowLine>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    /// Why that cannot be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Records of flows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Flows {
    /// Where to go on.
    pub next: u64,
    /// The records, oldest first.
    pub records: Vec<FlowLine>,
    /// How many came since the previous answer and are no longer remembered: the reader is too slow.
    #[serde(default)]
    pub missed: u64,
}

/// One record, with what decided it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FlowLine {
    /// Owner of the interface.
    pub account_id: String,
    /// The recording interface.
    pub interface_id: String,
    /// Its instance, if any.
    pub instance_id: Option<String>,
    /// `ingress` or `egress`; empty when there was no traffic.
    pub flow_direction: String,
    /// As in the record; empty when there was no traffic.
    pub srcaddr: String,
    /// As in the record.
    pub dstaddr: String,
    /// As in the record.
    pub srcport: u16,
    /// As in the record.
    pub dstport: u16,
    /// IANA number.
    pub protocol: u8,
    /// As in the record.
    pub packets: u64,
    /// As in the record.
    pub bytes: u64,
    /// Unix seconds.
    pub start: u64,
    /// Unix seconds.
    pub end: u64,
    /// `ACCEPT`, `REJECT` or `-`.
    pub action: String,
    /// `OK`, `NODATA` or `SKIPDATA`.
    pub log_status: String,
    /// The rule, route or resource that decided.
    pub why: String,
    /// The same for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

/// What would happen to a packet, and to its answer?
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// `internet:ADDRESS`, or an instance or interface by id or name.
    pub source: String,
    /// `tcp`, `udp`, `icmp`, `icmpv6` or a number.
    pub protocol: String,
    /// Where the packet goes: an address, or an instance or interface by id or name.
    pub destination: String,
    /// Needed for tcp and udp.
    #[serde(default)]
    pub port: Option<u16>,
}

/// What would happen to a packet, and to its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceReport {
    /// How it ends.
    pub outcome: Outcome,
    /// The steps of the request.
    pub request: Vec<TraceStep>,
    /// What ended the request, in one line.
    pub request_end: String,
    /// The steps of the answer; empty when there is none.
    pub answer: Vec<TraceStep>,
    /// What ended the answer, in one line.
    pub answer_end: Option<String>,
}

/// How a request and its answer fare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The request arrives, and so does its answer.
    Answered,
    /// The request does not arrive.
    Refused,
    /// The request arrives, its answer does not.
    AnswerRefused,
}

impl Outcome {
    /// Exit status of `weir trace` and `weir probe`.
    pub const fn exit_status(self) -> u8 {
        match self {
            Self::Answered => 0,
            Self::Refused => 1,
            Self::AnswerRefused => 2,
        }
    }
}

/// One step of a packet's way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceStep {
    /// Where it is taken: a network interface, a subnet, a gateway, or `internet`.
    pub place: String,
    /// `ingress` or `egress`, seen from that place.
    pub direction: String,
    /// What kind of step, for example `security group`.
    pub stage: String,
    /// The resource that decides there, if any.
    pub resource: Option<String>,
    /// The rule, route or fact that decided.
    pub rule: String,
    /// `pass` or `drop`.
    pub outcome: String,
}

/// Sends the packet that [`Trace`] speaks of, for real, and watches for it at its destination. The source must be
/// running, and a protocol without a name cannot be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Probe(pub Trace);

/// What arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeReport {
    /// How it ended.
    pub outcome: Outcome,
    /// What was seen at the destination.
    pub arrived: String,
    /// What came back to the source.
    pub answer: String,
    /// Time from sending to the answer, in microseconds.
    pub round_trip_us: Option<u64>,
}
