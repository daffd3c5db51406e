//! The decision on a request: all policies that apply to it, put together.

use std::fmt;

use crate::document::{Allowance, Opinion};
use crate::permissions::Held;
use crate::{Caller, Context, Document, Permissions};

/// A request, as policies see it.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Who makes it.
    pub caller: &'a Caller,
    /// The canonical user id of the caller's account, where the service knows such ids.
    pub canonical_user_id: Option<&'a str>,
    /// The action, `s3:GetObject`.
    pub action: &'a str,
    /// The ARN of what it is done with; `*` if the action has no resource.
    pub resource: &'a str,
    /// What conditions compare with.
    pub context: &'a Context,
}

/// The policies that apply to a request.
#[derive(Debug, Clone, Copy)]
pub struct Policies<'a> {
    /// The policy of the endpoint that the request came through; `None` is full access.
    pub endpoint: Option<&'a Document>,
    /// The policy of the resource, if it has one.
    pub resource: Option<&'a Document>,
    /// The account that the resource belongs to.
    pub owner: &'a str,
    /// What the caller's own policies let it do; `None` is everything.
    pub identity: Option<&'a Permissions>,
}

/// Where a decision comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The caller's own account.
    Identity,
    /// The policy of the VPC endpoint.
    Endpoint,
    /// The policy of the resource.
    Resource,
    /// The policy that the caller's session was begun with.
    Session,
}

/// Why a request is let through, or not.
pub type Decision = Result<Authorized, Denial>;

/// A request that is let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorized {
    /// What allows it.
    pub by: Source,
    /// The statement that does, by its Sid or its place.
    pub statement: Option<String>,
}

/// A request that is not let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// What denies it.
    pub by: Source,
    /// How.
    pub reason: Reason,
}

/// How a request is denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// By a statement, named by its Sid or its place.
    Explicit {
        /// The statement.
        statement: String,
    },
    /// No statement allows it.
    Implicit,
}

/// Decides on a request ("Policy evaluation logic"): what any policy denies is denied; the endpoint's policy has to
/// allow it, and the session's, if it has one. Then, within an account, the caller's own policies or the resource's have to
/// allow it; from another account both.
///
/// A resource's policy that names the caller's account leaves it to the account's own policies ("Evaluating
/// identity-based policies with resource-based policies").
///
/// # Errors
///
/// The denial.
pub fn decide(request: &Request<'_>, policies: &Policies<'_>) -> Decision {
    let held = refuse_denied(request, policies)?;
    let resource = policies.resource;
    let allowed = resource.and_then(|document| document.allows(request));
    let by_resource = |allowed: Allowance| Authorized {
        by: Source::Resource,
        statement: resource.map(|document| document.statement_name(allowed.statement)),
    };
    let identity = request.caller.identity();
    if identity.is_none_or(|identity| identity.account != policies.owner) {
        return match (allowed, held) {
            (_, Held::Silent) => implicit(Source::Identity),
            (Some(allowed), _) => Ok(by_resource(allowed)),
            (None, _) => implicit(Source::Resource),
        };
    }
    match (allowed, held) {
        (Some(allowed), held) if allowed.by_name || held.is_everything() => {
            Ok(by_resource(allowed))
        }
        (_, held) => held.authorized(),
    }
}

/// Decides whether a role may be assumed: its trust policy has to allow it, within an account, too ("Granting a user
/// permissions to switch roles"), and the caller's own policies unless the trust policy names the caller.
///
/// # Errors
///
/// The denial.
pub fn decide_on_trust(request: &Request<'_>, policies: &Policies<'_>) -> Decision {
    let held = refuse_denied(request, policies)?;
    let trust = policies.resource;
    let Some(allowed) = trust.and_then(|document| document.allows(request)) else {
        return implicit(Source::Resource);
    };
    let identity = request.caller.identity();
    let own = identity.is_some_and(|identity| identity.account == policies.owner);
    match held {
        Held::Silent if !(own && allowed.by_name) => implicit(Source::Identity),
        _ => Ok(Authorized {
            by: Source::Resource,
            statement: trust.map(|document| document.statement_name(allowed.statement)),
        }),
    }
}

/// Refuses what any policy denies, and what the endpoint's or the session's does not allow.
fn refuse_denied<'a>(request: &Request<'_>, policies: &Policies<'a>) -> Result<Held<'a>, Denial> {
    let opinion = |document: Option<&Document>| document.map(|d| d.opinion(request));
    let session = policies.identity.and_then(|own| own.session.as_ref());
    let limits = [
        (Source::Endpoint, policies.endpoint),
        (Source::Session, session),
    ];
    for (by, document) in limits
        .into_iter()
        .chain([(Source::Resource, policies.resource)])
    {
        if let (Some(document), Some(Opinion::Denied(index))) = (document, opinion(document)) {
            return Err(explicit(by, document, index));
        }
    }
    let held = match policies.identity {
        None => Held::Everything,
        Some(own) => own.opinion(request),
    };
    if let Held::Denied(document, index) = held {
        return Err(explicit(Source::Identity, document, index));
    }
    for (by, document) in limits {
        if opinion(document) == Some(Opinion::Silent) {
            return implicit(by);
        }
    }
    Ok(held)
}

impl Held<'_> {
    fn is_everything(self) -> bool {
        matches!(self, Self::Everything)
    }

    /// The decision, if nothing but the caller's own policies is asked.
    fn authorized(self) -> Decision {
        let statement = match self {
            Self::Everything => None,
            Self::Allowed(document, index) => Some(document.statement_name(index)),
            Self::Denied(..) | Self::Silent => return implicit(Source::Identity),
        };
        Ok(Authorized {
            by: Source::Identity,
            statement,
        })
    }
}

fn explicit(by: Source, document: &Document, index: usize) -> Denial {
    Denial {
        by,
        reason: Reason::Explicit {
            statement: document.statement_name(index),
        },
    }
}

fn implicit<T>(by: Source) -> Result<T, Denial> {
    Err(Denial {
        by,
        reason: Reason::Implicit,
    })
}

impl Denial {
    /// The message that AWS gives callers ("Troubleshoot access denied error messages"). A resource of `*` is left out.
    #[must_use]
    pub fn message(&self, request: &Request<'_>) -> String {
        self.message_about(request, request.resource)
    }

    /// The message of S3, which puts the resource in quotes.
    #[must_use]
    pub fn quoted_message(&self, request: &Request<'_>) -> String {
        self.message_about(request, &format!("\"{}\"", request.resource))
    }

    fn message_about(&self, request: &Request<'_>, resource: &str) -> String {
        let who = match request.caller {
            Caller::Identity(identity) => format!("User: {}", identity.arn),
            Caller::Service(name) => format!("Service: {name}"),
            Caller::Anonymous => "User: anonymous".to_owned(),
        };
        let mut message = format!("{who} is not authorized to perform: {}", request.action);
        if request.resource != "*" {
            message += &format!(" on resource: {resource}");
        }
        message + &self.because(request.action)
    }

    fn because(&self, action: &str) -> String {
        match &self.reason {
            Reason::Explicit { .. } => {
                format!(" with an explicit deny in {} policy", self.by.article())
            }
            Reason::Implicit => {
                format!(" because no {} policy allows the {action} action", self.by)
            }
        }
    }
}

impl Source {
    fn article(self) -> String {
        let article = if self == Self::Identity { "an" } else { "a" };
        format!("{article} {self}")
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => "identity-based",
            Self::Endpoint => "VPC endpoint",
            Self::Resource => "resource-based",
            Self::Session => "session",
        })
    }
}

impl fmt::Display for Denial {
    /// For the people who wrote the policy: names the statement.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Reason::Explicit { statement } => {
                write!(f, "denied by {statement} of the {} policy", self.by)
            }
            Reason::Implicit => write!(f, "no statement of the {} policy allows it", self.by),
        }
    }
}
