//! Lint settings: `unsafe` is forbidden everywhere but in `host`, and pure crates ban what has effects.

use super::dependencies::PURE;
use super::{File, Findings};

/// The only crate that may contain `unsafe` code.
const UNSAFE_CRATE: &str = "crates/host/Cargo.toml";

pub(super) fn check(files: &[File], findings: &mut Findings) {
    let text_of = |path: &str| {
        let file = files.iter().find(|file| file.path == path);
        file.map(|file| file.text.as_str())
    };
    let root = text_of("Cargo.toml").unwrap_or_default();
    if !forbids_unsafe(root) {
        findings.error("Cargo.toml: the workspace lints do not forbid `unsafe_code`".to_owned());
    }
    for file in files {
        let in_crate = file.path.starts_with("crates/") || file.path.starts_with("xtask/");
        let is_manifest = in_crate && file.path.ends_with("/Cargo.toml");
        let inherits = file.text.contains("[lints]\nworkspace = true");
        if is_manifest && file.path != UNSAFE_CRATE && !inherits && !forbids_unsafe(&file.text) {
            let path = &file.path;
            findings.error(format!(
                "{path}: neither inherits the lints nor forbids unsafe"
            ));
        }
    }
    check_clippy_files(text_of, findings);
}

fn forbids_unsafe(manifest: &str) -> bool {
    manifest
        .lines()
        .any(|line| line.trim() == "unsafe_code = \"forbid\"")
}

/// Every pure crate has the same `clippy.toml`: Clippy reads only the nearest one.
fn check_clippy_files<'a>(text_of: impl Fn(&str) -> Option<&'a str>, findings: &mut Findings) {
    let path_of = |name: &str| format!("crates/{name}/clippy.toml");
    let expected = text_of(&path_of(PURE[0])).unwrap_or_default();
    for ban in ["disallowed-methods", "disallowed-types"] {
        if !expected.contains(ban) {
            findings.error(format!("{}: has no `{ban}`", path_of(PURE[0])));
        }
    }
    for name in PURE {
        if text_of(&path_of(name)) != Some(expected) {
            let path = path_of(name);
            findings.error(format!("{path}: differs from that of `{}`", PURE[0]));
        }
    }
}
