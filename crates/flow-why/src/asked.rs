//! Records as people paste them: lines of any format, with or without a header, and JSON lines of ours.

use std::net::IpAddr;

use flow_logs::{Field, FlowRecord, LogFormat};
use model::NetworkInterfaceId;

/// A pasted record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The number of its line, from 1.
    pub line: usize,
    values: Vec<(Field, String)>,
}

/// A line that is no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct Malformed {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// Fields that tell one record from another; the rest describes.
const TELLING: [Field; 19] = [
    Field::AccountId,
    Field::InterfaceId,
    Field::Srcaddr,
    Field::Dstaddr,
    Field::Srcport,
    Field::Dstport,
    Field::Protocol,
    Field::Packets,
    Field::Bytes,
    Field::Start,
    Field::End,
    Field::Action,
    Field::LogStatus,
    Field::VpcId,
    Field::SubnetId,
    Field::TcpFlags,
    Field::PktSrcaddr,
    Field::PktDstaddr,
    Field::FlowDirection,
];

/// Reads lines of a format; without one, of the default format, or of the one that a header line names. Empty lines are left
/// out, and a line that is no record of the format says so in its place.
pub fn asked(text: &str, format: Option<&LogFormat>) -> Vec<Result<Asked, Malformed>> {
    let mut format = format.cloned();
    let mut asked = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let (line, text) = (index + 1, line.trim());
        if text.is_empty() {
            continue;
        }
        if text.split(' ').any(|word| word.parse::<Field>().is_ok())
            && let Ok(header) = LogFormat::from_header(text)
        {
            format = Some(header);
            continue;
        }
        let values = if text.starts_with('{') {
            json_values(text)
        } else {
            line_values(text, &format.clone().unwrap_or_default())
        };
        let values = values.map_err(|reason| Malformed { line, reason });
        asked.push(values.map(|values| Asked { line, values }));
    }
    asked
}

fn line_values(text: &str, format: &LogFormat) -> Result<Vec<(Field, String)>, String> {
    let record = format.split(text).map_err(|_| {
        let found = text.split(' ').count();
        format!(
            "a record of this format has {} values with single spaces between them, this line has {found} \
             (--log-format or a header line names another format)",
            format.fields().len()
        )
    })?;
    let values = record.values().map(|(f, text)| (f, text.to_owned()));
    checked(values.collect())
}

fn json_values(text: &str) -> Result<Vec<(Field, String)>, String> {
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|error| format!("not a JSON object: {error}"))?;
    let values = object.into_iter().filter_map(|(name, value)| {
        let field = name.parse().ok()?;
        let text = match value {
            serde_json::Value::String(text) if text.is_empty() => return None,
            serde_json::Value::String(text) => text,
            serde_json::Value::Number(number) => number.to_string(),
            _ => return None,
        };
        Some((field, text))
    });
    checked(values.collect())
}

/// Refuses values that no record can have.
fn checked(values: Vec<(Field, String)>) -> Result<Vec<(Field, String)>, String> {
    for (field, text) in values.iter().filter(|(_, text)| text != "-") {
        let fits = match field {
            Field::Srcaddr | Field::Dstaddr | Field::PktSrcaddr | Field::PktDstaddr => {
                text.parse::<IpAddr>().is_ok()
            }
            Field::Srcport | Field::Dstport => text.parse::<u16>().is_ok(),
            Field::Protocol | Field::TcpFlags => text.parse::<u8>().is_ok(),
            Field::Packets | Field::Bytes | Field::Start | Field::End => {
                text.parse::<u64>().is_ok()
            }
            Field::InterfaceId => text.parse::<NetworkInterfaceId>().is_ok(),
            Field::Action => matches!(text.as_str(), "ACCEPT" | "REJECT"),
            Field::LogStatus => matches!(text.as_str(), "OK" | "NODATA" | "SKIPDATA"),
            Field::FlowDirection => matches!(text.as_str(), "ingress" | "egress"),
            _ => true,
        };
        if !fits {
            return Err(format!("{field} cannot be {text:?}"));
        }
    }
    let telling = |name| values.iter().any(|(f, _)| *f == name);
    if !(telling(Field::InterfaceId) || telling(Field::Srcaddr) || telling(Field::PktSrcaddr)) {
        return Err("neither interface-id nor addresses: it could be any record".to_owned());
    }
    Ok(values)
}

impl Asked {
    fn get(&self, field: Field) -> Option<&str> {
        let found = self.values.iter().find(|(f, _)| *f == field)?;
        Some(found.1.as_str()).filter(|text| *text != "-")
    }

    /// The interface, if it says so.
    pub fn interface_id(&self) -> Option<NetworkInterfaceId> {
        self.get(Field::InterfaceId)?.parse().ok()
    }

    /// `start` and `end` in Unix seconds, as far as it says so.
    pub fn times(&self) -> (Option<u64>, Option<u64>) {
        let secs = |field| self.get(field).and_then(|text| text.parse().ok());
        (secs(Field::Start), secs(Field::End))
    }

    /// `NODATA` or `SKIPDATA`, if it is no record of a flow.
    pub fn without_flow(&self) -> Option<&str> {
        self.get(Field::LogStatus).filter(|status| *status != "OK")
    }

    /// Whether a record is the one that is meant.
    pub fn is(&self, record: &FlowRecord) -> bool {
        let format = LogFormat::default();
        let mut telling = self.values.iter().filter(|(f, _)| TELLING.contains(f));
        telling.all(|(field, text)| text == "-" || record.value(*field, &format) == *text)
    }
}
