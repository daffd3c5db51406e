//! Instance profiles (IAM User Guide, "Use instance profiles").

use iam_api::{
    AddRoleToInstanceProfileRequest, AddRoleToInstanceProfileResponse,
    CreateInstanceProfileRequest, CreateInstanceProfileResponse, DeleteInstanceProfileRequest,
    DeleteInstanceProfileResponse, GetInstanceProfileRequest, GetInstanceProfileResponse,
    ListInstanceProfilesForRoleRequest, ListInstanceProfilesForRoleResponse,
    ListInstanceProfilesRequest, ListInstanceProfilesResponse,
    RemoveRoleFromInstanceProfileRequest, RemoveRoleFromInstanceProfileResponse,
};
use model::{InstanceProfile, Role};

use super::error::{delete_conflict, limit_exceeded, no_such_entity};
use super::marker::{self, Listed};
use super::{entity, role, tag};
use crate::{Error, Transaction};

pub(crate) fn create_instance_profile(
    tx: &mut Transaction<'_>,
    request: &CreateInstanceProfileRequest,
) -> Result<CreateInstanceProfileResponse, Error> {
    let named = &request.instance_profile_name;
    let (name, path, id) = entity::create::<InstanceProfile>(tx, named, &request.path)?;
    let profile = InstanceProfile {
        name,
        path,
        id,
        role: None,
        created: tx.now(),
        tags: tag::given(tx, &request.tags)?,
    };
    tx.quotas()
        .instance_profiles(tx.state().instance_profiles.len())?;
    let shown = shape(tx, &profile);
    entity::put(tx, profile);
    Ok(CreateInstanceProfileResponse {
        instance_profile: Some(shown),
    })
}

pub(crate) fn get_instance_profile(
    tx: &mut Transaction<'_>,
    request: &GetInstanceProfileRequest,
) -> Result<GetInstanceProfileResponse, Error> {
    let profile = entity::find::<InstanceProfile>(tx, &request.instance_profile_name)?;
    Ok(GetInstanceProfileResponse {
        instance_profile: Some(shape(tx, profile)),
    })
}

pub(crate) fn list_instance_profiles(
    tx: &mut Transaction<'_>,
    request: &ListInstanceProfilesRequest,
) -> Result<ListInstanceProfilesResponse, Error> {
    let rows = marker::under::<InstanceProfile>(tx, &request.path_prefix)?;
    let (instance_profiles, is_truncated, marker) =
        page(tx, rows, request.max_items, &request.marker)?;
    Ok(ListInstanceProfilesResponse {
        instance_profiles,
        is_truncated,
        marker,
    })
}

pub(crate) fn list_instance_profiles_for_role(
    tx: &mut Transaction<'_>,
    request: &ListInstanceProfilesForRoleRequest,
) -> Result<ListInstanceProfilesForRoleResponse, Error> {
    let role = entity::key(&entity::find::<Role>(tx, &request.role_name)?.name);
    let rows = tx
        .rows::<InstanceProfile>()
        .filter(|profile| profile.role.as_ref() == Some(&role));
    let (instance_profiles, is_truncated, marker) =
        page(tx, rows, request.max_items, &request.marker)?;
    Ok(ListInstanceProfilesForRoleResponse {
        instance_profiles,
        is_truncated,
        marker,
    })
}

pub(crate) fn delete_instance_profile(
    tx: &mut Transaction<'_>,
    request: &DeleteInstanceProfileRequest,
) -> Result<DeleteInstanceProfileResponse, Error> {
    let profile = entity::find::<InstanceProfile>(tx, &request.instance_profile_name)?;
    if profile.role.is_some() {
        return Err(delete_conflict(
            "Cannot delete entity, must remove roles from instance profile first.",
        ));
    }
    tx.delete::<InstanceProfile>(entity::key(&profile.name));
    Ok(DeleteInstanceProfileResponse {})
}

/// A profile has one role at most, and that cannot be changed.
pub(crate) fn add_role_to_instance_profile(
    tx: &mut Transaction<'_>,
    request: &AddRoleToInstanceProfileRequest,
) -> Result<AddRoleToInstanceProfileResponse, Error> {
    let named = &request.instance_profile_name;
    let mut profile = entity::find::<InstanceProfile>(tx, named)?.clone();
    let role = entity::key(&entity::find::<Role>(tx, &request.role_name)?.name);
    if profile.role.is_some() {
        return Err(limit_exceeded("InstanceSessionsPerInstanceProfile", 1));
    }
    profile.role = Some(role);
    entity::put(tx, profile);
    Ok(AddRoleToInstanceProfileResponse {})
}

pub(crate) fn remove_role_from_instance_profile(
    tx: &mut Transaction<'_>,
    request: &RemoveRoleFromInstanceProfileRequest,
) -> Result<RemoveRoleFromInstanceProfileResponse, Error> {
    let named = &request.instance_profile_name;
    let mut profile = entity::find::<InstanceProfile>(tx, named)?.clone();
    let role = entity::find::<Role>(tx, &request.role_name)?;
    if profile.role.as_ref() != Some(&entity::key(&role.name)) {
        return Err(no_such_entity(format!(
            "The role with name {} cannot be found.",
            role.name
        )));
    }
    profile.role = None;
    entity::put(tx, profile);
    Ok(RemoveRoleFromInstanceProfileResponse {})
}

type Profiles = (Vec<iam_api::InstanceProfile>, Option<bool>, Option<String>);

fn page<'t>(
    tx: &Transaction<'_>,
    rows: impl Iterator<Item = &'t InstanceProfile>,
    max_items: Option<i32>,
    marker: &Option<String>,
) -> Result<Profiles, Error> {
    let Listed {
        rows,
        is_truncated,
        marker,
    } = marker::list(
        rows,
        |profile| entity::key(&profile.name),
        max_items,
        marker,
    )?;
    // "This operation does not return the following attributes": tags.
    let listed = |profile: &InstanceProfile| iam_api::InstanceProfile {
        tags: Vec::new(),
        ..shape(tx, profile)
    };
    let shapes = rows.into_iter().map(listed).collect();
    Ok((shapes, is_truncated, marker))
}

fn shape(tx: &Transaction<'_>, profile: &InstanceProfile) -> iam_api::InstanceProfile {
    let role = profile.role.as_ref();
    let role = role.and_then(|key| tx.state().roles.get(key));
    iam_api::InstanceProfile {
        path: Some(profile.path.clone()),
        instance_profile_name: Some(profile.name.clone()),
        instance_profile_id: Some(profile.id.clone()),
        arn: Some(entity::arn(tx, profile)),
        create_date: Some(entity::iso8601(profile.created)),
        roles: role.map(|role| role::shape(tx, role)).into_iter().collect(),
        tags: tag::shapes(&profile.tags),
    }
}
