//! Tags of users, roles, policies and instance profiles (IAM User Guide, "Tags for IAM resources").

use iam_api::{
    ListInstanceProfileTagsRequest, ListInstanceProfileTagsResponse, ListPolicyTagsRequest,
    ListPolicyTagsResponse, ListRoleTagsRequest, ListRoleTagsResponse, ListUserTagsRequest,
    ListUserTagsResponse, Tag, TagInstanceProfileRequest, TagInstanceProfileResponse,
    TagPolicyRequest, TagPolicyResponse, TagRoleRequest, TagRoleResponse, TagUserRequest,
    TagUserResponse, UntagInstanceProfileRequest, UntagInstanceProfileResponse, UntagPolicyRequest,
    UntagPolicyResponse, UntagRoleRequest, UntagRoleResponse, UntagUserRequest, UntagUserResponse,
};
use model::{InstanceProfile, ManagedPolicy, Role, Tags, User};

use super::entity::{self, Entity};
use super::error::validation;
use super::managed_policy;
use super::marker::{self, Listed};
use crate::{Error, Transaction, tag};

/// How a tag action finds what it is about.
macro_rules! tag_actions {
    ($($row:ident by $field:ident with $find:path:
        $tag:ident($tag_request:ident) -> $tag_response:ident,
        $untag:ident($untag_request:ident) -> $untag_response:ident,
        $list:ident($list_request:ident) -> $list_response:ident;)*) => {
        $(
            pub(crate) fn $tag(
                tx: &mut Transaction<'_>,
                request: &$tag_request,
            ) -> Result<$tag_response, Error> {
                let found: &$row = $find(tx, &request.$field)?;
                let mut row = found.clone();
                add(tx, row.tags_mut(), &request.tags)?;
                entity::put(tx, row);
                Ok($tag_response {})
            }

            pub(crate) fn $untag(
                tx: &mut Transaction<'_>,
                request: &$untag_request,
            ) -> Result<$untag_response, Error> {
                check_keys(&request.tag_keys)?;
                let found: &$row = $find(tx, &request.$field)?;
                let mut row = found.clone();
                row.tags_mut().retain(|key, _| !request.tag_keys.contains(key));
                entity::put(tx, row);
                Ok($untag_response {})
            }

            pub(crate) fn $list(
                tx: &mut Transaction<'_>,
                request: &$list_request,
            ) -> Result<$list_response, Error> {
                let row: &$row = $find(tx, &request.$field)?;
                let Listed { rows, is_truncated, marker } = marker::list(
                    shapes(row.tags()),
                    |tag| tag.key.clone().unwrap_or_default(),
                    request.max_items,
                    &request.marker,
                )?;
                Ok($list_response { tags: rows, is_truncated, marker })
            }
        )*
    };
}

tag_actions! {
    Role by role_name with entity::find:
        tag_role(TagRoleRequest) -> TagRoleResponse,
        untag_role(UntagRoleRequest) -> UntagRoleResponse,
        list_role_tags(ListRoleTagsRequest) -> ListRoleTagsResponse;
    ManagedPolicy by policy_arn with managed_policy::find:
        tag_policy(TagPolicyRequest) -> TagPolicyResponse,
        untag_policy(UntagPolicyRequest) -> UntagPolicyResponse,
        list_policy_tags(ListPolicyTagsRequest) -> ListPolicyTagsResponse;
    User by user_name with entity::find:
        tag_user(TagUserRequest) -> TagUserResponse,
        untag_user(UntagUserRequest) -> UntagUserResponse,
        list_user_tags(ListUserTagsRequest) -> ListUserTagsResponse;
    InstanceProfile by instance_profile_name with entity::find:
        tag_instance_profile(TagInstanceProfileRequest) -> TagInstanceProfileResponse,
        untag_instance_profile(UntagInstanceProfileRequest) -> UntagInstanceProfileResponse,
        list_instance_profile_tags(ListInstanceProfileTagsRequest) -> ListInstanceProfileTagsResponse;
}

/// Keys have 1 to 128 characters.
fn check_keys(keys: &[String]) -> Result<(), Error> {
    let fits = |key: &String| (1..=128).contains(&key.chars().count());
    if keys.iter().all(fits) {
        return Ok(());
    }
    Err(validation(
        "1 validation error detected: Value at 'tagKeys' failed to satisfy constraint: Member must have length between 1 and 128",
    ))
}

/// The tags that a create action gives.
pub(super) fn given(tx: &Transaction<'_>, tags: &[Tag]) -> Result<Tags, Error> {
    let mut given = Tags::new();
    add(tx, &mut given, tags)?;
    Ok(given)
}

/// Tags in an answer.
pub(super) fn shapes(tags: &Tags) -> Vec<Tag> {
    let shape = |(key, value): (&String, &String)| Tag {
        key: Some(key.clone()),
        value: Some(value.clone()),
    };
    tags.iter().map(shape).collect()
}

fn add(tx: &Transaction<'_>, to: &mut Tags, tags: &[Tag]) -> Result<(), Error> {
    let mut keys = std::collections::BTreeSet::new();
    // Keys that differ in case only are the same here.
    let lower = |tag: &Tag| tag.key.as_deref().unwrap_or_default().to_ascii_lowercase();
    if !tags.iter().map(lower).all(|key| keys.insert(key)) {
        return Err(Error::new(
            "InvalidInput",
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        ));
    }
    let as_ec2 = |tag: &Tag| ec2_api::Tag {
        key: tag.key.clone(),
        value: tag.value.clone(),
    };
    let tags: Vec<ec2_api::Tag> = tags.iter().map(as_ec2).collect();
    tag::add(tx, to, &tags)
}
