//! `cargo xtask tidy`: a test of the code base itself.
//!
//! What is checked: every Rust file says what it is; files and functions stay readable; pure crates stay pure;
//! edges between crates go only where `ARCHITECTURE.md` says; documents list what there is; no marker of unfinished work and no path of
//! somebody's machine is committed. What is over a limit stands in `xtask/tidy-allow.txt`, which only shrinks.

mod allow;
mod dependencies;
mod documents;
mod files;
mod functions;
mod manifests;
mod source;
mod text;

use allow::AllowList;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// What the checks found: errors fail the run, warnings are printed.
#[derive(Debug, Default)]
struct Findings {
    errors: Vec<String>,
    warnings: Vec<String>,
}

impl Findings {
    fn error(&mut self, message: String) {
        self.errors.push(message);
    }

    fn warn(&mut self, message: String) {
        self.warnings.push(message);
    }
}

/// A file of the repository; `path` is relative to its root.
struct File {
    path: String,
    text: String,
}

impl File {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    fn is_generated(&self) -> bool {
        self.path.contains("/generated/")
    }

    /// A file that holds only tests, or code that only tests use.
    fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }
}

/// Runs every check and prints what was found.
pub fn run(root: &Path) -> Result<()> {
    let files = repository_files(root)?;
    let mut allow = AllowList::read(root)?;
    let mut findings = Findings::default();

    files::check(&files, &mut allow, &mut findings);
    functions::check(&files, &mut allow, &mut findings);
    text::check(&files, &mut findings);
    manifests::check(&files, &mut findings);
    documents::check(&files, &mut findings);
    dependencies::check(root, &mut findings)?;
    allow.report_stale(&mut findings);

    report(&findings, files.len())
}

fn report(findings: &Findings, files: usize) -> Result<()> {
    for warning in &findings.warnings {
        println!("warning: {warning}");
    }
    for error in &findings.errors {
        println!("error: {error}");
    }
    let (errors, warnings) = (findings.errors.len(), findings.warnings.len());
    println!("tidy: {files} files, {errors} errors, {warnings} warnings");
    if errors > 0 {
        bail!("the code base is not tidy");
    }
    Ok(())
}

/// The files that are committed or would be: those that git does not ignore.
fn repository_files(root: &Path) -> Result<Vec<File>> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root)
        .output()
        .context("starting git to list the files")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    let list = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
    let mut files = Vec::new();
    for path in list.split('\0').filter(|path| !path.is_empty()) {
        // Deleted but still in the index, or not text: neither has anything to check.
        if let Ok(text) = std::fs::read_to_string(root.join(path)) {
            let path = path.to_owned();
            files.push(File { path, text });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.dedup_by(|a, b| a.path == b.path);
    Ok(files)
}
