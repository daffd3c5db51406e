//! What a role may do: policies of its own, and managed ones that are attached to it.

use iam_api::{
    AttachRolePolicyRequest, AttachRolePolicyResponse, AttachedPolicy, DeleteRolePolicyRequest,
    DeleteRolePolicyResponse, DetachRolePolicyRequest, DetachRolePolicyResponse,
    GetRolePolicyRequest, GetRolePolicyResponse, ListAttachedRolePoliciesRequest,
    ListAttachedRolePoliciesResponse, ListRolePoliciesRequest, ListRolePoliciesResponse,
    PutRolePolicyRequest, PutRolePolicyResponse,
};
use model::Role;
use policy::Kind;

use super::error::no_such_entity;
use super::marker::{self, Listed};
use super::{document, entity, managed_policy};
use crate::{Error, Transaction};

/// Characters of all policies of a role's own together.
const POLICIES_MAX: usize = 10_240;
const NAME_MAX: usize = 128;

pub(crate) fn put_role_policy(
    tx: &mut Transaction<'_>,
    request: &PutRolePolicyRequest,
) -> Result<PutRolePolicyResponse, Error> {
    let mut role = entity::find::<Role>(tx, &request.role_name)?.clone();
    let name = entity::check_name(&request.policy_name, "policyName", NAME_MAX)?;
    let (kind, limit) = (Kind::Identity, POLICIES_MAX);
    let text = document::check(&request.policy_document, kind, "PolicySize", limit)?;
    role.policies.insert(name.to_owned(), text);
    let lengths = role.policies.values().map(|text| document::length(text));
    if lengths.sum::<usize>() > POLICIES_MAX {
        let role = &role.name;
        return Err(Error::new(
            "LimitExceeded",
            format!("Maximum policy size of {POLICIES_MAX} bytes exceeded for role {role}"),
        ));
    }
    entity::put(tx, role);
    Ok(PutRolePolicyResponse {})
}

pub(crate) fn get_role_policy(
    tx: &mut Transaction<'_>,
    request: &GetRolePolicyRequest,
) -> Result<GetRolePolicyResponse, Error> {
    let role = entity::find::<Role>(tx, &request.role_name)?;
    let name = entity::check_name(&request.policy_name, "policyName", NAME_MAX)?;
    let text = role.policies.get(name).ok_or_else(|| absent(name))?;
    Ok(GetRolePolicyResponse {
        role_name: Some(role.name.clone()),
        policy_name: Some(name.to_owned()),
        policy_document: Some(document::encode(text)),
    })
}

pub(crate) fn delete_role_policy(
    tx: &mut Transaction<'_>,
    request: &DeleteRolePolicyRequest,
) -> Result<DeleteRolePolicyResponse, Error> {
    let mut role = entity::find::<Role>(tx, &request.role_name)?.clone();
    let name = entity::check_name(&request.policy_name, "policyName", NAME_MAX)?;
    role.policies.remove(name).ok_or_else(|| absent(name))?;
    entity::put(tx, role);
    Ok(DeleteRolePolicyResponse {})
}

pub(crate) fn list_role_policies(
    tx: &mut Transaction<'_>,
    request: &ListRolePoliciesRequest,
) -> Result<ListRolePoliciesResponse, Error> {
    let role = entity::find::<Role>(tx, &request.role_name)?;
    let (names, max) = (role.policies.keys().cloned(), request.max_items);
    let Listed {
        rows,
        is_truncated,
        marker,
    } = marker::list(names, String::clone, max, &request.marker)?;
    Ok(ListRolePoliciesResponse {
        policy_names: rows,
        is_truncated,
        marker,
    })
}

/// Attaching what is attached already changes nothing.
pub(crate) fn attach_role_policy(
    tx: &mut Transaction<'_>,
    request: &AttachRolePolicyRequest,
) -> Result<AttachRolePolicyResponse, Error> {
    let mut role = entity::find::<Role>(tx, &request.role_name)?.clone();
    let arn = managed_policy::attachable(tx, &request.policy_arn)?;
    if !role.attached_policies.contains(&arn) {
        tx.quotas()
            .policies_per_role(role.attached_policies.len())?;
        role.attached_policies.insert(arn);
    }
    entity::put(tx, role);
    Ok(AttachRolePolicyResponse {})
}

pub(crate) fn detach_role_policy(
    tx: &mut Transaction<'_>,
    request: &DetachRolePolicyRequest,
) -> Result<DetachRolePolicyResponse, Error> {
    let mut role = entity::find::<Role>(tx, &request.role_name)?.clone();
    let arn = managed_policy::check_arn(&request.policy_arn)?;
    if !role.attached_policies.remove(arn) {
        return Err(no_such_entity(format!("Policy {arn} was not found.")));
    }
    entity::put(tx, role);
    Ok(DetachRolePolicyResponse {})
}

pub(crate) fn list_attached_role_policies(
    tx: &mut Transaction<'_>,
    request: &ListAttachedRolePoliciesRequest,
) -> Result<ListAttachedRolePoliciesResponse, Error> {
    let role = entity::find::<Role>(tx, &request.role_name)?;
    let prefix = marker::path_prefix(&request.path_prefix)?;
    let attached = role
        .attached_policies
        .iter()
        .filter(|arn| managed_policy::place(arn).0.starts_with(prefix));
    let Listed {
        rows,
        is_truncated,
        marker,
    } = marker::list(
        attached,
        |arn| (*arn).clone(),
        request.max_items,
        &request.marker,
    )?;
    let shape = |arn: &String| AttachedPolicy {
        policy_name: Some(managed_policy::place(arn).1.to_owned()),
        policy_arn: Some(arn.clone()),
    };
    Ok(ListAttachedRolePoliciesResponse {
        attached_policies: rows.into_iter().map(shape).collect(),
        is_truncated,
        marker,
    })
}

fn absent(name: &str) -> Error {
    no_such_entity(format!("The role policy with name {name} cannot be found."))
}
