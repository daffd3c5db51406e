//! `weir completions`, `weir man`: made of the definitions of the command line.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap_complete::Shell;

use crate::{cli, output};

/// Prints what a shell completes with.
pub(crate) fn completions(shell: Shell) -> anyhow::Result<ExitCode> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut cli::definitions(), "weir", &mut text);
    output::print(&String::from_utf8(text)?)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the page of the command, or writes one for each command into a folder.
pub(crate) fn man(dir: Option<&Path>) -> anyhow::Result<ExitCode> {
    match dir {
        None => output::print(&page()?)?,
        Some(dir) => {
            std::fs::create_dir_all(dir)
                .and_then(|()| clap_mangen::generate_to(cli::definitions(), dir))
                .with_context(|| format!("cannot write to {}", dir.display()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn page() -> anyhow::Result<String> {
    let mut text = Vec::new();
    clap_mangen::Man::new(cli::definitions()).render(&mut text)?;
    Ok(String::from_utf8(text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_and_completions_know_every_command() {
        let page = page().unwrap();
        let mut bash = Vec::new();
        clap_complete::generate(Shell::Bash, &mut cli::definitions(), "weir", &mut bash);
        let bash = String::from_utf8(bash).unwrap();
        let definitions = cli::definitions();
        for command in definitions.get_subcommands() {
            let name = command.get_name();
            if command.is_hide_set() {
                assert!(!page.contains(name), "{name}");
            } else {
                // Hyphens are escaped there.
                assert!(page.contains(&format!("weir\\-{name}(1)")), "{name}");
                assert!(bash.contains(name), "{name}");
            }
        }
    }

    #[test]
    fn every_command_has_a_page() {
        let dir = tempfile::tempdir().unwrap();
        man(Some(dir.path())).unwrap();
        let up = std::fs::read_to_string(dir.path().join("weir-up.1")).unwrap();
        assert!(
            up.contains("ephemeral") && !up.contains("\\-\\-again"),
            "{up}"
        );
        for name in [
            "weir.1",
            "weir-exec.1",
            "weir-export.1",
            "weir-flows-read.1",
        ] {
            assert!(dir.path().join(name).is_file(), "{name}");
        }
    }
}
