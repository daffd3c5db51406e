//! Rules that refer to groups, of the same VPC or of a peered one (Amazon VPC Peering Guide, "Update
//! your security groups to reference peer security groups").

use ec2_api::UserIdGroupPair;
use model::{
    AccountId, PeeredGroup, RulePeer, Scope, SecurityGroup, SecurityGroupId, SecurityGroupRule,
    VpcId, VpcPeeringConnectionId,
};

use crate::{Error, Transaction, parameter, vpc_peering_connection};

/// The group that a pair names: by id, or by name in the same VPC.
///
/// `existing` tells whether the group must exist and be within reach.
pub(super) fn parse(
    tx: &Transaction<'_>,
    vpc_id: VpcId,
    pair: &UserIdGroupPair,
    existing: bool,
) -> Result<(RulePeer, Option<PeeredGroup>), Error> {
    let (prefix, group_id) = match (&pair.group_id, &pair.group_name) {
        (Some(text), _) => match text.split_once('/') {
            Some((owner, id)) => (Some(owner), id.parse()?),
            None => (None, text.parse()?),
        },
        (None, Some(name)) => (None, super::by_name(tx, vpc_id, name)?.id),
        (None, None) => return Err(Error::MissingParameter("groupId")),
    };
    let user_id = match pair.user_id.as_deref().or(prefix) {
        None => tx.scope().account,
        Some(text) => text.parse::<AccountId>().map_err(|_| {
            Error::invalid_value("userId", text, "This is not a valid AWS account ID.")
        })?,
    };
    let named_vpc_id: Option<VpcId> = parameter::optional_id(&pair.vpc_id)?;
    let through: Option<VpcPeeringConnectionId> =
        parameter::optional_id(&pair.vpc_peering_connection_id)?;
    let mut peered = None;
    if existing {
        let group = locate(tx, user_id, group_id)?;
        if named_vpc_id.is_some_and(|named| named != group.vpc_id) {
            return Err(different_networks());
        }
        if group.vpc_id != vpc_id {
            peered = Some(reach(tx, vpc_id, group.vpc_id)?);
        }
        check_through(tx, through, peered)?;
    }
    Ok((RulePeer::Group { group_id, user_id }, peered))
}

/// A connection that the pair names has to be the one that leads to the group.
fn check_through(
    tx: &Transaction<'_>,
    through: Option<VpcPeeringConnectionId>,
    peered: Option<PeeredGroup>,
) -> Result<(), Error> {
    let Some(id) = through else {
        return Ok(());
    };
    if !vpc_peering_connection::visible(tx).any(|(peering, _)| peering.id == id) {
        return Err(Error::NotFound(id.into()));
    }
    match peered {
        Some(peered) if peered.vpc_peering_connection_id == id => Ok(()),
        _ => Err(different_networks()),
    }
}

/// The group of an account, in the caller's Region.
fn locate<'a>(
    tx: &'a Transaction<'_>,
    account: AccountId,
    id: SecurityGroupId,
) -> Result<&'a SecurityGroup, Error> {
    let region = tx.scope().region;
    let here = Scope { account, region };
    let group = tx
        .state_of(here)
        .and_then(|state| state.security_groups.get(&id));
    if let Some(group) = group {
        return Ok(group);
    }
    let elsewhere = tx
        .states()
        .any(|(scope, state)| scope.account == account && state.security_groups.contains(&id));
    Err(if elsewhere {
        different_networks()
    } else {
        Error::NotFound(id.into())
    })
}

/// The active connection to a group's VPC.
fn reach(tx: &Transaction<'_>, vpc_id: VpcId, to: VpcId) -> Result<PeeredGroup, Error> {
    let peering =
        vpc_peering_connection::active_between(tx, vpc_id, to).ok_or_else(different_networks)?;
    Ok(PeeredGroup {
        vpc_id: to,
        vpc_peering_connection_id: peering.id,
    })
}

fn different_networks() -> Error {
    Error::new(
        "InvalidGroup.NotFound",
        "You have specified two resources that belong to different networks.",
    )
}

/// What a rule of a group in `vpc_id` shows of a group in a peered VPC; nothing of others.
pub(super) fn peered_shape(
    tx: &Transaction<'_>,
    vpc_id: VpcId,
    rule: &SecurityGroupRule,
) -> UserIdGroupPair {
    let Some(peered) = rule.peered else {
        return UserIdGroupPair::default();
    };
    let active = vpc_peering_connection::active_between(tx, vpc_id, peered.vpc_id);
    let known =
        active.or_else(|| vpc_peering_connection::get(tx, peered.vpc_peering_connection_id));
    UserIdGroupPair {
        vpc_id: Some(peered.vpc_id.to_string()),
        vpc_peering_connection_id: Some(
            known
                .map_or(peered.vpc_peering_connection_id, |peering| peering.id)
                .to_string(),
        ),
        // A connection that is no longer shown has been deleted.
        peering_status: Some(known.map_or("deleted", |p| p.status.code()).to_owned()),
        ..Default::default()
    }
}

/// Whether a rule of a group in `vpc_id` refers to a group that is gone, or in a VPC that is no
/// longer peered.
pub(super) fn is_stale(tx: &Transaction<'_>, vpc_id: VpcId, rule: &SecurityGroupRule) -> bool {
    let (Some(peered), RulePeer::Group { group_id, user_id }) = (rule.peered, rule.peer) else {
        return false;
    };
    vpc_peering_connection::active_between(tx, vpc_id, peered.vpc_id).is_none()
        || locate(tx, user_id, group_id).is_err()
}
