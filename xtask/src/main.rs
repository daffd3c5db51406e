//! Developer commands. Nothing here is part of the product.

mod bench;
mod bpf;
mod ci;
mod codegen;
mod tidy;

use clap::{Parser, Subcommand};
use std::path::PathBuf;

#[derive(Parser)]
#[command(name = "xtask", about = "Developer commands of this workspace.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures speed and size and prints a table.
    Bench {
        /// Put the table into the README too.
        #[arg(long)]
        readme: bool,
        /// Measure only forward, files, meter, rotation, daemon or instances.
        #[arg(long, value_name = "PART", conflicts_with = "readme")]
        only: Option<String>,
    },
    /// Compiles the program that the kernel runs.
    Bpf {
        /// Write nothing; fail when the committed object differs from what would be made.
        #[arg(long)]
        check: bool,
    },
    /// Runs every check and every test; what continuous integration runs.
    Ci,
    /// Generates the EC2 shapes and their wire forms from AWS's published service model.
    Codegen {
        /// Write nothing; fail when the committed files differ from what would be generated.
        #[arg(long)]
        check: bool,
    },
    /// Sends or receives, for the benches.
    #[command(hide = true)]
    Traffic(bench::traffic::Traffic),
    /// Tests the code base itself: sizes, edges between crates, purity, unfinished work.
    Tidy,
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Bench { readme, only } => match only {
            Some(part) => bench::run_part(&workspace_root(), &part),
            None => bench::run(&workspace_root(), readme),
        },
        Command::Bpf { check } => bpf::run(&workspace_root(), check),
        Command::Ci => ci::run(&workspace_root()),
        Command::Codegen { check } => codegen::run(&workspace_root(), check),
        Command::Traffic(traffic) => bench::traffic::run(&traffic),
        Command::Tidy => tidy::run(&workspace_root()),
    }
}

/// The workspace that holds this crate.
fn workspace_root() -> PathBuf {
    let crate_directory = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    crate_directory
        .parent()
        .map(PathBuf::from)
        .unwrap_or(crate_directory)
}
