//! The decision on a request: all policies that apply to it, put together.

use std::fmt;

use crate::document::Opinion;
use crate::{Caller, Context, Document};

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

/// The policies that apply to a request. The caller's own side has none here: an account lets its identities do
/// everything.
#[derive(Debug, Clone, Copy)]
pub struct Policies<'a> {
    /// The policy of the endpoint that the request came through; `None` is full access.
    pub endpoint: Option<&'a Document>,
    /// The policy of the resource, if it has one.
    pub resource: Option<&'a Document>,
    /// The account that the resource belongs to.
    pub owner: &'a str,
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
/// allow it; then the owner's identities need nothing more, all others an allowance of the resource's policy.
///
/// # Errors
///
/// The denial.
pub fn decide(request: &Request<'_>, policies: &Policies<'_>) -> Decision {
    let opinion = |document: Option<&Document>| document.map(|d| d.opinion(request));
    let endpoint = opinion(policies.endpoint);
    let resource = opinion(policies.resource);
    let applicable = [
        (Source::Endpoint, policies.endpoint, endpoint),
        (Source::Resource, policies.resource, resource),
    ];
    for (by, document, opinion) in applicable {
        if let (Some(document), Some(Opinion::Denied(index))) = (document, opinion) {
            let statement = document.statement_name(index);
            return Err(Denial {
                by,
                reason: Reason::Explicit { statement },
            });
        }
    }
    let implicit = |by| {
        Err(Denial {
            by,
            reason: Reason::Implicit,
        })
    };
    if endpoint == Some(Opinion::Silent) {
        return implicit(Source::Endpoint);
    }
    if let (Some(document), Some(Opinion::Allowed(index))) = (policies.resource, resource) {
        return Ok(Authorized {
            by: Source::Resource,
            statement: Some(document.statement_name(index)),
        });
    }
    let identity = request.caller.identity();
    if identity.is_some_and(|identity| identity.account == policies.owner) {
        return Ok(Authorized {
            by: Source::Identity,
            statement: None,
        });
    }
    implicit(Source::Resource)
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
