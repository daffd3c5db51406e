//! New versions of prefix lists, new names and sizes.

use ec2_api::{
    ModifyManagedPrefixListRequest, ModifyManagedPrefixListResponse,
    RestoreManagedPrefixListVersionRequest, RestoreManagedPrefixListVersionResponse,
};
use model::{PrefixList, PrefixListEntry, PrefixListOperation, PrefixListVersion};

use super::{changeable, check_name, entry, operated, reference, shape, size};
use crate::{Error, Transaction, parameter};

/// Versions of a list that can be restored.
const VERSIONS_MAX: u64 = 1000;

/// Changes entries, or the name and size.
pub(crate) fn modify_managed_prefix_list(
    tx: &mut Transaction<'_>,
    request: &ModifyManagedPrefixListRequest,
) -> Result<ModifyManagedPrefixListResponse, Error> {
    parameter::refuse_unsupported(&[(
        request.ipam_prefix_list_resolver_sync_enabled.is_some(),
        "ipamPrefixListResolverSyncEnabled",
    )])?;
    let id = parameter::id(&request.prefix_list_id, "PrefixListId")?;
    if let Some(name) = &request.prefix_list_name {
        check_name(name)?;
    }
    let max_entries = request.max_entries.map(size).transpose()?;
    let of_entries = !request.add_entries.is_empty() || !request.remove_entries.is_empty();
    if of_entries && max_entries.is_some() {
        return Err(Error::InvalidParameterCombination(
            "You cannot modify the entries of a prefix list and update the size of a prefix list \
             at the same time."
                .to_owned(),
        ));
    }
    entry::check_modified(request.add_entries.len())?;
    entry::check_modified(request.remove_entries.len())?;
    let mut list = changeable(tx, id)?;
    check_version(&list, request.current_version)?;
    if !of_entries && max_entries.is_none() && request.prefix_list_name.is_none() {
        return Err(Error::new(
            "InvalidRequest",
            "The request received was invalid.",
        ));
    }
    let changed = of_entries.then(|| change(tx, &list, request)).transpose()?;
    operated(tx, &mut list, PrefixListOperation::Modify);
    if let Some(entries) = changed {
        push(tx, &mut list, entries);
    }
    if let Some(name) = &request.prefix_list_name {
        list.name.clone_from(name);
    }
    if let Some(max_entries) = max_entries {
        entry::check_count(entries_of(tx, &list, list.version)?.len(), max_entries)?;
        // As in AWS, the call succeeds and the state tells that the size stays as it was.
        match reference::check_size(tx, id, max_entries) {
            Ok(()) => list.max_entries = max_entries,
            Err(why) => list.failure = Some(why),
        }
    }
    let prefix_list = Some(shape(tx, &list));
    tx.put(id, list);
    Ok(ModifyManagedPrefixListResponse { prefix_list })
}

/// The entries of a list after a request.
fn change(
    tx: &Transaction<'_>,
    list: &PrefixList,
    request: &ModifyManagedPrefixListRequest,
) -> Result<Vec<PrefixListEntry>, Error> {
    let added = entry::parse(&request.add_entries, list.address_family)?;
    let removed = entry::parse_removed(&request.remove_entries, list.address_family)?;
    if let Some(both) = added.iter().find(|entry| removed.contains(&entry.cidr)) {
        return Err(Error::InvalidParameterValue(format!(
            "Request cannot contain Cidr {} in both AddPrefixListEntries and \
             RemovePrefixListEntries",
            both.cidr
        )));
    }
    let mut entries = entries_of(tx, list, list.version)?;
    for cidr in &removed {
        let before = entries.len();
        entries.retain(|entry| entry.cidr != *cidr);
        if entries.len() == before {
            return Err(Error::new(
                "InvalidPrefixListModification",
                format!("The prefix list entry {cidr} does not exist."),
            ));
        }
    }
    for entry in added {
        if entries.iter().any(|own| own.cidr == entry.cidr) {
            return Err(Error::new(
                "InvalidPrefixListModification",
                format!("The prefix list entry {} already exists.", entry.cidr),
            ));
        }
        entries.push(entry);
    }
    entry::check_count(entries.len(), list.max_entries)?;
    Ok(entries)
}

/// Makes the entries of an old version those of a new one.
pub(crate) fn restore_managed_prefix_list_version(
    tx: &mut Transaction<'_>,
    request: &RestoreManagedPrefixListVersionRequest,
) -> Result<RestoreManagedPrefixListVersionResponse, Error> {
    let id = parameter::id(&request.prefix_list_id, "PrefixListId")?;
    let previous = *parameter::required(&request.previous_version, "PreviousVersion")?;
    let current = *parameter::required(&request.current_version, "CurrentVersion")?;
    let mut list = changeable(tx, id)?;
    check_version(&list, Some(current))?;
    let entries = entries_of(tx, &list, version(&list, previous)?)?;
    entry::check_count(entries.len(), list.max_entries)?;
    operated(tx, &mut list, PrefixListOperation::Restore);
    push(tx, &mut list, entries);
    let prefix_list = Some(shape(tx, &list));
    tx.put(id, list);
    Ok(RestoreManagedPrefixListVersionResponse { prefix_list })
}

fn check_version(list: &PrefixList, given: Option<i64>) -> Result<(), Error> {
    match given {
        Some(version) if u64::try_from(version) != Ok(list.version) => Err(Error::new(
            "PrefixListVersionMismatch",
            "The prefix list has the incorrect version number.",
        )),
        _ => Ok(()),
    }
}

/// A version that a list still has.
pub(super) fn version(list: &PrefixList, given: i64) -> Result<u64, Error> {
    u64::try_from(given)
        .ok()
        .filter(|version| (list.oldest_version..=list.version).contains(version))
        .ok_or_else(|| {
            Error::InvalidParameterValue(format!(
                "The specified value for version ({given}) is not valid. Prefix list {} has the \
                 versions {} to {}.",
                list.id, list.oldest_version, list.version
            ))
        })
}

/// The entries of a version.
pub(super) fn entries_of(
    tx: &Transaction<'_>,
    list: &PrefixList,
    version: u64,
) -> Result<Vec<PrefixListEntry>, Error> {
    let row = tx.state().prefix_list_versions.get(&(list.id, version));
    Ok(row.ok_or(Error::NotFound(list.id.into()))?.entries.clone())
}

/// Puts a new version in force, and lets go of the oldest if there are too many.
fn push(tx: &mut Transaction<'_>, list: &mut PrefixList, entries: Vec<PrefixListEntry>) {
    list.version += 1;
    tx.put((list.id, list.version), PrefixListVersion { entries });
    while list.version - list.oldest_version >= VERSIONS_MAX {
        tx.delete::<PrefixListVersion>((list.id, list.oldest_version));
        list.oldest_version += 1;
    }
}
