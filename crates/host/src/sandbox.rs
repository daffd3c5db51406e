//! Sandboxes: process trees whose only way out is the network interfaces that we give them.

use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};
use serde::{Deserialize, Serialize};

use crate::device::{Interface, check_name};
use crate::error::{During, Error, Result};
use crate::event_loop::Wire;
use crate::fabric::Wiring;
use crate::netns::NetworkNamespace;
use crate::sys;

mod certificates;
mod console;
pub(crate) mod exec;
mod filesystem;
pub(crate) mod identity;
pub(crate) mod init;
pub(crate) mod limits;
mod seccomp;
mod terminal;

use exec::ExecTarget;
pub(crate) use filesystem::PROGRAM;
use identity::Identity;
use limits::{ControlGroups, Limits};

/// Everything that a sandbox is made from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SandboxConfig {
    /// Distinguishes it from all others on this machine; letters, digits, `-` and `_`. Names its control group.
    pub name: String,
    /// The executable to run as its first process, which must call [`dispatch`](crate::dispatch).
    pub executable: PathBuf,
    /// What `hostname` prints.
    pub hostname: String,
    /// The text of `/etc/hosts`.
    pub hosts: String,
    /// The text of `/etc/resolv.conf`.
    pub resolv_conf: String,
    /// Who its programs run as.
    pub identity: Identity,
    /// The name of that user; its home is `/home/` with this name, empty and writable at each start.
    pub user: String,
    /// What it may use.
    pub limits: Limits,
    /// Directories of the host that it must not see, besides those that no sandbox sees.
    pub hidden: Vec<PathBuf>,
    /// Sockets of the host's services in places that it does see, to be covered. Set by [`Sandbox::start`].
    #[serde(default)]
    pub sockets: Vec<PathBuf>,
    /// The file outside to which the output of the user data is appended; the last 64 KiB are kept.
    pub console: PathBuf,
    /// A script beginning with `#!`, to be run at boot. Anything else is not run.
    pub user_data: Option<Vec<u8>>,
    /// Certificate authorities that its programs trust besides the host's, in PEM.
    #[serde(default)]
    pub authorities: String,
    /// Its network interfaces.
    pub interfaces: Vec<Interface>,
}

impl SandboxConfig {
    /// A sandbox with everything else at its most ordinary.
    #[must_use]
    pub fn new(name: &str, number: u32, console: PathBuf) -> Self {
        Self {
            name: name.into(),
            executable: "/proc/self/exe".into(),
            hostname: name.into(),
            hosts: "127.0.0.1 localhost localhost.localdomain\n::1 localhost6 localhost6.localdomain6\n".into(),
            resolv_conf: String::new(),
            identity: Identity::for_number(number),
            user: "ec2-user".into(),
            limits: Limits::default(),
            hidden: Vec::new(),
            sockets: Vec::new(),
            console,
            user_data: None,
            authorities: String::new(),
            interfaces: Vec::new(),
        }
    }

    pub(crate) fn home(&self) -> PathBuf {
        Path::new("/home").join(&self.user)
    }

    fn check(&self) -> Result<()> {
        let word = |text: &str, more: &str| {
            !text.is_empty()
                && text.len() <= 64
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        if !word(&self.name, "-_") || !word(&self.user, "-_") || !word(&self.hostname, "-.") {
            let names = (&self.name, &self.user, &self.hostname);
            return Err(Error::Invalid(format!(
                "a sandbox cannot have the names {names:?}"
            )));
        }
        self.interfaces
            .iter()
            .try_for_each(|interface| check_name(&interface.name))
    }
}

/// A running sandbox. Dropping it kills every process in it; so does the end of this process, however it ends.
#[derive(Debug)]
pub struct Sandbox {
    config: SandboxConfig,
    pid: Pid,
    pidfd: OwnedFd,
    /// Closing our end makes the first process exit, which is how no sandbox outlives us.
    control: UnixStream,
    namespace: NetworkNamespace,
    groups: Option<ControlGroups>,
    ended: bool,
}

impl Sandbox {
    /// Starts a sandbox with its interfaces, whose other ends are returned in order. Nothing of the user's runs in it
    /// until [`Sandbox::boot`], so there is time to connect them first.
    pub fn start(mut config: SandboxConfig, wiring: &Wiring) -> Result<(Self, Vec<Wire>)> {
        config.check()?;
        config.sockets = filesystem::sockets();
        let groups = ControlGroups::create(&config.name, &config.limits);
        config.limits.limit_address_space = groups.is_none();
        let (pid, pidfd, control) = spawn_init(&config)?;
        let mut sandbox = Self {
            namespace: NetworkNamespace::of_process(pid)?,
            config,
            pid,
            pidfd,
            control,
            groups,
            ended: false,
        };
        if let Some(groups) = &sandbox.groups {
            groups
                .add(pid)
                .during(|| format!("limit the sandbox {}", sandbox.config.name))?;
        }
        sandbox.send_config()?;
        // While the first process arranges its files, we make its interfaces.
        let wires = sandbox.make_interfaces(wiring);
        sandbox.await_ready()?;
        Ok((sandbox, wires?))
    }

    /// Lets the user data run, if there is any.
    pub fn boot(&mut self) -> Result<()> {
        self.control
            .write_all(&[init::BOOT])
            .during(|| "boot a sandbox".into())
    }

    /// Adds an interface while the sandbox runs. It is removed when its [`Wire`] is dropped.
    pub fn attach(&mut self, interface: &Interface, wiring: &Wiring) -> Result<Wire> {
        check_name(&interface.name)?;
        wiring.connect(&self.namespace, interface)
    }

    /// Asks every process to end, waits for at most `grace`, then ends them all. Only the console file remains.
    pub fn stop(mut self, grace: Duration) -> Result<()> {
        let milliseconds = u32::try_from(grace.as_millis()).unwrap_or(u32::MAX);
        let mut message = vec![init::STOP];
        message.extend(milliseconds.to_ne_bytes());
        if self.control.write_all(&message).is_ok() {
            // The first process keeps the time; the second more is for a machine that is very busy.
            self.wait_for_end(grace.saturating_add(Duration::from_secs(1)));
        }
        self.end();
        Ok(())
    }

    /// The name it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// The first process, as seen from outside.
    #[must_use]
    pub fn init_pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Its network namespace.
    #[must_use]
    pub fn namespace(&self) -> &NetworkNamespace {
        &self.namespace
    }

    /// The file with the output of its user data.
    #[must_use]
    pub fn console(&self) -> &Path {
        &self.config.console
    }

    /// What [`exec_in`](crate::exec_in) needs to run a program inside, in any process of the same user.
    pub fn exec_target(&self) -> Result<ExecTarget> {
        let directories = self
            .groups
            .as_ref()
            .map_or(&[][..], ControlGroups::directories);
        ExecTarget::new(self.pid, &self.config, directories)
    }

    /// Has its first process ended? Readable when it has: a descriptor to poll.
    #[must_use]
    pub fn ended_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    fn send_config(&mut self) -> Result<()> {
        let text = serde_json::to_vec(&self.config)
            .map_err(|error| Error::Invalid(format!("the configuration of a sandbox: {error}")))?;
        let length = u32::try_from(text.len())
            .map_err(|_| Error::Invalid("the configuration of a sandbox is too long".into()))?;
        let mut message = length.to_ne_bytes().to_vec();
        message.extend(text);
        self.control
            .write_all(&message)
            .during(|| "configure a sandbox".into())
    }

    fn make_interfaces(&self, wiring: &Wiring) -> Result<Vec<Wire>> {
        self.namespace
            .prepare(self.config.identity.file_owner().1)?;
        self.config
            .interfaces
            .iter()
            .map(|interface| wiring.connect(&self.namespace, interface))
            .collect()
    }

    /// The first process says one line: that it is ready, or why it is not.
    fn await_ready(&mut self) -> Result<()> {
        self.control
            .set_read_timeout(Some(READY_TIMEOUT))
            .during(|| "wait for a sandbox".into())?;
        let mut line = Vec::new();
        let mut byte = [0];
        while line.len() < 4096 && matches!(self.control.read(&mut byte), Ok(1)) && byte[0] != b'\n'
        {
            line.push(byte[0]);
        }
        if line == init::READY {
            return Ok(());
        }
        let message = match String::from_utf8_lossy(&line) {
            text if text.is_empty() => "its first process ended before it was ready".to_owned(),
            text => text.into_owned(),
        };
        Err(Error::Sandbox {
            name: self.config.name.clone(),
            message,
        })
    }

    fn wait_for_end(&self, patience: Duration) -> bool {
        let patience = Timespec::try_from(patience).unwrap_or(Timespec {
            tv_sec: 60,
            tv_nsec: 0,
        });
        let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
        matches!(poll(&mut fds, Some(&patience)), Ok(1))
    }

    /// Kills the first process, and with it all others, and waits until they are gone.
    fn end(&mut self) {
        if self.ended {
            return;
        }
        self.ended = true;
        _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
        while matches!(
            waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED),
            Err(rustix::io::Errno::INTR)
        ) {}
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.end();
    }
}

fn spawn_init(config: &SandboxConfig) -> Result<(Pid, OwnedFd, UnixStream)> {
    let console = File::options()
        .read(true)
        .append(true)
        .create(true)
        .open(&config.console)
        .during(|| format!("open {}", config.console.display()))?;
    let (ours, theirs) = UnixStream::pair().during(|| "create a pair of sockets".into())?;
    let program = CString::new(config.executable.as_os_str().as_bytes())
        .map_err(|_| Error::Invalid("the path of the executable contains a null byte".into()))?;
    let argument = CString::new(crate::INIT_ARGUMENT).unwrap_or_default();
    let (pid, pidfd) = sys::spawn_in_namespaces(
        libc::CLONE_NEWNET
            | libc::CLONE_NEWNS
            | libc::CLONE_NEWPID
            | libc::CLONE_NEWUTS
            | libc::CLONE_NEWIPC,
        &program,
        &[c"weir-init", &argument],
        [theirs.as_fd(), console.as_fd(), console.as_fd()],
    )
    .during(|| "create the namespaces of a sandbox".into())?;
    Ok((pid, pidfd, ours))
}

/// Far beyond what the slowest machine needs; a hang must not become ours.
const READY_TIMEOUT: Duration = Duration::from_secs(20);
