//! Running a program inside a sandbox, from any process of the daemon's user.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::Command;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, WaitOptions, geteuid, getpid, pidfd_open, waitpid};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};
use serde::{Deserialize, Serialize};

use super::identity::{Identity, become_user};
use super::init::environment;
use super::limits::{Limits, join};
use super::terminal::{self, Relay, Terminal};
use super::{SandboxConfig, certificates};
use crate::error::{During, Error, Result};
use crate::sys;

/// A running sandbox as a program that wants to join it has to know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecTarget {
    /// The first process, as seen from outside.
    pub pid: i32,
    /// When it started, so that a process which got the same number later is not mistaken for it.
    pub start_time: u64,
    /// Who the program is to run as.
    pub identity: Identity,
    /// That user's name.
    pub user: String,
    /// That user's home.
    pub home: PathBuf,
    /// What each process may use.
    pub limits: Limits,
    /// Whether it has certificate authorities of its own.
    pub has_authorities: bool,
    /// The control groups to join.
    pub control_groups: Vec<PathBuf>,
}

impl ExecTarget {
    pub(super) fn new(pid: Pid, config: &SandboxConfig, groups: &[PathBuf]) -> Result<Self> {
        let pid = pid.as_raw_nonzero().get();
        Ok(Self {
            pid,
            start_time: start_time(pid)?,
            identity: config.identity,
            user: config.user.clone(),
            home: config.home(),
            limits: config.limits,
            has_authorities: !config.authorities.is_empty(),
            control_groups: groups.to_vec(),
        })
    }
}

/// Becomes a process that runs `program` with its arguments inside the sandbox, with this process's standard files, and
/// ends with the program's status (128 and the signal's number if a signal ended it; 127 if there is no such program).
/// Returns only if that fails from the start.
///
/// If standard input and output are a terminal, the program gets a terminal of the sandbox's instead, which controls it
/// and is joined to the caller's. In a pipeline or in the background it shares what the caller's standard files are; a
/// filter keeps it from typing into a terminal among them.
pub fn exec_in(target: &ExecTarget, program: &[OsString]) -> Result<Infallible> {
    let text = serde_json::to_string(target)
        .map_err(|error| Error::Invalid(format!("the description of a sandbox: {error}")))?;
    let error = Command::new("/proc/self/exe")
        .arg(crate::EXEC_ARGUMENT)
        .arg(text)
        .args(program)
        .exec();
    Err(error).during(|| "start this program again".into())
}

/// The other side of [`exec_in`]: a fresh process with one thread, as joining namespaces demands.
pub(crate) fn exec_main(mut arguments: impl Iterator<Item = OsString>) -> ! {
    // A directory of the host that the caller's shell happens to have open would lead out of the sandbox.
    sys::close_from(3);
    let target = arguments.next().unwrap_or_default();
    let program: Vec<OsString> = arguments.collect();
    let status = serde_json::from_str(&target.to_string_lossy())
        .map_err(|error| Error::Invalid(format!("the description of a sandbox: {error}")))
        .and_then(|target| run(&target, &program));
    std::process::exit(status.unwrap_or_else(|error| {
        #[expect(
            clippy::print_stderr,
            reason = "this process stands for the program that was to run"
        )]
        {
            eprintln!("weir: {error}");
        }
        126
    }))
}

fn run(target: &ExecTarget, program: &[OsString]) -> Result<i32> {
    let Some((name, arguments)) = program.split_first() else {
        return Err(Error::Invalid("no program to run was given".into()));
    };
    enter(target)?;
    let (identity, limits) = (target.identity, target.limits);
    let terminal = Terminal::for_caller(identity)?;
    let has_terminal = terminal.is_some();
    let mut command = Command::new(name);
    if let Some(terminal) = &terminal {
        terminal.give_to(&mut command)?;
    }
    command
        .args(arguments)
        .env_clear()
        .envs(environment(&target.user, &target.home.to_string_lossy()))
        .envs(certificates::environment(target.has_authorities))
        .envs(kept_variables(has_terminal).filter_map(|name| Some((name, std::env::var_os(name)?))))
        .current_dir(&target.home);
    // SAFETY: this process has one thread, so the child may do anything before it becomes the program.
    unsafe {
        command.pre_exec(move || {
            if has_terminal {
                terminal::adopt()?;
            }
            for signal in TERMINAL_SIGNALS {
                sys::ignore_signal(signal, false);
            }
            become_user(identity, &limits)
        })
    };
    let signals = listen(has_terminal)?;
    let child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            #[expect(
                clippy::print_stderr,
                reason = "this process stands for the program that was to run"
            )]
            {
                eprintln!("weir: {}: not found", name.to_string_lossy());
            }
            return Ok(127);
        }
        Err(error) => return Err(error).during(|| format!("run {}", name.to_string_lossy())),
    };
    let mut relay = terminal.map(Relay::start).transpose()?;
    wait_for(child.id().cast_signed(), &signals, relay.as_mut())
}

/// The variables of the caller that the program gets. A terminal of its own says how large it is, at any time.
fn kept_variables(has_terminal: bool) -> impl Iterator<Item = &'static str> {
    let size: &[&str] = if has_terminal {
        &[]
    } else {
        &["LINES", "COLUMNS"]
    };
    ["TERM", "COLORTERM"]
        .into_iter()
        .chain(size.iter().copied())
}

/// Where signals arrive from now on that are passed on, or say that there is something to do.
fn listen(has_terminal: bool) -> Result<OwnedFd> {
    let mut signals = vec![
        libc::SIGCHLD,
        libc::SIGTERM,
        libc::SIGHUP,
        libc::SIGUSR1,
        libc::SIGUSR2,
    ];
    if has_terminal {
        signals.extend(TERMINAL_SIGNALS);
        signals.extend([libc::SIGWINCH, libc::SIGCONT]);
    } else {
        // A terminal that is shared sends these to the program as well, which decides what they mean.
        for signal in TERMINAL_SIGNALS {
            sys::ignore_signal(signal, true);
        }
    }
    sys::signal_descriptor(&signals).during(|| "listen to signals".into())
}

/// Joins the sandbox's control groups and namespaces; children are in its PID namespace from here on.
fn enter(target: &ExecTarget) -> Result<()> {
    let gone = || Error::Invalid("the instance is not running".into());
    let pid = Pid::from_raw(target.pid).ok_or_else(gone)?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).map_err(|_| gone())?;
    if start_time(target.pid).ok() != Some(target.start_time) {
        return Err(gone());
    }
    // Refused to a caller who is not the daemon's user and, without control groups, impossible: both show elsewhere.
    drop(join(&target.control_groups, getpid()));
    let mut spaces = ThreadNameSpaceType::MOUNT
        | ThreadNameSpaceType::PROCESS_ID
        | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME
        | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION
        | ThreadNameSpaceType::NETWORK;
    let inode = |path: String| fs::metadata(path).map(|metadata| metadata.ino()).ok();
    if inode(format!("/proc/{}/ns/user", target.pid)) != inode("/proc/self/ns/user".into()) {
        spaces |= ThreadNameSpaceType::USER;
    }
    move_into_thread_name_spaces(pidfd.as_fd(), spaces).during(|| "enter the instance".into())?;
    if !geteuid().is_root() {
        // The host's root joins the user namespace of a daemon without root as somebody who does not exist there.
        sys::set_ids(0, 0).during(|| "become the root of the instance's user namespace".into())?;
        // Changing ids took our own files in /proc away from us.
        sys::set_tracing(true);
    }
    Ok(())
}

/// Passes signals and what is typed and shown on until the program has ended.
fn wait_for(pid: i32, signals: &OwnedFd, mut relay: Option<&mut Relay>) -> Result<i32> {
    let Some(child) = Pid::from_raw(pid) else {
        return Err(Error::Invalid("the program has no process".into()));
    };
    loop {
        match &mut relay {
            Some(relay) => relay.turn(signals),
            None => _ = poll(&mut [PollFd::new(signals, PollFlags::IN)], None),
        }
        let mut bytes = [0; size_of::<libc::signalfd_siginfo>()];
        while let Ok(length) = rustix::io::read(signals, bytes.as_mut_slice()) {
            let number = bytes[..length]
                .first_chunk()
                .map_or(0, |number| i32::from_ne_bytes(*number));
            match (number, &relay) {
                (libc::SIGCHLD, _) => {}
                (libc::SIGWINCH | libc::SIGCONT, Some(relay)) => relay.refresh(),
                _ => sys::signal(pid, number),
            }
        }
        let ended =
            waitpid(Some(child), WaitOptions::NOHANG).during(|| "wait for the program".into())?;
        if let Some((_, status)) = ended {
            if let Some(relay) = relay {
                relay.finish();
            }
            let status = std::process::ExitStatus::from_raw(status.as_raw());
            return Ok(status
                .code()
                .or(status.signal().map(|signal| 128 + signal))
                .unwrap_or(1));
        }
    }
}

/// Field 22 of `/proc/PID/stat`, counted from behind the name, which may contain anything.
fn start_time(pid: i32) -> Result<u64> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).during(|| format!("read {path}"))?;
    text.rsplit_once(')')
        .and_then(|(_, rest)| rest.split_ascii_whitespace().nth(19)?.parse().ok())
        .ok_or_else(|| Error::Invalid(format!("{path} says no start time")))
}

const TERMINAL_SIGNALS: [libc::c_int; 2] = [libc::SIGINT, libc::SIGQUIT];
