//! The format of records, as a request gives it.

use model::{FlowLog, flow_log_format};

use crate::Error;

/// The format as it is kept: `${field}` tokens with single spaces between; the default if absent.
pub(super) fn parse(given: Option<&str>) -> Result<String, Error> {
    let Some(given) = given else {
        return Ok(FlowLog::DEFAULT_FORMAT.to_owned());
    };
    let fields = flow_log_format::parse(given)
        .map_err(|error| Error::new(error.code(), error.to_string()))?;
    Ok(flow_log_format::print(&fields))
}
