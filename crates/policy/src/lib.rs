//! IAM policy documents as AWS reads and evaluates them: what a bucket or an endpoint allows, to whom, from where.
//! Every fault of a document is found when it is read, so that evaluating one cannot fail.
//! It knows no HTTP, no service's requests and no clock: what a condition asks for is put into a [`Context`].

mod caller;
mod catalogue;
mod condition;
mod context;
mod decision;
mod document;
mod error;
mod json;
mod origin;
mod pattern;
mod permissions;
mod principal;
mod public;
mod statement;

pub use caller::{Caller, Identity};
pub use context::Context;
pub use decision::{
    Authorized, Decision, Denial, Policies, Reason, Request, Source, decide, decide_on_trust,
};
pub use document::{Document, Kind, POLICY_BYTES_MAX};
pub use error::Error;
pub use origin::{EndpointOrigin, Origin};
pub use permissions::Permissions;

#[cfg(test)]
mod tests;
