//! The arguments of `weir flows read`.

use std::net::IpAddr;

use clap::{Args, ValueEnum};
use ipnet::IpNet;

use super::Format;
use super::moment::moment;

/// Arguments of `weir flows read`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(after_help = "Examples:
  weir flows read s3://logs/AWSLogs/                      what Weir has delivered
  weir flows read --action REJECT --since 10m s3://logs/
  weir flows read --address 10.0.1.0/24 --port 443 --fields start,srcaddr,dstaddr,bytes old/*.log.gz
  weir flows read --format json flows.log.parquet | jq 'select(.bytes > 1e6)'
  aws s3 cp s3://elsewhere/x.log.gz - | weir flows read -
  weir flows read --s3-endpoint https://s3.eu-west-1.amazonaws.com s3://bucket/AWSLogs/    what AWS has delivered

Reads text, gzip and Parquet, told apart by how they begin; fields are those that the header or the
schema names, of any version and also unknown ones, and those of the default format where text has no
header. Files are read in the order of their names; a folder is read whole. `-` stands for no value,
in JSON null. Records are taken that overlap the time from --since until --until.

s3:// means the daemon's S3 (see --endpoint), with its keys unless this shell has AWS keys; or that of
--s3-endpoint or $AWS_ENDPOINT_URL_S3: http://HOST[:PORT], or https://HOST[:PORT] with certificates
checked by the machine's authorities or those in $AWS_CA_BUNDLE. Keys and Region are those of
$AWS_ACCESS_KEY_ID, $AWS_SECRET_ACCESS_KEY, $AWS_SESSION_TOKEN and $AWS_REGION, else of $AWS_PROFILE
or the default profile in ~/.aws.

What cannot be read is told on standard error with its place, as FILE:LINE or FILE:row ROW, at most a
hundred times for a file, and then counted. Reading goes on behind it, but not behind damage in gzip.

Exit status: 0 everything was read; 1 something was malformed, damaged or cut short; 3 a source could
not be read at all, or the command itself failed.")]
pub(crate) struct ReadFlowLogs {
    /// s3://BUCKET/KEY-OR-PREFIX, a file, a folder, or - for standard input
    #[arg(required = true, value_name = "SOURCE")]
    pub(crate) sources: Vec<String>,
    /// How to print records
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// Only these fields, in this order, by AWS's names [default: those of the file]
    #[arg(long, value_name = "FIELD,…", value_delimiter = ',', value_parser = field)]
    pub(crate) fields: Vec<String>,
    /// Only from or to this address or CIDR block, of the flow or of its packets; may be repeated
    #[arg(long, alias = "addr", value_name = "ADDRESS|CIDR", value_parser = block)]
    pub(crate) address: Vec<IpNet>,
    /// Only from or to this port; may be repeated
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Vec<u16>,
    /// Only what was accepted, or only what was refused
    #[arg(long, value_enum, ignore_case = true)]
    pub(crate) action: Option<Action>,
    /// Only what this network interface recorded; may be repeated
    #[arg(long, value_name = "ENI")]
    pub(crate) interface: Vec<String>,
    /// Only what ended then or later: 10m or '10m ago' (s, m, h, d), Unix seconds, 2026-05-01 or 2026-05-01T10:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) since: Option<u64>,
    /// Only what began before then, said the same way
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) until: Option<u64>,
    /// Only the first N records: what comes behind them is not read
    #[arg(long, short = 'n', value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// Read s3:// from this S3 instead of the daemon's [default: $AWS_ENDPOINT_URL_S3]
    #[arg(long, value_name = "URL")]
    pub(crate) s3_endpoint: Option<String>,
}

/// What became of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Action {
    /// They passed
    #[value(name = "ACCEPT")]
    Accept,
    /// They were refused
    #[value(name = "REJECT")]
    Reject,
}

/// A name of a field, with hyphens or as in Parquet.
fn field(text: &str) -> Result<String, String> {
    let name = text.trim().replace('_', "-");
    let letter = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-');
    if name.is_empty() || !name.bytes().all(letter) {
        return Err("expected names of fields, such as srcaddr,dstaddr".to_owned());
    }
    Ok(name)
}

/// An address, or a CIDR block.
fn block(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let block = text.parse().ok().or_else(address);
    block.ok_or_else(|| "expected an address or a CIDR block".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_blocks() {
        assert_eq!(field("log_status").as_deref(), Ok("log-status"));
        assert_eq!(block("10.0.0.1"), block("10.0.0.1/32"));
        assert_eq!(block("2001:db8::1"), block("2001:db8::1/128"));
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/x",
            "::/129",
            "web",
        ] {
            assert!(block(text).is_err(), "{text}");
        }
        assert!(field("").is_err() && field("Start").is_err() && field("a b").is_err());
    }
}
