//! The explanation of a record.

use dataplane::{
    Action, Compiler, Disposition, Explanation, Options, Outcome, Seen, Snapshot, Stage, Step,
    explain as ask, explain_answer,
};
use flow_logs::{Flow, FlowRecord, Observed};
use model::{Timestamp, World};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::since::{Now, Since};
use crate::verdict::verdict;
use crate::{Cause, Decision, Later, advice, answer, decision};

/// A record to explain, and what is known of its time.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The record.
    pub record: &'a FlowRecord,
    /// The record of the flow that this one answers, if there is one: [`crate::answered`] finds it.
    pub opposite: Option<&'a FlowRecord>,
    /// The world some moments before the record's first packet.
    pub world: &'a World,
    /// Every change since then, oldest first.
    pub since: &'a [Later],
    /// What of the machine the data plane depends on.
    pub options: Options,
}

/// Why a record says what it says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Why {
    /// In one sentence.
    pub verdict: String,
    /// What the data plane decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// What decided, as it stood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<Cause>,
    /// What else the packet met on its way from the recording interface, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub way: Vec<Cause>,
    /// What would become of the same packet now, if that is something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<Now>,
    /// What to do about it, where that is obvious.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// What else there is to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Changes in force within this before a packet may not have been when it was decided: a change is written down before it
/// is in force.
const SETTLING_SECS: u64 = 2;

/// Explains a record.
pub fn explain(question: &Question<'_>) -> Why {
    match &question.record.observed {
        Observed::Flow(flow) => explain_flow(question, flow),
        Observed::NoData => without_flow("NODATA"),
        Observed::SkipData => without_flow("SKIPDATA"),
    }
}

/// Explains a record of which only the decision is known: the configuration of its time is no longer kept.
pub fn explain_alone(record: &FlowRecord) -> Why {
    match &record.observed {
        Observed::Flow(flow) => gone(flow, "the configuration of that time is no longer kept"),
        Observed::NoData => without_flow("NODATA"),
        Observed::SkipData => without_flow("SKIPDATA"),
    }
}

/// Explains a record of no flow.
fn without_flow(status: &str) -> Why {
    let verdict = match status {
        "NODATA" => {
            "NODATA: the interface was attached, and no packet that flow logs record went in or out in this window."
        }
        _ => {
            "SKIPDATA: packets of this window were seen but their records are lost: more flows than memory holds, a spool \
             that was full, or a daemon that was killed before the window closed."
        }
    };
    let advice = match status {
        "NODATA" => {
            "traffic to the VPC's DNS server, DHCP, metadata and time services is never recorded"
        }
        _ => "`weir flows status` shows the spool of each flow log",
    };
    Why {
        verdict: verdict.to_owned(),
        advice: Some(advice.to_owned()),
        ..Why::default()
    }
}

impl Why {
    /// The explanation of a record that tells of no flow: `NODATA` or `SKIPDATA`.
    #[must_use]
    pub fn of_status(status: &str) -> Self {
        without_flow(status)
    }
}

/// A flow, and what the rules of a world say of it.
pub(crate) struct Asking<'a> {
    pub(crate) record: &'a FlowRecord,
    pub(crate) flow: &'a Flow,
    pub(crate) seen: Seen,
    /// Whether it is known to answer another flow.
    pub(crate) is_answer: bool,
}

/// What the rules of one world say of a flow.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// Of the packet that began the connection, if the flow only passes as an answer.
    pub(crate) opener: Option<Explanation>,
    pub(crate) own: Explanation,
}

impl Asking<'_> {
    /// What a world says, of the packet alone or as an answer; `None` if it has no such interface.
    pub(crate) fn of(&self, snapshot: &Arc<Snapshot>, as_answer: bool) -> Option<Said> {
        if as_answer {
            let (opener, own) = explain_answer(snapshot, &self.seen)?;
            if opener.action == Some(Action::Accept) {
                let opener = Some(opener);
                return Some(Said { opener, own });
            }
        }
        let own = ask(snapshot, &self.seen)?;
        Some(Said { opener: None, own })
    }

    /// Whether a world decides as the data plane did.
    pub(crate) fn agrees(&self, said: &Explanation) -> bool {
        let rejected = matches!(
            self.flow.disposition,
            Disposition::DeniedBySecurityGroup { .. } | Disposition::DeniedByNetworkAcl { .. }
        );
        said.action
            .is_none_or(|action| action == self.flow.key.action)
            && (!rejected || said.disposition == self.flow.disposition)
    }
}

fn explain_flow(question: &Question<'_>, flow: &Flow) -> Why {
    let record = question.record;
    let Some(seen) = seen(record, flow) else {
        return gone(flow, "a regional NAT gateway decides by its sessions");
    };
    let asking = Asking {
        record,
        flow,
        seen,
        is_answer: answer::is_answer(flow, question.opposite),
    };
    let mut compiler = Compiler::new(question.options);
    let mut then = moment(question, &asking, asking.is_answer, &mut compiler);
    if then.as_ref().is_some_and(|t| !asking.agrees(&t.said.own)) && !asking.is_answer {
        // What no rule lets pass by itself can only be an answer.
        let answer = moment(question, &asking, true, &mut compiler);
        then = answer.filter(|t| asking.agrees(&t.said.own)).or(then);
    }
    let Some(then) = then else {
        return gone(
            flow,
            "the configuration of that moment has no such interface",
        );
    };
    let mut why = told(&asking, &then);
    let since = Since {
        asking: &asking,
        world: &then.world,
        later: &question.since[then.changes..],
    };
    let passes_now = since.tell(&mut why, &then, &mut compiler);
    if !asking.agrees(&then.said.own) {
        why.notes.push(
            "the rules alone say otherwise: a connection or session decided that was there at the time".to_owned(),
        );
    }
    if !passes_now {
        why.advice = advice::advice(&asking, &then.world);
    }
    why
}

/// What there is to say where the rules cannot be asked.
fn gone(flow: &Flow, because: &str) -> Why {
    let text = flow.why();
    Why {
        verdict: format!("{}: {text}.", flow.key.action.name()),
        decision: Some(Decision::new(&flow.disposition, flow.key.action)),
        notes: vec![because.to_owned()],
        ..Why::default()
    }
}

/// The world that decided.
pub(crate) struct Then {
    pub(crate) world: World,
    pub(crate) said: Said,
    /// Whether it was asked about an answer.
    pub(crate) as_answer: bool,
    /// How many of the changes it has seen.
    changes: usize,
}

/// The latest world before the first packet that decides as the data plane did.
fn moment(
    question: &Question<'_>,
    asking: &Asking<'_>,
    as_answer: bool,
    compiler: &mut Compiler,
) -> Option<Then> {
    let mut world = question.world.clone();
    let mut found: Option<Then> = None;
    let mut changes = 0;
    loop {
        if let Some(said) = asking.of(&compiler.compile(&world), as_answer) {
            let agrees = asking.agrees(&said.own);
            if agrees || found.as_ref().is_none_or(|f| !asking.agrees(&f.said.own)) {
                let world = world.clone();
                found = Some(Then {
                    world,
                    said,
                    as_answer,
                    changes,
                });
            }
        }
        match question.since.get(changes) {
            Some(later) if later.at <= asking.record.start => later.apply_to(&mut world),
            _ => return found,
        }
        changes += 1;
    }
}

fn seen(record: &FlowRecord, flow: &Flow) -> Option<Seen> {
    let key = &flow.key;
    Some(Seen {
        interface: record.interface.recorder.network_interface_id()?,
        direction: key.direction,
        src: key.pkt_srcaddr,
        dst: key.pkt_dstaddr,
        protocol: key.protocol,
        src_port: key.srcport,
        dst_port: key.dstport,
    })
}

fn told(asking: &Asking<'_>, then: &Then) -> Why {
    let (flow, world) = (asking.flow, &then.world);
    let steps = &then.said.own.steps;
    let decider = deciding(asking, &then.said);
    let decided_by = match decider {
        Some(step) => Cause::of(step, world),
        None => remembered(asking, world),
    };
    let mut way: Vec<Cause> = steps
        .iter()
        .filter(|step| decider.is_none_or(|d| !std::ptr::eq(*step, d)))
        .map(|step| Cause::of(step, world))
        .collect();
    settle(&mut way, asking, &decided_by);
    let mut notes = Vec::new();
    if steps
        .iter()
        .any(|step| step.stage == Stage::VpcEndpoint && step.outcome == Outcome::Pass)
    {
        notes.push(
            "policies of endpoints and buckets decide on the requests inside the connection, not on its packets"
                .to_owned(),
        );
    }
    Why {
        verdict: verdict(asking, then, &decided_by),
        notes,
        decision: Some(Decision::new(&flow.disposition, flow.key.action)),
        decided_by: Some(decided_by),
        way,
        ..Why::default()
    }
}

/// Makes what the rules alone say into what happened: a connection or session that was there is not in them.
fn settle(way: &mut Vec<Cause>, asking: &Asking<'_>, decided_by: &Cause) {
    let delivered = asking.flow.disposition.is_delivered();
    let refused = way.iter().position(|cause| cause.outcome == "drop");
    if let Some(at) = refused {
        way.truncate(at + 1);
        if delivered && way[at].stage == Stage::SecurityGroup.name() {
            way[at].outcome = "pass".to_owned();
            way[at].text = TRACKED.to_owned();
        } else {
            way.truncate(at);
        }
    }
    if decided_by.outcome == "drop" {
        // The rules alone would have carried it past what refused it for another reason.
        let at = way
            .iter()
            .position(|cause| Some(&cause.place) == decided_by.resource.as_ref());
        way.truncate(at.unwrap_or(way.len()));
    }
    way.retain(|cause| cause.stage != Stage::Delivery.name());
}

const TRACKED: &str = "tracked connection";

/// The step that decided: the one that refused, or the security group at the interface that let the flow in.
fn deciding<'a>(asking: &Asking<'_>, said: &'a Said) -> Option<&'a Step> {
    let flow = asking.flow;
    if !flow.disposition.is_delivered() {
        let mut steps = said.own.steps.iter().rev();
        let same = said.own.disposition == flow.disposition;
        return steps.find(|step| same && step.outcome == Outcome::Drop);
    }
    let here = |step: &&Step| {
        step.stage == Stage::SecurityGroup
            && step.place == Some(asking.record.interface.recorder.into())
    };
    let own = said.own.steps.iter().find(here);
    let begins = said
        .opener
        .as_ref()
        .filter(|_| own.is_some_and(|step| step.cited.is_none()));
    begins
        .and_then(|opener| opener.steps.iter().find(here))
        .or(own)
        .or_else(|| {
            let mut steps = said.own.steps.iter().rev();
            let same = said.own.disposition.is_delivered();
            steps.find(|step| same && step.stage != Stage::Delivery)
        })
}

/// What decided, of which only the disposition tells.
fn remembered(asking: &Asking<'_>, world: &World) -> Cause {
    let disposition = &asking.flow.disposition;
    let (stage, resources, rule) = decision::decided_by(disposition);
    let resource = resources.first().cloned();
    let id = resource.as_deref().and_then(|id| id.parse().ok());
    Cause {
        stage: stage.unwrap_or("data plane").to_owned(),
        place: resource
            .clone()
            .unwrap_or_else(|| asking.record.interface.recorder.to_string()),
        direction: asking.flow.key.direction.name().to_owned(),
        name: id.and_then(|id| crate::cause::name_of(world, id)),
        resource,
        rule,
        text: disposition.to_string(),
        outcome: if disposition.is_delivered() {
            "pass"
        } else {
            "drop"
        }
        .to_owned(),
        ..Cause::default()
    }
}

/// The moment whose world is wanted to explain a record: shortly before its first packet.
pub fn moment_before(record: &FlowRecord) -> Timestamp {
    let start = record.start.as_micros();
    Timestamp::from_micros(start.saturating_sub(SETTLING_SECS * 1_000_000))
}
