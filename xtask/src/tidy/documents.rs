//! Documents say what the code does: every action is listed, and links lead somewhere.

use super::{File, Findings};

const ACTIONS: [&str; 3] = [
    "crates/ec2-api/actions.toml",
    "crates/elbv2-api/actions.toml",
    "crates/iam-api/actions.toml",
];
const COMPATIBILITY: &str = "docs/compatibility.md";

pub(super) fn check(files: &[File], findings: &mut Findings) {
    check_actions(files, findings);
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in links(&file.text) {
            let target = resolve(folder, link);
            let is_folder = |other: &File| other.path.starts_with(&format!("{target}/"));
            if !files.iter().any(|f| f.path == target || is_folder(f)) {
                findings.error(format!("{}: `{link}` leads nowhere", file.path));
            }
        }
    }
}

fn check_actions(files: &[File], findings: &mut Findings) {
    let text_of = |path: &str| {
        let file = files.iter().find(|file| file.path == path);
        file.map(|file| file.text.as_str()).unwrap_or_default()
    };
    let listed = text_of(COMPATIBILITY);
    for line in ACTIONS.iter().flat_map(|path| text_of(path).lines()) {
        let action = line.trim().strip_prefix('"');
        let action = action.and_then(|rest| rest.split('"').next());
        if let Some(action) = action
            && !listed.contains(&format!("`{action}`"))
        {
            findings.error(format!("{COMPATIBILITY}: says nothing about {action}"));
        }
    }
}

/// The targets of links to other files of the repository.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1);
    targets
        .filter_map(|rest| rest.split([')', '#']).next())
        .filter(|link| !link.is_empty() && !link.contains("://"))
}

fn resolve(folder: &str, link: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_relative_to_their_document() {
        let text = "[a](../README.md) [b](adr/1.md#why) [c](https://a.example/) [d](#here)";
        let found: Vec<String> = links(text).map(|link| resolve("docs", link)).collect();
        assert_eq!(found, ["README.md", "docs/adr/1.md"]);
    }
}
