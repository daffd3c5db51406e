//! A Firehose delivery stream, of the account or of another (Amazon VPC User Guide, "Publish flow logs to Amazon Data
//! Firehose", "IAM roles for cross account delivery").

use ec2_api::CreateFlowLogsRequest;
use model::{AccountId, LogDestination};

use super::{given, invalid, refuse_options, role_of};
use crate::{Error, Transaction};

/// What the name of the role in a stream's account begins with.
const CROSS_ACCOUNT_ROLE: &str = "AWSLogDeliveryFirehoseCrossAccountRole";
const STREAM_NAME_MAX: usize = 64;

pub(super) fn parse(
    tx: &Transaction<'_>,
    request: &CreateFlowLogsRequest,
) -> Result<LogDestination, Error> {
    refuse_options(request, "kinesis-data-firehose")?;
    let Some(arn) = given(&request.log_destination) else {
        return Err(invalid(
            "LogDestination can't be empty if LogDestinationType is kinesis-data-firehose.",
        ));
    };
    let region = tx.scope().region;
    let (account, stream_name) = stream_of(region.name(), arn)
        .ok_or_else(|| invalid(format!("Invalid LogDestination: {arn}")))?;
    check_roles(tx.scope().account, account, request)?;
    Ok(LogDestination::Firehose {
        account,
        region,
        stream_name: stream_name.to_owned(),
        arn: arn.to_owned(),
    })
}

/// Account and name of `arn:aws:firehose:<region>:<account>:deliverystream/<name>`; AWS's reference also writes a colon
/// before the name.
fn stream_of<'a>(region: &str, arn: &'a str) -> Option<(AccountId, &'a str)> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", "aws", "firehose", in_region, account, stream] = parts[..] else {
        return None;
    };
    let name = stream.strip_prefix("deliverystream")?;
    let name = name.strip_prefix(['/', ':'])?;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    let is_name = (1..=STREAM_NAME_MAX).contains(&name.len()) && name.bytes().all(allowed);
    let account = account.parse().ok()?;
    (is_name && in_region == region).then_some((account, name))
}

/// Another account's stream takes two roles: one here, and one there that it may assume.
fn check_roles(
    own: AccountId,
    account: AccountId,
    request: &CreateFlowLogsRequest,
) -> Result<(), Error> {
    let (here, there) = (
        given(&request.deliver_logs_permission_arn),
        given(&request.deliver_cross_account_role),
    );
    if account == own {
        return match (here, there) {
            (None, None) => Ok(()),
            (Some(_), _) => Err(invalid(
                "DeliverLogsPermissionArn is only applicable for kinesis-data-firehose delivery to another account",
            )),
            (None, Some(_)) => Err(invalid(
                "DeliverCrossAccountRole is only applicable for kinesis-data-firehose delivery to another account",
            )),
        };
    }
    let Some(here) = here else {
        return Err(invalid(
            "DeliverLogsPermissionArn can't be empty for kinesis-data-firehose delivery to another account.",
        ));
    };
    let Some(there) = there else {
        return Err(invalid(
            "DeliverCrossAccountRole can't be empty for kinesis-data-firehose delivery to another account.",
        ));
    };
    if role_of(here).is_none_or(|(of, _)| of != own) {
        return Err(invalid("Unable to assume given IAM role"));
    }
    let is_right =
        |(of, name): (AccountId, &str)| of == account && name.starts_with(CROSS_ACCOUNT_ROLE);
    if !role_of(there).is_some_and(is_right) {
        return Err(invalid(format!(
            "DeliverCrossAccountRole must be a role of account {account} whose name starts with {CROSS_ACCOUNT_ROLE}"
        )));
    }
    Ok(())
}
