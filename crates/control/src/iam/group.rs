//! Groups of users (IAM User Guide, "IAM user groups").

use iam_api::{
    AddUserToGroupRequest, AddUserToGroupResponse, CreateGroupRequest, CreateGroupResponse,
    DeleteGroupRequest, DeleteGroupResponse, GetGroupRequest, GetGroupResponse,
    ListGroupsForUserRequest, ListGroupsForUserResponse, ListGroupsRequest, ListGroupsResponse,
    RemoveUserFromGroupRequest, RemoveUserFromGroupResponse,
};
use model::{Group, User};

use super::error::{delete_conflict, no_such_entity};
use super::marker::{self, Listed};
use super::{entity, entity_policy, user};
use crate::{Error, Transaction};

pub(crate) fn create_group(
    tx: &mut Transaction<'_>,
    request: &CreateGroupRequest,
) -> Result<CreateGroupResponse, Error> {
    let (name, path, id) = entity::create::<Group>(tx, &request.group_name, &request.path)?;
    let group = Group {
        name,
        path,
        id,
        created: tx.now(),
        policies: Default::default(),
        attached_policies: Default::default(),
        tags: Default::default(),
    };
    tx.quotas().groups(tx.state().groups.len())?;
    let shown = shape(tx, &group);
    entity::put(tx, group);
    Ok(CreateGroupResponse { group: Some(shown) })
}

/// The group and its users.
pub(crate) fn get_group(
    tx: &mut Transaction<'_>,
    request: &GetGroupRequest,
) -> Result<GetGroupResponse, Error> {
    let group = entity::find::<Group>(tx, &request.group_name)?;
    let Listed {
        rows,
        is_truncated,
        marker,
    } = marker::list(
        users_of(tx, &entity::key(&group.name)),
        |user| entity::key(&user.name),
        request.max_items,
        &request.marker,
    )?;
    let listed = |user: &User| iam_api::User {
        tags: Vec::new(),
        ..user::shape(tx, user)
    };
    Ok(GetGroupResponse {
        group: Some(shape(tx, group)),
        users: rows.into_iter().map(listed).collect(),
        is_truncated,
        marker,
    })
}

pub(crate) fn list_groups(
    tx: &mut Transaction<'_>,
    request: &ListGroupsRequest,
) -> Result<ListGroupsResponse, Error> {
    let Listed {
        rows,
        is_truncated,
        marker,
    } = marker::list(
        marker::under::<Group>(tx, &request.path_prefix)?,
        |group| entity::key(&group.name),
        request.max_items,
        &request.marker,
    )?;
    Ok(ListGroupsResponse {
        groups: rows.into_iter().map(|group| shape(tx, group)).collect(),
        is_truncated,
        marker,
    })
}

pub(crate) fn list_groups_for_user(
    tx: &mut Transaction<'_>,
    request: &ListGroupsForUserRequest,
) -> Result<ListGroupsForUserResponse, Error> {
    let user = entity::find::<User>(tx, &request.user_name)?;
    let groups = user
        .groups
        .iter()
        .filter_map(|key| tx.state().groups.get(key));
    let Listed {
        rows,
        is_truncated,
        marker,
    } = marker::list(
        groups,
        |group| entity::key(&group.name),
        request.max_items,
        &request.marker,
    )?;
    Ok(ListGroupsForUserResponse {
        groups: rows.into_iter().map(|group| shape(tx, group)).collect(),
        is_truncated,
        marker,
    })
}

/// A group goes when nobody is in it and nothing hangs on it any more.
pub(crate) fn delete_group(
    tx: &mut Transaction<'_>,
    request: &DeleteGroupRequest,
) -> Result<DeleteGroupResponse, Error> {
    let group = entity::find::<Group>(tx, &request.group_name)?;
    let key = entity::key(&group.name);
    let first = match users_of(tx, &key).next() {
        Some(_) => Some("remove users from group"),
        None => entity_policy::in_the_way(group),
    };
    if let Some(first) = first {
        return Err(delete_conflict(format!(
            "Cannot delete entity, must {first} first."
        )));
    }
    tx.delete::<Group>(key);
    Ok(DeleteGroupResponse {})
}

/// Adding whoever is in it already changes nothing.
pub(crate) fn add_user_to_group(
    tx: &mut Transaction<'_>,
    request: &AddUserToGroupRequest,
) -> Result<AddUserToGroupResponse, Error> {
    let group = entity::key(&entity::find::<Group>(tx, &request.group_name)?.name);
    let mut user = entity::find::<User>(tx, &request.user_name)?.clone();
    if !user.groups.contains(&group) {
        tx.quotas().groups_per_user(user.groups.len())?;
        user.groups.insert(group);
    }
    entity::put(tx, user);
    Ok(AddUserToGroupResponse {})
}

pub(crate) fn remove_user_from_group(
    tx: &mut Transaction<'_>,
    request: &RemoveUserFromGroupRequest,
) -> Result<RemoveUserFromGroupResponse, Error> {
    let group = entity::key(&entity::find::<Group>(tx, &request.group_name)?.name);
    let mut user = entity::find::<User>(tx, &request.user_name)?.clone();
    if !user.groups.remove(&group) {
        return Err(no_such_entity(format!(
            "User {} is not in group {group}.",
            user.name
        )));
    }
    entity::put(tx, user);
    Ok(RemoveUserFromGroupResponse {})
}

/// The users in a group.
fn users_of<'t>(tx: &'t Transaction<'_>, group: &str) -> impl Iterator<Item = &'t User> {
    let group = group.to_owned();
    tx.rows::<User>()
        .filter(move |user| user.groups.contains(&group))
}

fn shape(tx: &Transaction<'_>, group: &Group) -> iam_api::Group {
    iam_api::Group {
        path: Some(group.path.clone()),
        group_name: Some(group.name.clone()),
        group_id: Some(group.id.clone()),
        arn: Some(entity::arn(tx, group)),
        create_date: Some(entity::iso8601(group.created)),
    }
}
