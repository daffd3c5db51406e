//! IAM: users and their access keys, groups, roles, policies, and instance profiles.
//!
//! Codes and messages: IAM API Reference, the pages of the actions and "Common errors". IAM is global: its rows are in
//! an account's state of [`model::Region::GLOBAL`]. Policies are checked when they are set. What they decide is for `policy` to say, and for the
//! server to ask.

mod access_key;
mod account;
mod document;
mod entity;
mod entity_policy;
mod error;
mod group;
mod instance_profile;
mod managed_policy;
mod marker;
mod role;
mod tag;
mod user;

pub(crate) use access_key::{
    create_access_key, delete_access_key, list_access_keys, update_access_key,
};
pub(crate) use account::list_account_aliases;
pub(crate) use entity_policy::{
    attach_group_policy, attach_role_policy, attach_user_policy, delete_group_policy,
    delete_role_policy, delete_user_policy, detach_group_policy, detach_role_policy,
    detach_user_policy, get_group_policy, get_role_policy, get_user_policy,
    list_attached_group_policies, list_attached_role_policies, list_attached_user_policies,
    list_group_policies, list_role_policies, list_user_policies, put_group_policy, put_role_policy,
    put_user_policy,
};
pub(crate) use error::in_its_words;
pub(crate) use group::{
    add_user_to_group, create_group, delete_group, get_group, list_groups, list_groups_for_user,
    remove_user_from_group,
};
pub(crate) use instance_profile::{
    add_role_to_instance_profile, create_instance_profile, delete_instance_profile,
    get_instance_profile, list_instance_profiles, list_instance_profiles_for_role,
    remove_role_from_instance_profile,
};
pub(crate) use managed_policy::{
    create_policy, create_policy_version, delete_policy, delete_policy_version, get_policy,
    get_policy_version, list_entities_for_policy, list_policies, list_policy_versions,
    set_default_policy_version,
};
pub(crate) use role::{
    create_role, delete_role, get_role, list_roles, update_assume_role_policy, update_role,
    update_role_description,
};
pub(crate) use tag::{
    list_instance_profile_tags, list_policy_tags, list_role_tags, list_user_tags,
    tag_instance_profile, tag_policy, tag_role, tag_user, untag_instance_profile, untag_policy,
    untag_role, untag_user,
};
pub(crate) use user::{create_user, delete_user, get_user, list_users, update_user};
