//! Metrics in Prometheus' text format: `GET /_weir/metrics`. `docs/metrics.md` lists them.

use std::fmt::{Display, Write as _};

use delivery::FlowLogDelivery;
use model::FlowLogId;

use crate::daemon::Daemon;
use crate::datapath::Measures;
use crate::recorder::RecordCounts;

/// What the metrics are made of.
pub(crate) struct Sources {
    measures: Measures,
    counts: RecordCounts,
    deliveries: Vec<FlowLogDelivery>,
    spool_bytes: u64,
    spool_bytes_max: u64,
    uptime_s: u64,
}

impl Sources {
    /// Those of a daemon, now.
    pub(crate) fn of(daemon: &Daemon, uptime_s: u64) -> Self {
        let recorder = &daemon.flow_logs;
        Self {
            measures: daemon.datapath.measures(),
            counts: recorder.counts(),
            deliveries: recorder.deliveries(),
            spool_bytes: recorder.spooled_bytes(),
            spool_bytes_max: crate::recorder::SPOOL_BYTES_MAX,
            uptime_s,
        }
    }

    /// The text.
    pub(crate) fn render(&self) -> String {
        let mut text = Text::default();
        self.packets(&mut text);
        self.records(&mut text);
        self.deliveries(&mut text);
        text.0
    }

    fn packets(&self, text: &mut Text) {
        let counters = &self.measures.counters;
        text.one(
            "weir_uptime_seconds",
            "gauge",
            "Time since the daemon started.",
            self.uptime_s,
        );
        let forwarded = "Frames given to a port as they came, or translated.";
        text.one(
            "weir_packets_forwarded_total",
            "counter",
            forwarded,
            counters.forwarded,
        );
        let emitted = "Frames made by the data plane: answers, errors and fragments.";
        text.one(
            "weir_packets_emitted_total",
            "counter",
            emitted,
            counters.emitted,
        );
        let cached = "Frames, forwarded or dropped, that the flow cache alone has decided.";
        text.one(
            "weir_packets_cached_total",
            "counter",
            cached,
            counters.cached,
        );
        text.head(
            "weir_packets_dropped_total",
            "counter",
            "Frames dropped, by reason.",
        );
        for (reason, count) in counters.drops() {
            text.line(
                "weir_packets_dropped_total",
                &[("reason", reason.name())],
                count,
            );
        }
        text.one(
            "weir_flows_cached",
            "gauge",
            "Flows in the flow cache.",
            self.measures.flows,
        );
        let tracked = "Connections that security groups track.";
        text.one(
            "weir_connections_tracked",
            "gauge",
            tracked,
            self.measures.connections,
        );
    }

    fn records(&self, text: &mut Text) {
        let counts = &self.counts;
        let flows = "Flows held in open windows of flow logs.";
        text.one("weir_flow_log_flows_held", "gauge", flows, counts.flows);
        let closed = "Windows closed that had something to tell.";
        text.one(
            "weir_flow_log_windows_closed_total",
            "counter",
            closed,
            counts.windows,
        );
        let records = "weir_flow_log_records_total";
        text.head(
            records,
            "counter",
            "Records made for flow logs, by log-status.",
        );
        text.line(records, &[("status", "OK")], counts.ok);
        text.line(records, &[("status", "NODATA")], counts.no_data);
        let skipped: u64 = counts.skip_data.values().sum();
        text.line(records, &[("status", "SKIPDATA")], skipped);
        let spool = "Bytes of records on disk that wait for their destinations.";
        text.one("weir_spool_bytes", "gauge", spool, self.spool_bytes);
        let max = "Bytes that may wait; what comes then is lost, and SKIPDATA says so.";
        text.one("weir_spool_bytes_max", "gauge", max, self.spool_bytes_max);
    }

    fn deliveries(&self, text: &mut Text) {
        let skip_data = |id: FlowLogId| self.counts.skip_data.get(&id).copied().unwrap_or(0);
        let columns: [Column<'_>; 10] = [
            (
                "delivered_records_total",
                "counter",
                "Records delivered.",
                &|d| d.delivered_records,
            ),
            (
                "delivered_batches_total",
                "counter",
                "Batches delivered: files in S3.",
                &|d| d.delivered_batches,
            ),
            (
                "waiting_batches",
                "gauge",
                "Batches that wait on disk.",
                &|d| d.waiting_batches as u64,
            ),
            ("waiting_bytes", "gauge", "Their bytes.", &|d| {
                d.waiting_bytes
            }),
            (
                "lag_seconds",
                "gauge",
                "Age of the oldest record that waits.",
                &|d| d.lag.as_secs(),
            ),
            (
                "failures_total",
                "counter",
                "Attempts to deliver that failed.",
                &|d| d.failures,
            ),
            (
                "dropped_batches_total",
                "counter",
                "Batches given up: refused for good, damaged on disk, or of a deleted flow log.",
                &|d| d.dropped_batches,
            ),
            (
                "rejected_records_total",
                "counter",
                "Records that the destination took and threw away: too old or too new.",
                &|d| d.rejected_records,
            ),
            (
                "skipdata_records_total",
                "counter",
                "SKIPDATA records made.",
                &|d| skip_data(d.flow_log_id),
            ),
            (
                "last_delivery_timestamp_seconds",
                "gauge",
                "When something was last delivered; 0 for never.",
                &|d| d.last_delivery.map_or(0, model::Timestamp::as_secs),
            ),
        ];
        for (name, kind, help, value) in columns {
            let name = format!("weir_flow_log_{name}");
            text.head(&name, kind, help);
            for delivery in &self.deliveries {
                let id = delivery.flow_log_id.to_string();
                text.line(&name, &[("flow_log_id", &id)], value(delivery));
            }
        }
    }
}

/// Name, kind, help, and the value of a flow log.
type Column<'a> = (
    &'a str,
    &'a str,
    &'a str,
    &'a dyn Fn(&FlowLogDelivery) -> u64,
);

#[derive(Default)]
struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (i, (label, text)) in labels.iter().enumerate() {
            let before = if i == 0 { '{' } else { ',' };
            let text = text
                .replace('\\', r"\\")
                .replace('"', r#"\""#)
                .replace('\n', r"\n");
            let _ = write!(self.0, "{before}{label}=\"{text}\"");
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{end} {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.head(name, kind, help);
        self.line(name, &[], value);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::expect;
    use model::Timestamp;

    use super::*;

    #[test]
    fn every_number_is_there_once() {
        let id: FlowLogId = "fl-00000001".parse().unwrap();
        let sources = Sources {
            measures: Measures::default(),
            counts: RecordCounts {
                windows: 3,
                ok: 20,
                no_data: 2,
                skip_data: [(id, 1)].into(),
                flows: 7,
            },
            deliveries: vec![FlowLogDelivery {
                scope: None,
                flow_log_id: id,
                waiting_batches: 2,
                waiting_bytes: 300,
                lag: Duration::from_millis(61_500),
                delivered_batches: 4,
                delivered_records: 18,
                dropped_batches: 0,
                rejected_records: 5,
                failures: 6,
                last_delivery: Some(Timestamp::from_secs(1_700_000_000)),
                last_error: Some("no".to_owned()),
            }],
            spool_bytes: 300,
            spool_bytes_max: 4 << 30,
            uptime_s: 9,
        };
        let text = sources.render();
        let is_value = |line: &&str| !line.starts_with('#') && !line.starts_with("weir_packets_dr");
        let values: Vec<_> = text.lines().filter(is_value).collect();
        expect![[r#"
            weir_uptime_seconds 9
            weir_packets_forwarded_total 0
            weir_packets_emitted_total 0
            weir_packets_cached_total 0
            weir_flows_cached 0
            weir_connections_tracked 0
            weir_flow_log_flows_held 7
            weir_flow_log_windows_closed_total 3
            weir_flow_log_records_total{status="OK"} 20
            weir_flow_log_records_total{status="NODATA"} 2
            weir_flow_log_records_total{status="SKIPDATA"} 1
            weir_spool_bytes 300
            weir_spool_bytes_max 4294967296
            weir_flow_log_delivered_records_total{flow_log_id="fl-00000001"} 18
            weir_flow_log_delivered_batches_total{flow_log_id="fl-00000001"} 4
            weir_flow_log_waiting_batches{flow_log_id="fl-00000001"} 2
            weir_flow_log_waiting_bytes{flow_log_id="fl-00000001"} 300
            weir_flow_log_lag_seconds{flow_log_id="fl-00000001"} 61
            weir_flow_log_failures_total{flow_log_id="fl-00000001"} 6
            weir_flow_log_dropped_batches_total{flow_log_id="fl-00000001"} 0
            weir_flow_log_rejected_records_total{flow_log_id="fl-00000001"} 5
            weir_flow_log_skipdata_records_total{flow_log_id="fl-00000001"} 1
            weir_flow_log_last_delivery_timestamp_seconds{flow_log_id="fl-00000001"} 1700000000
        "#]]
        .assert_eq(&(values.join("\n") + "\n"));
        let heads = text.lines().filter(|line| line.starts_with("# TYPE"));
        assert_eq!(heads.count(), 22);
        assert!(text.contains(r#"weir_packets_dropped_total{reason=""#));
    }
}
