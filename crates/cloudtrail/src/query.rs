//! Which events somebody looks for.

use model::{Scope, Timestamp};

use crate::Event;

/// Which events are looked for.
#[derive(Clone, Debug)]
pub struct EventQuery {
    /// Of which account and Region.
    pub scope: Scope,
    /// Not before.
    pub from: Timestamp,
    /// Not after.
    pub to: Timestamp,
    /// What they must have.
    pub attribute: Option<EventAttribute>,
    /// Only those before this one, by its time and number.
    pub before: Option<(Timestamp, u64)>,
    /// At most so many.
    pub limit: usize,
}

/// What an event may be looked up by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventAttribute {
    /// The key that signed.
    AccessKeyId(String),
    /// Its id.
    EventId(String),
    /// The action.
    EventName(String),
    /// The service.
    EventSource(String),
    /// Whether it only asked.
    ReadOnly(bool),
    /// The name of something that it is about.
    ResourceName(String),
    /// The type of something that it is about.
    ResourceType(String),
    /// Who called.
    UserName(String),
}

/// An event with its number, by which events are in the order in which they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// The number.
    pub seq: u64,
    /// The event.
    pub event: Event,
}
