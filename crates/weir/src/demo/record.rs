//! Flow-log records: those that were delivered, those that are expected, and what differs.

use std::collections::BTreeMap;
use std::io::Read;

use anyhow::{Context, bail};
use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};

use super::network::{BUCKET, Instance, LOG_GROUP, Network};
use crate::client::Client;

/// What tells flows apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// Source address and port.
    pub(super) source: (String, u16),
    /// Destination address and port.
    pub(super) destination: (String, u16),
    /// IANA number.
    pub(super) protocol: u8,
}

impl Key {
    /// From one instance to another.
    pub(super) fn new(
        from: &Instance,
        from_port: u16,
        to: &Instance,
        to_port: u16,
        protocol: u8,
    ) -> Self {
        Self {
            source: (from.address.to_owned(), from_port),
            destination: (to.address.to_owned(), to_port),
            protocol,
        }
    }

    /// The way back.
    pub(super) fn reversed(&self) -> Self {
        let Self {
            source,
            destination,
            protocol,
        } = self.clone();
        Self {
            source: destination,
            destination: source,
            protocol,
        }
    }
}

/// What tells records apart: interface, flow, action.
pub(super) type RecordKey = (String, Key, String);

/// Packets and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// Packets.
    pub(super) packets: u64,
    /// Bytes.
    pub(super) bytes: u64,
}

/// Records, summed over the windows that they were cut into.
pub(super) type Records = BTreeMap<RecordKey, Count>;

/// How much an expected record counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Amount {
    /// Known beforehand.
    Exactly {
        /// Packets.
        packets: u64,
        /// Bytes.
        bytes: u64,
    },
    /// TCP's own business; but every interface on the way has to count the same.
    Some,
}

/// A record that should be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    /// What tells it apart.
    pub(super) key: RecordKey,
    /// How much it counts.
    pub(super) amount: Amount,
}

impl Expected {
    /// At an instance's interface.
    pub(super) fn new(at: &Instance, key: &Key, action: &str, amount: Amount) -> Self {
        Self {
            key: (at.interface_id.clone(), key.clone(), action.to_owned()),
            amount,
        }
    }
}

/// What was delivered.
#[derive(Clone, Debug, Default)]
pub(super) struct Delivered {
    /// The records in the S3 bucket.
    pub(super) s3: Records,
    /// The keys of its files.
    pub(super) files: Vec<String>,
    /// The records in CloudWatch Logs.
    pub(super) logs: Records,
    /// The names of its streams.
    pub(super) streams: Vec<String>,
}

impl Delivered {
    /// Reads everything through the API.
    pub(super) fn read(api: &mut Client, network: &Network) -> anyhow::Result<Self> {
        let mut delivered = Self {
            files: api.list_objects(BUCKET)?,
            ..Self::default()
        };
        for key in &delivered.files {
            let text = gunzip(&api.get_object(BUCKET, key)?)
                .with_context(|| format!("s3://{BUCKET}/{key}"))?;
            let Some((header, lines)) = text.split_once('\n') else {
                bail!("s3://{BUCKET}/{key} has no header line");
            };
            anyhow::ensure!(
                header == HEADER,
                "s3://{BUCKET}/{key} begins with {header:?} instead of {HEADER:?}"
            );
            add(&mut delivered.s3, lines.lines())?;
        }
        let streams = api.logs("DescribeLogStreams", &json!({ "logGroupName": LOG_GROUP }))?;
        for stream in streams["logStreams"].as_array().into_iter().flatten() {
            let name = stream["logStreamName"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let known = name
                .rsplit_once('-')
                .and_then(|(interface, _)| network.instance_of(interface));
            anyhow::ensure!(
                known.is_some(),
                "the log stream {name} is of no interface of ours"
            );
            let lines = events(api, &name)?;
            add(&mut delivered.logs, lines.iter().map(String::as_str))?;
            delivered.streams.push(name);
        }
        Ok(delivered)
    }
}

fn events(api: &mut Client, stream: &str) -> anyhow::Result<Vec<String>> {
    let mut lines = Vec::new();
    let mut token = Value::Null;
    loop {
        let mut request =
            json!({ "logGroupName": LOG_GROUP, "logStreamName": stream, "startFromHead": true });
        if !token.is_null() {
            request["nextToken"] = token.clone();
        }
        let mut answer = api.logs("GetLogEvents", &request)?;
        let messages = answer["events"].as_array().into_iter().flatten();
        lines.extend(
            messages
                .filter_map(|event| event["message"].as_str())
                .map(str::to_owned),
        );
        let next = answer["nextForwardToken"].take();
        // The end is reached when the token stays the same.
        if next.is_null() || next == token {
            return Ok(lines);
        }
        token = next;
    }
}

/// The text of a gzip file.
pub(super) fn gunzip(bytes: &[u8]) -> anyhow::Result<String> {
    let mut text = String::new();
    MultiGzDecoder::new(bytes)
        .read_to_string(&mut text)
        .context("not gzip")?;
    Ok(text)
}

/// Adds lines of the default format. Windows without traffic add nothing.
fn add<'a>(records: &mut Records, lines: impl Iterator<Item = &'a str>) -> anyhow::Result<()> {
    for line in lines {
        if let Some((key, count)) =
            parse(line).with_context(|| format!("not a record: {line:?}"))?
        {
            let sum = records.entry(key).or_default();
            sum.packets += count.packets;
            sum.bytes += count.bytes;
        }
    }
    Ok(())
}

/// Reads a record of the default format; `None` if it says that there was no traffic.
fn parse(line: &str) -> anyhow::Result<Option<(RecordKey, Count)>> {
    let fields: Vec<&str> = line.split(' ').collect();
    let [
        version,
        account,
        interface,
        src,
        dst,
        src_port,
        dst_port,
        protocol,
        packets,
        bytes,
        _start,
        _end,
        action,
        status,
    ] = fields[..]
    else {
        bail!("{} fields", fields.len());
    };
    anyhow::ensure!(
        version == "2" && account == server::DEFAULT_ACCOUNT,
        "of another version or account"
    );
    match status {
        "OK" => {}
        "NODATA" => return Ok(None),
        _ => bail!("records were lost: {status}"),
    }
    let key = Key {
        source: (src.to_owned(), src_port.parse()?),
        destination: (dst.to_owned(), dst_port.parse()?),
        protocol: protocol.parse()?,
    };
    let count = Count {
        packets: packets.parse()?,
        bytes: bytes.parse()?,
    };
    Ok(Some((
        (interface.to_owned(), key, action.to_owned()),
        count,
    )))
}

/// What differs between the expected records and those of a destination, in words.
pub(super) fn differences(place: &str, expected: &[Expected], records: &Records) -> Vec<String> {
    let mut differences = Vec::new();
    for Expected { key, amount } in expected {
        match (records.get(key), amount) {
            (None, _) => differences.push(format!("{place}: missing: {}", describe(key))),
            (Some(count), Amount::Exactly { packets, bytes }) => {
                let wanted = Count {
                    packets: *packets,
                    bytes: *bytes,
                };
                if *count != wanted {
                    let Count { packets, bytes } = count;
                    differences.push(format!(
                        "{place}: {}: {packets} packets, {bytes} bytes instead of {}, {}",
                        describe(key),
                        wanted.packets,
                        wanted.bytes
                    ));
                }
            }
            (Some(count), Amount::Some) if count.packets == 0 || count.bytes == 0 => {
                differences.push(format!("{place}: {}: empty", describe(key)));
            }
            (Some(_), Amount::Some) => {}
        }
    }
    for key in records
        .keys()
        .filter(|key| !expected.iter().any(|e| e.key == **key))
    {
        differences.push(format!("{place}: unexpected: {}", describe(key)));
    }
    differences.extend(disagreements(place, records));
    differences
}

/// Nothing is lost between interfaces: all that see a flow count the same.
fn disagreements(place: &str, records: &Records) -> Vec<String> {
    let mut flows: BTreeMap<&Key, Vec<Count>> = BTreeMap::new();
    for ((_, flow, _), count) in records {
        flows.entry(flow).or_default().push(*count);
    }
    let differ = flows
        .iter()
        .filter(|(_, counts)| counts.windows(2).any(|pair| pair[0] != pair[1]));
    differ
        .map(|(flow, counts)| {
            let counts: Vec<String> = counts
                .iter()
                .map(|c| format!("{}/{}", c.packets, c.bytes))
                .collect();
            format!(
                "{place}: interfaces disagree on {}: {} packets/bytes",
                flow_words(flow),
                counts.join(" and ")
            )
        })
        .collect()
}

fn describe((interface, flow, action): &RecordKey) -> String {
    format!("{interface} {} {action}", flow_words(flow))
}

fn flow_words(flow: &Key) -> String {
    let Key {
        source,
        destination,
        protocol,
    } = flow;
    let protocol = crate::output::protocol(*protocol);
    format!(
        "{protocol} {}:{} → {}:{}",
        source.0, source.1, destination.0, destination.1
    )
}

const HEADER: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes \
                      start end action log-status";

#[cfg(test)]
mod tests {
    use std::io::Write;

    use expect_test::expect;

    use super::*;

    const ACCEPT: &str =
        "2 123456789012 eni-1 10.0.1.10 10.0.2.20 50432 5432 6 1 60 100 160 ACCEPT OK";
    const REJECT: &str =
        "2 123456789012 eni-2 10.0.1.10 10.0.2.20 50432 5432 6 1 60 100 160 REJECT OK";
    const NODATA: &str = "2 123456789012 eni-3 - - - - - - - 100 160 - NODATA";

    fn records(lines: &[&str]) -> Records {
        let mut records = Records::new();
        add(&mut records, lines.iter().copied()).unwrap();
        records
    }

    fn expected(amount: Amount) -> Vec<Expected> {
        records(&[ACCEPT, REJECT])
            .into_keys()
            .map(|key| Expected { key, amount })
            .collect()
    }

    #[test]
    fn files_are_unpacked() {
        let mut file = Vec::new();
        // Appended members are one file (RFC 1952, section 2.2).
        for part in ["one\n", "two\n"] {
            let mut encoder =
                flate2::write::GzEncoder::new(&mut file, flate2::Compression::default());
            encoder.write_all(part.as_bytes()).unwrap();
            encoder.finish().unwrap();
        }
        assert_eq!(gunzip(&file).unwrap(), "one\ntwo\n");
        assert!(gunzip(b"plain").is_err());
        assert!(gunzip(&file[..file.len() - 3]).is_err());
    }

    #[test]
    fn records_of_one_flow_are_summed() {
        let records = records(&[ACCEPT, NODATA, ACCEPT]);
        assert_eq!(
            records.into_values().collect::<Vec<_>>(),
            [Count {
                packets: 2,
                bytes: 120
            }]
        );
    }

    #[test]
    fn what_is_no_record_is_an_error() {
        for line in [
            "",
            "2 123456789012 eni-1",
            &ACCEPT.replace("OK", "SKIPDATA"),
            &ACCEPT.replace(" 60 ", " x "),
        ] {
            assert!(
                add(&mut Records::new(), [line].into_iter()).is_err(),
                "{line}"
            );
        }
    }

    #[test]
    fn as_expected_means_no_difference() {
        let records = records(&[ACCEPT, NODATA, REJECT]);
        assert!(differences("S3", &expected(Amount::Some), &records).is_empty());
        let amount = Amount::Exactly {
            packets: 1,
            bytes: 60,
        };
        assert!(differences("S3", &expected(amount), &records).is_empty());
    }

    #[test]
    fn differences_are_told() {
        let twice = records(&[ACCEPT, ACCEPT, REJECT]);
        let amount = Amount::Exactly {
            packets: 1,
            bytes: 60,
        };
        let lost = records(&[ACCEPT, &REJECT.replace("REJECT", "ACCEPT")]);
        let mut text = differences("S3", &expected(amount), &twice);
        text.extend(differences("Logs", &expected(Amount::Some), &lost));
        expect![[r#"
            S3: eni-1 tcp 10.0.1.10:50432 → 10.0.2.20:5432 ACCEPT: 2 packets, 120 bytes instead of 1, 60
            S3: interfaces disagree on tcp 10.0.1.10:50432 → 10.0.2.20:5432: 2/120 and 1/60 packets/bytes
            Logs: missing: eni-2 tcp 10.0.1.10:50432 → 10.0.2.20:5432 REJECT
            Logs: unexpected: eni-2 tcp 10.0.1.10:50432 → 10.0.2.20:5432 ACCEPT"#]]
        .assert_eq(&text.join("\n"));
    }
}
