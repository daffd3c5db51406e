//! What a caller's own policies let it do.

use crate::document::Opinion;
use crate::{Document, Request};

/// What a caller's own policies let it do, where that is asked. Root users have none: nobody asks them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Permissions {
    /// The policies of a user and its groups, or of a role.
    pub policies: Vec<Document>,
    /// The policy that a session was begun with, which it has to pass as well ("Session policies").
    pub session: Option<Document>,
}

impl Permissions {
    /// What the policies together say of a request.
    pub(crate) fn opinion(&self, request: &Request<'_>) -> Held<'_> {
        let mut held = Held::Silent;
        for document in &self.policies {
            match document.opinion(request) {
                Opinion::Denied(index) => return Held::Denied(document, index),
                Opinion::Allowed(index) if held == Held::Silent => {
                    held = Held::Allowed(document, index);
                }
                Opinion::Allowed(_) | Opinion::Silent => {}
            }
        }
        held
    }
}

/// What the policies of a caller say of a request, with the statement that says it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Held<'a> {
    /// None are asked.
    Everything,
    Denied(&'a Document, usize),
    Allowed(&'a Document, usize),
    Silent,
}
