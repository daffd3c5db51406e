//! Elastic Load Balancing, version 2: network load balancers, their listeners and target groups.
//!
//! Codes and messages: Elastic Load Balancing API Reference, version 2015-12-01, the pages of the actions and
//! "Common errors".

mod arn;
mod attribute;
mod error;
mod listener;
mod load_balancer;
mod name;
mod tag;
mod target;
mod target_group;

use model::{State, Timestamp};

use crate::Transaction;

pub(crate) use arn::load_balancer_of_arn;
pub(crate) use error::in_its_words;
pub(crate) use listener::{
    create_listener, delete_listener, describe_listener_attributes, describe_listeners,
    modify_listener, modify_listener_attributes,
};
pub(crate) use load_balancer::{
    create_load_balancer, delete_load_balancer, describe_capacity_reservation,
    describe_load_balancer_attributes, describe_load_balancers, modify_load_balancer_attributes,
    set_security_groups,
};
pub(crate) use tag::{add_tags, describe_tags, remove_tags};
pub(crate) use target::{deregister_targets, describe_target_health, found, register_targets};
pub(crate) use target_group::{
    create_target_group, delete_target_group, describe_target_group_attributes,
    describe_target_groups, modify_target_group, modify_target_group_attributes,
};

/// Load balancers become active, and targets that have drained go.
pub(crate) fn tick(tx: &mut Transaction<'_>) {
    load_balancer::provisioned(tx);
    target::forget_drained(tx);
}

/// When [`tick`] next changes something.
pub(crate) fn due(state: &State) -> Option<Timestamp> {
    let parts = [load_balancer::due(state), target::due(state)];
    parts.into_iter().flatten().min()
}
