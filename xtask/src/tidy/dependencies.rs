//! Who may depend on whom: the picture in `ARCHITECTURE.md`, checked.

use super::Findings;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Values in, values out: no clock, files, sockets, threads or randomness, and nothing that brings them.
pub(super) const PURE: &[&str] = &[
    "model",
    "packet",
    "sigv4",
    "policy",
    "ec2-api",
    "elbv2-api",
    "iam-api",
    "ec2-query",
    "control",
    "fixture",
    "sim",
    "dataplane",
    "flow-logs",
    "capture",
    "flow-log-files",
    "flow-why",
    "flow-export",
    "replay",
    "instance-metadata",
    "cloudtrail",
];

/// The crates of the workspace that each may use. Tests may use more: dev-dependencies are not looked at.
const EDGES: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("packet", &[]),
    ("sigv4", &[]),
    ("policy", &[]),
    ("ec2-api", &[]),
    ("elbv2-api", &[]),
    ("iam-api", &[]),
    ("ec2-query", &["ec2-api", "elbv2-api", "iam-api"]),
    (
        "control",
        &["model", "policy", "ec2-api", "elbv2-api", "iam-api"],
    ),
    ("fixture", &["model", "packet"]),
    ("dataplane", &["model", "packet"]),
    ("flow-logs", &["model", "dataplane"]),
    ("capture", &[]),
    ("flow-log-files", &["model"]),
    ("flow-why", &["model", "dataplane", "flow-logs"]),
    (
        "flow-export",
        &["model", "dataplane", "flow-logs", "flow-why"],
    ),
    (
        "replay",
        &["model", "packet", "dataplane", "flow-logs", "capture"],
    ),
    ("instance-metadata", &["model"]),
    ("cloudtrail", &["model", "ec2-query"]),
    ("store", &["model", "cloudtrail"]),
    (
        "delivery",
        &["model", "flow-logs", "flow-log-files", "sigv4"],
    ),
    ("services", &["model", "policy", "cloudtrail"]),
    ("host", &[]),
    (
        "server",
        &[
            "model",
            "packet",
            "sigv4",
            "policy",
            "ec2-api",
            "ec2-query",
            "control",
            "dataplane",
            "flow-logs",
            "capture",
            "flow-why",
            "flow-export",
            "instance-metadata",
            "cloudtrail",
            "store",
            "delivery",
            "services",
            "host",
        ],
    ),
    (
        "weir",
        &[
            "model",
            "server",
            "host",
            "packet",
            "sigv4",
            "flow-log-files",
            "capture",
            "replay",
        ],
    ),
    ("xtask", &["sigv4"]),
];

/// Crates for tests: they may use everything and nothing that ships may use them.
const TEST_ONLY: [&str; 3] = ["fixture", "sim", "e2e"];

/// What has effects. `imbl` brings `rand_core` and `rand_xoshiro`, which only compute: neither asks the system for
/// randomness without `getrandom`, which stands here.
const EFFECTFUL: [&str; 14] = [
    "async-std",
    "crossbeam-channel",
    "getrandom",
    "hyper",
    "libc",
    "mio",
    "nix",
    "parking_lot",
    "rand",
    "rayon",
    "rusqlite",
    "rustix",
    "socket2",
    "tokio",
];

/// Edges that bring no effect. `parquet` looks values up in hash tables of `ahash`, which asks the system for their
/// seeds; what it writes does not depend on them, and a test of `flow-log-files` compares the bytes.
const HARMLESS: [(&str, &str); 2] = [("ahash", "getrandom"), ("ahash", "const-random")];

pub(super) fn check(root: &Path, findings: &mut Findings) -> Result<()> {
    let graph = Graph::read(root)?;
    for name in &graph.members {
        check_edges(name, &graph, findings);
    }
    for name in PURE {
        for effectful in EFFECTFUL {
            if let Some(path) = graph.path(name, effectful) {
                findings.error(format!("{name} is pure: {}", path.join(" → ")));
            }
        }
    }
    Ok(())
}

fn check_edges(name: &str, graph: &Graph, findings: &mut Findings) {
    let used = graph.dependencies(name);
    let in_workspace = used.iter().filter(|used| graph.members.contains(*used));
    if TEST_ONLY.contains(&name) && name != "fixture" {
        return;
    }
    let Some((_, allowed)) = EDGES.iter().find(|(from, _)| *from == name) else {
        findings.error(format!("{name}: no line in EDGES says what it may use"));
        return;
    };
    for used in in_workspace {
        if !allowed.contains(&used.as_str()) {
            findings.error(format!("{name} must not depend on {used}"));
        }
    }
}

/// The normal dependencies of every package, by name.
struct Graph {
    members: BTreeSet<String>,
    edges: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    fn read(root: &Path) -> Result<Self> {
        let output = Command::new("cargo")
            .args(["metadata", "--format-version", "1"])
            .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
            .current_dir(root)
            .output()
            .context("starting cargo metadata")?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr));
        }
        let metadata: Value = serde_json::from_slice(&output.stdout)?;
        Self::parse(&metadata).context("cargo metadata has another form than expected")
    }

    fn parse(metadata: &Value) -> Option<Self> {
        let mut names = BTreeMap::new();
        for package in metadata["packages"].as_array()? {
            names.insert(package["id"].as_str()?, package["name"].as_str()?);
        }
        let mut members = BTreeSet::new();
        for id in metadata["workspace_members"].as_array()? {
            members.insert((*names.get(id.as_str()?)?).to_owned());
        }
        let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in metadata["resolve"]["nodes"].as_array()? {
            let from = *names.get(node["id"].as_str()?)?;
            let to = edges.entry(from.to_owned()).or_default();
            for dependency in node["deps"].as_array()? {
                let kinds = dependency["dep_kinds"].as_array()?;
                if kinds.iter().any(|kind| kind["kind"].is_null()) {
                    to.insert((*names.get(dependency["pkg"].as_str()?)?).to_owned());
                }
            }
        }
        Some(Self { members, edges })
    }

    fn dependencies(&self, name: &str) -> &BTreeSet<String> {
        const NONE: &BTreeSet<String> = &BTreeSet::new();
        self.edges.get(name).unwrap_or(NONE)
    }

    /// A chain of normal dependencies from one package to another.
    fn path(&self, from: &str, to: &str) -> Option<Vec<String>> {
        let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut waiting = vec![from];
        while let Some(name) = waiting.pop() {
            if name == to {
                let mut path = vec![to.to_owned()];
                let mut at = to;
                while let Some(previous) = came_from.get(at) {
                    path.push((*previous).to_owned());
                    at = previous;
                }
                path.reverse();
                return Some(path);
            }
            for next in self.dependencies(name) {
                let harmless = HARMLESS.contains(&(name, next.as_str()));
                if next != from && !harmless && !came_from.contains_key(next.as_str()) {
                    came_from.insert(next, name);
                    waiting.push(next);
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn development_dependencies_do_not_count() {
        let dep = |id: &str, kind: Value| json!({"pkg": id, "dep_kinds": [{"kind": kind}]});
        let metadata = json!({
            "packages": [
                {"id": "1", "name": "control"}, {"id": "2", "name": "serde"}, {"id": "3", "name": "tokio"},
            ],
            "workspace_members": ["1"],
            "resolve": {"nodes": [
                {"id": "1", "deps": [dep("2", Value::Null), dep("3", json!("dev"))]},
                {"id": "2", "deps": []},
                {"id": "3", "deps": [dep("2", Value::Null)]},
            ]},
        });
        let graph = Graph::parse(&metadata).unwrap();
        assert_eq!(
            graph.path("control", "serde").unwrap(),
            ["control", "serde"]
        );
        assert_eq!(graph.path("control", "tokio"), None);
    }
}
