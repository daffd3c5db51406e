//! Emits modules of `ec2-query`: how each shape is read from parameters and written as XML.

use super::model::{Action, Kind, Model, Structure};
use super::{Files, Protocol};
use anyhow::Result;
use std::fmt::Write;

/// Actions of EC2 that send `<return>true</return>` although their model output is not empty and has no such member.
const RETURN_BESIDES_MEMBERS: &[&str] = &["AssociateAddress", "AssignPrivateIpAddresses"];

/// One file per noun, `actions.rs` and `mod.rs`.
pub(super) fn files(model: &Model, api: &str, protocol: Protocol) -> Result<Files> {
    let shapes = format!("use {}::*;\n\n", api.replace('-', "_"));
    let mut files = Files::new();
    for noun in model.files() {
        let mut text = String::new();
        let own = || {
            model
                .structures
                .iter()
                .filter(|(_, structure)| structure.noun == noun)
        };
        if own().any(|(_, structure)| structure.in_request) {
            text.push_str("use crate::Error;\nuse crate::decode::{Decode, Node};\n");
        }
        if own().any(|(_, structure)| structure.in_response) {
            text.push_str("use crate::encode::{Encode, Writer};\n");
        }
        text.push_str(&shapes);
        for (name, structure) in own() {
            if structure.in_request {
                write_decode(&mut text, name, structure, protocol)?;
            }
            if structure.in_response {
                write_encode(&mut text, name, structure, protocol)?;
            }
        }
        files.insert(format!("{noun}.rs").into(), text);
    }
    files.insert("actions.rs".into(), actions(&model.actions, &shapes)?);
    let mut module =
        format!("//! Wire forms of the shapes in `{api}`.\n\npub(crate) mod actions;\n");
    for noun in model.files() {
        writeln!(module, "mod {noun};")?;
    }
    files.insert("mod.rs".into(), module);
    Ok(files)
}

fn write_decode(
    text: &mut String,
    name: &str,
    structure: &Structure,
    protocol: Protocol,
) -> Result<()> {
    let (list, required_list) = match protocol {
        Protocol::Ec2 => ("list", "required_list"),
        Protocol::Query => ("member_list", "required_member_list"),
    };
    writeln!(text, "impl Decode for {name} {{")?;
    writeln!(
        text,
        "fn decode(mut node: Node<'_>) -> Result<Self, Error> {{"
    )?;
    writeln!(text, "node.expect_no_value()?;\nlet shape = Self {{")?;
    for member in &structure.members {
        let method = match (member.is_list, member.required) {
            (false, false) => "option",
            (false, true) => "required_option",
            (true, false) => list,
            (true, true) => required_list,
        };
        writeln!(
            text,
            "{}: node.{method}(\"{}\")?,",
            member.field, member.request_name
        )?;
    }
    writeln!(text, "}};\nnode.expect_no_more()?;\nOk(shape)\n}}\n}}\n")?;
    Ok(())
}

fn write_encode(
    text: &mut String,
    name: &str,
    structure: &Structure,
    protocol: Protocol,
) -> Result<()> {
    let mut body = String::new();
    // What follows from the action is EC2's own.
    let action = match &structure.kind {
        Kind::Response(action) if protocol == Protocol::Ec2 => Some(action.as_str()),
        _ => None,
    };
    // Of an attribute's answer only what was asked for is sent, so an empty list there means "not asked for".
    let one_attribute =
        action.is_some_and(|a| a.starts_with("Describe") && a.ends_with("Attribute"));
    let list_method = match protocol {
        Protocol::Ec2 if one_attribute => "list_unless_empty",
        Protocol::Ec2 => "list",
        Protocol::Query => "member_list",
    };
    let besides = action.is_some_and(|action| RETURN_BESIDES_MEMBERS.contains(&action));
    if besides || (action.is_some() && structure.members.is_empty()) {
        writeln!(body, "xml.element(\"return\", &true);")?;
    }
    for member in &structure.members {
        let (field, wire) = (&member.field, &member.response_name);
        if action.is_some() && member.name == "Return" {
            // An answer that exists is a success, whether or not its maker said so.
            writeln!(
                body,
                "xml.element(\"{wire}\", &self.{field}.unwrap_or(true));"
            )?;
        } else if member.is_list {
            writeln!(body, "xml.{list_method}(\"{wire}\", &self.{field});")?;
        } else {
            writeln!(body, "xml.option(\"{wire}\", &self.{field});")?;
        }
    }
    let argument = if body.is_empty() { "_xml" } else { "xml" };
    writeln!(text, "impl Encode for {name} {{")?;
    writeln!(
        text,
        "fn encode(&self, {argument}: &mut Writer) {{\n{body}}}\n}}\n"
    )?;
    Ok(())
}

fn actions(actions: &[Action], shapes: &str) -> Result<String> {
    let mut text = String::from("use crate::Error;\nuse crate::decode::{Decode, Node};\n");
    text.push_str("use crate::encode::{Encode, Writer};\n");
    text.push_str(shapes);
    text.push_str("/// The request of `action`, or `None` when there is no such action.\n");
    text.push_str(
        "pub(crate) fn decode(action: &str, node: Node<'_>) -> Result<Option<Request>, Error> {\n",
    );
    text.push_str("Ok(Some(match action {\n");
    for action in actions {
        writeln!(
            text,
            "\"{0}\" => {0}Request::decode(node)?.into(),",
            action.name
        )?;
    }
    text.push_str("_ => return Ok(None),\n}))\n}\n\n");
    text.push_str("/// Writes the members of any response.\n");
    text.push_str(
        "pub(crate) fn encode(response: &Response, xml: &mut Writer) {\nmatch response {\n",
    );
    for action in actions {
        writeln!(
            text,
            "Response::{}(shape) => shape.encode(xml),",
            action.name
        )?;
    }
    text.push_str("}\n}\n");
    Ok(text)
}
