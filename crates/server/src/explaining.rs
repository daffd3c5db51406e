//! `weir flows why`: records that people ask about, found in the history and explained by the journal.

use std::path::Path;

use flow_logs::{FlowRecord, LogFormat};
use flow_why::{
    Asked, Later, Question, Why, answered, asked, explain, explain_alone, moment_before,
};
use model::Timestamp;
use store::Past;

use crate::daemon::Daemon;
use crate::flow_filter::Filter;
use crate::flow_history::{FlowHistory, Range};
use crate::flow_line::record_line;
use crate::ops::{ExplainFlows, Explanations, FlowWhy};
use crate::weir::Refusal;

/// Records that are explained if nobody says how many.
const LIMIT: usize = 20;
/// Most records that one call explains.
const LIMIT_MAX: usize = 1000;
/// How long before a record the flow that it answers may have begun, in seconds.
const BEGUN_SECS: u64 = 3600;

/// Explains pasted records, or those that a filter wants.
pub(crate) fn explain_flows(
    daemon: &Daemon,
    request: &ExplainFlows,
) -> Result<Explanations, Refusal> {
    let limit = request.limit.unwrap_or(LIMIT).clamp(1, LIMIT_MAX);
    let history = daemon.flow_logs.history();
    let explainer = Explainer { daemon, history };
    match &request.records {
        Some(text) => explainer.pasted(text, request.log_format.as_deref(), limit),
        None => {
            let filter = Filter::parse(&request.filter)?;
            explainer.filtered(&filter, limit)
        }
    }
}

struct Explainer<'a> {
    daemon: &'a Daemon,
    history: &'a FlowHistory,
}

impl Explainer<'_> {
    fn pasted(
        &self,
        text: &str,
        format: Option<&str>,
        limit: usize,
    ) -> Result<Explanations, Refusal> {
        let format = format.map(LogFormat::parse).transpose();
        let format = format.map_err(|error| Refusal::new(error.code(), error.to_string()))?;
        let records = asked(text, format.as_ref());
        if records.is_empty() {
            return Err(Refusal::new(
                "MissingParameter",
                "There is no record to explain.",
            ));
        }
        let more = records.len().saturating_sub(limit);
        let mut answers = Vec::new();
        for asked in records.iter().take(limit) {
            match asked {
                Ok(asked) => answers.extend(self.one(asked)?),
                Err(malformed) => answers.push(FlowWhy {
                    line: Some(malformed.line),
                    error: Some(malformed.reason.clone()),
                    ..FlowWhy::default()
                }),
            }
        }
        Ok(Explanations { answers, more })
    }

    fn one(&self, asked: &Asked) -> Result<Vec<FlowWhy>, Refusal> {
        let line = Some(asked.line);
        if let Some(status) = asked.without_flow() {
            return Ok(vec![FlowWhy {
                line,
                why: Some(Why::of_status(status)),
                ..FlowWhy::default()
            }]);
        }
        let (start, end) = asked.times();
        let range = Range {
            // Seconds are cut off in records.
            since: start.map(Timestamp::from_secs),
            until: end.map(|end| Timestamp::from_secs(end.saturating_add(1))),
            recorder: asked.interface_id().map(|id| id.to_string()),
        };
        let mut found = Vec::new();
        self.history.read(&range, |record| {
            if found.len() < 2 && asked.is(&record) {
                found.push(record);
            }
        });
        let Some(record) = found.first() else {
            return Ok(vec![FlowWhy {
                line,
                error: Some(self.not_found(asked)),
                ..FlowWhy::default()
            }]);
        };
        let mut answer = self.explained(record)?;
        answer.line = line;
        if found.len() > 1
            && let Some(why) = &mut answer.why
        {
            why.notes.push(
                "other records look the same in the fields of this line; this is the first"
                    .to_owned(),
            );
        }
        Ok(vec![answer])
    }

    /// Why a record is not in the history.
    fn not_found(&self, asked: &Asked) -> String {
        let (start, _) = asked.times();
        let world = self.daemon.writer.world();
        let known = asked.interface_id().is_none_or(|id| {
            let mut states = world.regions.values();
            states.any(|state| state.network_interfaces.contains(&id))
        });
        match (self.history.since(), start) {
            (None, _) => {
                "no such record: no window has closed yet (`weir flows flush` closes them now)"
                    .to_owned()
            }
            (Some(since), Some(start)) if start < since.as_secs().saturating_sub(BEGUN_SECS) => {
                format!("no such record: it is older than what is kept, which begins at {since}")
            }
            (Some(_), _) if !known => {
                "no such record, and no such interface: it is not one of this daemon's".to_owned()
            }
            (Some(since), _) => format!(
                "no such record since {since}: the values of the line are not those of a record of this daemon, or its \
                 window has not closed yet (`weir flows flush` closes it now)"
            ),
        }
    }

    fn filtered(&self, filter: &Filter, limit: usize) -> Result<Explanations, Refusal> {
        let mut wanted = std::collections::VecDeque::new();
        let mut more = 0;
        self.history.read(&filter.range(), |record| {
            let key = record.flow().map(|flow| &flow.key);
            if filter.wants(record.interface.recorder, key, record.start, record.end) {
                if wanted.len() == limit {
                    wanted.pop_front();
                    more += 1;
                }
                wanted.push_back(record);
            }
        });
        let answers = wanted.iter().map(|record| self.explained(record));
        Ok(Explanations {
            answers: answers.collect::<Result<_, _>>()?,
            more,
        })
    }

    fn explained(&self, record: &FlowRecord) -> Result<FlowWhy, Refusal> {
        let why = match self.past(moment_before(record))? {
            Some((world, since)) => {
                let around = self.around(record);
                explain(&Question {
                    record,
                    opposite: answered(record, &around),
                    world: &world,
                    since: &since,
                    options: self.daemon.datapath.options,
                })
            }
            None => explain_alone(record),
        };
        Ok(FlowWhy {
            line: None,
            record: Some(record_line(record)),
            why: Some(why),
            error: None,
        })
    }

    fn past(&self, at: Timestamp) -> Result<Option<(model::World, Vec<Later>)>, Refusal> {
        let dir: &Path = self.daemon.state_dir();
        let read = || Past::open(dir)?.at(at);
        let past = read()
            .map_err(|error| Refusal::internal(format!("{:#}", anyhow::Error::from(error))))?;
        Ok(past.map(|(world, since)| {
            let later = since.into_iter().map(|record| Later {
                at: record.at,
                scope: record.scope,
                changes: record.changes,
            });
            (world, later.collect())
        }))
    }

    /// Records of the same interface between the same addresses, some time before and until then.
    fn around(&self, record: &FlowRecord) -> Vec<FlowRecord> {
        let Some(flow) = record.flow() else {
            return Vec::new();
        };
        let range = Range {
            since: Some(Timestamp::from_secs(
                record.start.as_secs().saturating_sub(BEGUN_SECS),
            )),
            until: Some(record.end),
            recorder: Some(record.interface.recorder.to_string()),
        };
        let mut around = Vec::new();
        self.history.read(&range, |other| {
            let between = other.flow().is_some_and(|other| {
                let (a, b) = (&other.key, &flow.key);
                a.protocol == b.protocol
                    && (a.srcport == b.srcport || a.srcport == b.dstport)
                    && (a.pkt_srcaddr == b.pkt_srcaddr || a.pkt_srcaddr == b.pkt_dstaddr)
            });
            if between {
                around.push(other);
            }
        });
        around
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use dataplane::{Action, Direction, Disposition, FlowKey, InterfaceMetadata};
    use flow_logs::{Flow, FlowRecord, Observed};
    use model::{Scope, Tags, Timestamp};

    /// A record of an interface, of one second.
    pub(crate) fn record(recorder: &str, start: u64) -> FlowRecord {
        let scope = Scope {
            account: "123456789012".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
        };
        FlowRecord {
            interface: Arc::new(InterfaceMetadata {
                scope,
                recorder: recorder.parse().unwrap(),
                interface_type: model::InterfaceType::Interface,
                subnet_id: Some("subnet-00000001".parse().unwrap()),
                vpc_id: "vpc-00000001".parse().unwrap(),
                zone: scope.region.zones().next(),
                instance_id: None,
                primary_ipv4: Some([10, 0, 0, 62].into()),
                tags: Tags::default(),
                instance_tags: Tags::default(),
            }),
            start: Timestamp::from_secs(start),
            end: Timestamp::from_secs(start + 1),
            observed: Observed::Flow(Flow {
                key: FlowKey {
                    direction: Direction::Ingress,
                    srcaddr: [10, 0, 0, 1].into(),
                    dstaddr: [10, 0, 0, 62].into(),
                    pkt_srcaddr: [10, 0, 0, 1].into(),
                    pkt_dstaddr: [10, 0, 0, 62].into(),
                    srcport: 40_000,
                    dstport: 443,
                    protocol: 6,
                    action: Action::Accept,
                },
                packets: 1,
                bytes: 60,
                tcp_flags: 2,
                traffic_path: None,
                next_hop: None,
                disposition: Disposition::Delivered {
                    to: "eni-00000001".parse().unwrap(),
                },
            }),
        }
    }
}
