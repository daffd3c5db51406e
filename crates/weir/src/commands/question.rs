//! `weir trace` and `weir probe`: the same question, asked of the rules and of the wire.

use std::process::ExitCode;

use server::ops::{Outcome, Probe, Trace, TraceReport, TraceStep};

use crate::cli::{Question, Target};
use crate::output::{self, Cell, Style, Table, Tone};

/// Prints every step of the request and of its answer.
pub(crate) fn trace(target: &Target, question: &Question) -> anyhow::Result<ExitCode> {
    let report = super::client(target)?.weir(&asked(question))?;
    if question.json {
        output::json(&report)?;
    } else {
        output::print(&render(&report, &subject(question), Style::of_stdout()))?;
    }
    Ok(ExitCode::from(report.outcome.exit_status()))
}

/// Prints what arrived and what came back.
pub(crate) fn probe(target: &Target, question: &Question) -> anyhow::Result<ExitCode> {
    let report = super::client(target)?.weir(&Probe(asked(question)))?;
    if question.json {
        output::json(&report)?;
    } else {
        let style = Style::of_stdout();
        let time = report
            .round_trip_us
            .map(|us| format!(" after {us} µs"))
            .unwrap_or_default();
        output::print(&format!(
            "{}\n  at the destination  {}\n  at the source       {}{time}\n{}\n",
            style.paint(Tone::Strong, &subject(question)),
            report.arrived,
            report.answer,
            verdict(report.outcome, style),
        ))?;
    }
    Ok(ExitCode::from(report.outcome.exit_status()))
}

/// The question as the daemon takes it.
fn asked(question: &Question) -> Trace {
    Trace {
        source: question.source.clone(),
        protocol: question.protocol.clone(),
        destination: question.destination.clone(),
        port: question.port,
    }
}

fn subject(question: &Question) -> String {
    let Question {
        source,
        protocol,
        destination,
        port,
        ..
    } = question;
    let port = port.map(|port| format!(" port {port}")).unwrap_or_default();
    format!("{source} → {destination} {protocol}{port}")
}

fn render(report: &TraceReport, subject: &str, style: Style) -> String {
    let mut table = Table::new(["", "at", "way", "stage", "outcome", "resource", "rule"]);
    for (name, steps) in [("request", &report.request), ("answer", &report.answer)] {
        for (index, step) in steps.iter().enumerate() {
            table.row(row(if index == 0 { name } else { "" }, step));
        }
    }
    let mut text = style.paint(Tone::Strong, subject) + "\n";
    // Between hosts of the internet nothing is decided.
    if !(report.request.is_empty() && report.answer.is_empty()) {
        text.push_str(&table.render(style));
    }
    text.push_str(&format!("request: {}\n", report.request_end));
    if let Some(end) = &report.answer_end {
        text.push_str(&format!("answer:  {end}\n"));
    }
    text + &verdict(report.outcome, style) + "\n"
}

fn row(name: &'static str, step: &TraceStep) -> [Cell; 7] {
    let tone = match step.outcome.as_str() {
        "drop" => Tone::Refused,
        _ => Tone::Plain,
    };
    [
        Cell::new(Tone::Strong, name),
        step.place.as_str().into(),
        output::way(&step.direction).into(),
        step.stage.as_str().into(),
        Cell::new(tone, step.outcome.as_str()),
        step.resource.as_deref().unwrap_or_default().into(),
        step.rule.as_str().into(),
    ]
}

fn verdict(outcome: Outcome, style: Style) -> String {
    match outcome {
        Outcome::Answered => style.paint(Tone::Good, "delivered and answered"),
        Outcome::Refused => style.paint(Tone::Refused, "refused on the way"),
        Outcome::AnswerRefused => {
            style.paint(Tone::Refused, "delivered, but the answer is refused")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_trace_shows_both_ways() {
        let step =
            |place: &str, stage: &str, resource: &str, rule: &str, outcome: &str| TraceStep {
                place: place.to_owned(),
                direction: "egress".to_owned(),
                stage: stage.to_owned(),
                resource: Some(resource.to_owned()),
                rule: rule.to_owned(),
                outcome: outcome.to_owned(),
            };
        let report = TraceReport {
            outcome: Outcome::AnswerRefused,
            request: vec![
                step("eni-1", "security group", "sg-1", "sgr-1 allow all", "pass"),
                step("eni-2", "delivery", "", "delivered", "pass"),
            ],
            request_end: "delivered to eni-2".to_owned(),
            answer: vec![step(
                "subnet-2",
                "network ACL",
                "acl-1",
                "rule 90 deny",
                "drop",
            )],
            answer_end: Some("network ACL acl-1 egress rule 90 deny".to_owned()),
        };
        expect![[r#"
            i-1 → 10.0.2.20 icmp
                     at        way  stage           outcome  resource  rule
            request  eni-1     out  security group  pass     sg-1      sgr-1 allow all
                     eni-2     out  delivery        pass               delivered
            answer   subnet-2  out  network ACL     drop     acl-1     rule 90 deny
            request: delivered to eni-2
            answer:  network ACL acl-1 egress rule 90 deny
            delivered, but the answer is refused
        "#]]
        .assert_eq(&render(
            &report,
            "i-1 → 10.0.2.20 icmp",
            Style { colour: false },
        ));
    }
}
