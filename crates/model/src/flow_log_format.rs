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
}

impl FormatError {
    /// The code of the API error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "InvalidParameterValue",
            Self::UnknownField(_) => "InvalidParameter",
        }
    }
}

/// Parses a `LogFormat` (Amazon EC2 API Reference, "CreateFlowLogs"): at least one field.
///
/// One pair of single quotes around the whole is taken off: the reference's sample has the quotes
/// of a shell. A field may be given twice. All names that no field has are named at once.
pub fn parse(text: &str) -> Result<Vec<FlowLogField>, FormatError> {
    let inner = text
        .strip_prefix('\'')
        .and_then(|t| t.strip_suffix('\''))
        .unwrap_or(text);
    let names: Option<Vec<_>> = inner.split(' ').map(name_in_token).collect();
    let names = names.ok_or_else(|| FormatError::Invalid(text.to_owned()))?;
    let (mut fields, mut unknown) = (Vec::new(), Vec::new());
    for name in names {
        match name.parse::<FlowLogField>() {
            Ok(field) => fields.push(field),
            Err(_) if unknown.contains(&name) => {}
            Err(_) => unknown.push(name),
        }
    }
    if unknown.is_empty() {
        Ok(fields)
    } else {
        Err(UnknownField(unknown.join(", ")).into())
    }
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
        let fields = FlowLogField::ALL.to_vec();
        assert_eq!(parse(&print(&fields)), Ok(fields));
        let quoted = format!("'{}'", FlowLog::DEFAULT_FORMAT);
        let printed = parse(&quoted).map(|fields| print(&fields));
        assert_eq!(printed.as_deref(), Ok(FlowLog::DEFAULT_FORMAT));
    }

    #[test]
    fn form_comes_before_names() {
        for text in [
            "",
            " ",
            "'",
            "''",
            "version",
            "$version",
            "${}",
            "${version",
            "${version}}",
            "${Version}",
            "${pkt_srcaddr}",
            "${version} ",
            " ${version}",
            "${version}  ${end}",
            "${version}\t${end}",
            "${version}\n${end}",
            "${version}${end}",
            "${version},${end}",
            "$${version}",
            "'${version}",
            "''${version}''",
            "\"${version}\"",
            "${tgw-id} end",
        ] {
            assert_eq!(parse(text), Err(FormatError::Invalid(text.to_owned())));
        }
        let unknown = parse("${tgw-id} ${end} ${colour} ${tgw-id}").unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "Unknown fields provided in LogFormat: [tgw-id, colour]"
        );
    }
}
