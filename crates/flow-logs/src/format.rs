//! The format of a flow log's lines: which fields a record shows, in which order.

use std::fmt;
use std::sync::Arc;

use model::{FlowLog, TagField, flow_log_format};

use crate::{Field, FormatError, ServiceRanges};

/// The fields of a flow log's records, in the order of printing; at least one. And what two kinds of
/// fields depend on: tag fields on the tags that were chosen, service fields on the ranges of AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFormat {
    fields: Vec<Field>,
    version: u8,
    tag_fields: Vec<TagField>,
    services: Arc<ServiceRanges>,
}

impl LogFormat {
    /// Parses a `LogFormat` (Amazon EC2 API Reference, "CreateFlowLogs").
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        Ok(Self::new(flow_log_format::parse(text)?))
    }

    /// Parses the header line of a file in S3: field names separated by single spaces.
    pub fn from_header(line: &str) -> Result<Self, FormatError> {
        let fields: Result<_, _> = line.trim_end().split(' ').map(str::parse).collect();
        Ok(Self::new(fields?))
    }

    fn new(fields: Vec<Field>) -> Self {
        let version = fields.iter().map(|f| f.version()).max().unwrap_or(2);
        Self {
            fields,
            version,
            tag_fields: Vec::new(),
            services: ServiceRanges::built_in(),
        }
    }

    /// The format of a flow log. The default one if that is not a format any more: an older state
    /// must not stop the records.
    pub fn of(flow_log: &FlowLog) -> Self {
        Self {
            tag_fields: flow_log.tag_fields.clone(),
            ..Self::parse(&flow_log.log_format).unwrap_or_default()
        }
    }

    /// The format with other ranges of AWS.
    #[must_use]
    pub fn with_services(self, services: Arc<ServiceRanges>) -> Self {
        Self { services, ..self }
    }

    /// Which tags tag fields show.
    pub fn tag_fields(&self) -> &[TagField] {
        &self.tag_fields
    }

    /// Which service an address belongs to.
    pub fn services(&self) -> &ServiceRanges {
        &self.services
    }

    /// The fields, in the order of printing.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// What `version` prints: the highest version among the fields.
    pub const fn version(&self) -> u8 {
        self.version
    }

    /// The header line of files in S3, without the newline.
    pub fn header(&self) -> String {
        let names: Vec<_> = self.fields.iter().map(|f| f.name()).collect();
        names.join(" ")
    }

    /// Splits a line of this format into its values.
    pub fn split(&self, line: &str) -> Result<RecordLine, MalformedLine> {
        let values: Vec<_> = line.trim_end_matches('\n').split(' ').collect();
        if values.len() != self.fields.len() || values.iter().any(|v| v.is_empty()) {
            return Err(MalformedLine {
                expected: self.fields.len(),
                line: line.to_owned(),
            });
        }
        let values = values.into_iter().map(str::to_owned);
        Ok(RecordLine(
            self.fields.iter().copied().zip(values).collect(),
        ))
    }
}

/// The format of flow logs that ask for none: the fields of version 2.
impl Default for LogFormat {
    fn default() -> Self {
        let version_2 = Field::ALL.iter().copied().filter(|f| f.version() == 2);
        Self::new(version_2.collect())
    }
}

/// As `DescribeFlowLogs` returns it: `${version} ${account-id} …`.
impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&flow_log_format::print(&self.fields))
    }
}

/// A line that is not a record of the format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a flow log record of {expected} fields: {line:?}")]
pub struct MalformedLine {
    /// How many values the format has.
    pub expected: usize,
    /// What was given.
    pub line: String,
}

/// A printed record, read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordLine(Vec<(Field, String)>);

impl RecordLine {
    /// The value of a field; `None` for `-` and for fields that the format does not have.
    pub fn get(&self, field: Field) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(f, _)| *f == field)?;
        Some(value.as_str()).filter(|v| *v != "-")
    }

    /// The value of a field that counts or measures.
    pub fn number(&self, field: Field) -> Option<u64> {
        self.get(field)?.parse().ok()
    }

    /// Every field and its text, in the order of printing.
    pub fn values(&self) -> impl Iterator<Item = (Field, &str)> {
        self.0.iter().map(|(f, v)| (*f, v.as_str()))
    }
}

impl fmt::Display for RecordLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (_, value)) in self.0.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { " " })?;
            f.write_str(value)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn default_format_is_awss() {
        assert_eq!(LogFormat::default().to_string(), FlowLog::DEFAULT_FORMAT);
        assert_eq!(
            LogFormat::parse(FlowLog::DEFAULT_FORMAT),
            Ok(LogFormat::default())
        );
        expect![["version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"]]
            .assert_eq(&LogFormat::default().header());
    }

    #[test]
    fn version_is_the_highest_of_the_fields() {
        let version = |text: &str| LogFormat::parse(text).map(|f| f.version());
        assert_eq!(version("${srcaddr}"), Ok(2));
        assert_eq!(version("${version} ${tcp-flags} ${region}"), Ok(4));
        assert_eq!(version("'${version} ${next-hop-vpc-id}'"), Ok(11));
        assert_eq!(version("${version} ${version}"), Ok(2));
    }

    #[test]
    fn refusals() {
        let mut text = String::new();
        for format in [
            "",
            "${version} ",
            "${version}  ${end}",
            "version",
            "${}",
            "${Version}",
            "${version} ${tgw-id}",
        ] {
            let error = LogFormat::parse(format).unwrap_err();
            text += &format!("{}: {error}\n", error.code());
        }
        expect![[r#"
            InvalidParameterValue: 1 validation error detected: Value '' at 'logFormat' has an invalid format
            InvalidParameterValue: 1 validation error detected: Value '${version} ' at 'logFormat' has an invalid format
            InvalidParameterValue: 1 validation error detected: Value '${version}  ${end}' at 'logFormat' has an invalid format
            InvalidParameterValue: 1 validation error detected: Value 'version' at 'logFormat' has an invalid format
            InvalidParameterValue: 1 validation error detected: Value '${}' at 'logFormat' has an invalid format
            InvalidParameterValue: 1 validation error detected: Value '${Version}' at 'logFormat' has an invalid format
            InvalidParameter: Unknown fields provided in LogFormat: [tgw-id]
        "#]]
        .assert_eq(&text);
    }
}
