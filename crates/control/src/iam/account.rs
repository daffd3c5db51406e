//! What IAM knows of an account itself (IAM User Guide, "Using an alias for your AWS account ID"): here, no alias.

use iam_api::{ListAccountAliasesRequest, ListAccountAliasesResponse};

use super::marker::{self, Listed};
use crate::{Error, Transaction};

/// Lists no alias: none can be made.
pub(crate) fn list_account_aliases(
    _: &mut Transaction<'_>,
    request: &ListAccountAliasesRequest,
) -> Result<ListAccountAliasesResponse, Error> {
    let Listed {
        rows,
        is_truncated,
        marker,
    } = marker::list(
        Vec::<String>::new(),
        Clone::clone,
        request.max_items,
        &request.marker,
    )?;
    Ok(ListAccountAliasesResponse {
        account_aliases: rows,
        is_truncated,
        marker,
    })
}
