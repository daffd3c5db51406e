//! Where a scenario plays: a daemon, clients for its accounts, and what was tried so far.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use server::ops::{FlushFlowLogs, Outcome, Trace};

use super::attempt::{PINGS, Seen, run_inside};
use super::daemon::Daemon;
use super::flows::{self, Flows};
use super::network::Instance;
use super::report::{heading, mark};
use crate::client::{Client, Endpoint, Refused};
use crate::output::{self, Cell, Style, Table, Tone};

/// A scenario in progress.
pub(super) struct Stage {
    daemon: Daemon,
    style: Style,
    began: Instant,
    /// What was tried since it was last shown.
    rows: Vec<Row>,
    tried: usize,
    records: usize,
    differences: Vec<String>,
}

struct Row {
    who: String,
    tried: String,
    seen: String,
    expected: String,
    why: String,
}

/// What should become of pings, as `weir trace` says it too.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate<'a> {
    /// Each is answered.
    Answered,
    /// They do not get there, for a reason that contains these words.
    Refused(&'a [&'a str]),
    /// They get there, and their answers do not get back, for such a reason.
    AnswerRefused(&'a [&'a str]),
}

/// What `weir trace` is asked about a packet, and what it should say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) protocol: &'static str,
    pub(super) destination: &'a str,
    pub(super) port: Option<u16>,
    pub(super) outcome: Outcome,
    /// Words that its reason contains.
    pub(super) words: &'a [&'a str],
}

impl Stage {
    /// Starts a daemon of the scenario's own.
    pub(super) fn start() -> anyhow::Result<Self> {
        let began = Instant::now();
        Ok(Self {
            daemon: Daemon::start()?,
            style: Style::of_stdout(),
            began,
            rows: Vec::new(),
            tried: 0,
            records: 0,
            differences: Vec::new(),
        })
    }

    /// Where the daemon listens.
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.daemon.endpoint
    }

    /// A client of an account in a Region.
    pub(super) fn client(&self, account: &str, region: &str) -> anyhow::Result<Client> {
        Client::of(self.endpoint(), account, region)
    }

    /// Prints a heading and what belongs under it.
    pub(super) fn say(&self, title: &str, mut table: Table) -> anyhow::Result<()> {
        output::print(&(heading(title, self.style) + &table.render(self.style)))
    }

    /// Something that the API has said, and what it should have said.
    pub(super) fn claim(&mut self, who: &str, tried: &str, expected: &str, seen: &str) {
        self.note(Row {
            who: who.to_owned(),
            tried: tried.to_owned(),
            seen: seen.to_owned(),
            expected: expected.to_owned(),
            why: String::new(),
        });
    }

    /// Pings an address from inside an instance, and asks `weir trace` about it.
    pub(super) fn ping(
        &mut self,
        from: &Instance,
        to: (&str, &str),
        fate: Fate<'_>,
    ) -> anyhow::Result<()> {
        let (name, address) = to;
        let program = ["__ping", address, &PINGS.to_string()].map(str::to_owned);
        let seen = run_inside(self.endpoint(), &from.instance_id, &program)?;
        let (answered, outcome, words) = match fate {
            Fate::Answered => (PINGS, Outcome::Answered, &[][..]),
            Fate::Refused(words) => (0, Outcome::Refused, words),
            Fate::AnswerRefused(words) => (0, Outcome::AnswerRefused, words),
        };
        let tried = format!("ping {name}, {PINGS} times");
        let question = Question {
            protocol: "icmp",
            destination: address,
            port: None,
            outcome,
            words,
        };
        let why = self.ask(from, &tried, &question)?;
        self.note(Row {
            who: from.name.to_owned(),
            tried,
            seen: seen.to_string(),
            expected: Seen::Replies(answered, PINGS).to_string(),
            why,
        });
        Ok(())
    }

    /// Runs a program inside an instance, and asks `weir trace` why it got nothing, if there is a question.
    pub(super) fn run(
        &mut self,
        from: &Instance,
        tried: &str,
        program: &[String],
        expected: &Seen,
        question: Option<Question<'_>>,
    ) -> anyhow::Result<()> {
        let seen = run_inside(self.endpoint(), &from.instance_id, program)?;
        let why = match question {
            Some(question) => self.ask(from, tried, &question)?,
            None => String::new(),
        };
        self.note(Row {
            who: from.name.to_owned(),
            tried: tried.to_owned(),
            seen: seen.to_string(),
            expected: expected.to_string(),
            why,
        });
        Ok(())
    }

    /// What `weir trace` says; it is to be what the question expects.
    fn ask(
        &mut self,
        from: &Instance,
        tried: &str,
        question: &Question<'_>,
    ) -> anyhow::Result<String> {
        let report = Client::new(self.endpoint())?.weir(&Trace {
            source: from.instance_id.clone(),
            protocol: question.protocol.to_owned(),
            destination: question.destination.to_owned(),
            port: question.port,
        })?;
        let why = match report.outcome {
            Outcome::Answered => String::new(),
            Outcome::Refused => report.request_end,
            Outcome::AnswerRefused => report.answer_end.unwrap_or_default(),
        };
        let wanted = question.outcome;
        if report.outcome != wanted {
            self.differences.push(format!(
                "trace of {}: {tried}: {:?} instead of {wanted:?}",
                from.name, report.outcome
            ));
        }
        if let Some(missing) = question.words.iter().find(|word| !why.contains(**word)) {
            self.differences.push(format!(
                "{}: {tried}: the reason “{why}” does not name “{missing}”",
                from.name
            ));
        }
        Ok(why)
    }

    fn note(&mut self, row: Row) {
        let Row {
            who,
            tried,
            seen,
            expected,
            ..
        } = &row;
        if seen != expected {
            self.differences
                .push(format!("{who}: {tried}: {seen} instead of {expected}"));
        }
        self.tried += 1;
        self.rows.push(row);
    }

    /// Prints what was tried since the last time, and why it did not get through. What is tried
    /// afterwards comes into flow-log records of its own, since a record has one `traffic-path`.
    pub(super) fn show(&mut self, title: &str) -> anyhow::Result<()> {
        Client::new(self.endpoint())?.weir(&FlushFlowLogs {})?;
        let mut table = Table::new(["", "who", "tried", "came back", "expected", "why"]);
        for row in self.rows.drain(..) {
            table.row([
                mark(row.seen == row.expected),
                row.who.into(),
                row.tried.into(),
                row.seen.into(),
                row.expected.into(),
                Cell::new(Tone::Quiet, row.why),
            ]);
        }
        self.say(title, table)
    }

    /// Compares what the flow logs have delivered.
    pub(super) fn flow_logs(
        &mut self,
        accounts: &mut [(Client, String)],
        instances: &[&Instance],
        expected: &Flows,
    ) -> anyhow::Result<()> {
        let mut delivered = Flows::default();
        for (api, bucket) in accounts {
            let read = flows::read(api, bucket);
            delivered.extend(read.with_context(|| format!("read s3://{bucket} back"))?);
        }
        self.records += expected.len();
        self.differences
            .extend(flows::differences(expected, &delivered, instances));
        let table = flows::table(expected, &delivered, instances);
        self.say("The flow-log records that the packets left", table)
    }

    /// Says how it went, and ends the daemon.
    pub(super) fn end(self, keep: bool) -> anyhow::Result<ExitCode> {
        let Self {
            daemon,
            style,
            began,
            tried,
            records,
            differences,
            ..
        } = self;
        output::print(&super::report::end(
            &differences,
            tried,
            &format!("{records} records"),
            began.elapsed(),
            style,
        ))?;
        super::end(daemon, keep, style)?;
        Ok(ExitCode::from(u8::from(!differences.is_empty())))
    }
}

/// How a call ended: what it answered, or AWS's code.
pub(super) fn outcome(answer: anyhow::Result<String>) -> anyhow::Result<String> {
    match answer {
        Ok(answer) => Ok(answer),
        Err(error) => match error.downcast_ref::<Refused>() {
            Some(refused) => Ok(refused.code.clone()),
            None => Err(error),
        },
    }
}
