//! The commands: each turns arguments into calls, and answers into text and an exit status.

mod capture;
mod doctor;
mod env;
mod exec;
mod flows;
mod internet;
mod manual;
mod question;
mod replay;
mod state;
mod status;
mod trail;
mod up;
mod why;

use std::process::ExitCode;

use crate::cli::{Cli, Command, Target};
use crate::client::{Client, Endpoint};
use crate::{demo, inside, output};

/// The status of a command that itself failed; 1 and 2 are what commands find.
const FAILED: u8 = 3;
/// The same for `weir exec`, whose other statuses are its program's.
const EXEC_FAILED: u8 = 125;

/// Carries out a command.
pub(crate) fn run(cli: Cli) -> ExitCode {
    let Cli { target, command } = cli;
    let failed = if matches!(command, Command::Exec(_)) {
        EXEC_FAILED
    } else {
        FAILED
    };
    let result = match command {
        Command::Up(arguments) => up::run(&arguments),
        Command::Env => env::run(&target),
        Command::Exec(arguments) => exec::run(&target, &arguments),
        Command::Flows(arguments) => flows::run(&target, &arguments),
        Command::Capture(arguments) => capture::run(&target, &arguments),
        Command::Replay(arguments) => replay::run(&target, &arguments),
        Command::Trace(question) => question::trace(&target, &question),
        Command::Probe(question) => question::probe(&target, &question),
        Command::Internet { action } => internet::run(&target, action),
        Command::Trail { action } => trail::run(&target, action),
        Command::Export(arguments) => state::export(&target, &arguments),
        Command::Import(arguments) => state::import(&arguments),
        Command::Reset(arguments) => state::reset(&target, &arguments),
        Command::Status(arguments) => status::run(&target, arguments.json),
        Command::Doctor(arguments) => doctor::run(arguments.json),
        Command::Demo(arguments) => demo::run(arguments.scenario, arguments.keep),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { dir } => manual::man(dir.as_deref()),
        Command::ServeHttp { port, text } => inside::serve_http(port, &text),
        Command::Ping { address, count } => inside::ping(address, count),
        Command::Get { server, from_port } => inside::get(server, from_port),
        Command::GetObject { host, bucket, key } => inside::get_object(&host, &bucket, &key),
        Command::Connect { server, from_port } => inside::connect(server, from_port),
    };
    result.unwrap_or_else(|error| {
        output::note(&format!("{error:#}"));
        ExitCode::from(failed)
    })
}

fn client(target: &Target) -> anyhow::Result<Client> {
    Client::new(&Endpoint::find(target.endpoint.as_deref())?)
}
