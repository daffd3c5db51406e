//! Users (IAM User Guide, "IAM users").

use iam_api::{
    CreateUserRequest, CreateUserResponse, DeleteUserRequest, DeleteUserResponse, GetUserRequest,
    GetUserResponse, ListUsersRequest, ListUsersResponse, UpdateUserRequest, UpdateUserResponse,
};
use model::{AccessKey, User};

use super::error::{already_exists, delete_conflict, validation};
use super::marker::{self, Listed};
use super::{entity, entity_policy, tag};
use crate::{Error, Transaction, parameter};

pub(crate) fn create_user(
    tx: &mut Transaction<'_>,
    request: &CreateUserRequest,
) -> Result<CreateUserResponse, Error> {
    let boundary = request.permissions_boundary.is_some();
    parameter::refuse_unsupported(&[(boundary, "PermissionsBoundary")])?;
    let (name, path, id) = entity::create::<User>(tx, &request.user_name, &request.path)?;
    let user = User {
        name,
        path,
        id,
        created: tx.now(),
        policies: Default::default(),
        attached_policies: Default::default(),
        groups: Default::default(),
        tags: tag::given(tx, &request.tags)?,
    };
    tx.quotas().users(tx.state().users.len())?;
    let shown = shape(tx, &user);
    entity::put(tx, user);
    Ok(CreateUserResponse { user: Some(shown) })
}

/// Without a name it is the caller, whom only the server knows: it says the name for users.
pub(crate) fn get_user(
    tx: &mut Transaction<'_>,
    request: &GetUserRequest,
) -> Result<GetUserResponse, Error> {
    let user = find_named(tx, &request.user_name)?;
    Ok(GetUserResponse {
        user: Some(shape(tx, user)),
    })
}

pub(crate) fn list_users(
    tx: &mut Transaction<'_>,
    request: &ListUsersRequest,
) -> Result<ListUsersResponse, Error> {
    let Listed {
        rows,
        is_truncated,
        marker,
    } = marker::list(
        marker::under::<User>(tx, &request.path_prefix)?,
        |user| entity::key(&user.name),
        request.max_items,
        &request.marker,
    )?;
    // "This operation does not return the following attributes": tags among them.
    let listed = |user: &User| iam_api::User {
        tags: Vec::new(),
        ..shape(tx, user)
    };
    Ok(ListUsersResponse {
        users: rows.into_iter().map(listed).collect(),
        is_truncated,
        marker,
    })
}

/// Another name, another path or both; keys, policies and groups stay.
pub(crate) fn update_user(
    tx: &mut Transaction<'_>,
    request: &UpdateUserRequest,
) -> Result<UpdateUserResponse, Error> {
    let mut user = entity::find::<User>(tx, &request.user_name)?.clone();
    let old = entity::key(&user.name);
    if let Some(path) = &request.new_path {
        user.path = entity::check_path(path)?.to_owned();
    }
    if request.new_user_name.is_some() {
        let name = entity::check_name(&request.new_user_name, "newUserName", 64)?;
        let new = entity::key(name);
        if new != old && tx.state().users.get(&new).is_some() {
            return Err(already_exists(format!(
                "User with name {name} already exists."
            )));
        }
        user.name = name.to_owned();
        let keys: Vec<AccessKey> = keys_of(tx, &old).cloned().collect();
        for mut key in keys {
            key.user.clone_from(&new);
            tx.put(key.id.clone(), key);
        }
        tx.delete::<User>(old);
    }
    entity::put(tx, user);
    Ok(UpdateUserResponse {})
}

/// A user goes when nothing hangs on it any more.
pub(crate) fn delete_user(
    tx: &mut Transaction<'_>,
    request: &DeleteUserRequest,
) -> Result<DeleteUserResponse, Error> {
    let user = entity::find::<User>(tx, &request.user_name)?;
    let key = entity::key(&user.name);
    let first = if keys_of(tx, &key).next().is_some() {
        Some("delete access keys")
    } else if !user.groups.is_empty() {
        Some("remove users from group")
    } else {
        entity_policy::in_the_way(user)
    };
    if let Some(first) = first {
        return Err(delete_conflict(format!(
            "Cannot delete entity, must {first} first."
        )));
    }
    tx.delete::<User>(key);
    Ok(DeleteUserResponse {})
}

/// The user of a name that an action may leave out only if a user calls.
pub(super) fn find_named<'t>(
    tx: &'t Transaction<'_>,
    name: &Option<String>,
) -> Result<&'t User, Error> {
    if name.is_none() {
        return Err(validation(
            "Must specify userName when calling with non-User credentials",
        ));
    }
    entity::find::<User>(tx, name)
}

/// The access keys of a user.
pub(super) fn keys_of<'t>(
    tx: &'t Transaction<'_>,
    user: &str,
) -> impl Iterator<Item = &'t AccessKey> {
    let user = user.to_owned();
    tx.rows::<AccessKey>().filter(move |key| key.user == user)
}

/// A user in an answer.
pub(super) fn shape(tx: &Transaction<'_>, user: &User) -> iam_api::User {
    iam_api::User {
        path: Some(user.path.clone()),
        user_name: Some(user.name.clone()),
        user_id: Some(user.id.clone()),
        arn: Some(entity::arn(tx, user)),
        create_date: Some(entity::iso8601(user.created)),
        tags: tag::shapes(&user.tags),
        ..Default::default()
    }
}
