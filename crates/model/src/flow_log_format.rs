//! `LogFormat`: how the fields of a flow log's records are written, in the order of printing.

use crate::flow_log_field::{FlowLogField, UnknownField};

/// Why a `LogFormat` was refused, in AWS's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Something other than `${field}` tokens separated by single spaces.
    #[error("1 validation error detected: Value '{0}' at 'logFormat' has an invalid format")]
    Invalid(String),
    /// A field that no VPC flow log has.
    #[error(transparent)]
    UnknownField(#[from] UnknownField),
    /// A tag field; tag fields need a parameter that the caller has not given.
    #[error(
        "The TagFieldSpecifications parameter must be set when including tag fields in the log format"
    )]
    TagFields,
}

impl FormatError {
    /// The code of the API error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "InvalidParameterValue",
            Self::UnknownField(_) | Self::TagFields => "InvalidParameter",
        }
    }
}

/// Parses a `LogFormat` (Amazon EC2 API Reference, "CreateFlowLogs"): at least one field.
///
/// One pair of single quotes around the whole is taken off: the reference's sample has the quotes
/// of a shell. A field may be given twice.
pub fn parse(text: &str) -> Result<Vec<FlowLogField>, FormatError> {
    let inner = text
        .strip_prefix('\'')
        .and_then(|t| t.strip_suffix('\''))
        .unwrap_or(text);
    let names: Option<Vec<_>> = inner.split(' ').map(name_in_token).collect();
    let names = names.ok_or_else(|| FormatError::Invalid(text.to_owned()))?;
    let mut fields = Vec::new();
    for name in names {
        let field: FlowLogField = name.parse()?;
        if field.is_tag() {
            return Err(FormatError::TagFields);
        }
        fields.push(field);
    }
    Ok(fields)
}

/// Writes fields as `DescribeFlowLogs` returns them: `${version} ${account-id} …`.
pub fn print(fields: &[FlowLogField]) -> String {
    let tokens: Vec<_> = fields.iter().map(|f| format!("${{{f}}}")).collect();
    tokens.join(" ")
}

fn name_in_token(token: &str) -> Option<&str> {
    let name = token.strip_prefix("${")?.strip_suffix('}')?;
    let is_name = !name.is_empty() && name.bytes().all(is_field_byte);
    is_name.then_some(name)
}

const fn is_field_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FlowLog;

    #[test]
    fn what_is_printed_parses_to_the_same() {
        let fields: Vec<_> = FlowLogField::ALL
            .iter()
            .copied()
            .filter(|f| !f.is_tag())
            .collect();
        assert_eq!(parse(&print(&fields)), Ok(fields));
        let quoted = format!("'{}'", FlowLog::DEFAULT_FORMAT);
        let printed = parse(&quoted).map(|fields| print(&fields));
        assert_eq!(printed.as_deref(), Ok(FlowLog::DEFAULT_FORMAT));
    }

    #[test]
    fn the_first_fault_is_named() {
        let refused = |text: &str| parse(text).unwrap_err().code();
        assert_eq!(
            refused("${instance-tag} ${tgw-id} end"),
            "InvalidParameterValue"
        );
        assert_eq!(
            parse("${instance-tag} ${tgw-id}"),
            Err(FormatError::TagFields)
        );
        assert_eq!(
            parse("${tgw-id} ${instance-tag}"),
            Err(UnknownField("tgw-id".to_owned()).into())
        );
    }
}
