//! `weir exec`: a program of this machine inside an instance or internet host.

use std::ffi::OsString;
use std::process::ExitCode;

use server::ops::FindSandbox;

use crate::cli::{Exec, Target};

/// Becomes the program.
pub(crate) fn run(target: &Target, arguments: &Exec) -> anyhow::Result<ExitCode> {
    let mut client = super::client(target)?;
    let sandbox = client.weir(&FindSandbox {
        source: arguments.source.clone(),
    })?;
    let mut program: Vec<OsString> = Vec::new();
    if !arguments.env.is_empty() {
        program.push("env".into());
        program.extend(arguments.env.iter().map(OsString::from));
    }
    if arguments.builtin {
        program.push(host::PROGRAM.into());
    }
    program.extend(arguments.program.iter().cloned());
    match host::exec_in(&sandbox.target, &program)? {}
}
