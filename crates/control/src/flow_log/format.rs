//! The format of records (Amazon VPC User Guide, "Flow log records").

use model::FlowLog;
use model::flow_log_field::FlowLogField;

use super::destination::invalid;
use crate::Error;

/// The format as it is kept: `${field}` tokens with single spaces between; the default if absent.
pub(super) fn parse(given: Option<&str>) -> Result<String, Error> {
    let Some(given) = given else {
        return Ok(FlowLog::DEFAULT_FORMAT.to_owned());
    };
    // AWS's own examples are wrapped in the quotes of a shell.
    let quoted = given.strip_prefix('\'').and_then(|g| g.strip_suffix('\''));
    let text = quoted.unwrap_or(given);
    let mut fields = Vec::new();
    for token in text.split(' ') {
        let name = token.strip_prefix("${").and_then(|t| t.strip_suffix('}'));
        let name = name.filter(|n| is_name(n)).ok_or_else(|| {
            Error::InvalidParameterValue(format!(
                "1 validation error detected: Value '{given}' at 'logFormat' has an invalid format"
            ))
        })?;
        fields.push(name);
    }
    for name in fields {
        let field = FlowLogField::named(name)
            .ok_or_else(|| invalid(format!("Unknown fields provided in LogFormat: [{name}]")))?;
        if field.is_tag() {
            return Err(invalid(
                "The TagFieldSpecifications parameter must be set when including tag fields in the log format",
            ));
        }
    }
    Ok(text.to_owned())
}

fn is_name(text: &str) -> bool {
    let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-');
    !text.is_empty() && text.bytes().all(allowed)
}
