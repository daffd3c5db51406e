//! CloudTrail: one event for each call of the API (AWS CloudTrail User Guide, "CloudTrail record contents").
//!
//! A [`Call`] says who called what, from where, and what came of it; [`Call::event`] writes it down as CloudTrail does.
//! How parameters and answers look in an event depends on the service and, within EC2, on how old the action is:
//! [`ec2`] knows both of its styles, [`json`] the services that speak JSON. This crate knows no clock, no files and no
//! trail: `store` keeps events, `services` has the API, `server` sees the calls.

pub mod ec2;
mod event;
mod form;
pub mod json;
mod query;
mod resource;
mod user_identity;

pub use event::{Call, Endpoint, Event, Failure, Tls};
pub use query::{EventAttribute, EventQuery, Numbered};
pub use resource::Resource;
pub use user_identity::Caller;

#[cfg(test)]
mod tests;
