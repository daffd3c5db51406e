//! Do what happened, what `weir trace` says and what the records' reasons say agree?

use server::ops::{FlowLine, Outcome, Trace};

use super::attempt::{Attempt, Happened};
use super::record::Key;
use crate::client::Client;

/// Why a packet was refused, from two sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reason {
    /// The attempt.
    pub(super) title: String,
    /// The instance and interface with the REJECT.
    pub(super) interface: String,
    /// Its flow, in words.
    pub(super) flow: String,
    /// What the record says.
    pub(super) why: Option<String>,
    /// What the trace ends with.
    pub(super) trace: String,
    /// Words that both must contain.
    wanted: Vec<String>,
}

/// What clients saw that they should not have seen.
pub(super) fn of_attempts(attempts: &[Attempt], happened: &[Happened]) -> Vec<String> {
    let pairs = attempts.iter().zip(happened);
    let differ = pairs.filter(|(attempt, happened)| attempt.expected != happened.seen);
    differ
        .map(|(attempt, happened)| {
            let Attempt {
                from,
                title,
                expected,
                ..
            } = attempt;
            format!(
                "{}: {title}: {} instead of {expected}",
                from.name, happened.seen
            )
        })
        .collect()
}

/// Where traces do not say what happened.
pub(super) fn of_traces(api: &mut Client, attempts: &[Attempt]) -> anyhow::Result<Vec<String>> {
    let mut differences = Vec::new();
    for attempt in attempts {
        let report = api.weir(&question(attempt))?;
        if report.outcome != attempt.outcome {
            differences.push(format!(
                "trace of {}: {}: {:?} instead of {:?}",
                attempt.from.name, attempt.title, report.outcome, attempt.outcome
            ));
        }
    }
    Ok(differences)
}

/// The reason of each REJECT, as its record and the trace give it.
pub(super) fn reasons(
    api: &mut Client,
    attempts: &[Attempt],
    flows: &[FlowLine],
) -> anyhow::Result<Vec<Reason>> {
    let mut reasons = Vec::new();
    for attempt in attempts {
        let rejected = attempt
            .records
            .iter()
            .filter(|record| record.key.2 == "REJECT");
        for record in rejected {
            let (interface, flow, action) = &record.key;
            let line = flows.iter().find(|line| {
                line.interface_id == *interface && line.action == *action && key(line) == *flow
            });
            let report = api.weir(&question(attempt))?;
            let trace = match report.outcome {
                Outcome::Answered => "delivered and answered".to_owned(),
                Outcome::Refused => report.request_end,
                Outcome::AnswerRefused => report.answer_end.unwrap_or_default(),
            };
            reasons.push(Reason {
                title: format!("{}: {}", attempt.from.name, attempt.title),
                interface: interface.clone(),
                flow: words(flow),
                why: line.map(|line| line.why.clone()),
                trace,
                wanted: attempt.reason.clone(),
            });
        }
    }
    Ok(reasons)
}

/// Reasons that are not the right ones, or not the same from both sources.
pub(super) fn of_reasons(reasons: &[Reason]) -> Vec<String> {
    let mut differences = Vec::new();
    for reason in reasons {
        let why = reason.why.as_deref().unwrap_or("no record");
        if let Some(missing) = reason.wanted.iter().find(|word| !why.contains(*word)) {
            differences.push(format!(
                "{}: the record's reason “{why}” does not name “{missing}”",
                reason.title
            ));
        }
        if why != reason.trace {
            differences.push(format!(
                "{}: the record says “{why}”, the trace “{}”",
                reason.title, reason.trace
            ));
        }
    }
    differences
}

fn question(attempt: &Attempt) -> Trace {
    let destination = attempt.records[0].key.1.destination.0.clone();
    let (protocol, port) = attempt.question;
    Trace {
        source: attempt.from.instance_id.clone(),
        protocol: protocol.to_owned(),
        destination,
        port,
    }
}

fn key(line: &FlowLine) -> Key {
    Key {
        source: (line.srcaddr.clone(), line.srcport),
        destination: (line.dstaddr.clone(), line.dstport),
        protocol: line.protocol,
    }
}

fn words(flow: &Key) -> String {
    let port = |port: u16| {
        if port == 0 {
            String::new()
        } else {
            format!(":{port}")
        }
    };
    format!(
        "{} {}{} → {}{}",
        crate::output::protocol(flow.protocol),
        flow.source.0,
        port(flow.source.1),
        flow.destination.0,
        port(flow.destination.1)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sources_must_name_the_rule() {
        let reason = |why: Option<&str>, trace: &str| Reason {
            title: "guest: ping".to_owned(),
            interface: "eni-1".to_owned(),
            flow: String::new(),
            why: why.map(str::to_owned),
            trace: trace.to_owned(),
            wanted: vec!["acl-1".to_owned(), "rule 90 deny".to_owned()],
        };
        let right = "network ACL acl-1 egress rule 90 deny";
        assert!(of_reasons(&[reason(Some(right), right)]).is_empty());
        let other = "network ACL acl-1 egress rule * deny";
        assert_eq!(of_reasons(&[reason(Some(other), right)]).len(), 2);
        assert_eq!(of_reasons(&[reason(Some(right), other)]).len(), 1);
        assert_eq!(of_reasons(&[reason(None, right)]).len(), 2);
    }
}
