//! Obtains service models from a pinned release of the botocore Python package.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Everybody generates from this release, so that the committed files agree.
const BOTOCORE: &str = "1.43.26";

/// Prints the model without documentation; members become pairs so that their order survives.
const EXTRACT: &str = r#"
import botocore, gzip, json, os, sys
if botocore.__version__ != sys.argv[1]:
    sys.exit(3)
name = os.path.join(os.path.dirname(botocore.__file__), "data", sys.argv[2], "service-2.json.gz")
model = json.load(gzip.open(name))
def strip(value):
    if isinstance(value, dict):
        return {k: strip(v) for k, v in value.items() if not k.startswith("documentation") or isinstance(v, dict)}
    return value
shapes = {}
for name, shape in model["shapes"].items():
    shape = strip(shape)
    if "members" in shape:
        shape["members"] = [[k, v] for k, v in shape["members"].items()]
    shapes[name] = shape
operations = {k: {"input": v.get("input"), "output": v.get("output")} for k, v in model["operations"].items()}
json.dump({"shapes": shapes, "operations": strip(operations)}, sys.stdout)
"#;

/// A model from an installed botocore of the right release, else from one installed under `target/`.
///
/// `service` is the model's folder: name and API version.
pub(super) fn service_model(root: &Path, service: &str) -> Result<Value> {
    if let Some(model) = extract(Path::new("python3"), service)? {
        return Ok(model);
    }
    let environment = root
        .join("target")
        .join(format!("codegen-botocore-{BOTOCORE}"));
    let python = environment.join("bin/python3");
    if !python.exists() {
        run(Command::new("python3")
            .args(["-m", "venv"])
            .arg(&environment))?;
    }
    if let Some(model) = extract(&python, service)? {
        return Ok(model);
    }
    let package = format!("botocore=={BOTOCORE}");
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", &package]))?;
    extract(&python, service)?
        .with_context(|| format!("{package} was installed but cannot be read"))
}

/// `None` when this Python has no botocore, or another release of it.
fn extract(python: &Path, service: &str) -> Result<Option<Value>> {
    let output = Command::new(python)
        .args(["-c", EXTRACT, BOTOCORE, service])
        .output()
        .with_context(|| format!("starting {}", python.display()))?;
    if !output.status.success() {
        return Ok(None);
    }
    Ok(Some(
        serde_json::from_slice(&output.stdout).context("reading the service model")?,
    ))
}

fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("starting {command:?}"))?;
    if !status.success() {
        bail!("{command:?} failed: {status}");
    }
    Ok(())
}
