//! Roles (IAM User Guide, "IAM roles").

use iam_api::{
    CreateRoleRequest, CreateRoleResponse, DeleteRoleRequest, DeleteRoleResponse, GetRoleRequest,
    GetRoleResponse, ListRolesRequest, ListRolesResponse, UpdateAssumeRolePolicyRequest,
    UpdateAssumeRolePolicyResponse, UpdateRoleDescriptionRequest, UpdateRoleDescriptionResponse,
    UpdateRoleRequest, UpdateRoleResponse,
};
use model::{InstanceProfile, Role};
use policy::Kind;

use super::error::{delete_conflict, validation};
use super::marker::{self, Listed};
use super::{document, entity, entity_policy, tag};
use crate::{Error, Transaction, parameter};

/// Characters of a trust policy, by default.
const TRUST_POLICY_MAX: usize = 2048;
const DESCRIPTION_MAX: usize = 1000;
const SESSION_S: std::ops::RangeInclusive<i32> = 3600..=43_200;

pub(crate) fn create_role(
    tx: &mut Transaction<'_>,
    request: &CreateRoleRequest,
) -> Result<CreateRoleResponse, Error> {
    let boundary = request.permissions_boundary.is_some();
    parameter::refuse_unsupported(&[(boundary, "PermissionsBoundary")])?;
    let (name, path, id) = entity::create::<Role>(tx, &request.role_name, &request.path)?;
    let role = Role {
        name,
        path,
        id,
        description: description(&request.description)?,
        assume_role_policy: trust_policy(&request.assume_role_policy_document)?,
        max_session_duration_s: session_duration(request.max_session_duration)?.unwrap_or(3600),
        created: tx.now(),
        policies: Default::default(),
        attached_policies: Default::default(),
        tags: tag::given(tx, &request.tags)?,
    };
    tx.quotas().roles(tx.state().roles.len())?;
    let shown = shape(tx, &role);
    entity::put(tx, role);
    Ok(CreateRoleResponse { role: Some(shown) })
}

pub(crate) fn get_role(
    tx: &mut Transaction<'_>,
    request: &GetRoleRequest,
) -> Result<GetRoleResponse, Error> {
    let role = entity::find::<Role>(tx, &request.role_name)?;
    // A role that nobody has used has an empty element here, which lists leave out.
    let role_last_used = Some(iam_api::RoleLastUsed::default());
    Ok(GetRoleResponse {
        role: Some(iam_api::Role {
            role_last_used,
            ..shape(tx, role)
        }),
    })
}

pub(crate) fn list_roles(
    tx: &mut Transaction<'_>,
    request: &ListRolesRequest,
) -> Result<ListRolesResponse, Error> {
    let Listed {
        rows,
        is_truncated,
        marker,
    } = marker::list(
        marker::under::<Role>(tx, &request.path_prefix)?,
        |role| entity::key(&role.name),
        request.max_items,
        &request.marker,
    )?;
    // "This operation does not return the following attributes": tags among them.
    let listed = |role: &Role| iam_api::Role {
        tags: Vec::new(),
        ..shape(tx, role)
    };
    Ok(ListRolesResponse {
        roles: rows.into_iter().map(listed).collect(),
        is_truncated,
        marker,
    })
}

pub(crate) fn update_role(
    tx: &mut Transaction<'_>,
    request: &UpdateRoleRequest,
) -> Result<UpdateRoleResponse, Error> {
    let mut role = entity::find::<Role>(tx, &request.role_name)?.clone();
    if request.description.is_some() {
        role.description = description(&request.description)?;
    }
    if let Some(seconds) = session_duration(request.max_session_duration)? {
        role.max_session_duration_s = seconds;
    }
    entity::put(tx, role);
    Ok(UpdateRoleResponse {})
}

pub(crate) fn update_role_description(
    tx: &mut Transaction<'_>,
    request: &UpdateRoleDescriptionRequest,
) -> Result<UpdateRoleDescriptionResponse, Error> {
    let mut role = entity::find::<Role>(tx, &request.role_name)?.clone();
    role.description = description(&request.description)?;
    let shown = shape(tx, &role);
    entity::put(tx, role);
    Ok(UpdateRoleDescriptionResponse { role: Some(shown) })
}

pub(crate) fn update_assume_role_policy(
    tx: &mut Transaction<'_>,
    request: &UpdateAssumeRolePolicyRequest,
) -> Result<UpdateAssumeRolePolicyResponse, Error> {
    let mut role = entity::find::<Role>(tx, &request.role_name)?.clone();
    role.assume_role_policy = trust_policy(&request.policy_document)?;
    entity::put(tx, role);
    Ok(UpdateAssumeRolePolicyResponse {})
}

/// A role goes when nothing hangs on it any more.
pub(crate) fn delete_role(
    tx: &mut Transaction<'_>,
    request: &DeleteRoleRequest,
) -> Result<DeleteRoleResponse, Error> {
    let role = entity::find::<Role>(tx, &request.role_name)?;
    let key = entity::key(&role.name);
    let in_profile = tx
        .rows::<InstanceProfile>()
        .any(|profile| profile.role.as_ref() == Some(&key));
    let first = if in_profile {
        "remove roles from instance profile"
    } else if let Some(first) = entity_policy::in_the_way(role) {
        first
    } else {
        tx.delete::<Role>(key);
        return Ok(DeleteRoleResponse {});
    };
    Err(delete_conflict(format!(
        "Cannot delete entity, must {first} first."
    )))
}

/// A role in an answer.
pub(super) fn shape(tx: &Transaction<'_>, role: &Role) -> iam_api::Role {
    iam_api::Role {
        path: Some(role.path.clone()),
        role_name: Some(role.name.clone()),
        role_id: Some(role.id.clone()),
        arn: Some(entity::arn(tx, role)),
        create_date: Some(entity::iso8601(role.created)),
        assume_role_policy_document: Some(document::encode(&role.assume_role_policy)),
        description: role.description.clone(),
        max_session_duration: Some(role.max_session_duration_s),
        permissions_boundary: None,
        tags: tag::shapes(&role.tags),
        role_last_used: None,
    }
}

fn trust_policy(text: &Option<String>) -> Result<String, Error> {
    document::check(text, Kind::Trust, "ACLSizePerRole", TRUST_POLICY_MAX)
}

pub(super) fn description(text: &Option<String>) -> Result<Option<String>, Error> {
    if text.as_deref().unwrap_or_default().chars().count() > DESCRIPTION_MAX {
        return Err(validation(format!(
            "1 validation error detected: Value at 'description' failed to satisfy constraint: Member must have length less than or equal to {DESCRIPTION_MAX}"
        )));
    }
    Ok(text.clone().filter(|text| !text.is_empty()))
}

fn session_duration(seconds: Option<i32>) -> Result<Option<i32>, Error> {
    if let Some(wrong) = seconds.filter(|seconds| !SESSION_S.contains(seconds)) {
        let (bound, words) = match wrong < *SESSION_S.start() {
            true => (SESSION_S.start(), "greater"),
            false => (SESSION_S.end(), "less"),
        };
        return Err(validation(format!(
            "1 validation error detected: Value '{wrong}' at 'maxSessionDuration' failed to satisfy constraint: Member must have value {words} than or equal to {bound}"
        )));
    }
    Ok(seconds)
}
