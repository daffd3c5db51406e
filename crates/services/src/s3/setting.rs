//! Bucket settings: what is stored, and AWS's answers for what is not set.

use std::collections::BTreeMap;

use s3s::dto::{Grant, Grantee, Owner, Permission, Tag, Type};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

/// A 404 whose code the model does not name.
pub(crate) fn not_found(code: &'static str, message: &'static str) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(http::StatusCode::NOT_FOUND);
    error
}

/// The canonical user id of an account: 64 hexadecimal digits that only depend on the account.
pub(crate) fn canonical_id(account: &str) -> String {
    use s3s::crypto::Checksum as _;
    super::checksum::hex(s3s::crypto::Sha256::checksum(account.as_bytes()).as_ref())
}

pub(crate) fn owner(account: &str) -> Owner {
    Owner {
        display_name: None,
        id: Some(canonical_id(account)),
    }
}

/// The grants of every bucket and object here: the owner has full control.
pub(crate) fn owner_grants(account: &str) -> Vec<Grant> {
    let grantee = Grantee {
        display_name: None,
        email_address: None,
        id: Some(canonical_id(account)),
        type_: Type::from_static(Type::CANONICAL_USER),
        uri: None,
    };
    vec![Grant {
        grantee: Some(grantee),
        permission: Some(Permission::from_static(Permission::FULL_CONTROL)),
    }]
}

/// Tags to the model's list.
pub(crate) fn tag_set(tags: BTreeMap<String, String>) -> Vec<Tag> {
    tags.into_iter()
        .map(|(key, value)| Tag {
            key: Some(key),
            value: Some(value),
        })
        .collect()
}

/// The model's list to tags ("Adding cost allocation tags": unique keys, at most `limit`).
pub(crate) fn tag_map(tags: Vec<Tag>, limit: usize) -> S3Result<BTreeMap<String, String>> {
    if tags.len() > limit {
        return Err(s3_error!(
            InvalidTag,
            "Object tags cannot be greater than {limit}"
        ));
    }
    let mut map = BTreeMap::new();
    for tag in tags {
        let key = tag.key.unwrap_or_default();
        if key.is_empty() || key.chars().count() > 128 {
            return Err(s3_error!(
                InvalidTag,
                "The TagKey you have provided is invalid"
            ));
        }
        let value = tag.value.unwrap_or_default();
        if value.chars().count() > 256 {
            return Err(s3_error!(
                InvalidTag,
                "The TagValue you have provided is invalid"
            ));
        }
        if map.insert(key, value).is_some() {
            return Err(s3_error!(
                InvalidTag,
                "Cannot provide multiple Tags with the same key"
            ));
        }
    }
    Ok(map)
}
