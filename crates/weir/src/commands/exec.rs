//! `weir exec`: a program of this machine inside an instance or internet host.

use std::ffi::OsString;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::process::ExitCode;

use anyhow::Context;
use rustix::fs::{Mode, OFlags, open};
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
        program.push(this_program()?);
    }
    program.extend(arguments.program.iter().cloned());
    match host::exec_in(&sandbox.target, &program)? {}
}

/// A path to this executable that works inside, where its folder may not be seen: a file that the
/// program inherits.
fn this_program() -> anyhow::Result<OsString> {
    // Without CLOEXEC: it must survive until the program inside begins.
    let file: OwnedFd =
        open("/proc/self/exe", OFlags::PATH, Mode::empty()).context("open this executable")?;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let _ = file.into_raw_fd();
    Ok(path.into())
}
