//! Compiles the program that the kernel runs, and tells whether what is committed is what its source compiles to.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = "crates/host/bpf/fabric.c";
const OBJECT: &str = "crates/host/bpf/fabric.o";
/// What made the committed object; another version makes other bytes.
const CLANG: &str = "14";

/// Writes the object, or fails when that would change it.
pub fn run(root: &Path, check: bool) -> Result<()> {
    let version = version()?;
    if version != CLANG {
        if check {
            // Said aloud: nothing has been compared.
            println!("bpf: SKIPPED: the object is made by clang {CLANG}, here is {version}");
            return Ok(());
        }
        bail!("the object is made by clang {CLANG}, here is {version}");
    }
    let made = compile(root)?;
    let object = root.join(OBJECT);
    if !check {
        std::fs::write(&object, made)?;
        return Ok(());
    }
    if std::fs::read(&object)? != made {
        bail!("{OBJECT} is not what {SOURCE} compiles to: run `cargo xtask bpf`");
    }
    println!("bpf: {OBJECT} is what {SOURCE} compiles to");
    Ok(())
}

fn version() -> Result<String> {
    let output = Command::new("clang").arg("--version").output();
    let output = output.context("clang is not installed: `scripts/setup` installs it")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.split_once("version ").map(|(_, rest)| rest);
    let major = version.and_then(|rest| rest.split('.').next());
    Ok(major.unwrap_or("unknown").to_owned())
}

fn compile(root: &Path) -> Result<Vec<u8>> {
    let made = std::env::temp_dir().join(format!("fabric-{}.o", std::process::id()));
    let mut clang = Command::new("clang");
    clang.args([
        "-O2", "-target", "bpf", "-mcpu=v3", "-Wall", "-Wextra", "-Werror",
    ]);
    for include in includes() {
        clang.arg("-I").arg(include);
    }
    clang.args(["-c", "fabric.c", "-o"]).arg(&made);
    let folder = root.join(SOURCE);
    let folder = folder.parent().context("a folder")?;
    if !clang.current_dir(folder).status()?.success() {
        bail!("{SOURCE} does not compile");
    }
    let object = std::fs::read(&made)?;
    std::fs::remove_file(&made)?;
    Ok(object)
}

/// Where Debian has the kernel's headers that depend on the machine.
fn includes() -> Vec<PathBuf> {
    let names = ["x86_64-linux-gnu", "aarch64-linux-gnu"];
    let all = names.map(|name| Path::new("/usr/include").join(name));
    all.into_iter().filter(|path| path.exists()).collect()
}
