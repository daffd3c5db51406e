//! Arguments of `weir flows` and of `weir flows why`, and what both have in common with others.

use clap::{Args, Subcommand, ValueEnum};

use super::ReadFlowLogs;
use super::moment::moment;

/// Arguments of `weir flows`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  weir flows --follow                 records as windows close
  weir flows --live --follow          flows as they happen, within a second
  weir flows --since 2h --action REJECT --port 5432    of the past, as far as it is on disk
  weir flows flush && weir flows      close the windows now instead of in a minute
  weir flows why --action REJECT      why they were refused, and what to do about it
  weir flows read s3://logs/          what has been delivered; see weir flows read --help
  weir flows --format json | jq 'select(.action == \"REJECT\") | .why'")]
pub(crate) struct Flows {
    #[command(subcommand)]
    pub(crate) action: Option<FlowsAction>,
    /// Go on until Ctrl-C
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// What is seen right now, instead of the records of closed windows
    #[arg(long)]
    pub(crate) live: bool,
    /// How to print them
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// Only the last N of what is remembered, which are at most 8192, also of before a restart
    #[arg(long, short = 'n', value_name = "N")]
    pub(crate) limit: Option<usize>,
    #[command(flatten)]
    pub(crate) filter: FlowFilter,
}

/// Which flows; everything that is said has to hold.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct FlowFilter {
    /// Only what this interface recorded, or this regional NAT gateway
    #[arg(long, value_name = "ENI")]
    pub(crate) interface: Option<String>,
    #[command(flatten)]
    pub(crate) packets: PacketFilter,
    /// From the history on disk, what ended then or later: 10m or '10m ago' (s, m, h, d), Unix seconds, 2026-05-01 or
    /// 2026-05-01T10:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) since: Option<u64>,
    /// What began then or earlier, said the same way
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) until: Option<u64>,
}

/// Which packets; everything that is said has to hold.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct PacketFilter {
    /// Only what goes to or comes from an address or block
    #[arg(long, value_name = "ADDRESS|CIDR")]
    pub(crate) address: Option<String>,
    /// Only what goes to or comes from a port
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// Only what is of a protocol: tcp, udp, icmp, icmpv6 or a number
    #[arg(long)]
    pub(crate) protocol: Option<String>,
    /// Only ACCEPT or REJECT
    #[arg(long)]
    pub(crate) action: Option<String>,
}

/// Arguments of `weir flows why`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  weir flows why 2 123456789012 eni-0123… 10.0.1.10 10.0.2.20 41000 5432 6 1 60 1700000000 1700000003 REJECT OK
  aws s3 cp s3://bucket/…log.gz - | zcat | grep REJECT | weir flows why     lines of the default format, or with a header
  weir flows why --log-format '${interface-id} ${srcaddr} ${dstaddr} ${start} ${end}' 'eni-0123… 10.0.1.10 …'
  weir flows why --interface eni-0123… --since 10m --action REJECT
  weir flows why --action REJECT --format json | jq '.answers[].why.advice'

Each record is explained by the configuration of its moment; what has changed since is told with the time of the change.
Records of closed windows are kept, with what decided them, up to 256 MiB, and changes of the configuration up to 64 MiB.

Exit status: 0 every record was found; 1 one was not, or a line is no record; 3 the command itself failed.")]
pub(crate) struct FlowsWhy {
    /// Flow-log records; without any, and without a filter, they are read from standard input
    #[arg(value_name = "RECORD")]
    pub(crate) records: Vec<String>,
    /// The format of the records; without it, the default format, or what a header line says
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,
    /// How to print the answers
    #[arg(long, value_enum, default_value_t = WhyFormat::Table)]
    pub(crate) format: WhyFormat,
    /// Only the last N records of a filter, or the first N pasted ones [default: 20]
    #[arg(long, short = 'n', value_name = "N")]
    pub(crate) limit: Option<usize>,
    #[command(flatten)]
    pub(crate) filter: FlowFilter,
}

/// How to print explanations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WhyFormat {
    /// For people
    Table,
    /// One JSON document
    Json,
}

/// What else to do with flow logs.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum FlowsAction {
    /// Say why records say what they say: the rule, route or gateway of that moment
    Why(Box<FlowsWhy>),
    /// Close every window now and wait until the records are delivered
    Flush,
    /// Show how the deliveries of each flow log stand
    Status,
    /// Read files of flow logs, Weir's or AWS's, from disk, S3 or standard input
    Read(Box<ReadFlowLogs>),
}

/// How to print records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns
    Table,
    /// One JSON object per line
    Json,
    /// Comma-separated values with a header
    Csv,
}
