//! Emits `ec2-api`: plain structs and the enums over all actions.

use super::Files;
use super::model::{Kind, Member, Model, Structure};
use anyhow::Result;
use std::fmt::Write;

/// One file per noun, `actions.rs` and `mod.rs`.
pub(super) fn files(model: &Model) -> Result<Files> {
    let mut files = Files::new();
    for noun in model.files() {
        let mut text = String::from("use super::*;\n\n");
        if !model
            .structures
            .values()
            .any(|s| s.noun == noun && uses_siblings(s, model))
        {
            text.clear();
        }
        for (name, structure) in &model.structures {
            if structure.noun == noun {
                write_structure(&mut text, name, structure)?;
            }
        }
        files.insert(format!("{noun}.rs").into(), text);
    }
    files.insert("actions.rs".into(), actions(model)?);
    files.insert("mod.rs".into(), module(model)?);
    Ok(files)
}

/// Whether a structure names one that is written to another file.
fn uses_siblings(structure: &Structure, model: &Model) -> bool {
    structure
        .members
        .iter()
        .filter_map(|member| model.structures.get(&member.value_type))
        .any(|target| target.noun != structure.noun)
}

fn write_structure(text: &mut String, name: &str, structure: &Structure) -> Result<()> {
    match &structure.kind {
        Kind::Request(action) => writeln!(text, "/// What `{action}` is asked with.")?,
        Kind::Response(action) => writeln!(text, "/// What `{action}` answers.")?,
        Kind::Nested => writeln!(text, "/// AWS's `{name}`.")?,
    }
    writeln!(
        text,
        "#[derive(Clone, Debug, Default, PartialEq)]\npub struct {name} {{"
    )?;
    for member in &structure.members {
        writeln!(text, "pub {}: {},", member.field, field_type(member))?;
    }
    writeln!(text, "}}\n")?;
    Ok(())
}

fn field_type(member: &Member) -> String {
    let container = if member.is_list { "Vec" } else { "Option" };
    format!("{container}<{}>", member.value_type)
}

fn actions(model: &Model) -> Result<String> {
    let mut text = String::from("use super::*;\n\n");
    writeln!(
        text,
        "/// Every action, in the order of `actions.toml`.\npub const ACTIONS: &[&str] = &["
    )?;
    for action in &model.actions {
        writeln!(text, "\"{}\",", action.name)?;
    }
    writeln!(text, "];\n")?;
    for side in ["Request", "Response"] {
        writeln!(text, "/// The {} of any action.", side.to_lowercase())?;
        writeln!(
            text,
            "#[derive(Clone, Debug, PartialEq)]\npub enum {side} {{"
        )?;
        for action in &model.actions {
            writeln!(text, "{0}(Box<{0}{side}>),", action.name)?;
        }
        writeln!(text, "}}\n\nimpl {side} {{")?;
        writeln!(
            text,
            "/// The action's name.\npub fn action(&self) -> &'static str {{ match self {{"
        )?;
        for action in &model.actions {
            writeln!(text, "Self::{0}(_) => \"{0}\",", action.name)?;
        }
        writeln!(text, "}} }}")?;
        if side == "Request" {
            write_dry_run(&mut text, model)?;
        }
        writeln!(text, "}}\n")?;
        for action in &model.actions {
            let name = &action.name;
            writeln!(text, "impl From<{name}{side}> for {side} {{")?;
            writeln!(
                text,
                "fn from(value: {name}{side}) -> Self {{ Self::{name}(Box::new(value)) }} }}\n"
            )?;
        }
    }
    Ok(text)
}

fn write_dry_run(text: &mut String, model: &Model) -> Result<()> {
    writeln!(
        text,
        "\n/// Whether the caller only asks if the action would succeed."
    )?;
    writeln!(text, "pub fn dry_run(&self) -> bool {{ match self {{")?;
    for action in model.actions.iter().filter(|action| action.has_dry_run) {
        writeln!(
            text,
            "Self::{}(request) => request.dry_run == Some(true),",
            action.name
        )?;
    }
    let without: Vec<String> = model
        .actions
        .iter()
        .filter(|action| !action.has_dry_run)
        .map(|action| format!("Self::{}(_)", action.name))
        .collect();
    if !without.is_empty() {
        writeln!(text, "{} => false,", without.join(" | "))?;
    }
    writeln!(text, "}} }}")?;
    Ok(())
}

fn module(model: &Model) -> Result<String> {
    let mut text = String::from("//! Shapes of the actions in `actions.toml`.\n\n");
    let files: Vec<&str> = model.files().into_iter().chain(["actions"]).collect();
    for file in &files {
        writeln!(text, "mod {file};")?;
    }
    writeln!(text)?;
    for file in &files {
        writeln!(text, "pub use {file}::*;")?;
    }
    Ok(text)
}
