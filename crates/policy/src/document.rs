//! A policy document, from its text to what it says of a request.

use crate::json::Value;
use crate::statement::{Effect, Statement};
use crate::{Error, Request, statement};

/// The longest document, in bytes without white space between its tokens ("Bucket policies"; "Endpoint policies").
pub const POLICY_BYTES_MAX: usize = 20 * 1024;

/// What a document is the policy of: it decides which principals, actions and resources make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    /// The policy of the bucket of this name.
    Bucket(&'a str),
    /// The policy of a gateway endpoint.
    GatewayEndpoint,
    /// The policy of an interface endpoint.
    InterfaceEndpoint,
    /// Who may assume a role: principals, and no resources.
    Trust,
    /// What a role may do: resources, and no principals.
    Identity,
}

/// A policy document that has been checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub(crate) statements: Vec<Statement>,
}

/// A statement that allows a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// Its index.
    pub(crate) statement: usize,
    /// Whether it is about the caller, or everybody, and not only about the caller's account.
    pub(crate) by_name: bool,
}

/// What a document says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opinion {
    /// The statement of this index denies it.
    Denied(usize),
    /// The statement of this index allows it, and none denies it.
    Allowed(usize),
    /// No statement applies.
    Silent,
}

impl Document {
    /// Reads and checks a document.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it, in AWS's words.
    pub fn parse(text: &str, kind: Kind<'_>) -> Result<Self, Error> {
        let start = match kind {
            Kind::Bucket(_) => text,
            _ => text.trim_start(),
        };
        if !start.starts_with('{') {
            return Err(Error::NotAnObject);
        }
        if compact_length(text) > POLICY_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        let value = serde_json::from_str(text).map_err(|_| Error::InvalidJson)?;
        let Value::Object(elements) = value else {
            return Err(Error::NotAnObject);
        };
        let (mut variables, mut statements) = (false, None);
        for (name, value) in &elements {
            match (name.as_str(), value) {
                ("Version", Value::Text(version)) if version == "2012-10-17" => variables = true,
                ("Version", Value::Text(version)) if version == "2008-10-17" => {}
                ("Version", _) => return Err(Error::Version),
                ("Id", Value::Text(_)) => {}
                ("Id", _) => return Err(Error::Syntax),
                ("Statement", value) => statements = Some(value),
                _ => return Err(Error::UnknownField(name.clone())),
            }
        }
        let statements = match statements.ok_or(Error::MissingField("Statement"))? {
            Value::List(items) if items.is_empty() => return Err(Error::EmptyStatement),
            Value::List(items) => items.as_slice(),
            single @ Value::Object(_) => std::slice::from_ref(single),
            _ => return Err(Error::Syntax),
        };
        let statements = statements
            .iter()
            .map(|value| statement::parse(value, kind, variables))
            .collect::<Result<Vec<_>, _>>()?;
        check_sids(&statements)?;
        Ok(Self { statements })
    }

    /// A document without statements, which allows nothing.
    #[must_use]
    pub fn closed() -> Self {
        Self {
            statements: Vec::new(),
        }
    }

    /// Whether a statement says who or what it is not about, with `NotPrincipal` or `NotAction`.
    #[must_use]
    pub fn has_exceptions(&self) -> bool {
        self.statements.iter().any(Statement::has_exceptions)
    }

    /// What the document says of a request. A denial counts more than every allowance.
    pub(crate) fn opinion(&self, request: &Request<'_>) -> Opinion {
        let mut opinion = Opinion::Silent;
        for (index, statement) in self.statements.iter().enumerate() {
            if !statement.applies(request) {
                continue;
            }
            match statement.effect {
                Effect::Deny => return Opinion::Denied(index),
                Effect::Allow if opinion == Opinion::Silent => opinion = Opinion::Allowed(index),
                Effect::Allow => {}
            }
        }
        opinion
    }

    /// The statement that allows a request, one that names the caller if there is one.
    pub(crate) fn allows(&self, request: &Request<'_>) -> Option<Allowance> {
        let allowances = self
            .statements
            .iter()
            .enumerate()
            .filter_map(|(index, statement)| {
                let applies = statement.effect == Effect::Allow && statement.applies(request);
                applies.then(|| Allowance {
                    statement: index,
                    by_name: statement.principals.include_by_name(request),
                })
            });
        allowances.min_by_key(|allowance| !allowance.by_name)
    }

    /// How a statement is called: by its Sid, or by its place.
    pub(crate) fn statement_name(&self, index: usize) -> String {
        let sid = self.statements.get(index).and_then(|s| s.sid.clone());
        sid.unwrap_or_else(|| format!("statement {}", index + 1))
    }
}

fn check_sids(statements: &[Statement]) -> Result<(), Error> {
    let mut sids: Vec<_> = statements.iter().filter_map(|s| s.sid.as_ref()).collect();
    let all = sids.len();
    sids.sort_unstable();
    sids.dedup();
    if sids.len() < all {
        return Err(Error::DuplicateSid);
    }
    Ok(())
}

/// The length of JSON without the white space between its tokens.
fn compact_length(text: &str) -> usize {
    let (mut length, mut quoted, mut escaped) = (0, false, false);
    for byte in text.bytes() {
        if quoted || !byte.is_ascii_whitespace() {
            length += 1;
        }
        match byte {
            b'"' if !escaped => quoted = !quoted,
            b'\\' if quoted && !escaped => {
                escaped = true;
                continue;
            }
            _ => {}
        }
        escaped = false;
    }
    length
}
