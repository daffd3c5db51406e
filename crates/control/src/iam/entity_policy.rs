//! What roles, users and groups may do: policies of their own, and managed ones that are attached to them.

use std::collections::{BTreeMap, BTreeSet};

use iam_api::*;
use model::{Group, Role, User};
use policy::Kind;

use super::entity::{self, Entity};
use super::error::no_such_entity;
use super::marker::{self, Listed};
use super::{document, managed_policy};
use crate::{Error, Transaction};

const NAME_MAX: usize = 128;

/// What policies hang on.
pub(super) trait Holder: Entity {
    /// Characters of all policies of its own together.
    const POLICIES_MAX: usize;

    /// Its own policies.
    fn policies(&self) -> &BTreeMap<String, String>;
    /// Its own policies, to be changed.
    fn policies_mut(&mut self) -> &mut BTreeMap<String, String>;
    /// The ARNs of those that are attached.
    fn attached(&self) -> &BTreeSet<String>;
    /// The ARNs of those that are attached, to be changed.
    fn attached_mut(&mut self) -> &mut BTreeSet<String>;
    /// Refuses one more attached policy than there may be.
    fn check_attached(tx: &Transaction<'_>, count: usize) -> Result<(), Error>;
}

macro_rules! holders {
    ($($row:ident: $max:literal, $quota:ident;)*) => {
        $(
            impl Holder for $row {
                const POLICIES_MAX: usize = $max;
                fn policies(&self) -> &BTreeMap<String, String> {
                    &self.policies
                }
                fn policies_mut(&mut self) -> &mut BTreeMap<String, String> {
                    &mut self.policies
                }
                fn attached(&self) -> &BTreeSet<String> {
                    &self.attached_policies
                }
                fn attached_mut(&mut self) -> &mut BTreeSet<String> {
                    &mut self.attached_policies
                }
                fn check_attached(tx: &Transaction<'_>, count: usize) -> Result<(), Error> {
                    tx.quotas().$quota(count)
                }
            }
        )*
    };
}

holders! {
    Role: 10_240, policies_per_role;
    User: 2_048, policies_per_user;
    Group: 5_120, policies_per_group;
}

/// The actions on policies of one kind of holder.
macro_rules! policy_actions {
    ($($row:ident by $field:ident:
        $put:ident($put_request:ident) -> $put_response:ident,
        $get:ident($get_request:ident) -> $get_response:ident,
        $delete:ident($delete_request:ident) -> $delete_response:ident,
        $list:ident($list_request:ident) -> $list_response:ident,
        $attach:ident($attach_request:ident) -> $attach_response:ident,
        $detach:ident($detach_request:ident) -> $detach_response:ident,
        $attached:ident($attached_request:ident) -> $attached_response:ident;)*) => {
        $(
            pub(crate) fn $put(
                tx: &mut Transaction<'_>,
                request: &$put_request,
            ) -> Result<$put_response, Error> {
                put::<$row>(tx, &request.$field, &request.policy_name, &request.policy_document)?;
                Ok($put_response {})
            }

            pub(crate) fn $get(
                tx: &mut Transaction<'_>,
                request: &$get_request,
            ) -> Result<$get_response, Error> {
                let row = entity::find::<$row>(tx, &request.$field)?;
                let (name, text) = own(row, &request.policy_name)?;
                Ok($get_response {
                    $field: Some(row.name.clone()),
                    policy_name: Some(name.to_owned()),
                    policy_document: Some(document::encode(text)),
                })
            }

            pub(crate) fn $delete(
                tx: &mut Transaction<'_>,
                request: &$delete_request,
            ) -> Result<$delete_response, Error> {
                let mut row = entity::find::<$row>(tx, &request.$field)?.clone();
                let name = own(&row, &request.policy_name)?.0.to_owned();
                row.policies.remove(&name);
                entity::put(tx, row);
                Ok($delete_response {})
            }

            pub(crate) fn $list(
                tx: &mut Transaction<'_>,
                request: &$list_request,
            ) -> Result<$list_response, Error> {
                let row = entity::find::<$row>(tx, &request.$field)?;
                let (names, max) = (row.policies.keys().cloned(), request.max_items);
                let Listed { rows, is_truncated, marker } =
                    marker::list(names, String::clone, max, &request.marker)?;
                Ok($list_response { policy_names: rows, is_truncated, marker })
            }

            /// Attaching what is attached already changes nothing.
            pub(crate) fn $attach(
                tx: &mut Transaction<'_>,
                request: &$attach_request,
            ) -> Result<$attach_response, Error> {
                attach::<$row>(tx, &request.$field, &request.policy_arn)?;
                Ok($attach_response {})
            }

            pub(crate) fn $detach(
                tx: &mut Transaction<'_>,
                request: &$detach_request,
            ) -> Result<$detach_response, Error> {
                let mut row = entity::find::<$row>(tx, &request.$field)?.clone();
                let arn = managed_policy::check_arn(&request.policy_arn)?;
                if !row.attached_policies.remove(arn) {
                    return Err(no_such_entity(format!("Policy {arn} was not found.")));
                }
                entity::put(tx, row);
                Ok($detach_response {})
            }

            pub(crate) fn $attached(
                tx: &mut Transaction<'_>,
                request: &$attached_request,
            ) -> Result<$attached_response, Error> {
                let row = entity::find::<$row>(tx, &request.$field)?;
                let prefix = marker::path_prefix(&request.path_prefix)?;
                let Listed { rows, is_truncated, marker } = marker::list(
                    under(row, prefix),
                    |arn| (*arn).clone(),
                    request.max_items,
                    &request.marker,
                )?;
                Ok($attached_response {
                    attached_policies: rows.into_iter().map(|arn| shape(arn)).collect(),
                    is_truncated,
                    marker,
                })
            }
        )*
    };
}

policy_actions! {
    Role by role_name:
        put_role_policy(PutRolePolicyRequest) -> PutRolePolicyResponse,
        get_role_policy(GetRolePolicyRequest) -> GetRolePolicyResponse,
        delete_role_policy(DeleteRolePolicyRequest) -> DeleteRolePolicyResponse,
        list_role_policies(ListRolePoliciesRequest) -> ListRolePoliciesResponse,
        attach_role_policy(AttachRolePolicyRequest) -> AttachRolePolicyResponse,
        detach_role_policy(DetachRolePolicyRequest) -> DetachRolePolicyResponse,
        list_attached_role_policies(ListAttachedRolePoliciesRequest) -> ListAttachedRolePoliciesResponse;
    User by user_name:
        put_user_policy(PutUserPolicyRequest) -> PutUserPolicyResponse,
        get_user_policy(GetUserPolicyRequest) -> GetUserPolicyResponse,
        delete_user_policy(DeleteUserPolicyRequest) -> DeleteUserPolicyResponse,
        list_user_policies(ListUserPoliciesRequest) -> ListUserPoliciesResponse,
        attach_user_policy(AttachUserPolicyRequest) -> AttachUserPolicyResponse,
        detach_user_policy(DetachUserPolicyRequest) -> DetachUserPolicyResponse,
        list_attached_user_policies(ListAttachedUserPoliciesRequest) -> ListAttachedUserPoliciesResponse;
    Group by group_name:
        put_group_policy(PutGroupPolicyRequest) -> PutGroupPolicyResponse,
        get_group_policy(GetGroupPolicyRequest) -> GetGroupPolicyResponse,
        delete_group_policy(DeleteGroupPolicyRequest) -> DeleteGroupPolicyResponse,
        list_group_policies(ListGroupPoliciesRequest) -> ListGroupPoliciesResponse,
        attach_group_policy(AttachGroupPolicyRequest) -> AttachGroupPolicyResponse,
        detach_group_policy(DetachGroupPolicyRequest) -> DetachGroupPolicyResponse,
        list_attached_group_policies(ListAttachedGroupPoliciesRequest) -> ListAttachedGroupPoliciesResponse;
}

/// What has to go first before a holder of policies can be deleted.
pub(super) fn in_the_way<H: Holder>(row: &H) -> Option<&'static str> {
    if !row.attached().is_empty() {
        Some("detach all policies")
    } else if !row.policies().is_empty() {
        Some("delete policies")
    } else {
        None
    }
}

fn put<H: Holder>(
    tx: &mut Transaction<'_>,
    holder: &Option<String>,
    name: &Option<String>,
    text: &Option<String>,
) -> Result<(), Error> {
    let mut row = entity::find::<H>(tx, holder)?.clone();
    let name = entity::check_name(name, "policyName", NAME_MAX)?;
    let text = document::check(text, Kind::Identity, "PolicySize", H::POLICIES_MAX)?;
    row.policies_mut().insert(name.to_owned(), text);
    let lengths = row.policies().values().map(|text| document::length(text));
    if lengths.sum::<usize>() > H::POLICIES_MAX {
        return Err(Error::new(
            "LimitExceeded",
            format!(
                "Maximum policy size of {} bytes exceeded for {} {}",
                H::POLICIES_MAX,
                H::NOUN,
                row.place().0
            ),
        ));
    }
    entity::put(tx, row);
    Ok(())
}

fn own<'a, H: Holder>(row: &'a H, name: &'a Option<String>) -> Result<(&'a str, &'a str), Error> {
    let name = entity::check_name(name, "policyName", NAME_MAX)?;
    let text = row.policies().get(name).ok_or_else(|| {
        let noun = H::NOUN;
        no_such_entity(format!(
            "The {noun} policy with name {name} cannot be found."
        ))
    })?;
    Ok((name, text))
}

fn attach<H: Holder>(
    tx: &mut Transaction<'_>,
    holder: &Option<String>,
    arn: &Option<String>,
) -> Result<(), Error> {
    let mut row = entity::find::<H>(tx, holder)?.clone();
    let arn = managed_policy::attachable(tx, arn)?;
    if !row.attached().contains(&arn) {
        H::check_attached(tx, row.attached().len())?;
        row.attached_mut().insert(arn);
    }
    entity::put(tx, row);
    Ok(())
}

/// The ARNs of attached policies whose path begins so.
fn under<'a, H: Holder>(row: &'a H, prefix: &'a str) -> impl Iterator<Item = &'a String> {
    let attached = row.attached().iter();
    attached.filter(move |arn| managed_policy::place(arn).0.starts_with(prefix))
}

fn shape(arn: &str) -> AttachedPolicy {
    AttachedPolicy {
        policy_name: Some(managed_policy::place(arn).1.to_owned()),
        policy_arn: Some(arn.to_owned()),
    }
}
