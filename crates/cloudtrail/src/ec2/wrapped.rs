//! The newer style: the Query protocol's own names below `<Action>Request`, list elements with their number as `tag`.

use ec2_query::{Tree, VERSION};
use serde_json::{Map, Value, json};

use crate::form::{self, Node};

pub(super) fn request(action: &str, parameters: &Node<'_>) -> Value {
    let shown = match parameters.members.is_empty() {
        true => Value::from(""),
        false => structure(parameters).into(),
    };
    json!({ format!("{action}Request"): shown })
}

fn structure(node: &Node<'_>) -> Map<String, Value> {
    let member = |(name, member): &(&str, Node<'_>)| {
        let value = match (member.value, member.items()) {
            (Some(value), _) => form::scalar(name, value),
            (None, Some(items)) => {
                let numbered = items.iter().enumerate();
                one_or_many(
                    numbered
                        .map(|(i, item)| element(name, item, i + 1))
                        .collect(),
                )
            }
            (None, None) => structure(member).into(),
        };
        ((*name).to_owned(), value)
    };
    node.members.iter().map(member).collect()
}

fn element(name: &str, item: &Node<'_>, tag: usize) -> Value {
    let mut shown = match item.value {
        Some(value) => Map::from_iter([("content".to_owned(), form::scalar(name, value))]),
        None => structure(item),
    };
    shown.insert("tag".to_owned(), tag.into());
    shown.into()
}

pub(super) fn response(action: &str, elements: &Tree, request_id: &str) -> Value {
    let mut shown = Map::new();
    let namespace = format!("http://ec2.amazonaws.com/doc/{VERSION}/");
    shown.insert("xmlns".to_owned(), namespace.into());
    shown.insert("requestId".to_owned(), request_id.into());
    if let Value::Object(members) = value(elements) {
        shown.extend(members);
    }
    json!({ format!("{action}Response"): shown })
}

fn value(tree: &Tree) -> Value {
    match tree {
        Tree::Structure(members) if members.is_empty() => "".into(),
        Tree::Structure(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), value(member)))
            .collect::<Map<_, _>>()
            .into(),
        Tree::List(items) if items.is_empty() => "".into(),
        Tree::List(items) => json!({ "item": one_or_many(items.iter().map(value).collect()) }),
        Tree::Text(text) => text.as_str().into(),
        Tree::Integer(number) => (*number).into(),
        Tree::Float(number) => (*number).into(),
        Tree::Boolean(is) => (*is).into(),
    }
}

fn one_or_many(mut items: Vec<Value>) -> Value {
    match items.len() {
        1 => items.swap_remove(0),
        _ => items.into(),
    }
}
