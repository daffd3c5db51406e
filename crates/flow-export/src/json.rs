//! A record as one JSON object.

use flow_logs::{Field, FlowRecord, LogFormat};
use flow_why::Decision;
use serde_json::{Map, Value};

/// Every field that has a value, by AWS's name, numbers as numbers; and `why`, what decided in one line,
/// and `decision`, the same for programs. Tag fields need the keys that a flow log names, so they are not among them.
pub fn json(record: &FlowRecord, format: &LogFormat) -> Value {
    let mut object = Map::new();
    for &field in Field::ALL {
        let text = record.value(field, format);
        if text == "-" {
            continue;
        }
        let value = match field {
            Field::Version => Value::from(HIGHEST),
            field if is_number(field) => text.parse::<u64>().map_or(Value::Null, Value::from),
            _ => Value::from(text),
        };
        object.insert(field.name().to_owned(), value);
    }
    if let Some(flow) = record.flow() {
        object.insert("why".to_owned(), Value::from(flow.why()));
        let decision = Decision::new(&flow.disposition, flow.key.action);
        if let Ok(decision) = serde_json::to_value(decision) {
            object.insert("decision".to_owned(), decision);
        }
    }
    Value::Object(object)
}

/// The version of a record that has all fields.
const HIGHEST: u64 = 11;

/// The fields that are integers in Parquet files (Amazon VPC User Guide, "Flow log records").
const fn is_number(field: Field) -> bool {
    matches!(
        field,
        Field::Version
            | Field::Srcport
            | Field::Dstport
            | Field::Protocol
            | Field::Packets
            | Field::Bytes
            | Field::Start
            | Field::End
            | Field::TcpFlags
            | Field::TrafficPath
            | Field::EncryptionStatus
    )
}
