//! `weir flows`: flow-log records with the rule behind each, and how their deliveries stand.

mod read;

use std::process::ExitCode;

use server::ops::Flows as ReadFlowsAnswer;
use server::ops::{ExportLine, FlowLine, FlowLogLine, FlowLogStatus, FlushFlowLogs, ReadFlows};

use crate::cli::{FlowFilter, Flows, FlowsAction, Format, Target};
use crate::client::Client;
use crate::output::{self, Cell, Style, Table, Tone};

/// How long one call waits for news.
const WAIT_MS: u64 = 20_000;

/// Shows, flushes or reports.
pub(crate) fn run(target: &Target, arguments: &Flows) -> anyhow::Result<ExitCode> {
    if let Some(FlowsAction::Read(read)) = &arguments.action {
        return read::run(target, read);
    }
    let mut client = super::client(target)?;
    match &arguments.action {
        None | Some(FlowsAction::Read(_)) => show(&mut client, arguments),
        Some(FlowsAction::Why(arguments)) => super::why::run(&mut client, arguments),
        Some(FlowsAction::Flush) => flush(&mut client),
        Some(FlowsAction::Status) => {
            let statuses = client.weir(&FlowLogStatus {})?;
            report_exports(&statuses.exports)?;
            report(&statuses.flow_logs)
        }
    }
}

fn show(client: &mut Client, arguments: &Flows) -> anyhow::Result<ExitCode> {
    let mut printer = Printer::new(arguments.format, Style::of_stdout());
    let mut request = ReadFlows {
        after: 0,
        wait_ms: 0,
        live: arguments.live,
        filter: filter(&arguments.filter),
        history: arguments.filter.since.is_some() && !arguments.live,
        limit: arguments.limit,
    };
    let first = client.weir(&request)?;
    let skipped = arguments
        .limit
        .map_or(0, |limit| first.records.len().saturating_sub(limit));
    output::print(&printer.heading())?;
    output::print(&printer.lines(&first.records[skipped..])?)?;
    if first.records.is_empty() && !arguments.follow && arguments.format == Format::Table {
        output::note(if arguments.live {
            "no packets seen yet"
        } else {
            "no records yet: windows close after a minute, or now with `weir flows flush`"
        });
    }
    if arguments.limit.is_none() {
        missed(&first);
    }
    (request.after, request.wait_ms) = (first.next, WAIT_MS);
    request.history = false;
    if !arguments.follow {
        return Ok(ExitCode::SUCCESS);
    }
    loop {
        let flows = client.weir(&request)?;
        output::print(&printer.lines(&flows.records)?)?;
        missed(&flows);
        request.after = flows.next;
    }
}

/// Says how many flows there is no place for.
fn missed(flows: &ReadFlowsAnswer) {
    if flows.missed > 0 {
        output::note(&format!(
            "{} flows are missing here: there were more than are remembered (a filter shows fewer)",
            flows.missed
        ));
    }
}

/// The filter as the daemon takes it.
pub(super) fn filter(arguments: &FlowFilter) -> server::ops::FlowFilter {
    server::ops::FlowFilter {
        interface: arguments.interface.clone(),
        address: arguments.packets.address.clone(),
        port: arguments.packets.port,
        protocol: arguments.packets.protocol.clone(),
        action: arguments.packets.action.clone(),
        since: arguments.since,
        until: arguments.until,
    }
}

fn flush(client: &mut Client) -> anyhow::Result<ExitCode> {
    let flushed = client.weir(&FlushFlowLogs {})?;
    let plural = if flushed.records == 1 { "" } else { "s" };
    output::line(&format!(
        "{} record{plural} of the windows closed now",
        flushed.records
    ))?;
    report(&flushed.flow_logs)
}

/// Prints how exports stand, if there are any.
fn report_exports(exports: &[ExportLine]) -> anyhow::Result<()> {
    let mut table = Table::new(["export", ">written", ">dropped", "last error"]);
    for line in exports {
        table.row([
            line.export.as_str().into(),
            line.written.to_string().into(),
            line.dropped.to_string().into(),
            Cell::new(Tone::Bad, line.error.clone().unwrap_or_default()),
        ]);
    }
    if exports.is_empty() {
        return Ok(());
    }
    output::print(&table.render(Style::of_stdout()))
}

/// Prints how deliveries stand; 1 if one fails.
fn report(flow_logs: &[FlowLogLine]) -> anyhow::Result<ExitCode> {
    let mut table = Table::new([
        "flow log",
        "destination",
        ">delivered",
        ">waiting",
        ">lag",
        "last delivery",
        ">SKIPDATA",
        ">lost",
        "last error",
    ]);
    for line in flow_logs {
        table.row([
            line.flow_log_id.as_str().into(),
            line.destination.as_str().into(),
            line.delivered.to_string().into(),
            match line.waiting_batches {
                0 => "0 B".to_owned(),
                1 => format!("1 batch, {} B", line.spooled_bytes),
                many => format!("{many} batches, {} B", line.spooled_bytes),
            }
            .into(),
            format!("{} s", line.lag_s).into(),
            line.last_delivery
                .map_or_else(Cell::default, |at| output::time_of_day(at).into()),
            line.skipdata.to_string().into(),
            lost(line).into(),
            Cell::new(Tone::Bad, line.error.clone().unwrap_or_default()),
        ]);
    }
    if !flow_logs.is_empty() {
        output::print(&table.render(Style::of_stdout()))?;
    }
    let fails = flow_logs.iter().any(|line| line.error.is_some());
    Ok(ExitCode::from(u8::from(fails)))
}

/// What never arrives: batches given up, and records that the destination has thrown away.
fn lost(line: &FlowLogLine) -> String {
    match (line.dropped_batches, line.rejected) {
        (0, 0) => "0".to_owned(),
        (0, records) => format!("{records} records"),
        (batches, 0) => format!("{batches} batches"),
        (batches, records) => format!("{batches} batches, {records} records"),
    }
}

/// Turns records into text.
struct Printer {
    format: Format,
    style: Style,
    table: Table,
}

impl Printer {
    fn new(format: Format, style: Style) -> Self {
        let table = Table::new([
            "time",
            "interface",
            "way",
            "source",
            "destination",
            "proto",
            ">packets",
            ">bytes",
            "action",
            "why",
        ]);
        Self {
            format,
            style,
            table: table.at_least([8, 21, 3, 16, 16, 5, 7, 8, 6]),
        }
    }

    fn heading(&self) -> String {
        match self.format {
            Format::Table => self.table.heading(self.style),
            Format::Json => String::new(),
            Format::Csv => CSV.map(|(name, _)| name).join(",") + "\n",
        }
    }

    fn lines(&mut self, records: &[FlowLine]) -> anyhow::Result<String> {
        match self.format {
            Format::Table => {
                for record in records {
                    self.table.row(row(record));
                }
                Ok(self.table.take_rows(self.style))
            }
            Format::Json => {
                let lines = records
                    .iter()
                    .map(|record| Ok(serde_json::to_string(record)? + "\n"));
                lines.collect()
            }
            Format::Csv => Ok(records.iter().map(csv).collect()),
        }
    }
}

fn row(record: &FlowLine) -> [Cell; 10] {
    let begin = [
        output::time_of_day(record.start).into(),
        record.interface_id.as_str().into(),
    ];
    let [time, interface] = begin;
    if record.flow_direction.is_empty() {
        let status = Cell::new(Tone::Quiet, record.log_status.as_str());
        let none = Cell::default;
        return [
            time,
            interface,
            none(),
            none(),
            none(),
            none(),
            none(),
            none(),
            none(),
            status,
        ];
    }
    let tone = if record.action == "REJECT" {
        Tone::Refused
    } else {
        Tone::Good
    };
    [
        time,
        interface,
        output::way(&record.flow_direction).into(),
        end(&record.srcaddr, record.srcport).into(),
        end(&record.dstaddr, record.dstport).into(),
        output::protocol(record.protocol).into(),
        record.packets.to_string().into(),
        record.bytes.to_string().into(),
        Cell::new(tone, record.action.as_str()),
        record.why.as_str().into(),
    ]
}

/// An address with its port, if it has one.
pub(super) fn end(address: &str, port: u16) -> String {
    match (port, address.contains(':')) {
        (0, _) => address.to_owned(),
        (port, true) => format!("[{address}]:{port}"),
        (port, false) => format!("{address}:{port}"),
    }
}

type Field = (&'static str, fn(&FlowLine) -> String);

const CSV: [Field; 16] = [
    ("account-id", |r| r.account_id.clone()),
    ("interface-id", |r| r.interface_id.clone()),
    ("instance-id", |r| r.instance_id.clone().unwrap_or_default()),
    ("flow-direction", |r| r.flow_direction.clone()),
    ("srcaddr", |r| r.srcaddr.clone()),
    ("dstaddr", |r| r.dstaddr.clone()),
    ("srcport", |r| r.srcport.to_string()),
    ("dstport", |r| r.dstport.to_string()),
    ("protocol", |r| r.protocol.to_string()),
    ("packets", |r| r.packets.to_string()),
    ("bytes", |r| r.bytes.to_string()),
    ("start", |r| r.start.to_string()),
    ("end", |r| r.end.to_string()),
    ("action", |r| r.action.clone()),
    ("log-status", |r| r.log_status.clone()),
    ("why", |r| r.why.clone()),
];

fn csv(record: &FlowLine) -> String {
    CSV.map(|(_, value)| csv_quoted(&value(record))).join(",") + "\n"
}

/// A field of RFC 4180.
fn csv_quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn records() -> Vec<FlowLine> {
        let rejected = FlowLine {
            account_id: "123456789012".to_owned(),
            interface_id: "eni-0123456789abcdef0".to_owned(),
            flow_direction: "ingress".to_owned(),
            srcaddr: "10.0.1.10".to_owned(),
            dstaddr: "10.0.2.20".to_owned(),
            srcport: 55432,
            dstport: 5432,
            protocol: 6,
            packets: 1,
            bytes: 60,
            start: 1_529_511_899,
            end: 1_529_511_900,
            action: "REJECT".to_owned(),
            log_status: "OK".to_owned(),
            why: "no inbound rule of sg-1, sg-2 allows it".to_owned(),
            ..FlowLine::default()
        };
        let empty = FlowLine {
            interface_id: "eni-0123456789abcdef0".to_owned(),
            action: "-".to_owned(),
            log_status: "NODATA".to_owned(),
            ..FlowLine::default()
        };
        vec![rejected, empty]
    }

    fn printed(format: Format) -> String {
        let mut printer = Printer::new(format, Style { colour: false });
        printer.heading() + &printer.lines(&records()).unwrap()
    }

    #[test]
    fn formats() {
        expect![[r#"
            time      interface              way  source            destination       proto  packets     bytes  action  why
            16:24:59  eni-0123456789abcdef0  in   10.0.1.10:55432   10.0.2.20:5432    tcp          1        60  REJECT  no inbound rule of sg-1, sg-2 allows it
            00:00:00  eni-0123456789abcdef0                                                                             NODATA
        "#]]
        .assert_eq(&printed(Format::Table));
        expect![[r#"
            account-id,interface-id,instance-id,flow-direction,srcaddr,dstaddr,srcport,dstport,protocol,packets,bytes,start,end,action,log-status,why
            123456789012,eni-0123456789abcdef0,,ingress,10.0.1.10,10.0.2.20,55432,5432,6,1,60,1529511899,1529511900,REJECT,OK,"no inbound rule of sg-1, sg-2 allows it"
            ,eni-0123456789abcdef0,,,,,0,0,0,0,0,0,0,-,NODATA,
        "#]]
        .assert_eq(&printed(Format::Csv));
        assert_eq!(printed(Format::Json).lines().count(), 2);
    }

    #[test]
    fn ends_of_flows() {
        assert_eq!(end("10.0.0.1", 0), "10.0.0.1");
        assert_eq!(end("10.0.0.1", 80), "10.0.0.1:80");
        assert_eq!(end("fd00::1", 80), "[fd00::1]:80");
    }
}
