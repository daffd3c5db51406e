//! The format of records, as a request gives it.

use model::{FileFormat, FlowLog, FlowLogField, LogDestination, TagField, flow_log_format};

use super::destination::invalid;
use super::tag_field;
use crate::Error;

/// The format as it is kept: `${field}` tokens with single spaces between; the default if absent.
pub(super) fn parse(
    given: Option<&str>,
    tag_fields: &[TagField],
    destination: &LogDestination,
) -> Result<String, Error> {
    let Some(given) = given else {
        return Ok(FlowLog::DEFAULT_FORMAT.to_owned());
    };
    let fields = flow_log_format::parse(given)
        .map_err(|error| Error::new(error.code(), error.to_string()))?;
    tag_field::check(&fields, tag_fields)?;
    if let LogDestination::S3 {
        file_format: FileFormat::Parquet,
        ..
    } = destination
    {
        check_columns(&fields)?;
    }
    Ok(flow_log_format::print(&fields))
}

/// A Parquet file has each of its columns once.
fn check_columns(fields: &[FlowLogField]) -> Result<(), Error> {
    let mut seen = Vec::new();
    for field in fields {
        if seen.contains(field) {
            return Err(invalid(format!(
                "Duplicate fields provided in LogFormat: [{field}]. FileFormat parquet allows a field once."
            )));
        }
        seen.push(*field);
    }
    Ok(())
}
