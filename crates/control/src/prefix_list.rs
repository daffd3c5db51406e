//! Prefix lists (Amazon VPC User Guide, "Consolidate and manage network CIDR blocks with managed
//! prefix lists").

mod describe;
mod entry;
mod modify;
mod reference;

use std::time::Duration;

use ec2_api::{
    CreateManagedPrefixListRequest, CreateManagedPrefixListResponse,
    DeleteManagedPrefixListRequest, DeleteManagedPrefixListResponse, ManagedPrefixList,
};
use model::{
    AddressFamily, AwsPrefixList, PrefixList, PrefixListId, PrefixListOperation, PrefixListVersion,
};

pub(crate) use describe::{
    describe_managed_prefix_lists, describe_prefix_lists, get_managed_prefix_list_associations,
    get_managed_prefix_list_entries,
};
pub(crate) use modify::{modify_managed_prefix_list, restore_managed_prefix_list_version};
pub(crate) use reference::{Weight, find, weight};

use crate::tag::{from_specifications, tag_set};
use crate::{Error, Transaction, parameter, token};

const TYPE: &str = "prefix-list";
const ACTION: &str = "CreateManagedPrefixList";
const NAME_MAX: usize = 255;
const ENTRIES_MAX: i32 = 1000;
/// How long a change is shown as being in progress. What it changes is in force at once.
const IN_PROGRESS: Duration = Duration::from_secs(1);

/// Creates a list with its first version.
pub(crate) fn create_managed_prefix_list(
    tx: &mut Transaction<'_>,
    request: &CreateManagedPrefixListRequest,
) -> Result<CreateManagedPrefixListResponse, Error> {
    let plain = CreateManagedPrefixListRequest {
        client_token: None,
        dry_run: None,
        ..request.clone()
    };
    let id = token::once(tx, ACTION, &request.client_token, &plain, |tx| {
        create(tx, request)
    })?;
    Ok(CreateManagedPrefixListResponse {
        prefix_list: Some(shape(tx, own(tx, id)?)),
    })
}

fn create(
    tx: &mut Transaction<'_>,
    request: &CreateManagedPrefixListRequest,
) -> Result<PrefixListId, Error> {
    let name = parameter::required(&request.prefix_list_name, "PrefixListName")?;
    let max_entries = *parameter::required(&request.max_entries, "MaxEntries")?;
    let family = parameter::required(&request.address_family, "AddressFamily")?;
    check_name(name)?;
    let max_entries = size(max_entries)?;
    let address_family = match parameter::one_of(family, "AddressFamily", &["IPv4", "IPv6"])? {
        "IPv4" => AddressFamily::Ipv4,
        _ => AddressFamily::Ipv6,
    };
    entry::check_created(request.entries.len())?;
    let entries = entry::parse(&request.entries, address_family)?;
    let tags = from_specifications(tx, &request.tag_specifications, TYPE, &[TYPE])?;
    entry::check_count(entries.len(), max_entries)?;
    let lists = tx.rows::<PrefixList>().filter(|list| is_there(tx, list));
    tx.quotas().prefix_lists(lists.count())?;
    let id: PrefixListId = tx.id();
    let list = PrefixList {
        id,
        name: name.clone(),
        address_family,
        max_entries,
        version: 1,
        oldest_version: 1,
        operation: PrefixListOperation::Create,
        operated_at: tx.now(),
        failure: None,
        tags,
    };
    tx.put(id, list);
    tx.put((id, 1), PrefixListVersion { entries });
    Ok(id)
}

fn check_name(name: &str) -> Result<(), Error> {
    if name.is_empty() || name.chars().count() > NAME_MAX {
        return Err(Error::invalid_value(
            "PrefixListName",
            name,
            "The name may have between 1 and 255 characters.",
        ));
    }
    if name.starts_with("com.amazonaws") {
        return Err(Error::invalid_value(
            "PrefixListName",
            name,
            "The name cannot start with com.amazonaws.",
        ));
    }
    Ok(())
}

fn size(max_entries: i32) -> Result<u16, Error> {
    u16::try_from(max_entries)
        .ok()
        .filter(|_| (1..=ENTRIES_MAX).contains(&max_entries))
        .ok_or_else(|| {
            Error::InvalidParameterValue(format!(
                "Must specify a max size between 1 and {ENTRIES_MAX}"
            ))
        })
}

/// Deletes a list that nothing refers to.
pub(crate) fn delete_managed_prefix_list(
    tx: &mut Transaction<'_>,
    request: &DeleteManagedPrefixListRequest,
) -> Result<DeleteManagedPrefixListResponse, Error> {
    let id = parameter::id(&request.prefix_list_id, "PrefixListId")?;
    let mut list = changeable(tx, id)?;
    if reference::associations(tx, id).next().is_some() {
        return Err(Error::DependencyViolation(id.into()));
    }
    operated(tx, &mut list, PrefixListOperation::Delete);
    let prefix_list = Some(shape(tx, &list));
    tx.put(id, list);
    Ok(DeleteManagedPrefixListResponse { prefix_list })
}

/// Takes lists out whose deletion is over.
pub(crate) fn forget_deleted(tx: &mut Transaction<'_>) {
    let over = tx.rows::<PrefixList>().filter(|list| !is_there(tx, list));
    let over: Vec<PrefixList> = over.cloned().collect();
    for list in over {
        for version in list.oldest_version..=list.version {
            tx.delete::<PrefixListVersion>((list.id, version));
        }
        tx.delete::<PrefixList>(list.id);
    }
}

/// Notes what was asked of a list, and when.
fn operated(tx: &Transaction<'_>, list: &mut PrefixList, operation: PrefixListOperation) {
    list.operation = operation;
    list.operated_at = tx.now();
    list.failure = None;
}

fn is_in_progress(tx: &Transaction<'_>, list: &PrefixList) -> bool {
    tx.now().since(list.operated_at) < IN_PROGRESS
}

/// Whether a list has not been deleted.
fn is_there(tx: &Transaction<'_>, list: &PrefixList) -> bool {
    list.operation != PrefixListOperation::Delete || is_in_progress(tx, list)
}

/// A list of the account's own.
fn own<'t>(tx: &'t Transaction<'_>, id: PrefixListId) -> Result<&'t PrefixList, Error> {
    let list = tx.find::<PrefixList>(id)?;
    if is_there(tx, list) {
        Ok(list)
    } else {
        Err(Error::NotFound(id.into()))
    }
}

/// A list that is the account's own and is not being changed already.
fn changeable(tx: &Transaction<'_>, id: PrefixListId) -> Result<PrefixList, Error> {
    if let Some(list) = aws(tx, id) {
        return Err(Error::new(
            "OperationNotPermitted",
            format!(
                "The prefix list {id} ({}) is managed by AWS and cannot be changed.",
                list.name()
            ),
        ));
    }
    let list = own(tx, id)?;
    if is_in_progress(tx, list) {
        return Err(Error::new(
            "IncorrectState",
            format!(
                "The request cannot be completed because prefix list {id} is in the current state \
                 ({}).",
                state(tx, list)
            ),
        ));
    }
    Ok(list.clone())
}

/// A list of AWS's in this Region.
fn aws(tx: &Transaction<'_>, id: PrefixListId) -> Option<AwsPrefixList> {
    AwsPrefixList::all(tx.scope().region).find(|list| list.id() == id)
}

fn state(tx: &Transaction<'_>, list: &PrefixList) -> String {
    let how = match (is_in_progress(tx, list), &list.failure) {
        (true, _) => "in-progress",
        (false, Some(_)) => "failed",
        (false, None) => "complete",
    };
    format!("{}-{how}", list.operation)
}

fn shape(tx: &Transaction<'_>, list: &PrefixList) -> ManagedPrefixList {
    let scope = tx.scope();
    let failure = list.failure.clone().filter(|_| !is_in_progress(tx, list));
    ManagedPrefixList {
        prefix_list_id: Some(list.id.to_string()),
        address_family: Some(list.address_family.to_string()),
        state: Some(state(tx, list)),
        state_message: failure,
        prefix_list_arn: Some(scope.arn(format!("{TYPE}/{}", list.id))),
        prefix_list_name: Some(list.name.clone()),
        max_entries: Some(i32::from(list.max_entries)),
        version: i64::try_from(list.version).ok(),
        tags: tag_set(&list.tags),
        owner_id: Some(scope.account.to_string()),
        ..Default::default()
    }
}
