//! Client tokens: what a token was used for, so that a retried call does nothing twice.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// A remembered use of a client token (Amazon EC2 Developer Guide, "Ensuring idempotency").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientToken {
    /// The request as it was, in a canonical text, to tell a retry from a mismatch.
    pub fingerprint: String,
    /// What the first use created, in its order.
    pub created: Vec<String>,
    /// When it was first used.
    pub at: Timestamp,
}

impl ClientToken {
    /// The key under which `State::client_tokens` holds the token of an action.
    pub fn key(action: &str, token: &str) -> String {
        format!("{action}/{token}")
    }
}
