//! IAM, as far as it says what services may do for an account: roles, their policies, and instance profiles.
//!
//! Codes and messages: IAM API Reference, the pages of the actions and "Common errors". IAM is global: its rows are in
//! an account's state of [`model::Region::GLOBAL`]. Policies are checked when they are set, and decide nothing.

mod document;
mod entity;
mod error;
mod instance_profile;
mod managed_policy;
mod marker;
mod role;
mod role_policy;
mod tag;

pub(crate) use error::in_its_words;
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
pub(crate) use role_policy::{
    attach_role_policy, delete_role_policy, detach_role_policy, get_role_policy,
    list_attached_role_policies, list_role_policies, put_role_policy,
};
pub(crate) use tag::{
    list_instance_profile_tags, list_policy_tags, list_role_tags, tag_instance_profile, tag_policy,
    tag_role, untag_instance_profile, untag_policy, untag_role,
};
