//! A statement: who may or must not do what with which resources, and when.

use crate::condition::{self, Condition};
use crate::document::Kind;
use crate::json::Value;
use crate::pattern::{Pattern, Syntax};
use crate::principal::{self, Principal, Principals};
use crate::{Error, Request, catalogue};

/// One statement of a document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Statement {
    pub(crate) sid: Option<String>,
    pub(crate) effect: Effect,
    pub(crate) principals: Principals,
    actions: Matched,
    resources: Matched,
    pub(crate) conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

/// An element or its opposite.
#[derive(Debug, Clone, PartialEq)]
enum Matched {
    Only(Vec<Pattern>),
    Except(Vec<Pattern>),
}

impl Statement {
    /// Whether it names principals or actions that it is not about.
    pub(crate) fn has_exceptions(&self) -> bool {
        matches!(self.principals, Principals::Except(_))
            || matches!(self.actions, Matched::Except(_))
    }

    /// Whether every element of the statement matches a request.
    pub(crate) fn applies(&self, request: &Request<'_>) -> bool {
        self.principals
            .include(request, self.effect == Effect::Deny)
            && self
                .actions
                .include(|pattern| pattern.matches_ignoring_case(request.action, request.context))
            && self
                .resources
                .include(|pattern| pattern.matches(request.resource, request.context))
            && self
                .conditions
                .iter()
                .all(|condition| condition.holds(request.context))
    }
}

impl Matched {
    fn include(&self, matches: impl FnMut(&Pattern) -> bool) -> bool {
        match self {
            Self::Only(patterns) => patterns.iter().any(matches),
            Self::Except(patterns) => !patterns.iter().any(matches),
        }
    }
}

/// The elements of a statement as they are written.
#[derive(Default)]
struct Elements<'a> {
    sid: Option<&'a Value>,
    effect: Option<&'a Value>,
    principal: Option<(&'a Value, bool)>,
    action: Option<(&'a Value, bool)>,
    resource: Option<(&'a Value, bool)>,
    condition: Option<&'a Value>,
}

impl<'a> Elements<'a> {
    fn gather(value: &'a Value) -> Result<Self, Error> {
        let Value::Object(members) = value else {
            return Err(Error::Syntax);
        };
        let mut elements = Self::default();
        for (name, value) in members {
            let (element, positive) = match name.strip_prefix("Not") {
                Some(element) => (element, false),
                None => (name.as_str(), true),
            };
            let place = match (element, positive) {
                ("Sid", true) => {
                    elements.sid = Some(value);
                    continue;
                }
                ("Effect", true) => {
                    elements.effect = Some(value);
                    continue;
                }
                ("Condition", true) => {
                    elements.condition = Some(value);
                    continue;
                }
                ("Principal", _) => &mut elements.principal,
                ("Action", _) => &mut elements.action,
                ("Resource", _) => &mut elements.resource,
                _ => return Err(Error::UnknownField(name.clone())),
            };
            if place.replace((value, positive)).is_some() {
                return Err(Error::Syntax);
            }
        }
        Ok(elements)
    }
}

/// Reads and checks a statement; `variables` says whether the document's version knows policy variables.
pub(crate) fn parse(value: &Value, kind: Kind<'_>, variables: bool) -> Result<Statement, Error> {
    let elements = Elements::gather(value)?;
    let sid = match elements.sid {
        None => None,
        Some(Value::Text(sid)) => Some(sid.clone()).filter(|sid| !sid.is_empty()),
        Some(_) => return Err(Error::Syntax),
    };
    let effect = match elements.effect.ok_or(Error::MissingField("Effect"))? {
        Value::Text(effect) if effect == "Allow" => Effect::Allow,
        Value::Text(effect) if effect == "Deny" => Effect::Deny,
        Value::Text(effect) => return Err(Error::Effect(effect.clone())),
        _ => return Err(Error::Syntax),
    };
    let principals = principals(&elements, kind)?;
    let (action, only_actions) = elements.action.ok_or(Error::MissingField("Action"))?;
    let action_texts = texts(action)?;
    let every = Value::Text("*".to_owned());
    let (resource, only_resources) = match (kind, elements.resource) {
        (Kind::Trust, Some(_)) => return Err(Error::ProhibitedResource),
        // The role is the resource.
        (Kind::Trust, None) => (&every, true),
        (_, given) => given.ok_or(Error::MissingField("Resource"))?,
    };
    let resource_texts = texts(resource)?;
    let conditions = match elements.condition {
        Some(value) => condition::parse(value, variables)?,
        None => Vec::new(),
    };
    let wild = Syntax {
        wildcards: true,
        variables: false,
    };
    let actions = patterns(&action_texts, wild)?;
    let resources = patterns(&resource_texts, Syntax { variables, ..wild })?;
    match kind {
        Kind::Bucket(bucket) => catalogue::check(&catalogue::Claim {
            bucket,
            actions: &actions,
            only_actions,
            action_texts: &action_texts,
            resources: &resources,
            only_resources,
            resource_texts: &resource_texts,
            conditions: &conditions,
        })?,
        Kind::GatewayEndpoint | Kind::InterfaceEndpoint | Kind::Trust | Kind::Identity => {
            check_form(&action_texts, &resource_texts, &conditions)?;
        }
    }
    let matched = |patterns: Vec<Pattern>, only: bool| {
        if only {
            Matched::Only(patterns)
        } else {
            Matched::Except(patterns)
        }
    };
    Ok(Statement {
        sid,
        effect,
        principals,
        actions: matched(actions, only_actions),
        resources: matched(resources, only_resources),
        conditions,
    })
}

/// Whom a statement is about. That of an identity's policy is about whoever has the policy.
fn principals(elements: &Elements<'_>, kind: Kind<'_>) -> Result<Principals, Error> {
    match (kind, elements.principal) {
        (Kind::Identity, Some(_)) => Err(Error::ProhibitedPrincipal),
        (Kind::Identity, None) => Ok(Principals::Only(vec![Principal::Everyone])),
        (_, None) => Err(Error::MissingField("Principal")),
        (_, Some((named, true))) => principal::parse(named, kind).map(Principals::Only),
        (_, Some((named, false))) => principal::parse(named, kind).map(Principals::Except),
    }
}

fn texts(value: &Value) -> Result<Vec<&str>, Error> {
    let texts = value.texts().ok_or(Error::Syntax)?;
    if texts.is_empty() {
        return Err(Error::Syntax);
    }
    Ok(texts)
}

fn patterns(texts: &[&str], syntax: Syntax) -> Result<Vec<Pattern>, Error> {
    let parsed = texts.iter().map(|text| Pattern::parse(text, syntax));
    parsed.collect()
}

/// What holds for the policies of endpoints and of IAM, whose services have actions that Weir need not know: actions have a
/// vendor, resources are ARNs, condition keys have a vendor.
fn check_form(actions: &[&str], resources: &[&str], conditions: &[Condition]) -> Result<(), Error> {
    let is_name = |text: &str, allowed: &[u8]| {
        let mut bytes = text.bytes();
        !text.is_empty() && bytes.all(|b| b.is_ascii_alphanumeric() || allowed.contains(&b))
    };
    let has_vendor = |text: &str| {
        text.split_once(':')
            .is_some_and(|(vendor, name)| is_name(vendor, b"-") && is_name(name, b"*?"))
    };
    if !actions.iter().all(|text| *text == "*" || has_vendor(text)) {
        return Err(Error::Action);
    }
    let is_arn = |text: &str| text.starts_with("arn:") && text.split(':').count() >= 6;
    if !resources.iter().all(|text| *text == "*" || is_arn(text)) {
        return Err(Error::Resource);
    }
    let is_key = |key: &str| {
        key.split_once(':')
            .is_some_and(|(vendor, name)| !vendor.is_empty() && !name.is_empty())
    };
    if !conditions.iter().all(|condition| is_key(&condition.key)) {
        return Err(Error::ConditionKey);
    }
    Ok(())
}
