//! `Principal` and `NotPrincipal`: whom a statement is about.

use crate::caller::root_arn;
use crate::document::Kind;
use crate::json::Value;
use crate::{Caller, Error, Request};

/// Whom a statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Principals {
    Only(Vec<Principal>),
    Except(Vec<Principal>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Principal {
    Everyone,
    /// Everybody in an account.
    Account(String),
    /// A root user, user, role or session, by ARN.
    Arn(String),
    Service(String),
    Federated(String),
    CanonicalUser(String),
}

impl Principals {
    /// Whether a statement is about the caller.
    ///
    /// A caller is spared by `NotPrincipal` in a denial only if every level of it is named, the session, its role and
    /// its account ("AWS JSON policy elements: NotPrincipal"); in an allowance if any is.
    pub(crate) fn include(&self, request: &Request<'_>, denies: bool) -> bool {
        match self {
            Self::Only(named) => named.iter().any(|principal| principal.covers(request)),
            Self::Except(named) if denies => {
                let Caller::Identity(identity) = request.caller else {
                    return !named.iter().any(|principal| principal.covers(request));
                };
                let mut levels = identity.levels().into_iter();
                let root = root_arn(&identity.account);
                !levels.all(|level| {
                    named.iter().any(|principal| match principal {
                        Principal::Everyone => true,
                        Principal::Account(account) => {
                            level == root && *account == identity.account
                        }
                        Principal::Arn(arn) => *arn == level,
                        other => other.covers(request),
                    })
                })
            }
            Self::Except(named) => !named.iter().any(|principal| principal.covers(request)),
        }
    }

    /// Whether a statement that is about the caller is so by more than the caller's account.
    pub(crate) fn include_by_name(&self, request: &Request<'_>) -> bool {
        let root = request
            .caller
            .identity()
            .map(|identity| root_arn(&identity.account));
        match self {
            Self::Only(named) => named.iter().any(|principal| {
                let is_account = match principal {
                    Principal::Account(_) => true,
                    Principal::Arn(arn) => Some(arn) == root.as_ref(),
                    _ => false,
                };
                !is_account && principal.covers(request)
            }),
            Self::Except(_) => true,
        }
    }

    /// Whether the statement is about everybody, or about all but some.
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Self::Only(named) => named.contains(&Principal::Everyone),
            Self::Except(_) => true,
        }
    }
}

impl Principal {
    fn covers(&self, request: &Request<'_>) -> bool {
        match (self, request.caller) {
            (Self::Everyone, _) => true,
            (Self::Account(account), Caller::Identity(identity)) => *account == identity.account,
            (Self::Arn(arn), Caller::Identity(identity)) => {
                *arn == identity.arn || *arn == identity.principal_arn
            }
            (Self::Service(service), Caller::Service(name)) => service == name,
            (Self::CanonicalUser(id), Caller::Identity(_)) => {
                request.canonical_user_id == Some(id.as_str())
            }
            _ => false,
        }
    }
}

/// Reads a principal element: `"*"`, or an object of lists by type of principal.
pub(crate) fn parse(value: &Value, kind: Kind<'_>) -> Result<Vec<Principal>, Error> {
    let types = match value {
        Value::Text(text) if text == "*" => return Ok(vec![Principal::Everyone]),
        Value::Object(types) if !types.is_empty() => types,
        _ => return Err(Error::Principal),
    };
    let mut principals = Vec::new();
    for (name, value) in types {
        let named = value.texts().ok_or(Error::Principal)?;
        for text in named {
            principals.push(one(name, text, kind)?);
        }
    }
    if principals.is_empty() {
        return Err(Error::Principal);
    }
    Ok(principals)
}

fn one(name: &str, text: &str, kind: Kind<'_>) -> Result<Principal, Error> {
    let is_wild = text.contains(['*', '?']);
    match name {
        "AWS" if text == "*" => Ok(Principal::Everyone),
        "AWS" => aws(text, kind).ok_or(Error::Principal),
        "Service" if is_service(text) => Ok(Principal::Service(text.to_owned())),
        "Federated" if !text.is_empty() && !is_wild => Ok(Principal::Federated(text.to_owned())),
        "CanonicalUser" if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) => {
            Ok(Principal::CanonicalUser(text.to_ascii_lowercase()))
        }
        _ => Err(Error::Principal),
    }
}

/// An account number or an ARN. In the policy of a gateway endpoint, an account is its root user only ("Endpoint
/// policies for gateway endpoints").
fn aws(text: &str, kind: Kind<'_>) -> Option<Principal> {
    let account = match text.strip_prefix("arn:aws:") {
        None => Some(text),
        Some(arn) => arn
            .strip_prefix("iam::")
            .and_then(|arn| arn.strip_suffix(":root")),
    };
    if let Some(account) = account {
        return is_account(account).then(|| match kind {
            Kind::GatewayEndpoint => Principal::Arn(root_arn(account)),
            _ => Principal::Account(account.to_owned()),
        });
    }
    let (service, rest) = text.strip_prefix("arn:aws:")?.split_once("::")?;
    let (account, resource) = rest.split_once(':')?;
    let (resource_type, name) = resource.split_once('/')?;
    let exists = match (service, resource_type) {
        ("iam", "user" | "role") => !name.is_empty(),
        ("sts", "assumed-role") => name.split('/').filter(|part| !part.is_empty()).count() == 2,
        ("sts", "federated-user") => !name.is_empty(),
        _ => false,
    };
    let is_valid = exists && is_account(account) && !name.contains(['*', '?']);
    is_valid.then(|| Principal::Arn(text.to_owned()))
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_service(text: &str) -> bool {
    let name = text
        .strip_suffix(".amazonaws.com")
        .or_else(|| text.strip_suffix(".amazonaws.com.cn"));
    name.is_some_and(|name| {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
        !name.is_empty() && name.bytes().all(allowed)
    })
}
