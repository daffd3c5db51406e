//! `weir flows read`: flow-log files of any origin as a table, JSON lines or CSV.

mod print;
mod s3;
mod source;

use std::collections::BTreeSet;
use std::io;
use std::ops::ControlFlow;
use std::process::ExitCode;

use flow_log_files::{Columns, Filter, Problem, Record, Visitor, Window};

use crate::cli::{Action, ReadFlowLogs, Target};
use crate::output::{self, Style};
use print::Printer;
use source::Source;

/// How many problems of one file are told one by one.
const TOLD_MAX: u64 = 100;
/// Something could not be read.
const INCOMPLETE: u8 = 1;
/// A source could not be read at all.
const UNREAD: u8 = 3;

/// Reads every source and prints what the filters leave.
pub(crate) fn run(target: &Target, arguments: &ReadFlowLogs) -> anyhow::Result<ExitCode> {
    let mut reading = Reading::new(arguments);
    let mut unread = false;
    'all: for argument in &arguments.sources {
        let sources = match source::expand(argument, target, arguments) {
            Ok(sources) => sources,
            Err(error) => {
                output::note(&format!("{}: {error:#}", output::printable(argument)));
                unread = true;
                continue;
            }
        };
        for source in sources {
            match reading.read(source) {
                Ok(true) => {}
                Ok(false) => break 'all,
                Err(error) => {
                    output::note(&format!("{}: {error:#}", reading.name));
                    unread = true;
                }
            }
        }
    }
    reading.end()?;
    Ok(match (unread, reading.problems) {
        (true, _) => ExitCode::from(UNREAD),
        (false, 0) => ExitCode::SUCCESS,
        (false, _) => ExitCode::from(INCOMPLETE),
    })
}

/// Tells records to the printer, and problems to the user.
struct Reading {
    filter: Filter,
    printer: Printer,
    limit: Option<u64>,
    printed: u64,
    /// The file being read.
    name: String,
    /// Its problems so far.
    problems_here: u64,
    /// Those of all files.
    problems: u64,
    /// What filters need and the file lacks; told once for a file.
    missing: BTreeSet<&'static str>,
    /// The printer failed; nothing more can be shown.
    failed: Option<anyhow::Error>,
}

impl Reading {
    fn new(arguments: &ReadFlowLogs) -> Self {
        let action = arguments.action.map(|action| match action {
            Action::Accept => "ACCEPT".to_owned(),
            Action::Reject => "REJECT".to_owned(),
        });
        Self {
            filter: Filter {
                addresses: arguments.address.clone(),
                ports: arguments.port.clone(),
                action,
                interfaces: arguments.interface.clone(),
                window: Window {
                    since: arguments.since,
                    until: arguments.until,
                },
            },
            printer: Printer::new(
                arguments.format,
                Style::of_stdout(),
                arguments.fields.clone(),
            ),
            limit: arguments.limit,
            printed: 0,
            name: String::new(),
            problems_here: 0,
            problems: 0,
            missing: BTreeSet::new(),
            failed: None,
        }
    }

    /// Reads one file; `false` when enough has been read.
    fn read(&mut self, source: Source) -> anyhow::Result<bool> {
        if self.limit.is_some_and(|limit| self.printed >= limit) {
            return Ok(false);
        }
        self.name = output::printable(&source.name());
        self.problems_here = 0;
        self.missing.clear();
        let result = source.read(self);
        if self.problems_here > TOLD_MAX {
            let more = self.problems_here - TOLD_MAX;
            output::note(&format!("{}: and {more} more like these", self.name));
        }
        self.problems += self.problems_here;
        match self.failed.take() {
            Some(error) => Err(error),
            None => result,
        }
    }

    fn end(&mut self) -> anyhow::Result<()> {
        self.printer.end();
        write(&mut self.printer)?;
        if self.problems > 0 {
            let plural = if self.problems == 1 { "" } else { "s" };
            output::note(&format!("{} problem{plural} in all", self.problems));
        }
        for field in self.printer.never_seen() {
            output::note(&format!("no file has a field {field}"));
        }
        Ok(())
    }
}

fn write(printer: &mut Printer) -> anyhow::Result<()> {
    match printer.write(&mut io::stdout().lock()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => Ok(result?),
    }
}

impl Visitor for Reading {
    fn columns(&mut self, columns: &Columns) {
        for field in self.filter.missing(columns) {
            if self.missing.insert(field) {
                output::note(&format!(
                    "{}: has no field {field} to filter by, so none of its records match",
                    self.name
                ));
            }
        }
        let left_out = self.printer.columns(columns);
        if !left_out.is_empty() {
            output::note(&format!(
                "{}: has fields that the heading has not, which are left out (--fields says what to print): {}",
                self.name,
                output::printable(&left_out.join(", "))
            ));
        }
    }

    fn record(&mut self, record: &Record<'_>) -> ControlFlow<()> {
        if !self.filter.admits(record) {
            return ControlFlow::Continue(());
        }
        self.printer.record(record);
        if self.printer.is_full()
            && let Err(error) = write(&mut self.printer)
        {
            self.failed = Some(error);
            return ControlFlow::Break(());
        }
        self.printed += 1;
        if self.limit.is_some_and(|limit| self.printed >= limit) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn problem(&mut self, problem: Problem) {
        self.problems_here += 1;
        if self.problems_here <= TOLD_MAX {
            output::note(&format!("{}{}: {}", self.name, problem.place, problem.what));
        }
    }
}
