//! `cargo xtask ci`: everything that must hold before a change lands, the cheap checks first.

use anyhow::{Result, bail};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

/// Where `scripts/setup` puts AWS's clients.
const CLIENTS: &str = "target/venv/bin";

/// Checks that need no build of the workspace all run, so that one run shows all they find; the first of the
/// others that fails ends the run.
pub fn run(root: &Path) -> Result<()> {
    let mut run = Run::new(root);
    if !root.join(CLIENTS).exists() {
        run.note("no AWS clients are installed: run `scripts/setup` first");
    }

    run.xtask("tidy", &["tidy"]);
    run.cargo("fmt", &["fmt", "--all", "--check"]);
    run.xtask("codegen", &["codegen", "--check"]);
    run.xtask("bpf", &["bpf", "--check"]);
    run.deny();
    run.stop_if_failed()?;

    run.cargo("clippy", CLIPPY);
    run.stop_if_failed()?;

    // The tests over the wire start this binary; Cargo builds it for the tests of its own crate only.
    // All of the workspace's features, as the tests have them, so that nothing is compiled twice.
    run.cargo("build", &["build", "--workspace", "--bin", "weir"]);
    run.stop_if_failed()?;
    run.tests();
    run.stop_if_failed()?;
    run.summary();
    Ok(())
}

const CLIPPY: &[&str] = &[
    "clippy",
    "--workspace",
    "--all-targets",
    "--",
    "-D",
    "warnings",
];

/// The steps so far: name, what came of it, seconds.
struct Run<'a> {
    root: &'a Path,
    path: OsString,
    steps: Vec<(&'static str, bool, f64)>,
    notes: Vec<String>,
}

impl<'a> Run<'a> {
    fn new(root: &'a Path) -> Self {
        let mut path = root.join(CLIENTS).into_os_string();
        if let Some(inherited) = std::env::var_os("PATH") {
            path.push(":");
            path.push(inherited);
        }
        Self {
            root,
            path,
            steps: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn note(&mut self, text: &str) {
        println!("ci: note: {text}");
        self.notes.push(text.to_owned());
    }

    fn cargo(&mut self, name: &'static str, arguments: &[&str]) {
        self.step(name, "cargo".into(), arguments);
    }

    /// Another command of this program, as a process of its own so that it finds the same clients.
    fn xtask(&mut self, name: &'static str, arguments: &[&str]) {
        let program = std::env::current_exe().unwrap_or_else(|_| "cargo-xtask".into());
        self.step(name, program, arguments);
    }

    fn step(&mut self, name: &'static str, program: PathBuf, arguments: &[&str]) {
        println!("ci: {name}");
        let start = Instant::now();
        let outcome = Command::new(&program)
            .args(arguments)
            .current_dir(self.root)
            .env("PATH", &self.path)
            .status();
        let passed = outcome.as_ref().is_ok_and(ExitStatus::success);
        if let Err(error) = outcome {
            println!("ci: {}: {error}", program.display());
        }
        self.steps
            .push((name, passed, start.elapsed().as_secs_f64()));
    }

    /// Advisories are left to machines that reach the advisory database: `cargo deny check advisories`.
    fn deny(&mut self) {
        if has_cargo_command("deny") {
            self.cargo("deny", &["deny", "check", "bans", "licenses", "sources"]);
        } else {
            self.note("cargo-deny is not installed: licences and bans were not checked");
        }
    }

    fn tests(&mut self) {
        if !can_make_namespaces() {
            self.note("neither root nor user namespaces, or no TAP devices: tests with real packets skip themselves");
        }
        if has_cargo_command("nextest") {
            self.cargo("test", &["nextest", "run", "--workspace"]);
        } else {
            self.note("cargo-nextest is not installed: falling back to `cargo test`");
            self.cargo("test", &["test", "--workspace", "--no-fail-fast"]);
        }
    }

    /// Prints what came of every step, when one of them failed.
    fn stop_if_failed(&self) -> Result<()> {
        let failed = self.steps.iter().filter(|(_, passed, _)| !passed);
        let names: Vec<&str> = failed.map(|(name, ..)| *name).collect();
        if !names.is_empty() {
            self.summary();
            bail!("failed: {}", names.join(", "));
        }
        Ok(())
    }

    fn summary(&self) {
        println!("\nci: summary");
        for (name, passed, seconds) in &self.steps {
            let outcome = if *passed { "ok" } else { "FAILED" };
            println!("  {name:<8} {outcome:<7} {seconds:>7.1} s");
        }
        for note in &self.notes {
            println!("  note: {note}");
        }
    }
}

fn has_cargo_command(name: &str) -> bool {
    Command::new("cargo")
        .args([name, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// What tests with real packets need. They look for themselves; this says so where everybody sees it.
fn can_make_namespaces() -> bool {
    Path::new("/dev/net/tun").exists()
        && Command::new("unshare")
            .args(["--user", "--map-root-user", "--net", "true"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
}
