//! `weir flows why`: what decided on a flow, as it stood then, and what has become of it.

use std::io::{IsTerminal, Read};
use std::process::ExitCode;

use anyhow::Context;
use server::ops::{Cause, ExplainFlows, Explanations, FlowLine, FlowWhy, Why};

use crate::cli::{FlowsWhy, WhyFormat};
use crate::client::Client;
use crate::output::{self, Cell, Style, Table, Tone};

/// Explains; 1 if a record was not found.
pub(crate) fn run(client: &mut Client, arguments: &FlowsWhy) -> anyhow::Result<ExitCode> {
    let request = ExplainFlows {
        records: records(arguments)?,
        log_format: arguments.log_format.clone(),
        filter: super::flows::filter(&arguments.filter),
        limit: arguments.limit,
    };
    let explanations = client.weir(&request)?;
    match arguments.format {
        WhyFormat::Json => output::json(&explanations)?,
        WhyFormat::Table => output::print(&render(&explanations, Style::of_stdout()))?,
    }
    if explanations.answers.is_empty() {
        output::note(
            "no record fits (windows close after a minute, or now with `weir flows flush`)",
        );
    }
    if explanations.more > 0 {
        output::note(&format!(
            "{} more records; -n N shows more",
            explanations.more
        ));
    }
    let missing = explanations
        .answers
        .iter()
        .any(|answer| answer.error.is_some());
    Ok(ExitCode::from(u8::from(missing)))
}

/// The records that are asked about; `None` if a filter says which.
fn records(arguments: &FlowsWhy) -> anyhow::Result<Option<String>> {
    let filter = &arguments.filter;
    let filtered = filter.interface.is_some()
        || filter.packets.address.is_some()
        || filter.packets.port.is_some()
        || filter.packets.protocol.is_some()
        || filter.packets.action.is_some()
        || filter.since.is_some()
        || filter.until.is_some();
    anyhow::ensure!(
        arguments.records.is_empty() || !filtered,
        "say records or a filter, not both"
    );
    match arguments.records.as_slice() {
        [] if filtered => Ok(None),
        [] => read_stdin(),
        [dash] if dash == "-" => read_stdin(),
        // A line pasted without quotes.
        words if words.len() > 1 && words.iter().all(|word| !word.contains(' ')) => {
            Ok(Some(words.join(" ")))
        }
        lines => Ok(Some(lines.join("\n"))),
    }
}

fn read_stdin() -> anyhow::Result<Option<String>> {
    let mut stdin = std::io::stdin();
    anyhow::ensure!(
        !stdin.is_terminal(),
        "say a record, a filter (--interface, --action, …), or give records on standard input"
    );
    let mut text = String::new();
    stdin
        .read_to_string(&mut text)
        .context("standard input cannot be read as text")?;
    Ok(Some(text))
}

fn render(explanations: &Explanations, style: Style) -> String {
    let answers = explanations.answers.iter();
    answers
        .map(|answer| one(answer, style))
        .collect::<Vec<_>>()
        .join("\n")
}

fn one(answer: &FlowWhy, style: Style) -> String {
    let mut text = String::new();
    if let Some(line) = answer.line {
        text += &style.paint(Tone::Quiet, &format!("line {line}: "));
    }
    if let Some(record) = &answer.record {
        text += &style.paint(Tone::Strong, &subject(record));
        text.push('\n');
    }
    if let Some(error) = &answer.error {
        text += &style.paint(Tone::Bad, error);
        text.push('\n');
    }
    if let Some(why) = &answer.why {
        text += &reasons(why, style);
    }
    text
}

/// A record in one line.
fn subject(record: &FlowLine) -> String {
    let time = output::time_of_day(record.start);
    if record.flow_direction.is_empty() {
        return format!("{time} {} {}", record.interface_id, record.log_status);
    }
    format!(
        "{time} {} {} {} {} → {} {}",
        record.interface_id,
        output::way(&record.flow_direction),
        output::protocol(record.protocol),
        super::flows::end(&record.srcaddr, record.srcport),
        super::flows::end(&record.dstaddr, record.dstport),
        record.action,
    )
}

fn reasons(why: &Why, style: Style) -> String {
    let refused = why
        .decided_by
        .as_ref()
        .is_some_and(|cause| cause.outcome == "drop");
    let tone = if refused { Tone::Refused } else { Tone::Good };
    let mut text = style.paint(tone, &why.verdict) + "\n";
    let mut table = Table::new([
        "", "at", "way", "stage", "outcome", "resource", "rule", "it said",
    ]);
    let decided = why.decided_by.iter().map(|cause| ("decided", cause));
    let passed = why.way.iter().enumerate();
    let passed = passed.map(|(index, cause)| (if index == 0 { "also met" } else { "" }, cause));
    let causes: Vec<_> = decided.chain(passed).collect();
    for (name, cause) in &causes {
        table.row(row(name, cause));
    }
    if !causes.is_empty() {
        text += &table.render(style);
    }
    // A change of several things is told once.
    let mut told = Vec::new();
    for (_, cause) in &causes {
        if let Some(changed) = cause.changed.as_ref().filter(|c| !told.contains(c)) {
            text += &format!("changed at {}: {}\n", changed.at, changed.what);
            told.push(changed);
        }
    }
    if let Some(now) = &why.now {
        let since = now.changed.as_ref().map(|c| format!(" since {}", c.at));
        text += &format!(
            "the same packet now{}: {}\n",
            since.unwrap_or_default(),
            now.text
        );
    }
    if let Some(advice) = &why.advice {
        text += &format!("to do: {advice}\n");
    }
    for note in &why.notes {
        text += &format!("note: {note}\n");
    }
    text
}

fn row(name: &'static str, cause: &Cause) -> [Cell; 8] {
    let tone = match cause.outcome.as_str() {
        "drop" => Tone::Refused,
        _ => Tone::Plain,
    };
    let resource = match (&cause.resource, &cause.name) {
        (Some(id), Some(name)) => format!("{id} ({name})"),
        (id, _) => id.clone().unwrap_or_default(),
    };
    let said = match &cause.description {
        Some(description) => format!("{} \"{description}\"", cause.text),
        None => cause.text.clone(),
    };
    [
        Cell::new(Tone::Strong, name),
        cause.place.as_str().into(),
        output::way(&cause.direction).into(),
        cause.stage.as_str().into(),
        Cell::new(tone, cause.outcome.as_str()),
        resource.into(),
        cause.rule.as_deref().unwrap_or_default().into(),
        said.into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use server::ops::{Changed, Now};

    fn refused() -> FlowLine {
        FlowLine {
            interface_id: "eni-1".to_owned(),
            flow_direction: "ingress".to_owned(),
            srcaddr: "10.0.1.10".to_owned(),
            dstaddr: "10.0.2.20".to_owned(),
            srcport: 40_000,
            dstport: 5432,
            protocol: 6,
            start: 1_700_000_000,
            action: "REJECT".to_owned(),
            ..FlowLine::default()
        }
    }

    #[test]
    fn a_refusal_with_what_became_of_it() {
        let changed = Some(Changed {
            at: "2023-11-14T22:18:20.000Z".to_owned(),
            what: "security group sg-1 (db): inbound rule sgr-2 (tcp 5432 from 10.0.1.0/24) added"
                .to_owned(),
        });
        let cause =
            |place: &str, stage: &str, rule: Option<&str>, text: &str, outcome: &str| Cause {
                stage: stage.to_owned(),
                place: place.to_owned(),
                direction: "ingress".to_owned(),
                rule: rule.map(str::to_owned),
                text: text.to_owned(),
                outcome: outcome.to_owned(),
                ..Cause::default()
            };
        let why = Why {
            verdict:
                "REJECT: no inbound rule of sg-1 (db) lets in tcp 5432 from 10.0.1.10 to 10.0.2.20."
                    .to_owned(),
            decided_by: Some(Cause {
                changed: changed.clone(),
                ..cause(
                    "eni-1",
                    "security group",
                    None,
                    "no inbound rule of sg-1 allows it",
                    "drop",
                )
            }),
            way: vec![cause(
                "subnet-1",
                "network ACL",
                Some("100"),
                "rule 100 allow all 0.0.0.0/0",
                "pass",
            )],
            now: Some(Now {
                text: "delivered to eni-1".to_owned(),
                changed,
            }),
            advice: Some("aws ec2 …".to_owned()),
            ..Why::default()
        };
        let explanations = Explanations {
            answers: vec![
                FlowWhy {
                    line: Some(1),
                    record: Some(refused()),
                    why: Some(why),
                    error: None,
                },
                FlowWhy {
                    line: Some(2),
                    error: Some("no such record".to_owned()),
                    ..FlowWhy::default()
                },
            ],
            more: 0,
        };
        expect![[r#"
            line 1: 22:13:20 eni-1 in tcp 10.0.1.10:40000 → 10.0.2.20:5432 REJECT
            REJECT: no inbound rule of sg-1 (db) lets in tcp 5432 from 10.0.1.10 to 10.0.2.20.
                      at        way  stage           outcome  resource  rule  it said
            decided   eni-1     in   security group  drop                     no inbound rule of sg-1 allows it
            also met  subnet-1  in   network ACL     pass               100   rule 100 allow all 0.0.0.0/0
            changed at 2023-11-14T22:18:20.000Z: security group sg-1 (db): inbound rule sgr-2 (tcp 5432 from 10.0.1.0/24) added
            the same packet now since 2023-11-14T22:18:20.000Z: delivered to eni-1
            to do: aws ec2 …

            line 2: no such record
        "#]].assert_eq(&render(&explanations, Style { colour: false }));
    }

    #[test]
    fn a_line_may_be_pasted_with_or_without_quotes() {
        let asked = |records: &[&str]| {
            let arguments = FlowsWhy {
                records: records.iter().map(ToString::to_string).collect(),
                log_format: None,
                format: WhyFormat::Table,
                limit: None,
                filter: crate::cli::FlowFilter::default(),
            };
            super::records(&arguments).unwrap().unwrap()
        };
        assert_eq!(asked(&["2", "1", "eni-1"]), "2 1 eni-1");
        assert_eq!(asked(&["2 1 eni-1"]), "2 1 eni-1");
        assert_eq!(asked(&["2 1 eni-1", "2 1 eni-2"]), "2 1 eni-1\n2 1 eni-2");
    }
}
