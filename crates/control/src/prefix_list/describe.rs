//! Prefix lists, their entries, and who names them.

use ec2_api::{
    DescribeManagedPrefixListsRequest, DescribeManagedPrefixListsResponse,
    DescribePrefixListsRequest, DescribePrefixListsResponse,
    GetManagedPrefixListAssociationsRequest, GetManagedPrefixListAssociationsResponse,
    GetManagedPrefixListEntriesRequest, GetManagedPrefixListEntriesResponse, ManagedPrefixList,
    PrefixListAssociation, PrefixListEntry,
};
use model::{AddressFamily, AwsPrefixList, PrefixList, PrefixListId, Tags};

use super::{TYPE, aws, is_there, modify, own, reference, shape};
use crate::filter::Filters;
use crate::page::Page;
use crate::{Error, Transaction, parameter};

const OWNER: &str = "AWS";
const FILTERS: &[&str] = &["owner-id", "prefix-list-id", "prefix-list-name"];
const AWS_FILTERS: &[&str] = &["prefix-list-id", "prefix-list-name"];
const PAGE: std::ops::RangeInclusive<i32> = 1..=100;

/// Lists the account's own lists, and AWS's.
pub(crate) fn describe_managed_prefix_lists(
    tx: &mut Transaction<'_>,
    request: &DescribeManagedPrefixListsRequest,
) -> Result<DescribeManagedPrefixListsResponse, Error> {
    let ids = parameter::optional_ids::<PrefixListId>(&request.prefix_list_ids)?;
    let filters = Filters::parse(&request.filters, FILTERS)?;
    let page = Page::parse(
        request.max_results,
        &request.next_token,
        !ids.is_empty(),
        PAGE,
    )?;
    let lists = tx.rows::<PrefixList>().filter(|list| is_there(tx, list));
    let own = lists.map(|list| (list.id, shape(tx, list), list.tags.clone()));
    let aws = AwsPrefixList::all(tx.scope().region);
    let mut rows: Vec<(PrefixListId, ManagedPrefixList, Tags)> = own
        .chain(aws.map(|list| (list.id(), aws_shape(&list), Tags::new())))
        .collect();
    listed(&ids, rows.iter().map(|(id, ..)| *id))?;
    rows.retain(|(id, shape, tags)| {
        let value = |name: &str| match name {
            "owner-id" => shape.owner_id.clone(),
            "prefix-list-id" => shape.prefix_list_id.clone(),
            _ => shape.prefix_list_name.clone(),
        };
        let matches = filters.matches(tags, |name| value(name).into_iter().collect());
        matches && (ids.is_empty() || ids.contains(id))
    });
    rows.sort_by_cached_key(|(id, ..)| id.to_string());
    let (rows, next_token) = page.take(rows, |(id, ..)| id.to_string());
    Ok(DescribeManagedPrefixListsResponse {
        next_token,
        prefix_lists: rows.into_iter().map(|(_, shape, _)| shape).collect(),
    })
}

/// Refuses ids that stand for nothing.
fn listed(ids: &[PrefixListId], known: impl Iterator<Item = PrefixListId>) -> Result<(), Error> {
    let known: Vec<PrefixListId> = known.collect();
    match ids.iter().find(|id| !known.contains(id)) {
        None => Ok(()),
        Some(id) => Err(Error::NotFound((*id).into())),
    }
}

fn aws_shape(list: &AwsPrefixList) -> ManagedPrefixList {
    let (id, region) = (list.id(), list.region);
    ManagedPrefixList {
        prefix_list_id: Some(id.to_string()),
        address_family: Some(AddressFamily::Ipv4.to_string()),
        state: Some("create-complete".to_owned()),
        prefix_list_arn: Some(format!("arn:aws:ec2:{region}:aws:{TYPE}/{id}")),
        prefix_list_name: Some(list.name()),
        owner_id: Some(OWNER.to_owned()),
        ..Default::default()
    }
}

/// Lists AWS's lists with their blocks.
pub(crate) fn describe_prefix_lists(
    tx: &mut Transaction<'_>,
    request: &DescribePrefixListsRequest,
) -> Result<DescribePrefixListsResponse, Error> {
    let ids = parameter::optional_ids::<PrefixListId>(&request.prefix_list_ids)?;
    let filters = Filters::parse(&request.filters, AWS_FILTERS)?;
    let page = Page::parse(
        request.max_results,
        &request.next_token,
        !ids.is_empty(),
        Page::USUAL,
    )?;
    let mut rows: Vec<AwsPrefixList> = AwsPrefixList::all(tx.scope().region).collect();
    // This action has a spelling of its own for lists that do not exist.
    listed(&ids, rows.iter().map(AwsPrefixList::id))
        .map_err(|error| Error::new("InvalidPrefixListId.NotFound", error.to_string()))?;
    rows.retain(|list| {
        let matches = filters.matches(&Tags::new(), |name| match name {
            "prefix-list-id" => vec![list.id().to_string()],
            _ => vec![list.name()],
        });
        matches && (ids.is_empty() || ids.contains(&list.id()))
    });
    rows.sort_by_cached_key(|list| list.id().to_string());
    let (rows, next_token) = page.take(rows, |list| list.id().to_string());
    let shape = |list: AwsPrefixList| ec2_api::PrefixList {
        cidrs: list.blocks().iter().map(ToString::to_string).collect(),
        prefix_list_id: Some(list.id().to_string()),
        prefix_list_name: Some(list.name()),
    };
    Ok(DescribePrefixListsResponse {
        next_token,
        prefix_lists: rows.into_iter().map(shape).collect(),
    })
}

/// Lists the entries of a list, as of now or of an older version.
pub(crate) fn get_managed_prefix_list_entries(
    tx: &mut Transaction<'_>,
    request: &GetManagedPrefixListEntriesRequest,
) -> Result<GetManagedPrefixListEntriesResponse, Error> {
    let id = parameter::id(&request.prefix_list_id, "PrefixListId")?;
    let page = Page::parse(request.max_results, &request.next_token, false, PAGE)?;
    let rows = match (aws(tx, id), request.target_version) {
        (Some(list), None) => of_aws(&list),
        (Some(list), Some(_)) => {
            return Err(Error::InvalidParameterValue(format!(
                "The prefix list {} has no versions.",
                list.name()
            )));
        }
        (None, given) => {
            let list = own(tx, id)?;
            let version = match given {
                None => list.version,
                Some(given) => modify::version(list, given)?,
            };
            let entry = |entry: model::PrefixListEntry| PrefixListEntry {
                cidr: Some(entry.cidr.to_string()),
                description: entry.description,
            };
            let entries = modify::entries_of(tx, list, version)?;
            entries.into_iter().map(entry).collect()
        }
    };
    // Pages are cut by the place of an entry, so that they come in the list's own order.
    let rows: Vec<(usize, PrefixListEntry)> = rows.into_iter().enumerate().collect();
    let (rows, next_token) = page.take(rows, |(place, _)| format!("{place:04}"));
    Ok(GetManagedPrefixListEntriesResponse {
        entries: rows.into_iter().map(|(_, entry)| entry).collect(),
        next_token,
    })
}

fn of_aws(list: &AwsPrefixList) -> Vec<PrefixListEntry> {
    let entry = |block: &ipnet::Ipv4Net| PrefixListEntry {
        cidr: Some(block.to_string()),
        description: None,
    };
    list.blocks().iter().map(entry).collect()
}

/// Lists the resources that name a list of the account's own.
pub(crate) fn get_managed_prefix_list_associations(
    tx: &mut Transaction<'_>,
    request: &GetManagedPrefixListAssociationsRequest,
) -> Result<GetManagedPrefixListAssociationsResponse, Error> {
    let id = parameter::id(&request.prefix_list_id, "PrefixListId")?;
    let page = Page::parse(request.max_results, &request.next_token, false, 5..=255)?;
    if aws(tx, id).is_none() {
        own(tx, id)?;
    }
    let owner = tx.scope().account.to_string();
    let mut rows: Vec<String> = reference::associations(tx, id)
        .map(|resource| resource.to_string())
        .collect();
    rows.sort();
    let (rows, next_token) = page.take(rows, Clone::clone);
    let shape = |resource_id| PrefixListAssociation {
        resource_id: Some(resource_id),
        resource_owner: Some(owner.clone()),
    };
    Ok(GetManagedPrefixListAssociationsResponse {
        prefix_list_associations: rows.into_iter().map(shape).collect(),
        next_token,
    })
}
