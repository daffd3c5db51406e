//! Checks that many operations share: names, identifiers, limits and tokens.

use super::store::{LogsError, Scope};

/// The message of a member that does not satisfy its constraint.
pub(crate) fn constraint(value: &str, member: &str, rule: &str) -> LogsError {
    LogsError::InvalidParameter(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: \
         {rule}"
    ))
}

/// A member that has to be there.
pub(crate) fn required<'a, T: ?Sized>(
    value: Option<&'a T>,
    member: &str,
) -> Result<&'a T, LogsError> {
    value.ok_or_else(|| {
        LogsError::InvalidParameter(format!(
            "1 validation error detected: Value null at '{member}' failed to satisfy constraint: \
             Member must not be null"
        ))
    })
}

/// A log group's name ("CreateLogGroup").
pub(crate) fn group_name(value: Option<&str>) -> Result<&str, LogsError> {
    group_text(required(value, "logGroupName")?, "logGroupName")
}

/// A log group's name, or the beginning of one.
pub(crate) fn group_text<'a>(name: &'a str, member: &str) -> Result<&'a str, LogsError> {
    length(name, member, 512)?;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b".-_/#".contains(&b);
    if !name.bytes().all(allowed) {
        return Err(constraint(
            name,
            member,
            "Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+",
        ));
    }
    Ok(name)
}

/// A log stream's name ("CreateLogStream").
pub(crate) fn stream_name(value: Option<&str>) -> Result<&str, LogsError> {
    let name = required(value, "logStreamName")?;
    length(name, "logStreamName", 512)?;
    if name.contains([':', '*']) {
        return Err(constraint(
            name,
            "logStreamName",
            "Member must satisfy regular expression pattern: [^:*]*",
        ));
    }
    Ok(name)
}

/// A text of 1 to `limit` characters.
pub(crate) fn length(value: &str, member: &str, limit: usize) -> Result<(), LogsError> {
    if value.is_empty() {
        let rule = "Member must have length greater than or equal to 1";
        return Err(constraint(value, member, rule));
    }
    if value.chars().count() > limit {
        let rule = format!("Member must have length less than or equal to {limit}");
        return Err(constraint(value, member, &rule));
    }
    Ok(())
}

/// The group that `logGroupName` or `logGroupIdentifier` (a name or an ARN) names.
pub(crate) fn group_of(
    scope: &Scope,
    name: Option<&str>,
    identifier: Option<&str>,
) -> Result<String, LogsError> {
    match (name, identifier) {
        (Some(_), Some(_)) => Err(LogsError::InvalidParameter(
            "LogGroup name and LogGroup ARN are mutually exclusive parameters.".to_owned(),
        )),
        (None, Some(identifier)) if identifier.starts_with("arn:") => {
            group_of_arn(scope, identifier, "logGroupIdentifier")
        }
        (None, Some(identifier)) => group_name(Some(identifier)).map(str::to_owned),
        (name, None) => group_name(name).map(str::to_owned),
    }
}

/// The group that an ARN names, with or without the closing `:*`.
pub(crate) fn group_of_arn(scope: &Scope, arn: &str, member: &str) -> Result<String, LogsError> {
    let mut parts = arn.splitn(7, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (partition, _, service) = (next(), next(), next());
    let (region, account, kind, name) = (next(), next(), next(), next());
    if partition != "arn" || service != "logs" || kind != "log-group" {
        return Err(constraint(
            arn,
            member,
            "Member must be the ARN of a log group",
        ));
    }
    if region != scope.region || account != scope.account {
        return Err(LogsError::group_missing());
    }
    group_name(Some(name.strip_suffix(":*").unwrap_or(name))).map(str::to_owned)
}

/// The page size: the default when absent, refused outside of 1 to `maximum`.
pub(crate) fn limit(value: Option<i64>, maximum: usize) -> Result<usize, LogsError> {
    let Some(value) = value else {
        return Ok(maximum);
    };
    match usize::try_from(value) {
        Ok(limit) if (1..=maximum).contains(&limit) => Ok(limit),
        Ok(limit) if limit > maximum => Err(constraint(
            &value.to_string(),
            "limit",
            &format!("Member must have value less than or equal to {maximum}"),
        )),
        _ => Err(constraint(
            &value.to_string(),
            "limit",
            "Member must have value greater than or equal to 1",
        )),
    }
}

/// The refusal of a paging token that this service did not make.
pub(crate) fn bad_token() -> LogsError {
    LogsError::InvalidParameter("The specified nextToken is invalid.".to_owned())
}
