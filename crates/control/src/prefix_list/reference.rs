//! Who names a prefix list, and how much that counts.

use std::collections::BTreeSet;

use model::{
    AddressFamily, AwsPrefixList, Destination, PrefixList, PrefixListId, PrefixListOperation,
    ResourceId, RouteTable, RulePeer, SecurityGroup,
};

use super::{aws, is_there};
use crate::{Error, Transaction, route_table, security_group};

/// What a reference to a list counts against quotas: the most entries that a customer's list can
/// have, a fixed number for one of AWS's (Amazon VPC User Guide, "AWS-managed prefix list weight").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weight {
    pub(crate) family: AddressFamily,
    pub(crate) entries: usize,
}

/// A list that a route or rule can name: one of the account's own, or of AWS's in this Region.
pub(crate) fn find(tx: &Transaction<'_>, id: PrefixListId) -> Result<PrefixListId, Error> {
    let usable =
        |list: &PrefixList| is_there(tx, list) && list.operation != PrefixListOperation::Delete;
    if aws(tx, id).is_some() || tx.state().prefix_lists.get(&id).is_some_and(usable) {
        Ok(id)
    } else {
        Err(Error::NotFound(id.into()))
    }
}

/// What a reference to a list counts.
pub(crate) fn weight(tx: &Transaction<'_>, id: PrefixListId) -> Weight {
    match tx.state().prefix_lists.get(&id) {
        Some(list) => Weight {
            family: list.address_family,
            entries: usize::from(list.max_entries),
        },
        None => Weight {
            family: AddressFamily::Ipv4,
            entries: AwsPrefixList::WEIGHT,
        },
    }
}

/// The resources that name a list, by id.
pub(super) fn associations(
    tx: &Transaction<'_>,
    id: PrefixListId,
) -> impl Iterator<Item = ResourceId> {
    let tables = tables(tx, id).map(|table| table.id.into());
    let groups = groups(tx, id).map(|group| group.id.into());
    let all: BTreeSet<ResourceId> = tables.chain(groups).collect();
    all.into_iter()
}

fn tables<'t>(tx: &'t Transaction<'_>, id: PrefixListId) -> impl Iterator<Item = &'t RouteTable> {
    let names = move |table: &&RouteTable| table.route(&Destination::PrefixList(id)).is_some();
    tx.rows::<RouteTable>().filter(names)
}

fn groups<'t>(
    tx: &'t Transaction<'_>,
    id: PrefixListId,
) -> impl Iterator<Item = &'t SecurityGroup> {
    let names = move |group: &&SecurityGroup| {
        group
            .rules
            .iter()
            .any(|rule| rule.peer == RulePeer::PrefixList(id))
    };
    tx.rows::<SecurityGroup>().filter(names)
}

/// Whether everything that names a list has room for it at another size; if not, what has none.
pub(super) fn check_size(
    tx: &Transaction<'_>,
    id: PrefixListId,
    max_entries: u16,
) -> Result<(), String> {
    let family = weight(tx, id).family;
    let weigh = |other: PrefixListId| {
        let own = weight(tx, other);
        let entries = if other == id {
            usize::from(max_entries)
        } else {
            own.entries
        };
        Weight { entries, ..own }
    };
    for table in tables(tx, id) {
        route_table::check_quota(tx, table, family, weigh)
            .map_err(|why| format!("{}: {why}", table.id))?;
    }
    for group in groups(tx, id) {
        for is_egress in [false, true] {
            security_group::check_quota(tx, group, is_egress, family, weigh)
                .map_err(|why| format!("{}: {why}", group.id))?;
        }
    }
    Ok(())
}
