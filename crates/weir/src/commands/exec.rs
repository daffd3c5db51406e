//! `weir exec`: a program of this machine inside an instance or internet host.

use std::ffi::OsString;
use std::process::ExitCode;

use server::ops::FindSandbox;

use crate::cli::{Exec, Target};

/// What clients of AWS sign with. Not the endpoint: inside, AWS's own names lead to Weir.
const PASSED_ON: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
];

/// Becomes the program.
pub(crate) fn run(target: &Target, arguments: &Exec) -> anyhow::Result<ExitCode> {
    let mut client = super::client(target)?;
    let sandbox = client.weir(&FindSandbox {
        source: arguments.source.clone(),
    })?;
    let mut program: Vec<OsString> = Vec::new();
    let mut variables: Vec<OsString> = Vec::new();
    if arguments.aws {
        variables.extend(PASSED_ON.iter().filter_map(|name| {
            let value = std::env::var_os(name)?;
            let mut variable = OsString::from(format!("{name}="));
            variable.push(value);
            Some(variable)
        }));
    }
    variables.extend(arguments.env.iter().map(OsString::from));
    if !variables.is_empty() {
        program.push("env".into());
        program.append(&mut variables);
    }
    if arguments.builtin {
        program.push(host::PROGRAM.into());
    }
    program.extend(arguments.program.iter().cloned());
    match host::exec_in(&sandbox.target, &program)? {}
}
