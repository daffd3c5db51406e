//! The part of the service model that the chosen actions reach.

use super::names;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// File of the shapes that actions of several nouns use.
pub(super) const SHARED: &str = "shared";

/// What codegen emits, already in Rust's terms.
pub(super) struct Model {
    /// Actions in the order of `actions.toml`.
    pub(super) actions: Vec<Action>,
    /// Every structure, requests and responses included, by Rust name.
    pub(super) structures: BTreeMap<String, Structure>,
}

pub(super) struct Action {
    pub(super) name: String,
    pub(super) has_dry_run: bool,
}

pub(super) struct Structure {
    /// The file it is written to.
    pub(super) noun: String,
    pub(super) kind: Kind,
    pub(super) members: Vec<Member>,
    pub(super) in_request: bool,
    pub(super) in_response: bool,
}

#[derive(Clone, PartialEq)]
pub(super) enum Kind {
    Request(String),
    Response(String),
    Nested,
}

pub(super) struct Member {
    pub(super) name: String,
    pub(super) field: String,
    pub(super) request_name: String,
    pub(super) response_name: String,
    pub(super) required: bool,
    pub(super) is_list: bool,
    /// The Rust type of the value, or of an item.
    pub(super) value_type: String,
}

impl Model {
    /// Follows every action's input and output down to the scalars.
    pub(super) fn new(source: &Value, nouns: Vec<(String, Vec<String>)>) -> Result<Self> {
        let mut model = Self {
            actions: Vec::new(),
            structures: BTreeMap::new(),
        };
        for (noun, actions) in nouns {
            for name in actions {
                model.add_action(source, &noun, name)?;
            }
        }
        Ok(model)
    }

    /// Nouns that own at least one structure, `shared` included.
    pub(super) fn files(&self) -> BTreeSet<&str> {
        self.structures
            .values()
            .map(|structure| structure.noun.as_str())
            .collect()
    }

    fn add_action(&mut self, source: &Value, noun: &str, name: String) -> Result<()> {
        let operation = &source["operations"][&name];
        if operation.is_null() {
            bail!("{name}: no such action in the service model");
        }
        for (side, kind) in [
            ("input", Kind::Request(name.clone())),
            ("output", Kind::Response(name.clone())),
        ] {
            let rust_name = match side {
                "input" => format!("{name}Request"),
                _ => format!("{name}Response"),
            };
            let mut path = Vec::new();
            let members = match operation[side]["shape"].as_str() {
                Some(shape) => {
                    path.push(shape.to_owned());
                    self.members(source, noun, shape, side == "input", &mut path)?
                }
                None => Vec::new(),
            };
            let structure = Structure {
                noun: noun.to_owned(),
                kind,
                members,
                in_request: side == "input",
                in_response: side == "output",
            };
            if self
                .structures
                .insert(rust_name.clone(), structure)
                .is_some()
            {
                bail!("{rust_name}: two shapes want this name");
            }
        }
        let has_dry_run = self.structures[&format!("{name}Request")]
            .members
            .iter()
            .any(|member| member.name == "DryRun");
        self.actions.push(Action { name, has_dry_run });
        Ok(())
    }

    fn members(
        &mut self,
        source: &Value,
        noun: &str,
        shape: &str,
        request: bool,
        path: &mut Vec<String>,
    ) -> Result<Vec<Member>> {
        let definition = &source["shapes"][shape];
        let required: BTreeSet<&str> = definition["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut members = Vec::new();
        for pair in definition["members"]
            .as_array()
            .context("structure without members")?
        {
            let name = pair[0].as_str().context("member without a name")?;
            let target = pair[1]["shape"]
                .as_str()
                .context("member without a shape")?;
            if source["shapes"][target]["type"] == "map" {
                // Only what Weir refuses has maps; left out, it is refused as unknown.
                continue;
            }
            let location = pair[1]["locationName"].as_str();
            let (is_list, item) = match source["shapes"][target]["type"].as_str() {
                Some("list") => {
                    let item = source["shapes"][target]["member"]["shape"].as_str();
                    (true, item.context("list without a member")?)
                }
                _ => (false, target),
            };
            let request_name = match pair[1]["queryName"].as_str() {
                Some(query_name) => query_name.to_owned(),
                None => location.map_or_else(|| name.to_owned(), names::capitalise),
            };
            members.push(Member {
                name: name.to_owned(),
                field: names::field(name),
                request_name,
                response_name: location.unwrap_or(name).to_owned(),
                required: required.contains(name),
                is_list,
                value_type: self.value_type(source, noun, item, request, path)?,
            });
        }
        Ok(members)
    }

    fn value_type(
        &mut self,
        source: &Value,
        noun: &str,
        shape: &str,
        request: bool,
        path: &mut Vec<String>,
    ) -> Result<String> {
        let kind = source["shapes"][shape]["type"]
            .as_str()
            .context("shape without a type")?;
        Ok(match kind {
            "string" | "timestamp" | "blob" => "String".to_owned(),
            "boolean" => "bool".to_owned(),
            "integer" => "i32".to_owned(),
            "long" => "i64".to_owned(),
            "float" | "double" => "f64".to_owned(),
            "structure" => {
                self.add_nested(source, noun, shape, request, path)?;
                shape.to_owned()
            }
            other => bail!("{shape}: shapes of type {other} are not supported"),
        })
    }

    fn add_nested(
        &mut self,
        source: &Value,
        noun: &str,
        shape: &str,
        request: bool,
        path: &mut Vec<String>,
    ) -> Result<()> {
        if path.iter().any(|outer| outer == shape) {
            bail!("{shape}: recursive shapes are not supported");
        }
        path.push(shape.to_owned());
        let members = self.members(source, noun, shape, request, path)?;
        path.pop();
        let structure = self
            .structures
            .entry(shape.to_owned())
            .or_insert_with(|| Structure {
                noun: noun.to_owned(),
                kind: Kind::Nested,
                members,
                in_request: false,
                in_response: false,
            });
        if structure.kind != Kind::Nested {
            bail!("{shape}: also the name of a request or response");
        }
        if structure.noun != noun {
            structure.noun = SHARED.to_owned();
        }
        structure.in_request |= request;
        structure.in_response |= !request;
        Ok(())
    }
}
