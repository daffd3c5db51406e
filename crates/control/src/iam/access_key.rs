//! Access keys of users (IAM User Guide, "Manage access keys for IAM users").

use std::ops::RangeInclusive;

use iam_api::{
    AccessKeyMetadata, CreateAccessKeyRequest, CreateAccessKeyResponse, DeleteAccessKeyRequest,
    DeleteAccessKeyResponse, ListAccessKeysRequest, ListAccessKeysResponse, UpdateAccessKeyRequest,
    UpdateAccessKeyResponse,
};
use model::{AccessKey, User};

use super::entity;
use super::error::{no_such_entity, validation};
use super::marker::{self, Listed};
use super::user::{find_named, keys_of};
use crate::{Error, Transaction};

/// The answer is the only place where the secret is ever told.
pub(crate) fn create_access_key(
    tx: &mut Transaction<'_>,
    request: &CreateAccessKeyRequest,
) -> Result<CreateAccessKeyResponse, Error> {
    let user = find_named(tx, &request.user_name)?;
    let (name, user) = (user.name.clone(), entity::key(&user.name));
    tx.quotas().access_keys(keys_of(tx, &user).count())?;
    let key = AccessKey {
        id: format!("AKIA{}", letters(IDS, 5, 16, &[tx.random()])),
        secret: letters(SECRETS, 6, 40, &[tx.random(), tx.random()]),
        user,
        active: true,
        created: tx.now(),
    };
    let shown = iam_api::AccessKey {
        user_name: Some(name),
        access_key_id: Some(key.id.clone()),
        status: Some(status(&key)),
        secret_access_key: Some(key.secret.clone()),
        create_date: Some(entity::iso8601(key.created)),
    };
    tx.put(key.id.clone(), key);
    Ok(CreateAccessKeyResponse {
        access_key: Some(shown),
    })
}

pub(crate) fn list_access_keys(
    tx: &mut Transaction<'_>,
    request: &ListAccessKeysRequest,
) -> Result<ListAccessKeysResponse, Error> {
    // Those of the root, which are not IAM's.
    if request.user_name.is_none() {
        return Ok(ListAccessKeysResponse {
            is_truncated: Some(false),
            ..Default::default()
        });
    }
    let user = find_named(tx, &request.user_name)?;
    let Listed {
        rows,
        is_truncated,
        marker,
    } = marker::list(
        keys_of(tx, &entity::key(&user.name)),
        |key| key.id.clone(),
        request.max_items,
        &request.marker,
    )?;
    let shape = |key: &AccessKey| AccessKeyMetadata {
        user_name: Some(user.name.clone()),
        access_key_id: Some(key.id.clone()),
        status: Some(status(key)),
        create_date: Some(entity::iso8601(key.created)),
    };
    Ok(ListAccessKeysResponse {
        access_key_metadata: rows.into_iter().map(shape).collect(),
        is_truncated,
        marker,
    })
}

pub(crate) fn update_access_key(
    tx: &mut Transaction<'_>,
    request: &UpdateAccessKeyRequest,
) -> Result<UpdateAccessKeyResponse, Error> {
    let mut key = find(tx, &request.user_name, &request.access_key_id)?;
    key.active = match request.status.as_deref() {
        Some("Active") => true,
        Some("Inactive") => false,
        other => {
            return Err(validation(format!(
                "1 validation error detected: Value '{}' at 'status' failed to satisfy constraint: Member must satisfy enum value set: [Active, Inactive]",
                other.unwrap_or_default()
            )));
        }
    };
    tx.put(key.id.clone(), key);
    Ok(UpdateAccessKeyResponse {})
}

pub(crate) fn delete_access_key(
    tx: &mut Transaction<'_>,
    request: &DeleteAccessKeyRequest,
) -> Result<DeleteAccessKeyResponse, Error> {
    let key = find(tx, &request.user_name, &request.access_key_id)?;
    tx.delete::<AccessKey>(key.id);
    Ok(DeleteAccessKeyResponse {})
}

fn find(
    tx: &Transaction<'_>,
    user: &Option<String>,
    id: &Option<String>,
) -> Result<AccessKey, Error> {
    let id = id.as_deref().unwrap_or_default();
    if !ID_LEN.contains(&id.len()) {
        let (bound, words) = match id.len() < *ID_LEN.start() {
            true => (ID_LEN.start(), "greater"),
            false => (ID_LEN.end(), "less"),
        };
        return Err(validation(format!(
            "1 validation error detected: Value '{id}' at 'accessKeyId' failed to satisfy constraint: Member must have length {words} than or equal to {bound}"
        )));
    }
    let user: &User = find_named(tx, user)?;
    let key = tx.state().access_keys.get(&id.to_owned());
    key.filter(|key| key.user == entity::key(&user.name))
        .cloned()
        .ok_or_else(|| no_such_entity(format!("The Access Key with id {id} cannot be found.")))
}

fn status(key: &AccessKey) -> String {
    if key.active { "Active" } else { "Inactive" }.to_owned()
}

/// How long an id may be (IAM API Reference, "UpdateAccessKey").
const ID_LEN: RangeInclusive<usize> = 16..=128;

const IDS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const SECRETS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// So many letters of an alphabet, each of so many random bits, as many of each number as it has.
fn letters(alphabet: &[u8], bits: u32, count: usize, random: &[u128]) -> String {
    let each = (128 / bits) as usize;
    let letter = |n: usize| {
        let shifted = random[n / each] >> (bits as usize * (n % each));
        char::from(alphabet[(shifted % alphabet.len() as u128) as usize])
    };
    (0..count).map(letter).collect()
}
