//! One command: the daemon and the tools. The tools speak to the daemon through its public API only.

mod cli;
mod client;
mod commands;
mod demo;
mod inside;
mod output;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Sandboxes and `weir exec` start this program again; nothing may happen before this.
    host::dispatch();
    match cli::parse() {
        Ok(cli) => commands::run(cli),
        Err(status) => status,
    }
}
