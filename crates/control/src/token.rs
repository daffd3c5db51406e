//! Client tokens: a retried create answers as the first one did, and creates nothing.

use std::fmt::Debug;

use model::{ClientToken, Id};

use crate::{Error, Transaction};

const TOKEN_MAX: usize = 64;

/// What a token says about a request.
pub(crate) enum Use {
    /// No token, or a new one: carry the request out.
    First,
    /// The same request again: answer with what it created then.
    Again(ClientToken),
}

/// The id of what a request creates: `create` makes it, unless the same request did so before.
/// `request` is the request without its token.
pub(crate) fn once<T: Id>(
    tx: &mut Transaction<'_>,
    action: &str,
    token: &Option<String>,
    request: &impl Debug,
    create: impl FnOnce(&mut Transaction<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    if let Use::Again(used) = check(tx, action, token, request)? {
        let created = used.created.first().and_then(|text| text.parse().ok());
        return created.ok_or(Error::IdempotentParameterMismatch);
    }
    let id = create(tx)?;
    remember(tx, action, token, request, vec![id.to_string()]);
    Ok(id)
}

/// Looks up the token of a request; `request` is the request without its token.
pub(crate) fn check(
    tx: &Transaction<'_>,
    action: &str,
    token: &Option<String>,
    request: &impl Debug,
) -> Result<Use, Error> {
    let Some(token) = token.as_deref().filter(|t| !t.is_empty()) else {
        return Ok(Use::First);
    };
    if token.len() > TOKEN_MAX || !token.is_ascii() {
        return Err(Error::invalid_value(
            "clientToken",
            token,
            "The client token may have up to 64 ASCII characters.",
        ));
    }
    match tx
        .state()
        .client_tokens
        .get(&ClientToken::key(action, token))
    {
        None => Ok(Use::First),
        Some(used) if used.fingerprint == fingerprint(request) => Ok(Use::Again(used.clone())),
        Some(_) => Err(Error::IdempotentParameterMismatch),
    }
}

/// Remembers what the request with this token created.
pub(crate) fn remember(
    tx: &mut Transaction<'_>,
    action: &str,
    token: &Option<String>,
    request: &impl Debug,
    created: Vec<String>,
) {
    if let Some(token) = token.as_deref().filter(|t| !t.is_empty()) {
        let row = ClientToken {
            fingerprint: fingerprint(request),
            created,
            at: tx.now(),
        };
        tx.put(ClientToken::key(action, token), row);
    }
}

fn fingerprint(request: &impl Debug) -> String {
    format!("{request:?}")
}
