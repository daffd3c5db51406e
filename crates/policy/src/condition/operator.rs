//! Condition operators by name ("IAM JSON policy elements: Condition operators").

/// What an operator compares, and how it treats several values and none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Operator {
    pub(crate) comparison: Comparison,
    /// `…Not…`: holds if none of the policy's values matches.
    pub(crate) negated: bool,
    /// `…IfExists`: holds if the request does not have the key.
    pub(crate) if_exists: bool,
    pub(crate) quantifier: Option<Quantifier>,
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Text,
    TextIgnoringCase,
    TextLike,
    Number(Order),
    Date(Order),
    Bool,
    Binary,
    Address,
    Arn,
    /// Whether the request has the key.
    Null,
}

/// How numbers and dates are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    /// Whether `left` stands in this order to `right`.
    pub(crate) fn holds<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

/// What a condition demands of a key with several values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantifier {
    /// `ForAllValues:`
    All,
    /// `ForAnyValue:`
    Any,
}

impl Operator {
    /// The operator of a name, with its prefix and suffix. Names are case-sensitive.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (quantifier, base) = if let Some(base) = name.strip_prefix("ForAllValues:") {
            (Some(Quantifier::All), base)
        } else if let Some(base) = name.strip_prefix("ForAnyValue:") {
            (Some(Quantifier::Any), base)
        } else {
            (None, name)
        };
        let (base, if_exists) = match base.strip_suffix("IfExists") {
            Some(base) => (base, true),
            None => (base, false),
        };
        let (comparison, negated) = comparison(base)?;
        let decorated = if_exists || quantifier.is_some();
        (comparison != Comparison::Null || !decorated).then_some(Self {
            comparison,
            negated,
            if_exists,
            quantifier,
        })
    }
}

fn comparison(name: &str) -> Option<(Comparison, bool)> {
    if let Some(order) = name.strip_prefix("Numeric") {
        let (order, negated) = self::order(order)?;
        return Some((Comparison::Number(order), negated));
    }
    if let Some(order) = name.strip_prefix("Date") {
        let (order, negated) = self::order(order)?;
        return Some((Comparison::Date(order), negated));
    }
    Some(match name {
        "StringEquals" => (Comparison::Text, false),
        "StringNotEquals" => (Comparison::Text, true),
        "StringEqualsIgnoreCase" => (Comparison::TextIgnoringCase, false),
        "StringNotEqualsIgnoreCase" => (Comparison::TextIgnoringCase, true),
        "StringLike" => (Comparison::TextLike, false),
        "StringNotLike" => (Comparison::TextLike, true),
        "Bool" => (Comparison::Bool, false),
        "BinaryEquals" => (Comparison::Binary, false),
        "IpAddress" => (Comparison::Address, false),
        "NotIpAddress" => (Comparison::Address, true),
        "ArnEquals" | "ArnLike" => (Comparison::Arn, false),
        "ArnNotEquals" | "ArnNotLike" => (Comparison::Arn, true),
        "Null" => (Comparison::Null, false),
        _ => return None,
    })
}

fn order(name: &str) -> Option<(Order, bool)> {
    Some(match name {
        "Equals" => (Order::Equal, false),
        "NotEquals" => (Order::Equal, true),
        "LessThan" => (Order::Less, false),
        "LessThanEquals" => (Order::LessOrEqual, false),
        "GreaterThan" => (Order::Greater, false),
        "GreaterThanEquals" => (Order::GreaterOrEqual, false),
        _ => return None,
    })
}
