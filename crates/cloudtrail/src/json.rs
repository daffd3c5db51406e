//! Parameters of services that speak JSON, and of those that speak the common Query protocol.

use ec2_query::Tree;
use serde_json::{Map, Value};

use crate::ec2::lower;
use crate::form::{self, Node};

/// `requestParameters` of a JSON call, `responseElements` of its answer: the same members, their names in lower case.
/// `null` when there is nothing to show.
pub fn members(body: &[u8]) -> Value {
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) if !members.is_empty() => lowered(Value::Object(members)),
        _ => Value::Null,
    }
}

/// `requestParameters` of a form of the common Query protocol: `Subnets.member.1` is a list.
pub fn query_parameters(form: &[(String, String)]) -> Value {
    let parameters = form::read(form);
    match parameters.members.is_empty() {
        true => Value::Null,
        false => of_node("", &parameters),
    }
}

/// `responseElements` of an answer of the common Query protocol.
pub fn query_elements(elements: &Tree) -> Value {
    match elements {
        Tree::Structure(members) if members.is_empty() => Value::Null,
        elements => lowered(of_tree(elements)),
    }
}

fn of_node(name: &str, node: &Node<'_>) -> Value {
    if let Some(value) = node.value {
        return form::scalar(name, value);
    }
    let list = node.get("member").and_then(Node::items);
    if let Some(items) = list.or_else(|| node.items()) {
        return items.iter().map(|item| of_node("", item)).collect();
    }
    let members = node.members.iter();
    members
        .map(|(name, member)| (lower(name), of_node(name, member)))
        .collect::<Map<_, _>>()
        .into()
}

fn of_tree(tree: &Tree) -> Value {
    match tree {
        Tree::Structure(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), of_tree(member)))
            .collect::<Map<_, _>>()
            .into(),
        Tree::List(items) => items.iter().map(of_tree).collect(),
        Tree::Text(text) => text.as_str().into(),
        Tree::Integer(number) => (*number).into(),
        Tree::Float(number) => (*number).into(),
        Tree::Boolean(is) => (*is).into(),
    }
}

fn lowered(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .map(|(name, member)| (lower(&name), lowered(member)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.into_iter().map(lowered).collect(),
        other => other,
    }
}
